/* SPDX-License-Identifier: MIT */
/*
 * A simulated NVMe controller over a file, by the specifications: it stands on the public device
 * interface and shares nothing with the driver, so that each proves the other.
 *
 *   nvme_regs.c      properties, enabling, reset, shutdown
 *   nvme_queue.c     rings, doorbells, whose turn it is, interrupts
 *   nvme_prp.c       from PRP entries to pieces of memory
 *   nvme_admin.c     queues and features      nvme_identify.c  what it is
 *   nvme_io.c        read, write, flush
 *
 * A step is one change of state or one whole command; register accesses wait no longer than that.
 */
#include "sim/nvme.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "core/env.h"
#include "sim/machine.h"
#include "sim/mix.h"

static bool step(void *priv)
{
	struct sim_nvme *n = priv;

	phyr_sim_nvme_raise_unmasked(n);
	if (phyr_sim_nvme_change_state(n))
		return true;
	if (!n->enabled || n->fatal || n->shutdown != NVME_SHST_NORMAL)
		return false;
	return phyr_sim_nvme_run_one(n);
}

static const struct phyr_sim_dev_ops ops = {
	.mmio_read = phyr_sim_nvme_mmio_read,
	.mmio_write = phyr_sim_nvme_mmio_write,
	.step = step,
};

static unsigned or_default(unsigned value, unsigned if_zero)
{
	return value ? value : if_zero;
}

/* @return what is wrong, or NULL */
static const char *take_config(struct sim_nvme *n, const struct phyr_sim_nvme_config *config)
{
	n->fd = config->fd;
	n->read_only = config->read_only;
	n->block_lg2 = or_default(config->block_lg2, 9);
	n->mdts = or_default(config->mdts, 8);
	n->mps_min_lg2 = or_default(config->mps_min_lg2, 12);
	n->mps_max_lg2 = or_default(config->mps_max_lg2, 16);
	n->max_queues = or_default(config->queues, 64);
	n->max_entries = or_default(config->queue_entries, 1024);
	if (n->block_lg2 != 9 && n->block_lg2 != 12)
		return "block_lg2 is 9 or 12";
	if (n->mdts > 31)
		return "mdts is 31 at most";
	if (n->mps_min_lg2 < 12 || n->mps_max_lg2 > 16 || n->mps_min_lg2 > n->mps_max_lg2)
		return "controller pages are 2^12 to 2^16 bytes, mps_min_lg2 not above mps_max_lg2";
	if (n->max_queues > 65535)
		return "queues is 65535 at most";
	if (n->max_entries < 2 || n->max_entries > 65536)
		return "queue_entries is 2 to 65536";
	return NULL;
}

/* O_APPEND would have each write go to the end, whatever its place. */
static const char *check_access(const struct sim_nvme *n)
{
	int flags = fcntl(n->fd, F_GETFL);

	if (flags < 0)
		return "fd is not open";
	if ((flags & O_ACCMODE) == O_WRONLY)
		return "fd is open for writing only; open it for reading too";
	if (!n->read_only && (flags & O_ACCMODE) == O_RDONLY)
		return "fd is open for reading only; set read_only";
	if (!n->read_only && flags & O_APPEND)
		return "fd is open for appending; open it without O_APPEND";
	return NULL;
}

/* The same file gives the same UUID: version 8, variant 10b (RFC 9562). */
static void make_uuid(uint8_t *uuid, const struct stat *st, uint64_t salt)
{
	uint64_t half[2];

	half[0] = sim_mix((uint64_t)st->st_dev + sim_mix(salt));
	half[1] = sim_mix((uint64_t)st->st_ino + half[0]);
	memcpy(uuid, half, sizeof(half));
	uuid[6] = (uuid[6] & 0x0f) | 0x80;
	uuid[8] = (uuid[8] & 0x3f) | 0x80;
}

static const char *take_file(struct sim_nvme *n, uint32_t source)
{
	uint64_t bytes;
	struct stat st;

	if (fstat(n->fd, &st) || !S_ISREG(st.st_mode))
		return "fd is not a regular file";
	bytes = (uint64_t)st.st_size;
	if (!bytes || bytes & (((uint64_t)1 << n->block_lg2) - 1))
		return "the file's size is not a whole number of blocks, at least one";
	n->blocks = bytes >> n->block_lg2;
	make_uuid(n->uuid, &st, 0);
	make_uuid(n->subsystem, &st, (uint64_t)1 << 32 | source);
	return NULL;
}

static const char *check(struct sim_nvme *n, uint32_t source,
			 const struct phyr_sim_nvme_config *config)
{
	const char *wrong;

	if (!config || config->size != sizeof(*config))
		return "config->size is not sizeof(struct phyr_sim_nvme_config)";
	wrong = take_config(n, config);
	if (!wrong)
		wrong = check_access(n);
	if (!wrong)
		wrong = take_file(n, source);
	return wrong;
}

static void free_controller(struct sim_nvme *n)
{
	size_t nr = n->max_queues + 1;

	env_free(n->env, n->sqs, nr * sizeof(*n->sqs));
	env_free(n->env, n->cqs, nr * sizeof(*n->cqs));
	env_free(n->env, n, sizeof(*n));
}

/* A controller in its state after power on. @return NULL: no memory */
static struct sim_nvme *alloc_controller(const struct sim_nvme *settings)
{
	struct phyr_env *env = settings->env;
	struct sim_nvme *n = env_alloc(env, sizeof(*n));
	size_t nr = settings->max_queues + 1;

	if (!n)
		return NULL;
	*n = *settings;
	n->sqs = env_alloc(env, nr * sizeof(*n->sqs));
	n->cqs = env_alloc(env, nr * sizeof(*n->cqs));
	if (!n->sqs || !n->cqs) {
		free_controller(n);
		return NULL;
	}
	phyr_sim_nvme_reset(n);
	return n;
}

int phyr_sim_nvme_create(struct phyr_sim *sim, uint32_t source,
			 const struct phyr_sim_nvme_config *config, struct phyr_sim_dev **out)
{
	struct sim_nvme settings = {.env = phyr_sim_env(sim)};
	const char *wrong = check(&settings, source, config);
	struct sim_nvme *n;
	int err;

	if (wrong)
		return env_fail(settings.env, .err = -EINVAL, .call = "phyr_sim_nvme_create",
				.hint = wrong);
	n = alloc_controller(&settings);
	if (!n)
		return env_fail(settings.env, .err = -ENOMEM, .call = "phyr_sim_nvme_create",
				.hint = "no memory for the controller's queues");
	err = phyr_sim_dev_add(sim, &ops, n, source, &n->sdev);
	if (err) {
		free_controller(n);
		return err;
	}
	*out = n->sdev;
	return 0;
}

void phyr_sim_nvme_destroy(struct phyr_sim_dev *sdev)
{
	struct sim_nvme *n;

	if (!sdev)
		return;
	n = sdev->priv;
	phyr_sim_dev_remove(sdev);
	free_controller(n);
}
