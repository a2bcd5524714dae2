/* SPDX-License-Identifier: MIT */
/* The simulated NVMe controller: identify, queues, features. */
#define _GNU_SOURCE
#include "test_nvme_rig.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define INVALID_OPCODE (0x001 | DNR)
#define INVALID_FIELD  (0x002 | DNR)
#define INVALID_NS     (0x00b | DNR)
#define SEQUENCE_ERROR (0x00c | DNR)
#define PRP_OFFSET     (0x013 | DNR)
#define CQ_INVALID     (0x100 | DNR)
#define INVALID_QID    (0x101 | DNR)
#define INVALID_QSIZE  (0x102 | DNR)
#define INVALID_VECTOR (0x108 | DNR)
#define INVALID_DELETE (0x10c | DNR)
#define NOT_SAVEABLE   (0x10d | DNR)

static unsigned identify(struct rig *r, uint32_t nsid, unsigned cns, uint64_t prp1, uint64_t prp2)
{
	uint32_t dw[16] = {0x06 | 0x77 << 16, nsid};

	dw[6] = (uint32_t)prp1;
	dw[7] = (uint32_t)(prp1 >> 32);
	dw[8] = (uint32_t)prp2;
	dw[9] = (uint32_t)(prp2 >> 32);
	dw[10] = cns;
	return run(r, &r->admin, dw).status;
}

static void identify_controller(void **state)
{
	struct phyr_sim_nvme_config c = {.mdts = 5};
	struct rig r;
	struct mem m;

	rig_start(&r, 1 << 20, &c);
	rig_enable(&r, 12);
	m = mem_alloc(&r, 4096);
	memset(m.ptr, 0xaa, 4096);
	assert_int_equal(identify(&r, 0, 1, phys_of(&r, m.ptr), 0), 0);
	assert_memory_equal(m.ptr + 4, "PHYR", 4);
	assert_memory_equal(m.ptr + 24, "phyr simulated NVMe controller          ", 40);
	assert_int_equal(m.ptr[71], ' ');
	assert_int_equal(m.ptr[77], 5);
	assert_int_equal(le(m.ptr + 80, 4), 0x20000);
	assert_int_equal(m.ptr[111], 1);
	assert_int_equal(le(m.ptr + 92, 4), 0x100); /* OAES */
	assert_int_equal(le(m.ptr + 256, 2), 2);    /* OACS: Format */
	assert_int_equal(m.ptr[258], 3);            /* ACL */
	assert_int_equal(m.ptr[259], 3);            /* AERL */
	assert_int_equal(m.ptr[260], 3);            /* FRMW */
	assert_int_equal(m.ptr[261], 0x26);         /* LPA */
	assert_int_equal(m.ptr[262], 63);           /* ELPE */
	assert_int_equal(m.ptr[263], 0);            /* NPSS */
	assert_int_equal(le(m.ptr + 266, 2), 343);  /* WCTEMP */
	assert_int_equal(le(m.ptr + 268, 2), 353);  /* CCTEMP */
	assert_int_equal(m.ptr[512], 0x66);
	assert_int_equal(m.ptr[513], 0x44);
	assert_int_equal(le(m.ptr + 516, 4), 1);    /* NN */
	assert_int_equal(le(m.ptr + 520, 2), 0x1d); /* ONCS: not Write Uncorrectable */
	assert_int_equal(m.ptr[524], 0);            /* FNA */
	assert_int_equal(le(m.ptr + 540, 4), 1);    /* MNAN */
	assert_int_equal(m.ptr[525] & 1, 1);        /* VWC */
	assert_int_equal(le(m.ptr + 536, 4), 0);    /* SGLS */
	assert_memory_equal(m.ptr + 768, "nqn.2014-08.org.nvmexpress:uuid:", 32);
	assert_int_equal(strlen((char *)m.ptr + 768), 32 + 36);
	for (unsigned i = 3072; i < 4096; i++)
		assert_int_equal(m.ptr[i], 0);
	mem_free(&r, &m);
	rig_stop(&r);
}

