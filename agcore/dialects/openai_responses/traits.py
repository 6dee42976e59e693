"""OpenAI Responses (docs/wire/openai-responses.md)."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from agcore.codecs import json_text
from agcore.codecs.json_splice import Members
from agcore.codecs.request_target import RequestTarget
from agcore.codecs.sse import Frame, encode
from agcore.conversation.usage import Usage, count
from agcore.dialects import base
from agcore.dialects.base import Meaning, RequestSummary, ask_of_body, model_edit, renamed
from agcore.dialects.openai import errors as openai_error
from agcore.ingress.routes import MatchedRoute
from agcore.protocol.fault import Fault

NAME: Final = "openai_responses"
FAMILY: Final = openai_error.FAMILY
KEEPALIVE: Final = b": keepalive\n\n"
MODEL_MEMBER: Final = "model"

parse_error = openai_error.parse_error
render_error = openai_error.render_error

_LIFECYCLE: Final = frozenset({"response.created", "response.queued", "response.in_progress"})
_TERMINAL: Final = frozenset({"response.completed", "response.incomplete", "response.failed"})


def read_ask(members: Members, match: MatchedRoute, target: RequestTarget) -> RequestSummary | Fault:
    """Model and stream, from the body."""
    return ask_of_body(members)


def generate_target(prefix: bytes, match: MatchedRoute, model: str, ask: RequestSummary) -> bytes:
    """`PREFIX/responses`."""
    return prefix + b"/responses"


def count_target(prefix: bytes, match: MatchedRoute, model: str) -> bytes:
    """`PREFIX/responses/input_tokens`."""
    return prefix + b"/responses/input_tokens"


def edits(members: Members, ask: RequestSummary, model: str) -> tuple[dict[str, bytes | None], bool]:
    """Only the model's name: usage always comes."""
    return model_edit(members, model), False


def read_usage(answer: Mapping[str, object]) -> Usage | None:
    """Usage; cached and written tokens are taken out of the input's (docs/wire/answers.md#usage)."""
    usage = answer.get("usage")
    if not isinstance(usage, dict):
        return None
    read = count(usage, "input_tokens_details", "cached_tokens")
    write = count(usage, "input_tokens_details", "cache_write_tokens")
    return Usage(
        fresh=max(count(usage, "input_tokens") - read - write, 0),
        cache_read=read,
        cache_write=write,
        output=count(usage, "output_tokens"),
        reasoning=count(usage, "output_tokens_details", "reasoning_tokens"),
    )


class StreamTap:
    """Watches response events, and remembers enough of them to end a broken stream with `response.failed`."""

    def __init__(self, *, shown_model: str | None, hide_usage: bool) -> None:
        self.usage: Usage | None = None
        self.finished = False
        self.fault: Fault | None = None
        self._shown_model = shown_model
        self.response: dict[str, object] | None = None
        """The response, as its newest event shows it."""
        self._sequence = 0
        self._content = False

    def read(self, frame: Frame) -> tuple[Meaning, bytes]:
        """See `base.StreamTap`. A `response.failed` after content is the dialect's own end and passes as it is."""
        data = frame.data
        if data is None or not data.strip():
            return Meaning.LIFECYCLE, frame.raw if base.is_comment(frame) else b""
        if data.strip() == b"[DONE]":
            return Meaning.LIFECYCLE, frame.raw
        try:
            event = json_text.decode(data)
        except ValueError:
            event = None
        if not isinstance(event, dict):
            self.fault = base.NOT_JSON
            return Meaning.ERROR, b""
        kind = event.get("type")
        if kind == "error" or (kind is None and event.get("error")):
            error = event.get("error") or {name: event.get(name) for name in ("message", "code", "param")}
            self.fault = parse_error(status_in_stream(error), error)
            return Meaning.ERROR, b""
        response = event.get("response")
        response = response if isinstance(response, dict) else None
        if kind == "response.failed" and not self._content:
            error = (response or {}).get("error")
            self.fault = parse_error(status_in_stream(error), error)
            return Meaning.ERROR, b""
        sequence = event.get("sequence_number")
        self._sequence = sequence + 1 if isinstance(sequence, int) else self._sequence + 1
        if response is not None:
            self.response = response
            self.usage = read_usage(response) or self.usage
        out = self._edited(frame, event, response)
        if kind in _TERMINAL:
            self.finished = True
            return Meaning.TERMINAL, out
        if kind in _LIFECYCLE or not isinstance(kind, str) or not kind.startswith("response."):
            return Meaning.LIFECYCLE, out
        self._content = True
        return Meaning.CONTENT, out

    def closing(self) -> bytes:
        """Nothing: the terminal event is the end."""
        return b""

    def error(self, fault: Fault, request_id: str) -> bytes:
        """`response.failed` in a response, else a flat `error` (docs/wire/openai-responses.md#errors-in-a-stream)."""
        error = openai_error.error_object(fault)
        code = failure_code(fault)
        if self.response is not None:
            response = {**self.response, "status": "failed", "error": {"code": code, "message": error.get("message")}}
            failed = {"type": "response.failed", "sequence_number": self._sequence, "response": response}
            with suppress(ValueError):
                return encode(json_text.encode(failed), event="response.failed")
        flat = {
            "type": "error",
            "code": code,
            "message": error.get("message"),
            "param": error.get("param"),
            "sequence_number": self._sequence,
        }
        return encode(json_text.encode(flat), event="error")

    def _edited(self, frame: Frame, event: dict[str, object], response: dict[str, object] | None) -> bytes:
        data = frame.data
        assert data is not None
        if self._shown_model is not None and response is not None and "model" in response:
            data = renamed(data, event, "response", self._shown_model)
        elif frame.id is None:
            return frame.raw
        # An `id:` line would make a later keepalive comment look like an event to OpenAI's SDKs.
        return encode(data, event=frame.event)


def failure_code(fault: Fault) -> str:
    """The code that a stream fails with: never none, and never a number, as aggregators give one."""
    code = openai_error.error_object(fault).get("code")
    if isinstance(code, str) and code:
        return code
    return "rate_limit_exceeded" if fault.status == 429 else "server_error"


def status_in_stream(error: object) -> int:
    """The HTTP status that an error inside a stream would have had before it."""
    code = error.get("code") if isinstance(error, Mapping) else None
    if code in ("rate_limit_exceeded", "insufficient_quota"):
        return 429
    if code in ("invalid_prompt", "context_length_exceeded"):
        return 400
    return 502
