/* SPDX-License-Identifier: ISC */
#include "unit.h"

#include "proxy/proxy_header.h"
#include "proxy/proxy_model.h"
#include "proxy/proxy_upstream.h"

#define S(s) ((char[]){s})

static char *names_a[] = {S("alias"), S("org/a b"), NULL}, *names_b[] = {S("x%y"), S("z%"), NULL};
static struct conf_model a = {.id = S("org/a"), .aliases = names_a}, b = {.id = S("org"), .aliases = names_b},
    c = {.id = S("org/a/deep")};
static struct conf_model *list[] = {&a, &b, &c};
static const struct conf conf = {.models = list, .nmodels = 3};

static struct http_str
str(const char *s)
{
	return (struct http_str){s, strlen(s)};
}

static void
test_split(void **state)
{
	static const struct {
		const char *path;
		enum proxy_upstream what;
		const char *id, *name, *rest;
	} cases[] = {
		{"/upstream/org/a/v1/chat/completions", UPSTREAM_PATH, "org/a", "org/a", "/v1/chat/completions"},
		{"/upstream/org/a/", UPSTREAM_PATH, "org/a", "org/a", "/"},
		{"/upstream/org/a", UPSTREAM_BARE, "org/a", "org/a", ""},
		{"/upstream/org/a/deep", UPSTREAM_BARE, "org/a/deep", "org/a/deep", ""},
		{"/upstream/org/a/deep/x", UPSTREAM_PATH, "org/a/deep", "org/a/deep", "/x"},
		{"/upstream/org/a/deeper", UPSTREAM_PATH, "org/a", "org/a", "/deeper"},
		{"/upstream/org/ab", UPSTREAM_PATH, "org", "org", "/ab"},
		{"/upstream/org/", UPSTREAM_PATH, "org", "org", "/"},
		{"/upstream/org", UPSTREAM_BARE, "org", "org", ""},
		{"/upstream/alias/x", UPSTREAM_PATH, "org/a", "alias", "/x"},
		{"/upstream/org/a%20b/x", UPSTREAM_PATH, "org/a", "org/a b", "/x"},
		{"/upstream/%6frg/%61/%78", UPSTREAM_PATH, "org/a", "org/a", "/%78"},
		{"/upstream/org/a%2Fdeep", UPSTREAM_PATH, "org", "org", "/a%2Fdeep"},
		{"/upstream/org%2fa/x", UPSTREAM_UNKNOWN, NULL, NULL, NULL},
		{"/upstream/x%25y/z", UPSTREAM_PATH, "org", "x%y", "/z"},
		{"/upstream/x%y/z", UPSTREAM_UNKNOWN, NULL, NULL, NULL},
		{"/upstream/z%25", UPSTREAM_BARE, "org", "z%", ""}, {"/upstream/z%", UPSTREAM_UNKNOWN, NULL, NULL, NULL},
		{"/upstream/org%", UPSTREAM_UNKNOWN, NULL, NULL, NULL},
		{"/upstream/org%00/x", UPSTREAM_UNKNOWN, NULL, NULL, NULL},
		{"/upstream/or", UPSTREAM_UNKNOWN, NULL, NULL, NULL},
		{"/upstream/Org/x", UPSTREAM_UNKNOWN, NULL, NULL, NULL},
		{"/upstream/orgs/x", UPSTREAM_UNKNOWN, NULL, NULL, NULL},
		{"/upstream/", UPSTREAM_UNKNOWN, NULL, NULL, NULL},
		{"/upstream", UPSTREAM_NONE, NULL, NULL, NULL},
		{"/Upstream/org/x", UPSTREAM_NONE, NULL, NULL, NULL},
		{"/%75pstream/org/x", UPSTREAM_NONE, NULL, NULL, NULL},
		{"/x/upstream/org/x", UPSTREAM_NONE, NULL, NULL, NULL},
		{"/", UPSTREAM_NONE, NULL, NULL, NULL},
	};
	struct conf none = {.nmodels = 0};
	struct proxy_upstream_at at;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(proxy_upstream_split(&conf, str(cases[i].path), &at), cases[i].what);
		if (cases[i].id == NULL) {
			assert_null(at.model);
			continue;
		}
		assert_streq(at.model->id, cases[i].id);
		assert_streq(at.name, cases[i].name);
		assert_int_equal(at.rest.n, strlen(cases[i].rest));
		assert_memory_equal(at.rest.p, cases[i].rest, at.rest.n);
	}
	assert_int_equal(proxy_upstream_split(&none, str("/upstream/org/x"), &at), UPSTREAM_UNKNOWN);
}

