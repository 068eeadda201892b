/* SPDX-License-Identifier: ISC
 * Families in order of declaration; series of all families in one hash table. */
#include "metrics/metrics.h"

#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compat.h"
#include "base/xmalloc.h"

#define SERIES_MAX 1000

static const double bounds[] = {.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600};

struct series {
	struct series *chain;	/* of one hash slot */
	struct series *next;	/* of one family, in order of appearance */
	struct family *family;
	char *labels;		/* (owned) "" when there are none */
	double value;		/* histogram: sum */
	uint64_t *counts;	/* (owned) histogram: per bound, then above them all */
};

struct family {
	const char *name, *help;
	enum metric_type type;
	struct series *first, **tail;
	size_t n;
};

struct metrics {
	struct family **families;	/* (owned) */
	size_t nfamilies;
	struct series **slots;		/* (owned) */
	size_t nslots, nseries;
	uint64_t dropped;
};

struct metrics *
metrics_new(void)
{
	struct metrics *m = xcalloc(1, sizeof(*m));

	m->nslots = 64;
	m->slots = xcalloc(m->nslots, sizeof(*m->slots));
	return m;
}

void
metrics_free(struct metrics **mp)
{
	struct metrics *m = *mp;

	if (m == NULL)
		return;
	for (size_t i = 0; i < m->nfamilies; i++) {
		struct series *s = m->families[i]->first, *next;

		for (; s != NULL; s = next) {
			next = s->next;
			free(s->labels);
			free(s->counts);
			free(s);
		}
		free(m->families[i]);
	}
	free(m->families);
	free(m->slots);
	free(m);
	*mp = NULL;
}

static struct family *
family_find(const struct metrics *m, const char *name)
{
	/* Callers mostly pass the very string that was declared. */
	for (size_t i = 0; i < m->nfamilies; i++)
		if (m->families[i]->name == name)
			return m->families[i];
	for (size_t i = 0; i < m->nfamilies; i++)
		if (strcmp(m->families[i]->name, name) == 0)
			return m->families[i];
	return NULL;
}

void
metrics_declare(struct metrics *m, const char *name, enum metric_type type, const char *help)
{
	struct family *f;

	if (family_find(m, name) != NULL)
		return;
	f = xcalloc(1, sizeof(*f));
	*f = (struct family){.name = name, .help = help, .type = type};
	f->tail = &f->first;
	m->families = xreallocarray(m->families, m->nfamilies + 1, sizeof(*m->families));
	m->families[m->nfamilies++] = f;
}

static size_t
hash(const struct family *f, const char *labels)
{
	uint64_t h = 14695981039346656037u ^ ((uintptr_t)f >> 4);

	for (; *labels != '\0'; labels++)
		h = (h ^ (unsigned char)*labels) * 1099511628211u;
	return (size_t)(h ^ (h >> 32));
}

static void
grow(struct metrics *m)
{
	size_t n = m->nslots * 2;
	struct series **slots = xcalloc(n, sizeof(*slots));

	for (size_t i = 0; i < m->nslots; i++) {
		struct series *s = m->slots[i], *next;

		for (; s != NULL; s = next) {
			size_t at = hash(s->family, s->labels) & (n - 1);

			next = s->chain;
			s->chain = slots[at];
			slots[at] = s;
		}
	}
	free(m->slots);
	m->slots = slots;
	m->nslots = n;
}

/* NULL when the family is full. */
static struct series *
series(struct metrics *m, const char *name, const char *labels, enum metric_type type)
{
	struct family *f = family_find(m, name);
	struct series *s;
	size_t at;

	if (f == NULL) {
		metrics_declare(m, name, type, "");
		f = m->families[m->nfamilies - 1];
	}
	if (labels == NULL)
		labels = "";
	at = hash(f, labels) & (m->nslots - 1);
	for (s = m->slots[at]; s != NULL; s = s->chain)
		if (s->family == f && strcmp(s->labels, labels) == 0)
			return s;
	if (f->n == SERIES_MAX) {
		m->dropped++;
		return NULL;
	}
	if (m->nseries >= m->nslots) {
		grow(m);
		at = hash(f, labels) & (m->nslots - 1);
	}
	s = xcalloc(1, sizeof(*s));
	s->family = f;
	s->labels = xstrdup(labels);
	if (f->type == METRIC_HISTOGRAM)
		s->counts = xcalloc(ARRAY_LEN(bounds) + 1, sizeof(*s->counts));
	s->chain = m->slots[at];
	m->slots[at] = s;
	*f->tail = s;
	f->tail = &s->next;
	f->n++;
	m->nseries++;
	return s;
}

void
metrics_add(struct metrics *m, const char *name, const char *labels, double v)
{
	struct series *s = series(m, name, labels, METRIC_COUNTER);

	if (s != NULL && s->counts == NULL)
		s->value += v;
}

