/* SPDX-License-Identifier: ISC
 * GET /metrics: the counters kept along the way, and what is only looked up when somebody asks. Wakes nothing. */
#include <stdio.h>

#include "api/api_int.h"
#include "base/clock.h"
#include "host/host.h"

struct scrape {
	struct api *a;
	struct strbuf *b;
	enum { PASS_STATE, PASS_IN_FLIGHT, PASS_QUEUED, PASS_RSS, PASS_CPU, PASS_PEAK, PASS_STARTS, PASS_ATTEMPT,
		PASS_RATE } pass;
	const char *name;
};

static void
put_states(struct strbuf *b, const char *name, const char *model, enum engine_state now)
{
	char labels[600];

	for (int s = 0; s < ENGINE_NSTATES; s++)
		metrics_put_sample(b, name,
		    metrics_labels(labels, sizeof(labels), "model", model, "state", engine_state_name((enum engine_state)s),
		    (char *)NULL), s == (int)now ? 1 : 0);
}

static void
put_row(void *arg, const struct router_row *row)
{
	static const struct engine_info never = {.state = ENGINE_STOPPED};
	struct scrape *s = arg;
	const struct engine_info *i = row->engine != NULL ? engine_info(row->engine) : &never;
	char labels[600];
	double v = 0;

	switch (s->pass) {
	case PASS_STATE:
		put_states(s->b, s->name, row->model->id, i->state);
		return;
	case PASS_IN_FLIGHT:
		v = row->in_flight;
		break;
	case PASS_QUEUED:
		v = row->queued;
		break;
	case PASS_RSS:
		v = (double)i->rss;
		break;
	case PASS_CPU:
		v = (double)i->cpu_ms / 1000;
		break;
	case PASS_PEAK:
		v = (double)i->peak_rss;
		break;
	case PASS_STARTS:
		v = (double)i->starts;
		break;
	case PASS_ATTEMPT:
		v = i->attempt;
		break;
	case PASS_RATE:
		v = proxy_model_rate(s->a->o.proxy, row->model->id);
		break;
	}
	metrics_put_sample(s->b, s->name,
	    metrics_labels(labels, sizeof(labels), "model", row->model->id, (char *)NULL), v);
}

static void
put_engines(struct api *a, struct strbuf *b)
{
	static const struct {
		int pass;
		const char *name;
		enum metric_type type;
		const char *help;
	} families[] = {
		{PASS_STATE, "mai_engine_state", METRIC_GAUGE, "1 for the state that the model's engine is in."},
		{PASS_IN_FLIGHT, "mai_in_flight", METRIC_GAUGE, "Requests forwarded and not finished."},
		{PASS_QUEUED, "mai_queued", METRIC_GAUGE, "Requests that wait for their model."},
		{PASS_RSS, "mai_engine_rss_bytes", METRIC_GAUGE, "Resident memory of the engine's processes."},
		{PASS_CPU, "mai_engine_cpu_seconds", METRIC_GAUGE, "CPU time of the engine's living processes."},
		{PASS_PEAK, "mai_engine_peak_rss_bytes", METRIC_GAUGE, "Most resident memory seen."},
		{PASS_STARTS, "mai_engine_starts_total", METRIC_COUNTER, "Engine processes started."},
		{PASS_ATTEMPT, "mai_engine_restart_attempt", METRIC_GAUGE, "Which restart in a row this is; 0: none."},
		{PASS_RATE, "mai_model_tokens_per_second", METRIC_GAUGE, "Tokens generated, over the last 5 s."},
	};
	struct scrape s = {.a = a, .b = b};

	for (size_t i = 0; i < ARRAY_LEN(families); i++) {
		metrics_put_head(b, families[i].name, families[i].type, families[i].help);
		s.pass = families[i].pass;
		s.name = families[i].name;
		router_each(a->o.router, put_row, &s);
	}
}

static void
put_one(struct strbuf *b, const char *name, enum metric_type type, const char *help, double v)
{
	metrics_put_head(b, name, type, help);
	metrics_put_sample(b, name, NULL, v);
}

static void
put_core(struct api *a, struct strbuf *b)
{
	struct host_use use;
	struct proxy_totals t = {0};
	char labels[128];

	metrics_put_head(b, "mai_info", METRIC_GAUGE, "Always 1; the version is a label.");
	metrics_put_sample(b, "mai_info",
	    metrics_labels(labels, sizeof(labels), "version", PACKAGE_VERSION, (char *)NULL), 1);
	put_one(b, "mai_uptime_seconds", METRIC_GAUGE, "Since the core began.",
	    (double)(clock_ms() - a->started) / 1000);
	if (host_self_use(&use) == 0) {
		put_one(b, "mai_process_resident_memory_bytes", METRIC_GAUGE, "Resident memory of the core.",
		    (double)use.rss);
		put_one(b, "mai_process_cpu_seconds_total", METRIC_COUNTER, "CPU time of the core.",
		    (double)use.cpu_ms / 1000);
	}
	proxy_totals(a->o.proxy, &t);
	put_one(b, "mai_tokens_per_second", METRIC_GAUGE, "Tokens generated, over the last 5 s.",
	    t.tokens_per_second > 0 ? t.tokens_per_second : 0);
	put_one(b, "mai_swaps_total", METRIC_COUNTER, "Models swapped for another.",
	    (double)router_swaps(a->o.router));
	put_one(b, "mai_viewers", METRIC_GAUGE, "Dashboards attached.", hub_viewers(a->hub));
	put_one(b, "mai_log_bytes", METRIC_GAUGE, "Log lines held in memory.", (double)ring_bytes(a->o.ring));
}

static void
sample_one(void *arg, const struct router_row *row)
{
	(void)arg;
	if (row->engine != NULL && engine_info(row->engine)->pid != 0)
		engine_sample(row->engine);
}

void
api_get_metrics(struct api *a, struct api_req *q)
{
	struct strbuf b = STRBUF_INIT;

	router_each(a->o.router, sample_one, NULL);
	metrics_text(a->o.metrics, &b);
	put_engines(a, &b);
	put_core(a, &b);
	api_reply(q->req, 200, "text/plain; version=0.0.4; charset=utf-8", NULL, strbuf_str(&b), b.len);
	strbuf_fini(&b);
}
