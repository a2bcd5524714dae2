/* SPDX-License-Identifier: MIT */
/* Devices of one's own: a small DMA engine, stepped and in the machine's thread. */
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "sim/rig.h"

#define SOURCE 0x0208
#define VECTOR 3

/* Its registers: where from, where to, how long, go (any value), how many copies it has made. */
enum { REG_FROM = 0, REG_TO = 8, REG_LEN = 16, REG_GO = 24, REG_DONE = 32, REG_ID = 40 };

/* Each write of REG_GO queues a copy; a step makes one; the count is written behind the data. */
struct engine {
	struct phyr_sim_dev *sdev;
	uint64_t from, to, len;
	uint64_t wanted, done, steps;
	uint64_t log[8]; /* REG_LEN values, in the order in which they came */
	unsigned nr_log;
};

static uint64_t engine_read(void *priv, uint64_t offset, unsigned width)
{
	struct engine *e = priv;

	if (offset == REG_DONE)
		return e->done;
	return offset == REG_ID ? 0x1122334455667788 : 0;
}

static void engine_write(void *priv, uint64_t offset, uint64_t value, unsigned width)
{
	struct engine *e = priv;

	switch (offset) {
	case REG_FROM:
		e->from = value;
		break;
	case REG_TO:
		e->to = value;
		break;
	case REG_LEN:
		e->len = value;
		e->log[e->nr_log++ % 8] = value;
		break;
	case REG_GO:
		e->wanted++;
		break;
	default:
		break;
	}
}

static bool engine_step(void *priv)
{
	struct engine *e = priv;
	char buf[8192];
	uint64_t done;

	e->steps++;
	if (e->done == e->wanted)
		return false;
	if (!phyr_sim_dma_read(e->sdev, e->from, buf, e->len))
		phyr_sim_dma_write(e->sdev, e->to, buf, e->len);
	done = ++e->done;
	phyr_sim_dma_write(e->sdev, e->to + e->len, &done, sizeof(done));
	phyr_sim_irq(e->sdev, VECTOR);
	return e->done < e->wanted;
}

static const struct phyr_sim_dev_ops engine_ops = {engine_read, engine_write, engine_step};

static void add_engine(struct phyr_sim *sim, struct engine *e)
{
	*e = (struct engine){0};
	assert_int_equal(phyr_sim_dev_add(sim, &engine_ops, e, SOURCE, &e->sdev), 0);
	phyr_sim_dev_set_iommu(e->sdev, false);
}

static void put(struct engine *e, uint64_t reg, uint64_t value)
{
	struct phyr_regs *regs = phyr_sim_dev_regs(e->sdev);

	regs->write(regs, reg, value, 8);
}

static uint64_t get(struct engine *e, uint64_t reg)
{
	struct phyr_regs *regs = phyr_sim_dev_regs(e->sdev);

	return regs->read(regs, reg, 8);
}

static void program(struct engine *e, uint64_t from, uint64_t to, uint64_t len)
{
	put(e, REG_FROM, from);
	put(e, REG_TO, to);
	put(e, REG_LEN, len);
	put(e, REG_GO, 1);
}

static void count_irq(void *arg, unsigned vector)
{
	assert_int_equal(vector, VECTOR);
	__atomic_fetch_add((unsigned *)arg, 1, __ATOMIC_RELEASE);
}

static void source_is_taken_once(void **state)
{
	struct phyr_sim *sim = rig_sim(.memory = MIB, .stepped = true);
	struct phyr_sim_dev *a = rig_dev(sim, SOURCE), *b = NULL;

	assert_int_equal(phyr_sim_dev_add(sim, &engine_ops, NULL, SOURCE, &b), -17);
	assert_null(b);
	rig_told(-17, "phyr_sim_dev_add");
	assert_int_equal(rig_report.index, SOURCE);
	phyr_sim_dev_remove(a);
	a = rig_dev(sim, SOURCE);
	b = rig_dev(sim, SOURCE + 1);
	phyr_sim_dev_remove(a);
	phyr_sim_destroy(sim); /* takes the other one with it */
}

