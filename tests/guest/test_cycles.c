/* SPDX-License-Identifier: MIT */
/*
 * Many links and unlinks in windows that are kept, many windows taken and given back, and devices that
 * come and go: at the end the kernel holds what it held, by its own count of locked and pinned memory,
 * of mappings, and of what there is to unmap. For the first two descriptors come from outside, so that
 * the kernel can be asked behind phyr's back.
 */
#include "guest/rig_kernel.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <phyr/dma.h>
#include <phyr/source.h>

#include "guest/broker.h"

#define K       0x1000ull
#define CYCLES  100000
#define TAKEN   10000
#define TIMES   50
#define WINDOWS 8
#define LEN     (WINDOWS * 4 * K)

/* What must be the same before and after. */
struct held {
	uint64_t locked, pinned; /* KiB, of /proc/self/status */
	uint64_t files;
	uint64_t left; /* mappings that the container still takes */
	uint64_t kernel_maps, record_bytes, iova_bytes;
	uint64_t objects, pages; /* of the environment */
};

struct fixture {
	struct tenv t;
	struct broker broker;
	struct phyr_iommu *iommu;
	struct phyr_domain *domain;
	struct phyr_dev *dev;
	struct phyr_dma_iova_state windows[WINDOWS];
	unsigned char *memory;
};

static struct fixture f;

static void start_backend(void)
{
	const struct phyr_vfio_dev dev = {rig_kernel_source("GUEST_EDU"), f.broker.device};
	const struct phyr_vfio_fds vfio = {
		.size = sizeof(vfio), .container = f.broker.iommu, .devs = &dev, .nr_devs = 1};
	const struct phyr_iommufd_fds iommufd = {.size = sizeof(iommufd),
						 .iommufd = f.broker.iommu,
						 .ioas = f.broker.ioas,
						 .devs = &dev,
						 .nr_devs = 1};

	if (f.broker.iommufd)
		assert_int_equal(phyr_iommufd_from_fds(&f.t.env, &iommufd, &f.iommu), 0);
	else
		assert_int_equal(phyr_vfio_from_fds(&f.t.env, &vfio, &f.iommu), 0);
	assert_int_equal(phyr_domain_create(f.iommu, &f.domain), 0);
	assert_int_equal(phyr_dev_create(f.domain, dev.source, NULL, &f.dev), 0);
}

static unsigned char *page(unsigned window)
{
	return f.memory + window * (LEN / WINDOWS);
}

static int init(void **state)
{
	tenv_init(&f.t, NULL);
	assert_int_equal(broker_open(&f.broker, rig_kernel_is_iommufd(), getenv("GUEST_EDU")), 0);
	start_backend();
	f.memory = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(f.memory, MAP_FAILED);
	memset(f.memory, 1, LEN);
	for (unsigned i = 0; i < WINDOWS; i++)
		assert_true(phyr_dma_iova_try_alloc(f.dev, &f.windows[i], (uintptr_t)page(i),
						    LEN / WINDOWS));
	return 0;
}

static int fini(void **state)
{
	for (unsigned i = 0; i < WINDOWS; i++)
		phyr_dma_iova_free(f.dev, &f.windows[i]);
	phyr_dev_destroy(f.dev);
	phyr_domain_destroy(f.domain);
	phyr_iommu_destroy(f.iommu);
	assert_int_equal(broker_unmap_all(&f.broker), 0);
	broker_close(&f.broker);
	munmap(f.memory, LEN);
	tenv_fini(&f.t);
	return 0;
}

/* A line of /proc/self/status, KiB. */
static uint64_t status_of(const char *name)
{
	FILE *file = fopen("/proc/self/status", "r");
	unsigned long long found = ~0ull;
	char line[128];

	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, name, strlen(name)))
			assert_int_equal(sscanf(line + strlen(name), ": %llu kB", &found), 1);
	fclose(file);
	assert_true(found != ~0ull);
	return found;
}

static uint64_t open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	uint64_t n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static struct held look(void)
{
	struct phyr_domain_stats stats;
	struct held held = {.locked = status_of("VmLck"),
			    .pinned = status_of("VmPin"),
			    .files = open_files(),
			    .left = broker_left(&f.broker),
			    .objects = (uint64_t)f.t.live_objects,
			    .pages = (uint64_t)f.t.live_pages};

	phyr_domain_get_stats(f.domain, &stats);
	held.kernel_maps = stats.kernel_maps;
	held.record_bytes = stats.record_bytes;
	held.iova_bytes = stats.iova_bytes;
	return held;
}

