/* SPDX-License-Identifier: MIT */
/*
 * Small blocks of shared memory, cut from coherent chunks.
 *
 * A device can write to all of a chunk at any time, so nothing that the pool believes lies in one:
 * free blocks are named by *slips* in memory of the CPU's own.
 *
 *   chunk, the device's ──▶ | block | block | block | block |
 *   chunk head, the CPU's   | slip  | slip  | slip  | slip  |    as many slips as blocks
 *
 *   free:   slips that name a block that may be given out
 *   blank:  slips that name none, for their blocks are out
 *
 * Any slip can name any block; there are as many blank ones as blocks are out, so giving a block
 * back finds a slip at once and allocates nothing. Chunks go back when the pool is destroyed.
 */
#include "dma/pool.h"

#include "dma/dev.h"

/* A chunk at least, bytes: what the granule or one block does not make larger. */
#define CHUNK_MIN 16384

struct slip {
	struct slip *next;
	void *cpu;
	phyr_dma_addr_t dma;
};

struct chunk {
	struct chunk *next;
	void *cpu;
	phyr_dma_addr_t dma;
	struct slip slips[];
};

struct phyr_dma_pool {
	struct phyr_dev *dev;
	uint64_t stride; /* bytes from one block to the next of a page or chunk */
	uint64_t align;
	uint64_t chunk_size;
	uint64_t per_chunk; /* blocks */

	struct phyr_lock lock; /* guards the rest */
	struct chunk *chunks;
	struct slip *free;
	struct slip *blank;
};

static int pool_fail(struct phyr_dev *dev, const char *call, int err, uint64_t len, uint64_t limit,
		     const char *hint)
{
	return env_fail(dev->env, .err = err, .call = call, .len = len, .limit = limit,
			.hint = hint);
}

/* What is wrong with a block like this; NULL: nothing. */
static const char *wrong_sizes(uint64_t size, uint64_t align)
{
	if (!size || size > (uint64_t)1 << 32)
		return "a block has 1 byte to 4 GiB";
	if (align && !is_pow2(align))
		return "align is no power of two";
	if (align > pow2_at_least(size))
		return "align is larger than the block";
	return NULL;
}

/* Blocks of at most a page are laid out page by page, and cross none. */
static uint64_t blocks_per_chunk(const struct phyr_dma_pool *pool)
{
	if (pool->stride > PHYR_PAGE_SIZE)
		return pool->chunk_size / pool->stride;
	return pool->chunk_size / PHYR_PAGE_SIZE * (PHYR_PAGE_SIZE / pool->stride);
}

static uint64_t block_offset(const struct phyr_dma_pool *pool, uint64_t i)
{
	uint64_t per_page = PHYR_PAGE_SIZE / pool->stride;

	if (!per_page)
		return i * pool->stride;
	return i / per_page * PHYR_PAGE_SIZE + i % per_page * pool->stride;
}

static void pool_lay_out(struct phyr_dma_pool *pool, uint64_t size, uint64_t align)
{
	pool->align = align ? align : 8;
	pool->stride = round_up_mask(size, pool->align - 1);
	pool->chunk_size = pow2_at_least(max_u64(pool->stride, CHUNK_MIN));
	pool->chunk_size = max_u64(pool->chunk_size, pool->dev->granule_mask + 1);
	pool->per_chunk = blocks_per_chunk(pool);
}

int phyr_dma_pool_create(struct phyr_dev *dev, uint64_t size, uint64_t align,
			 struct phyr_dma_pool **out)
{
	static const char call[] = "phyr_dma_pool_create";
	const char *wrong = wrong_sizes(size, align);
	struct phyr_dma_pool *pool;
	int err;

	if (wrong)
		return pool_fail(dev, call, -EINVAL, size, align, wrong);
	pool = env_alloc(dev->env, sizeof(*pool));
	if (!pool)
		return pool_fail(dev, call, -ENOMEM, size, 0, "out of memory");
	pool->dev = dev;
	pool_lay_out(pool, size, align);
	err = env_lock_init(dev->env, &pool->lock);
	if (err) {
		env_free(dev->env, pool, sizeof(*pool));
		return pool_fail(dev, call, err, size, 0, "no lock");
	}
	*out = pool;
	return 0;
}

static size_t head_size(const struct phyr_dma_pool *pool)
{
	return sizeof(struct chunk) + pool->per_chunk * sizeof(struct slip);
}

static void chunk_free(struct phyr_dma_pool *pool, struct chunk *chunk)
{
	phyr_dma_free(pool->dev, pool->chunk_size, chunk->cpu, chunk->dma);
	env_free(pool->dev->env, chunk, head_size(pool));
}

