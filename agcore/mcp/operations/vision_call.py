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

from agcore.codecs import header_fields as header_tables
from agcore.codecs.header_fields import media_type
from agcore.config.values import McpServer
from agcore.conversation.assemble import assemble
from agcore.conversation.losses import Losses
from agcore.conversation.values import (
    Answer,
    Conversation,
    Delta,
    Image,
    Part,
    Refusal,
    Stop,
    Text,
    TextDelta,
    ThinkingDelta,
    Turn,
    Video,
)
from agcore.conversation.values import Source as PartSource
from agcore.conversion.translated_stream import UpstreamStream
from agcore.conversion.translation import Translation
from agcore.dialects import DIALECTS, FALLBACK
from agcore.dialects.base import PathParts
from agcore.dialects.whole_answer import read_object
from agcore.machines.upstream_call import UpstreamCall
from agcore.mcp import vision_tools
from agcore.mcp.operations.download import Download
from agcore.mcp.server import ToolCall
from agcore.mcp.sources import MAX_BYTES, BadSource, Inline, Kind, Local, Remote, parse, type_of
from agcore.mcp.vision_tools import Parameter
from agcore.operations.asking import model_target
from agcore.operations.base import CallHooks
from agcore.operations.tasks import translatable
from agcore.protocol.fault import Fault
from agcore.protocol.http import Headers
from agcore.protocol.report import Usage
from agcore.routing.candidates import Candidate
from agcore.routing.resolution import candidates_at, resolve
from agcore.upstream.request import UpstreamPlan

if TYPE_CHECKING:
    from agcore.machines.operation import ExchangeParts

TELL_EVERY: Final = 1.0
"""Seconds between two reports of progress while the answer arrives."""


class Outcome(msgspec.Struct, frozen=True):
    """What a tool call came to."""

    text: str
    notes: tuple[str, ...] = ()
    """Remarks of the gateway's own."""
    is_error: bool = False


class VisionCallOwner(Protocol):
    """Who is told what a call comes to: `tool_done`, once, and `tool_progressed` before, as often as it goes on."""

    def tool_progressed(self, call: VisionCall, message: str, *, now: float) -> None:
        """The answer is coming."""

    def tool_done(self, call: VisionCall, outcome: Outcome, *, now: float) -> None:
        """It is over."""


