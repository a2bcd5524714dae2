/* SPDX-License-Identifier: MIT */
/*
 * A host of its own for the checks: a stepped machine, a controller over files in memory, queues, and
 * commands built by hand. Nothing here knows how the simulated controller works.
 */
#ifndef TESTS_CONFORMITY_HOST_H
#define TESTS_CONFORMITY_HOST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <phyr/sim.h>

#include "conformity/nvme/spec.h"

#define PAGE     4096u
#define NS_BYTES (4u << 20)
#define MAX_NS   5
#define NO_MEM   0x1000u /* a bus address where no memory is: below 4 GiB */

struct sq {
	struct sqe *mem;
	uint16_t id, entries, tail;
};

struct cq {
	const struct cqe *mem;
	uint16_t id, entries, head;
	uint16_t phase; /* of a new entry */
	bool held;      /* the head doorbell is left alone */
};

struct host {
	struct phyr_sim *sim;
	struct phyr_env *env;
	struct phyr_sim_dev *dev;
	struct phyr_regs *regs;
	int fd[MAX_NS]; /* of namespace 1 and up */
	unsigned nr_ns;
	uint64_t cap;
	uint32_t cc;    /* what enables it */
	unsigned block; /* bytes of a block of namespace 1 */
	struct sq asq, sq;
	struct cq acq, cq;
	uint16_t cid; /* the last one given */
	struct {
		void *p;
		size_t size;
	} pages[1024]; /* all page memory, given back at the end */
	unsigned nr_pages;
};

/*
 * A controller of settings, NULL: defaults, and of more namespaces, 2 and up. Their files, of NS_BYTES,
 * are made here; @more has fd -1 for a namespace that stays inactive.
 */
struct host *host_create(const struct phyr_sim_nvme_config *settings, struct phyr_sim_nvme_ns *more,
			 unsigned nr_more);
void host_destroy(struct host *h);

/* For cmocka: a controller that is disabled; enabled; enabled with I/O queue pair 1 of 64 entries. */
int host_off(void **state);
int host_on(void **state);
int host_io(void **state);
int host_down(void **state);
/* As host_io(), of settings. */
int host_up(void **state, const struct phyr_sim_nvme_config *settings,
	    struct phyr_sim_nvme_ns *more, unsigned nr_more);

uint32_t get32(struct host *h, uint64_t property);
uint64_t get64(struct host *h, uint64_t property);
void set32(struct host *h, uint64_t property, uint32_t value);
void set64(struct host *h, uint64_t property, uint64_t value);

/* Little-endian fields of a data structure. */
uint16_t le16(const void *p, size_t offset);
uint32_t le32(const void *p, size_t offset);
uint64_t le64(const void *p, size_t offset);

/* Zeroed memory that the controller reaches, aligned to its size, a power of two of pages. */
void *host_mem(struct host *h, size_t size);
uint64_t host_addr(struct host *h, const void *p);

/* Admin queues of so many entries: memory, AQA, ASQ, ACQ. */
void host_admin_queues(struct host *h, unsigned entries);
/* Sets CC to h->cc and waits for CSTS.RDY; and the other way round. */
void host_enable(struct host *h);
void host_disable(struct host *h);
/* Lets the controller work until it has nothing to do. */
void host_run(struct host *h);

void host_doorbell_sq(struct host *h, uint16_t qid, uint32_t value);
void host_doorbell_cq(struct host *h, uint16_t qid, uint32_t value);

/* Queues a command, without the doorbell; its identifier. */
uint16_t host_push(struct host *h, struct sq *sq, struct sqe cmd);
void host_ring(struct host *h, struct sq *sq);
/* Takes the next completion, if there is one. */
bool host_reap(struct host *h, struct cq *cq, struct cqe *out);
/* Nothing more comes. */
void host_idle(struct host *h, struct cq *cq);

/* One command, to its end. */
struct cqe host_exec(struct host *h, struct sq *sq, struct cq *cq, struct sqe cmd);
struct cqe host_admin(struct host *h, struct sqe cmd);
struct cqe host_cmd(struct host *h, struct sqe cmd);

#define sqe(...) ((struct sqe){__VA_ARGS__})

/* Memory of queues, and the commands that make and delete them. */
void host_cq_init(struct host *h, struct cq *cq, uint16_t id, uint16_t entries);
void host_sq_init(struct host *h, struct sq *sq, uint16_t id, uint16_t entries);
struct sqe create_cq(struct host *h, const struct cq *cq, bool irq, uint16_t vector);
struct sqe create_sq(struct host *h, const struct sq *sq, uint16_t cqid);
struct sqe delete_sq(uint16_t id);
struct sqe delete_cq(uint16_t id);
/* I/O queues that exist then; queue pair 1 of 64 entries. */
void host_io_queues(struct host *h);
void host_add_cq(struct host *h, struct cq *cq, uint16_t id, uint16_t entries);
void host_add_sq(struct host *h, struct sq *sq, uint16_t id, uint16_t entries, uint16_t cqid);

/* The status without what is optional; the checks of it name both codes when they differ. */
unsigned status_of(struct cqe c);
void check_status(struct cqe c, unsigned want, const char *file, int line);
void check_either(struct cqe c, unsigned a, unsigned b, const char *file, int line);
#define assert_status(c, want) check_status(c, want, __FILE__, __LINE__)
#define assert_either(c, a, b) check_either(c, a, b, __FILE__, __LINE__)

/* Data structures, in memory that stays until the end; the command must succeed. */
const uint8_t *identify(struct host *h, uint8_t cns, uint32_t nsid);
const uint8_t *get_log(struct host *h, uint8_t lid, uint32_t nsid, size_t bytes);
struct sqe cmd_identify(struct host *h, void *buf, uint8_t cns, uint32_t nsid);
struct sqe cmd_log(struct host *h, void *buf, uint32_t lid, uint32_t nsid, size_t bytes);
struct sqe cmd_get(uint8_t fid, unsigned select, uint32_t nsid, uint32_t cdw11);
struct sqe cmd_set(uint8_t fid, uint32_t nsid, uint32_t cdw11);
/* DW0 of Get Features, which must succeed. */
uint32_t get_feature(struct host *h, uint8_t fid, unsigned select, uint32_t cdw11);

/* Blocks of namespace 1: READ, WRITE, COMPARE with a buffer of at most two pages that lie together. */
struct sqe cmd_rw(struct host *h, uint8_t opc, uint64_t slba, unsigned blocks, const void *buf);
unsigned block_size(struct host *h, uint32_t nsid);
/* The file behind a namespace, looked at and written past the controller. */
void file_get(struct host *h, uint32_t nsid, uint64_t at, void *buf, size_t len);
void file_put(struct host *h, uint32_t nsid, uint64_t at, const void *buf, size_t len);

/* Bytes that differ from place to place and by seed. */
void fill(void *p, size_t len, unsigned seed);
void assert_all(const void *p, size_t len, uint8_t byte);

#endif
