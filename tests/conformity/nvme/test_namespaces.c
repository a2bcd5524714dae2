/* SPDX-License-Identifier: MIT */
/* Several namespaces: active and inactive ones, their sizes, write protection. base 3.2.1, 8.12. */
#include <string.h>

#include "conformity/nvme/host.h"

/* 1: 512 byte blocks; 2: inactive; 3: 4096 byte blocks; 4: write protected. */
enum { SMALL = 1, INACTIVE = 2, LARGE = 3, LOCKED = 4 };

static int setup(void **state)
{
	struct phyr_sim_nvme_ns more[] = {{.fd = -1}, {.block_lg2 = 12}, {.read_only = true}};

	return host_up(state, NULL, more, 3);
}

static struct sqe on(uint32_t nsid, struct sqe cmd)
{
	cmd.nsid = nsid;
	return cmd;
}

/* base 5.17.2.2: active ones only, in increasing order, above the NSID of the command. */
static void active_list_leaves_out_inactive_ones(void **state)
{
	struct host *h = *state;
	const uint8_t *all = identify(h, 2, 0), *above = identify(h, 2, SMALL),
		      *end = identify(h, 2, LOCKED);

	assert_int_equal(le32(all, 0), SMALL);
	assert_int_equal(le32(all, 4), LARGE);
	assert_int_equal(le32(all, 8), LOCKED);
	assert_all(all + 12, PAGE - 12, 0);
	assert_int_equal(le32(above, 0), LARGE);
	assert_int_equal(le32(above, 4), LOCKED);
	assert_int_equal(le32(above, 8), 0);
	assert_all(end, PAGE, 0);
}

/* base 5.17.2.1, 3.2.1.2: NN is the largest valid NSID at least. */
static void nn_covers_them(void **state)
{
	assert_true(le32(identify(*state, 1, 0), ID_NN) >= LOCKED);
}

/* nvm 4.1.5.1, base 3.2.1.4: Identify of an inactive namespace: a structure of 0h. */
static void inactive_namespace_is_zero_filled(void **state)
{
	assert_all(identify(*state, 0, INACTIVE), PAGE, 0);
}

/* base 3.3.3.1: an inactive NSID in a command that uses it: Invalid Field in Command. */
static void inactive_namespace_takes_no_commands(void **state)
{
	static const uint8_t opc[] = {FLUSH, READ, WRITE};
	struct host *h = *state;
	void *buf = host_mem(h, PAGE);

	for (unsigned i = 0; i < sizeof(opc); i++)
		assert_status(host_cmd(h, on(INACTIVE, cmd_rw(h, opc[i], 0, 1, buf))),
			      INVALID_FIELD);
}

/* base 5.17.2.3, 3.2.1.5: likewise for its descriptors. */
static void inactive_namespace_has_no_descriptors(void **state)
{
	struct host *h = *state;
	void *buf = host_mem(h, PAGE);

	assert_status(host_admin(h, cmd_identify(h, buf, 3, INACTIVE)), INVALID_FIELD);
}

/* nvm 4.1.5.1: sizes in each one's own blocks. */
static void sizes_are_in_blocks_of_their_own(void **state)
{
	struct host *h = *state;

	assert_int_equal(block_size(h, SMALL), 512);
	assert_int_equal(block_size(h, LARGE), 4096);
	assert_int_equal(le64(identify(h, 0, SMALL), NS_NSZE), NS_BYTES / 512);
	assert_int_equal(le64(identify(h, 0, LARGE), NS_NSZE), NS_BYTES / 4096);
}

/* base 3.2.1: a write is in the namespace that it names, and in no other. */
static void namespaces_are_apart(void **state)
{
	struct host *h = *state;
	uint8_t *buf = host_mem(h, PAGE), got[PAGE];

	fill(buf, PAGE, 1);
	assert_status(host_cmd(h, on(LARGE, cmd_rw(h, WRITE, 5, 1, buf))), SUCCESS);
	file_get(h, LARGE, 5 * 4096, got, PAGE);
	assert_memory_equal(got, buf, PAGE);
	for (uint32_t at = 0; at < 64 * 1024; at += PAGE) {
		file_get(h, SMALL, at, got, PAGE);
		assert_all(got, PAGE, 0);
		file_get(h, LOCKED, at, got, PAGE);
		assert_all(got, PAGE, 0);
	}
}

/* nvm 3.1.2: the end is each one's own. */
static void ends_are_their_own(void **state)
{
	struct host *h = *state;
	void *buf = host_mem(h, PAGE);

	assert_status(host_cmd(h, on(LARGE, cmd_rw(h, READ, NS_BYTES / 4096 - 1, 1, buf))),
		      SUCCESS);
	assert_status(host_cmd(h, on(LARGE, cmd_rw(h, READ, NS_BYTES / 4096, 1, buf))),
		      LBA_OUT_OF_RANGE);
}

