/* SPDX-License-Identifier: ISC
 * UTF-8, cell widths, cutting, and human units. */
#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compat.h"

struct range {
	uint32_t first, last;
};

/* Characters that occupy no cell of their own: marks of the scripts that terminals meet. */
static const struct range combining[] = {
	{0x0300, 0x036f}, {0x0483, 0x0489}, {0x0591, 0x05bd}, {0x05bf, 0x05bf}, {0x05c1, 0x05c2},
	{0x05c4, 0x05c5}, {0x0610, 0x061a}, {0x064b, 0x065f}, {0x0670, 0x0670}, {0x06d6, 0x06dc},
	{0x06df, 0x06e4}, {0x06e7, 0x06e8}, {0x06ea, 0x06ed}, {0x0711, 0x0711}, {0x0730, 0x074a},
	{0x0900, 0x0902}, {0x093a, 0x093a}, {0x093c, 0x093c}, {0x0941, 0x0948}, {0x094d, 0x094d},
	{0x0951, 0x0957}, {0x0e31, 0x0e31}, {0x0e34, 0x0e3a}, {0x0e47, 0x0e4e}, {0x1ab0, 0x1aff},
	{0x1dc0, 0x1dff}, {0x200b, 0x200f}, {0x202a, 0x202e}, {0x2060, 0x2064}, {0x2066, 0x206f},
	{0x20d0, 0x20f0}, {0x302a, 0x302d}, {0x3099, 0x309a}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f},
	{0xfeff, 0xfeff}, {0xe0001, 0xe007f}, {0xe0100, 0xe01ef},
};

/* Wide ones (Unicode East Asian Width W and F, and emoji shown as pictures). */
static const struct range wide[] = {
	{0x1100, 0x115f}, {0x231a, 0x231b}, {0x2329, 0x232a}, {0x23e9, 0x23ec}, {0x23f0, 0x23f0},
	{0x23f3, 0x23f3}, {0x25fd, 0x25fe}, {0x2614, 0x2615}, {0x2648, 0x2653}, {0x267f, 0x267f},
	{0x2693, 0x2693}, {0x26a1, 0x26a1}, {0x26aa, 0x26ab}, {0x26bd, 0x26be}, {0x26c4, 0x26c5},
	{0x26ce, 0x26ce}, {0x26d4, 0x26d4}, {0x26ea, 0x26ea}, {0x26f2, 0x26f3}, {0x26f5, 0x26f5},
	{0x26fa, 0x26fa}, {0x26fd, 0x26fd}, {0x2705, 0x2705}, {0x270a, 0x270b}, {0x2728, 0x2728},
	{0x274c, 0x274c}, {0x274e, 0x274e}, {0x2753, 0x2755}, {0x2757, 0x2757}, {0x2795, 0x2797},
	{0x27b0, 0x27b0}, {0x27bf, 0x27bf}, {0x2b1b, 0x2b1c}, {0x2b50, 0x2b50}, {0x2b55, 0x2b55},
	{0x2e80, 0x303e}, {0x3041, 0x33ff}, {0x3400, 0x4dbf}, {0x4e00, 0x9fff}, {0xa000, 0xa4cf},
	{0xa960, 0xa97f}, {0xac00, 0xd7a3}, {0xf900, 0xfaff}, {0xfe10, 0xfe19}, {0xfe30, 0xfe6f},
	{0xff00, 0xff60}, {0xffe0, 0xffe6}, {0x1f004, 0x1f004}, {0x1f0cf, 0x1f0cf}, {0x1f18e, 0x1f18e},
	{0x1f191, 0x1f19a}, {0x1f200, 0x1f320}, {0x1f32d, 0x1f335}, {0x1f337, 0x1f37c},
	{0x1f37e, 0x1f393}, {0x1f3a0, 0x1f3ca}, {0x1f3cf, 0x1f3d3}, {0x1f3e0, 0x1f3f0},
	{0x1f3f4, 0x1f3f4}, {0x1f3f8, 0x1f43e}, {0x1f440, 0x1f440}, {0x1f442, 0x1f4fc},
	{0x1f4ff, 0x1f53d}, {0x1f54b, 0x1f54e}, {0x1f550, 0x1f567}, {0x1f57a, 0x1f57a},
	{0x1f595, 0x1f596}, {0x1f5a4, 0x1f5a4}, {0x1f5fb, 0x1f64f}, {0x1f680, 0x1f6c5},
	{0x1f6cc, 0x1f6cc}, {0x1f6d0, 0x1f6d2}, {0x1f6d5, 0x1f6d7}, {0x1f6dc, 0x1f6df},
	{0x1f6eb, 0x1f6ec}, {0x1f6f4, 0x1f6fc}, {0x1f7e0, 0x1f7eb}, {0x1f7f0, 0x1f7f0},
	{0x1f90c, 0x1f93a}, {0x1f93c, 0x1f945}, {0x1f947, 0x1f9ff}, {0x1fa70, 0x1faff},
	{0x20000, 0x3fffd},
};

