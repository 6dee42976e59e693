"""Authentication: modes and credentials, decided from one parsed target.

A `Guard` is made once per configuration and answers one question: is this request admitted, and as whom? The rules:

- `off` is open; `strict` needs a key everywhere; `all_except_health` needs one everywhere but on the probes; `auto` is
  `all_except_health` when the LAN may connect, and otherwise open to this machine only: a request from elsewhere, or
  one that names a forwarding chain, is treated as under `all_except_health`.
- A key may come as a bearer token, `x-api-key`, `x-goog-api-key`, Azure's `api-key`, or `?key=` on the routes of
  Google's SDKs. The first good one is the caller; a foreign one beside it hides nothing. Keys are found by a keyed hash
  of their bytes, so that the time of a lookup says nothing about them, and then compared in constant time.
- An MCP server with `auth = "client"` gets the client's `authorization`. The gateway's key stands in another header
  then, and the refusal of a client without one says so. It also says where the server's OAuth metadata are, which
  are open like a probe.
- The admin API has a rule of its own, in every mode: it takes `proxy.admin_key` and client keys with `admin`. Where no
  `admin_key` is configured, this machine needs none, as long as nothing was forwarded.
- A request that shows no key could be a web page's. It must name this machine as its host (DNS rebinding) and must not
  come from another site; under `/mcp` that holds for every request.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from hmac import compare_digest
from ipaddress import ip_address
from typing import Final

import msgspec

from agcore.codecs.request_target import RequestTarget
from agcore.config.values import ClientKey, Config
from agcore.ingress.browser import BrowserRules
from agcore.ingress.routes import OPEN_PATHS, VERSIONS, is_admin, is_open, metadata_url
from agcore.protocol.fault import Fault, invalid
from agcore.protocol.http import Headers, Peer, RequestHead
from agcore.protocol.state import Digest

_FORWARDED: Final = (b"forwarded", b"via")
_CREDENTIALS: Final = (b"authorization", b"x-api-key", b"x-goog-api-key", b"api-key")
_PLACES: Final = (*_CREDENTIALS, b"?key")
_KEY_PATHS: Final = ("/v1/models", "/v1/tunedModels", *(f"/{each}/" for each in (*VERSIONS[1:], "upload")))


class Admission(msgspec.Struct, frozen=True):
    """A request that may go on."""

    identity: ClientKey | None
    """Whose key it showed; None where it came in without one."""


class Guard:
    """Decides admission for one configuration.

    Args:
        config: Has the keys and the mode.
        digest: Finds keys by a hash of their bytes.
    """

    def __init__(self, config: Config, digest: Digest) -> None:
        self._proxy = config.proxy
        self._digest = digest
        self._keys = {digest.digest(key.key.reveal().encode()): key for key in config.proxy.keys if key.key.reveal()}
        admins = [ClientKey("admin", config.proxy.admin_key)] if config.proxy.admin_key is not None else []
        admins += [key for key in config.proxy.keys if key.admin]
        self._admins = {digest.digest(key.key.reveal().encode()): key for key in admins}
        self.browser = BrowserRules(config.proxy)
        """What web pages may do."""
        self._challenges = {
            f"/mcp/{server.name}/{tail}": _challenge(config, server.name)
            for server in config.mcp
            if server.auth == "client"
            for tail in ("mcp", "messages")
        }
        """By the paths at which `authorization` is not for the gateway."""

    def admit(self, head: RequestHead, target: RequestTarget, peer: Peer, *, now: float) -> Admission | Fault:
        """Admit a request or say why not. Nothing of the request but its head is needed."""
        if target.path.startswith("/admin") and is_admin(target.path):
            return self._admit_admin(head.headers, target, peer, now)
        found = self._identity(head.headers, target, self._keys, now)
        if isinstance(found, Fault):
            return found
        identity, expired = found
        mcp = target.path.startswith("/mcp/")
        reads = head.method in ("GET", "HEAD")
        probe = reads and target.path in OPEN_PATHS
        needed = identity is None and self._needs_key(head.headers, peer, open=reads and is_open(target.path))
        if mcp or (identity is None and not needed and not probe):
            fault = self.browser.fault(head.headers, mcp=mcp)
            if fault is not None:
                return fault
        if needed:
            # Not by the names of headers: Claude Code shows words of its own in place of any that hold `x-api-key`.
            ways = "`Authorization: Bearer KEY` or in the header that a vendor's SDK sends it in"
            if target.path in self._challenges:
                ways = "`x-api-key` or `x-goog-api-key`; `Authorization` is for the MCP server"
            return _no_key(
                _expired(expired) or f"a valid API key is needed, as {ways}",
                self._challenges.get(target.path, b"Bearer"),
            )
        return Admission(identity=identity)

    def _admit_admin(self, headers: Headers, target: RequestTarget, peer: Peer, now: float) -> Admission | Fault:
        found = self._identity(headers, target, self._admins, now)
        if isinstance(found, Fault):
            return found
        identity, expired = found
        if identity is not None:
            return Admission(identity=identity)
        others = self._identity(headers, target, self._keys, now)
        assert not isinstance(others, Fault)  # which the same headers were not before
        client = others[0]
        local = _is_loopback(peer.host) and not _forwarded(headers)
        if local and self._proxy.admin_key is None:
            return self.browser.fault(headers, mcp=False) or Admission(identity=client)
        if client is not None:
            message = f"the API key {client.name!r} does not open the admin API; proxy.admin_key does, or admin = true"
            return Fault(status=403, message=message, code="not_an_admin")
        if not self._admins:
            message = "the admin API is for the gateway's own machine, until proxy.admin_key is set"
            return Fault(status=403, message=message, code="not_an_admin")
        return _no_key(_expired(expired) or "the admin API needs the API key of proxy.admin_key", b"Bearer")

    def knows(self, authorization: bytes) -> bool:
        """Returns True where an `authorization` field holds a key of ours, of any scheme or none, expired or not."""
        credential = authorization.partition(b" ")[2]
        return any(
            self._lookup(text.strip(), keys) is not None
            for text in (authorization, credential)
            for keys in (self._keys, self._admins)
        )

    def _needs_key(self, headers: Headers, peer: Peer, *, open: bool) -> bool:
        mode = self._proxy.auth_mode
        if mode == "strict":
            return True
        if mode == "off" or open:
            return False
        if mode == "auto" and not self._proxy.allow_lan_access:
            return not _is_loopback(peer.host) or _forwarded(headers)
        return True

    def _identity(
        self, headers: Headers, target: RequestTarget, keys: Mapping[bytes, ClientKey], now: float
    ) -> tuple[ClientKey | None, ClientKey | None] | Fault:
        """The first good one of `keys` that was shown, and one that has expired."""
        shown: dict[bytes, bytes] = {}
        for name, value in headers:
            if name in _CREDENTIALS:
                if name in shown:
                    return invalid(f"the header `{name.decode()}` stands twice")
                shown[name] = value
        if target.key is not None and target.path.startswith(_KEY_PATHS):
            shown[b"?key"] = target.key.encode()
        expired = None
        for name in _PLACES:
            credential = shown.get(name)
            if credential is None:
                continue
            if name == b"authorization":
                scheme, _, credential = credential.partition(b" ")
                if scheme.lower() != b"bearer":
                    continue
            key = self._lookup(credential.strip(), keys)
            if key is not None and (key.expires is None or now < key.expires):
                return key, None
            expired = expired or key
        return None, expired

    def _lookup(self, credential: bytes, keys: Mapping[bytes, ClientKey]) -> ClientKey | None:
        if not credential:
            return None
        key = keys.get(self._digest.digest(credential))
        if key is not None and compare_digest(key.key.reveal().encode(), credential):
            return key
        return None


def _no_key(message: str, challenge: bytes) -> Fault:
    return Fault(status=401, message=message, code="invalid_api_key", headers=((b"www-authenticate", challenge),))


def _expired(key: ClientKey | None) -> str:
    """What is said to whoever shows a key that was good; an empty string where nobody does."""
    if key is None or key.expires is None:
        return ""
    from agcore.codecs.moment_text import day_and_time  # for those who are late

    return f"the API key {key.name!r} expired on {day_and_time(key.expires)}; a new one is needed"


def _challenge(config: Config, name: str) -> bytes:
    """In the mode `strict` nobody without a key could read the metadata."""
    if config.proxy.auth_mode == "strict" or not config.proxy.public_url:
        return b"Bearer"
    return b'Bearer resource_metadata="%b"' % metadata_url(config.proxy.public_url, name).encode("ascii")


@lru_cache(maxsize=256)
def _is_loopback(host: str | None) -> bool:
    if host is None:
        return False
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def _forwarded(headers: Headers) -> bool:
    for name, _ in headers:  # noqa: SIM110 # a generator is entered once for each field
        if name in _FORWARDED or name.startswith(b"x-forwarded-"):
            return True
    return False
