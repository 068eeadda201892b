/* SPDX-License-Identifier: ISC
 * What is the same on every system. */
#include "host/host.h"

#include <string.h>
#include <unistd.h>

const char *
host_name(void)
{
	static char name[256];

	if (name[0] == '\0') {
		if (gethostname(name, sizeof(name) - 1) < 0 || name[0] == '\0')
			memcpy(name, "localhost", sizeof("localhost"));
		name[sizeof(name) - 1] = '\0';
	}
	return name;
}
