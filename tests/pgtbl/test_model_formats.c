/* SPDX-License-Identifier: MIT */
/*
 * Random maps, unmaps, cuts, promotions, dirty reads and reclaims on every format in every configuration,
 * beside a model that knows each granule.
 */
#include <stdio.h>

#include "core/bits.h"
#include "pgtbl/play.h"

static enum model_live live(const struct play *p, bool idle)
{
	if (idle || p->c->hitless)
		return MODEL_LIVE_ALL;
	return p->c->config.bbm ? MODEL_LIVE_RUNS : MODEL_LIVE_NOTHING;
}

/* What the format makes of a prot. */
static unsigned seen_prot(const struct play *p, unsigned prot)
{
	prot = case_prot(p->c, prot);
	return case_tells_mmio(p->c) ? prot : prot & ~(unsigned)PHYR_MMIO;
}

static unsigned random_prot(struct play *p)
{
	return 1 + (unsigned)below(p, 3) + (once(p, 8) ? PHYR_MMIO : 0);
}

/* The runs of p at iova. */
static void map_runs(struct play *p, uint64_t iova, unsigned prot)
{
	uint64_t last, entries = p->rig.g.entries;
	struct phyr_cursor cur;
	struct source s;
	int err, want;

	last = iova + p->skip + p->len - 1;
	want = model_is_empty(&p->m, iova, last) ? 0 : -EEXIST;
	phyr_list_init(&s.list, &p->rig.t.env, NULL);
	play_cursor(p, &s, &cur);
	err = phyr_pgtbl_map(p->rig.pt, iova + p->skip, &cur, prot, &p->rig.g);
	assert_int_equal(err, want);
	assert_int_equal(cur.left, err ? p->len : 0);
	assert_true(!err || p->rig.g.entries == entries);
	phyr_list_fini(&s.list);
	if (!err)
		model_map(&p->m, iova, p->runs, p->nr_runs, seen_prot(p, prot));
	p->maps += !err;
	p->clashes += err != 0;
	play_check(p, iova, last);
}

static void do_map(struct play *p)
{
	uint64_t iova = play_iova(p);

	play_runs(p, iova);
	map_runs(p, iova, random_prot(p));
}

/* The start of the map call that a mapped granule belongs to, and its end. */
static uint64_t call_start(const struct model *m, uint64_t iova)
{
	while (!(*model_at(m, iova) & MODEL_FIRST))
		iova -= m->granule;
	return iova;
}

static uint64_t call_last(const struct model *m, uint64_t iova)
{
	while (!(*model_at(m, iova) & MODEL_LAST))
		iova += m->granule;
	return iova + m->granule - 1;
}

/* What a list of unmapped memory must be: what the model has, in order. */
static void check_out(struct play *p, struct phyr_list *out, uint64_t start, uint64_t last)
{
	struct phyr_cursor cur;
	struct phyr_range r = {0, 0};

	phyr_cursor_init(&cur, out);
	for (uint64_t n = (last - start) >> p->m.granule_lg2, i = 0; i <= n; i++) {
		uint64_t word = *model_at(&p->m, start + (i << p->m.granule_lg2));

		if (!word)
			continue;
		if (!r.len)
			assert_true(phyr_cursor_next(&cur, &r));
		assert_int_equal(r.addr, model_addr(&p->m, word));
		r.addr += p->m.granule;
		r.len -= p->m.granule;
	}
	assert_int_equal(r.len, 0);
	assert_false(phyr_cursor_next(&cur, &r));
}

