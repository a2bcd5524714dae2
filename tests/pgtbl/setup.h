/* SPDX-License-Identifier: MIT */
/* A table, its test environment and a walker over it, as most tests here begin. */
#ifndef TESTS_PGTBL_SETUP_H
#define TESTS_PGTBL_SETUP_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/tenv.h"
#include "pgtbl/walker.h"

#define KIB(n) ((uint64_t)(n) << 10)
#define MIB(n) ((uint64_t)(n) << 20)
#define GIB(n) ((uint64_t)(n) << 30)
#define TIB(n) ((uint64_t)(n) << 40)

#define PAGE 4096u
#define RW   (PHYR_READ | PHYR_WRITE)

/* How often a random test goes round: less where each access is watched. */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define ROUNDS(n) ((n) / 8)
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define ROUNDS(n) ((n) / 8)
#endif
#endif
#ifndef ROUNDS
#define ROUNDS(n) (n)
#endif

/* Physical addresses of tables are this much above the CPU's, so that mixing them up shows. */
#define PHYS_DELTA TIB(1024)

struct setup {
	struct tenv t;
	struct phyr_pgtbl *pt;
	struct walker w;
	struct phyr_gather g;
};

static inline void setup_config(struct setup *s, const struct phyr_pgtbl_config *config)
{
	tenv_init(&s->t, NULL);
	s->t.env.phys_delta = PHYS_DELTA;
	assert_int_equal(phyr_pgtbl_create(&s->t.env, config, &s->pt), 0);
	walker_init(&s->w, &s->t.env, config->format, s->pt);
	phyr_gather_init(&s->g);
}

static inline void setup_format(struct setup *s, enum phyr_pgtbl_format format)
{
	setup_config(s, &(struct phyr_pgtbl_config){.size = sizeof(struct phyr_pgtbl_config),
						    .format = format});
}

/* Invalidate nothing, as no walker caches here, and give the tables back. */
static inline void setup_sync(struct setup *s)
{
	phyr_pgtbl_free_gathered(s->pt, &s->g);
	phyr_gather_init(&s->g);
}

static inline void setup_fini(struct setup *s)
{
	setup_sync(s);
	phyr_pgtbl_destroy(s->pt);
	tenv_fini(&s->t);
}

static inline int map_range(struct setup *s, uint64_t iova, uint64_t addr, uint64_t len)
{
	struct phyr_cursor cur;

	phyr_cursor_init_range(&cur, addr, len);
	return phyr_pgtbl_map(s->pt, iova, &cur, RW, &s->g);
}

static inline int unmap(struct setup *s, uint64_t iova, uint64_t len)
{
	return phyr_pgtbl_unmap(s->pt, iova, len, &s->g, NULL);
}

/* What is mapped, kept to be compared. */
struct picture {
	struct leaf *leaves;
	size_t nr;
};

static inline struct picture picture_take(struct setup *s)
{
	struct picture p;

	p.leaves = walker_dump(&s->w, &p.nr);
	return p;
}

/* Assert that nothing has changed since, and free the picture. */
static inline void picture_same(struct setup *s, struct picture *was)
{
	struct picture now = picture_take(s);

	assert_int_equal(now.nr, was->nr);
	if (now.nr)
		assert_memory_equal(now.leaves, was->leaves, now.nr * sizeof(*now.leaves));
	free(now.leaves);
	free(was->leaves);
}

#endif
