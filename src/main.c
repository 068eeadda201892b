/* SPDX-License-Identifier: ISC
 * Everything is in the libraries, so that tests and fuzzers link the same objects. */
#include "app/cmd.h"

int
main(int argc, char **argv)
{
	return cmd_main(argc, argv);
}
