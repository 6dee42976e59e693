"""Any answer, read from and written as Messages."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from agcore.codecs import json_text
from agcore.codecs.sse import encode
from agcore.conversation.signature_carrier import opened
from agcore.conversation.values import (
    Consumed,
    Delta,
    Finished,
    ImageMade,
    RefusalDelta,
    TextDelta,
    ThinkingEnded,
    ToolStarted,
)
from agcore.dialects.anthropic.answer_reader import read_answer
from agcore.protocol.fault import Fault
from tests.dialects.anthropic.test_answer import read, rendered, written
from tests.support.deltas import deltas
from tests.support.grammar_anthropic import message

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)

NOISE = st.dictionaries(
    st.sampled_from(["type", "id", "name", "text", "thinking", "signature", "data", "input", "citations", "index"]),
    JSON | st.sampled_from(["text", "thinking", "tool_use", "redacted_thinking", "text_delta", "input_json_delta"]),
)

EVENTS = st.fixed_dictionaries(
    {
        "type": st.sampled_from(
            [
                "message_start",
                "content_block_start",
                "content_block_delta",
                "content_block_stop",
                "message_delta",
                "error",
            ]
        )
        | JSON
    },
    optional={
        "message": NOISE | JSON,
        "content_block": NOISE | JSON,
        "delta": NOISE | JSON,
        "usage": NOISE | JSON,
        "error": NOISE | JSON,
        "index": st.integers(0, 2) | JSON,
    },
)


@given(st.lists(EVENTS | JSON, max_size=8))
def test_whatever_an_upstream_sends_is_read_without_an_exception(told: list[Any]) -> None:
    said, fault = read(b"".join(encode(json_text.encode(event)) for event in told))
    assert fault is not None or isinstance([*said][-1], Finished | Consumed)


@given(st.fixed_dictionaries({"content": st.lists(NOISE | JSON) | JSON}, optional={"usage": JSON, "stop_reason": JSON}))
def test_whatever_an_upstream_answers_is_read_without_an_exception(answer: dict[str, object]) -> None:
    found = read_answer(answer, signer="up")
    assert isinstance(found, Fault) or sum(isinstance(delta, Finished) for delta in found) == 1


@given(deltas(choices=2))
def test_any_legal_deltas_make_a_well_formed_stream(said: list[Delta]) -> None:
    message(written(said))


def joined(content: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Blocks with neighbouring texts made one, and without citations, which a whole answer does not place."""
    blocks: list[dict[str, Any]] = []
    for block in content:
        bare = {name: value for name, value in block.items() if name != "citations"}
        if blocks and bare["type"] == blocks[-1]["type"] == "text":
            blocks[-1]["text"] += bare["text"]
        else:
            blocks.append(bare)
    return blocks


@given(deltas())
def test_a_stream_spells_the_whole_answer(said: list[Delta]) -> None:
    streamed, whole = message(written(said)), rendered(said)
    assert joined(streamed.pop("content")) == joined(whole.pop("content"))
    assert streamed == whole


@given(deltas())
def test_what_is_written_is_read_back(said: list[Delta]) -> None:
    back, fault = read(written(said))
    assert fault is None
    told = [delta.text for delta in back if isinstance(delta, TextDelta)]
    meant = [
        "[image]" if isinstance(delta, ImageMade) else delta.text
        for delta in said
        if isinstance(delta, TextDelta | RefusalDelta | ImageMade)
    ]
    assert "".join(told) == "".join(meant)
    assert [d.name for d in back if isinstance(d, ToolStarted)] == [d.name for d in said if isinstance(d, ToolStarted)]
    carried = [d.signature for d in back if isinstance(d, ThinkingEnded) and d.signature is not None]
    sent = [d.signature for d in said if isinstance(d, ThinkingEnded | ToolStarted) and d.signature is not None]
    assert [opened(signature.data) for signature in carried] == sent
