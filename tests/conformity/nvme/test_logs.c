/* SPDX-License-Identifier: MIT */
/* Get Log Page: the pages, lengths and offsets. base 5.16. */
#include <string.h>

#include "conformity/nvme/host.h"

/* base 3.1.2.1.2, figure 24: pages that an I/O controller has, first by what it claims for LPA. */
static void mandatory_pages_are_there(void **state)
{
	struct host *h = *state;
	uint8_t lpa = identify(h, 1, 0)[ID_LPA];

	get_log(h, LOG_ERRORS, NSID_ALL, 64);
	get_log(h, LOG_SMART, NSID_ALL, 512);
	get_log(h, LOG_FIRMWARE, NSID_ALL, 512);
	if (lpa & LPA_EFFECTS)
		get_log(h, LOG_EFFECTS, 0, 4096);
	if (lpa & LPA_SUPPORTED) {
		get_log(h, LOG_SUPPORTED, 0, 1024);
		get_log(h, LOG_FEATURES, 0, 1024);
	}
}

/* base 5.16: reserved and unsupported pages: Invalid Log Page. */
static void unknown_pages_are_refused(void **state)
{
	static const uint8_t lid[] = {0x6f, 0x7f, 0xbe, 0xff};
	struct host *h = *state;
	void *buf = host_mem(h, PAGE);

	for (unsigned i = 0; i < sizeof(lid); i++)
		assert_status(host_admin(h, cmd_log(h, buf, lid[i], NSID_ALL, 512)), INVALID_LOG);
	assert_all(buf, PAGE, 0);
}

/* base 5.16: NUMD is 0's based dwords: so many are written, none beyond. */
static void length_is_what_is_asked_for(void **state)
{
	static const uint16_t bytes[] = {4, 8, 60, 508, 512};
	struct host *h = *state;
	const uint8_t *whole = get_log(h, LOG_FIRMWARE, NSID_ALL, 512);

	for (unsigned i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++) {
		const uint8_t *part = get_log(h, LOG_FIRMWARE, NSID_ALL, bytes[i]);

		assert_memory_equal(part, whole, bytes[i]);
		assert_all(part + bytes[i], PAGE - bytes[i], 0xee);
	}
}

/* base 5.16: more than the page has: the whole page, and undefined dwords behind it; no error. */
static void length_may_exceed_the_page(void **state)
{
	struct host *h = *state;
	const uint8_t *whole = get_log(h, LOG_FIRMWARE, NSID_ALL, 512);
	const uint8_t *more = get_log(h, LOG_FIRMWARE, NSID_ALL, 2048);

	assert_memory_equal(more, whole, 512);
	assert_all(more + 2048, PAGE - 2048, 0xee);
}

/* base 5.16: the log page offset, where LPA bit 2 claims it. */
static void offset_is_applied(void **state)
{
	struct host *h = *state;
	const uint8_t *whole = get_log(h, LOG_FIRMWARE, NSID_ALL, 512);
	uint8_t *part = host_mem(h, PAGE);
	struct sqe cmd = cmd_log(h, part, LOG_FIRMWARE, NSID_ALL, 64);

	if (!(identify(h, 1, 0)[ID_LPA] & LPA_EXTENDED))
		skip();
	cmd.cdw12 = 8;
	assert_status(host_admin(h, cmd), SUCCESS);
	assert_memory_equal(part, whole + 8, 64);
}

/* base 5.16: an offset greater than the page's size: Invalid Field in Command; in either dword. */
static void offset_past_the_end_is_refused(void **state)
{
	struct host *h = *state;
	struct sqe cmd = cmd_log(h, host_mem(h, PAGE), LOG_FIRMWARE, NSID_ALL, 64);

	if (!(identify(h, 1, 0)[ID_LPA] & LPA_EXTENDED))
		skip();
	cmd.cdw12 = 516;
	assert_status(host_admin(h, cmd), INVALID_FIELD);
	cmd.cdw12 = 0;
	cmd.cdw13 = 1;
	assert_status(host_admin(h, cmd), INVALID_FIELD);
}

