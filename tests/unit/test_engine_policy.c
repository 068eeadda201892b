/* SPDX-License-Identifier: ISC */
#include "unit.h"

#include <errno.h>
#include <signal.h>

#include "engine/engine_policy.h"

#define EXITED(n) ((n) << 8)

static void
test_times(void **state)
{
	struct conf_model m = {.health_check_timeout = 30000, .start_timeout = 600000};

	(void)state;
	assert_int_equal(policy_backoff(1000, 60000, 1), 2000);
	assert_int_equal(policy_backoff(1000, 60000, 2), 4000);
	assert_int_equal(policy_backoff(1000, 60000, 3), 8000);
	assert_int_equal(policy_backoff(1000, 60000, 40), 60000);
	assert_int_equal(policy_backoff(0, 60000, 40), 0);
	assert_true(policy_backoff(1000, 0, 200) > 60000);
	assert_int_equal(policy_probe_delay(0), 4);
	assert_int_equal(policy_probe_delay(1000), 20);
	assert_int_equal(policy_probe_delay(10000), 200);
	assert_int_equal(policy_probe_delay(500000), 1000);
	assert_int_equal(policy_start_deadline(&m, 29999, 29999), DEADLINE_NONE);
	assert_int_equal(policy_start_deadline(&m, 40000, 30000), DEADLINE_QUIET);
	assert_int_equal(policy_start_deadline(&m, 600000, 0), DEADLINE_TOTAL);
	assert_int_equal(policy_deadline_in(&m, 100, 29900, 500), 100);
	assert_int_equal(policy_deadline_in(&m, 100, 0, 500), 500);
	m.external = true;
	assert_int_equal(policy_start_deadline(&m, 40000, 40000), DEADLINE_NONE);
	m.start_timeout = 0;
	assert_int_equal(policy_start_deadline(&m, 4000000, 4000000), DEADLINE_NONE);
	assert_int_equal(policy_deadline_in(&m, 100, 29900, 500), 500);
}

#define MIB ((uint64_t)1 << 20)

static void
test_settled(void **state)
{
	const struct policy_settle gone = {.held = 1000 * MIB, .before = 5000 * MIB};
	struct policy_settle s = gone;

	(void)state;
	/* It comes back bit by bit: nothing starts before nine tenths are there. */
	for (uint64_t t = 100; t <= 180; t += 20)
		assert_false(policy_settled(&s, t, 100, 0, 5000 * MIB + (t - 100) * 10 * MIB));
	assert_true(policy_settled(&s, 185, 100, 0, 5900 * MIB));
	/* At once where all is back, or there is room enough for the next one with something to spare. */
	s = gone;
	assert_true(policy_settled(&s, 100, 100, 0, 6000 * MIB));
	s = gone;
	assert_false(policy_settled(&s, 100, 100, 5000 * MIB, 5100 * MIB));
	assert_true(policy_settled(&s, 101, 100, 4000 * MIB, 5100 * MIB));
	/* Others took what came back: two samples agree, but none of before it was gone, and not within a blink. */
	s = gone;
	s.last = 5000 * MIB;
	s.last_at = 90;
	assert_false(policy_settled(&s, 100, 100, 0, 5000 * MIB));
	assert_false(policy_settled(&s, 105, 100, 0, 5000 * MIB));
	assert_true(policy_settled(&s, 110, 100, 0, 5010 * MIB));
	/* It never settles: not for ever. */
	s = gone;
	for (uint64_t t = 100; t < 2100; t += 10)
		assert_false(policy_settled(&s, t, 100, 0, (t / 10 % 2 != 0 ? 5000 : 5100) * MIB));
	assert_true(policy_settled(&s, 2100, 100, 0, 5000 * MIB));
	/* Little, or nothing known. */
	s.held = 16 * MIB;
	assert_true(policy_settled(&s, 100, 100, 0, 1));
	s = (struct policy_settle){.held = 1000 * MIB};
	assert_false(policy_settled(&s, 100, 100, 0, 5000 * MIB));
	assert_true(policy_settled(&s, 110, 100, 0, 5000 * MIB));
}

