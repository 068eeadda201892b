/* SPDX-License-Identifier: ISC
 * The engine that the tests of src/engine supervise: this test program itself, started with words like delay=50. */
#ifndef ENGINE_CHILD_H
#define ENGINE_CHILD_H

int engine_child_main(int argc, char **argv);

#endif
