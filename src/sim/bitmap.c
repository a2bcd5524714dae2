/* SPDX-License-Identifier: MIT */
/* A bitmap with summaries. Bits past the end are set on every level, so they are never found. */
#include "sim/bitmap.h"

#include <stdlib.h>

#include "core/bits.h"
#include "core/err.h"

static uint64_t words_for(uint64_t bits)
{
	return (bits + 63) / 64;
}

int phyr_sim_bitmap_init(struct sim_bitmap *map, uint64_t nr)
{
	uint64_t bits = nr;

	*map = (struct sim_bitmap){.nr = nr};
	do {
		uint64_t *words = calloc(words_for(bits), sizeof(*words));

		if (!words) {
			phyr_sim_bitmap_fini(map);
			return -ENOMEM;
		}
		if (bits & 63)
			words[bits / 64] = ~(uint64_t)0 << (bits & 63);
		map->level[map->levels++] = words;
		bits = words_for(bits);
	} while (bits > 1 && map->levels < SIM_BITMAP_LEVELS);
	return 0;
}

void phyr_sim_bitmap_fini(struct sim_bitmap *map)
{
	for (unsigned i = 0; i < map->levels; i++)
		free(map->level[i]);
	map->levels = 0;
}

void phyr_sim_bitmap_set(struct sim_bitmap *map, uint64_t i)
{
	for (unsigned l = 0; l < map->levels; l++, i /= 64) {
		map->level[l][i / 64] |= (uint64_t)1 << (i & 63);
		if (~map->level[l][i / 64])
			return;
	}
}

void phyr_sim_bitmap_clear(struct sim_bitmap *map, uint64_t i)
{
	for (unsigned l = 0; l < map->levels; l++, i /= 64)
		map->level[l][i / 64] &= ~((uint64_t)1 << (i & 63));
}

uint64_t phyr_sim_bitmap_next_clear(const struct sim_bitmap *map, uint64_t from)
{
	uint64_t i = from, bits = map->nr, clear;
	unsigned l = 0;

	for (;;) {
		if (i >= bits)
			return map->nr;
		clear = ~map->level[l][i / 64] & ~(uint64_t)0 << (i & 63);
		if (clear)
			break;
		if (++l == map->levels)
			return map->nr;
		i = i / 64 + 1;
		bits = words_for(bits);
	}
	i = i / 64 * 64 + low_bit_u64(clear);
	while (l--)
		i = i * 64 + low_bit_u64(~map->level[l][i]);
	return i;
}

uint64_t phyr_sim_bitmap_next_clear_wrap(const struct sim_bitmap *map, uint64_t from)
{
	uint64_t i = phyr_sim_bitmap_next_clear(map, from);

	return i < map->nr ? i : phyr_sim_bitmap_next_clear(map, 0);
}
