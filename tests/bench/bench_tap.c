/* SPDX-License-Identifier: ISC
 * What the tap on answers costs: recorded streams, an event at a time, through what the relay does to them (the client's
 * name of the model is put in), in this process, with the tap and without it. bench_tap FILE...; of a file "messages-x"
 * the first word tells the API. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/compat.h"
#include "proxy/proxy_rewrite.h"
#include "proxy/proxy_usage.h"

#define ROUNDS 40
#define ROUND_BYTES ((size_t)2 << 20)
#define READ_BYTES 65536	/* a read's worth, for what is no stream */

struct stream {
	const char *name;
	char *text;		/* (owned) */
	size_t n;
	size_t *ends;		/* (owned) of its chunks */
	size_t nends;
	bool sse;
	enum proxy_ends api;
};

static enum proxy_ends
api_of(const char *name)
{
	static const struct { const char *word; enum proxy_ends ends; } words[] = {
		{"chat", ENDS_DONE}, {"text", ENDS_DONE}, {"messages", ENDS_MESSAGE}, {"responses", ENDS_RESPONSE},
		{"native", ENDS_STOP},
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strncmp(name, words[i].word, strlen(words[i].word)) == 0)
			return words[i].ends;
	return ENDS_FRAMING;
}

static void
cut(struct stream *s)
{
	s->ends = calloc(s->n + 1, sizeof(*s->ends));
	if (s->ends == NULL)
		exit(1);
	for (size_t i = 1; i < s->n; i++)
		if (s->sse ? s->text[i] == '\n' && s->text[i - 1] == '\n' : (i + 1) % READ_BYTES == 0)
			s->ends[s->nends++] = i + 1;
	if (s->nends == 0 || s->ends[s->nends - 1] != s->n)
		s->ends[s->nends++] = s->n;
}

static void
load(struct stream *s, const char *path)
{
	FILE *f = fopen(path, "rb");
	const char *slash = strrchr(path, '/');

	*s = (struct stream){.name = slash != NULL ? slash + 1 : path, .text = malloc(1 << 20)};
	if (f == NULL || s->text == NULL) {
		perror(path);
		exit(1);
	}
	s->n = fread(s->text, 1, 1 << 20, f);
	fclose(f);
	s->sse = s->n != 0 && s->text[0] != '{';
	s->api = api_of(s->name);
	cut(s);
}

static void
sink(void *arg, const char *p, size_t n)
{
	*(uint64_t *)arg += n + (unsigned char)p[0];
}

/* The stream once, as a request. */
static void
once(const struct stream *s, bool tap, uint64_t *sum)
{
	struct proxy_usage u;
	struct proxy_rewrite w;
	size_t from = 0;

	proxy_rewrite_init(&w, "qwen", sink, sum);
	proxy_usage_init(&u, s->sse, s->api);
	for (size_t i = 0; i < s->nends; from = s->ends[i++]) {
		if (tap)
			proxy_usage_feed(&u, s->text + from, s->ends[i] - from);
		proxy_rewrite_feed(&w, s->text + from, s->ends[i] - from);
	}
	if (tap)
		proxy_usage_end(&u);
	proxy_rewrite_end(&w);
	*sum += tap ? u.events : 0;
	proxy_usage_fini(&u);
	proxy_rewrite_fini(&w);
}

static uint64_t
cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* ns of CPU a chunk: the best of rounds in which both take turns, as what disturbs the machine only ever adds. */
static void
measure(const struct stream *s, double ns[2])
{
	size_t times = ROUND_BYTES / s->n + 1;
	uint64_t sum = 0;

	ns[0] = ns[1] = 0;
	for (int r = 0; r < ROUNDS; r++) {
		for (int tap = 0; tap < 2; tap++) {
			uint64_t before = cpu_ns();
			double took;

			for (size_t i = 0; i < times; i++)
				once(s, tap != 0, &sum);
			took = (double)(cpu_ns() - before) / ((double)times * (double)s->nends);
			if (r == 0 || took < ns[tap])
				ns[tap] = took;
		}
	}
	if (sum == 0)
		exit(1);
}

int
main(int argc, char **argv)
{
	puts("| recording            | bytes/chunk | ns without tap | ns with tap | tap's share |  MB/s without |  MB/s with |");
	puts("|----------------------|------------:|---------------:|------------:|------------:|--------------:|-----------:|");
	for (int i = 1; i < argc; i++) {
		struct stream s;
		double ns[2], bytes;

		load(&s, argv[i]);
		measure(&s, ns);
		bytes = (double)s.n / (double)s.nends;
		printf("| %-20s | %11.0f | %14.0f | %11.0f | %11.0f | %13.0f | %10.0f |\n", s.name, bytes, ns[0], ns[1],
		    ns[1] - ns[0], bytes * 1000 / ns[0], bytes * 1000 / ns[1]);
		free(s.text);
		free(s.ends);
	}
	return 0;
}
