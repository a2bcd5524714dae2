/* SPDX-License-Identifier: MIT */
/* Format NVM: formats, scopes, what is refused. base 5.14, nvm 4.1.2. */
#include "conformity/nvme/host.h"

#define SES_USER_DATA (1u << 9)
#define SES_CRYPTO    (2u << 9)
#define PI_TYPE_1     (1u << 5)
#define MSET          (1u << 4)
#define FNA_ALL       0x01 /* a format is of all namespaces */
#define FNA_CRYPTO    0x04
#define FNA_NO_ALL    0x08 /* NSID FFFFFFFFh is not supported */

/* 1 and 2 can be formatted, 3 is inactive, 4 is write protected. */
enum { FIRST = 1, SECOND, INACTIVE, LOCKED };

static int setup(void **state)
{
	struct phyr_sim_nvme_ns more[] = {{.fd = 0}, {.fd = -1}, {.read_only = true}};

	return host_up(state, NULL, more, 3);
}

/* Without the protected one, so that all of them can be formatted. */
static int setup_open(void **state)
{
	struct phyr_sim_nvme_ns more[] = {{.fd = 0}};

	return host_up(state, NULL, more, 1);
}

static bool can_format(struct host *h)
{
	return le16(identify(h, 1, 0), ID_OACS) & OACS_FORMAT;
}

static uint8_t fna(struct host *h)
{
	return identify(h, 1, 0)[ID_FNA];
}

static struct cqe format(struct host *h, uint32_t nsid, uint32_t cdw10)
{
	return host_admin(h, sqe(.opc = FORMAT, .nsid = nsid, .cdw10 = cdw10));
}

/* The number of the format with blocks of 2^lg2 bytes and no metadata; -1: none. */
static int format_of(struct host *h, uint32_t nsid, unsigned lg2)
{
	const uint8_t *ns = identify(h, 0, nsid);

	for (int i = 0; i <= ns[NS_NLBAF]; i++)
		if ((le32(ns, NS_LBAF + 4ul * (unsigned)i) & 0xffffff) == lg2 << 16)
			return i;
	return -1;
}

/* base 5.14: afterwards Identify reports the format, and sizes in its blocks (nvm 4.1.2). */
static void format_changes_the_block_size(void **state)
{
	struct host *h = *state;
	int lbaf;

	if (!can_format(h))
		skip();
	lbaf = format_of(h, FIRST, 12);
	assert_true(lbaf >= 0);
	assert_status(format(h, FIRST, (uint32_t)lbaf), SUCCESS);
	assert_int_equal(identify(h, 0, FIRST)[NS_FLBAS] & 15, lbaf);
	assert_int_equal(block_size(h, FIRST), 4096);
	assert_int_equal(le64(identify(h, 0, FIRST), NS_NSZE), NS_BYTES / 4096);
	assert_int_equal(le64(identify(h, 0, FIRST), NS_NCAP), NS_BYTES / 4096);
}

/* nvm 4.1.2: commands count in the new blocks, and so does the end. */
static void commands_use_the_new_blocks(void **state)
{
	struct host *h = *state;
	uint8_t *buf = host_mem(h, PAGE), got[PAGE];

	if (!can_format(h))
		skip();
	assert_status(format(h, FIRST, (uint32_t)format_of(h, FIRST, 12)), SUCCESS);
	h->block = 4096;
	fill(buf, PAGE, 1);
	assert_status(host_cmd(h, cmd_rw(h, WRITE, 3, 1, buf)), SUCCESS);
	file_get(h, FIRST, 3 * 4096, got, PAGE);
	assert_memory_equal(buf, got, PAGE);
	assert_status(host_cmd(h, cmd_rw(h, READ, NS_BYTES / 4096, 1, buf)), LBA_OUT_OF_RANGE);
}

/* base 5.14: and back again. */
static void format_can_be_undone(void **state)
{
	struct host *h = *state;

	if (!can_format(h))
		skip();
	assert_status(format(h, FIRST, (uint32_t)format_of(h, FIRST, 12)), SUCCESS);
	assert_status(format(h, FIRST, (uint32_t)format_of(h, FIRST, 9)), SUCCESS);
	assert_int_equal(block_size(h, FIRST), 512);
	assert_int_equal(le64(identify(h, 0, FIRST), NS_NSZE), NS_BYTES / 512);
}

