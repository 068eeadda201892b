/* SPDX-License-Identifier: ISC
 * The last words of an engine: what it said before it died, and what says that it is dead while it lives. */
#include <stdio.h>

#include "base/strbuf.h"
#include "engine/engine_priv.h"

#define TRIP_MS 150	/* the traceback that follows tells more */

void
engine_output_cause(const struct engine *e, char *out, size_t size)
{
	const char *lines[ENGINE_TAIL + ENGINE_ERRS], *c;
	size_t n = engine_lines_get(&e->log.errs, lines);

	n += engine_lines_get(&e->log.tail, lines + n);
	c = policy_cause(e->log.cause, lines, n);
	snprintf(out, size, "%s", c == NULL ? "" : c);
}

char *
engine_output_tail(const struct engine *e)
{
	const char *lines[ENGINE_TAIL];
	size_t n = engine_lines_get(&e->log.tail, lines);
	struct strbuf b = STRBUF_INIT;

	if (n == 0)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			strbuf_putc(&b, '\n');
		strbuf_puts(&b, lines[i]);
	}
	return strbuf_take(&b);
}

void
engine_output_trip(struct engine *e, const char *line)
{
	struct engine_log *l = &e->log;

	if (l->trip_line[0] != '\0')
		return;
	snprintf(l->trip_line, sizeof(l->trip_line), "%s", line);
	timer_set(&l->trip, TRIP_MS);
}

void
engine_output_stop_trip(struct engine *e)
{
	timer_stop(&e->log.trip);
	e->log.trip_line[0] = '\0';
}

void
engine_on_trip(void *arg)
{
	struct engine *e = arg;
	struct engine_log *l = &e->log;
	struct policy_verdict v;
	bool starting = e->info.state == ENGINE_STARTING;
	struct policy_end end = {
		.status = 1 << 8, .was_ready = true, .starting = starting, .port_line = l->port_line,
		.port_fixed = e->port_fixed, .repicks = e->repicks, .permanent = l->permanent,
	};
	char cause[512];

	if (e->pid == 0)
		return;
	engine_output_cause(e, cause, sizeof(cause));
	if (cause[0] == '\0')
		snprintf(cause, sizeof(cause), "%s", l->trip_line);
	end.cause = cause;
	policy_judge(&end, &v);
	if (v.reason == REASON_CRASH && !starting)
		v.reason = REASON_WEDGED;
	snprintf(v.text, sizeof(v.text), "alive, but it says that it cannot work");
	engine_dead(e, &v, cause);
}
