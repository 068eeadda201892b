/* SPDX-License-Identifier: ISC
 * The table of engine kinds, and how a kind is told from a command or a model path. */
#include "conf/conf_kind.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/compat.h"

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})
#define PYTHON_ERROR "^([A-Za-z_]+\\.)*[A-Za-z_]*(Error|Exception|NotFound)(: |$)"
#define PYTHON_PATH "([A-Za-z_0-9]+\\.)*"
/* How the lines of each begin. */
#define LOGGED "^([0-9][-0-9 :,.]* - )?"
#define LLAMA_LOG "^([0-9.]+ [A-Z] )?"
#define VLLM_LOG "^(\\([A-Za-z_0-9]+ pid=[0-9]+\\) )?"
#define PYTHON_NO_MODULE "No module named '?(mlx_lm|mlx|vllm)", "ModuleNotFoundError: "

const struct conf_kind conf_kinds[] = {
	{
		.name = "mlx_lm",
		.label = "mlx_lm.server",
		.short_label = "mlx",
		/* Exactly the host engine's that mai replaces, so that logs and habits stay. */
		.command = "${PYTHON} -m mlx_lm.server --model ${MODEL} --host 127.0.0.1 --port ${PORT} "
			   "--max-tokens ${MAX_TOKENS} --log-level INFO",
		.check_path = "/v1/models",
		/* Its HTTP side answers 200 while the model still loads and after its generation thread died. */
		.canary = true,
		.upstream_model = "default_model",
		.keep_alive = false,
		.install = "python3 -m pip install mlx-lm",
		.progress = LIST("Fetching [0-9]+ files: +([0-9]+)%", "Downloading .*: +([0-9]+)%"),
		.cause = LIST("\\[METAL\\] Command buffer execution failed", "\\[metal::malloc\\]",
		    "Address already in use", PYTHON_NO_MODULE, "Repo id must be", "RepositoryNotFoundError",
		    "No safetensors found", "Model type .* not supported", "generation thread died: .",
		    PYTHON_ERROR, "terminating due to uncaught exception", " - (ERROR|CRITICAL) - ",
		    "^mlx_lm\\.server: error: ", "[Ee]rror"),
		/* Begun where its own words begin: at other levels its log may hold what a client wrote. */
		.fatal = LIST("^Exception in thread .*_generate", "^Exception in thread Thread-[0-9]+:",
		    LOGGED "(ERROR|CRITICAL) - .*generation thread died",
		    "^(libc\\+\\+abi: .*|" PYTHON_PATH "[A-Za-z]+: )?\\[METAL\\] Command buffer execution failed",
		    "^OSError: \\[Errno (48|98)\\] Address already in use"),
		.permanent = LIST("Repo id must be in the form", "HFValidationError", "RepositoryNotFoundError",
		    "No safetensors found in", "Model type .* not supported",
		    "FileNotFoundError: .*(config\\.json|\\.safetensors)", "No module named '?(mlx_lm|mlx)"),
		.noise = LIST("\"GET /(health|v1/models) HTTP/1\\.[01]\" 200"),
		.work = LIST("Prompt processing progress: [0-9]+/[0-9]+"),
		.still = NULL,
	},
	{
		.name = "llama-server",
		.label = "llama-server",
		.short_label = "llama",
		.command = "llama-server -m ${MODEL} --host 127.0.0.1 --port ${PORT}",
		.check_path = "/health",
		.canary = false,
		.upstream_model = NULL,
		.keep_alive = true,
		.install = "brew install llama.cpp, or the llama.cpp package of the distribution",
		.progress = LIST("([0-9]+)% +\\([0-9]+ MB ?/", "^ *[Dd]ownloading.* ([0-9]+)%"),
		.cause = LIST("couldn't bind HTTP server socket", "invalid argument: ", "failed to open GGUF file",
		    "unknown model architecture", "invalid magic", "cudaMalloc failed|out of memory|OutOfMemory",
		    "failed to allocate", "CUDA error", "GGML_ASSERT", "error loading model:",
		    "failed to load model", "error while loading shared libraries", "exiting due to ",
		    "(^|[^a-z])error(:|[^a-z])"),
		.fatal = LIST(LLAMA_LOG "CUDA error", LLAMA_LOG "ggml_abort", LLAMA_LOG "GGML_ASSERT",
		    "^[^ ]+\\.[a-z]+:[0-9]+: (GGML_ASSERT|CUDA error|fatal error)",
		    "^terminate called after throwing"),
		.permanent = LIST("error: invalid argument", "failed to open GGUF file.*No such file",
		    "unknown model architecture", "invalid magic characters",
		    "error while loading shared libraries"),
		.noise = LIST("request: GET /(health|v1/health|slots|props) "),
		.work = LIST("prompt processing.*progress = ", "n_gen = .*tg = ", "n_decoded = "),
		.still = NULL,
	},
	{
		.name = "vllm",
		.label = "vLLM",
		.short_label = "vllm",
		.command = "vllm serve ${MODEL} --host 127.0.0.1 --port ${PORT}",
		.check_path = "/health",
		.canary = false,
		.upstream_model = NULL,
		.keep_alive = true,
		.install = "python3 -m pip install vllm",
		.progress = LIST("checkpoint shards: +([0-9]+)%", "Capturing CUDA graphs[^:]*: +([0-9]+)%",
		    "Fetching [0-9]+ files: +([0-9]+)%"),
		.cause = LIST("EngineDeadError", "CUDA out of memory|OutOfMemoryError", "Address already in use",
		    PYTHON_NO_MODULE, "RepositoryNotFoundError", "HFValidationError", PYTHON_ERROR,
		    "^ERROR ", "[Ee]rror: "),
		.fatal = LIST(VLLM_LOG "(ERROR [^]]*\\] )?" PYTHON_PATH "(Async)?EngineDeadError(: |$)",
		    VLLM_LOG "ERROR [^]]*\\] (EngineCore encountered a fatal error|AsyncLLM output_handler failed)",
		    VLLM_LOG "(ERROR [^]]*\\] )?" PYTHON_PATH "[A-Za-z]*Error: CUDA error: "),
		.permanent = LIST("RepositoryNotFoundError", "HFValidationError", "No module named '?vllm",
		    "vllm: error: "),
		.noise = LIST("\"GET /health HTTP/1\\.[01]\" 200"),
		.work = LIST("Avg prompt throughput: "),
		.still = LIST("Avg prompt throughput: 0\\.0 tokens/s, Avg generation throughput: 0\\.0 tokens/s"),
	},
	{
		.name = "custom",
		.label = "command",
		.short_label = "-",
		.command = NULL,
		.check_path = "/health",
		.canary = false,
		.upstream_model = NULL,
		.keep_alive = true,
		.install = NULL,
		.progress = NULL,
		.cause = LIST("Address already in use", PYTHON_ERROR, "^panic: ", "[Ff]atal( error)?:", "[Ee]rror"),
		.fatal = NULL,
		.permanent = NULL,
		.noise = NULL,
		.work = NULL,
		.still = NULL,
	},
};
const size_t conf_nkinds = ARRAY_LEN(conf_kinds);

