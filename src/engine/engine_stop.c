/* SPDX-License-Identifier: ISC
 * Ending an engine so that nothing of it is left: its group, what escaped from the group, and the memory it held. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "engine/engine_priv.h"
#include "host/host.h"

#define GONE_FIRST_MS 2
#define GONE_MAX_MS 50
#define UNKILLABLE_MS 5000
#define KILL_COMMAND_MS 5000
#define KILL_HURRY_MS 800
#define SETTLE_MS 10

/* The leader's zombie keeps its pid ours until it is reaped; afterwards only a group that has members does. The stop command
 * is not what it stops. */
static size_t
survivors(const struct engine *e, pid_t *pids, size_t max)
{
	size_t n, k = 0;

	if (e->pgid == 0)
		return 0;
	n = host_engine_pids(e->pid, e->pgid, e->mark, pids, max);
	if (e->cmdstop.pid == 0 || n > max)
		return n;
	for (size_t i = 0; i < n; i++)
		if (getpgid(pids[i]) != e->cmdstop.pid && pids[i] != e->cmdstop.pid)
			pids[k++] = pids[i];
	return k;
}

/* The group as a whole while it surely is ours, so that a fork cannot slip through; then each one, for those that left it. */
static void
kill_pids(const struct engine *e, const pid_t *pids, size_t n)
{
	bool group = false;

	for (size_t i = 0; i < n && i < ENGINE_MAX_PIDS; i++)
		group = group || getpgid(pids[i]) == e->pgid;
	if (group)
		kill(-e->pgid, SIGKILL);
	for (size_t i = 0; i < n && i < ENGINE_MAX_PIDS; i++)
		if (pids[i] > 1)
			kill(pids[i], SIGKILL);
}

/* What it holds, as long as that can be asked. */
void
engine_settle_note(struct engine *e)
{
	uint64_t total;

	if (e->pid == 0)
		return;
	engine_use_update(e);
	e->env->settle.held = e->info.rss;
	if (host_memory(&e->env->settle.before, &total) < 0)
		e->env->settle.before = 0;
	e->env->settle.last = e->env->settle.last_at = 0;
}

void
engine_term_group(struct engine *e)
{
	/* The child may not have reached setsid yet: then it has no group of its own to signal. */
	if (e->pid != 0 && kill(-e->pgid, SIGTERM) < 0 && errno == ESRCH)
		kill(e->pid, SIGTERM);
}

void
engine_term(struct engine *e)
{
	engine_settle_note(e);
	http_pool_drop(e->env->pool, e->info.generation);
	e->signalled = true;
	if (e->m->cmd_stop == NULL || !engine_cmdstop_run(e, e->m->unload_timeout))
		engine_term_group(e);
}

/* The work of an external engine is not in what is killed here: its stop command is the only way to it, once. Any other one
 * ends with its engine. */
static void
kill_through_command(struct engine *e)
{
	uint64_t bound = e->hurried ? KILL_HURRY_MS : KILL_COMMAND_MS;

	if (!e->m->external || e->m->cmd_stop == NULL || e->cmdstop.ran)
		engine_cmdstop_kill(e);
	else
		engine_cmdstop_run(e, e->m->unload_timeout < bound ? e->m->unload_timeout : bound);
}

void
engine_kill_everything(struct engine *e)
{
	pid_t pids[ENGINE_MAX_PIDS];
	size_t n;

	if (e->pgid == 0)
		return;
	if (e->pid != 0 && !e->signalled)
		engine_settle_note(e);
	http_pool_drop(e->env->pool, e->info.generation);
	if (e->pid != 0) {
		e->signalled = true;
		if (kill(-e->pgid, SIGKILL) < 0 && errno == ESRCH)
			kill(e->pid, SIGKILL);
	}
	n = survivors(e, pids, ENGINE_MAX_PIDS);
	kill_pids(e, pids, n);
	kill_through_command(e);
	if (e->kill_since == 0) {
		e->kill_since = clock_ms();
		e->gone_wait = GONE_FIRST_MS;
	}
	if (!timer_armed(&e->gone))
		timer_set(&e->gone, e->gone_wait);
}

/* Where no change of state says so. */
static void
tell_gone(struct engine *e)
{
	if (e->info.state == ENGINE_FAILED && e->ops != NULL && e->ops->gone != NULL)
		e->ops->gone(e->arg, e);
}

static void
nothing_left(struct engine *e)
{
	timer_stop(&e->gone);
	engine_env_tell_guard(e->env, '-', e->pgid);
	e->pgid = 0;
	e->kill_since = e->gone_wait = e->empty_since = 0;
	if (e->info.quarantined)
		log_info("engine", e->id, "what could not be killed is gone");
	e->info.quarantined = false;
	e->info.port = 0;
	engine_store_alive(e->env);
	engine_feed(e, IN_GONE, e->info.reason);
	tell_gone(e);
}

/* Of one that is to start again at once: the memory that it held comes first, as before any other load. */
static bool
may_follow(struct engine *e)
{
	if (e->info.state != ENGINE_STOPPING || !e->again)
		return true;
	if (e->empty_since == 0)
		e->empty_since = clock_ms();
	return engine_memory_settled(e->env, e->empty_since, 0);
}

static void
quarantine(struct engine *e, const pid_t *pids, size_t n)
{
	e->info.quarantined = true;
	log_error("engine", e->id, "%zu process%s cannot be killed, pid %ld first; still trying", n, n == 1 ? "" : "es",
	    n > 0 && n <= ENGINE_MAX_PIDS ? (long)pids[0] : (long)e->pgid);
	engine_publish(e);
	tell_gone(e);
}

void
engine_watch_gone(struct engine *e)
{
	pid_t pids[ENGINE_MAX_PIDS];
	size_t n;

	if (e->pgid == 0)
		return;
	n = survivors(e, pids, ENGINE_MAX_PIDS);
	if (e->pid == 0 && n == 0) {
		if (e->cmdstop.pid != 0)
			return;	/* its end will be told */
		if (may_follow(e))
			nothing_left(e);
		else
			timer_set(&e->gone, SETTLE_MS);
		return;
	}
	if (e->kill_since != 0) {
		if (!e->info.quarantined && clock_ms() - e->kill_since >= UNKILLABLE_MS)
			quarantine(e, pids, n);
		kill_pids(e, pids, n);
	} else if (e->pid != 0) {
		return;	/* its death will be told */
	}
	e->gone_wait = e->gone_wait < GONE_FIRST_MS ? GONE_FIRST_MS : e->gone_wait * 2;
	if (e->gone_wait > GONE_MAX_MS)
		e->gone_wait = e->info.quarantined ? 1000 : GONE_MAX_MS;
	timer_set(&e->gone, e->gone_wait);
}

void
engine_on_gone_timer(void *arg)
{
	engine_watch_gone(arg);
}

bool
engine_memory_settled(struct engine_env *env, uint64_t since, uint64_t need)
{
	uint64_t available, total;

	if (env->settle.held != 0 && host_memory(&available, &total) >= 0 &&
	    !policy_settled(&env->settle, clock_ms(), since, need, available))
		return false;
	env->settle.held = 0;	/* that was it, until the next one stops */
	return true;
}
