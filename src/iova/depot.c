/* SPDX-License-Identifier: MIT */
/* The depot: taking, putting, and giving back to the tree. */
#include "iova/depot.h"

#include "iova/iova.h"

/* Stretches looked at for a wish; classes looked at for one to give back; given back at once. */
#define TRIES        8
#define HAND_CLASSES 64
#define HAND_GIVES   2
#define TRIM_GIVES   4

/* Classes in an octave. */
static uint64_t nr_classes(const struct phyr_iova *iova, unsigned octave)
{
	uint64_t first = (uint64_t)1 << octave;

	return first > iova->nr_classes ? 0 : min_u64(first, iova->nr_classes + 1 - first);
}

/* Bytes of an octave's block with room for so many stretches in all. */
static size_t block_size(const struct phyr_iova *iova, unsigned octave, unsigned room_lg2)
{
	return (nr_classes(iova, octave) * sizeof(uint64_t)) << (room_lg2 - octave);
}

static size_t nr_size(const struct phyr_iova *iova, unsigned octave)
{
	return nr_classes(iova, octave) * sizeof(uint32_t);
}

/* Make one of an octave's arrays, unless somebody else does meanwhile. 0 or -ENOMEM. */
static int make(struct phyr_iova *iova, void **place, size_t size)
{
	void *mem;

	if (load_relaxed(place))
		return 0;
	mem = env_alloc(iova->env, size);
	if (!mem)
		return -ENOMEM;
	env_lock(iova->env, &iova->lock);
	if (!*place) {
		store_relaxed(place, mem);
		mem = NULL;
	}
	env_unlock(iova->env, &iova->lock);
	env_free(iova->env, mem, size);
	return 0;
}

int phyr_iova_depot_make(struct phyr_iova *iova, uint64_t class)
{
	struct iova_depot *depot = &iova->depot;
	uint64_t out = load_relaxed(&iova->out);
	unsigned octave = depot_octave(class);
	int err = 0;

	if (out < iova->depot_from)
		return 0;
	err = make(iova, (void **)&depot->first[octave], block_size(iova, octave, DEPOT_ROOM_LG2));
	if (!err)
		err = make(iova, (void **)&depot->nr[octave], nr_size(iova, octave));
	if (!err && out >= DEPOT_MORE_FROM)
		err = make(iova, (void **)&depot->second[octave],
			   block_size(iova, octave, DEPOT_MORE_LG2));
	return err;
}

/* How many stretches of a class there are; *end: those below are too many to look at. */
static uint64_t last_few(const struct iova_depot *depot, uint64_t class, uint64_t *end)
{
	const uint32_t *nr = depot_nr(depot, class);

	*end = nr && *nr > TRIES ? *nr - TRIES : 0;
	return nr ? *nr : 0;
}

bool phyr_iova_depot_take(struct phyr_iova *iova, uint64_t class, const struct wish *wish,
			  uint64_t *out)
{
	struct iova_depot *depot = &iova->depot;
	uint64_t end, nr = last_few(depot, class, &end);

	for (uint64_t i = nr; i > end; i--)
		if (wish_fits(wish, *depot_at(depot, class, i - 1))) {
			*out = depot_pull(depot, class, i - 1);
			if (*out == iova->freed)
				iova->freed = 0;
			return true;
		}
	return false;
}

bool phyr_iova_depot_holds(const struct phyr_iova *iova, uint64_t class, uint64_t start)
{
	uint64_t end, nr = last_few(&iova->depot, class, &end);

	for (uint64_t i = nr; i > end; i--)
		if (*depot_at(&iova->depot, class, i - 1) == start)
			return true;
	return false;
}

/* Whether so much more would be too much; with few stretches out anything is. */
static bool too_large(const struct phyr_iova *iova, uint64_t granules, uint64_t nr)
{
	uint64_t out = iova->out < iova->depot_from / 4 ? 0 : iova->out;
	uint64_t max = out ? iova->out_bytes >> iova->lg2 >> DEPOT_SHARE_LG2 : 0;

	return iova->depot.granules + granules > max ||
	       iova->depot.count + nr > out >> DEPOT_COUNT_LG2;
}

