/* SPDX-License-Identifier: MIT */
/*
 * The simulated NVMe controller against a slow, obvious one: random commands with random PRP entries
 * at each page size, some of them spoiled; after each, all of memory and of the file must be what
 * the model says.
 */
#define _GNU_SOURCE
#include "test_nvme_rig.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/rnd.h"

#define ARENA     (2u << 20) /* data pages, contiguous, given out in random order */
#define LISTS     (1u << 18)
#define FILE_SIZE (3u << 20)
#define BLOCK     512u
#define MAX_BYTES (1u << 20)
#define ROUNDS    300
#define MAX_PAGES (MAX_BYTES / 4096 + 1)

#define PRP_OFFSET (0x013 | DNR)
#define TRANSFER   0x004

struct model {
	struct rnd rnd;
	struct rig rig;
	struct pair io;
	uint64_t page;
	uint8_t *arena, *arena_copy;
	uint64_t *lists;
	uint8_t *file_copy;
	uint8_t *scratch;
};

/* One command: where each page of its data lies. */
struct plan {
	bool write;
	uint64_t slba, bytes, offset;
	unsigned nr;
	uint8_t *pages[MAX_PAGES];
	uint64_t *slots[MAX_PAGES]; /* where its PRP entry is; PRP1 and PRP2 too */
	uint64_t prp1, prp2;
	unsigned bad; /* page whose entry is spoiled; nr: none */
	unsigned status;
};

static uint64_t phys(struct model *m, const void *ptr)
{
	return (uint64_t)(uintptr_t)ptr + m->rig.env->phys_delta;
}

/* Distinct pages of the arena in random order: the start of a random permutation. */
static void pick_pages(struct model *m, struct plan *p)
{
	unsigned total = (unsigned)(ARENA / m->page);
	unsigned order[ARENA / 4096];

	for (unsigned i = 0; i < total; i++)
		order[i] = i;
	for (unsigned i = 0; i < p->nr; i++) {
		unsigned j = i + (unsigned)rnd_below(&m->rnd, total - i), was = order[i];

		order[i] = order[j];
		order[j] = was;
		p->pages[i] = m->arena + order[i] * m->page;
	}
}

/* The list starts anywhere in its page; its pages are in order, but that is nobody's business. */
static void lay_list(struct model *m, struct plan *p)
{
	uint64_t per = m->page / 8, slot = rnd_below(&m->rnd, per), *list = m->lists;

	if (rnd_below(&m->rnd, 2))
		slot = per - 1 - rnd_below(&m->rnd, 3);
	p->prp2 = phys(m, list + slot);
	for (unsigned i = 1; i < p->nr; i++) {
		if (slot == per - 1 && p->nr - i > 1) {
			list[slot] = phys(m, list + per);
			list += per;
			slot = 0;
		}
		p->slots[i] = &list[slot];
		list[slot++] = phys(m, p->pages[i]);
	}
}

static void lay_out(struct model *m, struct plan *p)
{
	memset(m->lists, 0x5a, LISTS);
	p->prp1 = phys(m, p->pages[0]) + p->offset;
	p->prp2 = rnd_u64(&m->rnd);
	p->slots[0] = &p->prp1;
	p->slots[1] = &p->prp2;
	if (p->nr == 2)
		p->prp2 = phys(m, p->pages[1]);
	else if (p->nr > 2)
		lay_list(m, p);
}

/* One entry in eight commands leads nowhere or lies off a page. */
static void spoil(struct model *m, struct plan *p)
{
	p->bad = p->nr;
	p->status = 0;
	if (rnd_below(&m->rnd, 8))
		return;
	p->bad = (unsigned)rnd_below(&m->rnd, p->nr);
	if (rnd_below(&m->rnd, 2)) {
		*p->slots[p->bad] = NOT_RAM;
		p->status = TRANSFER;
	} else {
		*p->slots[p->bad] +=
			p->bad ? 1 + rnd_below(&m->rnd, m->page - 1) : 1 + rnd_below(&m->rnd, 3);
		p->status = PRP_OFFSET;
	}
}

static struct plan make_plan(struct model *m)
{
	struct plan p = {.write = rnd_below(&m->rnd, 2)};

	p.bytes = rnd_log(&m->rnd, 1, MAX_BYTES / BLOCK) * BLOCK;
	p.slba = rnd_below(&m->rnd, (FILE_SIZE - p.bytes) / BLOCK + 1);
	if (rnd_below(&m->rnd, 2))
		p.offset = rnd_below(&m->rnd, m->page / 4) * 4;
	p.nr = (unsigned)((p.offset + p.bytes + m->page - 1) / m->page);
	pick_pages(m, &p);
	lay_out(m, &p);
	spoil(m, &p);
	return p;
}

