"""What a vendor says has run out, told apart by its own words."""

from __future__ import annotations

import pytest

from agcore.protocol.fault import FailureKind, Fault
from agcore.routing.failure_signals import is_capacity, is_quota, scope_is_key
from agcore.routing.retry import classify
from tests.routing.test_retry_after import (
    GROQ,
    HELP,
    PER_DAY,
    PER_MINUTE,
    anthropic,
    error_info,
    google,
    openai,
    parsed,
    quota_failure,
    retry_info,
)

KEY, MODEL, RATE, CAPACITY = "quota of the key", "quota of a model", "rate", "capacity"

ANSWERS = [
    (
        KEY,
        "openai_chat",
        429,
        openai("You exceeded your current quota", type="insufficient_quota", code="insufficient_quota"),
    ),
    (KEY, "openai_chat", 429, openai("Billing hard limit has been reached", code="billing_hard_limit_reached")),
    (
        KEY,
        "openai_chat",
        429,
        openai("Your account is not active", type="billing_not_active", code="billing_not_active"),
    ),
    (KEY, "openai_responses", 429, openai("The usage limit has been reached", type="usage_limit_reached")),
    (KEY, "openai_chat", 402, openai("Insufficient Balance", type="unknown_error", code="invalid_request_error")),
    (KEY, "openai_chat", 402, {"error": "payment required"}),
    (
        KEY,
        "openai_chat",
        402,
        openai("More credits are needed", code=402, metadata={"limit_source": "openrouter_credits"}),
    ),
    (
        KEY,
        "openai_chat",
        502,
        openai("Insufficient credits. Add more using https://openrouter.ai/settings/credits", code=402),
    ),
    (KEY, "openai_chat", 429, {"error": {"code": "1113", "message": "Insufficient balance or no resource package."}}),
    (KEY, "anthropic", 429, anthropic("[1113][Insufficient balance][2026]", code="1113")),
    (KEY, "anthropic", 429, anthropic("Out of balance.", type="1113")),
    (KEY, "openai_chat", 429, {"error": {"code": "1309", "message": "Your GLM Coding Plan package has expired"}}),
    (KEY, "openai_chat", 429, openai("You exceeded your current quota", type="exceeded_current_quota_error")),
    (
        KEY,
        "openai_chat",
        403,
        {"code": "x", "error": "Your team 16f2 has either used all available credits or reached its"},
    ),
    (
        KEY,
        "anthropic",
        400,
        anthropic("Your credit balance is too low to access the Anthropic API.", type="invalid_request_error"),
    ),
    (
        KEY,
        "anthropic",
        400,
        anthropic("You have reached your specified API usage limits. You will", type="invalid_request_error"),
    ),
    (KEY, "anthropic", 402, anthropic("Payment required", type="billing_error")),
    (
        KEY,
        "anthropic",
        429,
        anthropic("Spend limit reached.", details={"error_code": "enforced_spend_limit_reached"}),
    ),
    (MODEL, "gemini", 429, google(error_info("QUOTA_EXHAUSTED", model="m"), retry_info("9s"))),
    (MODEL, "gemini", 429, google(HELP, quota_failure(PER_MINUTE, PER_DAY), retry_info("47s"))),
    (MODEL, "openai_chat", 429, [google(quota_failure(PER_DAY))]),
    (MODEL, "gemini", 429, google(error_info("RATE_LIMIT_EXCEEDED", quota_limit="Gemini25ProRequestsPerDayPerUser"))),
    (MODEL, "openai_chat", 429, openai(GROQ.format(period="day (TPD)", wait="9m38s"), code="rate_limit_exceeded")),
    (MODEL, "openai_chat", 429, openai("Rate limit exceeded: free-models-per-day. Add 10 credits", code=429)),
    (
        MODEL,
        "openai_chat",
        429,
        openai("Rate limit exceeded", code=429, metadata={"limit_source": "openrouter_free_tier_daily"}),
    ),
    (RATE, "gemini", 429, google(error_info("RATE_LIMIT_EXCEEDED"), quota_failure(PER_MINUTE), retry_info("34s"))),
    (RATE, "gemini", 429, google()),
    (
        RATE,
        "openai_chat",
        429,
        openai(GROQ.format(period="minute (TPM)", wait="1s"), type="tokens", code="rate_limit_exceeded"),
    ),
    (RATE, "openai_chat", 429, openai("Rate limit exceeded: free-models-per-min. ", code=429)),
    (RATE, "openai_chat", 429, {"error": {"code": "1302", "message": "Rate limit reached for requests"}}),
    (RATE, "anthropic", 429, anthropic("This request would exceed your account's rate limit.")),
    (RATE, "anthropic", 429, {"error": "too many"}),
    (RATE, "openai_chat", 400, openai("Invalid value: 'your credit balance is too low'", type="invalid_request_error")),
    (CAPACITY, "gemini", 503, google(error_info("MODEL_CAPACITY_EXHAUSTED"), message="No capacity available")),
    (CAPACITY, "gemini", 429, google(error_info("MODEL_CAPACITY_EXHAUSTED", model="m"), retry_info("15s"))),
    (CAPACITY, "anthropic", 529, anthropic("Overloaded", type="overloaded_error")),
    (CAPACITY, "anthropic", 529, {"error": "busy"}),
    (CAPACITY, "openai_responses", 503, openai("Our servers are overloaded", code="server_is_overloaded")),
    (CAPACITY, "openai_chat", 503, openai("Slow down", type="service_unavailable_error", code="slow_down")),
    (CAPACITY, "openai_chat", 429, openai("The engine is overloaded", type="engine_overloaded_error")),
    (CAPACITY, "openai_chat", 429, {"error": {"code": "1305", "message": "The service may be temporarily overloaded"}}),
    (
        CAPACITY,
        "openai_chat",
        429,
        {
            "object": "error",
            "message": "Service tier capacity exceeded for this model.",
            "type": "invalid_request_error",
        },
    ),
]


@pytest.mark.parametrize(("kind", "dialect", "status", "body"), ANSWERS)
def test_quotas_rates_and_lacks_of_capacity_are_told_apart(kind: str, dialect: str, status: int, body: object) -> None:
    fault = parsed(dialect, status, body)
    assert is_quota(fault) == (kind in (KEY, MODEL))
    assert scope_is_key(fault) == (kind == KEY)
    assert is_capacity(fault) == (kind == CAPACITY)


def test_an_array_of_one_is_an_error_in_openais_dialects_too() -> None:
    body = google(retry_info("34s"), message="Quota exceeded")
    fault = parsed("openai_chat", 429, [body])
    assert fault.message == "Quota exceeded"
    assert fault.vendor is not None
    assert fault.vendor.error["details"] == body["error"]["details"]
    assert parsed("openai_chat", 429, []) == Fault(status=429, message="")


def test_a_lack_of_capacity_is_not_a_limit_of_the_key_but_an_overloaded_vendor() -> None:
    fault = parsed("gemini", 429, google(error_info("MODEL_CAPACITY_EXHAUSTED")))
    assert classify(fault) is FailureKind.OVERLOADED


def test_a_violation_that_is_none_names_no_limit() -> None:
    detail = {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [7, {"quotaId": 7}]}
    body = {"error": {"code": 429, "message": "m", "status": "RESOURCE_EXHAUSTED", "details": [detail]}}
    assert not is_quota(parsed("gemini", 429, body))
