/* SPDX-License-Identifier: MIT */
/* Devices reaching memory. */
#include <string.h>

#include "core/bits.h"
#include "core/env.h"
#include "core/order.h"
#include "sim/machine.h"

/* Up to here a transfer may be a descriptor or a completion that somebody polls, and moves by words
 * throughout; above, only its last word does. */
#define SMALL 64

static uint64_t get_u64(const void *from)
{
	uint64_t v;

	memcpy(&v, from, sizeof(v));
	return v;
}

static void put_u64(void *to, uint64_t v)
{
	memcpy(to, &v, sizeof(v));
}

/* Whether memory can be moved as whole words: both edges lie on one. */
static bool is_words(const void *memory, uint64_t len)
{
	return !((uintptr_t)memory & 7) && !(len & 7) && len;
}

/* The part of a transfer in whole words that memcpy may do. */
static uint64_t bulk_of(uint64_t len)
{
	return len > SMALL ? len - 8 : 0;
}

/* Device to memory. Pairs with the acquire loads of a driver that polls: who sees the last word
 * sees all others. */
static void store_memory(void *memory, const void *buf, uint64_t len)
{
	uint64_t i = bulk_of(len);

	if (!is_words(memory, len)) {
		memcpy(memory, buf, len);
		return;
	}
	memcpy(memory, buf, i);
	for (; i < len - 8; i += 8)
		store_relaxed((uint64_t *)((char *)memory + i), get_u64((const char *)buf + i));
	store_release((uint64_t *)((char *)memory + i), get_u64((const char *)buf + i));
}

/* Memory to device. The first word is loaded before all others. */
static void load_memory(void *buf, const void *memory, uint64_t len)
{
	if (len > SMALL || !is_words(memory, len)) {
		memcpy(buf, memory, len);
		return;
	}
	for (uint64_t i = 0; i < len; i += 8)
		put_u64((char *)buf + i,
			load_acquire((const uint64_t *)((const char *)memory + i)));
}

/* The first piece of an access, in a turn. */
static int64_t reach(struct phyr_sim_dev *sdev, phyr_dma_addr_t addr, uint64_t len, unsigned access,
		     void **cpu)
{
	phyr_addr_t phys;
	void *p;

	len = min_u64(len, INT64_MAX);
	if (phyr_sim_iommu_translate(sdev, addr, access, &phys, &len))
		return -EFAULT;
	p = phyr_sim_to_cpu(sdev->sim, phys, &len);
	if (!p) {
		phyr_sim_iommu_block(sdev, addr, access, PHYR_FAULT_BAD_ADDRESS);
		return -EFAULT;
	}
	*cpu = p;
	return (int64_t)len;
}

static int move(struct phyr_sim_dev *sdev, phyr_dma_addr_t addr, char *buf, uint64_t len,
		unsigned access)
{
	void *memory;
	int64_t n;

	for (; len; len -= (uint64_t)n, addr += (uint64_t)n, buf += n) {
		n = reach(sdev, addr, len, access, &memory);
		if (n < 0)
			return (int)n;
		if (access == PHYR_WRITE)
			store_memory(memory, buf, (uint64_t)n);
		else
			load_memory(buf, memory, (uint64_t)n);
		atomic_count_add(&sdev->sim->dma_bytes, (uint64_t)n);
	}
	return 0;
}

static int move_in_turn(struct phyr_sim_dev *sdev, phyr_dma_addr_t addr, char *buf, uint64_t len,
			unsigned access)
{
	struct sim_turn turn = phyr_sim_turn_begin(sdev->sim);
	int err = move(sdev, addr, buf, len, access);

	phyr_sim_turn_end(sdev->sim, turn);
	return err;
}

int phyr_sim_dma_read(struct phyr_sim_dev *sdev, phyr_dma_addr_t addr, void *buf, uint64_t len)
{
	return move_in_turn(sdev, addr, buf, len, PHYR_READ);
}

int phyr_sim_dma_write(struct phyr_sim_dev *sdev, phyr_dma_addr_t addr, const void *buf,
		       uint64_t len)
{
	return move_in_turn(sdev, addr, (char *)(uintptr_t)buf, len, PHYR_WRITE);
}

int64_t phyr_sim_dma_reach(struct phyr_sim_dev *sdev, phyr_dma_addr_t addr, uint64_t len,
			   unsigned access, void **cpu)
{
	struct sim_turn turn;
	int64_t n;

	if (!len)
		return 0;
	turn = phyr_sim_turn_begin(sdev->sim);
	n = reach(sdev, addr, len, access, cpu);
	if (n > 0)
		atomic_count_add(&sdev->sim->dma_bytes, (uint64_t)n);
	phyr_sim_turn_end(sdev->sim, turn);
	return n;
}
