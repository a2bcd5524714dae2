/* SPDX-License-Identifier: MIT */
/* A controller opened and closed. */
#include "nvme/ctrl.h"

#include "core/bits.h"

#define DEFAULT_TIMEOUT_NS UINT64_C(10000000000)
#define DEFAULT_RESETS     3
#define QUEUES_MAX         65535 /* Base 5.27.1.5: 65536 cannot be asked for */

static const char open_call[] = "phyr_nvme_open";

#define open_error(nvme, error, text) \
	env_fail((nvme)->env, .err = (error), .call = open_call, .hint = (text))

static int check_opts(struct phyr_nvme *nvme, const struct phyr_nvme_opts *o)
{
	if (o->size != sizeof(*o))
		return open_error(nvme, -EINVAL, "opts->size is not sizeof(struct phyr_nvme_opts)");
	if (o->page_lg2 && (o->page_lg2 < 12 || o->page_lg2 > 16))
		return open_error(nvme, -EINVAL, "page_lg2 is neither 0 nor 12 to 16");
	if (o->queues > QUEUES_MAX)
		return open_error(nvme, -EINVAL, "more than 65535 queues");
	if (o->interrupts && !o->set_vector_fd)
		return open_error(nvme, -EINVAL, "interrupts need opts->set_vector_fd");
	if (o->interrupts && o->nr_vectors < 2)
		return open_error(
			nvme, -EINVAL,
			"interrupts need two vectors at least: the admin queue's and one");
	return 0;
}

static int take_opts(struct phyr_nvme *nvme, const struct phyr_nvme_opts *opts)
{
	struct phyr_nvme_opts *o = &nvme->opts;
	int err = opts ? check_opts(nvme, opts) : 0;

	if (err)
		return err;
	if (opts)
		*o = *opts;
	o->nsid = o->nsid ? o->nsid : 1;
	o->queues = o->queues ? o->queues : 1;
	o->timeout_ns = o->timeout_ns ? o->timeout_ns : DEFAULT_TIMEOUT_NS;
	o->max_resets = o->max_resets ? o->max_resets : DEFAULT_RESETS;
	/* What can be used at all: as many as there are doorbells and vectors for. */
	if (o->interrupts)
		o->queues = (unsigned)min_u64(o->queues, o->nr_vectors - 1);
	return 0;
}

/* All memory that a controller needs in its life: a reset takes none. */
static int alloc_parts(struct phyr_nvme *nvme)
{
	uint64_t page = (uint64_t)1 << nvme->page_lg2;
	int err;

	nvme->max_queues = (unsigned)min_u64(nvme->opts.queues, phyr_nvme_doorbell_pairs(nvme) - 1);
	nvme->queues = env_alloc(nvme->env, nvme->max_queues * sizeof(struct phyr_nvme_queue *));
	if (!nvme->queues)
		return open_error(nvme, -ENOMEM, "no memory for the table of queues");
	nvme->id_page = phyr_dma_alloc(nvme->dev, PHYR_NVME_ID_SIZE, &nvme->id_dma);
	if (!nvme->id_page)
		return open_error(nvme, -ENOMEM, "no memory for identify data");
	err = phyr_dma_pool_create(nvme->dev, page, page, &nvme->prp_pool);
	if (err)
		return open_error(nvme, err, "no memory for the pool of PRP lists");
	err = env_lock_init(nvme->env, &nvme->lock);
	if (err)
		return open_error(nvme, -ENOMEM, "no lock for the admin queue");
	nvme->lock_made = true;
	return phyr_nvme_admin_init(nvme, open_call);
}

/* In the end the device knows none of it any more. */
static void free_parts(struct phyr_nvme *nvme)
{
	phyr_nvme_admin_fini(nvme);
	if (nvme->lock_made)
		env_lock_fini(nvme->env, &nvme->lock);
	phyr_dma_pool_destroy(nvme->prp_pool);
	phyr_dma_free(nvme->dev, PHYR_NVME_ID_SIZE, nvme->id_page, nvme->id_dma);
	env_free(nvme->env, nvme->queues, nvme->max_queues * sizeof(struct phyr_nvme_queue *));
	env_free(nvme->env, nvme, sizeof(*nvme));
}

