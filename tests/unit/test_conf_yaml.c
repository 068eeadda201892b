/* SPDX-License-Identifier: ISC
 * Good files: what every key becomes, llama-swap's files, the plan, the examples, and the manual's tables. */
#include "unit.h"

#include <dirent.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "conf/conf_yaml.h"

static struct conf *
parse(const char *text)
{
	struct conf_errors errs = {STRBUF_INIT, 0};
	struct conf *c = conf_yaml_parse("/dir/f", text, strlen(text), &errs);

	if (c == NULL)
		fail_msg("%s", strbuf_str(&errs.text));
	conf_errors_fini(&errs);
	return c;
}

static bool
warned(const struct conf *c, const char *text)
{
	for (char **w = c->warnings; w != NULL && *w != NULL; w++)
		if (strstr(*w, text) != NULL)
			return true;
	return false;
}

static void
test_keys(void **state)
{
	struct conf *c = parse(
	    "listen: [127.0.0.1:1, '[::1]:2', 'unix:/run/x', 3, '*:4']\n"
	    "apiKeys: [one, {key: two, scope: infer}, {key: '${env.MAI_TEST_KEY}'}]\n"
	    "allowedHosts: a.example\nallowedOrigins: [https://b.example]\n"
	    "defaultModel: y\nfallbackModel: a\nmodelDirectory: models\nroute: reject\nmaxLoaded: 2\n"
	    "memoryBudget: 2GiB\nminResident: 1.5\nmaxSwapWait: 250ms\nonSwapFailure: stay\nqueueMax: 7\n"
	    "queueMaxWait: 10m\nheartbeatAfter: 0\nheartbeatEvery: 1\nmaxBody: 1MiB\nbodyMemory: 2MiB\nmaxHead: 4096\n"
	    "headTimeout: 30m\nidleTimeout: 1\nmaxConnections: 9\nhangup: detach\nstartPort: 6000\nglobalTTL: 60\n"
	    "logToStdout: both\nincludeAliasesInList: true\nhooks: {on_startup: {preload: [y, a, b]}}\n"
	    "logLevel: debug\nbackoff: 3\nmaxAttempts: 5\nunloadTimeout: 0\nconnectTimeout: 9\n"
	    "dashboard: {theme: light, mouse: yes, logColors: true, bell: off}\n"
	    "models:\n  a: {model: org/a, ttl: -1, backoff: 4}\n"
	    "  b: {model: org/b, ttl: 0, aliases: [x, y], pin: true, memory: 3g, onAbort: drain, unlisted: true,\n"
	    "      concurrencyLimit: 2, name: N, description: D, extraPaths: [/slots], timeouts: {connect: 2, keepalive: 1, responseHeader: 1m},\n"
	    "      useModelName: up, checkEndpoint: none, external: true, env: {A: 1, B: '${PORT}', C: },\n"
	    "      metadata: {n: 1.5, s: '1', t: true, z: null, l: [x, '${MODEL_ID}']}}\n");
	const struct conf_model *a = c->models[0], *b = c->models[1];

	(void)state;
	assert_int_equal(c->nlisten, 5);
	assert_streq(c->listen[1].host, "::1");
	assert_streq(c->listen[2].path, "/run/x");
	assert_int_equal(c->listen[3].port, 3);
	assert_streq(c->listen[4].host, "0.0.0.0");
	assert_int_equal(c->nkeys, 3);
	assert_int_equal(c->keys[1].scope, SCOPE_INFER);
	assert_streq(c->keys[2].key, "sesame");
	assert_streq(c->secret_env[0], "MAI_KEY");
	assert_streq(c->secret_env[1], "MAI_TEST_KEY");
	assert_streq(c->allowed_hosts[0], "a.example");
	assert_streq(c->default_model, "b");
	assert_true(c->default_model_set);
	assert_streq(c->fallback_model, "a");
	assert_streq(c->model_directory, "/dir/models");
	assert_int_equal(c->route, ROUTE_REJECT);
	assert_int_equal(c->max_loaded, 2);
	assert_int_equal(c->memory_budget, 2147483648u);
	assert_int_equal(c->min_resident, 1500);
	assert_int_equal(c->max_swap_wait, 250);
	assert_false(c->rollback);
	assert_int_equal(c->queue_max_wait, 600000);
	assert_int_equal(c->head_timeout, 1800000);
	assert_true(c->hangup_detach);
	assert_int_equal(c->log_level, LOG_DEBUG_);
	assert_int_equal(c->log_out, LOG_OUT_BOTH);
	assert_true(c->list_aliases);
	assert_int_equal(strv_len(c->preload), 2);
	assert_streq(c->preload[0], "b");
	assert_streq(c->preload[1], "a");
	assert_int_equal(c->max_from, MAX_FROM_FILE);
	assert_streq(c->theme, "light");
	assert_true(c->mouse && c->log_colors && !c->bell);
	assert_int_equal(a->ttl, 60000);
	assert_int_equal(a->backoff, 4000);
	assert_int_equal(a->max_attempts, 5);
	assert_int_equal(a->unload_timeout, 10000);
	assert_int_equal(a->connect_timeout, 9000);
	assert_int_equal(a->line, 37);
	assert_int_equal(a->col, 3);
	assert_int_equal(b->ttl, 0);
	assert_int_equal(b->backoff, 3000);
	assert_int_equal(b->connect_timeout, 2000);
	assert_int_equal(b->first_byte_timeout, 60000);
	assert_int_equal(a->first_byte_timeout, 0);
	assert_int_equal(b->memory, 3221225472u);
	assert_true(b->pin && b->abort_drain && b->unlisted && b->external);
	assert_streq(b->upstream_model, "up");
	assert_null(b->check_path);
	assert_streq(b->env[0], "A=1");
	assert_streq(b->env[2], "C=");
	assert_streq(b->metadata, "{\"n\":1.5,\"s\":\"1\",\"t\":true,\"z\":null,\"l\":[\"x\",\"b\"]}");
	assert_true(warned(c, "timeouts.keepalive is ignored"));
	assert_ptr_equal(conf_find(c, "y"), b);
	assert_null(conf_find(c, "no"));
	conf_unref(&c);
}

