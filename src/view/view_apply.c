/* SPDX-License-Identifier: ISC
 * Events into the view. Everything is decoded aside first, so that data that does not fit changes nothing. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "base/xmalloc.h"
#include "view/view_int.h"

#define TEXT_MAX 4096	/* bytes of a text */
#define MANY 4096	/* engines or requests in one view */

#define AT(type, obj, f) (*(type *)(void *)((char *)(obj) + (f)->off))

static int
bad(struct err *e, const struct view_field *f)
{
	return err_set(e, "field %s has the wrong type", f->name);
}

static int
get_number(const cJSON *j, double lo, double *out)
{
	if (!cJSON_IsNumber(j) || !(j->valuedouble >= lo && j->valuedouble <= 9e15))
		return -1;
	*out = j->valuedouble;
	return 0;
}

/* What comes from outside may hold what a terminal would obey. Owned by the caller. */
static char *
harmless(const char *s)
{
	struct strbuf b = STRBUF_INIT;

	text_clean(&b, s, strlen(s), TEXT_MAX);
	return strbuf_take(&b);
}

static int
get_field(const cJSON *j, const struct view_field *f, void *obj, struct err *e)
{
	double d;

	switch (f->type) {
	case VT_STR:
	case VT_KEY:
		if (!cJSON_IsString(j))
			return bad(e, f);
		free(AT(char *, obj, f));
		AT(char *, obj, f) = f->type == VT_KEY ? xstrdup(j->valuestring) : harmless(j->valuestring);
		return 0;
	case VT_BOOL:
		if (!cJSON_IsBool(j))
			return bad(e, f);
		AT(bool, obj, f) = cJSON_IsTrue(j);
		return 0;
	case VT_INT:
		if (get_number(j, -2147483647, &d) != 0 || d > 2147483647)
			return bad(e, f);
		AT(int, obj, f) = (int)d;
		return 0;
	case VT_U64:
		if (get_number(j, 0, &d) != 0)
			return bad(e, f);
		AT(uint64_t, obj, f) = (uint64_t)d;
		return 0;
	case VT_I64:
		if (get_number(j, -9e15, &d) != 0)
			return bad(e, f);
		AT(int64_t, obj, f) = (int64_t)d;
		return 0;
	case VT_DBL:
		if (get_number(j, -9e15, &d) != 0)
			return bad(e, f);
		AT(double, obj, f) = d;
		return 0;
	case VT_STATE:
	case VT_REASON:
	case VT_PHASE:
		break;
	}
	if (!cJSON_IsString(j))
		return bad(e, f);
	if (f->type == VT_STATE)
		AT(enum engine_state, obj, f) = engine_state_parse(j->valuestring, ENGINE_STOPPED);
	else if (f->type == VT_REASON)
		AT(enum engine_reason, obj, f) = engine_reason_parse(j->valuestring, REASON_NONE);
	else
		AT(enum req_phase, obj, f) = req_phase_parse(j->valuestring, REQ_READING);
	return 0;
}

/* Missing and null fields keep what obj holds. */
static int
get_fields(const cJSON *o, const struct view_field *f, void *obj, struct err *e)
{
	for (; f->name != NULL; f++) {
		const cJSON *j = json_get(o, f->name);

		if (j != NULL && !cJSON_IsNull(j) && get_field(j, f, obj, e) != 0)
			return -1;
	}
	return 0;
}

static int
get_engine(const cJSON *o, struct view_engine *out, struct err *e)
{
	*out = (struct view_engine){.progress = -1, .tps = -1};
	if (get_fields(o, view_engine_fields, out, e) != 0 || out->id == NULL) {
		view_engine_fini(out);
		return e != NULL && e->msg[0] != '\0' ? -1 : err_set(e, "an engine without id");
	}
	if (out->name == NULL)
		out->name = harmless(out->id);
	return 0;
}

static int
get_request(const cJSON *o, struct view_request *out, struct err *e)
{
	*out = (struct view_request){.tokens_in = -1, .tokens_out = -1, .prompt_done = -1, .prompt_total = -1,
	    .tokens_per_second = -1};
	if (get_fields(o, view_request_fields, out, e) != 0) {
		view_request_fini(out);
		return -1;
	}
	return 0;
}

static int
get_lists(const cJSON *o, struct view *v, struct err *e)
{
	const cJSON *engines = json_get(o, "engines"), *requests = json_get(o, "requests"), *j;

	if (!cJSON_IsArray(engines) || !cJSON_IsArray(requests) || cJSON_GetArraySize(engines) > MANY ||
	    cJSON_GetArraySize(requests) > MANY)
		return err_set(e, "a snapshot without engines or requests");
	v->engines = xcalloc((size_t)cJSON_GetArraySize(engines) + 1, sizeof(*v->engines));
	v->requests = xcalloc((size_t)cJSON_GetArraySize(requests) + 1, sizeof(*v->requests));
	cJSON_ArrayForEach(j, engines) {
		if (get_engine(j, &v->engines[v->nengines], e) != 0)
			return -1;
		v->nengines++;
	}
	cJSON_ArrayForEach(j, requests) {
		if (get_request(j, &v->requests[v->nrequests], e) != 0)
			return -1;
		v->nrequests++;
		if (v->nrequests > 1 && v->requests[v->nrequests - 1].id <= v->requests[v->nrequests - 2].id)
			return err_set(e, "requests out of order");
	}
	return 0;
}

