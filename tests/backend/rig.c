/* SPDX-License-Identifier: MIT */
/* A machine, a backend, a domain and devices, for tests: what all machines share. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "backend/rig.h"

void rig_on_fault(void *arg, const struct phyr_fault *fault)
{
	struct rig *rig = arg;

	rig->fault = *fault;
	rig->faults++;
}

void rig_init(struct rig *rig, const struct rig_kind *kind)
{
	memset(rig, 0, sizeof(*rig));
	rig->kind = kind;
	kind->machine->init(rig);
	assert_int_equal(kind->machine->backend(rig, &rig->iommu), 0);
	assert_int_equal(phyr_domain_create(rig->iommu, &rig->domain), 0);
	phyr_domain_set_fault_handler(rig->domain, rig_on_fault, rig);
}

void rig_fini(struct rig *rig)
{
	struct phyr_domain_stats stats;

	phyr_domain_get_stats(rig->domain, &stats);
	assert_int_equal(stats.iova_bytes, 0);
	assert_int_equal(stats.kernel_maps, 0);
	assert_int_equal(stats.faults, rig->faults);
	phyr_domain_destroy(rig->domain);
	phyr_iommu_destroy(rig->iommu);
	tenv_fini(&rig->t);
	rig->kind->machine->fini(rig);
}

void rig_attach(struct rig *rig, struct phyr_domain *domain, unsigned dev)
{
	assert_int_equal(phyr_domain_attach(domain, rig->source[dev]), 0);
	rig->kind->machine->attached(rig, domain, dev);
}

void rig_detach(struct rig *rig, struct phyr_domain *domain, unsigned dev)
{
	rig->kind->machine->detaching(rig, domain, dev);
	phyr_domain_detach(domain, rig->source[dev]);
}

int rig_map(struct rig *rig, uint64_t offset, uint64_t len, unsigned prot, uint64_t *iova)
{
	struct phyr_iova *space = phyr_domain_iova(rig->domain);
	struct phyr_iova_request request = {.size = sizeof(request),
					    .limit = rig->kind->device_last,
					    .align = 2u << 20,
					    .prefer = true};
	struct phyr_cursor cur;
	uint64_t at;
	int err;

	assert_int_equal(phyr_cursor_init_at(&cur, &rig->list, offset, len), 0);
	request.skew = rig_addr(rig, offset) & ((2u << 20) - 0x1000);
	assert_int_equal(phyr_iova_alloc(space, (offset & 0xfff) + len, &request, &at), 0);
	err = phyr_domain_map(rig->domain, at + (offset & 0xfff), rig->list.space, &cur, prot);
	if (!err)
		err = phyr_domain_sync_map(rig->domain, at, len);
	if (err)
		phyr_iova_free(space, at, (offset & 0xfff) + len);
	else
		*iova = at + (offset & 0xfff);
	return err;
}

void rig_unmap(struct rig *rig, uint64_t iova, uint64_t len)
{
	struct phyr_gather gather;

	phyr_gather_init(&gather);
	assert_int_equal(phyr_domain_unmap(rig->domain, iova, len, &gather), 0);
	phyr_domain_sync(rig->domain, &gather);
	phyr_iova_free(phyr_domain_iova(rig->domain), iova & ~0xfffull, (iova & 0xfff) + len);
}

uint64_t rig_addr(struct rig *rig, uint64_t offset)
{
	struct phyr_range range;
	struct phyr_cursor cur;

	assert_int_equal(phyr_cursor_init_at(&cur, &rig->list, offset, 1), 0);
	assert_true(phyr_cursor_next(&cur, &range));
	return range.addr;
}

static unsigned char pattern(unsigned char first, uint64_t i)
{
	return (unsigned char)(first + i * 7 + (i >> 12) * 13);
}

int rig_write(struct rig *rig, unsigned dev, uint64_t addr, unsigned char first, uint64_t len)
{
	unsigned char *buf = malloc(len);
	int err;

	for (uint64_t i = 0; i < len; i++)
		buf[i] = pattern(first, i);
	err = rig->kind->machine->access(rig, dev, addr, buf, len, PHYR_WRITE);
	free(buf);
	return err;
}

int rig_read(struct rig *rig, unsigned dev, uint64_t addr, unsigned char first, uint64_t len)
{
	unsigned char *buf = calloc(1, len);
	int err = rig->kind->machine->access(rig, dev, addr, buf, len, PHYR_READ);

	for (uint64_t i = 0; !err && i < len; i++)
		assert_int_equal(buf[i], pattern(first, i));
	free(buf);
	return err;
}

bool rig_holds(const struct rig *rig, uint64_t offset, unsigned char first, uint64_t len)
{
	for (uint64_t i = 0; i < len; i++)
		if (rig->memory[offset + i] != pattern(first, i))
			return false;
	return true;
}

void rig_told(const struct rig *rig, int err, const char *call)
{
	assert_int_equal(rig->t.last.err, err);
	assert_string_equal(rig->t.last.call, call);
	assert_non_null(rig->t.last.hint);
}

void rig_leads(struct rig *rig, uint64_t iova, uint64_t offset, uint64_t len)
{
	struct phyr_translation tr;

	for (uint64_t at = 0; at < len; at += 0x1000) {
		assert_int_equal(phyr_domain_translate(rig->domain, iova + at, &tr), 0);
		assert_int_equal(tr.addr, rig_addr(rig, offset + at));
		assert_int_equal(tr.prot, PHYR_READ | PHYR_WRITE);
	}
}

void rig_blocked(struct rig *rig, unsigned dev, uint64_t addr, uint64_t len, unsigned access,
		 enum phyr_fault_reason reason)
{
	struct phyr_fault fault = {0};

	rig->kind->machine->blocked(rig, dev, addr, len, access, &fault);
	assert_int_equal(fault.source, rig->source[dev]);
	assert_int_equal(fault.access, access);
	assert_int_equal(fault.iova, rig->kind->kernel ? addr & ~0xfffull : addr);
	if (fault.reason)
		assert_int_equal(fault.reason, reason);
}

void rig_faults(const struct rig *rig, unsigned nr)
{
	assert_int_equal(rig->faults, rig->kind->kernel ? 0 : nr);
}
