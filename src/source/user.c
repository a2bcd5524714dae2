/* SPDX-License-Identifier: MIT */
/* Memory of this process, by its own addresses: the kernel, or a simulated machine, translates them. */
#include <phyr/source.h>

#include "core/bits.h"
#include "core/env.h"
#include "list/append.h"

_Static_assert(sizeof(uintptr_t) == sizeof(phyr_addr_t), "every address of the space is a pointer");

/* Memory lies together as far as the process sees it, but not past 2^64. */
static void *user_to_cpu(const struct phyr_space *space, phyr_addr_t addr, uint64_t *len)
{
	if (!addr)
		return NULL;
	*len = min_u64(*len, -addr);
	return (void *)(uintptr_t)addr;
}

const struct phyr_space *phyr_space_user(void)
{
	static const struct phyr_space space = {.kind = PHYR_KIND_USER, .to_cpu = user_to_cpu};

	return &space;
}

static int check_space(const struct phyr_list *list, const char *call)
{
	if (list->space && list->space->kind == PHYR_KIND_USER)
		return 0;
	return env_fail(list->env, .err = -EINVAL, .call = call,
			.hint = "the list is not of this process's addresses: make it with "
				"phyr_space_user()");
}

int phyr_source_append(struct phyr_list *list, const void *ptr, size_t len)
{
	static const char call[] = "phyr_source_append";
	phyr_addr_t addr = (uintptr_t)ptr;
	int err = check_space(list, call);

	if (err)
		return err;
	err = phyr_list_append_quietly(list, addr, len);
	return err ? phyr_list_append_fail(list, err, call, 0, addr, len) : 0;
}

int phyr_source_append_iovec(struct phyr_list *list, const struct iovec *iov, size_t nr)
{
	static const char call[] = "phyr_source_append_iovec";
	struct phyr_list was = *list;
	int err = check_space(list, call);

	for (size_t i = 0; i < nr && !err; i++) {
		phyr_addr_t addr = (uintptr_t)iov[i].iov_base;

		if (!iov[i].iov_len)
			continue;
		err = phyr_list_append_quietly(list, addr, iov[i].iov_len);
		if (!err)
			continue;
		phyr_list_append_fail(list, err, call, i, addr, iov[i].iov_len);
		phyr_list_rollback(list, &was);
	}
	return err;
}

int phyr_source_to_iovec(struct phyr_cursor *cur, struct iovec *iov, size_t max, size_t *nr)
{
	struct phyr_cursor c = *cur;
	struct phyr_range run;
	size_t n = 0;

	while (phyr_cursor_next(&c, &run)) {
		if (n == max)
			return -E2BIG;
		iov[n++] = (struct iovec){(void *)(uintptr_t)run.addr, run.len};
	}
	*cur = c;
	*nr = n;
	return 0;
}
