/* SPDX-License-Identifier: ISC
 * What others learn of a request: bus events, the access line, counters. On every request's way, hence no lookups that
 * could be kept. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "proxy/proxy_priv.h"

static const char requests_total[] = "mai_requests_total";
static const char queue_seconds[] = "mai_queue_seconds";
static const char first_byte_seconds[] = "mai_first_byte_seconds";
static const char tokens_total[] = "mai_tokens_total";
static const char first_token_seconds[] = "mai_first_token_seconds";
static const char prompt_tokens_total[] = "mai_prompt_tokens_total";
static const char heartbeats_total[] = "mai_heartbeats_total";
static const char truncated_total[] = "mai_truncated_streams_total";

void
note_declare(struct metrics *m)
{
	if (m == NULL)
		return;
	metrics_declare(m, requests_total, METRIC_COUNTER, "Inference requests by model and status");
	metrics_declare(m, queue_seconds, METRIC_HISTOGRAM, "Time requests waited for an engine");
	metrics_declare(m, first_byte_seconds, METRIC_HISTOGRAM, "Time from the request to the first byte of its answer");
	metrics_declare(m, first_token_seconds, METRIC_HISTOGRAM,
	    "Time from the request to the first token of its stream");
	metrics_declare(m, tokens_total, METRIC_COUNTER, "Tokens generated, as counted on the wire");
	metrics_declare(m, prompt_tokens_total, METRIC_COUNTER, "Tokens of prompts, as the engines tell them");
	metrics_declare(m, truncated_total, METRIC_COUNTER, "Answers that were cut short");
	metrics_declare(m, heartbeats_total, METRIC_COUNTER, "Signs of life sent to streams that waited");
}

static void
publish(const struct txn *t, enum req_phase phase)
{
	struct bus_event e = {
		.kind = BUS_REQUEST, .id = t->id, .phase = phase, .model = t->pm != NULL ? t->pm->id : NULL,
	};

	if (t->p->o.bus != NULL)
		bus_publish(t->p->o.bus, &e);
}

void
note_phase(struct txn *t, enum req_phase phase)
{
	t->phase = phase;
	publish(t, phase);
}

/* The label set of one status of one model; made once. */
static const char *
code_labels(struct proxy_model *pm, int status, char *tmp, size_t size)
{
	char code[12];
	size_t i;

	for (i = 0; i < ARRAY_LEN(pm->codes) && pm->codes[i].code != 0; i++)
		if (pm->codes[i].code == status)
			return pm->codes[i].labels;
	snprintf(code, sizeof(code), "%d", status);
	if (i < ARRAY_LEN(pm->codes)) {
		pm->codes[i].code = status;
		tmp = pm->codes[i].labels;
		size = sizeof(pm->codes[i].labels);
	}
	return metrics_labels(tmp, size, "model", pm->id, "code", code, (char *)NULL);
}

static void
count(struct txn *t, int status)
{
	struct proxy *p = t->p;
	struct metrics *m = p->o.metrics;
	int64_t in = proxy_usage_in(&t->usage), out = proxy_usage_out(&t->usage);
	struct proxy_model *pm = t->pm;
	char tmp[340];

	p->done++;
	if (status >= 500 || t->usage.error)
		p->errors++;
	if (t->cut)
		p->truncated++;
	if (m == NULL)
		return;
	/* An unknown model is one series, whatever clients make up. */
	if (pm == NULL)
		pm = proxy_model_get(p, "");
	metrics_add(m, requests_total, code_labels(pm, status, tmp, sizeof(tmp)), 1);
	if (t->waited_ms != 0)
		metrics_observe(m, queue_seconds, pm->labels, (double)t->waited_ms / 1000);
	if (t->first_byte_at != 0 && !t->raw)
		metrics_observe(m, first_byte_seconds, pm->labels, (double)(t->first_byte_at - t->since) / 1000);
	if (t->first_token_at != 0)
		metrics_observe(m, first_token_seconds, pm->labels, (double)(t->first_token_at - t->since) / 1000);
	if (t->cut)
		metrics_add(m, truncated_total, pm->labels, 1);
	if (t->first_byte_at == 0)
		return;
	if (in > 0)
		metrics_add(m, prompt_tokens_total, pm->labels, (double)in);
	if (out > 0)
		metrics_add(m, tokens_total, pm->labels, (double)out);
}