const struct conf_kind *
conf_kind_find(const char *name)
{
	for (size_t i = 0; name != NULL && i < conf_nkinds; i++)
		if (strcasecmp(conf_kinds[i].name, name) == 0)
			return &conf_kinds[i];
	/* What people also write. */
	if (name != NULL && (strcasecmp(name, "mlx") == 0 || strcasecmp(name, "mlx-lm") == 0 ||
	    strcasecmp(name, "mlx_lm.server") == 0))
		return conf_kind_find("mlx_lm");
	if (name != NULL && (strcasecmp(name, "llama") == 0 || strcasecmp(name, "llama.cpp") == 0))
		return conf_kind_find("llama-server");
	return NULL;
}

static const char *
base_name(const char *word)
{
	const char *slash = strrchr(word, '/');

	return slash == NULL ? word : slash + 1;
}

static bool
starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* Programs that run another one given among their arguments. */
static bool
is_wrapper(const char *name)
{
	static const char *const wrappers[] = {"env", "uv", "uvx", "pipx", "poetry", "conda", "mamba", "nice", "ionice",
	    "nohup", "time", "timeout", "setsid", "stdbuf", "numactl", "taskset", "chrt", "sudo", "doas", "exec",
	    "caffeinate", "systemd-run", "docker", "podman", "nerdctl", "ssh", "kubectl", "mlx.launch"};

	for (size_t i = 0; i < ARRAY_LEN(wrappers); i++)
		if (strcmp(name, wrappers[i]) == 0)
			return true;
	return false;
}

