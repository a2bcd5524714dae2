/* SPDX-License-Identifier: MIT */
/*
 * What holds pinned memory: a buffer that is registered with a ring of io_uring.
 *
 * The kernel pins a registered buffer for as long as the registration is there: to an unprivileged
 * process no other call gives that. The ring itself is never used.
 */
#include "source/ring.h"

#ifdef PHYR_HAVE_LIBURING

#include <liburing.h>
#include <sys/uio.h>

#include "core/bits.h"

struct ring {
	struct phyr_env *env;
	struct io_uring uring;
};

static int create_error(int err, const char **hint)
{
	switch (err) {
	case -EPERM:
	case -EACCES:
		*hint = "io_uring is forbidden here: see kernel.io_uring_disabled, or the "
			"container's seccomp profile";
		return -EPERM;
	case -ENOSYS:
		*hint = "this kernel has no io_uring, or a seccomp profile hides it";
		return -EOPNOTSUPP;
	case -EMFILE:
	case -ENFILE:
		*hint = "no file descriptor left for the pin: see ulimit -n";
		return err;
	default:
		*hint = "no memory for the pin's ring";
		return -ENOMEM;
	}
}

int phyr_ring_create(struct phyr_env *env, struct ring **out, const char **hint)
{
	struct ring *ring = env_alloc(env, sizeof(*ring));
	int err;

	if (!ring)
		return create_error(-ENOMEM, hint);
	ring->env = env;
	err = io_uring_queue_init(1, &ring->uring, 0);
	if (err) {
		env_free(env, ring, sizeof(*ring));
		return create_error(err, hint);
	}
	*out = ring;
	return 0;
}

void phyr_ring_destroy(struct ring *ring)
{
	if (!ring)
		return;
	io_uring_queue_exit(&ring->uring);
	env_free(ring->env, ring, sizeof(*ring));
}

static void cut(struct iovec *iov, size_t nr, uintptr_t start, size_t len)
{
	for (size_t i = 0; i < nr; i++, start += RING_PIECE, len -= RING_PIECE)
		iov[i] = (struct iovec){(void *)start, min_u64(len, RING_PIECE)};
}

int phyr_ring_hold(struct ring *ring, uintptr_t start, size_t len)
{
	size_t nr = (len - 1) / RING_PIECE + 1;
	struct iovec *iov;
	int err;

	iov = env_alloc(ring->env, nr * sizeof(*iov));
	if (!iov)
		return -ENOMEM;
	cut(iov, nr, start, len);
	err = io_uring_register_buffers(&ring->uring, iov, (unsigned)nr);
	env_free(ring->env, iov, nr * sizeof(*iov));
	return err == -EOPNOTSUPP ? -EFAULT : err;
}

/* By its own call: a child of a fork may have the ring's descriptor, too, so closing is not enough. */
void phyr_ring_release(struct ring *ring)
{
	io_uring_unregister_buffers(&ring->uring);
}

#else

int phyr_ring_create(struct phyr_env *env, struct ring **out, const char **hint)
{
	*hint = "this library was built without liburing, which pins memory";
	return -EOPNOTSUPP;
}

void phyr_ring_destroy(struct ring *ring)
{
}

int phyr_ring_hold(struct ring *ring, uintptr_t start, size_t len)
{
	return -EOPNOTSUPP;
}

void phyr_ring_release(struct ring *ring)
{
}

#endif
