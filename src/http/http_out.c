/* SPDX-License-Identifier: ISC
 * The way out of a socket. */
#include "http/http_out.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/xmalloc.h"

/* Above this the memory of an emptied back-log is given back. */
#define KEEP_BYTES 4096
/* A real back-log gets its memory at once, not by doubling: what is not used of it costs nothing. */
#define REAL_BYTES (16 * 1024)
#define BACKLOG_BYTES (272 * 1024)

void
http_out_fini(struct http_out *o)
{
	strbuf_fini(&o->b);
	o->pos = 0;
}

size_t
http_out_left(const struct http_out *o)
{
	return o->b.len - o->pos;
}

static void
grow(struct strbuf *b, size_t cap)
{
	b->p = xrealloc(b->p, cap);
	b->cap = cap;
}

void
http_out_add(struct http_out *o, const void *p, size_t n)
{
	/* The written part is dropped before the buffer would have to grow for it. */
	if (o->pos != 0 && o->b.len + n + 1 > o->b.cap) {
		strbuf_shift(&o->b, o->pos);
		o->pos = 0;
	}
	if (o->b.cap < BACKLOG_BYTES && o->b.len + n > REAL_BYTES && o->b.len + n < BACKLOG_BYTES)
		grow(&o->b, BACKLOG_BYTES);
	strbuf_add(&o->b, p, n);
}

ssize_t
http_writev(int fd, struct iovec *iov, int n)
{
#ifdef MSG_NOSIGNAL
	if (n == 1)
		return send(fd, iov[0].iov_base, iov[0].iov_len, MSG_NOSIGNAL);
	struct msghdr m = {.msg_iov = iov};

	m.msg_iovlen = n;
	return sendmsg(fd, &m, MSG_NOSIGNAL);
#else
	return writev(fd, iov, n);
#endif
}

static void
written(struct http_out *o, size_t n)
{
	o->pos += n;
	if (o->pos < o->b.len)
		return;
	o->pos = 0;
	if (o->b.cap > KEEP_BYTES)
		strbuf_fini(&o->b);
	else
		strbuf_clear(&o->b);
}

int
http_out_writev(struct http_out *o, int fd, const struct iovec *iov, int n)
{
	struct iovec v[HTTP_OUT_IOV + 1];
	size_t kept = http_out_left(o), went;
	ssize_t got;
	int cnt = 0;

	if (kept != 0)
		v[cnt++] = (struct iovec){o->b.p + o->pos, kept};
	for (int i = 0; i < n; i++)
		v[cnt++] = iov[i];
	if (cnt == 0)
		return 0;
	do {
		got = http_writev(fd, v, cnt);
	} while (got < 0 && errno == EINTR);
	if (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
		return -1;
	went = got < 0 ? 0 : (size_t)got;
	if (kept != 0) {
		size_t k = went < kept ? went : kept;

		written(o, k);
		went -= k;
	}
	for (int i = 0; i < n; i++) {
		size_t k = went < iov[i].iov_len ? went : iov[i].iov_len;

		if (k < iov[i].iov_len)
			http_out_add(o, (const char *)iov[i].iov_base + k, iov[i].iov_len - k);
		went -= k;
	}
	return 0;
}
