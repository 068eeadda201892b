/* SPDX-License-Identifier: ISC */
#include "unit.h"

#include "api/api_auth.h"
#include "api/api_int.h"
#include "http/http_parse.h"

#define S(s) ((char[]){s})

static char *hosts[] = {S("named.example"), S("*.wild.example"), NULL};
static char *origins[] = {S("https://ok.example"), NULL};
static struct conf_key keys[] = {{S("root-key"), SCOPE_ADMIN}, {S("infer-key"), SCOPE_INFER}};
static struct conf open_conf = {.allowed_hosts = hosts, .allowed_origins = origins};
static struct conf key_conf = {.allowed_hosts = hosts, .allowed_origins = origins, .keys = keys, .nkeys = 2};

static struct http_str
str(const char *s)
{
	return (struct http_str){s, strlen(s)};
}

/* The decision on a request made of a first line's method and path and the given fields. */
static struct auth_out
ask(const struct conf *c, const char *method, const char *path, const char *fields, bool inference)
{
	static char buf[2048];
	struct http_head head;
	struct http_parser p;
	struct auth_in in = {.conf = c, .host_name = "thishost", .head = &head, .peer_uid = -1, .own_uid = 1000};
	size_t used;

	snprintf(buf, sizeof(buf), "%s %s HTTP/1.1\r\n%s\r\n", method, path, fields);
	http_parser_init(&p, false, 32768);
	assert_int_equal(http_parse(&p, buf, strlen(buf), &head, &used), HTTP_PARSE_DONE);
	in.need = auth_need(head.method, str(path), inference);
	return auth_check(&in);
}

static int
status(const struct conf *c, const char *method, const char *path, const char *fields, bool inference)
{
	return ask(c, method, path, fields, inference).status;
}

static void
test_hosts(void **state)
{
	static const char *const good[] = {"localhost", "LOCALHOST:1", "127.0.0.1", "[::1]:8081", "192.168.1.20:8081", "box.local",
	    "host.docker.internal", "named.example", "NAMED.example:80", "a.wild.example", "thishost", "localhost."};
	static const char *const bad[] = {"evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "local", "internal",
	    "xnamed.example", "named.example.evil", "1.2.3.4.5", "wild.example", "evilwild.example", "otherhost", ""};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_true(auth_host_allowed(&open_conf, "thishost", str(good[i])));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(auth_host_allowed(&open_conf, "thishost", str(bad[i])));
	assert_int_equal(status(&open_conf, "GET", "/status", "Host: evil.example\r\n", false), 403);
	assert_non_null(strstr(ask(&key_conf, "GET", "/health", "Host: evil.example\r\n", false).message, "allowedHosts"));
}

static void
test_origins(void **state)
{
	static const struct {
		const char *fields;
		int status;
	} table[] = {
		{"", 0}, {"Origin: https://ok.example\r\n", 0}, {"Origin: http://127.0.0.1:8081\r\n", 0},
		{"Origin: https://evil.example\r\n", 403}, {"Origin: null\r\n", 403}, {"Origin: \r\n", 403},
		{"Origin: https://ok.example.evil\r\n", 403}, {"Origin: http://ok.example\r\n", 403},
		{"Origin: http://127.0.0.1:1\r\n", 403}, {"Origin: http://127.0.0.1\r\n", 403},
		{"Sec-Fetch-Site: cross-site\r\n", 403}, {"Sec-Fetch-Site: same-origin\r\n", 0},
		{"Sec-Fetch-Site: none\r\n", 0}, {"Sec-Fetch-Site: same-site\r\n", 0},
		{"Sec-Fetch-Site: cross-site\r\nOrigin: https://ok.example\r\n", 0},
		{"Sec-Fetch-Site: cross-site\r\nOrigin: http://127.0.0.1:8081\r\n", 403},
	};
	char fields[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		snprintf(fields, sizeof(fields), "Host: 127.0.0.1:8081\r\n%s", table[i].fields);
		assert_int_equal(status(&open_conf, "POST", "/stop", fields, false), table[i].status);
		assert_int_equal(status(&open_conf, "POST", "/v1/chat/completions", fields, true), table[i].status);
		/* A key does not excuse it. */
		strncat(fields, "X-Api-Key: root-key\r\n", sizeof(fields) - strlen(fields) - 1);
		assert_int_equal(status(&key_conf, "POST", "/stop", fields, false), table[i].status);
	}
	assert_true(auth_same_origin(str("http://a.local"), str("a.local:80")));
	assert_true(auth_same_origin(str("https://A.local"), str("a.local")));
	assert_false(auth_same_origin(str("ftp://a.local"), str("a.local")));
	/* A preflight carries no key. */
	assert_int_equal(status(&key_conf, "OPTIONS", "/status",
	    "Host: localhost\r\nOrigin: https://ok.example\r\nAccess-Control-Request-Method: POST\r\n", false), 0);
}

