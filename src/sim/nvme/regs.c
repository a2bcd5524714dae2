/* SPDX-License-Identifier: MIT */
/*
 * The controller's properties (Base 3.1.3), and what writing CC sets off.
 *
 * A write of CC only notes what is wanted; CSTS follows in the device's next step, as hardware needs
 * its time too, so a driver that doesn't wait is found out. Only the reset itself is immediate: no
 * queue is looked at again.
 */
#include "sim/nvme/nvme.h"

#include <string.h>

/* CAP.TO and CRTO.CRWMT agree (Base 3.1.3.1). 5 seconds: enabling takes one step. */
#define READY_TIMEOUT 10u

static uint64_t cap(const struct sim_nvme *n)
{
	return (uint64_t)(n->max_entries - 1) << NVME_CAP_MQES | (uint64_t)1 << NVME_CAP_CQR |
	       (uint64_t)READY_TIMEOUT << NVME_CAP_TO | (uint64_t)0 << NVME_CAP_DSTRD |
	       (uint64_t)1 << NVME_CAP_CSS | (uint64_t)(n->mps_min_lg2 - 12) << NVME_CAP_MPSMIN |
	       (uint64_t)(n->mps_max_lg2 - 12) << NVME_CAP_MPSMAX | (uint64_t)1 << NVME_CAP_CRWMS;
}

static uint32_t csts(const struct sim_nvme *n)
{
	return (n->ready ? NVME_CSTS_RDY : 0) | (n->fatal ? NVME_CSTS_CFS : 0) |
	       (uint32_t)n->shutdown << NVME_CSTS_SHST;
}

static uint32_t read32(const struct sim_nvme *n, uint64_t offset)
{
	switch (offset) {
	case NVME_CAP:
		return (uint32_t)cap(n);
	case NVME_CAP + 4:
		return (uint32_t)(cap(n) >> 32);
	case NVME_VS:
		return NVME_VS_2_0;
	case NVME_INTMS:
	case NVME_INTMC:
		return n->int_mask;
	case NVME_CC:
		return n->cc;
	case NVME_CSTS:
		return csts(n);
	case NVME_AQA:
		return n->aqa;
	case NVME_ASQ:
		return (uint32_t)n->asq;
	case NVME_ASQ + 4:
		return (uint32_t)(n->asq >> 32);
	case NVME_ACQ:
		return (uint32_t)n->acq;
	case NVME_ACQ + 4:
		return (uint32_t)(n->acq >> 32);
	case NVME_CRTO:
		return READY_TIMEOUT;
	default:
		return 0; /* reserved, not there, or a doorbell */
	}
}

uint64_t phyr_sim_nvme_mmio_read(void *priv, uint64_t offset, unsigned width)
{
	const struct sim_nvme *n = priv;

	if (n->gone)
		return width == 4 ? UINT32_MAX : UINT64_MAX;
	if (offset & 3)
		return 0;
	if (width == 4)
		return read32(n, offset);
	return read32(n, offset) | (uint64_t)read32(n, offset + 4) << 32;
}

void phyr_sim_nvme_reset(struct sim_nvme *n)
{
	memset(n->sqs, 0, (n->max_queues + 1) * sizeof(*n->sqs));
	memset(n->cqs, 0, (n->max_queues + 1) * sizeof(*n->cqs));
	n->enabled = false;
	n->cc = 0;
	n->int_mask = 0;
	n->irq_check = 0;
	n->fatal = false;
	n->shutdown = NVME_SHST_NORMAL;
	phyr_sim_nvme_reset_features(n);
	n->events = (struct sim_nvme_events){0};
	memset(n->coalesced, 0, sizeof(n->coalesced));
	n->next_sq = 0;
	n->burst_left = 0;
	n->nr_held = 0;
}

/*
 * CC.EN from 1 to 0 is a Controller Reset, which sets CC itself back too; AQA, ASQ and ACQ stay (Base
 * 3.1.3.5). From 0 to 1, a shutdown that was finished before is over.
 */
static void write_cc(struct sim_nvme *n, uint32_t value)
{
	uint32_t was = n->cc;
	unsigned shn = NVME_CC_SHN(value);

	if (was & ~value & NVME_CC_EN) {
		phyr_sim_nvme_reset(n);
		return;
	}
	n->cc = value & NVME_CC_WRITABLE;
	if (value & ~was & NVME_CC_EN)
		n->shutdown = NVME_SHST_NORMAL;
	if ((shn == NVME_SHN_NORMAL || shn == NVME_SHN_ABRUPT) && n->shutdown == NVME_SHST_NORMAL) {
		n->shutdown = NVME_SHST_OCCURRING;
		n->shutdown_abrupt = shn == NVME_SHN_ABRUPT;
	}
}

