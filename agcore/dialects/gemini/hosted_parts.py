"""What Google ran itself, in words that all vendors know (docs/wire/tools.md#hosted-tools).

Code that ran and tools of Google's that were called are calls that were made; what came of them are results. Ids are
new in Google's API and often absent: a result belongs to the call with its id, else to the first one without a result.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from agcore.codecs import json_text
from agcore.conversation.values import Foreign, Part, Role, Text, ToolCall, ToolResult
from agcore.dialects.gemini.fields import Message
from agcore.dialects.gemini.traits import NAME

CALLS: Final = ("executableCode", "toolCall")
RESULTS: Final = ("codeExecutionResult", "toolResponse")

_CODE: Final = "code_execution"
_FINE: Final = ("", "OUTCOME_OK", "OUTCOME_UNSPECIFIED")


class HostedParts:
    """Reads such parts of one request, in order. `mint` gives an id that no call has."""

    def __init__(self, mint: Callable[[], str]) -> None:
        self._mint = mint
        self._open: list[tuple[str, str]] = []  # (Google's id, ours) of calls without a result yet

    def read(self, part: Message, kind: str, role: Role) -> Foreign:
        """The part, and what it stands for elsewhere. Raises Invalid for members of another type than theirs."""
        path, value = part.at(kind), part.take(kind)
        said = Message(value, path)
        if kind in CALLS:
            stands_for = self._call(said, kind, role)
        else:
            stands_for = self._result(said, kind, role)
        return Foreign(NAME, kind, value, (stands_for,))

    def _call(self, said: Message, kind: str, role: Role) -> Part:
        id = said.text("id")
        if kind == "executableCode":
            name, arguments = _CODE, {"code": said.text("code"), "language": said.text("language").lower()}
            shown = arguments["code"]
        else:
            name, given = said.text("toolType").lower() or "tool", said.take("args")
            arguments = given if isinstance(given, dict) else {}
            shown = _json(arguments)
        if role != "assistant":
            return Text(f"[{name}]\n{shown}")
        ours = self._mint()
        self._open.append((id, ours))
        return ToolCall(ours, name, _json(arguments))

    def _result(self, said: Message, kind: str, role: Role) -> Part:
        id, failed = said.text("id"), False
        if kind == "codeExecutionResult":
            text, failed = said.text("output"), said.text("outcome") not in _FINE
        else:
            response = said.take("response")
            text = _json(response) if response is not None else ""
        found = next((each for each in self._open if id and each[0] == id), None)
        if found is None:
            found = next((each for each in self._open if not (id and each[0])), None)
        if found is None:
            return Text(f"[result]\n{text}")
        self._open.remove(found)
        return ToolResult(found[1], (Text(text),) if text else (), is_error=failed)


def _json(value: object) -> str:
    return json_text.encode(value).decode()