static void
test_alive(void **state)
{
	struct policy_use a = {100 << 20, 1000, 5000}, b = a;

	(void)state;
	assert_false(policy_alive(&a, &b, 500));
	b.cpu_ms += 20;		/* our own probes */
	assert_false(policy_alive(&a, &b, 500));
	b.cpu_ms += 200;
	assert_true(policy_alive(&a, &b, 500));
	assert_true(policy_works(&a, &b, 500));
	b = a;
	b.rss += 2 << 20;
	assert_true(policy_alive(&a, &b, 500));
	/* who forks or buffers a request does not work on it */
	assert_false(policy_works(&a, &b, 500));
	b = a;
	b.rss -= 2 << 20;
	assert_false(policy_alive(&a, &b, 500));
	b.read_bytes += 1 << 20;
	assert_true(policy_alive(&a, &b, 500));
}

/* One line each: what is known, and what follows. */
static void
test_stall(void **state)
{
#define ALL .timeout = 120000, .every = 15000, .inflight = 1, .trusted = true
	static const struct {
		struct policy_quiet q;
		enum policy_stall want;
	} table[] = {
		/* before the witness */
		{{ALL, .silent = 119999, .idle = 119999}, STALL_FINE},
		{{ALL, .silent = 120000, .idle = 105000}, STALL_ASK},
		{{ALL, .silent = 120000, .idle = 104999}, STALL_FINE},
		{{ALL, .silent = 1200000, .idle = 0}, STALL_FINE},	/* a long prefill at work */
		{{ALL, .silent = 120000, .idle = 0, .blind = true}, STALL_ASK},
		{{ALL, .silent = 119999, .idle = 0, .blind = true}, STALL_FINE},
		{{.timeout = 120000, .every = 15000, .silent = 500000, .idle = 500000}, STALL_FINE},	/* nothing in flight */
		{{.timeout = 120000, .every = 15000, .suspected = true}, STALL_ASK},
		{{.timeout = 1000, .every = 1000, .inflight = 1, .silent = 1000, .idle = 0}, STALL_FINE},	/* not looked at yet */
		{{.timeout = 1000, .every = 1000, .inflight = 1, .silent = 1000, .idle = 1}, STALL_ASK},
		/* never */
		{{.every = 1000, .inflight = 1, .silent = 9000000, .idle = 9000000, .suspected = true}, STALL_FINE},
		{{.every = 1000, .inflight = 1, .canary = CANARY_LATE, .asked = 90000, .trusted = true}, STALL_FINE},
		/* after it */
		{{ALL, .canary = CANARY_ANSWERED, .asked = 10}, STALL_ANEW},
		{{ALL, .canary = CANARY_LATE, .asked = 30000}, STALL_WEDGED},
		{{ALL, .canary = CANARY_LATE, .asked = 30000, .busy = true}, STALL_ANEW},
		{{ALL, .canary = CANARY_LATE, .asked = 30000, .busy = true, .blind = true}, STALL_WEDGED},
		{{ALL, .canary = CANARY_LATE, .asked = 30000, .worked = true}, STALL_ANEW},
		{{ALL, .canary = CANARY_LATE, .asked = 30000, .worked = true, .blind = true}, STALL_ANEW},
		{{ALL, .canary = CANARY_FAILED, .asked = 999}, STALL_ASK},
		{{ALL, .canary = CANARY_FAILED, .asked = 1000}, STALL_WEDGED},
		{{ALL, .canary = CANARY_FAILED, .asked = 1000, .busy = true}, STALL_ANEW},
		{{ALL, .suspected = true, .canary = CANARY_LATE, .asked = 30000}, STALL_ANEW},	/* the stall is judged by itself */
		{{.timeout = 120000, .suspected = true, .canary = CANARY_LATE, .asked = 30000, .trusted = true}, STALL_WEDGED},
		{{.timeout = 120000, .canary = CANARY_FAILED, .asked = 1000}, STALL_ANEW},	/* not trusted */
		{{.timeout = 120000, .canary = CANARY_LATE, .asked = 30000}, STALL_ANEW},
		/* its port is closed: no trust is needed */
		{{.timeout = 120000, .suspected = true, .closed = true, .canary = CANARY_FAILED, .asked = 999}, STALL_ASK},
		{{.timeout = 120000, .suspected = true, .closed = true, .canary = CANARY_FAILED, .asked = 1000}, STALL_WEDGED},
		{{.timeout = 120000, .suspected = true, .canary = CANARY_FAILED, .asked = 1000}, STALL_ANEW},
		/* but it may be on its way out, and finish what it has */
		{{.timeout = 120000, .inflight = 1, .suspected = true, .closed = true, .canary = CANARY_FAILED, .asked = 1000}, STALL_ANEW},
		{{ALL, .suspected = true, .closed = true, .canary = CANARY_FAILED, .asked = 1000, .busy = true}, STALL_ANEW},
		{{ALL, .suspected = true, .closed = true, .canary = CANARY_FAILED, .asked = 1000, .worked = true}, STALL_ANEW},
	};
	struct conf_model m = {.stall_timeout = 120000};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (policy_stall(&table[i].q) != table[i].want)
			fail_msg("line %zu: %d", i, (int)policy_stall(&table[i].q));
	assert_int_equal(policy_stall_every(120000), 15000);
	assert_int_equal(policy_stall_every(40000), 5000);
	assert_int_equal(policy_stall_every(1000), 1000);
	assert_int_equal(policy_canary_limit(&m), 30000);
	m.external = true;
	assert_int_equal(policy_canary_limit(&m), 120000);
	m.stall_timeout = 20;
	assert_int_equal(policy_canary_limit(&m), 1000);
}

