"""Signals in a vendor's refusal: its words for what has run out, or is wrong, as kinds of failure.

The kinds are a quota that is used up (`is_quota`: hours, days or money), a lack of capacity that no key is to blame
for (`is_capacity`), and, where neither is said, a rate; beside them stands what a few vendors say by an unusual status.
They follow from names that vendors write for programs. Where a vendor has only words, the message must begin with them,
because the rest of a message may quote the client. A new vendor's odd error is a row in one of the tables.

All functions are total: they take whatever a peer wrote and never raise.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from agcore.protocol.fault import Fault

PLAN_WINDOWS: Final = frozenset({"1308", "1310", "1316", "1317", "1318", "1319", "1320", "1321"})
"""A window of a z.ai plan (five hours, a week, a month) is used up; only the message tells until when."""

_KEY_QUOTAS: Final = PLAN_WINDOWS | {
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


def is_quota(fault: Fault) -> bool:
    """Tell whether what ran out is an allotment (hours, days, money) rather than a rate (seconds, a minute)."""
    names = names_of(fault)
    return (
        _is_key_quota(fault, names)
        or not names.isdisjoint(_MODEL_QUOTAS)
        or _MODEL_QUOTA_WORDS.match(fault.message) is not None
        or any(isinstance(limit, str) and "PerDay" in limit for limit in _google_limits(fault))
    )


def scope_is_key(fault: Fault) -> bool:
    """Tell whether a quota holds for everything that the key can do (money, a plan) rather than for one model."""
    return _is_key_quota(fault, names_of(fault))


def is_key_refused(fault: Fault) -> bool:
    """Tell whether a 400 says what others say with a 401: that there is no such key."""
    return fault.status == 400 and (
        not names_of(fault).isdisjoint(_BAD_KEY) or fault.message.startswith("Incorrect API key provided")  # xAI
    )


def is_moderated(fault: Fault) -> bool:
    """Tell whether a 403 is about what the client wrote, not about the key: OpenRouter quotes it."""
    return fault.status == 403 and "flagged_input" in member_of(error_object(fault), "metadata")


def is_capacity(fault: Fault) -> bool:
    """Tell whether the vendor itself is short of capacity, which says nothing about the key that was used."""
    return (
        fault.status == 529
        or not names_of(fault).isdisjoint(_CAPACITY)
        or fault.message.startswith("Service tier capacity exceeded")  # Mistral, as an invalid_request_error
    )


# What an error object holds.


def error_object(fault: Fault) -> Mapping[str, object]:
    """The error as the vendor wrote it; empty where there is none."""
    return {} if fault.vendor is None else fault.vendor.error


def member_of(members: Mapping[str, object], name: str) -> Mapping[str, object]:
    """The object under a name; empty where there is none."""
    member = members.get(name)
    return member if isinstance(member, dict) else {}


def details_of(error: Mapping[str, object]) -> list[Mapping[str, object]]:
    """The objects of an error in Google's shape (google.rpc.Status)."""
    details = error.get("details")
    return [detail for detail in details if isinstance(detail, Mapping)] if isinstance(details, list) else []


def names_of(fault: Fault) -> set[str]:
    """The names that the error gives for programs."""
    error = error_object(fault)
    found = [
        fault.code,
        error.get("type"),
        error.get("code"),
        member_of(error, "details").get("error_code"),  # Anthropic
        member_of(error, "metadata").get("limit_source"),  # OpenRouter
        *[detail.get("reason") for detail in details_of(error)],  # Google
    ]
    small = [str(name) for name in found if isinstance(name, int) and 0 <= name < 10_000]  # z.ai, at times
    return {*small, *[name for name in found if isinstance(name, str)]}


def _google_limits(fault: Fault) -> Iterator[object]:
    """Yields what should be the ids of the limits that Google says were hit."""
    for detail in details_of(error_object(fault)):
        yield member_of(detail, "metadata").get("quota_limit")
        violations = detail.get("violations")
        for violation in violations if isinstance(violations, list) else ():
            if isinstance(violation, Mapping):
                yield from (violation.get("quotaId"), violation.get("quotaMetric"))


def _is_key_quota(fault: Fault, names: set[str]) -> bool:
    return fault.status == 402 or not names.isdisjoint(_KEY_QUOTAS) or _KEY_QUOTA_WORDS.match(fault.message) is not None
