/* SPDX-License-Identifier: MIT */
/*
 * A device's registers: functions, or memory at base. A write comes after all that was stored before it,
 * and what is loaded after a read is as new as what was read.
 *
 * These are phyr_regs_read() and phyr_regs_write() for those who know that the access is one: with a width
 * that is a constant, what is left of them is the access.
 */
#ifndef CORE_REGS_H
#define CORE_REGS_H

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

/* Order a load from a device before loads from memory: a status is read before what it speaks of. */
static inline void regs_read_barrier(void)
{
#if defined(__aarch64__)
	__asm__ volatile("dmb oshld" ::: "memory");
#elif defined(__riscv)
	__asm__ volatile("fence i,r" ::: "memory");
#elif defined(__x86_64__)
	/* Intel SDM vol. 3, 9.2.2: loads are not reordered with other loads. */
	__asm__ volatile("" ::: "memory");
#else
	__sync_synchronize();
#endif
}

static inline uint64_t regs_load(const volatile void *p, unsigned width)
{
	switch (width) {
	case 1:
		return *(const volatile uint8_t *)p;
	case 2:
		return *(const volatile uint16_t *)p;
	case 4:
		return *(const volatile uint32_t *)p;
	default:
		return *(const volatile uint64_t *)p;
	}
}

static inline void regs_store(volatile void *p, uint64_t value, unsigned width)
{
	switch (width) {
	case 1:
		*(volatile uint8_t *)p = (uint8_t)value;
		break;
	case 2:
		*(volatile uint16_t *)p = (uint16_t)value;
		break;
	case 4:
		*(volatile uint32_t *)p = (uint32_t)value;
		break;
	default:
		*(volatile uint64_t *)p = value;
	}
}

/* width is 1, 2, 4 or 8; offset a multiple of it, and with it in the registers. */
static inline uint64_t regs_read(struct phyr_regs *regs, uint64_t offset, unsigned width)
{
	uint64_t value = regs->read ? regs->read(regs, offset, width)
				    : regs_load((volatile char *)regs->base + offset, width);

	regs_read_barrier();
	return value;
}

static inline void regs_write(struct phyr_regs *regs, uint64_t offset, uint64_t value,
			      unsigned width)
{
	regs_write_barrier();
	if (regs->write)
		regs->write(regs, offset, value, width);
	else
		regs_store((volatile char *)regs->base + offset, value, width);
}

#endif
