/* SPDX-License-Identifier: MIT */
/*
 * The soft backend: what it makes of the hardware's word and its caller's, and what it tells
 * hardware.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "backend/fakehw.h"
#include "core/bits.h"
#include "core/env.h"
#include "lib/tenv.h"

#define K 0x1000ull
#define M 0x100000ull

static struct tenv t;
static struct fakehw fake;

static int init(void **state)
{
	tenv_init(&t, NULL);
	fakehw_init(&fake);
	/* The process's own addresses are wider than most machines' memory. */
	fake.info.oa_bits = 52;
	return 0;
}

static int fini(void **state)
{
	tenv_fini(&t);
	return 0;
}

static struct phyr_iommu *make(const struct phyr_soft_config *config)
{
	struct phyr_iommu *iommu = NULL;

	assert_int_equal(phyr_soft_create(&t.env, &fake.hw, config, &iommu), 0);
	assert_string_equal(iommu->caps->name, "soft");
	assert_int_equal(iommu->caps->kinds, 1u << PHYR_KIND_RAM);
	assert_true(iommu->caps->translates);
	return iommu;
}

static struct phyr_domain *make_domain(struct phyr_iommu *iommu)
{
	struct phyr_domain *domain = NULL;

	assert_int_equal(phyr_domain_create(iommu, &domain), 0);
	return domain;
}

static void refused(const struct phyr_soft_config *config, int want)
{
	struct phyr_iommu *iommu = NULL;

	tenv_restart(&t);
	assert_int_equal(phyr_soft_create(&t.env, &fake.hw, config, &iommu), want);
	assert_null(iommu);
	assert_int_equal(t.last.err, want);
	assert_string_equal(t.last.call, "phyr_soft_create");
	assert_non_null(t.last.hint);
	assert_int_equal(t.reports, 1);
	assert_false(tenv_live(&t));
}

static void create_refuses(void **state)
{
	struct phyr_soft_config config = {.size = 3};

	refused(&config, -EINVAL);
	config.size = sizeof(config);
	config.page_sizes = 0x3000;
	refused(&config, -EINVAL);
	assert_int_equal(t.last.addr, 0x3000);
	assert_int_equal(t.last.limit, 0x40201000);
	config.page_sizes = 0x8000000000;
	fake.info.aperture.page_sizes |= 0x8000000000;
	fake.info.levels = 3;
	config.format = PHYR_PGTBL_VTDSS;
	refused(&config, -EINVAL);
	config.page_sizes = 0;
	config.format = (enum phyr_pgtbl_format)31;
	refused(&config, -EOPNOTSUPP);
	config.format = (enum phyr_pgtbl_format)64;
	refused(&config, -EOPNOTSUPP);
	config.format = PHYR_PGTBL_X86_64;
	fake.info.formats = 1u << PHYR_PGTBL_VTDSS;
	refused(&config, -EOPNOTSUPP);
	fake.info.formats = 0;
	refused(NULL, -EOPNOTSUPP);
	fakehw_init(&fake);
	fake.info.levels = 1;
	refused(NULL, -EOPNOTSUPP);
	fakehw_init(&fake);
	t.env.phys_delta = 1ull << 51; /* there is memory, and the hardware does not reach it */
	refused(NULL, -ENOMEM);
	assert_int_equal(t.last.limit, (1ull << 46) - 1);
	assert_non_null(strstr(t.last.hint, "does not reach"));
	t.env.nr_slots = 0;
	refused(NULL, -EINVAL);
	assert_non_null(strstr(t.last.hint, "nr_slots"));
}

static void null_env_is_hosted(void **state)
{
	struct phyr_iommu *iommu;

	assert_int_equal(phyr_soft_create(NULL, &fake.hw, NULL, &iommu), 0);
	assert_ptr_equal(iommu->env, phyr_env_hosted());
	phyr_iommu_destroy(iommu);
}

/* The table of the device that is attached as source 0. */
static enum phyr_pgtbl_format format_of(const struct phyr_soft_config *config)
{
	struct phyr_iommu *iommu = make(config);
	struct phyr_domain *domain = make_domain(iommu);
	enum phyr_pgtbl_format format;

