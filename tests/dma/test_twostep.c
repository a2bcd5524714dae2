/* SPDX-License-Identifier: MIT */
/* Two steps: windows, links, unlinks. */
#include "rig.h"

#include <string.h>

static const struct rig_config direct = {0};
static const struct rig_config vtdss = {.format = PHYR_PGTBL_VTDSS};
static const struct rig_config x86 = {.format = PHYR_PGTBL_X86_64};

static int link_ram(struct rig *r, struct phyr_dma_iova_state *s, uint64_t addr, uint64_t offset,
		    uint64_t size, enum phyr_dma_dir dir)
{
	return phyr_dma_iova_link(r->dev, s, NULL, addr, offset, size, dir, 0);
}

static void no_window_without_iommu(void **state)
{
	struct phyr_dma_iova_state s = {1, 1};
	struct rig r;

	rig_init(&r, &direct);
	assert_false(phyr_dma_iova_try_alloc(r.dev, &s, 0x1000, 4096));
	assert_false(phyr_dma_use_iova(&s));
	assert_int_equal(link_ram(&r, &s, 0x1000, 0, 4096, PHYR_DMA_TO_DEVICE), -ERANGE);
	assert_non_null(strstr(r.t.last.hint, "no window"));
	assert_report(&r, -ERANGE, "phyr_dma_iova_link", 0x1000, 4096);
	phyr_dma_iova_free(r.dev, &s);
	phyr_dma_iova_destroy(r.dev, &s, 0, PHYR_DMA_TO_DEVICE, 0);
	rig_fini(&r);
}

/* The window starts as deep in a granule as the memory; inner edges then lie on granules. */
static void three_links(struct rig *r)
{
	const uint64_t size = 0xe00 + 0x3000 + 0x123;
	struct phyr_dma_iova_state s;
	struct phyr_dev_stats stats;

	assert_true(phyr_dma_iova_try_alloc(r->dev, &s, 0x40200, size));
	assert_true(phyr_dma_use_iova(&s));
	assert_int_equal(s.addr & 0xfff, 0x200);
	assert_int_equal(s.size, size);
	assert_int_equal(link_ram(r, &s, 0x40200, 0, 0xe00, PHYR_DMA_FROM_DEVICE), 0);
	assert_int_equal(link_ram(r, &s, 0x90000, 0xe00, 0x3000, PHYR_DMA_FROM_DEVICE), 0);
	assert_int_equal(link_ram(r, &s, 0x70000, 0x3e00, 0x123, PHYR_DMA_FROM_DEVICE), 0);
	assert_int_equal(phyr_dma_iova_sync(r->dev, &s, 0, size), 0);
	assert_int_equal(rig_walk(r, s.addr), 0x40200);
	assert_int_equal(rig_walk(r, s.addr + 0xdff), 0x40fff);
	assert_int_equal(rig_walk(r, s.addr + 0xe00), 0x90000);
	assert_int_equal(rig_walk(r, s.addr + 0x3dff), 0x92fff);
	assert_int_equal(rig_walk(r, s.addr + 0x3e00), 0x70000);
	assert_int_equal(rig_walk(r, s.addr + 0x4e00), UINT64_MAX);
	assert_int_equal(rig_prot(r, s.addr), PHYR_WRITE | (rig_prot(r, s.addr) & PHYR_READ));
	phyr_dev_get_stats(r->dev, &stats);
	assert_int_equal(stats.links, 3);
	assert_int_equal(stats.syncs, 1);
	phyr_dma_iova_destroy(r->dev, &s, size, PHYR_DMA_FROM_DEVICE, 0);
	assert_false(phyr_dma_use_iova(&s));
	assert_true(rig_idle(r));
}

static void first_offset_and_three_links(void **state)
{
	struct rig r;

	rig_init(&r, &vtdss);
	three_links(&r);
	rig_fini(&r);
	rig_init(&r, &x86);
	three_links(&r);
	rig_fini(&r);
}

static void directions(void **state)
{
	static const struct {
		enum phyr_dma_dir dir;
		unsigned prot;
	} dirs[] = {
		{PHYR_DMA_BIDIRECTIONAL, PHYR_READ | PHYR_WRITE},
		{PHYR_DMA_TO_DEVICE, PHYR_READ},
		{PHYR_DMA_FROM_DEVICE, PHYR_WRITE},
	};
	struct rig r;

	rig_init(&r, &vtdss);
	for (unsigned i = 0; i < 3; i++) {
		struct phyr_dma_iova_state s;

		assert_true(phyr_dma_iova_try_alloc(r.dev, &s, 0, 4096));
		assert_int_equal(link_ram(&r, &s, 0x5000, 0, 4096, dirs[i].dir), 0);
		assert_int_equal(rig_prot(&r, s.addr), dirs[i].prot);
		phyr_dma_iova_destroy(r.dev, &s, 4096, dirs[i].dir, 0);
	}
	rig_fini(&r);
}

