/* SPDX-License-Identifier: MIT */
/* Faults by plan, and what has come of them. */
#include "sim/nvme/nvme.h"

#include <string.h>

#include "core/env.h"
#include "sim/machine.h"

static bool matches(const struct phyr_sim_nvme_fault *f, uint32_t sqid, unsigned opcode)
{
	bool queue = f->queue == PHYR_SIM_NVME_ANY || (f->queue == PHYR_SIM_NVME_ANY_IO && sqid) ||
		     f->queue == sqid;

	return queue && (f->opcode == PHYR_SIM_NVME_ANY || f->opcode == opcode);
}

static bool is_spent(const struct sim_nvme_planned *p)
{
	return p->fault.count != UINT64_MAX && p->hits >= p->fault.count;
}

bool phyr_sim_nvme_plan_hit(struct sim_nvme *n, uint32_t sqid, unsigned opcode,
			    struct phyr_sim_nvme_fault *fault)
{
	for (unsigned i = 0; i < n->nr_planned; i++) {
		struct sim_nvme_planned *p = &n->plan[i];

		if (is_spent(p) || !matches(&p->fault, sqid, opcode))
			continue;
		if (p->fault.kind == PHYR_SIM_NVME_REORDER && phyr_sim_nvme_has_reordered(n, sqid))
			continue;
		if (p->passed < p->fault.after) {
			p->passed++;
			continue;
		}
		p->hits++;
		n->stats.hits[p->fault.kind]++;
		*fault = p->fault;
		return true;
	}
	return false;
}

void phyr_sim_nvme_free_plan(struct sim_nvme *n)
{
	env_free(n->env, n->plan, n->nr_planned * sizeof(*n->plan));
	n->plan = NULL;
	n->nr_planned = 0;
}

/* A status is its type and code (11 bits) and Do Not Retry. */
static const char *check_fault(const struct phyr_sim_nvme_fault *f)
{
	if ((unsigned)f->kind >= PHYR_SIM_NVME_FAULT_KINDS)
		return "no such kind of fault";
	if (f->kind == PHYR_SIM_NVME_STATUS && f->status & ~(0x7ffu | PHYR_SIM_NVME_DNR))
		return "a status is its type << 8 | its code, perhaps | PHYR_SIM_NVME_DNR";
	return NULL;
}

static int check_plan(struct phyr_env *env, const struct phyr_sim_nvme_fault *faults, unsigned nr)
{
	const char *wrong = nr && !faults ? "no faults, and their number is not 0" : NULL;
	unsigned i = 0;

	for (; !wrong && i < nr; i++)
		wrong = check_fault(&faults[i]);
	if (!wrong)
		return 0;
	return env_fail(env, .err = -EINVAL, .call = "phyr_sim_nvme_plan", .index = i ? i - 1 : 0,
			.index_of = "fault", .hint = wrong);
}

static struct sim_nvme_planned *make_plan(struct phyr_env *env,
					  const struct phyr_sim_nvme_fault *faults, unsigned nr)
{
	struct sim_nvme_planned *plan = env_alloc(env, nr * sizeof(*plan));

	for (unsigned i = 0; plan && i < nr; i++) {
		plan[i] = (struct sim_nvme_planned){.fault = faults[i]};
		if (!plan[i].fault.count)
			plan[i].fault.count = 1;
	}
	return plan;
}

int phyr_sim_nvme_plan(struct phyr_sim_dev *sdev, const struct phyr_sim_nvme_fault *faults,
		       unsigned nr)
{
	struct sim_nvme *n = phyr_sim_nvme_of(sdev, "phyr_sim_nvme_plan");
	struct phyr_env *env = phyr_sim_env(sdev->sim);
	struct sim_nvme_planned *plan = NULL;
	struct sim_turn turn;
	int err;

	if (!n)
		return -EINVAL;
	err = check_plan(env, faults, nr);
	if (err)
		return err;
	if (nr)
		plan = make_plan(env, faults, nr);
	if (nr && !plan)
		return env_fail(env, .err = -ENOMEM, .call = "phyr_sim_nvme_plan",
				.hint = "no memory for the plan");
	turn = phyr_sim_turn_begin(sdev->sim);
	phyr_sim_nvme_free_plan(n);
	n->plan = plan;
	n->nr_planned = nr;
	phyr_sim_turn_end(sdev->sim, turn);
	return 0;
}

/* What was written to registers before has reached the controller. */
void phyr_sim_nvme_unplug(struct phyr_sim_dev *sdev)
{
	struct sim_nvme *n = phyr_sim_nvme_of(sdev, "phyr_sim_nvme_unplug");
	struct sim_turn turn;

	if (!n)
		return;
	turn = phyr_sim_turn_begin(sdev->sim);
	if (turn.mine)
		phyr_sim_drain(sdev->sim);
	phyr_sim_nvme_pull(n);
	phyr_sim_turn_end(sdev->sim, turn);
}

void phyr_sim_nvme_get_stats(struct phyr_sim_dev *sdev, struct phyr_sim_nvme_stats *stats)
{
	const struct sim_nvme *n = phyr_sim_nvme_of(sdev, "phyr_sim_nvme_get_stats");
	struct sim_turn turn;

	if (!n)
		return;
	turn = phyr_sim_turn_begin(sdev->sim);
	*stats = n->stats;
	stats->held = n->nr_held;
	phyr_sim_turn_end(sdev->sim, turn);
}
