/* SPDX-License-Identifier: ISC */
#include "unit.h"

#include <sys/stat.h>

#include <unistd.h>

#include "app/cmd.h"
#include "base/compat.h"

static int
nothing(const struct cmd_opts *o)
{
	(void)o;
	return 0;
}

static const struct cmd table[] = {
	{"", "[MODEL]", "bare", 0, 1, nothing, CMD_OPT_DAEMON | CMD_OPT_CONF | CMD_OPT_UI, NULL},
	{"status", "", "State", 0, 0, nothing, CMD_OPT_WATCH, NULL},
	{"swap", "MODEL", "Swap", 1, 1, nothing, CMD_OPT_NO_WAIT, "More about it."},
	{"logs", "[MODEL]", "Logs", 0, 1, nothing, CMD_OPT_LOGS, NULL},
	{"stop", "[MODEL]", "Stop", 0, 1, nothing, 0, NULL},
};

static char line_words[512];
static char *words[32];
static struct cmd_opts o;
static const struct cmd *c;
static struct err e;

/* Splits at blanks; 0 or -1 as cmd_parse. */
static int
parse(const char *line)
{
	int n = 0;

	snprintf(line_words, sizeof(line_words), "%s", line);
	for (char *p = line_words; *p != '\0' && n < 31;) {
		words[n++] = p;
		p += strcspn(p, " ");
		if (*p == ' ')
			*p++ = '\0';
	}
	words[n] = NULL;
	c = NULL;
	e.msg[0] = '\0';
	return cmd_parse(n, words, table, (int)ARRAY_LEN(table), &o, &c, &e);
}

static void
test_before_and_after(void **state)
{
	static const char *const lines[] = {
		"mai -H http://h:1 --name a1 --json swap -c f.yaml m --no-wait",
		"mai swap m --no-wait --json --name=a1 -Hhttp://h:1 --config f.yaml",
		"mai swap --config=f.yaml --url http://h:1 --no-wait -- m --name a1 --json",
	};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(parse(lines[i]), 0);
		assert_streq(o.verb, "swap");
		assert_ptr_equal(c, &table[2]);
		assert_int_equal(o.nargs, 1);
		assert_streq(o.args[0], "m");
		assert_streq(o.url, "http://h:1");
		assert_streq(o.name, "a1");
		assert_streq(o.file, "f.yaml");
		assert_true(o.json && o.no_wait);
	}
	/* After "--" everything is a word. */
	assert_int_equal(parse(lines[2]), -1);
	assert_non_null(strstr(e.msg, "does not take '--name'"));
	assert_int_equal(parse("mai swap -- -m"), 0);
	assert_streq(o.args[0], "-m");
}

static void
test_defaults(void **state)
{
	(void)state;
	assert_int_equal(parse("mai"), 0);
	assert_ptr_equal(c, &table[0]);
	assert_null(o.verb);
	assert_streq(o.name, "default");
	assert_int_equal(o.lines, -1);
	assert_int_equal(o.nargs, 0);
	assert_false(o.json || o.daemon || o.force || o.no_color);
	setenv("NO_COLOR", "1", 1);
	assert_int_equal(parse("mai"), 0);
	assert_true(o.no_color);
	setenv("NO_COLOR", "", 1);
	assert_int_equal(parse("mai --color=auto"), 0);
	assert_false(o.no_color);
	unsetenv("NO_COLOR");
	assert_int_equal(parse("mai --color never --ascii --read-only --plain"), 0);
	assert_true(o.no_color && o.ascii && o.read_only && o.plain);
}

static void
test_logs(void **state)
{
	(void)state;
	assert_int_equal(parse("mai logs -fn20 m --source child"), 0);
	assert_true(o.follow);
	assert_int_equal(o.lines, 20);
	assert_streq(o.source, "child");
	assert_int_equal(parse("mai -n 0 logs"), 0);
	assert_int_equal(o.lines, 0);
	assert_int_equal(parse("mai logs --lines=7 --follow"), 0);
	assert_int_equal(o.lines, 7);
	assert_int_equal(parse("mai logs -n 7x"), -1);
	assert_int_equal(parse("mai logs -n -7"), -1);
	assert_int_equal(parse("mai logs --source some"), -1);
	assert_int_equal(parse("mai logs -n"), -1);
}

static void
test_model(void **state)
{
	(void)state;
	assert_int_equal(parse("mai --daemon org/name --listen 127.0.0.1:0 --insecure"), 0);
	assert_null(o.verb);
	assert_streq(o.args[0], "org/name");
	assert_true(o.daemon && o.insecure);
	assert_int_equal(parse("mai a.gguf"), 0);
	assert_int_equal(parse("mai a.gguf b.gguf"), -1);
	assert_non_null(strstr(e.msg, "b.gguf"));
}

static void
refused(const char *line, const char *why)
{
	assert_int_equal(parse(line), -1);
	if (strstr(e.msg, why) == NULL)
		fail_msg("'%s' says '%s', not '%s'", line, e.msg, why);
}

