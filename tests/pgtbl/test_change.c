/* SPDX-License-Identifier: MIT */
/* Cut, promote, dirty, reclaim and walk: what is seen while they work, and what each refuses. */
#include "core/bits.h"
#include "pgtbl/rig.h"

static void map_at(struct rig *rig, uint64_t iova, uint64_t addr, uint64_t len)
{
	struct phyr_cursor cur;

	phyr_cursor_init_range(&cur, addr, len);
	assert_int_equal(phyr_pgtbl_map(rig->pt, iova, &cur, RW, &rig->g), 0);
}

/* One map call that the table takes for two runs, though they lie together. */
static void map_halves(struct rig *rig, uint64_t iova, uint64_t addr, uint64_t len)
{
	struct phyr_slice slices[2];
	struct phyr_listv listv = {slices, 2};
	struct phyr_list list;
	struct phyr_cursor cur;
	uint64_t granule = (uint64_t)1 << rig->c->granule_lg2;

	phyr_list_init(&list, NULL, NULL);
	assert_int_equal(phyr_list_append(&list, addr, len), 0);
	assert_int_equal(phyr_slice_init(&slices[0], &list, 0, len - granule), 0);
	assert_int_equal(phyr_slice_init(&slices[1], &list, len - granule, granule), 0);
	phyr_cursor_init_listv(&cur, &listv);
	assert_int_equal(phyr_pgtbl_map(rig->pt, iova, &cur, RW, &rig->g), 0);
	phyr_list_fini(&list);
}

static uint64_t leaf_size(struct rig *rig, uint64_t iova)
{
	struct phyr_translation tr = {0};

	assert_int_equal(phyr_pgtbl_translate(rig->pt, iova, &tr), 0);
	return tr.leaf_size;
}

static int keep_table(void *arg, const struct phyr_pgtbl_entry *entry)
{
	if (!entry->level)
		*(uint64_t *)arg = entry->table;
	return 0;
}

/* A walker with the way to a table in its cache must find it as it was, until the sync. */
static void replaced_tables_stay_as_they_are(void **state)
{
	static const char *const names[] = {"x86_64", "vtdss", "amdv1-4-classic",
					    "riscv64-48-no-napot", "arm64_s1-4k-no-contiguous"};

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		const uint64_t soft = ~(UINT64_C(0x780) << 48 | UINT64_C(0x7f) << 52 | 0x31e);
		uint64_t table = 0, was[512], now;
		struct rig rig;

		rig_init(&rig, pgtbl_case(names[i]));
		/* The gather holds tables already: the link is not 0. */
		map_at(&rig, GIB(2), 0, MIB(4) - PAGE);
		assert_int_equal(phyr_pgtbl_unmap(rig.pt, GIB(2), MIB(4) - PAGE, &rig.g, NULL), 0);
		assert_int_equal(phyr_pgtbl_reclaim(rig.pt, GIB(2), MIB(4), &rig.g), 0);
		assert_true(rig.g.tables);
		map_halves(&rig, MIB(2), MIB(6), MIB(2));
		assert_int_equal(leaf_size(&rig, MIB(2)), PAGE);
		assert_int_equal(phyr_pgtbl_walk(rig.pt, MIB(2), MIB(2), keep_table, &table), 0);
		memcpy(was, rig_entry(&rig, table, 0), sizeof(was));
		assert_int_equal(phyr_pgtbl_promote(rig.pt, MIB(2), MIB(2), NULL, &rig.g, NULL), 0);
		assert_int_equal(leaf_size(&rig, MIB(2)), MIB(2));
		for (unsigned j = 0; j < 512; j++) {
			now = *rig_entry(&rig, table, j);
			/* Only bits that no format here looks at in its leaves. */
			assert_int_equal((now ^ was[j]) & soft, 0);
			if (rig.c->config.format != PHYR_PGTBL_AMDV1 &&
			    rig.c->config.format != PHYR_PGTBL_RISCV64)
				assert_int_equal((now ^ was[j]) & 0x31e, 0);
		}
		rig_sync(&rig);
		assert_int_equal(phyr_pgtbl_tables(rig.pt), rig_check_tables(&rig, 0, TIB(1)));
		rig_fini(&rig);
	}
}

