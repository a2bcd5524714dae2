/* SPDX-License-Identifier: MIT */
/*
 * The soft backend on hardware that does not snoop. Table memory has a twin, which is what the
 * hardware sees: garbage in a new page, and changed by lines that are written back alone. After each
 * call the hardware must find in it what was mapped, and nothing of what an invalidation was for.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "backend/fakehw.h"
#include "lib/rnd.h"
#include "lib/tenv.h"
#include "pgtbl/walker.h"

#define PAGE   0x1000ull
#define LINE   64u
#define PAGES  512u
#define SPAN   (1ull << 30) /* iova that random maps go to, from here on up */
#define SLOTS  24u          /* of this much iova each */
#define SLOT   (4ull << 20)
#define ROUNDS 600u
#define DELTA  (1ull << 44) /* from a CPU address to a physical one */

static unsigned char real[PAGES * PAGE] __attribute__((aligned(4096)));
static unsigned char seen[PAGES * PAGE] __attribute__((aligned(4096)));
static bool taken[PAGES];

static struct fakehw fake;
static struct tenv t;
static struct phyr_iommu *iommu;
static struct phyr_domain *domain;
static struct walker hardware;
static uint64_t flushes;

static void *pages_alloc(struct phyr_env *env, size_t size)
{
	unsigned i = 0;

	assert_int_equal(size, PAGE);
	while (i < PAGES && taken[i])
		i++;
	assert_in_range(i, 0, PAGES - 1);
	taken[i] = true;
	memset(seen + i * PAGE, 0xff, PAGE);
	return memset(real + i * PAGE, 0, PAGE);
}

static void pages_free(struct phyr_env *env, void *pages, size_t size)
{
	taken[(size_t)((unsigned char *)pages - real) / PAGE] = false;
}

static void flush(struct phyr_env *env, const void *p, size_t len)
{
	size_t first = (size_t)((const unsigned char *)p - real) & ~(size_t)(LINE - 1);
	size_t end =
		((size_t)((const unsigned char *)p - real) + len + LINE - 1) & ~(size_t)(LINE - 1);

	assert_true(end <= sizeof(real));
	memcpy(seen + first, real + first, end - first);
	flushes++;
}

static const uint64_t *seen_by_hardware(void *arg, uint64_t phys)
{
	size_t at = (size_t)(phys - DELTA - (uintptr_t)real);

	assert_true(at < sizeof(seen));
	return (const uint64_t *)(seen + at);
}

/* What is forgotten must not be found again: the lines came before the call. */
static void invalidate(struct phyr_soft_hw *hw, uint32_t id, uint64_t start, uint64_t last)
{
	struct leaf leaf;

	fake.invalidations++;
	if (start > last || last == UINT64_MAX) /* all of it, at the domain's end */
		return;
	for (uint64_t at = start & ~(PAGE - 1); at < last; at += PAGE)
		if (walker_find(&hardware, at, &leaf))
			assert_true(phyr_domain_translate(domain, at,
							  &(struct phyr_translation){0}) == 0);
}

static int init_format(enum phyr_pgtbl_format format)
{
	static struct phyr_env base;
	const struct phyr_soft_config config = {.size = sizeof(config), .format = format};

	memset(taken, 0, sizeof(taken));
	base = *phyr_env_hosted();
	base.alloc_pages = pages_alloc;
	base.free_pages = pages_free;
	base.phys_delta = DELTA;
	tenv_init(&t, &base);
	t.env.flush_lines = flush;
	fakehw_init(&fake);
	fake.hw.invalidate = invalidate;
	fake.info.oa_bits = 52;
	fake.info.noncoherent = true;
	assert_int_equal(phyr_soft_create(&t.env, &fake.hw, &config, &iommu), 0);
	assert_int_equal(phyr_domain_create(iommu, &domain), 0);
	assert_int_equal(phyr_domain_attach(domain, 1), 0);
	hardware = (struct walker){.format = format,
				   .levels = fake.devices[1].table.levels,
				   .width = 52,
				   .root = fake.devices[1].table.root,
				   .to_cpu = seen_by_hardware};
	return 0;
}

static int init_vtdss(void **state)
{
	return init_format(PHYR_PGTBL_VTDSS);
}

static int init_x86(void **state)
{
	return init_format(PHYR_PGTBL_X86_64);
}

static int fini(void **state)
{
	phyr_domain_detach(domain, 1);
	phyr_domain_destroy(domain);
	phyr_iommu_destroy(iommu);
	tenv_fini(&t);
	return 0;
}

/* The hardware finds [iova, iova + len) at addr, or none of it. */
static void check(uint64_t iova, uint64_t addr, uint64_t len, bool mapped)
{
	struct leaf leaf;

	for (uint64_t at = 0; at < len; at += PAGE) {
		assert_int_equal(walker_find(&hardware, iova + at, &leaf), mapped);
		if (mapped)
			assert_int_equal(leaf.addr + (iova + at - leaf.iova), addr + at);
	}
}

