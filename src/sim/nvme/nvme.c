/* SPDX-License-Identifier: MIT */
/*
 * A simulated NVMe controller over files, by the specifications: it stands on the public device
 * interface and shares nothing with the driver, so that each proves the other.
 *
 *   regs.c      properties, enabling, reset, shutdown
 *   queue.c     rings, doorbells, whose turn it is, interrupts
 *   run.c       one command from its queue to its end
 *   plan.c      faults by plan           held.c       commands without a completion yet
 *   admin.c     which command is whose   queue_cmd.c  create and delete queues
 *   identify.c  what it is               feature.c    what can be set
 *   log.c       log pages                health.c     counts and errors
 *   effects.c   what it supports         event.c      asynchronous events
 *   format.c    other blocks
 *   io.c        read, write, flush       dsm.c        write zeroes, deallocate
 *   ns.c        namespaces               media.c      a file as media
 *   prp.c       from PRP entries to pieces of memory
 *   move.c      pieces to and from files data.c       pieces to and from buffers
 *
 * A step is one change of state or one whole command; register accesses wait no longer than that.
 */
#include "sim/nvme/nvme.h"

#include "core/env.h"
#include "sim/machine.h"

static bool step(void *priv)
{
	struct sim_nvme *n = priv;

	n->now++;
	phyr_sim_nvme_raise_unmasked(n);
	if (n->gone)
		return false;
	if (phyr_sim_nvme_change_state(n))
		return true;
	if (!n->enabled || n->fatal || n->shutdown != NVME_SHST_NORMAL)
		return false;
	return phyr_sim_nvme_run_one(n);
}

static const struct phyr_sim_dev_ops ops = {
	.mmio_read = phyr_sim_nvme_mmio_read,
	.mmio_write = phyr_sim_nvme_mmio_write,
	.step = step,
};

static unsigned or_default(unsigned value, unsigned if_zero)
{
	return value ? value : if_zero;
}

/* @return what is wrong, or NULL */
static const char *take_config(struct sim_nvme *n, const struct phyr_sim_nvme_config *config)
{
	n->nr_ns = config->nr_more + 1;
	n->mdts = or_default(config->mdts, 8);
	n->mps_min_lg2 = or_default(config->mps_min_lg2, 12);
	n->mps_max_lg2 = or_default(config->mps_max_lg2, 16);
	n->max_queues = or_default(config->queues, 64);
	n->max_entries = or_default(config->queue_entries, 1024);
	if (config->nr_more >= PHYR_SIM_NVME_NAMESPACES || (config->nr_more && !config->more))
		return "nr_more is less than PHYR_SIM_NVME_NAMESPACES, and more has as many";
	if (n->mdts > 31)
		return "mdts is 31 at most";
	if (n->mps_min_lg2 < 12 || n->mps_max_lg2 > 16 || n->mps_min_lg2 > n->mps_max_lg2)
		return "controller pages are 2^12 to 2^16 bytes, mps_min_lg2 not above mps_max_lg2";
	if (n->max_queues > 65535)
		return "queues is 65535 at most";
	if (n->max_entries < 2 || n->max_entries > 65536)
		return "queue_entries is 2 to 65536";
	return NULL;
}

static void free_controller(struct sim_nvme *n)
{
	size_t nr = n->max_queues + 1;

	phyr_sim_nvme_free_plan(n);
	env_free(n->env, n->ns, n->nr_ns * sizeof(*n->ns));
	env_free(n->env, n->sqs, nr * sizeof(*n->sqs));
	env_free(n->env, n->cqs, nr * sizeof(*n->cqs));
	env_free(n->env, n, sizeof(*n));
}

static bool alloc_arrays(struct sim_nvme *n)
{
	size_t nr = n->max_queues + 1;

	n->ns = env_alloc(n->env, n->nr_ns * sizeof(*n->ns));
	n->sqs = env_alloc(n->env, nr * sizeof(*n->sqs));
	n->cqs = env_alloc(n->env, nr * sizeof(*n->cqs));
	return n->ns && n->sqs && n->cqs;
}

static int create_error(struct phyr_env *env, int err, const char *hint)
{
	return env_fail(env, .err = err, .call = "phyr_sim_nvme_create", .hint = hint);
}

/* Give a controller its memory and its files, and the state that it has after power on. */
static int init(struct sim_nvme *n, uint32_t source, const struct phyr_sim_nvme_config *config)
{
	const char *wrong;

	if (!alloc_arrays(n))
		return create_error(n->env, -ENOMEM, "no memory for queues and namespaces");
	wrong = phyr_sim_nvme_take_files(n, source, config);
	if (wrong)
		return create_error(n->env, -EINVAL, wrong);
	n->health.kelvin = SIM_NVME_KELVIN;
	n->health.started_ns = env_now_ns(n->env);
	phyr_sim_nvme_reset(n);
	return 0;
}

/* @return NULL: *err says why */
static struct sim_nvme *make(struct phyr_env *env, uint32_t source,
			     const struct phyr_sim_nvme_config *config, int *err)
{
	struct sim_nvme *n = env_alloc(env, sizeof(*n));
	const char *wrong;

	if (!n) {
		*err = create_error(env, -ENOMEM, "no memory for a controller");
		return NULL;
	}
	n->env = env;
	wrong = take_config(n, config);
	*err = wrong ? create_error(env, -EINVAL, wrong) : init(n, source, config);
	if (!*err)
		return n;
	free_controller(n);
	return NULL;
}

int phyr_sim_nvme_create(struct phyr_sim *sim, uint32_t source,
			 const struct phyr_sim_nvme_config *config, struct phyr_sim_dev **out)
{
	struct phyr_env *env = phyr_sim_env(sim);
	struct sim_nvme *n;
	int err;

	if (!config || config->size != sizeof(*config))
		return create_error(env, -EINVAL,
				    "config->size is not sizeof(struct phyr_sim_nvme_config)");
	n = make(env, source, config, &err);
	if (!n)
		return err;
	err = phyr_sim_dev_add(sim, &ops, n, source, &n->sdev);
	if (err) {
		free_controller(n);
		return err;
	}
	*out = n->sdev;
	return 0;
}

struct sim_nvme *phyr_sim_nvme_of(struct phyr_sim_dev *sdev, const char *call)
{
	if (sdev->ops == &ops)
		return sdev->priv;
	env_fail(phyr_sim_env(sdev->sim), .err = -EINVAL, .call = call, .index = sdev->source,
		 .index_of = "device",
		 .hint = "the device is no NVMe controller of phyr_sim_nvme_create()");
	return NULL;
}

void phyr_sim_nvme_destroy(struct phyr_sim_dev *sdev)
{
	struct sim_nvme *n;

	if (!sdev)
		return;
	n = phyr_sim_nvme_of(sdev, "phyr_sim_nvme_destroy");
	if (!n)
		return;
	phyr_sim_dev_remove(sdev);
	free_controller(n);
}
