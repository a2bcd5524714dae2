/* SPDX-License-Identifier: MIT */
/* The simulated NVMe controller: log pages, and Format, which one of them tells of. */
#define _GNU_SOURCE
#include "test_nvme_rig.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define INVALID_OPCODE  (0x001 | DNR)
#define INVALID_FIELD   (0x002 | DNR)
#define INVALID_NS      (0x00b | DNR)
#define WRITE_PROTECTED (0x020 | DNR)
#define LBA_RANGE       (0x080 | DNR)
#define INVALID_LOG     (0x109 | DNR)
#define INVALID_FORMAT  (0x10a | DNR)

#define ERRORS  1
#define HEALTH  2
#define CHANGED 4

#define RETAIN (1u << 15)

/* @len bytes of a log page from @offset on. @return its status */
static unsigned get_log(struct rig *r, uint32_t nsid, uint32_t bits, uint64_t offset, uint64_t len,
			const void *ptr)
{
	uint32_t dw[16] = {GET_LOG | 0x99 << 16, nsid};
	uint64_t phys = phys_of(r, ptr), dwords = len / 4 - 1;

	dw[6] = (uint32_t)phys;
	dw[7] = (uint32_t)(phys >> 32);
	dw[10] = bits | (uint32_t)(dwords << 16);
	dw[11] = (uint32_t)(dwords >> 16);
	dw[12] = (uint32_t)offset;
	dw[13] = (uint32_t)(offset >> 32);
	return run(r, &r->admin, dw).status;
}

static void errors_are_logged(void **state)
{
	struct pair p;
	struct mem m;
	struct rig r;

	rig_start_io(&r, 1 << 20, NULL, 12, &p, 16);
	m = mem_alloc(&r, 4096);
	memset(m.ptr, 0xaa, 4096);
	assert_int_equal(get_log(&r, ~0u, ERRORS, 0, 4096, m.ptr), 0);
	for (unsigned i = 0; i < 4096; i++)
		assert_int_equal(m.ptr[i], 0);
	assert_int_equal(rw(&r, &p, 2, 5000, 1, NOT_RAM, 0), LBA_RANGE);
	assert_int_equal(rw(&r, &p, 2, 77, 1, NOT_RAM, 0), 0x004);
	assert_int_equal(admin(&r, 0x7f, 3, 0, 0, NULL).status, INVALID_OPCODE);
	for (unsigned i = 0; i < 2; i++) { /* reading does not take them out */
		assert_int_equal(get_log(&r, ~0u, ERRORS, 0, 256, m.ptr), 0);
		assert_int_equal(le(m.ptr, 8), 3);
		assert_int_equal(le(m.ptr + 8, 2), 0);
		assert_int_equal(le(m.ptr + 10, 2), 0x1234);
		assert_int_equal(le(m.ptr + 12, 2), (INVALID_OPCODE | MORE) << 1);
		assert_int_equal(le(m.ptr + 14, 2), 0xffff);
		assert_int_equal(le(m.ptr + 24, 4), 3);
		assert_int_equal(le(m.ptr + 64, 8), 2);
		assert_int_equal(le(m.ptr + 64 + 8, 2), 1);
		assert_int_equal(le(m.ptr + 64 + 12, 2), (0x004 | MORE) << 1);
		assert_int_equal(le(m.ptr + 64 + 16, 8), 77);
		assert_int_equal(le(m.ptr + 64 + 24, 4), 1);
		assert_int_equal(le(m.ptr + 128, 8), 1);
		assert_int_equal(le(m.ptr + 128 + 16, 8), 5000);
		assert_int_equal(le(m.ptr + 192, 8), 0);
	}
	for (unsigned i = 0; i < 100; i++)
		rw(&r, &p, 2, 5000 + i, 1, NOT_RAM, 0);
	assert_int_equal(get_log(&r, 0, ERRORS, 0, 4096, m.ptr), 0);
	for (unsigned i = 0; i < 64; i++) {
		assert_int_equal(le(m.ptr + 64 * i, 8), 103 - i);
		assert_int_equal(le(m.ptr + 64 * i + 16, 8), 5099 - i);
	}
	rig_disable(&r); /* a reset keeps them */
	rig_enable(&r, 12);
	assert_int_equal(get_log(&r, 0, ERRORS, 64, 64, m.ptr), 0);
	assert_int_equal(le(m.ptr, 8), 102);
	mem_free(&r, &m);
	ring_free(&r, &p.sq);
	ring_free(&r, &p.cq);
	rig_stop(&r);
}

