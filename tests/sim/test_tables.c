/* SPDX-License-Identifier: MIT */
/* The linear stretch: page memory of the machine's environment. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/rnd.h"
#include "sim/rig.h"

#define BLOCKS 400

static bool is_zero(const unsigned char *p, uint64_t len)
{
	return !p[0] && !memcmp(p, p + 1, len - 1);
}

static void blocks_are_aligned_zeroed_and_linear(void **state)
{
	struct phyr_sim *sim = rig_sim(.memory = MIB, .table_memory = 64 * MIB);
	struct phyr_env *env = phyr_sim_env(sim);

	for (uint64_t size = PAGE; size <= 32 * MIB; size *= 2) {
		unsigned char *p = env->alloc_pages(env, size);
		uint64_t phys = (uint64_t)(uintptr_t)p + env->phys_delta, len = size;

		assert_non_null(p);
		assert_int_equal((uintptr_t)p % size, 0);
		assert_int_equal(phys % size, 0);
		assert_true(is_zero(p, size));
		assert_int_equal(rig_stats(sim).table_pages, size / PAGE);
		assert_ptr_equal(phyr_sim_space(sim)->to_cpu(phyr_sim_space(sim), phys, &len), p);
		assert_int_equal(len, size);
		memset(p, 0xaa, size);
		env->free_pages(env, p, size);
	}
	assert_int_equal(rig_stats(sim).table_pages, 0);
	phyr_sim_destroy(sim);
}

static void sizes_that_are_none_give_nothing(void **state)
{
	struct phyr_sim *sim = rig_sim(.memory = MIB, .table_memory = MIB);
	struct phyr_env *env = phyr_sim_env(sim);

	assert_null(env->alloc_pages(env, 0));
	assert_null(env->alloc_pages(env, 100));
	assert_null(env->alloc_pages(env, 3 * PAGE));
	assert_null(env->alloc_pages(env, 2 * MIB));
	assert_null(env->alloc_pages(env, (size_t)1 << 40));
	env->free_pages(env, NULL, PAGE);
	assert_int_equal(rig_stats(sim).table_pages, 0);
	phyr_sim_destroy(sim);
}

/* Every page can be given out; afterwards the largest block is whole again. */
static void all_of_it_can_be_used(void **state)
{
	struct phyr_sim *sim = rig_sim(.memory = MIB, .table_memory = 1027 * PAGE);
	struct phyr_env *env = phyr_sim_env(sim);
	void *page[1027], *big;

	for (unsigned i = 0; i < 1027; i++)
		assert_non_null(page[i] = env->alloc_pages(env, PAGE));
	assert_null(env->alloc_pages(env, PAGE));
	for (unsigned i = 0; i < 1027; i++)
		env->free_pages(env, page[i * 7 % 1027], PAGE);
	assert_non_null(big = env->alloc_pages(env, 1024 * PAGE));
	assert_non_null(page[0] = env->alloc_pages(env, 2 * PAGE));
	assert_non_null(page[1] = env->alloc_pages(env, PAGE));
	assert_null(env->alloc_pages(env, PAGE));
	env->free_pages(env, big, 1024 * PAGE);
	env->free_pages(env, page[0], 2 * PAGE);
	env->free_pages(env, page[1], PAGE);
	phyr_sim_destroy(sim);
}

static unsigned resident(const void *p, uint64_t len)
{
	unsigned char in[1024];
	unsigned n = 0;

	assert_true(len / PAGE <= sizeof(in));
	assert_int_equal(mincore((void *)(uintptr_t)p, len, in), 0);
	for (uint64_t i = 0; i < len / PAGE; i++)
		n += in[i] & 1;
	return n;
}

static void freed_memory_goes_back_to_the_kernel(void **state)
{
	struct phyr_sim *sim = rig_sim(.memory = MIB, .table_memory = 8 * MIB);
	struct phyr_env *env = phyr_sim_env(sim);
	char *p = env->alloc_pages(env, 4 * MIB), *page[512];

	memset(p, 1, 4 * MIB);
	assert_int_equal(resident(p, 4 * MIB), 1024);
	env->free_pages(env, p, 4 * MIB);
	assert_int_equal(resident(p, 4 * MIB), 0);

	for (unsigned i = 0; i < 512; i++)
		memset(page[i] = env->alloc_pages(env, PAGE), 1, PAGE);
	for (unsigned i = 0; i < 512; i++)
		env->free_pages(env, page[i], PAGE);
	assert_int_equal(resident(page[0], 2 * MIB), 0);
	phyr_sim_destroy(sim);
}

static void other_members_are_as_hosted(void **state)
{
	struct phyr_sim *sim =
		rig_create(&(struct phyr_sim_config){.size = sizeof(struct phyr_sim_config)});
	struct phyr_env *env = phyr_sim_env(sim);
	struct phyr_lock lock;
	char *obj = env->alloc(env, 100);

	assert_true(is_zero((unsigned char *)obj, 100));
	env->free(env, obj, 100);
	assert_int_equal(env->lock_init(env, &lock), 0);
	env->lock(env, &lock);
	env->unlock(env, &lock);
	env->lock_fini(env, &lock);
	assert_true(env->slot(env) < env->nr_slots);
	assert_true(env->now_ns(env) > 0);
	assert_null(env->flush_lines);
	phyr_sim_destroy(sim);
}

struct block {
	unsigned char *p;
	size_t size;
	unsigned char mark;
};

/* Blocks never overlap: each keeps its mark, and starts as zero. */
static void random_blocks_do_not_overlap(void **state)
{
	struct rnd r = rnd_start("random_blocks_do_not_overlap");
	struct phyr_sim *sim = rig_sim(.memory = MIB, .table_memory = 16 * MIB + 5 * PAGE);
	struct phyr_env *env = phyr_sim_env(sim);
	struct block blocks[BLOCKS] = {{0}};
	uint64_t live = 0;

	for (unsigned step = 0; step < 6000; step++) {
		struct block *b = &blocks[rnd_below(&r, BLOCKS)];

		if (b->p) {
			assert_int_equal(b->p[0], b->mark);
			assert_true(!memcmp(b->p, b->p + 1, b->size - 1));
			env->free_pages(env, b->p, b->size);
			live -= b->size / PAGE;
			b->p = NULL;
			continue;
		}
		b->size = PAGE << rnd_below(&r, rnd_below(&r, 9) + 1);
		b->mark = (unsigned char)rnd_u64(&r);
		b->p = env->alloc_pages(env, b->size);
		if (!b->p)
			continue;
		assert_true(is_zero(b->p, b->size));
		memset(b->p, b->mark, b->size);
		live += b->size / PAGE;
		assert_int_equal(rig_stats(sim).table_pages, live);
	}
	for (unsigned i = 0; i < BLOCKS; i++)
		env->free_pages(env, blocks[i].p, blocks[i].size);
	assert_int_equal(rig_stats(sim).table_pages, 0);
	phyr_sim_destroy(sim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_are_aligned_zeroed_and_linear),
		cmocka_unit_test(sizes_that_are_none_give_nothing),
		cmocka_unit_test(all_of_it_can_be_used),
		cmocka_unit_test(freed_memory_goes_back_to_the_kernel),
		cmocka_unit_test(other_members_are_as_hosted),
		cmocka_unit_test(random_blocks_do_not_overlap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