/* base 3.2.1.6: "access to any attached namespace from any I/O Submission Queue". */
static void every_queue_reaches_every_namespace(void **state)
{
	static const uint32_t nsid[] = {SMALL, LARGE, LOCKED};
	struct host *h = *state;
	struct sq sq[3];

	for (uint16_t q = 0; q < 3; q++) {
		host_add_sq(h, &sq[q], (uint16_t)(q + 2), 8, 1);
		for (unsigned i = 0; i < 3; i++) {
			uint8_t *buf = host_mem(h, PAGE), want = (uint8_t)(16 * q + i + 1);

			file_put(h, nsid[i], 0, &want, 1);
			assert_status(host_exec(h, &sq[q], &h->cq,
						on(nsid[i], cmd_rw(h, READ, 0, 1, buf))),
				      SUCCESS);
			assert_int_equal(buf[0], want);
		}
	}
}

/* base 5.17.2.3: identifiers tell namespaces apart. */
static void identifiers_differ(void **state)
{
	struct host *h = *state;
	const uint8_t *a = identify(h, 3, SMALL), *b = identify(h, 3, LARGE),
		      *c = identify(h, 3, LOCKED);

	assert_true(memcmp(a, b, 64) && memcmp(b, c, 64) && memcmp(a, c, 64));
}

/* base 8.12, nvm 3.2: what changes data in a protected namespace: Namespace is Write Protected. */
static void protected_namespace_is_not_written(void **state)
{
	struct host *h = *state;
	unsigned oncs = le16(identify(h, 1, 0), ID_ONCS);
	uint8_t *buf = host_mem(h, PAGE), got[PAGE];
	struct sqe dsm = sqe(.opc = DSM, .nsid = LOCKED, .prp1 = host_addr(h, buf), .cdw11 = 4);

	fill(got, PAGE, 2);
	file_put(h, LOCKED, 0, got, PAGE);
	buf[4] = 8; /* one range: blocks 0 to 7 */
	assert_status(host_cmd(h, on(LOCKED, cmd_rw(h, WRITE, 0, 1, buf))), WRITE_PROTECTED);
	if (oncs & ONCS_ZEROES)
		assert_status(host_cmd(h, on(LOCKED, cmd_rw(h, WRITE_ZEROES, 0, 1, NULL))),
			      WRITE_PROTECTED);
	if (oncs & ONCS_DSM)
		assert_status(host_cmd(h, dsm), WRITE_PROTECTED);
	file_get(h, LOCKED, 0, buf, PAGE);
	assert_memory_equal(buf, got, PAGE);
}

/* base 8.12: reading and flushing go on. */
static void protected_namespace_is_read(void **state)
{
	struct host *h = *state;
	uint8_t *buf = host_mem(h, PAGE), want[PAGE];

	fill(want, PAGE, 3);
	file_put(h, LOCKED, 0, want, PAGE);
	assert_status(host_cmd(h, on(LOCKED, cmd_rw(h, READ, 0, 8, buf))), SUCCESS);
	assert_memory_equal(buf, want, PAGE);
	assert_status(host_cmd(h, sqe(.opc = FLUSH, .nsid = LOCKED)), SUCCESS);
}

/* base 5.17.2.8, nvm 4.1.5.1: NSATTR bit 0 says that the namespace is write protected. */
static void protection_is_told(void **state)
{
	struct host *h = *state;

	assert_int_equal(identify(h, 0, LOCKED)[NS_NSATTR] & 1, 1);
	assert_int_equal(identify(h, 0, SMALL)[NS_NSATTR] & 1, 0);
}

/* base 7.1: FFFFFFFFh is all of them, protected ones, too. */
static void flush_of_all_succeeds(void **state)
{
	struct host *h = *state;

	if ((identify(h, 1, 0)[ID_VWC] >> 1 & 3) != 3)
		skip();
	assert_status(host_cmd(h, sqe(.opc = FLUSH, .nsid = NSID_ALL)), SUCCESS);
}

#define t(test) cmocka_unit_test_setup_teardown(test, setup, host_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		t(active_list_leaves_out_inactive_ones),
		t(nn_covers_them),
		t(inactive_namespace_is_zero_filled),
		t(inactive_namespace_takes_no_commands),
		t(inactive_namespace_has_no_descriptors),
		t(sizes_are_in_blocks_of_their_own),
		t(namespaces_are_apart),
		t(ends_are_their_own),
		t(every_queue_reaches_every_namespace),
		t(identifiers_differ),
		t(protected_namespace_is_not_written),
		t(protected_namespace_is_read),
		t(protection_is_told),
		t(flush_of_all_succeeds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
