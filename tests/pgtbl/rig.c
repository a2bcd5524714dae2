/* SPDX-License-Identifier: MIT */
/* Tables, shadows, and the hardware's part. */
#include "pgtbl/rig.h"

#include "core/bits.h"
#include "core/env.h"
#include "core/order.h"
#include "lib/near.h"

#define LINE 64u

static struct phyr_env *pages_of(const struct rig *rig)
{
	return near_env(rig->c->oa_bits);
}

static void *shadow_alloc(struct phyr_env *env, size_t size)
{
	struct rig *rig = container_of(env, struct rig, shadow);
	uintptr_t table = rig_table_size(rig);
	unsigned char *p = pages_of(rig)->alloc_pages(pages_of(rig), 2 * table);

	assert_non_null(p);
	assert_true(size <= table); /* less: a list's */
	memset(p + table, 0xff, table);
	return p;
}

static void shadow_free(struct phyr_env *env, void *pages, size_t size)
{
	struct rig *rig = container_of(env, struct rig, shadow);

	pages_of(rig)->free_pages(pages_of(rig), pages, 2 * rig_table_size(rig));
}

/* As one write-back after the other: what a later one copies is as new as what an earlier one did. */
static void shadow_flush(struct phyr_env *env, const void *p, size_t len)
{
	struct rig *rig = container_of((struct tenv *)env, struct rig, t);
	uintptr_t first = (uintptr_t)p & ~(uintptr_t)(LINE - 1);
	uintptr_t end = ((uintptr_t)p + len + LINE - 1) & ~(uintptr_t)(LINE - 1);

	env_lock(phyr_env_hosted(), &rig->lock);
	rig->flushes++;
	rig->flushed += len;
	for (; first < end; first += sizeof(uint64_t)) {
		uint64_t *seen = (uint64_t *)(first | rig_table_size(rig));

		store_relaxed(seen, load_relaxed((uint64_t *)first));
	}
	env_unlock(phyr_env_hosted(), &rig->lock);
}

void rig_init_on(struct rig *rig, const struct pgtbl_case *c, struct phyr_env *base)
{
	assert_int_equal(env_lock_init(phyr_env_hosted(), &rig->lock), 0);
	tenv_init(&rig->t, base);
	rig->c = c;
	rig->t.env.phys_delta += case_phys_delta(c);
	if (c->config.noncoherent)
		rig->t.env.flush_lines = shadow_flush;
	assert_int_equal(phyr_pgtbl_create(&rig->t.env, &c->config, &rig->pt), 0);
	phyr_gather_init(&rig->g);
}

void rig_init(struct rig *rig, const struct pgtbl_case *c)
{
	memset(rig, 0, sizeof(*rig));
	rig->c = c;
	rig->shadow = *near_env(c->oa_bits);
	rig->shadow.alloc_pages = shadow_alloc;
	rig->shadow.free_pages = shadow_free;
	rig_init_on(rig, c, c->config.noncoherent ? &rig->shadow : near_env(c->oa_bits));
}

void rig_fini(struct rig *rig)
{
	rig_sync(rig);
	free(rig->seen);
	phyr_pgtbl_destroy(rig->pt);
	tenv_fini(&rig->t);
	env_lock_fini(phyr_env_hosted(), &rig->lock);
}

void rig_sync(struct rig *rig)
{
	phyr_pgtbl_free_gathered(rig->pt, &rig->g);
	phyr_gather_init(&rig->g);
}

static int note_leaf(void *arg, const struct phyr_pgtbl_entry *entry)
{
	struct rig *rig = arg;

	if (!entry->leaf)
		return 0;
	if (rig->nr_seen == rig->room_seen) {
		rig->room_seen = 2 * rig->room_seen + 64;
		rig->seen = realloc(rig->seen, rig->room_seen * sizeof(*rig->seen));
		assert_non_null(rig->seen);
	}
	rig->seen[rig->nr_seen++] = (struct rig_seen){entry->iova, entry->leaf_size, entry->size};
	return 0;
}

/* By what was written back, too: hardware that does not snoop would go on with the old entry. */
static void assert_walker_finds_none(const struct rig *rig, uint64_t iova)
{
	struct phyr_translation tr;

	if (rig_walker)
		assert_int_equal(rig_walker(rig, iova, &tr), -ENOENT);
}

static void idle_sync(void *arg, struct phyr_gather *gather)
{
	struct rig *rig = arg;

	assert_true(gather->start <= gather->last);
	assert_walker_finds_none(rig, gather->start);
	assert_walker_finds_none(rig, gather->last);
	assert_int_equal(phyr_pgtbl_walk(rig->pt, gather->start, gather->last - gather->start + 1,
					 note_leaf, rig),
			 0);
	rig->synced_start = min_u64(rig->synced_start, gather->start);
	rig->synced_last = max_u64(rig->synced_last, gather->last);
	phyr_pgtbl_free_gathered(rig->pt, gather);
	phyr_gather_init(gather);
	rig->syncs++;
}

