/* SPDX-License-Identifier: MIT */
/* VT-d by its registers, legacy mode. */
#define _GNU_SOURCE
#include "guest/vtd.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "core/bits.h"

#define K      0x1000ull
#define BIT(n) ((uint64_t)1 << (n))

/* Registers. [VT-d 10.4] */
#define CAP    0x008 /* 64 bits */
#define ECAP   0x010 /* 64 */
#define GCMD   0x018
#define GSTS   0x01c
#define RTADDR 0x020 /* 64 */
#define CCMD   0x028 /* 64 */
#define FSTS   0x034

#define CAP_CM            BIT(7)                       /* caching mode */
#define CAP_SAGAW(levels) BIT(8 + (levels)-2)          /* tables of so many levels */
#define CAP_FRO(cap)      (((cap) >> 24 & 0x3ff) * 16) /* fault records */
#define CAP_SLLPS(cap)    ((cap) >> 34 & 3)            /* 2 MiB, 1 GiB */
#define CAP_PSI           BIT(39)                      /* a range can be invalidated */
#define CAP_MAMV(cap)     ((cap) >> 48 & 0x3f)         /* the most pages at a time, log2 */
#define ECAP_IRO(ecap)    (((ecap) >> 8 & 0x3ff) * 16)

#define GCMD_TE   (1u << 31) /* translation */
#define GCMD_SRTP (1u << 30) /* take the root table */

#define CCMD_ICC    BIT(63)
#define CCMD_GLOBAL BIT(61)

/* Of the IOTLB's two registers, the address first. [VT-d 10.4.8] */
#define IOTLB_IVT    BIT(63)
#define IOTLB_GLOBAL BIT(60)
#define IOTLB_DOMAIN BIT(61)
#define IOTLB_PAGES  (BIT(61) | BIT(60))
#define IOTLB_DRAIN  (BIT(49) | BIT(48)) /* reads, writes */
#define IOTLB_DID(d) ((uint64_t)(d) << 32)

#define FSTS_PFO 1u /* a fault was lost */
#define FRCD_F   BIT(63)
#define FRCD_T   BIT(62) /* a read */

/* Tables. [VT-d 9.1, 9.3] */
#define PRESENT    BIT(0)
#define AW(levels) ((levels)-2)
#define BUS_0      0
#define DEVICES    256
#define DOMAINS    0x10000

#define WAIT_NS 1000000000ll

struct device {
	uint32_t source;
	uint32_t domain; /* 0: none */
	phyr_fault_fn *fault;
	void *arg;
};

struct vtd {
	struct phyr_soft_hw hw;
	struct phyr_env *env;
	volatile unsigned char *regs;
	uint64_t cap, iotlb, fault_record;
	uint64_t *root, *context; /* tables */
	unsigned levels;
	struct device devices[VTD_DEVICES];
	unsigned nr_devices;
	uint32_t next_domain;
	unsigned ranges, domains;
	pthread_mutex_t lock;
};

static struct vtd *vtd_of(struct phyr_soft_hw *hw)
{
	return container_of(hw, struct vtd, hw);
}

static uint32_t read32(const struct vtd *v, uint64_t reg)
{
	return *(volatile uint32_t *)(v->regs + reg);
}

static uint64_t read64(const struct vtd *v, uint64_t reg)
{
	return *(volatile uint64_t *)(v->regs + reg);
}

/*
 * Tables are memory that the walker snoops: what was stored before is there before the register
 * is.
 */
static void write32(struct vtd *v, uint64_t reg, uint32_t value)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	*(volatile uint32_t *)(v->regs + reg) = value;
}

static void write64(struct vtd *v, uint64_t reg, uint64_t value)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	*(volatile uint64_t *)(v->regs + reg) = value;
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ll + now.tv_nsec;
}

static bool wait_clear(struct vtd *v, uint64_t reg, uint64_t bit)
{
	int64_t until = now_ns() + WAIT_NS;

	while (read64(v, reg) & bit)
		if (now_ns() > until)
			return false;
	return true;
}

/* One command, and the others as they are. [VT-d 10.4.4] */
static int command(struct vtd *v, uint32_t bit, bool on)
{
	uint32_t keep = read32(v, GSTS) & GCMD_TE;
	int64_t until = now_ns() + WAIT_NS;

	write32(v, GCMD, on ? keep | bit : keep & ~bit);
	while (!(read32(v, GSTS) & bit) == on)
		if (now_ns() > until)
			return -EIO;
	return 0;
}

static uint64_t phys(const struct vtd *v, const void *p)
{
	return (uintptr_t)p + v->env->phys_delta;
}

/* ---- invalidation; the lock is held ---- */

static void invalidate_contexts(struct vtd *v)
{
	write64(v, CCMD, CCMD_ICC | CCMD_GLOBAL);
	wait_clear(v, CCMD, CCMD_ICC);
}

