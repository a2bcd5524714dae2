/* SPDX-License-Identifier: MIT */
/* Admin commands of the driver's own: sent, waited for. */
#include "nvme/ctrl.h"

static void forget(void *arg, const struct phyr_nvme_done *done)
{
}

/* Look for what keeps commands from their end, and see to it. @return 0; what is wrong with a run that
 * is being brought up, which is for whoever does that */
static int see_to(struct phyr_nvme *nvme, const struct nvme_ask *ask)
{
	struct phyr_report why;

	if (!phyr_nvme_admin_trouble(nvme, ask->run, ask->call, &why))
		return 0;
	if (nvme_phase(ask->run) == NVME_QUIET)
		return phyr_env_report(nvme->env, &why);
	phyr_nvme_restart(nvme, ask->run, &why);
	return 0;
}

/* @return 0: it ended; else what is wrong with the run that is being brought up */
static int await(struct phyr_nvme *nvme, const struct nvme_ask *ask, struct nvme_waiter *w)
{
	unsigned pauses = 0;
	int err;

	for (;;) {
		phyr_nvme_admin_take(nvme);
		if (nvme_waited(w))
			return 0;
		err = see_to(nvme, ask);
		if (err) { /* nobody waits for it any more */
			phyr_nvme_admin_forget(nvme, w, forget);
			return err;
		}
		phyr_nvme_pause(nvme, &pauses);
	}
}

/* Others may have all slots, of a controller that ends none of theirs: aborts have no other waiter. */
static int send_one(struct phyr_nvme *nvme, const struct nvme_ask *ask, struct phyr_nvme_sqe *sqe,
		    struct nvme_waiter *w)
{
	unsigned pauses = 0;
	int err;

	while ((err = phyr_nvme_admin_send(nvme, ask, sqe, phyr_nvme_waiter_ended, w)) == -EAGAIN) {
		phyr_nvme_admin_take(nvme);
		err = see_to(nvme, ask);
		if (err)
			return err;
		phyr_nvme_pause(nvme, &pauses);
	}
	return err;
}

/* What it has done by then is not known: no way but a reset. */
static int aborted(struct phyr_nvme *nvme, const struct nvme_ask *ask)
{
	const struct phyr_report why = {.err = -ETIMEDOUT,
					.call = ask->call,
					.hint = "an admin command did not end in time and was "
						"aborted: the controller is reset"};

	phyr_nvme_restart(nvme, ask->run, &why);
	return why.err;
}

int phyr_nvme_admin(struct phyr_nvme *nvme, const struct nvme_ask *ask, struct phyr_nvme_sqe *sqe,
		    uint32_t *result, const char *hint)
{
	struct nvme_waiter w = {.ended = false};
	int err = send_one(nvme, ask, sqe, &w);

	if (!err)
		err = await(nvme, ask, &w);
	if (err)
		return err;
	if (w.done.status == PHYR_NVME_SC_ABORT_REQUESTED)
		return aborted(nvme, ask);
	if (w.done.status)
		return env_fail(nvme->env, .err = -EIO, .call = ask->call, .hint = hint);
	if (w.done.err) /* by a reset */
		return w.done.err == -ETIMEDOUT ? w.done.err : -ECANCELED;
	if (result)
		*result = (uint32_t)w.done.result;
	return 0;
}
