/* SPDX-License-Identifier: MIT */
/* A DMA engine that copies memory: its registers, the device, and what its driver offers. */
#ifndef MY_DEVICE_H
#define MY_DEVICE_H

#include <phyr/phyr.h>
#include <phyr/sim.h>

/* Registers of 8 bytes, by number, and where they lie. A DOORBELL starts a copy. */
enum { FROM, TO, LENGTH, DOORBELL, STATUS, NR_REGS };
#define OFFSET(reg) ((uint64_t)8 * (reg))

/* What STATUS says. */
enum { IDLE, BUSY, DONE, FAILED };

/* The device: what would be hardware. Zero it, and set sdev once phyr_open() has made it. */
struct engine {
	struct phyr_sim_dev *sdev;
	uint64_t regs[NR_REGS];
	uint64_t steps;   /* taken */
	uint64_t fail_at; /* the step that goes wrong, for tests; 0: none */
};

extern const struct phyr_sim_dev_ops engine_ops;

/* The driver. It knows a device to map for and its registers, and nothing of a simulation. */
struct driver {
	struct phyr_dev *dev;
	struct phyr_regs *regs;
	void (*wait)(void *arg); /* called as long as the device is busy */
	void *wait_arg;
	bool done; /* the interrupt has come */
};

/* The device's interrupt: for phyr_sim_set_irq(), with the driver as its argument. */
void driver_interrupt(void *driver, unsigned vector);

/* Let the device copy len bytes between two dma addresses. 0 or -EIO. */
int driver_run(struct driver *d, phyr_dma_addr_t to, phyr_dma_addr_t from, uint64_t len);

/* Copy one buffer into another of the same length, however they lie. 0, -EIO, or as phyr_dma_map(). */
int driver_copy(struct driver *d, const struct phyr_list *to, const struct phyr_list *from);

#endif
