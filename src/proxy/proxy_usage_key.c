/* SPDX-License-Identifier: ISC
 * The keys that tell something, found by their colons. A key inside a string would have its quotes escaped, so that the
 * byte before its closing quote is a backslash and no key of the table. */
#include <stddef.h>
#include <string.h>

#include "base/compat.h"
#include "proxy/proxy_usage.h"

enum what {
	KEY_NUMBER, KEY_RATE, KEY_CONTENT, KEY_INDEX, KEY_FINISH, KEY_TYPE, KEY_STOP, KEY_PROGRESS, KEY_PROGRESS_NUMBER
};

struct key {
	const char *name;	/* with its quotes */
	unsigned char n, what;
	unsigned short arg;	/* offset of a number; mask of enum proxy_ends for the rest */
};

#define BIT(e) (1u << (e))
#define OPENAI (BIT(ENDS_FRAMING) | BIT(ENDS_DONE) | BIT(ENDS_STOP))
#define K(name, what, arg) {"\"" name "\"", sizeof(name) + 1, what, arg}
#define NUM(name, field) K(name, KEY_NUMBER, offsetof(struct proxy_usage, field))
#define ALL 0xff

/* By their last letter. */
static const struct key keys_a[] = {K("delta", KEY_CONTENT, BIT(ENDS_RESPONSE))};
static const struct key keys_d[] = {
	NUM("tokens_predicted", predicted_n), NUM("tokens_evaluated", prompt_n),
	K("predicted_per_second", KEY_RATE, ALL),
	K("processed", KEY_PROGRESS_NUMBER, offsetof(struct proxy_usage, prompt_done)),
};
static const struct key keys_e[] = {K("type", KEY_TYPE, BIT(ENDS_MESSAGE) | BIT(ENDS_RESPONSE))};
static const struct key keys_g[] = {
	K("reasoning", KEY_CONTENT, OPENAI), K("thinking", KEY_CONTENT, BIT(ENDS_MESSAGE)),
};
static const struct key keys_l[] = {K("total", KEY_PROGRESS_NUMBER, offsetof(struct proxy_usage, prompt_total))};
static const struct key keys_n[] = {
	K("finish_reason", KEY_FINISH, BIT(ENDS_DONE)), NUM("prompt_n", prompt_n), NUM("cache_n", cache_n),
	NUM("predicted_n", predicted_n), K("partial_json", KEY_CONTENT, BIT(ENDS_MESSAGE)),
};
static const struct key keys_p[] = {K("stop", KEY_STOP, BIT(ENDS_STOP))};
static const struct key keys_s[] = {
	K("arguments", KEY_CONTENT, OPENAI), NUM("prompt_tokens", usage_in), NUM("completion_tokens", usage_out),
	NUM("input_tokens", usage_in), NUM("output_tokens", usage_out), NUM("cached_tokens", cached),
	NUM("cache_read_input_tokens", cache_read), NUM("cache_creation_input_tokens", cache_made),
	K("prompt_progress", KEY_PROGRESS, ALL),
};
static const struct key keys_t[] = {
	K("content", KEY_CONTENT, OPENAI), K("text", KEY_CONTENT, OPENAI | BIT(ENDS_MESSAGE)),
	K("reasoning_content", KEY_CONTENT, OPENAI),
};
static const struct key keys_x[] = {K("index", KEY_INDEX, BIT(ENDS_DONE))};

static const struct {
	const struct key *keys;
	size_t n;
} by_letter[26] = {
#define LETTER(c, a) [c - 'a'] = {a, ARRAY_LEN(a)}
	LETTER('a', keys_a), LETTER('d', keys_d), LETTER('e', keys_e), LETTER('g', keys_g), LETTER('l', keys_l),
	LETTER('n', keys_n), LETTER('p', keys_p), LETTER('s', keys_s), LETTER('t', keys_t), LETTER('x', keys_x),
};

/* values -------------------------------------------------------------------------------------------------------- */

static int64_t
number(const char *p, const char *end)
{
	int64_t v = -1;

	for (int i = 0; p < end && i < 18 && *p >= '0' && *p <= '9'; p++, i++)
		v = (v < 0 ? 0 : v * 10) + (*p - '0');
	return v;
}

static double
decimal(const char *p, const char *end)
{
	double v = -1, unit = 1;
	bool point = false;

	for (int i = 0; p < end && i < 24; p++, i++) {
		if (*p >= '0' && *p <= '9') {
			v = (v < 0 ? 0 : v * 10) + (*p - '0');
			unit *= point ? 10 : 1;
		} else if (*p == '.' && !point && v >= 0) {
			point = true;
		} else {
			break;
		}
	}
	return v < 0 ? -1 : v / unit;
}