/* base 5.17.2.1: FNA bit 0 cleared: of the one namespace only. */
static void format_is_of_one_namespace(void **state)
{
	struct host *h = *state;

	if (!can_format(h) || fna(h) & FNA_ALL)
		skip();
	assert_status(format(h, FIRST, (uint32_t)format_of(h, FIRST, 12)), SUCCESS);
	assert_int_equal(block_size(h, SECOND), 512);
}

/* base 5.14, 5.17.2.1: FFFFFFFFh formats all, or is Invalid Field where FNA bit 3 is set. */
static void format_of_all_is_as_identify_says(void **state)
{
	struct host *h = *state;
	uint32_t lbaf;

	if (!can_format(h))
		skip();
	lbaf = (uint32_t)format_of(h, FIRST, 12);
	if (fna(h) & FNA_NO_ALL) {
		assert_status(format(h, NSID_ALL, lbaf), INVALID_FIELD);
		return;
	}
	assert_status(format(h, NSID_ALL, lbaf), SUCCESS);
	assert_int_equal(block_size(h, FIRST), 4096);
	assert_int_equal(block_size(h, SECOND), 4096);
}

/* base 5.14: a format that is not listed: Invalid Format; nothing changes. */
static void unknown_formats_are_refused(void **state)
{
	struct host *h = *state;
	unsigned nlbaf = identify(h, 0, FIRST)[NS_NLBAF];

	if (!can_format(h))
		skip();
	for (unsigned lbaf = nlbaf + 1; lbaf < 16; lbaf++)
		assert_status(format(h, FIRST, lbaf), INVALID_FORMAT);
	assert_int_equal(block_size(h, FIRST), 512);
}

/* base 5.14: SES 011b to 111b are reserved; 010b needs FNA bit 2. */
static void unknown_erase_settings_are_refused(void **state)
{
	struct host *h = *state;
	uint32_t lbaf;

	if (!can_format(h))
		skip();
	lbaf = (uint32_t)format_of(h, FIRST, 9);
	for (uint32_t ses = 3; ses < 8; ses++)
		assert_status(format(h, FIRST, ses << 9 | lbaf), INVALID_FIELD);
	if (!(fna(h) & FNA_CRYPTO))
		assert_status(format(h, FIRST, SES_CRYPTO | lbaf), INVALID_FIELD);
}

/* base 5.14: user data erase: the data that was there is gone. */
static void erased_data_is_gone(void **state)
{
	struct host *h = *state;
	uint8_t *buf = host_mem(h, PAGE), secret[PAGE];

	if (!can_format(h))
		skip();
	fill(secret, PAGE, 2);
	file_put(h, FIRST, 0, secret, PAGE);
	assert_status(format(h, FIRST, SES_USER_DATA | (uint32_t)format_of(h, FIRST, 9)), SUCCESS);
	assert_status(host_cmd(h, cmd_rw(h, READ, 0, 8, buf)), SUCCESS);
	for (unsigned at = 0; at < PAGE; at += 64)
		assert_memory_not_equal(buf + at, secret + at, 64);
}

/* nvm 4.1.2, 4.1.5.1: protection information that DPC does not claim; PI 100b to 111b are reserved. */
static void unclaimed_protection_is_refused(void **state)
{
	struct host *h = *state;
	uint32_t lbaf;

	if (!can_format(h))
		skip();
	lbaf = (uint32_t)format_of(h, FIRST, 9);
	if (!(identify(h, 0, FIRST)[NS_DPC] & 1))
		assert_either(format(h, FIRST, PI_TYPE_1 | lbaf), INVALID_FORMAT, INVALID_FIELD);
	assert_either(format(h, FIRST, 4u << 5 | lbaf), INVALID_FORMAT, INVALID_FIELD);
}

/* nvm 4.1.2: the place of metadata (MSET) is not applicable to a format that has none. */
static void place_of_no_metadata_is_ignored(void **state)
{
	struct host *h = *state;

	if (!can_format(h))
		skip();
	assert_status(format(h, FIRST, MSET | (uint32_t)format_of(h, FIRST, 12)), SUCCESS);
	assert_int_equal(block_size(h, FIRST), 4096);
	assert_int_equal(identify(h, 0, FIRST)[NS_FLBAS] & 0x10, 0);
}

