/* SPDX-License-Identifier: MIT */
/* What an engine does next: where, how much, which way. */
#include "io/engine.h"
#include "rng.h"

/* How often to look for a place that no I/O in flight touches, before waiting for one to end. */
#define TRIES 8

/* Bytes of an I/O: blocks, each power of two in the range as likely as the next. */
static uint64_t choose_len(struct engine *e)
{
	const struct io_opts *opts = e->team->opts;
	uint64_t low = opts->bs_min, high = opts->bs_max, v;
	unsigned lg2_low = 63u - (unsigned)__builtin_clzll(low);
	unsigned lg2_high = 63u - (unsigned)__builtin_clzll(high);

	if (low == high)
		return low;
	v = (uint64_t)1 << (lg2_low + rng_below(&e->rng, lg2_high - lg2_low + 1));
	v += rng_below(&e->rng, v);
	v -= v % e->team->info->block_size;
	return v < low ? low : v > high ? high : v;
}

uint64_t place_next_len(struct engine *e)
{
	uint64_t room = rw_random(e->team->rw) ? e->size : e->size - e->position;

	if (room > e->io_size - e->begun_bytes)
		room = e->io_size - e->begun_bytes;
	if (!e->next_len)
		e->next_len = choose_len(e);
	return e->next_len < room ? e->next_len : room;
}

static void choose_place(struct engine *e, struct io_slot *slot)
{
	uint64_t block = e->team->info->block_size, blocks;

	slot->len = place_next_len(e);
	if (!rw_random(e->team->rw)) {
		slot->offset = e->first + e->position;
		return;
	}
	blocks = (e->size - slot->len) / block + 1;
	slot->offset = e->first + rng_below(&e->rng, blocks) * block;
}

static void choose_kind(struct engine *e, struct io_slot *slot)
{
	const struct team *team = e->team;
	bool write = rw_writes(team->rw);

	if (team->rw == RW_RANDRW)
		write = rng_next(&e->rng) & 1;
	slot->kind = write ? IO_WRITE : IO_READ;
	if (write && team->opts->trim && rng_below(&e->rng, 100) < team->opts->trim)
		slot->kind = IO_TRIM;
}

/* Verifying needs to know which of two wins: a write meets nothing else in flight. */
static bool meets_another(const struct engine *e, const struct io_slot *slot)
{
	if (!e->team->verify || !rw_writes(e->team->rw))
		return false;
	for (unsigned i = 0; i < e->nr_slots; i++) {
		const struct io_slot *other = &e->slots[i];

		if (other != slot && other->busy &&
		    (slot->kind != IO_READ || other->kind != IO_READ) &&
		    slot->offset < other->offset + other->len &&
		    other->offset < slot->offset + slot->len)
			return true;
	}
	return false;
}

bool place_choose(struct engine *e, struct io_slot *slot)
{
	for (unsigned i = 0; i < TRIES; i++) {
		choose_place(e, slot);
		choose_kind(e, slot);
		if (!meets_another(e, slot))
			return true;
	}
	return false;
}
