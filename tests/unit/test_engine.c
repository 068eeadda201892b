/* SPDX-License-Identifier: ISC */
#include "engine_fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

static void
test_ready_and_stop(void **state)
{
	const struct engine_info *i;
	uint64_t began = clock_ms();
	char guard[64] = "", want[64];
	pid_t pid;

	(void)state;
	engine_with("say=hello");
	assert_null(engine_target(t.e));
	engine_start(t.e, REASON_USER, true);
	assert_int_equal(STATE(), ENGINE_STARTING);
	UNTIL_STATE(ENGINE_READY);
	i = engine_info(t.e);
	assert_true(i->pid > 0 && i->port >= t.conf.start_port && i->generation == 1 && i->wanted);
	assert_true(clock_ms() - began < 3000);
	assert_non_null(engine_target(t.e));
	assert_true(i->usual_ms > 0 && i->usual_ms == i->last_load_ms);
	assert_true(i->rss > 0);
	assert_int_equal(i->nexits, 0);
	assert_false(i->last_exit->valid);
	assert_true(logged("hello"));
	pid = i->pid;
	engine_stop(t.e, REASON_USER, false, false);
	assert_int_equal(STATE(), ENGINE_STOPPING);
	UNTIL_STATE(ENGINE_STOPPED);
	assert_streq(t.trail, "starting ready stopping stopped ");
	i = engine_info(t.e);
	assert_true(i->last_exit->valid && i->last_exit->expected && !i->wanted && i->pid == 0);
	assert_int_equal(i->crashes, 0);
	assert_streq(i->last_exit->text, "SIGTERM");
	assert_true(read(t.guard[0], guard, sizeof(guard) - 1) > 0);
	snprintf(want, sizeof(want), "+%ld\n-%ld\n", (long)pid, (long)pid);
	assert_streq(guard, want);
	began = clock_ms();
	UNTIL(engine_memory_settled(t.env, began, 0));
	assert_true(clock_ms() - began <= 2100);
	assert_true(engine_memory_settled(t.env, clock_ms() - 3000, 0));
}

static void
test_clean_child(void **state)
{
	char secret[] = "KEY_OF_MINE", *names[] = {secret, NULL}, oom[32] = "", text[96];
	FILE *f = fopen("/proc/self/oom_score_adj", "re");

	(void)state;
	assert_non_null(f);
	assert_non_null(fgets(oom, sizeof(oom), f));
	fclose(f);
	snprintf(oom, sizeof(oom), "oom %ld", strtol(oom, NULL, 10) + 300 > 1000 ? 1000 : strtol(oom, NULL, 10) + 300);
	setenv("MAI_KEY", "secret1", 1);
	setenv("KEY_OF_MINE", "secret2", 1);
	setenv("CHANGED", "before", 1);
	t.conf.secret_env = names;
	strv_add(&t.m.env, "CHANGED=after");
	signal(SIGPIPE, SIG_IGN);
	engine_with("inspect");
	engine_start(t.e, REASON_USER, true);
	UNTIL(logged("inspected"));
	assert_true(logged("fds 3"));
	assert_true(logged("leader 1"));
	assert_true(logged("core 0"));
	assert_true(logged("tty 0"));
	assert_true(logged(oom));
	assert_true(logged("SigBlk: 0000000000000000"));
	assert_true(logged("SigIgn: 0000000000000000"));
	assert_false(logged("secret1"));
	assert_false(logged("secret2"));
	assert_true(logged("env PYTHONUNBUFFERED=1"));
	snprintf(text, sizeof(text), "env MAI_ENGINE=%s", marked(1));
	assert_true(logged(text));
	assert_true(logged("env CHANGED=after"));
	assert_false(logged("env CHANGED=before"));
}

