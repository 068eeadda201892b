# SPDX-License-Identifier: ISC
"""Answers byte by byte as engines of all kinds give them, and what becomes of them: whole, broken, counted, left alone."""
import base64
import gzip
import json
import signal

import pytest

from lib import proc
from lib.mai import SLOW
from lib.proc import wait
from lib.stream import CHAT, HELD, MESSAGES, NATIVE, RESPONSES, TEXT, Stream, access, metric

OK = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"
SSE = OK + b"Content-Type: text/event-stream\r\n"
JSON = OK + b"Content-Type: application/json\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
DONE = b"data: [DONE]\n\n"
STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
COMPLETED = b'event: response.completed\ndata: {"type":"response.completed","response":{"status":"completed"}}\n\n'
ENDS = {CHAT: DONE, TEXT: DONE, MESSAGES: STOP, RESPONSES: COMPLETED, NATIVE: b'data: {"content":"","stop":true}\n\n'}


@pytest.fixture
def told(mai):
    """A model whose engine says what it is told."""
    mai.config({"m": mai.teller()})
    mai.start_all(timeout=20)
    return mai


def chunked(*parts, trailer=b""):
    return CHUNKED + b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in parts) + b"0\r\n" + trailer + b"\r\n"


def data(value):
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def word(text, index=0, reason=None, **more):
    return data({"choices": [{"index": index, "delta": {"content": text}, "finish_reason": reason}], **more})


def ask(m, api, *parts, gap=20):
    with Stream(m, api, say=[base64.b64encode(p).decode() for p in parts], gap=gap) as s:
        return s.all()


def truncated(m):
    return metric(m, "mai_truncated_streams_total", model="m")


# ends ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("api,body", [
    (CHAT, word("a") + word("b")[:30]),
    (MESSAGES, b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"}}\n\n'),
    (MESSAGES, b'event: message_delta\ndata: {"type":"message_delta"}\n\nevent: message_stop\n'),
    (MESSAGES, b'event: message_delta\ndata: {"type":"message_delta"}\n\nevent: message_stop\ndata: {"type":"message_st'),
    (RESPONSES, data({"type": "response.created"}) + data({"type": "response.output_text.done", "text": "all"})),
    (RESPONSES, data({"type": "response.created"}) + COMPLETED[:-20]),
    (NATIVE, data({"content": "a", "stop": False}) + b'data: {"content":"","stop":true'),
], ids=["chat", "message-delta", "stop-name", "stop-half", "no-completed", "completed-half", "native-half"])
@pytest.mark.parametrize("cut", ["chunk", "proper", "close"])
def test_ends_just_before_the_end(told, api, body, cut):
    frame = {"chunk": CHUNKED + b"%x\r\n%s" % (len(body) + 40, body), "proper": chunked(body), "close": b"\r\n" + body}[cut]
    s = ask(told, api, SSE + frame)
    assert s.clean is False and s.body.count(api.error) == 1, (s.clean, s.body)
    events = s.body.split(b"\n\n")
    assert events[-1] == b"" and events[-2].lstrip(b"\n").startswith(api.error), "an event of its own, and the last"
    assert "cut short" in access(told)[-1] and truncated(told) == 1


@pytest.mark.parametrize("cut", ["close", "chunk"])
@pytest.mark.parametrize("api", ENDS, ids=repr)
def test_the_last_event_reaches_who_reads(told, api, cut):
    """Engines that leave out the blank line behind it: readers of events would never see it."""
    body = data({"type": "x"}) + ENDS[api][:-1]
    s = ask(told, api, SSE + (b"\r\n" + body if cut == "close" else CHUNKED + b"%x\r\n%s\r\n" % (len(body), body)))
    assert s.clean and s.body == data({"type": "x"}) + ENDS[api], s.body
    assert truncated(told) == 0


@pytest.mark.parametrize("eol", [b"\n", b"\r\n"])
def test_only_the_framing_is_missing_behind_the_end(told, eol):
    body = (word("a") + DONE).replace(b"\n", eol)
    s = ask(told, CHAT, SSE + CHUNKED + b"%x\r\n%s\r\n" % (len(body), body))
    assert s.clean and s.body == body and truncated(told) == 0


@pytest.mark.parametrize("frame", [CHUNKED + b"64\r\n", b"Content-Length: 100\r\n\r\n"], ids=["chunk", "length"])
def test_json_that_is_cut_is_no_answer(told, frame):
    """Within a chunk its first bytes are out; a short one of known length is not begun before it is whole."""
    s = ask(told, CHAT, JSON + frame + b'{"model":"x","choices":[{"message"')
    if b"chunked" in frame:
        assert s.status == 200 and s.clean is False and truncated(told) == 1
    else:
        assert s.status == 502 and b'"bad_gateway"' in s.body


@pytest.mark.parametrize("last,whole", [(word("", 1, "stop"), True), (word("b", 1), False)], ids=["each", "one"])
def test_several_choices_end_each_for_itself(told, last, whole):
    s = ask(told, CHAT, SSE + chunked(word("a"), word("b", 1), word("", 0, "stop"), word("c", 1), last))
    assert s.clean is whole and (CHAT.error in s.body) is not whole
    assert truncated(told) == (0 if whole else 1)


