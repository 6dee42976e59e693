"""What dialects have beside conversations, and the shape that all of it shares.

A task is embeddings, images, transcripts or token counts. A dialect has a half of it for its clients (`ClientTask`), a
half for its upstreams (`UpstreamTask`), or both; a half is a module in the folder of its vendor. Between the halves
stand the task's own request and answer, in no vendor's words. `task_registry` says which dialect has what.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Generic, Protocol, TypeVar

import msgspec

from agcore.codecs.json_splice import Members
from agcore.codecs.multipart import Form
from agcore.codecs.request_target import RequestTarget
from agcore.codecs.sse import Frame
from agcore.conversation.images import ImageAnswer, ImageRequest
from agcore.conversation.losses import Losses
from agcore.conversation.transcripts import Transcript, TranscriptRequest
from agcore.dialects.base import PathParts, StreamTap
from agcore.dialects.shared.natives import Natives
from agcore.models.listing import ListedModel
from agcore.models.profiles import Profile
from agcore.models.vendor_profile import VendorProfile
from agcore.protocol.fault import Fault
from agcore.protocol.report import Usage

JSON = b"application/json"

Body = TypeVar("Body", contravariant=True)
Request = TypeVar("Request")
Sent = TypeVar("Sent", contravariant=True)
Shown = TypeVar("Shown", contravariant=True)
Found = TypeVar("Found", covariant=True)
Client = TypeVar("Client")
Upstream = TypeVar("Upstream")


class Destination(msgspec.Struct, frozen=True):
    """Where the request of a task goes."""

    prefix: bytes
    """Path that stands before all others at the provider's endpoint."""
    model: str
    """The model's name at the provider."""
    profile: Profile
    parts: PathParts
    """What the client's own path says, for dialects whose paths repeat it."""


class WrittenAnswer(msgspec.Struct, frozen=True):
    """A whole answer for a client."""

    body: bytes
    content_type: bytes = JSON
    estimated: bool = False
    """Its token count is an estimate."""


class ClientTask(Protocol[Body, Request, Shown]):
    """What serves a dialect's clients in a task."""

    def read_request(self, body: Body, *, path: str, model: str, losses: Losses) -> Request:
        """A client's request.

        Args:
            body: Its decoded JSON object, or its form.
            path: The path of its route.
            model: The model that it asks for.
            losses: Gets what an upstream of another dialect has no word for.

        Raises:
            Invalid: For what the dialect itself would refuse, and for what means nothing elsewhere.
        """

    def write_answer(self, answer: Shown, request: Request, *, model: str, created: int) -> WrittenAnswer:
        """The answer to `request`, which named the model `model`; `created` is in seconds since the epoch."""


class UpstreamTask(Protocol[Sent, Found]):
    """What asks a dialect's upstreams in a task."""

    def target(self, request: Sent, at: Destination) -> bytes:
        """Path and query of each call."""

    def write_requests(self, request: Sent, at: Destination, losses: Losses) -> list[bytes]:
        """The body of each call that the request takes, at least one; `losses` get what cannot be said here."""

    def read_answer(self, answer: dict[str, object], request: Sent, at: Destination) -> Found | Fault:
        """What one call was answered with, or the fault that the answer really is."""


class ImagesClient(ClientTask[dict[str, object] | Form, ImageRequest, ImageAnswer], Protocol):
    """What serves a dialect's clients with pictures."""

    def write_events(self, answer: ImageAnswer, request: ImageRequest, *, created: int) -> Iterator[bytes]:
        """The frames for the pictures of one call in a stream."""


class TranscriptReader(Protocol):
    """Reads an upstream's event stream of a transcript."""

    @property
    def usage(self) -> Usage | None:
        """What the stream consumed, as far as it told."""

    @property
    def audio_input(self) -> int:
        """The part of the input tokens that the recording took."""

    @property
    def finished(self) -> bool:
        """Whether the transcript is complete."""

    @property
    def fault(self) -> Fault | None:
        """Set when the stream failed; nothing more is to be fed."""

    def feed(self, frame: Frame) -> str:
        """What was said, as far as a frame tells."""