static void
test_crash_loop(void **state)
{
	const struct engine_info *i;

	(void)state;
	engine_with("err=loading;err=ValueError: bad weights;exit=1");
	engine_start(t.e, REASON_REQUEST, false);
	UNTIL_STATE(ENGINE_FAILED);
	i = engine_info(t.e);
	assert_streq(t.trail, "starting backoff starting backoff starting backoff starting failed ");
	assert_int_equal(i->starts, 4);
	assert_int_equal(i->crashes, 4);
	assert_int_equal(i->attempt, 3);
	assert_int_equal(i->nexits, 4);
	assert_streq(i->last_exit->text, "exit status 1");
	assert_streq(i->last_exit->cause, "ValueError: bad weights");
	assert_streq(i->last_exit->tail, "loading\nValueError: bad weights");
	assert_false(i->last_exit->expected);
	assert_false(i->wanted);
	engine_start(t.e, REASON_REQUEST, false);
	run_for(100);
	assert_int_equal(STATE(), ENGINE_FAILED);
	engine_start(t.e, REASON_USER, true);
	assert_int_equal(STATE(), ENGINE_STARTING);
	assert_int_equal(engine_info(t.e)->attempt, 0);
	UNTIL_STATE(ENGINE_BACKOFF);
	assert_int_equal(engine_info(t.e)->attempt, 1);
	assert_int_equal(engine_info(t.e)->nexits, 5);
}

static void
test_backoff_delays(void **state)
{
	uint64_t died;

	(void)state;
	t.m.backoff = 200;
	engine_with("exit=0");
	engine_start(t.e, REASON_USER, true);
	UNTIL_STATE(ENGINE_BACKOFF);
	died = engine_info(t.e)->since;
	assert_streq(engine_info(t.e)->last_exit->text, "exited 0 unexpectedly");
	assert_true(engine_info(t.e)->retry_at >= died + 390 && engine_info(t.e)->retry_at <= died + 410);
	UNTIL(STATE() != ENGINE_BACKOFF);
	assert_true(clock_ms() - died >= 390);
	UNTIL_STATE(ENGINE_BACKOFF);
	assert_true(engine_info(t.e)->retry_at >= engine_info(t.e)->since + 790);
	/* a stop in backoff is immediate and spawns nothing */
	engine_stop(t.e, REASON_USER, false, false);
	assert_int_equal(STATE(), ENGINE_STOPPED);
	assert_int_equal(engine_info(t.e)->starts, 2);
	run_for(100);
	assert_int_equal(engine_info(t.e)->starts, 2);
}

static void
test_kill_recovers(void **state)
{
	pid_t first;

	(void)state;
	engine_with("say=up");
	engine_start(t.e, REASON_USER, true);
	UNTIL_STATE(ENGINE_READY);
	first = engine_info(t.e)->pid;
	engine_set_inflight(t.e, 2);
	kill(first, SIGKILL);
	UNTIL_STATE(ENGINE_BACKOFF);
	assert_streq(engine_info(t.e)->last_exit->text, "SIGKILL, not by us (possible OOM)");
	assert_int_equal(engine_info(t.e)->last_exit->requests_lost, 2);
	assert_true(engine_info(t.e)->last_exit->peak_rss > 0);
	engine_set_inflight(t.e, 0);
	UNTIL_STATE(ENGINE_READY);
	assert_int_not_equal(engine_info(t.e)->pid, first);
	assert_int_equal(engine_info(t.e)->attempt, 1);
	assert_int_equal(engine_info(t.e)->generation, 2);
	/* stable: the count starts anew */
	engine_stop(t.e, REASON_USER, true, false);
	UNTIL_STATE(ENGINE_STOPPED);
}

static void
test_stable_resets(void **state)
{
	(void)state;
	t.m.stable_after = 50;
	engine_with("say=up");
	engine_start(t.e, REASON_USER, true);
	UNTIL_STATE(ENGINE_READY);
	kill(engine_info(t.e)->pid, SIGSEGV);
	UNTIL_STATE(ENGINE_BACKOFF);
	assert_int_equal(engine_info(t.e)->attempt, 1);
	UNTIL_STATE(ENGINE_READY);
	UNTIL(engine_info(t.e)->attempt == 0);
	assert_int_equal(STATE(), ENGINE_READY);
}

static void
expect_permanent(enum engine_reason reason, const char *cause)
{
	uint64_t began = clock_ms();

	engine_start(t.e, REASON_USER, true);
	UNTIL_STATE(ENGINE_FAILED);
	assert_true(clock_ms() - began < 2000);
	assert_int_equal(engine_info(t.e)->reason, reason);
	assert_int_equal(engine_info(t.e)->attempt, 0);
	assert_non_null(strstr(engine_info(t.e)->last_exit->cause, cause));
	assert_null(strstr(t.trail, "backoff"));
}

