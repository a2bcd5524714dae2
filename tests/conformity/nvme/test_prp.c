/* SPDX-License-Identifier: MIT */
/* PRP entries and lists, the transfer's size. base 4.1.1, 5.17.2.1 (MDTS). */
#include <stdlib.h>
#include <string.h>

#include "conformity/nvme/host.h"

#define BLOCK    512u
#define PER_LIST (PAGE / 8)

/* The namespace's first bytes, a pattern that no two pages share. */
static uint8_t *pattern(struct host *h, size_t len)
{
	uint8_t *p = malloc(len);

	assert_non_null(p);
	for (size_t i = 0; i < len; i += 4)
		*(uint32_t *)(p + i) = (uint32_t)(i * 2246822519u ^ 0x5bd1e995u);
	file_put(h, 1, 0, p, len);
	return p;
}

static struct sqe read_blocks(struct host *h, uint64_t prp1, uint64_t prp2, size_t len)
{
	struct sqe cmd = cmd_rw(h, READ, 0, (unsigned)(len / BLOCK), NULL);

	cmd.prp1 = prp1;
	cmd.prp2 = prp2;
	return cmd;
}

/* base 4.1.1: PRP1 may have an offset, a multiple of 4; nothing outside the buffer is written. */
static void first_entry_may_have_an_offset(void **state)
{
	static const uint16_t offset[] = {4, 0x100, 0x5fc, PAGE - BLOCK};
	struct host *h = *state;
	uint8_t *want = pattern(h, BLOCK);

	for (unsigned i = 0; i < sizeof(offset) / sizeof(offset[0]); i++) {
		uint8_t *page = host_mem(h, PAGE);
		size_t end = offset[i] + BLOCK;

		memset(page, 0x55, PAGE);
		assert_status(host_cmd(h, read_blocks(h, host_addr(h, page) + offset[i], 0, BLOCK)),
			      SUCCESS);
		assert_all(page, offset[i], 0x55);
		assert_memory_equal(page + offset[i], want, BLOCK);
		assert_all(page + end, PAGE - end, 0x55);
	}
	free(want);
}

/* base figure 87: exactly one page edge crossed: PRP2 is the second page, wherever that is. */
static void second_entry_is_the_second_page(void **state)
{
	struct host *h = *state;
	uint8_t *want = pattern(h, 2 * PAGE), *b = host_mem(h, PAGE), *a = host_mem(h, PAGE);

	assert_status(host_cmd(h, read_blocks(h, host_addr(h, a), host_addr(h, b), 2 * PAGE)),
		      SUCCESS);
	assert_memory_equal(a, want, PAGE);
	assert_memory_equal(b, want + PAGE, PAGE);
	free(want);
}

/* base figure 87: one page long, with an offset: the end goes to PRP2. */
static void offset_moves_the_end_to_the_second_page(void **state)
{
	struct host *h = *state;
	uint8_t *want = pattern(h, PAGE), *a = host_mem(h, PAGE), *b = host_mem(h, PAGE);

	memset(b, 0x55, PAGE);
	assert_status(host_cmd(h, read_blocks(h, host_addr(h, a) + 0xe04, host_addr(h, b), PAGE)),
		      SUCCESS);
	assert_memory_equal(a + 0xe04, want, PAGE - 0xe04);
	assert_memory_equal(b, want + PAGE - 0xe04, 0xe04);
	assert_all(b + 0xe04, PAGE - 0xe04, 0x55);
	free(want);
}

/* base 4.1.1: the second entry of a command with an offset: "should return" PRP Offset Invalid. */
static void second_entry_has_no_offset(void **state)
{
	struct host *h = *state;
	uint64_t a = host_addr(h, host_mem(h, PAGE)), b = host_addr(h, host_mem(h, PAGE));

	assert_status(host_cmd(h, read_blocks(h, a, b + 8, 2 * PAGE)), PRP_OFFSET_INVALID);
	assert_status(host_cmd(h, read_blocks(h, a, b + 0x800, 2 * PAGE)), PRP_OFFSET_INVALID);
}

