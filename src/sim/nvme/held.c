/* SPDX-License-Identifier: MIT */
/*
 * Commands that were fetched and have no completion yet: those that the plan holds back, and
 * Asynchronous Event Requests.
 *
 * One that is due completes in a step of its own, the earliest due first, when its completion queue
 * has room. Abort (Base 5.1) finds them by queue and identifier.
 */
#include "sim/nvme/nvme.h"

#include <string.h>

/* Identify: ACL, less one. Aborts that are held back themselves are the only ones outstanding. */
#define ABORTS_AT_ONCE (SIM_NVME_ACL + 1)

bool phyr_sim_nvme_can_hold(const struct sim_nvme *n, uint32_t sqid)
{
	return n->nr_held + (sqid ? SIM_NVME_HELD_ADMIN : 0) < SIM_NVME_HELD;
}

void phyr_sim_nvme_hold(struct sim_nvme *n, const struct sim_nvme_held *held)
{
	if (n->enabled)
		n->held[n->nr_held++] = *held;
}

static struct sim_nvme_held take(struct sim_nvme *n, unsigned i)
{
	struct sim_nvme_held held = n->held[i];

	n->nr_held--;
	memmove(&n->held[i], &n->held[i + 1], (n->nr_held - i) * sizeof(held));
	return held;
}

bool phyr_sim_nvme_has_reordered(const struct sim_nvme *n, uint32_t sqid)
{
	for (unsigned i = 0; i < n->nr_held; i++) {
		if (n->held[i].reordered && n->held[i].sqid == sqid)
			return true;
	}
	return false;
}

void phyr_sim_nvme_release_reordered(struct sim_nvme *n, uint32_t sqid)
{
	for (unsigned i = 0; i < n->nr_held; i++) {
		if (n->held[i].reordered && n->held[i].sqid == sqid)
			n->held[i].due = n->now;
	}
}

static bool can_finish(const struct sim_nvme *n, const struct sim_nvme_held *held)
{
	return held->due <= n->now && phyr_sim_nvme_can_post(n, held->sqid);
}

bool phyr_sim_nvme_finish_due(struct sim_nvme *n)
{
	unsigned first = n->nr_held;
	struct sim_nvme_held done;

	for (unsigned i = 0; i < n->nr_held; i++) {
		if (can_finish(n, &n->held[i]) &&
		    (first == n->nr_held || n->held[i].due < n->held[first].due))
			first = i;
	}
	if (first == n->nr_held)
		return false;
	done = take(n, first);
	phyr_sim_nvme_post(n, &done);
	return true;
}

bool phyr_sim_nvme_held_goes_on(const struct sim_nvme *n)
{
	for (unsigned i = 0; i < n->nr_held; i++) {
		uint64_t due = n->held[i].due;

		if (due > n->now ? due != PHYR_SIM_NVME_NEVER : can_finish(n, &n->held[i]))
			return true;
	}
	return false;
}

/* End a command early: at once, or as soon as its completion queue has room. */
static void end(struct sim_nvme *n, unsigned i, unsigned status)
{
	struct sim_nvme_held *held = &n->held[i], done;

	held->status = (uint16_t)status;
	held->result = 0;
	held->due = n->now;
	if (phyr_sim_nvme_can_post(n, held->sqid)) {
		done = take(n, i);
		phyr_sim_nvme_post(n, &done);
	}
}

static unsigned aborts_outstanding(const struct sim_nvme *n)
{
	unsigned nr = 0;

	for (unsigned i = 0; i < n->nr_held; i++)
		nr += !n->held[i].sqid && n->held[i].opcode == NVME_ABORT;
	return nr;
}

/* The command's completion comes before Abort's. One that is ending anyway is not there any more. */
unsigned phyr_sim_nvme_abort(struct sim_nvme *n, const struct sim_nvme_cmd *cmd, uint32_t *result)
{
	uint32_t sqid = NVME_ABORT_SQID(cmd->dw[10]), cid = NVME_ABORT_CID(cmd->dw[10]);

	if (aborts_outstanding(n) >= ABORTS_AT_ONCE)
		return NVME_ABORT_LIMIT_EXCEEDED;
	for (unsigned i = 0; i < n->nr_held; i++) {
		const struct sim_nvme_held *held = &n->held[i];

		if (held->sqid == sqid && held->cid == cid && held->due > n->now) {
			end(n, i, NVME_ABORT_REQUESTED);
			return NVME_SUCCESS;
		}
	}
	*result = NVME_NOT_ABORTED;
	return NVME_SUCCESS;
}

unsigned phyr_sim_nvme_request_event(const struct sim_nvme *n)
{
	unsigned nr = 0;

	for (unsigned i = 0; i < n->nr_held; i++)
		nr += n->held[i].event_request;
	return nr > SIM_NVME_AERL ? NVME_EVENT_LIMIT_EXCEEDED : NVME_PENDING;
}

/* The request that came first and is not ending otherwise; or nr_held. */
static unsigned find_request(const struct sim_nvme *n)
{
	unsigned i = 0;

	while (i < n->nr_held && !(n->held[i].event_request && n->held[i].due > n->now))
		i++;
	return i;
}

bool phyr_sim_nvme_can_finish_request(const struct sim_nvme *n)
{
	return find_request(n) < n->nr_held && phyr_sim_nvme_can_post(n, 0);
}

void phyr_sim_nvme_finish_request(struct sim_nvme *n, uint32_t result)
{
	struct sim_nvme_held done = take(n, find_request(n));

	done.status = NVME_SUCCESS;
	done.result = result;
	phyr_sim_nvme_post(n, &done);
}

/* Those that find no room for a completion are over all the same: the queue's deletion says so. */
void phyr_sim_nvme_end_held(struct sim_nvme *n, uint32_t sqid)
{
	for (unsigned i = 0; i < n->nr_held;) {
		struct sim_nvme_held done;

		if (n->held[i].sqid != sqid) {
			i++;
			continue;
		}
		done = take(n, i);
		done.status = NVME_ABORTED_SQ_DELETION;
		done.result = 0;
		if (phyr_sim_nvme_can_post(n, sqid))
			phyr_sim_nvme_post(n, &done);
	}
}
