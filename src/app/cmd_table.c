/* SPDX-License-Identifier: ISC
 * The verbs. */
#include "app/cmd.h"
#include "base/compat.h"

#define WAITS "It waits for the outcome and shows the progress; --no-wait returns as soon as it is asked for."

const struct cmd cmd_table[] = {
	{"", "[MODEL]", "Supervisor and dashboard", 0, 1, cmd_top, CMD_OPT_DAEMON | CMD_OPT_CONF | CMD_OPT_UI, NULL},
	{"serve", "[MODEL]", "Supervisor without dashboard, in the foreground", 0, 1, cmd_serve, CMD_OPT_CONF, NULL},
	{"attach", "", "Dashboard of the running supervisor", 0, 0, cmd_attach, CMD_OPT_UI | CMD_OPT_REPLAY, NULL},
	{"status", "", "State of the engine, and why", 0, 0, cmd_status, CMD_OPT_WATCH, NULL},
	{"models", "", "The models and their states", 0, 0, cmd_models, 0, NULL},
	{"swap", "MODEL", "Make MODEL the served one", 1, 1, cmd_swap, CMD_OPT_NO_WAIT, WAITS},
	{"start", "[MODEL]", "Start the engine", 0, 1, cmd_start, CMD_OPT_NO_WAIT, WAITS},
	{"stop", "[MODEL]", "Stop the engine; the supervisor stays", 0, 1, cmd_stop, CMD_OPT_NO_WAIT, WAITS},
	{"restart", "[MODEL]", "Restart the engine", 0, 1, cmd_restart, CMD_OPT_NO_WAIT | CMD_OPT_FORCE,
	    WAITS "\n--force kills it instead of waiting for requests in flight."},
	{"pin", "MODEL", "Keep MODEL: it never gives way to another one", 1, 1, cmd_pin, 0, NULL},
	{"unpin", "MODEL", "Let it give way again", 1, 1, cmd_unpin, 0, NULL},
	{"logs", "[MODEL]", "Log lines", 0, 1, cmd_logs, CMD_OPT_LOGS, NULL},
	{"ps", "", "Requests in flight and waiting", 0, 0, cmd_ps, 0, NULL},
	{"cancel", "ID", "Cancel a request (ID as ps shows it)", 1, 1, cmd_cancel, 0, NULL},
	{"reload", "", "Read the configuration again", 0, 0, cmd_reload, 0, NULL},
	{"shutdown", "", "End the supervisor and its engines", 0, 0, cmd_shutdown, CMD_OPT_NO_WAIT | CMD_OPT_FORCE,
	    WAITS "\n--force does not wait for requests in flight."},
	{"check", "[MODEL]", "Check the configuration and print the plan", 0, 1, cmd_check, CMD_OPT_CONF, NULL},
	{"ask", "PROMPT", "Ask the model; '-' reads the prompt from stdin", 1, 1, cmd_ask, 0, NULL},
	{"version", "", "Versions of this program and of the supervisor", 0, 0, cmd_version, 0, NULL},
};
const int cmd_count = (int)ARRAY_LEN(cmd_table);
