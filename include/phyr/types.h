/* SPDX-License-Identifier: MIT */
/* Address types, spaces, environments and reports: the words every other header uses. */
#ifndef PHYR_TYPES_H
#define PHYR_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define PHYR_API __attribute__((visibility("default")))
#else
#define PHYR_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/** An address in some space: physical, of a user process, or an offset; the space says which. */
typedef uint64_t phyr_addr_t;

/** An address that a device is given: an iova behind an IOMMU, a bus address without one. */
typedef uint64_t phyr_dma_addr_t;

/** An address and a length in bytes. */
struct phyr_range {
	phyr_addr_t addr;
	uint64_t len;
};

/** The page that lists count in, bytes (4 KiB, whatever the machine's own page size). */
#define PHYR_PAGE_LG2  12
#define PHYR_PAGE_SIZE ((uint64_t)1 << PHYR_PAGE_LG2)

/** What a device may do with mapped memory; one or both, and PHYR_MMIO for memory that is not RAM. */
enum phyr_prot {
	PHYR_READ = 1 << 0,  /**< the device may read */
	PHYR_WRITE = 1 << 1, /**< the device may write */
	PHYR_MMIO = 1 << 2,  /**< device registers or memory: map uncached */
};

/** What an address means. */
enum phyr_kind {
	PHYR_KIND_RAM,  /**< physical memory of the machine that owns the IOMMU */
	PHYR_KIND_USER, /**< addresses of this process; the kernel translates them */
	PHYR_KIND_FD,   /**< offsets into a file */
	PHYR_KIND_MMIO, /**< a device's registers or memory, by physical address */
	PHYR_KIND_P2P,  /**< another device's memory, by its provider's word */
	PHYR_KIND_SEEN, /**< physical memory that was seen and is not held: to look at, never for DMA */
};

/**
 * What the addresses of a list mean, and the one way from them to a CPU pointer.
 *
 * A space is borrowed by the lists that name it and must outlive them. Nothing but its to_cpu turns
 * an address of it into a pointer.
 */
struct phyr_space {
	enum phyr_kind kind;

	int fd; /**< KIND_FD: the file that addresses are offsets into, borrowed; else not looked at */

	/**
	 * The CPU pointer of an address; NULL in a space that has none (then to_cpu itself may be NULL).
	 *
	 * @param space  this space
	 * @param addr   address in it
	 * @param len    in: bytes wanted; out: bytes of those that lie together at the pointer
	 * @return the pointer, or NULL when the address is not the space's (then *len is untouched)
	 */
	void *(*to_cpu)(const struct phyr_space *space, phyr_addr_t addr, uint64_t *len);
};

/**
 * What went wrong, beside the errno: "which of the 256 ranges, and what now".
 *
 * Fields that say nothing in a given report are 0 or NULL; where the address 0 may be meant, has_addr
 * or has_iova says so. Strings are static.
 */
struct phyr_report {
	int err;          /**< the negative errno that the call returns */
	const char *call; /**< the public call, without its parentheses */
	uint64_t index;   /**< which range, word or request of several, from 0 */
	/**
	 * What index numbers. NULL: ranges, words or requests. "hole", "segment": of several, from 0; so
	 * is "fault", of a plan. By a number of their own: "command": its id, as the device sees it, in
	 * the queue that of says; "queue"; "vector"; "device": a source id; "process". Not a number of
	 * one but a value: "format", "levels" "granule_lg2" and "opcode" that were asked for; "live
	 * allocations" and "live lists", how many there are.
	 */
	const char *index_of;
	uint64_t of;          /**< "command": the id of its queue, 0 is the admin queue */
	phyr_addr_t addr;     /**< the range's address */
	uint64_t len;         /**< and its length, bytes */
	phyr_dma_addr_t iova; /**< I/O address, where one is meant */
	bool has_addr;        /**< addr is meant, even if it is 0 */
	bool has_iova;        /**< iova is meant, even if it is 0 */
	uint64_t limit;       /**< the limit that was hit, in the unit of what hit it */
	const char *hint;     /**< one line: what is wrong, and what to do */
};

/**
 * One report as one line of text, without a newline: the call, the error, the range, the hint.
 *
 * @param report  what to print
 * @param buf     where to; always terminated when size > 0
 * @param size    its size, bytes
 * @return the bytes that the whole line needs without its terminator, as snprintf does
 */
PHYR_API int phyr_report_format(const struct phyr_report *report, char *buf, size_t size);

/** A lock's memory, whatever the environment keeps in it. */
struct phyr_lock {
	uint64_t opaque[8];
};

