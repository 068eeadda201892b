/* SPDX-License-Identifier: ISC
 * Answers: health, model list, figures, completions whole or as a stream. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake.h"

#define NEVER FAKE_NEVER
#define TURN_WAIT 20
#define HIGH_WATER (256 * 1024)

static void
head(struct fake_conn *c, long status, const char *type, long length)
{
	static const struct { long status; const char *text; } texts[] = {
		{200, "OK"}, {400, "Bad Request"}, {404, "Not Found"}, {413, "Content Too Large"},
		{429, "Too Many Requests"}, {500, "Internal Server Error"}, {503, "Service Unavailable"}, {0, "Odd"}
	};
	size_t i = 0;
	bool eof = c->a.framing == FRAME_CLOSE || c->a.http10;

	while (texts[i].status != 0 && texts[i].status != status)
		i++;
	c->framing = c->a.framing == FRAME_CHUNKED ? FRAME_CHUNKED :
	    eof && length < 0 ? FRAME_CLOSE :
	    c->a.framing == FRAME_CLOSE ? FRAME_CLOSE :
	    length >= 0 ? FRAME_LENGTH : FRAME_CHUNKED;
	if (eof || c->a.close)
		c->keep = false;
	fake_addf(&c->out, "HTTP/1.%d %ld %s\r\nServer: fake\r\nContent-Type: %s\r\n", c->a.http10 ? 0 : 1, status,
	    texts[i].text, type);
	if (c->framing == FRAME_LENGTH)
		fake_addf(&c->out, "Content-Length: %ld\r\n", length);
	else if (c->framing == FRAME_CHUNKED)
		fake_addf(&c->out, "Transfer-Encoding: chunked\r\n");
	if (!c->keep && !c->a.http10)
		fake_addf(&c->out, "Connection: close\r\n");
	fake_addf(&c->out, "X-Fake-Served: %ld\r\n\r\n", c->served + 1);
}

/* Body bytes, framed; where a limit of the test falls into them only the part before it, and the end that was asked. */
static void
emit(struct fake_conn *c, const char *data, size_t len)
{
	const struct { long limit; char after; } limits[] = {
		{c->a.die_after_bytes, 'd'}, {c->a.cut_after_bytes, 'c'}, {c->a.reset_after_bytes, 'r'}
	};
	size_t whole = len;

	for (size_t i = 0; i < 3 && c->after == 0; i++)
		if (c->completion && limits[i].limit >= 0 && c->body_sent + len > (uint64_t)limits[i].limit) {
			len = (size_t)limits[i].limit - (size_t)c->body_sent;
			c->after = limits[i].after;
			c->phase = CONN_FLUSH;
		}
	if (c->framing == FRAME_CHUNKED && whole > 0)
		fake_addf(&c->out, "%zx\r\n", whole);
	fake_add(&c->out, data, len);
	if (c->framing == FRAME_CHUNKED && len == whole && len > 0)
		fake_add(&c->out, "\r\n", 2);
	c->body_sent += len;
}

static void
finish(struct fake_conn *c)
{
	if (c->after != 0)
		return;
	if (c->framing == FRAME_CHUNKED)
		fake_add(&c->out, "0\r\n\r\n", 5);
	c->phase = CONN_FLUSH;
}

static void
reply(struct fake_conn *c, long status, const char *text)
{
	size_t len = strlen(text);

	c->phase = CONN_FLUSH;
	head(c, status, "application/json", (long)len);
	if (strcmp(c->method, "HEAD") == 0)
		return;
	emit(c, text, len);
	finish(c);
}

