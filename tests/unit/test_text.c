/* SPDX-License-Identifier: ISC */
#include "unit.h"

#include "base/text.h"

static char *
clean(const char *s, size_t n, size_t max)
{
	struct strbuf b = STRBUF_INIT;

	text_clean(&b, s, n, max);
	return strbuf_take(&b);
}

static void
check(const char *in, const char *want)
{
	char *got = clean(in, strlen(in), 1000);

	assert_streq(got, want);
	free(got);
}

static void
test_clean(void **state)
{
	(void)state;
	check("plain text", "plain text");
	check("\033[31mred\033[0m", "red");
	check("\033]0;title\007x", "x");
	check("\033]52;c;AAAA\033\\x", "x");
	check("\033Pq...\033\\x", "x");
	check("\033_apc\033\\\033^pm\033\\\033Xsos\033\\x", "x");
	check("\033(Bx\033=y", "xy");
	check("a\tb", "a       b");
	check("a\001b\177", "a^Ab^?");
	check("x\033", "x^[");
	check("x\x9b" "31my", "xy");
	check("x\xc2\x9b" "31my", "xy");
	check("x\x9dno end", "x<9d>no end");
	check("x\x85y", "x<85>y");
	check("\xff\xfe", "<ff><fe>");
	check("\xe2\x80\xae" "evil", "<202e>evil");
	check("a\xe2\x80\x8b" "b", "a<200b>b");
	check("\xe2\x80\xa8", "<2028>");
	check("a\rEVIL", "EVIL");
	check("10%\r50%\r100%\r", "100%");
	check("e\xcc\x81\xcc\x81\xcc\x81", "e\xcc\x81\xcc\x81");
	check("\xe6\x97\xa5\xe6\x9c\xac", "\xe6\x97\xa5\xe6\x9c\xac");
	check("\xed\xa0\x80", "<ed><a0><80>");
	check("", "");
}

static void
test_clean_bounds(void **state)
{
	char big[20000], *got;
	size_t n;

	(void)state;
	memset(big, 'x', sizeof(big));
	got = clean(big, sizeof(big), 100);
	assert_int_equal(strlen(got), 103);
	free(got);
	/* A sequence that never ends is taken as ended after 4 KiB. */
	memcpy(big, "\033]0;", 4);
	got = clean(big, sizeof(big), 100000);
	n = strlen(got);
	assert_true(n > 15000 && n < 16000);
	free(got);
	/* Whatever comes in, what goes out is printable. */
	for (unsigned seed = 1; seed < 3000; seed++) {
		unsigned x = seed * 2654435761u;
		char in[64];

		for (size_t i = 0; i < sizeof(in); i++) {
			x = x * 1103515245u + 12345u;
			in[i] = (char)(x >> 16);
		}
		got = clean(in, sizeof(in), 1000);
		for (size_t i = 0; got[i] != '\0';) {
			uint32_t cp;
			size_t len = text_utf8(got + i, strlen(got + i), &cp);

			assert_true(len > 0);
			assert_true(text_cp_width(cp) >= 0);
			assert_true(cp != 0x202e && cp != 0x1b);
			i += len;
		}
		free(got);
	}
}

static void
test_width_and_clip(void **state)
{
	char out[64];

	(void)state;
	assert_int_equal(text_width("abc"), 3);
	assert_int_equal(text_width("\xe6\x97\xa5\xe6\x9c\xac"), 4);
	assert_int_equal(text_width("e\xcc\x81"), 1);
	assert_int_equal(text_clip_end(out, sizeof(out), "hello", 5, "~"), 5);
	assert_streq(out, "hello");
	assert_int_equal(text_clip_end(out, sizeof(out), "hello world", 6, "~"), 6);
	assert_streq(out, "hello~");
	/* A wide character at the edge becomes a blank. */
	assert_int_equal(text_clip_end(out, sizeof(out), "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", 4, "~"), 4);
	assert_streq(out, "\xe6\x97\xa5 ~");
	assert_int_equal(text_clip_middle(out, sizeof(out), "Qwen3-Coder-30B-A3B-Instruct-4bit", 11, "~"), 11);
	assert_streq(out, "Qwen3~-4bit");
	assert_int_equal(text_clip_start(out, sizeof(out), "/a/long/path/file", 9, "~"), 9);
	assert_streq(out, "~ath/file");
	assert_int_equal(text_clip_end(out, 4, "hello", 5, "~"), 3);
	assert_streq(out, "hel");
	assert_int_equal(text_clip_end(out, sizeof(out), "hello", 0, "~"), 0);
}

