/* SPDX-License-Identifier: ISC
 * The client against a tiny server of raw sockets in a forked child, one process per connection. */
#include "unit.h"

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/xmalloc.h"
#include "client/client.h"

static char dir[] = "/tmp/mai-client-XXXXXX";
static char *path;
static pid_t server;
static volatile int *event_conns;	/* shared: connections to /api/events so far */

/* the server --------------------------------------------------------------------------------------------------- */

static void
put(int fd, const char *s)
{
	size_t n = strlen(s);

	if (write(fd, s, n) != (ssize_t)n)
		_exit(0);
}

static void
reply(int fd, const char *status, const char *body)
{
	char head[256];

	snprintf(head, sizeof(head), "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n", status, strlen(body));
	put(fd, head);
	put(fd, body);
}

static void
events(int fd)
{
	static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
	int n = ++*event_conns;
	char c;

	if (n == 2) {
		reply(fd, "401 Unauthorized", "{\"error\":{\"message\":\"No key\"}}");
		return;
	}
	put(fd, head);
	put(fd, n == 1 ? ": hi\n\nevent: hello\nid: 1\ndata: {}\n\nevent: snapshot\nid: 2\nda" : "event: again\ndata: 3\n\n");
	if (n == 1) {
		put(fd, "ta: {\"x\":1}\n\n");
		return;
	}
	while (read(fd, &c, 1) > 0)	/* until the client leaves */
		;
}

static void
serve_one(int fd)
{
	char buf[16384] = "", *end = NULL;
	size_t n = 0;
	ssize_t got;

	while (end == NULL && (got = read(fd, buf + n, sizeof(buf) - 1 - n)) > 0) {
		n += (size_t)got;
		buf[n] = '\0';
		end = strstr(buf, "\r\n\r\n");
	}
	if (end == NULL)
		return;
	if (strstr(buf, "Content-Length: 8\r\n") != NULL)
		while (strlen(end + 4) < 8 && (got = read(fd, buf + n, sizeof(buf) - 1 - n)) > 0)
			buf[n += (size_t)got] = '\0';
	if (strstr(buf, " /echo") != NULL)
		reply(fd, "200 OK", buf);
	else if (strstr(buf, " /no ") != NULL)
		reply(fd, "404 Not Found", "{\"detail\":\"Unknown model x\"}");
	else if (strstr(buf, " /cut ") != NULL)
		put(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
	else if (strstr(buf, " /empty ") != NULL)
		;
	else if (strstr(buf, " /stream ") != NULL)
		put(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n");
	else if (strstr(buf, " /silent ") != NULL)
		while (read(fd, buf, 1) > 0)
			;
	else if (strstr(buf, " /api/events ") != NULL)
		events(fd);
}

static void
serve(int lfd)
{
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		int fd = accept(lfd, NULL, NULL);

		if (fd < 0)
			_exit(0);
		if (fork() == 0) {
			serve_one(fd);
			_exit(0);
		}
		close(fd);
	}
}

static int
start(void **state)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	path = xasprintf("%s/s", dir);
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	event_conns = mmap(NULL, sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(fd, 64), 0);
	server = fork();
	assert_true(server >= 0);
	if (server == 0) {
		setpgid(0, 0);
		serve(fd);
	}
	setpgid(server, server);
	close(fd);
	return 0;
}

static int
finish(void **state)
{
	(void)state;
	kill(-server, SIGKILL);
	waitpid(server, NULL, 0);
	munmap((void *)event_conns, sizeof(int));
	unlink(path);
	rmdir(dir);
	free(path);
	return 0;
}

/* blocking ----------------------------------------------------------------------------------------------------- */

