/* SPDX-License-Identifier: MIT */
/*
 * What a test of the driver stands on: a simulated machine, an environment on top of its own that
 * counts and fails, a backend, a domain and a device; and memory to move.
 */
#ifndef TESTS_NVME_RIG_H
#define TESTS_NVME_RIG_H

#include <phyr/nvme.h>
#include <phyr/sim.h>

#include "lib/tenv.h"

#define RIG_SOURCE 0x0100

struct rig {
	struct phyr_sim *sim;
	struct tenv tenv;
	struct phyr_iommu *iommu;
	struct phyr_domain *domain;
	struct phyr_dev *dev;
	bool stepped;

	/* rig_disk() */
	int fd;
	struct phyr_sim_dev *sdev;
	struct phyr_nvme *nvme;
};

/* A machine and an environment; then rig_attach() once there is a device with RIG_SOURCE. */
void rig_init(struct rig *rig, bool stepped);
/* The same with memory laid out as told. */
void rig_init_scattered(struct rig *rig, bool stepped, enum phyr_sim_scatter scatter);
void rig_attach(struct rig *rig, bool iommu);
void rig_detach(struct rig *rig);
void rig_fini(struct rig *rig);

/* A clock that goes on by a millisecond whenever it is read: timeouts cost no time. Before rig_attach(). */
void rig_fast_clock(struct rig *rig);

/* Options for the driver: a stepped machine is stepped by whoever polls. */
struct phyr_nvme_opts rig_opts(struct rig *rig);

/* Add the simulated controller over a file of bytes, and attach it; config's fd is filled in. */
void rig_disk(struct rig *rig, uint64_t bytes, struct phyr_sim_nvme_config *config, bool iommu);
/* And open it with the driver. */
void rig_open(struct rig *rig, const struct phyr_nvme_opts *opts);

/* Memory of the process, pinned and mapped. */
struct mem {
	unsigned char *cpu;
	uint64_t len;
	struct phyr_list list;
	struct phyr_dma_map map;
};

/* offset: of the first byte in its page */
void mem_init(struct rig *rig, struct mem *mem, uint64_t len, uint64_t offset,
	      enum phyr_dma_dir dir);
void mem_fini(struct rig *rig, struct mem *mem);
/* A cursor over part of its map. */
struct phyr_cursor mem_cursor(struct mem *mem, uint64_t offset, uint64_t len);

/* What a command ended with. */
struct ended {
	unsigned times;
	int err;
	uint16_t status;
	uint64_t result;
};
void ended_fn(void *arg, const struct phyr_nvme_done *done);
/* Poll until nothing is in flight. */
void poll_all(struct phyr_nvme_queue *queue);

#endif
