/* SPDX-License-Identifier: MIT */
/*
 * Whatever the kernel answers when it is asked what a container or an IOAS allows, nothing is read that is
 * not there, and what comes of it is an aperture or a refusal.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linux/vfio.h>
#include <string.h>

#include "backend/kernel_abi.h"
#include "backend/kernelrig.h"
#include "core/err.h"
#include "lib/rnd.h"
#include "lib/sanitized.h"

static struct krig r;
static struct rnd rnd;

/* Numbers that are likely to be taken for something. */
static uint64_t some_number(void)
{
	switch (rnd_below(&rnd, 4)) {
	case 0:
		return rnd_below(&rnd, 128);
	case 1:
		return -rnd_below(&rnd, 128);
	case 2:
		return 1ull << rnd_below(&rnd, 64);
	default:
		return rnd_u64(&rnd);
	}
}

/* Some words of the answer become others. */
static void bend(void *buf, size_t size)
{
	for (uint64_t n = rnd_below(&rnd, 4); n; n--) {
		size_t at = 4 * rnd_below(&rnd, size / 4);
		uint32_t word = (uint32_t)some_number();

		/* An IOAS and a place in memory are what was asked, not the answer. */
		if (!r.vfio && at != offsetof(struct abi_ioas_ranges, nr) &&
		    at < offsetof(struct abi_ioas_ranges, alignment))
			continue;
		memcpy((char *)buf + at, &word, sizeof(word));
	}
}

/* Mostly ranges in order, some of them of single bytes, some that meet. */
static void some_ranges(void)
{
	uint64_t at = 0;

	fk.nr_ranges = (unsigned)rnd_below(&rnd, 24);
	for (unsigned i = 0; i < fk.nr_ranges; i++) {
		fk.ranges[i].start = at + rnd_log(&rnd, 1, 1ull << 52) - 1;
		fk.ranges[i].last = fk.ranges[i].start + rnd_log(&rnd, 1, 1ull << 52) - 1;
		at = fk.ranges[i].last + 1;
		if (!rnd_below(&rnd, 40))
			fk.ranges[i].last = some_number();
	}
	fk.page_sizes = rnd_below(&rnd, 2) ? 0x40201000 : 1ull << rnd_below(&rnd, 33);
}

static void check(const struct phyr_aperture *a)
{
	uint64_t granule = a->page_sizes & -a->page_sizes, at = a->start;

	assert_in_range(granule, K, 1u << 30);
	assert_true(a->page_sizes < 1ull << 31);
	assert_int_equal(a->start % granule, 0);
	assert_int_equal((a->last + 1) % granule, 0);
	assert_true(a->last < 1ull << 57);
	for (unsigned i = 0; i < a->nr_holes && i < PHYR_APERTURE_HOLES; i++) {
		assert_true(a->holes[i].start > at);
		assert_true(a->holes[i].last >= a->holes[i].start);
		assert_int_equal(a->holes[i].start % granule, 0);
		assert_int_equal((a->holes[i].last + 1) % granule, 0);
		at = a->holes[i].last + 1;
	}
	assert_true(at <= a->last);
}

static void any_answer(void **state)
{
	unsigned taken = 0, refused = 0, steps = tests_sanitized ? 20000 : 200000;
	struct phyr_aperture aperture;
	void *ctx;

	rnd = rnd_start("kernel_answers");
	krig_init(&r, *state);
	assert_int_equal(r.iommu->ops->domain_create(r.iommu, NULL, NULL, &ctx), 0);
	fk.info = bend;
	for (unsigned i = 0; i < steps; i++) {
		int err;

		some_ranges();
		err = r.iommu->ops->attach(ctx, DEV2);
		if (err) {
			assert_int_equal(err, -EOPNOTSUPP);
			refused++;
			continue;
		}
		r.iommu->ops->aperture(ctx, &aperture);
		check(&aperture);
		r.iommu->ops->detach(ctx, DEV2);
		taken++;
	}
	assert_true(taken > steps / 100 && refused > steps / 100);
	r.iommu->ops->domain_destroy(ctx);
	krig_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{"any_answer vfio", any_answer, NULL, NULL, (void *)1},
		{"any_answer iommufd", any_answer, NULL, NULL, NULL},
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
