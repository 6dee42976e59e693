"""A Gemini server that answers a stream request with an array is served as the stream that was asked for."""

from __future__ import annotations

import json

import pytest

from agcore_sim.dialogues import ANTHROPIC, CHAT, GEMINI, RESPONSES, Dialogue
from agcore_sim.story import JSON
from tests.support.dialogues import asked

CHUNKS = [
    {"candidates": [{"content": {"role": "model", "parts": [{"text": "hel"}]}}]},
    {
        "candidates": [{"content": {"role": "model", "parts": [{"text": "lo"}]}, "finishReason": "STOP"}],
        "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 2, "totalTokenCount": 7},
    },
]


@pytest.mark.parametrize("dialogue", [CHAT, RESPONSES, ANTHROPIC, GEMINI], ids=lambda each: each.dialect)
def test_a_gemini_stream_that_comes_as_an_array_is_the_stream_that_was_asked_for(dialogue: Dialogue) -> None:
    story = asked(dialogue, stream=True, model=GEMINI.model)
    text = json.dumps(CHUNKS).encode()
    story.upstream_answers(200, [text[:40], text[40:]], headers=JSON)
    assert (story.status, story.row["outcome"]) == (200, "ok")
    assert b"hel" in story.body
    assert story.body.index(b"hel") < story.body.rindex(b"lo")
    assert story.row["usage"]


def test_an_array_without_an_end_is_no_answer() -> None:
    story = asked(CHAT, stream=True, model=GEMINI.model)
    story.upstream_answers(200, json.dumps(CHUNKS[:1]).encode(), headers=JSON)
    assert story.row["outcome"] == "error"


@pytest.mark.parametrize("body", [b"[]", b"[1", b'["x"]'])
def test_an_array_of_nothing_is_no_answer(body: bytes) -> None:
    story = asked(CHAT, stream=True, model=GEMINI.model)
    story.upstream_answers(200, body, headers=JSON)
    assert (story.status, story.row["outcome"]) == (502, "error")
