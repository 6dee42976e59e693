"""The request target, parsed and normalised once: authentication and routing both decide from the value made here."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

import msgspec

from agcore.protocol.fault import Fault, invalid


class RequestTarget(msgspec.Struct, frozen=True):
    """The parts of a request target."""

    path: str
    """Percent-decoded and without trailing slashes: `/v1/models`."""
    query: tuple[tuple[str, str], ...]
    """Decoded pairs in order, without credentials."""
    raw_query: bytes
    """The same as it came, without credentials."""
    key: str | None
    """The value of `?key=`, which is a credential on some routes and nothing on the others."""
    vendor: str = ""
    """Whose name stood in front of the path, which goes without it: see `ingress.path_forms`."""

    def first(self, name: str) -> str | None:
        """The first value of a query parameter, or None."""
        for each, value in self.query:
            if each == name:
                return value
        return None


def parse(raw: bytes) -> RequestTarget | Fault:
    """Parse a target in origin form (`/path?query`), absolute form (RFC 9112 section 3.2.2) or asterisk form.

    Anything else, an escape that is not UTF-8, and control characters are a 400.
    """
    if not raw.startswith(b"/"):
        if raw == b"*":
            return RequestTarget(path="*", query=(), raw_query=b"", key=None)
        scheme, mark, rest = raw.partition(b"://")
        if not mark or scheme.lower() not in (b"http", b"https"):
            return invalid("the request target is neither a path nor an http URL")
        raw = b"/" + rest.partition(b"/")[2]
    path, _, query = raw.partition(b"?")
    text = _decode(path)
    if text is None:
        return invalid("the path is not UTF-8 or holds control characters")
    text = text.rstrip("/") or "/"
    pairs: list[tuple[str, str]] = []
    kept: list[bytes] = []
    key: str | None = None
    for piece in query.split(b"&") if query else ():
        name, _, value = piece.partition(b"=")
        decoded_name, decoded_value = _decode(name, plus=True), _decode(value, plus=True)
        if decoded_name is None or decoded_value is None:
            return invalid("the query is not UTF-8 or holds control characters")
        if decoded_name == "key":
            if key is not None:
                return invalid("the query parameter `key` stands twice")
            key = decoded_value
            continue
        kept.append(piece)
        if decoded_name:
            pairs.append((decoded_name, decoded_value))
    return RequestTarget(path=text, query=tuple(pairs), raw_query=b"&".join(kept), key=key)


def _decode(raw: bytes, *, plus: bool = False) -> str | None:
    if plus:
        raw = raw.replace(b"+", b" ")
    try:
        text = (unquote_to_bytes(raw) if b"%" in raw else raw).decode("utf-8")
    except UnicodeDecodeError:
        return None
    return text if text.isprintable() else None
