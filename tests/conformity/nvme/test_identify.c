/* SPDX-License-Identifier: MIT */
/* Identify: each structure, values that the text prescribes, which namespace identifiers. base 5.17. */
#include <string.h>

#include "conformity/nvme/host.h"

/* base 1.5 (ASCII strings): codes 20h to 7Eh, left justified, padded with spaces. */
static void check_ascii(const uint8_t *s, unsigned len)
{
	bool padding = false;

	for (unsigned i = 0; i < len; i++) {
		assert_in_range(s[i], 0x20, 0x7e);
		padding = padding || s[i] == ' ';
	}
	if (padding)
		assert_int_equal(s[len - 1], ' ');
	assert_true(s[0] != ' ');
}

/* base 5.17.2.1: SN 23:04, MN 63:24, FR 71:64 are ASCII strings. */
static void controller_strings_are_ascii(void **state)
{
	const uint8_t *id = identify(*state, 1, 0);

	check_ascii(id + ID_SN, 20);
	check_ascii(id + ID_MN, 40);
	check_ascii(id + ID_FR, 8);
}

/* base 5.17.2.1: VER is the value of the Version property. */
static void controller_version_is_vs(void **state)
{
	struct host *h = *state;

	assert_int_equal(le32(identify(h, 1, 0), ID_VER), get32(h, VS));
}

/* base 5.17.2.1: CNTRLTYPE 1h is an I/O controller; 0h (not reported) is not for 1.4 and later. */
static void controller_is_an_io_controller(void **state)
{
	assert_int_equal(identify(*state, 1, 0)[ID_CNTRLTYPE], 1);
}

/* base 5.17.2.1: SQES 66h, CQES 44h at least: required (3:0) 6 and 4, maximum (7:4) no smaller. */
static void controller_entry_sizes(void **state)
{
	const uint8_t *id = identify(*state, 1, 0);

	assert_int_equal(id[ID_SQES] & 15, 6);
	assert_int_equal(id[ID_CQES] & 15, 4);
	assert_true(id[ID_SQES] >> 4 >= 6 && id[ID_CQES] >> 4 >= 4);
}

/* base 5.17.2.1, 4.5: SUBNQN is UTF-8, "nqn." in front, ended by a null, at most 223 bytes. */
static void controller_subsystem_has_a_name(void **state)
{
	const char *nqn = (const char *)identify(*state, 1, 0) + ID_SUBNQN;

	assert_memory_equal(nqn, "nqn.", 4);
	assert_in_range(strnlen(nqn, 256), 11, 223);
}

/* base 5.17.2.1: VWC 2:1 says what Flush does with FFFFFFFFh; from 1.4 on not 00b, and 01b is reserved. */
static void controller_flush_behavior_is_told(void **state)
{
	assert_true(identify(*state, 1, 0)[ID_VWC] & 0x04);
}

/* base 5.17.2.1: NN is not 0; MNAN not more than NN. */
static void controller_namespace_counts(void **state)
{
	const uint8_t *id = identify(*state, 1, 0);

	assert_true(le32(id, ID_NN) >= 1);
	assert_true(le32(id, ID_MNAN) <= le32(id, ID_NN));
}

/* base 5.17.2.1: FRMW 3:1 is the number of firmware slots, 1 to 7. */
static void controller_firmware_slots(void **state)
{
	unsigned slots = identify(*state, 1, 0)[ID_FRMW] >> 1 & 7;

	assert_in_range(slots, 1, 7);
}

/* base 5.17.2.1: bytes 767:544 (but those given a use) and 2047:1792 of another transport are 0h. */
static void controller_reserved_bytes_are_clear(void **state)
{
	const uint8_t *id = identify(*state, 1, 0);

	assert_all(id + 568, 768 - 568, 0);
	assert_all(id + 1024, 1792 - 1024, 0);
}

/* base 5.17.2.1: a power state exists: MP of PSD0 or its scale may be 0, reserved bytes are. */
static void controller_has_power_state_0(void **state)
{
	const uint8_t *id = identify(*state, 1, 0);

	assert_true(id[ID_NPSS] <= 31);
	assert_all(id + 2048 + 32 * (id[ID_NPSS] + 1u), 32 * (31u - id[ID_NPSS]), 0);
	assert_int_equal(id[2048 + 2], 0); /* PSD0 23:16 */
}

