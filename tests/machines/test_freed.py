"""What is over leaves nothing behind that waits for the cyclic collector: no machine knows one that knows it."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator

import pytest

from agcore_sim.dialogues import ANTHROPIC, CHAT, Dialogue
from agcore_sim.story import JSON, SSE, Story
from tests.support.dialogues import asked


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def whole(story: Story, upstream: Dialogue) -> None:
    story.upstream_answers(200, upstream.answer, headers=JSON)


def streamed(story: Story, upstream: Dialogue) -> None:
    story.upstream_answers(200, upstream.stream, headers=SSE)


def abandoned(story: Story, upstream: Dialogue) -> None:
    story.exchange.abandon(now=story.now)


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("upstream", [CHAT, ANTHROPIC], ids=["passed through", "translated"])
@pytest.mark.parametrize(("ends", "stream"), [(whole, False), (streamed, True), (abandoned, True)])
def test_an_exchange_that_is_over_is_freed_at_once(
    ends: Callable[[Story, Dialogue], None], stream: bool, upstream: Dialogue
) -> None:
    story = asked(CHAT, stream=stream, model=upstream.model)
    ends(story, upstream)
    assert story.exchange.finished
    exchange = story.exchange
    machines = (exchange, exchange._operation, exchange._calls, exchange._calls.calls[0], exchange._client)
    freed = [weakref.ref(machine) for machine in machines]
    del story, exchange, machines
    assert not [machine() for machine in freed if machine() is not None]