static void
test_call(void **state)
{
	struct client_target t = {.socket = path, .key = (char[]){"sesame"}};
	struct strbuf a = STRBUF_INIT;
	struct err e = {{0}};
	int status;

	(void)state;
	assert_int_equal(client_call(&t, "POST", "/echo/../x?y=%2f", "{\"a\": 1}", 5000, &status, &a, &e), CLIENT_OK);
	assert_int_equal(status, 200);
	assert_non_null(strstr(strbuf_str(&a), "POST /echo/../x?y=%2f HTTP/1.1\r\n"));
	assert_non_null(strstr(strbuf_str(&a), "Authorization: Bearer sesame\r\n"));
	assert_non_null(strstr(strbuf_str(&a), "Content-Type: application/json\r\n"));
	assert_non_null(strstr(strbuf_str(&a), "\r\n\r\n{\"a\": 1}"));
	assert_null(strstr(strbuf_str(&a), "Expect"));
	assert_int_equal(client_call(&t, "POST", "/echo", NULL, 5000, &status, &a, &e), CLIENT_OK);
	assert_non_null(strstr(strbuf_str(&a), "Content-Length: 0\r\n"));
	assert_int_equal(client_call(&t, "GET", "/no", NULL, 5000, &status, &a, &e), CLIENT_OK);
	assert_int_equal(status, 404);
	assert_streq(strbuf_str(&a), "{\"detail\":\"Unknown model x\"}");
	strbuf_fini(&a);
}

static void
test_call_fails(void **state)
{
	struct client_target t = {.socket = path}, none = {.socket = (char[]){"/nonexistent/mai.sock"}};
	struct client_target nothing = {0}, tcp = {.url = (char[]){"http://127.0.0.1:1/"}};
	struct strbuf a = STRBUF_INIT;
	struct err e = {{0}};
	int status;

	(void)state;
	assert_int_equal(client_call(&none, "GET", "/", NULL, 0, &status, &a, &e), CLIENT_DOWN);
	assert_non_null(strstr(e.msg, "/nonexistent/mai.sock"));
	/* A proxy variable must not catch local targets. */
	setenv("http_proxy", "http://127.0.0.1:2", 1);
	assert_int_equal(client_call(&tcp, "GET", "/", NULL, 0, &status, &a, &e), CLIENT_DOWN);
	assert_non_null(strstr(e.msg, "127.0.0.1:1"));
	unsetenv("http_proxy");
	assert_int_equal(client_call(&nothing, "GET", "/", NULL, 0, &status, &a, &e), CLIENT_FAILED);
	assert_int_equal(client_call(&t, "GET", "/cut", NULL, 0, &status, &a, &e), CLIENT_FAILED);
	assert_non_null(strstr(e.msg, "was cut"));
	assert_int_equal(client_call(&t, "GET", "/empty", NULL, 0, &status, &a, &e), CLIENT_FAILED);
	assert_int_equal(client_call(&t, "GET", "/silent", NULL, 50, &status, &a, &e), CLIENT_FAILED);
	tcp.url = (char[]){"file:///etc/passwd"};
	assert_int_equal(client_call(&tcp, "GET", "", NULL, 0, &status, &a, &e), CLIENT_FAILED);
	strbuf_fini(&a);
}

struct piece {
	struct strbuf got;
	int *status;
	size_t stop_after;
};

static bool
on_piece(void *arg, const char *p, size_t n)
{
	struct piece *s = arg;

	assert_int_equal(*s->status, 200);
	strbuf_add(&s->got, p, n);
	return s->stop_after == 0 || s->got.len < s->stop_after;
}

static void
test_stream(void **state)
{
	struct client_target t = {.socket = path};
	int status;
	struct piece s = {.status = &status};
	struct err e = {{0}};

	(void)state;
	assert_int_equal(client_stream(&t, "GET", "/stream", NULL, &status, on_piece, &s, &e), CLIENT_OK);
	assert_streq(strbuf_str(&s.got), "abcdef");
	strbuf_clear(&s.got);
	s.stop_after = 1;
	assert_int_equal(client_stream(&t, "GET", "/stream", NULL, &status, on_piece, &s, &e), CLIENT_OK);
	assert_true(s.got.len > 0);
	strbuf_fini(&s.got);
}

