/* SPDX-License-Identifier: ISC
 * A recording of what a dashboard gets: one JSON object a line, with milliseconds since the beginning. */
#include "app/top_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/xmalloc.h"

#define FORMAT 1

struct top_record {
	FILE *f;
	char *path;	/* (owned) */
	uint64_t began;
	int error;	/* the first that writing met; nothing is written behind it */
};

static void
put(struct top_record *r, const struct strbuf *b)
{
	if (r->error != 0)
		return;
	errno = 0;
	if (fwrite(b->p, 1, b->len, r->f) != b->len || fputc('\n', r->f) == EOF || fflush(r->f) != 0)
		r->error = errno != 0 ? errno : EIO;
}

struct top_record *
top_record_open(const char *path, const char *where, bool foreground, struct err *e)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	struct strbuf b = STRBUF_INIT;
	struct jsonw w = JSONW(&b);
	struct top_record *r;
	FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;

	if (f == NULL) {
		err_set(e, "cannot write %s: %s", path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	r = xcalloc(1, sizeof(*r));
	r->f = f;
	r->path = xstrdup(path);
	r->began = clock_ms();
	jw_obj(&w);
	jw_kint(&w, "recording", FORMAT);
	jw_kstr(&w, "version", PACKAGE_VERSION);
	jw_kbool(&w, "foreground", foreground);
	jw_kstr(&w, "where", where);
	jw_kint(&w, "wall", (int64_t)clock_wall_ms());
	jw_obj_end(&w);
	put(r, &b);
	strbuf_fini(&b);
	return r;
}

void
top_record_close(struct top_record **rp)
{
	if (*rp == NULL)
		return;
	if ((*rp)->error != 0)
		fprintf(stderr, "mai: the recording %s is not complete: %s\n", (*rp)->path, strerror((*rp)->error));
	fclose((*rp)->f);
	free((*rp)->path);
	free(*rp);
	*rp = NULL;
}

static void
begin(const struct top_record *r, struct jsonw *w)
{
	jw_obj(w);
	jw_kint(w, "t", (int64_t)(clock_ms() - r->began));
}

static void
end(struct top_record *r, struct jsonw *w)
{
	jw_obj_end(w);
	put(r, w->b);
	strbuf_fini(w->b);
}

/* JSON as it came, if it is one line of it. */
static void
put_json(struct jsonw *w, const char *key, const char *data, size_t n)
{
	char *text = xstrndup(data, n);

	for (char *p = text; *p != '\0'; p++)
		if (*p == '\n' || *p == '\r')
			*p = ' ';
	jw_key(w, key);
	jw_raw(w, *text != '\0' ? text : "null");
	free(text);
}

void
top_record_event(struct top_record *r, const char *event, const char *data, size_t n)
{
	struct strbuf b = STRBUF_INIT;
	struct jsonw w = JSONW(&b);

	begin(r, &w);
	jw_kstr(&w, "event", event);
	put_json(&w, "data", data, n);
	end(r, &w);
}

void
top_record_lines(struct top_record *r, const char *answer, size_t n, uint64_t until, bool older)
{
	struct strbuf b = STRBUF_INIT;
	struct jsonw w = JSONW(&b);

	begin(r, &w);
	put_json(&w, "logs", answer, n);
	if (until != 0)
		jw_kint(&w, "until", (int64_t)until);
	if (older)
		jw_kbool(&w, "older", true);
	end(r, &w);
}

void
top_record_answer(struct top_record *r, const char *path, int status, const char *answer, size_t n)
{
	struct strbuf b = STRBUF_INIT;
	struct jsonw w = JSONW(&b);

	if (status != 200)
		return;
	begin(r, &w);
	jw_kstr(&w, "answer", path);
	put_json(&w, "body", answer, n);
	end(r, &w);
}

void
top_record_link(struct top_record *r, bool up, bool gone, const char *text, int tries, uint64_t retry_ms)
{
	struct strbuf b = STRBUF_INIT;
	struct jsonw w = JSONW(&b);

	begin(r, &w);
	jw_kstr(&w, "link", up ? "up" : gone ? "gone" : "down");
	if (!up) {
		jw_kstr(&w, "text", text);
		jw_kint(&w, "tries", tries);
		jw_kint(&w, "retry", (int64_t)retry_ms);
	}
	end(r, &w);
}
