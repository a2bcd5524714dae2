/* SPDX-License-Identifier: MIT */
/* Where lists come from: memory of this process, by its own addresses. */
#ifndef PHYR_SOURCE_H
#define PHYR_SOURCE_H

#include <phyr/list.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * The space of this process's own addresses: kind USER; address = pointer.
 *
 * @return the one such space; it lives as long as the process. Any thread may call.
 */
PHYR_API const struct phyr_space *phyr_space_user(void);

/**
 * Append a caller's buffer to a USER list, by its address. Nothing is pinned.
 *
 * @param list  initialised with phyr_space_user(), or another space of kind USER
 * @param ptr   first byte; must stay valid as long as the list is used
 * @param len   bytes
 * @return 0; -EINVAL a space of another kind, or as phyr_list_append(); -ENOMEM. Nothing changed on
 *         failure.
 */
PHYR_API int phyr_source_append(struct phyr_list *list, const void *ptr, size_t len);

/**
 * Append the pieces of an iovec to a USER list; pieces of length 0 are passed over. All or nothing.
 *
 * Neighbouring pieces meet on page edges, or follow each other in memory: a list is one buffer.
 *
 * @param list  as for phyr_source_append()
 * @param nr    pieces
 * @return as phyr_source_append(); the report's index says which piece
 */
PHYR_API int phyr_source_append_iovec(struct phyr_list *list, const struct iovec *iov, size_t nr);

/**
 * Describe what is left in a cursor over a USER list as an iovec, for readv() and its like.
 *
 * @param cur  over addresses of this process, which is not checked
 * @param iov  out, a piece a run
 * @param max  room in iov
 * @param nr   out: pieces written
 * @return 0, the cursor at its end; -E2BIG more than max: cursor and *nr untouched. There is no
 *         environment to report to.
 */
PHYR_API int phyr_source_to_iovec(struct phyr_cursor *cur, struct iovec *iov, size_t max,
				  size_t *nr);

#ifdef __cplusplus
}
#endif
#endif
