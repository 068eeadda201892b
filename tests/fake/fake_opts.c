/* SPDX-License-Identifier: ISC
 * The switches, once in a table each. Options of the real servers are taken and ignored. FAKE_ARGS in the environment is
 * read as well: it reaches an engine whose command line mai writes itself. */
#include <err.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "fake.h"

enum type { FLAG, NUM, TEXT, SKIP };

struct opt {
	const char *name;
	enum type type;
	size_t offset;
	long value;		/* of a flag */
};

struct fake_opts fake;

#define A(n, t, f) {n, t, offsetof(struct fake_answer, f), 1}
static const struct opt answer_opts[] = {
	A("sse", NUM, sse), A("gap", NUM, gap), A("chunk-bytes", NUM, chunk_bytes), A("stall-after", NUM, stall_after),
	A("delay", NUM, delay), A("die-after-bytes", NUM, die_after_bytes),
	A("cut-after-bytes", NUM, cut_after_bytes), A("reset-after-bytes", NUM, reset_after_bytes),
	A("body-bytes", NUM, body_bytes), A("status", NUM, status), A("http10", FLAG, http10),
	A("no-done", FLAG, no_done), A("comments", NUM, comments), A("usage", FLAG, usage),
	A("echo-head", FLAG, echo_head), A("hang", FLAG, hang), A("refuse", FLAG, refuse), A("close", FLAG, close),
	A("any", FLAG, any), A("ws", FLAG, ws), A("ws-head", FLAG, ws_head), A("upgrade", TEXT, upgrade),
	A("bad-head", TEXT, bad_head), A("finish", FLAG, finish), A("timings", FLAG, timings),
	A("error-event", NUM, error_event), A("progress", NUM, progress), A("ahead-gap", NUM, ahead_gap),
	A("no-stream", FLAG, no_stream),
	{"length", FLAG, offsetof(struct fake_answer, framing), FRAME_LENGTH},
	{"chunked", FLAG, offsetof(struct fake_answer, framing), FRAME_CHUNKED},
	{"until-close", FLAG, offsetof(struct fake_answer, framing), FRAME_CLOSE},
	{NULL, SKIP, 0, 0}
};

#define O(n, t, f) {n, t, offsetof(struct fake_opts, f), 1}
static const struct opt process_opts[] = {
	O("port", NUM, port), O("host", TEXT, host), O("listen-after", NUM, listen_after),
	O("ready-after", NUM, ready_after), O("exit-after", NUM, exit_after), O("exit-code", NUM, exit_code),
	O("crash-on-request", NUM, crash_on_request), O("flood", NUM, flood), O("longline", NUM, longline),
	O("slow-health", NUM, slow_health), O("keepalive-close-after", NUM, keepalive_close_after),
	O("slow-death", NUM, slow_death), O("good-after", NUM, good_after), O("write-buffer", NUM, write_buffer),
	O("backlog", NUM, backlog),
	O("health-before-ready", FLAG, health_before_ready), O("zombie", FLAG, zombie),
	O("ignore-term", FLAG, ignore_term), O("term-default", FLAG, term_default), O("fork", FLAG, fork),
	O("fork-setsid", FLAG, fork_setsid), O("close-stdout", FLAG, close_stdout),
	O("cr-progress", FLAG, cr_progress), O("never-ready", FLAG, never_ready), O("mute", FLAG, mute),
	O("print-fds", FLAG, print_fds), O("print-signals", FLAG, print_signals), O("print-env", FLAG, print_env),
	O("print-tty", FLAG, print_tty), O("port-in-use-hang", FLAG, port_in_use_hang),
	O("stdin-check", FLAG, stdin_check), O("wait-clients-on-term", FLAG, wait_clients_on_term),
	O("end-streams-on-term", FLAG, end_streams_on_term), O("finish-on-term", FLAG, finish_on_term),
	O("drop-reused", FLAG, drop_reused),
	O("check-model", FLAG, check_model), O("own-name", FLAG, own_name), O("wedge-after", NUM, wedge_after),
	O("thread-dies", NUM, thread_dies), O("busy", FLAG, busy), O("serial", FLAG, serial),
	O("health-fail-after", NUM, health_fail_after), O("signal", TEXT, signal_name), O("spew", TEXT, spew),
	O("model", TEXT, model), O("m", TEXT, model_m), O("model-name", TEXT, model_name), O("record", TEXT, record),
	O("state", TEXT, state),
	{"max-tokens", SKIP, 0, 0}, {"log-level", SKIP, 0, 0}, {"c", SKIP, 0, 0}, {"ngl", SKIP, 0, 0},
	{"ctx-size", SKIP, 0, 0}, {"served-model-name", SKIP, 0, 0},
	{NULL, SKIP, 0, 0}
};

