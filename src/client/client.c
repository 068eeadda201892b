/* SPDX-License-Identifier: ISC
 * Blocking calls, and the set-up of every libcurl handle. */
#include "client/client.h"

#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/xmalloc.h"
#include "client/client_priv.h"

void
client_target_fini(struct client_target *t)
{
	free(t->socket);
	free(t->url);
	free(t->key);
	*t = (struct client_target){0};
}

void
client_target_copy(struct client_target *to, const struct client_target *from)
{
	to->socket = xstrdup0(from->socket);
	to->url = xstrdup0(from->url);
	to->key = xstrdup0(from->key);
}

/* libcurl's own sockets would be inherited by whatever this process starts. */
static curl_socket_t
on_opensocket(void *arg, curlsocktype purpose, struct curl_sockaddr *a)
{
	int fd;

	(void)arg;
	(void)purpose;
#ifdef SOCK_CLOEXEC
	fd = socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
	if (fd >= 0 || errno != EINVAL)
		return fd < 0 ? CURL_SOCKET_BAD : fd;
#endif
	fd = socket(a->family, a->socktype, a->protocol);
	if (fd < 0)
		return CURL_SOCKET_BAD;
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	return fd;
}

static bool
is_local(const struct client_target *t)
{
	const char *host;

	if (t->socket != NULL)
		return true;
	host = strstr(t->url, "://");
	host = host != NULL ? host + 3 : t->url;
	return strncasecmp(host, "localhost", 9) == 0 || strncmp(host, "127.", 4) == 0 ||
	    strncmp(host, "[::1]", 5) == 0;
}

static char *
make_url(const struct client_target *t, const char *path)
{
	size_t n;

	if (t->socket != NULL)
		return xasprintf("http://localhost%s", path);
	n = strlen(t->url);
	while (n > 0 && t->url[n - 1] == '/')
		n--;
	return xasprintf("%.*s%s", (int)n, t->url, path);
}

static void
add_header(struct client_xfer *x, const char *line)
{
	struct curl_slist *more = curl_slist_append(x->headers, line);

	if (more != NULL)
		x->headers = more;
}

static void
set_headers(struct client_xfer *x, const struct client_target *t, const char *body, const char *const *headers)
{
	add_header(x, "Expect:");
	if (body != NULL)
		add_header(x, "Content-Type: application/json");
	if (t->key != NULL) {
		char *line = xasprintf("Authorization: Bearer %s", t->key);

		add_header(x, line);
		free(line);
	}
	for (; headers != NULL && *headers != NULL; headers++)
		add_header(x, *headers);
	curl_easy_setopt(x->easy, CURLOPT_HTTPHEADER, x->headers);
}

static void
set_method(CURL *h, const char *method, const char *body)
{
	if (strcmp(method, "GET") == 0)
		return;
	if (strcmp(method, "POST") == 0)
		curl_easy_setopt(h, CURLOPT_POST, 1L);
	else
		curl_easy_setopt(h, CURLOPT_CUSTOMREQUEST, method);
	curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE, (long)(body != NULL ? strlen(body) : 0));
	curl_easy_setopt(h, CURLOPT_COPYPOSTFIELDS, body != NULL ? body : "");
	/* On a kept connection that the other side had closed libcurl would send it twice. */
	curl_easy_setopt(h, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(h, CURLOPT_FORBID_REUSE, 1L);
}

