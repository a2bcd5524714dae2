/* SPDX-License-Identifier: MIT */
/* Targets "sim:FILE", a simulated machine with an NVMe controller over a file, and "sim:", one with a
 * device of the opener's own. */
#include <phyr/sim.h>

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include "open.h"

#define BLOCK_SIZE 512 /* of the simulated controller, by default */

/* Devices sit alone on their buses, as behind root ports: source ids 01:00.0, 02:00.0, … */
#define FIRST_SOURCE 0x0100
#define LAST_SOURCE  0xff00

static const char *open_hint(int err)
{
	switch (err) {
	case -ENOENT:
		return "no such file";
	case -EACCES:
	case -EPERM:
	case -EROFS:
		return "no right to open the file";
	default:
		return "the file cannot be opened";
	}
}

static int check_file(struct phyr *p)
{
	struct stat st;
	off_t size;

	if (fstat(p->fd, &st))
		return open_error(p, -errno, "the file cannot be looked at");
	if (!S_ISREG(st.st_mode))
		return open_error(p, -EINVAL, "not a regular file");
	size = st.st_size;
	if (size < BLOCK_SIZE)
		return open_error(p, -EINVAL, "the file is smaller than a block of 512 bytes");
	if (size % BLOCK_SIZE)
		return open_error(p, -EINVAL, "the file's size is no multiple of 512 bytes");
	return 0;
}

static int open_file(struct phyr *p, const char *name)
{
	int err;

	/* What is no file must not be waited for: a pipe nobody writes to, a terminal. */
	p->fd = open(name,
		     (p->opts.writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (p->fd < 0) {
		err = -errno;
		return open_error(p, err, open_hint(err));
	}
	return check_file(p);
}

static int get_machine(struct phyr *p)
{
	/* Narrow addresses, that tables of each format can hold. */
	struct phyr_sim_config config = {.size = sizeof(config), .oa_bits = 40};
	int err;

	p->sim = p->opts.sim;
	if (p->sim)
		return 0;
	err = phyr_sim_create(&config, &p->sim);
	if (err)
		return open_error(p, err, "the simulated machine cannot be made");
	return 0;
}

static int add_controller(struct phyr *p)
{
	struct phyr_sim_nvme_config config = {
		.size = sizeof(config), .fd = p->fd, .read_only = !p->opts.writable};

	return phyr_sim_nvme_create(p->sim, p->source, &config, &p->sdev);
}

static int add_own(struct phyr *p)
{
	static const struct phyr_sim_dev_ops no_registers;
	const struct phyr_sim_dev_ops *ops = p->opts.sim_ops ? p->opts.sim_ops : &no_registers;

	return phyr_sim_dev_add(p->sim, ops, p->opts.sim_priv, p->source, &p->sdev);
}

/* Two targets on a machine are two devices: take the first source id that is free. */
static int add_device(struct phyr *p)
{
	int err = -EEXIST;

	for (p->source = FIRST_SOURCE; p->source <= LAST_SOURCE; p->source += 0x100) {
		err = p->has_nvme ? add_controller(p) : add_own(p);
		if (err != -EEXIST)
			break;
	}
	if (err == -EEXIST)
		return open_error(p, -ENOSPC, "the machine has no source id left for a device");
	if (err)
		return open_error(p, err, "the simulated device cannot be made");
	return 0;
}

static int make_backend(struct phyr *p)
{
	struct phyr_soft_config config = {.size = sizeof(config), .format = p->opts.format};
	int err;

	if (p->opts.iommu == PHYR_IOMMU_NONE) {
		phyr_sim_dev_set_iommu(p->sdev, false);
		err = phyr_direct_create(&p->env, &p->iommu);
	} else {
		err = phyr_soft_create(&p->env, phyr_sim_iommu(p->sim), &config, &p->iommu);
	}
	return err ? open_error(p, err, "the backend cannot be made") : 0;
}

/* In the device's thread; a counter that is full is readable already. */
static void irq(void *arg, unsigned vector)
{
	uint64_t one = 1;

	if (write((int)(intptr_t)arg, &one, sizeof(one)) < 0)
		return;
}

static int set_vector_fd(void *arg, unsigned vector, int fd)
{
	struct phyr *p = arg;

	return phyr_sim_set_irq(p->sdev, vector, fd < 0 ? NULL : irq, (void *)(intptr_t)fd);
}

/* A machine with a thread of its own has nothing to step: let that thread run. */
static void step(void *sim)
{
	if (!phyr_sim_step(sim))
		sched_yield();
}

/* Options that mean nothing for this target are refused, rather than passed over. */
static int check_opts(struct phyr *p)
{
	const struct phyr_opts *o = &p->opts;

	if (p->has_nvme && (o->sim_ops || o->sim_priv))
		return open_error(p, -EINVAL,
				  "opts->sim_ops and sim_priv go with \"sim:\", without a FILE");
	if (!p->has_nvme && (o->nvme.size || o->depth || o->writable))
		return open_error(
			p, -EINVAL,
			"opts->nvme, depth and writable are for a controller: sim: without "
			"a FILE has none");
	if (o->iommu > PHYR_IOMMU_SOFT)
		return open_error(p, -EOPNOTSUPP,
				  "vfio and iommufd are for real devices: opts->iommu is default, "
				  "none or soft");
	if (o->iommu == PHYR_IOMMU_NONE && o->format)
		return open_error(p, -EINVAL,
				  "opts->format is an IOMMU's, and there is to be none");
	return 0;
}

static int sim_open(struct phyr *p, const char *what)
{
	int err;

	p->has_nvme = *what;
	err = check_opts(p);
	if (!err && p->has_nvme)
		err = open_file(p, what);
	if (!err)
		err = get_machine(p);
	if (err)
		return err;
	phyr_env_wrap(p, phyr_sim_env(p->sim));
	p->space = phyr_sim_space(p->sim);
	err = add_device(p);
	return err ? err : make_backend(p);
}

static int sim_attached(struct phyr *p)
{
	p->regs = phyr_sim_dev_regs(p->sdev);
	phyr_take_vectors(p, set_vector_fd, p, PHYR_SIM_VECTORS);
	/* Who waits for interrupts sleeps, unless the machine may be one that he must step. */
	if (!p->opts.nvme.wait && !(p->opts.nvme.interrupts && !p->opts.sim)) {
		p->opts.nvme.wait = step;
		p->opts.nvme.wait_arg = p->sim;
	}
	return 0;
}

/* What attached did is gone with the device. */
static void sim_detaching(struct phyr *p)
{
}

static void sim_close(struct phyr *p)
{
	phyr_iommu_destroy(p->iommu);
	if (p->has_nvme)
		phyr_sim_nvme_destroy(p->sdev);
	else
		phyr_sim_dev_remove(p->sdev);
	if (!p->opts.sim)
		phyr_sim_destroy(p->sim);
	if (p->fd >= 0)
		close(p->fd);
}

static int sim_pin(struct phyr *p, void *ptr, uint64_t len, struct phyr_list *list)
{
	return phyr_sim_pin(p->sim, ptr, len, list);
}

static void sim_unpin(struct phyr *p, const struct phyr_list *list)
{
	phyr_sim_unpin(p->sim, list);
}

const struct place phyr_place_sim = {
	.name = "sim",
	.open = sim_open,
	.close = sim_close,
	.attached = sim_attached,
	.detaching = sim_detaching,
	.pin = sim_pin,
	.unpin = sim_unpin,
};
