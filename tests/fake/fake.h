/* SPDX-License-Identifier: ISC
 * A pretend inference engine for the tests: OpenAI-compatible, with a switch for every kind of misbehaviour. It shares no
 * code with mai, so that a mistake in mai's codec cannot hide on both sides. */
#ifndef FAKE_FAKE_H
#define FAKE_FAKE_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum fake_framing { FRAME_AUTO, FRAME_LENGTH, FRAME_CHUNKED, FRAME_CLOSE };

/* What one answer is like; the command line sets it for all, a request header `X-Fake: name=value, name` for one. */
struct fake_answer {
	long sse;		/* events of a stream; -1: max_tokens, else 8 */
	long gap;		/* ms between them */
	long chunk_bytes;	/* text of one event; 0: a short word */
	long stall_after;	/* events, then silence; -1: never */
	long delay;		/* ms before the answer */
	long die_after_bytes;	/* the process dies after so many body bytes; -1: never */
	long cut_after_bytes;	/* the connection is closed; -1: never */
	long reset_after_bytes;	/* the connection is reset; -1: never */
	long body_bytes;	/* a plain body of this size instead of JSON; -1: JSON */
	long status;
	long framing;		/* enum fake_framing */
	long http10;
	long no_done;		/* a stream without the end mark of its API */
	long finish;		/* its choice has a finish_reason at the end */
	long no_stream;		/* "stream" is taken no notice of */
	long timings;		/* and llama-server's timings with it */
	long error_event;	/* after so many events the engine tells of an error; -1: never */
	long comments;		/* ": keepalive n/m" lines ahead of a stream */
	long progress;		/* llama-server's prompt_progress events behind them */
	long ahead_gap;		/* ms behind each of both */
	long usage;
	long echo_head;		/* the answer is the received head and body, as JSON */
	long hang;		/* completions are never answered */
	long refuse;		/* the connection is closed without a byte */
	long close;		/* Connection: close */
	long any;		/* other methods than POST are answered like it, too */
	long ws, ws_head;	/* see fake_ws.c; and its first frame is the head that came */
	const char *upgrade;
	const char *bad_head;	/* see fake_bad.c */
};

struct fake_opts {
	struct fake_answer answer;
	long port, listen_after, ready_after, exit_after, exit_code, crash_on_request, flood, longline, slow_health;
	long keepalive_close_after, good_after, write_buffer, backlog;
	long health_before_ready, zombie, ignore_term, term_default, fork, fork_setsid, close_stdout, cr_progress;
	long never_ready, mute, print_fds, print_signals, print_env, print_tty, port_in_use_hang, stdin_check;
	long wait_clients_on_term, end_streams_on_term, finish_on_term, drop_reused, check_model, own_name, health_fail_after;
	long wedge_after, thread_dies, busy, serial, slow_death;
	const char *signal_name, *spew, *model, *model_m, *model_name, *record, *state, *host;
};

struct fake_stats {
	unsigned long connections, requests, completions, health, tokens, events, bytes, aborted, done, max_write_ms;
	unsigned long tunnels, tunnels_ended, tunnel_in, tunnel_out;
};

extern struct fake_opts fake;
extern struct fake_stats fake_stats;
extern long fake_start_number;		/* 1 for the first start that --state counted */

/* fake_opts.c */
void fake_defaults(void);
void fake_args(int argc, char **argv);
/* Applies `name=value, name` to a; unknown names end the program. */
void fake_header(struct fake_answer *a, char *text);
/* The model's name as it is served. */
const char *fake_model(void);

/* fake_life.c */
void fake_signals(void);		/* fake_engine.c: handlers; after the inherited ones were printed */
#define FAKE_NEVER UINT64_MAX
void fake_thread_died(void);		/* the words of an engine whose generation thread died */
uint64_t fake_now(void);		/* ms of CLOCK_MONOTONIC */
void fake_record(const char *event, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void fake_birth(void);			/* prints, forks, spews as asked */
void fake_tick(uint64_t now);		/* flood and planned exit */
uint64_t fake_next(void);		/* when fake_tick wants to run; UINT64_MAX: never */
void fake_die(void) __attribute__((noreturn));	/* as --signal or --exit-code say */
int fake_signal_number(const char *name);
bool fake_ready(void);
extern uint64_t fake_born;
extern volatile sig_atomic_t fake_terms;	/* SIGTERMs received */
extern int fake_wake[2];		/* a byte comes with each */

/* fake_buf.c */
struct fake_buf {
	char *data;
	size_t len, cap;
};
void fake_add(struct fake_buf *b, const void *data, size_t len);
void fake_addf(struct fake_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void fake_add_json(struct fake_buf *b, const char *data, size_t len);	/* quoted */
void fake_drain(struct fake_buf *b, size_t len);

/* fake_conn.c */
enum fake_phase { CONN_READ, CONN_WAIT, CONN_STREAM, CONN_FLUSH, CONN_TUNNEL, CONN_DEAD };

struct fake_conn {
	struct fake_conn *next;
	int fd;
	enum fake_phase phase;
	struct fake_buf in, out;
	size_t head_len, body_len, total;	/* of the current request inside in; total: head and framed body */
	char *body;				/* decoded, malloc'd when chunked, else inside in */
	bool opened;				/* the first events of the stream are out */
	bool body_owned, keep, completion, stream, waited;
	char after;				/* once out is empty: 0 go on, 'd' die, 'c' cut, 'r' reset */
	char method[16], path[256], model[256], id[64];
	long max_tokens;
	bool want_usage;
	struct fake_answer a;
	long sent_events, ahead, served;
	uint64_t body_sent, due, idle_since;
	enum fake_framing framing;
	bool tunnelled, raw;			/* see fake_ws.c */
	long flood_left;
};
void fake_serve(void) __attribute__((noreturn));
int fake_in_progress(void);		/* completions not yet answered in full */
int fake_hanging(void);			/* that will never be answered */
bool fake_turn(const struct fake_conn *c);	/* no earlier completion is in progress */

/* fake_request.c: 1 a whole request is in, 0 more is needed, -1 not HTTP */
int fake_parse(struct fake_conn *c);
const char *fake_head(const struct fake_conn *c, const char *name, size_t *len);

/* fake_reply.c */
void fake_answer(struct fake_conn *c, uint64_t now);	/* the request is whole */
void fake_more(struct fake_conn *c, uint64_t now);	/* due has come, or there is room in out */
/* fake_ws.c */
extern bool fake_deaf;			/* tunnels are not read; POST /fake/deaf and /fake/hear */
bool fake_upgrade(struct fake_conn *c);	/* true when it is a tunnel from now on */
void fake_tunnel(struct fake_conn *c);	/* there is input, or room for output */
bool fake_hears(const struct fake_conn *c);
/* fake_stream.c: each appends the events of one step; the n-th of a.progress */
void fake_stream_progress(const struct fake_conn *c, struct fake_buf *b, long n);
void fake_stream_begin(const struct fake_conn *c, struct fake_buf *b);
void fake_stream_event(const struct fake_conn *c, struct fake_buf *b);
void fake_stream_error(const struct fake_conn *c, struct fake_buf *b);
void fake_stream_end(const struct fake_conn *c, struct fake_buf *b);
/* fake_bad.c: true when the named kind wrote its bytes into out */
bool fake_bad(struct fake_conn *c);

#endif
