/* SPDX-License-Identifier: ISC
 * Building, wiring, running and ending the core. */
#include "app/server.h"

#include <sys/resource.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#ifdef HAVE_MALLOC_H
#include <malloc.h>
#endif

#include "api/api.h"
#include "app/daemon.h"
#include "app/log_child.h"
#include "app/log_out.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "base/xmalloc.h"
#include "host/host.h"
#include "http/http_listen.h"

#define MIB (1024u * 1024u)
#define FLUSH_MS 200	/* last answers get that long to leave */

struct server {
	const struct server_opts *o;
	struct conf *conf;		/* (ref) */
	struct loop *loop;
	struct bus *bus;
	struct ring *ring;
	struct metrics *metrics;
	struct http_pool *pool;
	struct engine_env *engines;
	struct router *router;
	struct proxy *proxy;
	struct api *api;
	struct http_server *http;
	struct sigwatch term, intr, hup, usr1;
	struct watch guard;
	struct timer flush;
	struct log_child log_child;
	int stops;			/* how often we were told to end */
	int status;
	int port;
};

static void
tune_malloc(void)
{
#if defined(HAVE_MALLOPT) && defined(M_MMAP_THRESHOLD)
	/* Bodies of some MiB come and go: without this each is an mmap and a munmap with all its page faults. */
	mallopt(M_MMAP_THRESHOLD, 32 * (int)MIB);
	mallopt(M_TRIM_THRESHOLD, 32 * (int)MIB);
	mallopt(M_TOP_PAD, (int)MIB / 4);
#endif
}

/* A connection is two descriptors, and the usual soft limit of 1024 is made for select(2). */
static void
raise_descriptors(const struct conf *c)
{
	struct rlimit rl;
	rlim_t want = (rlim_t)c->max_connections * 2 + 256;

	if (getrlimit(RLIMIT_NOFILE, &rl) < 0 || rl.rlim_cur >= want)
		return;
	rl.rlim_cur = rl.rlim_max == RLIM_INFINITY || rl.rlim_max > want ? want : rl.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &rl) < 0)
		log_warn("server", NULL, "cannot raise the limit of open files: %s", strerror(errno));
}

static void
to_ring(void *arg, enum log_level level, const char *module, const char *ctx, const char *text)
{
	struct server *s = arg;
	struct strbuf line = STRBUF_INIT;
	char lv = level == LOG_ERROR_ ? 'E' : level == LOG_WARN_ ? 'W' : ' ';

	if (ctx != NULL)
		strbuf_printf(&line, "%s: ", ctx);
	text_clean(&line, text, strlen(text), 4096);
	ring_put(s->ring, RING_MAI, ctx, lv, line.p, line.len);
	if (s->o->log_stderr && (s->conf->log_out == LOG_OUT_PROXY || s->conf->log_out == LOG_OUT_BOTH)) {
		uint64_t ms = clock_wall_ms();
		time_t t = (time_t)(ms / 1000);
		struct tm tm;
		char when[32];
		struct strbuf out = STRBUF_INIT;

		localtime_r(&t, &tm);
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
		strbuf_printf(&out, "%s %-5s %s: %s\n", when, log_level_name(level), module, line.p);
		log_out(out.p, out.len);
		strbuf_fini(&out);
	}
	strbuf_fini(&line);
}

/* ending ------------------------------------------------------------------------------------------------------- */

static void
on_flushed(void *arg)
{
	struct server *s = arg;

	loop_stop(s->loop);
}

static void
on_engines_gone(void *arg)
{
	struct server *s = arg;

	http_server_stop_listening(s->http);
	http_server_drain(s->http);
	timer_set(&s->flush, http_server_connections(s->http) > 0 ? FLUSH_MS : 0);
}

static void
server_stop(struct server *s, const char *who, bool force)
{
	const struct bus_event e = {.kind = BUS_SHUTDOWN, .who = who, .text = "mai is ending"};

	s->stops++;
	if (s->stops == 1) {
		log_info("server", NULL, "ending, asked for by %s", who);
		daemon_notify("STOPPING=1");
		bus_publish(s->bus, &e);
	} else {
		log_warn("server", NULL, "asked again by %s: engines are killed", who);
	}
	router_shutdown(s->router, force || s->stops > 1, on_engines_gone, s);
}

static void
on_shutdown_call(void *arg, const char *who, bool force)
{
	server_stop(arg, who, force);
}

static void
on_term(void *arg, int sig)
{
	server_stop(arg, sig == SIGINT ? "SIGINT" : "SIGTERM", false);
}

