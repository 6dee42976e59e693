"""How many Python calls does the core make for each input of a request?

Drives whole exchanges without IO and counts, with `sys.setprofile`, the calls into functions of `agcore/`: for a
request that passes through to its own dialect, and for a streamed one that is translated for Anthropic. Counts are the
same in every run and on every machine. Shown besides: how many modules had a part, how often control passed from one
module to another, and how often from one machine to another (exchange, operation, call, call set; the parts of an
exchange count as the exchange). Everything is run once before it is counted.

    python benchmarks/calls.py
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import Final, TypeAlias

from agcore import (
    Effect,
    Exchange,
    Gateway,
    Peer,
    RequestData,
    RequestEnd,
    RequestHead,
    UpstreamConnected,
    UpstreamData,
    UpstreamEnd,
    UpstreamHead,
    UpstreamInput,
)
from agcore.config.parser import parse

CORE: Final = str(Path(__file__).resolve().parents[1] / "agcore")
NOW: Final = 1_790_000_000.0

PARTS: Final = ("exchange", "client_response", "request_body", "memory", "environment")
"""Modules that are one exchange."""
CALL: Final = ("upstream_call", "call_faults", "call_events")

CONFIG: Final = """
[[providers]]
name = "chat"
base_url = "https://chat.example/v1"
dialect = "openai"
keys = ["sk-chat-0123456789"]
models = ["chat-model"]
[[providers]]
name = "anthropic"
base_url = "https://anthropic.example"
dialect = "anthropic"
keys = ["sk-anthropic-0123456789"]
models = ["claude-model"]
"""

Step: TypeAlias = tuple[str, Callable[[Gateway, list[Exchange]], object]]


def profiled(work: Callable[[], object]) -> list[str]:
    """Returns the file of every function of `agcore/` that `work` calls, in order."""
    seen: list[str] = []

    def profile(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(CORE):
            seen.append(frame.f_code.co_filename)

    sys.setprofile(profile)
    try:
        work()
    finally:
        sys.setprofile(None)
    return seen


def machine(path: str) -> str | None:
    """Returns the machine that a file belongs to."""
    parts, name = Path(path).parts, Path(path).stem
    if "operations" in parts:
        return "operation"
    if "machines" not in parts:
        return None
    if name in PARTS:
        return "exchange"
    return "call" if name in CALL else "call set" if name == "call_set" else None


def changes(names: list[str]) -> int:
    """Returns how often a list goes on with another name."""
    return sum(one != other for one, other in pairwise(names))


def chat(model: str, *, stream: bool) -> list[Step]:
    """Returns the steps of a request up to the upstream's connection."""
    body = json.dumps(
        {"model": model, "messages": [{"role": "user", "content": "Hello"}], **({"stream": True} if stream else {})}
    ).encode()
    fields = ((b"host", b"127.0.0.1"), (b"content-type", b"application/json"))
    head = RequestHead("POST", b"/v1/chat/completions", fields)

    def open(gateway: Gateway, opened: list[Exchange]) -> None:
        opened.append(gateway.open(head, Peer("127.0.0.1"), now=NOW)[0])

    return [
        ("`open(head)`", open),
        ("`RequestData`", lambda _, opened: opened[0].receive(RequestData(body), now=NOW)),
        ("`RequestEnd`", lambda _, opened: opened[0].receive(RequestEnd(), now=NOW)),
    ]


def told(name: str, input: UpstreamInput) -> Step:
    """Returns the step that reports something of the upstream."""

    def tell(_: Gateway, opened: list[Exchange]) -> list[Effect]:
        return opened[0].receive(input, now=NOW)

    return name, tell


def pass_through() -> Iterator[Step]:
    """A whole answer of the client's own dialect."""
    answer = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "chat-model",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4},
    }
    yield from chat("chat-model", stream=False)
    yield told("`UpstreamConnected`", UpstreamConnected(1, reused=False))
    yield told("`UpstreamHead`", UpstreamHead(1, 200, ((b"content-type", b"application/json"),)))
    yield told("`UpstreamData`", UpstreamData(1, json.dumps(answer).encode()))
    yield told("`UpstreamEnd`", UpstreamEnd(1))


def translated() -> Iterator[Step]:
    """A stream of Anthropic's, for a client of Chat Completions."""

    def frames(*events: dict[str, object]) -> bytes:
        return b"".join(f"event: {each['type']}\ndata: {json.dumps(each)}\n\n".encode() for each in events)

    def text(said: str) -> bytes:
        delta = {"type": "text_delta", "text": said}
        return frames({"type": "content_block_delta", "index": 0, "delta": delta})

    usage = {"input_tokens": 3, "output_tokens": 1}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-model", "content": []}
    begin = frames(
        {"type": "message_start", "message": {**message, "stop_reason": None, "usage": usage}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    )
    close = frames(
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage},
        {"type": "message_stop"},
    )
    yield from chat("claude-model", stream=True)
    yield told("`UpstreamConnected`", UpstreamConnected(1, reused=False))
    yield told("`UpstreamHead`", UpstreamHead(1, 200, ((b"content-type", b"text/event-stream"),)))
    yield told("`UpstreamData`, announcements", UpstreamData(1, begin))
    yield told("`UpstreamData`, the first text delta", UpstreamData(1, text("Hello")))
    yield told("`UpstreamData`, a text delta", UpstreamData(1, text(" there")))
    yield told("`UpstreamData`, closing events", UpstreamData(1, close))
    yield told("`UpstreamEnd`", UpstreamEnd(1))


def gateway() -> Gateway:
    """Returns a gateway with one provider for each scenario."""
    return Gateway(parse(CONFIG, secrets={}, environ={}).config, secret=bytes(range(32)), now=NOW)


def main() -> None:
    """Prints a table for each scenario."""
    for scenario in (pass_through, translated):
        served, opened = gateway(), list[Exchange]()
        for _, step in scenario():
            step(served, opened)
        print(f"{(scenario.__doc__ or '').rstrip('.')}\n")
        print("| input | calls | modules | module changes | machine changes |\n|---|---:|---:|---:|---:|")
        total, opened = 0, list[Exchange]()
        for name, step in scenario():
            files = profiled(partial(step, served, opened))
            machines = [each for each in map(machine, files) if each is not None]
            total += len(files)
            print(f"| {name} | {len(files)} | {len({*files})} | {changes(files)} | {changes(machines)} |")
        assert opened[0].finished
        print(f"| together | {total} | | | |\n")


if __name__ == "__main__":
    main()