/**
 * What phyr needs of the system it runs in. Hosted programs pass NULL wherever one is asked for.
 *
 * Every function is called with the env itself first, so that a port embeds this struct in its own.
 * All must be callable from any thread that calls phyr. A NULL report means nobody listens; flush_lines
 * may be NULL, too. Calls that make something with an environment refuse one that lacks another
 * member, or has no slots: -EINVAL. phyr_list_init(), which cannot fail, does not look.
 */
struct phyr_env {
	/**
	 * Zeroed memory for tables, rings and list blocks.
	 * @param size  a power of two, at least 4096; the block is aligned to it
	 * @return the block, physically contiguous; NULL when there is none
	 */
	void *(*alloc_pages)(struct phyr_env *env, size_t size);
	/** Takes back what alloc_pages gave, with the same size. */
	void (*free_pages)(struct phyr_env *env, void *pages, size_t size);
	/** Zeroed memory for a small object, aligned as malloc does; NULL when there is none. */
	void *(*alloc)(struct phyr_env *env, size_t size);
	/** Takes back what alloc gave, with the same size; NULL is fine. */
	void (*free)(struct phyr_env *env, void *obj, size_t size);

	/** Physical address of alloc_pages memory minus its CPU address, modulo 2^64. Constant. */
	uint64_t phys_delta;

	/** Makes a lock in the caller's memory; 0 or -ENOMEM. */
	int (*lock_init)(struct phyr_env *env, struct phyr_lock *lock);
	void (*lock_fini)(struct phyr_env *env, struct phyr_lock *lock);
	void (*lock)(struct phyr_env *env, struct phyr_lock *lock);
	void (*unlock)(struct phyr_env *env, struct phyr_lock *lock);

	/** A number below nr_slots, mostly a thread's or CPU's own: a hint, used to keep threads apart. */
	unsigned (*slot)(struct phyr_env *env);
	unsigned nr_slots; /**< at least 1 */

	/** A monotonic clock, ns. */
	uint64_t (*now_ns)(struct phyr_env *env);
	/** Writes back the cache lines of [p, p + len) for walkers that do not snoop; NULL: all snoop. */
	void (*flush_lines)(struct phyr_env *env, const void *p, size_t len);
	/** Takes a report; must not call back into phyr. May be NULL. */
	void (*report)(struct phyr_env *env, const struct phyr_report *report);

	/**
	 * A number below nr_slots that no other caller has meanwhile: a thread's own until it ends, or
	 * a CPU's where nothing interrupts a call. Whoever has it later sees what was written under it.
	 * Returns nr_slots: none for this caller. NULL: none at all. It wants fence_all, too; with both,
	 * what is kept for a slot is used without a lock.
	 */
	unsigned (*own_slot)(struct phyr_env *env);
	/**
	 * Returns when every other caller under way has passed a full memory barrier since it began.
	 * @param tries  0; then, while the caller waits for another, how often it did: let that one run
	 */
	void (*fence_all)(struct phyr_env *env, unsigned tries);
};

/**
 * The environment of an ordinary process: what NULL stands for. Copy it to change a member.
 *
 * Memory from malloc's family, physical address = CPU address, pthread mutexes, CLOCK_MONOTONIC,
 * 64 slots, no report. own_slot and fence_all where the kernel has membarrier(2).
 */
PHYR_API struct phyr_env *phyr_env_hosted(void);

/**
 * A device's registers, as one thing for real BARs and simulated devices: touched by phyr_regs_read() and
 * phyr_regs_write().
 *
 * read and write NULL: plain volatile accesses at base. Offsets are bytes; width 1, 2, 4 or 8, aligned. A
 * device may take fewer: a simulated one takes 4 and 8.
 */
struct phyr_regs {
	volatile void *base; /**< mapped BAR; NULL when read and write are set */
	uint64_t size;       /**< bytes */
	uint64_t (*read)(struct phyr_regs *regs, uint64_t offset, unsigned width);
	void (*write)(struct phyr_regs *regs, uint64_t offset, uint64_t value, unsigned width);
};

/**
 * Read a register, whatever is behind it. What is loaded from memory afterwards is as new as the register.
 *
 * Any thread, as far as the device allows; no lock, no allocation. Costs what the access does.
 *
 * @param offset  bytes, a multiple of width
 * @param width   1, 2, 4 or 8
 * @return the value in the low bytes, the others 0. All 64 bits one: a width or offset that cannot be, or
 *         past the end; the device has not seen it
 */
PHYR_API uint64_t phyr_regs_read(struct phyr_regs *regs, uint64_t offset, unsigned width);

/**
 * Write a register. What was stored to memory before is there for the device when the write arrives.
 *
 * As phyr_regs_read(); of value the low bytes count. Nothing is written where a read would be all ones
 * without the device.
 */
PHYR_API void phyr_regs_write(struct phyr_regs *regs, uint64_t offset, uint64_t value,
			      unsigned width);

#ifdef __cplusplus
}
#endif
#endif
