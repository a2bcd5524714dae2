/* SPDX-License-Identifier: MIT */
/* Whether a sanitizer is built in: it slows tests down and takes address space and memory. */
#ifndef TESTS_SANITIZED_H
#define TESTS_SANITIZED_H

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define tests_sanitized true
#elif defined(__has_feature)
#define tests_sanitized (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#else
#define tests_sanitized false
#endif

#endif
