/* SPDX-License-Identifier: MIT */
/*
 * The simulated NVMe controller in the machine's own thread: hosts with a queue pair each keep it
 * busy at depth, and check what they read against what they wrote.
 */
#define _GNU_SOURCE
#include "test_nvme_rig.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/rnd.h"

#define HOSTS   3
#define DEPTH   7
#define ENTRIES 8
#define PART    (256u << 10) /* of the file, a host's own */
#define LAPS    500

struct host {
	struct rig *rig;
	struct pair io;
	struct rnd rnd;
	uint8_t *data; /* a page a command */
	uint8_t expect[DEPTH];
	uint8_t blocks[PART / 4096]; /* what each page of the part holds */
	unsigned page_of[DEPTH];
	bool reads[DEPTH];
	unsigned id;
	pthread_t thread;
};

/* The phase first, and acquire: then the rest of the entry. */
static bool poll_cq(struct pair *p, struct cqe *cqe)
{
	uint64_t *entry = (uint64_t *)(p->cq.ptr + 16 * (uint64_t)p->cq.place);
	uint64_t last = __atomic_load_n(&entry[1], __ATOMIC_ACQUIRE);

	if ((last >> 48 & 1) != p->cq.phase)
		return false;
	*cqe = (struct cqe){.cid = last >> 32 & 0xffff, .status = (unsigned)(last >> 49) & ~MORE};
	p->cq.place = (p->cq.place + 1) % p->cq.size;
	if (!p->cq.place)
		p->cq.phase ^= 1;
	return true;
}

static void submit(struct host *h, unsigned slot)
{
	uint8_t *page = h->data + 4096 * (uint64_t)slot;
	uint32_t dw[16];

	h->reads[slot] = rnd_below(&h->rnd, 2);
	h->expect[slot] = h->reads[slot] ? h->blocks[h->page_of[slot]] : (uint8_t)rnd_u64(&h->rnd);
	memset(page, h->reads[slot] ? ~h->expect[slot] : h->expect[slot], 4096);
	rw_build(dw, h->reads[slot] ? 2 : 1, slot, (h->id * PART + h->page_of[slot] * 4096) / 512,
		 8, (uint64_t)(uintptr_t)page + h->rig->env->phys_delta, 0);
	sq_put(&h->io, dw);
}

static void finish(struct host *h, const struct cqe *cqe)
{
	uint8_t *page = h->data + 4096 * (uint64_t)cqe->cid;

	if (cqe->status || cqe->cid >= DEPTH)
		abort();
	h->blocks[h->page_of[cqe->cid]] = h->expect[cqe->cid];
	for (unsigned i = 0; i < 4096; i++)
		if (page[i] != h->expect[cqe->cid])
			abort();
}

/* Each lap: a full queue of commands to different pages, completed in order. */
static void *host_main(void *arg)
{
	struct host *h = arg;
	struct cqe cqe;

	for (unsigned lap = 0; lap < LAPS; lap++) {
		for (unsigned slot = 0; slot < DEPTH; slot++) {
			h->page_of[slot] = (unsigned)rnd_below(&h->rnd, 9) * DEPTH + slot;
			submit(h, slot);
			if (rnd_below(&h->rnd, 2))
				sq_ring(h->rig, &h->io);
		}
		sq_ring(h->rig, &h->io);
		for (unsigned done = 0; done < DEPTH;) {
			if (!poll_cq(&h->io, &cqe)) {
				sched_yield();
				continue;
			}
			finish(h, &cqe);
			cq_ring(h->rig, &h->io);
			done++;
		}
	}
	return NULL;
}

static void wait_csts(struct rig *r, uint32_t value)
{
	while (rig_read(r, 0x1c) != value)
		sched_yield();
}

static void polled_admin(struct rig *r, unsigned opcode, uint64_t phys, uint32_t dw10,
			 uint32_t dw11)
{
	uint32_t dw[16] = {opcode};
	struct cqe cqe;

	dw[6] = (uint32_t)phys;
	dw[7] = (uint32_t)(phys >> 32);
	dw[10] = dw10;
	dw[11] = dw11;
	sq_put(&r->admin, dw);
	sq_ring(r, &r->admin);
	while (!poll_cq(&r->admin, &cqe))
		sched_yield();
	cq_ring(r, &r->admin);
	assert_int_equal(cqe.status, 0);
}

static void host_start(struct host *h, struct rig *r, unsigned id, uint64_t seed)
{
	*h = (struct host){.rig = r, .id = id, .rnd = {seed + id}, .io = {.qid = id + 1}};
	h->data = r->env->alloc_pages(r->env, 32768);
	assert_non_null(h->data);
	ring_alloc(r, &h->io.sq, ENTRIES, 64);
	ring_alloc(r, &h->io.cq, ENTRIES, 16);
	polled_admin(r, 0x05, h->io.cq.phys, (id + 1) | (ENTRIES - 1) << 16, 1);
	polled_admin(r, 0x01, h->io.sq.phys, (id + 1) | (ENTRIES - 1) << 16, (id + 1) << 16 | 1);
	assert_int_equal(pthread_create(&h->thread, NULL, host_main, h), 0);
}

