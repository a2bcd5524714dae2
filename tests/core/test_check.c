/* SPDX-License-Identifier: MIT */
/* An environment that lacks a member is refused by whatever is made with it, and the hint names it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "core/env.h"
#include "lib/tenv.h"

static const struct member {
	const char *name;
	size_t at;
	size_t size;
} members[] = {
#define MEMBER(m)                                                                                \
	{                                                                                        \
		"'s " #m " is ", offsetof(struct phyr_env, m), sizeof(((struct phyr_env *)0)->m) \
	}
	MEMBER(alloc_pages), MEMBER(free_pages), MEMBER(alloc),    MEMBER(free),
	MEMBER(lock_init),   MEMBER(lock_fini),  MEMBER(lock),     MEMBER(unlock),
	MEMBER(slot),        MEMBER(now_ns),     MEMBER(nr_slots),
};

static void each_member_is_missed(void **state)
{
	struct tenv t;

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		tenv_init(&t, NULL);
		memset((char *)&t.env + members[i].at, 0, members[i].size);
		assert_int_equal(phyr_env_check(&t.env, "phyr_x"), -EINVAL);
		assert_int_equal(t.reports, 1);
		assert_int_equal(t.last.err, -EINVAL);
		assert_string_equal(t.last.call, "phyr_x");
		assert_non_null(strstr(t.last.hint, members[i].name));
		t.env.report = NULL;
		assert_int_equal(phyr_env_check(&t.env, "phyr_x"), -EINVAL);
	}
	assert_int_equal(phyr_env_check(NULL, "phyr_x"), -EINVAL);
}

static void a_whole_one_is_taken(void **state)
{
	struct tenv t;

	assert_int_equal(phyr_env_check(phyr_env_hosted(), "phyr_x"), 0);
	tenv_init(&t, NULL);
	t.env.flush_lines = NULL;
	assert_int_equal(phyr_env_check(&t.env, "phyr_x"), 0);
	assert_int_equal(t.reports, 0);
	t.env.report = NULL;
	assert_int_equal(phyr_env_check(&t.env, "phyr_x"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_member_is_missed),
		cmocka_unit_test(a_whole_one_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
