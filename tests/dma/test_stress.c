/* SPDX-License-Identifier: MIT */
/* Threads that map and unmap for one device at once, in all ways; run under TSan too. */
#include "rig.h"

#include <pthread.h>
#include <string.h>

#include "lib/rnd.h"

#define THREADS 4
#define ROUNDS  10000
#define PAGES   40
#define BLOCKS  16

struct worker {
	pthread_t thread;
	struct rig *rig;
	struct phyr_dma_pool *pool;
	struct phyr_list list;
	struct rnd rnd;
	uint64_t base;   /* of its memory: no other thread's */
	uint64_t wrong;  /* what was seen and should not have been */
	uint64_t mapped; /* lists mapped */
};

static void expect(struct worker *w, bool good)
{
	w->wrong += !good;
}

static void one_call(struct worker *w)
{
	struct phyr_dma_map m;
	struct phyr_range run;
	struct phyr_cursor cur;

	expect(w, !phyr_dma_map(w->rig->dev, &w->list, PHYR_DMA_BIDIRECTIONAL, 0, &m));
	expect(w, phyr_dma_map_list(&m)->len == w->list.len);
	phyr_cursor_init(&cur, phyr_dma_map_list(&m));
	expect(w, phyr_cursor_next(&cur, &run));
	expect(w, rig_walk(w->rig, run.addr) == w->base);
	phyr_dma_unmap(w->rig->dev, &m);
	w->mapped++;
}

static void two_steps(struct worker *w)
{
	struct phyr_dma_iova_state s;

	if (!phyr_dma_iova_try_alloc(w->rig->dev, &s, w->base, 3 * K4))
		return;
	for (unsigned i = 0; i < 3; i++)
		expect(w, !phyr_dma_iova_link(w->rig->dev, &s, NULL, w->base + i * 5 * K4, i * K4,
					      K4, PHYR_DMA_TO_DEVICE, 0));
	expect(w, !phyr_dma_iova_sync(w->rig->dev, &s, 0, 3 * K4));
	expect(w, rig_walk(w->rig, s.addr + 2 * K4) == w->base + 10 * K4);
	expect(w, !phyr_dma_iova_unlink(w->rig->dev, &s, K4, K4, PHYR_DMA_TO_DEVICE, 0));
	expect(w, rig_walk(w->rig, s.addr + K4) == UINT64_MAX);
	expect(w, !phyr_dma_iova_unlink(w->rig->dev, &s, 0, K4, PHYR_DMA_TO_DEVICE, 0));
	expect(w, !phyr_dma_iova_unlink(w->rig->dev, &s, 2 * K4, K4, PHYR_DMA_TO_DEVICE, 0));
	phyr_dma_iova_free(w->rig->dev, &s);
}

static void one_range(struct worker *w)
{
	uint64_t size = rnd_log(&w->rnd, 1, 4 * M2), dma;

	expect(w, !phyr_dma_map_phys(w->rig->dev, NULL, w->base + 5, size, PHYR_DMA_TO_DEVICE, 0,
				     &dma));
	expect(w, rig_walk(w->rig, dma + size - 1) == w->base + 5 + size - 1);
	phyr_dma_unmap_phys(w->rig->dev, dma, size, PHYR_DMA_TO_DEVICE, 0);
}

/* Nobody else writes to a block while it is out. */
static void blocks(struct worker *w)
{
	struct {
		uint64_t *cpu;
		uint64_t dma;
	} b[BLOCKS];

	for (unsigned i = 0; i < BLOCKS; i++) {
		b[i].cpu = phyr_dma_pool_alloc(w->pool, &b[i].dma);
		expect(w, b[i].cpu != NULL);
		for (unsigned q = 0; q < 8; q++)
			b[i].cpu[q] = w->base + i;
	}
	for (unsigned i = 0; i < BLOCKS; i++) {
		for (unsigned q = 0; q < 8; q++)
			expect(w, b[i].cpu[q] == w->base + i);
		phyr_dma_pool_free(w->pool, b[i].cpu, b[i].dma);
	}
}

static void *work(void *arg)
{
	struct worker *w = arg;

	for (unsigned i = 0; i < ROUNDS; i++) {
		switch (rnd_below(&w->rnd, 4)) {
		case 0:
			one_call(w);
			break;
		case 1:
			two_steps(w);
			break;
		case 2:
			one_range(w);
			break;
		default:
			blocks(w);
		}
	}
	return NULL;
}

static void start(struct worker *w, struct rig *r, struct phyr_dma_pool *pool, unsigned i,
		  uint64_t seed)
{
	*w = (struct worker){.rig = r, .pool = pool, .rnd = {seed + i}, .base = (i + 1) * G1};
	phyr_list_init(&w->list, &r->t.env, NULL);
	for (uint64_t p = 0; p < PAGES; p++)
		assert_int_equal(phyr_list_append_page(&w->list, w->base + 3 * p * K4), 0);
	assert_int_equal(pthread_create(&w->thread, NULL, work, w), 0);
}

static void stress(const struct rig_config *config, const char *name)
{
	struct rnd rnd = rnd_start(name);
	static struct worker workers[THREADS];
	struct phyr_dev_stats stats;
	struct phyr_dma_pool *pool;
	uint64_t mapped = 0;
	struct rig r;

	rig_init(&r, config);
	assert_int_equal(phyr_dma_pool_create(r.dev, 64, 64, &pool), 0);
	for (unsigned i = 0; i < THREADS; i++)
		start(&workers[i], &r, pool, i, rnd_u64(&rnd));
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		assert_int_equal(workers[i].wrong, 0);
		mapped += workers[i].mapped;
		phyr_list_fini(&workers[i].list);
	}
	phyr_dev_get_stats(r.dev, &stats);
	assert_int_equal(stats.how[PHYR_DMA_SAME] + stats.how[PHYR_DMA_WINDOW] +
				 stats.how[PHYR_DMA_RANGES],
			 mapped);
	phyr_dma_pool_destroy(pool);
	assert_int_equal(r.t.reports, 0);
	rig_fini(&r);
}

static void vtdss(void **state)
{
	stress(&(struct rig_config){.format = PHYR_PGTBL_VTDSS}, "dma/stress vtdss");
}

static void x86(void **state)
{
	stress(&(struct rig_config){.format = PHYR_PGTBL_X86_64}, "dma/stress x86_64");
}

static void direct(void **state)
{
	stress(&(struct rig_config){0}, "dma/stress direct");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vtdss),
		cmocka_unit_test(x86),
		cmocka_unit_test(direct),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