static void identify_namespace(void **state)
{
	struct phyr_sim_nvme_config c = {.block_lg2 = 12, .read_only = true};
	struct rig r;
	struct mem m;

	rig_start(&r, 37 * 4096, &c);
	rig_enable(&r, 12);
	m = mem_alloc(&r, 4096);
	assert_int_equal(identify(&r, 1, 0, phys_of(&r, m.ptr), 0), 0);
	assert_int_equal(le(m.ptr, 8), 37);
	assert_int_equal(le(m.ptr + 8, 8), 37);
	assert_int_equal(le(m.ptr + 16, 8), 37);
	assert_int_equal(m.ptr[25], 3);                  /* NLBAF */
	assert_int_equal(m.ptr[26], 1);                  /* FLBAS */
	assert_int_equal(m.ptr[33], 9);                  /* DLFEAT: zeroes, DEAC */
	assert_int_equal(m.ptr[99], 1);                  /* NSATTR: write protected */
	assert_int_equal(le(m.ptr + 128, 4), 9u << 16);  /* LBAF0 */
	assert_int_equal(le(m.ptr + 132, 4), 12u << 16); /* LBAF1 */
	assert_int_equal(le(m.ptr + 136, 8), 0);         /* 37 pages are no whole number of those */
	assert_int_equal(identify(&r, 0, 0, phys_of(&r, m.ptr), 0), INVALID_NS);
	assert_int_equal(identify(&r, 2, 0, phys_of(&r, m.ptr), 0), INVALID_NS);
	assert_int_equal(identify(&r, ~0u, 0, phys_of(&r, m.ptr), 0), INVALID_NS);
	mem_free(&r, &m);
	rig_stop(&r);
}

static void identify_lists(void **state)
{
	uint8_t uuid[16];
	struct rig r;
	struct mem m;

	rig_start(&r, 1 << 20, NULL);
	rig_enable(&r, 12);
	m = mem_alloc(&r, 4096);
	assert_int_equal(identify(&r, 0, 2, phys_of(&r, m.ptr), 0), 0);
	assert_int_equal(le(m.ptr, 4), 1);
	assert_int_equal(le(m.ptr + 4, 4), 0);
	assert_int_equal(identify(&r, 1, 2, phys_of(&r, m.ptr), 0), 0);
	assert_int_equal(le(m.ptr, 4), 0);
	assert_int_equal(identify(&r, 0xfffffffd, 2, phys_of(&r, m.ptr), 0), 0);
	assert_int_equal(identify(&r, 0xfffffffe, 2, phys_of(&r, m.ptr), 0), INVALID_NS);
	assert_int_equal(identify(&r, 0xffffffff, 2, phys_of(&r, m.ptr), 0), INVALID_NS);

	assert_int_equal(identify(&r, 1, 3, phys_of(&r, m.ptr), 0), 0);
	assert_int_equal(m.ptr[0], 3); /* NIDT: UUID */
	assert_int_equal(m.ptr[1], 16);
	assert_int_equal(m.ptr[4 + 6] >> 4, 8);
	assert_int_equal(m.ptr[4 + 8] >> 6, 2);
	assert_int_equal(le(m.ptr + 20, 4), 0);
	memcpy(uuid, m.ptr + 4, 16);
	assert_int_equal(identify(&r, 1, 3, phys_of(&r, m.ptr), 0), 0);
	assert_memory_equal(uuid, m.ptr + 4, 16);
	assert_int_equal(identify(&r, 2, 3, phys_of(&r, m.ptr), 0), INVALID_NS);
	assert_int_equal(identify(&r, 1, 0x1f, phys_of(&r, m.ptr), 0), INVALID_FIELD);
	mem_free(&r, &m);
	rig_stop(&r);
}

/* The NVM Command Set has no limits of its own, and others are not there. */
static void identify_command_set(void **state)
{
	struct rig r;
	struct mem m;

	rig_start(&r, 1 << 20, NULL);
	rig_enable(&r, 12);
	m = mem_alloc(&r, 4096);
	memset(m.ptr, 0xaa, 4096);
	for (uint32_t csi = 1; csi < 256; csi++)
		assert_int_equal(admin(&r, IDENTIFY, 0, 6, csi << 24, m.ptr).status, INVALID_FIELD);
	assert_int_equal(m.ptr[0], 0xaa);
	assert_int_equal(admin(&r, IDENTIFY, 0, 6, 0x00ffffff, m.ptr).status, 0);
	for (unsigned i = 0; i < 4096; i++)
		assert_int_equal(m.ptr[i], 0);
	mem_free(&r, &m);
	rig_stop(&r);
}

