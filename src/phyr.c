/* SPDX-License-Identifier: MIT */
/* The front door: what the whole library says of itself. */
#include <phyr/phyr.h>

const char *phyr_version(void)
{
	return PHYR_VERSION;
}
