/* SPDX-License-Identifier: ISC
 * Judges the raw cases that convert.py wrote: each as a whole, cut in two at every byte and byte by
 * byte, with one and the same outcome; that outcome against the expected one, but for the named
 * limits.
 *
 * Usage: http_corpus DIRECTORY LIMITS */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "http/http_body.h"
#include "http/http_parse.h"
#include "http/http_url.h"

#define MAX_HEAD (32 * 1024)

enum verdict { ACCEPT, REJECT, INCOMPLETE, CLOSED };
static const char *const verdict_names[] = {"accept", "reject", "incomplete", "closed"};

struct stream {
	const char *buf;
	size_t len, avail, step;	/* avail bytes have come; the next piece brings step more */
	size_t pos;			/* where the present message begins */
	struct strbuf log;		/* what was understood */
};

struct suite {
	char name[32];
	int cases[4], right[4], limits;
};

static struct suite suites[8];
static int nfailed;

static bool
more(struct stream *s)
{
	if (s->avail == s->len)
		return false;
	s->avail = s->len - s->avail < s->step ? s->len : s->avail + s->step;
	return true;
}

static enum verdict
read_body(struct stream *s, const struct http_head *h)
{
	enum http_body_result r;
	struct http_body b;
	struct http_str data;
	size_t total = 0;

	http_body_init(&b, h);
	do {
		do {
			r = http_body_next(&b, s->buf, s->avail, &s->pos, &data);
			strbuf_add(&s->log, data.p, data.n);
			total += data.n;
		} while (r == HTTP_BODY_MORE && s->pos < s->avail);
	} while (r == HTTP_BODY_MORE && more(s));
	strbuf_printf(&s->log, "\n%zu bytes, %s\n", total, b.why == NULL ? "good" : b.why);
	if (r == HTTP_BODY_ERROR)
		return REJECT;
	return r == HTTP_BODY_DONE || http_body_eof_ok(&b) ? ACCEPT : INCOMPLETE;
}

static enum verdict
read_head(struct stream *s, bool response, struct http_head *h)
{
	enum http_parse_result r;
	struct http_parser p;
	struct http_url url;
	const char *why;
	size_t used;

	http_parser_init(&p, response, MAX_HEAD);
	do {
		r = http_parse(&p, s->buf + s->pos, s->avail - s->pos, h, &used);
	} while (r == HTTP_PARSE_MORE && more(s));
	if (r == HTTP_PARSE_ERROR) {
		strbuf_printf(&s->log, "%d %s\n", p.error, p.why);
		return REJECT;
	}
	if (r == HTTP_PARSE_MORE)
		return INCOMPLETE;
	s->pos += used;
	strbuf_printf(&s->log, "%.*s %.*s %d 1.%d %zu fields, framing %d, keep-alive %d\n",
	    (int)h->method.n, h->method.p, (int)h->target.n, h->target.p, h->status, h->minor,
	    h->nfields, h->framing, h->keep_alive);
	if (!response && !http_str_eq(h->target, "*") &&
	    http_url_parse(h->target, &url, &why) != 0) {
		strbuf_printf(&s->log, "400 %s\n", why);
		return REJECT;
	}
	return ACCEPT;
}

/* One message after the other, as a connection would. CLOSED: what is left will never be read. */
static enum verdict
judge(struct stream *s, bool response)
{
	static struct http_head h;
	enum verdict v;

	s->pos = 0;
	strbuf_clear(&s->log);
	for (;;) {
		v = read_head(s, response, &h);
		if (v == ACCEPT)
			v = read_body(s, &h);
		if (v != ACCEPT)
			return v;
		while (s->pos == s->avail && more(s))
			;
		if (s->pos == s->len)
			return ACCEPT;
		if (!h.keep_alive || h.upgrade || h.status == 101)
			return CLOSED;
		/* Blank lines behind the last message are no beginning of another. */
		if (strspn(s->buf + s->pos, "\r\n") >= s->len - s->pos)
			return ACCEPT;
	}
}

static enum verdict
judge_all(const char *name, char *buf, size_t len, bool response, struct strbuf *log)
{
	struct stream s = {.buf = buf, .len = len, .avail = len};
	enum verdict whole = judge(&s, response);

	strbuf_clear(log);
	strbuf_add(log, s.log.p, s.log.len);
	for (size_t cut = 0; cut <= len; cut++) {
		s.avail = cut == len ? 0 : cut;
		s.step = cut == len ? 1 : len;
		if (judge(&s, response) != whole || s.log.len != log->len ||
		    memcmp(strbuf_str(&s.log), strbuf_str(log), log->len) != 0) {
			printf("%s: cut at %zu it gives another result\n%s", name, cut,
			    strbuf_str(&s.log));
			nfailed++;
			break;
		}
	}
	strbuf_fini(&s.log);
	return whole;
}

