"""Mends chunks of Chat streams for OpenAI's SDKs (docs/wire/openai-chat.md#what-the-sdk-cannot-add-up).

The SDKs join whatever comes twice: `assistant` and `assistant` become `assistantassistant`, and so do the ids and names
of calls. They find calls by an index, and expect usage in a last chunk of its own. Servers that only resemble OpenAI
repeat the former in every chunk, leave out the index, and tell usage beside the text.
"""

from __future__ import annotations

from typing import Final

import msgspec

_HEAD: Final = ("id", "object", "created", "model")


class _Call(msgspec.Struct):
    """What was said of a call."""

    id: str
    name: str = ""


class _Choice(msgspec.Struct):
    """What was said of a choice."""

    role: bool = False
    calls: dict[int, _Call] = {}
    open: int = -1


class Mender:
    """Mends the chunks of one stream in place."""

    def __init__(self) -> None:
        self._choices: dict[int, _Choice] = {}
        self._head: dict[str, object] = {}
        self._usage: object = None

    def mend(self, chunk: dict[str, object]) -> bool:
        """Whether the chunk had to be changed."""
        choices = chunk.get("choices")
        if not isinstance(choices, list) or not choices:
            self._usage = None if chunk.get("usage") else self._usage
            return False
        mended = False
        for choice in choices:
            if isinstance(choice, dict) and isinstance(choice.get("delta"), dict):
                index = choice.get("index")
                state = self._choices.setdefault(index if isinstance(index, int) else 0, _Choice())
                mended = _mend_delta(choice["delta"], state) or mended
        if chunk.get("usage"):
            self._usage, chunk["usage"], mended = chunk["usage"], None, True
            self._head = {name: chunk[name] for name in _HEAD if name in chunk}
        return mended

    def usage_chunk(self) -> dict[str, object] | None:
        """The usage that was told beside text only, in a chunk of its own; once."""
        usage, self._usage = self._usage, None
        return {**self._head, "choices": [], "usage": usage} if usage else None


def _mend_delta(delta: dict[str, object], state: _Choice) -> bool:
    mended = False
    if delta.get("role"):
        if state.role:
            del delta["role"]
            mended = True
        state.role = True
    calls = delta.get("tool_calls")
    for call in calls if isinstance(calls, list) else ():
        if isinstance(call, dict):
            mended = _mend_call(call, state) or mended
    return mended


def _mend_call(call: dict[str, object], state: _Choice) -> bool:
    index, id, mended = call.get("index"), call.get("id"), False
    id = id if isinstance(id, str) else ""
    if not isinstance(index, int):
        known = state.calls.get(state.open)
        opens = known is None or bool(id and id != known.id)
        index, mended = max(state.calls, default=-1) + 1 if opens else state.open, True
        call["index"] = index
    state.open = index
    body = next((body for kind in ("function", "custom") if isinstance(body := call.get(kind), dict)), {})
    name = body.get("name")
    said = state.calls.get(index)
    if said is None:
        state.calls[index] = _Call(id, name if isinstance(name, str) else "")
        if not call.get("type"):
            call["type"] = "custom" if "custom" in call else "function"
            mended = True
        return mended
    if id:
        if said.id:
            del call["id"]
            mended = True
        said.id = said.id or id
    if isinstance(name, str) and name:
        if name == said.name:
            del body["name"]
            mended = True
        said.name = said.name or name
    return mended