static void
test_exec_errors(void **state)
{
	char path[128];
	FILE *f;

	(void)state;
	strv_add(&t.m.argv, "no-such-command-of-mai");
	t.e = engine_new(t.env, &t.conf, &t.m, &ops, NULL);
	expect_permanent(REASON_EXEC_FAILED, "command not found");
	assert_int_equal(engine_info(t.e)->starts, 0);
	engine_free(&t.e);

	strv_free(&t.m.argv);
	snprintf(path, sizeof(path), "%s/script", t.dir);
	f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f, "#!/no/such/interpreter\n");
	fclose(f);
	strv_add(&t.m.argv, path);
	t.trail[0] = '\0';
	t.e = engine_new(t.env, &t.conf, &t.m, &ops, NULL);
	expect_permanent(REASON_EXEC_FAILED, "Permission denied");
	chmod(path, 0755);
	t.trail[0] = '\0';
	expect_permanent(REASON_EXEC_FAILED, path);
	assert_non_null(strstr(engine_info(t.e)->last_exit->text, "interpreter"));
	unlink(path);
}

/* No descriptors left: told, tried again by schedule, and well as soon as there are some. */
static void
test_spawn_refused(void **state)
{
	struct rlimit before, few;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = before;
	few.rlim_cur = (rlim_t)t.guard[1] + 2;
	engine_with("");
	t.m.backoff = 100;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	engine_start(t.e, REASON_USER, true);
	UNTIL_STATE(ENGINE_BACKOFF);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(engine_info(t.e)->reason, REASON_EXEC_FAILED);
	assert_int_equal(engine_info(t.e)->attempt, 1);
	assert_non_null(strstr(engine_info(t.e)->last_exit->cause, "Too many open files"));
	UNTIL_STATE(ENGINE_READY);
}

static void
test_exit_2(void **state)
{
	(void)state;
	engine_with("err=error: unrecognized arguments;exit=2");
	expect_permanent(REASON_CONFIG, "unrecognized");
}

static void
test_missing_model(void **state)
{
	char gone[] = "/nonexistent/model.gguf";

	(void)state;
	t.m.model = gone;
	engine_with("");
	expect_permanent(REASON_MODEL_MISSING, gone);
	assert_int_equal(engine_info(t.e)->last_exit->status, -1);
}

static int
listen_on(int port)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	inet_pton(AF_INET, "127.0.0.1", &sin.sin_addr);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	assert_int_equal(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(listen(fd, 5), 0);
	return fd;
}

static void
test_fixed_port_busy(void **state)
{
	int fd = listen_on(t.conf.start_port);
	char want[64];

	(void)state;
	t.m.port = t.conf.start_port;
	engine_with("");
	snprintf(want, sizeof(want), "held by pid %ld (test_engine", (long)getpid());
	expect_permanent(REASON_PORT_BUSY, want);
	assert_int_equal(engine_info(t.e)->starts, 0);
	/* preferred only: another one is taken */
	t.m.port_preferred = true;
	engine_start(t.e, REASON_USER, true);
	UNTIL_STATE(ENGINE_READY);
	assert_int_not_equal(engine_info(t.e)->port, t.conf.start_port);
	close(fd);
}

/* A stranger that answers on the port in the engine's place: never ready. */
static void
test_stranger(void **state)
{
	int fd, status;
	pid_t stranger;
	char port[32], *argv[] = {NULL, NULL, port, NULL}, self[] = "x", child[] = "child";

	(void)state;
	t.m.port = t.conf.start_port;
	engine_with("no-serve");
	engine_start(t.e, REASON_USER, true);
	UNTIL(engine_info(t.e)->pid > 0);
	fd = listen_on(t.m.port);	/* free at the time of the spawn */
	close(fd);
	snprintf(port, sizeof(port), "port=%d", t.m.port);
	argv[0] = self;
	argv[1] = child;
	stranger = fork();
	if (stranger == 0) {
		execv("/proc/self/exe", argv);
		_exit(127);
	}
	UNTIL_STATE(ENGINE_FAILED);
	assert_int_equal(engine_info(t.e)->reason, REASON_PORT_BUSY);
	snprintf(port, sizeof(port), "pid %ld", (long)stranger);
	assert_non_null(strstr(engine_info(t.e)->last_exit->cause, port));
	assert_null(strstr(t.trail, "ready"));
	kill(stranger, SIGKILL);
	/* The reaper may have been quicker: it takes every child. */
	waitpid(stranger, &status, 0);
}

