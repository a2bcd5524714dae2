/* SPDX-License-Identifier: MIT */
/*
 * The driver when QEMU's controller is reset under it, with commands in flight, or vanishes: each command
 * ends once, nothing is lost or wrong that was said to be right, and what comes afterwards works.
 *
 * QEMU 7.2 crashes when its controller is disabled before it has fetched all commands that it was told of:
 * those that it fetches while it waits for the others end in freed memory. So resets come when all are
 * fetched, which the end of a later admin command tells; commands are large, so that they are not done by
 * then.
 */
#include "nvme_rig.h"

#include <errno.h>
#include <phyr/nvme_spec.h>
#include <string.h>

#define FIRST  128u /* slots of the drive from here on */
#define ROUNDS 6u   /* even: the last one writes the original words */

typedef void reset_fn(struct rig *r);

static void submit_all(struct rig *r, struct io *ios, bool flipped)
{
	for (unsigned i = 0; i < SLOTS; i++) {
		ios[i] = (struct io){.rig = r, .slot = i, .where = FIRST + i, .write = i & 1};
		if (ios[i].write)
			rig_fill(r, i, FIRST + i, flipped);
		else
			memset(r->mem + (size_t)i * SLOT, 0xee, SLOT);
		assert_int_equal(io_submit(&ios[i]), 0);
	}
}

/* When it ends, all commands that came before are fetched. */
static void let_fetch(struct rig *r)
{
	const struct phyr_nvme_sqe sqe = {.opc = PHYR_NVME_ADMIN_GET_FEATURES,
					  .cdw10 = PHYR_NVME_FEAT_ARBITRATION};

	assert_int_equal(phyr_nvme_submit_sync(phyr_nvme_admin_queue(r->nvme), &sqe, NULL, NULL),
			 0);
}

/* What a reset took is done again: little, since this controller ends what it has before it stops. @return
 * how many those were */
static unsigned do_again(struct rig *r, struct io *ios)
{
	unsigned taken = 0;

	for (unsigned i = 0; i < SLOTS; i++) {
		assert_int_equal(ios[i].ended, 1);
		if (!ios[i].err)
			continue;
		assert_true(ios[i].err == -ECANCELED || ios[i].err == -ETIMEDOUT);
		io_do(r, ios[i].slot, ios[i].where, ios[i].write);
		taken++;
	}
	return taken;
}

/* Reads have the original words, writes are on the drive. */
static void check_all(struct rig *r, const struct io *ios, bool flipped)
{
	for (unsigned i = 0; i < SLOTS; i++) {
		if (!ios[i].write) {
			assert_true(rig_holds(r, i, ios[i].where, false));
			continue;
		}
		memset(r->mem + (size_t)i * SLOT, 0xee, SLOT);
		io_do(r, i, ios[i].where, false);
		assert_true(rig_holds(r, i, ios[i].where, flipped));
	}
}

static void reset_in_flight(struct rig *r, reset_fn *reset)
{
	unsigned taken = 0;

	for (unsigned round = 0; round < ROUNDS; round++) {
		bool flipped = !(round & 1);
		struct io ios[SLOTS];

		submit_all(r, ios, flipped);
		let_fetch(r);
		reset(r);
		io_wait(r, ios, SLOTS, 60);
		assert_int_equal(phyr_nvme_in_flight(r->queue), 0);
		taken += do_again(r, ios);
		check_all(r, ios, flipped);
		assert_true(rig_command(r) & PCI_COMMAND_MASTER);
	}
	print_message("# %u of %u commands were taken by resets\n", taken, ROUNDS * SLOTS);
}

static void reset_controller(struct rig *r)
{
	assert_int_equal(phyr_nvme_reset(r->nvme), 0);
}

/* The device's own reset, past the driver, which has to find out. */
static void reset_function(struct rig *r)
{
	assert_int_equal(phyr_pci_reset(phyr_get_pci(r->p)), 0);
}

static uint64_t resets_of(struct rig *r)
{
	struct phyr_nvme_ctrl_stats stats;

	phyr_nvme_get_stats(r->nvme, &stats);
	assert_int_equal(stats.dead, 0);
	return stats.resets;
}

