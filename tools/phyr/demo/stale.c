/* SPDX-License-Identifier: MIT */
/*
 * A planted bug: memory is unmapped, but the IOTLB is not told. The device still reaches it; once the
 * invalidation is done, it is blocked and named.
 */
#include <errno.h>
#include <inttypes.h>

#include "demo/demo.h"

static void print_fault(const struct phyr_fault *f)
{
	printf("  fault: device %02x:%02x.%x, %s at iova %#" PRIx64 ": %s\n", f->source >> 8,
	       f->source >> 3 & 31, f->source & 7, f->access == PHYR_WRITE ? "write" : "read",
	       f->iova, phyr_fault_reason_name(f->reason));
}

/* What the device did, beside what the page table says. */
static void print_write(struct demo *d, const char *when, phyr_dma_addr_t iova,
			const uint64_t *memory, uint64_t value)
{
	struct phyr_translation t;
	bool mapped = !phyr_domain_translate(d->domain, iova, &t);

	printf("  %-32s page table: %-10s  device: %-7s  memory: %s\n", when,
	       mapped ? "mapped" : "not mapped", d->device_err ? "blocked" : "wrote",
	       *memory != value ? "untouched"
	       : mapped         ? "changed"
				: "CHANGED: nobody may");
}

static int map_page(struct demo *d, const struct phyr_list *list, phyr_dma_addr_t *iova)
{
	struct phyr_cursor cur;
	int err = phyr_iova_alloc(phyr_domain_iova(d->domain), PHYR_PAGE_SIZE, NULL, iova);

	if (err)
		return err;
	phyr_cursor_init(&cur, list);
	err = phyr_domain_map(d->domain, *iova, list->space, &cur, PHYR_READ | PHYR_WRITE);
	return err ? err : phyr_domain_sync_map(d->domain, *iova, PHYR_PAGE_SIZE);
}

static int play(struct demo *d, const struct phyr_list *list, uint64_t *memory)
{
	struct phyr_gather gather;
	phyr_dma_addr_t iova;
	int err = map_page(d, list, &iova);

	if (err)
		return err;
	printf("A bug, planted: the driver unmaps a page and forgets the IOTLB.\n\n");
	demo_device_write(d, iova, 1);
	print_write(d, "mapped", iova, memory, 1);
	phyr_gather_init(&gather);
	err = phyr_domain_unmap(d->domain, iova, PHYR_PAGE_SIZE, &gather);
	if (err)
		return err;
	demo_device_write(d, iova, 2);
	print_write(d, "unmapped, IOTLB not told (bug)", iova, memory, 2);
	phyr_domain_sync(d->domain, &gather);
	demo_device_write(d, iova, 3);
	print_write(d, "unmapped, IOTLB invalidated", iova, memory, 3);
	phyr_iova_free(phyr_domain_iova(d->domain), iova, PHYR_PAGE_SIZE);
	if (!d->faults)
		return -EIO;
	printf("\n");
	print_fault(&d->fault);
	return 0;
}

int demo_stale(struct demo *d)
{
	uint64_t *memory = mmap(NULL, PHYR_PAGE_SIZE, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct phyr_list list;
	int err;

	if (memory == MAP_FAILED)
		return -ENOMEM;
	phyr_list_init(&list, NULL, phyr_sim_space(d->sim));
	err = phyr_sim_pin(d->sim, memory, PHYR_PAGE_SIZE, &list);
	if (!err) {
		err = play(d, &list, memory);
		phyr_sim_unpin(d->sim, &list);
	}
	phyr_list_fini(&list);
	munmap(memory, PHYR_PAGE_SIZE);
	return err;
}
