/* SPDX-License-Identifier: ISC
 * Views and logs for the screens' tests: one moment, 12:04:31, in every state. */
#ifndef UI_FIXTURE_H
#define UI_FIXTURE_H

#include "unit.h"

#include <time.h>

#include "base/clock.h"
#include "base/xmalloc.h"
#include "ui/ui_state.h"

#define QWEN "Qwen3-Coder-30B-A3B-Instruct-4bit"
#define GEMMA "gemma-3-27b-it-qat-4bit"
#define LLAMA "Llama-3.3-70B-Instruct-8bit"
#define GIB (1024.0 * 1024 * 1024)

/* The core's clock and the local one are the same; 10 days in, so that everything fits before. */
#define NOW ((uint64_t)10 * 24 * 3600 * 1000)
#define WALL ((uint64_t)(20000ull * 86400 + 12 * 3600 + 4 * 60 + 31) * 1000)
#define S(n) ((uint64_t)((n) * 1000))

struct fix {
	struct view v;
	struct view_log *log;
	struct ui_state s;
	struct grid g;
	struct ui_link_state link;
	struct ui_intent intent;
	uint64_t now;
};

static inline uint64_t
wall_at(int h, int m, int s)
{
	return (20000ull * 86400 + (unsigned)h * 3600u + (unsigned)m * 60u + (unsigned)s) * 1000;
}

static inline struct view_engine *
fix_engine(struct fix *f, const char *id, const char *kind, const char *kind_short)
{
	struct view_engine *e;

	f->v.engines = xreallocarray(f->v.engines, f->v.nengines + 1, sizeof(*f->v.engines));
	e = &f->v.engines[f->v.nengines++];
	memset(e, 0, sizeof(*e));
	e->id = xstrdup(id);
	e->name = xstrdup(id);
	e->kind = xstrdup(kind);
	e->kind_short = xstrdup(kind_short);
	e->max_attempts = 3;
	e->progress = -1;
	e->quiet_limit = S(30);
	e->drain_limit = S(30);
	return e;
}

static inline void
fix_request(struct fix *f, uint64_t id, const char *client, const char *model, enum req_phase phase, double age,
    int64_t in, int64_t out, double tps)
{
	struct view_request *r;

	f->v.requests = xreallocarray(f->v.requests, f->v.nrequests + 1, sizeof(*f->v.requests));
	r = &f->v.requests[f->v.nrequests++];
	*r = (struct view_request){.id = id, .client = xstrdup(client), .model = xstrdup(model),
	    .path = xstrdup("/v1/chat/completions"), .api = xstrdup("chat"), .phase = phase,
	    .since = NOW - (uint64_t)(age * 1000), .tokens_in = in, .tokens_out = out, .tokens_per_second = tps};
}

static inline void
fix_line(struct fix *f, int h, int m, int s, const char *gutter, const char *text)
{
	static const char marks[] = "cma";
	uint64_t seq = view_log_count(f->log) > 0 ? view_log_at(f->log, view_log_count(f->log) - 1)->seq + 1 : 1;

	view_log_put(f->log, seq, wall_at(h, m, s), (enum log_source)(strchr(marks, gutter[0]) - marks), gutter[1], NULL, text,
	    strlen(text));
}

static inline void
fix_busy_log(struct fix *f)
{
	fix_line(f, 12, 4, 5, "c ", "INFO  prompt processing: 512/9214 tokens");
	fix_line(f, 12, 4, 8, "c ", "INFO  prompt processing: 2048/9214 tokens");
	fix_line(f, 12, 4, 12, "c ", "INFO  prompt processing: 4096/9214 tokens");
	fix_line(f, 12, 4, 14, "c ", "INFO  prompt processing: 9214/9214 tokens");
	fix_line(f, 12, 4, 14, "a ", "127.0.0.1:52011 POST /v1/chat/completions 200 stream open");
	fix_line(f, 12, 4, 19, "a ", "127.0.0.1:52020 GET /v1/models 200 1 ms");
	fix_line(f, 12, 4, 21, "cW", "WARN  prompt cache full, evicting 2 entries (1.1 GiB)");
	fix_line(f, 12, 4, 22, "a ", "127.0.0.1:52008 POST /v1/embeddings 200 18 ms 512 in");
	fix_line(f, 12, 4, 24, "mW", "health slow: 2.1 s (limit 5 s)");
	fix_line(f, 12, 4, 25, "cE", "ERROR request 1281: client disconnected, generation stopped");
	fix_line(f, 12, 4, 25, "aW", "127.0.0.1:51990 POST /v1/chat/completions 499 41.2 s 1.2k out");
	fix_line(f, 12, 4, 26, "c ", "INFO  slot 1 released, 2 active");
	fix_line(f, 12, 4, 27, "a ", "10.0.0.7:40122 GET /v1/models 200 1 ms");
	fix_line(f, 12, 4, 29, "m ", "health ok again: 3 ms");
	fix_line(f, 12, 4, 30, "c ", "INFO  generation 1283: 1204 tokens, 41.8 tok/s");
}

