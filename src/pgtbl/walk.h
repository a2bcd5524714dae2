/* SPDX-License-Identifier: MIT */
/*
 * Going through a table: straight down to one entry, or down once and then sideways.
 *
 *   lookup()            one iova to the entry that decides about it; each level's shift a constant
 *   struct pgtbl_walk   a place that moves upwards in iova and keeps the tables above it:
 *
 *        top   [ . . x . . . ]                       advancing climbs only as far as the
 *                    |                               table that both places share; going
 *              [ . . . . . x ] - - - > [ x . . . ]   down again reads one entry a level
 *                          |             |
 *        0                 [ ...... x ]  [ x ...... ]
 */
#ifndef PGTBL_WALK_H
#define PGTBL_WALK_H

#include "pgtbl/fill.h"

/* Where a lookup stopped: at a leaf, or where nothing is. */
struct pgtbl_place {
	uint64_t *table;
	uint64_t *entry;
	uint64_t e; /* what it held */
	unsigned level;
};

/*
 * Where a walk to iova begins, and that table's level: at the top, or, where entries can skip levels, in
 * the table that the top's entry 0 leads to, if that reaches so far. Not there if the entry has a bit of
 * unless.
 */
PGTBL_INLINE uint64_t *low_table(const struct pgtbl_desc *d, const struct phyr_pgtbl *pt,
				 uint64_t iova, uint64_t unless, unsigned *top)
{
	uint64_t e;

	*top = pt->top;
	if (!d->grown)
		return pt->root;
	e = load_acquire(pt->root);
	if (desc_next(d, e) - 1 >= pt->top || e & unless || iova >> desc_shift(d, desc_next(d, e)))
		return pt->root;
	*top = desc_next(d, e) - 1;
	return desc_table(d, pt, e);
}

/* One level of a lookup; whether it goes on below. */
PGTBL_INLINE bool lookup_level(const struct pgtbl_desc *d, const struct phyr_pgtbl *pt,
			       uint64_t iova, unsigned level, unsigned top, uint64_t unless,
			       struct pgtbl_place *at)
{
	if (level >= d->max_levels || (level >= d->min_levels && level > top))
		return true;
	at->level = level;
	at->entry = &at->table[desc_index(d, iova, level)];
	at->e = load_acquire(at->entry);
	if (!level || (at->e & (d->table_mask | unless)) != desc_table_match(d, level)) {
		if (level && desc_skips(d, at->e, level))
			at->e = 0; /* to iova below this one only */
		return false;
	}
	at->table = desc_table(d, pt, at->e);
	return true;
}

/* Find the entry that decides about iova, or the first one above it that has a bit of unless. */
PGTBL_INLINE struct pgtbl_place lookup(const struct pgtbl_desc *d, const struct phyr_pgtbl *pt,
				       uint64_t iova, uint64_t unless)
{
	unsigned top;
	struct pgtbl_place at = {.table = low_table(d, pt, iova, unless, &top)};

	_Static_assert(PGTBL_MAX_LEVELS == 6, "a line a level below");
	(void)(lookup_level(d, pt, iova, 5, top, unless, &at) &&
	       lookup_level(d, pt, iova, 4, top, unless, &at) &&
	       lookup_level(d, pt, iova, 3, top, unless, &at) &&
	       lookup_level(d, pt, iova, 2, top, unless, &at) &&
	       lookup_level(d, pt, iova, 1, top, unless, &at) &&
	       lookup_level(d, pt, iova, 0, top, unless, &at));
	return at;
}

/* A place: table[low] to table[top] are the tables on the way to iova. */
struct pgtbl_walk {
	uint64_t iova;
	unsigned low;
	unsigned top;
	uint64_t *table[PGTBL_MAX_LEVELS];
};

/* Begin at the top. */
PGTBL_INLINE void walk_start_top(struct pgtbl_walk *w, const struct phyr_pgtbl *pt, uint64_t iova)
{
	w->iova = iova;
	w->low = pt->top;
	w->top = pt->top;
	w->table[pt->top] = pt->root;
}

/* A walk that starts at iova in a table at a level, and stays below. */
PGTBL_INLINE void walk_from(struct pgtbl_walk *w, uint64_t *table, unsigned level, uint64_t iova)
{
	w->iova = iova;
	w->low = level;
	w->top = level;
	w->table[level] = table;
}

/* Begin as low as can be: advancing goes on from the top where that table ends. */
PGTBL_INLINE void walk_start(const struct pgtbl_desc *d, struct pgtbl_walk *w,
			     const struct phyr_pgtbl *pt, uint64_t iova)
{
	unsigned top;
	uint64_t *table = low_table(d, pt, iova, 0, &top);

	w->iova = iova;
	w->low = top;
	w->top = top;
	w->table[top] = table;
}

