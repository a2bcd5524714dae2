/* SPDX-License-Identifier: MIT */
/* Turns, posted register writes, and the machine's thread. */
#include "sim/turn.h"

#include <sched.h>

#include "core/env.h"
#include "core/order.h"
#include "sim/machine.h"

/* How long the thread looks for work before it sleeps, ns: longer than a driver needs between two
 * doorbells, so that a busy queue costs no wake-up. */
#define SPIN_NS 30000

/* The machine in whose turn this thread is. */
static __thread struct phyr_sim *turn_of;

void phyr_sim_turns_init(struct sim_turns *turns, bool stepped)
{
	*turns = (struct sim_turns){.stepped = stepped};
	pthread_mutex_init(&turns->lock, NULL);
	pthread_mutex_init(&turns->queue_lock, NULL);
	pthread_cond_init(&turns->wake, NULL);
}

struct sim_turn phyr_sim_turn_begin(struct phyr_sim *sim)
{
	struct sim_turns *t = &sim->turns;
	struct sim_turn turn = {turn_of, turn_of != sim};

	if (!turn.mine)
		return turn;
	atomic_count_add(&t->waiting, 1);
	pthread_mutex_lock(&t->lock);
	atomic_count_sub(&t->waiting, 1);
	store_relaxed(&t->seq, t->seq + 1);
	turn_of = sim;
	return turn;
}

void phyr_sim_turn_end(struct phyr_sim *sim, struct sim_turn turn)
{
	struct sim_turns *t = &sim->turns;

	if (!turn.mine)
		return;
	turn_of = turn.outer;
	/* Pairs with the load in phyr_sim_turn_wait(): all accesses of the turn are done. */
	store_release(&t->seq, t->seq + 1);
	pthread_mutex_unlock(&t->lock);
}

uint64_t phyr_sim_turn_now(struct phyr_sim *sim)
{
	return load_acquire(&sim->turns.seq);
}

void phyr_sim_turn_wait(struct phyr_sim *sim, uint64_t seq)
{
	if (!(seq & 1) || turn_of == sim)
		return;
	while (load_acquire(&sim->turns.seq) == seq)
		sched_yield();
}

/* Let the thread look for steps to take. */
static void kick(struct sim_turns *t)
{
	pthread_mutex_lock(&t->queue_lock);
	store_relaxed(&t->kick, true);
	if (t->asleep)
		pthread_cond_signal(&t->wake);
	pthread_mutex_unlock(&t->queue_lock);
}

static bool push(struct sim_turns *t, const struct sim_posted *write)
{
	bool room;

	pthread_mutex_lock(&t->queue_lock);
	room = t->nr < SIM_POSTED;
	if (room) {
		t->posted[(t->head + t->nr) % SIM_POSTED] = *write;
		store_relaxed(&t->nr, t->nr + 1);
		if (t->asleep)
			pthread_cond_signal(&t->wake);
	}
	pthread_mutex_unlock(&t->queue_lock);
	return room;
}

static bool pop(struct sim_turns *t, struct sim_posted *write)
{
	bool any;

	pthread_mutex_lock(&t->queue_lock);
	any = t->nr > 0;
	if (any) {
		*write = t->posted[t->head];
		t->head = (t->head + 1) % SIM_POSTED;
		store_relaxed(&t->nr, t->nr - 1);
	}
	pthread_mutex_unlock(&t->queue_lock);
	return any;
}

static bool drain(struct phyr_sim *sim)
{
	struct sim_posted w;
	bool any = false;

	for (; pop(&sim->turns, &w); any = true) {
		w.sdev->ops->mmio_write(w.sdev->priv, w.offset, w.value, w.width);
		w.sdev->work = w.sdev->ops->step != NULL;
	}
	return any;
}

void phyr_sim_drain(struct phyr_sim *sim)
{
	if (drain(sim) && !sim->turns.stepped)
		kick(&sim->turns);
}

