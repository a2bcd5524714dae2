/* SPDX-License-Identifier: MIT */
/* The same comparison as C++: both headers are for it, too. */
#include "nvme/test_libnvme.c"
