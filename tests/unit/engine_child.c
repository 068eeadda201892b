/* SPDX-License-Identifier: ISC
 * A tiny HTTP server with bad habits. Words: port=N delay=MS exit=N say=TEXT err=TEXT check=STATUS canary=STATUS chat
 * turn=N ignore-term fork fork-setsid hold close-output flood=LINES long=BYTES part=TEXT inspect no-serve hang=COMPLETIONS
 * refuse=STATUS burn repeat=TEXT shout=TEXT map=FILE */
#include "engine_child.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int check_status = 200, canary_status = 200;
static int chat_only, turn = -1;	/* good health answers left; <0: no end */
static int good = -1;			/* completions that are answered; <0: all */
static int refusal;			/* of completions, without a word of threads */
static const char *shout;		/* written when a completion comes, or a while later when it hangs */

static void
show(const char *path, const char *key)
{
	char line[512];
	FILE *f = fopen(path, "re");

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (key == NULL || strncmp(line, key, strlen(key)) == 0)
			printf("%s%s", key == NULL ? "oom " : "", line);
	if (f != NULL)
		fclose(f);
}

/* Memory that stays when we are gone. */
static void
map(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), sum = 0;
	struct stat st;
	const char *p;

	if (fd < 0 || fstat(fd, &st) < 0)
		exit(9);
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		exit(9);
	for (off_t i = 0; i < st.st_size; i += 4096)
		sum += p[i];
	if (sum != 0)
		exit(9);
	close(fd);
}

static void
inspect(void)
{
	extern char **environ;
	struct rlimit rl;
	struct dirent *d;
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	while ((d = readdir(dir)) != NULL)
		if (d->d_name[0] != '.' && atol(d->d_name) != dirfd(dir))
			n++;
	closedir(dir);
	getrlimit(RLIMIT_CORE, &rl);
	printf("fds %d\nleader %d\ncore %d\n", n, getsid(0) == getpid() && getpgid(0) == getpid(), (int)rl.rlim_cur);
	show("/proc/self/status", "SigBlk:");
	show("/proc/self/status", "SigIgn:");
	show("/proc/self/oom_score_adj", NULL);
	printf("tty %d\n", open("/dev/tty", O_RDONLY) >= 0);
	for (char **e = environ; *e != NULL; e++)
		printf("env %s\n", *e);
	printf("inspected\n");
	fflush(stdout);
}

static void
helper(int setsid_too, int hold)
{
	if (fork() != 0)
		return;
	if (setsid_too) {
		setsid();
		if (fork() != 0)
			_exit(0);
	}
	signal(SIGTERM, SIG_IGN);
	if (!hold) {
		close(1);
		close(2);
	}
	for (;;)
		pause();
}

/* A process beside the engine's own that ends with it, also when a test is cut short. True in it. */
static int
beside(void)
{
	if (fork() != 0)
		return 0;
#ifdef __linux__
	prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
	return 1;
}

/* Works for ever, or speaks for ever. */
static void
companion(const char *text)
{
	if (!beside())
		return;
	while (text == NULL)
		getpid();
	for (;;) {
		printf("%s\n", text);
		fflush(stdout);
		poll(NULL, 0, 100);
	}
}

/* Keeps the connection in a process of its own, which does nothing. */
static void
never_answer(void)
{
	if (!beside())
		return;
	poll(NULL, 0, 200);
	if (shout != NULL)
		printf("%s\n", shout);
	fflush(stdout);
	for (;;)
		pause();
}

static void
answer(int fd, int status, const char *body)
{
	char out[512];
	int n = snprintf(out, sizeof(out), "HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
	    "Connection: close\r\n\r\n%s", status, strlen(body), body);

	if (write(fd, out, (size_t)n) < 0)
		return;
}

