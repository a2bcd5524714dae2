/* SPDX-License-Identifier: MIT */
/*
 * The flush queue: a ring of iova for each slot of the environment, and a gather for what waits in it.
 *
 *   put ──▶ slot 0  │ ring: . . . r r r w w .│ gather      r  taken, its invalidation is on its way
 *   put ──▶ slot 1  │ ring: r r . . . . . . w│ gather      w  waits for the next one
 *                            tail taken  head
 *
 * A flush takes every slot's gather, and with it notes how far the ring goes (taken); then comes one
 * invalidation of them all, joined; then [tail, taken) of every ring is given back. So nothing is
 * given back that came after the flush had been there, and puts go on meanwhile.
 *
 * Flushes are one after another, under a lock. Who waits there for another's flush that began after
 * he came has nothing left to do: that one has taken what was his.
 *
 * The joined gather is one range, from the lowest iova that waits to the highest: never more than
 * all of the domain, and the backend knows best from which size on one command for all is cheaper.
 *
 * What waits is bounded in bytes, too. Slots that counted them together would meet with every put;
 * so a slot takes its share of what may wait, some at a time, until its next flush is done.
 */
#include "core/mem.h"
#include "iommu/domain.h"
#include "iova/iova.h"
#include "pgtbl/gather.h"

#define DEFAULT_ENTRIES    256
#define MAX_ENTRIES        65536
#define DEFAULT_MAX_AGE_NS 10000000
/* A look at the clock costs several times what a put does. */
#define PUTS_PER_CLOCK 8
/* Of all iova there is, what may wait. */
#define BYTES_LG2 3
/* Of what may wait, what all slots have taken and do not need yet, at most. */
#define SPARE_LG2 2

struct flushq_slot {
	struct phyr_lock lock;     /* over what puts write, and taken */
	struct phyr_range *ring;   /* constant */
	uint64_t head;             /* entries put so far */
	uint64_t bytes_in;         /* their iova */
	struct phyr_gather gather; /* of the entries in [taken, head) */
	uint64_t taken;            /* so many are invalidated, or will be by the flush that runs */
	uint64_t bytes_taken;      /* their iova */
	uint64_t share;            /* of the queue's bytes, for those in [taken, head) */

	/* Who holds the queue's lock. */
	uint64_t tail; /* so many are given back; their places in the ring are free */
	uint64_t bytes_out;
	uint64_t share_taken; /* for those in [tail, taken) */
	uint64_t apart[3];
};

_Static_assert(sizeof(struct flushq_slot) % SLOT_LINE == 0, "slots do not share lines");

struct phyr_flushq {
	struct phyr_domain *domain;
	struct phyr_env *env;
	struct flushq_slot *slots; /* env->nr_slots of them */
	void *slots_mem;
	unsigned nr_locks;   /* slots that are complete */
	unsigned entries;    /* of a slot */
	unsigned mask;       /* places in a ring, a power of two, minus 1 */
	uint64_t max_age_ns; /* UINT64_MAX: time does not count */
	uint64_t max_bytes;  /* 0: as much as the allocator's size says */

	uint64_t shares; /* of all slots, in bytes: what waits is less; atomic */

	/* Since when something waits, at most; 0: nothing does. */
	uint64_t oldest_ns;

	struct phyr_lock lock; /* over flushes */
	uint64_t started;      /* flushes that began */
	uint64_t full;
	uint64_t bytes;
	uint64_t aged;
	uint64_t asked;
	uint64_t large; /* invalidations for one put; atomic */
};

/* How many bytes may wait in all slots. */
static uint64_t most_bytes(const struct phyr_flushq *q)
{
	const struct phyr_iova *iova = q->domain->iova;

	return q->max_bytes ? q->max_bytes : (iova->last - iova->start + 1) >> BYTES_LG2;
}

/* Let a slot have a larger share, more than it needs if there is. False: too much waits. */
static __attribute__((noinline)) bool slot_grow(struct phyr_flushq *q, struct flushq_slot *slot,
						uint64_t need)
{
	uint64_t most = most_bytes(q), had = load_relaxed(&q->shares), more;

	do {
		uint64_t left = had < most ? most - had : 0;

		if (need > left)
			return false;
		more = max_u64(need, min_u64(left, (most >> SPARE_LG2) / q->env->nr_slots));
	} while (!compare_exchange(&q->shares, &had, had + more));
	slot->share += more;
	return true;
}

