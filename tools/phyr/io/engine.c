/* SPDX-License-Identifier: MIT */
/*
 * Keeps I/O in flight: submits its commands, takes what has ended.
 *
 * An I/O is one slot, mapped once, and one command or several. When a reset of the controller took
 * a command of it, all of it is submitted again once nothing of it is in flight: that reads or
 * writes the same once more.
 */
#define _GNU_SOURCE /* ppoll() */
#include <errno.h>
#include <poll.h>
#include <time.h>

#include "io/io.h"

#define RETRIES 3

/* Sleeps are this long at most: stops and time limits of commands are looked at in between. */
#define SLEEP_MAX_NS UINT64_C(100000000)
/* What a queue did not take is tried again after this. */
#define UNSENT_NS UINT64_C(1000000)
/* Shorter than this is not slept. */
#define SLEEP_MIN_NS UINT64_C(60000)

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t lba_of(const struct engine *e, uint64_t offset)
{
	return offset / e->team->info->block_size;
}

/*
 * The end of an I/O.
 */

static void count_end(struct engine *e, const struct io_slot *slot)
{
	struct engine_result *r = &e->result;

	if (slot->kind == IO_TRIM) {
		r->trims++;
		r->trim_bytes += slot->len;
	} else {
		r->ios++;
		r->bytes += slot->len;
		hist_add(&r->latency, now_ns() - slot->start_ns);
	}
	__atomic_store_n(&e->ended_ios, r->ios + r->trims, __ATOMIC_RELAXED);
	__atomic_store_n(&e->ended_bytes, r->bytes + r->trim_bytes, __ATOMIC_RELAXED);
}

static void fail(struct engine *e, int err)
{
	e->err = e->err ? e->err : err;
	__atomic_store_n(&e->team->stop, true, __ATOMIC_RELAXED);
}

static void end_slot(struct engine *e, struct io_slot *slot)
{
	if (slot->kind != IO_TRIM)
		map_end(e, slot);
	e->in_flight--;
	if (slot->err) {
		fail(e, slot->err);
	} else {
		count_end(e, slot);
		if (e->team->verify && slot->kind == IO_READ)
			verify_check(e->team->verify, slot->buf, lba_of(e, slot->offset), slot->len,
				     &e->result.found);
	}
	slot->done = true;
	if (!e->team->sha)
		slot->busy = false;
}

/* Begin it again from its start; it is sent with what else is unsent. */
static bool try_again(struct engine *e, struct io_slot *slot)
{
	if ((slot->err != -ECANCELED && slot->err != -ETIMEDOUT) || slot->retries == RETRIES)
		return false;
	if (slot->sent == slot->len)
		e->unsent++;
	slot->retries++;
	slot->data = slot->whole;
	slot->sent = 0;
	slot->err = 0;
	e->result.retries++;
	return true;
}

static void command_ended(void *arg, const struct phyr_nvme_done *done)
{
	struct io_slot *slot = arg;
	struct engine *e = slot->engine;

	if (done->err && !slot->err)
		slot->err = done->err;
	if (--slot->commands || (slot->sent < slot->len && !slot->err) || try_again(e, slot))
		return;
	if (slot->sent < slot->len)
		e->unsent--;
	end_slot(e, slot);
}

/* Hash what has ended, as far as it is next in order. */
static void hash_in_order(struct engine *e)
{
	for (;;) {
		struct io_slot *slot = &e->slots[e->hashed % e->nr_slots];

		if (e->hashed == e->started || !slot->done)
			return;
		sha256_update(e->team->sha, slot->len, slot->buf);
		slot->busy = false;
		slot->done = false;
		e->hashed++;
	}
}

/*
 * Its commands.
 */

/* The next command of a read or a write. */
static int send_part(struct engine *e, struct io_slot *slot, uint64_t len)
{
	uint64_t lba = lba_of(e, slot->offset + slot->sent);
	struct phyr_cursor rest = slot->data, part;
	int err = phyr_cursor_split(&rest, len, &part);

	if (err)
		return err;
	err = slot->kind == IO_WRITE ? phyr_nvme_write(e->queue, lba, &part, command_ended, slot)
				     : phyr_nvme_read(e->queue, lba, &part, command_ended, slot);
	if (!err)
		slot->data = rest;
	return err;
}

static int send_trim(struct engine *e, struct io_slot *slot)
{
	return phyr_nvme_deallocate(e->queue, lba_of(e, slot->offset), lba_of(e, slot->len),
				    command_ended, slot);
}

static int send_command(struct engine *e, struct io_slot *slot)
{
	uint64_t len = slot->len - slot->sent;
	int err;

	if (slot->kind != IO_TRIM)
		len = least(len, e->team->info->max_transfer);
	err = slot->kind == IO_TRIM ? send_trim(e, slot) : send_part(e, slot, len);
	if (err)
		return err;
	slot->sent += len;
	slot->commands++;
	return 0;
}

