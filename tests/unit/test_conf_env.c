/* SPDX-License-Identifier: ISC
 * MLX_*, --env-file, which source wins, and what is open to others. */
#include "unit.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "conf/conf_priv.h"

static char tmp[] = "/tmp/mai-conf-XXXXXX";
static struct conf_errors errs;

static const char *const names[] = {"MLX_HOST", "MLX_PORT", "MLX_INTERNAL_PORT", "MLX_MODEL", "MLX_DEFAULT_MODEL",
    "MLX_MODEL_DIR", "MLX_MODEL_DIRECTORY", "MLX_MAX_TOKENS", "MLX_LOG_LEVEL", "MLX_PYTHON", "mlx_port", "MAI_CONFIG"};

static int
clean(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		unsetenv(names[i]);
	conf_errors_fini(&errs);
	return 0;
}

static char *
path_of(const char *name)
{
	return xasprintf("%s/%s", tmp, name);
}

static void
write_file(const char *name, const char *text)
{
	char *path = path_of(name);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	chmod(path, 0600);
	free(path);
}

static char *
argv_of(const struct conf *c)
{
	struct strbuf b = STRBUF_INIT;

	for (char **w = c->models[0]->argv; *w != NULL; w++)
		strbuf_printf(&b, "%s%s", w == c->models[0]->argv ? "" : " ", *w);
	return strbuf_take(&b);
}

static void
test_defaults(void **state)
{
	struct conf *c = conf_load_env(NULL, &errs);
	char *argv;

	(void)state;
	assert_non_null(c);
	assert_int_equal(c->source, CONF_ENV);
	assert_int_equal(c->nlisten, 1);
	assert_streq(c->listen[0].host, "127.0.0.1");
	assert_int_equal(c->listen[0].port, 8081);
	assert_streq(c->default_model, "mlx-community/Qwen2.5-7B-Instruct-4bit");
	assert_int_equal(c->models[0]->port, 8082);
	assert_true(c->models[0]->port_preferred);
	assert_true(c->fill_defaults);
	assert_int_equal(c->route, ROUTE_LOADED);
	argv = argv_of(c);
	assert_streq(argv, "python3 -m mlx_lm.server --model mlx-community/Qwen2.5-7B-Instruct-4bit --host 127.0.0.1 "
	    "--port ${PORT} --max-tokens 32768 --log-level INFO");
	free(argv);
	conf_unref(&c);
}

static void
test_variables(void **state)
{
	struct conf *c;
	char *argv;

	(void)state;
	setenv("MLX_HOST", "0.0.0.0", 1);
	setenv("mlx_port", "9001", 1);
	setenv("MLX_INTERNAL_PORT", "9002", 1);
	setenv("MLX_MODEL", "/models/x", 1);
	setenv("MLX_DEFAULT_MODEL", "other/one", 1);
	setenv("MLX_MODEL_DIR", "", 1);
	setenv("MLX_MODEL_DIRECTORY", tmp, 1);
	setenv("MLX_MAX_TOKENS", "512", 1);
	setenv("MLX_LOG_LEVEL", "WARNING", 1);
	setenv("MLX_PYTHON", "/venv/bin/python", 1);
	c = conf_load_env(NULL, &errs);
	assert_non_null(c);
	assert_streq(c->listen[0].host, "0.0.0.0");
	assert_int_equal(c->listen[0].port, 9001);
	assert_true(c->insecure);
	assert_non_null(c->warnings);
	assert_streq(c->models[0]->id, "/models/x");
	assert_streq(c->models[0]->upstream_model, "/models/x");
	assert_int_equal(c->models[0]->port, 9002);
	assert_false(c->models[0]->port_preferred);
	assert_streq(c->model_directory, tmp);
	assert_int_equal(c->log_level, LOG_WARN_);
	argv = argv_of(c);
	assert_streq(argv, "/venv/bin/python -m mlx_lm.server --model /models/x --host 127.0.0.1 --port ${PORT} "
	    "--max-tokens 512 --log-level INFO");
	free(argv);
	conf_unref(&c);
}