static void unmap_range(struct play *p, uint64_t start, uint64_t last)
{
	bool edges = model_has_edges(&p->m, start, last), want_out = once(p, 8);
	uint64_t into = below(p, p->m.granule), less = below(p, p->m.granule);
	struct phyr_gather *g = &p->rig.g, was = *g;
	struct phyr_list out;
	int err;

	if (last - start - into < less)
		less = 0;
	phyr_list_init(&out, &p->rig.t.env, NULL);
	err = phyr_pgtbl_unmap(p->rig.pt, start + into, last - less - (start + into) + 1, g,
			       want_out ? &out : NULL);
	assert_int_equal(err, edges ? 0 : -EINVAL);
	if (err) {
		assert_memory_equal(g, &was, sizeof(was));
		p->refused++;
	} else {
		assert_true(g->start <= start && g->last >= last);
		if (want_out)
			check_out(p, &out, start, last);
		model_unmap(&p->m, start, last);
		p->unmaps++;
	}
	phyr_list_fini(&out);
	play_check(p, start, last);
}

static void do_unmap(struct play *p)
{
	uint64_t start, last;

	if (once(p, 8)) { /* anything; mostly no edges */
		start = play_iova(p);
		last = play_last(p, start, play_len(p));
	} else {
		if (!play_mapped(p, &start))
			return;
		last = call_last(&p->m, start);
		start = call_start(&p->m, start);
		while (once(p, 4)) { /* holes and other calls lie between */
			uint64_t more = last + 1 + (below(p, 64) << p->m.granule_lg2);

			if (more > last && more <= model_last(&p->m) && *model_at(&p->m, more))
				last = call_last(&p->m, more);
		}
	}
	unmap_range(p, start, last);
}

/* Unmap all that is in a range, in part or whole. */
static void empty(struct play *p, uint64_t start, uint64_t last)
{
	for (uint64_t at = start; at - start <= last - start; at += p->m.granule)
		if (*model_at(&p->m, at)) {
			uint64_t end = call_last(&p->m, at);

			unmap_range(p, call_start(&p->m, at), end);
			if (end >= last)
				return;
			at = end + 1 - p->m.granule;
		}
}

/* What is to come of a cut, in the model; whether it must sync in its midst. */
static int cut_model(struct play *p, uint64_t iova, bool idle, bool *sync)
{
	int err = model_cut(&p->m, iova, live(p, false));

	*sync = err == -EOPNOTSUPP && idle;
	return *sync ? model_cut(&p->m, iova, MODEL_LIVE_ALL) : err;
}

static void cut_at(struct play *p, uint64_t iova)
{
	bool idle = once(p, 2), sync;
	struct phyr_pgtbl_idle how = rig_idle(&p->rig);
	struct phyr_gather *g = &p->rig.g;
	uint64_t was = *model_at(&p->m, iova), syncs = p->rig.syncs, size;
	int want = cut_model(p, iova, idle, &sync), err;

	err = phyr_pgtbl_cut(p->rig.pt, iova, idle ? &how : NULL, g);
	if (err != want)
		fail_msg("%s: cut %llx: %d, should %d", p->c->name, (unsigned long long)iova, err,
			 want);
	assert_int_equal(p->rig.syncs, syncs + sync);
	assert_int_equal(p->rig.nr_seen, 0);
	if (*model_at(&p->m, iova) >> MODEL_LG2 << (64 - 6) != was >> MODEL_LG2 << (64 - 6)) {
		size = model_leaf_size(was);
		assert_true(g->start <= (iova & ~(size - 1)) && g->last >= (iova | (size - 1)));
	}
	p->cuts += !err;
	p->refused += err != 0;
	play_check(p, iova > p->m.base ? iova - p->m.granule : iova, iova);
}

static void do_cut(struct play *p)
{
	uint64_t iova, word;

	if (!play_mapped(p, &iova) && !once(p, 8))
		return;
	word = *model_at(&p->m, iova);
	if (word && once(p, 4)) { /* into a leaf */
		uint64_t inside = model_leaf_size(word) - 1;

		iova = (iova & ~inside) + (below(p, inside + 1) & ~(p->m.granule - 1));
	}
	cut_at(p, iova);
}

