/* SPDX-License-Identifier: MIT */
/* Read, Write, Flush, Compare, Write Zeroes, Dataset Management. nvm 3.2, base 7.1. */
#include <string.h>

#include "conformity/nvme/host.h"

#define BLOCK  512u
#define BLOCKS (NS_BYTES / BLOCK)
#define FUA    (1u << 30)
#define LR     (1u << 31)
#define DEAC   (1u << 25)

static unsigned oncs(struct host *h)
{
	return le16(identify(h, 1, 0), ID_ONCS);
}

/* nvm 3.2.6, 3.2.4: what is written is in the namespace, and what is in it is read. */
static void write_and_read(void **state)
{
	struct host *h = *state;
	uint8_t *buf = host_mem(h, PAGE), got[PAGE];

	fill(buf, PAGE, 1);
	assert_status(host_cmd(h, cmd_rw(h, WRITE, 16, 8, buf)), SUCCESS);
	file_get(h, 1, 16 * BLOCK, got, PAGE);
	assert_memory_equal(buf, got, PAGE);
	fill(got, PAGE, 2);
	file_put(h, 1, 40 * BLOCK, got, PAGE);
	assert_status(host_cmd(h, cmd_rw(h, READ, 40, 8, buf)), SUCCESS);
	assert_memory_equal(buf, got, PAGE);
}

/* nvm 3.2.4: NLB is 0's based: 0h is one block, and no byte more moves. */
static void number_of_blocks_is_zeroes_based(void **state)
{
	struct host *h = *state;
	uint8_t *buf = host_mem(h, PAGE);

	memset(buf, 0x55, PAGE);
	assert_status(host_cmd(h, cmd_rw(h, READ, 3, 1, buf)), SUCCESS);
	assert_all(buf, BLOCK, 0);
	assert_all(buf + BLOCK, PAGE - BLOCK, 0x55);
}

/* nvm 3.2.6: blocks around the range stay. */
static void write_touches_its_blocks_only(void **state)
{
	struct host *h = *state;
	uint8_t *buf = host_mem(h, PAGE), before[3 * BLOCK], after[3 * BLOCK];

	fill(before, sizeof(before), 3);
	file_put(h, 1, 9 * BLOCK, before, sizeof(before));
	fill(buf, BLOCK, 4);
	assert_status(host_cmd(h, cmd_rw(h, WRITE, 10, 1, buf)), SUCCESS);
	file_get(h, 1, 9 * BLOCK, after, sizeof(after));
	assert_memory_equal(after, before, BLOCK);
	assert_memory_equal(after + BLOCK, buf, BLOCK);
	assert_memory_equal(after + 2 * BLOCK, before + 2 * BLOCK, BLOCK);
}

/* nvm 3.1.2: the last block is NSZE - 1. */
static void last_block_is_there(void **state)
{
	struct host *h = *state;
	uint8_t *buf = host_mem(h, PAGE), got[BLOCK];

	fill(buf, BLOCK, 5);
	assert_status(host_cmd(h, cmd_rw(h, WRITE, BLOCKS - 1, 1, buf)), SUCCESS);
	file_get(h, 1, NS_BYTES - BLOCK, got, BLOCK);
	assert_memory_equal(buf, got, BLOCK);
}

struct range {
	uint64_t slba;
	unsigned blocks;
};

static const struct range outside[] = {
	{BLOCKS, 1},
	{BLOCKS - 1, 2},
	{BLOCKS - 7, 8},
	{1ull << 32, 1},
	{1ull << 63, 1},
	{0xffffffffffffffffu, 1},
	{0xffffffffffffffffu, 2},
	{0xfffffffffffffff9u, 8},
	{1ull << 55, 8}, /* its byte address wraps */
};

/* nvm 3.1.2: a range beyond the namespace's end: LBA Out of Range, whichever command; nothing moves. */
static void check_outside(struct host *h, uint8_t opc, bool data)
{
	uint8_t *buf = host_mem(h, PAGE), got[BLOCK];

	memset(buf, 0x55, PAGE);
	for (unsigned i = 0; i < sizeof(outside) / sizeof(outside[0]); i++) {
		struct sqe cmd =
			cmd_rw(h, opc, outside[i].slba, outside[i].blocks, data ? buf : NULL);

		assert_status(host_cmd(h, cmd), LBA_OUT_OF_RANGE);
	}
	assert_all(buf, PAGE, 0x55);
	file_get(h, 1, NS_BYTES - BLOCK, got, BLOCK);
	assert_all(got, BLOCK, 0);
}

static void read_outside_is_refused(void **state)
{
	check_outside(*state, READ, true);
}

static void write_outside_is_refused(void **state)
{
	check_outside(*state, WRITE, true);
}