/* Send what the queue takes; the rest, which counts as unsent, waits for the next turn. */
static void send_commands(struct engine *e, struct io_slot *slot)
{
	int err = 0;

	while (!err && slot->sent < slot->len)
		err = send_command(e, slot);
	if (err == -EAGAIN)
		return;
	if (!err) {
		e->unsent--;
		return;
	}
	slot->err = err;
	slot->retries = RETRIES; /* what is not even taken is not tried again */
	if (slot->commands)
		return;
	e->unsent--;
	end_slot(e, slot);
}

static void send_rests(struct engine *e)
{
	for (unsigned i = 0; e->unsent && i < e->nr_slots; i++) {
		struct io_slot *slot = &e->slots[i];

		if (slot->busy && !slot->done && !slot->err && slot->sent < slot->len)
			send_commands(e, slot);
	}
}

/*
 * The next I/O.
 */

/* A checksum needs the data in order: slots are used in turn. */
static struct io_slot *free_slot(struct engine *e)
{
	struct io_slot *slot = &e->slots[e->started % e->nr_slots];

	if (!slot->busy)
		return slot;
	for (unsigned i = 0; !e->team->sha && i < e->nr_slots; i++)
		if (!e->slots[i].busy)
			return &e->slots[i];
	return NULL;
}

/* Whether anything is left to begin, now or later. */
static bool goes_on(const struct engine *e)
{
	const struct team *team = e->team;

	return !e->err && e->begun_bytes < e->io_size && !stop_asked() &&
	       !__atomic_load_n(&team->stop, __ATOMIC_RELAXED) &&
	       (!team->deadline_ns || now_ns() < team->deadline_ns);
}

/* What the next I/O still waits for, to keep the pace. */
static uint64_t pace_ns(struct engine *e)
{
	if (!e->team->paced)
		return 0;
	return pace_wait(&e->pace, e->team->opts->rate_iops ? 1 : place_next_len(e), now_ns());
}

static int prepare(struct engine *e, struct io_slot *slot)
{
	struct verify *v = e->team->verify;
	uint64_t lba = lba_of(e, slot->offset);

	if (v && slot->kind == IO_WRITE)
		verify_fill(v, slot->buf, lba, slot->len);
	if (v && slot->kind == IO_TRIM)
		verify_trim(v, lba, slot->len);
	slot->start_ns = now_ns();
	return slot->kind == IO_TRIM ? 0 : map_begin(e, slot);
}

static void begin(struct engine *e, struct io_slot *slot)
{
	slot->data = slot->whole;
	slot->sent = 0;
	slot->err = 0;
	slot->retries = 0;
	slot->done = false;
	slot->busy = true;
	e->started++;
	e->in_flight++;
	e->unsent++;
	e->begun_bytes += slot->len;
	e->next_len = 0;
	e->position = (slot->offset - e->first + slot->len) % e->size;
	if (e->team->paced)
		pace_took(&e->pace, e->team->opts->rate_iops ? 1 : slot->len);
	send_commands(e, slot);
}

static bool start_one(struct engine *e)
{
	struct io_slot *slot;
	int err;

	if (!goes_on(e) || pace_ns(e))
		return false;
	slot = free_slot(e);
	e->blocked = slot && !place_choose(e, slot);
	if (!slot || e->blocked)
		return false;
	err = prepare(e, slot);
	if (err) {
		fail(e, err);
		return false;
	}
	begin(e, slot);
	return true;
}

/*
 * Between.
 */

/* How long nothing but the end of a command gives this engine anything to do. */
static uint64_t spare_ns(struct engine *e)
{
	uint64_t ns = e->unsent ? UNSENT_NS : SLEEP_MAX_NS;
	uint64_t now = now_ns(), deadline = e->team->deadline_ns;

	if (deadline)
		ns = least(ns, deadline > now ? deadline - now : ns);
	if (e->team->paced && goes_on(e) && !e->blocked && free_slot(e))
		ns = least(ns, pace_ns(e));
	return ns;
}

/* Nothing has ended and nothing was begun: sleep for a while, or until the queue's interrupt. */
static void idle(struct engine *e)
{
	struct pollfd pfd = {.fd = e->fd, .events = POLLIN};
	struct timespec ts;
	uint64_t ns;

	if (e->fd < 0 && e->in_flight)
		return; /* only polling shows what has ended */
	ns = spare_ns(e);
	ts = (struct timespec){.tv_sec = (time_t)(ns / 1000000000),
			       .tv_nsec = (long)(ns % 1000000000)};
	if (ns >= SLEEP_MIN_NS)
		ppoll(&pfd, e->fd >= 0, &ts, NULL);
}

int engine_run(struct engine *e)
{
	bool did;

	while (e->in_flight || goes_on(e)) {
		did = false;
		while (start_one(e))
			did = true;
		if (phyr_nvme_poll(e->queue)) {
			did = true;
			send_rests(e);
		} else if (e->unsent && !phyr_nvme_in_flight(e->queue)) {
			send_rests(e);
		}
		if (e->team->sha)
			hash_in_order(e);
		if (!did)
			idle(e);
	}
	return e->err;
}
