/* SPDX-License-Identifier: MIT */
/* Opcodes: what must be there, what Identify does not claim, fused and SGL commands. base 3.1.2, 5. */
#include "conformity/nvme/host.h"

struct optional {
	const char *name;
	uint8_t opcode;
	uint16_t field; /* of Identify Controller, a word */
	uint16_t bits;  /* any of which claims it */
};

/* base 5, figure 138, with 5.17.2.1 for OACS, KAS, SANICAP; Fabrics are prohibited on PCIe. */
static const struct optional admin[] = {
	{"Namespace Management", 0x0d, ID_OACS, 0x008},
	{"Firmware Commit", 0x10, ID_OACS, 0x004},
	{"Firmware Image Download", 0x11, ID_OACS, 0x004},
	{"Device Self-test", 0x14, ID_OACS, 0x010},
	{"Namespace Attachment", 0x15, ID_OACS, 0x008},
	{"Keep Alive", 0x18, ID_KAS, 0xffff},
	{"Directive Send", 0x19, ID_OACS, 0x020},
	{"Directive Receive", 0x1a, ID_OACS, 0x020},
	{"Virtualization Management", 0x1c, ID_OACS, 0x080},
	{"NVMe-MI Send", 0x1d, ID_OACS, 0x040},
	{"NVMe-MI Receive", 0x1e, ID_OACS, 0x040},
	{"Lockdown", 0x24, ID_OACS, 0x400},
	{"Doorbell Buffer Config", 0x7c, ID_OACS, 0x100},
	{"Fabrics", 0x7f, ID_OACS, 0},
	{"Format NVM", 0x80, ID_OACS, 0x002},
	{"Security Send", 0x81, ID_OACS, 0x001},
	{"Security Receive", 0x82, ID_OACS, 0x001},
	{"Sanitize", 0x84, ID_SANICAP, 0x007},
	{"Get LBA Status", 0x86, ID_OACS, 0x200},
	{"reserved 03h", 0x03, ID_OACS, 0},
	{"reserved 07h", 0x07, ID_OACS, 0},
	{"reserved 7Eh", 0x7e, ID_OACS, 0},
};

/* nvm 3.2, figure 18, with base 5.17.2.1 for ONCS. */
static const struct optional nvm[] = {
	{"Write Uncorrectable", 0x04, ID_ONCS, 0x002},
	{"Compare", 0x05, ID_ONCS, 0x001},
	{"Write Zeroes", 0x08, ID_ONCS, 0x008},
	{"Dataset Management", 0x09, ID_ONCS, 0x004},
	{"Verify", 0x0c, ID_ONCS, 0x080},
	{"Reservation Register", 0x0d, ID_ONCS, 0x020},
	{"Reservation Report", 0x0e, ID_ONCS, 0x020},
	{"Reservation Acquire", 0x11, ID_ONCS, 0x020},
	{"Reservation Release", 0x15, ID_ONCS, 0x020},
	{"Copy", 0x19, ID_ONCS, 0x100},
	{"reserved 03h", 0x03, ID_ONCS, 0},
	{"reserved 06h", 0x06, ID_ONCS, 0},
	{"reserved 7Fh", 0x7f, ID_ONCS, 0},
};

static void check(struct host *h, struct sq *sq, struct cq *cq, const struct optional *o,
		  unsigned nr)
{
	const uint8_t *id = identify(h, 1, 0);

	for (; nr--; o++) {
		struct cqe c;

		if (le16(id, o->field) & o->bits)
			continue;
		print_message("  %s\n", o->name);
		c = host_exec(h, sq, cq,
			      sqe(.opc = o->opcode, .nsid = sq->id ? 1 : 0,
				  .prp1 = host_addr(h, host_mem(h, PAGE))));
		assert_status(c, INVALID_OPCODE);
	}
}

/* base 3.3.3.2.1: an opcode that is not supported: Invalid Command Opcode. */
static void unclaimed_admin_commands_are_refused(void **state)
{
	struct host *h = *state;

	check(h, &h->asq, &h->acq, admin, sizeof(admin) / sizeof(admin[0]));
}

static void unclaimed_io_commands_are_refused(void **state)
{
	struct host *h = *state;

	check(h, &h->sq, &h->cq, nvm, sizeof(nvm) / sizeof(nvm[0]));
}

/* base 3.1.2.1, figure 22: these an I/O controller has. With fields of 0 they fail, but not as unknown. */
static void mandatory_admin_commands_are_there(void **state)
{
	static const uint8_t opcode[] = {DELETE_SQ, CREATE_SQ, GET_LOG,      DELETE_CQ,
					 CREATE_CQ, IDENTIFY,  SET_FEATURES, GET_FEATURES};
	struct host *h = *state;

	for (unsigned i = 0; i < sizeof(opcode); i++) {
		struct sqe cmd = sqe(.opc = opcode[i], .prp1 = host_addr(h, host_mem(h, PAGE)));

		assert_true(status_of(host_admin(h, cmd)) != INVALID_OPCODE);
	}
	assert_status(host_admin(h, sqe(.opc = ABORT, .cdw10 = 0x12340001)), SUCCESS);
}

