"""Faults that a client is told of when a call comes to nothing, and the kind of each failure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Final

import msgspec

from agcore.codecs.header_fields import UPSTREAM_IDS, first, named_id
from agcore.dialects import DIALECTS, FALLBACK
from agcore.machines.call_context import CallContext
from agcore.machines.timers import Timer
from agcore.protocol.effects import Emit
from agcore.protocol.events import Attempt, CredentialCooled
from agcore.protocol.fault import NO_RETRY, SOONEST_RETRY, FailureKind, Fault
from agcore.protocol.http import Headers
from agcore.protocol.inputs import Stage, UpstreamFailed
from agcore.routing.candidates import Candidate, Exhausted, Selection
from agcore.routing.failure_signals import is_key_refused, scope_is_key
from agcore.upstream.errors import OWN_CREDENTIAL, presentable
from agcore.upstream.request import UpstreamPlan, host_header

_FAILURES: Final[Mapping[Stage, str]] = {
    Stage.SEND: "the connection broke while the request was being sent",
    Stage.HEAD: "the connection closed before an answer came",
    Stage.BODY: "the connection closed within the answer",
}
"""Words for a connection that broke, the same on every frontend. The driver says why a connection could not be made."""

MAX_ERROR_BODY: Final = 256 * 1024
"""Bytes of an error answer that are read; a message beyond that helps nobody."""

LATEST_RETRY: Final = 60.0
"""Seconds: Anthropic's SDK ignores longer waits (docs/wire/errors.md#waits-and-retries)."""

MAX_TRAIL: Final = 8
"""Failed attempts that an error message lists."""


class ErrorAnswer(msgspec.Struct):
    """An answer with another status than 2xx, as far as it has come in."""

    status: int
    headers: Headers
    body: bytearray = msgspec.field(default_factory=bytearray)

    def take(self, data: bytes) -> bool:
        """Add a piece of the body. Returns whether more of it is of use."""
        self.body += data
        return len(self.body) <= MAX_ERROR_BODY

    def fault(self, candidate: Candidate) -> Fault:
        """Returns the fault that the answer tells of, in the words of the upstream at `candidate`."""
        from agcore.dialects.whole_answer import fault_from_answer

        return fault_from_answer(
            DIALECTS.get(candidate.endpoint.dialect, FALLBACK),
            provider=candidate.provider.name,
            status=self.status,
            headers=self.headers,
            body=bytes(self.body),
        )


def located(fault: Fault, candidate: Candidate, plan: UpstreamPlan) -> Fault:
    """A fault that names the URL that was asked, where an upstream says that there is none: what most often is wrong
    then is the base URL."""
    if fault.status not in (404, 405):
        return fault
    origin, path = candidate.endpoint.origin, plan.target.partition(b"?")[0].decode("latin-1")
    asked = f" (asked {plan.method} {origin.scheme}://{host_header(origin).decode('ascii')}{path})"
    vendor = fault.vendor
    # An error with a code of the vendor's own is about what was asked for, and passes word by word.
    if vendor is not None and vendor.dialect == "openai" and vendor.error.get("code") is None:
        vendor = msgspec.structs.replace(vendor, error={**vendor.error, "message": fault.message + asked})
    return msgspec.structs.replace(fault, message=fault.message + asked, vendor=vendor)


def broken(failed: UpstreamFailed, candidate: Candidate) -> tuple[Fault, FailureKind]:
    """The fault for a connection that broke or could not be made, and its kind."""
    if failed.stage is Stage.UNSUPPORTED:
        message = f"this server lacks what the request needs: {failed.cause}"
        return Fault(status=501, message=message, code="not_supported", headers=NO_RETRY), FailureKind.INVALID_REQUEST
    message = f"{candidate.provider.name}: {_FAILURES.get(failed.stage, failed.cause)}"
    if failed.stage is Stage.TLS:
        return Fault(status=502, message=message, code="upstream_unreachable", headers=NO_RETRY), FailureKind.UNUSABLE
    kind = FailureKind.UNREACHABLE if failed.stage is Stage.CONNECT else FailureKind.UPSTREAM_ERROR
    return Fault(status=502, message=message, code="upstream_unreachable"), kind


def timed_out(timer: Timer, candidate: Candidate, seconds: float, *, fixed: bool) -> tuple[Fault, FailureKind]:
    """The fault for an upstream that let `timer` run out after so many seconds, and its kind; `fixed` where these are
    no setting."""
    provider, origin = candidate.provider.name, candidate.endpoint.origin
    kind = FailureKind.UPSTREAM_ERROR
    if timer is Timer.CONNECT:
        message = f"no connection to {origin.host}:{origin.port} within {seconds:g} s"
        kind = FailureKind.UNREACHABLE
    elif timer is Timer.FIRST_BYTE:
        remedy = "" if fixed else "; raise timeouts.first_byte, or first_byte of the provider, if it needs longer"
        message = f"{provider} did not answer within {seconds:g} s{remedy}"
    else:
        message = f"{provider} sent nothing for {seconds:g} s"
    return Fault(status=504, message=message, code="upstream_timeout"), kind


class Failure(msgspec.Struct, frozen=True):
    """The failure of an attempt."""

    fault: Fault
    """In the upstream's words."""
    kind: FailureKind
    headers: Headers
    """Of the answer; none where there was none."""
    began: float
    """When the attempt did."""
    refused: bool
    """The answer's status was an error."""
    foreign: bool
    """What was asked is no provider of the configuration, though it may be called like one."""


