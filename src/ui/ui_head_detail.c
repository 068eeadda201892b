/* SPDX-License-Identifier: ISC
 * The row below the state: what each state needs to be understood. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "ui/ui_head.h"

uint64_t
head_since(uint64_t now, uint64_t then)
{
	return then != 0 && now > then ? now - then : 0;
}

const char *
head_name(const struct view *v, const char *id)
{
	const struct view_engine *e = id != NULL ? view_engine_find(v, id) : NULL;

	return e != NULL ? e->name : id != NULL ? id : "";
}

bool
head_estimated(const struct view *v, const struct view_engine *of)
{
	for (size_t i = 0; i < v->nrequests; i++) {
		const struct view_request *r = &v->requests[i];

		if (r->estimated && r->tokens_per_second >= 0 && (of == NULL || (r->model != NULL && strcmp(r->model, of->id) == 0)))
			return true;
	}
	return false;
}

bool
head_generating(const struct ui_state *s, const struct view *v)
{
	const struct view_engine *e = ui_engine(s, v);

	return s->screen == SCREEN_RUNNING || s->screen == SCREEN_LINK_DOWN ||
	    (s->screen == SCREEN_SWAPPING && v->swap_step == 1) || (e != NULL && e->state == ENGINE_DRAINING);
}

bool
head_alive(const struct ui_state *s, const struct view_engine *e)
{
	return e != NULL && (e->pid != 0 || s->screen == SCREEN_RUNNING || s->screen == SCREEN_STARTING);
}

uint64_t
head_drain_left(const struct view *v, uint64_t core_now)
{
	for (size_t i = 0; i < v->nengines; i++) {
		const struct view_engine *e = &v->engines[i];

		if (e->state != ENGINE_DRAINING)
			continue;
		if (e->kill_at > core_now)
			return e->kill_at - core_now;
		if (e->kill_at == 0 && e->drain_limit > head_since(core_now, e->since))
			return e->drain_limit - head_since(core_now, e->since);
	}
	return 0;
}

struct row {
	struct grid *g;
	int row, col, right;
};

static void
put(struct row *r, const char *text)
{
	if (r->col < r->right)
		r->col += grid_put_end(r->g, r->row, r->col, r->right - r->col, ROLE_TEXT, text);
}

/* Whole or not at all. */
static void
put_item(struct row *r, const char *text)
{
	if (r->col + text_width(text) <= r->right)
		put(r, text);
}

/* The right end comes first: the left gives way. */
static void
put_note(struct row *r, const char *text)
{
	if (text[0] != '\0')
		r->right = grid_put_right(r->g, r->row, r->right, ROLE_TEXT, text) - 2;
}

static void
note_attempt(struct row *r, const char *word, const struct view_engine *e, bool always)
{
	char t[48];

	if (e != NULL && e->max_attempts > 0 && (always || e->attempt > 0)) {
		snprintf(t, sizeof(t), "%s %d/%d", word, e->attempt, e->max_attempts);
		put_note(r, t);
	}
}

static void
detail_running(struct row *r, const struct view *v, const struct view_engine *e, uint64_t now)
{
	char t[256], d[32];

	snprintf(t, sizeof(t), "restarts %d/%d  swaps %llu", e->attempt, e->max_attempts, (unsigned long long)v->swaps);
	put_note(r, t);
	put(r, e->kind != NULL ? e->kind : "engine");
	if (e->pid != 0) {
		snprintf(t, sizeof(t), "  pid %d", e->pid);
		put_item(r, t);
	}
	if (e->port != 0) {
		snprintf(t, sizeof(t), "  :%d", e->port);
		put_item(r, t);
	}
	if (e->check_ok_at != 0) {
		text_duration(d, sizeof(d), head_since(now, e->check_ok_at), false);
		snprintf(t, sizeof(t), "  health ok %s ago", d);
		put_item(r, t);
	}
}

