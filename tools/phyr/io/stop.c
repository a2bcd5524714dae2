/* SPDX-License-Identifier: MIT */
/* Ctrl-C: the first asks, the second ends. */
#include <signal.h>

#include "io/io.h"

static bool asked;

static void on_interrupt(int sig)
{
	__atomic_store_n(&asked, true, __ATOMIC_RELAXED);
}

void stop_listen(void)
{
	/* SA_RESETHAND: after the first, the signal does what it does to any process. */
	struct sigaction action = {.sa_handler = on_interrupt,
				   .sa_flags = (int)(SA_RESETHAND | SA_RESTART)};

	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);
}

void stop_ask(void)
{
	__atomic_store_n(&asked, true, __ATOMIC_RELAXED);
}

bool stop_asked(void)
{
	return __atomic_load_n(&asked, __ATOMIC_RELAXED);
}
