/* SPDX-License-Identifier: MIT */
/*
 * The simulated NVMe controller against a slow, obvious one: random commands of two namespaces with
 * random PRP entries at each page size, some of them spoiled, delayed or failed by plan; after each,
 * all of memory and of both files must be what the model says.
 */
#define _GNU_SOURCE
#include "test_nvme_rig.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/rnd.h"

#define ARENA     (2u << 20) /* data pages, contiguous, given out in random order */
#define LISTS     (1u << 18)
#define FILE_SIZE (3u << 20)
#define MAX_BYTES (1u << 20)
#define ROUNDS    300
#define MAX_PAGES (MAX_BYTES / 4096 + 1)

#define WRITE   1
#define READ    2
#define COMPARE 5
#define ZEROES  8
#define DSM     9

#define PRP_OFFSET      (0x013 | DNR)
#define TRANSFER        0x004
#define LBA_RANGE       (0x080 | DNR)
#define COMPARE_FAILURE (0x285 | DNR)
#define MAX_RANGES      16

struct ns {
	int fd;
	uint64_t block;
	uint8_t *copy;
};

struct model {
	struct rnd rnd;
	struct rig rig;
	struct pair io;
	uint64_t page;
	uint8_t *arena, *arena_copy;
	uint64_t *lists;
	struct ns ns[2];
	uint8_t *scratch;
};

/* One command: where each page of its data lies. */
struct plan {
	struct ns *ns;
	unsigned opcode;
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
	static const unsigned opcodes[] = {READ, WRITE, COMPARE};
	struct plan p = {.ns = &m->ns[rnd_below(&m->rnd, 2)],
			 .opcode = opcodes[rnd_below(&m->rnd, 3)]};
	uint64_t block = p.ns->block;

	p.bytes = rnd_log(&m->rnd, 1, MAX_BYTES / block) * block;
	p.slba = rnd_below(&m->rnd, (FILE_SIZE - p.bytes) / block + 1);
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

/* Page @i's part of the data: in memory, its copy, and in the copy of the file. */
struct piece {
	uint8_t *memory, *memory_copy, *file;
	uint64_t len;
};

static struct piece piece_of(struct model *m, const struct plan *p, unsigned i)
{
	uint64_t from = bytes_before(m, p, i);
	uint8_t *memory = p->pages[i] + (i ? 0 : p->offset);

