/* SPDX-License-Identifier: MIT */
/* A number in which each bit depends on each of another's: the last step of splitmix64. */
#ifndef SIM_MIX_H
#define SIM_MIX_H

#include <stdint.h>

static inline uint64_t sim_mix(uint64_t v)
{
	v = (v ^ (v >> 30)) * 0xbf58476d1ce4e5b9u;
	v = (v ^ (v >> 27)) * 0x94d049bb133111ebu;
	return v ^ (v >> 31);
}

#endif
