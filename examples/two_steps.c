/* SPDX-License-Identifier: MIT */
/* Two steps: a window of iova, and into it a list in two links, one of which goes and comes back. */
#include <errno.h>
#include <inttypes.h>
#include <phyr/phyr.h>
#include <stdio.h>
#include <string.h>

#define DIR PHYR_DMA_TO_DEVICE

/* Link the list from *linked to end, to the same place in the window, and let the device see it. */
static int link_to(struct phyr_dev *dev, struct phyr_dma_iova_state *win,
		   const struct phyr_list *list, uint64_t *linked, uint64_t end)
{
	uint64_t at = *linked;
	struct phyr_cursor cur;
	int err = phyr_cursor_init_at(&cur, list, at, end - at);

	if (!err)
		err = phyr_dma_iova_link_cursor(dev, win, list->space, &cur, at, DIR, 0);
	*linked = err ? at : end;
	return err ? err : phyr_dma_iova_sync(dev, win, at, end - at);
}

static const char *what(struct phyr_dev *dev, phyr_dma_addr_t iova)
{
	struct phyr_translation t;

	return phyr_domain_translate(phyr_dev_domain(dev), iova, &t) ? "nothing" : "memory";
}

static int two_steps(struct phyr_dev *dev, const struct phyr_list *list)
{
	uint64_t granule = phyr_dma_get_merge_boundary(dev) + 1, cut, linked = 0;
	struct phyr_dma_iova_state win;
	int err;

	if (!phyr_dma_iova_try_alloc(dev, &win, phyr_list_first_addr(list), list->len))
		return -ENOSPC; /* by itself no error: phyr_dma_map_phys() its runs one by one then */
	cut = 3 * granule - (win.addr & (granule - 1)); /* in the window, a granule's edge */
	printf("window: 0x%" PRIx64 " + 0x%" PRIx64 "\n", win.addr, win.size);
	err = link_to(dev, &win, list, &linked, cut);
	err = err ? err : link_to(dev, &win, list, &linked, list->len);
	printf("linked: %s, %s\n", what(dev, win.addr), what(dev, win.addr + cut));
	if (!err) {
		phyr_dma_iova_unlink(dev, &win, cut, linked - cut, DIR, 0); /* a whole link */
		linked = cut;
		printf("unlinked: %s, %s\n", what(dev, win.addr), what(dev, win.addr + cut));
		err = link_to(dev, &win, list, &linked, list->len);
		printf("linked again: %s, %s\n", what(dev, win.addr), what(dev, win.addr + cut));
	}
	phyr_dma_iova_destroy(dev, &win, linked, DIR, 0);
	return err;
}

int main(void)
{
	static char buf[8 * 4096] __attribute__((aligned(4096)));
	struct phyr_list list;
	struct phyr *p;
	int err = phyr_open("sim:", NULL, &p);

	if (err)
		return 1;
	err = phyr_list_from_user(p, buf + 100, sizeof(buf) - 4096, &list);
	err = err ? err : two_steps(phyr_get_dev(p), &list);
	phyr_list_release(p, &list);
	phyr_close(p);
	return printf("%s\n", strerror(-err)) < 0 || err;
}
