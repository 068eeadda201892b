/* SPDX-License-Identifier: ISC
 * The tap on answers: the same counts and ends however the bytes were cut, and memory that does not grow with them. */
#include <string.h>

#include "base/strbuf.h"
#include "fuzz.h"
#include "proxy/proxy_usage.h"

/* cut > size: byte by byte. */
static void
run(struct strbuf *out, const uint8_t *data, size_t size, size_t cut, bool sse, enum proxy_ends ends)
{
	struct proxy_usage u;
	size_t from = 0, to = cut > size ? 1 : cut;

	proxy_usage_init(&u, sse, ends);
	u.follow = !sse;
	for (;;) {
		char *copy;

		to = to > size ? size : to;
		copy = malloc(to == from ? 1 : to - from);
		INSIST(copy != NULL);
		if (to != from)
			memcpy(copy, data + from, to - from);
		proxy_usage_feed(&u, copy, to - from);
		free(copy);
		INSIST(u.keep.len <= 4096);
		if (to == size)
			break;
		from = to;
		to = cut > size ? to + 1 : size;
	}
	strbuf_clear(out);
	strbuf_printf(out, "%d ", sse && proxy_usage_between(&u));
	proxy_usage_end(&u);
	strbuf_printf(out, "%d %d %d %d %d %d %d ", u.done, u.error, u.real, u.began, u.odd, proxy_usage_ended(&u, true),
	    proxy_usage_ended(&u, false));
	strbuf_printf(out, "%llu %llx %llx %lld %lld %lld %lld %lld %.9g", (unsigned long long)u.events,
	    (unsigned long long)u.seen, (unsigned long long)u.finished, (long long)proxy_usage_in(&u),
	    (long long)proxy_usage_out(&u), (long long)proxy_usage_cached(&u), (long long)u.prompt_done,
	    (long long)u.prompt_total, u.rate);
	INSIST((u.finished & ~u.seen) == 0);
	INSIST(proxy_usage_in(&u) >= -1 && proxy_usage_out(&u) >= -1);
	proxy_usage_fini(&u);
}

static void
compare(const struct strbuf *a, const struct strbuf *b)
{
	if (strcmp(strbuf_str(a), strbuf_str(b)) != 0)
		fprintf(stderr, "%s\n%s\n", strbuf_str(a), strbuf_str(b));
	INSIST(strcmp(strbuf_str(a), strbuf_str(b)) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct strbuf a = STRBUF_INIT, b = STRBUF_INIT;

	for (int ends = ENDS_FRAMING; ends <= ENDS_STOP; ends++) {
		run(&a, data, size, size, true, (enum proxy_ends)ends);
		run(&b, data, size, fuzz_cut(data, size), true, (enum proxy_ends)ends);
		compare(&a, &b);
		if (size <= 1024) {
			run(&b, data, size, size + 1, true, (enum proxy_ends)ends);
			compare(&a, &b);
		}
	}
	/* Of JSON only the ends are looked at, and where they begin depends on the cut. */
	run(&a, data, size, size, false, ENDS_DONE);
	strbuf_fini(&a);
	strbuf_fini(&b);
	return 0;
}
