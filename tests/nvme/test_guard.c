/* SPDX-License-Identifier: MIT */
/*
 * A driver that was opened to read alone: each opcode and each feature is tried, and what is not known
 * to be harmless never reaches the device. The lists are the test's own, from the specifications.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "nvme/evil.h"

/* Base figure 390 and NVM figure 21: flush, read, compare, verify, reservation report. */
static const unsigned char io_harmless[] = {0x00, 0x02, 0x05, 0x0c, 0x0e};
/* Base figure 138: get log page, identify, get features, async event, keep alive, get LBA status; and
 * set features, which has a list of its own. */
static const unsigned char admin_harmless[] = {0x02, 0x06, 0x0a, 0x0c, 0x18, 0x86, 0x09};
/* Base figure 317: arbitration, temperature, coalescing, vectors, events, keep alive. */
static const unsigned char features_harmless[] = {0x01, 0x04, 0x08, 0x09, 0x0b, 0x0f};
/* The driver's own on any controller: -EPERM comes first. */
static const unsigned char admin_own[] = {0x00, 0x01, 0x04, 0x05, 0x08, 0x7c};

#define ADMIN_LOG      0x02
#define ADMIN_EVENT    0x0c
#define ADMIN_FEATURES 0x09
#define FEAT_QUEUES    0x07

static bool among(const unsigned char *list, size_t nr, unsigned value)
{
	return memchr(list, (int)value, nr) != NULL;
}

/* Up on a good device, to read alone or not. */
static void up(struct evil *e, bool read_only)
{
	struct phyr_nvme_opts opts;

	evil_init(e);
	opts = rig_opts(&e->rig);
	opts.read_only = read_only;
	assert_int_equal(
		phyr_nvme_open(e->rig.dev, phyr_sim_dev_regs(e->fake.sdev), &opts, &e->nvme), 0);
	assert_int_equal(phyr_nvme_queue_create(e->nvme, 8, &e->queue), 0);
	tenv_restart(&e->rig.tenv);
}

/* One report: -EROFS of that call. */
static void refused(struct evil *e, const char *call)
{
	assert_int_equal(e->rig.tenv.reports, 1);
	assert_int_equal(e->rig.tenv.last.err, -EROFS);
	assert_string_equal(e->rig.tenv.last.call, call);
	assert_non_null(strstr(e->rig.tenv.last.hint, "phyr_opts.writable, or "
						      "phyr_nvme_opts.read_only below"));
	tenv_restart(&e->rig.tenv);
}

static int pass(struct phyr_nvme_queue *queue, unsigned opc, uint32_t cdw10, struct ended *ended)
{
	unsigned char sqe[64] = {(unsigned char)opc};

	sqe[4] = 1; /* the namespace */
	memcpy(sqe + 40, &cdw10, 4);
	return phyr_nvme_submit(queue, sqe, NULL, ended_fn, ended);
}

static void every_io_opcode(void **state)
{
	struct ended ended = {0};
	struct evil e;

	up(&e, true);
	for (unsigned opc = 0; opc < 256; opc++) {
		bool good = among(io_harmless, sizeof(io_harmless), opc);
		unsigned before = e.fake.io_commands;

		assert_int_equal(pass(e.queue, opc, 0, &ended), good ? 0 : -EROFS);
		poll_all(e.queue);
		assert_int_equal(e.fake.io_commands, before + good);
		if (good)
			continue;
		assert_int_equal(e.rig.tenv.last.index, opc);
		assert_string_equal(e.rig.tenv.last.index_of, "opcode");
		refused(&e, "phyr_nvme_submit");
	}
	assert_int_equal(ended.times, sizeof(io_harmless));
	evil_fini(&e);
}

static void every_admin_opcode(void **state)
{
	struct phyr_nvme_queue *admin;
	struct ended ended = {0};
	struct evil e;

	up(&e, true);
	admin = phyr_nvme_admin_queue(e.nvme);
	for (unsigned opc = 0; opc < 256; opc++) {
		int want = among(admin_own, sizeof(admin_own), opc)             ? -EPERM
			   : among(admin_harmless, sizeof(admin_harmless), opc) ? 0
										: -EROFS;

		assert_int_equal(pass(admin, opc, 0x0b, &ended), want);
		if (want == -EROFS)
			refused(&e, "phyr_nvme_submit");
		else if (opc != ADMIN_EVENT)
			while (phyr_nvme_in_flight(admin) > e.fake.events)
				phyr_nvme_poll(admin);
		tenv_restart(&e.rig.tenv);
	}
	evil_fini(&e);
	assert_int_equal(ended.times, sizeof(admin_harmless));
}

