/* SPDX-License-Identifier: ISC */
#include "unit.h"

#include "bus/bus.h"
#include "http/http_listen.h"
#include "net.h"
#include "proxy/proxy.h"

/* A router and a configuration of the test's own ----------------------------------------------------------------- */

struct router {
	int unused;
};
struct ticket {
	bool waiting, requeued, untimed;
	router_cb *cb;
	void *arg;
};

static char own[] = "own", slash_extra[] = "/extra";
static char *extra[] = {slash_extra, (char[]){"/both"}, NULL}, *extra2[] = {(char[]){"/zwei"}, (char[]){"/both"}, NULL};
static char *aliases2[] = {(char[]){"z"}, NULL};
static struct conf_model qwen = {.id = (char[]){"qwen"}, .extra_paths = extra};
static struct conf_model zwei = {.id = (char[]){"org/zwei"}, .aliases = aliases2, .extra_paths = extra2};
static struct conf_model *models[] = {&qwen, &zwei};	/* the second where a test wants it */
static struct conf conf;
static struct router router;
static struct http_target target;
static struct ticket *newest;
static struct router_answer verdict;
static bool must_wait, grant_requeue;
static const struct conf_model *granted;
static const char *current, *swap_from;
static int ntickets, nsuspects, nrequeues, waited, nuntimed;
static char asked[300];
static struct engine_exit last_exit = {.valid = true, .text = "exit status 1", .cause = "out of luck"};
static struct engine_info info = {.state = ENGINE_BACKOFF, .last_exit = &last_exit, .attempt = 2};

struct conf *
conf_ref(struct conf *c)
{
	c->refs++;
	return c;
}

void
conf_unref(struct conf **cp)
{
	if (*cp != NULL)
		(*cp)->refs--;
	*cp = NULL;
}

struct conf_model *
conf_find(const struct conf *c, const char *name)
{
	for (size_t i = 0; i < c->nmodels; i++)
		if (strcmp(name, c->models[i]->id) == 0 ||
		    (c->models[i]->aliases != NULL && strcmp(name, c->models[i]->aliases[0]) == 0))
			return c->models[i];
	return NULL;
}

struct conf *
router_conf(const struct router *r)
{
	(void)r;
	return &conf;
}

const char *
router_last(const struct router *r)
{
	(void)r;
	return "qwen";
}

const char *
router_current(const struct router *r)
{
	(void)r;
	return current;
}

bool
router_swapping(const struct router *r, const char **from, const char **to, int *step)
{
	(void)r;
	*from = swap_from;
	*to = "another";
	*step = 1;
	return swap_from != NULL;
}

static void
grant(struct router_answer *a)
{
	*a = (struct router_answer){.model = granted, .target = &target, .generation = 1, .waited_ms = (uint64_t)waited};
}

struct ticket *
router_submit(struct router *r, const char *model, router_cb *cb, void *arg, struct router_answer *now, bool *waits)
{
	(void)r;
	snprintf(asked, sizeof(asked), "%s", model != NULL ? model : "(none)");
	*waits = false;
	if (verdict.refusal != REFUSE_NONE) {
		*now = verdict;
		return NULL;
	}
	granted = model != NULL && conf_find(&conf, model) != NULL ? conf_find(&conf, model) : &qwen;
	newest = calloc(1, sizeof(*newest));
	*newest = (struct ticket){.cb = cb, .arg = arg, .waiting = must_wait};
	ntickets++;
	*waits = must_wait;
	if (!must_wait)
		grant(now);
	return newest;
}

void
router_done(struct ticket **tp)
{
	if (*tp == NULL)
		return;
	ntickets--;
	free(*tp);
	*tp = NULL;
}

bool
router_requeue(struct ticket *t)
{
	if (t->requeued || !grant_requeue)
		return false;
	nrequeues++;
	return t->requeued = t->waiting = true;
}

void
router_untimed(struct ticket *t)
{
	t->untimed = true;
	nuntimed++;
}

int
router_position(const struct ticket *t)
{
	return t->waiting;
}

void
router_progress(struct ticket *t)
{
	(void)t;
}

void
router_suspect(struct ticket *t)
{
	(void)t;
	nsuspects++;
}

bool
router_row(struct router *r, const char *model, struct router_row *out)
{
	(void)r;
	(void)model;
	*out = (struct router_row){.engine = (struct engine *)&info, .model = &qwen};
	return true;
}

const struct engine_info *
engine_info(struct engine *e)
{
	(void)e;
	return &info;
}

static void
serve_waiter(void)
{
	struct router_answer a;

	grant(&a);
	newest->waiting = false;
	newest->cb(newest->arg, &a);
}

/* The bench ------------------------------------------------------------------------------------------------------ */

static struct loop *loop;
static struct http_server *srv;
static struct http_pool *pool;
static struct bus *bus;
static struct ring *ring;
static struct metrics *metrics;
static struct proxy *proxy;
static struct net_peer cl, up;
static int lfd, nrequests_seen;
static char last_access[400], last_level;

static void
handler(void *arg, struct http_req *req)
{
	(void)arg;
	assert_true(proxy_claims(proxy, http_req_url(req)->path));
	proxy_handle(proxy, req);
}

static int
listen_here(int *port)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 16), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	*port = ntohs(a.sin_port);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

static void
count_request(void *arg, const struct bus_event *e)
{
	(void)arg;
	(void)e;
	nrequests_seen++;
}

static struct bus_sub *sub;
static int front;

static int
setup(void **state)
{
	const struct http_limits lim = {32768, 10000, 75000, 100};
	struct err e;
	int port;

	(void)state;
	memset(&conf, 0, sizeof(conf));
	conf.models = models;
	conf.nmodels = 1;
	conf.max_body = 1 << 20;
	conf.body_memory = 4 << 20;
	conf.refs = 1;
	qwen.upstream_model = NULL;
	qwen.abort_drain = false;
	memset(&verdict, 0, sizeof(verdict));
	must_wait = false;
	grant_requeue = true;
	ntickets = nsuspects = nrequeues = waited = nrequests_seen = nuntimed = 0;
	current = swap_from = NULL;
	zwei.upstream_model = NULL;
	extra[0] = slash_extra;
	zwei.drain_timeout = qwen.drain_timeout = 30000;
	info.state = ENGINE_BACKOFF;
	last_access[0] = '\0';
	loop = loop_new();
	bus = bus_new();
	ring = ring_new(65536, 65536, 65536, 65536);
	metrics = metrics_new();
	pool = http_pool_new(loop);
	proxy = proxy_new(&(struct proxy_opts){loop, bus, ring, metrics, &router, pool});
	sub = bus_subscribe(bus, 1u << BUS_REQUEST, count_request, NULL);
	srv = http_server_new(loop, &lim, handler, NULL);
	front = 0;
	assert_int_equal(http_server_listen_tcp(srv, "127.0.0.1", &front, 0, &e), 0);
	lfd = listen_here(&port);
	assert_int_equal(http_target_set(&target, "127.0.0.1", port), 0);
	target.generation = 1;
	target.keep_alive = true;
	cl = net_connect(front);
	up.fd = -1;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	net_close(&cl);
	net_close(&up);
	proxy_free(&proxy);
	assert_int_equal(ntickets, 0);
	http_server_free(&srv);
	http_pool_free(&pool);
	bus_unsubscribe(&sub);
	bus_free(&bus);
	ring_free(&ring);
	metrics_free(&metrics);
	assert_int_equal(conf.refs, 1);
	close(lfd);
	loop_free(&loop);
	return 0;
}