/*
 * What the checks look for before they look closer. It is optional by the text; when this controller
 * has it no more, the checks of it would pass by without a word.
 */
static void optional_parts_are_claimed(void **state)
{
	const uint8_t *id = identify(*state, 1, 0);

	assert_int_equal(le16(id, ID_OACS) & OACS_FORMAT, OACS_FORMAT);
	assert_int_equal(le16(id, ID_ONCS) & 0x1d,
			 ONCS_COMPARE | ONCS_DSM | ONCS_ZEROES | ONCS_SAVE);
	assert_int_equal(id[ID_LPA] & 0x26, LPA_EFFECTS | LPA_EXTENDED | LPA_SUPPORTED);
	assert_int_equal(le32(id, ID_OAES) & 0x100, 0x100);
}

/* base 3.4.2: FUSES claims no fused operation: such commands are aborted, nothing is carried out. */
static void fused_commands_are_refused(void **state)
{
	struct host *h = *state;
	uint8_t *buf = host_mem(h, PAGE), got[512];
	struct sqe cmd = cmd_rw(h, WRITE, 0, 1, buf);

	if (le16(identify(h, 1, 0), ID_FUSES))
		skip();
	fill(buf, 512, 3);
	for (uint8_t fuse = 1; fuse <= 3; fuse++) {
		cmd.flags = fuse;
		assert_either(host_cmd(h, cmd), INVALID_FIELD, MISSING_FUSED);
	}
	file_get(h, 1, 0, got, sizeof(got));
	assert_all(got, sizeof(got), 0);
}

/* base 3.3.3.1: no fused admin commands exist. */
static void fused_admin_commands_are_refused(void **state)
{
	struct host *h = *state;
	struct sqe cmd = cmd_identify(h, host_mem(h, PAGE), 1, 0);

	cmd.flags = 1;
	assert_either(host_admin(h, cmd), INVALID_FIELD, MISSING_FUSED);
}

/* base 3.3.3.1: PSDT 01b, 10b without SGLS: not supported; 11b is reserved: Invalid Field in Command. */
static void sgls_are_refused_unless_claimed(void **state)
{
	struct host *h = *state;
	struct sqe cmd = cmd_rw(h, READ, 0, 1, host_mem(h, PAGE));

	if (!(le32(identify(h, 1, 0), ID_SGLS) & 3)) {
		cmd.flags = 0x40;
		assert_status(host_cmd(h, cmd), INVALID_FIELD);
		cmd.flags = 0x80;
		assert_status(host_cmd(h, cmd), INVALID_FIELD);
	}
	cmd.flags = 0xc0;
	assert_status(host_cmd(h, cmd), INVALID_FIELD);
}

/* base 3.3.3.1: "PRPs shall be used for all Admin commands for NVMe over PCIe". */
static void sgls_are_refused_for_admin_commands(void **state)
{
	struct host *h = *state;
	struct sqe cmd = cmd_identify(h, host_mem(h, PAGE), 1, 0);

	for (unsigned psdt = 1; psdt <= 3; psdt++) {
		cmd.flags = (uint8_t)(psdt << 6);
		assert_status(host_admin(h, cmd), INVALID_FIELD);
	}
}

/* base 3.3.3.1: admin opcodes mean something else on an I/O queue, and the other way round. */
static void queues_have_their_own_commands(void **state)
{
	struct host *h = *state;

	/* 0Ah is no I/O command of nvm figure 18 */
	assert_status(host_cmd(h, sqe(.opc = GET_FEATURES, .nsid = 1, .cdw10 = F_QUEUES)),
		      INVALID_OPCODE);
	/* 02h with a Read's fields is Get Log Page on the admin queue: no data of the namespace */
	assert_true(status_of(host_admin(h, sqe(.opc = READ, .nsid = 1, .cdw10 = 0x7f))) !=
		    SUCCESS);
}

#define on(test) cmocka_unit_test_setup_teardown(test, host_on, host_down)
#define io(test) cmocka_unit_test_setup_teardown(test, host_io, host_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		on(unclaimed_admin_commands_are_refused), io(unclaimed_io_commands_are_refused),
		on(mandatory_admin_commands_are_there),   io(fused_commands_are_refused),
		on(optional_parts_are_claimed),           on(fused_admin_commands_are_refused),
		io(sgls_are_refused_unless_claimed),      on(sgls_are_refused_for_admin_commands),
		io(queues_have_their_own_commands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
