/* SPDX-License-Identifier: ISC */
#include "engine_fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

/* The command that stops it, by a shell. */
static void
stopped_by(const char *script)
{
	strv_add(&t.m.cmd_stop, "/bin/sh");
	strv_add(&t.m.cmd_stop, "-c");
	strv_add(&t.m.cmd_stop, script);
}

static void
start(const char *words)
{
	engine_with(words);
	engine_start(t.e, REASON_USER, true);
	UNTIL_STATE(ENGINE_READY);
}

static uint64_t
stop(void)
{
	uint64_t began = clock_ms();

	engine_stop(t.e, REASON_USER, false, false);
	assert_int_equal(STATE(), ENGINE_STOPPING);
	UNTIL_STATE(ENGINE_STOPPED);
	assert_int_equal(left(), 0);
	return clock_ms() - began;
}

static void
test_works(void **state)
{
	char want[96];

	(void)state;
	stopped_by("echo stops ${PID} at ${PORT} of ${MODEL_ID}; echo in $(readlink /proc/self/fd/0) >&2; kill -9 ${PID}");
	start("ignore-term");
	snprintf(want, sizeof(want), "[cmdStop] stops %ld at %d of m", (long)engine_info(t.e)->pid, engine_info(t.e)->port);
	assert_true(stop() < 3000);
	assert_true(logged(want));
	assert_true(logged("[cmdStop] in /dev/null"));
	assert_streq(engine_info(t.e)->last_exit->text, "SIGKILL");
	assert_true(engine_info(t.e)->last_exit->expected);
	/* and again with the next one */
	engine_start(t.e, REASON_USER, true);
	UNTIL_STATE(ENGINE_READY);
	snprintf(want, sizeof(want), "[cmdStop] stops %ld at", (long)engine_info(t.e)->pid);
	assert_true(stop() < 3000);
	assert_true(logged(want));
}

static void
test_guard_knows_it(void **state)
{
	char text[256] = "";
	int plus = 0, minus = 0;

	(void)state;
	stopped_by("kill -9 ${PID}");
	start("");
	stop();
	assert_true(read(t.guard[0], text, sizeof(text) - 1) > 0);
	for (const char *p = text; *p != '\0'; p++) {
		plus += *p == '+';
		minus += *p == '-';
	}
	assert_int_equal(plus, 2);
	assert_int_equal(minus, 2);
}

/* The engine is gone before its stop command is: that may have more to do. */
static void
test_may_finish(void **state)
{
	(void)state;
	stopped_by("kill -9 ${PID}; sleep 0.4; printf done");
	start("");
	assert_true(stop() >= 400);
	assert_true(logged("[cmdStop] done"));
}

static void
test_fails(void **state)
{
	(void)state;
	stopped_by("echo cannot >&2; exit 3");
	start("");
	assert_true(stop() < 3000);
	assert_true(logged("[cmdStop] cannot"));
	assert_streq(engine_info(t.e)->last_exit->text, "SIGTERM");
}

static void
test_missing(void **state)
{
	(void)state;
	strv_add(&t.m.cmd_stop, "no-such-command-of-mai");
	start("");
	assert_true(stop() < 3000);
	assert_streq(engine_info(t.e)->last_exit->text, "SIGTERM");
}

static void
test_bad_interpreter(void **state)
{
	char path[128];
	FILE *f;

	(void)state;
	snprintf(path, sizeof(path), "%s/script", t.dir);
	f = fopen(path, "we");
	assert_non_null(f);
	fprintf(f, "#!/no/such/interpreter\n");
	fclose(f);
	chmod(path, 0755);
	strv_add(&t.m.cmd_stop, path);
	start("");
	assert_true(stop() < 3000);
	assert_streq(engine_info(t.e)->last_exit->text, "SIGTERM");
	unlink(path);
}

