/* SPDX-License-Identifier: MIT */
/* The raw NVMe host: what the tests of the simulated controller share. */
#define _GNU_SOURCE
#include "test_nvme_rig.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void count_irq(void *arg, unsigned vector)
{
	struct rig *r = arg;

	r->irqs[vector]++;
}

void rig_start(struct rig *r, uint64_t bytes, struct phyr_sim_nvme_config *config)
{
	struct phyr_sim_config machine = {
		.size = sizeof(machine), .stepped = true, .scatter = PHYR_SIM_SINGLE, .seed = 7};
	struct phyr_sim_nvme_config plain = {0};

	memset(r, 0, sizeof(*r));
	r->fd = memfd_create("nvme", 0);
	assert_true(r->fd >= 0);
	assert_int_equal(ftruncate(r->fd, (off_t)bytes), 0);
	r->bytes = bytes;
	assert_int_equal(phyr_sim_create(&machine, &r->sim), 0);
	r->env = phyr_sim_env(r->sim);
	if (!config)
		config = &plain;
	config->size = sizeof(*config);
	config->fd = r->fd;
	assert_int_equal(phyr_sim_nvme_create(r->sim, 0x100, config, &r->dev), 0);
	phyr_sim_dev_set_iommu(r->dev, false);
	r->regs = phyr_sim_dev_regs(r->dev);
	for (unsigned v = 0; v < PHYR_SIM_VECTORS; v++)
		assert_int_equal(phyr_sim_set_irq(r->dev, v, count_irq, r), 0);
}

void rig_stop(struct rig *r)
{
	struct phyr_sim_stats stats;

	phyr_sim_nvme_destroy(r->dev);
	ring_free(r, &r->admin.sq);
	ring_free(r, &r->admin.cq);
	phyr_sim_get_stats(r->sim, &stats);
	assert_int_equal(stats.pinned_pages, 0);
	assert_int_equal(stats.table_pages, 0);
	phyr_sim_destroy(r->sim);
	close(r->fd);
}

uint32_t rig_read(struct rig *r, uint64_t offset)
{
	return (uint32_t)r->regs->read(r->regs, offset, 4);
}

void rig_write(struct rig *r, uint64_t offset, uint32_t value)
{
	r->regs->write(r->regs, offset, value, 4);
}

void rig_doorbell(struct rig *r, unsigned index, uint32_t value)
{
	rig_write(r, 0x1000 + 4 * (uint64_t)index, value);
}

void rig_steps(struct rig *r, unsigned n)
{
	while (n--)
		phyr_sim_step(r->sim);
}

void rig_settle(struct rig *r)
{
	unsigned n = 0;

	while (phyr_sim_step(r->sim))
		assert_true(n++ < 100 * NOTHING);
}

void rig_admin_memory(struct rig *r, unsigned entries)
{
	if (!r->admin.sq.ptr) {
		ring_alloc(r, &r->admin.sq, entries, 64);
		ring_alloc(r, &r->admin.cq, entries, 16);
	}
	r->admin.sq.place = r->admin.cq.place = 0;
	r->admin.cq.phase = 1;
	memset(r->admin.cq.ptr, 0, r->admin.cq.bytes);
	rig_write(r, 0x24, (entries - 1) | (entries - 1) << 16);
	rig_write(r, 0x28, (uint32_t)r->admin.sq.phys);
	rig_write(r, 0x2c, (uint32_t)(r->admin.sq.phys >> 32));
	r->regs->write(r->regs, 0x30, r->admin.cq.phys, 8);
}

/* CC: IOCQES 4, IOSQES 6, MPS, EN. */
void rig_enable(struct rig *r, unsigned page_lg2)
{
	r->page_lg2 = page_lg2;
	rig_admin_memory(r, 32);
	rig_write(r, 0x14, 4u << 20 | 6u << 16 | (page_lg2 - 12) << 7 | 1);
	assert_int_equal(rig_read(r, 0x1c), 0);
	rig_settle(r);
	assert_int_equal(rig_read(r, 0x1c), 1);
}

void rig_disable(struct rig *r)
{
	rig_write(r, 0x14, 0);
	rig_settle(r);
	assert_int_equal(rig_read(r, 0x1c), 0);
}

