/* SPDX-License-Identifier: MIT */
/* The fake kernel's iova spaces. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backend/fakekernel.h"

/* The first mapping that ends after an iova. */
static uint64_t place_of(const struct fk_space *space, uint64_t iova)
{
	uint64_t low = 0, high = space->nr;

	while (low < high) {
		uint64_t mid = (low + high) / 2;
		const struct fk_map *map = &space->maps[mid];

		if (map->iova + (map->len - 1) < iova)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

const struct fk_map *fk_find(int space, uint64_t iova)
{
	const struct fk_space *s = &fk.spaces[space];
	uint64_t at = place_of(s, iova);

	return at < s->nr && s->maps[at].iova <= iova ? &s->maps[at] : NULL;
}

static bool in_ranges(uint64_t start, uint64_t last)
{
	for (unsigned i = 0; i < fk.nr_ranges; i++) {
		if (start >= fk.ranges[i].start && last <= fk.ranges[i].last)
			return true;
	}
	return false;
}

static bool is_allowed(const struct fk_space *space, uint64_t start, uint64_t last)
{
	return !space->users || in_ranges(start, last);
}

bool fk_allows_all(const struct fk_space *space)
{
	for (uint64_t i = 0; i < space->nr; i++) {
		const struct fk_map *map = &space->maps[i];

		if (!in_ranges(map->iova, map->iova + (map->len - 1)))
			return false;
	}
	return true;
}

static int pin(const struct fk_map *map)
{
	if (map->addr <= fk.bad_last && map->addr + (map->len - 1) >= fk.bad_start)
		return EFAULT;
	if (map->len > fk.lock_limit - fk.pinned)
		return ENOMEM;
	fk.pinned += map->len;
	return 0;
}

static int check(const struct fk_space *space, const struct fk_map *map, bool type1)
{
	const uint64_t mask = (fk.page_sizes & -fk.page_sizes) - 1;
	uint64_t last = map->iova + (map->len - 1), at = place_of(space, map->iova);

	if (!map->len || (map->iova | map->len | map->addr) & mask || last < map->iova)
		return EINVAL;
	if (!type1 && !is_allowed(space, map->iova, last))
		return EINVAL;
	if (at < space->nr && space->maps[at].iova <= last)
		return EEXIST;
	if (type1 && space->nr >= fk.dma_entry_limit)
		return ENOSPC;
	return type1 && !is_allowed(space, map->iova, last) ? EINVAL : 0;
}

int fk_map(struct fk_space *space, const struct fk_map *map, bool type1)
{
	uint64_t at = place_of(space, map->iova);
	int err = check(space, map, type1);

	if (!err && space->iommu)
		err = pin(map);
	if (err)
		return err;
	if (space->nr == space->room) {
		space->room = space->room ? 2 * space->room : 64;
		space->maps = realloc(space->maps, space->room * sizeof(space->maps[0]));
		if (!space->maps)
			abort();
	}
	memmove(space->maps + at + 1, space->maps + at, (space->nr - at) * sizeof(space->maps[0]));
	space->maps[at] = *map;
	space->nr++;
	return 0;
}

int fk_unmap(struct fk_space *space, uint64_t iova, uint64_t len, bool type1, uint64_t *done)
{
	uint64_t last = iova + (len - 1), from = place_of(space, iova), to = from;

	if (!len || last < iova)
		return EINVAL;
	*done = 0;
	if (from < space->nr && space->maps[from].iova < iova)
		return type1 ? EINVAL : ENOENT;
	while (to < space->nr && space->maps[to].iova <= last) {
		*done += space->maps[to].len;
		to++;
	}
	if (to > from && space->maps[to - 1].iova + (space->maps[to - 1].len - 1) > last)
		return type1 ? EINVAL : ENOENT;
	if (!type1 && to == from)
		return ENOENT;
	if (space->iommu)
		fk.pinned -= *done;
	memmove(space->maps + from, space->maps + to, (space->nr - to) * sizeof(space->maps[0]));
	space->nr -= to - from;
	return 0;
}

int fk_pin_all(struct fk_space *space)
{
	uint64_t was = fk.pinned;

	for (uint64_t i = 0; i < space->nr; i++) {
		int err = pin(&space->maps[i]);

		if (err) {
			fk.pinned = was;
			return err;
		}
	}
	space->iommu = true;
	return 0;
}

void fk_unpin_all(struct fk_space *space)
{
	for (uint64_t i = 0; space->iommu && i < space->nr; i++)
		fk.pinned -= space->maps[i].len;
	space->iommu = false;
}

void fk_forget(struct fk_space *space)
{
	fk_unpin_all(space);
	free(space->maps);
	space->maps = NULL;
	space->nr = space->room = 0;
}
