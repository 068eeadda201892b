/* SPDX-License-Identifier: ISC
 * Verbs against a pretend core on the instance's socket: what they ask, what they print, their exit codes. */
#include "unit.h"

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "app/cmd_priv.h"
#include "base/xmalloc.h"

static char dir[] = "/tmp/mai-verbs-XXXXXX";
static char *sock;
static pid_t core;
static char out_path[64], err_path[64];
/* Shared: GET /status so far, and whether there is an event stream. */
static volatile int *asked, *streams;

/* Whether a file has the text by now or within 10 s. */
static bool
comes(const char *file, const char *text)
{
	char buf[16384];

	for (int i = 0; i < 2000; i++) {
		FILE *f = fopen(file, "r");
		size_t n = f != NULL ? fread(buf, 1, sizeof(buf) - 1, f) : 0;

		buf[n] = '\0';
		if (f != NULL)
			fclose(f);
		if (strstr(buf, text) != NULL)
			return true;
		poll(NULL, 0, 5);
	}
	return false;
}

/* the pretend core --------------------------------------------------------------------------------------------- */

static void
reply(int fd, int status, const char *body)
{
	char *all = xasprintf("HTTP/1.1 %d X\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s", status, strlen(body), body);

	if (write(fd, all, strlen(all)) < 0)
		_exit(0);
}

