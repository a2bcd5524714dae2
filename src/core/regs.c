/* SPDX-License-Identifier: MIT */
/* Registers for drivers, with accesses looked at before they are made. */
#include "core/regs.h"

static bool is_access(const struct phyr_regs *regs, uint64_t offset, unsigned width)
{
	return (width == 1 || width == 2 || width == 4 || width == 8) && !(offset & (width - 1)) &&
	       offset < regs->size && width <= regs->size - offset;
}

uint64_t phyr_regs_read(struct phyr_regs *regs, uint64_t offset, unsigned width)
{
	if (!is_access(regs, offset, width))
		return UINT64_MAX;
	return regs_read(regs, offset, width) & (UINT64_MAX >> (64 - 8 * width));
}

void phyr_regs_write(struct phyr_regs *regs, uint64_t offset, uint64_t value, unsigned width)
{
	if (is_access(regs, offset, width))
		regs_write(regs, offset, value, width);
}
