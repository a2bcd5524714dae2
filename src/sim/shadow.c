/* SPDX-License-Identifier: MIT */
/* Table memory as an IOMMU sees it that does not snoop. */
#include "sim/shadow.h"

#include <sys/mman.h>

#include "core/bits.h"
#include "core/err.h"
#include "core/order.h"

#define LINE ((uint64_t)64)

int phyr_sim_shadow_init(struct sim_shadow *shadow, uint64_t size)
{
	void *copy = mmap(NULL, size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (copy == MAP_FAILED)
		return -ENOMEM;
	*shadow = (struct sim_shadow){.copy = copy, .size = size};
	pthread_mutex_init(&shadow->lock, NULL);
	return 0;
}

void phyr_sim_shadow_fini(struct sim_shadow *shadow)
{
	if (!shadow->copy)
		return;
	munmap(shadow->copy, shadow->size);
	pthread_mutex_destroy(&shadow->lock);
}

/* It is kept upside down, so that what the kernel gives as zeroes reads as ones. */
void phyr_sim_shadow_flush(struct sim_shadow *shadow, const char *memory, uint64_t at, uint64_t len)
{
	uint64_t first = round_down_mask(at, LINE - 1), end = round_up_mask(at + len, LINE - 1);

	pthread_mutex_lock(&shadow->lock);
	for (uint64_t i = first; i < end; i += 8) {
		uint64_t v = load_relaxed((const uint64_t *)(memory + i));

		/* Pairs with the load in phyr_sim_shadow_read(): what came back before is there. */
		store_release((uint64_t *)(shadow->copy + i), ~v);
	}
	pthread_mutex_unlock(&shadow->lock);
}

uint64_t phyr_sim_shadow_read(const struct sim_shadow *shadow, uint64_t at)
{
	return ~load_acquire((const uint64_t *)(shadow->copy + at));
}
