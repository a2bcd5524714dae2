/* SPDX-License-Identifier: MIT */
/*
 * Mapping in two steps: take a window of iova, then link memory into it.
 *
 *   memory    |   .xxxx|xxxxxxxx|   |xxxxxxxx|xxx.....|     three links, granules between bars
 *   window    |   .1111|22222222|33333333|333.....|
 *                 ^ state.addr                 ^ state.addr + state.size
 *
 * A window begins as deep in its granule as its first link's memory does, so all inner edges of
 * links lie on granules; only the window's own two ends may lie inside one. That is the whole
 * alignment rule, and it makes a link's edges exact to the byte.
 */
#include "dma/refuse.h"
#include "dma/window.h"

bool phyr_dma_use_iova(const struct phyr_dma_iova_state *state)
{
	return state->size != 0;
}

bool phyr_dma_iova_try_alloc(struct phyr_dev *dev, struct phyr_dma_iova_state *state,
			     phyr_addr_t addr, uint64_t size)
{
	struct window_want want = {.addr = addr, .size = size};

	*state = (struct phyr_dma_iova_state){0};
	if (!dev->translates || !size)
		return false;
	want.align = window_leaf(dev, addr, size, 1);
	return !phyr_window_alloc(dev, &want, state);
}

/* What a call on a window wants to do there. */
struct place {
	const struct phyr_dma_iova_state *state;
	uint64_t offset;
	uint64_t size;
};

static bool in_window(const struct place *at)
{
	return at->offset <= at->state->size && at->size <= at->state->size - at->offset;
}

/* Whether both ends are a granule's or the window's. */
static bool on_edges(const struct phyr_dev *dev, const struct place *at)
{
	uint64_t end = at->offset + at->size;

	if (at->offset && (at->state->addr + at->offset) & dev->granule_mask)
		return false;
	return end == at->state->size || !((at->state->addr + end) & dev->granule_mask);
}

/* addr NULL: the call names no memory. */
static __attribute__((noinline)) int bad_place(struct phyr_dev *dev, const char *call,
					       const phyr_addr_t *addr, const struct place *at)
{
	struct phyr_report r = {.err = -EINVAL,
				.call = call,
				.addr = addr ? *addr : 0,
				.has_addr = addr != NULL,
				.len = at->size,
				.iova = at->state->addr + at->offset,
				.has_iova = true};

	if (!in_window(at)) {
		r.err = -ERANGE;
		r.limit = at->state->size;
		r.hint = at->state->size ? "past the end of the window"
					 : "the state holds no window: none was had, or it was "
					   "given back";
	} else if (!at->size) {
		r.hint = "length 0";
	} else {
		r.limit = dev->granule_mask;
		r.hint = on_edges(dev, at)
				 ? "address and window differ in their offset in the granule"
				 : "an edge is off the merge boundary, and not the window's";
	}
	return phyr_env_report(dev->env, &r);
}

/* Whether memory at @addr can lie there; both have the same offset in the granule. */
static bool place_is_good(const struct phyr_dev *dev, phyr_addr_t addr, const struct place *at)
{
	if (unlikely(!at->size || !in_window(at) || !on_edges(dev, at)))
		return false;
	return !((addr ^ (at->state->addr + at->offset)) & dev->granule_mask);
}

/* Link what @cur has left, which begins at ask->addr, at an offset of a window. */
static int link_cursor(struct phyr_dev *dev, const struct dma_ask *ask,
		       const struct phyr_dma_iova_state *state, uint64_t offset,
		       struct phyr_cursor *cur)
{
	struct place at = {.state = state, .offset = offset, .size = ask->len};
	int err;

	if (unlikely(!dir_is_good(ask->dir, ask->attrs) || !dev_takes(dev, ask->space)))
		return phyr_dev_refuse(dev, ask);
	if (unlikely(!place_is_good(dev, ask->addr, &at)))
		return bad_place(dev, ask->call, &ask->addr, &at);
	err = domain_map(dev->domain, state->addr + offset, ask->space, cur, dir_prot(ask->dir));
	if (likely(!err))
		count_add(&dev_counts(dev)->links, 1);
	return err; /* the page table reports which range it was */
}

