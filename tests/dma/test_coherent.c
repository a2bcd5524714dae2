/* SPDX-License-Identifier: MIT */
/* Shared memory and pools of it. */
#include "rig.h"

#include <stdlib.h>
#include <string.h>

static const struct rig_config *const places[] = {&rig_direct, &rig_vtdss, &rig_large};

/* Where the device would find a byte of shared memory; the rig's physical addresses are CPU ones. */
static void *device_view(struct rig *r, uint64_t dma)
{
	return (void *)(uintptr_t)(rig_walk(r, dma) - phyr_dev_limits(r->dev)->bus_offset);
}

static void shared_memory(void **state)
{
	static const uint64_t sizes[] = {1, 4096, 4097, 65536, 100000, 3 << 20};

	for (unsigned p = 0; p < 3; p++) {
		struct rig r;

		rig_init(&r, places[p]);
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			uint64_t dma = 1, block = 4096;
			char *cpu = phyr_dma_alloc(r.dev, sizes[i], &dma);

			while (block < sizes[i])
				block *= 2;
			assert_non_null(cpu);
			assert_int_equal((uintptr_t)cpu & (block - 1), 0);
			assert_int_equal(dma & (block - 1), 0);
			for (uint64_t b = 0; b < sizes[i]; b++)
				assert_int_equal(cpu[b], 0);
			assert_ptr_equal(device_view(&r, dma), cpu);
			assert_ptr_equal(device_view(&r, dma + sizes[i] - 1), cpu + sizes[i] - 1);
			if (p)
				assert_int_equal(rig_prot(&r, dma), PHYR_READ | PHYR_WRITE);
			phyr_dma_free(r.dev, sizes[i], cpu, dma);
			assert_true(rig_idle(&r));
			assert_int_equal(r.t.live_pages <= r.pages + 8, true); /* tables may stay */
		}
		phyr_dma_free(r.dev, 4096, NULL, 0);
		rig_fini(&r);
	}
}

static void shared_memory_fails(void **state)
{
	struct rig_config low = {.limits = RIG_LIMITS(.dma_mask = 0xffff)};
	struct rig_config few = {.format = PHYR_PGTBL_VTDSS,
				 .limits = RIG_LIMITS(.dma_mask = 0x1fff)};
	uint64_t dma = 0x77, ok;
	struct rig r;
	void *cpu;

	rig_init(&r, &rig_vtdss);
	assert_null(phyr_dma_alloc(r.dev, 0, &dma));
	assert_report(&r, -EINVAL, "phyr_dma_alloc", 0, 0);
	assert_null(phyr_dma_alloc(r.dev, UINT64_MAX, &dma));
	assert_report(&r, -EINVAL, "phyr_dma_alloc", 0, UINT64_MAX);
	tenv_restart(&r.t);
	r.t.fail_at = 1;
	assert_null(phyr_dma_alloc(r.dev, 4096, &dma));
	r.t.fail_at = 0;
	assert_report(&r, -ENOMEM, "phyr_dma_alloc", 0, 4096);
	rig_fini(&r);

	rig_init(&r, &low);
	assert_null(phyr_dma_alloc(r.dev, 4096, &dma));
	assert_int_equal(r.t.last.limit, 0xffff);
	assert_report(&r, -EOPNOTSUPP, "phyr_dma_alloc", r.t.last.addr, 4096);
	assert_int_equal(r.t.live_pages, r.pages);
	rig_fini(&r);

	rig_init(&r, &few);
	cpu = phyr_dma_alloc(r.dev, 4096, &ok);
	assert_non_null(cpu);
	assert_null(phyr_dma_alloc(r.dev, 4096, &dma));
	assert_int_equal(r.t.last.limit, 0x1fff);
	assert_report(&r, -ENOSPC, "phyr_dma_alloc", r.t.last.addr, 4096);
	assert_int_equal(dma, 0x77);
	phyr_dma_free(r.dev, 4096, cpu, ok);
	rig_fini(&r);
}

