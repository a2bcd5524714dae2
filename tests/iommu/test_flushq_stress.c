/* SPDX-License-Identifier: MIT */
/*
 * Threads take iova, use it, and put it into one flush queue, beside others that poll and flush.
 *
 * Each page of iova is in one of three states. What is used may be in the hardware's cache, and stays there
 * when it is unmapped, until an invalidation that includes it. Who gets iova that is stale in the cache, or
 * is used by another, has got it too early.
 *
 *   FREE ──alloc──▶ USED ──unmap──▶ STALE ──invalidation──▶ FREE
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "core/order.h"
#include "iommu/domain.h"
#include "iommu/fake.h"
#include "lib/rnd.h"
#include "lib/tenv.h"
#include "pgtbl/gather.h"

#define PAGE    0x1000ull
#define PAGES   4096ull
#define THREADS 4
#define STEPS   60000
#define BYTES   (250 * PAGE)

enum { FREE, USED, STALE };

static struct tenv t;
static struct fake fake;
static struct phyr_iommu_ops ops;
static struct phyr_domain *domain;
static struct phyr_flushq *q;
static unsigned state_of[PAGES];
static unsigned wrong, syncs;
static bool enough; /* so little may wait that there is iova at any time */

struct thread {
	pthread_t id;
	struct rnd r;
};

static void expect(bool holds)
{
	if (!holds)
		atomic_count_add(&wrong, 1);
}

static void move(uint64_t iova, uint64_t pages, unsigned from, unsigned to)
{
	for (uint64_t i = iova / PAGE; i < iova / PAGE + pages; i++) {
		unsigned seen = from;

		expect(compare_exchange(&state_of[i], &seen, to));
	}
}

/* Meanwhile nothing is given back: so much waits at least. */
static void look_at_bytes(void)
{
	struct phyr_flushq_stats stats;

	phyr_flushq_get_stats(q, &stats);
	expect(!enough || stats.waiting_bytes <= BYTES);
}

/* It takes a while: what is put meanwhile may or may not be served. */
static void invalidate(void *ctx, struct phyr_gather *gather)
{
	uint64_t link = gather->tables;

	expect(gather->last / PAGE < PAGES);
	for (uint64_t i = gather->start / PAGE; i <= gather->last / PAGE; i++) {
		unsigned seen = STALE;

		compare_exchange(&state_of[i], &seen, FREE);
		if (i % 64 == 0)
			sched_yield();
	}
	while (link) {
		uint64_t *table = pgtbl_link_table(link);

		link = table[0];
		t.env.free_pages(&t.env, table, PAGE);
	}
	look_at_bytes();
	atomic_count_add(&syncs, 1);
	phyr_gather_init(gather);
}

static void add_table(struct phyr_gather *gather)
{
	uint64_t *table = t.env.alloc_pages(&t.env, PAGE);

	table[0] = gather->tables;
	gather->tables = pgtbl_link(table, 1);
}

static void use_and_put(struct rnd *r)
{
	uint64_t pages = 1 + rnd_below(r, 8), iova;
	struct phyr_gather gather;

	if (phyr_iova_alloc(phyr_domain_iova(domain), pages * PAGE, NULL, &iova)) {
		expect(!enough);
		phyr_flushq_flush(q);
		return;
	}
	move(iova, pages, FREE, USED);
	phyr_gather_init(&gather);
	gather.start = iova;
	gather.last = iova + pages * PAGE - 1;
	if (!rnd_below(r, 10))
		add_table(&gather);
	move(iova, pages, USED, STALE);
	phyr_flushq_put(q, iova, pages * PAGE, &gather);
}

/* Among others, what the caller has put just before is no more stale after a flush. */
static void put_and_flush(void)
{
	struct phyr_gather gather;
	uint64_t iova;

	if (phyr_iova_alloc(phyr_domain_iova(domain), PAGE, NULL, &iova))
		return;
	move(iova, 1, FREE, USED);
	phyr_gather_init(&gather);
	gather.start = iova;
	gather.last = iova + PAGE - 1;
	move(iova, 1, USED, STALE);
	phyr_flushq_put(q, 0, 0, &gather);
	phyr_flushq_flush(q);
	move(iova, 1, FREE, FREE);
	phyr_iova_free(phyr_domain_iova(domain), iova, PAGE);
}

