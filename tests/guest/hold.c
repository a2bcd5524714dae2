/* SPDX-License-Identifier: MIT */
/*
 * Holds something until it is killed, for others to find out: hold open FILE, hold away FILE, hold claim
 * FILE, hold vfio GROUP ADDRESS. Says "held" when it has it.
 *
 * What is put away, as a claim is, lies in a socket's queue, where no process shows it. Of VFIO only the device's own descriptor
 * stays, which has no file.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int checked(int result, const char *what)
{
	if (result >= 0)
		return result;
	perror(what);
	exit(1);
}

static void put_away(int fd)
{
	char data = 0;
	struct iovec iov = {&data, 1};
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {.head = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
	struct msghdr message = {.msg_iov = &iov,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control)};
	int ends[2];

	memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
	checked(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), "socketpair");
	checked((int)sendmsg(ends[0], &message, 0), "sendmsg");
	close(fd);
}

static void hold_device(const char *group_path, const char *address)
{
	int container = checked(open("/dev/vfio/vfio", O_RDWR), "/dev/vfio/vfio");
	int group = checked(open(group_path, O_RDWR), group_path);

	checked(ioctl(group, VFIO_GROUP_SET_CONTAINER, &container), "VFIO_GROUP_SET_CONTAINER");
	checked(ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU), "VFIO_SET_IOMMU");
	checked(ioctl(group, VFIO_GROUP_GET_DEVICE_FD, address), "VFIO_GROUP_GET_DEVICE_FD");
	close(group);
	close(container);
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "open"))
		checked(open(argv[2], O_RDONLY), argv[2]);
	else if (argc == 3 && !strcmp(argv[1], "away"))
		put_away(checked(open(argv[2], O_RDWR), argv[2]));
	else if (argc == 3 && !strcmp(argv[1], "claim"))
		put_away(checked(open(argv[2], O_RDONLY | O_EXCL), argv[2]));
	else if (argc == 4 && !strcmp(argv[1], "vfio"))
		hold_device(argv[2], argv[3]);
	else
		return 2;
	puts("held");
	fflush(stdout);
	pause();
	return 0;
}
