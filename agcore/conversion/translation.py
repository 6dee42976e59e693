"""One request on its way through two dialects: the client's words in, the upstream's out, and the answer back.

`Translation` is made from the client's body. It holds the neutral conversation, the request for the upstream, and what
could not be carried. `StreamTranslation` turns the upstream's event stream into the client's; it has the same face as
`stream_pass.StreamPass`, so that the operation drives either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from agcore.codecs import json_text
from agcore.codecs.sse import Decoder, Frame
from agcore.conversation.assemble import assemble
from agcore.conversation.losses import Losses, refusal
from agcore.conversation.repair import repair_history
from agcore.conversation.split import Part, split
from agcore.conversation.tool_names import ToolNames, safe_call_id
from agcore.conversation.usage import Usage
from agcore.conversation.values import (
    Cited,
    Consumed,
    Conversation,
    Delta,
    Finished,
    Invalid,
    Started,
    Thinking,
    ThinkingDelta,
    ThinkingEnded,
    ToolArguments,
    ToolEnded,
    ToolStarted,
)
from agcore.conversion.passthrough import DeferredPreamble
from agcore.dialects.base import EMPTY, out_of_bounds
from agcore.dialects.translator import ResponseWriter
from agcore.dialects.translators import CLIENTS, UPSTREAMS
from agcore.models.profiles import Profile
from agcore.protocol.fault import Fault, Vendor, invalid
from agcore.state.signatures import Recollection, Signed

if TYPE_CHECKING:
    from agcore.routing.catalog import Catalog
    from agcore.routing.selection import Candidate

_TERMINAL_EVENTS: Final = frozenset({"message_stop", "response.completed", "response.incomplete"})
_TAKE_USERS_IN_A_ROW: Final = frozenset({"openai", "openai_responses"})
_NOT_CONTENT: Final = (Started, Consumed, Cited)


Remember: TypeAlias = Callable[[str, Signed], None]


class ModelTarget(msgspec.Struct, frozen=True):
    """Where a translated request goes."""

    dialect: str
    model: str
    profile: Profile
    signer: str

    @classmethod
    def at(cls, candidate: Candidate, catalog: Catalog) -> ModelTarget:
        """Where a way leads."""
        return cls(
            candidate.endpoint.dialect, candidate.model, catalog.profile(candidate.model), candidate.provider.signer
        )


class Translation:
    """See the module's text. Made by `translate`."""

    def __init__(
        self,
        dialect: str,
        target: ModelTarget,
        conversation: Conversation,
        losses: Losses,
        *,
        share: Part | None = None,
    ) -> None:
        self.dialect = dialect
        self.target = target
        self.conversation = conversation
        """The client's request, whole."""
        self.losses = losses
        self.remember: Remember | None = None
        """Told of the signatures around each call of the answer, where the client may not echo them."""
        self.others: tuple[Translation, ...] = ()
        """The translations of the other shares, where one call is not enough."""
        self._share = share
        asked = conversation if share is None else share.conversation
        ordered = repair_history(asked, losses=losses, apart=target.dialect in _TAKE_USERS_IN_A_ROW)
        self.names = ToolNames(ordered, target.dialect)
        self._asked = self.names.applied(ordered)
        self.rendered = self._render(target.signer, losses)
        if dialect == "anthropic" and target.profile.image_output:
            losses.add("answer", "Messages has no pictures in answers", action='shown as "[image]"')

    @property
    def body(self) -> bytes:
        """The request as it leaves."""
        return json_text.encode(self.rendered)

    def unsign(self) -> bool:
        """Write the request anew, without any signature; whether that changes it."""
        rendered = self._render("", Losses())
        if rendered == self.rendered:
            return False
        self.rendered = rendered
        self.losses.add("signatures", "the upstream refused what it had signed")
        return True

    def _render(self, signer: str, losses: Losses) -> dict[str, object]:
        return UPSTREAMS[self.target.dialect].render_request(
            self._asked, model=self.target.model, profile=self.target.profile, signer=signer, losses=losses
        )

    def refusal(self, *, on_loss: str) -> Fault | None:
        """The 400 for losses that this request, or the configuration, does not accept."""
        return refusal(self.losses, model=self.target.model, dialect=self.target.dialect, on_loss=on_loss)

    def answer(
        self, answer: dict[str, object], *, id: str, model: str, created: int
    ) -> tuple[bytes, Usage | None] | Fault:
        """The client's whole answer for the upstream's."""
        deltas = self.read(answer)
        if isinstance(deltas, Fault):
            return deltas
        return self.written(self.homeward(id=id).deltas(deltas), id=id, model=model, created=created)

    def written(self, deltas: Iterable[Delta], *, id: str, model: str, created: int) -> tuple[bytes, Usage | None]:
        """The client's whole answer that says these deltas, which came home."""
        folded = assemble(deltas)
        rendered = CLIENTS[self.dialect].render_answer(
            folded, id=id, model=model, created=created, conversation=self.conversation
        )
        return json_text.encode(rendered), folded.usage

    def read(self, answer: dict[str, object]) -> list[Delta] | Fault:
        """The deltas of the upstream's whole answer."""
        return UPSTREAMS[self.target.dialect].read_answer(answer, signer=self.target.signer)

    def homeward(self, *, id: str) -> DeltaMapper:
        """What turns the upstream's deltas into the client's; `id` is that of the answer."""
        customs = {tool.name for tool in self.conversation.tools if tool.custom}
        return DeltaMapper(self.names, customs, id=id, share=self._share, remember=self.remember)

    def writer(self, *, id: str, model: str, created: int) -> ResponseWriter:
        """What writes the client's stream."""
        return CLIENTS[self.dialect].writer(id=id, model=model, created=created, conversation=self.conversation)

    def stream(self, *, id: str, model: str, created: int, framing: str) -> StreamTranslation:
        """What turns the upstream's stream into the client's."""
        return StreamTranslation(self, id=id, model=model, created=created, framing=framing)


