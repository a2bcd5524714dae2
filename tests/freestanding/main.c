/* SPDX-License-Identifier: MIT */
/*
 * The freestanding layers in a program without libc: lists, a domain on the soft backend over
 * hardware that only remembers, mapping in both ways, PRPs. What was mapped is read back by a walker
 * of this file's own, written from the VT-d specification.
 */
#include <phyr/backend.h>
#include <phyr/desc.h>
#include <phyr/dma.h>

#include "core/err.h"

#define MEMORY_BYTES (16u << 20)
#define PHYS_DELTA   0x100000000u
#define SOURCE       0x0010u
#define SCATTERED    600
#define CHECK(what)  check((what), #what, __LINE__)

/*
 * The system: two calls, and what a compiler may ask for.
 */

void *memcpy(void *to, const void *from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void freestanding_main(void);

__asm__(".globl _start\n"
	"_start:\n"
	"	xor %ebp, %ebp\n"
	"	and $-16, %rsp\n"
	"	call freestanding_main\n");

static long system_call(long nr, long a, long b, long c)
{
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c)
			 : "rcx", "r11", "memory");
	return ret;
}

static void say(const char *text)
{
	size_t len = 0;

	while (text[len])
		len++;
	system_call(1 /* write */, 1, (long)text, (long)len);
}

static _Noreturn void leave(int status)
{
	for (;;)
		system_call(231 /* exit_group */, status, 0, 0);
}

static void say_number(unsigned n)
{
	char text[12] = "";
	char *at = text + sizeof(text) - 1;

	do
		*--at = (char)('0' + n % 10);
	while (n /= 10);
	say(at);
}

static void check(bool holds, const char *what, unsigned line)
{
	if (holds)
		return;
	say("freestanding: line ");
	say_number(line);
	say(": ");
	say(what);
	say("\n");
	leave(1);
}

/* Keeps a compiler from seeing memcpy in memcpy's own loop, and calling it. */
static inline void no_idiom(void)
{
	__asm__ volatile("" ::: "memory");
}

void *memcpy(void *to, const void *from, size_t n)
{
	unsigned char *t = to;
	const unsigned char *f = from;

	for (; n; n--, no_idiom())
		*t++ = *f++;
	return to;
}

void *memmove(void *to, const void *from, size_t n)
{
	unsigned char *t = to;
	const unsigned char *f = from;

	if (t < f)
		return memcpy(to, from, n);
	for (; n; n--, no_idiom())
		t[n - 1] = f[n - 1];
	return to;
}

void *memset(void *to, int byte, size_t n)
{
	unsigned char *t = to;

	for (; n; n--, no_idiom())
		*t++ = (unsigned char)byte;
	return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const unsigned char *x = a, *y = b;

	for (; n; n--, x++, y++)
		if (*x != *y)
			return *x < *y ? -1 : 1;
	return 0;
}

/*
 * The environment: memory from one array, cut by powers of two, taken back by size.
 */

struct free_block {
	struct free_block *next;
};

static unsigned char memory[MEMORY_BYTES] __attribute__((aligned(2u << 20)));
static size_t memory_used;
static struct free_block *free_blocks[64];
static long live;
static int locks_held;
static struct phyr_report last_report;

static unsigned size_class(size_t size)
{
	return size <= 16 ? 4 : 64 - (unsigned)__builtin_clzll(size - 1);
}

static void *take(size_t size)
{
	unsigned class = size_class(size);
	size_t block = (size_t)1 << class, start;
	void *taken = free_blocks[class];

	if (taken) {
		free_blocks[class] = free_blocks[class]->next;
	} else {
		start = (memory_used + block - 1) & ~(block - 1);
		if (start + block > MEMORY_BYTES)
			return NULL;
		memory_used = start + block;
		taken = memory + start;
	}
	live++;
	return memset(taken, 0, block);
}