static void
test_lost_race(void **state)
{
	(void)state;
	engine_with("err=OSError: [Errno 98] Address already in use;exit=1");
	engine_start(t.e, REASON_USER, true);
	UNTIL(engine_info(t.e)->starts == 4);
	assert_int_equal(engine_info(t.e)->attempt, 0);
	UNTIL(engine_info(t.e)->attempt == 1);
	assert_int_equal(engine_info(t.e)->reason, REASON_PORT_BUSY);
}

static void
test_ignores_term(void **state)
{
	uint64_t began;

	(void)state;
	t.m.unload_timeout = 300;
	engine_with("ignore-term");
	engine_start(t.e, REASON_USER, true);
	UNTIL_STATE(ENGINE_READY);
	began = clock_ms();
	engine_stop(t.e, REASON_USER, false, false);
	assert_in_range(engine_info(t.e)->kill_at, began + 290, began + 350);
	UNTIL_STATE(ENGINE_STOPPED);
	assert_in_range(clock_ms() - began, 290, 5000);
	assert_streq(engine_info(t.e)->last_exit->text, "SIGKILL");
	assert_true(engine_info(t.e)->last_exit->expected);
}

static void
test_nothing_left(const char *words)
{
	uint64_t began;

	engine_with(words);
	engine_start(t.e, REASON_USER, true);
	UNTIL_STATE(ENGINE_READY);
	UNTIL(left() == 2);
	began = clock_ms();
	engine_stop(t.e, REASON_USER, false, false);
	UNTIL_STATE(ENGINE_STOPPED);
	assert_true(clock_ms() - began < 5000);
	assert_int_equal(left(), 0);
}

static void
test_group_stop(void **state)
{
	(void)state;
	test_nothing_left("fork");
}

static void
test_setsid_stop(void **state)
{
	(void)state;
	test_nothing_left("fork-setsid");
}

/* The leader dies; a grandchild in a session of its own keeps the pipe open and lives: death is told by wait, the rest is
 * killed before the next start. */
static void
test_pipe_held(void **state)
{
	(void)state;
	t.m.backoff = 300;
	engine_with("hold");
	engine_start(t.e, REASON_USER, true);
	UNTIL_STATE(ENGINE_READY);
	UNTIL(left() == 2);
	kill(engine_info(t.e)->pid, SIGKILL);
	UNTIL_STATE(ENGINE_BACKOFF);
	UNTIL(left() == 0);
	assert_int_equal(STATE(), ENGINE_BACKOFF);
	UNTIL_STATE(ENGINE_READY);
}

static void
test_drain(void **state)
{
	(void)state;
	engine_with("");
	engine_start(t.e, REASON_USER, true);
	UNTIL_STATE(ENGINE_READY);
	engine_set_inflight(t.e, 1);
	engine_stop(t.e, REASON_SWAP, false, true);
	assert_int_equal(STATE(), ENGINE_DRAINING);
	assert_int_equal(engine_info(t.e)->kill_at, 0);
	assert_non_null(engine_target(t.e));
	engine_start(t.e, REASON_REQUEST, false);
	assert_int_equal(STATE(), ENGINE_READY);
	engine_stop(t.e, REASON_SWAP, false, false);
	assert_true(engine_info(t.e)->kill_at > clock_ms());
	engine_set_inflight(t.e, 0);
	assert_int_equal(STATE(), ENGINE_STOPPING);
	UNTIL_STATE(ENGINE_STOPPED);
	assert_int_equal(engine_info(t.e)->reason, REASON_SWAP);
	/* a drain without limit gets one from a person, and is not skipped; a second unlimited one changes nothing */
	engine_start(t.e, REASON_USER, true);
	UNTIL_STATE(ENGINE_READY);
	engine_set_inflight(t.e, 1);
	engine_stop(t.e, REASON_SWAP, false, true);
	engine_stop(t.e, REASON_SWAP, false, true);
	assert_int_equal(STATE(), ENGINE_DRAINING);
	assert_int_equal(engine_info(t.e)->kill_at, 0);
	engine_stop(t.e, REASON_USER, false, false);
	assert_int_equal(STATE(), ENGINE_DRAINING);
	assert_true(engine_info(t.e)->kill_at > clock_ms());
	engine_stop(t.e, REASON_USER, false, false);
	assert_int_equal(STATE(), ENGINE_STOPPING);
	UNTIL_STATE(ENGINE_STOPPED);
	/* a second stop skips the drain */
	engine_start(t.e, REASON_USER, true);
	UNTIL_STATE(ENGINE_READY);
	engine_set_inflight(t.e, 1);
	engine_stop(t.e, REASON_USER, false, false);
	engine_stop(t.e, REASON_USER, false, false);
	assert_int_equal(STATE(), ENGINE_STOPPING);
	UNTIL_STATE(ENGINE_STOPPED);
}

