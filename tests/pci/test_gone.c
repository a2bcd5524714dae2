/* SPDX-License-Identifier: MIT */
/* Mapped registers that vanish: SIGBUS for real, all ones in their place, other SIGBUS handed on. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <phyr/pci.h>

#include "lib/sanitized.h"
#include "pci/fake.h"

static struct tenv t;

static volatile uint32_t *map(struct phyr_pci *pci, struct phyr_regs **regs)
{
	assert_int_equal(phyr_pci_map_bar(pci, 0, regs), 0);
	assert_non_null((*regs)->base);
	return (*regs)->base;
}

static int elsewhere_fd;
static volatile uint32_t *elsewhere; /* memory of nobody's device, past its file's end */

static void make_elsewhere(void)
{
	elsewhere_fd = memfd_create("elsewhere", MFD_CLOEXEC);
	elsewhere = mmap(NULL, 4096, PROT_READ, MAP_SHARED, elsewhere_fd, 0);
}

static void takes_place(const struct sigaction *before)
{
	struct phyr_regs *regs;

	fake_remove(); /* a device of its own, to be spoiled */
	fake_make();
	make_elsewhere();
	sigaction(SIGBUS, before, NULL);
	map(fake_open(&t), &regs);
}

/* What a child does with this handler before ours, as wait() tells it. */
static int child(const struct sigaction *before, void (*does)(void))
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		takes_place(before);
		does();
		_exit(0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static bool dies(int status)
{
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS;
}

static bool ends(int status, int code)
{
	return WIFEXITED(status) && WEXITSTATUS(status) == code;
}

/* In a child, where there is no cmocka to fail for us. */
static void must(bool right, const char *what)
{
	if (right)
		return;
	fprintf(stderr, "not so: %s\n", what);
	_exit(1);
}
#define must(right) must(right, #right)

/* cmocka handles SIGBUS itself, anew in each test; so what ours does is seen in children. */
static void in_child(void (*does)(void))
{
	const struct sigaction dfl = {.sa_handler = SIG_DFL};

	assert_true(ends(child(&dfl, does), 0));
}

static void all_ones(void)
{
	struct phyr_pci *pci = fake_open(&t);
	struct phyr_regs *regs;
	volatile uint32_t *bar = map(pci, &regs);

	must(bar[5] == 0);
	fake_truncate();
	must(!phyr_pci_is_gone(pci));
	errno = 42;
	must(bar[1030] == 0xffffffff);
	must(errno == 42);
	must(phyr_pci_is_gone(pci));
	for (size_t i = 0; i < 16384 / 4; i++)
		must(bar[i] == 0xffffffff);
	must(phyr_pci_set_master(pci, true) == -ENODEV);
	phyr_pci_close(pci);
}

/* A write is what finds out; it stays in its page. */
static void written(void)
{
	struct phyr_pci *pci = fake_open(&t);
	struct phyr_regs *regs;
	volatile uint32_t *bar = map(pci, &regs);

	fake_truncate();
	bar[0] = 1;
	must(phyr_pci_is_gone(pci));
	must(bar[0] == 1);
	must(bar[1] == 0xffffffff);
	must(bar[1024] == 0xffffffff);
	phyr_pci_close(pci);
}

/* More than one step, the last of them cut short. */
static void large(void)
{
	struct phyr_pci *pci;
	struct phyr_regs *regs;
	volatile uint32_t *bar;

	fake.regions[0].size = (5 << 20) + 4096;
	pci = fake_open(&t);
	bar = map(pci, &regs);
	fake_truncate();
	bar[(4 << 20) / 4] = 7; /* in one step, and nowhere else */
	must(bar[0] == 0xffffffff);
	must(bar[(2 << 20) / 4] == 0xffffffff);
	must(bar[(4 << 20) / 4] == 7);
	for (size_t i = 0; i < regs->size / 4; i += 1021)
		must(bar[i] == 0xffffffff || i == (4 << 20) / 4);
	must(bar[regs->size / 4 - 1] == 0xffffffff);
	phyr_pci_close(pci);
}

/* One device's removal is not another's. */
static void two_devices(void)
{
	struct phyr_pci *pci = fake_open(&t), *other = fake_open(&t);
	struct phyr_regs *regs;
	volatile uint32_t *bar;

	map(other, &regs);
	bar = map(pci, &regs);
	fake_truncate();
	must(bar[0] == 0xffffffff);
	must(phyr_pci_is_gone(pci));
	must(!phyr_pci_is_gone(other));
	phyr_pci_close(other);
	must(bar[1] == 0xffffffff);
	phyr_pci_close(pci);
}

struct watcher {
	volatile uint32_t *bar;
	bool wrong;
};

static void *watch(void *arg)
{
	struct watcher *w = arg;

	for (unsigned i = 0; i < 4096; i++) {
		uint32_t now = w->bar[i];

		w->wrong |= now != 5 && now != 0xffffffff;
	}
	return NULL;
}

/* Threads see registers or ones, and nothing in between, while others come and go. */
static void threads(void)
{
	for (unsigned round = 0; round < 50; round++) {
		struct phyr_pci *pci = fake_open(&t), *other;
		struct phyr_regs *regs;
		struct watcher w[4] = {{.bar = map(pci, &regs)}};
		pthread_t ids[4];

		for (unsigned i = 0; i < 4096; i++)
			w[0].bar[i] = 5;
		for (unsigned i = 0; i < 4; i++) {
			w[i].bar = w[0].bar;
			must(pthread_create(&ids[i], NULL, watch, &w[i]) == 0);
		}
		other = fake_open(&t);
		map(other, &regs);
		fake_truncate();
		phyr_pci_close(other);
		for (unsigned i = 0; i < 4; i++) {
			pthread_join(ids[i], NULL);
			must(!w[i].wrong);
		}
		must(w[0].bar[0] == 0xffffffff);
		phyr_pci_close(pci);
		fake_remove();
		fake_make();
	}
}

static void handled(int sig)
{
	_exit(10);
}

static void handled_info(int sig, siginfo_t *info, void *context)
{
	_exit(info->si_addr == (void *)(uintptr_t)elsewhere && context ? 11 : 12);
}

static volatile sig_atomic_t times;

static void counts(int sig)
{
	times++;
}

/* Lets the access succeed, so that the second one can be looked at. */
static void repairs(int sig)
{
	times++;
	if (ftruncate(elsewhere_fd, 4096))
		_exit(13);
}

static void touch_elsewhere(void)
{
	(void)elsewhere[0];
}

static void send(void)
{
	raise(SIGBUS);
}

static void touch_bar(void)
{
	struct phyr_regs *regs;
	volatile uint32_t *bar = map(fake_open(&t), &regs);

	fake_truncate();
	if (bar[0] != 0xffffffff)
		_exit(1);
}

static void handed_to_nobody(void **state)
{
	const struct sigaction dfl = {.sa_handler = SIG_DFL};

	assert_true(dies(child(&dfl, touch_elsewhere)));
	assert_true(dies(child(&dfl, send)));
	assert_true(ends(child(&dfl, touch_bar), 0));
}

static void handed_to_ignore(void **state)
{
	const struct sigaction ign = {.sa_handler = SIG_IGN};

	assert_true(dies(child(&ign, touch_elsewhere)));
	assert_true(ends(child(&ign, send), 0));
	assert_true(ends(child(&ign, touch_bar), 0));
}

static void handed_to_handler(void **state)
{
	const struct sigaction plain = {.sa_handler = handled};
	const struct sigaction info = {.sa_sigaction = handled_info, .sa_flags = SA_SIGINFO};

	assert_true(ends(child(&plain, touch_elsewhere), 10));
	assert_true(ends(child(&plain, send), 10));
	assert_true(ends(child(&plain, touch_bar), 0));
	assert_true(ends(child(&info, touch_elsewhere), 11));
	assert_true(ends(child(&info, send), 12));
	assert_true(ends(child(&info, touch_bar), 0));
}

static void send_twice(void)
{
	raise(SIGBUS);
	if (times != 1)
		_exit(1);
	raise(SIGBUS);
	_exit(times == 2 ? 20 : 1);
}

static void touch_twice(void)
{
	(void)elsewhere[0];
	if (times != 1 || ftruncate(elsewhere_fd, 0))
		_exit(1);
	(void)elsewhere[0];
	_exit(times == 2 ? 20 : 1);
}

static void handed_once(void **state)
{
	struct sigaction once = {.sa_handler = counts};

	assert_true(ends(child(&once, send_twice), 20));
	once.sa_flags = SA_RESETHAND;
	assert_true(dies(child(&once, send_twice)));
	once.sa_handler = repairs;
	assert_true(dies(child(&once, touch_twice)));
	once.sa_flags = 0;
	assert_true(ends(child(&once, touch_twice), 20));
}

static void sees_mask(int sig)
{
	sigset_t now;

	sigprocmask(SIG_BLOCK, NULL, &now);
	/* A sanitizer has its own mask around handlers. */
	_exit(sigismember(&now, SIGUSR1) && (!sigismember(&now, SIGUSR2) || tests_sanitized) ? 30
											     : 31);
}

static void handed_with_mask(void **state)
{
	struct sigaction mask = {.sa_handler = sees_mask};

	sigaddset(&mask.sa_mask, SIGUSR1);
	assert_true(ends(child(&mask, send), 30));
}

static sigjmp_buf back;

static void jumps(int sig)
{
	siglongjmp(back, 1);
}

/* A handler that never returns leaves nothing held: the device can be closed. */
static void jump_and_close(void)
{
	struct phyr_regs *regs;
	struct phyr_pci *pci = fake_open(&t);

	map(pci, &regs);
	if (!sigsetjmp(back, 1))
		touch_elsewhere();
	phyr_pci_close(pci);
	_exit(40);
}

static void handed_to_jump(void **state)
{
	const struct sigaction jump = {.sa_handler = jumps};

	assert_true(ends(child(&jump, jump_and_close), 40));
}

/* A closed device's place is nobody's. */
static void touch_closed(void)
{
	struct phyr_regs *regs;
	struct phyr_pci *pci = fake_open(&t);
	volatile uint32_t *bar = map(pci, &regs);

	phyr_pci_close(pci);
	if (mmap((void *)(uintptr_t)bar, 4096, PROT_READ, MAP_SHARED | MAP_FIXED, elsewhere_fd,
		 0) == MAP_FAILED)
		_exit(1);
	(void)bar[0];
}

static void not_guarded_any_more(void **state)
{
	const struct sigaction plain = {.sa_handler = handled};

	assert_true(ends(child(&plain, touch_closed), 10));
}

/* Nothing can be put in place: as if nobody had tried. */
static void touch_without_pages(void)
{
	struct phyr_regs *regs;
	volatile uint32_t *bar = map(fake_open(&t), &regs);

	fake_truncate();
	for (int fd = 3; fd < 64; fd++)
		close(fd);
	(void)bar[0];
}

static void no_pages(void **state)
{
	const struct sigaction plain = {.sa_handler = handled};

	assert_true(ends(child(&plain, touch_without_pages), 10));
}

static void all_ones_seen(void **state)
{
	in_child(all_ones);
}

static void written_seen(void **state)
{
	in_child(written);
}

static void large_seen(void **state)
{
	in_child(large);
}

static void two_devices_seen(void **state)
{
	in_child(two_devices);
}

static void threads_seen(void **state)
{
	in_child(threads);
}

static int setup(void **state)
{
	tenv_init(&t, NULL);
	fake_make();
	times = 0;
	return 0;
}

static int teardown(void **state)
{
	assert_false(tenv_live(&t));
	fake_remove();
	tenv_fini(&t);
	return 0;
}

int main(void)
{
#define GONE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		GONE(handed_to_nobody),     GONE(handed_to_ignore), GONE(handed_to_handler),
		GONE(handed_once),          GONE(handed_with_mask), GONE(handed_to_jump),
		GONE(not_guarded_any_more), GONE(no_pages),         GONE(all_ones_seen),
		GONE(written_seen),         GONE(large_seen),       GONE(two_devices_seen),
		GONE(threads_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
