/* SPDX-License-Identifier: MIT */
/*
 * The simulated NVMe controller: Compare, Write Zeroes, Dataset Management, several namespaces. The
 * linker sends fallocate(), by its name for 64-bit offsets, through here, so that a file system can
 * lack what this one can.
 */
#define _GNU_SOURCE
#include "test_nvme_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ         2
#define WRITE        1
#define COMPARE      5
#define WRITE_ZEROES 8
#define DSM          9

#define INVALID_FIELD    (0x002 | DNR)
#define TRANSFER_ERROR   0x004
#define INVALID_NS       (0x00b | DNR)
#define PRP_OFFSET       (0x013 | DNR)
#define WRITE_PROTECTED  (0x020 | DNR)
#define LBA_RANGE        (0x080 | DNR)
#define WRITE_FAULT      0x280
#define UNRECOVERED_READ 0x281
#define COMPARE_FAILURE  (0x285 | DNR)

#define NS (2u << 20)

int __real_fallocate64(int fd, int mode, off_t offset, off_t len);
int __wrap_fallocate64(int fd, int mode, off_t offset, off_t len);

static int lacks;     /* modes that the file system lacks */
static int broken;    /* errno of each call; 0: none */
static int last_mode; /* what was done last; -1: nothing */

int __wrap_fallocate64(int fd, int mode, off_t offset, off_t len)
{
	if (broken || mode & lacks) {
		errno = broken ? broken : EOPNOTSUPP;
		return -1;
	}
	last_mode = mode;
	return __real_fallocate64(fd, mode, offset, len);
}

static void start(struct rig *r, struct pair *p, struct mem *m, struct phyr_sim_nvme_config *config)
{
	lacks = broken = 0;
	last_mode = -1;
	rig_start_io(r, NS, config, 12, p, 16);
	*m = mem_alloc(r, 16 * 4096);
	for (unsigned at = 0; at < NS; at += (unsigned)m->len) {
		fill_pattern(m->ptr, m->len, at + 1);
		assert_int_equal(pwrite(r->fd, m->ptr, m->len, at), (ssize_t)m->len);
	}
}

static void stop(struct rig *r, struct pair *p, struct mem *m)
{
	mem_free(r, m);
	rig_stop_io(r, p);
}

/* The file is what start() made of it, but for zeroes in blocks [first, first + nr). */
static void zero_is_only(struct rig *r, uint64_t first, uint64_t nr)
{
	uint8_t *want = malloc(NS), *got = malloc(NS);

	for (unsigned at = 0; at < NS; at += 65536)
		fill_pattern(want + at, 65536, at + 1);
	memset(want + first * 512, 0, nr * 512);
	assert_int_equal(pread(r->fd, got, NS, 0), NS);
	assert_memory_equal(got, want, NS);
	free(want);
	free(got);
}

static void compare(void **state)
{
	struct pair p;
	struct mem m, list;
	struct rig r;

	start(&r, &p, &m, NULL);
	list = mem_alloc(&r, 4096);
	assert_int_equal(pread(r.fd, m.ptr, m.len, 64 * 512), (ssize_t)m.len);
	for (unsigned i = 1; i < 16; i++)
		((uint64_t *)list.ptr)[i - 1] = phys_of(&r, m.ptr + 4096 * (uint64_t)i);
	assert_int_equal(rw(&r, &p, COMPARE, 64, 8, phys_of(&r, m.ptr), 0), 0);
	assert_int_equal(rw(&r, &p, COMPARE, 64, 128, phys_of(&r, m.ptr), phys_of(&r, list.ptr)),
			 0);
	assert_int_equal(rw(&r, &p, COMPARE, 65, 8, phys_of(&r, m.ptr), 0), COMPARE_FAILURE);
	m.ptr[16 * 4096 - 1] ^= 1; /* the very last byte */
	assert_int_equal(rw(&r, &p, COMPARE, 64, 127, phys_of(&r, m.ptr), phys_of(&r, list.ptr)),
			 0);
	assert_int_equal(rw(&r, &p, COMPARE, 64, 128, phys_of(&r, m.ptr), phys_of(&r, list.ptr)),
			 COMPARE_FAILURE);
	m.ptr[16 * 4096 - 1] ^= 1;
	m.ptr[8192 + 77] ^= 0x80;
	assert_int_equal(rw(&r, &p, COMPARE, 64, 128, phys_of(&r, m.ptr), phys_of(&r, list.ptr)),
			 COMPARE_FAILURE);
	zero_is_only(&r, 0, 0);
	assert_int_equal(rw(&r, &p, COMPARE, 64, 8, NOT_RAM, 0), TRANSFER_ERROR);
	assert_int_equal(rw(&r, &p, COMPARE, 64, 8, phys_of(&r, m.ptr) + 1, 0), PRP_OFFSET);
	assert_int_equal(rw(&r, &p, COMPARE, NS / 512, 1, phys_of(&r, m.ptr), 0), LBA_RANGE);
	assert_int_equal(rw(&r, &p, COMPARE, 0, 4096, phys_of(&r, m.ptr), 0), INVALID_FIELD);
	assert_int_equal(ftruncate(r.fd, 64 * 512 + 512), 0);
	assert_int_equal(rw(&r, &p, COMPARE, 64, 8, phys_of(&r, m.ptr), 0), UNRECOVERED_READ);
	mem_free(&r, &list);
	stop(&r, &p, &m);
}