/* base 3.2.1.5: no namespace: Invalid Namespace or Format; an inactive one: Invalid Field in Command. */
static void other_namespaces_are_refused(void **state)
{
	struct host *h = *state;

	if (!can_format(h))
		skip();
	assert_status(format(h, 0, 0), INVALID_NAMESPACE);
	assert_status(format(h, le32(identify(h, 1, 0), ID_NN) + 1, 0), INVALID_NAMESPACE);
	assert_status(format(h, INACTIVE, 0), INVALID_FIELD);
}

/* base 5.14: a write protected namespace: Namespace is Write Protected; nothing changes. */
static void protected_namespace_is_refused(void **state)
{
	struct host *h = *state;

	if (!can_format(h) || fna(h) & FNA_ALL)
		skip();
	assert_status(format(h, LOCKED, (uint32_t)format_of(h, LOCKED, 12)), WRITE_PROTECTED);
	assert_int_equal(block_size(h, LOCKED), 512);
}

/* base 5.14: likewise when it is one of all. */
static void protected_namespace_stops_a_format_of_all(void **state)
{
	struct host *h = *state;

	if (!can_format(h) || fna(h) & FNA_NO_ALL)
		skip();
	assert_status(format(h, NSID_ALL, (uint32_t)format_of(h, FIRST, 12)), WRITE_PROTECTED);
	assert_int_equal(block_size(h, FIRST), 512);
}

#define NOTICE             2 /* event type, base figure 143 */
#define NOTICES_OF_CHANGES 0x100u

/* base 5.16.1.5: namespaces whose Identify data changed since the page was read, where OAES claims it. */
static void changed_namespace_is_listed(void **state)
{
	struct host *h = *state;
	const uint8_t *log;

	if (!can_format(h) || !(le32(identify(h, 1, 0), ID_OAES) & NOTICES_OF_CHANGES))
		skip();
	assert_status(format(h, SECOND, (uint32_t)format_of(h, SECOND, 12)), SUCCESS);
	log = get_log(h, LOG_CHANGED, NSID_ALL, 4096);
	assert_int_equal(le32(log, 0), SECOND);
	assert_all(log + 4, PAGE - 4, 0);
	assert_all(get_log(h, LOG_CHANGED, NSID_ALL, 4096), PAGE, 0);
}

/* base 5.2, figure 147: it is told as a notice, Namespace Attribute Changed, log page 04h. */
static void change_is_reported(void **state)
{
	struct host *h = *state;
	struct cqe c;

	if (!can_format(h) || !(le32(identify(h, 1, 0), ID_OAES) & NOTICES_OF_CHANGES))
		skip();
	assert_status(host_admin(h, cmd_set(F_EVENTS, 0, NOTICES_OF_CHANGES)), SUCCESS);
	host_push(h, &h->asq, sqe(.opc = ASYNC_EVENT));
	host_push(h, &h->asq,
		  sqe(.opc = FORMAT, .nsid = FIRST, .cdw10 = (uint32_t)format_of(h, FIRST, 12)));
	host_ring(h, &h->asq);
	for (unsigned i = 0; i < 2; i++) {
		assert_true(host_reap(h, &h->acq, &c));
		assert_status(c, SUCCESS);
		if (c.cid != h->cid)
			assert_int_equal(c.dw0, LOG_CHANGED << 16 | NOTICE);
	}
}

/* base 3.7.2: the format is of the namespace, not of the controller: a reset keeps it. */
static void reset_keeps_the_format(void **state)
{
	struct host *h = *state;

	if (!can_format(h))
		skip();
	assert_status(format(h, FIRST, (uint32_t)format_of(h, FIRST, 12)), SUCCESS);
	host_disable(h);
	host_admin_queues(h, 16);
	host_enable(h);
	assert_int_equal(block_size(h, FIRST), 4096);
}

#define t(test)    cmocka_unit_test_setup_teardown(test, setup, host_down)
#define open(test) cmocka_unit_test_setup_teardown(test, setup_open, host_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		t(format_changes_the_block_size),
		t(commands_use_the_new_blocks),
		t(format_can_be_undone),
		t(format_is_of_one_namespace),
		open(format_of_all_is_as_identify_says),
		t(unknown_formats_are_refused),
		t(unknown_erase_settings_are_refused),
		t(erased_data_is_gone),
		t(unclaimed_protection_is_refused),
		t(place_of_no_metadata_is_ignored),
		t(other_namespaces_are_refused),
		t(protected_namespace_is_refused),
		t(protected_namespace_stops_a_format_of_all),
		t(changed_namespace_is_listed),
		t(change_is_reported),
		t(reset_keeps_the_format),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
