"""What refusals of real vendors say about when to come back, and about what has run out.

Bodies go through `json_text.decode` and the dialect's own `parse_error`, so the path from bytes is covered.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agcore.codecs import json_text
from agcore.dialects import DIALECTS
from agcore.protocol.fault import Fault
from agcore.protocol.http import Headers
from agcore.routing.failure_signals import is_quota, scope_is_key
from agcore.routing.retry_after import LONGEST, duration, retry_after, stated_retry_after

NOW = 1_790_000_000.0  # Mon, 21 Sep 2026 14:13:20 GMT


def parsed(dialect: str, status: int, body: object) -> Fault:
    return DIALECTS[dialect].errors.parse_error(status, json_text.decode(json.dumps(body).encode()))


def fields(**values: str) -> Headers:
    return tuple((name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in values.items())


def moment(seconds: float) -> str:
    return datetime.fromtimestamp(NOW + seconds, UTC).isoformat().replace("+00:00", "Z")


def google(*details: object, message: str = "Resource has been exhausted (e.g. check quota).") -> dict[str, Any]:
    return {"error": {"code": 429, "message": message, "status": "RESOURCE_EXHAUSTED", "details": list(details)}}


def retry_info(delay: object) -> dict[str, object]:
    return {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}


def error_info(reason: str, **metadata: object) -> dict[str, object]:
    return {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": reason,
        "domain": "cloudcode-pa.googleapis.com",
        "metadata": metadata,
    }


def quota_failure(*ids: str) -> dict[str, object]:
    metric = "generativelanguage.googleapis.com/generate_content_free_tier_requests"
    violations = [{"quotaMetric": metric, "quotaId": each, "quotaValue": "20"} for each in ids]
    return {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": violations}


PER_DAY = "GenerateRequestsPerDayPerProjectPerModel-FreeTier"
PER_MINUTE = "GenerateRequestsPerMinutePerProjectPerModel-FreeTier"
HELP = {"@type": "type.googleapis.com/google.rpc.Help", "links": [{"url": "https://ai.google.dev/"}]}


def openai(message: str, *, type: str | None = None, code: object = None, **more: object) -> dict[str, Any]:
    return {"error": {"message": message, "type": type, "param": None, "code": code, **more}}


def anthropic(message: str, *, type: str = "rate_limit_error", **more: object) -> dict[str, Any]:
    return {"type": "error", "error": {"type": type, "message": message, **more}, "request_id": "req_1"}


# Durations.


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("34s", 34),
        ("34.074824224s", 34.074824224),
        ("450ms", 0.45),
        ("6m0s", 360),
        ("27h41m12.5s", 27 * 3600 + 41 * 60 + 12.5),
        ("27h41m", 27 * 3600 + 41 * 60),
        ("1h2m3.5s", 3723.5),
        ("1h5ms", 3600.005),
        ("2d3h", 2 * 86400 + 3 * 3600),
        ("7us", 7e-6),
        ("7µs", 7e-6),
        ("9ns", 9e-9),
        ("0s", 0),
    ],
)
def test_durations_as_go_writes_them_are_read(text: str, seconds: float) -> None:
    assert duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text",
    [
        *("", "5", "s", "-5s", "+5s", "5 s", " 5s", "5s ", "5s\n", "5x", "5S", ".5s", "5.s", "1e3s", "1_0s"),
        *("3s2m", "1s1s", "٣s", "nans", "infs", "5sx", "1.5.2s", "9" * 400 + "s"),
    ],
)
def test_what_is_not_a_duration_is_none(text: str) -> None:
    assert duration(text) is None


@given(st.integers(0, 99), st.integers(0, 59), st.floats(0, 59.999, allow_nan=False).map(lambda each: round(each, 3)))
def test_every_duration_that_is_written_is_read_back(hours: int, minutes: int, seconds: float) -> None:
    assert duration(f"{hours}h{minutes}m{seconds:.3f}s") == pytest.approx(hours * 3600 + minutes * 60 + seconds)


@given(st.text("0123456789.hmsudnµ -") | st.text())
def test_any_text_is_a_finite_duration_or_none(text: str) -> None:
    seconds = duration(text)
    assert seconds is None or 0 <= seconds < float("inf")


# Waits in header fields.


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        (fields(retry_after="34"), 34),
        (fields(retry_after="0"), 0),
        (fields(retry_after="0.25"), 0.25),
        (fields(retry_after="6m0s"), 360),
        (fields(retry_after="Mon, 21 Sep 2026 14:13:25 GMT"), 5),
        (fields(retry_after="Sun, 20 Sep 2026 14:13:25 GMT"), 0),
        (fields(retry_after_ms="1500.5", retry_after="9"), 1.5005),
        (fields(retry_after_ms="soon", retry_after="9"), 9),
        (fields(retry_after_ms="-1", retry_after="9"), 9),
        (fields(retry_after="-3"), None),
        (fields(retry_after="nan"), None),
        (fields(retry_after="inf"), None),
        (fields(retry_after="1e3"), None),
        (fields(retry_after="later"), None),
        (fields(retry_after="2678400"), LONGEST),
        (fields(retry_after="2678401"), None),
        (fields(retry_after="Sun, 20 Sep 99999999999999999999 14:13:25 GMT"), None),
        (((b"retry-after", b"1"), (b"retry-after", b"2")), 1),
        ((), None),
    ],
)
def test_retry_after_is_read_in_every_form(headers: Headers, wait: float | None) -> None:
    assert retry_after(headers, now=NOW) == wait
    assert stated_retry_after(Fault(status=429, message="slow down"), headers, now=NOW) == wait


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        (
            {
                "anthropic-ratelimit-requests-remaining": "49",
                "anthropic-ratelimit-requests-reset": moment(600),
                "anthropic-ratelimit-input-tokens-remaining": "0",
                "anthropic-ratelimit-input-tokens-reset": moment(40),
                "anthropic-ratelimit-output-tokens-remaining": "0",
                "anthropic-ratelimit-output-tokens-reset": moment(12),
            },
            40,
        ),
        ({"anthropic-ratelimit-tokens-reset": moment(7.5)}, 7.5),
        ({"anthropic-ratelimit-tokens-reset": moment(-7)}, None),
        ({"anthropic-ratelimit-tokens-reset": "2026-09-21T14:14:00"}, None),
        (
            {
                "anthropic-ratelimit-unified-status": "rejected",
                "anthropic-ratelimit-unified-reset": str(int(NOW) + 3 * 3600),
            },
            3 * 3600,
        ),
        (
            {
                "anthropic-ratelimit-unified-status": "allowed",
                "anthropic-ratelimit-unified-reset": str(int(NOW) + 3 * 3600),
            },
            None,
        ),
        ({"anthropic-ratelimit-unified-reset": str(int(NOW) + 60)}, 60),
        (
            {
                "x-ratelimit-limit-requests": "60",
                "x-ratelimit-remaining-requests": "59",
                "x-ratelimit-reset-requests": "6m0s",
                "x-ratelimit-remaining-tokens": "0",
                "x-ratelimit-reset-tokens": "20ms",
            },
            0.02,
        ),
        ({"x-ratelimit-reset-requests": "2m59.56s", "x-ratelimit-remaining-requests": "-1"}, 179.56),
        ({"x-ratelimit-reset-requests": "2m59.56s", "x-ratelimit-remaining-requests": "a few"}, None),
        ({"x-ratelimit-remaining-requests-day": "0", "x-ratelimit-reset-requests-day": "33011.382867"}, 33011.382867),
        ({"x-ratelimit-remaining-tokens-minute": "0", "x-ratelimit-reset-tokens-minute": "11.38"}, 11.38),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "30"}, 30),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOW) + 30)}, 30),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOW + 30) * 1000)}, 30),
        ({"ratelimit-remaining": "0", "ratelimit-reset": "17"}, 17),
        ({"ratelimit-remaining": "3", "ratelimit-reset": "17"}, None),
        ({"x-ratelimit-reset": "9" * 400}, None),
        ({"x-ratelimit-reset-requests": "900h", "x-ratelimit-reset-tokens": "1s"}, 1),
    ],
)
def test_of_the_limits_that_are_used_up_the_longest_counts(headers: dict[str, str], wait: float | None) -> None:
    found = stated_retry_after(
        Fault(status=429, message="slow down"),
        tuple((name.encode(), value.encode()) for name, value in headers.items()),
        now=NOW,
    )
    assert found == (None if wait is None else pytest.approx(wait))


# Waits in bodies.


@pytest.mark.parametrize(
    ("dialect", "body", "wait"),
    [
        ("gemini", google(retry_info("34s")), 34),
        ("gemini", [google(retry_info("34s"))], 34),
        ("openai_chat", [google(retry_info("34s"))], 34),
        ("gemini", google(quota_failure(PER_MINUTE), HELP, retry_info("34.074824224s")), 34.074824224),
        ("gemini", google(retry_info({"seconds": "34", "nanos": 500_000_000})), 34.5),
        ("gemini", google(retry_info({"seconds": 34})), 34),
        ("gemini", google(retry_info({"nanos": 250_000_000})), 0.25),
        ("gemini", google(retry_info({}), retry_info({"seconds": []}), retry_info(4), retry_info("xs")), None),
        ("gemini", google(retry_info("-1s"), "detail", retry_info("2s")), 2),
        ("gemini", google(error_info("QUOTA_EXHAUSTED", quotaResetDelay="27h41m12.5s")), 99672.5),
        ("gemini", google(error_info("RATE_LIMIT_EXCEEDED", quotaResetDelay="450ms")), 0.45),
        ("gemini", google(error_info("QUOTA_EXHAUSTED", quotaResetTimeStamp=moment(3600))), 3600),
        ("gemini", google(error_info("QUOTA_EXHAUSTED", quotaResetDelay="2h", quotaResetTimeStamp=moment(60))), 7200),
        ("gemini", google(error_info("QUOTA_EXHAUSTED", quotaResetDelay="2h"), retry_info("7199.5s")), 7199.5),
        ("gemini", google(message="You have exhausted your capacity. Your quota will reset after 161h39m41s."), 581981),
        ("gemini", google(message="Individual quota reached. Please upgrade. Resets in 9h22m20s."), 33740),
        ("gemini", google(message="Quota exceeded, limit: 20, model: x\nPlease retry in 36.429760048s."), 36.429760048),
        (
            "openai_responses",
            openai(
                "The usage limit has been reached",
                type="usage_limit_reached",
                plan_type="plus",
                resets_at=int(NOW) + 13_999,
                resets_in_seconds=13_872,
            ),
            13_872,
        ),
        ("openai_responses", openai("The usage limit", resets_at=int(NOW) + 13_872), 13_872),
        ("openai_responses", openai("The usage limit", resets_at=moment(90)), 90),
        ("openai_chat", openai("Slow down", retry_after=12), 12),
        ("openai_chat", openai("Slow down", retry_after="12.5"), 12.5),
        ("openai_chat", openai("Slow down", retry_after_ms=1200, retry_after=2), 1.2),
        ("openai_chat", openai("Slow down", retry_after=True), None),
        ("openai_chat", openai("Slow down", retry_after=10**400), None),
        (
            "openai_chat",
            openai(
                "Rate limit exceeded: free-models-per-min. ",
                code=429,
                metadata={
                    "headers": {
                        "X-RateLimit-Limit": "20",
                        "X-RateLimit-Remaining": "0",
                        "X-RateLimit-Reset": str(int(NOW + 40) * 1000),
                    },
                    "provider_name": None,
                },
            ),
            40,
        ),
        (
            "openai_chat",
            openai(
                "Provider returned error",
                code=429,
                metadata={
                    "raw": "z/model:free is temporarily rate-limited upstream.",
                    "provider_name": "Venice",
                    "retry_after_seconds": 11,
                    "retry_after_seconds_raw": 10.918,
                    "headers": {"Retry-After": "11"},
                },
            ),
            10.918,
        ),
        ("openai_chat", openai("Provider returned error", code=429, metadata={"headers": {"Retry-After": 11}}), 11),
    ],
)
def test_bodies_tell_the_wait_wherever_their_vendor_puts_it(dialect: str, body: object, wait: float | None) -> None:
    found = stated_retry_after(parsed(dialect, 429, body), (), now=NOW)
    assert found == (None if wait is None else pytest.approx(wait))


@pytest.mark.parametrize(
    ("headers", "body", "wait"),
    [
        (fields(retry_after="3", x_ratelimit_reset="9"), google(retry_info("34s")), 3),
        (fields(retry_after="-3", x_ratelimit_reset="9"), google(retry_info("34s")), 34),
        (fields(x_ratelimit_reset="9"), google(error_info("QUOTA_EXHAUSTED", quotaResetDelay="2h")), 7200),
        (fields(x_ratelimit_reset="9"), google(message="Please retry in 34s."), 9),
        (fields(x_ratelimit_reset="9", x_ratelimit_remaining="5"), google(message="Please retry in 34s."), 34),
    ],
)
def test_the_most_precise_place_decides(headers: Headers, body: object, wait: float) -> None:
    assert stated_retry_after(parsed("gemini", 429, body), headers, now=NOW) == wait


# Waits in prose.

GROQ = (
    "Rate limit reached for model `llama-3.3-70b-versatile` in organization `org_1` service tier `on_demand` on tokens "
    "per {period}: Limit 100000, Used 97050, Requested 3619. Please try again in {wait}. Need more tokens? Upgrade."
)


@pytest.mark.parametrize(
    ("message", "wait"),
    [
        ("Rate limit reached for gpt-4o. Please try again in 20s. Visit https://x.test to learn more.", 20),
        ("Please try again in 6m0s.", 360),
        ("Please try again in 1.5s", 1.5),
        ("Please try again in 350ms.", 0.35),
        ("please TRY AGAIN in 1h2m", 3720),
        (GROQ.format(period="day (TPD)", wait="9m38.016s"), 578.016),
        (GROQ.format(period="minute (TPM)", wait="1.984999999s"), 1.984999999),
        ("Please retry in 34.07s.", 34.07),
        ("You have exceeded the token rate limit. Please retry after 12 seconds.", 12),
        ("Quota will reset after 5 minutes", 300),
        ("It resets in 1 hour, then works", 3600),
        ("You've hit your usage limit. Try again in 3 days 4 hours 5 minutes.", 3 * 86400 + 4 * 3600 + 300),
        ("Try again in 1 hour, 2 minutes and 3 seconds.", 3723),
        ("Try again in 3s2m. No: retry in 7s", 7),
        ("Try again in 900 hours, or retry after 2 seconds", 2),
        ("You have reached the limit of 20 messages", None),
        ("Limited to 20 requests per minute. Please retry shortly.", None),
        ("Try again in 20 requests", None),
        ("Try again in 20", None),
        ("Try again in 20 s", None),
        ("Try again in 20something", None),
        ("Try again in about 5 minutes", None),
        ("Retrying after 6173ms...", None),
        ("Your limit is 5m tokens, 20s of audio and 3 hours of video", None),
        ("Try again in a few minutes", None),
        ("We reset 5 minutes after you retry 3 seconds in", None),
        ("You will regain access on 2026-10-01 at 00:00 UTC.", 9 * 86400 + 35_200),
        ("You will regain access on 2026-09-01 at 00:00 UTC.", None),
        ("You will regain access on 2026-10-99 at 00:00 UTC.", None),
        ("Your limit will reset at 2026-09-21 14:14:20 UTC", 60),
        ("Your limit will reset at 2026-09-21 14:14:20", None),
        ("This model goes away on 2026-10-01 at 00:00 UTC.", None),
    ],
)
def test_only_complete_phrases_of_prose_are_waits(message: str, wait: float | None) -> None:
    found = stated_retry_after(parsed("openai_chat", 429, openai(message)), (), now=NOW)
    assert found == (None if wait is None else pytest.approx(wait))


@pytest.mark.parametrize("code", ["1308", 1308, "1310", "1317"])
@pytest.mark.parametrize(
    "message",
    [
        "Usage limit reached for 5 hour. Your limit will reset at 2026-09-22 01:13:20",
        "已达到 5 小时的使用上限。您的限额将在 2026-09-22 01:13:20 重置。",
        "[1308][Usage limit reached for 5 hour. Your limit will reset at 2026-09-22 01:13:20][20260922232915e8288c]",
    ],
)
def test_the_clock_of_zai_is_beijings(message: str, code: object) -> None:
    for dialect, body in [
        ("openai_chat", {"error": {"code": code, "message": message}}),
        ("anthropic", anthropic(message, code=code)),
    ]:
        fault = parsed(dialect, 429, body)
        assert stated_retry_after(fault, (), now=NOW) == 3 * 3600
        assert is_quota(fault)
        assert scope_is_key(fault)


# Whatever a peer writes.

NAMES = [
    "error", "details", "metadata", "headers", "retryDelay", "seconds", "nanos", "quotaResetDelay", "violations",
    "quotaId", "quotaMetric", "quotaResetTimeStamp", "reason", "type", "code", "retry_after", "retry_after_ms",
    "resets_at", "message", "quota_limit", "error_code", "limit_source", "Retry-After", "X-RateLimit-Reset",
]  # fmt: skip
TEXTS = st.sampled_from(
    [
        *("34s", "1h", "-1s", "0", "1790000009", "1790000009000", "1e999", "nan", "9" * 5000, "\ud800"),
        *("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-09-22 01:13:20"),
        *("Mon, 21 Sep 2026 14:13:25 GMT", "try again in 5s", "PerDay", "QUOTA_EXHAUSTED", "1308"),
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just(10**400) | st.floats() | st.text() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES) | st.text(), inner, max_size=6),
    max_leaves=25,
)


@given(VALUES, st.sampled_from(sorted(DIALECTS)))
def test_any_json_that_a_dialect_takes_for_an_error_can_be_asked(body: object, dialect: str) -> None:
    fault = DIALECTS[dialect].errors.parse_error(429, body)
    wait = stated_retry_after(fault, (), now=NOW)
    assert wait is None or 0 <= wait <= LONGEST
    assert is_quota(fault) or not scope_is_key(fault)