static inline void
fix_busy_requests(struct fix *f)
{
	fix_request(f, 1283, "127.0.0.1:52011", QWEN, REQ_GENERATING, 29, 9214, 1204, 41.8);
	fix_request(f, 1284, "10.0.0.7:40118", QWEN, REQ_PREFILL, 3.1, 31000, -1, -1);
	fix_request(f, 1285, "10.0.0.7:40120", GEMMA, REQ_QUEUED, 0.8, 112, -1, -1);
	f->v.in_flight = 2;
	f->v.queued = 1;
	f->v.engines[0].in_flight = 2;
	f->v.engines[0].queued = 1;
}

/* A core that serves QWEN, up for 2h14m07s, with nothing to do; GEMMA beside it. */
static inline struct view_engine *
fix_running(struct fix *f)
{
	struct view_engine *e = fix_engine(f, QWEN, "mlx_lm.server", "mlx");

	fix_engine(f, GEMMA, "mlx_lm.server", "mlx");
	e = &f->v.engines[0];
	e->state = ENGINE_READY;
	e->current = true;
	e->pid = 91532;
	e->port = 51723;
	e->since = e->spawned_at = e->ready_at = NOW - S(2 * 3600 + 14 * 60 + 7);
	e->check_ok_at = NOW - S(2);
	f->v.rss = (uint64_t)(17.4 * GIB);
	f->v.cpu_permille = 3120;
	f->v.tps = 41.8;
	f->v.hist.n = 100;
	for (int i = 0; i < f->v.hist.n; i++) {
		f->v.hist.tps[i] = (float)(i % 8) * 6;
		f->v.hist.rss[i] = 17.4f * 1024;
	}
	return e;
}

/* The same core with its engine in another state and nothing running. */
static inline struct view_engine *
fix_state(struct fix *f, const char *id, enum engine_state state)
{
	struct view_engine *e = fix_engine(f, id, "mlx_lm.server", "mlx");

	e->state = state;
	e->current = true;
	e->since = NOW - S(31);
	return e;
}

static inline void
fix_init(struct fix *f)
{
	memset(f, 0, sizeof(*f));
	setenv("TZ", "UTC", 1);
	tzset();
	clock_fake(NOW, WALL);
	f->now = NOW;
	view_init(&f->v);
	f->v.version = xstrdup("0.3.0");
	f->v.listen = xstrdup("http://127.0.0.1:8081");
	f->v.started = NOW - S(3 * 86400 + 4 * 3600 + 61);
	f->v.done = 1284;
	f->v.errors = 3;
	f->v.swaps = 4;
	f->v.tps = -1;
	f->v.queue_max_wait = S(300);
	f->v.memory_total = (uint64_t)(24 * GIB);
	f->v.memory_free = (uint64_t)(5.9 * GIB);
	f->log = view_log_new(1 << 20);
	f->link = (struct ui_link_state){.link = UI_LINK_UP, .where = "mai/default.sock"};
	ui_state_init(&f->s, &(struct ui_opts){.foreground = true});
}

static inline void
fix_fini(struct fix *f)
{
	ui_state_fini(&f->s);
	grid_fini(&f->g);
	view_log_free(&f->log);
	view_fini(&f->v);
	clock_fake_off();
}

static inline void
fix_compose(struct fix *f, int cols, int rows)
{
	f->s.cols = cols;
	f->s.rows = rows;
	/* In the loop slices of search and filter come between keys and frames. */
	while (ui_log_scan(&f->s.log, f->log, clock_us() + UI_SLICE_US))
		;
	ui_compose(&f->s, &f->g, &f->v, f->log, &f->link, f->now);
	if (getenv("UI_SHOW") != NULL) {
		char t[4096];

		printf("== %dx%d\n", cols, rows);
		for (int r = 0; r < f->g.rows; r++) {
			grid_row_text(&f->g, r, t, sizeof(t));
			puts(t);
		}
	}
}

static inline void
fix_key(struct fix *f, int key)
{
	ui_handle(&f->s, key, &f->v, f->log, f->now, &f->intent);
}

/* Whether the text stands in some row of the frame. */
static inline bool
fix_shows(const struct fix *f, const char *text)
{
	char t[4096];

	for (int r = 0; r < f->g.rows; r++) {
		grid_row_text(&f->g, r, t, sizeof(t));
		if (strstr(t, text) != NULL)
			return true;
	}
	return false;
}

/* Compares the rows of the frame with a screen given as one text; NULL rows are not looked at. */
#define assert_rows(f, first, ...) do { \
	static const char *const rows_[] = {__VA_ARGS__}; \
	for (size_t i_ = 0; i_ < sizeof(rows_) / sizeof(rows_[0]); i_++) { \
		char t_[4096]; \
		if (rows_[i_] == NULL) \
			continue; \
		grid_row_text(&(f)->g, (first) + (int)i_, t_, sizeof(t_)); \
		assert_streq(t_, rows_[i_]); \
	} \
} while (0)
#define assert_row(f, row, text) assert_rows(f, row, text)

#endif
