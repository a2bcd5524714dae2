/* SPDX-License-Identifier: MIT */
/*
 * Mapping: one descent, then sideways.
 *
 * One run in one leaf table that is there is map_one(): straight down, and its entries. All else is
 * a mapper, which takes runs and spans from a copy of the cursor and cuts them at the edges of
 * tables:
 *
 *   runs      ├──────┤├──────────────────────────────┤├─┤├─┤
 *   leaves    [4K][4K][   2M   ][   2M   ][4K][4K][4K][4K][4K]      a piece: leaves of one size in
 *   pieces    └─1────┘└────────2─────────┘└───3──────┘└─4────┘      one table, filled in one go
 *
 * It stops at the first entry that is not empty, or without memory; what it has written by then
 * ends at walk.iova, and the caller takes it back.
 */
#ifndef PGTBL_MAP_H
#define PGTBL_MAP_H

#include "pgtbl/walk.h"

struct pgtbl_mapper {
	struct phyr_pgtbl *pt;
	struct pgtbl_walk walk;
	struct pgtbl_dirty dirty;
	struct phyr_cursor cur; /* the copy: the caller's moves on success only */
	struct phyr_gather *gather;
	uint64_t flags;        /* of every leaf */
	uint64_t offset;       /* that the next run must have in its granule */
	uint64_t entries;      /* leaves written */
	uint64_t *written;     /* the last of them; NULL: none */
	struct phyr_range run; /* what is being mapped, and its number, for reports */
	uint64_t index;
};

/* Report what is wrong with the current run, and return err. */
int phyr_pgtbl_map_fail(const struct pgtbl_mapper *m, int err, const char *hint);
/* The same for errors that the walk finds: hints by errno. */
int phyr_pgtbl_map_stopped(const struct pgtbl_mapper *m, int err);
/* Check the whole request before anything is written. 0, -EINVAL or -ERANGE. */
int phyr_pgtbl_map_check(struct pgtbl_mapper *m, uint64_t iova, unsigned prot);
/* Check the current run. 0, -EINVAL or -ERANGE. */
int phyr_pgtbl_map_check_run(struct pgtbl_mapper *m);

/* How many entries a run takes in its leaf table; 0: it takes all of one, or of several, or cannot be. */
PGTBL_INLINE unsigned map_fits_table(const struct phyr_pgtbl *pt, uint64_t iova,
				     const struct phyr_range *r)
{
	const uint64_t page = desc_size(0) - 1;
	uint64_t last = r->addr + (r->len - 1);
	uint64_t n = (((iova & page) + (r->len - 1)) >> desc_shift(0)) + 1;

	if ((r->addr ^ iova) & page || last < r->addr || (last | page) > pt->oa_last)
		return 0;
	if (n == PGTBL_ENTRIES || desc_index(iova, 0) + n > PGTBL_ENTRIES)
		return 0;
	return (unsigned)n;
}

/* Map a run of n pages under tables that are there; false: something is in the way, nothing done. */
PGTBL_INLINE bool map_in_table(const struct pgtbl_desc *d, struct phyr_pgtbl *pt, uint64_t iova,
			       uint64_t value, unsigned n)
{
	struct pgtbl_place at = lookup(d, pt, iova, d->unsynced);

	if (at.level || at.e)
		return false;
	if (n > 1) {
		unsigned done = fill_run(pt->wide, at.entry, n, value, desc_size(0));

		if (unlikely(done < n)) {
			fill_zero(pt->wide, at.entry, done);
			return false;
		}
		store_relaxed(at.entry + n - 1, (value + (n - 1) * desc_size(0)) | d->last);
	}
	store_relaxed(at.entry, value | d->first | (n > 1 ? 0 : d->last));
	pgtbl_flush(pt, at.entry, n);
	return true;
}

/* Map a single run if that is simple; false: nothing was done, let the mapper see to it. */
PGTBL_INLINE bool map_one(const struct pgtbl_desc *d, struct phyr_pgtbl *pt, uint64_t iova,
			  struct phyr_cursor *cur, unsigned prot, struct phyr_gather *gather)
{
	const uint64_t page = desc_size(0) - 1;
	struct phyr_cursor was;
	struct phyr_range r;
	unsigned n;