/* The guard is gone: nobody would clean up after us, so we do and end. */
static void
on_guard(void *arg, int what)
{
	static const char last[] = "mai: the guard process is gone: engines killed, ending\n";
	struct server *s = arg;
	char buf[64];
	ssize_t n = read(s->o->guard_fd, buf, sizeof(buf));

	(void)what;
	if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		return;
	engine_env_kill_all(s->engines);
	log_out(last, sizeof(last) - 1);
	daemon_remove(s->o->paths);
	_exit(1);
}

/* reloading ---------------------------------------------------------------------------------------------------- */

static struct http_limits
limits_of(const struct conf *c)
{
	return (struct http_limits){
		.max_head = c->max_head,
		.head_timeout = c->head_timeout,
		.idle_timeout = c->idle_timeout,
		.max_connections = c->max_connections,
	};
}

static void
set_log_child(struct server *s)
{
	log_child_set(&s->log_child, s->o->log_stderr &&
	    (s->conf->log_out == LOG_OUT_UPSTREAM || s->conf->log_out == LOG_OUT_BOTH));
}

static int
server_reload(void *arg, struct err *e)
{
	struct server *s = arg;
	struct conf_errors errs = {{0}, 0};
	struct http_limits lim;
	bool none = false;
	struct conf *c = conf_load(&s->o->request, &none, &errs), *kept;

	if (c == NULL) {
		err_set(e, "%s", none ? "no configuration is found any more" : strbuf_str(&errs.text));
		log_error("server", NULL, "reload: %s; the old configuration stays", e == NULL ? "failed" : e->msg);
		conf_errors_fini(&errs);
		return -1;
	}
	conf_errors_fini(&errs);
	lim = limits_of(c);
	http_server_set_limits(s->http, &lim);
	log_set_level((enum log_level)c->log_level);
	kept = conf_keep_named(s->conf, router_conf(s->router), c);
	router_reload(s->router, kept);
	api_set_conf(s->api, kept);
	conf_unref(&kept);
	conf_unref(&s->conf);
	s->conf = c;
	set_log_child(s);
	log_info("server", NULL, "configuration loaded again");
	return 0;
}

static void
on_hup(void *arg, int sig)
{
	struct err e = {{0}};

	(void)sig;
	daemon_notify("RELOADING=1");
	if (server_reload(arg, &e) < 0)
		log_error("server", NULL, "%s", e.msg);
	daemon_notify("READY=1");
}

/* Taken so that a log rotation that sends it does not end the core: the log is rotated when a core starts. */
static void
on_usr1(void *arg, int sig)
{
	(void)arg;
	log_info("server", NULL, "signal %d", sig);
}

static void
on_request(void *arg, struct http_req *req)
{
	struct server *s = arg;

	api_handle(s->api, req);
}

/* beginning ---------------------------------------------------------------------------------------------------- */

static int
describe_busy(struct err *e, const char *host, int port)
{
	char comm[64];
	pid_t who = 0;

	if (host_port_owner(port, NULL, 0, &who, comm, sizeof(comm)) == HOST_OWNER_OTHER && who > 0)
		return err_set(e, "%s:%d is in use by %s (pid %ld); choose another port with listen", host, port, comm,
		    (long)who);
	return err_set(e, "%s:%d is in use by another process; choose another port with listen", host, port);
}

static int
server_listen(struct server *s, struct err *e)
{
	for (size_t i = 0; i < s->conf->nlisten; i++) {
		struct conf_listen *l = &s->conf->listen[i];
		int port = l->port;

		if (l->path != NULL) {
			if (http_server_listen_unix(s->http, l->path, API_TAG_TCP, e) < 0)
				return -1;
			continue;
		}
		errno = 0;
		if (http_server_listen_tcp(s->http, l->host, &port, API_TAG_TCP, e) < 0)
			return errno == EADDRINUSE ? describe_busy(e, l->host, l->port) : -1;
		if (s->port == 0)
			s->port = port;
		log_info("server", NULL, "listening on http://%s:%d", l->host, port);
	}
	unlink(s->o->paths->socket);	/* the lock says that whoever left it is gone */
	return http_server_listen_unix(s->http, s->o->paths->socket, API_TAG_CONTROL, e);
}