/* base 5.16: memory that is not there: an error, not a success. */
static void unreachable_buffer_is_an_error(void **state)
{
	struct host *h = *state;
	struct sqe cmd = cmd_log(h, host_mem(h, PAGE), LOG_SMART, NSID_ALL, 512);

	cmd.prp1 = NO_MEM;
	assert_status(host_admin(h, cmd), DATA_TRANSFER_ERROR);
}

/* base 5.16.1.3: of the controller by NSID 0h and FFFFFFFFh; of a namespace where LPA bit 0 claims it. */
static void smart_scope(void **state)
{
	struct host *h = *state;
	bool per_ns = identify(h, 1, 0)[ID_LPA] & LPA_SMART_OF_NS;
	void *buf = host_mem(h, PAGE);

	get_log(h, LOG_SMART, 0, 512);
	get_log(h, LOG_SMART, NSID_ALL, 512);
	assert_status(host_admin(h, cmd_log(h, buf, LOG_SMART, 1, 512)),
		      per_ns ? SUCCESS : INVALID_FIELD);
}

/* base 5.16.1.3: temperature in Kelvin, spare in percent, reserved bytes 0h, nothing critical at rest. */
static void smart_values_make_sense(void **state)
{
	const uint8_t *smart = get_log(*state, LOG_SMART, NSID_ALL, 512);

	assert_int_equal(smart[0] & 0xc0, 0);
	assert_in_range(le16(smart, 1), 250, 400);
	assert_true(smart[3] <= 100 && smart[4] <= 100);
	assert_all(smart + 7, 32 - 7, 0);
	assert_all(smart + 232, 512 - 232, 0);
}

static struct sqe big(struct host *h, uint8_t opc, const uint64_t *list, void *page)
{
	struct sqe cmd = cmd_rw(h, opc, 0, 128, page); /* 64 KiB */

	cmd.prp2 = host_addr(h, list);
	return cmd;
}

/* base 5.16.1.3: data units are thousands of 512 bytes, rounded up; commands are counted one by one. */
static void smart_counts_data_and_commands(void **state)
{
	struct host *h = *state;
	uint64_t *list = host_mem(h, PAGE);
	void *page = host_mem(h, PAGE);
	const uint8_t *smart;

	for (unsigned i = 0; i < 15; i++)
		list[i] = host_addr(h, page);
	for (unsigned i = 0; i < 10; i++) /* 1,280 units of 512 bytes */
		assert_status(host_cmd(h, big(h, READ, list, page)), SUCCESS);
	for (unsigned i = 0; i < 3; i++) /* 384 of them */
		assert_status(host_cmd(h, big(h, WRITE, list, page)), SUCCESS);
	smart = get_log(h, LOG_SMART, NSID_ALL, 512);
	assert_int_equal(le64(smart, 32), 2);
	assert_int_equal(le64(smart, 48), 1);
	assert_int_equal(le64(smart, 64), 10);
	assert_int_equal(le64(smart, 80), 3);
}

/* nvm 1.4.2.3, 1.4.2.4: Compare is a command that takes data in; Write Zeroes and Flush move none. */
static void smart_counts_compares_as_reads(void **state)
{
	struct host *h = *state;
	void *page = host_mem(h, PAGE);
	const uint8_t *smart;

	for (unsigned i = 0; i < 4; i++)
		assert_status(host_cmd(h, cmd_rw(h, COMPARE, 0, 8, page)), SUCCESS);
	assert_status(host_cmd(h, cmd_rw(h, WRITE_ZEROES, 0, 8, NULL)), SUCCESS);
	assert_status(host_cmd(h, sqe(.opc = FLUSH, .nsid = 1)), SUCCESS);
	smart = get_log(h, LOG_SMART, NSID_ALL, 512);
	assert_int_equal(le64(smart, 32), 1); /* 32 units of 512 bytes */
	assert_int_equal(le64(smart, 48), 0);
	assert_int_equal(le64(smart, 64), 4);
	assert_int_equal(le64(smart, 80), 0);
}

