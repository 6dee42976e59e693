"""Admission of a request by its head: a ladder of checks whose order is part of the contract.

Target, browser and key checks, route, method, and then what the head says of the body. Without a good key an unknown
path is a 401, so nothing about the routes can be learned without one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

import msgspec

from agcore.codecs.header_fields import first, firsts, plain_media_type
from agcore.codecs.request_target import RequestTarget, parse
from agcore.config.values import ClientKey
from agcore.dialects import FALLBACK
from agcore.ingress.auth import Guard
from agcore.ingress.path_forms import canonical
from agcore.ingress.request import Preflight, Refused, Request, Routed
from agcore.ingress.routes import MatchedRoute, NoMatch, dialect_of_path, match, nearest_path
from agcore.protocol.fault import Fault, invalid
from agcore.protocol.http import Headers, Peer, RequestHead

_NOWHERE: Final = RequestTarget(path="", query=(), raw_query=b"", key=None)
_USUAL: Final = ("/v1/chat/", "/v1/messages", "/v1/responses", "/v1beta/models/")
"""What nearly all paths begin with, none of which has another form."""
_ABOUT_BODY: Final = frozenset({b"content-encoding", b"content-length", b"content-type"})


class KeyLimits(Protocol):
    """Knows what client keys may still use."""

    def admit(self, key: ClientKey, *, now: float) -> Fault | None:
        """Let a key make one more request, or return the 429 that refuses it."""
        ...


class BodyRules(Protocol):
    """Rules of an operation for the requests that it takes."""

    @property
    def json_body(self) -> bool:
        """True where bodies must be JSON: nothing else is let in then where no key was shown."""
        ...

    @property
    def metered(self) -> bool:
        """True where requests count against the limits of the client's key."""
        ...


def admit(head: RequestHead, peer: Peer, *, guard: Guard, id: str, now: float) -> Request:
    """Take in a request's head.

    Args:
        head: As it came.
        peer: Who sent it.
        guard: Knows the client keys and the browsers that are let in.
        id: Of the request.
        now: Seconds since the epoch.

    Returns:
        `Routed` where the request may go on to the operation of its route.
    """
    target = parse(head.target)
    if isinstance(target, Fault):
        return Refused(
            id=id, head=head, peer=peer, started=now, target=_NOWHERE, dialect=FALLBACK.traits.name, fault=target
        )
    if not target.path.startswith(_USUAL):
        target = canonical(target)
    found = match(head.method, target, head.headers)
    shown = target if target.key is None else msgspec.structs.replace(target, key=None)
    cors = guard.browser.cors_headers(head.headers)
    if isinstance(found, NoMatch):
        dialect, operation = dialect_of_path(target, head.headers), ""
    else:
        dialect, operation = found.dialect, found.route.operation

    if head.method == "OPTIONS":
        headers = _preflight_headers(head.headers, found, readable=bool(cors))
        return Preflight(
            id=id, head=head, peer=peer, started=now, target=shown, dialect=dialect, cors=cors, headers=headers
        )
    admission = guard.admit(head, target, peer, now=now)
    if isinstance(admission, Fault):
        fault = admission
    elif isinstance(found, NoMatch):
        fault = _no_route(head.method, target, found)
    else:
        return Routed(
            id=id,
            head=head,
            peer=peer,
            started=now,
            target=shown,
            dialect=dialect,
            operation=operation,
            match=found,
            identity=admission.identity,
            cors=cors,
        )
    return Refused(
        id=id,
        head=head,
        peer=peer,
        started=now,
        target=shown,
        dialect=dialect,
        operation=operation,
        cors=cors,
        fault=fault,
    )


def refused(request: Routed, fault: Fault) -> Refused:
    """The refusal of a request that has a route."""
    return Refused(
        id=request.id,
        head=request.head,
        peer=request.peer,
        started=request.started,
        target=request.target,
        dialect=request.dialect,
        operation=request.operation,
        identity=request.identity,
        cors=request.cors,
        fault=fault,
    )


