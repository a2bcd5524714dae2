/* SPDX-License-Identifier: MIT */
/* Ctrl-C in phyr io: the first asks, the second ends the process. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/io.h"

/* What a shell's background process inherits is no reason not to listen. */
static void child(unsigned interrupts)
{
	signal(SIGINT, SIG_IGN);
	stop_listen();
	if (stop_asked())
		_exit(1);
	for (unsigned i = 0; i < interrupts; i++)
		raise(SIGINT);
	_exit(stop_asked() ? 2 : 3);
}

static int status_after(unsigned interrupts)
{
	int status = 0;
	pid_t pid = fork();

	if (!pid)
		child(interrupts);
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void none(void **state)
{
	int status = status_after(0);

	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 3);
}

static void one_asks(void **state)
{
	int status = status_after(1);

	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 2);
}

static void two_end(void **state)
{
	int status = status_after(2);

	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGINT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(none),
		cmocka_unit_test(one_asks),
		cmocka_unit_test(two_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
