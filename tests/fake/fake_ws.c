/* SPDX-License-Identifier: ISC
 * Websockets: the real handshake, then an echo. Text frames that begin with '!' are orders: "!flood N" sends N bytes, "!close",
 * "!reset" and "!die" end it. With the switch upgrade=NAME it is any other protocol, whose bytes are echoed as they come. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake.h"

#define FLOOD_FRAME 65536
#define FULL (1 << 20)	/* of output: then nothing more is read */

bool fake_deaf;

static uint32_t
rol(uint32_t v, int n)
{
	return v << n | v >> (32 - n);
}

static void
sha1_block(uint32_t h[5], const unsigned char *p)
{
	uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];

	for (int i = 0; i < 16; i++)
		w[i] = (uint32_t)p[4 * i] << 24 | (uint32_t)p[4 * i + 1] << 16 | (uint32_t)p[4 * i + 2] << 8 | p[4 * i + 3];
	for (int i = 16; i < 80; i++)
		w[i] = rol(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
	for (int i = 0; i < 80; i++) {
		uint32_t f = i < 20 ? (b & c) | (~b & d) : i < 40 || i >= 60 ? b ^ c ^ d : (b & c) | (b & d) | (c & d);
		uint32_t k = i < 20 ? 0x5a827999 : i < 40 ? 0x6ed9eba1 : i < 60 ? 0x8f1bbcdc : 0xca62c1d6;
		uint32_t t = rol(a, 5) + f + e + k + w[i];

		e = d;
		d = c;
		c = rol(b, 30);
		b = a;
		a = t;
	}
	h[0] += a;
	h[1] += b;
	h[2] += c;
	h[3] += d;
	h[4] += e;
}

/* Of a text of at most 119 bytes. */
static void
sha1(const char *text, size_t n, unsigned char out[20])
{
	uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
	unsigned char block[128] = {0};
	size_t blocks = n < 56 ? 1 : 2;

	memcpy(block, text, n);
	block[n] = 0x80;
	block[64 * blocks - 2] = (unsigned char)(n * 8 >> 8);
	block[64 * blocks - 1] = (unsigned char)(n * 8);
	for (size_t i = 0; i < blocks; i++)
		sha1_block(h, block + 64 * i);
	for (int i = 0; i < 20; i++)
		out[i] = (unsigned char)(h[i / 4] >> (24 - 8 * (i % 4)));
}

/* Sec-WebSocket-Accept of a key. */
static void
add_accept(struct fake_buf *b, const char *key, size_t n)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char text[119];
	unsigned char d[21];
	size_t len = (size_t)snprintf(text, sizeof(text), "%.*s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", (int)n, key);

	sha1(text, len < sizeof(text) ? len : sizeof(text) - 1, d);
	d[20] = 0;
	for (int i = 0; i < 21; i += 3) {
		uint32_t v = (uint32_t)d[i] << 16 | (uint32_t)d[i + 1] << 8 | d[i + 2];
		char q[4] = {digits[v >> 18], digits[v >> 12 & 63], digits[v >> 6 & 63], digits[v & 63]};

		if (i == 18)
			q[3] = '=';
		fake_add(b, q, 4);
	}
}

static void
add_frame(struct fake_conn *c, int opcode, const char *p, size_t n)
{
	unsigned char h[10] = {(unsigned char)(0x80 | opcode)};
	size_t len = 2;

	if (n < 126) {
		h[1] = (unsigned char)n;
	} else if (n < 65536) {
		h[1] = 126;
		h[2] = (unsigned char)(n >> 8);
		h[3] = (unsigned char)n;
		len = 4;
	} else {
		h[1] = 127;
		for (int i = 0; i < 8; i++)
			h[2 + i] = (unsigned char)((uint64_t)n >> (56 - 8 * i));
		len = 10;
	}
	fake_add(&c->out, h, len);
	fake_add(&c->out, p, n);
}