static void invalidate_iotlb(struct vtd *v, uint64_t what)
{
	write64(v, v->iotlb + 8, IOTLB_IVT | IOTLB_DRAIN | what);
	wait_clear(v, v->iotlb + 8, IOTLB_IVT);
}

static void invalidate_domain(struct vtd *v, uint32_t domain)
{
	invalidate_iotlb(v, IOTLB_DOMAIN | IOTLB_DID(domain));
	v->domains++;
}

/* The smallest aligned power of two that holds the range. [VT-d 10.4.8.2] */
static void hw_invalidate(struct phyr_soft_hw *hw, uint32_t domain, uint64_t start, uint64_t last)
{
	struct vtd *v = vtd_of(hw);
	uint64_t differ = (start ^ last) >> 12;
	unsigned am = differ ? 64 - (unsigned)__builtin_clzll(differ) : 0;

	pthread_mutex_lock(&v->lock);
	if (!(v->cap & CAP_PSI) || am > CAP_MAMV(v->cap)) {
		invalidate_domain(v, domain);
	} else {
		write64(v, v->iotlb, (start >> 12 >> am << am << 12) | am);
		invalidate_iotlb(v, IOTLB_PAGES | IOTLB_DID(domain));
		v->ranges++;
	}
	pthread_mutex_unlock(&v->lock);
}

/* ---- devices ---- */

static struct device *device_of(struct vtd *v, uint32_t source)
{
	for (unsigned i = 0; i < v->nr_devices; i++)
		if (v->devices[i].source == source)
			return &v->devices[i];
	return NULL;
}

static int set_table(struct vtd *v, struct device *dev, const struct phyr_soft_table *table)
{
	uint64_t *entry;

	if (table->format != PHYR_PGTBL_VTDSS || table->levels != v->levels)
		return -EINVAL;
	if (!dev)
		return -ENODEV;
	if (dev->domain)
		return -EBUSY;
	entry = &v->context[2 * (dev->source & (DEVICES - 1))];
	dev->domain = table->domain;
	entry[1] = AW(v->levels) | (uint64_t)table->domain << 8;
	__atomic_store_n(&entry[0], table->root | PRESENT, __ATOMIC_RELEASE);
	return 0;
}

/* Nothing is to be invalidated: what is not present is not cached, since CAP.CM is 0. [VT-d 6.1] */
static int hw_set_table(struct phyr_soft_hw *hw, uint32_t source,
			const struct phyr_soft_table *table, phyr_fault_fn *fault, void *arg)
{
	struct vtd *v = vtd_of(hw);
	struct device *dev = device_of(v, source);
	int err;

	pthread_mutex_lock(&v->lock);
	err = set_table(v, dev, table);
	if (!err) {
		dev->fault = fault;
		dev->arg = arg;
	}
	pthread_mutex_unlock(&v->lock);
	return err;
}

/* First the context, then what was translated by it. [VT-d 6.5.3.1] */
static void hw_clear_table(struct phyr_soft_hw *hw, uint32_t source, uint32_t domain)
{
	struct vtd *v = vtd_of(hw);
	struct device *dev = device_of(v, source);

	pthread_mutex_lock(&v->lock);
	if (dev && dev->domain && dev->domain == domain) {
		uint64_t *entry = &v->context[2 * (source & (DEVICES - 1))];

		__atomic_store_n(&entry[0], 0, __ATOMIC_RELEASE);
		entry[1] = 0;
		invalidate_contexts(v);
		invalidate_domain(v, domain);
		*dev = (struct device){.source = source};
	}
	pthread_mutex_unlock(&v->lock);
}

static void hw_get_info(struct phyr_soft_hw *hw, struct phyr_soft_info *info)
{
	struct vtd *v = vtd_of(hw);
	uint64_t large = CAP_SLLPS(v->cap);

	*info = (struct phyr_soft_info){
		.formats = 1u << PHYR_PGTBL_VTDSS,
		.levels = v->levels,
		.oa_bits = 48,
		.aperture = {.last = BIT(48) - 1,
			     .page_sizes = K | (large & 1) << 21 | (large >> 1) << 30,
			     .nr_holes = 1,
			     .holes = {{.start = 0xfee00000, .last = 0xfeefffff}}},
	};
}

static uint32_t hw_get_domain(struct phyr_soft_hw *hw)
{
	struct vtd *v = vtd_of(hw);
	uint32_t domain = __atomic_fetch_add(&v->next_domain, 1, __ATOMIC_RELAXED);

	return domain < DOMAINS ? domain : 0;
}

/* Numbers are not used again; there are more than a test takes. */
static void hw_put_domain(struct phyr_soft_hw *hw, uint32_t domain)
{
}

/* ---- faults ---- */

static enum phyr_fault_reason reason_of(unsigned reason)
{
	switch (reason) {
	case VTD_CONTEXT_NOT_PRESENT:
		return PHYR_FAULT_NO_DOMAIN;
	case VTD_TOO_WIDE:
		return PHYR_FAULT_RANGE;
	case VTD_NO_WRITE:
	case VTD_NO_READ: /* or nothing is mapped: second-stage entries have no present bit */
		return PHYR_FAULT_PERMISSION;
	default:
		return PHYR_FAULT_BAD_ENTRY;
	}
}

