"""The pictures of one request, drawn by several calls at once.

What was drawn is handed out in the order of the calls even if some of them failed, since it is paid for. A stream shows
each call's pictures when that call ends, and tells of a failure last.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from agcore.conversation.images import ImageAnswer, ImageRequest, merged
from agcore.conversation.losses import Losses
from agcore.conversation.usage import total
from agcore.conversion.base import (
    SSE_HEADERS,
    Answered,
    AttemptConversion,
    Conversion,
    Division,
    GiveUp,
    Outgoing,
    Output,
    Upstream,
    WholeAnswer,
)
from agcore.dialects.tasks import Destination, ImagesClient, MediaTask, UpstreamTask
from agcore.protocol.fault import Fault
from agcore.protocol.report import Usage


class Drawing(Division):
    """The pictures of one request, divided into calls for one or several each.

    Args:
        request: What the client wants; the pictures that it sent along are not needed.
        calls: The request of each call.
        upstream: Who answers all calls.
        client: The half of the client's dialect.
        half: The half of the upstream's dialect.
        media: What the client's dialect knows of its media.
        at: Where all calls go.
        model: The name that the client asked for.
        losses: What cannot be carried; gets what the answers lack.
        opens_early: See `Answering.opens_early`.
    """

    keeps_turn = True

    def __init__(
        self,
        request: ImageRequest,
        calls: Sequence[Outgoing],
        upstream: Upstream,
        *,
        client: ImagesClient,
        half: UpstreamTask[ImageRequest, ImageAnswer],
        media: MediaTask,
        at: Destination,
        model: str,
        losses: Losses,
        opens_early: bool,
    ) -> None:
        self.losses = losses
        self.stream_headers = SSE_HEADERS if request.stream else ()
        self.opens_early = opens_early
        self.held = sum(map(len, {call.body for call in calls if isinstance(call.body, bytes)}))
        self.count = self.answers = len(calls)
        self._request = request
        self._calls = calls
        self._upstream = upstream
        self._client = client
        self._half = half
        self._media = media
        self._at = at
        self._model = model
        self._outcomes: dict[int, ImageAnswer | Fault] = {}
        self._final = False
        self._shown = 0

    @property
    def usage(self) -> Usage | None:
        """The sum of all calls that were answered."""
        made = [each.usage for each in self._outcomes.values() if isinstance(each, ImageAnswer)]
        usages = [usage for usage in made if usage is not None]
        return total(usages) if usages else None

    @property
    def fault(self) -> Fault | None:
        """The first failure, which a stream tells last."""
        return next((each for _, each in sorted(self._outcomes.items()) if isinstance(each, Fault)), None)

    def branch(self, number: int) -> Conversion:
        """An attempt of one call."""
        return ImageBranch(self, number, self._calls[number], self._upstream)

    def failed(self, number: int, fault: Fault, *, final: bool, now: float) -> Answered | GiveUp:
        """No picture will come of this call; the others may still draw theirs."""
        self._outcomes[number] = fault
        self._final = self._final or final
        return self._settled(b"", now)

    def drawn(self, number: int, answer: ImageAnswer, *, now: float) -> Answered:
        """Returns what the client gets for one call's pictures, or for all where these were the last."""
        self._outcomes[number] = answer
        settled = self._settled(self._frames(answer, now) if self._request.stream else b"", now)
        assert not isinstance(settled, GiveUp)  # there are pictures
        return settled

    def error(self, fault: Fault, request_id: str) -> bytes | None:
        """An `error` event."""
        return self._media.StreamTap().error(fault, request_id)

    def read(self, answer: dict[str, object]) -> ImageAnswer | Fault:
        """The pictures of one call, or why there are none."""
        return self._half.read_answer(answer, self._request, self._at)

    def _settled(self, data: bytes, now: float) -> Answered | GiveUp:
        if len(self._outcomes) < self.count:
            return Output(data)
        outcomes = [self._outcomes[number] for number in range(self.count)]
        answer = merged(self._request, outcomes, self.losses)
        if isinstance(answer, Fault):
            return GiveUp(answer, final=self._final)
        if not self._request.stream:
            written = self._client.write_answer(answer, self._request, model=self._model, created=int(now))
            return WholeAnswer(written.body)
        return Output(data)

    def _frames(self, answer: ImageAnswer, now: float) -> bytes:
        images = answer.images[: self._request.n - self._shown]
        self._shown += len(images)
        shown = msgspec.structs.replace(answer, images=images)
        return b"".join(self._client.write_events(shown, self._request, created=int(now)))


class ImageBranch(AttemptConversion):
    """One attempt of one of the calls."""

    def __init__(self, drawing: Drawing, number: int, request: Outgoing, upstream: Upstream) -> None:
        super().__init__(request, upstream, losses=drawing.losses, translated=True)
        self._drawing = drawing
        self._number = number

    def whole(self, body: bytes, *, now: float) -> Answered:
        """The pictures, or why there are none."""
        answer = self.read(body)
        found = answer if isinstance(answer, Fault) else self._drawing.read(answer)
        if isinstance(found, Fault):
            return found
        return self._drawing.drawn(self._number, found, now=now)
