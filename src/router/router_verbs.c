/* SPDX-License-Identifier: ISC
 * What people ask for: each verb is carried out by the same means as requests are, and reports how it came out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "router/router_priv.h"

static const char *const verb_names[] = {"load", "start", "stop", "restart"};

static void
publish(struct router *r, const char *who, const char *model, const char *text)
{
	const struct bus_event e = {.kind = BUS_ACTION, .model = model, .who = who, .text = text};

	bus_publish(r->bus, &e);
}

void
op_free(struct op *o)
{
	free(o->who);
	free(o->model);
	free(o->cause);
	free(o);
}

static void
op_finish(struct router *r, struct op *o, bool ok, enum router_refusal why, const char *cause)
{
	struct router_outcome out = {.ok = ok, .refusal = why, .took_ms = clock_ms() - o->since};
	char text[768], took[32];
	const char *id = o->slot != NULL ? o->slot->model->id : o->model != NULL ? o->model : "all models";

	TAILQ_REMOVE(&r->ops, o, link);
	out.model = o->slot != NULL ? o->slot->model->id : o->model;
	if (o->slot != NULL && o->slot->engine != NULL)
		out.reason = r->eng->info(o->slot->engine)->reason;
	snprintf(out.cause, sizeof(out.cause), "%s", cause == NULL ? "" : cause);
	snprintf(took, sizeof(took), "%.1f s", (double)out.took_ms / 1000);
	if (ok)
		snprintf(text, sizeof(text), "%s %s: done in %s", verb_names[o->verb], id, took);
	else
		snprintf(text, sizeof(text), "%s %s failed: %s", verb_names[o->verb], id, out.cause);
	log_msg(ok ? LOG_INFO_ : LOG_ERROR_, "router", NULL, "%s", text);
	publish(r, o->who, out.model, text);
	if (o->cb != NULL)
		o->cb(o->arg, &out);
	op_free(o);
}

static const char *
failure(struct router *r, struct slot *s, char *buf, size_t size)
{
	const struct engine_info *i = r->eng->info(s->engine);
	const struct engine_exit *x = i->last_exit;

	snprintf(buf, size, "%s", x->cause[0] != '\0' ? x->cause : x->text[0] != '\0' ? x->text :
	    engine_reason_text(i->reason));
	return buf;
}

/* Its end is what it waits for, however short: somebody who waits may have it started again at once. */
static bool
stop_check(struct router *r, struct op *o)
{
	struct slot *s = o->awaits;

	if (s == NULL || s->ends != o->ends || !policy_occupies(slot_state(s)))
		op_finish(r, o, true, REFUSE_NONE, NULL);
	else if (r->eng->info(s->engine)->wanted)
		op_finish(r, o, false, REFUSE_STOPPED, "it was started again meanwhile");
	else
		return false;
	return true;
}

bool
verbs_stopping(const struct router *r, const struct slot *s)
{
	const struct op *o;

	TAILQ_FOREACH(o, &r->ops, link)
		if (o->verb == VERB_STOP && o->awaits == s && o->ends == s->ends)
			return true;
	return false;
}

/* Whether an operation has come out; true when it was finished (and freed). */
static bool
op_check(struct router *r, struct op *o)
{
	struct slot *s = o->slot;
	char cause[512];

	if (o->decided) {
		op_finish(r, o, o->ok, o->refusal, o->cause);
		return true;
	}
	if (o->verb == VERB_STOP)
		return stop_check(r, o);
	/* It has not had its turn yet. */
	if (s->claim == CLAIM_PERSON)
		return false;
	switch (slot_state(s)) {
	case ENGINE_READY:
		/* It never stays ready when it is told to restart: while it drained it was to stop, and then needed not. */
		if (o->verb == VERB_RESTART && r->eng->info(s->engine)->generation == o->generation)
			op_finish(r, o, false, REFUSE_STOPPED, "it goes on as it was, because of what was asked for later");
		else
			op_finish(r, o, true, REFUSE_NONE, NULL);
		return true;
	case ENGINE_FAILED:
		op_finish(r, o, false, REFUSE_FAILED, failure(r, s, cause, sizeof(cause)));
		return true;
	case ENGINE_STOPPED:
		if (o->verb == VERB_RESTART && s->engine != NULL && r->eng->info(s->engine)->wanted)
			return false;
		op_finish(r, o, false, REFUSE_STOPPED, "it was stopped meanwhile");
		return true;
	case ENGINE_DRAINING:
	case ENGINE_STOPPING:
		if (slot_leaves(s) && s->gave_way_to != NULL) {
			op_finish(r, o, false, REFUSE_STOPPED, "another model took its place");
			return true;
		}
		return false;
	default:
		return false;
	}
}

