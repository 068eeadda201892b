/* SPDX-License-Identifier: ISC
 * Answers that are not proper HTTP, or that a careless proxy passes on wrongly. */
#include <stdlib.h>
#include <string.h>

#include "fake.h"

#define JSON "Content-Type: application/json\r\n"

static const struct bad {
	const char *kind, *bytes;
} kinds[] = {
	{"dup-cl", "HTTP/1.1 200 OK\r\n" JSON "Content-Length: 2\r\nContent-Length: 12\r\n\r\n{}"},
	{"cl-te", "HTTP/1.1 200 OK\r\n" JSON "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"},
	{"obs-fold", "HTTP/1.1 200 OK\r\n" JSON "X-A: one\r\n two\r\nContent-Length: 2\r\n\r\n{}"},
	{"bare-lf", "HTTP/1.1 200 OK\nContent-Type: application/json\nContent-Length: 2\n\n{}"},
	{"space-colon", "HTTP/1.1 200 OK\r\n" JSON "Content-Length : 2\r\n\r\n{}"},
	{"bad-chunk", "HTTP/1.1 200 OK\r\n" JSON "Transfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n"},
	{"bad-status", "HTTP/1.1 2xx OK\r\n" JSON "Content-Length: 2\r\n\r\n{}"},
	{"not-http", "SSH-2.0-OpenSSH_9.2\r\n"},
	{"extra-bytes", "HTTP/1.1 200 OK\r\n" JSON "Content-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nstolen"},
	{"100-continue", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
	    "HTTP/1.1 200 OK\r\n" JSON "Content-Length: 15\r\n\r\n{\"final\": true}"},
	{"101", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nraw"},
	{"body-on-204", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nstray"},
	{"hop", "HTTP/1.1 200 OK\r\n" JSON "Connection: keep-alive, X-Secret-Hop\r\nX-Secret-Hop: 1\r\nKeep-Alive: timeout=9\r\n"
	    "Proxy-Authenticate: Basic\r\nProxy-Connection: x\r\nTrailer: X-T\r\nUpgrade: h2c\r\nX-Kept: yes\r\n"
	    "Content-Length: 2\r\n\r\n{}"},
	{"cors", "HTTP/1.1 200 OK\r\n" JSON "Access-Control-Allow-Origin: *\r\nAccess-Control-Allow-Credentials: true\r\n"
	    "Access-Control-Allow-Private-Network: true\r\nContent-Length: 2\r\n\r\n{}"},
	{"short", "HTTP/1.1 200 OK\r\n" JSON "Content-Length: 100\r\n\r\n{\"cut\":"},
	{NULL, NULL}
};

bool
fake_bad(struct fake_conn *c)
{
	const char *kind = c->a.bad_head;

	c->keep = false;
	if (strcmp(kind, "nul") == 0) {
		static const char nul[] = "HTTP/1.1 200 OK\r\n" JSON "X-A: a\0b\r\nContent-Length: 2\r\n\r\n{}";

		fake_add(&c->out, nul, sizeof(nul) - 1);
		return true;
	}
	if (strcmp(kind, "header-bomb") == 0) {
		fake_addf(&c->out, "HTTP/1.1 200 OK\r\n" JSON);
		for (int i = 0; i < 100000; i++)
			fake_addf(&c->out, "X-Bomb-%d: %0100d\r\n", i, i);
		fake_addf(&c->out, "Content-Length: 2\r\n\r\n{}");
		return true;
	}
	for (const struct bad *b = kinds; b->kind != NULL; b++)
		if (strcmp(kind, b->kind) == 0) {
			fake_addf(&c->out, "%s", b->bytes);
			/* these two leave the connection open: reusing it or not is what the test is about */
			c->keep = strcmp(kind, "extra-bytes") == 0 || strcmp(kind, "hop") == 0;
			return true;
		}
	return false;
}
