/* SPDX-License-Identifier: MIT */
/* Mapping, and reading the tables' memory. */
#include "pgtbl/golden.h"

#include "core/bits.h"
#include "lib/near.h"

void golden_init(struct golden *s, const struct golden_format *format,
		 const struct phyr_pgtbl_config *config, uint64_t delta)
{
	s->format = format;
	s->config = *config;
	s->config.size = sizeof(s->config);
	tenv_init(&s->t, near_env(delta ? lg2_u64(delta) + 1 : 64));
	s->t.env.phys_delta += delta;
	assert_int_equal(phyr_pgtbl_create(&s->t.env, &s->config, &s->pt), 0);
	phyr_gather_init(&s->g);
}

void golden_fini(struct golden *s)
{
	phyr_pgtbl_free_gathered(s->pt, &s->g);
	phyr_pgtbl_destroy(s->pt);
	tenv_fini(&s->t);
}

void golden_map(struct golden *s, uint64_t iova, uint64_t addr, uint64_t len, unsigned prot)
{
	struct phyr_cursor cur;

	phyr_cursor_init_range(&cur, addr, len);
	assert_int_equal(phyr_pgtbl_map(s->pt, iova, &cur, prot, &s->g), 0);
	assert_int_equal(cur.left, 0);
}

/* Entries are 8 bytes in each format here, and a table is as large as a page. */
static uint64_t entry_at(struct golden *s, uint64_t table, uint64_t index)
{
	return ((const uint64_t *)(uintptr_t)(table - s->t.env.phys_delta))[index];
}

uint64_t golden_raw(struct golden *s, uint64_t iova, unsigned level)
{
	unsigned granule = s->config.granule_lg2 ? s->config.granule_lg2 : 12, bits = granule - 3;
	unsigned top = phyr_pgtbl_levels(s->pt) - 1, at = top;
	uint64_t table = phyr_pgtbl_root(s->pt), e;

	for (;; at--) {
		uint64_t index = iova >> (granule + at * bits);

		/* All that is left counts at the top: there may be several tables side by side. */
		if (at != top)
			index &= (1u << bits) - 1;
		e = entry_at(s, table, index);
		if (at == level)
			return e;
		assert_int_equal(e & s->format->table_mask, s->format->table_bits(at));
		table = s->format->table(e);
	}
}

uint64_t golden_entry(struct golden *s, uint64_t iova, unsigned level)
{
	return golden_raw(s, iova, level) & ~s->format->ignored;
}

void golden_leaves(struct golden *s, const struct golden_leaf *leaves, unsigned nr)
{
	for (unsigned i = 0; i < nr; i++) {
		const struct golden_leaf *l = &leaves[i];
		uint64_t got;

		if (l->len)
			golden_map(s, l->iova, l->addr, l->len, l->prot);
		got = golden_entry(s, l->iova + l->at, l->level);
		if (got != l->want)
			print_error("leaf %u, iova %#llx: %#llx, want %#llx\n", i,
				    (unsigned long long)(l->iova + l->at), (unsigned long long)got,
				    (unsigned long long)l->want);
		assert_int_equal(got, l->want);
	}
}