/* It dies while it drains: that is a crash to whom it was answering, whatever it drained for. */
static void
test_died_while_draining(void **state)
{
	(void)state;
	engine_with("");
	engine_start(t.e, REASON_USER, true);
	UNTIL_STATE(ENGINE_READY);
	engine_set_inflight(t.e, 1);
	engine_stop(t.e, REASON_SWAP, false, true);
	assert_int_equal(STATE(), ENGINE_DRAINING);
	kill(engine_info(t.e)->pid, SIGKILL);
	UNTIL_STATE(ENGINE_STOPPED);
	assert_int_equal(engine_info(t.e)->reason, REASON_CRASH);
	assert_false(engine_info(t.e)->last_exit->expected);
	engine_set_inflight(t.e, 0);
}

/* Only a person who says stop twice means that: a reload, a swap or the end of mai let a drain go on as it was. */
static void
test_drain_goes_on(void **state)
{
	static const enum engine_reason whys[] = {REASON_CONFIG, REASON_SWAP, REASON_SHUTDOWN};
	uint64_t until;

	(void)state;
	engine_with("");
	engine_start(t.e, REASON_USER, true);
	UNTIL_STATE(ENGINE_READY);
	engine_set_inflight(t.e, 1);
	engine_stop(t.e, REASON_USER, false, false);
	until = engine_info(t.e)->kill_at;
	for (size_t i = 0; i < ARRAY_LEN(whys); i++) {
		engine_stop(t.e, whys[i], false, i == 1);
		assert_int_equal(STATE(), ENGINE_DRAINING);
		assert_int_equal(engine_info(t.e)->kill_at, until);
	}
	assert_int_equal(engine_info(t.e)->reason, REASON_SHUTDOWN);
	engine_stop(t.e, REASON_SHUTDOWN, true, false);
	assert_int_equal(STATE(), ENGINE_STOPPING);
	UNTIL_STATE(ENGINE_STOPPED);
	/* A restart under way is called off, and no more than that. */
	for (size_t i = 0; i < 2; i++) {
		engine_start(t.e, REASON_USER, true);
		UNTIL_STATE(ENGINE_READY);
		engine_restart(t.e, false);
		assert_int_equal(STATE(), ENGINE_DRAINING);
		until = engine_info(t.e)->kill_at;
		engine_stop(t.e, i == 0 ? REASON_SWAP : REASON_USER, false, false);
		assert_int_equal(STATE(), ENGINE_DRAINING);
		assert_false(engine_info(t.e)->wanted);
		assert_int_equal(engine_info(t.e)->kill_at, until);
		engine_set_inflight(t.e, 0);
		UNTIL_STATE(ENGINE_STOPPED);
		engine_set_inflight(t.e, 1);
	}
	engine_set_inflight(t.e, 0);
}

static void
test_restart(void **state)
{
	pid_t first;

	(void)state;
	engine_with("");
	engine_start(t.e, REASON_USER, true);
	UNTIL_STATE(ENGINE_READY);
	first = engine_info(t.e)->pid;
	engine_restart(t.e, false);
	assert_true(engine_info(t.e)->wanted);
	UNTIL(engine_info(t.e)->generation == 2);
	UNTIL_STATE(ENGINE_READY);
	assert_int_not_equal(engine_info(t.e)->pid, first);
	engine_restart(t.e, true);
	UNTIL(engine_info(t.e)->generation == 3);
	assert_streq(engine_info(t.e)->last_exit->text, "SIGKILL");
	/* stop while it starts */
	engine_stop(t.e, REASON_USER, false, false);
	UNTIL_STATE(ENGINE_STOPPED);
	assert_int_equal(engine_info(t.e)->generation, 3);
}

