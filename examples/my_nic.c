/* SPDX-License-Identifier: MIT */
/* A network device that sends packets from a ring of descriptors in memory, simulated. */
#include "my_ring.h"

#include <errno.h>
#include <stddef.h>

static uint64_t nic_read(void *priv, uint64_t offset, unsigned width)
{
	struct nic *n = priv;

	return offset / 8 < NR_REGS && width == 8 ? n->regs[offset / 8] : ~(uint64_t)0;
}

static void nic_write(void *priv, uint64_t offset, uint64_t value, unsigned width)
{
	struct nic *n = priv;

	if (offset / 8 < NR_REGS && width == 8)
		n->regs[offset / 8] = value;
}

static int send_piece(struct nic *n, const struct desc *d)
{
	uint64_t len = d->word & LENGTH;

	if (!len || len > sizeof(n->wire) - n->sent || n->head + 1 == n->fail_at ||
	    phyr_sim_dma_read(n->sdev, d->addr, n->wire + n->sent, len))
		return -EIO;
	n->sent += len;
	n->packets += (d->word & LAST) != 0;
	return 0;
}

/* A descriptor: DONE is written after the piece was read, in one word. */
static bool nic_step(void *priv)
{
	struct nic *n = priv;
	uint64_t at = n->regs[RING] + n->head % NR_DESCS * sizeof(struct desc);
	struct desc d;

	if (!n->regs[RUN] || n->head == n->regs[TAIL])
		return false;
	if (phyr_sim_dma_read(n->sdev, at, &d, sizeof(d))) {
		n->regs[RUN] = 0; /* the ring is not there: all that it can do is stop */
		return false;
	}
	d.word |= send_piece(n, &d) ? DONE | ERROR : DONE;
	phyr_sim_dma_write(n->sdev, at + offsetof(struct desc, word), &d.word, sizeof(d.word));
	return ++n->head != n->regs[TAIL];
}

const struct phyr_sim_dev_ops nic_ops = {nic_read, nic_write, nic_step};
