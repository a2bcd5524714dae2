/* SPDX-License-Identifier: MIT */
/* A program outside the tree, built from what was installed: a list, mapped without an IOMMU. */
#include <phyr/phyr.h>

#include <stdio.h>

#ifdef __cplusplus
#define BUILT "C++"
#else
#define BUILT "C"
#endif

static int map_a_list(struct phyr_dev *dev)
{
	struct phyr_list list;
	struct phyr_dma_map map;
	int err;

	phyr_list_init(&list, NULL, NULL);
	err = phyr_list_append(&list, 0x10000, 0x3000);
	if (!err)
		err = phyr_dma_map(dev, &list, PHYR_DMA_TO_DEVICE, 0, &map);
	if (!err) {
		err = phyr_dma_map_list(&map) == &list ? 0 : 1;
		phyr_dma_unmap(dev, &map);
	}
	phyr_list_fini(&list);
	return err;
}

int main(void)
{
	struct phyr_iommu *iommu;
	struct phyr_domain *domain;
	struct phyr_dev *dev;
	int err;

	if (phyr_direct_create(NULL, &iommu))
		return 1;
	if (phyr_domain_create(iommu, &domain))
		return 1;
	if (phyr_dev_create(domain, 1, NULL, &dev))
		return 1;
	err = map_a_list(dev);
	phyr_dev_destroy(dev);
	phyr_domain_destroy(domain);
	phyr_iommu_destroy(iommu);
	printf("phyr %s from %s: %s\n", phyr_version(), BUILT, err ? "failed" : "fine");
	return err != 0;
}
