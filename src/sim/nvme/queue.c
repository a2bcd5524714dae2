/* SPDX-License-Identifier: MIT */
/*
 * The controller's queues: which command is next, fetching it, posting its completion.
 *
 * A command is fetched only when its completion queue has a free entry, so a completion waits for
 * one only when a plan held it back: a full completion queue holds back the submission queues that
 * lead to it, and a head doorbell lets them go on. All submission queues, the admin one included,
 * take turns (round robin, Base 3.4.4).
 */
#include "sim/nvme/nvme.h"

#include <limits.h>

static uint32_t ring_distance(uint32_t from, uint32_t to, uint32_t size)
{
	return to >= from ? to - from : to + size - from;
}

static uint32_t ring_next(uint32_t place, uint32_t size)
{
	return place + 1 == size ? 0 : place + 1;
}

/* Entries that the host has not taken yet. */
static uint32_t cq_used(const struct sim_nvme_cq *cq)
{
	return ring_distance(cq->head, cq->tail, cq->size);
}

/*
 * A value that is no place of the queue, that was written before, or that adds more commands than
 * there are free entries, is invalid (Base 5.2.1, error status): it is told, and nothing else.
 */
void phyr_sim_nvme_sq_doorbell(struct sim_nvme *n, uint32_t qid, uint32_t tail)
{
	struct sim_nvme_sq *sq = &n->sqs[qid];
	uint32_t used, more;

	if (tail < sq->size) {
		used = ring_distance(sq->head, sq->tail, sq->size);
		more = ring_distance(sq->tail, tail, sq->size);
		if (more && used + more < sq->size) {
			sq->tail = tail;
			return;
		}
	}
	phyr_sim_nvme_doorbell_error(n, NVME_EVENT_DOORBELL_VALUE);
}

/* As above; here invalid is what would take entries that were not posted. */
void phyr_sim_nvme_cq_doorbell(struct sim_nvme *n, uint32_t qid, uint32_t head)
{
	struct sim_nvme_cq *cq = &n->cqs[qid];

	if (head < cq->size && head != cq->head &&
	    ring_distance(cq->head, head, cq->size) <= cq_used(cq))
		cq->head = head;
	else
		phyr_sim_nvme_doorbell_error(n, NVME_EVENT_DOORBELL_VALUE);
}

bool phyr_sim_nvme_can_post(const struct sim_nvme *n, uint32_t sqid)
{
	const struct sim_nvme_cq *cq = &n->cqs[n->sqs[sqid].cqid];

	return cq_used(cq) + 1 < cq->size;
}

static bool sq_can_run(const struct sim_nvme *n, uint32_t qid)
{
	const struct sim_nvme_sq *sq = &n->sqs[qid];

	return sq->head != sq->tail && phyr_sim_nvme_can_post(n, qid) &&
	       phyr_sim_nvme_can_hold(n, qid);
}

uint32_t phyr_sim_nvme_find_sq(const struct sim_nvme *n)
{
	uint32_t nr = n->max_queues + 1, qid = n->next_sq;

	for (uint32_t i = 0; i < nr; i++) {
		if (sq_can_run(n, qid))
			return qid;
		qid = ring_next(qid, nr);
	}
	return nr;
}

static bool vector_masked(const struct sim_nvme *n, unsigned vector)
{
	return vector < 32 && n->int_mask >> vector & 1;
}

/* The function of the interrupt before this one may have unplugged or reset the controller. */
static void raise_now(struct sim_nvme *n, unsigned vector)
{
	if (n->enabled && !vector_masked(n, vector))
		phyr_sim_irq(n->sdev, vector);
}

static void raise(struct sim_nvme *n, unsigned vector)
{
	n->coalesced[vector] = 0;
	raise_now(n, vector);
}

void phyr_sim_nvme_raise_unmasked(struct sim_nvme *n)
{
	uint32_t raised = 0;

	for (uint32_t qid = 0; n->irq_check && qid <= n->max_queues; qid++) {
		const struct sim_nvme_cq *cq = &n->cqs[qid];

		if (cq->size && cq->interrupts && cq->vector < 32 && cq_used(cq))
			raised |= n->irq_check & 1u << cq->vector;
	}
	n->irq_check = 0;
	for (unsigned vector = 0; vector < 32; vector++) {
		if (raised >> vector & 1)
			raise_now(n, vector);
	}
}

