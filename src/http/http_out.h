/* SPDX-License-Identifier: ISC
 * Bytes on their way out of a non-blocking socket: written at once where it takes them, kept otherwise. */
#ifndef HTTP_HTTP_OUT_H
#define HTTP_HTTP_OUT_H

#include <sys/uio.h>

#include "base/strbuf.h"

struct http_out {
	struct strbuf b;	/* (owned) */
	size_t pos;		/* b from here on is not yet written */
};

#define HTTP_OUT_IOV 4

void http_out_fini(struct http_out *o);
size_t http_out_left(const struct http_out *o);
/* Keeps them without writing. */
void http_out_add(struct http_out *o, const void *p, size_t n);
/* Writes what is kept, then iov (at most HTTP_OUT_IOV); keeps what the socket does not take. 0, or -1 with errno when
 * the socket is broken. */
int http_out_writev(struct http_out *o, int fd, const struct iovec *iov, int n) MUST_CHECK;

/* writev that raises no SIGPIPE. */
ssize_t http_writev(int fd, struct iovec *iov, int n);

#endif
