/* SPDX-License-Identifier: MIT */
/*
 * The simulated NVMe controller behind the IOMMU, with tables made by hand: each of its accesses asks
 * for no more than it needs, and is told when it may not.
 *
 * Second-stage entries (Intel VT-d specification 9.8): bit 0 read, bit 1 write, bit 7 a large page,
 * address from bit 12 up. The rings' gigabyte is mapped where it lies; the data pages low.
 */
#include "test_nvme_rig.h"

#include <string.h>

#define SOURCE   0x100
#define TRANSFER 0x004
#define R        1u
#define W        2u

#define BOTH_AT       0x10000u
#define READ_ONLY_AT  0x11000u
#define WRITE_ONLY_AT 0x12000u
#define NOWHERE_AT    0x13000u
#define LIST_AT       0x14000u
#define SECRET_LIST   0x15000u /* the same page, for writing only */

struct tables {
	uint64_t *root, *low[3], *high;
};

static struct phyr_fault last_fault;
static unsigned nr_faults;

static void on_fault(void *arg, const struct phyr_fault *fault)
{
	last_fault = *fault;
	nr_faults++;
}

static uint64_t *new_table(struct rig *r)
{
	uint64_t *table = r->env->alloc_pages(r->env, 4096);

	assert_non_null(table);
	return table;
}

static uint64_t entry_of(struct rig *r, const void *ptr, unsigned bits)
{
	return ((uint64_t)(uintptr_t)ptr + r->env->phys_delta) | bits;
}

/* The gigabyte of the rings, and one table for addresses below 2 MiB. */
static void make_tables(struct rig *r, struct tables *t, uint64_t rings)
{
	t->root = new_table(r);
	t->high = new_table(r);
	for (unsigned i = 0; i < 3; i++)
		t->low[i] = new_table(r);
	t->root[rings >> 39] = entry_of(r, t->high, R | W);
	t->high[rings >> 30 & 511] = (rings & ~(((uint64_t)1 << 30) - 1)) | 1 << 7 | R | W;
	t->root[0] = entry_of(r, t->low[0], R | W);
	t->low[0][0] = entry_of(r, t->low[1], R | W);
	t->low[1][0] = entry_of(r, t->low[2], R | W);
}

static void free_tables(struct rig *r, struct tables *t)
{
	r->env->free_pages(r->env, t->root, 4096);
	r->env->free_pages(r->env, t->high, 4096);
	for (unsigned i = 0; i < 3; i++)
		r->env->free_pages(r->env, t->low[i], 4096);
}

static void expect_fault(uint64_t iova, unsigned access)
{
	assert_int_equal(nr_faults, 1);
	assert_int_equal(last_fault.source, SOURCE);
	assert_int_equal(last_fault.iova, iova);
	assert_int_equal(last_fault.access, access);
	nr_faults = 0;
}

static void reads_and_writes(struct rig *r, struct pair *p, struct mem *m, uint64_t *list)
{
	memset(m->ptr, 0x11, m->len);
	assert_int_equal(rw(r, p, 1, 0, 8, BOTH_AT, 0), 0);
	assert_int_equal(rw(r, p, 1, 8, 8, READ_ONLY_AT, 0),
			 0); /* a device reads what is written */
	assert_int_equal(rw(r, p, 2, 0, 8, BOTH_AT, 0), 0);
	assert_int_equal(rw(r, p, 2, 8, 8, WRITE_ONLY_AT, 0), 0);
	assert_int_equal(nr_faults, 0);

	assert_int_equal(rw(r, p, 2, 0, 8, READ_ONLY_AT, 0), TRANSFER);
	expect_fault(READ_ONLY_AT, PHYR_WRITE);
	assert_int_equal(rw(r, p, 1, 0, 8, WRITE_ONLY_AT, 0), TRANSFER);
	expect_fault(WRITE_ONLY_AT, PHYR_READ);
	assert_int_equal(rw(r, p, 2, 0, 16, BOTH_AT, NOWHERE_AT), TRANSFER);
	expect_fault(NOWHERE_AT, PHYR_WRITE);

	list[0] = WRITE_ONLY_AT;
	list[1] = BOTH_AT;
	assert_int_equal(rw(r, p, 2, 0, 24, BOTH_AT, LIST_AT), 0);
	assert_int_equal(rw(r, p, 2, 0, 24, BOTH_AT, SECRET_LIST), TRANSFER);
	expect_fault(SECRET_LIST, PHYR_READ);
	assert_int_equal(rig_read(r, 0x1c), 1);
}