static void registers_answer_where_they_are(void **state)
{
	struct phyr_sim *sim = rig_sim(.memory = MIB, .stepped = true);
	struct engine e;
	struct phyr_regs *regs;

	add_engine(sim, &e);
	regs = phyr_sim_dev_regs(e.sdev);
	assert_int_equal(regs->size, PHYR_SIM_REGS_SIZE);
	assert_int_equal(regs->read(regs, REG_ID, 8), 0x1122334455667788);
	assert_int_equal(regs->read(regs, REG_ID, 2), ~(uint64_t)0);
	assert_int_equal(regs->read(regs, REG_ID + 4, 8), ~(uint64_t)0);
	assert_int_equal(regs->read(regs, PHYR_SIM_REGS_SIZE, 4), 0xffffffff);
	assert_int_equal(regs->read(regs, ~(uint64_t)7, 8), ~(uint64_t)0);
	regs->write(regs, REG_LEN + 4, 5, 8);
	regs->write(regs, PHYR_SIM_REGS_SIZE + REG_LEN, 5, 8);
	assert_int_equal(e.nr_log, 0);
	regs->write(regs, REG_LEN, 5, 8);
	assert_int_equal(e.nr_log, 1);
	phyr_sim_dev_remove(e.sdev);
	phyr_sim_destroy(sim);
}

static void functions_may_be_missing(void **state)
{
	static const struct phyr_sim_dev_ops ops;

	for (unsigned stepped = 0; stepped < 2; stepped++) {
		struct phyr_sim *sim = rig_sim(.memory = MIB, .stepped = stepped);
		struct phyr_sim_dev *sdev;
		struct phyr_regs *regs;

		assert_int_equal(phyr_sim_dev_add(sim, &ops, NULL, SOURCE, &sdev), 0);
		regs = phyr_sim_dev_regs(sdev);
		for (unsigned i = 0; i < 1000; i++)
			regs->write(regs, 8, i, 8);
		assert_int_equal(regs->read(regs, 8, 4), 0xffffffff);
		assert_int_equal(regs->read(regs, 8, 8), ~(uint64_t)0);
		assert_false(phyr_sim_step(sim));
		assert_int_equal(rig_stats(sim).steps, 0);
		phyr_sim_dev_remove(sdev);
		phyr_sim_destroy(sim);
	}
}

static void stepped_engine_copies(void **state)
{
	struct phyr_sim *sim = rig_sim(.memory = MIB, .stepped = true, .scatter = PHYR_SIM_LINEAR);
	char *p = rig_map(MIB);
	struct phyr_list list;
	struct engine e;
	unsigned irqs = 0;
	uint64_t done;

	assert_int_equal(rig_pin(sim, p, 8 * PAGE, &list), 0);
	add_engine(sim, &e);
	assert_int_equal(phyr_sim_set_irq(e.sdev, VECTOR, count_irq, &irqs), 0);
	memset(p + 100, 0x42, 5000);
	program(&e, rig_phys(sim, p + 100), rig_phys(sim, p + 4 * PAGE), 5000);
	put(&e, REG_GO, 1);
	assert_int_equal(e.steps, 0);
	assert_int_equal(p[4 * PAGE], 0);
	assert_true(phyr_sim_step(sim));
	assert_memory_equal(p + 4 * PAGE, p + 100, 5000);
	memcpy(&done, p + 4 * PAGE + 5000, sizeof(done));
	assert_int_equal(done, 1);
	assert_int_equal(irqs, 1);
	assert_false(phyr_sim_step(sim));
	assert_false(phyr_sim_step(sim));
	assert_int_equal(e.steps, 2);
	assert_int_equal(rig_stats(sim).steps, 2);
	assert_int_equal(irqs, 2);
	assert_int_equal(get(&e, REG_DONE), 2);
	assert_int_equal(rig_stats(sim).dma_bytes, 2 * (5000 + 5000 + 8));

	/* Unpinned memory is out of its reach. */
	rig_unpin(sim, &list);
	put(&e, REG_GO, 1);
	phyr_sim_step(sim);
	assert_int_equal(rig_stats(sim).faults, 2);
	phyr_sim_dev_remove(e.sdev);
	rig_unmap(p, MIB);
	phyr_sim_destroy(sim);
}

