/* SPDX-License-Identifier: MIT */
/*
 * A workload, and a reset or a fault of the controller at each point of it in turn.
 *
 * Beside the file there is a model: what each block may hold. A write that ended well leaves one value;
 * one that ended otherwise leaves the old ones or its own, until a read says which, and from then on it
 * is that one: a command that was told of its end must not be carried out afterwards. Commands that are
 * in flight together never meet on a block, so there is never a third value.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/rnd.h"
#include "lib/sanitized.h"
#include "nvme/rig.h"

#define BLOCKS     128
#define BLOCK      512
#define MAYBE      6
#define REQUESTS   12
#define LONGEST    12 /* blocks of a command */
#define OPS        500
#define PATIENCE   200000 /* polls that recovery may take */
#define TIMEOUT_NS UINT64_C(40000000)
#define NEVER      UINT64_MAX

enum kind { NOTHING, RESET, FATAL, DROP, DELAY, STUCK, REORDER, STATUS, GONE, UNPLUG, MIX };

struct block {
	uint64_t maybe[MAYBE]; /* values that it may hold; 0: zeroes */
	unsigned nr;
	bool busy;        /* a command in flight writes it */
	unsigned readers; /* or so many read it */
};

struct work;
struct request {
	struct work *work;
	enum { READ, WRITE, ZEROES, FLUSH } what;
	unsigned start, nr; /* blocks */
	uint64_t value;
	bool live;
};

struct work {
	struct rig rig;
	struct rnd rnd;
	struct phyr_nvme_queue *queues[2];
	unsigned nr_queues;
	struct block blocks[BLOCKS];
	struct request reqs[REQUESTS];
	struct mem mem; /* a piece a request */
	uint64_t value; /* the last that was given out */
	uint64_t steps; /* of the machine, since the workload began */
	uint64_t reset_at, unplug_at;
	bool may_fail, may_die, gone;
	uint64_t taken, ended, well;
};

/*
 * Blocks.
 */

static void fill(unsigned char *at, unsigned block, uint64_t value)
{
	uint64_t word = value ? value << 16 | block : 0;

	for (unsigned i = 0; i < BLOCK; i += 8)
		memcpy(at + i, &word, 8);
}

/* The value of a block's bytes; they must be of one. */
static uint64_t value_of(const unsigned char *at, unsigned block)
{
	unsigned char whole[BLOCK];
	uint64_t word;

	memcpy(&word, at, 8);
	fill(whole, block, word >> 16);
	assert_memory_equal(at, whole, BLOCK);
	return word >> 16;
}

static bool may_hold(const struct block *b, uint64_t value)
{
	for (unsigned i = 0; i < b->nr; i++)
		if (b->maybe[i] == value)
			return true;
	return false;
}

/* What was read is one of what may be, and nothing else from now on. */
static void saw(struct block *b, uint64_t value)
{
	assert_true(may_hold(b, value));
	b->maybe[0] = value;
	b->nr = 1;
}

static void wrote(struct block *b, uint64_t value, bool well)
{
	if (well)
		b->nr = 0;
	if (!may_hold(b, value))
		b->maybe[b->nr++] = value;
}

/*
 * Commands.
 */

static unsigned char *data_of(const struct request *req)
{
	return req->work->mem.cpu + (size_t)(req - req->work->reqs) * LONGEST * BLOCK;
}

static void end_block(struct request *req, unsigned i, bool well)
{
	struct block *b = &req->work->blocks[req->start + i];

	if (req->what == READ) {
		b->readers--;
		if (well)
			saw(b, value_of(data_of(req) + (size_t)i * BLOCK, req->start + i));
	} else {
		b->busy = false;
		wrote(b, req->value, well);
	}
}

/* What a controller's death may be called, where it may die. */
static bool death(const struct work *w, int err)
{
	return (w->gone && err == -ENODEV) || (w->may_die && (err == -EIO || err == -ETIMEDOUT));
}

