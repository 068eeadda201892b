/* SPDX-License-Identifier: ISC
 * Text in a box, "label<tab>text" lines: how a model is run, and what is known of a request. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/xmalloc.h"
#include "ui/ui_head.h"

#define LABEL_COLUMNS 14

static void
put_count(struct strbuf *b, const char *label, int64_t n)
{
	char t[32];

	ui_count_text(t, sizeof(t), n > 0 ? (uint64_t)n : 0);
	strbuf_printf(b, "%s\t%s\n", label, n < 0 ? "-" : t);
}

static void
put_time(struct strbuf *b, const char *label, uint64_t ms)
{
	char t[32];

	text_duration(t, sizeof(t), ms, true);
	strbuf_printf(b, "%s\t%s\n", label, t);
}

static void
put_size(struct strbuf *b, const char *label, uint64_t bytes)
{
	char t[32];

	text_size(t, sizeof(t), bytes);
	strbuf_printf(b, "%s\t%s\n", label, t);
}

static void
put_request(struct strbuf *b, const struct view *v, const struct view_request *r, uint64_t now)
{
	char done[32], total[32];

	strbuf_printf(b, "client\t%s\n", r->client != NULL ? r->client : "-");
	strbuf_printf(b, "model\t%s\n", head_name(v, r->model));
	strbuf_printf(b, "path\t%s\n", r->path != NULL ? r->path : "-");
	strbuf_printf(b, "kind\t%s%s\n", r->api != NULL ? r->api : "-", r->stream ? ", stream" : "");
	strbuf_printf(b, "state\t%s", req_phase_name(r->phase));
	if (r->phase == REQ_QUEUED && r->position > 0)
		strbuf_printf(b, ", place %d", r->position);
	strbuf_puts(b, "\n");
	put_time(b, "age", head_since(now, r->since));
	if (r->waited_ms != 0)
		put_time(b, "waited", r->waited_ms);
	if (r->first_byte_at >= r->since && r->first_byte_at != 0)
		put_time(b, "first byte", r->first_byte_at - r->since);
	if (r->prompt_total > 0 && r->prompt_done >= 0) {
		ui_count_text(done, sizeof(done), (uint64_t)r->prompt_done);
		ui_count_text(total, sizeof(total), (uint64_t)r->prompt_total);
		strbuf_printf(b, "prompt\t%s of %s tokens\n", done, total);
	}
	put_count(b, "tokens in", r->tokens_in);
	put_count(b, "tokens out", r->tokens_out);
	if (r->tokens_per_second >= 0)
		strbuf_printf(b, "tokens/s\t%s%.1f\n", r->estimated ? "~" : "", r->tokens_per_second);
	put_size(b, "bytes in", r->bytes_in);
	put_size(b, "bytes out", r->bytes_out);
}

/* What a box about a request shows: the present figures while it lives, the last ones when it has ended. */
static void
details(struct ui_state *s, struct strbuf *b, const struct view *v, uint64_t now)
{
	const struct view_request *r = view_request_find(v, s->popup.id);

	s->popup.ended = r == NULL;
	if (r != NULL) {
		put_request(b, v, r, view_now(v, now));
		free(s->popup.last);
		s->popup.last = xstrdup(strbuf_str(b));
	} else {
		strbuf_puts(b, "\tended; the last that was seen of it:\n");
		strbuf_puts(b, s->popup.last != NULL ? s->popup.last : "");
	}
	if (s->popup.text != NULL) {
		strbuf_puts(b, "\n");
		strbuf_puts(b, s->popup.text);
	}
}

/* One row of the box: what of a line fits into the width; the rest is for the next row. */
static const char *
take_row(const char *p, const char *end, int width, char *out, size_t size)
{
	size_t len = 0, blank = 0;
	int used = 0;

	while (p + len < end && len + 5 < size) {
		uint32_t cp;
		size_t n = text_utf8(p + len, (size_t)(end - p) - len, &cp);
		int w = n > 0 ? text_cp_width(cp) : 1;

		if (used + (w > 0 ? w : 0) > width && len > 0) {
			/* Between words, unless the word is most of the row. */
			if (blank > len / 2)
				len = blank;
			break;
		}
		if (p[len] == ' ')
			blank = len + 1;
		used += w > 0 ? w : 0;
		len += n > 0 ? n : 1;
	}
	snprintf(out, size, "%.*s", (int)len, p);
	/* The blank at which it broke is no part of the next one. */
	return p + len + (p + len < end && len > 0 && p[len] == ' ' && p[len - 1] != ' ');
}

