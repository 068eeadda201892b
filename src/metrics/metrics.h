/* SPDX-License-Identifier: ISC
 * Counters, gauges and histograms with one optional label set, and their Prometheus text (exposition format 0.0.4). */
#ifndef METRICS_METRICS_H
#define METRICS_METRICS_H

#include <stdint.h>

#include "base/strbuf.h"

struct metrics;

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

struct metrics *metrics_new(void);
void metrics_free(struct metrics **mp);

/* Declares a family (name and help are borrowed: static strings). Histograms get bounds in seconds:
 * .005 .01 .025 .05 .1 .25 .5 1 2.5 5 10 30 60 120 300 600. */
void metrics_declare(struct metrics *m, const char *name, enum metric_type type, const char *help);

/* labels is text such as `model="a",code="200"` made by metrics_labels, or NULL. The series appears at its first use.
 * At most 1000 series a family: more are counted in mai_metrics_dropped_total. */
void metrics_add(struct metrics *m, const char *name, const char *labels, double v);
void metrics_set(struct metrics *m, const char *name, const char *labels, double v);
void metrics_observe(struct metrics *m, const char *name, const char *labels, double v);

/* Writes k="v" pairs (NULL-terminated list of char *key, char *value) with values escaped into out; returns out. */
char *metrics_labels(char *out, size_t size, ...);

void metrics_text(const struct metrics *m, struct strbuf *out);

/* For values that are known only while somebody scrapes: the two comment lines of a family, and one sample of it. */
void metrics_put_head(struct strbuf *out, const char *name, enum metric_type type, const char *help);
void metrics_put_sample(struct strbuf *out, const char *name, const char *labels, double v);

#endif