/* Hardware that marks between a cut's first look at a leaf and its end: each of its turns is tried. */
struct late {
	struct tenv base;
	struct rig rig;
	uint64_t countdown;
	uint64_t iova;
};

static void *late_alloc(struct phyr_env *env, size_t size)
{
	struct late *l = container_of((struct tenv *)env, struct late, base);
	void *p = phyr_env_hosted()->alloc_pages(phyr_env_hosted(), size);

	if (!--l->countdown)
		rig_write(&l->rig, l->iova, 0);
	return p;
}

static uint64_t told_first, told_len;

static void tell(void *arg, uint64_t iova, uint64_t len)
{
	if (!told_len)
		told_first = iova;
	told_len += len;
}

static void assert_dirty(struct rig *rig, uint64_t iova, uint64_t len)
{
	told_len = 0;
	assert_int_equal(phyr_pgtbl_dirty(rig->pt, 0, TIB(1) / 16, false, tell, NULL, &rig->g), 0);
	assert_int_equal(told_len, len);
	if (len)
		assert_int_equal(told_first, iova);
}

static void marked_late(const struct pgtbl_case *c, uint64_t size, uint64_t n)
{
	struct late *l = calloc(1, sizeof(*l));

	assert_non_null(l);
	tenv_init(&l->base, NULL);
	l->base.env.alloc_pages = late_alloc;
	rig_init_on(&l->rig, c, &l->base.env);
	map_at(&l->rig, GIB(1), GIB(3), size);
	assert_int_equal(leaf_size(&l->rig, GIB(1)), size);
	assert_dirty(&l->rig, 0, 0);
	l->iova = GIB(1) + size / 4;
	l->countdown = n;
	assert_int_equal(phyr_pgtbl_cut(l->rig.pt, GIB(1) + size / 2, NULL, &l->rig.g), 0);
	assert_dirty(&l->rig, GIB(1), l->countdown - 1 >= n ? size : 0);
	rig_fini(&l->rig);
	free(l);
}

static void a_late_mark_is_carried_over(void **state)
{
	static const struct {
		const char *name;
		uint64_t size;
	} of[] = {{"x86_64-dirty", MIB(2)},      {"vtdss-dirty", GIB(1)},
		  {"amdv1-dirty", MIB(4)},       {"riscv64-48-dirty", MIB(2)},
		  {"riscv64-48-dirty", KIB(64)}, {"arm64_s1-4k-dirty", MIB(32)},
		  {"arm64_s2-4k-dirty", MIB(2)}};

	for (unsigned i = 0; i < ARRAY_SIZE(of); i++)
		for (uint64_t n = 1; n <= 3; n++)
			marked_late(pgtbl_case(of[i].name), of[i].size, n);
}

/* The same where entries are taken away first: what hardware still had under way ends with the sync. */
static void idle_write(void *arg, struct phyr_gather *gather)
{
	struct rig *rig = arg;

	case_set_dirty(rig->c, (uint64_t *)(uintptr_t)rig->user);
	phyr_gather_init(gather);
}

static int keep_leaf(void *arg, const struct phyr_pgtbl_entry *entry)
{
	if (entry->leaf)
		*(struct phyr_pgtbl_entry *)arg = *entry;
	return entry->leaf;
}

