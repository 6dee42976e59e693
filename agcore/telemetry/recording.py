"""An exchange written down: what it was told, what it was answered by everything outside of it, and what it commanded.

A recording is lines of JSON. `agcore.replay` drives an exchange by them again, in a fresh gateway of the same
configuration, which the recording does not contain: no secret of the configuration stands in it, and no credential that
a client showed. Secrets become marks that name their place in the configuration, and marks become secrets again for the
replay. What the exchange commanded is held as a digest, so that a replay can be compared without a second copy of it.

The texts of requests and answers do stand in a recording.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import blake2s
from typing import Final, TypeAlias, TypeVar
from urllib.parse import quote, unquote_to_bytes

import msgspec

from agcore.config.values import Config, Secret
from agcore.protocol.effects import Effect, OpenUpstream
from agcore.protocol.http import Headers, Peer, RequestHead
from agcore.protocol.inputs import FileRead, Input, RequestData, UpstreamData, UpstreamHead

_Value = TypeVar("_Value")

MASKED: Final = b"{masked}"
"""In place of a credential that is none of the configuration's."""
CREDENTIALS: Final = frozenset(
    {b"authorization", b"proxy-authorization", b"x-api-key", b"x-goog-api-key", b"api-key", b"cookie"}
)
"""Headers whose values are credentials."""
SHORTEST: Final = 8
"""Characters; a shorter secret, such as local servers are given, may be part of any word: it is none."""

_KEY_PARAMETER: Final = re.compile(rb"([?&]key=)([^&]*)")


class Opened(msgspec.Struct, frozen=True, tag=True):
    """The request's head came."""

    at: float
    head: RequestHead
    peer: Peer
    watched: bool = False
    """True where the gateway's events were watched."""


class Told(msgspec.Struct, frozen=True, tag=True):
    """The exchange was told a fact."""

    at: float
    input: Input


class TimedOut(msgspec.Struct, frozen=True, tag=True):
    """The moment of a deadline came."""

    at: float


class Abandoned(msgspec.Struct, frozen=True, tag=True):
    """The driver gave up."""

    at: float


class Answered(msgspec.Struct, frozen=True, tag=True):
    """The exchange asked for something, and got it."""

    question: str
    """A name of `machines.outside.Outside`."""
    answer: msgspec.Raw


class Commanded(msgspec.Struct, frozen=True, tag=True):
    """The effects of what the last of the other lines but `Answered` says."""

    effects: tuple[str, ...]
    """Their kinds."""
    digest: str
    """A hash over all of them, credentials of requests to upstreams left out."""


Line: TypeAlias = Opened | Told | TimedOut | Abandoned | Answered | Commanded
_LINE: Final = msgspec.json.Decoder(Line)


class Recorder:
    """Writes an exchange down as it goes: pass one to `Gateway.open`.

    Args:
        config: Of the gateway; its secrets are kept out.
    """

    def __init__(self, config: Config) -> None:
        self.lines: list[Line] = []
        """What was written so far."""
        self._marks = Marks(config)

    @property
    def text(self) -> bytes:
        """The recording: a line of JSON for each of `lines`."""
        return b"".join(msgspec.json.encode(line) + b"\n" for line in self.lines)

    def opened(self, head: RequestHead, peer: Peer, *, watched: bool, now: float) -> None:
        """The request's head came."""
        self.lines.append(Opened(now, self._marks.hide_in_head(head), peer, watched))

    def told(self, input: Input, *, now: float) -> None:
        """The exchange is told a fact."""
        self.lines.append(Told(now, self._marks.hide_in_input(input)))

    def mistaken(self) -> None:
        """The latest input was a mistake of the driver's, and did nothing."""
        self.lines.pop()

    def timed_out(self, *, now: float) -> None:
        """A deadline may have come."""
        self.lines.append(TimedOut(now))

    def abandoned(self, *, now: float) -> None:
        """The driver gives up."""
        self.lines.append(Abandoned(now))

    def commanded(self, effects: Sequence[Effect]) -> None:
        """The exchange has answered that with effects."""
        self.lines.append(commanded(effects))

    def tell(self, report: Callable[[], object]) -> None:
        """Pass something on that has no answer."""
        report()

    def answer(self, question: str, ask: Callable[[], _Value], kind: msgspec.json.Decoder[_Value]) -> _Value:
        """Ask a question, and write the answer down."""
        value = ask()
        self.lines.append(Answered(question, msgspec.Raw(msgspec.json.encode(value))))
        return value