/* nvm 4.1.5.1: NSZE is the namespace's blocks; NCAP and NUSE don't exceed it, in this order. */
static void namespace_sizes(void **state)
{
	struct host *h = *state;
	const uint8_t *ns = identify(h, 0, 1);

	assert_int_equal(le64(ns, NS_NSZE) * block_size(h, 1), NS_BYTES);
	assert_true(le64(ns, NS_NCAP) <= le64(ns, NS_NSZE));
	assert_true(le64(ns, NS_NUSE) <= le64(ns, NS_NCAP));
}

/* nvm 4.1.5.1, 2.1.1: without thin provisioning NCAP equals NSZE. */
static void namespace_capacity_without_thin_provisioning(void **state)
{
	const uint8_t *ns = identify(*state, 0, 1);

	if (!(ns[NS_NSFEAT] & 1))
		assert_int_equal(le64(ns, NS_NCAP), le64(ns, NS_NSZE));
}

/* nvm 4.1.5.1: FLBAS names a format that NLBAF (0's based) has; LBADS is 9 or more; bit 7 reserved. */
static void namespace_format_is_one_of_those_listed(void **state)
{
	const uint8_t *ns = identify(*state, 0, 1);

	assert_true((ns[NS_FLBAS] & 15) <= ns[NS_NLBAF]);
	assert_true((le32(ns, NS_LBAF + 4 * (ns[NS_FLBAS] & 15u)) >> 16 & 0xff) >= 9);
	assert_int_equal(ns[NS_FLBAS] & 0x80, 0);
	assert_true(ns[NS_NLBAF] <= 63);
}

/* nvm 4.1.5.1: formats beyond NLBAF are not supported: 0h up to byte 383. */
static void namespace_formats_end_at_nlbaf(void **state)
{
	const uint8_t *ns = identify(*state, 0, 1);
	unsigned end = NS_LBAF + 4 * (ns[NS_NLBAF] + 1u);

	assert_all(ns + end, 384 - end, 0);
}

/* nvm 4.1.5.1: reserved bits of NSFEAT, MC, DPC, DPS, DLFEAT; PIIFB and PIP "shall be cleared". */
static void namespace_reserved_bits_are_clear(void **state)
{
	const uint8_t *ns = identify(*state, 0, 1);

	assert_int_equal(ns[NS_NSFEAT] & 0xe0, 0);
	assert_int_equal(ns[NS_MC] & 0xfc, 0);
	assert_int_equal(ns[NS_DPC] & 0xe8, 0);
	assert_int_equal(ns[NS_DPS] & 0xf8, 0);
	assert_int_equal(ns[NS_DLFEAT] & 0xe0, 0);
	assert_true((ns[NS_DLFEAT] & 7) <= 2);
}

/* base 3.2.1.5, nvm 4.1.5.1: not a namespace: Invalid Namespace or Format, for FFFFFFFFh, too. */
static void namespace_of_invalid_nsid_is_refused(void **state)
{
	struct host *h = *state;
	const uint8_t *id = identify(h, 1, 0);
	void *buf = host_mem(h, PAGE);

	assert_status(host_admin(h, cmd_identify(h, buf, 0, 0)), INVALID_NAMESPACE);
	assert_status(host_admin(h, cmd_identify(h, buf, 0, le32(id, ID_NN) + 1)),
		      INVALID_NAMESPACE);
	assert_status(host_admin(h, cmd_identify(h, buf, 0, 0xfffffffe)), INVALID_NAMESPACE);
	if (!(le16(id, ID_OACS) & OACS_NS_MANAGE))
		assert_status(host_admin(h, cmd_identify(h, buf, 0, NSID_ALL)), INVALID_NAMESPACE);
}

/* base 5.17.2.2: active identifiers above NSID, in increasing order, the rest 0h. */
static void active_list_is_what_lies_above(void **state)
{
	struct host *h = *state;
	const uint8_t *list = identify(h, 2, 0);

	assert_int_equal(le32(list, 0), 1);
	assert_all(list + 4, PAGE - 4, 0);
	assert_all(identify(h, 2, 1), PAGE, 0);
	assert_all(identify(h, 2, 0xfffffffd), PAGE, 0);
}

/* base 5.17.2.2: "abort ... Invalid Namespace or Format if the NSID field is set to FFFFFFFEh or FFFFFFFFh". */
static void active_list_has_an_end(void **state)
{
	struct host *h = *state;
	void *buf = host_mem(h, PAGE);

	assert_status(host_admin(h, cmd_identify(h, buf, 2, 0xfffffffe)), INVALID_NAMESPACE);
	assert_status(host_admin(h, cmd_identify(h, buf, 2, NSID_ALL)), INVALID_NAMESPACE);
}

static unsigned descriptor_length(unsigned type)
{
	static const uint8_t len[] = {0, 8, 16, 16, 1};

	return type < sizeof(len) ? len[type] : 0;
}

