/* SPDX-License-Identifier: MIT */
/*
 * The front door inside: an open target, and what each kind of target must do for it.
 *
 * A place is a kind of target, the word before the colon. It makes what is below the driver: the
 * environment, the backend's hardware, the device's registers; the rest is the same everywhere.
 */
#ifndef OPEN_H
#define OPEN_H

#include <phyr/phyr.h>

#include "core/env.h"

struct place {
	const char *name;
	/* Fill in iommu, source, space and has_nvme, wrap the place's environment. What was made by then
	 * is undone by close, also when this fails. */
	int (*open)(struct phyr *p, const char *what);
	/* Undo as much of open as was done. */
	void (*close)(struct phyr *p);
	/* The device is attached to its domain: fill in regs, adjust opts.nvme. What was done by then is
	 * undone by detaching, also when this fails. */
	int (*attached)(struct phyr *p);
	/* Undo as much of attached as was done; the device is still attached. */
	void (*detaching)(struct phyr *p);
	int (*pin)(struct phyr *p, void *ptr, uint64_t len, struct phyr_list *list);
	void (*unpin)(struct phyr *p, const struct phyr_list *list);
};

struct phyr {
	struct phyr_env env;   /* base's, with report going to the opener */
	struct phyr_env *base; /* the place's */
	struct phyr_opts opts;
	const struct place *place;

	uint64_t lists; /* from phyr_list_from_user(), and not released */

	const struct phyr_space *space;
	struct phyr_iommu *iommu;
	struct phyr_regs *regs;
	uint32_t source;
	bool has_nvme; /* the device is a controller */

	struct phyr_domain *domain;
	struct phyr_dev *dev;
	struct phyr_nvme *nvme;
	struct phyr_nvme_queue *queue;

	/* sim: */
	struct phyr_sim *sim;
	struct phyr_sim_dev *sdev;
	int fd;

	/* pci: */
	struct phyr_pci *pci;
};

#define open_error(p, error, text, ...) \
	env_fail(&(p)->env, .err = (error), .call = "phyr_open", .hint = (text), ##__VA_ARGS__)

/* Use a place's environment from now on. */
void phyr_env_wrap(struct phyr *p, struct phyr_env *base);

/* Connect the controller's interrupts by set, unless its opener does, or wants none. */
void phyr_take_vectors(struct phyr *p, int (*set)(void *arg, unsigned vector, int fd), void *arg,
		       unsigned nr);

extern const struct place phyr_place_sim;
extern const struct place phyr_place_pci;

#endif