static void compare_outside_is_refused(void **state)
{
	if (!(oncs(*state) & ONCS_COMPARE))
		skip();
	check_outside(*state, COMPARE, true);
}

static void zeroes_outside_are_refused(void **state)
{
	if (!(oncs(*state) & ONCS_ZEROES))
		skip();
	check_outside(*state, WRITE_ZEROES, false);
}

/* base 3.3.3.1: NSID 0h and one that is no namespace's: Invalid Namespace or Format. */
static void no_namespace_is_refused(void **state)
{
	static const uint8_t opc[] = {FLUSH, WRITE, READ};
	struct host *h = *state;
	uint32_t nn = le32(identify(h, 1, 0), ID_NN);

	for (unsigned i = 0; i < sizeof(opc); i++) {
		struct sqe cmd = cmd_rw(h, opc[i], 0, 1, host_mem(h, PAGE));

		cmd.nsid = 0;
		assert_status(host_cmd(h, cmd), INVALID_NAMESPACE);
		cmd.nsid = nn + 1;
		assert_status(host_cmd(h, cmd), INVALID_NAMESPACE);
		cmd.nsid = 0xfffffffe;
		assert_status(host_cmd(h, cmd), INVALID_NAMESPACE);
	}
}

/* nvm 3.2 note 2, base 3.3.3.1: FFFFFFFFh where it is not supported: Invalid Field (or no namespace). */
static void every_namespace_is_refused(void **state)
{
	struct host *h = *state;
	struct sqe cmd = cmd_rw(h, WRITE, 0, 1, host_mem(h, PAGE));

	cmd.nsid = NSID_ALL;
	assert_either(host_cmd(h, cmd), INVALID_FIELD, INVALID_NAMESPACE);
	cmd.opc = READ;
	assert_either(host_cmd(h, cmd), INVALID_FIELD, INVALID_NAMESPACE);
}

/* base 7.1, 5.17.2.1: Flush with FFFFFFFFh is as VWC 2:1 says: 11b works, 10b Invalid Namespace or Format. */
static void flush_of_all_is_as_identify_says(void **state)
{
	struct host *h = *state;
	unsigned behavior = identify(h, 1, 0)[ID_VWC] >> 1 & 3;
	struct cqe c = host_cmd(h, sqe(.opc = FLUSH, .nsid = NSID_ALL));

	assert_status(c, behavior == 3 ? SUCCESS : INVALID_NAMESPACE);
}

/* base 7.1: Flush succeeds; a write that was completed is in the namespace. */
static void flush_succeeds(void **state)
{
	struct host *h = *state;
	uint8_t *buf = host_mem(h, PAGE), got[BLOCK];

	fill(buf, BLOCK, 6);
	assert_status(host_cmd(h, cmd_rw(h, WRITE, 1, 1, buf)), SUCCESS);
	assert_status(host_cmd(h, sqe(.opc = FLUSH, .nsid = 1)), SUCCESS);
	file_get(h, 1, BLOCK, got, BLOCK);
	assert_memory_equal(buf, got, BLOCK);
}

/* nvm 3.2.4, 3.2.6: Force Unit Access and Limited Retry are taken by every controller. */
static void access_hints_are_taken(void **state)
{
	struct host *h = *state;
	uint8_t *buf = host_mem(h, PAGE), got[BLOCK];
	struct sqe cmd = cmd_rw(h, WRITE, 1, 1, buf);

	fill(buf, BLOCK, 7);
	cmd.cdw12 |= FUA | LR;
	cmd.cdw13 = 0x73; /* DSM: latency 11b, sequential, frequent reads */
	assert_status(host_cmd(h, cmd), SUCCESS);
	file_get(h, 1, BLOCK, got, BLOCK);
	assert_memory_equal(buf, got, BLOCK);
	cmd.opc = READ;
	assert_status(host_cmd(h, cmd), SUCCESS);
}

/* nvm 3.2.4: tags and masks are ignored without protection information. */
static void tags_are_ignored(void **state)
{
	struct host *h = *state;
	struct sqe cmd = cmd_rw(h, READ, 0, 1, host_mem(h, PAGE));

	cmd.cdw2 = cmd.cdw14 = cmd.cdw15 = 0xffffffff;
	assert_status(host_cmd(h, cmd), SUCCESS);
}

/* base 9.3: memory that does not exist: Data Transfer Error; the queue goes on. */
static void memory_that_is_not_there(void **state)
{
	struct host *h = *state;
	struct sqe cmd = cmd_rw(h, READ, 0, 1, host_mem(h, PAGE));

	cmd.prp1 = NO_MEM;
	assert_status(host_cmd(h, cmd), DATA_TRANSFER_ERROR);
	cmd.opc = WRITE;
	assert_status(host_cmd(h, cmd), DATA_TRANSFER_ERROR);
	assert_status(host_cmd(h, sqe(.opc = FLUSH, .nsid = 1)), SUCCESS);
}