/* Each admin command that has nothing to do with a namespace, right but for one that is named. */
static void namespace_not_asked_for(void **state)
{
	static const uint32_t nsid[] = {1, 2, 0xffffffff};
	struct pair p;
	struct mem m;
	struct rig r;

	rig_start_io(&r, 1 << 20, NULL, 12, &p, 16);
	m = mem_alloc(&r, 4096);
	for (unsigned i = 0; i < 3; i++) {
		unsigned ns = nsid[i];

		assert_int_equal(admin(&r, 0x00, ns, 1, 0, NULL).status, INVALID_FIELD);
		assert_int_equal(admin(&r, 0x01, ns, 2 | 3 << 16, 1 | 1 << 16, m.ptr).status,
				 INVALID_FIELD);
		assert_int_equal(admin(&r, 0x04, ns, 2, 0, NULL).status, INVALID_FIELD);
		assert_int_equal(admin(&r, 0x05, ns, 2 | 3 << 16, 1, m.ptr).status, INVALID_FIELD);
		assert_int_equal(admin(&r, 0x08, ns, 1, 0, NULL).status, INVALID_FIELD);
		assert_int_equal(admin(&r, 0x0c, ns, 0, 0, NULL).status, INVALID_FIELD);
		assert_int_equal(identify(&r, ns, 1, phys_of(&r, m.ptr), 0), INVALID_FIELD);
		assert_int_equal(identify(&r, ns, 6, phys_of(&r, m.ptr), 0), INVALID_FIELD);
		assert_int_equal(admin(&r, 0x7f, ns, 0, 0, NULL).status, INVALID_OPCODE);
	}
	assert_int_equal(create_cq(&r, 2, 4, phys_of(&r, m.ptr), 1), 0);
	assert_int_equal(delete_queue(&r, 4, 2), 0);
	mem_free(&r, &m);
	rig_stop_io(&r, &p);
}

/* 4 KiB over the edge of a page needs both entries. */
static void identify_over_two_pages(void **state)
{
	struct rig r;
	struct mem m;

	rig_start(&r, 1 << 20, NULL);
	rig_enable(&r, 12);
	m = mem_alloc(&r, 3 * 4096);
	memset(m.ptr, 0xaa, m.len);
	assert_int_equal(identify(&r, 0, 1, phys_of(&r, m.ptr + 0x404), phys_of(&r, m.ptr + 8192)),
			 0);
	assert_int_equal(m.ptr[0x403], 0xaa);
	assert_memory_equal(m.ptr + 0x404 + 4, "PHYR", 4);
	for (unsigned i = 4096; i < 8192; i++)
		assert_int_equal(m.ptr[i], 0xaa);
	assert_int_equal(m.ptr[8192 + 0x403], 0);
	assert_int_equal(m.ptr[8192 + 0x404], 0xaa);
	assert_int_equal(identify(&r, 0, 1, phys_of(&r, m.ptr + 2), 0), PRP_OFFSET);
	assert_int_equal(identify(&r, 0, 1, phys_of(&r, m.ptr + 4), phys_of(&r, m.ptr + 4096) + 8),
			 PRP_OFFSET);
	assert_int_equal(identify(&r, 0, 1, NOT_RAM, 0), 0x004);
	assert_int_equal(identify(&r, 0, 1, phys_of(&r, m.ptr + 4), NOT_RAM), 0x004);
	assert_int_equal(rig_read(&r, 0x1c), 1);
	mem_free(&r, &m);
	rig_stop(&r);
}

