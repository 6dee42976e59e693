"""Sources beside the choices of an answer, streamed and whole, and what clients of each dialect see of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

import agcore
from agcore.codecs.sse import Decoder
from agcore.conversation.values import Cited, Delta, Finished
from agcore.dialects.openai_chat.answer_reader import ResponseReader, read_answer

ONE, TWO = "https://one.example", "https://two.example"
BESIDE: dict[str, Any] = {
    "citations": [ONE, TWO, 7, ""],
    "search_results": [{"title": "One", "url": ONE, "date": "2026-01-01"}, {"title": 1}, "x"],
}
CITED = [Cited(ONE, "One"), Cited("x"), Cited(TWO)]
MESSAGE = {"role": "assistant", "content": "Cats[1]."}


def streamed(*chunks: dict[str, object]) -> list[Delta]:
    reader = ResponseReader(signer="")
    deltas: list[Delta] = []
    for chunk in chunks:
        (frame,) = Decoder().feed(f"data: {json.dumps(chunk)}\n\n".encode())
        deltas += reader.feed(frame)
    return [delta for delta in deltas if isinstance(delta, Cited | Finished)]


def choice(content: str, finish: str | None = None, **more: object) -> dict[str, object]:
    return {"choices": [{"index": 0, "delta": {"content": content, **more}, "finish_reason": finish}]}


def test_sources_of_a_whole_answer_are_for_all_of_it() -> None:
    answer = {"choices": [{"index": 0, "message": MESSAGE, "finish_reason": "stop"}], **BESIDE}
    deltas = read_answer(answer, signer="")
    assert isinstance(deltas, list)
    assert [delta for delta in deltas if isinstance(delta, Cited)] == CITED
    assert isinstance(deltas[-1], Finished)


def test_sources_that_every_chunk_repeats_are_told_once_and_at_the_end() -> None:
    told = streamed({**choice("Cats"), **BESIDE}, {**choice("[1]."), **BESIDE}, {**choice("", "stop"), **BESIDE})
    assert told[:-1] == CITED
    assert isinstance(told[-1], Finished)


def test_sources_behind_the_end_of_a_choice_are_told_all_the_same() -> None:
    told = streamed(choice("Cats"), choice("", "stop"), {"choices": [], "citations": [ONE]})
    assert told[1:] == [Cited(ONE)]


def test_what_an_annotation_places_is_not_told_again() -> None:
    annotation = {"type": "url_citation", "url_citation": {"url": ONE, "start_index": 0, "end_index": 4}}
    told = streamed({**choice("Cats", annotations=[annotation]), "citations": [ONE]}, choice("", "stop"))
    assert told[:-1] == [Cited(ONE, span=(0, 4))]


SEEN: dict[str, dict[str, Any]] = {
    "anthropic": {"max_tokens": 9, "messages": [{"role": "user", "content": "a"}]},
    "openai_responses": {"input": "a"},
    "gemini": {"contents": [{"role": "user", "parts": [{"text": "a"}]}]},
}


@pytest.mark.parametrize("source", SEEN)
def test_clients_see_sources(source: Any) -> None:
    request = {"model": "sonar-pro", **SEEN[source]}
    made = agcore.convert(request, source=source, target="openai", model="sonar-pro", vendor="perplexity", stream=True)
    beside = {"citations": [ONE]}
    chunks = [choice("Cats[1]."), {**choice("", "stop"), **beside}]
    data = b"".join(b"data: " + json.dumps(each).encode() + b"\n\n" for each in chunks) + b"data: [DONE]\n\n"
    stream = made.stream()
    assert ONE.encode() in stream.feed(data) + stream.end()
    whole = {"choices": [{"index": 0, "message": MESSAGE, "finish_reason": "stop"}], **beside}
    assert ONE in json.dumps(made.answer(whole))