class Marks:
    """Puts marks in place of a configuration's secrets, and the secrets back.

    Args:
        config: Has the secrets. They are named by their places in it.
    """

    def __init__(self, config: Config) -> None:
        secrets: dict[bytes, bytes] = {}
        for place, secret in _secrets(config, ""):
            secrets.setdefault(secret.reveal().encode(), b"{secret:%b}" % place.encode())
        secrets.pop(b"", None)
        # The longest first: one secret may be the beginning of another.
        self._marks = dict(sorted(secrets.items(), key=lambda item: -len(item[0])))

    def hide(self, data: bytes) -> bytes:
        """The bytes with marks for secrets."""
        for secret, mark in self._marks.items():
            if len(secret) >= SHORTEST:
                data = data.replace(secret, mark)
        return data

    def show(self, data: bytes) -> bytes:
        """The bytes with secrets for marks."""
        for secret, mark in self._marks.items():
            data = data.replace(mark, secret)
        return data

    def hide_in_head(self, head: RequestHead) -> RequestHead:
        """The head without credentials, be they known or not."""
        target = _KEY_PARAMETER.sub(lambda found: found[1] + self._hidden(unquote_to_bytes(found[2])), head.target)
        headers = tuple(
            (name, self._hidden(value) if name in CREDENTIALS else self.hide(value)) for name, value in head.headers
        )
        return RequestHead(head.method, target, headers)

    def show_in_head(self, head: RequestHead) -> RequestHead:
        """The head as it was, but for credentials that nobody knows."""
        target = _KEY_PARAMETER.sub(lambda found: found[1] + quote(self.show(found[2]), safe="").encode(), head.target)
        return RequestHead(head.method, target, tuple((name, self.show(value)) for name, value in head.headers))

    def hide_in_input(self, input: Input) -> Input:
        """The input with marks for secrets."""
        return _changed(input, self.hide)

    def show_in_input(self, input: Input) -> Input:
        """The input as it was."""
        return _changed(input, self.show)

    def _hidden(self, credential: bytes) -> bytes:
        """A credential without what makes it one; its scheme stays."""
        shown = self.hide(credential)
        if shown != credential or not credential.strip():
            return shown
        scheme, space, text = credential.strip().partition(b" ")
        if not space:
            scheme, text = b"", scheme
        return scheme + space + self._marks.get(text.strip(), MASKED)


def commanded(effects: Sequence[Effect]) -> Commanded:
    """The line for effects."""
    digest = blake2s(msgspec.json.encode([_public(effect) for effect in effects]), digest_size=16).hexdigest()
    return Commanded(tuple(type(effect).__name__ for effect in effects), digest)


def read(recording: bytes) -> list[Line]:
    """The lines of a recording.

    Raises:
        ValueError: It is none.
    """
    return [_LINE.decode(line) for line in recording.splitlines() if line]


def _public(effect: Effect) -> Effect:
    """The effect without the credentials that it sends to an upstream."""
    if not isinstance(effect, OpenUpstream):
        return effect
    request = effect.request
    headers = tuple((name, MASKED if name in CREDENTIALS else value) for name, value in request.headers)
    origin = msgspec.structs.replace(request.origin, proxy=None)
    return msgspec.structs.replace(effect, request=msgspec.structs.replace(request, origin=origin, headers=headers))


def _changed(input: Input, change: Callable[[bytes], bytes]) -> Input:
    if isinstance(input, RequestData | UpstreamData | FileRead):
        return msgspec.structs.replace(input, data=change(input.data))
    if isinstance(input, UpstreamHead):
        headers: Headers = tuple((name, change(value)) for name, value in input.headers)
        return msgspec.structs.replace(input, headers=headers)
    return input


def _secrets(value: object, place: str) -> Iterator[tuple[str, Secret]]:
    """Every secret of a configuration, by its place in it."""
    if isinstance(value, Secret):
        yield place, value
    elif isinstance(value, msgspec.Struct):
        for name, each in msgspec.structs.asdict(value).items():
            yield from _secrets(each, f"{place}.{name}" if place else name)
    elif isinstance(value, Mapping):
        for name, each in value.items():
            yield from _secrets(each, f"{place}.{name}")
    elif isinstance(value, tuple | list):
        for number, each in enumerate(value):
            yield from _secrets(each, f"{place}[{number}]")
