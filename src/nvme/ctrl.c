/* SPDX-License-Identifier: MIT */
/* A controller's registers: capabilities, enabling, disabling, shutting down. Base 3.1.3, 3.5, 3.6. */
#include "nvme/ctrl.h"

#include "core/bits.h"
#include "core/regs.h"

#define READY_UNIT_NS UINT64_C(500000000)
#define SHST_MASK     UINT32_C(0xc)
#define PAGE_LG2_MIN  12
#define PAGE_LG2_MAX  16 /* what phyr_prp_build() takes */

/* A controller that was never seen to work: most often it reaches nothing. */
#define REACH_HINT ": may it reach memory (phyr_pci_set_master()), and is its memory mapped?"

#define cap_error(nvme, error, text) \
	env_fail((nvme)->env, .err = (error), .call = call, .hint = (text))

static const char *fatal_hint(const struct phyr_nvme *nvme)
{
	return nvme_phase(load_relaxed(&nvme->run)) == NVME_QUIET
		       ? "the controller says that it failed (CSTS.CFS)" REACH_HINT
		       : "the controller says that it failed (CSTS.CFS)";
}

int phyr_nvme_csts_trouble(struct phyr_nvme *nvme, const char **hint)
{
	uint32_t csts = regs_read(nvme->regs, PHYR_NVME_CSTS, 4);

	if (csts == UINT32_MAX) {
		*hint = "the registers read all ones: the device is gone";
		return -ENODEV;
	}
	if ((csts & (PHYR_NVME_CSTS_CFS | PHYR_NVME_CSTS_RDY)) == PHYR_NVME_CSTS_RDY)
		return 0;
	*hint = csts & PHYR_NVME_CSTS_CFS ? fatal_hint(nvme)
					  : "the controller was disabled (CSTS.RDY), and not by "
					    "this driver: a reset of its function does that";
	return -EIO;
}

/* Wait until the bits of CSTS are as wanted. Nothing is reported: what it means is the caller's. */
static int wait_csts(struct phyr_nvme *nvme, uint32_t mask, uint32_t want, uint64_t limit_ns)
{
	uint64_t start = env_now_ns(nvme->env);
	unsigned pauses = 0;

	for (;;) {
		uint32_t csts = regs_read(nvme->regs, PHYR_NVME_CSTS, 4);

		if (csts == UINT32_MAX)
			return -ENODEV;
		if (want && csts & PHYR_NVME_CSTS_CFS)
			return -EIO;
		if ((csts & mask) == want)
			return 0;
		if (env_now_ns(nvme->env) - start >= limit_ns)
			return -ETIMEDOUT;
		phyr_nvme_pause(nvme, &pauses);
	}
}

int phyr_nvme_disable(struct phyr_nvme *nvme)
{
	uint32_t cc = regs_read(nvme->regs, PHYR_NVME_CC, 4);

	/* All ones: gone, or so it says; it is told to stop all the same. */
	if (cc & PHYR_NVME_CC_EN)
		regs_write(nvme->regs, PHYR_NVME_CC, cc & ~PHYR_NVME_CC_EN, 4);
	return wait_csts(nvme, PHYR_NVME_CSTS_RDY, 0, nvme->ready_ns);
}

/* Base 3.5.1, steps 2 to 6. */
int phyr_nvme_enable(struct phyr_nvme *nvme)
{
	const struct nvme_ring *admin = &nvme->admin.ring;
	uint32_t last = admin->entries - 1;

	regs_write(nvme->regs, PHYR_NVME_AQA, PHYR_NVME_AQA_ASQS(last) | PHYR_NVME_AQA_ACQS(last),
		   4);
	regs_write(nvme->regs, PHYR_NVME_ASQ, admin->sq_dma, 8);
	regs_write(nvme->regs, PHYR_NVME_ACQ, admin->cq_dma, 8);
	regs_write(nvme->regs, PHYR_NVME_CC,
		   PHYR_NVME_CC_IOSQES(PHYR_NVME_SQES) | PHYR_NVME_CC_IOCQES(PHYR_NVME_CQES) |
			   PHYR_NVME_CC_MPS(nvme->page_lg2 - PAGE_LG2_MIN) | PHYR_NVME_CC_EN,
		   4);
	return wait_csts(nvme, PHYR_NVME_CSTS_RDY, PHYR_NVME_CSTS_RDY, nvme->ready_ns);
}

