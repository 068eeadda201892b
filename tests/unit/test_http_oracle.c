/* SPDX-License-Identifier: ISC
 * The head parser against another reading of the same rules: regular expressions over whole lines.
 * Mutated heads, the same ones in every run; both must agree on each, and on what it means. */
#include "unit.h"

#include <ctype.h>
#include <regex.h>

#include "http/http_parse.h"
#include "http/http_url.h"

#include "base/compat.h"

#define ROUNDS 100000
#define MAX_TEXT 2048

struct meaning {
	bool ok;
	size_t used, nfields;
	enum http_framing framing;
	uint64_t length;
	bool keep_alive;
};

static regex_t re_request, re_field, re_length, re_target;
static uint64_t seed = 88172645463325252u;

static size_t
rnd(size_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (size_t)(seed >> 11) % n;
}

static void
compile(regex_t *re, const char *text)
{
	assert_int_equal(regcomp(re, text, REG_EXTENDED), 0);
}

static int
setup(void **state)
{
	(void)state;
	compile(&re_request,
	    "^(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) ([!-\"$-~]+) HTTP/1\\.([01])$");
	compile(&re_field,
	    "^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\001-\010\012-\037\177]*)$");
	compile(&re_length, "^[0-9]{1,15}$");
	compile(&re_target, "^(/.*|[Hh][Tt][Tt][Pp][Ss]?://[^/?].*)$");
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	regfree(&re_request);
	regfree(&re_field);
	regfree(&re_length);
	regfree(&re_target);
	return 0;
}

/* What the fields of one name say. */
struct fields {
	int hosts, lengths, codings, closes, keeps;
	bool bad, chunked;
	uint64_t length;
};

static char *
trim(char *s)
{
	char *end = s + strlen(s);

	while (end > s && (end[-1] == ' ' || end[-1] == '\t'))
		*--end = '\0';
	return s + strspn(s, " \t");
}