static void irq_vectors(void **state)
{
	struct phyr_sim *sim = rig_sim(.memory = MIB, .stepped = true);
	struct phyr_sim_dev *sdev = rig_dev(sim, SOURCE);
	unsigned irqs = 0;

	assert_int_equal(phyr_sim_set_irq(sdev, PHYR_SIM_VECTORS, count_irq, &irqs), -22);
	rig_told(-22, "phyr_sim_set_irq");
	assert_int_equal(rig_report.index, PHYR_SIM_VECTORS);
	phyr_sim_irq(sdev, VECTOR);
	phyr_sim_irq(sdev, PHYR_SIM_VECTORS);
	assert_int_equal(phyr_sim_set_irq(sdev, VECTOR, count_irq, &irqs), 0);
	phyr_sim_irq(sdev, VECTOR);
	assert_int_equal(irqs, 1);
	assert_int_equal(phyr_sim_set_irq(sdev, VECTOR, NULL, NULL), 0);
	phyr_sim_irq(sdev, VECTOR);
	assert_int_equal(irqs, 1);
	phyr_sim_destroy(sim);
}

/* An interrupt's handler rings the doorbell: the write waits for the end of the function. */
static void ring_again(void *arg, unsigned vector)
{
	struct engine *e = arg;

	assert_int_equal(get(e, REG_DONE), e->done);
	if (e->done < 3)
		put(e, REG_GO, 1);
}

static void irq_handler_uses_registers(void **state)
{
	struct phyr_sim *sim = rig_sim(.memory = MIB, .stepped = true);
	struct engine e;
	unsigned steps = 0;

	add_engine(sim, &e);
	assert_int_equal(phyr_sim_set_irq(e.sdev, VECTOR, ring_again, &e), 0);
	put(&e, REG_GO, 1);
	do
		steps++;
	while (phyr_sim_step(sim));
	assert_int_equal(e.done, 3);
	assert_int_equal(steps, 3);
	phyr_sim_destroy(sim);
}

static void reach_gives_pieces(void **state)
{
	struct phyr_sim *sim = rig_sim(.memory = MIB, .stepped = true, .scatter = PHYR_SIM_LINEAR);
	struct phyr_sim_dev *sdev = rig_dev(sim, SOURCE);
	char *p = rig_map(MIB);
	void *cpu = NULL, *was;
	struct phyr_list list;
	uint64_t phys;

	phyr_sim_dev_set_iommu(sdev, false);
	assert_int_equal(rig_pin(sim, p + 4 * PAGE, 2 * PAGE, &list), 0);
	assert_int_equal(phyr_sim_pin(sim, p, PAGE, &list), 0);
	phys = rig_phys(sim, p + 4 * PAGE);
	assert_int_equal(rig_phys(sim, p), phys + 2 * PAGE);
	/* The third page lies together in physical memory, but not for the CPU. */
	assert_int_equal(phyr_sim_dma_reach(sdev, phys + 10, 3 * PAGE, PHYR_WRITE, &cpu),
			 2 * PAGE - 10);
	assert_ptr_equal(cpu, p + 4 * PAGE + 10);
	assert_int_equal(phyr_sim_dma_reach(sdev, phys + 2 * PAGE, PAGE, PHYR_READ, &cpu), PAGE);
	assert_ptr_equal(cpu, p);
	assert_int_equal(phyr_sim_dma_reach(sdev, phys, 0, PHYR_READ, &cpu), 0);
	was = cpu;
	assert_int_equal(phyr_sim_dma_reach(sdev, phys + 3 * PAGE, 8, PHYR_READ, &cpu), -14);
	assert_ptr_equal(cpu, was);
	assert_ptr_equal(cpu, p);
	rig_unpin(sim, &list);
	rig_unmap(p, MIB);
	phyr_sim_destroy(sim);
}