/* base 5.17.2.3: NIDT 1h to 4h with lengths 8, 16, 16, 1; each type once; one at least; 0h to the end. */
static void descriptors_are_well_formed(void **state)
{
	const uint8_t *list = identify(*state, 3, 1);
	unsigned at = 0, seen = 0;

	for (; at + 4 <= PAGE && list[at + 1]; at += 4u + list[at + 1]) {
		assert_in_range(list[at], 1, 4);
		assert_int_equal(list[at + 1], descriptor_length(list[at]));
		assert_int_equal(le16(list, at + 2), 0);
		assert_int_equal(seen >> list[at] & 1, 0);
		seen |= 1u << list[at];
	}
	assert_true(seen & 0x0e); /* EUI64, NGUID or UUID */
	assert_all(list + at, PAGE - at, 0);
}

/* base 5.17.2.3, nvm 4.1.5.1: what Identify Namespace has as EUI64 and NGUID is what the list has. */
static void descriptors_agree_with_the_namespace(void **state)
{
	struct host *h = *state;
	const uint8_t *ns = identify(h, 0, 1), *list = identify(h, 3, 1);

	for (unsigned at = 0; at + 4 <= PAGE && list[at + 1]; at += 4u + list[at + 1]) {
		if (list[at] == 1)
			assert_memory_equal(list + at + 4, ns + NS_EUI64, 8);
		if (list[at] == 2)
			assert_memory_equal(list + at + 4, ns + NS_NGUID, 16);
	}
}

/* base 3.2.1.5: as for the namespace itself. */
static void descriptors_of_invalid_nsid_are_refused(void **state)
{
	struct host *h = *state;
	void *buf = host_mem(h, PAGE);

	assert_status(host_admin(h, cmd_identify(h, buf, 3, 0)), INVALID_NAMESPACE);
	assert_status(host_admin(h, cmd_identify(h, buf, 3, 0xfffffffe)), INVALID_NAMESPACE);
	/* the broadcast value is no invalid NSID (3.2.1.2), but not supported here either */
	assert_either(host_admin(h, cmd_identify(h, buf, 3, NSID_ALL)), INVALID_FIELD,
		      INVALID_NAMESPACE);
}

/* base 5.17.1: a CNS that is not supported, or reserved: Invalid Field in Command. */
static void unknown_structures_are_refused(void **state)
{
	static const uint8_t cns[] = {0x09, 0x0f, 0x1f, 0x80, 0xbf, 0xff};
	struct host *h = *state;
	void *buf = host_mem(h, PAGE);

	for (unsigned i = 0; i < sizeof(cns); i++)
		assert_status(host_admin(h, cmd_identify(h, buf, cns[i], 1)), INVALID_FIELD);
	assert_all(buf, PAGE, 0);
}

/* base 5.17, figure 273: 05h, 07h, 08h may be left out unless CAP.CSS has bit 6; then Invalid Field. */
static void command_set_structures_are_there_or_refused(void **state)
{
	struct host *h = *state;
	bool must = h->cap >> 43 & 1;
	void *buf = host_mem(h, PAGE);

	for (uint8_t cns = 5; cns <= 8; cns++)
		if (cns != 6)
			assert_either(host_admin(h, cmd_identify(h, buf, cns, 1)), SUCCESS,
				      must ? SUCCESS : INVALID_FIELD);
}

/* nvm 4.1.5, figure 96: CNS 06h, of the controller for the NVM Command Set, is mandatory. */
static void command_set_controller_is_there(void **state)
{
	const uint8_t *limits = identify(*state, 6, 0);

	assert_all(limits + 16, PAGE - 16, 0); /* reserved */
}

/* nvm 4.1.5, 3.2.8: without WZSL only NLB limits Write Zeroes; nor does MDTS: no data moves. */
static void write_zeroes_without_a_limit(void **state)
{
	struct host *h = *state;
	const uint8_t *limits = identify(h, 6, 0);
	uint32_t blocks = NS_BYTES / h->block;

	if (limits[LIMIT_WZSL])
		skip();
	assert_true(NS_BYTES > PAGE << identify(h, 1, 0)[ID_MDTS]);
	assert_status(host_cmd(h, sqe(.opc = WRITE_ZEROES, .nsid = 1, .cdw12 = blocks - 1)),
		      SUCCESS);
}

