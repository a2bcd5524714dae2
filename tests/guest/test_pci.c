/* SPDX-License-Identifier: MIT */
/* PCI devices that Linux lends: QEMU's edu, NVMe and shared memory, by the kernel backend of the guest. */
#define _GNU_SOURCE /* close_range() */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <phyr/backend.h>
#include <phyr/dma.h>
#include <phyr/nvme.h>
#include <phyr/pci.h>

/* QEMU's docs/specs/edu.txt */
#define EDU_ID         0x00
#define EDU_INVERT     0x04
#define EDU_FACTORIAL  0x08
#define EDU_STATUS     0x20
#define EDU_RAISE      0x60
#define EDU_ACK        0x64
#define EDU_DMA_SOURCE 0x80
#define EDU_DMA_TARGET 0x88
#define EDU_DMA_COUNT  0x90
#define EDU_DMA_START  0x98
#define EDU_TO_RAM     3u
#define EDU_BUFFER     0x40000u

#define CAP_MSI   0x05
#define CAP_PCIE  0x10
#define CAP_MSIX  0x11
#define MSIX_ON   0x8000u
#define MASTER    0x4u
#define MEMORY    0x2u
#define NVME_CAP  0x00
#define NVME_CSTS 0x1c

struct rig {
	struct phyr_iommu *iommu;
	struct phyr_domain *domain;
	struct phyr_dev *dev;
	struct phyr_pci *pci;
	uint32_t source;
};

static void report(struct phyr_env *env, const struct phyr_report *r)
{
	char line[512];

	phyr_report_format(r, line, sizeof(line));
	printf("reported: %s\n", line);
}

static struct phyr_env *env(void)
{
	static struct phyr_env loud;

	loud = *phyr_env_hosted();
	loud.report = report;
	return &loud;
}

static uint32_t source_of(const char *variable)
{
	uint32_t source = 0;

	assert_non_null(getenv(variable));
	assert_int_equal(phyr_pci_parse(getenv(variable), &source), 0);
	return source;
}

static bool by_iommufd(void)
{
	return !strcmp(getenv("GUEST_IOMMU"), "iommufd");
}

static void start(struct rig *rig, const char *variable)
{
	int fd;

	*rig = (struct rig){.source = source_of(variable)};
	assert_int_equal(by_iommufd() ? phyr_iommufd_create(env(), &rig->iommu)
				      : phyr_vfio_create(env(), &rig->iommu),
			 0);
	assert_int_equal(phyr_domain_create(rig->iommu, &rig->domain), 0);
	assert_int_equal(phyr_dev_create(rig->domain, rig->source, NULL, &rig->dev), 0);
	assert_int_equal(phyr_vfio_device_fd(rig->iommu, rig->source, &fd), 0);
	assert_int_equal(phyr_pci_open(env(), fd, rig->source, &rig->pci), 0);
}

static void stop(struct rig *rig)
{
	phyr_pci_close(rig->pci);
	phyr_dev_destroy(rig->dev);
	phyr_domain_destroy(rig->domain);
	phyr_iommu_destroy(rig->iommu);
}

static struct phyr_regs *bar(struct rig *rig, unsigned n, uint64_t size)
{
	struct phyr_regs *regs;

	assert_int_equal(phyr_pci_map_bar(rig->pci, n, &regs), 0);
	assert_int_equal(regs->size, size);
	assert_non_null(regs->base);
	return regs;
}

static uint32_t get(struct phyr_regs *regs, uint64_t offset)
{
	return *(volatile uint32_t *)((uintptr_t)regs->base + offset);
}

static void put(struct phyr_regs *regs, uint64_t offset, uint32_t value)
{
	*(volatile uint32_t *)((uintptr_t)regs->base + offset) = value;
}

static void put64(struct phyr_regs *regs, uint64_t offset, uint64_t value)
{
	*(volatile uint64_t *)((uintptr_t)regs->base + offset) = value;
}

static uint32_t config(struct rig *rig, uint64_t offset, unsigned width)
{
	uint32_t value = 0;

	assert_int_equal(phyr_pci_config_read(rig->pci, offset, width, &value), 0);
	return value;
}