class DeltaMapper:
    """Deltas on their way home: tools under the client's own names, every call with an id, free-form tools free-form.

    Choices of a share of a request get the client's numbers. A model that knows a custom tool as a function wraps its
    text in JSON; the text is known once the call is complete.
    """

    def __init__(
        self,
        names: ToolNames,
        customs: set[str],
        *,
        id: str,
        share: Part | None = None,
        remember: Remember | None = None,
    ) -> None:
        self._share = share
        self._remember = remember
        self._thoughts: dict[int, list[Thinking]] = {}
        self._thought: dict[int, str] = {}
        self._names = names
        self._customs = customs
        self._id = id
        self._wrapped: dict[tuple[int, int], str] = {}

    def deltas(self, deltas: Iterable[Delta]) -> Iterator[Delta]:
        """The same deltas, as the client may see them."""
        for delta in deltas if self._share is None else _numbered(deltas, self._share):
            if self._remember is not None:
                self._notice(delta)
            if isinstance(delta, ToolStarted):
                yield self._started(delta)
            elif isinstance(delta, ToolArguments | ToolEnded) and (delta.choice, delta.index) in self._wrapped:
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
        return msgspec.structs.replace(delta, id=id, name=name)

    def _notice(self, delta: Delta) -> None:
        """Keep signed thoughts until the call that they lead to."""
        if isinstance(delta, ThinkingDelta):
            self._thought[delta.choice] = self._thought.get(delta.choice, "") + delta.text
        elif isinstance(delta, ThinkingEnded):
            text = self._thought.pop(delta.choice, "")
            if delta.signature is not None:
                self._thoughts.setdefault(delta.choice, []).append(Thinking(text, delta.signature))

    def _unwrapped(self, delta: ToolArguments | ToolEnded) -> Iterator[Delta]:
        place = (delta.choice, delta.index)
        if isinstance(delta, ToolArguments):
            self._wrapped[place] += delta.text
            return
        text = self._wrapped.pop(place)
        try:
            value = json_text.decode(text.encode("utf-8", "surrogatepass"))
        except ValueError:
            value = None
        if isinstance(value, dict) and isinstance(value.get("input"), str):
            text = value["input"]
        if text:
            yield ToolArguments(delta.index, text, choice=delta.choice)
        yield delta


