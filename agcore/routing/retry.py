"""Retry rules: the kind of a failure, and what the kind allows for the next attempt.

A failure is classified once, as a `fault.FailureKind`. That decides everything else by tables: whether the same request
may be made again at all, which other candidates are worth it, and (in `selection`) who is left alone for how long.
"""

from __future__ import annotations

from typing import Final

from agcore.protocol.fault import NO_RETRY, FailureKind, Fault
from agcore.protocol.inputs import Sent, Stage, UpstreamFailed
from agcore.routing.failure_signals import is_capacity, is_key_refused, is_moderated, is_quota

REFUSALS: Final = frozenset(FailureKind) - {FailureKind.INVALID_REQUEST, FailureKind.UPSTREAM_ERROR}
"""Failures after which nothing can have been done: even what must not happen twice may be asked elsewhere."""

ELSEWHERE: Final = frozenset({FailureKind.NOT_FOUND, FailureKind.UNUSABLE})
"""Failures of a candidate, whatever its key: only another one is worth an attempt."""

_BY_STATUS: Final = {
    401: FailureKind.CREDENTIAL_REJECTED,
    402: FailureKind.QUOTA_EXCEEDED,
    403: FailureKind.CREDENTIAL_REJECTED,
    404: FailureKind.NOT_FOUND,
    405: FailureKind.NOT_FOUND,
    408: FailureKind.UPSTREAM_ERROR,
    409: FailureKind.UPSTREAM_ERROR,
    410: FailureKind.NOT_FOUND,
    425: FailureKind.UPSTREAM_ERROR,
    429: FailureKind.RATE_LIMITED,
    498: FailureKind.OVERLOADED,  # Groq: no capacity in the flexible tier
    501: FailureKind.NOT_FOUND,
    503: FailureKind.OVERLOADED,
    508: FailureKind.UNUSABLE,
    529: FailureKind.OVERLOADED,
}
"""HTTP status -> failure. Of the others 400 to 499 are the request's own, the rest the vendor's."""

_BY_CODE: Final = {
    (400, "model_not_found"): FailureKind.NOT_FOUND,
}
"""Status and code -> failure: vendors that answer everything with 400."""


def classify(fault: Fault) -> FailureKind:
    """Classify an upstream's own error, as it was read and before it was made fit for clients."""
    if fault.headers == NO_RETRY:  # the gateway's own judgement: there is nothing of the vendor's
        return FailureKind.UNUSABLE
    if is_quota(fault):
        return FailureKind.QUOTA_EXCEEDED
    if fault.status == 429 and is_capacity(fault):
        return FailureKind.OVERLOADED
    if is_key_refused(fault):
        return FailureKind.CREDENTIAL_REJECTED
    if is_moderated(fault):
        return FailureKind.INVALID_REQUEST
    by_code = _BY_CODE.get((fault.status, fault.code or ""))
    if by_code is not None:
        return by_code
    return _BY_STATUS.get(
        fault.status, FailureKind.INVALID_REQUEST if fault.status < 500 else FailureKind.UPSTREAM_ERROR
    )


def may_repeat(failure: FailureKind, *, repeatable: bool) -> bool:
    """Returns True where a request of whose answer nothing was shown may be made once more.

    Args:
        failure: What the attempt failed of.
        repeatable: It does no harm twice. Where it does (images, audio), only refusals may be followed by another try.
    """
    return failure is not FailureKind.INVALID_REQUEST and (repeatable or failure in REFUSALS)


def is_free_reattempt(failed: UpstreamFailed, *, already_taken: bool, repeatable: bool) -> bool:
    """Returns True where a failure only says that a pooled connection had gone stale.

    An upstream may close an idle connection at the very moment it is used again (RFC 9112 section 9.3.1). When no byte
    of an answer came, the request is repeated once, and it does not count as an attempt. What must not happen twice
    (`repeatable` false) is repeated only when nothing of it was sent.
    """
    stale = failed.reused and failed.stage in (Stage.SEND, Stage.HEAD)
    return stale and not already_taken and (repeatable or failed.sent is Sent.NONE)