/* in a loop ---------------------------------------------------------------------------------------------------- */

struct seen {
	struct loop *loop;
	struct client *client;
	struct client_watch *watch;
	struct strbuf log;
	int calls, watches, free_at;
};

static void
run_until(struct seen *s, const int *what, int n)
{
	uint64_t end = clock_ms() + 10000;

	while (*what < n) {
		assert_true(clock_ms() < end);
		loop_once(s->loop, 50);
	}
}

static void
on_call(void *arg, enum client_result r, int status, const char *p, size_t n)
{
	struct seen *s = arg;

	if (s->free_at == 0)	/* calls from inside a watch come in between its events */
		strbuf_printf(&s->log, "%d %d %zu %s;", (int)r, status, strlen(p) == n ? n : 0, r == CLIENT_OK ? "" : "x");
	else
		assert_int_equal(r, CLIENT_OK);
	if (++s->calls == 1)	/* a call from inside a done */
		client_async(s->client, "GET", "/no", NULL, 0, on_call, s);
}

static void
test_async(void **state)
{
	struct client_target t = {.socket = path}, none = {.socket = (char[]){"/nonexistent/s"}};
	struct seen s = {.loop = loop_new()};

	(void)state;
	s.client = client_new(s.loop, &t);
	client_async(s.client, "GET", "/no", NULL, 0, on_call, &s);
	assert_int_equal(s.calls, 0);
	run_until(&s, &s.calls, 2);
	assert_streq(strbuf_str(&s.log), "0 404 28 ;0 404 28 ;");
	strbuf_clear(&s.log);
	for (int i = 0; i < 20; i++)
		client_async(s.client, "POST", "/stream", "{}", 3, on_call, &s);
	run_until(&s, &s.calls, 22);
	/* What is in flight is forgotten with the client. */
	client_async(s.client, "GET", "/silent", NULL, 0, on_call, &s);
	for (int i = 0; i < 5; i++)
		loop_once(s.loop, 5);
	client_free(&s.client);
	assert_null(s.client);
	strbuf_clear(&s.log);
	s.client = client_new(s.loop, &none);
	client_async(s.client, "GET", "/no", NULL, 0, on_call, &s);
	run_until(&s, &s.calls, 23);
	assert_non_null(strstr(strbuf_str(&s.log), "1 0 "));
	assert_non_null(strstr(strbuf_str(&s.log), " x;"));
	client_free(&s.client);
	strbuf_fini(&s.log);
	loop_free(&s.loop);
}

static void
on_viewer_echo(void *arg, enum client_result r, int status, const char *p, size_t n)
{
	struct seen *s = arg;

	(void)n;
	assert_int_equal(r, CLIENT_OK);
	assert_int_equal(status, 200);
	assert_non_null(strstr(p, "X-Mai-Viewer-Id: 17\r\n"));
	s->calls++;
	client_free(&s->client);	/* allowed here */
}

static void
test_async_viewer(void **state)
{
	struct client_target t = {.socket = path};
	struct seen s = {.loop = loop_new()};

	(void)state;
	s.client = client_new(s.loop, &t);
	client_async(s.client, "GET", "/echo", NULL, 17, on_viewer_echo, &s);
	client_async(s.client, "GET", "/silent", NULL, 0, on_viewer_echo, &s);
	run_until(&s, &s.calls, 1);
	assert_null(s.client);
	loop_free(&s.loop);
}

static void
watch_event(void *arg, const char *event, const char *id, const char *data, size_t n)
{
	struct seen *s = arg;

	strbuf_printf(&s->log, "%s/%s/%.*s;", event, id, (int)n, data);
	/* A call from inside an event is what a dashboard does all the time. */
	client_async(s->client, "GET", "/no", NULL, 0, on_call, s);
	if (++s->watches == s->free_at)
		client_watch_free(&s->watch);
}

static void
watch_up(void *arg)
{
	strbuf_puts(&((struct seen *)arg)->log, "up;");
}

