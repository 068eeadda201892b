/* SPDX-License-Identifier: ISC
 * Which header fields cross, in each direction. Pure. */
#ifndef PROXY_PROXY_HEADER_H
#define PROXY_PROXY_HEADER_H

#include "http/http_client.h"
#include "http/http_msg.h"
#include "http/http_url.h"

/* The protocol that a request asks to go on with and that may be tunnelled; n = 0: none. HTTP/2 and TLS are not: what is
 * said in them could not be looked at any more. */
struct http_str proxy_header_upgrade(const struct http_head *h);
/* The head that goes to the engine, complete: framing by length, the engine's own Host, no credentials, no hop-by-hop
 * fields but those of the upgrade (n = 0: none), no coding that would hide the answer. */
void proxy_header_request(struct strbuf *out, const struct http_head *h, const struct http_url *url,
    const struct http_target *t, size_t body, const char *request_id, struct http_str upgrade);

/* Whether an answer says that it is JSON, and is not compressed. */
bool proxy_header_json(const struct http_head *h);

struct proxy_header_info {
	const char *model, *request_id;
	uint64_t waited_ms;	/* 0: it did not wait */
	bool chat;		/* the content type of a stream gets its charset */
};
/* The fields that go to the client: a block as http_reply_start takes it. Tells whether it is an event
 * stream that can be read: a compressed one is bytes like any others. */
bool proxy_header_answer(struct strbuf *out, const struct http_head *h, const struct proxy_header_info *i);
/* The same for a 101. False when it is not the answer to what was asked for. */
bool proxy_header_switch(struct strbuf *out, const struct http_head *h, const struct proxy_header_info *i,
    struct http_str upgrade);
/* The same for a stream that begins before the engine's answer is here. */
void proxy_header_stream(struct strbuf *out, const struct proxy_header_info *i);

#endif
