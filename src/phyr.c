/* SPDX-License-Identifier: MIT */
/* The front door: a target by its name, with all that is under it. */
#include <phyr/phyr.h>

#include <string.h>

#include "core/bits.h"
#include "core/order.h"
#include "open.h"

#define DEFAULT_DEPTH 128

static const struct place *const places[] = {
#ifdef PHYR_HAVE_SIM
	&phyr_place_sim,
#endif
	&phyr_place_pci,
	NULL,
};

static const char *kind_hint(const char *target, size_t len)
{
	if (len == 3 && !memcmp(target, "sim", 3))
		return "this library was built without the simulated machine";
	return "no such kind of target: there are sim:FILE, sim: for a device of your own, and "
	       "pci:ADDRESS";
}

/* Split "kind:what". */
static int find_place(struct phyr *p, const char *target, const char **what)
{
	const char *colon = target ? strchr(target, ':') : NULL;
	size_t len = colon ? (size_t)(colon - target) : 0;

	if (!len)
		return open_error(p, -EINVAL, "a target is KIND:WHAT, such as sim:disk.img");
	for (size_t i = 0; places[i]; i++) {
		if (strlen(places[i]->name) != len || memcmp(places[i]->name, target, len))
			continue;
		p->place = places[i];
		*what = colon + 1;
		return 0;
	}
	return open_error(p, -EOPNOTSUPP, kind_hint(target, len));
}

static int take_opts(struct phyr *p, const struct phyr_opts *opts)
{
	if (!opts)
		return 0;
	if (opts->size != sizeof(*opts))
		return open_error(p, -EINVAL, "opts->size is not sizeof(struct phyr_opts)");
	p->opts = *opts;
	if (!opts->nvme.size)
		p->opts.nvme = (struct phyr_nvme_opts){0};
	if ((unsigned)opts->iommu > PHYR_IOMMU_IOMMUFD)
		return open_error(p, -EINVAL, "opts->iommu is no choice that there is");
	if (opts->nvme.size && opts->nvme.size != sizeof(opts->nvme))
		return open_error(p, -EINVAL,
				  "opts->nvme.size is not sizeof(struct phyr_nvme_opts)");
	return 0;
}

/* What fails below reports itself, and knows why. */
static int make_dev(struct phyr *p)
{
	int err = phyr_domain_create(p->iommu, &p->domain);

	if (!err)
		err = phyr_dev_create(p->domain, p->source, p->opts.limits, &p->dev);
	p->opts.limits = NULL; /* the caller's, and copied */
	return err ? err : p->place->attached(p);
}

void phyr_take_vectors(struct phyr *p, int (*set)(void *arg, unsigned vector, int fd), void *arg,
		       unsigned nr)
{
	struct phyr_nvme_opts *nvme = &p->opts.nvme;

	if (!nvme->interrupts || nvme->set_vector_fd)
		return;
	nvme->set_vector_fd = set;
	nvme->vector_arg = arg;
	if (!nvme->nr_vectors || nvme->nr_vectors > nr)
		nvme->nr_vectors = nr;
}

/* The driver reports its own errors. */
static int make_queue(struct phyr *p)
{
	unsigned depth = p->opts.depth ? p->opts.depth : DEFAULT_DEPTH;
	int err;

	p->opts.nvme.size = sizeof(p->opts.nvme);
	p->opts.nvme.read_only |= !p->opts.writable;
	err = phyr_nvme_open(p->dev, p->regs, &p->opts.nvme, &p->nvme);
	if (err)
		return err;
	depth = (unsigned)min_u64(depth, phyr_nvme_get_info(p->nvme)->max_depth);
	return phyr_nvme_queue_create(p->nvme, depth, &p->queue);
}

static int open_target(struct phyr *p, const char *target, const struct phyr_opts *opts)
{
	const char *what = NULL;
	int err;

	err = take_opts(p, opts);
	if (!err)
		err = find_place(p, target, &what);
	if (!err)
		err = p->place->open(p, what);
	if (!err)
		err = make_dev(p);
	return err || !p->has_nvme ? err : make_queue(p);
}

static struct phyr *make(const struct phyr_opts *opts)
{
	static const struct phyr_report report = {
		.err = -ENOMEM, .call = "phyr_open", .hint = "no memory for the target"};
	bool listens = opts && opts->size == sizeof(*opts) && opts->report;
	struct phyr *p = env_alloc(phyr_env_hosted(), sizeof(*p));