static void show(const char *when, const struct held *h)
{
	char left[32] = "any number";

	if (h->left != UINT64_MAX)
		snprintf(left, sizeof(left), "%llu", (unsigned long long)h->left);
	print_message(
		"# %s: VmLck %llu kB, VmPin %llu kB, %llu files, mappings left %s, ours %llu, "
		"record %llu bytes, iova %llu bytes\n",
		when, (unsigned long long)h->locked, (unsigned long long)h->pinned,
		(unsigned long long)h->files, left, (unsigned long long)h->kernel_maps,
		(unsigned long long)h->record_bytes, (unsigned long long)h->iova_bytes);
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Link, sync, unlink: two calls into the kernel. */
static void cycle(unsigned i)
{
	struct phyr_dma_iova_state *s = &f.windows[i % WINDOWS];
	uint64_t len = (1 + i / WINDOWS % 4) * K;

	assert_int_equal(phyr_dma_iova_link(f.dev, s, phyr_space_user(),
					    (uintptr_t)page(i % WINDOWS), 0, len,
					    PHYR_DMA_BIDIRECTIONAL, 0),
			 0);
	assert_int_equal(phyr_dma_iova_sync(f.dev, s, 0, len), 0);
	if (i == CYCLES / 2)
		assert_true(status_of("VmLck") + status_of("VmPin") > 0);
	assert_int_equal(phyr_dma_iova_unlink(f.dev, s, 0, len, PHYR_DMA_BIDIRECTIONAL, 0), 0);
}

static void take_and_give_back(unsigned i)
{
	struct phyr_dma_iova_state s;
	unsigned char *p = page(i % WINDOWS);

	assert_true(phyr_dma_iova_try_alloc(f.dev, &s, (uintptr_t)p, 2 * K));
	assert_int_equal(phyr_dma_iova_link(f.dev, &s, phyr_space_user(), (uintptr_t)p, 0, 2 * K,
					    PHYR_DMA_TO_DEVICE, 0),
			 0);
	phyr_dma_iova_destroy(f.dev, &s, 2 * K, PHYR_DMA_TO_DEVICE, 0);
}

/* The first turns are warm-up: what is kept for later is there afterwards. */
static void many(void (*turn)(unsigned i), unsigned nr, const char *what)
{
	struct held before, after;
	double began;

	for (unsigned i = 0; i < 4 * WINDOWS; i++)
		turn(i);
	before = look();
	show("before", &before);
	began = seconds();
	for (unsigned i = 0; i < nr; i++)
		turn(i);
	print_message("# %u %s in %.1f s\n", nr, what, seconds() - began);
	after = look();
	show("after ", &after);
	assert_memory_equal(&before, &after, sizeof(before));
	assert_int_equal(after.kernel_maps, 0);
}

static void links_in_kept_windows(void **state)
{
	many(cycle, CYCLES, "cycles of link, sync, unlink");
}

static void windows_taken_and_given_back(void **state)
{
	many(take_and_give_back, TAKEN, "windows");
}

/* Two devices in a domain of a backend of its own, a mapping, and everything goes again. */
static void come_and_go(struct tenv *t, const unsigned char *p)
{
	const uint32_t sources[] = {rig_kernel_source("GUEST_EDU"),
				    rig_kernel_source("GUEST_EDU2")};
	struct phyr_domain *domain;
	struct phyr_iommu *iommu;
	struct phyr_dev *devs[2];
	phyr_dma_addr_t dma;

	if (rig_kernel_is_iommufd())
		assert_int_equal(phyr_iommufd_create(&t->env, &iommu), 0);
	else
		assert_int_equal(phyr_vfio_create(&t->env, &iommu), 0);
	assert_int_equal(phyr_domain_create(iommu, &domain), 0);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(phyr_dev_create(domain, sources[i], NULL, &devs[i]), 0);
	assert_int_equal(phyr_dma_map_phys(devs[1], phyr_space_user(), (uintptr_t)p, K,
					   PHYR_DMA_TO_DEVICE, 0, &dma),
			 0);
	phyr_dma_unmap_phys(devs[1], dma, K, PHYR_DMA_TO_DEVICE, 0);
	for (unsigned i = 0; i < 2; i++)
		phyr_dev_destroy(devs[i]);
	phyr_domain_destroy(domain);
	phyr_iommu_destroy(iommu);
}

static void devices_come_and_go(void **state)
{
	unsigned char *p =
		mmap(NULL, K, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t files = open_files(), locked = status_of("VmLck"), pinned = status_of("VmPin");
	struct tenv t;

	assert_ptr_not_equal(p, MAP_FAILED);
	tenv_init(&t, NULL);
	for (unsigned i = 0; i < TIMES; i++)
		come_and_go(&t, p);
	tenv_fini(&t);
	assert_int_equal(open_files(), files);
	assert_int_equal(status_of("VmLck"), locked);
	assert_int_equal(status_of("VmPin"), pinned);
	munmap(p, K);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, init, fini)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(links_in_kept_windows),
		TEST(windows_taken_and_given_back),
		cmocka_unit_test(devices_come_and_go),
	};

	rig_kernel_is_iommufd();
	return cmocka_run_group_tests_name("cycles", tests, NULL, NULL);
}
