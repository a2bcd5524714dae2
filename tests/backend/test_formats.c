/* SPDX-License-Identifier: MIT */
/*
 * The soft backend on the simulated machine, with tables of every format and shape: what a device
 * reaches, and that the walker written from the manuals and the table's own lookup agree. On a
 * machine that does not snoop, too.
 */
#include "backend/formats.h"

#include <errno.h>

#include "core/bits.h"
#include "lib/rnd.h"

#define SLOTS  6u
#define SLOT   (8 * FMT_MIB) /* of iova each, at most */
#define ROUNDS 120u

/* Both lookups agree, and lead where they should; offset -1: nowhere. */
static void check_lookup(uint64_t iova, uint64_t offset)
{
	const struct sim_view view = {fmt_read_memory, NULL};
	struct phyr_translation tr;
	struct sim_leaf leaf;
	int reason = phyr_sim_walk(&fmt.regime, &view, iova, &leaf);
	int err = phyr_domain_translate(fmt.domain, iova, &tr);

	if (offset == UINT64_MAX) {
		assert_int_equal(reason, PHYR_FAULT_NOT_PRESENT);
		assert_int_equal(err, -ENOENT);
		return;
	}
	if (reason || err)
		fail_msg("%s: iova %llx: reason %d, err %d", fmt.kind->name,
			 (unsigned long long)iova, reason, err);
	assert_int_equal(leaf.addr, fmt_addr_of(offset));
	assert_int_equal(tr.addr, leaf.addr);
	assert_int_equal(tr.leaf_size, leaf.size);
	assert_int_equal(leaf.prot, PHYR_READ | PHYR_WRITE);
	assert_int_equal(tr.prot, PHYR_READ | PHYR_WRITE);
}
static void check_slot(const struct fmt_slot *slot)
{
	assert_true(fmt_reaches(slot));
	for (uint64_t at = 0; at < slot->len; at += fmt.granule)
		check_lookup(slot->iova + at + 8, slot->offset + at + 8);
}

static void check_empty(const struct fmt_slot *slot, uint64_t len)
{
	uint64_t v;

	for (uint64_t at = 0; at < len; at += fmt.granule) {
		check_lookup(slot->iova + at, UINT64_MAX);
		assert_int_equal(phyr_sim_dma_read(fmt.sdev, slot->iova + at, &v, 8), -EFAULT);
	}
}
/* Slots lie from 256 MiB on, and at the end of iova. */
static uint64_t slot_start(unsigned i)
{
	return i < SLOTS / 2 ? 256 * FMT_MIB + i * SLOT : fmt.last + 1 - (SLOTS - i) * SLOT;
}

/* Something of the memory, likely to be aligned as large leaves want it. */
static void choose(struct rnd *rnd, unsigned i, struct fmt_slot *slot)
{
	uint64_t align = rnd_below(rnd, 2)   ? fmt.granule
			 : rnd_below(rnd, 2) ? 64u << 10
					     : 2 * FMT_MIB;

	align = max_u64(align, fmt.granule);
	slot->len = rnd_log(rnd, 1, 4 * FMT_MIB / fmt.granule) * fmt.granule;
	slot->offset = rnd_below(rnd, FMT_MEMORY - slot->len) & ~(align - 1);
	slot->iova = slot_start(i) + (rnd_below(rnd, SLOT - slot->len) & ~(align - 1));
}

static void random_calls(struct rnd *rnd)
{
	struct fmt_slot slots[SLOTS] = {{0}};

	for (unsigned round = 0; round < ROUNDS; round++) {
		unsigned i = (unsigned)rnd_below(rnd, SLOTS);
		struct fmt_slot *slot = &slots[i];
		uint64_t len = slot->len;

		if (!len) {
			choose(rnd, i, slot);
			assert_int_equal(fmt_map(slot), 0);
			check_slot(slot);
		} else {
			check_slot(slot);
			fmt_unmap(slot);
			check_empty(slot, len);
			slot->len = 0;
		}
	}
	for (unsigned i = 0; i < SLOTS; i++)
		if (slots[i].len)
			fmt_unmap(&slots[i]);
}
static void devices_reach_what_is_mapped(void **state)
{
	struct rnd rnd = rnd_start("backend/formats");

	for (unsigned i = 0; i < fmt_nr_kinds; i++) {
		fmt_begin(&fmt_kinds[i], (struct fmt_choices){0});
		random_calls(&rnd);
		fmt_end();
	}
}

static void without_snooping(void **state)
{
	struct rnd rnd = rnd_start("backend/formats_noncoherent");

	for (unsigned i = 0; i < fmt_nr_kinds; i++) {
		fmt_begin(&fmt_kinds[i], (struct fmt_choices){.noncoherent = true});
		random_calls(&rnd);
		fmt_end();
	}
}
static uint64_t entry_of(uint64_t iova)
{
	const struct sim_view view = {fmt_read_memory, NULL};
	struct sim_leaf leaf;

	assert_int_equal(phyr_sim_walk(&fmt.regime, &view, iova, &leaf), 0);
	return leaf.entry;
}

