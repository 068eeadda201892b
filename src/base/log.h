/* SPDX-License-Identifier: ISC
 * mai's own log. A line has a level, the module that speaks and the thing it speaks of (a model, a request), so that
 * readers can filter; sinks decide where it goes. Never pass a request body, a header value of a client, or a key. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/compat.h"

enum log_level { LOG_ERROR_, LOG_WARN_, LOG_INFO_, LOG_DEBUG_ };

/* A sink gets each line that passes the level, without a newline. Borrowed strings; it must not log. */
typedef void log_sink(void *arg, enum log_level level, const char *module, const char *ctx, const char *text);

/* Lines above this level are dropped before they are formatted. Default LOG_INFO_. */
void log_set_level(enum log_level level);
enum log_level log_level(void);
/* 0, or -1 for an unknown name (error, warn, info, debug). */
int log_level_parse(const char *name, enum log_level *out) MUST_CHECK;
const char *log_level_name(enum log_level level);
/* Replaces the sink; NULL brings back the default, stderr. */
void log_set_sink(log_sink *sink, void *arg);

/* ctx may be NULL. */
void log_msg(enum log_level level, const char *module, const char *ctx, const char *fmt, ...) PRINTFLIKE(4, 5);

#define log_error(module, ctx, ...) log_msg(LOG_ERROR_, module, ctx, __VA_ARGS__)
#define log_warn(module, ctx, ...) log_msg(LOG_WARN_, module, ctx, __VA_ARGS__)
#define log_info(module, ctx, ...) log_msg(LOG_INFO_, module, ctx, __VA_ARGS__)
#define log_debug(module, ctx, ...)                                        \
	do {                                                               \
		if (log_level() >= LOG_DEBUG_)                             \
			log_msg(LOG_DEBUG_, module, ctx, __VA_ARGS__);     \
	} while (0)

#endif
