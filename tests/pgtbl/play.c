/* SPDX-License-Identifier: MIT */
/* Random places and lengths, cursors over them, and checks. */
#include "pgtbl/play.h"

#include "core/bits.h"

/* Small ones mostly: a leaf of the top size takes as long as ten thousand of the others. */
static uint64_t random_size(struct play *p)
{
	uint64_t limit = (p->m.nr << p->m.granule_lg2) / 2, sizes = p->m.sizes, size;

	if (!once(p, 64))
		limit = min_u64(limit, p->m.granule << 10);
	if (once(p, 2))
		return p->m.granule;
	do {
		size = (uint64_t)1 << below(p, lg2_u64(sizes) + 1);
	} while (!(size & sizes) || size > limit);
	return size;
}

uint64_t play_iova(struct play *p)
{
	uint64_t iova;

	p->size = random_size(p);
	if (!once(p, 32))
		iova = p->zone + below(p, p->zone_len);
	else
		iova = p->m.base + below(p, p->m.nr << p->m.granule_lg2);
	if (once(p, 2))
		iova &= ~(p->size - 1);
	iova &= ~(p->m.granule - 1);
	return iova < p->m.base ? p->m.base : iova;
}

static uint64_t random_addr(struct play *p, uint64_t iova)
{
	uint64_t addr = below(p, (uint64_t)1 << (p->c->oa_bits - 1)) & ~(p->m.granule - 1);

	if (once(p, 2)) { /* where large leaves are possible */
		uint64_t mask = ((uint64_t)1 << lg2_u64(p->m.sizes)) - 1;

		addr = (addr & ~mask) | (iova & mask);
	}
	return once(p, 4) ? addr | (uint64_t)1 << (p->c->oa_bits - 1) : addr;
}

uint64_t play_len(struct play *p)
{
	switch (below(p, 8)) {
	case 0:
		return p->size * rnd_log(&p->r, 1, 3);
	case 1:
		return rnd_log(&p->r, 1, 48) << p->m.granule_lg2;
	default:
		return p->m.granule;
	}
}

/* None of the runs goes on in the next. */
void play_runs(struct play *p, uint64_t iova)
{
	unsigned nr = (unsigned)rnd_log(&p->r, 1, once(p, 64) ? MAX_RUNS : 8);
	uint64_t at = iova, len, addr, end = 0, left = model_last(&p->m) - iova + 1;

	p->sliced = false;
	p->nr_runs = 0;
	while (p->nr_runs < nr && left) {
		len = min_u64(play_len(p), left);
		do {
			addr = random_addr(p, at);
		} while (p->nr_runs && addr == end);
		if (addr > ((uint64_t)1 << p->c->oa_bits) - len)
			addr -= len;
		if (p->nr_runs && addr == end)
			break;
		p->runs[p->nr_runs++] = (struct phyr_range){addr, len};
		end = addr + len;
		at += len;
		left -= len;
	}
	p->len = at - iova;
	p->skip = once(p, 3) ? below(p, p->m.granule) : 0;
	p->len -= p->skip;
	if (once(p, 3) && p->len > p->m.granule)
		p->len -= below(p, p->m.granule);
}

void play_sliced(struct play *p, uint64_t iova, uint64_t len)
{
	uint64_t mask = ((uint64_t)1 << lg2_u64(p->m.sizes)) - 1, addr = random_addr(p, iova);

	addr = (addr & ~mask & ~((uint64_t)1 << (p->c->oa_bits - 1))) | (iova & mask);
	p->runs[0] = (struct phyr_range){addr, len};
	p->nr_runs = 1;
	p->skip = 0;
	p->len = len;
	p->sliced = true;
}

