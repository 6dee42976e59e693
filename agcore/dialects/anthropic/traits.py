"""Anthropic Messages (docs/wire/anthropic-messages.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from agcore.codecs import json_text
from agcore.codecs.json_splice import Members
from agcore.codecs.request_target import RequestTarget
from agcore.codecs.sse import Frame, encode
from agcore.conversation.usage import Usage, count
from agcore.dialects import base
from agcore.dialects.anthropic import errors as anthropic_error
from agcore.dialects.base import Meaning, RequestSummary, ask_of_body, model_edit, renamed
from agcore.ingress.routes import MatchedRoute
from agcore.protocol.fault import Fault

NAME: Final = "anthropic"
FAMILY: Final = anthropic_error.FAMILY
KEEPALIVE: Final = b'event: ping\ndata: {"type":"ping"}\n\n'
MODEL_MEMBER: Final = "model"

parse_error = anthropic_error.parse_error
render_error = anthropic_error.render_error

_CONTENT: Final = frozenset({"content_block_start", "content_block_delta", "content_block_stop", "message_delta"})


def read_ask(members: Members, match: MatchedRoute, target: RequestTarget) -> RequestSummary | Fault:
    """Model and stream, from the body."""
    return ask_of_body(members)


def generate_target(prefix: bytes, match: MatchedRoute, model: str, ask: RequestSummary) -> bytes:
    """`PREFIX/v1/messages`."""
    return prefix + b"/v1/messages"


def count_target(prefix: bytes, match: MatchedRoute, model: str) -> bytes:
    """`PREFIX/v1/messages/count_tokens`."""
    return prefix + b"/v1/messages/count_tokens"


def edits(members: Members, ask: RequestSummary, model: str) -> tuple[dict[str, bytes | None], bool]:
    """Only the model's name: usage always comes."""
    return model_edit(members, model), False


def read_usage(answer: Mapping[str, object]) -> Usage | None:
    """Usage; `input_tokens` excludes both caches already (docs/wire/answers.md#usage)."""
    usage = answer.get("usage")
    if not isinstance(usage, dict):
        return None
    return Usage(
        fresh=count(usage, "input_tokens"),
        cache_read=count(usage, "cache_read_input_tokens"),
        cache_write=count(usage, "cache_creation_input_tokens"),
        output=count(usage, "output_tokens"),
        reasoning=count(usage, "output_tokens_details", "thinking_tokens"),
    )


class StreamTap:
    """Watches message events."""

    def __init__(self, *, shown_model: str | None, hide_usage: bool) -> None:
        self.finished = False
        self.fault: Fault | None = None
        self._shown_model = shown_model
        self._usage: dict[str, object] = {}
        self._stopped = False

    @property
    def usage(self) -> Usage | None:
        """Cumulative: what `message_delta` restates overrides `message_start`."""
        return read_usage({"usage": self._usage}) if self._usage else None

    def read(self, frame: Frame) -> tuple[Meaning, bytes]:
        """See `base.StreamTap`. An event without its `event:` line gets it: Anthropic's SDKs drop it otherwise."""
        data = frame.data
        if data is None or data.strip() in (b"", b"[DONE]"):
            return Meaning.LIFECYCLE, b"" if data == b"" else frame.raw
        try:
            event = json_text.decode(data)
        except ValueError:
            event = None
        if not isinstance(event, dict):
            self.fault = base.NOT_JSON
            return Meaning.ERROR, b""
        kind = event.get("type")
        if kind == "error" or frame.event == "error":
            error = event.get("error")
            named = error.get("type") if isinstance(error, dict) else None
            self.fault = parse_error(anthropic_error.status_of(named), event)
            return Meaning.ERROR, b""
        message = event.get("message")
        for usage in (message.get("usage") if isinstance(message, dict) else None, event.get("usage")):
            if isinstance(usage, dict):
                self._usage.update((name, value) for name, value in usage.items() if value is not None)
        delta = event.get("delta")
        if kind == "message_delta" and isinstance(delta, dict) and delta.get("stop_reason") is not None:
            self.finished = True
        out = self._edited(frame, event)
        if kind == "message_stop":
            self.finished = self._stopped = True
            return Meaning.TERMINAL, out
        return (Meaning.CONTENT if kind in _CONTENT else Meaning.LIFECYCLE), out

    def closing(self) -> bytes:
        """`message_stop`, where the upstream left it out after a stop reason."""
        return b"" if self._stopped else b'event: message_stop\ndata: {"type":"message_stop"}\n\n'

    def error(self, fault: Fault, request_id: str) -> bytes:
        """An `error` event, legal at any point of a stream."""
        return anthropic_error.stream_error(fault, request_id)

    def _edited(self, frame: Frame, event: dict[str, object]) -> bytes:
        data = frame.data
        assert data is not None
        kind, message = event.get("type"), event.get("message")
        named = frame.event
        if named is None and isinstance(kind, str) and kind.isprintable():
            named = kind
        if self._shown_model is not None and isinstance(message, dict) and "model" in message:
            data = renamed(data, event, "message", self._shown_model)
        elif named == frame.event:
            return frame.raw
        return encode(data, event=named)
