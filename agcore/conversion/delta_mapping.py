"""Deltas brought home: what an upstream says, under the client's own names, ids and choice numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

import msgspec

from agcore.codecs import json_text
from agcore.conversation.schemas.parameter_names import ParameterNames
from agcore.conversation.schemas.wrapped_output import Unwrapping
from agcore.conversation.signed import Signed
from agcore.conversation.split import Part
from agcore.conversation.tool_names import ToolNames, safe_call_id
from agcore.conversation.values import (
    Consumed,
    Delta,
    Started,
    Thinking,
    ThinkingDelta,
    ThinkingEnded,
    ToolArguments,
    ToolEnded,
    ToolStarted,
)

Remember: TypeAlias = Callable[[str, Signed], None]
"""Keeps what belongs to the tool call of an id."""


class DeltaMapper:
    """Deltas on their way home: tools under the client's own names, every call with an id, free-form tools free-form.

    Choices of a share of a request get the client's numbers. A model that knows a custom tool as a function wraps its
    text in JSON, and one that knows other names of parameters uses those; what was said is known once the call is
    complete.
    """

    def __init__(
        self,
        names: ToolNames,
        parameters: ParameterNames,
        customs: set[str],
        *,
        id: str,
        share: Part | None = None,
        remember: Remember | None = None,
        plain_thoughts: bool = False,
        unwrapping: Unwrapping | None = None,
    ) -> None:
        self._share = share
        self._remember = remember
        self._plain_thoughts = plain_thoughts
        self._unwrapping = unwrapping
        self._thoughts: dict[int, list[Thinking]] = {}
        self._thought: dict[int, list[str]] = {}
        self._names = names
        self._parameters = parameters
        self._renamed: dict[tuple[int, int], str] = {}
        self._customs = customs
        self._id = id
        self._wrapped: dict[tuple[int, int], str] = {}

    def deltas(self, deltas: Iterable[Delta]) -> Iterator[Delta]:
        """Yields the same deltas, as the client may see them."""
        deltas = deltas if self._unwrapping is None else self._unwrapping.deltas(deltas)
        for delta in deltas if self._share is None else _numbered(deltas, self._share):
            if self._remember is not None:
                self._notice(delta)
            if isinstance(delta, ToolStarted):
                yield self._started(delta)
            elif (
                self._wrapped
                and isinstance(delta, ToolArguments | ToolEnded)
                and (delta.choice, delta.index) in self._wrapped
            ):
                yield from self._unwrapped(delta)
            else:
                yield delta

    def _started(self, delta: ToolStarted) -> Delta:
        name = self._names.original(delta.name)
        id = safe_call_id(delta.id) if delta.id else f"call_{self._id[:16]}{delta.choice}_{delta.index}"
        thoughts = tuple(self._thoughts.pop(delta.choice, ()))
        if self._remember is not None and (thoughts or delta.signature is not None):
            self._remember(id, Signed(thoughts, delta.signature))
        if name in self._customs and not delta.custom:
            self._wrapped[delta.choice, delta.index] = ""
            return msgspec.structs.replace(delta, id=id, name=name, custom=True)
        if name in self._parameters:
            self._wrapped[delta.choice, delta.index] = ""
            self._renamed[delta.choice, delta.index] = name
        return msgspec.structs.replace(delta, id=id, name=name)

    def _notice(self, delta: Delta) -> None:
        """Keep the thoughts that are worth it until the call that they lead to."""
        if isinstance(delta, ThinkingDelta):
            self._thought.setdefault(delta.choice, []).append(delta.text)
        elif isinstance(delta, ThinkingEnded):
            text = "".join(self._thought.pop(delta.choice, ()))
            if delta.signature is not None or (text and self._plain_thoughts):
                self._thoughts.setdefault(delta.choice, []).append(Thinking(text, delta.signature))

    def _unwrapped(self, delta: ToolArguments | ToolEnded) -> Iterator[Delta]:
        place = (delta.choice, delta.index)
        if isinstance(delta, ToolArguments):
            self._wrapped[place] += delta.text
            return
        text = self._wrapped.pop(place)
        tool = self._renamed.pop(place, "")
        text = self._parameters.original(tool, text) if tool else _free_text(text)
        if text:
            yield ToolArguments(delta.index, text, choice=delta.choice)
        yield delta


def _free_text(arguments: str) -> str:
    """What a custom tool is told by the call of a function that stands for it."""
    try:
        value = json_text.decode(arguments.encode("utf-8", "surrogatepass"))
    except ValueError:
        return arguments
    text = value.get("input") if isinstance(value, dict) else None
    return text if isinstance(text, str) else arguments


def _numbered(deltas: Iterable[Delta], share: Part) -> Iterator[Delta]:
    """Deltas of a share's choices; more choices than it asked for would be taken for another share's."""
    for delta in deltas:
        if isinstance(delta, Started | Consumed):
            yield delta
        elif delta.choice < share.conversation.settings.choices:
            yield msgspec.structs.replace(delta, choice=share.first + delta.choice)
