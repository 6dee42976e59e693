"""The shape of a dialect: the record that the registry holds, its literal facts, and the Protocol of each of its files.

A dialect is a folder. `traits.py` has what other folders need to know of the vendor, `errors.py` its error shape,
`stream_tap.py` what a stream needs that passes through, and the readers and writers translate to and from the neutral
conversation. All but traits load on first use: a gateway that only passes through never loads a reader.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote

import msgspec

from agcore.codecs.header_fields import Allowed
from agcore.codecs.json_splice import BodyError, Members
from agcore.codecs.sse import Frame
from agcore.conversation.tool_name_rule import ToolNameRule
from agcore.models.vendor_profile import VendorProfile
from agcore.protocol.fault import Fault
from agcore.protocol.http import Headers
from agcore.protocol.report import Usage

if TYPE_CHECKING:
    from agcore.conversation.losses import Losses
    from agcore.conversation.values import Answer, Conversation, Delta
    from agcore.models.profiles import Profile


class PathParts(msgspec.Struct, frozen=True):
    """What a client's path and query say besides the route, for dialects that have anything there."""

    version: str = ""
    """API version; empty where the path has none."""
    collection: str = "models"
    model: str = ""
    action: str = ""
    """What stands behind the path's last colon: `countTokens`."""
    query: tuple[tuple[str, str], ...] = ()
    """Decoded pairs in order, without credentials."""
    method: str = ""
    """The name of a method that no route has, such as `batchGenerateContent`."""


class RequestSummary(msgspec.Struct, frozen=True):
    """What a request asks for, as far as passing it on depends on it."""

    model: str
    stream: bool = False
    framing: str = "sse"
    """How the client reads a stream: `sse`, or `array` for Gemini's streamed JSON array."""


class Traits(msgspec.Struct, frozen=True, kw_only=True):
    """The literal facts of a dialect that other folders need. Paths may hold `{version}`, `{collection}`, `{model}`."""

    name: str
    """The dialect's name in the registry, on routes and on endpoints."""
    keepalive: bytes
    """What may be sent on a silent stream."""
    model_member: str = "model"
    """The top-level member of an answer that names the model."""
    model_mark: str = ""
    """What clients may put behind a model's name, in lower case, though no vendor knows it as a part of one."""
    history_member: str | None
    """The member of a request that holds the conversation so far; None where there is none."""
    stray_history_member: str | None = None
    """The history of another dialect, which some clients send here by mistake: such a request has to be translated."""
    prompt_members: tuple[str, ...] = ()
    """The members of a request that may hold the system prompt, if it does not stand in the history."""

    generate_path: str
    """Where a request for an answer goes, below the provider's prefix."""
    stream_path: str | None = None
    """Where a request for a stream goes; None for the same path."""
    list_path: str = "/models"
    """Where the provider's model list is read, with as many entries as one answer can hold."""
    default_version: str = ""
    """The `{version}` in paths for clients whose own path names none."""

    headers_up: Allowed
    """The client's header fields that an upstream of the same dialect gets."""
    headers_down: Allowed
    """The upstream's header fields that a client of the same dialect gets."""
    headers_required: Headers = ()
    """What the vendor insists on, for clients that do not send it."""
    request_id_header: bytes = b"x-request-id"
    """Where the vendor's SDKs look for the request id."""
    knows_529: bool = False
    """Whether clients know the status 529 (overloaded); the others get 503."""

    tool_names: ToolNameRule | None = None
    """Which names of tools are legal; None where the dialect has no tools."""
    parameter_names: ToolNameRule | None = None
    """Which names of tools' parameters are legal; None for any."""
    names_hosted_tools: bool = False
    """Whether tools that the vendor runs have names, which a function of the client's must not have, too."""
    plain_output: bool = False
    """Whether the schema of structured output must be an object without alternatives at its root."""
    answer_id_prefix: str = ""
    """What ids of answers begin with."""
    signer: str = ""
    """Whose reasoning signatures the dialect's own vendor makes and accepts, as presets name it; empty for nobody's."""
    one_answer: bool = False
    """Whether requests can ask for one answer only: there is no `n`."""
    users_in_a_row: bool = False
    """Whether several messages of the user may follow one another."""
    drops_signatures: bool = False
    """Whether clients may leave signatures out of the history, which are then remembered for them."""
    no_pictures: str = ""
    """Why an answer holds no pictures, for people; empty where it can."""
    whole_is_event: bool = False
    """Whether a whole answer has the shape of an event of the stream."""
    stream_as_array: bool = False
    """Whether an upstream may send a stream as one JSON array of its events."""

    def plain_model(self, model: str) -> str:
        """A model's name without the mark that clients may put behind it."""
        mark = self.model_mark
        while mark and model.lower().endswith(mark) and len(model) > len(mark):
            model = model[: -len(mark)].rstrip()
        return model

    def generate_target(self, prefix: bytes, parts: PathParts, model: str, *, stream: bool) -> bytes:
        """The request target of a generation at the provider whose base URL has the path `prefix`."""
        path = self.stream_path if stream and self.stream_path is not None else self.generate_path
        return self.target(prefix, path, parts, model)

    def target(self, prefix: bytes, path: str, parts: PathParts, model: str) -> bytes:
        """The request target for a path of this dialect, its placeholders filled in.

        Raises:
            BodyError: The model's name would lead to another path. Most servers take a dot segment out of a path, and
                what a client key may ask for is decided by the name (RFC 3986 section 5.2.4).
        """
        if "{" in path:
            if "{model}" in path and any(part in ("", ".", "..") for part in model.split("/")):
                raise BodyError(f"the model {model!r} cannot be asked here: its name would lead to another path")
            version = parts.version or self.default_version
            path = path.format(version=version, collection=parts.collection, model=quote(model, safe="/-._~@:"))
        return prefix + path.encode("ascii")


