"""The way that a request has come through gateways of this kind, so that one that leads back to its beginning ends.

Each gateway puts its own mark behind those that it was shown, in a field of its own: `via` would say to others that
there was a proxy. A request that shows the gateway its own mark has passed it before, and so do those that would come
after it. Two different gateways behind one another are no loop: their marks differ. Vendors whose addresses are shipped
are not told; what is asked of them leads nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Final

from agcore.codecs.url import is_loopback
from agcore.protocol.fault import NO_RETRY, Fault
from agcore.protocol.http import Headers

HOP_FIELD: Final = b"x-agcore-hop"
MAX_HOPS: Final = 16
"""Gateways behind one another; more are taken for a loop of gateways that change their marks."""
_MARK: Final = 12
"""Hex digits of a mark."""


@cache
def vendor_hosts() -> frozenset[str]:
    """The hosts of vendors whose addresses are shipped: they never lead back here."""
    from agcore.config.presets import PRESETS  # which a configuration without presets never loads

    urls = [url for preset in PRESETS.values() for url in preset.base_urls.values()]
    hosts = {url.partition("://")[2].partition("/")[0].partition(":")[0] for url in urls}
    return frozenset(host for host in hosts if not is_loopback(host))


def loop(headers: Headers, digest: Callable[[bytes], bytes]) -> Fault | None:
    """Returns the fault for a request that has been here before; None for all others.

    Args:
        headers: Of the request.
        digest: The gateway's keyed hash, of which its mark is made.
    """
    passed = dict(reversed(headers)).get(HOP_FIELD)
    if passed is None:
        return None
    marks = [mark.strip() for mark in passed.split(b",")]
    if len(marks) <= MAX_HOPS and digest(HOP_FIELD).hex()[:_MARK].encode("ascii") not in marks:
        return None
    message = (
        "this request came back to the gateway that had sent it on: the base_url of a provider leads to the gateway "
        "itself, or to another one that leads back to it"
    )
    return Fault(status=508, message=message, code="loop_detected", headers=NO_RETRY)


def onward(headers: Headers, digest: Callable[[bytes], bytes]) -> bytes:
    """Returns the marks that an upstream is shown of a request: those that came with it, and this gateway's own."""
    passed = dict(reversed(headers)).get(HOP_FIELD)
    own = digest(HOP_FIELD).hex()[:_MARK].encode("ascii")
    return own if passed is None else passed + b", " + own