/* What a window can hold of huge leaves, it gets; what cannot have one costs no alignment. */
static void windows_are_skewed(void **state)
{
	static const struct {
		uint64_t addr, size, leaf;
	} cases[] = {
		{5 * M2, M2, M2}, {5 * M2 + 0x1000, 2 * M2, M2}, {5 * M2 + 0x1234, 2 * M2, M2},
		{3 * G1, G1, G1}, {3 * G1 + 5 * M2, 2 * G1, G1}, {3 * G1 + 5 * M2, G1, M2},
	};
	struct rig r;

	rig_init(&r, &vtdss);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t addr = cases[i].addr, size = cases[i].size, inside;
		struct phyr_dma_iova_state s, odd;
		struct phyr_translation t;

		assert_true(phyr_dma_iova_try_alloc(r.dev, &odd, 0, 4096));
		assert_true(phyr_dma_iova_try_alloc(r.dev, &s, addr, size));
		assert_int_equal((s.addr ^ addr) & (cases[i].leaf - 1), 0);
		assert_int_equal(link_ram(&r, &s, addr, 0, size, PHYR_DMA_TO_DEVICE), 0);
		inside = -addr & (cases[i].leaf - 1);
		assert_int_equal(phyr_domain_translate(r.domain, s.addr + inside, &t), 0);
		assert_int_equal(t.leaf_size, cases[i].leaf);
		phyr_dma_iova_destroy(r.dev, &s, size, PHYR_DMA_TO_DEVICE, 0);
		phyr_dma_iova_free(r.dev, &odd);
	}
	rig_fini(&r);
}

/* A window that can have no huge leaf inside lies where there is room. */
static void no_skew_for_nothing(void **state)
{
	static const uint64_t cases[][2] = {
		{5 * M2 + 0x1000, M2}, {5 * M2 + 0x1000, 2 * M2 - 0x2000}, {5 * M2, M2 - 1}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct phyr_dma_iova_state s, odd;
		struct rig r;

		rig_init(&r, &vtdss); /* anew, so that no window was there before */
		assert_true(phyr_dma_iova_try_alloc(r.dev, &odd, 0, 3 * K4));
		assert_true(phyr_dma_iova_try_alloc(r.dev, &s, cases[i][0], cases[i][1]));
		assert_int_equal(s.addr, odd.addr + 3 * K4);
		phyr_dma_iova_free(r.dev, &s);
		phyr_dma_iova_free(r.dev, &odd);
		rig_fini(&r);
	}
}

/* Where no aligned window is left, another one will do. */
static void alignment_is_a_wish(void **state)
{
	struct rig_config c = vtdss;
	struct phyr_dma_iova_state s;
	struct rig r;

	c.start = M2 + 0x1000; /* 4 MiB and no more, off the alignment */
	c.last = 3 * M2 + 0x1000 - 1;
	rig_init(&r, &c);
	assert_true(phyr_dma_iova_try_alloc(r.dev, &s, 6 * M2, 2 * M2));
	assert_int_equal(s.addr, M2 + 0x1000);
	phyr_dma_iova_free(r.dev, &s);
	rig_fini(&r);
}

static void mask_limits_windows(void **state)
{
	struct rig_config c = vtdss;
	struct phyr_dma_iova_state s[4], more;
	struct rig r;

	c.limits = (struct phyr_limits){sizeof(c.limits), .dma_mask = 0x3fff};
	rig_init(&r, &c);
	for (unsigned i = 0; i < 3; i++) { /* page 0 is never given out */
		assert_true(phyr_dma_iova_try_alloc(r.dev, &s[i], 0, 4096));
		assert_true(s[i].addr + 4095 <= 0x3fff);
	}
	tenv_restart(&r.t);
	assert_false(phyr_dma_iova_try_alloc(r.dev, &more, 0, 1));
	assert_int_equal(more.addr | more.size, 0);
	assert_int_equal(r.t.reports, 0);
	for (unsigned i = 0; i < 3; i++)
		phyr_dma_iova_free(r.dev, &s[i]);
	rig_fini(&r);
}

/* Only want of memory is told of, by the allocator. */
static void no_memory_for_windows(void **state)
{
	struct phyr_dma_iova_state s[1000], more = {7, 8};
	unsigned n = 0;
	struct rig r;

	rig_init(&r, &vtdss);
	tenv_restart(&r.t);
	r.t.fail_at = 1;
	while (n < 1000 && phyr_dma_iova_try_alloc(r.dev, &s[n], 0, 4096))
		n++;
	assert_in_range(n, 0, 999);
	assert_int_equal(r.t.last.err, -ENOMEM);
	assert_string_equal(r.t.last.call, "phyr_iova_alloc");
	assert_int_equal(r.t.last.len, 4096);
	assert_int_equal(s[n].addr | s[n].size, 0);
	assert_true(phyr_dma_iova_try_alloc(r.dev, &more, 0, 4096));
	phyr_dma_iova_free(r.dev, &more);
	while (n--)
		phyr_dma_iova_free(r.dev, &s[n]);
	rig_fini(&r);
}

