/* SPDX-License-Identifier: ISC
 * The pretended core. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api_core.h"
#include "base/clock.h"
#include "base/xmalloc.h"
#include "http/http_listen.h"

struct core core;
static router_done_cb *held_cb;
static void *held_arg;

#define S(s) ((char[]){s})

static char *env[] = {S("HF_TOKEN=hidden"), S("PLAIN=seen"), NULL};
static char *ids[] = {S("a"), S("b"), S("org/c")};
static char theme[] = "default", file[] = "mai.yaml";
static char *argv_a[] = {S("fake"), S("--model"), S("a b"), NULL};

/* router ---------------------------------------------------------------------------------------------------------- */

static int
index_of(const char *id)
{
	for (int i = 0; id != NULL && i < CORE_MODELS; i++)
		if (strcmp(core.models[i].id, id) == 0)
			return i;
	return -1;
}

static struct router_row
row_of(int i)
{
	return (struct router_row){.engine = core.has_engine[i] ? (struct engine *)(void *)&core.info[i] : NULL,
	    .model = &core.models[i], .in_flight = i == core.current ? core.in_flight : 0,
	    .queued = i == core.current ? core.queued : 0, .current = i == core.current,
	    .pinned = core.models[i].pin};
}

uint64_t
engine_memory_need(const struct engine_env *all, const struct conf_model *m)
{
	(void)all;
	return m->memory;
}

bool
router_pin(struct router *r, const char *model, bool pin)
{
	int i = index_of(model);

	(void)r;
	if (i >= 0)
		core.models[i].pin = pin;
	return i >= 0;
}

void
router_each(struct router *r, void (*fn)(void *, const struct router_row *), void *arg)
{
	for (int i = 0; i < CORE_MODELS; i++) {
		struct router_row row = row_of(i);

		fn(arg, &row);
	}
}

bool
router_row(struct router *r, const char *model, struct router_row *out)
{
	int i = model == NULL ? core.current : index_of(model);

	if (i < 0)
		return false;
	*out = row_of(i);
	return true;
}

void
router_do(struct router *r, enum router_verb verb, const char *model, int max_tokens, bool force, const char *who,
    router_done_cb *cb, void *arg)
{
	core.verb = verb;
	snprintf(core.asked, sizeof(core.asked), "%s", model != NULL ? model : "(none)");
	snprintf(core.who, sizeof(core.who), "%s", who != NULL ? who : "");
	core.max_tokens = max_tokens;
	core.force = force;
	core.nverbs++;
	assert_null(held_cb);
	held_cb = cb;
	held_arg = arg;
}

void
core_finish_verb(void)
{
	router_done_cb *cb = held_cb;

	held_cb = NULL;
	if (cb != NULL)
		cb(held_arg, &core.outcome);
}

void
router_forget(struct router *r, void *arg)
{
	if (held_cb != NULL && held_arg == arg) {
		held_cb = NULL;
		core.forgotten++;
	}
}

const char *
router_current(const struct router *r)
{
	return core.current < 0 ? NULL : core.models[core.current].id;
}

const char *
router_last(const struct router *r)
{
	return core.last < 0 ? NULL : core.models[core.last].id;
}

int router_in_flight(const struct router *r) { return core.in_flight; }
int router_queued(const struct router *r) { return core.queued; }
uint64_t router_swaps(const struct router *r) { return 4; }
struct conf *router_conf(const struct router *r) { return &core.conf; }
void router_reload(struct router *r, struct conf *c) { core.reloads++; }
void router_extend(struct router *r, struct conf *c) { core.reloads++; }

bool
router_swapping(const struct router *r, const char **from, const char **to, int *step)
{
	if (core.swapping) {
		*from = "a";
		*to = "b";
		*step = 2;
	}
	return core.swapping;
}

/* engine ---------------------------------------------------------------------------------------------------------- */

const struct engine_info *
engine_info(struct engine *e)
{
	return (struct engine_info *)(void *)e;
}

void
engine_sample(struct engine *e)
{
	struct engine_info *i = (struct engine_info *)(void *)e;

	i->rss += 4096;
	i->cpu_ms += 10;
}

