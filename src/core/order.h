/* SPDX-License-Identifier: MIT */
/*
 * Atomic accesses by their order. Each use of a release store says in a comment which acquire it
 * pairs with.
 */
#ifndef CORE_ORDER_H
#define CORE_ORDER_H

#define load_relaxed(p)     __atomic_load_n(p, __ATOMIC_RELAXED)
#define load_acquire(p)     __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define store_relaxed(p, v) __atomic_store_n(p, v, __ATOMIC_RELAXED)
#define store_release(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)

/* Count something in a slot that is mostly one thread's: cheap, and no data race. */
#define count_add(p, n) store_relaxed(p, load_relaxed(p) + (n))
/* Count something exactly, from any thread. */
#define atomic_count_add(p, n) __atomic_fetch_add(p, n, __ATOMIC_RELAXED)
#define atomic_count_sub(p, n) __atomic_fetch_sub(p, n, __ATOMIC_RELAXED)

/* Add, or put another value there, and get what was there; orders both ways, as the next one does. */
#define fetch_add(p, n)  __atomic_fetch_add(p, n, __ATOMIC_ACQ_REL)
#define fetch_swap(p, v) __atomic_exchange_n(p, v, __ATOMIC_ACQ_REL)

/* *p = to if it is *from; else *from = *p. Releases what was written before, acquires what is read. */
#define compare_exchange(p, from, to) \
	__atomic_compare_exchange_n(p, from, to, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)

/* Set or clear bits that others may be changing, too; what was there is returned. */
#define fetch_or(p, bits)  __atomic_fetch_or(p, bits, __ATOMIC_RELAXED)
#define fetch_and(p, bits) __atomic_fetch_and(p, bits, __ATOMIC_RELAXED)

#endif
