/* SPDX-License-Identifier: MIT */
/* What calls that change mappings are asked for and say, and what they call through pointers. */
#include "pgtbl/change.h"

#include "pgtbl/dirty.h"
#include "pgtbl/fmt.h"
#include "pgtbl/visit.h"

static const char cut_call[] = "phyr_pgtbl_cut";
static const char reclaim_call[] = "phyr_pgtbl_reclaim";

static int check_range(struct phyr_pgtbl *pt, const char *call, uint64_t iova, uint64_t len)
{
	if (!len)
		return env_fail(pt->env, .err = -EINVAL, .call = call, .iova = iova,
				.has_iova = true, .hint = "the length is 0");
	if (iova > pt->last || len - 1 > pt->last - iova)
		return env_fail(pt->env, .err = -ERANGE, .call = call, .iova = iova,
				.has_iova = true, .len = len, .limit = pt->last,
				.hint = "it ends past the table's last iova");
	return 0;
}

static int check_granule(struct phyr_pgtbl *pt, const char *call, uint64_t bits, uint64_t iova,
			 uint64_t len)
{
	if (!(bits & (pt->granule - 1)))
		return 0;
	return env_fail(pt->env, .err = -EINVAL, .call = call, .iova = iova, .has_iova = true,
			.len = len, .limit = pt->granule,
			.hint = "it is not a multiple of the table's granule");
}

int phyr_pgtbl_cut_check(struct phyr_pgtbl *pt, uint64_t iova)
{
	int err = check_range(pt, cut_call, iova, 1);

	return err ? err : check_granule(pt, cut_call, iova, iova, 0);
}

int phyr_pgtbl_promote_check(struct phyr_pgtbl *pt, uint64_t iova, uint64_t len)
{
	static const char call[] = "phyr_pgtbl_promote";
	int err = check_range(pt, call, iova, len);

	return err ? err : check_granule(pt, call, iova | len, iova, len);
}

int phyr_pgtbl_dirty_check(struct phyr_pgtbl *pt, uint64_t iova, uint64_t len)
{
	static const char call[] = "phyr_pgtbl_dirty";

	if (!pt->dirty)
		return env_fail(pt->env, .err = -EOPNOTSUPP, .call = call, .iova = iova,
				.has_iova = true, .len = len,
				.hint = "the table was made without dirty marks: set config.dirty");
	return check_range(pt, call, iova, len);
}

int phyr_pgtbl_reclaim_check(struct phyr_pgtbl *pt, uint64_t iova, uint64_t len)
{
	return check_range(pt, reclaim_call, iova, len);
}

int phyr_pgtbl_walk_check(struct phyr_pgtbl *pt, uint64_t iova, uint64_t len)
{
	return check_range(pt, "phyr_pgtbl_walk", iova, len);
}

int phyr_pgtbl_cut_fail(struct phyr_pgtbl *pt, uint64_t iova, int err)
{
	const char *hint = "no memory for a table, or none that an entry can lead to";

	if (err == -ENOENT)
		hint = "nothing is mapped there that could be cut";
	else if (err == -EOPNOTSUPP)
		hint = "the hardware cannot change this while devices use it: stop them, and pass "
		       "idle";
	return env_fail(pt->env, .err = err, .call = cut_call, .iova = iova, .has_iova = true,
			.hint = hint);
}

int phyr_pgtbl_reclaim_fail(struct phyr_pgtbl *pt, uint64_t iova)
{
	return env_fail(pt->env, .err = -EBUSY, .call = reclaim_call, .iova = iova,
			.has_iova = true, .hint = "this is mapped still: unmap all of the range");
}

void phyr_pgtbl_idle_sync(const struct phyr_pgtbl_idle *idle, uint64_t start, uint64_t last)
{
	struct phyr_gather gather;

	phyr_gather_init(&gather);
	pgtbl_gather_add(&gather, start, last);
	idle->sync(idle->arg, &gather);
}

void phyr_pgtbl_free_chain(struct phyr_pgtbl *pt, uint64_t chain)
{
	pt->ops->free(pt, chain);
}

void phyr_pgtbl_dirty_tell(struct pgtbl_teller *t)
{
	if (t->size_lg2)
		t->fn(t->arg, t->start, t->last - t->start + 1);
	t->size_lg2 = 0;
}

int phyr_pgtbl_walk_tell(phyr_pgtbl_walk_fn *fn, void *arg, const struct phyr_pgtbl_entry *entry)
{
	return fn(arg, entry);
}