/* A queue keeps its turn for a burst of commands (Base 3.4.4). */
static void take_turn(struct sim_nvme *n, uint32_t sqid)
{
	unsigned burst_lg2 = NVME_ARBITRATION_BURST(n->set.arbitration);

	if (sqid != n->burst_sq || !n->burst_left) {
		n->burst_sq = sqid;
		n->burst_left = burst_lg2 == NVME_ARBITRATION_NO_LIMIT ? UINT_MAX : 1u << burst_lg2;
	}
	n->burst_left--;
	n->next_sq = n->burst_left ? sqid : ring_next(sqid, n->max_queues + 1);
}

/* Base 3.3.3.1: 64 bytes, little endian. */
bool phyr_sim_nvme_fetch(struct sim_nvme *n, uint32_t sqid, struct sim_nvme_cmd *cmd)
{
	struct sim_nvme_sq *sq = &n->sqs[sqid];
	uint64_t addr = sq->base + ((uint64_t)sq->head << NVME_SQE_LG2);

	if (phyr_sim_dma_read(n->sdev, addr, cmd->dw, sizeof(cmd->dw)))
		return false;
	for (unsigned i = 0; i < 16; i++)
		cmd->dw[i] = le32toh(cmd->dw[i]);
	sq->head = ring_next(sq->head, sq->size);
	take_turn(n, sqid);
	n->stats.commands++;
	return true;
}

/* Interrupts of I/O queues may wait for others (Base 5.27.1.6). @return whether this one does */
static bool waits_for_more(struct sim_nvme *n, unsigned vector)
{
	uint32_t c = n->set.coalescing;

	if (!NVME_COALESCING_TIME(c) || n->set.alone[vector] ||
	    n->coalesced[vector] >= NVME_COALESCING_THRESHOLD(c))
		return false;
	n->coalesced[vector]++;
	n->any_coalesced = true;
	return true;
}

/* The time that may pass is not asked: when there is nothing to do, it is over. */
void phyr_sim_nvme_raise_coalesced(struct sim_nvme *n)
{
	for (unsigned vector = 0; n->any_coalesced && vector < PHYR_SIM_VECTORS; vector++) {
		if (n->coalesced[vector])
			raise(n, vector);
	}
	n->any_coalesced = false;
}

static void advance(struct sim_nvme_cq *cq)
{
	cq->tail = ring_next(cq->tail, cq->size);
	cq->phase ^= cq->tail == 0;
}

/* Base 3.3.3.2. One write, whose last qword has the phase: the host sees the entry whole or not. */
static bool write_entry(struct sim_nvme *n, const struct sim_nvme_held *done)
{
	const struct sim_nvme_sq *sq = &n->sqs[done->sqid];
	const struct sim_nvme_cq *cq = &n->cqs[sq->cqid];
	uint64_t entry[2] = {
		htole64(done->result),
		htole64(sq->head | (uint64_t)done->sqid << 16 | (uint64_t)done->cid << 32 |
			(uint64_t)(done->status << 1 | cq->phase) << 48),
	};

	return !phyr_sim_dma_write(n->sdev, cq->base + ((uint64_t)cq->tail << NVME_CQE_LG2), entry,
				   sizeof(entry));
}

/*
 * A queue that can't be reached is a fatal error that no completion can tell of (Base 9.5). A command
 * in whose midst an interrupt's function unplugged or reset the controller has no completion.
 */
void phyr_sim_nvme_post(struct sim_nvme *n, const struct sim_nvme_held *held)
{
	struct sim_nvme_held done = *held;
	struct sim_nvme_cq *cq = &n->cqs[n->sqs[done.sqid].cqid];
	bool logged = phyr_sim_nvme_is_logged(done.status);

	if (!n->enabled)
		return;
	if (logged)
		done.status |= NVME_MORE;
	if (!write_entry(n, &done)) {
		n->fatal = true;
		return;
	}
	advance(cq);
	n->stats.completions++;
	phyr_sim_nvme_release_reordered(n, done.sqid);
	if (logged)
		phyr_sim_nvme_note_error(n, &done);
	if (cq->interrupts && (cq == n->cqs || !waits_for_more(n, cq->vector)))
		raise(n, cq->vector);
}