/* base 4.1.1: bits 1:0: PRP Offset Invalid, or as if they were 0. */
static void first_entry_is_dword_aligned(void **state)
{
	struct host *h = *state;
	uint8_t *want = pattern(h, BLOCK), *page = host_mem(h, PAGE);

	for (unsigned low = 1; low <= 3; low++) {
		struct cqe c =
			host_cmd(h, read_blocks(h, host_addr(h, page) + 0x200 + low, 0, BLOCK));

		assert_either(c, PRP_OFFSET_INVALID, SUCCESS);
		if (status_of(c) == SUCCESS)
			assert_memory_equal(page + 0x200, want, BLOCK);
		else
			assert_all(page, PAGE, 0);
	}
	free(want);
}

/* Reads @len through a list that begins at byte @at of its page; pages in falling order. */
static void check_list(struct host *h, unsigned offset, unsigned at, size_t len)
{
	uint8_t *want = pattern(h, len), *first = host_mem(h, PAGE), *page[64];
	uint64_t *list = host_mem(h, PAGE);
	unsigned nr = (unsigned)((offset + len + PAGE - 1) / PAGE) - 1;
	size_t done = PAGE - offset;

	for (unsigned i = nr; i--;) {
		page[i] = host_mem(h, PAGE);
		list[at / 8 + i] = host_addr(h, page[i]);
	}
	assert_status(host_cmd(h, read_blocks(h, host_addr(h, first) + offset,
					      host_addr(h, list) + at, len)),
		      SUCCESS);
	assert_memory_equal(first + offset, want, done);
	for (unsigned i = 0; i < nr; i++, done += PAGE) {
		size_t n = len - done < PAGE ? len - done : PAGE;

		assert_memory_equal(page[i], want + done, n);
		assert_all(page[i] + n, PAGE - n, 0);
	}
	free(want);
}

/* base figure 87: more than one page edge: PRP2 points to a list. */
static void list_of_pages(void **state)
{
	check_list(*state, 0, 0, 3 * PAGE);
	check_list(*state, 0, 0, 16 * PAGE);
}

/* base figure 87: two pages long with an offset needs a list of two. */
static void list_after_an_offset(void **state)
{
	check_list(*state, 0x40, 0, 2 * PAGE);
	check_list(*state, 0xffc, 0, 5 * PAGE + BLOCK);
}

/* base 4.1.1: the first list pointer is qword aligned and may have an offset in its page. */
static void list_may_begin_inside_its_page(void **state)
{
	check_list(*state, 0, 0x188, 8 * PAGE);
	check_list(*state, 0x200, PAGE - 4 * 8, 4 * PAGE); /* its 4 entries end with the page */
}

/* base 4.1.1: entries of a list "shall have a memory page offset of 0h": PRP Offset Invalid. */
static void list_entries_have_no_offset(void **state)
{
	struct host *h = *state;
	uint64_t *list = host_mem(h, PAGE);
	uint64_t page = host_addr(h, host_mem(h, PAGE));

	for (unsigned bad = 0; bad < 3; bad++) {
		for (unsigned i = 0; i < 3; i++)
			list[i] = page + (i == bad ? 0x10 : 0);
		assert_status(host_cmd(h, read_blocks(h, page, host_addr(h, list), 4 * PAGE)),
			      PRP_OFFSET_INVALID);
	}
}

/* Links of a chain: each list page full, its last entry the next page; returns the first address. */
static uint64_t chain(struct host *h, uint64_t first_at, unsigned entries, uint64_t target)
{
	uint64_t *list = host_mem(h, PAGE), start = host_addr(h, list) + first_at;
	unsigned at = (unsigned)(first_at / 8);

	for (; entries; entries--, at++) {
		if (at == PER_LIST - 1 && entries > 1) {
			uint64_t *next = host_mem(h, PAGE);

			list[at] = host_addr(h, next);
			list = next;
			at = 0;
		}
		list[at] = target;
	}
	return start;
}

