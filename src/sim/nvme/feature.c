/* SPDX-License-Identifier: MIT */
/*
 * Features (Base 5.15, 5.27): what can be set, and said again.
 *
 * None is saveable, so what is saved is the default. Whatever has an effect elsewhere has it from the
 * next command on; what would have none that was asked for is refused.
 */
#include "sim/nvme/nvme.h"

#include "core/bits.h"

/* A feature's value is asked for or set: dword 11, and whose. */
struct ask {
	uint32_t dw11;
	struct sim_nvme_ns *ns; /* of a feature of namespaces; NULL: all */
};

struct feature {
	enum nvme_feature id;
	bool of_namespace;
	/* Each returns a status code; @set is n->set or the defaults. */
	unsigned (*get)(const struct sim_nvme_settings *set, const struct ask *ask,
			uint32_t *value);
	unsigned (*set)(struct sim_nvme *n, const struct ask *ask, uint32_t *result);
};

static struct sim_nvme_settings defaults(const struct sim_nvme *n)
{
	return (struct sim_nvme_settings){.temperature = {SIM_NVME_WARM, 0},
					  .write_cache = true,
					  .nr_sqs = n->max_queues,
					  .nr_cqs = n->max_queues};
}

void phyr_sim_nvme_reset_features(struct sim_nvme *n)
{
	n->set = defaults(n);
	for (uint32_t i = 0; i < n->nr_ns; i++)
		n->ns[i].error_recovery = 0;
	phyr_sim_nvme_check_temperature(n);
}

/* Weights are kept; they mean something to other arbitrations only (CAP.AMS). */
static unsigned get_arbitration(const struct sim_nvme_settings *set, const struct ask *ask,
				uint32_t *value)
{
	*value = set->arbitration;
	return NVME_SUCCESS;
}

static unsigned set_arbitration(struct sim_nvme *n, const struct ask *ask, uint32_t *result)
{
	n->set.arbitration = ask->dw11;
	return NVME_SUCCESS;
}

static unsigned get_power(const struct sim_nvme_settings *set, const struct ask *ask,
			  uint32_t *value)
{
	*value = set->power;
	return NVME_SUCCESS;
}

/* There is one power state (Identify: NPSS). */
static unsigned set_power(struct sim_nvme *n, const struct ask *ask, uint32_t *result)
{
	if (NVME_POWER_STATE(ask->dw11))
		return NVME_INVALID_FIELD;
	n->set.power = ask->dw11 & NVME_POWER_FIELDS;
	return NVME_SUCCESS;
}

/* Only the composite temperature is measured. */
static unsigned get_temperature(const struct sim_nvme_settings *set, const struct ask *ask,
				uint32_t *value)
{
	unsigned kind = NVME_TEMPERATURE_KIND(ask->dw11);

	if (NVME_TEMPERATURE_SENSOR(ask->dw11) || kind > 1)
		return NVME_INVALID_FIELD;
	*value = set->temperature[kind];
	return NVME_SUCCESS;
}

static unsigned set_temperature(struct sim_nvme *n, const struct ask *ask, uint32_t *result)
{
	unsigned kind = NVME_TEMPERATURE_KIND(ask->dw11);
	unsigned sensor = NVME_TEMPERATURE_SENSOR(ask->dw11);

	if ((sensor && sensor != NVME_TEMPERATURE_ALL) || kind > 1)
		return NVME_INVALID_FIELD;
	n->set.temperature[kind] = NVME_TEMPERATURE_VALUE(ask->dw11);
	phyr_sim_nvme_check_temperature(n);
	return NVME_SUCCESS;
}

static unsigned get_error_recovery(const struct sim_nvme_settings *set, const struct ask *ask,
				   uint32_t *value)
{
	*value = ask->ns ? ask->ns->error_recovery : 0;
	return NVME_SUCCESS;
}

/* No read is retried, so each limit holds. Deallocated blocks are read: there is no error for them. */
static unsigned set_error_recovery(struct sim_nvme *n, const struct ask *ask, uint32_t *result)
{
	if (ask->dw11 & NVME_RECOVERY_DULBE)
		return NVME_INVALID_FIELD;
	for (uint32_t i = 0; i < n->nr_ns; i++) {
		if (!ask->ns || ask->ns == &n->ns[i])
			n->ns[i].error_recovery = ask->dw11 & NVME_RECOVERY_FIELDS;
	}
	return NVME_SUCCESS;
}

