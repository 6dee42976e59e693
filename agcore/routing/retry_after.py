"""What an upstream's refusal says about time and kind: when to come back, and what has run out.

Nearly every vendor tells when the same request may work, and no two in the same place: in header fields, in Google's
error details, in members of the error object, in a sentence. Taken together they use few spellings, and no value fits
two of them, so one reader (`_wait`) serves every place and what remains are tables of where to look, the most precise
place first.

Of prose only complete phrases count ("try again in 20s"). A number elsewhere in a sentence, such as the size of the
limit, is never a wait: taken for one, "20 requests per minute" would put a key to sleep for twenty minutes.

The kinds are a quota that is used up (`is_quota`: hours, days or money), a lack of capacity that no key is to blame
for (`is_capacity`), and, where neither is said, a rate; beside them stands what a few vendors say by an unusual status.
They follow from names that vendors write for programs. Where a vendor has only words, the message must begin with them,
because the rest of a message may quote the client.

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

_ZAI_WINDOWS: Final = frozenset({"1308", "1310", "1316", "1317", "1318", "1319", "1320", "1321"})
"""A window of a z.ai plan (five hours, a week, a month) is used up; only the message tells until when."""

_KEY_QUOTAS: Final = _ZAI_WINDOWS | {
    "insufficient_quota",  # OpenAI
    "billing_hard_limit_reached",
    "billing_not_active",
    "usage_limit_reached",  # Codex
    "billing_error",  # Anthropic
    "enforced_spend_limit_reached",
    "exceeded_current_quota_error",  # Moonshot
    "openrouter_credits",
    "1113",  # z.ai: no balance, no resource package
    "1309",  # z.ai: the plan has expired
}
_MODEL_QUOTAS: Final = frozenset({"QUOTA_EXHAUSTED", "openrouter_free_tier_daily"})
_CAPACITY: Final = frozenset(
    {
        "MODEL_CAPACITY_EXHAUSTED",  # Google
        "overloaded_error",  # Anthropic
        "server_is_overloaded",  # OpenAI
        "slow_down",
        "engine_overloaded_error",  # Moonshot
        "service_tier_capacity_exceeded",  # Mistral
        "1305",  # z.ai
    }
)

_BAD_KEY: Final = frozenset(
    {
        "invalid_api_key",
        "API_KEY_INVALID",  # Google, at its OpenAI endpoint as well
    }
)

_KEY_QUOTA_WORDS: Final = re.compile(
    r"Your credit balance is too low"  # Anthropic, as an invalid_request_error
    r"|You have reached your specified (?:workspace )?API usage limits"
    r"|Insufficient (?:balance|credits)"  # DeepSeek, z.ai, OpenRouter
    r"|Your team \S+ has either used all available credits",  # xAI
    re.IGNORECASE,
)
_MODEL_QUOTA_WORDS: Final = re.compile(
    r"Rate limit reached for .{1,400}\((?:RPD|TPD)\)"  # OpenAI, Groq: requests or tokens per day
    r"|Rate limit exceeded: (?:free-models-per-day|limit_rpd/)",  # OpenRouter
    re.IGNORECASE,
)


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


def is_quota(fault: Fault) -> bool:
    """Tell whether what ran out is an allotment (hours, days, money) rather than a rate (seconds, a minute)."""
    names = _names(fault)
    return (
        _is_key_quota(fault, names)
        or not names.isdisjoint(_MODEL_QUOTAS)
        or _MODEL_QUOTA_WORDS.match(fault.message) is not None
        or any(isinstance(limit, str) and "PerDay" in limit for limit in _google_limits(fault))
    )


def scope_is_key(fault: Fault) -> bool:
    """Tell whether a quota holds for everything that the key can do (money, a plan) rather than for one model."""
    return _is_key_quota(fault, _names(fault))


def is_key_refused(fault: Fault) -> bool:
    """Tell whether a 400 says what others say with a 401: that there is no such key."""
    return fault.status == 400 and (
        not _names(fault).isdisjoint(_BAD_KEY) or fault.message.startswith("Incorrect API key provided")  # xAI
    )


def is_moderated(fault: Fault) -> bool:
    """Tell whether a 403 is about what the client wrote, not about the key: OpenRouter quotes it."""
    return fault.status == 403 and "flagged_input" in _member(_error(fault), "metadata")


def is_capacity(fault: Fault) -> bool:
    """Tell whether the vendor itself is short of capacity, which says nothing about the key that was used."""
    return (
        fault.status == 529
        or not _names(fault).isdisjoint(_CAPACITY)
        or fault.message.startswith("Service tier capacity exceeded")  # Mistral, as an invalid_request_error
    )


# Where waits stand.


def _told(fault: Fault, headers: Headers, now: float) -> Iterator[float | None]:
    fields, error = _by_name(headers), _error(fault)
    yield from _retry_after(fields, now)
    details = _details(error)
    for detail in details:
        yield _span(detail.get("retryDelay"))
    for name in ("quotaResetDelay", "quotaResetTimeStamp"):
        for detail in details:
            yield _wait(_member(detail, "metadata").get(name), now)
    metadata = _member(error, "metadata")
    for members in (error, metadata):
        yield _milliseconds(members.get("retry_after_ms"))
        for name in _MEMBERS:
            yield _wait(members.get(name), now)
    # OpenRouter repeats in the body what the vendor behind it sent as header fields.
    quoted = {name.lower(): value for name, value in _member(metadata, "headers").items()}
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
    if found is None and not _names(fault).isdisjoint(_ZAI_WINDOWS):
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


# What an error object holds.


def _error(fault: Fault) -> Mapping[str, object]:
    return {} if fault.vendor is None else fault.vendor.error


def _member(members: Mapping[str, object], name: str) -> Mapping[str, object]:
    member = members.get(name)
    return member if isinstance(member, dict) else {}


def _details(error: Mapping[str, object]) -> list[Mapping[str, object]]:
    details = error.get("details")
    return [detail for detail in details if isinstance(detail, Mapping)] if isinstance(details, list) else []


def _names(fault: Fault) -> set[str]:
    """The names that the error gives for programs."""
    error = _error(fault)
    found = [
        fault.code,
        error.get("type"),
        error.get("code"),
        _member(error, "details").get("error_code"),  # Anthropic
        _member(error, "metadata").get("limit_source"),  # OpenRouter
        *[detail.get("reason") for detail in _details(error)],  # Google
    ]
    small = [str(name) for name in found if isinstance(name, int) and 0 <= name < 10_000]  # z.ai, at times
    return {*small, *[name for name in found if isinstance(name, str)]}


def _google_limits(fault: Fault) -> Iterator[object]:
    """What should be the ids of the limits that Google says were hit."""
    for detail in _details(_error(fault)):
        yield _member(detail, "metadata").get("quota_limit")
        violations = detail.get("violations")
        for violation in violations if isinstance(violations, list) else ():
            if isinstance(violation, Mapping):
                yield from (violation.get("quotaId"), violation.get("quotaMetric"))


def _is_key_quota(fault: Fault, names: set[str]) -> bool:
    return fault.status == 402 or not names.isdisjoint(_KEY_QUOTAS) or _KEY_QUOTA_WORDS.match(fault.message) is not None


def _by_name(headers: Headers) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in reversed(headers)}
