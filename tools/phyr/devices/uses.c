/* SPDX-License-Identifier: MIT */
/* phyr devices: what of a device is used, and by whom: its nodes joined with what is seen. */
#include <stdio.h>
#include <string.h>

#include "devices/devices.h"

const char *const devices_use_names[] = {
	[USE_MOUNTED] = "mounted", [USE_SWAP] = "swap",         [USE_PART] = "part-of",
	[USE_LOOP] = "loop",       [USE_EXPORTED] = "exported", [USE_FUNCTIONS] = "functions",
	[USE_OPEN] = "open",       [USE_VFIO] = "vfio",         [USE_UP] = "up",
	[USE_SCREEN] = "screen",
};

static bool is_of(const struct node *n, const struct device *d)
{
	return n->group >= 0 ? n->group == d->info.group : n->owner == d->info.source;
}

/* The node that a sign is of, if it is the device's; several paths to a disk make several nodes. */
static const struct node *node_of(const struct machine *m, const struct sign *s,
				  const struct device *d)
{
	for (size_t i = 0; i < m->nr_nodes; i++) {
		const struct node *n = &m->nodes[i];

		if (n->dev == s->dev && n->block == s->block && is_of(n, d))
			return n;
	}
	return NULL;
}

/* Whether a sign is of the device, and what it says is used of it. */
static bool used_of(const struct machine *m, const struct sign *s, const struct device *d,
		    const char **what)
{
	const struct node *n;

	*what = s->what[0] ? s->what : d->name;
	if (s->any_owner)
		return is_vfio(d->info.driver);
	if (s->by_owner)
		return s->owner == d->info.source;
	n = node_of(m, s, d);
	if (n)
		*what = n->name;
	return n != NULL;
}

/* The same mount is seen in several namespaces, the same process by several descriptors. */
static bool is_said(const struct machine *m, size_t at)
{
	const struct sign *s = &m->signs[at];

	for (size_t i = 0; i < at; i++) {
		const struct sign *b = &m->signs[i];

		if (b->kind == s->kind && b->block == s->block && b->dev == s->dev &&
		    b->by_owner == s->by_owner && b->any_owner == s->any_owner &&
		    b->owner == s->owner && !strcmp(b->by, s->by) && !strcmp(b->what, s->what))
			return true;
	}
	return false;
}

void uses_each(const struct machine *m, const struct device *d, use_fn *fn, void *arg)
{
	for (size_t i = 0; i < m->nr_signs; i++) {
		const struct sign *s = &m->signs[i];
		const char *what;

		if (used_of(m, s, d, &what) && !is_said(m, i) && !fn(arg, s->kind, what, s->by))
			return;
	}
}

void use_text(char *buf, size_t size, enum use_kind kind, const char *what, const char *by)
{
	static const char *const phrases[] = {
		[USE_MOUNTED] = "%s is mounted at %s",
		[USE_SWAP] = "%s is swap space%s",
		[USE_PART] = "%s is part of %s",
		[USE_LOOP] = "%s lies under %s",
		[USE_EXPORTED] = "%s is exported as %s",
		[USE_FUNCTIONS] = "%s has virtual functions switched on: %s",
		[USE_OPEN] = "%s is open in %s",
		[USE_VFIO] = "%s is held by %s",
		[USE_UP] = "interface %s is up%s",
		[USE_SCREEN] = "%s is the console's display%s",
	};

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(buf, size, phrases[kind], what, by);
#pragma GCC diagnostic pop
}

struct text {
	char *buf;
	size_t size;
	bool any;
};

static bool take_first(void *arg, enum use_kind kind, const char *what, const char *by)
{
	struct text *text = arg;

	use_text(text->buf, text->size, kind, what, by);
	text->any = true;
	return false;
}

bool uses_first(const struct machine *m, const struct device *d, char *buf, size_t size)
{
	struct text text = {.buf = buf, .size = size};

	uses_each(m, d, take_first, &text);
	return text.any;
}
