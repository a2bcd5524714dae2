/* SPDX-License-Identifier: MIT */
/*
 * Taking addresses and giving them back.
 *
 * The lowest place that fits is taken: low addresses keep the page table small, and what is short
 * lived stays together.
 *
 * With an alignment, a stretch can be long enough and still have no place in it. The first few that
 * are long enough are tried; then one is asked for that is longer by the alignment, which surely
 * has a place. So an aligned request costs no more than a fixed number of ways through the tree,
 * and finds a place whenever a stretch of len + align - granule is free.
 */
#include "iova/iova.h"

/* A request in the form that the search needs. */
struct wish {
	uint64_t size;  /* whole granules */
	uint64_t limit; /* last address that may be used */
	uint64_t align; /* power of two, at least a granule */
	uint64_t skew;
};

/* The lowest place in a free stretch. */
static bool place(const struct iova_node *node, const struct wish *wish, uint64_t *start)
{
	uint64_t off = (wish->skew - node->start) & (wish->align - 1);
	uint64_t last = min_u64(node->last, wish->limit);

	if (node->start > last || off > last - node->start)
		return false;
	if (wish->size - 1 > last - node->start - off)
		return false;
	*start = node->start + off;
	return true;
}

/* Bytes of which any free stretch has a place; 0: more than 64 bits hold. */
static uint64_t surely_enough(const struct phyr_iova *iova, const struct wish *wish)
{
	uint64_t more = wish->align - iova->mask - 1;

	return wish->size > UINT64_MAX - more ? 0 : wish->size + more;
}

static struct iova_node *find(struct phyr_iova *iova, const struct wish *wish, uint64_t *start)
{
	struct iova_node *node = phyr_iova_tree_first_fit(&iova->tree, wish->size);
	uint64_t enough = surely_enough(iova, wish);

	for (unsigned tries = 0; tries < IOVA_ALIGN_TRIES; tries++) {
		/* What comes after the limit need not be tried. */
		if (!node || node->start > wish->limit)
			return NULL;
		if (place(node, wish, start))
			return node;
		node = phyr_iova_tree_next_fit(node, wish->size);
	}
	node = enough ? phyr_iova_tree_first_fit(&iova->tree, enough) : NULL;
	return node && place(node, wish, start) ? node : NULL;
}

static void account(struct phyr_iova *iova, uint64_t start, uint64_t size)
{
	iova->live++;
	iova->live_bytes += size;
	iova->highest = max_u64(iova->highest, start + (size - 1));
}

/* Take a place as wished, else, where alignment is a wish only, any place. */
static int take(struct phyr_iova *iova, struct wish *wish, bool prefer, uint64_t *out)
{
	struct iova_node *node;
	uint64_t start;

	node = find(iova, wish, &start);
	if (!node && prefer) {
		wish->align = iova->mask + 1;
		wish->skew = 0;
		node = find(iova, wish, &start);
	}
	if (!node)
		return -ENOSPC;
	phyr_iova_cut(iova, node, start, start + (wish->size - 1));
	account(iova, start, wish->size);
	*out = start;
	return 0;
}

/* Whole granules; 0: more than 64 bits hold. */
static uint64_t whole_granules(const struct phyr_iova *iova, uint64_t len)
{
	return len > UINT64_MAX - iova->mask ? 0 : round_up_mask(len, iova->mask);
}

/* NULL, or what is wrong with a request. */
static const char *wrong_request(const struct phyr_iova *iova,
				 const struct phyr_iova_request *request)
{
	if (request->size != sizeof(*request))
		return "set size to sizeof(struct phyr_iova_request)";
	if (request->align & (request->align - 1))
		return "the alignment is no power of two";
	if (request->skew & iova->mask)
		return "the skew is no multiple of the granule";
	if (request->skew && request->skew >= request->align)
		return "the skew is not below the alignment";
	return NULL;
}

static const char *make_wish(const struct phyr_iova *iova, uint64_t len,
			     const struct phyr_iova_request *request, struct wish *wish)
{
	const char *wrong;

	wish->size = whole_granules(iova, len);
	wish->limit = iova->last;
	wish->align = iova->mask + 1;
	wish->skew = 0;
	if (!len)
		return "length 0";
	if (!request)
		return NULL;
	wrong = wrong_request(iova, request);
	if (wrong)
		return wrong;
	wish->align = max_u64(request->align, wish->align);
	wish->skew = request->skew;
	if (request->limit)
		wish->limit = min_u64(request->limit, iova->last);
	return NULL;
}

int phyr_iova_try_alloc(struct phyr_iova *iova, uint64_t len,
			const struct phyr_iova_request *request, uint64_t *out)
{
	struct wish wish;
	const char *wrong = make_wish(iova, len, request, &wish);
	int err;

	if (wrong)
		return env_fail(iova->env, .err = -EINVAL, .call = "phyr_iova_alloc", .len = len,
				.hint = wrong);
	err = phyr_iova_lock_with_room(iova, 1);
	if (err)
		return env_fail(iova->env, .err = err, .call = "phyr_iova_alloc", .len = len);
	err = wish.size ? take(iova, &wish, request && request->prefer, out) : -ENOSPC;
	env_unlock(iova->env, &iova->lock);
	return err;
}

