/* SPDX-License-Identifier: MIT */
/*
 * Unmapping, and looking up, by the record.
 *
 * The kernel unmaps whole mappings only, and it knows nothing of map calls, which may be many of them:
 * the record tells where one began and ended. One call unmaps all between two edges. Where the iova
 * space is somebody else's, though, what lies between our mappings may be theirs: a call then goes no
 * further than ours lie together.
 */
#include "backend/kernel.h"

#include "core/bits.h"
#include "core/env.h"

#define CALL "phyr_domain_unmap"

static int unmap_fail(struct kernel_domain *domain, int err, uint64_t iova, const char *hint)
{
	return env_fail(domain->kernel->iommu.env, .err = err, .call = CALL, .iova = iova,
			.has_iova = true, .hint = hint);
}

/* Bytes that the record has in [start, last]. */
static uint64_t bytes_in(struct kernel_domain *domain, uint64_t start, uint64_t last)
{
	struct phyr_env *env = domain->kernel->iommu.env;
	struct record_run run;
	uint64_t bytes = 0;

	env_lock(env, &domain->lock);
	while (start <= last && phyr_record_next(&domain->record, start, &run) &&
	       run.iova <= last) {
		bytes += run.len;
		start = run.iova + run.len;
	}
	env_unlock(env, &domain->lock);
	return bytes;
}

int phyr_kernel_unmap_bytes(struct kernel_domain *domain, uint64_t iova, uint64_t len,
			    uint64_t bytes)
{
	uint64_t done = 0;
	int err = domain->kernel->type->unmap(domain, iova, len, &done);

	if (err)
		return err;
	return done == bytes ? 0 : -EIO;
}

/* All between two edges. What the kernel says is compared with the record, which is counted only if
 * there were holes. */
static int unmap_all(struct kernel_domain *domain, uint64_t start, uint64_t last)
{
	uint64_t len = last - start + 1, done = 0;
	struct phyr_env *env = domain->kernel->iommu.env;
	int err = domain->kernel->type->unmap(domain, start, len, &done);

	if (err)
		return err;
	if (done != len && done != bytes_in(domain, start, last))
		return -EIO;
	env_lock(env, &domain->lock);
	phyr_record_remove(&domain->record, start, last);
	env_unlock(env, &domain->lock);
	return 0;
}

/* The first mappings in [start, last] that lie together. Under the domain's lock. */
static bool next_stretch(const struct record *record, uint64_t start, uint64_t last,
			 struct record_run *stretch)
{
	struct record_run run;

	if (start > last || !phyr_record_next(record, start, stretch) || stretch->iova > last)
		return false;
	while (phyr_record_find(record, stretch->iova + stretch->len, &run) && run.iova <= last)
		stretch->len += run.len;
	return true;
}

/* Unmap them, and take them out of the record. */
static int unmap_stretch(struct kernel_domain *domain, const struct record_run *at)
{
	struct phyr_env *env = domain->kernel->iommu.env;
	int err = phyr_kernel_unmap_bytes(domain, at->iova, at->len, at->len);

	if (err)
		return err;
	env_lock(env, &domain->lock);
	phyr_record_remove(&domain->record, at->iova, at->iova + (at->len - 1));
	env_unlock(env, &domain->lock);
	return 0;
}

int phyr_kernel_unmap_ours(struct kernel_domain *domain, uint64_t start, uint64_t last)
{
	struct phyr_env *env = domain->kernel->iommu.env;
	int first = 0;

	for (;;) {
		struct record_run at;
		bool found;
		int err;

		env_lock(env, &domain->lock);
		found = next_stretch(&domain->record, start, last, &at);
		env_unlock(env, &domain->lock);
		if (!found)
			return first;
		err = unmap_stretch(domain, &at);
		if (!first)
			first = err;
		start = at.iova + at.len;
	}
}

/* Nothing is in the kernel: a container without a group. */
static int forget(struct kernel_domain *domain, uint64_t start, uint64_t last)
{
	struct phyr_env *env = domain->kernel->iommu.env;

	env_lock(env, &domain->lock);
	phyr_record_remove(&domain->record, start, last);
	env_unlock(env, &domain->lock);
	return 0;
}