class Errors(Protocol):
    """`errors.py`: the vendor's error shape, read and written."""

    def parse_error(self, status: int, error: object) -> Fault:
        """A fault from an upstream's decoded error."""

    def render_error(self, fault: Fault, request_id: str) -> bytes:
        """The body of an error answer."""

    def status_in_stream(self, error: object) -> int:
        """The HTTP status that an `error` object inside a 200 would have had; 502 for one that does not say."""


class FrameKind(enum.Enum):
    """What a frame of an upstream's stream is."""

    EMPTY = "empty"  # no event: a comment, blank lines
    DONE = "done"  # `data: [DONE]` of an upstream whose dialect has no such thing: an end that says nothing
    LIFECYCLE = "lifecycle"  # no content yet: an announcement, a ping, usage, something unknown
    CONTENT = "content"
    TERMINAL = "terminal"  # the dialect's last event
    ERROR = "error"  # the stream says that it failed, or cannot be read


class StreamEvent(msgspec.Struct, frozen=True):
    """A frame, read."""

    kind: FrameKind
    data: dict[str, object] = {}
    """The event; empty where the frame has none that can be read."""
    finished: bool = False
    """Whether it completes an answer: an end of the stream after it is a proper one."""
    usage: Usage | None = None
    """What the stream consumed so far, if the event says so."""
    fault: Fault | None = None
    """How the stream failed; always with ERROR, and with a TERMINAL that is the dialect's own form of a failure."""


class StreamEvents(Protocol):
    """`stream_events.py`: what the frames of one stream are, said once for the tap and for the reader."""

    def read(self, frame: Frame) -> StreamEvent:
        """What the stream's next frame is."""

    def classify(self, event: dict[str, object], name: str | None = None) -> StreamEvent:
        """What the stream's next event is; `name` is what its `event:` line says."""