static bool
in_ranges(const struct range *r, size_t n, uint32_t cp)
{
	size_t lo = 0, hi = n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (cp > r[mid].last)
			lo = mid + 1;
		else if (cp < r[mid].first)
			hi = mid;
		else
			return true;
	}
	return false;
}

int
text_cp_width(uint32_t cp)
{
	if (cp < 0x20 || (cp >= 0x7f && cp < 0xa0))
		return -1;
	if (cp < 0x300)
		return 1;
	if (in_ranges(combining, ARRAY_LEN(combining), cp))
		return 0;
	return in_ranges(wide, ARRAY_LEN(wide), cp) ? 2 : 1;
}

size_t
text_utf8(const char *s, size_t n, uint32_t *cp)
{
	const unsigned char *p = (const unsigned char *)s;
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t len;
	uint32_t c;

	if (p[0] < 0x80) {
		*cp = p[0];
		return 1;
	}
	if (p[0] >= 0xc2 && p[0] < 0xe0) {
		len = 2;
		c = p[0] & 0x1fu;
	} else if (p[0] >= 0xe0 && p[0] < 0xf0) {
		len = 3;
		c = p[0] & 0x0fu;
	} else if (p[0] >= 0xf0 && p[0] < 0xf5) {
		len = 4;
		c = p[0] & 0x07u;
	} else {
		return 0;
	}
	if (len > n)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3fu);
	}
	if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return 0;
	*cp = c;
	return len;
}

