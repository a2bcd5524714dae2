/* SPDX-License-Identifier: MIT */
/* phyr layout: where memory lies, and what it costs to describe it. */
#include "layout/layout.h"

#include <string.h>

static void take_report(struct phyr_env *env, const struct phyr_report *report)
{
	cli_take_report(&((struct layout *)env)->reports, report);
}

/* A run's length is counted like the list's own statistics do: by its power of two. */
static void count_bytes(const struct phyr_list *list, uint64_t *bytes_by_lg2)
{
	struct phyr_cursor cur;
	struct phyr_range run;

	phyr_cursor_init(&cur, list);
	while (phyr_cursor_next(&cur, &run)) {
		uint64_t pages = (run.len + PHYR_PAGE_SIZE - 1) / PHYR_PAGE_SIZE;

		bytes_by_lg2[63 - __builtin_clzll(pages)] += run.len;
	}
}

int layout_figures(struct layout *l, struct figures *f)
{
	int err;

	memset(f, 0, sizeof(*f));
	phyr_list_stats(&l->list, &f->stats);
	count_bytes(&l->list, f->bytes_by_lg2);
	cost_list(&l->list, &f->list);
	err = cost_sg(&l->list, &f->sg);
	err = err ? err : cost_bio_vec(&l->list, &f->bio_vec);
	err = err ? err : cost_prp(&l->list, &f->prp);
	err = err ? err : count_leaves(&l->env, &l->list, &f->leaves);
	return err ? cli_error(EXIT_FAILED, COMMAND, "what it costs: %s", cli_why(&l->reports, err))
		   : 0;
}

static int show(struct layout *l)
{
	struct figures f;
	int status;

	if (!l->list.len)
		return cli_error(EXIT_FAILED, COMMAND, "nothing of that is in memory");
	status = layout_figures(l, &f);
	if (status)
		return status;
	if (l->opts->json)
		layout_json(l, &f);
	else
		layout_print(l, &f);
	return 0;
}

static int run(const struct layout_opts *opts)
{
	struct layout l = {.env = *phyr_env_hosted(), .opts = opts};
	int status;

	l.env.report = take_report;
	phyr_list_init(&l.list, &l.env, NULL);
	status = opts->pid ? layout_take_process(&l) : layout_take_own(&l);
	status = status ? status : show(&l);
	layout_release(&l);
	return status;
}

int cmd_layout(int argc, char **argv)
{
	struct layout_opts opts;
	bool help;
	int status = layout_parse(argc, argv, &opts, &help);

	return status || help ? status : run(&opts);
}