	assert_int_equal(phyr_domain_attach(domain, 0), 0);
	format = fake.devices[0].table.format;
	assert_int_equal(fake.devices[0].table.levels, 4);
	assert_int_not_equal(fake.devices[0].table.root, 0);
	phyr_domain_detach(domain, 0);
	assert_false(fake.devices[0].set);
	phyr_domain_destroy(domain);
	phyr_iommu_destroy(iommu);
	return format;
}

static void format_is_chosen(void **state)
{
	struct phyr_soft_config config = {.size = sizeof(config)};

	assert_int_equal(format_of(NULL), PHYR_PGTBL_VTDSS);
	assert_int_equal(format_of(&config), PHYR_PGTBL_VTDSS);
	config.format = PHYR_PGTBL_X86_64;
	assert_int_equal(format_of(&config), PHYR_PGTBL_X86_64);
	fake.info.formats = 1u << PHYR_PGTBL_X86_64;
	assert_int_equal(format_of(NULL), PHYR_PGTBL_X86_64);
	fake.info.levels = 5;
	assert_int_equal(format_of(NULL), PHYR_PGTBL_X86_64);
}

/* What the hardware is told of a table of such a configuration. */
static struct phyr_soft_table told_of(const struct phyr_soft_config *config)
{
	struct phyr_iommu *iommu = make(config);
	struct phyr_domain *domain = make_domain(iommu);
	struct phyr_soft_table table;

	assert_int_equal(phyr_domain_attach(domain, 0), 0);
	table = fake.devices[0].table;
	phyr_domain_detach(domain, 0);
	phyr_domain_destroy(domain);
	phyr_iommu_destroy(iommu);
	return table;
}

#define TOLD_OF(...) \
	told_of(&(struct phyr_soft_config){.size = sizeof(struct phyr_soft_config), __VA_ARGS__})

static void all_formats(void)
{
	fake.info.formats = 0x7e;
	fake.info.granules = 0x15000;
	fake.info.levels = 6;
	fake.info.dirty = true;
	fake.info.snoop = true;
	fake.info.aperture.page_sizes = ~0xfffull;
}

static void hardware_is_told(void **state)
{
	struct phyr_soft_table table;

	all_formats();
	table = TOLD_OF(.format = PHYR_PGTBL_VTDSS, .force_snoop = true);
	assert_int_equal(table.levels, 4);
	assert_int_equal(table.granule_lg2, 12);
	assert_int_equal(table.ia_bits, 48);
	assert_int_equal(table.oa_bits, 0);
	assert_false(table.dirty);
	table = TOLD_OF(.format = PHYR_PGTBL_X86_64, .levels = 5, .dirty = true);
	assert_int_equal(table.levels, 5);
	assert_int_equal(table.ia_bits, 56);
	assert_true(table.dirty);
	table = TOLD_OF(.format = PHYR_PGTBL_AMDV1, .levels = 6);
	assert_int_equal(table.levels, 6);
	assert_int_equal(table.ia_bits, 64);
	table = TOLD_OF(.format = PHYR_PGTBL_RISCV64, .levels = 3);
	assert_int_equal(table.ia_bits, 38);
	table = TOLD_OF(.format = PHYR_PGTBL_ARM64_S1);
	assert_int_equal(table.levels, 4);
	assert_int_equal(table.oa_bits, 52);
	table = TOLD_OF(.format = PHYR_PGTBL_ARM64_S2, .granule_lg2 = 14);
	assert_int_equal(table.levels, 3);
	assert_int_equal(table.granule_lg2, 14);
	assert_int_equal(table.ia_bits, 48);
	assert_int_equal(table.root & 0x7fff, 0);
	table = TOLD_OF(.format = PHYR_PGTBL_ARM64_S1, .granule_lg2 = 16);
	assert_int_equal(table.levels, 3);
	assert_int_equal(table.granule_lg2, 16);
	/* The usual levels, unless the hardware has less. */
	fake.info.levels = 3;
	assert_int_equal(TOLD_OF(.format = PHYR_PGTBL_AMDV1).levels, 3);
}

#define REFUSED(err, ...)                                                                         \
	refused(&(struct phyr_soft_config){.size = sizeof(struct phyr_soft_config), __VA_ARGS__}, \
		err)

