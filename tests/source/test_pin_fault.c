/* SPDX-License-Identifier: MIT */
/* Pins and page maps with the n-th allocation failing, for every n: nothing pinned, nothing changed. */
#define _GNU_SOURCE
#include "source/rig.h"

#include <sys/mman.h>

#define PAGES 4096

static struct tenv t;
static char *buf;

/* Pages in an order in which hardly one follows another, so that a list needs blocks. */
static void scatter(void)
{
	for (unsigned i = 0; i < PAGES; i++)
		buf[(i * 2731 % PAGES) * PAGE] = 1;
}

static void pinning(void **state)
{
	struct phyr_list list, was;
	struct phyr_pin *pin;

	for (t.fail_at = 1;; t.fail_at++) {
		int err;

		phyr_list_init(&list, &t.env, phyr_space_phys());
		assert_int_equal(phyr_list_append(&list, 0x7000, PAGE), 0);
		was = list;
		tenv_restart(&t);
		err = phyr_source_pin(&list, buf, PAGES * PAGE, &pin);
		if (!t.failed) {
			assert_int_equal(err, 0);
			break;
		}
		assert_int_equal(err, -ENOMEM);
		assert_int_equal(t.reports, 1);
		assert_int_equal(t.last.err, -ENOMEM);
		assert_memory_equal(&list, &was, sizeof(was));
		assert_false(tenv_live(&t));
		phyr_list_fini(&list);
	}
	assert_true(t.fail_at >
		    3); /* the pin, its ring, the pieces; blocks, as scattered as it is */
	assert_int_equal(list.len, (PAGES + 1) * PAGE);
	phyr_source_unpin(pin);
	phyr_list_fini(&list);
	assert_false(tenv_live(&t));
}

static void looking(void **state)
{
	struct phyr_pagemap_counts counts = {77, 77, 77};
	struct phyr_pagemap *pm;
	struct phyr_list list;
	int err;

	for (t.fail_at = 1;; t.fail_at++) {
		tenv_restart(&t);
		phyr_list_init(&list, &t.env, phyr_space_seen());
		err = phyr_pagemap_open(0, &t.env, &pm);
		if (!err) {
			err = phyr_pagemap_read(pm, (uintptr_t)buf, PAGES * PAGE, &list, &counts);
			phyr_pagemap_close(pm);
		}
		if (!t.failed)
			break;
		assert_int_equal(err, -ENOMEM);
		assert_int_equal(t.reports, 1);
		assert_int_equal(list.len, 0);
		assert_int_equal(counts.present, 77);
		assert_false(tenv_live(&t));
	}
	assert_int_equal(err, 0);
	assert_int_equal(counts.present + counts.swapped, PAGES * PAGE);
	assert_int_equal(list.len, counts.present);
	phyr_list_fini(&list);
}

static int setup(void **state)
{
	tenv_init(&t, NULL);
	buf = rig_map(PAGES * PAGE, PAGE, false);
	assert_int_equal(madvise(buf, PAGES * PAGE, MADV_NOHUGEPAGE), 0);
	scatter();
	return 0;
}

static int teardown(void **state)
{
	munmap(buf, PAGES * PAGE);
	tenv_fini(&t);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(pinning, setup, teardown),
		cmocka_unit_test_setup_teardown(looking, setup, teardown),
	};
	int skipped = rig_may_pin();

	return skipped ? skipped : cmocka_run_group_tests(tests, NULL, NULL);
}
