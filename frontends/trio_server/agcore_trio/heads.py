"""Heads of HTTP/1.1 messages as bytes: the fields of a request or a response, checked as a whole and joined once.

h11 can do it, too, but validates each name and each value by a pattern of its own, twice for every field that is
relayed. What must never leave are line ends and NULs inside a value, and names that are no tokens: the former are
counted over the whole block at once, and most of the latter are known.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import h11

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
