/* SPDX-License-Identifier: MIT */
/*
 * Interrupts as eventfds: one a queue, written by whoever delivers the vector, and by the driver when
 * a reset leaves something to see.
 *
 * A poll empties it before it looks into the ring: what completes after the look makes it readable
 * again.
 */
#include "nvme/ctrl.h"

#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Sleeps are short: a lost interrupt costs no more, and late commands are found in time. */
#define REST_MS       10
#define REST_MS_ADMIN 1 /* other threads take completions there, too */

int phyr_nvme_vector_init(struct phyr_nvme_queue *queue, const char *call)
{
	struct phyr_nvme *nvme = queue->nvme;
	int fd, err;

	if (!nvme->opts.interrupts)
		return 0;
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fd < 0)
		return env_fail(nvme->env, .err = -errno, .call = call,
				.hint = "no eventfd for a queue's interrupts");
	err = nvme->opts.set_vector_fd(nvme->opts.vector_arg, queue->ring.qid, fd);
	if (err) {
		close(fd);
		return env_fail(nvme->env, .err = err, .call = call, .index = queue->ring.qid,
				.index_of = "vector",
				.hint = "opts.set_vector_fd cannot connect the vector");
	}
	/* Whoever wakes all queues may find this one in the table already. */
	env_lock(nvme->env, &nvme->lock);
	queue->fd = fd;
	env_unlock(nvme->env, &nvme->lock);
	return 0;
}

void phyr_nvme_vector_fini(struct phyr_nvme_queue *queue)
{
	struct phyr_nvme *nvme = queue->nvme;

	if (queue->fd < 0)
		return;
	nvme->opts.set_vector_fd(nvme->opts.vector_arg, queue->ring.qid, -1);
	close(queue->fd);
	queue->fd = -1;
}

/* A counter that is full is readable already. */
void phyr_nvme_vector_set(const struct phyr_nvme_queue *queue)
{
	uint64_t one = 1;

	if (queue->fd >= 0 && write(queue->fd, &one, sizeof(one)) < 0)
		return;
}

/* One that is empty has nothing to be taken. */
void phyr_nvme_vector_clear(const struct phyr_nvme_queue *queue)
{
	uint64_t count;

	if (queue->fd >= 0 && read(queue->fd, &count, sizeof(count)) < 0)
		return;
}

void phyr_nvme_rest(struct phyr_nvme_queue *queue)
{
	struct phyr_nvme *nvme = queue->nvme;
	struct pollfd pfd = {.fd = queue->fd, .events = POLLIN};

	if (nvme->opts.wait)
		return;
	if (queue->fd < 0)
		sched_yield();
	else
		poll(&pfd, 1, queue == &nvme->admin ? REST_MS_ADMIN : REST_MS);
}
