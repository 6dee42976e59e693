"""The second half of a dialect: its requests and answers to and from the neutral conversation.

Each dialect has two modules beside its own: `<name>_request` with `parse_request` and `render_request`, and
`<name>_answer` with `ResponseReader`, `read_answer`, `ResponseWriter` and `render_answer`. They load on first use: a
gateway that only passes through never reads them. `TRANSLATORS` in translators.py maps names to them.
"""

from __future__ import annotations

from typing import Protocol

from agcore.codecs.sse import Frame
from agcore.conversation.losses import Losses
from agcore.conversation.values import Answer, Conversation, Delta
from agcore.models.profiles import Profile
from agcore.protocol.fault import Fault


class ParseRequest(Protocol):
    """Read a client's request.

    `body` is its decoded JSON object, `model` and `stream` what was decided from path and body. What the conversation
    has no word for is recorded in `losses`. Raises `conversation.Invalid` for what the dialect itself would refuse.
    """

    def __call__(self, body: dict[str, object], *, model: str, stream: bool, losses: Losses) -> Conversation: ...  # noqa: D102


class RenderRequest(Protocol):
    """Write a request for an upstream of this dialect.

    The conversation's history is in order (`history.repaired`) and its tool names and call ids are legal here. `model`
    is the upstream's name, `profile` what that model takes. Signatures of `signer` go along; all others are left out.
    The same conversation always gives the same object, members in the same order; one more turn only appends. What
    cannot be said here is recorded in `losses`, with weight `refuse` where the request means nothing without it.
    """

    def __call__(  # noqa: D102
        self, conversation: Conversation, *, model: str, profile: Profile, signer: str, losses: Losses
    ) -> dict[str, object]: ...


class ResponseReader(Protocol):
    """Reads an upstream's event stream. `signer` is whose signatures it holds."""

    @property
    def fault(self) -> Fault | None:
        """Set when the stream said that it failed, or ended before it was complete; nothing more is to be fed."""

    def feed(self, frame: Frame) -> list[Delta]:
        """What a frame says."""

    def end(self) -> list[Delta]:
        """The upstream's body ended: what is still to be said (ends of calls, a finish that only the end implies)."""


class ReadAnswer(Protocol):
    """Read a whole answer into the deltas that a stream of it would have given, or the fault that it really is."""

    def __call__(self, answer: dict[str, object], *, signer: str) -> list[Delta] | Fault: ...  # noqa: D102


class ResponseWriter(Protocol):
    """Writes a stream for a client: bytes for each delta, well-formed whatever the order of what comes.

    Made with `id` (unique, without a dialect's prefix), `model` (the name to show), `created` (seconds since the epoch)
    and the client's own `conversation`.
    """

    def feed(self, delta: Delta) -> bytes:
        """The frames for a delta; empty where nothing is to be said yet."""

    def end(self) -> bytes:
        """The frames that end the stream, once every delta was fed."""

    def error(self, fault: Fault, request_id: str) -> bytes:
        """The frames that end the stream in an error, fitting to what was written."""


class RenderAnswer(Protocol):
    """Write a whole answer for a client: the JSON object; arguments as for `ResponseWriter`."""

    def __call__(  # noqa: D102
        self, answer: Answer, *, id: str, model: str, created: int, conversation: Conversation
    ) -> dict[str, object]: ...
