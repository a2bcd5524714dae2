/* SPDX-License-Identifier: MIT */
/*
 * Threads of one domain allocate, map, look up, unmap and sync at once, each its own iova;
 * another one gives back tables meanwhile.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>

#include "backend/fakehw.h"
#include "core/order.h"
#include "lib/rnd.h"
#include "lib/tenv.h"

#define K       0x1000ull
#define THREADS 4
#define STEPS   20000

static struct tenv t;
static struct fakehw fake;
static struct phyr_domain *domain;
static unsigned wrong;
static uint64_t invalidations, trims;
static unsigned done;

struct thread {
	pthread_t id;
	struct rnd r;
};

/* Hardware whose calls may come from any thread. */
static void invalidate(struct phyr_soft_hw *hw, uint32_t id, uint64_t start, uint64_t last)
{
	atomic_count_add(&invalidations, 1);
}

static void expect(bool holds)
{
	if (!holds)
		atomic_count_add(&wrong, 1);
}

static void look_up(uint64_t iova, uint64_t phys, uint64_t len)
{
	struct phyr_translation tr = {0};

	for (uint64_t at = 0; at < len; at += K) {
		expect(phyr_domain_translate(domain, iova + at, &tr) == 0);
		expect(tr.addr == phys + at);
	}
}

static void one_step(struct rnd *r)
{
	uint64_t len = (1 + rnd_below(r, rnd_below(r, 50) ? 16 : 1200)) * K, iova;
	uint64_t phys = rnd_below(r, 1 << 20) * K;
	struct phyr_gather gather;
	struct phyr_cursor cur;

	expect(phyr_iova_alloc(phyr_domain_iova(domain), len, NULL, &iova) == 0);
	phyr_cursor_init_range(&cur, phys, len);
	expect(phyr_domain_map(domain, iova, NULL, &cur, PHYR_READ | PHYR_WRITE) == 0);
	expect(phyr_domain_sync_map(domain, iova, len) == 0);
	look_up(iova, phys, len);
	phyr_gather_init(&gather);
	expect(phyr_domain_unmap(domain, iova, len, &gather) == 0);
	phyr_domain_sync(domain, &gather);
	phyr_iova_free(phyr_domain_iova(domain), iova, len);
}

static void *work(void *arg)
{
	struct thread *th = arg;
	struct phyr_domain_stats stats;
	const struct phyr_fault fault = {.iova = 1};

	for (unsigned i = 0; i < STEPS; i++) {
		one_step(&th->r);
		if (i % 100)
			continue;
		phyr_domain_get_stats(domain, &stats);
		fake.devices[1].fault(fake.devices[1].arg, &fault);
	}
	return NULL;
}

/* Tables go under the others' feet, but for theirs. */
static void *trim(void *arg)
{
	while (!load_relaxed(&done)) {
		expect(phyr_domain_trim(domain) == 0);
		atomic_count_add(&trims, 1);
	}
	return NULL;
}

static void ignore(void *arg, const struct phyr_fault *fault)
{
}

static void threads_share_a_domain(void **state)
{
	struct rnd r = rnd_start("backend/stress");
	struct thread threads[THREADS];
	struct phyr_domain_stats stats;
	struct phyr_iommu *iommu;
	pthread_t trimmer;

	tenv_init(&t, NULL);
	fakehw_init(&fake);
	fake.info.oa_bits = 52;
	fake.hw.invalidate = invalidate;
	assert_int_equal(phyr_soft_create(&t.env, &fake.hw, NULL, &iommu), 0);
	assert_int_equal(phyr_domain_create(iommu, &domain), 0);
	phyr_domain_set_fault_handler(domain, ignore, NULL);
	assert_int_equal(phyr_domain_attach(domain, 1), 0);
	for (unsigned i = 0; i < THREADS; i++) {
		threads[i].r = (struct rnd){rnd_u64(&r)};
		assert_int_equal(pthread_create(&threads[i].id, NULL, work, &threads[i]), 0);
	}
	assert_int_equal(pthread_create(&trimmer, NULL, trim, NULL), 0);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i].id, NULL);
	store_relaxed(&done, 1);
	pthread_join(trimmer, NULL);
	assert_int_equal(wrong, 0);
	assert_true(trims > 0);
	assert_int_equal(phyr_domain_trim(domain), 0);
	phyr_domain_get_stats(domain, &stats);
	assert_int_equal(stats.maps, THREADS * STEPS);
	assert_int_equal(stats.unmaps, THREADS * STEPS);
	assert_int_equal(stats.map_syncs, THREADS * STEPS);
	assert_true(stats.invalidations >= THREADS * STEPS);
	assert_int_equal(stats.invalidations, invalidations);
	assert_int_equal(stats.faults, THREADS * STEPS / 100);
	assert_int_equal(stats.iova_bytes, 0);
	assert_int_equal(stats.tables, 1);
	phyr_domain_detach(domain, 1);
	phyr_domain_destroy(domain);
	phyr_iommu_destroy(iommu);
	tenv_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_share_a_domain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
