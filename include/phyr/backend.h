/* SPDX-License-Identifier: MIT */
/* Backends: direct (no IOMMU), and soft (our tables on hardware that a port or sim provides). */
#ifndef PHYR_BACKEND_H
#define PHYR_BACKEND_H

#include <phyr/iommu.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * No IOMMU: a device sees memory as it is, plus its bus offset. Takes RAM.
 *
 * @return 0; -EINVAL a member of the env is missing; -ENOMEM
 */
PHYR_API int phyr_direct_create(struct phyr_env *env, struct phyr_iommu **out);

/** A device's table as hardware is told of it. */
struct phyr_soft_table {
	enum phyr_pgtbl_format format;
	unsigned levels;
	uint64_t root;   /**< physical address of the top table */
	uint32_t domain; /**< tag of cached translations; several devices may share it */
};

/** What the hardware can do. */
struct phyr_soft_info {
	unsigned formats; /**< OR of 1 << enum phyr_pgtbl_format */
	unsigned levels;  /**< the most levels; soft uses 4 at most */
	unsigned oa_bits; /**< physical address width, 52 at most; 0: the format's */
	/** Its walker does not snoop the CPU's caches: tables are written back line by line, before a
	 *  call returns, with the env's flush_lines, which must be there then. */
	bool noncoherent;
	struct phyr_aperture aperture; /**< start, last, page sizes, holes (message interrupts) */
};

/**
 * The hardware that the soft backend drives: a table root per device, and invalidation.
 *
 * The port embeds this struct. Calls come from any thread. The hardware must not cache that an
 * entry is not present: a new mapping is used without any call.
 */
struct phyr_soft_hw {
	/**
	 * Read when the backend is made, and at each attach; the aperture alone may have changed then.
	 */
	void (*get_info)(struct phyr_soft_hw *hw, struct phyr_soft_info *info);
	/** Give a device its table; fault is told of its blocked accesses, with arg first.
	 *  @return 0; -EBUSY it has one; -ENODEV no such device; -ENOMEM; -EINVAL a format or
	 *          levels that get_info() did not say */
	int (*set_table)(struct phyr_soft_hw *hw, uint32_t source,
			 const struct phyr_soft_table *table, phyr_fault_fn *fault, void *arg);
	/** Take a device's table away, if it is this domain's, and forget what was cached for it;
	 *  done when it returns. A device that has none, or another domain's, is left alone. */
	void (*clear_table)(struct phyr_soft_hw *hw, uint32_t source, uint32_t domain);
	/** Forget cached translations and table entries of [start, last]; done when it returns. */
	void (*invalidate)(struct phyr_soft_hw *hw, uint32_t domain, uint64_t start, uint64_t last);
	/** A number for a domain, which no other domain of this hardware has; 0: none is left. */
	uint32_t (*get_domain)(struct phyr_soft_hw *hw);
	/** Take it back; nothing is cached under it any more. */
	void (*put_domain)(struct phyr_soft_hw *hw, uint32_t domain);
};

/** Choices for the soft backend; zero it and set size. */
struct phyr_soft_config {
	size_t size; /**< sizeof(struct phyr_soft_config) */
	/** 0: the first that the hardware has, VT-d second stage before x86-64 */
	enum phyr_pgtbl_format format;
	uint64_t page_sizes; /**< 0: all that the hardware and format have */
};

/**
 * Our own tables on given hardware. Takes RAM.
 *
 * @param env     its page memory must be reachable by the hardware at phys_delta
 * @param hw      borrowed until the backend is destroyed
 * @param config  NULL: defaults
 * @return 0; -EINVAL unknown size, a member of the env that is missing (flush_lines, too, where the
 *         hardware is noncoherent), or page sizes that hardware or format do not have; -EOPNOTSUPP
 *         the hardware lacks the format, or its levels and addresses do not go with it; -ENOMEM
 */
PHYR_API int phyr_soft_create(struct phyr_env *env, struct phyr_soft_hw *hw,
			      const struct phyr_soft_config *config, struct phyr_iommu **out);

#ifdef __cplusplus
}
#endif
#endif
