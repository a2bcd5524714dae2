/* SPDX-License-Identifier: MIT */
/* A list as a picture in the terminal. */
#ifndef DRAW_H
#define DRAW_H

#include <stdio.h>

#include <phyr/list.h>

#define DRAW_ROW 64 /* characters a row */

/* Pages that a character stands for, if there are rows lines of them: 1, or a larger power of two. */
uint64_t draw_scale(const struct phyr_list *list, unsigned rows);

/*
 * Rows of characters behind the address of their first page. A character is @scale pages: of one run,
 * in two shades by turns; or of several, the higher the longer they are.
 */
void draw_list(FILE *to, const struct phyr_list *list, uint64_t scale);

#endif