/* Draws the rows from top on, or only counts them (g NULL). Returns how many there are. */
static int
rows_of(const char *text, struct grid *g, const struct ui_box *b, int top, int rows)
{
	int n = 0, label = b->width < 36 ? 8 : b->width < 50 ? 12 : LABEL_COLUMNS, width = b->width - 4 - label;
	char part[1024];

	for (const char *p = text; *p != '\0';) {
		const char *end = strchr(p, '\n'), *next, *tab;
		bool first = true;

		end = end != NULL ? end : p + strlen(p);
		next = *end != '\0' ? end + 1 : end;
		tab = memchr(p, '\t', (size_t)(end - p));
		do {
			int row = b->row + 1 + n - top;
			bool shown = g != NULL && n >= top && n < top + rows;

			if (first && tab != NULL) {
				snprintf(part, sizeof(part), "%.*s", (int)(tab - p), p);
				if (shown)
					grid_put_end(g, row, b->col + 2, label - 1, ROLE_TITLE, part);
				p = tab + 1;
			}
			p = take_row(p, end, tab != NULL ? width : b->width - 4, part, sizeof(part));
			if (shown)
				grid_put_end(g, row, b->col + 2 + (tab != NULL ? label : 0), tab != NULL ? width : b->width - 4,
				    ROLE_TEXT, part);
			first = false;
			n++;
		} while (p < end);
		p = next;
	}
	return n;
}

void
ui_text_draw(struct ui_state *s, struct grid *g, const struct view *v, uint64_t now)
{
	struct strbuf b = STRBUF_INIT;
	struct ui_popup *p = &s->popup;
	struct ui_box box = {.width = g->cols < 82 ? g->cols : g->cols < 104 ? g->cols - 4 : 100};
	int most = g->rows - 2 - (g->rows < 14 ? 1 : 3);
	char title[300];

	if (p->kind == POPUP_DETAILS) {
		snprintf(title, sizeof(title), "Request %llu", (unsigned long long)p->id);
		details(s, &b, v, now);
	} else {
		snprintf(title, sizeof(title), "Model %s", head_name(v, p->model));
		strbuf_puts(&b, p->text != NULL ? p->text : "asking the supervisor");
	}
	p->lines = rows_of(strbuf_str(&b), NULL, &box, 0, 0);
	p->rows = p->lines < most ? p->lines : most;
	if (p->rows < 1)
		p->rows = 1;
	if (p->top > p->lines - p->rows)
		p->top = p->lines - p->rows;
	if (p->top < 0)
		p->top = 0;
	box = ui_box_draw(s, g, p->rows + 2, box.width, title, ui_popup_hint(s));
	rows_of(strbuf_str(&b), g, &box, p->top, p->rows < box.height - 2 ? p->rows : box.height - 2);
	strbuf_fini(&b);
}

void
ui_text_key(struct ui_state *s, int key, uint64_t now)
{
	enum ui_action a = ui_key_action(key);
	int page = s->popup.rows > 1 ? s->popup.rows - 1 : 1;
	uint64_t id = s->popup.id;

	switch (a) {
	case ACT_UP:
		s->popup.top--;
		break;
	case ACT_DOWN:
		s->popup.top++;
		break;
	case ACT_PAGE_UP:
		s->popup.top -= page;
		break;
	case ACT_PAGE_DOWN:
		s->popup.top += page;
		break;
	case ACT_TOP:
		s->popup.top = 0;
		break;
	case ACT_END:
		s->popup.top = s->popup.lines;
		break;
	case ACT_CANCEL:
		if (s->popup.kind == POPUP_DETAILS && s->link == UI_LINK_UP && !s->read_only && !s->popup.ended)
			ui_popup_open(s, POPUP_CANCEL, NULL, id, now);
		break;
	case ACT_ESCAPE:
	case ACT_QUIT:
	case ACT_ENTER:
	case ACT_INFO:
		ui_popup_close(s);
		break;
	default:
		break;
	}
	if (s->popup.top < 0)
		s->popup.top = 0;
}
