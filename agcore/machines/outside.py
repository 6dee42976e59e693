"""The one port through which an exchange gets whatever comes from outside of itself.

Which key serves a request depends on what every other request met before it, and an id on how many were drawn. So an
exchange asks for them here, and each answer is a plain value. An exchange that is given the same answers once more, by
another object of the same `Outside`, does the same once more: that is what makes a recording replayable by itself.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from typing import TYPE_CHECKING, Protocol

import msgspec

from agcore.config.values import ClientKey, Provider
from agcore.machines.ids import Ids
from agcore.protocol.fault import FailureKind, Fault
from agcore.protocol.state import Load
from agcore.routing.candidates import Candidate, Credential, Exhausted, Pause, Selection
from agcore.routing.selection import Selector
from agcore.state.cooldowns import Cooldown, CredentialModel
from agcore.state.provider_models import AFTER_FAILURE
from agcore.state.rate_limits import Allowance
from agcore.state.responses import Entry, Missing
from agcore.state.shared import LocalState

if TYPE_CHECKING:
    from agcore.conversation.signed import Signed
    from agcore.conversation.values import Conversation
    from agcore.state.mcp_sessions import Id, Owner


class ServerStatus(msgspec.Struct):
    """The gateway's own condition, for liveness answers."""

    started: float
    draining: bool = False


class Selections(Protocol):
    """Choice of the credential that serves an attempt, as `routing.selection` makes it."""

    def choose(
        self,
        candidates: Sequence[Candidate],
        *,
        tried: Collection[CredentialModel] = (),
        waited: bool = False,
        conversation: bytes | None = None,
        now: float,
    ) -> Selection | Pause | Exhausted:
        """Returns the credential that the next attempt is made with, a pause before it, or why there is none."""

    def take(self, choice: Selection) -> Selection:
        """Use a selection once more, or one that was made elsewhere."""

    def done(self, choice: Selection) -> None:
        """The attempt is over."""

    def opens(self, candidates: Sequence[Candidate], *, now: float) -> float | None:
        """Returns when the first candidate is open, in seconds since the epoch; None where there are none."""

    def keys(self, provider: Provider) -> tuple[Credential, ...]:
        """All credentials of a provider, which the configuration alone decides."""

    def succeeded(self, choice: Selection, *, began: float) -> None:
        """The attempt was answered."""

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
        """The attempt failed; whether its key was not known to be refused, and is now."""


class Outside(Selections, Protocol):
    """All questions. A single gateway answers them at once, from `state.shared.LocalState`."""

    def cooling(self, *, now: float) -> list[tuple[CredentialModel, Cooldown]]:
        """Returns all cooldowns that hold at present."""

    def lift(self, provider: str, key: str, *, began: float) -> None:
        """Forget why a key, by its fingerprint, is left alone, as far as that was known at `began`."""

    def in_flight(self, provider: str, key: str) -> int:
        """Returns the number of attempts that are being made with a key."""

    # The budgets of memory and of client keys.

    def reserve(self, size: int) -> bool:
        """Account for bytes that are about to be held; False where there is no room for them."""

    def release(self, size: int) -> None:
        """Give back what `reserve` took."""

    def admit(self, key: ClientKey, *, now: float) -> Fault | None:
        """Let a client key make one more request, or say why not."""

    def settle(self, key: ClientKey, *, tokens: int, asked: bool, now: float) -> None:
        """A request that `admit` let in is over: it consumed this many tokens, and an upstream was `asked` or not."""

    def allowance(self, key: ClientKey, *, now: float) -> Allowance:
        """Returns what a client key may still use."""

    # Values that are drawn, and the gateway's own condition.

    def mint(self, prefix: str) -> str:
        """A new id that nobody can guess."""

    def digest(self, data: bytes) -> bytes:
        """A keyed hash."""

    def status(self) -> ServerStatus:
        """Returns the gateway's own condition."""

    # Stored responses: see `state.responses`.

    def load(self, query: Load) -> Entry | Missing:
        """Returns the response, or the response that holds the item, of a query; `PENDING` where it must be asked."""

    def keep_response(self, id: str, entry: Entry) -> None:
        """Remember a response."""

    def forget_response(self, id: str, *, client: str | None) -> None:
        """Forget a response, if it is this client's."""

    # Signatures that clients may drop: see `state.signatures`.

    def find_signed(self, call_id: str, *, client: str | None) -> Signed | None:
        """Returns what a vendor signed around a tool call of this client's; None where nothing is known."""

    def keep_signed(self, call_id: str, signed: Signed, *, client: str | None) -> None:
        """Remember it."""

    # The providers' own model lists: see `state.provider_models`.

    def listed_ids(self, provider: Provider, *, now: float) -> tuple[str, ...]:
        """Returns the model ids that a provider listed; empty where nothing is known."""

    def is_list_due(self, provider: Provider, *, now: float) -> bool:
        """Returns True where the provider's list should be read."""

    def keep_list(self, provider: Provider, ids: tuple[str, ...], *, now: float) -> None:
        """Remember what was read."""

    def list_failed(self, provider: Provider, *, now: float, pause: float = AFTER_FAILURE) -> None:
        """The list could not be read."""

    # Sessions of the built-in MCP server: see `state.mcp_sessions`.

    def open_session(self, owner: Owner, revision: str, *, now: float) -> str:
        """The id of a new session."""

    def find_session(self, id: str, owner: Owner, *, now: float) -> str | None:
        """The revision that a session speaks, in use again; None where `owner` has no such session (any more)."""

    def end_session(self, id: str) -> tuple[str, ...]:
        """End a session; the exchanges that work for it."""

    def join_session(self, id: str, exchange: str, *, call: Id | None = None) -> None:
        """An exchange works for a session: on the request `call`, or on a stream of the server's."""

    def leave_session(self, id: str, exchange: str) -> None:
        """An exchange is over."""

    def worker_of(self, id: str, call: Id) -> str | None:
        """The exchange that works on a request of a session."""


