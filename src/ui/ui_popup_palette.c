/* SPDX-License-Identifier: ISC
 * The command list, made from the key table: typed to be filtered, with what a command takes behind it. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/xmalloc.h"
#include "ui/ui_head.h"
#include "ui/ui_prompt.h"

struct item {
	const struct ui_binding *b;
	const char *arg;	/* borrowed; NULL: the command itself */
	const char *text;	/* at the right; NULL: the help of the command */
};

struct items {
	struct item *all;	/* (owned) */
	uint64_t *keys;		/* (owned) for ui_list */
	int n;
};

static const char *const settings[] = {"wrap on", "wrap off", "follow on", "follow off", "mouse on", "mouse off",
	"time clock", "time ago", "time off", "sort age", "sort tokens", "sort rate", "source all", "source child",
	"source mai", "source access"};

/* Bytes of the command itself; what it takes is in capitals. */
static size_t
command_len(const char *command)
{
	size_t n = 0;

	while (command[n] != '\0' && !isupper((unsigned char)command[n]))
		n++;
	while (n > 0 && command[n - 1] == ' ')
		n--;
	return n;
}

static bool
takes(const struct ui_binding *b)
{
	return b->command[command_len(b->command)] != '\0';
}

/* The command with an argument that the text begins with, and its argument; NULL: it is still being chosen. */
static const struct ui_binding *
chosen(const char *text, const char **arg)
{
	for (size_t i = 0; i < ui_nbindings; i++) {
		const struct ui_binding *b = &ui_bindings[i];
		size_t n = b->command != NULL ? command_len(b->command) : 0;

		if (n == 0 || !takes(b) || strncmp(text, b->command, n) != 0 || text[n] != ' ')
			continue;
		*arg = text + n + strspn(text + n, " ");
		return b;
	}
	return NULL;
}

static void
add(struct items *l, const struct ui_binding *b, const char *arg, const char *text)
{
	l->all[l->n] = (struct item){b, arg, text};
	l->keys[l->n++] = ui_list_key(arg != NULL ? arg : b->command);
}

static void
list_commands(const struct ui_state *s, const char *text, struct items *l)
{
	char name[64];

	for (int want = 3; want >= (text[0] != '\0' ? 1 : 3); want--)
		for (size_t i = 0; i < ui_nbindings; i++) {
			const struct ui_binding *b = &ui_bindings[i];

			if (b->command == NULL || !ui_allowed(s, b->action))
				continue;
			snprintf(name, sizeof(name), "%.*s", (int)command_len(b->command), b->command);
			if (text[0] == '\0' || ui_list_match(name, text) == want)
				add(l, b, NULL, NULL);
		}
}

static void
list_arguments(const struct ui_binding *b, const char *arg, const struct view *v, struct items *l)
{
	if (b->action == ACT_SWAP) {
		for (int want = 3; want >= 1; want--)
			for (size_t i = 0; i < v->nengines; i++) {
				const struct view_engine *e = &v->engines[i];
				int fit = ui_list_match(e->name, arg), by_id = ui_list_match(e->id, arg);

				if ((fit > by_id ? fit : by_id) == want)
					add(l, b, e->id, e->state != ENGINE_STOPPED ? engine_state_name(e->state) : "");
			}
	} else if (b->action == ACT_SET) {
		for (int want = 3; want >= 1; want--)
			for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
				if (ui_list_match(settings[i], arg) == want)
					add(l, b, settings[i], "");
	} else {
		add(l, b, arg, NULL);
	}
}

static void
list(const struct ui_state *s, const struct view *v, struct items *l)
{
	size_t most = ui_nbindings + v->nengines + sizeof(settings) / sizeof(settings[0]);
	const char *text = s->popup.edit.text + strspn(s->popup.edit.text, " "), *arg = NULL;
	const struct ui_binding *b = chosen(text, &arg);

	l->all = xreallocarray(NULL, most, sizeof(*l->all));
	l->keys = xreallocarray(NULL, most, sizeof(*l->keys));
	l->n = 0;
	if (b == NULL)
		list_commands(s, text, l);
	else if (ui_allowed(s, b->action))
		list_arguments(b, arg, v, l);
}

