/* SPDX-License-Identifier: ISC
 * A router and a configuration of the tests' own, and the proxy between a client and an engine that they play. */
#include "proxy_bench.h"

struct router {
	int unused;
};

static char first_extra[] = "/extra";
char *extra[] = {first_extra, (char[]){"/both"}, NULL};
static char *extra2[] = {(char[]){"/zwei"}, (char[]){"/both"}, NULL}, *aliases2[] = {(char[]){"z"}, NULL};
struct conf_model qwen = {.id = (char[]){"qwen"}, .extra_paths = extra};
struct conf_model zwei = {.id = (char[]){"org/zwei"}, .aliases = aliases2, .extra_paths = extra2};
static struct conf_model *models[] = {&qwen, &zwei};
static const struct conf_model *granted;
struct conf conf;
static struct router router;
struct http_target target;
struct ticket *newest;
struct router_answer verdict;
bool must_wait, grant_requeue, stops_when_done;
int ntickets, nsuspects, nrequeues, nprogress, nheld, nuntimed, waited, place;
const char *swap_from, *swap_to, *last_model, *leads_to;
char asked[300];
struct engine_exit last_exit = {.valid = true, .text = "exit status 1", .cause = "out of luck"};
struct engine_info info;

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
router_leads_to(struct router *r, const char *model)
{
	(void)r;
	return leads_to != NULL ? leads_to : conf.route == ROUTE_LOADED ? last_model : model;
}

const char *
router_ticket_model(const struct ticket *t)
{
	(void)t;
	return leads_to != NULL ? leads_to : granted->id;
}

const char *
router_last(const struct router *r)
{
	(void)r;
	return last_model;
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
	if (stops_when_done)
		engine_event(ENGINE_STOPPING, REASON_SWAP);
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
	return t->waiting ? place : 0;
}

void
router_held(struct ticket *t, bool held)
{
	(void)t;
	nheld += held ? 1 : -1;
}

void
router_progress(struct ticket *t)
{
	(void)t;
	nprogress++;
}

void
router_suspect(struct ticket *t)
{
	(void)t;
	nsuspects++;
}

bool
router_swapping(const struct router *r, const char **from, const char **to, int *step)
{
	(void)r;
	*from = swap_from;
	*to = swap_to;
	*step = 1;
	return swap_to != NULL;
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

const struct http_target *
engine_target(const struct engine *e)
{
	(void)e;
	return info.state == ENGINE_READY ? &target : NULL;
}

void
serve_waiter(void)
{
	struct router_answer a;

	grant(&a);
	newest->waiting = false;
	newest->cb(newest->arg, &a);
}

void
refuse_waiter(enum router_refusal why)
{
	struct router_answer a = {.refusal = why, .model = &qwen, .cause = "because", .retry_after = 60};

	newest->waiting = false;
	newest->cb(newest->arg, &a);
}

/* The bench ------------------------------------------------------------------------------------------------------ */

struct loop *loop;
struct http_server *srv;
struct http_pool *pool;
struct bus *bus;
struct ring *ring;
struct metrics *metrics;
struct proxy *proxy;
struct net_peer cl, up;
static int lfd;
int nrequests_seen;
char last_access[400], last_level;

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
int front;

int
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
	must_wait = stops_when_done = false;
	grant_requeue = true;
	ntickets = nsuspects = nrequeues = nprogress = nheld = nuntimed = waited = nrequests_seen = 0;
	place = 1;
	swap_from = swap_to = NULL;
	last_model = "qwen";
	leads_to = NULL;
	extra[0] = first_extra;
	zwei.upstream_model = NULL;
	zwei.drain_timeout = qwen.drain_timeout = 30000;
	info = (struct engine_info){.state = ENGINE_BACKOFF, .last_exit = &last_exit, .attempt = 2, .progress = -1};
	qwen.send_loading_state = false;
	qwen.first_byte_timeout = 0;
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

int
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

bool
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

void
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

void
post(const char *body)
{
	post_to("/v1/chat/completions", body);
}

void
send_to(const char *method, const char *path, const char *fields, const char *body)
{
	char head[600];

	snprintf(head, sizeof(head), "%s %s HTTP/1.1\r\nHost: mai\r\n%sContent-Length: %zu\r\n\r\n", method, path, fields,
	    strlen(body));
	net_send(&cl, head);
	net_send(&cl, body);
}

void
one_answer(const char *status, const char *has)
{
	UNTIL(net_has(&cl, "\r\n\r\n") && net_has(&cl, has));
	assert_memory_equal(cl.in.p + 9, status, 3);
	strbuf_clear(&cl.in);
}

void
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

const char *
access_line(void)
{
	ring_read(ring, 1u << RING_ACCESS, NULL, 0, note_line, NULL, NULL);
	return last_access;
}

void
engine_event(enum engine_state to, enum engine_reason why)
{
	const struct bus_event e = {
		.kind = BUS_ENGINE, .model = "qwen", .from = ENGINE_READY, .to = to, .reason = why,
	};

	bus_publish(bus, &e);
}

void
up_chunk(const char *data)
{
	char head[24];

	snprintf(head, sizeof(head), "%zx\r\n", strlen(data));
	net_send(&up, head);
	net_send(&up, data);
	net_send(&up, "\r\n");
}

void
up_last(void)
{
	net_send(&up, "0\r\n\r\n");
}