	if (cur->left - 1 >= desc_size(1) || !desc_prot_ok(prot) || iova > pt->last ||
	    pt->granule != desc_size(0))
		return false;
	was = *cur;
	if (phyr_cursor_next(cur, &r) && !cur->left) {
		n = map_fits_table(pt, iova, &r);
		if (n &&
		    map_in_table(d, pt, iova, (r.addr & ~page) | desc_leaf_flags(d, prot), n)) {
			gather->entries += n;
			return true;
		}
	}
	*cur = was;
	return false;
}

/*
 * Have the walk's lowest table be the one at level, made where it is missing. It never is below that:
 * where a larger leaf can begin, advancing has climbed out of the tables under it.
 */
PGTBL_INLINE int map_walk_to(const struct pgtbl_desc *d, struct pgtbl_mapper *m, unsigned level)
{
	struct pgtbl_walk *w = &m->walk;

	while (w->low > level) {
		uint64_t *entry = walk_entry(w);
		uint64_t e = load_acquire(entry);

		if (unlikely((e & (d->table_mask | d->unsynced)) != d->table_match)) {
			e = phyr_pgtbl_table_install(m->pt, entry, d->table, d->unsynced);
			if (!e)
				return -ENOMEM;
			if (!desc_is_table(d, e))
				return -EEXIST;
		}
		walk_down(w, desc_table(d, m->pt, e));
	}
	return 0;
}

/* A piece was written: n entries from p on, at the walk's lowest level. */
PGTBL_INLINE void map_written(const struct pgtbl_desc *d, struct pgtbl_mapper *m, uint64_t *p,
			      unsigned n)
{
	if (!n)
		return;
	if (!m->written)
		store_relaxed(p, load_relaxed(p) | d->first);
	m->written = p + n - 1;
	m->entries += n;
	pgtbl_dirty_add(m->pt, &m->dirty, p, n);
	walk_advance(&m->walk, (uint64_t)n << desc_shift(m->walk.low));
}

/*
 * Clear the way for a large leaf at the walk's place. A table may be in it, left empty by unmaps of
 * less than its span; it goes to the gather, with its iova, since walkers may have cached the way
 * to it. All of its span is ours to map: any leaf in it is a clash.
 */
PGTBL_INLINE int map_replace(const struct pgtbl_desc *d, struct pgtbl_mapper *m, uint64_t iova,
			     uint64_t e)
{
	uint64_t last = iova + desc_size(m->walk.low) - 1;
	struct pgtbl_walk below = m->walk;

	below.iova = iova;
	if (!desc_is_table(d, e) || walk_to_leaf(d, m->pt, &below, last))
		return -EEXIST;
	chain_push(d, m->pt, &m->gather->tables, desc_table(d, m->pt, e), m->walk.low - 1);
	pgtbl_gather_add(m->gather, iova, last);
	return 0;
}

/* n leaves above level 0, from p on. Returns how many were written. */
PGTBL_INLINE unsigned map_large(const struct pgtbl_desc *d, struct pgtbl_mapper *m, uint64_t *p,
				unsigned n, uint64_t addr)
{
	const uint64_t size = desc_size(m->walk.low);

	for (unsigned i = 0; i < n; i++) {
		uint64_t e = load_relaxed(p + i);

		if (unlikely(e) && map_replace(d, m, m->walk.iova + i * size, e))
			return i;
		store_relaxed(p + i, (addr + i * size) | m->flags | d->large);
	}
	return n;
}

/* The level of the largest leaf that can begin here. */
PGTBL_INLINE unsigned map_leaf_level(const struct pgtbl_desc *d, const struct phyr_pgtbl *pt,
				     uint64_t bits, uint64_t len)
{
	unsigned level = d->max_leaf_level;

	if (likely(len < desc_size(1)))
		return 0;
	for (; level; level--) {
		uint64_t size = desc_size(level);

		if (pt->leaf_sizes & size && !(bits & (size - 1)) && len >= size)
			break;
	}
	return level;
}