/* With what is above the feature's number: a feature that is saved outlives a reset. */
static void every_feature(void **state)
{
	struct phyr_nvme_queue *admin;
	struct ended ended = {0};
	struct evil e;

	up(&e, true);
	admin = phyr_nvme_admin_queue(e.nvme);
	for (unsigned fid = 0; fid < 256; fid++) {
		bool good = among(features_harmless, sizeof(features_harmless), fid);
		int own = fid == FEAT_QUEUES ? -EPERM : -EROFS;

		assert_int_equal(pass(admin, ADMIN_FEATURES, fid, &ended), good ? 0 : own);
		assert_int_equal(pass(admin, ADMIN_FEATURES, fid | 0x80000000, &ended), own);
		poll_all(admin);
	}
	assert_int_equal(ended.times, sizeof(features_harmless));
	evil_fini(&e);
}

/* Base 5.16.1.8: the telemetry that a host asks for replaces what was kept; no other page is changed by being
 * read, but for events, which are told once. */
static void every_log(void **state)
{
	struct phyr_nvme_queue *admin;
	struct ended ended = {0};
	struct evil e;

	up(&e, true);
	admin = phyr_nvme_admin_queue(e.nvme);
	for (unsigned lid = 0; lid < 256; lid++) {
		for (unsigned lsp = 0; lsp < 0x80; lsp++) {
			int want = lid == 0x07 && lsp & 1 ? -EROFS : 0;

			assert_int_equal(pass(admin, ADMIN_LOG, lid | lsp << 8, &ended), want);
			poll_all(admin);
			tenv_restart(&e.rig.tenv);
		}
	}
	assert_int_equal(ended.times, 256 * 128 - 64);
	evil_fini(&e);
}

static void calls_that_write(void **state)
{
	struct ended ended = {0};
	struct phyr_cursor cur;
	struct evil e;
	struct mem mem;

	up(&e, true);
	mem_init(&e.rig, &mem, 4096, 0, PHYR_DMA_BIDIRECTIONAL);
	cur = mem_cursor(&mem, 0, 1024);
	assert_int_equal(phyr_nvme_write(e.queue, 7, &cur, ended_fn, &ended), -EROFS);
	assert_int_equal(cur.left, 1024);
	assert_int_equal(e.rig.tenv.last.addr, 7 * 512);
	assert_int_equal(e.rig.tenv.last.len, 1024);
	refused(&e, "phyr_nvme_write");
	assert_int_equal(phyr_nvme_write_sync(e.queue, 7, &mem.map), -EROFS);
	refused(&e, "phyr_nvme_write");
	assert_int_equal(phyr_nvme_write_zeroes(e.queue, 7, 3, ended_fn, &ended), -EROFS);
	refused(&e, "phyr_nvme_write_zeroes");
	assert_int_equal(phyr_nvme_deallocate(e.queue, 7, 3, ended_fn, &ended), -EROFS);
	refused(&e, "phyr_nvme_deallocate");
	/* On the way of a reset as well: the guard is the controller's, not the queue's. */
	assert_int_equal(phyr_nvme_reset(e.nvme), 0);
	assert_int_equal(phyr_nvme_write(e.queue, 7, &cur, ended_fn, &ended), -EROFS);
	refused(&e, "phyr_nvme_write");
	assert_int_equal(e.fake.io_commands, 0);
	assert_int_equal(phyr_nvme_read_sync(e.queue, 7, &mem.map), 0);
	assert_int_equal(phyr_nvme_compare(e.queue, 7, &cur, ended_fn, &ended), 0);
	assert_int_equal(phyr_nvme_flush(e.queue, ended_fn, &ended), 0);
	poll_all(e.queue);
	assert_int_equal(e.fake.io_commands, 3);
	assert_int_equal(ended.times, 2);
	mem_fini(&e.rig, &mem);
	evil_fini(&e);
}

/* The same commands arrive where nobody asked for the guard. */
static void without_the_guard(void **state)
{
	struct ended ended = {0};
	struct evil e;

	up(&e, false);
	for (unsigned opc = 0; opc < 256; opc++) {
		assert_int_equal(pass(e.queue, opc, 0, &ended), 0);
		poll_all(e.queue);
	}
	assert_int_equal(e.fake.io_commands, 256);
	evil_fini(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_io_opcode),  cmocka_unit_test(every_admin_opcode),
		cmocka_unit_test(every_feature),    cmocka_unit_test(every_log),
		cmocka_unit_test(calls_that_write), cmocka_unit_test(without_the_guard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