static long
number(const char *name, const char *text)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (end == text || *end != '\0')
		errx(2, "--%s: not a number: %s", name, text);
	return n;
}

static const struct opt *
find(const struct opt *o, const char *name, size_t len)
{
	for (; o->name != NULL; o++)
		if (strlen(o->name) == len && strncmp(o->name, name, len) == 0)
			return o;
	return NULL;
}

static void
set(void *base, const struct opt *o, const char *value)
{
	char *field = (char *)base + o->offset;

	switch (o->type) {
	case FLAG:
		*(long *)(void *)field = o->value;
		break;
	case NUM:
		*(long *)(void *)field = number(o->name, value);
		break;
	case TEXT:
		*(const char **)(void *)field = value;
		break;
	case SKIP:
		break;
	}
}

/* Takes --name value, --name=value, -m value; returns how many words it was. */
static int
one(char **words, int left)
{
	const char *name = words[0] + strspn(words[0], "-"), *value = strchr(name, '=');
	size_t len = value != NULL ? (size_t)(value++ - name) : strlen(name);
	const struct opt *o = find(process_opts, name, len);
	void *base = &fake;

	if (words[0][0] != '-')
		errx(2, "error: invalid argument: %s", words[0]);
	if (o == NULL) {
		o = find(answer_opts, name, len);
		base = &fake.answer;
	}
	if (o == NULL)
		errx(2, "error: invalid argument: %s", words[0]);
	if (o->type == FLAG || value != NULL) {
		set(base, o, value);
		return 1;
	}
	if (left < 2)
		errx(2, "error: %s needs a value", words[0]);
	set(base, o, words[1]);
	return 2;
}

void
fake_defaults(void)
{
	memset(&fake, 0, sizeof(fake));
	fake.answer.sse = fake.answer.stall_after = fake.answer.die_after_bytes = -1;
	fake.answer.cut_after_bytes = fake.answer.reset_after_bytes = fake.answer.body_bytes = -1;
	fake.answer.error_event = -1;
	fake.answer.status = 200;
	fake.exit_after = fake.good_after = fake.health_fail_after = fake.wedge_after = -1;
	fake.port = 8080;
	fake.backlog = 512;
	fake.host = "127.0.0.1";
}

void
fake_args(int argc, char **argv)
{
	const char *extra = getenv("FAKE_ARGS");

	for (int i = 1; i < argc;)
		i += one(argv + i, argc - i);
	if (extra != NULL) {
		char *words[128], *copy = strdup(extra), *save = NULL;
		int n = 0;

		for (char *w = strtok_r(copy, " ", &save); w != NULL && n < 128; w = strtok_r(NULL, " ", &save))
			words[n++] = w;
		for (int i = 0; i < n;)
			i += one(words + i, n - i);	/* copy stays: options point into it */
	}
}

void
fake_header(struct fake_answer *a, char *text)
{
	char *save = NULL;

	for (char *w = strtok_r(text, ", ", &save); w != NULL; w = strtok_r(NULL, ", ", &save)) {
		char *value = strchr(w, '=');
		size_t len = value != NULL ? (size_t)(value - w) : strlen(w);
		const struct opt *o = find(answer_opts, w, len);

		if (o == NULL || (o->type != FLAG && value == NULL))
			errx(2, "X-Fake: bad switch %s", w);
		/* a text lives as long as the process: requests of tests are few */
		set(a, o, o->type == TEXT ? strdup(value + 1) : value != NULL ? value + 1 : NULL);
	}
}

const char *
fake_model(void)
{
	if (fake.model_name != NULL)
		return fake.model_name;
	if (fake.model != NULL)
		return fake.model;
	return fake.model_m != NULL ? fake.model_m : "fake";
}
