/* SPDX-License-Identifier: MIT */
/* phyr demo: a machine, a device of its own, and three things to see. */
#ifndef DEMO_DEMO_H
#define DEMO_DEMO_H

#include <stdio.h>
#include <sys/mman.h>

#include <phyr/phyr.h>
#include <phyr/sim.h>

#include "cli.h"
#include "clock.h"
#include "draw.h"
#include "sg.h"

#define DEMO_SOURCE 0x0100 /* bus 1, device 0, function 0 */

/* A simulated machine with a device that writes a word where it is told to. */
struct demo {
	struct phyr_sim *sim;
	struct phyr_iommu *iommu;
	struct phyr_domain *domain;
	struct phyr_dev *dev;
	struct phyr_sim_dev *sdev;
	struct phyr_fault fault; /* the last blocked access */
	uint64_t faults;
	int device_err; /* how the device's last write ended */
};

int demo_start(struct demo *d);
void demo_stop(struct demo *d);
/* Tell the device to write a word; what became of it is in d->device_err. */
void demo_device_write(struct demo *d, phyr_dma_addr_t addr, uint64_t value);

/* The parts, in order. 0 or a negative errno. */
int demo_compare(struct demo *d, const struct phyr_list *list);
int demo_stale(struct demo *d);

#endif
