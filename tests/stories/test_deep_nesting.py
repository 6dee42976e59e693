"""Requests that are nested almost as deeply as the stack is high: what passes as it is may be too deep to be read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agcore_sim.dialogues import CHAT, GEMINI
from agcore_sim.story import Story, gateway
from tests.support.dialogues import config

MESSAGES = [{"role": "user", "content": "hi"}]
REQUESTS: list[tuple[str, dict[str, Any]]] = [
    ("/v1/chat/completions", {"model": GEMINI.model, "messages": MESSAGES}),
    ("/v1/embeddings", {"model": GEMINI.model, "input": "a"}),
    ("/v1/images/generations", {"model": GEMINI.model, "prompt": "a"}),
    (f"/v1beta/models/{CHAT.model}:generateContent", {"contents": [{"parts": [{"text": "hi"}]}]}),
]


@pytest.mark.parametrize(("path", "body"), REQUESTS, ids=[path for path, _ in REQUESTS])
def test_a_request_of_any_depth_is_asked_or_refused_in_words(path: str, body: dict[str, Any]) -> None:
    server = gateway(config())
    whole = json.dumps(body).encode().removesuffix(b"}")
    outcomes = set()
    for depth in (1, *range(700, 1000)):
        story = Story(server)
        story.open("POST", path, body=whole + b', "unknown": ' + b"[" * depth + b"]" * depth + b"}")
        if not story.requests:
            assert (story.status, "nested too deeply" in story.text()) == (400, True), story.text()
        outcomes.add(bool(story.requests))
        story.exchange.abandon(now=story.now)
    assert True in outcomes
