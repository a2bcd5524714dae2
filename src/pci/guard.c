/* SPDX-License-Identifier: MIT */
/*
 * Mapped registers that may vanish: all ones take their place.
 *
 * Where the kernel has taken a BAR away, touching it raises SIGBUS in the thread that did. A handler maps
 * a file of all ones over the whole BAR and returns; the access is made again, and reads all ones, as a
 * device that is no more does.
 *
 *     BAR   |  step  |  step  |  step  |      each is a private mapping of the same bytes:
 *               └────────┴────────┴── ones    what is written to one is seen nowhere else
 *
 * Why a handler may do that. It makes system calls only (pwrite, mmap), which keep no state in the process
 * and take no lock of it; mmap by its number, since sanitizers and malloc checkers put code of theirs in
 * libc's place. The signal is raised by an access to a BAR, so nothing of libc or phyr was interrupted
 * half-way. A step is put in place at once, and its bytes are there before it is: no thread
 * sees anything but registers or ones. Two threads that do this at a time do the same thing twice.
 *
 * The list of guards is read by handlers and changed under a lock that they never take. Whoever takes a
 * guard out waits until no handler is reading; handlers wait for nobody.
 */
#define _GNU_SOURCE
#include "pci/guard.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/order.h"

/* A BAR of 64 GiB becomes 32768 mappings, half of what Linux lets a process have. */
#define STEP_MAX ((size_t)2 << 20)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of changes */
static struct guard *first;
static unsigned readers;
static bool installed;

/* What was there before; written before our handler is. */
static struct sigaction earlier;
static bool earlier_ran;

/*
 * A reader counts itself before it loads a pointer, a writer stores the pointer before it loads the
 * count: sequentially consistent, so that one of the two sees the other.
 */
#define load_ordered(p)     __atomic_load_n(p, __ATOMIC_SEQ_CST)
#define store_ordered(p, v) __atomic_store_n(p, v, __ATOMIC_SEQ_CST)

static bool fill_ones(const struct guard *guard)
{
	char ones[512];

	memset(ones, 0xff, sizeof(ones));
	for (size_t at = 0; at < guard->step; at += sizeof(ones))
		if (pwrite(guard->ones, ones, sizeof(ones), (off_t)at) != sizeof(ones))
			return false;
	return true;
}

static bool replace_step(const struct guard *guard, size_t at)
{
	uintptr_t start = guard->start + at;
	size_t len = min_u64(guard->step, guard->len - at);

	/* What syscall() takes are longs: the upper half of an int on the stack is anything. */
	return syscall(SYS_mmap, start, len, (long)(PROT_READ | PROT_WRITE),
		       (long)(MAP_PRIVATE | MAP_FIXED), (long)guard->ones, 0L) == (long)start;
}

/* The step that was touched decides; another that can't be mapped now is touched, and tried, later. */
static bool replace(const struct guard *guard, size_t touched)
{
	if (!fill_ones(guard) || !replace_step(guard, touched - touched % guard->step))
		return false;
	for (size_t at = 0; at < guard->len; at += guard->step)
		replace_step(guard, at);
	store_relaxed(guard->gone, true);
	return true;
}

/* Whether the address is of a guarded mapping, and something lies there now. */
static bool take_over(uintptr_t addr)
{
	const struct guard *guard;
	bool done = false;

	__atomic_fetch_add(&readers, 1, __ATOMIC_SEQ_CST);
	for (guard = load_ordered(&first); guard; guard = load_ordered(&guard->next))
		if (addr - guard->start < guard->len)
			break;
	if (guard)
		done = replace(guard, addr - guard->start);
	__atomic_fetch_sub(&readers, 1, __ATOMIC_SEQ_CST);
	return done;
}

/* Whether something sent the signal that can wait: kill(), or memory that failed without being used. */
static bool is_sent(const siginfo_t *info)
{
	return info->si_code <= 0 || info->si_code == BUS_MCEERR_AO;
}

/* As if nobody handled it: an access is made again and ends the process then, a sent one is sent again. */
static void as_default(int sig, const siginfo_t *info)
{
	const struct sigaction dfl = {.sa_handler = SIG_DFL};

	sigaction(sig, &dfl, NULL);
	if (is_sent(info))
		raise(sig);
}

/* What the kernel would have done without us. */
static void hand_on(int sig, siginfo_t *info, void *context)
{
	bool spent = earlier.sa_flags & SA_RESETHAND &&
		     __atomic_exchange_n(&earlier_ran, true, __ATOMIC_RELAXED);

	if (!(earlier.sa_flags & SA_SIGINFO) && earlier.sa_handler == SIG_IGN) {
		if (!is_sent(info)) /* the kernel does not let an access be ignored */
			as_default(sig, info);
	} else if (spent || (!(earlier.sa_flags & SA_SIGINFO) && earlier.sa_handler == SIG_DFL)) {
		as_default(sig, info);
	} else if (earlier.sa_flags & SA_SIGINFO) {
		earlier.sa_sigaction(sig, info, context);
	} else {
		earlier.sa_handler(sig);
	}
}

static void on_sigbus(int sig, siginfo_t *info, void *context)
{
	int was = errno;
	bool ours = info->si_code == BUS_ADRERR && take_over((uintptr_t)info->si_addr);

	errno = was;
	if (!ours)
		hand_on(sig, info, context);
}

/* With the earlier one's mask and flags, it runs under ours as it did alone. */
static void install(void)
{
	struct sigaction act = {.sa_sigaction = on_sigbus};

	sigaction(SIGBUS, NULL, &earlier);
	act.sa_mask = earlier.sa_mask;
	act.sa_flags = (earlier.sa_flags & (int)~SA_RESETHAND) | SA_SIGINFO;
	if (!(earlier.sa_flags & SA_SIGINFO) &&
	    (earlier.sa_handler == SIG_DFL || earlier.sa_handler == SIG_IGN))
		act.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
	sigaction(SIGBUS, &act, NULL);
	installed = true;
}

int phyr_guard_add(struct guard *guard, void *start, size_t len, bool *gone)
{
	int ones = memfd_create("phyr-ones", MFD_CLOEXEC), err;

	if (ones < 0)
		return -errno;
	*guard = (struct guard){
		.start = (uintptr_t)start,
		.len = len,
		.step = min_u64(len, STEP_MAX),
		.ones = ones,
		.gone = gone,
	};
	if (ftruncate(ones, (off_t)guard->step)) {
		err = -errno;
		close(ones);
		return err;
	}
	pthread_mutex_lock(&lock);
	if (!installed)
		install();
	guard->next = first;
	store_ordered(&first, guard);
	pthread_mutex_unlock(&lock);
	return 0;
}

void phyr_guard_remove(struct guard *guard)
{
	struct guard **at;

	pthread_mutex_lock(&lock);
	for (at = &first; *at != guard; at = &(*at)->next)
		;
	store_ordered(at, guard->next);
	while (load_ordered(&readers))
		sched_yield();
	pthread_mutex_unlock(&lock);
	close(guard->ones);
}
