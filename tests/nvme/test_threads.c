/* SPDX-License-Identifier: MIT */
/* Two queues of one controller in two threads, each with half of the disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <string.h>

#include "lib/rnd.h"
#include "nvme/rig.h"

#define THREADS 2
#define DEPTH   8
#define ROUNDS  400
#define PART    UINT64_C(32768)

struct worker {
	struct phyr_dev *dev;
	struct phyr_nvme_queue *queue;
	struct mem mem; /* DEPTH parts */
	uint64_t first; /* block */
	struct rnd rnd;
	unsigned wrong;
	pthread_t thread;
};

static void part_ended(void *arg, const struct phyr_nvme_done *done)
{
	struct worker *w = arg;

	w->wrong += done->err != 0;
}

static void all_parts(struct worker *w, int (*submit)(struct phyr_nvme_queue *, uint64_t,
						      struct phyr_cursor *, phyr_nvme_fn *, void *))
{
	for (unsigned i = 0; i < DEPTH; i++) {
		struct phyr_cursor cur;

		if (phyr_dma_map_cursor(&w->mem.map, i * PART, PART, &cur) ||
		    submit(w->queue, w->first + i * (PART / 512), &cur, part_ended, w))
			w->wrong++;
	}
	poll_all(w->queue);
}

static void *work(void *arg)
{
	struct worker *w = arg;

	for (unsigned round = 0; round < ROUNDS; round++) {
		uint64_t stamp = rnd_u64(&w->rnd);

		for (unsigned i = 0; i < DEPTH * PART; i += 512)
			memcpy(w->mem.cpu + i, &stamp, 8);
		all_parts(w, phyr_nvme_write);
		memset(w->mem.cpu, 0, DEPTH * PART);
		all_parts(w, phyr_nvme_read);
		for (unsigned i = 0; i < DEPTH * PART; i += 512)
			w->wrong += memcmp(w->mem.cpu + i, &stamp, 8) != 0;
		/* Mapping and unmapping run at once with the other thread's. */
		phyr_dma_unmap(w->dev, &w->mem.map);
		w->wrong += phyr_dma_map(w->dev, &w->mem.list, PHYR_DMA_BIDIRECTIONAL, 0,
					 &w->mem.map) != 0;
	}
	return NULL;
}

static void queues_are_apart(void **state)
{
	struct rnd rnd = rnd_start("nvme/threads");
	struct phyr_nvme_opts opts;
	struct worker workers[THREADS];
	struct rig rig;

	rig_init(&rig, false);
	rig_disk(&rig, THREADS * DEPTH * PART, NULL, true);
	opts = rig_opts(&rig);
	opts.queues = THREADS;
	rig_open(&rig, &opts);
	memset(workers, 0, sizeof(workers));
	for (unsigned i = 0; i < THREADS; i++) {
		struct worker *w = &workers[i];

		w->dev = rig.dev;
		w->rnd.s = rnd_u64(&rnd);
		w->first = i * DEPTH * PART / 512;
		mem_init(&rig, &w->mem, DEPTH * PART, 0, PHYR_DMA_BIDIRECTIONAL);
		assert_int_equal(phyr_nvme_queue_create(rig.nvme, DEPTH, &w->queue), 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		assert_int_equal(workers[i].wrong, 0);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		mem_fini(&rig, &workers[i].mem);
		phyr_nvme_queue_destroy(workers[i].queue);
	}
	rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(queues_are_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
