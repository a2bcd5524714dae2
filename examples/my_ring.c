/* SPDX-License-Identifier: MIT */
/* A driver with a ring: descriptors in memory that it shares with its device, my_nic.c. */
#include "my_ring.h"

#include <errno.h>

static void put(struct ring *r, unsigned reg, uint64_t value)
{
	phyr_regs_write(r->regs, OFFSET(reg), value, 8);
}

int ring_open(struct ring *r)
{
	r->descs = phyr_dma_alloc(r->dev, NR_DESCS * sizeof(struct desc), &r->addr);
	if (!r->descs)
		return -ENOMEM;
	put(r, RING, r->addr);
	put(r, RUN, 1);
	return 0;
}

/* Take the oldest packet back if the device is done with it: with its last descriptor. */
static bool reap(struct ring *r)
{
	struct packet *p = &r->packets[r->first % NR_DESCS];

	/* Acquire: what the device wrote before DONE is there. */
	if (r->first == r->tail ||
	    !(__atomic_load_n(&r->descs[(p->end - 1) % NR_DESCS].word, __ATOMIC_ACQUIRE) & DONE))
		return false;
	for (; r->first != p->end; r->first++)
		if (r->descs[r->first % NR_DESCS].word & ERROR)
			r->err = -EIO;
	phyr_dma_unmap(r->dev, &p->map);
	return true;
}

/* Find the end of a mapped packet, if there is room for all of it. */
static int count(struct ring *r, struct packet *p)
{
	struct phyr_dma_iter iter = {0};
	struct phyr_dma_vec vec;
	int err;

	p->end = r->tail;
	while ((err = phyr_dma_map_next(r->dev, &p->map, &iter, &vec)) > 0) {
		if (p->end++ - r->first == NR_DESCS)
			return r->first == r->tail ? -E2BIG : -EAGAIN;
		if (vec.len > LENGTH)
			return -EINVAL;
	}
	return err;
}

/* Write its descriptors, which the device does not look at before TAIL says so. */
static void fill(struct ring *r, const struct packet *p)
{
	struct phyr_dma_iter iter = {0};
	struct phyr_dma_vec vec;

	for (uint64_t i = r->tail; phyr_dma_map_next(r->dev, &p->map, &iter, &vec) > 0; i++)
		r->descs[i % NR_DESCS] =
			(struct desc){vec.addr, i + 1 < p->end ? vec.len : vec.len | LAST};
}

int ring_send(struct ring *r, const struct phyr_list *packet)
{
	struct packet *p = &r->packets[r->tail % NR_DESCS];
	int err;

	while (reap(r))
		;
	if (r->tail - r->first == NR_DESCS)
		return -EAGAIN; /* p is still another's */
	err = phyr_dma_map(r->dev, packet, PHYR_DMA_TO_DEVICE, 0, &p->map);
	if (err)
		return err;
	err = count(r, p);
	if (err) {
		phyr_dma_unmap(r->dev, &p->map);
		return err;
	}
	fill(r, p);
	put(r, TAIL, p->end);
	r->tail = p->end;
	return 0;
}

int ring_wait(struct ring *r)
{
	while (r->first != r->tail)
		if (!reap(r))
			r->wait(r->wait_arg);
	return r->err;
}

void ring_close(struct ring *r)
{
	if (!r->descs)
		return;
	put(r, RUN, 0);
	phyr_regs_read(r->regs, OFFSET(RUN), 8); /* when it returns, the device has stopped */
	for (struct packet *p; r->first != r->tail; r->first = p->end) {
		p = &r->packets[r->first % NR_DESCS];
		phyr_dma_unmap(r->dev, &p->map);
	}
	phyr_dma_free(r->dev, NR_DESCS * sizeof(struct desc), r->descs, r->addr);
	r->descs = NULL;
}
