/* SPDX-License-Identifier: MIT */
/* The simulated NVMe controller's own state, and what its files call of each other. */
#ifndef SIM_NVME_H
#define SIM_NVME_H

#include <endian.h>

#include <phyr/sim.h>
#include <string.h>

#include "sim/nvme/spec.h"

/* A completion queue. Its queue id is its index; size 0: it does not exist. */
struct sim_nvme_cq {
	uint64_t base;
	uint32_t size;   /* entries */
	uint32_t head;   /* the host's: first entry not taken yet */
	uint32_t tail;   /* ours: where the next one goes */
	uint32_t nr_sqs; /* submission queues that complete here */
	uint16_t vector;
	bool interrupts;
	bool phase; /* of the next entry */
};

/* A submission queue, likewise. */
struct sim_nvme_sq {
	uint64_t base;
	uint32_t size;
	uint32_t head; /* ours: next entry to fetch */
	uint32_t tail; /* the host's */
	uint16_t cqid;
};

/* A namespace. Its identifier is its index + 1; fd -1: inactive. */
struct sim_nvme_ns {
	int fd;
	bool read_only;
	unsigned block_lg2;
	uint64_t bytes;
	uint8_t uuid[16];
	uint32_t error_recovery; /* feature 05h */
	bool changed;            /* since the log of such was read */
};

/* What Set Features sets, but for what belongs to a namespace. */
struct sim_nvme_settings {
	uint32_t arbitration;
	uint32_t power;
	uint16_t temperature[2]; /* thresholds: over, under */
	bool write_cache;
	uint32_t nr_sqs; /* allocated I/O queues */
	uint32_t nr_cqs;
	uint32_t coalescing;
	bool alone[PHYR_SIM_VECTORS]; /* not coalesced */
	bool no_atomicity;
	uint32_t events;
};

/* An entry of the error log. */
struct sim_nvme_error {
	uint64_t number; /* of the error; 0: no entry */
	uint64_t lba;
	uint32_t nsid;
	uint16_t sqid;
	uint16_t cid;
	uint16_t status;
};
#define SIM_NVME_ERRORS 64

/* Asynchronous events, by type: a bit an event. */
struct sim_nvme_events {
	uint8_t pending[NVME_EVENT_TYPES];
	bool masked[NVME_EVENT_TYPES]; /* told, and its log page not read yet */
};

/* What the health log counts. */
struct sim_nvme_health {
	uint64_t read;    /* units of 512 bytes */
	uint64_t written; /* likewise */
	uint64_t read_commands;
	uint64_t write_commands;
	uint64_t media_errors;
	uint64_t errors; /* entries of the error log, ever */
	uint64_t started_ns;
	uint16_t kelvin;
	bool hot; /* beyond a threshold */
};

/* Commands that may be held back at once; the last of them for the admin queue alone. */
#define SIM_NVME_HELD       1024
#define SIM_NVME_HELD_ADMIN 64

/* Identify: Abort commands and Asynchronous Event Requests that may be outstanding, less one. */
#define SIM_NVME_ACL  3
#define SIM_NVME_AERL 3

/* Identify: WCTEMP, CCTEMP; and how warm it is at the start. Kelvin. */
#define SIM_NVME_WARM     343
#define SIM_NVME_CRITICAL 353
#define SIM_NVME_KELVIN   310

/* A command that was fetched and has no completion yet. */
struct sim_nvme_held {
	uint64_t due; /* step in which it may complete; PHYR_SIM_NVME_NEVER */
	uint64_t lba;
	uint32_t nsid;
	uint32_t result;
	uint16_t sqid;
	uint16_t cid;
	uint16_t status;
	uint8_t opcode;
	bool reordered;     /* due with the next completion of its queue */
	bool event_request; /* waits for an event */
};

struct sim_nvme_planned {
	struct phyr_sim_nvme_fault fault;
	uint64_t passed; /* commands that it let pass, up to fault.after */
	uint64_t hits;
};

struct sim_nvme {
	struct phyr_sim_dev *sdev;
	struct phyr_env *env;

	/* what it was made of */
	struct sim_nvme_ns *ns;
	uint32_t nr_ns; /* Identify: NN */
	unsigned mdts;
	unsigned mps_min_lg2;
	unsigned mps_max_lg2;
	uint32_t max_queues; /* I/O queues of each sort */
	uint32_t max_entries;
	uint8_t subsystem[16]; /* UUID of the subsystem */

	/* what is planned, and what has happened */
	struct sim_nvme_planned *plan;
	unsigned nr_planned;
	struct phyr_sim_nvme_stats stats;
	struct sim_nvme_health health;
	struct sim_nvme_error errors[SIM_NVME_ERRORS]; /* error i at i modulo their number */
	uint64_t now;                                  /* steps since the start */
	bool gone;

