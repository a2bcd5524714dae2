/* SPDX-License-Identifier: MIT */
/* Built without the simulated machine, nobody else reads the tables. */
#include "pgtbl/rig.h"

rig_walker_fn *const rig_walker = NULL;