static void sizes_that_cannot_be(void **state)
{
	struct phyr_dma_iova_state s;
	struct rig r;

	rig_init(&r, &vtdss);
	assert_false(phyr_dma_iova_try_alloc(r.dev, &s, 0, 0));
	assert_false(phyr_dma_iova_try_alloc(r.dev, &s, 0, UINT64_MAX));
	assert_false(phyr_dma_iova_try_alloc(r.dev, &s, 0xfff, UINT64_MAX - 0xfff));
	assert_false(phyr_dma_iova_try_alloc(r.dev, &s, 0, (uint64_t)1 << 48));
	assert_true(phyr_dma_iova_try_alloc(r.dev, &s, UINT64_MAX, 1));
	assert_int_equal(s.addr & 0xfff, 0xfff);
	phyr_dma_iova_free(r.dev, &s);
	rig_fini(&r);
}

/* Link, and see that a failure maps nothing and says which range. */
static void link_fails(struct rig *r, struct phyr_dma_iova_state *s, uint64_t addr, uint64_t offset,
		       uint64_t size, int err)
{
	tenv_restart(&r->t);
	assert_int_equal(link_ram(r, s, addr, offset, size, PHYR_DMA_TO_DEVICE), err);
	assert_report(r, err, "phyr_dma_iova_link", addr, size);
}

static void link_alignment(void **state)
{
	struct phyr_dma_iova_state s;
	struct rig r;

	rig_init(&r, &vtdss);
	assert_true(phyr_dma_iova_try_alloc(r.dev, &s, 0x200, 0x3000));
	link_fails(&r, &s, 0x40000, 0, 0xe00, -EINVAL); /* not as deep as the window */
	link_fails(&r, &s, 0x40300, 0, 0xe00, -EINVAL);
	link_fails(&r, &s, 0x40200, 0, 0x1000, -EINVAL); /* ends inside, not at the window's end */
	link_fails(&r, &s, 0x40000, 0x1000, 0x1000, -EINVAL);
	link_fails(&r, &s, 0x40e00, 0xe00, 0x1000, -EINVAL);
	link_fails(&r, &s, 0x40000, 0xe00, 0x0e00, -EINVAL);
	link_fails(&r, &s, 0x40200, 0, 0, -EINVAL);
	link_fails(&r, &s, UINT64_MAX - 0xdff, 0, 0x1e00, -EINVAL);
	link_fails(&r, &s, 0x40200, 0, 0x3001, -ERANGE);
	link_fails(&r, &s, 0x40000, 0x2e00, 0x1000, -ERANGE);
	link_fails(&r, &s, 0x40000, 0x10e00, 0x1000, -ERANGE);
	link_fails(&r, &s, 0x40000, UINT64_MAX - 0x1ff, 0x1000, -ERANGE);
	link_fails(&r, &s, 0x40200, 0, UINT64_MAX - 0x40200, -ERANGE);
	for (uint64_t at = 0; at < 0x4000; at += 0x1000)
		assert_int_equal(rig_walk(&r, s.addr + at), UINT64_MAX);
	phyr_dma_iova_free(r.dev, &s);
	rig_fini(&r);
}

static void link_refusals(void **state)
{
	static const struct phyr_space user = {.kind = PHYR_KIND_USER}, fd = {.kind = PHYR_KIND_FD},
				       mmio = {.kind = PHYR_KIND_MMIO},
				       p2p = {.kind = PHYR_KIND_P2P},
				       seen = {.kind = PHYR_KIND_SEEN}, odd = {.kind = 77};
	const struct phyr_space *spaces[] = {&user, &fd, &mmio, &p2p, &seen, &odd};
	struct phyr_dma_iova_state s;
	struct rig r;

	rig_init(&r, &vtdss);
	assert_true(phyr_dma_iova_try_alloc(r.dev, &s, 0, 0x1000));
	for (unsigned i = 0; i < 6; i++) {
		assert_int_equal(phyr_dma_iova_link(r.dev, &s, spaces[i], 0x7000, 0, 0x1000,
						    PHYR_DMA_TO_DEVICE, 0),
				 -EOPNOTSUPP);
		assert_report(&r, -EOPNOTSUPP, "phyr_dma_iova_link", 0x7000, 0x1000);
	}
	assert_int_equal(link_ram(&r, &s, 0x7000, 0, 0x1000, 3), -EINVAL);
	assert_report(&r, -EINVAL, "phyr_dma_iova_link", 0x7000, 0x1000);
	assert_int_equal(phyr_dma_iova_link(r.dev, &s, NULL, 0x7000, 0, 0x1000, 0, 1), -EINVAL);
	assert_report(&r, -EINVAL, "phyr_dma_iova_link", 0x7000, 0x1000);
	assert_int_equal(rig_walk(&r, s.addr), UINT64_MAX);
	phyr_dma_iova_free(r.dev, &s);
	rig_fini(&r);
}