/* Under the slot's lock: whether so many bytes more may wait in it. */
static bool slot_may_hold(struct phyr_flushq *q, struct flushq_slot *slot, uint64_t len)
{
	uint64_t left = slot->share - (slot->bytes_in - slot->bytes_taken);

	return likely(len <= left) || slot_grow(q, slot, len - left);
}

enum put { PUT, PUT_FULL, PUT_BYTES };

/* Have an entry wait in a slot, and count those before it there; or say what is too much. */
static enum put slot_put(struct phyr_flushq *q, struct flushq_slot *slot, uint64_t iova,
			 uint64_t len, struct phyr_gather *gather, uint64_t *before)
{
	enum put how = PUT_FULL;
	uint64_t head;

	env_lock(q->env, &slot->lock);
	head = slot->head;
	/* Pairs with the release in slot_give_back(): who reads the place is through with it. */
	if (likely(head - load_acquire(&slot->tail) < q->entries))
		how = slot_may_hold(q, slot, len) ? PUT : PUT_BYTES;
	if (likely(how == PUT)) {
		*before = head - slot->taken;
		slot->ring[head & q->mask] = (struct phyr_range){iova, len};
		gather_join(&slot->gather, gather);
		store_relaxed(&slot->bytes_in, slot->bytes_in + len);
		/* Pairs with the acquires of who looks without the lock. */
		store_release(&slot->head, head + 1);
	}
	env_unlock(q->env, &slot->lock);
	return how;
}

/* Have the flush that runs serve what waits in a slot. False: nothing does. */
static bool slot_take(struct phyr_flushq *q, struct flushq_slot *slot, struct phyr_gather *all)
{
	if (load_acquire(&slot->head) == slot->taken)
		return false;
	env_lock(q->env, &slot->lock);
	slot->taken = slot->head;
	slot->bytes_taken = slot->bytes_in;
	slot->share_taken = slot->share;
	slot->share = 0;
	gather_join(all, &slot->gather);
	env_unlock(q->env, &slot->lock);
	return true;
}

/* After the invalidation: no put touches what lies in [tail, taken). */
static void slot_give_back(struct phyr_flushq *q, struct flushq_slot *slot)
{
	uint64_t tail = slot->tail;

	if (tail == slot->taken)
		return;
	if (slot->bytes_out == slot->bytes_taken)
		tail = slot->taken; /* there is no iova */
	while (tail != slot->taken) {
		uint64_t at = tail & q->mask, nr = min_u64(slot->taken - tail, q->mask + 1 - at);

		phyr_iova_free_many(q->domain->iova, &slot->ring[at], nr);
		tail += nr;
	}
	atomic_count_sub(&q->shares, slot->share_taken);
	store_relaxed(&slot->bytes_out, slot->bytes_taken);
	store_release(&slot->tail, tail);
}

static bool take_all(struct phyr_flushq *q, struct phyr_gather *all)
{
	bool any = false;

	for (unsigned i = 0; i < q->env->nr_slots; i++)
		any |= slot_take(q, &q->slots[i], all);
	return any;
}

/* The queue's lock is held. */
static void flush_locked(struct phyr_flushq *q, uint64_t *reason)
{
	struct phyr_gather all;

	gather_none(&all);
	/*
	 * Read-modify-writes, as those of flush() and look_at_clock(): whichever comes second sees what the
	 * other side did before. So who finds that a flush started after he came had put before the slots
	 * are looked at; and who puts after that finds the clock stopped, and starts it.
	 */
	fetch_add(&q->started, 1);
	fetch_swap(&q->oldest_ns, 0);
	if (!take_all(q, &all))
		return;
	count_add(reason, 1);
	domain_sync(q->domain, &all);
	for (unsigned i = 0; i < q->env->nr_slots; i++)
		slot_give_back(q, &q->slots[i]);
}