static void a_mark_before_the_break_ends_is_carried_over(void **state)
{
	const struct pgtbl_case *c = pgtbl_case("arm64_s1-4k-dirty-bbm0");
	struct phyr_pgtbl_idle idle = {idle_write, NULL};
	struct phyr_pgtbl_entry e;
	struct rig rig;

	rig_init(&rig, c);
	idle.arg = &rig;
	map_at(&rig, GIB(1), GIB(3), MIB(2));
	assert_int_equal(phyr_pgtbl_walk(rig.pt, GIB(1), 1, keep_leaf, &e), 1);
	rig.user = (uintptr_t)rig_entry(&rig, e.table, e.index);
	assert_int_equal(phyr_pgtbl_cut(rig.pt, GIB(1) + MIB(1), &idle, &rig.g), 0);
	assert_dirty(&rig, GIB(1), MIB(2));
	/* And in a table that is replaced. */
	map_halves(&rig, GIB(4), GIB(3), MIB(2));
	assert_int_equal(phyr_pgtbl_walk(rig.pt, GIB(4) + MIB(1), 1, keep_leaf, &e), 1);
	rig.user = (uintptr_t)rig_entry(&rig, e.table, e.index);
	assert_int_equal(phyr_pgtbl_promote(rig.pt, GIB(4), MIB(2), &idle, &rig.g, NULL), 0);
	assert_dirty(&rig, GIB(1), MIB(4));
	rig_fini(&rig);
}

static void refused(struct rig *rig, int got, int want, const char *call)
{
	assert_int_equal(got, want);
	assert_int_equal(rig->t.last.err, want);
	assert_string_equal(rig->t.last.call, call);
	assert_non_null(rig->t.last.hint);
	tenv_restart(&rig->t);
}

static void what_is_refused_is_reported(void **state)
{
	struct phyr_gather *g;
	struct phyr_pgtbl *pt;
	struct rig rig;

	rig_init(&rig, pgtbl_case("arm64_s1-4k-bbm0"));
	g = &rig.g;
	pt = rig.pt;
	map_at(&rig, GIB(1), GIB(1), GIB(1));
	refused(&rig, phyr_pgtbl_cut(pt, GIB(1) + 1, NULL, g), -EINVAL, "phyr_pgtbl_cut");
	refused(&rig, phyr_pgtbl_cut(pt, TIB(256), NULL, g), -ERANGE, "phyr_pgtbl_cut");
	refused(&rig, phyr_pgtbl_cut(pt, GIB(4), NULL, g), -ENOENT, "phyr_pgtbl_cut");
	refused(&rig, phyr_pgtbl_cut(pt, GIB(1) + MIB(2), NULL, g), -EOPNOTSUPP, "phyr_pgtbl_cut");
	refused(&rig, phyr_pgtbl_promote(pt, GIB(1), 0, NULL, g, NULL), -EINVAL,
		"phyr_pgtbl_promote");
	refused(&rig, phyr_pgtbl_promote(pt, GIB(1), 1, NULL, g, NULL), -EINVAL,
		"phyr_pgtbl_promote");
	refused(&rig, phyr_pgtbl_promote(pt, 0, TIB(257), NULL, g, NULL), -ERANGE,
		"phyr_pgtbl_promote");
	refused(&rig, phyr_pgtbl_dirty(pt, 0, 1, false, tell, NULL, g), -EOPNOTSUPP,
		"phyr_pgtbl_dirty");
	refused(&rig, phyr_pgtbl_reclaim(pt, 0, 0, g), -EINVAL, "phyr_pgtbl_reclaim");
	refused(&rig, phyr_pgtbl_reclaim(pt, TIB(256), 1, g), -ERANGE, "phyr_pgtbl_reclaim");
	refused(&rig, phyr_pgtbl_reclaim(pt, 0, GIB(1) + 1, g), -EBUSY, "phyr_pgtbl_reclaim");
	refused(&rig, phyr_pgtbl_walk(pt, 0, 0, keep_leaf, NULL), -EINVAL, "phyr_pgtbl_walk");
	refused(&rig, phyr_pgtbl_walk(pt, 1, UINT64_MAX, keep_leaf, NULL), -ERANGE,
		"phyr_pgtbl_walk");
	assert_int_equal(phyr_pgtbl_reclaim(pt, 0, GIB(1), g), 0);
	rig_fini(&rig);
	rig_init(&rig, pgtbl_case("vtdss-dirty"));
	refused(&rig, phyr_pgtbl_dirty(rig.pt, 0, 0, false, tell, NULL, &rig.g), -EINVAL,
		"phyr_pgtbl_dirty");
	refused(&rig, phyr_pgtbl_dirty(rig.pt, TIB(256), 1, false, tell, NULL, &rig.g), -ERANGE,
		"phyr_pgtbl_dirty");
	rig_fini(&rig);
}

