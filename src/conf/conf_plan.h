/* SPDX-License-Identifier: ISC
 * The parts of the plan as texts, secrets hidden. Private to conf. */
#ifndef CONF_CONF_PLAN_H
#define CONF_CONF_PLAN_H

#include "conf/conf_priv.h"

/* Each is owned by the caller. */

/* The words of a command as a shell would want them. NULL for NULL. */
char **conf_plan_words(char *const *argv);
/* Its own environment: KEY=VALUE, or KEY=****. NULL when it has none. */
char **conf_plan_env(const struct conf_model *m);
/* The JSON text of a parameter that is set, or "****". */
char *conf_plan_value(const char *name, const char *json);
/* Where it answers, and how it is known to be ready. */
char *conf_plan_address(const struct conf_model *m);
char *conf_plan_ready(const struct conf_model *m);

#endif