static void
one_field(struct fields *f, const char *name, char *value)
{
	char *token, *rest = value;
	int port;

	value = trim(value);
	for (char *p = value; *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
	if (strcmp(name, "host") == 0) {
		f->hosts++;
		f->bad |= http_host_parse((struct http_str){value, strlen(value)}, NULL, 0,
		    &port) != 0;
	} else if (strcmp(name, "content-length") == 0) {
		f->lengths++;
		f->length = strtoull(value, NULL, 10);
		f->bad |= regexec(&re_length, value, 0, NULL, 0) != 0;
	} else if (strcmp(name, "transfer-encoding") == 0) {
		f->codings++;
		f->bad |= strcmp(value, "chunked") != 0;
	} else if (strcmp(name, "expect") == 0) {
		f->bad |= strcmp(value, "100-continue") != 0;
	} else if (strcmp(name, "content_length") == 0 || strcmp(name, "transfer_encoding") == 0) {
		f->bad = true;
	} else if (strcmp(name, "connection") == 0) {
		while ((token = strsep(&rest, ",")) != NULL) {
			token = trim(token);
			f->closes += strcmp(token, "close") == 0;
			f->keeps += strcmp(token, "keep-alive") == 0;
		}
	}
}

static bool
one_line(struct meaning *m, struct fields *f, const char *line)
{
	regmatch_t at[3];
	char name[MAX_TEXT], value[MAX_TEXT];

	if (regexec(&re_field, line, 3, at, 0) != 0)
		return false;
	snprintf(name, sizeof(name), "%.*s", (int)at[1].rm_eo, line);
	for (char *p = name; *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
	snprintf(value, sizeof(value), "%s", line + at[2].rm_so);
	one_field(f, name, value);
	m->nfields++;
	return true;
}

/* text is a whole head, its empty line cut off, without NULs. */
static struct meaning
understand(const char *text)
{
	struct meaning m = {0};
	struct fields f = {0};
	char line[MAX_TEXT], target[MAX_TEXT];
	regmatch_t at[4];
	int minor;

	for (const char *p = text; *p != '\0'; p++) {
		if ((*p == '\r') != (p[1] == '\n'))
			return m;
	}
	snprintf(line, sizeof(line), "%.*s", (int)strcspn(text, "\r"), text);
	if (regexec(&re_request, line, 4, at, 0) != 0)
		return m;
	minor = line[at[3].rm_so] - '0';
	snprintf(target, sizeof(target), "%.*s", (int)(at[2].rm_eo - at[2].rm_so),
	    line + at[2].rm_so);
	if (regexec(&re_target, target, 0, NULL, 0) != 0)
		return m;
	for (const char *p = strchr(text, '\r'); p != NULL; p = strchr(p, '\r')) {
		p += 2;
		snprintf(line, sizeof(line), "%.*s", (int)strcspn(p, "\r"), p);
		if (!one_line(&m, &f, line))
			return m;
	}
	m.framing = f.codings ? HTTP_BODY_CHUNKED : f.lengths ? HTTP_BODY_LENGTH : HTTP_BODY_NONE;
	m.length = f.length;
	m.keep_alive = f.closes == 0 && (minor == 1 || f.keeps > 0);
	m.ok = !f.bad && f.hosts <= 1 && f.hosts >= minor && f.lengths + f.codings <= 1 &&
	    (f.codings == 0 || minor == 1);
	return m;
}

static struct meaning
oracle(const char *p, size_t n)
{
	struct meaning m = {0};
	char text[MAX_TEXT];
	const char *end = NULL;
	size_t skip = 0;

	while (skip < 4 && n - skip >= 2 && memcmp(p + skip, "\r\n", 2) == 0)
		skip += 2;
	for (size_t i = skip; i + 4 <= n && end == NULL; i++) {
		if (memcmp(p + i, "\r\n\r\n", 4) == 0)
			end = p + i;
	}
	if (end == NULL || memchr(p, '\0', (size_t)(end - p)) != NULL)
		return m;
	memcpy(text, p + skip, (size_t)(end - p) - skip);
	text[end - p - (ptrdiff_t)skip] = '\0';
	m = understand(text);
	m.used = (size_t)(end - p) + 4;
	return m;
}

static void
edit(char *text, size_t *n, size_t at, size_t cut, const char *with, size_t nwith)
{
	if (cut > *n - at)
		cut = *n - at;
	if (*n - cut + nwith >= MAX_TEXT)
		return;
	memmove(text + at + nwith, text + at + cut, *n - at - cut);
	memcpy(text + at, with, nwith);
	*n = *n - cut + nwith;
}

/* A place, often the beginning of a line. */
static size_t
place(const char *text, size_t n)
{
	size_t at = rnd(n + 1);
	const char *lf;

	if (rnd(3) == 0)
		return at;
	lf = memchr(text + at, '\n', n - at);
	return lf == NULL ? at : (size_t)(lf - text) + 1;
}

static void
mutate(char *text, size_t *n)
{
	static const char *const words[] = {
		"Content-Length: 5\r\n", "content-length:12\r\n", "Transfer-Encoding: chunked\r\n",
		"Transfer-Encoding: gzip\r\n", "Host: b\r\n", "HOST : c\r\n",
		"Connection: close\r\n",
		"connection: a,keep-alive\r\n", "Connection: ,close ,\r\n",
		"Expect: 100-Continue\r\n",
		"Expect: x\r\n", "\r\n", "\r", "\n", " ", "\t", ":", ",", "0", "chunked", "1.0",
		"/", "#",
		"http://h", "A: b\r\n c\r\n", "Content_Length: 1\r\n", "\x80", "\x7f", "\x01", "_",
		"]", "@",
	};
	char c = (char)rnd(256);

	for (size_t i = rnd(3); i < 3; i++) {
		const char *w = words[rnd(ARRAY_LEN(words))];

		switch (rnd(6)) {
		case 0:
			edit(text, n, rnd(*n + 1), 1, &c, 1);
			break;
		case 1:
			edit(text, n, rnd(*n + 1), 1 + rnd(3), "", 0);
			break;
		default:
			edit(text, n, place(text, *n), rnd(8) == 0, w, strlen(w));
		}
	}
}

static void
test_agree(void **state)
{
	static const char *const seeds[] = {
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /v1/models?x HTTP/1.0\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: 127.0.0.1:80\r\nAccept: */*\r\nContent-Length: 13\r\n\r\n{",
		"\r\nPUT http://h:1/x HTTP/1.1\r\nHost: [::1]\r\nTransfer-Encoding: chunked\r\n\r\n0",
		"DELETE /a HTTP/1.1\r\nHost: b\r\nConnection: keep-alive, Upgrade\r\nX:\t y \r\n\r\n",
	};
	char text[MAX_TEXT];
	struct http_parser p;
	struct http_head h;
	size_t accepted = 0;

	(void)state;
	for (size_t i = 0; i < ROUNDS; i++) {
		const char *from = seeds[rnd(ARRAY_LEN(seeds))];
		size_t n = strlen(from), used = 0;
		struct meaning m;
		bool done;

		memcpy(text, from, n);
		mutate(text, &n);
		m = oracle(text, n);
		http_parser_init(&p, false, 32 * 1024);
		done = http_parse(&p, text, n, &h, &used) == HTTP_PARSE_DONE;
		/* Of absolute targets the oracle judges the form only. */
		if (m.ok && !done && p.why != NULL &&
		    strcmp(p.why, "bad host in the request target") == 0)
			continue;
		if (done != m.ok)
			print_error("%.*s\nparser: %s\n", (int)n, text, done ? "good" : p.why);
		assert_int_equal(done, m.ok);
		if (!done)
			continue;
		accepted++;
		assert_int_equal(used, m.used);
		assert_int_equal(h.nfields, m.nfields);
		assert_int_equal(h.framing, m.framing);
		assert_int_equal(h.content_length, m.length);
		assert_int_equal(h.keep_alive, m.keep_alive);
	}
	/* The mutations are neither too tame nor too wild. */
	assert_in_range(accepted, ROUNDS / 10, ROUNDS * 9 / 10);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_agree),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
