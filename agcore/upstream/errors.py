"""A fault in an upstream's words, made fit for a client.

What the upstream's JSON says is kept as values, with every occurrence of the key that was used replaced by its label.
Trouble with the gateway's own credential is not the client's: as a 401 it would make agents log their users out, and as
a 5xx it would make them try again and again. So it leaves as a 424 that names the key by its label, and tells clients
not to retry.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from agcore.protocol.fault import NO_RETRY, Fault, Vendor
from agcore.routing.candidates import Credential
from agcore.routing.failure_signals import is_key_refused, is_moderated

CREDENTIAL: Final = frozenset({401, 402, 403})
"""Statuses by which a vendor refuses a key, what it may do, or its account."""
OWN_CREDENTIAL: Final = "upstream_credential"
"""The code of a fault that tells of trouble with the gateway's own key."""

_HEADER: Final = re.compile("x-api-key", re.IGNORECASE)
"""How Anthropic calls a key ("invalid x-api-key"). Claude Code shows "Not logged in" in place of words that hold it."""


def presentable(fault: Fault, key: Credential) -> Fault:
    """A fault in an upstream's words, from an error answer or from a stream, made fit for a client.

    Every occurrence of the key is replaced by its label, halves of surrogate pairs by U+FFFD; trouble with the
    gateway's own credential becomes a 424 (RFC 4918 section 11.4) that no client repeats; and there is some message.
    """
    message = _clean_text(fault.message, key) or "the upstream reported an error without a message"
    if (fault.status in CREDENTIAL and not is_moderated(fault)) or is_key_refused(fault):
        said = _HEADER.sub("API key", message)
        return Fault(
            status=424,
            message=f"the provider refused the gateway's credential {key.label} ({fault.status}): {said}",
            code=OWN_CREDENTIAL,
            headers=NO_RETRY,
        )
    vendor = fault.vendor
    if vendor is not None:
        try:
            error = {_clean_text(name, key): _clean(each, key) for name, each in vendor.error.items()}
            vendor = Vendor(dialect=vendor.dialect, error=error)
        except RecursionError:
            vendor = None
    return msgspec.structs.replace(
        fault,
        message=message,
        vendor=vendor,
        code=None if fault.code is None else _clean_text(fault.code, key),
        param=None if fault.param is None else _clean_text(fault.param, key),
    )


def _clean(value: object, key: Credential) -> object:
    if isinstance(value, str):
        return _clean_text(value, key)
    if isinstance(value, dict):
        return {_clean_text(name, key): _clean(each, key) for name, each in value.items()}
    if isinstance(value, list):
        return [_clean(each, key) for each in value]
    return value


def _clean_text(text: str, key: Credential) -> str:
    text = key.hidden_in(text)
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