static char *
slurp(const char *dir, const char *file, size_t *n)
{
	char *path = dir == NULL ? xstrdup(file) : xasprintf("%s/%s", dir, file);
	FILE *f = fopen(path, "rb");
	struct strbuf b = STRBUF_INIT;
	size_t got;

	if (f == NULL) {
		perror(path);
		exit(99);
	}
	do {
		got = fread(strbuf_room(&b, 4096), 1, 4096, f);
		strbuf_wrote(&b, got);
	} while (got > 0);
	fclose(f);
	free(path);
	*n = b.len;
	return strbuf_take(&b);
}

/* Whether a line of the limits begins with this name; marks it as used by cutting its first
 * letter. */
static bool
limited(char *limits, const char *name)
{
	size_t n = strlen(name);

	for (char *p = limits; *p != '\0'; p += strcspn(p, "\n"), p += *p == '\n') {
		if (strncmp(p, name, n) == 0 && p[n] == ' ') {
			*p = '!';
			return true;
		}
	}
	return false;
}

static struct suite *
suite_of(const char *name, const char *kind)
{
	struct suite *s = suites;
	char key[32];

	snprintf(key, sizeof(key), "%.*s %s", (int)strcspn(name, "/"), name, kind);
	while (s->name[0] != '\0' && strcmp(s->name, key) != 0)
		s++;
	snprintf(s->name, sizeof(s->name), "%s", key);
	return s;
}

static bool
agrees(enum verdict want, enum verdict got)
{
	switch (want) {
	case ACCEPT:
		return got != REJECT;
	case INCOMPLETE:
		return got == REJECT || got == INCOMPLETE;
	default:
		/* What comes behind the end of a connection is not read: refused as well. */
		return got == REJECT || got == CLOSED;
	}
}

static void
run_case(const char *dir, char *limits, const char *name, const char *kind, const char *verdict,
    const char *file)
{
	struct strbuf log = STRBUF_INIT;
	struct suite *s = suite_of(name, kind);
	enum verdict want = ACCEPT, got;
	size_t n;
	char *buf = slurp(dir, file, &n);
	bool limit = limited(limits, name);

	while (want < INCOMPLETE && strcmp(verdict, verdict_names[want]) != 0)
		want++;
	got = judge_all(name, buf, n, strcmp(kind, "response") == 0, &log);
	s->cases[want]++;
	s->limits += limit;
	if (agrees(want, got) != limit) {
		s->right[want] += !limit;
	} else {
		printf("%s: %s, expected %s%s\n%s\n--\n%s--\n", name, verdict_names[got], verdict,
		    limit ? " not, as the limits say" : "", buf, strbuf_str(&log));
		nfailed++;
	}
	strbuf_fini(&log);
	free(buf);
}

int
main(int argc, char **argv)
{
	char *list, *limits, *line, *next, name[256], kind[16], verdict[16], file[32];
	size_t n;
	int ncases = 0;

	if (argc != 3) {
		fprintf(stderr, "usage: http_corpus DIRECTORY LIMITS\n");
		return 99;
	}
	list = slurp(argv[1], "list", &n);
	limits = slurp(NULL, argv[2], &n);
	for (line = list; *line != '\0'; line = next) {
		next = strchr(line, '\n') + 1;
		if (sscanf(line, "%255s %15s %15s %31s", name, kind, verdict, file) != 4)
			return 99;
		run_case(argv[1], limits, name, kind, verdict, file);
		ncases++;
	}
	for (line = limits; *line != '\0'; line = next) {
		next = line + strcspn(line, "\n");
		next += *next == '\n';
		if (*line != '!' && *line != '#' && *line != '\n') {
			printf("no such case: %.*s\n", (int)(next - line), line);
			nfailed++;
		}
	}
	for (const struct suite *s = suites; s->name[0] != '\0'; s++)
		printf("%s: accept %d of %d, reject %d of %d, incomplete %d of %d; "
		    "the other %d are named limits\n", s->name, s->right[ACCEPT], s->cases[ACCEPT],
		    s->right[REJECT], s->cases[REJECT], s->right[INCOMPLETE],
		    s->cases[INCOMPLETE], s->limits);
	free(list);
	free(limits);
	return nfailed == 0 && ncases > 0 ? 0 : 1;
}