static void
test_llama_swap(void **state)
{
	struct conf *c = parse(
	    "healthCheckTimeout: 500\nlogTimeFormat: rfc3339\nmetricsMaxInMemory: 10\nincludeAliasesInList: true\n"
	    "macros:\n  server: |\n    /opt/llama-server\n    --host 127.0.0.1 --port ${PORT}\n  ctx: 4096\n"
	    "models:\n  \"qwen\":\n    macros: {ctx: 8192}\n    cmd: |\n      # comment\n      ${server} \\\n"
	    "        --ctx-size ${ctx} -m '/a b/${MODEL_ID}.gguf'\n    cmdStop: docker stop ${PID}\n"
	    "    proxy: http://127.0.0.1:${PORT}\n    filters: {stripParams: temperature}\n    ttl: 300\n"
	    "groups:\n  g: {swap: false, members: [qwen]}\nhooks: {on_startup: {preload: [qwen]}}\n");
	const struct conf_model *m = c->models[0];
	char **v = conf_argv(m->argv, 5801, 0, m->id);

	(void)state;
	assert_int_equal(strv_len(v), 9);
	assert_streq(v[0], "/opt/llama-server");
	assert_streq(v[4], "5801");
	assert_streq(v[6], "8192");
	assert_streq(v[8], "/a b/qwen.gguf");
	strv_free(&v);
	assert_streq(m->kind->name, "llama-server");
	assert_streq(m->model, "/a b/qwen.gguf");
	assert_streq(m->cmd_stop[2], "${PID}");
	assert_int_equal(m->health_check_timeout, 500000);
	assert_true(warned(c, "logTimeFormat is ignored"));
	assert_false(warned(c, "'cmdStop'"));
	assert_streq(m->strip_params[0], "temperature");
	assert_streq(c->preload[0], "qwen");
	assert_int_equal(c->max_loaded, 1);
	assert_int_equal(c->max_from, MAX_FROM_GROUPS);
	assert_false(m->pin);
	conf_unref(&c);
}

/* What the proxy gets, in the order in which it is done. */
static void
test_filters(void **state)
{
	static const char *const set[] = {"a", "1", "b.c", "[\"yes\",true]", "d?", "null"};
	static const char *const by_id[] = {"m", "z", "1", "n", "y", "\"two\""};
	struct conf *c = parse("models: {m: {cmd: x --port 1, aliases: [k], timeouts: {connect: 0}, filters: {\n"
	    "  stripParams: 'p,q', setParams: {d?: ~, b.c: [yes, true], a: 1}, setParamsByID: {m: {z: 1}, n: {y: two}}}}}\n");
	struct conf *copy = conf_dup(c);
	const struct conf_model *m = copy->models[0];

	(void)state;
	conf_unref(&c);
	assert_int_equal(strv_len(m->strip_params), 2);
	assert_streq(m->strip_params[1], "q");
	assert_int_equal(strv_len(m->set_params), 6);
	for (int i = 0; i < 6; i++)
		assert_streq(m->set_params[i], set[i]);
	assert_int_equal(strv_len(m->set_params_by_id), 6);
	for (int i = 0; i < 6; i++)
		assert_streq(m->set_params_by_id[i], by_id[i]);
	assert_ptr_equal(conf_find(copy, "n"), m);
	assert_int_equal(strv_len(m->aliases), 2);
	assert_int_equal(m->connect_timeout, 600000);
	conf_unref(&copy);
}

