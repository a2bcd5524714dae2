/* SPDX-License-Identifier: MIT */
/* The tests' own page walker. */
#include "pgtbl/walker.h"

#include <stdio.h>
#include <stdlib.h>

/* An entry taken apart. */
struct parts {
	bool present;
	bool leaf;
	bool read, write;
	uint64_t addr;
};

static void need(bool ok, const char *what, uint64_t e, unsigned level)
{
	if (ok)
		return;
	fprintf(stderr, "walker: %s: entry %016llx, level %u\n", what, (unsigned long long)e,
		level);
	abort();
}

static uint64_t bits(uint64_t e, unsigned high, unsigned low)
{
	return e << (63 - high) >> (63 - high + low);
}

/* VT-d 4.x, 9.8: SS-PTE at level 0, SS-PDE and SS-PDPTE at 1 and 2, SS-PML4E at 3. */
static struct parts second_stage(const struct walker *w, uint64_t e, unsigned level)
{
	struct parts p = {.present = e & 3, .read = e & 1, .write = e & 2};

	if (!p.present)
		return p;
	p.leaf = !level || bits(e, 7, 7);
	p.addr = bits(e, 51, 12) << 12;
	need(!bits(e, 62, 62), "bit 62 is reserved", e, level);
	need(!(p.addr >> w->width), "address past the host's width", e, level);
	need(level < 3 || !p.leaf, "no leaf in the top table", e, level);
	need(!level || !p.leaf || !bits(e, 11 + 9 * level, 12), "address inside a leaf", e, level);
	need(p.leaf || !bits(e, 6, 3), "memory type in a table's entry", e, level);
	return p;
}

/* SDM 3A, 4.5, tables 4-15 to 4-20. */
static struct parts long_mode(const struct walker *w, uint64_t e, unsigned level)
{
	struct parts p = {.present = bits(e, 0, 0), .write = bits(e, 1, 1)};

	if (!p.present)
		return p;
	need(bits(e, 2, 2), "a supervisor's page", e, level);
	p.read = true;
	p.leaf = !level || bits(e, 7, 7);
	p.addr = bits(e, 51, 12) << 12;
	need(level || !bits(e, 7, 7), "PAT is not expected", e, level);
	need(!(p.addr >> w->width), "address past the machine's width", e, level);
	need(level < 3 || !p.leaf, "PS in a PML4E is reserved", e, level);
	need(!level || !p.leaf || !bits(e, 11 + 9 * level, 12), "address inside a leaf", e, level);
	need(!bits(e, 63, 63) && !bits(e, 62, 59), "XD or a key", e, level);
	need(!(p.leaf && bits(e, 6, 6) && !p.write), "a shadow stack", e, level);
	return p;
}

static struct parts take_apart(const struct walker *w, uint64_t e, unsigned level)
{
	if (w->format == PHYR_PGTBL_VTDSS)
		return second_stage(w, e, level);
	return long_mode(w, e, level);
}

static const uint64_t *plain_to_cpu(void *arg, uint64_t phys)
{
	struct phyr_env *env = arg;

	return (const uint64_t *)(uintptr_t)(phys - env->phys_delta);
}

void walker_init(struct walker *w, struct phyr_env *env, enum phyr_pgtbl_format format,
		 const struct phyr_pgtbl *pt)
{
	*w = (struct walker){.format = format,
			     .levels = phyr_pgtbl_levels(pt),
			     .width = 52,
			     .root = phyr_pgtbl_root(pt),
			     .to_cpu = plain_to_cpu,
			     .arg = env};
}

static uint64_t load(const uint64_t *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static void fill_leaf(struct leaf *leaf, const struct parts *p, uint64_t e, uint64_t iova,
		      unsigned level, bool read, bool write)
{
	uint64_t size = (uint64_t)4096 << (9 * level);

	leaf->iova = iova / size * size;
	leaf->addr = p->addr;
	leaf->size = size;
	leaf->entry = e;
	leaf->prot = (read ? PHYR_READ : 0) | (write ? PHYR_WRITE : 0);
}

bool walker_find(const struct walker *w, uint64_t iova, struct leaf *leaf)
{
	uint64_t phys = w->root;
	bool read = true, write = true;

	for (unsigned level = w->levels - 1;; level--) {
		uint64_t e = load(&w->to_cpu(w->arg, phys)[(iova >> (12 + 9 * level)) % 512]);
		struct parts p = take_apart(w, e, level);

		if (!p.present)
			return false;
		read = read && p.read;
		write = write && p.write;
		if (p.leaf) {
			fill_leaf(leaf, &p, e, iova, level, read, write);
			return true;
		}
		phys = p.addr;
	}
}

struct all {
	const struct walker *w;
	void (*table)(void *arg, uint64_t phys, unsigned level);
	void (*leaf)(void *arg, const struct leaf *leaf);
	void *arg;
};

static void all_below(const struct all *a, uint64_t phys, unsigned level, uint64_t iova)
{
	const uint64_t *table = a->w->to_cpu(a->w->arg, phys);

	if (a->table)
		a->table(a->arg, phys, level);
	for (unsigned i = 0; i < 512; i++) {
		uint64_t e = load(&table[i]), at = iova + ((uint64_t)i << (12 + 9 * level));
		struct parts p = take_apart(a->w, e, level);
		struct leaf leaf;

		need(p.present || !e, "an empty entry that is not 0", e, level);
		if (p.present && !p.leaf) {
			all_below(a, p.addr, level - 1, at);
		} else if (p.present && a->leaf) {
			fill_leaf(&leaf, &p, e, at, level, p.read, p.write);
			a->leaf(a->arg, &leaf);
		}
	}
}

void walker_all(const struct walker *w, void (*table)(void *arg, uint64_t phys, unsigned level),
		void (*leaf)(void *arg, const struct leaf *leaf), void *arg)
{
	struct all a = {w, table, leaf, arg};

	all_below(&a, w->root, w->levels - 1, 0);
}

struct dump {
	struct leaf *leaves;
	size_t nr, room;
};

static void dump_leaf(void *arg, const struct leaf *leaf)
{
	struct dump *d = arg;

	if (d->nr == d->room) {
		d->room = d->room ? 2 * d->room : 64;
		d->leaves = realloc(d->leaves, d->room * sizeof(*leaf));
		if (!d->leaves)
			abort();
	}
	d->leaves[d->nr++] = *leaf;
}

struct leaf *walker_dump(const struct walker *w, size_t *nr)
{
	struct dump d = {NULL, 0, 0};

	walker_all(w, NULL, dump_leaf, &d);
	*nr = d.nr;
	return d.leaves;
}

static void count_table(void *arg, uint64_t phys, unsigned level)
{
	++*(uint64_t *)arg;
}

uint64_t walker_tables(const struct walker *w)
{
	uint64_t nr = 0;

	walker_all(w, count_table, NULL, &nr);
	return nr;
}
