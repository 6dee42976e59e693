"""An exchange that is recorded, or that is played from a recording.

What an exchange gets, it asks of `outside.Outside`; `TapedOutside` passes each question through a tape. A tape that
records asks it and keeps the answer; one that plays has the answer, and asks nobody. `TapedExchange` notes what comes
in and what goes out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias, TypeVar

import msgspec

from agcore.config.values import ClientKey, Provider
from agcore.conversation.signed import Signed
from agcore.ingress.request import Request
from agcore.machines.exchange import Exchange
from agcore.machines.operation import OperationKind
from agcore.machines.outside import Outside, ServerStatus
from agcore.machines.services import GatewayServices
from agcore.protocol.effects import Effect
from agcore.protocol.fault import FailureKind, Fault, LocalProtocolError
from agcore.protocol.http import Peer, RequestHead
from agcore.protocol.inputs import Input
from agcore.protocol.state import Load
from agcore.routing.candidates import Candidate, Credential, Exhausted, Pause, Selection
from agcore.state.cooldowns import Cooldown, CredentialModel
from agcore.state.provider_models import AFTER_FAILURE
from agcore.state.rate_limits import Allowance
from agcore.state.responses import Entry, Missing

if TYPE_CHECKING:
    from agcore.state.mcp_sessions import Id, Owner

_Value = TypeVar("_Value")


class Chosen(msgspec.Struct, frozen=True, tag=True):
    """A `Selection` that can be written down."""

    candidate: int
    """The selected candidate's place among the candidates."""
    key: str
    """The label of its credential."""


Choice: TypeAlias = Chosen | Pause | Exhausted

_CHOICE: Final = msgspec.json.Decoder(Choice)
_MOMENT: Final = msgspec.json.Decoder(float | None)
_YES: Final = msgspec.json.Decoder(bool)
_COUNT: Final = msgspec.json.Decoder(int)
_ALLOWANCE: Final = msgspec.json.Decoder(Allowance)
_TEXT: Final = msgspec.json.Decoder(str)
_TEXT_OR_NONE: Final = msgspec.json.Decoder(str | None)
_TEXTS: Final = msgspec.json.Decoder(tuple[str, ...])
_BYTES: Final = msgspec.json.Decoder(bytes)
_COOLING: Final = msgspec.json.Decoder(list[tuple[CredentialModel, Cooldown]])
_FAULT: Final = msgspec.json.Decoder(Fault | None)
_STATUS: Final = msgspec.json.Decoder(ServerStatus)
_ENTRY: Final[msgspec.json.Decoder[Entry | Missing]] = msgspec.json.Decoder(Entry | Missing)
_SIGNED: Final = msgspec.json.Decoder(Signed | None)


class Tape(Protocol):
    """Records an exchange, or plays what was recorded."""

    def opened(self, head: RequestHead, peer: Peer, *, watched: bool, now: float) -> None:
        """The request's head came."""

    def told(self, input: Input, *, now: float) -> None:
        """The exchange is told a fact."""

    def mistaken(self) -> None:
        """The latest input was a mistake of the driver's, and did nothing."""

    def timed_out(self, *, now: float) -> None:
        """A deadline may have come."""

    def abandoned(self, *, now: float) -> None:
        """The driver gives up."""

    def commanded(self, effects: Sequence[Effect]) -> None:
        """The exchange has answered one of these with effects."""

    def tell(self, report: Callable[[], object]) -> None:
        """Pass something on that has no answer."""

    def answer(self, question: str, ask: Callable[[], _Value], kind: msgspec.json.Decoder[_Value]) -> _Value:
        """The answer to a question.

        Args:
            question: Its name.
            ask: Asks it.
            kind: Reads an answer that was written down.
        """


