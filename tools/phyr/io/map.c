/* SPDX-License-Identifier: MIT */
/*
 * The four ways to map an I/O.
 *
 *   perpage     each page its own mapping, as a driver does without anything better
 *   oneshot     phyr_dma_map(): one call
 *   twostep     a window, links of at most LINK_MAX, one sync
 *   registered  mapped before the run; an I/O costs no mapping
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "io/io.h"

/* What a block layer hands over at once, about: links of a window are made in pieces of this. */
#define LINK_MAX ((uint64_t)256 << 10)

static enum phyr_dma_dir dir_of(const struct io_slot *slot)
{
	return slot->kind == IO_WRITE ? PHYR_DMA_TO_DEVICE : PHYR_DMA_FROM_DEVICE;
}

static struct phyr_dev *dev_of(struct engine *e)
{
	return phyr_get_dev(e->team->p);
}

static size_t buffer_bytes(const struct engine *e)
{
	return e->team->opts->bs_max + 2 * PHYR_PAGE_SIZE;
}

const char *const io_path_names[NR_PATHS] = {"perpage", "twostep", "same", "window", "ranges"};

/* Count which answer phyr_dma_map() gave. */
static void count_answer(struct engine *e, const struct phyr_dma_map *map)
{
	if (map->how == PHYR_DMA_SAME)
		e->result.paths[PATH_SAME]++;
	else if (map->how == PHYR_DMA_WINDOW)
		e->result.paths[PATH_WINDOW]++;
	else
		e->result.paths[PATH_RANGES]++;
}

static int init_mapping(struct engine *e, struct io_slot *slot)
{
	int err;

	slot->pages = calloc(e->team->opts->bs_max / PHYR_PAGE_SIZE + 2, sizeof(*slot->pages));
	if (!slot->pages)
		return -ENOMEM;
	if (e->team->map != MAP_REGISTERED)
		return 0;
	err = phyr_dma_map(dev_of(e), &slot->memory, PHYR_DMA_BIDIRECTIONAL, 0, &slot->kept);
	if (!err)
		count_answer(e, &slot->kept);
	return err;
}

