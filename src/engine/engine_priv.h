/* SPDX-License-Identifier: ISC
 * Inside src/engine: the structs, and what each file offers the others. */
#ifndef ENGINE_ENGINE_PRIV_H
#define ENGINE_ENGINE_PRIV_H

#include "base/strbuf.h"
#include "engine/engine.h"
#include "engine/engine_fsm.h"
#include "engine/engine_policy.h"

#define ENGINE_EXITS 5
#define ENGINE_TAIL 20
#define ENGINE_ERRS 16
#define ENGINE_MARK 128
#define ENGINE_MAX_PIDS 256

/* A fixed number of the newest lines. */
struct engine_lines {
	struct strbuf v[ENGINE_TAIL];	/* (owned) a ring */
	size_t size, n, next;
};

/* One of stdout and stderr. */
struct engine_out {
	struct engine *e;
	int fd;			/* -1: closed */
	struct watch w;
	struct strbuf line;	/* (owned) what has no newline yet */
	bool cut;		/* the rest of this line is dropped */
};

struct engine_log {
	struct engine_out out[2];
	struct timer drain;	/* armed: a flood, the watches are off */
	struct timer live;	/* armed: a line without newline is waiting to be shown */
	struct timer end;	/* armed: the leader is dead, somebody may hold the pipe */
	struct timer trip;	/* armed: a line said that it is dead; more of the story is waited for */
	struct engine_out *partial;
	bool live_shown, small_pipe;
	uint64_t tokens, refilled;	/* bytes that may be looked at line by line */
	uint64_t dropped, dropped_said;
	struct engine_lines tail, errs;
	bool port_line;
	enum engine_reason permanent;
	char trip_line[512];
	struct policy_patterns *progress, *cause, *fatal, *perm, *noise, *work, *still;	/* (owned) */
	const struct conf_kind *kind;	/* of these */
};

enum engine_probe_stage { PROBE_CHECK, PROBE_CANARY, PROBE_CANARY_CHAT };

struct engine_probe {
	struct http_xfer *x;		/* under way */
	struct http_target target;
	struct strbuf req, answer;	/* (owned) */
	size_t nhead;
	int status;
	enum engine_probe_stage stage;
	struct timer next, timeout, life;
	uint64_t next_expected, expected, life_expected;	/* when they were to fire */
	int tcp_fd;			/* -1: none; a bare connect where no path is checked */
	struct watch tcp;
	bool ok_once;			/* the check was 200 for this generation */
	bool closed;			/* the last one was refused: nobody listens on its port */
	int strangers, refusals, misses;
	struct policy_use use;		/* the sample of use_at */
	uint64_t use_at;
};

enum engine_wedge_state { WEDGE_CALM, WEDGE_SUSPECTED, WEDGE_STALLED };

/* Whether it generates, while it serves. */
struct engine_wedge {
	enum engine_wedge_state state;
	char seen[128];			/* what made us look */
	struct timer tick;		/* armed while requests are in flight */
	uint64_t expected;		/* when it was to fire */
	struct policy_use use;		/* of its processes, the sample of use_at; 0: none of this silence */
	uint64_t use_at, idle_since;
	uint64_t asked_at;		/* the first test completion of this story; 0: none */
	struct policy_use asked_use;
	bool asked_use_known;
	bool completes;			/* one was answered by this definition */
	uint64_t cleared_at;		/* the last story ended well */
	uint64_t asleep;		/* what the system had been suspended by then, in all */
};

/* The command that stops it. */
struct engine_cmdstop {
	pid_t pid;			/* its leader and group, not yet reaped; 0: it does not run */
	bool ran;			/* for this generation */
	bool killed;			/* by us */
	char **argv;			/* (owned) */
	int fd, exec_fd;		/* its output; execve's errno; -1: closed */
	struct watch w;
	struct timer bound;
	struct strbuf line;		/* (owned) */
	int lines;
};

struct engine_want {
	enum engine_input in;
	enum engine_reason reason;
};

struct engine {
	struct engine_env *env;
	struct engine *next;
	struct conf *conf;		/* (referenced) */
	const struct conf_model *m;
	const struct engine_ops *ops;
	void *arg;
	char *id;			/* (owned) */

	struct engine_info info;
	struct engine_exit exits[ENGINE_EXITS];
	bool again, due, unlimited;
	enum engine_reason why, why_again;	/* it was started; it shall be started again */
	int inflight, held;		/* held: of those in flight, waiting for their clients */
	uint64_t progress_at;		/* last byte of an answer, or when requests began to be in flight */
	uint64_t worked_at;		/* last byte of an answer, or other sign of work on one; 0: none yet */
	struct engine_want wants[16];	/* inputs that came while one is carried out */
	size_t nwants;
	bool stepping;

