/* SPDX-License-Identifier: ISC
 * Words to options: those common to all verbs stand before or after the verb. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/cmd.h"
#include "base/text.h"

enum opt_id {
	OPT_FILE, OPT_NAME, OPT_URL, OPT_JSON, OPT_DAEMON, OPT_ENV_FILE, OPT_LISTEN, OPT_INSECURE, OPT_ASCII, OPT_PLAIN,
	OPT_READ_ONLY, OPT_COLOR, OPT_RECORD, OPT_REPLAY, OPT_SPEED, OPT_FORCE, OPT_FOLLOW, OPT_LINES, OPT_SOURCE, OPT_NO_WAIT, OPT_WATCH, OPT_HELP,
	OPT_VERSION
};

struct opt {
	const char *name;
	char letter;		/* 0: none */
	bool value;
	enum opt_id id;
	unsigned group;		/* CMD_OPT_*; 0: any verb */
	const char *arg, *help;
};

static const struct opt opts[] = {
	{"config", 'c', true, OPT_FILE, 0, "FILE", "configuration file"},
	{"name", 0, true, OPT_NAME, 0, "NAME", "which supervisor of several (default)"},
	{"url", 'H', true, OPT_URL, 0, "URL", "talk to a remote supervisor; its key is read from MAI_KEY"},
	{"json", 0, false, OPT_JSON, 0, NULL, "answer in JSON"},
	{"daemon", 0, false, OPT_DAEMON, CMD_OPT_DAEMON, NULL, "start in the background, return once it listens"},
	{"env-file", 0, true, OPT_ENV_FILE, CMD_OPT_CONF, "FILE", "read MLX_* settings from a file"},
	{"listen", 0, true, OPT_LISTEN, CMD_OPT_CONF, "HOST:PORT", "listen there instead"},
	{"insecure", 0, false, OPT_INSECURE, CMD_OPT_CONF, NULL, "accept a non-loopback address without API keys"},
	{"ascii", 0, false, OPT_ASCII, CMD_OPT_UI, NULL, "dashboard in plain ASCII"},
	{"plain", 0, false, OPT_PLAIN, CMD_OPT_UI, NULL, "no dashboard, plain lines"},
	{"read-only", 0, false, OPT_READ_ONLY, CMD_OPT_UI, NULL, "dashboard that only looks"},
	{"color", 0, true, OPT_COLOR, CMD_OPT_UI, "never|auto", "colours (NO_COLOR is obeyed)"},
	{"record", 0, true, OPT_RECORD, CMD_OPT_REPLAY, "FILE", "write what the dashboard gets to a file"},
	{"replay", 0, true, OPT_REPLAY, CMD_OPT_REPLAY, "FILE", "show such a file, without a supervisor"},
	{"speed", 0, true, OPT_SPEED, CMD_OPT_REPLAY, "N", "of a replay: 1 as it was, 0 all at once"},
	{"force", 0, false, OPT_FORCE, CMD_OPT_FORCE, NULL, "do not wait for requests in flight"},
	{"follow", 'f', false, OPT_FOLLOW, CMD_OPT_LOGS, NULL, "go on as lines come"},
	{"lines", 'n', true, OPT_LINES, CMD_OPT_LOGS, "N", "the last N lines"},
	{"source", 0, true, OPT_SOURCE, CMD_OPT_LOGS, "SOURCE", "child, mai, access or all"},
	{"no-wait", 0, false, OPT_NO_WAIT, CMD_OPT_NO_WAIT, NULL, "do not wait for the outcome"},
	{"watch", 0, false, OPT_WATCH, CMD_OPT_WATCH, NULL, "show each change until interrupted"},
	{"help", 'h', false, OPT_HELP, 0, NULL, "this text; after a verb, that verb's"},
	{"version", 0, false, OPT_VERSION, 0, NULL, "version"},
};

static int
take_choice(const char *what, const char *value, const char *const *choices, struct err *e)
{
	for (; *choices != NULL; choices++)
		if (strcmp(value, *choices) == 0)
			return 0;
	return err_set(e, "%s does not take '%s'", what, value);
}

static int
check_name(const char *name, struct err *e)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

	if (n == 0 || n > 64 || name[n] != '\0' || name[0] == '.' || name[0] == '-')
		return err_set(e, "--name takes letters, digits, '.', '_' and '-' (at most 64), not '%s'", name);
	return 0;
}

static int
take_lines(struct cmd_opts *o, const char *value, struct err *e)
{
	char *end;
	long n = strtol(value, &end, 10);

	if (*value == '\0' || *end != '\0' || n < 0 || n > 1000000)
		return err_set(e, "-n takes a number of lines, not '%s'", value);
	o->lines = (int)n;
	return 0;
}