void
verbs_check(struct router *r)
{
	struct op *o, *next;

	for (o = TAILQ_FIRST(&r->ops); o != NULL; o = next) {
		next = TAILQ_NEXT(o, link);
		if (op_check(r, o))
			next = TAILQ_FIRST(&r->ops);	/* the callback may have changed the list */
	}
}

void
verbs_refuse(struct router *r, const struct slot *s, const char *cause)
{
	struct op *o, *next;

	for (o = TAILQ_FIRST(&r->ops); o != NULL; o = next) {
		next = TAILQ_NEXT(o, link);
		if (o->slot != s || o->verb == VERB_STOP || o->decided)
			continue;
		op_finish(r, o, false, REFUSE_CONFLICT, cause);
		next = TAILQ_FIRST(&r->ops);
	}
}

void
verbs_fail_all(struct router *r, enum router_refusal why, const char *cause)
{
	struct op *o, *next;

	for (o = TAILQ_FIRST(&r->ops); o != NULL; o = next) {
		next = TAILQ_NEXT(o, link);
		if (o->verb == VERB_STOP)
			continue;
		op_finish(r, o, false, why, cause);
		next = TAILQ_FIRST(&r->ops);
	}
}

static struct op *
op_new(struct router *r, enum router_verb verb, struct slot *s, const char *model, const char *who,
    router_done_cb *cb, void *arg)
{
	struct op *o = xcalloc(1, sizeof(*o));

	o->verb = verb;
	o->slot = s;
	o->model = xstrdup0(model);
	o->since = clock_ms();
	o->who = xstrdup0(who);
	o->cb = cb;
	o->arg = arg;
	TAILQ_INSERT_TAIL(&r->ops, o, link);
	router_kick(r);
	return o;
}

/* An answer known at once still comes from the loop. */
static void
op_decide(struct op *o, bool ok, enum router_refusal why, const char *cause)
{
	o->decided = true;
	o->ok = ok;
	o->refusal = why;
	o->cause = xstrdup(cause);
}

void
router_forget(struct router *r, void *arg)
{
	struct op *o;

	TAILQ_FOREACH(o, &r->ops, link)
		if (o->arg == arg)
			o->cb = NULL;
}

/* Should the new one not start, what ran before it comes back: not what was asked for in between and did not start. */
static void
remember(struct router *r, struct conf *before, struct slot *s)
{
	if (r->undo == NULL && before->default_model != NULL) {
		r->undo = conf_ref(before);
		r->undo_id = xstrdup(r->last != NULL ? r->last->model->id : before->default_model);
		r->undo_touched = false;
	}
	r->undo_for = s;
	r->undo_due = false;
}

/* With MLX_* only, any name or path may be loaded: it takes the place of the one model there is. */
static struct slot *
load_unknown(struct router *r, const char *model, int max_tokens, char *cause, size_t size)
{
	struct conf_errors errs = {{0}, 0};
	struct conf *before;
	struct conf *c = conf_with_model(r->conf, model, max_tokens, &errs);
	struct slot *s = NULL;

	if (c == NULL) {
		snprintf(cause, size, "%s", strbuf_str(&errs.text));
	} else {
		before = conf_ref(r->conf);
		router_replace(r, c, true);
		s = slot_find(r, model);
		if (s == NULL && c->nmodels > 0)
			s = slot_find(r, c->models[c->nmodels - 1]->id);
		if (s != NULL && conf_find(before, s->model->id) == NULL)
			remember(r, before, s);
		conf_unref(&before);
		conf_unref(&c);
	}
	conf_errors_fini(&errs);
	return s;
}

static bool
may_load_any(const struct router *r)
{
	return r->conf->source != CONF_FILE;
}

static struct slot *
verb_slot(struct router *r, enum router_verb verb, const char *model, int max_tokens, char *cause, size_t size)
{
	struct slot *s;

	cause[0] = '\0';
	if (model == NULL) {
		s = r->last;
		if ((s == NULL || s->leaving) && r->conf->default_model != NULL)
			s = slot_find(r, r->conf->default_model);
		return s;
	}
	s = slot_find(r, model);
	if ((verb == VERB_LOAD || verb == VERB_START) && may_load_any(r) &&
	    (s == NULL || (max_tokens > 0 && max_tokens != s->model->max_tokens)))
		return load_unknown(r, model, max_tokens, cause, size);
	return s;
}

static void
stop_slot(struct router *r, struct slot *s)
{
	s->claim = CLAIM_NONE;
	queue_refuse_all(s, REFUSE_STOPPED, "the model was stopped");
	if (r->current == s)
		r->current = r->conf->max_loaded > 1 ? router_occupant(r, s) : NULL;
	s->manual = false;
	s->stopped = true;
	if (s->engine != NULL && policy_occupies(slot_state(s)))
		r->eng->stop(s->engine, REASON_USER, false, false);
}

