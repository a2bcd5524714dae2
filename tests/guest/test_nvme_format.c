/* SPDX-License-Identifier: MIT */
/* Format NVM passed through to QEMU's controller, and the driver that looks again. The first drive loses its
 * data. */
#include "nvme_rig.h"

#include <errno.h>
#include <string.h>

#define DRIVE_BYTES (64u << 20)

static const struct phyr_nvme_id_ns *identify(struct rig *r)
{
	static uint8_t page[4096] __attribute__((aligned(4096)));
	const struct phyr_nvme_sqe sqe = {
		.opc = PHYR_NVME_ADMIN_IDENTIFY, .nsid = 1, .cdw10 = PHYR_NVME_CNS_NS};

	assert_int_equal(rig_admin(r, &sqe, page).err, 0);
	return (const void *)page;
}

/* The number of the format of so large blocks, with or without metadata. */
static unsigned format_of(struct rig *r, unsigned lg2, bool metadata)
{
	const struct phyr_nvme_id_ns *ns = identify(r);
	unsigned i;

	for (i = 0; i <= ns->nlbaf; i++)
		if (ns->lbaf[i].lbads == lg2 && !!ns->lbaf[i].ms == metadata)
			break;
	assert_true(i <= ns->nlbaf);
	return i;
}

static int format(struct rig *r, unsigned number)
{
	const struct phyr_nvme_sqe sqe = {.opc = PHYR_NVME_ADMIN_FORMAT_NVM,
					  .nsid = 1,
					  .cdw10 = PHYR_NVME_FORMAT_LBAF(number)};

	return phyr_nvme_submit_sync(phyr_nvme_admin_queue(r->nvme), &sqe, NULL, NULL);
}

static void other_blocks_are_taken_over(void **state)
{
	struct rig r;

	rig_open(&r, NULL);
	for (unsigned lg2 = 12; lg2 >= 9; lg2 -= 3) {
		assert_int_equal(format(&r, format_of(&r, lg2, false)), 0);
		assert_int_equal(phyr_nvme_rescan(r.nvme), 0);
		assert_int_equal(r.info->block_size, 1u << lg2);
		assert_int_equal(r.info->nr_blocks, DRIVE_BYTES >> lg2);
		rig_fill(&r, 0, 7, lg2 == 12);
		io_do(&r, 0, 7, true);
		io_do(&r, 1, 7, false);
		assert_true(rig_holds(&r, 1, 7, lg2 == 12));
	}
	rig_close(&r);
}

/* What the driver cannot do is refused, and left alone until it is formatted back. */
static void blocks_with_metadata_are_refused(void **state)
{
	unsigned plain;
	struct rig r;

	rig_open(&r, NULL);
	plain = format_of(&r, 9, false);
	assert_int_equal(format(&r, format_of(&r, 9, true)), 0);
	assert_int_equal(phyr_nvme_rescan(r.nvme), -EOPNOTSUPP);
	assert_int_equal(format(&r, plain), 0);
	assert_int_equal(phyr_nvme_rescan(r.nvme), 0);
	rig_fill(&r, 0, 3, false);
	io_do(&r, 0, 3, true);
	io_do(&r, 1, 3, false);
	assert_true(rig_holds(&r, 1, 3, false));
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(other_blocks_are_taken_over),
		cmocka_unit_test(blocks_with_metadata_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
