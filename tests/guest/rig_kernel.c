/* SPDX-License-Identifier: MIT */
/*
 * A guest as a rig's machine.
 *
 * Memory is a file that is mapped twice: once in order, for the test to look at, and once with its
 * blocks in the opposite order, whose addresses the list has. So the list has many runs, as scattered
 * memory has, and each leads where it should.
 *
 * What edu is to write it first reads from a page of its own, mapped out of the tests' way.
 */
#define _GNU_SOURCE
#include "guest/rig_kernel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <phyr/source.h>

#include "core/bits.h"

#define K           0x1000ull
#define SKIPPED     77
#define PAGE_IOVA   (1ull << 39) /* of the first device's own page */
#define FILLER      0xa5
#define SEE_TRIES   3
#define SEE_WAIT_MS 2000

struct engine {
	struct edu edu;
	struct edu_page page;
};

struct machine {
	unsigned char *scattered;
	struct engine engines[RIG_DEVICES];
};

static struct engine *engine_of(struct rig *rig, unsigned dev)
{
	return &((struct machine *)rig->machine)->engines[dev];
}

struct edu *rig_kernel_edu(struct rig *rig, unsigned dev)
{
	return &engine_of(rig, dev)->edu;
}

static const char *wanted(const char *variable)
{
	const char *text = getenv(variable);

	if (!text) {
		printf("# skipped: %s is not set; this runs in a guest\n", variable);
		exit(SKIPPED);
	}
	return text;
}

uint32_t rig_kernel_source(const char *variable)
{
	uint32_t source;

	if (phyr_pci_parse(wanted(variable), &source))
		fail_msg("%s is no PCI address", variable);
	return source;
}

bool rig_kernel_is_iommufd(void)
{
	return !strcmp(wanted("GUEST_IOMMU"), "iommufd");
}

/* Blocks of 1 to 5 pages, each as far from the end in one view as from the start in the other. */
static void map_backwards(struct rig *rig, int fd, unsigned char *view)
{
	for (uint64_t at = 0, pages = 1; at < rig->size; pages = pages % 5 + 1) {
		uint64_t len = min_u64(pages * K, rig->size - at);
		unsigned char *p = view + rig->size - at - len;

		assert_ptr_equal(
			mmap(p, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, (off_t)at),
			p);
		assert_int_equal(phyr_source_append(&rig->list, p, len), 0);
		at += len;
	}
}

static unsigned char *map_file(uint64_t size, int fd)
{
	unsigned char *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
				MAP_SHARED | (fd < 0 ? MAP_ANONYMOUS : 0), fd, 0);

	assert_ptr_not_equal(p, MAP_FAILED);
	return p;
}

static void make_memory(struct rig *rig, struct machine *m)
{
	int fd = memfd_create("rig", MFD_CLOEXEC);

	assert_true(fd >= 0);
	rig->size = RIG_KERNEL_SIZE;
	assert_int_equal(ftruncate(fd, (off_t)rig->size), 0);
	rig->memory = map_file(rig->size, fd);
	m->scattered = map_file(rig->size, fd);
	phyr_list_init(&rig->list, NULL, phyr_space_user());
	map_backwards(rig, fd, m->scattered);
	assert_true(rig->list.nr_runs > 30);
	close(fd);
}

static void kernel_init(struct rig *rig)
{
	static const char *const variables[RIG_DEVICES] = {"GUEST_EDU", "GUEST_EDU2"};
	struct machine *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	rig->machine = m;
	tenv_init(&rig->t, NULL);
	for (unsigned i = 0; i < RIG_DEVICES; i++) {
		rig->source[i] = rig_kernel_source(variables[i]);
		m->engines[i].page.cpu = map_file(K, -1);
		m->engines[i].page.iova = PAGE_IOVA + i * K;
	}
	make_memory(rig, m);
}

static void kernel_fini(struct rig *rig)
{
	struct machine *m = rig->machine;

	for (unsigned i = 0; i < RIG_DEVICES; i++)
		munmap(m->engines[i].page.cpu, K);
	phyr_list_fini(&rig->list);
	munmap(rig->memory, rig->size);
	munmap(m->scattered, rig->size);
	free(m);
}

static int kernel_backend(struct rig *rig, struct phyr_iommu **out)
{
	if (rig_kernel_is_iommufd())
		return phyr_iommufd_create(&rig->t.env, out);
	return phyr_vfio_create(&rig->t.env, out);
}

