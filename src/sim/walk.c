/* SPDX-License-Identifier: MIT */
/* The walk that all formats share: from entry to entry, by what each format says of its own. */
#include "sim/walk.h"

#include "core/bits.h"
#include "core/err.h"

static const struct sim_format *format_of(enum phyr_pgtbl_format format)
{
	switch (format) {
	case PHYR_PGTBL_X86_64:
		return &phyr_sim_x86_64;
	case PHYR_PGTBL_VTDSS:
		return &phyr_sim_vtdss;
	case PHYR_PGTBL_AMDV1:
		return &phyr_sim_amdv1;
	case PHYR_PGTBL_ARM64_S1:
	case PHYR_PGTBL_ARM64_S2:
		return &phyr_sim_arm64;
	case PHYR_PGTBL_RISCV64:
		return &phyr_sim_riscv64;
	}
	return NULL;
}

/* Some formats tell the hardware how much iova there is; what they say must leave a top table. */
static bool take_ia_bits(struct sim_regime *r)
{
	unsigned top = sim_span_lg2(r, r->table.levels - 1);

	if (r->table.ia_bits > r->ia_bits || (r->table.ia_bits && r->table.ia_bits <= top))
		return false;
	if (r->table.ia_bits)
		r->ia_bits = r->table.ia_bits;
	return r->ia_bits > top;
}

int phyr_sim_regime_init(struct sim_regime *r, const struct phyr_soft_table *table,
			 unsigned oa_bits, unsigned bbm)
{
	*r = (struct sim_regime){
		.table = *table,
		.format = format_of(table->format),
		.oa_bits = oa_bits,
		.bbm = bbm,
		.granule_lg2 = table->granule_lg2 ? table->granule_lg2 : 12,
	};
	r->index_lg2 = r->granule_lg2 - 3; /* entries of 8 bytes in a table of a granule */
	r->root_lg2 = r->granule_lg2;
	if (!r->format || !table->levels || !r->format->shape(r) || !take_ia_bits(r))
		return -EINVAL;
	return table->root & (((uint64_t)1 << r->root_lg2) - 1) ? -EINVAL : 0;
}

uint64_t phyr_sim_regime_last(const struct sim_regime *r)
{
	return ~(uint64_t)0 >> (64 - r->ia_bits);
}

void phyr_sim_step_begin(const struct sim_regime *r, struct sim_step *s)
{
	*s = (struct sim_step){
		.level = r->table.levels - 1,
		.table = r->table.root,
		.prot = PHYR_READ | PHYR_WRITE,
	};
}

/* The top table may have more entries than others: several side by side. */
static uint64_t index_of(const struct sim_regime *r, unsigned level, uint64_t iova)
{
	uint64_t index = iova >> sim_span_lg2(r, level);

	return level == r->table.levels - 1 ? index : index & (((uint64_t)1 << r->index_lg2) - 1);
}

/* An entry that skips levels covers the iova alone whose bits of those levels are 0. */
static bool is_skipped(const struct sim_regime *r, const struct sim_step *s, uint64_t iova)
{
	unsigned low = sim_span_lg2(r, s->entry.next + 1), high = sim_span_lg2(r, s->level);

	return low < high && (iova & (((uint64_t)1 << high) - 1)) >> low;
}

/* Whether an entry that is one of several says of its own span what the leaf says of it. */
static bool agrees(const struct sim_regime *r, const struct sim_entry *leaf,
		   const struct sim_entry *e, uint64_t at)
{
	if (!e->leaf || e->prot != leaf->prot || e->device != leaf->device ||
	    e->snoop != leaf->snoop)
		return false;
	/* Where hardware needs break-before-make, all of them are the same leaf. */
	if (r->table.format >= PHYR_PGTBL_ARM64_S1 && r->table.format <= PHYR_PGTBL_ARM64_S2 &&
	    !r->bbm && e->lg2 != leaf->lg2)
		return false;
	return e->addr + (at & (((uint64_t)1 << e->lg2) - 1)) ==
	       leaf->addr + (at & (((uint64_t)1 << leaf->lg2) - 1));
}

/* Hardware may take any of the entries that are one leaf, for all of it. */
static int check_run(const struct sim_regime *r, const struct sim_view *view, uint64_t iova,
		     const struct sim_step *s)
{
	unsigned span_lg2 = sim_span_lg2(r, s->level);
	uint64_t nr = (uint64_t)1 << (s->entry.lg2 - span_lg2);
	uint64_t first = index_of(r, s->level, iova) & ~(nr - 1), raw;
	struct sim_entry e;

	for (uint64_t i = first; i < first + nr; i++) {
		if (!view->read(view->arg, s->table + i * sizeof(raw), &raw))
			return PHYR_FAULT_BAD_ADDRESS;
		if (r->format->decode(r, s->level, i, raw, &e) ||
		    !agrees(r, &s->entry, &e, i << span_lg2))
			return PHYR_FAULT_BAD_ENTRY;
	}
	return 0;
}

int phyr_sim_step_read(const struct sim_regime *r, const struct sim_view *view, uint64_t iova,
		       struct sim_step *s)
{
	uint64_t index = index_of(r, s->level, iova);
	int reason;

	s->where = s->table + index * sizeof(s->raw);
	if (!view->read(view->arg, s->where, &s->raw))
		return PHYR_FAULT_BAD_ADDRESS;
	s->entry = (struct sim_entry){.used = s->raw, .written = s->raw};
	reason = r->format->decode(r, s->level, index, s->raw, &s->entry);
	if (reason)
		return reason;
	if (!s->entry.leaf && is_skipped(r, s, iova))
		return PHYR_FAULT_NOT_PRESENT;
	s->prot &= s->entry.prot;
	if (s->entry.leaf && s->entry.lg2 > sim_span_lg2(r, s->level))
		return check_run(r, view, iova, s);
	return 0;
}

int phyr_sim_walk(const struct sim_regime *r, const struct sim_view *view, uint64_t iova,
		  struct sim_leaf *out)
{
	struct sim_step s;
	int reason;

	if (iova > phyr_sim_regime_last(r))
		return PHYR_FAULT_RANGE;
	phyr_sim_step_begin(r, &s);
	for (;; sim_step_down(&s)) {
		reason = phyr_sim_step_read(r, view, iova, &s);
		if (reason)
			return reason;
		if (s.entry.leaf)
			break;
	}
	*out = (struct sim_leaf){
		.addr = s.entry.addr + (iova & (((uint64_t)1 << s.entry.lg2) - 1)),
		.size = (uint64_t)1 << s.entry.lg2,
		.prot = s.prot | (s.entry.device ? PHYR_MMIO : 0),
		.snoop = s.entry.snoop,
		.level = s.level,
		.where = s.where,
		.entry = s.raw,
	};
	return 0;
}