static void
test_own_lines(void **state)
{
	(void)state;
	assert_true(policy_own_line("INFO: 127.0.0.1:5 - \"GET /health HTTP/1.1\" 200 OK", "/health"));
	assert_true(policy_own_line("GET /x then GET /v1/models?limit=1", "/v1/models"));
	assert_false(policy_own_line("127.0.0.1 - \"GET /healthy HTTP/1.1\" 200", "/health"));
	assert_false(policy_own_line("127.0.0.1 - \"POST /v1/completions HTTP/1.1\" 200", "/health"));
	assert_false(policy_own_line("GET /health", NULL));
}

static struct policy_verdict
judge(struct policy_end e)
{
	struct policy_verdict v;

	if (e.cause == NULL)
		e.cause = "";
	policy_judge(&e, &v);
	return v;
}

static void
test_judge(void **state)
{
	struct policy_verdict v;

	(void)state;
	v = judge((struct policy_end){.status = EXITED(1), .starting = true});
	assert_int_equal(v.kind, VERDICT_CRASH);
	assert_streq(v.text, "exit status 1");
	v = judge((struct policy_end){.status = EXITED(0), .was_ready = true});
	assert_int_equal(v.kind, VERDICT_CRASH);
	assert_streq(v.text, "exited 0 unexpectedly");
	v = judge((struct policy_end){.status = EXITED(2), .starting = true});
	assert_int_equal(v.kind, VERDICT_FATAL);
	assert_int_equal(v.reason, REASON_CONFIG);
	v = judge((struct policy_end){.status = EXITED(2), .was_ready = true});
	assert_int_equal(v.kind, VERDICT_CRASH);
	v = judge((struct policy_end){.status = SIGKILL});
	assert_streq(v.text, "SIGKILL, not by us (possible OOM)");
	assert_int_equal(v.kind, VERDICT_CRASH);
	v = judge((struct policy_end){.status = SIGSEGV});
	assert_streq(v.text, "SIGSEGV");
	v = judge((struct policy_end){.status = EXITED(127), .exec_errno = EACCES});
	assert_int_equal(v.kind, VERDICT_FATAL);
	assert_int_equal(v.reason, REASON_EXEC_FAILED);
	assert_non_null(strstr(v.text, "Permission denied"));
	v = judge((struct policy_end){.status = EXITED(127), .exec_errno = ENOENT, .bad_interpreter = true});
	assert_non_null(strstr(v.text, "interpreter"));
	v = judge((struct policy_end){.status = EXITED(127), .exec_errno = EAGAIN});
	assert_int_equal(v.kind, VERDICT_CRASH);
	v = judge((struct policy_end){.status = EXITED(1), .starting = true, .port_line = true});
	assert_int_equal(v.kind, VERDICT_FREE);
	v = judge((struct policy_end){.status = EXITED(1), .starting = true, .port_line = true, .repicks = 3});
	assert_int_equal(v.kind, VERDICT_CRASH);
	v = judge((struct policy_end){.status = EXITED(1), .starting = true, .port_line = true, .port_fixed = true});
	assert_int_equal(v.kind, VERDICT_FATAL);
	assert_int_equal(v.reason, REASON_PORT_BUSY);
	v = judge((struct policy_end){.status = EXITED(1), .starting = true, .permanent = REASON_MODEL_MISSING});
	assert_int_equal(v.kind, VERDICT_FATAL);
	assert_int_equal(v.reason, REASON_MODEL_MISSING);
	v = judge((struct policy_end){.status = SIGABRT, .cause = "libc++abi: Insufficient Memory (00000008)"});
	assert_int_equal(v.reason, REASON_OOM);
}

