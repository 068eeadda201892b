/* SPDX-License-Identifier: ISC
 * Event streams: the same events however the bytes were cut. */
#include <string.h>

#include "fuzz.h"
#include "http/http_sse.h"

static void
on_event(void *arg, const char *event, const char *id, const char *data, size_t n)
{
	struct strbuf *b = arg;

	INSIST(data[n] == '\0' && event[0] != '\0');
	strbuf_printf(b, "E%s|%s|", event, id);
	strbuf_add(b, data, n);
	strbuf_putc(b, '\n');
}

static void
on_comment(void *arg, const char *text, size_t n)
{
	struct strbuf *b = arg;

	strbuf_putc(b, 'C');
	strbuf_add(b, text, n);
	strbuf_putc(b, '\n');
}

/* cut > size: byte by byte. */
static void
run(struct strbuf *out, const uint8_t *data, size_t size, size_t cut, size_t max)
{
	struct http_sse s;
	size_t from = 0, to = cut > size ? 1 : cut;

	strbuf_clear(out);
	http_sse_init(&s, max, on_event, out);
	s.on_comment = on_comment;
	for (;;) {
		char *copy;

		to = to > size ? size : to;
		copy = malloc(to == from ? 1 : to - from);
		INSIST(copy != NULL);
		if (to != from)
			memcpy(copy, data + from, to - from);
		http_sse_feed(&s, copy, to - from);
		free(copy);
		INSIST(max == 0 || (s.data.len <= max + 1 && s.line.len <= max + 16));
		if (to == size)
			break;
		from = to;
		to = cut > size ? to + 1 : size;
	}
	http_sse_fini(&s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t caps[] = {0, 16};
	struct strbuf a = STRBUF_INIT, b = STRBUF_INIT;

	for (size_t i = 0; i < 2; i++) {
		run(&a, data, size, size, caps[i]);
		run(&b, data, size, fuzz_cut(data, size), caps[i]);
		INSIST(a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0));
		if (size > 256)
			continue;
		run(&b, data, size, size + 1, caps[i]);
		INSIST(a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0));
	}
	strbuf_fini(&a);
	strbuf_fini(&b);
	return 0;
}