static void
test_hangs(void **state)
{
	uint64_t took;

	(void)state;
	t.m.unload_timeout = 400;
	stopped_by("trap '' TERM; sleep 600 & sleep 600");
	start("");
	took = stop();
	assert_in_range(took, 395, 2000);
	assert_streq(engine_info(t.e)->last_exit->text, "SIGKILL");
	UNTIL(host_engine_pids(getpid(), 0, NULL, NULL, 0) == 0);
}

/* It says that it is done, but the engine lives on. */
static void
test_does_nothing(void **state)
{
	(void)state;
	t.m.unload_timeout = 400;
	stopped_by("true");
	start("");
	assert_in_range(stop(), 395, 2000);
	assert_streq(engine_info(t.e)->last_exit->text, "SIGKILL");
}

static void
test_force_skips_it(void **state)
{
	(void)state;
	stopped_by("echo asked");
	start("");
	engine_restart(t.e, true);
	UNTIL(engine_info(t.e)->generation == 2);
	UNTIL_STATE(ENGINE_READY);
	engine_kill(t.e, REASON_USER);
	UNTIL_STATE(ENGINE_STOPPED);
	assert_false(logged("[cmdStop]"));
}

/* Killing what talks to a container leaves the container. */
static void
test_external_kill(void **state)
{
	(void)state;
	t.m.external = true;
	t.m.backoff = 60000;
	stopped_by("sleep 0.2; echo removed");
	start("");
	engine_kill(t.e, REASON_USER);
	UNTIL_STATE(ENGINE_STOPPED);
	assert_true(logged("[cmdStop] removed"));
	engine_start(t.e, REASON_USER, true);
	UNTIL_STATE(ENGINE_READY);
	assert_int_equal(engine_info(t.e)->generation, 2);
}

static void
test_external_crash(void **state)
{
	(void)state;
	t.m.external = true;
	t.m.backoff = 50;
	stopped_by("sleep 0.4; echo removed");
	start("");
	kill(engine_info(t.e)->pid, SIGKILL);
	UNTIL_STATE(ENGINE_BACKOFF);
	UNTIL(engine_info(t.e)->generation == 2);
	/* not before what may hold its name and port is gone */
	assert_true(logged("[cmdStop] removed"));
	UNTIL_STATE(ENGINE_READY);
}

static void
test_second_kill(void **state)
{
	uint64_t began;

	(void)state;
	t.m.external = true;
	stopped_by("sleep 600");
	start("");
	engine_kill(t.e, REASON_USER);
	run_for(100);
	assert_int_equal(STATE(), ENGINE_STOPPING);
	began = clock_ms();
	engine_kill(t.e, REASON_USER);
	UNTIL_STATE(ENGINE_STOPPED);
	assert_true(clock_ms() - began < 1500);
	/* the end of the core cannot wait */
	engine_start(t.e, REASON_USER, true);
	UNTIL_STATE(ENGINE_READY);
	began = clock_ms();
	engine_kill(t.e, REASON_SHUTDOWN);
	UNTIL_STATE(ENGINE_STOPPED);
	assert_in_range(clock_ms() - began, 700, 2500);
}

static void
test_kill_all(void **state)
{
	(void)state;
	stopped_by("sleep 600");
	start("ignore-term");
	engine_stop(t.e, REASON_USER, false, false);
	UNTIL(left() >= 2);
	engine_env_kill_all(t.env);
	UNTIL_STATE(ENGINE_STOPPED);
	assert_int_equal(left(), 0);
}

/* Freed while a command clears up behind a crash. */
static void
test_free_ends_it(void **state)
{
	(void)state;
	t.m.external = true;
	t.m.max_attempts = 0;
	stopped_by("sleep 600");
	start("");
	kill(engine_info(t.e)->pid, SIGKILL);
	UNTIL_STATE(ENGINE_FAILED);
	engine_free(&t.e);
	UNTIL(host_engine_pids(getpid(), 0, NULL, NULL, 0) == 0);
}

