/* SPDX-License-Identifier: MIT */
/*
 * Where lists come from: memory of this process, by its own addresses or pinned, by the machine's
 * physical ones; and the memory of any process, to look at.
 *
 *   list's space         made by                  its addresses          held while
 *   phyr_space_user()    phyr_source_append()     this process's         the kernel maps it
 *   phyr_space_phys()    phyr_source_pin()        physical               the pin is there
 *   phyr_space_seen()    phyr_pagemap_read()      physical               never: for looking only
 */
#ifndef PHYR_SOURCE_H
#define PHYR_SOURCE_H

#include <phyr/list.h>
#include <sys/types.h>
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

/*
 * Pinned memory. Linux.
 */

/**
 * The space of this machine's physical addresses: kind RAM, without a way to a CPU pointer.
 *
 * What phyr_source_pin() finds lies in it. A simulated machine has physical addresses of its own,
 * in which these mean nothing.
 *
 * @return the one such space; it lives as long as the process. Any thread may call.
 */
PHYR_API const struct phyr_space *phyr_space_phys(void);

/** Memory that phyr_source_pin() keeps in its place. */
struct phyr_pin;

/**
 * Pin memory of this process where it lies, and append its physical ranges to a list.
 *
 * The pages are faulted in for writing, pinned as a buffer that is registered with io_uring, and
 * their frames read from /proc/self/pagemap before and after. Until phyr_source_unpin() the kernel
 * neither moves nor frees those frames: not for compaction, huge pages, swap, or a child's sake (the
 * child of a fork gets a copy). mlock() is not a pin: it keeps memory from being swapped out, and
 * the kernel moves locked memory as it likes.
 *
 * The caller keeps the mapping as it is: after munmap(), madvise(MADV_DONTNEED) or the like the
 * frames are still held, and are not what the process sees at @ptr any more.
 *
 * @param list  initialised with phyr_space_phys(); where it ends off a page, ptr goes on with the
 *              next byte of that page
 * @param ptr   first byte; the memory is writable
 * @param len   bytes; with the rest of its first and last page at most 16 TiB
 * @param out   written on success: the pin, which holds whole pages; to be given to
 *              phyr_source_unpin()
 *
 * Needs CAP_SYS_ADMIN, for the kernel hides frame numbers without it; and a library that was built
 * with liburing.
 * Cost: O(pages), of which the kernel's faulting in and pinning is most. Each pin has a file
 * descriptor, a ring of some pages, and 16 bytes of kernel memory a page, so pin large pieces.
 * Without CAP_IPC_LOCK the pages count towards RLIMIT_MEMLOCK.
 * Threads: any, on different lists.
 * @return 0; -EINVAL len 0, past the end of addresses, another space, an edge off a page; -E2BIG;
 *         -EFAULT not all of it is mapped, some of it lies past the end of its file, or no hugetlb
 *         page is free for it; -EACCES it is mapped read-only; -EPERM frame numbers are hidden, or
 *         io_uring is forbidden (kernel.io_uring_disabled, seccomp); -EOPNOTSUPP memory that can't
 *         be pinned (a file system's, a device's), no io_uring or no pagemap in this kernel, or no
 *         liburing in this library; -EAGAIN it moved each time it was looked at; -EMFILE, -ENFILE;
 *         -EIO broken memory, or pagemap could not be read; -ENOMEM, also for RLIMIT_MEMLOCK (the
 *         report's limit). Nothing is pinned on failure, and the list is as it was.
 */
PHYR_API int phyr_source_pin(struct phyr_list *list, void *ptr, size_t len, struct phyr_pin **out);

/**
 * Let go of pinned memory, also when children of a fork are still there; not in the child. NULL is
 * fine.
 *
 * Nobody's DMA uses it any more. Lists of it are left as they are, and mean nothing from now on.
 * Cost: O(pages).
 */
PHYR_API void phyr_source_unpin(struct phyr_pin *pin);

/*
 * Looking at a process's memory. Linux.
 */

/**
 * The space of physical memory that was seen and is not held: kind SEEN, which no domain takes.
 *
 * The kernel may have moved it as soon as it was read: it is for looking only, and mapping a list of
 * it is -EOPNOTSUPP.
 *
 * @return the one such space; it lives as long as the process. Any thread may call.
 */
PHYR_API const struct phyr_space *phyr_space_seen(void);

/** The page map of a process, open for reading. */
struct phyr_pagemap;

/** What phyr_pagemap_read() found, bytes. */
struct phyr_pagemap_counts {
	uint64_t present; /**< in memory: what went to the list */
	uint64_t swapped; /**< in swap, or being moved at that moment */
	uint64_t absent;  /**< holes, and what was never touched or has been dropped */
};

/**
 * Open a process's page map.
 *
 * @param pid  a process that the caller may look into, as for ptrace; 0: this one
 * @param env  NULL: the hosted one; borrowed until phyr_pagemap_close()
 * @param out  written on success
 * @return 0; -EINVAL pid below 0, or a member of the env is missing; -ESRCH no such process, or one
 *         without memory; -EACCES no right to look into it; -EOPNOTSUPP no pagemap in this kernel, or
 *         no /proc; -EMFILE, -ENFILE; -ENOMEM
 */
PHYR_API int phyr_pagemap_open(pid_t pid, struct phyr_env *env, struct phyr_pagemap **out);

/** Close it. NULL is fine. */
PHYR_API void phyr_pagemap_close(struct phyr_pagemap *pm);

/**
 * Append the pages that are in memory now to a list, in the order of their addresses. What is not
 * there is passed over, so that the list is shorter than the range.
 *
 * A page that the process sees twice comes twice; the page of zeroes, which stands for memory that
 * was only read, comes like any other.
 *
 * @param start   address in that process; a multiple of the machine's page
 * @param len     bytes, likewise
 * @param list    initialised with phyr_space_seen(); it ends on a page
 * @param counts  out, written on success; NULL: not wanted
 *
 * Cost: O(pages that are there), holes of 512 pages and more being free, on Linux 6.7 and later; before,
 * O(pages of the range), so take ranges from /proc/PID/maps.
 * Threads: any at once on one page map, on different lists.
 * @return 0; -EINVAL len 0, past 2^64, off a page, or another space; -EPERM the kernel hides frame
 *         numbers (no CAP_SYS_ADMIN); -ERANGE past the process's last address; -ESRCH it has ended;
 *         -EIO; -ENOMEM. The list is as it was on failure.
 */
PHYR_API int phyr_pagemap_read(struct phyr_pagemap *pm, uint64_t start, uint64_t len,
			       struct phyr_list *list, struct phyr_pagemap_counts *counts);

#ifdef __cplusplus
}
#endif
#endif
