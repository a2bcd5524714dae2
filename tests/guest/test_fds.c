/* SPDX-License-Identifier: MIT */
/*
 * Descriptors from another process. A broker, which is root, opens a device with its container or IOAS,
 * maps a page of its own there, and sends the descriptors over a socket. The process that gets them is
 * an ordinary user's, with a small limit of locked memory: it maps, moves data, meets the broker's
 * page, and goes. What is the broker's stays.
 */
#define _GNU_SOURCE
#include "guest/rig_kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <phyr/dma.h>
#include <phyr/source.h>

#include "guest/broker.h"

#define K           0x1000ull
#define BROKER_IOVA (1ull << 32)
#define ORDINARY    1000
#define MEMLOCK     (8u << 20)
#define TOO_MUCH    (12u << 20)
#define HALF        64
#define MARK        0x77

/* What goes over the socket beside the two descriptors. */
struct offer {
	bool iommufd;
	uint32_t ioas;
	uint32_t source;
};

/*
 * The user's side: its checks end the process, whose status tells.
 */

static struct phyr_report limit_told; /* the last one that names a limit */

static void on_report(struct phyr_env *env, const struct phyr_report *report)
{
	((struct tenv *)env)->last = *report;
	if (report->limit)
		limit_told = *report;
}

#define CHECK(what)                                                           \
	do {                                                                  \
		if (!(what)) {                                                \
			printf("# line %d: not true: %s\n", __LINE__, #what); \
			fflush(stdout);                                       \
			_exit(1);                                             \
		}                                                             \
	} while (0)

struct user {
	struct tenv t;
	struct offer offer;
	int fds[2]; /* container or iommufd, device */
	struct phyr_iommu *iommu;
	struct phyr_domain *domain;
	struct phyr_dev *dev;
	struct edu edu;
};

static void receive(int socket, struct user *u)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(u->fds))];
	} control;
	struct iovec iov = {&u->offer, sizeof(u->offer)};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = &control,
			     .msg_controllen = sizeof(control)};
	struct cmsghdr *head;

	CHECK(recvmsg(socket, &msg, MSG_CMSG_CLOEXEC) == sizeof(u->offer));
	head = CMSG_FIRSTHDR(&msg);
	CHECK(head && head->cmsg_type == SCM_RIGHTS && head->cmsg_len == CMSG_LEN(sizeof(u->fds)));
	memcpy(u->fds, CMSG_DATA(head), sizeof(u->fds));
}

static void become_ordinary(void)
{
	const struct rlimit limit = {MEMLOCK, MEMLOCK};

	CHECK(!setrlimit(RLIMIT_MEMLOCK, &limit));
	CHECK(!setresgid(ORDINARY, ORDINARY, ORDINARY));
	CHECK(!setresuid(ORDINARY, ORDINARY, ORDINARY));
}

static void make_device(struct user *u)
{
	const struct phyr_vfio_dev dev = {u->offer.source, u->fds[1]};
	const struct phyr_vfio_fds vfio = {
		.size = sizeof(vfio), .container = u->fds[0], .devs = &dev, .nr_devs = 1};
	const struct phyr_iommufd_fds iommufd = {.size = sizeof(iommufd),
						 .iommufd = u->fds[0],
						 .ioas = u->offer.ioas,
						 .devs = &dev,
						 .nr_devs = 1};
	struct phyr_domain *second;

	tenv_init(&u->t, NULL);
	u->t.env.report = on_report;
	if (u->offer.iommufd)
		CHECK(!phyr_iommufd_from_fds(&u->t.env, &iommufd, &u->iommu));
	else
		CHECK(!phyr_vfio_from_fds(&u->t.env, &vfio, &u->iommu));
	CHECK(!phyr_domain_create(u->iommu, &u->domain));
	CHECK(phyr_domain_create(u->iommu, &second) == -ENOSPC);
	CHECK(!phyr_dev_create(u->domain, u->offer.source, NULL, &u->dev));
	CHECK(!edu_open(&u->edu, &u->t.env, u->iommu, u->offer.source));
}