/* Whatever is asked in whatever order, and whatever the command does. */
static void
test_storm(void **state)
{
	uint32_t rnd = 815;

	(void)state;
	t.m.unload_timeout = 60;
	stopped_by("case $((${PID} % 4)) in 0) kill -9 ${PID};; 1) exit 1;; 2) sleep 600;; *) echo hm;; esac");
	engine_with("fork-setsid");
	for (int i = 0; i < 300; i++) {
		rnd = rnd * 1664525u + 1013904223u;
		t.m.external = (rnd >> 13 & 1) != 0;
		switch (rnd >> 16 & 7) {
		case 0: case 1: case 2: engine_start(t.e, REASON_USER, true); break;
		case 3: engine_stop(t.e, REASON_USER, rnd & 1, false); break;
		case 4: engine_restart(t.e, rnd & 1); break;
		case 5: engine_kill(t.e, rnd & 1 ? REASON_USER : REASON_SHUTDOWN); break;
		case 6:
			if (engine_info(t.e)->pid > 0)
				kill(engine_info(t.e)->pid, SIGKILL);
			break;
		default: engine_preflight(t.e, REASON_REQUEST);
		}
		loop_once(t.loop, (int)(rnd >> 20 & 31));
		t.trail[0] = '\0';
	}
	engine_stop(t.e, REASON_USER, true, false);
	UNTIL_STATE(ENGINE_STOPPED);
	UNTIL(host_engine_pids(getpid(), 0, NULL, NULL, 0) == 0);
}

/* Looking before leaping --------------------------------------------------------------------------------------------- */

static void
on_other_change(void *arg, struct engine *e, enum engine_state from, enum engine_state to)
{
	(void)arg;
	(void)e;
	(void)from;
	(void)to;
}

static void
expect_unfit(enum engine_reason reason, const char *cause)
{
	assert_false(engine_preflight(t.e, REASON_REQUEST));
	assert_int_equal(STATE(), ENGINE_FAILED);
	assert_int_equal(engine_info(t.e)->reason, reason);
	assert_int_equal(engine_info(t.e)->last_exit->reason, reason);
	assert_int_equal(engine_info(t.e)->last_exit->status, -1);
	if (strstr(engine_info(t.e)->last_exit->cause, cause) == NULL)
		fail_msg("%s", engine_info(t.e)->last_exit->cause);
	assert_int_equal(engine_info(t.e)->starts, 0);
	assert_int_equal(engine_info(t.e)->nexits, 1);
}

static void
test_preflight_good(void **state)
{
	(void)state;
	engine_with("");
	assert_true(engine_preflight(t.e, REASON_REQUEST));
	assert_int_equal(STATE(), ENGINE_STOPPED);
	assert_streq(t.trail, "");
	engine_start(t.e, REASON_USER, true);
	UNTIL_STATE(ENGINE_READY);
	/* its own port is no obstacle, and nothing is looked at */
	t.m.port = engine_info(t.e)->port;
	assert_true(engine_preflight(t.e, REASON_REQUEST));
	assert_int_equal(STATE(), ENGINE_READY);
}

