"""Where in an answer's text a citation stands, in code points (docs/wire/messages-and-media.md#citations).

OpenAI counts code points of one part of the text. Google counts bytes of its UTF-8, and tells the words as well, by
which a wrong count is found out: a span that fits neither is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

Span: TypeAlias = tuple[int, int]


def span_of(start: object, end: object, *, before: int = 0) -> Span | None:
    """The span between two indexes into a part that has `before` code points of text before it; None for no span."""
    if not isinstance(start, int) or not isinstance(end, int) or not 0 <= start < end:
        return None
    return before + start, before + end


def span_of_segment(segment: object, said: str) -> Span | None:
    """The span of a Google `segment` in the text `said`; None where it does not fit."""
    if not isinstance(segment, Mapping):
        return None
    words, start, end = segment.get("text"), segment.get("startIndex", 0), segment.get("endIndex")
    data = said.encode("utf-8", "surrogatepass")
    if isinstance(start, int) and isinstance(end, int) and 0 <= start < end <= len(data):
        from_, to = (len(data[:at].decode("utf-8", "ignore")) for at in (start, end))
        if not isinstance(words, str) or said[from_:to] == words:
            return from_, to
    if isinstance(words, str) and words and said.count(words) == 1:
        from_ = said.index(words)
        return from_, from_ + len(words)
    return None