static void tell(struct vtd *v, const struct vtd_fault *found)
{
	const struct device *dev = device_of(v, found->source);
	const struct phyr_fault fault = {.source = found->source,
					 .access = found->access,
					 .reason = reason_of(found->reason),
					 .iova = found->page};

	if (dev && dev->fault)
		dev->fault(dev->arg, &fault);
}

/* [VT-d 10.4.14]: the record is free again when its F was written. */
bool vtd_next_fault(struct vtd *v, struct vtd_fault *fault)
{
	uint64_t low = read64(v, v->fault_record), high = read64(v, v->fault_record + 8);

	if (!(high & FRCD_F))
		return false;
	*fault = (struct vtd_fault){.source = (uint16_t)high,
				    .access = high & FRCD_T ? PHYR_READ : PHYR_WRITE,
				    .reason = (unsigned)(high >> 32) & 0xff,
				    .page = low & ~(K - 1)};
	write64(v, v->fault_record + 8, FRCD_F);
	write32(v, FSTS, FSTS_PFO);
	tell(v, fault);
	return true;
}

/* ---- open, close ---- */

static int look_at_hardware(struct vtd *v)
{
	v->cap = read64(v, CAP);
	if (v->cap == UINT64_MAX || !(v->cap & CAP_SAGAW(v->levels)) || v->cap & CAP_CM)
		return -ENODEV;
	v->iotlb = ECAP_IRO(read64(v, ECAP));
	v->fault_record = CAP_FRO(v->cap);
	return 0;
}

/* Who had it before may have died. */
static int switch_on(struct vtd *v)
{
	int err = command(v, GCMD_TE, false);

	if (err)
		return err;
	write64(v, v->fault_record + 8, FRCD_F);
	write32(v, FSTS, FSTS_PFO);
	v->root[2 * BUS_0] = phys(v, v->context) | PRESENT;
	write64(v, RTADDR, phys(v, v->root));
	err = command(v, GCMD_SRTP, true);
	if (err)
		return err;
	invalidate_contexts(v);
	invalidate_iotlb(v, IOTLB_GLOBAL);
	return command(v, GCMD_TE, true);
}

static int map_registers(struct vtd *v, uint64_t registers)
{
	int fd = open("/dev/mem", O_RDWR | O_SYNC | O_CLOEXEC);
	void *p;

	if (fd < 0)
		return -errno;
	p = mmap(NULL, K, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)registers);
	close(fd);
	if (p == MAP_FAILED)
		return -errno;
	v->regs = p;
	return 0;
}

static void free_all(struct vtd *v)
{
	if (v->regs)
		munmap((void *)v->regs, K);
	if (v->root)
		v->env->free_pages(v->env, v->root, K);
	if (v->context)
		v->env->free_pages(v->env, v->context, K);
	pthread_mutex_destroy(&v->lock);
	v->env->free(v->env, v, sizeof(*v));
}

static int set_up(struct vtd *v, uint64_t registers)
{
	int err;

	v->root = v->env->alloc_pages(v->env, K);
	v->context = v->env->alloc_pages(v->env, K);
	if (!v->root || !v->context)
		return -ENOMEM;
	err = map_registers(v, registers);
	err = err ? err : look_at_hardware(v);
	return err ? err : switch_on(v);
}

int vtd_open(struct phyr_env *env, const struct vtd_config *config, struct vtd **out)
{
	struct vtd *v = env->alloc(env, sizeof(*v));
	int err;

	if (!v)
		return -ENOMEM;
	*v = (struct vtd){
		.hw = {hw_get_info, hw_set_table, hw_clear_table, hw_invalidate, hw_get_domain,
		       hw_put_domain},
		.env = env,
		.levels = config->levels,
		.nr_devices = config->nr_sources,
		.next_domain = 1,
	};
	pthread_mutex_init(&v->lock, NULL);
	for (unsigned i = 0; i < config->nr_sources; i++)
		v->devices[i].source = config->sources[i];
	err = set_up(v, config->registers);
	if (err)
		free_all(v);
	else
		*out = v;
	return err;
}

void vtd_close(struct vtd *v)
{
	command(v, GCMD_TE, false);
	free_all(v);
}

struct phyr_soft_hw *vtd_hw(struct vtd *v)
{
	return &v->hw;
}

void vtd_forget(struct vtd *v)
{
	pthread_mutex_lock(&v->lock);
	invalidate_iotlb(v, IOTLB_GLOBAL);
	pthread_mutex_unlock(&v->lock);
}

void vtd_invalidations(const struct vtd *v, unsigned *ranges, unsigned *domains)
{
	*ranges = v->ranges;
	*domains = v->domains;
}
