/* SPDX-License-Identifier: ISC
 * Is it ready, and is it still? A ladder while it starts: the port answers, the listener is not a stranger, the check is
 * 200, one token comes. A light check now and then while it serves. Never two probes at once. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "engine/engine_priv.h"
#include "host/host.h"

#define CHECK_TIMEOUT_MS 5000
#define WATCH_MS 10000
#define WATCH_MISSES 3
#define ANSWER_BYTES 4096
#define STRANGER_MS 100		/* a child of the engine may be too young for the list */
#define MAX_REFUSALS 5

static void start_probe(struct engine *e);

static bool
is_mlx(const struct engine *e)
{
	return e->m->kind != NULL && strcmp(e->m->kind->name, "mlx_lm") == 0;
}

static bool
serving(const struct engine *e)
{
	return e->info.state == ENGINE_READY || e->info.state == ENGINE_DRAINING;
}

static void
close_tcp(struct engine_probe *p)
{
	if (p->tcp_fd < 0)
		return;
	watch_set(&p->tcp, 0);
	close(p->tcp_fd);
	p->tcp_fd = -1;
}

static bool
under_way(const struct engine_probe *p)
{
	return p->x != NULL || p->tcp_fd >= 0;
}

static void
later(struct engine *e, uint64_t ms)
{
	timer_set(&e->probe.next, ms);
}

/* The next rung or the same one again. */
static void
again(struct engine *e)
{
	uint64_t d = policy_probe_delay(clock_ms() - e->info.spawned_at);

	/* A canary that is refused will not be liked better at once. */
	later(e, e->probe.refusals > 0 && d < 200 ? 200 : d);
}

/* While it starts a miss is nothing; while it serves it is noted. */
static void
missed(struct engine *e, const char *why)
{
	if (!serving(e)) {
		e->probe.stage = PROBE_CHECK;
		again(e);
		return;
	}
	if (++e->probe.misses == WATCH_MISSES)
		log_warn("engine", e->id, "the health check failed %d times: %s%s", WATCH_MISSES, why,
		    e->inflight == 0 ? ", nothing in flight" : "");
	later(e, WATCH_MS);
}

static void
stranger(struct engine *e, pid_t who, const char *comm)
{
	struct policy_verdict v = {.reason = REASON_PORT_BUSY};
	char cause[160];

	snprintf(cause, sizeof(cause), "port %d is held by pid %ld (%s), which is not the engine", e->info.port,
	    (long)who, comm);
	v.kind = e->port_fixed ? VERDICT_FATAL : e->repicks < POLICY_REPICKS ? VERDICT_FREE : VERDICT_CRASH;
	snprintf(v.text, sizeof(v.text), "another process answers on its port");
	engine_dead(e, &v, cause);
}

/* True: the listener is the engine as far as can be told. Else the next step was taken here. */
static bool
owner_is_ours(struct engine *e)
{
	pid_t pids[ENGINE_MAX_PIDS], who = 0;
	char comm[64] = "?";
	size_t n;

	if (e->m->external)
		return true;
	n = host_engine_pids(e->pid, e->pgid, e->mark, pids, ENGINE_MAX_PIDS);
	if (host_port_owner(e->info.port, pids, n < ENGINE_MAX_PIDS ? n : ENGINE_MAX_PIDS, &who, comm, sizeof(comm)) !=
	    HOST_OWNER_OTHER) {
		e->probe.strangers = 0;
		return true;
	}
	if (++e->probe.strangers >= 2)
		stranger(e, who, comm);
	else
		later(e, STRANGER_MS);
	return false;
}

static void
check_passed(struct engine *e)
{
	struct engine_probe *p = &e->probe;

	p->ok_once = true;
	if (serving(e)) {
		if (p->misses >= WATCH_MISSES)
			log_info("engine", e->id, "the health check is ok again");
		p->misses = 0;
		e->info.check_ok_at = clock_ms();
		later(e, WATCH_MS);
		return;
	}
	if (!owner_is_ours(e))
		return;
	if (e->m->canary) {
		p->stage = PROBE_CANARY;
		start_probe(e);
		return;
	}
	engine_became_ready(e);
}

