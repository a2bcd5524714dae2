/* SPDX-License-Identifier: MIT */
/* A PRP builder with a pool on a device without an IOMMU, and a decoder beside it. */
#ifndef TESTS_DESC_PRP_RIG_H
#define TESTS_DESC_PRP_RIG_H

#include <phyr/desc.h>

#include "decode.h"
#include "dma/rig.h"

#include <stdlib.h>

#define PRP_RIG_LISTS 64
#define PRP_RIG_PAGES 100000

struct prp_rig {
	struct rig rig;
	struct phyr_dma_pool *pool;
	struct phyr_prp_page pages[PRP_RIG_LISTS];
	struct phyr_prp prp;
	struct decoded d;
};

static inline void prp_init(struct prp_rig *r, unsigned lg2)
{
	static const struct rig_config direct = {0};
	uint64_t page = (uint64_t)1 << lg2;

	rig_init(&r->rig, &direct);
	assert_int_equal(phyr_dma_pool_create(r->rig.dev, page, page, &r->pool), 0);
	phyr_prp_init(&r->prp, lg2, r->pool, r->pages, PRP_RIG_LISTS);
	r->d.pieces = malloc(sizeof(*r->d.pieces) * PRP_RIG_PAGES);
}

static inline void prp_end(struct prp_rig *r)
{
	free(r->d.pieces);
	phyr_prp_fini(&r->prp);
	phyr_dma_pool_destroy(r->pool);
	rig_fini(&r->rig);
}

/* The environment's physical addresses are its CPU addresses. */
static inline uint64_t prp_read(void *arg, uint64_t addr)
{
	return *(uint64_t *)(uintptr_t)addr;
}

/* Decode what was built, and compare it with what a cursor gives. */
static inline void prp_check(struct prp_rig *r, struct phyr_cursor cur)
{
	struct phyr_range run = {0};

	decode_prp(r->prp.prp1, r->prp.prp2, cur.left, (uint64_t)1 << r->prp.page_lg2, prp_read,
		   NULL, &r->d);
	assert_null(r->d.wrong);
	for (size_t i = 0; i < r->d.nr; i++) {
		if (!run.len)
			assert_true(phyr_cursor_next(&cur, &run));
		assert_int_equal(r->d.pieces[i].addr, run.addr);
		assert_true(r->d.pieces[i].len <= run.len);
		run.addr += r->d.pieces[i].len;
		run.len -= r->d.pieces[i].len;
	}
	assert_int_equal(run.len, 0);
	assert_int_equal(cur.left, 0);
}

static inline void prp_round_trip(struct prp_rig *r, const struct phyr_range *ranges, size_t nr)
{
	struct phyr_cursor cur, was;

	assert_int_equal(phyr_cursor_init_ranges(&cur, ranges, nr), 0);
	was = cur;
	assert_int_equal(phyr_prp_build(&r->prp, &cur), 0);
	assert_int_equal(cur.left, 0);
	prp_check(r, was);
}

#endif
