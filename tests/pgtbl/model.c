/* SPDX-License-Identifier: MIT */
/* The model: arrays and loops, nothing clever. */
#include "pgtbl/model.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void model_init(struct model *m, unsigned granule_lg2, uint64_t sizes, uint64_t base, uint64_t nr)
{
	*m = (struct model){.granule = (uint64_t)1 << granule_lg2,
			    .granule_lg2 = granule_lg2,
			    .sizes = sizes,
			    .base = base,
			    .nr = nr,
			    .page = calloc(nr, sizeof(uint64_t))};
	if (!m->page)
		abort();
}

void model_fini(struct model *m)
{
	free(m->page);
}

/* A table of so large a granule holds granule / 8 entries. */
uint64_t model_entry_size(const struct model *m, uint64_t leaf_size)
{
	uint64_t size = m->granule;

	while (size << (m->granule_lg2 - 3) <= leaf_size)
		size <<= m->granule_lg2 - 3;
	return size;
}

static uint64_t leaf_start(uint64_t word, uint64_t iova)
{
	return iova & ~(model_leaf_size(word) - 1);
}

bool model_is_empty(const struct model *m, uint64_t start, uint64_t last)
{
	for (const uint64_t *p = model_at(m, start); p <= model_at(m, last); p++)
		if (*p)
			return false;
	return true;
}

/* The largest size that fits where iova | addr is bits and len is left, below a limit. */
static uint64_t largest(const struct model *m, uint64_t bits, uint64_t len, uint64_t below)
{
	uint64_t best = m->granule;

	if (!(m->sizes & m->granule))
		abort();
	for (uint64_t size = m->granule << 1; size && size <= len && size < below; size <<= 1) {
		if (bits & (size - 1))
			break;
		if (m->sizes & size)
			best = size;
	}
	return best;
}

/* One leaf; keeps no edge. */
static void put_leaf(struct model *m, uint64_t iova, uint64_t addr, uint64_t size, unsigned flags)
{
	uint64_t *p = model_at(m, iova);
	uint64_t word = addr | flags | (uint64_t)__builtin_ctzll(size) << MODEL_LG2;

	for (uint64_t i = 0; i < size >> m->granule_lg2; i++)
		p[i] = word + (i << m->granule_lg2);
}

static void put_run(struct model *m, uint64_t iova, uint64_t addr, uint64_t len, unsigned flags)
{
	while (len) {
		uint64_t size = largest(m, iova | addr, len, UINT64_MAX);

		put_leaf(m, iova, addr, size, flags);
		iova += size;
		addr += size;
		len -= size;
	}
}

void model_map(struct model *m, uint64_t iova, const struct phyr_range *runs, unsigned nr,
	       unsigned prot)
{
	uint64_t at = iova;

	for (unsigned i = 0; i < nr; i++) {
		put_run(m, at, runs[i].addr, runs[i].len, prot);
		at += runs[i].len;
	}
	*model_at(m, iova) |= MODEL_FIRST;
	*model_at(m, at - 1) |= MODEL_LAST;
}

bool model_has_edges(const struct model *m, uint64_t start, uint64_t last)
{
	return *model_at(m, start) & MODEL_FIRST && *model_at(m, last) & MODEL_LAST;
}

void model_unmap(struct model *m, uint64_t start, uint64_t last)
{
	for (uint64_t *p = model_at(m, start); p <= model_at(m, last); p++)
		*p = 0;
}

/* The leaf [start, start + size) as two, with an edge at iova; its own edges stay. */
static void split(struct model *m, uint64_t start, uint64_t size, uint64_t iova)
{
	uint64_t was_first = *model_at(m, start) & MODEL_FIRST;
	uint64_t was_last = *model_at(m, start + size - 1) & MODEL_LAST;
	uint64_t addr = model_addr(m, *model_at(m, start));
	unsigned flags = (unsigned)*model_at(m, start) & (MODEL_PROT | MODEL_DIRTY);

	put_run(m, start, addr, iova - start, flags);
	put_run(m, iova, addr + (iova - start), start + size - iova, flags);
	*model_at(m, start) |= was_first;
	*model_at(m, start + size - 1) |= was_last;
}

