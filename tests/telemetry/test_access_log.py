"""The rows of the log, as folds of events."""

from __future__ import annotations

import pytest

from agcore.protocol.events import (
    Attempt,
    AttemptEnded,
    AttemptStarted,
    Crashed,
    CredentialCooled,
    Draining,
    Event,
    FirstContent,
    HeadRefused,
    Reloaded,
    RequestEnded,
    RequestStarted,
    Resolved,
    Warned,
)
from agcore.protocol.fault import FailureKind
from agcore.protocol.report import Loss, Report, Usage
from agcore.telemetry.access_log import LogRow, log_row

STARTED = RequestStarted("req_1", 100.0, "POST", "/v1/messages", "anthropic", "generate")
ATTEMPTS = (
    Attempt(100, 100.1, "a", "up", "a#1", FailureKind.RATE_LIMITED, 429),
    Attempt(100.1, 101, "a", "up", "a#2"),
)
COOLED = CredentialCooled("a#1", "a", "m", FailureKind.RATE_LIMITED, False, "slow down")


def test_a_request_that_nobody_was_asked_for_has_a_short_row() -> None:
    ended = RequestEnded(STARTED, 100.25, "error", 404, 3, 9, error="not here")
    assert log_row(ended) == LogRow(
        "access",
        {
            "id": "req_1",
            "method": "POST",
            "path": "/v1/messages",
            "status": 404,
            "outcome": "error",
            "seconds": 0.25,
            "bytes_in": 3,
            "bytes_out": 9,
            "error": "not here",
        },
    )


def test_a_row_has_all_that_is_known_in_one_order() -> None:
    started = RequestStarted("req_1", 100.0, "POST", "/", "anthropic", "generate", "::1", "bob")
    report = Report("m", True, Usage(1, 2, 3, 4, 5), (Loss("top_k", "is not known there"),), "vision", ("look",))
    ended = RequestEnded(started, 101, "ok", 200, 3, 9, 100.5, "a", "up", "a#2", ATTEMPTS, report)
    row = log_row(ended)
    assert row is not None
    assert list(row.fields.items())[6:] == [
        ("bytes_in", 3),
        ("bytes_out", 9),
        ("first_content", 0.5),
        ("peer", "::1"),
        ("client_key", "bob"),
        ("provider", "a"),
        ("upstream_model", "up"),
        ("key", "a#2"),
        ("attempts", 2),
        ("failed", ["a#1: 429"]),
        ("model", "m"),
        ("stream", True),
        ("mcp", "vision"),
        ("tools", ["look"]),
        ("usage", {"fresh": 1, "cache_read": 2, "cache_write": 3, "output": 4, "reasoning": 5}),
        ("losses", [{"path": "top_k", "why": "is not known there", "action": "dropped", "weight": "warn"}]),
    ]


def test_a_single_failed_attempt_is_told_by_the_error_alone() -> None:
    ended = RequestEnded(STARTED, 101, "error", 502, 3, 9, attempts=ATTEMPTS[:1])
    row = log_row(ended)
    assert row is not None
    assert "failed" not in row.fields


@pytest.mark.parametrize(
    ("event", "row"),
    [
        (HeadRefused("r", 1, 400, "no", 7), ("access", "id=r status=400 outcome=error error=no bytes_out=7")),
        (Warned("odd"), ("warning", "message=odd")),
        (CredentialCooled("a#1", "a", "m", FailureKind.CREDENTIAL_REJECTED, True, "no"), ("warning", "message=no")),
        (Crashed("bug", "at"), ("error", "message=bug traceback=at")),
        (Reloaded(()), ("reload", "changed=nothing")),
        (Reloaded(("a", "b"), ("c", "d")), ("reload", "changed=a, b needs_restart=c, d")),
        (Draining(1, 2), ("drain", "grace=1 drain=2")),
    ],
)
def test_what_concerns_no_request_has_a_row_of_its_own_kind(event: Event, row: tuple[str, str]) -> None:
    made = log_row(event)
    assert made is not None
    assert (made.kind, " ".join(f"{name}={value}" for name, value in made.fields.items())) == row


@pytest.mark.parametrize(
    "event",
    [
        STARTED,
        Resolved("req_1", 1, ()),
        AttemptStarted("req_1", 1, 1, "a", "m", "a#1"),
        AttemptEnded("req_1", 1, 1, ATTEMPTS[0]),
        FirstContent("req_1", 1),
        COOLED,
    ],
)
def test_what_only_watchers_want_has_no_row(event: Event) -> None:
    assert log_row(event) is None