static void hardware_must_have_it(void **state)
{
	all_formats();
	fake.info.granules = 0;
	REFUSED(-EOPNOTSUPP, .format = PHYR_PGTBL_ARM64_S1, .granule_lg2 = 16);
	fake.info.granules = 0x4000;
	REFUSED(-EOPNOTSUPP, .format = PHYR_PGTBL_ARM64_S1);
	REFUSED(-EOPNOTSUPP, .format = PHYR_PGTBL_ARM64_S1, .granule_lg2 = 13);
	REFUSED(-EOPNOTSUPP, .format = PHYR_PGTBL_VTDSS, .granule_lg2 = 14);
	REFUSED(-EOPNOTSUPP, .format = PHYR_PGTBL_AMDV1, .levels = 7);
	REFUSED(-EOPNOTSUPP, .format = PHYR_PGTBL_VTDSS, .levels = 6);
	REFUSED(-EOPNOTSUPP, .format = PHYR_PGTBL_RISCV64, .force_snoop = true);
	/* Page sizes that are there, chosen or not, change nothing about it. */
	REFUSED(-EOPNOTSUPP, .format = PHYR_PGTBL_RISCV64, .force_snoop = true,
		.page_sizes = 0x1000);
	REFUSED(-EOPNOTSUPP, .format = PHYR_PGTBL_VTDSS, .levels = 2, .page_sizes = 0x1000);
	REFUSED(-EINVAL, .format = PHYR_PGTBL_VTDSS, .page_sizes = 0x8000000000);
	REFUSED(-EINVAL, .format = PHYR_PGTBL_VTDSS, .page_sizes = 0x3000);
	assert_non_null(strstr(t.last.hint, "page sizes"));
	fake.info.levels = 4;
	REFUSED(-EOPNOTSUPP, .format = PHYR_PGTBL_VTDSS, .levels = 5);
	assert_int_equal(t.last.index, 5);
	assert_int_equal(t.last.limit, 4);
	fake.info.dirty = false;
	REFUSED(-EOPNOTSUPP, .format = PHYR_PGTBL_VTDSS, .dirty = true);
	assert_non_null(strstr(t.last.hint, "dirty"));
	fake.info.snoop = false;
	REFUSED(-EOPNOTSUPP, .format = PHYR_PGTBL_VTDSS, .force_snoop = true);
	assert_non_null(strstr(t.last.hint, "force_snoop"));
}

/* What both hardware and table can do, and a hole that appears with a second device. */
static void aperture_is_what_both_have(void **state)
{
	const struct phyr_soft_config config = {.size = sizeof(config), .page_sizes = 0x201000};
	struct phyr_iommu *iommu = make(&config);
	struct phyr_domain *domain = make_domain(iommu);
	struct phyr_aperture *aperture = &fake.info.aperture;
	struct phyr_iova_stats stats;

	aperture->start = M;
	assert_int_equal(phyr_domain_attach(domain, 0), 0);
	assert_int_equal(phyr_domain_merge_boundary(domain), 0xfff);
	phyr_iova_get_stats(phyr_domain_iova(domain), &stats);
	assert_int_equal(stats.total_bytes, (1ull << 48) - M - M);

	aperture->holes[aperture->nr_holes++] = (struct phyr_iova_hole){16 * M, 17 * M - 1};
	assert_int_equal(phyr_iova_alloc_at(phyr_domain_iova(domain), 16 * M, K), 0);
	assert_int_equal(phyr_domain_attach(domain, 1), -EBUSY);
	assert_false(fake.devices[1].set);
	phyr_iova_free(phyr_domain_iova(domain), 16 * M, K);
	assert_int_equal(phyr_domain_attach(domain, 1), 0);
	assert_int_equal(phyr_iova_alloc_at(phyr_domain_iova(domain), 16 * M, K), -ERANGE);
	phyr_domain_detach(domain, 1);
	phyr_domain_detach(domain, 0);
	phyr_domain_destroy(domain);
	phyr_iommu_destroy(iommu);
}

static void attach_fails(struct phyr_domain *domain, uint32_t source, int err)
{
	assert_int_equal(phyr_domain_attach(domain, source), err);
	assert_int_equal(t.last.err, err);
	assert_string_equal(t.last.call, "phyr_domain_attach");
	assert_int_equal(t.last.index, source);
	assert_non_null(t.last.hint);
}

