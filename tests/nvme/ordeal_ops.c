/* SPDX-License-Identifier: MIT */
/* The driver on a controller that lies: what is asked of it. */
#include "nvme/ordeal.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>

enum { READ = 2, WRITE = 1, FLUSH = 0, COMPARE = 5, ZEROES = 8, DSM = 9, VERIFY = 12 };

#define DEATHS       -ENODEV, -EIO, -ETIMEDOUT
#define TAKEN_ERRORS DEATHS, -EINVAL, -ERANGE, -E2BIG, -EAGAIN, -ENOMEM, -EPERM, -EOPNOTSUPP

static bool listed(int err, const int *list, unsigned nr)
{
	for (unsigned i = 0; i < nr; i++)
		if (list[i] == err)
			return true;
	return false;
}

#define LISTED(err, ...) \
	listed(err, (const int[]){__VA_ARGS__}, sizeof((const int[]){__VA_ARGS__}) / sizeof(int))

/*
 * How a command ends.
 */

/* The controller has nothing of it any more: it answered, or was disabled since, or is gone. */
static bool quiet(const struct ordeal *o, const struct ordeal_request *req)
{
	return !liar_runs(&o->liar) || o->liar.enables != req->enables || o->liar.stuck ||
	       req->answered;
}

static void check_done(struct ordeal *o, const struct ordeal_request *req,
		       const struct phyr_nvme_done *done)
{
	if (!done->err) {
		ordeal_must(o, !done->status);
		ordeal_must(o, req->answered);
	} else if (done->status) {
		ordeal_must(o, done->err == phyr_nvme_status_errno(done->status) ||
				       done->err == -ECANCELED);
	} else {
		ordeal_must(o, LISTED(done->err, DEATHS, -ECANCELED));
	}
	ordeal_must(o, quiet(o, req));
}

static void again(struct ordeal *o, unsigned queue)
{
	if (!o->moody || o->nested || queue == ORDEAL_QUEUES)
		return;
	o->nested++;
	if (whim_one_in(&o->whim, 8))
		ordeal_submit(o, queue);
	if (whim_one_in(&o->whim, 8))
		phyr_nvme_poll(o->queues[queue]);
	o->nested--;
}

static void ended(void *arg, const struct phyr_nvme_done *done)
{
	struct ordeal_request *req = arg;
	struct ordeal *o = req->o;

	ordeal_must(o, req->live && req->taken && req->told);
	ordeal_must(o, req->queue == ORDEAL_QUEUES || o->queues[req->queue]);
	check_done(o, req, done);
	req->live = false;
	o->ended++;
	o->counts.well += !done->err;
	o->counts.failed += !!done->err;
	again(o, req->queue);
}

/*
 * Commands.
 */

static struct ordeal_request *free_request(struct ordeal *o, unsigned queue)
{
	for (unsigned i = 0; i < ORDEAL_REQUESTS; i++) {
		struct ordeal_request *req = &o->reqs[i];

		if (req->live)
			continue;
		*req = (struct ordeal_request){.o = o, .live = true, .queue = queue};
		return req;
	}
	return NULL;
}

static uint64_t some_blocks(struct ordeal *o)
{
	static const unsigned odd[] = {0, 1, 64, 256, 1024, 5000, 65535};

	if (whim_one_in(&o->whim, 8))
		return odd[whim_below(&o->whim, 7)];
	return 1 + whim_below(&o->whim, 24);
}

static uint64_t some_lba(struct ordeal *o)
{
	uint64_t nr = phyr_nvme_get_info(o->nvme)->nr_blocks;

	if (whim_one_in(&o->whim, 16))
		return nr - whim_below(&o->whim, 4);
	if (whim_one_in(&o->whim, 32))
		return whim_u64(&o->whim);
	return nr > 256 ? whim_below(&o->whim, 200) : 0;
}

