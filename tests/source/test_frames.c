/* SPDX-License-Identifier: MIT */
/* What a page map's entries mean, from a file that stands for one; no right is needed. */
#define _GNU_SOURCE
#include "source/rig.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "source/frames.h"

#define PRESENT ((uint64_t)1 << 63)
#define SWAPPED ((uint64_t)1 << 62)
#define NOISE   ((uint64_t)0x63 << 55) /* soft-dirty, exclusive, file or shared: not for us */

static int fake(const uint64_t *entries, size_t nr)
{
	int fd = memfd_create("pagemap", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, entries, nr * 8), nr * 8);
	return fd;
}

static void assert_frame(struct frames *f, enum frame_state state, uint64_t addr, uint64_t len)
{
	struct frame got;

	assert_int_equal(phyr_frames_next(f, &got), 1);
	assert_int_equal(got.state, state);
	assert_int_equal(got.len, len);
	if (state == FRAME_PRESENT)
		assert_int_equal(got.addr, addr);
}

static void entries(void **state)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), last = ((uint64_t)1 << 55) - 1;
	const uint64_t map[] = {
		PRESENT | 0x1234,     0,    SWAPPED | 0x99, PRESENT, PRESENT | NOISE | 7,
		PRESENT | last >> 12, NOISE};
	int fd = fake(map, 7);
	struct frames f;

	phyr_frames_start(&f, fd, 100, 6 * page);
	assert_frame(&f, FRAME_PRESENT, 0x1234 * page + 100, page - 100);
	assert_frame(&f, FRAME_ABSENT, 0, page);
	assert_frame(&f, FRAME_SWAPPED, 0, page);
	assert_frame(&f, FRAME_HIDDEN, 0, page);
	assert_frame(&f, FRAME_PRESENT, 7 * page, page);
	assert_frame(&f, FRAME_PRESENT, (last >> 12) * page, page);
	assert_frame(&f, FRAME_ABSENT, 0, 100);
	assert_int_equal(phyr_frames_next(&f, &(struct frame){0}), 0);
	phyr_frames_start(&f, fd, 4 * page + 5, 3);
	assert_frame(&f, FRAME_PRESENT, 7 * page + 5, 3);
	assert_int_equal(phyr_frames_next(&f, &(struct frame){0}), 0);
	close(fd);
}

static void more_than_a_buffer_and_the_end(void **state)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), nr = 2 * FRAMES_AT_ONCE + 3;
	uint64_t *map = calloc(nr, 8);
	struct frames f;
	int fd;

	for (uint64_t i = 0; i < nr; i++)
		map[i] = PRESENT | (i * 3 + 1);
	fd = fake(map, nr);
	phyr_frames_start(&f, fd, page, nr * page);
	for (uint64_t i = 1; i < nr; i++)
		assert_frame(&f, FRAME_PRESENT, (i * 3 + 1) * page, page);
	assert_int_equal(phyr_frames_next(&f, &(struct frame){0}), -ENXIO);
	phyr_frames_start(&f, -1, 0, 1);
	assert_int_equal(phyr_frames_next(&f, &(struct frame){0}), -EIO);
	close(fd);
	free(map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries),
		cmocka_unit_test(more_than_a_buffer_and_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