static const char *
kind_of_module(const char *module, const char *next)
{
	if (strcmp(module, "mlx_lm.server") == 0)
		return "mlx_lm";
	if (strcmp(module, "mlx_lm") == 0 && next != NULL && strcmp(next, "server") == 0)
		return "mlx_lm";
	return starts(module, "vllm.entrypoints") ? "vllm" : NULL;
}

/* The kind whose program the word is; next is the word behind it. */
static const char *
kind_of_program(const char *word, const char *next)
{
	const char *name = base_name(word);

	if (strcmp(name, "mlx_lm.server") == 0)
		return "mlx_lm";
	if (strcmp(name, "mlx_lm") == 0 && next != NULL && strcmp(next, "server") == 0)
		return "mlx_lm";
	if (strcmp(name, "llama-server") == 0 || strcmp(name, "llama-server.exe") == 0 ||
	    starts(name, "llama.cpp:server"))
		return "llama-server";
	if (strcmp(name, "vllm") == 0 && next != NULL && strcmp(next, "serve") == 0)
		return "vllm";
	return starts(name, "vllm-openai") ? "vllm" : NULL;
}

/* python -m MODULE, or python /venv/bin/mlx_lm.server; words stand behind the interpreter. */
static const char *
kind_of_python(char *const *words)
{
	for (size_t i = 0; words[i] != NULL; i++) {
		if (strcmp(words[i], "-m") == 0)
			return words[i + 1] == NULL ? NULL : kind_of_module(words[i + 1], words[i + 2]);
		if (starts(words[i], "-m"))
			return kind_of_module(words[i] + 2, words[i + 1]);
		if (words[i][0] != '-')
			return kind_of_program(words[i], words[i + 1]);
		if (strcmp(words[i], "-X") == 0 || strcmp(words[i], "-W") == 0) {
			if (words[++i] == NULL)
				return NULL;
		}
	}
	return NULL;
}

static const char *
kind_of_command(char *const *argv)
{
	bool wrapped = false;

	for (size_t i = 0; argv[i] != NULL; i++) {
		const char *kind = kind_of_program(argv[i], argv[i + 1]);

		if (kind != NULL)
			return kind;
		if (starts(base_name(argv[i]), "python"))
			kind = kind_of_python(argv + i + 1);
		if (kind != NULL)
			return kind;
		if (is_wrapper(base_name(argv[i])))
			wrapped = true;
		else if (!wrapped)
			return NULL;
	}
	return NULL;
}

static bool
ends(const char *s, const char *tail)
{
	size_t n = strlen(s), m = strlen(tail);

	return n >= m && strcasecmp(s + n - m, tail) == 0;
}

/* Of a directory: weights of llama.cpp only, when nothing says that it is an MLX one. */
static bool
only_gguf(const char *dir)
{
	DIR *d = opendir(dir);
	bool gguf = false, other = false;

	for (struct dirent *de; d != NULL && (de = readdir(d)) != NULL;) {
		gguf = gguf || ends(de->d_name, ".gguf");
		other = other || strcmp(de->d_name, "config.json") == 0 || ends(de->d_name, ".safetensors");
	}
	if (d != NULL)
		closedir(d);
	return gguf && !other;
}

static const char *
kind_of_model(const char *model)
{
	struct stat st;

	if (ends(model, ".gguf"))
		return "llama-server";
	if (stat(model, &st) == 0) {
		if (S_ISDIR(st.st_mode))
			return only_gguf(model) ? "llama-server" : "mlx_lm";
		return "custom";
	}
	/* A repository that says so in its name: org/Model-GGUF, org/Model-GGUF:Q4_K_M. */
	for (const char *p = model; *p != '\0'; p++)
		if (strncasecmp(p, "-gguf", 5) == 0 && (p[5] == '\0' || p[5] == ':'))
			return "llama-server";
	return "mlx_lm";
}

const struct conf_kind *
conf_kind_guess(const char *model, char *const *argv)
{
	const char *name = NULL;

	if (argv != NULL && argv[0] != NULL)
		name = kind_of_command(argv);
	else if (model != NULL)
		name = kind_of_model(model);
	return conf_kind_find(name == NULL ? "custom" : name);
}
