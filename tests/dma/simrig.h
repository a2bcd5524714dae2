/* SPDX-License-Identifier: MIT */
/*
 * A simulated machine with a device that moves data as it is told by its registers, on a backend of
 * choice. The machine is stepped: nothing moves but in engine_run().
 */
#ifndef TESTS_DMA_SIMRIG_H
#define TESTS_DMA_SIMRIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <phyr/backend.h>
#include <phyr/dma.h>
#include <phyr/sim.h>

#include "core/err.h"
#include "lib/tenv.h"

#define ENGINE_BUF 65536

/* The device: registers, and a memory of its own that data goes to and comes from. */
struct engine {
	struct phyr_sim_dev *sdev;
	uint64_t addr;
	uint64_t len;
	uint64_t command; /* PHYR_READ or PHYR_WRITE while there is something to do */
	int64_t status;
	unsigned char buf[ENGINE_BUF];
};

struct simrig_config {
	enum phyr_pgtbl_format format; /* 0: no IOMMU */
	uint64_t page_sizes;
	enum phyr_sim_scatter scatter;
	uint64_t seed;
	uint64_t bus_offset; /* without an IOMMU: what a bridge takes off on the way to memory */
};

struct simrig {
	struct phyr_sim *sim;
	struct tenv t;
	struct phyr_iommu *iommu;
	struct phyr_domain *domain;
	struct phyr_dev *dev;
	struct phyr_regs *regs;
	struct engine engine;
	uint64_t bus_offset;
	uint64_t faults;
	struct phyr_fault fault; /* the last one */
};

void simrig_init(struct simrig *r, const struct simrig_config *config);
void simrig_fini(struct simrig *r);

/* Memory of the process as a list, pinned. */
void simrig_pin(struct simrig *r, void *ptr, uint64_t len, struct phyr_list *list);
void simrig_unpin(struct simrig *r, struct phyr_list *list);

/*
 * Have the device move @len bytes at a dma address: PHYR_READ into its own memory at 0, PHYR_WRITE
 * from there. Returns its status, 0 or -EFAULT.
 */
int engine_run(struct simrig *r, uint64_t addr, uint64_t len, unsigned command);

#endif
