/* SPDX-License-Identifier: MIT */
/*
 * A cache's stock: what was freed many at a time, below its magazines.
 *
 * A flush gives hundreds of stretches back at once, mostly of few lengths. Magazines are too short
 * for that, and deep ones for each length would be too large. So a slot has some bundles that any
 * length can have for its own; those of one length are a chain, and only its first is not full.
 *
 *   magazine  <---  top[class] ─▶ bundle ─▶ full bundle ─▶ full bundle
 *
 * It is used as the cache is: by who is inside, or under the allocator's lock when nobody is.
 */
#ifndef IOVA_STOCK_H
#define IOVA_STOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STOCK_BUNDLES 16
#define STOCK_CLASSES 1024
#define BUNDLE_ROOM   31

struct iova_bundle {
	uint16_t nr; /* 0: it is spare */
	uint16_t class;
	uint8_t next; /* of the chain, or of the spare ones; a number + 1, 0: none */
	uint64_t start[BUNDLE_ROOM];
};

struct iova_stock {
	uint8_t top[STOCK_CLASSES]; /* first of a class's chain, its number + 1; 0: none */
	uint8_t spare;
	uint8_t hand; /* bundle from whose class the next one goes when there are too many */
	struct iova_bundle bundle[STOCK_BUNDLES];
};

static inline void stock_init(struct iova_stock *stock)
{
	for (unsigned i = 0; i < STOCK_BUNDLES; i++)
		stock->bundle[i].next = (uint8_t)i;
	stock->spare = STOCK_BUNDLES;
}

/* Begin another bundle for a class; false: none is spare. */
static inline bool stock_begin(struct iova_stock *stock, uint64_t class)
{
	uint8_t nr = stock->spare;
	struct iova_bundle *b;

	if (!nr)
		return false;
	b = &stock->bundle[nr - 1];
	stock->spare = b->next;
	b->next = stock->top[class];
	b->class = (uint16_t) class;
	stock->top[class] = nr;
	return true;
}

static inline bool stock_push(struct iova_stock *stock, uint64_t class, uint64_t start)
{
	uint8_t nr = stock->top[class];
	struct iova_bundle *b;

	if (!nr || stock->bundle[nr - 1].nr == BUNDLE_ROOM) {
		if (!stock_begin(stock, class))
			return false;
		nr = stock->top[class];
	}
	b = &stock->bundle[nr - 1];
	b->start[b->nr++] = start;
	return true;
}

/* Take the last one of a class; false: there is none. */
static inline bool stock_pop(struct iova_stock *stock, uint64_t class, uint64_t *start)
{
	uint8_t nr = stock->top[class];
	struct iova_bundle *b;

	if (!nr)
		return false;
	b = &stock->bundle[nr - 1];
	*start = b->start[--b->nr];
	if (!b->nr) {
		stock->top[class] = b->next;
		b->next = stock->spare;
		stock->spare = nr;
	}
	return true;
}

/* Take one of any class, of the classes in turn; false: there is none. */
static inline bool stock_pop_any(struct iova_stock *stock, uint64_t *class, uint64_t *start)
{
	for (unsigned i = 0; i < STOCK_BUNDLES; i++) {
		const struct iova_bundle *b = &stock->bundle[stock->hand];

		stock->hand = (uint8_t)((stock->hand + 1) % STOCK_BUNDLES);
		if (!b->nr)
			continue;
		*class = b->class;
		return stock_pop(stock, b->class, start);
	}
	return false;
}

#endif
