/* SPDX-License-Identifier: MIT */
/* The tests of a driver with a ring: it is filled, it goes round, and it is closed while busy. */
#include "my_bench.h"
#include "my_ring.h"

#define PACKETS      20u
#define LENGTH_OF(i) (1 + (uint64_t)(i)*1999 % 5000) /* in pieces of a page: one, or several */

struct rig {
	struct bench bench; /* comes first, so that a bench is a rig */
	struct nic nic;
	unsigned full; /* times that the ring was */
	bool hasty;    /* close it without waiting */
	uint64_t len;  /* of each packet, if not 0 */
	char data[65536];
	struct phyr_list lists[PACKETS]; /* parts of data, one behind the other */
};

static int use_driver(struct rig *r, struct ring *ring, struct phyr *p)
{
	char *at = r->data;
	int err = ring_open(ring);

	for (unsigned i = 0; !err && i < PACKETS; at += LENGTH_OF(i++)) {
		err = phyr_list_from_user(p, at, r->len ? r->len : LENGTH_OF(i), &r->lists[i]);
		for (; !err && (err = ring_send(ring, &r->lists[i])) == -EAGAIN; err = 0, r->full++)
			bench_wait(&r->bench);
	}
	err = err || r->hasty ? err : ring_wait(ring);
	ring_close(ring);
	return err;
}

static int life(struct bench *b)
{
	struct rig *r = (struct rig *)b;
	struct ring ring = {.wait = bench_wait, .wait_arg = b};
	struct phyr *p;
	int err;

	r->nic = (struct nic){.fail_at = r->nic.fail_at};
	b->opts.sim_ops = &nic_ops, b->opts.sim_priv = &r->nic;
	err = phyr_open("sim:", &b->opts, &p);
	if (err)
		return err;
	r->nic.sdev = phyr_get_sim_dev(p);
	ring.dev = phyr_get_dev(p), ring.regs = bench_regs(b, p);
	err = use_driver(r, &ring, p);
	while (bench_step(b))
		; /* a device that is not done is not done: what it still does must be right, too */
	for (unsigned i = 0; i < PACKETS; i++)
		phyr_list_release(p, &r->lists[i]); /* or it is empty */
	phyr_close(p);
	if (err || b->complaints || r->nic.fail_at) /* those are judged by themselves */
		return err;
	assert_true(r->hasty || r->nic.packets == PACKETS);
	assert_memory_equal(r->nic.wire, r->data, r->nic.sent);
	return 0;
}

static void it_sends(void **state)
{
	bench_conditions(*state, life);
	bench_none(!((struct rig *)*state)->full, "the ring was never full: what is done then?");
}

static void it_closes_while_busy(void **state)
{
	((struct rig *)*state)->hasty = true;
	bench_conditions(*state, life);
}

static void it_refuses_too_much(void **state)
{
	((struct rig *)*state)->len = (NR_DESCS + 1) * (uint64_t)4096;
	bench_error(bench_run(*state, life), -E2BIG);
}

static void each_allocation_fails(void **state)
{
	bench_fail_allocations(*state, life);
}

static void addresses_run_out(void **state)
{
	bench_few_addresses(*state, life);
}

static void each_piece_fails(void **state)
{
	struct rig *r = *state;

	for (r->nic.fail_at = 1; bench_run(&r->bench, life); r->nic.fail_at++)
		bench_none(r->nic.head < r->nic.fail_at, "errors without a failure");
	bench_none(r->nic.head >= r->nic.fail_at, "failures that the driver does not tell");
}

static int set_up(void **state)
{
	static struct rig r;

	*state = memset(&r, 0, sizeof(r));
	bench_init(&r.bench, 0);
	for (unsigned i = 0; i < sizeof(r.data); i++)
		r.data[i] = (char)(i % 251);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {bench_test(it_sends),
					   bench_test(it_closes_while_busy),
					   bench_test(it_refuses_too_much),
					   bench_test(each_allocation_fails),
					   bench_test(addresses_run_out),
					   bench_test(each_piece_fails)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
