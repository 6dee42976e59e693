"""A conversation with several answers where an upstream gives one: a call for each, and their answers as one.

Every branch reads its upstream's answer into deltas, choices already numbered as the client counts them. `Choices` puts
the deltas of all branches together: one writer, one sum of usage, one end. Where one branch fails for good, nothing
comes of the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import msgspec

from agcore.codecs import json_text
from agcore.conversation.tool_names import safe_call_id
from agcore.conversation.usage import total
from agcore.conversation.values import Consumed, Delta, Started, ToolStarted
from agcore.conversion.base import (
    STREAM_HEADERS,
    Answered,
    AttemptConversion,
    Conversion,
    Division,
    GiveUp,
    Outgoing,
    Output,
    Passing,
    Upstream,
    WholeAnswer,
    is_event_stream,
)
from agcore.conversion.translated_stream import ClientStream, UpstreamStream
from agcore.conversion.translation import Translation
from agcore.dialects import foreign_signatures
from agcore.dialects.base import RequestSummary
from agcore.protocol.fault import Fault
from agcore.protocol.http import Headers
from agcore.protocol.report import Usage


class Choices(Division):
    """A conversation with several answers, divided into a call for each.

    Args:
        translation: Of the client's request, the first of its shares.
        upstream: Who answers all calls.
        request: Makes the request of a call from its body.
        summary: What the client asks for.
        id: The answer's, without a dialect's prefix.
        created: When the stream began, in seconds since the epoch.
    """

    answers = 1
    keeps_turn = False
    held = 0

    def __init__(
        self,
        translation: Translation,
        upstream: Upstream,
        *,
        request: Callable[[bytes], Outgoing],
        summary: RequestSummary,
        id: str,
        created: int,
    ) -> None:
        self.client: ClientStream | None = None
        """The client's stream, where it asked for one."""
        self.stream_headers: Headers = ()
        if summary.stream:
            writer = translation.writer(id=id, model=summary.model, created=created)
            self.client = ClientStream(writer, framing=summary.framing)
            self.stream_headers = STREAM_HEADERS[summary.framing]
        self.opens_early = summary.stream
        self.losses = translation.losses
        self._translations = (translation, *translation.others)
        self.count = len(self._translations)
        self._upstream = upstream
        self._request = request
        self._summary = summary
        self._id = id
        self._branches: dict[int, ChoiceBranch] = {}
        self._deltas: list[Delta] = []
        self._call_ids: set[str] = set()
        self._usage: Usage | None = None
        self._started = False
        self._closed = False

    @property
    def usage(self) -> Usage | None:
        """The sum of all calls."""
        return self._usage if self.client is None else self.client.usage

    def branch(self, number: int) -> Conversion:
        """An attempt of one call."""
        return self._branch(number, self._request(self._translations[number].body))

    def failed(self, number: int, fault: Fault, *, final: bool, now: float) -> Answered | GiveUp:
        """Nothing comes of the other choices either."""
        shown = self.client is not None and self.client.committed
        return GiveUp(fault, final=shown or final)

    def release(self) -> bytes:
        """The announcements so far."""
        assert self.client is not None
        return self.client.release()

    def error(self, fault: Fault, request_id: str) -> bytes | None:
        """The stream's own error."""
        return None if self.client is None else self.client.error(fault, request_id)

    def unsigned(self, number: int, request: Outgoing) -> Conversion | None:
        """An attempt of one call without signatures; None where there are none."""
        translation = self._translations[number]
        if not translation.unsign():
            return None
        return self._branch(number, msgspec.structs.replace(request, body=translation.body))

    def take(self, branch: ChoiceBranch, deltas: Iterable[Delta]) -> Output:
        """Returns what the client's stream gets for the deltas that one branch has read."""
        assert self.client is not None
        out = self.client.write(self._merged(branch, deltas))
        closing = self._complete and not self._closed
        if closing:
            self._closed = True
            out += self.client.close()
        return Output(out, not out and self.client.holding, closing, branch.reader.fault)

    def take_whole(self, branch: ChoiceBranch, deltas: Iterable[Delta], *, now: float) -> Answered:
        """The client's whole answer, once every branch has read its own."""
        if branch.reader.fault is not None:
            return branch.reader.fault
        self._deltas += self._merged(branch, deltas)
        if not self._complete:
            return Output()
        rendered, self._usage = self._translations[0].written(
            self._deltas, id=self._id, model=self._summary.model, created=int(now)
        )
        return WholeAnswer(json_text.encode(rendered))

    @property
    def _complete(self) -> bool:
        return len(self._branches) == self.count and all(each.reader.terminal for each in self._branches.values())

    def _branch(self, number: int, request: Outgoing) -> ChoiceBranch:
        translation = self._translations[number]
        branch = ChoiceBranch(self, number, translation, request, self._upstream, id=self._id)
        self._branches[number] = branch
        return branch

    def _merged(self, branch: ChoiceBranch, deltas: Iterable[Delta]) -> Iterator[Delta]:
        """Deltas of one branch among the others': one start, the sum of all usage, call ids that differ."""
        for delta in deltas:
            if isinstance(delta, Started):
                if self._started:
                    continue
                self._started = True
            elif isinstance(delta, Consumed):
                branch.consumed = delta.usage
                delta = Consumed(total(each.consumed for each in self._branches.values()))
            elif isinstance(delta, ToolStarted):
                if delta.id in self._call_ids:
                    delta = msgspec.structs.replace(delta, id=safe_call_id(f"{delta.id}_{delta.choice}"))
                self._call_ids.add(delta.id)
            yield delta


class ChoiceBranch(AttemptConversion):
    """One attempt of one of the calls."""

    def __init__(
        self, choices: Choices, number: int, translation: Translation, request: Outgoing, upstream: Upstream, *, id: str
    ) -> None:
        super().__init__(request, upstream, losses=choices.losses, translated=True)
        self.reader = UpstreamStream(translation, id=id)
        """The answer as it is read, whether it comes as a stream or as a whole."""
        self.consumed = Usage()
        self._choices = choices
        self._number = number

    def head(self, status: int, headers: Headers) -> Passing:
        """An answer is a stream only where the client asked for one and its content type says so."""
        whole = super().head(status, headers)
        streams = self._choices.client is not None and is_event_stream(headers)
        return Passing.STREAM if streams else whole

    def feed(self, data: bytes) -> Output:
        """Read a piece of the stream."""
        return self._choices.take(self, self.reader.feed(data))

    def end(self) -> Output:
        """The stream's body ended."""
        return self._choices.take(self, self.reader.end())

    def whole(self, body: bytes, *, now: float) -> Answered:
        """Read a whole answer."""
        answer = self.read(body)
        if isinstance(answer, Fault):
            return answer
        deltas = self.reader.whole(answer)
        if self._choices.client is not None:
            return self._choices.take(self, deltas)
        return self._choices.take_whole(self, deltas, now=now)

    def broken(self) -> Output | None:
        """A branch may be complete before its body's end; a whole answer is read at its end only."""
        complete = (self.reader.terminal or self.reader.finished) and self.reader.fault is None
        return self.end() if complete else None

    def unsigned(self, fault: Fault, *, now: float) -> Conversion | None:
        """Returns this call's part of the request, without signatures; None where that is no remedy."""
        if not foreign_signatures.is_refusal(self.upstream.dialect.traits.name, fault):
            return None
        return self._choices.unsigned(self._number, self.request)
