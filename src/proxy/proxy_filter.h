/* SPDX-License-Identifier: ISC
 * What the filters of a model change in a request: parameters that are taken out and parameters that are set. Pure. */
#ifndef PROXY_PROXY_FILTER_H
#define PROXY_PROXY_FILTER_H

#include <stdbool.h>

#include "base/strbuf.h"
#include "conf/conf.h"

/* Whether the model has any. */
bool proxy_filter_has(const struct conf_model *m);

/* Changes body, one JSON object, in place: what strip_params names goes, then set_params come in, then those of
 * set_params_by_id for the name that was asked for (the model's id when asked is none of its names). A name a.b means
 * the member b of the object a, which is made where it is missing; no name reaches into a list; \ before a dot takes its
 * meaning away. A name that ends in ? is set only where it is missing by then.
 *
 * A parameter that changes stands at the end afterwards, once, however often it was there; every other member keeps its
 * bytes. What is set does not count against body->max. False when nothing had to change, and for a body that is no
 * object: it is untouched. */
bool proxy_filter_apply(struct strbuf *body, const struct conf_model *m, const char *asked);

#endif
