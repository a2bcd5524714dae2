/* SPDX-License-Identifier: MIT */
/*
 * A submission and a completion ring.
 *
 * The submission head that completions carry is not looked at. No more commands are in flight than
 * entries less one, and the device takes entries in order, so there always is a free one; a device
 * that lies about it confuses itself only.
 */
#include "nvme/ctrl.h"

#include "core/bits.h"
#include "core/mem.h"
#include "core/regs.h"

/* Queue memory starts on a controller page, Base 5.4 and 5.5: dma_alloc aligns to what it is asked. */
static uint64_t ring_bytes(const struct phyr_nvme *nvme, uint32_t entries, size_t entry)
{
	return max_u64((uint64_t)entries * entry, (uint64_t)1 << nvme->page_lg2);
}

/* A bus offset can take away the alignment that the memory has. */
static bool off_page(const struct phyr_nvme *nvme, phyr_dma_addr_t dma)
{
	return dma & (((uint64_t)1 << nvme->page_lg2) - 1);
}

static int alloc_rings(struct phyr_nvme *nvme, struct nvme_ring *ring, const char *call)
{
	ring->sq = phyr_dma_alloc(nvme->dev, ring->sq_bytes, &ring->sq_dma);
	ring->cq = phyr_dma_alloc(nvme->dev, ring->cq_bytes, &ring->cq_dma);
	if (!ring->sq || !ring->cq)
		return env_fail(nvme->env, .err = -ENOMEM, .call = call,
				.hint = "no memory for a queue's rings");
	if (off_page(nvme, ring->sq_dma) || off_page(nvme, ring->cq_dma))
		return env_fail(nvme->env, .err = -EOPNOTSUPP, .call = call,
				.hint = "the bus offset puts rings off the controller's pages");
	return 0;
}

int phyr_nvme_ring_init(struct phyr_nvme *nvme, struct nvme_ring *ring, unsigned qid,
			uint32_t entries, const char *call)
{
	int err;

	*ring = (struct nvme_ring){.entries = entries, .phase = 1, .qid = (uint16_t)qid};
	ring->sq_bytes = ring_bytes(nvme, entries, sizeof(*ring->sq));
	ring->cq_bytes = ring_bytes(nvme, entries, sizeof(*ring->cq));
	err = alloc_rings(nvme, ring, call);
	if (err)
		phyr_nvme_ring_fini(nvme, ring);
	return err;
}

void phyr_nvme_ring_fini(struct phyr_nvme *nvme, struct nvme_ring *ring)
{
	phyr_dma_free(nvme->dev, ring->cq_bytes, ring->cq, ring->cq_dma);
	phyr_dma_free(nvme->dev, ring->sq_bytes, ring->sq, ring->sq_dma);
	ring->cq = NULL;
	ring->sq = NULL;
}

void phyr_nvme_ring_push(struct phyr_nvme *nvme, struct nvme_ring *ring,
			 const struct phyr_nvme_sqe *sqe)
{
	ring->sq[ring->sq_tail] = *sqe;
	ring->sq_tail = ring->sq_tail + 1 == ring->entries ? 0 : ring->sq_tail + 1;
	regs_write(nvme->regs, PHYR_NVME_SQTDBL(ring->qid, nvme->stride_lg2), ring->sq_tail, 4);
}

/* Old completions must not look new, and the first ones are of phase 1: Base 3.3.3.2. */
void phyr_nvme_ring_reset(struct nvme_ring *ring)
{
	mem_set(ring->sq, 0, ring->sq_bytes);
	mem_set(ring->cq, 0, ring->cq_bytes);
	ring->sq_tail = ring->cq_head = ring->cq_told = 0;
	ring->phase = 1;
}

bool phyr_nvme_ring_pop(struct nvme_ring *ring, struct nvme_completion *done)
{
	const struct phyr_nvme_cqe *cqe = &ring->cq[ring->cq_head];
	/* Pairs with the device's release of this word, written after the rest of the entry. */
	uint64_t word = load_acquire(&cqe->dw2_3);

	if (PHYR_NVME_CQE_P(word) != ring->phase)
		return false;
	done->result = cqe->dw0_1;
	done->cid = PHYR_NVME_CQE_CID(word);
	done->sqid = PHYR_NVME_CQE_SQID(word);
	done->status = PHYR_NVME_CQE_STATUS(word);
	if (++ring->cq_head == ring->entries) {
		ring->cq_head = 0;
		ring->phase ^= 1;
	}
	return true;
}

/* Writing a doorbell its old value is an error by PCIe 3.1.2, hence cq_told. */
void phyr_nvme_ring_tell(struct phyr_nvme *nvme, struct nvme_ring *ring)
{
	if (ring->cq_told == ring->cq_head)
		return;
	ring->cq_told = ring->cq_head;
	regs_write(nvme->regs, PHYR_NVME_CQHDBL(ring->qid, nvme->stride_lg2), ring->cq_head, 4);
}
