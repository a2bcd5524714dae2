/* SPDX-License-Identifier: MIT */
/* Lines of the kernel's log: what they say, and that a user's own line is not taken for one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "kmsg.h"

#define EDU_SOURCE 0x0028 /* 00:05.0 */

/* As kernels from 4.x to 7.x write it. */
static const struct {
	const char *line;
	struct kmsg_fault fault;
} told[] = {
	{"DMAR: [DMA Write NO_PASID] Request device [00:05.0] fault addr 0xfffff000 "
	 "[fault reason 0x05] PTE Write access is not set",
	 {0x0028, true, 0xfffff000, 5}},
	{"DMAR: [DMA Read NO_PASID] Request device [00:04.0] fault addr 0x12345678000 "
	 "[fault reason 0x06] PTE Read access is not set",
	 {0x0020, false, 0x12345678000, 6}},
	{"DMAR: [DMA Read PASID 0x7] Request device [81:1f.7] fault addr 0x1000 [fault reason "
	 "0x71] SM: Present bit in first-level paging entry is clear",
	 {0x81ff, false, 0x1000, 0x71}},
	{"DMAR: [DMA Write NO_PASID] Request device [0000:00:05.0] fault addr 0x2000 "
	 "[fault reason 0x05] PTE Write access is not set",
	 {0x0028, true, 0x2000, 5}},
	{"DMAR: [DMA Write] Request device [0a:00.1] fault addr f7a00000 [fault reason 05] PTE "
	 "Write access is not set",
	 {0x0a01, true, 0xf7a00000, 5}},
};

static void test_says_all(void **state)
{
	struct kmsg_fault fault;

	for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
		assert_true(kmsg_parse(told[i].line, &fault));
		assert_int_equal(fault.source, told[i].fault.source);
		assert_int_equal(fault.write, told[i].fault.write);
		assert_int_equal(fault.addr, told[i].fault.addr);
		assert_int_equal(fault.reason, told[i].fault.reason);
	}
}

static void test_others_are_not_taken(void **state)
{
	struct kmsg_fault fault;

	assert_false(kmsg_parse("", &fault));
	assert_false(kmsg_parse("DMAR: DRHD: handling fault status reg 2", &fault));
	assert_false(kmsg_parse("DMAR: [INTR-REMAP] Request device [00:05.0] fault index 0x0 "
				"[fault reason 0x22] Present field in the IRTE entry is clear",
				&fault));
	assert_false(kmsg_parse("DMAR: [DMA Write NO_PASID] Request device [00:45.0] fault addr "
				"0x0 [fault reason 0x05]",
				&fault));
	assert_false(kmsg_parse("DMAR: [DMA Write NO_PASID] Request device [0001:00:05.0] fault "
				"addr 0x0 [fault reason 0x05]",
				&fault));
}

/* Anybody may write into the log; only what the kernel itself says counts. */
static void test_users_line_is_not_the_kernels(void **state)
{
	char line[KMSG_LINE];
	struct kmsg_fault fault;
	struct kmsg k;
	int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || kmsg_open(&k))
		skip();
	assert_int_equal(write(fd, told[0].line, strlen(told[0].line)), strlen(told[0].line));
	assert_int_equal(kmsg_wait(&k, EDU_SOURCE, true, 0xfffff000, 100, &fault, line),
			 -ETIMEDOUT);
	kmsg_close(&k);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_says_all),
		cmocka_unit_test(test_others_are_not_taken),
		cmocka_unit_test(test_users_line_is_not_the_kernels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
