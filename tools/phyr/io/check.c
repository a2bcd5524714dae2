/* SPDX-License-Identifier: MIT */
/* phyr io: what of the user's wishes makes no sense, whatever the target is like. */
#include <string.h>

#include "io/io.h"

static int check_target(const struct io_opts *opts)
{
	uint32_t source;

	if (!opts->target)
		return cli_error(EXIT_USAGE, COMMAND, "no target; as in 'phyr io sim:disk.img'");
	if (opts->pci && phyr_pci_parse(opts->file, &source))
		return cli_error(EXIT_USAGE, COMMAND,
				 "target '%s': not a PCI address, such as pci:0000:01:00.0",
				 opts->target);
	if (!opts->pci && (strncmp(opts->target, "sim:", 4) || !opts->target[4]))
		return cli_error(EXIT_USAGE, COMMAND,
				 "target '%s': neither sim:FILE nor pci:ADDRESS", opts->target);
	return 0;
}

static int check_iommu(struct io_opts *opts)
{
	enum phyr_iommu_choice iommu = opts->iommu;
	bool real = iommu == PHYR_IOMMU_VFIO || iommu == PHYR_IOMMU_IOMMUFD;

	if (iommu == PHYR_IOMMU_DEFAULT) {
		opts->iommu = opts->pci ? PHYR_IOMMU_DEFAULT : PHYR_IOMMU_SOFT;
		return 0;
	}
	if (opts->pci && !real)
		return cli_error(EXIT_USAGE, COMMAND,
				 "--iommu %s: a real device is behind the kernel's IOMMU: vfio or "
				 "iommufd",
				 io_iommu_names[iommu]);
	if (!opts->pci && real)
		return cli_error(EXIT_USAGE, COMMAND,
				 "--iommu %s is for a real device, pci:ADDRESS; on sim: soft or "
				 "none",
				 io_iommu_names[iommu]);
	return 0;
}

/* What only a simulated machine has. */
static int check_sim(const struct io_opts *opts)
{
	if (opts->pci && opts->scatter_given)
		return cli_error(EXIT_USAGE, COMMAND,
				 "--scatter is for sim:FILE; a real machine's memory lies as it "
				 "does");
	if (opts->format && opts->iommu != PHYR_IOMMU_SOFT)
		return cli_error(EXIT_USAGE, COMMAND,
				 "--format is of phyr's own page tables: sim:FILE with --iommu "
				 "soft");
	if (opts->pci && opts->create)
		return cli_error(EXIT_USAGE, COMMAND, "--create is for sim:FILE");
	return 0;
}

/* A checksum is of all the data, once, in order. */
static int check_checksum(const struct io_opts *opts)
{
	if (!opts->checksum)
		return 0;
	if (opts->rw != RW_READ)
		return cli_error(EXIT_USAGE, COMMAND, "--checksum needs --rw read");
	if (opts->io_size || opts->runtime_ns)
		return cli_error(EXIT_USAGE, COMMAND,
				 "--checksum reads all of --size once; leave %s out",
				 opts->io_size ? "--io-size" : "--runtime");
	if (opts->threads > 1)
		return cli_error(EXIT_USAGE, COMMAND,
				 "--checksum takes the data in order, by one thread; leave "
				 "--threads out");
	return 0;
}

static int check_writes(const struct io_opts *opts)
{
	if (opts->trim && !rw_writes(opts->rw))
		return cli_error(EXIT_USAGE, COMMAND,
				 "--trim is a share of writes: --rw write, randwrite or randrw");
	if (rw_writes(opts->rw) && !opts->destroy_data && !opts->create)
		return cli_error(EXIT_USAGE, COMMAND,
				 "--rw %s would overwrite %s; say --destroy-data to allow it%s",
				 io_rw_names[opts->rw], opts->pci ? opts->target : opts->file,
				 opts->pci ? "" : ", or --create SIZE for a new file");
	if (opts->create && opts->size > opts->create)
		return cli_error(EXIT_USAGE, COMMAND, "--size is beyond what --create makes");
	if (opts->create % 512)
		return cli_error(EXIT_USAGE, COMMAND, "--create: a multiple of 512 bytes");
	return 0;
}

int io_check(struct io_opts *opts)
{
	int err = check_target(opts);

	err = err ? err : check_iommu(opts);
	err = err ? err : check_sim(opts);
	err = err ? err : check_checksum(opts);
	return err ? err : check_writes(opts);
}
