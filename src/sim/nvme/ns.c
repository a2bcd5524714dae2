/* SPDX-License-Identifier: MIT */
/* The controller's namespaces: of which files they are made, and which identifier is whose. */
#include "sim/nvme/nvme.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "core/env.h"
#include "sim/mix.h"

/* O_APPEND would have each write go to the end, whatever its place. */
static const char *check_access(const struct sim_nvme_ns *ns)
{
	int flags = fcntl(ns->fd, F_GETFL);

	if (flags < 0)
		return "fd is not open";
	if ((flags & O_ACCMODE) == O_WRONLY)
		return "fd is open for writing only; open it for reading too";
	if (!ns->read_only && (flags & O_ACCMODE) == O_RDONLY)
		return "fd is open for reading only; set read_only";
	if (!ns->read_only && flags & O_APPEND)
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

static const char *take_size(struct sim_nvme_ns *ns, const struct stat *st)
{
	if (!S_ISREG(st->st_mode))
		return "fd is not a regular file";
	ns->bytes = (uint64_t)st->st_size;
	if (!ns->bytes || ns->bytes & (((uint64_t)1 << ns->block_lg2) - 1))
		return "the file's size is not a whole number of blocks, at least one";
	return NULL;
}

/* One file under two identifiers would be two namespaces with one name and one set of blocks. */
static bool is_taken(const struct sim_nvme *n, const struct sim_nvme_ns *ns)
{
	for (const struct sim_nvme_ns *other = n->ns; other < ns; other++) {
		if (other->fd >= 0 && !memcmp(other->uuid, ns->uuid, sizeof(ns->uuid)))
			return true;
	}
	return false;
}

static const char *take_file(struct sim_nvme *n, struct sim_nvme_ns *ns)
{
	const char *wrong = check_access(ns);
	struct stat st;

	if (!wrong && fstat(ns->fd, &st))
		wrong = "fd can't be asked for its size";
	if (!wrong)
		wrong = take_size(ns, &st);
	if (wrong)
		return wrong;
	make_uuid(ns->uuid, &st, 0);
	return is_taken(n, ns) ? "the file is a namespace of this controller already" : NULL;
}

static const char *take_ns(struct sim_nvme *n, struct sim_nvme_ns *ns,
			   const struct phyr_sim_nvme_ns *from)
{
	ns->fd = from->fd;
	ns->read_only = from->read_only;
	ns->block_lg2 = from->block_lg2 ? from->block_lg2 : 9;
	if (ns->block_lg2 != 9 && ns->block_lg2 != 12 && ns->block_lg2 != 13 && ns->block_lg2 != 16)
		return "block_lg2 is 9, 12, 13 or 16";
	return ns->fd == -1 && ns > n->ns ? NULL : take_file(n, ns);
}

const char *phyr_sim_nvme_take_files(struct sim_nvme *n, uint32_t source,
				     const struct phyr_sim_nvme_config *config)
{
	struct phyr_sim_nvme_ns first = {config->fd, config->read_only, config->block_lg2};
	const char *wrong = take_ns(n, &n->ns[0], &first);
	struct stat st;

	for (uint32_t i = 1; i < n->nr_ns && !wrong; i++)
		wrong = take_ns(n, &n->ns[i], &config->more[i - 1]);
	if (!wrong && !fstat(config->fd, &st))
		make_uuid(n->subsystem, &st, (uint64_t)1 << 32 | source);
	return wrong;
}

/* Base 3.2.1.2-4: an identifier that can be none, and one that is not in use. */
unsigned phyr_sim_nvme_find_ns(const struct sim_nvme *n, uint32_t nsid, struct sim_nvme_ns **ns)
{
	if (!nsid || nsid > n->nr_ns)
		return NVME_INVALID_NAMESPACE;
	if (n->ns[nsid - 1].fd < 0)
		return NVME_INVALID_FIELD;
	*ns = &n->ns[nsid - 1];
	return NVME_SUCCESS;
}
