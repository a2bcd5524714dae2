/* SPDX-License-Identifier: MIT */
/* The front door on simulated machines: what opens, what does not, and that data gets through. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <phyr/phyr.h>
#include <phyr/sim.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DISK_BYTES (1 << 20)
#define LEN        200000 /* not a multiple of a block: rounded down where it must be */

/* A file with a name, "sim:" before it. */
struct file {
	char target[64];
	char *name;
	int fd;
	unsigned char data[DISK_BYTES];
};

static void file_init(struct file *f, unsigned seed, off_t bytes)
{
	strcpy(f->target, "sim:/tmp/phyr-open-XXXXXX");
	f->name = f->target + 4;
	f->fd = mkstemp(f->name);
	assert_true(f->fd >= 0);
	srand(seed);
	for (unsigned i = 0; i < DISK_BYTES; i++)
		f->data[i] = (unsigned char)(rand() >> 7);
	assert_int_equal(pwrite(f->fd, f->data, DISK_BYTES, 0), DISK_BYTES);
	assert_int_equal(ftruncate(f->fd, bytes), 0);
}

static void file_fini(struct file *f)
{
	close(f->fd);
	unlink(f->name);
}

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

/* Opening must fail with err, say so once, and write nothing. */
static void refused(const char *target, const struct phyr_opts *opts, struct heard *heard, int err)
{
	struct phyr *p = (struct phyr *)heard;

	heard->nr = 0;
	assert_int_equal(phyr_open(target, opts, &p), err);
	assert_ptr_equal(p, heard);
	assert_int_equal(heard->nr, 1);
	assert_int_equal(heard->last.err, err);
	assert_string_equal(heard->last.call, "phyr_open");
	assert_non_null(heard->last.hint);
	if (!opts->writable)
		assert_int_equal(phyr_open(target, NULL, &p), err); /* nobody listens: the same */
}

static void bad_targets(void **state)
{
	struct heard heard;
	struct phyr_opts opts = with(&heard);
	static struct file f;

	refused(NULL, &opts, &heard, -EINVAL);
	refused("", &opts, &heard, -EINVAL);
	refused("disk.img", &opts, &heard, -EINVAL);
	refused(":disk.img", &opts, &heard, -EINVAL);
	refused("si:disk.img", &opts, &heard, -EOPNOTSUPP);
	refused("simm:disk.img", &opts, &heard, -EOPNOTSUPP);
	refused("pc:0000:01:00.0", &opts, &heard, -EOPNOTSUPP);
	refused("sim:/nowhere/at/all", &opts, &heard, -ENOENT);
	refused("sim:/", &opts, &heard, -EINVAL);
	refused("sim:/dev/null", &opts, &heard, -EINVAL);
	opts.writable = true;
	refused("sim:/", &opts, &heard, -EISDIR);
	opts.writable = false;
	file_init(&f, 1, 0);
	refused(f.target, &opts, &heard, -EINVAL);
	assert_int_equal(ftruncate(f.fd, 511), 0);
	refused(f.target, &opts, &heard, -EINVAL);
	assert_int_equal(ftruncate(f.fd, 1000), 0);
	refused(f.target, &opts, &heard, -EINVAL);
	assert_non_null(strstr(heard.last.hint, "multiple"));
	file_fini(&f);
}

/* Root may open anything, and so becomes nobody for as long. */
static void no_right(void **state)
{
	struct heard heard;
	struct phyr_opts opts = with(&heard);
	bool root = !geteuid();
	static struct file f;

	file_init(&f, 1, DISK_BYTES);
	assert_int_equal(fchmod(f.fd, 0400), 0);
	if (root && seteuid(65534)) {
		file_fini(&f);
		skip();
	}
	opts.writable = true;
	refused(f.target, &opts, &heard, -EACCES);
	if (root)
		assert_int_equal(seteuid(0), 0);
	file_fini(&f);
}

static uint64_t no_read(void *priv, uint64_t offset, unsigned width)
{
	return 0;
}

static void no_write(void *priv, uint64_t offset, uint64_t value, unsigned width)
{
}

