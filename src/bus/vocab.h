/* SPDX-License-Identifier: ISC
 * The words that core, API and dashboard share. Each enum is listed once, with its wire name and the text a person
 * reads; none is ever renumbered on the wire because only names travel. */
#ifndef BUS_VOCAB_H
#define BUS_VOCAB_H

#include "base/compat.h"

/* The life of an engine. */
#define ENGINE_STATES(X)                    \
	X(ENGINE_STOPPED, "stopped")        \
	X(ENGINE_STARTING, "starting")      \
	X(ENGINE_READY, "ready")            \
	X(ENGINE_DRAINING, "draining")      \
	X(ENGINE_STOPPING, "stopping")      \
	X(ENGINE_BACKOFF, "backoff")        \
	X(ENGINE_FAILED, "failed")

/* Why an engine is in its state. */
#define ENGINE_REASONS(X)                                                         \
	X(REASON_NONE, "none", "")                                                \
	X(REASON_USER, "user", "asked for")                                       \
	X(REASON_REQUEST, "request", "a request needs it")                        \
	X(REASON_SWAP, "swap", "swapped for another model")                       \
	X(REASON_IDLE, "idle", "idle too long")                                   \
	X(REASON_CRASH, "crash", "the engine died")                               \
	X(REASON_START_TIMEOUT, "start_timeout", "the engine did not become ready") \
	X(REASON_WEDGED, "wedged", "the engine answers but generates nothing")    \
	X(REASON_OOM, "oom", "out of memory")                                     \
	X(REASON_PORT_BUSY, "port_busy", "the port is in use")                    \
	X(REASON_EXEC_FAILED, "exec_failed", "the command cannot be run")         \
	X(REASON_CONFIG, "config", "the command is wrong")                        \
	X(REASON_MODEL_MISSING, "model_missing", "the model cannot be loaded")    \
	X(REASON_SHUTDOWN, "shutdown", "mai is shutting down")

/* Where a request is. */
#define REQ_PHASES(X)                        \
	X(REQ_READING, "reading")            \
	X(REQ_QUEUED, "queued")              \
	X(REQ_PREFILL, "prefill")            \
	X(REQ_GENERATING, "gen")             \
	X(REQ_DONE, "done")

/* Who wrote a log line. */
#define LOG_SOURCES(X)                      \
	X(SOURCE_CHILD, "child")            \
	X(SOURCE_MAI, "mai")                \
	X(SOURCE_ACCESS, "access")

#define VOCAB_ENUM2(id, name) id,
#define VOCAB_ENUM3(id, name, text) id,

enum engine_state { ENGINE_STATES(VOCAB_ENUM2) ENGINE_NSTATES };
enum engine_reason { ENGINE_REASONS(VOCAB_ENUM3) REASON_N };
enum req_phase { REQ_PHASES(VOCAB_ENUM2) REQ_NPHASES };
enum log_source { LOG_SOURCES(VOCAB_ENUM2) SOURCE_N };

/* Wire names: static, never NULL ("?" out of range). */
const char *engine_state_name(enum engine_state s);
const char *engine_reason_name(enum engine_reason r);
const char *engine_reason_text(enum engine_reason r);
const char *req_phase_name(enum req_phase p);
const char *log_source_name(enum log_source s);

/* The value of a wire name; def for an unknown or NULL one. */
enum engine_state engine_state_parse(const char *name, enum engine_state def);
enum engine_reason engine_reason_parse(const char *name, enum engine_reason def);
enum req_phase req_phase_parse(const char *name, enum req_phase def);
int log_source_parse(const char *name, enum log_source *out) MUST_CHECK;

#endif
