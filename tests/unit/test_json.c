/* SPDX-License-Identifier: ISC */
#include "unit.h"

#include <math.h>

#include "base/json.h"

static void
test_write(void **state)
{
	struct strbuf b = STRBUF_INIT;
	struct jsonw w = JSONW(&b);

	(void)state;
	jw_obj(&w);
	jw_kstr(&w, "a", "q\"\\\n\x01\xff\xe6\x97\xa5");
	jw_kint(&w, "i", -5);
	jw_knum(&w, "n", 1.5);
	jw_knum(&w, "z", 2.0);
	jw_knum(&w, "nan", NAN);
	jw_kbool(&w, "t", true);
	jw_key(&w, "l");
	jw_arr(&w);
	jw_int(&w, 1);
	jw_obj(&w);
	jw_obj_end(&w);
	jw_null(&w);
	jw_arr_end(&w);
	jw_kstr(&w, "none", NULL);
	jw_obj_end(&w);
	assert_streq(strbuf_str(&b), "{\"a\":\"q\\\"\\\\\\n\\u0001\xef\xbf\xbd\xe6\x97\xa5\",\"i\":-5,\"n\":1.5,"
	    "\"z\":2,\"nan\":null,\"t\":true,\"l\":[1,{},null],\"none\":null}");
	strbuf_fini(&b);
}

static void
test_read(void **state)
{
	const char *s = "{\"s\":\"x\",\"n\":3,\"b\":true,\"o\":{\"k\":1}} \n";
	struct err e = {{0}};
	cJSON *j = json_parse(s, strlen(s), &e);

	(void)state;
	assert_non_null(j);
	assert_streq(json_str(j, "s", "d"), "x");
	assert_streq(json_str(j, "n", "d"), "d");
	assert_int_equal(json_int(j, "n", 9), 3);
	assert_int_equal(json_int(j, "missing", 9), 9);
	assert_true(json_bool(j, "b", false));
	assert_int_equal(json_int(json_get(j, "o"), "k", 0), 1);
	assert_streq(json_str(NULL, "s", "d"), "d");
	cJSON_Delete(j);
	assert_null(json_parse("{\"a\":1} x", 9, &e));
	assert_true(e.msg[0] != '\0');
	assert_null(json_parse("{\"a\":", 5, &e));
	assert_null(json_parse("", 0, &e));
}

static void
test_strbuf_cap(void **state)
{
	struct strbuf b = {.max = 8};

	(void)state;
	strbuf_puts(&b, "12345");
	strbuf_puts(&b, "6789");
	assert_true(b.full);
	assert_streq(strbuf_str(&b), "12345");
	strbuf_printf(&b, "%d", 678);
	assert_streq(strbuf_str(&b), "12345678");
	strbuf_shift(&b, 3);
	assert_streq(strbuf_str(&b), "45678");
	strbuf_fini(&b);
	assert_streq(strbuf_str(&b), "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_strbuf_cap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
