/* SPDX-License-Identifier: MIT */
/* Vectors and eventfds: the first enables all, the last disables, a failure changes nothing. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>
#include <phyr/pci.h>

#include "pci/fake.h"

#define NR 5

static struct tenv t;
static int fds[NR + 1];

static void fails(struct phyr_pci *pci, unsigned vector, int fd, int err)
{
	int32_t was[FAKE_VECTORS];

	memcpy(was, fake.fds, sizeof(was));
	tenv_restart(&t);
	assert_int_equal(phyr_pci_set_vector_fd(pci, vector, fd), err);
	assert_int_equal(t.reports, 1);
	assert_int_equal(t.last.err, err);
	assert_int_equal(t.last.index, vector);
	assert_string_equal(t.last.index_of, "vector");
	assert_memory_equal(fake.fds, was, sizeof(was));
}

static void one_after_the_other(void **state)
{
	struct phyr_pci *pci = fake_open(&t);

	assert_int_equal(phyr_pci_nr_vectors(pci), NR);
	for (unsigned i = 0; i < NR; i++) {
		assert_int_equal(phyr_pci_set_vector_fd(pci, i, fds[i]), 0);
		assert_int_equal(fake.irq_on, VFIO_PCI_MSIX_IRQ_INDEX);
		assert_int_equal(fake.irq_enabled, NR); /* all, at once */
		assert_int_equal(fake.fds[i], fds[i]);
	}
	assert_int_equal(phyr_pci_set_vector_fd(pci, 2, fds[NR]), 0);
	assert_int_equal(fake.fds[2], fds[NR]);
	for (unsigned i = 0; i < NR; i++) {
		assert_int_equal(fake.irq_on, VFIO_PCI_MSIX_IRQ_INDEX);
		assert_int_equal(phyr_pci_set_vector_fd(pci, i, -1), 0);
		assert_int_equal(fake.fds[i], -1);
		assert_int_equal(phyr_pci_set_vector_fd(pci, i, -1), 0);
	}
	assert_int_equal(fake.irq_on, -1);
	phyr_pci_close(pci);
}

static void closed_while_on(void **state)
{
	struct phyr_pci *pci = fake_open(&t);

	assert_int_equal(phyr_pci_set_vector_fd(pci, 3, fds[3]), 0);
	phyr_pci_close(pci);
	assert_int_equal(fake.irq_on, -1);
}

static void msi(void **state)
{
	struct phyr_pci *pci;

	fake.nr_vectors[VFIO_PCI_MSIX_IRQ_INDEX] = 0;
	pci = fake_open(&t);
	assert_int_equal(phyr_pci_nr_vectors(pci), 8);
	assert_int_equal(phyr_pci_set_vector_fd(pci, 7, fds[0]), 0);
	assert_int_equal(fake.irq_on, VFIO_PCI_MSI_IRQ_INDEX);
	phyr_pci_close(pci);
}

static void nothing(void **state)
{
	struct phyr_pci *pci;

	fake.nr_vectors[VFIO_PCI_MSIX_IRQ_INDEX] = 0;
	fake.nr_vectors[VFIO_PCI_MSI_IRQ_INDEX] = 0;
	pci = fake_open(&t);
	assert_int_equal(phyr_pci_nr_vectors(pci), 0);
	fails(pci, 0, fds[0], -EOPNOTSUPP);
	phyr_pci_close(pci);
}

static void wrong_ones(void **state)
{
	struct phyr_pci *pci = fake_open(&t);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (unsigned on = 0; on < 2; on++) { /* before the first, and after */
		fails(pci, NR, fds[0], -EINVAL);
		assert_int_equal(t.last.limit, NR);
		fails(pci, UINT32_MAX, -1, -EINVAL);
		fails(pci, 0, null, -EBADF);
		fails(pci, 0, 9999, -EBADF);
		assert_int_equal(phyr_pci_set_vector_fd(pci, 0, fds[0]), 0);
	}
	assert_int_equal(fake.fds[0], fds[0]);
	close(null);
	phyr_pci_close(pci);
}