/* What the page table refuses, it reports itself: the range of several, and where. */
static void link_what_the_table_refuses(void **state)
{
	struct phyr_range ranges[] = {{0x10000, 0x1000},
				      {0x20000, 0x1000},
				      {(uint64_t)1 << 48, 0x1000},
				      {0x30000, 0x1000}};
	struct phyr_dma_iova_state s;
	struct phyr_list list;
	struct rig r;

	rig_init(&r, &vtdss);
	phyr_list_init(&list, &r.t.env, NULL);
	assert_int_equal(phyr_list_append_ranges(&list, ranges, 4), 0);
	assert_true(phyr_dma_iova_try_alloc(r.dev, &s, 0, 0x4000));
	assert_int_equal(phyr_dma_iova_link_list(r.dev, &s, &list, 0, PHYR_DMA_TO_DEVICE, 0),
			 -ERANGE);
	assert_int_equal(r.t.last.index, 2);
	assert_report(&r, -ERANGE, "phyr_pgtbl_map", (uint64_t)1 << 48, 0x1000);
	assert_int_equal(rig_walk(&r, s.addr), UINT64_MAX);

	assert_int_equal(link_ram(&r, &s, 0x50000, 0x2000, 0x1000, PHYR_DMA_TO_DEVICE), 0);
	assert_int_equal(link_ram(&r, &s, 0x60000, 0, 0x4000, PHYR_DMA_TO_DEVICE), -EEXIST);
	assert_int_equal(r.t.last.iova, s.addr + 0x2000);
	assert_report(&r, -EEXIST, "phyr_pgtbl_map", 0x60000, 0x4000);
	assert_int_equal(rig_walk(&r, s.addr), UINT64_MAX);
	assert_int_equal(rig_walk(&r, s.addr + 0x2000), 0x50000);
	assert_int_equal(phyr_dma_iova_unlink(r.dev, &s, 0x2000, 0x1000, PHYR_DMA_TO_DEVICE, 0), 0);
	phyr_dma_iova_free(r.dev, &s);
	phyr_list_fini(&list);
	rig_fini(&r);
}

static void link_list_and_cursor(void **state)
{
	struct phyr_range ranges[] = {{0x10e00, 0x200}, {0x30000, 0x2000}, {0x20000, 0x800}};
	struct phyr_dma_iova_state s;
	struct phyr_cursor cur, was;
	struct phyr_list list;
	struct rig r;

	rig_init(&r, &vtdss);
	phyr_list_init(&list, &r.t.env, NULL);
	assert_int_equal(phyr_list_append_ranges(&list, ranges, 3), 0);
	assert_true(phyr_dma_iova_try_alloc(r.dev, &s, 0x10e00, list.len));
	assert_int_equal(phyr_dma_iova_link_list(r.dev, &s, &list, 0, PHYR_DMA_TO_DEVICE, 0), 0);
	assert_int_equal(rig_walk(&r, s.addr), 0x10e00);
	assert_int_equal(rig_walk(&r, s.addr + 0x200), 0x30000);
	assert_int_equal(rig_walk(&r, s.addr + 0x2200), 0x20000);
	/* one link: no part of it can be unlinked */
	assert_int_equal(phyr_dma_iova_unlink(r.dev, &s, 0, 0x200, PHYR_DMA_TO_DEVICE, 0), -EINVAL);
	assert_int_equal(phyr_dma_iova_unlink(r.dev, &s, 0, list.len, PHYR_DMA_TO_DEVICE, 0), 0);

	/* the same by cursor, in two links */
	assert_int_equal(phyr_cursor_init_at(&cur, &list, 0, 0x1200), 0);
	assert_int_equal(phyr_dma_iova_link_cursor(r.dev, &s, NULL, &cur, 0, 0, 0), 0);
	assert_int_equal(cur.left, 0);
	assert_int_equal(phyr_cursor_init_at(&cur, &list, 0x1200, 0x1800), 0);
	was = cur;
	assert_int_equal(phyr_dma_iova_link_cursor(r.dev, &s, NULL, &cur, 0x200, 0, 0), -EINVAL);
	assert_report(&r, -EINVAL, "phyr_dma_iova_link_cursor", 0x31000, 0x1800);
	assert_memory_equal(&cur, &was, sizeof(cur));
	assert_int_equal(phyr_dma_iova_link_cursor(r.dev, &s, NULL, &cur, 0x1200, 0, 0), 0);
	assert_int_equal(rig_walk(&r, s.addr + 0x1200), 0x31000);
	assert_int_equal(rig_walk(&r, s.addr + 0x2200 + 0x7ff), 0x207ff);
	/* nothing left to link */
	assert_int_equal(phyr_dma_iova_link_cursor(r.dev, &s, NULL, &cur, 0x1200, 0, 0), -EINVAL);
	assert_report(&r, -EINVAL, "phyr_dma_iova_link_cursor", 0, 0);
	assert_int_equal(phyr_dma_iova_unlink(r.dev, &s, 0, 0x1200, 0, 0), 0);
	assert_int_equal(rig_walk(&r, s.addr), UINT64_MAX);
	assert_int_equal(rig_walk(&r, s.addr + 0x1200), 0x31000);
	assert_int_equal(phyr_dma_iova_unlink(r.dev, &s, 0x1200, list.len - 0x1200, 0, 0), 0);
	phyr_dma_iova_free(r.dev, &s);
	phyr_list_fini(&list);
	rig_fini(&r);
}