class TranscriptWriter(Protocol):
    """Writes a client's event stream of a transcript."""

    def feed(self, text: str) -> bytes:
        """The frames for more of what was said."""

    def end(self, transcript: Transcript) -> bytes:
        """The frames that end the stream; `transcript` is all of it."""

    def error(self, fault: Fault, request_id: str) -> bytes:
        """The frames that end the stream in an error."""


class TranscriptsClient(ClientTask[Form, TranscriptRequest, Transcript], Protocol):
    """What serves a dialect's clients with transcripts."""

    @property
    def StreamWriter(self) -> Callable[[], TranscriptWriter]:
        """Makes the writer of a stream."""


class TranscriptsUpstream(UpstreamTask[TranscriptRequest, Transcript], Protocol):
    """What has a dialect's upstreams hear a recording."""

    MAX_AUDIO: int
    """Bytes of a recording that the vendor takes."""

    @property
    def StreamReader(self) -> Callable[[], TranscriptReader]:
        """Makes the reader of a stream."""


class MediaTask(Protocol):
    """What passes requests for media on to a dialect's upstreams, and watches the answers."""

    @property
    def DEFAULT_MODELS(self) -> Mapping[str, str]:
        """Path of a route -> the model of a request that names none, as its vendor documents it."""

    @property
    def StreamTap(self) -> Callable[[], StreamTap]:
        """Makes what watches an event stream."""

    def target(self, path: str, at: Destination) -> bytes:
        """Path and query at the provider for the route of that path."""

    def is_repeatable(self, path: str) -> bool:
        """Whether a request to the route of that path does no harm, and costs nothing, when it is answered twice."""

    def read_usage(self, answer: Mapping[str, object]) -> Usage | None:
        """The usage that an answer reports."""


class SignaturesTask(Protocol):
    """What takes signatures out of a request's history, which otherwise passes as it is."""

    REFUSALS: tuple[str, ...]
    """Patterns of how upstreams say, by code or message, that a signature is not good."""

    def localized(self, history: list[object], natives: Natives) -> list[object]:
        """The history as an upstream takes it: its own signatures as it made them, nobody else's."""

    def unsigned(self, history: list[object]) -> list[object]:
        """The history without any signature, nor what cannot be said without one."""

    def consequences(self, members: Members, history: list[object], losses: Losses) -> dict[str, bytes | None]:
        """Other members of the request to change once `history`, which it had, lost its signatures."""


class LookalikesTask(Protocol):
    """What fits requests of a dialect to servers that imitate it; `get` reads a member of the request."""

    def is_foreign(self, get: Callable[[str], object], upstream: VendorProfile) -> bool:
        """Whether the request has to be written anew."""

    def changes(self, get: Callable[[str], object], upstream: VendorProfile, losses: Losses) -> dict[str, object]:
        """The members to change, and to what; None takes one out."""


class ModelsTask(Protocol):
    """What writes lists of models for a dialect's clients."""

    def write_list(self, models: Sequence[ListedModel], target: RequestTarget) -> bytes:
        """The page of a list that the query of `target` asks for. Raises ValueError for a query that is wrong."""

    def write_model(self, model: ListedModel) -> bytes:
        """A single model."""


class Task(msgspec.Struct, Generic[Client, Upstream], frozen=True):
    """The dialects that have a task."""

    clients: Mapping[str, Client]
    upstreams: Mapping[str, Upstream]
    """The preferred ones first."""

    @property
    def dialects(self) -> tuple[str, ...]:
        """Dialects whose providers can be asked: those that pass through and those that are translated for."""
        return tuple(dict.fromkeys((*self.clients, *self.upstreams)))
