/* SPDX-License-Identifier: MIT */
/*
 * QEMU's VT-d with phyr's tables, as a rig's machine.
 *
 * The memory that the kernel leaves out, by /dev/mem:
 *
 *   tables, 4 MiB | the rig's, its blocks in the opposite order | devices' pages | in one piece
 *
 * A device that was attached has a page of its own mapped out of the tests' way, from which it
 * loads what it is to write.
 */
#define _GNU_SOURCE
#include "guest/rig_own.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/bits.h"

#define K           0x1000ull
#define M           0x100000ull
#define SKIPPED     77
#define REGISTERS   0xfed90000ull /* where QEMU has its VT-d */
#define PAGE_IOVA   (1ull << 37)  /* of the first device's own page */
#define RAM         (32 * M)
#define TABLES      (4 * M)
#define MEMORY_AT   TABLES
#define MEMORY      (512 * 1024ull)
#define PAGES_AT    (6 * M)
#define HUGE_AT     (8 * M)
#define TABLE_PAGES (TABLES / K)
#define FILLER      0xa5

struct engine {
	struct edu edu;
	struct phyr_regs regs;
	struct edu_page page;
};

struct machine {
	struct phyr_env env; /* whose pages are the tables' part of the memory */
	struct phyr_lock lock;
	bool taken[TABLE_PAGES];
	uint64_t phys; /* of the memory */
	unsigned char *ram;
	int fd;
	struct vtd *vtd;
	struct engine engines[RIG_DEVICES];
};

static struct machine *machine_of(struct rig *rig)
{
	return rig->machine;
}

struct vtd *rig_own_vtd(struct rig *rig)
{
	return machine_of(rig)->vtd;
}

struct edu *rig_own_edu(struct rig *rig, unsigned dev)
{
	return &machine_of(rig)->engines[dev].edu;
}

unsigned char *rig_own_huge(struct rig *rig, uint64_t *phys)
{
	*phys = machine_of(rig)->phys + HUGE_AT;
	return machine_of(rig)->ram + HUGE_AT;
}

/* ---- memory for tables ---- */

static bool is_free(const struct machine *m, uint64_t first, uint64_t n)
{
	for (uint64_t i = first; i < first + n; i++)
		if (m->taken[i])
			return false;
	return true;
}

static void take(struct machine *m, uint64_t first, uint64_t n, bool taken)
{
	for (uint64_t i = first; i < first + n; i++)
		m->taken[i] = taken;
}

static void *own_alloc_pages(struct phyr_env *env, size_t size)
{
	struct machine *m = container_of(env, struct machine, env);
	uint64_t n = size / K, at = 0;

	env->lock(env, &m->lock);
	while (at + n <= TABLE_PAGES && !is_free(m, at, n))
		at += n;
	if (at + n <= TABLE_PAGES)
		take(m, at, n, true);
	env->unlock(env, &m->lock);
	return at + n <= TABLE_PAGES ? memset(m->ram + at * K, 0, size) : NULL;
}

static void own_free_pages(struct phyr_env *env, void *pages, size_t size)
{
	struct machine *m = container_of(env, struct machine, env);

	env->lock(env, &m->lock);
	take(m, (uint64_t)((unsigned char *)pages - m->ram) / K, size / K, false);
	env->unlock(env, &m->lock);
}

static void make_env(struct machine *m)
{
	m->env = *phyr_env_hosted();
	m->env.alloc_pages = own_alloc_pages;
	m->env.free_pages = own_free_pages;
	m->env.phys_delta = m->phys - (uintptr_t)m->ram;
	assert_int_equal(m->env.lock_init(&m->env, &m->lock), 0);
}

/* ---- the machine ---- */

static const char *wanted(const char *variable)
{
	const char *text = getenv(variable);

	if (text)
		return text;
	printf("# skipped: %s is not set; this runs in the guest whose IOMMU is its own\n",
	       variable);
	exit(SKIPPED);
}

