/* SPDX-License-Identifier: ISC
 * The scanner. It checks structure (brackets, quotes, commas of the top level), not every value: the engine does that.
 * Where two readers might see different models (a name given twice) it refuses. */
#include "proxy/proxy_model.h"

#include <string.h>

#include "base/text.h"

#define MAX_DEPTH 64

enum { S_START, S_FIRST, S_KEY, S_KEY_STR, S_COLON, S_VALUE, S_STR, S_SCALAR, S_NEST, S_NEST_STR, S_AFTER, S_DONE, S_BAD };

static bool
blank(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static void
bad(struct proxy_scan *s, const char *why)
{
	s->state = S_BAD;
	s->error = why;
}

/* Moves pos behind the quote that ends the string begun at start; false when it is not there yet. */
static bool
string_end(struct proxy_scan *s, const char *buf, size_t len, size_t start)
{
	while (s->pos < len) {
		const char *q = memchr(buf + s->pos, '"', len - s->pos);
		size_t at, n = 0;

		if (q == NULL)
			break;
		at = (size_t)(q - buf);
		while (at - n > start + 1 && buf[at - n - 1] == '\\')
			n++;
		s->pos = at + 1;
		if (n % 2 == 0)
			return true;
	}
	s->pos = len;
	return false;
}

static int
hex4(const char *p)
{
	int v = 0;

	for (int i = 0; i < 4; i++) {
		int d = text_hex(p[i]);

		if (d < 0)
			return -1;
		v = v << 4 | d;
	}
	return v;
}

/* One escape at p (behind the backslash, n bytes left) to out (4 bytes of room). Returns bytes eaten, 0 when it is bad. */
static size_t
unescape(const char *p, size_t n, char *out, size_t *nout)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *q;
	int hi, lo;

	if (n == 0)
		return 0;
	if (p[0] != 'u') {
		q = p[0] != '\0' ? strchr(from, p[0]) : NULL;
		if (q == NULL)
			return 0;
		out[0] = to[q - from];
		*nout = 1;
		return 1;
	}
	hi = n >= 5 ? hex4(p + 1) : -1;
	if (hi <= 0 || (hi >= 0xdc00 && hi < 0xe000))
		return 0;
	if (hi < 0xd800 || hi >= 0xe000) {
		*nout = text_put_utf8(out, (unsigned)hi);
		return 5;
	}
	lo = n >= 11 && p[5] == '\\' && p[6] == 'u' ? hex4(p + 7) : -1;
	if (lo < 0xdc00 || lo >= 0xe000)
		return 0;
	*nout = text_put_utf8(out, 0x10000u + ((unsigned)(hi - 0xd800) << 10) + (unsigned)(lo - 0xdc00));
	return 11;
}

int
proxy_json_text(const char *p, size_t n, char *out, size_t size)
{
	size_t o = 0;

	for (size_t i = 0; i < n;) {
		char c[4];
		size_t k = 1;

		if (o + 5 > size)
			return -1;
		if (p[i] == '\\') {
			size_t eaten = unescape(p + i + 1, n - i - 1, c, &k);

			if (eaten == 0)
				return -1;
			i += 1 + eaten;
		} else {
			if ((unsigned char)p[i] < 0x20)
				return -1;
			c[0] = p[i++];
		}
		memcpy(out + o, c, k);
		o += k;
	}
	out[o] = '\0';
	return 0;
}

static enum proxy_key
which_key(const char *p, size_t n)
{
	static const char *const names[] = {
		[PROXY_KEY_MODEL] = "model", [PROXY_KEY_MAX_TOKENS] = "max_tokens",
		[PROXY_KEY_TEMPERATURE] = "temperature", [PROXY_KEY_TOP_P] = "top_p", [PROXY_KEY_STREAM] = "stream",
	};
	char plain[64];

	if (memchr(p, '\\', n) != NULL) {
		if (proxy_json_text(p, n, plain, sizeof(plain)) < 0)
			return PROXY_KEY_OTHER;
		p = plain;
		n = strlen(plain);
	}
	for (int i = PROXY_KEY_MODEL; i < PROXY_NKEYS; i++)
		if (strlen(names[i]) == n && memcmp(names[i], p, n) == 0)
			return (enum proxy_key)i;
	return PROXY_KEY_OTHER;
}

static void
value_ended(struct proxy_scan *s, const char *buf, size_t end)
{
	struct proxy_member *m = &s->member[s->key];

	s->state = S_AFTER;
	s->last = s->key;
	if (s->key == PROXY_KEY_OTHER)
		return;
	if (m->at != 0 && s->key == PROXY_KEY_MODEL) {
		bad(s, "model is given twice");
		return;
	}
	*m = s->now;
	m->at = s->token;
	m->len = end - s->token;
	if (s->key == PROXY_KEY_STREAM)
		s->stream = m->len == 4 && memcmp(buf + m->at, "true", 4) == 0;
}