class StreamTap(Protocol):
    """Watches an upstream's stream of one dialect on its way to a client of the same one."""

    @property
    def usage(self) -> Usage | None:
        """What the stream consumed, as far as it told."""

    @property
    def finished(self) -> bool:
        """Whether a finish reason or terminal event was seen: an end now is a proper one."""

    @property
    def fault(self) -> Fault | None:
        """How the stream failed, after `FrameKind.ERROR`."""

    @property
    def response(self) -> Mapping[str, object] | None:
        """What the client is being told, as one object with an id, where the dialect's requests may go on from it."""

    def read(self, frame: Frame) -> tuple[FrameKind, bytes]:
        """What a frame means, and the bytes that the client gets for it: its own, unless an edit is due."""

    def closing(self) -> bytes:
        """What a properly finished stream still lacks when the upstream ends, such as `data: [DONE]`."""

    def error(self, fault: Fault, request_id: str) -> bytes:
        """The bytes that end the client's stream in an error, fitting to what was passed on so far."""


class StreamTapFactory(Protocol):
    """Makes a tap. `shown_model` replaces the model named in events, None keeps it; `hide_usage` drops usage that only
    the gateway asked for."""

    def __call__(self, *, shown_model: str | None, hide_usage: bool) -> StreamTap: ...  # noqa: D102


class PassThrough(msgspec.Struct, frozen=True):
    """What it takes to pass requests and answers of a dialect through."""

    read_summary: Callable[[Members, PathParts], RequestSummary | Fault]
    """What a generation request asks for."""
    edits: Callable[[Members, RequestSummary, str], tuple[dict[str, bytes | None], bool]]
    """Members of the request to change on the way up to the model so named, and whether usage must be hidden on the way
    down."""
    read_usage: Callable[[Mapping[str, object]], Usage | None]
    """The usage that an answer reports."""
    events: Callable[[], StreamEvents]
    """Makes what says of one stream's frames what they are."""
    tap: StreamTapFactory
    judge: Callable[[dict[str, object]], Fault | None] = lambda answer: None
    """What a whole answer with a success failed of: it holds an error, or nothing. What is empty for a reason is an
    answer (docs/wire/answers.md#successes-without-an-answer)."""
    fold: Callable[[Iterable[dict[str, object]]], dict[str, object]] | None = None
    """The whole answer that a stream's events tell, which may be changed; None where streams are not told anew."""
    mend_answer: Callable[[dict[str, object]], bool] | None = None
    """Mends a whole answer in place, and tells whether it had to; None where answers are left alone."""
    passes: Callable[[Members, VendorProfile], bool] = lambda members, manners: True
    """Whether a request can pass to an endpoint of its own dialect with such manners."""
    fills_cache: Callable[[Members], bool] = lambda members: False
    """Whether a request wants no answer, but only its vendor's prompt cache filled."""


class ParseRequest(Protocol):
    """Read a client's request.

    `body` is its decoded JSON object, `model` and `stream` what was decided from path and body. What the conversation
    has no word for is recorded in `losses`. Raises `conversation.values.Invalid` for what the dialect itself would
    refuse.
    """

    def __call__(self, body: dict[str, object], *, model: str, stream: bool, losses: Losses) -> Conversation: ...  # noqa: D102


class RenderRequest(Protocol):
    """Write a request for an upstream of this dialect.

    The conversation's history is in order (`repair.repair_history`) and its tool names and call ids are legal here.
    `model` is the upstream's name, `profile` what that model takes. Signatures of `signer` go along; all others are
    left out. The same conversation always gives the same object, members in the same order; one more turn only appends.
    What cannot be said here is recorded in `losses`, with weight `refuse` where the request means nothing without it.
    """

    def __call__(  # noqa: D102
        self, conversation: Conversation, *, model: str, profile: Profile, signer: str, losses: Losses
    ) -> dict[str, object]: ...


class ResponseReader(Protocol):
    """Reads an upstream's event stream."""

    @property
    def terminal(self) -> bool:
        """Whether the last event was read: what an upstream sends behind it means nothing."""

    @property
    def fault(self) -> Fault | None:
        """Set when the stream said that it failed, or ended before it was complete; nothing more is to be fed."""

    def feed(self, frame: Frame) -> list[Delta]:
        """What a frame says."""

    def end(self) -> list[Delta]:
        """The upstream's body ended: what is still to be said (ends of calls, a finish that only the end implies)."""