static void
detail_starting(struct ui_state *s, struct row *r, const struct view_engine *e, uint64_t now)
{
	uint64_t elapsed = head_since(now, e->since), quiet = head_since(now, e->quiet_since) / 1000;
	int width = s->cols < 80 ? 20 : 30;
	char t[64], d[32];

	note_attempt(r, "attempt", e, false);
	head_progress(s, r->g, r->row, r->col, width, e, elapsed);
	r->col += width;
	if (e->progress >= 0) {
		snprintf(t, sizeof(t), "  %d%%", e->progress / 10);
		put(r, t);
	}
	if (quiet >= 1 && e->quiet_limit > 0) {
		snprintf(t, sizeof(t), "  quiet %llu/%llus", (unsigned long long)quiet,
		    (unsigned long long)(e->quiet_limit / 1000));
		put(r, t);
	}
	if (e->usual_ms > 0) {
		text_duration(d, sizeof(d), e->usual_ms, false);
		snprintf(t, sizeof(t), "  usually %s", d);
		put(r, t);
	}
}

static void
detail_swapping(struct row *r, const struct view *v, uint64_t now)
{
	const struct view_engine *from = v->swap_from != NULL ? view_engine_find(v, v->swap_from) : NULL;
	const struct view_engine *to = view_engine_find(v, v->swap_to);
	uint64_t left = head_drain_left(v, now);
	char drain[96], start[96], t[256], d[32], usual[32];

	note_attempt(r, "attempt", to, false);
	snprintf(drain, sizeof(drain), "1 drain");
	if (v->swap_step == 1) {
		text_duration(d, sizeof(d), left, false);
		if (left > 0)
			snprintf(drain, sizeof(drain), "[1 drain %d req, %s left]", from != NULL ? from->in_flight : 0, d);
		else
			snprintf(drain, sizeof(drain), "[1 drain %d req]", from != NULL ? from->in_flight : 0);
	}
	snprintf(start, sizeof(start), "3 start");
	if (v->swap_step == 3) {
		snprintf(start, sizeof(start), "[3 start]");
		if (to != NULL && to->usual_ms > 0) {
			text_duration(usual, sizeof(usual), to->usual_ms, false);
			snprintf(start, sizeof(start), "[3 start, usually %s]", usual);
		}
	}
	snprintf(t, sizeof(t), "%s  %s  %s", drain, v->swap_step == 2 ? "[2 stop]" : "2 stop", start);
	put(r, t);
}

static void
detail_stopping(struct row *r, const struct view *v, const struct view_engine *e, uint64_t now)
{
	uint64_t left = head_drain_left(v, now);
	char t[128], d[32];

	if (e->state == ENGINE_DRAINING) {
		text_duration(d, sizeof(d), left, false);
		snprintf(t, sizeof(t), "draining %d in flight, %s left", e->in_flight, left > 0 ? d : "no time");
		put(r, left > 0 ? t : "draining");
		return;
	}
	put(r, "stopping");
	if (e->kill_at > now) {
		text_duration(d, sizeof(d), e->kill_at - now, false);
		snprintf(t, sizeof(t), ", SIGKILL in %s", d);
		put(r, t);
	}
	if (e->quarantined)
		put(r, ", something cannot be killed");
}

/* Puts how a run ended behind a label: where there is no room for all, without the remark between what and when. */
static void
put_exit(struct row *r, const char *label, const char *exit)
{
	const char *after = strstr(exit, " after "), *remark = strchr(exit, ',');
	char t[512];

	snprintf(t, sizeof(t), "%s%s", label, exit);
	if (remark != NULL && after != NULL && remark < after && r->col + text_width(t) > r->right)
		snprintf(t, sizeof(t), "%s%.*s%s", label, (int)(remark - exit), exit, after);
	put(r, t);
}

static void
detail_backoff(struct ui_state *s, struct row *r, const struct view_engine *e, uint64_t now)
{
	uint64_t left = e->retry_at > now ? e->retry_at - now : 0;
	char t[256], d[32];
	int filled = 0;

	note_attempt(r, "attempt", e, true);
	text_duration(d, sizeof(d), left, true);
	snprintf(t, sizeof(t), "retry in %s ", d);
	put(r, t);
	if (e->retry_total > 0)
		filled = (int)(16 * (e->retry_total - (left < e->retry_total ? left : e->retry_total)) / e->retry_total);
	head_bar(s, r->g, r->row, r->col, 16, filled, -1);
	r->col += 16;
	if (e->last_exit != NULL)
		put_exit(r, "  last: ", e->last_exit);
}

