"""Retry-after: the time at which, by an upstream's refusal, the same request may work.

Nearly every vendor tells when the same request may work, and no two in the same place: in header fields, in Google's
error details, in members of the error object, in a sentence. Taken together they use few spellings, and no value fits
two of them, so one reader (`_wait`) serves every place and what remains are tables of where to look, the most precise
place first.

Of prose only complete phrases count ("try again in 20s"). A number elsewhere in a sentence, such as the size of the
limit, is never a wait: taken for one, "20 requests per minute" would put a key to sleep for twenty minutes.

All functions are total: they take whatever a peer wrote and never raise.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

from agcore.codecs import http_date
from agcore.protocol.fault import Fault
from agcore.protocol.http import Headers
from agcore.routing.failure_signals import PLAN_WINDOWS, details_of, error_object, member_of, names_of

LONGEST: Final = 31 * 86400.0
"""Seconds. A longer wait is taken for a mistake: no limit of any vendor runs for more than a month."""

_DURATION: Final = re.compile(
    "".join(rf"(?:([0-9]{{1,12}}(?:\.[0-9]+)?){unit})?" for unit in ("d", "h", "m(?!s)", "s", "ms", "(?:us|µs)", "ns"))
)
_SCALES: Final = (86400.0, 3600.0, 60.0, 1.0, 1e-3, 1e-6, 1e-9)
_DECIMAL: Final = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_SECONDS: Final = 1e9
_EPOCH_MILLISECONDS: Final = 1e11

_RESETS: Final = (
    # When a limit is renewed, and what tells whether it is the one that was hit.
    ("anthropic-ratelimit-unified-reset", "anthropic-ratelimit-unified-status"),
    ("anthropic-ratelimit-requests-reset", "anthropic-ratelimit-requests-remaining"),
    ("anthropic-ratelimit-tokens-reset", "anthropic-ratelimit-tokens-remaining"),
    ("anthropic-ratelimit-input-tokens-reset", "anthropic-ratelimit-input-tokens-remaining"),
    ("anthropic-ratelimit-output-tokens-reset", "anthropic-ratelimit-output-tokens-remaining"),
    ("x-ratelimit-reset-requests", "x-ratelimit-remaining-requests"),
    ("x-ratelimit-reset-tokens", "x-ratelimit-remaining-tokens"),
    ("x-ratelimit-reset-requests-day", "x-ratelimit-remaining-requests-day"),  # Cerebras
    ("x-ratelimit-reset-tokens-minute", "x-ratelimit-remaining-tokens-minute"),
    ("x-ratelimit-reset", "x-ratelimit-remaining"),
    ("ratelimit-reset", "ratelimit-remaining"),
)

_MEMBERS: Final = (
    "retry_after",
    "retry_after_seconds_raw",  # OpenRouter: the exact one, then the same rounded up
    "retry_after_seconds",
    "resets_in_seconds",  # Codex
    "resets_at",
)

_PHRASE: Final = re.compile(
    r"\b(?:try again|retry|resets?) (?:in|after) (?:"
    r"(?P<short>(?:[0-9]+(?:\.[0-9]+)?(?:ms|[dhms]))+)"
    r"|(?P<long>[0-9]+(?:\.[0-9]+)? (?:second|minute|hour|day)s?(?:,? (?:and )?[0-9]+ (?:second|minute|hour)s?)*)"
    r")(?!\w)",
    re.IGNORECASE,
)
_WORDED: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?) (second|minute|hour|day)", re.IGNORECASE)
_WORDS: Final[Mapping[str, float]] = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0}

_STAMP: Final = r"([0-9]{4}-[0-9]{2}-[0-9]{2}) (?:at )?([0-9]{2}:[0-9]{2}(?::[0-9]{2})?)"
_UTC_STAMP: Final = re.compile(rf"\b(?:regain access on|resets? (?:at|on)) {_STAMP} UTC\b", re.IGNORECASE)
_ZAI_STAMP: Final = re.compile(_STAMP)


def stated_retry_after(fault: Fault, headers: Headers, *, now: float) -> float | None:
    """The seconds until the same request may work, as precisely as the answer tells; None where it does not.

    `fault` is the answer's error as its dialect's `parse_error` left it, `headers` are the answer's (none for an error
    inside a stream), and `now` is in seconds since the epoch. The result lies between 0 and `LONGEST`: what is
    outside counts as not told. The first of these places decides: `retry-after-ms` and `retry-after` (RFC 9110
    section 10.2.3); Google's `RetryInfo`, then its `ErrorInfo`; members of the error object; the header fields that
    tell when limits are renewed, of those that are used up the longest; the message.
    """
    for wait in _told(fault, headers, now):
        if _is_credible(wait):
            return wait
    return None


def retry_after(headers: Headers, *, now: float) -> float | None:
    """The wait in seconds that a response's `retry-after-ms` or `retry-after` names, between 0 and `LONGEST`."""
    return next(filter(_is_credible, _retry_after(_by_name(headers), now)), None)