/* The entry for iova in the lowest table known. */
PGTBL_INLINE uint64_t *walk_entry(const struct pgtbl_desc *d, const struct pgtbl_walk *w)
{
	return &w->table[w->low][desc_index(d, w->iova, w->low)];
}

PGTBL_INLINE void walk_down(struct pgtbl_walk *w, uint64_t *table)
{
	w->table[--w->low] = table;
}

/* Go up in iova; tables that do not reach so far are left. */
PGTBL_INLINE void walk_advance(const struct pgtbl_desc *d, const struct phyr_pgtbl *pt,
			       struct pgtbl_walk *w, uint64_t bytes)
{
	uint64_t was = w->iova;

	w->iova += bytes;
	if (d->grown && w->top < pt->top && (was ^ w->iova) >> desc_shift(d, w->top + 1)) {
		walk_start_top(w, pt, w->iova);
		return;
	}
	while (w->low < w->top && (was ^ w->iova) >> desc_shift(d, w->low + 1))
		w->low++;
}

/* Bytes from iova to the end of the entry it is in, at the lowest level known. */
PGTBL_INLINE uint64_t walk_rest(const struct pgtbl_desc *d, const struct pgtbl_walk *w)
{
	uint64_t size = desc_size(d, w->low);

	return size - (w->iova & (size - 1));
}

/* Whether [iova, last] has all that the entry decides about. */
PGTBL_INLINE bool walk_covers(const struct pgtbl_desc *d, const struct pgtbl_walk *w, uint64_t last)
{
	uint64_t size = desc_size(d, w->low);

	return !(w->iova & (size - 1)) && last - w->iova >= size - 1;
}

/*
 * Whether [start, last] has all that the top table's entry 0 decides about, which is cut off only then:
 * where it skips levels, walkers that have cached it find nothing in all of the rest, either.
 */
PGTBL_INLINE bool low_is_covered(const struct pgtbl_desc *d, const struct phyr_pgtbl *pt,
				 uint64_t start, uint64_t last)
{
	return d->grown && !start && last >= desc_size(d, pt->top) - 1;
}

/* What the walk's entry holds; 0 where it skips levels: that is not for walks which are above them. */
PGTBL_INLINE uint64_t walk_load(const struct pgtbl_desc *d, const struct pgtbl_walk *w)
{
	uint64_t e = load_acquire(walk_entry(d, w));

	return w->low && desc_skips(d, e, w->low) ? 0 : e;
}

/* Find the first leaf at or above iova, up to last. Returns its entry; 0: there is none. */
PGTBL_INLINE uint64_t walk_to_leaf(const struct pgtbl_desc *d, const struct phyr_pgtbl *pt,
				   struct pgtbl_walk *w, uint64_t last)
{
	for (;;) {
		uint64_t e = walk_load(d, w);

		if (w->low && desc_is_table(d, e, w->low)) {
			walk_down(w, desc_table(d, pt, e));
			continue;
		}
		if (e)
			return e;
		if (last - w->iova < walk_rest(d, w))
			return 0;
		walk_advance(d, pt, w, walk_rest(d, w));
	}
}

/* Put a table on a chain of links, and whatever its first entry leads to, which the link replaces. */
PGTBL_INLINE void chain_push(const struct pgtbl_desc *d, const struct phyr_pgtbl *pt,
			     uint64_t *chain, uint64_t *table, unsigned level)
{
	for (;;) {
		uint64_t e = load_acquire(table);

		store_relaxed(table, *chain);
		*chain = pgtbl_link(table, level);
		if (!level || !desc_leads(d, e, level))
			return;
		table = desc_table(d, pt, e);
		level = desc_table_level(d, e, level);
	}
}

/* The same for a table that walkers may go on using: nothing that they look at changes. */
PGTBL_INLINE void chain_push_intact(const struct pgtbl_desc *d, uint64_t *chain, uint64_t *table,
				    unsigned level)
{
	for (unsigned i = 0; i < 64; i++)
		if (*chain >> i & 1)
			fetch_or(table + i, d->first);
		else
			fetch_and(table + i, ~d->first);
	*chain = pgtbl_link(table, level) | PGTBL_LINK_INTACT;
}

/* What a link's table has for a link. */
PGTBL_INLINE uint64_t chain_next(const struct pgtbl_desc *d, uint64_t link)
{
	const uint64_t *table = pgtbl_link_table(link);
	uint64_t next = 0;

	if (!(link & PGTBL_LINK_INTACT))
		return load_relaxed(table);
	for (unsigned i = 0; i < 64; i++)
		next |= (uint64_t) !!(load_relaxed(table + i) & d->first) << i;
	return next;
}

#endif
