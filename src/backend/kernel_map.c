/* SPDX-License-Identifier: MIT */
/*
 * Mapping: all that a cursor gives, in as few calls as can be, all or nothing.
 *
 *   cursor     │ 3 pages at A │ 1 at A + 3 │ 2 at B │        runs, which need not start or end on a granule
 *   mappings   │ 4 pages at A              │ 2 at B │        one call each
 *
 * First all is looked at, and counted, and written into the record: what is refused there is refused
 * before the kernel has seen anything. Then the kernel is called for each mapping. When one fails,
 * those before it are undone by one call: all of [iova, iova + done) is our own.
 */
#include "backend/kernel.h"

#include "core/bits.h"
#include "core/env.h"

#define CALL "phyr_domain_map"

#define ROOM_HINT                                                                           \
	"the container takes no more mappings: keep few large buffers mapped, whose pages " \
	"lie together, or raise vfio_iommu_type1.dma_entry_limit"

/* A mapping ends at this length, and the next begins, whatever the memory does. */
#define LONGEST ((uint64_t)1 << 43)

struct mapper {
	struct kernel_domain *domain;
	const struct phyr_space *space;
	unsigned prot;
	uint64_t mask; /* granule - 1 */
	uint64_t iova; /* of the first granule */
	uint64_t len;  /* whole granules */
};

/* Goes through the mappings that a cursor's runs make. */
struct walk {
	struct phyr_cursor cur;
	struct phyr_range next; /* taken from the cursor, not given yet; len 0: the end */
	uint64_t mask;
	uint64_t start; /* the first mapping's iova */
	uint64_t iova;  /* the next mapping's */
	uint64_t taken; /* runs taken from the cursor */
	uint64_t index; /* the first run of the mapping given last */
};

static void take_run(struct walk *w)
{
	struct phyr_range run;

	w->next.len = 0;
	if (!phyr_cursor_next(&w->cur, &run))
		return;
	w->next.addr = round_down_mask(run.addr, w->mask);
	w->next.len = round_up_mask(run.addr + run.len, w->mask) - w->next.addr;
	w->taken++;
}

static void walk_init(struct walk *w, const struct mapper *m, const struct phyr_cursor *cur)
{
	*w = (struct walk){.cur = *cur, .mask = m->mask, .start = m->iova, .iova = m->iova};
	take_run(w);
}

static bool walk_next(struct walk *w, struct record_run *out)
{
	if (!w->next.len)
		return false;
	w->index = w->taken - 1;
	*out = (struct record_run){
		.iova = w->iova, .addr = w->next.addr, .first = w->iova == w->start};
	while (w->next.len && w->next.addr == out->addr + out->len && out->len < LONGEST) {
		uint64_t part = min_u64(w->next.len, LONGEST - out->len);

		out->len += part;
		w->next.addr += part;
		w->next.len -= part;
		if (!w->next.len)
			take_run(w);
	}
	out->last = !w->next.len;
	w->iova += out->len;
	return true;
}

/* What is said of a run, or of the mapping that it is in. */
static int report(const struct mapper *m, const struct phyr_report *what)
{
	struct phyr_report full = *what;

	full.call = CALL;
	full.has_iova = true;
	full.has_addr = full.len != 0;
	return phyr_env_report(m->domain->kernel->iommu.env, &full);
}
#define map_fail(m, ...) report(m, &(const struct phyr_report){__VA_ARGS__})

static int check_run(const struct mapper *m, const struct phyr_range *run, uint64_t index,
		     uint64_t iova, bool is_last)
{
	uint64_t offset = index ? 0 : iova & m->mask, last = run->addr + (run->len - 1);
	const char *hint = NULL;

	if ((run->addr & m->mask) != offset)
		hint = index ? "the range does not start on the granule"
			     : "the first address and the iova differ in their offset in the "
			       "granule";
	else if (!is_last && ~last & m->mask)
		hint = "the range does not end on the granule, and is not the last";
	if (hint)
		return map_fail(m, .err = -EINVAL, .index = index, .addr = run->addr,
				.len = run->len, .iova = iova, .limit = m->mask + 1, .hint = hint);
	if (last < run->addr || last > KERNEL_LAST)
		return map_fail(m, .err = -ERANGE, .index = index, .addr = run->addr,
				.len = run->len, .iova = iova, .limit = KERNEL_LAST,
				.hint = "the address is wider than memory can have");
	return 0;
}