static void
list_fini(struct items *l)
{
	free(l->all);
	free(l->keys);
}

static void
draw_item(struct grid *g, const struct ui_box *b, int row, const struct item *it, bool selected)
{
	enum ui_role role = selected ? ROLE_SELECT : ROLE_TEXT;
	bool small = b->width < 56;
	int left = b->col + 2, name = small ? b->width - 10 : 24, right = b->width - 4 - name - 2;
	char t[320];

	if (selected)
		grid_fill(g, row, left, b->width - 4, role, " ");
	grid_put(g, row, left, 1, role, selected ? ">" : " ");
	if (it->arg != NULL && it->b->action != ACT_SWAP && it->b->action != ACT_SET)
		snprintf(t, sizeof(t), "%.*s %s", (int)command_len(it->b->command), it->b->command, it->arg);
	else
		snprintf(t, sizeof(t), "%s", it->arg != NULL ? it->arg : it->b->command);
	if (it->b->action == ACT_SWAP && it->arg != NULL) {
		grid_put_model(g, row, left + 2, b->width - 18, role, t);
		grid_put_right(g, row, b->col + b->width - 2, role, it->text);
		return;
	}
	grid_put_end(g, row, left + 2, name, role, t);
	if (small) {
		grid_put_right(g, row, b->col + b->width - 2, role, it->arg == NULL && it->b->codes[0] != 0 ? it->b->shown : "");
		return;
	}
	if (it->arg == NULL && it->b->codes[0] != 0)
		grid_put(g, row, left + 2 + name, 6, role, it->b->shown);
	if (it->arg == NULL)
		grid_put_end(g, row, left + 8 + name, right - 6, role, it->b->help);
}

void
ui_palette_draw(struct ui_state *s, struct grid *g, const struct view *v)
{
	int most = g->rows - (g->rows < 14 ? 6 : 9), rows, at, first;
	struct items l;
	struct ui_box b;

	list(s, v, &l);
	rows = l.n < 1 ? 1 : l.n > most ? most : l.n;
	if (rows < 1)
		rows = 1;
	b = ui_box_draw(s, g, rows + 4, g->cols < 74 ? g->cols : 72, "Commands",
	    g->cols < 60 ? "Enter do it  Esc" : "Enter do it  Tab complete  Esc cancel");
	at = ui_list_sync(&s->popup.list, l.keys, l.n, rows);
	first = ui_box_first(&b, 5);
	if (first > 1) {
		grid_put(g, b.row + 1, b.col + 2, 1, ROLE_TITLE, ":");
		ui_edit_draw(&s->popup.edit, g, b.row + 1, b.col + 4, b.width - 6, ROLE_TITLE, b.width < 66 ? "_" : s->g->cursor);
	}
	for (int i = 0; i < rows && s->popup.list.top + i < l.n && first + i < b.height - 1; i++) {
		int n = s->popup.list.top + i;

		draw_item(g, &b, b.row + first + i, &l.all[n], n == at);
		ui_hit_add(s, b.row + first + i, b.col + 1, b.width - 2, 1, HIT_ITEM, l.keys[n]);
	}
	if (l.n == 0 && b.height > 4)
		grid_put_end(g, b.row + 3, b.col + 4, b.width - 6, ROLE_MUTED, "no such command; Backspace");
	list_fini(&l);
}

