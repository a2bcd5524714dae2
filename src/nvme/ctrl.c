/* SPDX-License-Identifier: MIT */
/* A controller's life: enable, disable, fail. Base 3.5.1 (initialization), 3.7.2 (reset). */
#include "nvme/ctrl.h"

#include <sched.h>

#include "core/bits.h"
#include "nvme/regs.h"

#define DEFAULT_TIMEOUT_NS UINT64_C(10000000000)
#define READY_UNIT_NS      UINT64_C(500000000)
#define PAGE_LG2_MIN       12
#define PAGE_LG2_MAX       16 /* what phyr_prp_build() takes */
#define ADMIN_ENTRIES      16
#define QUEUES_MAX         65535 /* Base 5.27.1.5: 65536 cannot be asked for */

#define ctrl_error(nvme, error, text) \
	env_fail((nvme)->env, .err = (error), .call = (nvme)->call, .hint = (text))

void phyr_nvme_pause(struct phyr_nvme *nvme)
{
	if (nvme->opts.wait)
		nvme->opts.wait(nvme->opts.wait_arg);
	else
		sched_yield();
}

const char *phyr_nvme_csts_trouble(struct phyr_nvme *nvme)
{
	uint32_t csts = regs_read32(nvme->regs, PHYR_NVME_CSTS);

	if (csts == UINT32_MAX)
		return "the registers read all ones: the device is gone";
	return csts & PHYR_NVME_CSTS_CFS ? "the controller says that it failed (CSTS.CFS)" : NULL;
}

/* Wait for CSTS.RDY. Nothing is reported: what it means is the caller's to say. */
static int wait_ready(struct phyr_nvme *nvme, uint32_t want)
{
	uint64_t start = env_now_ns(nvme->env);

	for (;;) {
		uint32_t csts = regs_read32(nvme->regs, PHYR_NVME_CSTS);

		if (csts == UINT32_MAX)
			return -ENODEV;
		if (want && csts & PHYR_NVME_CSTS_CFS)
			return -EIO;
		if ((csts & PHYR_NVME_CSTS_RDY) == want)
			return 0;
		if (env_now_ns(nvme->env) - start >= nvme->ready_ns)
			return -ETIMEDOUT;
		phyr_nvme_pause(nvme);
	}
}

static int disable(struct phyr_nvme *nvme)
{
	uint32_t cc = regs_read32(nvme->regs, PHYR_NVME_CC);

	/* All ones: gone, or so it says; it is told to stop all the same. */
	if (cc & PHYR_NVME_CC_EN)
		regs_write32(nvme->regs, PHYR_NVME_CC, cc & ~PHYR_NVME_CC_EN);
	return wait_ready(nvme, 0);
}

static void report_enabled(struct phyr_nvme *nvme, const char *call)
{
	env_fail(nvme->env, .err = -ETIMEDOUT, .call = call,
		 .hint = "the controller cannot be disabled: "
			 "only an IOMMU keeps it from memory now");
}

int phyr_nvme_fail(struct phyr_nvme *nvme, const struct phyr_report *why)
{
	int alive = NVME_ALIVE;
	int err;

	if (!compare_exchange(&nvme->state, &alive, NVME_FAILING))
		return why->err;
	err = disable(nvme);
	/* Pairs with the acquire in nvme_dead(). */
	store_release(&nvme->state, why->err);
	phyr_env_report(nvme->env, why);
	if (err == -ETIMEDOUT)
		report_enabled(nvme, why->call);
	return why->err;
}

