/* SPDX-License-Identifier: MIT */
/*
 * The n-th allocation fails, for every n: a clean -ENOMEM, nothing is mapped that was not, nothing
 * leaks, and the same call goes through afterwards.
 */
#include "rig.h"

#include <string.h>

#define APERTURE (64 * M2)

static const struct rig_config configs[] = {
	{.format = PHYR_PGTBL_VTDSS, .last = APERTURE - 1},
	{.format = PHYR_PGTBL_X86_64, .last = APERTURE - 1},
	{.format = PHYR_PGTBL_VTDSS, .last = APERTURE - 1, .page_sizes = M2},
	{.limits = {sizeof(struct phyr_limits), .bus_offset = 0x10000}},
};

/* What is swept: do it, once more undo it; and who may tell that it failed. */
struct deed {
	int (*act)(struct rig *r, const struct phyr_list *list);
	void (*undo)(struct rig *r);
	bool needs_iova;
	const char *calls[3];
};

static struct phyr_dma_map map;
static struct phyr_dma_iova_state window;
static struct phyr_dma_pool *pool;
static uint64_t dma;
static void *cpu;

static int act_map(struct rig *r, const struct phyr_list *list)
{
	return phyr_dma_map(r->dev, list, PHYR_DMA_BIDIRECTIONAL, 0, &map);
}

static void undo_map(struct rig *r)
{
	phyr_dma_unmap(r->dev, &map);
}

/* The window is there already, a first link too; a failed second link leaves the first. */
static int act_link(struct rig *r, const struct phyr_list *list)
{
	int err = phyr_dma_iova_link_list(r->dev, &window, list, M2, PHYR_DMA_TO_DEVICE, 0);

	assert_int_equal(rig_walk(r, window.addr + 8), 0x600008);
	assert_int_equal(rig_walk(r, window.addr + M2 - 1), 0x600000 + M2 - 1);
	if (err)
		for (uint64_t at = M2; at < window.size; at += 4096)
			assert_int_equal(rig_walk(r, window.addr + at), UINT64_MAX);
	return err;
}

static void undo_link(struct rig *r)
{
	assert_int_equal(phyr_dma_iova_unlink(r->dev, &window, M2, window.size - M2, 0, 0), 0);
}

static int act_phys(struct rig *r, const struct phyr_list *list)
{
	return phyr_dma_map_phys(r->dev, NULL, 0x12345, 20000, PHYR_DMA_TO_DEVICE, 0, &dma);
}

static void undo_phys(struct rig *r)
{
	phyr_dma_unmap_phys(r->dev, dma, 20000, PHYR_DMA_TO_DEVICE, 0);
}

static int act_alloc(struct rig *r, const struct phyr_list *list)
{
	cpu = phyr_dma_alloc(r->dev, 9000, &dma);
	return cpu ? 0 : r->t.last.err;
}

static void undo_alloc(struct rig *r)
{
	phyr_dma_free(r->dev, 9000, cpu, dma);
}

static int act_pool(struct rig *r, const struct phyr_list *list)
{
	int err = phyr_dma_pool_create(r->dev, 64, 0, &pool);

	if (err)
		return err;
	cpu = phyr_dma_pool_alloc(pool, &dma);
	if (cpu)
		return 0;
	phyr_dma_pool_destroy(pool);
	return r->t.last.err;
}

static void undo_pool(struct rig *r)
{
	phyr_dma_pool_free(pool, cpu, dma);
	phyr_dma_pool_destroy(pool);
}

/* Nothing leads anywhere in the whole aperture, but for the first link where there is one. */
static void nothing_is_mapped(struct rig *r, const struct rig_config *config, bool linked)
{
	uint64_t step = config->page_sizes ? M2 : K4;

	if (!config->format)
		return;
	assert_int_equal(rig_iova(r), linked ? window.size : 0);
	for (uint64_t at = 0; at < config->last; at += step)
		if (!linked || at - window.addr >= M2)
			assert_int_equal(rig_walk(r, at), UINT64_MAX);
}