static void
test_forms(void **state)
{
	struct conf *c = parse(
	    "models:\n  a: &a\n    model: ./x.gguf\n    args: |\n      # ${nothing} of it\n      --ctx-size 10\n    ttl: 5\n"
	    "  b:\n    <<: *a\n    ttl: 6\n"
	    "  c: {model: org/x, engine: vllm, args: [--max-model-len, 'a b']}\n  r: {proxy: 'https://h.example/v1/'}\n"
	    "  m: {model: org/m, args: [--max-tokens, 9], proxy: 'http://127.0.0.1:9009'}\n");

	(void)state;
	assert_streq(c->models[0]->model, "/dir/x.gguf");
	assert_streq(c->models[0]->argv[8], "10");
	assert_true(warned(c, "/dir/x.gguf is not there"));
	assert_int_equal(c->models[1]->ttl, 6000);
	assert_streq(c->models[1]->argv[2], "/dir/x.gguf");
	assert_streq(c->models[2]->argv[0], "vllm");
	assert_streq(c->models[2]->argv[8], "a b");
	assert_streq(c->models[2]->upstream_model, "org/x");
	assert_streq(c->models[3]->proxy_url, "https://h.example/v1");
	assert_null(c->models[3]->argv);
	assert_true(c->models[3]->external);
	assert_int_equal(c->models[4]->port, 9009);
	assert_int_equal(c->models[4]->max_tokens, 9);
	assert_streq(c->default_model, "a");
	assert_false(c->default_model_set);
	conf_unref(&c);
}

static void
test_describe(void **state)
{
	struct conf *c = parse("apiKeys: [topsecret]\nmodels:\n  a:\n    cmd: llama-server --port ${PORT} --api-key hush -m '/x y'\n"
	    "    env: [HF_TOKEN=hush, 'A=b-${MODEL_ID}']\n  r: {proxy: 'http://10.0.0.1:80'}\n");
	struct strbuf b = STRBUF_INIT;
	struct conf *copy = conf_dup(c);

	(void)state;
	conf_unref(&c);
	conf_describe(copy, &b);
	assert_null(strstr(strbuf_str(&b), "hush"));
	assert_null(strstr(strbuf_str(&b), "topsecret"));
	assert_non_null(strstr(strbuf_str(&b), "llama-server --port ${PORT} --api-key **** -m '/x y'"));
	assert_non_null(strstr(strbuf_str(&b), "HF_TOKEN=****"));
	assert_non_null(strstr(strbuf_str(&b), "A=b-a\n"));
	assert_non_null(strstr(strbuf_str(&b), "  r (remote)"));
	assert_non_null(strstr(strbuf_str(&b), "listen      http://127.0.0.1:8081"));
	strbuf_fini(&b);
	conf_unref(&copy);
}

static void
read_all(const char *path, struct strbuf *out)
{
	FILE *f = fopen(path, "r");
	char buf[4096];
	size_t n;

	assert_non_null(f);
	while ((n = fread(buf, 1, sizeof(buf), f)) > 0)
		strbuf_add(out, buf, n);
	fclose(f);
}

static void
test_examples(void **state)
{
	DIR *d = opendir(CONF_EXAMPLES);
	int n = 0;

	(void)state;
	assert_non_null(d);
	for (struct dirent *de; (de = readdir(d)) != NULL;) {
		struct strbuf text = STRBUF_INIT;
		char path[512];
		struct conf *c;

		if (strlen(de->d_name) < 5 || strcmp(de->d_name + strlen(de->d_name) - 5, ".yaml") != 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s", CONF_EXAMPLES, de->d_name);
		read_all(path, &text);
		c = parse(strbuf_str(&text));
		assert_true(c->nmodels > 0);
		conf_unref(&c);
		strbuf_fini(&text);
		n++;
	}
	closedir(d);
	assert_true(n >= 3);
}

/* The manual holds, between its marks, exactly what the table of keys says. UPDATE=1 writes it anew. */
static void
test_manual(void **state)
{
	static const char *const marks[] = {"global", "model", "both", "dashboard", "foreign"};
	struct strbuf man = STRBUF_INIT, out = STRBUF_INIT;
	const char *at;

	(void)state;
	read_all(CONF_MAN, &man);
	at = strbuf_str(&man);
	for (int i = 0; i < 5; i++) {
		char begin[64], end[64];
		const char *from, *to;

		snprintf(begin, sizeof(begin), ".\\\" keys %s\n", marks[i]);
		snprintf(end, sizeof(end), ".\\\" end %s\n", marks[i]);
		from = strstr(strbuf_str(&man), begin);
		assert_non_null(from);
		from += strlen(begin);
		to = strstr(from, end);
		assert_non_null(to);
		assert_true(from >= at);
		strbuf_add(&out, at, (size_t)(from - at));
		if (i == 4)
			conf_keys_foreign_mdoc(&out);
		else
			conf_keys_mdoc(i == 0 ? KEY_GLOBAL : i == 1 ? KEY_MODEL : i == 2 ? KEY_BOTH : KEY_DASHBOARD, &out);
		at = to;
	}
	strbuf_puts(&out, at);
	if (getenv("UPDATE") != NULL) {
		FILE *f = fopen(CONF_MAN, "w");

		assert_non_null(f);
		fputs(strbuf_str(&out), f);
		fclose(f);
	} else {
		assert_streq(strbuf_str(&man), strbuf_str(&out));
	}
	strbuf_fini(&man);
	strbuf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_llama_swap),
		cmocka_unit_test(test_filters),
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_describe),
		cmocka_unit_test(test_examples),
		cmocka_unit_test(test_manual),
	};

	setenv("MAI_TEST_KEY", "sesame", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
