/* SPDX-License-Identifier: MIT */
/* A list as an array of ranges: the obvious implementation, to compare with. */
#ifndef TESTS_LIST_MODEL_H
#define TESTS_LIST_MODEL_H

#include <phyr/list.h>

#include "lib/rnd.h"

/* One buffer, or several slices; runs whole. */
struct model {
	struct phyr_range *runs;
	size_t nr, room;
	uint64_t len;
};

void model_init(struct model *m);
void model_fini(struct model *m);

/* As phyr_list_append() of a range that may be appended. */
void model_append(struct model *m, phyr_addr_t addr, uint64_t len);

/* Append a run that never joins the one before. */
void model_add_run(struct model *m, phyr_addr_t addr, uint64_t len);

/* Append bytes [offset, offset + len) of another model; the first run does not join. */
void model_add_slice(struct model *m, const struct model *of, uint64_t offset, uint64_t len);

/* A random list and its model. Runs of one page mostly; now and then long or following ones. */
struct recipe {
	unsigned nr_ops;        /* appends, each of one or several pieces */
	unsigned single_of_256; /* how many in 256 pieces are single pages */
	uint64_t max_pages;     /* of a run, its logarithm uniform */
};
void model_build(struct rnd *r, const struct recipe *recipe, struct phyr_list *list,
		 struct model *m);

/* Whether two lists have the same header, first offset and words. */
bool lists_same(const struct phyr_list *a, const struct phyr_list *b);

#endif
