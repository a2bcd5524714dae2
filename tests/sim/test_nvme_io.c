/* SPDX-License-Identifier: MIT */
/* The simulated NVMe controller: data through PRP entries and lists, and each status of I/O. */
#define _GNU_SOURCE
#include "test_nvme_rig.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define READ  2
#define WRITE 1

#define INVALID_OPCODE   (0x001 | DNR)
#define INVALID_FIELD    (0x002 | DNR)
#define TRANSFER_ERROR   0x004
#define INTERNAL_ERROR   0x006
#define INVALID_NS       (0x00b | DNR)
#define PRP_OFFSET       (0x013 | DNR)
#define WRITE_PROTECTED  (0x020 | DNR)
#define LBA_RANGE        (0x080 | DNR)
#define WRITE_FAULT      0x280
#define UNRECOVERED_READ 0x281

#define NS (2u << 20)

static void file_is(struct rig *r, uint64_t offset, const void *data, uint64_t len)
{
	uint8_t *got = malloc(len);

	assert_int_equal(pread(r->fd, got, len, (off_t)offset), (ssize_t)len);
	assert_memory_equal(got, data, len);
	free(got);
}

static void file_set(struct rig *r, uint64_t seed)
{
	uint8_t *data = malloc(r->bytes);

	fill_pattern(data, r->bytes, seed);
	assert_int_equal(pwrite(r->fd, data, r->bytes, 0), (ssize_t)r->bytes);
	free(data);
}

static void all_are(const uint8_t *p, uint64_t len, uint8_t byte)
{
	for (uint64_t i = 0; i < len; i++)
		assert_int_equal(p[i], byte);
}

/* Within a page, from any dword; PRP2 is not looked at. */
static void one_page(void **state)
{
	static const unsigned offsets[] = {0, 4, 508, 3584};
	struct pair p;
	struct mem m;
	struct rig r;

	rig_start_io(&r, NS, NULL, 12, &p, 16);
	m = mem_alloc(&r, 4096);
	for (unsigned i = 0; i < 4; i++) {
		uint64_t phys = phys_of(&r, m.ptr) + offsets[i];

		fill_pattern(m.ptr, 4096, i);
		assert_int_equal(rw(&r, &p, WRITE, 100 + i, 1, phys, NOT_RAM + 1), 0);
		file_is(&r, (100 + i) * 512, m.ptr + offsets[i], 512);
		memset(m.ptr, 0xee, 4096);
		assert_int_equal(rw(&r, &p, READ, 100 + i, 1, phys, NOT_RAM + 1), 0);
		file_is(&r, (100 + i) * 512, m.ptr + offsets[i], 512);
		all_are(m.ptr, offsets[i], 0xee);
		all_are(m.ptr + offsets[i] + 512, 4096 - 512 - offsets[i], 0xee);
	}
	assert_int_equal(rw(&r, &p, WRITE, 0, 8, phys_of(&r, m.ptr), 0), 0);
	file_is(&r, 0, m.ptr, 4096);
	mem_free(&r, &m);
	rig_stop_io(&r, &p);
}

/* What doesn't fit the first page and fits the second: PRP2 is that page. */
static void two_pages(void **state)
{
	struct pair p;
	struct mem m;
	struct rig r;

	rig_start_io(&r, NS, NULL, 12, &p, 16);
	file_set(&r, 1);
	m = mem_alloc(&r, 4 * 4096);
	memset(m.ptr, 0xee, m.len);
	assert_int_equal(
		rw(&r, &p, READ, 0, 8, phys_of(&r, m.ptr + 0x204), phys_of(&r, m.ptr + 8192)), 0);
	file_is(&r, 0, m.ptr + 0x204, 4096 - 0x204);
	file_is(&r, 4096 - 0x204, m.ptr + 8192, 0x204);
	all_are(m.ptr, 0x204, 0xee);
	all_are(m.ptr + 4096, 4096, 0xee);
	all_are(m.ptr + 8192 + 0x204, 8192 - 0x204, 0xee);
	assert_int_equal(rw(&r, &p, READ, 8, 16, phys_of(&r, m.ptr), phys_of(&r, m.ptr + 12288)),
			 0);
	file_is(&r, 4096, m.ptr, 4096);
	file_is(&r, 8192, m.ptr + 12288, 4096);
	mem_free(&r, &m);
	rig_stop_io(&r, &p);
}