/* An area has nothing mapped right before or after it. */
int model_cut(struct model *m, uint64_t iova, enum model_live live)
{
	uint64_t *p = model_at(m, iova), *before = iova == m->base ? NULL : p - 1, start, size;

	if ((*p && *p & MODEL_FIRST) || (before && *before & MODEL_LAST))
		return 0;
	if (!*p)
		return -ENOENT;
	size = model_leaf_size(*p);
	start = leaf_start(*p, iova);
	if (start < iova) {
		bool run = !(iova & (model_entry_size(m, size) - 1));

		if (live == MODEL_LIVE_NOTHING || (live == MODEL_LIVE_RUNS && !run))
			return -EOPNOTSUPP;
		split(m, start, size, iova);
	}
	*p |= MODEL_FIRST;
	p[-1] |= MODEL_LAST;
	return 0;
}

/* Whether a leaf may take the place of what is there. */
static bool may_grow(const struct model *m, uint64_t iova, uint64_t size, enum model_live live)
{
	uint64_t entry = model_entry_size(m, size);

	if (live != MODEL_LIVE_RUNS)
		return live == MODEL_LIVE_ALL;
	for (uint64_t at = iova; at - iova < size; at += entry)
		if (model_leaf_size(*model_at(m, at)) < entry)
			return false;
	return true;
}

/* Put a leaf in the place of smaller ones: written to if one of them was; edges stay at its ends only. */
static void grow(struct model *m, uint64_t iova, uint64_t size)
{
	uint64_t *p = model_at(m, iova), *end = model_at(m, iova + size - 1);
	uint64_t first = *p & MODEL_FIRST, last = *end & MODEL_LAST;
	unsigned flags = (unsigned)*p & MODEL_PROT;

	for (uint64_t *q = p; q <= end; q++)
		flags |= (unsigned)*q & MODEL_DIRTY;
	put_leaf(m, iova, model_addr(m, *p), size, flags);
	*p |= first;
	*end |= last;
}

/* The largest leaf that can be at iova, of a run that goes on for len; what is there at least. */
static uint64_t growth(const struct model *m, uint64_t iova, uint64_t len, enum model_live live)
{
	uint64_t word = *model_at(m, iova), have = model_leaf_size(word), below = UINT64_MAX, size;

	for (;; below = size) {
		size = largest(m, iova | model_addr(m, word), len, below);
		if (size <= have)
			return have;
		if (may_grow(m, iova, size, live))
			return size;
	}
}

/* Whether the leaf at iova, whose word is given, goes on with what lies before it. */
static bool goes_on(const struct model *m, uint64_t word, uint64_t iova)
{
	uint64_t before = *model_at(m, iova - 1);

	return before && (before & MODEL_PROT) == (word & MODEL_PROT) &&
	       model_addr(m, before) + m->granule == model_addr(m, word);
}

/* Where the run of whole leaves that starts at iova ends. */
static uint64_t run_end(const struct model *m, uint64_t iova, uint64_t last)
{
	uint64_t at = iova, word;

	do {
		at += model_leaf_size(*model_at(m, at));
		if (at > last || at == 0)
			return at;
		word = *model_at(m, at);
	} while (word && model_leaf_size(word) - 1 <= last - at && goes_on(m, word, at));
	return at;
}

uint64_t model_promote(struct model *m, uint64_t start, uint64_t last, enum model_live live,
		       model_grew_fn *grew, void *arg)
{
	uint64_t at = start, n = 0, end, size, word;

	while (at <= last && at >= start) {
		word = *model_at(m, at);
		size = word ? model_leaf_size(word) : m->granule;
		if (!word || leaf_start(word, at) < start || size - 1 > last - at) {
			at = (at & ~(size - 1)) + size;
			continue;
		}
		for (end = run_end(m, at, last); at != end; at += size) {
			size = growth(m, at, end - at, live);
			if (size == model_leaf_size(*model_at(m, at)))
				continue;
			grow(m, at, size);
			n++;
			if (grew)
				grew(arg, at, size);
		}
	}
	return n;
}

void model_clean(struct model *m, uint64_t start, uint64_t last)
{
	for (uint64_t at = start;; at += m->granule) {
		uint64_t *p = model_at(m, at), size = model_leaf_size(*p);

		if (*p & MODEL_DIRTY && leaf_start(*p, at) >= start &&
		    size - 1 <= last - leaf_start(*p, at))
			*p &= ~(uint64_t)MODEL_DIRTY;
		if (last - at < m->granule)
			return;
	}
}

void model_write(struct model *m, uint64_t iova)
{
	uint64_t word = *model_at(m, iova), start = leaf_start(word, iova);
	uint64_t *p = model_at(m, start);

	for (uint64_t i = 0; i < model_leaf_size(word) >> m->granule_lg2; i++)
		p[i] |= MODEL_DIRTY;
}