/* base 4.1.1: a full list page's last entry points to the next; the last one of all is a data page. */
static void lists_are_chained(void **state)
{
	static const uint16_t at[] = {PAGE - 8, PAGE - 16, PAGE - 24};
	struct host *h = *state;
	uint8_t *want = pattern(h, 8 * PAGE), *page = host_mem(h, PAGE);

	for (unsigned i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		uint64_t list = chain(h, at[i], 7, host_addr(h, page));

		memset(page, 0, PAGE);
		assert_status(host_cmd(h, read_blocks(h, host_addr(h, page), list, 8 * PAGE)),
			      SUCCESS);
		assert_memory_equal(page, want + 7 * PAGE,
				    PAGE); /* each went to it, the last one last */
	}
	free(want);
}

/* base 4.1.1: a list that just fills its page has no pointer in it: its last entry is data. */
static void full_list_needs_no_next_one(void **state)
{
	struct host *h = *state;
	uint64_t *list = host_mem(h, PAGE);
	uint8_t *want = pattern(h, 4 * PAGE), *page = host_mem(h, PAGE), *last = host_mem(h, PAGE);

	list[PER_LIST - 3] = list[PER_LIST - 2] = host_addr(h, page);
	list[PER_LIST - 1] = host_addr(h, last);
	assert_status(host_cmd(h, read_blocks(h, host_addr(h, page), host_addr(h, list) + PAGE - 24,
					      4 * PAGE)),
		      SUCCESS);
	assert_memory_equal(last, want + 3 * PAGE, PAGE);
	free(want);
}

/* base 4.1.1, 9.3: a list, or an entry of it, in memory that does not exist: Data Transfer Error. */
static void unreachable_lists_are_errors(void **state)
{
	struct host *h = *state;
	uint64_t *list = host_mem(h, PAGE);
	uint64_t page = host_addr(h, host_mem(h, PAGE));

	assert_status(host_cmd(h, read_blocks(h, page, NO_MEM, 4 * PAGE)), DATA_TRANSFER_ERROR);
	list[0] = page;
	list[1] = NO_MEM;
	list[2] = page;
	assert_status(host_cmd(h, read_blocks(h, page, host_addr(h, list), 4 * PAGE)),
		      DATA_TRANSFER_ERROR);
	list[0] = 0;
	assert_status(host_cmd(h, read_blocks(h, page, host_addr(h, list), 4 * PAGE)),
		      DATA_TRANSFER_ERROR);
}

static int small_mdts(void **state)
{
	struct phyr_sim_nvme_config config = {.mdts = 3}; /* 8 pages of 4 KiB */

	return host_up(state, &config, NULL, 0);
}

/* base 5.17.2.1: MDTS counts pages of CAP.MPSMIN, as a power of two: that much is taken. */
static void largest_transfer_is_taken(void **state)
{
	struct host *h = *state;
	size_t most = ((size_t)PAGE << (h->cap >> 48 & 15)) << identify(h, 1, 0)[ID_MDTS];
	uint8_t *want = pattern(h, most), *page = host_mem(h, PAGE);
	uint64_t list = chain(h, 0, (unsigned)(most / PAGE) - 1, host_addr(h, page));

	assert_int_equal(most, 8 * PAGE);
	assert_status(host_cmd(h, read_blocks(h, host_addr(h, page), list, most)), SUCCESS);
	assert_memory_equal(page, want + most - PAGE, PAGE);
	free(want);
}

/* base 5.17.2.1: more than MDTS: Invalid Field in Command; nothing is moved. */
static void larger_transfers_are_refused(void **state)
{
	struct host *h = *state;
	uint8_t *page = host_mem(h, PAGE), got[BLOCK];
	uint64_t list = chain(h, 0, 20, host_addr(h, page));
	struct sqe cmd = read_blocks(h, host_addr(h, page), list, 8 * PAGE + BLOCK);

	memset(page, 0x55, PAGE);
	assert_status(host_cmd(h, cmd), INVALID_FIELD);
	assert_all(page, PAGE, 0x55);
	cmd.opc = WRITE;
	assert_status(host_cmd(h, cmd), INVALID_FIELD);
	file_get(h, 1, 0, got, BLOCK);
	assert_all(got, BLOCK, 0);
	cmd.cdw12 = 0xffff;
	assert_status(host_cmd(h, cmd), INVALID_FIELD);
}