/*
 * A transfer of @nr pages of data (the first from @offset on) by a list that starts at slot @slot of
 * its first page. Data pages are taken from @data with a stride of 7, which their number is no multiple
 * of, list pages from @lists.
 */
struct listed {
	uint8_t *data;
	uint64_t data_pages;
	uint64_t *lists; /* contiguous list pages */
	uint64_t list_pages;
	uint64_t prp1, prp2;
};

static uint64_t data_page(const struct rig *r, const struct listed *l, uint64_t i)
{
	return (i * 7 % l->data_pages) << r->page_lg2;
}

static void build_list(struct rig *r, struct listed *l, uint64_t nr, uint64_t offset, uint64_t slot,
		       uint64_t (*phys)(struct rig *, const void *))
{
	uint64_t per_page = ((uint64_t)1 << r->page_lg2) / 8, page = 0;

	memset(l->lists, 0xff, l->list_pages << r->page_lg2);
	l->prp1 = phys(r, l->data + data_page(r, l, 0)) + offset;
	l->prp2 = phys(r, l->lists) + slot * 8;
	for (uint64_t i = 1; i < nr; i++) {
		if (slot == per_page - 1 && i + 1 < nr) {
			page++;
			assert_true(page < l->list_pages);
			l->lists[page * per_page - 1] = phys(r, l->lists + page * per_page);
			slot = 0;
		}
		l->lists[page * per_page + slot++] = phys(r, l->data + data_page(r, l, i));
	}
}

static void gather(const struct rig *r, const struct listed *l, uint64_t offset, uint8_t *to,
		   uint64_t bytes)
{
	uint64_t size = (uint64_t)1 << r->page_lg2;

	for (uint64_t i = 0; bytes; i++, offset = 0) {
		uint64_t len = bytes < size - offset ? bytes : size - offset;

		memcpy(to, l->data + data_page(r, l, i) + offset, len);
		to += len;
		bytes -= len;
	}
}

static void round_trip(struct rig *r, struct pair *p, struct listed *l, uint64_t bytes,
		       uint64_t offset, uint64_t slot, unsigned block_lg2,
		       uint64_t (*phys)(struct rig *, const void *))
{
	uint64_t nr = (offset + bytes + ((uint64_t)1 << r->page_lg2) - 1) >> r->page_lg2;
	uint32_t blocks = (uint32_t)(bytes >> block_lg2);
	uint8_t *want = malloc(bytes), *got = malloc(bytes);

	build_list(r, l, nr, offset, slot, phys);
	fill_pattern(l->data, l->data_pages << r->page_lg2, bytes + offset + slot);
	gather(r, l, offset, want, bytes);
	assert_int_equal(rw(r, p, WRITE, 3, blocks, l->prp1, l->prp2), 0);
	file_is(r, (uint64_t)3 << block_lg2, want, bytes);
	if (nr <= l->data_pages) {
		memset(l->data, 0xee, l->data_pages << r->page_lg2);
		assert_int_equal(rw(r, p, READ, 3, blocks, l->prp1, l->prp2), 0);
		gather(r, l, offset, got, bytes);
		assert_memory_equal(got, want, bytes);
		all_are(l->data, offset, 0xee); /* page 0 of the stride is the first */
	}
	free(want);
	free(got);
}

