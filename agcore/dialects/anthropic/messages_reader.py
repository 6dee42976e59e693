"""The system prompt and the messages of a Messages client, as turns (docs/wire/anthropic-messages.md#messages).

A conversation is steered from within it: system messages, tools that come and go, an effort for what follows. What
holds at its end is what the upstream is told. Messages in OpenAI's form, which frameworks mix in, are read by OpenAI's
reader.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from agcore.conversation import compaction
from agcore.conversation.losses import Losses
from agcore.conversation.values import Invalid, Part, Role, Text, Turn
from agcore.dialects.anthropic.blocks_reader import read_block, read_text
from agcore.dialects.anthropic.fields import blocks, cache_of, members, read_effort
from agcore.dialects.anthropic.tools_reader import CHANGES, ToolChanges
from agcore.dialects.shared.unread import note_unread

if TYPE_CHECKING:
    from agcore.dialects.openai_chat.messages_reader import History

_BILLING: Final = "x-anthropic-billing-header:"
_ROLES: Final[dict[object, Role]] = {"user": "user", "assistant": "assistant", "system": "system"}
_OPENAI: Final = ("tool", "developer", "function")
"""Roles of OpenAI's messages."""
_CALLING: Final = ("tool_calls", "function_call")
"""Members of OpenAI's messages in which an assistant calls tools."""
_MEMBERS: Final = frozenset({"role", "content"})
_TEXT: Final = frozenset({"type", "text", "cache_control"})
_COMPACTION: Final = frozenset({"type", "content", "tool_changes", "cache_control"})
_UNTIL_ANSWERED: Final = "next_user_message"


class Messages:
    """Reads the messages of one request, in order.

    Args:
        system: The request's `system`.
        messages: The request's `messages`.
        losses: What has no place elsewhere.

    Raises:
        Invalid: What Anthropic would refuse.
    """

    def __init__(self, system: object, messages: object, losses: Losses) -> None:
        self.turns: list[Turn] = []
        self.changes = ToolChanges(losses)
        """What the messages change about the request's tools."""
        self.effort = ""
        """The last effort that a message asks for; empty where none does."""
        self._losses = losses
        self._openai: History | None = None
        self._system(system)
        self._prompts = len(self.turns)
        if messages is None:
            raise Invalid("messages: Field required", param="messages")
        if not isinstance(messages, list):
            raise Invalid("messages: Input should be a list", param="messages")
        if not messages:
            raise Invalid("messages: at least one message is required", param="messages")
        asked = [at for at, each in enumerate(messages) if isinstance(each, dict) and each.get("role") == "user"]
        last = asked[-1] if asked else -1
        for at, message in enumerate(messages):
            path = f"messages[{at}]"
            if not isinstance(message, dict):
                raise Invalid(f"{path}: Input should be an object", param=path)
            self._message(message, path, cleared=at < last)

    def _system(self, system: object) -> None:
        """Read the system prompt as one turn, without Claude Code's attribution line: it changes with every request."""
        if system is None or isinstance(system, str):
            self.turns += [Turn("system", (Text(system),))] if system else []
            return
        parts: list[Part] = []
        for at, block in enumerate(blocks(system, "system")):
            path = f"system[{at}]"
            if block.get("type") != "text":
                raise Invalid(f"{path}: only text blocks are allowed", param=path)
            if at == 0 and str(block.get("text")).startswith(_BILLING):
                why = "an attribution line that only Anthropic reads, and that defeats prompt caches"
                self._losses.add(path, why, weight="note")
            else:
                note_unread(block, _TEXT, path + ".", self._losses)
                parts += read_text(block, path)
        self.turns += [Turn("system", tuple(parts))] if parts else []

    def _foreign(self) -> History:
        """What reads messages in OpenAI's form, which are rare."""
        if self._openai is None:
            from agcore.dialects.openai_chat.messages_reader import History

            self._openai = History(self._losses)
        return self._openai

    def _message(self, message: dict[str, object], path: str, *, cleared: bool) -> None:
        named = message.get("role")
        if named in _OPENAI or any(message.get(name) for name in _CALLING):
            self.turns.append(self._foreign().turn(message, path))
            return
        role = _ROLES.get(named)
        if role is None:
            raise Invalid(f"{path}.role: Input should be 'user', 'assistant' or 'system'", param=f"{path}.role")
        content, known = message.get("content"), _MEMBERS
        if role == "system":
            known = _MEMBERS | {"output_config", "clear_at"}
        note_unread(message, known, path + ".", self._losses)
        if role == "system":
            self._steer(message, path)
            if content is None and message.get("output_config") is not None:
                return
            if message.get("clear_at") == _UNTIL_ANSWERED and cleared:
                self._losses.add(path, "it was shown until the user's next message", weight="note")
                return
        parts: list[Part] = []
        if isinstance(content, str):
            parts += [Text(content)] if content else []
        else:
            for number, block in enumerate(blocks(content, f"{path}.content")):
                self._block(block, role, f"{path}.content[{number}]", parts)
        self.turns.append(Turn(role, tuple(parts)))

    def _steer(self, message: dict[str, object], path: str) -> None:
        """Take the effort that a system message asks for: of several, the last one counts, before the request's own."""
        place = f"{path}.output_config"
        config = members(message.get("output_config"), place)
        note_unread(config, {"effort"}, place + ".", self._losses)
        self.effort = read_effort(config, place) or self.effort

    def _block(self, block: dict[str, object], role: Role, path: str, parts: list[Part]) -> None:
        kind = block.get("type")
        if role == "system" and kind in CHANGES:
            self.changes.read(block, path)
            return
        if role == "system" and kind != "text":
            raise Invalid(f"{path}: only text blocks and changes of tools are allowed in system messages", param=path)
        if kind == "compaction":
            self.changes.read_all(block.get("tool_changes"), f"{path}.tool_changes")
            summary = block.get("content")  # null where summing up failed
            if isinstance(summary, str) and summary:
                # It stands for all messages before it, which Anthropic leaves out.
                del self.turns[self._prompts :]
                parts.clear()
                self.turns.append(Turn("user", (Text(compaction.restored(summary), cache_of(block)),)))
            else:
                self._losses.add(path, "nothing was compacted", weight="note")
            note_unread(block, _COMPACTION, path + ".", self._losses)
            return
        read_block(block, role, path, self._losses, parts)
