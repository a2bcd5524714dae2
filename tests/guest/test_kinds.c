/* SPDX-License-Identifier: MIT */
/*
 * Which memory the kernel maps for a device, kind by kind: a table of what is expected on VFIO, on iommufd,
 * and on an iommufd that maps files. What is mapped is moved by a device both ways; what is refused changes
 * nothing. The rows are those of the table in docs/backends.md.
 */
#define _GNU_SOURCE
#include "guest/rig_kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <phyr/source.h>

#include "guest/memory.h"

#define K    0x1000ull
#define M    0x100000ull
#define HUGE (2 * M)
#define AT   (1ull << 32) /* the iova */
#define LEN  512
#define RW   (PHYR_READ | PHYR_WRITE)

/* Memory that is to be mapped: an address in a space, and a look at it. */
struct piece {
	struct phyr_space space;
	uint64_t addr;
	uint64_t len;
	unsigned char *view; /* NULL: there is none */
	int fd;
	struct memory_bar bar;
};

struct row {
	const char *name;
	void (*make)(struct piece *p, const struct row *row);
	enum phyr_kind kind;
	int on_vfio;
	int on_iommufd;
	int on_files; /* iommufd that maps files */
	unsigned prot;
	int flags;
};

static struct rig r;

static int init(void **state)
{
	rig_init(&r, rig_kind(0));
	rig_attach(&r, r.domain, 0);
	return 0;
}

static int fini(void **state)
{
	rig_detach(&r, r.domain, 0);
	rig_fini(&r);
	return 0;
}

/* An address that is in no memory of this process. */
static void make_bare(struct piece *p, const struct row *row)
{
	p->addr = M;
}

static void make_view(struct piece *p, const struct row *row, int prot, int flags)
{
	p->view = mmap(NULL, p->len, prot, flags, p->fd, 0);
	assert_ptr_not_equal(p->view, MAP_FAILED);
	if (row->kind == PHYR_KIND_USER)
		p->addr = (uintptr_t)p->view;
}

static void make_anonymous(struct piece *p, const struct row *row)
{
	make_view(p, row, row->flags, MAP_PRIVATE | MAP_ANONYMOUS);
}

/* A hole: it was there and is gone. */
static void make_hole(struct piece *p, const struct row *row)
{
	make_anonymous(p, row);
	munmap(p->view, p->len);
	p->view = NULL;
}

static void make_memfd(struct piece *p, const struct row *row)
{
	if (row->flags & MFD_HUGETLB)
		p->len = HUGE;
	p->fd = memory_memfd(p->len, (unsigned)row->flags);
	assert_true(p->fd >= 0);
	make_view(p, row, PROT_READ | PROT_WRITE, MAP_SHARED);
}

static void make_file(struct piece *p, const struct row *row, const char *path)
{
	p->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(p->fd >= 0);
	assert_int_equal(ftruncate(p->fd, (off_t)p->len), 0);
	make_view(p, row, row->prot == PHYR_READ ? PROT_READ : PROT_READ | PROT_WRITE,
		  row->flags ? row->flags : MAP_SHARED);
}

static void make_tmpfs_file(struct piece *p, const struct row *row)
{
	make_file(p, row, "/tmp/kinds.file");
	unlink("/tmp/kinds.file");
}

static void make_disk_file(struct piece *p, const struct row *row)
{
	const char *path = getenv("GUEST_FILE");

	if (!path)
		skip();
	make_file(p, row, path);
}

static void make_udmabuf(struct piece *p, const struct row *row)
{
	int memfd = memory_memfd(p->len, 0);

	p->fd = memory_udmabuf(memfd, p->len);
	close(memfd);
	assert_true(p->fd >= 0);
	make_view(p, row, PROT_READ | PROT_WRITE, MAP_SHARED);
}

static void make_dma_heap(struct piece *p, const struct row *row)
{
	p->fd = memory_dma_heap(p->len);
	assert_true(p->fd >= 0);
	make_view(p, row, PROT_READ | PROT_WRITE, MAP_SHARED);
}

static void make_bar(struct piece *p, const struct row *row)
{
	memory_bar_open(&p->bar, r.iommu);
	p->view = (unsigned char *)p->bar.regs->base;
	if (row->kind == PHYR_KIND_USER) {
		p->addr = (uintptr_t)p->view;
		return;
	}
	p->fd = memory_bar_file(&p->bar, K);
	if (!memory_bars_are_files())
		assert_int_equal(p->fd, -ENOTTY);
	else
		assert_true(p->fd >= 0);
}

static void make(struct piece *p, const struct row *row)
{
	*p = (struct piece){.space = {.kind = row->kind}, .len = K, .fd = -1};
	row->make(p, row);
	p->space.fd = p->fd;
}

static void unmake(struct piece *p)
{
	if (p->bar.domain)
		memory_bar_close(&p->bar);
	else if (p->view)
		munmap(p->view, p->len);
	if (p->fd >= 0)
		close(p->fd);
}

static int map(const struct piece *p, const struct row *row)
{
	struct phyr_cursor cur;

	phyr_cursor_init_range(&cur, p->addr, p->len);
	return phyr_domain_map(r.domain, AT, &p->space, &cur, row->prot ? row->prot : RW);
}

