/* SPDX-License-Identifier: MIT */
/* Mapped registers that may vanish: all ones take their place. */
#ifndef PCI_GUARD_H
#define PCI_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A guarded mapping; the caller's memory, from add to remove. */
struct guard {
	struct guard *next;
	uintptr_t start;
	size_t len;  /* whole pages */
	size_t step; /* bytes of the file that are mapped again and again */
	int ones;    /* the file; empty until it is needed */
	bool *gone;  /* set when the mapping vanished */
};

/* Watch over a mapping: 0; -ENOMEM, -EMFILE, -ENFILE. */
int phyr_guard_add(struct guard *guard, void *start, size_t len, bool *gone);

/* Stop; when this returns no handler looks at the guard. The mapping, whatever it is by now, stays. */
void phyr_guard_remove(struct guard *guard);

#endif
