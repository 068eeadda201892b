/* SPDX-License-Identifier: ISC
 * Lines to standard error that never wait: whoever reads them may be stopped, full or gone. */
#ifndef APP_LOG_OUT_H
#define APP_LOG_OUT_H

#include <stddef.h>

/* Once, before the first line. */
void log_out_open(void);
/* Lines with their newlines; what does not fit is dropped and counted, and that is said later. */
void log_out(const char *lines, size_t n);
/* So many more were lost on the way here. */
void log_out_dropped(unsigned long long lines);

#endif
