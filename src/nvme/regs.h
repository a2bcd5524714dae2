/* SPDX-License-Identifier: MIT */
/* A controller's registers. A write comes after all that was stored to memory before it. */
#ifndef NVME_REGS_H
#define NVME_REGS_H

#include <phyr/types.h>

/* Order stores to memory before a store to a device; what the CPU's own release stores need not do. */
static inline void regs_write_barrier(void)
{
#if defined(__aarch64__)
	__asm__ volatile("dmb oshst" ::: "memory");
#elif defined(__riscv)
	__asm__ volatile("fence w,o" ::: "memory");
#elif defined(__x86_64__)
	/* Intel SDM vol. 3, 9.2.2: stores are not reordered with other stores. */
	__asm__ volatile("" ::: "memory");
#else
	__sync_synchronize();
#endif
}

static inline uint32_t regs_read32(struct phyr_regs *regs, uint64_t offset)
{
	if (regs->read)
		return (uint32_t)regs->read(regs, offset, 4);
	return *(volatile uint32_t *)((volatile char *)regs->base + offset);
}

static inline uint64_t regs_read64(struct phyr_regs *regs, uint64_t offset)
{
	if (regs->read)
		return regs->read(regs, offset, 8);
	return *(volatile uint64_t *)((volatile char *)regs->base + offset);
}

static inline void regs_write32(struct phyr_regs *regs, uint64_t offset, uint32_t value)
{
	regs_write_barrier();
	if (regs->write)
		regs->write(regs, offset, value, 4);
	else
		*(volatile uint32_t *)((volatile char *)regs->base + offset) = value;
}

static inline void regs_write64(struct phyr_regs *regs, uint64_t offset, uint64_t value)
{
	regs_write_barrier();
	if (regs->write)
		regs->write(regs, offset, value, 8);
	else
		*(volatile uint64_t *)((volatile char *)regs->base + offset) = value;
}

#endif