/* nvm 3.2.1: equal data: success; one bit off, in the last byte: Compare Failure; nothing is written. */
static void compare_finds_differences(void **state)
{
	struct host *h = *state;
	uint8_t *buf = host_mem(h, PAGE), got[PAGE];

	if (!(oncs(h) & ONCS_COMPARE))
		skip();
	fill(buf, PAGE, 8);
	file_put(h, 1, 0, buf, PAGE);
	assert_status(host_cmd(h, cmd_rw(h, COMPARE, 0, 8, buf)), SUCCESS);
	buf[PAGE - 1] ^= 0x80;
	assert_status(host_cmd(h, cmd_rw(h, COMPARE, 0, 8, buf)), COMPARE_FAILURE);
	assert_status(host_cmd(h, cmd_rw(h, COMPARE, 0, 7, buf)), SUCCESS);
	file_get(h, 1, 0, got, PAGE);
	assert_int_equal(got[PAGE - 1], buf[PAGE - 1] ^ 0x80);
}

/* nvm 3.2.8: the blocks read as zeroes, those around stay; with and without Deallocate. */
static void write_zeroes_zeroes(void **state)
{
	struct host *h = *state;
	uint8_t buf[4 * BLOCK], *got = host_mem(h, PAGE);

	if (!(oncs(h) & ONCS_ZEROES))
		skip();
	for (uint32_t how = 0; how <= DEAC; how += DEAC) {
		struct sqe cmd = cmd_rw(h, WRITE_ZEROES, 5, 2, NULL);

		fill(buf, sizeof(buf), 9);
		file_put(h, 1, 4 * BLOCK, buf, sizeof(buf));
		cmd.cdw12 |= how;
		assert_status(host_cmd(h, cmd), SUCCESS);
		assert_status(host_cmd(h, cmd_rw(h, READ, 4, 4, got)), SUCCESS);
		assert_memory_equal(got, buf, BLOCK);
		assert_all(got + BLOCK, 2 * BLOCK, 0);
		assert_memory_equal(got + 3 * BLOCK, buf + 3 * BLOCK, BLOCK);
	}
}

/* nvm 3.2.8: no data, so MDTS is no limit: as many blocks as NLB says (unless WZSL limits it). */
static void write_zeroes_knows_no_transfer_size(void **state)
{
	struct host *h = *state;
	uint8_t byte = 0xff;

	if (!(oncs(h) & ONCS_ZEROES))
		skip();
	file_put(h, 1, NS_BYTES - 1, &byte, 1);
	assert_status(host_cmd(h, cmd_rw(h, WRITE_ZEROES, 0, BLOCKS, NULL)), SUCCESS);
	file_get(h, 1, NS_BYTES - 1, &byte, 1);
	assert_int_equal(byte, 0);
}

/* A range of Dataset Management, nvm figure 41. */
static void put_range(uint32_t *range, uint32_t attributes, uint64_t slba, uint32_t blocks)
{
	range[0] = attributes;
	range[1] = blocks;
	range[2] = (uint32_t)slba;
	range[3] = (uint32_t)(slba >> 32);
}

static struct sqe dsm(struct host *h, const void *ranges, unsigned nr, uint32_t attributes)
{
	return sqe(.opc = DSM, .nsid = 1, .prp1 = host_addr(h, ranges), .cdw10 = nr - 1,
		   .cdw11 = attributes);
}

/* nvm 3.2.3.2.1, 4.1.5.1: deallocated blocks read as DLFEAT 2:0 says, each time the same; others stay. */
static void deallocated_blocks_read_as_told(void **state)
{
	struct host *h = *state;
	uint8_t *got = host_mem(h, PAGE), again[PAGE], buf[PAGE];
	uint32_t *ranges = host_mem(h, PAGE);
	unsigned dlfeat = identify(h, 0, 1)[NS_DLFEAT] & 7;

	if (!(oncs(h) & ONCS_DSM))
		skip();
	fill(buf, sizeof(buf), 10);
	file_put(h, 1, 0, buf, sizeof(buf));
	put_range(ranges, 0, 1, 2);
	put_range(ranges + 4, 0, 6, 1);
	assert_status(host_cmd(h, dsm(h, ranges, 2, 4)), SUCCESS);
	assert_status(host_cmd(h, cmd_rw(h, READ, 0, 8, got)), SUCCESS);
	memcpy(again, got, PAGE);
	assert_status(host_cmd(h, cmd_rw(h, READ, 0, 8, got)), SUCCESS);
	assert_memory_equal(again, got, PAGE);
	assert_memory_equal(got, buf, BLOCK);
	assert_memory_equal(got + 3 * BLOCK, buf + 3 * BLOCK, 3 * BLOCK);
	assert_memory_equal(got + 7 * BLOCK, buf + 7 * BLOCK, BLOCK);
	if (memcmp(got + BLOCK, buf + BLOCK, 2 * BLOCK)) /* it may have done nothing */
		assert_all(got + BLOCK, 2 * BLOCK, dlfeat == 2 ? 0xff : got[BLOCK]);
	if (dlfeat == 1 && memcmp(got + BLOCK, buf + BLOCK, 2 * BLOCK))
		assert_all(got + BLOCK, 2 * BLOCK, 0);
}

