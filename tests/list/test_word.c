/* SPDX-License-Identifier: MIT */
/* Words: golden values, and every length against a search through all codes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <phyr/list.h>

#include "lib/rnd.h"

#define GIB_PAGES ((uint64_t)1 << 18)

/* The code's meaning, as the header of list.h puts it. */
static uint64_t code_pages(unsigned code)
{
	return code < 0x800 ? code + 1 : (uint64_t)(64 + (code & 63)) << ((code >> 6 & 31) + 5);
}

static unsigned largest_code(uint64_t pages)
{
	unsigned best = 0;

	for (unsigned code = 1; code < 0x1000; code++)
		if (code != 0x800 && code_pages(code) <= pages)
			best = code_pages(code) > code_pages(best) ? code : best;
	return best;
}

static void golden_values(void **state)
{
	static const struct {
		uint64_t addr, pages;
		unsigned nr;
		uint64_t words[3];
	} golden[] = {
		{0x1234567000, 1, 1, {0x1234567000}},
		{0x1000, 2, 1, {0x1001}},
		{0, 2048, 1, {0x7ff}},
		{0x1000, 2049, 2, {0x17ff, 0x801000}},
		{0, 2079, 2, {0x7ff, 0x80001e}},
		{0, 2080, 1, {0x801}},
		{0, 2081, 2, {0x801, 0x820000}},
		{0, 4095, 2, {0x83f, 0xfe001e}},
		{0, 4096, 1, {0x840}},
		{0x40000000, GIB_PAGES, 1, {0x400009c0}},
		{0, GIB_PAGES - 1, 2, {0x9bf, 0x3f8007fe}},
		{0, (uint64_t)127 << 36, 1, {0xfff}},
		{0, (uint64_t)1 << 43, 2, {0xfff, 0x7f000000000e40}},
	};

	for (size_t i = 0; i < sizeof(golden) / sizeof(golden[0]); i++) {
		uint64_t words[PHYR_WORDS_PER_RUN];

		assert_int_equal(phyr_word_encode(golden[i].addr, golden[i].pages, words),
				 golden[i].nr);
		for (unsigned k = 0; k < golden[i].nr; k++)
			assert_int_equal(words[k], golden[i].words[k]);
	}
}

static void every_code_has_its_length(void **state)
{
	for (unsigned code = 0; code < 0x1000; code++)
		if (code != 0x800)
			assert_int_equal(phyr_word_pages(0xabc000 | code), code_pages(code));
}

static void check_run(uint64_t addr, uint64_t pages, unsigned most)
{
	uint64_t words[PHYR_WORDS_PER_RUN + 1] = {[PHYR_WORDS_PER_RUN] = 0x5a};
	unsigned nr = phyr_word_encode(addr, pages, words);

	assert_in_range(nr, 1, most);
	for (unsigned i = 0; i < nr; i++) {
		assert_int_not_equal(words[i] & 0xfff, 0x800);
		assert_int_equal(words[i], addr | largest_code(pages));
		addr += phyr_word_pages(words[i]) << 12;
		pages -= phyr_word_pages(words[i]);
		/* What the inline cursor relies on. */
		if ((words[i] & 0xfff) < 0x7ff)
			assert_int_equal(pages, 0);
	}
	assert_int_equal(pages, 0);
	assert_int_equal(words[PHYR_WORDS_PER_RUN], 0x5a);
}

static void every_length_to_10000(void **state)
{
	for (uint64_t pages = 1; pages <= 10000; pages++)
		check_run(0x7654321000, pages, 2);
}

static void random_lengths(void **state)
{
	struct rnd r = rnd_start("list/word: random lengths");

	for (unsigned i = 0; i < 4000; i++) {
		check_run(0x1000, rnd_log(&r, 1, GIB_PAGES), 2);
		check_run(rnd_below(&r, 1 << 20) << 12, rnd_log(&r, 1, (uint64_t)1 << 40), 6);
		check_run(0x1000, rnd_log(&r, 1, (uint64_t)1 << 43), 6);
		check_run(0x1000, rnd_log(&r, 1, (uint64_t)1 << 44), PHYR_WORDS_PER_RUN);
	}
	for (unsigned lg2 = 1; lg2 <= 44; lg2++) {
		check_run(0, (uint64_t)1 << lg2, 3);
		check_run(0, ((uint64_t)1 << lg2) - 1, lg2 <= 18 ? 2 : lg2 <= 43 ? 6 : 8);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(golden_values),
		cmocka_unit_test(every_code_has_its_length),
		cmocka_unit_test(every_length_to_10000),
		cmocka_unit_test(random_lengths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
