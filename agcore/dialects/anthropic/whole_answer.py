"""Whole messages: whether one is an answer, and which one a stream tells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from agcore.codecs import json_text
from agcore.dialects.anthropic import errors
from agcore.dialects.shared.no_answer import no_answer
from agcore.protocol.fault import Fault


def judge(answer: dict[str, object]) -> Fault | None:
    """See `base.PassThrough.judge`. A message may end, or be refused, without having said anything."""
    error = answer.get("error")
    if answer.get("type") == "error" or error:
        return errors.parse_error(errors.status_in_stream(error), answer)
    content = answer.get("content")
    answers = isinstance(content, list) and (content or answer.get("stop_reason") is not None)
    return None if answers else no_answer(answer)


_TEXTS = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "signature_delta": "signature",
    "input_json_delta": "partial_json",
}
"""Type of a delta -> its member that grows; of the block it is the member of the same name."""


class _Block:
    """One content block while it is put together."""

    def __init__(self, start: Mapping[str, object]) -> None:
        self.told = dict(start)
        self.texts: dict[str, list[str]] = {}

    def take(self, delta: Mapping[str, object]) -> None:
        kind = delta.get("type")
        name = _TEXTS.get(kind) if isinstance(kind, str) else None
        if name is not None:
            piece = delta.get(name)
            begun = self.told.get(name)
            texts = self.texts.setdefault(name, [begun] if isinstance(begun, str) else [])
            if isinstance(piece, str):
                texts.append(piece)
        elif kind == "citations_delta":
            cited = self.told.get("citations")
            self.told["citations"] = [*(cited if isinstance(cited, list) else ()), delta.get("citation")]
        else:  # of a kind that is newer than this program
            self.told.update((name, value) for name, value in delta.items() if name != "type")

    def whole(self) -> dict[str, object]:
        written = "".join(self.texts.pop("partial_json", ()))
        block = {**self.told, **{name: "".join(pieces) for name, pieces in self.texts.items()}}
        if written:
            try:
                block["input"] = json_text.decode(written.encode("utf-8", "surrogatepass"))
            except ValueError:
                block["input"] = {}
        return block


def fold(events: Iterable[dict[str, object]]) -> dict[str, object]:
    """See `base.PassThrough.fold`."""
    message: dict[str, object] = {}
    blocks: dict[int, _Block] = {}
    usage: dict[str, object] = {}
    for event in events:
        kind, index = event.get("type"), event.get("index")
        place = index if isinstance(index, int) else max(blocks, default=-1) + (kind == "content_block_start")
        begun, delta, block = event.get("message"), event.get("delta"), event.get("content_block")
        if isinstance(begun, dict):
            message.update(begun)
        elif kind == "content_block_start" and isinstance(block, dict):
            blocks[place] = _Block(block)
        elif kind == "content_block_delta" and isinstance(delta, dict) and place in blocks:
            blocks[place].take(delta)
        elif kind == "message_delta" and isinstance(delta, dict):
            message.update(delta)
        for holder in (begun, event):
            told = holder.get("usage") if isinstance(holder, dict) else None
            if isinstance(told, dict):
                usage.update((name, value) for name, value in told.items() if value is not None)
    content = [block.whole() for _, block in sorted(blocks.items())]
    return {**message, "content": content, "usage": usage}