#define UNTIL(cond) NET_UNTIL(loop, cond)

static bool
accepted(void)
{
	int fd = accept(lfd, NULL, NULL);

	if (fd < 0)
		return false;
	net_close(&up);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	up = (struct net_peer){.fd = fd};
	return true;
}

static void
post_to(const char *path, const char *body)
{
	char head[400];

	snprintf(head, sizeof(head), "POST %s HTTP/1.1\r\nHost: mai\r\nContent-Type: application/json\r\n"
	    "Authorization: Bearer secret\r\nX-Api-Key: secret\r\nCookie: secret\r\nAccept-Encoding: gzip\r\n"
	    "X-Forwarded-For: 1.2.3.4\r\nConnection: x-foo\r\nX-Foo: hop\r\nX-Keep: kept\r\n"
	    "Content-Length: %zu\r\n\r\n", path, strlen(body));
	net_send(&cl, head);
	net_send(&cl, body);
}

static void
post(const char *body)
{
	post_to("/v1/chat/completions", body);
}

static void
at_engine(const char *end)
{
	UNTIL(accepted());
	UNTIL(net_has(&up, end));
}

static bool
note_line(void *arg, const struct ring_line *l)
{
	(void)arg;
	snprintf(last_access, sizeof(last_access), "%s", l->text);
	last_level = l->level;
	return true;
}

static const char *
access_line(void)
{
	ring_read(ring, 1u << RING_ACCESS, NULL, 0, note_line, NULL, NULL);
	return last_access;
}

static void
engine_event(enum engine_state to, enum engine_reason why)
{
	const struct bus_event e = {
		.kind = BUS_ENGINE, .model = "qwen", .from = ENGINE_READY, .to = to, .reason = why,
	};

	bus_publish(bus, &e);
}

#define SSE_HEAD "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"

/* Requests ------------------------------------------------------------------------------------------------------- */

static void
test_plain(void **state)
{
	static const char answer[] = "{\"model\":\"qwen\",\"usage\":{\"prompt_tokens\":902,\"completion_tokens\":318}}";
	char head[300];

	(void)state;
	post("{\"model\":\"qwen\",\"x\":1}");
	at_engine("{\"model\":\"qwen\",\"x\":1}");
	assert_streq(asked, "qwen");
	assert_memory_equal(up.in.p, "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:", 52);
	assert_non_null(strstr(up.in.p, "\r\nContent-Length: 22\r\n"));
	assert_non_null(strstr(up.in.p, "\r\nX-Keep: kept\r\n"));
	assert_null(strstr(up.in.p, "secret"));
	assert_null(strstr(up.in.p, "gzip"));
	assert_null(strstr(up.in.p, "hop"));
	assert_null(strstr(up.in.p, "1.2.3.4"));
	assert_null(strstr(up.in.p, "chunked"));
	snprintf(head, sizeof(head), "HTTP/1.1 201 Created\r\nServer: engine\r\nAccess-Control-Allow-Origin: *\r\n"
	    "Date: long ago\r\nConnection: X-Hop\r\nX-Hop: 1\r\nX-Engine: yes\r\nContent-Type: application/json\r\n"
	    "Content-Length: %zu\r\n\r\n", strlen(answer));
	net_send(&up, head);
	net_send(&up, answer);
	UNTIL(net_has(&cl, answer));
	assert_memory_equal(cl.in.p, "HTTP/1.1 201 Created\r\n", 22);
	assert_non_null(strstr(cl.in.p, "\r\nX-Engine: yes\r\n"));
	assert_non_null(strstr(cl.in.p, "\r\nX-Mai-Model: qwen\r\n"));
	assert_non_null(strstr(cl.in.p, "\r\nX-Request-Id: "));
	assert_null(strstr(cl.in.p, "X-Queue-Ms"));
	assert_null(strstr(cl.in.p, "X-Hop"));
	assert_null(strstr(cl.in.p, "Access-Control"));
	assert_null(strstr(cl.in.p, "Server:"));
	assert_null(strstr(cl.in.p, "long ago"));
	assert_non_null(strstr(access_line(), " POST /v1/chat/completions 201 "));
	assert_non_null(strstr(last_access, " 902 in 318 out"));
	assert_int_equal(last_level, ' ');
	assert_int_equal(http_pool_idle(pool), 1);
	assert_int_equal(ntickets, 0);
	assert_true(nrequests_seen >= 4);
}

static void
test_stream(void **state)
{
	struct strbuf text = STRBUF_INIT;
	struct proxy_totals sum;

	(void)state;
	waited = 40;
	post("{\"stream\":true,\"model\":null}");
	at_engine("{\"stream\":true}");
	assert_streq(asked, "(none)");
	net_send(&up, SSE_HEAD);
	for (int i = 0; i < 3; i++)
		loop_once(loop, 2);
	net_read(&cl);
	assert_int_equal(cl.in.len, 0);	/* nothing before the first byte of content */
	net_send(&up, "f\r\n: ping\n\ndata: 1\r\n2\r\n\n\n\r\n");
	UNTIL(net_has(&cl, ": ping\n\ndata: 1"));
	assert_non_null(strstr(cl.in.p, "Content-Type: text/event-stream; charset=utf-8\r\n"));
	assert_non_null(strstr(cl.in.p, "X-Accel-Buffering: no\r\n"));
	assert_non_null(strstr(cl.in.p, "X-Queue-Ms: 40\r\n"));
	assert_non_null(strstr(cl.in.p, "Transfer-Encoding: chunked\r\n"));
	net_send(&up, "e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n");
	UNTIL(net_has(&cl, "e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"));
	proxy_totals(proxy, &sum);
	assert_int_equal(sum.done, 1);
	assert_int_equal(sum.truncated, 0);
	assert_int_equal(sum.tokens_out, 1);
	metrics_text(metrics, &text);
	assert_non_null(strstr(text.p, "mai_requests_total{model=\"qwen\",code=\"200\"} 1"));
	assert_non_null(strstr(text.p, "mai_tokens_total{model=\"qwen\"} 1"));
	strbuf_fini(&text);
}

