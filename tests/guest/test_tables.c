/* SPDX-License-Identifier: MIT */
/*
 * VT-d tables that Linux built, beside those that phyr builds for the same: each mapping is made
 * by the kernel, for a real device, and in a second-stage table of phyr's own, from the physical
 * addresses that pagemap tells. Then the kernel shows its table in debugfs, entry by entry of each
 * way from the top to a leaf, and ours is walked, by a walker that is written down here.
 *
 * What may differ, and nothing else does:
 * - Addresses of tables: of entries that lead to tables the flags are compared.
 * - Bits 54:52, which hardware ignores: ours mark the edges of map calls, and what is not flushed
 *   yet.
 * - R of leaves that a device may only write: Linux's driver sets it in each entry, as first-stage
 *   tables want their present bit, which is the same. Ours has the rights that were asked for,
 *   which is looked at.
 */
#define _GNU_SOURCE
#include "guest/rig_kernel.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <phyr/pgtbl.h>
#include <phyr/source.h>

#include "core/bits.h"
#include "lib/rnd.h"

#define K      0x1000ull
#define M      0x100000ull
#define HUGE   (2 * M)
#define G      (1024 * M)
#define RW     (PHYR_READ | PHYR_WRITE)
#define LEVELS 4 /* at most */

/* VT-d 9.8: 51:12 address, 11 snoop, 7 a leaf above the lowest level, 1 write, 0 read. */
#define ADDRESS ((uint64_t)0x000ffffffffff000)
#define IGNORED ((uint64_t)7 << 52)
#define LARGE   (1u << 7)
#define SNP     (1u << 11)
#define R       (1u << 0)
#define W       (1u << 1)

/* Memory: huge pages and small ones in turn, two of each at a time. */
#define ARENA_BLOCKS 12
#define ARENA        (ARENA_BLOCKS * HUGE)
#define MAX_MAPS     24
#define MAX_PAGES    1536
#define STEPS        96
#define LOOK_EVERY   8

/* A leaf and the way to it: path[level], 0 above it the table's entries, 0 below it. */
struct row {
	uint64_t iova;
	uint64_t path[LEVELS];
};

struct rows {
	struct row *row;
	size_t nr, room;
};

struct mapping {
	uint64_t iova;
	unsigned char *p;
	uint64_t len;
	unsigned prot;
};

struct fixture {
	struct rig rig;
	unsigned levels;
	struct phyr_pgtbl *ours;
	unsigned char *arena;
	int pagemap;
	struct mapping maps[MAX_MAPS];
	unsigned nr;
	struct rows theirs_seen, ours_seen;
};

static struct fixture f;

/* ---- memory ---- */

static void map_block(unsigned char *p, bool huge)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | (huge ? MAP_HUGETLB : 0);

	assert_ptr_equal(mmap(p, HUGE, PROT_READ | PROT_WRITE, flags, -1, 0), p);
	if (!huge)
		madvise(p, HUGE, MADV_NOHUGEPAGE);
	for (uint64_t at = 0; at < HUGE; at += K)
		p[at] = 1;
}

