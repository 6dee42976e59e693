"""Events as lines, of text or JSON, on a file descriptor.

Rows go into a bounded queue; one task writes them, many at a time. Nothing here waits for the reader of a pipe: what
does not fit into the queue is dropped and counted, and the count is written when there is room again. Control
characters and line separators in values are escaped, so that no client can forge a line.
"""

from __future__ import annotations

import errno
import os
import re
import select
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec
import trio

from agcore import LogRow, log_row
from agcore.protocol import Event, Warned

MAX_ROWS: Final = 10_000
"""Rows that wait to be written."""

BATCH: Final = 0.05
"""Seconds between two rounds of writing: a busy server wakes the writer 20 times a second, not once a request."""

MAX_ROUND: Final = 250
"""Rows rendered at once, which takes a few milliseconds."""

ATOMIC: Final = 4096
"""Bytes that a pipe takes without blocking once it is writable (PIPE_BUF)."""

_UNSAFE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_NEEDS_QUOTES: Final = re.compile(r'[\s"=]')


class LogSink:
    """Writes events as lines.

    Args:
        descriptor: where to; standard error by default. It is neither closed nor made non-blocking.
        render: makes a line, without its end, from a row and the time its event was taken.
        max_rows: how many rows may wait.
        wall: the time, in seconds since the epoch.
    """

    def __init__(
        self,
        render: Callable[[LogRow, float], str],
        *,
        descriptor: int = 2,
        max_rows: int = MAX_ROWS,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.dropped = 0
        """Rows lost since the last one written."""
        self._render = render
        self._descriptor = descriptor
        self._max_rows = max_rows
        self._wall = wall
        self._rows: deque[tuple[Event, float]] = deque()
        self._lot = trio.lowlevel.ParkingLot()

    def __call__(self, event: Event) -> None:
        """Takes an event, to be written soon; drops it when too many wait."""
        if len(self._rows) >= self._max_rows:
            self.dropped += 1
            return
        self._rows.append((event, self._wall()))
        if len(self._rows) == 1:
            self._lot.unpark()

    async def run(self) -> None:
        """Writes rows as they come, until cancelled."""
        while True:
            while not self._rows:
                await self._lot.park()
            await self._write(self._take())
            await trio.sleep(0 if self._rows else BATCH)

    async def close(self) -> None:
        """Writes what is left; the last call."""
        while self._rows or self.dropped:
            await self._write(self._take())

    def _take(self) -> list[bytes]:
        lines: list[bytes] = []
        if self.dropped:
            lost = Warned(f"{self.dropped} log rows were dropped")
            lines += self._lines(lost, self._wall())
            self.dropped = 0
        count = min(len(self._rows), MAX_ROUND)
        for _ in range(count):
            lines += self._lines(*self._rows.popleft())
        return lines

    def _lines(self, event: Event, at: float) -> list[bytes]:
        """The line of an event, if it has one."""
        row = log_row(event)
        return [] if row is None else [(self._render(row, at) + "\n").encode("utf-8", "backslashreplace")]

    async def _write(self, lines: list[bytes]) -> None:
        data = memoryview(b"".join(lines))
        try:
            while data:
                await self._writable()
                data = data[os.write(self._descriptor, data[:ATOMIC]) :]
        except OSError as error:
            # Nobody reads any more, or the disk is full: serving goes on without a log.
            if error.errno not in (errno.EPIPE, errno.ENOSPC, errno.EIO, errno.EBADF):
                raise

    async def _writable(self) -> None:
        if sys.platform == "win32":
            return
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        if not poll.poll(0):
            await trio.lowlevel.wait_writable(self._descriptor)


def text_line(row: LogRow, at: float) -> str:
    """Renders a row for people.

    An access row is `12:03:04 POST /v1/chat/completions 200 812ms openai/gpt-4o-mini in=12 out=40`. Where they apply,
    `tools` are those of an MCP server that were called, `lost` is what a translation could not carry (but for what
    nobody misses), `failed` the attempts before the one with `key`, and `outcome` and `error` say what went wrong. Any
    other row is its kind and its fields. Times are local.
    """
    stamp = time.strftime("%H:%M:%S", time.localtime(at))
    if row.kind == "access":
        return f"{stamp} {_access(row.fields)}"
    traceback = row.fields.get("traceback")
    rest = "" if traceback is None else "".join(f"\n    {plain(line)}" for line in str(traceback).splitlines())
    return " ".join([stamp, row.kind, *_pairs(row.fields, without=("traceback",))]) + rest


def json_line(row: LogRow, at: float) -> str:
    """Renders a row for machines: one JSON object, its fields with `time` (seconds since the epoch) and `kind`."""
    members = {"time": round(at, 3), "kind": row.kind, **row.fields}
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
    if failed or not went_well:
        remarks["key"] = fields.get("key")
    # The error of a request that failed as a whole lists the attempts itself.
    if (attempts := _joined(failed)) not in str(fields.get("error", "")):
        remarks["failed"] = attempts
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


def _escape(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode()


def _escape_json(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"
