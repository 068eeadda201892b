/* SPDX-License-Identifier: ISC
 * Levels and the sink. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

static const char *const names[] = {"error", "warn", "info", "debug"};
static enum log_level max_level = LOG_INFO_;
static log_sink *sink;
static void *sink_arg;

static void
to_stderr(enum log_level level, const char *module, const char *ctx, const char *text)
{
	uint64_t ms = clock_wall_ms();
	time_t t = (time_t)(ms / 1000);
	struct tm tm;
	char when[32];

	localtime_r(&t, &tm);
	strftime(when, sizeof(when), "%H:%M:%S", &tm);
	fprintf(stderr, "%s %s %s%s%s: %s\n", when, names[level], module, ctx ? " " : "", ctx ? ctx : "", text);
}

void
log_set_level(enum log_level level)
{
	max_level = level;
}

enum log_level
log_level(void)
{
	return max_level;
}

int
log_level_parse(const char *name, enum log_level *out)
{
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(name, names[i]) == 0) {
			*out = (enum log_level)i;
			return 0;
		}
	return -1;
}

const char *
log_level_name(enum log_level level)
{
	return names[level];
}

void
log_set_sink(log_sink *fn, void *arg)
{
	sink = fn;
	sink_arg = arg;
}

void
log_msg(enum log_level level, const char *module, const char *ctx, const char *fmt, ...)
{
	char text[2048];
	va_list ap;

	if (level > max_level)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (sink != NULL)
		sink(sink_arg, level, module, ctx, text);
	else
		to_stderr(level, module, ctx, text);
}