/* Whoever cuts both ends of a range need not know whether they are edges. */
static void edges_are_edges(void **state)
{
	struct rig rig;

	rig_init(&rig, pgtbl_case("arm64_s1-4k-bbm0"));
	map_at(&rig, GIB(1), GIB(1), MIB(2));
	assert_int_equal(phyr_pgtbl_cut(rig.pt, GIB(1), NULL, &rig.g), 0);
	assert_int_equal(phyr_pgtbl_cut(rig.pt, GIB(1) + MIB(2), NULL, &rig.g), 0);
	assert_true(rig.g.start > rig.g.last);
	/* Between two leaves of one call, marks are all: no hardware minds. */
	map_at(&rig, GIB(2), GIB(2), MIB(4));
	assert_int_equal(phyr_pgtbl_unmap(rig.pt, GIB(2), MIB(2), &rig.g, NULL), -EINVAL);
	assert_int_equal(phyr_pgtbl_cut(rig.pt, GIB(2) + MIB(2), NULL, &rig.g), 0);
	assert_true(rig.g.start > rig.g.last);
	assert_int_equal(phyr_pgtbl_unmap(rig.pt, GIB(2), MIB(2), &rig.g, NULL), 0);
	assert_int_equal(phyr_pgtbl_unmap(rig.pt, GIB(2) + MIB(2), MIB(2), &rig.g, NULL), 0);
	rig_fini(&rig);
}

/* Where hardware may have cached what is no more. */
static void assert_gathered(struct rig *rig, uint64_t start, uint64_t last)
{
	assert_int_equal(rig->g.start, start);
	assert_int_equal(rig->g.last, last);
	rig_sync(rig);
}

static void what_changed_is_gathered(void **state)
{
	struct rig rig;

	rig_init(&rig, pgtbl_case("vtdss-dirty"));
	map_halves(&rig, GIB(1), GIB(1), MIB(2));
	assert_int_equal(phyr_pgtbl_promote(rig.pt, 0, GIB(4), NULL, &rig.g, NULL), 0);
	assert_gathered(&rig, GIB(1), GIB(1) + MIB(2) - 1);
	assert_dirty(&rig, GIB(1), MIB(2));
	/* Partly in the range: told, and not taken away. */
	assert_int_equal(phyr_pgtbl_dirty(rig.pt, GIB(1), MIB(1), true, tell, NULL, &rig.g), 0);
	assert_true(rig.g.start > rig.g.last);
	assert_dirty(&rig, GIB(1), MIB(2));
	assert_int_equal(phyr_pgtbl_dirty(rig.pt, 0, GIB(4), true, tell, NULL, &rig.g), 0);
	assert_gathered(&rig, GIB(1), GIB(1) + MIB(2) - 1);
	assert_dirty(&rig, 0, 0);
	assert_int_equal(phyr_pgtbl_cut(rig.pt, GIB(1) + PAGE, NULL, &rig.g), 0);
	assert_gathered(&rig, GIB(1), GIB(1) + MIB(2) - 1);
	assert_int_equal(phyr_pgtbl_unmap(rig.pt, GIB(1), PAGE, &rig.g, NULL), 0);
	assert_int_equal(phyr_pgtbl_unmap(rig.pt, GIB(1) + PAGE, MIB(2) - PAGE, &rig.g, NULL), 0);
	rig_sync(&rig);
	/* A leaf table, and all of the GiB's. */
	assert_int_equal(phyr_pgtbl_reclaim(rig.pt, GIB(1) - PAGE, MIB(3), &rig.g), 0);
	assert_gathered(&rig, GIB(1), GIB(1) + MIB(2) - 1);
	assert_int_equal(phyr_pgtbl_reclaim(rig.pt, PAGE, GIB(4), &rig.g), 0);
	assert_gathered(&rig, GIB(1), GIB(2) - 1);
	assert_int_equal(phyr_pgtbl_reclaim(rig.pt, PAGE, GIB(4), &rig.g), 0);
	assert_true(rig.g.start > rig.g.last);
	rig_fini(&rig);
}