static char
level(const char *s)
{
	return policy_level(s, strlen(s));
}

static void
test_levels(void **state)
{
	(void)state;
	assert_int_equal(level("2026-01-01 10:00:00,123 - ERROR - generation thread died"), 'E');
	assert_int_equal(level("2026-01-01 10:00:00,123 - INFO - Starting httpd, no error at all"), ' ');
	assert_int_equal(level("0.00.489.804 I srv init: ready"), ' ');
	assert_int_equal(level("0.00.489.804 W srv init: slow"), 'W');
	assert_int_equal(level("0.00.489.804 E srv init: bad"), 'E');
	assert_int_equal(level("Traceback (most recent call last):"), 'E');
	assert_int_equal(level("ValueError: No safetensors found"), 'E');
	assert_int_equal(level("error: invalid argument: --x"), 'E');
	assert_int_equal(level("UserWarning: something"), 'W');
	assert_int_equal(level("I am fine"), ' ');
	assert_int_equal(level("terrors of the deep"), ' ');
	assert_int_equal(level(""), ' ');
}

static void
expect_literal(const char *re, const char *want)
{
	char got[48];

	policy_literal(re, got, sizeof(got));
	assert_streq(got, want);
}

static void
test_literals(void **state)
{
	(void)state;
	expect_literal("generation thread died", "generation thread died");
	expect_literal("Exception in thread .*_generate", "Exception in thread ");
	expect_literal("a|b", "");
	expect_literal("(abc|def) tail", " tail");
	expect_literal("\\[metal::malloc\\]", "[metal::malloc]");
	expect_literal("No module named '?(mlx|vllm)", "No module named ");
	expect_literal("x{0,3}yz", "yz");
	expect_literal("[^]a]bc+d", "bc");
	expect_literal("colou?r", "colo");
	expect_literal("", "");
}

static const char *
cause(const char *kind, const char *const *lines, size_t n)
{
	struct policy_patterns *p = policy_patterns_new(conf_kind_find(kind)->cause);
	const char *c = policy_cause(p, lines, n);

	policy_patterns_free(&p);
	return c;
}

static void
test_causes(void **state)
{
	static const char *const llama[] = {"0.00.1 I loading", "error loading model: failed to open GGUF file",
		"0.00.2 E srv load_model: failed to load model, '/x.gguf'", "exiting due to model loading error"};
	static const char *const plain[] = {"one", "Error: two", "three", ""};
	static const char *const dull[] = {"one", "two", ""};

	(void)state;
	assert_ptr_equal(cause("llama-server", llama, 4), llama[1]);
	assert_ptr_equal(policy_cause(NULL, plain, 4), plain[1]);
	assert_ptr_equal(policy_cause(NULL, dull, 3), dull[1]);
	assert_null(policy_cause(NULL, dull, 0));
}