void play_check_at(struct play *p, uint64_t iova)
{
	uint64_t want = *model_at(&p->m, iova);
	uint64_t at = iova + below(p, p->m.granule);
	struct phyr_translation tr, other;
	int err = phyr_pgtbl_translate(p->rig.pt, at, &tr);

	p->checks++;
	if (rig_walker && once(p, 2)) {
		assert_int_equal(rig_walker(&p->rig, at, &other), err);
		assert_true(err || (other.addr == tr.addr && other.leaf_size == tr.leaf_size &&
				    other.prot == tr.prot));
	}
	if (!want && err == -ENOENT)
		return;
	if (!err && want && tr.addr == model_addr(&p->m, want) + (at - iova) &&
	    tr.leaf_size == model_leaf_size(want) &&
	    tr.prot == (want & MODEL_PROT & (PHYR_READ | PHYR_WRITE)))
		return;
	fail_msg("%s: %llx leads to %llx, size %llx, prot %u, error %d; should %016llx", p->c->name,
		 (unsigned long long)at, (unsigned long long)tr.addr,
		 (unsigned long long)tr.leaf_size, tr.prot, err, (unsigned long long)want);
}

void play_check(struct play *p, uint64_t start, uint64_t last)
{
	uint64_t granules = ((last - start) >> p->m.granule_lg2) + 1;

	start &= ~(p->m.granule - 1);
	last &= ~(p->m.granule - 1);
	play_check_at(p, start);
	play_check_at(p, last);
	if (start > p->m.base)
		play_check_at(p, start - p->m.granule);
	if (model_last(&p->m) - last >= p->m.granule)
		play_check_at(p, last + p->m.granule);
	for (unsigned i = 0; i < 2; i++)
		play_check_at(p, start + (below(p, granules) << p->m.granule_lg2));
	if (p->c->config.noncoherent && last - start < p->m.granule << 8)
		rig_check_tables(&p->rig, start, last);
}

/* Cut runs where slices end: a run is not joined over them. */
static void split_runs(struct play *p, uint64_t offset)
{
	for (unsigned i = 0; i < p->nr_runs && offset; i++) {
		struct phyr_range *r = &p->runs[i];

		if (offset >= r->len) {
			offset -= r->len;
			continue;
		}
		if (p->nr_runs == MAX_RUNS)
			return;
		memmove(r + 1, r, (p->nr_runs++ - i) * sizeof(*r));
		r->len = offset;
		r[1].addr += offset;
		r[1].len -= offset;
		return;
	}
}

/* The list in slices that end on granules. */
static void slice(struct play *p, struct source *s)
{
	uint64_t at = 0, whole = (p->skip + p->len - 1) >> p->m.granule_lg2, cut;

	s->listv.nr = 0;
	while (at < p->len) {
		uint64_t done = (at + p->skip) >> p->m.granule_lg2, end = p->len;

		if (s->listv.nr + 1 < MAX_SLICES && done < whole && p->nr_runs < MAX_RUNS - 1) {
			cut = (done + 1 + below(p, whole - done)) << p->m.granule_lg2;
			end = cut - p->skip;
			split_runs(p, cut);
		}
		assert_int_equal(phyr_slice_init(&s->slices[s->listv.nr++], &s->list, at, end - at),
				 0);
		at = end;
	}
	s->listv.slices = s->slices;
}

void play_cursor(struct play *p, struct source *s, struct phyr_cursor *cur)
{
	uint64_t left = p->len, skip = p->skip;

	for (unsigned i = 0; i < p->nr_runs; i++, skip = 0) {
		s->ranges[i].addr = p->runs[i].addr + skip;
		s->ranges[i].len = min_u64(p->runs[i].len - skip, left);
		left -= s->ranges[i].len;
	}
	if (!p->sliced && p->nr_runs == 1 && once(p, 3)) {
		phyr_cursor_init_range(cur, s->ranges[0].addr, s->ranges[0].len);
		return;
	}
	if (!p->sliced && once(p, 3)) {
		assert_int_equal(phyr_cursor_init_ranges(cur, s->ranges, p->nr_runs), 0);
		return;
	}
	assert_int_equal(phyr_list_append_ranges(&s->list, s->ranges, p->nr_runs), 0);
	if (p->sliced || once(p, 3)) {
		slice(p, s);
		phyr_cursor_init_listv(cur, &s->listv);
	} else {
		phyr_cursor_init(cur, &s->list);
	}
}