static void make_arena(void)
{
	unsigned char *p = mmap(NULL, ARENA + HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(p, MAP_FAILED);
	f.arena = p + (-(uintptr_t)p & (HUGE - 1));
	for (unsigned i = 0; i < ARENA_BLOCKS; i++)
		map_block(f.arena + i * HUGE, i % 4 < 2);
}

/* Linux, Documentation/admin-guide/mm/pagemap: bit 63 present, 54:0 frame. */
static uint64_t physical(const unsigned char *p)
{
	uint64_t entry = 0;

	assert_int_equal(pread(f.pagemap, &entry, 8, (off_t)((uintptr_t)p / K * 8)), 8);
	assert_true(entry >> 63);
	assert_true((entry & (((uint64_t)1 << 55) - 1)) != 0);
	return (entry & (((uint64_t)1 << 55) - 1)) * K;
}

/* ---- both tables ---- */

static void map_theirs(const struct mapping *m)
{
	struct phyr_list list;
	struct phyr_cursor cur;

	phyr_list_init(&list, NULL, phyr_space_user());
	assert_int_equal(phyr_source_append(&list, m->p, m->len), 0);
	phyr_cursor_init(&cur, &list);
	assert_int_equal(phyr_domain_map(f.rig.domain, m->iova, phyr_space_user(), &cur, m->prot),
			 0);
	phyr_list_fini(&list);
}

/* After the kernel's, which may move pages as it pins them. */
static void map_ours(const struct mapping *m)
{
	struct phyr_gather gather;
	struct phyr_list list;
	struct phyr_cursor cur;

	phyr_gather_init(&gather);
	phyr_list_init(&list, NULL, NULL);
	for (uint64_t at = 0; at < m->len; at += K)
		assert_int_equal(phyr_list_append(&list, physical(m->p + at), K), 0);
	phyr_cursor_init(&cur, &list);
	assert_int_equal(phyr_pgtbl_map(f.ours, m->iova, &cur, m->prot, &gather), 0);
	phyr_pgtbl_free_gathered(f.ours, &gather);
	phyr_list_fini(&list);
}

static void map_both(uint64_t iova, unsigned char *p, uint64_t len, unsigned prot)
{
	struct mapping *m = &f.maps[f.nr++];

	assert_true(f.nr <= MAX_MAPS);
	*m = (struct mapping){iova, p, len, prot};
	map_theirs(m);
	map_ours(m);
}

static void unmap_both(unsigned i)
{
	struct mapping m = f.maps[i];
	struct phyr_gather gather;

	phyr_gather_init(&gather);
	assert_int_equal(phyr_domain_unmap(f.rig.domain, m.iova, m.len, &gather), 0);
	phyr_domain_sync(f.rig.domain, &gather);
	phyr_gather_init(&gather);
	assert_int_equal(phyr_pgtbl_unmap(f.ours, m.iova, m.len, &gather, NULL), 0);
	phyr_pgtbl_free_gathered(f.ours, &gather);
	f.maps[i] = f.maps[--f.nr];
}

/* ---- what they hold ---- */

static void add(struct rows *rows, const struct row *row)
{
	if (rows->nr == rows->room) {
		rows->room = 2 * rows->room + 64;
		rows->row = realloc(rows->row, rows->room * sizeof(*row));
		assert_non_null(rows->row);
	}
	rows->row[rows->nr++] = *row;
}

/*
 * A line of domain_translation_struct, as 6.12 prints it: the iova's page number, a bar, and the
 * entries from level 5 down to the leaf. The top one is 0 in tables of four levels.
 */
static bool parse(const char *line, struct row *row)
{
	uint64_t page, top, e[LEVELS] = {0};
	int n = sscanf(line,
		       "0x%" SCNx64 " | 0x%" SCNx64 " 0x%" SCNx64 " 0x%" SCNx64 " 0x%" SCNx64
		       " 0x%" SCNx64,
		       &page, &top, &e[3], &e[2], &e[1], &e[0]);

	if (n < 4)
		return false;
	assert_int_equal(top, 0);
	*row = (struct row){.iova = page * K};
	memcpy(row->path, e, sizeof(e));
	return true;
}

static void look_at_theirs(struct rows *rows)
{
	char path[128], line[256];
	struct row row;
	FILE *file;

	snprintf(path, sizeof(path), "/sys/kernel/debug/iommu/intel/%s/domain_translation_struct",
		 getenv("GUEST_EDU"));
	file = fopen(path, "r");
	if (!file)
		fail_msg("no %s", path);
	rows->nr = 0;
	while (fgets(line, sizeof(line), file))
		if (parse(line, &row))
			add(rows, &row);
	assert_int_equal(fclose(file), 0);
}

/* The hosted environment's physical addresses are addresses. */
static void walk(struct rows *rows, struct row way, uint64_t table, unsigned level)
{
	const uint64_t *entries = (const uint64_t *)(uintptr_t)table;

	for (unsigned i = 0; i < 512; i++) {
		struct row here = way;
		uint64_t e = entries[i];

		if (!(e & (R | W)))
			continue;
		here.iova |= (uint64_t)i << (12 + 9 * level);
		here.path[level] = e;
		if (!level || e & LARGE)
			add(rows, &here);
		else
			walk(rows, here, e & ADDRESS, level - 1);
	}
}

static void look_at_ours(struct rows *rows)
{
	rows->nr = 0;
	walk(rows, (struct row){0}, phyr_pgtbl_root(f.ours), f.levels - 1);
}

/* ---- beside each other ---- */

/* What may not differ; of ours as Linux would write it. */
static uint64_t compared(const struct row *row, unsigned level, bool ours)
{
	uint64_t e = row->path[level] & ~IGNORED;

	if (level && !(e & LARGE))
		return e & ~ADDRESS;
	return ours && e ? e | R : e;
}

static bool same_row(const struct row *theirs, const struct row *ours)
{
	bool same = theirs->iova == ours->iova;

	for (unsigned level = 0; level < LEVELS; level++)
		same = same && compared(theirs, level, false) == compared(ours, level, true);
	return same;
}

static uint64_t leaf_of(const struct row *row)
{
	unsigned level = 0;

	while (!row->path[level])
		level++;
	return row->path[level];
}

/* Each leaf of ours has the rights that its mapping was asked for. */
static void check_rights(void)
{
	for (size_t i = 0; i < f.ours_seen.nr; i++) {
		const struct row *row = &f.ours_seen.row[i];
		unsigned m = 0;

		while (m < f.nr && row->iova - f.maps[m].iova >= f.maps[m].len)
			m++;
		assert_true(m < f.nr);
		assert_int_equal(leaf_of(row) & (R | W),
				 (f.maps[m].prot & PHYR_READ ? R : 0) |
					 (f.maps[m].prot & PHYR_WRITE ? W : 0));
	}
}

static void show(const char *whose, const struct rows *rows, size_t i)
{
	if (i >= rows->nr) {
		print_message("# %s: no more\n", whose);
		return;
	}
	print_message("# %s: iova 0x%" PRIx64, whose, rows->row[i].iova);
	for (unsigned level = LEVELS; level--;)
		print_message(" 0x%016" PRIx64, rows->row[i].path[level]);
	print_message("\n");
}

/* The first row that differs; the number of rows if none does. */
static size_t first_difference(const struct rows *theirs, const struct rows *ours)
{
	size_t n = theirs->nr < ours->nr ? theirs->nr : ours->nr;

	for (size_t i = 0; i < n; i++)
		if (!same_row(&theirs->row[i], &ours->row[i]))
			return i;
	return n;
}

static bool look(void)
{
	size_t at;

	look_at_theirs(&f.theirs_seen);
	look_at_ours(&f.ours_seen);
	at = first_difference(&f.theirs_seen, &f.ours_seen);
	return at == f.theirs_seen.nr && at == f.ours_seen.nr;
}

static void compare(void)
{
	size_t at;

	if (look()) {
		check_rights();
		return;
	}
	at = first_difference(&f.theirs_seen, &f.ours_seen);
	print_message("# entries of levels 4 to 1:\n");
	show("Linux", &f.theirs_seen, at);
	show("phyr ", &f.ours_seen, at);
	fail_msg("the tables differ at row %zu of %zu and %zu", at, f.theirs_seen.nr,
		 f.ours_seen.nr);
}

static size_t leaves_at(unsigned level)
{
	size_t n = 0;

	for (size_t i = 0; i < f.theirs_seen.nr; i++)
		n += f.theirs_seen.row[i].path[level] &&
		     (!level || !f.theirs_seen.row[i].path[level - 1]);
	return n;
}

/* ---- tests ---- */

static int init(void **state)
{
	const char *width = getenv("GUEST_WIDTH");
	struct phyr_pgtbl_config config = {
		.size = sizeof(config), .format = PHYR_PGTBL_VTDSS, .force_snoop = true};

	memset(&f, 0, sizeof(f));
	f.levels = config.levels = width && !strcmp(width, "39") ? 3 : 4;
	rig_init(&f.rig, rig_kind(0));
	assert_int_equal(phyr_domain_attach(f.rig.domain, f.rig.source[0]), 0);
	assert_int_equal(phyr_pgtbl_create(NULL, &config, &f.ours), 0);
	f.pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	assert_true(f.pagemap >= 0);
	make_arena();
	return 0;
}

static int fini(void **state)
{
	while (f.nr)
		unmap_both(0);
	compare();
	assert_int_equal(f.theirs_seen.nr, 0);
	phyr_pgtbl_destroy(f.ours);
	phyr_domain_detach(f.rig.domain, f.rig.source[0]);
	munmap(f.arena, ARENA);
	close(f.pagemap);
	free(f.theirs_seen.row);
	free(f.ours_seen.row);
	rig_fini(&f.rig);
	return 0;
}

/*
 * VT-d 9.8.5: SNP is bit 11, where the hardware has snoop control and the kernel wants all to
 * snoop.
 */
static void a_page_of_each_right(void **state)
{
	static const unsigned rights[] = {PHYR_READ, PHYR_WRITE, RW};
	static const uint64_t linuxs[] = {R, R | W, R | W};

	for (unsigned i = 0; i < 3; i++)
		map_both(G + i * K, f.arena + 2 * HUGE + i * K, K, rights[i]);
	compare();
	assert_int_equal(f.theirs_seen.nr, 3);
	for (unsigned i = 0; i < 3; i++) {
		const struct row *row = &f.theirs_seen.row[i];

		assert_int_equal(row->iova, G + i * K);
		assert_int_equal(row->path[0], physical(f.maps[i].p) | linuxs[i] | SNP);
	}
	print_message("# a leaf 0x%" PRIx64 ", and the tables' flags 0x%" PRIx64 "\n",
		      f.theirs_seen.row[2].path[0], f.theirs_seen.row[2].path[1] & ~ADDRESS);
}

static void huge_pages(void **state)
{
	map_both(4 * G, f.arena, 2 * HUGE, RW);                    /* two leaves */
	map_both(4 * G + 4 * HUGE, f.arena, HUGE, PHYR_READ);      /* one */
	map_both(4 * G + 6 * HUGE, f.arena + K, HUGE, RW);         /* askew: none */
	map_both(5 * G - 3 * K, f.arena + HUGE - 3 * K, HUGE, RW); /* pages only */
	map_both(6 * G - K, f.arena + HUGE - K, HUGE + 2 * K, RW); /* a page, a leaf, a page */
	compare();
	assert_int_equal(leaves_at(1), 4);
	assert_int_equal(leaves_at(0), 512 + 512 + 2);
	print_message("# %zu leaves of 2 MiB, %zu of 4 KiB\n", leaves_at(1), leaves_at(0));
}

/* Over the edges of tables of each level. */
static void edges_of_tables(void **state)
{
	static const uint64_t edges[] = {HUGE, G, 512 * G};
	const uint64_t end = phyr_pgtbl_last(f.ours) + 1;

	for (unsigned i = 0; i < f.levels - 1; i++)
		map_both(edges[i] - 5 * K, f.arena + 2 * HUGE + i * 16 * K, 9 * K, RW);
	map_both(end / 2 - 5 * K, f.arena + 2 * HUGE + M, 9 * K, RW);
	map_both(end - 3 * K, f.arena + 3 * HUGE, 3 * K, PHYR_READ);
	compare();
	assert_int_equal(f.theirs_seen.nr, f.levels * 9 + 3);
}

static bool is_free(uint64_t iova, uint64_t len)
{
	for (unsigned i = 0; i < f.nr; i++)
		if (iova < f.maps[i].iova + f.maps[i].len && f.maps[i].iova < iova + len)
			return false;
	return true;
}

/* Near the edges of tables, often so that huge pages can stay huge. */
static void map_something(struct rnd *r)
{
	static const uint64_t bases[] = {16 * M, G, 3 * G, 256 * G, 512 * G, (uint64_t)1 << 47};
	bool large = rnd_below(r, 2);
	uint64_t len = (large ? MAX_PAGES - rnd_below(r, 512) : rnd_log(r, 1, MAX_PAGES)) * K;
	uint64_t offset = rnd_below(r, (ARENA - len) / K + 1) * K;
	uint64_t iova = bases[rnd_below(r, f.levels == 4 ? 6 : 4)] + (rnd_below(r, 8) - 4) * HUGE;
	unsigned prot = 1 + (unsigned)rnd_below(r, 3);

	iova += large ? offset % HUGE : rnd_below(r, 512) * K;
	if (is_free(iova, len))
		map_both(iova, f.arena + offset, len, prot);
}

static void random_maps_and_unmaps(void **state)
{
	struct rnd r = rnd_start("tables");
	size_t huge = 0, rows = 0;

	for (unsigned i = 1; i <= STEPS; i++) {
		if (f.nr == MAX_MAPS || (f.nr && !rnd_below(&r, 3)))
			unmap_both((unsigned)rnd_below(&r, f.nr));
		else
			map_something(&r);
		if (i % LOOK_EVERY)
			continue;
		compare();
		rows += f.theirs_seen.nr;
		huge += leaves_at(1);
	}
	assert_true(rows > 1000);
	print_message("# %zu leaves compared, of them %zu of 2 MiB\n", rows, huge);
}

/* The comparison can fail: a right, an address, a leaf's size, a leaf too many, one too few. */
static void differences_are_seen(void **state)
{
	const uint64_t at = 7 * G;
	struct phyr_gather gather;
	struct mapping m = {at, f.arena, HUGE, RW};
	struct mapping others[] = {
		{at, f.arena, HUGE, PHYR_READ},
		{at, f.arena + HUGE, HUGE, RW},
		{at, f.arena, HUGE - K, RW},
		{at + HUGE, f.arena, HUGE, RW},
	};

	map_theirs(&m);
	assert_false(look());
	for (unsigned i = 0; i < 4; i++) {
		map_ours(&others[i]);
		assert_false(look());
		phyr_gather_init(&gather);
		assert_int_equal(
			phyr_pgtbl_unmap(f.ours, others[i].iova, others[i].len, &gather, NULL), 0);
		phyr_pgtbl_free_gathered(f.ours, &gather);
	}
	map_ours(&m);
	f.maps[f.nr++] = m;
	compare();
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, init, fini)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_page_of_each_right),   TEST(huge_pages),           TEST(edges_of_tables),
		TEST(random_maps_and_unmaps), TEST(differences_are_seen),
	};

	rig_kernel_is_iommufd();
	return cmocka_run_group_tests_name("tables", tests, NULL, NULL);
}
