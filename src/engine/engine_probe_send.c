/* SPDX-License-Identifier: ISC
 * One probe as an exchange: the health check, a bare connect where there is none, or a completion of one token. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "engine/engine_priv.h"

#define CHECK_TIMEOUT_MS 5000
#define ANSWER_BYTES 4096

/* Callbacks ----------------------------------------------------------------------------------------- */

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
	engine_probe_answered(e);
}

static void
on_fail(void *arg, enum http_close why, bool received)
{
	struct engine *e = arg;

	(void)received;
	e->probe.x = NULL;
	timer_stop(&e->probe.timeout);
	e->probe.closed = why == HTTP_CLOSE_REFUSED;
	engine_probe_missed(e, http_close_text(why));
}

static const struct http_xfer_ops ops = {.head = on_head, .body = on_body, .end = on_end, .fail = on_fail};

static void
on_timeout(void *arg)
{
	engine_probe_late(arg);
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

/* A bare connect -------------------------------------------------------------------------------------------------- */

static void
tcp_done(struct engine *e, int err)
{
	close_tcp(&e->probe);
	timer_stop(&e->probe.timeout);
	e->probe.closed = err == ECONNREFUSED;
	if (err == 0)
		engine_probe_passed(e);
	else
		engine_probe_missed(e, strerror(err));
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
		engine_probe_missed(e, strerror(errno));
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

void
engine_probe_send(struct engine *e)
{
	struct engine_probe *p = &e->probe;
	bool check = p->stage == PROBE_CHECK;

	if (e->pid == 0 || engine_probe_under_way(e))
		return;
	p->status = 0;
	p->closed = false;
	strbuf_clear(&p->answer);
	/* While it starts a canary may wait for the whole load. */
	if (check)
		timer_set(&p->timeout, CHECK_TIMEOUT_MS);
	else if (e->info.state != ENGINE_STARTING)
		timer_set(&p->timeout, policy_canary_limit(e->m));
	p->expected = clock_ms() + timer_left(&p->timeout);
	if (check && e->m->check_path == NULL) {
		start_tcp(e);
		return;
	}
	put_request(e);
	p->x = http_xfer_start(e->env->pool, &p->target, p->req.p, p->nhead, p->req.p + p->nhead,
	    p->req.len - p->nhead, false, &ops, e);
	if (p->x == NULL)
		engine_probe_missed(e, "no connection");
}

bool
engine_probe_under_way(const struct engine *e)
{
	return e->probe.x != NULL || e->probe.tcp_fd >= 0;
}

void
engine_probe_cancel(struct engine *e)
{
	timer_stop(&e->probe.timeout);
	http_xfer_cancel(&e->probe.x);
	close_tcp(&e->probe);
}

void
engine_probe_send_init(struct engine *e)
{
	e->probe.tcp_fd = -1;
	timer_init(&e->probe.timeout, e->env->loop, on_timeout, e);
}
