/* SPDX-License-Identifier: MIT */
/*
 * Several drivers, each with its own device and table, on one machine at once: map, let the device
 * copy, poll, unmap, invalidate, unpin. Run it under a thread sanitizer.
 */
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "sim/rig.h"

#define DRIVERS 3
#define ROUNDS  300
#define WORDS   40

/* Copies WORDS words from the first page of its iova to the second, when told. */
struct copier {
	struct phyr_sim_dev *sdev;
	uint64_t iova, wanted, done, failed;
};

static uint64_t copier_read(void *priv, uint64_t offset, unsigned width)
{
	return ((struct copier *)priv)->failed;
}

static void copier_write(void *priv, uint64_t offset, uint64_t value, unsigned width)
{
	struct copier *c = priv;

	c->iova = value;
	c->wanted++;
}

static bool copier_step(void *priv)
{
	struct copier *c = priv;
	uint64_t words[WORDS];

	if (c->done == c->wanted)
		return false;
	c->done++;
	if (phyr_sim_dma_read(c->sdev, c->iova, words, sizeof(words)) ||
	    phyr_sim_dma_write(c->sdev, c->iova + PAGE, words, sizeof(words)))
		c->failed++;
	return c->done < c->wanted;
}

static const struct phyr_sim_dev_ops copier_ops = {copier_read, copier_write, copier_step};

struct driver {
	struct phyr_sim *sim;
	uint32_t id;
	struct copier copier;
	uint64_t *table[3];
	uint64_t root;
};

static void set_up(struct driver *d)
{
	uint64_t phys[3];

	for (unsigned i = 0; i < 3; i++) {
		d->table[i] = rig_table(d->sim, &phys[i]);
		if (i)
			d->table[i - 1][0] = phys[i] | 3;
	}
	d->root = phys[0];
	assert_int_equal(phyr_sim_dev_add(d->sim, &copier_ops, &d->copier, d->id, &d->copier.sdev),
			 0);
}

static void store_entry(struct driver *d, uint64_t iova, uint64_t entry)
{
	__atomic_store_n(&d->table[2][iova / PAGE], entry, __ATOMIC_RELEASE);
}

static uint64_t load(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static void one_round(struct driver *d, struct phyr_soft_hw *hw, uint64_t *p, unsigned round)
{
	struct phyr_regs *regs = phyr_sim_dev_regs(d->copier.sdev);
	uint64_t iova = (round % 100 + 1) * 2 * PAGE;
	struct phyr_list list;

	memset(p, 0, 2 * PAGE);
	for (unsigned i = 0; i < WORDS; i++)
		p[i] = round * 1000 + i + 1;
	assert_int_equal(rig_pin(d->sim, p, 2 * PAGE, &list), 0);
	store_entry(d, iova, rig_phys(d->sim, p) | 1);
	store_entry(d, iova + PAGE, rig_phys(d->sim, p + 512) | 2);
	regs->write(regs, 0, iova, 8);
	while (load(&p[512 + WORDS - 1]) != round * 1000 + WORDS)
		sched_yield();
	assert_memory_equal(p, p + 512, WORDS * sizeof(*p));
	store_entry(d, iova, 0);
	store_entry(d, iova + PAGE, 0);
	hw->invalidate(hw, d->id, iova, iova + 2 * PAGE - 1);
	rig_unpin(d->sim, &list);
}

static void *drive(void *arg)
{
	struct driver *d = arg;
	struct phyr_soft_hw *hw = phyr_sim_iommu(d->sim);
	struct phyr_soft_table table = {
		.format = PHYR_PGTBL_VTDSS, .levels = 3, .root = 0, .domain = d->id};
	uint64_t *p = rig_map(2 * PAGE);

	set_up(d);
	table.root = d->root;
	for (unsigned round = 0; round < ROUNDS; round++) {
		if (round % 50 == 0) {
			hw->clear_table(hw, d->id, d->id);
			assert_int_equal(hw->set_table(hw, d->id, &table, NULL, NULL), 0);
		}
		one_round(d, hw, p, round);
	}
	phyr_sim_dev_remove(d->copier.sdev);
	for (unsigned i = 0; i < 3; i++)
		phyr_sim_env(d->sim)->free_pages(phyr_sim_env(d->sim), d->table[i], PAGE);
	rig_unmap(p, 2 * PAGE);
	return NULL;
}

static void drivers_do_not_meet(void **state)
{
	struct phyr_sim *sim = rig_sim(.memory = MIB);
	struct driver drivers[DRIVERS] = {{0}};
	pthread_t threads[DRIVERS];

	for (unsigned i = 0; i < DRIVERS; i++) {
		drivers[i].sim = sim;
		drivers[i].id = i + 1;
		assert_int_equal(pthread_create(&threads[i], NULL, drive, &drivers[i]), 0);
	}
	for (unsigned i = 0; i < DRIVERS; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(drivers[i].copier.failed, 0);
	}
	assert_int_equal(rig_stats(sim).faults, 0);
	assert_int_equal(rig_stats(sim).pinned_pages, 0);
	assert_int_equal(rig_stats(sim).map_bytes, 0);
	assert_int_equal(rig_stats(sim).table_pages, 0);
	phyr_sim_destroy(sim);
}

/* All pin the same memory: each page keeps one frame while anybody holds it. */
static void *pin_shared(void *arg)
{
	struct driver *d = arg;
	char *p = (char *)d->table[0];
	struct phyr_list list;

	for (unsigned round = 0; round < 500; round++) {
		uint64_t at = (round * 7 + d->id * 3) % 40 * PAGE, before;

		assert_int_equal(rig_pin(d->sim, p + at, 20 * PAGE, &list), 0);
		before = rig_phys(d->sim, p + at);
		sched_yield();
		assert_int_equal(rig_phys(d->sim, p + at), before);
		rig_unpin(d->sim, &list);
	}
	return NULL;
}

static void pins_of_the_same_memory(void **state)
{
	struct phyr_sim *sim = rig_sim(.memory = MIB);
	struct driver drivers[DRIVERS] = {{0}};
	pthread_t threads[DRIVERS];
	uint64_t *p = rig_map(60 * PAGE);

	for (unsigned i = 0; i < DRIVERS; i++) {
		drivers[i].sim = sim;
		drivers[i].id = i;
		drivers[i].table[0] = p;
		assert_int_equal(pthread_create(&threads[i], NULL, pin_shared, &drivers[i]), 0);
	}
	for (unsigned i = 0; i < DRIVERS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(rig_stats(sim).pinned_pages, 0);
	assert_int_equal(rig_stats(sim).map_bytes, 0);
	rig_unmap(p, 60 * PAGE);
	phyr_sim_destroy(sim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(drivers_do_not_meet),
		cmocka_unit_test(pins_of_the_same_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
