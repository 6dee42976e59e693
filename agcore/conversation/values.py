"""The neutral conversation: what a request says and what an answer brings, in no vendor's words.

Translation is N readers and N writers around these values, never N x N. A client's dialect parses its request into a
`Conversation`; the upstream's dialect renders it. On the way back the upstream's dialect reads its answer, streamed or
whole, into `Delta`s; the client's dialect writes them. A whole answer is the fold of the same deltas, so that there is
one path for both.

Rules that every reader keeps and every writer may rely on:

- Text is never empty. Base64 is in the standard alphabet, padded, without white space. Ids are never empty.
- A turn's parts stand in the order in which they were said. Nothing is merged: neighbouring turns may share a role.
- Tool arguments are the model's own text, JSON or not: nothing re-spells them.
- Deltas come in order: thinking, text and tool calls of one choice follow one another. Arguments of several calls may
  interleave; a call's arguments come between its `ToolStarted` and its `ToolEnded`, and every started call is ended.
- Each choice is finished exactly once, after its content. `Consumed` may come at any time; the last one counts.
"""

from __future__ import annotations

import enum
from typing import Any, Literal, TypeAlias

import msgspec

from agcore.protocol.fault import Vendor
from agcore.protocol.report import Usage

Role: TypeAlias = Literal["system", "developer", "user", "assistant"]
Json: TypeAlias = Any
"""A decoded JSON value, passed along without being looked into (schemas, metadata)."""


class Invalid(ValueError):
    """A request that its own dialect would refuse.

    Attributes:
        param: The path of the field at fault.
        code: What programs tell the error by.
        vendor: The error as its vendor words it.
    """

    def __init__(
        self, message: str, *, param: str | None = None, code: str | None = None, vendor: Vendor | None = None
    ) -> None:
        super().__init__(message)
        self.param = param
        self.code = code
        self.vendor = vendor


class Signature(msgspec.Struct, frozen=True):
    """A vendor's opaque proof that it said something. It returns unchanged to `signer`, and to nobody else."""

    signer: str
    """Who signed; empty where that is unknown, which makes it nobody's."""
    kind: Literal["thinking", "redacted", "reasoning", "call", "text"]
    """What is signed: Anthropic's `thinking` or `redacted` thinking, OpenAI's encrypted `reasoning`, or Gemini's
    thought before a `call` or at the end of a `text`."""
    data: str
    id: str = ""
    """The id of the signed item, where its vendor gives one (`rs_...`)."""


class Source(msgspec.Struct, frozen=True):
    """Where bytes are: exactly one of `data`, `url` and `file_id` is set."""

    media_type: str = ""
    data: str = ""
    """Base64."""
    url: str = ""
    file_id: str = ""


class Text(msgspec.Struct, frozen=True):
    """Something said in text."""

    text: str
    cache: str = ""
    """A cache breakpoint after this part: its lifetime (`5m`, `1h`), `default`, or empty for none."""


class Refusal(msgspec.Struct, frozen=True):
    """The assistant declining, in its own words."""

    text: str


class Image(msgspec.Struct, frozen=True):
    """A picture."""

    source: Source
    detail: str = ""
    cache: str = ""


class Document(msgspec.Struct, frozen=True):
    """A file to be read: a PDF, or plain text (`media_type` `text/plain`, whose `data` is base64 all the same)."""

    source: Source
    title: str = ""
    cache: str = ""


class Audio(msgspec.Struct, frozen=True):
    """Sound."""

    source: Source


class Video(msgspec.Struct, frozen=True):
    """Moving pictures."""

    source: Source


class Thinking(msgspec.Struct, frozen=True):
    """What the model thought. The text may be empty where only a signature is to be carried."""

    text: str
    signature: Signature | None = None


class ToolCall(msgspec.Struct, frozen=True):
    """The model asking for a tool."""

    id: str
    name: str
    arguments: str
    """JSON text of an object as the model wrote it (`""` is possible); for a custom tool, its free text."""
    custom: bool = False
    signature: Signature | None = None
    cache: str = ""