	/* properties */
	uint32_t cc;
	uint32_t aqa;
	uint64_t asq;
	uint64_t acq;
	uint32_t int_mask;
	bool ready;              /* CSTS.RDY */
	bool fatal;              /* CSTS.CFS */
	enum nvme_shst shutdown; /* CSTS.SHST */
	bool shutdown_abrupt;

	/* while it is enabled */
	bool enabled;
	unsigned page_lg2;  /* CC.MPS, as it was when the controller was enabled */
	uint32_t irq_check; /* vectors unmasked since the last step */
	struct sim_nvme_settings set;
	struct sim_nvme_events events;
	uint16_t coalesced[PHYR_SIM_VECTORS]; /* completions that were not told of yet */
	bool any_coalesced;
	uint32_t next_sq;        /* where the round goes on */
	uint32_t burst_sq;       /* whose turn it is, */
	unsigned burst_left;     /* and for how many commands more */
	struct sim_nvme_sq *sqs; /* [max_queues + 1]; 0 is the admin queue */
	struct sim_nvme_cq *cqs;
	unsigned nr_held;
	struct sim_nvme_held held[SIM_NVME_HELD]; /* in the order in which they were fetched */
};

/* One submission queue entry, in the CPU's byte order. */
struct sim_nvme_cmd {
	uint32_t dw[16];
};

static inline uint64_t sim_nvme_cmd_u64(const struct sim_nvme_cmd *cmd, unsigned dw)
{
	return cmd->dw[dw] | (uint64_t)cmd->dw[dw + 1] << 32;
}

static inline uint32_t sim_nvme_cmd_nsid(const struct sim_nvme_cmd *cmd)
{
	return cmd->dw[1];
}

/* nvme.c: the controller that a device is. NULL: it is another device, and @call has a report. */
struct sim_nvme *phyr_sim_nvme_of(struct phyr_sim_dev *sdev, const char *call);

/* regs.c: properties and doorbells, enabling, resetting, shutting down. */
uint64_t phyr_sim_nvme_mmio_read(void *priv, uint64_t offset, unsigned width);
void phyr_sim_nvme_mmio_write(void *priv, uint64_t offset, uint64_t value, unsigned width);
/* Forget all that a Controller Reset forgets (Base 3.7.2). CSTS.RDY stays for the next step. */
void phyr_sim_nvme_reset(struct sim_nvme *n);
/* Do what a write of CC left to do. @return whether there was something */
bool phyr_sim_nvme_change_state(struct sim_nvme *n);

/* queue.c: rings and doorbells. */
void phyr_sim_nvme_sq_doorbell(struct sim_nvme *n, uint32_t qid, uint32_t tail);
void phyr_sim_nvme_cq_doorbell(struct sim_nvme *n, uint32_t qid, uint32_t head);
/* The next queue in turn that has a command and a place for its completion; or max_queues + 1. */
uint32_t phyr_sim_nvme_find_sq(const struct sim_nvme *n);
/* Take the command at a queue's head. @return false: out of reach */
bool phyr_sim_nvme_fetch(struct sim_nvme *n, uint32_t sqid, struct sim_nvme_cmd *cmd);
/* Whether a submission queue's completion queue has a free entry. */
bool phyr_sim_nvme_can_post(const struct sim_nvme *n, uint32_t sqid);
/* Post the completion of a command; there is room. What can't be reached is fatal. Its interrupt's
 * function may do to the controller all that the public calls can. */
void phyr_sim_nvme_post(struct sim_nvme *n, const struct sim_nvme_held *held);
/* Raise the interrupts that were held back by the mask and still have a reason. */
void phyr_sim_nvme_raise_unmasked(struct sim_nvme *n);
/* Raise those that wait for more completions: none come for now. */
void phyr_sim_nvme_raise_coalesced(struct sim_nvme *n);

/* run.c: execute one command, or complete one. @return whether another could follow at once */
bool phyr_sim_nvme_run_one(struct sim_nvme *n);
/* As if it were pulled out. */
void phyr_sim_nvme_pull(struct sim_nvme *n);

/* held.c: commands that were fetched and have no completion yet. */
bool phyr_sim_nvme_can_hold(const struct sim_nvme *n, uint32_t sqid);
/* Nothing once the controller is unplugged or reset. */
void phyr_sim_nvme_hold(struct sim_nvme *n, const struct sim_nvme_held *held);
/* Whether a command of the queue waits for the next one. */
bool phyr_sim_nvme_has_reordered(const struct sim_nvme *n, uint32_t sqid);
/* Complete one that is due and has room for that. @return whether there was one */
bool phyr_sim_nvme_finish_due(struct sim_nvme *n);
/* Whether steps will make one due, or one is due and has room. */
bool phyr_sim_nvme_held_goes_on(const struct sim_nvme *n);
/* A command of the queue was completed: what waited for that is due. */
void phyr_sim_nvme_release_reordered(struct sim_nvme *n, uint32_t sqid);
unsigned phyr_sim_nvme_abort(struct sim_nvme *n, const struct sim_nvme_cmd *cmd, uint32_t *result);
/* End what a queue that is being deleted holds (Base 5.7). */
void phyr_sim_nvme_end_held(struct sim_nvme *n, uint32_t sqid);

