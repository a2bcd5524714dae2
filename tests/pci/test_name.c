/* SPDX-License-Identifier: MIT */
/* PCI addresses as text: what is one, what is not, and back. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <phyr/pci.h>

static void addresses(void **state)
{
	static const struct {
		const char *text;
		uint32_t source;
		const char *back;
	} good[] = {
		{"0000:00:00.0", 0, "0000:00:00.0"},
		{"0000:01:00.0", 0x100, "0000:01:00.0"},
		{"01:00.0", 0x100, "0000:01:00.0"},
		{"0:1:2.3", 0x113, "0000:01:02.3"},
		{"ffff:ff:1f.7", 0xffffffff, "ffff:ff:1f.7"},
		{"ABCD:Ef:0a.5", 0xabcdef55, "abcd:ef:0a.5"},
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		char name[PHYR_PCI_NAME];
		uint32_t source = 1;

		assert_int_equal(phyr_pci_parse(good[i].text, &source), 0);
		assert_int_equal(source, good[i].source);
		phyr_pci_format(source, name);
		assert_string_equal(name, good[i].back);
	}
}

static void no_addresses(void **state)
{
	static const char *const bad[] = {
		"",
		".",
		"..",
		"00",
		"00:00",
		"00:00.",
		":00.0",
		"00:20.0",
		"00:00.8",
		"00:00.0 ",
		" 00:00.0",
		"00:00.0\n",
		"00:00.00",
		"000:00.0",
		"00:000.0",
		"g0:00.0",
		"10000:00:00.0",
		"0000:00:00.0.0",
		"0000:00:00:00",
		"0000:00:00.0/config",
		"0000:",
		"0000::00.0",
		"-1:00.0",
		"0x00:00.0",
		"0000:0000:00:00.0",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint32_t source = 77;

		assert_int_equal(phyr_pci_parse(bad[i], &source), -EINVAL);
		assert_int_equal(source, 77);
	}
}

/* Every source id comes back; a prime's multiples meet all bits. */
static void there_and_back(void **state)
{
	for (uint64_t source = 0; source <= 0xffffffff; source += 65521) {
		char name[PHYR_PCI_NAME];
		uint32_t back = ~(uint32_t)source;

		phyr_pci_format((uint32_t)source, name);
		assert_int_equal(phyr_pci_parse(name, &back), 0);
		assert_int_equal(back, source);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses),
		cmocka_unit_test(no_addresses),
		cmocka_unit_test(there_and_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
