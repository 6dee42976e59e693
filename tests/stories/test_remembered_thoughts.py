"""DeepSeek wants its thoughts back with every call, and most clients of other dialects cannot bring them.

Gemini's clients see thoughts only where they ask for them, Responses' keep them encrypted or not at all, and clients of
Messages drop what is not signed. So the gateway remembers them by the ids of the calls that they led to.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from agcore import Gateway
from agcore.config.values import ClientKey, Config, Endpoint, Provider, Proxy, Secret
from agcore.protocol.http import Headers, Origin
from agcore.replay import replay_recording
from agcore_sim.story import JSON, SSE, Story, gateway
from tests.support.recorded import recorders

Json = dict[str, Any]
MODEL = "deepseek-v4-pro"
SCHEMA: Json = {"type": "object", "properties": {}}
CALL: Json = {"id": "call_00_x", "type": "function", "function": {"name": "f", "arguments": "{}"}}
ANSWER: Json = {
    "id": "c",
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "Let me look.",
                "reasoning_content": "hm",
                "tool_calls": [CALL],
            },
            "finish_reason": "tool_calls",
        }
    ],
}


def serving() -> Gateway:
    origin = Origin("http", "127.0.0.1", 9)
    ways = {
        "openai_chat": Endpoint("openai_chat", origin, b"", "none"),
        "anthropic": Endpoint("anthropic", origin, b"", "none"),
    }
    keys = tuple(ClientKey(name, Secret(f"sk-{name}-0123456789")) for name in ("alice", "bob"))
    return gateway(
        Config(
            proxy=Proxy(keys=keys),
            providers=(
                Provider("d", {"openai_chat": ways["openai_chat"]}, models=(MODEL,)),
                Provider("c", {"anthropic": ways["anthropic"]}, models=("claude-sonnet-4-5",)),
            ),
        )
    )


# What each client sends first, and what it makes of the answer.


def gemini(answer: Json | None) -> Json:
    said = {"role": "user", "parts": [{"text": "go"}]}
    tools = [{"functionDeclarations": [{"name": "f", "parametersJsonSchema": SCHEMA}]}]
    if answer is None:
        return {"contents": [said], "tools": tools}
    content = answer["candidates"][0]["content"]
    (call,) = [part["functionCall"] for part in content["parts"] if "functionCall" in part]
    result = {"functionResponse": {"id": call["id"], "name": "f", "response": {"output": "ok"}}}
    return {"contents": [said, content, {"role": "user", "parts": [result]}], "tools": tools}


def responses(answer: Json | None) -> Json:
    items: list[Json] = [{"role": "user", "content": "go"}]
    if answer is not None:
        items += [item for item in answer["output"] if item["type"] != "reasoning"]
        items += [
            {"type": "function_call_output", "call_id": item["call_id"], "output": "ok"}
            for item in answer["output"]
            if item["type"] == "function_call"
        ]
    tools = [{"type": "function", "name": "f", "parameters": SCHEMA}]
    return {"model": MODEL, "input": items, "tools": tools, "store": False}


def claude(answer: Json | None) -> Json:
    messages: list[Json] = [{"role": "user", "content": "go"}]
    if answer is not None:
        content = [block for block in answer["content"] if block["type"] != "thinking"]
        (id,) = [block["id"] for block in content if block["type"] == "tool_use"]
        messages += [
            {"role": "assistant", "content": content},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": "ok"}]},
        ]
    return {"model": MODEL, "max_tokens": 9, "messages": messages, "tools": [{"name": "f", "input_schema": SCHEMA}]}


Client = tuple[str, Callable[[Json | None], Json]]
CLIENTS: dict[str, Client] = {
    "gemini": (f"/v1beta/models/{MODEL}:generateContent", gemini),
    "openai_responses": ("/v1/responses", responses),
    "anthropic": ("/v1/messages", claude),
}


def ask(server: Gateway, client: str, answer: Json | None, *, who: str = "alice") -> Story:
    path, body = CLIENTS[client]
    story = Story(server)
    headers: Headers = (*JSON, (b"x-api-key", b"sk-%b-0123456789" % who.encode()))
    story.open("POST", path, headers=headers, body=json.dumps(body(answer)).encode())
    return story


def answered(server: Gateway, client: str, answer: Json = ANSWER) -> Json:
    """What a client is told of an upstream's answer."""
    story = ask(server, client, None)
    story.upstream_answers(200, json.dumps(answer).encode())
    assert story.status == 200, story.text()
    told: Json = json.loads(story.body)
    return told