/* Lists of 2 pages up, ending at, before and behind the edges of list pages, at each slot. */
static void lists_4k(void **state)
{
	static const uint64_t pages[] = {3, 511, 512, 513, 1024, 1025};
	static const uint64_t slots[] = {0, 1, 510, 511};
	struct phyr_sim_nvme_config c = {.mdts = 11};
	struct mem data, lists;
	struct listed l;
	struct pair p;
	struct rig r;

	rig_start_io(&r, 8 << 20, &c, 12, &p, 16);
	data = mem_alloc(&r, 1103 * 4096);
	lists = mem_alloc(&r, 4 * 4096);
	l = (struct listed){data.ptr, 1103, (uint64_t *)lists.ptr, 4, 0, 0};
	for (unsigned i = 0; i < 6; i++) {
		for (unsigned j = 0; j < 4; j++) {
			round_trip(&r, &p, &l, pages[i] * 4096, 0, slots[j], 9, phys_of);
			round_trip(&r, &p, &l, pages[i] * 4096 - 512, 0x204, slots[j], 9, phys_of);
		}
	}
	mem_free(&r, &data);
	mem_free(&r, &lists);
	rig_stop_io(&r, &p);
}

static uint64_t phys_contiguous(struct rig *r, const void *ptr)
{
	return (uint64_t)(uintptr_t)ptr + r->env->phys_delta;
}

/* Pages of 8K to 64K; at 64K more than 512 of them, and chains from the last slots. */
static void lists_larger_pages(void **state)
{
	struct phyr_sim_nvme_config c = {.mdts = 14, .block_lg2 = 12};
	const uint64_t bytes = 4 << 20;
	struct listed l;
	struct pair p;
	struct rig r;

	for (unsigned lg2 = 13; lg2 <= 16; lg2++) {
		uint64_t size = (uint64_t)1 << lg2, per = size / 8;

		rig_start_io(&r, 48 << 20, &c, lg2, &p, 16);
		l = (struct listed){.data_pages = (bytes >> lg2) - 3, .list_pages = 4};
		l.data = r.env->alloc_pages(r.env, bytes);
		l.lists = r.env->alloc_pages(r.env, 4 * size);
		assert_true(l.data && l.lists);
		for (uint64_t slot = per - 3; slot < per; slot++) {
			round_trip(&r, &p, &l, 3 * size, 0, slot, 12, phys_contiguous);
			round_trip(&r, &p, &l, 4 * size, 0x1004, slot, 12, phys_contiguous);
			round_trip(&r, &p, &l, 40 * size, size - 4, slot, 12, phys_contiguous);
		}
		round_trip(&r, &p, &l, 514 * size, 0, per - 513, 12, phys_contiguous);
		round_trip(&r, &p, &l, (lg2 == 16 ? 600 : 620) * size, 4, 5, 12, phys_contiguous);
		r.env->free_pages(r.env, l.data, bytes);
		r.env->free_pages(r.env, l.lists, 4 * size);
		rig_stop_io(&r, &p);
	}
}

/* Entries, or a chain, off their places. */
static void prp_offsets(void **state)
{
	struct mem m, list;
	uint64_t *entries;
	struct pair p;
	struct rig r;
	uint64_t a, b;

	rig_start_io(&r, 8 << 20, &(struct phyr_sim_nvme_config){.mdts = 11}, 12, &p, 16);
	m = mem_alloc(&r, 2 * 4096);
	list = mem_alloc(&r, 2 * 4096);
	entries = (uint64_t *)list.ptr;
	a = phys_of(&r, m.ptr);
	b = phys_of(&r, m.ptr + 4096);
	for (unsigned i = 0; i < 512; i++)
		entries[i] = a;
	for (unsigned op = WRITE; op <= READ; op++) {
		assert_int_equal(rw(&r, &p, op, 0, 1, a + 1, 0), PRP_OFFSET);
		assert_int_equal(rw(&r, &p, op, 0, 1, a + 2, 0), PRP_OFFSET);
		assert_int_equal(rw(&r, &p, op, 0, 16, a, b + 4), PRP_OFFSET);
		assert_int_equal(rw(&r, &p, op, 0, 16, a, b + 512), PRP_OFFSET);
		memcpy(list.ptr + 4, (uint64_t[]){a, b},
		       16); /* it would do, were it not for its place */
		assert_int_equal(rw(&r, &p, op, 0, 24, a, phys_of(&r, entries) + 4), PRP_OFFSET);
		entries[0] = entries[2] = a;
		entries[1] = b + 8;
		assert_int_equal(rw(&r, &p, op, 0, 24, a, phys_of(&r, entries)), PRP_OFFSET);
		assert_int_equal(rw(&r, &p, op, 0, 16, a, b), 0);
		assert_int_equal(rw(&r, &p, op, 0, 24, a, phys_of(&r, entries) + 8), PRP_OFFSET);
		assert_int_equal(rw(&r, &p, op, 0, 24, a, phys_of(&r, entries) + 16), 0);
		entries[1] = a;
		entries[511] = phys_of(&r, entries + 512) + 8; /* a chain has no offset */
		entries[512] = entries[513] = entries[514] = b;
		assert_int_equal(rw(&r, &p, op, 0, 32, a, phys_of(&r, entries) + 510 * 8),
				 PRP_OFFSET);
		entries[511] -= 8;
		assert_int_equal(rw(&r, &p, op, 0, 32, a, phys_of(&r, entries) + 510 * 8), 0);
		entries[511] = a;
	}
	mem_free(&r, &m);
	mem_free(&r, &list);
	rig_stop_io(&r, &p);
}

