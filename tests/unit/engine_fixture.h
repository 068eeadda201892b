/* SPDX-License-Identifier: ISC
 * One engine in an environment of its own, whose command is this very program as a child (engine_child.c). */
#ifndef UNIT_ENGINE_FIXTURE_H
#define UNIT_ENGINE_FIXTURE_H

#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "engine/engine.h"
#include "engine_child.h"
#include "host/host.h"

#define PATIENCE 10000

static struct {
	struct loop *loop;
	struct bus *bus;
	struct ring *ring;
	struct http_pool *pool;
	struct engine_env *env;
	struct engine *e;
	struct conf conf;
	struct conf_model m;
	struct conf_model *models[1];
	char dir[64], id[8], proxy[16], check[16];
	char trail[512];	/* states passed */
	int guard[2];
	int events, gone;
} t;

/* Of this run alone: marks are looked for in every process of the machine. */
static char instance[32] = "unit";

static inline const char *
marked(int generation)
{
	static char mark[64];

	snprintf(mark, sizeof(mark), "%s.%d", instance, generation);
	return mark;
}

static inline void
on_change(void *arg, struct engine *e, enum engine_state from, enum engine_state to)
{
	(void)arg;
	assert_ptr_equal(e, t.e);
	assert_int_not_equal(from, to);
	strncat(t.trail, engine_state_name(to), sizeof(t.trail) - strlen(t.trail) - 1);
	strncat(t.trail, " ", sizeof(t.trail) - strlen(t.trail) - 1);
}

static inline void
on_gone(void *arg, struct engine *e)
{
	(void)arg;
	assert_ptr_equal(e, t.e);
	assert_false(engine_info(e)->lingers);
	t.gone++;
}

static const struct engine_ops ops = {.changed = on_change, .gone = on_gone};

static inline void
quiet(void *arg, enum log_level level, const char *module, const char *ctx, const char *text)
{
	if (getenv("VERBOSE") != NULL)
		fprintf(stderr, "%llu %s %s %s\n", (unsigned long long)clock_ms(), module, ctx ? ctx : "", text);
	(void)arg;
	(void)level;
}

static inline void
make_env(void)
{
	const struct engine_env_opts o = {
		.loop = t.loop, .bus = t.bus, .ring = t.ring, .pool = t.pool, .instance = instance, .state_dir = t.dir,
		.guard_fd = t.guard[1],
	};

	t.env = engine_env_new(&o);
}

static inline int
setup(void **state)
{
	(void)state;
	memset(&t, 0, sizeof(t));
	log_set_sink(quiet, NULL);
	snprintf(t.dir, sizeof(t.dir), "/tmp/mai-unit-XXXXXX");
	assert_non_null(mkdtemp(t.dir));
	assert_int_equal(pipe(t.guard), 0);
	fcntl(t.guard[0], F_SETFL, O_NONBLOCK);
	fcntl(t.guard[0], F_SETFD, FD_CLOEXEC);
	fcntl(t.guard[1], F_SETFD, FD_CLOEXEC);
	snprintf(t.id, sizeof(t.id), "m");
	snprintf(t.proxy, sizeof(t.proxy), "127.0.0.1");
	snprintf(t.check, sizeof(t.check), "/health");
	t.conf = (struct conf){.models = t.models, .nmodels = 1, .start_port = 21000 + getpid() % 8000, .refs = 1000};
	t.models[0] = &t.m;
	t.m = (struct conf_model){
		.id = t.id, .kind = conf_kind_find("custom"), .check_path = t.check, .proxy_host = t.proxy,
		.health_check_timeout = 8000, .start_timeout = 9000, .stable_after = 60000, .max_attempts = 3,
		.backoff = 10, .backoff_max = 60000, .drain_timeout = 5000, .unload_timeout = 5000,
		.connect_timeout = 1000,
	};
	t.loop = loop_new();
	t.bus = bus_new();
	t.ring = ring_new(1 << 20, 4 << 20, 1 << 16, 1 << 16);
	t.pool = http_pool_new(t.loop);
	make_env();
	return 0;
}

static inline int
teardown(void **state)
{
	char path[128];

	(void)state;
	if (t.e != NULL) {
		engine_kill(t.e, REASON_SHUTDOWN);
		for (uint64_t end = clock_ms() + PATIENCE; clock_ms() < end &&
		    engine_info(t.e)->state != ENGINE_STOPPED;)
			loop_once(t.loop, 20);
		engine_free(&t.e);
	}
	engine_env_free(&t.env);
	http_pool_free(&t.pool);
	ring_free(&t.ring);
	bus_free(&t.bus);
	loop_free(&t.loop);
	strv_free(&t.m.argv);
	strv_free(&t.m.cmd_stop);
	strv_free(&t.m.env);
	close(t.guard[0]);
	close(t.guard[1]);
	snprintf(path, sizeof(path), "%s/engines-%s.json", t.dir, instance);
	unlink(path);
	rmdir(t.dir);
	return 0;
}

/* The command: this program as a child, with words. */
static inline void
engine_with(const char *words)
{
	char *copy = xstrdup(words), *save = NULL;

	strv_add(&t.m.argv, "/proc/self/exe");
	strv_add(&t.m.argv, "child");
	strv_add(&t.m.argv, "port=${PORT}");
	for (char *w = strtok_r(copy, ";", &save); w != NULL; w = strtok_r(NULL, ";", &save))
		strv_add(&t.m.argv, w);
	free(copy);
	t.e = engine_new(t.env, &t.conf, &t.m, &ops, NULL);
}

/* What is true for a moment only was true. */
#define UNTIL(cond)                                                                           \
	do {                                                                                  \
		uint64_t until_ = clock_ms() + PATIENCE;                                      \
		bool came_;                                                                   \
		while (!(came_ = (cond)) && clock_ms() < until_)                              \
			loop_once(t.loop, 20);                                                \
		if (!came_)                                                                   \
			fail_msg("waited in vain for %s; %s", #cond, t.trail);                \
	} while (0)
#define STATE() (engine_info(t.e)->state)
#define UNTIL_STATE(s) UNTIL(STATE() == (s))

static inline void
run_for(uint64_t ms)
{
	for (uint64_t end = clock_ms() + ms; clock_ms() < end;)
		loop_once(t.loop, 10);
}

static inline bool
find_line(void *arg, const struct ring_line *l)
{
	const char **want = arg;

	if (strstr(l->text, *want) == NULL)
		return true;
	*want = NULL;
	return false;
}

static inline bool
logged(const char *text)
{
	ring_read(t.ring, 1u << RING_CHILD, NULL, 1, find_line, &text, NULL);
	return text == NULL;
}

static inline size_t
left(void)
{
	pid_t pids[8];

	return host_engine_pids(0, 0, marked(1), pids, 8);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

/* What each of these programs does after its child has had its say. */
#define RUN(tests)                                                                            \
	do {                                                                                  \
		if (argc > 1)                                                                 \
			cmocka_set_test_filter(argv[1]);                                      \
		snprintf(instance, sizeof(instance), "unit%ld", (long)getpid());              \
		return cmocka_run_group_tests(tests, NULL, NULL);                             \
	} while (0)

#endif
