"""Any answer, read from and written as Gemini."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from agcore.codecs import json_text
from agcore.codecs.sse import Decoder, encode
from agcore.conversation.assemble import assemble
from agcore.conversation.values import (
    Delta,
    Finished,
    ThinkingDelta,
    ThinkingEnded,
    ToolArguments,
    ToolStarted,
)
from agcore.dialects.gemini.answer_reader import ResponseReader, read_answer
from agcore.dialects.gemini.answer_writer import render_answer
from agcore.dialects.gemini.carriers import google_opened
from tests.dialects.gemini.test_answer import ASKED, QUIET, SAID, STREAM, read, write
from tests.support.deltas import deltas
from tests.support.grammar_gemini import check_candidate, check_stream, chunks, folded


@given(st.integers(1, 200))
def test_a_stream_gives_the_same_deltas_however_it_is_cut(cut: int) -> None:
    assert read(*STREAM, cut=cut) == (SAID, None)


KEYS = st.sampled_from(["candidates", "content", "parts", "text", "thought", "functionCall", "name", "args", "finishReason", "index", "error",
                        "thoughtSignature", "inlineData", "data", "promptFeedback", "blockReason", "usageMetadata", "groundingMetadata",
                        "groundingChunks", "web", "uri", "citationMetadata", "citations", "executableCode", "code"])  # fmt: skip

ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 2**70)
    | st.floats(allow_nan=False)
    | st.sampled_from(["", "STOP", "f", "x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=25,
)

CANDIDATES = st.fixed_dictionaries({"candidates": st.lists(st.dictionaries(KEYS, ANY, max_size=5), max_size=3)})


@given(st.lists(ANY | CANDIDATES, max_size=4))
def test_any_json_gives_deltas_or_a_fault(said: list[Any]) -> None:
    reader = ResponseReader(signer="g")
    frames = Decoder().feed(b"".join(encode(json_text.encode(each)) for each in said))
    found = [delta for frame in frames for delta in reader.feed(frame)]
    found += reader.end()
    finished = [delta.choice for delta in found if isinstance(delta, Finished)]
    assert len(finished) == len(set(finished))
    assert reader.fault is not None or finished
    read_answer(said, signer="g")


@given(deltas(choices=2), st.booleans())
def test_whatever_was_said_the_stream_is_well_formed_and_complete(said: list[Delta], visible: bool) -> None:
    stream = write(said, ASKED if visible else QUIET)
    found = check_stream(stream)
    texts = "".join(
        part["text"] for parts in folded(found).values() for part in parts if "text" in part and not part.get("thought")
    )
    assert sorted(texts) == sorted(
        "".join(d.text for d in said if not isinstance(d, ThinkingDelta | ToolArguments) and hasattr(d, "text"))
    )
    calls = [part for parts in folded(found).values() for part in parts if "functionCall" in part]
    assert len(calls) == sum(isinstance(delta, ToolStarted) for delta in said)
    thoughts = [part for parts in folded(found).values() for part in parts if part.get("thought") and part["text"]]
    assert visible or not thoughts
    signed = [d.signature for d in said if isinstance(d, ThinkingEnded | ToolStarted) and d.signature is not None]
    sent = [
        google_opened(part["thoughtSignature"])
        for parts in folded(found).values()
        for part in parts
        if "thoughtSignature" in part
    ]
    assert sorted(map(repr, sent)) == sorted(map(repr, signed))
    assert write(said, ASKED if visible else QUIET) == stream


@given(deltas(choices=2), st.booleans())
def test_a_whole_answer_is_the_fold_of_its_stream(said: list[Delta], visible: bool) -> None:
    conversation = ASKED if visible else QUIET
    answer = assemble(said)
    whole = render_answer(answer, id="r1", model="shown", created=1, conversation=conversation)
    found = chunks(write(said, conversation))
    streamed = folded(found)
    for each in whole["candidates"]:
        check_candidate(each, set())
        parts = each["content"].get("parts", [])
        assert [p for p in parts if "functionCall" in p] == [p for p in streamed[each["index"]] if "functionCall" in p]
        assert each["finishReason"] == next(
            c["finishReason"] for c in found[-1]["candidates"] if c["index"] == each["index"]
        )
    assert whole.get("usageMetadata") == found[-1].get("usageMetadata")
