/* SPDX-License-Identifier: MIT */
/*
 * A guest as a rig's machine: the kernel's backend that GUEST_IOMMU names, and two edu devices. A
 * blocked access is proved by the kernel's log, and by memory, which the test looks at.
 */
#ifndef TESTS_GUEST_RIG_KERNEL_H
#define TESTS_GUEST_RIG_KERNEL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "backend/rig.h"
#include "guest/edu.h"
#include "guest/kmsg.h"

#define RIG_KERNEL_SIZE (512u << 10)

/* The device as a driver has it, while it is attached. */
struct edu *rig_kernel_edu(struct rig *rig, unsigned dev);

/* The kernel's log tells that this access of a device was blocked; its line is printed. */
bool rig_kernel_told(struct kmsg *kmsg, uint32_t source, uint64_t addr, unsigned access);

/* The variable as a source id; ends the program (skipped) where there is none. */
uint32_t rig_kernel_source(const char *variable);
/* GUEST_IOMMU is iommufd; the program is ended (skipped) where it is nothing. */
bool rig_kernel_is_iommufd(void);

#endif