static void
test_preflight_command(void **state)
{
	char path[128], want[200];
	FILE *f;

	(void)state;
	strv_add(&t.m.argv, "no-such-command-of-mai");
	t.e = engine_new(t.env, &t.conf, &t.m, &ops, NULL);
	expect_unfit(REASON_EXEC_FAILED, "no-such-command-of-mai: command not found");
	assert_streq(t.trail, "failed ");
	assert_int_equal(engine_info(t.e)->crashes, 1);
	/* the card is renewed, not doubled */
	snprintf(path, sizeof(path), "%s/script", t.dir);
	strv_free(&t.m.argv);
	strv_add(&t.m.argv, path);
	expect_unfit(REASON_EXEC_FAILED, "No such file");
	f = fopen(path, "we");
	assert_non_null(f);
	fprintf(f, "#! /no/such/interpreter -x\n");
	fclose(f);
	expect_unfit(REASON_EXEC_FAILED, "Permission denied");
	chmod(path, 0755);
	snprintf(want, sizeof(want), "%s: its interpreter /no/such/interpreter: No such file", path);
	expect_unfit(REASON_EXEC_FAILED, want);
	assert_int_equal(engine_info(t.e)->crashes, 1);
	unlink(path);
	/* nothing in the way any more: it may be started by a person, and stays failed until then */
	strv_free(&t.m.argv);
	strv_add(&t.m.argv, "/proc/self/exe");
	strv_add(&t.m.argv, "child");
	strv_add(&t.m.argv, "port=${PORT}");
	assert_true(engine_preflight(t.e, REASON_REQUEST));
	assert_int_equal(STATE(), ENGINE_FAILED);
	engine_start(t.e, REASON_USER, true);
	UNTIL_STATE(ENGINE_READY);
}

static void
test_preflight_model(void **state)
{
	char gone[] = "/nonexistent/model.gguf";

	(void)state;
	t.m.model = gone;
	engine_with("");
	expect_unfit(REASON_MODEL_MISSING, gone);
	/* a start says the same by itself */
	engine_start(t.e, REASON_USER, true);
	UNTIL_STATE(ENGINE_FAILED);
	assert_int_equal(engine_info(t.e)->nexits, 2);
}

static void
test_preflight_port(void **state)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons((uint16_t)t.conf.start_port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	char want[64];

	(void)state;
	inet_pton(AF_INET, "127.0.0.1", &sin.sin_addr);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	assert_int_equal(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(listen(fd, 5), 0);
	t.m.port = t.conf.start_port;
	engine_with("");
	snprintf(want, sizeof(want), "port %d is held by pid %ld", t.m.port, (long)getpid());
	expect_unfit(REASON_PORT_BUSY, want);
	t.m.port_preferred = true;
	assert_true(engine_preflight(t.e, REASON_REQUEST));
	close(fd);
}

/* The other engine of this core that has the port will be stopped for this one. */
static void
test_preflight_port_of_ours(void **state)
{
	static const struct engine_ops other_ops = {.changed = on_other_change};
	struct conf_model m2 = t.m;
	struct engine *other;
	char id[] = "n";

	(void)state;
	t.m.port = m2.port = t.conf.start_port;
	m2.id = id;
	engine_with("");
	m2.argv = t.m.argv;
	other = engine_new(t.env, &t.conf, &m2, &other_ops, NULL);
	engine_start(other, REASON_USER, true);
	UNTIL(engine_info(other)->state == ENGINE_READY);
	assert_true(engine_preflight(t.e, REASON_REQUEST));
	assert_int_equal(STATE(), ENGINE_STOPPED);
	engine_stop(other, REASON_USER, true, false);
	UNTIL(engine_info(other)->state == ENGINE_STOPPED);
	engine_free(&other);
}

/* What it needs ------------------------------------------------------------------------------------------------------ */

static void
file_of(const char *dir, const char *name, off_t size)
{
	char *path = xasprintf("%s/%s", dir, name);
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_int_equal(ftruncate(fileno(f), size), 0);
	fclose(f);
	free(path);
}

static void
expect_need(const char *dir, const char *name, uint64_t want)
{
	char *path = xasprintf("%s%s%s", dir, name[0] == '\0' ? "" : "/", name);

	t.m.model = path;
	assert_int_equal(engine_memory_need(t.env, &t.m), want);
	t.m.model = NULL;
	free(path);
}

static void
test_need(void **state)
{
	static const char *const names[] = {"one.gguf", "big-00001-of-00002.gguf", "big-00002-of-00002.gguf",
		"a-00001-of-00002.safetensors", "a-00002-of-00002.safetensors", "config.json", "pytorch_model.bin"};
	char *dir = xasprintf("%s/model", t.dir), *path;

	(void)state;
	assert_int_equal(mkdir(dir, 0700), 0);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		file_of(dir, names[i], 1000 << i);
	expect_need(dir, "one.gguf", 1000);
	expect_need(dir, "big-00001-of-00002.gguf", 6000);
	/* of several formats the largest one */
	expect_need(dir, "", 64000);
	expect_need(dir, "missing.gguf", 0);
	expect_need("org", "model", 0);
	/* the same within half a minute, whatever happens */
	file_of(dir, "one.gguf", 77);
	expect_need(dir, "one.gguf", 1000);
	/* by the command; python -m is no model */
	path = xasprintf("%s/big-00002-of-00002.gguf", dir);
	strv_add(&t.m.argv, "python3");
	strv_add(&t.m.argv, "-m");
	strv_add(&t.m.argv, "mlx_lm.server");
	strv_add(&t.m.argv, "--model");
	strv_add(&t.m.argv, path);
	assert_int_equal(engine_memory_need(t.env, &t.m), 6000);
	t.m.external = true;
	assert_int_equal(engine_memory_need(t.env, &t.m), 0);
	t.m.memory = 5;
	assert_int_equal(engine_memory_need(t.env, &t.m), 5);
	free(path);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		path = xasprintf("%s/%s", dir, names[i]);
		unlink(path);
		free(path);
	}
	rmdir(dir);
	free(dir);
}