static void
test_never_ready(void **state)
{
	uint64_t began = clock_ms();

	(void)state;
	t.m.health_check_timeout = 700;
	t.m.backoff = 5000;
	engine_with("check=503");
	engine_start(t.e, REASON_USER, true);
	UNTIL_STATE(ENGINE_BACKOFF);
	assert_int_equal(engine_info(t.e)->reason, REASON_START_TIMEOUT);
	assert_streq(engine_info(t.e)->last_exit->text, "no sign of life for 0.7s");
	assert_in_range(clock_ms() - began, 690, 3000);
	UNTIL(left() == 0);
	/* recoverable by hand */
	engine_start(t.e, REASON_USER, true);
	UNTIL_STATE(ENGINE_STARTING);
	assert_int_equal(engine_info(t.e)->attempt, 0);
}

static void
test_start_timeout(void **state)
{
	(void)state;
	t.m.start_timeout = 400;
	t.m.external = true;
	engine_with("no-serve");
	engine_start(t.e, REASON_USER, true);
	UNTIL_STATE(ENGINE_BACKOFF);
	assert_streq(engine_info(t.e)->last_exit->text, "not ready after 0.4s");
}

/* Given up while it lives: what it holds is told to be free when it is, not when that was decided. */
static void
test_failed_is_not_gone(void **state)
{
	(void)state;
	t.m.start_timeout = 400;
	t.m.external = true;
	t.m.max_attempts = 0;
	engine_with("no-serve");
	engine_start(t.e, REASON_USER, true);
	while (STATE() != ENGINE_FAILED)
		loop_once(t.loop, 20);
	assert_true(engine_info(t.e)->lingers || t.gone == 1);
	UNTIL(t.gone == 1);
	assert_false(engine_info(t.e)->lingers);
	assert_int_equal(left(), 0);
	run_for(50);
	assert_int_equal(t.gone, 1);
}

static void
test_canary(void **state)
{
	(void)state;
	t.m.canary = true;
	engine_with("chat");
	engine_start(t.e, REASON_USER, true);
	UNTIL_STATE(ENGINE_READY);
}

/* mlx: its HTTP side is well, its generation thread is dead. */
static void
test_zombie(void **state)
{
	(void)state;
	t.m.kind = conf_kind_find("mlx_lm");
	t.m.canary = true;
	t.m.backoff = 2000;
	engine_with("canary=404");
	engine_start(t.e, REASON_USER, true);
	UNTIL_STATE(ENGINE_BACKOFF);
	assert_non_null(strstr(engine_info(t.e)->last_exit->cause, "generation thread died"));
	assert_null(strstr(t.trail, "ready"));
}

/* It served, then its generation thread died: its health check turns, it lives on. */
static void
test_turned_zombie(void **state)
{
	(void)state;
	t.m.kind = conf_kind_find("mlx_lm");
	t.m.backoff = 2000;
	engine_with("turn=1");
	engine_start(t.e, REASON_USER, true);
	UNTIL_STATE(ENGINE_READY);
	engine_suspect(t.e);
	UNTIL_STATE(ENGINE_BACKOFF);
	assert_int_equal(engine_info(t.e)->reason, REASON_WEDGED);
	UNTIL(left() == 0);
}

static void
test_zombie_missing_model(void **state)
{
	uint64_t began = clock_ms();

	(void)state;
	t.m.kind = conf_kind_find("mlx_lm");
	t.m.canary = true;
	engine_with("err=2026-01-01 10:00:00,000 - ERROR - mlx_lm.server generation thread died: x;"
		    "err=Traceback (most recent call last):;"
		    "err=FileNotFoundError: No safetensors found in /tmp/nothing;canary=404");
	engine_start(t.e, REASON_USER, true);
	UNTIL_STATE(ENGINE_FAILED);
	assert_true(clock_ms() - began < 3000);
	assert_int_equal(engine_info(t.e)->reason, REASON_MODEL_MISSING);
	assert_non_null(strstr(engine_info(t.e)->last_exit->cause, "No safetensors found"));
	UNTIL(left() == 0);
}

