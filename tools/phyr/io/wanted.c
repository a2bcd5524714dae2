/* SPDX-License-Identifier: MIT */
/*
 * The kernel wants the device back: its driver is to be unbound, or it is to be removed. A thread sleeps
 * until then, and asks to stop as Ctrl-C does; whoever wants the device waits for that.
 */
#include <sys/eventfd.h>
#include <unistd.h>

#include "io/io.h"

static void *listen_for(void *arg)
{
	struct wanted *w = arg;
	uint64_t times;

	if (read(w->fd, &times, sizeof(times)) != sizeof(times) ||
	    __atomic_load_n(&w->ending, __ATOMIC_RELAXED))
		return NULL;
	stop_ask();
	cli_error(0, COMMAND, "%s: the kernel wants the device back: stopping", w->target);
	return NULL;
}

/* A driver that does not tell is none that can't be used. */
void wanted_begin(struct wanted *w, struct phyr *p, const char *target)
{
	struct phyr_pci *pci = phyr_get_pci(p);

	*w = (struct wanted){.fd = pci ? eventfd(0, EFD_CLOEXEC) : -1, .target = target};
	if (w->fd < 0)
		return;
	w->listens = !phyr_pci_set_request_fd(pci, w->fd) &&
		     !pthread_create(&w->thread, NULL, listen_for, w);
}

void wanted_end(struct wanted *w)
{
	uint64_t once = 1;

	if (w->listens) {
		__atomic_store_n(&w->ending, true, __ATOMIC_RELAXED);
		if (write(w->fd, &once, sizeof(once)) == sizeof(once))
			pthread_join(w->thread, NULL);
	}
	if (w->target && w->fd >= 0)
		close(w->fd);
}