static void kernel_attached(struct rig *rig, struct phyr_domain *domain, unsigned dev)
{
	struct engine *e = engine_of(rig, dev);
	struct phyr_cursor cur;

	phyr_cursor_init_range(&cur, (uintptr_t)e->page.cpu, K);
	assert_int_equal(phyr_iova_alloc_at(phyr_domain_iova(domain), e->page.iova, K), 0);
	assert_int_equal(phyr_domain_map(domain, e->page.iova, phyr_space_user(), &cur,
					 PHYR_READ | PHYR_WRITE),
			 0);
	assert_int_equal(
		edu_open(&e->edu, &rig->t.env, phyr_domain_iommu(domain), rig->source[dev]), 0);
}

static void kernel_detaching(struct rig *rig, struct phyr_domain *domain, unsigned dev)
{
	struct engine *e = engine_of(rig, dev);
	struct phyr_gather gather;

	edu_close(&e->edu);
	phyr_gather_init(&gather);
	assert_int_equal(phyr_domain_unmap(domain, e->page.iova, K, &gather), 0);
	phyr_domain_sync(domain, &gather);
	phyr_iova_free(phyr_domain_iova(domain), e->page.iova, K);
}

static int kernel_access(struct rig *rig, unsigned dev, uint64_t addr, void *buf, uint64_t len,
			 unsigned access)
{
	struct engine *e = engine_of(rig, dev);

	for (uint64_t at = 0; at < len; at += EDU_MAX)
		assert_true(edu_move(&e->edu, &e->page, addr + at, (unsigned char *)buf + at,
				     min_u64(len - at, EDU_MAX), access));
	return 0;
}

bool rig_kernel_told(struct kmsg *kmsg, uint32_t source, uint64_t addr, unsigned access)
{
	struct kmsg_fault found;
	char line[KMSG_LINE];

	if (kmsg_wait(kmsg, (uint16_t)source, access == PHYR_WRITE, addr, SEE_WAIT_MS, &found,
		      line))
		return false;
	print_message("# iova 0x%llx: %s\n", (unsigned long long)addr, line);
	return true;
}

/* Twice, if need be: faults that come together are told as one. */
static bool see(struct rig *rig, unsigned dev, uint64_t addr, uint64_t len, unsigned access)
{
	struct kmsg kmsg;
	bool told = false;

	for (unsigned i = 0; i < SEE_TRIES && !told; i++) {
		assert_int_equal(kmsg_open(&kmsg), 0);
		assert_true(edu_run(rig_kernel_edu(rig, dev), addr, len, access));
		told = rig_kernel_told(&kmsg, rig->source[dev], addr, access);
		kmsg_close(&kmsg);
	}
	return told;
}

static void kernel_blocked(struct rig *rig, unsigned dev, uint64_t addr, uint64_t len,
			   unsigned access, struct phyr_fault *fault)
{
	struct engine *e = engine_of(rig, dev);

	memset(e->page.cpu, FILLER, len);
	assert_true(edu_run(&e->edu, e->page.iova, len, PHYR_READ));
	if (!see(rig, dev, addr, len, access))
		fail_msg("the kernel's log does not tell of the access at iova 0x%llx",
			 (unsigned long long)addr);
	*fault = (struct phyr_fault){
		.source = rig->source[dev], .access = access, .iova = addr & ~(K - 1)};
}

/* The kernel takes a device's registers away with its attachment: it is another domain's then. */
static void kernel_outside(struct rig *rig, unsigned dev, uint64_t addr, uint64_t len)
{
	struct phyr_fault fault;
	struct phyr_domain *other;

	assert_int_equal(phyr_domain_create(rig->iommu, &other), 0);
	rig_attach(rig, other, dev);
	kernel_blocked(rig, dev, addr, len, PHYR_WRITE, &fault);
	rig_detach(rig, other, dev);
	phyr_domain_destroy(other);
}

static const struct rig_machine machine = {
	.init = kernel_init,
	.fini = kernel_fini,
	.backend = kernel_backend,
	.attached = kernel_attached,
	.detaching = kernel_detaching,
	.access = kernel_access,
	.blocked = kernel_blocked,
	.outside = kernel_outside,
};

/* write_only: Linux's VT-d driver sets the read bit of every entry, whatever was asked for. */
#define KIND(title)                                                                       \
	{                                                                                 \
		.name = (title), .machine = &machine, .translates = true, .kernel = true, \
		.write_only = false, .data = 2 * K + 77, .device_last = EDU_LAST          \
	}

const struct rig_kind *rig_kind(unsigned i)
{
	static const struct rig_kind vfio = KIND("vfio"), iommufd = KIND("iommufd");

	if (i)
		return NULL;
	return rig_kernel_is_iommufd() ? &iommufd : &vfio;
}