/* nvm 4.1.5, 3.2.3: without DMRL, DMRSL, DMSL all 256 ranges are taken, as large as can be. */
static void dataset_management_without_a_limit(void **state)
{
	struct host *h = *state;
	const uint8_t *limits = identify(h, 6, 0);
	uint8_t *ranges = host_mem(h, PAGE);
	uint32_t blocks = NS_BYTES / h->block;

	if (limits[LIMIT_DMRL])
		skip();
	for (unsigned i = 0; i < 256; i++)
		memcpy(ranges + 16 * i + 4, &blocks, sizeof(blocks));
	assert_status(host_cmd(h, sqe(.opc = DSM, .nsid = 1, .prp1 = host_addr(h, ranges),
				      .cdw10 = 255, .cdw11 = 4)),
		      SUCCESS);
}

/* base 3.3.3.1, 5.17.1 (figure 273): structures of the controller use no NSID: Invalid Field. */
static void controller_takes_no_nsid(void **state)
{
	static const uint32_t nsid[] = {1, 77, NSID_ALL};
	struct host *h = *state;
	void *buf = host_mem(h, PAGE);

	for (unsigned i = 0; i < 3; i++) {
		assert_status(host_admin(h, cmd_identify(h, buf, 1, nsid[i])), INVALID_FIELD);
		assert_status(host_admin(h, cmd_identify(h, buf, 6, nsid[i])), INVALID_FIELD);
	}
	assert_all(buf, PAGE, 0);
}

/* base 5.17, figure 270: CNTID where it is not used: "the controller shall ignore this field". */
static void unused_controller_id_is_ignored(void **state)
{
	struct host *h = *state;
	struct sqe cmd = cmd_identify(h, host_mem(h, PAGE), 1, 0);

	cmd.cdw10 |= 0x00770000;
	assert_status(host_admin(h, cmd), SUCCESS);
}

/* base 9.3: a buffer in memory that does not exist, whole or from the second page: Data Transfer Error. */
static void unreachable_buffer_is_an_error(void **state)
{
	struct host *h = *state;
	struct sqe cmd = cmd_identify(h, host_mem(h, PAGE), 1, 0);

	cmd.prp1 += 0x800;
	cmd.prp2 = NO_MEM;
	assert_status(host_admin(h, cmd), DATA_TRANSFER_ERROR);
	cmd.prp1 = NO_MEM;
	assert_status(host_admin(h, cmd), DATA_TRANSFER_ERROR);
	identify(h, 1, 0);
}

/* base 5.17: 4,096 bytes and none more; PRP2 takes what the first page has no room for. */
static void data_crosses_a_page(void **state)
{
	struct host *h = *state;
	uint8_t *first = host_mem(h, PAGE), *second = host_mem(h, PAGE);
	const uint8_t *whole = identify(h, 1, 0);
	struct sqe cmd = cmd_identify(h, first + 0x300, 1, 0);

	memset(first, 0x77, PAGE);
	memset(second, 0x77, PAGE);
	cmd.prp2 = host_addr(h, second);
	assert_status(host_admin(h, cmd), SUCCESS);
	assert_all(first, 0x300, 0x77);
	assert_memory_equal(first + 0x300, whole, PAGE - 0x300);
	assert_memory_equal(second, whole + PAGE - 0x300, 0x300);
	assert_all(second + 0x300, PAGE - 0x300, 0x77);
}

#define on(test) cmocka_unit_test_setup_teardown(test, host_on, host_down)
#define io(test) cmocka_unit_test_setup_teardown(test, host_io, host_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		on(controller_strings_are_ascii),
		on(controller_version_is_vs),
		on(controller_is_an_io_controller),
		on(controller_entry_sizes),
		on(controller_subsystem_has_a_name),
		on(controller_flush_behavior_is_told),
		on(controller_namespace_counts),
		on(controller_firmware_slots),
		on(controller_reserved_bytes_are_clear),
		on(controller_has_power_state_0),
		on(namespace_sizes),
		on(namespace_capacity_without_thin_provisioning),
		on(namespace_format_is_one_of_those_listed),
		on(namespace_formats_end_at_nlbaf),
		on(namespace_reserved_bits_are_clear),
		on(namespace_of_invalid_nsid_is_refused),
		on(active_list_is_what_lies_above),
		on(active_list_has_an_end),
		on(descriptors_are_well_formed),
		on(descriptors_agree_with_the_namespace),
		on(descriptors_of_invalid_nsid_are_refused),
		on(unknown_structures_are_refused),
		on(command_set_structures_are_there_or_refused),
		on(command_set_controller_is_there),
		io(write_zeroes_without_a_limit),
		io(dataset_management_without_a_limit),
		on(controller_takes_no_nsid),
		on(unused_controller_id_is_ignored),
		on(unreachable_buffer_is_an_error),
		on(data_crosses_a_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
