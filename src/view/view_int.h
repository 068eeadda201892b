/* SPDX-License-Identifier: ISC
 * The fields of the view as tables: the encoder and the decoder are driven by the same rows, so that they cannot
 * disagree. */
#ifndef VIEW_VIEW_INT_H
#define VIEW_VIEW_INT_H

#include "view/view.h"

/* VT_STR is for people and made harmless when it comes; VT_KEY stays as it is, to be compared and sent back. */
enum view_type { VT_STR, VT_KEY, VT_INT, VT_U64, VT_I64, VT_DBL, VT_BOOL, VT_STATE, VT_REASON, VT_PHASE };

struct view_field {
	const char *name;
	enum view_type type;
	size_t off;
};

/* Each ends with a row whose name is NULL. */
extern const struct view_field view_engine_fields[];
extern const struct view_field view_request_fields[];
extern const struct view_field view_hello_fields[];
extern const struct view_field view_gauge_fields[];
extern const struct view_field view_rest_fields[];	/* of a snapshot, beside hello's and the gauges */

/* Frees and nulls the strings among the fields of obj. */
void view_fields_fini(const struct view_field *f, void *obj);

#endif
