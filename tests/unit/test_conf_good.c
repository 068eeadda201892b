/* SPDX-License-Identifier: ISC
 * Every file of tests/conf/good is taken, and the plan with its warnings and notes is exactly FILE.expect; also of a copy.
 * UPDATE=1 writes them anew. */
#include "unit.h"

#include <dirent.h>

#include "base/json.h"
#include "base/xmalloc.h"
#include "conf/conf_priv.h"

static int
read_all(const char *path, struct strbuf *out)
{
	FILE *f = fopen(path, "r");
	char buf[4096];
	size_t n;

	if (f == NULL)
		return -1;
	while ((n = fread(buf, 1, sizeof(buf), f)) > 0)
		strbuf_add(out, buf, n);
	fclose(f);
	return 0;
}

/* Lines over 80 columns are of one word that is that long. */
static void
check_width(const char *name, const char *text)
{
	while (*text != '\0') {
		size_t n = strcspn(text, "\n"), in = strspn(text, " ");
		size_t label = strncmp(text, "warning: ", 9) == 0 ? 9 : in;

		if (n > 80 && memchr(text + label, ' ', n - label) != NULL)
			fail_msg("%s: longer than 80: %.*s", name, (int)n, text);
		text += n + (text[n] == '\n');
	}
}

/* What nothing acts on yet changes from day to day, and is not what these files are for. */
static void
drop_not_yet(struct conf *c)
{
	char **kept = NULL;

	for (char **w = c->warnings; w != NULL && *w != NULL; w++)
		if (strstr(*w, "is not used yet") == NULL)
			strv_add(&kept, *w);
	strv_free(&c->warnings);
	c->warnings = kept;
}

static void
check_one(const char *dir, const char *name)
{
	struct strbuf text = STRBUF_INIT, expect = STRBUF_INIT, got = STRBUF_INIT, json = STRBUF_INIT;
	struct conf_errors errs = {STRBUF_INIT, 0};
	struct jsonw w = JSONW(&json);
	struct err e = {""};
	char path[512];
	struct conf *c, *copy;
	cJSON *v;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(read_all(path, &text), 0);
	c = conf_yaml_parse("/etc/mai.yaml", strbuf_str(&text), text.len, &errs);
	if (c == NULL)
		fail_msg("%s: %s", name, strbuf_str(&errs.text));
	copy = conf_dup(c);
	conf_unref(&c);
	drop_not_yet(copy);
	conf_describe(copy, &got);
	conf_describe_list("note: ", copy->notes, &got);
	snprintf(path, sizeof(path), "%s/%.*s.expect", dir, (int)(strlen(name) - 5), name);
	if (getenv("UPDATE") != NULL) {
		FILE *f = fopen(path, "w");

		assert_non_null(f);
		fputs(strbuf_str(&got), f);
		fclose(f);
	}
	assert_int_equal(read_all(path, &expect), 0);
	if (strcmp(strbuf_str(&got), strbuf_str(&expect)) != 0)
		fail_msg("%s:\n%swanted:\n%s", name, strbuf_str(&got), strbuf_str(&expect));
	check_width(name, strbuf_str(&got));
	conf_plan_json(copy, &w);
	v = json_parse(json.p, json.len, &e);
	assert_non_null(v);
	assert_int_equal(json_int(v, "maxLoaded", 0), copy->max_loaded);
	assert_int_equal(cJSON_GetArraySize(json_get(v, "models")), copy->nmodels);
	cJSON_Delete(v);
	conf_unref(&copy);
	strbuf_fini(&text);
	strbuf_fini(&expect);
	strbuf_fini(&got);
	strbuf_fini(&json);
	conf_errors_fini(&errs);
}

static void
test_good_files(void **state)
{
	const char *dir = CONF_TESTS "/good";
	DIR *d = opendir(dir);
	int n = 0;

	(void)state;
	assert_non_null(d);
	for (struct dirent *de; (de = readdir(d)) != NULL;) {
		size_t len = strlen(de->d_name);

		if (len > 5 && strcmp(de->d_name + len - 5, ".yaml") == 0) {
			check_one(dir, de->d_name);
			n++;
		}
	}
	closedir(d);
	assert_true(n >= 9);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_files),
	};

	setenv("MAI_TEST_NUMBER", "42", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
