/* SPDX-License-Identifier: MIT */
/* A DMA engine on the simulated machine, and its driver: docs/testing-your-driver.md goes through it. */
#include "my_device.h"

#include <errno.h>

/* The device. Its functions never run at the same time. */

static uint64_t engine_read(void *priv, uint64_t offset, unsigned width)
{
	struct engine *e = priv;

	return offset / 8 < NR_REGS && width == 8 ? e->regs[offset / 8] : ~(uint64_t)0;
}

static void engine_write(void *priv, uint64_t offset, uint64_t value, unsigned width)
{
	struct engine *e = priv;

	if (offset / 8 < STATUS && width == 8)
		e->regs[offset / 8] = value;
	if (offset == OFFSET(DOORBELL))
		e->regs[STATUS] = BUSY;
}

/* Copies a page at most; returns whether there is more to do. */
static bool engine_step(void *priv)
{
	struct engine *e = priv;
	uint64_t *r = e->regs, n = r[LENGTH] < 4096 ? r[LENGTH] : 4096;
	char buf[4096];

	if (r[STATUS] != BUSY)
		return false;
	if (++e->steps == e->fail_at || phyr_sim_dma_read(e->sdev, r[FROM], buf, n) ||
	    phyr_sim_dma_write(e->sdev, r[TO], buf, n))
		r[STATUS] = FAILED;
	else if (n == r[LENGTH])
		r[STATUS] = DONE;
	r[FROM] += n;
	r[TO] += n;
	r[LENGTH] -= n;
	if (r[STATUS] != BUSY)
		phyr_sim_irq(e->sdev, 0);
	return r[STATUS] == BUSY;
}

const struct phyr_sim_dev_ops engine_ops = {engine_read, engine_write, engine_step};

/* The driver. */

void driver_interrupt(void *driver, unsigned vector)
{
	struct driver *d = driver;

	(void)vector;
	__atomic_store_n(&d->done, true, __ATOMIC_RELEASE);
}

static void put(struct driver *d, unsigned reg, uint64_t value)
{
	phyr_regs_write(d->regs, OFFSET(reg), value, 8);
}

int driver_run(struct driver *d, phyr_dma_addr_t to, phyr_dma_addr_t from, uint64_t len)
{
	__atomic_store_n(&d->done, false, __ATOMIC_RELAXED);
	put(d, FROM, from);
	put(d, TO, to);
	put(d, LENGTH, len);
	put(d, DOORBELL, 1);
	while (!__atomic_load_n(&d->done, __ATOMIC_ACQUIRE))
		d->wait(d->wait_arg);
	return phyr_regs_read(d->regs, OFFSET(STATUS), 8) == DONE ? 0 : -EIO;
}

/* A piece that is used up gives way to the next: 1, 0 at the end, or an error. */
static int refill(struct phyr_dev *dev, const struct phyr_dma_map *map, struct phyr_dma_iter *iter,
		  struct phyr_dma_vec *vec)
{
	return vec->len ? 1 : phyr_dma_map_next(dev, map, iter, vec);
}

/* Behind an IOMMU each side is one piece; without one, as many as its memory has. */
static int run_pieces(struct driver *d, struct phyr_dma_map *to, struct phyr_dma_map *from)
{
	struct phyr_dma_iter to_iter = {0}, from_iter = {0};
	struct phyr_dma_vec t = {0}, f = {0};
	int err = 0;

	while (!err && (err = refill(d->dev, to, &to_iter, &t)) > 0 &&
	       (err = refill(d->dev, from, &from_iter, &f)) > 0) {
		uint64_t n = t.len < f.len ? t.len : f.len;

		err = driver_run(d, t.addr, f.addr, n);
		t = (struct phyr_dma_vec){t.addr + n, t.len - n};
		f = (struct phyr_dma_vec){f.addr + n, f.len - n};
	}
	return err;
}

int driver_copy(struct driver *d, const struct phyr_list *to, const struct phyr_list *from)
{
	struct phyr_dma_map dst, src;
	int err = phyr_dma_map(d->dev, from, PHYR_DMA_TO_DEVICE, 0, &src);

	if (err)
		return err;
	err = phyr_dma_map(d->dev, to, PHYR_DMA_FROM_DEVICE, 0, &dst);
	if (!err) {
		err = run_pieces(d, &dst, &src);
		phyr_dma_unmap(d->dev, &dst);
	}
	phyr_dma_unmap(d->dev, &src);
	return err;
}
