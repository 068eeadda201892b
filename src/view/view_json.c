/* SPDX-License-Identifier: ISC
 * The encoders, driven by the tables of fields. */
#include "base/json.h"
#include "view/view_int.h"

#define AT(type, obj, f) (*(const type *)(const void *)((const char *)(obj) + (f)->off))

static void
put_fields(struct jsonw *w, const struct view_field *f, const void *obj)
{
	for (; f->name != NULL; f++) {
		jw_key(w, f->name);
		switch (f->type) {
		case VT_STR:
		case VT_KEY:
			jw_str(w, AT(char *, obj, f));
			break;
		case VT_INT:
			jw_int(w, AT(int, obj, f));
			break;
		case VT_U64:
			jw_int(w, (int64_t)AT(uint64_t, obj, f));
			break;
		case VT_I64:
			jw_int(w, AT(int64_t, obj, f));
			break;
		case VT_DBL:
			jw_num(w, AT(double, obj, f));
			break;
		case VT_BOOL:
			jw_bool(w, AT(bool, obj, f));
			break;
		case VT_STATE:
			jw_str(w, engine_state_name(AT(enum engine_state, obj, f)));
			break;
		case VT_REASON:
			jw_str(w, engine_reason_name(AT(enum engine_reason, obj, f)));
			break;
		case VT_PHASE:
			jw_str(w, req_phase_name(AT(enum req_phase, obj, f)));
			break;
		}
	}
}

static void
put_one(struct strbuf *b, const struct view_field *f, const void *obj, uint64_t now)
{
	struct jsonw w = JSONW(b);

	jw_obj(&w);
	jw_kint(&w, "now", (int64_t)now);
	put_fields(&w, f, obj);
	jw_obj_end(&w);
}

void
view_put_hello(struct strbuf *b, const struct view *v, uint64_t now)
{
	put_one(b, view_hello_fields, v, now);
}

void
view_put_engine(struct strbuf *b, const struct view_engine *e, uint64_t now)
{
	put_one(b, view_engine_fields, e, now);
}

void
view_put_request(struct strbuf *b, const struct view_request *r, uint64_t now)
{
	put_one(b, view_request_fields, r, now);
}

void
view_put_gauges(struct strbuf *b, const struct view *v, uint64_t now)
{
	struct jsonw w = JSONW(b);

	jw_obj(&w);
	jw_kint(&w, "now", (int64_t)now);
	put_fields(&w, view_gauge_fields, v);
	jw_key(&w, "use");
	jw_arr(&w);
	for (size_t i = 0; i < v->nengines; i++) {
		const struct view_engine *e = &v->engines[i];

		if (e->pid == 0)
			continue;
		jw_arr(&w);
		jw_str(&w, e->id);
		jw_int(&w, (int64_t)e->rss);
		jw_int(&w, (int64_t)e->cpu_permille);
		jw_num(&w, e->tps);
		jw_arr_end(&w);
	}
	jw_arr_end(&w);
	jw_obj_end(&w);
}

static void
put_hist(struct jsonw *w, const char *key, const float *f, int n)
{
	jw_key(w, key);
	jw_arr(w);
	for (int i = 0; i < n; i++)
		jw_num(w, (double)f[i]);
	jw_arr_end(w);
}

void
view_put_snapshot(struct strbuf *b, const struct view *v, uint64_t now)
{
	struct jsonw w = JSONW(b);

	jw_obj(&w);
	jw_kint(&w, "now", (int64_t)now);
	put_fields(&w, view_hello_fields, v);
	put_fields(&w, view_gauge_fields, v);
	put_fields(&w, view_rest_fields, v);
	jw_key(&w, "engines");
	jw_arr(&w);
	for (size_t i = 0; i < v->nengines; i++) {
		jw_obj(&w);
		put_fields(&w, view_engine_fields, &v->engines[i]);
		jw_obj_end(&w);
	}
	jw_arr_end(&w);
	jw_key(&w, "requests");
	jw_arr(&w);
	for (size_t i = 0; i < v->nrequests; i++) {
		jw_obj(&w);
		put_fields(&w, view_request_fields, &v->requests[i]);
		jw_obj_end(&w);
	}
	jw_arr_end(&w);
	jw_key(&w, "history");
	jw_obj(&w);
	jw_kint(&w, "at", (int64_t)v->hist.at);
	put_hist(&w, "tps", v->hist.tps, v->hist.n);
	put_hist(&w, "rss_mib", v->hist.rss, v->hist.n);
	jw_obj_end(&w);
	jw_obj_end(&w);
}

void
view_put_log(struct strbuf *b, uint64_t next)
{
	strbuf_printf(b, "{\"next\":%llu}", (unsigned long long)next);
}

void
view_put_action(struct strbuf *b, const char *who, const char *text)
{
	struct jsonw w = JSONW(b);

	jw_obj(&w);
	jw_kstr(&w, "who", who);
	jw_kstr(&w, "text", text);
	jw_obj_end(&w);
}

void
view_put_shutdown(struct strbuf *b, const char *text)
{
	struct jsonw w = JSONW(b);

	jw_obj(&w);
	jw_kstr(&w, "text", text);
	jw_obj_end(&w);
}
