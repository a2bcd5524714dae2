/* SPDX-License-Identifier: MIT */
/*
 * A raw NVMe host for tests of the simulated controller: it builds each entry by hand, by the
 * numbers of the specifications, and steps the machine itself. No IOMMU: a dma address is physical.
 */
#ifndef TESTS_SIM_NVME_RIG_H
#define TESTS_SIM_NVME_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <phyr/list.h>
#include <phyr/sim.h>

/* Memory that the controller may reach, on pages of its own; scattered in physical memory. */
struct mem {
	uint8_t *ptr;
	uint64_t len;
	struct phyr_list list;
};

/* A ring in contiguous memory. */
struct ring {
	uint8_t *ptr;
	uint64_t phys;
	uint64_t bytes; /* allocated */
	unsigned size;  /* entries */
	unsigned place; /* tail of a submission queue, head of a completion queue */
	unsigned phase;
};

struct pair {
	unsigned qid;
	struct ring sq, cq;
};

struct rig {
	struct phyr_sim *sim;
	struct phyr_env *env;
	struct phyr_sim_dev *dev;
	struct phyr_regs *regs;
	int fd;
	uint64_t bytes; /* of the file */
	unsigned page_lg2;
	struct pair admin;
	unsigned irqs[PHYR_SIM_VECTORS];
};

struct cqe {
	uint32_t dw0;
	unsigned sqhd, sqid, cid, status; /* status: type << 8 | code, DNR in bit 14 */
};

#define DNR     0x4000u
#define MORE    0x2000u
#define NOT_RAM ((uint64_t)1 << 50) /* no memory lies there */
#define NOTHING 1000                /* steps after which nobody waits any longer */

/* A machine and a controller over a new file of @bytes, not enabled. @config may be NULL. */
void rig_start(struct rig *r, uint64_t bytes, struct phyr_sim_nvme_config *config);
void rig_stop(struct rig *r);

uint32_t rig_read(struct rig *r, uint64_t offset);
void rig_write(struct rig *r, uint64_t offset, uint32_t value);
void rig_doorbell(struct rig *r, unsigned index, uint32_t value);
void rig_steps(struct rig *r, unsigned n);
/* Step until the device has nothing more to do. */
void rig_settle(struct rig *r);

/* Set the admin queues, CC with the page size, wait for CSTS.RDY. */
void rig_admin_memory(struct rig *r, unsigned entries);
void rig_enable(struct rig *r, unsigned page_lg2);
void rig_disable(struct rig *r);

/* A machine, an enabled controller, one I/O pair of @entries with id 1. */
void rig_start_io(struct rig *r, uint64_t bytes, struct phyr_sim_nvme_config *config,
		  unsigned page_lg2, struct pair *io, unsigned entries);
void rig_stop_io(struct rig *r, struct pair *io);

struct mem mem_alloc(struct rig *r, uint64_t len);
void mem_free(struct rig *r, struct mem *m);
uint64_t phys_of(struct rig *r, const void *ptr);

void ring_alloc(struct rig *r, struct ring *ring, unsigned entries, unsigned entry_bytes);
void ring_free(struct rig *r, struct ring *ring);

/* Write one entry without ringing; ring the doorbell with what was written. */
void sq_put(struct pair *p, const uint32_t dw[16]);
void sq_ring(struct rig *r, struct pair *p);
/* Take a completion that is there. @return false: none */
bool cq_take(struct pair *p, struct cqe *cqe);
void cq_ring(struct rig *r, struct pair *p);
/* One command from start to end; fails the test when none or a wrong completion comes. */
struct cqe run(struct rig *r, struct pair *p, const uint32_t dw[16]);

/* An admin command with its data at @ptr of pinned memory (NULL: none). */
struct cqe admin(struct rig *r, unsigned opcode, uint32_t nsid, uint32_t dw10, uint32_t dw11,
		 const void *ptr);
#define IDENTIFY     0x06
#define GET_LOG      0x02
#define SET_FEATURES 0x09
#define GET_FEATURES 0x0a
#define ASYNC_EVENT  0x0c
#define FORMAT       0x80

/* A little-endian number of so many bytes. */
uint64_t le(const uint8_t *p, unsigned bytes);

/* Create both queues of a pair with given vector (-1: no interrupts); asserts success. */
void pair_create(struct rig *r, struct pair *p, unsigned qid, unsigned entries, int vector);
void pair_delete(struct rig *r, struct pair *p);
unsigned create_cq(struct rig *r, unsigned qid, unsigned entries, uint64_t phys, uint32_t dw11);
unsigned create_sq(struct rig *r, unsigned qid, unsigned entries, uint64_t phys, uint32_t dw11);
unsigned delete_queue(struct rig *r, unsigned opcode, unsigned qid);

/* A read (2) or write (1) of blocks with given PRPs. @return its status */
unsigned rw(struct rig *r, struct pair *p, unsigned opcode, uint64_t slba, uint32_t nr,
	    uint64_t prp1, uint64_t prp2);
void rw_build(uint32_t dw[16], unsigned opcode, unsigned cid, uint64_t slba, uint32_t nr,
	      uint64_t prp1, uint64_t prp2);

/* Fill with a pattern that tells places apart. */
void fill_pattern(void *ptr, uint64_t len, uint64_t seed);

#endif