/* A write marks the leaf that it goes through, and no other; a read none, once it was used. */
static void check_marks(const struct fmt_slot *slot)
{
	uint64_t first = slot->iova, last = slot->iova + slot->len - fmt.granule, v = 1;
	uint64_t before[2], written;

	assert_int_equal(phyr_sim_dma_read(fmt.sdev, first, &v, sizeof(v)), 0);
	assert_int_equal(phyr_sim_dma_read(fmt.sdev, last, &v, sizeof(v)), 0);
	before[0] = entry_of(first);
	before[1] = entry_of(last);
	assert_int_equal(phyr_sim_dma_read(fmt.sdev, first + 8, &v, sizeof(v)), 0);
	assert_int_equal(entry_of(first), before[0]);
	assert_int_equal(phyr_sim_dma_write(fmt.sdev, first, &v, sizeof(v)), 0);
	written = entry_of(first);
	assert_int_not_equal(written, before[0]);
	assert_true(is_pow2(written ^ before[0]));
	assert_int_equal(entry_of(last), before[1]);
	assert_int_equal(phyr_sim_dma_write(fmt.sdev, first, &v, sizeof(v)), 0);
	assert_int_equal(entry_of(first), written);
}

static void writes_are_marked(void **state)
{
	for (unsigned i = 0; i < fmt_nr_kinds; i++) {
		struct fmt_slot slot = {512 * FMT_MIB - FMT_MIB, FMT_MIB, 6 * FMT_MIB};

		fmt_begin(&fmt_kinds[i], (struct fmt_choices){.dirty = true});
		assert_true(fmt.regime.table.dirty);
		assert_int_equal(fmt_map(&slot), 0);
		check_marks(&slot);
		check_slot(&slot);
		fmt_unmap(&slot);
		fmt_end();
	}
}

/* What a leaf says that was mapped for @prot, and what a device may do then. */
static void check_rights(unsigned prot, bool snoops)
{
	struct fmt_slot slot = {512 * FMT_MIB - FMT_MIB, FMT_MIB, 6 * FMT_MIB};
	const struct sim_view view = {fmt_read_memory, NULL};
	enum phyr_pgtbl_format format = fmt.kind->format;
	bool reads = format == PHYR_PGTBL_X86_64 || format == PHYR_PGTBL_ARM64_S1 ||
		     format == PHYR_PGTBL_RISCV64;
	bool uncached = format == PHYR_PGTBL_X86_64 || format == PHYR_PGTBL_ARM64_S1 ||
			format == PHYR_PGTBL_ARM64_S2;
	unsigned want = prot & ~(uncached ? 0u : PHYR_MMIO) & 7;
	struct phyr_translation tr;
	struct sim_leaf leaf;
	uint64_t v = 0;

	if (reads)
		want |= PHYR_READ;
	assert_int_equal(fmt_map_for(&slot, prot), 0);
	for (uint64_t at = 0; at < slot.len; at += FMT_MIB) {
		assert_int_equal(phyr_sim_walk(&fmt.regime, &view, slot.iova + at, &leaf), 0);
		assert_int_equal(phyr_domain_translate(fmt.domain, slot.iova + at, &tr), 0);
		assert_int_equal(leaf.prot, want);
		assert_int_equal(tr.prot & ~(unsigned)PHYR_MMIO, want & ~(unsigned)PHYR_MMIO);
		assert_int_equal(leaf.snoop, snoops && !(prot & PHYR_MMIO));
		assert_int_equal(!phyr_sim_dma_read(fmt.sdev, slot.iova + at, &v, 8),
				 !!(want & PHYR_READ));
		assert_int_equal(!phyr_sim_dma_write(fmt.sdev, slot.iova + at, &v, 8),
				 !!(want & PHYR_WRITE));
	}
	fmt_unmap(&slot);
}

static void rights_are_kept(void **state)
{
	static const unsigned prots[] = {PHYR_READ, PHYR_WRITE, PHYR_READ | PHYR_WRITE,
					 PHYR_READ | PHYR_MMIO, PHYR_READ | PHYR_WRITE | PHYR_MMIO};

	for (unsigned i = 0; i < fmt_nr_kinds; i++) {
		bool snoops = fmt_kinds[i].format == PHYR_PGTBL_VTDSS ||
			      fmt_kinds[i].format == PHYR_PGTBL_AMDV1;

		for (unsigned dirty = 0; dirty < 2; dirty++) {
			fmt_begin(&fmt_kinds[i],
				  (struct fmt_choices){.dirty = dirty, .force_snoop = snoops});
			for (unsigned p = 0; p < ARRAY_SIZE(prots); p++)
				check_rights(prots[p], snoops);
			fmt_end();
		}
	}
}
int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(devices_reach_what_is_mapped),
		cmocka_unit_test(without_snooping),
		cmocka_unit_test(rights_are_kept),
		cmocka_unit_test(writes_are_marked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