static void move_blocks(struct rig *r, struct pair *p, const void *ptr, unsigned nr)
{
	while (nr--) {
		assert_int_equal(rw(r, p, 1, 0, 8, phys_of(r, ptr), 0), 0);
		assert_int_equal(rw(r, p, 2, 0, 8, phys_of(r, ptr), 0), 0);
		assert_int_equal(rw(r, p, 5, 0, 4, phys_of(r, ptr), 0), 0); /* compare reads */
	}
}

static void health(void **state)
{
	struct phyr_sim_nvme_fault f = {
		.kind = PHYR_SIM_NVME_STATUS, .queue = 1, .opcode = 2, .count = 3, .status = 0x281};
	struct pair p;
	struct mem m, log;
	struct rig r;

	rig_start_io(&r, 1 << 20, NULL, 12, &p, 16);
	m = mem_alloc(&r, 4096);
	log = mem_alloc(&r, 4096);
	assert_int_equal(get_log(&r, ~0u, HEALTH, 0, 512, log.ptr), 0);
	assert_int_equal(log.ptr[0], 0);
	assert_int_equal(le(log.ptr + 1, 2), 310);
	assert_int_equal(log.ptr[3], 100);
	assert_int_equal(le(log.ptr + 32, 8), 0);
	assert_int_equal(le(log.ptr + 112, 8), 1);
	move_blocks(&r, &p, m.ptr, 1);
	assert_int_equal(get_log(&r, ~0u, HEALTH, 0, 512, log.ptr), 0);
	assert_int_equal(le(log.ptr + 32, 8), 1); /* rounded up */
	assert_int_equal(le(log.ptr + 48, 8), 1);
	move_blocks(&r, &p, m.ptr, 249);
	assert_int_equal(phyr_sim_nvme_plan(r.dev, &f, 1), 0);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(rw(&r, &p, 2, 0, 1, NOT_RAM, 0), 0x281);
	assert_int_equal(get_log(&r, ~0u, HEALTH, 0, 512, log.ptr), 0);
	assert_int_equal(le(log.ptr + 32, 8), 3); /* 250 * 12 blocks */
	assert_int_equal(le(log.ptr + 48, 8), 2); /* 250 * 8 */
	assert_int_equal(le(log.ptr + 64, 8), 500);
	assert_int_equal(le(log.ptr + 80, 8), 250);
	assert_int_equal(le(log.ptr + 128, 8), 0); /* hours */
	assert_int_equal(le(log.ptr + 160, 8), 3);
	assert_int_equal(le(log.ptr + 176, 8), 3);
	phyr_sim_nvme_set_temperature(r.dev, 343);
	assert_int_equal(get_log(&r, ~0u, HEALTH, 0, 512, log.ptr), 0);
	assert_int_equal(log.ptr[0], 2);
	assert_int_equal(le(log.ptr + 1, 2), 343);
	phyr_sim_nvme_set_temperature(r.dev, 342);
	assert_int_equal(get_log(&r, ~0u, HEALTH, 0, 512, log.ptr), 0);
	assert_int_equal(log.ptr[0], 0);
	mem_free(&r, &m);
	mem_free(&r, &log);
	rig_stop_io(&r, &p);
}

