/* SPDX-License-Identifier: MIT */
/*
 * Plans of faults against a slow, obvious reading of what sim.h says of them: random plans over a
 * queue of flushes, and in each single step the completion that the model foretells, or none.
 */
#include "test_nvme_rig.h"

#include <string.h>

#include "lib/rnd.h"

#define ENTRIES 64u
#define ROUNDS  400
#define FAULTS  6

struct waiting {
	unsigned cid, status;
	uint64_t due;
	bool reordered;
};

struct model {
	struct rnd rnd;
	struct rig rig;
	struct pair io;
	struct phyr_sim_nvme_fault plan[FAULTS];
	uint64_t seen[FAULTS], hits[FAULTS];
	unsigned nr_faults;
	struct waiting held[ENTRIES];
	unsigned nr_held;
	unsigned next, end; /* command identifiers: to fetch, to submit */
	uint64_t now;
	bool work; /* the device's next step is due */
};

static uint64_t pick(struct model *m, const uint64_t *from, unsigned nr)
{
	return from[rnd_below(&m->rnd, nr)];
}

static void make_plan(struct model *m)
{
	static const uint64_t queues[] = {0, 1, 1, 1, 2, PHYR_SIM_NVME_ANY, PHYR_SIM_NVME_ANY_IO};
	static const uint64_t opcodes[] = {0, 0, 1, PHYR_SIM_NVME_ANY};
	static const uint64_t counts[] = {0, 1, 2, 5, UINT64_MAX};

	m->nr_faults = (unsigned)rnd_below(&m->rnd, FAULTS + 1);
	for (unsigned i = 0; i < m->nr_faults; i++) {
		m->plan[i] = (struct phyr_sim_nvme_fault){
			.kind = (enum phyr_sim_nvme_fault_kind)rnd_below(&m->rnd,
									 PHYR_SIM_NVME_STATUS + 1),
			.queue = (uint32_t)pick(m, queues, 7),
			.opcode = (uint32_t)pick(m, opcodes, 4),
			.after = rnd_below(&m->rnd, 5),
			.count = pick(m, counts, 5),
			.steps = rnd_below(&m->rnd, 12) ? rnd_below(&m->rnd, 30)
							: PHYR_SIM_NVME_NEVER,
			.status = (uint16_t)rnd_below(&m->rnd, 0x800),
		};
	}
	memset(m->seen, 0, sizeof(m->seen));
	memset(m->hits, 0, sizeof(m->hits));
	assert_int_equal(phyr_sim_nvme_plan(m->rig.dev, m->plan, m->nr_faults), 0);
}

static bool one_is_reordered(const struct model *m)
{
	for (unsigned i = 0; i < m->nr_held; i++)
		if (m->held[i].reordered)
			return true;
	return false;
}

/* The fault for the next flush of queue 1, or NULL. */
static const struct phyr_sim_nvme_fault *hit(struct model *m)
{
	for (unsigned i = 0; i < m->nr_faults; i++) {
		const struct phyr_sim_nvme_fault *f = &m->plan[i];
		uint64_t count = f->count ? f->count : 1;

		if (f->queue == 0 || f->queue == 2 || f->opcode == 1)
			continue;
		if (count != UINT64_MAX && m->hits[i] == count)
			continue;
		if (f->kind == PHYR_SIM_NVME_REORDER && one_is_reordered(m))
			continue;
		if (m->seen[i] < f->after) {
			m->seen[i]++;
			continue;
		}
		m->hits[i]++;
		return f;
	}
	return NULL;
}

static struct cqe completes(struct model *m, unsigned cid, unsigned status)
{
	for (unsigned i = 0; i < m->nr_held; i++)
		if (m->held[i].reordered)
			m->held[i].due = m->now;
	return (struct cqe){.cid = cid, .status = status};
}

static bool fetch(struct model *m, struct cqe *want)
{
	unsigned cid = m->next++;
	const struct phyr_sim_nvme_fault *f = hit(m);

	if (!f || f->kind == PHYR_SIM_NVME_STATUS) {
		*want = completes(m, cid, f ? f->status : 0);
		return true;
	}
	if (f->kind == PHYR_SIM_NVME_DROP)
		return false;
	m->held[m->nr_held++] = (struct waiting){
		.cid = cid,
		.reordered = f->kind == PHYR_SIM_NVME_REORDER,
		.due = f->steps == PHYR_SIM_NVME_NEVER ? UINT64_MAX
						       : m->now + (f->steps ? f->steps : 16),
	};
	return false;
}

/* One step. @return whether it completes a command */
static bool foretell(struct model *m, struct cqe *want)
{
	unsigned first = m->nr_held;
	struct waiting w;

	m->now++;
	for (unsigned i = 0; i < m->nr_held; i++)
		if (m->held[i].due <= m->now &&
		    (first == m->nr_held || m->held[i].due < m->held[first].due))
			first = i;
	if (first == m->nr_held)
		return m->next != m->end && fetch(m, want);
	w = m->held[first];
	memmove(&m->held[first], &m->held[first + 1],
		(--m->nr_held - first) * sizeof(struct waiting));
	*want = completes(m, w.cid, w.status);
	return true;
}

/* What is left for steps to do. */
static bool goes_on(const struct model *m)
{
	for (unsigned i = 0; i < m->nr_held; i++)
		if (m->held[i].due != UINT64_MAX)
			return true;
	return m->next != m->end;
}

static void one_step(struct model *m)
{
	struct cqe want, got;
	bool expected = m->work && foretell(m, &want);

	assert_int_equal(phyr_sim_step(m->rig.sim), m->work && goes_on(m));
	m->work = m->work && goes_on(m);
	assert_int_equal(cq_take(&m->io, &got), expected);
	if (!expected)
		return;
	assert_int_equal(got.cid, want.cid & 0xffff);
	assert_int_equal(got.status, want.status);
	assert_int_equal(got.sqhd, m->next % ENTRIES);
	cq_ring(&m->rig, &m->io);
	m->work = true;
}

static void submit(struct model *m)
{
	unsigned room = ENTRIES / 2 - (m->end - m->next) - m->nr_held;
	unsigned nr = (unsigned)rnd_below(&m->rnd, (room < 8 ? room : 8) + 1);

	if (!nr)
		return;
	for (unsigned i = 0; i < nr; i++) {
		uint32_t dw[16] = {(m->end++ & 0xffff) << 16, 1};

		sq_put(&m->io, dw);
	}
	sq_ring(&m->rig, &m->io);
	m->work = true;
}

static void random_plans(void **state)
{
	struct model m = {.rnd = rnd_start("sim/nvme_plan_model")};
	struct phyr_sim_nvme_stats stats;

	for (unsigned round = 0; round < ROUNDS; round++) {
		rig_start_io(&m.rig, 1 << 20, NULL, 12, &m.io, ENTRIES);
		m.nr_held = m.next = m.end = 0;
		m.now = 0;
		m.work = false;
		make_plan(&m);
		for (unsigned i = 0; i < 200; i++) {
			if (!rnd_below(&m.rnd, 5))
				submit(&m);
			one_step(&m);
		}
		phyr_sim_nvme_get_stats(m.rig.dev, &stats);
		assert_int_equal(stats.held, m.nr_held);
		rig_disable(&m.rig);
		ring_free(&m.rig, &m.io.sq);
		ring_free(&m.rig, &m.io.cq);
		rig_stop(&m.rig);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_plans),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