static unsigned get_write_cache(const struct sim_nvme_settings *set, const struct ask *ask,
				uint32_t *value)
{
	*value = set->write_cache ? NVME_WCE : 0;
	return NVME_SUCCESS;
}

/* Without the cache each write is durable when it completes; so is what came before the change. */
static unsigned set_write_cache(struct sim_nvme *n, const struct ask *ask, uint32_t *result)
{
	bool on = ask->dw11 & NVME_WCE;

	if (n->set.write_cache && !on) {
		unsigned status = phyr_sim_nvme_sync_all(n);

		if (status)
			return status;
	}
	n->set.write_cache = on;
	return NVME_SUCCESS;
}

static unsigned get_queues(const struct sim_nvme_settings *set, const struct ask *ask,
			   uint32_t *value)
{
	*value = (set->nr_sqs - 1) | (set->nr_cqs - 1) << 16;
	return NVME_SUCCESS;
}

static bool any_io_queue(const struct sim_nvme *n)
{
	for (uint32_t qid = 1; qid <= n->max_queues; qid++) {
		if (n->sqs[qid].size || n->cqs[qid].size)
			return true;
	}
	return false;
}

/* Numbers are less one; ffffh is none. Only before the first I/O queue (Base 5.27.1.5). */
static unsigned set_queues(struct sim_nvme *n, const struct ask *ask, uint32_t *result)
{
	uint32_t sqs = ask->dw11 & 0xffff, cqs = ask->dw11 >> 16;

	if (sqs == 0xffff || cqs == 0xffff)
		return NVME_INVALID_FIELD;
	if (any_io_queue(n))
		return NVME_COMMAND_SEQUENCE_ERROR;
	n->set.nr_sqs = (uint32_t)min_u64(sqs + 1, n->max_queues);
	n->set.nr_cqs = (uint32_t)min_u64(cqs + 1, n->max_queues);
	return get_queues(&n->set, ask, result);
}

static unsigned get_coalescing(const struct sim_nvme_settings *set, const struct ask *ask,
			       uint32_t *value)
{
	*value = set->coalescing;
	return NVME_SUCCESS;
}

static unsigned set_coalescing(struct sim_nvme *n, const struct ask *ask, uint32_t *result)
{
	n->set.coalescing = ask->dw11 & NVME_COALESCING_FIELDS;
	return NVME_SUCCESS;
}

static unsigned get_vector(const struct sim_nvme_settings *set, const struct ask *ask,
			   uint32_t *value)
{
	uint32_t vector = NVME_VECTOR(ask->dw11);

	if (vector >= PHYR_SIM_VECTORS)
		return NVME_INVALID_FIELD;
	*value = vector | (set->alone[vector] ? NVME_VECTOR_ALONE : 0);
	return NVME_SUCCESS;
}

static unsigned set_vector(struct sim_nvme *n, const struct ask *ask, uint32_t *result)
{
	uint32_t vector = NVME_VECTOR(ask->dw11);

	if (vector >= PHYR_SIM_VECTORS)
		return NVME_INVALID_FIELD;
	n->set.alone[vector] = ask->dw11 & NVME_VECTOR_ALONE;
	return NVME_SUCCESS;
}

static unsigned get_atomicity(const struct sim_nvme_settings *set, const struct ask *ask,
			      uint32_t *value)
{
	*value = set->no_atomicity ? NVME_ATOMICITY_OFF : 0;
	return NVME_SUCCESS;
}

/* The host may do without what it gets: one block (Identify: AWUN), whatever is said here. */
static unsigned set_atomicity(struct sim_nvme *n, const struct ask *ask, uint32_t *result)
{
	n->set.no_atomicity = ask->dw11 & NVME_ATOMICITY_OFF;
	return NVME_SUCCESS;
}

static unsigned get_events(const struct sim_nvme_settings *set, const struct ask *ask,
			   uint32_t *value)
{
	*value = set->events;
	return NVME_SUCCESS;
}

