/* SPDX-License-Identifier: ISC
 * A message that a person will read: filled by whoever fails, shown by whoever asked. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "base/compat.h"

struct err {
	char msg[512];	/* empty: no error */
};

/* Sets the message (cut at the buffer's end) and returns -1, so that a function can end with it. e may be NULL. */
int err_set(struct err *e, const char *fmt, ...) PRINTFLIKE(2, 3);

#endif
