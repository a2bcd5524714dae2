/* SPDX-License-Identifier: MIT */
/* Two queues of one controller in two threads, each with half of the disk; and resets meanwhile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

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

/*
 * The same while the controller is reset: by this thread, by faults that the workers find; and while a
 * third thread makes and destroys queues. What was cancelled is submitted again.
 */

#define RESETS 40

struct tough;

struct tough_part {
	struct tough *owner;
	unsigned index;
	unsigned ended; /* times, of this submission */
	bool flying, ok;
};

struct tough {
	struct worker w;
	struct tough_part parts[DEPTH];
	unsigned again;
	unsigned *stop;
};

static void tough_ended(void *arg, const struct phyr_nvme_done *done)
{
	struct tough_part *part = arg;
	struct tough *t = part->owner;

	t->w.wrong += part->ended++ != 0;
	t->w.wrong += done->err && done->err != -ECANCELED;
	t->again += done->err == -ECANCELED;
	part->flying = false;
	part->ok = !done->err;
}

static void tough_submit(struct tough_part *part, bool write)
{
	struct worker *w = &part->owner->w;
	uint64_t lba = w->first + part->index * (PART / 512);
	struct phyr_cursor cur;
	int err;

	w->wrong += phyr_dma_map_cursor(&w->mem.map, part->index * PART, PART, &cur) != 0;
	part->ended = 0;
	part->flying = true; /* its function may run before this returns */
	err = write ? phyr_nvme_write(w->queue, lba, &cur, tough_ended, part)
		    : phyr_nvme_read(w->queue, lba, &cur, tough_ended, part);
	if (err)
		part->flying = false;
	w->wrong += err && err != -EAGAIN;
}

static void tough_all(struct tough *t, bool write)
{
	bool all = false;

	for (unsigned i = 0; i < DEPTH; i++)
		t->parts[i].ok = false;
	while (!all && !t->w.wrong) {
		all = true;
		for (unsigned i = 0; i < DEPTH; i++) {
			struct tough_part *part = &t->parts[i];

			if (!part->ok && !part->flying)
				tough_submit(part, write);
			all &= part->ok;
		}
		if (!phyr_nvme_poll(t->w.queue))
			sched_yield();
	}
}

static void *tough_work(void *arg)
{
	struct tough *t = arg;
	struct worker *w = &t->w;

	while (!__atomic_load_n(t->stop, __ATOMIC_RELAXED) && !w->wrong) {
		uint64_t stamp = rnd_u64(&w->rnd);

		for (unsigned i = 0; i < DEPTH * PART; i += 512)
			memcpy(w->mem.cpu + i, &stamp, 8);
		tough_all(t, true);
		memset(w->mem.cpu, 0, DEPTH * PART);
		tough_all(t, false);
		for (unsigned i = 0; i < DEPTH * PART; i += 512)
			w->wrong += memcmp(w->mem.cpu + i, &stamp, 8) != 0;
	}
	poll_all(w->queue);
	return NULL;
}

struct maker {
	struct phyr_nvme *nvme;
	unsigned *stop;
	unsigned wrong, made;
	pthread_t thread;
};

static void *make_queues(void *arg)
{
	struct maker *m = arg;

	while (!__atomic_load_n(m->stop, __ATOMIC_RELAXED)) {
		struct phyr_nvme_queue *queue;
		int err = phyr_nvme_queue_create(m->nvme, 2, &queue);

		if (err) {
			m->wrong++;
			break;
		}
		err = phyr_nvme_flush_sync(queue);
		m->wrong += err && err != -ECANCELED;
		phyr_nvme_queue_destroy(queue);
		m->made++;
	}
	return NULL;
}

static void tough_init(struct tough *t, struct rig *rig, unsigned number, unsigned *stop)
{
	memset(t, 0, sizeof(*t));
	t->stop = stop;
	t->w.dev = rig->dev;
	t->w.rnd.s = number;
	t->w.first = number * DEPTH * PART / 512;
	mem_init(rig, &t->w.mem, DEPTH * PART, 0, PHYR_DMA_BIDIRECTIONAL);
	assert_int_equal(phyr_nvme_queue_create(rig->nvme, DEPTH, &t->w.queue), 0);
	for (unsigned i = 0; i < DEPTH; i++)
		t->parts[i] = (struct tough_part){.owner = t, .index = i};
}

