"""One contract, held by every dialect module alike."""

from __future__ import annotations

import msgspec
import pytest

from agcore import Fault
from agcore.codecs.header_fields import DOWN, UP
from agcore.codecs.sse import Decoder
from agcore.conversation.assemble import assemble
from agcore.conversation.losses import Losses
from agcore.conversation.usage import Usage
from agcore.conversation.values import Consumed, Finished, Started, Stop, TextDelta
from agcore.dialects import DIALECTS, ERROR_SHAPES
from agcore.dialects.base import Dialect
from agcore.dialects.translators import CLIENTS, UPSTREAMS
from agcore.models.profiles import profile
from agcore.operations.generate import TRANSLATABLE

MINIMAL: dict[str, dict[str, object]] = {
    "openai": {"model": "m", "messages": [{"role": "user", "content": "hi"}]},
    "openai_completions": {"model": "m", "prompt": "hi"},
    "openai_responses": {"model": "m", "input": "hi"},
    "anthropic": {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]},
    "gemini": {"contents": [{"parts": [{"text": "hi"}]}]},
}
MEMBERS = list(Dialect.__annotations__) + [name for name in vars(Dialect) if not name.startswith("_")]
dialects = pytest.mark.parametrize("name", DIALECTS)


@dialects
def test_every_dialect_has_every_member(name: str) -> None:
    assert all(hasattr(DIALECTS[name], member) for member in MEMBERS)
    assert name == DIALECTS[name].NAME


def test_every_dialect_serves_clients_and_every_translatable_one_asks_upstreams() -> None:
    assert CLIENTS.keys() == DIALECTS.keys() == MINIMAL.keys() == UP.keys() == DOWN.keys()
    assert UPSTREAMS.keys() == TRANSLATABLE
    assert DIALECTS.keys() < ERROR_SHAPES.keys()


@dialects
@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 409, 413, 429, 500, 501, 502, 503, 504])
def test_an_error_that_is_rendered_reads_back(name: str, status: int) -> None:
    dialect = DIALECTS[name]
    body = msgspec.json.decode(dialect.render_error(Fault(status=status, message="why é"), "req_1"))
    assert dialect.parse_error(status, body).message == "why é"
    assert dialect.parse_error(status, body).status == status


@dialects
def test_a_keepalive_says_nothing(name: str) -> None:
    tap = DIALECTS[name].StreamTap(shown_model=None, hide_usage=False)
    for frame in Decoder().feed(DIALECTS[name].KEEPALIVE):
        tap.read(frame)
    assert tap.fault is None
    assert not tap.finished


@dialects
def test_a_minimal_request_goes_to_every_upstream(name: str) -> None:
    losses = Losses()
    conversation = CLIENTS[name].parse_request(MINIMAL[name], model="m", stream=False, losses=losses)
    for upstream in UPSTREAMS.values():
        rendered = upstream.render_request(conversation, model="m-1", profile=profile("m-1"), signer="s", losses=losses)
        assert b"hi" in msgspec.json.encode(rendered)
    assert not losses.at_least("warn")


@dialects
def test_a_minimal_answer_is_written_whole_and_as_a_stream(name: str) -> None:
    client = CLIENTS[name]
    conversation = client.parse_request(MINIMAL[name], model="m", stream=True, losses=Losses())
    deltas = [Started(), TextDelta("hello"), Finished(Stop.END), Consumed(Usage(fresh=1, output=2))]
    whole = client.render_answer(assemble(deltas), id="1", model="m", created=1, conversation=conversation)
    assert b"hello" in msgspec.json.encode(whole)
    writer = client.writer(id="1", model="m", created=1, conversation=conversation)
    stream = b"".join(writer.feed(delta) for delta in deltas) + writer.end()
    assert b"hello" in stream
    tap = DIALECTS[name].StreamTap(shown_model=None, hide_usage=False)
    for frame in Decoder().feed(stream):
        tap.read(frame)
    assert tap.fault is None
    assert tap.finished