const char *phyr_nvme_ready_hint(int err)
{
	switch (err) {
	case -ENODEV:
		return "the registers read all ones: the device is gone";
	case -EIO:
		return "the controller failed while it was being enabled (CSTS.CFS)" REACH_HINT;
	default:
		return "CSTS.RDY did not follow CC.EN in the time that CAP.TO gives";
	}
}

/* Base 3.6.1. */
int phyr_nvme_shut_down(struct phyr_nvme *nvme)
{
	uint32_t cc = regs_read(nvme->regs, PHYR_NVME_CC, 4);

	if (cc == UINT32_MAX)
		return -ENODEV;
	regs_write(nvme->regs, PHYR_NVME_CC,
		   (cc & ~PHYR_NVME_CC_SHN(3)) | PHYR_NVME_CC_SHN(PHYR_NVME_CC_SHN_NORMAL), 4);
	return wait_csts(nvme, SHST_MASK, PHYR_NVME_CSTS_SHST_COMPLETE << 2, nvme->shutdown_ns);
}

static int choose_page(struct phyr_nvme *nvme, const char *call)
{
	unsigned min = PAGE_LG2_MIN + PHYR_NVME_CAP_MPSMIN(nvme->cap);
	unsigned max = PAGE_LG2_MIN + PHYR_NVME_CAP_MPSMAX(nvme->cap);

	if (min > max)
		return cap_error(nvme, -EIO, "CAP.MPSMIN is over CAP.MPSMAX");
	nvme->page_lg2 = nvme->opts.page_lg2 ? nvme->opts.page_lg2 : min;
	if (nvme->page_lg2 < min || nvme->page_lg2 > max)
		return cap_error(nvme, -EOPNOTSUPP, "the controller has no pages of that size");
	if (nvme->page_lg2 > PAGE_LG2_MAX)
		return cap_error(nvme, -EOPNOTSUPP, "the controller has no page of 64 KiB or less");
	nvme->info.page_size = UINT32_C(1) << nvme->page_lg2;
	return 0;
}

uint64_t phyr_nvme_doorbell_pairs(const struct phyr_nvme *nvme)
{
	return (nvme->regs->size - PHYR_NVME_DOORBELLS) >> (nvme->stride_lg2 + 1);
}

int phyr_nvme_read_cap(struct phyr_nvme *nvme, const char *call)
{
	if (nvme->regs->size < PHYR_NVME_DOORBELLS)
		return cap_error(nvme, -EINVAL, "fewer than 4096 bytes of registers");
	nvme->cap = regs_read(nvme->regs, PHYR_NVME_CAP, 8);
	if (nvme->cap == UINT64_MAX)
		return cap_error(nvme, -ENODEV, "the registers read all ones: no device answers");
	nvme->stride_lg2 = 2 + PHYR_NVME_CAP_DSTRD(nvme->cap);
	/* One unit more: a controller that takes just what it said is in time. */
	nvme->ready_ns = (PHYR_NVME_CAP_TO(nvme->cap) + 1) * READY_UNIT_NS;
	if (!(nvme->cap & PHYR_NVME_CAP_CSS_NVM))
		return cap_error(nvme, -EOPNOTSUPP, "the controller lacks the NVM command set");
	if (!PHYR_NVME_CAP_MQES(nvme->cap))
		return cap_error(nvme, -EIO, "CAP.MQES is 0, and a queue has two entries at least");
	if (phyr_nvme_doorbell_pairs(nvme) < 2)
		return cap_error(nvme, -EINVAL, "the registers end before the first doorbells");
	nvme->info.max_depth = (unsigned)min_u64(PHYR_NVME_CAP_MQES(nvme->cap), NVME_DEPTH_MAX);
	return choose_page(nvme, call);
}
