/* SPDX-License-Identifier: MIT */
/*
 * Random buffers, mapped in random ways and directions, through which the device moves data, against
 * a model that is a plain copy of all memory: what the device reads is what the model has, and what
 * it writes is all that changes.
 */
#include "simrig.h"

#include "lib/rnd.h"

#include <stdlib.h>
#include <string.h>

#define MEMORY  (4 << 20)
#define SLOTS   24
#define LINKS   8
#define OPS     4000
#define MAX_LEN (512 << 10)

enum way { UNUSED, LIST, STEPS, PHYS };

struct slot {
	enum way way;
	enum phyr_dma_dir dir;
	uint64_t start; /* in memory */
	uint64_t len;
	struct phyr_list list;
	struct phyr_dma_map map;           /* LIST */
	struct phyr_dma_iova_state window; /* STEPS */
	uint64_t cuts[LINKS + 1];          /* edges of links, from 0 to len */
	unsigned nr_links;
	uint64_t dma; /* PHYS: of the first run, which is all that is used */
};

struct model {
	struct simrig rig;
	struct rnd rnd;
	const struct simrig_config *config;
	unsigned char *memory;
	unsigned char *copy;
	struct slot slots[SLOTS];
};

static unsigned prot_of(enum phyr_dma_dir dir)
{
	return dir == PHYR_DMA_TO_DEVICE     ? PHYR_READ
	       : dir == PHYR_DMA_FROM_DEVICE ? PHYR_WRITE
					     : PHYR_READ | PHYR_WRITE;
}

static void map_list(struct model *m, struct slot *s)
{
	assert_int_equal(phyr_dma_map(m->rig.dev, &s->list, s->dir, 0, &s->map), 0);
	if (rnd_below(&m->rnd, 2))
		assert_int_equal(phyr_dma_map_list(&s->map)->len, s->len);
}

/* Cut at pages of the memory, for there the granules end. */
static void choose_cuts(struct model *m, struct slot *s)
{
	uint64_t head = -s->start & 4095, pages;

	s->nr_links = 0;
	s->cuts[0] = 0;
	pages = s->len > head ? (s->len - head - 1) / 4096 : 0;
	while (pages && s->nr_links + 1 < LINKS && rnd_below(&m->rnd, 4)) {
		uint64_t cut = head + 4096 * rnd_below(&m->rnd, pages + 1);

		if (cut > s->cuts[s->nr_links])
			s->cuts[++s->nr_links] = cut;
	}
	s->cuts[++s->nr_links] = s->len;
}

static void map_steps(struct model *m, struct slot *s)
{
	struct phyr_cursor cur;
	struct phyr_range first;

	phyr_cursor_init(&cur, &s->list);
	phyr_cursor_next(&cur, &first);
	assert_true(phyr_dma_iova_try_alloc(m->rig.dev, &s->window, first.addr, s->len));
	choose_cuts(m, s);
	for (unsigned i = 0; i < s->nr_links; i++) {
		uint64_t at = s->cuts[i], len = s->cuts[i + 1] - at;

		assert_int_equal(phyr_cursor_init_at(&cur, &s->list, at, len), 0);
		assert_int_equal(phyr_dma_iova_link_cursor(m->rig.dev, &s->window, s->list.space,
							   &cur, at, s->dir, 0),
				 0);
	}
	assert_int_equal(phyr_dma_iova_sync(m->rig.dev, &s->window, 0, s->len), 0);
}

static void map_phys(struct model *m, struct slot *s)
{
	struct phyr_cursor cur;
	struct phyr_range first;

	phyr_cursor_init(&cur, &s->list);
	phyr_cursor_next(&cur, &first);
	s->len = first.len;
	assert_int_equal(phyr_dma_map_phys(m->rig.dev, s->list.space, first.addr, first.len, s->dir,
					   0, &s->dma),
			 0);
}

static void create(struct model *m, struct slot *s)
{
	bool windows = m->config->format && !m->config->page_sizes;

	s->len = rnd_log(&m->rnd, 1, MAX_LEN);
	s->start = rnd_below(&m->rnd, MEMORY - s->len);
	s->dir = (enum phyr_dma_dir)rnd_below(&m->rnd, 3);
	simrig_pin(&m->rig, m->memory + s->start, s->len, &s->list);
	s->way = (enum way)(1 + rnd_below(&m->rnd, 3));
	if (s->way == STEPS && windows) {
		map_steps(m, s);
	} else if (s->way == PHYS) {
		map_phys(m, s);
	} else {
		s->way = LIST;
		map_list(m, s);
	}
}