int phyr_dma_iova_link(struct phyr_dev *dev, struct phyr_dma_iova_state *state,
		       const struct phyr_space *space, phyr_addr_t addr, uint64_t offset,
		       uint64_t size, enum phyr_dma_dir dir, unsigned attrs)
{
	struct dma_ask ask = {"phyr_dma_iova_link", space, addr, size, dir, attrs};
	struct phyr_cursor cur;

	if (unlikely(range_is_bad(addr, size)))
		return phyr_dev_refuse_range(dev, &ask);
	phyr_cursor_init_range(&cur, addr, size);
	return link_cursor(dev, &ask, state, offset, &cur);
}

/* The address that a cursor stands at; 0 at its end. */
static phyr_addr_t cursor_addr(const struct phyr_cursor *cur)
{
	struct phyr_cursor copy = *cur;
	struct phyr_range first = {0};

	phyr_cursor_next(&copy, &first);
	return first.addr;
}

int phyr_dma_iova_link_list(struct phyr_dev *dev, struct phyr_dma_iova_state *state,
			    const struct phyr_list *list, uint64_t offset, enum phyr_dma_dir dir,
			    unsigned attrs)
{
	struct dma_ask ask = {"phyr_dma_iova_link_list",
			      list->space,
			      phyr_list_first_addr(list),
			      list->len,
			      dir,
			      attrs};
	struct phyr_cursor cur;

	phyr_cursor_init(&cur, list);
	return link_cursor(dev, &ask, state, offset, &cur);
}

int phyr_dma_iova_link_cursor(struct phyr_dev *dev, struct phyr_dma_iova_state *state,
			      const struct phyr_space *space, struct phyr_cursor *cur,
			      uint64_t offset, enum phyr_dma_dir dir, unsigned attrs)
{
	struct dma_ask ask = {
		"phyr_dma_iova_link_cursor", space, cursor_addr(cur), cur->left, dir, attrs,
	};

	return link_cursor(dev, &ask, state, offset, cur);
}

int phyr_dma_iova_sync(struct phyr_dev *dev, struct phyr_dma_iova_state *state, uint64_t offset,
		       uint64_t size)
{
	struct place at = {.state = state, .offset = offset, .size = size};
	int err;

	if (unlikely(!in_window(&at)))
		return bad_place(dev, "phyr_dma_iova_sync", NULL, &at);
	if (!size)
		return 0;
	err = domain_sync_map(dev->domain, state->addr + offset, size);
	if (likely(!err))
		count_add(&dev_counts(dev)->syncs, 1);
	return err;
}

int phyr_dma_iova_unlink(struct phyr_dev *dev, struct phyr_dma_iova_state *state, uint64_t offset,
			 uint64_t size, enum phyr_dma_dir dir, unsigned attrs)
{
	static const char call[] = "phyr_dma_iova_unlink";
	struct place at = {.state = state, .offset = offset, .size = size};
	int err;

	if (unlikely(!dir_is_good(dir, attrs)))
		return phyr_dev_refuse_dir(dev, call, dir, state->addr + offset, size);
	if (unlikely(!size || !in_window(&at) || !on_edges(dev, &at)))
		return bad_place(dev, call, NULL, &at);
	err = phyr_window_unmap(dev, state->addr + offset, size);
	if (likely(!err))
		return 0;
	return env_fail(dev->env, .err = err, .call = call, .iova = state->addr + offset,
			.has_iova = true, .len = size,
			.hint = phyr_window_unmap_hint(
				err, "an edge is no edge of a link; unlink whole links"));
}

void phyr_dma_iova_free(struct phyr_dev *dev, struct phyr_dma_iova_state *state)
{
	if (!state->size || phyr_window_has_link(dev, "phyr_dma_iova_free", state, 0))
		return;
	phyr_window_free(dev, state);
	*state = (struct phyr_dma_iova_state){0};
}

void phyr_dma_iova_destroy(struct phyr_dev *dev, struct phyr_dma_iova_state *state,
			   uint64_t mapped_len, enum phyr_dma_dir dir, unsigned attrs)
{
	static const char call[] = "phyr_dma_iova_destroy";
	struct place at = {.state = state, .size = mapped_len};

	if (!mapped_len) {
		phyr_dma_iova_free(dev, state);
		return;
	}
	if (unlikely(!dir_is_good(dir, attrs))) {
		phyr_dev_refuse_dir(dev, call, dir, state->addr, mapped_len);
		return;
	}
	if (unlikely(!in_window(&at) || !on_edges(dev, &at))) {
		bad_place(dev, call, NULL, &at);
		return;
	}
	if (phyr_window_close(dev, call, state, mapped_len))
		*state = (struct phyr_dma_iova_state){0};
}
