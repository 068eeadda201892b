/* SPDX-License-Identifier: ISC
 * Attributes and the few stand-ins that let one source build on Linux and macOS. */
#ifndef BASE_COMPAT_H
#define BASE_COMPAT_H

#if defined(__GNUC__) || defined(__clang__)
#define PRINTFLIKE(f, a) __attribute__((format(printf, f, a)))
#define MUST_CHECK __attribute__((warn_unused_result))
#define NORETURN __attribute__((noreturn))
#define UNUSED __attribute__((unused))
#else
#define PRINTFLIKE(f, a)
#define MUST_CHECK
#define NORETURN
#define UNUSED
#endif

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#endif