void
metrics_set(struct metrics *m, const char *name, const char *labels, double v)
{
	struct series *s = series(m, name, labels, METRIC_GAUGE);

	if (s != NULL && s->counts == NULL)
		s->value = v;
}

void
metrics_observe(struct metrics *m, const char *name, const char *labels, double v)
{
	struct series *s = series(m, name, labels, METRIC_HISTOGRAM);
	size_t i = 0;

	if (s == NULL || s->counts == NULL || isnan(v))
		return;
	while (i < ARRAY_LEN(bounds) && v > bounds[i])
		i++;
	s->counts[i]++;
	s->value += v;
}

/* Appends k="v" whole or not at all. */
static size_t
put_label(char *out, size_t size, size_t n, const char *k, const char *v)
{
	size_t start = n;
	int w = snprintf(out + n, size - n, "%s%s=\"", n != 0 ? "," : "", k);

	if (w < 0 || (size_t)w >= size - n)
		goto full;
	n += (size_t)w;
	for (; *v != '\0'; v++) {
		bool esc = *v == '"' || *v == '\\' || *v == '\n';

		if (n + 4 > size)
			goto full;
		if (esc)
			out[n++] = '\\';
		out[n++] = *v == '\n' ? 'n' : *v;
	}
	if (n + 2 > size)
		goto full;
	out[n++] = '"';
	out[n] = '\0';
	return n;
full:
	out[start] = '\0';
	return start;
}

char *
metrics_labels(char *out, size_t size, ...)
{
	va_list ap;
	const char *k;
	size_t n = 0;

	out[0] = '\0';
	va_start(ap, size);
	while ((k = va_arg(ap, const char *)) != NULL) {
		const char *v = va_arg(ap, const char *);

		n = put_label(out, size, n, k, v == NULL ? "" : v);
	}
	va_end(ap);
	return out;
}

/* text ----------------------------------------------------------------------------------------------------------- */

void
metrics_put_head(struct strbuf *out, const char *name, enum metric_type type, const char *help)
{
	static const char *const types[] = {"counter", "gauge", "histogram"};

	strbuf_printf(out, "# HELP %s ", name);
	for (; *help != '\0'; help++) {
		if (*help == '\\' || *help == '\n')
			strbuf_puts(out, *help == '\n' ? "\\n" : "\\\\");
		else
			strbuf_putc(out, *help);
	}
	strbuf_printf(out, "\n# TYPE %s %s\n", name, types[type]);
}

static void
put_number(struct strbuf *out, double v)
{
	if (isnan(v))
		strbuf_puts(out, "NaN");
	else if (isinf(v))
		strbuf_puts(out, v > 0 ? "+Inf" : "-Inf");
	else if (v > -1e15 && v < 1e15 && (double)(int64_t)v == v)
		strbuf_printf(out, "%.0f", v);
	else
		strbuf_printf(out, "%.9g", v);
}

void
metrics_put_sample(struct strbuf *out, const char *name, const char *labels, double v)
{
	strbuf_puts(out, name);
	if (labels != NULL && labels[0] != '\0')
		strbuf_printf(out, "{%s}", labels);
	strbuf_putc(out, ' ');
	put_number(out, v);
	strbuf_putc(out, '\n');
}

static void
put_histogram(struct strbuf *out, const struct series *s)
{
	const char *name = s->family->name, *sep = s->labels[0] != '\0' ? "," : "";
	uint64_t sum = 0;

	for (size_t i = 0; i < ARRAY_LEN(bounds); i++) {
		sum += s->counts[i];
		strbuf_printf(out, "%s_bucket{%s%sle=\"%g\"} %llu\n", name, s->labels, sep, bounds[i],
		    (unsigned long long)sum);
	}
	sum += s->counts[ARRAY_LEN(bounds)];
	strbuf_printf(out, "%s_bucket{%s%sle=\"+Inf\"} %llu\n", name, s->labels, sep, (unsigned long long)sum);
	strbuf_printf(out, "%s_sum", name);
	metrics_put_sample(out, "", s->labels, s->value);
	strbuf_printf(out, "%s_count", name);
	metrics_put_sample(out, "", s->labels, (double)sum);
}

void
metrics_text(const struct metrics *m, struct strbuf *out)
{
	for (size_t i = 0; i < m->nfamilies; i++) {
		const struct family *f = m->families[i];

		if (f->first == NULL)
			continue;
		metrics_put_head(out, f->name, f->type, f->help);
		for (const struct series *s = f->first; s != NULL; s = s->next) {
			if (s->counts != NULL)
				put_histogram(out, s);
			else
				metrics_put_sample(out, f->name, s->labels, s->value);
		}
	}
	metrics_put_head(out, "mai_metrics_dropped_total", METRIC_COUNTER, "Samples of series over the limit of a family.");
	metrics_put_sample(out, "mai_metrics_dropped_total", NULL, (double)m->dropped);
}
