/* SPDX-License-Identifier: MIT */
/* What a fuzz target is: libFuzzer calls it, or replay.c with what a corpus holds. */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
