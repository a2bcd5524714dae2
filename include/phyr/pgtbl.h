/* SPDX-License-Identifier: MIT */
/*
 * IOMMU page tables: map what a cursor gives in one walk, unmap, translate.
 *
 * One algorithm serves every hardware format; a format is a description of bits. The edges of an
 * unmap are edges of map calls: each map call marks its first and last leaf with two bits that the
 * hardware ignores, and unmap checks them.
 *
 * Threads: map, unmap and translate may run at once on disjoint iova, without locks. Two calls are
 * disjoint when no byte of their granules is shared; they may share tables. An unmap that frees
 * tables frees only those whose whole span it covers.
 */
#ifndef PHYR_PGTBL_H
#define PHYR_PGTBL_H

#include <phyr/list.h>

#ifdef __cplusplus
extern "C" {
#endif

struct phyr_pgtbl;

/**
 * A hardware format.
 *
 * Both have leaves of 4 KiB, 2 MiB and 1 GiB. x86_64 cannot forbid reading: there PHYR_WRITE alone
 * maps for reading, too, and translate says so.
 */
enum phyr_pgtbl_format {
	/** x86-64 4-level paging, as first-stage tables use it: 47 bits of iova */
	PHYR_PGTBL_X86_64 = 1,
	/** Intel VT-d second stage, 3 or 4 levels: 39 or 48 bits of iova */
	PHYR_PGTBL_VTDSS,
};

/** What a table is made of; zero it and set size. */
struct phyr_pgtbl_config {
	size_t size;                   /**< sizeof(struct phyr_pgtbl_config) */
	enum phyr_pgtbl_format format; /**< there is no default */
	unsigned levels;               /**< levels of tables; 0: the format's usual (4) */
	unsigned oa_bits; /**< width of output addresses, bits; 0: the format's most (52) */
	/** Leaf sizes the hardware takes, OR of powers of two; those that the format has not are left
	 *  out. 0: all. */
	uint64_t page_sizes;
	/** The walker does not snoop: write lines back by the env's flush_lines, which must be there. */
	bool noncoherent;
};

/**
 * What an operation leaves to do before memory may be reused: iova to invalidate, tables to free.
 *
 * Caller's memory. The tables are linked through their own first entry, coded so that no walker
 * takes it for a mapping; they go back only after the invalidation is done.
 */
struct phyr_gather {
	uint64_t start;   /**< first iova to invalidate; start > last: none */
	uint64_t last;    /**< last one, inclusive */
	uint64_t tables;  /**< cut-off tables, linked; 0: none */
	uint64_t entries; /**< leaf entries written by maps; a statistic */
};

/** Make a gather that holds nothing. */
PHYR_API void phyr_gather_init(struct phyr_gather *gather);

/**
 * Make a table that maps nothing.
 *
 * @param env     NULL: the hosted one; borrowed until phyr_pgtbl_destroy(). Its page memory is what
 *                tables are made of, at its phys_delta, and must be reachable with oa_bits
 * @param config  read during the call
 * @param out     written on success
 * @return 0; -EINVAL unknown size, format, levels or oa_bits, no page size left, or a member of the env
 *         that is missing, flush_lines of a noncoherent table among them; -ENOMEM
 */
PHYR_API int phyr_pgtbl_create(struct phyr_env *env, const struct phyr_pgtbl_config *config,
			       struct phyr_pgtbl **out);

/**
 * Give back the table and all below it; NULL is fine. No walker may use it any more, and what
 * gathers hold of it has been given back before.
 */
PHYR_API void phyr_pgtbl_destroy(struct phyr_pgtbl *pt);

/** Physical address of the top table. */
PHYR_API uint64_t phyr_pgtbl_root(const struct phyr_pgtbl *pt);

/** Levels of tables. */
PHYR_API unsigned phyr_pgtbl_levels(const struct phyr_pgtbl *pt);

/** Highest iova that the table can map, inclusive. */
PHYR_API uint64_t phyr_pgtbl_last(const struct phyr_pgtbl *pt);

/** Leaf sizes in use, OR of powers of two; the lowest is the granule. */
PHYR_API uint64_t phyr_pgtbl_page_sizes(const struct phyr_pgtbl *pt);

/** Tables allocated now: the top one, those in use, and those that gathers hold. */
PHYR_API uint64_t phyr_pgtbl_tables(const struct phyr_pgtbl *pt);

/**
 * Map all that a cursor has left, at iova onwards, in one walk with the largest leaves that fit.
 *
 * iova and the first address have the same offset in the granule (it need not be 0); inner edges lie
 * on the granule; the last may end anywhere, and its granule is mapped whole.
 *
 * @param cur     advanced past what was mapped on success, untouched on failure
 * @param prot    PHYR_READ, PHYR_WRITE or both
 * @param gather  its entries grow on success. If it holds iova or tables afterwards, sync it before
 *                a device uses the mapping or memory is reused: on failure it may hold what was
 *                rolled back; on success, an empty table that a large leaf took the place of
 *
 * All or nothing; empty tables may stay. Allocates tables that are not there; takes no lock. The
 * report's index says which run of the cursor it was.
 * Cost: O(runs + entries written); a run costs one entry a leaf.
 * @return 0; -EINVAL nothing left, alignment, prot; -ERANGE past the table's last iova or an address
 *         wider than oa_bits; -EEXIST part is mapped already; -ENOMEM
 */
PHYR_API int phyr_pgtbl_map(struct phyr_pgtbl *pt, uint64_t iova, struct phyr_cursor *cur,
			    unsigned prot, struct phyr_gather *gather);

/**
 * Unmap whole map calls.
 *
 * @param iova    an edge of a map call (in its first granule)
 * @param len     bytes; iova + len lies in or at the end of the last granule of a map call
 * @param gather  the iova and cut-off tables are added; sync it before memory is reused
 * @param out     NULL, or a list to which what was unmapped is appended, granules whole
 *
 * Parts between the edges that are not mapped are passed over. Without out it allocates nothing and
 * fails on bad edges only. With out -ENOMEM is possible, and then nothing was unmapped.
 * Cost: O(entries), but for tables whose whole span is unmapped: those are cut off unread.
 * @return 0; -EINVAL length 0, an edge that is no edge of a map call, or out ends inside a page or
 *         comes to 2^64 bytes or more; -ERANGE past the table's last iova; -ENOMEM. Nothing changed
 *         on failure. What out does not take is reported to its own environment.
 */
PHYR_API int phyr_pgtbl_unmap(struct phyr_pgtbl *pt, uint64_t iova, uint64_t len,
			      struct phyr_gather *gather, struct phyr_list *out);

/** What an iova leads to. */
struct phyr_translation {
	phyr_addr_t addr;   /**< of the very byte asked for */
	uint64_t leaf_size; /**< bytes that the entry maps */
	unsigned prot;      /**< enum phyr_prot */
};

/**
 * Look an iova up, as the hardware would. A question, so no answer is reported.
 *
 * @return 0; -ENOENT not mapped; -ERANGE past the table's last iova
 */
PHYR_API int phyr_pgtbl_translate(struct phyr_pgtbl *pt, uint64_t iova,
				  struct phyr_translation *out);

/**
 * Give back the tables that a gather holds; call it after the invalidation is done. The gather is
 * empty of tables afterwards.
 */
PHYR_API void phyr_pgtbl_free_gathered(struct phyr_pgtbl *pt, struct phyr_gather *gather);

#ifdef __cplusplus
}
#endif
#endif