/* Fewer in the machine than in the device: those, and no more. */
static void few_left(void **state)
{
	struct phyr_pci *pci = fake_open(&t);

	fake.machine_vectors = 2;
	fails(pci, 2, fds[2], -ENOSPC);
	assert_int_equal(fake.irq_on, -1);
	assert_int_equal(phyr_pci_set_vector_fd(pci, 1, fds[1]), 0);
	assert_int_equal(fake.irq_enabled, 2);
	fails(pci, 2, fds[2], -ENOSPC);
	assert_int_equal(phyr_pci_set_vector_fd(pci, 0, fds[0]), 0);
	phyr_pci_close(pci);
}

static void none_left(void **state)
{
	struct phyr_pci *pci = fake_open(&t);

	fake.machine_vectors = 0;
	fails(pci, 0, fds[0], -ENOSPC);
	phyr_pci_close(pci);
}

static void used_by_another(void **state)
{
	struct phyr_pci *pci = fake_open(&t);

	fake.irq_on = VFIO_PCI_INTX_IRQ_INDEX;
	fails(pci, 0, fds[0], -EBUSY);
	phyr_pci_close(pci);
}

/* The kernel lets the earlier one go before it fails; it is put back. */
static void failure_puts_back(void **state)
{
	static const struct {
		int kernel, ours;
	} errors[] = {{ENOMEM, -ENOMEM}, {ENOSPC, -ENOSPC}, {EPERM, -EIO}, {ENODEV, -ENODEV}};

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		struct phyr_pci *pci = fake_open(&t);

		assert_int_equal(phyr_pci_set_vector_fd(pci, 0, fds[0]), 0);
		fake.fail_at = fake.calls + 1;
		fake.fail_with = errors[i].kernel;
		fails(pci, 0, fds[1], errors[i].ours);
		phyr_pci_close(pci);
	}
}

static void disconnect_fails(void **state)
{
	struct phyr_pci *pci = fake_open(&t);

	assert_int_equal(phyr_pci_set_vector_fd(pci, 0, fds[0]), 0);
	assert_int_equal(phyr_pci_set_vector_fd(pci, 1, fds[1]), 0);
	fake.fail_at = fake.calls + 1;
	fake.fail_with = EPERM;
	fails(pci, 0, -1, -EIO);
	assert_int_equal(phyr_pci_set_vector_fd(pci, 0, -1), 0);
	assert_int_equal(phyr_pci_set_vector_fd(pci, 1, -1), 0);
	assert_int_equal(fake.irq_on, -1);
	phyr_pci_close(pci);
}

/* Its owner closed the earlier one, so there is nothing to put back. */
static void nothing_to_put_back(void **state)
{
	struct phyr_pci *pci = fake_open(&t);
	int old = eventfd(0, EFD_CLOEXEC);

	assert_int_equal(phyr_pci_set_vector_fd(pci, 0, old), 0);
	close(old);
	fake.fail_at = fake.calls + 1;
	fake.fail_with = ENOMEM;
	assert_int_equal(phyr_pci_set_vector_fd(pci, 0, fds[1]), -ENOMEM);
	assert_int_equal(phyr_pci_set_vector_fd(pci, 0, fds[1]), 0);
	assert_int_equal(phyr_pci_set_vector_fd(pci, 0, -1), 0);
	assert_int_equal(fake.irq_on, -1);
	phyr_pci_close(pci);
}

static void *work(void *arg)
{
	struct phyr_pci *pci = ((void **)arg)[0];
	unsigned vector = (unsigned)(uintptr_t)((void **)arg)[1];

	for (unsigned i = 0; i < 2000; i++) {
		if (phyr_pci_set_vector_fd(pci, vector, fds[vector]) ||
		    phyr_pci_set_vector_fd(pci, vector, -1))
			return "failed";
	}
	return NULL;
}