/* A table that a leaf took the place of while in use may have been written by: then so is the leaf. */
static void grew(void *arg, uint64_t iova, uint64_t size)
{
	struct play *p = arg;
	uint64_t word = *model_at(&p->m, iova);

	assert_true(p->rig.g.start <= iova && p->rig.g.last >= iova + (size - 1));
	assert_false(rig_saw(&p->rig, iova, size, model_entry_size(&p->m, size)));
	if (p->broken)
		assert_true(p->rig.synced_start <= iova && p->rig.synced_last >= iova + (size - 1));
	if (p->unsure && word & PHYR_WRITE && rig_is_dirty(&p->rig, iova))
		model_write(&p->m, iova);
}

static void promote(struct play *p, uint64_t start, uint64_t last)
{
	bool idle = once(p, 2);
	struct phyr_pgtbl_idle how = rig_idle(&p->rig);
	uint64_t leaves = 0, want, syncs = p->rig.syncs;

	assert_int_equal(phyr_pgtbl_promote(p->rig.pt, start, last - start + 1, idle ? &how : NULL,
					    &p->rig.g, &leaves),
			 0);
	p->unsure = p->c->config.dirty && p->c->hitless && !idle;
	p->broken = idle && !p->c->hitless && !p->c->config.bbm;
	want = model_promote(&p->m, start, last, live(p, idle), grew, p);
	if (leaves != want)
		fail_msg("%s: promote %llx..%llx: %llu leaves grew, should %llu", p->c->name,
			 (unsigned long long)start, (unsigned long long)last,
			 (unsigned long long)leaves, (unsigned long long)want);
	/* As many as fit share a sync. */
	syncs = p->rig.syncs - syncs;
	assert_true(idle && !p->c->hitless ? syncs <= (leaves + 127) / 128 : !syncs);
	p->promoted += leaves;
	play_check(p, start, last);
}

static void do_promote(struct play *p)
{
	uint64_t start = play_iova(p);

	promote(p, start, play_last(p, start, once(p, 4) ? p->zone_len : play_len(p) * 4));
}

/* The device writes somewhere. */
static void write_at(struct play *p, uint64_t iova)
{
	uint64_t word = *model_at(&p->m, iova);

	if (!p->c->config.dirty || !(word & PHYR_WRITE) ||
	    model_leaf_size(word) > p->m.granule << 12)
		return;
	rig_write(&p->rig, iova, rnd_u64(&p->r));
	model_write(&p->m, iova);
}

static void do_write(struct play *p)
{
	uint64_t iova;

	if (play_mapped(p, &iova))
		write_at(p, iova);
}

/* One of the leaf sizes above the granule that fit the area twice; 0: there are none. */
static uint64_t larger_size(struct play *p)
{
	uint64_t sizes = p->m.sizes & ~p->m.granule;

	sizes &= ((uint64_t)1 << (lg2_u64(p->m.nr) + p->m.granule_lg2)) - 1;
	if (!sizes)
		return 0;
	for (uint64_t n = below(p, (uint64_t)__builtin_popcountll(sizes)); n; n--)
		sizes &= sizes - 1;
	return sizes & -sizes;
}

/* What lies together, by several calls: edges that a promotion forgets. */
static void map_pieces(struct play *p, uint64_t start, uint64_t last)
{
	uint64_t addr, len, at = start, most = (last - start + 1) >> p->m.granule_lg2;
	unsigned prot = random_prot(p);

	play_sliced(p, start, last - start + 1);
	addr = p->runs[0].addr;
	p->sliced = false;
	for (; at <= last && at >= start; at += len, addr += len) {
		len = min_u64(rnd_log(&p->r, 1, most) << p->m.granule_lg2, last - at + 1);
		p->runs[0] = (struct phyr_range){addr, len};
		p->nr_runs = 1;
		p->len = len;
		map_runs(p, at, once(p, 16) ? random_prot(p) : prot);
	}
}

/* What came in slices or several calls, then grows: a large leaf's place, and half as much again. */
static void do_large(struct play *p)
{
	uint64_t start = play_iova(p), last, turns = below(p, 3), size = larger_size(p);

	if (!size || (size > p->m.granule << 10 && !once(p, 8)))
		return;
	start &= ~(size - 1);
	if (start < p->m.base || model_last(&p->m) - start < size - 1)
		return;
	last = play_last(p, start, size + size / 2);
	empty(p, start, last);
	if (once(p, 2)) {
		map_pieces(p, start, last);
	} else {
		play_sliced(p, start, last - start + 1);
		map_runs(p, start, random_prot(p));
	}
	while (turns--)
		write_at(p, start + (below(p, last - start + 1) & ~(p->m.granule - 1)));
	if (once(p, 2))
		promote(p, start, last);
}

