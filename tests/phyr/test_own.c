/* SPDX-License-Identifier: MIT */
/* The front door to a device of one's own: target "sim:", with and without functions, and its limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <phyr/phyr.h>
#include <phyr/sim.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGE 4096
#define LEN  (5 * PAGE)

/* What was reported. */
struct heard {
	struct phyr_report last;
	unsigned nr;
};

static void hear(void *arg, const struct phyr_report *report)
{
	struct heard *heard = arg;

	heard->last = *report;
	heard->nr++;
}

static struct phyr_opts with(struct heard *heard)
{
	memset(heard, 0, sizeof(*heard));
	return (struct phyr_opts){
		.size = sizeof(struct phyr_opts), .report = hear, .report_arg = heard};
}

/* A device with one register. */
static uint64_t reg_read(void *priv, uint64_t offset, unsigned width)
{
	return offset ? 0 : *(uint64_t *)priv;
}

static void reg_write(void *priv, uint64_t offset, uint64_t value, unsigned width)
{
	if (!offset)
		*(uint64_t *)priv = value;
}

static const struct phyr_sim_dev_ops reg_ops = {reg_read, reg_write, NULL};

static char memory[LEN] __attribute__((aligned(PAGE)));

static struct phyr *open_own(const struct phyr_opts *opts)
{
	struct phyr *p = NULL;

	assert_int_equal(phyr_open("sim:", opts, &p), 0);
	assert_null(phyr_get_nvme(p));
	assert_null(phyr_get_queue(p));
	assert_non_null(phyr_get_sim(p));
	assert_non_null(phyr_get_sim_dev(p));
	assert_non_null(phyr_get_regs(p));
	return p;
}

static void map(struct phyr *p, enum phyr_dma_dir dir, struct phyr_list *list,
		struct phyr_dma_map *m)
{
	assert_int_equal(phyr_list_from_user(p, memory, LEN, list), 0);
	assert_int_equal(phyr_dma_map(phyr_get_dev(p), list, dir, 0, m), 0);
}

static void unmap(struct phyr *p, struct phyr_list *list, struct phyr_dma_map *m)
{
	phyr_dma_unmap(phyr_get_dev(p), m);
	phyr_list_release(p, list);
}

static void without_registers(void **state)
{
	struct phyr *p = open_own(NULL);
	struct phyr_regs *regs = phyr_get_regs(p);

	assert_ptr_equal(regs, phyr_sim_dev_regs(phyr_get_sim_dev(p)));
	assert_int_equal(regs->size, PHYR_SIM_REGS_SIZE);
	regs->write(regs, 0, 1, 4);
	assert_int_equal(regs->read(regs, 0, 4), 0xffffffff);
	assert_true(regs->read(regs, 8, 8) == UINT64_MAX);
	phyr_close(p);
}

static void with_registers(void **state)
{
	struct phyr_opts opts = {.size = sizeof(opts)};
	struct phyr_regs *regs;
	uint64_t reg = 5;
	struct phyr *p;

	opts.sim_ops = &reg_ops;
	opts.sim_priv = &reg;
	p = open_own(&opts);
	regs = phyr_get_regs(p);
	assert_int_equal(regs->read(regs, 0, 8), 5);
	regs->write(regs, 0, 77, 8);
	assert_int_equal(regs->read(regs, 0, 8), 77);
	assert_int_equal(reg, 77);
	phyr_close(p);
}

/* The calls that wait say so; nothing of the map or the entry is looked at. */
static void without_a_queue(void **state)
{
	unsigned char sqe[64] = {0};
	struct phyr_nvme_done done = {.err = 77};
	struct phyr *p = open_own(NULL);
	struct phyr_list list;
	struct phyr_dma_map m;

	map(p, PHYR_DMA_BIDIRECTIONAL, &list, &m);
	assert_int_equal(phyr_nvme_read_sync(phyr_get_queue(p), 0, &m), -EINVAL);
	assert_int_equal(phyr_nvme_write_sync(phyr_get_queue(p), 0, &m), -EINVAL);
	assert_int_equal(phyr_nvme_flush_sync(phyr_get_queue(p)), -EINVAL);
	assert_int_equal(phyr_nvme_submit_sync(phyr_get_queue(p), sqe, &m, &done), -EINVAL);
	assert_int_equal(done.err, 77);
	unmap(p, &list, &m);
	phyr_close(p);
}

