/* SPDX-License-Identifier: MIT */
/* A controller that mixes right answers with wrong ones: what is wrong. */
#include "nvme/liar.h"

#include <string.h>

static uint16_t any_status(struct liar *e)
{
	static const uint16_t likely[] = {0x01,  0x02,  0x04,  0x07,  0x08,   0x0b,   0x13,
					  0x80,  0x101, 0x103, 0x105, 0x280,  0x281,  0x285,
					  0x700, 0x3ff, 0x7ff, 0x370, 0x4002, 0x7fff, 0x2000};
	unsigned n = whim_below(e->whim, sizeof(likely) / sizeof(likely[0]) + 4);

	if (n < sizeof(likely) / sizeof(likely[0]))
		return likely[n];
	return whim_u64(e->whim) & 0x7fff;
}

static void some_take(struct liar *e, uint16_t status)
{
	struct liar_cmd cmd;

	if (liar_take(e, &cmd))
		liar_do(e, &cmd, status);
}

static void hold(struct liar *e)
{
	if (e->nr_held < LIAR_HELD && liar_take(e, &e->held[e->nr_held]))
		e->nr_held++;
}

/* End a command that was held, any of them; whether it is done first is its own affair. */
static void let_go(struct liar *e, uint16_t status)
{
	struct liar_cmd cmd;
	unsigned i;

	if (!e->nr_held)
		return;
	i = whim_below(e->whim, e->nr_held);
	cmd = e->held[i];
	e->held[i] = e->held[--e->nr_held];
	if (!cmd.qid && cmd.sqe[0] == 0x0c)
		liar_end(e, 0, 0, (uint16_t)(liar_get32(cmd.sqe, 0) >> 16), status,
			 whim_u64(e->whim));
	else
		liar_do(e, &cmd, status);
}

static unsigned any_queue(struct liar *e)
{
	return whim_below(e->whim, LIAR_QUEUES);
}

/* A completion that nobody asked for, on any queue, for any id. */
static void stray(struct liar *e, unsigned ids)
{
	unsigned qid = any_queue(e);
	uint16_t cid = (uint16_t)whim_below(e->whim, ids);
	uint16_t status = whim_one_in(e->whim, 2) ? any_status(e) : 0;

	e->lied = true;
	liar_end(e, qid, (uint16_t)qid, cid, status, whim_u64(e->whim));
}

static void wrong_sqid(struct liar *e)
{
	unsigned qid = any_queue(e);

	e->lied = true;
	liar_end(e, qid, (uint16_t)whim_below(e->whim, 65536), (uint16_t)whim_below(e->whim, 16), 0,
		 0);
}

static void twice(struct liar *e)
{
	struct liar_cmd cmd;

	if (!liar_take(e, &cmd))
		return;
	e->lied = true;
	liar_do(e, &cmd, 0);
	liar_end(e, cmd.qid, cmd.qid, (uint16_t)(liar_get32(cmd.sqe, 0) >> 16), 0, 0);
}

/* A whole lap and more of completions, as if there were no head. */
static void flood(struct liar *e)
{
	unsigned qid = any_queue(e), n = whim_below(e->whim, 2 * LIAR_ENTRIES);

	e->lied = true;
	for (unsigned i = 0; i < n; i++)
		liar_end(e, qid, (uint16_t)qid, (uint16_t)(i % 16), 0, 0);
}

static void wrong_phase(struct liar *e)
{
	struct liar_queue *q = &e->queues[any_queue(e)];

	liar_scribbled(e);
	q->phase ^= 1;
	some_take(e, 0);
	if (!whim_one_in(e->whim, 4))
		q->phase ^= 1;
}

/* Bytes anywhere in a ring; phases among them. */
static void scribble(struct liar *e, bool cq)
{
	struct liar_queue *q = &e->queues[any_queue(e)];
	uint64_t base = cq ? q->cq : q->sq, entries = cq ? q->cq_entries : q->entries;
	uint64_t bytes = whim_u64(e->whim);

	if (!base || !entries)
		return;
	liar_scribbled(e);
	liar_write(e, base + whim_below(e->whim, (unsigned)(entries * (cq ? 2 : 8))) * 8, &bytes,
		   8);
}

