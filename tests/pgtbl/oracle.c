/* SPDX-License-Identifier: MIT */
/* The simulated hardware's walkers over a rig's tables: what they see is what has been written back. */
#include "pgtbl/rig.h"
#include "sim/walk.h"

static bool read_entry(void *arg, uint64_t addr, uint64_t *entry)
{
	const struct rig *rig = arg;
	const uint64_t *p = rig_entry(rig, addr, 0);

	*entry = __atomic_load_n(rig->c->config.noncoherent ? p + rig_table_size(rig) / 8 : p,
				 __ATOMIC_ACQUIRE);
	return true;
}

static void start(struct sim_regime *regime, const struct rig *rig)
{
	bool arm = rig->c->config.format >= PHYR_PGTBL_ARM64_S1 &&
		   rig->c->config.format <= PHYR_PGTBL_ARM64_S2;
	const struct phyr_soft_table table = {
		.format = rig->c->config.format,
		.levels = phyr_pgtbl_levels(rig->pt),
		.root = phyr_pgtbl_root(rig->pt),
		.granule_lg2 = rig->c->granule_lg2,
		.ia_bits = arm ? rig->c->iova_bits : 0,
		.oa_bits = arm ? rig->c->oa_bits : 0,
		.dirty = rig->c->config.dirty,
	};

	assert_int_equal(phyr_sim_regime_init(regime, &table, rig->c->oa_bits, rig->c->config.bbm),
			 0);
	assert_int_equal(phyr_sim_regime_last(regime), phyr_pgtbl_last(rig->pt));
}

static int walk(const struct rig *rig, uint64_t iova, struct phyr_translation *out)
{
	const struct sim_view view = {read_entry, (void *)(uintptr_t)rig};
	struct sim_regime regime;
	struct sim_leaf leaf;
	int reason;

	start(&regime, rig);
	reason = phyr_sim_walk(&regime, &view, iova, &leaf);
	if (reason == PHYR_FAULT_NOT_PRESENT)
		return -ENOENT;
	if (reason)
		fail_msg("%s: %llx is a fault of hardware: %d", rig->c->name,
			 (unsigned long long)iova, reason);
	out->addr = leaf.addr;
	out->leaf_size = leaf.size;
	out->prot = leaf.prot & RW;
	return 0;
}

rig_walker_fn *const rig_walker = walk;
