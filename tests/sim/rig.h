/* SPDX-License-Identifier: MIT */
/* What the tests of the machine share: machines of a setting, memory to pin, tables by hand. */
#ifndef TESTS_SIM_RIG_H
#define TESTS_SIM_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <phyr/sim.h>

#include "lib/sanitized.h"

#define PAGE ((uint64_t)4096)
#define MIB  ((uint64_t)1 << 20)

#define rig_sanitized tests_sanitized

/* A stepped machine; fields of the config but size may be given: rig_sim(.memory = 1 * MIB). */
#define rig_sim(...) \
	rig_create(&(struct phyr_sim_config){sizeof(struct phyr_sim_config), __VA_ARGS__})
struct phyr_sim *rig_create(const struct phyr_sim_config *config);

/* Zeroed memory of this process, aligned to 2 MiB. */
void *rig_map(uint64_t len);
void rig_unmap(void *p, uint64_t len);

/* Pin into a list of its own. */
int rig_pin(struct phyr_sim *sim, void *p, uint64_t len, struct phyr_list *list);
/* Unpin and give the list back. */
void rig_unpin(struct phyr_sim *sim, struct phyr_list *list);

uint64_t rig_phys(struct phyr_sim *sim, const void *p);
struct phyr_sim_stats rig_stats(struct phyr_sim *sim);

/* A device with no behaviour, for DMA from the test itself. */
struct phyr_sim_dev *rig_dev(struct phyr_sim *sim, uint32_t source);

/* The last report of a machine, which gets a report handler by this. */
extern struct phyr_report rig_report;
/* How many since rig_listen(). */
extern unsigned rig_reports;
void rig_listen(struct phyr_sim *sim);
/* The last report is of this call and error, and says why. */
void rig_told(int err, const char *call);

/* A page for a table, in the linear stretch. */
uint64_t *rig_table(struct phyr_sim *sim, uint64_t *phys);

#endif