static void controller_reset_in_flight(void **state)
{
	struct rig r;

	rig_open(&r, NULL);
	reset_in_flight(&r, reset_controller);
	assert_int_equal(resets_of(&r), ROUNDS);
	rig_close(&r);
}

static void function_reset_in_flight(void **state)
{
	struct phyr_opts opts = rig_opts();
	struct rig r;

	opts.nvme.timeout_ns = 500 * MS;
	rig_open(&r, &opts);
	reset_in_flight(&r, reset_function);
	assert_true(resets_of(&r) >= 1);
	rig_close(&r);
}

/* Far sooner than a command is late. */
static void function_reset_is_noticed(void **state)
{
	struct io io = {.where = FIRST};
	struct rig r;
	uint64_t start;

	rig_open(&r, NULL); /* commands have ten seconds */
	io.rig = &r;
	assert_int_equal(phyr_pci_reset(phyr_get_pci(r.p)), 0);
	assert_int_equal(io_submit(&io), 0);
	start = clock_ns();
	io_wait(&r, &io, 1, 30);
	assert_int_equal(io.ended, 1);
	assert_int_equal(io.err, -ECANCELED);
	assert_true(clock_ns() - start < 5000 * MS);
	io_do(&r, 0, FIRST, false);
	assert_true(rig_holds(&r, 0, FIRST, false));
	rig_close(&r);
}

/* Vectors are connected again, or still. */
static void interrupts_after_resets(void **state)
{
	struct phyr_opts opts = rig_opts();
	struct rig r;

	opts.nvme.interrupts = true;
	opts.nvme.timeout_ns = 500 * MS;
	rig_open(&r, &opts);
	reset_in_flight(&r, reset_controller);
	reset_in_flight(&r, reset_function);
	rig_close(&r);
}

/* The IOMMU's mappings outlive a reset of the device; its bus mastering does not, by itself. */
static void bus_master_is_on_again(void **state)
{
	struct rig r;

	rig_open(&r, NULL);
	assert_true(rig_command(&r) & PCI_COMMAND_MASTER);
	reset_function(&r);
	assert_true(rig_command(&r) & PCI_COMMAND_MASTER);
	assert_true(rig_command(&r) & PCI_COMMAND_MEMORY);
	assert_int_equal(phyr_nvme_reset(r.nvme), 0);
	io_do(&r, 3, FIRST, false);
	assert_true(rig_holds(&r, 3, FIRST, false));
	rig_close(&r);
}

/* Registers that vanish under the driver: an errno, for each command once, and no signal. */
static void surprise_removal(void **state)
{
	struct phyr_nvme_ctrl_stats stats;
	struct io ios[SLOTS], after = {0};
	struct rig r;

	rig_open(&r, NULL);
	submit_all(&r, ios, false);
	assert_int_equal(phyr_pci_config_write(phyr_get_pci(r.p), PCI_COMMAND, 2,
					       rig_command(&r) & ~PCI_COMMAND_MEMORY),
			 0);
	io_wait(&r, ios, SLOTS, 30);
	for (unsigned i = 0; i < SLOTS; i++) {
		assert_int_equal(ios[i].ended, 1);
		assert_true(!ios[i].err || ios[i].err == -ENODEV);
	}
	assert_int_equal(phyr_nvme_reset(r.nvme), -ENODEV);
	after.rig = &r;
	assert_int_equal(io_submit(&after), -ENODEV);
	phyr_nvme_get_stats(r.nvme, &stats);
	assert_int_equal(stats.dead, -ENODEV);
	rig_close(&r);

	rig_open(&r, NULL); /* who opens it next has it whole */
	submit_all(&r, ios, false);
	io_wait(&r, ios, SLOTS, 30);
	assert_int_equal(do_again(&r, ios), 0);
	check_all(&r, ios, false);
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		/* first: cmocka takes SIGBUS for each test, the library once, when it maps registers */
		cmocka_unit_test(surprise_removal),
		cmocka_unit_test(controller_reset_in_flight),
		cmocka_unit_test(function_reset_in_flight),
		cmocka_unit_test(function_reset_is_noticed),
		cmocka_unit_test(interrupts_after_resets),
		cmocka_unit_test(bus_master_is_on_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