/* The last word counts: what is asked for now comes before everything asked for earlier. */
static void
ask_for(struct router *r, struct slot *s)
{
	s->word = ++r->words;
	s->claim = CLAIM_PERSON;
	s->checked = false;
	queue_follow(r, s);
	router_kick(r);
}

/* On its way already, or waiting to start again by itself: a person's word gives it all its attempts anew, at once. */
static void
start_again(struct router *r, struct slot *s)
{
	s->word = ++r->words;
	s->manual = true;
	r->current = r->last = s;
	queue_follow(r, s);
	r->eng->start(s->engine, REASON_USER, true);
}

static void
load(struct router *r, struct op *o, bool changed)
{
	struct slot *s = o->slot;
	bool here = policy_occupies(slot_state(s)) && !slot_leaves(s);

	if (!here) {
		ask_for(r, s);
	} else if (changed) {
		s->word = ++r->words;
		o->verb = VERB_RESTART;
		o->generation = r->eng->info(s->engine)->generation;
		queue_follow(r, s);
		r->eng->restart(s->engine, false);
	} else if (slot_state(s) == ENGINE_READY) {
		s->word = ++r->words;
		r->current = r->last = s;
		queue_follow(r, s);
		router_kick(r);
	} else {
		start_again(r, s);
	}
}

static void
restart(struct router *r, struct op *o, bool force)
{
	struct slot *s = o->slot;

	if (!policy_occupies(slot_state(s))) {
		ask_for(r, s);
		return;
	}
	s->word = ++r->words;
	s->claim = CLAIM_NONE;
	o->generation = r->eng->info(s->engine)->generation;
	s->manual = true;
	s->stopped = false;
	r->current = r->last = s;
	queue_follow(r, s);
	r->eng->restart(s->engine, force);
}

static void
carry_out(struct router *r, struct op *o, bool changed, bool force)
{
	struct slot *s = o->slot;

	switch (o->verb) {
	case VERB_LOAD:
	case VERB_START:
		load(r, o, changed);
		break;
	case VERB_STOP:
		o->awaits = s != NULL ? s : router_occupant(r, NULL);
		if (o->awaits != NULL)
			o->ends = o->awaits->ends;
		if (s != NULL)
			stop_slot(r, s);
		else
			for (size_t i = 0; i < r->nslots; i++)
				stop_slot(r, r->slots[i]);
		break;
	case VERB_RESTART:
	default:
		restart(r, o, force);
		break;
	}
}

void
router_do(struct router *r, enum router_verb verb, const char *model, int max_tokens, bool force, const char *who,
    router_done_cb *cb, void *arg)
{
	struct slot *s, *other;
	char cause[512], text[256];
	const struct conf_model *before;
	bool changed;

	if (r->shutting) {
		op_decide(op_new(r, verb, NULL, model, who, cb, arg), verb == VERB_STOP, REFUSE_SHUTDOWN,
		    "mai is shutting down");
		return;
	}
	before = model == NULL ? NULL : conf_find(r->conf, model);
	changed = before != NULL && verb == VERB_LOAD && may_load_any(r) && max_tokens > 0 &&
	    max_tokens != before->max_tokens;
	/* Before anything is changed: an unknown name would take the place of the one that runs. */
	s = model == NULL ? NULL : slot_find(r, model);
	other = verb != VERB_START || model == NULL || (s == NULL && !may_load_any(r)) ? NULL : router_occupant(r, s);
	if (other != NULL && (s == NULL || !plan_fits(r, s))) {
		snprintf(text, sizeof(text), "%s is running", other->model->id);
		op_decide(op_new(r, verb, NULL, model, who, cb, arg), false, REFUSE_CONFLICT, text);
		return;
	}
	s = verb == VERB_STOP && model == NULL ? NULL : verb_slot(r, verb, model, max_tokens, cause, sizeof(cause));
	if (s == NULL && !(verb == VERB_STOP && model == NULL)) {
		op_decide(op_new(r, verb, NULL, model, who, cb, arg), false, REFUSE_NOT_FOUND,
		    cause[0] != '\0' ? cause : "no such model");
		return;
	}
	snprintf(text, sizeof(text), "%s%s %s", force ? "forced " : "", verb_names[verb],
	    s == NULL ? "all models" : s->model->id);
	log_info("router", NULL, "%s, asked for by %s", text, who == NULL ? "?" : who);
	publish(r, who, s == NULL ? NULL : s->model->id, text);
	carry_out(r, op_new(r, verb, s, model, who, cb, arg), changed, force);
}
