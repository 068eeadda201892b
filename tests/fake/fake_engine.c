/* SPDX-License-Identifier: ISC
 * fake_engine: see fake.h and the tables of fake_opts.c. */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#include "fake.h"

int fake_wake[2];

static void
on_term(int sig)
{
	int saved = errno;

	(void)sig;
	fake_terms = fake_terms + 1;
	if (write(fake_wake[1], "t", 1) < 0)
		errno = saved;	/* full: it wakes anyway */
	errno = saved;
}

void
fake_signals(void)
{
	struct sigaction sa = {.sa_handler = on_term};

	if (pipe(fake_wake) != 0)
		err(1, "pipe");
	for (int i = 0; i < 2; i++) {
		fcntl(fake_wake[i], F_SETFL, O_NONBLOCK);
		fcntl(fake_wake[i], F_SETFD, FD_CLOEXEC);
	}
	sigemptyset(&sa.sa_mask);
	if (fake.ignore_term)
		sa.sa_handler = SIG_IGN;
	if (!fake.term_default)
		sigaction(SIGTERM, &sa, NULL);
	sa.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &sa, NULL);
}

int
main(int argc, char **argv)
{
	fake_defaults();
	fake_args(argc, argv);
	fake_birth();
	fake_serve();
}
