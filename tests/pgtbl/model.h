/* SPDX-License-Identifier: MIT */
/*
 * What a page table must be, the slow and obvious way: a word for each granule of an area of iova, which
 * holds the address it leads to and, in its low bits, all else that is known of it.
 */
#ifndef TESTS_PGTBL_MODEL_H
#define TESTS_PGTBL_MODEL_H

#include <phyr/types.h>

#define MODEL_PROT  7u /* enum phyr_prot; 0: not mapped */
#define MODEL_FIRST 8u
#define MODEL_LAST  16u
#define MODEL_DIRTY 32u
#define MODEL_LG2   6 /* bits 11:6: log2 of the size of the leaf it lies in */

/* What may be changed while it is in use. */
enum model_live {
	MODEL_LIVE_NOTHING,
	MODEL_LIVE_RUNS, /* whether neighbouring entries of a table are one leaf */
	MODEL_LIVE_ALL,
};

struct model {
	uint64_t granule;
	unsigned granule_lg2;
	uint64_t sizes; /* of leaves, OR */
	uint64_t base;  /* iova */
	uint64_t nr;    /* granules */
	uint64_t *page;
};

void model_init(struct model *m, unsigned granule_lg2, uint64_t sizes, uint64_t base, uint64_t nr);
void model_fini(struct model *m);

static inline uint64_t model_last(const struct model *m)
{
	return m->base + (m->nr << m->granule_lg2) - 1;
}

static inline uint64_t *model_at(const struct model *m, uint64_t iova)
{
	return &m->page[(iova - m->base) >> m->granule_lg2];
}

static inline uint64_t model_addr(const struct model *m, uint64_t word)
{
	return word & ~(m->granule - 1) & ~(uint64_t)0xfff;
}

static inline uint64_t model_leaf_size(uint64_t word)
{
	return (uint64_t)1 << (word >> MODEL_LG2 & 63);
}

/* Bytes that a single entry of the table which a leaf of that size is in covers. */
uint64_t model_entry_size(const struct model *m, uint64_t leaf_size);

/* Whether nothing is mapped in [start, last]. */
bool model_is_empty(const struct model *m, uint64_t start, uint64_t last);

/* A map call: runs of whole granules one after the other, each with the largest leaves that fit. */
void model_map(struct model *m, uint64_t iova, const struct phyr_range *runs, unsigned nr,
	       unsigned prot);

/* Whether [start, last] begins and ends at edges of map calls. */
bool model_has_edges(const struct model *m, uint64_t start, uint64_t last);
void model_unmap(struct model *m, uint64_t start, uint64_t last);

/* 0, -ENOENT or -EOPNOTSUPP as phyr_pgtbl_cut(), by what may be changed. */
int model_cut(struct model *m, uint64_t iova, enum model_live live);

/* Told of a leaf that has taken the place of smaller ones. */
typedef void model_grew_fn(void *arg, uint64_t iova, uint64_t size);

/* Returns how many leaves have grown. */
uint64_t model_promote(struct model *m, uint64_t start, uint64_t last, enum model_live live,
		       model_grew_fn *grew, void *arg);

/* Take the mark away from leaves that lie in [start, last] whole. */
void model_clean(struct model *m, uint64_t start, uint64_t last);
/* A write to the leaf that iova is in. */
void model_write(struct model *m, uint64_t iova);

#endif