static void free_device(struct user *u)
{
	struct phyr_domain_stats stats;

	edu_close(&u->edu);
	phyr_dev_destroy(u->dev);
	phyr_domain_get_stats(u->domain, &stats);
	CHECK(!stats.kernel_maps && !stats.iova_bytes);
	phyr_domain_destroy(u->domain);
	phyr_iommu_destroy(u->iommu);
	tenv_fini(&u->t);
	CHECK(fcntl(u->fds[0], F_GETFD) >= 0 && fcntl(u->fds[1], F_GETFD) >= 0);
}

/* Half a page into the device, and out to the other half. */
static void move_data(struct user *u)
{
	phyr_dma_addr_t dma;
	unsigned char *p = phyr_dma_alloc(u->dev, K, &dma);

	CHECK(p);
	memset(p, 0x5a, K / 2);
	CHECK(edu_run(&u->edu, dma, K / 2, PHYR_READ));
	CHECK(edu_run(&u->edu, dma + K / 2, K / 2, PHYR_WRITE));
	CHECK(!memcmp(p, p + K / 2, K / 2));
	phyr_dma_free(u->dev, K, p, dma);
}

/* The allocator does not know of the broker's page; the kernel does. */
static void meet_the_broker(struct user *u)
{
	static unsigned char page[2 * 0x1000] __attribute__((aligned(0x1000)));
	struct phyr_iova *iova = phyr_domain_iova(u->domain);
	struct phyr_domain_stats stats;
	struct phyr_cursor cur;

	CHECK(!phyr_iova_alloc_at(iova, BROKER_IOVA - K, 2 * K));
	phyr_cursor_init_range(&cur, (uintptr_t)page, 2 * K);
	CHECK(phyr_domain_map(u->domain, BROKER_IOVA - K, phyr_space_user(), &cur, PHYR_READ) ==
	      -EEXIST);
	CHECK(u->t.last.err == -EEXIST && u->t.last.hint && cur.left == 2 * K);
	printf("# %s: %s\n", u->t.last.call, u->t.last.hint);
	phyr_domain_get_stats(u->domain, &stats);
	CHECK(!stats.kernel_maps);
	phyr_iova_free(iova, BROKER_IOVA - K, 2 * K);
}

/* More memory than may be locked is refused, and said so; what is allowed still goes. */
static void reach_the_memlock_limit(struct user *u)
{
	unsigned char *p =
		mmap(NULL, TOO_MUCH, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	phyr_dma_addr_t dma;

	CHECK(p != MAP_FAILED);
	CHECK(phyr_dma_map_phys(u->dev, phyr_space_user(), (uintptr_t)p, TOO_MUCH,
				PHYR_DMA_BIDIRECTIONAL, 0, &dma) == -ENOMEM);
	CHECK(limit_told.limit == MEMLOCK && strstr(limit_told.hint, "MEMLOCK"));
	printf("# %s: %s (limit %u)\n", limit_told.call, limit_told.hint, MEMLOCK);
	CHECK(!phyr_dma_map_phys(u->dev, phyr_space_user(), (uintptr_t)p, MEMLOCK / 2,
				 PHYR_DMA_BIDIRECTIONAL, 0, &dma));
	phyr_dma_unmap_phys(u->dev, dma, MEMLOCK / 2, PHYR_DMA_BIDIRECTIONAL, 0);
	munmap(p, TOO_MUCH);
}

static void be_the_user(int socket)
{
	struct user u = {0};

	become_ordinary();
	receive(socket, &u);
	make_device(&u);
	move_data(&u);
	meet_the_broker(&u);
	reach_the_memlock_limit(&u);
	move_data(&u);
	free_device(&u);
	fflush(stdout);
	_exit(0);
}

/* Nobody but him has any of it open any more. */
static void be_the_heir(int socket)
{
	struct user u = {0};
	char closed;

	become_ordinary();
	receive(socket, &u);
	CHECK(read(socket, &closed, 1) == 1);
	make_device(&u);
	move_data(&u);
	free_device(&u);
	_exit(0);
}

/*
 * The broker's side.
 */

static void offer_it(int socket, const struct broker *b)
{
	struct offer offer = {b->iommufd, b->ioas, rig_kernel_source("GUEST_EDU")};
	const int fds[2] = {b->iommu, b->device};
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(fds))];
	} control = {.head = {.cmsg_level = SOL_SOCKET,
			      .cmsg_type = SCM_RIGHTS,
			      .cmsg_len = CMSG_LEN(sizeof(fds))}};
	struct iovec iov = {&offer, sizeof(offer)};
	const struct msghdr msg = {.msg_iov = &iov,
				   .msg_iovlen = 1,
				   .msg_control = &control,
				   .msg_controllen = sizeof(control)};

	memcpy(CMSG_DATA(&control.head), fds, sizeof(fds));
	assert_int_equal(sendmsg(socket, &msg, 0), sizeof(offer));
}