/* Only what Identify offers (OAES); a warning that is there already is told at once. */
static unsigned set_events(struct sim_nvme *n, const struct ask *ask, uint32_t *result)
{
	if (ask->dw11 & ~(NVME_EVENTS_WARNINGS | NVME_EVENTS_NAMESPACE))
		return NVME_INVALID_FIELD;
	if (ask->dw11 & ~n->set.events & NVME_WARNING_TEMPERATURE)
		n->health.hot = false;
	n->set.events = ask->dw11;
	phyr_sim_nvme_check_temperature(n);
	return NVME_SUCCESS;
}

static const struct feature features[] = {
	{NVME_FEATURE_ARBITRATION, false, get_arbitration, set_arbitration},
	{NVME_FEATURE_POWER, false, get_power, set_power},
	{NVME_FEATURE_TEMPERATURE, false, get_temperature, set_temperature},
	{NVME_FEATURE_ERROR_RECOVERY, true, get_error_recovery, set_error_recovery},
	{NVME_FEATURE_WRITE_CACHE, false, get_write_cache, set_write_cache},
	{NVME_FEATURE_QUEUES, false, get_queues, set_queues},
	{NVME_FEATURE_COALESCING, false, get_coalescing, set_coalescing},
	{NVME_FEATURE_VECTOR, false, get_vector, set_vector},
	{NVME_FEATURE_ATOMICITY, false, get_atomicity, set_atomicity},
	{NVME_FEATURE_EVENTS, false, get_events, set_events},
};

void phyr_sim_nvme_fill_features(uint8_t *data)
{
	for (unsigned i = 0; i < ARRAY_SIZE(features); i++)
		sim_nvme_put32(data, 4 * features[i].id,
			       NVME_IS_SUPPORTED | (features[i].of_namespace ? NVME_OF_NAMESPACE
									     : NVME_OF_CONTROLLER));
}

static const struct feature *find(const struct sim_nvme_cmd *cmd)
{
	for (unsigned i = 0; i < ARRAY_SIZE(features); i++) {
		if (features[i].id == NVME_FEATURE_ID(cmd->dw[10]))
			return &features[i];
	}
	return NULL;
}

unsigned phyr_sim_nvme_set_features(struct sim_nvme *n, const struct sim_nvme_cmd *cmd,
				    uint32_t *result)
{
	const struct feature *f = find(cmd);
	struct ask ask = {.dw11 = cmd->dw[11]};
	uint32_t nsid = sim_nvme_cmd_nsid(cmd);
	unsigned status = NVME_SUCCESS;

	if (!f)
		return NVME_INVALID_FIELD;
	if (cmd->dw[10] & NVME_FEATURE_SAVE)
		return NVME_FEATURE_NOT_SAVEABLE;
	if (nsid != NVME_NSID_ALL && (nsid || f->of_namespace))
		status = phyr_sim_nvme_find_ns(n, nsid, &ask.ns);
	if (status)
		return status;
	if (ask.ns && !f->of_namespace)
		return NVME_FEATURE_NOT_NAMESPACE;
	return f->set(n, &ask, result);
}

/* A feature of namespaces is that of one. */
unsigned phyr_sim_nvme_get_features(const struct sim_nvme *n, const struct sim_nvme_cmd *cmd,
				    uint32_t *result)
{
	const struct feature *f = find(cmd);
	struct sim_nvme_settings at_first = defaults(n);
	unsigned select = NVME_FEATURE_SELECT(cmd->dw[10]), status = NVME_SUCCESS;
	struct ask ask = {.dw11 = cmd->dw[11]};

	if (!f || select > NVME_SELECT_CAPABILITIES)
		return NVME_INVALID_FIELD;
	if (select == NVME_SELECT_CAPABILITIES) {
		*result = NVME_CAPABILITY_CHANGEABLE |
			  (f->of_namespace ? NVME_CAPABILITY_NAMESPACE : 0);
		return NVME_SUCCESS;
	}
	if (f->of_namespace)
		status = phyr_sim_nvme_find_ns(n, sim_nvme_cmd_nsid(cmd), &ask.ns);
	if (status)
		return status;
	if (select == NVME_SELECT_CURRENT)
		return f->get(&n->set, &ask, result);
	ask.ns = NULL;
	return f->get(&at_first, &ask, result);
}
