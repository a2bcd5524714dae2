/* SPDX-License-Identifier: MIT */
/*
 * The hosted environment, but with pages that lie near each other, for page tables whose addresses are
 * narrower than a process's own.
 *
 *   tenv_init(&t, near_env(44));
 *   t.env.phys_delta += (uint64_t)1 << 43;     pages lie from 2^43 on
 */
#ifndef TESTS_NEAR_H
#define TESTS_NEAR_H

#include <phyr/types.h>

/* Pages at physical addresses that end before 2^NEAR_LG2. */
#define NEAR_LG2 36

/*
 * For addresses of so many bits: the hosted environment from 48 on, which hold each address of the
 * process and as much again; else one whose phys_delta lets its pages begin at 0.
 */
struct phyr_env *near_env(unsigned oa_bits);

#endif