/* Link a list and what a cursor has of it: both refuse it alike, and name it. */
static void link_both_fail(struct rig *r, struct phyr_dma_iova_state *s,
			   const struct phyr_list *list, uint64_t offset, enum phyr_dma_dir dir,
			   unsigned attrs, int err)
{
	uint64_t addr = list->len ? 0x10e00 : 0;
	struct phyr_cursor cur, was;

	tenv_restart(&r->t);
	assert_int_equal(phyr_dma_iova_link_list(r->dev, s, list, offset, dir, attrs), err);
	assert_report(r, err, "phyr_dma_iova_link_list", addr, list->len);
	phyr_cursor_init(&cur, list);
	was = cur;
	assert_int_equal(
		phyr_dma_iova_link_cursor(r->dev, s, list->space, &cur, offset, dir, attrs), err);
	assert_report(r, err, "phyr_dma_iova_link_cursor", addr, list->len);
	assert_memory_equal(&cur, &was, sizeof(cur));
}

static void link_list_refusals(void **state)
{
	struct phyr_range ranges[] = {{0x10e00, 0x200}, {0x30000, 0x2000}, {0x20000, 0x800}};
	struct phyr_space user = {.kind = PHYR_KIND_USER};
	struct phyr_dma_iova_state s;
	struct phyr_list list, empty;
	struct rig r;

	rig_init(&r, &vtdss);
	phyr_list_init(&empty, &r.t.env, NULL);
	phyr_list_init(&list, &r.t.env, NULL);
	assert_int_equal(phyr_list_append_ranges(&list, ranges, 3), 0);
	assert_true(phyr_dma_iova_try_alloc(r.dev, &s, 0x10e00, 2 * list.len));
	link_both_fail(&r, &s, &empty, 0, 0, 0, -EINVAL);
	link_both_fail(&r, &s, &list, 0, 3, 0, -EINVAL);
	link_both_fail(&r, &s, &list, 0, 0, 1, -EINVAL);
	link_both_fail(&r, &s, &list, 0x200, 0, 0, -EINVAL);
	link_both_fail(&r, &s, &list, list.len + 1, 0, 0, -ERANGE);
	list.space = &user;
	link_both_fail(&r, &s, &list, 0, 0, 0, -EOPNOTSUPP);
	assert_int_equal(rig_walk(&r, s.addr), UINT64_MAX);
	phyr_dma_iova_free(r.dev, &s);
	phyr_list_fini(&list);
	rig_fini(&r);
}

/* A list with edges inside of large granules is one for no window; the table names the run. */
static void link_list_inner_edges(void **state)
{
	struct rig_config c = {.format = PHYR_PGTBL_VTDSS, .page_sizes = M2 | G1};
	struct phyr_range ranges[] = {{5 * M2, M2}, {9 * M2, 0x3000}, {7 * M2, 0x1000}};
	struct phyr_dma_iova_state s;
	struct phyr_list list;
	struct rig r;

	rig_init(&r, &c);
	phyr_list_init(&list, &r.t.env, NULL);
	assert_int_equal(phyr_list_append_ranges(&list, ranges, 3), 0);
	assert_true(phyr_dma_iova_try_alloc(r.dev, &s, 5 * M2, list.len));
	assert_int_equal(phyr_dma_iova_link_list(r.dev, &s, &list, 0, 0, 0), -EINVAL);
	assert_int_equal(r.t.last.index, 1);
	assert_int_equal(r.t.last.iova, s.addr + M2);
	assert_report(&r, -EINVAL, "phyr_pgtbl_map", 9 * M2, 0x3000);
	assert_int_equal(rig_walk(&r, s.addr), UINT64_MAX);
	phyr_dma_iova_free(r.dev, &s);
	phyr_list_fini(&list);
	rig_fini(&r);
}

