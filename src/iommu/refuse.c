/* SPDX-License-Identifier: MIT */
/* Why there is no domain, or a device or memory is not in it. */
#include "iommu/refuse.h"

#include "core/env.h"

int phyr_iommu_create_failed(struct phyr_env *env, int err)
{
	const char *hint = err == -ENOSPC   ? "the hardware has no number left for another domain"
			   : err == -ENOMEM ? "no memory for the domain, or none for its tables "
					      "that the hardware reaches"
					    : "the backend does not make the domain";

	return env_fail(env, .err = err, .call = "phyr_domain_create", .hint = hint);
}

int phyr_iommu_attach_failed(struct phyr_env *env, uint32_t source, int err)
{
	const char *hint = err == -EBUSY    ? "it has a domain already"
			   : err == -ENODEV ? "the hardware knows no device of this source id"
			   : err == -ENOMEM ? "no memory for the device"
					    : "the backend does not attach it";

	return env_fail(env, .err = err, .call = "phyr_domain_attach", .index = source,
			.index_of = "device", .hint = hint);
}

const char *phyr_iommu_kind_hint(const struct phyr_space *space, unsigned kinds)
{
	/* Left out, mostly: who has pointers has a space for them. */
	if (!space && kinds >> PHYR_KIND_USER & 1)
		return "without a space it is physical memory, which the domain does not take: "
		       "memory of this process is phyr_space_user()";
	return "the domain does not take memory of this kind";
}