/* Edges inside of a new leaf are gone; what lies over the range's ends holds it up. */
static void promotion_forgets_edges_inside(void **state)
{
	uint64_t leaves;
	struct rig rig;

	rig_init(&rig, pgtbl_case("x86_64"));
	map_at(&rig, GIB(1), GIB(1), MIB(3));
	map_at(&rig, GIB(1) + MIB(3), GIB(1) + MIB(3), KIB(4));
	map_at(&rig, GIB(1) + MIB(3) + KIB(4), GIB(1) + MIB(3) + KIB(4), MIB(2) - KIB(4));
	/* Not all of the second 2 MiB. */
	assert_int_equal(phyr_pgtbl_promote(rig.pt, GIB(1), MIB(4) - PAGE, NULL, &rig.g, &leaves),
			 0);
	assert_int_equal(leaves, 0);
	assert_true(rig.g.start > rig.g.last);
	assert_int_equal(phyr_pgtbl_promote(rig.pt, GIB(1), MIB(5), NULL, &rig.g, &leaves), 0);
	assert_int_equal(leaves, 1);
	assert_gathered(&rig, GIB(1) + MIB(2), GIB(1) + MIB(4) - 1);
	assert_int_equal(leaf_size(&rig, GIB(1) + MIB(3)), MIB(2));
	assert_int_equal(phyr_pgtbl_unmap(rig.pt, GIB(1), MIB(3), &rig.g, NULL), -EINVAL);
	assert_int_equal(phyr_pgtbl_unmap(rig.pt, GIB(1) + MIB(3), MIB(2), &rig.g, NULL), -EINVAL);
	assert_int_equal(phyr_pgtbl_unmap(rig.pt, GIB(1) + MIB(2), MIB(2), &rig.g, NULL), -EINVAL);
	/* A cut makes one again, and that one is the way it was. */
	assert_int_equal(phyr_pgtbl_cut(rig.pt, GIB(1) + MIB(3), NULL, &rig.g), 0);
	assert_int_equal(phyr_pgtbl_unmap(rig.pt, GIB(1) + MIB(3), MIB(2), &rig.g, NULL), 0);
	assert_int_equal(phyr_pgtbl_unmap(rig.pt, GIB(1), MIB(3), &rig.g, NULL), 0);
	rig_fini(&rig);
}

/* Between leaves that a promotion makes, and between one and what stays, calls still meet. */
static void promotion_keeps_edges_between(void **state)
{
	uint64_t leaves;
	struct rig rig;

	rig_init(&rig, pgtbl_case("vtdss"));
	for (uint64_t at = 0; at < MIB(5); at += MIB(1))
		map_at(&rig, GIB(1) + at, GIB(3) + at, MIB(1));
	assert_int_equal(phyr_pgtbl_promote(rig.pt, GIB(1), MIB(5), NULL, &rig.g, &leaves), 0);
	assert_int_equal(leaves, 2);
	for (uint64_t at = 0; at < MIB(4); at += MIB(2)) {
		assert_int_equal(leaf_size(&rig, GIB(1) + at), MIB(2));
		assert_int_equal(phyr_pgtbl_unmap(rig.pt, GIB(1) + at, MIB(2), &rig.g, NULL), 0);
	}
	assert_int_equal(phyr_pgtbl_unmap(rig.pt, GIB(1) + MIB(4), MIB(1), &rig.g, NULL), 0);
	rig_fini(&rig);
}

/* All entries of a table, but for where they lead to tables. */
struct shape {
	uint64_t iova, level, entry;
};

struct dump {
	struct shape *e;
	size_t nr, room;
};

