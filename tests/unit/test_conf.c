/* SPDX-License-Identifier: ISC
 * Words, kinds, what a command becomes, models by name, models found on disk. */
#include "unit.h"

#include <regex.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/xmalloc.h"
#include "conf/conf_priv.h"

static char tmp[] = "/tmp/mai-conf-XXXXXX";

static void
touch(const char *rel)
{
	char *path = xasprintf("%s/%s", tmp, rel);
	FILE *f;

	for (char *p = path + strlen(tmp) + 1; (p = strchr(p, '/')) != NULL; *p++ = '/') {
		*p = '\0';
		(void)mkdir(path, 0700);
	}
	f = fopen(path, "w");
	assert_non_null(f);
	fputs("12345", f);
	fclose(f);
	free(path);
}

static char *
joined(char *const *words)
{
	struct strbuf b = STRBUF_INIT;

	for (; words != NULL && *words != NULL; words++)
		strbuf_printf(&b, "[%s]", *words);
	return strbuf_take(&b);
}

static void
check_split(const char *cmd, const char *want)
{
	struct err e = {""};
	char **words = conf_split(cmd, &e), *got;

	if (want == NULL) {
		assert_null(words);
		assert_true(e.msg[0] != '\0');
		return;
	}
	assert_non_null(words);
	got = joined(words);
	assert_streq(got, want);
	free(got);
	strv_free(&words);
}

static void
test_split(void **state)
{
	(void)state;
	check_split("a b  c", "[a][b][c]");
	check_split("  a\t\n b\r\n", "[a][b]");
	check_split("'a b' \"c d\" e\\ f", "[a b][c d][e f]");
	check_split("\"\\\"\\\\\\n\" '\\n'", "[\"\\\\n][\\n]");
	check_split("'' \"\" x", "[][][x]");
	check_split("a'b'\"c\"d", "[abcd]");
	check_split("# comment\na \\\n  b\n  # more\n c #d", "[a][b][c][#d]");
	check_split("a \\\n # gone\n b", "[a][b]");
	check_split("a\\\n# gone\nb", "[a][b]");
	/* Blanks behind the backslash are not seen in an editor. */
	check_split("a \\ \t\n # gone\n b\\ \r\nc", "[a][bc]");
	check_split("$HOME *.c | x; y > z", "[$HOME][*.c][|][x;][y][>][z]");
	check_split("a 'b", NULL);
	check_split("a \"b", NULL);
	check_split("a \\", NULL);
	check_split("", NULL);
	check_split("# only\n", NULL);
}