static void
test_output(void **state)
{
	char *live = xasprintf("part=%s;no-serve", "10%\r20%\rloading 30%");

	(void)state;
	engine_with(live);
	free(live);
	engine_start(t.e, REASON_USER, true);
	UNTIL(strcmp(ring_live(t.ring, t.id), "loading 30%") == 0);
	engine_stop(t.e, REASON_USER, false, false);
	UNTIL_STATE(ENGINE_STOPPED);
	assert_streq(ring_live(t.ring, t.id), "");
	assert_true(logged("loading 30%"));
	assert_false(logged("20%"));
}

static bool
measure(void *arg, const struct ring_line *l)
{
	size_t *max = arg;

	if (l->len > *max)
		*max = l->len;
	return true;
}

static void
test_flood_and_long_line(void **state)
{
	size_t max = 0;
	uint64_t began = clock_ms();

	(void)state;
	engine_with("long=3000000;say=after the long one;flood=400000;say=after the flood");
	engine_start(t.e, REASON_USER, true);
	UNTIL(logged("after the flood"));
	assert_true(clock_ms() - began < 8000);
	assert_true(ring_bytes(t.ring) <= (4u << 20));
	ring_read(t.ring, 1u << RING_CHILD, NULL, 1, measure, &max, NULL);
	assert_true(max <= 64 * 1024 + 16);
	UNTIL_STATE(ENGINE_READY);
}

/* End of file is not death, and costs nothing. */
static void
test_closed_output(void **state)
{
	struct host_use before, after;

	(void)state;
	engine_with("close-output");
	engine_start(t.e, REASON_USER, true);
	UNTIL_STATE(ENGINE_READY);
	host_self_use(&before);
	for (int i = 0; i < 4; i++)
		loop_once(t.loop, 100);
	host_self_use(&after);
	assert_true(after.cpu_ms - before.cpu_ms <= 100);
	assert_int_equal(STATE(), ENGINE_READY);
}

/* Children that nobody knows are reaped, and nothing else happens. */
static void
test_strangers_reaped(void **state)
{
	pid_t pids[64];
	size_t n = 50;

	(void)state;
	engine_with("");
	engine_start(t.e, REASON_USER, true);
	UNTIL_STATE(ENGINE_READY);
	for (size_t i = 0; i < n; i++)
		if (fork() == 0)
			_exit(0);
	UNTIL(host_children(getpid(), pids, 64) == 1);
	assert_int_equal(STATE(), ENGINE_READY);
}

/* A state file of a core that is dead: what it left is killed, but only what bears the mark. */
static void
test_sweep(void **state)
{
	char path[128], mark[64];
	pid_t pid, other, gone, any[4];
	int up[2];
	char b;
	FILE *f;

	(void)state;
	engine_env_free(&t.env);
	assert_int_equal(pipe(up), 0);
	/* Marked; unmarked; marked, but escaped from whoever knew it. */
	for (int i = 0; i < 3; i++) {
		pid_t p = fork();

		if (p == 0) {
			char var[80], none[] = "A=b", self[] = "x", c[] = "child", w1[] = "no-serve",
			     *argv[] = {self, c, w1, NULL}, *env[] = {i == 1 ? none : var, NULL};

			snprintf(var, sizeof(var), "MAI_ENGINE=%s", marked(77));
			if (i == 2 && fork() != 0)
				_exit(0);
			setsid();
			fcntl(up[1], F_SETFD, FD_CLOEXEC);
			execve("/proc/self/exe", argv, env);
			_exit(127);
		}
		*(i == 0 ? &pid : i == 1 ? &other : &gone) = p;
	}
	assert_int_equal(waitpid(gone, NULL, 0), gone);
	/* All are about to begin their program when the pipe closes; what they bear is to be seen a moment later. */
	close(up[1]);
	assert_int_equal(read(up[0], &b, 1), 0);
	close(up[0]);
	snprintf(mark, sizeof(mark), "%s", marked(77));
	snprintf(path, sizeof(path), "%s/engines-%s.json", t.dir, instance);
	f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f, "{\"core\":{\"pid\":999999,\"start\":1},\"models\":{\"m\":{\"loads\":[100,300,200]}},\"living\":["
	    "{\"pid\":%ld,\"pgid\":%ld,\"start\":%llu,\"mark\":\"%s\"},"
	    "{\"pid\":%ld,\"pgid\":%ld,\"start\":%llu,\"mark\":\"%s\"}]}",
	    (long)pid, (long)pid, (unsigned long long)host_start_time(pid), mark,
	    (long)other, (long)other, (unsigned long long)host_start_time(other), mark);
	fclose(f);
	make_env();
	UNTIL(host_orphans(mark, any, 4) == 2);
	assert_int_equal(engine_env_sweep(t.env), 2);
	assert_int_equal(engine_env_sweep(t.env), 0);
	assert_int_equal(host_orphans(mark, any, 4), 0);
	assert_int_equal(kill(other, 0), 0);
	assert_true(host_carries(other, mark) == false);
	kill(other, SIGKILL);
	engine_with("");
	assert_int_equal(engine_info(t.e)->usual_ms, 200);
	UNTIL(host_start_time(pid) == 0 && host_start_time(other) == 0);
}