static int dump_entry(void *arg, const struct phyr_pgtbl_entry *entry)
{
	struct dump *d = arg;

	if (d->nr == d->room) {
		d->room = 2 * d->room + 1024;
		d->e = realloc(d->e, d->room * sizeof(*d->e));
		assert_non_null(d->e);
	}
	d->e[d->nr++] = (struct shape){entry->iova, entry->level, entry->leaf ? entry->entry : 0};
	return 0;
}

static struct dump dump_all(struct rig *rig)
{
	struct dump d = {0};

	assert_int_equal(phyr_pgtbl_walk(rig->pt, 0, phyr_pgtbl_last(rig->pt), dump_entry, &d), 0);
	return d;
}

/* Cut each leaf in parts, and put them together again. */
static void cut_all(struct rig *rig, const struct phyr_pgtbl_idle *idle, uint64_t iova,
		    uint64_t len)
{
	const uint64_t g = (uint64_t)1 << rig->c->granule_lg2;

	for (uint64_t at = iova, size; at - iova < len; at += size) {
		size = leaf_size(rig, at);
		for (uint64_t part = g; part < size; part = 5 * part + g)
			assert_int_equal(phyr_pgtbl_cut(rig->pt, at + part, idle, &rig->g), 0);
	}
}

static void cut_and_promote(const struct pgtbl_case *c, uint64_t iova, uint64_t len)
{
	struct phyr_pgtbl_idle idle;
	struct dump was, now;
	uint64_t leaves;
	struct rig rig;

	rig_init(&rig, c);
	idle = rig_idle(&rig);
	map_at(&rig, iova, iova, len);
	was = dump_all(&rig);
	cut_all(&rig, &idle, iova, len);
	rig_sync(&rig);
	assert_int_equal(phyr_pgtbl_promote(rig.pt, iova, len, &idle, &rig.g, &leaves), 0);
	assert_true(leaves);
	now = dump_all(&rig);
	assert_int_equal(was.nr, now.nr);
	assert_memory_equal(was.e, now.e, now.nr * sizeof(*now.e));
	free(was.e);
	free(now.e);
	rig_sync(&rig);
	assert_int_equal(phyr_pgtbl_tables(rig.pt),
			 rig_check_tables(&rig, 0, phyr_pgtbl_last(rig.pt)));
	assert_int_equal(phyr_pgtbl_unmap(rig.pt, iova, len, &rig.g, NULL), 0);
	rig_fini(&rig);
}

/* Bit for bit the same, marks of edges too, in every configuration that has larger leaves. */
static void a_promotion_takes_cuts_back(void **state)
{
	for (unsigned i = 0; i < pgtbl_nr_cases; i++) {
		const struct pgtbl_case *c = &pgtbl_cases[i];
		uint64_t g = (uint64_t)1 << c->granule_lg2, sizes = c->sizes & ~g, size;

		for (; sizes; sizes &= sizes - 1) {
			size = sizes & -sizes;
			/* From a granule before a leaf to one behind it. */
			if (size <= GIB(1) && size < (uint64_t)1 << (c->iova_bits - 2))
				cut_and_promote(c, size - g, size + 2 * g);
		}
	}
}

/* Page by page, then all at once: one sync for many, and as few leaves as one call makes. */
static void leaves_share_a_sync(void **state)
{
	struct phyr_pgtbl_idle idle;
	uint64_t leaves;
	struct rig rig;

	rig_init(&rig, pgtbl_case("arm64_s1-4k-bbm0"));
	idle = rig_idle(&rig);
	for (uint64_t at = 0; at < MIB(20); at += PAGE)
		map_at(&rig, GIB(1) + MIB(2) + at, GIB(1) + MIB(2) + at, PAGE);
	assert_int_equal(phyr_pgtbl_promote(rig.pt, GIB(1), GIB(1), NULL, &rig.g, &leaves), 0);
	assert_int_equal(leaves, 0);
	assert_int_equal(rig.syncs, 0);
	assert_int_equal(phyr_pgtbl_promote(rig.pt, GIB(1), GIB(1), &idle, &rig.g, &leaves), 0);
	assert_int_equal(leaves, 10);
	assert_int_equal(rig.syncs, 1);
	assert_int_equal(rig.synced_start, GIB(1) + MIB(2));
	assert_int_equal(rig.synced_last, GIB(1) + MIB(22) - 1);
	/* 160 of 64 KiB: more than one portion. */
	for (uint64_t at = 0; at < MIB(10); at += PAGE)
		map_at(&rig, GIB(3) + at, GIB(3) + at + KIB(64), PAGE);
	assert_int_equal(phyr_pgtbl_promote(rig.pt, GIB(3), GIB(1), &idle, &rig.g, &leaves), 0);
	assert_int_equal(leaves, 160);
	assert_int_equal(rig.syncs, 3);
	for (uint64_t at = 0; at < MIB(10); at += PAGE)
		assert_int_equal(leaf_size(&rig, GIB(3) + at), KIB(64));
	rig_sync(&rig);
	assert_int_equal(phyr_pgtbl_tables(rig.pt), rig_check_tables(&rig, 0, TIB(1)));
	rig_fini(&rig);
}

