"""The tables of tasks, and what every half of a task has in common."""

from __future__ import annotations

import json

import pytest

from agcore import Fault
from agcore.conversation.losses import Losses
from agcore.conversation.token_estimate import TokenCount
from agcore.dialects import ALIASES, DIALECTS, task_registry
from agcore.dialects.base import PathParts
from agcore.dialects.tasks import Destination
from agcore.models.known import profile

AT = Destination(b"/p", "m", profile("m"), PathParts())
COUNTERS = task_registry.tokens()


@pytest.mark.parametrize(
    "names",
    [
        task_registry.embeddings().dialects,
        task_registry.images().dialects,
        task_registry.transcripts().dialects,
        COUNTERS.dialects,
        task_registry.media(),
        task_registry.signatures(),
        task_registry.models(),
    ],
)
def test_only_dialects_have_tasks(names: tuple[str, ...]) -> None:
    assert set(names) <= DIALECTS.keys() | ALIASES.keys()


def test_every_dialect_with_a_history_can_lose_signatures() -> None:
    histories = {name for name, dialect in DIALECTS.items() if dialect.traits.history_member is not None}
    assert task_registry.signatures().keys() == histories


@pytest.mark.parametrize("name", COUNTERS.upstreams)
@pytest.mark.parametrize("estimated", [True, False])
def test_a_count_that_is_written_reads_back(name: str, estimated: bool) -> None:
    written = COUNTERS.clients[name].write_answer(TokenCount(7, estimated), {}, model="m", created=0)
    assert written.estimated == estimated
    assert COUNTERS.upstreams[name].read_answer(json.loads(written.body), {}, AT) == TokenCount(7)


@pytest.mark.parametrize("name", COUNTERS.upstreams)
@pytest.mark.parametrize("count", [None, 0, -1, "7", 1.5])
def test_what_is_no_count_is_a_fault(name: str, count: object) -> None:
    found = COUNTERS.upstreams[name].read_answer({"input_tokens": count, "totalTokens": count}, {}, AT)
    assert isinstance(found, Fault)


@pytest.mark.parametrize("name", COUNTERS.upstreams)
def test_a_request_to_count_reads_back(name: str) -> None:
    asked = {"model": "models/m" if name == "gemini" else "m", "messages": [], "input": [], "contents": []}
    losses = Losses()
    (body,) = COUNTERS.upstreams[name].write_requests(asked, AT, losses)
    read = COUNTERS.clients[name].read_request(json.loads(body), path="", model="m", losses=losses)
    assert read["model"] == asked["model"]
    history = DIALECTS[name].traits.history_member
    assert history is not None
    assert read[history] == []