static unsigned write_zeroes(struct rig *r, struct pair *p, uint64_t slba, uint32_t nr,
			     uint32_t bits)
{
	uint32_t dw[16];

	rw_build(dw, WRITE_ZEROES, 0x55, slba, nr, NOT_RAM,
		 NOT_RAM); /* no data: PRPs mean nothing */
	dw[12] |= bits;
	return run(r, p, dw).status;
}

#define DEAC (1u << 25)
#define FUA  (1u << 30)

static void write_zeroes_zeroes(void **state)
{
	static const uint32_t bits[] = {0, DEAC, FUA, DEAC | FUA};
	static const int without[] = {0, FALLOC_FL_PUNCH_HOLE, FALLOC_FL_ZERO_RANGE,
				      FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE};
	struct pair p;
	struct mem m;
	struct rig r;

	for (unsigned i = 0; i < 16; i++) {
		start(&r, &p, &m, NULL);
		lacks = without[i / 4];
		assert_int_equal(write_zeroes(&r, &p, 13, 300, bits[i % 4]), 0);
		zero_is_only(&r, 13, 300);
		if (lacks == (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
			assert_int_equal(last_mode, -1);
		if (bits[i % 4] & DEAC && !(lacks & FALLOC_FL_PUNCH_HOLE))
			assert_true(last_mode & FALLOC_FL_PUNCH_HOLE);
		if (!(bits[i % 4] & DEAC)) /* not asked for */
			assert_true(last_mode == -1 || !(last_mode & FALLOC_FL_PUNCH_HOLE));
		stop(&r, &p, &m);
	}
}

/* MDTS is no matter: nothing is transferred. */
static void write_zeroes_limits(void **state)
{
	struct phyr_sim_nvme_config c = {.mdts = 1};
	struct pair p;
	struct mem m;
	struct rig r;

	start(&r, &p, &m, &c);
	assert_int_equal(write_zeroes(&r, &p, NS / 512 - 1, 2, 0), LBA_RANGE);
	assert_int_equal(write_zeroes(&r, &p, ~(uint64_t)0, 1, 0), LBA_RANGE);
	assert_int_equal(write_zeroes(&r, &p, 0, NS / 512 + 1, DEAC), LBA_RANGE);
	zero_is_only(&r, 0, 0);
	broken = EIO;
	assert_int_equal(write_zeroes(&r, &p, 0, 8, 0), WRITE_FAULT);
	assert_int_equal(write_zeroes(&r, &p, 0, 8, DEAC), WRITE_FAULT);
	broken = 0;
	assert_int_equal(write_zeroes(&r, &p, 0, NS / 512, DEAC), 0);
	zero_is_only(&r, 0, NS / 512);
	stop(&r, &p, &m);
}

struct range {
	uint32_t attributes, nr;
	uint64_t slba;
};

static unsigned dsm(struct rig *r, struct pair *p, uint64_t prp1, uint64_t prp2, unsigned nr,
		    uint32_t dw11)
{
	uint32_t dw[16];

	rw_build(dw, DSM, 0x56, 0, 1, prp1, prp2);
	dw[10] = nr - 1;
	dw[11] = dw11;
	dw[12] = 0;
	return run(r, p, dw).status;
}

static void deallocate(void **state)
{
	struct range *ranges;
	struct stat st;
	struct pair p;
	struct mem m;
	struct rig r;

	start(&r, &p, &m, NULL);
	memset(m.ptr, 0, m.len);
	ranges = (struct range *)m.ptr;
	ranges[0] = (struct range){0xffffffff, 256, 1024}; /* attributes are hints */
	ranges[1] = (struct range){0, 0, 7};               /* of no length */
	ranges[2] = (struct range){0, 128, 1280};
	assert_int_equal(dsm(&r, &p, phys_of(&r, m.ptr), 0, 3, 3), 0); /* hints alone */
	zero_is_only(&r, 0, 0);
	assert_int_equal(dsm(&r, &p, phys_of(&r, m.ptr), 0, 3, 4), 0);
	zero_is_only(&r, 1024, 384);
	assert_true(last_mode & FALLOC_FL_PUNCH_HOLE);
	assert_int_equal(fstat(r.fd, &st), 0);
	assert_int_equal(st.st_size, NS);
	assert_true(st.st_blocks <= (NS / 512) - 384);
	lacks = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE; /* reads zero even so */
	ranges[0] = (struct range){0, 100, 924};
	assert_int_equal(dsm(&r, &p, phys_of(&r, m.ptr), 0, 1, 4), 0);
	zero_is_only(&r, 924, 484);
	stop(&r, &p, &m);
}

/* 256 ranges are 4 KiB, over the edge of a page. */
static void most_ranges(void **state)
{
	struct range *ranges;
	struct pair p;
	struct mem m;
	struct rig r;

	start(&r, &p, &m, NULL);
	ranges = (struct range *)(m.ptr + 0x804);
	for (unsigned i = 0; i < 256; i++) {
		struct range range = {0, 2, 100 + 2 * i};

		memcpy((char *)ranges + 16 * (size_t)i, &range, 16);
	}
	memmove(m.ptr + 8192, m.ptr + 4096, 4096); /* the second half lies elsewhere */
	memset(m.ptr + 4096, 0xff, 4096);
	assert_int_equal(dsm(&r, &p, phys_of(&r, m.ptr) + 0x804, phys_of(&r, m.ptr + 8192), 256, 4),
			 0);
	zero_is_only(&r, 100, 512);
	assert_int_equal(dsm(&r, &p, phys_of(&r, m.ptr) + 0x804, NOT_RAM, 256, 4), TRANSFER_ERROR);
	assert_int_equal(dsm(&r, &p, phys_of(&r, m.ptr) + 2, 0, 1, 4), PRP_OFFSET);
	stop(&r, &p, &m);
}

/* One bad range, and none is touched. */
static void ranges_out_of_reach(void **state)
{
	struct range *ranges;
	struct pair p;
	struct mem m;
	struct rig r;

	start(&r, &p, &m, NULL);
	ranges = (struct range *)m.ptr;
	ranges[0] = (struct range){0, 8, 0};
	ranges[1] = (struct range){0, 2, NS / 512 - 1};
	assert_int_equal(dsm(&r, &p, phys_of(&r, m.ptr), 0, 2, 4), LBA_RANGE);
	ranges[1] = (struct range){0, 1, ~(uint64_t)0};
	assert_int_equal(dsm(&r, &p, phys_of(&r, m.ptr), 0, 2, 4), LBA_RANGE);
	ranges[1] = (struct range){0, ~0u, 0};
	assert_int_equal(dsm(&r, &p, phys_of(&r, m.ptr), 0, 2, 4), LBA_RANGE);
	zero_is_only(&r, 0, 0);
	broken = ENOSPC;
	ranges[1] = (struct range){0, 8, 0};
	assert_int_equal(dsm(&r, &p, phys_of(&r, m.ptr), 0, 2, 4), WRITE_FAULT);
	stop(&r, &p, &m);
}

static void read_only(void **state)
{
	struct phyr_sim_nvme_config c = {.read_only = true};
	struct pair p;
	struct mem m;
	struct rig r;

	start(&r, &p, &m, &c);
	assert_int_equal(write_zeroes(&r, &p, 0, 8, 0), WRITE_PROTECTED);
	assert_int_equal(write_zeroes(&r, &p, 0, 8, DEAC), WRITE_PROTECTED);
	*(struct range *)m.ptr = (struct range){0, 8, 0};
	assert_int_equal(dsm(&r, &p, phys_of(&r, m.ptr), 0, 1, 4), WRITE_PROTECTED);
	assert_int_equal(dsm(&r, &p, phys_of(&r, m.ptr), 0, 1, 1), 0); /* a hint writes nothing */
	zero_is_only(&r, 0, 0);
	assert_int_equal(pread(r.fd, m.ptr, 4096, 0), 4096);
	assert_int_equal(rw(&r, &p, COMPARE, 0, 8, phys_of(&r, m.ptr), 0), 0);
	stop(&r, &p, &m);
}

static int new_file(uint64_t bytes)
{
	int fd = memfd_create("more", 0);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
	return fd;
}

static unsigned rw_ns(struct rig *r, struct pair *p, uint32_t nsid, unsigned opcode, uint64_t slba,
		      uint64_t prp1)
{
	uint32_t dw[16];

	rw_build(dw, opcode, 0x57, slba, 1, prp1, 0);
	dw[1] = nsid;
	return run(r, p, dw).status;
}

/* Each its own file, size, block and right; 3 is nobody. */
static void namespaces(void **state)
{
	struct phyr_sim_nvme_ns more[3] = {{.block_lg2 = 12}, {.fd = -1}, {.read_only = true}};
	struct phyr_sim_nvme_config c = {.more = more, .nr_more = 3};
	uint8_t got[4096];
	struct pair p;
	struct mem m;
	struct rig r;

	more[0].fd = new_file(1 << 16);
	more[2].fd = new_file(1 << 12);
	start(&r, &p, &m, &c);
	memset(m.ptr, 0x77, 4096);
	assert_int_equal(rw_ns(&r, &p, 2, WRITE, 15, phys_of(&r, m.ptr)), 0);
	assert_int_equal(pread(more[0].fd, got, 4096, 15 * 4096), 4096);
	assert_memory_equal(got, m.ptr, 4096);
	assert_int_equal(rw_ns(&r, &p, 2, WRITE, 16, phys_of(&r, m.ptr)), LBA_RANGE);
	zero_is_only(&r, 0, 0);
	assert_int_equal(rw_ns(&r, &p, 3, READ, 0, phys_of(&r, m.ptr)), INVALID_FIELD);
	assert_int_equal(rw_ns(&r, &p, 4, WRITE, 0, phys_of(&r, m.ptr)), WRITE_PROTECTED);
	assert_int_equal(rw_ns(&r, &p, 4, READ, 7, phys_of(&r, m.ptr)), 0);
	assert_int_equal(m.ptr[511], 0);
	assert_int_equal(m.ptr[512], 0x77);
	assert_int_equal(rw_ns(&r, &p, 4, READ, 8, phys_of(&r, m.ptr)), LBA_RANGE);
	for (unsigned opcode = 1; opcode < 10; opcode++) {
		if (opcode != 3 && opcode != 4 && opcode != 6 && opcode != 7)
			assert_int_equal(rw_ns(&r, &p, 5, opcode, 0, NOT_RAM), INVALID_NS);
	}
	assert_int_equal(rw_ns(&r, &p, 0, READ, 0, NOT_RAM), INVALID_NS);
	assert_int_equal(rw_ns(&r, &p, 4, 0, 0, 0), 0);
	assert_int_equal(rw_ns(&r, &p, 3, 0, 0, 0), INVALID_FIELD);
	assert_int_equal(rw_ns(&r, &p, ~0u, 0, 0, 0), 0);
	stop(&r, &p, &m);
	close(more[0].fd);
	close(more[2].fd);
}

static int try_create(struct rig *r, struct phyr_sim_nvme_config c)
{
	struct phyr_sim_dev *sdev = NULL;
	int err;

	c.size = sizeof(c);
	err = phyr_sim_nvme_create(r->sim, 0x300, &c, &sdev);
	if (err)
		assert_null(sdev);
	phyr_sim_nvme_destroy(sdev);
	return err;
}

static void wrong_namespaces(void **state)
{
	struct phyr_sim_nvme_ns more = {0};
	struct phyr_sim_nvme_config c = {.more = &more, .nr_more = 1};
	struct rig r;
	int fd = new_file(3 * 4096), odd = new_file(513);

	rig_start(&r, 1 << 20, NULL);
	c.fd = r.fd;
	more.fd = fd;
	assert_int_equal(try_create(&r, c), 0);
	more.block_lg2 = 12;
	assert_int_equal(try_create(&r, c), 0);
	more.block_lg2 = 13; /* 3 pages are no whole number of blocks */
	assert_int_equal(try_create(&r, c), -EINVAL);
	more.block_lg2 = 10;
	assert_int_equal(try_create(&r, c), -EINVAL);
	more = (struct phyr_sim_nvme_ns){.fd = r.fd};
	assert_int_equal(try_create(&r, c), -EINVAL); /* the same file */
	more.fd = odd;
	assert_int_equal(try_create(&r, c), -EINVAL);
	more.fd = -2;
	assert_int_equal(try_create(&r, c), -EINVAL);
	more.fd = fd;
	c.nr_more = PHYR_SIM_NVME_NAMESPACES;
	assert_int_equal(try_create(&r, c), -EINVAL);
	c.nr_more = 1, c.more = NULL;
	assert_int_equal(try_create(&r, c), -EINVAL);
	c.more = &more, c.fd = -1; /* the first is there */
	assert_int_equal(try_create(&r, c), -EINVAL);
	close(fd);
	close(odd);
	rig_stop(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(compare),
		cmocka_unit_test(write_zeroes_zeroes),
		cmocka_unit_test(write_zeroes_limits),
		cmocka_unit_test(deallocate),
		cmocka_unit_test(most_ranges),
		cmocka_unit_test(ranges_out_of_reach),
		cmocka_unit_test(read_only),
		cmocka_unit_test(namespaces),
		cmocka_unit_test(wrong_namespaces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