static void
put_took(struct strbuf *b, uint64_t ms)
{
	strbuf_num(b, ms < 1000 ? ms : ms / 1000);
	if (ms >= 1000) {
		strbuf_putc(b, '.');
		strbuf_num(b, ms % 1000 / 100);
	}
	strbuf_puts(b, ms < 1000 ? " ms" : " s");
}

static void
access_line(struct txn *t, int status, uint64_t now)
{
	const struct http_head *h = http_req_head(t->req);
	struct http_str path = http_req_url(t->req)->path;
	int64_t in = proxy_usage_in(&t->usage), out = t->first_byte_at != 0 ? proxy_usage_out(&t->usage) : -1;
	struct strbuf *b = &t->p->line;

	strbuf_clear(b);
	strbuf_puts(b, http_req_peer(t->req));
	strbuf_putc(b, ' ');
	strbuf_add(b, h->method.p, h->method.n < 16 ? h->method.n : 16);
	strbuf_putc(b, ' ');
	strbuf_add(b, path.p, path.n < 120 ? path.n : 120);
	strbuf_putc(b, ' ');
	strbuf_num(b, (unsigned)status);
	strbuf_putc(b, ' ');
	put_took(b, now - t->since);
	if (out >= 0) {
		strbuf_putc(b, ' ');
		if (in >= 0) {
			strbuf_num(b, (uint64_t)in);
			strbuf_puts(b, " in ");
		}
		strbuf_num(b, (uint64_t)out);
		strbuf_puts(b, " out");
	}
	if (t->cut)
		strbuf_puts(b, " cut short");
	else if (t->usage.error)
		strbuf_puts(b, " with an error");
	ring_put(t->p->o.ring, RING_ACCESS, t->pm != NULL ? t->pm->id : NULL,
	    status >= 500 || t->cut || t->usage.error ? 'E' : status >= 400 ? 'W' : ' ', b->p, b->len);
}

static void
rate_add(struct proxy_rate *r, uint64_t second, uint64_t n)
{
	size_t i = second % ARRAY_LEN(r->slot);

	if (r->slot[i].second != second) {
		r->slot[i].second = second;
		r->slot[i].tokens = 0;
	}
	r->slot[i].tokens += n;
}

double
note_rate(const struct proxy_rate *r, uint64_t now)
{
	uint64_t second = now / 1000, sum = 0;

	/* The running second is incomplete and left out. */
	for (size_t i = 0; i < ARRAY_LEN(r->slot); i++)
		if (r->slot[i].second < second && r->slot[i].second + PROXY_RATE_SECONDS >= second)
			sum += r->slot[i].tokens;
	return (double)sum / PROXY_RATE_SECONDS;
}

void
note_tokens(struct txn *t, uint64_t now)
{
	struct proxy *p = t->p;
	int64_t out = proxy_usage_out(&t->usage);
	uint64_t n;

	if (out <= 0 || (uint64_t)out <= t->counted)
		return;
	n = (uint64_t)out - t->counted;
	t->counted = (uint64_t)out;
	p->tokens_out += n;
	rate_add(&p->rate, now / 1000, n);
	if (t->pm != NULL)
		rate_add(&t->pm->rate, now / 1000, n);
}

void
note_heartbeat(struct txn *t)
{
	if (t->p->o.metrics != NULL)
		metrics_add(t->p->o.metrics, heartbeats_total, t->pm->labels, 1);
}

void
note_end(struct txn *t, int status)
{
	uint64_t now = clock_ms();

	if (t->noted)
		return;
	t->noted = true;
	note_tokens(t, now);
	if (t->req != NULL && t->p->o.ring != NULL)
		access_line(t, status, now);
	count(t, status);
	/* One whose client left while its engine is read to the end stays in the list as what it is. */
	publish(t, REQ_DONE);
}
