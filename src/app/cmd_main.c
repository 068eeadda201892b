/* SPDX-License-Identifier: ISC
 * From the words of the command line to a verb. */
#include <stdio.h>
#include <string.h>

#include "app/cmd.h"

static int
print_usage(const struct cmd *c)
{
	struct strbuf out = STRBUF_INIT;

	cmd_usage(cmd_table, cmd_count, c, &out);
	fputs(strbuf_str(&out), stdout);
	strbuf_fini(&out);
	return CMD_OK;
}

int
cmd_main(int argc, char **argv)
{
	const struct cmd *c = NULL;
	struct err e = {{0}};
	struct cmd_opts o;

	if (cmd_parse(argc, argv, cmd_table, cmd_count, &o, &c, &e) != 0) {
		fprintf(stderr, "mai: %s\nTry 'mai%s%s --help'.\n", e.msg, o.verb != NULL ? " " : "",
		    o.verb != NULL ? o.verb : "");
		return CMD_USAGE;
	}
	if (o.help)
		return print_usage(c);
	if (o.version) {
		puts("mai " PACKAGE_VERSION);
		return CMD_OK;
	}
	return o.daemon ? cmd_serve(&o) : c->run(&o);
}
