/* SPDX-License-Identifier: ISC
 * mai status: once, or at each change. */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "app/cmd_priv.h"
#include "base/text.h"

/* Both answers; running may stay NULL (a key that may not see it). */
static int
fetch(const struct cmd_opts *o, struct strbuf *raw, cJSON **s, cJSON **running)
{
	struct client_target t;
	struct strbuf answer = STRBUF_INIT;
	struct err e = {{0}};
	int status, r = cmd_call(o, "GET", "/status", NULL, raw);

	*s = *running = NULL;
	if (r != CMD_OK)
		return r;
	*s = json_parse(strbuf_str(raw), raw->len, &e);
	if (*s == NULL) {
		fprintf(stderr, "mai: the answer to /status is %s\n", e.msg);
		return CMD_FAILED;
	}
	if (!o->json && cmd_target(o, &t, NULL) == 0) {
		if (client_call(&t, "GET", "/running", NULL, 5000, &status, &answer, NULL) == CLIENT_OK && status == 200)
			*running = json_parse(strbuf_str(&answer), answer.len, NULL);
		client_target_fini(&t);
	}
	strbuf_fini(&answer);
	return CMD_OK;
}

struct watching {
	const struct cmd_opts *o;
	struct loop *loop;
	struct timer refresh;
	struct strbuf last;	/* off a terminal: the line last printed */
	int rows;		/* on a terminal: what is to be overwritten */
	bool tty, lost;
};

/* Writes the block over the one before, each line cut at the terminal's edge so that the count stays right. */
static void
repaint(struct watching *w, const char *text)
{
	struct winsize ws;
	int cols = ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_col > 1 ? ws.ws_col - 1 : 79;
	char cut[1024];

	if (w->rows > 0)
		printf("\033[%dA\033[J", w->rows);
	for (w->rows = 0; *text != '\0'; w->rows++) {
		size_t n = strcspn(text, "\n");
		struct strbuf line = STRBUF_INIT;

		strbuf_add(&line, text, n);
		text_clip_end(cut, sizeof(cut), strbuf_str(&line), cols, "~");
		puts(cut);
		strbuf_fini(&line);
		text += n + (text[n] == '\n');
	}
}

static void
print_line(struct watching *w, const cJSON *s)
{
	struct strbuf line = STRBUF_INIT;
	time_t now = time(NULL);
	struct tm tm;
	char t[16];

	cmd_status_line(&line, s);
	if (strcmp(strbuf_str(&line), strbuf_str(&w->last)) != 0 && localtime_r(&now, &tm) != NULL) {
		strftime(t, sizeof(t), "%H:%M:%S", &tm);
		printf("%s %s\n", t, strbuf_str(&line));
		strbuf_clear(&w->last);
		strbuf_puts(&w->last, strbuf_str(&line));
	}
	strbuf_fini(&line);
}

static int
show(struct watching *w)
{
	struct strbuf raw = STRBUF_INIT, text = STRBUF_INIT;
	cJSON *s, *running;
	int r = fetch(w->o, &raw, &s, &running);

	if (r == CMD_OK && w->o->json) {
		printf("%s\n", strbuf_str(&raw));
	} else if (r == CMD_OK && w->o->watch && !w->tty) {
		print_line(w, s);
	} else if (r == CMD_OK) {
		cmd_status_text(&text, s, running, !w->o->watch && cmd_color(w->o, stdout));
		if (w->o->watch)
			repaint(w, strbuf_str(&text));
		else
			fputs(strbuf_str(&text), stdout);
	}
	fflush(stdout);
	cJSON_Delete(s);
	cJSON_Delete(running);
	strbuf_fini(&raw);
	strbuf_fini(&text);
	return r;
}

static void
on_refresh(void *arg)
{
	struct watching *w = arg;

	if (w->lost)
		return;
	show(w);
	if (w->tty && !w->o->json)
		timer_set(&w->refresh, 1000);
}

static void
on_event(void *arg, const char *event, const char *id, const char *data, size_t n)
{
	struct watching *w = arg;

	(void)id;
	(void)data;
	(void)n;
	/* A change is often several events: one look a moment later sees all of it. */
	if (strcmp(event, "engine") == 0 || strcmp(event, "snapshot") == 0)
		timer_set(&w->refresh, 30);
}

static void
on_up(void *arg)
{
	((struct watching *)arg)->lost = false;
}

static void
on_down(void *arg, enum client_result why, const char *text, int n, uint64_t retry_ms)
{
	struct watching *w = arg;

	(void)why;
	(void)retry_ms;
	if (n == 1)
		fprintf(stderr, "mai: %s; trying again\n", text);
	w->rows = 0;
	w->lost = true;
}

static void
watch(struct watching *w, const struct client_target *t)
{
	static const struct client_watch_ops ops = {on_event, on_up, on_down};
	struct client *c = client_new(w->loop, t);
	struct client_watch *stream;

	timer_init(&w->refresh, w->loop, on_refresh, w);
	stream = client_watch_new(c, NULL, &ops, w);
	loop_run(w->loop);	/* until a signal ends the program */
	client_watch_free(&stream);
	timer_stop(&w->refresh);
	client_free(&c);
}

int
cmd_status(const struct cmd_opts *o)
{
	struct watching w = {.o = o, .tty = isatty(STDOUT_FILENO) != 0};
	struct client_target t;
	int r = show(&w);

	if (r != CMD_OK || !o->watch)
		goto out;
	w.loop = loop_new();
	if (w.loop == NULL || cmd_target(o, &t, NULL) != 0) {
		r = CMD_FAILED;
		goto out;
	}
	watch(&w, &t);
	client_target_fini(&t);
out:
	loop_free(&w.loop);
	strbuf_fini(&w.last);
	return r;
}