/* What phyr_pgtbl_dirty() told. */
struct told {
	struct play *p;
	uint64_t *next; /* all before was told or is clean */
	uint64_t lg2;   /* size of the leaves told last */
	bool adjoining; /* nothing was passed over since */
};

static void pass_clean(struct told *t, const uint64_t *end)
{
	for (; t->next < end; t->next++, t->adjoining = false)
		if (*t->next & MODEL_DIRTY)
			fail_msg("%s: a write was not told: %016llx", t->p->c->name,
				 (unsigned long long)*t->next);
}

static void tell(void *arg, uint64_t iova, uint64_t len)
{
	struct told *t = arg;
	uint64_t *p = model_at(&t->p->m, iova), lg2 = *p >> MODEL_LG2 & 63;

	assert_true(p >= t->next && len);
	pass_clean(t, p);
	assert_false(t->adjoining && lg2 == t->lg2);
	for (; t->next <= model_at(&t->p->m, iova + len - 1); t->next++) {
		assert_true(*t->next & MODEL_DIRTY);
		assert_int_equal(*t->next >> MODEL_LG2 & 63, lg2);
	}
	t->lg2 = lg2;
	t->adjoining = true;
	t->p->dirtied++;
}

static void do_dirty(struct play *p)
{
	uint64_t start = play_iova(p), last = play_last(p, start, play_len(p) * 8);
	struct told t = {.p = p, .next = model_at(&p->m, start)};
	bool clear = once(p, 2);
	int err;

	err = phyr_pgtbl_dirty(p->rig.pt, start, last - start + 1, clear, tell, &t, &p->rig.g);
	if (!p->c->config.dirty) {
		assert_int_equal(err, -EOPNOTSUPP);
		p->refused++;
		return;
	}
	assert_int_equal(err, 0);
	pass_clean(&t, model_at(&p->m, last) + 1);
	if (clear)
		model_clean(&p->m, start, last);
	play_check(p, start, last);
}

static int is_table_within(void *arg, const struct phyr_pgtbl_entry *e)
{
	const uint64_t *range = arg;

	return !e->leaf && e->iova >= range[0] && e->iova + (e->size - 1) <= range[1];
}

static void do_reclaim(struct play *p)
{
	uint64_t start = play_iova(p), range[2];
	struct phyr_gather was = p->rig.g;
	int err;

	if (once(p, 2))
		start = max_u64(start & ~(model_entry_size(&p->m, p->m.granule << 13) - 1),
				p->m.base);
	range[0] = start;
	range[1] = play_last(p, start, p->size << below(p, 12));
	err = phyr_pgtbl_reclaim(p->rig.pt, start, range[1] - start + 1, &p->rig.g);
	if (!model_is_empty(&p->m, start, range[1])) {
		assert_int_equal(err, -EBUSY);
		assert_memory_equal(&p->rig.g, &was, sizeof(was));
		p->refused++;
		return;
	}
	assert_int_equal(err, 0);
	assert_int_equal(
		phyr_pgtbl_walk(p->rig.pt, start, range[1] - start + 1, is_table_within, range), 0);
	p->reclaims++;
}

/* A map that must be refused, with the gather and the cursor as they were. */
static void bad_map(struct play *p, uint64_t iova, const struct phyr_range *ranges, size_t nr,
		    unsigned prot, int want)
{
	struct phyr_gather was = p->rig.g;
	struct phyr_cursor cur, before;

	assert_int_equal(phyr_cursor_init_ranges(&before, ranges, nr), 0);
	cur = before;
	assert_int_equal(phyr_pgtbl_map(p->rig.pt, iova, &cur, prot, &p->rig.g), want);
	assert_memory_equal(&p->rig.g, &was, sizeof(was));
	assert_int_equal(cur.left, before.left);
	assert_int_equal(p->rig.t.last.err, want);
	assert_string_equal(p->rig.t.last.call, "phyr_pgtbl_map");
}

