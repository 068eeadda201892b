/* SPDX-License-Identifier: ISC
 * Copies what engines print to standard error, when logToStdout asks for it. */
#ifndef APP_LOG_CHILD_H
#define APP_LOG_CHILD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "ring/ring.h"

struct log_child {
	struct loop *loop;
	struct ring *ring;
	uint64_t next;		/* of the line that comes out next */
	bool on, soon;
};

/* Off at first. */
void log_child_start(struct log_child *l, struct loop *loop, struct ring *ring);
/* What was printed while it was off does not come out. */
void log_child_set(struct log_child *l, bool on);
/* Before the loop and the ring go; what is left comes out. */
void log_child_stop(struct log_child *l);

#endif
