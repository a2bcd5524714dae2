/* SPDX-License-Identifier: MIT */
/*
 * A device on a backend of choice, for tests of mapping: no memory is touched and nothing walks the
 * tables, so addresses can be anything. What the device would see is asked of the domain.
 */
#ifndef TESTS_DMA_RIG_H
#define TESTS_DMA_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <phyr/backend.h>
#include <phyr/dma.h>

#include "core/err.h"
#include "lib/tenv.h"

#define K4  ((uint64_t)4096)
#define K64 ((uint64_t)65536)
#define M2  ((uint64_t)2 << 20)
#define G1  ((uint64_t)1 << 30)

/* Hardware that counts what it is told, and can refuse a device. */
struct rig_hw {
	struct phyr_soft_hw hw;
	struct phyr_soft_info info;
	int attach_err;
	uint64_t invalidations;
	uint64_t start, last; /* of the last invalidation */
};

struct rig_config {
	enum phyr_pgtbl_format format; /* 0: no IOMMU */
	uint64_t page_sizes;           /* 0: all */
	uint64_t start, last;          /* aperture; last 0: 2^48 - 1 */
	struct phyr_limits limits;     /* size 0: none */
};

/* Places to map for: no IOMMU, all leaf sizes, no leaf under 2 MiB. */
extern const struct rig_config rig_direct, rig_vtdss, rig_large;

/* Runs of many kinds: a start inside a page, several pages, one, an end inside a page. */
extern const struct phyr_range rig_mixed[4];

#define RIG_LIMITS(...)                                 \
	{                                               \
		sizeof(struct phyr_limits), __VA_ARGS__ \
	}

struct rig {
	struct tenv t;
	struct rig_hw hw;
	struct phyr_iommu *iommu;
	struct phyr_domain *domain;
	struct phyr_dev *dev;
	int64_t objects, pages; /* live when the rig was made */
};

/* Each step is asserted. */
void rig_init(struct rig *r, const struct rig_config *config);
/* All but the device. */
void rig_init_domain(struct rig *r, const struct rig_config *config);
/* Asserts that nothing is mapped and nothing leaks. */
void rig_fini(struct rig *r);

/* Make a RAM list of ranges; what it takes is no leak of the device's. */
void rig_list(struct rig *r, struct phyr_list *list, const struct phyr_range *ranges, size_t nr);

/* Whether no iova is taken. */
bool rig_idle(struct rig *r);
/* Live iova, bytes. */
uint64_t rig_iova(struct rig *r);

/* Where a dma address leads: ~0 when nowhere. */
uint64_t rig_walk(struct rig *r, uint64_t dma);
/* What the device may do there: 0 when nothing. */
unsigned rig_prot(struct rig *r, uint64_t dma);

/* The last report says this; then reports are forgotten. */
#define assert_report(r, e, call_, addr_, len_)               \
	do {                                                  \
		assert_true((r)->t.reports > 0);              \
		assert_int_equal((r)->t.last.err, e);         \
		assert_string_equal((r)->t.last.call, call_); \
		assert_int_equal((r)->t.last.addr, addr_);    \
		assert_int_equal((r)->t.last.len, len_);      \
		assert_non_null((r)->t.last.hint);            \
		tenv_restart(&(r)->t);                        \
	} while (0)

#endif