static void give(void *taken, size_t size)
{
	struct free_block *block = taken;

	if (!block)
		return;
	memset(taken, 0xa5, size);
	block->next = free_blocks[size_class(size)];
	free_blocks[size_class(size)] = block;
	live--;
}

/* docs/your-own-env.md: under a lock nothing is called but unlock. */
static void *env_pages(struct phyr_env *env, size_t size)
{
	CHECK(!locks_held);
	return take(size);
}

static void env_pages_back(struct phyr_env *env, void *pages, size_t size)
{
	CHECK(!locks_held);
	give(pages, size);
}

static int env_lock_make(struct phyr_env *env, struct phyr_lock *lock)
{
	lock->opaque[0] = 0;
	return 0;
}

static void env_lock_drop(struct phyr_env *env, struct phyr_lock *lock)
{
	CHECK(!lock->opaque[0]);
}

static void env_lock_take(struct phyr_env *env, struct phyr_lock *lock)
{
	CHECK(!locks_held && !lock->opaque[0]);
	lock->opaque[0] = 1;
	locks_held++;
}

static void env_lock_give(struct phyr_env *env, struct phyr_lock *lock)
{
	CHECK(lock->opaque[0]);
	lock->opaque[0] = 0;
	locks_held--;
}

static unsigned env_cpu(struct phyr_env *env)
{
	return 0;
}

static uint64_t env_clock(struct phyr_env *env)
{
	static uint64_t now;

	return now += 100;
}

static void env_told(struct phyr_env *env, const struct phyr_report *report)
{
	CHECK(!locks_held);
	last_report = *report;
}

static struct phyr_env env = {
	.alloc_pages = env_pages,
	.free_pages = env_pages_back,
	.alloc = env_pages,
	.free = env_pages_back,
	.phys_delta = PHYS_DELTA,
	.lock_init = env_lock_make,
	.lock_fini = env_lock_drop,
	.lock = env_lock_take,
	.unlock = env_lock_give,
	.slot = env_cpu,
	.nr_slots = 1,
	.now_ns = env_clock,
	.report = env_told,
};

/*
 * The hardware: it remembers its table and what it was told to forget.
 */

struct hardware {
	struct phyr_soft_hw hw;
	struct phyr_soft_table table;
	bool attached;
	unsigned invalidations;
};

static void hw_info(struct phyr_soft_hw *hw, struct phyr_soft_info *info)
{
	*info = (struct phyr_soft_info){
		.formats = 1u << PHYR_PGTBL_VTDSS,
		.levels = 4,
		.oa_bits = 46,
		.aperture = {.start = 0x1000,
			     .last = ((uint64_t)1 << 48) - 1,
			     .page_sizes = 1u << 12 | 1u << 21 | 1u << 30,
			     .nr_holes = 1,
			     .holes = {{0xfee00000, 0xfeefffff}}},
	};
}

static int hw_set_table(struct phyr_soft_hw *hw, uint32_t source,
			const struct phyr_soft_table *table, phyr_fault_fn *fault, void *arg)
{
	struct hardware *hard = (struct hardware *)hw;

	if (source != SOURCE)
		return -ENODEV;
	if (hard->attached)
		return -EBUSY;
	hard->table = *table;
	hard->attached = true;
	return 0;
}

static void hw_clear_table(struct phyr_soft_hw *hw, uint32_t source, uint32_t domain)
{
	((struct hardware *)hw)->attached = false;
}

static void hw_invalidate(struct phyr_soft_hw *hw, uint32_t domain, uint64_t start, uint64_t last)
{
	((struct hardware *)hw)->invalidations++;
}

static uint32_t hw_get_domain(struct phyr_soft_hw *hw)
{
	return 1;
}

static void hw_put_domain(struct phyr_soft_hw *hw, uint32_t domain)
{
}

static struct hardware hard = {
	.hw = {.get_info = hw_info,
	       .set_table = hw_set_table,
	       .clear_table = hw_clear_table,
	       .invalidate = hw_invalidate,
	       .get_domain = hw_get_domain,
	       .put_domain = hw_put_domain},
};

