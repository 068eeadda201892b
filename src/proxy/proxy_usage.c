/* SPDX-License-Identifier: ISC
 * Counting on the wire: the lines of a stream, the ends of a JSON answer. */
#include "proxy/proxy_usage.h"

#include <string.h>

#define LINE_BYTES 4096		/* of a line kept across reads; a longer one is looked at in parts */
#define TAIL_BYTES 2048		/* of a JSON answer: its counts stand at its end, else at its begin */

void
proxy_usage_init(struct proxy_usage *u, bool sse, enum proxy_ends ends)
{
	*u = (struct proxy_usage){
		.sse = sse, .ends = ends, .usage_in = -1, .usage_out = -1, .cached = -1, .cache_read = -1,
		.cache_made = -1, .prompt_n = -1, .cache_n = -1, .predicted_n = -1, .prompt_done = -1, .prompt_total = -1, .rate = -1,
	};
}

void
proxy_usage_fini(struct proxy_usage *u)
{
	strbuf_fini(&u->keep);
}

/* streams ------------------------------------------------------------------------------------------------------- */

static bool
starts(const char *p, size_t n, const char *with, size_t nwith)
{
	return n >= nwith && memcmp(p, with, nwith) == 0;
}
#define STARTS(p, n, text) starts(p, n, text, sizeof(text) - 1)

/* Behind a field's name and colon, and the one blank that may follow. */
static void
skip(const char **p, size_t *n, size_t k)
{
	if (*n > k && (*p)[k] == ' ')
		k++;
	*p += k;
	*n -= k;
}

/* mlx_lm.server: ": keepalive 2048/8192" while it works on a prompt. */
static void
comment(struct proxy_usage *u, const char *p, size_t n)
{
	int64_t v[2] = {-1, -1};
	int i = 0;

	skip(&p, &n, 1);
	if (!STARTS(p, n, "keepalive "))
		return;
	for (p += 10, n -= 10; n != 0; p++, n--) {
		if (*p == '/' && i == 0 && v[0] >= 0)
			i = 1;
		else if (*p >= '0' && *p <= '9' && v[i] < INT64_MAX / 10 - 1)
			v[i] = (v[i] < 0 ? 0 : v[i] * 10) + (*p - '0');
		else
			return;
	}
	if (v[1] < 0 || v[0] > v[1])
		return;
	/* Repeated without moving it is no work. */
	u->work += v[0] != u->prompt_done || v[1] != u->prompt_total;
	u->prompt_done = v[0];
	u->prompt_total = v[1];
}

static void
name(struct proxy_usage *u, const char *p, size_t n)
{
	struct proxy_event *e = &u->ev;

	skip(&p, &n, 6);
	e->named_fails = n == 5 && memcmp(p, "error", 5) == 0;
	if (u->ends == ENDS_MESSAGE) {
		e->named_ends = n == 12 && memcmp(p, "message_stop", 12) == 0;
	} else if (u->ends == ENDS_RESPONSE) {
		e->named_fails |= n == 15 && memcmp(p, "response.failed", 15) == 0;
		e->named_ends = (n == 15 && e->named_fails) || (n == 18 && memcmp(p, "response.completed", 18) == 0) ||
		    (n == 19 && memcmp(p, "response.incomplete", 19) == 0);
	}
}

/* {"error": something}. */
static bool
is_error(const char *p, size_t n)
{
	size_t i = 1;

	if (n == 0 || *p != '{')
		return false;
	while (i < n && p[i] == ' ')
		i++;
	if (!STARTS(p + i, n - i, "\"error\":"))
		return false;
	for (i += 8; i < n && p[i] == ' '; i++)
		;
	return i < n && p[i] != 'n';
}

/* The begin of a data line's text, or all of it. */
static void
data_begins(struct proxy_usage *u, const char *p, size_t n)
{
	struct proxy_event *e = &u->ev;

	*e = (struct proxy_event){.data = true, .named_ends = e->named_ends, .named_fails = e->named_fails};
	e->fails = is_error(p, n);
}