/* Entries as a dump shows them, until the callback has seen enough. */
struct shown {
	struct phyr_pgtbl_entry e[16];
	unsigned nr, stop;
};

static int show(void *arg, const struct phyr_pgtbl_entry *entry)
{
	struct shown *s = arg;

	s->e[s->nr++] = *entry;
	return s->nr == s->stop ? 42 : 0;
}

static void walk_shows_entries(void **state)
{
	struct shown s = {.nr = 0};
	struct rig rig;

	rig_init(&rig, pgtbl_case("vtdss-3"));
	map_at(&rig, GIB(1) + MIB(2), GIB(5), MIB(2) + 2 * PAGE);
	assert_int_equal(phyr_pgtbl_walk(rig.pt, GIB(1) + MIB(3), GIB(9), show, &s), 0);
	/* The top's entry, a leaf that began before, a table, two leaves. */
	assert_int_equal(s.nr, 5);
	assert_int_equal(s.e[0].table, phyr_pgtbl_root(rig.pt));
	assert_int_equal(s.e[0].iova, GIB(1));
	assert_int_equal(s.e[0].size, GIB(1));
	assert_int_equal(s.e[0].level, 2);
	assert_int_equal(s.e[0].index, 1);
	assert_false(s.e[0].leaf);
	assert_int_equal(s.e[1].table, s.e[0].addr);
	assert_int_equal(s.e[1].iova, GIB(1) + MIB(2));
	assert_int_equal(s.e[1].addr, GIB(5));
	assert_int_equal(s.e[1].leaf_size, MIB(2));
	assert_int_equal(s.e[1].prot, RW);
	assert_int_equal(s.e[1].entry, GIB(5) | 0x83 | UINT64_C(1) << 52);
	assert_true(s.e[1].leaf);
	assert_int_equal(s.e[2].level, 1);
	assert_int_equal(s.e[2].index, 2);
	assert_false(s.e[2].leaf);
	assert_int_equal(s.e[3].table, s.e[2].addr);
	assert_int_equal(s.e[4].iova, GIB(1) + MIB(4) + PAGE);
	assert_int_equal(s.e[4].addr, GIB(5) + MIB(2) + PAGE);
	s = (struct shown){.stop = 3};
	assert_int_equal(phyr_pgtbl_walk(rig.pt, 0, GIB(9), show, &s), 42);
	assert_int_equal(s.nr, 3);
	rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replaced_tables_stay_as_they_are),
		cmocka_unit_test(a_late_mark_is_carried_over),
		cmocka_unit_test(a_mark_before_the_break_ends_is_carried_over),
		cmocka_unit_test(what_is_refused_is_reported),
		cmocka_unit_test(edges_are_edges),
		cmocka_unit_test(what_changed_is_gathered),
		cmocka_unit_test(promotion_forgets_edges_inside),
		cmocka_unit_test(promotion_keeps_edges_between),
		cmocka_unit_test(a_promotion_takes_cuts_back),
		cmocka_unit_test(leaves_share_a_sync),
		cmocka_unit_test(walk_shows_entries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
