"""One call of a vision tool: its pictures are gathered one after the other, then a model of the configuration is asked.

The model is asked like any other: by the name that the server's configuration gives, within what the client's key may
use, in whatever dialect its providers speak, with their keys and failover. It is asked for a stream, so that its answer
shows that it comes; the answer counts once it is complete.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from agcore.config.values import McpServer
from agcore.conversation.values import (
    Answer,
    Image,
    Part,
    Refusal,
    Stop,
    Text,
    Turn,
    Video,
)
from agcore.conversation.values import Source as PartSource
from agcore.mcp import vision_tools
from agcore.mcp.operations.download import Download
from agcore.mcp.operations.question import Question
from agcore.mcp.server import ToolCall
from agcore.mcp.sources import MAX_BYTES, BadSource, Inline, Kind, Remote, parse, type_of
from agcore.mcp.vision_tools import Parameter
from agcore.protocol.http import Headers
from agcore.protocol.report import Usage

if TYPE_CHECKING:
    from agcore.machines.operation import ExchangeParts

TELL_EVERY: Final = 1.0
"""Seconds between two reports of progress while the answer arrives."""


class Outcome(msgspec.Struct, frozen=True):
    """The outcome of a tool call."""

    text: str
    notes: tuple[str, ...] = ()
    """Remarks of the gateway's own."""
    is_error: bool = False


class VisionCallOwner(Protocol):
    """The receiver of an outcome: of `tool_done`, once, and of `tool_progressed` before, often."""

    def tool_progressed(self, call: VisionCall, message: str, *, now: float) -> None:
        """The answer is coming."""

    def tool_done(self, call: VisionCall, outcome: Outcome, *, now: float) -> None:
        """The tool call is over."""


class VisionCall:
    """A vision tool's work on one call: pictures, then a question; `begin` starts it.

    Args:
        parts: Of the exchange that its calls belong to.
        server: The configuration.
        ask: Which tool, and with what.
        owner: Is told.
    """

    def __init__(self, parts: ExchangeParts, server: McpServer, ask: ToolCall, *, owner: VisionCallOwner) -> None:
        self.ask = ask
        self.file: int | None = None
        """The number of the file that is being read."""
        self.usage: Usage | None = None
        self._parts = parts
        self._server = server
        self._owner = owner
        self._missing = [each for each in ask.tool.sources if each.name in ask.given]
        self._gathered_parts: list[Part] = []
        self._download: Download | None = None
        self._question: Question | None = None
        self._told = 0.0

    @property
    def provenance(self) -> Headers:
        """The header fields that tell which model answered; none where none was asked."""
        return () if self._question is None else self._question.provenance

    def begin(self, *, now: float) -> None:
        """Go on to the next picture, or to the model."""
        if not self._missing:
            return self._ask_model(now)
        parameter = self._missing[0]
        try:
            source = parse(self.ask.given[parameter.name], kind=_kind(parameter))
        except BadSource as error:
            return self._refuse_source(str(error), now)
        match source:
            case Inline(data):
                return self._gathered(data, now)
            case Remote(url):
                self._download = Download(self._parts, url, max_bytes=MAX_BYTES[_kind(parameter)], owner=self)
                return self._download.begin(now=now)
            case _:
                roots = self._server.file_roots
                if not roots:
                    return self._refuse_source("local files are not read here: `file_roots` is empty", now)
                limit = MAX_BYTES[_kind(parameter)]
                self.file = self._parts.environment.read_file(source.path, roots=roots, max_bytes=limit, now=now)
                return None

    def downloaded(self, data: bytes, *, now: float) -> None:
        """Implements `download.DownloadOwner`."""
        self._download = None
        self._gathered(data, now)

    def download_failed(self, reason: str, *, now: float) -> None:
        """Implements `download.DownloadOwner`."""
        self._download = None
        self._refuse_source(reason, now)

    def file_read(self, data: bytes, *, now: float) -> None:
        """The file was read."""
        self.file = None
        if self._parts.memory.reserve(len(data), now=now):
            self._gathered(data, now)

    def file_refused(self, reason: str, *, now: float) -> None:
        """The file was not read."""
        self.file = None
        self._refuse_source(f"the file {reason}", now)

    def abort(self) -> None:
        """Stop; the owner hears nothing more."""
        self.file = None
        if self._download is not None:
            self._download.abort()
        if self._question is not None:
            self._question.abort()

    def _gathered(self, data: bytes, now: float) -> None:
        parameter = self._missing[0]
        kind = _kind(parameter)
        try:
            source = PartSource(media_type=type_of(data, kind=kind), data=b64encode(data).decode("ascii"))
        except BadSource as error:
            return self._refuse_source(str(error), now)
        if parameter.label:
            self._gathered_parts.append(Text(f"{parameter.label}:"))
        self._gathered_parts.append(Image(source) if kind == "image" else Video(source))
        self._missing.pop(0)
        return self.begin(now=now)

    def _refuse_source(self, reason: str, now: float) -> None:
        self._fail(f"`{self._missing[0].name}`: {reason}", now)

    def _ask_model(self, now: float) -> None:
        told = Text(vision_tools.instruction(self.ask.tool, self.ask.given))
        turn = Turn("user", (*self._gathered_parts, told))
        self._question = Question(self._parts, self._server.model, turn, owner=self)
        self._question.begin(now=now)

    def progressed(self, said: int, *, now: float) -> None:
        """Implements `question.QuestionOwner`."""
        if now - self._told >= TELL_EVERY:
            self._told = now
            message = f"{said} characters so far" if said else "the model is thinking"
            self._owner.tool_progressed(self, message, now=now)

    def answered(self, answer: Answer, *, now: float) -> None:
        """Implements `question.QuestionOwner`."""
        self.usage = answer.usage
        self._owner.tool_done(self, _outcome(answer), now=now)

    def unanswered(self, reason: str, *, now: float) -> None:
        """Implements `question.QuestionOwner`."""
        self._fail(reason, now)

    def _fail(self, reason: str, now: float) -> None:
        self._owner.tool_done(self, Outcome(f"{self.ask.tool.name}: {reason}", is_error=True), now=now)


def _kind(parameter: Parameter) -> Kind:
    assert parameter.kind != "text"
    return parameter.kind


def _outcome(answer: Answer) -> Outcome:
    choice = answer.choices[0]
    text = "".join(part.text for part in choice.parts if isinstance(part, Text))
    if not text:
        refused = "".join(part.text for part in choice.parts if isinstance(part, Refusal))
        return Outcome(refused or _SILENT.get(choice.stop, "the model gave no text"), is_error=True)
    note = _CUT_OFF.get(choice.stop)
    return Outcome(text, notes=() if note is None else (note,))


_SILENT: Final[Mapping[Stop, str]] = {
    Stop.LENGTH: "the model reached its output limit before it said anything",
    Stop.FILTER: "the model's answer was withheld by its vendor's content filter",
    Stop.REFUSAL: "the model refused",
}
_CUT_OFF: Final[Mapping[Stop, str]] = {
    Stop.LENGTH: "(The answer was cut off at the model's output limit.)",
    Stop.CONTEXT: "(The answer was cut off at the end of the model's context window.)",
    Stop.FILTER: "(The answer was cut off by the vendor's content filter.)",
    Stop.REFUSAL: "(The model refused to go on.)",
}
