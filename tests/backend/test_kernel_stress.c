/* SPDX-License-Identifier: MIT */
/*
 * Threads on one domain of a kernel backend, each in iova of its own: what one maps, no other sees go. Some
 * maps fail in the middle. Statistics are read meanwhile.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>

#include "backend/kernelrig.h"
#include "core/err.h"
#include "lib/rnd.h"
#include "lib/sanitized.h"

#define THREADS 4
#define RUNS    8

static struct krig r;
static int done;

struct worker {
	pthread_t thread;
	struct rnd rnd;
	unsigned id;
};

/* cmocka's assertions are for the first thread alone. */
static void must(bool cond)
{
	if (!cond)
		abort();
}

static int map(uint64_t iova, const struct phyr_range *ranges)
{
	struct phyr_cursor cur;

	must(!phyr_cursor_init_ranges(&cur, ranges, RUNS));
	return phyr_domain_map(r.domain, iova, phyr_space_user(), &cur, RW);
}

static void turn(struct worker *w, uint64_t iova)
{
	bool bad = !rnd_below(&w->rnd, 8);
	struct phyr_range ranges[RUNS];
	struct phyr_translation tr;
	struct phyr_gather gather;

	for (unsigned i = 0; i < RUNS; i++)
		ranges[i] = (struct phyr_range){MEMORY + 2 * (RUNS * w->id + i) * K, K};
	if (bad)
		ranges[1 + rnd_below(&w->rnd, RUNS - 1)].addr = fk.bad_start;
	must(map(iova, ranges) == (bad ? -EFAULT : 0));
	for (unsigned i = 0; i < RUNS; i++) {
		int err = phyr_domain_translate(r.domain, iova + i * K, &tr);

		must(err == (bad ? -ENOENT : 0));
		must(bad || tr.addr == ranges[i].addr);
	}
	phyr_gather_init(&gather);
	must(phyr_domain_unmap(r.domain, iova, RUNS * K, &gather) == (bad ? -EINVAL : 0));
}

/* Windows of all threads lie between each other's. */
static void *work(void *arg)
{
	struct worker *w = arg;
	unsigned turns = tests_sanitized ? 1000 : 5000;

	for (unsigned i = 0; i < turns; i++)
		turn(w, M + ((i % 16) * THREADS + w->id) * RUNS * K);
	__atomic_add_fetch(&done, 1, __ATOMIC_RELEASE);
	return NULL;
}

static void stress(void **state)
{
	struct worker workers[THREADS];
	struct rnd rnd = rnd_start("kernel_stress");
	int fd;

	krig_init(&r, *state);
	r.t.env.report = NULL; /* tenv's is for one thread */
	fk.bad_start = fk.bad_last = MEMORY + 1000 * K;
	done = 0;
	for (unsigned i = 0; i < THREADS; i++) {
		workers[i].id = i;
		workers[i].rnd.s = rnd_u64(&rnd);
		pthread_create(&workers[i].thread, NULL, work, &workers[i]);
	}
	while (__atomic_load_n(&done, __ATOMIC_ACQUIRE) < THREADS) {
		assert_true(krig_stats(&r).kernel_maps <= THREADS * RUNS);
		assert_int_equal(phyr_vfio_device_fd(r.iommu, DEV, &fd), 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(workers[i].thread, NULL);
	assert_int_equal(fk_nr_maps(), 0);
	assert_int_equal(krig_stats(&r).kernel_maps, 0);
	krig_fini(&r);
}

/* A domain of its own for each thread, and devices that come and go; two of them are of one group. */
static void *come_and_go(void *arg)
{
	static const uint32_t sources[THREADS] = {DEV, DEV2, TWIN, TWIN2};
	uint32_t source = sources[((struct worker *)arg)->id];
	struct phyr_domain *domain;
	struct phyr_cursor cur;

	must(!phyr_domain_create(r.iommu, &domain));
	for (unsigned i = 0; i < 300; i++) {
		int err = phyr_domain_attach(domain, source), fd;

		must(!err || (r.vfio && err == -EBUSY && source >= TWIN));
		if (err)
			continue;
		must(!phyr_vfio_device_fd(r.iommu, source, &fd));
		phyr_cursor_init_range(&cur, MEMORY, K);
		must(!phyr_domain_map(domain, M + i * K, phyr_space_user(), &cur, RW));
		phyr_domain_detach(domain, source);
	}
	phyr_domain_destroy(domain);
	return NULL;
}

static void domains(void **state)
{
	struct worker workers[THREADS];

	krig_init(&r, *state);
	r.t.env.report = NULL;
	phyr_domain_detach(r.domain, DEV);
	for (unsigned i = 0; i < THREADS; i++) {
		workers[i].id = i;
		pthread_create(&workers[i].thread, NULL, come_and_go, &workers[i]);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(workers[i].thread, NULL);
	assert_int_equal(fk_nr_maps(), 0);
	krig_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{"stress vfio", stress, NULL, NULL, (void *)1},
		{"stress iommufd", stress, NULL, NULL, NULL},
		{"domains vfio", domains, NULL, NULL, (void *)1},
		{"domains iommufd", domains, NULL, NULL, NULL},
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