static void
set(struct ui_state *s, const char *arg, struct view_log *log, uint64_t now)
{
	static const char *const sources[] = {"all", "child", "mai", "access"};
	static const unsigned masks[] = {UI_LOG_ALL, 1u << SOURCE_CHILD, 1u << SOURCE_MAI, 1u << SOURCE_ACCESS};
	const char *value = strchr(arg, ' ') + 1;
	bool on = strcmp(value, "on") == 0;

	if (strncmp(arg, "wrap", 4) == 0) {
		ui_log_set_wrap(&s->log, on);
	} else if (strncmp(arg, "follow", 6) == 0) {
		if (on)
			ui_log_follow(&s->log);
		else
			ui_log_pause(&s->log, log);
	} else if (strncmp(arg, "mouse", 5) == 0) {
		s->mouse = on;
		s->mouse_set = true;
	} else if (strncmp(arg, "time", 4) == 0) {
		s->log.stamp = value[0] == 'c' ? UI_STAMP_CLOCK : value[0] == 'a' ? UI_STAMP_AGO : UI_STAMP_OFF;
	} else if (strncmp(arg, "sort", 4) == 0) {
		s->sort = value[0] == 'a' ? SORT_AGE : value[0] == 't' ? SORT_TOKENS : SORT_RATE;
	}
	for (size_t i = 0; strncmp(arg, "source", 6) == 0 && i < 4; i++)
		if (strcmp(value, sources[i]) == 0)
			ui_log_set_mask(&s->log, masks[i]);
	ui_say(s, UI_MSG_INFO, now, "%s", arg);
}

static void
take_argument(struct ui_state *s, enum ui_action a, const char *arg, const struct view *v, struct view_log *log,
    uint64_t now, struct ui_intent *out)
{
	const struct view_engine *e = a == ACT_SWAP ? view_engine_find(v, arg) : NULL;
	char text[UI_TEXT_MAX];

	snprintf(text, sizeof(text), "%s", arg);
	ui_popup_close(s);
	if (a == ACT_SET)
		set(s, text, log, now);
	else if (a == ACT_SEARCH || a == ACT_FILTER)
		ui_prompt_apply(s, a == ACT_SEARCH ? PROMPT_SEARCH : PROMPT_FILTER, text, log, now, out);
	else if (a == ACT_SAVE)
		ui_prompt_apply(s, PROMPT_SAVE, text, log, now, out);
	else if (s->link != UI_LINK_UP)
		ui_say(s, UI_MSG_WARN, now, "not connected");
	else if (e != NULL)
		ui_swap_to(s, v, e, now, out);
}

static void
complete(struct ui_state *s, const struct item *it)
{
	char text[UI_TEXT_MAX];

	snprintf(text, sizeof(text), "%.*s%s%s", (int)command_len(it->b->command), it->b->command,
	    takes(it->b) ? " " : "", it->arg != NULL ? it->arg : "");
	ui_edit_set(&s->popup.edit, text);
	memset(&s->popup.list, 0, sizeof(s->popup.list));
}

static void
run(struct ui_state *s, const struct item *it, const struct view *v, struct view_log *log, uint64_t now,
    struct ui_intent *out)
{
	enum ui_action a = it->b->action;

	if (it->arg != NULL) {
		take_argument(s, a, it->arg, v, log, now, out);
	} else if (takes(it->b)) {
		complete(s, it);
	} else {
		ui_popup_close(s);
		ui_act(s, a, 0, v, log, now, out);
	}
}

void
ui_palette_key(struct ui_state *s, int key, const struct view *v, struct view_log *log, uint64_t now,
    struct ui_intent *out)
{
	struct items l;
	int by = 0, at;

	if (key == UI_K_ESC || key == 3 || (s->popup.edit.len == 0 && (key == UI_K_BACKSPACE || key == 127 || key == 8))) {
		ui_popup_close(s);
		return;
	}
	list(s, v, &l);
	at = ui_list_sync(&s->popup.list, l.keys, l.n, 1);
	if (key == UI_K_UP || key == 16)
		by = -1;
	else if (key == UI_K_DOWN || key == 14)
		by = 1;
	else if (key == UI_K_PGUP || key == UI_K_PGDN)
		by = key == UI_K_PGUP ? -5 : 5;
	else if (key == '\t' && at >= 0)
		complete(s, &l.all[at]);
	else if (key == UI_K_ENTER && at >= 0 && now >= s->popup.opened + UI_ARM_MS)
		run(s, &l.all[at], v, log, now, out);
	else if (ui_edit_key(&s->popup.edit, key))
		memset(&s->popup.list, 0, sizeof(s->popup.list));
	if (by != 0)
		ui_list_move(&s->popup.list, l.keys, l.n, by);
	list_fini(&l);
}