static void other_pages(void **state)
{
	static const uint8_t admin_ops[] = {0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 0x80};
	static const uint8_t io_ops[] = {0, 1, 2, 5, 8, 9}, logs[] = {0, 1, 2, 3, 4, 5, 0x12, 0x13};
	unsigned found = 0;
	struct rig r;
	struct mem m;

	rig_start(&r, 1 << 20, NULL);
	rig_enable(&r, 12);
	m = mem_alloc(&r, 4096);
	assert_int_equal(get_log(&r, 0, 3, 0, 512, m.ptr), 0);
	assert_int_equal(m.ptr[0], 1);
	assert_memory_equal(m.ptr + 8, PHYR_VERSION, strlen(PHYR_VERSION));
	assert_int_equal(get_log(&r, 0, 5, 0, 4096, m.ptr), 0);
	for (unsigned i = 0; i < 512; i++)
		found += m.ptr[4 * i] & 1;
	assert_int_equal(found, sizeof(admin_ops) + sizeof(io_ops));
	for (unsigned i = 0; i < sizeof(admin_ops); i++)
		assert_int_equal(m.ptr[4 * admin_ops[i]] & 1, 1);
	for (unsigned i = 0; i < sizeof(io_ops); i++)
		assert_int_equal(m.ptr[1024 + 4 * io_ops[i]] & 3,
				 io_ops[i] == 1 || io_ops[i] > 5 ? 3 : 1);
	assert_int_equal(get_log(&r, 0, 0, 0, 1024, m.ptr), 0);
	found = 0;
	for (unsigned i = 0; i < 256; i++)
		found += m.ptr[4 * i];
	assert_int_equal(found, sizeof(logs));
	for (unsigned i = 0; i < sizeof(logs); i++)
		assert_int_equal(m.ptr[4 * logs[i]], 1);
	assert_int_equal(get_log(&r, 0, 0x12, 0, 1024, m.ptr), 0);
	for (unsigned i = 0; i < 256; i++) /* each feature is one that Get Features knows */
		assert_int_equal(m.ptr[4 * i] & 1,
				 admin(&r, GET_FEATURES, 1, i, 0, NULL).status == 0);
	assert_int_equal(get_log(&r, 0, 0x13, 0, 4096, m.ptr), 0);
	for (unsigned i = 0; i < 4096; i++)
		assert_int_equal(m.ptr[i], 0);
	mem_free(&r, &m);
	rig_stop(&r);
}

/* Parts of a page, and what lies behind its end. */
static void parts(void **state)
{
	struct phyr_sim_nvme_config c = {.mdts = 1};
	uint8_t whole[512];
	struct mem m;
	struct rig r;

	rig_start(&r, 1 << 20, &c);
	rig_enable(&r, 12);
	m = mem_alloc(&r, 2 * 4096);
	assert_int_equal(get_log(&r, 0, HEALTH, 0, 512, m.ptr), 0);
	memcpy(whole, m.ptr, 512);
	for (unsigned at = 0; at < 512; at += 52) {
		memset(m.ptr, 0xee, 4096);
		assert_int_equal(get_log(&r, 0, HEALTH, at, 4, m.ptr), 0);
		assert_memory_equal(m.ptr, whole + at, 4);
		assert_int_equal(m.ptr[4], 0xee);
	}
	memset(m.ptr, 0xee, 4096);
	assert_int_equal(get_log(&r, 0, HEALTH, 96, 1024, m.ptr), 0);
	assert_memory_equal(m.ptr, whole + 96, 416);
	for (unsigned i = 416; i < 1024; i++)
		assert_int_equal(m.ptr[i], 0);
	assert_int_equal(m.ptr[1024], 0xee);
	assert_int_equal(get_log(&r, 0, HEALTH, 512, 64, m.ptr), 0);
	assert_int_equal(get_log(&r, 0, HEALTH, 516, 64, m.ptr), INVALID_FIELD);
	assert_int_equal(get_log(&r, 0, HEALTH, (uint64_t)1 << 32, 64, m.ptr), INVALID_FIELD);
	assert_int_equal(get_log(&r, 0, HEALTH, 2, 64, m.ptr), INVALID_FIELD);
	assert_int_equal(get_log(&r, 0, HEALTH, 0, 8196, m.ptr), INVALID_FIELD); /* MDTS */
	assert_int_equal(get_log(&r, 0, HEALTH, 0, (uint64_t)1 << 34, m.ptr), INVALID_FIELD);
	assert_int_equal(get_log(&r, 1, HEALTH, 0, 512, m.ptr), INVALID_FIELD);
	assert_int_equal(get_log(&r, 0, 6, 0, 512, m.ptr), INVALID_LOG);
	assert_int_equal(get_log(&r, 0, 0xff, 0, 512, m.ptr), INVALID_LOG);
	assert_int_equal(admin(&r, GET_LOG, 0, HEALTH | 127 << 16, 0, NULL).status, 0x004);
	mem_free(&r, &m);
	rig_stop(&r);
}