/* Resets from here, and the device's own: a thread that polls finds those. */
static void reset_often(struct rig *rig)
{
	static const struct phyr_sim_nvme_fault fatal = {.kind = PHYR_SIM_NVME_FATAL,
							 .queue = PHYR_SIM_NVME_ANY_IO,
							 .opcode = PHYR_SIM_NVME_ANY,
							 .after = 50};
	unsigned char get[64] = {0x0a};

	get[40] = 0x07;
	for (unsigned i = 0; i < RESETS; i++) {
		int err;

		if (i % 4 == 3)
			assert_int_equal(phyr_sim_nvme_plan(rig->sdev, &fatal, 1), 0);
		else
			assert_int_equal(phyr_nvme_reset(rig->nvme), 0);
		err = phyr_nvme_submit_sync(phyr_nvme_admin_queue(rig->nvme), get, NULL, NULL);
		assert_true(!err || err == -ECANCELED);
		usleep(2000);
	}
}

static void resets_at_any_time(void **state)
{
	struct phyr_nvme_ctrl_stats stats;
	struct phyr_nvme_opts opts;
	struct tough t[THREADS];
	unsigned stop = 0;
	struct maker m;
	struct rig rig;

	rig_init(&rig, false);
	rig_disk(&rig, THREADS * DEPTH * PART, NULL, true);
	opts = rig_opts(&rig);
	opts.queues = THREADS + 1;
	rig_open(&rig, &opts);
	m = (struct maker){.nvme = rig.nvme, .stop = &stop};
	for (unsigned i = 0; i < THREADS; i++)
		tough_init(&t[i], &rig, i, &stop);
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&t[i].w.thread, NULL, tough_work, &t[i]), 0);
	assert_int_equal(pthread_create(&m.thread, NULL, make_queues, &m), 0);
	reset_often(&rig);
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	pthread_join(m.thread, NULL);
	assert_int_equal(m.wrong, 0);
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(t[i].w.thread, NULL);
		assert_int_equal(t[i].w.wrong, 0);
	}
	phyr_nvme_get_stats(rig.nvme, &stats);
	assert_int_equal(stats.dead, 0);
	assert_true(stats.resets >= RESETS / 4 * 3);
	print_message("%u resets, %u and %u commands again, %u queues\n", (unsigned)stats.resets,
		      t[0].again, t[1].again, m.made);
	for (unsigned i = 0; i < THREADS; i++) {
		mem_fini(&rig, &t[i].w.mem);
		phyr_nvme_queue_destroy(t[i].w.queue);
	}
	rig_fini(&rig);
}

/*
 * Resets without a pause leave room for whoever makes a queue, or submits to one.
 */

struct resetter {
	struct phyr_nvme *nvme;
	unsigned *stop;
	unsigned resets;
	int err;
	pthread_t thread;
};

static void *reset_always(void *arg)
{
	struct resetter *r = arg;

	for (; !r->err && !__atomic_load_n(r->stop, __ATOMIC_RELAXED); r->resets++)
		r->err = phyr_nvme_reset(r->nvme);
	return NULL;
}

/* Queues made, used, and used again after they lost the device. */
static void make_some(struct phyr_nvme *nvme, unsigned nr)
{
	for (unsigned i = 0; i < nr; i++) {
		struct phyr_nvme_queue *queue;

		assert_int_equal(phyr_nvme_queue_create(nvme, 4, &queue), 0);
		for (unsigned n = 0; n < 4; n++) {
			int err = phyr_nvme_flush_sync(queue);

			assert_true(!err || err == -ECANCELED);
		}
		phyr_nvme_queue_destroy(queue);
	}
}

static void resets_leave_room(void **state)
{
	struct resetter r[2];
	unsigned stop = 0;
	struct rig rig;

	rig_init(&rig, false);
	rig_disk(&rig, 1 << 20, NULL, true);
	rig_open(&rig, NULL);
	for (unsigned i = 0; i < 2; i++) {
		r[i] = (struct resetter){.nvme = rig.nvme, .stop = &stop};
		assert_int_equal(pthread_create(&r[i].thread, NULL, reset_always, &r[i]), 0);
	}
	make_some(rig.nvme, 50);
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < 2; i++) {
		pthread_join(r[i].thread, NULL);
		assert_int_equal(r[i].err, 0);
	}
	print_message("50 queues made between %u and %u resets\n", r[0].resets, r[1].resets);
	rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(queues_are_apart),
		cmocka_unit_test(resets_at_any_time),
		cmocka_unit_test(resets_leave_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