def _numbered(deltas: Iterable[Delta], share: Part) -> Iterator[Delta]:
    """Deltas of a share's choices; more choices than it asked for would be taken for another share's."""
    for delta in deltas:
        if isinstance(delta, Started | Consumed):
            yield delta
        elif delta.choice < share.conversation.settings.choices:
            yield msgspec.structs.replace(delta, choice=share.first + delta.choice)


class UpstreamStream:
    """An upstream's event stream, read into deltas as the client may see them."""

    def __init__(self, translation: Translation, *, id: str) -> None:
        self.terminal = False
        """The stream's last event was read."""
        self.fault: Fault | None = None
        self.finished = False
        """Some choice was finished: an end now is a proper one."""
        self._translation = translation
        self._homeward = translation.homeward(id=id)
        self._decoder = Decoder()
        self._reader = UPSTREAMS[translation.target.dialect].reader(signer=translation.target.signer)

    def feed(self, data: bytes) -> list[Delta]:
        """What a piece of the body says. Look at `fault` and `terminal` afterwards."""
        deltas: list[Delta] = []
        if not self.terminal and self.fault is None:
            try:
                for frame in self._decoder.feed(data):
                    deltas += self._read(frame)
                    if self._reader.fault is not None:
                        break
                    if _is_terminal(frame):
                        deltas += self._end()
                        break
            except ValueError as error:
                self.fault = out_of_bounds(error)
        return deltas

    def end(self) -> list[Delta]:
        """The body ended. `fault` is set if that came too early."""
        deltas: list[Delta] = []
        if not self.terminal and self.fault is None:
            try:
                last = self._decoder.close()
            except ValueError as error:
                self.fault = out_of_bounds(error)
                return deltas
            if last is not None:
                deltas += self._read(last)
            if self.fault is None:
                deltas += self._end()
        return deltas

    def whole(self, answer: dict[str, object]) -> list[Delta]:
        """What an upstream says that answered a stream request as a whole."""
        deltas = self._translation.read(answer)
        if isinstance(deltas, Fault):
            self.fault = deltas
            return []
        self.terminal = True
        return self._seen(deltas)

    def _end(self) -> list[Delta]:
        deltas = self._seen(self._reader.end())
        self.fault = self._reader.fault
        if self.fault is None and not self.finished:
            self.fault = EMPTY
        self.terminal = self.fault is None
        return deltas

    def _read(self, frame: Frame) -> list[Delta]:
        deltas = self._seen(self._reader.feed(frame))
        self.fault = self._reader.fault
        return deltas

    def _seen(self, deltas: list[Delta]) -> list[Delta]:
        self.finished = self.finished or any(isinstance(delta, Finished) for delta in deltas)
        return list(self._homeward.deltas(deltas))


class ClientStream(DeferredPreamble):
    """Deltas written as a client's event stream. Announcements are held back until there is content."""

    def __init__(self, writer: ResponseWriter, *, framing: str) -> None:
        super().__init__(framing=framing)
        self.usage: Usage | None = None
        self.writer = writer

    def write(self, deltas: Iterable[Delta]) -> bytes:
        """The bytes for deltas; none while only announcements came."""
        out: list[bytes] = []
        for delta in deltas:
            if isinstance(delta, Consumed):
                self.usage = delta.usage
            self._put(self.writer.feed(delta), out, content=not isinstance(delta, _NOT_CONTENT))
        return b"".join(out)

    def close(self) -> bytes:
        """The bytes that end the stream."""
        out: list[bytes] = []
        self._put(self.writer.end(), out, content=True)
        if self._array:
            out.append(b"]")
        return b"".join(out)

    def error(self, fault: Fault, request_id: str) -> bytes:
        """The bytes that end the stream in an error, announcements first."""
        held = self.release()
        return held + self._ended(self.writer.error(fault, request_id))

    def _put(self, data: bytes, out: list[bytes], *, content: bool) -> None:
        if data and self._array:
            data = b"".join(self._element(frame) for frame in data.split(b"\r\n\r\n") if frame)
        if self.committed:
            out.append(data)
        elif content:
            out.append(self.release())
            out.append(data)
        elif data:
            self._held.append(data)