static void
stats(struct fake_conn *c)
{
	struct fake_buf b = {0};

	fake_addf(&b, "{\"connections\":%lu,\"requests\":%lu,\"completions\":%lu,\"health\":%lu,\"tokens\":%lu,"
	    "\"events\":%lu,\"bytes\":%lu,\"aborted\":%lu,\"done\":%lu,\"in_progress\":%d,\"max_write_ms\":%lu,"
	    "\"tunnels\":%lu,\"tunnels_ended\":%lu,\"tunnel_in\":%lu,\"tunnel_out\":%lu,\"start\":%ld}",
	    fake_stats.connections, fake_stats.requests, fake_stats.completions, fake_stats.health, fake_stats.tokens,
	    fake_stats.events, fake_stats.bytes, fake_stats.aborted, fake_stats.done, fake_in_progress(),
	    fake_stats.max_write_ms, fake_stats.tunnels, fake_stats.tunnels_ended, fake_stats.tunnel_in,
	    fake_stats.tunnel_out, fake_start_number);
	reply(c, 200, b.data);
	free(b.data);
}

static void
models(struct fake_conn *c)
{
	struct fake_buf b = {0};

	fake_addf(&b, "{\"object\":\"list\",\"data\":[{\"id\":");
	fake_add_json(&b, fake_model(), strlen(fake_model()));
	fake_addf(&b, ",\"object\":\"model\",\"created\":1}]}");
	reply(c, 200, b.data);
	free(b.data);
}

static void
add_usage(struct fake_buf *b, long n)
{
	fake_addf(b, "\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":%ld,\"total_tokens\":%ld}", n, n + 7);
}

static bool
is_chat(const struct fake_conn *c)
{
	return strstr(c->path, "chat/completions") != NULL;
}

static long
tokens(const struct fake_conn *c)
{
	return c->a.sse >= 0 ? c->a.sse : c->max_tokens > 0 ? c->max_tokens : 8;
}

static void
add_id(struct fake_buf *b, const struct fake_conn *c, const char *object)
{
	const char *name = c->model[0] != '\0' && !fake.own_name ? c->model : fake_model();

	fake_addf(b, "{\"id\":\"fake-%lu\",\"object\":\"%s\",\"created\":1,\"model\":", fake_stats.completions, object);
	fake_add_json(b, name, strlen(name));
}