class ToolResult(msgspec.Struct, frozen=True):
    """What a tool gave back."""

    call_id: str
    content: tuple[Text | Image | Document | Audio | Video, ...]
    """Empty for a result that says nothing."""
    is_error: bool = False
    custom: bool = False
    name: str = ""
    """The tool's name, where the dialect says it."""
    cache: str = ""


class Foreign(msgspec.Struct, frozen=True):
    """A part that only its own dialect knows (a hosted tool's call or result, say)."""

    dialect: str
    kind: str
    value: Json
    parts: tuple[Part, ...] = ()
    """The same in neutral words, which every other dialect gets in its place (`foreign_parts.translated`): an emulated
    call, its result, or text. Empty for what cannot be said there at all, which writers report."""


Part: TypeAlias = Text | Refusal | Image | Document | Audio | Video | Thinking | ToolCall | ToolResult | Foreign


class Turn(msgspec.Struct, frozen=True):
    """One message. Tool results stand in `user` turns."""

    role: Role
    parts: tuple[Part, ...]
    name: str = ""
    starts: tuple[int, ...] = ()
    """Where in `parts` another message begins, in a turn of the assistant that `repair_history` made of several."""


class Tool(msgspec.Struct, frozen=True):
    """A tool that the client runs."""

    name: str
    description: str = ""
    parameters: Json = None
    """A JSON Schema, or None for a tool without parameters."""
    strict: bool | None = None
    custom: bool = False
    """A free-form tool: the model writes text instead of JSON."""
    grammar: tuple[str, str] | None = None
    """A custom tool's grammar as (syntax, definition), such as `("lark", "start: ...")`."""
    namespace: str = ""
    """The group that it belongs to at the client (Responses namespaces)."""
    typed: str = ""
    """The type of its own under which the client knows it (the shell of Responses); empty for a plain function."""
    cache: str = ""


class HostedTool(msgspec.Struct, frozen=True):
    """A tool that the vendor runs (web search, code execution)."""

    dialect: str
    kind: str
    """`web_search`, `code_execution`, ... in neutral words where there are some, else the dialect's type."""
    value: Json
    forced: bool = False
    """The model must use it."""


class ToolChoice(msgspec.Struct, frozen=True):
    """Which tools the model may or must call."""

    mode: Literal["auto", "none", "required"]
    names: tuple[str, ...] = ()
    """Only these, where any are named: one name with `required` forces that tool."""


class Reasoning(msgspec.Struct, frozen=True):
    """How much to think, in whichever way the client said it, and whether it wants to see it."""

    effort: str = ""
    """`none`, `minimal`, `low`, `medium`, `high`, `xhigh`, `max`, `auto`; empty where a budget or nothing was given."""
    budget: int | None = None
    """Tokens; 0 is off, -1 leaves it to the model."""
    visible: bool | None = None
    """Whether thoughts (or their summary) are wanted in the answer; None where the client did not say."""


class Output(msgspec.Struct, frozen=True):
    """Structured output."""

    schema: Json = None
    """A JSON Schema; None for any JSON object."""
    name: str = ""
    description: str = ""
    strict: bool | None = None


class Pictures(msgspec.Struct, frozen=True, kw_only=True):
    """Pictures wanted in the answer. Texts are empty where the choice is the model's."""

    only: bool = False
    """No text beside them."""
    size: str = ""
    """`WIDTHxHEIGHT` in pixels."""
    aspect_ratio: str = ""
    """`W:H`; it counts before the shape of `size`."""
    resolution: str = ""
    """`512`, `1K`, `2K` or `4K`; it counts before the number of pixels of `size`."""
    quality: str = ""
    """In OpenAI's words."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Sampling and limits; None where the client left it to the model."""

    max_output: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logit_bias: Json = None
    logprobs: bool = False
    top_logprobs: int | None = None
    choices: int = 1
    """How many answers (`n`, `candidateCount`)."""
    user: str = ""
    metadata: Json = None
    cache: str = ""
    """A cache breakpoint wherever the conversation ends, as of `Text.cache`."""
    cache_key: str = ""
    service_tier: str = ""
    verbosity: str = ""