bool
fake_upgrade(struct fake_conn *c)
{
	size_t nup, nkey;
	const char *up = fake_head(c, "Upgrade", &nup), *key = fake_head(c, "Sec-WebSocket-Key", &nkey);

	if (up == NULL || (!c->a.ws && c->a.upgrade == NULL) || (c->a.upgrade == NULL && key == NULL))
		return false;
	c->raw = c->a.upgrade != NULL;
	fake_addf(&c->out, "HTTP/1.1 101 Switching Protocols\r\nServer: fake\r\nConnection: Upgrade\r\nX-Engine: yes\r\n");
	if (c->raw) {
		fake_addf(&c->out, "Upgrade: %s\r\n\r\n", c->a.upgrade);
	} else {
		fake_addf(&c->out, "Upgrade: websocket\r\nSec-WebSocket-Accept: ");
		add_accept(&c->out, key, nkey);
		fake_addf(&c->out, "\r\n");
		if ((up = fake_head(c, "Sec-WebSocket-Protocol", &nup)) != NULL)
			fake_addf(&c->out, "Sec-WebSocket-Protocol: %.*s\r\n", (int)strcspn(up, ",\r"), up);
		fake_addf(&c->out, "\r\n");
		if (c->a.ws_head)
			add_frame(c, 1, c->in.data, c->head_len);
	}
	c->phase = CONN_TUNNEL;
	c->tunnelled = true;
	c->completion = false;
	fake_stats.tunnels++;
	fake_record("tunnel", "\"path\":\"%s\"", c->path);
	if (c->body_owned)
		free(c->body);
	c->body = NULL;
	c->body_owned = false;
	fake_drain(&c->in, c->total);
	c->total = 0;
	return true;
}

static void
order(struct fake_conn *c, const char *p, size_t n)
{
	char text[64];

	snprintf(text, sizeof(text), "%.*s", (int)(n < 63 ? n : 63), p);
	if (strncmp(text, "!flood ", 7) == 0) {
		c->flood_left = strtol(text + 7, NULL, 10);
	} else if (strcmp(text, "!die") == 0) {
		fake_die();
	} else if (strcmp(text, "!close") == 0 || strcmp(text, "!reset") == 0) {
		c->keep = false;
		c->after = text[1] == 'r' ? 'r' : 'c';
		c->phase = CONN_FLUSH;
	}
}

static void
frame(struct fake_conn *c, int opcode, char *p, size_t n)
{
	if (opcode == 8) {
		add_frame(c, 8, p, n);
		c->after = 'c';
		c->phase = CONN_FLUSH;
	} else if (opcode == 9) {
		add_frame(c, 10, p, n);
	} else if (opcode == 1 && n > 0 && *p == '!') {
		order(c, p, n);
	} else if (opcode <= 2) {
		add_frame(c, opcode, p, n);
	}
}

/* One whole frame off the input; false when none is there. */
static bool
take_frame(struct fake_conn *c)
{
	unsigned char *b = (unsigned char *)c->in.data;
	uint64_t n;
	size_t head = 2;
	bool masked;

	if (c->in.len < 2)
		return false;
	masked = b[1] & 0x80;
	n = b[1] & 0x7f;
	if (n >= 126) {
		size_t more = n == 126 ? 2 : 8;

		if (c->in.len < 2 + more)
			return false;
		n = 0;
		for (size_t i = 0; i < more; i++)
			n = n << 8 | b[2 + i];
		head += more;
	}
	if (c->in.len < head + (masked ? 4 : 0) + n)
		return false;
	if (masked) {
		for (uint64_t i = 0; i < n; i++)
			b[head + 4 + i] ^= b[head + i % 4];
		head += 4;
	}
	frame(c, b[0] & 15, (char *)b + head, (size_t)n);
	fake_drain(&c->in, head + (size_t)n);
	return true;
}

bool
fake_hears(const struct fake_conn *c)
{
	return c->phase != CONN_TUNNEL || (!fake_deaf && c->out.len < FULL);
}

void
fake_tunnel(struct fake_conn *c)
{
	static const char block[FLOOD_FRAME];

	if (c->raw && c->in.len > 0) {
		fake_add(&c->out, c->in.data, c->in.len);
		fake_drain(&c->in, c->in.len);
	}
	while (!c->raw && c->phase == CONN_TUNNEL && c->out.len < FULL && take_frame(c))
		;
	while (c->flood_left > 0 && c->out.len < FULL) {
		size_t n = c->flood_left < FLOOD_FRAME ? (size_t)c->flood_left : FLOOD_FRAME;

		add_frame(c, 2, block, n);
		c->flood_left -= (long)n;
	}
}
