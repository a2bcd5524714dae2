/* SPDX-License-Identifier: MIT */
/*
 * Memory of this process, pinned where it lies, by its physical addresses.
 *
 * Registering memory with io_uring pins it, and does not say where it lies; pagemap says where it
 * lies, and may be out of date when it is read. So pagemap is read before and after:
 *
 *      fault in ─▶ frames into the list ─▶ register ─▶ frames as in the list? ─▶ done
 *                        ▲                                     │ no
 *                        └── list as it was ◀── unregister ◀───┘      a few times, then -EAGAIN
 *
 * A page that lay in the same frame before and after was pinned there. That can fail: the kernel
 * moves pages out of memory that must stay movable while it pins them, and other threads may change
 * the mapping.
 */
#include <phyr/source.h>

#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/env.h"
#include "list/append.h"
#include "source/frames.h"
#include "source/ring.h"
#include "source/why.h"

#define TRIES 8

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

static const char call[] = "phyr_source_pin";

struct phyr_pin {
	struct phyr_env *env;
	struct ring *ring;
};

/* What is to be pinned: bytes, and the whole pages that hold them. */
struct ask {
	struct phyr_list *list;
	uintptr_t ptr;
	size_t len;
	uintptr_t first_page;
	size_t pages_len;
	int pagemap;
};

const struct phyr_space *phyr_space_phys(void)
{
	static const struct phyr_space space = {.kind = PHYR_KIND_RAM};

	return &space;
}

static int fail(const struct ask *ask, int err, const char *hint)
{
	return env_fail(ask->list->env, .err = err, .call = call, .addr = ask->ptr, .len = ask->len,
			.hint = hint);
}

static int check(struct ask *ask)
{
	uintptr_t mask = (uintptr_t)sysconf(_SC_PAGESIZE) - 1;

	if (ask->list->space != phyr_space_phys())
		return fail(ask, -EINVAL,
			    "the list is not of this machine's physical addresses: make it with "
			    "phyr_space_phys()");
	if (range_is_bad(ask->ptr, ask->len) || ask->ptr + ask->len + mask < ask->len)
		return fail(ask, -EINVAL, "the length is 0, or the buffer wraps around");
	ask->first_page = ask->ptr & ~mask;
	ask->pages_len = ((ask->ptr + ask->len + mask) & ~mask) - ask->first_page;
	if (ask->pages_len > RING_HOLD_MAX)
		return env_fail(ask->list->env, .err = -E2BIG, .call = call, .addr = ask->ptr,
				.len = ask->len, .limit = RING_HOLD_MAX,
				.hint = "more than one pin holds, whole pages of 16 TiB");
	return 0;
}

static int hidden(const struct ask *ask)
{
	return fail(ask, -EPERM,
		    "the kernel hides frame numbers without CAP_SYS_ADMIN: run as root");
}

static int open_pagemap(struct ask *ask)
{
	int fd = phyr_frames_open(0);

	if (fd == -EMFILE || fd == -ENFILE)
		return fail(ask, fd, "no file descriptor left for the page map: see ulimit -n");
	if (fd < 0)
		return fail(ask, -EOPNOTSUPP, "/proc/self/pagemap cannot be opened");
	if (phyr_frames_hidden(fd)) {
		close(fd);
		return hidden(ask);
	}
	ask->pagemap = fd;
	return 0;
}

static int refused(const struct ask *ask)
{
	const char *hint = "memory that cannot be pinned, such as a device's";
	int err = phyr_why_not(ask->first_page, ask->first_page + ask->pages_len, &hint);

	return fail(ask, err ? err : -EOPNOTSUPP, hint);
}

/* Out of memory, of one kind or another. */
static int no_memory(const struct ask *ask)
{
	struct rlimit rl = {.rlim_cur = RLIM_INFINITY};

	getrlimit(RLIMIT_MEMLOCK, &rl);
	if (rl.rlim_cur == RLIM_INFINITY)
		return fail(ask, -ENOMEM, "no memory to pin it with");
	return env_fail(ask->list->env, .err = -ENOMEM, .call = call, .addr = ask->ptr,
			.len = ask->len, .limit = rl.rlim_cur,
			.hint = "no memory, or the user's limit of locked memory is reached: see "
				"ulimit -l; CAP_IPC_LOCK lifts it");
}

/* What madvise() said against it; whoever knows no such advice is asked to register at once. */
static int fault_in_error(const struct ask *ask, int err)
{
	const char *hint = NULL;
	int why = phyr_why_not(ask->first_page, ask->first_page + ask->pages_len, &hint);

	switch (err) {
	case EINVAL:
		return 0;
	case ENOMEM:
		return why == -EFAULT ? fail(ask, -EFAULT, hint) : no_memory(ask);
	case EFAULT:
		return fail(ask, -EFAULT,
			    "some of it cannot be faulted in: it lies past the end of its file, or "
			    "no hugetlb page is free");
	default:
		return fail(ask, -EIO, "the memory cannot be faulted in");
	}
}

