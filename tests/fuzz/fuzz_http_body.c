/* SPDX-License-Identifier: ISC
 * Chunked bodies: against a naive reader of whole buffers, in one piece and in two, and through the
 * encoder. */
#include <string.h>

#include "fuzz.h"
#include "http/http_body.h"

struct outcome {
	enum http_body_result result;
	size_t used;
	struct strbuf data;
};

static void
decode(struct outcome *o, const char *data, size_t size, size_t cut)
{
	const struct http_head h = {.framing = HTTP_BODY_CHUNKED};
	struct http_body b;
	size_t from = 0, to = cut;

	strbuf_clear(&o->data);
	http_body_init(&b, &h);
	for (;;) {
		char *copy = malloc(to == from ? 1 : to - from);
		size_t pos = 0;
		struct http_str s;

		INSIST(copy != NULL);
		if (to != from)
			memcpy(copy, data + from, to - from);
		do {
			o->result = http_body_next(&b, copy, to - from, &pos, &s);
			INSIST(s.p >= copy && s.p + s.n <= copy + (to - from));
			strbuf_add(&o->data, s.p, s.n);
		} while (o->result == HTTP_BODY_MORE && pos < to - from);
		free(copy);
		from += pos;
		if (o->result != HTTP_BODY_MORE || to == size)
			break;
		to = size;
	}
	o->used = from;
	INSIST(http_body_eof_ok(&b) == (o->result == HTTP_BODY_DONE));
	INSIST((b.why != NULL) == (o->result == HTTP_BODY_ERROR));
}

/* The data of the chunks, read by strtoull, as far as they are beyond doubt; the rest is not
 * judged. Returns whether the last chunk was met. */
static int
naive(struct strbuf *out, const char *text, size_t size)
{
	size_t pos = 0;

	for (;;) {
		const char *crlf = NULL;
		unsigned long long n;
		char digits[17] = "";
		size_t len;

		for (size_t i = pos; i + 1 < size && crlf == NULL; i++) {
			if (text[i] == '\r' && text[i + 1] == '\n')
				crlf = text + i;
		}
		if (crlf == NULL)
			return 0;
		len = (size_t)(crlf - (text + pos));
		if (len == 0 || len > 16)
			return 0;
		memcpy(digits, text + pos, len);
		if (strspn(digits, "0123456789abcdefABCDEF") != len)
			return 0;
		n = strtoull(digits, NULL, 16);
		pos += len + 2;
		if (n == 0)
			return 1;
		if (n > size - pos || size - pos - n < 2 || memcmp(text + pos + n, "\r\n", 2) != 0)
			return 0;
		strbuf_add(out, text + pos, (size_t)n);
		pos += (size_t)n + 2;
	}
}

static void
encode_again(const struct strbuf *data)
{
	struct strbuf b = STRBUF_INIT;
	struct outcome o = {0};
	char head[20];

	if (data->len > 0) {
		strbuf_add(&b, head, http_chunk_head(head, data->len));
		strbuf_add(&b, data->p, data->len);
		strbuf_puts(&b, "\r\n");
	}
	strbuf_puts(&b, "0\r\n\r\n");
	decode(&o, b.p, b.len, b.len / 2);
	INSIST(o.result == HTTP_BODY_DONE && o.used == b.len && o.data.len == data->len);
	INSIST(data->len == 0 || memcmp(o.data.p, data->p, data->len) == 0);
	strbuf_fini(&o.data);
	strbuf_fini(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	const char *data = (const char *)bytes;
	struct outcome a = {0}, b = {0};
	struct strbuf want = STRBUF_INIT;
	int last = naive(&want, data, size);

	decode(&a, data, size, size);
	decode(&b, data, size, fuzz_cut(bytes, size));
	INSIST(a.result == b.result && a.used == b.used && a.data.len == b.data.len);
	INSIST(a.data.len == 0 || memcmp(a.data.p, b.data.p, a.data.len) == 0);
	INSIST(a.data.len >= want.len);
	INSIST(want.len == 0 || memcmp(a.data.p, want.p, want.len) == 0);
	INSIST(a.result != HTTP_BODY_DONE || (last && a.data.len == want.len));
	encode_again(&a.data);
	strbuf_fini(&a.data);
	strbuf_fini(&b.data);
	strbuf_fini(&want);
	return 0;
}
