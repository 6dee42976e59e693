"""Plans of what is asked of an upstream, and the requests that they become with a provider's credential."""

from __future__ import annotations

from functools import lru_cache

import msgspec

from agcore.protocol.http import Body, Headers, Origin, UpstreamRequest
from agcore.routing.candidates import Candidate, Credential
from agcore.upstream.hops import HOP_FIELD, vendor_hosts


class UpstreamPlan(msgspec.Struct, frozen=True):
    """The request that an operation wants made of one candidate, for one attempt."""

    target: bytes
    method: str = "POST"
    headers: Headers = ()
    """Without `host`, credentials and `content-length`, which `upstream_request` adds."""
    body: Body = b""
    length: int | None = None
    """Bytes of a body that is not in memory; None where only its end will tell."""
    raw_status: bool = False
    """The owner gets every answer as it is, errors included."""
    no_read_timeout: bool = False
    """The answer may take its time: no limit but the one for connecting."""
    first_byte: float = 0
    """Seconds until the answer begins, and between its pieces, where neither the configuration nor the provider has
    less; 0 for theirs."""
    repeatable: bool = True
    """The request does no harm twice. Otherwise it is repeated only after a refusal, or where no byte was sent."""
    wait_for_cooldown: bool = True
    """The answer is worth a wait for another attempt."""
    public_only: bool = False
    """The endpoint was chosen by a client: it must be on the public internet (see `OpenUpstream`)."""


def upstream_request(
    plan: UpstreamPlan, candidate: Candidate, key: Credential, *, hops: bytes = b""
) -> UpstreamRequest:
    """The whole request. Headers of the provider's configuration replace those of the same name.

    Args:
        plan: What is asked.
        candidate: Of whom.
        key: With what.
        hops: The way that the request has come (see `upstream.hops`), for others than vendors.
    """
    origin = candidate.endpoint.origin
    headers = [(b"host", host_header(origin)), *_credential(candidate.endpoint.auth, key), *plan.headers]
    if candidate.provider.headers:
        configured = {name for name, _ in candidate.provider.headers}
        headers = [field for field in headers if field[0] not in configured]
        headers.extend(candidate.provider.headers)
    if hops and not plan.public_only and origin.host not in vendor_hosts():
        headers.append((HOP_FIELD, hops))
    length = len(plan.body) if isinstance(plan.body, bytes) else plan.length
    if length is None:
        headers.append((b"transfer-encoding", b"chunked"))
    elif length or plan.method not in ("GET", "HEAD", "DELETE"):
        headers.append((b"content-length", b"%d" % length))
    return UpstreamRequest(
        origin=origin, method=plan.method, target=plan.target, headers=tuple(headers), body=plan.body
    )


@lru_cache(maxsize=256)
def host_header(origin: Origin) -> bytes:
    """The `host` field for an origin: brackets around IPv6 literals, no default port (RFC 9110 section 7.2)."""
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    default = 443 if origin.scheme == "https" else 80
    return (host if origin.port == default else f"{host}:{origin.port}").encode("ascii")


def _credential(auth: str, key: Credential) -> Headers:
    if key.secret is None or auth == "none":
        return ()
    secret = key.secret.reveal().encode("latin-1")
    if auth == "bearer":
        return ((b"authorization", b"Bearer " + secret),)
    return ((auth.encode("ascii"), secret),)