def admit_body(request: Routed, rules: BodyRules, *, max_body: int, limits: KeyLimits, now: float) -> Routed | Refused:
    """Take in what a head says of its body, and what its key may still ask.

    Args:
        request: As `admit` returned it.
        rules: Of its operation.
        max_body: The most bytes that are taken.
        limits: What client keys may still use; what is taken from it is told by `Routed.metered`.
        now: Seconds since the epoch.

    Returns:
        The request, perhaps with `metered` and `codings` set, or its refusal.
    """
    if request.head.method != "POST":
        return request
    fields = firsts(request.head.headers, _ABOUT_BODY)
    fault = _body_fault(request, fields, json_body=rules.json_body, bound=max_body)
    if fault is None and b"content-encoding" in fields:
        coded = _codings(request.head.headers)
        if isinstance(coded, Fault):
            fault = coded
        else:
            request = msgspec.structs.replace(request, codings=coded)
    if fault is None and rules.metered and request.identity is not None:
        fault = limits.admit(request.identity, now=now)
        request = msgspec.structs.replace(request, metered=True)
    if fault is None:
        return request
    return refused(request, fault)


def too_large(limit: int, *, decoded: bool = False) -> Fault:
    """The 413 for a body over `limit` bytes, as it came or `decoded`."""
    what = "the request body decodes to more" if decoded else "the request body is larger"
    return Fault(status=413, message=f"{what} than {limit} bytes", code="request_too_large")


def _preflight_headers(asked: Headers, found: MatchedRoute | NoMatch, *, readable: bool) -> Headers:
    """The answer to an `OPTIONS`; `readable` where the browser's page may read answers."""
    methods = found.allow if isinstance(found, NoMatch) else ()
    allow = ", ".join((*methods, "OPTIONS")).encode("ascii")
    headers: Headers = ((b"allow", allow),)
    if readable and first(asked, b"access-control-request-method") is not None:
        wanted = first(asked, b"access-control-request-headers")
        headers += (
            (b"access-control-allow-methods", allow),
            (b"access-control-allow-headers", wanted or b"*"),
            (b"access-control-max-age", b"600"),
        )
    return headers


def _no_route(method: str, target: RequestTarget, found: NoMatch) -> Fault:
    if found.allow:
        allow = ", ".join(found.allow)
        message = f"{_shown(target)} does not take {method}; it takes {allow}"
        return Fault(
            status=405, message=message, headers=((b"allow", allow.encode("ascii")),), code="method_not_allowed"
        )
    hint = nearest_path(target.path)
    more = f"did you mean {_shown(msgspec.structs.replace(target, path=hint))}?" if hint else "GET / says what there is"
    return Fault(status=404, message=f"there is no {_shown(target)} here; {more}", code="not_found")


def _shown(target: RequestTarget) -> str:
    return f"/{target.vendor}{target.path}" if target.vendor else target.path


def _body_fault(request: Routed, fields: Mapping[bytes, bytes], *, json_body: bool, bound: int) -> Fault | None:
    """Returns what the head already says against the body; None for nothing."""
    if request.identity is None and json_body:
        kind = plain_media_type(fields.get(b"content-type", b""))
        if kind != b"application/json" and not kind.endswith(b"+json"):
            # A web page can send a form or plain text to this machine without asking; JSON it cannot.
            message = "without a key the content type must be application/json; send that in `content-type`"
            return Fault(status=415, message=message, code="unsupported_media_type")
    length = fields.get(b"content-length")
    if length is not None and length.isdigit() and int(length[:20]) > bound:
        return too_large(bound)
    return invalid("content-length is not a number") if length is not None and not length.isdigit() else None


def _codings(headers: Headers) -> tuple[str, ...] | Fault:
    """The codings of a body, or the 415 for those that cannot be undone here, with what can be (RFC 9110 section
    12.5.3)."""
    from agcore.codecs.content_coding import MOST, available, codings, unknown  # few bodies are coded

    coded = codings(headers)
    refused = unknown(coded)
    if refused is None and len(coded) <= MOST:
        return coded
    taken = available()
    wrong = f"{len(coded)} codings of one body" if refused is None else f"content-encoding {refused[:40]!r}"
    message = (
        f"{wrong} cannot be taken; send it plain, or as {', '.join(taken)} (Codex sends plain bodies with "
        "`-c features.enable_request_compression=false`)"
    )
    accepted = ", ".join(taken).encode("ascii")
    return Fault(
        status=415,
        message=message,
        code="unsupported_content_encoding",
        headers=((b"accept-encoding", accepted),),
    )
