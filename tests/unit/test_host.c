/* SPDX-License-Identifier: ISC */
#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/host.h"

struct child {
	pid_t pid;
	int from;	/* one byte comes when it is set up */
	int to;		/* closing it ends the child */
};

static void
block_until_eof(int fd)
{
	char c;

	while (read(fd, &c, 1) > 0 || errno == EINTR)
		errno = 0;
	_exit(0);
}

/* A child in a session of its own that maps and touches 32 MiB, burns some CPU, and (deep) has a child in yet another
 * session. Runs itself again so that its environment is what /proc shows. */
static struct child
child_start(const char *mark, const char *mode)
{
	char var[64], self[] = "test_host", *env[] = {var, NULL}, *argv[] = {self, (char *)(uintptr_t)mode, NULL};
	struct child c;
	int up[2], down[2];
	char b;

	snprintf(var, sizeof(var), "MAI_ENGINE=%s", mark);
	assert_int_equal(pipe(up), 0);
	assert_int_equal(pipe(down), 0);
	fflush(NULL);
	c.pid = fork();
	assert_true(c.pid >= 0);
	if (c.pid == 0) {
		setsid();
		dup2(down[0], 0);
		dup2(up[1], 1);
		close(up[0]);
		close(down[1]);
		execve("/proc/self/exe", argv, env);
		_exit(127);
	}
	close(up[1]);
	close(down[0]);
	c.from = up[0];
	c.to = down[1];
	assert_int_equal(read(c.from, &b, 1), 1);
	return c;
}

static void
child_end(struct child *c)
{
	char b;

	close(c->to);
	while (read(c->from, &b, 1) > 0)
		;
	close(c->from);
	waitpid(c->pid, NULL, 0);
}

static int
child_main(const char *mode)
{
	volatile unsigned long spin = 0;
	size_t size = 32u << 20;
	char *m = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memset(m, 1, size);
	while (spin < 80000000)
		spin++;
	if (strcmp(mode, "deep") == 0 && fork() == 0) {
		setsid();
		if (write(1, "x", 1) != 1)
			_exit(1);
		block_until_eof(0);
	}
	if (strcmp(mode, "deep") != 0 && write(1, "x", 1) != 1)
		return 1;
	block_until_eof(0);
	return 0;
}

static void
test_group_use(void **state)
{
	struct child c = child_start("t.1", "plain");
	struct host_use use;

	(void)state;
	assert_int_equal(host_group_use(c.pid, &use), 0);
	assert_int_equal(use.nprocs, 1);
	assert_true(use.rss > (32u << 20));
	assert_true(use.cpu_ms > 0);
	child_end(&c);
	assert_int_equal(host_group_use(c.pid, &use), -1);
	assert_int_equal(use.nprocs, 0);
}

static void
test_descendants(void **state)
{
	struct child c = child_start("t.2", "deep");
	struct host_use use;
	pid_t pids[8];

	(void)state;
	assert_int_equal(host_group_use(c.pid, &use), 0);
	assert_int_equal(use.nprocs, 2);
	assert_int_equal(host_engine_pids(c.pid, c.pid, "t.2", pids, 8), 2);
	assert_int_equal(host_engine_pids(0, c.pid, NULL, pids, 8), 1);
	assert_int_equal(pids[0], c.pid);
	assert_int_equal(host_engine_pids(0, 0, "t.2", pids, 8), 2);
	assert_int_equal(host_engine_pids(0, 0, "t.2", pids, 0), 2);
	assert_int_equal(host_engine_pids(0, 0, "t.", pids, 8), 0);
	assert_true(host_carries(c.pid, "t.2"));
	assert_false(host_carries(c.pid, "t.20"));
	assert_int_equal(host_children(c.pid, pids, 8), 1);
	assert_true(host_carries(pids[0], "t.2"));
	child_end(&c);
	assert_int_equal(host_engine_pids(c.pid, c.pid, "t.2", pids, 8), 0);
}

static void
test_identity(void **state)
{
	struct child c = child_start("t.3", "plain");
	uint64_t mine = host_start_time(getpid()), its = host_start_time(c.pid);

	(void)state;
	assert_true(mine != 0 && its >= mine);
	assert_true(host_start_time(c.pid) == its);
	child_end(&c);
	assert_true(host_start_time(c.pid) == 0);
}

static void
test_memory(void **state)
{
	uint64_t avail, total;
	struct host_use use;

	(void)state;
	assert_int_equal(host_memory(&avail, &total), 0);
	assert_true(avail > 0 && avail <= total);
	assert_int_equal(host_self_use(&use), 0);
	assert_true(use.rss > 0 && use.nprocs == 1);
	assert_true(host_name()[0] != '\0');
}

static int
listener(const char *host, int *port)
{
	struct sockaddr_in sin = {.sin_family = AF_INET};
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(inet_pton(AF_INET, host, &sin.sin_addr), 1);
	assert_int_equal(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	*port = ntohs(sin.sin_port);
	return fd;
}

static void
test_port_owner(void **state)
{
	static const char *const hosts[] = {"127.0.0.1", "0.0.0.0"};
	pid_t me = getpid(), who = 0;
	char comm[64] = "";
	int port;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		int fd = listener(hosts[i], &port);

		assert_int_equal(host_port_owner(port, &me, 1, NULL, NULL, 0), HOST_OWNER_NONE);
		assert_int_equal(listen(fd, 1), 0);
		assert_int_equal(host_port_owner(port, &me, 1, NULL, NULL, 0), HOST_OWNER_OURS);
		assert_int_equal(host_port_owner(port, NULL, 0, &who, comm, sizeof(comm)), HOST_OWNER_OTHER);
		assert_int_equal(who, me);
		assert_non_null(strstr(comm, "test_host"));
		close(fd);
		assert_int_equal(host_port_owner(port, &me, 1, NULL, NULL, 0), HOST_OWNER_NONE);
	}
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_group_use), cmocka_unit_test(test_descendants), cmocka_unit_test(test_identity),
		cmocka_unit_test(test_memory), cmocka_unit_test(test_port_owner),
	};

	if (argc > 1)
		return child_main(argv[1]);
#ifndef __linux__
	return 77;
#endif
	return cmocka_run_group_tests(tests, NULL, NULL);
}
