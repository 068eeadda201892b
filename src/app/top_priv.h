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

struct top_record;
struct top_replay;

/* What both forms have: the core as it is known here. */
struct top_link {
	struct loop *loop;		/* (owned) */
	struct client *client;		/* (owned) NULL in a replay */
	struct client_watch *watch;	/* (owned) NULL in a replay */
	struct top_record *record;	/* (owned) or NULL */
	struct top_replay *replay;	/* (owned) or NULL */
	struct view view;
	struct view_log *log;		/* (owned) */
	char where[256];		/* the socket or URL */
	bool up, gone;			/* gone: no supervisor runs there */
	bool ever_up;
	bool foreground;		/* the core is the one that was started here */
	bool leaving;
	const char *how;		/* what its bye will say; NULL: nothing, or it is said */
	char why[512];			/* of being down */
	int tries;
	uint64_t since, retry_at;
	int core_pid;			/* to notice another core */
	uint64_t core_started;
	uint64_t log_next;		/* what to fetch from */
	uint64_t skip_from, skip_to;	/* left out in a flood but for what is not of an engine; 0: nothing */
	int skip_got;
	bool fetching;
	uint64_t fetched_at;
	struct timer fetch;
	bool older;			/* the core may have lines before those of the copy */
	bool fetching_older;
	uint64_t older_lines;		/* to ask for at a time: their length is not known */
	/* What the form wants to hear; arg is its own. */
	void (*changed)(void *arg, const char *event);	/* an event was applied */
	void (*lines)(void *arg);			/* log lines came */
	void (*linked)(void *arg, bool up);		/* the link came or went */
	void (*ended)(void *arg);			/* a replay is at its end; may be NULL */
	void *arg;
};

typedef void top_answer_fn(void *arg, enum client_result r, int status, const char *answer, size_t n);

/* viewer: "foreground" or "attached". With o->record what comes is also written there, with o->replay it comes from
 * there and target is not looked at. 0, or -1 with why. */
int top_link_open(struct top_link *l, const struct cmd_opts *o, const struct client_target *t, bool foreground,
    struct err *e);
void top_link_close(struct top_link *l);
/* POST without caring for more than that it was answered; done may be NULL. */
void top_link_post(struct top_link *l, const char *path, const char *body, top_answer_fn *done, void *arg);
/* GET; in a replay answered from it. */
void top_link_get(struct top_link *l, const char *path, top_answer_fn *done, void *arg);
/* Fetches new lines when there are any; the timer's callback. */
void top_link_fetch(struct top_link *l);
void top_link_on_fetch(void *arg);
/* Fetches a page of lines before those of the copy, if there are any and none is on its way. */
void top_link_older(struct top_link *l);
/* Tries again at once. */
void top_link_retry(struct top_link *l);
/* Says goodbye ("detach", "hangup"), then stops the loop; at most half a second. */
void top_link_leave(struct top_link *l, const char *how);

/* What a replay calls, and the live stream too. */
void top_link_event(struct top_link *l, const char *event, const char *data, size_t n);
void top_link_lines(struct top_link *l, const char *answer, size_t n, uint64_t until, bool older);
void top_link_up(struct top_link *l);
void top_link_down(struct top_link *l, bool gone, const char *text, int tries, uint64_t retry_ms);

/* recordings (top_record.c, top_replay.c): lines of JSON, see doc/dashboard.md -------------------------------------- */

/* NULL with why. */
struct top_record *top_record_open(const char *path, const char *where, bool foreground, struct err *e);
/* Says on stderr when something could not be written. */
void top_record_close(struct top_record **rp);
void top_record_event(struct top_record *r, const char *event, const char *data, size_t n);
void top_record_lines(struct top_record *r, const char *answer, size_t n, uint64_t until, bool older);
void top_record_answer(struct top_record *r, const char *path, int status, const char *answer, size_t n);
void top_record_link(struct top_record *r, bool up, bool gone, const char *text, int tries, uint64_t retry_ms);

/* speed: 1 as it was, 0 all at once. When it has ended everything stands still as it was then. NULL with why. */
struct top_replay *top_replay_open(struct top_link *l, const char *path, double speed, struct err *e);
void top_replay_close(struct top_replay **rp);
/* Of the one who recorded: its form, and what it was attached to. Borrowed. */
bool top_replay_foreground(const struct top_replay *r);
const char *top_replay_where(const struct top_replay *r);
/* Before each frame: clocks as they were. */
void top_replay_clock(struct top_replay *r, uint64_t now);
/* The recorded answer of a path (the newest so far), or NULL. Borrowed. */
const char *top_replay_answer(const struct top_replay *r, const char *path, size_t *n);

/* The answer of GET /api/info, and of GET /api/requests/ID, as lines for a box. Pure. */
void top_info_text(struct strbuf *out, const char *answer, size_t n);
void top_details_text(struct strbuf *out, const char *answer, size_t n);

/* Starts a supervisor in the background as this command line would, with the configuration file of the one that is gone
 * (NULL: none known) where the line names nothing to run. 0, its pid (to be reaped) and the reading end of its complaints
 * (to be closed), or -1 with why. */
int top_start_core(const struct cmd_opts *o, const char *config, pid_t *pid, int *complaints, struct err *e);

/* The form without a screen. */
int top_plain(const struct cmd_opts *o, const struct client_target *t, bool foreground);

#endif
