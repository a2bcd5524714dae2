/* SPDX-License-Identifier: MIT */
/*
 * A guest whose kernel leaves the IOMMU alone, as a rig's machine: QEMU's VT-d walks phyr's own
 * tables. Kinds: tables of 4 levels, and of 3.
 *
 * Memory is what the kernel was told to leave out, at the address that GUEST_RAM says.
 */
#ifndef TESTS_GUEST_RIG_OWN_H
#define TESTS_GUEST_RIG_OWN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "backend/rig.h"
#include "guest/edu.h"
#include "guest/vtd.h"

#define RIG_OWN_HUGE (16u << 20) /* what there is besides the rig's memory, in one piece */

struct vtd *rig_own_vtd(struct rig *rig);
/* The device, its buffer loaded with zeros. */
struct edu *rig_own_edu(struct rig *rig, unsigned dev);
/* Memory in one piece, aligned to 2 MiB: where it is to the CPU, and physically. */
unsigned char *rig_own_huge(struct rig *rig, uint64_t *phys);
/* Let a device write one byte over and over, or read. */
void rig_own_fill(struct rig *rig, unsigned dev, uint64_t addr, unsigned char byte, uint64_t len);

#endif
