/* SPDX-License-Identifier: MIT */
/*
 * The driver on QEMU's controller: what it is told, what it reads, interrupts, queues in threads, a second
 * process, and what that controller does that the simulated one does not.
 */
#include "nvme_rig.h"

#include <errno.h>
#include <phyr/nvme_spec.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void identify_says_what_qemu_was_told(void **state)
{
	struct rig r;

	rig_open(&r, NULL);
	assert_string_equal(r.info->serial, "phyr0001");
	assert_string_equal(r.info->model, "QEMU NVMe Ctrl");
	assert_int_equal(r.info->vendor, 0x1b36); /* Red Hat's */
	assert_int_equal(r.info->block_size, 512);
	assert_int_equal(r.info->nr_blocks, (64 << 20) / 512);
	assert_int_equal(r.info->nsid, 1);
	assert_true(r.info->volatile_cache && r.info->compare && r.info->write_zeroes);
	assert_true(rig_command(&r) & PCI_COMMAND_MASTER);
	rig_close(&r);
}

/* Each word of the image is its number. All of it, by 32 commands at a time. */
static void reads_what_the_image_holds(void **state)
{
	uint64_t slots;
	struct rig r;

	rig_open(&r, NULL);
	slots = r.info->nr_blocks * r.info->block_size / SLOT;
	for (uint64_t at = 0; at < slots; at += SLOTS) {
		struct io ios[SLOTS];

		for (unsigned i = 0; i < SLOTS; i++) {
			ios[i] = (struct io){.rig = &r, .slot = i, .where = at + i};
			assert_int_equal(io_submit(&ios[i]), 0);
		}
		io_wait(&r, ios, SLOTS, 30);
		for (unsigned i = 0; i < SLOTS; i++) {
			assert_int_equal(ios[i].err, 0);
			assert_true(rig_holds(&r, i, at + i, false));
		}
	}
	rig_close(&r);
}

static void writes_are_read_back(void **state)
{
	struct rig r;

	rig_open(&r, NULL);
	rig_fill(&r, 0, 70, true);
	io_do(&r, 0, 70, true);
	rig_close(&r);
	rig_open(&r, NULL); /* another life of the controller */
	io_do(&r, 1, 70, false);
	assert_true(rig_holds(&r, 1, 70, true));
	rig_fill(&r, 0, 70, false);
	io_do(&r, 0, 70, true);
	assert_int_equal(phyr_nvme_flush_sync(r.queue), 0);
	rig_close(&r);
}

/* Queues and PRP lists lie on pages of the controller, whatever its size. */
static void larger_pages(void **state)
{
	struct phyr_opts opts = rig_opts();

	for (unsigned lg2 = 12; lg2 <= 16; lg2++) {
		struct rig r;

		opts.nvme.page_lg2 = lg2;
		rig_open(&r, &opts);
		assert_int_equal(r.info->page_size, 1u << lg2);
		for (unsigned i = 0; i < SLOTS; i++) {
			io_do(&r, i, 3 * i + 1, false);
			assert_true(rig_holds(&r, i, 3 * i + 1, false));
		}
		rig_close(&r);
	}
}

/* Nothing is polled before the descriptor says so. */
static void interrupts_arrive(void **state)
{
	struct phyr_opts opts = rig_opts();
	struct rig r;

	opts.nvme.interrupts = true;
	rig_open(&r, &opts);
	for (unsigned i = 0; i < 20; i++) {
		struct pollfd pfd = {.fd = phyr_nvme_queue_fd(r.queue), .events = POLLIN};
		struct io io = {.rig = &r, .slot = i % SLOTS, .where = i};

		assert_int_equal(io_submit(&io), 0);
		assert_int_equal(poll(&pfd, 1, 5000), 1);
		assert_int_equal(phyr_nvme_poll(r.queue), 1);
		assert_int_equal(io.ended, 1);
		assert_true(rig_holds(&r, io.slot, io.where, false));
	}
	rig_close(&r);
}

/*
 * Queues in threads, each asleep until its own interrupt.
 */

enum { THREADS = 4, EACH = SLOTS / THREADS, READS = 200 };

struct worker {
	struct rig rig; /* the shared one but for the queue */
	unsigned first; /* slot of memory */
	unsigned reads, sleeps, late, wrong;
	int err;
	pthread_t thread;
};

static void read_round(struct worker *w, unsigned round)
{
	struct pollfd pfd = {.fd = phyr_nvme_queue_fd(w->rig.queue), .events = POLLIN};
	struct io ios[EACH];
	unsigned done = 0;

	for (unsigned i = 0; i < EACH; i++) {
		ios[i] = (struct io){.rig = &w->rig,
				     .slot = w->first + i,
				     .where = (round * 37 + w->first * 101 + i) % 512};
		w->err = w->err ? w->err : io_submit(&ios[i]);
	}
	while (!w->err && done < EACH) {
		w->late += poll(&pfd, 1, 5000) != 1;
		w->sleeps++;
		done += phyr_nvme_poll(w->rig.queue);
		if (w->late)
			w->err = -ETIMEDOUT;
	}
	for (unsigned i = 0; i < EACH && !w->err; i++) {
		w->wrong += ios[i].err || !rig_holds(&w->rig, ios[i].slot, ios[i].where, false);
		w->reads++;
	}
}