/* Bytes before page @i of the command's data. */
static uint64_t bytes_before(const struct model *m, const struct plan *p, unsigned i)
{
	uint64_t n = i ? i * m->page - p->offset : 0;

	return n < p->bytes ? n : p->bytes;
}

/* What a good command does, to the copies, page by page. */
static void apply(struct model *m, const struct plan *p)
{
	for (unsigned i = 0; i < p->nr; i++) {
		uint64_t from = bytes_before(m, p, i), len = bytes_before(m, p, i + 1) - from;
		uint8_t *memory = m->arena_copy + (p->pages[i] - m->arena) + (i ? 0 : p->offset);
		uint8_t *file = m->file_copy + p->slba * BLOCK + from;

		if (p->write)
			memcpy(file, memory, len);
		else
			memcpy(memory, file, len);
	}
}

static void read_file(struct model *m)
{
	assert_int_equal(pread(m->rig.fd, m->scratch, FILE_SIZE, 0), FILE_SIZE);
}

/*
 * A spoiled command may have moved what lies before the bad entry, and nothing else. Where it moved
 * something, it moved the right thing; the copies follow.
 */
static void check_spoiled(struct model *m, const struct plan *p)
{
	uint64_t moved = bytes_before(m, p, p->bad), at = p->slba * BLOCK;

	if (p->write) {
		assert_memory_equal(m->scratch, m->file_copy, at);
		assert_memory_equal(m->scratch + at + moved, m->file_copy + at + moved,
				    FILE_SIZE - at - moved);
		memcpy(m->file_copy + at, m->scratch + at, moved);
	}
	for (unsigned i = 0; i < p->bad && !p->write; i++) {
		uint8_t *page = p->pages[i] + (i ? 0 : p->offset);
		uint64_t from = bytes_before(m, p, i), len = bytes_before(m, p, i + 1) - from;

		if (memcmp(page, m->file_copy + at + from, len))
			continue; /* not moved: the whole arena is compared below */
		memcpy(m->arena_copy + (page - m->arena), page, len);
	}
}

static void one_round(struct model *m)
{
	struct plan p = make_plan(m);
	unsigned status = rw(&m->rig, &m->io, p.write ? 1 : 2, p.slba, (uint32_t)(p.bytes / BLOCK),
			     p.prp1, p.prp2);

	assert_int_equal(status, p.status);
	read_file(m);
	if (p.status)
		check_spoiled(m, &p);
	else
		apply(m, &p);
	assert_memory_equal(m->arena, m->arena_copy, ARENA);
	assert_memory_equal(m->scratch, m->file_copy, FILE_SIZE);
	if (!rnd_below(&m->rnd, 16)) {
		fill_pattern(m->arena, ARENA, rnd_u64(&m->rnd));
		memcpy(m->arena_copy, m->arena, ARENA);
	}
}

static void start(struct model *m, unsigned page_lg2)
{
	m->page = (uint64_t)1 << page_lg2;
	rig_start_io(&m->rig, FILE_SIZE, NULL, page_lg2, &m->io, 8);
	m->arena = m->rig.env->alloc_pages(m->rig.env, ARENA);
	m->lists = m->rig.env->alloc_pages(m->rig.env, LISTS);
	m->arena_copy = malloc(ARENA);
	m->file_copy = malloc(FILE_SIZE);
	m->scratch = malloc(FILE_SIZE);
	assert_true(m->arena && m->lists && m->arena_copy && m->file_copy && m->scratch);
	fill_pattern(m->arena, ARENA, page_lg2);
	memcpy(m->arena_copy, m->arena, ARENA);
	fill_pattern(m->file_copy, FILE_SIZE, 99);
	assert_int_equal(pwrite(m->rig.fd, m->file_copy, FILE_SIZE, 0), FILE_SIZE);
}

static void stop(struct model *m)
{
	m->rig.env->free_pages(m->rig.env, m->arena, ARENA);
	m->rig.env->free_pages(m->rig.env, m->lists, LISTS);
	free(m->arena_copy);
	free(m->file_copy);
	free(m->scratch);
	rig_stop_io(&m->rig, &m->io);
}

static void random_commands(void **state)
{
	struct model m = {.rnd = rnd_start("sim/nvme_model")};

	for (unsigned page_lg2 = 12; page_lg2 <= 16; page_lg2++) {
		start(&m, page_lg2);
		for (unsigned i = 0; i < ROUNDS; i++)
			one_round(&m);
		stop(&m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_commands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
