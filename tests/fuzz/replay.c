/* SPDX-License-Identifier: ISC
 * The main of a fuzz target without libFuzzer: runs each file, and each file of each directory,
 * once. Options are passed over, so that the same command line serves both. */
#include <dirent.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz.h"

static int nfiles;

static bool
run_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data = NULL;
	struct stat st;
	size_t n = 0;
	bool ok = false;

	if (f == NULL || fstat(fileno(f), &st) != 0 || st.st_size < 0)
		goto out;
	/* Of exactly this size: a read behind it is seen. */
	data = malloc(st.st_size == 0 ? 1 : (size_t)st.st_size);
	if (data == NULL)
		goto out;
	n = fread(data, 1, (size_t)st.st_size, f);
	if (n != (size_t)st.st_size)
		goto out;
	LLVMFuzzerTestOneInput(data, n);
	nfiles++;
	ok = true;
out:
	if (!ok)
		perror(path);
	free(data);
	if (f != NULL)
		fclose(f);
	return ok;
}

static bool
run_dir(const char *path, DIR *d)
{
	struct dirent *e;
	char file[4096];
	bool ok = true;

	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(file, sizeof(file), "%s/%s", path, e->d_name);
		ok = run_file(file) && ok;
	}
	closedir(d);
	return ok;
}

int
main(int argc, char **argv)
{
	bool ok = true;

	for (int i = 1; i < argc; i++) {
		DIR *d;

		if (argv[i][0] == '-')
			continue;
		d = opendir(argv[i]);
		ok = (d != NULL ? run_dir(argv[i], d) : run_file(argv[i])) && ok;
	}
	printf("%d inputs\n", nfiles);
	return ok && nfiles > 0 ? 0 : 1;
}