/* Look at each run: 0, or reported. */
static int check_runs(const struct mapper *m, uint64_t iova, const struct phyr_cursor *cur)
{
	struct phyr_cursor c = *cur;
	struct phyr_range run;
	int err = 0;

	for (uint64_t index = 0; !err && phyr_cursor_next(&c, &run); index++) {
		err = check_run(m, &run, index, iova, !c.left);
		iova += run.len;
	}
	return err;
}

static int no_iova(const struct mapper *m, uint64_t iova, uint64_t len)
{
	const struct phyr_aperture *aperture = &m->domain->aperture;

	return env_fail(m->domain->kernel->iommu.env, .err = -ERANGE, .call = CALL, .iova = iova,
			.has_iova = true, .len = len, .limit = aperture->last,
			.hint = aperture->page_sizes
					? "the iova is not allowed, or not all of it: it lies in a "
					  "hole, or outside of what the devices can use"
					: "no iova is allowed before a device is attached");
}

static bool is_file(const struct mapper *m)
{
	return m->space && m->space->kind == PHYR_KIND_FD;
}

/* The kernel does not look at how a file was opened, nor at its seals: a device could write what its
 * owner has lent for reading. */
static int check_file(const struct mapper *m, uint64_t iova)
{
	if (!is_file(m) || !(m->prot & PHYR_WRITE) || phyr_kernel_may_write(m->space->fd))
		return 0;
	return map_fail(
		m, .err = -EFAULT, .iova = iova,
		.hint = "the file is open for reading, or sealed: a device may not write it");
}

/* What the call asks for, as a whole. Under the domain's lock. */
static int check_call(struct mapper *m, uint64_t iova, const struct phyr_cursor *cur)
{
	const struct phyr_aperture *aperture = &m->domain->aperture;

	if (!m->prot || m->prot & ~(unsigned)(PHYR_READ | PHYR_WRITE))
		return map_fail(m, .err = -EINVAL, .iova = iova,
				.hint = "prot is not PHYR_READ, PHYR_WRITE or both");
	if (!cur->left)
		return map_fail(m, .err = -EINVAL, .iova = iova,
				.hint = "the cursor has nothing left to map");
	if (!aperture->page_sizes || iova > aperture->last || cur->left - 1 > aperture->last - iova)
		return no_iova(m, iova, cur->left);
	m->mask = kernel_granule(aperture) - 1;
	m->iova = round_down_mask(iova, m->mask);
	m->len = round_up_mask(iova + cur->left, m->mask) - m->iova;
	if (!phyr_kernel_aperture_has(aperture, m->iova, m->iova + (m->len - 1)))
		return no_iova(m, iova, cur->left);
	return check_runs(m, iova, cur);
}

/* Whether the kernel has entries for all mappings; where others have some, only it knows. Under the
 * domain's lock. */
static int check_room(const struct mapper *m, const struct phyr_cursor *cur)
{
	const struct kernel_domain *domain = m->domain;
	struct record_run run;
	struct walk w;
	uint64_t left = domain->limit - min_u64(domain->record.nr, domain->limit);

	if (domain->limit == UINT64_MAX || domain->kernel->foreign)
		return 0;
	for (walk_init(&w, m, cur); walk_next(&w, &run);) {
		if (!left--)
			return map_fail(m, .err = -ENOSPC, .index = w.index, .addr = run.addr,
					.len = run.len, .iova = run.iova, .limit = domain->limit,
					.hint = ROOM_HINT);
	}
	return 0;
}

static int record_failed(const struct mapper *m, const struct walk *w, const struct record_run *run,
			 int err)
{
	const char *hint = err == -EEXIST   ? "the iova is mapped already: unmap it first"
			   : err == -ENOMEM ? "no memory to write the mapping down"
					    : "the mapping cannot be written down";

	return map_fail(m, .err = err, .index = w->index, .addr = run->addr, .len = run->len,
			.iova = run->iova, .hint = hint);
}

/* Write all mappings down, so that their iova is ours. w is at the end then. Under the domain's lock. */
static int reserve(const struct mapper *m, const struct phyr_cursor *cur, struct walk *w,
		   uint64_t *nr)
{
	struct record *record = &m->domain->record;
	struct record_run run;
	int err;

	*nr = 0;
	for (walk_init(w, m, cur); walk_next(w, &run); ++*nr) {
		run.prot = m->prot;
		err = phyr_record_insert(record, &run);
		if (!err)
			continue;
		if (run.iova > m->iova)
			phyr_record_remove(record, m->iova, run.iova - 1);
		return record_failed(m, w, &run, err);
	}
	return 0;
}

