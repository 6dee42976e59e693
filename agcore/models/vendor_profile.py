"""The profile of who serves a model: what its endpoint takes of a conversation that is well-formed, and in which order.

`Profile` has the facts of a model. `VendorProfile` has the manners of the server in front of it: vendors' own checks,
chat templates that raise, members that are refused. The rows stand in `family_rows`, `vendor_rows` and
`lookalike_rows`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias, get_args

import msgspec

from agcore.codecs.globs import matches

LeadingSystem: TypeAlias = Literal["many", "one"]
LateSystem: TypeAlias = Literal["in_place", "user_text", "refused"]
Prefill: TypeAlias = Literal["continues", "prefix_member", "refused"]
CallIds: TypeAlias = Literal["any", "nine_alphanumerics"]
ForcedTool: TypeAlias = Literal["taken", "by_word", "not_while_thinking", "refused"]
ReasoningContent: TypeAlias = Literal["ignored", "refused", "taken", "demanded"]
ToolsWithEffort: TypeAlias = Literal["taken", "none", "left_out"]
LimitOnChat: TypeAlias = Literal["max_tokens", "max_completion_tokens"]
UserIds: TypeAlias = Literal["any", "words"]
Schemas: TypeAlias = Literal["json", "moonshot", "openapi"]
ReasoningMember: TypeAlias = Literal[
    "reasoning_effort", "thinking", "enable_thinking", "chat_template_kwargs", "reasoning", "unasked"
]
Sampling: TypeAlias = Literal["taken", "fixed"]


class VendorProfile(msgspec.Struct, frozen=True, kw_only=True):
    """What one endpoint takes for one model. The defaults are what servers that nobody knows have in common."""

    vendor: str = ""
    """Who serves, as presets are named; empty when unknown."""
    leading_system: LeadingSystem = "one"
    """Messages of the system at the beginning: `many` as they come, or `one` that holds all of them."""
    late_system: LateSystem = "user_text"
    """A system message behind others: `in_place` as it is, as `user_text` (`<system-reminder>`) where it stands, or
    `refused`: as text of the user, too, and a loss."""
    alternates: bool = False
    """The user and the assistant take turns: neighbouring messages of the user are one, and the user's are the first
    and the last."""
    user_first: bool = False
    """A conversation that the assistant begins is refused: the user says a word before it."""
    user_after_tool: bool = True
    """A user message may follow a tool's; False: a short message of the assistant stands between."""
    prefill: Prefill = "continues"
    """An assistant message at the end: it `continues` that, does so with `"prefix": true` (`prefix_member`), or it is
    `refused`: a user message has to follow."""
    call_ids: CallIds = "any"
    """Ids of tool calls: `any` text, or `nine_alphanumerics` (`[a-zA-Z0-9]{9}`)."""
    tools: bool = True
    """Tools are taken at all; where not, `Profile.tools` is False, too."""
    structured_output: bool = True
    """Schemas for answers are taken; where not, `Profile.structured_output` is False, too."""
    forced_tool: ForcedTool = "taken"
    """`tool_choice` that demands a call: `taken`; `by_word` (`required`, but no tool's name: then that tool alone is
    offered); `not_while_thinking` (thinking is switched off, or the choice is `auto`, with a loss); or `refused` (sent
    as `auto`, with a loss; and for `none` no tools are offered)."""
    reasoning_content: ReasoningContent = "ignored"
    """An assistant message's `reasoning_content`, in a history: `ignored` or `refused` (not sent), `taken` (sent where
    it is known), or `demanded` on every message of the assistant while the model thinks (a single space where it is
    not known)."""
    reasoning_member: ReasoningMember = "reasoning_effort"
    """By which member of a Chat request reasoning is asked for and switched off; `unasked`: by none."""
    tools_with_effort_on_chat: ToolsWithEffort = "taken"
    """Functions beside `reasoning_effort` in Chat: `taken`; only the effort `none` is; or the effort is `left_out`."""
    limit_on_chat: LimitOnChat = "max_tokens"
    """The member of a Chat request that limits the answer; a client's `max_tokens` becomes `max_completion_tokens`."""
    sampling: Sampling = "taken"
    """`temperature`, `top_p` and penalties: `taken` as far as `Profile` has it, or `fixed` (left out, with a loss):
    `Profile.sampling` and `Profile.penalties` are False then, too."""
    stop: bool = True
    """Stop sequences are taken."""
    json_object: bool = True
    """`response_format: {"type": "json_object"}` is taken; where not, a schema for any object stands for it."""
    developer_role: bool = False
    """The role `developer` is known; where not, it is `system`."""
    longest_description: int = 0
    """Characters that are taken of a tool's description; 0 for any number."""
    schemas: Schemas = "json"
    """Schemas of tools: `json` as the dialect's own vendor takes them, `moonshot`'s flavour, or `openapi`, where a
    server of Gemini's dialect knows `parameters` and `responseSchema` only."""
    lookalike: bool = False
    """The endpoint imitates its dialect: it is not the dialect's own vendor who serves it."""
    known_tools: tuple[str, ...] = ()
    """Kinds of tools that a look-alike runs itself, or knows beside functions: `web_search`, `mcp` ..."""
    adaptive_thinking: bool = True
    """`thinking: {"type": "adaptive"}` of Messages is known; where not, it is `enabled`, with a budget."""
    user_ids: UserIds = "any"
    """`metadata.user_id` of Messages: `any` text, or only `words` (`[A-Za-z0-9_-]+`)."""
    cache_field: bool = False
    """A `cache_control` at the top level of Chat is taken, and stands for a breakpoint at the end."""
    refused_members: tuple[str, ...] = ()
    """Members of requests that the endpoint refuses; `a.b` for the member `b` of the object `a`."""
    endpoints: tuple[str, ...] = ()
    """The dialects in which the vendor serves the model, the one first that carries most of what clients of other
    dialects ask. What is missing serves it not at all; empty for all, in the order of `agcore.dialects.DIALECTS`."""

    @property
    def is_particular(self) -> bool:
        """Requests of the endpoint's own dialect are looked into: it may not take them as they are."""
        return (
            self.lookalike
            or not self.tools
            or bool(self.refused_members)
            or self.schemas != "json"
            or self.sampling == "fixed"
            or self.reasoning_content == "demanded"
            or self.tools_with_effort_on_chat != "taken"
            or self.limit_on_chat != "max_tokens"
        )


