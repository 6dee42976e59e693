"""Any answer of any upstream becomes a well-formed stream of any client, however it is cut, and says the same whole."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agcore.codecs import json_text
from agcore.codecs.sse import Decoder
from agcore.conversation.values import Conversation, Delta, Finished, Stop, ToolStarted
from agcore.conversion.translation import ModelTarget, Translation, translate
from agcore.dialects import DIALECTS
from agcore.models.known import profile
from tests.support import grammar_anthropic, grammar_gemini, grammar_openai_chat, grammar_openai_responses
from tests.support.deltas import deltas
from tests.support.examples import examples

CHECKS: dict[str, Callable[[bytes], object]] = {
    "openai_chat": partial(grammar_openai_chat.check, include_usage=False),
    "openai_responses": grammar_openai_responses.check,
    "anthropic": grammar_anthropic.message,
    "gemini": grammar_gemini.check_stream,
}
REQUESTS: dict[str, dict[str, Any]] = {
    "openai_chat": {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": True},
    "openai_completions": {"model": "m", "prompt": "hi", "stream": True},
    "openai_responses": {"model": "m", "input": "hi", "stream": True},
    "anthropic": {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}], "stream": True},
    "gemini": {"contents": [{"parts": [{"text": "hi"}]}]},
}
PAIRS = [(client, up) for client in REQUESTS for up in CHECKS if client != up]
EVERY_PAIR = pytest.mark.parametrize(("client", "up"), PAIRS)
ASKED = Conversation(model="up", turns=(), stream=True, include_usage=True)


def translation(client: str, up: str) -> Translation:
    target = ModelTarget(dialect=up, model="up", profile=profile("up"), signer=up)
    found = translate(client, json_text.encode(REQUESTS[client]), model="m", stream=True, target=target)
    assert isinstance(found, Translation)
    return found


def upstream(up: str, said: list[Delta]) -> bytes:
    """A stream as a vendor of the dialect would send it."""
    writer = DIALECTS[up].client.writer(id="up", model="up", created=1, conversation=ASKED)
    return b"".join(map(writer.feed, said)) + writer.end()


def streamed(client: str, up: str, pieces: list[bytes], *, framing: str = "sse") -> bytes:
    """The client's stream for these pieces of the upstream's."""
    stream = translation(client, up).stream(id="0123456789abcdef", model="m", created=1, framing=framing)
    out = b"".join(stream.feed(piece).data for piece in pieces) + stream.end().data
    assert stream.fault is None, stream.fault
    assert stream.terminal
    return out


@EVERY_PAIR
@examples(40)
@given(deltas(), st.data())
def test_however_a_stream_is_cut_the_client_gets_the_same(
    client: str, up: str, said: list[Delta], data: st.DataObject
) -> None:
    raw = upstream(up, said)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=8)))
    pieces = [raw[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
    assert streamed(client, up, pieces) == streamed(client, up, [raw])


@pytest.mark.parametrize(("client", "up"), [pair for pair in PAIRS if pair[0] in CHECKS])
@examples(40)
@given(deltas())
def test_every_stream_is_well_formed(client: str, up: str, said: list[Delta]) -> None:
    CHECKS[client](streamed(client, up, [upstream(up, said)]))


@pytest.mark.parametrize("up", ["openai_chat", "openai_responses", "anthropic"])
@examples(40)
@given(deltas())
def test_gemini_arrays_have_the_events_of_the_stream(up: str, said: list[Delta]) -> None:
    raw = upstream(up, said)
    array = json.loads(streamed("gemini", up, [raw], framing="array"))
    events = [json.loads(frame.data) for frame in Decoder().feed(streamed("gemini", up, [raw])) if frame.data]
    assert array == events


@EVERY_PAIR
def test_calls_of_one_answer_never_share_an_id(client: str, up: str) -> None:
    said: list[Delta] = [ToolStarted(0, "", "get"), ToolStarted(1, "", "get"), Finished(Stop.TOOL_CALLS)]
    mapper = translation(client, up).delta_mapper(id="0123456789abcdef")
    ids = [delta.id for delta in mapper.deltas(said) if isinstance(delta, ToolStarted)]
    assert len(set(ids)) == 2
    assert all(ids)