/*
 * Where the tables lead, by VT-d 4.1, section 9.8 (second-stage paging entries): bit 0 read, bit 1
 * write (so they are PHYR_READ and PHYR_WRITE), bit 7 of the two middle levels a large page, bits
 * 51:12 the address. 0: nowhere.
 */
static uint64_t walk(uint64_t iova, unsigned access)
{
	uint64_t table = hard.table.root, entry, span;
	unsigned level;

	CHECK(hard.table.levels == 4);
	for (level = 3;; level--) {
		span = (uint64_t)1 << (12 + 9 * level);
		entry = ((uint64_t *)(uintptr_t)(table - PHYS_DELTA))[iova / span & 511];
		if ((entry & access) != access)
			return 0;
		table = entry & 0x000ffffffffff000u;
		if (!level || entry & 1u << 7)
			return (table & ~(span - 1)) + (iova & (span - 1));
	}
}

/*
 * The checks.
 */

/* Scattered page @i: single pages far apart, none next to another. */
static phyr_addr_t scattered_page(unsigned i)
{
	return 0x200000000u + (uint64_t)(i * 7919u % 8192u) * 0x3000;
}

static void make_list(struct phyr_list *list)
{
	phyr_list_init(list, &env, NULL);
	for (unsigned i = 0; i < SCATTERED; i++)
		CHECK(!phyr_list_append_page(list, scattered_page(i)));
	CHECK(!phyr_list_append(list, 0x40000000, 6u << 20));
	CHECK(list->nr_runs == SCATTERED + 1);
	CHECK(list->len == SCATTERED * PHYR_PAGE_SIZE + (6u << 20));
}

/* Every run of the list is reached from iova onwards, or nothing of it. */
static void check_reached(const struct phyr_list *list, uint64_t iova, bool reached)
{
	struct phyr_cursor cur;
	struct phyr_range run;

	phyr_cursor_init(&cur, list);
	while (phyr_cursor_next(&cur, &run)) {
		for (uint64_t at = 0; at < run.len; at += PHYR_PAGE_SIZE)
			CHECK(walk(iova + at, PHYR_READ) == (reached ? run.addr + at : 0));
		CHECK(!walk(iova, PHYR_WRITE)); /* mapped to be read only */
		iova += run.len;
	}
}

static void check_one_call(struct phyr_dev *dev, const struct phyr_list *list)
{
	struct phyr_dma_map map;
	struct phyr_translation to;
	uint64_t iova;

	CHECK(!phyr_dma_map(dev, list, PHYR_DMA_TO_DEVICE, 0, &map));
	CHECK(map.how == PHYR_DMA_WINDOW);
	iova = map.state.addr;
	CHECK(phyr_dma_map_list(&map)->nr_runs == 1);
	CHECK(!phyr_domain_translate(phyr_dev_domain(dev), iova + 0x5123, &to));
	CHECK(to.addr == scattered_page(5) + 0x123 && to.prot == PHYR_READ);
	check_reached(list, iova, true);
	phyr_dma_unmap(dev, &map);
	check_reached(list, iova, false);
	CHECK(hard.invalidations > 0);
	CHECK(phyr_domain_translate(phyr_dev_domain(dev), iova, &to) == -ENOENT);
}

