/* SPDX-License-Identifier: MIT */
/*
 * Arm VMSAv8-64 with a granule of 64 KiB, 2 and 3 levels: 42 and 48 bits of iova; the top table of 3
 * levels holds 64 entries. See arm64.h. Where addresses have 48 bits, 15:12 of the entries are 0.
 */
#include "pgtbl/fmt/arm64.h"

#define GRANULE_64K                                                                 \
	.granule_lg2 = 16, .max_levels = 3, .usual_levels = 3, .max_leaf_level = 1, \
	.cluster_lg2 = 0x55, .oa_bits = 52, .usual_oa_bits = 48, .fold_from = 48, .fold_to = 12

static const struct pgtbl_desc s1 = {ARM64_S1, ARM64_S1_SH, GRANULE_64K};
static const struct pgtbl_desc s2 = {ARM64_S2, ARM64_S2_SH, GRANULE_64K};

PGTBL_INSTANCE(arm64_s1_64k, &s1);
PGTBL_INSTANCE(arm64_s2_64k, &s2);
