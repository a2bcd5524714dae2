/* SPDX-License-Identifier: MIT */
/* An I/O queue a thread, each asleep in poll(2) when nothing ends; and a reset while they read. */
#include <errno.h>
#include <phyr/nvme_spec.h>
#include <phyr/phyr.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

enum { THREADS = 3, DEPTH = 8, PAGE = 4096, READS = 3000, DISK = 1 << 24, TIMEOUT_MS = 1000 };

static struct phyr *p;
static struct phyr_dma_map map; /* of a page for each command that may be in flight */

static struct worker {
	struct phyr_nvme_queue *queue;
	unsigned sent, done, again;
	bool busy[DEPTH]; /* a command is in flight to this page */
	int err;
	pthread_t thread;
} workers[THREADS];

static void ended(void *page, const struct phyr_nvme_done *how)
{
	struct worker *w = &workers[(uintptr_t)page / DEPTH];

	w->busy[(uintptr_t)page % DEPTH] = false;
	if (how->err == -ECANCELED) /* a reset: whether it was carried out is not known */
		w->again++;
	else if (how->err)
		w->err = how->err;
	else if (++w->done == READS / 2 && w == workers)
		w->err = phyr_nvme_reset(phyr_get_nvme(p)); /* any thread may, at any time */
}

static int send_one(struct worker *w, unsigned i)
{
	uintptr_t page = (uintptr_t)(w - workers) * DEPTH + i, lba = w->sent * 8 % (DISK / 512);
	struct phyr_cursor cur;
	int err = phyr_dma_map_cursor(&map, page * PAGE, PAGE, &cur);

	if (!err)
		err = phyr_nvme_read(w->queue, lba, &cur, ended, (void *)page);
	w->busy[i] = !err; /* its function is called by a poll, not before */
	w->sent += !err;
	return err == -EAGAIN ? 0 : err; /* a reset: poll, then try again */
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct pollfd pfd = {.fd = phyr_nvme_queue_fd(w->queue), .events = POLLIN};

	while (!w->err && w->done < READS) {
		for (unsigned i = 0; i < DEPTH && !w->err && w->sent - w->again < READS; i++)
			w->err = w->busy[i] ? 0 : send_one(w, i);
		if (!phyr_nvme_poll(w->queue))
			poll(&pfd, 1, TIMEOUT_MS); /* late commands are found by polling alone */
	}
	phyr_nvme_queue_destroy(w->queue); /* what is in flight ends */
	return NULL;
}

static int work_all(void)
{
	struct worker *end = workers;
	int err = 0;

	for (; !err && end < workers + THREADS; end += !err) {
		err = phyr_nvme_queue_create(phyr_get_nvme(p), DEPTH, &end->queue);
		if (!err && (err = -pthread_create(&end->thread, NULL, work, end)))
			phyr_nvme_queue_destroy(end->queue); /* nobody else will */
	}
	for (struct worker *w = workers; w < end; w++) {
		pthread_join(w->thread, NULL);
		printf("%u reads, %u commands lost\n", w->done, w->sent - w->done - w->again);
		err = err ? err : w->err;
	}
	return err;
}

/* A command without a call of its own; its answer lies in the mapped memory. */
static int pass(uint8_t opc, uint32_t nsid, uint32_t cdw10)
{
	struct phyr_nvme_sqe sqe = {.opc = opc, .nsid = nsid, .cdw10 = cdw10};

	return phyr_nvme_submit_sync(phyr_nvme_admin_queue(phyr_get_nvme(p)), &sqe, &map, NULL);
}

int main(void)
{
	static char name[64], buf[THREADS * DEPTH * PAGE] __attribute__((aligned(PAGE)));
	struct phyr_opts opts = {.size = sizeof(opts), .nvme.size = sizeof(opts.nvme)};
	uint32_t log = PHYR_NVME_LOG_CDW10(PHYR_NVME_LOG_SMART, 512), all = PHYR_NVME_NSID_ALL;
	struct phyr_nvme_ctrl_stats stats;
	struct phyr_list list;
	FILE *disk = tmpfile();
	int err;

	opts.nvme.queues = 1 + THREADS, opts.nvme.interrupts = true;
	snprintf(name, sizeof(name), "sim:/proc/self/fd/%d", disk ? fileno(disk) : -1);
	if (!disk || ftruncate(fileno(disk), DISK) || phyr_open(name, &opts, &p))
		return 1;
	err = phyr_list_from_user(p, buf, sizeof(buf), &list);
	err = err ? err : phyr_dma_map(phyr_get_dev(p), &list, PHYR_DMA_FROM_DEVICE, 0, &map);
	if (!err) {
		err = pass(PHYR_NVME_ADMIN_IDENTIFY, 0, PHYR_NVME_CNS_CTRL);
		printf("NVMe %u\n", ((struct phyr_nvme_id_ctrl *)(void *)buf)->ver >> 16);
		err = err || work_all() || pass(PHYR_NVME_ADMIN_GET_LOG_PAGE, all, log);
		phyr_nvme_get_stats(phyr_get_nvme(p), &stats);
		printf("resets: %u; spare: %u %%\n", (unsigned)stats.resets,
		       ((struct phyr_nvme_smart_log *)(void *)buf)->available_spare);
		phyr_dma_unmap(phyr_get_dev(p), &map);
	}
	phyr_list_release(p, &list);
	phyr_close(p);
	return fclose(disk) || err;
}