static void ended(void *arg, const struct phyr_nvme_done *done)
{
	struct request *req = arg;
	struct work *w = req->work;

	assert_true(req->live);
	req->live = false;
	w->ended++;
	w->well += !done->err;
	if (done->err) {
		assert_true(w->may_fail);
		assert_true(done->err == -ECANCELED || done->err == -ETIMEDOUT ||
			    death(w, done->err) ||
			    (done->status && done->err == phyr_nvme_status_errno(done->status)));
	}
	for (unsigned i = 0; i < req->nr; i++)
		end_block(req, i, !done->err);
}

static struct request *idle_request(struct work *w)
{
	for (unsigned i = 0; i < REQUESTS; i++)
		if (!w->reqs[i].live)
			return &w->reqs[i];
	return NULL;
}

/* Blocks that no command in flight meets; as many as there are from a random one on, up to nr. */
static void choose_blocks(struct work *w, struct request *req)
{
	unsigned most = 1 + (unsigned)rnd_below(&w->rnd, LONGEST);

	req->start = (unsigned)rnd_below(&w->rnd, BLOCKS);
	for (req->nr = 0; req->nr < most && req->start + req->nr < BLOCKS; req->nr++) {
		const struct block *b = &w->blocks[req->start + req->nr];

		if (b->busy || (req->what != READ && (b->readers || b->nr == MAYBE)))
			return;
	}
}

static void mark(struct request *req, int by)
{
	for (unsigned i = 0; i < req->nr; i++) {
		struct block *b = &req->work->blocks[req->start + i];

		if (req->what == READ)
			b->readers += (unsigned)by;
		else
			b->busy = by > 0;
	}
}

static int send(struct work *w, struct phyr_nvme_queue *queue, struct request *req)
{
	uint64_t len = (uint64_t)req->nr * BLOCK, at = (uint64_t)(data_of(req) - w->mem.cpu);
	struct phyr_cursor cur;

	if (req->what == FLUSH)
		return phyr_nvme_flush(queue, ended, req);
	if (req->what == ZEROES)
		return phyr_nvme_write_zeroes(queue, req->start, req->nr, ended, req);
	cur = mem_cursor(&w->mem, at, len);
	if (req->what == READ)
		return phyr_nvme_read(queue, req->start, &cur, ended, req);
	return phyr_nvme_write(queue, req->start, &cur, ended, req);
}

static void prepare(struct work *w, struct request *req)
{
	static const unsigned kinds[] = {READ,  READ,  READ,   WRITE, WRITE,
					 WRITE, WRITE, ZEROES, FLUSH};

	*req = (struct request){.work = w, .what = kinds[rnd_below(&w->rnd, 9)]};
	if (req->what != FLUSH)
		choose_blocks(w, req);
	req->value = req->what == WRITE ? ++w->value : 0;
	for (unsigned i = 0; i < req->nr; i++)
		fill(data_of(req) + (size_t)i * BLOCK, req->start + i, req->value);
	if (req->what == READ)
		memset(data_of(req), 0xee, (size_t)req->nr * BLOCK);
}

static void submit(struct work *w)
{
	struct phyr_nvme_queue *queue = w->queues[rnd_below(&w->rnd, w->nr_queues)];
	struct request *req = idle_request(w);
	int err;

	if (!req)
		return;
	prepare(w, req);
	if (req->what != FLUSH && !req->nr)
		return;
	req->live = true;
	mark(req, 1);
	err = send(w, queue, req);
	if (!err) {
		w->taken++;
		return;
	}
	assert_true(err == -EAGAIN || death(w, err));
	assert_true(req->live);
	req->live = false;
	mark(req, -1);
}

/*
 * The machine, the fault, the end.
 */

static void step(void *arg)
{
	struct work *w = arg;

	w->steps++;
	phyr_sim_step(w->rig.sim);
}

/* Over a file in memory: a flush costs nothing, and there are thousands. */
static void add_disk(struct rig *rig)
{
	struct phyr_sim_nvme_config config = {.size = sizeof(config)};

	rig->fd = memfd_create("phyr-recovery", MFD_CLOEXEC);
	assert_true(rig->fd >= 0);
	assert_int_equal(ftruncate(rig->fd, BLOCKS * BLOCK), 0);
	config.fd = rig->fd;
	assert_int_equal(phyr_sim_nvme_create(rig->sim, RIG_SOURCE, &config, &rig->sdev), 0);
	rig_attach(rig, true);
}