/* A domain that takes other memory than the device's own has no use for it. */
static void shared_memory_where_no_ram_is_taken(void **state)
{
	struct phyr_iommu_caps caps;
	struct phyr_dma_pool *pool;
	uint64_t dma = 0x77;
	struct rig r;

	rig_init_domain(&r, &rig_vtdss);
	caps = *r.iommu->caps;
	caps.kinds = 1u << PHYR_KIND_USER;
	r.iommu->caps = &caps;
	assert_int_equal(phyr_dev_create(r.domain, 0x100, NULL, &r.dev), 0);
	assert_null(phyr_dma_alloc(r.dev, 5000, &dma));
	assert_report(&r, -EOPNOTSUPP, "phyr_dma_alloc", 0, 5000);
	assert_int_equal(phyr_dma_pool_create(r.dev, 64, 0, &pool), 0);
	assert_null(phyr_dma_pool_alloc(pool, &dma));
	assert_report(&r, -EOPNOTSUPP, "phyr_dma_alloc", 0, 16384);
	assert_int_equal(dma, 0x77);
	phyr_dma_pool_destroy(pool);
	rig_fini(&r);
}

/* A wrong size frees nothing: the device would reach memory that is somebody else's by then. */
static void free_of_what_is_not(void **state)
{
	struct rig r;
	uint64_t dma;
	void *cpu;

	rig_init(&r, &rig_vtdss);
	cpu = phyr_dma_alloc(r.dev, 16384, &dma);
	assert_non_null(cpu);
	tenv_restart(&r.t);
	phyr_dma_free(r.dev, 4096, cpu, dma);
	assert_int_equal(r.t.last.iova, dma);
	assert_report(&r, -EINVAL, "phyr_dma_free", 0, 4096);
	phyr_dma_free(r.dev, UINT64_MAX, cpu, dma);
	assert_int_equal(r.t.last.iova, dma);
	assert_report(&r, -EINVAL, "phyr_dma_free", 0, UINT64_MAX);
	assert_ptr_equal(device_view(&r, dma), cpu);
	phyr_dma_free(r.dev, 16384, cpu, dma);
	rig_fini(&r);
}

struct block {
	char *cpu;
	uint64_t dma;
};

static int by_cpu(const void *a, const void *b)
{
	const struct block *x = a, *y = b;

	return x->cpu < y->cpu ? -1 : x->cpu > y->cpu;
}

/* Take many blocks: aligned, apart, within a page, and the device sees the same memory. */
static void pool_of(struct rig *r, uint64_t size, uint64_t align)
{
	static struct block blocks[500];
	struct phyr_dma_pool *pool;
	const size_t nr = size > 100000 ? 5 : 500;

	assert_int_equal(phyr_dma_pool_create(r->dev, size, align, &pool), 0);
	for (size_t i = 0; i < nr; i++) {
		struct block *b = &blocks[i];

		b->cpu = phyr_dma_pool_alloc(pool, &b->dma);
		assert_non_null(b->cpu);
		assert_int_equal((uintptr_t)b->cpu % (align ? align : 8), 0);
		assert_int_equal(b->dma % (align ? align : 8), 0);
		if (size <= 4096)
			assert_int_equal((uintptr_t)b->cpu / 4096,
					 ((uintptr_t)b->cpu + size - 1) / 4096);
		assert_ptr_equal(device_view(r, b->dma), b->cpu);
		assert_ptr_equal(device_view(r, b->dma + size - 1), b->cpu + size - 1);
		memset(b->cpu, 0xff, size); /* a device can write anything, also after the free */
	}
	qsort(blocks, nr, sizeof(blocks[0]), by_cpu);
	for (size_t i = 1; i < nr; i++)
		assert_true(blocks[i - 1].cpu + size <= blocks[i].cpu);
	for (size_t i = 0; i < nr; i++) {
		memset(blocks[i].cpu, 0xee, size);
		phyr_dma_pool_free(pool, blocks[i].cpu, blocks[i].dma);
		memset(blocks[i].cpu, 0xdd, size);
	}
	tenv_restart(&r->t);
	for (size_t i = 0; i < nr; i++) {
		blocks[i].cpu = phyr_dma_pool_alloc(pool, &blocks[i].dma);
		assert_ptr_equal(device_view(r, blocks[i].dma), blocks[i].cpu);
	}
	assert_int_equal(r->t.allocs, 0);
	for (size_t i = 0; i < nr; i++)
		phyr_dma_pool_free(pool, blocks[i].cpu, blocks[i].dma);
	assert_int_equal(r->t.reports, 0);
	phyr_dma_pool_destroy(pool);
	assert_true(rig_idle(r));
}

static void pools(void **state)
{
	static const struct {
		uint64_t size, align;
	} kinds[] = {{1, 0},
		     {1, 1},
		     {8, 8},
		     {24, 0},
		     {64, 64},
		     {100, 128},
		     {2048, 256},
		     {3000, 0},
		     {4096, 4096},
		     {4097, 0},
		     {10000, 4096},
		     {65536, 65536},
		     {1 << 20, 1 << 20}};

	for (unsigned p = 0; p < 3; p++) {
		struct rig r;

		rig_init(&r, places[p]);
		for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
			pool_of(&r, kinds[i].size, kinds[i].align);
		rig_fini(&r);
	}
}

