/* SPDX-License-Identifier: ISC
 * Event streams, line by line. */
#include "client/client_sse.h"

#include <string.h>

void
client_sse_init(struct client_sse *s)
{
	memset(s, 0, sizeof(*s));
	s->line.max = s->data.max = CLIENT_SSE_MAX;
}

void
client_sse_fini(struct client_sse *s)
{
	strbuf_fini(&s->line);
	strbuf_fini(&s->data);
	strbuf_fini(&s->event);
	strbuf_fini(&s->id);
}

void
client_sse_reset(struct client_sse *s)
{
	client_sse_fini(s);
	client_sse_init(s);
}

static bool
is_field(const char *line, size_t n, const char *name)
{
	return n == strlen(name) && memcmp(line, name, n) == 0;
}

/* One line without its end. 0 on, 1 stopped. */
static int
take_line(struct client_sse *s, const char *p, size_t n, client_sse_cb *cb, void *arg)
{
	const char *colon, *value;
	size_t name, len;

	if (!s->started && n >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0) {
		p += 3;
		n -= 3;
	}
	s->started = true;
	if (n == 0) {
		bool any = s->any;

		s->any = false;
		if (any && !cb(arg, s->event.len != 0 ? strbuf_str(&s->event) : "message", strbuf_str(&s->id),
		    strbuf_str(&s->data), s->data.len))
			return 1;
		strbuf_clear(&s->data);
		strbuf_clear(&s->event);
		return 0;
	}
	colon = memchr(p, ':', n);
	name = colon != NULL ? (size_t)(colon - p) : n;
	value = colon != NULL ? colon + 1 : p + n;
	len = (size_t)(p + n - value);
	if (len > 0 && *value == ' ') {
		value++;
		len--;
	}
	if (is_field(p, name, "data")) {
		if (s->any)
			strbuf_putc(&s->data, '\n');
		strbuf_add(&s->data, value, len);
		s->any = true;
	} else if (is_field(p, name, "event")) {
		strbuf_clear(&s->event);
		strbuf_add(&s->event, value, len);
	} else if (is_field(p, name, "id") && memchr(value, '\0', len) == NULL) {
		strbuf_clear(&s->id);
		strbuf_add(&s->id, value, len);
	}
	return 0;
}

int
client_sse_feed(struct client_sse *s, const char *p, size_t n, client_sse_cb *cb, void *arg)
{
	while (n > 0) {
		const char *nl = memchr(p, '\n', n);
		size_t len = nl != NULL ? (size_t)(nl - p) : n;
		const char *line = p;
		size_t cut = len;

		if (nl == NULL || s->line.len > 0) {
			strbuf_add(&s->line, p, len);
			if (s->line.full)
				return -1;
			line = strbuf_str(&s->line);
			cut = s->line.len;
		}
		if (nl == NULL)
			return 0;
		p += len + 1;
		n -= len + 1;
		if (cut > 0 && line[cut - 1] == '\r')
			cut--;
		if (take_line(s, line, cut, cb, arg) != 0)
			return 1;
		if (s->data.full)
			return -1;
		strbuf_clear(&s->line);
	}
	return 0;
}