static int map(uint64_t iova, uint64_t addr, uint64_t len)
{
	struct phyr_cursor cur;

	phyr_cursor_init_range(&cur, addr, len);
	return phyr_domain_map(domain, iova, NULL, &cur, PHYR_READ | PHYR_WRITE);
}

static void map_unmap_gather(void **state)
{
	struct phyr_gather gather;

	assert_true(flushes > 0); /* the root */
	check(0, 0, 2 * PAGE, false);
	assert_int_equal(map(SPAN, 0x5000, 3 * PAGE), 0);
	assert_int_equal(map(2 * SPAN, 16 * SPAN, SPAN + 5 * PAGE), 0);
	assert_int_equal(phyr_domain_sync_map(domain, SPAN, 3 * PAGE), 0);
	check(SPAN, 0x5000, 3 * PAGE, true);
	check(2 * SPAN, 16 * SPAN, SPAN + 5 * PAGE, true);

	phyr_gather_init(&gather);
	assert_int_equal(phyr_domain_unmap(domain, SPAN, 3 * PAGE, &gather), 0);
	assert_int_equal(phyr_domain_unmap(domain, 2 * SPAN, SPAN + 5 * PAGE, &gather), 0);
	check(SPAN, 0, 3 * PAGE, false);
	check(2 * SPAN, 0, SPAN + 5 * PAGE, false);
	phyr_domain_sync(domain, &gather);
	assert_int_equal(fake.invalidations, 1);
}

/* A map that fails on its way takes back what the hardware could see of it. */
static void a_failed_map_is_not_seen(void **state)
{
	struct phyr_gather gather;

	assert_int_equal(map(SPAN + (2u << 20), 0, PAGE), 0);
	assert_int_equal(map(SPAN, 0x40005000, 3u << 20), -EEXIST);
	check(SPAN, 0, 2u << 20, false);
	check(SPAN + (2u << 20), 0, PAGE, true);
	phyr_gather_init(&gather);
	assert_int_equal(phyr_domain_unmap(domain, SPAN + (2u << 20), PAGE, &gather), 0);
	phyr_domain_sync(domain, &gather);
}

struct slot {
	uint64_t iova, addr, len; /* len 0: nothing is mapped */
};

/* Map something in an empty slot; an allocation may fail. */
static void fill_slot(struct rnd *r, struct slot *slot)
{
	slot->iova += rnd_below(r, 2) * rnd_below(r, 512) * PAGE;
	slot->addr = rnd_below(r, 1u << 20) << (rnd_below(r, 2) ? 12 : 21);
	slot->len = rnd_log(r, 1, 400) * PAGE;
	t.fail_at = rnd_below(r, 8) ? 0 : 1 + rnd_below(r, 3);
	tenv_restart(&t);
	if (map(slot->iova, slot->addr, slot->len)) {
		assert_true(t.failed);
		check(slot->iova, 0, slot->len, false);
		slot->len = 0;
	}
	t.fail_at = 0;
}

/* Maps and unmaps, of which several wait in one gather. */
static void random_calls(void **state)
{
	struct slot slots[SLOTS] = {{0}};
	struct rnd r = rnd_start("backend/noncoherent");
	struct phyr_gather gather;

	phyr_gather_init(&gather);
	for (unsigned round = 0; round < ROUNDS; round++) {
		unsigned i = (unsigned)rnd_below(&r, SLOTS);
		struct slot *slot = &slots[i];

		if (!slot->len) {
			slot->iova = SPAN + i * SLOT;
			fill_slot(&r, slot);
		} else {
			assert_int_equal(phyr_domain_unmap(domain, slot->iova, slot->len, &gather),
					 0);
			check(slot->iova, 0, slot->len, false);
			slot->len = 0;
		}
		for (i = 0; i < SLOTS; i++)
			check(slots[i].iova, slots[i].addr, slots[i].len, true);
		if (!rnd_below(&r, 4))
			phyr_domain_sync(domain, &gather);
	}
	for (unsigned i = 0; i < SLOTS; i++)
		if (slots[i].len)
			assert_int_equal(
				phyr_domain_unmap(domain, slots[i].iova, slots[i].len, &gather), 0);
	phyr_domain_sync(domain, &gather);
}

/* Without a way to write lines back, such hardware would read stale tables. */
static void flush_lines_is_needed(void **state)
{
	struct phyr_iommu *other = NULL;

	t.env.flush_lines = NULL;
	assert_int_equal(phyr_soft_create(&t.env, &fake.hw, NULL, &other), -EINVAL);
	assert_null(other);
	assert_string_equal(t.last.call, "phyr_soft_create");
	assert_non_null(strstr(t.last.hint, "flush_lines"));
	fake.info.noncoherent = false;
	assert_int_equal(phyr_soft_create(&t.env, &fake.hw, NULL, &other), 0);
	phyr_iommu_destroy(other);
	t.env.flush_lines = flush;
}

#define BOTH(f)                                               \
	cmocka_unit_test_setup_teardown(f, init_vtdss, fini), \
		cmocka_unit_test_setup_teardown(f, init_x86, fini)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(map_unmap_gather),
		BOTH(a_failed_map_is_not_seen),
		BOTH(random_calls),
		BOTH(flush_lines_is_needed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