/* All at once, or first one link, then what is before it, then what is behind it. */
static void unmap_steps(struct model *m, struct slot *s)
{
	unsigned i = (unsigned)rnd_below(&m->rnd, s->nr_links);
	const uint64_t edges[][2] = {
		{s->cuts[i], s->cuts[i + 1]}, {0, s->cuts[i]}, {s->cuts[i + 1], s->len}};

	if (rnd_below(&m->rnd, 2)) {
		phyr_dma_iova_destroy(m->rig.dev, &s->window, s->len, s->dir, 0);
		return;
	}
	for (unsigned e = 0; e < 3; e++)
		if (edges[e][1] > edges[e][0])
			assert_int_equal(phyr_dma_iova_unlink(m->rig.dev, &s->window, edges[e][0],
							      edges[e][1] - edges[e][0], s->dir, 0),
					 0);
	phyr_dma_iova_free(m->rig.dev, &s->window);
}

static void drop(struct model *m, struct slot *s)
{
	if (s->way == LIST)
		phyr_dma_unmap(m->rig.dev, &s->map);
	else if (s->way == STEPS)
		unmap_steps(m, s);
	else if (s->way == PHYS)
		phyr_dma_unmap_phys(m->rig.dev, s->dma, s->len, s->dir, 0);
	if (s->way != UNUSED)
		simrig_unpin(&m->rig, &s->list);
	s->way = UNUSED;
}

/* A cursor over the dma addresses of a part of a slot. */
static struct phyr_cursor dma_of(const struct slot *s, uint64_t offset, uint64_t len)
{
	struct phyr_cursor cur;

	if (s->way == LIST)
		assert_int_equal(phyr_dma_map_cursor(&s->map, offset, len, &cur), 0);
	else
		phyr_cursor_init_range(&cur, (s->way == STEPS ? s->window.addr : s->dma) + offset,
				       len);
	return cur;
}

static void dma_read(struct model *m, const struct slot *s, uint64_t offset, uint64_t len)
{
	struct phyr_cursor cur = dma_of(s, offset, len);
	const unsigned char *want = m->copy + s->start + offset;
	struct phyr_range part;

	while (phyr_cursor_next(&cur, &part)) {
		assert_int_equal(engine_run(&m->rig, part.addr, part.len, PHYR_READ), 0);
		assert_memory_equal(m->rig.engine.buf, want, part.len);
		want += part.len;
	}
}

static void dma_write(struct model *m, const struct slot *s, uint64_t offset, uint64_t len)
{
	struct phyr_cursor cur = dma_of(s, offset, len);
	unsigned char *to = m->copy + s->start + offset;
	struct phyr_range part;

	while (phyr_cursor_next(&cur, &part)) {
		for (uint64_t i = 0; i < part.len; i += 8) {
			uint64_t v = rnd_u64(&m->rnd);

			memcpy(m->rig.engine.buf + i, &v, 8);
		}
		assert_int_equal(engine_run(&m->rig, part.addr, part.len, PHYR_WRITE), 0);
		memcpy(to, m->rig.engine.buf, part.len);
		to += part.len;
	}
}

/* What the direction forbids is blocked; x86-64 cannot forbid reading alone. */
static void dma_forbidden(struct model *m, const struct slot *s, unsigned access, uint64_t offset)
{
	struct phyr_cursor cur = dma_of(s, offset, 1);
	struct phyr_range part;

	if (!m->config->format)
		return;
	if (access == PHYR_READ && m->config->format == PHYR_PGTBL_X86_64)
		return;
	phyr_cursor_next(&cur, &part);
	assert_int_equal(engine_run(&m->rig, part.addr, 1, access), -EFAULT);
	assert_int_equal(m->rig.fault.iova, part.addr);
	assert_int_equal(m->rig.fault.reason, PHYR_FAULT_PERMISSION);
}