@pytest.mark.parametrize("end", ["proper", "done", "close", "cut"])
def test_what_the_engine_tells_of_an_error_is_told_once(told, end):
    body = word("a") + data({"error": {"message": "engine says no"}})
    frame = {"proper": chunked(body), "done": chunked(body, DONE), "close": b"\r\n" + body,
             "cut": CHUNKED + b"%x\r\n%s\r\n" % (len(body), body)}[end]
    s = ask(told, CHAT, SSE + frame)
    assert s.body.count(b'"error"') == 1 and s.clean is (end != "cut")
    assert "with an error" in access(told)[-1] and truncated(told) == 0


# what an answer is wrapped in ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("frame", ["chunked", "close"])
@pytest.mark.parametrize("kind", ["stream", "json"])
def test_a_coded_answer_crosses_untouched(told, kind, frame):
    """Nobody asked for it, but it is one: nothing is put into it, counted in it, or held against it."""
    plain = word("a", model="engines-own") + DONE if kind == "stream" else b'{"model":"engines-own","choices":[]}'
    body = gzip.compress(plain)
    s = ask(told, CHAT, (SSE if kind == "stream" else JSON) + b"Content-Encoding: gzip\r\n" +
            (chunked(body[:20], body[20:]) if frame == "chunked" else b"\r\n" + body))
    assert s.status == 200 and s.clean and s.headers["content-encoding"] == "gzip"
    assert gzip.decompress(s.body) == plain
    assert truncated(told) == 0 and metric(told, "mai_tokens_total") == 0


def test_a_coded_answer_that_is_cut_is_broken(told):
    body = gzip.compress(word("a") + DONE)
    s = ask(told, CHAT, SSE + b"Content-Encoding: gzip\r\n" + CHUNKED + b"%x\r\n%s" % (len(body), body[:-9]))
    assert s.clean is False and s.body == body[:-9]
    assert "cut short" in access(told)[-1] and truncated(told) == 1


@pytest.mark.parametrize("api", HELD, ids=repr)
def test_a_coded_answer_to_who_was_promised_a_plain_stream(told, api):
    """Its client has its head: there is no way to say how it is coded."""
    told.config({"m": told.teller()}, heartbeatAfter=0.1)
    assert told.verb("reload").returncode == 0
    s = ask(told, api, b"", SSE + b"Content-Encoding: gzip\r\n" + chunked(gzip.compress(ENDS[api])), gap=1000)
    s.assert_broken("engine_error")
    assert b"\x1f\x8b" not in s.body


def test_what_a_dead_engine_left_half_said_spoils_no_later_word(told):
    """The begin of what may be a name to replace is kept back; it is gone with the engine that said it."""
    told.config({"m": told.teller(backoff=60)}, queueMaxWait=0.3)
    assert told.verb("reload").returncode == 0
    say = [base64.b64encode(p).decode() for p in (SSE + CHUNKED + b"a\r\n: half \"mo\r\n", b"")]
    with Stream(told, CHAT, say=say, gap=30000) as s:
        s.until(b": half")
        proc.kill(told.status()["pid"], signal.SIGKILL)
        s.all().assert_broken("queue_timeout")


def test_an_identity_is_no_coding(told):
    s = ask(told, CHAT, SSE + b"Content-Encoding: identity\r\n" + chunked(word("a", model="engines-own"), DONE))
    s.assert_whole()
    assert b'"model": "m"' in s.body and access(told)[-1].endswith(" 1 out")


def test_trailers_stay_here(told):
    s = ask(told, CHAT, SSE + b"Trailer: X-Sum\r\n" + chunked(word("a"), DONE, trailer=b"X-Sum: 1\r\nContent-Length: 4\r\n"))
    s.assert_whole()
    assert s.body == word("a") + DONE and "trailer" not in s.headers
    assert b"X-Sum" not in s.raw.buf


# tokens ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("last,told_as", [
    ({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 5}}, " 9 in 5 out"),
    ({"choices": [], "usage": None}, " 2 out"),
    ({"usage": {"completion_tokens": 5, "prompt_tokens": 9}, "choices": []}, " 9 in 5 out"),
], ids=["usage", "null", "first"])
def test_usage_that_is_null_is_none(told, last, told_as):
    ask(told, CHAT, SSE + chunked(word("a", usage=None), word("b", usage=None), data(last), DONE)).assert_whole()
    assert access(told)[-1].endswith(told_as), access(told)[-1]


def test_a_choice_that_ends_early_counts_as_well(told):
    ask(told, CHAT, SSE + chunked(word("a"), word("b", 1), word("", 0, "stop"), word("c", 1), word("", 1, "stop")))
    assert access(told)[-1].endswith(" 3 out") and metric(told, "mai_tokens_total", model="m") == 3


def test_what_comes_in_pieces_is_read_as_one(told):
    """Each byte of it in a packet of its own, nearly."""
    body = chunked(word("a", model="engines-own"), word("b"), data({"choices": [], "usage": {"prompt_tokens": 9,
                                                                                               "completion_tokens": 2}}), DONE)
    whole = SSE + body
    s = ask(told, CHAT, *(whole[i:i + 3] for i in range(0, len(whole), 3)), gap=1)
    s.assert_whole()
    assert b"engines-own" not in s.body and b'"model": "m"' in s.body
    wait(lambda: access(told)[-1].endswith(" 9 in 2 out"), 2 * SLOW, lambda: access(told))