/* Entries that lead nowhere, one place after the other: the command fails, nothing behind moves. */
static void blocked_data(void **state)
{
	struct mem m, list;
	uint64_t *entries;
	struct pair p;
	struct rig r;

	rig_start_io(&r, NS, NULL, 12, &p, 16);
	file_set(&r, 5);
	m = mem_alloc(&r, 8 * 4096);
	list = mem_alloc(&r, 4096);
	entries = (uint64_t *)list.ptr;
	assert_int_equal(rw(&r, &p, READ, 0, 1, NOT_RAM, 0), TRANSFER_ERROR);
	assert_int_equal(rw(&r, &p, WRITE, 0, 1, NOT_RAM, 0), TRANSFER_ERROR);
	assert_int_equal(rw(&r, &p, READ, 0, 16, phys_of(&r, m.ptr), NOT_RAM), TRANSFER_ERROR);
	for (unsigned bad = 0; bad < 7; bad++) {
		uint8_t before[8 * 4096];

		for (unsigned i = 0; i < 7; i++)
			entries[i] = i == bad ? NOT_RAM : phys_of(&r, m.ptr + 4096 * (i + 1));
		memset(m.ptr, 0xee, m.len);
		assert_int_equal(rw(&r, &p, READ, 0, 64, phys_of(&r, m.ptr), phys_of(&r, entries)),
				 TRANSFER_ERROR);
		all_are(m.ptr + 4096 * (bad + 1), 4096 * (7 - bad), 0xee);
		assert_int_equal(pread(r.fd, before, sizeof(before), 0), (ssize_t)sizeof(before));
		assert_int_equal(rw(&r, &p, WRITE, 0, 64, phys_of(&r, m.ptr), phys_of(&r, entries)),
				 TRANSFER_ERROR);
		file_is(&r, 4096 * (bad + 1), before + 4096 * (bad + 1), 4096 * (7 - bad));
	}
	assert_int_equal(rig_read(&r, 0x1c), 1);
	mem_free(&r, &m);
	mem_free(&r, &list);
	rig_stop_io(&r, &p);
}