static void
whole(struct fake_conn *c)
{
	struct fake_buf b = {0};
	long n = tokens(c);

	add_id(&b, c, is_chat(c) ? "chat.completion" : "text_completion");
	if (is_chat(c))
		fake_addf(&b, ",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"");
	else
		fake_addf(&b, ",\"choices\":[{\"index\":0,\"text\":\"");
	for (long i = 0; i < n; i++)
		fake_addf(&b, "word%ld ", i);
	fake_addf(&b, "\"%s,\"finish_reason\":\"stop\"}],", is_chat(c) ? "}" : "");
	add_usage(&b, n);
	fake_addf(&b, "}");
	fake_stats.tokens += (unsigned long)n;
	reply(c, c->a.status, b.data);
	free(b.data);
}

static void
echo(struct fake_conn *c)
{
	struct fake_buf b = {0};

	fake_addf(&b, "{\"head\":");
	fake_add_json(&b, c->in.data, c->head_len);
	fake_addf(&b, ",\"body\":");
	fake_add_json(&b, c->body, c->body_len);
	fake_addf(&b, "}");
	reply(c, c->a.status, b.data);
	free(b.data);
}

static void
put(struct fake_conn *c, void (*fn)(const struct fake_conn *, struct fake_buf *))
{
	struct fake_buf b = {0};

	fn(c, &b);
	if (b.len > 0)
		emit(c, b.data, b.len);
	free(b.data);
}

static void
event(struct fake_conn *c)
{
	put(c, fake_stream_event);
	c->sent_events++;
	fake_stats.events++;
	fake_stats.tokens++;
}

/* What comes before the first token: one comment, or one event on the progress of the prompt. */
static void
ahead(struct fake_conn *c)
{
	struct fake_buf b = {0};

	if (c->ahead < c->a.comments)
		fake_addf(&b, ": keepalive %ld/%ld\n\n", c->ahead + 1, c->a.comments);
	else
		fake_stream_progress(c, &b, c->ahead - c->a.comments + 1);
	emit(c, b.data, b.len);
	free(b.data);
	c->ahead++;
}

static void
stream_more(struct fake_conn *c, uint64_t now)
{
	if (fake_terms > 0 && fake.end_streams_on_term && c->phase == CONN_STREAM)
		finish(c);
	while (c->phase == CONN_STREAM && now >= c->due && c->out.len < HIGH_WATER) {
		if (fake_terms > 0 && fake.wait_clients_on_term)
			return;
		if (c->ahead < c->a.comments + c->a.progress) {
			ahead(c);
			c->due = now + (uint64_t)c->a.ahead_gap;
			continue;
		}
		if (!c->opened) {
			c->opened = true;
			put(c, fake_stream_begin);
			continue;
		}
		if (c->a.stall_after >= 0 && c->sent_events >= c->a.stall_after) {
			c->due = NEVER;
			return;
		}
		if (c->a.error_event >= 0 && c->sent_events >= c->a.error_event) {
			put(c, fake_stream_error);
			finish(c);
			return;
		}
		if (c->sent_events >= tokens(c)) {
			put(c, fake_stream_end);
			finish(c);
			return;
		}
		event(c);
		c->due = c->a.gap > 0 ? now + (uint64_t)c->a.gap : c->due;
	}
}

/* A stream whose length is known beforehand. */
static void
stream_at_once(struct fake_conn *c)
{
	struct fake_buf b = {0};

	fake_stream_begin(c, &b);
	for (; c->sent_events < tokens(c); c->sent_events++)
		fake_stream_event(c, &b);
	fake_stream_end(c, &b);
	head(c, 200, "text/event-stream", (long)b.len);
	emit(c, b.data, b.len);
	free(b.data);
	finish(c);
}

static void
plain_more(struct fake_conn *c)
{
	static const char block[16384];

	while (c->phase == CONN_STREAM && c->out.len < HIGH_WATER) {
		uint64_t left = (uint64_t)c->a.body_bytes - c->body_sent;

		if (left == 0) {
			finish(c);
			return;
		}
		emit(c, block, left < sizeof(block) ? (size_t)left : sizeof(block));
	}
}

static bool
thread_dead(void)
{
	return fake.thread_dies > 0 && fake_stats.completions >= (unsigned long)fake.thread_dies;
}

static void
complete(struct fake_conn *c, uint64_t now)
{
	if (fake.crash_on_request > 0 && fake_stats.completions >= (unsigned long)fake.crash_on_request)
		fake_die();
	if (fake_upgrade(c))
		return;
	if (fake.zombie || thread_dead()) {
		reply(c, 404, "{\"error\": \"generation thread died\"}");
	} else if (c->a.refuse) {
		c->after = 'c';
		c->phase = CONN_FLUSH;
	} else if (c->a.bad_head != NULL && fake_bad(c)) {
		c->phase = CONN_FLUSH;
	} else if (c->a.echo_head) {
		echo(c);
	} else if (c->a.body_bytes >= 0) {
		c->phase = CONN_STREAM;
		head(c, c->a.status, "application/octet-stream", c->a.body_bytes);
		plain_more(c);
	} else if (c->stream && c->a.status == 200 && c->a.framing == FRAME_LENGTH &&
	    !c->a.no_stream) {
		stream_at_once(c);
	} else if (c->stream && c->a.status == 200 && !c->a.no_stream) {
		c->phase = CONN_STREAM;
		head(c, 200, "text/event-stream", -1);
		c->due = now;
		stream_more(c, now);
	} else {
		whole(c);
	}
}

static bool
is_path(const struct fake_conn *c, const char *path)
{
	size_t n = strcspn(c->path, "?");

	return strlen(path) == n && strncmp(c->path, path, n) == 0;
}

static void
begin(struct fake_conn *c, uint64_t now)
{
	bool loading = !fake_ready();

	if (is_path(c, "/fake/stats")) {
		stats(c);
	} else if (is_path(c, "/fake/deaf") || is_path(c, "/fake/hear")) {
		fake_deaf = is_path(c, "/fake/deaf");
		reply(c, 200, "{}");
	} else if (is_path(c, "/health") || is_path(c, "/v1/health")) {
		fake_stats.health++;
		if (fake.zombie || thread_dead() || (fake.health_fail_after >= 0 &&
		    now > fake_born + (uint64_t)fake.health_fail_after))
			reply(c, 503, "{\"status\": \"unavailable\"}");
		else if (loading && !fake.health_before_ready)
			reply(c, 503, "{\"error\":{\"message\":\"Loading model\",\"type\":\"unavailable_error\",\"code\":503}}");
		else
			reply(c, 200, "{\"status\":\"ok\"}");
	} else if (loading && !fake.health_before_ready) {
		reply(c, 503, "{\"error\":{\"message\":\"Loading model\",\"type\":\"unavailable_error\",\"code\":503}}");
	} else if (is_path(c, "/v1/models") || is_path(c, "/models")) {
		models(c);
	} else if (c->completion) {
		complete(c, now);
	} else {
		reply(c, 404, "{\"error\":{\"message\":\"File Not Found\",\"type\":\"not_found_error\",\"code\":404}}");
	}
}

static void
read_switches(struct fake_conn *c)
{
	size_t len;
	const char *v = fake_head(c, "X-Fake", &len);
	char text[512];

	c->a = fake.answer;
	if (v == NULL || len >= sizeof(text))
		return;
	memcpy(text, v, len);
	text[len] = '\0';
	fake_header(&c->a, text);
}

/* One of the supervisor's own. */
static bool
is_canary(const struct fake_conn *c)
{
	size_t len;
	const char *v = fake_head(c, "User-Agent", &len);

	return v != NULL && len == 3 && strncmp(v, "mai", 3) == 0;
}

void
fake_answer(struct fake_conn *c, uint64_t now)
{
	bool health = strstr(c->path, "/health") != NULL, own = strncmp(c->path, "/fake/", 6) == 0;

	c->sent_events = c->ahead = 0;
	c->opened = false;
	c->body_sent = 0;
	c->after = 0;
	read_switches(c);
	c->completion = !own && !health && (strcmp(c->method, "POST") == 0 || c->a.any || c->a.ws || c->a.upgrade != NULL);
	c->phase = CONN_WAIT;
	c->due = now + (uint64_t)(health ? fake.slow_health : own ? 0 : c->completion ? c->a.delay : 0);
	if (!own)
		fake_stats.requests++;
	if (c->completion) {
		fake_stats.completions++;
		fake_record(is_canary(c) ? "canary" : "request", "\"method\":\"%s\",\"path\":\"%s\",\"body\":%zu,\"reused\":%s",
		    c->method, c->path, c->body_len, c->served > 0 ? "true" : "false");
	}
	if (fake.drop_reused && c->served > 0 && c->completion) {
		c->after = 'c';
		c->phase = CONN_FLUSH;
		return;
	}
	if (c->completion && thread_dead() && fake_stats.completions == (unsigned long)fake.thread_dies) {
		fake_thread_died();
		c->due = NEVER;
	} else if (fake.mute || (c->completion && (c->a.hang ||
	    (fake.wedge_after >= 0 && fake_stats.completions > (unsigned long)fake.wedge_after))))
		c->due = NEVER;
	else if (c->completion && fake.health_before_ready && !fake.zombie && !fake_ready())
		c->due = fake.never_ready ? NEVER : fake_born + (uint64_t)fake.ready_after;
	fake_more(c, now);
}

void
fake_more(struct fake_conn *c, uint64_t now)
{
	if (c->phase == CONN_WAIT && c->due != NEVER && now >= c->due && fake.serial && c->completion && !c->a.refuse &&
	    !fake_turn(c))
		c->due = now + TURN_WAIT;
	if (c->phase == CONN_WAIT && now >= c->due) {
		if (!c->body_owned)
			c->body = c->in.data + c->head_len;
		begin(c, now);
	} else if (c->phase == CONN_STREAM) {
		if (c->a.body_bytes >= 0)
			plain_more(c);
		else
			stream_more(c, now);
	}
}
