/* SPDX-License-Identifier: ISC
 * Between the parts of the dashboard process. */
#ifndef APP_TOP_PRIV_H
#define APP_TOP_PRIV_H

#include <sys/types.h>

#include "app/top.h"
#include "client/client.h"
#include "view/view.h"
#include "view/view_log.h"

#define TOP_LOG_BYTES (8u << 20)

/* What both forms have: the core as it is known here. */
struct top_link {
	struct loop *loop;		/* (owned) */
	struct client *client;		/* (owned) */
	struct client_watch *watch;	/* (owned) */
	struct view view;
	struct view_log *log;		/* (owned) */
	bool up, gone;			/* gone: no supervisor runs there */
	bool ever_up;
	char why[512];			/* of being down */
	int tries;
	uint64_t since, retry_at;
	int core_pid;			/* to notice another core */
	uint64_t core_started;
	uint64_t log_next;		/* what to fetch from */
	bool fetching;
	uint64_t fetched_at;
	struct timer fetch;
	/* What the form wants to hear; arg is its own. */
	void (*changed)(void *arg, const char *event);	/* an event was applied */
	void (*lines)(void *arg);			/* log lines came */
	void (*linked)(void *arg, bool up);		/* the link came or went */
	void *arg;
};

/* viewer: "foreground" or "attached". */
void top_link_open(struct top_link *l, const struct client_target *t, bool foreground);
void top_link_close(struct top_link *l);
/* POST without caring for more than that it was answered; done may be NULL. */
void top_link_post(struct top_link *l, const char *path, const char *body,
    void (*done)(void *arg, enum client_result r, int status, const char *answer, size_t n), void *arg);
/* Says goodbye ("detach", "hangup"), then stops the loop; at most half a second. */
void top_link_leave(struct top_link *l, const char *how);

/* Starts a supervisor in the background as this command line would. 0 and its pid (to be reaped), or -1 with why. */
int top_start_core(const struct cmd_opts *o, pid_t *pid, struct err *e);

/* The form without a screen. */
int top_plain(const struct cmd_opts *o, const struct client_target *t, bool foreground);

#endif
