/* SPDX-License-Identifier: ISC
 * A build without the dashboard shows lines. */
#include "app/top_priv.h"

int
top_run(const struct cmd_opts *o, const struct client_target *t, bool foreground)
{
	return top_plain(o, t, foreground);
}
