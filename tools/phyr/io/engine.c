/* SPDX-License-Identifier: MIT */
/* Keeps I/O in flight: chooses what to do next, submits its commands, takes what has ended. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "io/io.h"
#include "rng.h"

/* How often to look for a place that no I/O in flight touches, before waiting for one to end. */
#define TRIES 8

/* Bytes of the next I/O: blocks, each power of two in the range as likely as the next. */
static uint64_t choose_len(struct engine *e)
{
	uint64_t block = e->info->block_size;
	uint64_t low = e->opts->bs_min, high = e->opts->bs_max, v;
	unsigned lg2_low = 63u - (unsigned)__builtin_clzll(low);
	unsigned lg2_high = 63u - (unsigned)__builtin_clzll(high);

	if (low == high)
		return low;
	v = (uint64_t)1 << (lg2_low + rng_below(&e->rng, lg2_high - lg2_low + 1));
	v += rng_below(&e->rng, v);
	v -= v % block;
	return v < low ? low : v > high ? high : v;
}

static void choose_place(struct engine *e, struct io_slot *slot)
{
	uint64_t block = e->info->block_size, blocks;

	slot->len = choose_len(e);
	if (slot->len > e->io_size - e->begun_bytes)
		slot->len = e->io_size - e->begun_bytes;
	if (!rw_random(e->rw)) {
		if (slot->len > e->size - e->position)
			slot->len = e->size - e->position;
		slot->offset = e->position;
		return;
	}
	if (slot->len > e->size)
		slot->len = e->size;
	blocks = (e->size - slot->len) / block + 1;
	slot->offset = rng_below(&e->rng, blocks) * block;
}

static void choose_direction(struct engine *e, struct io_slot *slot)
{
	if (e->rw == RW_RANDRW)
		slot->write = rng_next(&e->rng) & 1;
	else
		slot->write = rw_writes(e->rw);
}

/* Verifying needs to know which of two wins: a write meets nothing else in flight. */
static bool meets_another(const struct engine *e, const struct io_slot *slot)
{
	if (!e->verify || !rw_writes(e->rw))
		return false;
	for (unsigned i = 0; i < e->nr_slots; i++) {
		const struct io_slot *other = &e->slots[i];

		if (other != slot && other->busy && (slot->write || other->write) &&
		    slot->offset < other->offset + other->len &&
		    other->offset < slot->offset + slot->len)
			return true;
	}
	return false;
}

static bool choose(struct engine *e, struct io_slot *slot)
{
	for (unsigned i = 0; i < TRIES; i++) {
		choose_place(e, slot);
		choose_direction(e, slot);
		if (!meets_another(e, slot))
			return true;
	}
	return false;
}

/* A checksum needs the data in order: slots are used in turn. */
static struct io_slot *free_slot(struct engine *e)
{
	struct io_slot *slot = &e->slots[e->started % e->nr_slots];

	if (!slot->busy)
		return slot;
	for (unsigned i = 0; !e->sha && i < e->nr_slots; i++)
		if (!e->slots[i].busy)
			return &e->slots[i];
	return NULL;
}

static void end_slot(struct engine *e, struct io_slot *slot)
{
	uint64_t lba = slot->offset / e->info->block_size;

	map_end(e, slot);
	hist_add(&e->result.latency, now_ns() - slot->start_ns);
	e->in_flight--;
	if (slot->err) {
		e->err = e->err ? e->err : slot->err;
	} else {
		e->result.ios++;
		e->result.bytes += slot->len;
		if (e->verify && !slot->write)
			e->result.verify_errors +=
				verify_check(e->verify, slot->buf, lba, slot->len);
	}
	slot->done = true;
	if (!e->sha)
		slot->busy = false;
}

/* Hash what has ended, as far as it is next in order. */
static void hash_in_order(struct engine *e)
{
	for (;;) {
		struct io_slot *slot = &e->slots[e->hashed % e->nr_slots];

		if (e->hashed == e->started || !slot->done)
			return;
		sha256_update(e->sha, slot->len, slot->buf);
		slot->busy = false;
		slot->done = false;
		e->hashed++;
	}
}

static void command_ended(void *arg, const struct phyr_nvme_done *done)
{
	struct io_slot *slot = arg;

	if (done->err && !slot->err)
		slot->err = done->err;
	slot->commands--;
	if (!slot->commands && (slot->sent == slot->len || slot->err))
		end_slot(slot->engine, slot);
}

static int send_command(struct engine *e, struct io_slot *slot)
{
	uint64_t len = slot->len - slot->sent;
	uint64_t lba = (slot->offset + slot->sent) / e->info->block_size;
	struct phyr_cursor rest = slot->data, part;
	int err;

	if (len > e->info->max_transfer)
		len = e->info->max_transfer;
	err = phyr_cursor_split(&rest, len, &part);
	if (err)
		return err;
	err = slot->write ? phyr_nvme_write(e->queue, lba, &part, command_ended, slot)
			  : phyr_nvme_read(e->queue, lba, &part, command_ended, slot);
	if (err)
		return err;
	slot->data = rest;
	slot->sent += len;
	slot->commands++;
	return 0;
}

/* Send what the queue takes; the rest waits for the next turn. */
static void send_commands(struct engine *e, struct io_slot *slot)
{
	int err = 0;

	while (!err && !slot->err && slot->sent < slot->len)
		err = send_command(e, slot);
	if (!err || err == -EAGAIN)
		return;
	slot->err = err;
	if (!slot->commands)
		end_slot(e, slot);
}

static bool start_one(struct engine *e)
{
	struct io_slot *slot = free_slot(e);
	int err;

	if (!slot || !choose(e, slot))
		return false;
	if (e->verify && slot->write)
		verify_fill(e->verify, slot->buf, slot->offset / e->info->block_size, slot->len);
	slot->start_ns = now_ns();
	err = map_begin(e, slot);
	if (err) {
		e->err = err;
		return false;
	}
	slot->sent = 0;
	slot->err = 0;
	slot->done = false;
	slot->busy = true;
	e->started++;
	e->in_flight++;
	e->begun_bytes += slot->len;
	e->position = (slot->offset + slot->len) % e->size;
	send_commands(e, slot);
	return true;
}

static void send_rests(struct engine *e)
{
	for (unsigned i = 0; i < e->nr_slots; i++) {
		struct io_slot *slot = &e->slots[i];

		if (slot->busy && !slot->done && !slot->err && slot->sent < slot->len)
			send_commands(e, slot);
	}
}

static void show_progress(struct engine *e, uint64_t start, uint64_t *next)
{
	uint64_t now = now_ns();
	double seconds = (double)(now - start) / 1e9;

	if (now < *next)
		return;
	*next = now + 200000000;
	fprintf(stderr, "\r%-10s %3.0f %%  %.0f MiB/s ", io_map_names[e->map],
		100.0 * (double)e->result.bytes / (double)e->io_size,
		(double)e->result.bytes / 1048576 / seconds);
}

int engine_run(struct engine *e)
{
	bool progress = isatty(STDERR_FILENO) && !e->opts->json;
	uint64_t start = now_ns(), next = start + 200000000;

	while ((!e->err && e->begun_bytes < e->io_size) || e->in_flight) {
		while (!e->err && e->begun_bytes < e->io_size && start_one(e))
			;
		if (phyr_nvme_poll(e->queue))
			send_rests(e);
		if (e->sha)
			hash_in_order(e);
		if (progress)
			show_progress(e, start, &next);
	}
	if (progress)
		fprintf(stderr, "\r%40s\r", "");
	e->result.ns = now_ns() - start;
	return e->err;
}
