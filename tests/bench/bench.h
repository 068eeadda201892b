/* SPDX-License-Identifier: ISC
 * What the two programs of the benchmark share. Linux only; no code of mai. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stdint.h>
#include <time.h>

#define STAMP "\"at\":"	/* each event carries its birth, ns of CLOCK_MONOTONIC, 19 digits */

static inline uint64_t
bench_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

#endif
