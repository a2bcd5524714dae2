/* SPDX-License-Identifier: MIT */
/*
 * The packed list: one contiguous buffer as physical ranges, eight bytes each.
 *
 * A *word* is a page address in bits 63..12 and a run length, in pages of 4 KiB, as a code in bits
 * 11..0: codes 0x000-0x7ff are length - 1, exact (1-2048 pages); above, with e = code >> 6 & 31 and
 * m = code & 63, the length is (64 + m) << (e + 5). 0x800 is never written: 2048 has its exact code.
 * A run is coded greedily, largest piece first, so a word below code 0x7ff always ends its run.
 *
 *   word of one page:  | page address 63..12 | 0x000 |   = the address itself
 *
 * so a scattered page's word is its PRP entry, and its page-table entry once flags are ORed in.
 * Words are CPU-endian. They lie in the struct while they are few, then in one block, which grows from
 * 128 bytes to 4 KiB, then in linked blocks of 4 KiB. The last run stays unpacked in the header:
 * appending to it costs no word.
 *
 * Threads: a list that nobody appends to may be read by any number of threads. Appending to a list
 * or emptying it ends the use of all cursors over it.
 */
#ifndef PHYR_LIST_H
#define PHYR_LIST_H

#include <phyr/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Words that a list holds without any allocation. */
#define PHYR_LIST_INLINE_WORDS 8

/**
 * A list: its space, first offset, total length and words.
 *
 * Caller's memory; may be moved while no cursor is in it, not copied. Read space, len, gap_mask, last, nr_runs freely;
 * everything is written by the calls below only.
 */
struct phyr_list {
	const struct phyr_space *space; /**< what the addresses mean; NULL: the device's own RAM */
	struct phyr_env *env;           /**< where blocks come from */
	uint64_t len;                   /**< bytes, first offset and short last page considered */
	uint64_t gap_mask;     /**< OR of all inner edges: ends of runs and starts of the next */
	uint64_t nr_runs;      /**< runs, the open one included */
	uint64_t last;         /**< highest address of any byte, inclusive */
	uint64_t nr_words;     /**< words written; the open run has none yet */
	uint64_t first_offset; /**< the first byte's offset in its page */
	uint64_t nr_room;      /**< words that there is room for */
	uint64_t open_addr;    /**< the open run's first byte */
	uint64_t open_len;     /**< its bytes; 0: the list is empty */
	uint64_t nr_blocks;    /**< blocks that hold them; 0: they lie in the struct */
	void *root;            /**< index over the blocks, or the only block */
	void *tail;            /**< the last block */
	uint64_t nr_before;    /**< words before it */
	uint64_t words[PHYR_LIST_INLINE_WORDS];
};

/**
 * Make an empty list in the caller's memory. Allocates nothing, can't fail.
 *
 * @param list   out
 * @param env    NULL: the hosted one, which reports to nobody; phyr_dev_env() (dma.h): to who listens
 *               to that device. Borrowed until phyr_list_fini()
 * @param space  what the addresses will mean, borrowed; NULL: the device's own RAM
 */
PHYR_API void phyr_list_init(struct phyr_list *list, struct phyr_env *env,
			     const struct phyr_space *space);

/** Give back what the list allocated, and empty it. The memory it describes is not touched. */
PHYR_API void phyr_list_fini(struct phyr_list *list);

/** Empty the list, as after phyr_list_init(), and give back its blocks. */
PHYR_API void phyr_list_reset(struct phyr_list *list);

/**
 * Append one range at the end of the buffer.
 *
 * A range that follows the last one in memory joins its run. All others must meet it on page edges:
 * the list's end and the range's start lie on a page unless the list is empty.
 *
 * Cost: O(1). Allocates a 4 KiB block each 509 runs, smaller ones that double before the first.
 * @return 0; -EINVAL length 0, past 2^64, an inner edge off a page, or a list of 2^64 bytes or more;
 *         -ENOMEM. Nothing changed on failure.
 */
PHYR_API int phyr_list_append(struct phyr_list *list, phyr_addr_t addr, uint64_t len);

/**
 * Append one whole page. As phyr_list_append(…, 4096), and faster.
 *
 * @param addr  a multiple of 4 KiB, or -EINVAL
 * @return as phyr_list_append()
 */
PHYR_API int phyr_list_append_page(struct phyr_list *list, phyr_addr_t addr);

/**
 * Append whole pages by an array of their addresses.
 *
 * @param pages  addresses, multiples of 4 KiB
 * @param nr     how many; 0 does nothing
 * @return 0; -EINVAL an address off a page, the list ends off a page, or comes to 2^64 bytes or more
 *         (the report's index says at which page); -ENOMEM. All or nothing.
 */
