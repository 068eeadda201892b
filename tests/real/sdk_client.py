# SPDX-License-Identifier: ISC
"""The vendors' own clients, as their users call them: sdk_client.py URL MODEL TASK. Prints what came as one JSON object.
Runs in a Python of its own (tests/real/requirements.txt)."""
import json
import sys

import anthropic
import openai

url, model, task = sys.argv[1:4]
QUESTION = [{"role": "user", "content": "What is the capital of France? Answer in one short sentence."}]
CITIES = ["Rome", "Oslo", "Madrid", "Berlin"]
GREEDY = {"temperature": 0}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
chat = openai.OpenAI(base_url=url + "/v1", api_key="none", max_retries=0, timeout=120)
messages = anthropic.Anthropic(base_url=url, api_key="none", max_retries=0, timeout=120)


def openai_tools():
    """Earlier calls in the conversation show a small model what a call looks like."""
    past = []
    for i, city in enumerate(CITIES):
        past.append({"role": "user", "content": f"Weather in {city}?"})
        past.append({"role": "assistant", "content": None, "tool_calls": [
            {"id": f"c{i}", "type": "function",
             "function": {"name": "get_weather", "arguments": json.dumps({"city": city})}}]})
    past.append({"role": "user", "content": "Weather in Paris?"})
    return {"messages": past, "temperature": 0, "max_tokens": 60, "tool_choice": "required", "tools": [
        {"type": "function", "function": {"name": "get_weather", "description": "weather of a city", "parameters": SCHEMA}}]}


def anthropic_tools():
    past = []
    for i, city in enumerate(CITIES):
        past.append({"role": "user", "content": f"Weather in {city}?"})
        past.append({"role": "assistant", "content": [
            {"type": "tool_use", "id": f"c{i}", "name": "get_weather", "input": {"city": city}}]})
        past.append({"role": "user", "content": [{"type": "tool_result", "tool_use_id": f"c{i}", "content": "sunny"}]})
        past.append({"role": "assistant", "content": "Sunny."})
    past.append({"role": "user", "content": "Weather in Paris?"})
    return {"messages": past, "max_tokens": 60, "extra_body": GREEDY, "tool_choice": {"type": "any"}, "tools": [
        {"name": "get_weather", "description": "weather of a city", "input_schema": SCHEMA}]}


def do_chat():
    r = chat.chat.completions.create(model=model, messages=QUESTION, max_tokens=16, temperature=0)
    return {"model": r.model, "text": r.choices[0].message.content, "tokens": r.usage.completion_tokens}


def do_chat_stream():
    text, names, usage, chunks = "", set(), None, 0
    for c in chat.chat.completions.create(model=model, messages=QUESTION, max_tokens=16, temperature=0, stream=True,
                                          stream_options={"include_usage": True}):
        names.add(c.model)
        chunks += 1
        usage = c.usage or usage
        text += (c.choices[0].delta.content or "") if c.choices else ""
    return {"model": sorted(names), "text": text, "tokens": usage.completion_tokens, "chunks": chunks}


def do_chat_tools():
    r = chat.chat.completions.create(model=model, **openai_tools())
    call = r.choices[0].message.tool_calls[0]
    return {"model": r.model, "finish": r.choices[0].finish_reason, "name": call.function.name,
            "arguments": json.loads(call.function.arguments)}


def do_chat_tools_stream():
    name, arguments, finish = "", "", None
    for c in chat.chat.completions.create(model=model, stream=True, **openai_tools()):
        for choice in c.choices:
            finish = choice.finish_reason or finish
            for t in choice.delta.tool_calls or []:
                name += t.function.name or ""
                arguments += t.function.arguments or ""
    return {"finish": finish, "name": name, "arguments": json.loads(arguments)}


def do_chat_abort():
    """Leaves in the middle of a long answer, as a person who presses stop."""
    stream = chat.chat.completions.create(model=model, messages=QUESTION, max_tokens=4000, temperature=0, stream=True)
    seen = 0
    for _ in stream:
        seen += 1
        if seen == 4:
            break
    stream.close()
    return {"seen": seen}