static void pools_that_cannot_be(void **state)
{
	static const struct {
		uint64_t size, align;
	} bad[] = {{0, 0}, {64, 3}, {64, 128}, {100, 256}, {UINT64_MAX, 0}, {0, 8}};
	struct phyr_dma_pool *pool = (void *)8;
	struct rig r;

	rig_init(&r, &rig_direct);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(phyr_dma_pool_create(r.dev, bad[i].size, bad[i].align, &pool),
				 -EINVAL);
		assert_int_equal(r.t.last.limit, bad[i].align);
		assert_report(&r, -EINVAL, "phyr_dma_pool_create", 0, bad[i].size);
		assert_ptr_equal(pool, (void *)8);
	}
	phyr_dma_pool_destroy(NULL);
	rig_fini(&r);
}

/* A block that comes back first goes out first, whatever order they went out in. */
static void pool_order(void **state)
{
	struct phyr_dma_pool *pool;
	uint64_t a, b, again;
	void *cpu_a, *cpu_b;
	struct rig r;

	rig_init(&r, &rig_direct);
	assert_int_equal(phyr_dma_pool_create(r.dev, 64, 0, &pool), 0);
	cpu_a = phyr_dma_pool_alloc(pool, &a);
	cpu_b = phyr_dma_pool_alloc(pool, &b);
	phyr_dma_pool_free(pool, cpu_a, a); /* b is still out */
	assert_ptr_equal(phyr_dma_pool_alloc(pool, &again), cpu_a);
	assert_int_equal(again, a);
	phyr_dma_pool_free(pool, cpu_b, b);
	phyr_dma_pool_free(pool, cpu_a, a);
	phyr_dma_pool_destroy(pool);
	rig_fini(&r);
}

/* Blocks given back twice, or not at all. */
static void pool_mistakes(void **state)
{
	struct phyr_dma_pool *pool;
	uint64_t dma, dma2;
	struct rig r;
	void *cpu;

	rig_init(&r, &rig_vtdss);
	assert_int_equal(phyr_dma_pool_create(r.dev, 64, 0, &pool), 0);
	cpu = phyr_dma_pool_alloc(pool, &dma);
	phyr_dma_pool_free(pool, cpu, dma);
	assert_int_equal(r.t.reports, 0);
	phyr_dma_pool_free(pool, cpu, dma);
	assert_int_equal(r.t.last.iova, dma);
	assert_report(&r, -EINVAL, "phyr_dma_pool_free", 0, 64);
	phyr_dma_pool_free(pool, NULL, 0);
	assert_non_null(phyr_dma_pool_alloc(pool, &dma));
	assert_non_null(phyr_dma_pool_alloc(pool, &dma2));
	assert_int_not_equal(dma, dma2);
	phyr_dma_pool_destroy(pool);
	assert_report(&r, -EBUSY, "phyr_dma_pool_destroy", 0, 64);
	rig_fini(&r);
}

/* Where bus addresses are less aligned than the blocks must be, none is given out. */
static void pool_behind_an_odd_offset(void **state)
{
	struct rig_config c = {.limits = RIG_LIMITS(.bus_offset = 0x1000)};
	struct phyr_dma_pool *pool;
	uint64_t dma = 0x77;
	struct rig r;

	rig_init(&r, &c);
	assert_int_equal(phyr_dma_pool_create(r.dev, 65536, 65536, &pool), 0);
	assert_null(phyr_dma_pool_alloc(pool, &dma));
	assert_int_equal(r.t.last.limit, 65536);
	assert_report(&r, -EOPNOTSUPP, "phyr_dma_pool_alloc", 0, 65536);
	assert_int_equal(dma, 0x77);
	phyr_dma_pool_destroy(pool);
	pool_of(&r, 4096, 4096);
	rig_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shared_memory),
		cmocka_unit_test(shared_memory_fails),
		cmocka_unit_test(shared_memory_where_no_ram_is_taken),
		cmocka_unit_test(free_of_what_is_not),
		cmocka_unit_test(pools),
		cmocka_unit_test(pools_that_cannot_be),
		cmocka_unit_test(pool_order),
		cmocka_unit_test(pool_mistakes),
		cmocka_unit_test(pool_behind_an_odd_offset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