static void machine_start(struct rig *r)
{
	struct phyr_sim_config machine = {.size = sizeof(machine)};
	struct phyr_sim_nvme_config c = {.size = sizeof(c)};

	memset(r, 0, sizeof(*r));
	r->fd = memfd_create("nvme", 0);
	assert_int_equal(ftruncate(r->fd, HOSTS * PART), 0);
	c.fd = r->fd;
	assert_int_equal(phyr_sim_create(&machine, &r->sim), 0);
	r->env = phyr_sim_env(r->sim);
	assert_int_equal(phyr_sim_nvme_create(r->sim, 0x100, &c, &r->dev), 0);
	phyr_sim_dev_set_iommu(r->dev, false);
	r->regs = phyr_sim_dev_regs(r->dev);
}

static void hosts_at_depth(void **state)
{
	struct rnd rnd = rnd_start("sim/nvme_thread");
	struct host hosts[HOSTS];
	struct rig r;

	machine_start(&r);
	for (unsigned round = 0; round < 2; round++) {
		rig_admin_memory(&r, 16);
		rig_write(&r, 0x14, 0x00460001);
		wait_csts(&r, 1);
		assert_int_equal(ftruncate(r.fd, 0), 0);
		assert_int_equal(ftruncate(r.fd, HOSTS * PART), 0);
		for (unsigned i = 0; i < HOSTS; i++)
			host_start(&hosts[i], &r, i, rnd_u64(&rnd));
		for (unsigned i = 0; i < HOSTS; i++)
			pthread_join(hosts[i].thread, NULL);
		rig_write(&r, 0x14, 0); /* leaves nothing behind: the memory goes */
		wait_csts(&r, 0);
		for (unsigned i = 0; i < HOSTS; i++) {
			r.env->free_pages(r.env, hosts[i].data, 32768);
			ring_free(&r, &hosts[i].io.sq);
			ring_free(&r, &hosts[i].io.cq);
		}
	}
	rig_stop(&r);
}

struct meddler {
	struct rig *rig;
	struct rnd rnd;
	bool stop;
	pthread_t thread;
};

/* Another plan again and again, while the controller works: what is held back goes on. */
static void *meddle(void *arg)
{
	struct meddler *m = arg;
	struct phyr_sim_nvme_stats stats;

	while (!__atomic_load_n(&m->stop, __ATOMIC_RELAXED)) {
		struct phyr_sim_nvme_fault f[2] = {
			{.kind = PHYR_SIM_NVME_DELAY, .steps = rnd_below(&m->rnd, 50)},
			{.kind = PHYR_SIM_NVME_REORDER, .steps = 1 + rnd_below(&m->rnd, 9)},
		};

		for (unsigned i = 0; i < 2; i++) {
			f[i].queue = PHYR_SIM_NVME_ANY_IO;
			f[i].opcode = PHYR_SIM_NVME_ANY;
			f[i].after = rnd_below(&m->rnd, 4);
			f[i].count = 1 + rnd_below(&m->rnd, 20);
		}
		if (phyr_sim_nvme_plan(m->rig->dev, f, (unsigned)rnd_below(&m->rnd, 3)))
			abort();
		phyr_sim_nvme_set_temperature(m->rig->dev, (uint16_t)rnd_below(&m->rnd, 400));
		phyr_sim_nvme_get_stats(m->rig->dev, &stats);
		sched_yield();
	}
	return NULL;
}

static void plans_while_it_works(void **state)
{
	struct rnd rnd = rnd_start("sim/nvme_thread, plans");
	struct phyr_sim_nvme_stats stats;
	struct host hosts[HOSTS];
	struct meddler m;
	struct rig r;

	machine_start(&r);
	rig_admin_memory(&r, 16);
	rig_write(&r, 0x14, 0x00460001);
	wait_csts(&r, 1);
	for (unsigned i = 0; i < HOSTS; i++)
		host_start(&hosts[i], &r, i, rnd_u64(&rnd));
	m = (struct meddler){.rig = &r, .rnd = {rnd_u64(&rnd)}};
	assert_int_equal(pthread_create(&m.thread, NULL, meddle, &m), 0);
	for (unsigned i = 0; i < HOSTS; i++)
		pthread_join(hosts[i].thread, NULL);
	__atomic_store_n(&m.stop, true, __ATOMIC_RELAXED);
	pthread_join(m.thread, NULL);
	phyr_sim_nvme_get_stats(r.dev, &stats);
	assert_int_equal(stats.completions, HOSTS * (DEPTH * LAPS + 2));
	assert_int_equal(stats.held, 0);
	phyr_sim_nvme_unplug(r.dev);
	wait_csts(&r, ~0u);
	for (unsigned i = 0; i < HOSTS; i++) {
		r.env->free_pages(r.env, hosts[i].data, 32768);
		ring_free(&r, &hosts[i].io.sq);
		ring_free(&r, &hosts[i].io.cq);
	}
	rig_stop(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hosts_at_depth),
		cmocka_unit_test(plans_while_it_works),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