static void *work(void *arg)
{
	struct thread *th = arg;
	struct phyr_flushq_stats stats;

	for (unsigned i = 0; i < STEPS; i++) {
		use_and_put(&th->r);
		if (!rnd_below(&th->r, 300))
			put_and_flush();
		if (!rnd_below(&th->r, 50))
			phyr_flushq_poll(q);
		if (!rnd_below(&th->r, 100)) {
			phyr_flushq_get_stats(q, &stats);
			expect(enough || stats.waiting <= 16 * (uint64_t)t.env.nr_slots);
		}
	}
	return NULL;
}

static void start(unsigned nr_slots, uint64_t max_age_ns, uint64_t max_bytes)
{
	const struct phyr_flushq_config config = {.size = sizeof(config),
						  .entries = max_bytes ? 4096 : 16,
						  .max_bytes = max_bytes,
						  .max_age_ns = max_age_ns};

	enough = max_bytes;
	memset(state_of, 0, sizeof(state_of));
	tenv_init(&t, NULL);
	if (nr_slots < t.env.nr_slots)
		t.env.nr_slots = nr_slots;
	fake_init(&fake, &t.env, true);
	ops = *fake.iommu.ops;
	ops.sync = invalidate;
	fake.iommu.ops = &ops;
	fake.aperture = (struct phyr_aperture){.last = PAGES * PAGE - 1, .page_sizes = PAGE};
	assert_int_equal(phyr_domain_create(&fake.iommu, &domain), 0);
	assert_int_equal(phyr_domain_attach(domain, 1), 0);
	assert_int_equal(phyr_flushq_create(domain, &config, &q), 0);
}

static void finish(void)
{
	struct phyr_iova_stats stats;

	phyr_flushq_destroy(q);
	phyr_iova_get_stats(phyr_domain_iova(domain), &stats);
	assert_int_equal(stats.live, 0);
	for (unsigned i = 0; i < PAGES; i++)
		assert_int_equal(state_of[i], FREE);
	phyr_domain_detach(domain, 1);
	phyr_domain_destroy(domain);
	tenv_fini(&t);
}

/* The hosted environment gives each thread a slot; with fewer, they share. */
static unsigned share_slots(struct phyr_env *env)
{
	return t.base->slot(t.base) % env->nr_slots;
}

static void run(const char *name, unsigned nr_slots, uint64_t max_age_ns, uint64_t max_bytes)
{
	struct rnd r = rnd_start(name);
	struct thread threads[THREADS];

	start(nr_slots, max_age_ns, max_bytes);
	t.env.slot = share_slots;
	wrong = syncs = 0;
	for (unsigned i = 0; i < THREADS; i++) {
		threads[i].r = (struct rnd){rnd_u64(&r)};
		assert_int_equal(pthread_create(&threads[i].id, NULL, work, &threads[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i].id, NULL);
	assert_int_equal(wrong, 0);
	assert_true(syncs > THREADS * STEPS / (max_bytes ? max_bytes / PAGE : 16 * 16));
	finish();
}

static void own_slots(void **state)
{
	run("iommu/flushq-stress own", UINT32_MAX, UINT64_MAX, 0);
}

static void shared_slots(void **state)
{
	run("iommu/flushq-stress shared", 2, 20000, 0);
}

static void one_slot(void **state)
{
	run("iommu/flushq-stress one", 1, 5000, 0);
}

/*
 * Nothing but the bytes makes it flush. What waits and what threads hold are 300 stretches at most,
 * so that of 4096 pages eight that lie together are free.
 */
static void bytes(void **state)
{
	run("iommu/flushq-stress bytes own", UINT32_MAX, UINT64_MAX, BYTES);
	run("iommu/flushq-stress bytes shared", 2, UINT64_MAX, BYTES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_slots),
		cmocka_unit_test(shared_slots),
		cmocka_unit_test(one_slot),
		cmocka_unit_test(bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
