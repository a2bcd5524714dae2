/* SPDX-License-Identifier: MIT */
/* Registers that are memory and registers that are functions, by the same two calls. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include <phyr/types.h>

struct device {
	struct phyr_regs regs;
	unsigned calls;
	uint64_t offset, value;
	unsigned width;
};

static uint64_t device_read(struct phyr_regs *regs, uint64_t offset, unsigned width)
{
	struct device *d = (struct device *)regs;

	d->calls++, d->offset = offset, d->width = width;
	return UINT64_MAX; /* more than a register of its width holds */
}

static void device_write(struct phyr_regs *regs, uint64_t offset, uint64_t value, unsigned width)
{
	struct device *d = (struct device *)regs;

	d->calls++, d->offset = offset, d->value = value, d->width = width;
}

static const unsigned widths[] = {1, 2, 4, 8};

static uint64_t ones(unsigned width)
{
	return width == 8 ? UINT64_MAX : ((uint64_t)1 << 8 * width) - 1;
}

/* Each width writes its own bytes, and none beside them. */
static void at_base(void **state)
{
	uint64_t memory[4];
	struct phyr_regs regs = {.base = memory, .size = sizeof(memory)};

	for (unsigned i = 0; i < 4; i++)
		for (uint64_t offset = 0; offset < sizeof(memory); offset += widths[i]) {
			const uint64_t value = 0x8182838485868788;
			unsigned char want[sizeof(memory)];

			memset(memory, 0x11, sizeof(memory));
			memset(want, 0x11, sizeof(want));
			memcpy(want + offset, &value, widths[i]); /* the low bytes come first */
			phyr_regs_write(&regs, offset, value, widths[i]);
			assert_memory_equal(memory, want, sizeof(want));
			assert_true(phyr_regs_read(&regs, offset, widths[i]) ==
				    (value & ones(widths[i])));
		}
}

static void by_functions(void **state)
{
	struct device d = {.regs = {.size = 64, .read = device_read, .write = device_write}};

	for (unsigned i = 0; i < 4; i++) {
		assert_true(phyr_regs_read(&d.regs, 16, widths[i]) == ones(widths[i]));
		assert_int_equal(d.calls, 2 * i + 1);
		assert_int_equal(d.offset, 16);
		assert_int_equal(d.width, widths[i]);
		phyr_regs_write(&d.regs, 24, 0x1234567890, widths[i]);
		assert_int_equal(d.calls, 2 * i + 2);
		assert_int_equal(d.offset, 24);
		assert_int_equal(d.width, widths[i]);
		assert_true(d.value == 0x1234567890);
	}
}

static const struct {
	uint64_t offset;
	unsigned width;
} bad[] = {
	{0, 0},           {0, 3},  {0, 5},          {0, 16},
	{0, 4294967295u}, {1, 2},  {2, 4},          {4, 8},
	{17, 1},          {16, 4}, {16, 8},         {8, 16},
	{24, 8},          {18, 2}, {UINT64_MAX, 1}, {UINT64_MAX - 7, 8},
};

/* What cannot be is all ones to read, is not written, and does not reach the device. */
static void what_cannot_be(void **state)
{
	struct device d = {.regs = {.size = 17, .read = device_read, .write = device_write}};
	uint64_t memory[4] = {1, 2, 3, 4};
	struct phyr_regs mapped = {.base = memory, .size = 17};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_true(phyr_regs_read(&mapped, bad[i].offset, bad[i].width) == UINT64_MAX);
		assert_true(phyr_regs_read(&d.regs, bad[i].offset, bad[i].width) == UINT64_MAX);
		phyr_regs_write(&mapped, bad[i].offset, 99, bad[i].width);
		phyr_regs_write(&d.regs, bad[i].offset, 99, bad[i].width);
	}
	assert_int_equal(d.calls, 0);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(memory[i], i + 1);
	assert_int_equal(phyr_regs_read(&mapped, 16, 1), 3);
	assert_true(phyr_regs_read(&(struct phyr_regs){.base = memory}, 0, 1) == UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(at_base),
		cmocka_unit_test(by_functions),
		cmocka_unit_test(what_cannot_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