int map_slot_init(struct engine *e, struct io_slot *slot, uint64_t misalign)
{
	char *memory = mmap(NULL, buffer_bytes(e), PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int err;

	if (memory == MAP_FAILED)
		return -ENOMEM;
	slot->buf = memory + misalign;
	slot->engine = e;
	err = phyr_list_from_user(e->team->p, slot->buf, e->team->opts->bs_max, &slot->memory);
	if (!err) {
		phyr_list_init(&slot->part, NULL, slot->memory.space);
		err = init_mapping(e, slot);
		if (!err)
			return 0;
		phyr_list_release(e->team->p, &slot->memory);
		free(slot->pages);
	}
	munmap(memory, buffer_bytes(e));
	slot->buf = NULL;
	return err;
}

void map_slot_fini(struct engine *e, struct io_slot *slot)
{
	uintptr_t start = (uintptr_t)slot->buf & ~(uintptr_t)(PHYR_PAGE_SIZE - 1);

	if (!slot->buf)
		return;
	if (e->team->map == MAP_REGISTERED)
		phyr_dma_unmap(dev_of(e), &slot->kept);
	free(slot->pages);
	phyr_list_fini(&slot->part);
	phyr_list_release(e->team->p, &slot->memory);
	munmap((void *)start, buffer_bytes(e));
	slot->buf = NULL;
}

/* Make slot->part the list of the I/O's own bytes, as a caller would hand it over. */
static int make_part(struct io_slot *slot)
{
	struct phyr_cursor cur;
	struct phyr_range range;
	int err;

	phyr_list_reset(&slot->part);
	err = phyr_cursor_init_at(&cur, &slot->memory, 0, slot->len);
	while (!err && phyr_cursor_next(&cur, &range))
		err = phyr_list_append(&slot->part, range.addr, range.len);
	return err;
}

static void unmap_pages(struct engine *e, struct io_slot *slot)
{
	for (size_t i = 0; i < slot->nr_pages; i++)
		phyr_dma_unmap_phys(dev_of(e), slot->pages[i].addr, slot->pages[i].len,
				    dir_of(slot), 0);
	slot->nr_pages = 0;
}

static int map_one_page(struct engine *e, struct io_slot *slot, struct phyr_range *rest)
{
	struct phyr_range *page = &slot->pages[slot->nr_pages];
	uint64_t len = PHYR_PAGE_SIZE - (rest->addr & (PHYR_PAGE_SIZE - 1));
	int err;

	page->len = len < rest->len ? len : rest->len;
	err = phyr_dma_map_phys(dev_of(e), slot->part.space, rest->addr, page->len, dir_of(slot), 0,
				&page->addr);
	if (err)
		return err;
	slot->nr_pages++;
	rest->addr += page->len;
	rest->len -= page->len;
	return 0;
}

static int map_perpage(struct engine *e, struct io_slot *slot)
{
	struct phyr_cursor cur;
	struct phyr_range range;
	int err = 0;

	slot->nr_pages = 0;
	phyr_cursor_init(&cur, &slot->part);
	while (!err && phyr_cursor_next(&cur, &range))
		while (!err && range.len)
			err = map_one_page(e, slot, &range);
	if (!err)
		err = phyr_cursor_init_ranges(&slot->whole, slot->pages, slot->nr_pages);
	if (err)
		unmap_pages(e, slot);
	else
		e->result.paths[PATH_PAGES]++;
	return err;
}

static int map_oneshot(struct engine *e, struct io_slot *slot)
{
	int err = phyr_dma_map(dev_of(e), &slot->part, dir_of(slot), 0, &slot->map);

	if (err)
		return err;
	count_answer(e, &slot->map);
	err = phyr_dma_map_cursor(&slot->map, 0, slot->len, &slot->whole);
	if (err)
		phyr_dma_unmap(dev_of(e), &slot->map);
	return err;
}

/* Link the buffer in pieces, each ending on a page: the first byte's offset shortens the first. */
static int link_pieces(struct engine *e, struct io_slot *slot, uint64_t *linked)
{
	uint64_t offset = 0, len;
	struct phyr_cursor cur;
	int err = 0;

	while (!err && offset < slot->len) {
		len = LINK_MAX - (offset ? 0 : slot->part.first_offset);
		if (len > slot->len - offset)
			len = slot->len - offset;
		err = phyr_cursor_init_at(&cur, &slot->part, offset, len);
		if (!err)
			err = phyr_dma_iova_link_cursor(dev_of(e), &slot->window, slot->part.space,
							&cur, offset, dir_of(slot), 0);
		if (!err)
			offset += len;
	}
	*linked = offset;
	return err;
}

static int map_twostep(struct engine *e, struct io_slot *slot)
{
	uint64_t linked;
	int err;

	slot->in_window = phyr_dma_iova_try_alloc(dev_of(e), &slot->window,
						  phyr_list_first_addr(&slot->part), slot->len);
	if (!slot->in_window)
		return map_oneshot(e, slot);
	err = link_pieces(e, slot, &linked);
	if (!err)
		err = phyr_dma_iova_sync(dev_of(e), &slot->window, 0, slot->len);
	if (err) {
		phyr_dma_iova_destroy(dev_of(e), &slot->window, linked, dir_of(slot), 0);
		return err;
	}
	e->result.paths[PATH_TWOSTEP]++;
	phyr_cursor_init_range(&slot->whole, slot->window.addr, slot->len);
	return 0;
}

int map_begin(struct engine *e, struct io_slot *slot)
{
	uint64_t start;
	int err;

	if (e->team->map == MAP_REGISTERED)
		return phyr_dma_map_cursor(&slot->kept, 0, slot->len, &slot->whole);
	err = make_part(slot);
	if (err)
		return err;
	start = now_ns();
	if (e->team->map == MAP_PERPAGE)
		err = map_perpage(e, slot);
	else if (e->team->map == MAP_TWOSTEP)
		err = map_twostep(e, slot);
	else
		err = map_oneshot(e, slot);
	e->result.map_ns += now_ns() - start;
	e->result.timed++;
	return err;
}

void map_end(struct engine *e, struct io_slot *slot)
{
	uint64_t start;

	if (e->team->map == MAP_REGISTERED)
		return;
	start = now_ns();
	if (e->team->map == MAP_PERPAGE)
		unmap_pages(e, slot);
	else if (slot->in_window)
		phyr_dma_iova_destroy(dev_of(e), &slot->window, slot->len, dir_of(slot), 0);
	else
		phyr_dma_unmap(dev_of(e), &slot->map);
	slot->in_window = false;
	e->result.unmap_ns += now_ns() - start;
}
