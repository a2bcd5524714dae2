/* SPDX-License-Identifier: MIT */
/* A row's engines: made, run in a thread each, added up. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "io/io.h"
#include "rng.h"

/* Where part i begins, of so many bytes: whole units, as even as they go; the last has the rest. */
static uint64_t part_start(const struct team *team, uint64_t bytes, uint64_t unit, unsigned i)
{
	uint64_t units = bytes / unit;

	if (i == team->nr)
		return bytes;
	return (units / team->nr * i + units % team->nr * i / team->nr) * unit;
}

static uint64_t part_size(const struct team *team, uint64_t bytes, uint64_t unit, unsigned i)
{
	return part_start(team, bytes, unit, i + 1) - part_start(team, bytes, unit, i);
}

static uint64_t used_bytes(const struct team *team)
{
	uint64_t all = team->info->nr_blocks * team->info->block_size;

	return team->opts->size ? team->opts->size : all;
}

/* Bytes that an engine moves in the run that the options ask for. */
static uint64_t io_size_of(const struct team *team, unsigned i)
{
	const struct io_opts *opts = team->opts;

	if (!opts->io_size && opts->runtime_ns)
		return UINT64_MAX;
	if (!opts->io_size)
		return team->engines[i].size;
	return part_size(team, opts->io_size, opts->bs_max, i);
}

static int make_queue(struct team *team, struct engine *e)
{
	uint64_t depth = io_queue_depth(team->opts);

	if (e == team->engines) {
		e->queue = phyr_get_queue(team->p);
		return 0;
	}
	if (depth > team->info->max_depth)
		depth = team->info->max_depth;
	return phyr_nvme_queue_create(phyr_get_nvme(team->p), (unsigned)depth, &e->queue);
}

static int connect_interrupt(struct engine *e)
{
	e->fd = -1;
	if (e->team->opts->interrupt)
		e->fd = phyr_nvme_queue_fd(e->queue);
	return e->team->opts->interrupt && e->fd < 0 ? e->fd : 0;
}

static int make_slots(struct engine *e)
{
	uint64_t nr = e->team->opts->iodepth;
	int err = 0;

	e->slots = calloc(nr, sizeof(*e->slots));
	if (!e->slots)
		return -ENOMEM;
	/* Buffers start at different offsets of a page: first entries are not always aligned. */
	for (size_t i = 0; !err && i < nr; i++) {
		err = map_slot_init(e, &e->slots[i], i % 2 * 512 * (i / 2 % 8));
		e->nr_slots += !err;
	}
	return err;
}

static int make_engine(struct team *team, unsigned i, const char **why)
{
	struct engine *e = &team->engines[i];
	uint64_t seed = team->opts->seed * NR_MAPS + team->map, block = team->info->block_size;
	int err;

	e->team = team;
	e->first = part_start(team, used_bytes(team), block, i);
	e->size = part_size(team, used_bytes(team), block, i);
	e->rng = i ? rng_mix(seed ^ rng_mix(i)) : seed;
	*why = "a thread's queue";
	err = make_queue(team, e);
	if (err)
		return err;
	*why = "--interrupt";
	err = connect_interrupt(e);
	if (err)
		return err;
	*why = "buffers";
	phyr_nvme_queue_set_timing(e->queue, true);
	return make_slots(e);
}

int team_init(struct team *team, const char **why)
{
	int err = 0;

	team->info = phyr_nvme_get_info(phyr_get_nvme(team->p));
	team->rw = team->opts->rw;
	team->nr = (unsigned)team->opts->threads;
	team->engines = calloc(team->nr, sizeof(*team->engines));
	*why = "threads";
	if (!team->engines)
		return -ENOMEM;
	for (unsigned i = 0; !err && i < team->nr; i++)
		err = make_engine(team, i, why);
	return err;
}

void team_fini(struct team *team)
{
	for (unsigned i = 0; team->engines && i < team->nr; i++) {
		struct engine *e = &team->engines[i];

		for (unsigned j = 0; j < e->nr_slots; j++)
			map_slot_fini(e, &e->slots[j]);
		free(e->slots);
		if (i)
			phyr_nvme_queue_destroy(e->queue);
	}
	free(team->engines);
	team->engines = NULL;
}