static void
test_need_is_learned(void **state)
{
	(void)state;
	assert_int_equal(engine_memory_need(t.env, &t.m), 0);
	start("");
	engine_stop(t.e, REASON_USER, false, false);
	UNTIL_STATE(ENGINE_STOPPED);
	assert_true(engine_memory_need(t.env, &t.m) >= 1 << 20);
	assert_int_equal(engine_memory_need(t.env, &t.m), engine_info(t.e)->last_exit->peak_rss);
	/* also by the next core */
	engine_free(&t.e);
	engine_env_free(&t.env);
	make_env();
	assert_true(engine_memory_need(t.env, &t.m) >= 1 << 20);
}

static void
test_restart_waits_for_memory(void **state)
{
	char path[96], words[128];
	FILE *f;

	(void)state;
	snprintf(path, sizeof(path), "%s/weights", t.dir);
	f = fopen(path, "we");
	assert_non_null(f);
	assert_int_equal(ftruncate(fileno(f), 64 << 20), 0);
	fclose(f);
	snprintf(words, sizeof(words), "map=%s", path);
	start(words);
	engine_restart(t.e, false);
	UNTIL(engine_info(t.e)->generation == 2);
	/* It was looked after until it was settled: otherwise that would take two samples from now on. */
	assert_true(engine_memory_settled(t.env, clock_ms(), 0));
	UNTIL_STATE(ENGINE_READY);
	/* What was to start again and need not is not held up. */
	engine_restart(t.e, false);
	engine_stop(t.e, REASON_USER, false, false);
	UNTIL_STATE(ENGINE_STOPPED);
	assert_int_equal(engine_info(t.e)->generation, 2);
	assert_false(engine_memory_settled(t.env, clock_ms(), 0));
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		T(test_works), T(test_guard_knows_it), T(test_may_finish), T(test_fails), T(test_missing),
		T(test_bad_interpreter), T(test_hangs), T(test_does_nothing), T(test_force_skips_it), T(test_external_kill),
		T(test_external_crash), T(test_second_kill), T(test_kill_all), T(test_free_ends_it), T(test_storm),
		T(test_preflight_good), T(test_preflight_command), T(test_preflight_model), T(test_preflight_port),
		T(test_preflight_port_of_ours), T(test_need), T(test_need_is_learned), T(test_restart_waits_for_memory),
	};

	if (argc > 1 && strcmp(argv[1], "child") == 0)
		return engine_child_main(argc, argv);
#ifndef __linux__
	return 77;
#endif
	RUN(tests);
}
