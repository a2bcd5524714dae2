/* SPDX-License-Identifier: MIT */
/*
 * What a format can be and what not, and that its leaves lead where they should: by the public calls
 * alone, on every format and granule. Entries bit by bit are the golden tests' matter.
 */
#include "core/bits.h"
#include "lib/near.h"
#include "pgtbl/setup.h"

#define PLAIN_48 (UINT64_C(1) << 48)

/* A format as its header describes it. */
struct shape {
	const char *name;
	enum phyr_pgtbl_format format;
	unsigned granule_lg2;
	unsigned levels;  /* asked for */
	unsigned oa_bits; /* asked for */
	unsigned made;    /* levels that come of it */
	uint64_t last;
	uint64_t sizes;
	uint64_t addr; /* an address with the highest bits set that there are */
};

#define A64_4K  (KIB(4) | KIB(64) | MIB(2) | MIB(32) | GIB(1) | GIB(16))
#define A64_16K (KIB(16) | MIB(2) | MIB(32) | GIB(1))
#define A64_64K (KIB(64) | MIB(2) | MIB(512) | GIB(16))
#define LONG    (KIB(4) | MIB(2) | GIB(1))
#define BITS(n) ((UINT64_C(1) << (n)) - 1)
#define TOP(n)  (UINT64_C(1) << ((n)-1))

static const struct shape shapes[] = {
	{"x86_64", PHYR_PGTBL_X86_64, 0, 0, 0, 4, BITS(47), LONG, TOP(52)},
	{"x86_64/5", PHYR_PGTBL_X86_64, 12, 5, 49, 5, BITS(56), LONG, TOP(49)},
	{"vtdss/3", PHYR_PGTBL_VTDSS, 0, 3, 0, 3, BITS(39), LONG, TOP(52)},
	{"vtdss", PHYR_PGTBL_VTDSS, 0, 0, 0, 4, BITS(48), LONG, TOP(52)},
	{"vtdss/5", PHYR_PGTBL_VTDSS, 0, 5, 0, 5, BITS(57), LONG, TOP(52)},
	{"amdv1/1", PHYR_PGTBL_AMDV1, 0, 1, 0, 1, BITS(21), BITS(21) & ~BITS(12), TOP(52)},
	{"amdv1/2", PHYR_PGTBL_AMDV1, 0, 2, 0, 2, BITS(30), BITS(30) & ~BITS(12), TOP(52)},
	{"amdv1/3", PHYR_PGTBL_AMDV1, 0, 3, 0, 3, BITS(39), BITS(39) & ~BITS(12), TOP(52)},
	{"amdv1", PHYR_PGTBL_AMDV1, 0, 0, 0, 4, BITS(48), BITS(48) & ~BITS(12), TOP(52)},
	{"amdv1/5", PHYR_PGTBL_AMDV1, 0, 5, 0, 5, BITS(57), BITS(52) & ~BITS(12), TOP(52)},
	{"amdv1/6", PHYR_PGTBL_AMDV1, 0, 6, 48, 6, UINT64_MAX, BITS(48) & ~BITS(12), TOP(48)},
	{"s1/4k", PHYR_PGTBL_ARM64_S1, 0, 0, 0, 4, BITS(48), A64_4K, TOP(48)},
	{"s1/4k/3", PHYR_PGTBL_ARM64_S1, 12, 3, 48, 3, BITS(39), A64_4K, TOP(48)},
	{"s1/4k/2", PHYR_PGTBL_ARM64_S1, 12, 2, 48, 2, BITS(30), A64_4K &BITS(30), TOP(48)},
	{"s1/4k/lpa2", PHYR_PGTBL_ARM64_S1, 12, 0, 52, 4, BITS(48), A64_4K, TOP(52) | TOP(49)},
	{"s1/16k", PHYR_PGTBL_ARM64_S1, 14, 0, 0, 4, BITS(48), A64_16K, TOP(48)},
	{"s1/16k/3", PHYR_PGTBL_ARM64_S1, 14, 3, 0, 3, BITS(47), A64_16K, TOP(48)},
	{"s1/16k/lpa2", PHYR_PGTBL_ARM64_S1, 14, 0, 52, 4, BITS(48), A64_16K, TOP(52) | TOP(51)},
	{"s1/64k", PHYR_PGTBL_ARM64_S1, 16, 0, 0, 3, BITS(48), A64_64K, TOP(48)},
	{"s1/64k/2", PHYR_PGTBL_ARM64_S1, 16, 2, 0, 2, BITS(42), A64_64K, TOP(48)},
	{"s1/64k/lpa", PHYR_PGTBL_ARM64_S1, 16, 0, 52, 3, BITS(48), A64_64K, TOP(52) | TOP(49)},
	{"s2/4k", PHYR_PGTBL_ARM64_S2, 0, 0, 0, 4, BITS(48), A64_4K, TOP(48)},
	{"s2/4k/lpa2", PHYR_PGTBL_ARM64_S2, 12, 3, 51, 3, BITS(39), A64_4K, TOP(51)},
	{"s2/16k", PHYR_PGTBL_ARM64_S2, 14, 0, 0, 3, BITS(48), A64_16K, TOP(48)},
	{"s2/16k/2", PHYR_PGTBL_ARM64_S2, 14, 2, 0, 2, BITS(36), A64_16K, TOP(48)},
	{"s2/16k/lpa2", PHYR_PGTBL_ARM64_S2, 14, 3, 52, 3, BITS(48), A64_16K, TOP(52)},
	{"s2/64k", PHYR_PGTBL_ARM64_S2, 16, 0, 49, 3, BITS(48), A64_64K, TOP(49)},
	{"riscv64/3", PHYR_PGTBL_RISCV64, 0, 3, 0, 3, BITS(38), LONG | KIB(64), TOP(56)},
	{"riscv64", PHYR_PGTBL_RISCV64, 0, 0, 0, 4, BITS(47), LONG | KIB(64) | GIB(512), TOP(56)},
	{"riscv64/5", PHYR_PGTBL_RISCV64, 0, 5, 0, 5, BITS(56),
	 LONG | KIB(64) | GIB(512) | TIB(256), TOP(56)},
};

