/* SPDX-License-Identifier: MIT */
/* An IOMMU of one's own under the soft backend: it notes what it is told, and walks phyr's tables. */
#include <phyr/backend.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#pragma GCC diagnostic ignored "-Wunused-parameter" /* callbacks: few need all */

static struct my_iommu {
	struct phyr_soft_hw hw; /* comes first, so that a hw is a my_iommu */
	struct phyr_soft_table table;
	uint32_t source; /* of the one device that there is room for; 0: none */
	phyr_fault_fn *fault;
	void *fault_arg;
} my;

static void get_info(struct phyr_soft_hw *hw, struct phyr_soft_info *info)
{
	*info = (struct phyr_soft_info){
		.formats = 1u << PHYR_PGTBL_VTDSS,
		.levels = 4,
		.aperture = {.start = 0x1000, .last = UINT64_MAX, .page_sizes = 0x40201000}};
}

static int set_table(struct phyr_soft_hw *hw, uint32_t source, const struct phyr_soft_table *table,
		     phyr_fault_fn *fault, void *arg)
{
	if (my.source)
		return -EBUSY;
	my.source = source, my.table = *table, my.fault = fault, my.fault_arg = arg;
	printf("device 0x%" PRIx32 " has a table of %u levels\n", source, table->levels);
	return 0;
}

static void clear_table(struct phyr_soft_hw *hw, uint32_t source, uint32_t domain)
{
	if (source == my.source && domain == my.table.domain)
		my.source = 0;
}

/* Real hardware has caches; here there is nothing to forget. */
static void invalidate(struct phyr_soft_hw *hw, uint32_t domain, uint64_t start, uint64_t last)
{
	printf("forget [0x%" PRIx64 ", 0x%" PRIx64 "] of domain %" PRIu32 "\n", start, last,
	       domain);
}

static uint32_t get_domain(struct phyr_soft_hw *hw)
{
	static uint32_t next; /* never used again, which spares a list of those in use */

	return ++next;
}

static void put_domain(struct phyr_soft_hw *hw, uint32_t domain)
{
}

/*
 * A read as the hardware makes it, by the VT-d specification 4.1, 9.8: nine bits of iova a level;
 * bit 0 of an entry allows reading, bit 7 above the lowest level ends the walk, bits 51:12 lead on.
 * Physical addresses are the CPU's here, as the hosted environment's are.
 */
static void device_reads(uint64_t iova)
{
	uint64_t at = my.table.root, size = (uint64_t)1 << (12 + 9 * (my.table.levels - 1)), entry;
	struct phyr_fault fault = {my.source, PHYR_READ, PHYR_FAULT_NOT_PRESENT, iova};

	for (;; size >>= 9) {
		entry = ((volatile uint64_t *)(uintptr_t)at)[iova / size % 512];
		if (!(entry & 1)) {
			my.fault(my.fault_arg, &fault);
			return;
		}
		at = entry & 0xffffffffff000;
		if (size == 0x1000 || entry & 0x80)
			break;
	}
	printf("iova 0x%" PRIx64 " reads 0x%" PRIx64 "\n", iova, at + iova % size);
}

static void on_fault(void *arg, const struct phyr_fault *fault)
{
	printf("iova 0x%" PRIx64 " is blocked: %s\n", fault->iova,
	       phyr_fault_reason_name(fault->reason));
}

int main(void)
{
	const struct phyr_range ranges[] = {{0x80200000, 0x200000}, {0x90003000, 0x2000}};
	struct phyr_domain *domain;
	struct phyr_gather gather;
	struct phyr_iommu *iommu;
	struct phyr_cursor cur;

	my.hw = (struct phyr_soft_hw){get_info,   set_table,  clear_table,
				      invalidate, get_domain, put_domain};
	if (phyr_soft_create(NULL, &my.hw, NULL, &iommu) || phyr_domain_create(iommu, &domain))
		return 1;
	phyr_domain_set_fault_handler(domain, on_fault, NULL);
	if (phyr_domain_attach(domain, 0x100) || phyr_cursor_init_ranges(&cur, ranges, 2) ||
	    phyr_domain_map(domain, 0x40000000, NULL, &cur, PHYR_READ) ||
	    phyr_domain_sync_map(domain, 0x40000000, 0x202000))
		return 1;
	device_reads(0x40012345); /* a leaf of 2 MiB */
	device_reads(0x40201004); /* one of 4 KiB */
	device_reads(0);
	phyr_gather_init(&gather);
	if (phyr_domain_unmap(domain, 0x40000000, 0x202000, &gather))
		return 1;
	device_reads(0x40012345);          /* out of the table… */
	phyr_domain_sync(domain, &gather); /* …and now of the caches, too */
	phyr_domain_detach(domain, 0x100);
	phyr_domain_destroy(domain);
	phyr_iommu_destroy(iommu);
	return my.source != 0;
}