static void
test_bad_variables(void **state)
{
	(void)state;
	setenv("MLX_PORT", "80a", 1);
	setenv("MLX_INTERNAL_PORT", "99999", 1);
	setenv("MLX_MAX_TOKENS", "-1", 1);
	setenv("MLX_HOST", "example.org", 1);
	assert_null(conf_load_env(NULL, &errs));
	assert_int_equal(errs.n, 4);
	assert_non_null(strstr(strbuf_str(&errs.text), "MLX_PORT: '80a' is no port\n"));
	conf_errors_fini(&errs);
	clean(NULL);
	setenv("MLX_INTERNAL_PORT", "8081", 1);
	assert_null(conf_load_env(NULL, &errs));
	assert_non_null(strstr(strbuf_str(&errs.text), "are both 8081"));
}

static void
test_env_file(void **state)
{
	char *path = path_of("env");
	struct conf *c;

	(void)state;
	write_file("env", "# comment\n\nexport MLX_MODEL = \"a/b c\" # x\nmlx_max_tokens=7 # seven\nMLX_PORT='9100'\r\n"
	    "OTHER=1\nMLX_PYTHON=py#thon\n");
	setenv("MLX_PORT", "9200", 1);
	c = conf_load_env(path, &errs);
	assert_non_null(c);
	assert_streq(c->models[0]->id, "a/b c");
	assert_int_equal(c->models[0]->max_tokens, 7);
	assert_int_equal(c->listen[0].port, 9200);
	assert_streq(c->python, "py#thon");
	conf_unref(&c);
	write_file("env", "nonsense\nMLX_MODEL=\"x\n");
	assert_null(conf_load_env(path, &errs));
	assert_int_equal(errs.n, 2);
	assert_non_null(strstr(strbuf_str(&errs.text), "env:1:1: not KEY=VALUE\n"));
	assert_non_null(strstr(strbuf_str(&errs.text), "env:2:11: a quote is not closed\n"));
	free(path);
	assert_null(conf_load_env("/no/such/file", &errs));
}

static void
test_with_model(void **state)
{
	struct conf *c, *d;

	(void)state;
	setenv("MLX_MODEL", "a/b", 1);
	setenv("MLX_PYTHON", "py", 1);
	c = conf_load_env(NULL, &errs);
	d = conf_with_model(c, "/x/other", 99, &errs);
	assert_non_null(d);
	assert_int_equal(d->nmodels, 1);
	assert_streq(d->default_model, "/x/other");
	assert_streq(d->models[0]->argv[0], "py");
	assert_streq(d->models[0]->argv[4], "/x/other");
	assert_streq(d->models[0]->argv[10], "99");
	assert_streq(d->models[0]->upstream_model, "/x/other");
	assert_int_equal(d->models[0]->port, 8082);
	assert_true(d->models[0]->port_preferred);
	assert_streq(c->models[0]->id, "a/b");
	conf_unref(&c);
	/* The same model again: only the tokens change; 0 keeps them. */
	c = conf_with_model(d, "/x/other", 0, &errs);
	assert_streq(c->models[0]->argv[10], "99");
	conf_unref(&d);
	d = conf_with_model(c, "/x/y.gguf", 0, &errs);
	assert_streq(d->models[0]->kind->name, "llama-server");
	assert_streq(d->models[0]->argv[2], "/x/y.gguf");
	assert_null(d->models[0]->upstream_model);
	conf_unref(&c);
	assert_null(conf_with_model(d, "", 0, &errs));
	conf_unref(&d);
	c = conf_load_model("org/x", &errs);
	assert_null(conf_with_model(c, "y", 0, &errs));
	assert_non_null(strstr(strbuf_str(&errs.text), "Unknown model y"));
	conf_unref(&c);
}

static void
test_precedence(void **state)
{
	char cwd[4096], *path = path_of("mai.yaml");
	struct conf_request req = {.file = path, .model = "org/m"};
	struct conf *c;
	bool none;

	(void)state;
	write_file("mai.yaml", "models: {f: {model: org/f}}\n");
	setenv("MLX_MODEL", "org/e", 1);
	c = conf_load(&req, &none, &errs);
	assert_streq(c->default_model, "f");
	assert_false(c->default_model_set);
	assert_non_null(c->warnings);
	assert_non_null(strstr(c->warnings[0], "MLX_MODEL"));
	conf_unref(&c);
	req.file = NULL;
	c = conf_load(&req, &none, &errs);
	assert_streq(c->default_model, "m");
	conf_unref(&c);
	req.model = NULL;
	c = conf_load(&req, &none, &errs);
	assert_streq(c->default_model, "org/e");
	conf_unref(&c);
	unsetenv("MLX_MODEL");
	setenv("MAI_CONFIG", path, 1);
	c = conf_load(&req, &none, &errs);
	assert_streq(c->default_model, "f");
	conf_unref(&c);
	setenv("MAI_CONFIG", "/no/such/mai.yaml", 1);
	assert_null(conf_load(&req, &none, &errs));
	assert_false(none);
	unsetenv("MAI_CONFIG");
	assert_non_null(getcwd(cwd, sizeof(cwd)));
	assert_int_equal(chdir(tmp), 0);
	c = conf_load(&req, &none, &errs);
	assert_non_null(c);
	assert_streq(c->path, "mai.yaml");
	conf_unref(&c);
	unlink(path);
	setenv("XDG_CONFIG_HOME", tmp, 1);
	if (access("/etc/mai/mai.yaml", F_OK) != 0) {
		assert_null(conf_load(&req, &none, &errs));
		assert_true(none);
	}
	unsetenv("XDG_CONFIG_HOME");
	assert_int_equal(chdir(cwd), 0);
	free(path);
}

