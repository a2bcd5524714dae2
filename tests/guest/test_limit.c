/* SPDX-License-Identifier: MIT */
/*
 * How many mappings a container takes (dma_entry_limit of vfio_iommu_type1), reached and survived: what
 * would exceed it is refused before anything is mapped, with the limit; what lies together in memory is
 * one mapping. An IOAS has no such limit, and shows it: the same windows go in.
 *
 * The module's limit is lowered for all but the last test, and read by a container when it is opened.
 */
#include "guest/rig_kernel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <phyr/dma.h>
#include <phyr/source.h>

#define K         0x1000ull
#define PARAMETER "/sys/module/vfio_iommu_type1/parameters/dma_entry_limit"
#define SMALL     64
#define USUAL     65535
#define MANY      70000

struct fixture {
	struct tenv t;
	struct phyr_iommu *iommu;
	struct phyr_domain *domain;
	struct phyr_dev *dev;
	struct phyr_report told; /* the last one that names a limit */
	struct phyr_list list;   /* pages, none of which follows the one before */
	unsigned char *memory;
	uint64_t pages;
};

static struct fixture f;
static bool limited; /* there is a limit at all */

static void on_report(struct phyr_env *env, const struct phyr_report *report)
{
	if (report->limit)
		f.told = *report;
}

static void set_limit(unsigned limit)
{
	FILE *file;

	if (!limited)
		return;
	file = fopen(PARAMETER, "w");
	assert_non_null(file);
	assert_true(fprintf(file, "%u\n", limit) > 0);
	assert_int_equal(fclose(file), 0);
}