/* Base 3.5.1, steps 2 to 6. */
static int enable(struct phyr_nvme *nvme)
{
	const struct nvme_ring *admin = &nvme->admin;
	uint32_t last = admin->entries - 1;

	regs_write32(nvme->regs, PHYR_NVME_AQA,
		     PHYR_NVME_AQA_ASQS(last) | PHYR_NVME_AQA_ACQS(last));
	regs_write64(nvme->regs, PHYR_NVME_ASQ, admin->sq_dma);
	regs_write64(nvme->regs, PHYR_NVME_ACQ, admin->cq_dma);
	regs_write32(nvme->regs, PHYR_NVME_CC,
		     PHYR_NVME_CC_IOSQES(PHYR_NVME_SQES) | PHYR_NVME_CC_IOCQES(PHYR_NVME_CQES) |
			     PHYR_NVME_CC_MPS(nvme->page_lg2 - PAGE_LG2_MIN) | PHYR_NVME_CC_EN);
	return wait_ready(nvme, PHYR_NVME_CSTS_RDY);
}

static const char *ready_hint(int err)
{
	switch (err) {
	case -ENODEV:
		return "the registers read all ones: the device is gone";
	case -EIO:
		return "the controller failed while it was being enabled (CSTS.CFS)";
	default:
		return "CSTS.RDY did not follow CC.EN in the time that CAP.TO gives";
	}
}

static int take_opts(struct phyr_nvme *nvme, const struct phyr_nvme_opts *opts)
{
	struct phyr_nvme_opts *o = &nvme->opts;

	if (opts && opts->size != sizeof(*opts))
		return ctrl_error(nvme, -EINVAL, "opts->size is not sizeof(struct phyr_nvme_opts)");
	if (opts)
		*o = *opts;
	if (o->page_lg2 && (o->page_lg2 < PAGE_LG2_MIN || o->page_lg2 > PAGE_LG2_MAX))
		return ctrl_error(nvme, -EINVAL, "page_lg2 is neither 0 nor 12 to 16");
	if (o->queues > QUEUES_MAX)
		return ctrl_error(nvme, -EINVAL, "more than 65535 queues");
	o->nsid = o->nsid ? o->nsid : 1;
	o->queues = o->queues ? o->queues : 1;
	o->timeout_ns = o->timeout_ns ? o->timeout_ns : DEFAULT_TIMEOUT_NS;
	return 0;
}

static int choose_page(struct phyr_nvme *nvme)
{
	unsigned min = PAGE_LG2_MIN + PHYR_NVME_CAP_MPSMIN(nvme->cap);
	unsigned max = PAGE_LG2_MIN + PHYR_NVME_CAP_MPSMAX(nvme->cap);

	if (min > max)
		return ctrl_error(nvme, -EIO, "CAP.MPSMIN is over CAP.MPSMAX");
	nvme->page_lg2 = nvme->opts.page_lg2 ? nvme->opts.page_lg2 : min;
	if (nvme->page_lg2 < min || nvme->page_lg2 > max)
		return ctrl_error(nvme, -EOPNOTSUPP, "the controller has no pages of that size");
	if (nvme->page_lg2 > PAGE_LG2_MAX)
		return ctrl_error(nvme, -EOPNOTSUPP,
				  "the controller has no page of 64 KiB or less");
	nvme->info.page_size = UINT32_C(1) << nvme->page_lg2;
	return 0;
}

/* Queue pairs whose doorbells lie in the registers, the admin queue's among them. */
static uint64_t doorbell_pairs(const struct phyr_nvme *nvme)
{
	return (nvme->regs->size - PHYR_NVME_DOORBELLS) >> (nvme->stride_lg2 + 1);
}

static int read_cap(struct phyr_nvme *nvme)
{
	if (nvme->regs->size < PHYR_NVME_DOORBELLS)
		return ctrl_error(nvme, -EINVAL, "fewer than 4096 bytes of registers");
	nvme->cap = regs_read64(nvme->regs, PHYR_NVME_CAP);
	if (nvme->cap == UINT64_MAX)
		return ctrl_error(nvme, -ENODEV, "the registers read all ones: no device answers");
	nvme->stride_lg2 = 2 + PHYR_NVME_CAP_DSTRD(nvme->cap);
	/* One unit more: a controller that takes just what it said is in time. */
	nvme->ready_ns = (PHYR_NVME_CAP_TO(nvme->cap) + 1) * READY_UNIT_NS;
	if (!(nvme->cap & PHYR_NVME_CAP_CSS_NVM))
		return ctrl_error(nvme, -EOPNOTSUPP, "the controller lacks the NVM command set");
	if (!PHYR_NVME_CAP_MQES(nvme->cap))
		return ctrl_error(nvme, -EIO,
				  "CAP.MQES is 0, and a queue has two entries at least");
	if (doorbell_pairs(nvme) < 2)
		return ctrl_error(nvme, -EINVAL, "the registers end before the first doorbells");
	nvme->info.max_depth = PHYR_NVME_CAP_MQES(nvme->cap);
	return choose_page(nvme);
}

