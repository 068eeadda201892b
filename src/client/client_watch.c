/* SPDX-License-Identifier: ISC
 * The event stream, connected again whenever it is lost. It never asks for what it missed (?since=): a core that was
 * restarted counts anew, and a snapshot is always right. */
#include "client/client.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/xmalloc.h"
#include "client/client_priv.h"
#include "client/client_sse.h"

#define SILENCE_MS 45000	/* three missed heartbeats */
#define REFUSAL_MAX 4096	/* of an error's body */

static const uint64_t retry_ms[] = {250, 500, 1000, 2000, 5000};

struct client_watch {
	struct client *c;
	char *viewer_line;		/* (owned) header line or NULL */
	const struct client_watch_ops *ops;
	void *arg;
	struct client_flight *flight;	/* NULL: waiting to try again */
	struct client_sse sse;
	struct strbuf refusal;		/* body of a status that is not 200 */
	struct timer retry, silence;
	int tries;			/* in a row, failed */
	bool is_up;
	int inside;			/* callbacks under way */
	bool dead;			/* freed from inside one */
};

static void connect_now(void *arg);

static void
free_watch(struct client_watch *w)
{
	client_sse_fini(&w->sse);
	strbuf_fini(&w->refusal);
	free(w->viewer_line);
	free(w);
}

/* After a callback: false when the watch is gone. */
static bool
leave(struct client_watch *w)
{
	w->inside--;
	if (!w->dead)
		return true;
	if (w->inside == 0)
		free_watch(w);
	return false;
}

static void
lost(struct client_watch *w, enum client_result why, const char *text)
{
	size_t last = ARRAY_LEN(retry_ms) - 1;
	uint64_t ms = retry_ms[w->tries < (int)last ? (size_t)w->tries : last];

	client_flight_free(&w->flight);
	timer_stop(&w->silence);
	client_sse_reset(&w->sse);
	w->is_up = false;
	w->tries++;
	timer_set(&w->retry, ms);
	w->inside++;
	w->ops->down(w->arg, why, text, w->tries, ms);
	leave(w);
}

static bool
on_event(void *arg, const char *event, const char *id, const char *data, size_t n)
{
	struct client_watch *w = arg;

	if (w->ops->event != NULL)
		w->ops->event(w->arg, event, id, data, n);
	return !w->dead;
}

static void
on_data(void *arg, int status, const char *p, size_t n)
{
	struct client_watch *w = arg;
	int r = 0;

	if (status != 200) {
		strbuf_add(&w->refusal, p, n < REFUSAL_MAX ? n : REFUSAL_MAX);
		return;
	}
	timer_set(&w->silence, SILENCE_MS);
	w->inside++;
	if (!w->is_up) {
		w->is_up = true;
		w->tries = 0;
		w->ops->up(w->arg);
	}
	if (!w->dead)
		r = client_sse_feed(&w->sse, p, n, on_event, w);
	if (leave(w) && r < 0)
		lost(w, CLIENT_FAILED, "an event is too large");
}

/* "401: No API key" out of an error body. */
static void
refusal_text(struct strbuf *out, int status, const struct strbuf *body)
{
	cJSON *j = json_parse(strbuf_str(body), body->len, NULL);
	const char *text = json_str(json_get(j, "error"), "message", json_str(j, "detail", NULL));

	strbuf_printf(out, "refused with %d%s%s", status, text != NULL ? ": " : "", text != NULL ? text : "");
	cJSON_Delete(j);
}

static void
on_done(void *arg, enum client_result r, int status, const char *p, size_t n, const char *text)
{
	struct client_watch *w = arg;
	struct strbuf why = STRBUF_INIT;

	(void)p;
	(void)n;
	w->flight = NULL;	/* it ends by itself */
	if (r != CLIENT_OK)
		strbuf_puts(&why, text);
	else if (status != 200)
		refusal_text(&why, status, &w->refusal);
	else
		strbuf_puts(&why, "the event stream ended");
	lost(w, r == CLIENT_OK ? CLIENT_FAILED : r, strbuf_str(&why));
	strbuf_fini(&why);
}

static void
on_silence(void *arg)
{
	lost(arg, CLIENT_FAILED, "no sign of life for 45 s");
}

static void
connect_now(void *arg)
{
	static const struct client_flight_ops ops = {.data = on_data, .done = on_done};
	struct client_watch *w = arg;
	const char *headers[] = {"Accept: text/event-stream", w->viewer_line, NULL};

	timer_stop(&w->retry);
	strbuf_clear(&w->refusal);
	timer_set(&w->silence, SILENCE_MS);
	w->flight = client_flight_new(w->c, "GET", "/api/events", NULL, headers, &ops, w);
}

struct client_watch *
client_watch_new(struct client *c, const char *viewer, const struct client_watch_ops *ops, void *arg)
{
	struct client_watch *w = xcalloc(1, sizeof(*w));

	w->c = c;
	w->ops = ops;
	w->arg = arg;
	if (viewer != NULL)
		w->viewer_line = xasprintf("X-Mai-Viewer: %s", viewer);
	w->refusal.max = REFUSAL_MAX;
	client_sse_init(&w->sse);
	timer_init(&w->retry, client_loop(c), connect_now, w);
	timer_init(&w->silence, client_loop(c), on_silence, w);
	connect_now(w);
	return w;
}

void
client_watch_retry_now(struct client_watch *w)
{
	if (w->flight == NULL)
		connect_now(w);
}

void
client_watch_free(struct client_watch **wp)
{
	struct client_watch *w = *wp;

	if (w == NULL)
		return;
	*wp = NULL;
	client_flight_free(&w->flight);
	timer_stop(&w->retry);
	timer_stop(&w->silence);
	w->dead = true;
	if (w->inside == 0)
		free_watch(w);
}
