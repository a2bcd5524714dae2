/* SPDX-License-Identifier: MIT */
/*
 * Asynchronous events (Base 5.2).
 *
 * An event waits until a request is there to carry it. Once one is told, others of its type wait too,
 * until the host reads the log page of that type without Retain; that reading also covers those that
 * waited. Several like ones that wait are one.
 */
#include "sim/nvme/nvme.h"

#include "sim/machine.h"

#define NO_COMMAND 0xffff

static const enum nvme_log log_of[NVME_EVENT_TYPES] = {
	[NVME_EVENT_ERROR] = NVME_LOG_ERRORS,
	[NVME_EVENT_HEALTH] = NVME_LOG_HEALTH,
	[NVME_EVENT_NOTICE] = NVME_LOG_CHANGED_NS,
};

void phyr_sim_nvme_event(struct sim_nvme *n, enum nvme_event_type type, unsigned info)
{
	n->events.pending[type] |= (uint8_t)(1u << info);
}

void phyr_sim_nvme_clear_events(struct sim_nvme *n, enum nvme_log log)
{
	for (unsigned type = 0; type < NVME_EVENT_TYPES; type++) {
		if (log_of[type] != log)
			continue;
		n->events.pending[type] = 0;
		n->events.masked[type] = false;
	}
}

/* The first type that has something to tell; or NVME_EVENT_TYPES. */
static unsigned find(const struct sim_nvme *n)
{
	unsigned type = 0;

	while (type < NVME_EVENT_TYPES && (!n->events.pending[type] || n->events.masked[type]))
		type++;
	return type;
}

bool phyr_sim_nvme_has_event(const struct sim_nvme *n)
{
	return find(n) < NVME_EVENT_TYPES && phyr_sim_nvme_can_finish_request(n);
}

bool phyr_sim_nvme_tell_event(struct sim_nvme *n)
{
	unsigned type = find(n), info = 0;

	if (type == NVME_EVENT_TYPES || !phyr_sim_nvme_can_finish_request(n))
		return false;
	while (!(n->events.pending[type] >> info & 1))
		info++;
	n->events.pending[type] &= (uint8_t) ~(1u << info);
	n->events.masked[type] = true;
	phyr_sim_nvme_finish_request(n, NVME_EVENT(type, info, log_of[type]));
	return true;
}

/* No command is to blame: queue and identifier are ffffh (Base 5.16.1.2). */
void phyr_sim_nvme_doorbell_error(struct sim_nvme *n, unsigned info)
{
	if (!n->enabled)
		return;
	phyr_sim_nvme_note_error(n, &(struct sim_nvme_held){.sqid = NO_COMMAND,
							    .cid = NO_COMMAND,
							    .status = NVME_INVALID_FIELD});
	phyr_sim_nvme_event(n, NVME_EVENT_ERROR, info);
}

/* Told when it is passed, not as long as it lasts. */
void phyr_sim_nvme_check_temperature(struct sim_nvme *n)
{
	struct sim_nvme_health *h = &n->health;
	bool was = h->hot;

	h->hot = h->kelvin >= n->set.temperature[0] || h->kelvin <= n->set.temperature[1];
	if (h->hot && !was && n->set.events & NVME_WARNING_TEMPERATURE)
		phyr_sim_nvme_event(n, NVME_EVENT_HEALTH, NVME_EVENT_TEMPERATURE);
}

void phyr_sim_nvme_ns_changed(struct sim_nvme *n, struct sim_nvme_ns *ns)
{
	ns->changed = true;
	if (n->set.events & NVME_EVENTS_NAMESPACE)
		phyr_sim_nvme_event(n, NVME_EVENT_NOTICE, NVME_EVENT_NS_CHANGED);
}

/* The write to CAP, which can't be written, only has the device take its next step. */
void phyr_sim_nvme_set_temperature(struct phyr_sim_dev *sdev, uint16_t kelvin)
{
	struct sim_nvme *n = phyr_sim_nvme_of(sdev, "phyr_sim_nvme_set_temperature");
	struct sim_turn turn;

	if (!n)
		return;
	turn = phyr_sim_turn_begin(sdev->sim);
	n->health.kelvin = kelvin;
	phyr_sim_nvme_check_temperature(n);
	phyr_sim_turn_end(sdev->sim, turn);
	phyr_sim_post(sdev->sim, &(struct sim_posted){sdev, NVME_CAP, 0, 4});
}