class VendorRow(msgspec.Struct, frozen=True, kw_only=True):
    """Some facts about some endpoints."""

    vendors: tuple[str, ...] = ()
    """Ids of who serves; empty for anybody."""
    models: tuple[str, ...] = ()
    """Globs of models' names; empty for all."""
    dialects: tuple[str, ...] = ()
    """Dialects of the endpoint; empty for all."""
    members: Mapping[str, object]
    """Member of `VendorProfile` -> value."""
    source: str
    """Where that is documented, or was seen."""

    def concerns(self, vendor: str, name: str, dialect: str) -> bool:
        """Returns True where the row is about a model of this short name, so served."""
        return (
            (not self.vendors or vendor in self.vendors)
            and (not self.dialects or dialect in self.dialects)
            and (not self.models or any(matches(pattern, name) for pattern in self.models))
        )


VENDOR_CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "leading_system": get_args(LeadingSystem),
    "late_system": get_args(LateSystem),
    "prefill": get_args(Prefill),
    "call_ids": get_args(CallIds),
    "forced_tool": get_args(ForcedTool),
    "reasoning_content": get_args(ReasoningContent),
    "reasoning_member": get_args(ReasoningMember),
    "tools_with_effort_on_chat": get_args(ToolsWithEffort),
    "limit_on_chat": get_args(LimitOnChat),
    "sampling": get_args(Sampling),
    "schemas": get_args(Schemas),
    "user_ids": get_args(UserIds),
}
"""Member of `VendorProfile` -> the words it takes, where it takes one of some."""

VENDOR_FIELDS: Final[Mapping[str, type]] = {
    name: list if isinstance(value, tuple) else type(value)
    for name, value in msgspec.structs.asdict(VendorProfile()).items()
    if name != "vendor"
}
"""The members that a configuration may set, and of which type; lists are of strings."""
