/* SPDX-License-Identifier: ISC
 * Log lines from the core: new ones by sequence number, one call at a time, so that a flood costs a screenful for each
 * call; old ones backwards when somebody wants to see them. */
#include "app/top_priv.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#define FETCH_MS 100		/* not more often than this */
#define FETCH_BYTES (128 * 1024)
#define FIRST_LINES 2000	/* of history, at first */
#define BEHIND_LINES 5000	/* further behind than this the flood is left to the core */
#define FLOOD_LINES 300
#define OLDER_LINES 500
#define OLDER_MOST (1u << 24)

/* Says what was left out, once what is not of an engine has been fetched. */
static void
end_skip(struct top_link *l)
{
	uint64_t lines = l->skip_to - l->skip_from - (uint64_t)l->skip_got;
	char text[64];

	if (lines > 0) {
		snprintf(text, sizeof(text), "-- %llu lines of a flood left out --", (unsigned long long)lines);
		view_log_note(l->log, clock_wall_ms(), SOURCE_CHILD, 'G', text);
	}
	l->log_next = l->skip_to;
	l->skip_to = 0;
}

static void
apply_new(struct top_link *l, const char *answer, size_t n, uint64_t until)
{
	uint64_t next = l->log_next;
	int got = view_log_apply(l->log, answer, n, until, &next, NULL);

	if (got < 0) {
		timer_set(&l->fetch, 1000);
		return;
	}
	if (next > l->log_next)
		l->log_next = next;
	if (l->skip_to != 0) {
		l->skip_got += got;
		if (l->log_next >= l->skip_to)
			end_skip(l);
	}
	if (got > 0 && l->lines != NULL)
		l->lines(l->arg);
	top_link_fetch(l);
}

static void
apply_older(struct top_link *l, const char *answer, size_t n)
{
	uint64_t before = view_log_first(l->log);
	bool gap = false;
	int got = view_log_apply_older(l->log, answer, n, &gap, NULL);

	if (gap) {
		l->older_lines = l->older_lines > 2 ? l->older_lines / 2 : 1;
	} else if (got < 0 || l->older_lines >= before || view_log_full(l->log)) {
		l->older = false;
	} else if (n < FETCH_BYTES / 3 && l->older_lines < OLDER_MOST) {
		l->older_lines *= 2;
	}
	if (l->lines != NULL)
		l->lines(l->arg);
}

void
top_link_lines(struct top_link *l, const char *answer, size_t n, uint64_t until, bool older)
{
	if (l->record != NULL)
		top_record_lines(l->record, answer, n, until, older);
	if (older)
		apply_older(l, answer, n);
	else
		apply_new(l, answer, n, until);
}

static void
on_lines(void *arg, enum client_result r, int status, const char *answer, size_t n)
{
	struct top_link *l = arg;

	l->fetching = false;
	l->fetched_at = clock_ms();
	if (r == CLIENT_OK && status == 200)
		top_link_lines(l, answer, n, l->skip_to, false);
	else
		timer_set(&l->fetch, 1000);
}

static void
on_older(void *arg, enum client_result r, int status, const char *answer, size_t n)
{
	struct top_link *l = arg;

	l->fetching_older = false;
	if (r == CLIENT_OK && status == 200)
		top_link_lines(l, answer, n, 0, true);
	else
		l->older = false;
}

void
top_link_fetch(struct top_link *l)
{
	uint64_t head = l->view.log_next, most = view_log_first(l->log) == 0 ? FIRST_LINES : BEHIND_LINES;
	uint64_t wait = l->fetched_at + FETCH_MS;
	char path[128];

	if (!l->up || l->fetching || l->client == NULL || head <= l->log_next)
		return;
	if (clock_ms() < wait && l->fetched_at != 0) {
		if (!timer_armed(&l->fetch))
			timer_set(&l->fetch, wait - clock_ms());
		return;
	}
	if (head - l->log_next > most && most == FIRST_LINES) {
		l->log_next = head - FIRST_LINES;
	} else if (head - l->log_next > most && l->skip_to == 0) {
		l->skip_from = l->log_next;
		l->skip_to = head - FLOOD_LINES;
		l->skip_got = 0;
	}
	if (l->log_next == 0)
		l->log_next = 1;
	snprintf(path, sizeof(path), "/api/logs?source=%s&from=%llu&max=%d%s", l->skip_to != 0 ? "mai,access" : "all",
	    (unsigned long long)l->log_next, FETCH_BYTES, l->view.log_colors ? "&colors=1" : "");
	l->fetching = true;
	client_async(l->client, "GET", path, NULL, l->view.viewer_id, on_lines, l);
}

void
top_link_on_fetch(void *arg)
{
	top_link_fetch(arg);
}

void
top_link_older(struct top_link *l)
{
	uint64_t first = view_log_first(l->log);
	char path[128];

	if (!l->up || !l->older || l->fetching_older || l->client == NULL || first == 0)
		return;
	if (first == 1) {
		l->older = false;
		return;
	}
	if (l->older_lines == 0)
		l->older_lines = OLDER_LINES;
	snprintf(path, sizeof(path), "/api/logs?source=all&from=%llu&max=%d%s",
	    (unsigned long long)(first > l->older_lines ? first - l->older_lines : 1), FETCH_BYTES,
	    l->view.log_colors ? "&colors=1" : "");
	l->fetching_older = true;
	client_async(l->client, "GET", path, NULL, l->view.viewer_id, on_older, l);
}