/* nvm 3.2.3: without Deallocate it is advice: "all combinations of attributes may be set", data stays. */
static void advice_changes_no_data(void **state)
{
	struct host *h = *state;
	uint32_t *ranges = host_mem(h, PAGE);
	uint8_t buf[BLOCK], got[BLOCK];

	if (!(oncs(h) & ONCS_DSM))
		skip();
	fill(buf, BLOCK, 11);
	file_put(h, 1, 0, buf, BLOCK);
	put_range(ranges, 0x00000735, 0, 1);
	for (uint32_t attributes = 0; attributes < 4; attributes++)
		assert_status(host_cmd(h, dsm(h, ranges, 1, attributes)), SUCCESS);
	file_get(h, 1, 0, got, BLOCK);
	assert_memory_equal(buf, got, BLOCK);
}

/* nvm 3.2.3: NR is 0's based, 256 ranges of 16 bytes at most; they may begin off a page. */
static void most_ranges_are_taken(void **state)
{
	struct host *h = *state;
	uint32_t *ranges = host_mem(h, 2 * PAGE) /* contiguous */, *at = ranges + PAGE / 8;
	struct sqe cmd = dsm(h, at, 256, 4);
	uint8_t buf[512 * BLOCK], *got = host_mem(h, PAGE);

	if (!(oncs(h) & ONCS_DSM))
		skip();
	fill(buf, sizeof(buf), 12);
	file_put(h, 1, 0, buf, sizeof(buf));
	for (unsigned i = 0; i < 256; i++)
		put_range(at + 4ul * i, 0, 2 * i, 1);
	cmd.prp2 = host_addr(h, ranges) + PAGE;
	assert_status(host_cmd(h, cmd), SUCCESS);
	assert_status(host_cmd(h, cmd_rw(h, READ, 504, 8, got)), SUCCESS);
	for (unsigned i = 1; i < 8; i += 2)
		assert_memory_equal(got + i * BLOCK, buf + (504 + i) * BLOCK, BLOCK);
}

/* nvm 3.1.2, 3.2.3: a range past the end may be refused as such, and nothing beyond is touched. */
static void range_outside_is_not_carried_out(void **state)
{
	struct host *h = *state;
	uint32_t *ranges = host_mem(h, PAGE);
	uint8_t buf[BLOCK], got[BLOCK];

	if (!(oncs(h) & ONCS_DSM))
		skip();
	fill(buf, BLOCK, 13);
	file_put(h, 1, 0, buf, BLOCK);
	put_range(ranges, 0, 0xffffffffffffff00u, 0x200); /* wraps to block 0 */
	assert_either(host_cmd(h, dsm(h, ranges, 1, 4)), LBA_OUT_OF_RANGE, SUCCESS);
	file_get(h, 1, 0, got, BLOCK);
	assert_memory_equal(buf, got, BLOCK);
	put_range(ranges, 0, BLOCKS, 1);
	assert_either(host_cmd(h, dsm(h, ranges, 1, 4)), LBA_OUT_OF_RANGE, SUCCESS);
}

#define io(test) cmocka_unit_test_setup_teardown(test, host_io, host_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		io(write_and_read),
		io(number_of_blocks_is_zeroes_based),
		io(write_touches_its_blocks_only),
		io(last_block_is_there),
		io(read_outside_is_refused),
		io(write_outside_is_refused),
		io(compare_outside_is_refused),
		io(zeroes_outside_are_refused),
		io(no_namespace_is_refused),
		io(every_namespace_is_refused),
		io(flush_of_all_is_as_identify_says),
		io(flush_succeeds),
		io(access_hints_are_taken),
		io(tags_are_ignored),
		io(memory_that_is_not_there),
		io(compare_finds_differences),
		io(write_zeroes_zeroes),
		io(write_zeroes_knows_no_transfer_size),
		io(deallocated_blocks_read_as_told),
		io(advice_changes_no_data),
		io(most_ranges_are_taken),
		io(range_outside_is_not_carried_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