/* Map the part of a run that fits one table in leaves of one size. Returns the bytes; 0: *err. */
PGTBL_INLINE uint64_t map_piece(const struct pgtbl_desc *d, struct pgtbl_mapper *m, uint64_t addr,
				uint64_t len, int *err)
{
	unsigned level = map_leaf_level(d, m->pt, m->walk.iova | addr, len), room, n, done;
	uint64_t *p;

	*err = map_walk_to(d, m, level);
	if (unlikely(*err))
		return 0;
	p = walk_entry(&m->walk);
	room = (unsigned)PGTBL_ENTRIES - desc_index(m->walk.iova, level);
	n = (unsigned)min_u64(len >> desc_shift(level), room);
	if (level)
		done = map_large(d, m, p, n, addr);
	else
		done = fill_run(m->pt->wide, p, n, addr | m->flags, desc_size(0));
	map_written(d, m, p, done);
	*err = done < n ? -EEXIST : 0;
	return (uint64_t)n << desc_shift(level);
}

PGTBL_INLINE int map_run(const struct pgtbl_desc *d, struct pgtbl_mapper *m)
{
	const uint64_t mask = m->pt->granule - 1;
	uint64_t addr, len, done;
	int err = phyr_pgtbl_map_check_run(m);

	if (unlikely(err))
		return err;
	addr = m->run.addr & ~mask;
	len = ((m->run.addr + (m->run.len - 1)) | mask) - addr + 1;
	for (; len; addr += done, len -= done) {
		done = map_piece(d, m, addr, len, &err);
		if (unlikely(err))
			return phyr_pgtbl_map_stopped(m, err);
	}
	return 0;
}

/* Words of a span that could not be mapped: the report is about the first. */
PGTBL_INLINE int map_span_fail(struct pgtbl_mapper *m, const uint64_t *words, unsigned done,
			       int err)
{
	m->run.addr = words[done];
	m->run.len = desc_size(0);
	m->index += done;
	if (err || words[done] <= m->pt->oa_last)
		return phyr_pgtbl_map_stopped(m, err ? err : -EEXIST);
	return phyr_pgtbl_map_stopped(m, -ERANGE);
}

/* Map single pages as long as they come: a table's worth at a time, straight from the list's words. */
PGTBL_INLINE int map_spans(const struct pgtbl_desc *d, struct pgtbl_mapper *m)
{
	for (;;) {
		unsigned room = (unsigned)PGTBL_ENTRIES - desc_index(m->walk.iova, 0), n, done;
		const uint64_t *words;
		uint64_t *p;
		int err;

		n = (unsigned)phyr_cursor_span(&m->cur, room, &words);
		if (!n)
			return 0;
		err = map_walk_to(d, m, 0);
		if (unlikely(err))
			return map_span_fail(m, words, 0, err);
		p = walk_entry(&m->walk);
		done = fill_words(m->pt->wide, p, words, n, m->flags, ~m->pt->oa_last);
		map_written(d, m, p, done);
		if (unlikely(done < n))
			return map_span_fail(m, words, done, 0);
		m->index += n;
	}
}

PGTBL_INLINE void map_start(struct pgtbl_mapper *m, struct phyr_pgtbl *pt,
			    const struct phyr_cursor *cur, struct phyr_gather *gather)
{
	m->pt = pt;
	m->dirty.start = NULL;
	m->dirty.end = NULL;
	m->cur = *cur;
	m->gather = gather;
	m->offset = 0;
	m->entries = 0;
	m->written = NULL;
	m->run = (struct phyr_range){0, 0};
	m->index = 0;
}

/* Single pages come in flocks: after one, spans are worth a try. */
PGTBL_INLINE int map_all(const struct pgtbl_desc *d, struct pgtbl_mapper *m, uint64_t iova,
			 unsigned prot)
{
	int err = phyr_pgtbl_map_check(m, iova, prot);

	if (unlikely(err))
		return err;
	m->flags = desc_leaf_flags(d, prot);
	m->offset = iova & (m->pt->granule - 1);
	walk_start(&m->walk, m->pt, iova - m->offset);
	while (!err && phyr_cursor_next(&m->cur, &m->run)) {
		err = map_run(d, m);
		m->index++;
		if (!err && m->run.len == desc_size(0) && m->pt->granule == desc_size(0))
			err = map_spans(d, m);
	}
	return err;
}

/* All is mapped: mark the end, and let the caller know. */
PGTBL_INLINE void map_commit(const struct pgtbl_desc *d, struct pgtbl_mapper *m,
			     struct phyr_cursor *cur)
{
	store_relaxed(m->written, load_relaxed(m->written) | d->last);
	pgtbl_dirty_flush(m->pt, &m->dirty);
	m->gather->entries += m->entries;
	*cur = m->cur;
}

#endif
