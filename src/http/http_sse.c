/* SPDX-License-Identifier: ISC
 * The event-stream interpreter. Lines that arrive whole are read in place; only what a split leaves
 * over is copied. */
#include "http/http_sse.h"

#include <string.h>

#define MAX_NAME 1024

void
http_sse_init(struct http_sse *s, size_t max,
    void (*on_event)(void *arg, const char *event, const char *id, const char *data, size_t n),
    void *arg)
{
	*s = (struct http_sse){.on_event = on_event, .arg = arg};
	/* A data line holds its field name and a blank besides. */
	s->line.max = max == 0 ? 0 : max + 16;
	s->data.max = max == 0 ? 0 : max + 1;
	s->event.max = s->id.max = MAX_NAME;
}

void
http_sse_fini(struct http_sse *s)
{
	strbuf_fini(&s->line);
	strbuf_fini(&s->data);
	strbuf_fini(&s->event);
	strbuf_fini(&s->id);
}

static void
dispatch(struct http_sse *s)
{
	bool lost = s->data.full;

	if (s->data.len > 0 && !lost) {
		s->data.p[--s->data.len] = '\0';
		s->on_event(s->arg, *strbuf_str(&s->event) != '\0' ? s->event.p : "message",
		    strbuf_str(&s->id), s->data.p, s->data.len);
	}
	strbuf_clear(&s->data);
	strbuf_clear(&s->event);
}

static void
set(struct strbuf *b, const char *p, size_t n)
{
	strbuf_clear(b);
	strbuf_add(b, p, n);
}

static void
data_line(struct http_sse *s, const char *p, size_t n)
{
	char *to;

	if (s->data.full)
		return;
	to = strbuf_room(&s->data, n + 1);
	if (to == NULL)
		return;
	if (n != 0)
		memcpy(to, p, n);
	to[n] = '\n';
	strbuf_wrote(&s->data, n + 1);
}

static void
line(struct http_sse *s, const char *p, size_t n)
{
	const char *colon, *value;
	size_t nname, nvalue;

	if (!s->begun) {
		s->begun = true;
		if (n >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0)
			p += 3, n -= 3;
	}
	if (n == 0) {
		dispatch(s);
		return;
	}
	if (p[0] == ':') {
		if (s->on_comment != NULL)
			s->on_comment(s->arg, p + 1, n - 1);
		return;
	}
	colon = memchr(p, ':', n);
	nname = colon == NULL ? n : (size_t)(colon - p);
	value = colon == NULL ? p + n : colon + 1;
	nvalue = n - (size_t)(value - p);
	if (nvalue > 0 && value[0] == ' ')
		value++, nvalue--;
	if (nname == 4 && memcmp(p, "data", 4) == 0)
		data_line(s, value, nvalue);
	else if (nname == 5 && memcmp(p, "event", 5) == 0)
		set(&s->event, value, nvalue);
	else if (nname == 2 && memcmp(p, "id", 2) == 0 &&
	    (nvalue == 0 || memchr(value, '\0', nvalue) == NULL))
		set(&s->id, value, nvalue);
}

/* The rest of a line that began in an earlier piece. */
static void
line_end(struct http_sse *s, const char *p, size_t n)
{
	/* The cap holds for a line that came whole as well: how it was split must not matter. */
	if (s->line.full || (s->line.max != 0 && n > s->line.max - s->line.len)) {
		s->data.full = true;
		s->begun = true;
	} else if (s->line.len == 0) {
		line(s, p, n);
	} else {
		strbuf_add(&s->line, p, n);
		line(s, s->line.p, s->line.len);
	}
	strbuf_clear(&s->line);
}

void
http_sse_feed(struct http_sse *s, const char *p, size_t n)
{
	const char *end = p + n, *lf, *cr, *eol;

	if (n > 0 && s->cr) {
		s->cr = false;
		if (*p == '\n')
			p++;
	}
	lf = NULL;
	while (p < end) {
		if (lf == NULL || lf < p) {
			lf = memchr(p, '\n', (size_t)(end - p));
			if (lf == NULL)
				lf = end;
		}
		cr = memchr(p, '\r', (size_t)(lf - p));
		eol = cr != NULL ? cr : lf;
		if (eol == end) {
			if (!s->line.full)
				strbuf_add(&s->line, p, (size_t)(end - p));
			return;
		}
		line_end(s, p, (size_t)(eol - p));
		p = eol + 1;
		if (cr == NULL)
			continue;
		if (p == end)
			s->cr = true;
		else if (*p == '\n')
			p++;
	}
}
