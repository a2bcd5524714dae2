/* SPDX-License-Identifier: MIT */
/*
 * Running out of memory in the machine itself: the n-th allocation fails, for every n. The linker
 * sends malloc, calloc and realloc of what is tested through here.
 */
#include <stdlib.h>

#include "lib/tenv.h"
#include "sim/rig.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t nr, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t nr, size_t size);
void *__wrap_realloc(void *p, size_t size);

static unsigned calls, fail_at; /* 0: none */

static bool is_nth(void)
{
	return ++calls == fail_at;
}

void *__wrap_malloc(size_t size)
{
	return is_nth() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t nr, size_t size)
{
	return is_nth() ? NULL : __real_calloc(nr, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	return is_nth() ? NULL : __real_realloc(p, size);
}

static void start(unsigned n)
{
	calls = 0;
	fail_at = n;
}

/* Whether the n-th call was made, and so failed. */
static bool stop(void)
{
	bool failed = fail_at && calls >= fail_at;

	fail_at = 0;
	return failed;
}

static void create(void **state)
{
	struct phyr_sim_config config = {.size = sizeof(config)};
	struct phyr_sim *sim = NULL;
	unsigned n = 0;
	int err;

	do {
		start(++n);
		err = phyr_sim_create(&config, &sim);
		assert_int_equal(err, stop() ? -12 : 0);
	} while (err);
	assert_true(n > 8);
	phyr_sim_destroy(sim);
}

static void add_device(void **state)
{
	static const struct phyr_sim_dev_ops ops;
	struct phyr_sim *sim = rig_sim(.memory = MIB, .stepped = true);
	struct phyr_sim_dev *sdev = NULL;
	unsigned n = 0;
	int err;

	do {
		start(++n);
		err = phyr_sim_dev_add(sim, &ops, NULL, 1, &sdev);
		assert_int_equal(err, stop() ? -12 : 0);
		if (err) {
			assert_null(sdev);
			rig_told(-12, "phyr_sim_dev_add");
			assert_int_equal(rig_report.index, 1);
		}
	} while (err);
	assert_true(n > 2);
	assert_int_equal(phyr_sim_dev_add(sim, &ops, NULL, 1, &sdev), -17);
	rig_told(-17, "phyr_sim_dev_add");
	phyr_sim_destroy(sim);
}

static void expect_same(struct phyr_sim *sim, const struct phyr_sim_stats *before)
{
	assert_int_equal(rig_stats(sim).pinned_pages, before->pinned_pages);
	assert_int_equal(rig_stats(sim).map_bytes, before->map_bytes);
}

/*
 * Part of it is pinned before, so that old and new pages mix. A run that can't be made longer is
 * cut short, and the pin may succeed for all that; if it fails, all is as it was.
 */
static void sweep_pin(struct phyr_sim *sim, char *p)
{
	struct phyr_sim_stats before = rig_stats(sim);
	struct phyr_list list;
	unsigned n = 0, failures = 0;
	int err;

	do {
		start(++n);
		err = rig_pin(sim, p, 6 * MIB, &list);
		failures += err != 0;
		assert_true(err == 0 || err == -12);
		assert_int_equal(list.len, err ? 0 : 6 * MIB);
		if (err) {
			rig_told(-12, "phyr_sim_pin");
			assert_int_equal(rig_report.addr, (uintptr_t)p);
			assert_int_equal(rig_report.len, 6 * MIB);
		} else {
			rig_unpin(sim, &list);
		}
		expect_same(sim, &before);
	} while (stop());
	assert_int_equal(err, 0);
	assert_true(failures > 2);
}

static void pin(void **state)
{
	for (unsigned scatter = PHYR_SIM_MIXED; scatter <= PHYR_SIM_LINEAR; scatter++) {
		struct phyr_sim *sim = rig_sim(.memory = 64 * MIB, .stepped = true,
					       .scatter = (enum phyr_sim_scatter)scatter);
		char *p = rig_map(8 * MIB);
		struct phyr_list old;

		assert_int_equal(rig_pin(sim, p + MIB, MIB, &old), 0);
		sweep_pin(sim, p);
		rig_unpin(sim, &old);
		assert_int_equal(rig_stats(sim).map_bytes, 0);
		rig_unmap(p, 8 * MIB);
		phyr_sim_destroy(sim);
	}
}

/* The list runs out of memory for its words. */
static void pin_into_a_list_that_fails(void **state)
{
	struct phyr_sim *sim =
		rig_sim(.memory = 64 * MIB, .stepped = true, .scatter = PHYR_SIM_SINGLE);
	char *p = rig_map(8 * MIB);
	struct phyr_list list;
	struct tenv t;
	int err;

	tenv_init(&t, NULL);
	for (t.fail_at = 1;; t.fail_at++) {
		tenv_restart(&t);
		phyr_list_init(&list, &t.env, phyr_sim_space(sim));
		err = phyr_sim_pin(sim, p, 8 * MIB, &list);
		assert_int_equal(err, t.failed ? -12 : 0);
		assert_int_equal(rig_stats(sim).pinned_pages, err ? 0 : 2048);
		if (!err)
			break;
		rig_told(-12, "phyr_sim_pin");
		assert_int_equal(rig_report.addr, (uintptr_t)p);
		assert_int_equal(rig_report.len, 8 * MIB);
		phyr_list_fini(&list);
	}
	assert_true(t.fail_at > 3);
	rig_unpin(sim, &list);
	tenv_fini(&t);
	rig_unmap(p, 8 * MIB);
	phyr_sim_destroy(sim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(create),
		cmocka_unit_test(add_device),
		cmocka_unit_test(pin),
		cmocka_unit_test(pin_into_a_list_that_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
