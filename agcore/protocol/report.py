"""The report of a request: its usage, and its losses on the way between two dialects.

Vendors overlap their token counts in different ways (OpenAI's prompt tokens include the cached ones, Anthropic's do
not; Gemini's candidate tokens exclude the thoughts, all others' output includes them). Each dialect reads its own form
into `Usage`, in which nothing is counted twice.
"""

from __future__ import annotations

from typing import Literal

import msgspec


class Usage(msgspec.Struct, frozen=True):
    """Tokens of one exchange, in disjoint parts."""

    fresh: int = 0
    """Input that no cache served."""
    cache_read: int = 0
    cache_write: int = 0
    output: int = 0
    """All output, reasoning included."""
    reasoning: int = 0

    @property
    def input(self) -> int:
        """All input."""
        return self.fresh + self.cache_read + self.cache_write


Weight = Literal["note", "warn", "refuse"]


class Loss(msgspec.Struct, frozen=True):
    """One thing that did not make it across."""

    path: str
    """Place in the client's request (`messages[2].content[0]`), or in the answer."""
    why: str
    """For people: what the other side lacks."""
    action: str = "dropped"
    """Measure that was taken instead: `dropped`, `clamped to 1`, `sent as text`."""
    weight: Weight = "warn"
    """`note`: nobody will miss it (cache markers, metadata). `warn`: the answer may differ. `refuse`: without it the
    request cannot mean what it says, which is a 400 in any mode."""


class Report(msgspec.Struct, frozen=True):
    """The facts that an operation reports of its request. A member that does not apply keeps its default."""

    model: str = ""
    """The name that the client asked for."""
    stream: bool = False
    """The client asked for a stream."""
    usage: Usage | None = None
    """The tokens of all calls; None where no upstream told."""
    losses: tuple[Loss, ...] = ()
    """Losses of a translation."""
    mcp: str = ""
    """The name of the MCP server that was spoken to."""
    tools: tuple[str, ...] = ()
    """The tools of the built-in MCP server that were called."""


NOTHING_TO_REPORT = Report()