void rig_start_io(struct rig *r, uint64_t bytes, struct phyr_sim_nvme_config *config,
		  unsigned page_lg2, struct pair *io, unsigned entries)
{
	rig_start(r, bytes, config);
	rig_enable(r, page_lg2);
	pair_create(r, io, 1, entries, -1);
}

void rig_stop_io(struct rig *r, struct pair *io)
{
	pair_delete(r, io);
	rig_stop(r);
}

struct mem mem_alloc(struct rig *r, uint64_t len)
{
	struct mem m = {.len = len};

	m.ptr = aligned_alloc(4096, len);
	assert_non_null(m.ptr);
	memset(m.ptr, 0, len);
	phyr_list_init(&m.list, NULL, phyr_sim_space(r->sim));
	assert_int_equal(phyr_sim_pin(r->sim, m.ptr, len, &m.list), 0);
	return m;
}

void mem_free(struct rig *r, struct mem *m)
{
	phyr_sim_unpin(r->sim, &m->list);
	phyr_list_fini(&m->list);
	free(m->ptr);
}

uint64_t phys_of(struct rig *r, const void *ptr)
{
	phyr_addr_t addr;

	assert_int_equal(phyr_sim_to_phys(r->sim, ptr, &addr), 0);
	return addr;
}

void ring_alloc(struct rig *r, struct ring *ring, unsigned entries, unsigned entry_bytes)
{
	*ring = (struct ring){.size = entries, .phase = 1, .bytes = 65536};
	while (ring->bytes < (uint64_t)entries * entry_bytes)
		ring->bytes *= 2;
	ring->ptr = r->env->alloc_pages(r->env, ring->bytes);
	assert_non_null(ring->ptr);
	ring->phys = (uint64_t)(uintptr_t)ring->ptr + r->env->phys_delta;
	assert_int_equal(ring->phys & 65535, 0);
}

void ring_free(struct rig *r, struct ring *ring)
{
	if (ring->ptr)
		r->env->free_pages(r->env, ring->ptr, ring->bytes);
	ring->ptr = NULL;
}

void sq_put(struct pair *p, const uint32_t dw[16])
{
	memcpy(p->sq.ptr + 64 * (uint64_t)p->sq.place, dw, 64);
	p->sq.place = (p->sq.place + 1) % p->sq.size;
}

void sq_ring(struct rig *r, struct pair *p)
{
	rig_doorbell(r, 2 * p->qid, p->sq.place);
}

/* What failed; not what was aborted, nor what went with its queue. */
static bool is_logged(unsigned status)
{
	return status && status != 0x007 && status != 0x008;
}

bool cq_take(struct pair *p, struct cqe *cqe)
{
	uint32_t dw[4];

	memcpy(dw, p->cq.ptr + 16 * (uint64_t)p->cq.place, sizeof(dw));
	if ((dw[3] >> 16 & 1) != p->cq.phase)
		return false;
	*cqe = (struct cqe){.dw0 = dw[0],
			    .sqhd = dw[2] & 0xffff,
			    .sqid = dw[2] >> 16,
			    .cid = dw[3] & 0xffff,
			    .status = dw[3] >> 17 & ~MORE};
	assert_int_equal(dw[3] >> 17 & MORE, is_logged(cqe->status) ? MORE : 0);
	assert_int_equal(dw[1], 0);
	p->cq.place = (p->cq.place + 1) % p->cq.size;
	if (!p->cq.place)
		p->cq.phase ^= 1;
	return true;
}

void cq_ring(struct rig *r, struct pair *p)
{
	rig_doorbell(r, 2 * p->qid + 1, p->cq.place);
}

struct cqe run(struct rig *r, struct pair *p, const uint32_t dw[16])
{
	struct cqe cqe, more;

	sq_put(p, dw);
	sq_ring(r, p);
	rig_settle(r);
	assert_true(cq_take(p, &cqe));
	assert_false(cq_take(p, &more));
	cq_ring(r, p);
	assert_int_equal(cqe.sqid, p->qid);
	assert_int_equal(cqe.sqhd, p->sq.place);
	assert_int_equal(cqe.cid, dw[0] >> 16);
	return cqe;
}