def told(failure: Failure, selection: Selection, context: CallContext, *, now: float) -> Fault:
    """Tell the selector what an attempt with a credential failed of, and return it as clients may see it."""
    fault, kind, headers = failure.fault, failure.kind, failure.headers
    wait = named_wait(fault, kind, headers, refused=failure.refused, now=now)
    shown = presentable(fault, selection.key)
    revoked = fault.status == 401 or is_key_refused(fault)
    news = not failure.foreign and context.selector.failed(
        selection,
        kind,
        whole_key=revoked or scope_is_key(fault),
        wait=wait,
        reason=shown.message,
        began=failure.began,
        now=now,
    )
    if news:
        context.effects.append(Emit(refused_credential(selection, kind, shown)))
    return shown if shown.code == OWN_CREDENTIAL else with_hints(shown, wait, headers)


def named_wait(fault: Fault, kind: FailureKind, headers: Headers, *, refused: bool, now: float) -> float | None:
    """The seconds that an upstream names until a credential may be used again; None where it names none.

    Args:
        fault: What the attempt failed of, in the upstream's words.
        kind: Its kind.
        headers: Of the answer.
        refused: The answer's status was an error.
        now: Seconds since the epoch.
    """
    # Imported here: a gateway whose upstreams do well never needs it.
    from agcore.routing.retry_after import retry_after, stated_retry_after

    if not refused:  # what else a 200 says of limits is about a request that was served
        headers = tuple(field for field in headers if field[0].startswith(b"retry-after"))
    if kind is FailureKind.INVALID_REQUEST:  # whose words may be anything
        return retry_after(headers, now=now)
    return stated_retry_after(fault, headers, now=now)


def with_hints(fault: Fault, wait: float | None, headers: Headers) -> Fault:
    """`fault` with what the upstream says of asking again: the seconds that it named, and its own `x-should-retry`."""
    if wait is not None:
        fault = msgspec.structs.replace(fault, retry_after=wait)
    advice = first(headers, b"x-should-retry")
    if advice in (b"true", b"false") and not fault.headers:
        fault = msgspec.structs.replace(fault, headers=((b"x-should-retry", advice),))
    return fault


def final(last: Fault | None, exhausted: Exhausted | None, *, now: float) -> Fault:
    """The fault after which nobody else is asked: the last attempt's own, unless every credential is limited."""
    if exhausted is not None and exhausted.until is not None and (last is None or last.status != 429):
        from agcore.codecs.moment_text import until  # for those who have to wait

        reasons = "; ".join(exhausted.reasons[:MAX_TRAIL])
        message = f"every key that could answer is limited {until(exhausted.until, now=now)}: {reasons}"
        return Fault(status=429, message=message, code="rate_limit_exceeded")
    return last or Fault(status=503, message="no key is left that could answer", code="no_key_left")


def with_wait(fault: Fault, opens: float | None, *, limited: bool, now: float) -> Fault:
    """`fault` with the seconds after which the next request may fare better.

    Args:
        fault: What the request failed of.
        opens: When the first way opens, in seconds since the epoch; None for who knows.
        limited: All ways are closed by limits, which end when they end. When all else ends is a guess, and stays within
            what clients heed.
        now: Seconds since the epoch.
    """
    wait = None if opens is None else round(opens - now, 3)
    if limited:
        return fault if wait is None else msgspec.structs.replace(fault, retry_after=max(wait, 1.0))
    return msgspec.structs.replace(fault, retry_after=min(max(wait or 0.0, SOONEST_RETRY), LATEST_RETRY))


def refused_credential(selection: Selection, kind: FailureKind, shown: Fault) -> CredentialCooled:
    """The event for a vendor that refuses a credential itself, in the words that clients are shown."""
    return CredentialCooled(
        key=selection.key.label,
        provider=selection.candidate.provider.name,
        model=selection.candidate.model,
        failure=kind,
        refused=True,
        message=f"{shown.message}; it is left alone while another way is open",
    )


def attempt(
    selection: Selection,
    began: float,
    ended: float,
    *,
    headers: Headers,
    failure: FailureKind | None = None,
    status: int = 0,
) -> Attempt:
    """The record of an attempt; `headers` are those of the upstream's answer."""
    candidate, key = selection.candidate, selection.key
    id = named_id(dict(reversed(headers)), UPSTREAM_IDS) if headers else ""
    id = key.hidden_in(id) if id else ""
    return Attempt(began, ended, candidate.provider.name, candidate.model, key.label, failure, status, id)


def with_trail(fault: Fault, failed: Sequence[Attempt]) -> Fault:
    """`fault`, which tells of the attempts before it where there were several."""
    if len(failed) < 2:
        return fault
    tried = ", ".join(in_a_row(attempt.happened for attempt in failed[-MAX_TRAIL:]))
    return msgspec.structs.replace(fault, message=f"{fault.message} (tried {tried})")


def in_a_row(outcomes: Iterable[str]) -> Iterable[str]:
    """The outcomes, with the same one after itself told once."""
    for outcome, repeated in groupby(outcomes):
        times = sum(1 for _ in repeated)
        yield outcome if times == 1 else f"{outcome} {times} times"