static void
test_mistakes(void **state)
{
	(void)state;
	refused("mai stauts", "did you mean 'status'?");
	refused("mai sawp m", "did you mean 'swap'?");
	refused("mai frobnicate", "is no verb and no model");
	refused("mai status --jsno", "did you mean --json?");
	refused("mai status --nonsense", "unknown option --nonsense");
	refused("mai -x", "unknown option -x");
	refused("mai --name", "needs a value");
	refused("mai --name= status", "--name takes letters");
	refused("mai --name ../x status", "--name takes letters");
	refused("mai --listen= x/y", "needs a value");
	refused("mai --json=1", "takes no value");
	refused("mai --color=always", "--color does not take");
	refused("mai swap", "needs MODEL");
	refused("mai swap a b", "does not take 'b'");
	refused("mai status --force", "'status' does not take --force");
	refused("mai swap m -f", "does not take --follow");
	refused("mai --daemon status", "does not take --daemon");
}

static void
test_help(void **state)
{
	struct strbuf out = STRBUF_INIT;

	(void)state;
	assert_int_equal(parse("mai swap --help"), 0);	/* though MODEL is missing */
	assert_true(o.help);
	cmd_usage(table, (int)ARRAY_LEN(table), c, &out);
	assert_non_null(strstr(strbuf_str(&out), "usage: mai swap MODEL\n"));
	assert_non_null(strstr(strbuf_str(&out), "More about it."));
	assert_non_null(strstr(strbuf_str(&out), "--no-wait"));
	assert_null(strstr(strbuf_str(&out), "--watch"));
	strbuf_clear(&out);
	assert_int_equal(parse("mai -h"), 0);
	cmd_usage(table, (int)ARRAY_LEN(table), c, &out);
	for (size_t i = 1; i < ARRAY_LEN(table); i++)
		assert_non_null(strstr(strbuf_str(&out), table[i].name));
	assert_non_null(strstr(strbuf_str(&out), "exit codes"));
	strbuf_fini(&out);
	assert_int_equal(parse("mai --version"), 0);
	assert_true(o.version);
}

static int
mode_of(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? (int)(st.st_mode & 07777) : -1;
}

static void
test_paths(void **state)
{
	char dir[] = "/tmp/mai-paths-XXXXXX", run[64], st[64], name[65];
	struct cmd_paths p;
	struct client_target t;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(run, sizeof(run), "%s/run", dir);
	snprintf(st, sizeof(st), "%s/a/b", dir);
	setenv("XDG_RUNTIME_DIR", run, 1);
	setenv("XDG_STATE_HOME", st, 1);
	/* Asking where it is makes nothing. */
	assert_int_equal(parse("mai --name x status"), 0);
	assert_int_equal(cmd_target(&o, &t, &e), 0);
	assert_non_null(strstr(t.socket, "/run/mai/x.sock"));
	client_target_fini(&t);
	assert_int_equal(mode_of(run), -1);

	assert_int_equal(cmd_paths_init(&p, "x", &e), 0);
	assert_int_equal(mode_of(p.dir), 0700);
	assert_int_equal(mode_of(p.state_dir), 0700);
	assert_non_null(strstr(p.socket, "/run/mai/x.sock"));
	assert_non_null(strstr(p.pidfile, "/run/mai/x.pid"));
	assert_non_null(strstr(p.log, "/a/b/mai/x.log"));
	/* What others may enter is closed; what is no directory is refused. */
	assert_int_equal(chmod(p.dir, 0755), 0);
	assert_int_equal(cmd_target(&o, &t, &e), 0);
	client_target_fini(&t);
	assert_int_equal(mode_of(p.dir), 0700);
	assert_int_equal(rmdir(p.dir), 0);
	assert_int_equal(symlink("/tmp", p.dir), 0);
	assert_int_equal(cmd_target(&o, &t, &e), -1);
	assert_non_null(strstr(e.msg, "is no directory"));
	client_target_fini(&t);
	assert_int_equal(unlink(p.dir), 0);
	assert_int_equal(rmdir(p.state_dir), 0);
	cmd_paths_fini(&p);

	/* A socket's path has a limit. */
	memset(name, 'n', 64);
	name[64] = '\0';
	setenv("XDG_RUNTIME_DIR", "/tmp/mai-no-such-directory/of/quite/some/length/so/that/it/does/not/fit", 1);
	o.name = name;
	assert_int_equal(cmd_target(&o, &t, &e), -1);
	assert_non_null(strstr(e.msg, "too long for a socket"));
	client_target_fini(&t);
	rmdir(run);
	rmdir(st);
	snprintf(st, sizeof(st), "%s/a", dir);
	rmdir(st);
	assert_int_equal(rmdir(dir), 0);
}

static void
test_remote(void **state)
{
	struct client_target t;

	(void)state;
	setenv("MAI_KEY", "k", 1);
	assert_int_equal(parse("mai status -H https://h"), 0);
	assert_int_equal(cmd_target(&o, &t, &e), 0);
	assert_streq(t.url, "https://h");
	assert_streq(t.key, "k");
	assert_null(t.socket);
	client_target_fini(&t);
	unsetenv("MAI_KEY");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_before_and_after),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_logs),
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_mistakes),
		cmocka_unit_test(test_help),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_remote),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