static void open_window(struct rig *r, const struct phyr_list *list)
{
	assert_true(phyr_dma_iova_try_alloc(r->dev, &window, 0x600000, M2 + list->len));
	assert_int_equal(phyr_dma_iova_link(r->dev, &window, NULL, 0x600000, 0, M2, 0, 0), 0);
}

/* The report comes from the call itself, or from below where the header says so. */
static void told(const struct rig *r, const struct deed *deed)
{
	bool named = false;

	assert_int_equal(r->t.last.err, -ENOMEM);
	for (unsigned i = 0; i < 3 && deed->calls[i]; i++)
		named |= !strcmp(r->t.last.call, deed->calls[i]);
	assert_true(named);
	assert_int_not_equal(r->t.last.len, 0);
	/* A run of the list, or all of it. */
	if (!strcmp(r->t.last.call, "phyr_pgtbl_map") && r->t.last.len == K4)
		assert_int_equal(r->t.last.addr, (3 * r->t.last.index + 1) * K4);
	if (deed->act == act_phys) {
		assert_int_equal(r->t.last.addr, 0x12345);
		assert_int_equal(r->t.last.len, 20000);
	}
}

/* One n. Returns whether the n-th allocation was asked for at all. */
static bool try_n(const struct rig_config *config, const struct deed *deed, uint64_t n)
{
	bool linked = deed->act == act_link, failed;
	struct phyr_list list;
	struct rig r;
	int err;

	rig_init(&r, config);
	phyr_list_init(&list, NULL, NULL);
	for (uint64_t i = 0; i < (config->page_sizes ? 25 : 1300); i++)
		assert_int_equal(phyr_list_append_page(&list, (3 * i + 1) * K4), 0);
	if (linked)
		open_window(&r, &list);
	tenv_restart(&r.t);
	r.t.fail_at = n;
	err = deed->act(&r, &list);
	failed = r.t.failed;
	r.t.fail_at = 0;
	if (failed) {
		assert_int_equal(err, -ENOMEM);
		told(&r, deed);
		nothing_is_mapped(&r, config, linked);
		err = deed->act(&r, &list);
	}
	assert_int_equal(err, 0);
	deed->undo(&r);
	nothing_is_mapped(&r, config, linked);
	if (linked)
		phyr_dma_iova_destroy(r.dev, &window, M2, 0, 0);
	phyr_list_fini(&list);
	rig_fini(&r);
	return failed;
}

static void sweep(const struct deed *deed, unsigned at_least)
{
	for (unsigned c = 0; c < sizeof(configs) / sizeof(configs[0]); c++) {
		uint64_t n = 1;

		if (deed->needs_iova && (!configs[c].format || configs[c].page_sizes))
			continue;
		while (try_n(&configs[c], deed, n))
			n++;
		print_message("# config %u: %u allocations failed in turn\n", c, (unsigned)n - 1);
		if (configs[c].format)
			assert_true(n > at_least);
	}
}

static void sweep_map(void **state)
{
	sweep(&(struct deed){act_map,
			     undo_map,
			     false,
			     {"phyr_dma_map", "phyr_pgtbl_map", "phyr_iova_alloc"}},
	      3);
}

static void sweep_link(void **state)
{
	sweep(&(struct deed){act_link, undo_link, true, {"phyr_pgtbl_map"}}, 3);
}

static void sweep_phys(void **state)
{
	sweep(&(struct deed){act_phys, undo_phys, false, {"phyr_dma_map_phys"}}, 2);
}

static void sweep_alloc(void **state)
{
	sweep(&(struct deed){act_alloc, undo_alloc, false, {"phyr_dma_alloc"}}, 3);
}

static void sweep_pool(void **state)
{
	sweep(&(struct deed){act_pool,
			     undo_pool,
			     false,
			     {"phyr_dma_pool_create", "phyr_dma_pool_alloc", "phyr_dma_alloc"}},
	      5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sweep_map),  cmocka_unit_test(sweep_link),
		cmocka_unit_test(sweep_phys), cmocka_unit_test(sweep_alloc),
		cmocka_unit_test(sweep_pool),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
