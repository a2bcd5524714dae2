/* SPDX-License-Identifier: MIT */
/*
 * What a check of the NVMe driver in a guest stands on: the first drive, opened, and memory mapped for it.
 *
 * Each 8-byte word of the drive's image is its number. Checks write other words, and put these back.
 */
#ifndef TESTS_GUEST_NVME_RIG_H
#define TESTS_GUEST_NVME_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <phyr/nvme_spec.h>
#include <phyr/phyr.h>

#define SLOT  131072u /* bytes of an I/O */
#define SLOTS 32u
#define MS    UINT64_C(1000000)

struct rig {
	struct phyr *p;
	struct phyr_nvme *nvme;
	struct phyr_nvme_queue *queue;
	const struct phyr_nvme_info *info;
	struct phyr_list list;
	struct phyr_dma_map map;
	unsigned char *mem; /* SLOTS * SLOT bytes, mapped */
};

/* Defaults of a check: the backend that the guest is about, writable, 64 commands. */
struct phyr_opts rig_opts(void);
/* "pci:" and the first drive's address. */
const char *rig_target(void);
void rig_open(struct rig *r, const struct phyr_opts *opts);
void rig_close(struct rig *r);

/* A slot of memory as a drive's blocks from a slot of it on: original words, or their complement. */
void rig_fill(struct rig *r, unsigned slot, uint64_t where, bool flipped);
/* Whether it is so. */
bool rig_holds(const struct rig *r, unsigned slot, uint64_t where, bool flipped);

/* An I/O: a slot of memory and a slot of the drive. */
struct io {
	struct rig *rig;
	unsigned slot;
	uint64_t where;
	bool write;
	unsigned ended; /* how often */
	int err;
	uint16_t status;
};

/* 0 or an errno, as phyr_nvme_read(). */
int io_submit(struct io *io);
/* Poll until all have ended, at most so long. */
void io_wait(struct rig *r, struct io *ios, unsigned nr, unsigned seconds);
/* One, to its good end; once more when a reset took it. */
void io_do(struct rig *r, unsigned slot, uint64_t where, bool write);

/* PCI Local Bus 3.0, 6.2.2. */
#define PCI_COMMAND        0x04
#define PCI_COMMAND_MEMORY 0x2
#define PCI_COMMAND_MASTER 0x4
uint32_t rig_command(struct rig *r);

/* An admin command to its end, with a page for its data. */
struct phyr_nvme_done rig_admin(struct rig *r, const struct phyr_nvme_sqe *sqe, void *page);

uint64_t clock_ns(void);

#endif