/* Each bus has one device: a machine has room for 255. */
static void no_place_is_left(void **state)
{
	static const struct phyr_sim_dev_ops ops = {no_read, no_write, NULL};
	struct phyr_sim_config config = {.size = sizeof(config), .stepped = true};
	struct heard heard;
	struct phyr_opts opts = with(&heard);
	struct phyr_sim_dev *devs[255];
	static struct file f;
	struct phyr *p;

	file_init(&f, 1, DISK_BYTES);
	opts.writable = true;
	assert_int_equal(phyr_sim_create(&config, &opts.sim), 0);
	for (uint32_t i = 0; i < 255; i++)
		assert_int_equal(phyr_sim_dev_add(opts.sim, &ops, NULL, (i + 1) << 8, &devs[i]), 0);
	refused(f.target, &opts, &heard, -ENOSPC);
	phyr_sim_dev_remove(devs[200]);
	assert_int_equal(phyr_open(f.target, &opts, &p), 0);
	phyr_close(p);
	phyr_sim_destroy(opts.sim);
	file_fini(&f);
}

static void refused_opts(const struct file *f, struct phyr_opts opts, struct heard *heard, int err,
			 const char *call)
{
	struct phyr *p = NULL;

	heard->nr = 0;
	assert_int_equal(phyr_open(f->target, &opts, &p), err);
	assert_null(p);
	if (!call)
		return;
	assert_true(heard->nr >= 1);
	assert_int_equal(heard->last.err, err);
	assert_string_equal(heard->last.call, call);
}

static void bad_options(void **state)
{
	struct heard heard;
	struct phyr_opts opts = with(&heard);
	struct phyr_opts o;
	static struct file f;

	file_init(&f, 1, DISK_BYTES);
	o = opts, o.size = 3;
	refused_opts(&f, o, &heard, -EINVAL,
		     NULL); /* who listens is in a struct that is not ours */
	o = opts, o.iommu = (enum phyr_iommu_choice)(PHYR_IOMMU_IOMMUFD + 1);
	refused_opts(&f, o, &heard, -EINVAL, "phyr_open");
	o = opts, o.iommu = PHYR_IOMMU_VFIO;
	refused_opts(&f, o, &heard, -EOPNOTSUPP, "phyr_open");
	o = opts, o.iommu = PHYR_IOMMU_IOMMUFD;
	refused_opts(&f, o, &heard, -EOPNOTSUPP, "phyr_open");
	o = opts, o.iommu = (enum phyr_iommu_choice) - 1;
	refused_opts(&f, o, &heard, -EINVAL, "phyr_open");
	o = opts, o.nvme.size = 1;
	refused_opts(&f, o, &heard, -EINVAL, "phyr_open");
	o = opts, o.iommu = PHYR_IOMMU_NONE, o.format = PHYR_PGTBL_VTDSS;
	refused_opts(&f, o, &heard, -EINVAL, "phyr_open");
	o = opts, o.format = (enum phyr_pgtbl_format)77;
	refused_opts(&f, o, &heard, -EOPNOTSUPP, "phyr_open");
	o = opts, o.nvme.size = sizeof(o.nvme), o.nvme.page_lg2 = 3;
	refused_opts(&f, o, &heard, -EINVAL, "phyr_nvme_open");
	o = opts, o.nvme.size = sizeof(o.nvme), o.nvme.nsid = 9;
	refused_opts(&f, o, &heard, -EINVAL, "phyr_nvme_open");
	file_fini(&f);
}

/* Read len bytes from block lba into fresh memory at an offset; they must be the file's. */
static void read_back(struct phyr *p, const struct file *f, uint64_t lba, uint64_t len,
		      unsigned offset)
{
	unsigned char *buf = malloc(len + offset);
	struct phyr_list list;
	struct phyr_dma_map map;

	assert_int_equal(phyr_list_from_user(p, buf + offset, len, &list), 0);
	assert_int_equal(phyr_dma_map(phyr_get_dev(p), &list, PHYR_DMA_FROM_DEVICE, 0, &map), 0);
	assert_int_equal(phyr_nvme_read_sync(phyr_get_queue(p), lba, &map), 0);
	phyr_dma_unmap(phyr_get_dev(p), &map);
	phyr_list_release(p, &list);
	assert_memory_equal(buf + offset, f->data + lba * 512, len);
	free(buf);
}

