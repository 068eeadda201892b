/* SPDX-License-Identifier: ISC
 * Where a body ends. */
#include "http/http_body.h"

#include <string.h>

#include "base/text.h"

#define MAX_TRAILER (8 * 1024)
#define MAX_SIZE_DIGITS 16

enum {
	CHUNK_SIZE,	/* hex digits; line counts them */
	CHUNK_SIZE_LF,
	CHUNK_DATA,
	CHUNK_DATA_CR,
	CHUNK_DATA_LF,
	TRAILER,	/* at the start of a line; line counts all bytes of the trailer section */
	TRAILER_NAME,
	TRAILER_VALUE,
	TRAILER_LF,
	LAST_LF,
	CHUNKS_DONE
};

void
http_body_init(struct http_body *b, const struct http_head *h)
{
	*b = (struct http_body){
		.framing = h->framing,
		.left = h->framing == HTTP_BODY_LENGTH ? h->content_length : 0,
	};
}

static int
fail(struct http_body *b, const char *why)
{
	b->why = why;
	return -1;
}

static int
size_byte(struct http_body *b, char c)
{
	int d = text_hex(c);

	if (d >= 0) {
		if (++b->line > MAX_SIZE_DIGITS || b->left > INT64_MAX >> 4)
			return fail(b, "chunk size too large");
		b->left = b->left << 4 | (uint64_t)d;
		return 0;
	}
	if (c != '\r' || b->line == 0)
		return fail(b, c == ';' && b->line > 0 ? "chunk extension" : "bad chunk size");
	b->state = CHUNK_SIZE_LF;
	return 0;
}

static bool
token_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	    (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

/* Trailer fields are dropped, but must be such: what only looks like a trailer may be another's
 * request. */
static int
trailer_byte(struct http_body *b, char c)
{
	if (++b->line > MAX_TRAILER)
		return fail(b, "trailer too large");
	switch (b->state) {
	case TRAILER:
		b->state = c == '\r' ? LAST_LF : TRAILER_NAME;
		return c == '\r' || token_byte(c) ? 0 : fail(b, "bad trailer");
	case TRAILER_NAME:
		if (c == ':')
			b->state = TRAILER_VALUE;
		return c == ':' || token_byte(c) ? 0 : fail(b, "bad trailer");
	case TRAILER_VALUE:
		if (c == '\r')
			b->state = TRAILER_LF;
		return c == '\r' || c == '\t' || ((unsigned char)c >= ' ' && c != 0x7f) ? 0 :
		    fail(b, "bad trailer");
	case TRAILER_LF:
		b->state = TRAILER;
		return c == '\n' ? 0 : fail(b, "bad trailer");
	default:
		b->state = CHUNKS_DONE;
		return c == '\n' ? 0 : fail(b, "bad trailer");
	}
}

/* One byte between the data. */
static int
chunk_byte(struct http_body *b, char c)
{
	switch (b->state) {
	case CHUNK_SIZE:
		return size_byte(b, c);
	case CHUNK_SIZE_LF:
		if (c != '\n')
			return fail(b, "bad chunk size");
		b->state = b->left == 0 ? TRAILER : CHUNK_DATA;
		b->line = 0;
		return 0;
	case CHUNK_DATA_CR:
		b->state = CHUNK_DATA_LF;
		return c == '\r' ? 0 : fail(b, "chunk data without its CRLF");
	case CHUNK_DATA_LF:
		b->state = CHUNK_SIZE;
		return c == '\n' ? 0 : fail(b, "chunk data without its CRLF");
	default:
		return trailer_byte(b, c);
	}
}

static void
take(struct http_body *b, const char *buf, size_t len, size_t *pos, struct http_str *data)
{
	size_t n = len - *pos;

	if (b->framing != HTTP_BODY_CLOSE) {
		if (n > b->left)
			n = (size_t)b->left;
		b->left -= n;
	}
	*data = (struct http_str){buf + *pos, n};
	*pos += n;
}

static enum http_body_result
chunks_next(struct http_body *b, const char *buf, size_t len, size_t *pos, struct http_str *data)
{
	while (b->state != CHUNKS_DONE && *pos < len) {
		if (b->state == CHUNK_DATA) {
			take(b, buf, len, pos, data);
			if (b->left == 0)
				b->state = CHUNK_DATA_CR;
			return HTTP_BODY_MORE;
		}
		if (chunk_byte(b, buf[(*pos)++]) != 0)
			return HTTP_BODY_ERROR;
	}
	return b->state == CHUNKS_DONE ? HTTP_BODY_DONE : HTTP_BODY_MORE;
}

enum http_body_result
http_body_next(struct http_body *b, const char *buf, size_t len, size_t *pos, struct http_str *data)
{
	*data = (struct http_str){buf + *pos, 0};
	if (b->why != NULL)
		return HTTP_BODY_ERROR;
	switch (b->framing) {
	case HTTP_BODY_NONE:
		return HTTP_BODY_DONE;
	case HTTP_BODY_LENGTH:
		take(b, buf, len, pos, data);
		return b->left == 0 ? HTTP_BODY_DONE : HTTP_BODY_MORE;
	case HTTP_BODY_CHUNKED:
		return chunks_next(b, buf, len, pos, data);
	case HTTP_BODY_CLOSE:
	default:
		take(b, buf, len, pos, data);
		return HTTP_BODY_MORE;
	}
}

bool
http_body_eof_ok(const struct http_body *b)
{
	if (b->why != NULL)
		return false;
	switch (b->framing) {
	case HTTP_BODY_LENGTH:
		return b->left == 0;
	case HTTP_BODY_CHUNKED:
		return b->state == CHUNKS_DONE;
	case HTTP_BODY_NONE:
	case HTTP_BODY_CLOSE:
	default:
		return true;
	}
}

size_t
http_chunk_head(char *out, uint64_t n)
{
	static const char digits[] = "0123456789abcdef";
	size_t len = 1;

	for (uint64_t m = n >> 4; m != 0; m >>= 4)
		len++;
	for (size_t i = len; i-- > 0; n >>= 4)
		out[i] = digits[n & 15];
	out[len] = '\r';
	out[len + 1] = '\n';
	return len + 2;
}