/* A dma list is mapped already. */
static void link_dma_list(void **state)
{
	struct phyr_dma_iova_state s;
	struct phyr_dma_map m;
	struct phyr_list list;
	struct rig r;

	rig_init(&r, &vtdss);
	phyr_list_init(&list, &r.t.env, NULL);
	assert_int_equal(phyr_list_append(&list, 0x5000, 0x3000), 0);
	assert_int_equal(phyr_dma_map(r.dev, &list, PHYR_DMA_TO_DEVICE, 0, &m), 0);
	assert_true(phyr_dma_iova_try_alloc(r.dev, &s, 0, 0x3000));
	assert_int_equal(phyr_dma_iova_link(r.dev, &s, phyr_dma_map_list(&m)->space, 0x5000, 0,
					    0x3000, PHYR_DMA_TO_DEVICE, 0),
			 -EINVAL);
	assert_report(&r, -EINVAL, "phyr_dma_iova_link", 0x5000, 0x3000);
	assert_int_equal(
		phyr_dma_iova_link_list(r.dev, &s, phyr_dma_map_list(&m), 0, PHYR_DMA_TO_DEVICE, 0),
		-EINVAL);
	assert_report(&r, -EINVAL, "phyr_dma_iova_link_list", m.state.addr, 0x3000);
	phyr_dma_iova_free(r.dev, &s);
	phyr_dma_unmap(r.dev, &m);
	phyr_list_fini(&list);
	rig_fini(&r);
}

/* A window of three links: from 0x200 deep, of two granules, of half of one. */
static void link_three(struct rig *r, struct phyr_dma_iova_state *s)
{
	assert_true(phyr_dma_iova_try_alloc(r->dev, s, 0x200, 0x3600));
	assert_int_equal(link_ram(r, s, 0x10200, 0, 0xe00, PHYR_DMA_TO_DEVICE), 0);
	assert_int_equal(link_ram(r, s, 0x20000, 0xe00, 0x2000, PHYR_DMA_TO_DEVICE), 0);
	assert_int_equal(link_ram(r, s, 0x30000, 0x2e00, 0x800, PHYR_DMA_TO_DEVICE), 0);
}

static void assert_three(struct rig *r, const struct phyr_dma_iova_state *s)
{
	assert_int_equal(rig_walk(r, s->addr), 0x10200);
	assert_int_equal(rig_walk(r, s->addr + 0xe00), 0x20000);
	assert_int_equal(rig_walk(r, s->addr + 0x1e00), 0x21000);
	assert_int_equal(rig_walk(r, s->addr + 0x2e00), 0x30000);
}

static int unlink_ram(struct rig *r, struct phyr_dma_iova_state *s, uint64_t offset, uint64_t size)
{
	return phyr_dma_iova_unlink(r->dev, s, offset, size, PHYR_DMA_TO_DEVICE, 0);
}

static void unlink_of_parts(void **state)
{
	static const struct {
		uint64_t offset, size;
		int err;
	} bad[] = {
		{0, 0x800, -EINVAL},       /* inside the first granule */
		{0, 0x1e00, -EINVAL},      /* ends in the second link */
		{0xe00, 0x1000, -EINVAL},  /* half of the second */
		{0x1e00, 0x1000, -EINVAL}, /* its other half */
		{0x100, 0xd00, -EINVAL},   /* starts inside a granule */
		{0x1e00, 0x1800, -EINVAL}, /* from its middle to the window's end */
		{0x2e00, 0x400, -EINVAL},  /* part of the last granule */
		{0, 0, -EINVAL},           {0x2e00, 0x801, -ERANGE},
		{0x3601, 0, -ERANGE},      {UINT64_MAX, 2, -ERANGE},
	};
	struct phyr_dma_iova_state s;
	struct rig r;

	rig_init(&r, &vtdss);
	link_three(&r, &s);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		tenv_restart(&r.t);
		assert_int_equal(unlink_ram(&r, &s, bad[i].offset, bad[i].size), bad[i].err);
		assert_int_equal(r.t.last.iova, s.addr + bad[i].offset);
		assert_report(&r, bad[i].err, "phyr_dma_iova_unlink", 0, bad[i].size);
		assert_three(&r, &s);
	}
	assert_int_equal(phyr_dma_iova_unlink(r.dev, &s, 0xe00, 0x2000, 3, 0), -EINVAL);
	assert_int_equal(r.t.last.iova, s.addr + 0xe00);
	assert_report(&r, -EINVAL, "phyr_dma_iova_unlink", 0, 0x2000);
	assert_int_equal(phyr_dma_iova_unlink(r.dev, &s, 0, 0xe00, 0, 1), -EINVAL);
	assert_int_equal(r.t.last.iova, s.addr);
	assert_report(&r, -EINVAL, "phyr_dma_iova_unlink", 0, 0xe00);
	assert_three(&r, &s);
	assert_int_equal(r.hw.invalidations, 0);
	phyr_dma_iova_destroy(r.dev, &s, 0x3600, PHYR_DMA_TO_DEVICE, 0);
	rig_fini(&r);
}