static void
test_exposed(void **state)
{
	struct conf_request req = {.model = "org/m", .listen = "0.0.0.0:9000"};
	struct conf *c;
	bool none;

	(void)state;
	assert_null(conf_load(&req, &none, &errs));
	assert_non_null(strstr(strbuf_str(&errs.text), "--insecure"));
	req.insecure = true;
	c = conf_load(&req, &none, &errs);
	assert_non_null(c);
	assert_true(c->insecure);
	assert_int_equal(c->nlisten, 1);
	assert_non_null(c->warnings);
	conf_unref(&c);
	req = (struct conf_request){.model = "org/m", .listen = "127.0.0.2:0"};
	c = conf_load(&req, &none, &errs);
	assert_non_null(c);
	assert_int_equal(c->listen[0].port, 0);
	assert_null(c->warnings);
	conf_unref(&c);
	req.listen = "nowhere";
	assert_null(conf_load(&req, &none, &errs));
}

static void
test_permissions(void **state)
{
	char *path = path_of("perm.yaml");
	struct conf *c;

	(void)state;
	write_file("perm.yaml", "models: {f: {model: org/f}}\n");
	chmod(path, 0606);
	assert_null(conf_load_file(path, &errs));
	assert_non_null(strstr(strbuf_str(&errs.text), "anyone may write"));
	chmod(path, 0660);
	c = conf_load_file(path, &errs);
	assert_non_null(c);
	assert_non_null(strstr(c->warnings[0], "group may write"));
	conf_unref(&c);
	if (geteuid() == 0) {
		chmod(path, 0600);
		assert_int_equal(chown(path, 1234, 1234), 0);
		assert_null(conf_load_file(path, &errs));
		assert_non_null(strstr(strbuf_str(&errs.text), "another user"));
		assert_int_equal(chown(path, 0, 0), 0);
	}
	write_file("perm.yaml", "");
	assert_null(conf_load_file(path, &errs));
	assert_non_null(strstr(strbuf_str(&errs.text), "is empty"));
	assert_int_equal(truncate(path, 10 * 1024 * 1024), 0);
	assert_null(conf_load_file(path, &errs));
	assert_non_null(strstr(strbuf_str(&errs.text), "larger than 1 MiB"));
	assert_int_equal(truncate(path, 10), 0);
	assert_null(conf_load_file(path, &errs));
	assert_non_null(strstr(strbuf_str(&errs.text), "perm.yaml:1:1: holds a NUL byte"));
	assert_null(conf_load_file(tmp, &errs));
	assert_non_null(strstr(strbuf_str(&errs.text), "not a regular file"));
	unlink(path);
	assert_null(conf_load_file(path, &errs));
	assert_non_null(strstr(strbuf_str(&errs.text), "No such file"));
	free(path);
}

static int
setup(void **state)
{
	(void)state;
	clean(NULL);
	return mkdtemp(tmp) == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	char *path = path_of("env");

	(void)state;
	unlink(path);
	free(path);
	return rmdir(tmp);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_defaults, clean),
		cmocka_unit_test_teardown(test_variables, clean),
		cmocka_unit_test_teardown(test_bad_variables, clean),
		cmocka_unit_test_teardown(test_env_file, clean),
		cmocka_unit_test_teardown(test_with_model, clean),
		cmocka_unit_test_teardown(test_precedence, clean),
		cmocka_unit_test_teardown(test_exposed, clean),
		cmocka_unit_test_teardown(test_permissions, clean),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
