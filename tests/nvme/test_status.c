/* SPDX-License-Identifier: MIT */
/* Statuses as errnos: golden values from NVM Express Base 2.0, figures 94 to 98, and NVM 1.0, 4.1.1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <phyr/nvme.h>

static const struct {
	uint16_t status;
	int err;
} golden[] = {
	{0x000, 0},       {0x001, -EOPNOTSUPP}, {0x002, -EINVAL},    {0x003, -EIO},
	{0x004, -EIO},    {0x006, -EIO},        {0x007, -ECANCELED}, {0x008, -ECANCELED},
	{0x00b, -ENODEV}, {0x013, -EINVAL},     {0x015, -EACCES},    {0x020, -EROFS},
	{0x021, -EBUSY},  {0x080, -ERANGE},     {0x081, -ENOSPC},    {0x082, -EBUSY},
	{0x083, -EBUSY},  {0x0ff, -EIO},        {0x100, -EIO},       {0x182, -EROFS},
	{0x280, -EIO},    {0x281, -EIO},        {0x286, -EACCES},    {0x287, -ENODATA},
	{0x370, -EIO},    {0x7ff, -EIO},
};

static void golden_values(void **state)
{
	for (size_t i = 0; i < sizeof(golden) / sizeof(golden[0]); i++)
		assert_int_equal(phyr_nvme_status_errno(golden[i].status), golden[i].err);
}

/* More, Do Not Retry and the retry delay lie above the type and say nothing of what went wrong. */
static void upper_bits_change_nothing(void **state)
{
	assert_int_equal(phyr_nvme_status_errno(0x4080), -ERANGE);
	assert_int_equal(phyr_nvme_status_errno(0x7800), 0);
	for (uint32_t status = 1; status < 0x800; status++)
		assert_true(phyr_nvme_status_errno((uint16_t)status) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(golden_values),
		cmocka_unit_test(upper_bits_change_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