static void pci_find(void **state)
{
	static const struct {
		const char *variable;
		uint16_t vendor, device;
	} all[] = {{"GUEST_NVME", 0x1b36, 0x0010},
		   {"GUEST_NVME2", 0x1b36, 0x0010},
		   {"GUEST_EDU", 0x1234, 0x11e8},
		   {"GUEST_EDU2", 0x1234, 0x11e8},
		   {"GUEST_SHM", 0x1af4, 0x1110}};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct phyr_pci_info info;

		assert_int_equal(phyr_pci_find(env(), source_of(all[i].variable), &info), 0);
		assert_int_equal(info.vendor, all[i].vendor);
		assert_int_equal(info.device, all[i].device);
		assert_string_equal(info.driver, "vfio-pci");
		assert_true(info.group >= 0);
		assert_false(info.bridge);
		assert_int_equal(info.cdev[0] != '\0', by_iommufd());
		if (info.device == 0x0010)
			assert_int_equal(info.class_code, 0x010802);
	}
}

struct walk {
	uint32_t last;
	unsigned nr, lent, bridges;
};

static int see(void *arg, const struct phyr_pci_info *info)
{
	struct walk *walk = arg;

	assert_true(!walk->nr || info->source > walk->last);
	walk->last = info->source;
	walk->nr++;
	walk->lent += !strcmp(info->driver, "vfio-pci");
	walk->bridges += info->bridge;
	return 0;
}

static void pci_each(void **state)
{
	struct walk walk = {0};

	assert_int_equal(phyr_pci_each(env(), see, &walk), 0);
	assert_int_equal(walk.lent, 5);
	assert_true(walk.bridges >= 2); /* the host's, and that to the old bus */
	assert_true(walk.nr > walk.lent + 1);
}

static void pci_registers(void **state)
{
	struct rig rig;
	struct phyr_regs *regs;

	start(&rig, "GUEST_EDU");
	regs = bar(&rig, 0, 1 << 20);
	assert_int_equal(get(regs, EDU_ID), 0x010000ed);
	put(regs, EDU_INVERT, 0x12345678);
	assert_int_equal(get(regs, EDU_INVERT), ~0x12345678u);
	put(regs, EDU_FACTORIAL, 7);
	while (get(regs, EDU_STATUS) & 1)
		;
	assert_int_equal(get(regs, EDU_FACTORIAL), 5040);
	stop(&rig);
}

/* Memory in a BAR, and registers that have less than a page. */
static void pci_memory_bar(void **state)
{
	struct rig rig;
	struct phyr_regs *regs, *small;

	start(&rig, "GUEST_SHM");
	regs = bar(&rig, 2, 1 << 20);
	for (uint64_t i = 0; i < 1 << 20; i += 4096)
		put(regs, i, (uint32_t)i + 1);
	for (uint64_t i = 0; i < 1 << 20; i += 4096)
		assert_int_equal(get(regs, i), i + 1);
	assert_int_equal(phyr_pci_map_bar(rig.pci, 0, &small), 0);
	assert_int_equal(small->size, 256);
	printf("# 256 bytes of registers are %s\n",
	       small->base ? "mapped" : "the kernel's to read");
	if (small->read)
		assert_int_equal(small->read(small, 8, 4), 0); /* its number among its peers */
	else
		assert_int_equal(get(small, 8), 0);
	assert_int_equal(phyr_pci_map_bar(rig.pci, 1, &small), -ENODEV);
	assert_false(phyr_pci_is_gone(rig.pci));
	stop(&rig);
}

static void pci_config(void **state)
{
	struct rig rig;
	unsigned at;
	uint32_t value;

	start(&rig, "GUEST_NVME");
	assert_int_equal(config(&rig, 0, 2), 0x1b36);
	assert_int_equal(config(&rig, 2, 2), 0x0010);
	assert_int_equal(config(&rig, 9, 1), 0x02);
	assert_int_equal(config(&rig, 8, 4) >> 8, 0x010802);
	assert_int_equal(phyr_pci_find_cap(rig.pci, CAP_PCIE, &at), 0);
	assert_int_equal(phyr_pci_find_cap(rig.pci, CAP_MSIX, &at), 0);
	assert_int_equal(config(&rig, at, 1), CAP_MSIX);
	assert_int_equal(phyr_pci_find_cap(rig.pci, 0x7f, &at), -ENOENT);
	assert_int_equal(phyr_pci_config_read(rig.pci, 4092, 4, &value), 0);
	assert_int_equal(phyr_pci_config_read(rig.pci, 4096, 4, &value), -ERANGE);
	assert_int_equal(phyr_pci_config_write(rig.pci, 0x3c, 1, 0x42), 0);
	assert_int_equal(config(&rig, 0x3c, 1), 0x42);
	assert_int_equal(phyr_pci_config_write(rig.pci, 0, 2, 0), 0); /* ignored */
	assert_int_equal(config(&rig, 0, 2), 0x1b36);
	stop(&rig);
}