	pid_t pid;			/* leader, not yet reaped; 0: none */
	pid_t pgid;			/* something of it may live; 0: nothing */
	char mark[ENGINE_MARK];
	uint64_t start_time;
	bool signalled;			/* we sent SIGTERM or SIGKILL */
	bool recorded;			/* the end of this generation is in exits already */
	bool ever_ready;		/* with this definition */
	int repicks;
	uint64_t kill_since, gone_wait;
	uint64_t empty_since;		/* nothing of it is left, but for its memory, for which its restart waits */
	uint64_t sampled_at;
	struct policy_use use;		/* of then */
	struct timer timer;		/* the state's */
	struct timer gone;		/* looks whether anything is left */

	int exec_fd;			/* execve's errno comes from it; -1: closed */
	struct watch exec_w;
	int exec_errno;
	bool bad_interpreter;
	bool spawn_failed;		/* told at the end of this turn */
	struct policy_verdict verdict;
	char cause[512];

	char **argv;			/* (owned) as it was started; NULL: never */
	bool port_fixed;
	struct http_target target;
	struct engine_log log;
	struct engine_probe probe;
	struct engine_wedge wedge;
	struct engine_cmdstop cmdstop;
	bool hurried;			/* the core ends at once */
};

struct engine_store;
struct engine_sizes;

struct engine_env {
	struct loop *loop;
	struct bus *bus;
	struct ring *ring;
	struct http_pool *pool;
	char *instance;			/* (owned) */
	int guard_fd;
	struct sigwatch chld;
	struct engine *first;		/* borrowed, all engines */
	uint64_t generation;
	struct engine_store *store;	/* (owned) or NULL */
	struct engine_sizes *sizes;	/* (owned) of models on disk */
	char *buf;			/* (owned) 64 KiB to read into */
	struct strbuf clean;
	struct policy_settle settle;
};

/* engine.c: the only place where inputs act. Reentrant: an input that comes while another is carried out waits. */
void engine_feed(struct engine *e, enum engine_input in, enum engine_reason reason);
/* Its stop command has ended: what is left of the engine itself is waited for. */
void engine_cmdstop_over(struct engine *e);
/* It is as good as dead: records the end, then feeds a crash. */
void engine_dead(struct engine *e, const struct policy_verdict *v, const char *cause);
/* A look at it says that a start cannot work: it has failed, without having been started. Only while stopped or failed. */
void engine_unfit(struct engine *e, const struct policy_verdict *v, const char *cause);
/* The leader was reaped. */
void engine_exited(struct engine *e, int status, uint64_t peak_rss);
void engine_became_ready(struct engine *e);
/* Something people see changed, but not the state. */
void engine_publish(struct engine *e);

/* engine_exit.c */
void engine_exit_record(struct engine *e, const struct policy_verdict *v, int status, bool expected, const char *cause);
void engine_exits_free(struct engine *e);

/* engine_spawn.c: 0; -1 with verdict and cause when it could not even be tried. */
int engine_spawn(struct engine *e, struct policy_verdict *v, char *cause, size_t cause_size);
/* Reads the errno of a failed execve if it is there, and closes the pipe. */
void engine_spawn_settle(struct engine *e);

/* engine_preflight.c: what both a look and a start find out. 0; -1 with why. */
int engine_preflight_all(struct engine *e, int *port, struct policy_verdict *v, char *cause, size_t size);
/* Fills the verdict; always -1. */
int engine_refuse(struct policy_verdict *v, int kind, enum engine_reason reason, const char *text);

/* engine_command.c: both owned by the caller. */
char **engine_command_env(const struct engine *e);
/* As execvp looks, but before the fork. NULL with errno. */
char *engine_command_find(const char *name, char *const *env);
/* Whether it could be run: 0; -1 with a text. */
int engine_command_check(const char *name, char *const *env, char *cause, size_t size);

/* engine_env.c: a process group that is to die with the core ('+'), or is gone ('-'). */
void engine_env_tell_guard(const struct engine_env *env, char sign, pid_t pgid);

/* engine_stop.c */
void engine_term(struct engine *e);
void engine_term_group(struct engine *e);	/* SIGTERM, whatever is configured */
void engine_kill_everything(struct engine *e);
/* Starts or goes on looking whether anything is left; feeds IN_GONE. */
void engine_watch_gone(struct engine *e);
void engine_on_gone_timer(void *arg);
void engine_settle_note(struct engine *e);

/* engine_cmdstop.c: runs cmd_stop for at most so many ms; false when it cannot be. */
bool engine_cmdstop_run(struct engine *e, uint64_t bound);
void engine_cmdstop_kill(struct engine *e);
void engine_cmdstop_exited(struct engine *e, int status);
void engine_cmdstop_init(struct engine *e);
void engine_cmdstop_fini(struct engine *e);

/* Requests that it owes something. */
int engine_owes(const struct engine *e);