/* A controller has registers and takes limits, too. */
static void of_a_controller(void **state)
{
	struct phyr_limits limits = {.size = sizeof(limits), .dma_mask = 0xffffff};
	struct phyr_opts opts = {.size = sizeof(opts), .limits = &limits};
	char target[] = "sim:/tmp/phyr-own-XXXXXX";
	int fd = mkstemp(target + 4);
	struct phyr_regs *regs;
	struct phyr_list list;
	struct phyr_dma_map m;
	struct phyr *p;

	assert_int_equal(pwrite(fd, "hello", 5, LEN - 5), 5);
	assert_int_equal(phyr_open(target, &opts, &p), 0);
	regs = phyr_get_regs(p);
	assert_int_equal(regs->read(regs, 8, 4), 0x00020000); /* NVMe Base 2.0, 3.1.3.2: VS */
	assert_ptr_equal(regs, phyr_sim_dev_regs(phyr_get_sim_dev(p)));
	map(p, PHYR_DMA_FROM_DEVICE, &list, &m);
	assert_true(phyr_list_first_addr(phyr_dma_map_list(&m)) <= 0xffffff);
	assert_int_equal(phyr_nvme_read_sync(phyr_get_queue(p), 0, &m), 0);
	assert_memory_equal(memory + LEN - 5, "hello", 5);
	unmap(p, &list, &m);
	phyr_close(p);
	close(fd);
	unlink(target + 4);
}

/* The device's DMA goes where the mapping says, and nowhere else. */
static void dma_is_checked(void **state)
{
	struct heard heard;
	struct phyr_opts opts = with(&heard);
	struct phyr *p = open_own(&opts);
	struct phyr_sim_dev *sdev = phyr_get_sim_dev(p);
	struct phyr_list list;
	struct phyr_dma_map m;
	phyr_dma_addr_t iova;

	memset(memory, 0, LEN);
	map(p, PHYR_DMA_FROM_DEVICE, &list, &m);
	iova = phyr_list_first_addr(phyr_dma_map_list(&m));
	assert_int_equal(phyr_sim_dma_write(sdev, iova + LEN - 5, "hello", 5), 0);
	assert_memory_equal(memory + LEN - 5, "hello", 5);
	assert_int_equal(heard.nr, 0);
	assert_int_equal(phyr_sim_dma_write(sdev, iova + LEN - 4, "hello", 5), -EFAULT);
	assert_int_equal(heard.nr, 1);
	assert_string_equal(heard.last.call, "fault");
	assert_int_equal(heard.last.iova, iova + LEN);
	unmap(p, &list, &m);
	assert_int_equal(phyr_sim_dma_write(sdev, iova, "hello", 5), -EFAULT);
	assert_int_equal(heard.nr, 2);
	assert_int_equal(heard.last.iova, iova);
	phyr_close(p);
	assert_int_equal(heard.nr, 2);
}

static void without_an_iommu(void **state)
{
	struct phyr_opts opts = {.size = sizeof(opts), .iommu = PHYR_IOMMU_NONE};
	struct phyr *p = open_own(&opts);
	struct phyr_list list;
	struct phyr_dma_map m;

	map(p, PHYR_DMA_FROM_DEVICE, &list, &m);
	assert_int_equal(m.how, PHYR_DMA_SAME);
	assert_int_equal(
		phyr_sim_dma_write(phyr_get_sim_dev(p), phyr_list_first_addr(&list), "hi", 2), 0);
	assert_memory_equal(memory, "hi", 2);
	unmap(p, &list, &m);
	phyr_close(p);
}

/* Limits are copied, and kept: the mapping and its pieces go with them. */
static void limits_are_taken(void **state)
{
	struct phyr_limits limits = {
		.size = sizeof(limits), .dma_mask = 0xffffff, .max_seg_size = 3 * PAGE};
	struct phyr_opts opts = {.size = sizeof(opts), .limits = &limits};
	struct phyr *p = open_own(&opts);
	struct phyr_dma_iter iter = {0};
	struct phyr_dma_vec vec;
	struct phyr_list list;
	struct phyr_dma_map m;

	memset(&limits, 0xff, sizeof(limits));
	assert_int_equal(phyr_dev_limits(phyr_get_dev(p))->dma_mask, 0xffffff);
	map(p, PHYR_DMA_TO_DEVICE, &list, &m);
	assert_int_equal(phyr_dma_map_next(phyr_get_dev(p), &m, &iter, &vec), 1);
	assert_int_equal(vec.len, 3 * PAGE);
	assert_true(vec.addr + LEN - 1 <= 0xffffff);
	assert_int_equal(phyr_dma_map_next(phyr_get_dev(p), &m, &iter, &vec), 1);
	assert_int_equal(vec.len, 2 * PAGE);
	assert_int_equal(phyr_dma_map_next(phyr_get_dev(p), &m, &iter, &vec), 0);
	unmap(p, &list, &m);
	phyr_close(p);
}

