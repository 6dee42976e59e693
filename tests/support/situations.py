"""Exchanges in every state that there is, by name: what tests of the machine begin with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from agcore import (
    ClientGone,
    FileRead,
    Input,
    RequestData,
    RequestEnd,
    Sent,
    Stage,
    State,
    UpstreamConnected,
    UpstreamData,
    UpstreamEnd,
    UpstreamFailed,
    UpstreamHead,
)
from agcore.config.values import Config, Limits
from agcore.protocol.legality import LegState
from agcore_sim.dialogues import CHAT, DIALOGUES
from agcore_sim.story import JSON, SSE, Story, gateway
from tests.support.dialogues import asked, config, provider, receiving, streaming
from tests.support.edges import KIB, MCP_AT, MIB, feed, form, part, setup, upload
from tests.support.file_reader import reading
from tests.support.slow_state import REFERENCE, asking, body, remote
from tests.support.vision import ACCEPT, AT, Client, tool_call
from tests.support.vision import setup as vision

SMALL: Final = config(limits=Limits(max_json_mb=0.0005))

TIGHT: Final = config(limits=Limits(max_json_mb=0.001, max_buffered_mb=0.0006))

TWO_KEYS: Final = config(
    providers=tuple(provider(dialogue, keys=("sk-one-0123456789", "sk-two-0123456789")) for dialogue in DIALOGUES)
)

DEAD_LEG: Final = 99

MODEL: Final = part("model", b"my-media")

FILE: Final = part("file", b"\x00" * 2 * MIB, file=True)

TEXT: Final = ((b"content-type", b"text/plain"),)


def told(story: Story, *inputs: Input) -> Story:
    for each in inputs:
        story.tell(each)
    return story


def waited(story: Story, seconds: float) -> Story:
    story.wait(seconds)
    return story


def uploading(*, size: int, setup: Config | None = None) -> Story:
    """A form whose model comes first, after `size` bytes."""
    return feed(upload(config=setup), [(MODEL + FILE)[:size]], end=False)


def put_aside(*, end: bool) -> Story:
    """A form whose model comes last."""
    return feed(upload(), [FILE, MODEL, form()] if end else [FILE], end=end)


def proxied(method: str, *, body: bytes | None = b"") -> Story:
    """A request to an MCP server, without the end where there is no body."""
    story = Story(gateway(setup()))
    story.open(method, MCP_AT, body=body)
    return story


def tool_called(*, token: str | None = None) -> Story:
    """A call of a tool of the built-in MCP server, whose model is being asked."""
    client = Client(gateway(vision()))
    client.begin()
    return told(client.post(tool_call(token=token)), UpstreamConnected(1, reused=False))


def listened_to() -> Story:
    """A request for the stream of the built-in MCP server, without its end."""
    client = Client(gateway(vision()))
    client.begin()
    story = Story(client.gateway)
    story.open("GET", AT, headers=(ACCEPT, (b"mcp-session-id", client.session or b"")))
    return story


def going_on() -> Story:
    """The head of a Responses request, in a gateway whose stored responses are somewhere else."""
    story = Story(remote())
    story.open("POST", "/v1/responses", headers=JSON)
    return story


def waiting_again(*, opened: bool = False, setup: Config | None = None) -> Story:
    """A stream whose first attempt has failed, once its head had come."""
    story = streaming(CHAT, setup=setup, attempts=4)
    return told(waited(story, 11) if opened else story, UpstreamFailed(1, Stage.BODY, Sent.ALL, False, "reset"))


SITUATIONS: Final[dict[str, tuple[Callable[[], Story], State, LegState | None]]] = {
    "the head came": (lambda: receiving(CHAT, setup=SMALL), State.RECEIVING, None),
    "some body came": (lambda: told(receiving(CHAT, setup=SMALL), RequestData(b'{"model"')), State.RECEIVING, None),
    "all of the body came": (
        lambda: told(receiving(CHAT), RequestData(CHAT.request(CHAT.model, stream=True))),
        State.RECEIVING,
        None,
    ),
    "all of a body came that goes on from somewhere": (
        lambda: told(going_on(), RequestData(body())),
        State.RECEIVING,
        None,
    ),
    "a response is asked for": (asking, State.ASKING, None),
    "an item is asked for": (lambda: asking(REFERENCE), State.ASKING, None),
    "connecting": (lambda: asked(CHAT, stream=True), State.WAITING, LegState.CONNECTING),
    "connecting once more": (
        lambda: told(
            asked(CHAT, stream=False),
            UpstreamConnected(1, reused=True),
            UpstreamFailed(1, Stage.HEAD, Sent.ALL, True, "closed"),
        ),
        State.WAITING,
        LegState.CONNECTING,
    ),
    "awaiting the head": (
        lambda: told(asked(CHAT, stream=True), UpstreamConnected(1, reused=True)),
        State.WAITING,
        LegState.AWAITING,
    ),
    "a stream began": (lambda: streaming(CHAT), State.WAITING, LegState.READING),
    "announcements are held": (
        lambda: told(streaming(CHAT), UpstreamData(1, CHAT.announcements)),
        State.WAITING,
        LegState.READING,
    ),
    "a whole answer comes": (
        lambda: told(asked(CHAT, stream=False), UpstreamConnected(1, reused=False), UpstreamHead(1, 200, JSON)),
        State.WAITING,
        LegState.READING,
    ),
    "a whole answer came": (
        lambda: told(
            asked(CHAT, stream=False),
            UpstreamConnected(1, reused=False),
            UpstreamHead(1, 200, JSON),
            UpstreamData(1, CHAT.answer),
        ),
        State.WAITING,
        LegState.READING,
    ),
    "an error comes": (
        lambda: told(asked(CHAT, stream=True), UpstreamConnected(1, reused=False), UpstreamHead(1, 500, JSON)),
        State.WAITING,
        LegState.READING,
    ),
    "an error comes to the first of several attempts": (
        lambda: told(
            asked(CHAT, stream=True, attempts=4), UpstreamConnected(1, reused=False), UpstreamHead(1, 500, JSON)
        ),
        State.WAITING,
        LegState.READING,
    ),
    "a key awaits the head while another one is left alone": (
        lambda: told(
            asked(CHAT, stream=True, attempts=4, setup=TWO_KEYS),
            UpstreamConnected(1, reused=False),
            UpstreamHead(1, 503, (*JSON, (b"retry-after", b"572"))),
            UpstreamEnd(1),
            UpstreamConnected(2, reused=False),
        ),
        State.WAITING,
        LegState.AWAITING,
    ),
    "opened while connecting once more": (
        lambda: told(
            waited(told(asked(CHAT, stream=True), UpstreamConnected(1, reused=True)), 11),
            UpstreamFailed(1, Stage.SEND, Sent.PART, True, "closed"),
        ),
        State.OPENED,
        LegState.CONNECTING,
    ),
    "opened while awaiting the head": (
        lambda: waited(told(asked(CHAT, stream=True), UpstreamConnected(1, reused=True)), 11),
        State.OPENED,
        LegState.AWAITING,
    ),
    "opened while announcements are held": (
        lambda: told(waited(streaming(CHAT), 11), UpstreamData(1, CHAT.announcements)),
        State.OPENED,
        LegState.READING,
    ),
    "content came": (
        lambda: told(streaming(CHAT), UpstreamData(1, CHAT.announcements + CHAT.content)),
        State.COMMITTED,
        LegState.READING,
    ),
    "the finish reason came": (
        lambda: told(streaming(CHAT), UpstreamData(1, CHAT.announcements + CHAT.content + CHAT.closing)),
        State.COMMITTED,
        LegState.READING,
    ),
    "the last event came": (
        lambda: told(streaming(CHAT), UpstreamData(1, CHAT.stream)),
        State.COMMITTED,
        LegState.READING,
    ),
    "waiting for the next attempt": (waiting_again, State.WAITING, LegState.PAUSED),
    "opened while waiting for the next attempt": (
        lambda: waiting_again(opened=True),
        State.OPENED,
        LegState.PAUSED,
    ),
    "another key is asked": (lambda: waiting_again(setup=TWO_KEYS), State.WAITING, LegState.CONNECTING),
    "another key is asked for an open stream": (
        lambda: waiting_again(opened=True, setup=TWO_KEYS),
        State.OPENED,
        LegState.CONNECTING,
    ),
    "the first of several attempts connects": (
        lambda: asked(CHAT, stream=True, attempts=4),
        State.WAITING,
        LegState.CONNECTING,
    ),
    "the first of several attempts awaits the head": (
        lambda: told(asked(CHAT, stream=True, attempts=4), UpstreamConnected(1, reused=False)),
        State.WAITING,
        LegState.AWAITING,
    ),
    "the first of several attempts streams": (
        lambda: streaming(CHAT, attempts=4),
        State.WAITING,
        LegState.READING,
    ),
    "the first of two keys connects": (
        lambda: asked(CHAT, stream=True, setup=TWO_KEYS, attempts=4),
        State.WAITING,
        LegState.CONNECTING,
    ),
    "the first of two keys awaits the head": (
        lambda: told(asked(CHAT, stream=True, setup=TWO_KEYS, attempts=4), UpstreamConnected(1, reused=False)),
        State.WAITING,
        LegState.AWAITING,
    ),
    "the first of two keys streams": (
        lambda: streaming(CHAT, setup=TWO_KEYS, attempts=4),
        State.WAITING,
        LegState.READING,
    ),
    "answered": (
        lambda: told(streaming(CHAT), UpstreamData(1, CHAT.stream), UpstreamEnd(1)),
        State.DONE,
        None,
    ),
    "the client left": (lambda: told(streaming(CHAT), ClientGone()), State.DONE, None),
    "some of a form came": (lambda: uploading(size=KIB), State.RECEIVING, None),
    "a form is about to stream": (lambda: uploading(size=MIB - 100), State.RECEIVING, None),
    "a form is being put aside": (lambda: put_aside(end=False), State.RECEIVING, None),
    "a form that was put aside is sent": (
        lambda: told(put_aside(end=True), UpstreamConnected(1, reused=False)),
        State.WAITING,
        LegState.AWAITING,
    ),
    "a form that streams waits for its connection": (
        lambda: told(upload(), RequestData((MODEL + FILE)[: MIB + 1])),
        State.WAITING,
        LegState.CONNECTING,
    ),
    "a form streams": (lambda: uploading(size=MIB + KIB), State.WAITING, LegState.AWAITING),
    "a form streams while an error comes": (
        lambda: told(uploading(size=MIB + KIB), UpstreamHead(1, 500, JSON)),
        State.WAITING,
        LegState.READING,
    ),
    "a form streams while its answer passes": (
        lambda: told(uploading(size=MIB + KIB), UpstreamHead(1, 200, TEXT)),
        State.COMMITTED,
        LegState.READING,
    ),
    "files are being read": (reading, State.WAITING, None),
    "files are being read for an open stream": (lambda: waited(reading(), 11), State.OPENED, None),
    "one of two files was read": (lambda: told(reading(), FileRead(1, b"x")), State.COMMITTED, None),
    "a listener's head came": (lambda: proxied("GET", body=None), State.RECEIVING, None),
    "a listener waits for the head": (
        lambda: told(proxied("GET"), UpstreamConnected(1, reused=True)),
        State.WAITING,
        LegState.AWAITING,
    ),
    "a listener listens": (
        lambda: told(proxied("GET"), UpstreamConnected(1, reused=True), UpstreamHead(1, 200, SSE)),
        State.COMMITTED,
        LegState.READING,
    ),
    "a message waits for a stale connection": (
        lambda: told(proxied("POST", body=b"{}"), UpstreamConnected(1, reused=True)),
        State.WAITING,
        LegState.AWAITING,
    ),
    "a message's answer passes": (
        lambda: told(proxied("POST", body=b"{}"), UpstreamConnected(1, reused=True), UpstreamHead(1, 202, ())),
        State.COMMITTED,
        LegState.READING,
    ),
    "a tool is at work": (tool_called, State.WAITING, LegState.AWAITING),
    "a tool is at work for an open stream": (lambda: waited(tool_called(), 11), State.OPENED, LegState.AWAITING),
    "a tool has told of progress": (
        lambda: told(tool_called(token="t"), UpstreamHead(1, 200, SSE), UpstreamData(1, CHAT.content)),
        State.COMMITTED,
        LegState.READING,
    ),
    "the head of a request for the tools' stream came": (listened_to, State.RECEIVING, None),
    "the tools' stream is open": (lambda: told(listened_to(), RequestEnd()), State.COMMITTED, None),
}