/* Give back from the classes in turn. False: none was found nearby. */
static bool give_back_one(struct phyr_iova *iova)
{
	struct iova_depot *depot = &iova->depot;

	for (unsigned i = 0; i < HAND_CLASSES; i++) {
		uint64_t class = depot->hand;
		const uint32_t *nr = depot_nr(depot, class);

		depot->hand = class + 1 < iova->nr_classes ? depot->hand + 1 : 0;
		if (!nr || !*nr)
			continue;
		phyr_iova_return(iova, class, depot_pull(depot, class, *nr - 1));
		return true;
	}
	return false;
}

void phyr_iova_depot_trim(struct phyr_iova *iova)
{
	for (unsigned i = 0; i < TRIM_GIVES && iova->depot.count && too_large(iova, 0, 0); i++)
		give_back_one(iova);
}

void phyr_iova_depot_put(struct phyr_iova *iova, uint64_t class, uint64_t start)
{
	const uint32_t *nr = depot_nr(&iova->depot, class);

	/* While caches are emptied what leaves one must not hide in another. */
	if (!nr || load_relaxed(&iova->drains) || *nr == depot_room(&iova->depot, class)) {
		phyr_iova_return(iova, class, start);
		return;
	}
	for (unsigned i = 0; i < HAND_GIVES && too_large(iova, class + 1, 1); i++)
		give_back_one(iova);
	if (too_large(iova, class + 1, 1))
		phyr_iova_return(iova, class, start);
	else
		depot_push(&iova->depot, class, start);
}

uint64_t phyr_iova_depot_meta(const struct phyr_iova *iova)
{
	const struct iova_depot *depot = &iova->depot;
	uint64_t bytes = 0;

	for (unsigned i = 0; i < DEPOT_OCTAVES; i++) {
		if (depot->nr[i])
			bytes += nr_size(iova, i);
		if (depot->first[i])
			bytes += block_size(iova, i, DEPOT_ROOM_LG2);
		if (depot->second[i])
			bytes += block_size(iova, i, DEPOT_MORE_LG2);
	}
	return bytes;
}

/* Take an array out of an octave, which is empty; NULL: it has none. */
static void *take_array(struct phyr_iova *iova, unsigned octave, size_t *size)
{
	struct iova_depot *depot = &iova->depot;
	/* The counts go first: without them the blocks are not used. */
	void **const places[] = {(void **)&depot->nr[octave], (void **)&depot->second[octave],
				 (void **)&depot->first[octave]};
	const size_t sizes[] = {nr_size(iova, octave), block_size(iova, octave, DEPOT_MORE_LG2),
				block_size(iova, octave, DEPOT_ROOM_LG2)};

	for (unsigned i = 0; i < ARRAY_SIZE(places); i++) {
		void *mem = *places[i];

		if (!mem)
			continue;
		*size = sizes[i];
		store_relaxed(places[i], NULL);
		return mem;
	}
	return NULL;
}

/* Take the second block out of the next octave, if none of its stretches lies there. */
static void *take_second(struct phyr_iova *iova, size_t *size)
{
	struct iova_depot *depot = &iova->depot;
	unsigned octave = depot->octave;
	void *mem = depot->second[octave];

	depot->octave = (octave + 1) % DEPOT_OCTAVES;
	if (!mem)
		return NULL;
	for (uint64_t i = 0; depot->nr[octave] && i < nr_classes(iova, octave); i++)
		if (depot->nr[octave][i] > 1u << (DEPOT_ROOM_LG2 - octave))
			return NULL;
	store_relaxed(&depot->second[octave], NULL);
	*size = block_size(iova, octave, DEPOT_MORE_LG2);
	return mem;
}

void *phyr_iova_depot_close_one(struct phyr_iova *iova, size_t *size)
{
	void *mem = NULL;

	if (iova->out >= DEPOT_MORE_FROM / 2)
		return NULL;
	if (iova->depot.count || iova->out >= iova->depot_from / 4)
		return take_second(iova, size);
	for (unsigned i = 0; i < DEPOT_OCTAVES && !mem; i++)
		mem = take_array(iova, i, size);
	return mem;
}

void phyr_iova_depot_fini(struct phyr_iova *iova)
{
	size_t size;
	void *mem;

	for (unsigned i = 0; i < DEPOT_OCTAVES; i++)
		while ((mem = take_array(iova, i, &size)))
			env_free(iova->env, mem, size);
}