static void unknown_commands(void **state)
{
	static const unsigned unknown[] = {0x0d, 0x10, 0x11, 0x7f, 0x81, 0xc0, 0xff};
	uint32_t dw[16] = {0};
	struct cqe cqe;
	struct rig r;

	rig_start(&r, 1 << 20, NULL);
	rig_enable(&r, 12);
	for (unsigned i = 0; i < sizeof(unknown) / sizeof(*unknown); i++) {
		dw[0] = unknown[i] | i << 16;
		assert_int_equal(run(&r, &r.admin, dw).status, INVALID_OPCODE);
	}
	dw[0] = 0x06 | 1 << 8; /* fused */
	assert_int_equal(run(&r, &r.admin, dw).status, INVALID_FIELD);
	dw[0] = 0x06 | 1 << 14; /* SGL */
	assert_int_equal(run(&r, &r.admin, dw).status, INVALID_FIELD);
	dw[0] = 0x08;
	dw[10] = 5 << 16;
	cqe = run(&r, &r.admin, dw);
	assert_int_equal(cqe.status, 0);
	assert_int_equal(cqe.dw0, 1); /* not aborted */
	rig_stop(&r);
}

static void completion_queue_errors(void **state)
{
	struct phyr_sim_nvme_config c = {.queues = 4, .queue_entries = 100};
	struct ring a;
	struct rig r;

	rig_start(&r, 1 << 20, &c);
	rig_enable(&r, 12);
	ring_alloc(&r, &a, 100, 16);
	assert_int_equal(create_cq(&r, 0, 16, a.phys, 1), INVALID_QID);
	assert_int_equal(create_cq(&r, 5, 16, a.phys, 1), INVALID_QID);
	assert_int_equal(create_cq(&r, 0xffff, 16, a.phys, 1), INVALID_QID);
	assert_int_equal(create_cq(&r, 1, 1, a.phys, 1), INVALID_QSIZE);
	assert_int_equal(create_cq(&r, 1, 101, a.phys, 1), INVALID_QSIZE);
	assert_int_equal(create_cq(&r, 1, 65536, a.phys, 1), INVALID_QSIZE);
	assert_int_equal(create_cq(&r, 1, 16, a.phys + 8, 1), PRP_OFFSET);
	assert_int_equal(create_cq(&r, 1, 16, a.phys + 2048, 1), PRP_OFFSET);
	assert_int_equal(create_cq(&r, 1, 16, a.phys, 0), INVALID_FIELD); /* CAP.CQR */
	assert_int_equal(create_cq(&r, 1, 16, a.phys, 1 | PHYR_SIM_VECTORS << 16 | 2),
			 INVALID_VECTOR);
	assert_int_equal(create_cq(&r, 1, 100, a.phys, 1 | (PHYR_SIM_VECTORS - 1) << 16 | 2), 0);
	assert_int_equal(create_cq(&r, 1, 16, a.phys, 1), INVALID_QID);
	assert_int_equal(delete_queue(&r, 4, 0), INVALID_QID);
	assert_int_equal(delete_queue(&r, 4, 2), INVALID_QID);
	assert_int_equal(delete_queue(&r, 4, 5), INVALID_QID);
	assert_int_equal(delete_queue(&r, 4, 1), 0);
	assert_int_equal(delete_queue(&r, 4, 1), INVALID_QID);
	ring_free(&r, &a);
	rig_stop(&r);
}

