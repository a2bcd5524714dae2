/* SPDX-License-Identifier: MIT */
/*
 * The machine's physical address space.
 *
 *   4 GiB   .. + config.memory         pinned memory: frames, scattered
 *   32 TiB  .. + config.table_memory   the linear stretch: tables, rings, coherent memory
 *
 * Nothing lies below 4 GiB, so neither address 0 nor the window of interrupt messages is memory,
 * and an address that lost its upper half is caught. The two stretches never meet. On a machine of
 * fewer address bits than SIM_OA_BITS the linear stretch begins at half of what they reach.
 */
#ifndef SIM_LAYOUT_H
#define SIM_LAYOUT_H

#include <stdint.h>

#define SIM_PAGE_LG2     12
#define SIM_PAGE         ((uint64_t)1 << SIM_PAGE_LG2)
#define SIM_PINNED_START ((uint64_t)1 << 32)
#define SIM_TABLES_MAX   ((uint64_t)1 << 40)

/* Physical address width: what covers both stretches; and the least that there is. */
#define SIM_OA_BITS     46
#define SIM_OA_BITS_MIN 40

/* Where the linear stretch begins; oa_bits as in struct phyr_sim_config. */
static inline uint64_t sim_tables_start(unsigned oa_bits)
{
	return (uint64_t)1 << ((oa_bits && oa_bits < SIM_OA_BITS ? oa_bits : SIM_OA_BITS) - 1);
}

/* Writes here are interrupt messages and are never translated (Intel SDM vol. 3A, 11.11.1). */
#define SIM_MSI_START ((uint64_t)0xfee00000)
#define SIM_MSI_LAST  ((uint64_t)0xfeefffff)

#endif
