/* SPDX-License-Identifier: ISC
 * Every file of tests/conf/bad is refused with exactly the messages that FILE.expect holds (without the file's name).
 * UPDATE=1 writes them anew. */
#include "unit.h"

#include <dirent.h>

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

/* "f:3:1: text" lines without "f:". */
static void
strip(const char *text, struct strbuf *out)
{
	while (*text != '\0') {
		const char *nl = strchr(text, '\n');

		assert_non_null(nl);
		assert_true(strncmp(text, "f:", 2) == 0);
		text += 2;
		strbuf_add(out, text, (size_t)(nl + 1 - text));
		text = nl + 1;
	}
}

static void
check_one(const char *dir, const char *name)
{
	struct strbuf text = STRBUF_INIT, expect = STRBUF_INIT, got = STRBUF_INIT;
	struct conf_errors errs = {STRBUF_INIT, 0};
	char path[512];
	struct conf *c;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(read_all(path, &text), 0);
	c = conf_yaml_parse("f", strbuf_str(&text), text.len, &errs);
	if (c != NULL)
		fail_msg("%s is accepted", name);
	assert_true(errs.n > 0);
	strip(strbuf_str(&errs.text), &got);
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
	strbuf_fini(&text);
	strbuf_fini(&expect);
	strbuf_fini(&got);
	conf_errors_fini(&errs);
}

static void
test_bad_files(void **state)
{
	const char *dir = CONF_TESTS "/bad";
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
	assert_true(n >= 100);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_files),
	};

	unsetenv("MAI_TEST_NOT_SET");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
