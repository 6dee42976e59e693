"""Several texts of one message as one text (docs/wire/messages-and-media.md#order-and-emptiness).

Neighbouring texts are pieces of one: a stream's chunks, or what citations cut. They are joined with nothing between
them. What something else stood between, or what was said in another message, is kept apart by a blank line.
"""

from __future__ import annotations

from itertools import groupby
from typing import Final

from agcore.conversation.values import Part, Thinking

_BLANK_LINE: Final = "\n\n"


class TextRuns:
    """The texts of one message, in order."""

    def __init__(self) -> None:
        self._runs: list[list[str]] = []
        self._open = False

    def add(self, text: str) -> None:
        """More text, which goes on with the text before it unless `cut` was called since."""
        if not text:
            return
        if self._open:
            self._runs[-1].append(text)
        else:
            self._runs.append([text])
        self._open = True

    def cut(self) -> None:
        """Something else stands here."""
        self._open = False

    @property
    def texts(self) -> list[str]:
        """The runs, each joined."""
        return ["".join(run) for run in self._runs]

    @property
    def text(self) -> str:
        """All of them."""
        return _BLANK_LINE.join(self.texts)


def signs_text(part: Part) -> bool:
    """Whether a part is but the signature of the text around it."""
    return isinstance(part, Thinking) and part.signature is not None and part.signature.kind == "text"


def joined_texts(parts: list[dict[str, object]]) -> list[dict[str, object]]:
    """The parts of a Responses message of the assistant's, neighbouring texts as one."""
    content: list[dict[str, object]] = []
    for kind, same in groupby(parts, lambda part: part["type"]):
        if kind == "output_text":
            content.append({"type": kind, "text": "".join(str(part["text"]) for part in same), "annotations": []})
        else:
            content += same
    return content
