"""Later instructions for upstreams that take none (docs/wire/messages-and-media.md#roles)."""

from __future__ import annotations


def reminder(text: str) -> str:
    """An instruction as text of the user's, in the words of Claude Code, which models know."""
    return f"<system-reminder>\n{text}\n</system-reminder>"
