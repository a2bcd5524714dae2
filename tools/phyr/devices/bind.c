/* SPDX-License-Identifier: MIT */
/*
 * phyr devices: hand a device to VFIO, and give it back.
 *
 * Both are one change, of driver_override and then of the driver. First everything that speaks against it
 * is looked for; what fails after that is undone, so that a device is either where it was or where it
 * was to go. Signals wait meanwhile.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "devices/devices.h"

#define SYSFS "/sys/bus/pci"

/* The kernel has a driver take a device before the write returns; drivers that go on elsewhere get
 * this long. */
#define BIND_MS   1000
#define UNBIND_MS 300

struct change {
	const struct device *d;
	const char *to; /* driver to have; NULL: whichever the kernel has for it */
	char override[64];
	char driver[32]; /* it has now; empty: none */
	struct claims claims;
};

static void read_driver(struct change *c)
{
	if (link_name(c->driver, sizeof(c->driver), SYSFS "/devices/%s/driver", c->d->name))
		c->driver[0] = '\0';
}

static int set_override(const struct change *c, const char *to)
{
	char line[66];

	snprintf(line, sizeof(line), "%s\n", to);
	return file_write(line, SYSFS "/devices/%s/driver_override", c->d->name);
}

static int release_driver(const struct change *c)
{
	return c->driver[0] ? file_write(c->d->name, SYSFS "/devices/%s/driver/unbind", c->d->name)
			    : 0;
}

static bool is_there(const struct change *c)
{
	return c->to ? !strcmp(c->driver, c->to) : c->driver[0] != '\0';
}

/* Have the kernel look for a driver; no error of its own tells that there is none. */
static int probe(struct change *c, unsigned ms)
{
	static const struct timespec tick = {.tv_nsec = 10000000};
	int err = file_write(c->d->name, SYSFS "/drivers_probe");

	read_driver(c);
	for (unsigned waited = 0; !err && !is_there(c) && waited < ms; waited += 10) {
		nanosleep(&tick, NULL);
		read_driver(c);
	}
	return err;
}

/* Wait for the old driver to go, then let the kernel look. */
static int move(struct change *c)
{
	static const struct timespec tick = {.tv_nsec = 10000000};
	int err = set_override(c, c->to ? c->to : "");

	err = err ? err : release_driver(c);
	claims_release(&c->claims);
	for (unsigned waited = 0; !err && c->driver[0] && waited < BIND_MS; waited += 10) {
		read_driver(c);
		if (c->driver[0])
			nanosleep(&tick, NULL);
	}
	if (!err && c->driver[0])
		err = -EBUSY;
	return err ? err : probe(c, c->to ? BIND_MS : UNBIND_MS);
}

static const char *undo(struct change *c)
{
	const char *old = c->d->info.driver;

	read_driver(c);
	if (strcmp(c->driver, old))
		release_driver(c);
	set_override(c, c->override);
	if (!strcmp(c->driver, old))
		return "it is as it was";
	if (!old[0])
		return "it has no driver, as before";
	c->to = old;
	probe(c, BIND_MS);
	return is_there(c) ? "it is back with its driver"
			   : "and its old driver does not take it back";
}

static int begin(struct change *c)
{
	int err = file_read(c->override, sizeof(c->override), SYSFS "/devices/%s/driver_override",
			    c->d->name);

	if (!strcmp(c->override, "(null)"))
		c->override[0] = '\0';
	read_driver(c);
	return err;
}

/* 0, or an errno, and in *undone how it was undone; the claims are let go. */
static int run_change(struct change *c, const char **undone)
{
	sigset_t all, old;
	int err;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &old);
	err = begin(c);
	err = err ? err : move(c);
	if (!err && (c->to ? !is_there(c) : is_vfio(c->driver)))
		err = -ENXIO;
	claims_release(&c->claims);
	*undone = err ? undo(c) : "";
	sigprocmask(SIG_SETMASK, &old, NULL);
	return err;
}

static int refuse_user(const struct device *d, const char *option)
{
	return geteuid()
		       ? cli_error(EXIT_FAILED, COMMAND, "%s: takes root: sudo phyr devices %s %s",
				   d->name, option, d->name)
		       : 0;
}

