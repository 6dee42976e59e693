"""How far control travels for one input: counted, so that it can only become less.

The machines are the exchange and its parts, the operation, the calls and the set of them. Each returns before another
one is told, so none is ever entered while it is at work. A change is a call into another machine than the one entered
last; the parts of an exchange count as the exchange there.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import Final

import agcore
from agcore import Input, RequestEnd, Sent, Stage, UpstreamConnected, UpstreamData, UpstreamFailed, UpstreamHead
from agcore_sim.dialogues import ANTHROPIC, CHAT
from agcore_sim.story import JSON, SSE, Story, gateway
from tests.support.dialogues import config, provider

CORE: Final = Path(agcore.__file__).parent
PARTS: Final = frozenset({"client_response", "request_body", "memory", "environment"})
TWO_KEYS: Final = config(providers=(provider(ANTHROPIC, keys=("sk-one-0123456789", "sk-two-0123456789")),))


class Profile:
    """What one piece of work calls of the core."""

    def __init__(self, work: Callable[[], object]) -> None:
        self.calls = 0
        self.entered: list[str] = []
        """The machines that were called into, in order."""
        self.deepest: list[str] = []
        """The longest stack of machines, each named once for as long as it calls only itself."""
        self._stack: list[str] = []
        sys.setprofile(self._see)
        try:
            work()
        finally:
            sys.setprofile(None)

    def _see(self, frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            where = Path(frame.f_code.co_filename)
            self.calls += where.is_relative_to(CORE)
            machine = _machine(where)
            self._stack.append(machine)
            if machine:
                self.entered.append("exchange" if machine in PARTS else machine)
                stack = [each for each in self._stack if each]
                stack = [one for one, below in pairwise([*stack, ""]) if one != below]
                assert len(stack) == len({*stack}), f"a machine is entered while it is at work: {' > '.join(stack)}"
                self.deepest = max(self.deepest, stack, key=len)
        elif event == "return" and self._stack:
            self._stack.pop()

    @property
    def changes(self) -> int:
        """How often control passed to another machine."""
        return sum(one != other for one, other in pairwise(self.entered))


def _machine(path: Path) -> str:
    """The machine whose code a file holds; empty for all other files."""
    if path.parent.name == "operations":
        return "operation"
    found = path.parent.name == "machines" and path.stem in PARTS | {"exchange", "call_set", "upstream_call"}
    return path.stem if found else ""


def telling(story: Story, *inputs: Input) -> list[Profile]:
    """A profile of each of these inputs."""
    return [Profile(lambda each=each: story.exchange.receive(each, now=story.now)) for each in inputs]  # type: ignore[misc]


def opened(**more: object) -> Story:
    """A Chat request that is on its way to Anthropic, up to the end of its body, which was not told yet."""
    body = {"model": ANTHROPIC.model, "messages": [{"role": "user", "content": "hi"}], "stream": True, **more}
    served = gateway(TWO_KEYS, attempts=3)
    Story(served).open("POST", CHAT.stream_path, headers=JSON, body=json.dumps(body).encode())  # loads what is needed
    story = Story(served)
    story.open("POST", CHAT.stream_path, headers=JSON)
    story.exchange.receive(agcore.RequestData(json.dumps(body).encode()), now=story.now)
    return story


def test_a_streamed_request_that_is_translated() -> None:
    story = opened()
    (end,) = telling(story, RequestEnd())
    assert end.changes <= 8
    assert end.calls <= 243
    delta = {"type": "text_delta", "text": " there"}
    text = f"event: content_block_delta\ndata: {json.dumps({'type': 'content_block_delta', 'index': 0, 'delta': delta})}\n\n"
    *_, second = telling(
        story,
        UpstreamConnected(1, reused=False),
        UpstreamHead(1, 200, SSE),
        UpstreamData(1, ANTHROPIC.announcements),
        UpstreamData(1, ANTHROPIC.content),
        UpstreamData(1, text.encode()),
    )
    assert second.changes <= 4
    assert second.calls <= 38


def test_a_request_that_passes_through() -> None:
    served = gateway(config())
    head = agcore.RequestHead("POST", CHAT.target(CHAT.model, stream=False).encode(), ((b"host", b"localhost"), *JSON))
    inputs = (
        agcore.RequestData(CHAT.request(CHAT.model, stream=False)),
        RequestEnd(),
        UpstreamConnected(1, reused=False),
        UpstreamHead(1, 200, JSON),
        UpstreamData(1, CHAT.answer),
        agcore.UpstreamEnd(1),
    )
    for _ in range(2):  # the first time loads what is needed
        opened = list[agcore.Exchange]()
        open = Profile(lambda opened=opened: opened.append(served.open(head, agcore.Peer("127.0.0.1"), now=0.0)[0]))  # type: ignore[misc]
        told = [Profile(lambda each=each: opened[0].receive(each, now=0.0)) for each in inputs]  # type: ignore[misc] # noqa: B023
    assert opened[0].finished
    assert open.calls <= 37
    # 203, and what manners need: loops end (3), an upstream may be particular (2), an answer says something (2) and
    # fits the SDKs (1), a provider may have a time of its own (1).
    assert open.calls + sum(each.calls for each in told) <= 212


def test_a_failover_enters_no_machine_that_is_at_work() -> None:
    story = opened()
    *_, failed = telling(story, RequestEnd(), UpstreamFailed(1, Stage.CONNECT, Sent.NONE, False, "refused"))
    assert story.exchange.wants(2)
    assert failed.deepest[0] == "exchange"


def test_a_stream_that_begins_with_an_error_enters_no_machine_that_is_at_work() -> None:
    story = opened()
    *_, failed = telling(
        story,
        RequestEnd(),
        UpstreamConnected(1, reused=False),
        UpstreamHead(1, 200, SSE),
        UpstreamData(1, ANTHROPIC.error),
    )
    assert story.exchange.wants(2)
    assert failed.deepest[:2] == ["exchange", "operation"]


def test_several_calls_side_by_side_enter_no_machine_that_is_at_work() -> None:
    story = opened(n=3)
    (end,) = telling(story, RequestEnd())
    assert [leg for leg in range(1, 5) if story.exchange.wants(leg)] == [1, 2, 3]
    assert len(end.deepest) <= 4