struct bench {
	struct tenv t;
	struct phyr_pgtbl *pt;
	struct phyr_gather g;
	const struct shape *shape;
	uint64_t granule;
};

static struct phyr_pgtbl_config config_of(const struct shape *s)
{
	return (struct phyr_pgtbl_config){.size = sizeof(struct phyr_pgtbl_config),
					  .format = s->format,
					  .granule_lg2 = s->granule_lg2,
					  .levels = s->levels,
					  .oa_bits = s->oa_bits};
}

/* Addresses as wide as the highest that there is. */
static struct phyr_env *env_of(const struct shape *s)
{
	return near_env(lg2_u64(s->addr) + 1);
}

static void bench_init(struct bench *b, const struct shape *s)
{
	struct phyr_pgtbl_config c = config_of(s);

	b->shape = s;
	tenv_init(&b->t, env_of(s));
	b->t.env.phys_delta += s->addr; /* so tables have high addresses, too */
	assert_int_equal(phyr_pgtbl_create(&b->t.env, &c, &b->pt), 0);
	phyr_gather_init(&b->g);
	b->granule = UINT64_C(1) << (s->granule_lg2 ? s->granule_lg2 : 12);
}

static void bench_fini(struct bench *b)
{
	phyr_pgtbl_free_gathered(b->pt, &b->g);
	phyr_pgtbl_destroy(b->pt);
	tenv_fini(&b->t);
}

static int map_prot(struct bench *b, uint64_t iova, uint64_t addr, uint64_t len, unsigned prot)
{
	struct phyr_cursor cur;

	phyr_cursor_init_range(&cur, addr, len);
	return phyr_pgtbl_map(b->pt, iova, &cur, prot, &b->g);
}

static void leads_to(struct bench *b, uint64_t iova, uint64_t addr, uint64_t size, unsigned prot)
{
	struct phyr_translation t;

	assert_int_equal(phyr_pgtbl_translate(b->pt, iova, &t), 0);
	assert_int_equal(t.addr, addr);
	assert_int_equal(t.leaf_size, size);
	assert_int_equal(t.prot, prot);
}

static void leads_nowhere(struct bench *b, uint64_t iova)
{
	struct phyr_translation t;

	assert_int_equal(phyr_pgtbl_translate(b->pt, iova, &t), -ENOENT);
}

static void each_shape(void (*fn)(struct bench *b))
{
	struct bench b;

	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
		print_message("%s\n", shapes[i].name);
		bench_init(&b, &shapes[i]);
		fn(&b);
		bench_fini(&b);
	}
}