class VisionCall(CallHooks):
    """See the module's text. `begin` starts it.

    Args:
        parts: Of the exchange that its calls belong to.
        server: The configuration.
        ask: Which tool, and with what.
        owner: Is told.
    """

    def __init__(self, parts: ExchangeParts, server: McpServer, ask: ToolCall, *, owner: VisionCallOwner) -> None:
        self.ask = ask
        self.call: UpstreamCall | None = None
        """The call of the model."""
        self.file: int | None = None
        """The number of the file that is being read."""
        self.usage: Usage | None = None
        self._parts = parts
        self._server = server
        self._owner = owner
        self._missing = [each for each in ask.tool.sources if each.name in ask.given]
        self._gathered_parts: list[Part] = []
        self._download: Download | None = None
        self._translation: Translation | None = None
        self._stream: UpstreamStream | None = None
        self._deltas: list[Delta] = []
        self._head: tuple[int, Headers] = (200, ())
        self._whole: list[bytes] | None = None
        self._size = 0
        self._told = 0.0

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
            case Local(path):
                roots = self._server.file_roots
                if not roots:
                    return self._refuse_source("local files are not read here: `file_roots` is empty", now)
                limit = MAX_BYTES[_kind(parameter)]
                self.file = self._parts.environment.read_file(path, roots=roots, max_bytes=limit, now=now)
                return None

    def downloaded(self, data: bytes, *, now: float) -> None:
        """See `download.DownloadOwner`."""
        self._download = None
        self._gathered(data, now)

    def download_failed(self, reason: str, *, now: float) -> None:
        """See `download.DownloadOwner`."""
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
        if self.call is not None:
            self.call.abort()

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
        parts, model = self._parts, self._server.model
        request = parts.request
        found = resolve(parts.services.catalog, model, identity=request.identity, dialect=request.dialect)
        if isinstance(found, Fault):
            return self._fail(found.message, now)
        candidates = candidates_at(found, translatable)
        if not candidates:
            return self._fail(f"no provider of {model!r} takes conversations", now)
        parts.calls.start(candidates, to=self, now=now)
        return None

    def call_plan(self, call: UpstreamCall, candidate: Candidate, *, now: float) -> UpstreamPlan | Fault:
        """The question as a way's dialect puts it."""
        services = self._parts.services
        target = model_target(candidate, services.catalog)
        if not target.profile.vision:
            return Fault(status=400, message=f"the model {candidate.model!r} sees no pictures")
        told = Text(vision_tools.instruction(self.ask.tool, self.ask.given))
        turn = Turn("user", (*self._gathered_parts, told))
        conversation = Conversation(model=self._server.model, turns=(turn,), stream=True)
        self._translation = Translation(FALLBACK.traits.name, target, conversation, Losses())
        refusal = self._translation.refusal(on_loss=services.config.proxy.on_loss)
        if refusal is not None:
            return refusal
        self._stream = UpstreamStream(self._translation, id=services.outside.mint(""))
        self._deltas.clear()
        self._whole = None
        self._size = 0
        traits = DIALECTS[candidate.endpoint.dialect].traits
        return UpstreamPlan(
            target=traits.generate_target(candidate.endpoint.prefix, PathParts(), candidate.model, stream=True),
            headers=(*_HEADERS, *traits.headers_required),
            body=self._translation.body,
        )

    def call_begun(self, call: UpstreamCall, *, now: float) -> None:
        """See `operations.base.CallHooks`."""
        self.call = call

    def call_head(self, call: UpstreamCall, status: int, headers: Headers, *, now: float) -> None:
        """An answer begins: a stream if its content type says so."""
        self._head = (status, headers)
        if media_type(headers) != b"text/event-stream":
            self._whole = []

    def call_data(self, call: UpstreamCall, data: bytes, *, now: float) -> None:
        """Read a piece of a stream; keep one of a whole answer."""
        parts = self._parts
        self._size += len(data)
        limit = parts.services.config.limits.max_json
        if self._size > limit:
            return call.reject(Fault(status=502, message=f"the answer is larger than {limit} bytes"), now=now)
        if not parts.memory.reserve(len(data), now=now):
            return None
        if self._whole is not None:
            self._whole.append(data)
            return None
        assert self._stream is not None
        deltas = self._stream.feed(data)
        self._deltas += deltas
        if self._stream.fault is not None:
            return call.reject(self._stream.fault, now=now)
        if self._stream.terminal:
            call.abort()
            return self._answered(call, now)
        if any(isinstance(delta, TextDelta | ThinkingDelta) for delta in deltas):
            parts.client.stop_first_content_timer()
            self._tell(now)
        return None

    def call_end(self, call: UpstreamCall, *, now: float) -> None:
        """The answer is complete, or should be."""
        assert self._stream is not None
        if self._whole is None:
            self._deltas += self._stream.end()
        else:
            status, headers = self._head
            answer = read_object(
                b"".join(self._whole),
                dialect=DIALECTS[call.candidate.endpoint.dialect],
                provider=call.candidate.provider.name,
                status=status,
                headers=headers,
            )
            if isinstance(answer, Fault):
                return call.reject(answer, now=now)
            self._deltas += self._stream.whole(answer)
        if self._stream.fault is not None:
            return call.reject(self._stream.fault, now=now)
        return self._answered(call, now)

    def call_failed(self, call: UpstreamCall, fault: Fault, *, now: float) -> None:
        """See `operations.base.CallHooks`."""
        self._fail(fault.message, now)

    def _tell(self, now: float) -> None:
        if now - self._told < TELL_EVERY:
            return
        self._told = now
        said = sum(len(delta.text) for delta in self._deltas if isinstance(delta, TextDelta))
        self._owner.tool_progressed(self, f"{said} characters so far" if said else "the model is thinking", now=now)

    def _answered(self, call: UpstreamCall, now: float) -> None:
        call.commit()
        answer = assemble(self._deltas)
        self.usage = answer.usage
        self._owner.tool_done(self, _outcome(answer), now=now)

    def _fail(self, reason: str, now: float) -> None:
        self._owner.tool_done(self, Outcome(f"{self.ask.tool.name}: {reason}", is_error=True), now=now)


_HEADERS: Final[Headers] = (
    (b"content-type", b"application/json"),
    (b"accept", b"text/event-stream"),
    (b"accept-encoding", b"identity"),
    header_tables.USER_AGENT,
)


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
