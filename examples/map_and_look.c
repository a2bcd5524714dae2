/* SPDX-License-Identifier: MIT */
/* Map a buffer for a device, look at the answer and at the IOMMU's page table, and unmap it. */
#include <inttypes.h>
#include <phyr/phyr.h>
#include <stdio.h>
#include <string.h>

static void show(const char *what, const struct phyr_list *list)
{
	struct phyr_cursor cur;
	struct phyr_range run;

	phyr_cursor_init(&cur, list);
	while (phyr_cursor_next(&cur, &run))
		printf("%s 0x%" PRIx64 " + 0x%" PRIx64 "\n", what, run.addr, run.len);
}

/* What the device would find at the answer's first and last byte. */
static void look_up(struct phyr_dev *dev, uint64_t iova, uint64_t last)
{
	struct phyr_translation t;

	for (; iova <= last; iova += last - iova ? last - iova : 1)
		if (phyr_domain_translate(phyr_dev_domain(dev), iova, &t))
			printf("  table: 0x%" PRIx64 " leads nowhere\n", iova);
		else
			printf("  table: 0x%" PRIx64 " leads to 0x%" PRIx64
			       ", %s, by a leaf of %" PRIu64 " bytes\n",
			       iova, t.addr, t.prot & PHYR_WRITE ? "writable" : "read only",
			       t.leaf_size);
}

int main(void)
{
	static char buf[5 * 4096] __attribute__((aligned(4096)));
	struct phyr_dma_map map;
	struct phyr_list list;
	phyr_dma_addr_t iova;
	struct phyr *p;
	int err = phyr_open("sim:", NULL, &p); /* a machine, a device without registers */

	if (!err) {
		err = phyr_list_from_user(p, buf + 100, sizeof(buf) - 4096, &list);
		if (!err)
			err = phyr_dma_map(phyr_get_dev(p), &list, PHYR_DMA_FROM_DEVICE, 0, &map);
		if (!err) {
			show("  memory:", &list);
			show("  device:", phyr_dma_map_list(&map));
			iova = phyr_list_first_addr(phyr_dma_map_list(&map));
			look_up(phyr_get_dev(p), iova, iova + list.len - 1);
			phyr_dma_unmap(phyr_get_dev(p), &map);
			look_up(phyr_get_dev(p), iova, iova);
		}
		phyr_list_release(p, &list);
		phyr_close(p);
	}
	if (err)
		fprintf(stderr, "map_and_look: %s\n", strerror(-err));
	return err != 0;
}
