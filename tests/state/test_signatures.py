"""Signatures that Chat clients do not echo come back to their signer all the same."""

from __future__ import annotations

from functools import partial

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agcore import Config, Gateway
from agcore.config.values import ClientKey, Endpoint, Provider, Proxy, Secret
from agcore.conversation.signed import Signed, with_signatures
from agcore.conversation.values import Conversation, Signature, Text, Thinking, ToolCall, Turn
from agcore.protocol.http import Headers, Origin
from agcore.state.signatures import SignatureMemory
from agcore_sim.story import JSON, SSE, Story, gateway

TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}]
USER = {"role": "user", "content": "go"}
GEMINI = {
    "candidates": [
        {
            "content": {"parts": [{"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "c2ln"}]},
            "finishReason": "STOP",
        }
    ]
}
CLAUDE = {
    "type": "message",
    "role": "assistant",
    "content": [
        {"type": "thinking", "thinking": "hm", "signature": "sig=="},
        {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}},
    ],
    "stop_reason": "tool_use",
    "usage": {"input_tokens": 1, "output_tokens": 1},
}


def serving(dialect: str) -> Gateway:
    endpoint = Endpoint(dialect, Origin("http", "127.0.0.1", 9), b"", "none")
    keys = tuple(ClientKey(name, Secret(f"sk-{name}-0123456789")) for name in ("alice", "bob"))
    models = ("gemini-3-flash", "claude-sonnet-4-5")
    return gateway(Config(proxy=Proxy(keys=keys), providers=(Provider("p", {dialect: endpoint}, models=models),)))


def ask(gateway: Gateway, body: dict[str, object], *, client: str = "alice") -> Story:
    story = Story(gateway)
    headers: Headers = (*JSON, (b"authorization", b"Bearer sk-%b-0123456789" % client.encode()))
    story.open("POST", "/v1/chat/completions", headers=headers, body=msgspec.json.encode(body))
    return story


def second_turn(call: dict[str, object], **more: object) -> dict[str, object]:
    """What a client sends that keeps nothing but the call's id, name and arguments."""
    kept = {"id": call["id"], "type": "function", "function": call["function"]}
    result = {"role": "tool", "tool_call_id": call["id"], "content": "done"}
    history = [USER, {"role": "assistant", "content": None, "tool_calls": [kept]}, result]
    return {"messages": history, "tools": TOOLS, **more}


def called(story: Story) -> dict[str, object]:
    call = msgspec.json.decode(story.body)["choices"][0]["message"]["tool_calls"][0]
    assert isinstance(call, dict)
    return call


def sent(story: Story) -> dict[str, list[dict[str, object]]]:
    body = story.requests[1].body
    assert isinstance(body, bytes)
    decoded = msgspec.json.decode(body)
    assert isinstance(decoded, dict)
    return decoded


def test_a_call_of_geminis_gets_its_signature_back() -> None:
    server = serving("gemini")
    first = ask(server, {"model": "gemini-3-flash", "messages": [USER], "tools": TOOLS})
    first.upstream_answers(200, msgspec.json.encode(GEMINI))
    second = ask(server, second_turn(called(first), model="gemini-3-flash"))
    assert sent(second)["contents"][1]["parts"][0]["thoughtSignature"] == "c2ln"


def test_a_streamed_call_is_remembered_too() -> None:
    server = serving("gemini")
    first = ask(server, {"model": "gemini-3-flash", "messages": [USER], "tools": TOOLS, "stream": True})
    first.upstream_answers(200, b"data: " + msgspec.json.encode(GEMINI) + b"\r\n\r\n", headers=SSE)
    chunks = [
        msgspec.json.decode(line[6:])
        for line in first.body.split(b"\n\n")
        if b"tool_calls" in line and b'"id":"call' in line
    ]
    call = {"id": chunks[0]["choices"][0]["delta"]["tool_calls"][0]["id"], "function": {"name": "f", "arguments": "{}"}}
    second = ask(server, second_turn(call, model="gemini-3-flash"))
    assert sent(second)["contents"][1]["parts"][0]["thoughtSignature"] == "c2ln"


def test_thinking_before_a_call_of_claudes_comes_back_whole() -> None:
    server = serving("anthropic")
    first = ask(server, {"model": "claude-sonnet-4-5", "messages": [USER], "tools": TOOLS, "reasoning_effort": "high"})
    first.upstream_answers(200, msgspec.json.encode(CLAUDE))
    second = ask(server, second_turn(called(first), model="claude-sonnet-4-5", reasoning_effort="high"))
    content = sent(second)["messages"][1]["content"]
    assert content[0] == {"type": "thinking", "thinking": "hm", "signature": "sig=="}
    assert content[1]["type"] == "tool_use"
    assert sent(second)["thinking"]


def test_nobody_gets_what_another_client_was_told() -> None:
    server = serving("gemini")
    first = ask(server, {"model": "gemini-3-flash", "messages": [USER], "tools": TOOLS})
    first.upstream_answers(200, msgspec.json.encode(GEMINI))
    other = ask(server, second_turn(called(first), model="gemini-3-flash"), client="bob")
    assert sent(other)["contents"][1]["parts"][0]["thoughtSignature"] == "skip_thought_signature_validator"


SIGNATURE = Signature("s", "call", "data")
HISTORY = Conversation(
    model="m",
    turns=(
        Turn("user", (Text("go"),)),
        Turn("assistant", (Text("so"), ToolCall("a", "f", "{}"), ToolCall("b", "f", "{}"))),
    ),
)


def test_what_a_history_lacks_is_put_back_where_it_stood() -> None:
    memory = SignatureMemory()
    thought = Thinking("hm", Signature("s", "thinking", "t"))
    memory.remember("x", "a", Signed((thought,), SIGNATURE))
    parts = with_signatures(HISTORY, partial(memory.find, "x")).turns[1].parts
    assert parts == (Text("so"), thought, ToolCall("a", "f", "{}", signature=SIGNATURE), ToolCall("b", "f", "{}"))
    assert with_signatures(HISTORY, partial(memory.find, "y")) is HISTORY


@pytest.mark.parametrize("echoed", [Thinking("", Signature("s", "thinking", "t")), None])
def test_what_a_client_echoes_is_left_alone(echoed: Thinking | None) -> None:
    memory = SignatureMemory()
    memory.remember(None, "a", Signed((), SIGNATURE))
    own = ToolCall("a", "f", "{}", signature=None if echoed else Signature("s", "call", "own"))
    turn = Turn("assistant", (echoed, own) if echoed else (own,))
    conversation = Conversation(model="m", turns=(turn,))
    assert with_signatures(conversation, partial(memory.find, None)) is conversation


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 400)), max_size=40))
def test_memory_is_bounded(calls: list[tuple[str, int]]) -> None:
    memory = SignatureMemory(max_calls=3, max_bytes=1000)
    for call, size in calls:
        memory.remember(None, call, Signed((), Signature("s", "call", "x" * size)))
        assert len(memory) <= 3
        assert 0 <= memory.size <= 1000
    assert (memory.size == 0) == (len(memory) == 0)


