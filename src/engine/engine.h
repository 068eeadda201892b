/* SPDX-License-Identifier: ISC
 * One supervised engine: started, known to be ready, noticed when it dies, restarted with backoff, stopped so that
 * nothing is left. The life is the table of engine_fsm.h; this module carries out its actions. */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include <sys/types.h>

#include "base/loop.h"
#include "bus/bus.h"
#include "conf/conf.h"
#include "http/http_client.h"
#include "ring/ring.h"

struct engine;
struct engine_env;	/* what all engines of a core share: reaper, guard, state file */

/* An exit, for people and for the API. Plain data, kept after the engine is gone. */
struct engine_exit {
	bool valid;
	bool expected;			/* we asked for it */
	enum engine_reason reason;
	int status;			/* wait status; -1 when it was never spawned */
	char text[96];			/* "exit status 1", "SIGKILL, not by us (possible OOM)", "exited 0 unexpectedly" */
	char cause[512];		/* the line that says why, cleaned; "" when none was found */
	char *tail;			/* (owned by the engine) last 20 lines of output; NULL: none */
	uint64_t wall_ms;		/* when */
	uint64_t uptime_ms;
	uint64_t peak_rss;
	int requests_lost;
	int attempt;			/* n of max_attempts it was */
};

/* What an engine is right now. Borrowed: valid until the next call on the engine. Times are clock_ms. */
struct engine_info {
	enum engine_state state;
	enum engine_reason reason;
	uint64_t since;			/* in this state since */
	pid_t pid;			/* 0: none */
	int port;			/* 0: none */
	uint64_t generation;		/* of the spawn; 0: never spawned */
	uint64_t spawned_at;		/* 0: not alive */
	uint64_t ready_at;		/* 0: not ready */
	uint64_t retry_at;		/* backoff: when it starts again */
	uint64_t kill_at;		/* stopping: when SIGKILL comes; draining: when draining ends; 0: never */
	uint64_t quiet_since;		/* starting: last sign of life */
	int attempt;			/* 0 at first, n after the n-th crash in a row */
	int max_attempts;
	bool wanted;			/* it is to run (also while in backoff) */
	bool quarantined;		/* something of it cannot be killed */
	bool lingers;			/* failed, but not gone yet: it holds its memory and its port for a moment more */
	uint64_t usual_ms;		/* median of its last loads; 0: unknown */
	uint64_t last_load_ms;
	int progress;			/* per mille of the load as its log tells; -1: unknown */
	uint64_t rss, cpu_ms, peak_rss;	/* last sample of the group */
	uint64_t check_ok_at;		/* last good health check; 0: none */
	uint64_t starts, crashes;	/* since mai began */
	const struct engine_exit *last_exit;	/* never NULL; see valid */
	size_t nexits;			/* newest first, at most 5 */
	const struct engine_exit *exits;
};

/* shared parts ------------------------------------------------------------------------------------------------- */

struct engine_env_opts {
	struct loop *loop;	/* borrowed, as all */
	struct bus *bus;
	struct ring *ring;
	struct http_pool *pool;
	const char *instance;	/* --name: goes into MAI_ENGINE */
	const char *state_dir;	/* load times, orphans record; NULL: not kept */
	int guard_fd;		/* the pipe to the guard, or -1: told "+pgid\n" and "-pgid\n" */
};

/* Installs the SIGCHLD watch and makes the process a child subreaper where the system can. One per process. */
struct engine_env *engine_env_new(const struct engine_env_opts *o);
/* All engines must be freed. Nulls. */
void engine_env_free(struct engine_env **ep);
/* Kills, of the engines recorded in the state file, those whose pid and start time still match and that carry our mark.
 * Blocks for at most 2 s; call before the loop runs. Returns how many were killed. */
int engine_env_sweep(struct engine_env *env);
/* SIGKILLs every process of every engine now, without waiting (the guard died, or a second signal). */
void engine_env_kill_all(struct engine_env *env);

/* one engine --------------------------------------------------------------------------------------------------- */

struct engine_ops {
	/* After each change of state; may call engine functions but engine_free. */
	void (*changed)(void *arg, struct engine *e, enum engine_state from, enum engine_state to);
	/* It does not linger any more. May be NULL; may call engine functions but engine_free. */
	void (*gone)(void *arg, struct engine *e);
};

/* c is referenced, m must be in it. ops borrowed. Owned by caller. */
struct engine *engine_new(struct engine_env *env, struct conf *c, const struct conf_model *m,
    const struct engine_ops *ops, void *arg);
/* Only when stopped or failed. Nulls. */
void engine_free(struct engine **ep);
/* Takes the definition for the next start (and new timeouts at once). */
void engine_set_conf(struct engine *e, struct conf *c, const struct conf_model *m);

/* Wants it to run. manual: a person or the API said so: attempts go back to 0, `failed` and backoff are left at once.
 * Without it `failed` stays failed. */
void engine_start(struct engine *e, enum engine_reason why, bool manual);
/* Wants it gone: drains (until engine_idle or drain_timeout; 0 in flight: at once), then stops. unlimited: the drain has
 * no time limit (a swap made by a request). now, or a second call for REASON_USER, skips what is left of the drain;
 * other calls let it go on, but one that is not unlimited after one that was sets the limit, and any calls off a
 * restart. In backoff: cancels the retry. */
void engine_stop(struct engine *e, enum engine_reason why, bool now, bool unlimited);
/* Whether a start can work at all, told without touching anything: its command can be run, a model path exists, a fixed
 * port is free or held by an engine of this core. False: it is `failed` now, with the reason and a card that says why, as
 * after any other failure. Looks only while stopped or failed (where it renews the card); true in every other state. */
bool engine_preflight(struct engine *e, enum engine_reason why);
/* SIGKILL at once. */
void engine_kill(struct engine *e, enum engine_reason why);
/* Stop, then start again (attempts 0). force: SIGKILL, no drain. Starts it when it is not running. */
void engine_restart(struct engine *e, bool force);

/* The router says how many requests are in flight; 0 ends a drain. */
void engine_set_inflight(struct engine *e, int n);
/* How many of those wait for their clients and not for the engine: a client that does not read is no stall. */
void engine_set_held(struct engine *e, int n);
/* Bytes of an answer came, or a sign that a prompt is being worked on: an engine with requests in flight is not stalled.
 * Cheap: called for each read. */
void engine_progress(struct engine *e);
/* The proxy saw a sign that generation may be dead (connection refused, empty answer): a check is made soon, and a test
 * completion. */
void engine_suspect(struct engine *e);

const struct engine_info *engine_info(struct engine *e);
/* Where it answers; only while ready or draining, else NULL. Borrowed. */
const struct http_target *engine_target(const struct engine *e);
/* The command as it was or would be started; argv borrowed until the next call. */
char *const *engine_argv(struct engine *e);
/* A fresh sample of memory and CPU into the info (at most every 200 ms). */
void engine_sample(struct engine *e);
/* What a model needs in bytes: as configured, else the most that earlier runs took, else the size of its file or directory.
 * 0: unknown. Looks at the file system at most twice a minute for each path. */
uint64_t engine_memory_need(const struct engine_env *env, const struct conf_model *m);
/* Whether memory that the last engine held is back, or as much as the next one needs (bytes, 0: not known), so that it may
 * load; sampled by the router's swap, and by an engine's own restart. */
bool engine_memory_settled(struct engine_env *env, uint64_t since, uint64_t need);

#endif
