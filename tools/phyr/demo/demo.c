/* SPDX-License-Identifier: MIT */
/* phyr demo: what phyr is about, in three seconds, without files, rights or hardware. */
#include "demo/demo.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "cmd.h"

#define BUFFER ((size_t)1 << 20)

/* The device: a write of register 0 sets the value, one of register 8 writes it to memory there. */
struct writer {
	struct demo *demo;
	uint64_t value;
};

static uint64_t writer_read(void *priv, uint64_t offset, unsigned width)
{
	return 0;
}

static void writer_write(void *priv, uint64_t offset, uint64_t value, unsigned width)
{
	struct writer *w = priv;

	if (offset == 0)
		w->value = value;
	else
		w->demo->device_err = phyr_sim_dma_write(w->demo->sdev, value, &w->value, 8);
}

static const struct phyr_sim_dev_ops writer_ops = {writer_read, writer_write, NULL};
static struct writer writer;

void demo_device_write(struct demo *d, phyr_dma_addr_t addr, uint64_t value)
{
	struct phyr_regs *regs = phyr_sim_dev_regs(d->sdev);

	phyr_regs_write(regs, 0, value, 8);
	phyr_regs_write(regs, 8, addr, 8);
}

static void take_fault(void *arg, const struct phyr_fault *fault)
{
	struct demo *d = arg;

	d->fault = *fault;
	d->faults++;
}

int demo_start(struct demo *d)
{
	struct phyr_sim_config config = {.size = sizeof(config), .seed = 3, .stepped = true};
	int err;

	memset(d, 0, sizeof(*d));
	writer.demo = d;
	err = phyr_sim_create(&config, &d->sim);
	if (!err)
		err = phyr_sim_dev_add(d->sim, &writer_ops, &writer, DEMO_SOURCE, &d->sdev);
	if (!err)
		err = phyr_soft_create(phyr_sim_env(d->sim), phyr_sim_iommu(d->sim), NULL,
				       &d->iommu);
	if (!err)
		err = phyr_domain_create(d->iommu, &d->domain);
	if (!err) {
		phyr_domain_set_fault_handler(d->domain, take_fault, d);
		err = phyr_dev_create(d->domain, DEMO_SOURCE, NULL, &d->dev);
	}
	if (err)
		demo_stop(d);
	return err;
}

void demo_stop(struct demo *d)
{
	phyr_dev_destroy(d->dev);
	phyr_domain_destroy(d->domain);
	phyr_iommu_destroy(d->iommu);
	phyr_sim_dev_remove(d->sdev);
	phyr_sim_destroy(d->sim);
}

static void draw_buffer(const struct phyr_list *list)
{
	struct phyr_list_stats st;

	phyr_list_stats(list, &st);
	printf("A buffer of 1 MiB, as its memory lies: %" PRIu64 " pages in %" PRIu64
	       " runs. A character a page, a shade a run:\n\n",
	       st.pages, st.runs);
	draw_list(stdout, list, 1);
	printf("\n");
}

static int show_buffer(struct demo *d, void *buf)
{
	struct phyr_list list;
	int err;

	phyr_list_init(&list, NULL, phyr_sim_space(d->sim));
	err = phyr_sim_pin(d->sim, buf, BUFFER, &list);
	if (!err) {
		draw_buffer(&list);
		err = demo_compare(d, &list);
		phyr_sim_unpin(d->sim, &list);
	}
	phyr_list_fini(&list);
	return err;
}

static int run(void)
{
	struct demo d;
	void *buf = mmap(NULL, BUFFER, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int err;

	if (buf == MAP_FAILED)
		return -ENOMEM;
	err = demo_start(&d);
	if (!err) {
		err = show_buffer(&d, buf);
		err = err ? err : demo_stale(&d);
		demo_stop(&d);
	}
	munmap(buf, BUFFER);
	return err;
}

int cmd_demo(int argc, char **argv)
{
	int err;

	if (argc == 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
		puts("usage: phyr demo\n\nShows a buffer's runs, what mapping it costs the old way "
		     "and with phyr, and a stale\nIOTLB entry being caught. No files, no root, "
		     "under three seconds.");
		return 0;
	}
	if (argc > 1)
		return cli_error(EXIT_USAGE, "demo", "%s: takes no options", argv[1]);
	err = run();
	return err ? cli_error(EXIT_FAILED, "demo", "%s", strerror(-err)) : 0;
}