static void edu_to_ram(struct phyr_regs *regs, phyr_dma_addr_t to)
{
	put64(regs, EDU_DMA_SOURCE, EDU_BUFFER);
	put64(regs, EDU_DMA_TARGET, to);
	put64(regs, EDU_DMA_COUNT, 64);
	put64(regs, EDU_DMA_START, EDU_TO_RAM);
	while (get(regs, EDU_DMA_START) & 1)
		usleep(1000);
}

/* The command register's bit, and what it does: memory stays untouched without it. */
static void pci_master(void **state)
{
	struct rig rig;
	struct phyr_regs *regs;
	phyr_dma_addr_t iova;
	volatile uint8_t *mem;

	start(&rig, "GUEST_EDU");
	regs = bar(&rig, 0, 1 << 20);
	mem = phyr_dma_alloc(rig.dev, 4096, &iova);
	assert_non_null(mem);
	mem[0] = 0x5a;
	assert_int_equal(config(&rig, 4, 2) & MASTER, 0);
	edu_to_ram(regs, iova);
	assert_int_equal(mem[0], 0x5a);
	assert_int_equal(phyr_pci_set_master(rig.pci, true), 0);
	assert_int_equal(config(&rig, 4, 2) & (MASTER | MEMORY), MASTER | MEMORY);
	edu_to_ram(regs, iova);
	assert_int_equal(mem[0], 0);
	mem[0] = 0x5a;
	assert_int_equal(phyr_pci_set_master(rig.pci, false), 0);
	assert_int_equal(config(&rig, 4, 2) & (MASTER | MEMORY), MEMORY);
	edu_to_ram(regs, iova);
	assert_int_equal(mem[0], 0x5a);
	phyr_dma_free(rig.dev, 4096, (void *)(uintptr_t)mem, iova);
	stop(&rig);
}

/* How often an eventfd was written; 0 when half a second brings nothing. */
static uint64_t interrupts(int fd)
{
	struct pollfd pfd = {.fd = fd, .events = POLLIN};
	uint64_t count;

	if (poll(&pfd, 1, 500) <= 0 || read(fd, &count, sizeof(count)) != sizeof(count))
		return 0;
	return count;
}

static void raise_edu(struct phyr_regs *regs)
{
	put(regs, EDU_RAISE, 1);
	put(regs, EDU_ACK, 1);
}

static void pci_msi(void **state)
{
	int fd = eventfd(0, EFD_CLOEXEC), other = eventfd(0, EFD_CLOEXEC);
	struct rig rig;
	struct phyr_regs *regs;

	start(&rig, "GUEST_EDU");
	regs = bar(&rig, 0, 1 << 20);
	assert_int_equal(phyr_pci_set_master(rig.pci, true),
			 0); /* a message is a write to memory */
	assert_int_equal(phyr_pci_nr_vectors(rig.pci), 1);
	assert_int_equal(phyr_pci_set_vector_fd(rig.pci, 0, fd), 0);
	raise_edu(regs);
	assert_int_equal(interrupts(fd), 1);
	assert_int_equal(phyr_pci_set_vector_fd(rig.pci, 0, other), 0);
	raise_edu(regs);
	assert_int_equal(interrupts(other), 1);
	assert_int_equal(interrupts(fd), 0);
	assert_int_equal(phyr_pci_set_vector_fd(rig.pci, 0, STDIN_FILENO), -EBADF);
	raise_edu(regs);
	assert_int_equal(interrupts(other), 1);
	assert_int_equal(phyr_pci_set_vector_fd(rig.pci, 0, -1), 0);
	raise_edu(regs);
	assert_int_equal(interrupts(other), 0);
	assert_int_equal(phyr_pci_set_vector_fd(rig.pci, 0, fd), 0);
	raise_edu(regs);
	assert_int_equal(interrupts(fd), 1);
	assert_int_equal(phyr_pci_set_vector_fd(rig.pci, 1, fd), -EINVAL);
	stop(&rig);
	close(fd);
	close(other);
}

