"""What every dialect module offers, and the words they share.

A dialect is a module, not a class: `DIALECTS` maps its name to it. The pass-through needs little of a dialect: which
model a request asks for and whether it wants a stream, where the request goes, what each frame of an upstream's stream
means, and how that vendor spells an error.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Protocol

import msgspec

from agcore.codecs import json_text
from agcore.codecs.json_splice import BodyError, Members, parse, splice
from agcore.codecs.request_target import RequestTarget
from agcore.codecs.sse import Frame
from agcore.conversation.usage import Usage
from agcore.ingress.routes import MatchedRoute
from agcore.protocol.fault import Fault, invalid


class RequestSummary(msgspec.Struct, frozen=True):
    """What a request asks for, as far as passing it on depends on it."""

    model: str
    stream: bool = False
    framing: str = "sse"
    """How the client reads a stream: `sse`, or `array` for Gemini's streamed JSON array."""


class Meaning(enum.Enum):
    """What a frame of an upstream's stream is to the one who passes it on."""

    LIFECYCLE = "lifecycle"  # no content yet: an announcement, a ping, a comment, something unknown
    CONTENT = "content"
    TERMINAL = "terminal"  # the dialect's last event
    ERROR = "error"  # the stream says that it failed; `StreamTap.fault` tells how


class StreamTap(Protocol):
    """Watches an upstream's stream of one dialect on its way to a client of the same one."""

    @property
    def usage(self) -> Usage | None:
        """What the stream consumed, as far as it told."""

    @property
    def finished(self) -> bool:
        """Whether a finish reason or terminal event was seen: an end now is a proper one."""

    @property
    def fault(self) -> Fault | None:
        """How the stream failed, after `Meaning.ERROR`."""

    def read(self, frame: Frame) -> tuple[Meaning, bytes]:
        """What a frame means, and the bytes that the client gets for it: its own, unless an edit is due."""

    def closing(self) -> bytes:
        """What a properly finished stream still lacks when the upstream ends, such as `data: [DONE]`."""

    def error(self, fault: Fault, request_id: str) -> bytes:
        """The bytes that end the client's stream in an error, fitting to what was passed on so far."""


class StreamTapFactory(Protocol):
    """Makes a tap. `shown_model` replaces the model named in events, None keeps it; `hide_usage` drops usage that only
    the gateway asked for."""

    def __call__(self, *, shown_model: str | None, hide_usage: bool) -> StreamTap: ...  # noqa: D102


class Dialect(Protocol):
    """The shape of a dialect module."""

    NAME: str
    FAMILY: str
    """Dialects of one family share their error shape."""
    KEEPALIVE: bytes
    """What may be sent on a silent stream."""
    MODEL_MEMBER: str
    """The top-level member of an answer that names the model."""

    @property
    def StreamTap(self) -> StreamTapFactory:
        """The dialect's stream tap."""

    def read_ask(self, members: Members, match: MatchedRoute, target: RequestTarget) -> RequestSummary | Fault:
        """What a generate request asks for."""

    def generate_target(self, prefix: bytes, match: MatchedRoute, model: str, ask: RequestSummary) -> bytes:
        """Where a generate request goes upstream."""

    def count_target(self, prefix: bytes, match: MatchedRoute, model: str) -> bytes | None:
        """Where a token count goes upstream; None where the dialect has no counter."""

    def edits(self, members: Members, ask: RequestSummary, model: str) -> tuple[dict[str, bytes | None], bool]:
        """Members of the request to change on the way up, and whether usage must be hidden on the way down."""

    def read_usage(self, answer: Mapping[str, object]) -> Usage | None:
        """The usage that an answer reports."""

    def parse_error(self, status: int, error: object) -> Fault:
        """A fault from an upstream's decoded error."""

    def render_error(self, fault: Fault, request_id: str) -> bytes:
        """The body of an error answer."""


def ask_of_body(members: Members) -> RequestSummary | Fault:
    """The ask of a dialect that names `model` and `stream` in the body."""
    model = members.value("model")
    if not isinstance(model, str) or not model:
        return invalid("`model` is required and must be a non-empty string", param="model")
    stream = members.value("stream")
    if stream is not None and not isinstance(stream, bool):
        return invalid("`stream` must be true or false", param="stream")
    return RequestSummary(model=model, stream=bool(stream))


def model_edit(members: Members, model: str) -> dict[str, bytes | None]:
    """The edit that names the upstream's model; none when the client named it so already."""
    return {} if members.value("model") == model else {"model": msgspec.json.encode(model)}


def edited(data: bytes, event: Mapping[str, object], changes: Mapping[str, bytes | None]) -> bytes:
    """An event's text with some top-level members replaced (or, for None, removed), all other bytes untouched.

    `event` is the same event decoded: an event that only the lenient reader can read is written anew from it.
    """
    try:
        return parse(data).edited(changes)
    except BodyError:
        members = {name: value for name, value in event.items() if name not in changes}
        members.update((name, json_text.decode(value)) for name, value in changes.items() if value is not None)
        return json_text.encode(members)


def renamed(data: bytes, event: dict[str, object], holder: str, model: str) -> bytes:
    """An event's text with `model` for the model named inside its member `holder`, all other bytes untouched.

    `event` is the same event decoded, and follows: `holder` is an object in it that names a model.
    """
    inner = event[holder]
    assert isinstance(inner, dict)
    inner["model"] = model
    return splice(data, (holder, "model"), msgspec.json.encode(model)) or json_text.encode(event)


def is_comment(frame: Frame) -> bool:
    """Whether a frame holds comments and blank lines only. OpenAI's SDKs choke on any other frame without data."""
    return all(not line or line.startswith(b":") for line in frame.raw.splitlines())


def unwrapped(error: object) -> Mapping[str, object]:
    """The object that an upstream's decoded error comes down to; empty where there is none.

    It may stand under `error`, be a mere text, or come as an array of one, as Google sends it. Servers built with
    FastAPI have a `detail` in its place: a text, or a list of what was found wrong.
    """
    if isinstance(error, list) and error:
        error = error[0]
    if isinstance(error, Mapping):
        error = error.get("error", error)
    if isinstance(error, Mapping) and "detail" in error and "message" not in error:
        detail = error["detail"]
        found = [each.get("msg") for each in detail if isinstance(each, Mapping)] if isinstance(detail, list) else []
        error = detail if isinstance(detail, str) else "; ".join(each for each in found if isinstance(each, str))
    if isinstance(error, str):
        return {"message": error}
    return error if isinstance(error, Mapping) else {}


NOT_JSON = Fault(status=502, message="the upstream sent an event that is not JSON")
EMPTY = Fault(status=502, message="the upstream ended its stream without an answer")
CUT = Fault(status=502, message="the upstream ended its stream before it was complete")


def out_of_bounds(error: ValueError) -> Fault:
    """The fault for a stream that exceeds what is read of one event."""
    return Fault(status=502, message=f"the upstream's stream is out of bounds: {error}")
