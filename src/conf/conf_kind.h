/* SPDX-License-Identifier: ISC
 * What is known of each kind of engine, as one table: how it is started, how it says that it is ready, and how its log
 * tells progress and causes. Adding an engine is adding a row. */
#ifndef CONF_CONF_KIND_H
#define CONF_CONF_KIND_H

#include <stdbool.h>
#include <stddef.h>

struct conf_kind {
	const char *name;		/* mlx_lm, llama-server, vllm, custom */
	const char *label;		/* what a person calls it: mlx_lm.server */
	const char *short_label;	/* mlx, llama, vllm, - */
	const char *command;		/* template: ${PYTHON} ${MODEL} ${PORT} ${MAX_TOKENS}; NULL: cmd is needed */
	const char *check_path;		/* GET, 200 = up; NULL: none */
	bool canary;			/* and a one-token completion = ready */
	const char *upstream_model;	/* the name that never makes it load something else; NULL: any will do */
	bool keep_alive;		/* upstream connections may be reused */
	const char *install;		/* the line that installs it */
	const char *const *progress;	/* POSIX extended regexes with one group (percent) or two (done, total) */
	const char *const *cause;	/* regexes of lines that say why it died, most telling first */
	const char *const *fatal;	/* regexes of lines after which it is as good as dead: killed and restarted */
	const char *const *permanent;	/* regexes of lines after which a restart cannot help */
	const char *const *noise;	/* regexes of lines of our own probes: not logged */
	const char *const *work;	/* regexes of lines that tell of work on prompts and answers */
	const char *const *still;	/* regexes of lines that it also writes while nothing moves */
};

extern const struct conf_kind conf_kinds[];
extern const size_t conf_nkinds;

/* NULL when unknown. */
const struct conf_kind *conf_kind_find(const char *name);
/* By the look of a command's argv[0..] or of a model path; custom when nothing fits. model or argv may be NULL. */
const struct conf_kind *conf_kind_guess(const char *model, char *const *argv);

#endif
