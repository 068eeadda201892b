/* SPDX-License-Identifier: ISC
 * A line being typed: the picker's filter, the command list, the prompts. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "ui/ui_state.h"

void
ui_edit_clear(struct ui_edit *e)
{
	memset(e, 0, sizeof(*e));
}

void
ui_edit_set(struct ui_edit *e, const char *text)
{
	snprintf(e->text, sizeof(e->text), "%s", text);
	e->len = e->at = strlen(e->text);
	e->offered = false;
}

void
ui_edit_offer(struct ui_edit *e, const char *text)
{
	ui_edit_set(e, text);
	e->offered = e->len > 0;
}

static size_t
before(const struct ui_edit *e, size_t at)
{
	if (at == 0)
		return 0;
	do
		at--;
	while (at > 0 && ((unsigned char)e->text[at] & 0xc0) == 0x80);
	return at;
}

static size_t
behind(const struct ui_edit *e, size_t at)
{
	if (at >= e->len)
		return e->len;
	do
		at++;
	while (at < e->len && ((unsigned char)e->text[at] & 0xc0) == 0x80);
	return at;
}

static bool
drop(struct ui_edit *e, size_t from, size_t to)
{
	if (from >= to)
		return false;
	memmove(e->text + from, e->text + to, e->len - to + 1);
	e->len -= to - from;
	e->at = from;
	return true;
}

static size_t
word_start(const struct ui_edit *e)
{
	size_t at = e->at;

	while (at > 0 && e->text[at - 1] == ' ')
		at--;
	while (at > 0 && e->text[at - 1] != ' ')
		at--;
	return at;
}

static bool
insert(struct ui_edit *e, int key)
{
	char c[4];
	size_t n;
	uint32_t cp;

	if (key < 32 || key >= UI_K_UP || text_cp_width((uint32_t)key) < 1)
		return false;
	n = text_put_utf8(c, (uint32_t)key);
	if (text_utf8(c, n, &cp) != n || e->len + n >= sizeof(e->text))
		return false;
	memmove(e->text + e->at + n, e->text + e->at, e->len - e->at + 1);
	memcpy(e->text + e->at, c, n);
	e->len += n;
	e->at += n;
	return true;
}

static bool
is_delete(int key)
{
	return key == UI_K_BACKSPACE || key == 8 || key == 127 || key == UI_K_DELETE;
}

bool
ui_edit_key(struct ui_edit *e, int key)
{
	bool offered = e->offered;

	e->offered = false;
	if (offered && is_delete(key))
		return drop(e, 0, e->len);
	if (offered && key >= ' ' && key < UI_K_UP)
		drop(e, 0, e->len);
	switch (key) {
	case UI_K_BACKSPACE:
	case 8:
	case 127:
		return drop(e, before(e, e->at), e->at);
	case UI_K_DELETE:
		return drop(e, e->at, behind(e, e->at));
	case 21:	/* ^U */
		return drop(e, 0, e->at);
	case 11:	/* ^K */
		return drop(e, e->at, e->len);
	case 23:	/* ^W */
		return drop(e, word_start(e), e->at);
	case UI_K_LEFT:
	case 2:
		e->at = before(e, e->at);
		return true;
	case UI_K_RIGHT:
	case 6:
		e->at = behind(e, e->at);
		return true;
	case UI_K_HOME:
	case 1:
		e->at = 0;
		return true;
	case UI_K_END:
	case 5:
		e->at = e->len;
		return true;
	default:
		return insert(e, key);
	}
}

void
ui_edit_draw(const struct ui_edit *e, struct grid *g, int row, int col, int width, enum ui_role role,
    const char *cursor)
{
	char part[UI_TEXT_MAX];
	size_t from = 0;
	int used;

	if (width < 2)
		return;
	for (;; from = behind(e, from)) {
		snprintf(part, sizeof(part), "%.*s", (int)(e->at - from), e->text + from);
		if (text_width(part) < width || from >= e->at)
			break;
	}
	used = text_width(part);
	grid_put(g, row, col, width, e->offered ? ROLE_SELECT : role, e->text + from);
	if (e->at >= e->len)
		grid_put(g, row, col + used, 1, ROLE_TEXT, cursor);
	else
		grid_set_role(g, row, col + used, 1, ROLE_SELECT);
}
