/* SPDX-License-Identifier: MIT */
/* What the tests of the machine share. */
#include "sim/rig.h"

#include <sys/mman.h>

struct phyr_report rig_report;
unsigned rig_reports;

struct phyr_sim *rig_create(const struct phyr_sim_config *config)
{
	struct phyr_sim *sim = NULL;

	assert_int_equal(phyr_sim_create(config, &sim), 0);
	rig_listen(sim);
	return sim;
}

void *rig_map(uint64_t len)
{
	uint64_t slack = 2 * MIB, skew;
	char *p = mmap(NULL, len + slack, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	assert_true(p != MAP_FAILED);
	skew = -(uintptr_t)p & (slack - 1);
	if (skew)
		munmap(p, skew);
	munmap(p + skew + len, slack - skew);
	return p + skew;
}

void rig_unmap(void *p, uint64_t len)
{
	munmap(p, len);
}

int rig_pin(struct phyr_sim *sim, void *p, uint64_t len, struct phyr_list *list)
{
	phyr_list_init(list, NULL, phyr_sim_space(sim));
	return phyr_sim_pin(sim, p, len, list);
}

void rig_unpin(struct phyr_sim *sim, struct phyr_list *list)
{
	phyr_sim_unpin(sim, list);
	phyr_list_fini(list);
}

uint64_t rig_phys(struct phyr_sim *sim, const void *p)
{
	phyr_addr_t addr;

	assert_int_equal(phyr_sim_to_phys(sim, p, &addr), 0);
	return addr;
}

struct phyr_sim_stats rig_stats(struct phyr_sim *sim)
{
	struct phyr_sim_stats stats;

	phyr_sim_get_stats(sim, &stats);
	return stats;
}

static uint64_t no_read(void *priv, uint64_t offset, unsigned width)
{
	return 0;
}

static void no_write(void *priv, uint64_t offset, uint64_t value, unsigned width)
{
}

struct phyr_sim_dev *rig_dev(struct phyr_sim *sim, uint32_t source)
{
	static const struct phyr_sim_dev_ops ops = {no_read, no_write, NULL};
	struct phyr_sim_dev *sdev;

	assert_int_equal(phyr_sim_dev_add(sim, &ops, NULL, source, &sdev), 0);
	return sdev;
}

static void keep_report(struct phyr_env *env, const struct phyr_report *report)
{
	rig_report = *report;
	rig_reports++;
}

void rig_listen(struct phyr_sim *sim)
{
	rig_report = (struct phyr_report){0};
	rig_reports = 0;
	phyr_sim_env(sim)->report = keep_report;
}

void rig_told(int err, const char *call)
{
	assert_int_equal(rig_report.err, err);
	assert_string_equal(rig_report.call, call);
	assert_non_null(rig_report.hint);
}

uint64_t *rig_table(struct phyr_sim *sim, uint64_t *phys)
{
	struct phyr_env *env = phyr_sim_env(sim);
	uint64_t *table = env->alloc_pages(env, PAGE);

	assert_non_null(table);
	*phys = (uint64_t)(uintptr_t)table + env->phys_delta;
	return table;
}
