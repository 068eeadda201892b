/* SPDX-License-Identifier: ISC
 * mai attach: the dashboard of a core that runs. */
#include <stdio.h>

#include "app/cmd_priv.h"
#include "app/top.h"

#define ASK_MS 5000

int
cmd_attach(const struct cmd_opts *o)
{
	struct strbuf answer = STRBUF_INIT;
	struct client_target t = {0};
	enum client_result r;
	struct err e = {{0}};
	int status = 0, rc;

	if (o->replay != NULL)
		return top_run(o, NULL, false);
	if (cmd_target(o, &t, &e) != 0) {
		fprintf(stderr, "mai: %s\n", e.msg);
		return CMD_FAILED;
	}
	/* Without a core there is nothing to show, and a script wants to know. */
	r = client_call(&t, "GET", "/api/version", NULL, ASK_MS, &status, &answer, &e);
	if (r != CLIENT_OK)
		rc = cmd_no_answer(o, r, e.msg);
	else if (status != 200)
		rc = cmd_judge(o, status, strbuf_str(&answer), answer.len);
	else
		rc = top_run(o, &t, false);
	strbuf_fini(&answer);
	client_target_fini(&t);
	return rc;
}
