/* SPDX-License-Identifier: MIT */
/*
 * Somebody else who has opened devices: a container with a device's group, or an IOAS with a device
 * bound to its iommufd. Plain system calls, with declarations of its own: nothing of phyr is in it.
 *
 * It can ask the kernel what phyr cannot know for it: how much is mapped, and how much more could be.
 */
#ifndef TESTS_GUEST_BROKER_H
#define TESTS_GUEST_BROKER_H

#include <stdbool.h>
#include <stdint.h>

struct broker {
	bool iommufd;
	int iommu; /* the container, or the iommufd */
	int group; /* -1: iommufd */
	int device;
	uint32_t ioas; /* iommufd */
};

/* Open it all for one device, by its address as text. A negative errno, nothing is open then. */
int broker_open(struct broker *broker, bool iommufd, const char *device);
void broker_close(struct broker *broker);

/* Map memory of this process, for reading and writing. A negative errno */
int broker_map(struct broker *broker, uint64_t iova, const void *p, uint64_t len);
/* Unmap what lies in there whole; all: everything. Returns how many bytes that was. */
uint64_t broker_unmap(struct broker *broker, uint64_t iova, uint64_t len);
uint64_t broker_unmap_all(struct broker *broker);

/* How many more mappings the container takes, as the kernel says; ~0 where there is no such limit. */
uint64_t broker_left(struct broker *broker);

#endif