static void do_bad_map(struct play *p)
{
	const uint64_t g = p->m.granule, end = (uint64_t)1 << p->c->oa_bits;
	uint64_t iova = play_iova(p), part = 1 + below(p, g - 1), last = phyr_pgtbl_last(p->rig.pt);
	const struct phyr_range one = {g, g}, ends_inside[] = {{g, part}, {8 * g, g}};
	const struct phyr_range wide = {end, g}, over = {end - g, 2 * g};
	const struct phyr_range wraps = {UINT64_MAX - (g - 1), g};
	static const unsigned prots[] = {0, 8, PHYR_MMIO, RW | 8, ~0u};

	if (last - iova < 4 * g)
		iova = p->m.base;
	bad_map(p, iova + part, &one, 1, RW, -EINVAL);
	bad_map(p, iova, &(struct phyr_range){g + part, 1}, 1, RW, -EINVAL);
	bad_map(p, iova, ends_inside, 2, RW, -EINVAL);
	bad_map(p, iova, NULL, 0, RW, -EINVAL);
	bad_map(p, iova, &one, 1, prots[below(p, ARRAY_SIZE(prots))], -EINVAL);
	bad_map(p, iova, &wide, 1, RW, -ERANGE);
	bad_map(p, iova, &over, 1, RW, -ERANGE);
	bad_map(p, iova, &wraps, 1, RW, -ERANGE);
	bad_map(p, last - (g - 1), &(struct phyr_range){0, 2 * g}, 1, RW, -ERANGE);
	if (last != UINT64_MAX)
		bad_map(p, last + 1, &one, 1, RW, -ERANGE);
	p->refused += 10;
	play_check(p, iova, iova);
}

static void do_bad_range(struct play *p)
{
	const uint64_t g = p->m.granule;
	struct phyr_pgtbl *pt = p->rig.pt;
	uint64_t iova = play_iova(p), part = 1 + below(p, g - 1), last = phyr_pgtbl_last(pt);
	struct phyr_gather *to = &p->rig.g, was = *to;

	if (last - iova < 2 * g)
		iova = p->m.base;
	assert_int_equal(phyr_pgtbl_unmap(pt, iova, 0, to, NULL), -EINVAL);
	assert_int_equal(phyr_pgtbl_unmap(pt, last, 2, to, NULL), -ERANGE);
	assert_int_equal(phyr_pgtbl_cut(pt, iova + part, NULL, to), -EINVAL);
	assert_int_equal(phyr_pgtbl_promote(pt, iova, 0, NULL, to, NULL), -EINVAL);
	assert_int_equal(phyr_pgtbl_promote(pt, iova + part, g, NULL, to, NULL), -EINVAL);
	assert_int_equal(phyr_pgtbl_promote(pt, iova, part, NULL, to, NULL), -EINVAL);
	assert_int_equal(phyr_pgtbl_promote(pt, last - (g - 1), 2 * g, NULL, to, NULL), -ERANGE);
	assert_int_equal(phyr_pgtbl_reclaim(pt, iova, 0, to), -EINVAL);
	assert_int_equal(phyr_pgtbl_reclaim(pt, last, 2, to), -ERANGE);
	assert_int_equal(phyr_pgtbl_walk(pt, iova, 0, is_table_within, NULL), -EINVAL);
	assert_int_equal(phyr_pgtbl_walk(pt, last, 2, is_table_within, NULL), -ERANGE);
	if (p->c->config.dirty) {
		assert_int_equal(phyr_pgtbl_dirty(pt, iova, 0, true, tell, NULL, to), -EINVAL);
		assert_int_equal(phyr_pgtbl_dirty(pt, last, 2, true, tell, NULL, to), -ERANGE);
	}
	if (last != UINT64_MAX) {
		assert_int_equal(phyr_pgtbl_cut(pt, last + 1, NULL, to), -ERANGE);
		assert_int_equal(phyr_pgtbl_translate(pt, last + 1, &(struct phyr_translation){0}),
				 -ERANGE);
	}
	assert_memory_equal(to, &was, sizeof(was));
	p->refused += 11;
	play_check(p, iova, iova);
}