static int
take_speed(struct cmd_opts *o, const char *value, struct err *e)
{
	char *end;
	double speed = strtod(value, &end);

	if (*value == '\0' || *end != '\0' || !(speed >= 0 && speed <= 1000))
		return err_set(e, "--speed takes a number from 0 to 1000, not '%s'", value);
	o->speed = speed;
	return 0;
}

static int
apply(struct cmd_opts *o, const struct opt *opt, const char *value, struct err *e)
{
	static const char *const sources[] = {"child", "mai", "access", "all", NULL};
	static const char *const colors[] = {"never", "auto", NULL};

	o->given |= opt->group;
	switch (opt->id) {
	case OPT_FILE: o->file = value; break;
	case OPT_NAME: o->name = value; return check_name(value, e);
	case OPT_URL: o->url = value; break;
	case OPT_JSON: o->json = true; break;
	case OPT_DAEMON: o->daemon = true; break;
	case OPT_ENV_FILE: o->env_file = value; break;
	case OPT_LISTEN: o->listen = value; break;
	case OPT_INSECURE: o->insecure = true; break;
	case OPT_ASCII: o->ascii = true; break;
	case OPT_PLAIN: o->plain = true; break;
	case OPT_READ_ONLY: o->read_only = true; break;
	case OPT_COLOR:
		o->no_color = o->no_color || strcmp(value, "never") == 0;
		return take_choice("--color", value, colors, e);
	case OPT_RECORD: o->record = value; break;
	case OPT_REPLAY: o->replay = value; break;
	case OPT_SPEED: return take_speed(o, value, e);
	case OPT_FORCE: o->force = true; break;
	case OPT_FOLLOW: o->follow = true; break;
	case OPT_LINES: return take_lines(o, value, e);
	case OPT_SOURCE: o->source = value; return take_choice("--source", value, sources, e);
	case OPT_NO_WAIT: o->no_wait = true; break;
	case OPT_WATCH: o->watch = true; break;
	case OPT_HELP: o->help = true; break;
	case OPT_VERSION: o->version = true; break;
	}
	if (value != NULL && *value == '\0')
		return err_set(e, "--%s needs a value", opt->name);
	return 0;
}

static int
unknown_long(const char *name, size_t len, struct err *e)
{
	const char *best = NULL;
	char word[32];
	int near = 3;

	snprintf(word, sizeof(word), "%.*s", (int)len, name);
	for (size_t i = 0; i < ARRAY_LEN(opts); i++) {
		int d = text_distance(word, opts[i].name, 2);

		if (d < near) {
			near = d;
			best = opts[i].name;
		}
	}
	return err_set(e, "unknown option --%.*s%s%s%s", (int)len, name, best != NULL ? "; did you mean --" : "",
	    best != NULL ? best : "", best != NULL ? "?" : "");
}

/* --name, --name=value, --name value. i is the word's index; moves on over a value. */
static int
take_long(int argc, char **argv, int *i, struct cmd_opts *o, struct err *e)
{
	const char *name = argv[*i] + 2, *eq = strchr(name, '=');
	size_t len = eq != NULL ? (size_t)(eq - name) : strlen(name);

	for (size_t k = 0; k < ARRAY_LEN(opts); k++) {
		const struct opt *opt = &opts[k];

		if (strlen(opt->name) != len || memcmp(opt->name, name, len) != 0)
			continue;
		if (!opt->value)
			return eq != NULL ? err_set(e, "--%s takes no value", opt->name) : apply(o, opt, NULL, e);
		if (eq != NULL)
			return apply(o, opt, eq + 1, e);
		if (*i + 1 >= argc)
			return err_set(e, "--%s needs a value", opt->name);
		return apply(o, opt, argv[++*i], e);
	}
	return unknown_long(name, len, e);
}

/* -f, -n 20, -n20, -fn20. */
static int
take_short(int argc, char **argv, int *i, struct cmd_opts *o, struct err *e)
{
	for (const char *p = argv[*i] + 1; *p != '\0'; p++) {
		const struct opt *opt = NULL;

		for (size_t k = 0; k < ARRAY_LEN(opts); k++)
			if (opts[k].letter == *p)
				opt = &opts[k];
		if (opt == NULL)
			return err_set(e, "unknown option -%c", *p);
		if (opt->value && p[1] == '\0' && *i + 1 >= argc)
			return err_set(e, "-%c needs a value", *p);
		if (opt->value)
			return apply(o, opt, p[1] != '\0' ? p + 1 : argv[++*i], e);
		if (apply(o, opt, NULL, e) != 0)
			return -1;
	}
	return 0;
}

/* A path, a .gguf or a Hugging Face id; a bare word only when it is there. */
static bool
looks_like_model(const char *word)
{
	return strpbrk(word, "/.") != NULL || access(word, F_OK) == 0;
}

