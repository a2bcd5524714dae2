/* SPDX-License-Identifier: MIT */
/* Threads that pin and look at once, each its own memory and list, all one page map. */
#include "source/rig.h"

#include <pthread.h>
#include <sys/mman.h>

#define THREADS 4
#define ROUNDS  50
#define PAGES   32

static struct phyr_pagemap *pm;

static void *work(void *arg)
{
	char *buf = arg;

	for (unsigned i = 0; i < ROUNDS; i++) {
		struct phyr_list pinned, seen;
		struct phyr_pin *pin;

		phyr_list_init(&pinned, NULL, phyr_space_phys());
		phyr_list_init(&seen, NULL, phyr_space_seen());
		if (phyr_source_pin(&pinned, buf, PAGES * PAGE, &pin))
			return "pin";
		if (phyr_pagemap_read(pm, (uintptr_t)buf, PAGES * PAGE, &seen, NULL))
			return "read";
		if (seen.len != pinned.len || seen.nr_runs != pinned.nr_runs ||
		    phyr_list_first_addr(&seen) != phyr_list_first_addr(&pinned))
			return "differs";
		phyr_source_unpin(pin);
		phyr_list_fini(&pinned);
		phyr_list_fini(&seen);
	}
	return NULL;
}

static void threads(void **state)
{
	char *buf = rig_map(THREADS * PAGES * PAGE, PAGE, false);
	pthread_t ids[THREADS];
	void *what;

	assert_int_equal(phyr_pagemap_open(0, NULL, &pm), 0);
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&ids[i], NULL, work, buf + i * PAGES * PAGE), 0);
	for (unsigned i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(ids[i], &what), 0);
		assert_null(what);
	}
	phyr_pagemap_close(pm);
	munmap(buf, THREADS * PAGES * PAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(threads)};
	int skipped = rig_may_pin();

	return skipped ? skipped : cmocka_run_group_tests(tests, NULL, NULL);
}