/* Blocks of 1 to 5 pages, each as far from the end in one view as from the start in the other. */
static void make_memory(struct rig *rig, struct machine *m)
{
	const uint64_t phys = m->phys + MEMORY_AT;

	rig->size = MEMORY;
	rig->memory = mmap(NULL, MEMORY, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(rig->memory, MAP_FAILED);
	phyr_list_init(&rig->list, NULL, NULL);
	for (uint64_t at = 0, pages = 1; at < MEMORY; pages = pages % 5 + 1) {
		uint64_t len = min_u64(pages * K, MEMORY - at), there = phys + MEMORY - at - len;
		void *p = rig->memory + at;

		assert_ptr_equal(mmap(p, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, m->fd,
				      (off_t)there),
				 p);
		assert_int_equal(phyr_list_append(&rig->list, there, len), 0);
		at += len;
	}
	memset(rig->memory, 0, MEMORY);
	assert_true(rig->list.nr_runs > 30);
}

static void find_devices(struct rig *rig, struct machine *m)
{
	static const char *const variables[RIG_DEVICES] = {"GUEST_EDU", "GUEST_EDU2"};

	for (unsigned i = 0; i < RIG_DEVICES; i++) {
		struct engine *e = &m->engines[i];

		assert_int_equal(phyr_pci_parse(wanted(variables[i]), &rig->source[i]), 0);
		assert_int_equal(edu_open_sysfs(&e->edu, wanted(variables[i]), &e->regs), 0);
		e->page.cpu = m->ram + PAGES_AT + i * K;
		e->page.iova = PAGE_IOVA + i * K;
	}
}

static void own_init(struct rig *rig)
{
	struct machine *m = calloc(1, sizeof(*m));
	struct vtd_config config = {.registers = REGISTERS,
				    .levels = rig->kind->levels,
				    .sources = rig->source,
				    .nr_sources = RIG_DEVICES};

	assert_non_null(m);
	rig->machine = m;
	m->phys = strtoull(wanted("GUEST_RAM"), NULL, 0);
	m->fd = open("/dev/mem", O_RDWR | O_CLOEXEC);
	assert_true(m->fd >= 0);
	m->ram = mmap(NULL, RAM, PROT_READ | PROT_WRITE, MAP_SHARED, m->fd, (off_t)m->phys);
	assert_ptr_not_equal(m->ram, MAP_FAILED);
	make_env(m);
	make_memory(rig, m);
	find_devices(rig, m);
	assert_int_equal(vtd_open(&m->env, &config, &m->vtd), 0);
	tenv_init(&rig->t, &m->env);
}

static void own_fini(struct rig *rig)
{
	struct machine *m = machine_of(rig);

	for (unsigned i = 0; i < RIG_DEVICES; i++)
		edu_close(&m->engines[i].edu);
	vtd_close(m->vtd);
	assert_true(is_free(m, 0, TABLE_PAGES));
	phyr_list_fini(&rig->list);
	munmap(rig->memory, MEMORY);
	munmap(m->ram, RAM);
	close(m->fd);
	m->env.lock_fini(&m->env, &m->lock);
	free(m);
}

static int own_backend(struct rig *rig, struct phyr_iommu **out)
{
	return phyr_soft_create(&rig->t.env, vtd_hw(machine_of(rig)->vtd), NULL, out);
}

static void own_attached(struct rig *rig, struct phyr_domain *domain, unsigned dev)
{
	struct machine *m = machine_of(rig);
	struct engine *e = &m->engines[dev];
	struct phyr_cursor cur;

	phyr_cursor_init_range(&cur, m->phys + (uint64_t)(e->page.cpu - m->ram), K);
	assert_int_equal(phyr_iova_alloc_at(phyr_domain_iova(domain), e->page.iova, K), 0);
	assert_int_equal(phyr_domain_map(domain, e->page.iova, NULL, &cur, PHYR_READ | PHYR_WRITE),
			 0);
	assert_int_equal(phyr_domain_sync_map(domain, e->page.iova, K), 0);
}

static void own_detaching(struct rig *rig, struct phyr_domain *domain, unsigned dev)
{
	struct engine *e = &machine_of(rig)->engines[dev];
	struct phyr_gather gather;

	phyr_gather_init(&gather);
	assert_int_equal(phyr_domain_unmap(domain, e->page.iova, K, &gather), 0);
	phyr_domain_sync(domain, &gather);
	phyr_iova_free(phyr_domain_iova(domain), e->page.iova, K);
}

/* -EFAULT where the hardware has recorded one. */
static int own_access(struct rig *rig, unsigned dev, uint64_t addr, void *buf, uint64_t len,
		      unsigned access)
{
	struct engine *e = &machine_of(rig)->engines[dev];
	struct vtd_fault fault;

	for (uint64_t at = 0; at < len; at += EDU_MAX)
		assert_true(edu_move(&e->edu, &e->page, addr + at, (unsigned char *)buf + at,
				     min_u64(len - at, EDU_MAX), access));
	return vtd_next_fault(machine_of(rig)->vtd, &fault) ? -EFAULT : 0;
}

void rig_own_fill(struct rig *rig, unsigned dev, uint64_t addr, unsigned char byte, uint64_t len)
{
	unsigned char *buf = malloc(len);

	assert_non_null(buf);
	memset(buf, byte, len);
	assert_int_equal(own_access(rig, dev, addr, buf, len, PHYR_WRITE), 0);
	free(buf);
}

static void check_fault(struct rig *rig, unsigned dev, uint64_t addr, unsigned access,
			const struct vtd_fault *found, unsigned reason)
{
	struct vtd_fault another;

	assert_int_equal(found->source, rig->source[dev]);
	assert_int_equal(found->access, access);
	assert_int_equal(found->reason, reason);
	assert_int_equal(found->page, addr & ~(K - 1));
	assert_false(vtd_next_fault(machine_of(rig)->vtd, &another));
}

/* The device's buffer holds zeros: what it reads where it is blocked. */
static bool reads_zeros(struct engine *e, uint64_t len)
{
	bool zeros = true;

	assert_true(edu_run(&e->edu, e->page.iova, len, PHYR_WRITE));
	for (uint64_t i = 0; i < len; i++)
		zeros = zeros && !e->page.cpu[i];
	return zeros;
}

/*
 * A blocked access leaves a record, except where QEMU's IOTLB has the entry, and the entry not the
 * right: then nothing moves, and nothing is told. Once it has forgotten the entry, it is.
 */
static void own_blocked(struct rig *rig, unsigned dev, uint64_t addr, uint64_t len, unsigned access,
			struct phyr_fault *fault)
{
	struct machine *m = machine_of(rig);
	struct engine *e = &m->engines[dev];
	struct vtd_fault found;

	memset(e->page.cpu, FILLER, len);
	assert_true(edu_run(&e->edu, e->page.iova, len, PHYR_READ));
	assert_true(edu_run(&e->edu, addr, len, access));
	if (!vtd_next_fault(m->vtd, &found)) {
		if (access == PHYR_READ)
			assert_true(reads_zeros(e, len));
		vtd_forget(m->vtd);
		assert_true(edu_run(&e->edu, addr, len, access));
		assert_true(vtd_next_fault(m->vtd, &found));
		print_message("# iova 0x%llx: blocked, and told of when it was not cached\n",
			      (unsigned long long)addr);
	}
	/* The record has the page, and does not tell a missing right from a missing page. */
	check_fault(rig, dev, addr, access, &found,
		    access == PHYR_WRITE ? VTD_NO_WRITE : VTD_NO_READ);
	*fault = (struct phyr_fault){.source = rig->source[dev], .access = access, .iova = addr};
}

static void own_outside(struct rig *rig, unsigned dev, uint64_t addr, uint64_t len)
{
	struct vtd_fault found;

	assert_true(edu_run(rig_own_edu(rig, dev), addr, len, PHYR_WRITE));
	assert_true(vtd_next_fault(machine_of(rig)->vtd, &found));
	check_fault(rig, dev, addr, PHYR_WRITE, &found, VTD_CONTEXT_NOT_PRESENT);
}

static const struct rig_machine machine = {
	.init = own_init,
	.fini = own_fini,
	.backend = own_backend,
	.attached = own_attached,
	.detaching = own_detaching,
	.access = own_access,
	.blocked = own_blocked,
	.outside = own_outside,
};

#define KIND(title, nr)                                                                       \
	{                                                                                     \
		.name = (title), .machine = &machine, .translates = true, .write_only = true, \
		.data = 2 * K + 77, .device_last = EDU_LAST, .format = PHYR_PGTBL_VTDSS,      \
		.levels = (nr),                                                               \
	}

const struct rig_kind *rig_kind(unsigned i)
{
	static const struct rig_kind kinds[] = {KIND("vtd-4", 4), KIND("vtd-3", 3)};

	return i < ARRAY_SIZE(kinds) ? &kinds[i] : NULL;
}