class LocalOutside(Selector):
    """The answers of one gateway: the rules of selection, over the state that it holds itself."""

    def __init__(self, ids: Ids, *, max_buffered: int, started: float) -> None:
        self.state = state = LocalState(fraction=ids.fraction, mint=ids.mint, max_buffered=max_buffered)
        super().__init__(state.cooldowns, state.affinity, state.turns)
        self.condition = ServerStatus(started=started)
        """What `status` says."""
        # Asked several times for each request, so nothing stands between.
        self.mint = ids.mint
        self.digest = ids.digest
        self.reserve = state.memory.reserve
        self.release = state.memory.release

    def cooling(self, *, now: float) -> list[tuple[CredentialModel, Cooldown]]:
        """Implements `Outside.cooling`."""
        return list(self.cooldowns.cooling(now=now))

    def lift(self, provider: str, key: str, *, began: float) -> None:
        """Implements `Outside.lift`."""
        self.cooldowns.lift(provider, key, began=began)

    def in_flight(self, provider: str, key: str) -> int:
        """Implements `Outside.in_flight`."""
        return self.state.turns.in_flight((provider, key))

    def allowance(self, key: ClientKey, *, now: float) -> Allowance:
        """Implements `Outside.allowance`."""
        return self.state.rate_limits.allowance(key, now=now)

    def admit(self, key: ClientKey, *, now: float) -> Fault | None:
        """Implements `Outside.admit`."""
        return self.state.rate_limits.admit(key, now=now)

    def settle(self, key: ClientKey, *, tokens: int, asked: bool, now: float) -> None:
        """Implements `Outside.settle`."""
        self.state.rate_limits.done(key, tokens=tokens, asked=asked, now=now)

    def status(self) -> ServerStatus:
        """Implements `Outside.status`."""
        return self.condition

    def load(self, query: Load) -> Entry | Missing:
        """Implements `Outside.load`."""
        return self.state.load(query)

    def keep_response(self, id: str, entry: Entry) -> None:
        """Implements `Outside.keep_response`."""
        self.state.responses.put(id, entry)

    def forget_response(self, id: str, *, client: str | None) -> None:
        """Implements `Outside.forget_response`."""
        self.state.responses.remove(id, client=client)

    def find_signed(self, call_id: str, *, client: str | None) -> Signed | None:
        """Implements `Outside.find_signed`."""
        return self.state.signatures.find(client, call_id)

    def keep_signed(self, call_id: str, signed: Signed, *, client: str | None) -> None:
        """Implements `Outside.keep_signed`."""
        self.state.signatures.remember(client, call_id, signed)

    def listed_ids(self, provider: Provider, *, now: float) -> tuple[str, ...]:
        """Implements `Outside.listed_ids`."""
        return self.state.lists.ids(provider, now=now)

    def is_list_due(self, provider: Provider, *, now: float) -> bool:
        """Implements `Outside.is_list_due`."""
        return self.state.lists.due(provider, now=now)

    def keep_list(self, provider: Provider, ids: tuple[str, ...], *, now: float) -> None:
        """Implements `Outside.keep_list`."""
        self.state.lists.store(provider, ids, now=now)

    def list_failed(self, provider: Provider, *, now: float, pause: float = AFTER_FAILURE) -> None:
        """Implements `Outside.list_failed`."""
        self.state.lists.failed(provider, now=now, pause=pause)

    def open_session(self, owner: Owner, revision: str, *, now: float) -> str:
        """Implements `Outside.open_session`."""
        return self.state.sessions.create(owner, revision, now=now).id

    def find_session(self, id: str, owner: Owner, *, now: float) -> str | None:
        """Implements `Outside.find_session`."""
        session = self.state.sessions.find(id, owner, now=now)
        return None if session is None else session.revision

    def end_session(self, id: str) -> tuple[str, ...]:
        """Implements `Outside.end_session`."""
        return self.state.sessions.end(id)

    def join_session(self, id: str, exchange: str, *, call: Id | None = None) -> None:
        """Implements `Outside.join_session`."""
        self.state.sessions.join(id, exchange, call=call)

    def leave_session(self, id: str, exchange: str) -> None:
        """Implements `Outside.leave_session`."""
        self.state.sessions.leave(id, exchange)

    def worker_of(self, id: str, call: Id) -> str | None:
        """Implements `Outside.worker_of`."""
        return self.state.sessions.worker_of(id, call)


class ClientSignatures:
    """The signed tool calls of one client: see `conversation.signed.SignedCalls`."""

    def __init__(self, outside: Outside, client: str | None) -> None:
        self._outside = outside
        self._client = client

    def remember(self, call_id: str, signed: Signed) -> None:
        """Keep what belongs to a call that this client is being told of."""
        self._outside.keep_signed(call_id, signed, client=self._client)

    def recalled(self, conversation: Conversation, *, plain: bool) -> Conversation:
        """The conversation with what its history lacks put back."""
        from agcore.conversation.signed import with_signatures  # for those who translate

        return with_signatures(conversation, partial(self._outside.find_signed, client=self._client), plain=plain)