static unsigned format(struct rig *r, uint32_t nsid, uint32_t dw10)
{
	return admin(r, FORMAT, nsid, dw10, 0, NULL).status;
}

static uint64_t identify(struct rig *r, uint32_t nsid, struct mem *m)
{
	assert_int_equal(admin(r, IDENTIFY, nsid, 0, 0, m->ptr).status, 0);
	return le(m->ptr, 8);
}

static void fill_file(int fd, uint64_t bytes)
{
	uint8_t *data = malloc(bytes);

	memset(data, 0x5a, bytes);
	assert_int_equal(pwrite(fd, data, bytes, 0), (ssize_t)bytes);
	free(data);
}

static bool is_zero(int fd, uint64_t bytes)
{
	uint8_t *data = malloc(bytes);
	bool zero = true;

	assert_int_equal(pread(fd, data, bytes, 0), (ssize_t)bytes);
	for (uint64_t i = 0; i < bytes; i++)
		zero = zero && !data[i];
	free(data);
	return zero;
}

static void format_sizes(void **state)
{
	static const unsigned lg2[] = {9, 12, 13, 16};
	struct pair p;
	struct mem m, data;
	struct rig r;

	rig_start_io(&r, 1 << 20, NULL, 12, &p, 16);
	m = mem_alloc(&r, 4096);
	data = mem_alloc(&r, 65536);
	for (unsigned i = 4; i-- > 0;) {
		uint64_t blocks = (1 << 20) >> lg2[i];
		uint64_t *list = (uint64_t *)m.ptr;

		fill_file(r.fd, r.bytes);
		assert_int_equal(format(&r, 1, i | (i & 1) << 9), 0); /* SES 0 and 1 */
		assert_true(is_zero(r.fd, r.bytes));
		assert_int_equal(identify(&r, 1, &m), blocks);
		assert_int_equal(m.ptr[26], i);
		for (unsigned page = 1; page < 16; page++)
			list[page - 1] = phys_of(&r, data.ptr + 4096 * (uint64_t)page);
		memset(data.ptr, 0x11 * (int)i + 1, 65536);
		assert_int_equal(rw(&r, &p, 1, blocks - 1, 1, phys_of(&r, data.ptr),
				    lg2[i] == 13 ? list[0] : phys_of(&r, list)),
				 0);
		memset(data.ptr, 0, 65536);
		assert_int_equal(
			pread(r.fd, data.ptr, 1 << lg2[i], (1 << 20) - (off_t)(1 << lg2[i])),
			1 << lg2[i]);
		assert_int_equal(data.ptr[0], 0x11 * i + 1);
		assert_int_equal(data.ptr[(1 << lg2[i]) - 1], 0x11 * i + 1);
		assert_int_equal(rw(&r, &p, 1, blocks, 1, NOT_RAM, 0), LBA_RANGE);
	}
	mem_free(&r, &m);
	mem_free(&r, &data);
	rig_stop_io(&r, &p);
}

