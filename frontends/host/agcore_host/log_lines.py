"""Rows of a log as lines of text or JSON.

Control characters and line separators in values are escaped, so that no client can forge a line.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from agcore import LogRow

_UNSAFE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_JOINS: Final = ("id", "upstream_request_id", "client_request_id", "client_key")
"""What joins the row of a failure with other logs."""
_NEEDS_QUOTES: Final = re.compile(r'[\s"=]')


def text_line(row: LogRow, at: float) -> str:
    """Renders a row for people.

    An access row is `12:03:04 POST /v1/chat/completions 200 812ms openai/gpt-4o-mini in=12 out=40`. Where they apply,
    `tools` are those of an MCP server that were called, `lost` is what a translation could not carry (but for what
    nobody misses), `failed` the attempts before the one with `key`, and `outcome` and `error` say what went wrong. The
    row of a failure begins with its date, and has its ids and the client's key: what joins it with other logs.
    Any other row is its kind and its fields. Times are local.
    """
    failed = row.kind == "access" and row.fields.get("outcome", "ok") != "ok"
    stamp = time.strftime("%Y-%m-%d %H:%M:%S" if failed else "%H:%M:%S", time.localtime(at))
    if row.kind == "access":
        return f"{stamp} {_access(row.fields)}"
    traceback = row.fields.get("traceback")
    rest = "" if traceback is None else "".join(f"\n    {plain(line)}" for line in str(traceback).splitlines())
    return " ".join([stamp, row.kind, *_pairs(row.fields, without=("traceback",))]) + rest


def fields_line(row: LogRow) -> str:
    """Renders a row as `kind key=value ...`, for a log that says the time by itself.

    Values with blanks, quotes or control characters are quoted.
    """
    return " ".join([row.kind, *(f"{name}={_literal(value)}" for name, value in row.fields.items())])


def json_line(row: LogRow, at: float | None = None) -> str:
    """Renders a row for machines: one JSON object, its fields with `kind`, and with `time` where it is given.

    Args:
        row: what is rendered.
        at: seconds since the epoch.
    """
    members = {"kind": row.kind, **row.fields}
    if at is not None:
        members = {"time": round(at, 3), **members}
    # JSON escapes control characters but not the separators that some readers of lines split at.
    return _UNSAFE.sub(_escape_json, msgspec.json.encode(members, enc_hook=str).decode())


def plain(value: object) -> str:
    """A value as text on one line: control characters and line separators are escaped."""
    return _UNSAFE.sub(_escape, str(value))


def _access(fields: Mapping[str, object]) -> str:
    words = [plain(fields.get("method", "-")), plain(fields.get("path", "-")), plain(fields.get("status", "-"))]
    seconds = fields.get("seconds")
    if isinstance(seconds, (int, float)):
        words.append(f"{seconds * 1000:.0f}ms")
    if "provider" in fields:
        # A message to an MCP server is not for a model.
        model = fields.get("upstream_model", "-")
        words.append(plain(f"{fields['provider']}/{model}" if model else fields["provider"]))
    usage = fields.get("usage")
    if isinstance(usage, Mapping):
        taken_in = sum(usage.get(name, 0) for name in ("fresh", "cache_read", "cache_write"))
        words += [f"in={taken_in}", f"out={usage.get('output', 0)}"]
    return " ".join([*words, *_pairs(_remarks(fields))])


def _remarks(fields: Mapping[str, object]) -> dict[str, object]:
    """What is worth a word: tools that were called, settings that a translation lost, and keys where one failed."""
    tools, losses, failed = (_items(fields.get(name)) for name in ("tools", "losses", "failed"))
    lost = [loss["path"] for loss in losses if isinstance(loss, Mapping) and loss.get("weight") != "note"]
    remarks: dict[str, object] = {"tools": _joined(tools), "lost": _joined(lost)}
    went_well = fields.get("outcome", "ok") == "ok"
    if not went_well:
        remarks |= {name: fields.get(name) for name in _JOINS}
    if failed or not went_well:
        remarks["key"] = fields.get("key")
    # The error of a request that failed as a whole lists the attempts itself.
    error = str(fields.get("error", ""))
    if not all(str(attempt) in error for attempt in failed):
        remarks["failed"] = _joined(failed)
    if not went_well:
        remarks |= {name: fields.get(name) for name in ("outcome", "error")}
    return {name: value for name, value in remarks.items() if value}


def _items(value: object) -> Sequence[object]:
    return value if isinstance(value, (list, tuple)) else ()


def _joined(items: Sequence[object]) -> str:
    return ", ".join(map(str, items))


def _pairs(fields: Mapping[str, object], *, without: Sequence[str] = ()) -> list[str]:
    return [f"{name}={_quoted(value)}" for name, value in fields.items() if name not in without]


def _quoted(value: object) -> str:
    text = plain(value)
    return msgspec.json.encode(text).decode() if not text or _NEEDS_QUOTES.search(text) else text


def _literal(value: object) -> str:
    text = str(value)
    bare = bool(text) and text.isprintable() and not any(char in text for char in ' "=')
    return text if bare else msgspec.json.encode(text).decode()


def _escape(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode()


def _escape_json(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"
