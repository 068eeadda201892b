/* SPDX-License-Identifier: ISC
 * Any text as mai.yaml: a configuration or messages, never both, and the plan of what is accepted can be printed. */
#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"
#include "conf/conf_priv.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conf_errors errs = {STRBUF_INIT, 0};
	struct strbuf plan = STRBUF_INIT;
	struct conf *c = conf_yaml_parse("f", (const char *)data, size, &errs), *copy;

	if ((c == NULL) != (errs.n > 0))
		abort();
	if (c != NULL) {
		copy = conf_dup(c);
		conf_unref(&c);
		conf_describe(copy, &plan);
		for (size_t i = 0; i < copy->nmodels; i++) {
			char **argv = conf_argv(copy->models[i]->argv, 1, 1, copy->models[i]->id);

			if (conf_find(copy, copy->models[i]->id) != copy->models[i])
				abort();
			strv_free(&argv);
		}
		strbuf_fini(&plan);
		conf_unref(&copy);
	}
	conf_errors_fini(&errs);
	return 0;
}