struct cqe admin(struct rig *r, unsigned opcode, uint32_t nsid, uint32_t dw10, uint32_t dw11,
		 const void *ptr)
{
	uint64_t phys = ptr ? phys_of(r, ptr) : NOT_RAM;
	uint32_t dw[16] = {opcode | 0x1234u << 16, nsid};

	dw[6] = (uint32_t)phys;
	dw[7] = (uint32_t)(phys >> 32);
	dw[10] = dw10;
	dw[11] = dw11;
	return run(r, &r->admin, dw);
}

uint64_t le(const uint8_t *p, unsigned bytes)
{
	uint64_t v = 0;

	while (bytes--)
		v = v << 8 | p[bytes];
	return v;
}

static unsigned admin_queue_cmd(struct rig *r, unsigned opcode, uint64_t phys, uint32_t dw10,
				uint32_t dw11)
{
	uint32_t dw[16] = {opcode | 0xabcd0000u};

	dw[6] = (uint32_t)phys;
	dw[7] = (uint32_t)(phys >> 32);
	dw[10] = dw10;
	dw[11] = dw11;
	return run(r, &r->admin, dw).status;
}

unsigned create_cq(struct rig *r, unsigned qid, unsigned entries, uint64_t phys, uint32_t dw11)
{
	return admin_queue_cmd(r, 0x05, phys, qid | (entries - 1) << 16, dw11);
}

unsigned create_sq(struct rig *r, unsigned qid, unsigned entries, uint64_t phys, uint32_t dw11)
{
	return admin_queue_cmd(r, 0x01, phys, qid | (entries - 1) << 16, dw11);
}

unsigned delete_queue(struct rig *r, unsigned opcode, unsigned qid)
{
	return admin_queue_cmd(r, opcode, 0, qid, 0);
}

void pair_create(struct rig *r, struct pair *p, unsigned qid, unsigned entries, int vector)
{
	uint32_t irq = vector < 0 ? 0 : (uint32_t)vector << 16 | 2;

	p->qid = qid;
	ring_alloc(r, &p->sq, entries, 64);
	ring_alloc(r, &p->cq, entries, 16);
	assert_int_equal(create_cq(r, qid, entries, p->cq.phys, irq | 1), 0);
	assert_int_equal(create_sq(r, qid, entries, p->sq.phys, qid << 16 | 1), 0);
}

void pair_delete(struct rig *r, struct pair *p)
{
	assert_int_equal(delete_queue(r, 0x00, p->qid), 0);
	assert_int_equal(delete_queue(r, 0x04, p->qid), 0);
	ring_free(r, &p->sq);
	ring_free(r, &p->cq);
}

void rw_build(uint32_t dw[16], unsigned opcode, unsigned cid, uint64_t slba, uint32_t nr,
	      uint64_t prp1, uint64_t prp2)
{
	memset(dw, 0, 64);
	dw[0] = opcode | cid << 16;
	dw[1] = 1;
	dw[6] = (uint32_t)prp1;
	dw[7] = (uint32_t)(prp1 >> 32);
	dw[8] = (uint32_t)prp2;
	dw[9] = (uint32_t)(prp2 >> 32);
	dw[10] = (uint32_t)slba;
	dw[11] = (uint32_t)(slba >> 32);
	dw[12] = nr - 1;
}

unsigned rw(struct rig *r, struct pair *p, unsigned opcode, uint64_t slba, uint32_t nr,
	    uint64_t prp1, uint64_t prp2)
{
	static unsigned cid;
	uint32_t dw[16];

	rw_build(dw, opcode, ++cid & 0xffff, slba, nr, prp1, prp2);
	return run(r, p, dw).status;
}

void fill_pattern(void *ptr, uint64_t len, uint64_t seed)
{
	uint8_t *bytes = ptr;

	for (uint64_t i = 0; i < len; i += 8) {
		uint64_t word = (seed + i / 8 + 1) * 0x9e3779b97f4a7c15u;

		memcpy(bytes + i, &word, len - i < 8 ? len - i : 8);
	}
}
