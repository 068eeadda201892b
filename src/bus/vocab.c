/* SPDX-License-Identifier: ISC
 * Names of the shared words. */
#include "bus/vocab.h"

#include <string.h>

#define NAME2(id, name) name,
#define NAME3(id, name, text) name,
#define TEXT3(id, name, text) text,

static const char *const states[] = {ENGINE_STATES(NAME2)};
static const char *const reasons[] = {ENGINE_REASONS(NAME3)};
static const char *const reason_texts[] = {ENGINE_REASONS(TEXT3)};
static const char *const phases[] = {REQ_PHASES(NAME2)};
static const char *const sources[] = {LOG_SOURCES(NAME2)};

static const char *
name_of(const char *const *names, size_t n, size_t i)
{
	return i < n ? names[i] : "?";
}

static size_t
find(const char *const *names, size_t n, const char *name, size_t def)
{
	for (size_t i = 0; name != NULL && i < n; i++)
		if (strcmp(names[i], name) == 0)
			return i;
	return def;
}

const char *engine_state_name(enum engine_state s) { return name_of(states, ARRAY_LEN(states), s); }
const char *engine_reason_name(enum engine_reason r) { return name_of(reasons, ARRAY_LEN(reasons), r); }
const char *engine_reason_text(enum engine_reason r) { return name_of(reason_texts, ARRAY_LEN(reason_texts), r); }
const char *req_phase_name(enum req_phase p) { return name_of(phases, ARRAY_LEN(phases), p); }
const char *log_source_name(enum log_source s) { return name_of(sources, ARRAY_LEN(sources), s); }

enum engine_state
engine_state_parse(const char *name, enum engine_state def)
{
	return (enum engine_state)find(states, ARRAY_LEN(states), name, def);
}

enum engine_reason
engine_reason_parse(const char *name, enum engine_reason def)
{
	return (enum engine_reason)find(reasons, ARRAY_LEN(reasons), name, def);
}

enum req_phase
req_phase_parse(const char *name, enum req_phase def)
{
	return (enum req_phase)find(phases, ARRAY_LEN(phases), name, def);
}

int
log_source_parse(const char *name, enum log_source *out)
{
	size_t i = find(sources, ARRAY_LEN(sources), name, SOURCE_N);

	if (i == SOURCE_N)
		return -1;
	*out = (enum log_source)i;
	return 0;
}
