/* SPDX-License-Identifier: ISC
 * Events and log answers as a dashboard takes them: lines "event data", or "logs answer". */
#include <string.h>

#include "fuzz.h"
#include "view/view.h"
#include "view/view_log.h"

static void
check_view(const struct view *v)
{
	uint64_t last = 0;

	for (size_t i = 0; i < v->nengines; i++)
		INSIST(v->engines[i].id != NULL && v->engines[i].name != NULL);
	for (size_t i = 0; i < v->nrequests; i++) {
		INSIST(i == 0 || v->requests[i].id > last);
		last = v->requests[i].id;
	}
	INSIST(v->hist.n >= 0 && v->hist.n <= VIEW_HIST);
}

static void
check_log(const struct view_log *l)
{
	uint64_t last = 0;

	for (size_t i = 0; i < view_log_count(l); i++) {
		const struct view_line *x = view_log_at(l, i);

		INSIST(x->key > last && view_log_find(l, x->key) == i);
		INSIST(x->dead == (x->text == NULL));
		last = x->key;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct view_log *log = view_log_new(2048);
	struct strbuf out = STRBUF_INIT;
	struct view v;
	uint64_t next = 0;
	bool gap;

	view_init(&v);
	for (const uint8_t *p = data, *end = data + size; p < end;) {
		const uint8_t *nl = memchr(p, '\n', (size_t)(end - p)), *stop = nl != NULL ? nl : end;
		const uint8_t *blank = memchr(p, ' ', (size_t)(stop - p));
		char name[16] = "";

		if (blank != NULL && (size_t)(blank - p) < sizeof(name)) {
			memcpy(name, p, (size_t)(blank - p));
			p = blank + 1;
			if (strcmp(name, "logs") == 0)
				view_log_apply(log, (const char *)p, (size_t)(stop - p), 0, &next, NULL);
			else if (strcmp(name, "older") == 0)
				view_log_apply_older(log, (const char *)p, (size_t)(stop - p), &gap, NULL);
			else if (strcmp(name, "note") == 0)
				view_log_note(log, 1, SOURCE_MAI, 'M', "note");
			else if (strcmp(name, "restart") == 0)
				view_log_restart(log);
			else
				view_apply(&v, name, (const char *)p, (size_t)(stop - p), 1000, NULL);
			check_view(&v);
			check_log(log);
		}
		p = stop + 1;
	}
	view_put_snapshot(&out, &v, 1);
	INSIST(view_apply(&v, "snapshot", strbuf_str(&out), out.len, 1000, NULL) == 0);
	strbuf_fini(&out);
	view_log_free(&log);
	view_fini(&v);
	return 0;
}