/* The list itself, or the page that it goes on in. */
static void blocked_lists(void **state)
{
	struct mem m, list;
	uint64_t *entries;
	struct pair p;
	struct rig r;

	rig_start_io(&r, NS, NULL, 12, &p, 16);
	m = mem_alloc(&r, 4096);
	list = mem_alloc(&r, 4096);
	entries = (uint64_t *)list.ptr;
	for (unsigned op = WRITE; op <= READ; op++) {
		assert_int_equal(rw(&r, &p, op, 0, 24, phys_of(&r, m.ptr), NOT_RAM),
				 TRANSFER_ERROR);
		entries[510] = phys_of(&r, m.ptr);
		entries[511] = NOT_RAM;
		assert_int_equal(
			rw(&r, &p, op, 0, 32, phys_of(&r, m.ptr), phys_of(&r, entries + 510)),
			TRANSFER_ERROR);
		assert_int_equal(
			rw(&r, &p, op, 0, 32, phys_of(&r, m.ptr), phys_of(&r, entries + 511)),
			TRANSFER_ERROR);
		entries[511] = phys_of(&r, m.ptr); /* exactly the last slot: a page, no chain */
		assert_int_equal(
			rw(&r, &p, op, 0, 24, phys_of(&r, m.ptr), phys_of(&r, entries + 510)), 0);
	}
	mem_free(&r, &m);
	mem_free(&r, &list);
	rig_stop_io(&r, &p);
}

/* A chain that leads back to itself is walked to the end of the data. */
static void list_in_a_circle(void **state)
{
	struct mem m, list;
	uint64_t *entries;
	struct pair p;
	struct rig r;

	rig_start_io(&r, 16 << 20, &(struct phyr_sim_nvme_config){.mdts = 12}, 12, &p, 16);
	m = mem_alloc(&r, 4096);
	list = mem_alloc(&r, 4096);
	entries = (uint64_t *)list.ptr;
	for (unsigned i = 0; i < 511; i++)
		entries[i] = phys_of(&r, m.ptr);
	entries[511] = phys_of(&r, entries);
	fill_pattern(m.ptr, 4096, 9);
	assert_int_equal(rw(&r, &p, WRITE, 0, 4096 * 8, phys_of(&r, m.ptr), phys_of(&r, entries)),
			 0);
	file_is(&r, 4095 * 4096, m.ptr, 4096);
	mem_free(&r, &m);
	mem_free(&r, &list);
	rig_stop_io(&r, &p);
}

static void ranges_and_namespaces(void **state)
{
	uint32_t dw[16];
	struct pair p;
	struct mem m;
	struct rig r;
	uint64_t a;

	rig_start_io(&r, 100 * 512, NULL, 12, &p, 16);
	m = mem_alloc(&r, 4096);
	a = phys_of(&r, m.ptr);
	for (unsigned op = WRITE; op <= READ; op++) {
		assert_int_equal(rw(&r, &p, op, 99, 1, a, 0), 0);
		assert_int_equal(rw(&r, &p, op, 92, 8, a, 0), 0);
		assert_int_equal(rw(&r, &p, op, 100, 1, a, 0), LBA_RANGE);
		assert_int_equal(rw(&r, &p, op, 99, 2, a, 0), LBA_RANGE);
		assert_int_equal(rw(&r, &p, op, ~(uint64_t)0, 1, a, 0), LBA_RANGE);
		assert_int_equal(rw(&r, &p, op, ~(uint64_t)0 - 3, 8, a, 0), LBA_RANGE);
		assert_int_equal(rw(&r, &p, op, (uint64_t)1 << 55, 8, a, 0), LBA_RANGE);
		for (unsigned i = 0; i < 3; i++) {
			static const uint32_t nsid[] = {0, 2, ~0u};

			rw_build(dw, op, 1, 0, 1, a, 0);
			dw[1] = nsid[i];
			assert_int_equal(run(&r, &p, dw).status, INVALID_NS);
		}
	}
	rw_build(dw, 0, 1, 0, 1, 0, 0); /* flush */
	assert_int_equal(run(&r, &p, dw).status, 0);
	dw[1] = ~0u;
	assert_int_equal(run(&r, &p, dw).status, 0);
	dw[1] = 0;
	assert_int_equal(run(&r, &p, dw).status, INVALID_NS);
	dw[1] = 2;
	assert_int_equal(run(&r, &p, dw).status, INVALID_NS);
	mem_free(&r, &m);
	rig_stop_io(&r, &p);
}

