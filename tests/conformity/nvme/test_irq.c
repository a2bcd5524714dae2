/* SPDX-License-Identifier: MIT */
/* Interrupts: enabled or not, which vector, the mask. base 5.4, pcie 3.2 and 3.5. */
#include "conformity/nvme/host.h"

#define VECTORS 8

static unsigned irqs[VECTORS];

static void count(void *arg, unsigned vector)
{
	irqs[vector]++;
}

static int setup(void **state)
{
	struct host *h;

	host_on(state);
	h = *state;
	for (unsigned i = 0; i < VECTORS; i++)
		assert_int_equal(phyr_sim_set_irq(h->dev, i, count, NULL), 0);
	return 0;
}

static void forget(void)
{
	for (unsigned i = 0; i < VECTORS; i++)
		irqs[i] = 0;
}

/* Only this vector was raised since; -1: none. */
static void only(int vector)
{
	for (int i = 0; i < VECTORS; i++)
		assert_int_equal(irqs[i] != 0, i == vector);
}

static void add_pair(struct host *h, struct sq *sq, struct cq *cq, uint16_t id, bool irq,
		     uint16_t vector)
{
	host_cq_init(h, cq, id, 16);
	assert_status(host_admin(h, create_cq(h, cq, irq, vector)), SUCCESS);
	host_add_sq(h, sq, id, 16, id);
	forget();
}

static struct sqe flush(void)
{
	return sqe(.opc = FLUSH, .nsid = 1);
}

/* pcie 3.5: the admin completion queue uses vector 0, always enabled. */
static void admin_queue_has_vector_0(void **state)
{
	forget();
	identify(*state, 1, 0);
	only(0);
}

/* base 5.4: IEN cleared: no interrupt. */
static void disabled_queue_raises_none(void **state)
{
	struct host *h = *state;

	add_pair(h, &h->sq, &h->cq, 1, false, 0);
	host_exec(h, &h->sq, &h->cq, flush());
	only(-1);
}

/* base 5.4, pcie 3.2: IEN set: the vector of IV, and no other. */
static void enabled_queue_raises_its_vector(void **state)
{
	struct host *h = *state;

	for (uint16_t v = 0; v < VECTORS; v++) {
		add_pair(h, &h->sq, &h->cq, (uint16_t)(v + 1), true, v);
		host_exec(h, &h->sq, &h->cq, flush());
		only(v);
	}
}

/* pcie 3.2: queues may share a vector. */
static void queues_share_a_vector(void **state)
{
	struct host *h = *state;
	struct sq other_sq;
	struct cq other_cq;

	add_pair(h, &h->sq, &h->cq, 1, true, 5);
	add_pair(h, &other_sq, &other_cq, 2, true, 5);
	host_exec(h, &h->sq, &h->cq, flush());
	only(5);
	forget();
	host_exec(h, &other_sq, &other_cq, flush());
	only(5);
}

/* pcie 3.4.1, step 6: the entry is in the queue when the interrupt comes. */
static struct cq *watched;
static bool there;

static void look(void *arg, unsigned vector)
{
	there = (watched->mem[watched->head].status & 1) == watched->phase;
}

static void entry_comes_before_its_interrupt(void **state)
{
	struct host *h = *state;

	add_pair(h, &h->sq, &h->cq, 1, true, 1);
	watched = &h->cq;
	there = false;
	assert_int_equal(phyr_sim_set_irq(h->dev, 1, look, NULL), 0);
	host_push(h, &h->sq, flush());
	host_ring(h, &h->sq);
	assert_true(there);
}

/* pcie 3.5: with all entries acknowledged nothing is raised any more. */
static void acknowledged_queue_is_quiet(void **state)
{
	struct host *h = *state;

	add_pair(h, &h->sq, &h->cq, 1, true, 2);
	host_exec(h, &h->sq, &h->cq, flush());
	forget();
	host_idle(h, &h->cq);
	host_idle(h, &h->acq);
	only(-1);
}

/* pcie 3.5: entries that come later raise it again. */
static void each_batch_raises_its_vector(void **state)
{
	struct host *h = *state;

	add_pair(h, &h->sq, &h->cq, 1, true, 2);
	for (unsigned i = 0; i < 20; i++) {
		forget();
		host_exec(h, &h->sq, &h->cq, flush());
		only(2);
	}
}

/* pcie 3.5.1, base 3.1.3.3: a masked vector is not raised; its entries are posted all the same. */
static void masked_vector_is_not_raised(void **state)
{
	struct host *h = *state;

	add_pair(h, &h->sq, &h->cq, 1, true, 3);
	set32(h, INTMS, 1u << 3);
	assert_status(host_exec(h, &h->sq, &h->cq, flush()), SUCCESS);
	only(-1);
	set32(h, INTMC, 1u << 3);
	forget();
	host_exec(h, &h->sq, &h->cq, flush());
	only(3);
}

/* pcie 3.5.1: clearing the mask with entries unacknowledged "shall cause an MSI to be sent". */
static void unmasking_raises_what_waits(void **state)
{
	struct host *h = *state;
	struct cqe c;

	add_pair(h, &h->sq, &h->cq, 1, true, 3);
	set32(h, INTMS, 1u << 3);
	host_push(h, &h->sq, flush());
	host_ring(h, &h->sq);
	only(-1);
	set32(h, INTMC, 1u << 3);
	host_run(h);
	only(3);
	assert_true(host_reap(h, &h->cq, &c));
}

/* pcie 3.5.1: nothing is raised by unmasking when all entries were acknowledged meanwhile. */
static void unmasking_raises_nothing_else(void **state)
{
	struct host *h = *state;

	add_pair(h, &h->sq, &h->cq, 1, true, 3);
	set32(h, INTMS, 1u << 3);
	host_exec(h, &h->sq, &h->cq, flush());
	set32(h, INTMC, 1u << 3);
	host_run(h);
	only(-1);
}

#define t(test) cmocka_unit_test_setup_teardown(test, setup, host_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		t(admin_queue_has_vector_0),         t(disabled_queue_raises_none),
		t(enabled_queue_raises_its_vector),  t(queues_share_a_vector),
		t(entry_comes_before_its_interrupt), t(acknowledged_queue_is_quiet),
		t(each_batch_raises_its_vector),     t(masked_vector_is_not_raised),
		t(unmasking_raises_what_waits),      t(unmasking_raises_nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
