"""Telling stories, whole: every input and every effect, as text that people can read and review.

A difference is either a bug or a change that was meant. In the second case run `make golden` and review the diff.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from agcore import (
    ClientGone,
    DrainRequested,
    Sent,
    Stage,
    UpstreamConnected,
    UpstreamData,
    UpstreamEnd,
    UpstreamFailed,
    UpstreamHead,
)
from agcore_sim.dialogues import ANTHROPIC, CHAT, COMPLETIONS, GEMINI, GEMINI_ARRAY, RESPONSES, Dialogue
from agcore_sim.story import JSON, SSE, Story, gateway
from tests.support.dialogues import PROVIDER_KEY, asked, streaming
from tests.support.edges import MCP_AT, cut, feed, form, part, setup, upload

FOLDER: Final = Path(__file__).parent / "stories"


def stream_passes(dialogue: Dialogue, *, model: str = "") -> Story:
    """A stream in two pieces that break inside a frame."""
    story = streaming(dialogue, model=model)
    middle = len(dialogue.stream) // 2
    story.wait(0.4)
    story.tell(UpstreamData(1, dialogue.stream[:middle]))
    story.wait(0.1)
    story.tell(UpstreamData(1, dialogue.stream[middle:]))
    story.tell(UpstreamEnd(1))
    return story


def whole_answer_under_an_alias() -> Story:
    story = asked(CHAT, stream=False, model=CHAT.alias)
    story.wait(0.8)
    story.upstream_answers(200, CHAT.answer, headers=(*JSON, (b"x-ratelimit-remaining-requests", b"99")))
    return story


def silent_upstream_then_content() -> Story:
    story = asked(ANTHROPIC, stream=True)
    story.tell(UpstreamConnected(1, reused=True))
    story.wait(26)
    story.tell(UpstreamHead(1, 200, SSE))
    story.tell(UpstreamData(1, ANTHROPIC.stream))
    story.wait(1)
    return story


def announcements_then_silence() -> Story:
    story = streaming(RESPONSES)
    story.tell(UpstreamData(1, RESPONSES.announcements))
    story.wait(30)
    story.tell(UpstreamFailed(1, Stage.BODY, Sent.ALL, False, "reset"))
    return story


def error_before_content() -> Story:
    story = streaming(ANTHROPIC)
    story.tell(UpstreamData(1, ANTHROPIC.announcements))
    story.tell(UpstreamData(1, ANTHROPIC.error))
    return story


def cut_after_content() -> Story:
    story = streaming(RESPONSES, model=RESPONSES.alias)
    story.tell(UpstreamData(1, RESPONSES.announcements + RESPONSES.content))
    story.wait(2)
    story.tell(UpstreamFailed(1, Stage.BODY, Sent.ALL, False, "reset"))
    return story


def stale_connection() -> Story:
    story = asked(COMPLETIONS, stream=False)
    story.tell(UpstreamConnected(1, reused=True))
    story.tell(UpstreamFailed(1, Stage.HEAD, Sent.ALL, True, "closed"))
    story.upstream_answers(200, COMPLETIONS.answer)
    return story


def refused_credential() -> Story:
    story = asked(GEMINI, stream=True)
    details = (
        b'[{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "metadata": {"key": "%b"}}]' % PROVIDER_KEY.encode()
    )
    body = b'{"error": {"code": 403, "message": "no", "status": "PERMISSION_DENIED", "details": %b}}' % details
    story.upstream_answers(403, body)
    return story


def busy_provider() -> Story:
    story = asked(GEMINI, stream=False)
    story.upstream_answers(429, GEMINI.error_answer, headers=(*JSON, (b"retry-after", b"33.5")))
    return story


def client_gone() -> Story:
    story = streaming(CHAT)
    story.tell(UpstreamData(1, CHAT.announcements + CHAT.content))
    story.wait(3)
    story.tell(ClientGone())
    return story


def no_head_in_time() -> Story:
    story = asked(CHAT, stream=False)
    story.wait(0.01)
    story.tell(UpstreamConnected(1, reused=False))
    story.wait(571)
    return story


def upload_under_an_alias() -> Story:
    story = feed(upload(), cut(form(part("file", b"sound", file=True), part("model", b"my-media")), 99))
    story.wait(1.2)
    story.upstream_answers(
        200, b"1\n00:00:00,000 --> 00:00:01,000\nhello\n", headers=((b"content-type", b"text/plain"),)
    )
    return story


def transcript_breaks_off() -> Story:
    story = feed(upload(), [form(part("model", b"up-media"), part("file", b"sound", file=True))])
    story.tell(UpstreamConnected(1, reused=False))
    story.tell(UpstreamHead(1, 200, SSE))
    story.tell(UpstreamData(1, b'data: {"type":"transcript.text.delta","delta":"a"}\n\ndata: {"ty'))
    story.wait(0.5)
    story.tell(UpstreamFailed(1, Stage.BODY, Sent.ALL, False, "reset"))
    return story


def tool_is_called() -> Story:
    story = Story(gateway(setup()))
    session = (b"mcp-session-id", b"s-1")
    message = b'{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"read"}}'
    story.open("POST", MCP_AT + "?verbose=1", headers=(*JSON, (b"accept", b"*/*"), session), body=message)
    story.tell(UpstreamConnected(1, reused=True))
    story.wait(400)
    story.tell(UpstreamHead(1, 200, (*SSE, session)))
    story.tell(UpstreamData(1, b'event: message\ndata: {"jsonrpc":"2.0","id":7,"result":{}}\n\n'))
    story.tell(UpstreamEnd(1))
    return story


def tool_may_have_been_called() -> Story:
    story = Story(gateway(setup()))
    story.open("POST", MCP_AT, body=b'{"jsonrpc":"2.0","id":7,"method":"tools/call"}')
    story.tell(UpstreamConnected(1, reused=True))
    story.tell(UpstreamFailed(1, Stage.HEAD, Sent.ALL, True, "closed"))
    return story


def listener_is_drained() -> Story:
    story = Story(gateway(setup()))
    story.open("GET", MCP_AT, headers=((b"accept", b"text/event-stream"), (b"last-event-id", b"41")), body=b"")
    story.tell(UpstreamConnected(1, reused=False))
    story.tell(UpstreamHead(1, 200, SSE))
    story.wait(3600)
    story.tell(UpstreamData(1, b"id: 42\ndata: {}\n\n"))
    story.tell(DrainRequested())
    return story


STORIES: Final[dict[str, Callable[[], Story]]] = {
    "openai_stream": lambda: stream_passes(CHAT, model=CHAT.alias),
    "openai_completions_stream": lambda: stream_passes(COMPLETIONS),
    "openai_responses_stream": lambda: stream_passes(RESPONSES),
    "anthropic_stream": lambda: stream_passes(ANTHROPIC),
    "gemini_stream": lambda: stream_passes(GEMINI),
    "gemini_array": lambda: stream_passes(GEMINI_ARRAY, model=GEMINI.alias),
    "whole_answer_under_an_alias": whole_answer_under_an_alias,
    "silent_upstream_then_content": silent_upstream_then_content,
    "announcements_then_silence": announcements_then_silence,
    "error_before_content": error_before_content,
    "cut_after_content": cut_after_content,
    "stale_connection": stale_connection,
    "refused_credential": refused_credential,
    "busy_provider": busy_provider,
    "client_gone": client_gone,
    "no_head_in_time": no_head_in_time,
    "upload_under_an_alias": upload_under_an_alias,
    "transcript_breaks_off": transcript_breaks_off,
    "tool_is_called": tool_is_called,
    "tool_may_have_been_called": tool_may_have_been_called,
    "listener_is_drained": listener_is_drained,
}


@pytest.mark.parametrize("name", STORIES)
def test_a_story_is_told_as_it_was(name: str, request: pytest.FixtureRequest) -> None:
    story = STORIES[name]()
    assert story.finished
    path = FOLDER / f"{name}.txt"
    if request.config.getoption("--update-golden"):
        path.write_bytes(story.text().encode())
    assert path.is_file(), f"{path.name} is missing: write it with `make golden`"
    told = path.read_bytes().decode()
    assert story.text() == told, f"{path.name} differs: if the change is meant, run `make golden` and review the diff"


def test_every_golden_file_has_its_story() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == set(STORIES)