static void
test_units(void **state)
{
	char s[32];
	uint64_t v;

	(void)state;
	text_size(s, sizeof(s), 18683133952ull);
	assert_streq(s, "17.4G");
	text_size(s, sizeof(s), 512);
	assert_streq(s, "512B");
	text_count(s, sizeof(s), 1204);
	assert_streq(s, "1204");
	text_count(s, sizeof(s), 9214);
	assert_streq(s, "9.2k");
	text_count(s, sizeof(s), 31000);
	assert_streq(s, "31k");
	text_duration(s, sizeof(s), 3400, true);
	assert_streq(s, "3.4s");
	text_duration(s, sizeof(s), 31000, true);
	assert_streq(s, "31s");
	text_duration(s, sizeof(s), 201000, false);
	assert_streq(s, "3m21s");
	text_duration(s, sizeof(s), 8047000, false);
	assert_streq(s, "2h14m07s");
	text_duration(s, sizeof(s), 76ull * 3600 * 1000, false);
	assert_streq(s, "3d04h");
	assert_int_equal(text_parse_duration("10", &v), 0);
	assert_int_equal(v, 10000);
	assert_int_equal(text_parse_duration("1.5", &v), 0);
	assert_int_equal(v, 1500);
	assert_int_equal(text_parse_duration("250ms", &v), 0);
	assert_int_equal(v, 250);
	assert_int_equal(text_parse_duration("2h", &v), 0);
	assert_int_equal(v, 7200000);
	assert_int_equal(text_parse_duration("-1", &v), -1);
	assert_int_equal(text_parse_duration("1 week", &v), -1);
	assert_int_equal(text_parse_duration("", &v), -1);
	assert_int_equal(text_parse_duration("nan", &v), -1);
	assert_int_equal(text_parse_size("64MiB", &v), 0);
	assert_int_equal(v, 64 << 20);
	assert_int_equal(text_parse_size("10 MB", &v), 0);
	assert_int_equal(v, 10000000);
	assert_int_equal(text_parse_size("1g", &v), 0);
	assert_int_equal(v, 1 << 30);
	assert_int_equal(text_parse_size("x", &v), -1);
}

static void
test_distance(void **state)
{
	(void)state;
	assert_int_equal(text_distance("listen", "listen", 3), 0);
	assert_int_equal(text_distance("lisen", "listen", 3), 1);
	assert_int_equal(text_distance("LISTEN", "listen", 3), 0);
	assert_int_equal(text_distance("abc", "xyzuvw", 3), 4);
}

/* "at:color" of each, behind the text. */
static void
check_colors(const char *in, const char *want)
{
	struct text_color colors[TEXT_COLORS_MAX];
	struct strbuf b = STRBUF_INIT;
	size_t n;

	strbuf_puts(&b, "..");
	n = text_clean_colors(&b, in, strlen(in), 1000, colors);
	for (size_t i = 0; i < n; i++)
		strbuf_printf(&b, " %u:%u", (unsigned)colors[i].at, (unsigned)colors[i].color);
	assert_streq(strbuf_str(&b) + 2, want);
	strbuf_fini(&b);
}

static void
test_colors(void **state)
{
	struct text_color colors[TEXT_COLORS_MAX];
	struct strbuf in = STRBUF_INIT, out = STRBUF_INIT;

	(void)state;
	check_colors("plain", "plain");
	check_colors("\033[31mred\033[0m and \033[92mgreen\033[m.", "red and green. 0:1 3:16 8:10 13:16");
	check_colors("a\033[1;33;40mb\033[39mc", "abc 1:3 2:16");
	check_colors("\x9b" "34mx\xc2\x9b" "35my", "xy 0:4 1:5");
	/* Nothing that was not written, nothing said twice, none at the end. */
	check_colors("\033[31m\033[0mx\033[31my\033[31mz\033[0m", "xyz 1:1");
	check_colors("\033[31m\033[32mx", "x 0:2");
	/* Larger palettes, backgrounds and the rest are none of ours. */
	check_colors("\033[38;5;31mx", "x");
	check_colors("\033[31mx\033[38;2;1;2;3my\033[48;5;32mz", "xyz 0:1 1:16");
	check_colors("\033[41mx\033[1;4;7my\033[?31mz\033[>0;32ma\033[31:32mb\033[99999999931mc", "xyzabc");
	check_colors("\033[31;mx\033[;32my\033[31", "xy 1:2");
	/* What a redrawn line began with is gone with it. */
	check_colors("\033[31mold\r\033[32mnew", "new 0:2");
	check_colors("\033[31m\346\227\245\t.\033[0m\342\200\256", "日      .<202e> 0:1 10:16");
	for (int i = 0; i < 100; i++)
		strbuf_printf(&in, "\033[%dmx", 31 + i % 2);
	assert_int_equal(text_clean_colors(&out, strbuf_str(&in), in.len, 1000, colors), TEXT_COLORS_MAX);
	assert_int_equal(colors[TEXT_COLORS_MAX - 1].color, TEXT_COLOR_NONE);
	/* A cut line has none behind its end. */
	strbuf_clear(&out);
	assert_int_equal(text_clean_colors(&out, "abcdef\033[31mghi", 14, 3, colors), 0);
	assert_streq(strbuf_str(&out), "abc...");
	strbuf_fini(&in);
	strbuf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clean),
		cmocka_unit_test(test_clean_bounds),
		cmocka_unit_test(test_colors),
		cmocka_unit_test(test_width_and_clip),
		cmocka_unit_test(test_units),
		cmocka_unit_test(test_distance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
