/* SPDX-License-Identifier: ISC
 * Changing a scanned body in place. */
#include <string.h>

#include "proxy/proxy_model.h"

void
proxy_splice(struct strbuf *b, size_t at, size_t len, const char *p, size_t n)
{
	size_t max = b->max;

	if (n > len) {
		b->max = 0;	/* our own few bytes never count against the client's limit */
		strbuf_room(b, n - len);
		b->max = max;
	}
	memmove(b->p + at + n, b->p + at + len, b->len - at - len);
	if (n != 0)
		memcpy(b->p + at, p, n);
	b->len = b->len - len + n;
	b->p[b->len] = '\0';
}

/* Cuts the member out together with one comma. */
static void
drop_member(struct strbuf *body, const struct proxy_member *m)
{
	size_t from = m->key_at, to = m->at + m->len;

	if (m->comma_after != 0)
		to = m->comma_after + 1;
	else if (m->comma_before != 0)
		from = m->comma_before;
	proxy_splice(body, from, to - from, NULL, 0);
}

static void
add_text(struct strbuf *add, const char *text)
{
	if (add->len != 0)
		strbuf_putc(add, ',');
	strbuf_puts(add, text);
}

bool
proxy_body_edit(struct strbuf *body, const struct proxy_scan *s, const struct proxy_edit *e)
{
	const struct proxy_member *m = &s->member[PROXY_KEY_MODEL];
	struct strbuf add = STRBUF_INIT;
	bool null = m->at != 0 && m->len == 4 && memcmp(body->p + m->at, "null", 4) == 0, others = s->any;
	bool changed = false;

	/* From the back to the front, so that offsets stay true: the member first, then what is added at the brace. */
	if (m->at != 0 && e->model != NULL) {
		proxy_splice(body, m->at, m->len, e->model, strlen(e->model));
		changed = true;
	} else if (null && e->drop_null) {
		others = m->comma_before != 0 || m->comma_after != 0;
		drop_member(body, m);
		changed = true;
	}
	if (m->at == 0 && e->model != NULL) {
		strbuf_puts(&add, "\"model\":");
		strbuf_puts(&add, e->model);
	}
	if (e->defaults) {
		if (s->member[PROXY_KEY_MAX_TOKENS].at == 0)
			add_text(&add, "\"max_tokens\":2048");
		if (s->member[PROXY_KEY_TEMPERATURE].at == 0)
			add_text(&add, "\"temperature\":0.7");
		if (s->member[PROXY_KEY_TOP_P].at == 0)
			add_text(&add, "\"top_p\":1.0");
	}
	if (add.len != 0) {
		if (others)
			strbuf_putc(&add, ',');
		proxy_splice(body, s->open, 0, add.p, add.len);
		changed = true;
	}
	strbuf_fini(&add);
	return changed;
}
