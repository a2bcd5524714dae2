/* SPDX-License-Identifier: MIT */
/* The subcommands. Each returns the exit status: 0, EXIT_FAILED or EXIT_USAGE. */
#ifndef CMD_H
#define CMD_H

#define EXIT_FAILED 1 /* it was tried, and failed */
#define EXIT_USAGE  2 /* it was asked for wrongly; nothing was done */

int cmd_io(int argc, char **argv);
int cmd_demo(int argc, char **argv);
int cmd_layout(int argc, char **argv);
int cmd_devices(int argc, char **argv);
int cmd_bench(int argc, char **argv);

#endif
