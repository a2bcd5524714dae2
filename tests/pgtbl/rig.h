/* SPDX-License-Identifier: MIT */
/*
 * A table of one configuration in an environment that watches it; where the walker does not snoop, each
 * table has a shadow behind it, which changes only by lines that were written back.
 *
 *   | table, as the CPU has it | the same, as the walker has it |     one allocation
 */
#ifndef TESTS_PGTBL_RIG_H
#define TESTS_PGTBL_RIG_H

#include "pgtbl/configs.h"
#include "pgtbl/setup.h"

/* A leaf that was there when a sync in the midst of a change was asked to invalidate it. */
struct rig_seen {
	uint64_t iova;
	uint64_t size;
	uint64_t entry_size;
};

struct rig {
	const struct pgtbl_case *c;
	struct phyr_env shadow; /* below the test's environment; walkers that do not snoop only */
	struct tenv t;
	struct phyr_pgtbl *pt;
	struct phyr_gather g;
	uint64_t syncs;        /* in the midst of a change */
	struct rig_seen *seen; /* by syncs since rig_idle(), upwards in iova */
	size_t nr_seen, room_seen;
	uint64_t synced_start, synced_last; /* from the first to the last that they invalidated */
	struct phyr_lock lock;
	uint64_t flushes; /* how often lines were written back, */
	uint64_t flushed; /* and the bytes asked for */
	uintptr_t user;   /* the test's own */
};

/* Bytes of a table below the top, and where its shadow begins. */
static inline uintptr_t rig_table_size(const struct rig *rig)
{
	return (uintptr_t)1 << rig->c->granule_lg2;
}

void rig_init(struct rig *rig, const struct pgtbl_case *c);
/* With another environment below the test's; walkers that snoop only. */
void rig_init_on(struct rig *rig, const struct pgtbl_case *c, struct phyr_env *base);
/* Nothing may be left after the table is destroyed. */
void rig_fini(struct rig *rig);
/* The gather's tables back. */
void rig_sync(struct rig *rig);

/* For changes while idle: the sync in their midst notes what is still there in its range. */
struct phyr_pgtbl_idle rig_idle(struct rig *rig);

/*
 * Whether a sync saw a leaf in [iova, iova + size) that had to be gone by then, as a larger one
 * took its place. Where hardware takes that in place unless tables go, only those in tables that
 * are gone count.
 */
bool rig_saw(const struct rig *rig, uint64_t iova, uint64_t size, uint64_t entry_size);

/* The entry that shows at an index of a table, by the table's physical address. */
uint64_t *rig_entry(const struct rig *rig, uint64_t table, unsigned index);

/* Where an iova leads by a walker that shares nothing with the table's own; or -ENOENT. NULL: no such. */
typedef int rig_walker_fn(const struct rig *rig, uint64_t iova, struct phyr_translation *out);
extern rig_walker_fn *const rig_walker;

/* Tables that are reached, the top one included; each shadow is as its table where the walker looks. */
uint64_t rig_check_tables(struct rig *rig, uint64_t start, uint64_t last);

/* Set the hardware's mark in one entry of the leaf that iova is in, the one that turn picks. */
void rig_write(struct rig *rig, uint64_t iova, uint64_t turn);

/* Whether one of that leaf's entries has it. */
bool rig_is_dirty(const struct rig *rig, uint64_t iova);

#endif