/* The kernel's answer in the seam's words. */
static int error_of(const struct mapper *m, int err)
{
	switch (err) {
	case -EEXIST:
	case -EFAULT:
	case -ENOMEM:
	case -ENOSPC:
		return err;
	case -EINVAL:
		return is_file(m) ? -EFAULT : -ERANGE;
	case -EBADF:
	case -ENODEV:
	case -EOPNOTSUPP:
		return is_file(m) ? -EFAULT : -EIO;
	case -EOVERFLOW:
		return -ERANGE;
	default:
		return -EIO;
	}
}

static const char *hint_of(const struct mapper *m, int err, bool is_memlock)
{
	switch (err) {
	case -EEXIST:
		return "somebody else has mapped the iova in this iova space";
	case -EFAULT:
		if (is_file(m))
			return "the kernel does not map this file, or not there: it takes files of "
			       "memory (memfd, tmpfs, hugetlb) and, from 6.19 on, dma-bufs of "
			       "VFIO, "
			       "not past their end";
		return m->domain->kernel->type->no_memory;
	case -ENOMEM:
		return is_memlock ? "locked memory is limited (ulimit -l): raise RLIMIT_MEMLOCK; "
				    "or the kernel has no memory"
				  : "the kernel has no memory for the mapping";
	case -ENOSPC:
		return m->domain->kernel->foreign
			       ? "the container takes no more mappings: somebody else has some of "
				 "them"
			       : ROOM_HINT;
	case -ERANGE:
		return "the kernel does not allow the iova";
	default:
		return "the kernel maps nothing: limit is its errno";
	}
}

static int kernel_failed(const struct mapper *m, const struct walk *w, const struct record_run *run,
			 int said)
{
	int err = error_of(m, said);
	uint64_t limit = err == -EIO ? (uint64_t)-said : 0;
	bool is_memlock = err == -ENOMEM && phyr_kernel_memlock(&limit);

	return map_fail(m, .err = err, .index = w->index, .addr = run->addr, .len = run->len,
			.iova = run->iova, .limit = limit, .hint = hint_of(m, err, is_memlock));
}

/*
 * Take back what was mapped before the mapping that failed. Should even that fail, what the kernel
 * still has stays in the record, so that its iova is not used for anything else.
 */
static void undo(const struct mapper *m, uint64_t done)
{
	struct kernel_domain *domain = m->domain;
	struct phyr_env *env = domain->kernel->iommu.env;
	int err = done ? phyr_kernel_unmap_bytes(domain, m->iova, done, done) : 0;
	uint64_t keep = err ? done : 0;

	env_lock(env, &domain->lock);
	phyr_record_remove(&domain->record, m->iova + keep, m->iova + (m->len - 1));
	env_unlock(env, &domain->lock);
	if (err)
		map_fail(m, .err = err, .iova = m->iova, .len = done,
			 .hint = "the mapping failed and was not undone: part of it stays mapped");
}

static int map_all(const struct mapper *m, const struct phyr_cursor *cur)
{
	const struct kernel_type *type = m->domain->kernel->type;
	struct record_run run;
	struct walk w;
	int err;

	for (walk_init(&w, m, cur); walk_next(&w, &run);) {
		run.prot = m->prot;
		err = type->map(m->domain, m->space, &run);
		if (err) {
			undo(m, run.iova - m->iova);
			return kernel_failed(m, &w, &run, err);
		}
	}
	return 0;
}

int phyr_kernel_map(void *ctx, uint64_t iova, const struct phyr_space *space,
		    struct phyr_cursor *cur, unsigned prot, struct phyr_gather *gather)
{
	struct kernel_domain *domain = ctx;
	struct phyr_env *env = domain->kernel->iommu.env;
	struct mapper m = {.domain = domain, .space = space, .prot = prot};
	struct walk w;
	uint64_t nr;
	bool live;
	int err = check_file(&m, iova);

	if (err)
		return err;
	env_lock(env, &domain->lock);
	err = check_call(&m, iova, cur);
	if (!err)
		err = check_room(&m, cur);
	if (!err)
		err = reserve(&m, cur, &w, &nr);
	live = domain->live;
	env_unlock(env, &domain->lock);
	if (!err && live)
		err = map_all(&m, cur);
	if (err)
		return err;
	*cur = w.cur;
	gather->entries += nr;
	return 0;
}
