/* SPDX-License-Identifier: MIT */
/* The simulated machine as a rig's machine: stepped, its memory pinned, devices without registers. */
#ifndef TESTS_BACKEND_RIG_SIM_H
#define TESTS_BACKEND_RIG_SIM_H

#include "backend/rig.h"

#define RIG_SIM_MEMORY (8u << 20)

extern const struct rig_machine rig_sim_machine;

/* The device itself, for accesses of a test's own. */
struct phyr_sim_dev *rig_sim_dev(struct rig *rig, unsigned dev);

#endif
