/* SPDX-License-Identifier: MIT */
/*
 * Random windows of random memory and rights, and a device that touches them at random: each access
 * goes through, or is blocked at the first byte that it may not have, just as the model says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "backend/rig_sim.h"
#include "core/bits.h"
#include "core/env.h"
#include "lib/rnd.h"

#define K       0x1000ull
#define PAGES   (RIG_SIM_MEMORY / K)
#define WINDOWS 24
#define STEPS   2500

struct window {
	uint64_t iova; /* of its first byte */
	uint64_t offset;
	uint64_t len; /* 0: unused */
	unsigned prot;
};

struct model {
	struct rig rig;
	struct rnd r;
	struct window windows[WINDOWS];
	unsigned char copy[RIG_SIM_MEMORY]; /* what the memory should hold */
	unsigned moved;
	unsigned blocked;
};

static struct model m;

static void map(struct window *w)
{
	static const unsigned prots[] = {PHYR_READ, PHYR_READ | PHYR_WRITE};

	w->offset = rnd_below(&m.r, RIG_SIM_MEMORY);
	w->len = min_u64(rnd_log(&m.r, 1, 3u << 20), RIG_SIM_MEMORY - w->offset);
	w->prot = prots[rnd_below(&m.r, 2)];
	assert_int_equal(rig_map(&m.rig, w->offset, w->len, w->prot, &w->iova), 0);
}

static void unmap(struct window *w)
{
	rig_unmap(&m.rig, w->iova, w->len);
	w->len = 0;
}

/* The window whose granules hold an iova. */
static const struct window *window_at(uint64_t iova)
{
	for (unsigned i = 0; i < WINDOWS; i++) {
		const struct window *w = &m.windows[i];

		if (w->len && iova >= round_down_mask(w->iova, K - 1) &&
		    iova <= ((w->iova + w->len - 1) | (K - 1)))
			return w;
	}
	return NULL;
}

/* How much of an access goes through, page by page; each byte that moves is noted in the copy. */
static uint64_t expected(uint64_t iova, const unsigned char *buf, uint64_t len, unsigned access)
{
	uint64_t done = 0;

	while (done < len) {
		uint64_t at = iova + done, n = min_u64(K - (at & (K - 1)), len - done);
		const struct window *w = window_at(at);

		if (!w || !(w->prot & access))
			break;
		if (access == PHYR_WRITE)
			memcpy(m.copy + (w->offset + at - w->iova), buf + done, n);
		else
			assert_memory_equal(buf + done, m.copy + (w->offset + at - w->iova), n);
		done += n;
	}
	return done;
}

static void touch(void)
{
	const struct window *w = &m.windows[rnd_below(&m.r, WINDOWS)];
	unsigned access = rnd_below(&m.r, 2) ? PHYR_READ : PHYR_WRITE;
	uint64_t len = rnd_log(&m.r, 1, 64 * K);
	static unsigned char buf[64 * K];
	unsigned faults = m.rig.faults;
	uint64_t iova, done;
	int err;

	/* From a window's last addresses, from where it may have been, and around it. */
	iova = w->iova + rnd_below(&m.r, w->len + 1);
	for (uint64_t i = 0; access == PHYR_WRITE && i < len; i++)
		buf[i] = (unsigned char)rnd_u64(&m.r);
	if (access == PHYR_WRITE)
		err = phyr_sim_dma_write(rig_sim_dev(&m.rig, 0), iova, buf, len);
	else
		err = phyr_sim_dma_read(rig_sim_dev(&m.rig, 0), iova, buf, len);
	done = expected(iova, buf, len, access);
	assert_int_equal(err, done < len ? -EFAULT : 0);
	assert_int_equal(m.rig.faults - faults, done < len);
	if (err) {
		assert_int_equal(m.rig.fault.iova, iova + done);
		assert_int_equal(m.rig.fault.access, access);
		assert_int_equal(m.rig.fault.reason, window_at(iova + done)
							     ? PHYR_FAULT_PERMISSION
							     : PHYR_FAULT_NOT_PRESENT);
	}
	*(err ? &m.blocked : &m.moved) += 1;
}

static void run(enum phyr_pgtbl_format format, enum phyr_sim_scatter scatter)
{
	const struct rig_kind kind = {.machine = &rig_sim_machine,
				      .translates = true,
				      .device_last = ~0ull,
				      .format = format,
				      .scatter = scatter};

	memset(m.windows, 0, sizeof(m.windows));
	memset(m.copy, 0, sizeof(m.copy));
	rig_init(&m.rig, &kind);
	assert_int_equal(phyr_domain_attach(m.rig.domain, m.rig.source[0]), 0);
	for (unsigned i = 0; i < STEPS; i++) {
		struct window *w = &m.windows[rnd_below(&m.r, WINDOWS)];

		if (rnd_below(&m.r, 4))
			touch();
		else if (w->len)
			unmap(w);
		else
			map(w);
	}
	assert_memory_equal(m.rig.memory, m.copy, RIG_SIM_MEMORY);
	for (unsigned i = 0; i < WINDOWS; i++)
		if (m.windows[i].len)
			unmap(&m.windows[i]);
	phyr_domain_detach(m.rig.domain, m.rig.source[0]);
	rig_fini(&m.rig);
}

static void device_sees_what_is_mapped(void **state)
{
	static const enum phyr_sim_scatter scatters[] = {PHYR_SIM_MIXED, PHYR_SIM_HUGE};

	m.r = rnd_start("backend/model");
	for (unsigned i = 0; i < ARRAY_SIZE(scatters); i++) {
		run(PHYR_PGTBL_VTDSS, scatters[i]);
		run(PHYR_PGTBL_X86_64, scatters[i]);
	}
	assert_true(m.moved > 1000);
	assert_true(m.blocked > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(device_sees_what_is_mapped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