static void start(struct work *w, uint64_t seed, unsigned nr_queues)
{
	struct phyr_nvme_opts opts;

	memset(w, 0, sizeof(*w));
	w->rnd.s = seed;
	w->reset_at = w->unplug_at = NEVER;
	rig_init(&w->rig, true);
	rig_fast_clock(&w->rig);
	add_disk(&w->rig);
	opts = rig_opts(&w->rig);
	opts.wait = step;
	opts.wait_arg = w;
	w->nr_queues = nr_queues;
	opts.queues = nr_queues + 1;
	opts.timeout_ns = TIMEOUT_NS;
	rig_open(&w->rig, &opts);
	for (unsigned i = 0; i < nr_queues; i++)
		assert_int_equal(phyr_nvme_queue_create(w->rig.nvme, 6, &w->queues[i]), 0);
	mem_init(&w->rig, &w->mem, REQUESTS * LONGEST * BLOCK, 0, PHYR_DMA_BIDIRECTIONAL);
	for (unsigned i = 0; i < BLOCKS; i++)
		w->blocks[i].nr = 1;
	w->steps = 0;
}

static void plan(struct work *w, enum phyr_sim_nvme_fault_kind kind, uint64_t after, uint64_t steps)
{
	struct phyr_sim_nvme_fault fault = {.kind = kind,
					    .queue = PHYR_SIM_NVME_ANY_IO,
					    .opcode = PHYR_SIM_NVME_ANY,
					    .after = after,
					    .steps = steps,
					    .status = 0x06};

	if (kind == PHYR_SIM_NVME_REORDER || steps == 7) /* again and again */
		fault.count = UINT64_MAX;
	assert_int_equal(phyr_sim_nvme_plan(w->rig.sdev, &fault, 1), 0);
}

/* Some of everything, on the admin queue too, where recovery itself is hit: it may be given up. */
static void plan_mix(struct work *w)
{
	static const uint32_t queues[] = {0, PHYR_SIM_NVME_ANY_IO, PHYR_SIM_NVME_ANY_IO};
	static const uint16_t statuses[] = {0x02, 0x06, 0x07, 0x80, 0x105, 0x281};
	struct phyr_sim_nvme_fault faults[6];

	for (unsigned i = 0; i < 6; i++)
		faults[i] = (struct phyr_sim_nvme_fault){
			.kind = (enum phyr_sim_nvme_fault_kind)rnd_below(&w->rnd,
									 PHYR_SIM_NVME_GONE),
			.queue = queues[rnd_below(&w->rnd, 3)],
			.opcode = PHYR_SIM_NVME_ANY,
			.count = 1 + rnd_below(&w->rnd, 3),
			.steps = rnd_below(&w->rnd, 8) ? rnd_below(&w->rnd, 50)
						       : PHYR_SIM_NVME_NEVER,
			.status = statuses[rnd_below(&w->rnd, 6)]};
	for (unsigned i = 0; i < 6; i++)
		faults[i].after = rnd_below(&w->rnd, faults[i].queue ? 100 : 12);
	assert_int_equal(phyr_sim_nvme_plan(w->rig.sdev, faults, 6), 0);
	w->may_die = true;
}

static void arrange(struct work *w, enum kind kind, uint64_t k)
{
	w->may_fail = kind != NOTHING && kind != REORDER;
	switch (kind) {
	case RESET:
		w->reset_at = k;
		break;
	case FATAL:
		plan(w, PHYR_SIM_NVME_FATAL, k, 0);
		break;
	case DROP:
		plan(w, PHYR_SIM_NVME_DROP, k, 0);
		break;
	case DELAY: /* each one late, and a reset on top */
		plan(w, PHYR_SIM_NVME_DELAY, 0, 7);
		w->reset_at = k;
		break;
	case STUCK: /* until it is aborted */
		plan(w, PHYR_SIM_NVME_DELAY, k, PHYR_SIM_NVME_NEVER);
		break;
	case REORDER:
		plan(w, PHYR_SIM_NVME_REORDER, k, 5);
		break;
	case STATUS:
		plan(w, PHYR_SIM_NVME_STATUS, k, 0);
		break;
	case GONE:
		plan(w, PHYR_SIM_NVME_GONE, k, 0);
		w->gone = true;
		break;
	case UNPLUG:
		w->unplug_at = k;
		w->gone = true;
		break;
	case MIX:
		w->rnd.s += k;
		plan_mix(w);
		w->reset_at = rnd_below(&w->rnd, 400);
		break;
	default:
		break;
	}
}