static int
find_verb(const struct cmd *table, int n, struct cmd_opts *o, const struct cmd **c, struct err *e)
{
	const char *best = NULL;
	int near = 3;

	*c = &table[0];
	if (o->nargs == 0)
		return 0;
	for (int i = 1; i < n; i++) {
		int d = text_distance(o->args[0], table[i].name, 2);

		if (strcmp(o->args[0], table[i].name) == 0) {
			*c = &table[i];
			o->verb = o->args[0];
			o->args++;
			o->nargs--;
			return 0;
		}
		if (d < near) {
			near = d;
			best = table[i].name;
		}
	}
	if (looks_like_model(o->args[0]))
		return 0;
	return err_set(e, "'%s' is no verb and no model%s%s%s", o->args[0], best != NULL ? "; did you mean '" : "",
	    best != NULL ? best : "", best != NULL ? "'?" : "");
}

static int
check_use(const struct cmd *c, const struct cmd_opts *o, struct err *e)
{
	const char *verb = o->verb != NULL ? o->verb : "mai";
	unsigned wrong = o->given & ~c->opts;

	if (o->help || o->version)
		return 0;
	for (size_t i = 0; wrong != 0 && i < ARRAY_LEN(opts); i++)
		if (opts[i].group & wrong)
			return err_set(e, "'%s' does not take --%s%s", verb, opts[i].name,
			    wrong == CMD_OPT_LOGS ? " and the other options of logs" : "");
	if (o->nargs < c->min_args)
		return err_set(e, "'%s' needs %s", verb, c->args);
	if (o->nargs > c->max_args)
		return err_set(e, "'%s' does not take '%s'", verb, o->args[c->max_args]);
	return 0;
}

int
cmd_parse(int argc, char **argv, const struct cmd *table, int n, struct cmd_opts *o, const struct cmd **c, struct err *e)
{
	const char *no_color = getenv("NO_COLOR");
	bool only_words = false;

	*o = (struct cmd_opts){.name = "default", .lines = -1, .speed = 1, .argv0 = argc > 0 ? argv[0] : "mai"};
	o->no_color = no_color != NULL && *no_color != '\0';
	o->args = argv + 1;
	for (int i = 1; i < argc; i++) {
		const char *w = argv[i];
		int r = 0;

		if (only_words || w[0] != '-' || w[1] == '\0')
			o->args[o->nargs++] = argv[i];
		else if (strcmp(w, "--") == 0)
			only_words = true;
		else if (w[1] == '-')
			r = take_long(argc, argv, &i, o, e);
		else
			r = take_short(argc, argv, &i, o, e);
		if (r != 0)
			return -1;
	}
	if (find_verb(table, n, o, c, e) != 0)
		return -1;
	return check_use(*c, o, e);
}

static void
put_option(struct strbuf *out, const struct opt *opt)
{
	char left[48];

	snprintf(left, sizeof(left), "%c%c%s--%s%s%s", opt->letter != 0 ? '-' : ' ', opt->letter != 0 ? opt->letter : ' ',
	    opt->letter != 0 ? ", " : "  ", opt->name, opt->arg != NULL ? " " : "", opt->arg != NULL ? opt->arg : "");
	strbuf_printf(out, "  %-25s %s\n", left, opt->help);
}

static void
put_verb_usage(const struct cmd *c, struct strbuf *out)
{
	strbuf_printf(out, "usage: mai %s%s%s\n\n%s.\n", c->name, *c->args != '\0' ? " " : "", c->args, c->help);
	if (c->more != NULL)
		strbuf_printf(out, "%s\n", c->more);
	strbuf_puts(out, "\noptions\n");
	for (size_t i = 0; i < ARRAY_LEN(opts); i++)
		if (opts[i].group == 0 ? opts[i].id <= OPT_JSON : (opts[i].group & c->opts) != 0)
			put_option(out, &opts[i]);
}

void
cmd_usage(const struct cmd *table, int n, const struct cmd *one, struct strbuf *out)
{
	if (one != NULL && one != &table[0]) {
		put_verb_usage(one, out);
		return;
	}
	strbuf_puts(out,
	    "mai runs local LLM engines, supervised, behind one OpenAI-compatible address.\n\n"
	    "usage: mai [MODEL | -c FILE]    supervisor and dashboard; attaches when one runs\n"
	    "       mai --daemon [MODEL]     supervisor in the background\n"
	    "       mai VERB [...]\n\n"
	    "MODEL is a .gguf file, a model directory or a Hugging Face id.\n\nverbs\n");
	for (int i = 1; i < n; i++) {
		char left[48];

		snprintf(left, sizeof(left), "%s %s", table[i].name, table[i].args);
		strbuf_printf(out, "  %-25s %s\n", left, table[i].help);
	}
	strbuf_puts(out, "\noptions, before or after the verb\n");
	for (size_t i = 0; i < ARRAY_LEN(opts); i++)
		put_option(out, &opts[i]);
	strbuf_puts(out,
	    "\nexit codes: 0 done, 1 failed, 2 usage, 3 no supervisor running, 4 the supervisor says no\n");
}
