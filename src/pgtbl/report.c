/* SPDX-License-Identifier: MIT */
/* What is checked before a walk, and what is said when one fails; out of the walks' way. */
#include "pgtbl/map.h"
#include "pgtbl/unmap.h"

static const char map_call[] = "phyr_pgtbl_map";
static const char unmap_call[] = "phyr_pgtbl_unmap";

/* Find the run that a walk has come to, by going through all of them again. */
static uint64_t find_run(const struct pgtbl_mapper *m, struct phyr_range *run)
{
	uint64_t done = m->walk.iova > m->start ? m->walk.iova - m->start : 0, index = 0;
	struct phyr_cursor cur = *m->from;

	while (phyr_cursor_next(&cur, run) && run->len <= done) {
		done -= run->len;
		index++;
	}
	return index;
}

int phyr_pgtbl_map_fail(const struct pgtbl_mapper *m, int err, const char *hint)
{
	struct phyr_range run;
	uint64_t index = find_run(m, &run);

	return env_fail(m->pt->env, .err = err, .call = map_call, .index = index, .addr = run.addr,
			.has_addr = true, .len = run.len, .iova = m->walk.iova + m->offset,
			.has_iova = true, .limit = err == -ERANGE ? m->pt->oa_last : 0,
			.hint = hint);
}

int phyr_pgtbl_map_stopped(const struct pgtbl_mapper *m, int err)
{
	if (err == -EEXIST)
		return phyr_pgtbl_map_fail(m, err, "the iova is mapped already: unmap it first");
	if (err == -ERANGE)
		return phyr_pgtbl_map_fail(m, err, "the address is wider than an entry can hold");
	return phyr_pgtbl_map_fail(m, err,
				   "no memory for a table, or none that an entry can lead to");
}

/* Before anything is looked at. */
static int refuse(const struct phyr_pgtbl *pt, int err, uint64_t iova, const char *hint)
{
	return env_fail(pt->env, .err = err, .call = map_call, .iova = iova, .has_iova = true,
			.hint = hint);
}

int phyr_pgtbl_map_check(struct pgtbl_mapper *m, uint64_t iova, unsigned prot)
{
	struct phyr_pgtbl *pt = m->pt;

	if (!desc_prot_ok(prot))
		return refuse(pt, -EINVAL, iova,
			      "prot is not PHYR_READ, PHYR_WRITE or both, and PHYR_MMIO or not");
	if (!m->cur.left)
		return refuse(pt, -EINVAL, iova, "the cursor has nothing left to map");
	if (iova > pt->last || m->cur.left - 1 > pt->last - iova)
		return env_fail(pt->env, .err = -ERANGE, .call = map_call, .len = m->cur.left,
				.iova = iova, .has_iova = true, .limit = pt->last,
				.hint = "the mapping ends past the table's last iova");
	return 0;
}

int phyr_pgtbl_map_check_run(struct pgtbl_mapper *m)
{
	const uint64_t mask = m->pt->granule - 1;
	uint64_t last = m->run.addr + (m->run.len - 1);

	if ((m->run.addr & mask) != m->offset)
		return phyr_pgtbl_map_fail(m, -EINVAL,
					   m->written ? "the range does not start on the granule"
						      : "the first address and the iova differ in "
							"their offset in the granule");
	if (last < m->run.addr || (last | mask) > m->pt->oa_last)
		return phyr_pgtbl_map_stopped(m, -ERANGE);
	if (m->cur.left && ~last & mask)
		return phyr_pgtbl_map_fail(
			m, -EINVAL, "the range does not end on the granule, and is not the last");
	m->offset = 0;
	return 0;
}

int phyr_pgtbl_unmap_no_range(struct phyr_pgtbl *pt, uint64_t iova, uint64_t len)
{
	if (!len)
		return env_fail(pt->env, .err = -EINVAL, .call = unmap_call, .iova = iova,
				.has_iova = true, .hint = "the length is 0");
	return env_fail(pt->env, .err = -ERANGE, .call = unmap_call, .iova = iova, .has_iova = true,
			.len = len, .limit = pt->last,
			.hint = "it ends past the table's last iova");
}

int phyr_pgtbl_unmap_no_start(struct phyr_pgtbl *pt, uint64_t iova)
{
	return env_fail(pt->env, .err = -EINVAL, .call = unmap_call, .iova = iova, .has_iova = true,
			.hint = "no map call started at this iova: unmap whole map calls");
}

int phyr_pgtbl_unmap_no_end(struct phyr_pgtbl *pt, uint64_t iova)
{
	return env_fail(pt->env, .err = -EINVAL, .call = unmap_call, .iova = iova, .has_iova = true,
			.hint = "no map call ended at this iova: unmap whole map calls");
}

int phyr_pgtbl_unmap_append(struct phyr_pgtbl *pt, struct phyr_list *out, uint64_t addr,
			    uint64_t len)
{
	int err = phyr_list_append_quietly(out, addr, len);

	return likely(!err) ? 0 : phyr_list_append_fail(out, err, unmap_call, 0, addr, len);
}