static void strike(struct work *w)
{
	if (w->steps >= w->reset_at) {
		int err = phyr_nvme_reset(w->rig.nvme);

		w->reset_at = NEVER;
		assert_true(!err || death(w, err));
	}
	if (w->steps >= w->unplug_at) {
		w->unplug_at = NEVER;
		phyr_sim_nvme_unplug(w->rig.sdev);
	}
}

static unsigned live(const struct work *w)
{
	unsigned n = 0;

	for (unsigned i = 0; i < REQUESTS; i++)
		n += w->reqs[i].live;
	return n;
}

static void drain(struct work *w)
{
	for (unsigned polls = 0; live(w); polls++) {
		assert_true(polls < PATIENCE);
		phyr_nvme_poll(w->queues[polls % w->nr_queues]);
		strike(w);
	}
	for (unsigned i = 0; i < w->nr_queues; i++)
		assert_int_equal(phyr_nvme_in_flight(w->queues[i]), 0);
	assert_int_equal(w->taken, w->ended);
}

static void run_ops(struct work *w, unsigned ops)
{
	for (unsigned i = 0; i < ops; i++) {
		if (rnd_below(&w->rnd, 5) < 3)
			submit(w);
		else
			phyr_nvme_poll(w->queues[rnd_below(&w->rnd, w->nr_queues)]);
		strike(w);
	}
	drain(w);
}

/* The file itself, without a device between. */
static void check_file(struct work *w)
{
	static unsigned char file[BLOCKS * BLOCK];

	assert_int_equal(pread(w->rig.fd, file, sizeof(file), 0), sizeof(file));
	for (unsigned i = 0; i < BLOCKS; i++)
		saw(&w->blocks[i], value_of(file + (size_t)i * BLOCK, i));
}

/* It goes on: another workload without a fault, a flush, all of it read, and the file as it was read. */
static void check_works(struct work *w)
{
	struct phyr_nvme_ctrl_stats stats;
	uint64_t well = w->well;

	assert_int_equal(phyr_sim_nvme_plan(w->rig.sdev, NULL, 0), 0);
	w->reset_at = NEVER;
	/* What still hangs on the admin queue would have it reset later on. */
	if (w->may_die)
		assert_int_equal(phyr_nvme_reset(w->rig.nvme), 0);
	w->may_fail = w->may_die = false;
	run_ops(w, OPS / 4);
	assert_true(w->well > well);
	assert_int_equal(phyr_nvme_flush_sync(w->queues[0]), 0);
	for (unsigned at = 0; at < BLOCKS; at += LONGEST) {
		struct request *req = &w->reqs[0];

		*req = (struct request){.work = w, .what = READ, .start = at, .live = true};
		req->nr = at + LONGEST <= BLOCKS ? LONGEST : BLOCKS - at;
		mark(req, 1);
		assert_int_equal(send(w, w->queues[0], req), 0);
		w->taken++;
		drain(w);
	}
	check_file(w);
	phyr_nvme_get_stats(w->rig.nvme, &stats);
	assert_int_equal(stats.dead, 0);
}

/* For ever, and whatever is asked. */
static void check_dead(struct work *w, int dead)
{
	struct phyr_nvme_queue *none = NULL;

	for (unsigned i = 0; i < 3; i++) {
		struct request *req = &w->reqs[0];

		*req = (struct request){.work = w, .what = FLUSH};
		for (unsigned q = 0; q < w->nr_queues; q++) {
			while (phyr_nvme_flush(w->queues[q], ended, req) != dead) {
				/* nobody has noticed yet */
				req->live = true;
				w->taken++;
				drain(w);
			}
			assert_int_equal(phyr_nvme_flush_sync(w->queues[q]), dead);
		}
		assert_int_equal(phyr_nvme_reset(w->rig.nvme), dead);
		assert_int_equal(phyr_nvme_queue_create(w->rig.nvme, 4, &none), dead);
	}
	check_file(w);
}