static void wait_for(const uint64_t *word, uint64_t value)
{
	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) != value)
		sched_yield();
}

/* A driver that polls the word behind the data sees the data. */
static void threaded_engine_copies(void **state)
{
	struct phyr_sim *sim = rig_sim(.memory = MIB);
	char *p = rig_map(MIB);
	struct phyr_list list;
	struct engine e;
	unsigned irqs = 0;

	assert_false(phyr_sim_step(sim));
	assert_int_equal(rig_pin(sim, p, 8 * PAGE, &list), 0);
	add_engine(sim, &e);
	assert_int_equal(phyr_sim_set_irq(e.sdev, VECTOR, count_irq, &irqs), 0);
	for (uint64_t i = 1; i <= 2000; i++) {
		uint64_t len = i % 2 ? 64 : 2048, from = i % 4 * PAGE, to = (4 + i % 4) * PAGE;

		memset(p + from, (int)i, len);
		program(&e, rig_phys(sim, p + from), rig_phys(sim, p + to), len);
		wait_for((uint64_t *)(p + to + len), i);
		assert_memory_equal(p + from, p + to, len);
	}
	assert_int_equal(get(&e, REG_DONE), 2000);
	phyr_sim_dev_remove(e.sdev);
	assert_int_equal(irqs, 2000);
	rig_unpin(sim, &list);
	rig_unmap(p, MIB);
	phyr_sim_destroy(sim);
}

/* More writes than the queue holds, while the device sleeps or is busy: all come, in order. */
static void posted_writes_stay_in_order(void **state)
{
	struct phyr_sim *sim = rig_sim(.memory = MIB);
	struct engine e;

	add_engine(sim, &e);
	for (uint64_t i = 0; i < 20000; i++)
		put(&e, REG_LEN, i);
	assert_int_equal(get(&e, REG_DONE), 0);
	assert_int_equal(e.nr_log, 20000);
	for (uint64_t i = 0; i < 8; i++)
		assert_int_equal(e.log[i], 20000 - 8 + i);
	phyr_sim_destroy(sim);
}

static void remove_while_running(void **state)
{
	struct phyr_sim *sim = rig_sim(.memory = MIB);
	char *p = rig_map(MIB);
	struct phyr_list list;
	struct engine e, other;

	assert_int_equal(rig_pin(sim, p, 8 * PAGE, &list), 0);
	assert_int_equal(phyr_sim_dev_add(sim, &engine_ops, &other, SOURCE + 1, &other.sdev), 0);
	for (unsigned i = 0; i < 200; i++) {
		uint64_t done;

		add_engine(sim, &e);
		for (unsigned k = 0; k < 50; k++)
			program(&e, rig_phys(sim, p), rig_phys(sim, p + PAGE), 512);
		phyr_sim_dev_remove(e.sdev);
		done = e.done;
		sched_yield();
		assert_int_equal(e.done, done);
	}
	rig_unpin(sim, &list);
	rig_unmap(p, MIB);
	phyr_sim_destroy(sim);
}

/* A device that reaches memory, stays at it for a while, and says when it is done. */
struct slow {
	struct phyr_sim_dev *sdev;
	uint64_t iova;
	int in;   /* it has a pointer */
	int free; /* it may go on */
	int out;  /* it is done with the pointer */
};

static uint64_t slow_read(void *priv, uint64_t offset, unsigned width)
{
	return 0;
}

static void slow_write(void *priv, uint64_t offset, uint64_t value, unsigned width)
{
}