static __attribute__((noinline)) void flush(struct phyr_flushq *q, uint64_t *reason)
{
	uint64_t seen = fetch_add(&q->started, 0);

	env_lock(q->env, &q->lock);
	if (load_relaxed(&q->started) == seen)
		flush_locked(q, reason);
	env_unlock(q->env, &q->lock);
}

/* 0 is no time. */
static uint64_t now_ns(struct phyr_flushq *q)
{
	return max_u64(env_now_ns(q->env), 1);
}

/* Flush when something has waited for too long; of several that find out, one does. */
static bool flush_aged(struct phyr_flushq *q, uint64_t oldest, uint64_t now)
{
	if (likely(now < oldest || now - oldest < q->max_age_ns))
		return false;
	if (compare_exchange(&q->oldest_ns, &oldest, 0))
		flush(q, &q->aged);
	return true;
}

/* An entry waits from now on, in its slot the first one since a flush, or one of many. */
static void look_at_clock(struct phyr_flushq *q, bool first)
{
	uint64_t oldest, now;

	if (q->max_age_ns == UINT64_MAX)
		return;
	now = now_ns(q);
	/* The first in its slot may be overlooked by a flush that stopped the clock: flush_locked(). */
	oldest = first ? fetch_add(&q->oldest_ns, 0) : load_relaxed(&q->oldest_ns);
	if (!oldest)
		compare_exchange(&q->oldest_ns, &oldest, now);
	else
		flush_aged(q, oldest, now);
}

/* What alone is more than may wait does not: it has an invalidation of its own. */
static void serve_large(struct phyr_flushq *q, uint64_t iova, uint64_t len,
			struct phyr_gather *gather)
{
	domain_sync(q->domain, gather);
	phyr_iova_free(q->domain->iova, iova, len);
	atomic_count_add(&q->large, 1);
}

/* Put it once there is room. False: it has been served without. */
static bool put(struct phyr_flushq *q, uint64_t iova, uint64_t len, struct phyr_gather *gather,
		uint64_t *before)
{
	for (;;) {
		switch (slot_put(q, &q->slots[env_slot(q->env)], iova, len, gather, before)) {
		case PUT:
			return true;
		case PUT_FULL:
			flush(q, &q->full);
			break;
		case PUT_BYTES:
			if (len > most_bytes(q)) {
				serve_large(q, iova, len, gather);
				return false;
			}
			flush(q, &q->bytes);
		}
	}
}

void phyr_flushq_put(struct phyr_flushq *q, uint64_t iova, uint64_t len, struct phyr_gather *gather)
{
	uint64_t before;

	if (unlikely(gather_holds_nothing(gather))) {
		if (len)
			phyr_iova_free(q->domain->iova, iova, len);
		return;
	}
	if (unlikely(!put(q, iova, len, gather, &before)))
		return;
	if (before % PUTS_PER_CLOCK == 0)
		look_at_clock(q, before == 0);
}

uint64_t phyr_flushq_poll(struct phyr_flushq *q)
{
	uint64_t oldest = load_relaxed(&q->oldest_ns), now;

	if (!oldest)
		return UINT64_MAX;
	now = now_ns(q);
	if (flush_aged(q, oldest, now))
		return q->max_age_ns;
	return now < oldest ? q->max_age_ns : q->max_age_ns - (now - oldest);
}

void phyr_flushq_flush(struct phyr_flushq *q)
{
	flush(q, &q->asked);
}

void phyr_flushq_get_stats(struct phyr_flushq *q, struct phyr_flushq_stats *stats)
{
	uint64_t oldest = load_relaxed(&q->oldest_ns), now = now_ns(q);

	mem_set(stats, 0, sizeof(*stats));
	stats->full = load_relaxed(&q->full);
	stats->bytes = load_relaxed(&q->bytes) + load_relaxed(&q->large);
	stats->aged = load_relaxed(&q->aged);
	stats->asked = load_relaxed(&q->asked);
	for (unsigned i = 0; i < q->env->nr_slots; i++) {
		const struct flushq_slot *slot = &q->slots[i];
		/* In this order no difference is below 0. */
		uint64_t tail = load_acquire(&slot->tail), out = load_relaxed(&slot->bytes_out);
		uint64_t head = load_acquire(&slot->head), in = load_relaxed(&slot->bytes_in);

		stats->puts += head;
		stats->waiting += head - tail;
		stats->waiting_bytes += in > out ? in - out : 0;
	}
	if (stats->waiting && oldest && now > oldest)
		stats->oldest_ns = now - oldest;
}