size_t
text_put_utf8(char *out, uint32_t cp)
{
	if (cp < 0x80) {
		out[0] = (char)cp;
		return 1;
	}
	if (cp < 0x800) {
		out[0] = (char)(0xc0 | cp >> 6);
		out[1] = (char)(0x80 | (cp & 0x3f));
		return 2;
	}
	if (cp < 0x10000) {
		out[0] = (char)(0xe0 | cp >> 12);
		out[1] = (char)(0x80 | (cp >> 6 & 0x3f));
		out[2] = (char)(0x80 | (cp & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | cp >> 18);
	out[1] = (char)(0x80 | (cp >> 12 & 0x3f));
	out[2] = (char)(0x80 | (cp >> 6 & 0x3f));
	out[3] = (char)(0x80 | (cp & 0x3f));
	return 4;
}

int
text_hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* One character of a string that should be valid UTF-8; a stray byte counts as one cell. */
static size_t
next_char(const char *s, size_t n, int *width)
{
	uint32_t cp;
	size_t len = text_utf8(s, n, &cp);

	if (len == 0) {
		*width = 1;
		return 1;
	}
	*width = text_cp_width(cp);
	if (*width < 0)
		*width = 1;
	return len;
}

int
text_width(const char *s)
{
	size_t n = strlen(s);
	int total = 0, w;

	for (size_t i = 0; i < n;) {
		i += next_char(s + i, n - i, &w);
		total += w;
	}
	return total;
}

/* Copies characters of s[0..n) while they fit into cols columns and the buffer; a wide one at the edge becomes a blank.
 * Returns the columns written. */
static int
copy_cols(char *out, size_t size, size_t *used, const char *s, size_t n, int cols)
{
	int done = 0, w;

	for (size_t i = 0; i < n;) {
		size_t len = next_char(s + i, n - i, &w);

		if (done + w > cols) {
			if (done < cols && *used + 1 < size) {
				out[(*used)++] = ' ';
				done++;
			}
			break;
		}
		if (*used + len >= size)
			break;
		memcpy(out + *used, s + i, len);
		*used += len;
		done += w;
		i += len;
	}
	out[*used] = '\0';
	return done;
}

/* Where the last cols columns of s begin; *got: how many columns they are (a wide one that straddles is left out). */
static size_t
tail_start(const char *s, int cols, int *got)
{
	size_t n = strlen(s), i = 0;
	int left = text_width(s), w;

	while (i < n && left > cols) {
		i += next_char(s + i, n - i, &w);
		left -= w;
	}
	/* A mark without its character has no business there. */
	while (i < n) {
		size_t len = next_char(s + i, n - i, &w);

		if (w != 0)
			break;
		i += len;
	}
	*got = left;
	return i;
}

int
text_clip_end(char *out, size_t size, const char *s, int cols, const char *ell)
{
	size_t used = 0;
	int ew = text_width(ell), done;

	if (size == 0)
		return 0;
	out[0] = '\0';
	if (cols <= 0)
		return 0;
	if (text_width(s) <= cols)
		return copy_cols(out, size, &used, s, strlen(s), cols);
	if (ew >= cols)
		return copy_cols(out, size, &used, s, strlen(s), cols);
	done = copy_cols(out, size, &used, s, strlen(s), cols - ew);
	return done + copy_cols(out, size, &used, ell, strlen(ell), ew);
}

int
text_clip_middle(char *out, size_t size, const char *s, int cols, const char *ell)
{
	size_t used = 0, from;
	int ew = text_width(ell), head, tail, got, done;

	if (size == 0)
		return 0;
	out[0] = '\0';
	if (cols <= 0)
		return 0;
	if (text_width(s) <= cols || ew + 2 > cols)
		return text_clip_end(out, size, s, cols, "");
	head = (cols - ew + 1) / 2;
	tail = cols - ew - head;
	done = copy_cols(out, size, &used, s, strlen(s), head);
	done += copy_cols(out, size, &used, ell, strlen(ell), ew);
	from = tail_start(s, tail, &got);
	return done + copy_cols(out, size, &used, s + from, strlen(s + from), got);
}

int
text_clip_start(char *out, size_t size, const char *s, int cols, const char *ell)
{
	size_t used = 0, from;
	int ew = text_width(ell), got, done;

	if (size == 0)
		return 0;
	out[0] = '\0';
	if (cols <= 0)
		return 0;
	if (text_width(s) <= cols || ew >= cols)
		return text_clip_end(out, size, s, cols, "");
	done = copy_cols(out, size, &used, ell, strlen(ell), ew);
	from = tail_start(s, cols - ew, &got);
	return done + copy_cols(out, size, &used, s + from, strlen(s + from), got);
}

static void
scaled(char *out, size_t size, double v, double base, const char *units)
{
	int u = 0;

	while (v >= base && units[u + 1] != '\0') {
		v /= base;
		u++;
	}
	if (u == 0)
		snprintf(out, size, "%.0f%s", v, units[0] == ' ' ? "" : (char[2]){units[0], 0});
	else if (v < 99.95 && !(units[0] == ' ' && v >= 9.95))
		snprintf(out, size, "%.1f%c", v, units[u]);
	else
		snprintf(out, size, "%.0f%c", v, units[u]);
}

void
text_size(char *out, size_t size, uint64_t bytes)
{
	scaled(out, size, (double)bytes, 1024, "BKMGTP");
}

void
text_count(char *out, size_t size, uint64_t n)
{
	if (n < 2000)
		snprintf(out, size, "%llu", (unsigned long long)n);
	else
		scaled(out, size, (double)n, 1000, " kMGTP");
}

void
text_duration(char *out, size_t size, uint64_t ms, bool tenths)
{
	unsigned long long s = ms / 1000, m = s / 60, h = m / 60, d = h / 24;

	if (s < 10 && tenths)
		snprintf(out, size, "%llu.%llus", s, (unsigned long long)(ms % 1000) / 100);
	else if (m == 0)
		snprintf(out, size, "%llus", s);
	else if (h == 0)
		snprintf(out, size, "%llum%02llus", m, s % 60);
	else if (d == 0)
		snprintf(out, size, "%lluh%02llum%02llus", h, m % 60, s % 60);
	else
		snprintf(out, size, "%llud%02lluh", d, h % 24);
}

struct unit {
	const char *name;
	double factor;
};

static int
parse_unit(const char *s, const struct unit *units, size_t n, double *out)
{
	char *end;
	double v;

	while (isspace((unsigned char)*s))
		s++;
	if (!isdigit((unsigned char)*s) && *s != '.')
		return -1;
	if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X'))
		return -1;
	errno = 0;
	v = strtod(s, &end);
	if (errno != 0 || !isfinite(v) || end == s)
		return -1;
	while (isspace((unsigned char)*end))
		end++;
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(units[i].name);
		size_t k = 0;

		while (k < len && tolower((unsigned char)end[k]) == units[i].name[k])
			k++;
		if (k != len)
			continue;
		while (isspace((unsigned char)end[k]))
			k++;
		if (end[k] != '\0')
			continue;
		v *= units[i].factor;
		if (v > 9e15)
			return -1;
		*out = v;
		return 0;
	}
	return -1;
}

int
text_parse_duration(const char *s, uint64_t *ms)
{
	static const struct unit units[] = {
		{"ms", 1}, {"s", 1e3}, {"sec", 1e3}, {"m", 60e3}, {"min", 60e3}, {"h", 3600e3},
		{"d", 86400e3}, {"", 1e3},
	};
	double v;

	if (parse_unit(s, units, ARRAY_LEN(units), &v) < 0)
		return -1;
	*ms = (uint64_t)(v + 0.5);
	return 0;
}

int
text_parse_size(const char *s, uint64_t *bytes)
{
	static const struct unit units[] = {
		{"kib", 1024.0}, {"mib", 1048576.0}, {"gib", 1073741824.0}, {"tib", 1099511627776.0},
		{"kb", 1e3}, {"mb", 1e6}, {"gb", 1e9}, {"tb", 1e12},
		{"k", 1024.0}, {"m", 1048576.0}, {"g", 1073741824.0}, {"t", 1099511627776.0},
		{"b", 1}, {"", 1},
	};
	double v;

	if (parse_unit(s, units, ARRAY_LEN(units), &v) < 0)
		return -1;
	*bytes = (uint64_t)(v + 0.5);
	return 0;
}

int
text_distance(const char *a, const char *b, int max)
{
	int row[65];
	size_t na = strlen(a), nb = strlen(b);

	if (na > 64 || nb > 64)
		return max + 1;
	for (size_t j = 0; j <= nb; j++)
		row[j] = (int)j;
	for (size_t i = 1; i <= na; i++) {
		int diag = row[0];

		row[0] = (int)i;
		for (size_t j = 1; j <= nb; j++) {
			int same = tolower((unsigned char)a[i - 1]) == tolower((unsigned char)b[j - 1]);
			int best = diag + !same;

			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			diag = row[j];
			row[j] = best;
		}
	}
	return row[nb] > max ? max + 1 : row[nb];
}
