/* SPDX-License-Identifier: ISC
 * Options and verbs. */
#include "app/cmd.h"

#include <stdio.h>
#include <string.h>

int
cmd_main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		puts("mai " PACKAGE_VERSION);
		return CMD_OK;
	}
	return CMD_USAGE;
}