struct phyr_pgtbl_idle rig_idle(struct rig *rig)
{
	rig->nr_seen = 0;
	rig->synced_start = UINT64_MAX;
	rig->synced_last = 0;
	return (struct phyr_pgtbl_idle){idle_sync, rig};
}

bool rig_saw(const struct rig *rig, uint64_t iova, uint64_t size, uint64_t entry_size)
{
	size_t low = 0, high = rig->nr_seen;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (rig->seen[mid].iova < iova)
			low = mid + 1;
		else
			high = mid;
	}
	for (; low < rig->nr_seen && rig->seen[low].iova - iova < size; low++) {
		const struct rig_seen *seen = &rig->seen[low];

		if (seen->size < size && (!rig->c->config.bbm || seen->entry_size < entry_size))
			return true;
	}
	return false;
}

uint64_t *rig_entry(const struct rig *rig, uint64_t table, unsigned index)
{
	return (uint64_t *)(uintptr_t)(table - rig->t.env.phys_delta) + index;
}

/* Where software's own bits may lie, as hardware ignores them: they need not be written back. */
static uint64_t ignored(const struct pgtbl_case *c)
{
	switch (c->config.format) {
	case PHYR_PGTBL_AMDV1:
		return 0x1e;
	case PHYR_PGTBL_RISCV64:
		return 0x300;
	case PHYR_PGTBL_ARM64_S1:
	case PHYR_PGTBL_ARM64_S2:
		return UINT64_C(15) << 55;
	default:
		return UINT64_C(0x7f) << 52;
	}
}

struct look {
	struct rig *rig;
	uint64_t tables;
	uint64_t last; /* the table looked at last */
};

static void compare_shadow(const struct look *l, uint64_t table)
{
	const uint64_t *real = rig_entry(l->rig, table, 0),
		       *seen = real + rig_table_size(l->rig) / 8;
	uint64_t but = ignored(l->rig->c);

	for (unsigned i = 0; i < rig_table_size(l->rig) / 8; i++)
		if ((real[i] ^ seen[i]) & ~but)
			fail_msg("%s: entry %u is %016llx, but %016llx for the walker",
				 l->rig->c->name, i, (unsigned long long)real[i],
				 (unsigned long long)seen[i]);
}

static int look_at(void *arg, const struct phyr_pgtbl_entry *entry)
{
	struct look *l = arg;

	l->tables += !entry->leaf;
	if (l->rig->c->config.noncoherent && entry->table != l->last)
		compare_shadow(l, entry->table);
	l->last = entry->table;
	return 0;
}

uint64_t rig_check_tables(struct rig *rig, uint64_t start, uint64_t last)
{
	struct look l = {.rig = rig, .tables = 1};

	assert_int_equal(phyr_pgtbl_walk(rig->pt, start, max_u64(last - start + 1, last - start),
					 look_at, &l),
			 0);
	return l.tables;
}

static int keep_leaf(void *arg, const struct phyr_pgtbl_entry *entry)
{
	*(struct phyr_pgtbl_entry *)arg = *entry;
	return entry->leaf;
}

/* The leaf that iova is in, as its entry there shows it. */
static struct phyr_pgtbl_entry leaf_of(const struct rig *rig, uint64_t iova)
{
	struct phyr_pgtbl_entry e = {0};

	assert_int_equal(phyr_pgtbl_walk(rig->pt, iova, 1, keep_leaf, &e), 1);
	return e;
}

/* An entry of that leaf, by its number. */
static uint64_t *part_of(const struct rig *rig, const struct phyr_pgtbl_entry *e, uint64_t i)
{
	uint64_t n = e->leaf_size / e->size;

	return rig_entry(rig, e->table, (unsigned)((e->index & ~(n - 1)) + i % n));
}

void rig_write(struct rig *rig, uint64_t iova, uint64_t turn)
{
	struct phyr_pgtbl_entry e = leaf_of(rig, iova);

	assert_true(e.prot & PHYR_WRITE);
	case_set_dirty(rig->c, part_of(rig, &e, turn));
}

bool rig_is_dirty(const struct rig *rig, uint64_t iova)
{
	struct phyr_pgtbl_entry e = leaf_of(rig, iova);

	for (uint64_t i = 0; i < e.leaf_size / e.size; i++)
		if (case_is_dirty(rig->c, *part_of(rig, &e, i)))
			return true;
	return false;
}
