"""OpenAI's media and moderations as they pass through: pictures, sound, scores (docs/wire/openai-media.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from agcore.codecs import json_text
from agcore.codecs.sse import Frame
from agcore.dialects.base import FrameKind
from agcore.dialects.openai.errors import parse_error, stream_error
from agcore.dialects.openai_chat import stream_events as openai_chat
from agcore.dialects.openai_responses import stream_events as openai_responses
from agcore.dialects.shared.faults import NOT_JSON
from agcore.dialects.tasks import Destination
from agcore.protocol.fault import Fault
from agcore.protocol.report import Usage

DEFAULT_MODELS: Final = {"/v1/moderations": "omni-moderation-latest"}
"""What OpenAI documents for a request that names no model. Elsewhere a missing one is a 400: nothing is guessed."""

_PAID: Final = ("/v1/images", "/v1/audio")
"""Paths below which every answer costs."""
_TERMINAL: Final = frozenset(
    {"image_generation.completed", "image_edit.completed", "transcript.text.done", "speech.audio.done"}
)


def target(path: str, at: Destination) -> bytes:
    """`PREFIX` and the path of the route, without its version."""
    return at.prefix + path.removeprefix("/v1").encode("ascii")


def is_repeatable(path: str) -> bool:
    """Whether it is neither a picture nor a recording: one that was made twice was also paid for twice."""
    return not path.startswith(_PAID)


def read_usage(answer: Mapping[str, object]) -> Usage | None:
    """Usage of an answer or an event: images, transcripts and speech count as Responses do, embeddings as Chat does."""
    usage = answer.get("usage")
    if not isinstance(usage, Mapping) or usage.get("type") == "duration":
        return None
    read = openai_responses.read_usage if "input_tokens" in usage else openai_chat.read_usage
    return read(answer)


class StreamTap:
    """Watches the events of streamed images, transcripts and speech."""

    response: Final = None

    def __init__(self) -> None:
        self.usage: Usage | None = None
        self.finished = False
        self.fault: Fault | None = None

    def read(self, frame: Frame) -> tuple[FrameKind, bytes]:
        """See `base.StreamTap`. Several images end in several terminal events, so none of them ends the stream."""
        if frame.data is None or frame.data.strip() == b"[DONE]":
            return FrameKind.LIFECYCLE, frame.raw
        try:
            event = json_text.decode(frame.data)
        except ValueError:
            event = None
        if not isinstance(event, dict):
            self.fault = NOT_JSON
            return FrameKind.ERROR, b""
        if event.get("type") == "error" or event.get("error"):
            self.fault = parse_error(502, event.get("error") or event)
            return FrameKind.ERROR, b""
        self.usage = read_usage(event) or self.usage
        kind = event.get("type")
        self.finished = self.finished or (isinstance(kind, str) and kind in _TERMINAL)
        return FrameKind.CONTENT, frame.raw

    def closing(self) -> bytes:
        """Nothing: these streams end with their connection."""
        return b""

    def error(self, fault: Fault, request_id: str) -> bytes:
        """An `error` event."""
        return b"event: error\n" + stream_error(fault, request_id)
