/* SPDX-License-Identifier: MIT */
/*
 * QEMU's teaching device (QEMU docs, specs/edu) as an engine that moves bytes between its own buffer
 * of 4096 bytes and dma addresses. It does not say how a transfer ended, and takes 100 ms for each.
 */
#ifndef TESTS_GUEST_EDU_H
#define TESTS_GUEST_EDU_H

#include <phyr/iommu.h>
#include <phyr/pci.h>

/* A transfer of the whole buffer ends QEMU 7.2: one byte less is the most. */
#define EDU_MAX 4095
/* The widest address that it puts on the bus, as the guests have it. */
#define EDU_LAST 0xffffffffffull

struct edu {
	struct phyr_pci *pci; /* NULL: through sysfs */
	struct phyr_regs *regs;
};

/* Take over an attached device; its bus mastering is switched on. A negative errno. */
int edu_open(struct edu *edu, struct phyr_env *env, struct phyr_iommu *iommu, uint32_t source);
/* The same by a VFIO descriptor from anywhere. */
int edu_open_fd(struct edu *edu, struct phyr_env *env, int fd, uint32_t source);
/* The same through sysfs, of a device that no driver has; regs are kept until it is closed. */
int edu_open_sysfs(struct edu *edu, const char *device, struct phyr_regs *regs);
/* Before the device is detached. */
void edu_close(struct edu *edu);

/* Start a transfer of at most EDU_MAX bytes: PHYR_READ memory into the buffer, or PHYR_WRITE it. */
void edu_start(struct edu *edu, uint64_t addr, uint64_t len, unsigned access);
/* Wait until it is over; false: it does not end. */
bool edu_wait(struct edu *edu);
/* Both. */
bool edu_run(struct edu *edu, uint64_t addr, uint64_t len, unsigned access);

/* A page that is mapped for the device to copy by. */
struct edu_page {
	unsigned char *cpu;
	uint64_t iova;
};

/* Between @buf and memory at @addr, through the page: as edu_run(), for a processor's buffer. */
bool edu_move(struct edu *edu, const struct edu_page *page, uint64_t addr, void *buf, uint64_t len,
	      unsigned access);

#endif