static size_t ring_size(const struct phyr_flushq *q)
{
	return max_u64(((size_t)q->mask + 1) * sizeof(struct phyr_range), PHYR_PAGE_SIZE);
}

static size_t slots_mem_size(const struct phyr_env *env)
{
	return env->nr_slots * sizeof(struct flushq_slot) + SLOT_LINE;
}

static void free_queue(struct phyr_flushq *q)
{
	while (q->nr_locks--) {
		struct flushq_slot *slot = &q->slots[q->nr_locks];

		env_lock_fini(q->env, &slot->lock);
		env_free_pages(q->env, slot->ring, ring_size(q));
	}
	env_free(q->env, q->slots_mem, slots_mem_size(q->env));
	env_free(q->env, q, sizeof(*q));
}

static int make_slot(struct phyr_flushq *q, struct flushq_slot *slot)
{
	int err;

	slot->ring = env_alloc_pages(q->env, ring_size(q));
	if (!slot->ring)
		return -ENOMEM;
	err = env_lock_init(q->env, &slot->lock);
	if (err)
		env_free_pages(q->env, slot->ring, ring_size(q));
	else
		gather_none(&slot->gather);
	return err;
}

/* The slots; what is there of them is counted in nr_locks. */
static int make_slots(struct phyr_flushq *q)
{
	int err = 0;

	q->slots_mem = env_alloc(q->env, slots_mem_size(q->env));
	if (!q->slots_mem)
		return -ENOMEM;
	q->slots = slots_lines(q->slots_mem);
	while (!err && q->nr_locks < q->env->nr_slots) {
		err = make_slot(q, &q->slots[q->nr_locks]);
		q->nr_locks += !err;
	}
	return err;
}

static int make_queue(struct phyr_domain *domain, const struct phyr_flushq_config *config,
		      struct phyr_flushq **out)
{
	struct phyr_flushq *q = env_alloc(domain->env, sizeof(*q));
	int err;

	if (!q)
		return -ENOMEM;
	q->domain = domain;
	q->env = domain->env;
	q->entries = config->entries ? config->entries : DEFAULT_ENTRIES;
	q->mask = (unsigned)pow2_at_least(q->entries) - 1;
	q->max_bytes = config->max_bytes;
	q->max_age_ns = config->max_age_ns ? config->max_age_ns : DEFAULT_MAX_AGE_NS;
	err = make_slots(q);
	if (!err)
		err = env_lock_init(q->env, &q->lock);
	if (err) {
		free_queue(q);
		return err;
	}
	*out = q;
	return 0;
}

int phyr_flushq_create(struct phyr_domain *domain, const struct phyr_flushq_config *config,
		       struct phyr_flushq **out)
{
	static const struct phyr_flushq_config defaults = {.size = sizeof(defaults)};
	static const char call[] = "phyr_flushq_create";
	int err;

	if (!config)
		config = &defaults;
	if (config->size != sizeof(*config))
		return env_fail(domain->env, .err = -EINVAL, .call = call, .limit = sizeof(*config),
				.hint = "set size to sizeof(struct phyr_flushq_config)");
	if (config->entries > MAX_ENTRIES)
		return env_fail(domain->env, .err = -EINVAL, .call = call, .index = config->entries,
				.index_of = "entries", .limit = MAX_ENTRIES,
				.hint = "so many entries a slot are too many");
	if (!domain_translates(domain))
		return env_fail(
			domain->env, .err = -EOPNOTSUPP, .call = call,
			.hint = "nothing is translated: no unmap waits for an invalidation");
	err = make_queue(domain, config, out);
	if (err)
		return env_fail(domain->env, .err = err, .call = call,
				.hint = "no memory for the queue's slots");
	return 0;
}

void phyr_flushq_destroy(struct phyr_flushq *q)
{
	if (!q)
		return;
	flush(q, &q->asked);
	env_lock_fini(q->env, &q->lock);
	free_queue(q);
}