static void nothing_is_left(struct phyr *p)
{
	struct phyr_sim_stats stats;

	phyr_sim_get_stats(phyr_get_sim(p), &stats);
	assert_int_equal(stats.pinned_pages, 0);
	assert_int_equal(stats.faults, 0);
}

static void reads_in_every_way(void **state)
{
	static const struct {
		enum phyr_iommu_choice iommu;
		enum phyr_pgtbl_format format;
		enum phyr_dma_how how;
	} ways[] = {
		{PHYR_IOMMU_DEFAULT, 0, PHYR_DMA_WINDOW},
		{PHYR_IOMMU_NONE, 0, PHYR_DMA_SAME},
		{PHYR_IOMMU_SOFT, PHYR_PGTBL_VTDSS, PHYR_DMA_WINDOW},
		{PHYR_IOMMU_SOFT, PHYR_PGTBL_X86_64, PHYR_DMA_WINDOW},
	};
	struct phyr_dev_stats stats;
	struct heard heard;
	struct phyr_opts opts = with(&heard);
	static struct file f;
	struct phyr *p;

	file_init(&f, 2, DISK_BYTES);
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		opts.iommu = ways[i].iommu;
		opts.format = ways[i].format;
		assert_int_equal(phyr_open(f.target, &opts, &p), 0);
		assert_int_equal(phyr_nvme_get_info(phyr_get_nvme(p))->nr_blocks, DISK_BYTES / 512);
		read_back(p, &f, 0, DISK_BYTES, 0);
		read_back(p, &f, 3, LEN / 512 * 512, 4);
		phyr_dev_get_stats(phyr_get_dev(p), &stats);
		assert_int_equal(stats.how[ways[i].how], 2);
		nothing_is_left(p);
		phyr_close(p);
	}
	assert_int_equal(heard.nr, 0);
	assert_int_equal(phyr_open(f.target, NULL, &p), 0);
	read_back(p, &f, 7, 512, 12);
	phyr_close(p);
	phyr_close(NULL);
	file_fini(&f);
}

static int write_block(struct phyr *p, uint64_t lba, unsigned char byte)
{
	unsigned char buf[512];
	struct phyr_list list;
	struct phyr_dma_map map;
	int err;

	memset(buf, byte, sizeof(buf));
	/* A buffer on the stack may start anywhere: the device wants dwords. */
	assert_int_equal((uintptr_t)buf & 3, 0);
	assert_int_equal(phyr_list_from_user(p, buf, sizeof(buf), &list), 0);
	assert_int_equal(phyr_dma_map(phyr_get_dev(p), &list, PHYR_DMA_TO_DEVICE, 0, &map), 0);
	err = phyr_nvme_write_sync(phyr_get_queue(p), lba, &map);
	phyr_dma_unmap(phyr_get_dev(p), &map);
	phyr_list_release(p, &list);
	return err;
}

static void writes_with_leave_only(void **state)
{
	struct heard heard;
	struct phyr_opts opts = with(&heard);
	static struct file f;
	struct phyr *p;

	file_init(&f, 3, DISK_BYTES);
	assert_int_equal(phyr_open(f.target, &opts, &p), 0);
	assert_int_equal(write_block(p, 5, 0x77), -EROFS);
	assert_string_equal(heard.last.call, "phyr_nvme_write");
	assert_int_equal(heard.last.addr, 5 * 512);
	read_back(p, &f, 0, DISK_BYTES, 0);
	phyr_close(p);
	opts.writable = true;
	assert_int_equal(phyr_open(f.target, &opts, &p), 0);
	assert_int_equal(write_block(p, 5, 0x77), 0);
	assert_int_equal(phyr_nvme_flush_sync(phyr_get_queue(p)), 0);
	memset(f.data + 5 * 512, 0x77, 512);
	read_back(p, &f, 0, DISK_BYTES, 0);
	phyr_close(p);
	file_fini(&f);
}

static void ended_fn(void *arg, const struct phyr_nvme_done *done)
{
	*(int *)arg = done->err;
}

