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
 * A leaf's size says all about it: its level, how many entries it takes there, and their code.
 *
 * It stops at the first entry that is not empty, or without memory; what it has written by then
 * ends at walk.iova, and the caller takes it back.
 */
#ifndef PGTBL_MAP_H
#define PGTBL_MAP_H

#include "list/peek.h"
#include "pgtbl/bulk.h"
#include "pgtbl/walk.h"

struct pgtbl_mapper {
	struct phyr_pgtbl *pt;
	struct pgtbl_walk walk;
	struct pgtbl_dirty dirty;
	struct phyr_cursor cur; /* the copy: the caller's moves on success only */
	const struct phyr_cursor *from;
	uint64_t start; /* iova of its first byte */
	struct phyr_gather *gather;
	uint64_t flags;        /* of every leaf */
	uint64_t offset;       /* that the next run must have in its granule */
	uint64_t entries;      /* leaves written */
	uint64_t *written;     /* the last of them; NULL: none */
	struct phyr_range run; /* what is being mapped, if it is done run by run */
};

/* Report what is wrong with the run that the walk has come to, and return err. */
int phyr_pgtbl_map_fail(const struct pgtbl_mapper *m, int err, const char *hint);
/* The same for errors that the walk finds, at its place: hints by errno. */
int phyr_pgtbl_map_stopped(const struct pgtbl_mapper *m, int err);
/* Check the whole request before anything is written. 0, -EINVAL or -ERANGE. */
int phyr_pgtbl_map_check(struct pgtbl_mapper *m, uint64_t iova, unsigned prot);
/* Check the current run. 0, -EINVAL or -ERANGE. */
int phyr_pgtbl_map_check_run(struct pgtbl_mapper *m);

/*
 * How many entries a run takes in its leaf table, one a leaf; 0: it goes past that table, has room for a
 * larger leaf, or cannot be.
 */
PGTBL_INLINE unsigned map_fits_table(const struct pgtbl_desc *d, const struct phyr_pgtbl *pt,
				     uint64_t iova, const struct phyr_range *r)
{
	const uint64_t page = desc_size(d, 0) - 1;
	uint64_t last = r->addr + (r->len - 1);
	uint64_t n = (((iova & page) + (r->len - 1)) >> desc_shift(d, 0)) + 1;

	if ((r->addr ^ iova) & page || last < r->addr || (last | page) > pt->oa_last)
		return 0;
	if (n << desc_shift(d, 0) >= pt->larger || desc_index(d, iova, 0) + n > desc_entries(d))
		return 0;
	if (d->fold_from && (r->addr ^ last) >> d->fold_from)
		return 0;
	return (unsigned)n;
}

/* Map a run of n pages under tables that are there; false: something is in the way, nothing done. */
PGTBL_INLINE bool map_in_table(const struct pgtbl_desc *d, struct phyr_pgtbl *pt, uint64_t iova,
			       uint64_t value, unsigned n)
{
	const uint64_t step = desc_step(d, 0);
	struct pgtbl_place at = lookup(d, pt, iova, d->unsynced | d->grown);

	if (at.level || at.e)
		return false;
	if (n > 1) {
		unsigned done = fill_run(pt->wide, at.entry, n, value, step);

		if (unlikely(done < n)) {
			fill_zero(pt->wide, at.entry, done);
			return false;
		}
		store_relaxed(at.entry + n - 1, (value + (n - 1) * step) | d->last);
	}
	store_relaxed(at.entry, value | d->first | (n > 1 ? 0 : d->last));
	pgtbl_flush(pt, at.entry, n);
	return true;
}

/* Map a single run if that is simple; false: nothing was done, let the mapper see to it. */
PGTBL_INLINE bool map_one(const struct pgtbl_desc *d, struct phyr_pgtbl *pt, uint64_t iova,
			  struct phyr_cursor *cur, unsigned prot, struct phyr_gather *gather)
{
	const uint64_t page = desc_size(d, 0) - 1;
	struct phyr_cursor was;
	struct phyr_range r;
	unsigned n;