static void attach_errors(void **state)
{
	struct phyr_iommu *iommu = make(NULL);
	struct phyr_domain *a = make_domain(iommu), *b = make_domain(iommu);

	attach_fails(a, FAKEHW_DEVICES, -ENODEV);
	fake.set_err = -EINVAL;
	attach_fails(a, 2, -EOPNOTSUPP);
	fake.set_err = -ENOMEM;
	attach_fails(a, 2, -ENOMEM);
	fake.set_err = 0;
	assert_int_equal(phyr_domain_attach(a, 2), 0);
	attach_fails(b, 2, -EBUSY);
	phyr_domain_detach(a, 2);
	assert_int_equal(phyr_domain_attach(b, 2), 0);
	phyr_domain_detach(b, 2);
	phyr_domain_destroy(b);
	phyr_domain_destroy(a);
	phyr_iommu_destroy(iommu);
}

static uint32_t id_of(struct phyr_domain *domain)
{
	uint32_t id;

	assert_int_equal(phyr_domain_attach(domain, 0), 0);
	id = fake.devices[0].table.domain;
	phyr_domain_detach(domain, 0);
	return id;
}

/* Live domains have different ids; one that is used again has been invalidated before. */
static void domain_ids(void **state)
{
	struct phyr_iommu *iommu = make(NULL);
	struct phyr_domain *d[5];

	for (unsigned i = 0; i < ARRAY_SIZE(d); i++) {
		d[i] = make_domain(iommu);
		assert_int_equal(id_of(d[i]), i + 1);
	}
	for (unsigned i = 1; i < ARRAY_SIZE(d); i += 2) {
		fake.invalidations = 0;
		phyr_domain_destroy(d[i]);
		assert_int_equal(fake.invalidations, 1);
		assert_int_equal(fake.domain, i + 1);
		assert_int_equal(fake.start, 0);
		assert_int_equal(fake.last, ~0ull);
	}
	for (unsigned i = 1; i < ARRAY_SIZE(d); i += 2) {
		d[i] = make_domain(iommu);
		assert_int_equal(id_of(d[i]), i + 1);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(d); i++)
		phyr_domain_destroy(d[i]);
	phyr_iommu_destroy(iommu);
}

/* Two backends on one hardware share its numbers; when they run out, that is an error. */
static void domain_ids_are_the_hardwares(void **state)
{
	struct phyr_iommu *iommu[2] = {make(NULL), make(NULL)};
	struct phyr_domain *d[FAKEHW_DOMAINS], *more = NULL;

	for (uint32_t i = 0; i < FAKEHW_DOMAINS; i++) {
		d[i] = make_domain(iommu[i % 2]);
		assert_int_equal(id_of(d[i]), i + 1);
	}
	assert_int_equal(phyr_domain_create(iommu[0], &more), -ENOSPC);
	assert_null(more);
	assert_int_equal(t.last.err, -ENOSPC);
	assert_string_equal(t.last.call, "phyr_domain_create");
	assert_non_null(strstr(t.last.hint, "no number left"));
	for (uint32_t i = 0; i < FAKEHW_DOMAINS; i++)
		phyr_domain_destroy(d[i]);
	phyr_iommu_destroy(iommu[0]);
	phyr_iommu_destroy(iommu[1]);
}

/* A sync invalidates exactly what was unmapped, and gives tables back only afterwards. */
static void sync_invalidates_then_frees(void **state)
{
	struct phyr_iommu *iommu = make(NULL);
	struct phyr_domain *domain = make_domain(iommu);
	struct phyr_domain_stats before, after;
	struct phyr_gather gather;
	struct phyr_cursor cur;

	assert_int_equal(phyr_domain_attach(domain, 0), 0);
	phyr_cursor_init_range(&cur, K, 2 * M);
	assert_int_equal(phyr_domain_map(domain, 4 * M, NULL, &cur, PHYR_READ), 0);
	assert_int_equal(fake.invalidations, 0);
	assert_int_equal(phyr_domain_sync_map(domain, 4 * M, 2 * M), 0);
	assert_int_equal(fake.invalidations, 0);
	phyr_domain_get_stats(domain, &before);
	assert_int_equal(before.entries, 512);

	phyr_gather_init(&gather);
	assert_int_equal(phyr_domain_unmap(domain, 4 * M, 2 * M, &gather), 0);
	assert_int_equal(fake.invalidations, 0);
	fake.watch = domain;
	phyr_domain_sync(domain, &gather);
	assert_int_equal(fake.invalidations, 1);
	assert_int_equal(fake.domain, fake.devices[0].table.domain);
	assert_int_equal(fake.start, 4 * M);
	assert_int_equal(fake.last, 6 * M - 1);
	assert_int_equal(fake.tables_seen, before.tables);
	phyr_domain_get_stats(domain, &after);
	assert_int_equal(after.tables, before.tables - 1);
	assert_int_equal(gather.tables, 0);
	fake.watch = NULL;
	phyr_domain_detach(domain, 0);
	phyr_domain_destroy(domain);
	phyr_iommu_destroy(iommu);
}