static void
detail_failed(struct row *r, const struct view_engine *e)
{
	const char *what = e->last_exit != NULL ? e->last_exit : engine_reason_text(e->reason);
	char t[512], clock[16];

	if (e->failed_wall != 0) {
		ui_wall_time(clock, sizeof(clock), e->failed_wall);
		snprintf(t, sizeof(t), "failed %s", clock);
		put_note(r, t);
	}
	if (e->max_attempts > 0 && e->attempt >= e->max_attempts)
		snprintf(t, sizeof(t), "gave up after %d/%d attempts: ", e->attempt, e->max_attempts);
	else if (e->reason != REASON_NONE && e->last_exit != NULL)
		snprintf(t, sizeof(t), "gave up, %s: ", engine_reason_text(e->reason));
	else
		snprintf(t, sizeof(t), "gave up: ");
	put_exit(r, t, what);
}

static void
detail_stopped(struct row *r, const struct view_engine *e, uint64_t now)
{
	char t[256], clock[16];

	note_attempt(r, "restarts", e, true);
	if (e->since == 0 || (e->reason == REASON_NONE && e->stopped_by == NULL)) {
		put(r, "not started");
		return;
	}
	ui_wall_time(clock, sizeof(clock), clock_wall_ms() - head_since(now, e->since));
	if (e->stopped_by != NULL)
		snprintf(t, sizeof(t), "stopped by %s %s", e->stopped_by, clock);
	else
		snprintf(t, sizeof(t), "stopped, %s %s", engine_reason_text(e->reason), clock);
	put(r, t);
}

static void
detail_link_down(struct row *r, const struct view *v, const struct view_engine *e, const struct ui_link_state *link,
    uint64_t now)
{
	char t[256], d[32], up[32];
	uint64_t left = link->retry_at > now ? link->retry_at - now : 0;

	text_duration(d, sizeof(d), left, true);
	snprintf(t, sizeof(t), "retry %d in %s", link->tries, d);
	put_note(r, t);
	if (e == NULL)
		return;
	ui_short_time(d, sizeof(d), head_since(now, link->since));
	snprintf(t, sizeof(t), "last known %s ago: %s", d, ui_screen_word(ui_screen_of_engine(e)));
	put(r, t);
	if (e->state == ENGINE_READY) {
		ui_short_time(up, sizeof(up), head_since(view_now(v, link->since),
		    e->spawned_at != 0 ? e->spawned_at : e->since));
		snprintf(t, sizeof(t), " up %s, %llu in flight", up, (unsigned long long)v->in_flight);
		put(r, t);
	}
}

void
ui_head_detail(struct ui_state *s, struct grid *g, const struct view *v, const struct view_engine *e,
    const struct ui_link_state *link, uint64_t now)
{
	struct row r = {.g = g, .row = 2, .col = 2, .right = g->cols - s->lay.margin};
	uint64_t core = view_now(v, now);

	if (s->screen == SCREEN_LINK_DOWN)
		detail_link_down(&r, v, e, link, now);
	else if (s->screen == SCREEN_CONNECTING)
		put(&r, "waiting for the supervisor");
	else if (e == NULL)
		put(&r, "no model is configured");
	else if (s->screen == SCREEN_RUNNING)
		detail_running(&r, v, e, core);
	else if (s->screen == SCREEN_STARTING)
		detail_starting(s, &r, e, core);
	else if (s->screen == SCREEN_SWAPPING)
		detail_swapping(&r, v, core);
	else if (s->screen == SCREEN_STOPPING)
		detail_stopping(&r, v, e, core);
	else if (s->screen == SCREEN_BACKOFF)
		detail_backoff(s, &r, e, core);
	else if (s->screen == SCREEN_FAILED)
		detail_failed(&r, e);
	else
		detail_stopped(&r, e, core);
}
