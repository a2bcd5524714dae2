/* SPDX-License-Identifier: MIT */
/* Arm VMSAv8-64 with a granule of 4 KiB, 2 to 4 levels: 30, 39 and 48 bits of iova. See arm64.h. */
#include "pgtbl/fmt/arm64.h"

#define GRANULE_4K                                                                  \
	.granule_lg2 = 12, .max_levels = 4, .usual_levels = 4, .max_leaf_level = 2, \
	.cluster_lg2 = 0x444

static const struct pgtbl_desc s1 = {ARM64_S1, ARM64_S1_SH, GRANULE_4K, ARM64_48};
static const struct pgtbl_desc s2 = {ARM64_S2, ARM64_S2_SH, GRANULE_4K, ARM64_48};
static const struct pgtbl_desc s1_lpa2 = {ARM64_S1, ARM64_S1_LPA2, GRANULE_4K, ARM64_52};
static const struct pgtbl_desc s2_lpa2 = {ARM64_S2, ARM64_S2_LPA2, GRANULE_4K, ARM64_52};

PGTBL_INSTANCE(arm64_s1_4k, &s1);
PGTBL_INSTANCE(arm64_s2_4k, &s2);
PGTBL_INSTANCE(arm64_s1_4k_lpa2, &s1_lpa2);
PGTBL_INSTANCE(arm64_s2_4k_lpa2, &s2_lpa2);