static void
answer(int fd, const char *rq)
{
	static const char chat[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
	    "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}\n\n"
	    "data: {\"choices\":[{\"delta\":{\"content\":\"Hel\"}}]}\n\n"
	    ": still here\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"lo\"}}]}\n\n";
	static const char stream[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
	    "event: hello\ndata: {\"protocol\":1}\n\nevent: snapshot\ndata: {\"engines\":[{\"id\":\"w\",\"name\":\"w\","
	    "\"state\":\"starting\",\"since\":1,\"progress\":-1,\"max_attempts\":3,\"current\":true}],\"requests\":[]}\n\n";
	char body[256];

	if (strncmp(rq, "POST /load ", 11) == 0 && strstr(rq, "\"nope\"") != NULL)
		reply(fd, 404, "{\"detail\":\"Unknown model nope\",\"models\":[\"a\"]}");
	else if (strncmp(rq, "POST /load ", 11) == 0 && strstr(rq, "\"bad\"") != NULL)
		reply(fd, 500, "{\"detail\":\"Failed to load model\",\"cause\":\"boom\"}");
	else if (strncmp(rq, "POST /load ", 11) == 0 && strstr(rq, "\"w\"") != NULL)
		reply(fd, comes(err_path, "w starting") ? 200 : 500, "{}");
	else if (strncmp(rq, "GET /api/events ", 16) == 0 && *streams && write(fd, stream, sizeof(stream) - 1) > 0)
		while (read(fd, body, 1) > 0)
			;
	else if (strncmp(rq, "POST /load ", 11) == 0 && strstr(rq, "\"slow\"") != NULL)
		while (read(fd, body, 1) > 0)
			;
	else if (strncmp(rq, "POST /load ", 11) == 0)
		reply(fd, 200, "{\"status\":\"success\"}");
	else if (strncmp(rq, "POST /start?model=o%2Fx ", 24) == 0)
		reply(fd, 409, "{\"detail\":\"another model runs\"}");
	else if (strncmp(rq, "POST /api/models/unload/o/x ", 28) == 0)
		reply(fd, 200, "{}");
	else if (strncmp(rq, "POST /api/restart ", 18) == 0 && strstr(rq, "{\"model\":\"m\",\"force\":true}") != NULL)
		reply(fd, 200, "{}");
	else if (strncmp(rq, "POST /api/requests/12/cancel ", 29) == 0)
		reply(fd, 404, "{\"detail\":\"No request 12\"}");
	else if (strncmp(rq, "GET /status ", 12) == 0)
		reply(fd, 200, ++*asked == 2 ? "{\"state\":\"failed\",\"current_model\":\"m\",\"last_exit\":{\"text\":\"SIGABRT\"}}" :
		    "{\"status\":\"running\",\"state\":\"ready\",\"current_model\":\"m\",\"port\":8081}");
	else if (strncmp(rq, "GET /logs?model=m&source=child&n=2 ", 35) == 0)
		reply(fd, 200, "one\ntwo \033]0;x\007three\n");
	else if (strncmp(rq, "POST /v1/chat/completions ", 26) == 0 && strstr(rq, "\"content\":\"hi \\\"you\\\"\"") != NULL) {
		if (write(fd, chat, sizeof(chat) - 1) < 0 || write(fd, "data: [DONE]\n\n", 14) < 0)
			_exit(0);
	} else if (strncmp(rq, "POST /v1/chat/completions ", 26) == 0 && strstr(rq, "\"cut\"") != NULL) {
		if (write(fd, chat, sizeof(chat) - 1) < 0)
			_exit(0);
	} else if (strncmp(rq, "POST /v1/chat/completions ", 26) == 0 && strstr(rq, "\"die\"") != NULL) {
		if (write(fd, chat, sizeof(chat) - 1) < 0 ||
		    dprintf(fd, "data: {\"error\":{\"message\":\"engine died\"}}\n\n") < 0)
			_exit(0);
	} else if (strncmp(rq, "GET /api/version ", 17) == 0) {
		snprintf(body, sizeof(body), "{\"version\":\"9.9\",\"pid\":%ld}", (long)getppid());
		reply(fd, 200, body);
	} else if (strncmp(rq, "POST /api/shutdown ", 19) == 0) {
		reply(fd, 200, "{}");
		kill(getppid(), SIGTERM);
	} else {
		reply(fd, 404, "{\"detail\":\"Not Found\"}");
	}
}

static void
serve_one(int fd)
{
	char rq[8192];
	size_t n = 0, want = 1;
	ssize_t got;

	while (n < want && n < sizeof(rq) - 1 && (got = read(fd, rq + n, sizeof(rq) - 1 - n)) > 0) {
		const char *end, *len;

		n += (size_t)got;
		rq[n] = '\0';
		want = n + 1;
		end = strstr(rq, "\r\n\r\n");
		if (end != NULL) {
			len = strstr(rq, "Content-Length: ");
			want = (size_t)(end + 4 - rq) + (len != NULL ? strtoul(len + 16, NULL, 10) : 0);
		}
	}
	if (n >= want)
		answer(fd, rq);
}

static void
start_core(void)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	unlink(sock);
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", sock);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(fd, 64), 0);
	core = fork();
	assert_true(core >= 0);
	if (core == 0) {
		struct sigaction ignore = {.sa_handler = SIG_IGN};

		setpgid(0, 0);
		sigaction(SIGCHLD, &ignore, NULL);
		for (;;) {
			int c = accept(fd, NULL, NULL);

			if (c < 0)
				_exit(0);
			if (fork() == 0) {
				close(fd);
				serve_one(c);
				_exit(0);
			}
			close(c);
		}
	}
	setpgid(core, core);
	close(fd);
}

static void
stop_core(void)
{
	if (core <= 0)
		return;
	kill(-core, SIGKILL);
	waitpid(core, NULL, 0);
	core = 0;
}

/* running a verb in a child, so that its output can be had ------------------------------------------------------ */

static char said[16384], complained[16384];

static void
slurp(FILE *f, char *buf, size_t size)
{
	size_t n;

	rewind(f);
	n = fread(buf, 1, size - 1, f);
	buf[n] = '\0';
	fclose(f);
}

/* Leak checks of the child would see the parent's memory. until: ended by a signal once it printed this. */
static int
run_until(int (*verb)(const struct cmd_opts *), struct cmd_opts o, const char *until)
{
	FILE *out = fopen(out_path, "w+"), *err = fopen(err_path, "w+");
	int status = -1;
	pid_t pid;

	o.name = "default";
	if (o.lines == 0)
		o.lines = -1;
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		dup2(fileno(out), STDOUT_FILENO);
		dup2(fileno(err), STDERR_FILENO);
		status = verb(&o);
		fflush(NULL);
		_exit(status);
	}
	if (until != NULL) {
		assert_true(comes(out_path, until));
		kill(pid, SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	slurp(out, said, sizeof(said));
	slurp(err, complained, sizeof(complained));
	assert_true(WIFEXITED(status) || until != NULL);
	return WEXITSTATUS(status);
}

static int
run(int (*verb)(const struct cmd_opts *), struct cmd_opts o)
{
	return run_until(verb, o, NULL);
}

#define ARGS(...) .args = (char *[]){__VA_ARGS__, NULL}, .nargs = 1

static void
test_swap(void **state)
{
	(void)state;
	assert_int_equal(run(cmd_swap, (struct cmd_opts){ARGS((char[]){"m"})}), CMD_OK);
	assert_streq(said, "m is ready\n");
	assert_int_equal(run(cmd_swap, (struct cmd_opts){ARGS((char[]){"m"}), .json = true}), CMD_OK);
	assert_streq(said, "{\"status\":\"success\"}\n");
	assert_int_equal(run(cmd_swap, (struct cmd_opts){ARGS((char[]){"nope"})}), CMD_REFUSED);
	assert_streq(said, "");
	assert_streq(complained, "mai: Unknown model nope (known: a)\n");
	assert_int_equal(run(cmd_swap, (struct cmd_opts){ARGS((char[]){"bad"})}), CMD_FAILED);
	assert_streq(complained, "mai: Failed to load model: boom\n");
	assert_int_equal(run(cmd_swap, (struct cmd_opts){ARGS((char[]){"slow"}), .no_wait = true}), CMD_OK);
	assert_non_null(strstr(said, "asked for"));
	assert_int_equal(run(cmd_swap, (struct cmd_opts){ARGS((char[]){"nope"}), .no_wait = true}), CMD_REFUSED);
}

static void
test_progress(void **state)
{
	(void)state;
	*streams = 1;
	assert_int_equal(run(cmd_swap, (struct cmd_opts){ARGS((char[]){"w"})}), CMD_OK);
	assert_streq(complained, "w starting\n");
	assert_streq(said, "w is ready\n");
	/* Nothing but the answer for a script. */
	assert_int_equal(run(cmd_swap, (struct cmd_opts){ARGS((char[]){"m"}), .json = true}), CMD_OK);
	assert_streq(complained, "");
}

static void
test_watch(void **state)
{
	(void)state;
	*asked = 0;
	run_until(cmd_status, (struct cmd_opts){.watch = true}, "m failed: SIGABRT\n");
	assert_non_null(strstr(said, " m ready\n"));
	*asked = 0;
	run_until(cmd_status, (struct cmd_opts){.watch = true, .json = true}, "\"failed\"");
	assert_streq(complained, "");
	*asked = 2;
	*streams = 0;
}

static void
test_others(void **state)
{
	(void)state;
	assert_int_equal(run(cmd_start, (struct cmd_opts){ARGS((char[]){"o/x"})}), CMD_REFUSED);
	assert_streq(complained, "mai: another model runs\n");
	assert_int_equal(run(cmd_stop, (struct cmd_opts){ARGS((char[]){"o/x"})}), CMD_OK);
	assert_streq(said, "o/x is stopped\n");
	assert_int_equal(run(cmd_restart, (struct cmd_opts){ARGS((char[]){"m"}), .force = true}), CMD_OK);
	assert_int_equal(run(cmd_cancel, (struct cmd_opts){ARGS((char[]){"12"})}), CMD_REFUSED);
	assert_int_equal(run(cmd_cancel, (struct cmd_opts){ARGS((char[]){"12/../x"})}), CMD_USAGE);
	assert_int_equal(run(cmd_status, (struct cmd_opts){0}), CMD_OK);
	assert_non_null(strstr(said, "m  ready\n"));
	assert_int_equal(run(cmd_status, (struct cmd_opts){.json = true}), CMD_OK);
	assert_streq(said, "{\"status\":\"running\",\"state\":\"ready\",\"current_model\":\"m\",\"port\":8081}\n");
	assert_int_equal(run(cmd_logs, (struct cmd_opts){ARGS((char[]){"m"}), .lines = 2, .source = "child"}), CMD_OK);
	assert_streq(said, "one\ntwo three\n");
	assert_int_equal(run(cmd_logs, (struct cmd_opts){ARGS((char[]){"x"})}), CMD_REFUSED);
	assert_int_equal(run(cmd_version, (struct cmd_opts){0}), CMD_OK);
	assert_non_null(strstr(said, "supervisor 9.9, pid "));
}

static void
test_ask(void **state)
{
	(void)state;
	assert_int_equal(run(cmd_ask, (struct cmd_opts){ARGS((char[]){"hi \"you\""})}), CMD_OK);
	assert_streq(said, "Hello\n");
	assert_int_equal(run(cmd_ask, (struct cmd_opts){ARGS((char[]){"cut"})}), CMD_FAILED);
	assert_streq(said, "Hello\n");
	assert_streq(complained, "mai: the answer was cut short\n");
	assert_int_equal(run(cmd_ask, (struct cmd_opts){ARGS((char[]){"die"})}), CMD_FAILED);
	assert_streq(complained, "mai: engine died\n");
	assert_int_equal(run(cmd_ask, (struct cmd_opts){ARGS((char[]){""})}), CMD_USAGE);
}

static void
test_shutdown(void **state)
{
	(void)state;
	stop_core();
	start_core();
	/* The pretend core stays a zombie of ours until it is waited for: its pid is not looked at then. */
	assert_int_equal(run(cmd_shutdown, (struct cmd_opts){.no_wait = true}), CMD_OK);
	assert_streq(said, "shutdown was asked for\n");
	assert_int_equal(waitpid(core, NULL, 0), core);
	core = 0;
	assert_int_equal(run(cmd_status, (struct cmd_opts){0}), CMD_NO_CORE);
	assert_non_null(strstr(complained, "no supervisor is running"));
	assert_int_equal(run(cmd_swap, (struct cmd_opts){ARGS((char[]){"m"})}), CMD_NO_CORE);
	assert_int_equal(run(cmd_ask, (struct cmd_opts){ARGS((char[]){"m"})}), CMD_NO_CORE);
	assert_int_equal(run(cmd_logs, (struct cmd_opts){.follow = true}), CMD_NO_CORE);
	assert_int_equal(run(cmd_shutdown, (struct cmd_opts){0}), CMD_NO_CORE);
	assert_int_equal(run(cmd_version, (struct cmd_opts){.json = true}), CMD_OK);
	assert_streq(said, "{\"version\":\"" PACKAGE_VERSION "\",\"supervisor\":null}\n");
}

static int
setup(void **state)
{
	char *sub;

	(void)state;
	assert_non_null(mkdtemp(dir));
	setenv("XDG_RUNTIME_DIR", dir, 1);
	sub = xasprintf("%s/mai", dir);
	assert_int_equal(mkdir(sub, 0700), 0);
	free(sub);
	sock = xasprintf("%s/mai/default.sock", dir);
	snprintf(out_path, sizeof(out_path), "%s/out", dir);
	snprintf(err_path, sizeof(err_path), "%s/err", dir);
	asked = mmap(NULL, 2 * sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	streams = asked + 1;
	*asked = 2;
	start_core();
	return 0;
}

static int
teardown(void **state)
{
	char *sub = xasprintf("%s/mai", dir);

	(void)state;
	stop_core();
	unlink(sock);
	unlink(out_path);
	unlink(err_path);
	munmap((void *)asked, 2 * sizeof(int));
	rmdir(sub);
	rmdir(dir);
	free(sub);
	free(sock);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_swap),
		cmocka_unit_test(test_progress),
		cmocka_unit_test(test_watch),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_ask),
		cmocka_unit_test(test_shutdown),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
