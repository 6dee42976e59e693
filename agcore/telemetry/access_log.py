"""Events as rows of the log: a kind and named fields, in the order in which they are shown.

An access row is a fold of one request's events, all of which `RequestEnded` holds. There is never a secret in a row.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from agcore.protocol.events import (
    Crashed,
    CredentialCooled,
    Draining,
    Event,
    HeadRefused,
    Reloaded,
    RequestEnded,
    Warned,
)
from agcore.protocol.report import Report


class LogRow(NamedTuple):
    """One row of the log."""

    kind: str
    """`access`, `warning`, `error`, `reload` or `drain`."""
    fields: dict[str, object]


def log_row(event: Event) -> LogRow | None:
    """The row for an event; None for one that only those want to know who watch."""
    match event:
        case RequestEnded():
            return LogRow("access", _access(event))
        case HeadRefused(id, _, status, error, bytes_out):
            row = {"id": id, "status": status, "outcome": "error", "error": error, "bytes_out": bytes_out}
            return LogRow("access", row)
        case Warned(message) | CredentialCooled(message=message, refused=True):
            return LogRow("warning", {"message": message})
        case Crashed(message, traceback):
            return LogRow("error", {"message": message, "traceback": traceback})
        case Reloaded(changed, needs_restart):
            fields: dict[str, object] = {"changed": ", ".join(changed) or "nothing"}
            if needs_restart:
                fields["needs_restart"] = ", ".join(needs_restart)
            return LogRow("reload", fields)
        case Draining(grace, drain):
            return LogRow("drain", {"grace": grace, "drain": drain})
    return None


def _access(ended: RequestEnded) -> dict[str, object]:
    started = ended.started
    row: dict[str, object] = {
        "id": started.id,
        "method": started.method,
        "path": started.path,
        "status": ended.status,
        "outcome": ended.outcome,
        "seconds": _since(started.at, ended.at),
        "bytes_in": ended.bytes_in,
        "bytes_out": ended.bytes_out,
    }
    if ended.first_content is not None:
        row["first_content"] = _since(started.at, ended.first_content)
    if started.client_request_id:
        row["client_request_id"] = started.client_request_id
    if started.traceparent:
        row["traceparent"] = started.traceparent
    if started.peer is not None:
        row["peer"] = started.peer
    if started.client_key is not None:
        row["client_key"] = started.client_key
    if ended.provider is not None:
        row["provider"] = ended.provider
        row["upstream_model"] = ended.upstream_model
        row["key"] = ended.key
    if ended.attempts:
        row["attempts"] = len(ended.attempts)
        if ended.provider is not None and ended.attempts[-1].request_id:
            row["upstream_request_id"] = ended.attempts[-1].request_id
    failed = [attempt.happened for attempt in ended.attempts if attempt.failure is not None]
    if failed and len(ended.attempts) != 1:
        row["failed"] = failed
    _report(ended.report, row)
    if ended.error is not None:
        row["error"] = ended.error
    return row


def _report(report: Report, row: dict[str, object]) -> None:
    if report.model:
        row["model"] = report.model
    if report.stream:
        row["stream"] = True
    if report.mcp:
        row["mcp"] = report.mcp
    if report.tools:
        row["tools"] = list(report.tools)
    if report.usage is not None:
        row["usage"] = msgspec.structs.asdict(report.usage)
    if report.losses:
        row["losses"] = [msgspec.structs.asdict(loss) for loss in report.losses]


def _since(start: float, at: float) -> float:
    return round(max(at - start, 0.0), 6)