static void
data_ends(struct proxy_usage *u)
{
	struct proxy_event *e = &u->ev;

	u->events += e->content;
	u->began |= !e->progress;
	u->done |= e->ends || e->named_ends;
	u->error |= e->fails || e->named_fails;
	u->work++;
	*e = (struct proxy_event){0};
}

/* A whole line. */
static void
line(struct proxy_usage *u, const char *p, size_t n)
{
	if (n != 0 && p[n - 1] == '\r')
		n--;
	u->open = n != 0;
	if (n == 0) {
		u->ev = (struct proxy_event){0};
	} else if (p[0] == ':') {
		comment(u, p, n);
	} else if (STARTS(p, n, "data:")) {
		skip(&p, &n, 5);
		if (n == 6 && memcmp(p, "[DONE]", 6) == 0) {
			u->done |= u->ends == ENDS_DONE || u->ends == ENDS_FRAMING;
			u->work++;
			return;
		}
		data_begins(u, p, n);
		proxy_usage_keys(u, p, 0, n, true);
		data_ends(u);
	} else if (STARTS(p, n, "event:")) {
		name(u, p, n);
	}
}

/* What is kept has become too much: it is looked at, and all goes but what the next part needs. */
static void
look_ahead(struct proxy_usage *u)
{
	size_t stays = PROXY_USAGE_BEHIND + PROXY_USAGE_AHEAD;
	const char *p = u->keep.p;
	size_t n = u->keep.len;

	if (!u->within) {
		u->within = true;
		u->ev.data = STARTS(p, n, "data:");
		if (u->ev.data) {
			skip(&p, &n, 5);
			data_begins(u, p, n);
			proxy_usage_keys(u, p, 0, n, false);
		} else if (STARTS(p, n, "event:")) {
			name(u, p, n);
		}
	} else if (u->ev.data) {
		proxy_usage_keys(u, p, PROXY_USAGE_BEHIND, n, false);
	}
	strbuf_shift(&u->keep, u->keep.len - stays);
}

static void
keep_line(struct proxy_usage *u, const char *p, size_t n)
{
	while (n != 0) {
		size_t room = LINE_BYTES - u->keep.len, k = n < room ? n : room;

		strbuf_add(&u->keep, p, k);
		p += k;
		n -= k;
		if (u->keep.len == LINE_BYTES)
			look_ahead(u);
	}
	u->work += u->within ? u->ev.data : u->keep.p[0] != ':';
}

/* The line that keep is the begin of ends with p[0..n). */
static void
line_ends(struct proxy_usage *u, const char *p, size_t n)
{
	if (n != 0)
		keep_line(u, p, n);
	if (!u->within) {
		line(u, u->keep.p, u->keep.len);
	} else {
		u->within = false;
		u->open = true;
		if (u->ev.data) {
			proxy_usage_keys(u, u->keep.p, PROXY_USAGE_BEHIND, u->keep.len, true);
			data_ends(u);
		}
	}
	strbuf_clear(&u->keep);
}

static void
feed_sse(struct proxy_usage *u, const char *p, size_t n)
{
	while (n != 0) {
		const char *nl = memchr(p, '\n', n);
		size_t k = nl != NULL ? (size_t)(nl - p) : n;

		if (!u->real && u->keep.len == 0)
			u->real = *p != ':' && *p != '\n' && *p != '\r';
		if (nl == NULL) {
			keep_line(u, p, n);
			return;
		}
		if (u->keep.len != 0)
			line_ends(u, p, k);
		else
			line(u, p, k);
		p += k + 1;
		n -= k + 1;
	}
}

/* JSON ---------------------------------------------------------------------------------------------------------- */

