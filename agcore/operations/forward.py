"""Requests that an upstream answers: the one class that drives provider calls, for every task there is.

A `Task` says how the request is read, who may answer it, and how it is converted for one of them. `Forward` does the
rest: for each attempt it asks the task for a conversion, sends what that says, and shows the client what it makes of
the answer. What came of an attempt is dropped with its conversion.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from agcore.codecs.header_fields import field_value, passing
from agcore.codecs.json_splice import BodyError, Members, parse_mended
from agcore.conversion.base import (
    STREAM_HEADERS,
    Answered,
    Answering,
    Conversion,
    Division,
    Outgoing,
    Output,
    Passing,
    WholeAnswer,
)
from agcore.conversion.passthrough import PassThroughStream
from agcore.dialects import DIALECTS
from agcore.dialects.base import RequestSummary
from agcore.machines.call_events import Began, CallEvent, Data, End, Failed, Head, NeedPlan
from agcore.machines.operation import ExchangeParts
from agcore.machines.upstream_call import UpstreamCall
from agcore.operations.asking import Asking
from agcore.operations.base import BaseOperation
from agcore.operations.fan_out import FanOut, later_than
from agcore.operations.task import Task
from agcore.protocol.fault import Fault, invalid
from agcore.protocol.http import Headers
from agcore.protocol.legality import LegState
from agcore.protocol.report import Report
from agcore.routing.balancing import spreads
from agcore.routing.candidates import Candidate
from agcore.routing.conversation_key import conversation_key
from agcore.routing.resolution import candidates_at
from agcore.upstream.body import CollectedBody
from agcore.upstream.request import UpstreamPlan

_OF_BODIES: Final = (b"content-type", b"content-length", b"content-encoding")
"""Fields that tell of bytes which pass as they come."""
BYTES_PER_TOKEN: Final = 4
"""Of a request, where its answer does not tell what it consumed."""


class Attempt:
    """One attempt of a call: its conversion, and what is kept of its answer."""

    __slots__ = ("body", "conversion", "headers", "kept", "passing", "status")

    def __init__(self, conversion: Conversion, body: CollectedBody) -> None:
        self.conversion = conversion
        self.body = body
        self.passing = Passing.WHOLE
        self.status = 200
        self.headers: Headers = ()
        self.kept = False
        """Its response is remembered."""


class Forward(BaseOperation):
    """An operation that has upstreams answer one request, by the rules of a `Task`."""

    def __init__(self, parts: ExchangeParts, task: Task) -> None:
        super().__init__(parts)
        match = self.request.match
        self.task = task
        self.dialect = DIALECTS[match.dialect]
        self.asking = Asking(
            self.request, self.services, self.dialect, match.parts(self.request.target), RequestSummary(model="")
        )
        self._call: UpstreamCall | None = None
        self._attempt: Attempt | None = None
        self._fan_out: FanOut | None = None

    @property
    def answering(self) -> Answering | None:
        """The conversion or division that makes the client's answer at present; None where nobody is asked."""
        if self._fan_out is not None:
            return self._fan_out.division
        return None if self._attempt is None else self._attempt.conversion

    def run(self, body: bytes, *, now: float) -> None:
        """Read the body, find the candidates, and ask."""
        candidates = self.read(msgspec.structs.replace(self.asking, content=parse_mended(body)), now=now)
        if isinstance(candidates, Fault):
            return self.client.fail(candidates, now=now)
        memory = self.task.memory
        expanded = None if memory is None else memory.expand(self.asking, self.parts.environment, now)
        if expanded is not None:
            if not self.memory.reserve(len(expanded), now=now):
                return None
            self.asking = msgspec.structs.replace(self.asking, content=parse_mended(expanded))
        return self.ask(candidates, now=now)

    def read(self, asking: Asking, *, now: float) -> tuple[Candidate, ...] | Fault:
        """Take in what is asked, and where that may go."""
        memory, task = self.task.memory, self.task
        if memory is not None:
            earlier = memory.recall(asking, self.parts.environment, now)
            if isinstance(earlier, Fault):
                return earlier
            asking = msgspec.structs.replace(asking, earlier=earlier)
        summary = task.read(asking)
        if isinstance(summary, Fault):
            return summary
        self.asking = asking = msgspec.structs.replace(asking, summary=summary)
        bound = None if memory is None else memory.bind(asking)
        if bound is not None:
            return bound
        found = asking.resolve()
        if isinstance(found, Fault):
            return found
        return candidates_at(found, lambda target: task.endpoint(asking, target)) or task.unserved(asking, found)

    def ask(self, candidates: Sequence[Candidate], *, counts_as_retry: bool = False, now: float) -> None:
        """Ask at the candidates, or answer without them where the task can; `counts_as_retry` after others failed."""
        local = None if self.task.local is None else self.task.local(self.asking, candidates)
        if local is not None:
            return self._answer_here(local, now)
        key = None
        content = self.asking.content
        if isinstance(content, Members) and spreads(candidates):
            request = self.request
            key = conversation_key(request.client, request.head.headers, content, model=self.asking.summary.model)
        call = self.calls.start(
            candidates,
            to=self,
            now=now,
            conversation_key=key,
            counts_as_retry=counts_as_retry,
            patient=self.task.waits_for_cooldown,
        )
        if call.state is LegState.PAUSED and self.asking.summary.stream and not self.task.media:
            headers = STREAM_HEADERS[self.asking.summary.framing]
            self.client.expect_stream(headers, keepalive=self.dialect.traits.keepalive, now=now)
        return None

    def receive(self, call: UpstreamCall, event: CallEvent, *, now: float) -> None:
        """Takes an event of a call."""
        if isinstance(event, Data):
            self._receive_data(call, event.data, now)
        elif isinstance(event, NeedPlan):
            self._plan(call, event.candidate, now)
        elif isinstance(event, Began):
            self._call = call
        elif isinstance(event, Head):
            self._receive_head(call, event, now)
        elif isinstance(event, End):
            self._receive_end(call, now)
        else:
            assert isinstance(event, Failed)
            self._failed(call, event.fault, now)

    def upstream_plan(self, request: Outgoing) -> UpstreamPlan:
        """Returns the plan by which a call makes an attempt."""
        return UpstreamPlan(
            target=request.target,
            method=request.method,
            headers=request.headers,
            body=request.body,
            length=request.length,
            repeatable=self.task.repeatable(self.asking),
            wait_for_cooldown=self.task.waits_for_cooldown,
        )

    def announce(self, call: UpstreamCall, answering: Answering, headers: Headers = ()) -> None:
        """Tell in the head of a stream where it comes from."""
        if answering.stream_headers:
            self.client.stream_head((*answering.stream_headers, *self.headers_down(call, answering, headers)))

    def show(self, call: UpstreamCall, output: Output, *, now: float) -> None:
        """Show the client a piece of its stream, and have the call hear of a fault."""
        if output.data:
            if not call.committed:
                call.commit()
            # A stream may end in an upstream's own words about a failure.
            self.client.write(call.scrubbed(output.data) if output.terminal else output.data, now=now)
        elif output.deferred:
            self.client.defer_preamble(now=now)
        if output.fault is not None:
            call.reject(output.fault, now=now)
        elif output.terminal:
            self.client.await_upstream_end(now=now)

    def answer(
        self,
        call: UpstreamCall,
        answering: Answering,
        answer: WholeAnswer,
        *,
        status: int = 200,
        headers: Headers = (),
        now: float,
    ) -> None:
        """Give the client its whole answer; `status` and `headers` are the upstream's where it is not translated."""
        if answer.local:
            return self._answer_here(answer, now)
        body = call.scrubbed(answer.body) if answer.failed else answer.body
        shown = (*self.headers_down(call, answering, headers), *answer.headers)
        return self.client.answer(status, body, headers=shown, content_type=answer.content_type, now=now)

    def headers_down(self, call: UpstreamCall, answering: Answering, headers: Headers) -> Headers:
        """Returns the header fields that the client sees of the upstream's, with provenance and losses.

        Another vendor's limits and ids mean nothing to the client.
        """
        shown = () if answering.translated else passing(headers, self.dialect.traits.headers_down)
        lost: Headers = ()
        if len(answering.losses):
            lost = ((b"x-agcore-losses", field_value(answering.losses.header())),)
        return (*shown, *self.calls.provenance(call), *lost)

    def unsigned(self, call: UpstreamCall, conversion: Conversion, fault: Fault, *, now: float) -> Conversion | None:
        """The attempt that a call makes again without what the upstream refused: a signature of its own, or a form of
        vectors. A request without either is not repeated.
        """
        if fault.status not in (400, 422) or not call.asked or self.services.config.proxy.on_loss == "reject":
            return None
        again = conversion.unsigned(fault, now=now)
        if again is None or not call.repeat(self.upstream_plan(again.request), now=now):
            return None
        return again

    def _plan(self, call: UpstreamCall, candidate: Candidate, now: float) -> None:
        self._drop()
        try:
            made = self.task.convert(self.asking, candidate, call.candidates, now)
        except BodyError as error:
            made = invalid(str(error))
        if isinstance(made, Fault):
            return call.proceed(made, now=now)
        if made.held and not self.memory.reserve(made.held, now=now):
            return call.abort()
        if isinstance(made, Division):
            return self._divide(call, made, candidate, now)
        plan = self.upstream_plan(made.request)
        self._begin(made, now)
        return call.proceed(plan, now=now)

    def _divide(self, call: UpstreamCall, division: Division, candidate: Candidate, now: float) -> None:
        self._expect_stream(division, now)
        self._fan_out = FanOut(self, division, candidate, later_than(candidate, call.candidates))
        first = call.hand_over() if division.keeps_turn else None
        call.abort()
        self._fan_out.start(first, now=now)

    def _begin(self, conversion: Conversion, now: float) -> None:
        limit = self.services.config.limits.max_json
        self._attempt = Attempt(conversion, CollectedBody(self.memory, limit=limit))
        self._expect_stream(conversion, now)

    def _expect_stream(self, answering: Answering, now: float) -> None:
        if answering.opens_early:
            self.client.expect_stream(answering.stream_headers, keepalive=self.dialect.traits.keepalive, now=now)

    def _drop(self) -> None:
        """Releases the memory of an earlier attempt."""
        if self._attempt is not None:
            self._attempt.body.release()
            self.memory.release(self._attempt.conversion.held)
        if self._fan_out is not None:
            self._fan_out.release()
        self._attempt = self._fan_out = None

    def _receive_head(self, call: UpstreamCall, head: Head, now: float) -> None:
        attempt = self._current
        attempt.status, attempt.headers = head.status, head.headers
        attempt.passing = attempt.conversion.head(head.status, head.headers)
        if attempt.passing is Passing.STREAM:
            self.announce(call, attempt.conversion, head.headers)
        elif attempt.passing is Passing.RAW:
            call.commit()
            kept = tuple(field for field in head.headers if field[0] in _OF_BODIES)
            shown = self.headers_down(call, attempt.conversion, head.headers)
            self.client.open_answer(head.status, (*kept, *shown), now=now)

    def _receive_data(self, call: UpstreamCall, data: bytes, now: float) -> None:
        attempt = self._attempt
        assert attempt is not None
        if attempt.passing is Passing.STREAM:
            output = attempt.conversion.feed(data)
            self.show(call, output, now=now)
            if self.task.kept is not None and output.fault is None:
                self._keep(call, attempt)
        elif attempt.passing is Passing.RAW:
            self.client.pass_on(data)
        else:
            self.client.stop_first_content_timer()
            if not attempt.body.add(data, now=now):
                limit = self.services.config.limits.max_json
                self.client.fail(too_much("the upstream's answer is", limit), now=now)

    def _receive_end(self, call: UpstreamCall, now: float) -> None:
        attempt = self._current
        if attempt.passing is Passing.RAW:
            return self.client.end(now=now)
        if attempt.passing is Passing.STREAM:
            answered: Answered = attempt.conversion.end()
        else:
            answered = attempt.conversion.whole(attempt.body.take(), now=now)
            self.announce(call, attempt.conversion, attempt.headers)
        if isinstance(answered, Fault):
            return call.reject(answered, now=now)
        if isinstance(answered, WholeAnswer):
            call.commit()
            conversion = attempt.conversion
            status = 200 if conversion.translated else attempt.status
            self.answer(call, conversion, answered, status=status, headers=attempt.headers, now=now)
        else:
            self.show(call, answered, now=now)
            if answered.fault is not None:
                return None
            self.client.end(now=now)
        return self._keep(call, attempt)

    def _failed(self, call: UpstreamCall, fault: Fault, now: float) -> None:
        attempt = self._attempt
        if attempt is not None:
            rest = attempt.conversion.broken()
            if rest is not None:
                # A connection that breaks after the answer was complete takes nothing from it.
                if rest.data:
                    self.client.write(rest.data, now=now)
                self.client.end(now=now)
                return self._keep(call, attempt)
            again = self.unsigned(call, attempt.conversion, fault, now=now)
            if again is not None:
                attempt.body.release()
                return self._begin(again, now)
            # A response that announced itself exists, whatever became of it.
            self._keep(call, attempt)
        rescued = None if self.task.rescue is None else self.task.rescue(self.asking, fault)
        return self._answer_here(fault if rescued is None else rescued, now)

    def _answer_here(self, answer: WholeAnswer | Fault, now: float) -> None:
        if isinstance(answer, Fault):
            return self.client.fail(answer, now=now)
        return self.client.answer(200, answer.body, headers=answer.headers, content_type=answer.content_type, now=now)

    @property
    def _current(self) -> Attempt:
        assert self._attempt is not None
        return self._attempt

    def _keep(self, call: UpstreamCall, attempt: Attempt) -> None:
        kept = self.task.kept
        if kept is not None and not attempt.kept and attempt.conversion.response is not None:
            attempt.kept = True
            kept(self.asking, call, attempt.conversion)

    def opening(self) -> None:
        """A stream that opens before the upstream answered tells where it is going to come from."""
        if self._fan_out is not None:
            self._fan_out.announce()
        elif self._attempt is not None and self._call is not None:
            attempt = self._attempt
            # A whole answer may still be refused, and another one come instead: its headers are not the stream's yet.
            self.announce(self._call, attempt.conversion, attempt.headers if attempt.passing is Passing.STREAM else ())
        else:  # the call pauses, and those who might have been asked meanwhile were ruled out
            headers = STREAM_HEADERS[self.asking.summary.framing]
            self.client.stream_head((*headers, *self.calls.latest_provenance))

    def release(self, *, now: float) -> None:
        """Announcements go out although no content came."""
        answering, call = self.answering, self._call
        assert answering is not None
        if self._fan_out is None:
            assert call is not None
            call.commit()
        self.client.write(answering.release(), now=now)

    def keepalive(self, usual: bytes) -> bytes:
        """Returns the dialect's keepalive while several calls are out: a first picture may have opened the stream."""
        return usual if self._fan_out is None else self.dialect.traits.keepalive

    def error_in_stream(self, fault: Fault) -> bytes | None:
        """The dialect's own error, fitting to what was sent."""
        answering = self.answering
        if answering is not None:
            return answering.error(fault, self.request.id)
        # Keepalives were sent, and then no candidate was left that could be asked.
        dialect = self.dialect
        if self.task.media:
            from agcore.dialects import task_registry  # not free to import

            return task_registry.media()[dialect.traits.name].StreamTap().error(fault, self.request.id)
        tap = dialect.pass_through.tap(shown_model=None, hide_usage=False)
        return PassThroughStream(tap, framing=self.asking.summary.framing).error(fault, self.request.id)

    def report(self) -> Report:
        """Model, usage, losses."""
        summary, answering = self.asking.summary, self.answering
        if answering is None:
            return Report(model=summary.model, stream=summary.stream)
        streamed = self._fan_out is None and answering.translated and bool(answering.stream_headers)
        return Report(
            model=summary.model,
            stream=summary.stream or streamed,
            usage=answering.usage,
            losses=tuple(answering.losses),
        )

    def consumed(self, *, received: int) -> int:
        """Input and output; an estimate where they are not known, but for what is not text."""
        usage = None if self.answering is None else self.answering.usage
        if self.task.free:
            return 0
        if usage is not None:
            return usage.input + usage.output
        return received // BYTES_PER_TOKEN if self.task.json_body else 0


def too_much(what: str, limit: int) -> Fault:
    """The fault of upstreams that answer with more than is held."""
    return Fault(status=502, message=f"{what} larger than {limit} bytes")
