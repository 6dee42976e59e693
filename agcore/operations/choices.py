"""A conversation with several answers where an upstream gives one: a call for each, and their answers as one.

`Generate` hands a request over that was divided (`split`). Every `ChoiceBranch` reads its upstream's answer into
deltas, choices already numbered as the client counts them. `Choices` puts the deltas of all legs together: one writer,
one sum of usage, one end. Where one leg fails for good, the others are dropped, and the request goes on to the later
ways, unless the client saw something of this one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import msgspec

from agcore.codecs import json_text
from agcore.codecs.header_fields import media_type
from agcore.conversation.tool_names import safe_call_id
from agcore.conversation.usage import total
from agcore.conversation.values import Consumed, Delta, Started, ToolStarted
from agcore.conversion.translated_stream import ClientStream, UpstreamStream
from agcore.conversion.translation import Translation
from agcore.machines.upstream_call import UpstreamCall
from agcore.operations.fan_out import Branch, FanOut
from agcore.protocol.fault import Fault
from agcore.protocol.http import Headers
from agcore.protocol.report import Usage
from agcore.routing.candidates import Candidate
from agcore.upstream.request import UpstreamPlan

if TYPE_CHECKING:
    from agcore.operations.generate import Generate


class Choices(FanOut):
    """The fan-in: see the module's text. `id` is the answer's, without a dialect's prefix."""

    def __init__(
        self,
        operation: Generate,
        translation: Translation,
        *,
        candidate: Candidate,
        instead_of: UpstreamCall,
        id: str,
        now: float,
    ) -> None:
        super().__init__(operation, candidate, instead_of=instead_of)
        self.client: ClientStream | None = None
        """The client's stream, where it asked for one."""
        self._translation = translation
        self._id = id
        self._legs = [ChoiceBranch(self, operation, each, id=id) for each in (translation, *translation.others)]
        self._deltas: list[Delta] = []
        self._call_ids: set[str] = set()
        self._started = False
        self._closed = False
        if operation.ask.stream:
            writer = translation.writer(id=id, model=operation.ask.model, created=int(now))
            self.client = ClientStream(writer, framing=operation.ask.framing)

    def begin(self, *, now: float) -> None:
        """Make all calls."""
        self.call(self._legs, now=now)

    def failed(self, call: UpstreamCall, fault: Fault, *, now: float) -> None:
        """One of the calls has failed for good."""
        shown = self.client is not None and self.client.committed
        self.give_up(fault, final=shown or not call.may_go_elsewhere, now=now)

    def take(self, leg: ChoiceBranch, call: UpstreamCall, deltas: Iterable[Delta], *, now: float) -> None:
        """What a leg has read, and what its stream has come to."""
        if self.client is None and leg.stream.fault is not None:
            return call.reject(leg.stream.fault, now=now)
        merged = self._merged(leg, deltas)
        complete = all(each.stream.terminal for each in self._legs)
        if self.client is None:
            call.commit()
            self._deltas += merged
        else:
            out = self.client.write(merged)
            closing = complete and not self._closed
            if closing:
                self._closed = True
                out += self.client.close()
            if out:
                call.commit()
                self._parts.client.write(out, now=now)
            elif self.client.holding:
                self._parts.client.defer_preamble(now=now)
            if closing:
                self._parts.client.await_upstream_end(now=now)
        if leg.stream.fault is not None:
            call.reject(leg.stream.fault, now=now)
        elif complete and all(each.over for each in self._legs):
            self._finish(call, now)
        return None

    def _finish(self, call: UpstreamCall, now: float) -> None:
        if self.client is not None:
            return self._parts.client.end(now=now)
        operation = self._operation
        rendered, operation.usage = self._translation.written(
            self._deltas, id=self._id, model=operation.ask.model, created=int(now)
        )
        return self._parts.client.answer(
            200, json_text.encode(rendered), headers=operation.headers_down(call, ()), now=now
        )

    def _merged(self, leg: ChoiceBranch, deltas: Iterable[Delta]) -> Iterator[Delta]:
        """Deltas of one leg among the others': one start, the sum of all usage, call ids that differ."""
        for delta in deltas:
            if isinstance(delta, Started):
                if self._started:
                    continue
                self._started = True
            elif isinstance(delta, Consumed):
                leg.usage = delta.usage
                delta = Consumed(total(each.usage for each in self._legs))
            elif isinstance(delta, ToolStarted):
                if delta.id in self._call_ids:
                    delta = msgspec.structs.replace(delta, id=safe_call_id(f"{delta.id}_{delta.choice}"))
                self._call_ids.add(delta.id)
            yield delta


class ChoiceBranch(Branch):
    """One of the calls."""

    def __init__(self, choices: Choices, operation: Generate, translation: Translation, *, id: str) -> None:
        super().__init__(choices, operation)
        self.translation = translation
        self._id = id
        self.stream = UpstreamStream(translation, id=id)
        """The answer as it is read, whether it comes as a stream or as a whole."""
        self.usage = Usage()
        self.over = False
        """Nothing more comes."""
        self._choices = choices
        self._generate = operation
        self._streaming = False

    def call_plan(self, call: UpstreamCall, candidate: Candidate, *, now: float) -> UpstreamPlan:
        """This leg's part of the request."""
        self._begin()
        return self.plan(self._generate.translated_target(candidate), self.translation.body)

    def call_head(self, call: UpstreamCall, status: int, headers: Headers, *, now: float) -> None:
        """An answer begins; it is a stream only if its content type says so."""
        super().call_head(call, status, headers, now=now)
        self._streaming = self._choices.client is not None and media_type(headers) == b"text/event-stream"

    def call_data(self, call: UpstreamCall, data: bytes, *, now: float) -> None:
        """Read a piece of a stream; keep one of a whole answer."""
        if self._streaming:
            return self._choices.take(self, call, self.stream.feed(data), now=now)
        return super().call_data(call, data, now=now)

    def call_end(self, call: UpstreamCall, *, now: float) -> None:
        """The answer is complete, or should be."""
        self.over = True
        if self._streaming:
            return self._choices.take(self, call, self.stream.end(), now=now)
        answer = self.read_answer(call)
        if isinstance(answer, Fault):
            return call.reject(answer, now=now)
        return self._choices.take(self, call, self.stream.whole(answer), now=now)

    def call_failed(self, call: UpstreamCall, fault: Fault, *, now: float) -> None:
        """A connection that breaks after the answer was complete takes nothing from it."""
        complete = self.stream.terminal or self.stream.finished  # a whole answer is read at its end only
        if complete and self.stream.fault is None:
            self.over = True
            return self._choices.take(self, call, self.stream.end(), now=now)
        if self._generate.asked_unsigned(call, fault, translation=self.translation, now=now):
            return self._begin()
        return self._choices.failed(call, fault, now=now)

    def _begin(self) -> None:
        self.let_go()
        self.over = False
        self.stream = UpstreamStream(self.translation, id=self._id)
        self.usage = Usage()
        self._streaming = False
