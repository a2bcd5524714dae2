/* SPDX-License-Identifier: MIT */
/*
 * Walk the Physical Region Page entries of a command.
 *
 *   PRP1 -> first page, from any dword on
 *   PRP2 -> nothing            when the first page holds all
 *           the second page    when two pages hold all
 *           a PRP list         otherwise, from any qword of its page on
 *
 *   list page: | page | page | ... | page | next list page |
 *
 * The last entry of a list page leads to another list page when more than one page of data is left,
 * and is a page itself otherwise. All but PRP1 and the first list pointer have offset 0. Base 4.1.1.
 */
#include "sim/nvme/nvme.h"

#include "core/bits.h"

static uint64_t page_size(const struct sim_nvme_prps *prps)
{
	return (uint64_t)1 << prps->n->page_lg2;
}

static uint64_t page_offset(const struct sim_nvme_prps *prps, uint64_t addr)
{
	return addr & (page_size(prps) - 1);
}

void phyr_sim_nvme_prps_init(struct sim_nvme_prps *prps, struct sim_nvme *n,
			     const struct sim_nvme_cmd *cmd, uint64_t len)
{
	prps->n = n;
	prps->prp1 = sim_nvme_cmd_u64(cmd, 6);
	prps->prp2 = sim_nvme_cmd_u64(cmd, 8);
	prps->left = len;
	prps->list = 0;
	prps->nr_taken = 0;
	prps->pos = prps->nr = 0;
}

/* An entry that is not the first: a page from its start on. */
static unsigned take_page(struct sim_nvme_prps *prps, uint64_t entry, uint64_t *addr, uint64_t *len)
{
	if (page_offset(prps, entry))
		return NVME_PRP_OFFSET_INVALID;
	*addr = entry;
	*len = min_u64(prps->left, page_size(prps));
	prps->left -= *len;
	return NVME_SUCCESS;
}

/* Bits 1:0 of PRP1 are a controller's choice; this one refuses them. */
static unsigned take_first(struct sim_nvme_prps *prps, uint64_t *addr, uint64_t *len)
{
	if (prps->prp1 & 3)
		return NVME_PRP_OFFSET_INVALID;
	*addr = prps->prp1;
	*len = min_u64(prps->left, page_size(prps) - page_offset(prps, prps->prp1));
	prps->left -= *len;
	prps->nr_taken = 1;
	return NVME_SUCCESS;
}

static unsigned read_entries(struct sim_nvme_prps *prps, unsigned nr)
{
	if (phyr_sim_dma_read(prps->n->sdev, prps->list, prps->entries, nr * sizeof(uint64_t)))
		return NVME_DATA_TRANSFER_ERROR;
	for (unsigned i = 0; i < nr; i++)
		prps->entries[i] = le64toh(prps->entries[i]);
	prps->list += nr * sizeof(uint64_t);
	prps->pos = 0;
	prps->nr = nr;
	return NVME_SUCCESS;
}

/* The list's next place is the last of its page and leads to another page. */
static unsigned follow_chain(struct sim_nvme_prps *prps)
{
	unsigned status = read_entries(prps, 1);

	if (status)
		return status;
	if (page_offset(prps, prps->entries[0]))
		return NVME_PRP_OFFSET_INVALID;
	prps->list = prps->entries[0];
	return NVME_SUCCESS;
}

/* Places of the list's page from the next one on. */
static uint64_t places_left(const struct sim_nvme_prps *prps)
{
	return (page_size(prps) - page_offset(prps, prps->list)) / 8;
}

/* Fetch what the command needs of the list and no more: behind it may be nobody's memory. */
static unsigned fetch(struct sim_nvme_prps *prps)
{
	uint64_t need = (prps->left + page_size(prps) - 1) >> prps->n->page_lg2;
	uint64_t places;

	if (need > 1 && places_left(prps) == 1) {
		unsigned status = follow_chain(prps);

		if (status)
			return status;
	}
	places = places_left(prps);
	if (places < need)
		need = places - 1;
	return read_entries(prps, (unsigned)min_u64(need, SIM_NVME_PRP_FETCH));
}

static unsigned take_from_list(struct sim_nvme_prps *prps, uint64_t *addr, uint64_t *len)
{
	if (prps->pos == prps->nr) {
		unsigned status = fetch(prps);

		if (status)
			return status;
	}
	return take_page(prps, prps->entries[prps->pos++], addr, len);
}

unsigned phyr_sim_nvme_prps_next(struct sim_nvme_prps *prps, uint64_t *addr, uint64_t *len)
{
	if (!prps->nr_taken)
		return take_first(prps, addr, len);
	if (prps->nr_taken == 1) {
		if (prps->left <= page_size(prps))
			return take_page(prps, prps->prp2, addr, len);
		if (prps->prp2 & 7)
			return NVME_PRP_OFFSET_INVALID;
		prps->list = prps->prp2;
		prps->nr_taken = 2;
	}
	return take_from_list(prps, addr, len);
}