/* Hold an Asynchronous Event Request. @return NVME_PENDING or a status code */
unsigned phyr_sim_nvme_request_event(const struct sim_nvme *n);
/* Whether there is one, and room. */
bool phyr_sim_nvme_can_finish_request(const struct sim_nvme *n);
/* Complete it with an event. */
void phyr_sim_nvme_finish_request(struct sim_nvme *n, uint32_t result);

/* event.c: asynchronous events (Base 5.2). */
void phyr_sim_nvme_event(struct sim_nvme *n, enum nvme_event_type type, unsigned info);
/* A log page was read without Retain: what it tells of is over. */
void phyr_sim_nvme_clear_events(struct sim_nvme *n, enum nvme_log log);
/* Complete a request with an event. @return whether there were both */
bool phyr_sim_nvme_tell_event(struct sim_nvme *n);
bool phyr_sim_nvme_has_event(const struct sim_nvme *n);
void phyr_sim_nvme_doorbell_error(struct sim_nvme *n, unsigned info);
/* The temperature or what is asked of it has changed. */
void phyr_sim_nvme_check_temperature(struct sim_nvme *n);
void phyr_sim_nvme_ns_changed(struct sim_nvme *n, struct sim_nvme_ns *ns);

/* health.c: counts, errors, and their logs. */
void phyr_sim_nvme_count_io(struct sim_nvme *n, unsigned opcode, uint64_t bytes);
/* Whether a command that ends so has an entry in the error log (Base 3.3.3.2.1, More). */
bool phyr_sim_nvme_is_logged(unsigned status);
/* Put what failed into the error log. */
void phyr_sim_nvme_note_error(struct sim_nvme *n, const struct sim_nvme_held *done);
void phyr_sim_nvme_fill_errors(const struct sim_nvme *n, uint8_t *data);
void phyr_sim_nvme_fill_health(const struct sim_nvme *n, uint8_t *data);

/* effects.c: logs of what is supported. */
void phyr_sim_nvme_fill_log_pages(uint8_t *data);
void phyr_sim_nvme_fill_commands(uint8_t *data);
void phyr_sim_nvme_fill_features(uint8_t *data);

/* plan.c: whether a planned fault hits a command, and a copy of it: the plan may be replaced from an
 * interrupt's function while the command is carried out. */
bool phyr_sim_nvme_plan_hit(struct sim_nvme *n, uint32_t sqid, unsigned opcode,
			    struct phyr_sim_nvme_fault *fault);
void phyr_sim_nvme_free_plan(struct sim_nvme *n);

/* ns.c: namespaces and their files. */
/* Make them of a config. @return what is wrong, or NULL */
const char *phyr_sim_nvme_take_files(struct sim_nvme *n, uint32_t source,
				     const struct phyr_sim_nvme_config *config);
/* The active namespace of an identifier. @return a status code */
unsigned phyr_sim_nvme_find_ns(const struct sim_nvme *n, uint32_t nsid, struct sim_nvme_ns **ns);
static inline uint64_t sim_nvme_blocks(const struct sim_nvme_ns *ns)
{
	return ns->bytes >> ns->block_lg2;
}

/* media.c: what happens to a file but for data. Each returns a status code. */
unsigned phyr_sim_nvme_media_status(int err, bool write);
/* Make all that was written durable: of a namespace, of each. */
unsigned phyr_sim_nvme_sync_ns(const struct sim_nvme_ns *ns);
unsigned phyr_sim_nvme_sync_all(const struct sim_nvme *n);
/* Have bytes read as zeroes, and give their space back where it can be. */
unsigned phyr_sim_nvme_zero(const struct sim_nvme_ns *ns, uint64_t offset, uint64_t len,
			    bool deallocate);

/* Not a status: the command stays outstanding. */
#define NVME_PENDING (1u << 15)

/* Commands. Each returns a status code with its type (enum nvme_status). */
unsigned phyr_sim_nvme_admin(struct sim_nvme *n, const struct sim_nvme_cmd *cmd, uint32_t *result);
unsigned phyr_sim_nvme_identify(struct sim_nvme *n, const struct sim_nvme_cmd *cmd);
unsigned phyr_sim_nvme_log(struct sim_nvme *n, const struct sim_nvme_cmd *cmd);
unsigned phyr_sim_nvme_format(struct sim_nvme *n, const struct sim_nvme_cmd *cmd);
unsigned phyr_sim_nvme_set_features(struct sim_nvme *n, const struct sim_nvme_cmd *cmd,
				    uint32_t *result);