static void geometry(struct bench *b)
{
	assert_int_equal(phyr_pgtbl_levels(b->pt), b->shape->made);
	assert_int_equal(phyr_pgtbl_last(b->pt), b->shape->last);
	assert_int_equal(phyr_pgtbl_page_sizes(b->pt), b->shape->sizes);
	assert_int_equal(phyr_pgtbl_tables(b->pt), 1);
}

static void geometries(void **state)
{
	each_shape(geometry);
}

static unsigned rights(const struct shape *s, unsigned prot)
{
	bool no_less = s->format == PHYR_PGTBL_X86_64 || s->format == PHYR_PGTBL_ARM64_S1 ||
		       s->format == PHYR_PGTBL_RISCV64;

	return (prot & RW) | (no_less ? PHYR_READ : 0u);
}

/* One leaf of each size, its edges, and that half of it cannot be unmapped. */
static void one_leaf(struct bench *b, uint64_t size, unsigned prot)
{
	uint64_t iova = size > (b->shape->last >> 1) ? 0 : size, addr = b->shape->addr, n;
	struct phyr_list out;

	if (size > b->shape->addr)
		return;
	addr |= size < addr >> 1 ? size : 0;
	assert_int_equal(map_prot(b, iova, addr, size, prot), 0);
	for (n = 0; n < 3; n++) {
		leads_to(b, iova + n * b->granule % size + 5, addr + n * b->granule % size + 5,
			 size, rights(b->shape, prot));
		leads_to(b, iova + (size - 1 - n), addr + (size - 1 - n), size,
			 rights(b->shape, prot));
	}
	if (iova)
		leads_nowhere(b, iova - 1);
	if (iova + size - 1 < b->shape->last)
		leads_nowhere(b, iova + size);
	for (n = b->granule; n < size; n <<= 1) {
		assert_int_equal(phyr_pgtbl_unmap(b->pt, iova, n, &b->g, NULL), -EINVAL);
		assert_int_equal(phyr_pgtbl_unmap(b->pt, iova + n, size - n, &b->g, NULL), -EINVAL);
		assert_int_equal(map_prot(b, iova + n, 0, b->granule, RW), -EEXIST);
	}
	phyr_list_init(&out, &b->t.env, NULL);
	assert_int_equal(phyr_pgtbl_unmap(b->pt, iova, size, &b->g, &out), 0);
	assert_int_equal(phyr_list_first_addr(&out), addr);
	assert_int_equal(out.len, size);
	assert_int_equal(out.nr_runs, 1);
	phyr_list_fini(&out);
	leads_nowhere(b, iova);
	leads_nowhere(b, iova + size - 1);
}

static void all_leaves(struct bench *b)
{
	static const unsigned prots[] = {PHYR_READ, PHYR_WRITE, RW, RW | PHYR_MMIO,
					 PHYR_READ | PHYR_MMIO};

	for (uint64_t sizes = b->shape->sizes; sizes; sizes &= sizes - 1)
		for (size_t i = 0; i < ARRAY_SIZE(prots); i++)
			one_leaf(b, sizes & -sizes, prots[i]);
}

static void a_leaf_of_each_size(void **state)
{
	each_shape(all_leaves);
}

/* A run that climbs from the granule to a larger leaf and down again, with the fewest leaves. */
static void climb(struct bench *b, uint64_t large)
{
	uint64_t iova = large - b->granule, len = large + 2 * b->granule, nr = 0, at, size;
	uint64_t addr = (b->shape->addr & ~(4 * large - 1)) + iova;
	struct phyr_translation t;

	if (b->shape->last < 4 * large || b->shape->addr < 4 * large)
		return;
	assert_int_equal(map_prot(b, iova, addr, len, RW), 0);
	for (at = iova; at < iova + len; at += t.leaf_size, nr++) {
		assert_int_equal(phyr_pgtbl_translate(b->pt, at, &t), 0);
		assert_int_equal(t.addr, addr + (at - iova));
		size = at == iova || at == iova + len - b->granule ? b->granule : large;
		assert_int_equal(t.leaf_size, size);
	}
	assert_int_equal(nr, 3);
	assert_int_equal(map_prot(b, at - b->granule, addr, b->granule, RW), -EEXIST);
	assert_int_equal(phyr_pgtbl_unmap(b->pt, iova, len, &b->g, NULL), 0);
}

static void climb_to_each(struct bench *b)
{
	for (uint64_t sizes = b->shape->sizes & ~b->granule; sizes; sizes &= sizes - 1)
		climb(b, sizes & -sizes);
}

