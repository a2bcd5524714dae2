/* SPDX-License-Identifier: MIT */
/*
 * IOMMU page tables: map what a cursor gives in one walk, unmap, translate.
 *
 * One algorithm serves every hardware format; a format is a description of bits. The edges of an
 * unmap are edges of map calls: each map call marks its first and last leaf with two bits that the
 * hardware ignores, and unmap checks them.
 *
 * Threads: map, unmap, translate, cut, promote, dirty, reclaim and walk may run at once on disjoint
 * iova, without locks. Two calls are disjoint when no byte of their granules is shared, and for cut and
 * promote of the leaves that they change; they may share tables. An unmap or reclaim that frees tables
 * frees only those whose whole span it covers.
 */
#ifndef PHYR_PGTBL_H
#define PHYR_PGTBL_H

#include <phyr/list.h>

#ifdef __cplusplus
extern "C" {
#endif

struct phyr_pgtbl;

/** A hardware format. */
enum phyr_pgtbl_format {
	/** x86-64 paging, as first-stage tables use it, 4 or 5 levels: 47 or 56 bits of iova (the lower
	 *  half). It cannot forbid reading: PHYR_WRITE alone maps for reading, too, and translate says so.
	 *  PHYR_MMIO is PCD and PWT: entry 3 of the PAT. */
	PHYR_PGTBL_X86_64 = 1,
	/** Intel VT-d second stage, 3, 4 or 5 levels: 39, 48 or 57 bits of iova */
	PHYR_PGTBL_VTDSS,
	/** AMD-Vi's own, 1 to 6 levels: 21, 30, 39, 48, 57 or 64 bits of iova; leaves of every power of
	 *  two. Levels are skipped if config.skip_levels says so. */
	PHYR_PGTBL_AMDV1,
	/** Arm VMSAv8-64 stage 1, granules of 4, 16 or 64 KiB, contiguous hint, from 2 levels on. As
	 *  x86_64 it cannot forbid reading. The most levels come to 48 bits of iova. MAIR must hold 0xff
	 *  (normal write-back memory) as Attr0 and 0x04 (Device-nGnRE), for PHYR_MMIO, as Attr1; TCR's
	 *  SH and ORGN, IRGN are the walker's. Entries are not global: the ASID counts. */
	PHYR_PGTBL_ARM64_S1,
	/** the same, stage 2; with granules of 16 KiB 3 levels at most, of which two tables lie side by
	 *  side at the top: a root of 32 KiB. MemAttr is without FEAT_S2FWB. */
	PHYR_PGTBL_ARM64_S2,
	/** RISC-V Sv39, Sv48, Sv57 by levels 3, 4, 5: 38, 47 or 56 bits of iova (the lower half); leaves of
	 *  64 KiB by Svnapot. What may be written may be read. Pages are a user's (U), as devices' requests
	 *  are; PHYR_MMIO says nothing: the physical memory's attributes do. */
	PHYR_PGTBL_RISCV64,
};

/** How what is mapped can be changed in place: phyr_pgtbl_cut(), phyr_pgtbl_promote(). */
enum phyr_pgtbl_change {
	/** Entries have to be taken away, invalidated, and written anew: only while no device uses them */
	PHYR_CHANGE_IDLE = 1,
	PHYR_CHANGE_HITLESS, /**< devices go on using the iova meanwhile */
};

/** What a table is made of; zero it and set size. */
struct phyr_pgtbl_config {
	size_t size;                   /**< sizeof(struct phyr_pgtbl_config) */
	enum phyr_pgtbl_format format; /**< there is no default */
	unsigned
		levels; /**< levels of tables; 0: the format's usual, 48 bits of iova or what is nearest */
	/** Width of output addresses, bits; 0: the format's usual: arm64 48, riscv64 56, else 52. On arm64
	 *  more than 48 (at most 52) is another layout: FEAT_LPA2 (TCR.DS) with granules of 4 and 16 KiB,
	 *  FEAT_LPA with 64. */
	unsigned oa_bits;
	/** The table's smallest page, log2: 12, on arm64 also 14 or 16; 0: 12 */
	unsigned granule_lg2;
	/** Leaf sizes the hardware takes, OR of powers of two; those that the format has not are left
	 *  out. 0: all, contiguous hints and Svnapot among them. */
	uint64_t page_sizes;
	/** The walker does not snoop: write lines back by the env's flush_lines, which must be there. */
	bool noncoherent;
	/** Every access snoops, whatever the device asks for (VT-d second stage: SNP, AMD: FC); -EINVAL
	 *  on other formats */
	bool force_snoop;
	/** Hardware sets dirty bits on writes, as it was told to: leave them clear, for
	 *  phyr_pgtbl_dirty(). Not with noncoherent: marks would reach memory behind the back of the
	 *  CPU's caches. */
	bool dirty;
	/** AMD: the top table's entry 0 leads past levels that low iova needs no tables of, until higher
	 *  iova of its span is mapped: fewer tables, fewer steps for walkers. Then the tables between are
	 *  put in, and the gathers of those maps must be synced as phyr_pgtbl_map() says. The table that
	 *  it leads to stays until all of its span is unmapped or reclaimed. -EINVAL on other formats */
	bool skip_levels;
	/** Arm: FEAT_BBM's level, 0 to 2: what may change without break-before-make; 0 elsewhere */
	unsigned bbm;
};

/**
 * What an operation leaves to do before memory may be reused: iova to invalidate, tables to free.
 *
 * Caller's memory. The tables are linked through their own first entry, coded so that no walker
 * takes it for a mapping; those whose iova stays mapped, through bits that walkers ignore. They go back
 * only after the invalidation is done.
 */
struct phyr_gather {
	uint64_t start;   /**< first iova to invalidate; start > last: none */
	uint64_t last;    /**< last one, inclusive */
	uint64_t tables;  /**< cut-off tables, linked; 0: none */
	uint64_t entries; /**< entries of leaves written by maps; a statistic */
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
 * @return 0; -EINVAL unknown size or format, levels, oa_bits, granule_lg2, bbm or force_snoop that
 *         the format has not, dirty and noncoherent at once, no page size left, or a member of the
 *         env that is missing, flush_lines of a noncoherent table among them; -ENOMEM
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
 * @param prot    PHYR_READ, PHYR_WRITE or both; and PHYR_MMIO for memory that is not RAM: uncached, where
 *                the format says so
 * @param gather  its entries grow on success. If it holds iova or tables afterwards, sync it before
 *                a device uses the mapping or memory is reused: on failure it may hold what was
 *                rolled back; on success, an empty table that a large leaf took the place of, or,
 *                with config.skip_levels, what walkers know of levels that were skipped
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
 * How phyr_pgtbl_cut() and phyr_pgtbl_promote() change what is mapped, at the worst: by format, and
 * on Arm by what config.bbm says.
 */
PHYR_API enum phyr_pgtbl_change phyr_pgtbl_change(const struct phyr_pgtbl *pt);

/**
 * The caller's word that no device uses what is to be changed, and how to invalidate in the midst.
 */
struct phyr_pgtbl_idle {
	/** Invalidate what the gather holds, wait for it, free its tables, and empty it. */
	void (*sync)(void *arg, struct phyr_gather *gather);
	void *arg;
};

/**
 * Make an iova an edge, as if one map call had ended and another begun there, so that an unmap may
 * start or end at it. A leaf that it lies in is cut into the largest smaller ones that fit; they are
 * as dirty as it was.
 *
 * @param iova    a multiple of the granule; where a map call began or ended already, nothing happens.
 *                Where none begins, the granule before it is looked at, too: threads that are to be
 *                disjoint leave both to the call
 * @param idle    for what cannot be changed hitless; NULL: -EOPNOTSUPP then
 * @param gather  as in phyr_pgtbl_unmap(): sync it before the parts are treated apart
 *
 * @return 0; -EINVAL iova off the granule; -ENOENT neither it nor what lies before it is mapped;
 *         -ERANGE past the table's last iova; -EOPNOTSUPP not without idle; -ENOMEM. Nothing changed
 *         on failure.
 * Cost: O(levels * entries of a table); where a size is missing between two of config.page_sizes,
 * O(entries that the leaf becomes). One table more than it needs is allocated meanwhile.
 */
PHYR_API int phyr_pgtbl_cut(struct phyr_pgtbl *pt, uint64_t iova,
			    const struct phyr_pgtbl_idle *idle, struct phyr_gather *gather);

/**
 * Replace small leaves by larger ones where what they map lies together, in one map call or in
 * several. All of [iova, iova + len) is the caller's.
 *
 * What results is what one map call would have made of each run of memory: fewer leaves there
 * cannot be. Edges of map calls inside of a leaf that it makes are forgotten: no unmap can start or
 * end there any more, unless a cut makes the edge again. All others stay, those at the ends of a
 * new leaf among them. So what a cut took apart comes back as it was, and what came page by page
 * can be unmapped as a whole, from its first edge to its last. A leaf that is only partly in the
 * range is left alone.
 *
 * A new leaf is dirty if one of the old ones was; and with config.dirty, without idle, a writable
 * one that takes the place of a table is dirty in any case: until the sync hardware may mark what
 * nobody will read.
 *
 * @param idle    as above; NULL: what cannot be changed hitless is passed over. Its sync is called
 *                once for up to 128 new leaves, for all from the first of them to the last
 * @param gather  sync it before memory is reused; tables that were replaced are in it
 * @param leaves  NULL, or out: how many larger leaves there are now that were not before
 * @return 0; -EINVAL len 0, iova or len off the granule; -ERANGE past the table's last iova
 * Cost: O(entries). Allocates nothing, but with config.skip_levels a table for a leaf at a level that was
 * skipped; without memory that leaf is not made.
 */
PHYR_API int phyr_pgtbl_promote(struct phyr_pgtbl *pt, uint64_t iova, uint64_t len,
				const struct phyr_pgtbl_idle *idle, struct phyr_gather *gather,
				uint64_t *leaves);

/** Told of iova that was written; neighbours of one leaf size come as one. */
typedef void phyr_pgtbl_dirty_fn(void *arg, uint64_t iova, uint64_t len);

/**
 * Which leaves in a range were written by devices since they were mapped, or last cleared.
 *
 * @param clear   take the marks away as they are read; a leaf that is partly in the range keeps its
 *                mark
 * @param fn      told of each dirty part, in order, cut to the range; must not call back into phyr
 * @param gather  grows when clear: until it is synced a device may write without a new mark, so what
 *                was told is read by the caller after the sync
 * @return 0; -EINVAL len 0; -ERANGE past the table's last iova; -EOPNOTSUPP config.dirty was not set
 */
PHYR_API int phyr_pgtbl_dirty(struct phyr_pgtbl *pt, uint64_t iova, uint64_t len, bool clear,
			      phyr_pgtbl_dirty_fn *fn, void *arg, struct phyr_gather *gather);

/**
 * Take out the tables of a range that is the caller's and maps nothing: unmaps of less than a
 * table's span leave it there, for the next map. Nobody may map or look up in the range meanwhile.
 *
 * @param iova, len  their granules whole
 * @param gather     holds the tables that lie in the range whole, and their iova; sync it
 * @return 0; -EINVAL len 0; -ERANGE past the table's last iova; -EBUSY something is mapped in it:
 *         nothing changed
 */
PHYR_API int phyr_pgtbl_reclaim(struct phyr_pgtbl *pt, uint64_t iova, uint64_t len,
				struct phyr_gather *gather);

/** An entry of a table, as phyr_pgtbl_walk() shows it. */
struct phyr_pgtbl_entry {
	uint64_t iova;  /**< first that it decides about */
	uint64_t size;  /**< bytes of iova that this entry alone covers */
	uint64_t entry; /**< as it is in memory */
	uint64_t table; /**< physical address of the table that it is in */
	unsigned index; /**< in that table */
	unsigned level; /**< 0: the granule's */
	bool leaf;      /**< it maps; else it leads to a table at addr */
	phyr_addr_t addr;
	uint64_t leaf_size; /**< a leaf's size: size, or more where several entries are one leaf */
	unsigned prot;
};

/** Told of an entry; not 0 ends the walk. It must not change the table. */
typedef int phyr_pgtbl_walk_fn(void *arg, const struct phyr_pgtbl_entry *entry);

/**
 * Show each entry that is there in a range, tables before what is in them, in order of iova; for
 * dumps and pictures. What others map and unmap meanwhile is shown or not; tables must not be freed
 * meanwhile.
 *
 * @return 0; what fn returned, if not 0; -EINVAL len 0; -ERANGE past the table's last iova
 */
PHYR_API int phyr_pgtbl_walk(struct phyr_pgtbl *pt, uint64_t iova, uint64_t len,
			     phyr_pgtbl_walk_fn *fn, void *arg);

/**
 * Give back the tables that a gather holds; call it after the invalidation is done. The gather is
 * empty of tables afterwards.
 */
PHYR_API void phyr_pgtbl_free_gathered(struct phyr_pgtbl *pt, struct phyr_gather *gather);

#ifdef __cplusplus
}
#endif
#endif
