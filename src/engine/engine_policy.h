/* SPDX-License-Identifier: ISC
 * Decisions without effects: how long to wait, what an end means, which line of the output says why. */
#ifndef ENGINE_ENGINE_POLICY_H
#define ENGINE_ENGINE_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bus/vocab.h"
#include "conf/conf.h"

/* backoff * 2^n, capped; n counts from 1. */
uint64_t policy_backoff(uint64_t backoff, uint64_t max, int n);
/* How long until the next probe, given the time since the spawn. */
uint64_t policy_probe_delay(uint64_t elapsed);

/* Why a start is over. quiet_ms: since the last sign of life. */
enum policy_deadline { DEADLINE_NONE, DEADLINE_QUIET, DEADLINE_TOTAL };
enum policy_deadline policy_start_deadline(const struct conf_model *m, uint64_t elapsed, uint64_t quiet_ms);
/* Milliseconds until policy_start_deadline may say something else; at most limit. */
uint64_t policy_deadline_in(const struct conf_model *m, uint64_t elapsed, uint64_t quiet_ms, uint64_t limit);

struct policy_use {
	uint64_t rss, cpu_ms, read_bytes;
};
/* Whether two samples that lie ms apart show work (more than what answering our own probes takes). */
bool policy_works(const struct policy_use *before, const struct policy_use *now, uint64_t ms);
/* Or growth, as while it loads. */
bool policy_alive(const struct policy_use *before, const struct policy_use *now, uint64_t ms);

/* What is known of an engine that serves and gives nothing. Times in ms. */
struct policy_quiet {
	uint64_t timeout;	/* stall_timeout; 0: it is never judged */
	uint64_t every;		/* how far apart the looks at its processes are */
	int inflight;
	uint64_t silent;	/* since the last byte, prompt progress or line of output */
	uint64_t idle;		/* its processes are known to do nothing for this long; 0: they work, or nobody knows yet */
	bool blind;		/* its processes say nothing: the work is not theirs, or the system does not tell */
	bool suspected;		/* by missed checks or a request that came to nothing */
	/* The second witness: a test completion, or the health check where it completes nothing. */
	enum { CANARY_NONE, CANARY_ANSWERED, CANARY_FAILED, CANARY_LATE } canary;
	uint64_t asked;		/* since the first one of this story was sent */
	bool worked;		/* a byte or prompt progress came since then */
	bool busy;		/* its processes used CPU since then */
	bool closed;		/* nobody listens on its port any more */
	bool trusted;		/* this engine is known to answer test completions, or something else speaks against it too */
};
enum policy_stall {
	STALL_FINE,	/* nothing to do */
	STALL_ASK,	/* let the witness speak (once more) */
	STALL_ANEW,	/* all is well, or cannot be told: the period begins anew */
	STALL_WEDGED
};
enum policy_stall policy_stall(const struct policy_quiet *q);
/* How far apart the looks at a silent engine are, and how long the witness may take. */
uint64_t policy_stall_every(uint64_t timeout);
uint64_t policy_canary_limit(const struct conf_model *m);
/* Whether a line of the log tells of a health check of ours, of a kind of engine whose words for it are not known. */
bool policy_own_line(const char *line, const char *check_path);

/* What is known of an end. */
struct policy_end {
	int status;			/* wait status */
	bool by_us;			/* our SIGKILL or SIGTERM */
	bool was_ready;			/* ever, with this definition */
	bool starting;			/* it died before it was ready */
	int exec_errno;			/* of execve; 0: it ran */
	bool bad_interpreter;		/* ENOENT, though the file is there */
	bool port_line;			/* its log says that the port is in use */
	bool port_fixed;
	int repicks;			/* ports lost in races so far */
	enum engine_reason permanent;	/* a permanent line was seen: its reason; else REASON_NONE */
	const char *cause;		/* picked line or "" */
};
struct policy_verdict {
	enum { VERDICT_CRASH, VERDICT_FATAL, VERDICT_FREE } kind;
	enum engine_reason reason;
	char text[96];			/* what happened, for people */
};
void policy_judge(const struct policy_end *e, struct policy_verdict *out);

#define POLICY_REPICKS 3

/* "SIGSEGV"; "signal 42". Static or in a static buffer. */
const char *policy_signal_name(int sig);

/* Level of a line of engine output: ' ', 'W' or 'E'. */
char policy_level(const char *s, size_t n);
/* Whether a line says that a port is in use. */
bool policy_port_line(const char *s);
/* What a permanent line is about. */
enum engine_reason policy_permanent_reason(const char *s);
/* Whether a line speaks of memory that ran out. */
bool policy_oom_line(const char *s);
/* A model path that must exist and does not: the path (borrowed from m), else NULL. */
const char *policy_missing_model(const struct conf_model *m);
/* The file or directory of the model, as its definition or its command says; NULL: none that is there. */
const char *policy_model_path(const struct conf_model *m);

/* What an engine held that is gone, and how the memory available moved since. */
struct policy_settle {
	uint64_t held, before;		/* bytes, and those available while it held them; 0: nothing known */
	uint64_t last, last_at;		/* the last sample, and when it was taken; 0: none yet */
};
/* Whether the next engine may have the memory of one that is gone since then (ms), with that much available now: all of it is
 * back, there is room enough anyway, it is too little to be told from what others do meanwhile, two samples agree, or it was
 * long enough. need: bytes of the next one; 0: not known. */
bool policy_settled(struct policy_settle *s, uint64_t now, uint64_t since, uint64_t need, uint64_t available);

/* The median of n values; 0 when there is none. */
uint64_t policy_median(const uint64_t *v, size_t n);

/* Patterns: extended regexes, each with a literal that every match must hold, so that most lines cost one search. */
struct policy_patterns;
/* NULL list: matches nothing. Bad ones are skipped. Owned by caller. */
struct policy_patterns *policy_patterns_new(const char *const *list);
void policy_patterns_free(struct policy_patterns **pp);
/* The index of the first that matches, or -1. */
int policy_match(const struct policy_patterns *p, const char *line);
/* Progress in per mille from the first that matches: one group is percent, two are done and total. -1: none. */
int policy_progress(const struct policy_patterns *p, const char *line);
/* The literal that pattern must hold, "" when none can be told (for tests). */
void policy_literal(const char *pattern, char *out, size_t size);
/* The line that says why: of lines[0..n) (oldest first) the newest that matches the most telling pattern; else the
 * newest error-like one; else the newest that is not empty; NULL when there is none. */
const char *policy_cause(const struct policy_patterns *p, const char *const *lines, size_t n);

#endif
