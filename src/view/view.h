/* SPDX-License-Identifier: ISC
 * What a dashboard can know: plain data, filled from a snapshot and events, read by the screens. The core fills one from
 * its state and encodes it; the dashboard decodes and keeps one. No sockets, no curses. All times in it are the core's
 * clock_ms; view_now turns local time into it. */
#ifndef VIEW_VIEW_H
#define VIEW_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/strbuf.h"
#include "bus/vocab.h"

#define VIEW_PROTOCOL 1
#define VIEW_HIST 300	/* seconds of history */

/* One second of history, oldest first in the arrays below. */
struct view_hist {
	float tps[VIEW_HIST];
	float rss[VIEW_HIST];		/* MiB, of the current engine */
	int n;
	uint64_t at;			/* when the newest one was */
};

struct view_engine {
	char *id;			/* (owned, as every string); as it came, all others but models' ids are harmless */
	char *name;			/* what to show; never NULL */
	char *kind, *kind_short;	/* "mlx_lm.server", "mlx" */
	enum engine_state state;
	enum engine_reason reason;
	bool current, pinned, unlisted, quarantined;
	bool discovered;		/* found on disk, not configured */
	int pid, port;			/* 0: none */
	int attempt, max_attempts;
	uint64_t since, spawned_at, ready_at, retry_at, kill_at, quiet_since, check_ok_at;	/* 0: does not apply */
	uint64_t retry_total;		/* ms of the present backoff */
	uint64_t quiet_limit;		/* healthCheckTimeout, ms */
	uint64_t drain_limit;		/* drainTimeout, ms */
	uint64_t usual_ms;		/* 0: unknown */
	int progress;			/* per mille; -1 */
	uint64_t rss, cpu_permille;	/* 0: unknown; 1000 = one core */
	uint64_t memory;		/* what it is known to need; 0: unknown */
	double tps;			/* tokens/s of all its requests over the last 5 s; < 0 unknown */
	uint64_t last_used_wall;	/* 0: never */
	int in_flight, queued;
	char *last_exit;		/* "SIGKILL after 12s"; NULL */
	char *cause;			/* NULL */
	uint64_t failed_wall;		/* when it gave up, wall ms; 0 */
	char *stopped_by;		/* who; NULL */
	char *live;			/* unfinished output line; NULL */
	char *missing, *install;	/* its program, when it is not on this machine; the line that installs it; NULL */
	struct view_hist *hist;		/* (owned) seen here while it lives, not sent; NULL */
};

struct view_request {
	uint64_t id;
	char *client, *model, *path, *api;
	enum req_phase phase;
	uint64_t since;
	uint64_t first_byte_at;		/* 0: none yet */
	uint64_t waited_ms;		/* for an engine, until it was sent there */
	uint64_t bytes_in, bytes_out;
	int64_t tokens_in, tokens_out;	/* -1 unknown */
	int64_t prompt_done, prompt_total;	/* tokens of the prompt, while they are processed; -1 unknown */
	double tokens_per_second;	/* < 0 unknown */
	bool estimated;			/* it and tokens_out */
	int position;
	bool stream;
};

struct view {
	char *version;			/* the core's */
	char *listen;			/* "http://127.0.0.1:8081" */
	char *instance;
	int pid, protocol;
	bool foreground;		/* this core belongs to a foreground `mai` */
	uint64_t started;		/* core's start */
	uint64_t seq;			/* last event applied */
	int64_t skew;			/* core clock - local clock, ms */
	int viewer_id, viewers;
	char *viewer_name;		/* how the core calls this viewer where it is an author; NULL */
	uint64_t lost;			/* events this viewer missed before its last snapshot */
	struct view_engine *engines;	/* (owned) configured order; discovered ones behind */
	size_t nengines;
	struct view_request *requests;	/* (owned) by id */
	size_t nrequests;
	char *swap_from, *swap_to;	/* NULL: no swap under way */
	int swap_step;			/* 1 drain, 2 stop, 3 start */
	uint64_t swap_since;
	char *swap_who;
	uint64_t in_flight, queued, done, errors, swaps;
	double tps;			/* < 0 unknown */
	uint64_t rss, cpu_permille;	/* of the current engine */
	uint64_t memory_free, memory_total;	/* 0 unknown */
	uint64_t queue_max_wait;	/* ms */
	bool insecure;
	char *missing;			/* without any model: engines that are not there, "program<tab>install line" lines */
	uint64_t log_next;		/* sequence number the next log line will get */
	struct view_hist hist;
	char *shutdown_text;		/* set when the core is ending */
	bool shutting_down;
	/* the last BUS_ACTION, for the message row */
	char *action, *action_who;
	uint64_t action_n;		/* counts actions; a change means a new one */
	char *config;			/* the core's configuration file, as it came; NULL */
	char *theme;			/* dashboard settings of the core's configuration */
	bool mouse, bell, log_colors;
};

void view_init(struct view *v);
/* Frees everything inside. */
void view_fini(struct view *v);

/* Local clock_ms -> the core's. */
uint64_t view_now(const struct view *v, uint64_t local_ms);

/* The event names of GET /api/events: "hello", "snapshot", "engine", "request", "gauges", "log", "action", "shutdown".
 * Applies one (JSON data of n bytes); unknown names are ignored. local_ms: when it came, for the skew. 0, or -1 on data
 * that does not fit (the view is unchanged). Pure. */
int view_apply(struct view *v, const char *event, const char *data, size_t n, uint64_t local_ms, struct err *e);

/* Encoders, used by the core: one compact JSON object without newline. */
void view_put_hello(struct strbuf *b, const struct view *v, uint64_t now);
void view_put_snapshot(struct strbuf *b, const struct view *v, uint64_t now);
void view_put_engine(struct strbuf *b, const struct view_engine *e, uint64_t now);
void view_put_request(struct strbuf *b, const struct view_request *r, uint64_t now);	/* phase done: removes it */
void view_put_gauges(struct strbuf *b, const struct view *v, uint64_t now);
void view_put_log(struct strbuf *b, uint64_t next);
void view_put_action(struct strbuf *b, const char *who, const char *text);
void view_put_shutdown(struct strbuf *b, const char *text);

/* Adds a second of history; seconds since the last one without a sample repeat it. */
void view_hist_push(struct view_hist *h, uint64_t at, double tps, uint64_t rss);

/* Borrowed; NULL. */
struct view_engine *view_engine_find(const struct view *v, const char *id);
/* The one the header shows: the current one, else the last that lives, else the last that did, else the first; NULL
 * without engines. */
struct view_engine *view_current(const struct view *v);
struct view_request *view_request_find(const struct view *v, uint64_t id);

void view_engine_fini(struct view_engine *e);
void view_request_fini(struct view_request *r);

#endif