static void
test_upstream_name(void **state)
{
	(void)state;
	qwen.upstream_model = (char[]){"default_model"};
	post("{\"model\":\"qwen\"}");
	at_engine("{\"model\":\"default_model\"}");
	net_send(&up, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 27\r\n\r\n{\"model\": \"defa");
	for (int i = 0; i < 3; i++)
		loop_once(loop, 2);
	net_send(&up, "ult_model\"}\n");
	UNTIL(net_has(&cl, "\r\n\r\n{\"model\": \"qwen\"}\n"));
	assert_null(strstr(cl.in.p, "default_model"));
	assert_non_null(strstr(cl.in.p, "Content-Length: 18\r\n"));
}

static void
test_defaults(void **state)
{
	(void)state;
	conf.fill_defaults = true;
	post("{\"model\":\"qwen\",\"temperature\":0}");
	at_engine("{\"max_tokens\":2048,\"top_p\":1.0,\"model\":\"qwen\",\"temperature\":0}");
	assert_non_null(strstr(up.in.p, "Content-Length: 62\r\n"));
}

static void
test_waits(void **state)
{
	(void)state;
	must_wait = true;
	post("{\"model\":\"qwen\"}");
	UNTIL(newest != NULL && ntickets == 1);
	for (int i = 0; i < 3; i++)
		loop_once(loop, 2);
	assert_false(accepted());
	waited = 1500;
	serve_waiter();
	at_engine("{\"model\":\"qwen\"}");
	net_send(&up, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	UNTIL(net_has(&cl, "\r\n\r\nok"));
	assert_non_null(strstr(cl.in.p, "X-Queue-Ms: 1500\r\n"));
}

static void
test_leaves_while_waiting(void **state)
{
	(void)state;
	must_wait = true;
	post("{\"model\":\"qwen\"}");
	UNTIL(ntickets == 1);
	net_close(&cl);
	UNTIL(ntickets == 0);
	assert_non_null(strstr(access_line(), " 499 "));
	assert_int_equal(last_level, 'W');
	assert_false(accepted());
}

static void
test_leaves_mid_stream(void **state)
{
	(void)state;
	post("{\"model\":\"qwen\"}");
	at_engine("{\"model\":\"qwen\"}");
	net_send(&up, SSE_HEAD "9\r\ndata: 1\n\n\r\n");
	UNTIL(net_has(&cl, "data: 1"));
	net_close(&cl);
	UNTIL(net_ended(&up));
	assert_int_equal(ntickets, 0);
	assert_non_null(strstr(access_line(), " 499 "));
}

static void
test_abort_drain(void **state)
{
	(void)state;
	qwen.abort_drain = true;
	post("{\"model\":\"qwen\"}");
	at_engine("{\"model\":\"qwen\"}");
	net_send(&up, SSE_HEAD "9\r\ndata: 1\n\n\r\n");
	UNTIL(net_has(&cl, "data: 1"));
	net_close(&cl);
	UNTIL(strstr(access_line(), " 499 ") != NULL);
	assert_int_equal(ntickets, 1);
	net_send(&up, "9\r\ndata: 2\n\n\r\n0\r\n\r\n");
	UNTIL(ntickets == 0);
	assert_false(net_ended(&up));
}

static void
test_refusals(void **state)
{
	static const struct {
		enum router_refusal r;
		const char *status, *code;
	} cases[] = {
		{REFUSE_NOT_FOUND, "404", "model_not_found"}, {REFUSE_CONFLICT, "409", "model_conflict"},
		{REFUSE_QUEUE_FULL, "503", "queue_full"}, {REFUSE_FAILED, "503", "engine_failed"},
		{REFUSE_SHUTDOWN, "503", "shutting_down"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char want[64];

		verdict = (struct router_answer){.refusal = cases[i].r, .cause = "because"};
		strbuf_clear(&cl.in);
		post("{\"model\":\"other\"}");
		snprintf(want, sizeof(want), "\"code\":\"%s\",\"param\":null}", cases[i].code);
		UNTIL(net_has(&cl, want));
		assert_memory_equal(cl.in.p + 9, cases[i].status, 3);
		assert_int_equal(strstr(cl.in.p, "\r\nRetry-After: ") != NULL, cases[i].status[0] == '5');
		assert_non_null(strstr(cl.in.p, "\"cause\":\"because\""));
	}
	verdict.refusal = REFUSE_NOT_FOUND;
	strbuf_clear(&cl.in);
	post_to("/v1/messages", "{\"model\":\"other\"}");
	UNTIL(net_has(&cl, "{\"type\":\"error\",\"error\":{\"message\":\"there is no model \\\"other\\\"; configured: qwen\""));
}

static void
test_bad_requests(void **state)
{
	(void)state;
	post("{\"model\":");
	UNTIL(net_has(&cl, "400 Bad Request"));
	assert_non_null(strstr(cl.in.p, "\"code\":\"bad_request\""));
	strbuf_clear(&cl.in);
	post("{\"model\":1}");
	UNTIL(net_has(&cl, "model is no string"));
	strbuf_clear(&cl.in);
	net_send(&cl, "GET /v1/chat/completions HTTP/1.1\r\nHost: x\r\n\r\n");
	UNTIL(net_has(&cl, "{\"detail\":\"Method Not Allowed\"}"));
	assert_non_null(strstr(cl.in.p, "Allow: POST\r\n"));
	strbuf_clear(&cl.in);
	net_send(&cl, "GET /props HTTP/1.1\r\nHost: x\r\n\r\n");
	UNTIL(net_has(&cl, "?model= is needed"));
	assert_int_equal(ntickets, 0);
	assert_false(accepted());
}

static void
test_other_ways_to_name(void **state)
{
	(void)state;
	net_send(&cl, "GET /props?model=qwen HTTP/1.1\r\nHost: x\r\n\r\n");
	at_engine("GET /props?model=qwen HTTP/1.1\r\n");
	assert_streq(asked, "qwen");
	net_send(&up, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
	UNTIL(net_has(&cl, "\r\n\r\n{}"));
	qwen.upstream_model = (char[]){"up"};
	net_send(&cl, "POST /v1/audio/transcriptions HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=\"B\"\r\n"
	    "Transfer-Encoding: chunked\r\n\r\n49\r\n--B\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper"
	    "\r\n--B--\r\n\r\n\r\n\r\n0\r\n\r\n");
	UNTIL(net_has(&up, "name=\"model\"\r\n\r\nup\r\n--B--"));
	assert_streq(asked, "whisper");
	assert_non_null(strstr(up.in.p, "Content-Length: 68\r\n"));
	net_send(&up, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
	UNTIL(net_has(&cl, "\r\n\r\nhi"));
	net_send(&cl, "GET /extra HTTP/1.1\r\nHost: x\r\n\r\n");
	UNTIL(net_has(&up, "GET /extra"));
	assert_false(proxy_claims(proxy, (struct http_str){"/slots", 6}));
	assert_false(proxy_claims(proxy, (struct http_str){"/v1/audio/", 10}));
}

static void
test_too_large(void **state)
{
	static char big[65536];

	(void)state;
	conf.max_body = 100000;
	net_send(&cl, "POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 100001\r\n\r\n");
	UNTIL(net_has(&cl, "HTTP/1.1 413 "));
	net_close(&cl);
	cl = net_connect(front);
	memset(big, ' ', sizeof(big));
	net_send(&cl, "POST /v1/completions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n20000\r\n");
	net_sendn(&cl, big, sizeof(big));
	for (int i = 0; i < 3; i++)
		loop_once(loop, 1);
	net_sendn(&cl, big, sizeof(big));
	UNTIL(net_has(&cl, "body_too_large"));
	assert_false(accepted());
}

static void
test_body_memory(void **state)
{
	static char big[65536];
	struct net_peer first = cl;

	(void)state;
	conf.body_memory = 1;	/* the first is over it at once, and goes on when it is alone */
	memset(big, ' ', sizeof(big));
	net_send(&first, "POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 65538\r\n\r\n{}");
	cl = net_connect(front);
	for (int i = 0; i < 3; i++)
		loop_once(loop, 2);
	net_sendn(&first, big, sizeof(big));
	for (int i = 0; i < 5; i++)
		loop_once(loop, 2);
	assert_int_equal(ntickets, 0);	/* paused */
	net_close(&first);
	UNTIL(strstr(access_line(), " 499 ") != NULL);
}

/* Engines that fail ---------------------------------------------------------------------------------------------- */

static void
test_no_answer(void **state)
{
	(void)state;
	post("{\"model\":\"qwen\"}");
	at_engine("{\"model\":\"qwen\"}");
	net_close(&up);
	UNTIL(net_has(&cl, "HTTP/1.1 502 "));
	assert_non_null(strstr(cl.in.p, "\"code\":\"bad_gateway\""));
	assert_int_equal(nsuspects, 1);
	assert_int_equal(nrequeues, 0);
	assert_false(accepted());	/* never sent twice */
	assert_non_null(strstr(access_line(), " 502 "));
	assert_int_equal(last_level, 'E');
}

static void
test_crash_is_invisible_once(void **state)
{
	(void)state;
	post("{\"model\":\"qwen\"}");
	at_engine("{\"model\":\"qwen\"}");
	/* Even when its header came. */
	net_send(&up, SSE_HEAD);
	for (int i = 0; i < 3; i++)
		loop_once(loop, 2);
	net_close(&up);
	loop_once(loop, 2);
	engine_event(ENGINE_BACKOFF, REASON_CRASH);
	UNTIL(nrequeues == 1);
	net_read(&cl);
	assert_int_equal(cl.in.len, 0);
	serve_waiter();
	at_engine("{\"model\":\"qwen\"}");
	assert_int_equal(net_count(&up, "POST "), 1);
	/* The second time it is told. */
	engine_event(ENGINE_BACKOFF, REASON_CRASH);
	net_close(&up);
	UNTIL(net_has(&cl, "\"code\":\"engine_crashed\""));
	assert_memory_equal(cl.in.p, "HTTP/1.1 502 ", 13);
	assert_non_null(strstr(cl.in.p, "\"cause\":\"out of luck\""));
	assert_non_null(strstr(cl.in.p, "\"exit\":\"exit status 1\""));
}

static void
test_stopped_meanwhile(void **state)
{
	(void)state;
	post("{\"model\":\"qwen\"}");
	at_engine("{\"model\":\"qwen\"}");
	engine_event(ENGINE_STOPPING, REASON_USER);
	UNTIL(net_ended(&up));	/* hung up on: it may wait for its clients */
	UNTIL(net_has(&cl, "HTTP/1.1 503 "));
	assert_int_equal(nrequeues, 0);
}

static void
test_malformed(void **state)
{
	(void)state;
	post("{\"model\":\"qwen\"}");
	at_engine("{\"model\":\"qwen\"}");
	net_send(&up, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\nX-Evil: 1\r\n\r\nab");
	UNTIL(net_has(&cl, "HTTP/1.1 502 "));
	assert_null(strstr(cl.in.p, "X-Evil"));
}

static void
cut_mid_stream(const char *path)
{
	post_to(path, "{\"model\":\"qwen\"}");
	at_engine("{\"model\":\"qwen\"}");
	net_send(&up, SSE_HEAD "c\r\ndata: 1\n\ndat\r\n");
	UNTIL(net_has(&cl, "data: 1"));
	net_close(&up);
	loop_once(loop, 2);
	engine_event(ENGINE_BACKOFF, REASON_CRASH);
	UNTIL(net_ended(&cl));
	assert_null(strstr(cl.in.p, "0\r\n\r\n"));
	assert_null(strstr(cl.in.p, "[DONE]"));
	assert_non_null(strstr(access_line(), " cut short"));
	assert_int_equal(last_level, 'E');
}

static void
test_death_mid_stream(void **state)
{
	struct proxy_totals sum;

	(void)state;
	cut_mid_stream("/v1/chat/completions");
	assert_non_null(strstr(cl.in.p, "dat\r\n"));
	assert_non_null(strstr(cl.in.p, "\n\ndata: {\"error\":{\"message\":"));
	assert_non_null(strstr(cl.in.p, "\"code\":\"engine_crashed\""));
	assert_non_null(strstr(cl.in.p, "\"cause\":\"out of luck\""));
	proxy_totals(proxy, &sum);
	assert_int_equal(sum.truncated, 1);
	net_close(&cl);
	cl = net_connect(front);
	cut_mid_stream("/v1/messages");
	assert_non_null(strstr(cl.in.p, "event: error\ndata: {\"type\":\"error\",\"error\":{"));
	net_close(&cl);
	cl = net_connect(front);
	cut_mid_stream("/v1/responses");
	assert_non_null(strstr(cl.in.p, "event: response.failed\ndata: {\"type\":\"response.failed\""));
}

static void
test_json_cut(void **state)
{
	(void)state;
	post("{\"model\":\"qwen\"}");
	at_engine("{\"model\":\"qwen\"}");
	net_send(&up, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{\"a\"");
	UNTIL(net_has(&cl, "{\"a\""));
	net_close(&up);
	UNTIL(net_ended(&cl));
	assert_null(strstr(cl.in.p, "error"));
}

/* mlx_lm.server: HTTP/1.0, the end of the connection ends the stream. */
static void
test_close_delimited(void **state)
{
	(void)state;
	target.keep_alive = false;
	post("{\"model\":\"qwen\"}");
	at_engine("{\"model\":\"qwen\"}");
	assert_non_null(strstr(up.in.p, "Connection: close\r\n"));
	net_send(&up, "HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\ndata: [DONE]\n\n");
	UNTIL(net_has(&cl, "data: [DONE]\n\n"));
	net_close(&up);
	UNTIL(net_has(&cl, "\r\n0\r\n\r\n"));
	strbuf_clear(&cl.in);
	post("{\"model\":\"qwen\"}");
	at_engine("{\"model\":\"qwen\"}");
	net_send(&up, "HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n");
	UNTIL(net_has(&cl, "data: 1\n\n"));
	net_close(&up);
	UNTIL(net_ended(&cl));
	assert_non_null(strstr(cl.in.p, "data: {\"error\":{"));
	assert_null(strstr(cl.in.p, "0\r\n\r\n"));
}

static void
test_slow_reader(void **state)
{
	static char chunk[65536];
	size_t sent = 0, body;

	(void)state;
	post("{\"model\":\"qwen\"}");
	at_engine("{\"model\":\"qwen\"}");
	memset(chunk, 'x', sizeof(chunk));
	net_send(&up, "HTTP/1.1 200 OK\r\nContent-Type: audio/wav\r\nContent-Length: 67108864\r\n\r\n");
	/* The engine cannot push more than sockets and one back-log hold. */
	for (int i = 0; i < 3000; i++) {
		ssize_t k = send(up.fd, chunk, sent + sizeof(chunk) > 67108864 ? 0 : sizeof(chunk), MSG_NOSIGNAL);

		if (k > 0)
			sent += (size_t)k;
		loop_once(loop, 0);
	}
	assert_true(sent < 48u << 20);
	while (sent < 67108864) {
		size_t n = 67108864 - sent < sizeof(chunk) ? 67108864 - sent : sizeof(chunk);
		ssize_t k = send(up.fd, chunk, n, MSG_NOSIGNAL);

		if (k > 0)
			sent += (size_t)k;
		loop_once(loop, 0);
		net_read(&cl);
	}
	UNTIL((net_read(&cl), cl.in.len > 67108864 && http_pool_idle(pool) == 1));
	UNTIL((net_read(&cl), body = cl.in.len - (size_t)(strstr(cl.in.p, "\r\n\r\n") + 4 - cl.in.p), body == 67108864));
}

static uint64_t row_id;
static enum req_phase row_phase;
static int row_position;

static void
see(void *arg, const struct proxy_row *row)
{
	(void)arg;
	row_id = row->id;
	row_phase = row->phase;
	row_position = row->position;
	assert_streq(row->model, "qwen");
	assert_streq(row->path, "/v1/chat/completions");
	assert_streq(row->api, "chat");
}

static void
test_rows_and_cancel(void **state)
{
	(void)state;
	must_wait = true;
	post("{\"model\":\"qwen\"}");
	UNTIL(ntickets == 1);
	proxy_each(proxy, see, NULL);
	assert_int_equal(row_phase, REQ_QUEUED);
	assert_int_equal(row_position, 1);
	assert_false(proxy_cancel(proxy, row_id + 1));
	assert_true(proxy_cancel(proxy, row_id));
	UNTIL(net_has(&cl, "\"code\":\"cancelled\""));
	assert_int_equal(ntickets, 0);
	must_wait = false;
	strbuf_clear(&cl.in);
	post("{\"model\":\"qwen\"}");
	at_engine("{\"model\":\"qwen\"}");
	proxy_each(proxy, see, NULL);
	assert_int_equal(row_phase, REQ_PREFILL);
	net_send(&up, SSE_HEAD "9\r\ndata: 1\n\n\r\n");
	UNTIL(net_has(&cl, "data: 1"));
	proxy_each(proxy, see, NULL);
	assert_int_equal(row_phase, REQ_GENERATING);
	assert_true(proxy_cancel(proxy, row_id));
	UNTIL(net_ended(&cl) && net_ended(&up));
	assert_non_null(strstr(cl.in.p, "\"code\":\"cancelled\""));
}

static void
test_ends_with_work(void **state)
{
	(void)state;
	post("{\"model\":\"qwen\"}");
	at_engine("{\"model\":\"qwen\"}");
	proxy_free(&proxy);
	UNTIL(net_has(&cl, "\"code\":\"shutting_down\""));
	UNTIL(net_ended(&up));
}

/* By /upstream/ and by paths of a model's own --------------------------------------------------------------------- */

static void
send_to(const char *method, const char *path, const char *fields, const char *body)
{
	char head[600];

	snprintf(head, sizeof(head), "%s %s HTTP/1.1\r\nHost: mai\r\n%sContent-Length: %zu\r\n\r\n", method, path, fields, strlen(body));
	net_send(&cl, head);
	net_send(&cl, body);
}

#define ANSWER "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 17\r\n\r\n{\"model\":\"inner\"}"

static void
one_answer(const char *status, const char *has)
{
	UNTIL(net_has(&cl, "\r\n\r\n") && net_has(&cl, has));
	assert_memory_equal(cl.in.p + 9, status, 3);
	strbuf_clear(&cl.in);
}

static void
test_upstream_inference(void **state)
{
	(void)state;
	conf.nmodels = 2;
	zwei.upstream_model = own;
	conf.fill_defaults = true;
	post_to("/upstream/org/zwei/v1/chat/completions?a=b", "{\"model\":\"mine\"}");
	at_engine("\r\n\r\n{\"model\":\"own\"}");
	assert_streq(asked, "org/zwei");
	assert_memory_equal(up.in.p, "POST /v1/chat/completions?a=b HTTP/1.1\r\n", 40);
	assert_null(strstr(up.in.p, "secret"));
	assert_int_equal(nuntimed, 0);
	net_send(&up, ANSWER);
	UNTIL(net_has(&cl, "\r\n\r\n{\"model\":\"mine\"}"));
	assert_non_null(strstr(cl.in.p, "X-Mai-Model: org/zwei\r\n"));
	assert_non_null(strstr(access_line(), " POST /upstream/org/zwei/v1/chat/completions 200 "));
	/* Without a name of its own the reply has the one that the path has. */
	strbuf_clear(&cl.in);
	strbuf_clear(&up.in);
	post_to("/upstream/z/v1/chat/completions", "{}");
	UNTIL(net_has(&up, "\r\n\r\n{\"model\":\"own\"}"));
	net_send(&up, ANSWER);
	UNTIL(net_has(&cl, "\r\n\r\n{\"model\":\"z\"}"));
	/* What cannot be read is refused, or another reader would find a name in it; nothing at all is let through. */
	strbuf_clear(&cl.in);
	post_to("/upstream/z/v1/chat/completions", "\xef\xbb\xbf{\"model\":\"x\"}");
	one_answer("400", "bad_request");
	strbuf_clear(&up.in);
	send_to("GET", "/upstream/z/v1/chat/completions", "", "");
	UNTIL(net_has(&up, "GET /v1/chat/completions "));
	assert_int_equal(nuntimed, 1);
	net_send(&up, ANSWER);
	one_answer("200", "\"z\"");
}

static void
see_upstream(void *arg, const struct proxy_row *row)
{
	(void)arg;
	assert_streq(row->api, "upstream");
	assert_streq(row->model, "org/zwei");
	assert_streq(row->path, "/upstream/z/any%20thing");
	row_id = row->id;
}

static void
test_upstream_raw(void **state)
{
	static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};

	(void)state;
	conf.nmodels = 2;
	zwei.upstream_model = own;
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		char line[80];

		post("{}");	/* a connection is open then */
		if (i == 0)
			at_engine("{}");
		UNTIL(net_has(&up, "{}"));
		net_send(&up, ANSWER);
		one_answer("200", "qwen");
		strbuf_clear(&up.in);
		row_id = 0;
		send_to(methods[i], "/upstream/z/any%20thing?x=%2f&model=q", "X-Api-Key: secret\r\n", "{\"model\":1} no JSON");
		snprintf(line, sizeof(line), "%s /any%%20thing?x=%%2f&model=q HTTP/1.1\r\n", methods[i]);
		UNTIL(net_has(&up, line) && net_has(&up, "\r\n\r\n{\"model\":1} no JSON"));
		assert_null(strstr(up.in.p, "secret"));
		assert_streq(asked, "org/zwei");
		assert_int_equal(nuntimed, i + 1);
		proxy_each(proxy, see_upstream, NULL);
		assert_int_not_equal(row_id, 0);
		net_send(&up, i == 1 ? "HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n" : ANSWER);
		one_answer("200", i == 1 ? "Content-Length: 17\r\n" : "{\"model\":\"inner\"}");
		strbuf_clear(&up.in);
	}
	/* Nothing is put into a stream whose meaning is not known. */
	post_to("/upstream/z/events", "x");
	UNTIL(net_has(&up, "\r\n\r\nx"));
	net_send(&up, SSE_HEAD "9\r\ndata: 1\n\n\r\n");
	UNTIL(net_has(&cl, "data: 1"));
	net_close(&up);
	UNTIL(net_ended(&cl));
	assert_null(strstr(cl.in.p, "error"));
	assert_null(strstr(cl.in.p, "0\r\n\r\n"));
}

static void
test_upstream_other_answers(void **state)
{
	(void)state;
	conf.nmodels = 2;
	send_to("GET", "/upstream/qwen", "", "");
	one_answer("308", "Location: /upstream/qwen/\r\n");
	send_to("POST", "/upstream/org/zwei?a=b", "", "");
	one_answer("308", "Location: /upstream/org/zwei/?a=b\r\n");
	send_to("GET", "/upstream/org/x", "", "");
	one_answer("404", "no configured model stands behind /upstream/org/x; configured: qwen, org/zwei");
	send_to("GET", "/upstream/org%2fzwei/", "", "");
	one_answer("400", "encoded slash");
	net_close(&cl);
	cl = net_connect(front);
	/* Parts of pages wake nobody. */
	send_to("GET", "/upstream/qwen/app.js?v=1", "", "");
	one_answer("409", "\"code\":\"model_conflict\"");
	info.state = ENGINE_READY;
	swap_from = "qwen";
	send_to("HEAD", "/upstream/qwen/app.js", "", "");
	UNTIL(net_has(&cl, "\r\n\r\n"));
	assert_memory_equal(cl.in.p + 9, "409", 3);
	strbuf_clear(&cl.in);
	swap_from = NULL;
	assert_int_equal(ntickets, 0);
	send_to("GET", "/upstream/qwen/app.js", "", "");
	at_engine("GET /app.js");
	net_send(&up, ANSWER);
	one_answer("200", "inner");
	/* Where the served one answers for every name, the other engine is not it. */
	conf.route = ROUTE_LOADED;
	current = "qwen";
	send_to("GET", "/upstream/z/", "", "");
	one_answer("409", "qwen is loaded and route is loaded");
	/* The path of the engine tells the shape. */
	verdict = (struct router_answer){.refusal = REFUSE_FAILED};
	send_to("POST", "/upstream/qwen/v1/messages/count_tokens", "", "{}");
	one_answer("503", "{\"type\":\"error\",\"error\":{");
	send_to("POST", "/upstream/qwen/v1/messagesx", "", "{}");
	one_answer("503", "{\"error\":{");
}

static void
test_own_paths(void **state)
{
	static const struct {
		const char *method, *path, *fields, *body, *asks;
	} good[] = {
		{"GET", "/zwei", "", "", "org/zwei"}, {"DELETE", "/zwei", "", "", "org/zwei"}, {"PUT", "/both", "", "", "qwen"},
		{"POST", "/zwei", "", "", "org/zwei"}, {"POST", "/zwei", "", "[1,{\"model\":\"x\"}]", "org/zwei"},
		{"POST", "/both", "", "{\"model\":\"z\"}", "z"}, {"PATCH", "/both?model=z", "", "", "z"},
		{"POST", "/both?model=z", "", "{\"model\":\"qwen\"}", "qwen"},
		{"POST", "/zwei", "Content-Type: text/plain\r\n", "hello", "org/zwei"},
	};
	static const struct {
		const char *method, *path, *body, *status, *has;
	} bad[] = {
		{"GET", "/zwei?model=qwen", "", "404", "this model has no such path"},
		{"POST", "/extra", "{\"model\":\"z\"}", "404", "this model has no such path"},
		{"POST", "/zwei", "{\"model\":\"z\",\"model\":\"y\"}", "400", "model is given twice"},
		{"POST", "/zwei", "{\"model\":\"z\"", "400", "ends too early"},
		{"POST", "/zwei", "\xef\xbb\xbf{\"model\":\"z\"}", "400", "bad_request"},
	};

	(void)state;
	conf.nmodels = 2;
	target.keep_alive = false;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		char line[80];

		send_to(good[i].method, good[i].path, good[i].fields, good[i].body);
		snprintf(line, sizeof(line), "%s %s HTTP/1.1\r\n", good[i].method, good[i].path);
		at_engine(line);
		UNTIL(net_has(&up, good[i].body));
		assert_streq(asked, good[i].asks);
		net_send(&up, ANSWER);
		one_answer("200", "\r\n\r\n");
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		send_to(bad[i].method, bad[i].path, "", bad[i].body);
		one_answer(bad[i].status, bad[i].has);
	}
	assert_int_equal(nuntimed, 0);
	/* The served model answers for all names, but not for paths that it has not. */
	conf.route = ROUTE_LOADED;
	conf.nmodels = 2;
	send_to("POST", "/extra", "", "{\"model\":\"z\"}");
	one_answer("404", "\"mai\":{\"model\":\"org/zwei\"}");
	assert_int_equal(ntickets, 0);
}

/* No type of content makes a body pass unread where JSON is due. */
static void
test_json_by_any_type(void **state)
{
	static const char *const types[] = {"application/octet-stream", "audio/wav", "multipart/form-data; boundary=x", "text/plain"};

	(void)state;
	qwen.upstream_model = own;
	target.keep_alive = false;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		char fields[100];

		snprintf(fields, sizeof(fields), "Content-Type: %s\r\n", types[i]);
		send_to("POST", "/v1/chat/completions", fields, "{\"model\":\"evil\"}");
		at_engine("{\"model\":\"own\"}");
		assert_streq(asked, "evil");
		net_send(&up, ANSWER);
		one_answer("200", "{\"model\":\"evil\"}");
	}
	send_to("POST", "/v1/audio/transcriptions", "Content-Type: multipart/form-data; boundary=x; boundary=y\r\n", "--x--");
	one_answer("400", "no usable boundary");
	send_to("POST", "/v1/audio/speech", "Content-Type: application/octet-stream\r\n", "\x01\x02");
	at_engine("\r\n\r\n\x01\x02");
	net_send(&up, ANSWER);
	one_answer("200", "\r\n\r\n");
}

static void
test_methods(void **state)
{
	static char responses[] = "/v1/responses";
	static const struct {
		const char *method, *path, *allow;
	} cases[] = {
		{"GET", "/v1/responses", "Allow: POST\r\n"}, {"DELETE", "/v1/images/generations", "Allow: POST\r\n"},
		{"PUT", "/props?model=qwen", "Allow: GET, HEAD, POST\r\n"}, {"OPTIONS", "/v1/embeddings", "Allow: POST\r\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		send_to(cases[i].method, cases[i].path, "", "");
		one_answer("405", cases[i].allow);
	}
	send_to("GET", "/v1/audio/voices", "", "");
	at_engine("GET /v1/audio/voices ");
	net_send(&up, ANSWER);
	one_answer("200", "\r\n\r\n");
	/* Where a model names it, also the others. */
	extra[0] = responses;
	send_to("GET", "/v1/responses", "", "");
	UNTIL(net_has(&up, "GET /v1/responses "));
	net_send(&up, ANSWER);
	one_answer("200", "\r\n\r\n");
}

/* Tunnels -------------------------------------------------------------------------------------------------------- */

#define WS_REQUEST "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\nOrigin: http://mai\r\n"
#define WS_ANSWER "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n" \
    "Sec-WebSocket-Accept: a\r\n\r\n"

static void
tunnel(const char *early)
{
	send_to("GET", "/upstream/qwen/ws", WS_REQUEST, early);
	at_engine("Connection: Upgrade\r\nUpgrade: websocket\r\n");
	assert_non_null(strstr(up.in.p, "GET /ws HTTP/1.1\r\n"));
	assert_non_null(strstr(up.in.p, "Sec-WebSocket-Key: k\r\n"));
	assert_null(strstr(up.in.p, "Origin"));
	strbuf_clear(&up.in);
	net_send(&up, WS_ANSWER);
	UNTIL(net_has(&cl, "\r\n\r\n"));
	assert_memory_equal(cl.in.p, "HTTP/1.1 101 Switching Protocols\r\n", 34);
	assert_non_null(strstr(cl.in.p, "Connection: Upgrade\r\nUpgrade: websocket\r\n"));
	assert_non_null(strstr(cl.in.p, "Sec-WebSocket-Accept: a\r\n"));
	assert_non_null(strstr(cl.in.p, "X-Mai-Model: qwen\r\n"));
	strbuf_clear(&cl.in);
}

static uint64_t row_in, row_out;

static void
see_tunnel(void *arg, const struct proxy_row *row)
{
	(void)arg;
	row_id = row->id;
	row_phase = row->phase;
	row_in = row->bytes_in;
	row_out = row->bytes_out;
}

static void
test_tunnel(void **state)
{
	(void)state;
	tunnel("");
	net_send(&cl, "from the client");
	UNTIL(net_has(&up, "from the client"));
	net_send(&up, "{\"model\":\"inner\"}");
	UNTIL(net_has(&cl, "{\"model\":\"inner\"}"));
	proxy_each(proxy, see_tunnel, NULL);
	assert_int_equal(row_phase, REQ_GENERATING);
	assert_int_equal(row_in, 15);
	assert_int_equal(row_out, 17);
	assert_int_equal(nuntimed, 1);
	assert_int_equal(ntickets, 1);
	net_send(&up, "bye");
	net_close(&up);
	UNTIL(net_ended(&cl));
	assert_streq(cl.in.p, "{\"model\":\"inner\"}bye");
	assert_false(cl.reset);
	assert_int_equal(ntickets, 0);
	assert_non_null(strstr(access_line(), " GET /upstream/qwen/ws 101 "));
	assert_int_equal(last_level, ' ');
	assert_int_equal(nsuspects, 0);
}

static void
test_tunnel_client_leaves(void **state)
{
	(void)state;
	tunnel("");
	net_send(&cl, "last");
	shutdown(cl.fd, SHUT_WR);
	UNTIL(net_ended(&up));
	assert_streq(up.in.p, "last");
	assert_int_equal(ntickets, 0);
	assert_non_null(strstr(access_line(), " 101 "));
}

/* Bytes that come too early wait for the 101; without one they are nobody's. */
static void
test_tunnel_early(void **state)
{
	static const char evil[] = "GET /upstream/qwen/evil HTTP/1.1\r\nHost: mai\r\n\r\n";

	(void)state;
	send_to("GET", "/upstream/qwen/ws", WS_REQUEST, "");
	net_send(&cl, evil);
	at_engine("Upgrade: websocket\r\n");
	for (int i = 0; i < 5; i++)
		loop_once(loop, 1);
	assert_null(strstr(up.in.p, "evil"));
	strbuf_clear(&up.in);
	net_send(&up, WS_ANSWER);
	UNTIL(net_has(&up, evil));
	assert_int_equal(ntickets, 1);
	net_close(&up);
	UNTIL(net_ended(&cl));
	net_close(&cl);
	cl = net_connect(front);
	send_to("GET", "/upstream/qwen/ws", WS_REQUEST, "");
	net_send(&cl, evil);
	at_engine("Upgrade: websocket\r\n");
	net_send(&up, "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
	UNTIL(net_ended(&cl));
	assert_non_null(strstr(cl.in.p, "HTTP/1.1 403 "));
	assert_non_null(strstr(cl.in.p, "Connection: close\r\n"));
	assert_non_null(strstr(cl.in.p, "\r\n\r\nno"));
	assert_null(strstr(up.in.p, "evil"));
	assert_int_equal(ntickets, 0);
}

static void
test_tunnel_not_asked(void **state)
{
	(void)state;
	send_to("GET", "/upstream/qwen/x", "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n", "");
	at_engine("\r\n\r\n");
	assert_null(strstr(up.in.p, "pgrade"));
	assert_null(strstr(up.in.p, "ettings"));
	net_send(&up, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n");
	one_answer("502", "malformed");
	/* Inference paths have no upgrades. */
	send_to("POST", "/v1/chat/completions", WS_REQUEST, "{}");
	at_engine("\r\n\r\n{}");
	assert_null(strstr(up.in.p, "ebsocket"));
	net_send(&up, ANSWER);
	one_answer("200", "\r\n\r\n");
	/* Another protocol than the one that was asked for. */
	send_to("GET", "/upstream/qwen/x", WS_REQUEST, "");
	strbuf_clear(&up.in);
	UNTIL(net_has(&up, "Upgrade: websocket\r\n"));
	net_send(&up, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: other\r\n\r\n");
	one_answer("502", "nobody asked for");
	UNTIL(net_ended(&up));
}

/* Both ways, whoever does not read holds back the other side, and no more than a little is kept. */
static void
test_tunnel_back_pressure(void **state)
{
	static char block[65536];
	struct net_peer *pair[2][2] = {{&up, &cl}, {&cl, &up}};

	(void)state;
	tunnel("");
	memset(block, 'b', sizeof(block));
	for (int i = 0; i < 2; i++) {
		struct net_peer *from = pair[i][0], *to = pair[i][1];
		size_t sent = 0, had = to->in.len, still = 0;

		while (still < 200) {
			ssize_t k = send(from->fd, block, sizeof(block), MSG_NOSIGNAL);

			still = k > 0 ? 0 : still + 1;
			sent += k > 0 ? (size_t)k : 0;
			assert_true(sent < 64u << 20);
			loop_once(loop, 0);
		}
		assert_true(sent > 300000);
		UNTIL((net_read(to), to->in.len == had + sent));
	}
	proxy_each(proxy, see_tunnel, NULL);
	assert_int_equal(row_in, up.in.len);
	assert_int_equal(row_out, cl.in.len);
}

static void
test_tunnel_is_stopped(void **state)
{
	struct proxy_totals sum;

	(void)state;
	tunnel("");
	engine_event(ENGINE_STOPPING, REASON_USER);
	UNTIL(net_ended(&cl) && net_ended(&up));
	assert_int_equal(ntickets, 0);
	proxy_totals(proxy, &sum);
	assert_int_equal(sum.done, 1);
	assert_int_equal(sum.truncated, 0);
	net_close(&cl);
	cl = net_connect(front);
	tunnel("");
	proxy_each(proxy, see_tunnel, NULL);
	assert_true(proxy_cancel(proxy, row_id));
	UNTIL(net_ended(&cl) && net_ended(&up));
	assert_null(strstr(strbuf_str(&cl.in), "cancelled"));
}

static void
drain_event(enum engine_state from, enum engine_state to)
{
	const struct bus_event e = {.kind = BUS_ENGINE, .model = "qwen", .from = from, .to = to, .reason = REASON_SWAP};

	bus_publish(bus, &e);
}

/* A drain that waits for requests as long as they take does not wait for a tunnel longer than drainTimeout. */
static void
test_tunnel_drains(void **state)
{
	uint64_t t0;

	(void)state;
	qwen.drain_timeout = 50;
	tunnel("");
	drain_event(ENGINE_READY, ENGINE_DRAINING);
	drain_event(ENGINE_DRAINING, ENGINE_READY);	/* it goes on */
	t0 = clock_ms();
	while (clock_ms() - t0 < 120)
		loop_once(loop, 10);
	net_send(&cl, "still");
	UNTIL(net_has(&up, "still"));
	t0 = clock_ms();
	drain_event(ENGINE_READY, ENGINE_DRAINING);
	net_send(&cl, " there");
	UNTIL(net_has(&up, "still there"));
	UNTIL(net_ended(&cl) && net_ended(&up));
	assert_true(clock_ms() - t0 >= 49);
	assert_int_equal(ntickets, 0);
	/* One that begins while its engine drains, too. */
	net_close(&cl);
	cl = net_connect(front);
	info.state = ENGINE_DRAINING;
	tunnel("");
	UNTIL(net_ended(&cl) && net_ended(&up));
}

/* The engine dies before it answered: the next one may have the upgrade. */
static void
test_tunnel_after_a_crash(void **state)
{
	(void)state;
	send_to("GET", "/upstream/qwen/ws", WS_REQUEST, "");
	at_engine("Upgrade: websocket\r\n");
	net_close(&up);
	loop_once(loop, 2);
	engine_event(ENGINE_BACKOFF, REASON_CRASH);
	UNTIL(nrequeues == 1);
	serve_waiter();
	at_engine("Upgrade: websocket\r\n");
	net_send(&up, WS_ANSWER);
	UNTIL(net_has(&cl, "HTTP/1.1 101 "));
	strbuf_clear(&up.in);
	net_send(&cl, "hi");
	UNTIL(net_has(&up, "hi"));
	proxy_free(&proxy);
	UNTIL(net_ended(&up) && net_ended(&cl));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_plain), T(test_stream), T(test_upstream_name), T(test_defaults), T(test_waits),
		T(test_leaves_while_waiting), T(test_leaves_mid_stream), T(test_abort_drain), T(test_refusals),
		T(test_bad_requests), T(test_other_ways_to_name), T(test_too_large), T(test_body_memory),
		T(test_no_answer), T(test_crash_is_invisible_once), T(test_stopped_meanwhile), T(test_malformed),
		T(test_death_mid_stream), T(test_json_cut), T(test_close_delimited), T(test_slow_reader),
		T(test_rows_and_cancel), T(test_ends_with_work), T(test_upstream_inference), T(test_upstream_raw),
		T(test_upstream_other_answers), T(test_own_paths), T(test_json_by_any_type), T(test_methods), T(test_tunnel),
		T(test_tunnel_client_leaves), T(test_tunnel_early), T(test_tunnel_not_asked), T(test_tunnel_back_pressure),
		T(test_tunnel_is_stopped), T(test_tunnel_drains), T(test_tunnel_after_a_crash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