/*
 * In a container the device still reaches the broker's page. From an IOAS the user has detached it,
 * with data in its buffer: that does not arrive, and the kernel says so.
 */
static void page_is_reached(struct edu *edu, const unsigned char *page)
{
	assert_true(edu_run(edu, BROKER_IOVA, HALF, PHYR_READ));
	assert_true(edu_run(edu, BROKER_IOVA + HALF, HALF, PHYR_WRITE));
	assert_memory_equal(page, page + HALF, HALF);
}

static void page_is_out_of_reach(struct edu *edu, const unsigned char *page)
{
	struct kmsg kmsg;

	assert_int_equal(kmsg_open(&kmsg), 0);
	assert_true(edu_run(edu, BROKER_IOVA, K / 2, PHYR_WRITE));
	assert_true(
		rig_kernel_told(&kmsg, rig_kernel_source("GUEST_EDU"), BROKER_IOVA, PHYR_WRITE));
	kmsg_close(&kmsg);
	for (unsigned i = 0; i < HALF; i++)
		assert_int_equal(page[i], MARK);
}

static void look_at_the_page(const struct broker *b, const unsigned char *page)
{
	struct edu edu;

	assert_int_equal(edu_open_fd(&edu, NULL, b->device, rig_kernel_source("GUEST_EDU")), 0);
	if (b->iommufd)
		page_is_out_of_reach(&edu, page);
	else
		page_is_reached(&edu, page);
	edu_close(&edu);
}

static void descriptors_from_a_broker(void **state)
{
	unsigned char *page =
		mmap(NULL, K, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct broker broker;
	int sockets[2], status;
	pid_t child;

	assert_ptr_not_equal(page, MAP_FAILED);
	memset(page, MARK, HALF);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
	fflush(stdout);
	child = fork(); /* before anything is open: what it gets, it gets by the socket */
	assert_true(child >= 0);
	if (!child)
		be_the_user(sockets[1]);
	assert_int_equal(broker_open(&broker, rig_kernel_is_iommufd(), getenv("GUEST_EDU")), 0);
	assert_int_equal(broker_map(&broker, BROKER_IOVA, page, K), 0);
	offer_it(sockets[0], &broker);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	look_at_the_page(&broker, page);
	assert_int_equal(broker_unmap(&broker, BROKER_IOVA, K), K);
	assert_int_equal(broker_unmap_all(&broker), 0);
	broker_close(&broker);
	close(sockets[0]);
	close(sockets[1]);
	munmap(page, K);
}

/* What was passed on is used when the broker's own descriptors are closed, his group's, too. */
static void the_broker_closes_his(void **state)
{
	struct broker broker;
	int sockets[2], status;
	pid_t child;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
	fflush(stdout);
	child = fork();
	assert_true(child >= 0);
	if (!child)
		be_the_heir(sockets[1]);
	assert_int_equal(broker_open(&broker, rig_kernel_is_iommufd(), getenv("GUEST_EDU")), 0);
	offer_it(sockets[0], &broker);
	broker_close(&broker);
	assert_int_equal(write(sockets[0], "x", 1), 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	close(sockets[0]);
	close(sockets[1]);
	/* With the user's it is all closed. */
	assert_int_equal(broker_open(&broker, rig_kernel_is_iommufd(), getenv("GUEST_EDU")), 0);
	broker_close(&broker);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(descriptors_from_a_broker),
		cmocka_unit_test(the_broker_closes_his),
	};

	rig_kernel_is_iommufd();
	return cmocka_run_group_tests_name("fds", tests, NULL, NULL);
}
