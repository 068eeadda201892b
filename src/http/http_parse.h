/* SPDX-License-Identifier: ISC
 * Strict incremental parser of HTTP/1.1 heads: RFC 9112 without leniency wherever a second parser
 * might read the bytes otherwise (both lengths, bare CR or LF, obs-fold, blanks before the colon,
 * bad sizes). Pure; no I/O. The outcome does not depend on how the bytes were split. */
#ifndef HTTP_HTTP_PARSE_H
#define HTTP_HTTP_PARSE_H

#include "http/http_msg.h"

enum http_parse_result { HTTP_PARSE_MORE, HTTP_PARSE_DONE, HTTP_PARSE_ERROR };

struct http_parser {
	bool response;
	bool head_request;	/* response: to a HEAD request, no body follows */
	size_t max_head;	/* bytes; over it 431 (request line alone over 8 KiB: 414) */
	size_t pos;		/* how far lines were checked */
	size_t nlines;		/* of them, without leading empty ones */
	int error;		/* the status to answer: 400 414 417 431 501 505 */
	const char *why;	/* what was wrong; static */
	/* the rest is the parser's own */
	size_t scan;		/* no LF before here */
	size_t offs[4 + 4 * HTTP_MAX_FIELDS];
	size_t nfields;
	size_t host;		/* its number in offs */
	uint64_t length;
	unsigned seen;
	unsigned nempty;	/* leading empty lines */
	int status, minor;
};

/* May be called again to use p for the next message. */
void http_parser_init(struct http_parser *p, bool response, size_t max_head);

/* buf[0..len) holds all bytes of
 * the message so far, from its first byte (leading empty lines, at most two, before a request are
 * skipped); it may have moved since the last call, with the same content. DONE: *out is filled with
 * slices into buf and *used is the length of the head. MORE: call again with more bytes. ERROR:
 * p->error and p->why say what; for a response, error is 502. A bad line is an ERROR as soon as its
 * LF is there (bytes that cannot begin a message even sooner), whatever follows; later calls return
 * it again. Methods but GET HEAD POST PUT PATCH DELETE OPTIONS are 501. */
enum http_parse_result http_parse(struct http_parser *p, const char *buf, size_t len,
    struct http_head *out, size_t *used);

#endif
