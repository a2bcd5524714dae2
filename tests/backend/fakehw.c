/* SPDX-License-Identifier: MIT */
/* Hardware for the soft backend that only notes what it is told. */
#include "backend/fakehw.h"

#include <errno.h>
#include <string.h>

static void get_info(struct phyr_soft_hw *hw, struct phyr_soft_info *info)
{
	*info = ((struct fakehw *)hw)->info;
}

static int set_table(struct phyr_soft_hw *hw, uint32_t source, const struct phyr_soft_table *table,
		     phyr_fault_fn *fault, void *arg)
{
	struct fakehw_device *device;

	if (((struct fakehw *)hw)->set_err)
		return ((struct fakehw *)hw)->set_err;
	if (source >= FAKEHW_DEVICES)
		return -ENODEV;
	device = &((struct fakehw *)hw)->devices[source];
	if (device->set)
		return -EBUSY;
	*device = (struct fakehw_device){true, *table, fault, arg};
	return 0;
}

static void clear_table(struct phyr_soft_hw *hw, uint32_t source, uint32_t domain)
{
	struct fakehw_device *device = &((struct fakehw *)hw)->devices[source];

	if (device->table.domain == domain)
		device->set = false;
}

static void invalidate(struct phyr_soft_hw *hw, uint32_t domain, uint64_t start, uint64_t last)
{
	struct fakehw *fake = (struct fakehw *)hw;
	struct phyr_domain_stats stats;

	fake->invalidations++;
	fake->domain = domain;
	fake->start = start;
	fake->last = last;
	if (!fake->watch)
		return;
	phyr_domain_get_stats(fake->watch, &stats);
	fake->tables_seen = stats.tables;
}

static uint32_t get_domain(struct phyr_soft_hw *hw)
{
	struct fakehw *fake = (struct fakehw *)hw;

	for (uint32_t i = 1; i <= FAKEHW_DOMAINS; i++) {
		if (fake->domains[i])
			continue;
		fake->domains[i] = true;
		return i;
	}
	return 0;
}

static void put_domain(struct phyr_soft_hw *hw, uint32_t domain)
{
	((struct fakehw *)hw)->domains[domain] = false;
}

void fakehw_init(struct fakehw *fake)
{
	memset(fake, 0, sizeof(*fake));
	fake->hw = (struct phyr_soft_hw){get_info,   set_table,  clear_table,
					 invalidate, get_domain, put_domain};
	fake->info = (struct phyr_soft_info){
		.formats = 1u << PHYR_PGTBL_X86_64 | 1u << PHYR_PGTBL_VTDSS,
		.levels = 4,
		.oa_bits = 46,
		.aperture = {.last = ~0ull,
			     .page_sizes = 0x40201000,
			     .nr_holes = 1,
			     .holes = {{0xfee00000, 0xfeefffff}}},
	};
}