static void name_blocks(const struct phyr_dma_pool *pool, struct chunk *chunk)
{
	for (uint64_t i = 0; i < pool->per_chunk; i++) {
		uint64_t offset = block_offset(pool, i);

		chunk->slips[i] = (struct slip){
			.next = i + 1 < pool->per_chunk ? &chunk->slips[i + 1] : NULL,
			.cpu = (char *)chunk->cpu + offset,
			.dma = chunk->dma + offset,
		};
	}
}

/* A chunk with its slips, linked to each other and naming all of its blocks; NULL: reported. */
static struct chunk *chunk_new(struct phyr_dma_pool *pool)
{
	static const char call[] = "phyr_dma_pool_alloc";
	struct chunk *chunk = env_alloc(pool->dev->env, head_size(pool));

	if (!chunk) {
		pool_fail(pool->dev, call, -ENOMEM, pool->stride, 0, "out of memory");
		return NULL;
	}
	chunk->cpu = phyr_dma_alloc(pool->dev, pool->chunk_size, &chunk->dma);
	if (chunk->cpu && !(chunk->dma & (pool->align - 1))) {
		name_blocks(pool, chunk);
		return chunk;
	}
	if (chunk->cpu)
		pool_fail(pool->dev, call, -EOPNOTSUPP, pool->stride, pool->align,
			  "dma addresses here are less aligned than the blocks: see bus_offset");
	chunk_free(pool, chunk);
	return NULL;
}

/* Put a new chunk's blocks before the free ones. Called with the lock held. */
static void pool_add(struct phyr_dma_pool *pool, struct chunk *chunk)
{
	chunk->slips[pool->per_chunk - 1].next = pool->free;
	pool->free = &chunk->slips[0];
	chunk->next = pool->chunks;
	pool->chunks = chunk;
}

/* Called with the lock held. */
static void *pool_take(struct phyr_dma_pool *pool, phyr_dma_addr_t *addr)
{
	struct slip *slip = pool->free;

	pool->free = slip->next;
	slip->next = pool->blank;
	pool->blank = slip;
	*addr = slip->dma;
	return slip->cpu;
}

/* The lock is not held over the allocation; two who find the pool empty add a chunk each. */
static __attribute__((noinline)) void *pool_grow(struct phyr_dma_pool *pool, phyr_dma_addr_t *addr)
{
	struct chunk *chunk = chunk_new(pool);
	void *cpu;

	if (!chunk)
		return NULL;
	env_lock(pool->dev->env, &pool->lock);
	pool_add(pool, chunk);
	cpu = pool_take(pool, addr);
	env_unlock(pool->dev->env, &pool->lock);
	return cpu;
}

void *phyr_dma_pool_alloc(struct phyr_dma_pool *pool, phyr_dma_addr_t *addr)
{
	void *cpu = NULL;

	env_lock(pool->dev->env, &pool->lock);
	if (likely(pool->free))
		cpu = pool_take(pool, addr);
	env_unlock(pool->dev->env, &pool->lock);
	return likely(cpu) ? cpu : pool_grow(pool, addr);
}

void phyr_dma_pool_free(struct phyr_dma_pool *pool, void *cpu, phyr_dma_addr_t addr)
{
	struct slip *slip;

	if (!cpu)
		return;
	env_lock(pool->dev->env, &pool->lock);
	slip = pool->blank;
	if (likely(slip)) {
		pool->blank = slip->next;
		*slip = (struct slip){.next = pool->free, .cpu = cpu, .dma = addr};
		pool->free = slip;
	}
	env_unlock(pool->dev->env, &pool->lock);
	if (unlikely(!slip))
		env_fail(pool->dev->env, .err = -EINVAL, .call = "phyr_dma_pool_free", .iova = addr,
			 .has_iova = true, .len = pool->stride,
			 .hint = "no block is out: given back twice?");
}

void phyr_dma_pool_destroy(struct phyr_dma_pool *pool)
{
	struct phyr_env *env;
	struct chunk *chunk;

	if (!pool)
		return;
	env = pool->dev->env;
	if (pool->blank)
		env_fail(env, .err = -EBUSY, .call = "phyr_dma_pool_destroy", .len = pool->stride,
			 .hint = "blocks are still out; their memory goes now");
	while ((chunk = pool->chunks)) {
		pool->chunks = chunk->next;
		chunk_free(pool, chunk);
	}
	env_lock_fini(env, &pool->lock);
	env_free(env, pool, sizeof(*pool));
}

bool phyr_dma_pool_fits(const struct phyr_dma_pool *pool, uint64_t size)
{
	return pool->stride >= size && pool->align >= size;
}

struct phyr_env *phyr_dma_pool_env(const struct phyr_dma_pool *pool)
{
	return pool->dev->env;
}