class ResponseReaderFactory(Protocol):
    """Makes a reader. `signer` is whose signatures the stream holds."""

    def __call__(self, *, signer: str) -> ResponseReader: ...  # noqa: D102


class ReadAnswer(Protocol):
    """Read a whole answer into the deltas that a stream of it would have given, or the fault that it really is."""

    def __call__(self, answer: dict[str, object], *, signer: str) -> list[Delta] | Fault: ...  # noqa: D102


class ResponseWriter(Protocol):
    """Writes a stream for a client: bytes for each delta, well-formed whatever the order of what comes."""

    @property
    def response(self) -> Mapping[str, object] | None:
        """What the client is being told, as one object with an id, where the dialect's requests may go on from it."""

    def feed(self, delta: Delta) -> bytes:
        """The frames for a delta; empty where nothing is to be said yet."""

    def end(self) -> bytes:
        """The frames that end the stream, once every delta was fed."""

    def error(self, fault: Fault, request_id: str) -> bytes:
        """The frames that end the stream in an error, fitting to what was written."""


class ResponseWriterFactory(Protocol):
    """Makes a writer.

    `id` is unique and without a dialect's prefix, `model` the name to show, `created` in seconds since the epoch, and
    `conversation` the client's own.
    """

    def __call__(self, *, id: str, model: str, created: int, conversation: Conversation) -> ResponseWriter: ...  # noqa: D102


class RenderAnswer(Protocol):
    """Write a whole answer for a client: the JSON object; arguments as for `ResponseWriterFactory`."""

    def __call__(  # noqa: D102
        self, answer: Answer, *, id: str, model: str, created: int, conversation: Conversation
    ) -> dict[str, object]: ...


class Client(msgspec.Struct, frozen=True):
    """What serves a client of a dialect from the neutral conversation."""

    parse_request: ParseRequest
    writer: ResponseWriterFactory
    render_answer: RenderAnswer


class Upstream(msgspec.Struct, frozen=True):
    """What asks an upstream of a dialect for the neutral conversation."""

    render_request: RenderRequest
    reader: ResponseReaderFactory
    read_answer: ReadAnswer


class Dialect:
    """A vendor's wire: the record that the registry holds.

    Args:
        traits: The literal facts.
        errors: Loads the vendor's error shape.
        pass_through: Loads what passes requests through.
        client: Loads what serves clients by translation.
        upstream: Loads what asks upstreams by translation; None where nobody is asked in this dialect.
    """

    def __init__(
        self,
        traits: Traits,
        *,
        errors: Callable[[], Errors],
        pass_through: Callable[[], PassThrough],
        client: Callable[[], Client],
        upstream: Callable[[], Upstream] | None = None,
    ) -> None:
        self.traits = traits
        self._load_errors = errors
        self._load_pass_through = pass_through
        self._load_client = client
        self._load_upstream = upstream

    @cached_property
    def errors(self) -> Errors:
        """The vendor's error shape; loaded on first use."""
        return self._load_errors()

    def render_error(self, fault: Fault, request_id: str) -> bytes:
        """The body of an error answer."""
        return self.errors.render_error(fault, request_id)

    @cached_property
    def pass_through(self) -> PassThrough:
        """What passes requests and answers through; loaded on first use."""
        return self._load_pass_through()

    @cached_property
    def client(self) -> Client:
        """What serves clients by translation; loaded on first use."""
        return self._load_client()

    @property
    def translatable(self) -> bool:
        """Whether requests of other dialects can be written for an upstream of this one."""
        return self._load_upstream is not None

    @cached_property
    def upstream(self) -> Upstream:
        """What asks upstreams by translation; loaded on first use. Only for a `translatable` dialect."""
        assert self._load_upstream is not None
        return self._load_upstream()