PHYR_API int phyr_list_append_pages(struct phyr_list *list, const phyr_addr_t *pages, size_t nr);

/**
 * Append ranges. As phyr_list_append() for each, but all or nothing.
 *
 * @return 0; -EINVAL as phyr_list_append(), the report's index says which range; -ENOMEM
 */
PHYR_API int phyr_list_append_ranges(struct phyr_list *list, const struct phyr_range *ranges,
				     size_t nr);

/** A view of part of a list: @len bytes from byte @offset. The list must outlive it. */
struct phyr_slice {
	const struct phyr_list *list;
	uint64_t offset;
	uint64_t len;
};

/** Many pieces, in order, that are not one contiguous buffer. The array is borrowed. */
struct phyr_listv {
	const struct phyr_slice *slices;
	size_t nr;
};

/**
 * Check a slice against its list.
 *
 * @return 0; -EINVAL length 0 or past the list's end
 */
PHYR_API int phyr_slice_init(struct phyr_slice *slice, const struct phyr_list *list,
			     uint64_t offset, uint64_t len);

/** Bytes of all slices together; 2^64 - 1 when they are more. */
PHYR_API uint64_t phyr_listv_len(const struct phyr_listv *listv);

/**
 * OR of all edges between pieces that a device sees as one buffer: those inside each slice and those
 * between slices (their starts and ends, byte granular).
 *
 * Cost: O(slices); whole lists answer from their header, a part of a list takes its list's mask and
 * two seeks, O(log n).
 */
PHYR_API uint64_t phyr_listv_gap_mask(const struct phyr_listv *listv);

/**
 * A place in a list, a listv, a range array or a single range, and what is left from there.
 *
 * Caller's memory, copied by assignment. A consumer that fails leaves the caller's cursor alone, so
 * it works on a copy. Read left freely.
 */
struct phyr_cursor {
	const uint64_t
		*word; /**< next word; NULL: what is left is one range, from address skip on */
	const uint64_t *stop; /**< words before it are left whole, and lie in one block */
	uint64_t left;        /**< bytes left to give */
	uint64_t skip; /**< bytes of the next word's pages, or range, that lie before the cursor */
	const struct phyr_list *list; /**< list of the words; NULL: there are ranges */
	const void *block;            /**< block of the words; NULL: they lie in the list */
	const void *next;             /**< next slice, or this range */
	uint64_t nr_next;             /**< slices or ranges from there on */
	uint64_t later;               /**< bytes in those slices */
};

/** Go through one range; the cursor keeps it itself. Not past 2^64; len 0 gives an empty cursor. */
static inline void phyr_cursor_init_range(struct phyr_cursor *cur, phyr_addr_t addr, uint64_t len)
{
	cur->word = NULL;
	cur->stop = NULL;
	cur->left = len;
	cur->skip = addr;
	cur->list = NULL;
	cur->block = NULL;
	cur->next = NULL;
	cur->nr_next = 0;
	cur->later = 0;
}

/** Out-of-line twin of phyr_cursor_init_range(), for bindings. */
PHYR_API void phyr_cursor_init_single(struct phyr_cursor *cur, phyr_addr_t addr, uint64_t len);

/** phyr_cursor_init() out of line, for lists that have words, and for bindings. */
PHYR_API void phyr_cursor_init_list(struct phyr_cursor *cur, const struct phyr_list *list);

/** Start at the list's first byte. */
static inline void phyr_cursor_init(struct phyr_cursor *cur, const struct phyr_list *list)
{
	if (list->nr_words)
		phyr_cursor_init_list(cur, list);
	else
		phyr_cursor_init_range(cur, list->open_addr, list->len);
}

/**
 * Start at a byte of the list, and end len bytes later.
 *
 * Cost: O(log n) in the list's words.
 * @return 0; -EINVAL past the list's end (len 0 is allowed and gives an empty cursor)
 */
PHYR_API int phyr_cursor_init_at(struct phyr_cursor *cur, const struct phyr_list *list,
				 uint64_t offset, uint64_t len);

/**
 * Go through the slices of a listv in order, as phyr_slice_init() made them. Runs are not joined over
 * the edge of two slices. Gives 2^64 - 1 bytes at most.
 *
 * Cost: O(slices), and O(log n) whenever the cursor comes to a slice.
 */
PHYR_API void phyr_cursor_init_listv(struct phyr_cursor *cur, const struct phyr_listv *listv);