static void refused(const char *target, struct phyr_opts opts, int err, const char *hint)
{
	struct phyr *p = (struct phyr *)&opts;
	struct heard *heard = opts.report_arg;

	heard->nr = 0;
	assert_int_equal(phyr_open(target, &opts, &p), err);
	assert_ptr_equal(p, &opts);
	assert_true(heard->nr >= 1);
	assert_int_equal(heard->last.err, err);
	/* Limits are the device's to judge. */
	assert_string_equal(heard->last.call, opts.limits ? "phyr_dev_create" : "phyr_open");
	assert_non_null(strstr(heard->last.hint, hint));
}

/* Options that would mean nothing are refused. */
static void options_must_fit(void **state)
{
	struct phyr_limits limits = {.size = sizeof(limits), .dma_mask = 0x1234};
	struct heard heard;
	struct phyr_opts opts = with(&heard), o;
	uint64_t reg;

	o = opts, o.depth = 4;
	refused("sim:", o, -EINVAL, "controller");
	o = opts, o.writable = true;
	refused("sim:", o, -EINVAL, "controller");
	o = opts, o.nvme.size = sizeof(o.nvme);
	refused("sim:", o, -EINVAL, "controller");
	o = opts, o.sim_ops = &reg_ops;
	refused("sim:/nowhere", o, -EINVAL, "sim_ops");
	o = opts, o.sim_priv = &reg;
	refused("sim:/nowhere", o, -EINVAL, "sim_priv");
	o = opts, o.format = (enum phyr_pgtbl_format)77;
	refused("sim:", o, -EOPNOTSUPP, "backend");
	o = opts, o.limits = &limits;
	refused("sim:", o, -EINVAL, "limits");
	limits.size = 1;
	refused("sim:", o, -EINVAL, "limits");
	phyr_close(open_own(&opts));
}

/* All on one machine, until there is no source id left; then there is one again. */
static void many_devices(void **state)
{
	struct phyr_sim_config config = {.size = sizeof(config), .stepped = true};
	struct heard heard;
	struct phyr_opts opts = with(&heard);
	struct phyr_sim_stats stats;
	struct phyr *p[255];
	uint64_t regs[255];

	assert_int_equal(phyr_sim_create(&config, &opts.sim), 0);
	opts.sim_ops = &reg_ops;
	for (unsigned i = 0; i < 255; i++) {
		regs[i] = i;
		opts.sim_priv = &regs[i];
		p[i] = open_own(&opts);
	}
	for (unsigned i = 0; i < 255; i++)
		assert_int_equal(phyr_get_regs(p[i])->read(phyr_get_regs(p[i]), 0, 8), i);
	phyr_sim_get_stats(opts.sim, &stats);
	assert_int_equal(stats.devices, 255);
	refused("sim:", opts, -ENOSPC, "source id");
	phyr_close(p[99]);
	p[99] = open_own(&opts);
	for (unsigned i = 0; i < 255; i++)
		phyr_close(p[i]);
	phyr_sim_get_stats(opts.sim, &stats);
	assert_int_equal(stats.devices, 0);
	assert_int_equal(stats.objects + stats.locks + stats.table_pages, 0);
	phyr_sim_destroy(opts.sim);
}

/* Who forgets something is told at the latest when the target is closed. */
static void close_tells_what_is_left(void **state)
{
	struct heard heard;
	struct phyr_opts opts = with(&heard);
	struct phyr *p = open_own(&opts);
	struct phyr_list lists[2];
	struct phyr_dma_map m;

	map(p, PHYR_DMA_TO_DEVICE, &lists[0], &m);
	phyr_list_release(p, &lists[0]);
	phyr_list_release(p, &lists[0]); /* it is empty */
	assert_int_equal(heard.nr, 0);
	phyr_close(p);
	assert_int_equal(heard.nr, 1);
	assert_string_equal(heard.last.call, "phyr_domain_destroy");

	p = open_own(&opts);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(phyr_list_from_user(p, memory, LEN, &lists[i]), 0);
	heard.nr = 0;
	phyr_close(p);
	assert_int_equal(heard.nr, 1);
	assert_int_equal(heard.last.err, -EBUSY);
	assert_string_equal(heard.last.call, "phyr_close");
	assert_int_equal(heard.last.index, 2);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(lists[i].nr_blocks, 0); /* or they would leak here */
}