static void do_one(struct play *p)
{
	uint64_t what = below(p, 64);

	p->ops++;
	if (what < 22)
		do_map(p);
	else if (what < 38)
		do_unmap(p);
	else if (what < 46)
		do_cut(p);
	else if (what < 52)
		do_promote(p);
	else if (what < 56)
		do_write(p);
	else if (what < 60)
		do_dirty(p);
	else if (what < 62)
		do_reclaim(p);
	else if (once(p, 16))
		do_bad_map(p);
	else if (once(p, 16))
		do_bad_range(p);
	else if (once(p, 8))
		rig_sync(&p->rig);
	else
		do_large(p);
}

/* All of it away: then reclaim leaves the top table only. */
static void finish(struct play *p)
{
	uint64_t last = phyr_pgtbl_last(p->rig.pt), len = last + 1 ? last + 1 : last, first;

	play_check_all(p);
	for (uint64_t i = 0; i < p->m.nr; i++)
		if (p->m.page[i]) {
			first = p->m.base + (i << p->m.granule_lg2);
			unmap_range(p, first, call_last(&p->m, first));
		}
	assert_int_equal(phyr_pgtbl_reclaim(p->rig.pt, 0, len, &p->rig.g), 0);
	play_check_all(p);
	assert_int_equal(phyr_pgtbl_tables(p->rig.pt), 1);
}

static uint64_t total, checks;

/* So many operations in an area of so many granules. */
static void run_case(const struct pgtbl_case *c, struct rnd *r, uint64_t ops, uint64_t granules)
{
	struct play p;
	uint64_t tables = 0;

	play_init(&p, c, granules, r);
	assert_int_equal(phyr_pgtbl_last(p.rig.pt), UINT64_MAX >> (64 - c->iova_bits));
	assert_int_equal(p.m.sizes & (CASE_SIZES_BELOW - 1), c->sizes);
	assert_int_equal(phyr_pgtbl_change(p.rig.pt),
			 c->hitless ? PHYR_CHANGE_HITLESS : PHYR_CHANGE_IDLE);
	while (p.ops < ops) {
		do_one(&p);
		tables = max_u64(tables, phyr_pgtbl_tables(p.rig.pt));
	}
	finish(&p);
	printf("# %-24s %llu maps, %llu clashes, %llu unmaps, %llu cuts, %llu leaves grew, %llu "
	       "dirty, "
	       "%llu reclaims, %llu refused; at most %llu tables\n",
	       c->name, (unsigned long long)p.maps, (unsigned long long)p.clashes,
	       (unsigned long long)p.unmaps, (unsigned long long)p.cuts,
	       (unsigned long long)p.promoted, (unsigned long long)p.dirtied,
	       (unsigned long long)p.reclaims, (unsigned long long)p.refused,
	       (unsigned long long)tables);
	total += p.ops;
	checks += p.checks;
	play_fini(&p);
}

/* Areas of four gigabytes and more are for a few operations; of some tables' reach, for most. */
static void each_format(void **state)
{
	struct rnd r = rnd_start("pgtbl/model-formats");
	const char *only = getenv("PHYR_TEST_CASE");

	for (unsigned i = 0; i < pgtbl_nr_cases; i++) {
		const struct pgtbl_case *c = &pgtbl_cases[i];

		if (only && strcmp(only, c->name))
			continue;
		run_case(c, &r, ROUNDS(180000), 16384);
		run_case(c, &r, ROUNDS(20000), 1 << 20);
	}
	printf("# %llu operations, %llu granules looked at\n", (unsigned long long)total,
	       (unsigned long long)checks);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_format),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