int phyr_iova_alloc(struct phyr_iova *iova, uint64_t len, const struct phyr_iova_request *request,
		    uint64_t *out)
{
	int err = phyr_iova_try_alloc(iova, len, request, out);

	if (err != -ENOSPC)
		return err;
	return env_fail(iova->env, .err = err, .call = "phyr_iova_alloc", .len = len,
			.limit = request && request->limit ? request->limit : iova->last,
			.hint = "no free stretch is long enough");
}

/* Take [start, last]; what stands in the way first, from its low end, says which error it is. */
static int take_at(struct phyr_iova *iova, uint64_t start, uint64_t last)
{
	struct iova_node *node = phyr_iova_tree_at_or_after(&iova->tree, start);

	if (!node || node->start > start)
		return -EEXIST;
	if (!node->hole && node->last < last) {
		uint64_t stop = node->last + 1;

		node = phyr_iova_tree_next(node);
		if (!node || node->start > stop)
			return -EEXIST;
	}
	if (node->hole)
		return -ERANGE;
	phyr_iova_cut(iova, node, start, last);
	account(iova, start, last - start + 1);
	return 0;
}

static int fail_at(struct phyr_iova *iova, int err, uint64_t start, uint64_t len, const char *hint)
{
	return env_fail(iova->env, .err = err, .call = "phyr_iova_alloc_at", .len = len,
			.iova = start, .has_iova = true, .limit = iova->last, .hint = hint);
}

int phyr_iova_alloc_at(struct phyr_iova *iova, uint64_t start, uint64_t len)
{
	uint64_t size = whole_granules(iova, len);
	int err;

	if (!len || start & iova->mask)
		return fail_at(iova, -EINVAL, start, len, "length 0, or a start off the granule");
	if (!size || start < iova->start || start > iova->last || size - 1 > iova->last - start)
		return fail_at(iova, -ERANGE, start, len, "outside of the allocator's range");
	err = phyr_iova_lock_with_room(iova, 1);
	if (err)
		return fail_at(iova, err, start, len, NULL);
	err = take_at(iova, start, start + (size - 1));
	env_unlock(iova->env, &iova->lock);
	if (err == -ERANGE)
		return fail_at(iova, err, start, len, "part of it is excluded");
	if (err)
		return fail_at(iova, err, start, len, "part of it is taken");
	return 0;
}

static bool is_free_up_to(const struct iova_node *node, uint64_t start)
{
	return node && !node->hole && node->last + 1 == start;
}

static bool is_free_from(const struct iova_node *node, uint64_t last)
{
	return node && !node->hole && node->start - 1 == last;
}

/*
 * Make [start, last] free and join it with what is free beside it. False: there is no node for it,
 * as pieces of an allocation that are freed one by one have not paid for a node each.
 */
static bool give_back(struct phyr_iova *iova, struct iova_node *prev, struct iova_node *next,
		      uint64_t start, uint64_t last)
{
	bool low = is_free_up_to(prev, start), high = is_free_from(next, last);

	if (low) {
		phyr_iova_tree_resize(&iova->tree, prev, prev->start, high ? next->last : last);
		if (high)
			phyr_iova_drop(iova, next);
	} else if (high) {
		phyr_iova_tree_resize(&iova->tree, next, start, next->last);
	} else if (iova->pool.used < iova->pool.capacity) {
		phyr_iova_add(iova, start, last, false);
	} else {
		return false;
	}
	return true;
}

/* Free [start, last]; false, and nothing is changed, when it can't be what one call gave. */
static bool release(struct phyr_iova *iova, uint64_t start, uint64_t last)
{
	struct iova_node *next = phyr_iova_tree_at_or_after(&iova->tree, start);
	struct iova_node *prev = phyr_iova_tree_prev(&iova->tree, next);

	if (next && next->start <= last)
		return false;
	if (!iova->live || last - start >= iova->live_bytes)
		return false;
	if (!give_back(iova, prev, next, start, last))
		return false;
	iova->live--;
	iova->live_bytes -= last - start + 1;
	return true;
}

void phyr_iova_free(struct phyr_iova *iova, uint64_t start, uint64_t len)
{
	uint64_t size = whole_granules(iova, len);
	bool good = size && !(start & iova->mask) && start >= iova->start && start <= iova->last &&
		    size - 1 <= iova->last - start;

	if (good) {
		env_lock(iova->env, &iova->lock);
		good = release(iova, start, start + (size - 1));
		phyr_iova_unlock_and_trim(iova);
	}
	if (!good)
		env_fail(iova->env, .err = -EINVAL, .call = "phyr_iova_free", .len = len,
			 .iova = start, .has_iova = true,
			 .hint = "it is not allocated; nothing was freed");
}
