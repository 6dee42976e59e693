"""The pictures of one request, drawn by several calls at once.

All calls are waited for, and what was drawn is handed out in their order even if some of them failed, since it is paid
for. A stream shows each call's pictures when it ends, and tells of a failure last. Where no call drew anything, the
later ways are asked, unless one of the calls may have been answered, and paid for, all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from agcore.conversation.images import ImageAnswer, ImageRequest, merged
from agcore.conversation.losses import Losses
from agcore.conversation.usage import total
from agcore.dialects import task_registry
from agcore.dialects.tasks import Destination
from agcore.machines.upstream_call import UpstreamCall
from agcore.operations.fan_out import Branch, FanOut
from agcore.protocol.fault import Fault
from agcore.routing.candidates import Candidate
from agcore.upstream.request import UpstreamPlan

if TYPE_CHECKING:
    from agcore.operations.images import Images


class Drawing(FanOut):
    """The fan-in: see the module's text.

    Args:
        operation: Whose request it is.
        request: What the client wants; the pictures that it sent along are not needed.
        at: Where all calls go.
        bodies: One for each call.
        way: Where all calls go.
        instead_of: See `FanOut`. Its choice is for the first call: a single one is no division, and takes its turn.
        losses: What cannot be carried; gets what the answers lack.
    """

    def __init__(
        self,
        operation: Images,
        request: ImageRequest,
        at: Destination,
        *,
        bodies: Sequence[bytes],
        candidate: Candidate,
        instead_of: UpstreamCall,
        losses: Losses,
    ) -> None:
        super().__init__(operation, candidate, instead_of=instead_of)
        task = task_registry.images()
        self._client = task.clients[operation.dialect.traits.name]
        self._upstream = task.upstreams[candidate.endpoint.dialect]
        self._request = request
        self._at = at
        self._losses = losses
        target = self._upstream.target(request, at)
        self._legs = [ImageBranch(self, operation, target, body) for body in bodies]
        self._shown = 0
        self._first = instead_of.hand_over()

    @property
    def limit(self) -> int:
        """Each answer may be as large as any."""
        return super().limit * len(self._legs)

    def begin(self, *, now: float) -> None:
        """Make all calls."""
        self.call(self._legs, now=now, first=self._first)

    def read(self, answer: dict[str, object]) -> ImageAnswer | Fault:
        """The pictures of one call, or why there are none."""
        return self._upstream.read_answer(answer, self._request, self._at)

    def drawn(self, call: UpstreamCall, answer: ImageAnswer, *, now: float) -> None:
        """One of the calls was answered."""
        call.commit()
        answers = [leg.outcome for leg in self._legs if isinstance(leg.outcome, ImageAnswer)]
        usages = [each.usage for each in answers if each.usage is not None]
        self._operation.usage = total(usages) if usages else None
        if self._request.stream:
            self._show(answer, now)
        self.settle(call, now=now)

    def settle(self, call: UpstreamCall, *, now: float) -> None:
        """One of the calls is over: when it is the last one, answer."""
        outcomes = [leg.outcome for leg in self._legs if leg.outcome is not None]
        if len(outcomes) < len(self._legs):
            return None
        answer = merged(self._request, outcomes, self._losses)
        if isinstance(answer, Fault):
            return self.give_up(answer, final=any(leg.final for leg in self._legs), now=now)
        if not self._request.stream:
            model = self._operation.ask.model
            written = self._client.write_answer(answer, self._request, model=model, created=int(now))
            return self._parts.client.answer(200, written.body, headers=self._operation.headers_down(call, ()), now=now)
        fault = next((each for each in outcomes if isinstance(each, Fault)), None)
        return self._parts.client.end(now=now) if fault is None else self._parts.client.fail(fault, now=now)

    def _show(self, answer: ImageAnswer, now: float) -> None:
        images = answer.images[: self._request.n - self._shown]
        self._shown += len(images)
        shown = msgspec.structs.replace(answer, images=images)
        frames = b"".join(self._client.write_events(shown, self._request, created=int(now)))
        if frames:
            self._parts.client.write(frames, now=now)


class ImageBranch(Branch):
    """One of the calls."""

    outcome: ImageAnswer | Fault | None = None
    """What came of it; None while it is under way."""
    final = False
    """It failed, and nobody else may be asked."""

    def __init__(self, drawing: Drawing, operation: Images, target: bytes, body: bytes) -> None:
        super().__init__(drawing, operation)
        self._drawing = drawing
        self._target = target
        self._sent = body

    def call_plan(self, call: UpstreamCall, candidate: Candidate, *, now: float) -> UpstreamPlan:
        """This leg's part of the request."""
        return self.plan(self._target, self._sent)

    def call_end(self, call: UpstreamCall, *, now: float) -> None:
        """The pictures, or why there are none."""
        answer = self.read_answer(call)
        found = answer if isinstance(answer, Fault) else self._drawing.read(answer)
        if isinstance(found, Fault):
            return call.reject(found, now=now)
        self._body.clear()  # the pictures, which were read from it, are held in its place
        self.outcome = found
        return self._drawing.drawn(call, found, now=now)

    def call_failed(self, call: UpstreamCall, fault: Fault, *, now: float) -> None:
        """No picture will come of this call."""
        self.outcome = fault
        self.final = not call.may_go_elsewhere
        self._drawing.settle(call, now=now)
