/* SPDX-License-Identifier: MIT */
/* Each allocation of domain create and attach fails once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/env.h"
#include "iommu/fake.h"
#include "lib/tenv.h"

static void create(void **state)
{
	struct phyr_domain *domain = NULL;
	struct fake fake;
	struct tenv t;
	int err;

	tenv_init(&t, NULL);
	fake_init(&fake, &t.env, true);
	for (t.fail_at = 1;; t.fail_at++) {
		tenv_restart(&t);
		err = phyr_domain_create(&fake.iommu, &domain);
		if (!t.failed)
			break;
		assert_int_equal(err, -ENOMEM);
		assert_int_equal(t.last.err, -ENOMEM);
		assert_string_equal(t.last.call, "phyr_domain_create");
		assert_non_null(t.last.hint);
		assert_int_equal(t.reports, 1);
		assert_null(domain);
		assert_int_equal(fake.domains, 0);
		assert_false(tenv_live(&t));
	}
	assert_int_equal(err, 0);
	assert_true(t.fail_at > 2);
	phyr_domain_destroy(domain);
	tenv_fini(&t);
}

static void attach(void **state)
{
	struct phyr_domain *domain;
	struct fake fake;
	struct tenv t;
	int err;

	tenv_init(&t, NULL);
	fake_init(&fake, &t.env, true);
	assert_int_equal(phyr_domain_create(&fake.iommu, &domain), 0);
	for (t.fail_at = 1;; t.fail_at++) {
		int64_t live = t.live_objects;

		tenv_restart(&t);
		err = phyr_domain_attach(domain, 1);
		if (!t.failed)
			break;
		assert_int_equal(err, -ENOMEM);
		assert_int_equal(t.last.err, -ENOMEM);
		assert_string_equal(t.last.call, "phyr_domain_attach");
		assert_int_equal(fake.attached, 0);
		assert_int_equal(t.live_objects, live);
		assert_null(phyr_domain_iova(domain));
	}
	assert_int_equal(err, 0);
	assert_true(t.fail_at > 2);
	phyr_domain_detach(domain, 1);
	phyr_domain_destroy(domain);
	tenv_fini(&t);
}

/* A later device's holes need memory, too, in time. */
static void later_attach(void **state)
{
	struct phyr_domain *domain;
	unsigned failures = 0;
	struct fake fake;
	struct tenv t;

	tenv_init(&t, NULL);
	fake_init(&fake, &t.env, true);
	assert_int_equal(phyr_domain_create(&fake.iommu, &domain), 0);
	assert_int_equal(phyr_domain_attach(domain, 0), 0);
	t.fail_at = 1;
	for (uint32_t i = 1; i < 200; i++) {
		int err;

		fake.aperture.holes[0] = (struct phyr_iova_hole){i << 16, (i << 16) + 1};
		tenv_restart(&t);
		err = phyr_domain_attach(domain, i);
		assert_int_equal(err, t.failed ? -ENOMEM : 0);
		if (!t.failed)
			continue;
		failures++;
		assert_int_equal(fake.attached, i);
		assert_int_equal(t.last.err, -ENOMEM);
		assert_string_equal(t.last.call, "phyr_domain_attach");
		assert_int_equal(t.last.iova, i << 16);
		assert_int_equal(phyr_domain_attach(domain, i), 0);
	}
	assert_true(failures > 0);
	for (uint32_t i = 0; i < 200; i++)
		phyr_domain_detach(domain, i);
	phyr_domain_destroy(domain);
	tenv_fini(&t);
}

static void flush_queue(void **state)
{
	struct phyr_flushq *q = NULL;
	struct phyr_domain *domain;
	struct fake fake;
	struct tenv t;
	int err;

	tenv_init(&t, NULL);
	t.env.nr_slots = 4;
	fake_init(&fake, &t.env, true);
	assert_int_equal(phyr_domain_create(&fake.iommu, &domain), 0);
	for (t.fail_at = 1;; t.fail_at++) {
		int64_t objects = t.live_objects, pages = t.live_pages, locks = t.live_locks;

		tenv_restart(&t);
		err = phyr_flushq_create(domain, NULL, &q);
		if (!t.failed)
			break;
		assert_int_equal(err, -ENOMEM);
		assert_null(q);
		assert_int_equal(t.reports, 1);
		assert_int_equal(t.last.err, -ENOMEM);
		assert_string_equal(t.last.call, "phyr_flushq_create");
		assert_int_equal(t.live_objects, objects);
		assert_int_equal(t.live_pages, pages);
		assert_int_equal(t.live_locks, locks);
	}
	assert_int_equal(err, 0);
	/* The queue, its slots, a ring and a lock for each, a lock for all. */
	assert_int_equal(t.fail_at, 2 + 2 * 4 + 1 + 1);
	phyr_flushq_destroy(q);
	phyr_domain_destroy(domain);
	tenv_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(create),
		cmocka_unit_test(attach),
		cmocka_unit_test(later_attach),
		cmocka_unit_test(flush_queue),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