/* One, then the other two at once; the invalidation is over when it returns. */
static void unlink_whole_links(void **state)
{
	struct phyr_dma_iova_state s;
	struct rig r;

	rig_init(&r, &vtdss);
	link_three(&r, &s);
	assert_int_equal(unlink_ram(&r, &s, 0xe00, 0x2000), 0);
	assert_int_equal(r.hw.invalidations, 1);
	assert_true(r.hw.start <= s.addr + 0xe00 && r.hw.last >= s.addr + 0x2dff);
	assert_int_equal(rig_walk(&r, s.addr + 0xe00), UINT64_MAX);
	assert_int_equal(rig_walk(&r, s.addr + 0x2e00), 0x30000);
	assert_int_equal(unlink_ram(&r, &s, 0xe00, 0x2000), -EINVAL); /* it is gone already */
	assert_int_equal(unlink_ram(&r, &s, 0, 0x3600), 0);
	assert_int_equal(r.hw.invalidations, 2);
	assert_int_equal(rig_walk(&r, s.addr), UINT64_MAX);

	/* the window is still there, to be linked again */
	assert_int_equal(link_ram(&r, &s, 0x50200, 0, 0x3600, PHYR_DMA_FROM_DEVICE), 0);
	assert_int_equal(rig_walk(&r, s.addr + 0x3000), 0x53200);
	phyr_dma_iova_destroy(r.dev, &s, 0x3600, PHYR_DMA_FROM_DEVICE, 0);
	rig_fini(&r);
}

static void sync_range(void **state)
{
	struct phyr_dma_iova_state s;
	struct rig r;

	rig_init(&r, &vtdss);
	assert_true(phyr_dma_iova_try_alloc(r.dev, &s, 0, 0x3000));
	assert_int_equal(phyr_dma_iova_sync(r.dev, &s, 0, 0x3000), 0);
	assert_int_equal(phyr_dma_iova_sync(r.dev, &s, 0x3000, 0), 0);
	assert_int_equal(phyr_dma_iova_sync(r.dev, &s, 0x1000, 0x2001), -ERANGE);
	assert_int_equal(r.t.last.iova, s.addr + 0x1000);
	assert_int_equal(r.t.last.limit, 0x3000);
	assert_report(&r, -ERANGE, "phyr_dma_iova_sync", 0, 0x2001);
	assert_int_equal(phyr_dma_iova_sync(r.dev, &s, 0x3001, 0), -ERANGE);
	phyr_dma_iova_free(r.dev, &s);
	rig_fini(&r);
}

/* A window with a link at its start is not given back, by free or by a destroy of nothing. */
static void free_of_what_is_linked(void **state)
{
	struct phyr_dma_iova_state s, was;
	struct rig r;

	rig_init(&r, &vtdss);
	assert_true(phyr_dma_iova_try_alloc(r.dev, &s, 0x200, 0x1000));
	assert_int_equal(link_ram(&r, &s, 0x40200, 0, 0x1000, PHYR_DMA_FROM_DEVICE), 0);
	was = s;
	phyr_dma_iova_free(r.dev, &s);
	assert_int_equal(r.t.last.iova, was.addr);
	assert_report(&r, -EBUSY, "phyr_dma_iova_free", 0, 0x1000);
	phyr_dma_iova_destroy(r.dev, &s, 0, PHYR_DMA_FROM_DEVICE, 0);
	assert_memory_equal(&s, &was, sizeof(s));
	assert_int_equal(rig_walk(&r, s.addr), 0x40200);
	phyr_dma_iova_destroy(r.dev, &s, 0x1000, PHYR_DMA_FROM_DEVICE, 0);
	assert_true(rig_idle(&r));
	rig_fini(&r);
}

/* A destroy that ends before a second link keeps the window: nobody else may get its iova. */
static void destroy_of_a_part(void **state)
{
	struct phyr_dma_iova_state s, was;
	struct rig r;

	rig_init(&r, &vtdss);
	assert_true(phyr_dma_iova_try_alloc(r.dev, &s, 0, 0x3000));
	assert_int_equal(link_ram(&r, &s, 0x10000, 0, 0x1000, 0), 0);
	assert_int_equal(link_ram(&r, &s, 0x20000, 0x1000, 0x2000, 0), 0);
	was = s;
	phyr_dma_iova_destroy(r.dev, &s, 0x1000, 0, 0);
	assert_int_equal(r.t.last.iova, was.addr + 0x1000);
	assert_report(&r, -EBUSY, "phyr_dma_iova_destroy", 0, 0x2000);
	assert_memory_equal(&s, &was, sizeof(s));
	assert_int_equal(rig_walk(&r, s.addr), UINT64_MAX);
	assert_int_equal(rig_walk(&r, s.addr + 0x1000), 0x20000);
	assert_int_equal(rig_iova(&r), 0x3000);
	phyr_dma_iova_destroy(r.dev, &s, 0x3000, (enum phyr_dma_dir)7, 0);
	assert_report(&r, -EINVAL, "phyr_dma_iova_destroy", 0, 0x3000);
	assert_int_equal(phyr_dma_iova_unlink(r.dev, &s, 0x1000, 0x2000, 0, 0), 0);
	phyr_dma_iova_free(r.dev, &s);
	assert_true(rig_idle(&r));
	rig_fini(&r);
}