static void threads(void **state)
{
	struct phyr_pci *pci = fake_open(&t);
	pthread_t ids[NR];
	void *args[NR][2], *ret;

	for (unsigned i = 0; i < NR; i++) {
		args[i][0] = pci;
		args[i][1] = (void *)(uintptr_t)i;
		assert_int_equal(pthread_create(&ids[i], NULL, work, args[i]), 0);
	}
	for (unsigned i = 0; i < NR; i++) {
		pthread_join(ids[i], &ret);
		assert_null(ret);
	}
	assert_int_equal(fake.irq_on, -1);
	phyr_pci_close(pci);
}

static void request_fails(struct phyr_pci *pci, int fd, int err)
{
	tenv_restart(&t);
	assert_int_equal(phyr_pci_set_request_fd(pci, fd), err);
	assert_int_equal(t.reports, 1);
	assert_int_equal(t.last.err, err);
	assert_string_equal(t.last.call, "phyr_pci_set_request_fd");
}

/* What says that the kernel wants the device back is nothing of the vectors'. */
static void request(void **state)
{
	struct phyr_pci *pci = fake_open(&t);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	assert_int_equal(phyr_pci_set_request_fd(pci, -1), 0);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(phyr_pci_set_request_fd(pci, fds[i]), 0);
		assert_int_equal(fake.request, fds[i]);
		request_fails(pci, null, -EBADF);
		request_fails(pci, 9999, -EBADF);
		assert_int_equal(fake.request, fds[i]);
	}
	assert_int_equal(fake.irq_on, -1);
	assert_int_equal(phyr_pci_set_request_fd(pci, -1), 0);
	assert_int_equal(fake.request, -1);
	assert_int_equal(phyr_pci_set_request_fd(pci, fds[0]), 0);
	phyr_pci_close(pci);
	assert_int_equal(fake.request, -1);
	close(null);
}

static void request_refused(void **state)
{
	static const struct {
		int kernel, ours;
	} errors[] = {{ENODEV, -ENODEV}, {EPERM, -EIO}, {ENOMEM, -EIO}};
	struct phyr_pci *pci;

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		pci = fake_open(&t);
		fake.fail_at = fake.calls + 2; /* asked whether, then told */
		fake.fail_with = errors[i].kernel;
		request_fails(pci, fds[0], errors[i].ours);
		phyr_pci_close(pci);
	}
	fake.nr_vectors[VFIO_PCI_REQ_IRQ_INDEX] = 0;
	pci = fake_open(&t);
	request_fails(pci, fds[0], -EOPNOTSUPP);
	phyr_pci_close(pci);
	fake.num_irqs = VFIO_PCI_REQ_IRQ_INDEX;
	pci = fake_open(&t);
	request_fails(pci, fds[0], -EOPNOTSUPP);
	assert_int_equal(phyr_pci_set_request_fd(pci, -1), 0);
	fake_all_ones();
	assert_int_equal(phyr_pci_config_read(pci, 0, 4, &(uint32_t){0}), -ENODEV);
	request_fails(pci, fds[0], -ENODEV);
	phyr_pci_close(pci);
}

static int setup(void **state)
{
	tenv_init(&t, NULL);
	fake_make();
	for (unsigned i = 0; i <= NR; i++)
		fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return 0;
}

static int teardown(void **state)
{
	for (unsigned i = 0; i <= NR; i++)
		close(fds[i]);
	assert_false(tenv_live(&t));
	fake_remove();
	tenv_fini(&t);
	return 0;
}

int main(void)
{
#define IRQ(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		IRQ(one_after_the_other),
		IRQ(closed_while_on),
		IRQ(msi),
		IRQ(nothing),
		IRQ(wrong_ones),
		IRQ(few_left),
		IRQ(none_left),
		IRQ(used_by_another),
		IRQ(failure_puts_back),
		IRQ(disconnect_fails),
		IRQ(nothing_to_put_back),
		IRQ(threads),
		IRQ(request),
		IRQ(request_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