/**
 * Go through an array of ranges, borrowed; neighbours in memory are given as one run.
 *
 * Cost: O(nr), to check them.
 * @return 0; -EINVAL a range of length 0 or past 2^64, or more than 2^64 - 1 bytes together. There is
 *         no environment to report to.
 */
PHYR_API int phyr_cursor_init_ranges(struct phyr_cursor *cur, const struct phyr_range *ranges,
				     size_t nr);

/**
 * Take the next @len bytes of a cursor off, as a cursor of their own: a request that a device takes
 * in several commands.
 *
 * @param cur   advanced past them on success
 * @param head  out: gives those bytes and ends there; may not be @cur
 * @return 0; -EINVAL more than there are left, nothing changed. There is no environment to report to.
 * Cost: O(words passed).
 */
PHYR_API int phyr_cursor_split(struct phyr_cursor *cur, uint64_t len, struct phyr_cursor *head);

/**
 * phyr_cursor_next() for what its inline part leaves: long runs, block edges, the open run, arrays.
 * Length 0: the end.
 */
PHYR_API struct phyr_range phyr_cursor_next_slow(struct phyr_cursor *cur);

/** Out-of-line twin of phyr_cursor_next(), for bindings. */
PHYR_API bool phyr_cursor_next_range(struct phyr_cursor *cur, struct phyr_range *range);

/**
 * The next whole run, as one range; runs are not cut at words or blocks.
 *
 * @param range  out; of length 0 at the end
 * @return false at the end
 * Cost: O(1).
 */
static inline bool phyr_cursor_next(struct phyr_cursor *cur, struct phyr_range *range)
{
	const uint64_t *at = cur->word;
	uint64_t word, len;

	if (at == cur->stop || (*at & 0xfff) >= 0x7ff) {
		*range = phyr_cursor_next_slow(cur);
		return range->len != 0;
	}
	word = *at;
	len = ((word & 0xfff) + 1) << PHYR_PAGE_LG2;
	cur->word = at + 1;
	cur->left -= len;
	range->addr = word & ~(PHYR_PAGE_SIZE - 1);
	range->len = len;
	return true;
}

/**
 * Take a span: neighbouring words of one whole page each, each the page's address.
 *
 * @param max    words wanted at most
 * @param words  out, written when the return is not 0; points into the list
 * @return how many words; the cursor is past them. 0: the end, or what comes next is longer, shorter
 *         or the open run; take it with phyr_cursor_next().
 * Cost: O(words given). A span ends at a block's edge; the next call goes on in the next block.
 */
PHYR_API size_t phyr_cursor_span(struct phyr_cursor *cur, size_t max, const uint64_t **words);

/** The address of a list's first byte, as phyr_dma_iova_try_alloc() asks for it; 0: it is empty. */
PHYR_API phyr_addr_t phyr_list_first_addr(const struct phyr_list *list);

/** What a list is made of. */
struct phyr_list_stats {
	uint64_t runs;            /**< whole runs */
	uint64_t words;           /**< words that code them, the open run's included */
	uint64_t bytes;           /**< memory allocated for words and index, header not counted */
	uint64_t pages;           /**< pages touched by the buffer */
	uint64_t longest_pages;   /**< pages of the longest run */
	uint64_t runs_by_lg2[53]; /**< runs of 2^i to 2^(i+1) - 1 pages */
};

/** Count what the list is made of. Cost: O(words). */
PHYR_API void phyr_list_stats(const struct phyr_list *list, struct phyr_list_stats *stats);

/**
 * Write the runs left in a cursor as ranges.
 *
 * @param max  room, in ranges
 * @param nr   out: ranges written
 * @return 0, the cursor at its end; -E2BIG more than max: cursor, ranges' meaning and *nr untouched.
 *         There is no environment to report to.
 */
PHYR_API int phyr_cursor_to_ranges(struct phyr_cursor *cur, struct phyr_range *ranges, size_t max,
				   size_t *nr);

/**
 * The length of a run that starts a word, in pages.
 *
 * @param word  as in the list; its code must not be 0x800
 */
PHYR_API uint64_t phyr_word_pages(uint64_t word);

/**
 * Encode a run as words, largest piece first.
 *
 * @param addr   first page's address, a multiple of 4 KiB
 * @param pages  1 to 2^44, and the run ends at 2^64 at most (a list takes longer ones, in more words)
 * @param words  out, room for PHYR_WORDS_PER_RUN
 * @return words written: at most 2 to 1 GiB, at most 6 to 2^43 pages
 */
PHYR_API unsigned phyr_word_encode(phyr_addr_t addr, uint64_t pages, uint64_t *words);
#define PHYR_WORDS_PER_RUN 8

#ifdef __cplusplus
}
#endif
#endif