	if (!p && listens)
		opts->report(opts->report_arg, &report);
	if (!p)
		return NULL;
	p->fd = -1;
	if (listens) {
		p->opts.report = opts->report;
		p->opts.report_arg = opts->report_arg;
	}
	phyr_env_wrap(p, phyr_env_hosted());
	return p;
}

int phyr_open(const char *target, const struct phyr_opts *opts, struct phyr **out)
{
	struct phyr *p = make(opts);
	int err;

	if (!p)
		return -ENOMEM;
	err = open_target(p, target, opts);
	if (err)
		phyr_close(p);
	else
		*out = p;
	return err;
}

void phyr_close(struct phyr *p)
{
	if (!p)
		return;
	if (load_relaxed(&p->lists))
		env_fail(&p->env, .err = -EBUSY, .call = "phyr_close", .index = p->lists,
			 .index_of = "live lists",
			 .hint = "lists from phyr_list_from_user() were not released");
	phyr_nvme_queue_destroy(p->queue);
	phyr_nvme_close(p->nvme);
	if (p->dev)
		p->place->detaching(p);
	phyr_dev_destroy(p->dev);
	phyr_domain_destroy(p->domain);
	if (p->place)
		p->place->close(p);
	env_free(phyr_env_hosted(), p, sizeof(*p));
}

struct phyr_dev *phyr_get_dev(struct phyr *p)
{
	return p->dev;
}

struct phyr_nvme *phyr_get_nvme(struct phyr *p)
{
	return p->nvme;
}

struct phyr_nvme_queue *phyr_get_queue(struct phyr *p)
{
	return p->queue;
}

struct phyr_regs *phyr_get_regs(struct phyr *p)
{
	return p->regs;
}

struct phyr_sim_dev *phyr_get_sim_dev(struct phyr *p)
{
	return p->sdev;
}

struct phyr_pci *phyr_get_pci(struct phyr *p)
{
	return p->pci;
}

struct phyr_sim *phyr_get_sim(struct phyr *p)
{
	return p->sim;
}

int phyr_list_from_user(struct phyr *p, void *ptr, uint64_t len, struct phyr_list *list)
{
	int err;

	phyr_list_init(list, &p->env, p->space);
	if (range_is_bad((uintptr_t)ptr, len))
		return env_fail(&p->env, .err = -EINVAL, .call = "phyr_list_from_user",
				.addr = (uintptr_t)ptr, .len = len,
				.hint = "the length is 0, or the buffer wraps around");
	err = p->place->pin(p, ptr, len, list);
	if (!err) {
		atomic_count_add(&p->lists, 1);
		return 0;
	}
	phyr_list_reset(list);
	return env_fail(&p->env, .err = err, .call = "phyr_list_from_user", .addr = (uintptr_t)ptr,
			.len = len, .hint = "the memory cannot be kept in place");
}

/* Whether the list was made for this target: its memory is this place's, its blocks and reports p's. */
static bool is_own(const struct phyr *p, const struct phyr_list *list)
{
	return list->env == &p->env && list->space == p->space;
}

/* Count one list less; false: none is out. */
static bool count_release(struct phyr *p)
{
	uint64_t lists = load_relaxed(&p->lists);

	while (lists && !compare_exchange(&p->lists, &lists, lists - 1))
		;
	return lists != 0;
}

static __attribute__((noinline)) void bad_release(struct phyr *p, const struct phyr_list *list,
						  const char *hint)
{
	env_fail(&p->env, .err = -EINVAL, .call = "phyr_list_release",
		 .addr = phyr_list_first_addr(list), .len = list->len, .hint = hint);
}

void phyr_list_release(struct phyr *p, struct phyr_list *list)
{
	if (!list)
		return;
	if (list->len) {
		if (!is_own(p, list)) {
			bad_release(p, list, "the list is another target's: release it there");
			return;
		}
		if (!count_release(p)) {
			bad_release(p, list,
				    "no list of this target is out: released already, or not from "
				    "phyr_list_from_user()");
			return;
		}
		p->place->unpin(p, list);
	}
	phyr_list_fini(list);
}

const char *phyr_version(void)
{
	return PHYR_VERSION;
}
