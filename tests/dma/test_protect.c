/* SPDX-License-Identifier: MIT */
/*
 * What a device cannot do: touch a byte past its window, write a window that it may only read, use a
 * window after it was unlinked. Each faults with iova and access, and memory is untouched.
 */
#include "simrig.h"

#include <stdlib.h>
#include <string.h>

#define PAGES 16
#define LEN   (PAGES * 4096)

static const enum phyr_pgtbl_format formats[] = {PHYR_PGTBL_VTDSS, PHYR_PGTBL_X86_64};

static unsigned char *memory;

static void start(struct simrig *r, enum phyr_pgtbl_format format)
{
	simrig_init(r, &(struct simrig_config){.format = format, .seed = 7});
	memory = aligned_alloc(4096, LEN);
	memset(memory, 0x11, LEN);
	memset(r->engine.buf, 0xee, ENGINE_BUF);
}

static void end(struct simrig *r)
{
	free(memory);
	simrig_fini(r);
}

/* The last fault is this one, and it is the only one since the last call. */
static void assert_fault(struct simrig *r, uint64_t iova, unsigned access,
			 enum phyr_fault_reason reason)
{
	assert_int_equal(r->faults, 1);
	assert_int_equal(r->fault.iova, iova);
	assert_int_equal(r->fault.access, access);
	assert_int_equal(r->fault.reason, reason);
	assert_int_equal(r->fault.source, 0x300);
	r->faults = 0;
}

static void untouched(const unsigned char *from, uint64_t len)
{
	for (uint64_t i = 0; i < len; i++)
		assert_int_equal(from[i], 0x11);
}

/* Half of the memory is mapped, and the half behind it is pinned too: only the tables protect it. */
static void past_the_window(void **state)
{
	for (unsigned f = 0; f < 2; f++) {
		struct phyr_list half, all;
		struct phyr_dma_map m;
		struct simrig r;
		uint64_t end_iova;

		start(&r, formats[f]);
		simrig_pin(&r, memory, LEN, &all);
		simrig_pin(&r, memory, LEN / 2, &half);
		assert_int_equal(phyr_dma_map(r.dev, &half, PHYR_DMA_FROM_DEVICE, 0, &m), 0);
		end_iova = m.state.addr + LEN / 2;
		assert_int_equal(engine_run(&r, end_iova, 4096, PHYR_WRITE), -EFAULT);
		assert_fault(&r, end_iova, PHYR_WRITE, PHYR_FAULT_NOT_PRESENT);
		untouched(memory, LEN);
		assert_int_equal(engine_run(&r, end_iova, 8, PHYR_READ), -EFAULT);
		assert_fault(&r, end_iova, PHYR_READ, PHYR_FAULT_NOT_PRESENT);
		assert_int_equal(engine_run(&r, m.state.addr - 1, 1, PHYR_WRITE), -EFAULT);
		assert_fault(&r, m.state.addr - 1, PHYR_WRITE, PHYR_FAULT_NOT_PRESENT);
		/* across the end: what comes before it moves */
		assert_int_equal(engine_run(&r, end_iova - 8, 16, PHYR_WRITE), -EFAULT);
		assert_fault(&r, end_iova, PHYR_WRITE, PHYR_FAULT_NOT_PRESENT);
		untouched(memory, LEN / 2 - 8);
		assert_int_equal(memory[LEN / 2 - 8], 0xee);
		untouched(memory + LEN / 2, LEN / 2);
		/* and the device goes on */
		assert_int_equal(engine_run(&r, m.state.addr, LEN / 2, PHYR_WRITE), 0);
		assert_int_equal(memory[0], 0xee);
		assert_int_equal(r.faults, 0);
		phyr_dma_unmap(r.dev, &m);
		simrig_unpin(&r, &half);
		simrig_unpin(&r, &all);
		end(&r);
	}
}

static void read_only_window(void **state)
{
	for (unsigned f = 0; f < 2; f++) {
		struct phyr_list list;
		struct phyr_dma_map m;
		struct simrig r;

		start(&r, formats[f]);
		simrig_pin(&r, memory, LEN, &list);
		assert_int_equal(phyr_dma_map(r.dev, &list, PHYR_DMA_TO_DEVICE, 0, &m), 0);
		for (unsigned warm = 0; warm < 2; warm++) { /* by walk, then from the IOTLB */
			assert_int_equal(engine_run(&r, m.state.addr + 0x2008, 8, PHYR_WRITE),
					 -EFAULT);
			assert_fault(&r, m.state.addr + 0x2008, PHYR_WRITE, PHYR_FAULT_PERMISSION);
			untouched(memory, LEN);
			assert_int_equal(engine_run(&r, m.state.addr, LEN, PHYR_READ), 0);
			untouched(r.engine.buf, LEN);
			memset(r.engine.buf, 0xee, LEN);
		}
		phyr_dma_unmap(r.dev, &m);
		simrig_unpin(&r, &list);
		end(&r);
	}
}

/* Second-stage tables can forbid reading alone; x86-64's cannot, and a write window is readable. */
static void write_only_window(void **state)
{
	for (unsigned f = 0; f < 2; f++) {
		struct phyr_list list;
		struct phyr_dma_map m;
		struct simrig r;

		start(&r, formats[f]);
		simrig_pin(&r, memory, LEN, &list);
		assert_int_equal(phyr_dma_map(r.dev, &list, PHYR_DMA_FROM_DEVICE, 0, &m), 0);
		if (formats[f] == PHYR_PGTBL_VTDSS) {
			assert_int_equal(engine_run(&r, m.state.addr, 8, PHYR_READ), -EFAULT);
			assert_fault(&r, m.state.addr, PHYR_READ, PHYR_FAULT_PERMISSION);
			assert_int_equal(r.engine.buf[0], 0xee);
		} else {
			assert_int_equal(engine_run(&r, m.state.addr, 8, PHYR_READ), 0);
		}
		phyr_dma_unmap(r.dev, &m);
		simrig_unpin(&r, &list);
		end(&r);
	}
}