static unsigned log_page(struct rig *r, uint64_t prp1)
{
	uint32_t dw[16] = {GET_LOG};

	dw[6] = (uint32_t)prp1;
	dw[10] = 2 | 127 << 16;
	return run(r, &r->admin, dw).status;
}

/* Compare and ranges are read, log pages written. */
static void other_commands(struct rig *r, struct pair *p, struct mem *m, uint64_t *list)
{
	uint32_t dw[16];

	memset(m->ptr, 0x11, 4096);
	assert_int_equal(rw(r, p, 1, 16, 8, BOTH_AT, 0), 0);
	memset(m->ptr + 4096, 0x11, 4096);
	assert_int_equal(rw(r, p, 5, 16, 8, READ_ONLY_AT, 0), 0);
	assert_int_equal(rw(r, p, 5, 16, 8, WRITE_ONLY_AT, 0), TRANSFER);
	expect_fault(WRITE_ONLY_AT, PHYR_READ);
	memset(list, 0, 64);
	rw_build(dw, 9, 1, 0, 1, LIST_AT, 0);
	dw[10] = dw[12] = 0;
	assert_int_equal(run(r, p, dw).status, 0);
	dw[6] = SECRET_LIST;
	assert_int_equal(run(r, p, dw).status, TRANSFER);
	expect_fault(SECRET_LIST, PHYR_READ);
	assert_int_equal(log_page(r, WRITE_ONLY_AT), 0);
	assert_int_equal(log_page(r, READ_ONLY_AT), TRANSFER);
	expect_fault(READ_ONLY_AT, PHYR_WRITE);
	assert_int_equal(nr_faults, 0);
	assert_int_equal(rig_read(r, 0x1c), 1);
}

/* The rings' tables are taken away: what can't be reached is fatal, and the log tells of the ring. */
static void queue_is_unmapped(struct rig *r, struct pair *p, struct tables *t,
			      struct phyr_soft_hw *hw)
{
	uint64_t entry = t->high[p->sq.phys >> 30 & 511];
	uint32_t dw[16] = {0, 1};
	struct cqe cqe;

	t->high[p->sq.phys >> 30 & 511] = 0;
	hw->invalidate(hw, 1, 0, UINT64_MAX);
	sq_put(p, dw);
	sq_ring(r, p);
	rig_settle(r);
	assert_int_equal(rig_read(r, 0x1c), 3);
	assert_false(cq_take(p, &cqe));
	expect_fault(p->sq.phys + 64 * (uint64_t)((p->sq.place + 15) % 16), PHYR_READ);
	t->high[p->sq.phys >> 30 & 511] = entry;
	rig_disable(r);
	ring_free(r, &p->sq);
	ring_free(r, &p->cq);
}

static void asks_for_what_it_needs(void **state)
{
	struct phyr_soft_table table = {.format = PHYR_PGTBL_VTDSS, .levels = 4, .domain = 1};
	struct phyr_soft_hw *hw;
	struct tables t;
	struct mem m;
	struct pair p;
	struct rig r;
	uint64_t *leaf;

	rig_start_io(&r, 1 << 20, NULL, 12, &p, 16);
	m = mem_alloc(&r, 4 * 4096);
	make_tables(&r, &t, p.sq.phys);
	leaf = t.low[2];
	leaf[BOTH_AT >> 12] = phys_of(&r, m.ptr) | R | W;
	leaf[READ_ONLY_AT >> 12] = phys_of(&r, m.ptr + 4096) | R;
	leaf[WRITE_ONLY_AT >> 12] = phys_of(&r, m.ptr + 8192) | W;
	leaf[LIST_AT >> 12] = phys_of(&r, m.ptr + 12288) | R;
	leaf[SECRET_LIST >> 12] = phys_of(&r, m.ptr + 12288) | W;
	table.root = entry_of(&r, t.root, 0);
	hw = phyr_sim_iommu(r.sim);
	assert_int_equal(hw->set_table(hw, SOURCE, &table, on_fault, NULL), 0);
	phyr_sim_dev_set_iommu(r.dev, true);
	reads_and_writes(&r, &p, &m, (uint64_t *)(m.ptr + 12288));
	other_commands(&r, &p, &m, (uint64_t *)(m.ptr + 12288));
	queue_is_unmapped(&r, &p, &t, hw);

	phyr_sim_dev_set_iommu(r.dev, false);
	hw->clear_table(hw, SOURCE, 1);
	free_tables(&r, &t);
	mem_free(&r, &m);
	rig_stop(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(asks_for_what_it_needs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