	if (cur->left - 1 >= desc_size(d, 1) || !desc_prot_ok(prot) || iova > pt->last ||
	    pt->granule != desc_size(d, 0))
		return false;
	was = *cur;
	if (phyr_cursor_next(cur, &r) && !cur->left) {
		uint64_t value = desc_encode(d, r.addr & ~page) | d->page | pt->leaf_flags[prot];

		n = map_fits_table(d, pt, iova, &r);
		if (n && map_in_table(d, pt, iova, value, n)) {
			gather->entries += n;
			return true;
		}
	}
	*cur = was;
	return false;
}

/* Have an entry above level 0 lead to a table. */
PGTBL_INLINE int map_table(const struct pgtbl_desc *d, struct pgtbl_mapper *m, uint64_t *entry,
			   uint64_t *e)
{
	unsigned level = m->walk.low;

	if (!*e)
		*e = phyr_pgtbl_table_install(m->pt, entry, desc_table_flags(d, level),
					      d->unsynced);
	if (!*e)
		return -ENOMEM;
	if (!desc_is_table(d, *e, level))
		return -EEXIST;
	if (*e & d->unsynced)
		*e = phyr_pgtbl_table_settle(m->pt, entry, *e, d->unsynced);
	return 0;
}

/* Whether the walk is at the top table's entry 0. */
PGTBL_INLINE bool map_is_low(const struct pgtbl_desc *d, const struct pgtbl_mapper *m)
{
	const struct pgtbl_walk *w = &m->walk;

	return w->table[w->low] == m->pt->root && !(w->iova >> desc_shift(d, m->pt->top));
}

/* Go down from there, past levels that are skipped, to a table for iova that is at level or above. */
PGTBL_INLINE int map_low(const struct pgtbl_desc *d, struct pgtbl_mapper *m, unsigned level)
{
	uint64_t e;
	int err;

	while (m->walk.iova >> desc_shift(d, level + 1))
		level++;
	err = phyr_pgtbl_low_make(m->pt, level, m->gather, &e);
	if (!err)
		walk_from(&m->walk, desc_table(d, m->pt, e), desc_next(d, e) - 1, m->walk.iova);
	return err;
}

/*
 * Have the walk's lowest table be the one at level, made where it is missing. It never is below that:
 * where a larger leaf can begin, advancing has climbed out of the tables under it.
 */
