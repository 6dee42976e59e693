"""The error that a conversation is too long for its model, which agents answer by compacting it.

Each vendor words it in its own way, and clients look for their own vendor's: OpenAI's for a code, Claude Code for a
wording that names both numbers (docs/wire/errors.md#context-overflow).
"""

from __future__ import annotations

import re
from typing import Final

CODE: Final = "context_length_exceeded"
"""OpenAI's code for it; a fault of that kind carries it whatever the upstream's dialect."""

_STATUSES: Final = frozenset({400, 413, 422})
_WORDINGS: Final = (
    re.compile(r"prompt is too long(?:: (?P<asked>\d+) tokens > (?P<most>\d+) maximum)?", re.IGNORECASE),
    re.compile(r"input length and `max_tokens` exceed context limit", re.IGNORECASE),
    re.compile(
        r"maximum context length is (?P<most>\d+) tokens(?:.{0,40}?(?:resulted in|requested) (?P<asked>\d+) tokens)?",
        re.IGNORECASE | re.DOTALL,
    ),
    re.compile(r"exceeds? the context window", re.IGNORECASE),
    re.compile(
        r"input token count(?: \((?P<asked>\d+)\))? exceeds the maximum number of tokens allowed"
        r"(?: \((?P<most>\d+)\))?",
        re.IGNORECASE,
    ),
)


def code_of(status: int, message: str) -> str | None:
    """`CODE` for an error that says so in any vendor's words, else None."""
    found = status in _STATUSES and any(wording.search(message) for wording in _WORDINGS)
    return CODE if found else None


def in_anthropic_words(message: str) -> str:
    """The message as clients of Anthropic look for it, with the upstream's own words behind it."""
    for wording in _WORDINGS:
        match = wording.search(message)
        numbers = match.groupdict() if match is not None else {}
        if numbers.get("asked") and numbers.get("most"):
            return f"prompt is too long: {numbers['asked']} tokens > {numbers['most']} maximum ({message})"
    return f"prompt is too long: {message}"
