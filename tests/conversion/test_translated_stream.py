"""A stream of one dialect read for a client of another, at its ends."""

from __future__ import annotations

from agcore.codecs import json_text
from agcore.codecs.sse import DEFAULT_MAX_EVENT
from agcore.conversation.values import Delta
from agcore.conversion.translated_stream import UpstreamStream
from agcore.conversion.translation import ModelTarget, Translation, translate
from agcore.models.known import profile
from agcore_sim.dialogues import ANTHROPIC, GEMINI, Dialogue


def reading(upstream: Dialogue) -> UpstreamStream:
    body = json_text.encode({"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": True})
    target = ModelTarget(dialect=upstream.dialect, model="up", profile=profile("up"), signer="up")
    found = translate("openai_chat", body, model="m", stream=True, target=target)
    assert isinstance(found, Translation)
    return UpstreamStream(found, id="0" * 24)


def test_nothing_is_read_behind_the_last_event() -> None:
    stream = reading(ANTHROPIC)
    assert stream.feed(ANTHROPIC.stream)
    assert stream.terminal
    assert stream.feed(ANTHROPIC.content) == []
    assert stream.end() == []


def test_a_last_event_beyond_all_bounds_is_a_fault_at_the_end() -> None:
    stream = reading(GEMINI)
    stream.feed(GEMINI.announcements + b"data: " + b"x" * DEFAULT_MAX_EVENT)
    assert stream.fault is None  # what came before it was read
    stream.end()
    assert stream.fault is not None


def test_a_last_event_that_lacks_its_end_may_be_an_error() -> None:
    stream = reading(GEMINI)
    stream.feed(GEMINI.announcements + GEMINI.error.rstrip())
    stream.end()
    assert stream.fault is not None
    assert stream.fault.status == 503


def test_an_end_at_which_no_choice_was_finished_is_a_fault_whatever_its_reader_says() -> None:
    class Mute:
        fault = None
        terminal = False

        def end(self) -> list[Delta]:
            return []

    stream = reading(ANTHROPIC)
    stream._reader = Mute()  # type: ignore[assignment]
    stream.end()
    assert stream.fault is not None