	return (struct piece){.memory = memory,
			      .memory_copy = m->arena_copy + (memory - m->arena),
			      .file = p->ns->copy + p->slba * p->ns->block + from,
			      .len = bytes_before(m, p, i + 1) - from};
}

/* What a good command does, to the copies, page by page. */
static void apply(struct model *m, const struct plan *p)
{
	for (unsigned i = 0; i < p->nr; i++) {
		struct piece piece = piece_of(m, p, i);

		if (p->opcode == WRITE)
			memcpy(piece.file, piece.memory_copy, piece.len);
		else if (p->opcode == READ)
			memcpy(piece.memory_copy, piece.file, piece.len);
	}
}

/* Have a Compare find what it looks for, but for one byte in half of those that are not spoiled. */
static void prepare_compare(struct model *m, struct plan *p)
{
	struct piece piece;

	for (unsigned i = 0; i < p->nr; i++) {
		piece = piece_of(m, p, i);
		memcpy(piece.memory, piece.file, piece.len);
		memcpy(piece.memory_copy, piece.file, piece.len);
	}
	if (p->status || rnd_below(&m->rnd, 2))
		return;
	do
		piece = piece_of(m, p, (unsigned)rnd_below(&m->rnd, p->nr));
	while (!piece.len);
	piece.len = rnd_below(&m->rnd, piece.len);
	piece.memory[piece.len] ^= 0x10;
	piece.memory_copy[piece.len] ^= 0x10;
	p->status = COMPARE_FAILURE;
}

static void read_file(struct model *m, const struct ns *ns)
{
	assert_int_equal(pread(ns->fd, m->scratch, FILE_SIZE, 0), FILE_SIZE);
}

/*
 * A spoiled command may have moved what lies before the bad entry, and nothing else. Where it moved
 * something, it moved the right thing; the copies follow.
 */
static void check_spoiled(struct model *m, const struct plan *p)
{
	uint64_t moved = bytes_before(m, p, p->bad), at = p->slba * p->ns->block;

	if (p->opcode == WRITE) {
		read_file(m, p->ns);
		assert_memory_equal(m->scratch, p->ns->copy, at);
		assert_memory_equal(m->scratch + at + moved, p->ns->copy + at + moved,
				    FILE_SIZE - at - moved);
		memcpy(p->ns->copy + at, m->scratch + at, moved);
	}
	for (unsigned i = 0; i < p->bad && p->opcode == READ; i++) {
		struct piece piece = piece_of(m, p, i);

		if (!memcmp(piece.memory, piece.file, piece.len))
			memcpy(piece.memory_copy, piece.memory, piece.len);
		/* else not moved: the whole arena is compared below */
	}
}

static unsigned run_on(struct model *m, const struct ns *ns, uint32_t dw[16])
{
	dw[1] = ns == &m->ns[0] ? 1 : 2;
	return run(&m->rig, &m->io, dw).status;
}

/* A fault for the next command: a delay, or a status. @return the status, 0: none */
static unsigned make_fault(struct model *m)
{
	struct phyr_sim_nvme_fault f = {.kind = PHYR_SIM_NVME_DELAY,
					.queue = 1,
					.opcode = PHYR_SIM_NVME_ANY,
					.steps = rnd_below(&m->rnd, 40)};

	if (rnd_below(&m->rnd, 8))
		return 0;
	if (rnd_below(&m->rnd, 2)) {
		f.kind = PHYR_SIM_NVME_STATUS;
		f.status = (uint16_t)(1 + rnd_below(&m->rnd, 0x7ff));
	}
	assert_int_equal(phyr_sim_nvme_plan(m->rig.dev, &f, 1), 0);
	return f.status;
}

static void data_round(struct model *m)
{
	struct plan p = make_plan(m);
	unsigned lie = make_fault(m), status;
	uint32_t dw[16];

	if (p.opcode == COMPARE)
		prepare_compare(m, &p);
	rw_build(dw, p.opcode, 1, p.slba, (uint32_t)(p.bytes / p.ns->block), p.prp1, p.prp2);
	status = run_on(m, p.ns, dw);
	assert_int_equal(status, lie ? lie : p.status);
	if (lie)
		return;
	if (p.status == PRP_OFFSET || p.status == TRANSFER)
		check_spoiled(m, &p);
	else
		apply(m, &p);
}

/* A range of blocks; one in 16 passes the end. */
static bool pick_range(struct model *m, const struct ns *ns, uint64_t *slba, uint64_t *nr)
{
	uint64_t blocks = FILE_SIZE / ns->block;

	*nr = rnd_log(&m->rnd, 1, blocks / 2);
	*slba = rnd_below(&m->rnd, blocks - *nr + 1);
	if (rnd_below(&m->rnd, 16))
		return true;
	*slba = blocks - *nr + 1 + (rnd_below(&m->rnd, 2) ? rnd_u64(&m->rnd) >> 1 : 0);
	return false;
}

static void zeroes_round(struct model *m)
{
	struct ns *ns = &m->ns[rnd_below(&m->rnd, 2)];
	uint64_t slba, nr;
	bool good = pick_range(m, ns, &slba, &nr);
	unsigned lie = make_fault(m), want = lie ? lie : good ? 0 : LBA_RANGE;
	uint32_t dw[16];

	rw_build(dw, ZEROES, 2, slba, (uint32_t)nr, rnd_u64(&m->rnd), rnd_u64(&m->rnd));
	dw[12] |= (uint32_t)rnd_below(&m->rnd, 2) << 25; /* DEAC */
	assert_int_equal(run_on(m, ns, dw), want);
	if (!want)
		memset(ns->copy + slba * ns->block, 0, nr * ns->block);
}

static void dsm_round(struct model *m)
{
	struct ns *ns = &m->ns[rnd_below(&m->rnd, 2)];
	uint64_t slba[MAX_RANGES], len[MAX_RANGES];
	unsigned nr = 1 + (unsigned)rnd_below(&m->rnd, MAX_RANGES);
	uint32_t attributes = (uint32_t)rnd_below(&m->rnd, 8), dw[16];
	bool good = true;

	for (unsigned i = 0; i < nr; i++) {
		good &= pick_range(m, ns, &slba[i], &len[i]);
		m->lists[2 * i] = len[i] << 32 | (uint32_t)rnd_u64(&m->rnd);
		m->lists[2 * i + 1] = slba[i];
	}
	rw_build(dw, DSM, 3, 0, 1, phys(m, m->lists), 0);
	dw[10] = nr - 1;
	dw[11] = attributes;
	assert_int_equal(run_on(m, ns, dw), good ? 0 : LBA_RANGE);
	for (unsigned i = 0; good && attributes & 4 && i < nr; i++)
		memset(ns->copy + slba[i] * ns->block, 0, len[i] * ns->block);
}

static void compare_all(struct model *m)
{
	assert_memory_equal(m->arena, m->arena_copy, ARENA);
	for (unsigned i = 0; i < 2; i++) {
		read_file(m, &m->ns[i]);
		assert_memory_equal(m->scratch, m->ns[i].copy, FILE_SIZE);
	}
}

static void one_round(struct model *m)
{
	switch (rnd_below(&m->rnd, 8)) {
	case 0:
		zeroes_round(m);
		break;
	case 1:
		dsm_round(m);
		break;
	default:
		data_round(m);
	}
	assert_int_equal(phyr_sim_nvme_plan(m->rig.dev, NULL, 0), 0);
	compare_all(m);
	if (!rnd_below(&m->rnd, 16)) {
		fill_pattern(m->arena, ARENA, rnd_u64(&m->rnd));
		memcpy(m->arena_copy, m->arena, ARENA);
	}
}

static void fill_ns(struct ns *ns, int fd, uint64_t block, uint64_t seed)
{
	*ns = (struct ns){.fd = fd, .block = block, .copy = malloc(FILE_SIZE)};
	assert_non_null(ns->copy);
	fill_pattern(ns->copy, FILE_SIZE, seed);
	assert_int_equal(pwrite(fd, ns->copy, FILE_SIZE, 0), FILE_SIZE);
}

static void start(struct model *m, unsigned page_lg2)
{
	struct phyr_sim_nvme_ns more = {.fd = memfd_create("second", 0), .block_lg2 = 12};
	struct phyr_sim_nvme_config c = {.more = &more, .nr_more = 1};

	assert_int_equal(ftruncate(more.fd, FILE_SIZE), 0);
	m->page = (uint64_t)1 << page_lg2;
	rig_start_io(&m->rig, FILE_SIZE, &c, page_lg2, &m->io, 8);
	m->arena = m->rig.env->alloc_pages(m->rig.env, ARENA);
	m->lists = m->rig.env->alloc_pages(m->rig.env, LISTS);
	m->arena_copy = malloc(ARENA);
	m->scratch = malloc(FILE_SIZE);
	assert_true(m->arena && m->lists && m->arena_copy && m->scratch);
	fill_pattern(m->arena, ARENA, page_lg2);
	memcpy(m->arena_copy, m->arena, ARENA);
	fill_ns(&m->ns[0], m->rig.fd, 512, 99);
	fill_ns(&m->ns[1], more.fd, 4096, 77);
}

static void stop(struct model *m)
{
	m->rig.env->free_pages(m->rig.env, m->arena, ARENA);
	m->rig.env->free_pages(m->rig.env, m->lists, LISTS);
	free(m->arena_copy);
	free(m->ns[0].copy);
	free(m->ns[1].copy);
	free(m->scratch);
	rig_stop_io(&m->rig, &m->io);
	close(m->ns[1].fd);
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
