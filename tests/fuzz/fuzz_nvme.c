/* SPDX-License-Identifier: MIT */
/*
 * The driver on a controller whose registers, identify data, completions and moods are bytes of a
 * fuzzer, and so is what is asked of the driver (nvme/ordeal.h has the rules).
 */
#include "nvme/ordeal.h"

#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ordeal o;

	if (!o.data)
		ordeal_init(&o);
	if (!size)
		return 0;
	o.whim = (struct whim){.at = data, .end = data + size};
	ordeal_run(&o, UINT64_MAX / 4);
	return 0;
}