/* A destroy that does not match the links touches nothing that is not the window's. */
static void destroy_of_what_is_not(void **state)
{
	struct phyr_dma_iova_state s, next;
	struct rig r;

	rig_init(&r, &vtdss);
	assert_true(phyr_dma_iova_try_alloc(r.dev, &s, 0, 0x3000));
	assert_true(phyr_dma_iova_try_alloc(r.dev, &next, 0, 0x3000));
	assert_int_equal(link_ram(&r, &s, 0x10000, 0, 0x2000, 0), 0);
	assert_int_equal(link_ram(&r, &next, 0x20000, 0, 0x3000, 0), 0);
	phyr_dma_iova_destroy(r.dev, &s, 0x8000, 0, 0);
	assert_int_equal(r.t.last.iova, s.addr);
	assert_report(&r, -ERANGE, "phyr_dma_iova_destroy", 0, 0x8000);
	assert_int_equal(rig_walk(&r, s.addr), 0x10000);
	phyr_dma_iova_destroy(r.dev, &s, 0x1000, 0, 0);
	assert_int_equal(r.t.last.iova, s.addr);
	assert_report(&r, -EINVAL, "phyr_dma_iova_destroy", 0, 0x1000);
	assert_int_equal(rig_walk(&r, s.addr), 0x10000);
	assert_int_equal(rig_iova(&r), 0x6000);
	phyr_dma_iova_destroy(r.dev, &s, 0x2000, 0, 0);
	assert_int_equal(rig_walk(&r, next.addr), 0x20000);
	phyr_dma_iova_destroy(r.dev, &next, 0x3000, 0, 0);
	rig_fini(&r);
}

/* A granule of 2 MiB has the same rules, at its size. */
static void large_granule(void **state)
{
	struct rig_config c = {.format = PHYR_PGTBL_VTDSS, .page_sizes = M2 | G1};
	struct phyr_dma_iova_state s;
	struct rig r;

	rig_init(&r, &c);
	assert_true(phyr_dma_iova_try_alloc(r.dev, &s, 5 * M2 + 0x12345, 2 * M2));
	assert_int_equal(s.addr & (M2 - 1), 0x12345);
	assert_int_equal(link_ram(&r, &s, 5 * M2 + 0x12345, 0, 0x1000, 0), -EINVAL);
	assert_int_equal(link_ram(&r, &s, 5 * M2 + 0x12345, 0, M2 - 0x12345, 0), 0);
	assert_int_equal(link_ram(&r, &s, 9 * M2, M2 - 0x12345, M2 + 0x12345, 0), 0);
	assert_int_equal(rig_walk(&r, s.addr), 5 * M2 + 0x12345);
	assert_int_equal(rig_walk(&r, s.addr + M2), 9 * M2 + 0x12345);
	phyr_dma_iova_destroy(r.dev, &s, 2 * M2, 0, 0);
	rig_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_window_without_iommu),
		cmocka_unit_test(first_offset_and_three_links),
		cmocka_unit_test(directions),
		cmocka_unit_test(windows_are_skewed),
		cmocka_unit_test(no_skew_for_nothing),
		cmocka_unit_test(alignment_is_a_wish),
		cmocka_unit_test(mask_limits_windows),
		cmocka_unit_test(no_memory_for_windows),
		cmocka_unit_test(sizes_that_cannot_be),
		cmocka_unit_test(link_alignment),
		cmocka_unit_test(link_refusals),
		cmocka_unit_test(link_what_the_table_refuses),
		cmocka_unit_test(link_list_and_cursor),
		cmocka_unit_test(link_list_refusals),
		cmocka_unit_test(link_list_inner_edges),
		cmocka_unit_test(link_dma_list),
		cmocka_unit_test(unlink_of_parts),
		cmocka_unit_test(unlink_whole_links),
		cmocka_unit_test(sync_range),
		cmocka_unit_test(free_of_what_is_linked),
		cmocka_unit_test(destroy_of_a_part),
		cmocka_unit_test(destroy_of_what_is_not),
		cmocka_unit_test(large_granule),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