static int restart(struct phyr_nvme *nvme)
{
	int err = disable(nvme);

	if (err) {
		store_relaxed(&nvme->state, err); /* one try is enough */
		return ctrl_error(nvme, err, ready_hint(err));
	}
	err = phyr_nvme_ring_init(nvme, &nvme->admin, 0, ADMIN_ENTRIES);
	if (err)
		return err;
	err = enable(nvme);
	return err ? ctrl_error(nvme, err, ready_hint(err)) : 0;
}

static int get_queues(struct phyr_nvme *nvme)
{
	unsigned wanted = nvme->opts.queues, granted;
	int err;

	wanted = (unsigned)min_u64(wanted, doorbell_pairs(nvme) - 1);
	err = phyr_nvme_set_queues(nvme, wanted, &granted);
	if (err)
		return err;
	nvme->info.queues = granted < wanted ? granted : wanted;
	nvme->id_used = env_alloc(nvme->env, nvme->info.queues * sizeof(*nvme->id_used));
	if (!nvme->id_used)
		return ctrl_error(nvme, -ENOMEM, "no memory for the queue ids");
	return 0;
}

static int start(struct phyr_nvme *nvme)
{
	uint64_t page = (uint64_t)1 << nvme->page_lg2;
	int err = restart(nvme);

	if (!err)
		err = phyr_nvme_identify(nvme);
	if (!err)
		err = get_queues(nvme);
	if (err)
		return err;
	err = phyr_dma_pool_create(nvme->dev, page, page, &nvme->prp_pool);
	return err ? ctrl_error(nvme, err, "no memory for the pool of PRP lists") : 0;
}

static void nvme_free(struct phyr_nvme *nvme)
{
	phyr_dma_pool_destroy(nvme->prp_pool);
	env_free(nvme->env, nvme->id_used, nvme->info.queues * sizeof(*nvme->id_used));
	phyr_nvme_ring_fini(nvme, &nvme->admin);
	env_free(nvme->env, nvme, sizeof(*nvme));
}

int phyr_nvme_open(struct phyr_dev *dev, struct phyr_regs *regs, const struct phyr_nvme_opts *opts,
		   struct phyr_nvme **out)
{
	struct phyr_env *env = phyr_dev_env(dev);
	struct phyr_nvme *nvme = env_alloc(env, sizeof(*nvme));
	int err;

	if (!nvme)
		return env_fail(env, .err = -ENOMEM, .call = "phyr_nvme_open",
				.hint = "no memory for the controller");
	nvme->dev = dev;
	nvme->env = env;
	nvme->regs = regs;
	nvme->call = "phyr_nvme_open";
	err = take_opts(nvme, opts);
	if (!err)
		err = read_cap(nvme);
	if (err) {
		nvme_free(nvme);
		return err;
	}
	err = start(nvme);
	if (err) {
		phyr_nvme_close(nvme);
		return err;
	}
	*out = nvme;
	return 0;
}

void phyr_nvme_close(struct phyr_nvme *nvme)
{
	if (!nvme)
		return;
	if (nvme_alive(nvme) && disable(nvme) == -ETIMEDOUT)
		report_enabled(nvme, "phyr_nvme_close");
	nvme_free(nvme);
}

const struct phyr_nvme_info *phyr_nvme_get_info(const struct phyr_nvme *nvme)
{
	return &nvme->info;
}
