/* SPDX-License-Identifier: ISC
 * The events of a stream, in the words of the API that the path belongs to: as llama-server and mlx_lm.server write them. */
#include <stdlib.h>
#include <string.h>

#include "fake.h"

enum api { API_CHAT, API_TEXT, API_MESSAGES, API_RESPONSES, API_NATIVE };

static enum api
api_of(const struct fake_conn *c)
{
	static const struct { const char *path; enum api api; } paths[] = {
		{"chat/completions", API_CHAT}, {"/messages", API_MESSAGES}, {"/responses", API_RESPONSES},
		{"/completions", API_TEXT}, {"/completion", API_NATIVE}, {"/infill", API_NATIVE}
	};

	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++)
		if (strstr(c->path, paths[i].path) != NULL)
			return paths[i].api;
	return API_TEXT;
}

static void
open_chunk(struct fake_buf *b, const struct fake_conn *c)
{
	const char *name = c->model[0] != '\0' && !fake.own_name ? c->model : fake_model();

	fake_addf(b, "data: {\"id\":\"fake-%lu\",\"object\":\"%s\",\"created\":1,\"model\":", fake_stats.completions,
	    api_of(c) == API_CHAT ? "chat.completion.chunk" : "text_completion");
	fake_add_json(b, name, strlen(name));
}

static void
add_text(struct fake_buf *b, const struct fake_conn *c)
{
	char block[4096];

	if (c->a.chunk_bytes <= 0) {
		fake_addf(b, "word%ld ", c->sent_events);
		return;
	}
	memset(block, 'x', sizeof(block));
	for (long left = c->a.chunk_bytes; left > 0; left -= (long)sizeof(block))
		fake_add(b, block, left < (long)sizeof(block) ? (size_t)left : sizeof(block));
}

static void
add_timings(struct fake_buf *b, const struct fake_conn *c)
{
	fake_addf(b, "\"timings\":{\"cache_n\":4,\"prompt_n\":3,\"prompt_ms\":12.5,\"predicted_n\":%ld,\"predicted_ms\":100.0,"
	    "\"predicted_per_second\":%ld.25}", c->sent_events, c->sent_events * 10);
}

/* ahead --------------------------------------------------------------------------------------------------------- */

void
fake_stream_progress(const struct fake_conn *c, struct fake_buf *b, long n)
{
	open_chunk(b, c);
	fake_addf(b, ",\"choices\":[{\"finish_reason\":null,\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":null}}],"
	    "\"prompt_progress\":{\"total\":%ld,\"cache\":0,\"processed\":%ld,\"time_ms\":%ld}}\n\n", c->a.progress * 512,
	    n * 512, n * 10);
}

void
fake_stream_begin(const struct fake_conn *c, struct fake_buf *b)
{
	switch (api_of(c)) {
	case API_MESSAGES:
		fake_addf(b, "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"fake\",\"type\":\"message\","
		    "\"role\":\"assistant\",\"content\":[],\"model\":\"%s\",\"stop_reason\":null,\"usage\":{\"input_tokens\":3,"
		    "\"cache_read_input_tokens\":4,\"output_tokens\":1}}}\n\nevent: content_block_start\ndata: "
		    "{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
		    fake_model());
		break;
	case API_RESPONSES:
		fake_addf(b, "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"fake\","
		    "\"object\":\"response\",\"status\":\"in_progress\"}}\n\n");
		break;
	case API_CHAT:
	case API_TEXT:
	case API_NATIVE:
		break;
	}
}

/* one token ------------------------------------------------------------------------------------------------------ */

void
fake_stream_event(const struct fake_conn *c, struct fake_buf *b)
{
	switch (api_of(c)) {
	case API_MESSAGES:
		fake_addf(b, "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,"
		    "\"delta\":{\"type\":\"text_delta\",\"text\":\"");
		add_text(b, c);
		fake_addf(b, "\"}}\n\n");
		break;
	case API_RESPONSES:
		fake_addf(b, "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\","
		    "\"item_id\":\"fake\",\"delta\":\"");
		add_text(b, c);
		fake_addf(b, "\"}\n\n");
		break;
	case API_NATIVE:
		fake_addf(b, "data: {\"index\":0,\"content\":\"");
		add_text(b, c);
		fake_addf(b, "\",\"tokens\":[1],\"stop\":false,\"id_slot\":0}\n\n");
		break;
	case API_CHAT:
		open_chunk(b, c);
		fake_addf(b, ",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"");
		add_text(b, c);
		fake_addf(b, "\"},\"finish_reason\":null}]}\n\n");
		break;
	case API_TEXT:
		open_chunk(b, c);
		fake_addf(b, ",\"choices\":[{\"index\":0,\"text\":\"");
		add_text(b, c);
		fake_addf(b, "\",\"finish_reason\":null}]}\n\n");
		break;
	}
}

/* ends ----------------------------------------------------------------------------------------------------------- */

void
fake_stream_error(const struct fake_conn *c, struct fake_buf *b)
{
	switch (api_of(c)) {
	case API_MESSAGES:
		fake_addf(b, "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"engine says no\"}}\n\n");
		break;
	case API_RESPONSES:
		fake_addf(b, "event: response.failed\ndata: {\"type\":\"response.failed\",\"response\":{\"status\":\"failed\","
		    "\"error\":{\"code\":\"server_error\",\"message\":\"engine says no\"}}}\n\n");
		break;
	case API_CHAT:
	case API_TEXT:
	case API_NATIVE:
		fake_addf(b, "data: {\"error\":{\"code\":500,\"message\":\"engine says no\",\"type\":\"server_error\"}}\n\n");
		break;
	}
}

static void
end_openai(const struct fake_conn *c, struct fake_buf *b)
{
	if (c->a.finish) {
		open_chunk(b, c);
		fake_addf(b, ",\"choices\":[{\"index\":0,%s,\"finish_reason\":\"stop\"}]", api_of(c) == API_CHAT ? "\"delta\":{}" :
		    "\"text\":\"\"");
		if (c->a.timings) {
			fake_addf(b, ",");
			add_timings(b, c);
		}
		fake_addf(b, "}\n\n");
	}
	if (c->want_usage || c->a.usage) {
		open_chunk(b, c);
		fake_addf(b, ",\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":%ld,\"total_tokens\":%ld}}\n\n",
		    c->sent_events, c->sent_events + 7);
	}
	if (!c->a.no_done)
		fake_addf(b, "data: [DONE]\n\n");
}

void
fake_stream_end(const struct fake_conn *c, struct fake_buf *b)
{
	switch (api_of(c)) {
	case API_CHAT:
	case API_TEXT:
		end_openai(c, b);
		return;
	case API_MESSAGES:
		fake_addf(b, "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},"
		    "\"usage\":{\"output_tokens\":%ld}}\n\n", c->sent_events);
		if (!c->a.no_done)
			fake_addf(b, "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");
		return;
	case API_RESPONSES:
		fake_addf(b, "event: response.output_text.done\ndata: {\"type\":\"response.output_text.done\",\"text\":\"all\"}\n\n");
		if (!c->a.no_done)
			fake_addf(b, "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{"
			    "\"status\":\"completed\",\"usage\":{\"input_tokens\":7,\"output_tokens\":%ld}}}\n\n", c->sent_events);
		return;
	case API_NATIVE:
		if (c->a.no_done)
			return;
		fake_addf(b, "data: {\"index\":0,\"content\":\"\",\"stop\":true,\"tokens_predicted\":%ld,\"tokens_evaluated\":7,",
		    c->sent_events);
		add_timings(b, c);
		fake_addf(b, "}\n\n");
		return;
	}
}
