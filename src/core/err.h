/* SPDX-License-Identifier: MIT */
/* errno values, from the system where it has them, else Linux's numbers. */
#ifndef CORE_ERR_H
#define CORE_ERR_H

#if defined(__has_include) && __has_include(<errno.h>)
#include <errno.h>
#else
#define ENOENT     2
#define EIO        5
#define E2BIG      7
#define EAGAIN     11
#define ENOMEM     12
#define EFAULT     14
#define EBUSY      16
#define EEXIST     17
#define ENODEV     19
#define EINVAL     22
#define ENOSPC     28
#define ERANGE     34
#define EOPNOTSUPP 95
#define ETIMEDOUT  110
#endif

#endif
