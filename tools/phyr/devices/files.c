/* SPDX-License-Identifier: MIT */
/* phyr devices: small files of sysfs and proc, links, folders. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "devices/devices.h"

static int make_path(char path[PATH_MAX], const char *format, va_list ap)
{
	int len = vsnprintf(path, PATH_MAX, format, ap);

	return len < 0 || len >= PATH_MAX ? -ENAMETOOLONG : 0;
}

#define MAKE_PATH(path, format)                      \
	({                                           \
		va_list ap_;                         \
		int err_;                            \
                                                     \
		va_start(ap_, format);               \
		err_ = make_path(path, format, ap_); \
		va_end(ap_);                         \
		err_;                                \
	})

void copy_text(char *to, size_t size, const char *text)
{
	size_t len = strnlen(text, size - 1);

	memcpy(to, text, len);
	to[len] = '\0';
}

static bool is_tail(unsigned char c)
{
	return (c & 0xc0) == 0x80;
}

/* The bytes of the character that text begins with; 0: none that a terminal should get, or no UTF-8
 * (RFC 3629: none in more bytes than it takes, no surrogates, at most U+10FFFF). */
static size_t character_len(const unsigned char *text)
{
	unsigned char c = text[0];
	size_t len = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

	if (len == 1)
		return c >= 0x20 && c != 0x7f;
	if (c < 0xc2 || c > 0xf4)
		return 0;
	for (size_t i = 1; i < len; i++)
		if (!is_tail(text[i]))
			return 0;
	if ((c == 0xc2 && text[1] < 0xa0) || (c == 0xe0 && text[1] < 0xa0) ||
	    (c == 0xed && text[1] > 0x9f) || (c == 0xf0 && text[1] < 0x90) ||
	    (c == 0xf4 && text[1] > 0x8f))
		return 0;
	return len;
}

void copy_name(char *to, size_t size, const char *text)
{
	const unsigned char *from = (const unsigned char *)text;

	while (*from) {
		size_t len = character_len(from), room = len ? len : 1;

		if (room >= size)
			break;
		if (len)
			memcpy(to, from, len);
		else
			*to = '?';
		to += room;
		from += room;
		size -= room;
	}
	*to = '\0';
}

int file_read(char *buf, size_t size, const char *format, ...)
{
	char path[PATH_MAX];
	ssize_t len;
	int fd, err = MAKE_PATH(path, format);

	if (err)
		return err;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	len = read(fd, buf, size - 1);
	err = len < 0 ? -errno : 0;
	close(fd);
	if (err)
		return err;
	buf[len] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	return 0;
}

int file_write(const char *text, const char *format, ...)
{
	char path[PATH_MAX];
	ssize_t len;
	int fd, err = MAKE_PATH(path, format);

	if (err)
		return err;
	fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	len = write(fd, text, strlen(text));
	err = len < 0 ? -errno : (size_t)len == strlen(text) ? 0 : -EIO;
	close(fd);
	return err;
}

static int read_link(const char *path, char *buf, size_t size)
{
	ssize_t len = readlink(path, buf, size - 1);

	if (len < 0)
		return -errno;
	buf[len] = '\0';
	return 0;
}

int link_read(char *buf, size_t size, const char *format, ...)
{
	char path[PATH_MAX];
	int err = MAKE_PATH(path, format);

	return err ? err : read_link(path, buf, size);
}

int link_name(char *buf, size_t size, const char *format, ...)
{
	char path[PATH_MAX], target[PATH_MAX];
	const char *slash;
	int err = MAKE_PATH(path, format);

	err = err ? err : read_link(path, target, sizeof(target));
	if (err)
		return err;
	slash = strrchr(target, '/');
	copy_text(buf, size, slash ? slash + 1 : target);
	return 0;
}

int dir_each(const char *path, name_fn *fn, void *arg)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;

	if (!dir)
		return -errno;
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			fn(arg, entry->d_name);
	closedir(dir);
	return 0;
}

/* Grows at each power of two. */
void *array_add(void *array_pointer, size_t *nr, size_t size)
{
	void **array = array_pointer;
	char *at;

	if (!(*nr & (*nr - 1))) {
		void *grown = reallocarray(*array, *nr ? *nr * 2 : 1, size);

		if (!grown)
			return NULL;
		*array = grown;
	}
	at = (char *)*array + (*nr)++ * size;
	return memset(at, 0, size);
}