static void
get_hist(const cJSON *o, struct view_hist *h)
{
	const cJSON *t = cJSON_GetArrayItem(json_get(o, "tps"), 0), *r = cJSON_GetArrayItem(json_get(o, "rss_mib"), 0);

	*h = (struct view_hist){.at = (uint64_t)json_int(o, "at", 0)};
	for (; t != NULL && r != NULL && h->n < VIEW_HIST; t = t->next, r = r->next) {
		h->tps[h->n] = cJSON_IsNumber(t) ? (float)t->valuedouble : -1;
		h->rss[h->n] = cJSON_IsNumber(r) ? (float)r->valuedouble : 0;
		h->n++;
	}
}

static void
set_skew(struct view *v, const cJSON *o, uint64_t local_ms)
{
	int64_t now = json_int(o, "now", -1);

	if (now >= 0)
		v->skew = now - (int64_t)local_ms;
}

/* What was seen of an engine stays with it. */
static void
keep_hist(struct view_engine *to, struct view_engine *from)
{
	if (to->pid == 0 || to->pid != from->pid)
		return;
	to->hist = from->hist;
	from->hist = NULL;
}

static int
apply_snapshot(struct view *v, const cJSON *o, uint64_t local_ms, struct err *e)
{
	struct view fresh;

	view_init(&fresh);
	if (get_fields(o, view_hello_fields, &fresh, e) != 0 || get_fields(o, view_gauge_fields, &fresh, e) != 0 ||
	    get_fields(o, view_rest_fields, &fresh, e) != 0 || get_lists(o, &fresh, e) != 0) {
		view_fini(&fresh);
		return -1;
	}
	get_hist(json_get(o, "history"), &fresh.hist);
	set_skew(&fresh, o, local_ms);
	/* What a snapshot does not tell stays. */
	for (size_t i = 0; i < fresh.nengines; i++) {
		struct view_engine *old = view_engine_find(v, fresh.engines[i].id);

		if (old != NULL && v->pid == fresh.pid)
			keep_hist(&fresh.engines[i], old);
	}
	fresh.action = v->action;
	fresh.action_who = v->action_who;
	fresh.action_n = v->action_n;
	v->action = v->action_who = NULL;
	view_fini(v);
	*v = fresh;
	return 0;
}

/* The strings among the fields that were decoded aside take the place of the old ones. */
static void
move_fields(const struct view_field *f, struct view *to, struct view *from)
{
	view_fields_fini(f, to);
	for (; f->name != NULL; f++) {
		switch (f->type) {
		case VT_STR:
		case VT_KEY:
			AT(char *, to, f) = AT(char *, from, f);
			AT(char *, from, f) = NULL;
			break;
		case VT_BOOL:
			AT(bool, to, f) = AT(bool, from, f);
			break;
		case VT_INT:
			AT(int, to, f) = AT(int, from, f);
			break;
		case VT_U64:
		case VT_I64:
			AT(uint64_t, to, f) = AT(uint64_t, from, f);
			break;
		case VT_DBL:
			AT(double, to, f) = AT(double, from, f);
			break;
		case VT_STATE:
		case VT_REASON:
		case VT_PHASE:
			break;	/* no such field in the view itself */
		}
	}
}

static int
apply_hello(struct view *v, const cJSON *o, uint64_t local_ms, struct err *e)
{
	struct view fresh;

	view_init(&fresh);
	if (get_fields(o, view_hello_fields, &fresh, e) != 0) {
		view_fini(&fresh);
		return -1;
	}
	move_fields(view_hello_fields, v, &fresh);
	set_skew(v, o, local_ms);
	return 0;
}

static void
note_use(struct view_engine *x, uint64_t now)
{
	if (x->hist == NULL)
		x->hist = xcalloc(1, sizeof(*x->hist));
	view_hist_push(x->hist, now, x->tps, x->rss);
}

static void
apply_use(struct view *v, const cJSON *list, uint64_t now)
{
	const cJSON *j;

	cJSON_ArrayForEach(j, list) {
		const cJSON *id = cJSON_GetArrayItem(j, 0), *rss = cJSON_GetArrayItem(j, 1),
			    *cpu = cJSON_GetArrayItem(j, 2), *tps = cJSON_GetArrayItem(j, 3);
		struct view_engine *x = cJSON_IsString(id) ? view_engine_find(v, id->valuestring) : NULL;

		if (x == NULL || !cJSON_IsNumber(rss) || !cJSON_IsNumber(cpu) || rss->valuedouble < 0 ||
		    cpu->valuedouble < 0 || rss->valuedouble > 9e15 || cpu->valuedouble > 9e15)
			continue;
		x->rss = (uint64_t)rss->valuedouble;
		x->cpu_permille = (uint64_t)cpu->valuedouble;
		/* A core of an older version does not tell. */
		if (cJSON_IsNumber(tps) && tps->valuedouble <= 9e15)
			x->tps = tps->valuedouble;
		note_use(x, now);
	}
}