static void finish(struct work *w)
{
	for (unsigned i = 0; i < w->nr_queues; i++)
		phyr_nvme_queue_destroy(w->queues[i]);
	mem_fini(&w->rig, &w->mem);
	phyr_nvme_close(w->rig.nvme);
	w->rig.nvme = NULL;
	rig_fini(&w->rig);
}

/* One workload. @return the steps that it took; *hit: whether the fault or reset came */
static uint64_t run(uint64_t seed, unsigned nr_queues, enum kind kind, uint64_t k, bool *hit)
{
	struct phyr_sim_nvme_stats sim;
	struct phyr_nvme_ctrl_stats ctrl;
	static struct work w;
	uint64_t steps;

	start(&w, seed, nr_queues);
	arrange(&w, kind, k);
	run_ops(&w, OPS);
	steps = w.steps;
	phyr_sim_nvme_get_stats(w.rig.sdev, &sim);
	phyr_nvme_get_stats(w.rig.nvme, &ctrl);
	*hit = ctrl.resets || ctrl.dead;
	for (unsigned i = 0; i < PHYR_SIM_NVME_FAULT_KINDS; i++)
		*hit |= sim.hits[i];
	if (w.gone && (*hit || w.unplug_at == NEVER))
		check_dead(&w, -ENODEV);
	else if (ctrl.dead)
		check_dead(&w, ctrl.dead);
	else
		check_works(&w);
	finish(&w);
	return steps;
}

/* At every point, in a stride that sanitizers make longer. */
static void at_every_point(const char *name, enum kind kind, unsigned stride)
{
	struct rnd rnd = rnd_start(name);
	uint64_t seed = rnd_u64(&rnd), steps, hits = 0, runs = 0;
	bool hit;

	stride *= tests_sanitized ? 7 : 1;
	for (unsigned nr_queues = 1; nr_queues <= 2; nr_queues++) {
		steps = run(seed, nr_queues, NOTHING, 0, &hit);
		assert_false(hit);
		for (uint64_t k = rnd_below(&rnd, stride); k < steps; k += stride) {
			run(seed, nr_queues, kind, k, &hit);
			hits += hit;
			runs++;
		}
	}
	print_message("%s: %llu points, %llu of them hit\n", name, (unsigned long long)runs,
		      (unsigned long long)hits);
	assert_true(hits > runs / 3);
}

static void resets(void **state)
{
	at_every_point("nvme/recovery reset", RESET, 1);
}

static void controllers_that_fail(void **state)
{
	at_every_point("nvme/recovery fatal", FATAL, 1);
}

static void dropped_commands(void **state)
{
	at_every_point("nvme/recovery drop", DROP, 1);
}

static void resets_among_late_commands(void **state)
{
	at_every_point("nvme/recovery delay", DELAY, 1);
}

static void commands_that_must_be_aborted(void **state)
{
	at_every_point("nvme/recovery stuck", STUCK, 1);
}

static void reordered_commands(void **state)
{
	at_every_point("nvme/recovery reorder", REORDER, 2);
}

static void failed_commands(void **state)
{
	at_every_point("nvme/recovery status", STATUS, 2);
}

static void controllers_that_go(void **state)
{
	at_every_point("nvme/recovery gone", GONE, 1);
}

static void controllers_pulled_out(void **state)
{
	at_every_point("nvme/recovery unplug", UNPLUG, 1);
}

static void several_at_once(void **state)
{
	at_every_point("nvme/recovery mix", MIX, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(resets),
		cmocka_unit_test(controllers_that_fail),
		cmocka_unit_test(dropped_commands),
		cmocka_unit_test(resets_among_late_commands),
		cmocka_unit_test(commands_that_must_be_aborted),
		cmocka_unit_test(reordered_commands),
		cmocka_unit_test(failed_commands),
		cmocka_unit_test(controllers_that_go),
		cmocka_unit_test(controllers_pulled_out),
		cmocka_unit_test(several_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
