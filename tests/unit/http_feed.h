/* SPDX-License-Identifier: ISC
 * Feeds a head to the parser in one piece, in two at every place, and byte by byte, each time from
 * a block of memory of exactly its size, and insists on one outcome. */
#ifndef HTTP_FEED_H
#define HTTP_FEED_H

#include "http/http_parse.h"

struct feed {
	enum http_parse_result result;
	int error;
	const char *why;
	size_t used;
	struct http_head head;	/* slices into buf */
	char *buf;		/* (owned) */
};

static enum http_parse_result
feed_piece(struct http_parser *p, const char *s, size_t n, struct feed *f)
{
	free(f->buf);
	f->buf = malloc(n == 0 ? 1 : n);
	assert_non_null(f->buf);
	memcpy(f->buf, s, n);
	f->used = 0;
	f->result = http_parse(p, f->buf, n, &f->head, &f->used);
	f->error = p->error;
	f->why = p->why;
	return f->result;
}

static void
feed_same(const struct feed *a, const struct feed *b)
{
	assert_int_equal(a->result, b->result);
	assert_int_equal(a->error, b->error);
	assert_ptr_equal(a->why, b->why);
	assert_int_equal(a->used, b->used);
	if (a->result != HTTP_PARSE_DONE)
		return;
	assert_int_equal(a->head.nfields, b->head.nfields);
	assert_int_equal(a->head.framing, b->head.framing);
	assert_int_equal(a->head.content_length, b->head.content_length);
	assert_int_equal(a->head.target.n, b->head.target.n);
	for (size_t i = 0; i < a->head.nfields; i++) {
		assert_int_equal(a->head.fields[i].name.p - a->buf,
		    b->head.fields[i].name.p - b->buf);
		assert_int_equal(a->head.fields[i].value.n, b->head.fields[i].value.n);
	}
}

/* The caller frees f->buf. */
static void
feed(struct feed *f, const char *s, size_t n, bool response, size_t max)
{
	struct feed g = {0};
	struct http_parser p;

	memset(f, 0, sizeof(*f));
	memset(&p, 0x5a, sizeof(p));
	http_parser_init(&p, response, max);
	feed_piece(&p, s, n, f);
	for (size_t i = 0; i < n; i++) {
		http_parser_init(&p, response, max);
		if (feed_piece(&p, s, i, &g) == HTTP_PARSE_MORE)
			feed_piece(&p, s, n, &g);
		feed_same(f, &g);
	}
	http_parser_init(&p, response, max);
	for (size_t i = 0; i <= n; i++) {
		if (feed_piece(&p, s, i, &g) != HTTP_PARSE_MORE)
			break;
	}
	feed_same(f, &g);
	free(g.buf);
}

#endif