static void
test_assets(void **state)
{
	static const char *const yes[] = {"/a.js", "/a/b.min.css", "/X.PNG", "/.ico", "/fonts/a.b.woff2", "/a.map", "/m.webmanifest"};
	static const char *const no[] = {"/", "/a.html", "/js", "/a.js/", "/a.js/x", "/a.jsx", "/a.", "/v1/models", "", "/slots.json"};

	(void)state;
	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
		assert_true(proxy_is_asset(str("GET"), str(yes[i])));
		assert_true(proxy_is_asset(str("HEAD"), str(yes[i])));
		assert_false(proxy_is_asset(str("POST"), str(yes[i])));
	}
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		assert_false(proxy_is_asset(str("GET"), str(no[i])));
}

/* What a request with these fields asks to go on with. */
static struct http_head
head(const struct http_field *fields, size_t n)
{
	struct http_head h = {.method = str("GET"), .minor = 1, .upgrade = true, .nfields = n};

	memcpy(h.fields, fields, n * sizeof(*fields));
	return h;
}

#define FIELD(n, v) {{n, sizeof(n) - 1}, {v, sizeof(v) - 1}}

static void
test_upgrade(void **state)
{
	static const struct {
		const char *value;
		bool forwarded;
	} cases[] = {
		{"websocket", true}, {"WebSocket", true}, {"foo/2, bar", true}, {"h2cc", true}, {"xhttp", true},
		{"h2c", false}, {"H2C", false}, {"h2", false}, {"HTTP/2.0", false}, {"TLS/1.0", false},
		{"websocket, h2c", false}, {"websocket,TLS/1.0 , x", false}, {"h2c,websocket", false}, {" , h2c", false}, {"", false},
	};
	struct http_field two[] = {FIELD("Upgrade", "websocket"), FIELD("X", "y"), FIELD("upgrade", "h2c")};
	struct http_head h;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct http_field f[] = {FIELD("X", "y"), {str("Upgrade"), str(cases[i].value)}};
		struct http_str got;

		h = head(f, 2);
		got = proxy_header_upgrade(&h);
		assert_int_equal(got.n, cases[i].forwarded ? strlen(cases[i].value) : 0);
		h.upgrade = false;	/* Connection does not say so */
		assert_int_equal(proxy_header_upgrade(&h).n, 0);
	}
	h = head(two, 3);
	assert_int_equal(proxy_header_upgrade(&h).n, 0);
	h = head(two, 2);
	assert_int_equal(proxy_header_upgrade(&h).n, 9);
}

static void
test_upgrade_head(void **state)
{
	static const struct http_field fields[] = {
		FIELD("Host", "evil"), FIELD("Connection", "Upgrade, X-Hop"), FIELD("Upgrade", "websocket"), FIELD("X-Hop", "1"),
		FIELD("Sec-WebSocket-Key", "k"), FIELD("Sec-WebSocket-Protocol", "p"), FIELD("Sec-Fetch-Mode", "websocket"),
		FIELD("Origin", "http://x"), FIELD("Cookie", "c"), FIELD("Authorization", "Bearer s"), FIELD("X-Keep", "yes"),
	};
	struct http_head h = head(fields, sizeof(fields) / sizeof(fields[0]));
	const struct http_url url = {str("/ws"), str("q=1")};
	struct http_target t;
	struct strbuf out = STRBUF_INIT;

	(void)state;
	assert_int_equal(http_target_set(&t, "127.0.0.1", 9), 0);
	proxy_header_request(&out, &h, &url, &t, 0, "id", proxy_header_upgrade(&h));
	assert_streq(out.p, "GET /ws?q=1 HTTP/1.1\r\nHost: 127.0.0.1:9\r\nSec-WebSocket-Key: k\r\nSec-WebSocket-Protocol: p\r\n"
	    "X-Keep: yes\r\nX-Request-Id: id\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
	strbuf_clear(&out);
	t.keep_alive = true;
	proxy_header_request(&out, &h, &url, &t, 0, "id", (struct http_str){NULL, 0});
	assert_streq(out.p, "GET /ws?q=1 HTTP/1.1\r\nHost: 127.0.0.1:9\r\nX-Keep: yes\r\nX-Request-Id: id\r\n\r\n");
	strbuf_fini(&out);
}

static bool
switches(const char *asked, const char *got, struct strbuf *out)
{
	struct http_field f[] = {
		FIELD("Connection", "Upgrade, X-Hop"), {str("Upgrade"), str(got)}, FIELD("X-Hop", "1"), FIELD("Sec-WebSocket-Accept", "a"),
		FIELD("Server", "s"), FIELD("Service-Worker-Allowed", "/"), FIELD("Access-Control-Allow-Origin", "*"),
	};
	struct http_head h = head(f, sizeof(f) / sizeof(f[0]));
	const struct proxy_header_info info = {.model = "m", .request_id = "r"};

	h.is_response = true;
	h.status = 101;
	strbuf_clear(out);
	return proxy_header_switch(out, &h, &info, str(asked));
}

static void
test_switch(void **state)
{
	struct strbuf out = STRBUF_INIT;

	(void)state;
	assert_true(switches("WebSocket", "websocket", &out));
	assert_streq(out.p, "Sec-WebSocket-Accept: a\r\nX-Mai-Model: m\r\nX-Request-Id: r\r\nConnection: Upgrade\r\n"
	    "Upgrade: websocket\r\n");
	assert_true(switches("foo, bar/2", "bar/2", &out));
	assert_false(switches("websocket", "h2c", &out));
	assert_false(switches("websocket", "", &out));
	assert_false(switches("websocket, foo", "websocket, foo", &out));
	strbuf_fini(&out);
}

static const char *
boundary(const char *type, char *buf, size_t size)
{
	const char *p;
	size_t n;

	if (!proxy_form_boundary(type, strlen(type), &p, &n))
		return NULL;
	snprintf(buf, size, "%.*s", (int)n, p);
	return buf;
}

static void
test_boundary(void **state)
{
	static const struct {
		const char *type, *boundary;
	} cases[] = {
		{"multipart/form-data; boundary=XX", "XX"}, {"multipart/form-data;boundary=\"X;X\"", "X;X"},
		{"multipart/form-data; charset=utf-8; BOUNDARY = XX ; x=y", "XX"}, {"multipart/form-data; xboundary=Y; boundary=XX", "XX"},
		{"multipart/form-data; a=\"; boundary=Y\"; boundary=XX", "XX"}, {"multipart/form-data;;; boundary=XX", "XX"},
		{"multipart/form-data; boundary=XX; boundary=YY", NULL}, {"multipart/form-data; boundary=", NULL},
		{"multipart/form-data; boundary", NULL}, {"multipart/form-data", NULL}, {"", NULL},
		{"multipart/form-data; boundary=\"a\\\"b\"", NULL}, {"multipart/form-data; boundary=\"open", "open"},
		{"multipart/form-data; boundary=1234567890123456789012345678901234567890123456789012345678901234567890",
		    "1234567890123456789012345678901234567890123456789012345678901234567890"},
		{"multipart/form-data; boundary=12345678901234567890123456789012345678901234567890123456789012345678901", NULL},
	};
	char buf[100];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *got = boundary(cases[i].type, buf, sizeof(buf));

		assert_int_equal(got == NULL, cases[i].boundary == NULL);
		if (got != NULL)
			assert_streq(got, cases[i].boundary);
	}
}