static void
serve_one(int fd)
{
	char in[4096];
	size_t n = 0;
	ssize_t r;
	const char *end;

	for (;;) {
		if ((r = read(fd, in + n, sizeof(in) - 1 - n)) <= 0)
			return;
		n += (size_t)r;
		in[n] = '\0';
		end = strstr(in, "\r\n\r\n");
		if (end != NULL && (strncmp(in, "GET", 3) == 0 || strchr(end + 4, '}') != NULL))
			break;
	}
	if (shout != NULL && good != 0 && strncmp(in, "POST ", 5) == 0) {
		printf("%s\n", shout);
		fflush(stdout);
	}
	if (strncmp(in, "GET /health ", 12) == 0) {
		answer(fd, turn == 0 ? 503 : check_status, "{}");
		turn -= turn > 0;
	} else if (strncmp(in, "POST ", 5) == 0 && good == 0) {
		never_answer();
	} else if (strncmp(in, "POST ", 5) == 0 && refusal != 0) {
		answer(fd, refusal, "{}");
	} else if (strncmp(in, "POST /v1/completions ", 21) == 0) {
		good -= good > 0;
		answer(fd, chat_only ? 404 : canary_status, chat_only ? "no" : "{\"error\": \"generation thread died\"}");
	} else if (strncmp(in, "POST /v1/chat/completions ", 26) == 0) {
		answer(fd, chat_only ? 200 : 404, "{}");
	} else {
		answer(fd, 404, "{}");
	}
}

static void
serve(int port)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	inet_pton(AF_INET, "127.0.0.1", &sin.sin_addr);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&sin, sizeof(sin)) < 0 || listen(fd, 16) < 0) {
		fprintf(stderr, "OSError: [Errno 98] Address already in use\n");
		exit(1);
	}
	for (;;) {
		int c = accept(fd, NULL, NULL);

		if (c < 0)
			continue;
		serve_one(c);
		close(c);
	}
}

static void
word(const char *w, int *port, int *serving)
{
	const char *v = strchr(w, '=') == NULL ? "" : strchr(w, '=') + 1;
	int n = (int)strtol(v, NULL, 10);

	if (strncmp(w, "port=", 5) == 0) {
		*port = n;
	} else if (strncmp(w, "delay=", 6) == 0) {
		poll(NULL, 0, n);
	} else if (strncmp(w, "exit=", 5) == 0) {
		exit(n);
	} else if (strncmp(w, "say=", 4) == 0) {
		printf("%s\n", v);
		fflush(stdout);
	} else if (strncmp(w, "part=", 5) == 0) {
		printf("%s", v);
		fflush(stdout);
	} else if (strncmp(w, "err=", 4) == 0) {
		fprintf(stderr, "%s\n", v);
	} else if (strncmp(w, "check=", 6) == 0) {
		check_status = n;
	} else if (strncmp(w, "canary=", 7) == 0) {
		canary_status = n;
	} else if (strncmp(w, "turn=", 5) == 0) {
		turn = n;
	} else if (strcmp(w, "chat") == 0) {
		chat_only = 1;
	} else if (strcmp(w, "ignore-term") == 0) {
		signal(SIGTERM, SIG_IGN);
	} else if (strcmp(w, "fork") == 0) {
		helper(0, 0);
	} else if (strcmp(w, "fork-setsid") == 0) {
		helper(1, 0);
	} else if (strcmp(w, "hold") == 0) {
		helper(1, 1);
	} else if (strcmp(w, "close-output") == 0) {
		close(1);
		close(2);
	} else if (strncmp(w, "flood=", 6) == 0) {
		for (int i = 0; i < n; i++)
			printf("line %d of a flood, as long as such lines often are, with some text to fill it\n", i);
		fflush(stdout);
	} else if (strncmp(w, "long=", 5) == 0) {
		for (int i = 0; i < n; i++)
			putchar('x');
		putchar('\n');
		fflush(stdout);
	} else if (strncmp(w, "hang=", 5) == 0) {
		good = n;
	} else if (strncmp(w, "refuse=", 7) == 0) {
		refusal = n;
	} else if (strcmp(w, "burn") == 0) {
		companion(NULL);
	} else if (strncmp(w, "repeat=", 7) == 0) {
		companion(v);
	} else if (strncmp(w, "shout=", 6) == 0) {
		shout = v;
	} else if (strncmp(w, "map=", 4) == 0) {
		map(v);
	} else if (strcmp(w, "inspect") == 0) {
		inspect();
	} else if (strcmp(w, "no-serve") == 0) {
		*serving = 0;
	}
}

int
engine_child_main(int argc, char **argv)
{
	int port = 0, serving = 1;

	for (int i = 2; i < argc; i++)
		word(argv[i], &port, &serving);
	if (serving)
		serve(port);
	for (;;)
		pause();
}
