/* SPDX-License-Identifier: MIT */
/* phyr: memory to a device. This header brings all the others. */
#ifndef PHYR_PHYR_H
#define PHYR_PHYR_H

#include <phyr/backend.h>
#include <phyr/desc.h>
#include <phyr/dma.h>
#include <phyr/iommu.h>
#include <phyr/iova.h>
#include <phyr/list.h>
#include <phyr/nvme.h>
#include <phyr/pgtbl.h>
#include <phyr/source.h>
#include <phyr/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The library's version, "0.1.0". */
PHYR_API const char *phyr_version(void);

#ifdef __cplusplus
}
#endif
#endif
