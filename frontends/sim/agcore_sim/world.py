"""A world without sockets: a gateway, its clients and its upstreams on one clock that nobody waits for.

What is to happen lies on one heap, in the order of its time: what upstreams report, what clients do, and the deadlines
of the machine. The clock moves from one of these to the next.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterable, Mapping
from typing import Generic, NamedTuple, TypeAlias, TypeVar

from agcore import (
    Acquire,
    AskState,
    ClientGone,
    Denied,
    Effect,
    EndUpstream,
    FileRead,
    FileRefused,
    Gateway,
    Granted,
    Input,
    Load,
    Loaded,
    NotifyExchange,
    OpenUpstream,
    Patcher,
    ReadFile,
    ReadSpool,
    RequestData,
    RequestEnd,
    SendUpstream,
    Spool,
    Spooled,
    State,
    StateReplied,
    StateUnavailable,
    Streamed,
    UpstreamConnected,
    UpstreamInput,
)
from agcore_sim.clients import ClientRequest
from agcore_sim.story import EPOCH, JSON, Story
from agcore_sim.upstreams import Asked, Upstreams

U_co = TypeVar("U_co", bound=Upstreams, covariant=True)

Shared: TypeAlias = Callable[[Load | Acquire], Iterable[tuple[float, Loaded | Granted | Denied | StateUnavailable]]]
"""Who holds the state that gateways share: its replies to a question, each after some seconds."""


def nobody(question: Load | Acquire) -> Iterable[tuple[float, StateUnavailable]]:
    """State that is always away."""
    yield 0.0, StateUnavailable(question.id)


PIECE = 65536
"""The most of a request's body that the machine is told at once, in bytes."""


class Event(NamedTuple):
    """Something that is to happen."""

    at: float
    order: int
    """The events of one moment happen in the order in which they were foreseen."""
    story: Story
    input: Input | None
    """What the exchange is told; None for its deadline."""


class Ongoing:
    """What a frontend would hold for one exchange that runs."""

    def __init__(self, request: ClientRequest) -> None:
        self.stream = request.stream
        self.unsent: bytes | None = request.body
        """What the client has still to send; None once it has sent the end."""
        self.seen = 0
        """How many effects were carried out."""
        self.deadline: float | None = None
        """The deadline that lies on the heap."""
        self.bodies: dict[int, bytearray] = {}
        """Bodies that are on their way to an upstream, by leg."""
        self.spools: dict[int, bytearray] = {}