static void
feed_json(struct proxy_usage *u, const char *p, size_t n)
{
	u->work++;
	if (!u->any && n > TAIL_BYTES)
		proxy_usage_keys(u, p, 0, TAIL_BYTES, false);
	u->any = true;
	if (n >= TAIL_BYTES) {
		strbuf_clear(&u->keep);
		p += n - TAIL_BYTES;
		n = TAIL_BYTES;
	} else if (u->keep.len + n > TAIL_BYTES) {
		strbuf_shift(&u->keep, u->keep.len + n - TAIL_BYTES);
	}
	strbuf_add(&u->keep, p, n);
}

static void
follow(struct proxy_usage *u, const char *p, size_t n)
{
	for (; n != 0; p++, n--) {
		char c = *p;

		if (u->escaped) {
			u->escaped = false;
		} else if (u->in_string) {
			u->escaped = c == '\\';
			u->in_string = c != '"';
		} else if (c == '"') {
			u->in_string = u->value = true;
		} else if (c == '{' || c == '[') {
			u->depth++;
			u->value = true;
		} else if ((c == '}' || c == ']') && u->depth > 0) {
			u->depth--;
		} else if (c != ' ' && c != '\n' && c != '\r' && c != '\t') {
			u->value = true;
		}
	}
}

/* both ---------------------------------------------------------------------------------------------------------- */

void
proxy_usage_feed(struct proxy_usage *u, const char *p, size_t n)
{
	if (n == 0)
		return;
	if (u->follow)
		follow(u, p, n);
	if (u->sse)
		feed_sse(u, p, n);
	else
		feed_json(u, p, n);
}

bool
proxy_usage_whole(const struct proxy_usage *u)
{
	return u->value && u->depth == 0 && !u->in_string;
}

/* Whether nothing can be missing to the data of an event. */
static bool
is_whole(const char *p, size_t n)
{
	struct proxy_usage json = {0};

	if (n == 6 && memcmp(p, "[DONE]", 6) == 0)
		return true;
	follow(&json, p, n);
	return n != 0 && *p == '{' && proxy_usage_whole(&json);
}

void
proxy_usage_end(struct proxy_usage *u)
{
	const char *p = u->keep.p;
	size_t n = u->keep.len;

	if (!u->sse) {
		proxy_usage_keys(u, p, 0, n, true);
	} else if (!u->within && STARTS(p, n, "data:")) {
		/* A line that is cut tells nothing. */
		skip(&p, &n, 5);
		if (is_whole(p, n))
			line(u, u->keep.p, u->keep.len);
	}
}

bool
proxy_usage_ended(const struct proxy_usage *u, bool framed)
{
	if (u->done)
		return true;
	if (!framed)
		return false;
	return u->ends == ENDS_FRAMING || (u->ends == ENDS_DONE && !u->odd && u->seen != 0 && u->seen == u->finished);
}

bool
proxy_usage_between(const struct proxy_usage *u)
{
	return !u->open && !u->within && (u->keep.len == 0 || (u->keep.len == 1 && u->keep.p[0] == '\r'));
}

int64_t
proxy_usage_in(const struct proxy_usage *u)
{
	int64_t v = u->usage_in;

	if (v >= 0 && u->ends == ENDS_MESSAGE)
		return v + (u->cache_read > 0 ? u->cache_read : 0) + (u->cache_made > 0 ? u->cache_made : 0);
	if (v < 0 && u->prompt_n >= 0)
		v = u->prompt_n + (u->cache_n > 0 ? u->cache_n : 0);
	return v >= 0 ? v : u->prompt_total;
}

int64_t
proxy_usage_out(const struct proxy_usage *u)
{
	if (u->usage_out >= 0)
		return u->usage_out;
	if (u->predicted_n >= 0)
		return u->predicted_n;
	return u->sse ? (int64_t)u->events : -1;
}

bool
proxy_usage_estimated(const struct proxy_usage *u)
{
	return u->sse && u->usage_out < 0 && u->predicted_n < 0 && u->events > 0;
}

int64_t
proxy_usage_cached(const struct proxy_usage *u)
{
	return u->cached >= 0 ? u->cached : u->cache_read >= 0 ? u->cache_read : u->cache_n;
}