char *const *
engine_argv(struct engine *e)
{
	return argv_a;
}

/* proxy ----------------------------------------------------------------------------------------------------------- */

bool
proxy_claims(const struct proxy *p, struct http_str path)
{
	return http_str_eq(path, "/v1/chat/completions") || http_str_eq(path, "/v1/audio/voices");
}

void
proxy_handle(struct proxy *p, struct http_req *req)
{
	core.proxied++;
	http_reply(req, 200, "application/json", NULL, "{\"proxied\":1}", 13);
}

void
proxy_error(struct http_req *req, int status, const char *code, const char *message, const char *model,
    const char *state, const char *cause, int retry_after)
{
	char body[512];
	int n = snprintf(body, sizeof(body), "{\"error\":{\"message\":\"%s\",\"code\":\"%s\"}}", message, code);

	http_reply(req, status, "application/json", NULL, body, (size_t)n);
}

void
proxy_each(struct proxy *p, void (*fn)(void *, const struct proxy_row *), void *arg)
{
	for (size_t i = 0; i < core.nrows; i++)
		fn(arg, &core.rows[i]);
}

bool
proxy_cancel(struct proxy *p, uint64_t id)
{
	core.cancelled = id;
	return id == 7;
}

const struct http_head *
proxy_head(struct proxy *p, uint64_t id)
{
	static struct http_head head;
	static const char *const fields[][2] = {{"X-Plain", "seen"}, {"Authorization", "canary"}, {"cookie", "canary"},
		{"X-Api-Key", "canary"}};

	for (head.nfields = 0; head.nfields < ARRAY_LEN(fields); head.nfields++) {
		struct http_field *f = &head.fields[head.nfields];

		f->name = (struct http_str){fields[head.nfields][0], strlen(fields[head.nfields][0])};
		f->value = (struct http_str){fields[head.nfields][1], strlen(fields[head.nfields][1])};
	}
	return id == 7 ? &head : NULL;
}

void
proxy_totals(struct proxy *p, struct proxy_totals *out)
{
	*out = core.totals;
}

double
proxy_model_rate(struct proxy *p, const char *id)
{
	return strcmp(id, "a") == 0 ? core.rate : 0;
}

/* life ------------------------------------------------------------------------------------------------------------ */

static void
on_shutdown(void *arg, const char *who, bool force)
{
	core.forced = force;
	core.shutdowns++;
	snprintf(core.who, sizeof(core.who), "%s", who);
}

static int
on_reload(void *arg, struct err *e)
{
	core.reloads++;
	return core.reload_fails ? err_set(e, "mai.yaml:3:1: no such key") : 0;
}

static void
handler(void *arg, struct http_req *req)
{
	api_handle(core.api, req);
}

static void
fill_conf(void)
{
	core.conf = (struct conf){.refs = 1000, .models = core.list, .nmodels = CORE_MODELS, .route = ROUTE_SWAP,
	    .queue_max_wait = 300000, .theme = theme, .bell = true, .source = CONF_FILE, .path = file};
	for (int i = 0; i < CORE_MODELS; i++) {
		core.list[i] = &core.models[i];
		core.models[i] = (struct conf_model){.id = ids[i], .kind = conf_kind_find("mlx_lm"), .argv = argv_a, .env = env,
		    .max_attempts = 3, .health_check_timeout = 30000, .drain_timeout = 30000, .line = 4, .col = 3};
	}
}

