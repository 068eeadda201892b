/* SPDX-License-Identifier: ISC
 * The inside of the event hub: api_events.c (its life, when something is told), api_diff.c (what is told), api_reader.c (to
 * whom). */
#ifndef API_API_HUB_H
#define API_API_HUB_H

#include "api/api_int.h"

#define KEEP_BYTES ((size_t)256 * 1024)	/* of past events */
#define KEEP_EVENTS 512
#define READERS_MAX 64
#define READERS_OWN 16		/* more of them on the control socket: a crowd must not keep the dashboard out */
#define ACTIONS_MAX 32

#define D_ENGINE 1u
#define D_REQUEST 2u
#define D_GAUGES 4u
#define D_LOG 8u
#define D_ALL_REQUESTS 16u	/* also those of which only the figures moved */

struct reader {
	TAILQ_ENTRY(reader) link;
	struct hub *hub;
	struct http_req *req;
	int viewer;		/* 0: did not say who it is */
	char *name;		/* (owned) */
	bool foreground;
	bool behind;		/* gets nothing until it has read; then a snapshot */
	uint64_t lost;
};
TAILQ_HEAD(readers, reader);

struct past {
	uint64_t seq;
	char *text;		/* (owned) as sent */
	size_t n;
};

/* What was last told of an engine or a request. */
struct told {
	uint64_t id, key, all;
	bool seen;
};

struct hub {
	struct api *api;
	struct readers readers;
	int nreaders, nviewers, last_viewer;
	uint64_t seq;
	unsigned dirty;
	bool missed;		/* things happened while nobody listened */
	bool fresh;		/* everybody is to get a new snapshot */
	bool deferred;
	struct timer batch, tick, heartbeat;
	uint64_t last_batch;
	struct strbuf out;	/* (owned) the batch being put together */
	uint64_t nout;		/* events in it */
	struct past past[KEEP_EVENTS];
	size_t npast, past_bytes;
	struct told *engines, *requests;	/* (owned) */
	size_t nengines, nrequests;
	uint64_t gauges, log_next;
	char *actions[ACTIONS_MAX];	/* (owned) data of action events to be sent */
	size_t nactions;
	char *shutdown;			/* (owned) data of the shutdown event to be sent */
};

/* api_diff.c */
/* One event in its wire form; seq 0: without a number. */
void hub_put_event(struct strbuf *b, const char *name, uint64_t seq, const char *data);
/* Compares the view with what was last told and puts the differences into the batch. quiet: only to know what a snapshot
 * tells at the same moment. */
void hub_compare(struct hub *h, bool quiet);
/* Actions and the shutdown that wait to be told. */
void hub_emit_waiting(struct hub *h);
void hub_forget_past(struct hub *h);

/* api_reader.c */
void reader_send(struct reader *r, const struct strbuf *b);
void reader_send_snapshot(struct reader *r);
void reader_free(struct reader *r);

/* api_events.c */
void hub_mark(struct hub *h, unsigned what);
void hub_flush(struct hub *h);
/* The first reader after a pause. */
void hub_wake(struct hub *h);
/* The last reader left. */
void hub_rest(struct hub *h);

#endif