class Conversation(msgspec.Struct, frozen=True, kw_only=True):
    """A generation request."""

    model: str
    """As the client named it."""
    turns: tuple[Turn, ...]
    """System and developer turns stand where they were said, leading ones first."""
    prompts: tuple[tuple[Turn, ...], ...] = ()
    """The turns of each conversation, where one request asks for several; `turns` are those of the first one."""
    tools: tuple[Tool, ...] = ()
    hosted_tools: tuple[HostedTool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_calls: bool | None = None
    reasoning: Reasoning | None = None
    output: Output | None = None
    pictures: Pictures | None = None
    settings: Settings = Settings()
    stream: bool = False
    compacts: bool = False
    """A summary of the conversation is wanted in place of an answer; see `compaction`."""
    include_usage: bool = False
    """A Chat or Completions client asked for usage in its stream."""
    echo: Json = None
    """The client's own body, for dialects whose answers repeat parts of the request (Responses)."""


class Stop(enum.Enum):
    """Why an answer ended (docs/wire/answers.md#finish-reasons)."""

    END = "end"
    SEQUENCE = "stop sequence"
    LENGTH = "length"
    TOOL_CALLS = "tool calls"
    FILTER = "content filter"
    REFUSAL = "refusal"
    CONTEXT = "context window"
    PAUSE = "pause"


class Started(msgspec.Struct, frozen=True):
    """The upstream began to answer."""

    id: str = ""


class TextDelta(msgspec.Struct, frozen=True):
    """More text of the answer."""

    text: str
    choice: int = 0
    logprobs: tuple[Json, ...] = ()
    """How likely its tokens were, where the upstream tells: each with `token`, `logprob`, `bytes` and `top_logprobs`,
    as OpenAI shows it."""


class RefusalDelta(msgspec.Struct, frozen=True):
    """More text of a refusal."""

    text: str
    choice: int = 0


class ThinkingDelta(msgspec.Struct, frozen=True):
    """More of a thought."""

    text: str
    choice: int = 0


class ThinkingEnded(msgspec.Struct, frozen=True):
    """A thought is complete. Without a `ThinkingDelta` before it, it is an empty one that carries a signature."""

    signature: Signature | None = None
    choice: int = 0


class ToolStarted(msgspec.Struct, frozen=True):
    """A tool call begins; `index` counts the calls of its choice from 0."""

    index: int
    id: str
    """Empty where the upstream gives none: the writer's side mints one."""
    name: str
    custom: bool = False
    signature: Signature | None = None
    choice: int = 0


class ToolArguments(msgspec.Struct, frozen=True):
    """More of a call's arguments."""

    index: int
    text: str
    choice: int = 0


class ToolEnded(msgspec.Struct, frozen=True):
    """A call's arguments are complete."""

    index: int
    choice: int = 0


class ImageMade(msgspec.Struct, frozen=True):
    """A picture in the answer."""

    source: Source
    choice: int = 0


class Cited(msgspec.Struct, frozen=True):
    """A web source for what was just said."""

    url: str
    title: str = ""
    choice: int = 0
    span: tuple[int, int] | None = None
    """What it is a source for: from and to, in code points of all that the choice's `TextDelta`s say. None is unknown:
    all the text so far."""


class Finished(msgspec.Struct, frozen=True):
    """A choice is complete."""

    stop: Stop
    sequence: str = ""
    """The stop sequence that was hit, where the upstream tells."""
    choice: int = 0


class Consumed(msgspec.Struct, frozen=True):
    """Usage so far; cumulative."""

    usage: Usage


Delta: TypeAlias = (
    Started
    | TextDelta
    | RefusalDelta
    | ThinkingDelta
    | ThinkingEnded
    | ToolStarted
    | ToolArguments
    | ToolEnded
    | ImageMade
    | Cited
    | Finished
    | Consumed
)


class Choice(msgspec.Struct):
    """One folded answer: its parts in order, and how it ended."""

    parts: list[Text | Refusal | Thinking | ToolCall | Image] = []
    citations: list[Cited] = []
    logprobs: list[Json] = []
    """Of all its texts; see `TextDelta`."""
    stop: Stop = Stop.END
    sequence: str = ""


class Answer(msgspec.Struct):
    """A whole answer."""

    choices: list[Choice]
    usage: Usage | None = None
