/* SPDX-License-Identifier: ISC
 * A line being typed: the picker's filter, the search and the log filter. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "ui/ui_prompt.h"

void
ui_edit_clear(struct ui_edit *e)
{
	memset(e, 0, sizeof(*e));
}

static bool
drop_last(struct ui_edit *e)
{
	if (e->len == 0)
		return false;
	do
		e->len--;
	while (e->len > 0 && ((unsigned char)e->text[e->len] & 0xc0) == 0x80);
	e->text[e->len] = '\0';
	return true;
}

bool
ui_edit_key(struct ui_edit *e, int key)
{
	char c[4];
	size_t n;
	uint32_t cp;

	if (key == UI_K_BACKSPACE || key == 8 || key == 127)
		return drop_last(e);
	if (key == 21) {	/* ^U */
		ui_edit_clear(e);
		return true;
	}
	if (key == 23) {	/* ^W */
		while (e->len > 0 && e->text[e->len - 1] == ' ')
			drop_last(e);
		while (e->len > 0 && e->text[e->len - 1] != ' ')
			drop_last(e);
		return true;
	}
	if (key < 32 || key >= UI_K_UP || text_cp_width((uint32_t)key) < 1)
		return false;
	n = text_put_utf8(c, (uint32_t)key);
	if (text_utf8(c, n, &cp) != n || e->len + n >= sizeof(e->text))
		return false;
	memcpy(e->text + e->len, c, n);
	e->len += n;
	e->text[e->len] = '\0';
	return true;
}

void
ui_prompt_open(struct ui_state *s, enum ui_prompt p)
{
	s->prompt = p;
	ui_edit_clear(&s->edit);
	if (p == PROMPT_FILTER) {
		snprintf(s->edit.text, sizeof(s->edit.text), "%s", s->log.filter.text);
		s->edit.len = strlen(s->edit.text);
	}
}

static void
apply(struct ui_state *s, const struct view_log *log, uint64_t now)
{
	struct err e = {{0}};

	if (s->prompt == PROMPT_FILTER) {
		s->log.hidden = s->log.counted_to = 0;
		if (ui_pattern_set(&s->log.filter, s->edit.text, &e) != 0)
			ui_say(s, UI_MSG_WARN, now, "%s", e.msg);
		return;
	}
	if (ui_pattern_set(&s->log.search, s->edit.text, &e) != 0) {
		ui_say(s, UI_MSG_WARN, now, "%s", e.msg);
	} else if (s->log.search.text[0] != '\0' && !ui_log_find(&s->log, log, 0)) {
		ui_say(s, UI_MSG_WARN, now, "nothing found for %s", s->log.search.text);
		ui_pattern_clear(&s->log.search);
	}
}

void
ui_prompt_key(struct ui_state *s, int key, const struct view_log *log, uint64_t now)
{
	if (key == UI_K_ENTER) {
		apply(s, log, now);
		s->prompt = PROMPT_NONE;
	} else if (key == UI_K_ESC || key == 3) {
		s->prompt = PROMPT_NONE;
	} else {
		ui_edit_key(&s->edit, key);
	}
}