static void *work(void *arg)
{
	struct worker *w = arg;

	for (unsigned round = 0; round < READS / EACH && !w->err; round++)
		read_round(w, round);
	phyr_nvme_queue_destroy(w->rig.queue);
	return NULL;
}

static void queues_in_threads(void **state)
{
	struct phyr_opts opts = rig_opts();
	struct worker workers[THREADS];
	struct rig r;

	opts.nvme.interrupts = true;
	opts.nvme.queues = 1 + THREADS;
	rig_open(&r, &opts);
	assert_int_equal(r.info->queues, 1 + THREADS);
	for (unsigned i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){.rig = r, .first = i * EACH};
		assert_int_equal(phyr_nvme_queue_create(r.nvme, EACH, &workers[i].rig.queue), 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		assert_int_equal(workers[i].err, 0);
		assert_int_equal(workers[i].reads, READS);
		assert_int_equal(workers[i].wrong, 0);
	}
	rig_close(&r);
}

/* A process of its own, made before there is a device that it would inherit. */
static void second_process_is_told(void **state)
{
	struct phyr_opts opts = rig_opts();
	int go[2], status;
	struct phyr *p;
	struct rig r;
	char byte;
	pid_t pid;

	assert_int_equal(pipe(go), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		if (read(go[0], &byte, 1) != 1)
			_exit(3);
		_exit(phyr_open(rig_target(), &opts, &p) == -EBUSY ? 0 : 1);
	}
	rig_open(&r, NULL);
	assert_int_equal(write(go[1], "", 1), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	io_do(&r, 0, 5, false); /* and the first one goes on */
	assert_true(rig_holds(&r, 0, 5, false));
	rig_close(&r);
	close(go[0]);
	close(go[1]);
}

/*
 * What this controller does in its own way: more queues than were asked for; 0h is no namespace of a log
 * page; an unknown log page is an invalid field; features outlive a reset.
 */
static void its_own_ways_are_lived_with(void **state)
{
	static uint8_t page[4096] __attribute__((aligned(4096)));
	const struct phyr_nvme_smart_log *log = (const void *)page;
	struct phyr_nvme_sqe sqe = {.opc = PHYR_NVME_ADMIN_GET_LOG_PAGE,
				    .cdw10 = PHYR_NVME_LOG_CDW10(PHYR_NVME_LOG_SMART, 512)};
	struct rig r;

	rig_open(&r, NULL);
	assert_int_equal(r.info->queues, 1);
	assert_int_equal(PHYR_NVME_STATUS_CODE(rig_admin(&r, &sqe, page).status),
			 PHYR_NVME_SC_INVALID_NS);
	sqe.nsid = PHYR_NVME_NSID_ALL;
	assert_int_equal(rig_admin(&r, &sqe, page).err, 0);
	assert_int_equal(log->temperature[0] | log->temperature[1] << 8, 323);
	sqe.cdw10 = PHYR_NVME_LOG_CDW10(0x7f, 512);
	assert_int_equal(rig_admin(&r, &sqe, page).err, -EINVAL);
	sqe = (struct phyr_nvme_sqe){.opc = PHYR_NVME_ADMIN_SET_FEATURES,
				     .cdw10 = PHYR_NVME_FEAT_TEMPERATURE,
				     .cdw11 = 333};
	assert_int_equal(rig_admin(&r, &sqe, page).err, 0);
	assert_int_equal(phyr_nvme_reset(r.nvme), 0);
	sqe.opc = PHYR_NVME_ADMIN_GET_FEATURES;
	sqe.cdw11 = 0;
	assert_int_equal(rig_admin(&r, &sqe, page).result, 333);
	sqe.opc = PHYR_NVME_ADMIN_SET_FEATURES;
	sqe.cdw11 = 343;
	assert_int_equal(rig_admin(&r, &sqe, page).err, 0);
	rig_close(&r);
}

/* A range past the end is the driver's to refuse: this controller says that all is well. */
static void deallocate_past_the_end(void **state)
{
	struct rig r;

	rig_open(&r, NULL);
	assert_true(r.info->deallocate);
	assert_int_equal(phyr_nvme_deallocate(r.queue, r.info->nr_blocks, 8, NULL, NULL), -ERANGE);
	io_do(&r, 0, r.info->nr_blocks * r.info->block_size / SLOT - 1, false);
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(identify_says_what_qemu_was_told),
		cmocka_unit_test(reads_what_the_image_holds),
		cmocka_unit_test(writes_are_read_back),
		cmocka_unit_test(larger_pages),
		cmocka_unit_test(interrupts_arrive),
		cmocka_unit_test(queues_in_threads),
		cmocka_unit_test(second_process_is_told),
		cmocka_unit_test(its_own_ways_are_lived_with),
		cmocka_unit_test(deallocate_past_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
