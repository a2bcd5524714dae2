/* SPDX-License-Identifier: MIT */
/* Questions about asynchronous events and Abort. */
#include "probe.h"

#include <stdio.h>
#include <string.h>

#define EVENT sqe(.opc = PHYR_NVME_ADMIN_ASYNC_EVENT)

static struct phyr_nvme_sqe set(uint32_t fid, uint32_t cdw11)
{
	return sqe(.opc = PHYR_NVME_ADMIN_SET_FEATURES, .cdw10 = fid, .cdw11 = cdw11);
}

static struct phyr_nvme_sqe read_log(struct probe *h, uint32_t lid, uint32_t flags)
{
	return sqe(.opc = PHYR_NVME_ADMIN_GET_LOG_PAGE, .nsid = PHYR_NVME_NSID_ALL,
		   .prp1 = h->buf_dma, .cdw10 = PHYR_NVME_LOG_CDW10(lid, 512) | flags);
}

static void say_taken(struct probe *h, const char *name)
{
	struct answer a = take(h, &h->admin, true);

	say_name("%s", name);
	say_answer(a);
}

/* It is out when a later command has ended. */
static void request(struct probe *h)
{
	push(h, &h->admin, EVENT);
	ring(h, &h->admin);
	must(h, &h->admin,
	     sqe(.opc = PHYR_NVME_ADMIN_GET_FEATURES, .cdw10 = PHYR_NVME_FEAT_ASYNC_EVENT));
}

/* One more than may be out (AERL), and what becomes of the others. */
static void ask_limit(struct probe *h)
{
	unsigned limit;
	struct answer a;

	host_on(h);
	must(h, &h->admin,
	     sqe(.opc = PHYR_NVME_ADMIN_IDENTIFY, .prp1 = h->buf_dma, .cdw10 = PHYR_NVME_CNS_CTRL));
	limit = ((const struct phyr_nvme_id_ctrl *)(const void *)h->buf)->aerl + 1u;
	say("event.limit %u", limit);
	for (unsigned i = 0; i <= limit; i++)
		push(h, &h->admin, EVENT);
	ring(h, &h->admin);
	a = take(h, &h->admin, true);
	say_name("event.one.too.many");
	say_answer(a);
	say("event.one.too.many.is %s", a.cid == h->cid ? "the last" : "another");
	say_taken(h, "event.others");
	host_on(h);
	say_taken(h, "event.after.reset");
}

/* A temperature that is passed; told once; told again when the log was read, or set anew. */
static void ask_temperature(struct probe *h)
{
	host_on(h);
	must(h, &h->admin, set(PHYR_NVME_FEAT_ASYNC_EVENT, 0xff));
	request(h);
	tell(h, &h->admin, set(PHYR_NVME_FEAT_TEMPERATURE, 200), "event.temperature.set");
	say_taken(h, "event.temperature");
	request(h);
	say_taken(h, "event.temperature.masked");
	must(h, &h->admin, read_log(h, PHYR_NVME_LOG_SMART, PHYR_NVME_LOG_RAE));
	say("smart.hot.warning %02x", h->buf[0]);
	say_taken(h, "event.temperature.retained");
	must(h, &h->admin, read_log(h, PHYR_NVME_LOG_SMART, 0));
	say_taken(h, "event.temperature.log.read");
	must(h, &h->admin, set(PHYR_NVME_FEAT_TEMPERATURE, 400));
	must(h, &h->admin, set(PHYR_NVME_FEAT_TEMPERATURE, 200));
	say_taken(h, "event.temperature.again");
	host_on(h);
	must(h, &h->admin, set(PHYR_NVME_FEAT_ASYNC_EVENT, 0));
	request(h);
	must(h, &h->admin, set(PHYR_NVME_FEAT_TEMPERATURE, 200));
	say_taken(h, "event.temperature.not.wanted");
}

/* Errors have no bit of their own. The same again is masked until the error log was read. */
static void ask_doorbell_events(struct probe *h)
{
	host_on(h);
	ring_sq(h, 9, 1);
	request(h);
	say_taken(h, "event.doorbell.before.request");
	host_on(h);
	request(h);
	ring_sq(h, 9, 1);
	say_taken(h, "event.doorbell");
	request(h);
	ring_sq(h, 9, 1);
	say_taken(h, "event.doorbell.masked");
	must(h, &h->admin, read_log(h, PHYR_NVME_LOG_ERROR, 0));
	say_taken(h, "event.doorbell.log.read");
	ring_sq(h, 9, 1);
	say_taken(h, "event.doorbell.again");
}

void ask_events(struct probe *h)
{
	struct phyr_nvme_sqe cmd = EVENT;

	ask_limit(h);
	ask_temperature(h);
	ask_doorbell_events(h);
	host_on(h);
	cmd.nsid = 1;
	tell(h, &h->admin, cmd, "event.nsid.1");
	host_on(h);
	cmd = EVENT;
	cmd.cdw10 = cmd.cdw11 = UINT32_MAX;
	tell(h, &h->admin, cmd, "event.reserved");
}

static void try_abort(struct probe *h, const char *name, uint32_t sqid, uint32_t cid)
{
	tell(h, &h->admin,
	     sqe(.opc = PHYR_NVME_ADMIN_ABORT, .cdw10 = PHYR_NVME_CDW10_ABORT(sqid, cid)),
	     "abort.%s", name);
}

void ask_abort(struct probe *h)
{
	uint16_t cid;

	host_io(h);
	try_abort(h, "no.such.command", 1, 0x7777);
	try_abort(h, "no.such.queue", 5, 0x7777);
	try_abort(h, "queue.ffff", 0xffff, 0x7777);
	try_abort(h, "admin.no.such.command", 0, 0x7777);
	try_abort(h, "itself", 0, h->cid + 1u);
	must(h, &h->io, rw(h, PHYR_NVME_CMD_READ, 0, 1));
	try_abort(h, "ended", 1, h->cid);
	cid = push(h, &h->admin, EVENT);
	ring(h, &h->admin);
	push(h, &h->admin,
	     sqe(.opc = PHYR_NVME_ADMIN_ABORT, .cdw10 = PHYR_NVME_CDW10_ABORT(0, cid)));
	ring(h, &h->admin);
	say_taken(h, "abort.event.request.first");
	say_taken(h, "abort.event.request.second");
}