static void
start(bool foreground)
{
	static const struct http_limits lim = {.max_head = 32768, .head_timeout = 10000, .idle_timeout = 75000,
	    .max_connections = 100};
	static const struct engine_exit none, died = {.valid = true, .reason = REASON_CRASH, .status = 9,
	    .text = "SIGKILL, not by us", .cause = "secret words of the engine", .wall_ms = 1700000000000, .uptime_ms = 12000,
	    .peak_rss = 5000, .attempt = 1};
	struct err e;

	core = (struct core){.current = 0, .last = 0, .outcome = {.ok = true, .model = "a"}};
	held_cb = NULL;
	fill_conf();
	for (int i = 0; i < CORE_MODELS; i++)
		core.info[i] = (struct engine_info){.last_exit = i == 1 ? &died : &none, .progress = -1, .max_attempts = 3};
	core.has_engine[0] = core.has_engine[1] = true;
	core.info[0].state = ENGINE_READY;
	core.info[0].pid = 4711;
	core.info[0].port = 9001;
	core.info[0].generation = 1;
	core.info[0].spawned_at = clock_ms() - 2500;
	core.info[0].rss = 1 << 20;
	core.loop = loop_new();
	core.bus = bus_new();
	core.ring = ring_new(65536, 1 << 20, 65536, 65536);
	core.metrics = metrics_new();
	core.server = http_server_new(core.loop, &lim, handler, NULL);
	assert_int_equal(http_server_listen_tcp(core.server, "127.0.0.1", &core.port, API_TAG_TCP, &e), 0);
	core.api = api_new(&(struct api_opts){.loop = core.loop, .bus = core.bus, .ring = core.ring,
	    .metrics = core.metrics, .conf = &core.conf, .port = 8081, .shutdown = on_shutdown, .reload = on_reload,
	    .instance = "test", .foreground = foreground});
}

void
core_start(void)
{
	start(true);
}

void
core_start_daemon(void)
{
	start(false);
}

void
core_stop(void)
{
	api_free(&core.api);
	assert_null(core.api);
	http_server_free(&core.server);
	metrics_free(&core.metrics);
	ring_free(&core.ring);
	bus_free(&core.bus);
	loop_free(&core.loop);
}

/* client ---------------------------------------------------------------------------------------------------------- */

struct peer *
peer_open(void)
{
	struct peer *p = xcalloc(1, sizeof(*p));
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)core.port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int small = 4096;

	p->fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_true(p->fd >= 0);
	setsockopt(p->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	assert_int_equal(connect(p->fd, (struct sockaddr *)&a, sizeof(a)), 0);
	fcntl(p->fd, F_SETFL, O_NONBLOCK);
	return p;
}

void
peer_close(struct peer **pp)
{
	close((*pp)->fd);
	strbuf_fini(&(*pp)->in);
	free(*pp);
	*pp = NULL;
	core_turn(3);
}

void
peer_send(struct peer *p, const char *text)
{
	assert_int_equal(send(p->fd, text, strlen(text), 0), (ssize_t)strlen(text));
}

void
core_turn(int n)
{
	while (n-- > 0)
		loop_once(core.loop, 2);
}

/* Whether the connection goes on. */
static bool
peer_read(struct peer *p)
{
	char buf[65536];
	ssize_t n;

	while ((n = recv(p->fd, buf, sizeof(buf), 0)) > 0)
		strbuf_add(&p->in, buf, (size_t)n);
	return n < 0 && errno == EAGAIN;
}

bool
peer_until(struct peer *p, const char *text)
{
	uint64_t end = clock_ms() + 5000;
	bool open = true;

	while (clock_ms() < end) {
		if (text != NULL && strstr(strbuf_str(&p->in), text) != NULL)
			return true;
		if (!open)
			return text == NULL;
		loop_once(core.loop, 2);
		open = peer_read(p);
	}
	return false;
}

const char *
ask(const char *method, const char *path, const char *extra, const char *body)
{
	static struct strbuf answer;
	struct strbuf req = STRBUF_INIT;
	struct peer *p = peer_open();
	uint64_t end = clock_ms() + 5000;

	strbuf_printf(&req, "%s %s HTTP/1.1\r\nHost: 127.0.0.1:8081\r\nConnection: close\r\n%s", method, path,
	    extra != NULL ? extra : "");
	if (body != NULL)
		strbuf_printf(&req, "Content-Length: %zu\r\n", strlen(body));
	strbuf_printf(&req, "\r\n%s", body != NULL ? body : "");
	peer_send(p, strbuf_str(&req));
	strbuf_fini(&req);
	do {
		loop_once(core.loop, 2);
		if (!core.hold)
			core_finish_verb();
	} while (peer_read(p) && clock_ms() < end);
	assert_true(clock_ms() < end);
	strbuf_fini(&answer);
	strbuf_puts(&answer, strbuf_str(&p->in));
	peer_close(&p);
	return strbuf_str(&answer);
}