static void submission_queue_errors(void **state)
{
	struct phyr_sim_nvme_config c = {.queues = 4, .queue_entries = 100};
	struct ring a, b;
	struct rig r;

	rig_start(&r, 1 << 20, &c);
	rig_enable(&r, 12);
	ring_alloc(&r, &a, 100, 64);
	ring_alloc(&r, &b, 100, 16);
	assert_int_equal(create_cq(&r, 2, 100, b.phys, 1), 0);
	assert_int_equal(create_sq(&r, 0, 16, a.phys, 2 << 16 | 1), INVALID_QID);
	assert_int_equal(create_sq(&r, 5, 16, a.phys, 2 << 16 | 1), INVALID_QID);
	assert_int_equal(create_sq(&r, 1, 16, a.phys, 0 << 16 | 1), INVALID_QID);
	assert_int_equal(create_sq(&r, 1, 16, a.phys, 5 << 16 | 1), INVALID_QID);
	assert_int_equal(create_sq(&r, 1, 16, a.phys, 1 << 16 | 1), CQ_INVALID);
	assert_int_equal(create_sq(&r, 1, 1, a.phys, 2 << 16 | 1), INVALID_QSIZE);
	assert_int_equal(create_sq(&r, 1, 101, a.phys, 2 << 16 | 1), INVALID_QSIZE);
	assert_int_equal(create_sq(&r, 1, 16, a.phys + 64, 2 << 16 | 1), PRP_OFFSET);
	assert_int_equal(create_sq(&r, 1, 16, a.phys, 2 << 16), INVALID_FIELD);
	assert_int_equal(create_sq(&r, 1, 16, a.phys, 2 << 16 | 1), 0);
	assert_int_equal(create_sq(&r, 1, 16, a.phys, 2 << 16 | 1), INVALID_QID);
	assert_int_equal(create_sq(&r, 3, 16, a.phys + 4096, 2 << 16 | 1), 0);
	assert_int_equal(delete_queue(&r, 4, 2), INVALID_DELETE);
	assert_int_equal(delete_queue(&r, 0, 0), INVALID_QID);
	assert_int_equal(delete_queue(&r, 0, 2), INVALID_QID);
	assert_int_equal(delete_queue(&r, 0, 1), 0);
	assert_int_equal(delete_queue(&r, 4, 2), INVALID_DELETE);
	assert_int_equal(delete_queue(&r, 0, 3), 0);
	assert_int_equal(delete_queue(&r, 4, 2), 0);
	ring_free(&r, &a);
	ring_free(&r, &b);
	rig_stop(&r);
}

/* Without entry sizes in CC no I/O queue can be; they may be set while enabled. */
static void entry_sizes_come_first(void **state)
{
	struct ring a;
	struct rig r;

	rig_start(&r, 1 << 20, NULL);
	rig_enable(&r, 12);
	ring_alloc(&r, &a, 16, 64);
	rig_write(&r, 0x14, 1);
	assert_int_equal(create_cq(&r, 1, 16, a.phys, 1), INVALID_QSIZE);
	rig_write(&r, 0x14, 4 << 20 | 1);
	assert_int_equal(create_cq(&r, 1, 16, a.phys, 1), 0);
	assert_int_equal(create_sq(&r, 1, 16, a.phys, 1 << 16 | 1), INVALID_QSIZE);
	rig_write(&r, 0x14, 4 << 20 | 7 << 16 | 1);
	assert_int_equal(create_sq(&r, 1, 16, a.phys, 1 << 16 | 1), INVALID_QSIZE);
	rig_write(&r, 0x14, 4 << 20 | 6 << 16 | 1);
	assert_int_equal(create_sq(&r, 1, 16, a.phys, 1 << 16 | 1), 0);
	ring_free(&r, &a);
	rig_stop(&r);
}

/* Queues lie on pages of the controller, whatever its page is. */
static void queue_memory_by_page_size(void **state)
{
	struct ring a;
	struct rig r;

	rig_start(&r, 1 << 20, NULL);
	rig_enable(&r, 16);
	ring_alloc(&r, &a, 16, 64);
	assert_int_equal(create_cq(&r, 1, 16, a.phys + 32768, 1), PRP_OFFSET);
	assert_int_equal(create_cq(&r, 1, 16, a.phys, 1), 0);
	assert_int_equal(create_sq(&r, 1, 16, a.phys + 4096, 1 << 16 | 1), PRP_OFFSET);
	ring_free(&r, &a);
	rig_stop(&r);
}

