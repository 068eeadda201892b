/* SPDX-License-Identifier: ISC
 * Time. Every deadline is on the monotonic clock; the wall clock is only for people. Tests can set both. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

/* Milliseconds (microseconds) of CLOCK_MONOTONIC. */
uint64_t clock_ms(void);
uint64_t clock_us(void);
/* Milliseconds since 1970. */
uint64_t clock_wall_ms(void);

/* For recordings: the wall clock shows this from now on; 0: the real time. */
void clock_fix_wall(uint64_t wall_ms);

/* For tests: from now on both clocks show what was last set. clock_fake_off returns to real time. */
void clock_fake(uint64_t mono_ms, uint64_t wall_ms);
void clock_fake_off(void);

#endif