/* Part of the data; a start off a dword, or a length that is no block, is for the driver to refuse. */
static int transfer(struct ordeal *o, struct phyr_nvme_queue *queue, struct ordeal_request *req)
{
	uint64_t block = phyr_nvme_get_info(o->nvme)->block_size;
	uint64_t len = some_blocks(o) * block, at = (uint64_t)whim_below(&o->whim, 64) * 512;
	uint64_t lba = some_lba(o), left;
	struct phyr_cursor cur;
	int err;

	if (whim_one_in(&o->whim, 32))
		at += whim_below(&o->whim, 512);
	if (at + len > o->len || !len)
		len = block <= o->len - at ? block : 512;
	ordeal_must(o, !phyr_dma_map_cursor(&o->map, at, len, &cur));
	o->expect_addr = (uint64_t)(uintptr_t)o->data + at;
	o->expect_len = left = len;
	err = req->opc == READ    ? phyr_nvme_read(queue, lba, &cur, ended, req)
	      : req->opc == WRITE ? phyr_nvme_write(queue, lba, &cur, ended, req)
				  : phyr_nvme_compare(queue, lba, &cur, ended, req);
	ordeal_must(o, cur.left == (err ? left : 0));
	return err;
}

static int passed_through(struct ordeal *o, struct phyr_nvme_queue *queue,
			  struct ordeal_request *req)
{
	unsigned char sqe[64] = {(unsigned char)req->opc};
	bool data = whim_one_in(&o->whim, 2);

	sqe[4] = 1; /* NSID */
	for (unsigned i = 40; i < 64; i++)
		sqe[i] = whim_one_in(&o->whim, 8) ? (unsigned char)whim_byte(&o->whim) : 0;
	if (whim_one_in(&o->whim, 32))
		sqe[whim_below(&o->whim, 40)] = (unsigned char)whim_byte(&o->whim);
	req->opc = sqe[0];
	o->expect_addr = (uint64_t)(uintptr_t)o->data;
	o->expect_len = data ? 4096 : 0;
	return phyr_nvme_submit(queue, sqe, data ? &o->small_map : NULL, ended, req);
}

static int io_command(struct ordeal *o, struct phyr_nvme_queue *queue, struct ordeal_request *req)
{
	static const unsigned char opcs[] = {READ,    READ,   WRITE, WRITE, FLUSH,
					     COMPARE, ZEROES, DSM,   VERIFY};

	req->opc = opcs[whim_below(&o->whim, sizeof(opcs))];
	switch (req->opc) {
	case FLUSH:
		return phyr_nvme_flush(queue, ended, req);
	case ZEROES:
		return phyr_nvme_write_zeroes(queue, some_lba(o), some_blocks(o), ended, req);
	case DSM:
		return phyr_nvme_deallocate(queue, some_lba(o), some_blocks(o), ended, req);
	case VERIFY:
		return passed_through(o, queue, req);
	default:
		return transfer(o, queue, req);
	}
}

static int admin_command(struct ordeal *o, struct phyr_nvme_queue *queue,
			 struct ordeal_request *req)
{
	static const unsigned char opcs[] = {0x02, 0x0a, 0x0c, 0x06, 0x09, 0x08, 0x00,
					     0x01, 0x04, 0x05, 0x7c, 0x80, 0xc0};

	req->opc = opcs[whim_below(&o->whim, sizeof(opcs))];
	return passed_through(o, queue, req);
}

void ordeal_submit(struct ordeal *o, unsigned queue)
{
	struct ordeal_request *req = free_request(o, queue), *outer = o->submitting;
	struct phyr_nvme_queue *q;
	int err;

	if (!req)
		return;
	q = queue == ORDEAL_QUEUES ? phyr_nvme_admin_queue(o->nvme) : o->queues[queue];
	o->submitting = req;
	o->expect_len = 0;
	req->taken = true;
	err = queue == ORDEAL_QUEUES ? admin_command(o, q, req) : io_command(o, q, req);
	o->submitting = outer;
	o->expect_len = 0;
	if (err) {
		ordeal_must(o, req->live && !req->told);
		ordeal_must(o, LISTED(err, TAKEN_ERRORS));
		req->live = false;
		o->counts.full += err == -EAGAIN;
		o->counts.refused += err != -EAGAIN;
	} else {
		/* A liar that forgot a queue does not see what is submitted to it. */
		ordeal_must(o, req->told || o->liar.lied);
		if (!req->told)
			req->told = req->answered = true;
		o->counts.taken++;
	}
}