static void access_slot(struct model *m, const struct slot *s)
{
	uint64_t offset = rnd_below(&m->rnd, s->len);
	uint64_t most = s->len - offset < ENGINE_BUF ? s->len - offset : ENGINE_BUF;
	uint64_t len = rnd_log(&m->rnd, 1, most);
	unsigned access = rnd_below(&m->rnd, 2) ? PHYR_READ : PHYR_WRITE;

	if (!(prot_of(s->dir) & access))
		dma_forbidden(m, s, access, offset);
	else if (access == PHYR_READ)
		dma_read(m, s, offset, len);
	else
		dma_write(m, s, offset, len);
}

static void cpu_write(struct model *m)
{
	uint64_t len = rnd_log(&m->rnd, 1, 10000), at = rnd_below(&m->rnd, MEMORY - len);

	memset(m->memory + at, (int)rnd_below(&m->rnd, 256), len);
	memcpy(m->copy + at, m->memory + at, len);
}

/* The answers that phyr_dma_map() must have given here, as OR of 1 << enum phyr_dma_how. */
static void check_answers(struct model *m, unsigned answers)
{
	struct phyr_dev_stats stats;

	phyr_dev_get_stats(m->rig.dev, &stats);
	for (unsigned how = PHYR_DMA_SAME; how <= PHYR_DMA_RANGES; how++)
		assert_int_equal(stats.how[how] > 0, answers >> how & 1);
}

static void run(const struct simrig_config *config, unsigned answers, const char *name)
{
	static struct model m;

	memset(&m, 0, sizeof(m));
	m.config = config;
	m.rnd = rnd_start(name);
	simrig_init(&m.rig, config);
	m.memory = aligned_alloc(2 << 20, MEMORY);
	m.copy = calloc(1, MEMORY);
	memset(m.memory, 0, MEMORY);
	for (unsigned i = 0; i < OPS; i++) {
		struct slot *s = &m.slots[rnd_below(&m.rnd, SLOTS)];

		if (!rnd_below(&m.rnd, 4))
			cpu_write(&m);
		if (s->way == UNUSED)
			create(&m, s);
		else if (!rnd_below(&m.rnd, 4))
			drop(&m, s);
		else
			access_slot(&m, s);
		if (i % 100 == 99)
			assert_memory_equal(m.memory, m.copy, MEMORY);
	}
	for (unsigned i = 0; i < SLOTS; i++)
		drop(&m, &m.slots[i]);
	assert_int_equal(memcmp(m.memory, m.copy, MEMORY), 0);
	check_answers(&m, answers);
	free(m.memory);
	free(m.copy);
	simrig_fini(&m.rig);
}

static void vtdss(void **state)
{
	run(&(struct simrig_config){.format = PHYR_PGTBL_VTDSS}, 1 << PHYR_DMA_WINDOW,
	    "dma/model vtdss mixed");
}

static void vtdss_single_pages(void **state)
{
	run(&(struct simrig_config){.format = PHYR_PGTBL_VTDSS, .scatter = PHYR_SIM_SINGLE},
	    1 << PHYR_DMA_WINDOW, "dma/model vtdss single");
}

static void x86_huge(void **state)
{
	run(&(struct simrig_config){.format = PHYR_PGTBL_X86_64, .scatter = PHYR_SIM_HUGE},
	    1 << PHYR_DMA_WINDOW, "dma/model x86_64 huge");
}

static void large_granule(void **state)
{
	run(&(struct simrig_config){.format = PHYR_PGTBL_VTDSS, .page_sizes = 2 << 20},
	    1 << PHYR_DMA_WINDOW | 1 << PHYR_DMA_RANGES, "dma/model vtdss, granule of 2 MiB");
}

static void direct(void **state)
{
	run(&(struct simrig_config){.format = 0}, 1 << PHYR_DMA_SAME, "dma/model direct");
}

static void direct_with_offset(void **state)
{
	run(&(struct simrig_config){.bus_offset = (uint64_t)1 << 45}, 1 << PHYR_DMA_RANGES,
	    "dma/model bus offset");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vtdss),    cmocka_unit_test(vtdss_single_pages),
		cmocka_unit_test(x86_huge), cmocka_unit_test(large_granule),
		cmocka_unit_test(direct),   cmocka_unit_test(direct_with_offset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