unsigned phyr_sim_nvme_get_features(const struct sim_nvme *n, const struct sim_nvme_cmd *cmd,
				    uint32_t *result);
void phyr_sim_nvme_reset_features(struct sim_nvme *n);
/* queue_cmd.c: create and delete queues. */
unsigned phyr_sim_nvme_create_cq(struct sim_nvme *n, const struct sim_nvme_cmd *cmd);
unsigned phyr_sim_nvme_create_sq(struct sim_nvme *n, const struct sim_nvme_cmd *cmd);
unsigned phyr_sim_nvme_delete_cq(struct sim_nvme *n, const struct sim_nvme_cmd *cmd);
unsigned phyr_sim_nvme_delete_sq(struct sim_nvme *n, const struct sim_nvme_cmd *cmd);
unsigned phyr_sim_nvme_io(struct sim_nvme *n, const struct sim_nvme_cmd *cmd);
unsigned phyr_sim_nvme_write_zeroes(const struct sim_nvme *n, const struct sim_nvme_ns *ns,
				    const struct sim_nvme_cmd *cmd);
unsigned phyr_sim_nvme_dsm(struct sim_nvme *n, const struct sim_nvme_ns *ns,
			   const struct sim_nvme_cmd *cmd);
/* io.c: whether blocks lie in a namespace (NVM 3.1). @return a status code */
unsigned phyr_sim_nvme_check_lbas(const struct sim_nvme_ns *ns, uint64_t slba, uint64_t nr);

bool phyr_sim_nvme_exceeds_mdts(const struct sim_nvme *n, uint64_t bytes);

/* The block sizes that Format knows: of each format of a namespace, 2^; 0: it can't have that. */
#define SIM_NVME_FORMATS 4
unsigned phyr_sim_nvme_format_lg2(const struct sim_nvme_ns *ns, unsigned format);

static inline void sim_nvme_put16(uint8_t *data, unsigned offset, uint16_t value)
{
	value = htole16(value);
	memcpy(data + offset, &value, sizeof(value));
}

static inline void sim_nvme_put32(uint8_t *data, unsigned offset, uint32_t value)
{
	value = htole32(value);
	memcpy(data + offset, &value, sizeof(value));
}

static inline void sim_nvme_put64(uint8_t *data, unsigned offset, uint64_t value)
{
	value = htole64(value);
	memcpy(data + offset, &value, sizeof(value));
}

/* ASCII strings are left justified and padded with spaces (Base 1.4). */
static inline void sim_nvme_put_ascii(uint8_t *data, unsigned offset, unsigned size,
				      const char *text)
{
	memset(data + offset, ' ', size);
	memcpy(data + offset, text, strnlen(text, size));
}

/* data.c: a command's data to the host, of which all behind @have bytes are zeroes; or from it. */
unsigned phyr_sim_nvme_send(struct sim_nvme *n, const struct sim_nvme_cmd *cmd, const void *data,
			    uint64_t have, uint64_t len);
unsigned phyr_sim_nvme_receive(struct sim_nvme *n, const struct sim_nvme_cmd *cmd, void *data,
			       uint64_t len);

/* move.c: a command's data between the host's memory and a file. */
enum sim_nvme_way {
	SIM_NVME_READ,    /* file to memory */
	SIM_NVME_WRITE,   /* memory to file */
	SIM_NVME_COMPARE, /* neither moves */
};
unsigned phyr_sim_nvme_move(struct sim_nvme *n, const struct sim_nvme_cmd *cmd, int fd,
			    uint64_t offset, uint64_t len, enum sim_nvme_way way);

#define SIM_NVME_PRP_FETCH 512

/* A walk over the PRP entries of a command (prp.c). */
struct sim_nvme_prps {
	struct sim_nvme *n;
	uint64_t prp1;
	uint64_t prp2;
	uint64_t left;     /* bytes that no entry was taken for yet */
	uint64_t list;     /* next entry of the PRP list to fetch */
	unsigned nr_taken; /* 0: PRP1 is next; 1: PRP2; 2: the list */
	unsigned pos, nr;  /* in entries[] */
	uint64_t entries[SIM_NVME_PRP_FETCH];
};

void phyr_sim_nvme_prps_init(struct sim_nvme_prps *prps, struct sim_nvme *n,
			     const struct sim_nvme_cmd *cmd, uint64_t len);
/* The next piece, at most a page; left is not 0. @return a status code */
unsigned phyr_sim_nvme_prps_next(struct sim_nvme_prps *prps, uint64_t *addr, uint64_t *len);

#endif
