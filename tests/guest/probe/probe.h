/* SPDX-License-Identifier: MIT */
/*
 * The probe inside: a host of its own on a controller that the library has opened, which may say what
 * a driver never would, and prints what comes back: a line a question, the same for each controller.
 *
 *   NAME ANSWER      NAME is of words and numbers with dots between, no two lines have the same
 *
 * An answer to a command is its status, type and code as three digits of hexadecimal; then what of "dnr",
 * "more" is set, "dw0=" when it is not 0; or "silence" when none came, "fatal" when the controller said
 * that it has failed (CSTS.CFS).
 */
#ifndef TESTS_GUEST_PROBE_H
#define TESTS_GUEST_PROBE_H

#include <errno.h>

#include <phyr/nvme_spec.h>
#include <phyr/phyr.h>

#define PAGE       4096u
#define BUF_BYTES  (2u << 20)
#define ADMIN_SIZE 32
#define IO_SIZE    16
#define MAX_EARLY  8
#define MS         UINT64_C(1000000)

struct answer {
	enum { ANSWERED, SILENCE, FATAL } how;
	uint16_t status; /* the field, DNR and More among it */
	uint32_t dw0;
	uint16_t sqhd, sqid, cid;
};

/* A submission and a completion queue of as many entries, under one id. */
struct pair {
	struct phyr_nvme_sqe *sq;
	const struct phyr_nvme_cqe *cq;
	phyr_dma_addr_t sq_dma, cq_dma;
	unsigned id, entries, tail, head, phase;
	struct answer early[MAX_EARLY]; /* that came before the one that was waited for */
	unsigned nr_early;
};

struct probe {
	struct phyr *p;
	struct phyr_dev *dev;
	struct phyr_regs *regs;
	uint64_t cap;
	uint64_t quiet_ns; /* after which there is no answer */
	uint16_t cid;      /* the last one given */
	struct pair admin, io;
	uint8_t *buf; /* BUF_BYTES that the device reaches */
	phyr_dma_addr_t buf_dma;
	struct phyr_dma_iova_state nowhere; /* a window with nothing in it */
	uint8_t *list;                      /* two pages, for PRP lists */
	phyr_dma_addr_t list_dma;
	unsigned block; /* bytes */
	uint64_t blocks;
	uint32_t nn;
	uint64_t max_transfer;
};

#define sqe(...) ((struct phyr_nvme_sqe){__VA_ARGS__})

/* What cannot be asked ends the program. */
_Noreturn void give_up(const char *what, int err);
uint64_t now_ns(void);

/* host.c: registers. */
uint32_t get32(struct probe *h, uint64_t offset);
uint64_t get64(struct probe *h, uint64_t offset);
void set32(struct probe *h, uint64_t offset, uint32_t value);
void set64(struct probe *h, uint64_t offset, uint64_t value);
/* Whether the bits of a register have a value in time. */
bool reg_is(struct probe *h, uint64_t offset, uint32_t mask, uint32_t value);
void relax(struct probe *h);

/* Disabled; where the admin queues are is set. */
void host_off(struct probe *h);
/* Enabled, with CC as given but for EN. @return CSTS.RDY came */
bool host_enable(struct probe *h, uint32_t cc);
/* As it is after a reset, enabled; also with I/O queue pair 1. It is an error if that can't be. */
void host_on(struct probe *h);
void host_io(struct probe *h);
#define GOOD_CC (PHYR_NVME_CC_IOSQES(PHYR_NVME_SQES) | PHYR_NVME_CC_IOCQES(PHYR_NVME_CQES))

/* Queue pairs: memory that is kept, empty from now on. */
void pair_reset(struct pair *q);
void pair_make(struct probe *h, struct pair *q, unsigned id, unsigned entries);
void pair_free(struct probe *h, struct pair *q);
/* Puts a command into a queue; its id. The doorbell is for ring(). */
uint16_t push(struct probe *h, struct pair *q, struct phyr_nvme_sqe cmd);
void ring(struct probe *h, struct pair *q);
void ring_sq(struct probe *h, unsigned qid, uint32_t value);
void ring_cq(struct probe *h, unsigned qid, uint32_t value);
/* The next completion; told: with the head's doorbell. */
struct answer take(struct probe *h, struct pair *q, bool told);
/* One command to its end, without a word. */
struct answer ask(struct probe *h, struct pair *q, struct phyr_nvme_sqe cmd);
/* A command that must succeed. */
uint32_t must(struct probe *h, struct pair *q, struct phyr_nvme_sqe cmd);

struct phyr_nvme_sqe create_cq(const struct pair *q);
struct phyr_nvme_sqe create_sq(const struct pair *q, unsigned cqid);
struct phyr_nvme_sqe delete_queue(uint8_t opc, unsigned qid);
/* A command on blocks of namespace 1 with data in buf, as long as it says. */
struct phyr_nvme_sqe rw(struct probe *h, uint8_t opc, uint64_t slba, uint32_t blocks);

/* say.c: the lines. */
__attribute__((format(printf, 1, 2))) void say_name(const char *format, ...);
__attribute__((format(printf, 1, 2))) void say(const char *format, ...);
void say_answer(struct answer a);
/* Name, command, answer; the controller is as before, or as after host_io() when it failed. */
#define tell(h, q, cmd, ...)            \
	({                              \
		say_name(__VA_ARGS__);  \
		tell_answer(h, q, cmd); \
	})
struct answer tell_answer(struct probe *h, struct pair *q, struct phyr_nvme_sqe cmd);

/* The questions. Each begins with a reset, and leaves what it likes. */
void ask_properties(struct probe *h);
void ask_enable(struct probe *h);
void ask_shutdown(struct probe *h);
void ask_identify(struct probe *h);
void ask_controller_data(struct probe *h);
void ask_features(struct probe *h);
void ask_set_features(struct probe *h);
void ask_logs(struct probe *h);
void ask_opcodes(struct probe *h);
void ask_fields(struct probe *h);
void ask_queues(struct probe *h);
void ask_doorbells(struct probe *h);
void ask_events(struct probe *h);
void ask_abort(struct probe *h);
void ask_io(struct probe *h);
void ask_blocks(struct probe *h);
void ask_dsm(struct probe *h);
void ask_prp(struct probe *h);
void ask_completions(struct probe *h);
void ask_unmapped(struct probe *h);
void ask_destroying(struct probe *h);

#endif