def test_thoughts_in_plain_text_are_put_back_for_whom_they_mean_something() -> None:
    memory = SignatureMemory()
    signed, plain = Thinking("one", Signature("s", "thinking", "t")), Thinking("two")
    memory.remember(None, "a", Signed((signed, plain), SIGNATURE))
    find = partial(memory.find, None)
    said, called = Text("so"), ToolCall("a", "f", "{}", signature=SIGNATURE)
    other = ToolCall("b", "f", "{}")
    assert with_signatures(HISTORY, find, plain=True).turns[1].parts == (said, signed, plain, called, other)
    assert with_signatures(HISTORY, find).turns[1].parts == (said, signed, called, other)


def test_thoughts_are_put_back_into_the_message_that_they_belong_to() -> None:
    memory = SignatureMemory()
    memory.remember(None, "b", Signed((Thinking("hm"),)))
    parts = (Text("one"), Text("two"), ToolCall("a", "f", "{}"), ToolCall("b", "f", "{}"), Text("three"))
    conversation = Conversation(model="m", turns=(Turn("assistant", parts, starts=(1, 4)),))
    (turn,) = with_signatures(conversation, partial(memory.find, None), plain=True).turns
    assert [type(part).__name__ for part in turn.parts] == ["Text", "Text", "ToolCall", "Thinking", "ToolCall", "Text"]
    assert turn.starts == (1, 5)


def test_a_thought_that_a_client_echoes_is_left_alone_and_an_empty_one_is_none() -> None:
    memory = SignatureMemory()
    memory.remember(None, "a", Signed((Thinking("hm"),)))
    empty = Thinking("", Signature("s", "thinking", "t"))
    for echoed, lacks in ((Thinking("own"), False), (empty, True)):
        conversation = Conversation(model="m", turns=(Turn("assistant", (echoed, ToolCall("a", "f", "{}"))),))
        found = with_signatures(conversation, partial(memory.find, None), plain=True)
        assert (Thinking("hm") in found.turns[0].parts) is lacks