static bool slow_step(void *priv)
{
	struct slow *s = priv;
	void *cpu;

	if (phyr_sim_dma_reach(s->sdev, s->iova, 8, PHYR_WRITE, &cpu) != 8)
		return false;
	__atomic_store_n(&s->in, 1, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&s->free, __ATOMIC_ACQUIRE))
		sched_yield();
	*(uint64_t *)cpu = 1;
	__atomic_store_n(&s->out, 1, __ATOMIC_RELAXED);
	return false;
}

static const struct phyr_sim_dev_ops slow_ops = {slow_read, slow_write, slow_step};

/* Each of these must wait for the device, and the releaser lets it go a little later. */
static void *release_later(void *arg)
{
	struct slow *s = arg;

	for (unsigned i = 0; i < 2000; i++)
		sched_yield();
	__atomic_store_n(&s->free, 1, __ATOMIC_RELEASE);
	return NULL;
}

static void wait_in_flight(unsigned how)
{
	struct phyr_sim *sim = rig_sim(.memory = MIB);
	struct phyr_soft_hw *hw = phyr_sim_iommu(sim);
	struct phyr_soft_table table = {
		.format = PHYR_PGTBL_VTDSS, .levels = 3, .root = 0, .domain = 1};
	struct slow s = {.iova = 0x1008};
	uint64_t *t[3], phys[3], *p = rig_map(PAGE);
	struct phyr_list list;
	pthread_t thread;

	for (unsigned i = 0; i < 3; i++) {
		t[i] = rig_table(sim, &phys[i]);
		if (i)
			t[i - 1][0] = phys[i] | 3;
	}
	table.root = phys[0];
	assert_int_equal(rig_pin(sim, p, PAGE, &list), 0);
	t[2][1] = rig_phys(sim, p) | 3;
	assert_int_equal(phyr_sim_dev_add(sim, &slow_ops, &s, SOURCE, &s.sdev), 0);
	assert_int_equal(hw->set_table(hw, SOURCE, &table, NULL, NULL), 0);
	phyr_sim_dev_regs(s.sdev)->write(phyr_sim_dev_regs(s.sdev), 0, 0, 4);
	while (!__atomic_load_n(&s.in, __ATOMIC_ACQUIRE))
		sched_yield();
	/* What does not concern the access does not wait for it. */
	hw->invalidate(hw, 1, 0x2000, 0x2fff);
	hw->invalidate(hw, 2, 0, ~(uint64_t)0);
	assert_int_equal(s.out, 0);
	assert_int_equal(pthread_create(&thread, NULL, release_later, &s), 0);
	if (how == 0)
		hw->invalidate(hw, 1, 0x1000, 0x1fff);
	else if (how == 1)
		hw->clear_table(hw, SOURCE, table.domain);
	else
		phyr_sim_unpin(sim, &list);
	assert_int_equal(__atomic_load_n(&s.out, __ATOMIC_RELAXED), 1);
	assert_int_equal(p[1], 1);
	pthread_join(thread, NULL);
	if (how != 2)
		phyr_sim_unpin(sim, &list);
	phyr_list_fini(&list);
	rig_unmap(p, PAGE);
	phyr_sim_destroy(sim);
}

static void releases_wait_for_accesses_in_flight(void **state)
{
	for (unsigned how = 0; how < 3; how++)
		wait_in_flight(how);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(source_is_taken_once),
		cmocka_unit_test(registers_answer_where_they_are),
		cmocka_unit_test(stepped_engine_copies),
		cmocka_unit_test(functions_may_be_missing),
		cmocka_unit_test(irq_vectors),
		cmocka_unit_test(irq_handler_uses_registers),
		cmocka_unit_test(reach_gives_pieces),
		cmocka_unit_test(threaded_engine_copies),
		cmocka_unit_test(posted_writes_stay_in_order),
		cmocka_unit_test(remove_while_running),
		cmocka_unit_test(releases_wait_for_accesses_in_flight),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