/* Find the edges: *start and *last, of whole granules. Under the domain's lock. */
static int find_edges(struct kernel_domain *domain, uint64_t iova, uint64_t len, uint64_t *start,
		      uint64_t *last)
{
	const uint64_t mask = kernel_granule(&domain->aperture) - 1;
	struct record_run run;

	if (!len)
		return unmap_fail(domain, -EINVAL, iova, "the length is 0");
	if (iova > domain->aperture.last || len - 1 > domain->aperture.last - iova)
		return env_fail(domain->kernel->iommu.env, .err = -ERANGE, .call = CALL,
				.iova = iova, .has_iova = true, .len = len,
				.limit = domain->aperture.last,
				.hint = "it ends past the last iova that the devices can use");
	*start = round_down_mask(iova, mask);
	*last = (iova + (len - 1)) | mask;
	if (!phyr_record_find(&domain->record, *start, &run) || !run.first || run.iova != *start)
		return unmap_fail(domain, -EINVAL, iova,
				  "no map call started at this iova: unmap whole map calls");
	if (!phyr_record_find(&domain->record, *last, &run) || !run.last ||
	    run.iova + (run.len - 1) != *last)
		return unmap_fail(domain, -EINVAL, iova + (len - 1),
				  "no map call ended at this iova: unmap whole map calls");
	return 0;
}

int phyr_kernel_unmap(void *ctx, uint64_t iova, uint64_t len, struct phyr_gather *gather)
{
	struct kernel_domain *domain = ctx;
	struct phyr_env *env = domain->kernel->iommu.env;
	uint64_t start = 0, last = 0;
	bool live;
	int err;

	env_lock(env, &domain->lock);
	err = find_edges(domain, iova, len, &start, &last);
	live = domain->live;
	env_unlock(env, &domain->lock);
	if (err)
		return err;
	if (!live)
		return forget(domain, start, last);
	if (domain->kernel->foreign)
		err = phyr_kernel_unmap_ours(domain, start, last);
	else
		err = unmap_all(domain, start, last);
	if (!err)
		return 0;
	return env_fail(
		domain->kernel->iommu.env, .err = -EIO, .call = CALL, .iova = iova,
		.has_iova = true, .len = len, .limit = (uint64_t)-err,
		.hint = "the kernel did not unmap what was mapped (limit is its errno): the "
			"iova stays taken");
}

/* The largest power of two whose block around the iova lies in the run, as the memory does. */
static uint64_t leaf_at(const struct record_run *run, uint64_t iova, uint64_t granule)
{
	uint64_t apart = run->iova ^ run->addr, leaf = granule;

	for (uint64_t size = granule << 1; size <= run->len; size <<= 1) {
		uint64_t at = iova & ~(size - 1);

		if (apart & (size - 1) || at < run->iova || run->len - (at - run->iova) < size)
			break;
		leaf = size;
	}
	return leaf;
}

int phyr_kernel_translate(void *ctx, uint64_t iova, struct phyr_translation *out)
{
	struct kernel_domain *domain = ctx;
	struct phyr_env *env = domain->kernel->iommu.env;
	uint64_t granule, past;
	struct record_run run;
	bool found;

	env_lock(env, &domain->lock);
	granule = kernel_granule(&domain->aperture);
	past = domain->aperture.last;
	found = phyr_record_find(&domain->record, iova, &run);
	env_unlock(env, &domain->lock);
	if (!found)
		return iova > past ? -ERANGE : -ENOENT;
	*out = (struct phyr_translation){.addr = run.addr + (iova - run.iova),
					 .leaf_size = leaf_at(&run, iova, granule),
					 .prot = run.prot};
	return 0;
}

int phyr_kernel_replay(struct kernel_domain *domain)
{
	struct phyr_env *env = domain->kernel->iommu.env;
	uint64_t iova = 0;

	for (;;) {
		struct record_run run;
		bool found;
		int err;

		env_lock(env, &domain->lock);
		found = phyr_record_next(&domain->record, iova, &run);
		env_unlock(env, &domain->lock);
		if (!found)
			return 0;
		err = domain->kernel->type->map(domain, NULL, &run);
		if (err)
			return err;
		iova = run.iova + run.len;
	}
}