static void fields_and_opcodes(void **state)
{
	static const unsigned unknown[] = {0x03, 0x04, 0x0c, 0x0d, 0x19, 0x80, 0xff};
	uint32_t dw[16];
	struct pair p;
	struct mem m;
	struct rig r;

	rig_start_io(&r, NS, NULL, 12, &p, 16);
	m = mem_alloc(&r, 4096);
	for (unsigned i = 0; i < sizeof(unknown) / sizeof(*unknown); i++) {
		rw_build(dw, unknown[i], i, 0, 1, phys_of(&r, m.ptr), 0);
		assert_int_equal(run(&r, &p, dw).status, INVALID_OPCODE);
	}
	rw_build(dw, READ | 1 << 8, 0, 0, 1, phys_of(&r, m.ptr), 0);
	assert_int_equal(run(&r, &p, dw).status, INVALID_FIELD);
	rw_build(dw, READ | 1 << 14, 0, 0, 1, phys_of(&r, m.ptr), 0);
	assert_int_equal(run(&r, &p, dw).status, INVALID_FIELD);
	rw_build(dw, WRITE, 0, 0, 1, phys_of(&r, m.ptr), 0);
	dw[12] |= 1 << 20; /* a directive */
	assert_int_equal(run(&r, &p, dw).status, INVALID_FIELD);
	for (unsigned op = WRITE; op <= READ; op++) {
		rw_build(dw, op, 0, 7, 1, phys_of(&r, m.ptr), 0);
		dw[12] |= 1u << 30; /* FUA */
		fill_pattern(m.ptr, 512, 77);
		assert_int_equal(run(&r, &p, dw).status, 0);
		file_is(&r, 7 * 512, m.ptr, 512);
	}
	mem_free(&r, &m);
	rig_stop_io(&r, &p);
}

/* MDTS counts in pages of CAP.MPSMIN, not of CC.MPS. */
static void largest_transfer(void **state)
{
	struct phyr_sim_nvme_config c = {.mdts = 2, .mps_min_lg2 = 13};
	struct mem m, list;
	struct pair p;
	struct rig r;

	rig_start_io(&r, NS, &c, 14, &p, 16);
	m = mem_alloc(&r, 4096);
	list = mem_alloc(&r, 4096);
	for (unsigned op = WRITE; op <= READ; op++) {
		assert_int_equal(rw(&r, &p, op, 0, 65, NOT_RAM, NOT_RAM), INVALID_FIELD);
		assert_int_equal(rw(&r, &p, op, 0, 65536, NOT_RAM, NOT_RAM), INVALID_FIELD);
		assert_int_equal(rw(&r, &p, op, 0, 64, NOT_RAM, NOT_RAM), TRANSFER_ERROR);
	}
	mem_free(&r, &m);
	mem_free(&r, &list);
	rig_stop_io(&r, &p);
}

static void read_only(void **state)
{
	struct phyr_sim_nvme_config c = {.read_only = true};
	uint32_t dw[16];
	struct pair p;
	struct mem m;
	struct rig r;

	rig_start_io(&r, NS, &c, 12, &p, 16);
	m = mem_alloc(&r, 4096);
	memset(m.ptr, 0xee, 4096);
	assert_int_equal(rw(&r, &p, WRITE, 0, 8, phys_of(&r, m.ptr), 0), WRITE_PROTECTED);
	assert_int_equal(rw(&r, &p, WRITE, NS / 512, 8, phys_of(&r, m.ptr), 0), LBA_RANGE);
	assert_int_equal(rw(&r, &p, READ, 0, 8, phys_of(&r, m.ptr), 0), 0);
	all_are(m.ptr, 4096, 0);
	rw_build(dw, 0, 1, 0, 1, 0, 0);
	assert_int_equal(run(&r, &p, dw).status, 0);
	mem_free(&r, &m);
	rig_stop_io(&r, &p);
}