int
client_xfer_init(struct client_xfer *x, const struct client_target *t, const char *method, const char *path,
    const char *body, const char *const *headers, struct err *e)
{
	char *url;

	memset(x, 0, sizeof(*x));
	if (t->socket == NULL && t->url == NULL)
		return err_set(e, "no socket and no URL to talk to");
	x->easy = curl_easy_init();
	if (x->easy == NULL)
		return err_set(e, "libcurl cannot be set up");
	url = make_url(t, path);
	curl_easy_setopt(x->easy, CURLOPT_URL, url);
	free(url);
	if (t->socket != NULL)
		curl_easy_setopt(x->easy, CURLOPT_UNIX_SOCKET_PATH, t->socket);
	if (is_local(t))
		curl_easy_setopt(x->easy, CURLOPT_PROXY, "");
#if LIBCURL_VERSION_NUM >= 0x075500
	curl_easy_setopt(x->easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
	curl_easy_setopt(x->easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
	curl_easy_setopt(x->easy, CURLOPT_DEFAULT_PROTOCOL, "http");
	curl_easy_setopt(x->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(x->easy, CURLOPT_USERAGENT, "mai/" PACKAGE_VERSION);
	curl_easy_setopt(x->easy, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(x->easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(x->easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(x->easy, CURLOPT_CONNECTTIMEOUT, is_local(t) ? 5L : 15L);
	curl_easy_setopt(x->easy, CURLOPT_ERRORBUFFER, x->error);
	curl_easy_setopt(x->easy, CURLOPT_OPENSOCKETFUNCTION, on_opensocket);
	set_method(x->easy, method, body);
	set_headers(x, t, body, headers);
	return 0;
}

void
client_xfer_fini(struct client_xfer *x)
{
	if (x->easy != NULL)
		curl_easy_cleanup(x->easy);
	curl_slist_free_all(x->headers);
	*x = (struct client_xfer){0};
}

int
client_xfer_status(const struct client_xfer *x)
{
	long status = 0;

	if (x->easy != NULL)
		curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &status);
	return (int)status;
}

enum client_result
client_xfer_result(const struct client_xfer *x, const struct client_target *t, CURLcode code, struct err *e)
{
	const char *where = t->socket != NULL ? t->socket : t->url;
	const char *text = x->error[0] != '\0' ? x->error : curl_easy_strerror(code);
	long os = 0;

	if (code == CURLE_OK)
		return CLIENT_OK;
	curl_easy_getinfo(x->easy, CURLINFO_OS_ERRNO, &os);
	if (code == CURLE_COULDNT_CONNECT && os != EACCES && os != EPERM) {
		err_set(e, "nothing answers at %s%s%s", where, os != 0 ? ": " : "", os != 0 ? strerror((int)os) : "");
		return CLIENT_DOWN;
	}
	if (code == CURLE_COULDNT_CONNECT)
		err_set(e, "%s: %s", where, strerror((int)os));
	else if (code == CURLE_GOT_NOTHING || code == CURLE_PARTIAL_FILE || code == CURLE_RECV_ERROR)
		err_set(e, "the connection to %s was cut", where);
	else
		err_set(e, "%s: %s", where, text);
	return CLIENT_FAILED;
}

static size_t
on_keep(char *p, size_t size, size_t n, void *arg)
{
	struct strbuf *b = arg;

	strbuf_add(b, p, size * n);
	return b->full ? 0 : size * n;
}

enum client_result
client_call(const struct client_target *t, const char *method, const char *path, const char *body, long timeout_ms,
    int *status, struct strbuf *answer, struct err *e)
{
	struct strbuf got = {.max = CLIENT_ANSWER_MAX};
	enum client_result r;
	struct client_xfer x;

	*status = 0;
	if (client_xfer_init(&x, t, method, path, body, NULL, e) != 0)
		return CLIENT_FAILED;
	curl_easy_setopt(x.easy, CURLOPT_WRITEFUNCTION, on_keep);
	curl_easy_setopt(x.easy, CURLOPT_WRITEDATA, &got);
	curl_easy_setopt(x.easy, CURLOPT_TIMEOUT_MS, timeout_ms);
	r = client_xfer_result(&x, t, curl_easy_perform(x.easy), e);
	if (r == CLIENT_OK)
		*status = client_xfer_status(&x);
	else if (got.full)
		err_set(e, "the answer to %s is larger than %u MiB", path, CLIENT_ANSWER_MAX >> 20);
	client_xfer_fini(&x);
	if (r == CLIENT_OK) {
		strbuf_clear(answer);
		strbuf_add(answer, strbuf_str(&got), got.len);
	}
	strbuf_fini(&got);
	return r;
}

struct streaming {
	struct client_xfer x;
	bool (*fn)(void *, const char *, size_t);
	void *arg;
	int *status;
	bool stopped;
};

static size_t
on_stream(char *p, size_t size, size_t n, void *arg)
{
	struct streaming *s = arg;

	*s->status = client_xfer_status(&s->x);
	if (!s->fn(s->arg, p, size * n)) {
		s->stopped = true;
		return 0;
	}
	return size * n;
}

enum client_result
client_stream(const struct client_target *t, const char *method, const char *path, const char *body, int *status,
    bool (*fn)(void *arg, const char *p, size_t n), void *arg, struct err *e)
{
	struct streaming s = {.fn = fn, .arg = arg, .status = status};
	enum client_result r;
	CURLcode code;

	*status = 0;
	if (client_xfer_init(&s.x, t, method, path, body, NULL, e) != 0)
		return CLIENT_FAILED;
	curl_easy_setopt(s.x.easy, CURLOPT_WRITEFUNCTION, on_stream);
	curl_easy_setopt(s.x.easy, CURLOPT_WRITEDATA, &s);
	code = curl_easy_perform(s.x.easy);
	r = s.stopped && code == CURLE_WRITE_ERROR ? CLIENT_OK : client_xfer_result(&s.x, t, code, e);
	if (r == CLIENT_OK)
		*status = client_xfer_status(&s.x);
	client_xfer_fini(&s.x);
	return r;
}
