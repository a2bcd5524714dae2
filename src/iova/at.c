/* SPDX-License-Identifier: MIT */
/* Taking given addresses. */
#include "iova/iova.h"

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
	phyr_iova_account(iova, start, last - start + 1);
	return 0;
}

/* As take_at(), once more as the caches lose what they hold of it. */
static int take_from_caches(struct phyr_iova *iova, uint64_t start, uint64_t last)
{
	struct iova_drain d = {.start = start, .last = last};
	int err, more;

	do {
		more = phyr_iova_drain_step(iova, &d, 1);
		if (more < 0) {
			err = more;
			break;
		}
		err = take_at(iova, start, last);
		phyr_iova_unlock_and_trim(iova);
	} while (err == -EEXIST && more > 0);
	phyr_iova_drain_end(iova, &d);
	return err;
}

static int take_anywhere(struct phyr_iova *iova, uint64_t start, uint64_t last)
{
	int err = phyr_iova_lock_with_room(iova, 1);

	if (err)
		return err;
	err = take_at(iova, start, last);
	env_unlock(iova->env, &iova->lock);
	return err == -EEXIST ? take_from_caches(iova, start, last) : err;
}

static int fail_at(struct phyr_iova *iova, int err, uint64_t start, uint64_t len, const char *hint)
{
	return env_fail(iova->env, .err = err, .call = "phyr_iova_alloc_at", .len = len,
			.iova = start, .has_iova = true, .limit = iova->last, .hint = hint);
}

int phyr_iova_alloc_at(struct phyr_iova *iova, uint64_t start, uint64_t len)
{
	uint64_t size = whole_granules(iova, len), seen;
	int err;

	if (!len || start & iova->mask)
		return fail_at(iova, -EINVAL, start, len, "length 0, or a start off the granule");
	if (!size || start < iova->start || start > iova->last || size - 1 > iova->last - start)
		return fail_at(iova, -ERANGE, start, len, "outside of the allocator's range");
	seen = phyr_iova_reserved_seen(iova);
	err = take_anywhere(iova, start, start + (size - 1));
	if (err == -EEXIST && phyr_iova_reserved_stop(iova, seen)) {
		err = take_anywhere(iova, start, start + (size - 1));
		phyr_iova_reserved_go(iova);
	}
	if (err == -ERANGE)
		return fail_at(iova, err, start, len, "part of it is excluded");
	if (err)
		return fail_at(iova, err, start, len,
			       err == -EEXIST ? "part of it is taken" : NULL);
	return 0;
}