/* A file that was cut: what is there comes, then the end is an unrecovered read. */
static void file_cut_short(void **state)
{
	struct pair p;
	struct mem m;
	struct rig r;

	rig_start_io(&r, NS, NULL, 12, &p, 16);
	file_set(&r, 3);
	m = mem_alloc(&r, 2 * 4096);
	assert_int_equal(ftruncate(r.fd, 5000), 0);
	assert_int_equal(rw(&r, &p, READ, 0, 16, phys_of(&r, m.ptr), phys_of(&r, m.ptr + 4096)),
			 UNRECOVERED_READ);
	file_is(&r, 0, m.ptr, 4096);
	file_is(&r, 4096, m.ptr + 4096, 5000 - 4096);
	assert_int_equal(rw(&r, &p, READ, 16, 8, phys_of(&r, m.ptr), 0), UNRECOVERED_READ);
	assert_int_equal(rw(&r, &p, READ, 0, 8, phys_of(&r, m.ptr), 0), 0);
	mem_free(&r, &m);
	rig_stop_io(&r, &p);
}

/* A limit in the middle of a write: half of it lands, then the file takes no more. */
static void file_takes_no_more(void **state)
{
	struct rlimit was, now;
	struct pair p;
	struct mem m;
	struct rig r;
	unsigned status, ok;

	rig_start_io(&r, NS, NULL, 12, &p, 16);
	m = mem_alloc(&r, 2 * 4096);
	fill_pattern(m.ptr, m.len, 4);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	now = (struct rlimit){.rlim_cur = 6000, .rlim_max = was.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &now), 0);
	status = rw(&r, &p, WRITE, 0, 16, phys_of(&r, m.ptr), phys_of(&r, m.ptr + 4096));
	ok = rw(&r, &p, WRITE, 0, 8, phys_of(&r, m.ptr), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
	assert_int_equal(status, WRITE_FAULT);
	assert_int_equal(ok, 0);
	file_is(&r, 0, m.ptr, 6000);
	mem_free(&r, &m);
	rig_stop_io(&r, &p);
}

/* The caller closed the file under the controller: its own trouble, not the media's. */
static void file_gone(void **state)
{
	uint32_t dw[16];
	struct pair p;
	struct mem m;
	struct rig r;
	int spare;

	rig_start_io(&r, NS, NULL, 12, &p, 16);
	m = mem_alloc(&r, 4096);
	spare = dup(r.fd);
	close(r.fd);
	assert_int_equal(rw(&r, &p, READ, 0, 8, phys_of(&r, m.ptr), 0), INTERNAL_ERROR);
	assert_int_equal(rw(&r, &p, WRITE, 0, 8, phys_of(&r, m.ptr), 0), INTERNAL_ERROR);
	rw_build(dw, 0, 1, 0, 1, 0, 0);
	assert_int_equal(run(&r, &p, dw).status, INTERNAL_ERROR);
	rig_write(&r, 0x14, 0x00460001 | 1 << 14); /* a shutdown can tell of it by CFS only */
	rig_settle(&r);
	assert_int_equal(rig_read(&r, 0x1c), 1 | 2 | 2 << 2);
	rig_disable(&r);
	rig_write(&r, 0x14, 2 << 14); /* an abrupt one does nothing that could fail */
	rig_settle(&r);
	assert_int_equal(rig_read(&r, 0x1c), 2 << 2);
	assert_int_equal(dup2(spare, r.fd), r.fd);
	close(spare);
	mem_free(&r, &m);
	ring_free(&r, &p.sq);
	ring_free(&r, &p.cq);
	rig_stop(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_page),
		cmocka_unit_test(two_pages),
		cmocka_unit_test(lists_4k),
		cmocka_unit_test(lists_larger_pages),
		cmocka_unit_test(prp_offsets),
		cmocka_unit_test(blocked_data),
		cmocka_unit_test(blocked_lists),
		cmocka_unit_test(list_in_a_circle),
		cmocka_unit_test(ranges_and_namespaces),
		cmocka_unit_test(fields_and_opcodes),
		cmocka_unit_test(largest_transfer),
		cmocka_unit_test(read_only),
		cmocka_unit_test(file_cut_short),
		cmocka_unit_test(file_takes_no_more),
		cmocka_unit_test(file_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
