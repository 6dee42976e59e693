"""What the client hears where no attempt is left to speak for itself."""

from __future__ import annotations

import json
from typing import Any, Final

import msgspec

from agcore import Sent, Stage, State, UpstreamFailed
from agcore.config.values import Config, ModelRule, Proxy, Timeouts
from agcore_sim.dialogues import CHAT
from agcore_sim.story import Story, gateway
from tests.operations.test_drawing import GENERATE, NANO, setup
from tests.support.dialogues import config

FIRST: Final = Timeouts(open_after=1.0, first_byte=60.0)
LATER: Final = ((b"retry-after", b"60"),)


def lossy(timeouts: Timeouts) -> Config:
    """The model `m`: at OpenAI, then at Anthropic, which cannot be told of a seed and may not be without it."""
    rule = ModelRule("m", ((("openai", "up-openai"),), (("anthropic", "up-anthropic"),)))
    return msgspec.structs.replace(config(proxy=Proxy(on_loss="reject"), timeouts=timeouts), models=(rule,))


def chat(served: Config) -> Story:
    story = Story(gateway(served, attempts=3))
    body: dict[str, Any] = {"model": "m", "stream": True, "seed": 5, "messages": [{"role": "user", "content": "hi"}]}
    story.open("POST", CHAT.path, body=json.dumps(body).encode())
    return story


def test_a_stream_ends_in_the_dialects_error_where_no_candidate_can_be_asked_any_more() -> None:
    story = chat(lossy(FIRST))
    story.wait(2)
    assert story.exchange.state is State.OPENED
    story.upstream_answers(503, CHAT.error_answer, headers=LATER)
    assert (list(story.requests), story.finished) == ([1], True)
    last = story.body.rstrip().rpartition(b"data: ")[2]
    assert "error" in json.loads(last)


def test_a_stream_that_opens_between_two_attempts_tells_of_the_one_before() -> None:
    story = chat(lossy(msgspec.structs.replace(FIRST, open_after=0.01)))
    story.upstream_answers(500, CHAT.error_answer)
    assert list(story.requests) == [1]
    story.wait(0.05)
    assert story.exchange.state is State.OPENED
    assert (story.headers[b"x-agcore-provider"], story.headers[b"x-agcore-attempts"]) == (b"openai", b"1")


def test_a_stream_of_pictures_ends_in_an_error_of_media_where_nobody_draws_any_more() -> None:
    story = Story(gateway(setup(f"google/{NANO}", "other/gemini-2.5-pro", timeouts=FIRST), attempts=3))
    story.open("POST", GENERATE, body=b'{"model":"m","prompt":"x","stream":true}')
    story.wait(2)
    assert story.exchange.state is State.OPENED
    story.tell(UpstreamFailed(1, Stage.CONNECT, Sent.NONE, False, "refused"))
    story.wait(60)
    assert story.finished
    assert story.body.rstrip().rpartition(b"event: ")[2].startswith(b"error")