static int
apply_gauges(struct view *v, const cJSON *o, struct err *e)
{
	struct view fresh;

	view_init(&fresh);
	if (get_fields(o, view_gauge_fields, &fresh, e) != 0) {
		view_fini(&fresh);
		return -1;
	}
	move_fields(view_gauge_fields, v, &fresh);
	apply_use(v, json_get(o, "use"), (uint64_t)json_int(o, "now", 0));
	view_hist_push(&v->hist, (uint64_t)json_int(o, "now", 0), v->tps, v->rss);
	return 0;
}

static int
apply_engine(struct view *v, const cJSON *o, struct err *e)
{
	struct view_engine x, *old;
	size_t i;

	if (get_engine(o, &x, e) != 0)
		return -1;
	old = view_engine_find(v, x.id);
	if (old != NULL) {
		keep_hist(&x, old);
		view_engine_fini(old);
		*old = x;
		return 0;
	}
	if (v->nengines >= MANY) {
		view_engine_fini(&x);
		return err_set(e, "too many engines");
	}
	v->engines = xreallocarray(v->engines, v->nengines + 1, sizeof(x));
	for (i = v->nengines; i > 0 && !x.discovered && v->engines[i - 1].discovered; i--)
		v->engines[i] = v->engines[i - 1];
	v->engines[i] = x;
	v->nengines++;
	return 0;
}

static int
apply_request(struct view *v, const cJSON *o, struct err *e)
{
	struct view_request x, *old;
	size_t i;

	if (get_request(o, &x, e) != 0)
		return -1;
	old = view_request_find(v, x.id);
	if (old != NULL) {
		view_request_fini(old);
		if (x.phase != REQ_DONE) {
			*old = x;
			return 0;
		}
		i = (size_t)(old - v->requests);
		v->nrequests--;
		memmove(old, old + 1, (v->nrequests - i) * sizeof(*old));
	}
	if (x.phase == REQ_DONE) {
		view_request_fini(&x);
		return 0;
	}
	if (v->nrequests >= MANY) {
		view_request_fini(&x);
		return err_set(e, "too many requests");
	}
	v->requests = xreallocarray(v->requests, v->nrequests + 1, sizeof(x));
	for (i = v->nrequests; i > 0 && v->requests[i - 1].id > x.id; i--)
		v->requests[i] = v->requests[i - 1];
	v->requests[i] = x;
	v->nrequests++;
	return 0;
}

static int
apply_action(struct view *v, const cJSON *o)
{
	const char *who = json_str(o, "who", NULL);

	free(v->action);
	free(v->action_who);
	v->action = harmless(json_str(o, "text", ""));
	v->action_who = who != NULL ? harmless(who) : NULL;
	v->action_n++;
	return 0;
}

static int
apply_shutdown(struct view *v, const cJSON *o)
{
	free(v->shutdown_text);
	v->shutdown_text = harmless(json_str(o, "text", ""));
	v->shutting_down = true;
	return 0;
}

static int
apply_log(struct view *v, const cJSON *o, struct err *e)
{
	int64_t next = json_int(o, "next", -1);

	if (next < 0)
		return err_set(e, "a log event without next");
	v->log_next = (uint64_t)next;
	return 0;
}

static int
apply(struct view *v, const char *event, const cJSON *o, uint64_t local_ms, struct err *e)
{
	if (strcmp(event, "hello") == 0)
		return apply_hello(v, o, local_ms, e);
	if (strcmp(event, "snapshot") == 0)
		return apply_snapshot(v, o, local_ms, e);
	if (strcmp(event, "engine") == 0)
		return apply_engine(v, o, e);
	if (strcmp(event, "request") == 0)
		return apply_request(v, o, e);
	if (strcmp(event, "gauges") == 0)
		return apply_gauges(v, o, e);
	if (strcmp(event, "log") == 0)
		return apply_log(v, o, e);
	if (strcmp(event, "action") == 0)
		return apply_action(v, o);
	return apply_shutdown(v, o);
}

int
view_apply(struct view *v, const char *event, const char *data, size_t n, uint64_t local_ms, struct err *e)
{
	static const char *const known[] = {"hello", "snapshot", "engine", "request", "gauges", "log", "action",
	    "shutdown"};
	struct err none = {{0}};
	size_t i;
	cJSON *o;
	int rc = -1;

	if (e == NULL)
		e = &none;
	e->msg[0] = '\0';
	for (i = 0; i < ARRAY_LEN(known) && strcmp(known[i], event) != 0; i++)
		;
	if (i == ARRAY_LEN(known))
		return 0;
	o = json_parse(data, n, e);
	if (cJSON_IsObject(o))
		rc = apply(v, event, o, local_ms, e);
	else if (o != NULL)
		err_set(e, "not an object");
	cJSON_Delete(o);
	return rc;
}