/* engine_reap.c */
void engine_reap_start(struct engine_env *env);
void engine_reap_stop(struct engine_env *env);

/* engine_port.c: 0 with *port and *fixed; -1: busy, with a text. */
int engine_port_pick(struct engine *e, int *port, bool *fixed, char *text, size_t size);
/* Whether a start may get its port, once other engines of ours have given way; false with a text. */
bool engine_port_possible(const struct engine *e, char *text, size_t size);

/* engine_output.c */
void engine_output_init(struct engine *e);
void engine_output_fini(struct engine *e);
/* Takes the read ends; forgets the last words of the one before. */
void engine_output_start(struct engine *e, int out, int err);
/* The leader is dead: reads what is there; the pipes close within a second. */
void engine_output_ended(struct engine *e);
/* Patterns for the kind of e->m. */
void engine_output_kind(struct engine *e);

/* engine_words.c */
void engine_output_stop_trip(struct engine *e);
/* Makes line the reason to take it for dead, after a moment. */
void engine_output_trip(struct engine *e, const char *line);
/* The line that says why; "" when there is none. Copied. */
void engine_output_cause(const struct engine *e, char *out, size_t size);
/* The last lines, joined by newlines; owned by the caller; NULL when there are none. */
char *engine_output_tail(const struct engine *e);
void engine_on_trip(void *arg);

/* engine_lines.c */
void engine_lines_add(struct engine_lines *l, const char *s, size_t n, size_t max);
void engine_lines_clear(struct engine_lines *l);
void engine_lines_fini(struct engine_lines *l);
/* Oldest first; returns how many. */
size_t engine_lines_get(const struct engine_lines *l, const char **out);

/* engine_probe.c */
bool engine_serving(const struct engine *e);
void engine_probe_init(struct engine *e);
void engine_probe_fini(struct engine *e);
void engine_probe_start(struct engine *e);	/* starting: the ladder */
void engine_probe_watch(struct engine *e);	/* ready: now and then */
void engine_probe_stop(struct engine *e);
void engine_probe_soon(struct engine *e);
void engine_probe_again(struct engine *e, uint64_t ms);	/* the next look; 0: when it is usual */
/* How the one under way ended; it may begin the next. */
void engine_probe_answered(struct engine *e);
void engine_probe_passed(struct engine *e);
void engine_probe_missed(struct engine *e, const char *why);
void engine_probe_late(struct engine *e);
/* engine_probe_send.c: sends what the stage says, unless one is under way. */
void engine_probe_send(struct engine *e);
void engine_probe_send_init(struct engine *e);
bool engine_probe_under_way(const struct engine *e);
void engine_probe_cancel(struct engine *e);

/* engine_wedge.c */
void engine_wedge_init(struct engine *e);
void engine_wedge_begin(struct engine *e);	/* it serves from now on */
void engine_wedge_end(struct engine *e);
void engine_wedge_watch(struct engine *e);	/* requests in flight or the timeout changed */
void engine_wedge_suspect(struct engine *e, const char *seen);
void engine_wedge_line(struct engine *e, const char *line);
/* The core may have been stopped, or the system suspended, until now: what was not seen meanwhile counts for nothing. */
void engine_wedge_resumed(struct engine *e, uint64_t expected);
/* For the probe: whether a witness is to be heard, whether that is a completion (else the check), it is sent (anew: its time
 * begins again), what it said (enum of policy_quiet). */
bool engine_wedge_asks(struct engine *e);
bool engine_wedge_completes(const struct engine *e);
void engine_wedge_asking(struct engine *e, bool anew);
void engine_wedge_heard(struct engine *e, int canary, const char *what);
/* Whether a timer fires so late that this process cannot have run. */
bool engine_overslept(uint64_t expected);

/* engine_life.c: whether a start makes progress. */
void engine_life_start(struct engine *e);
void engine_life_sign(struct engine *e);
void engine_on_life(void *arg);
/* A fresh sample into use and info; false when nothing is known. */
bool engine_use_update(struct engine *e);
/* And what it needs at most is remembered. */
void engine_life_note(struct engine *e);

/* engine_need.c */
struct engine_sizes *engine_sizes_new(void);
void engine_sizes_free(struct engine_sizes **sp);

/* engine_state.c */
struct engine_store *engine_store_new(const char *dir, const char *instance);
void engine_store_free(struct engine_store **sp);
void engine_store_alive(struct engine_env *env);	/* writes who lives now */
void engine_store_loaded(struct engine_env *env, const char *id, uint64_t ms);
void engine_store_peak(struct engine_env *env, const char *id, uint64_t rss);
uint64_t engine_store_usual(const struct engine_env *env, const char *id);
uint64_t engine_store_peak_of(const struct engine_env *env, const char *id);	/* 0: unknown */

#endif
