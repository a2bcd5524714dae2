/* SPDX-License-Identifier: MIT */
/*
 * Arm VMSAv8-64 with a granule of 16 KiB. See arm64.h.
 *
 * Stage 1 has 2 to 4 levels: 36, 47 and 48 bits of iova; the top table of 4 levels holds 2 entries. Stage
 * 2 has no such level (D8.2.7): its 48 bits are 3 levels, with two tables side by side at the top.
 */
#include "pgtbl/fmt/arm64.h"

#define GRANULE_16K .granule_lg2 = 14, .max_leaf_level = 1, .cluster_lg2 = 0x57
#define LEVELS_S1   .max_levels = 4, .usual_levels = 4
#define LEVELS_S2   .max_levels = 3, .usual_levels = 3, .root_lg2 = 1

static const struct pgtbl_desc s1 = {ARM64_S1, ARM64_S1_SH, GRANULE_16K, LEVELS_S1, ARM64_48};
static const struct pgtbl_desc s2 = {ARM64_S2, ARM64_S2_SH, GRANULE_16K, LEVELS_S2, ARM64_48};
static const struct pgtbl_desc s1_lpa2 = {ARM64_S1, ARM64_S1_LPA2, GRANULE_16K, LEVELS_S1,
					  ARM64_52};
static const struct pgtbl_desc s2_lpa2 = {ARM64_S2, ARM64_S2_LPA2, GRANULE_16K, LEVELS_S2,
					  ARM64_52};

PGTBL_INSTANCE(arm64_s1_16k, &s1);
PGTBL_INSTANCE(arm64_s2_16k, &s2);
PGTBL_INSTANCE(arm64_s1_16k_lpa2, &s1_lpa2);
PGTBL_INSTANCE(arm64_s2_16k_lpa2, &s2_lpa2);