static void
test_keys_and_scopes(void **state)
{
	static const struct {
		const char *method, *path;
		bool inference;
		enum auth_need need;
	} paths[] = {
		{"GET", "/health", false, AUTH_OPEN}, {"GET", "/livez", false, AUTH_OPEN},
		{"GET", "/v1/models", false, AUTH_INFER}, {"GET", "/v1/models/a/b", false, AUTH_INFER},
		{"GET", "/models", false, AUTH_INFER}, {"GET", "/models/available", false, AUTH_INFER},
		{"GET", "/ready", false, AUTH_INFER}, {"HEAD", "/status", false, AUTH_INFER},
		{"POST", "/v1/chat/completions", true, AUTH_INFER}, {"POST", "/rerank", true, AUTH_INFER},
		{"GET", "/upstream/m/slots", true, AUTH_ADMIN}, {"POST", "/models/load", false, AUTH_ADMIN},
		{"POST", "/status", false, AUTH_ADMIN}, {"POST", "/load", false, AUTH_ADMIN}, {"GET", "/logs", false, AUTH_ADMIN},
		{"GET", "/metrics", false, AUTH_ADMIN}, {"GET", "/running", false, AUTH_ADMIN}, {"GET", "/", false, AUTH_ADMIN},
		{"GET", "/nope", false, AUTH_ADMIN}, {"GET", "/api/version", false, AUTH_ADMIN},
	};
	static const char *const wrong[] = {"", "Authorization: Bearer wrong\r\n", "Authorization: Bearer \r\n",
	    "Authorization: Basic root-key\r\n", "X-Api-Key: root-ke\r\n", "Authorization: Bearer root-keyy\r\n", "X-Api-Key: \r\n",
	    "Authorization: root-key\r\n", "X-Api-Key: ROOT-KEY\r\n"};
	char fields[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		enum auth_need need = auth_need(str(paths[i].method), str(paths[i].path), paths[i].inference);

		assert_int_equal(need, paths[i].need);
		for (size_t k = 0; k < ARRAY_LEN(wrong); k++) {
			snprintf(fields, sizeof(fields), "Host: localhost\r\n%s", wrong[k]);
			assert_int_equal(status(&key_conf, paths[i].method, paths[i].path, fields, paths[i].inference),
			    need == AUTH_OPEN ? 0 : 401);
		}
		assert_int_equal(status(&key_conf, paths[i].method, paths[i].path, "Host: localhost\r\nX-Api-Key: infer-key\r\n",
		    paths[i].inference), need == AUTH_ADMIN ? 403 : 0);
		assert_int_equal(status(&key_conf, paths[i].method, paths[i].path,
		    "Host: localhost\r\nAuthorization: bearer  root-key\r\n", paths[i].inference), 0);
		assert_int_equal(status(&open_conf, paths[i].method, paths[i].path, "Host: localhost\r\n", paths[i].inference), 0);
	}
	assert_true(ask(&open_conf, "GET", "/status", "Host: localhost\r\n", false).full);
	assert_false(ask(&key_conf, "GET", "/health", "Host: localhost\r\n", false).full);
	assert_true(ask(&key_conf, "GET", "/health", "Host: localhost\r\nX-Api-Key: root-key\r\n", false).full);
	assert_false(ask(&key_conf, "GET", "/status", "Host: localhost\r\nX-Api-Key: infer-key\r\n", false).full);
	assert_false(auth_equal("", 0, "a", 1));
	assert_false(auth_equal("aa", 2, "a", 1));
	assert_true(auth_equal("abc", 3, "abc", 3));
}

static void
test_control_socket(void **state)
{
	struct http_head head = {.method = {"POST", 4}, .host = {"evil", 4}};
	struct auth_in in = {.conf = &key_conf, .control = true, .peer_uid = 1000, .own_uid = 1000, .head = &head,
	    .need = AUTH_ADMIN};

	(void)state;
	assert_int_equal(auth_check(&in).status, 0);
	assert_true(auth_check(&in).full);
	in.peer_uid = 0;
	assert_int_equal(auth_check(&in).status, 0);
	in.peer_uid = 1001;
	assert_int_equal(auth_check(&in).status, 403);
	in.peer_uid = -1;
	assert_int_equal(auth_check(&in).status, 403);
}