/* Even pages, then odd ones: all of the memory, and no two neighbours. */
static void scatter(uint64_t pages)
{
	f.pages = pages;
	f.memory =
		mmap(NULL, pages * K, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(f.memory, MAP_FAILED);
	phyr_list_init(&f.list, NULL, phyr_space_user());
	for (uint64_t i = 0; i < pages; i++) {
		uint64_t half = (pages + 1) / 2, page = i < half ? 2 * i : 2 * (i - half) + 1;

		assert_int_equal(phyr_source_append(&f.list, f.memory + page * K, K), 0);
	}
	assert_int_equal(f.list.nr_runs, pages);
}

static void start(unsigned limit, uint64_t pages)
{
	memset(&f, 0, sizeof(f));
	set_limit(limit);
	tenv_init(&f.t, NULL);
	f.t.env.report = on_report;
	if (limited)
		assert_int_equal(phyr_vfio_create(&f.t.env, &f.iommu), 0);
	else
		assert_int_equal(phyr_iommufd_create(&f.t.env, &f.iommu), 0);
	assert_int_equal(phyr_domain_create(f.iommu, &f.domain), 0);
	assert_int_equal(phyr_dev_create(f.domain, rig_kernel_source("GUEST_EDU"), NULL, &f.dev),
			 0);
	scatter(pages);
}

static void stop(void)
{
	phyr_dev_destroy(f.dev);
	phyr_domain_destroy(f.domain);
	phyr_iommu_destroy(f.iommu);
	phyr_list_fini(&f.list);
	munmap(f.memory, f.pages * K);
	tenv_fini(&f.t);
	set_limit(USUAL);
}

static struct phyr_domain_stats stats(void)
{
	struct phyr_domain_stats s;

	phyr_domain_get_stats(f.domain, &s);
	return s;
}

static void left(uint64_t wanted)
{
	assert_int_equal(stats().kernel_maps_left, limited ? wanted : UINT64_MAX);
}

/* The first pages of the list into a window at its start. */
static int link_pages(struct phyr_dma_iova_state *s, uint64_t pages)
{
	struct phyr_cursor cur;

	assert_int_equal(phyr_cursor_init_at(&cur, &f.list, 0, pages * K), 0);
	return phyr_dma_iova_link_cursor(f.dev, s, f.list.space, &cur, 0, PHYR_DMA_BIDIRECTIONAL,
					 0);
}

static void unlink_pages(struct phyr_dma_iova_state *s, uint64_t pages)
{
	assert_int_equal(phyr_dma_iova_unlink(f.dev, s, 0, pages * K, PHYR_DMA_BIDIRECTIONAL, 0),
			 0);
	assert_int_equal(stats().kernel_maps, 0);
}

static void is_told(unsigned limit)
{
	assert_int_equal(f.told.err, -ENOSPC);
	assert_int_equal(f.told.limit, limit);
	assert_non_null(strstr(f.told.hint, "dma_entry_limit"));
	print_message("# %s: %s (limit %u)\n", f.told.call, f.told.hint, limit);
	memset(&f.told, 0, sizeof(f.told));
}

/* The kernel was not asked, and the report says how many there may be and what to do. */
static void is_refused(struct phyr_dma_iova_state *s, uint64_t pages, unsigned limit)
{
	struct phyr_domain_stats before = stats(), after;
	struct phyr_translation tr;

	assert_int_equal(link_pages(s, pages), -ENOSPC);
	is_told(limit);
	after = stats();
	assert_int_equal(after.ioctls, before.ioctls);
	assert_int_equal(after.kernel_maps, before.kernel_maps);
	assert_int_equal(phyr_domain_translate(f.domain, s->addr, &tr), -ENOENT);
}

static void window(struct phyr_dma_iova_state *s, uint64_t pages)
{
	assert_true(phyr_dma_iova_try_alloc(f.dev, s, phyr_list_first_addr(&f.list), pages * K));
}

/* As many pages as there are mappings, exactly; one more is refused; nothing is lost by that. */
static void reached_by_one_window(void **state)
{
	struct phyr_dma_iova_state s;

	start(SMALL, SMALL + 1);
	left(SMALL);
	window(&s, SMALL + 1);
	if (limited)
		is_refused(&s, SMALL + 1, SMALL);
	assert_int_equal(link_pages(&s, SMALL), 0);
	assert_int_equal(stats().kernel_maps, SMALL);
	left(0);
	unlink_pages(&s, SMALL);
	left(SMALL);
	phyr_dma_iova_free(f.dev, &s);
	stop();
}

static int map_page(uint64_t page, phyr_dma_addr_t *dma)
{
	return phyr_dma_map_phys(f.dev, phyr_space_user(), (uintptr_t)f.memory + page * K, K,
				 PHYR_DMA_BIDIRECTIONAL, 0, dma);
}

static void reached_by_many_maps(void **state)
{
	phyr_dma_addr_t dma[SMALL], more;

	start(SMALL, SMALL + 1);
	for (unsigned i = 0; i < SMALL; i++)
		assert_int_equal(map_page(i, &dma[i]), 0);
	left(0);
	if (limited) {
		assert_int_equal(map_page(SMALL, &more), -ENOSPC);
		is_told(SMALL);
	}
	phyr_dma_unmap_phys(f.dev, dma[7], K, PHYR_DMA_BIDIRECTIONAL, 0);
	assert_int_equal(map_page(SMALL, &more), 0);
	left(0);
	phyr_dma_unmap_phys(f.dev, more, K, PHYR_DMA_BIDIRECTIONAL, 0);
	for (unsigned i = 0; i < SMALL; i++)
		if (i != 7)
			phyr_dma_unmap_phys(f.dev, dma[i], K, PHYR_DMA_BIDIRECTIONAL, 0);
	left(SMALL);
	stop();
}

/* Slices of pages that follow each other in memory, which a cursor gives one by one. */
static void neighbours_are_one(void **state)
{
	struct phyr_list pages[SMALL * 4];
	struct phyr_slice slices[SMALL * 4];
	const struct phyr_listv listv = {slices, SMALL * 4};
	struct phyr_dma_iova_state s;
	struct phyr_cursor cur;

	start(SMALL, SMALL * 4);
	for (unsigned i = 0; i < SMALL * 4; i++) {
		phyr_list_init(&pages[i], NULL, phyr_space_user());
		assert_int_equal(phyr_source_append(&pages[i], f.memory + i * K, K), 0);
		assert_int_equal(phyr_slice_init(&slices[i], &pages[i], 0, K), 0);
	}
	window(&s, SMALL * 4);
	phyr_cursor_init_listv(&cur, &listv);
	assert_int_equal(phyr_dma_iova_link_cursor(f.dev, &s, phyr_space_user(), &cur, 0,
						   PHYR_DMA_BIDIRECTIONAL, 0),
			 0);
	assert_int_equal(stats().kernel_maps, 1);
	left(SMALL - 1);
	unlink_pages(&s, SMALL * 4);
	phyr_dma_iova_free(f.dev, &s);
	for (unsigned i = 0; i < SMALL * 4; i++)
		phyr_list_fini(&pages[i]);
	stop();
}

/* The same pages in the order of their addresses are one mapping; scattered, they are 70,000. */
static void window_of_70000(void **state)
{
	struct phyr_dma_iova_state s;
	uint64_t n = limited ? USUAL : MANY;

	start(USUAL, MANY);
	window(&s, MANY);
	if (limited)
		is_refused(&s, MANY, USUAL);
	assert_int_equal(link_pages(&s, n), 0);
	assert_int_equal(phyr_dma_iova_sync(f.dev, &s, 0, n * K), 0);
	assert_int_equal(stats().kernel_maps, n);
	left(0);
	print_message("# %llu mappings, %llu bytes to find them again\n", (unsigned long long)n,
		      (unsigned long long)stats().record_bytes);
	assert_true(stats().record_bytes <= 24 * n);
	unlink_pages(&s, n);
	left(USUAL);
	assert_int_equal(phyr_dma_iova_link(f.dev, &s, phyr_space_user(), (uintptr_t)f.memory, 0,
					    MANY * K, PHYR_DMA_BIDIRECTIONAL, 0),
			 0);
	assert_int_equal(stats().kernel_maps, 1);
	unlink_pages(&s, MANY);
	phyr_dma_iova_free(f.dev, &s);
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reached_by_one_window),
		cmocka_unit_test(reached_by_many_maps),
		cmocka_unit_test(neighbours_are_one),
		cmocka_unit_test(window_of_70000),
	};

	limited = !rig_kernel_is_iommufd();
	return cmocka_run_group_tests_name("limit", tests, NULL, NULL);
}