static void
watch_down(void *arg, enum client_result why, const char *text, int n, uint64_t ms)
{
	struct seen *s = arg;

	strbuf_printf(&s->log, "down %d %s %d %u;", (int)why, text, n, (unsigned)ms);
	if (s->free_at < 0 && n == -s->free_at) {
		s->watches = 1;
		client_watch_free(&s->watch);
	} else if (s->free_at < 0) {
		client_watch_retry_now(s->watch);
	}
}

static const struct client_watch_ops watch_ops = {.event = watch_event, .up = watch_up, .down = watch_down};

static void
test_watch(void **state)
{
	struct client_target t = {.socket = path};
	struct seen s = {.loop = loop_new(), .calls = 1, .free_at = 3};

	(void)state;
	*event_conns = 0;
	s.client = client_new(s.loop, &t);
	s.watch = client_watch_new(s.client, "alice,pts/3,attached", &watch_ops, &s);
	run_until(&s, &s.watches, 2);
	run_until(&s, &s.watches, 3);
	assert_null(s.watch);
	run_until(&s, &s.calls, 4);	/* the three calls */
	assert_non_null(strstr(strbuf_str(&s.log), "up;hello/1/{};snapshot/2/{\"x\":1};"));
	assert_non_null(strstr(strbuf_str(&s.log), "down 2 the event stream ended 1 250;"));
	assert_non_null(strstr(strbuf_str(&s.log), "down 2 refused with 401: No key 2 500;up;again//3;"));
	client_free(&s.client);
	strbuf_fini(&s.log);
	loop_free(&s.loop);
}

static void
test_watch_down(void **state)
{
	struct client_target none = {.socket = (char[]){"/nonexistent/s"}};
	struct seen s = {.loop = loop_new(), .free_at = -7};

	(void)state;
	s.client = client_new(s.loop, &none);
	s.watch = client_watch_new(s.client, NULL, &watch_ops, &s);
	run_until(&s, &s.watches, 1);
	assert_null(s.watch);
	assert_non_null(strstr(strbuf_str(&s.log), " 1 250;down 1 nothing answers at /nonexistent/s"));
	assert_non_null(strstr(strbuf_str(&s.log), " 4 2000;"));
	assert_non_null(strstr(strbuf_str(&s.log), " 5 5000;"));
	assert_non_null(strstr(strbuf_str(&s.log), " 7 5000;"));
	client_free(&s.client);
	strbuf_fini(&s.log);
	loop_free(&s.loop);
}

static bool
counts_sockets(void *arg, const char *p, size_t n)
{
	int *open_ones = arg;

	(void)p;
	(void)n;
	*open_ones = 0;
	for (int fd = 3; fd < 256; fd++) {
		int flags = fcntl(fd, F_GETFD), type;
		socklen_t len = sizeof(type);

		if (flags >= 0 && !(flags & FD_CLOEXEC) && getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0) {
			struct sockaddr_storage ss;

			len = sizeof(ss);
			if (getpeername(fd, (struct sockaddr *)&ss, &len) == 0 && len > sizeof(sa_family_t))
				++*open_ones;
		}
	}
	return true;
}

static void
test_cloexec(void **state)
{
	struct client_target t = {.socket = path};
	struct err e = {{0}};
	int status, inheritable = -1;

	(void)state;
	assert_int_equal(client_stream(&t, "GET", "/stream", NULL, &status, counts_sockets, &inheritable, &e), CLIENT_OK);
	assert_int_equal(inheritable, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_call),
		cmocka_unit_test(test_call_fails),
		cmocka_unit_test(test_stream),
		cmocka_unit_test(test_async),
		cmocka_unit_test(test_async_viewer),
		cmocka_unit_test(test_watch),
		cmocka_unit_test(test_watch_down),
		cmocka_unit_test(test_cloexec),
	};

	return cmocka_run_group_tests(tests, start, finish);
}