/* Whatever the driver shared: the page that a command that is waiting points to. */
static void scribble_prp(struct liar *e)
{
	struct liar_queue *q = &e->queues[any_queue(e)];
	uint64_t at, bytes = whim_u64(e->whim);

	if (!q->nr_todo)
		return;
	at = liar_get64(q->todo[q->first].sqe, whim_one_in(e->whim, 2) ? 32 : 24);
	e->lied = true;
	if (at && !(at & 7) && e->owns(e->arg, at, 8))
		liar_write(e, at, &bytes, 8);
}

/* Answers to admin commands that are no answer: results at random, identify data spoilt meanwhile. */
static void odd_admin(struct liar *e)
{
	struct liar_queue *q = &e->queues[0];
	struct liar_cmd cmd;

	if (!q->nr_todo)
		return;
	cmd = q->todo[q->first];
	q->first = (q->first + 1) % LIAR_ENTRIES;
	q->nr_todo--;
	e->lied = true;
	liar_end(e, 0, 0, (uint16_t)(liar_get32(cmd.sqe, 0) >> 16), 0, whim_u64(e->whim));
}

static void spoil_identify(struct liar *e)
{
	unsigned char *data = whim_one_in(e->whim, 2) ? e->ctrl : e->ns;
	static const unsigned short places[] = {0,   7,   25,  26,  27,  77,  128, 130, 131, 132,
						134, 256, 258, 259, 512, 513, 516, 519, 520, 525};
	unsigned n = whim_below(e->whim, sizeof(places) / sizeof(places[0]) + 1);
	unsigned at =
		n < sizeof(places) / sizeof(places[0]) ? places[n] : whim_below(e->whim, 4096);

	data[at] = (unsigned char)whim_byte(e->whim);
}

static void registers(struct liar *e)
{
	switch (whim_below(e->whim, 8)) {
	case 0:
	case 1:
	case 2:
		e->csts |= 2;
		break;
	case 3:
		e->csts = (uint32_t)whim_u64(e->whim) & 0x3f;
		break;
	case 4:
		e->csts &= ~1u;
		break;
	case 5:
		e->ones = 1 + whim_below(e->whim, 4);
		break;
	case 6:
		e->cap ^= UINT64_C(1) << whim_below(e->whim, 64);
		break;
	default:
		e->stuck = whim_one_in(e->whim, 8) ? !e->stuck : e->stuck;
		e->deaf = whim_one_in(e->whim, 8) ? !e->deaf : e->deaf;
		e->gone = whim_one_in(e->whim, 16);
	}
}

void liar_lie(struct liar *e)
{
	switch (whim_below(e->whim, 20)) {
	case 0: /* nothing at all */
		break;
	case 1:
	case 2:
	case 3:
	case 4:
		hold(e);
		break;
	case 5:
	case 6:
	case 7:
		let_go(e, 0);
		break;
	case 8:
		let_go(e, any_status(e));
		break;
	case 9:
		some_take(e, any_status(e));
		break;
	case 10:
		stray(e, 16);
		break;
	case 11:
		stray(e, 65536);
		break;
	case 12:
		whim_one_in(e->whim, 2) ? wrong_sqid(e) : flood(e);
		break;
	case 13:
		twice(e);
		break;
	case 14:
		wrong_phase(e);
		break;
	case 15:
		scribble(e, true);
		break;
	case 16:
		scribble(e, false);
		break;
	case 17:
		scribble_prp(e);
		break;
	case 18:
		odd_admin(e);
		break;
	default:
		whim_one_in(e->whim, 2) ? registers(e) : spoil_identify(e);
	}
}

void liar_spoil(struct liar *e)
{
	unsigned n = whim_below(e->whim, 4);

	for (unsigned i = 0; i < n; i++)
		spoil_identify(e);
	if (whim_one_in(e->whim, 4))
		e->cap ^= UINT64_C(1) << whim_below(e->whim, 64);
	if (whim_one_in(e->whim, 8))
		e->regs.size = whim_below(e->whim, 0x2000);
}
