/* SPDX-License-Identifier: MIT */
/*
 * A machine that does not snoop, with tables of every format and shape, and one write-back of table
 * memory left out: the device must notice.
 */
#include "backend/formats.h"

#include "core/bits.h"

/* Pages and larger leaves, in tables of which parts stay empty. */
static const struct fmt_slot four = {512 * FMT_MIB - FMT_MIB, FMT_MIB, 6 * FMT_MIB};

/* Whether the device finds nothing there, and that in order. */
static bool finds_nothing(uint64_t iova)
{
	uint64_t v;

	return phyr_sim_dma_read(fmt.sdev, iova, &v, sizeof(v)) &&
	       fmt.fault.reason == PHYR_FAULT_NOT_PRESENT;
}

/* Beside a slot, near and far: in each table that leads to it. */
static bool nothing_around(const struct fmt_slot *slot)
{
	bool nothing = finds_nothing(slot->iova - fmt.granule) &&
		       finds_nothing(slot->iova + slot->len) && finds_nothing(fmt.last - 7);

	for (uint64_t far = 16 * FMT_MIB; nothing && far && far < fmt.last - slot->iova; far *= 2)
		nothing = finds_nothing(slot->iova + far);
	return nothing;
}

/* Leave the n-th write-back of a map out. Returns whether the device noticed; *any: there was one. */
static bool dropped_in_map(const struct fmt_kind *kind, uint64_t n, bool *any)
{
	struct fmt_slot slot = four;
	bool seen;

	fmt_begin(kind, (struct fmt_choices){.noncoherent = true});
	fmt.flushes = 0;
	fmt.drop_at = n;
	assert_int_equal(fmt_map(&slot), 0);
	*any = fmt.flushes >= n;
	fmt.drop_at = 0;
	seen = !fmt_reaches(&slot) || !nothing_around(&slot);
	fmt_unmap(&slot);
	fmt_end();
	return seen;
}

/* The same of an unmap: the device still gets through. */
static bool dropped_in_unmap(const struct fmt_kind *kind, uint64_t n, bool *any)
{
	struct fmt_slot slot = four;
	bool seen = false;
	uint64_t v;

	fmt_begin(kind, (struct fmt_choices){.noncoherent = true});
	assert_int_equal(fmt_map(&slot), 0);
	fmt.flushes = 0;
	fmt.drop_at = n;
	fmt_unmap(&slot);
	*any = fmt.flushes >= n;
	for (uint64_t at = 0; at < slot.len && !seen; at += fmt.granule) {
		unsigned faults = fmt.faults;

		/* What it gets to is the old mapping, or a table that is free by now. */
		seen = !phyr_sim_dma_read(fmt.sdev, slot.iova + at, &v, 8);
		assert_int_equal(fmt.faults, faults + !seen);
	}
	fmt_end();
	return seen;
}

/* Each write-back counts, but for two that share a line: large leaves and the next table's entry. */
static void a_missing_flush_is_seen(void **state)
{
	for (unsigned i = 0; i < fmt_nr_kinds; i++) {
		unsigned unseen = 0;
		bool any = true;

		for (uint64_t n = 1; any; n++)
			unseen += !dropped_in_map(&fmt_kinds[i], n, &any) && any;
		if (unseen > 2)
			fail_msg("%s: %u write-backs of a map", fmt_kinds[i].name, unseen);
		any = true;
		for (uint64_t n = 1; any; n++)
			if (!dropped_in_unmap(&fmt_kinds[i], n, &any) && any)
				fail_msg("%s: write-back %llu of an unmap", fmt_kinds[i].name,
					 (unsigned long long)n);
	}
}
int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_missing_flush_is_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