#define PART(head, value) "--XX\r\n" head "\r\n\r\n" value "\r\n"
#define CD "Content-Disposition: form-data; "
#define FILE_PART PART(CD "name=\"file\"; filename=\"a.wav\"\r\nContent-Type: audio/wav", "\0\1--X\r\n--Y name=\"model\"")

static void
test_form(void **state)
{
#define CASE(text, found, value) {text, sizeof(text) - 1, found, value}
	static const struct {
		const char *form;
		size_t n;
		int found;
		const char *value;
	} cases[] = {
		CASE(FILE_PART PART(CD "name=\"model\"", "whisper") "--XX--\r\n", 1, "whisper"),
		CASE(PART(CD "name=model", "w") FILE_PART "--XX--\r\n", 1, "w"),
		CASE(PART("content-disposition:form-data;NAME=\"mo\\del\"", "w") "--XX--", 1, "w"),
		CASE(PART("X: y\r\n" CD "name=\"model\"\r\nContent-Type: text/plain", "w") "--XX--", 1, "w"),
		CASE(PART(CD "name=\"model\"", "") "--XX--", 1, ""),
		CASE("preamble\r\n" PART(CD "name=\"model\"", "w") "--XX--", 1, "w"),
		CASE(PART(CD "name=\"model\"", "a") PART(CD "name=\"model\"", "b") "--XX--", -1, NULL),
		CASE(PART(CD "name=\"model\"; filename=\"m\"", "a") "--XX--", 0, NULL),
		CASE(PART(CD "name=\"model\"; filename*=utf-8''m", "a") PART(CD "name=\"model\"", "b") "--XX--", 1, "b"),
		CASE(PART(CD "name=\"xmodel\"", "a") PART(CD "xname=\"model\"", "a") PART(CD "name=\"models\"", "a") "--XX--", 0, NULL),
		CASE(PART(CD "name=\"x; name=model\"", "a") "--XX--", 0, NULL),
		CASE(PART("X-Content-Disposition: form-data; name=\"model\"", "a") "--XX--", 0, NULL),
		CASE("--XX\r\n" CD "name=\"model\"\r\n\r\nw", 0, NULL),
		CASE("--XX--\r\n", 0, NULL), CASE("", 0, NULL),
	};
	size_t at, len;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(proxy_multipart_model(cases[i].form, cases[i].n, "XX", 2, &at, &len), cases[i].found);
		if (cases[i].found == 1) {
			assert_int_equal(len, strlen(cases[i].value));
			assert_memory_equal(cases[i].form + at, cases[i].value, len);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_split), cmocka_unit_test(test_assets), cmocka_unit_test(test_upgrade),
		cmocka_unit_test(test_upgrade_head), cmocka_unit_test(test_switch), cmocka_unit_test(test_boundary),
		cmocka_unit_test(test_form),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