/* A blocked access is told to whoever opened the target, and so is the command that it failed. */
static void faults_are_told(void **state)
{
	struct phyr_sim_config config = {.size = sizeof(config), .stepped = true};
	struct heard heard;
	struct phyr_opts opts = with(&heard);
	struct phyr_cursor cur;
	static struct file f;
	struct phyr *p;
	int err = 0;

	file_init(&f, 7, DISK_BYTES);
	assert_int_equal(phyr_sim_create(&config, &opts.sim), 0);
	assert_int_equal(phyr_open(f.target, &opts, &p), 0);
	phyr_cursor_init_range(&cur, 0x700000000000, 4096);
	assert_int_equal(phyr_nvme_read(phyr_get_queue(p), 1, &cur, ended_fn, &err), 0);
	while (!heard.nr)
		phyr_sim_step(opts.sim);
	assert_int_equal(heard.last.iova, 0x700000000000);
	while (phyr_nvme_in_flight(phyr_get_queue(p)))
		phyr_nvme_poll(phyr_get_queue(p));
	assert_int_equal(err, -EIO);
	assert_int_equal(heard.nr, 2);
	assert_string_equal(heard.last.call, "phyr_nvme_read");
	assert_int_equal(heard.last.addr, 512);
	read_back(p, &f, 0, 8192, 0);
	phyr_close(p);
	phyr_sim_destroy(opts.sim);
	file_fini(&f);
}

/* Two devices, two domains, one machine: the same iova in both must lead to different memory. */
static void two_on_a_machine(void **state)
{
	struct phyr_sim_config config = {.size = sizeof(config)};
	struct phyr_opts opts = {.size = sizeof(opts)};
	static struct file files[2];
	struct phyr_list lists[2];
	struct phyr_dma_map maps[2];
	unsigned char *bufs[2];
	struct phyr *p[2];

	for (unsigned stepped = 0; stepped < 2; stepped++) {
		config.stepped = stepped;
		assert_int_equal(phyr_sim_create(&config, &opts.sim), 0);
		for (unsigned i = 0; i < 2; i++) {
			file_init(&files[i], 10 + i, DISK_BYTES);
			assert_int_equal(phyr_open(files[i].target, &opts, &p[i]), 0);
			assert_ptr_equal(phyr_get_sim(p[i]), opts.sim);
			bufs[i] = aligned_alloc(4096, 65536);
			assert_int_equal(phyr_list_from_user(p[i], bufs[i], 65536, &lists[i]), 0);
			assert_int_equal(phyr_dma_map(phyr_get_dev(p[i]), &lists[i],
						      PHYR_DMA_FROM_DEVICE, 0, &maps[i]),
					 0);
		}
		assert_int_equal(maps[0].state.addr, maps[1].state.addr);
		for (unsigned round = 0; round < 8; round++)
			assert_int_equal(phyr_nvme_read_sync(phyr_get_queue(p[round & 1]), round,
							     &maps[round & 1]),
					 0);
		assert_memory_equal(bufs[0], files[0].data + 6 * 512, 65536);
		assert_memory_equal(bufs[1], files[1].data + 7 * 512, 65536);
		for (unsigned i = 0; i < 2; i++) {
			phyr_dma_unmap(phyr_get_dev(p[i]), &maps[i]);
			phyr_list_release(p[i], &lists[i]);
			free(bufs[i]);
			phyr_close(p[i]);
			file_fini(&files[i]);
		}
		phyr_sim_destroy(opts.sim);
	}
}

/* A source id is free again once its target is closed. */
static void many_in_turn(void **state)
{
	struct phyr_sim_config config = {.size = sizeof(config), .stepped = true};
	struct phyr_opts opts = {.size = sizeof(opts), .depth = 2};
	static struct file f;
	struct phyr *p[40];

	file_init(&f, 4, DISK_BYTES);
	assert_int_equal(phyr_sim_create(&config, &opts.sim), 0);
	for (unsigned i = 0; i < 120; i++) {
		if (i >= 40)
			phyr_close(p[i % 40]);
		opts.iommu = i % 3;
		assert_int_equal(phyr_open(f.target, &opts, &p[i % 40]), 0);
	}
	for (unsigned i = 0; i < 40; i++) {
		read_back(p[i], &f, i, 4096, 0);
		phyr_close(p[i]);
	}
	phyr_sim_destroy(opts.sim);
	file_fini(&f);
}

