/* SPDX-License-Identifier: MIT */
/* Appending, for those who append many pieces as one. */
#ifndef LIST_APPEND_H
#define LIST_APPEND_H

#include <phyr/list.h>

/* Append a range without a report. 0, -EINVAL or -ENOMEM; nothing changed on failure. */
int phyr_list_append_quietly(struct phyr_list *list, phyr_addr_t addr, uint64_t len);

/* Report why phyr_list_append_quietly() failed with @err for piece @index, and return @err. */
int phyr_list_append_fail(const struct phyr_list *list, int err, const char *call, uint64_t index,
			  phyr_addr_t addr, uint64_t len);

/* Make the list what it was when *was was a copy of it; it has only been appended to since. */
void phyr_list_rollback(struct phyr_list *list, const struct phyr_list *was);

#endif
