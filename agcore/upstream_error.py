"""An upstream's error answer, turned into a fault that a client may see.

Nothing of the upstream's body passes raw: what its JSON says is kept as values, with every occurrence of the key that
was used replaced by its label. Trouble with the gateway's own credential is not the client's: as a 401 it would make
agents log their users out, so it leaves as a 502 that names the key by its label (surface.md section 3).
"""

from __future__ import annotations

from typing import Final

import msgspec

from agcore import http_date, json_text
from agcore.dialects.base import Dialect
from agcore.fault import Fault, Vendor
from agcore.headers import first, media_type
from agcore.inputs import Headers
from agcore.ledger import KeyChoice

_OWN_CREDENTIAL: Final = frozenset({401, 402, 403})


def fault_from_answer(
    dialect: Dialect, *, status: int, headers: Headers, body: bytes, key: KeyChoice, now: float
) -> Fault:
    """The fault for an answer with `status` 300 or more, or for a 200 whose body turned out to be an error."""
    provider = key.label.partition("#")[0]
    if status < 400:
        fault = Fault(status=502, message=f"{provider} answered {status}, which the gateway does not follow")
        return msgspec.structs.replace(fault, code="upstream_redirect")
    try:
        fault = dialect.parse_error(status, json_text.decode(body))
    except ValueError:
        fault = Fault(status=status, message="")
    if not fault.message:
        kind = media_type(headers).decode("latin-1") or "no content type"
        fault = msgspec.structs.replace(
            fault, message=f"{provider} answered {status} without an error message ({kind})"
        )
    fault = redacted(fault, key)
    if status in _OWN_CREDENTIAL or (status == 400 and fault.code == "invalid_api_key"):
        return Fault(
            status=502,
            message=f"the provider refused the gateway's credential {key.label} ({status}): {fault.message}",
            code="upstream_credential",
        )
    wait = retry_after(headers, now=now)
    return fault if wait is None else msgspec.structs.replace(fault, retry_after=wait)


def retry_after(headers: Headers, *, now: float) -> float | None:
    """The wait in seconds that a response's headers name: `retry-after-ms`, or `retry-after` as seconds or a date."""
    for name, scale in ((b"retry-after-ms", 1000), (b"retry-after", 1)):
        value = first(headers, name)
        if value is None:
            continue
        text = value.decode("latin-1")
        try:
            seconds = float(text) / scale
        except ValueError:
            moment = http_date.parse(text)
            if moment is None:
                continue
            seconds = max(moment - now, 0.0)
        if 0 <= seconds < 1e9:
            return seconds
    return None


def redacted(fault: Fault, key: KeyChoice) -> Fault:
    """The fault with every occurrence of the key replaced by its label."""
    if key.secret is None:
        return fault
    secret = key.secret.reveal()
    vendor = fault.vendor
    if vendor is not None:
        error = _redact(vendor.error, secret, key.label)
        assert isinstance(error, dict)
        vendor = Vendor(dialect=vendor.dialect, error=error)
    return msgspec.structs.replace(fault, message=fault.message.replace(secret, key.label), vendor=vendor)


def _redact(value: object, secret: str, label: str) -> object:
    if isinstance(value, str):
        return value.replace(secret, label)
    if isinstance(value, dict):
        return {_redact(name, secret, label): _redact(each, secret, label) for name, each in value.items()}
    if isinstance(value, list):
        return [_redact(each, secret, label) for each in value]
    return value