def duration(text: str) -> float | None:
    """The seconds of a duration as Go writes it (`1h2m3.5s`, `450ms`), days allowed; None for anything else.

    Units stand from large to small, each at most once.
    """
    found = _DURATION.fullmatch(text)
    if not text or found is None:
        return None
    return sum(float(number) * scale for number, scale in zip(found.groups(), _SCALES, strict=True) if number)


# Where waits stand.


def _told(fault: Fault, headers: Headers, now: float) -> Iterator[float | None]:
    fields, error = _by_name(headers), error_object(fault)
    yield from _retry_after(fields, now)
    details = details_of(error)
    for detail in details:
        yield _span(detail.get("retryDelay"))
    for name in ("quotaResetDelay", "quotaResetTimeStamp"):
        for detail in details:
            yield _wait(member_of(detail, "metadata").get(name), now)
    metadata = member_of(error, "metadata")
    for members in (error, metadata):
        yield _milliseconds(members.get("retry_after_ms"))
        for name in _MEMBERS:
            yield _wait(members.get(name), now)
    # OpenRouter repeats in the body what the vendor behind it sent as header fields.
    quoted = {name.lower(): value for name, value in member_of(metadata, "headers").items()}
    yield from _retry_after(quoted, now)
    yield _longest_reset(quoted, now)
    yield _longest_reset(fields, now)
    yield from _phrased(fault.message)
    yield _dated(fault, now)


def _retry_after(fields: Mapping[str, object], now: float) -> Iterator[float | None]:
    yield _milliseconds(fields.get("retry-after-ms"))
    value = fields.get("retry-after")
    moment = http_date.parse(value) if isinstance(value, str) else None
    # A date that has passed asks for no wait at all.
    yield _wait(value, now) if moment is None else max(moment - now, 0.0)


def _longest_reset(fields: Mapping[str, object], now: float) -> float | None:
    waits = [_wait(fields.get(reset), now) for reset, gauge in _RESETS if _is_used_up(fields.get(gauge))]
    return max((wait for wait in waits if wait is not None and _is_credible(wait)), default=None)


def _is_used_up(gauge: object) -> bool:
    if gauge is None or gauge == "rejected":
        return True
    left = _number(gauge)
    return left is not None and left <= 0


def _phrased(message: str) -> Iterator[float | None]:
    for phrase in _PHRASE.finditer(message):
        if phrase["short"]:
            yield duration(phrase["short"].lower())
        else:
            yield sum(float(number) * _WORDS[unit.lower()] for number, unit in _WORDED.findall(phrase["long"]))


def _dated(fault: Fault, now: float) -> float | None:
    found, zone = _UTC_STAMP.search(fault.message), "+00:00"
    if found is None and not names_of(fault).isdisjoint(PLAN_WINDOWS):
        found, zone = _ZAI_STAMP.search(fault.message), "+08:00"  # Beijing's time, unsaid
    return None if found is None else _wait(f"{found[1]}T{found[2]}{zone}", now)


# How waits are spelled.


def _wait(value: object, now: float) -> float | None:
    """The seconds until what `value` tells: a span, a moment as RFC 3339, or a number told by its magnitude.

    A number is a moment in milliseconds or seconds of the epoch where it is large enough, otherwise it is seconds.
    """
    number = _number(value)
    if number is not None:
        if number >= _EPOCH_MILLISECONDS:
            return number / 1000 - now
        return number - now if number >= _EPOCH_SECONDS else number
    span = _span(value)
    if span is not None or not isinstance(value, str):
        return span
    try:
        moment = datetime.fromisoformat(value)
        return None if moment.tzinfo is None else (moment - _EPOCH).total_seconds() - now
    except (ValueError, OverflowError):
        return None


def _span(value: object) -> float | None:
    """The seconds of a protobuf `Duration`: Google's own text, or the object that other JSON writers make of it."""
    if isinstance(value, str):
        return duration(value)
    if not isinstance(value, Mapping) or not ("seconds" in value or "nanos" in value):
        return None
    seconds, nanos = _number(value.get("seconds", 0)), _number(value.get("nanos", 0))
    return None if seconds is None or nanos is None else seconds + nanos * 1e-9


def _milliseconds(value: object) -> float | None:
    number = _number(value)
    return None if number is None else number / 1000


def _number(value: object) -> float | None:
    if isinstance(value, str):
        return float(value) if _DECIMAL.fullmatch(value) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def _is_credible(wait: float | None) -> bool:
    return wait is not None and 0 <= wait <= LONGEST


def _by_name(headers: Headers) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in reversed(headers)}
