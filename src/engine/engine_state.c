/* SPDX-License-Identifier: ISC
 * What outlives the core, in one small file: how long models took to load, and which engines live, so that a later core
 * can end what an earlier one left behind, and nothing else. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "engine/engine_priv.h"
#include "host/host.h"

#define LOADS 5
#define MAX_FILE (1u << 20)
#define MAX_ENTRIES 1000
#define SWEEP_MS 2000
#define DYING_MS 300

struct entry {
	char *id;	/* (owned) */
	uint64_t loads[LOADS];
	size_t nloads;	/* newest last */
	uint64_t peak_rss, written_peak, last_used;
};

struct orphan {
	pid_t pid, pgid;
	uint64_t start;
	char mark[ENGINE_MARK];
};

struct engine_store {
	char *path;		/* (owned) */
	struct entry *v;	/* (owned) */
	size_t n;
	struct orphan *left;	/* (owned) whom the core before us left */
	size_t nleft;
	pid_t core;		/* it */
	uint64_t core_start;
};

static struct entry *
entry_of(struct engine_store *s, const char *id, bool make)
{
	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->v[i].id, id) == 0)
			return &s->v[i];
	if (!make || s->n >= MAX_ENTRIES)
		return NULL;
	s->v = xreallocarray(s->v, s->n + 1, sizeof(*s->v));
	s->v[s->n] = (struct entry){.id = xstrdup(id)};
	return &s->v[s->n++];
}

static void
read_models(struct engine_store *s, const cJSON *models)
{
	const cJSON *m, *l;

	cJSON_ArrayForEach(m, models) {
		struct entry *en = m->string == NULL ? NULL : entry_of(s, m->string, true);

		if (en == NULL)
			return;
		en->peak_rss = en->written_peak = (uint64_t)json_int(m, "peak_rss", 0);
		en->last_used = (uint64_t)json_int(m, "last_used", 0);
		cJSON_ArrayForEach(l, json_get(m, "loads"))
			if (cJSON_IsNumber(l) && l->valuedouble > 0 && l->valuedouble < 1e12 && en->nloads < LOADS)
				en->loads[en->nloads++] = (uint64_t)l->valuedouble;
	}
}

static void
read_living(struct engine_store *s, const cJSON *living)
{
	const cJSON *e;

	cJSON_ArrayForEach(e, living) {
		struct orphan o = {
			.pid = (pid_t)json_int(e, "pid", 0), .pgid = (pid_t)json_int(e, "pgid", 0),
			.start = (uint64_t)json_int(e, "start", 0),
		};

		snprintf(o.mark, sizeof(o.mark), "%s", json_str(e, "mark", ""));
		if (o.pid <= 1 || o.pgid <= 1 || o.mark[0] == '\0' || s->nleft >= MAX_ENTRIES)
			continue;
		s->left = xreallocarray(s->left, s->nleft + 1, sizeof(*s->left));
		s->left[s->nleft++] = o;
	}
}

static void
read_file(struct engine_store *s)
{
	struct strbuf b = {.max = MAX_FILE};
	struct err err = {""};
	cJSON *j;
	ssize_t n;
	char *to;
	int fd = open(s->path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	while ((to = strbuf_room(&b, 4096)) != NULL && (n = read(fd, to, 4096)) > 0)
		strbuf_wrote(&b, (size_t)n);
	close(fd);
	j = json_parse(strbuf_str(&b), b.len, &err);
	if (j == NULL)
		log_warn("engine", NULL, "%s: %s; starting anew", s->path, err.msg);
	s->core = (pid_t)json_int(json_get(j, "core"), "pid", 0);
	s->core_start = (uint64_t)json_int(json_get(j, "core"), "start", 0);
	read_models(s, json_get(j, "models"));
	read_living(s, json_get(j, "living"));
	cJSON_Delete(j);
	strbuf_fini(&b);
}

struct engine_store *
engine_store_new(const char *dir, const char *instance)
{
	struct engine_store *s = xcalloc(1, sizeof(*s));

	s->path = xasprintf("%s/engines-%s.json", dir, instance);
	read_file(s);
	return s;
}

void
engine_store_free(struct engine_store **sp)
{
	struct engine_store *s = *sp;

	if (s == NULL)
		return;
	for (size_t i = 0; i < s->n; i++)
		free(s->v[i].id);
	free(s->v);
	free(s->left);
	free(s->path);
	free(s);
	*sp = NULL;
}

static void
put_models(struct jsonw *w, struct engine_store *s)
{
	jw_key(w, "models");
	jw_obj(w);
	for (size_t i = 0; i < s->n; i++) {
		jw_key(w, s->v[i].id);
		jw_obj(w);
		jw_key(w, "loads");
		jw_arr(w);
		for (size_t l = 0; l < s->v[i].nloads; l++)
			jw_int(w, (int64_t)s->v[i].loads[l]);
		jw_arr_end(w);
		jw_kint(w, "peak_rss", (int64_t)s->v[i].peak_rss);
		s->v[i].written_peak = s->v[i].peak_rss;
		jw_kint(w, "last_used", (int64_t)s->v[i].last_used);
		jw_obj_end(w);
	}
	jw_obj_end(w);
}

static void
put_living(struct jsonw *w, const struct engine_env *env)
{
	jw_key(w, "living");
	jw_arr(w);
	for (const struct engine *e = env->first; e != NULL; e = e->next) {
		if (e->pgid == 0)
			continue;
		jw_obj(w);
		jw_kstr(w, "model", e->id);
		jw_kint(w, "pid", e->info.pid != 0 ? e->info.pid : e->pgid);
		jw_kint(w, "pgid", e->pgid);
		jw_kint(w, "start", (int64_t)e->start_time);
		jw_kstr(w, "mark", e->mark);
		jw_obj_end(w);
	}
	jw_arr_end(w);
}

static int
write_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t w = write(fd, p, n);

		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return -1;
		p += w;
		n -= (size_t)w;
	}
	return 0;
}