static int large_blocks(void **state)
{
	struct phyr_sim_nvme_config config = {.block_lg2 = 12};

	return host_up(state, &config, NULL, 0);
}

/* nvm 4.1.4.2: other block sizes are converted to units of 512 bytes. */
static void smart_counts_in_512_bytes(void **state)
{
	struct host *h = *state;
	void *page = host_mem(h, PAGE);
	const uint8_t *smart;

	for (unsigned i = 0; i < 126; i++) /* 1,008 units of 512 bytes */
		assert_status(host_cmd(h, cmd_rw(h, READ, 0, 1, page)), SUCCESS);
	smart = get_log(h, LOG_SMART, NSID_ALL, 512);
	assert_int_equal(le64(smart, 32), 2);
	assert_int_equal(le64(smart, 48), 0);
	assert_int_equal(le64(smart, 64), 126);
}

/* base 5.16.1.3, 5.27.1.3: below the under threshold likewise. */
static void smart_warns_of_cold(void **state)
{
	struct host *h = *state;
	uint16_t now = le16(get_log(h, LOG_SMART, NSID_ALL, 512), 1);

	assert_status(host_admin(h, cmd_set(F_TEMPERATURE, 0, 1u << 20 | (now + 5u))), SUCCESS);
	assert_int_equal(get_log(h, LOG_SMART, NSID_ALL, 512)[0] & 2, 2);
	assert_status(host_admin(h, cmd_set(F_TEMPERATURE, 0, 1u << 20 | (now - 5u))), SUCCESS);
	assert_int_equal(get_log(h, LOG_SMART, NSID_ALL, 512)[0] & 2, 0);
}

/* base 5.16.1.3: bytes 02:01 are the composite temperature now. */
static void smart_has_the_temperature(void **state)
{
	struct host *h = *state;

	phyr_sim_nvme_set_temperature(h->dev, 321);
	assert_int_equal(le16(get_log(h, LOG_SMART, NSID_ALL, 512), 1), 321);
}

/* base 5.16.1.3, 5.27.1.3: above its threshold, critical warning bit 1 is set; back below it is cleared. */
static void smart_warns_of_temperature(void **state)
{
	struct host *h = *state;
	uint16_t now = le16(get_log(h, LOG_SMART, NSID_ALL, 512), 1);

	assert_int_equal(get_log(h, LOG_SMART, NSID_ALL, 512)[0] & 2, 0);
	assert_status(host_admin(h, cmd_set(F_TEMPERATURE, 0, now - 1u)), SUCCESS);
	assert_int_equal(get_log(h, LOG_SMART, NSID_ALL, 512)[0] & 2, 2);
	assert_status(host_admin(h, cmd_set(F_TEMPERATURE, 0, now + 50u)), SUCCESS);
	assert_int_equal(get_log(h, LOG_SMART, NSID_ALL, 512)[0] & 2, 0);
}

/* base 5.16.1.4: AFI 2:0 is the active slot, 1 to 7; its revision is Identify Controller's FR. */
static void firmware_slot_holds_the_revision(void **state)
{
	struct host *h = *state;
	const uint8_t *log = get_log(h, LOG_FIRMWARE, NSID_ALL, 512), *id = identify(h, 1, 0);
	unsigned slot = log[0] & 7;

	assert_in_range(slot, 1, id[ID_FRMW] >> 1 & 7);
	assert_int_equal(log[0] & 0x88, 0);
	assert_memory_equal(log + 8 * slot, id + ID_FR, 8);
	assert_all(log + 1, 7, 0);
	assert_all(log + 64, 512 - 64, 0);
}

/* base 5.16.1.2: unused entries have error count 0h. ELPE is 0's based. */
static void error_log_starts_empty(void **state)
{
	struct host *h = *state;
	unsigned entries = identify(h, 1, 0)[ID_ELPE] + 1u;
	const uint8_t *log = get_log(h, LOG_ERRORS, NSID_ALL, entries > 64 ? PAGE : 64 * entries);

	for (unsigned i = 0; i < entries && i < 64; i++)
		assert_int_equal(le64(log, i * 64), 0);
}

