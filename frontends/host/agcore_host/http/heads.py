"""Heads of HTTP/1.1 messages as bytes: checked as a whole, joined and split at once.

h11 can do it, too, but validates each name and each value by a pattern of its own, twice for every field that is
relayed. What must never leave are line ends and NULs inside a value, and names that are no tokens: the former are
counted over the whole block at once, and most of the latter are known.

What is read here is *plain*: a complete head of HTTP/1.1 that no two parsers understand differently. Each line ends in
CR LF and has no other control character but the tab, no line is folded, names are tokens right before their colon, each
field that says something about the message or the connection is there at most once, and says the usual. It is a part
of what h11 takes, and h11 would say the same about it. What is not plain may still be right, and is not judged here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import h11
import msgspec

from agcore.protocol import Headers

FRAMING: Final = frozenset({b"content-length", b"transfer-encoding", b"connection"})
"""Fields that decide where a message ends and whether its connection goes on."""

KNOWN_NAMES: Final = frozenset(
    b"accept accept-encoding authorization anthropic-beta anthropic-version cache-control connection content-length "
    b"content-type date host openai-organization openai-processing-ms openai-project openai-version request-id "
    b"retry-after server transfer-encoding user-agent vary x-agcore-attempts x-agcore-model x-agcore-provider "
    b"x-api-key "
    b"x-goog-api-key x-ratelimit-limit-requests x-ratelimit-limit-tokens x-ratelimit-remaining-requests "
    b"x-ratelimit-remaining-tokens x-ratelimit-reset-requests x-ratelimit-reset-tokens x-request-id".split()
)
"""Names that need no look at their letters."""

_SAYING: Final = frozenset({b"host", b"content-length", b"transfer-encoding", b"connection", b"expect", b"upgrade"})
"""Fields that a plain head has at most once."""

_MAX_DIGITS: Final = 15
"""Of a plain length; a petabyte has as many."""

_FIELDS: Final = rb"((?:[-!#$%&'*+.^_`|~0-9A-Za-z]++:[^\x00-\x08\x0a-\x1f\x7f]*+\r\n)*+)\r\n"
_match_request: Final = re.compile(rb"([-!#$%&'*+.^_`|~0-9A-Za-z]++) ([\x21-\x7e]++) HTTP/1\.1\r\n" + _FIELDS).match
_match_response: Final = re.compile(rb"HTTP/1\.1 ([2-9][0-9][0-9]) [^\x00-\x08\x0a-\x1f\x7f]*+\r\n" + _FIELDS).match

_is_token: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch
_is_target: Final = re.compile(rb"[\x21-\x7e]+").fullmatch


def field_lines(headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Joins fields into lines (RFC 9112, section 5), each one ended.

    Raises:
        h11.LocalProtocolError: a name is no token, or a value has a line end or NUL in it.
    """
    for name, _ in headers:
        if name not in KNOWN_NAMES and not _is_token(name):
            raise h11.LocalProtocolError(f"not the name of a header field: {name!r}")
    lines = b"\r\n".join([*map(b": ".join, headers), b""])
    if lines.count(b"\n") != len(headers) or lines.count(b"\r") != len(headers) or b"\0" in lines:
        raise h11.LocalProtocolError("a line end or NUL within the value of a header field")
    return lines


def request_head(method: str, target: bytes, headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """The head of a request, with the empty line at its end.

    Raises:
        h11.LocalProtocolError: a part of it cannot be sent.
    """
    start = method.encode("ascii", "replace")
    if not _is_token(start) or not _is_target(target):
        raise h11.LocalProtocolError("not a method or not a request target")
    return b"%s %s HTTP/1.1\r\n%s\r\n" % (start, target, field_lines(headers))


class PlainRequest(msgspec.Struct, frozen=True):
    """A plain head whose body, if there is one, has a `length`."""

    method: str
    target: bytes
    headers: Headers
    length: int
    """Bytes of the body."""
    size: int
    """Bytes of the head."""


class PlainResponse(msgspec.Struct, frozen=True):
    """A plain head, not to a HEAD or CONNECT, whose body has a `length` or is chunked."""

    status: int
    headers: Headers
    length: int | None
    """Bytes of the body; None if it is chunked."""
    size: int
    """Bytes of the head."""


def plain_request(data: bytes) -> PlainRequest | None:
    """The plain head that `data` begins with; None if it does not, or not yet."""
    match = _match_request(data)
    found = _split(match[3]) if match is not None else None
    if match is None or found is None or match[1] == b"CONNECT":
        return None
    headers, saying = found
    length = saying.pop(b"content-length", b"0")
    if saying.keys() != {b"host"} or not is_length(length):
        return None
    return PlainRequest(match[1].decode("ascii"), match[2], headers, int(length), match.end())


def plain_response(data: bytes) -> PlainResponse | None:
    """The plain head that `data` begins with; None if it does not, or not yet."""
    match = _match_response(data)
    found = _split(match[2]) if match is not None else None
    if match is None or found is None or match[1] in (b"204", b"304"):
        return None
    headers, saying = found
    if saying.keys() == {b"content-length"} and is_length(saying[b"content-length"]):
        return PlainResponse(int(match[1]), headers, int(saying[b"content-length"]), match.end())
    if saying == {b"transfer-encoding": b"chunked"}:
        return PlainResponse(int(match[1]), headers, None, match.end())
    return None


def _split(block: bytes) -> tuple[Headers, dict[bytes, bytes]] | None:
    """All fields of a block of plain lines, and those that say something; None if one of these is there twice.

    `connection: keep-alive` is what HTTP/1.1 means anyway, and says nothing.
    """
    parts = [line.partition(b":") for line in block.split(b"\r\n")[:-1]]
    # No other white space has passed the pattern.
    headers = tuple([(name.lower(), value.strip()) for name, _, value in parts])
    fields = [field for field in headers if field[0] in _SAYING]
    saying = dict(fields)
    if len(saying) < len(fields):
        return None
    if saying.get(b"connection", b"").lower() == b"keep-alive":
        del saying[b"connection"]
    return headers, saying


def is_length(value: bytes) -> bool:
    """The value is a plain length: digits, and not too many."""
    return value.isdigit() and len(value) <= _MAX_DIGITS