/* Memory that went while it was mapped is out of the device's reach. */
static void released_too_early(void **state)
{
	struct heard heard;
	struct phyr_opts opts = with(&heard);
	struct phyr *p = open_own(&opts);
	struct phyr_list list;
	struct phyr_dma_map m;
	phyr_dma_addr_t iova;

	map(p, PHYR_DMA_FROM_DEVICE, &list, &m);
	iova = phyr_list_first_addr(phyr_dma_map_list(&m));
	phyr_list_release(p, &list);
	assert_int_equal(phyr_sim_dma_write(phyr_get_sim_dev(p), iova, "hello", 5), -EFAULT);
	assert_int_equal(heard.nr, 1);
	assert_int_equal(heard.last.iova, iova);
	assert_non_null(strstr(heard.last.hint, "not there"));
	phyr_dma_unmap(phyr_get_dev(p), &m);
	phyr_close(p);
	assert_int_equal(heard.nr, 1);
}

/* Through the wrong target a list is not released, and nothing is lost: the right one still can. */
static void stays_with(struct phyr *wrong, struct phyr *right, struct heard *heard)
{
	struct phyr_sim_stats before, after;
	struct phyr_list list;

	assert_int_equal(phyr_list_from_user(right, memory, LEN, &list), 0);
	phyr_sim_get_stats(phyr_get_sim(right), &before);
	heard->nr = 0;
	phyr_list_release(wrong, &list);
	assert_int_equal(heard->nr, 1);
	assert_int_equal(heard->last.err, -EINVAL);
	assert_string_equal(heard->last.call, "phyr_list_release");
	assert_int_equal(heard->last.addr, phyr_list_first_addr(&list));
	assert_int_equal(heard->last.len, LEN);
	assert_non_null(strstr(heard->last.hint, "another target's"));
	assert_int_equal(list.len, LEN);
	phyr_sim_get_stats(phyr_get_sim(right), &after);
	assert_int_equal(before.pinned_pages, after.pinned_pages);
	phyr_list_release(right, &list);
	assert_int_equal(list.len, 0);
	phyr_sim_get_stats(phyr_get_sim(right), &after);
	assert_int_equal(after.pinned_pages, 0);
	phyr_close(wrong);
	phyr_close(right);
	assert_int_equal(heard->nr, 1);
}

/* Two targets on one machine have one space; on two machines, two. */
static void released_elsewhere(void **state)
{
	struct phyr_sim_config config = {.size = sizeof(config), .stepped = true};
	struct heard heard;
	struct phyr_opts opts = with(&heard);

	stays_with(open_own(&opts), open_own(&opts), &heard);
	assert_int_equal(phyr_sim_create(&config, &opts.sim), 0);
	stays_with(open_own(&opts), open_own(&opts), &heard);
	phyr_sim_destroy(opts.sim);
}

/* A list that phyr_list_from_user() did not make is left to who made it; NULL and nothing are fine. */
static void released_once_too_often(void **state)
{
	struct heard heard;
	struct phyr_opts opts = with(&heard);
	struct phyr *p = open_own(&opts);
	struct phyr_list list;

	phyr_list_release(p, NULL);
	phyr_list_init(&list, phyr_dev_env(phyr_get_dev(p)), phyr_sim_space(phyr_get_sim(p)));
	phyr_list_release(p, &list);
	assert_int_equal(phyr_sim_pin(phyr_get_sim(p), memory, LEN, &list), 0);
	assert_int_equal(heard.nr, 0);
	phyr_list_release(p, &list);
	assert_int_equal(heard.nr, 1);
	assert_int_equal(heard.last.err, -EINVAL);
	assert_non_null(strstr(heard.last.hint, "not from phyr_list_from_user()"));
	assert_int_equal(list.len, LEN);
	phyr_sim_unpin(phyr_get_sim(p), &list);
	phyr_list_fini(&list);
	phyr_close(p);
	assert_int_equal(heard.nr, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_registers),
		cmocka_unit_test(with_registers),
		cmocka_unit_test(without_a_queue),
		cmocka_unit_test(of_a_controller),
		cmocka_unit_test(dma_is_checked),
		cmocka_unit_test(without_an_iommu),
		cmocka_unit_test(limits_are_taken),
		cmocka_unit_test(options_must_fit),
		cmocka_unit_test(many_devices),
		cmocka_unit_test(released_too_early),
		cmocka_unit_test(close_tells_what_is_left),
		cmocka_unit_test(released_elsewhere),
		cmocka_unit_test(released_once_too_often),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
