/* SPDX-License-Identifier: MIT */
/* Read the first 64 KiB of a target through a device, into ordinary memory: read sim:disk.img */
#include <phyr/phyr.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
	static char buf[65536];
	struct phyr_dma_map map;
	struct phyr_list list;
	struct phyr *p;
	int err = phyr_open(argc > 1 ? argv[1] : "sim:disk.img", NULL, &p);

	if (!err) {
		err = phyr_list_from_user(p, buf, sizeof(buf), &list);
		if (!err)
			err = phyr_dma_map(phyr_get_dev(p), &list, PHYR_DMA_FROM_DEVICE, 0, &map);
		if (!err) {
			err = phyr_nvme_read_sync(phyr_get_queue(p), 0, &map);
			phyr_dma_unmap(phyr_get_dev(p), &map);
		}
		phyr_list_release(p, &list);
		phyr_close(p);
	}
	if (err)
		fprintf(stderr, "read: %s\n", strerror(-err));
	return err || !fwrite(buf, sizeof(buf), 1, stdout);
}