/* Commands that fail, for several reasons. */
static struct cqe failing(struct host *h, unsigned n)
{
	uint64_t page = host_addr(h, host_mem(h, PAGE));

	switch (n) {
	case 0:
		return host_cmd(
			h, sqe(.opc = READ, .nsid = 1, .prp1 = page, .cdw11 = 1)); /* LBA 2^32 */
	case 1:
		return host_cmd(h, sqe(.opc = 0x7e, .nsid = 1));
	case 2:
		return host_cmd(h, sqe(.opc = FLUSH, .nsid = 0xfffffff0));
	case 3:
		return host_cmd(h, sqe(.opc = READ, .nsid = 1, .prp1 = NO_MEM));
	case 4:
		return host_admin(h, sqe(.opc = IDENTIFY, .prp1 = page, .cdw10 = 0xff));
	default:
		return host_admin(h, delete_cq(77));
	}
}

/* base 3.3.3.2.1, 5.16.1.2: M set: the newest entry is of this command; M cleared: it has none. */
static void more_says_whether_there_is_an_entry(void **state)
{
	struct host *h = *state;

	for (unsigned n = 0; n < 6; n++) {
		struct cqe c = failing(h, n);
		const uint8_t *entry = get_log(h, LOG_ERRORS, NSID_ALL, 64);
		bool named = le64(entry, 0) && le16(entry, 8) == c.sqid && le16(entry, 10) == c.cid;

		assert_true(status_of(c) != SUCCESS);
		assert_int_equal(named, (c.status & CQE_M) != 0);
		assert_true(
			named); /* the text leaves it open; this controller logs each of these */
		assert_int_equal(le16(entry, 12) >> 1, c.status >> 1);
	}
}

/* base 5.16.1.3: the number of error log entries over the life of the controller. */
static void smart_counts_error_entries(void **state)
{
	struct host *h = *state;
	uint64_t before = le64(get_log(h, LOG_SMART, NSID_ALL, 512), 176), after;

	assert_status(host_cmd(h, sqe(.opc = READ, .nsid = 1, .cdw11 = 1)), LBA_OUT_OF_RANGE);
	host_doorbell_sq(h, 1, 999); /* an error of no command */
	after = le64(get_log(h, LOG_SMART, NSID_ALL, 512), 176);
	assert_true(after > before);
	assert_int_equal(after, le64(get_log(h, LOG_ERRORS, NSID_ALL, 64), 0));
}

/* base 5.16.1.5: 1,024 identifiers, ended by 0h; nothing has changed yet. Only where OAES claims it. */
static void changed_namespaces_start_empty(void **state)
{
	struct host *h = *state;

	if (!(le32(identify(h, 1, 0), ID_OAES) & 0x100))
		skip();
	assert_all(get_log(h, LOG_CHANGED, NSID_ALL, 4096), 4096, 0);
}

/* base 5.16.1.6: CSUPP of each opcode, 4 bytes each from 0 (admin) and 1,024 (I/O); the rest reserved. */
static void effects_name_supported_commands(void **state)
{
	static const uint16_t must[] = {
		DELETE_SQ,    CREATE_SQ,    GET_LOG,     DELETE_CQ, CREATE_CQ, IDENTIFY, ABORT,
		SET_FEATURES, GET_FEATURES, ASYNC_EVENT, 256,       256 + 1,   256 + 2};
	struct host *h = *state;
	const uint8_t *log;

	if (!(identify(h, 1, 0)[ID_LPA] & LPA_EFFECTS))
		skip();
	log = get_log(h, LOG_EFFECTS, 0, 4096);
	for (unsigned i = 0; i < sizeof(must) / sizeof(must[0]); i++)
		assert_int_equal(log[must[i] * 4] & 1, 1);
	assert_int_equal(log[1024 + 4 * WRITE] & 2, 2); /* LBCC: blocks may change */
	assert_int_equal(log[1024 + 4 * READ] & 2, 0);
	assert_all(log + 2048, 2048, 0);
}