uint64_t play_last(const struct play *p, uint64_t start, uint64_t len)
{
	uint64_t last = model_last(&p->m);

	return len - 1 < last - start ? start + (len - 1) : last;
}

bool play_mapped(struct play *p, uint64_t *iova)
{
	*iova = play_iova(p);
	for (unsigned i = 0; i < 64; i++, *iova += p->m.granule) {
		if (*model_at(&p->m, *iova))
			return true;
		if (model_last(&p->m) - *iova < p->m.granule)
			break;
	}
	return false;
}

static uint64_t random_base(struct play *p, uint64_t nr)
{
	uint64_t len = nr << p->c->granule_lg2, last = phyr_pgtbl_last(p->rig.pt), base;

	switch (below(p, 4)) {
	case 0:
		return 0;
	case 1:
		return last - (len - 1);
	default: /* over the edge of large tables, often */
		base = below(p, last - (len - 1));
		base &= ~(((uint64_t)1 << below(p, lg2_u64(last) + 1)) - 1);
		return base > len / 2 ? (base - len / 2) & ~(p->m.granule - 1) : 0;
	}
}

void play_init(struct play *p, const struct pgtbl_case *c, uint64_t nr, struct rnd *r)
{
	uint64_t span, last;

	memset(p, 0, sizeof(*p));
	p->c = c;
	p->r.s = rnd_u64(r);
	rig_init(&p->rig, c);
	p->m.granule = (uint64_t)1 << c->granule_lg2;
	last = phyr_pgtbl_last(p->rig.pt);
	if (nr - 1 > last >> c->granule_lg2)
		nr = (last >> c->granule_lg2) + 1;
	model_init(&p->m, c->granule_lg2, phyr_pgtbl_page_sizes(p->rig.pt), random_base(p, nr), nr);
	/* Some three leaf tables. */
	span = min_u64(3 * p->m.granule << (c->granule_lg2 - 3), nr << c->granule_lg2);
	p->zone_len = span;
	p->zone = p->m.base + below(p, (nr << c->granule_lg2) - span + 1);
}

void play_fini(struct play *p)
{
	rig_fini(&p->rig);
	model_fini(&p->m);
}

/* A leaf's first entry, against the model; granules are counted down. */
static int check_leaf(void *arg, const struct phyr_pgtbl_entry *e)
{
	struct play *p = arg;
	uint64_t word, n = e->leaf_size >> p->m.granule_lg2;

	if (!e->leaf)
		return 0;
	assert_int_equal(e->iova & (e->size - 1), 0);
	word = *model_at(&p->m, e->iova);
	assert_int_equal(model_addr(&p->m, word), e->addr);
	assert_int_equal(model_leaf_size(word), e->leaf_size);
	assert_int_equal(word & MODEL_PROT & RW, e->prot);
	if (p->c->config.dirty && e->prot & PHYR_WRITE && case_is_dirty(p->c, e->entry))
		assert_true(word & MODEL_DIRTY);
	if (!(e->iova & (e->leaf_size - 1)))
		p->checks += n;
	return 0;
}

void play_check_all(struct play *p)
{
	uint64_t start = p->m.base, last = model_last(&p->m), before = p->checks, mapped = 0;

	for (uint64_t i = 0; i < p->m.nr; i++)
		mapped += p->m.page[i] != 0;
	assert_int_equal(phyr_pgtbl_walk(p->rig.pt, start, max_u64(last - start + 1, last - start),
					 check_leaf, p),
			 0);
	assert_int_equal(p->checks - before, mapped);
	rig_sync(&p->rig);
	assert_int_equal(rig_check_tables(&p->rig, 0, phyr_pgtbl_last(p->rig.pt)),
			 phyr_pgtbl_tables(p->rig.pt));
}