static int start(struct phyr_nvme *nvme)
{
	struct nvme_ask ask = {open_call, nvme->run};
	struct nvme_identity id;
	unsigned granted = 0;
	int err = phyr_nvme_bring_up(nvme, &ask, &id, &granted);

	if (err)
		return err;
	phyr_nvme_adopt(nvme, &id);
	nvme->info.queues = granted;
	phyr_nvme_admin_good(nvme, nvme->run - NVME_QUIET + NVME_RUN_STEP);
	return 0;
}

static void stop(struct phyr_nvme *nvme, const char *call)
{
	if (phyr_nvme_disable(nvme) == -ETIMEDOUT)
		phyr_nvme_report_enabled(nvme, call);
}

static int open_device(struct phyr_nvme *nvme)
{
	int err = phyr_nvme_disable(nvme);

	if (err)
		return open_error(nvme, err, phyr_nvme_ready_hint(err));
	err = alloc_parts(nvme);
	if (err)
		return err;
	err = start(nvme);
	if (err)
		stop(nvme, open_call);
	return err;
}

int phyr_nvme_open(struct phyr_dev *dev, struct phyr_regs *regs, const struct phyr_nvme_opts *opts,
		   struct phyr_nvme **out)
{
	struct phyr_env *env = phyr_dev_env(dev);
	struct phyr_nvme *nvme = env_alloc(env, sizeof(*nvme));
	int err;

	if (!nvme)
		return env_fail(env, .err = -ENOMEM, .call = open_call,
				.hint = "no memory for the controller");
	nvme->dev = dev;
	nvme->env = env;
	nvme->regs = regs;
	nvme->run = NVME_QUIET;
	nvme->admin.fd = -1;
	err = take_opts(nvme, opts);
	if (!err)
		err = phyr_nvme_read_cap(nvme, open_call);
	if (!err)
		err = open_device(nvme);
	if (err)
		free_parts(nvme);
	else
		*out = nvme;
	return err;
}

/* Base 3.6.1: what a cache holds is kept. */
static void shut_down(struct phyr_nvme *nvme, const char *call)
{
	int err = phyr_nvme_shut_down(nvme);

	if (err && err != -ENODEV)
		env_fail(nvme->env, .err = err, .call = call,
			 .hint = "the controller did not shut down in time: "
				 "what its cache held may be lost");
	/* Gone, or so it says: it is told to stop all the same, as its memory goes. */
	stop(nvme, call);
}

void phyr_nvme_close(struct phyr_nvme *nvme)
{
	uint32_t run;

	if (!nvme)
		return;
	run = phyr_nvme_settle(nvme);
	if (nvme_phase(run) == NVME_RUNNING) {
		shut_down(nvme, "phyr_nvme_close");
		/* What still waits for an event ends now; its function finds a dead controller. */
		nvme->dead = -ENODEV;
		store_relaxed(&nvme->run, run + NVME_DEAD);
		phyr_nvme_admin_lose(nvme, -ECANCELED);
	}
	phyr_nvme_admin_poll(nvme);
	free_parts(nvme);
}

const struct phyr_nvme_info *phyr_nvme_get_info(const struct phyr_nvme *nvme)
{
	return &nvme->info;
}

void phyr_nvme_get_stats(const struct phyr_nvme *nvme, struct phyr_nvme_ctrl_stats *stats)
{
	stats->resets = load_relaxed(&nvme->stats.resets);
	stats->aborts = load_relaxed(&nvme->stats.aborts);
	stats->why = load_relaxed(&nvme->stats.why);
	stats->dead = nvme_phase(load_acquire(&nvme->run)) == NVME_DEAD ? nvme->dead : 0;
}