/* Registering faults pages in, too, but then they have no frame yet to compare with. */
static int fault_in(const struct ask *ask)
{
	if (!madvise((void *)ask->first_page, ask->pages_len, MADV_POPULATE_WRITE))
		return 0;
	return fault_in_error(ask, errno);
}

/* A page that is not there may be the next time; one that is not told of will not. */
static int no_frame(const struct ask *ask, const struct frame *frame)
{
	return frame->state == FRAME_HIDDEN ? hidden(ask) : -EAGAIN;
}

/* Frames into the list. 0; -EAGAIN a page is not there at this moment; else reported. */
static int note_frames(const struct ask *ask)
{
	struct frames f;
	struct frame frame;
	int got;

	phyr_frames_start(&f, ask->pagemap, ask->ptr, ask->len);
	while ((got = phyr_frames_next(&f, &frame)) > 0) {
		int err;

		if (frame.state != FRAME_PRESENT)
			return no_frame(ask, &frame);
		err = phyr_list_append_quietly(ask->list, frame.addr, frame.len);
		if (err)
			return phyr_list_append_fail(ask->list, err, call, 0, ask->ptr, ask->len);
	}
	return got ? fail(ask, -EIO, "/proc/self/pagemap cannot be read") : 0;
}

/* Whether the frames are those of the list from @offset on. 0; -EAGAIN not all; else reported. */
static int compare_frames(const struct ask *ask, uint64_t offset)
{
	struct phyr_range run = {0, 0};
	struct phyr_cursor cur;
	struct frames f;
	struct frame frame;
	int got;

	phyr_cursor_init_at(&cur, ask->list, offset, ask->len);
	phyr_frames_start(&f, ask->pagemap, ask->ptr, ask->len);
	while ((got = phyr_frames_next(&f, &frame)) > 0) {
		if (!run.len)
			phyr_cursor_next(&cur, &run);
		if (frame.state != FRAME_PRESENT)
			return no_frame(ask, &frame);
		if (frame.addr != run.addr)
			return -EAGAIN;
		run.addr += frame.len;
		run.len -= frame.len;
	}
	return got ? fail(ask, -EIO, "/proc/self/pagemap cannot be read") : 0;
}

static int hold(const struct ask *ask, struct ring *ring)
{
	int err = phyr_ring_hold(ring, ask->first_page, ask->pages_len);

	switch (err) {
	case 0:
		return 0;
	case -ENOMEM:
		return no_memory(ask);
	default:
		return refused(ask);
	}
}

/* One round: 0, all is held where the list says; -EAGAIN it moved; else reported. Nothing is held. */
static int try_once(const struct ask *ask, struct ring *ring)
{
	uint64_t offset = ask->list->len;
	int moved = note_frames(ask), err;

	if (moved && moved != -EAGAIN)
		return moved;
	err = hold(ask, ring);
	if (err)
		return err;
	err = moved ? moved : compare_frames(ask, offset);
	if (err)
		phyr_ring_release(ring);
	return err;
}

/* Compaction takes a page off its place for a moment, and finds that it has to put it back. */
static void pause_a_little(unsigned round)
{
	struct timespec ts = {.tv_nsec = 100000l << round};

	nanosleep(&ts, NULL);
}

static int pin_still(const struct ask *ask, struct ring *ring)
{
	struct phyr_list was = *ask->list;

	for (unsigned i = 0; i < TRIES; i++) {
		int err = try_once(ask, ring);

		if (!err)
			return 0;
		phyr_list_rollback(ask->list, &was);
		if (err != -EAGAIN)
			return err;
		pause_a_little(i);
	}
	return fail(ask, -EAGAIN,
		    "the memory moves while it is looked at: another thread changes "
		    "its mapping");
}

/* Faulted in first: whoever asks for memory that is not mapped finds no ring in its place. */
static int pin_all(const struct ask *ask, struct phyr_pin *pin)
{
	const char *hint = NULL;
	int err = fault_in(ask);

	if (err)
		return err;
	err = phyr_ring_create(pin->env, &pin->ring, &hint);
	return err ? fail(ask, err, hint) : pin_still(ask, pin->ring);
}

int phyr_source_pin(struct phyr_list *list, void *ptr, size_t len, struct phyr_pin **out)
{
	struct ask ask = {.list = list, .ptr = (uintptr_t)ptr, .len = len};
	struct phyr_pin *pin;
	int err = check(&ask);

	if (err)
		return err;
	pin = env_alloc(list->env, sizeof(*pin));
	if (!pin)
		return fail(&ask, -ENOMEM, "no memory for the pin");
	pin->env = list->env;
	err = open_pagemap(&ask);
	if (!err) {
		err = pin_all(&ask, pin);
		close(ask.pagemap);
	}
	if (!err) {
		*out = pin;
		return 0;
	}
	phyr_ring_destroy(pin->ring);
	env_free(pin->env, pin, sizeof(*pin));
	return err;
}

void phyr_source_unpin(struct phyr_pin *pin)
{
	if (!pin)
		return;
	phyr_ring_release(pin->ring);
	phyr_ring_destroy(pin->ring);
	env_free(pin->env, pin, sizeof(*pin));
}
