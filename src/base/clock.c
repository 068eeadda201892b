/* SPDX-License-Identifier: ISC
 * Monotonic and wall time. */
#include "base/clock.h"

#include <stdbool.h>
#include <time.h>

static struct {
	bool on;
	uint64_t mono, wall;
	uint64_t fixed;		/* wall clock of a recording; 0: none */
} fake;

static uint64_t
read_us(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

uint64_t
clock_us(void)
{
	return fake.on ? fake.mono * 1000 : read_us(CLOCK_MONOTONIC);
}

uint64_t
clock_ms(void)
{
	return clock_us() / 1000;
}

uint64_t
clock_wall_ms(void)
{
	if (fake.fixed != 0)
		return fake.fixed;
	return fake.on ? fake.wall : read_us(CLOCK_REALTIME) / 1000;
}

void
clock_fix_wall(uint64_t wall_ms)
{
	fake.fixed = wall_ms;
}

void
clock_fake(uint64_t mono_ms, uint64_t wall_ms)
{
	fake.on = true;
	fake.mono = mono_ms;
	fake.wall = wall_ms;
}

void
clock_fake_off(void)
{
	fake.on = false;
}
