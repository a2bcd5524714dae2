/* SPDX-License-Identifier: MIT */
/* A network device that sends: its registers and descriptors, the device, and what its driver offers. */
#ifndef MY_RING_H
#define MY_RING_H

#include <phyr/phyr.h>
#include <phyr/sim.h>

/* Registers of 8 bytes, by number: where the ring is, how many descriptors were ever filled, go. */
enum { RING, TAIL, RUN, NR_REGS };
#define OFFSET(reg) ((uint64_t)8 * (reg))

/* A packet is one descriptor or several; the ring is used round and round. */
struct desc {
	uint64_t addr; /* of a piece of a packet */
	uint64_t word; /* its length, and flags */
};
#define NR_DESCS 8u
#define LENGTH   0xffffffffu
#define LAST     ((uint64_t)1 << 32) /* the packet ends here */
#define DONE     ((uint64_t)1 << 33) /* written by the device: it is done with this piece */
#define ERROR    ((uint64_t)1 << 34) /* likewise: and could not send it */

/* The device: what would be hardware. Zero it, and set sdev once phyr_open() has made it. */
struct nic {
	struct phyr_sim_dev *sdev;
	uint64_t regs[NR_REGS];
	uint64_t head; /* descriptors it is done with */
	char wire[65536];
	uint64_t sent;    /* bytes on the wire */
	uint64_t packets; /* and packets, ended by LAST */
	uint64_t fail_at; /* the piece that goes wrong, counted from 1, for tests; 0: none */
};

extern const struct phyr_sim_dev_ops nic_ops;

/* The driver. All counts go on for ever; a count modulo NR_DESCS is a place in the ring. */
struct ring {
	struct phyr_dev *dev;
	struct phyr_regs *regs;
	void (*wait)(void *arg); /* called as long as the device is busy */
	void *wait_arg;

	struct desc *descs; /* shared with the device */
	phyr_dma_addr_t addr;
	uint64_t first; /* descriptor of the oldest packet that is not done */
	uint64_t tail;  /* the next one to fill */
	int err;        /* of what was sent */
	/* A packet's mapping lies beside its first descriptor: a map must not move, and how many
	 * descriptors the packet takes is known only when it is mapped. */
	struct packet {
		struct phyr_dma_map map;
		uint64_t end; /* the descriptor behind its last */
	} packets[NR_DESCS];
};

/* Zero the ring but for dev, regs and wait; then 0 or -ENOMEM. */
int ring_open(struct ring *r);

/* Give a packet to the device; the list stays until ring_wait() or ring_close(). 0; -EAGAIN the ring is
 * full; -E2BIG it never holds so many pieces; -EINVAL one is too long; or as phyr_dma_map(). */
int ring_send(struct ring *r, const struct phyr_list *packet);

/* Wait until all is sent: 0, or -EIO when something was not. */
int ring_wait(struct ring *r);

/* Stop the device, whatever it does, and take everything back. Fine after a ring_open() that failed. */
void ring_close(struct ring *r);

#endif