static const char *
parse(const char *body, bool need, struct api_args *out)
{
	static struct strbuf err;

	strbuf_clear(&err);
	if (api_args_parse(body, strlen(body), need, out, &err) == 0) {
		strbuf_fini(&err);
		return NULL;
	}
	assert_true(err.len < 4096);
	return strbuf_str(&err);
}

static void
test_bodies(void **state)
{
	static const struct {
		const char *body, *error;
	} bad[] = {
		{"{}", "{\"detail\":[{\"type\":\"missing\",\"loc\":[\"body\",\"model\"],\"msg\":\"Field required\",\"input\":{}}]}"},
		{"", "{\"detail\":[{\"type\":\"missing\",\"loc\":[\"body\"],\"msg\":\"Field required\",\"input\":null}]}"},
		{"{\"max_tokens\":1}", "\"input\":{\"max_tokens\":1}"},
		{"{nope", "{\"detail\":[{\"type\":\"json_invalid\",\"loc\":[\"body\","},
		{"[]", "\"type\":\"model_attributes_type\",\"loc\":[\"body\"]"},
		{"{\"model\":7}", "\"type\":\"string_type\",\"loc\":[\"body\",\"model\"]"},
		{"{\"model\":null}", "\"type\":\"string_type\""},
		{"{\"model\":\"m\",\"max_tokens\":\"x\"}", "\"type\":\"int_parsing\",\"loc\":[\"body\",\"max_tokens\"]"},
		{"{\"model\":\"m\",\"max_tokens\":1.5}", "\"type\":\"int_from_float\""},
		{"{\"model\":\"m\",\"max_tokens\":[]}", "\"type\":\"int_type\""},
		{"{\"model\":\"m\",\"max_tokens\":0}", "\"type\":\"greater_than\""},
		{"{\"model\":\"m\",\"max_tokens\":1e30}", "\"type\":\"int_parsing_size\""},
		{"{\"model\":\"m\",\"force\":1}", "\"type\":\"bool_type\""},
		{"{\"x\":\"\xff\"}", "\"input\":{}}"},
	};
	struct api_args a;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		const char *err = parse(bad[i].body, true, &a);

		assert_non_null(err);
		assert_non_null(strstr(err, bad[i].error));
	}
	assert_null(parse("{\"model\":\"org/x\",\"max_tokens\":\"77\",\"force\":true,\"wait\":false,\"more\":[1]}", true, &a));
	assert_streq(a.model, "org/x");
	assert_int_equal(a.max_tokens, 77);
	assert_true(a.force && !a.wait);
	assert_null(parse(" \r\n", false, &a));
	assert_true(a.model[0] == '\0' && a.wait && !a.force);
	assert_null(parse("{\"model\":null,\"max_tokens\":null}", false, &a));
	assert_streq(a.model, "");
}

static void
test_masks(void **state)
{
	char *argv[] = {S("llama-server"), S("--api-key"), S("s1"), S("--hf-token=s2"), S("--max-tokens"), S("4096"), S("-hft"), S("s3"), S("--port"), S("80"),
	    S("xroot-keyx"), S("--api-key-file"), S("--flag"), S("HF_TOKEN=s6"), S("A=1 MY_SECRET=s7; run x=y"),
	    NULL};
	char *env[] = {S("HF_TOKEN=s4"), S("MY_API_KEY=s5"), S("PLAIN=seen"), S("URL=http://u:infer-key@h"), S("broken"), NULL};
	struct strbuf b = STRBUF_INIT;
	struct jsonw w = JSONW(&b);

	(void)state;
	jw_arr(&w);
	api_put_argv(&w, argv, keys, 2);
	api_put_env(&w, env, keys, 2);
	jw_arr_end(&w);
	assert_streq(strbuf_str(&b), "[[\"llama-server\",\"--api-key\",\"***\",\"--hf-token=***\",\"--max-tokens\",\"4096\","
	    "\"-hft\",\"***\",\"--port\",\"80\",\"x***x\",\"--api-key-file\",\"--flag\",\"HF_TOKEN=***\",\"A=1 MY_SECRET=***; run x=y\"],"
	    "{\"HF_TOKEN\":\"***\",\"MY_API_KEY\":\"***\",\"PLAIN\":\"seen\",\"URL\":\"http://u:***@h\"}]");
	strbuf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_origins),
		cmocka_unit_test(test_keys_and_scopes),
		cmocka_unit_test(test_control_socket),
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_masks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
