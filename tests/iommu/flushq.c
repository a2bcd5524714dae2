/* SPDX-License-Identifier: MIT */
/* The fake backend with its invalidations looked at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "iommu/flushq.h"
#include "pgtbl/table.h"

struct fq f;

bool fq_is_free(uint64_t iova, uint64_t len)
{
	struct phyr_iova *space = phyr_domain_iova(f.domain);
	int err = phyr_iova_alloc_at(space, iova, len);

	if (err)
		assert_int_equal(err, -EEXIST);
	else
		phyr_iova_free(space, iova, len);
	return !err;
}

static void free_table(uint64_t *table)
{
	f.t.env.free_pages(&f.t.env, table, PAGE);
}

/* Those that wait: the one that is being put does once it is in the queue. */
static unsigned waiting(void)
{
	return f.nr + (f.putting && fq_stats().puts != f.puts_before);
}

/* Each table that waits for this invalidation is in the chain, once, and none else is. */
static void take_tables(const struct phyr_gather *gather)
{
	uint64_t link = gather->tables;
	unsigned wanted = 0, found = 0;

	for (unsigned i = 0, nr = waiting(); i < nr; i++)
		for (uint64_t *t = f.tracked[i].invalidated ? NULL : f.tracked[i].table; t;
		     t = (uint64_t *)(uintptr_t)t[1])
			wanted++;
	while (link) {
		uint64_t *table = pgtbl_link_table(link);

		assert_int_equal(pgtbl_link_level(link), table[2]);
		link = table[0];
		free_table(table);
		found++;
	}
	assert_int_equal(found, wanted);
}

/* What is too long to wait is alone in its invalidation, with its tables. */
static void sync_large(struct phyr_gather *gather)
{
	struct tracked *e = &f.tracked[f.nr];

	assert_int_equal(gather->start, e->start);
	assert_int_equal(gather->last, e->last);
	assert_false(fq_is_free(e->iova, e->len));
	for (uint64_t link = gather->tables; link;) {
		uint64_t *table = pgtbl_link_table(link);

		link = table[0];
		free_table(table);
	}
	e->invalidated = true;
	f.large++;
	phyr_gather_init(gather);
}

/* The invalidation itself: until it is over nothing has been given back. */
static void sync_checked(void *ctx, struct phyr_gather *gather)
{
	f.syncs++;
	if (f.putting && f.tracked[f.nr].len > f.max_bytes) {
		sync_large(gather);
		return;
	}
	take_tables(gather);
	for (unsigned i = 0, nr = waiting(); i < nr; i++) {
		struct tracked *e = &f.tracked[i];

		if (e->invalidated)
			continue;
		assert_false(e->len && fq_is_free(e->iova, e->len));
		assert_in_range(e->start, gather->start, gather->last);
		assert_in_range(e->last, gather->start, gather->last);
		e->invalidated = true;
	}
	phyr_gather_init(gather);
}

static void flush_all_counted(void *ctx)
{
	f.flush_alls++;
}

void fq_check(void)
{
	struct phyr_flushq_stats stats = fq_stats();
	uint64_t bytes = 0;
	unsigned left = 0;

	for (unsigned i = 0; i < f.nr; i++) {
		struct tracked *e = &f.tracked[i];

		if (e->len)
			assert_int_equal(fq_is_free(e->iova, e->len), e->invalidated);
		if (!e->invalidated) {
			bytes += e->len;
			f.tracked[left++] = *e;
		}
	}
	f.nr = left;
	assert_int_equal(stats.waiting, left);
	assert_int_equal(stats.waiting_bytes, bytes);
}

/* Tables as an unmap cuts them off; the second word is the test's own list, the third the level. */
static uint64_t *cut_tables(struct phyr_gather *gather, unsigned nr)
{
	uint64_t *list = NULL;

	for (unsigned i = 0; i < nr; i++) {
		uint64_t *table = f.t.env.alloc_pages(&f.t.env, PAGE);

		assert_non_null(table);
		table[0] = gather->tables;
		table[1] = (uint64_t)(uintptr_t)list;
		table[2] = i % 4;
		gather->tables = pgtbl_link(table, i % 4);
		list = table;
	}
	return list;
}

void fq_put(uint64_t pages, unsigned tables)
{
	struct phyr_iova *space = phyr_domain_iova(f.domain);
	struct tracked *e = &f.tracked[f.nr];
	struct phyr_gather gather;

	assert_true(f.nr < MAX_TRACKED);
	*e = (struct tracked){.len = pages * PAGE};
	if (pages)
		assert_int_equal(phyr_iova_alloc(space, e->len, NULL, &e->iova), 0);
	phyr_gather_init(&gather);
	gather.start = e->start = e->iova;
	gather.last = e->last = e->iova + (pages ? e->len : PAGE) - 1;
	e->table = cut_tables(&gather, tables);
	f.puts_before = fq_stats().puts;
	f.putting = true;
	phyr_flushq_put(f.q, e->iova, e->len, &gather);
	f.putting = false;
	assert_true(gather_holds_nothing(&gather));
	f.nr++;
}

struct phyr_flushq_stats fq_stats(void)
{
	struct phyr_flushq_stats stats;

	phyr_flushq_get_stats(f.q, &stats);
	return stats;
}

static unsigned set_slot(struct phyr_env *env)
{
	return f.slot;
}

static uint64_t set_clock(struct phyr_env *env)
{
	return f.now;
}

void fq_init(unsigned entries, uint64_t max_age_ns)
{
	fq_init_bytes(entries, max_age_ns, 0, 0);
}

void fq_init_bytes(unsigned entries, uint64_t max_age_ns, uint64_t max_bytes, uint64_t last)
{
	const struct phyr_flushq_config config = {.size = sizeof(config),
						  .entries = entries,
						  .max_bytes = max_bytes,
						  .max_age_ns = max_age_ns};

	memset(&f, 0, sizeof(f));
	f.max_bytes = max_bytes ? max_bytes : UINT64_MAX;
	tenv_init(&f.t, NULL);
	f.t.env.nr_slots = SLOTS;
	f.t.env.slot = set_slot;
	f.t.env.now_ns = set_clock;
	f.now = 1000000;
	fake_init(&f.fake, &f.t.env, true);
	f.ops = *f.fake.iommu.ops;
	f.ops.sync = sync_checked;
	f.ops.flush_all = flush_all_counted;
	f.fake.iommu.ops = &f.ops;
	if (last)
		f.fake.aperture.last = last;
	assert_int_equal(phyr_domain_create(&f.fake.iommu, &f.domain), 0);
	assert_int_equal(phyr_domain_attach(f.domain, 1), 0);
	assert_int_equal(phyr_flushq_create(f.domain, &config, &f.q), 0);
}

void fq_fini(void)
{
	struct phyr_iova_stats stats;

	phyr_flushq_destroy(f.q);
	phyr_iova_get_stats(phyr_domain_iova(f.domain), &stats);
	assert_int_equal(stats.live, 0);
	phyr_domain_detach(f.domain, 1);
	phyr_domain_destroy(f.domain);
	tenv_fini(&f.t);
}