class World(Generic[U_co]):
    """One gateway, the clients that ask it and the upstreams that it asks.

    `ask` has one request answered, from beginning to end. Requests side by side are begun with `begin` and led on with
    `step`, `run` or `finish`.
    """

    def __init__(
        self,
        gateway: Gateway,
        upstreams: U_co,
        *,
        now: float = EPOCH,
        files: Mapping[str, bytes] | None = None,
        shared: Shared = nobody,
    ) -> None:
        """Make a world in which nothing has happened yet.

        Args:
            gateway: The gateway; its `now` must not be later than this world's.
            upstreams: Who answers it.
            now: When the story begins, in seconds since the epoch.
            files: The files that may be read, by their paths. All others are refused.
            shared: Answers for the state that gateways share, where the gateway does not hold it itself.

        """
        self.gateway = gateway
        self.upstreams = upstreams
        self.now = now
        self.files = dict(files or {})
        self.shared = shared
        self._events: list[Event] = []
        self._order = itertools.count()
        self._ongoing: dict[Story, Ongoing] = {}

    def ask(self, request: ClientRequest, *, at: float | None = None) -> Story:
        """Give the story of one request, from its beginning to its end; `at` is when it begins, now unless given."""
        if at is not None:
            self.run(until=at)
        story = self.begin(request)
        self.finish(story)
        return story

    def begin(self, request: ClientRequest) -> Story:
        """Give the story of a request that arrives now, as far as it goes by itself."""
        story = Story(self.gateway)
        story.now = self.now
        self._ongoing[story] = Ongoing(request)
        typed = any(name == b"content-type" for name, _ in request.headers)
        headers = request.headers if typed or not request.body else (*request.headers, *JSON)
        story.open(request.method, request.target, headers=headers)
        if request.patience is not None:
            self._foresee(request.patience, story, ClientGone())
        self._carry_out(story)
        return story

    def step(self) -> bool:
        """Let the next event happen; False if there is none."""
        while self._events:
            at, _, story, input = heapq.heappop(self._events)
            if story not in self._ongoing:
                continue
            if input is None and at != story.exchange.deadline:
                continue  # the deadline has moved meanwhile
            self.now = max(self.now, at)
            if input is None:
                story.now = self.now
                story.wait(0)
                self._carry_out(story)
            elif not isinstance(input, UpstreamInput) or story.exchange.wants(input.leg):
                self.tell(story, input)
            return True
        return False

    def run(self, until: float | None = None) -> None:
        """Let everything happen, or everything up to a time, which it is then."""
        while self._events and (until is None or self._events[0].at <= until):
            self.step()
        self.now = max(self.now, until or 0.0)

    def finish(self, story: Story) -> None:
        """Let everything happen up to the end of one story.

        Raises RuntimeError where the exchange waits for nothing, which is a bug of the gateway.
        """
        while not story.finished:
            if not self.step():
                raise RuntimeError("the exchange waits for nothing\n" + story.text())

    def tell(self, story: Story, input: Input) -> None:
        """Tell an exchange something now, and carry out what follows."""
        story.now = self.now
        story.tell(input)
        self._carry_out(story)

    def abandon(self, story: Story) -> None:
        """Give an exchange up now, as a frontend does that is cancelled."""
        story.now = self.now
        story.abandon()
        self._carry_out(story)

    def _foresee(self, seconds: float, story: Story, input: Input | None) -> None:
        heapq.heappush(self._events, Event(self.now + seconds, next(self._order), story, input))

    def _carry_out(self, story: Story) -> None:
        """Perform what the machine has commanded, then let the client send what is wanted of it."""
        this, exchange = self._ongoing[story], story.exchange
        while True:
            effects, this.seen = story.effects[this.seen :], len(story.effects)
            for effect in effects:
                self._perform(effect, story, this)
            if story.finished:
                del self._ongoing[story]
                return
            if this.unsent is None or not exchange.wants_request:
                break
            if this.unsent:
                piece, this.unsent = this.unsent[:PIECE], this.unsent[PIECE:]
                story.tell(RequestData(piece))
            else:
                this.unsent = None
                story.tell(RequestEnd())
        if exchange.deadline != this.deadline:
            this.deadline = exchange.deadline
            if this.deadline is not None:
                heapq.heappush(self._events, Event(this.deadline, next(self._order), story, None))

    def _perform(self, effect: Effect, story: Story, this: Ongoing) -> None:
        match effect:
            case OpenUpstream(leg, request):
                if isinstance(request.body, Streamed):
                    this.bodies[leg] = bytearray(request.body.first)
                    self._foresee(0, story, UpstreamConnected(leg, reused=False))
                elif isinstance(request.body, Spooled):
                    patcher = Patcher(request.body.patches)
                    self._ask(story, this, leg, patcher.feed(bytes(this.spools[request.body.id])))
                else:
                    self._ask(story, this, leg, request.body)
            case SendUpstream(leg, data):
                this.bodies[leg] += data
            case EndUpstream(leg):
                self._ask(story, this, leg, bytes(this.bodies.pop(leg)), connected=True)
            case Spool(id, data):
                this.spools.setdefault(id, bytearray()).extend(data)
            case ReadSpool(id, spool):
                self._foresee(0, story, FileRead(id, bytes(this.spools[spool])))
            case ReadFile(id, path):
                file = self.files.get(path)
                self._foresee(0, story, FileRefused(id, "cannot be read") if file is None else FileRead(id, file))
            case AskState(question):
                for seconds, reply in self.shared(question):
                    self._foresee(seconds, story, StateReplied(reply))
            case NotifyExchange(exchange, message):
                for other in self._ongoing:
                    if other.exchange.request.id == exchange:
                        self._foresee(0, other, message)

    def _ask(self, story: Story, this: Ongoing, leg: int, body: bytes, *, connected: bool = False) -> None:
        asked = Asked(
            at=self.now,
            leg=leg,
            request=story.requests[leg],
            body=body,
            stream=this.stream,
            shown=story.exchange.state is State.COMMITTED,
        )
        seconds = 0.0
        for pause, input in self.upstreams.answer(asked):
            seconds += pause
            if not (connected and isinstance(input, UpstreamConnected)):
                self._foresee(seconds, story, input)
