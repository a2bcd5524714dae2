/* SPDX-License-Identifier: MIT */
/*
 * Many short runs at a time.
 *
 * Runs of one to some pages come in no order that a processor could foresee, and a branch that goes
 * wrong costs as much as ten entries. So they are laid out as pages in a small array first, eight at
 * once whatever a run's length, where what is too much does no harm; what the next run does not
 * overwrite is not looked at:
 *
 *   runs      ├──┤├┤├─────┤├┤
 *   array     [a][a+1][.][.][.][.][.][.]
 *                     [b][.][.][.][.][.][.][.]
 *                        [c][c+1][c+2][.][.][.][.][.]
 *
 * and from there go into the tables as words of a list do, which hold page addresses, too.
 *
 * What may become part of a leaf larger than an entry is left to map_run(), and so is what is wrong.
 */
#ifndef PGTBL_BULK_H
#define PGTBL_BULK_H

#include "pgtbl/desc.h"

#define BULK_PAGES    ((uint64_t)256)
#define BULK_TOO_MANY 48 /* laid out past the end at most */

/* Pages laid out. */
struct pgtbl_bulk {
	unsigned nr;
	uint64_t pages[BULK_PAGES + BULK_TOO_MANY];
};

/*
 * Lay out what comes next in a cursor, and take it, as long as runs are short and whole. m's place
 * tells the iova of the first page.
 *
 * Returns the pages; 0: it is for others, which may be because single pages come in a row.
 */
unsigned phyr_pgtbl_bulk_take(struct pgtbl_bulk *b, const struct phyr_pgtbl *pt,
			      struct phyr_cursor *cur, uint64_t iova);

#endif
