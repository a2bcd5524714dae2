/* SPDX-License-Identifier: MIT */
/* Copy a scattered buffer through the device of my_device.c; then see what a driver's slips lead to. */
#include "my_device.h"

#include <stdio.h>
#include <string.h>

#define LEN ((size_t)65536)

/* Where phyr says what went wrong: blocked accesses, and what was not given back. */
static void on_report(void *arg, const struct phyr_report *report)
{
	char line[256];

	(void)arg;
	phyr_report_format(report, line, sizeof(line));
	printf("  %s\n", line);
}

/* A stepped machine's devices move when they are told to: so every run is like the last. */
static void wait_a_step(void *sim)
{
	phyr_sim_step(sim);
}

static int copy(struct driver *d, struct phyr_list *to, struct phyr_list *from, const char *src)
{
	int err = driver_copy(d, to, from);

	printf("copied %zu bytes: %lu runs of memory to %lu, %s\n", LEN,
	       (unsigned long)from->nr_runs, (unsigned long)to->nr_runs,
	       !err && memcmp(src, src + LEN, LEN) == 0 ? "the same" : "NOT the same");
	return err;
}

static phyr_dma_addr_t iova_of(struct phyr_dma_map *map)
{
	return phyr_list_first_addr(phyr_dma_map_list(map));
}

static void slips(struct driver *d, struct phyr_list *to, struct phyr_list *from)
{
	struct phyr_dma_map dst, src;
	phyr_dma_addr_t d_iova, s_iova;

	if (phyr_dma_map(d->dev, from, PHYR_DMA_TO_DEVICE, 0, &src) ||
	    phyr_dma_map(d->dev, to, PHYR_DMA_TO_DEVICE, 0, &dst))
		return;
	d_iova = iova_of(&dst), s_iova = iova_of(&src);
	printf("the device is given a physical address:\n");
	driver_run(d, d_iova, phyr_list_first_addr(from), LEN);
	printf("the target is mapped in the wrong direction:\n");
	driver_run(d, d_iova, s_iova, LEN);
	printf("the source is unmapped too early:\n");
	phyr_dma_unmap(d->dev, &src);
	driver_run(d, d_iova, s_iova, LEN);
	printf("the target is never unmapped; at the end:\n");
}

int main(void)
{
	static char buf[2 * LEN] __attribute__((aligned(4096)));
	struct phyr_sim_config config = {.size = sizeof(config), .stepped = true};
	struct engine engine = {0};
	struct phyr_opts opts = {.size = sizeof(opts), .report = on_report};
	struct phyr_list from, to;
	struct phyr *p;
	int err;

	opts.sim_ops = &engine_ops;
	opts.sim_priv = &engine;
	if (phyr_sim_create(&config, &opts.sim) || phyr_open("sim:", &opts, &p))
		return 1;
	engine.sdev = phyr_get_sim_dev(p);
	struct driver d = {.dev = phyr_get_dev(p), .regs = phyr_get_regs(p), .wait = wait_a_step};
	d.wait_arg = opts.sim;
	err = phyr_sim_set_irq(engine.sdev, 0, driver_interrupt, &d);
	memset(buf, 'x', LEN);
	err = phyr_list_from_user(p, buf, LEN, &from) || err;
	err = phyr_list_from_user(p, buf + LEN, LEN, &to) || err;
	if (!err && !copy(&d, &to, &from, buf))
		slips(&d, &to, &from);
	phyr_list_release(p, &from);
	phyr_list_release(p, &to);
	phyr_close(p);
	phyr_sim_destroy(opts.sim);
	return err;
}
