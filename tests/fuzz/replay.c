/* SPDX-License-Identifier: MIT */
/* A fuzz target without a fuzzer: replay FOLDER runs each file of it once. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"

#define SIZE_MAX_INPUT ((size_t)1 << 20)

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_input(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* The input lies in memory of just its size, so that a sanitizer sees a read past it. */
static int run(const char *folder, const char *name)
{
	char path[4096];
	uint8_t *data = malloc(SIZE_MAX_INPUT), *fit;
	size_t size;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "rb");
	if (!file || !data) {
		fprintf(stderr, "replay: %s cannot be read\n", path);
		return 1;
	}
	size = fread(data, 1, SIZE_MAX_INPUT, file);
	fclose(file);
	fit = realloc(data, size ? size : 1);
	fprintf(stderr, "%s\n", path);
	LLVMFuzzerTestOneInput(fit, size);
	free(fit);
	return 0;
}

int main(int argc, char **argv)
{
	struct dirent **names;
	int nr, bad = 0;

	if (argc != 2) {
		fprintf(stderr, "usage: replay FOLDER\n");
		return 2;
	}
	nr = scandir(argv[1], &names, is_input, by_name);
	if (nr <= 0) {
		fprintf(stderr, "replay: no inputs in %s\n", argv[1]);
		return 1;
	}
	for (int i = 0; i < nr; i++) {
		bad |= run(argv[1], names[i]->d_name);
		free(names[i]);
	}
	free(names);
	printf("%d inputs\n", nr);
	return bad;
}