static void
canary_answered(struct engine *e)
{
	struct engine_probe *p = &e->probe;
	const char *text = strbuf_str(&p->answer);
	char line[300];

	if (p->status == 200) {
		engine_became_ready(e);
		return;
	}
	snprintf(line, sizeof(line), "a test completion was answered %d: %.200s", p->status, text);
	if (strstr(text, "thread died") != NULL || (is_mlx(e) && p->status == 404 && strstr(text, "\"error\"") != NULL)) {
		engine_output_trip(e, line);
		return;
	}
	if (p->status >= 400 && p->status < 500 && p->stage == PROBE_CANARY) {
		p->stage = PROBE_CANARY_CHAT;	/* an engine for chat only */
		start_probe(e);
		return;
	}
	if (p->status < 500 && ++p->refusals >= MAX_REFUSALS) {
		struct policy_verdict v = {.kind = VERDICT_CRASH, .reason = REASON_START_TIMEOUT};

		snprintf(v.text, sizeof(v.text), "it refuses to complete");
		engine_dead(e, &v, line);
		return;
	}
	missed(e, "refused");
}

static void
answered(struct engine *e)
{
	struct engine_probe *p = &e->probe;

	timer_stop(&p->timeout);
	if (p->stage != PROBE_CHECK && !serving(e)) {
		canary_answered(e);
		return;
	}
	if (p->status == 200) {
		check_passed(e);
		return;
	}
	/* mlx says 503 only of a dead generation thread, and lives on. */
	if (is_mlx(e) && p->status == 503 && p->ok_once)
		engine_output_trip(e, "its health check turned 503");
	missed(e, "bad status");
}

/* Callbacks of an exchange ----------------------------------------------------------------------------------------- */

static void
on_head(void *arg, const struct http_head *h)
{
	struct engine *e = arg;

	e->probe.status = h->status;
}

static void
on_body(void *arg, const char *b, size_t n)
{
	struct engine *e = arg;
	size_t room = ANSWER_BYTES - e->probe.answer.len;

	strbuf_add(&e->probe.answer, b, n < room ? n : room);
}

static void
on_end(void *arg)
{
	struct engine *e = arg;

	e->probe.x = NULL;
	answered(e);
}

static void
on_fail(void *arg, enum http_close why, bool received)
{
	struct engine *e = arg;

	(void)received;
	e->probe.x = NULL;
	timer_stop(&e->probe.timeout);
	missed(e, http_close_text(why));
}

static const struct http_xfer_ops ops = {.head = on_head, .body = on_body, .end = on_end, .fail = on_fail};

static void
on_timeout(void *arg)
{
	struct engine *e = arg;

	http_xfer_cancel(&e->probe.x);
	close_tcp(&e->probe);
	missed(e, "no answer in time");
}

/* A bare connect -------------------------------------------------------------------------------------------------- */

static void
tcp_done(struct engine *e, int err)
{
	close_tcp(&e->probe);
	timer_stop(&e->probe.timeout);
	if (err == 0)
		check_passed(e);
	else
		missed(e, strerror(err));
}