static unsigned live_on(const struct ordeal *o, unsigned queue)
{
	unsigned n = 0;

	for (unsigned i = 0; i < ORDEAL_REQUESTS; i++)
		n += o->reqs[i].live && o->reqs[i].queue == queue;
	return n;
}

/*
 * Operations.
 */

static void step(void *arg)
{
	struct ordeal *o = arg;
	int fd;

	liar_step(&o->liar);
	if (!o->interrupts)
		return;
	fd = o->fds[whim_below(&o->whim, ORDEAL_VECTORS)];
	if (fd >= 0) /* whether there is something to tell or not */
		o->counts.interrupts += !eventfd_write(fd, 1);
}

static int set_vector_fd(void *arg, unsigned vector, int fd)
{
	struct ordeal *o = arg;

	ordeal_must(o, vector < ORDEAL_VECTORS && (fd < 0) != (o->fds[vector] < 0));
	if (fd >= 0 && o->fails_in && whim_one_in(&o->whim, o->fails_in))
		return -ENOMEM;
	o->fds[vector] = fd;
	return 0;
}

/* Interrupts cost system calls: some controllers have them. */
static void choose_interrupts(struct ordeal *o, struct phyr_nvme_opts *opts)
{
	o->interrupts = whim_one_in(&o->whim, 32);
	if (!o->interrupts)
		return;
	opts->interrupts = true;
	opts->set_vector_fd = set_vector_fd;
	opts->vector_arg = o;
	opts->nr_vectors = 1 + whim_below(&o->whim, ORDEAL_VECTORS);
}

static void check_vectors(struct ordeal *o)
{
	for (unsigned i = 0; i < ORDEAL_VECTORS; i++)
		ordeal_must(o, o->fds[i] < 0);
}

static void open_it(struct ordeal *o)
{
	struct whim *w = &o->whim;
	struct phyr_nvme_opts opts = {.size = sizeof(opts), .wait = step, .wait_arg = o};
	int err;

	opts.queues = 1 + whim_below(w, ORDEAL_QUEUES);
	opts.timeout_ns = whim_one_in(w, 2) ? 0 : 30000000 << whim_below(w, 6);
	opts.page_lg2 = whim_one_in(w, 8) ? 12 + whim_below(w, 5) : 0;
	opts.max_resets = whim_below(w, 8);
	choose_interrupts(o, &opts);
	err = phyr_nvme_open(o->dev, &o->liar.regs, &opts, &o->nvme);
	ordeal_must(o, !err == !!o->nvme);
	ordeal_must(o,
		    !err || LISTED(err, -EINVAL, -ENODEV, -ETIMEDOUT, -EIO, -EOPNOTSUPP, -ENOMEM));
	o->counts.opens += !err;
	o->counts.failed_opens += !!err;
	if (err)
		check_vectors(o);
	if (err && whim_one_in(w, 2)) { /* another one is plugged in */
		struct liar was = o->liar;

		liar_init(&o->liar, w, was.temper);
		o->liar.owns = was.owns;
		o->liar.submitted = was.submitted;
		o->liar.answered = was.answered;
		o->liar.scribbled_on = was.scribbled_on;
		o->liar.blame = was.blame;
		o->liar.arg = o;
		o->liar.steps = was.steps;
		o->liar.lies = was.lies;
	}
}

static void close_it(struct ordeal *o)
{
	for (unsigned i = 0; i < ORDEAL_QUEUES; i++)
		ordeal_destroy(o, i);
	o->patience += 1000000;
	phyr_nvme_close(o->nvme);
	o->nvme = NULL;
	ordeal_must(o, !live_on(o, ORDEAL_QUEUES));
	check_vectors(o);
	o->liar.stuck = o->liar.deaf = false;
	o->liar.gone = false;
	o->liar.cc = o->liar.csts = 0;
	memset(o->liar.queues, 0, sizeof(o->liar.queues));
	o->liar.nr_held = 0;
}