class TapedOutside:
    """An `outside.Outside` whose questions and answers pass through a tape.

    Args:
        outside: Is asked, unless the tape has the answers.
        tape: Records or plays.
    """

    def __init__(self, outside: Outside, tape: Tape) -> None:
        self._outside = outside
        self._tape = tape

    def choose(
        self,
        candidates: Sequence[Candidate],
        *,
        tried: Collection[CredentialModel] = (),
        waited: bool = False,
        conversation: bytes | None = None,
        now: float,
    ) -> Selection | Pause | Exhausted:
        """Implements `Selections.choose`."""

        def ask() -> Choice:
            chosen = self._outside.choose(candidates, tried=tried, waited=waited, conversation=conversation, now=now)
            if not isinstance(chosen, Selection):
                return chosen
            place = next(number for number, each in enumerate(candidates) if each is chosen.candidate)
            return Chosen(place, chosen.key.label)

        choice = self._tape.answer("choose", ask, _CHOICE)
        if not isinstance(choice, Chosen):
            return choice
        candidate = candidates[choice.candidate]
        key = next(key for key in self.keys(candidate.provider) if key.label == choice.key)
        return Selection(candidate, key)

    def take(self, choice: Selection) -> Selection:
        """Implements `Selections.take`."""
        self._tape.tell(lambda: self._outside.take(choice))
        return choice

    def done(self, choice: Selection) -> None:
        """Implements `Selections.done`."""
        self._tape.tell(lambda: self._outside.done(choice))

    def opens(self, candidates: Sequence[Candidate], *, now: float) -> float | None:
        """Implements `Selections.opens`."""
        return self._tape.answer("opens", lambda: self._outside.opens(candidates, now=now), _MOMENT)

    def keys(self, provider: Provider) -> tuple[Credential, ...]:
        """Implements `Selections.keys`, unrecorded: the configuration has them."""
        return self._outside.keys(provider)

    def succeeded(self, choice: Selection, *, began: float) -> None:
        """Implements `Selections.succeeded`."""
        self._tape.tell(lambda: self._outside.succeeded(choice, began=began))

    def failed(
        self,
        choice: Selection,
        failure: FailureKind,
        *,
        whole_key: bool = False,
        wait: float | None = None,
        reason: str = "",
        began: float,
        now: float,
    ) -> bool:
        """Implements `Selections.failed`."""
        return self._tape.answer(
            "failed",
            lambda: self._outside.failed(
                choice, failure, whole_key=whole_key, wait=wait, reason=reason, began=began, now=now
            ),
            _YES,
        )

    def cooling(self, *, now: float) -> list[tuple[CredentialModel, Cooldown]]:
        """Implements `Outside.cooling`."""
        return self._tape.answer("cooling", lambda: self._outside.cooling(now=now), _COOLING)

    def lift(self, provider: str, key: str, *, began: float) -> None:
        """Implements `Outside.lift`."""
        self._tape.tell(lambda: self._outside.lift(provider, key, began=began))

    def in_flight(self, provider: str, key: str) -> int:
        """Implements `Outside.in_flight`."""
        return self._tape.answer("in_flight", lambda: self._outside.in_flight(provider, key), _COUNT)

    def allowance(self, key: ClientKey, *, now: float) -> Allowance:
        """Implements `Outside.allowance`."""
        return self._tape.answer("allowance", lambda: self._outside.allowance(key, now=now), _ALLOWANCE)

    def reserve(self, size: int) -> bool:
        """Implements `Outside.reserve`."""
        return self._tape.answer("reserve", lambda: self._outside.reserve(size), _YES)

    def release(self, size: int) -> None:
        """Implements `Outside.release`."""
        self._tape.tell(lambda: self._outside.release(size))

    def admit(self, key: ClientKey, *, now: float) -> Fault | None:
        """Implements `Outside.admit`."""
        return self._tape.answer("admit", lambda: self._outside.admit(key, now=now), _FAULT)

    def settle(self, key: ClientKey, *, tokens: int, asked: bool, now: float) -> None:
        """Implements `Outside.settle`."""
        self._tape.tell(lambda: self._outside.settle(key, tokens=tokens, asked=asked, now=now))

    def mint(self, prefix: str) -> str:
        """Implements `Outside.mint`."""
        return self._tape.answer("mint", lambda: self._outside.mint(prefix), _TEXT)

    def digest(self, data: bytes) -> bytes:
        """Implements `Outside.digest`."""
        return self._tape.answer("digest", lambda: self._outside.digest(data), _BYTES)

    def status(self) -> ServerStatus:
        """Implements `Outside.status`."""
        return self._tape.answer("status", self._outside.status, _STATUS)

    def load(self, query: Load) -> Entry | Missing:
        """Implements `Outside.load`."""
        found: Entry | Missing = self._tape.answer("load", lambda: self._outside.load(query), _ENTRY)
        return found

    def keep_response(self, id: str, entry: Entry) -> None:
        """Implements `Outside.keep_response`."""
        self._tape.tell(lambda: self._outside.keep_response(id, entry))

    def forget_response(self, id: str, *, client: str | None) -> None:
        """Implements `Outside.forget_response`."""
        self._tape.tell(lambda: self._outside.forget_response(id, client=client))

    def find_signed(self, call_id: str, *, client: str | None) -> Signed | None:
        """Implements `Outside.find_signed`."""
        return self._tape.answer("find_signed", lambda: self._outside.find_signed(call_id, client=client), _SIGNED)

    def keep_signed(self, call_id: str, signed: Signed, *, client: str | None) -> None:
        """Implements `Outside.keep_signed`."""
        self._tape.tell(lambda: self._outside.keep_signed(call_id, signed, client=client))

    def listed_ids(self, provider: Provider, *, now: float) -> tuple[str, ...]:
        """Implements `Outside.listed_ids`."""
        return self._tape.answer("listed_ids", lambda: self._outside.listed_ids(provider, now=now), _TEXTS)

    def is_list_due(self, provider: Provider, *, now: float) -> bool:
        """Implements `Outside.is_list_due`."""
        return self._tape.answer("is_list_due", lambda: self._outside.is_list_due(provider, now=now), _YES)

    def keep_list(self, provider: Provider, ids: tuple[str, ...], *, now: float) -> None:
        """Implements `Outside.keep_list`."""
        self._tape.tell(lambda: self._outside.keep_list(provider, ids, now=now))

    def list_failed(self, provider: Provider, *, now: float, pause: float = AFTER_FAILURE) -> None:
        """Implements `Outside.list_failed`."""
        self._tape.tell(lambda: self._outside.list_failed(provider, now=now, pause=pause))

    def open_session(self, owner: Owner, revision: str, *, now: float) -> str:
        """Implements `Outside.open_session`."""
        return self._tape.answer("open_session", lambda: self._outside.open_session(owner, revision, now=now), _TEXT)

    def find_session(self, id: str, owner: Owner, *, now: float) -> str | None:
        """Implements `Outside.find_session`."""
        return self._tape.answer("find_session", lambda: self._outside.find_session(id, owner, now=now), _TEXT_OR_NONE)

    def end_session(self, id: str) -> tuple[str, ...]:
        """Implements `Outside.end_session`."""
        return self._tape.answer("end_session", lambda: self._outside.end_session(id), _TEXTS)

    def join_session(self, id: str, exchange: str, *, call: Id | None = None) -> None:
        """Implements `Outside.join_session`."""
        self._tape.tell(lambda: self._outside.join_session(id, exchange, call=call))

    def leave_session(self, id: str, exchange: str) -> None:
        """Implements `Outside.leave_session`."""
        self._tape.tell(lambda: self._outside.leave_session(id, exchange))

    def worker_of(self, id: str, call: Id) -> str | None:
        """Implements `Outside.worker_of`."""
        return self._tape.answer("worker_of", lambda: self._outside.worker_of(id, call), _TEXT_OR_NONE)


class TapedExchange(Exchange):
    """An exchange all of whose facts and effects go over a tape."""

    def __init__(
        self,
        request: Request,
        services: GatewayServices,
        *,
        tape: Tape,
        operation: OperationKind | None = None,
        max_body: int = 0,
        watched: bool = False,
    ) -> None:
        super().__init__(request, services, operation=operation, max_body=max_body, watched=watched)
        self._tape = tape

    def receive(self, input: Input, *, now: float) -> list[Effect]:
        """Implements `Exchange.receive`."""
        self._tape.told(input, now=now)
        try:
            effects = super().receive(input, now=now)
        except LocalProtocolError:
            self._tape.mistaken()
            raise
        self._tape.commanded(effects)
        return effects

    def handle_timeout(self, *, now: float) -> list[Effect]:
        """Implements `Exchange.handle_timeout`."""
        self._tape.timed_out(now=now)
        effects = super().handle_timeout(now=now)
        self._tape.commanded(effects)
        return effects

    def abandon(self, *, now: float) -> list[Effect]:
        """Implements `Exchange.abandon`."""
        self._tape.abandoned(now=now)
        effects = super().abandon(now=now)
        self._tape.commanded(effects)
        return effects