static void
on_tcp(void *arg, int what)
{
	struct engine *e = arg;
	int err = 0;
	socklen_t len = sizeof(err);

	(void)what;
	if (getsockopt(e->probe.tcp_fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
		err = errno;
	tcp_done(e, err);
}

static void
start_tcp(struct engine *e)
{
	struct engine_probe *p = &e->probe;

	p->tcp_fd = socket(p->target.addr.ss_family, SOCK_STREAM, 0);
	if (p->tcp_fd < 0) {
		missed(e, strerror(errno));
		return;
	}
	fcntl(p->tcp_fd, F_SETFD, FD_CLOEXEC);
	fcntl(p->tcp_fd, F_SETFL, fcntl(p->tcp_fd, F_GETFL) | O_NONBLOCK);
	watch_init(&p->tcp, e->env->loop, p->tcp_fd, on_tcp, e);
	if (connect(p->tcp_fd, (struct sockaddr *)&p->target.addr, p->target.addr_len) == 0 || errno == EINPROGRESS)
		watch_set(&p->tcp, LOOP_WRITE);
	else
		tcp_done(e, errno);
}

/* Starting one ------------------------------------------------------------------------------------------------------ */

static void
put_canary(struct engine *e, struct strbuf *body, bool chat)
{
	struct jsonw w = JSONW(body);
	const char *model = e->m->upstream_model;

	if (model == NULL && e->m->kind != NULL)
		model = e->m->kind->upstream_model;
	jw_obj(&w);
	if (model != NULL)
		jw_kstr(&w, "model", model);
	if (chat)
		jw_raw(&w, "\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]");
	else
		jw_kstr(&w, "prompt", "a");
	jw_kint(&w, "max_tokens", 1);
	jw_obj_end(&w);
}

static void
put_request(struct engine *e)
{
	struct engine_probe *p = &e->probe;
	struct strbuf body = STRBUF_INIT;
	bool canary = p->stage != PROBE_CHECK;

	strbuf_clear(&p->req);
	if (canary) {
		put_canary(e, &body, p->stage == PROBE_CANARY_CHAT);
		strbuf_printf(&p->req, "POST %s HTTP/1.1\r\n",
		    p->stage == PROBE_CANARY ? "/v1/completions" : "/v1/chat/completions");
	} else {
		strbuf_printf(&p->req, "GET %s HTTP/1.1\r\n", e->m->check_path);
	}
	strbuf_printf(&p->req, "Host: %s:%d\r\nUser-Agent: mai\r\nAccept: application/json\r\nConnection: close\r\n",
	    e->m->proxy_host == NULL ? "127.0.0.1" : e->m->proxy_host, e->info.port);
	if (canary)
		strbuf_printf(&p->req, "Content-Type: application/json\r\nContent-Length: %zu\r\n", body.len);
	strbuf_puts(&p->req, "\r\n");
	p->nhead = p->req.len;
	strbuf_add(&p->req, strbuf_str(&body), body.len);
	strbuf_fini(&body);
}

static void
start_probe(struct engine *e)
{
	struct engine_probe *p = &e->probe;

	if (e->pid == 0 || under_way(p))
		return;
	p->status = 0;
	strbuf_clear(&p->answer);
	if (p->stage == PROBE_CHECK)
		timer_set(&p->timeout, CHECK_TIMEOUT_MS);	/* a canary may wait for the whole load */
	if (p->stage == PROBE_CHECK && e->m->check_path == NULL) {
		start_tcp(e);
		return;
	}
	put_request(e);
	p->x = http_xfer_start(e->env->pool, &p->target, p->req.p, p->nhead, p->req.p + p->nhead,
	    p->req.len - p->nhead, false, &ops, e);
	if (p->x == NULL)
		missed(e, "no connection");
}

static void
on_next(void *arg)
{
	start_probe(arg);
}

void
engine_probe_init(struct engine *e)
{
	struct engine_probe *p = &e->probe;

	p->tcp_fd = -1;
	timer_init(&p->next, e->env->loop, on_next, e);
	timer_init(&p->timeout, e->env->loop, on_timeout, e);
	timer_init(&p->life, e->env->loop, engine_on_life, e);
}

void
engine_probe_start(struct engine *e)
{
	struct engine_probe *p = &e->probe;

	p->stage = PROBE_CHECK;
	p->ok_once = false;
	p->strangers = p->refusals = p->misses = 0;
	p->target = e->target;
	p->target.generation = 0;
	p->target.keep_alive = false;
	engine_life_start(e);
	later(e, policy_probe_delay(0));
}

void
engine_probe_watch(struct engine *e)
{
	timer_stop(&e->probe.life);
	e->probe.stage = PROBE_CHECK;
	e->probe.misses = 0;
	later(e, WATCH_MS);
}

void
engine_probe_soon(struct engine *e)
{
	if (serving(e) && !under_way(&e->probe))
		later(e, 0);
}

void
engine_probe_stop(struct engine *e)
{
	struct engine_probe *p = &e->probe;

	timer_stop(&p->next);
	timer_stop(&p->timeout);
	timer_stop(&p->life);
	http_xfer_cancel(&p->x);
	close_tcp(p);
}

void
engine_probe_fini(struct engine *e)
{
	engine_probe_stop(e);
	strbuf_fini(&e->probe.req);
	strbuf_fini(&e->probe.answer);
}