static void drain_in_turn(struct phyr_sim *sim)
{
	struct sim_turn turn = phyr_sim_turn_begin(sim);

	phyr_sim_drain(sim);
	phyr_sim_turn_end(sim, turn);
}

void phyr_sim_post(struct phyr_sim *sim, const struct sim_posted *write)
{
	while (!push(&sim->turns, write))
		drain_in_turn(sim);
	/* From inside a turn the write stays queued until the device's function is done. */
	if (sim->turns.stepped && turn_of != sim)
		drain_in_turn(sim);
}

/* One step of a device that has one due. */
static void step(struct phyr_sim *sim, struct phyr_sim_dev *sdev)
{
	count_add(&sim->turns.steps, 1);
	sdev->work = sdev->ops->step(sdev->priv);
}

/* One step of the next device that has one due. */
static bool step_next(struct phyr_sim *sim)
{
	struct sim_turns *t = &sim->turns;

	for (unsigned i = 0; i < sim->nr_devs; i++) {
		struct phyr_sim_dev *sdev = sim->devs[t->next++ % sim->nr_devs];

		if (!sdev->work)
			continue;
		step(sim, sdev);
		return true;
	}
	return false;
}

static bool run_once(struct phyr_sim *sim)
{
	struct sim_turn turn = phyr_sim_turn_begin(sim);
	bool did = drain(sim);

	did |= step_next(sim);
	phyr_sim_turn_end(sim, turn);
	while (load_relaxed(&sim->turns.waiting))
		sched_yield();
	return did;
}

/* Look for work for a while before sleeping. */
static void spin_for_work(struct sim_turns *t)
{
	struct phyr_env *env = phyr_env_hosted();
	uint64_t end = env->now_ns(env) + SPIN_NS;

	while (!load_relaxed(&t->nr) && !load_relaxed(&t->kick) && env->now_ns(env) < end)
		sched_yield();
}

/* Wait until there may be work; false: the machine stops. */
static bool wait_for_work(struct sim_turns *t)
{
	bool go_on;

	if (!load_relaxed(&t->stop))
		spin_for_work(t);
	pthread_mutex_lock(&t->queue_lock);
	t->asleep = true;
	while (!t->nr && !t->kick && !t->stop)
		pthread_cond_wait(&t->wake, &t->queue_lock);
	t->asleep = false;
	store_relaxed(&t->kick, false);
	go_on = !t->stop;
	pthread_mutex_unlock(&t->queue_lock);
	return go_on;
}

static void *machine_thread(void *arg)
{
	struct phyr_sim *sim = arg;

	do {
		while (run_once(sim) && !load_relaxed(&sim->turns.stop))
			;
	} while (wait_for_work(&sim->turns));
	return NULL;
}

int phyr_sim_turns_start(struct phyr_sim *sim)
{
	struct sim_turns *t = &sim->turns;

	if (t->stepped || t->running)
		return 0;
	if (pthread_create(&t->thread, NULL, machine_thread, sim))
		return -ENOMEM;
	t->running = true;
	return 0;
}

void phyr_sim_turns_fini(struct sim_turns *t)
{
	if (t->running) {
		pthread_mutex_lock(&t->queue_lock);
		store_relaxed(&t->stop, true);
		pthread_cond_signal(&t->wake);
		pthread_mutex_unlock(&t->queue_lock);
		pthread_join(t->thread, NULL);
	}
	pthread_cond_destroy(&t->wake);
	pthread_mutex_destroy(&t->queue_lock);
	pthread_mutex_destroy(&t->lock);
}

bool phyr_sim_step(struct phyr_sim *sim)
{
	struct sim_turn turn;
	bool more = false;

	if (!sim->turns.stepped)
		return false;
	turn = phyr_sim_turn_begin(sim);
	drain(sim);
	for (unsigned i = 0; i < sim->nr_devs; i++)
		if (sim->devs[i]->work)
			step(sim, sim->devs[i]);
	drain(sim);
	for (unsigned i = 0; i < sim->nr_devs; i++)
		more |= sim->devs[i]->work;
	phyr_sim_turn_end(sim, turn);
	return more;
}