static void
push(struct proxy_scan *s, char c)
{
	if (s->depth == MAX_DEPTH) {
		bad(s, "the JSON is nested too deeply");
		return;
	}
	s->kinds = s->kinds << 1 | (c == '{');
	s->depth++;
}

/* Inside a nested value: only brackets and strings matter. */
static void
nest(struct proxy_scan *s, const char *buf, size_t len)
{
	while (s->pos < len && s->state == S_NEST) {
		char c = buf[s->pos++];

		switch (c) {
		case '"':
			s->now.comma_after = s->pos - 1;	/* where this string began */
			s->state = S_NEST_STR;
			break;
		case '{':
		case '[':
			push(s, c);
			break;
		case '}':
		case ']':
			if ((s->kinds & 1) != (c == '}')) {
				bad(s, "the JSON has a wrong bracket");
				break;
			}
			s->kinds >>= 1;
			if (--s->depth == 1) {
				s->now.comma_after = 0;
				value_ended(s, buf, s->pos);
			}
			break;
		default:
			break;
		}
	}
}

static void
key_or_end(struct proxy_scan *s, char c)
{
	if (c == '"') {
		s->any = true;
		s->token = s->pos;
		s->now = (struct proxy_member){.key_at = s->pos, .comma_before = s->comma};
		s->state = S_KEY_STR;
	} else if (c == '}' && s->state == S_FIRST) {
		s->state = S_DONE;
	} else {
		bad(s, "the JSON object has no key where one is due");
	}
}

static void
value_starts(struct proxy_scan *s, char c)
{
	s->token = s->pos;
	if (c == '"') {
		s->state = S_STR;
	} else if (c == '{' || c == '[') {
		s->state = S_NEST;
		push(s, c);
	} else if (c == ',' || c == '}' || c == ']' || c == ':') {
		bad(s, "the JSON object has no value where one is due");
	} else {
		s->state = S_SCALAR;
	}
}

static void
after_value(struct proxy_scan *s, char c)
{
	if (c == ',') {
		s->comma = s->pos;
		s->member[s->last].comma_after = s->pos;
		s->state = S_KEY;
	} else if (c == '}') {
		s->state = S_DONE;
	} else {
		bad(s, "the JSON object has no comma where one is due");
	}
}

/* The states in which a byte decides, blanks apart. */
static void
byte(struct proxy_scan *s, char c)
{
	switch (s->state) {
	case S_START:
		if (c != '{') {
			bad(s, "the body is no JSON object");
			return;
		}
		s->open = s->pos + 1;
		s->depth = 1;
		s->kinds = 1;
		s->state = S_FIRST;
		break;
	case S_FIRST:
	case S_KEY:
		key_or_end(s, c);
		break;
	case S_COLON:
		if (c != ':')
			bad(s, "the JSON object has no colon where one is due");
		else
			s->state = S_VALUE;
		break;
	case S_VALUE:
		value_starts(s, c);
		break;
	case S_AFTER:
		after_value(s, c);
		break;
	default:
		bad(s, "something follows the JSON object");
		break;
	}
	s->pos++;
}

void
proxy_scan(struct proxy_scan *s, const char *buf, size_t len)
{
	while (s->pos < len && s->state != S_BAD) {
		switch (s->state) {
		case S_KEY_STR:
			if (string_end(s, buf, len, s->token)) {
				s->key = which_key(buf + s->token + 1, s->pos - s->token - 2);
				s->state = S_COLON;
			}
			break;
		case S_STR:
			if (string_end(s, buf, len, s->token))
				value_ended(s, buf, s->pos);
			break;
		case S_SCALAR:
			while (s->pos < len && !blank(buf[s->pos]) && buf[s->pos] != ',' && buf[s->pos] != '}')
				s->pos++;
			if (s->pos < len)
				value_ended(s, buf, s->pos);
			break;
		case S_NEST:
			nest(s, buf, len);
			break;
		case S_NEST_STR:
			if (string_end(s, buf, len, s->now.comma_after))
				s->state = S_NEST;
			break;
		default:
			if (blank(buf[s->pos]))
				s->pos++;
			else
				byte(s, buf[s->pos]);
			break;
		}
	}
}

bool
proxy_scan_end(struct proxy_scan *s)
{
	if (s->state == S_DONE)
		return true;
	if (s->error == NULL)
		s->error = s->state == S_START ? "the body is empty" : "the JSON ends too early";
	return false;
}

int
proxy_scan_model(struct proxy_scan *s, const char *buf, char *out, size_t size)
{
	const struct proxy_member *m = &s->member[PROXY_KEY_MODEL];

	if (m->at == 0 || (m->len == 4 && memcmp(buf + m->at, "null", 4) == 0))
		return 0;
	if (buf[m->at] != '"') {
		s->error = "model is no string";
		return -1;
	}
	if (proxy_json_text(buf + m->at + 1, m->len - 2, out, size) < 0) {
		s->error = "model is no usable name";
		return -1;
	}
	return 1;
}