static void climbing(void **state)
{
	each_shape(climb_to_each);
}

/* Scattered granules, over the edges of tables and of folded address bits. */
static void scatter(struct bench *b)
{
	const uint64_t nr = 700, above = b->shape->addr;
	uint64_t iova = b->granule, step = 3 * b->granule;
	struct phyr_list list;
	struct phyr_cursor cur;

	if (b->shape->last < (nr + 1) * b->granule)
		iova = 0;
	phyr_list_init(&list, &b->t.env, NULL);
	for (uint64_t i = 0; i < nr && i * b->granule <= b->shape->last; i++)
		assert_int_equal(
			phyr_list_append(&list, (i & 1 ? above : 0) + i * step, b->granule), 0);
	phyr_cursor_init(&cur, &list);
	if (list.len - 1 > b->shape->last - iova) {
		assert_int_equal(phyr_pgtbl_map(b->pt, iova, &cur, RW, &b->g), -ERANGE);
	} else {
		assert_int_equal(phyr_pgtbl_map(b->pt, iova, &cur, RW, &b->g), 0);
		for (uint64_t i = 0; i < list.len / b->granule; i++)
			leads_to(b, iova + i * b->granule + 9, (i & 1 ? above : 0) + i * step + 9,
				 b->granule, RW);
		assert_int_equal(phyr_pgtbl_unmap(b->pt, iova, list.len, &b->g, NULL), 0);
	}
	phyr_list_fini(&list);
}

static void scattered(void **state)
{
	each_shape(scatter);
}

/* The last iova that there is, and the highest addresses: a run up to them, and one too many. */
static void edge(struct bench *b)
{
	uint64_t len = 40 * b->granule, iova = b->shape->last - (len - 1),
		 addr = 2 * b->shape->addr;

	/* The highest bit set is the highest there is. */
	addr = (UINT64_C(2) << lg2_u64(b->shape->addr)) - len;
	assert_int_equal(map_prot(b, iova, addr + b->granule, len, RW), -ERANGE);
	if (iova)
		assert_int_equal(map_prot(b, iova, addr, len + b->granule, RW), -ERANGE);
	leads_nowhere(b, iova);
	assert_int_equal(map_prot(b, iova, addr, len, RW), 0);
	for (uint64_t at = 0; at < len; at += b->granule) {
		struct phyr_translation t;

		assert_int_equal(phyr_pgtbl_translate(b->pt, iova + at, &t), 0);
		assert_int_equal(t.addr, addr + at);
	}
	assert_int_equal(phyr_pgtbl_unmap(b->pt, iova, len, &b->g, NULL), 0);
	leads_nowhere(b, b->shape->last);
}

static void up_to_the_edges(void **state)
{
	each_shape(edge);
}

/* A run over the place where a folded address bit changes, in entries that count upwards. */
static void over_a_fold(void **state)
{
	const uint64_t folds[] = {PLAIN_48, 2 * PLAIN_48, 4 * PLAIN_48, 8 * PLAIN_48};
	struct bench b;

	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
		bench_init(&b, &shapes[i]);
		for (size_t f = 0; f < ARRAY_SIZE(folds) && folds[f] < shapes[i].addr; f++) {
			uint64_t addr = folds[f] - 7 * b.granule, len = 20 * b.granule;

			assert_int_equal(map_prot(&b, 0, addr, len, RW), 0);
			for (uint64_t at = 0; at < len; at += b.granule)
				leads_to(&b, at, addr + at, b.granule, RW);
			assert_int_equal(phyr_pgtbl_unmap(b.pt, 0, len, &b.g, NULL), 0);
		}
		bench_fini(&b);
	}
}

static void no_flush(struct phyr_env *env, const void *p, size_t len)
{
}

static void refused_for(const struct phyr_pgtbl_config *c, const char *hint)
{
	struct phyr_pgtbl *pt = NULL;
	struct tenv t;

	tenv_init(&t, NULL);
	t.env.flush_lines = no_flush;
	assert_int_equal(phyr_pgtbl_create(&t.env, c, &pt), -EINVAL);
	assert_null(pt);
	assert_int_equal(t.reports, 1);
	assert_non_null(t.last.hint);
	assert_non_null(strstr(t.last.hint, hint));
	tenv_fini(&t);
}

static void refused(const struct phyr_pgtbl_config *c)
{
	refused_for(c, "");
}

