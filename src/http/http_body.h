/* SPDX-License-Identifier: ISC
 * Body framing: a pure decoder for the three ways a body ends, and the chunk encoder. Strict: chunk
 * extensions are refused, trailers are dropped, sizes are hex digits only. */
#ifndef HTTP_HTTP_BODY_H
#define HTTP_HTTP_BODY_H

#include "http/http_msg.h"

enum http_body_result { HTTP_BODY_MORE, HTTP_BODY_DONE, HTTP_BODY_ERROR };

struct http_body {
	enum http_framing framing;
	uint64_t left;		/* of the length or of the present chunk */
	int state;		/* chunked: the decoder's own */
	unsigned line;		/* bytes of the size line or trailer so far */
	const char *why;	/* after HTTP_BODY_ERROR; static */
};

void http_body_init(struct http_body *b, const struct http_head *h);

/* Looks at buf[*pos..len): the next slice of content goes to *data (borrowed from buf; n may be 0),
 * *pos moves past what was eaten. Call again while it returns MORE and *pos < len. DONE: the body
 * is complete, buf from *pos on belongs to the next message; it may come with the last slice. An
 * empty body is DONE at the first call, also on an empty buffer. For HTTP_BODY_CLOSE it never
 * returns DONE: http_body_eof_ok decides. */
enum http_body_result http_body_next(struct http_body *b, const char *buf, size_t len, size_t *pos,
    struct http_str *data);
/* Whether the end of the connection here is a complete body (framing by close) or a truncation. */
bool http_body_eof_ok(const struct http_body *b);

/* Writes the size line of a chunk of n bytes ("1a\r\n") into out, which holds at least 20 bytes;
 * returns its length. The data and "\r\n" follow; the last chunk is "0\r\n\r\n". */
size_t http_chunk_head(char *out, uint64_t n);

#endif