static void list_refused(struct phyr *p, void *ptr, uint64_t len, struct heard *heard, int err)
{
	struct phyr_list list;

	heard->nr = 0;
	assert_int_equal(phyr_list_from_user(p, ptr, len, &list), err);
	assert_int_equal(heard->nr, 1);
	assert_int_equal(heard->last.err, err);
	assert_string_equal(heard->last.call, "phyr_list_from_user");
	assert_int_equal(heard->last.addr, (uintptr_t)ptr);
	assert_int_equal(heard->last.len, len);
	assert_int_equal(list.len, 0);
	phyr_list_release(p, &list);
}

static void lists_are_checked(void **state)
{
	struct heard heard;
	struct phyr_opts opts = with(&heard);
	static struct file f;
	struct phyr *p;
	char c[8];

	file_init(&f, 5, DISK_BYTES);
	assert_int_equal(phyr_open(f.target, &opts, &p), 0);
	list_refused(p, c, 0, &heard, -EINVAL);
	list_refused(p, c, UINT64_MAX, &heard, -EINVAL);
	list_refused(p, (void *)(uintptr_t)-4096, 4096, &heard, -EINVAL); /* no process has it */
	nothing_is_left(p);
	phyr_close(p);
	file_fini(&f);
}

static void pinning_can_run_out(void **state)
{
	struct phyr_sim_config config = {
		.size = sizeof(config), .memory = 4 << 20, .stepped = true};
	struct heard heard;
	struct phyr_opts opts = with(&heard);
	static struct file f;
	struct phyr *p;
	void *buf = malloc(8 << 20);

	file_init(&f, 6, DISK_BYTES);
	assert_int_equal(phyr_sim_create(&config, &opts.sim), 0);
	assert_int_equal(phyr_open(f.target, &opts, &p), 0);
	list_refused(p, buf, 8 << 20, &heard, -ENOMEM);
	read_back(p, &f, 0, 65536, 0);
	phyr_close(p);
	phyr_sim_destroy(opts.sim);
	free(buf);
	file_fini(&f);
}

static void version_is_the_projects(void **state)
{
	assert_string_equal(phyr_version(), PHYR_VERSION);
}

/* With interrupts the place connects the vectors; waiting works on machines with a thread and without. */
static void interrupts_are_connected(void **state)
{
	struct phyr_sim_config config = {.size = sizeof(config)};
	struct heard heard;
	struct phyr_opts opts = with(&heard);
	static struct file f;
	struct phyr *p;

	file_init(&f, 8, DISK_BYTES);
	opts.nvme.size = sizeof(opts.nvme);
	opts.nvme.interrupts = true;
	opts.nvme.queues = 100;
	for (unsigned i = 0; i < 3; i++) {
		config.stepped = i == 2;
		opts.sim = NULL;
		if (i)
			assert_int_equal(phyr_sim_create(&config, &opts.sim), 0);
		assert_int_equal(phyr_open(f.target, &opts, &p), 0);
		assert_true(phyr_nvme_queue_fd(phyr_get_queue(p)) >= 0);
		assert_int_equal(phyr_nvme_get_info(phyr_get_nvme(p))->queues,
				 PHYR_SIM_VECTORS - 1);
		read_back(p, &f, 1, 4096, 0);
		phyr_close(p);
		phyr_sim_destroy(opts.sim);
	}
	assert_int_equal(heard.nr, 0);
	file_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_targets),
		cmocka_unit_test(no_right),
		cmocka_unit_test(no_place_is_left),
		cmocka_unit_test(bad_options),
		cmocka_unit_test(reads_in_every_way),
		cmocka_unit_test(writes_with_leave_only),
		cmocka_unit_test(faults_are_told),
		cmocka_unit_test(two_on_a_machine),
		cmocka_unit_test(many_in_turn),
		cmocka_unit_test(lists_are_checked),
		cmocka_unit_test(pinning_can_run_out),
		cmocka_unit_test(interrupts_are_connected),
		cmocka_unit_test(version_is_the_projects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
