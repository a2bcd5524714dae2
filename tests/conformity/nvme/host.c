/* SPDX-License-Identifier: MIT */
/* The checks' host: machine, controller, properties, queues, one command after the other. */
#define _GNU_SOURCE
#include "conformity/nvme/host.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SOURCE     0x0100
#define MAX_STEPS  1000000
#define ADMIN_SIZE 32

static int make_file(void)
{
	int fd = memfd_create("namespace", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, NS_BYTES), 0);
	return fd;
}

/* Fills in the files of the namespaces; those of fd -1 have none. */
static void make_files(struct host *h, struct phyr_sim_nvme_config *config,
		       struct phyr_sim_nvme_ns *more)
{
	h->fd[0] = config->fd = make_file();
	for (unsigned i = 1; i < h->nr_ns; i++)
		h->fd[i] = more[i - 1].fd = more[i - 1].fd < 0 ? -1 : make_file();
	config->size = sizeof(*config);
	config->more = more;
	config->nr_more = h->nr_ns - 1;
}

struct host *host_create(const struct phyr_sim_nvme_config *settings, struct phyr_sim_nvme_ns *more,
			 unsigned nr_more)
{
	struct phyr_sim_config machine = {.size = sizeof(machine), .stepped = true};
	struct phyr_sim_nvme_config config =
		settings ? *settings : (struct phyr_sim_nvme_config){0};
	struct host *h = calloc(1, sizeof(*h));

	assert_non_null(h);
	assert_true(nr_more < MAX_NS);
	h->nr_ns = nr_more + 1;
	make_files(h, &config, more);
	assert_int_equal(phyr_sim_create(&machine, &h->sim), 0);
	assert_int_equal(phyr_sim_nvme_create(h->sim, SOURCE, &config, &h->dev), 0);
	phyr_sim_dev_set_iommu(h->dev, false);
	h->env = phyr_sim_env(h->sim);
	h->regs = phyr_sim_dev_regs(h->dev);
	h->cap = get64(h, CAP);
	h->cc = CC_EN | CC_IOSQES | CC_IOCQES;
	h->block = 1u << (config.block_lg2 ? config.block_lg2 : 9);
	return h;
}

void host_destroy(struct host *h)
{
	phyr_sim_nvme_destroy(h->dev);
	while (h->nr_pages--)
		h->env->free_pages(h->env, h->pages[h->nr_pages].p, h->pages[h->nr_pages].size);
	phyr_sim_destroy(h->sim);
	for (unsigned i = 0; i < h->nr_ns; i++)
		if (h->fd[i] >= 0)
			close(h->fd[i]);
	free(h);
}

int host_off(void **state)
{
	*state = host_create(NULL, NULL, 0);
	return 0;
}

int host_on(void **state)
{
	host_off(state);
	host_admin_queues(*state, ADMIN_SIZE);
	host_enable(*state);
	return 0;
}

int host_io(void **state)
{
	struct host *h;

	host_on(state);
	h = *state;
	host_io_queues(h);
	return 0;
}

void host_io_queues(struct host *h)
{
	host_add_cq(h, &h->cq, 1, 64);
	host_add_sq(h, &h->sq, 1, 64, 1);
}

int host_up(void **state, const struct phyr_sim_nvme_config *settings,
	    struct phyr_sim_nvme_ns *more, unsigned nr_more)
{
	struct host *h = host_create(settings, more, nr_more);

	*state = h;
	host_admin_queues(h, ADMIN_SIZE);
	host_enable(h);
	host_io_queues(h);
	return 0;
}

int host_down(void **state)
{
	host_destroy(*state);
	return 0;
}

uint32_t get32(struct host *h, uint64_t property)
{
	return (uint32_t)h->regs->read(h->regs, property, 4);
}

uint64_t get64(struct host *h, uint64_t property)
{
	return h->regs->read(h->regs, property, 8);
}

void set32(struct host *h, uint64_t property, uint32_t value)
{
	h->regs->write(h->regs, property, value, 4);
}

