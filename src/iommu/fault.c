/* SPDX-License-Identifier: MIT */
/* Blocked accesses: to the domain's handler, or as reports. */
#include "iommu/domain.h"

/* A reason's name, and the line that a report of it carries, for each access. */
struct reason {
	const char *name;
	const char *read;
	const char *write;
};

#define REASON(name_, text)                                                                        \
	{                                                                                          \
		name_, "a device's read was blocked: " text, "a device's write was blocked: " text \
	}

static const struct reason reasons[] = {
	[0] = REASON("unknown", "the reason is unknown"),
	[PHYR_FAULT_NOT_PRESENT] = REASON("not present", "nothing is mapped there"),
	[PHYR_FAULT_PERMISSION] = REASON("permission", "the mapping does not allow it"),
	[PHYR_FAULT_RANGE] = REASON("range", "the iova is wider than the table"),
	[PHYR_FAULT_NO_DOMAIN] = REASON("no domain", "the device is attached to nothing"),
	[PHYR_FAULT_BAD_ADDRESS] =
		REASON("bad address", "a table leads to memory that is not there"),
	[PHYR_FAULT_BAD_ENTRY] = REASON("bad entry", "an entry has reserved bits set"),
};

static const struct reason *reason_of(enum phyr_fault_reason reason)
{
	return &reasons[(unsigned)reason < ARRAY_SIZE(reasons) ? (unsigned)reason : 0];
}

const char *phyr_fault_reason_name(enum phyr_fault_reason reason)
{
	return reason_of(reason)->name;
}

void phyr_domain_on_fault(void *arg, const struct phyr_fault *fault)
{
	const struct reason *reason = reason_of(fault->reason);
	struct phyr_domain *domain = arg;

	atomic_count_add(&domain->faults, 1);
	if (domain->fault) {
		domain->fault(domain->fault_arg, fault);
		return;
	}
	env_fail(domain->env, .err = -EFAULT, .call = "fault", .index = fault->source,
		 .index_of = "device", .iova = fault->iova, .has_iova = true,
		 .hint = fault->access & PHYR_WRITE ? reason->write : reason->read);
}
