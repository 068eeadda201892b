/* SPDX-License-Identifier: ISC
 * Selection, scrolling, fuzzy matching. */
#include "ui/ui_list.h"

#include <ctype.h>
#include <string.h>

static int
clamp(int v, int lo, int hi)
{
	return v > hi ? (hi < lo ? lo : hi) : v < lo ? lo : v;
}

static int
locate(struct ui_list *l, const uint64_t *keys, int n)
{
	for (int i = 0; l->key != 0 && i < n; i++)
		if (keys[i] == l->key)
			return i;
	return clamp(l->at, 0, n - 1);
}

int
ui_list_sync(struct ui_list *l, const uint64_t *keys, int n, int rows)
{
	if (n <= 0) {
		l->at = l->top = 0;
		l->key = 0;
		return -1;
	}
	l->at = locate(l, keys, n);
	l->key = keys[l->at];
	if (rows < 1)
		rows = 1;
	if (l->at < l->top)
		l->top = l->at;
	if (l->at >= l->top + rows)
		l->top = l->at - rows + 1;
	l->top = clamp(l->top, 0, n - rows);
	return l->at;
}

void
ui_list_move(struct ui_list *l, const uint64_t *keys, int n, int by)
{
	if (n <= 0)
		return;
	l->at = clamp(locate(l, keys, n) + by, 0, n - 1);
	l->key = keys[l->at];
}

static bool
same(char a, char b, bool exact)
{
	return exact ? a == b : tolower((unsigned char)a) == tolower((unsigned char)b);
}

static bool
piece_at(const char *name, const char *pattern, bool exact)
{
	for (; *pattern != '\0'; name++, pattern++)
		if (*name == '\0' || !same(*name, *pattern, exact))
			return false;
	return true;
}

int
ui_list_match(const char *name, const char *pattern)
{
	bool exact = false;
	const char *p = pattern;

	if (*pattern == '\0')
		return 1;
	for (const char *c = pattern; *c != '\0'; c++)
		exact = exact || isupper((unsigned char)*c);
	if (piece_at(name, pattern, exact))
		return 3;
	for (const char *s = name + 1; name[0] != '\0' && *s != '\0'; s++)
		if (piece_at(s, pattern, exact))
			return 2;
	for (const char *s = name; *s != '\0' && *p != '\0'; s++)
		if (same(*s, *p, exact))
			p++;
	return *p == '\0' ? 1 : 0;
}