/* Whole or not at all: written beside, then renamed. */
static void
write_file(struct engine_env *env)
{
	struct engine_store *s = env->store;
	struct strbuf b = STRBUF_INIT;
	struct jsonw w = JSONW(&b);
	char *tmp = xasprintf("%s.%ld", s->path, (long)getpid());
	int fd;

	jw_obj(&w);
	jw_key(&w, "core");
	jw_obj(&w);
	jw_kint(&w, "pid", getpid());
	jw_kint(&w, "start", (int64_t)host_start_time(getpid()));
	jw_obj_end(&w);
	put_models(&w, s);
	put_living(&w, env);
	jw_obj_end(&w);
	fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write_all(fd, strbuf_str(&b), b.len) < 0 || rename(tmp, s->path) < 0) {
		log_warn("engine", NULL, "%s: %s", s->path, strerror(errno));
		unlink(tmp);
	}
	if (fd >= 0)
		close(fd);
	free(tmp);
	strbuf_fini(&b);
}

void
engine_store_alive(struct engine_env *env)
{
	if (env->store != NULL)
		write_file(env);
}

void
engine_store_loaded(struct engine_env *env, const char *id, uint64_t ms)
{
	struct entry *en = env->store == NULL ? NULL : entry_of(env->store, id, true);

	if (en == NULL)
		return;
	if (en->nloads == LOADS) {
		memmove(en->loads, en->loads + 1, (LOADS - 1) * sizeof(*en->loads));
		en->nloads--;
	}
	en->loads[en->nloads++] = ms > 0 ? ms : 1;
	en->last_used = clock_wall_ms();
	write_file(env);
}

void
engine_store_peak(struct engine_env *env, const char *id, uint64_t rss)
{
	struct entry *en = env->store == NULL ? NULL : entry_of(env->store, id, true);

	if (en == NULL)
		return;
	en->last_used = clock_wall_ms();
	if (rss > en->peak_rss)
		en->peak_rss = rss;
	/* The rest is written with the change of who lives that follows each end. */
	if (en->peak_rss > en->written_peak + en->written_peak / 8)
		write_file(env);
}

uint64_t
engine_store_usual(const struct engine_env *env, const char *id)
{
	struct entry *en = env->store == NULL ? NULL : entry_of(env->store, id, false);

	return en == NULL ? 0 : policy_median(en->loads, en->nloads);
}

uint64_t
engine_store_peak_of(const struct engine_env *env, const char *id)
{
	struct entry *en = env->store == NULL ? NULL : entry_of(env->store, id, false);

	return en == NULL ? 0 : en->peak_rss;
}

/* Of a recorded engine: whose pid and start time match, or who is in its group and younger, or who escaped from both and was
 * taken in by init; all must carry the mark. */
static size_t
orphans_of(const struct orphan *o, pid_t *pids, size_t max)
{
	size_t n = host_engine_pids(o->pid, o->pgid, NULL, pids, max), k = 0;

	n = n < max ? n : max;
	n += host_orphans(o->mark, pids + n, max - n);
	for (size_t i = 0; i < n; i++) {
		uint64_t start = host_start_time(pids[i]);

		if (start != 0 && host_carries(pids[i], o->mark) &&
		    (pids[i] == o->pid ? start == o->start : start >= o->start))
			pids[k++] = pids[i];
	}
	return k;
}

/* One may be listed twice, or be found through two entries while it is dying: it counts once. */
static size_t
kill_orphans(const struct engine_store *s)
{
	pid_t pids[ENGINE_MAX_PIDS], killed[ENGINE_MAX_PIDS];
	size_t all = 0;

	for (size_t i = 0; i < s->nleft; i++) {
		size_t n = orphans_of(&s->left[i], pids, ENGINE_MAX_PIDS);

		for (size_t k = 0; k < n && all < ENGINE_MAX_PIDS; k++) {
			bool again = false;

			for (size_t l = 0; l < all; l++)
				again = again || killed[l] == pids[k];
			if (!again && kill(pids[k], SIGKILL) == 0)
				killed[all++] = pids[k];
		}
	}
	return all;
}

/* Not as a zombie: nobody may have waited for it yet. */
static bool
core_lives(const struct engine_store *s)
{
	pid_t any;

	return s->core > 1 && s->core != getpid() && host_start_time(s->core) == s->core_start &&
	    host_engine_pids(s->core, 0, NULL, &any, 1) > 0;
}

int
engine_env_sweep(struct engine_env *env)
{
	struct engine_store *s = env->store;
	uint64_t until = clock_ms() + SWEEP_MS, dying = clock_ms() + DYING_MS;
	size_t n;

	if (s == NULL || s->nleft == 0)
		return 0;
	/* While their core lives they are no orphans; one that was just killed may take a moment. */
	while (core_lives(s)) {
		if (clock_ms() >= dying)
			return 0;
		poll(NULL, 0, 5);
	}
	n = kill_orphans(s);
	if (n > 0)
		log_warn("engine", NULL, "killed %zu process%s that an earlier core left behind", n,
		    n == 1 ? "" : "es");
	while (kill_orphans(s) > 0 && clock_ms() < until)
		poll(NULL, 0, 5);
	s->nleft = 0;
	engine_store_alive(env);
	return (int)n;
}