/* Each pattern of each kind compiles, and its literal does not hide a match. */
static void
test_patterns(void **state)
{
	static const char *const fetch = "Fetching 9 files:  44%|####      | 4/9 [00:10<00:12]";
	struct policy_patterns *p = policy_patterns_new(conf_kind_find("mlx_lm")->progress);
	static const char *const two[] = {"([0-9]+) of ([0-9]+)", NULL}, *const bad[] = {"(", "ok", NULL};

	(void)state;
	assert_int_equal(policy_progress(p, fetch), 440);
	assert_int_equal(policy_progress(p, "Fetching nothing"), -1);
	policy_patterns_free(&p);
	p = policy_patterns_new(two);
	assert_int_equal(policy_progress(p, "loaded 3 of 4 shards"), 750);
	policy_patterns_free(&p);
	p = policy_patterns_new(bad);
	assert_int_equal(policy_match(p, "it is ok"), 0);
	policy_patterns_free(&p);
	p = policy_patterns_new(conf_kind_find("mlx_lm")->noise);
	assert_int_equal(policy_match(p, "127.0.0.1 - - [d] \"GET /v1/models HTTP/1.1\" 200 -"), 0);
	assert_int_equal(policy_match(p, "127.0.0.1 - - [d] \"POST /v1/chat/completions HTTP/1.1\" 200 -"), -1);
	policy_patterns_free(&p);
	assert_null(p);
	assert_true(policy_port_line("OSError: [Errno 98] Address already in use"));
	assert_int_equal(policy_permanent_reason("error: invalid argument: --x"), REASON_CONFIG);
	assert_int_equal(policy_permanent_reason("RepositoryNotFoundError"), REASON_MODEL_MISSING);
}

/* Words after which an engine that lives is as good as dead, as the real ones write them; and what clients may have written
 * into the same logs. */