/* base 4.1.1: writing gathers in the same order. */
static void writes_gather(void **state)
{
	struct host *h = *state;
	uint8_t *a = host_mem(h, PAGE), *b = host_mem(h, PAGE), *c = host_mem(h, PAGE),
		got[3 * PAGE];
	uint64_t *list = host_mem(h, PAGE);
	struct sqe cmd;

	fill(a, PAGE, 1);
	fill(b, PAGE, 2);
	fill(c, PAGE, 3);
	list[0] = host_addr(h, a);
	list[1] = host_addr(h, b);
	cmd = read_blocks(h, host_addr(h, c), host_addr(h, list), sizeof(got));
	cmd.opc = WRITE;
	assert_status(host_cmd(h, cmd), SUCCESS);
	file_get(h, 1, 0, got, sizeof(got));
	assert_memory_equal(got, c, PAGE);
	assert_memory_equal(got + PAGE, a, PAGE);
	assert_memory_equal(got + 2 * PAGE, b, PAGE);
}

static int larger_pages(void **state)
{
	struct host *h = host_create(NULL, NULL, 0);

	*state = h;
	if (!(h->cap >> 52 & 15))
		return 0;
	h->cc |= CC_MPS(1);
	host_admin_queues(h, 1024); /* aligned to more than 8 KiB */
	host_enable(h);
	host_add_cq(h, &h->cq, 1, 512);
	host_add_sq(h, &h->sq, 1, 128, 1);
	return 0;
}

/* base 4.1.1: the page is what CC.MPS says: an entry is 8 KiB, its offset 13 bits. */
static void pages_are_as_large_as_mps_says(void **state)
{
	struct host *h = *state;
	uint8_t *want = pattern(h, 6 * PAGE), *first = host_mem(h, 2 * PAGE);
	uint64_t *list = host_mem(h, 2 * PAGE);
	uint8_t *second = host_mem(h, 2 * PAGE), *third = host_mem(h, 2 * PAGE);

	if (!(h->cap >> 52 & 15))
		skip();
	list[0] = host_addr(h, second);
	list[1] = host_addr(h, third);
	assert_status(host_cmd(h, read_blocks(h, host_addr(h, first) + PAGE, host_addr(h, list),
					      5 * PAGE)),
		      SUCCESS);
	assert_memory_equal(first + PAGE, want, PAGE);
	assert_memory_equal(second, want + PAGE, 2 * PAGE);
	assert_memory_equal(third, want + 3 * PAGE, 2 * PAGE);
	assert_status(host_cmd(h, read_blocks(h, host_addr(h, first), host_addr(h, second) + PAGE,
					      4 * PAGE)),
		      PRP_OFFSET_INVALID);
	free(want);
}

#define io(test)  cmocka_unit_test_setup_teardown(test, host_io, host_down)
#define few(test) cmocka_unit_test_setup_teardown(test, small_mdts, host_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		io(first_entry_may_have_an_offset),
		io(second_entry_is_the_second_page),
		io(offset_moves_the_end_to_the_second_page),
		io(second_entry_has_no_offset),
		io(first_entry_is_dword_aligned),
		io(list_of_pages),
		io(list_after_an_offset),
		io(list_may_begin_inside_its_page),
		io(list_entries_have_no_offset),
		io(lists_are_chained),
		io(full_list_needs_no_next_one),
		io(unreachable_lists_are_errors),
		few(largest_transfer_is_taken),
		few(larger_transfers_are_refused),
		io(writes_gather),
		cmocka_unit_test_setup_teardown(pages_are_as_large_as_mps_says, larger_pages,
						host_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