static bool msix_is_on(struct rig *rig)
{
	unsigned at;

	assert_int_equal(phyr_pci_find_cap(rig->pci, CAP_MSIX, &at), 0);
	return config(rig, at + 2, 2) & MSIX_ON;
}

/* The driver's vectors go to eventfds of ours, so that it is seen that the device raised them. */
struct spied {
	struct phyr_pci *pci;
	int fds[4];
};

static int spy(void *arg, unsigned vector, int fd)
{
	struct spied *spied = arg;

	return phyr_pci_set_vector_fd(spied->pci, vector, fd < 0 ? -1 : spied->fds[vector]);
}

static void run_nvme(struct rig *rig, struct phyr_regs *regs)
{
	struct spied spied = {.pci = rig->pci};
	const struct phyr_nvme_opts opts = {
		.size = sizeof(opts),
		.interrupts = true,
		.set_vector_fd = spy,
		.vector_arg = &spied,
		.nr_vectors = 4,
	};
	struct phyr_nvme *nvme;

	for (unsigned i = 0; i < 4; i++)
		spied.fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_int_equal(phyr_nvme_open(rig->dev, regs, &opts, &nvme), 0);
	assert_true(msix_is_on(rig));
	assert_true(interrupts(spied.fds[0]) > 0); /* each command it took to open */
	assert_int_equal(interrupts(spied.fds[1]), 0);
	phyr_nvme_close(nvme);
	assert_false(msix_is_on(rig));
	for (unsigned i = 0; i < 4; i++)
		close(spied.fds[i]);
}

static void pci_msix(void **state)
{
	struct rig rig;
	struct phyr_regs *regs;

	start(&rig, "GUEST_NVME");
	regs = bar(&rig, 0, 16384);
	assert_true(phyr_pci_nr_vectors(rig.pci) >= 4);
	printf("# %u vectors\n", phyr_pci_nr_vectors(rig.pci));
	assert_int_equal(phyr_pci_set_master(rig.pci, true), 0);
	run_nvme(&rig, regs);
	stop(&rig);
}

/* All of them at once, each to its own; then off again. */
static void pci_all_vectors(void **state)
{
	struct rig rig;
	unsigned nr;
	int fds[128];

	start(&rig, "GUEST_NVME2");
	nr = phyr_pci_nr_vectors(rig.pci);
	assert_in_range(nr, 1, 128);
	for (unsigned i = 0; i < nr; i++) {
		fds[i] = eventfd(0, EFD_CLOEXEC);
		assert_int_equal(phyr_pci_set_vector_fd(rig.pci, i, fds[i]), 0);
	}
	assert_true(msix_is_on(&rig));
	for (unsigned i = 0; i < nr; i++) {
		assert_int_equal(phyr_pci_set_vector_fd(rig.pci, i, -1), 0);
		close(fds[i]);
	}
	assert_false(msix_is_on(&rig));
	stop(&rig);
}

/* What is seen from outside stays, with vectors connected; what the device was doing is gone. */
static void pci_reset(void **state)
{
	int fd = eventfd(0, EFD_CLOEXEC);
	struct rig rig;
	struct phyr_regs *regs;
	uint32_t cap;

	start(&rig, "GUEST_NVME");
	regs = bar(&rig, 0, 16384);
	cap = get(regs, NVME_CAP);
	assert_int_equal(phyr_pci_reset(rig.pci), 0);
	assert_int_equal(config(&rig, 4, 2) & (MASTER | MEMORY), MEMORY);
	assert_int_equal(phyr_pci_set_master(rig.pci, true), 0);
	assert_int_equal(phyr_pci_set_vector_fd(rig.pci, 3, fd), 0);
	assert_int_equal(phyr_pci_reset(rig.pci), 0);
	assert_int_equal(config(&rig, 4, 2) & (MASTER | MEMORY), MASTER | MEMORY);
	assert_true(msix_is_on(&rig));
	assert_int_equal(phyr_pci_set_vector_fd(rig.pci, 3, -1), 0);
	assert_int_equal(get(regs, NVME_CAP), cap);
	assert_int_equal(get(regs, NVME_CSTS), 0);
	run_nvme(&rig, regs);
	assert_false(phyr_pci_is_gone(rig.pci));
	stop(&rig);
	close(fd);
}