PGTBL_INLINE int map_walk_to(const struct pgtbl_desc *d, struct pgtbl_mapper *m, unsigned level)
{
	struct pgtbl_walk *w = &m->walk;

	if (d->grown && w->low > level && map_is_low(d, m)) {
		int err = map_low(d, m, level);

		if (unlikely(err))
			return err;
	}
	while (w->low > level) {
		uint64_t *entry = walk_entry(d, w);
		uint64_t e = load_acquire(entry);

		if (unlikely((e & (d->table_mask | d->unsynced)) != desc_table_match(d, w->low))) {
			int err = map_table(d, m, entry, &e);

			if (err)
				return err;
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
	walk_advance(d, m->pt, &m->walk, (uint64_t)n << desc_shift(d, m->walk.low));
}

/*
 * Clear the way for a large leaf at the walk's place. A table may be in it, left empty by unmaps of
 * less than its span; it goes to the gather, with its iova, since walkers may have cached the way
 * to it. All of its span is ours to map: any leaf in it is a clash.
 */
PGTBL_INLINE int map_replace(const struct pgtbl_desc *d, struct pgtbl_mapper *m, uint64_t iova,
			     uint64_t e)
{
	uint64_t last = iova + desc_size(d, m->walk.low) - 1;
	struct pgtbl_walk below = m->walk;

	below.iova = iova;
	if (d->grown && !iova)
		walk_start(d, &below, m->pt, iova);
	if (!desc_leads(d, e, m->walk.low) || walk_to_leaf(d, m->pt, &below, last))
		return -EEXIST;
	chain_push(d, m->pt, &m->gather->tables, desc_table(d, m->pt, e),
		   desc_table_level(d, e, m->walk.low));
	pgtbl_gather_add(m->gather, iova, last);
	return 0;
}

/* A piece: n leaves of one size, of 2^cluster entries each, in the table at level. */
struct map_piece {
	unsigned size_lg2;
	unsigned level;
	unsigned cluster;
	unsigned n;
};

/*
 * Write entries of a piece that lies at p, from the i-th on, until one is not empty. Returns how many of
 * the piece are written then.
 */
PGTBL_INLINE unsigned map_fill(const struct pgtbl_desc *d, const struct pgtbl_mapper *m,
			       const struct map_piece *piece, uint64_t *p, uint64_t value,
			       unsigned i)
{
	const uint64_t step = desc_step(d, piece->level);
	const unsigned n = piece->n << piece->cluster, inside = (1u << piece->cluster) - 1;

	if (likely(!piece->cluster || d->cluster_steps))
		return i + fill_run(m->pt->wide, p + i, n - i, value + i * step, step);
	while (i < n) {
		unsigned first = i & ~inside, end = first + inside + 1;

		i += fill_run(m->pt->wide, p + i, end - i, value + first * step, 0);
		if (i < end)
			break;
	}
	return i;
}

/* A piece above level 0, from entry p on. Returns how many entries were written. */
PGTBL_INLINE unsigned map_large(const struct pgtbl_desc *d, struct pgtbl_mapper *m,
				const struct map_piece *piece, uint64_t *p, uint64_t value)
{
	const uint64_t step = desc_step(d, piece->level);
	const unsigned n = piece->n << piece->cluster;
	unsigned done = 0;

	while ((done = map_fill(d, m, piece, p, value, done)) < n) {
		unsigned steps = d->cluster_steps ? done : done >> piece->cluster << piece->cluster;
		uint64_t iova = m->walk.iova + ((uint64_t)done << desc_shift(d, piece->level));

		if (map_replace(d, m, iova, load_relaxed(p + done)))
			break;
		store_relaxed(p + done++, value + steps * step);
	}
	return done;
}

/* The largest leaf that can begin where iova and address have those bits. */
PGTBL_INLINE unsigned map_leaf_lg2(const struct phyr_pgtbl *pt, uint64_t bits, uint64_t len)
{
	uint64_t aligned = ((bits & -bits) << 1) - 1;
	uint64_t fits = ((uint64_t)2 << lg2_u64(len)) - 1;

	return lg2_u64(pt->leaf_sizes & aligned & fits);
}

/* Leaves until a larger one can begin, as far as iova and address let it. */
PGTBL_INLINE uint64_t map_until_larger(const struct phyr_pgtbl *pt, uint64_t iova, uint64_t addr,
				       unsigned size_lg2)
{
	uint64_t above = pt->leaf_sizes & -((uint64_t)2 << size_lg2);
	uint64_t inside = (above & -above) - 1;

	if (!above || (iova ^ addr) & inside)
		return UINT64_MAX;
	return ((~iova & inside) + 1) >> size_lg2;
}

/* How much of a run is the next piece, in leaves of that size. */
PGTBL_INLINE struct map_piece map_next(const struct pgtbl_desc *d, const struct pgtbl_mapper *m,
				       uint64_t addr, uint64_t len, unsigned size_lg2)
{
	uint64_t iova = m->walk.iova, n = len >> size_lg2;
	struct map_piece piece = {.size_lg2 = size_lg2,
				  .level = desc_size_level(d, size_lg2),
				  .cluster = desc_size_cluster(d, size_lg2)};
	unsigned room = desc_entries_at(d, piece.level) - desc_index(d, iova, piece.level);

	n = min_u64(n, room >> piece.cluster);
	if (d->cluster)
		n = min_u64(n, map_until_larger(m->pt, iova, addr, size_lg2));
	if (d->fold_from) /* entries count upwards up to where a folded bit changes */
		n = min_u64(n, ((~addr & (((uint64_t)1 << d->fold_from) - 1)) >> size_lg2) + 1);
	piece.n = (unsigned)n;
	return piece;
}

/* Map the part of a run that fits one table in leaves of one size. Returns the bytes; 0: *err. */
PGTBL_INLINE uint64_t map_piece(const struct pgtbl_desc *d, struct pgtbl_mapper *m, uint64_t addr,
				uint64_t len, unsigned size_lg2, int *err)
{
	struct map_piece piece = map_next(d, m, addr, len, size_lg2);
	uint64_t value = desc_encode(d, addr) | m->flags | desc_size_code(d, size_lg2), *p;
	unsigned done;

	*err = map_walk_to(d, m, piece.level);
	if (unlikely(*err))
		return 0;
	p = walk_entry(d, &m->walk);
	if (piece.level)
		done = map_large(d, m, &piece, p, value);
	else
		done = map_fill(d, m, &piece, p, value, 0);
	map_written(d, m, p, done);
	*err = done < piece.n << piece.cluster ? -EEXIST : 0;
	return (uint64_t)piece.n << size_lg2;
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
		if (likely(len < m->pt->larger))
			done = map_piece(d, m, addr, len, desc_shift(d, 0), &err);
		else
			done = map_piece(d, m, addr, len,
					 map_leaf_lg2(m->pt, m->walk.iova | addr, len), &err);
		if (unlikely(err))
			return phyr_pgtbl_map_stopped(m, err);
	}
	return 0;
}

/* Map single pages as long as they come: a table's worth at a time, straight from the list's words. */
PGTBL_INLINE int map_spans(const struct pgtbl_desc *d, struct pgtbl_mapper *m)
{
	const uint64_t over = ~m->pt->oa_last | CODE_MASK;

	for (;;) {
		unsigned room = desc_entries(d) - desc_index(d, m->walk.iova, 0), n, done;
		const uint64_t *words;
		uint64_t *p;
		int err;

		n = (unsigned)min_u64(cursor_words(&m->cur, &words), room);
		if (!n || words[0] & CODE_MASK)
			return 0;
		err = map_walk_to(d, m, 0);
		if (unlikely(err))
			return phyr_pgtbl_map_stopped(m, err);
		p = walk_entry(d, &m->walk);
		done = fill_words(d, m->pt->wide, p, words, n, m->flags | d->page, over);
		map_written(d, m, p, done);
		cursor_take_words(&m->cur, done, done);
		if (done < n && words[done] & CODE_MASK)
			return 0;
		if (unlikely(done < n))
			return phyr_pgtbl_map_stopped(m, words[done] & over ? -ERANGE : -EEXIST);
	}
}

/*
 * Whether a larger leaf may begin in a batch of ranges, each a page, whose first iova is a multiple of the
 * batch. One that has more pages can only begin with the first; others, with an even one.
 */
PGTBL_INLINE bool map_larger_begins(const struct phyr_pgtbl *pt, uint64_t iova,
				    const struct phyr_range *r)
{
	if (pt->larger <= FILL_BATCH * PHYR_PAGE_SIZE)
		return fill_ranges_pair(r);
	return !((iova | r->addr) & (pt->larger - 1)) && r[1].addr == r->addr + PHYR_PAGE_SIZE;
}

/*
 * Write ranges that are pages, max at most, in batches. Which of them follow each other matters only
 * where a larger leaf could begin; there they are left to map_run(). Returns how many were written.
 */
PGTBL_INLINE unsigned map_range_batches(const struct pgtbl_desc *d, const struct pgtbl_mapper *m,
					uint64_t *p, const struct phyr_range *r, unsigned max)
{
	const uint64_t over = ~m->pt->oa_last | PAGE_MASK;
	uint64_t iova = m->walk.iova;
	unsigned i;

	for (i = 0; max - i >= FILL_BATCH; i += FILL_BATCH) {
		if (unlikely(map_larger_begins(m->pt, iova, r + i)))
			break;
		if (!fill_ranges_batch(d, p + i, r + i, m->flags | d->page, over))
			break;
		iova += FILL_BATCH * PHYR_PAGE_SIZE;
	}
	return i;
}

/* The same for single pages that come as an array of ranges; what is not in batches is for others. */
PGTBL_INLINE int map_range_spans(const struct pgtbl_desc *d, struct pgtbl_mapper *m)
{
	for (;;) {
		unsigned room = desc_entries(d) - desc_index(d, m->walk.iova, 0), n;
		const struct phyr_range *ranges;
		uint64_t *p, left = m->cur.left >> PHYR_PAGE_LG2;
		int err;

		n = (unsigned)min_u64(min_u64(cursor_ranges(&m->cur, &ranges), left + 1), room + 1);
		if (!m->pt->wide || n <= FILL_BATCH || ranges[0].len != PHYR_PAGE_SIZE ||
		    desc_index(d, m->walk.iova, 0) % FILL_BATCH)
			return 0;
		err = map_walk_to(d, m, 0);
		if (unlikely(err))
			return phyr_pgtbl_map_stopped(m, err);
		p = walk_entry(d, &m->walk);
		n = map_range_batches(d, m, p, ranges, n - 1);
		if (!n)
			return 0;
		map_written(d, m, p, n);
		cursor_take_ranges(&m->cur, n, (uint64_t)n << PHYR_PAGE_LG2);
	}
}

/* Map pages that were laid out. */
PGTBL_INLINE int map_laid_out(const struct pgtbl_desc *d, struct pgtbl_mapper *m,
			      const struct pgtbl_bulk *b)
{
	unsigned n, done, at;

	for (at = 0; at < b->nr; at += n) {
		unsigned room = desc_entries(d) - desc_index(d, m->walk.iova, 0);
		int err = map_walk_to(d, m, 0);
		uint64_t *p;

		if (unlikely(err))
			return err;
		n = (unsigned)min_u64(room, b->nr - at);
		p = walk_entry(d, &m->walk);
		done = fill_words(d, m->pt->wide, p, b->pages + at, n, m->flags | d->page, 0);
		map_written(d, m, p, done);
		if (unlikely(done < n))
			return -EEXIST;
	}
	return 0;
}

/* Map short runs as long as they come, but for flocks of single pages, which spans are better for. */
PGTBL_INLINE int map_short_runs(const struct pgtbl_desc *d, struct pgtbl_mapper *m)
{
	struct pgtbl_bulk b;
	int err;

	while (phyr_pgtbl_bulk_take(&b, m->pt, &m->cur, m->walk.iova)) {
		err = map_laid_out(d, m, &b);
		if (unlikely(err))
			return phyr_pgtbl_map_stopped(m, err);
	}
	return 0;
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
	m->from = cur;
}

/* Map as many pages as come in runs that are not long. */
PGTBL_INLINE int map_pages(const struct pgtbl_desc *d, struct pgtbl_mapper *m)
{
	uint64_t left;
	int err;

	do {
		left = m->cur.left;
		err = map_short_runs(d, m);
		if (!err)
			err = map_spans(d, m);
		if (!err)
			err = map_range_spans(d, m);
	} while (!err && m->cur.left != left);
	return err;
}

PGTBL_INLINE int map_all(const struct pgtbl_desc *d, struct pgtbl_mapper *m, uint64_t iova,
			 unsigned prot)
{
	int err = phyr_pgtbl_map_check(m, iova, prot);
	bool pages;

	if (unlikely(err))
		return err;
	m->flags = m->pt->leaf_flags[prot];
	m->start = iova;
	m->offset = iova & (m->pt->granule - 1);
	walk_start_top(&m->walk, m->pt, iova - m->offset);
	pages = d->granule_lg2 == PHYR_PAGE_LG2 && m->pt->granule == PHYR_PAGE_SIZE;
	while (!err) {
		if (pages && !m->offset)
			err = map_pages(d, m);
		if (err || !phyr_cursor_next(&m->cur, &m->run))
			break;
		err = map_run(d, m);
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
