/* SPDX-License-Identifier: ISC
 * Tables: mai models, mai ps. */
#include <stdlib.h>
#include <string.h>

#include "app/cmd_priv.h"
#include "base/text.h"

#define CELL 128

/* Left-aligned cells under each other; the last is not padded. */
static void
put_cell(struct strbuf *out, const char *s, int width, bool last)
{
	struct strbuf clean = STRBUF_INIT;

	text_clean(&clean, s, strlen(s), CELL);
	strbuf_puts(out, strbuf_str(&clean));
	for (int w = text_width(strbuf_str(&clean)); !last && w < width; w++)
		strbuf_putc(out, ' ');
	strbuf_puts(out, last ? "\n" : "  ");
	strbuf_fini(&clean);
}

static int
wider(int width, const char *s)
{
	struct strbuf clean = STRBUF_INIT;
	int w;

	text_clean(&clean, s, strlen(s), CELL);
	w = text_width(strbuf_str(&clean));
	strbuf_fini(&clean);
	return w > width ? w : width;
}

static const char *
model_state(const cJSON *m)
{
	return json_str(json_get(m, "status"), "value", json_str(m, "state", json_str(m, "status", "-")));
}

static void
aliases(struct strbuf *out, const cJSON *m)
{
	const cJSON *a;

	strbuf_clear(out);
	strbuf_puts(out, json_str(m, "description", json_str(m, "name", "")));
	cJSON_ArrayForEach(a, json_get(m, "aliases"))
		if (cJSON_IsString(a))
			strbuf_printf(out, "%s%s", out->len > 0 ? ", " : "also ", a->valuestring);
}

void
cmd_models_text(struct strbuf *out, const cJSON *models)
{
	const cJSON *list = json_get(models, "data"), *m;
	struct strbuf more = STRBUF_INIT;
	int width = 5;

	cJSON_ArrayForEach(m, list)
		width = wider(width, json_str(m, "id", "?"));
	put_cell(out, "MODEL", width, false);
	strbuf_puts(out, "STATE\n");
	cJSON_ArrayForEach(m, list) {
		put_cell(out, json_str(m, "id", "?"), width, false);
		aliases(&more, m);
		put_cell(out, model_state(m), 8, more.len == 0);
		if (more.len > 0)
			put_cell(out, strbuf_str(&more), 0, true);
	}
	strbuf_fini(&more);
}

static void
count(char *out, size_t size, const cJSON *r, const char *key)
{
	int64_t n = json_int(r, key, -1);

	if (n >= 0)
		text_count(out, size, (uint64_t)n);
	else
		snprintf(out, size, "-");
}

/* What it does, and how far that is. */
static void
phase(char *out, size_t size, const cJSON *r)
{
	int64_t done = json_int(r, "prompt_done", -1), total = json_int(r, "prompt_total", -1);
	int64_t position = json_int(r, "position", 0);
	const char *name = json_str(r, "phase", "-");

	if (position > 0)
		snprintf(out, size, "%s %lld", name, (long long)position);
	else if (total > 0 && done >= 0 && done <= total)
		snprintf(out, size, "%s %d%%", name, (int)((double)done * 100 / (double)total));
	else
		snprintf(out, size, "%s", name);
}

static void
put_request(struct strbuf *out, const cJSON *r)
{
	double tps = json_num(r, "tokens_per_second", -1), age = json_num(r, "age_seconds", 0);
	double waited = json_num(r, "waited_seconds", 0);
	char id[32], a[32], w[32], in[32], tokens[32], rate[32], what[64];

	snprintf(id, sizeof(id), "%lld", (long long)json_int(r, "id", 0));
	text_duration(a, sizeof(a), age > 0 ? (uint64_t)(age * 1000) : 0, true);
	text_duration(w, sizeof(w), waited > 0 ? (uint64_t)(waited * 1000) : 0, true);
	count(in, sizeof(in), r, "tokens_in");
	count(tokens, sizeof(tokens), r, "tokens_out");
	if (tps >= 0)
		snprintf(rate, sizeof(rate), "%.1f", tps);
	else
		snprintf(rate, sizeof(rate), "-");
	phase(what, sizeof(what), r);
	put_cell(out, id, 6, false);
	put_cell(out, json_str(r, "client", "-"), 21, false);
	put_cell(out, what, 12, false);
	put_cell(out, a, 7, false);
	put_cell(out, waited > 0 ? w : "-", 6, false);
	put_cell(out, in, 6, false);
	put_cell(out, tokens, 6, false);
	put_cell(out, rate, 6, false);
	put_cell(out, json_str(r, "model", "-"), 20, false);
	put_cell(out, json_str(r, "path", "-"), 0, true);
}

void
cmd_ps_text(struct strbuf *out, const cJSON *requests)
{
	const cJSON *list = cJSON_IsArray(requests) ? requests : json_get(requests, "requests"), *r;

	strbuf_printf(out, "%-6s  %-21s  %-12s  %-7s  %-6s  %-6s  %-6s  %-6s  %-20s  %s\n", "ID", "CLIENT", "PHASE",
	    "AGE", "WAITED", "IN", "OUT", "TOK/S", "MODEL", "PATH");
	cJSON_ArrayForEach(r, list)
		put_request(out, r);
}

static int
print_table(const struct cmd_opts *o, const char *path, void (*table)(struct strbuf *, const cJSON *))
{
	struct strbuf out = STRBUF_INIT;
	cJSON *j;
	int r = cmd_call_json(o, "GET", path, NULL, &j);

	if (j != NULL) {
		table(&out, j);
		fputs(strbuf_str(&out), stdout);
	}
	strbuf_fini(&out);
	cJSON_Delete(j);
	return r;
}

int
cmd_models(const struct cmd_opts *o)
{
	return print_table(o, "/models", cmd_models_text);
}

int
cmd_ps(const struct cmd_opts *o)
{
	return print_table(o, "/api/requests", cmd_ps_text);
}