def do_completion():
    r = chat.completions.create(model=model, prompt="The capital of France is", max_tokens=4, temperature=0)
    return {"model": r.model, "text": r.choices[0].text}


def do_responses():
    r = chat.responses.create(model=model, input=QUESTION[0]["content"], max_output_tokens=16, temperature=0)
    return {"model": r.model, "text": r.output_text, "tokens": r.usage.output_tokens}


def do_responses_stream():
    kinds, text = [], ""
    for e in chat.responses.create(model=model, input=QUESTION[0]["content"], max_output_tokens=16, temperature=0, stream=True):
        kinds.append(e.type)
        text += e.delta if e.type == "response.output_text.delta" else ""
    return {"first": kinds[0], "last": kinds[-1], "text": text}


def do_messages():
    r = messages.messages.create(model=model, messages=QUESTION, max_tokens=16, extra_body=GREEDY)
    return {"model": r.model, "text": r.content[0].text, "tokens": r.usage.output_tokens}


def do_messages_stream():
    with messages.messages.stream(model=model, messages=QUESTION, max_tokens=16, extra_body=GREEDY) as s:
        text = "".join(s.text_stream)
        last = s.get_final_message()
    return {"model": last.model, "text": text, "stop": last.stop_reason, "tokens": last.usage.output_tokens}


def do_messages_tools():
    r = messages.messages.create(model=model, **anthropic_tools())
    call = next(b for b in r.content if b.type == "tool_use")
    return {"model": r.model, "stop": r.stop_reason, "name": call.name, "arguments": call.input}


def do_messages_tools_stream():
    kinds = []
    with messages.messages.stream(model=model, **anthropic_tools()) as s:
        for e in s:
            kinds.append(e.type)
        last = s.get_final_message()
    call = next(b for b in last.content if b.type == "tool_use")
    return {"model": last.model, "stop": last.stop_reason, "name": call.name, "arguments": call.input,
            "in_pieces": kinds.count("input_json") > 1, "last": kinds[-1]}


def do_messages_abort():
    seen = 0
    with messages.messages.stream(model=model, messages=QUESTION, max_tokens=4000, extra_body=GREEDY) as s:
        for _ in s.text_stream:
            seen += 1
            if seen == 4:
                break
    return {"seen": seen}


def do_responses_abort():
    seen = 0
    stream = chat.responses.create(model=model, input=QUESTION[0]["content"], max_output_tokens=4000, temperature=0, stream=True)
    for e in stream:
        seen += e.type == "response.output_text.delta"
        if seen == 4:
            break
    stream.close()
    return {"seen": seen}


def do_models():
    return {"ids": [m.id for m in chat.models.list()]}


def do_unknown():
    """What an error of mai's own looks like through either client."""
    out = {}
    try:
        chat.chat.completions.create(model=model, messages=QUESTION, max_tokens=1)
    except openai.NotFoundError as e:
        out["openai"] = [e.status_code, e.code]
    try:
        messages.messages.create(model=model, messages=QUESTION, max_tokens=1)
    except anthropic.NotFoundError as e:
        out["anthropic"] = [e.status_code, e.body["error"]["type"]]
    return out


def do_chat_broken():
    """A stream whose engine dies: the client must see an error, not an end."""
    text = ""
    try:
        for c in chat.chat.completions.create(model=model, messages=QUESTION, max_tokens=4000, temperature=0, stream=True):
            text += (c.choices[0].delta.content or "") if c.choices else ""
            print("chunk", file=sys.stderr, flush=True)
    except openai.APIError as e:
        return {"error": type(e).__name__, "message": str(e), "some": bool(text)}
    return {"error": None, "some": bool(text)}


def do_messages_broken():
    text = ""
    try:
        with messages.messages.stream(model=model, messages=QUESTION, max_tokens=4000, extra_body=GREEDY) as s:
            for t in s.text_stream:
                text += t
                print("chunk", file=sys.stderr, flush=True)
    except anthropic.APIError as e:
        return {"error": type(e).__name__, "message": str(e), "some": bool(text)}
    return {"error": None, "some": bool(text)}


print(json.dumps(globals()["do_" + task]()))
