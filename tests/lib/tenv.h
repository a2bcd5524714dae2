/* SPDX-License-Identifier: MIT */
/*
 * An environment for tests, on top of another: fails the n-th allocation (making a lock is one, too),
 * counts what is live, catches double and wrong-size frees, keeps the last report.
 *
 *   struct tenv t;
 *   tenv_init(&t, NULL);
 *   for (t.fail_at = 1; ; t.fail_at++) {        fail the first, then the second, …
 *           tenv_restart(&t);
 *           err = the_call(&t.env);
 *           if (!t.failed) break;               all allocations were let through: done
 *           assert(err == -ENOMEM); assert(!tenv_live(&t));
 *   }
 *   tenv_fini(&t);                              asserts that nothing is live
 */
#ifndef TESTS_TENV_H
#define TESTS_TENV_H

#include <phyr/types.h>

struct tenv {
	struct phyr_env env;   /* pass &t.env */
	struct phyr_env *base; /* what really allocates */
	uint64_t allocs;       /* calls since tenv_restart() */
	uint64_t fail_at;      /* which call fails; 0: none */
	bool failed;           /* it did */
	int64_t live_objects;
	int64_t live_pages; /* 4 KiB */
	int64_t live_locks;
	struct phyr_report last; /* the last report */
	uint64_t reports;        /* how many since tenv_restart() */
};

void tenv_init(struct tenv *t, struct phyr_env *base);
void tenv_restart(struct tenv *t);
bool tenv_live(const struct tenv *t);
void tenv_fini(struct tenv *t);

#endif