static int refuse_used(const struct machine *m, const struct device *d)
{
	char use[400];

	return uses_first(m, d, use, sizeof(use))
		       ? cli_error(EXIT_FAILED, COMMAND, "%s: in use: %s; nothing was changed",
				   d->name, use)
		       : 0;
}

/* A group is opened once, and not while one of its devices is; the kernel knows what processes show not. */
static int refuse_open_group(const struct device *d)
{
	char path[48];
	int fd;

	snprintf(path, sizeof(path), "/dev/vfio/%d", d->info.group);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd >= 0)
		close(fd);
	if (fd >= 0 || errno != EBUSY)
		return 0;
	return cli_error(EXIT_FAILED, COMMAND,
			 "%s: in use: somebody has its group %d open; nothing was changed", d->name,
			 d->info.group);
}

static int may_bind(const struct machine *m, const struct device *d, const char *driver)
{
	char path[80];
	int status = refuse_user(d, "--bind");

	if (status)
		return status;
	if (d->info.bridge)
		return cli_error(EXIT_FAILED, COMMAND,
				 "%s: a bridge, which others need; nothing was changed", d->name);
	status = refuse_used(m, d);
	if (!status && is_vfio(d->info.driver))
		status = refuse_open_group(d);
	if (status)
		return status;
	if (d->info.group < 0)
		return cli_error(EXIT_FAILED, COMMAND,
				 "%s: no IOMMU group, so nothing could guard memory from it; 'phyr "
				 "devices %s' says what to do",
				 d->name, d->name);
	snprintf(path, sizeof(path), SYSFS "/drivers/%s", driver);
	if (access(path, F_OK))
		return cli_error(EXIT_FAILED, COMMAND, "%s: %s is not loaded: modprobe %s", d->name,
				 driver, driver);
	return 0;
}

/* What the user has to do next, if anything. */
static void print_next(uint32_t source)
{
	const struct way *w;
	struct machine m;
	struct ways ways;
	struct device *d;

	if (!machine_read(&m) && (d = machine_find(&m, source))) {
		ways_find(&m, d, &ways);
		w = ways_first(&ways);
		if (w)
			printf("%s: still in the way: %s; 'phyr devices %s' says what to do\n",
			       d->name, w->text, d->name);
		ways_release(&ways);
	}
	machine_release(&m);
}

int devices_bind(struct machine *m, struct device *d, const char *driver)
{
	struct change c = {.d = d, .to = driver};
	const char *undone;
	int err, status;

	if (!strcmp(d->info.driver, driver)) {
		printf("%s: is bound to %s already\n", d->name, driver);
		return 0;
	}
	status = may_bind(m, d, driver);
	status = status ? status : claims_take(m, d, &c.claims);
	if (status)
		return status;
	err = run_change(&c, &undone);
	if (err)
		return cli_error(EXIT_FAILED, COMMAND, "%s: %s: %s; %s", d->name, driver,
				 err == -ENXIO ? "does not take it ('dmesg' may say why)"
					       : strerror(-err),
				 undone);
	printf("%s: bound to %s%s%s\n", d->name, driver, d->info.driver[0] ? "; before: " : "",
	       d->info.driver);
	print_next(d->info.source);
	return 0;
}

int devices_unbind(struct machine *m, struct device *d)
{
	struct change c = {.d = d};
	const char *undone;
	int err, status;

	if (d->info.driver[0] && !is_vfio(d->info.driver)) {
		printf("%s: is with %s already\n", d->name, d->info.driver);
		return 0;
	}
	status = refuse_user(d, "--unbind");
	status = status ? status : refuse_used(m, d);
	status = status ? status : refuse_open_group(d);
	if (status)
		return status;
	err = run_change(&c, &undone);
	if (err)
		return cli_error(EXIT_FAILED, COMMAND, "%s: %s; %s", d->name,
				 err == -ENXIO ? "a driver of VFIO takes it again: its ids= name it"
					       : strerror(-err),
				 undone);
	if (c.driver[0])
		printf("%s: back with %s\n", d->name, c.driver);
	else
		printf("%s: free; no driver of this kernel takes it\n", d->name);
	return 0;
}
