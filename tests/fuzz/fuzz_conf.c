/* SPDX-License-Identifier: ISC
 * Any text as mai.yaml: a configuration or messages, never both; the plan of what is accepted can be printed, and what is
 * JSON in it is JSON. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/xmalloc.h"
#include "conf/conf_priv.h"
#include "fuzz.h"

static void
insist_json(const char *text)
{
	struct err e = {""};
	cJSON *v = json_parse(text, strlen(text), &e);

	INSIST(v != NULL);
	cJSON_Delete(v);
}

static void
check_filters(const struct conf_model *m)
{
	INSIST(strv_len(m->set_params) % 2 == 0 && strv_len(m->set_params_by_id) % 3 == 0);
	for (char **s = m->set_params; s != NULL && *s != NULL; s += 2) {
		INSIST(**s != '\0' && strcmp(*s, "model") != 0 && strcmp(*s, "model?") != 0);
		insist_json(s[1]);
	}
	for (char **s = m->set_params_by_id; s != NULL && *s != NULL; s += 3)
		insist_json(s[2]);
	if (m->metadata != NULL)
		insist_json(m->metadata);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conf_errors errs = {STRBUF_INIT, 0};
	struct strbuf plan = STRBUF_INIT, json = STRBUF_INIT;
	struct jsonw w = JSONW(&json);
	struct conf *c = conf_yaml_parse("f", (const char *)data, size, &errs), *copy;

	if ((c == NULL) != (errs.n > 0))
		abort();
	if (c != NULL) {
		copy = conf_dup(c);
		conf_unref(&c);
		conf_describe(copy, &plan);
		conf_describe_list("note: ", copy->notes, &plan);
		conf_plan_json(copy, &w);
		insist_json(strbuf_str(&json));
		INSIST(copy->max_loaded >= 1 && copy->max_loaded <= 64);
		for (char **id = copy->preload; id != NULL && *id != NULL; id++)
			INSIST(conf_find(copy, *id) != NULL);
		for (size_t i = 0; i < copy->nmodels; i++) {
			char **argv = conf_argv(copy->models[i]->argv, 1, 1, copy->models[i]->id);

			if (conf_find(copy, copy->models[i]->id) != copy->models[i])
				abort();
			check_filters(copy->models[i]);
			strv_free(&argv);
		}
		strbuf_fini(&plan);
		strbuf_fini(&json);
		conf_unref(&copy);
	}
	conf_errors_fini(&errs);
	return 0;
}
