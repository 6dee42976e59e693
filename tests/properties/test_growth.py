"""The work of a translation grows as its input does: what is four times as long takes four times the work.

Work is counted, not timed: the instructions that the interpreter executes, as it traces them.
"""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

import agcore
from agcore.conversion.translation import MAX_PARTS

Body = dict[str, Any]


def instructions(work: Callable[[], object]) -> int:
    """How many instructions it takes."""
    count = 0

    def local(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal count
        count += event == "opcode"
        return local

    def called(frame: FrameType, event: str, argument: object) -> Any:
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return local

    before = sys.gettrace()
    gc.disable()
    sys.settrace(called)
    try:
        work()
    finally:
        sys.settrace(before)
        gc.enable()
    return count


def growth(work: Callable[[int], Callable[[], object]], size: int = 30) -> float:
    """2 for work that grows as its input does, 4 for work that grows as its square; whatever the rest costs."""
    work(size)()  # loads what is needed
    one, two, four = (instructions(work(size * times)) for times in (1, 2, 4))
    return (four - two) / (two - one)


def said(role: str, text: str = "a") -> Body:
    return {"role": role, "content": text}


def call(number: int, name: str = "f") -> Body:
    return {"id": f"c{number}", "type": "function", "function": {"name": name, "arguments": "{}"}}


def chat(*messages: Body) -> Body:
    return {"model": "m", "messages": [said("user"), *messages]}


def messages(*more: Body) -> Body:
    return {"model": "m", "max_tokens": 9, "messages": [said("user"), *more]}


def contents(*more: Body) -> Body:
    return {"contents": [{"role": "user", "parts": [{"text": "a"}]}, *more]}


def calling(*calls: Body) -> Body:
    return {"role": "assistant", "content": None, "tool_calls": list(calls)}


def result(number: int) -> Body:
    return {"role": "tool", "tool_call_id": f"c{number}", "content": "r"}


FUNCTION: Body = {"functionCall": {"name": "f", "args": {}}}
RESPONSE: Body = {"functionResponse": {"name": "f", "response": {}}}
USE = {"type": "tool_use", "name": "f", "input": {}}

HISTORIES: dict[str, tuple[str, str, Callable[[int], Body]]] = {
    "users in a row": ("openai", "anthropic", lambda n: chat(*[said("user")] * n)),
    "assistants in a row": ("openai", "anthropic", lambda n: chat(*[said("assistant")] * n)),
    "late system messages": ("openai", "anthropic", lambda n: chat(*[said("system"), said("user")] * n)),
    "late system messages in chat": ("anthropic", "openai", lambda n: messages(*[said("system"), said("user")] * n)),
    "calls that share an id": ("openai", "gemini", lambda n: chat(*[calling(call(7)), result(7)] * n)),
    "calls of one turn": (
        "openai",
        "anthropic",
        lambda n: chat(calling(*map(call, range(n))), *map(result, reversed(range(n)))),
    ),
    "calls without results": ("openai", "anthropic", lambda n: chat(*[calling(call(each)) for each in range(n)])),
    "calls and systems": (
        "openai",
        "openai_responses",
        lambda n: chat(*[each for number in range(n) for each in (calling(call(number)), said("system"))]),
    ),
    "results without calls": ("openai", "anthropic", lambda n: chat(*map(result, range(n)))),
    "tool uses of one turn": (
        "anthropic",
        "gemini",
        lambda n: messages(
            {"role": "assistant", "content": [{**USE, "id": f"c{each}"} for each in range(n)]},
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": f"c{each}", "content": "r"} for each in range(n)],
            },
        ),
    ),
    "text blocks": (
        "anthropic",
        "openai",
        lambda n: messages({"role": "assistant", "content": [{"type": "text", "text": "a"}] * n}, said("user")),
    ),
    "model contents": (
        "gemini",
        "openai",
        lambda n: contents(*[{"role": "model", "parts": [{"text": "a"}]}] * n),
    ),
    "steps without ids": (
        "gemini",
        "openai",
        lambda n: contents(*[{"role": "model", "parts": [FUNCTION]}, {"role": "user", "parts": [RESPONSE]}] * n),
    ),
    "calls without ids": (
        "gemini",
        "anthropic",
        lambda n: contents({"role": "model", "parts": [FUNCTION] * n}, {"role": "user", "parts": [RESPONSE] * n}),
    ),
    "items": (
        "openai_responses",
        "openai",
        lambda n: {
            "model": "m",
            "input": [
                *({"type": "function_call", "call_id": f"c{each}", "name": "f", "arguments": "{}"} for each in range(n)),
                *({"type": "function_call_output", "call_id": f"c{each}", "output": "r"} for each in range(n)),
            ],
        },
    ),
    "tools": (
        "openai",
        "gemini",
        lambda n: {**chat(), "tools": [{"type": "function", "function": call(0, "!" * 70 + str(each))["function"]}
                                       for each in range(n)]},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("source", "target", "body"), HISTORIES.values(), ids=HISTORIES)
def test_the_work_of_a_history_grows_with_its_length(source: str, target: str, body: Callable[[int], Body]) -> None:
    def work(size: int) -> Callable[[], object]:
        made = body(size)
        return lambda: agcore.convert(made, source=source, target=target, model="m")

    assert growth(work) < 2.2


def chunk(delta: Body, finish: str | None = None) -> Body:
    return {
        "id": "c",
        "object": "chat.completion.chunk",
        "model": "m",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }


def piece(number: int, text: str, **more: Any) -> Body:
    return chunk({"tool_calls": [{**more, **call(number), "function": {"name": "f", "arguments": text}}]})


def finished(told: Body) -> Body:
    return {**told, "choices": [{**choice, "finish_reason": "tool_calls"} for choice in told["choices"]]}


STREAMS: dict[str, Callable[[int], list[Body]]] = {
    "texts": lambda n: [chunk({"content": "abc"}) for _ in range(n)],
    "thoughts": lambda n: [chunk({"reasoning_content": "abc"}) for _ in range(n)],
    "calls": lambda n: [piece(each, "{}", index=each) for each in range(n)],
    "calls without arguments": lambda n: [piece(each, "", index=each) for each in range(n)],
    "calls without numbers": lambda n: [piece(each, "{}") for each in range(n)],
    "calls with a finish each": lambda n: [finished(piece(each, "{}", index=each)) for each in range(n)],
    "calls of one number": lambda n: [piece(each, "{}", index=0) for each in range(n)],
}


@pytest.mark.parametrize("client", ["openai", "openai_responses", "anthropic", "gemini"])
@pytest.mark.parametrize("events", STREAMS.values(), ids=STREAMS)
def test_the_work_of_a_stream_grows_with_its_length(client: str, events: Callable[[int], list[Body]]) -> None:
    asked = {
        "openai": {**chat(), "stream": True},
        "openai_responses": {"model": "m", "input": "a", "stream": True},
        "anthropic": {**messages(), "stream": True},
        "gemini": contents(),
    }[client]

    def work(size: int) -> Callable[[], object]:
        frames = [f"data: {json.dumps(each)}\n\n".encode() for each in (*events(size), chunk({}, "stop"))]
        converted = agcore.convert(asked, source=client, target="openai", model="m", stream=True)

        def run() -> None:
            stream = converted.stream()
            for frame in (*frames, b"data: [DONE]\n\n"):
                stream.feed(frame)
            stream.end()
            assert stream.fault is None

        return run

    assert growth(work) < 2.2


def test_a_history_of_too_many_parts_is_refused_in_words() -> None:
    body = {**chat(), "messages": [{"role": "user", "content": [{"type": "text", "text": "a"}] * (MAX_PARTS + 1)}]}
    with pytest.raises(agcore.ConversionError, match=f"more than {MAX_PARTS} parts") as refused:
        agcore.convert(body, source="openai", target="anthropic", model="m")
    assert refused.value.fault.status == 400
