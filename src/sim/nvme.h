/* SPDX-License-Identifier: MIT */
/* The simulated NVMe controller's own state, and what its files call of each other. */
#ifndef SIM_NVME_H
#define SIM_NVME_H

#include <endian.h>

#include <phyr/sim.h>

#include "sim/nvme_spec.h"

/* A completion queue. Its queue id is its index; size 0: it does not exist. */
struct sim_nvme_cq {
	uint64_t base;
	uint32_t size;   /* entries */
	uint32_t head;   /* the host's: first entry not taken yet */
	uint32_t tail;   /* ours: where the next one goes */
	uint32_t nr_sqs; /* submission queues that complete here */
	uint16_t vector;
	bool interrupts;
	bool phase; /* of the next entry */
};

/* A submission queue, likewise. */
struct sim_nvme_sq {
	uint64_t base;
	uint32_t size;
	uint32_t head; /* ours: next entry to fetch */
	uint32_t tail; /* the host's */
	uint16_t cqid;
};

struct sim_nvme {
	struct phyr_sim_dev *sdev;
	struct phyr_env *env;

	/* what it was made of */
	int fd;
	bool read_only;
	unsigned block_lg2;
	uint64_t blocks; /* size of the namespace */
	unsigned mdts;
	unsigned mps_min_lg2;
	unsigned mps_max_lg2;
	uint32_t max_queues; /* I/O queues of each sort */
	uint32_t max_entries;
	uint8_t uuid[16];      /* of the namespace */
	uint8_t subsystem[16]; /* UUID of the subsystem */

	/* properties */
	uint32_t cc;
	uint32_t aqa;
	uint64_t asq;
	uint64_t acq;
	uint32_t int_mask;
	bool ready;              /* CSTS.RDY */
	bool fatal;              /* CSTS.CFS */
	enum nvme_shst shutdown; /* CSTS.SHST */
	bool shutdown_abrupt;

	/* while it is enabled */
	bool enabled;
	unsigned page_lg2;  /* CC.MPS, as it was when the controller was enabled */
	uint32_t irq_check; /* vectors unmasked since the last step */
	bool write_cache;   /* feature 06h */
	uint32_t nr_sqs;    /* feature 07h: allocated I/O queues */
	uint32_t nr_cqs;
	uint32_t next_sq;        /* where the round goes on */
	struct sim_nvme_sq *sqs; /* [max_queues + 1]; 0 is the admin queue */
	struct sim_nvme_cq *cqs;
};

/* One submission queue entry, in the CPU's byte order. */
struct sim_nvme_cmd {
	uint32_t dw[16];
};

static inline uint64_t sim_nvme_cmd_u64(const struct sim_nvme_cmd *cmd, unsigned dw)
{
	return cmd->dw[dw] | (uint64_t)cmd->dw[dw + 1] << 32;
}

static inline uint32_t sim_nvme_cmd_nsid(const struct sim_nvme_cmd *cmd)
{
	return cmd->dw[1];
}

/* nvme_regs.c: properties and doorbells, enabling, resetting, shutting down. */
uint64_t phyr_sim_nvme_mmio_read(void *priv, uint64_t offset, unsigned width);
void phyr_sim_nvme_mmio_write(void *priv, uint64_t offset, uint64_t value, unsigned width);
/* Forget all that a Controller Reset forgets (Base 3.7.2). CSTS.RDY stays for the next step. */
void phyr_sim_nvme_reset(struct sim_nvme *n);
/* Do what a write of CC left to do. @return whether there was something */
bool phyr_sim_nvme_change_state(struct sim_nvme *n);

/* nvme_queue.c: rings and doorbells. */
void phyr_sim_nvme_sq_doorbell(struct sim_nvme *n, uint32_t qid, uint32_t tail);
void phyr_sim_nvme_cq_doorbell(struct sim_nvme *n, uint32_t qid, uint32_t head);
/* Fetch one command, execute it, complete it. @return whether another could follow at once */
bool phyr_sim_nvme_run_one(struct sim_nvme *n);
/* Raise the interrupts that were held back by the mask and still have a reason. */
void phyr_sim_nvme_raise_unmasked(struct sim_nvme *n);

/* nvme_admin.c, nvme_identify.c, nvme_io.c: commands. Each returns a status code with its type
 * (enum nvme_status). */
unsigned phyr_sim_nvme_admin(struct sim_nvme *n, const struct sim_nvme_cmd *cmd, uint32_t *result);
unsigned phyr_sim_nvme_identify(struct sim_nvme *n, const struct sim_nvme_cmd *cmd);
unsigned phyr_sim_nvme_io(struct sim_nvme *n, const struct sim_nvme_cmd *cmd);
/* Make all that was written durable. */
unsigned phyr_sim_nvme_sync_media(struct sim_nvme *n);

#define SIM_NVME_PRP_FETCH 512

/* A walk over the PRP entries of a command (nvme_prp.c). */
struct sim_nvme_prps {
	struct sim_nvme *n;
	uint64_t prp1;
	uint64_t prp2;
	uint64_t left;     /* bytes that no entry was taken for yet */
	uint64_t list;     /* next entry of the PRP list to fetch */
	unsigned nr_taken; /* 0: PRP1 is next; 1: PRP2; 2: the list */
	unsigned pos, nr;  /* in entries[] */
	uint64_t entries[SIM_NVME_PRP_FETCH];
};

void phyr_sim_nvme_prps_init(struct sim_nvme_prps *prps, struct sim_nvme *n,
			     const struct sim_nvme_cmd *cmd, uint64_t len);
/* The next piece, at most a page; left is not 0. @return a status code */
unsigned phyr_sim_nvme_prps_next(struct sim_nvme_prps *prps, uint64_t *addr, uint64_t *len);

#endif
