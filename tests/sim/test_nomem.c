/* SPDX-License-Identifier: MIT */
/*
 * Running out of memory in the machine itself: the n-th allocation fails, for every n. And what the
 * page maps take: the machine's heap, from outside. The linker sends malloc, calloc, realloc,
 * aligned_alloc and free of what is tested through here.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/tenv.h"
#include "sim/rig.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t nr, size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_aligned_alloc(size_t align, size_t size);
void __real_free(void *p);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t nr, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_aligned_alloc(size_t align, size_t size);
void __wrap_free(void *p);

static unsigned calls, fail_at; /* 0: none */

/* What is allocated now. */
static struct live {
	int64_t blocks;
	int64_t bytes;
} live;

static bool is_nth(void)
{
	return ++calls == fail_at;
}

static void *born(void *p)
{
	live.blocks += p != NULL;
	live.bytes += (int64_t)malloc_usable_size(p);
	return p;
}

static void gone(void *p)
{
	live.blocks -= p != NULL;
	live.bytes -= (int64_t)malloc_usable_size(p);
}

void *__wrap_malloc(size_t size)
{
	return is_nth() ? NULL : born(__real_malloc(size));
}

void *__wrap_calloc(size_t nr, size_t size)
{
	return is_nth() ? NULL : born(__real_calloc(nr, size));
}

void *__wrap_realloc(void *p, size_t size)
{
	struct live was = live;
	void *more;

	if (is_nth())
		return NULL;
	gone(p);
	more = __real_realloc(p, size);
	if (!more)
		live = was;
	return born(more);
}

/* Pages of lists, where they are the heap's; these never fail. */
void *__wrap_aligned_alloc(size_t align, size_t size)
{
	return born(__real_aligned_alloc(align, size));
}

void __wrap_free(void *p)
{
	gone(p);
	__real_free(p);
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

#define GIB ((uint64_t)1 << 30)

/* Pages a GiB apart: as many as there is address space for. */
#define SPARSE (rig_sanitized ? 500u : 2000u)

/*
 * Such pages share nothing but the map's upper nodes: each has two nodes of its own, little over
 * 4 KiB each. Of frames they share a window of 64 MiB: 32 blocks' records, little over 6 KiB each.
 */
#define BOUND (8240 * SPARSE + 256 * 1024)

static void sparse_pin(struct phyr_sim *sim, char *p, struct phyr_list *list)
{
	phyr_list_init(list, NULL, phyr_sim_space(sim));
	for (unsigned i = 0; i < SPARSE; i++)
		assert_int_equal(phyr_sim_pin(sim, p + i * GIB, PAGE, list), 0);
	assert_int_equal(rig_stats(sim).pinned_pages, SPARSE);
}

/* What the machine says that its maps cost is what the heap gave it, and the heap gets it back. */
static void sparse_round(struct phyr_sim *sim, char *p, uint64_t *cost)
{
	struct live before = live;
	struct phyr_list list;
	uint64_t taken;

	sparse_pin(sim, p, &list);
	*cost = rig_stats(sim).map_bytes;
	taken = (uint64_t)(live.bytes - before.bytes);
	assert_in_range(*cost, 2 * PAGE * SPARSE, BOUND);
	/* The list's own pages may lie in the heap; a block of the heap may be a little longer. */
	assert_in_range(taken, *cost, *cost + *cost / 50);
	rig_unpin(sim, &list);
	assert_int_equal(rig_stats(sim).map_bytes, 0);
	assert_int_equal(live.blocks, before.blocks);
	assert_int_equal(live.bytes, before.bytes);
}

static void sparse_pins_are_bounded_and_given_back(void **state)
{
	for (unsigned scatter = PHYR_SIM_MIXED; scatter <= PHYR_SIM_LINEAR; scatter++) {
		struct phyr_sim *sim = rig_sim(.stepped = true, .seed = 11,
					       .scatter = (enum phyr_sim_scatter)scatter);
		char *p = rig_map(SPARSE * GIB);
		uint64_t cost = 0;

		for (unsigned round = 0; round < 3; round++)
			sparse_round(sim, p, &cost);
		printf("# scatter %u: %u pages 1 GiB apart cost %u bytes each\n", scatter, SPARSE,
		       (unsigned)(cost / SPARSE));
		rig_unmap(p, SPARSE * GIB);
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
		cmocka_unit_test(sparse_pins_are_bounded_and_given_back),
		cmocka_unit_test(pin_into_a_list_that_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
