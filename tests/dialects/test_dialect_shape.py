"""One contract, held by every dialect module alike."""

from __future__ import annotations

import msgspec
import pytest

from agcore import Fault
from agcore.codecs.sse import Decoder
from agcore.conversation.assemble import assemble
from agcore.conversation.losses import Losses
from agcore.conversation.values import Consumed, Finished, Started, Stop, TextDelta
from agcore.dialects import DIALECTS, ERROR_SHAPES
from agcore.models.profiles import profile
from agcore.protocol.report import Usage

MINIMAL: dict[str, dict[str, object]] = {
    "openai": {"model": "m", "messages": [{"role": "user", "content": "hi"}]},
    "openai_completions": {"model": "m", "prompt": "hi"},
    "openai_responses": {"model": "m", "input": "hi"},
    "anthropic": {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]},
    "gemini": {"contents": [{"parts": [{"text": "hi"}]}]},
}
dialects = pytest.mark.parametrize("name", DIALECTS)


@dialects
def test_every_dialect_is_known_by_its_name(name: str) -> None:
    assert name == DIALECTS[name].traits.name


def test_every_dialect_has_an_error_shape() -> None:
    assert DIALECTS.keys() == MINIMAL.keys()
    assert DIALECTS.keys() < ERROR_SHAPES.keys()


@dialects
@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 409, 413, 429, 500, 501, 502, 503, 504])
def test_an_error_that_is_rendered_reads_back(name: str, status: int) -> None:
    dialect = DIALECTS[name]
    body = msgspec.json.decode(dialect.errors.render_error(Fault(status=status, message="why é"), "req_1"))
    assert dialect.errors.parse_error(status, body).message == "why é"
    assert dialect.errors.parse_error(status, body).status == status


@dialects
def test_a_keepalive_says_nothing(name: str) -> None:
    tap = DIALECTS[name].pass_through.tap(shown_model=None, hide_usage=False)
    for frame in Decoder().feed(DIALECTS[name].traits.keepalive):
        tap.read(frame)
    assert tap.fault is None
    assert not tap.finished


@dialects
def test_a_minimal_request_goes_to_every_upstream(name: str) -> None:
    losses = Losses()
    conversation = DIALECTS[name].client.parse_request(MINIMAL[name], model="m", stream=False, losses=losses)
    for upstream in DIALECTS.values():
        if not upstream.translatable:
            continue
        rendered = upstream.upstream.render_request(
            conversation, model="m-1", profile=profile("m-1"), signer="s", losses=losses
        )
        assert b"hi" in msgspec.json.encode(rendered)
    assert not losses.at_least("warn")


@dialects
def test_a_minimal_answer_is_written_whole_and_as_a_stream(name: str) -> None:
    client = DIALECTS[name].client
    conversation = client.parse_request(MINIMAL[name], model="m", stream=True, losses=Losses())
    deltas = [Started(), TextDelta("hello"), Finished(Stop.END), Consumed(Usage(fresh=1, output=2))]
    whole = client.render_answer(assemble(deltas), id="1", model="m", created=1, conversation=conversation)
    assert b"hello" in msgspec.json.encode(whole)
    writer = client.writer(id="1", model="m", created=1, conversation=conversation)
    stream = b"".join(writer.feed(delta) for delta in deltas) + writer.end()
    assert b"hello" in stream
    tap = DIALECTS[name].pass_through.tap(shown_model=None, hide_usage=False)
    for frame in Decoder().feed(stream):
        tap.read(frame)
    assert tap.fault is None
    assert tap.finished
