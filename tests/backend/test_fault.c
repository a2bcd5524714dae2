/* SPDX-License-Identifier: MIT */
/* Each allocation on the way from a backend to a mapping fails once; then all of it is undone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "backend/fakehw.h"
#include "core/env.h"
#include "lib/tenv.h"

#define M 0x100000ull

struct world {
	struct tenv t;
	struct fakehw fake;
	struct phyr_soft_config config;
	const char *call; /* that is to be told of: the one under way */
	bool direct;
};

/* Map 3 MiB, once aligned for a large leaf and once not; undo it. */
static int map_and_unmap(struct world *w, struct phyr_domain *domain)
{
	const struct phyr_range ranges[] = {{4 * M, 2 * M}, {16 * M, M}};
	struct phyr_translation tr;
	struct phyr_gather gather;
	struct phyr_cursor cur;
	int err;

	assert_int_equal(phyr_cursor_init_ranges(&cur, ranges, 2), 0);
	w->call = "phyr_pgtbl_map";
	err = phyr_domain_map(domain, 1024 * M, NULL, &cur, PHYR_READ | PHYR_WRITE);
	if (err) {
		assert_in_range(w->t.last.index, 0, 1);
		assert_int_equal(w->t.last.addr, ranges[w->t.last.index].addr);
		assert_int_equal(w->t.last.len, ranges[w->t.last.index].len);
		assert_int_equal(cur.left, 3 * M);
		for (uint64_t at = 0; at < 3 * M; at += 0x1000)
			assert_int_equal(phyr_domain_translate(domain, 1024 * M + at, &tr),
					 -ENOENT);
		return err;
	}
	phyr_gather_init(&gather);
	assert_int_equal(phyr_domain_unmap(domain, 1024 * M, 3 * M, &gather), 0);
	phyr_domain_sync(domain, &gather);
	return 0;
}

static int use_domain(struct world *w, struct phyr_iommu *iommu)
{
	struct phyr_domain *domain;
	int err;

	w->call = "phyr_domain_create";
	err = phyr_domain_create(iommu, &domain);
	if (err)
		return err;
	w->call = "phyr_domain_attach";
	err = phyr_domain_attach(domain, 1);
	if (!err) {
		if (!w->direct)
			err = map_and_unmap(w, domain);
		phyr_domain_detach(domain, 1);
	} else {
		assert_false(w->fake.devices[1].set);
	}
	phyr_domain_destroy(domain);
	return err;
}

static int whole_way(struct world *w)
{
	struct phyr_iommu *iommu = NULL;
	int err;

	w->call = w->direct ? "phyr_direct_create" : "phyr_soft_create";
	if (w->direct)
		err = phyr_direct_create(&w->t.env, &iommu);
	else
		err = phyr_soft_create(&w->t.env, &w->fake.hw, &w->config, &iommu);
	if (err) {
		assert_null(iommu);
		return err;
	}
	err = use_domain(w, iommu);
	phyr_iommu_destroy(iommu);
	return err;
}

static void sweep(struct world *w, unsigned at_least)
{
	int err;

	tenv_init(&w->t, NULL);
	for (w->t.fail_at = 1;; w->t.fail_at++) {
		fakehw_init(&w->fake);
		w->fake.info.oa_bits = 52;
		tenv_restart(&w->t);
		err = whole_way(w);
		assert_false(tenv_live(&w->t));
		if (!w->t.failed)
			break;
		assert_int_equal(err, -ENOMEM);
		assert_int_equal(w->t.last.err, -ENOMEM);
		assert_string_equal(w->t.last.call, w->call);
		if (strstr(w->call, "create"))
			assert_int_equal(w->t.reports, 1);
	}
	assert_int_equal(err, 0);
	assert_true(w->t.fail_at > at_least);
}

static void soft(void **state)
{
	struct world w = {.config = {.size = sizeof(w.config), .format = PHYR_PGTBL_VTDSS}};

	sweep(&w, 8);
	w.config.format = PHYR_PGTBL_X86_64;
	sweep(&w, 8);
}

static void direct(void **state)
{
	struct world w = {.direct = true};

	sweep(&w, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(soft),
		cmocka_unit_test(direct),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