/* The IOTLB has seen each page when the link goes; the rest of the window stays in use. */
static void after_unlink(void **state)
{
	for (unsigned f = 0; f < 2; f++) {
		struct phyr_dma_iova_state s;
		struct phyr_list list;
		struct phyr_cursor cur;
		struct simrig r;

		start(&r, formats[f]);
		simrig_pin(&r, memory, LEN, &list);
		assert_true(phyr_dma_iova_try_alloc(r.dev, &s, 0, LEN));
		for (unsigned half = 0; half < 2; half++) {
			assert_int_equal(phyr_cursor_init_at(&cur, &list, half * LEN / 2, LEN / 2),
					 0);
			assert_int_equal(phyr_dma_iova_link_cursor(r.dev, &s, list.space, &cur,
								   half * LEN / 2,
								   PHYR_DMA_BIDIRECTIONAL, 0),
					 0);
		}
		assert_int_equal(phyr_dma_iova_sync(r.dev, &s, 0, LEN), 0);
		assert_int_equal(engine_run(&r, s.addr, LEN, PHYR_READ), 0);
		memset(r.engine.buf, 0xee, LEN);
		assert_int_equal(phyr_dma_iova_unlink(r.dev, &s, 0, LEN / 2, 0, 0), 0);
		for (uint64_t page = 0; page < PAGES / 2; page++) {
			uint64_t at = s.addr + page * 4096;

			assert_int_equal(engine_run(&r, at, 64, PHYR_WRITE), -EFAULT);
			assert_fault(&r, at, PHYR_WRITE, PHYR_FAULT_NOT_PRESENT);
			assert_int_equal(engine_run(&r, at + 8, 64, PHYR_READ), -EFAULT);
			assert_fault(&r, at + 8, PHYR_READ, PHYR_FAULT_NOT_PRESENT);
		}
		untouched(memory, LEN);
		assert_int_equal(engine_run(&r, s.addr + LEN / 2, LEN / 2, PHYR_WRITE), 0);
		untouched(memory, LEN / 2);
		assert_int_equal(memory[LEN / 2], 0xee);
		assert_int_equal(phyr_dma_iova_unlink(r.dev, &s, LEN / 2, LEN / 2, 0, 0), 0);
		phyr_dma_iova_free(r.dev, &s);
		simrig_unpin(&r, &list);
		end(&r);
	}
}

/* One range and one list, each after its unmap; the same iova may be another's by then. */
static void after_unmap(void **state)
{
	for (unsigned f = 0; f < 2; f++) {
		struct phyr_list list;
		struct phyr_dma_map m;
		struct simrig r;
		uint64_t dma;
		phyr_addr_t phys;

		start(&r, formats[f]);
		simrig_pin(&r, memory, LEN, &list);
		assert_int_equal(phyr_dma_map(r.dev, &list, PHYR_DMA_BIDIRECTIONAL, 0, &m), 0);
		assert_int_equal(engine_run(&r, m.state.addr, LEN, PHYR_READ), 0);
		phyr_dma_unmap(r.dev, &m);
		memset(r.engine.buf, 0xee, LEN);
		assert_int_equal(engine_run(&r, m.state.addr, 8, PHYR_WRITE), -EFAULT);
		assert_fault(&r, m.state.addr, PHYR_WRITE, PHYR_FAULT_NOT_PRESENT);

		assert_int_equal(phyr_sim_to_phys(r.sim, memory + 4096 + 100, &phys), 0);
		assert_int_equal(phyr_dma_map_phys(r.dev, list.space, phys, 200,
						   PHYR_DMA_BIDIRECTIONAL, 0, &dma),
				 0);
		assert_int_equal(engine_run(&r, dma, 200, PHYR_READ), 0);
		untouched(r.engine.buf, 200);
		phyr_dma_unmap_phys(r.dev, dma, 200, PHYR_DMA_BIDIRECTIONAL, 0);
		assert_int_equal(engine_run(&r, dma, 8, PHYR_WRITE), -EFAULT);
		assert_fault(&r, dma, PHYR_WRITE, PHYR_FAULT_NOT_PRESENT);
		untouched(memory, LEN);
		simrig_unpin(&r, &list);
		end(&r);
	}
}

/* Shared memory is the device's until it is freed. */
static void after_free(void **state)
{
	for (unsigned f = 0; f < 2; f++) {
		struct simrig r;
		uint64_t dma;
		char *cpu;

		start(&r, formats[f]);
		cpu = phyr_dma_alloc(r.dev, 8192, &dma);
		assert_non_null(cpu);
		assert_int_equal(engine_run(&r, dma, 8192, PHYR_WRITE), 0);
		assert_int_equal((unsigned char)cpu[8191], 0xee);
		cpu[5] = 0x55;
		assert_int_equal(engine_run(&r, dma, 8192, PHYR_READ), 0);
		assert_int_equal(r.engine.buf[5], 0x55);
		phyr_dma_free(r.dev, 8192, cpu, dma);
		assert_int_equal(engine_run(&r, dma, 8, PHYR_READ), -EFAULT);
		assert_fault(&r, dma, PHYR_READ, PHYR_FAULT_NOT_PRESENT);
		end(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(past_the_window),   cmocka_unit_test(read_only_window),
		cmocka_unit_test(write_only_window), cmocka_unit_test(after_unlink),
		cmocka_unit_test(after_unmap),       cmocka_unit_test(after_free),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