static void unmap(const struct piece *p)
{
	struct phyr_gather gather;

	phyr_gather_init(&gather);
	assert_int_equal(phyr_domain_unmap(r.domain, AT, p->len, &gather), 0);
	phyr_domain_sync(r.domain, &gather);
}

static void device(void *buf, unsigned access)
{
	const struct rig_machine *machine = r.kind->machine;

	assert_int_equal(machine->access(&r, 0, AT, buf, LEN, access), 0);
}

/* What the one writes the other reads, where it may. */
static void is_moved(const struct piece *p, const struct row *row)
{
	unsigned char buf[LEN];

	if (row->prot != PHYR_READ) {
		memset(buf, 0x5a, LEN);
		device(buf, PHYR_WRITE);
		assert_memory_equal(p->view, buf, LEN);
		memset(p->view, 0xc3, LEN);
	}
	memset(buf, 0, LEN);
	device(buf, PHYR_READ);
	assert_memory_equal(p->view, buf, LEN);
}

static int wanted(const struct row *row)
{
	if (!rig_kernel_is_iommufd())
		return row->on_vfio;
	return memory_files_are_mapped() ? row->on_files : row->on_iommufd;
}

static void is_refused(const struct piece *p, const struct row *row, int err)
{
	struct phyr_domain_stats before, after;
	struct phyr_translation tr;

	phyr_domain_get_stats(r.domain, &before);
	assert_int_equal(map(p, row), err);
	phyr_domain_get_stats(r.domain, &after);
	rig_told(&r, err, "phyr_domain_map");
	print_message("# %s: %s\n", row->name, r.t.last.hint);
	assert_int_equal(after.kernel_maps, before.kernel_maps);
	if (err == -EOPNOTSUPP)
		assert_int_equal(after.ioctls, before.ioctls);
	assert_int_equal(phyr_domain_translate(r.domain, AT, &tr), -ENOENT);
}

static void kind(void **state)
{
	const struct row *row = *state;
	struct piece p;

	make(&p, row);
	if (wanted(row)) {
		is_refused(&p, row, wanted(row));
	} else {
		assert_int_equal(map(&p, row), 0);
		assert_int_equal(phyr_domain_sync_map(r.domain, AT, p.len), 0);
		is_moved(&p, row);
		unmap(&p);
	}
	unmake(&p);
}

#define NO   (-EOPNOTSUPP)
#define BAD  (-EFAULT)
#define USER PHYR_KIND_USER

#define ROW(n, m, k, vfio, iommufd, files, ...)                                          \
	{                                                                                \
		.name = n, .make = m, .kind = k, .on_vfio = vfio, .on_iommufd = iommufd, \
		.on_files = files, ##__VA_ARGS__                                         \
	}

static const struct row rows[] = {
	/* name, kind; on vfio, on iommufd, on iommufd that maps files */
	ROW("ram", make_bare, PHYR_KIND_RAM, NO, NO, NO),
	ROW("mmio", make_bare, PHYR_KIND_MMIO, NO, NO, NO),
	ROW("p2p", make_bare, PHYR_KIND_P2P, NO, NO, NO),
	ROW("user_anonymous", make_anonymous, USER, 0, 0, 0, .flags = PROT_READ | PROT_WRITE),
	ROW("user_read_only", make_anonymous, USER, BAD, BAD, BAD, .flags = PROT_READ),
	ROW("user_hole", make_hole, USER, BAD, BAD, BAD),
	ROW("user_memfd", make_memfd, USER, 0, 0, 0),
	ROW("user_hugetlb", make_memfd, USER, 0, 0, 0, .flags = MFD_HUGETLB),
	ROW("user_disk_file_private", make_disk_file, USER, 0, 0, 0, .flags = MAP_PRIVATE),
	ROW("user_disk_file_shared", make_disk_file, USER, BAD, BAD, BAD),
	ROW("user_disk_file_to_read", make_disk_file, USER, 0, 0, 0, .prot = PHYR_READ),
	ROW("user_bar", make_bar, USER, 0, BAD, BAD),
	ROW("user_udmabuf", make_udmabuf, USER, BAD, BAD, BAD),
	ROW("user_dma_heap", make_dma_heap, USER, BAD, BAD, BAD),
	ROW("file_memfd", make_memfd, PHYR_KIND_FD, NO, NO, 0),
	ROW("file_hugetlb", make_memfd, PHYR_KIND_FD, NO, NO, 0, .flags = MFD_HUGETLB),
	ROW("file_tmpfs", make_tmpfs_file, PHYR_KIND_FD, NO, NO, 0),
	ROW("file_disk", make_disk_file, PHYR_KIND_FD, NO, NO, BAD),
	ROW("file_udmabuf", make_udmabuf, PHYR_KIND_FD, NO, NO, BAD),
	ROW("file_dma_heap", make_dma_heap, PHYR_KIND_FD, NO, NO, BAD),
	ROW("file_bar", make_bar, PHYR_KIND_FD, NO, NO, 0),
};

#define NR_ROWS (sizeof(rows) / sizeof(rows[0]))

int main(void)
{
	struct CMUnitTest tests[NR_ROWS];

	rig_kernel_is_iommufd();
	for (unsigned i = 0; i < NR_ROWS; i++)
		tests[i] = (struct CMUnitTest){rows[i].name, kind, init, fini, (void *)&rows[i]};
	return cmocka_run_group_tests_name("kinds", tests, NULL, NULL);
}