static void
test_fatal_lines(void **state)
{
	static const struct {
		const char *kind, *line;
		bool fatal;
	} lines[] = {
		{"mlx_lm", "Exception in thread Thread-1 (_generate):", true},
		{"mlx_lm", "Exception in thread Thread-1:", true},
		{"mlx_lm", "2026-01-01 10:00:00,000 - ERROR - mlx_lm.server generation thread died: x", true},
		{"mlx_lm", "ERROR - mlx_lm.server generation thread died: x", true},
		{"mlx_lm", "libc++abi: terminating due to uncaught exception of type std::runtime_error: [METAL] Command buffer "
		    "execution failed: Caused GPU Timeout Error (00000002:kIOGPUCommandBufferCallbackErrorTimeout)", true},
		{"mlx_lm", "RuntimeError: [METAL] Command buffer execution failed: Insufficient Memory", true},
		{"mlx_lm", "OSError: [Errno 48] Address already in use", true},
		{"mlx_lm", "\t\"prompt\": \"ERROR - generation thread died\"", false},
		{"mlx_lm", "\t\"content\": \"Exception in thread Thread-1 (_generate):\"", false},
		{"mlx_lm", "Exception in thread Thread-3 (tqdm_monitor):", false},
		{"mlx_lm", "Exception occurred during processing of request from ('127.0.0.1', 5)", false},
		{"llama-server", "CUDA error: out of memory", true},
		{"llama-server", "0.12.345.678 E CUDA error: an illegal memory access was encountered", true},
		{"llama-server", "/src/ggml/src/ggml-cuda/ggml-cuda.cu:88: CUDA error", true},
		{"llama-server", "/src/ggml/src/ggml.c:1234: GGML_ASSERT(n_dims == 4) failed", true},
		{"llama-server", "0.12.345.678 D srv  log_server_r: request: {\"prompt\":\"CUDA error: x\"}", false},
		{"llama-server", "0.12.345.678 I srv  cancel task, id_task = 12", false},
		{"vllm", "vllm.v1.engine.exceptions.EngineDeadError: EngineCore encountered an issue.", true},
		{"vllm", "(APIServer pid=7) ERROR 11-27 10:00:00 [async_llm.py:480] vllm.v1.engine.exceptions.EngineDeadError: x",
		    true},
		{"vllm", "(EngineCore_0 pid=9) ERROR 11-27 10:00:00 [core.py:710] EngineCore encountered a fatal error.", true},
		{"vllm", "ERROR 11-27 10:00:00 [core.py:710] RuntimeError: CUDA error: device-side assert triggered", true},
		{"vllm", "INFO 11-27 10:00:00 [logger.py:43] Received request cmpl-1: prompt: 'EngineDeadError: CUDA error: '", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct policy_patterns *p = policy_patterns_new(conf_kind_find(lines[i].kind)->fatal);

		if ((policy_match(p, lines[i].line) >= 0) != lines[i].fatal)
			fail_msg("%s: %s", lines[i].kind, lines[i].line);
		policy_patterns_free(&p);
	}
}

static void
test_work_lines(void **state)
{
	static const char *const still = "INFO 11-27 10:00:00 Engine 000: Avg prompt throughput: 0.0 tokens/s, Avg generation "
		"throughput: 0.0 tokens/s, Running: 1 reqs, Waiting: 0 reqs";
	struct policy_patterns *mlx = policy_patterns_new(conf_kind_find("mlx_lm")->work);
	struct policy_patterns *llama = policy_patterns_new(conf_kind_find("llama-server")->work);
	struct policy_patterns *vllm = policy_patterns_new(conf_kind_find("vllm")->still);

	(void)state;
	assert_int_equal(policy_match(mlx, "2026-01-01 10:00:00,123 - INFO - Prompt processing progress: 2048/8192"), 0);
	assert_true(policy_match(llama, "slot update_slots: id  0 | task 12 | prompt processing, n_tokens = 4096, progress = 0.42, "
	    "t = 3.2 s / 1280 tokens per second") >= 0);
	assert_int_equal(policy_match(llama, "slot launch_slot_: id  0 | task 12 | processing task"), -1);
	assert_int_equal(policy_match(vllm, still), 0);
	assert_int_equal(policy_match(vllm, "Avg prompt throughput: 3.0 tokens/s, Avg generation throughput: 0.0 tokens/s"), -1);
	policy_patterns_free(&mlx);
	policy_patterns_free(&llama);
	policy_patterns_free(&vllm);
}

static void
test_missing_model(void **state)
{
	char dash_m[] = "-m", gone[] = "/nonexistent/x.gguf", hub[] = "org/model", here[] = "/";
	char *argv[] = {dash_m, gone, NULL};
	struct conf_model m = {.kind = conf_kind_find("llama-server"), .model = gone};

	(void)state;
	assert_streq(policy_missing_model(&m), gone);
	m.model = hub;
	assert_null(policy_missing_model(&m));
	m.model = here;
	assert_null(policy_missing_model(&m));
	m.model = NULL;
	m.argv = argv;
	assert_streq(policy_missing_model(&m), gone);
	assert_null(policy_model_path(&m));
	m.external = true;
	assert_null(policy_missing_model(&m));
	m.model = here;
	assert_streq(policy_model_path(&m), here);
}

static void
test_median(void **state)
{
	const uint64_t v[] = {9, 1, 5, 7};

	(void)state;
	assert_int_equal(policy_median(v, 0), 0);
	assert_int_equal(policy_median(v, 1), 9);
	assert_int_equal(policy_median(v, 3), 5);
	assert_int_equal(policy_median(v, 4), 6);
	assert_streq(policy_signal_name(SIGTERM), "SIGTERM");
	assert_non_null(strstr(policy_signal_name(63), "63"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_times), cmocka_unit_test(test_settled), cmocka_unit_test(test_alive), cmocka_unit_test(test_stall),
		cmocka_unit_test(test_own_lines), cmocka_unit_test(test_fatal_lines), cmocka_unit_test(test_work_lines),
		cmocka_unit_test(test_judge),
		cmocka_unit_test(test_levels), cmocka_unit_test(test_literals), cmocka_unit_test(test_causes),
		cmocka_unit_test(test_patterns), cmocka_unit_test(test_missing_model), cmocka_unit_test(test_median),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