static bool
is(const char *p, const char *end, const char *text, size_t n)
{
	return (size_t)(end - p) >= n && memcmp(p, text, n) == 0;
}
#define IS(text) is(p, end, text, sizeof(text) - 1)

/* A string that is not empty. */
static bool
filled(const char *p, const char *end)
{
	return end - p >= 2 && p[0] == '"' && p[1] != '"';
}

/* choices ------------------------------------------------------------------------------------------------------- */

static void
choice(struct proxy_usage *u, int64_t index, int finish)
{
	if (index < 0 || index > 63) {
		u->odd = true;
		return;
	}
	u->seen |= (uint64_t)1 << index;
	if (finish == 2)
		u->finished |= (uint64_t)1 << index;
}

/* A choice's own index is the first one of it: tool calls have more of them. */
static void
on_index(struct proxy_usage *u, int64_t v)
{
	struct proxy_event *e = &u->ev;

	if (e->reversed) {
		if (e->finish != 0)
			choice(u, v, e->finish);
		e->finish = 0;
	} else if (!e->indexed) {
		e->indexed = true;
		e->index = v;
		choice(u, v, 0);
	}
}

static void
on_finish(struct proxy_usage *u, int finish)
{
	struct proxy_event *e = &u->ev;

	if (e->indexed) {
		choice(u, e->index, finish);
		e->indexed = false;
	} else {
		e->reversed = true;
		e->finish = finish;
	}
}

static void
on_type(struct proxy_usage *u, const char *p, const char *end)
{
	struct proxy_event *e = &u->ev;

	/* Only the first: deeper ones are the client's own words. */
	if (e->typed)
		return;
	e->typed = true;
	if (IS("\"error\"")) {
		e->fails = true;
	} else if (u->ends == ENDS_MESSAGE) {
		e->ends = IS("\"message_stop\"");
		e->start = IS("\"message_start\"");
	} else {
		e->fails = IS("\"response.failed\"");
		e->ends = e->fails || IS("\"response.completed\"") || IS("\"response.incomplete\"");
	}
}

/* keys ---------------------------------------------------------------------------------------------------------- */

static void
on_number(struct proxy_usage *u, const struct key *k, int64_t v)
{
	bool out = k->arg == offsetof(struct proxy_usage, usage_out);

	if (v >= 0 && !(out && u->ev.start))
		*(int64_t *)(void *)((char *)u + k->arg) = v;
}

static void
on_key(struct proxy_usage *u, const struct key *k, const char *p, const char *end)
{
	double rate;

	switch ((enum what)k->what) {
	case KEY_NUMBER:
		on_number(u, k, number(p, end));
		break;
	case KEY_PROGRESS_NUMBER:
		if (u->ev.progress)
			on_number(u, k, number(p, end));
		break;
	case KEY_RATE:
		rate = decimal(p, end);
		u->rate = rate >= 0 ? rate : u->rate;
		break;
	case KEY_CONTENT:
		u->ev.content |= (k->arg & BIT(u->ends)) != 0 && filled(p, end);
		break;
	case KEY_INDEX:
		if (u->ends == ENDS_DONE)
			on_index(u, number(p, end));
		break;
	case KEY_FINISH:
		if (u->ends == ENDS_DONE)
			on_finish(u, filled(p, end) ? 2 : 1);
		break;
	case KEY_TYPE:
		if ((k->arg & BIT(u->ends)) != 0)
			on_type(u, p, end);
		break;
	case KEY_STOP:
		if (u->ends == ENDS_STOP && IS("true"))
			u->ev.ends = true;
		break;
	case KEY_PROGRESS:
		u->ev.progress |= p < end && *p == '{';
		break;
	}
}

static void
on_colon(struct proxy_usage *u, const char *p, const char *colon, const char *end)
{
	unsigned letter = (unsigned char)colon[-2] - 'a';
	const char *v = colon + 1;

	if (letter >= ARRAY_LEN(by_letter))
		return;
	for (size_t i = 0; i < by_letter[letter].n; i++) {
		const struct key *k = &by_letter[letter].keys[i];

		if ((size_t)(colon - p) < k->n || memcmp(colon - k->n, k->name, k->n) != 0)
			continue;
		for (int blanks = 0; v < end && *v == ' ' && blanks < 8; blanks++)
			v++;
		on_key(u, k, v, end);
		return;
	}
}

void
proxy_usage_keys(struct proxy_usage *u, const char *p, size_t from, size_t n, bool last)
{
	const char *end, *stop, *q;

	from = from < 3 ? 3 : from;
	if (n < from + (last ? 0 : PROXY_USAGE_AHEAD))
		return;
	end = p + n;
	stop = last ? end : end - PROXY_USAGE_AHEAD;
	q = p + from;
	while (q < stop && (q = memchr(q, ':', (size_t)(stop - q))) != NULL) {
		if (q[-1] == '"')
			on_colon(u, p, q, end);
		q++;
	}
}