void set64(struct host *h, uint64_t property, uint64_t value)
{
	h->regs->write(h->regs, property, value, 8);
}

void *host_mem(struct host *h, size_t size)
{
	void *p = h->env->alloc_pages(h->env, size);

	assert_non_null(p);
	assert_true(h->nr_pages < sizeof(h->pages) / sizeof(h->pages[0]));
	h->pages[h->nr_pages].p = p;
	h->pages[h->nr_pages++].size = size;
	return p;
}

uint64_t host_addr(struct host *h, const void *p)
{
	return (uint64_t)(uintptr_t)p + h->env->phys_delta;
}

void host_admin_queues(struct host *h, unsigned entries)
{
	host_sq_init(h, &h->asq, 0, (uint16_t)entries);
	host_cq_init(h, &h->acq, 0, (uint16_t)entries);
	set32(h, AQA, (entries - 1) << 16 | (entries - 1));
	set64(h, ASQ, host_addr(h, h->asq.mem));
	set64(h, ACQ, host_addr(h, h->acq.mem));
}

void host_run(struct host *h)
{
	unsigned steps = 0;

	while (phyr_sim_step(h->sim))
		assert_true(++steps < MAX_STEPS);
}

void host_enable(struct host *h)
{
	set32(h, CC, h->cc);
	host_run(h);
	assert_int_equal(get32(h, CSTS) & (CSTS_RDY | CSTS_CFS), CSTS_RDY);
}

void host_disable(struct host *h)
{
	set32(h, CC, h->cc & ~CC_EN);
	host_run(h);
	assert_int_equal(get32(h, CSTS) & CSTS_RDY, 0);
}

/* pcie 3.1.2: 1000h + (2y or 2y + 1) * (4 << CAP.DSTRD). */
static uint64_t doorbell(const struct host *h, uint16_t qid, unsigned completion)
{
	return DOORBELLS + (2 * (uint64_t)qid + completion) * (4ull << (h->cap >> 32 & 15));
}

void host_doorbell_sq(struct host *h, uint16_t qid, uint32_t value)
{
	set32(h, doorbell(h, qid, 0), value);
}

void host_doorbell_cq(struct host *h, uint16_t qid, uint32_t value)
{
	set32(h, doorbell(h, qid, 1), value);
}

uint16_t host_push(struct host *h, struct sq *sq, struct sqe cmd)
{
	cmd.cid = ++h->cid;
	sq->mem[sq->tail] = cmd;
	sq->tail = (uint16_t)((sq->tail + 1) % sq->entries);
	return cmd.cid;
}

void host_ring(struct host *h, struct sq *sq)
{
	host_doorbell_sq(h, sq->id, sq->tail);
	host_run(h);
}

bool host_reap(struct host *h, struct cq *cq, struct cqe *out)
{
	const volatile struct cqe *entry = &cq->mem[cq->head];

	if ((entry->status & 1) != cq->phase)
		return false;
	*out = cq->mem[cq->head];
	if (++cq->head == cq->entries) {
		cq->head = 0;
		cq->phase ^= 1;
	}
	if (!cq->held)
		host_doorbell_cq(h, cq->id, cq->head);
	return true;
}

void host_idle(struct host *h, struct cq *cq)
{
	struct cqe c;

	host_run(h);
	assert_false(host_reap(h, cq, &c));
}

struct cqe host_exec(struct host *h, struct sq *sq, struct cq *cq, struct sqe cmd)
{
	uint16_t cid = host_push(h, sq, cmd);
	struct cqe c = {0};

	host_ring(h, sq);
	assert_true(host_reap(h, cq, &c));
	assert_int_equal(c.cid, cid);
	assert_int_equal(c.sqid, sq->id);
	return c;
}

struct cqe host_admin(struct host *h, struct sqe cmd)
{
	return host_exec(h, &h->asq, &h->acq, cmd);
}

struct cqe host_cmd(struct host *h, struct sqe cmd)
{
	return host_exec(h, &h->sq, &h->cq, cmd);
}
