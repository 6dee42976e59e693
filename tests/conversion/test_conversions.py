"""A conversion is one attempt's way through two wires, and is driven here without a gateway."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from agcore.codecs import json_text
from agcore.conversation.losses import Losses
from agcore.conversion.base import GiveUp, Outgoing, Output, Passing, Upstream, WholeAnswer
from agcore.conversion.choices import Choices
from agcore.conversion.drawing import Drawing
from agcore.conversion.generation import TranslatedGeneration
from agcore.conversion.media import MediaPassThrough
from agcore.conversion.passthrough import Generation, GenerationPassThrough
from agcore.conversion.translation import ModelTarget, Translation, translate
from agcore.dialects import DIALECTS, task_registry
from agcore.dialects.base import PathParts, RequestSummary
from agcore.dialects.tasks import Destination
from agcore.models.known import profile
from agcore.protocol.fault import Fault
from agcore.protocol.http import Headers

SSE: Headers = ((b"content-type", b"text/event-stream"),)
JSON: Headers = ((b"content-type", b"application/json"),)
DELTA = b'data: {"id":"1","object":"chat.completion.chunk","model":"up","choices":[{"index":0,"delta":{"content":"hi"}}]}\n\n'
STOP = b'data: {"id":"1","model":"up","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
BODY = b'{"model":"up","messages":[{"role":"user","content":"hi"}]}'
ROLE = b'data: {"id":"1","model":"up","choices":[{"index":0,"delta":{"role":"assistant"}}]}\n\n'
ANSWER: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "model": "up",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
}


def passing(*, stream: bool, body: bytes = BODY, mint: Callable[[], str] = lambda: "0" * 24) -> GenerationPassThrough:
    request = Outgoing(b"/v1/chat/completions", (), body=body)
    summary = RequestSummary(model="mine", stream=stream)
    generation = Generation(summary, "mine", hides_usage=False, signer="x", mint=mint)
    return GenerationPassThrough(request, Upstream("up", DIALECTS["openai_chat"]), generation, losses=Losses())


def translated(*, stream: bool = False, n: int = 1, up: str = "anthropic") -> Translation:
    body = {"model": "m", "n": n, "messages": [{"role": "user", "content": "hi"}], "stream": stream}
    target = ModelTarget(dialect=up, model="up", profile=profile("up"), signer=up)
    found = translate("openai_chat", json_text.encode(body), model="m", stream=stream, target=target)
    assert isinstance(found, Translation)
    return found


def choices(*, stream: bool, n: int = 2) -> Choices:
    return Choices(
        translated(stream=stream, n=n),
        Upstream("up", DIALECTS["anthropic"]),
        request=lambda body: Outgoing(b"/v1/messages", (), body=body),
        summary=RequestSummary(model="m", stream=stream),
        id="0123456789abcdef01234567",
        created=1,
    )


def message(*content: dict[str, Any]) -> bytes:
    usage = {"input_tokens": 3, "output_tokens": 2}
    kind = "tool_use" if any(each["type"] == "tool_use" for each in content) else "end_turn"
    return json.dumps({"type": "message", "content": content, "stop_reason": kind, "usage": usage}).encode()


def test_announcements_wait_for_content_and_the_last_event_ends_the_stream() -> None:
    conversion = passing(stream=True)
    assert conversion.head(200, SSE) is Passing.STREAM
    assert conversion.feed(ROLE) == Output(deferred=True)
    first = conversion.feed(DELTA)
    assert first.data.count(b"\n\n") == 2
    assert b'"mine"' in first.data
    assert conversion.broken() is None
    conversion.feed(STOP)
    rest = conversion.broken()
    assert rest is not None
    assert rest.data == b"data: [DONE]\n\n"
    last = conversion.feed(b"data: [DONE]\n\n")
    assert (last.terminal, last.fault) == (True, None)
    assert conversion.feed(DELTA) == Output()


def test_a_stream_that_ends_early_is_a_fault() -> None:
    conversion = passing(stream=True)
    conversion.feed(ROLE)
    ended = conversion.end()
    assert (ended.data, ended.terminal) == (b"", False)
    assert ended.fault is not None


def test_a_200_that_holds_an_error_is_a_fault() -> None:
    conversion = passing(stream=False)
    assert conversion.head(200, JSON) is Passing.WHOLE
    fault = conversion.whole(b'{"error":{"code":429,"message":"slow down"}}', now=0)
    assert isinstance(fault, Fault)
    assert (fault.status, fault.message) == (429, "slow down")


def test_a_whole_answer_shows_the_clients_model_and_keeps_every_other_byte() -> None:
    conversion = passing(stream=False)
    said = b'{"model" : "up",  "choices": [{"text": "hi", "message":{"content" : "hi"}}], "usage":{"prompt_tokens":2}}'
    answer = conversion.whole(said, now=0)
    assert answer == WholeAnswer(said.replace(b'"up"', b'"mine"'))
    assert conversion.usage is not None
    assert conversion.usage.input == 2


def test_a_whole_answer_to_a_stream_request_is_told_as_the_stream() -> None:
    conversion = passing(stream=True)
    assert conversion.head(200, JSON) is Passing.WHOLE
    answer = conversion.whole(json.dumps(ANSWER).encode(), now=0)
    assert isinstance(answer, Output)
    assert answer.terminal
    assert answer.data.endswith(b"data: [DONE]\n\n")
    assert conversion.response == ANSWER


def test_a_whole_answer_that_cannot_be_written_as_a_stream_is_a_fault() -> None:
    def mint() -> str:
        raise ValueError("nested too deeply")

    conversion = passing(stream=True, mint=mint)
    conversion.head(200, JSON)
    fault = conversion.whole(json.dumps(ANSWER).encode(), now=0)
    assert isinstance(fault, Fault)
    assert fault.message == "the upstream's answer cannot be streamed: nested too deeply"


def test_the_same_answer_comes_whole_or_as_a_stream_through_a_translation() -> None:
    for stream in (False, True):
        conversion = TranslatedGeneration(
            Outgoing(b"/v1/messages", (), body=b"{}"),
            Upstream("up", DIALECTS["anthropic"]),
            translated(stream=stream),
            summary=RequestSummary(model="m", stream=stream),
            id="0" * 24,
            created=1,
        )
        assert conversion.head(200, JSON) is Passing.WHOLE
        answer = conversion.whole(message({"type": "text", "text": "hello"}), now=1)
        assert isinstance(answer, Output if stream else WholeAnswer)
        shown = answer.data if isinstance(answer, Output) else answer.body
        assert b"hello" in shown
        assert conversion.usage is not None
        assert conversion.usage.output == 2


def test_without_signatures_there_is_nothing_to_take_out() -> None:
    refusal = Fault(status=400, message="Invalid `signature` in `thinking` block")
    assert passing(stream=False).unsigned(refusal, now=0) is None
    assert passing(stream=False).unsigned(Fault(status=400, message="no"), now=0) is None


@pytest.mark.parametrize(
    ("kind", "how"),
    [(b"text/event-stream", Passing.STREAM), (b"application/json", Passing.WHOLE), (b"audio/mpeg", Passing.RAW)],
)
def test_media_pass_as_their_content_type_says(kind: bytes, how: Passing) -> None:
    media = task_registry.media()["openai_chat"]
    conversion = MediaPassThrough(
        Outgoing(b"/audio/speech", ()),
        Upstream("up", DIALECTS["openai_chat"]),
        media,
        shown_model=None,
        read_usage=media.read_usage,
    )
    assert conversion.head(200, ((b"content-type", kind),)) is how
    error = conversion.error(Fault(status=502, message="broken"), "id")
    assert (error is None) == (how is Passing.RAW)


def test_calls_of_different_branches_never_share_an_id() -> None:
    division = choices(stream=False)
    answers: list[Any] = []
    for number in range(division.count):
        branch = division.branch(number)
        assert branch.head(200, JSON) is Passing.WHOLE
        answers.append(branch.whole(message({"type": "tool_use", "id": "same", "name": "f", "input": {}}), now=1))
    assert answers[0] == Output()
    whole = json.loads(answers[1].body)
    calls = [choice["message"]["tool_calls"][0]["id"] for choice in whole["choices"]]
    assert [choice["index"] for choice in whole["choices"]] == [0, 1]
    assert calls[0] == "same"
    assert calls[1].startswith("same")
    assert calls[1] != "same"
    assert division.usage is not None
    assert (division.usage.input, division.usage.output) == (6, 4)


def test_choices_end_once_every_branch_has_ended() -> None:
    division = choices(stream=True)
    first, second = division.branch(0), division.branch(1)
    said = first.whole(message({"type": "text", "text": "one"}), now=1)
    assert isinstance(said, Output)
    assert (b"one" in said.data, said.terminal) == (True, False)
    said = second.whole(message({"type": "text", "text": "two"}), now=1)
    assert isinstance(said, Output)
    assert said.terminal
    assert said.data.endswith(b"data: [DONE]\n\n")


def test_a_choice_without_signatures_is_not_asked_again() -> None:
    branch = choices(stream=False).branch(0)
    assert branch.unsigned(Fault(status=400, message="Invalid `signature` in `thinking` block"), now=0) is None
    assert branch.unsigned(Fault(status=400, message="no"), now=0) is None


def test_a_choice_that_cannot_be_read_is_a_fault() -> None:
    branch = choices(stream=False).branch(0)
    branch.head(200, JSON)
    assert isinstance(branch.whole(b'{"type":"message","content":"none"}', now=0), Fault)


def test_pictures_announce_nothing_and_tell_their_errors_as_media_do() -> None:
    images, at = task_registry.images(), Destination(b"", "m", profile("m"), PathParts())
    wanted = images.clients["openai_chat"].read_request({"prompt": "x"}, path="", model="m", losses=Losses())
    half = images.upstreams["gemini"]
    division = Drawing(
        wanted,
        [Outgoing(half.target(wanted, at), (), body=body) for body in half.write_requests(wanted, at, Losses())],
        Upstream("up", DIALECTS["gemini"]),
        client=images.clients["openai_chat"],
        half=half,
        media=task_registry.media()["openai_chat"],
        at=at,
        model="m",
        losses=Losses(),
        opens_early=False,
    )
    assert (division.release(), division.usage, division.fault) == (b"", None, None)
    assert (division.error(Fault(status=502, message="broken"), "id") or b"").startswith(b"event: error\n")
    branch = division.branch(0)
    assert (branch.response, branch.broken(), branch.error(Fault(status=502, message="x"), "id")) == (None, None, None)
    given_up = division.failed(0, Fault(status=500, message="busy"), final=True, now=0)
    assert given_up == GiveUp(Fault(status=500, message="busy"), final=True)