/* base 5.16.1.6: what is marked is known, what is not is not. With fields of 0 nothing is carried out. */
static void effects_agree_with_the_opcodes(void **state)
{
	struct host *h = *state;
	const uint8_t *log;

	if (!(identify(h, 1, 0)[ID_LPA] & LPA_EFFECTS))
		skip();
	log = get_log(h, LOG_EFFECTS, 0, 4096);
	for (unsigned opc = 0; opc < 256; opc++) {
		struct sqe cmd = sqe(.opc = (uint8_t)opc);
		bool known = status_of(host_cmd(h, cmd)) != INVALID_OPCODE;

		assert_int_equal(known, log[1024 + 4 * opc] & 1);
		if (opc == ASYNC_EVENT)
			continue;
		known = status_of(host_admin(h, cmd)) != INVALID_OPCODE;
		assert_int_equal(known, log[4 * opc] & 1);
	}
}

static bool feature_is_there(struct host *h, uint8_t fid)
{
	return status_of(host_admin(h, cmd_get(fid, CURRENT, 0, 0))) == SUCCESS ||
	       status_of(host_admin(h, cmd_get(fid, CURRENT, 1, 0))) == SUCCESS;
}

/* base 5.16.1.17: FSUPP of each feature, 4 bytes each: what Get Features has. */
static void feature_effects_agree_with_the_features(void **state)
{
	struct host *h = *state;
	const uint8_t *log;

	if (!(identify(h, 1, 0)[ID_LPA] & LPA_SUPPORTED))
		skip();
	log = get_log(h, LOG_FEATURES, 0, 1024);
	for (unsigned fid = 0; fid < 256; fid++)
		assert_int_equal(feature_is_there(h, (uint8_t)fid), log[4 * fid] & 1);
}

/* base 5.16.1.1: LSUPP of each page, 4 bytes each: the same as what can be read. */
static void supported_pages_can_be_read(void **state)
{
	struct host *h = *state;
	const uint8_t *log;

	if (!(identify(h, 1, 0)[ID_LPA] & LPA_SUPPORTED))
		skip();
	log = get_log(h, LOG_SUPPORTED, 0, 1024);
	assert_int_equal(log[0] & log[4] & log[8] & log[12] & 1, 1);
	for (unsigned lid = 0; lid < 256; lid++) {
		struct sqe cmd = cmd_log(h, host_mem(h, PAGE), lid | LOG_RAE, 0, 64);

		assert_int_equal(status_of(host_admin(h, cmd)) != INVALID_LOG, log[4 * lid] & 1);
	}
}

#define on(test) cmocka_unit_test_setup_teardown(test, host_on, host_down)
#define io(test) cmocka_unit_test_setup_teardown(test, host_io, host_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		on(mandatory_pages_are_there),
		on(unknown_pages_are_refused),
		on(length_is_what_is_asked_for),
		on(length_may_exceed_the_page),
		on(offset_is_applied),
		on(offset_past_the_end_is_refused),
		on(unreachable_buffer_is_an_error),
		on(smart_scope),
		on(smart_values_make_sense),
		io(smart_counts_data_and_commands),
		io(smart_counts_compares_as_reads),
		cmocka_unit_test_setup_teardown(smart_counts_in_512_bytes, large_blocks, host_down),
		on(smart_warns_of_temperature),
		on(smart_warns_of_cold),
		on(smart_has_the_temperature),
		on(firmware_slot_holds_the_revision),
		on(error_log_starts_empty),
		io(more_says_whether_there_is_an_entry),
		io(smart_counts_error_entries),
		on(changed_namespaces_start_empty),
		on(effects_name_supported_commands),
		io(effects_agree_with_the_opcodes),
		on(feature_effects_agree_with_the_features),
		on(supported_pages_can_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