static void create(struct ordeal *o, unsigned queue)
{
	int err = phyr_nvme_queue_create(o->nvme, whim_below(&o->whim, 18), &o->queues[queue]);

	ordeal_must(o, !err == !!o->queues[queue]);
	ordeal_must(o, !err || LISTED(err, -EINVAL, -EBUSY, -EIO, -ETIMEDOUT, -ENOMEM, -ENODEV,
				      -EAGAIN, -ECANCELED));
	o->counts.creates += !err;
}

void ordeal_destroy(struct ordeal *o, unsigned queue)
{
	o->patience += 1000000;
	phyr_nvme_queue_destroy(o->queues[queue]);
	ordeal_must(o, !live_on(o, queue));
	o->queues[queue] = NULL;
}

static void poll_it(struct ordeal *o, unsigned queue)
{
	bool admin = queue == ORDEAL_QUEUES;
	struct phyr_nvme_queue *q = admin ? phyr_nvme_admin_queue(o->nvme) : o->queues[queue];

	phyr_nvme_poll(q);
	if (!admin)
		ordeal_must(o, phyr_nvme_in_flight(q) == live_on(o, queue));
}

static void sync_call(struct ordeal *o, unsigned queue)
{
	struct phyr_nvme_done done = {.err = 1};
	unsigned char sqe[64] = {FLUSH, 0, 0, 0, 1};
	int err;

	switch (whim_below(&o->whim, 4)) {
	case 0:
		err = phyr_nvme_flush_sync(o->queues[queue]);
		break;
	case 1:
		err = phyr_nvme_read_sync(o->queues[queue], some_lba(o), &o->small_map);
		break;
	case 2:
		err = phyr_nvme_write_sync(o->queues[queue], some_lba(o), &o->map);
		break;
	default:
		err = phyr_nvme_submit_sync(o->queues[queue], sqe, NULL, &done);
	}
	ordeal_must(o, !err || err == phyr_nvme_status_errno(done.status) ||
			       LISTED(err, TAKEN_ERRORS, -ECANCELED, -EBUSY, -ENODATA, -EILSEQ,
				      -EACCES, -EROFS, -ENOSPC));
}

static void rare(struct ordeal *o, unsigned queue)
{
	int err;

	switch (whim_below(&o->whim, 5)) {
	case 0:
		err = phyr_nvme_reset(o->nvme);
		ordeal_must(o, !err || LISTED(err, DEATHS));
		o->counts.resets++;
		break;
	case 1:
		err = phyr_nvme_rescan(o->nvme);
		ordeal_must(o, !err || LISTED(err, DEATHS, -EBUSY, -EINVAL, -EOPNOTSUPP));
		o->counts.rescans++;
		break;
	case 2:
		if (o->queues[queue])
			ordeal_destroy(o, queue);
		break;
	case 3:
		if (o->queues[queue])
			sync_call(o, queue);
		break;
	default:
		if (whim_one_in(&o->whim, 4))
			close_it(o);
	}
}

static bool is_dead(const struct ordeal *o)
{
	struct phyr_nvme_ctrl_stats stats;

	phyr_nvme_get_stats(o->nvme, &stats);
	return stats.dead;
}

/* What can be asked of a queue; often, where it is there and its controller lives. */
static void common(struct ordeal *o, unsigned queue, unsigned what)
{
	if (!o->queues[queue] && what % 4 == 0)
		create(o, queue);
	else if (!o->queues[queue] || what >= 52)
		liar_step(&o->liar);
	else if (what < 24)
		poll_it(o, queue);
	else
		ordeal_submit(o, queue);
	if (is_dead(o) && whim_one_in(&o->whim, 8))
		close_it(o);
}

void ordeal_op(struct ordeal *o)
{
	unsigned queue = whim_below(&o->whim, ORDEAL_QUEUES), what;

	if (!o->nvme) {
		open_it(o);
		return;
	}
	what = whim_below(&o->whim, 64);
	if (what == 63)
		rare(o, queue);
	else if (what == 62)
		poll_it(o, ORDEAL_QUEUES);
	else if (what == 61)
		ordeal_submit(o, ORDEAL_QUEUES);
	else
		common(o, queue, what);
}