static void *engine_thread(void *arg)
{
	engine_run(arg);
	return NULL;
}

static int first_error(const struct team *team)
{
	int err = 0;

	for (unsigned i = 0; !err && i < team->nr; i++)
		err = team->engines[i].err;
	return err;
}

static void join_all(struct team *team, unsigned nr, const char *what)
{
	struct progress progress = {.team = team, .what = what, .last_ns = now_ns()};
	bool shown = progress_wanted(team->opts);

	for (unsigned i = 0; i < nr; i++)
		if (shown)
			progress_join(&progress, team->engines[i].thread);
		else
			pthread_join(team->engines[i].thread, NULL);
	if (shown)
		progress_end();
}

static int run_threads(struct team *team, const char *what, const char **why)
{
	unsigned nr = 0;
	int err = 0;

	while (!err && nr < team->nr) {
		struct engine *e = &team->engines[nr];

		err = -pthread_create(&e->thread, NULL, engine_thread, e);
		nr += !err;
	}
	if (err)
		__atomic_store_n(&team->stop, true, __ATOMIC_RELAXED);
	join_all(team, nr, what);
	*why = err ? "threads" : "I/O";
	return err ? err : first_error(team);
}

/* What each I/O is to its pace; 0: they differ. */
static uint64_t pace_units(const struct io_opts *opts)
{
	if (opts->rate_iops)
		return 1;
	return opts->bs_min == opts->bs_max ? opts->bs_min : 0;
}

int team_run(struct team *team, const char **why)
{
	const struct io_opts *opts = team->opts;
	unsigned nr = team->nr;

	team->start_ns = now_ns();
	team->deadline_ns = opts->runtime_ns ? team->start_ns + opts->runtime_ns : 0;
	team->paced = opts->rate;
	for (unsigned i = 0; i < nr; i++) {
		struct engine *e = &team->engines[i];

		e->io_size = io_size_of(team, i);
		if (team->paced)
			pace_init(&e->pace, opts->rate, nr, i, pace_units(opts), team->start_ns);
	}
	return run_threads(team, io_map_names[team->map], why);
}

int team_read_back(struct team *team, const char **why)
{
	team->start_ns = now_ns();
	team->deadline_ns = 0;
	team->paced = false;
	team->rw = RW_READ;
	team->sha = NULL;
	for (unsigned i = 0; i < team->nr; i++) {
		struct engine *e = &team->engines[i];

		e->io_size = e->size;
		e->begun_bytes = 0;
		e->next_len = 0;
		e->position = 0;
		e->ended_ios = e->ended_bytes = 0;
		memset(&e->result, 0, sizeof(e->result));
	}
	return run_threads(team, "read back", why);
}

bool team_was_stopped(const struct team *team)
{
	bool all_begun = true;

	for (unsigned i = 0; i < team->nr; i++)
		all_begun &= team->engines[i].begun_bytes >= team->engines[i].io_size;
	all_begun |= team->deadline_ns && now_ns() >= team->deadline_ns;
	return stop_asked() && !all_begun;
}

static void add_result(struct engine_result *sum, const struct engine_result *r)
{
	sum->ios += r->ios;
	sum->bytes += r->bytes;
	sum->trims += r->trims;
	sum->trim_bytes += r->trim_bytes;
	sum->retries += r->retries;
	sum->map_ns += r->map_ns;
	sum->unmap_ns += r->unmap_ns;
	sum->timed += r->timed;
	for (unsigned i = 0; i < NR_PATHS; i++)
		sum->paths[i] += r->paths[i];
	verify_merge(&sum->found, &r->found);
	hist_merge(&sum->latency, &r->latency);
}

void team_result(const struct team *team, struct engine_result *sum)
{
	memset(sum, 0, sizeof(*sum));
	for (unsigned i = 0; i < team->nr; i++)
		add_result(sum, &team->engines[i].result);
}