class StreamTranslation:
    """One upstream's stream made into the client's; the same face as `StreamPass`."""

    def __init__(self, translation: Translation, *, id: str, model: str, created: int, framing: str) -> None:
        self._upstream = UpstreamStream(translation, id=id)
        self._client = ClientStream(translation.writer(id=id, model=model, created=created), framing=framing)

    @property
    def terminal(self) -> bool:
        """The client's stream was ended."""
        return self._upstream.terminal

    @property
    def fault(self) -> Fault | None:
        """Set when the upstream's stream failed; nothing more is to be fed."""
        return self._upstream.fault

    @property
    def usage(self) -> Usage | None:
        """What the stream consumed, as far as it told."""
        return self._client.usage

    @property
    def writer(self) -> ResponseWriter:
        """What writes the client's stream."""
        return self._client.writer

    @property
    def holding(self) -> bool:
        """Whether announcements wait for content."""
        return self._client.holding

    @property
    def complete(self) -> bool:
        """Whether an end now would be a proper one."""
        return self.terminal or (self._client.committed and self._upstream.finished)

    def feed(self, data: bytes) -> bytes:
        """What the client gets for a piece of the upstream's body. Look at `fault` and `terminal` afterwards."""
        if self.terminal:
            return b""
        return self._written(self._upstream.feed(data))

    def whole(self, answer: dict[str, object]) -> bytes:
        """The client's stream for an upstream that answered a stream request as a whole."""
        return self._written(self._upstream.whole(answer))

    def end(self) -> bytes:
        """The upstream ended its body: what the client still gets. `fault` is set if the end came too early."""
        return b"" if self.terminal else self._written(self._upstream.end())

    def finish(self) -> bytes:
        """What a stream whose answer is complete still lacks, although its upstream broke."""
        return self.end()

    def release(self) -> bytes:
        """The announcements held so far, which commits the stream."""
        return self._client.release()

    def error(self, fault: Fault, request_id: str) -> bytes:
        """The bytes that end the client's stream in an error."""
        return self._client.error(fault, request_id)

    def _written(self, deltas: list[Delta]) -> bytes:
        out = self._client.write(deltas)
        return out + self._client.close() if self.terminal else out


def translate(
    dialect: str,
    body: bytes,
    *,
    model: str,
    stream: bool,
    target: ModelTarget,
    recollection: Recollection | None = None,
) -> Translation | Fault:
    """Translate a client's request, or say why it is none.

    `recollection` knows signatures that the client may have dropped, and is told of new ones.
    """
    losses = Losses()
    try:
        decoded = json_text.decode(body)
        assert isinstance(decoded, dict)
        conversation = CLIENTS[dialect].parse_request(decoded, model=model, stream=stream, losses=losses)
        if recollection is not None:
            conversation = recollection.recalled(conversation)
        parts = split(conversation, client=dialect, upstream=target.dialect)
        if len(parts) == 1:
            translations = [Translation(dialect, target, conversation, losses)]
        else:
            translations = [Translation(dialect, target, conversation, losses, share=share) for share in parts]
        for translation in translations:
            translation.remember = None if recollection is None else recollection.remember
        translations[0].others = tuple(translations[1:])
        return translations[0]
    except Invalid as error:
        details = getattr(error, "details", None)
        vendor = None
        if details is not None:
            vendor = Vendor("anthropic", {"type": "invalid_request_error", "message": str(error), "details": details})
        code = getattr(error, "code", None)
        return Fault(status=400, message=str(error), param=error.param, code=code, vendor=vendor)
    except (ValueError, RecursionError):
        # What passes as it is may be nested deeper than what has to be looked into.
        return invalid("the request is nested too deeply to be translated")


def _is_terminal(frame: Frame) -> bool:
    return frame.event in _TERMINAL_EVENTS or (frame.data is not None and frame.data.strip() == b"[DONE]")
