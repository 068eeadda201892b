/* SPDX-License-Identifier: ISC
 * Response heads, and the body behind them. */
#include "fuzz_head.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_head(data, size, true);
}