/* Where the admin queues are may be said while the controller is disabled only (Base 3.1.3.8-10). */
static void write_admin_queue(struct sim_nvme *n, uint64_t offset, uint32_t value)
{
	uint64_t low = value & ~(uint32_t)0xfff, high = (uint64_t)value << 32;

	if (n->cc & NVME_CC_EN)
		return;
	if (offset == NVME_AQA)
		n->aqa = value & NVME_AQA_WRITABLE;
	else if (offset == NVME_ASQ)
		n->asq = (n->asq & ~(uint64_t)UINT32_MAX) | low;
	else if (offset == NVME_ASQ + 4)
		n->asq = (n->asq & UINT32_MAX) | high;
	else if (offset == NVME_ACQ)
		n->acq = (n->acq & ~(uint64_t)UINT32_MAX) | low;
	else
		n->acq = (n->acq & UINT32_MAX) | high;
}

static void write32(struct sim_nvme *n, uint64_t offset, uint32_t value)
{
	switch (offset) {
	case NVME_INTMS:
		n->int_mask |= value;
		break;
	case NVME_INTMC:
		n->irq_check |= n->int_mask & value;
		n->int_mask &= ~value;
		break;
	case NVME_CC:
		write_cc(n, value);
		break;
	case NVME_AQA:
	case NVME_ASQ:
	case NVME_ASQ + 4:
	case NVME_ACQ:
	case NVME_ACQ + 4:
		write_admin_queue(n, offset, value);
		break;
	default:
		break; /* read only, or not there */
	}
}

static bool doorbell_exists(const struct sim_nvme *n, uint32_t qid, bool of_cq)
{
	return qid <= n->max_queues && (of_cq ? n->cqs[qid].size : n->sqs[qid].size);
}

/*
 * PCIe 3.1.2, CAP.DSTRD 0: tail of submission queue 0, head of completion queue 0, tail of 1, … No
 * queue is there while the controller is disabled.
 */
static void write_doorbell(struct sim_nvme *n, uint64_t index, uint32_t value)
{
	uint32_t qid = (uint32_t)(index / 2);

	if (!doorbell_exists(n, qid, index & 1))
		phyr_sim_nvme_doorbell_error(n, NVME_EVENT_DOORBELL);
	else if (index & 1)
		phyr_sim_nvme_cq_doorbell(n, qid, value & 0xffff);
	else
		phyr_sim_nvme_sq_doorbell(n, qid, value & 0xffff);
}

/* 64-bit properties are accessed whole or by halves; doorbells are dwords (PCIe 3.1). */
void phyr_sim_nvme_mmio_write(void *priv, uint64_t offset, uint64_t value, unsigned width)
{
	struct sim_nvme *n = priv;

	if (n->gone || offset & 3)
		return;
	if (offset >= NVME_DOORBELLS) {
		if (width == 4)
			write_doorbell(n, (offset - NVME_DOORBELLS) / 4, (uint32_t)value);
		return;
	}
	write32(n, offset, (uint32_t)value);
	if (width == 8)
		write32(n, offset + 4, (uint32_t)(value >> 32));
}

static bool queue_base_is_good(uint64_t base, unsigned page_lg2)
{
	return base && !(base & (((uint64_t)1 << page_lg2) - 1));
}

/*
 * Whether the controller can run as it is told to. Entry sizes are not asked here: they matter when
 * an I/O queue is created (Base 3.1.3.5). A queue at address 0 was never set.
 */
static bool config_is_good(const struct sim_nvme *n)
{
	unsigned page_lg2 = NVME_CC_MPS(n->cc) + 12;

	return page_lg2 >= n->mps_min_lg2 && page_lg2 <= n->mps_max_lg2 && !NVME_CC_CSS(n->cc) &&
	       !NVME_CC_AMS(n->cc) && NVME_AQA_ASQS(n->aqa) && NVME_AQA_ACQS(n->aqa) &&
	       queue_base_is_good(n->asq, page_lg2) && queue_base_is_good(n->acq, page_lg2);
}

static void enable(struct sim_nvme *n)
{
	if (!config_is_good(n)) {
		n->fatal = true;
		return;
	}
	n->page_lg2 = NVME_CC_MPS(n->cc) + 12;
	n->sqs[0] = (struct sim_nvme_sq){.base = n->asq, .size = NVME_AQA_ASQS(n->aqa) + 1};
	n->cqs[0] = (struct sim_nvme_cq){.base = n->acq,
					 .size = NVME_AQA_ACQS(n->aqa) + 1,
					 .nr_sqs = 1,
					 .interrupts = true,
					 .phase = true};
	n->enabled = true;
	n->ready = true;
}

/* Base 3.6.1. Commands are no longer fetched. Written data that can't be kept has no other voice. */
static void shut_down(struct sim_nvme *n)
{
	if (!n->shutdown_abrupt && phyr_sim_nvme_sync_all(n))
		n->fatal = true;
	n->shutdown = NVME_SHST_COMPLETE;
}

bool phyr_sim_nvme_change_state(struct sim_nvme *n)
{
	if (n->ready && !n->enabled)
		n->ready = false;
	else if (n->shutdown == NVME_SHST_OCCURRING)
		shut_down(n);
	else if (n->cc & NVME_CC_EN && !n->enabled && !n->fatal && n->shutdown == NVME_SHST_NORMAL)
		enable(n);
	else
		return false;
	return true;
}