def thoughts(story: Story) -> list[str]:
    """The thoughts of the assistant in the request that leaves."""
    messages = json.loads(story.requests[1].body)["messages"]
    return [message["reasoning_content"] for message in messages if message["role"] == "assistant"]


@pytest.mark.parametrize("client", CLIENTS)
def test_a_thought_comes_back_with_its_call_though_the_client_dropped_it(client: str) -> None:
    server = serving()
    assert thoughts(ask(server, client, answered(server, client))) == ["hm"]


@pytest.mark.parametrize("client", CLIENTS)
def test_a_space_stands_for_a_thought_of_another_client(client: str) -> None:
    server = serving()
    assert thoughts(ask(server, client, answered(server, client), who="bob")) == [" "]


def test_a_thought_that_a_client_does_bring_is_the_one_that_counts() -> None:
    server = serving()
    answer = answered(server, "anthropic")
    body = claude(answer)
    body["messages"][1]["content"].insert(0, {"type": "thinking", "thinking": "own", "signature": ""})
    story = Story(server)
    headers: Headers = (*JSON, (b"x-api-key", b"sk-alice-0123456789"))
    story.open("POST", "/v1/messages", headers=headers, body=json.dumps(body).encode())
    assert thoughts(story) == ["own"]


def test_a_streamed_thought_is_remembered_too() -> None:
    server = serving()
    first = Story(server)
    headers: Headers = (*JSON, (b"x-goog-api-key", b"sk-alice-0123456789"))
    path = f"/v1beta/models/{MODEL}:streamGenerateContent?alt=sse"
    first.open("POST", path, headers=headers, body=json.dumps(gemini(None)).encode())
    deltas: list[Json] = [
        {"role": "assistant", "content": None, "reasoning_content": ""},
        {"reasoning_content": "h"},
        {"reasoning_content": "m"},
        {"tool_calls": [{"index": 0, **CALL}]},
    ]
    chunks: list[Json] = [{"id": "c", "choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    chunks.append({"id": "c", "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]})
    stream = b"".join(b"data: %b\n\n" % json.dumps(chunk).encode() for chunk in chunks) + b"data: [DONE]\n\n"
    first.upstream_answers(200, stream, headers=SSE)
    events = [json.loads(line[6:]) for line in first.body.split(b"\r\n\r\n") if line]
    parts = [part for event in events for part in event["candidates"][0].get("content", {}).get("parts", ())]
    assert not any(part.get("thought") for part in parts)
    assert thoughts(ask(server, "gemini", {"candidates": [{"content": {"role": "model", "parts": parts}}]})) == ["hm"]


def test_two_calls_of_one_step_have_one_thought() -> None:
    server = serving()
    both = [CALL, {**CALL, "id": "call_01_y"}]
    message = {**ANSWER["choices"][0]["message"], "tool_calls": both}
    told = answered(server, "openai_responses", {**ANSWER, "choices": [{**ANSWER["choices"][0], "message": message}]})
    assert thoughts(ask(server, "openai_responses", told)) == ["hm"]


def test_what_another_vendor_is_told_has_no_thoughts_of_deepseeks() -> None:
    server = serving()
    answer = answered(server, "openai_responses")
    story = Story(server)
    headers: Headers = (*JSON, (b"x-api-key", b"sk-alice-0123456789"))
    body = {**responses(answer), "model": "claude-sonnet-4-5"}
    story.open("POST", "/v1/responses", headers=headers, body=json.dumps(body).encode())
    assert "hm" not in story.requests[1].body.decode()  # type: ignore[union-attr]


def test_an_exchange_that_was_given_a_thought_replays_by_itself() -> None:
    with recorders() as found:
        server = serving()
        story = ask(server, "gemini", answered(server, "gemini"))
        story.upstream_answers(200, json.dumps(ANSWER).encode())
    recorder, config, _ = found[-1]
    assert replay_recording(recorder.text, config) == story.effects