static void number_of_queues(void **state)
{
	struct phyr_sim_nvme_config c = {.queues = 8};
	struct cqe cqe;
	struct pair p;
	struct rig r;

	rig_start(&r, 1 << 20, &c);
	rig_enable(&r, 12);
	assert_int_equal(admin(&r, 0x0a, 0, 7, 0, NULL).dw0, 7 | 7 << 16);
	assert_int_equal(admin(&r, 0x09, 0, 7, 0xffff, NULL).status, INVALID_FIELD);
	assert_int_equal(admin(&r, 0x09, 0, 7, 0xffff0000, NULL).status, INVALID_FIELD);
	assert_int_equal(admin(&r, 0x09, 0, 7 | 1u << 31, 0, NULL).status, NOT_SAVEABLE);
	assert_int_equal(admin(&r, 0x09, 0, 0x55, 0, NULL).status, INVALID_FIELD);
	assert_int_equal(admin(&r, 0x0a, 0, 0x55, 0, NULL).status, INVALID_FIELD);
	cqe = admin(&r, 0x09, 0, 7, 2 | 99 << 16, NULL);
	assert_int_equal(cqe.status, 0);
	assert_int_equal(cqe.dw0, 2 | 7 << 16);
	assert_int_equal(admin(&r, 0x0a, 0, 7, 0, NULL).dw0, 2 | 7 << 16);
	pair_create(&r, &p, 3, 16, -1);
	assert_int_equal(create_cq(&r, 8, 16, p.cq.phys, 1), 0);
	assert_int_equal(create_sq(&r, 4, 16, p.sq.phys, 8 << 16 | 1), INVALID_QID);
	assert_int_equal(admin(&r, 0x09, 0, 7, 0, NULL).status, SEQUENCE_ERROR);
	rig_disable(&r);
	rig_enable(&r, 12);
	assert_int_equal(admin(&r, 0x0a, 0, 7, 0, NULL).dw0, 7 | 7 << 16);
	ring_free(&r, &p.sq);
	ring_free(&r, &p.cq);
	rig_stop(&r);
}

/* Two more, one of them in use: which identifiers are active, and what the other looks like. */
static void identify_several(void **state)
{
	static const uint8_t lbads[] = {9, 12, 13, 16};
	struct phyr_sim_nvme_ns more[3] = {{.fd = -1}, {.block_lg2 = 16}, {.fd = -1}};
	struct phyr_sim_nvme_config c = {.more = more, .nr_more = 3};
	struct rig r;
	struct mem m;

	more[1].fd = memfd_create("more", 0);
	assert_int_equal(ftruncate(more[1].fd, 5 * 65536), 0);
	rig_start(&r, 1 << 20, &c);
	rig_enable(&r, 12);
	m = mem_alloc(&r, 4096);
	assert_int_equal(identify(&r, 0, 1, phys_of(&r, m.ptr), 0), 0);
	assert_int_equal(le(m.ptr + 516, 4), 4); /* NN */
	assert_int_equal(le(m.ptr + 540, 4), 4); /* MNAN */
	assert_int_equal(identify(&r, 0, 2, phys_of(&r, m.ptr), 0), 0);
	assert_int_equal(le(m.ptr, 8), 1 | 3ull << 32);
	assert_int_equal(le(m.ptr + 8, 4), 0);
	assert_int_equal(identify(&r, 1, 2, phys_of(&r, m.ptr), 0), 0);
	assert_int_equal(le(m.ptr, 8), 3);
	assert_int_equal(identify(&r, 3, 0, phys_of(&r, m.ptr), 0), 0);
	assert_int_equal(le(m.ptr, 8), 5);
	assert_int_equal(m.ptr[26], 3);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(m.ptr[130 + 4 * i], lbads[i]);
	assert_int_equal(identify(&r, 2, 0, phys_of(&r, m.ptr), 0), 0);
	for (unsigned i = 0; i < 4096; i++)
		assert_int_equal(m.ptr[i], 0);
	assert_int_equal(identify(&r, 4, 3, phys_of(&r, m.ptr), 0), INVALID_FIELD);
	assert_int_equal(identify(&r, 5, 3, phys_of(&r, m.ptr), 0), INVALID_NS);
	assert_int_equal(identify(&r, 5, 0, phys_of(&r, m.ptr), 0), INVALID_NS);
	mem_free(&r, &m);
	rig_stop(&r);
	close(more[1].fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(identify_controller),
		cmocka_unit_test(identify_namespace),
		cmocka_unit_test(identify_lists),
		cmocka_unit_test(identify_command_set),
		cmocka_unit_test(namespace_not_asked_for),
		cmocka_unit_test(identify_over_two_pages),
		cmocka_unit_test(unknown_commands),
		cmocka_unit_test(completion_queue_errors),
		cmocka_unit_test(submission_queue_errors),
		cmocka_unit_test(entry_sizes_come_first),
		cmocka_unit_test(queue_memory_by_page_size),
		cmocka_unit_test(number_of_queues),
		cmocka_unit_test(identify_several),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
