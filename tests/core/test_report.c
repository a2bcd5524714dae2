/* SPDX-License-Identifier: MIT */
/* Reports and the hosted environment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/env.h"
#include "lib/rnd.h"
#include "lib/tenv.h"

static void line_says_all(void **state)
{
	struct phyr_report r = {.err = -EINVAL,
				.call = "phyr_x",
				.index = 7,
				.addr = 0x1234,
				.len = 0x10,
				.iova = 0x5000,
				.limit = 0xff,
				.hint = "off the page"};
	char buf[256], cut[10];
	int n = phyr_report_format(&r, buf, sizeof(buf));

	assert_string_equal(buf, "phyr_x: Invalid argument: off the page (range 7: 0x1234 + 0x10)"
				 " at iova 0x5000, limit 0xff");
	assert_int_equal(n, strlen(buf));
	assert_int_equal(phyr_report_format(&r, cut, sizeof(cut)), n);
	assert_string_equal(cut, "phyr_x: I");
	assert_int_equal(phyr_report_format(&r, NULL, 0), n);
	r = (struct phyr_report){.err = -EFAULT,
				 .call = "fault",
				 .index = 0x1a3,
				 .index_of = "device",
				 .iova = 0x9000};
	phyr_report_format(&r, buf, sizeof(buf));
	assert_string_equal(buf, "fault: Bad address (device 01:14.3) at iova 0x9000");
	r = (struct phyr_report){.err = -EIO,
				 .call = "phyr_z",
				 .index = 9,
				 .index_of = "command",
				 .of = 2,
				 .addr = 1,
				 .len = 2};
	phyr_report_format(&r, buf, sizeof(buf));
	assert_string_equal(buf, "phyr_z: Input/output error (command 9 of queue 2: 0x1 + 0x2)");
	r.addr = 0;
	phyr_report_format(&r, buf, sizeof(buf));
	assert_string_equal(buf, "phyr_z: Input/output error (command 9 of queue 2: 0x0 + 0x2)");
	r.iova = 0x3000;
	phyr_report_format(&r, buf, sizeof(buf));
	assert_string_equal(
		buf, "phyr_z: Input/output error (command 9 of queue 2: 0x2 bytes) at iova 0x3000");
}

static void addresses_may_be_zero(void **state)
{
	struct phyr_report r = {.err = -EFAULT,
				.call = "fault",
				.index = 0x100,
				.index_of = "device",
				.has_iova = true,
				.hint = "blocked"};
	char buf[256];

	phyr_report_format(&r, buf, sizeof(buf));
	assert_string_equal(buf, "fault: Bad address: blocked (device 01:00.0) at iova 0x0");
	r.len = 0x10;
	phyr_report_format(&r, buf, sizeof(buf));
	assert_string_equal(buf,
			    "fault: Bad address: blocked (device 01:00.0: 0x10 bytes) at iova 0x0");
	r.has_addr = true;
	phyr_report_format(&r, buf, sizeof(buf));
	assert_string_equal(buf,
			    "fault: Bad address: blocked (device 01:00.0: 0x0 + 0x10) at iova 0x0");
}

static void fail_reports_and_returns(void **state)
{
	struct tenv t;

	tenv_init(&t, NULL);
	assert_int_equal(env_fail(&t.env, .err = -ERANGE, .call = "phyr_y", .index = 3), -ERANGE);
	assert_int_equal(t.reports, 1);
	assert_int_equal(t.last.index, 3);
	tenv_fini(&t);
}

static void hosted_gives_zeroed_aligned_pages(void **state)
{
	struct phyr_env *env = phyr_env_hosted();
	unsigned char *p = env->alloc_pages(env, 16384);

	assert_int_equal((uintptr_t)p & 16383, 0);
	for (unsigned i = 0; i < 16384; i++)
		assert_int_equal(p[i], 0);
	assert_ptr_equal(env_to_cpu(env, env_to_phys(env, p)), p);
	env->free_pages(env, p, 16384);
	assert_true(env->slot(env) < env->nr_slots);
}

/* Many pages at once, of more than one chunk, in an order of their own; each is whole and zero. */
static void hosted_pages_are_apart(void **state)
{
	enum { NR = 1500 };
	static unsigned char *pages[NR];
	struct phyr_env *env = phyr_env_hosted();
	struct rnd rnd = rnd_start("core/pages");

	for (unsigned round = 0; round < 20 * NR; round++) {
		unsigned i = (unsigned)rnd_below(&rnd, NR);

		if (pages[i]) {
			for (unsigned at = 0; at < 4096; at += 512)
				assert_int_equal(pages[i][at], i & 0xff);
			env->free_pages(env, pages[i], 4096);
			pages[i] = NULL;
			continue;
		}
		pages[i] = env->alloc_pages(env, 4096);
		assert_int_equal((uintptr_t)pages[i] & 4095, 0);
		for (unsigned at = 0; at < 4096; at += 512)
			assert_int_equal(pages[i][at], 0);
		memset(pages[i], (int)(i & 0xff), 4096);
	}
	for (unsigned i = 0; i < NR; i++)
		if (pages[i])
			env->free_pages(env, pages[i], 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(line_says_all),
		cmocka_unit_test(addresses_may_be_zero),
		cmocka_unit_test(fail_reports_and_returns),
		cmocka_unit_test(hosted_gives_zeroed_aligned_pages),
		cmocka_unit_test(hosted_pages_are_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