static void format_refused(void **state)
{
	struct rig r;

	rig_start(&r, 3 * 8192, NULL);
	rig_enable(&r, 12);
	fill_file(r.fd, r.bytes);
	assert_int_equal(format(&r, 0, 0), INVALID_NS);
	assert_int_equal(format(&r, 2, 0), INVALID_NS);
	assert_int_equal(format(&r, 1, 3), INVALID_FORMAT); /* 24 KiB are no 64 KiB */
	assert_int_equal(format(&r, 1, 4), INVALID_FORMAT);
	assert_int_equal(format(&r, 1, 15), INVALID_FORMAT);
	assert_int_equal(format(&r, 1, 1 << 12), INVALID_FORMAT); /* LBAFU */
	assert_int_equal(format(&r, 1, 1 << 5), INVALID_FORMAT);  /* protection */
	assert_int_equal(format(&r, 1, 2 << 9), INVALID_FIELD);   /* cryptographic erase */
	assert_int_equal(format(&r, ~0u, 7 << 9), INVALID_FIELD);
	assert_false(is_zero(r.fd, 512));
	assert_int_equal(format(&r, 1, 2), 0);
	assert_true(is_zero(r.fd, r.bytes));
	rig_stop(&r);
}

/* One that may not be written, and none is. */
static void format_all(void **state)
{
	struct phyr_sim_nvme_ns more[2] = {{.fd = -1}, {.fd = -1}};
	struct phyr_sim_nvme_config c = {.more = more, .nr_more = 2};
	struct mem m;
	struct rig r;

	more[1].fd = memfd_create("more", 0);
	assert_int_equal(ftruncate(more[1].fd, 1 << 16), 0);
	fill_file(more[1].fd, 1 << 16);
	for (unsigned protected = 0; protected < 2; protected ++) {
		more[1].read_only = protected;
		rig_start(&r, 1 << 20, &c);
		rig_enable(&r, 12);
		m = mem_alloc(&r, 4096);
		fill_file(r.fd, r.bytes);
		assert_int_equal(format(&r, 2, 1), INVALID_FIELD);
		assert_int_equal(format(&r, ~0u, 1), protected ? WRITE_PROTECTED : 0);
		assert_int_equal(is_zero(r.fd, r.bytes), !protected);
		assert_int_equal(is_zero(more[1].fd, 1 << 16), !protected);
		assert_int_equal(identify(&r, 1, &m), protected ? 2048 : 256);
		assert_int_equal(identify(&r, 3, &m), protected ? 128 : 16);
		if (protected)
			assert_int_equal(format(&r, 3, 1), WRITE_PROTECTED);
		fill_file(more[1].fd, 1 << 16);
		assert_int_equal(get_log(&r, 0, CHANGED | RETAIN, 0, 4096, m.ptr), 0);
		assert_int_equal(le(m.ptr, 8), protected ? 0 : 1 | 3ull << 32);
		assert_int_equal(get_log(&r, 0, CHANGED, 0, 4096, m.ptr), 0);
		assert_int_equal(le(m.ptr, 8), protected ? 0 : 1 | 3ull << 32);
		assert_int_equal(le(m.ptr + 8, 8), 0);
		assert_int_equal(get_log(&r, 0, CHANGED, 0, 4096, m.ptr), 0);
		assert_int_equal(le(m.ptr, 8), 0);
		mem_free(&r, &m);
		rig_stop(&r);
	}
	close(more[1].fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(errors_are_logged), cmocka_unit_test(health),
		cmocka_unit_test(other_pages),       cmocka_unit_test(parts),
		cmocka_unit_test(format_sizes),      cmocka_unit_test(format_refused),
		cmocka_unit_test(format_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
