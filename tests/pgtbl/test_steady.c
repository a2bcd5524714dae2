/* SPDX-License-Identifier: MIT */
/*
 * Long random use of one stretch of iova: its tables are as many as its span needs, however long it goes on,
 * and none but the top one after the last unmap and a reclaim.
 */
#include <stdio.h>

#include "core/bits.h"
#include "lib/rnd.h"
#include "pgtbl/rig.h"

#define CALLS    512
#define GRANULES 16384

struct call {
	uint64_t iova;
	uint64_t len; /* 0: none */
};

struct steady {
	struct rig rig;
	struct rnd r;
	struct call calls[CALLS];
	uint64_t base, granule, most;
};

/* The tables that a stretch can need: below each level's entries that it meets, and the top one. */
static uint64_t bound(const struct steady *s)
{
	unsigned shift = s->rig.c->granule_lg2, bits = shift - 3;
	uint64_t last = s->base + GRANULES * s->granule - 1, tables = 1;

	for (unsigned level = 1; level < phyr_pgtbl_levels(s->rig.pt); level++) {
		unsigned span = shift + level * bits;

		tables += (last >> span) - (s->base >> span) + 1;
	}
	return tables;
}

static void turn(struct steady *s)
{
	struct call *c = &s->calls[rnd_below(&s->r, CALLS)];
	struct phyr_cursor cur;
	uint64_t iova, len;

	if (c->len) {
		assert_int_equal(phyr_pgtbl_unmap(s->rig.pt, c->iova, c->len, &s->rig.g, NULL), 0);
		c->len = 0;
		rig_sync(&s->rig);
		return;
	}
	len = rnd_log(&s->r, 1, rnd_below(&s->r, 16) ? 32 : 2048) * s->granule;
	iova = s->base + rnd_below(&s->r, GRANULES - len / s->granule + 1) * s->granule;
	phyr_cursor_init_range(&cur, rnd_below(&s->r, 2) ? iova : iova ^ s->granule << 4, len);
	if (!phyr_pgtbl_map(s->rig.pt, iova, &cur, RW, &s->rig.g))
		*c = (struct call){iova, len};
	s->most = max_u64(s->most, phyr_pgtbl_tables(s->rig.pt));
	rig_sync(&s->rig);
	assert_true(phyr_pgtbl_tables(s->rig.pt) <= bound(s));
}

static void run(struct steady *s, const char *name, struct rnd *r)
{
	uint64_t end;

	memset(s, 0, sizeof(*s));
	s->r.s = rnd_u64(r);
	rig_init(&s->rig, pgtbl_case(name));
	s->granule = (uint64_t)1 << s->rig.c->granule_lg2;
	end = phyr_pgtbl_last(s->rig.pt) / 2 + 1;
	s->base = end - GRANULES / 2 * s->granule;
	for (unsigned i = 0; i < ROUNDS(4000000); i++)
		turn(s);
	for (unsigned i = 0; i < CALLS; i++)
		if (s->calls[i].len)
			assert_int_equal(phyr_pgtbl_unmap(s->rig.pt, s->calls[i].iova,
							  s->calls[i].len, &s->rig.g, NULL),
					 0);
	rig_sync(&s->rig);
	printf("# %-12s at most %llu tables of %llu, %llu after the last unmap", name,
	       (unsigned long long)s->most, (unsigned long long)bound(s),
	       (unsigned long long)phyr_pgtbl_tables(s->rig.pt));
	assert_int_equal(phyr_pgtbl_reclaim(s->rig.pt, s->base, GRANULES * s->granule, &s->rig.g),
			 0);
	rig_sync(&s->rig);
	printf(", %llu after a reclaim of the stretch\n",
	       (unsigned long long)phyr_pgtbl_tables(s->rig.pt));
	assert_int_equal(phyr_pgtbl_reclaim(s->rig.pt, 0, phyr_pgtbl_last(s->rig.pt), &s->rig.g),
			 0);
	rig_sync(&s->rig);
	assert_int_equal(phyr_pgtbl_tables(s->rig.pt), 1);
	assert_int_equal(s->rig.t.live_pages, s->granule >> 12);
	rig_fini(&s->rig);
}

static void tables_stay_bounded(void **state)
{
	static const char *const names[] = {"x86_64",     "vtdss",       "amdv1-4",
					    "riscv64-48", "arm64_s1-4k", "arm64_s1-64k"};
	struct rnd r = rnd_start("pgtbl/steady");
	struct steady *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		run(s, names[i], &r);
	free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables_stay_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