static void
test_kill_all(void **state)
{
	(void)state;
	engine_with("fork-setsid;ignore-term");
	engine_start(t.e, REASON_USER, true);
	UNTIL_STATE(ENGINE_READY);
	UNTIL(left() == 2);
	engine_env_kill_all(t.env);
	engine_stop(t.e, REASON_SHUTDOWN, true, false);
	UNTIL_STATE(ENGINE_STOPPED);
	assert_int_equal(left(), 0);
}

/* Whatever is asked in whatever order: never two at once, and a stop ends it. */
static void
test_storm(void **state)
{
	uint32_t rnd = 4711;

	(void)state;
	t.m.unload_timeout = 100;
	engine_with("fork-setsid");
	for (int i = 0; i < 400; i++) {
		rnd = rnd * 1664525u + 1013904223u;
		switch (rnd >> 16 & 7) {
		case 0: case 1: engine_start(t.e, REASON_USER, true); break;
		case 2: engine_start(t.e, REASON_REQUEST, false); break;
		case 3: engine_stop(t.e, REASON_USER, rnd & 1, false); break;
		case 4: engine_restart(t.e, rnd & 1); break;
		case 5: engine_set_inflight(t.e, (int)(rnd & 1)); break;
		case 6:
			if (engine_info(t.e)->pid > 0)
				kill(engine_info(t.e)->pid, SIGKILL);
			break;
		default: engine_suspect(t.e);
		}
		loop_once(t.loop, (int)(rnd >> 20 & 15));
		/* A leader and what it forked, never a second leader. */
		assert_true(host_engine_pids(getpid(), 0, NULL, NULL, 0) <= 3);
		t.trail[0] = '\0';
	}
	engine_stop(t.e, REASON_USER, true, false);
	UNTIL_STATE(ENGINE_STOPPED);
	UNTIL(host_engine_pids(getpid(), 0, NULL, NULL, 0) == 0);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		T(test_ready_and_stop), T(test_clean_child), T(test_crash_loop), T(test_backoff_delays),
		T(test_kill_recovers), T(test_stable_resets), T(test_exec_errors), T(test_spawn_refused), T(test_exit_2), T(test_missing_model),
		T(test_fixed_port_busy), T(test_stranger), T(test_lost_race), T(test_ignores_term), T(test_group_stop),
		T(test_setsid_stop), T(test_pipe_held), T(test_drain), T(test_died_while_draining), T(test_drain_goes_on),
		T(test_restart), T(test_never_ready),
		T(test_start_timeout), T(test_failed_is_not_gone), T(test_canary), T(test_zombie), T(test_turned_zombie), T(test_zombie_missing_model), T(test_output),
		T(test_flood_and_long_line), T(test_closed_output), T(test_strangers_reaped), T(test_sweep),
		T(test_kill_all), T(test_storm),
	};

	if (argc > 1 && strcmp(argv[1], "child") == 0)
		return engine_child_main(argc, argv);
#ifndef __linux__
	return 77;
#endif
	RUN(tests);
}