/* edu has no reset of its own; the kernel may have another way. With one, interrupts go on. */
static void pci_reset_msi(void **state)
{
	int fd = eventfd(0, EFD_CLOEXEC), err;
	struct rig rig;
	struct phyr_regs *regs;

	start(&rig, "GUEST_EDU2");
	regs = bar(&rig, 0, 1 << 20);
	assert_int_equal(phyr_pci_set_master(rig.pci, true), 0);
	assert_int_equal(phyr_pci_set_vector_fd(rig.pci, 0, fd), 0);
	err = phyr_pci_reset(rig.pci);
	printf("# resetting edu: %d\n", err);
	assert_true(!err || err == -EOPNOTSUPP);
	assert_int_equal(config(&rig, 4, 2) & (MASTER | MEMORY), MASTER | MEMORY);
	raise_edu(regs);
	assert_int_equal(interrupts(fd), 1);
	stop(&rig);
	close(fd);
}

/* A process that takes the device from its driver and waits, as the kernel has it. */
static pid_t start_unbinding(const char *address)
{
	pid_t pid = fork();
	FILE *file;

	if (pid)
		return pid;
	close_range(3, ~0u, 0); /* the device among them, which would be held here as well */
	file = fopen("/sys/bus/pci/drivers/vfio-pci/unbind", "w");
	_exit(!file || fputs(address, file) < 0 || fclose(file));
}

static bool bind_again(const char *address)
{
	FILE *file = fopen("/sys/bus/pci/drivers_probe", "w");

	return file && fputs(address, file) >= 0 && !fclose(file);
}

/* Somebody wants the device back: the program hears of it and lets go, and he has it. */
static void pci_request(void **state)
{
	const char *address = getenv("GUEST_EDU2");
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), status;
	struct pollfd pfd = {.fd = fd, .events = POLLIN};
	struct rig rig;
	pid_t pid;

	start(&rig, "GUEST_EDU2");
	assert_int_equal(phyr_pci_set_request_fd(rig.pci, fd), 0);
	assert_int_equal(poll(&pfd, 1, 200), 0);
	fflush(stdout);
	pid = start_unbinding(address);
	assert_int_equal(poll(&pfd, 1, 20000), 1);
	assert_int_equal(waitpid(pid, &status, WNOHANG), 0); /* it waits */
	stop(&rig);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_true(bind_again(address));
	start(&rig, "GUEST_EDU2");
	stop(&rig);
	close(fd);
}

/* Registers that the kernel takes away. In a child, and before others map any: cmocka has a handler of
 * its own in each test, and the library installs its own once a process. */
static int lose_registers(void)
{
	struct rig rig;
	struct phyr_regs *regs;
	uint32_t value;

	signal(SIGBUS, SIG_DFL);
	start(&rig, "GUEST_NVME2");
	regs = bar(&rig, 0, 16384);
	if (get(regs, NVME_CAP) == 0xffffffff)
		return 1;
	if (phyr_pci_config_write(rig.pci, 4, 2, 0))
		return 2;
	for (uint64_t i = 0; i < regs->size; i += 4)
		if (get(regs, i) != 0xffffffff)
			return 3;
	if (!phyr_pci_is_gone(rig.pci))
		return 4;
	if (phyr_pci_config_read(rig.pci, 0, 4, &value) != -ENODEV)
		return 5;
	stop(&rig);
	start(&rig, "GUEST_NVME2"); /* and again, as if nothing had been */
	regs = bar(&rig, 0, 16384);
	if (get(regs, NVME_CAP) == 0xffffffff)
		return 6;
	stop(&rig);
	return 0;
}

static void pci_gone(void **state)
{
	pid_t pid;
	int status;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		int ret = lose_registers();

		fflush(stdout);
		_exit(ret);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pci_gone),       cmocka_unit_test(pci_find),
		cmocka_unit_test(pci_each),       cmocka_unit_test(pci_registers),
		cmocka_unit_test(pci_memory_bar), cmocka_unit_test(pci_config),
		cmocka_unit_test(pci_master),     cmocka_unit_test(pci_msi),
		cmocka_unit_test(pci_msix),       cmocka_unit_test(pci_all_vectors),
		cmocka_unit_test(pci_reset),      cmocka_unit_test(pci_reset_msi),
		cmocka_unit_test(pci_request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
