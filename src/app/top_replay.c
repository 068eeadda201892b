/* SPDX-License-Identifier: ISC
 * A recording instead of a core. Clocks show what they did then; at its end they stand still, so that a screen can be
 * looked at, and compared. */
#include "app/top_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/xmalloc.h"

#define TURN 200	/* entries at a time */

struct answer {
	char *path, *body;	/* (owned) */
};

struct top_replay {
	struct top_link *l;
	char *text, *at;	/* (owned) the file; the next line of it */
	double speed;
	bool foreground;
	char *where;		/* (owned) */
	uint64_t wall;		/* when it was made */
	uint64_t began;		/* local, when it was opened here */
	uint64_t t;		/* of the last entry, in the recording */
	bool ended;
	int64_t skew;		/* of the last event that told the core's time: core - recording */
	bool timed;
	uint64_t down_t;	/* when the link broke, and the try after that, in the recording */
	uint64_t retry_t;
	struct timer timer;
	struct answer *answers;	/* (owned) */
	size_t nanswers;
};

static char *
read_all(const char *path, struct err *e)
{
	struct strbuf b = STRBUF_INIT;
	FILE *f = fopen(path, "re");
	char part[65536];
	size_t n;

	if (f == NULL) {
		err_set(e, "cannot read %s: %s", path, strerror(errno));
		return NULL;
	}
	while ((n = fread(part, 1, sizeof(part), f)) > 0)
		strbuf_add(&b, part, n);
	fclose(f);
	return strbuf_take(&b);
}

/* The next line as JSON (owned by the caller); NULL at the end. */
static cJSON *
next_entry(struct top_replay *r)
{
	while (*r->at != '\0') {
		char *end = strchr(r->at, '\n');
		size_t n = end != NULL ? (size_t)(end - r->at) : strlen(r->at);
		cJSON *j = json_parse(r->at, n, NULL);

		r->at += n + (end != NULL);
		if (j != NULL)
			return j;
	}
	return NULL;
}

static void
keep_answer(struct top_replay *r, const char *path, const cJSON *body)
{
	struct answer *a = NULL;

	for (size_t i = 0; i < r->nanswers && a == NULL; i++)
		if (strcmp(r->answers[i].path, path) == 0)
			a = &r->answers[i];
	if (a == NULL) {
		r->answers = xreallocarray(r->answers, r->nanswers + 1, sizeof(*r->answers));
		a = &r->answers[r->nanswers++];
		*a = (struct answer){.path = xstrdup(path)};
	}
	free(a->body);
	a->body = cJSON_PrintUnformatted(body);
}

static void
play_link(struct top_replay *r, const cJSON *j, const char *link)
{
	uint64_t retry = (uint64_t)json_int(j, "retry", 0);

	if (strcmp(link, "up") == 0) {
		top_link_up(r->l);
		return;
	}
	if (r->l->up || r->down_t == 0)
		r->down_t = r->t;
	r->retry_t = r->t + retry;
	top_link_down(r->l, strcmp(link, "gone") == 0, json_str(j, "text", "?"), (int)json_int(j, "tries", 1), retry);
}

static void
play(struct top_replay *r, const cJSON *j)
{
	const char *event = json_str(j, "event", NULL), *link = json_str(j, "link", NULL);
	const char *path = json_str(j, "answer", NULL);
	const cJSON *data = json_get(j, event != NULL ? "data" : "logs");
	char *text = data != NULL ? cJSON_PrintUnformatted(data) : NULL;
	int64_t now = json_int(data, "now", -1);

	r->t = (uint64_t)json_int(j, "t", (int64_t)r->t);
	if (link != NULL) {
		play_link(r, j, link);
	} else if (path != NULL) {
		keep_answer(r, path, json_get(j, "body"));
	} else if (event != NULL && text != NULL) {
		if (now >= 0 && (!r->timed || strcmp(event, "hello") == 0 || strcmp(event, "snapshot") == 0)) {
			r->skew = now - (int64_t)r->t;
			r->timed = true;
		}
		top_link_event(r->l, event, text, strlen(text));
	} else if (text != NULL) {
		top_link_lines(r->l, text, strlen(text), (uint64_t)json_int(j, "until", 0), json_bool(j, "older", false));
	}
	cJSON_free(text);
}

/* Where the recording stands now. */
static uint64_t
position(const struct top_replay *r, uint64_t now)
{
	uint64_t t = r->t;

	if (!r->ended && r->speed > 0)
		t = (uint64_t)((double)(now - r->began) * r->speed);
	return t;
}

static void
on_timer(void *arg)
{
	struct top_replay *r = arg;

	for (int i = 0; i < TURN; i++) {
		char *line = r->at;
		cJSON *j = next_entry(r);
		uint64_t t = (uint64_t)json_int(j, "t", 0), at = position(r, clock_ms());

		if (j == NULL) {
			r->ended = true;
			if (r->l->ended != NULL)
				r->l->ended(r->l->arg);
			return;
		}
		if (r->speed > 0 && t > at) {
			r->at = line;
			cJSON_Delete(j);
			timer_set(&r->timer, (uint64_t)((double)(t - at) / r->speed) + 1);
			return;
		}
		play(r, j);
		cJSON_Delete(j);
	}
	timer_set(&r->timer, 0);
}

struct top_replay *
top_replay_open(struct top_link *l, const char *path, double speed, struct err *e)
{
	struct top_replay *r = xcalloc(1, sizeof(*r));
	cJSON *head;

	r->l = l;
	r->speed = speed;
	timer_init(&r->timer, l->loop, on_timer, r);
	r->text = r->at = read_all(path, e);
	if (r->text == NULL) {
		top_replay_close(&r);
		return NULL;
	}
	head = next_entry(r);
	if (json_int(head, "recording", 0) != 1) {
		err_set(e, "%s is no recording that this version can play", path);
		cJSON_Delete(head);
		top_replay_close(&r);
		return NULL;
	}
	r->where = xstrdup(json_str(head, "where", path));
	r->foreground = json_bool(head, "foreground", false);
	r->wall = (uint64_t)json_int(head, "wall", 0);
	cJSON_Delete(head);
	r->began = clock_ms();
	timer_set(&r->timer, 0);
	return r;
}

void
top_replay_close(struct top_replay **rp)
{
	struct top_replay *r = *rp;

	if (r == NULL)
		return;
	timer_stop(&r->timer);
	for (size_t i = 0; i < r->nanswers; i++) {
		free(r->answers[i].path);
		cJSON_free(r->answers[i].body);
	}
	free(r->answers);
	free(r->text);
	free(r->where);
	free(r);
	*rp = NULL;
	clock_fix_wall(0);
}

bool
top_replay_foreground(const struct top_replay *r)
{
	return r->foreground;
}

const char *
top_replay_where(const struct top_replay *r)
{
	return r->where;
}

void
top_replay_clock(struct top_replay *r, uint64_t now)
{
	uint64_t t = position(r, now);

	clock_fix_wall(r->wall + t);
	if (r->timed)
		r->l->view.skew = (int64_t)t + r->skew - (int64_t)now;
	if (!r->l->up && r->down_t != 0) {
		r->l->since = now - (t - r->down_t);
		r->l->retry_at = r->retry_t > t ? now + (r->retry_t - t) : now;
	}
}

const char *
top_replay_answer(const struct top_replay *r, const char *path, size_t *n)
{
	for (size_t i = 0; i < r->nanswers; i++)
		if (strcmp(r->answers[i].path, path) == 0) {
			*n = strlen(r->answers[i].body);
			return r->answers[i].body;
		}
	return NULL;
}