/*
 * A map that fails in its second table: what it wrote to the first is invalidated before it
 * returns.
 */
static void failed_map_is_invalidated(void **state)
{
	struct phyr_iommu *iommu = make(NULL);
	struct phyr_domain *domain = make_domain(iommu);
	struct phyr_domain_stats stats;
	struct phyr_translation tr;
	struct phyr_cursor cur;

	phyr_cursor_init_range(&cur, K, K);
	assert_int_equal(phyr_domain_map(domain, 6 * M, NULL, &cur, PHYR_READ), 0);
	phyr_cursor_init_range(&cur, 64 * K, 3 * M);
	assert_int_equal(phyr_domain_map(domain, 4 * M, NULL, &cur, PHYR_WRITE), -EEXIST);
	assert_int_equal(t.last.err, -EEXIST);
	assert_int_equal(t.last.iova, 6 * M);
	assert_int_equal(cur.left, 3 * M);
	assert_int_equal(phyr_domain_translate(domain, 4 * M, &tr), -ENOENT);
	assert_int_equal(phyr_domain_translate(domain, 6 * M + 5, &tr), 0);
	assert_int_equal(tr.addr, K + 5);
	assert_int_equal(fake.invalidations, 1);
	assert_int_equal(fake.start, 4 * M);
	assert_int_equal(fake.last, 6 * M - 1);
	phyr_domain_get_stats(domain, &stats);
	assert_int_equal(stats.maps, 1);
	assert_int_equal(stats.entries, 1);
	phyr_domain_destroy(domain);
	phyr_iommu_destroy(iommu);
}

static void flush_all_reaches_everything(void **state)
{
	struct phyr_iommu *iommu = make(NULL);
	void *ctx;

	assert_int_equal(iommu->ops->domain_create(iommu, NULL, NULL, &ctx), 0);
	iommu->ops->flush_all(ctx);
	assert_int_equal(fake.invalidations, 1);
	assert_int_equal(fake.domain, 1);
	assert_int_equal(fake.start, 0);
	assert_int_equal(fake.last, ~0ull);
	iommu->ops->domain_destroy(ctx);
	phyr_iommu_destroy(iommu);
}

/* Faults go to the domain that the device is attached to. */
static void faults_find_their_domain(void **state)
{
	struct phyr_iommu *iommu = make(NULL);
	struct phyr_domain *a = make_domain(iommu), *b = make_domain(iommu);
	const struct phyr_fault fault = {.source = 1,
					 .access = PHYR_READ,
					 .iova = 0x77000,
					 .reason = PHYR_FAULT_NOT_PRESENT};
	struct phyr_domain_stats stats;

	assert_int_equal(phyr_domain_attach(a, 0), 0);
	assert_int_equal(phyr_domain_attach(b, 1), 0);
	tenv_restart(&t);
	fake.devices[1].fault(fake.devices[1].arg, &fault);
	assert_int_equal(t.last.iova, 0x77000);
	phyr_domain_get_stats(a, &stats);
	assert_int_equal(stats.faults, 0);
	phyr_domain_get_stats(b, &stats);
	assert_int_equal(stats.faults, 1);
	phyr_domain_detach(a, 0);
	phyr_domain_detach(b, 1);
	phyr_domain_destroy(a);
	phyr_domain_destroy(b);
	phyr_iommu_destroy(iommu);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, init, fini)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(create_refuses),
		TEST(null_env_is_hosted),
		TEST(format_is_chosen),
		TEST(hardware_is_told),
		TEST(hardware_must_have_it),
		TEST(aperture_is_what_both_have),
		TEST(attach_errors),
		TEST(domain_ids),
		TEST(domain_ids_are_the_hardwares),
		TEST(sync_invalidates_then_frees),
		TEST(failed_map_is_invalidated),
		TEST(flush_all_reaches_everything),
		TEST(faults_find_their_domain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