static void check_two_steps(struct phyr_dev *dev)
{
	struct phyr_dma_iova_state state;

	CHECK(phyr_dma_iova_try_alloc(dev, &state, 0x7000200, 0x2e00));
	CHECK((state.addr & 0xfff) == 0x200);
	CHECK(!phyr_dma_iova_link(dev, &state, NULL, 0x7000200, 0, 0xe00, PHYR_DMA_BIDIRECTIONAL,
				  0));
	CHECK(!phyr_dma_iova_link(dev, &state, NULL, 0x9000000, 0xe00, 0x2000,
				  PHYR_DMA_BIDIRECTIONAL, 0));
	CHECK(!phyr_dma_iova_sync(dev, &state, 0, 0x2e00));
	CHECK(walk(state.addr + 1, PHYR_READ | PHYR_WRITE) == 0x7000201);
	CHECK(walk(state.addr + 0xe00, PHYR_READ | PHYR_WRITE) == 0x9000000);
	CHECK(phyr_dma_iova_link(dev, &state, NULL, 0x9000010, 0xe00, 0x1000,
				 PHYR_DMA_BIDIRECTIONAL, 0) == -EINVAL);
	CHECK(last_report.err == -EINVAL && last_report.addr == 0x9000010);
	CHECK(!phyr_dma_iova_unlink(dev, &state, 0, 0xe00, PHYR_DMA_BIDIRECTIONAL, 0));
	CHECK(!walk(state.addr, PHYR_READ));
	CHECK(!phyr_dma_iova_unlink(dev, &state, 0xe00, 0x2000, PHYR_DMA_BIDIRECTIONAL, 0));
	phyr_dma_iova_free(dev, &state);
}

/* Without an IOMMU a scattered list's pages are its PRP entries; the last of a list page chains on. */
static void check_prps(struct phyr_dev *dev, const struct phyr_list *list)
{
	struct phyr_prp_page pages[4];
	struct phyr_dma_pool *pool;
	struct phyr_dma_map map;
	struct phyr_cursor cur;
	struct phyr_prp prp;

	CHECK(!phyr_dma_map(dev, list, PHYR_DMA_FROM_DEVICE, 0, &map));
	CHECK(map.how == PHYR_DMA_SAME && phyr_dma_map_list(&map) == list);
	CHECK(!phyr_dma_pool_create(dev, 4096, 4096, &pool));
	phyr_prp_init(&prp, 12, pool, pages, 4);
	CHECK(!phyr_dma_map_cursor(&map, 0, SCATTERED * PHYR_PAGE_SIZE, &cur));
	CHECK(!phyr_prp_build(&prp, &cur));
	CHECK(prp.nr_pages == 2 && prp.prp1 == scattered_page(0) && prp.prp2 == pages[0].dma);
	for (unsigned i = 0; i < 511; i++)
		CHECK(pages[0].cpu[i] == scattered_page(i + 1));
	CHECK(pages[0].cpu[511] == pages[1].dma);
	for (unsigned i = 512; i < SCATTERED; i++)
		CHECK(pages[1].cpu[i - 512] == scattered_page(i));
	phyr_prp_fini(&prp);
	phyr_dma_pool_destroy(pool);
	phyr_dma_unmap(dev, &map);
}

/* One device in one domain of a backend, and what is checked with it. */
static void with_device(struct phyr_iommu *iommu, const struct phyr_list *list, bool translates)
{
	struct phyr_domain_stats stats;
	struct phyr_domain *domain;
	struct phyr_dev *dev;

	CHECK(!phyr_domain_create(iommu, &domain));
	CHECK(!phyr_dev_create(domain, SOURCE, NULL, &dev));
	if (translates) {
		check_one_call(dev, list);
		check_two_steps(dev);
	} else {
		check_prps(dev, list);
	}
	phyr_domain_get_stats(domain, &stats);
	CHECK(!stats.iova_bytes && !stats.faults);
	phyr_dev_destroy(dev);
	phyr_domain_destroy(domain);
	phyr_iommu_destroy(iommu);
}

void freestanding_main(void)
{
	struct phyr_iommu *iommu;
	struct phyr_list list;

	make_list(&list);
	CHECK(!phyr_soft_create(&env, &hard.hw, NULL, &iommu));
	with_device(iommu, &list, true);
	CHECK(!hard.attached);
	CHECK(!phyr_direct_create(&env, &iommu));
	with_device(iommu, &list, false);
	phyr_list_fini(&list);
	CHECK(!live && !locks_held);
	say("freestanding: lists, windows, tables and PRPs hold\n");
	leave(0);
}