static bool has_granule(enum phyr_pgtbl_format format, unsigned granule_lg2)
{
	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++)
		if (shapes[i].format == format &&
		    (shapes[i].granule_lg2 ? shapes[i].granule_lg2 : 12) == granule_lg2)
			return true;
	return false;
}

static void granules(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
		struct phyr_pgtbl_config c = config_of(&shapes[i]);

		for (c.granule_lg2 = 0; c.granule_lg2 <= 64; c.granule_lg2++)
			if (!has_granule(c.format, c.granule_lg2 ? c.granule_lg2 : 12))
				refused(&c);
	}
}

/* Whether all accesses can be made to snoop. */
static bool snoops(enum phyr_pgtbl_format format)
{
	return format == PHYR_PGTBL_VTDSS || format == PHYR_PGTBL_AMDV1;
}

/* Fewest and most levels, widest addresses, and what only some formats have. */
static void choices(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
		const struct phyr_pgtbl_config good = config_of(&shapes[i]);
		struct phyr_pgtbl_config c;
		unsigned oa = lg2_u64(shapes[i].addr) + 1;
		bool arm = good.format == PHYR_PGTBL_ARM64_S1 || good.format == PHYR_PGTBL_ARM64_S2;

		c = good, c.levels = 7, refused(&c);
		if (good.format != PHYR_PGTBL_AMDV1)
			c = good, c.levels = 1, refused(&c);
		c = good, c.oa_bits = (oa > 52 ? 56 : 52) + 1, refused(&c);
		c = good, c.oa_bits = good.granule_lg2 ? good.granule_lg2 : 12, refused(&c);
		c = good, c.page_sizes = KIB(2) | TOP(60), refused(&c);
		c = good, c.bbm = arm ? 3 : 1, refused(&c);
		if (!snoops(good.format))
			c = good, c.force_snoop = true, refused(&c);
		c = good, c.dirty = c.noncoherent = true, refused_for(&c, "dirty");
	}
}

static void levels_of_arm(void **state)
{
	struct phyr_pgtbl_config c = {.size = sizeof(c), .format = PHYR_PGTBL_ARM64_S2};

	c.granule_lg2 = 14, c.levels = 4, refused(&c);
	c.granule_lg2 = 16, c.levels = 4, refused(&c);
	c.granule_lg2 = 12, c.levels = 5, refused(&c);
	c.format = PHYR_PGTBL_ARM64_S1;
	c.granule_lg2 = 14, c.levels = 5, refused(&c);
	c.granule_lg2 = 16, c.levels = 4, refused(&c);
}

static void how_it_changes(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
		struct phyr_pgtbl_config c = config_of(&shapes[i]);
		bool arm = c.format == PHYR_PGTBL_ARM64_S1 || c.format == PHYR_PGTBL_ARM64_S2;

		for (c.bbm = 0; c.bbm <= (arm ? 2 : 0); c.bbm++) {
			bool hitless = !arm || c.bbm == 2;
			struct phyr_pgtbl *pt;

			assert_int_equal(phyr_pgtbl_create(env_of(&shapes[i]), &c, &pt), 0);
			assert_int_equal(phyr_pgtbl_change(pt),
					 hitless ? PHYR_CHANGE_HITLESS : PHYR_CHANGE_IDLE);
			phyr_pgtbl_destroy(pt);
		}
	}
}

/* Rights read the same where dirty marks are left to hardware, or accesses made to snoop. */
static void rights_with_choices(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
		struct phyr_pgtbl_config c = config_of(&shapes[i]);
		struct bench b = {.shape = &shapes[i]};

		c.dirty = true;
		c.force_snoop = snoops(c.format);
		tenv_init(&b.t, env_of(b.shape));
		b.t.env.phys_delta += b.shape->addr;
		assert_int_equal(phyr_pgtbl_create(&b.t.env, &c, &b.pt), 0);
		phyr_gather_init(&b.g);
		b.granule = b.shape->sizes & -b.shape->sizes;
		all_leaves(&b);
		bench_fini(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(geometries),
		cmocka_unit_test(a_leaf_of_each_size),
		cmocka_unit_test(climbing),
		cmocka_unit_test(scattered),
		cmocka_unit_test(up_to_the_edges),
		cmocka_unit_test(over_a_fold),
		cmocka_unit_test(granules),
		cmocka_unit_test(choices),
		cmocka_unit_test(levels_of_arm),
		cmocka_unit_test(how_it_changes),
		cmocka_unit_test(rights_with_choices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