static void
watch_signals(struct server *s)
{
	struct sigaction ign = {.sa_handler = SIG_IGN};

	sigaction(SIGPIPE, &ign, NULL);
	sigaction(SIGTTOU, &ign, NULL);
	sigwatch_start(&s->term, s->loop, SIGTERM, on_term, s);
	sigwatch_start(&s->intr, s->loop, SIGINT, on_term, s);
	sigwatch_start(&s->hup, s->loop, SIGHUP, on_hup, s);
	sigwatch_start(&s->usr1, s->loop, SIGUSR1, on_usr1, s);
	timer_init(&s->flush, s->loop, on_flushed, s);
	if (s->o->guard_fd >= 0) {
		watch_init(&s->guard, s->loop, s->o->guard_fd, on_guard, s);
		watch_set(&s->guard, LOOP_READ);
	}
}

static int
server_build(struct server *s, struct err *e)
{
	const struct server_opts *o = s->o;
	struct http_limits lim = limits_of(s->conf);

	s->loop = loop_new();
	if (s->loop == NULL)
		return err_set(e, "no event loop: %s", strerror(errno));
	s->bus = bus_new();
	s->ring = ring_new(8 * MIB, 64 * MIB, MIB, 4 * MIB);
	s->metrics = metrics_new();
	log_set_sink(to_ring, s);
	log_set_level((enum log_level)s->conf->log_level);
	log_child_start(&s->log_child, s->loop, s->ring);
	set_log_child(s);
	watch_signals(s);
	s->pool = http_pool_new(s->loop);
	s->engines = engine_env_new(&(struct engine_env_opts){
		.loop = s->loop, .bus = s->bus, .ring = s->ring, .pool = s->pool, .instance = o->name,
		.state_dir = o->paths->state_dir, .guard_fd = o->guard_fd});
	s->router = router_new(s->loop, s->bus, s->metrics, s->engines, s->conf);
	s->proxy = proxy_new(&(struct proxy_opts){
		.loop = s->loop, .bus = s->bus, .ring = s->ring, .metrics = s->metrics, .router = s->router,
		.pool = s->pool});
	s->http = http_server_new(s->loop, &lim, on_request, s);
	if (server_listen(s, e) < 0)
		return -1;
	s->api = api_new(&(struct api_opts){
		.loop = s->loop, .bus = s->bus, .ring = s->ring, .metrics = s->metrics, .router = s->router,
		.proxy = s->proxy, .engines = s->engines, .conf = s->conf, .port = s->port,
		.instance = o->name, .foreground = o->foreground, .shutdown = on_shutdown_call, .reload = server_reload, .arg = s});
	return 0;
}

static void
server_free(struct server *s)
{
	proxy_free(&s->proxy);
	http_server_free(&s->http);
	api_free(&s->api);
	router_free(&s->router);
	engine_env_free(&s->engines);
	http_pool_free(&s->pool);
	log_set_sink(NULL, NULL);
	metrics_free(&s->metrics);
	log_child_stop(&s->log_child);
	ring_free(&s->ring);
	bus_free(&s->bus);
	if (s->loop != NULL) {
		timer_stop(&s->flush);
		if (s->o->guard_fd >= 0)
			watch_set(&s->guard, 0);
		sigwatch_stop(&s->term);
		sigwatch_stop(&s->intr);
		sigwatch_stop(&s->hup);
		sigwatch_stop(&s->usr1);
	}
	loop_free(&s->loop);
	conf_unref(&s->conf);
}

/* It ends already: another signal shall not make a death of that. */
static void
hold_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

int
server_run(const struct server_opts *o)
{
	struct server s = {.o = o, .conf = conf_ref(o->conf)};
	struct err e = {{0}};
	int report = o->report_fd, swept;

	tune_malloc();
	log_out_open();
	raise_descriptors(s.conf);
	daemon_write_pid(o->lock_fd);
	if (server_build(&s, &e) < 0) {
		if (report < 0)
			fprintf(stderr, "mai: %s\n", e.msg);
		daemon_report(&report, e.msg);
		server_free(&s);
		return 1;
	}
	daemon_report(&report, NULL);
	daemon_notify("READY=1");
	for (char **w = s.conf->warnings; w != NULL && *w != NULL; w++)
		log_warn("conf", NULL, "%s", *w);
	swept = engine_env_sweep(s.engines);
	if (swept > 0)
		log_warn("server", NULL, "killed %d engine processes that an earlier mai left behind", swept);
	if (o->autostart && s.conf->default_model != NULL)
		router_do(s.router, VERB_START, NULL, 0, false, "mai", NULL, NULL);
	router_preload(s.router);
	loop_run(s.loop);
	hold_signals();
	unlink(o->paths->socket);
	server_free(&s);
	return s.status;
}