static void
test_uncommented(void **state)
{
	static const char *const cases[][2] = {
		{"# ${a}\nb\n  # it's\nc", "#\nb\n#\nc"},
		{"a #b\n", "a #b\n"},
		{"a \\\n# ${b}\nc", "a \\\n#\nc"},
		{"a 'x\n# y\n' \"\\\"\n# z\n\"\n# ${b}", "a 'x\n# y\n' \"\\\"\n# z\n\"\n#"},
		{"a \\'\n# b\n", "a \\'\n#\n"},
		{"a \\", "a \\"},
		{"", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *got = conf_uncommented(cases[i][0]);

		assert_streq(got, cases[i][1]);
		free(got);
	}
}

static void
test_argv(void **state)
{
	char **words = conf_split("${PORT} a${PORT}b${PID} ${MODEL_ID}${PORT ${X}", NULL);
	char **v = conf_argv(words, 77, 5, "${PORT}"), *got = joined(v);

	(void)state;
	assert_streq(got, "[77][a77b5][${PORT}${PORT][${X}]");
	free(got);
	strv_free(&v);
	v = conf_argv(words, 0, 0, NULL);
	assert_streq(v[1], "a${PORT}b${PID}");
	strv_free(&v);
	strv_free(&words);
}

static void
check_kind(const char *cmd, const char *want)
{
	char **words = conf_split(cmd, NULL);

	assert_streq(conf_kind_guess(NULL, words)->name, want);
	strv_free(&words);
}

static void
test_kinds(void **state)
{
	(void)state;
	check_kind("llama-server -m x", "llama-server");
	check_kind("/opt/llama/bin/llama-server -m x", "llama-server");
	check_kind("env A=1 B=2 llama-server -m x", "llama-server");
	check_kind("env -u X nice -n 5 llama-server", "llama-server");
	check_kind("python3 -m mlx_lm.server --model x", "mlx_lm");
	check_kind("/venv/bin/python3.11 -u -m mlx_lm server", "mlx_lm");
	check_kind("python -X dev -mmlx_lm.server", "mlx_lm");
	check_kind("python /venv/bin/mlx_lm.server", "mlx_lm");
	check_kind("mlx_lm server --model x", "mlx_lm");
	check_kind("mlx_lm.server", "mlx_lm");
	check_kind("uv run --with mlx-lm python -m mlx_lm.server", "mlx_lm");
	check_kind("uvx --from mlx-lm mlx_lm.server", "mlx_lm");
	check_kind("vllm serve x", "vllm");
	check_kind("python3 -m vllm.entrypoints.openai.api_server", "vllm");
	check_kind("docker run --rm vllm/vllm-openai:latest --model x", "vllm");
	check_kind("podman run ghcr.io/ggml-org/llama.cpp:server -m x", "llama-server");
	check_kind("python3 server.py --name llama-server", "custom");
	check_kind("my-server mlx_lm.server", "custom");
	check_kind("python3", "custom");
	check_kind("python3 -m", "custom");
	check_kind("mlx_lm generate", "custom");
	assert_streq(conf_kind_guess("/x/y.GGUF", NULL)->name, "llama-server");
	assert_streq(conf_kind_guess("org/name", NULL)->name, "mlx_lm");
	assert_streq(conf_kind_guess("org/name-GGUF:Q4_K_M", NULL)->name, "llama-server");
	assert_streq(conf_kind_guess(NULL, NULL)->name, "custom");
	assert_streq(conf_kind_find("mlx")->name, "mlx_lm");
	assert_null(conf_kind_find("ollama"));
	assert_null(conf_kind_find(NULL));
}

/* The first of the patterns that fits, or NULL; fails on one that does not compile. */
static const char *
first_match(const char *const *patterns, const char *line)
{
	const char *found = NULL;

	for (; patterns != NULL && *patterns != NULL; patterns++) {
		regex_t re;

		if (regcomp(&re, *patterns, REG_EXTENDED) != 0)
			fail_msg("%s does not compile", *patterns);
		if (found == NULL && regexec(&re, line, 0, NULL, 0) == 0)
			found = *patterns;
		regfree(&re);
	}
	return found;
}

static void
test_patterns(void **state)
{
	const struct conf_kind *mlx = conf_kind_find("mlx_lm"), *llama = conf_kind_find("llama-server");
	const char *line = "2026-01-01 10:00:00,123 - ERROR - mlx_lm.server generation thread died: Repo id must be in the "
			   "form 'repo_name' or 'namespace/repo_name': '/no/such'.";

	(void)state;
	for (size_t i = 0; i < conf_nkinds; i++) {
		const struct conf_kind *k = &conf_kinds[i];
		const char *const *lists[] = {k->progress, k->cause, k->fatal, k->permanent, k->noise};

		for (size_t j = 0; j < ARRAY_LEN(lists); j++)
			assert_null(first_match(lists[j], "all is well"));
	}
	assert_non_null(first_match(mlx->fatal, line));
	assert_non_null(first_match(mlx->permanent, line));
	assert_non_null(first_match(mlx->cause, line));
	assert_non_null(first_match(mlx->fatal, "Exception in thread Thread-1 (_generate):"));
	assert_non_null(first_match(mlx->fatal, "OSError: [Errno 98] Address already in use"));
	assert_non_null(first_match(mlx->cause, "RuntimeError: [metal::malloc] attempting to allocate 68.2 GB"));
	assert_non_null(first_match(mlx->noise, "127.0.0.1 - - [01/Jan/2026 10:00:00] \"GET /v1/models HTTP/1.1\" 200 -"));
	assert_null(first_match(mlx->noise, "127.0.0.1 - - [x] \"POST /v1/chat/completions HTTP/1.1\" 200 -"));
	assert_non_null(first_match(mlx->progress, "Fetching 9 files:  44%|####      | 4/9 [00:10<00:12]"));
	assert_non_null(first_match(llama->cause, "0.00.1 E srv  main: exiting due to model loading error"));
	assert_non_null(first_match(llama->permanent, "error: invalid argument: --x"));
	assert_non_null(first_match(llama->cause, "couldn't bind HTTP server socket, hostname: 127.0.0.1, port: 1"));
	assert_null(first_match(llama->permanent, "exiting due to model loading error"));
}

/* Everything that follows from a command, in one line. */
static void
check_resolve(const char *cmd, const char *proxy, const char *want)
{
	const struct conf_spec spec = {.cmd = cmd, .proxy = proxy, .external = -1};
	struct conf_model *m = conf_model_new();
	struct err e = {""};
	char *got;

	m->id = xstrdup("id");
	assert_null(conf_resolve(m, &spec, &e));
	got = xasprintf("%s %s:%d %s %s %s%s%s", m->kind->name, m->proxy_host, m->port, m->model ? m->model : "-",
	    m->upstream_model ? m->upstream_model : "-", m->check_path, m->canary ? " canary" : "",
	    m->external ? " external" : "");
	assert_streq(got, want);
	free(got);
	conf_model_free(&m);
}

static void
test_resolve(void **state)
{
	(void)state;
	check_resolve("llama-server -m /x.gguf --port ${PORT}", NULL, "llama-server 127.0.0.1:0 /x.gguf - /health");
	check_resolve("llama-server --model=/x.gguf --port=9000", NULL, "llama-server 127.0.0.1:9000 /x.gguf - /health");
	check_resolve("llama-server -m /${MODEL_ID}.gguf --host ::1 --port 9000", NULL,
	    "llama-server ::1:9000 /id.gguf - /health");
	check_resolve("mlx_lm.server --model a/b --port ${PORT}", NULL, "mlx_lm 127.0.0.1:0 a/b a/b /v1/models canary");
	check_resolve("mlx_lm.server --model a/b --adapter-path /l --port ${PORT}", NULL,
	    "mlx_lm 127.0.0.1:0 a/b default_model /v1/models canary");
	check_resolve("mlx_lm.server --port ${PORT}", NULL, "mlx_lm 127.0.0.1:0 - - /v1/models canary");
	check_resolve("vllm serve a/b --port ${PORT}", NULL, "vllm 127.0.0.1:0 a/b a/b /health");
	check_resolve("vllm serve a/b --served-model-name n --port ${PORT}", NULL, "vllm 127.0.0.1:0 a/b n /health");
	check_resolve("run me", "http://localhost:9000", "custom 127.0.0.1:9000 - - /health");
	check_resolve("run me", "http://[::1]:9000/", "custom ::1:9000 - - /health");
	check_resolve("run me", "http://10.0.0.7:9000", "custom 10.0.0.7:9000 - - /health external");
	check_resolve("docker run -p ${PORT}:80 x/llama.cpp:server -m /m/x.gguf", "http://127.0.0.1:${PORT}",
	    "llama-server 127.0.0.1:0 - - /health external");
	check_resolve("ssh gpu llama-server --port 9000", "http://10.0.0.7:9000",
	    "llama-server 10.0.0.7:9000 - - /health external");
}

static char *
effective(const struct conf *c)
{
	char **v = conf_argv(c->models[0]->argv, 5800, 0, c->models[0]->id), *s = joined(v);

	strv_free(&v);
	return s;
}

static void
test_model(void **state)
{
	struct conf_errors errs = {STRBUF_INIT, 0};
	struct conf *c;
	char *got, *want, *path;

	(void)state;
	c = conf_load_model("mlx-community/Tiny-4bit", &errs);
	assert_non_null(c);
	assert_streq(c->default_model, "Tiny-4bit");
	assert_int_equal(c->route, ROUTE_LOADED);
	assert_true(c->default_model_set);
	got = effective(c);
	assert_streq(got, "[python3][-m][mlx_lm.server][--model][mlx-community/Tiny-4bit][--host][127.0.0.1][--port][5800]"
	    "[--max-tokens][32768][--log-level][INFO]");
	free(got);
	conf_unref(&c);

	touch("a model.gguf");
	path = xasprintf("%s/a model.gguf", tmp);
	c = conf_load_model(path, &errs);
	assert_non_null(c);
	assert_streq(c->default_model, "a model.gguf");
	got = effective(c);
	want = xasprintf("[llama-server][-m][%s][--host][127.0.0.1][--port][5800]", path);
	assert_streq(got, want);
	free(got);
	free(want);
	free(path);
	conf_unref(&c);

	c = conf_load_model("org/x-GGUF:Q4", &errs);
	assert_streq(c->models[0]->argv[1], "-hf");
	conf_unref(&c);

	assert_int_equal(errs.n, 0);
	assert_null(conf_load_model("/no/such.gguf", &errs));
	assert_null(conf_load_model("nothing like it", &errs));
	assert_null(conf_load_model("", &errs));
	assert_int_equal(errs.n, 3);
	conf_errors_fini(&errs);
}

static void
test_directories(void **state)
{
	struct conf_errors errs = {STRBUF_INIT, 0};
	struct conf *c;
	char cwd[4096];

	(void)state;
	assert_non_null(getcwd(cwd, sizeof(cwd)));
	touch("dirs/mlx/config.json");
	touch("dirs/mlx/model.safetensors");
	touch("dirs/one/mmproj-x.gguf");
	touch("dirs/one/w-00001-of-00002.gguf");
	touch("dirs/one/w-00002-of-00002.gguf");
	touch("dirs/two/a.gguf");
	touch("dirs/two/b.gguf");
	touch("dirs/none/readme");
	assert_int_equal(chdir(tmp), 0);
	c = conf_load_model("dirs/mlx/", &errs);
	assert_non_null(c);
	assert_streq(c->default_model, "mlx");
	assert_streq(c->models[0]->kind->name, "mlx_lm");
	assert_int_equal(c->models[0]->model[0], '/');
	assert_streq(c->models[0]->upstream_model, c->models[0]->model);
	conf_unref(&c);
	c = conf_load_model("./dirs/one", &errs);
	assert_non_null(c);
	assert_non_null(strstr(c->models[0]->model, "/dirs/one/w-00001-of-00002.gguf"));
	conf_unref(&c);
	assert_null(conf_load_model("dirs/two", &errs));
	assert_null(conf_load_model("dirs/none", &errs));
	assert_non_null(strstr(strbuf_str(&errs.text), "holds 2 models"));
	assert_non_null(strstr(strbuf_str(&errs.text), "holds no model"));
	conf_errors_fini(&errs);
	assert_int_equal(chdir(cwd), 0);
}

static void
test_discover(void **state)
{
	struct conf_found *f;
	char *dir = xasprintf("%s/dirs", tmp), *hub = xasprintf("%s/hub", tmp), *llama = xasprintf("%s/llama", tmp);
	size_t n;

	(void)state;
	touch("dirs/z.gguf");
	touch("hub/models--org--name-4bit/snapshots/abc/config.json");
	touch("hub/models--org--name-4bit/snapshots/abc/model.safetensors");
	touch("hub/models--org--name-4bit/snapshots/def/config.json");
	touch("hub/models--org--name-4bit/snapshots/def/model.safetensors");
	touch("hub/models--org--g-GGUF/snapshots/abc/g.gguf");
	touch("hub/models--org--empty/snapshots/abc/readme");
	touch("hub/datasets--org--d/snapshots/abc/config.json");
	touch("llama/z.gguf");
	touch("llama/y.gguf");
	touch("llama/y.gguf.etag");
	setenv("HF_HUB_CACHE", hub, 1);
	setenv("LLAMA_CACHE", llama, 1);
	f = conf_discover(dir, true, &n);
	assert_int_equal(n, 5);
	assert_streq(f[0].id, "mlx");
	assert_int_equal(f[0].bytes, 10);
	assert_streq(f[1].id, "org/g-GGUF");
	assert_streq(f[1].kind->name, "llama-server");
	assert_non_null(strstr(f[1].path, "/g.gguf"));
	assert_streq(f[2].id, "org/name-4bit");
	assert_streq(f[2].kind->name, "mlx_lm");
	assert_streq(f[3].id, "y.gguf");
	assert_streq(f[4].id, "z.gguf");
	assert_non_null(strstr(f[4].path, "/dirs/"));
	conf_found_free(&f, n);
	assert_null(f);
	f = conf_discover("/no/such/directory", false, &n);
	assert_int_equal(n, 0);
	conf_found_free(&f, n);
	unsetenv("HF_HUB_CACHE");
	unsetenv("LLAMA_CACHE");
	free(dir);
	free(hub);
	free(llama);
}

static int
setup(void **state)
{
	(void)state;
	return mkdtemp(tmp) == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	static const char *const gone[] = {"a model.gguf", "dirs/mlx/config.json", "dirs/mlx/model.safetensors",
	    "dirs/one/mmproj-x.gguf", "dirs/one/w-00001-of-00002.gguf", "dirs/one/w-00002-of-00002.gguf",
	    "dirs/two/a.gguf", "dirs/two/b.gguf", "dirs/none/readme", "dirs/z.gguf",
	    "hub/models--org--name-4bit/snapshots/abc/config.json",
	    "hub/models--org--name-4bit/snapshots/abc/model.safetensors",
	    "hub/models--org--name-4bit/snapshots/def/config.json",
	    "hub/models--org--name-4bit/snapshots/def/model.safetensors",
	    "hub/models--org--g-GGUF/snapshots/abc/g.gguf", "hub/models--org--empty/snapshots/abc/readme",
	    "hub/datasets--org--d/snapshots/abc/config.json", "llama/z.gguf", "llama/y.gguf", "llama/y.gguf.etag"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(gone); i++) {
		char *path = xasprintf("%s/%s", tmp, gone[i]);

		/* The file, then each directory above it that has become empty. */
		while (strlen(path) >= strlen(tmp) && remove(path) == 0)
			*strrchr(path, '/') = '\0';
		free(path);
	}
	return access(tmp, F_OK) == 0 ? -1 : 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_uncommented),
		cmocka_unit_test(test_argv),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_patterns),
		cmocka_unit_test(test_resolve),
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_directories),
		cmocka_unit_test(test_discover),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
