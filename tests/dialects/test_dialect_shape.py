"""The specification of a dialect: its files, its traits and its Protocols, the same for each."""

from __future__ import annotations

import importlib
import inspect
import re
from importlib.util import find_spec
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agcore import Fault
from agcore.codecs import json_text
from agcore.codecs.sse import Decoder, encode
from agcore.config.values import dialect_of
from agcore.conversation.assemble import assemble
from agcore.conversation.losses import Losses
from agcore.conversation.values import Consumed, Delta, Finished, Started, Stop, TextDelta
from agcore.dialects import DIALECTS, ERROR_SHAPES, base
from agcore.dialects.base import Dialect, FrameKind, PathParts, StreamEvent, StreamTap, Traits
from agcore.models.known import profile
from agcore.protocol.report import Usage
from agcore_sim.dialogues import DIALOGUES
from tests.dialects import toy

ALL: Final = {**DIALECTS, toy.DIALECT.traits.name: toy.DIALECT}
"""The toy keeps the same contract, so that the specification can be seen whole in a few lines."""
UPSTREAMS: Final = {name: dialect for name, dialect in ALL.items() if dialect.translatable}
FILES: Final = (
    "traits",
    "errors",
    "stream_events",
    "stream_tap",
    "request_reader",
    "request_writer",
    "answer_reader",
    "answer_writer",
)
LACKING: Final = {
    "openai_completions": {"errors", "stream_events", "stream_tap", "request_writer", "answer_reader"},
}
"""Legacy Completions has Chat's errors and streams, and is nobody's upstream."""
MINIMAL: dict[str, dict[str, object]] = {
    "openai_chat": {"model": "m", "messages": [{"role": "user", "content": "hi"}]},
    "openai_completions": {"model": "m", "prompt": "hi"},
    "openai_responses": {"model": "m", "input": "hi"},
    "anthropic": {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]},
    "gemini": {"contents": [{"parts": [{"text": "hi"}]}]},
    "toy": {"model": "m", "say": "hi"},
}
SAID: Final[list[Delta]] = [Started(), TextDelta("hello"), Finished(Stop.END), Consumed(Usage(fresh=1, output=2))]
STREAMS: Final = {dialect_of(each.dialect): each.stream for each in DIALOGUES} | {
    "toy": b'data: {"say": "hello"}\n\ndata: {"over": true, "spent": [1, 2]}\n\n'
}
ERRORS: Final = {dialect_of(each.dialect): each.error for each in DIALOGUES} | {"toy": b'data: {"wrong": "busy"}\n\n'}

dialects = pytest.mark.parametrize("name", ALL)
upstreams = pytest.mark.parametrize("name", UPSTREAMS)


def package(name: str) -> str:
    """The folder of a dialect, as a package."""
    return f"tests.dialects.{name}" if name == "toy" else f"agcore.dialects.{name}"


def written(dialect: Dialect, minimal: dict[str, object]) -> bytes:
    """`SAID` as a client of the dialect reads it in a stream."""
    conversation = dialect.client.parse_request(minimal, model="m", stream=True, losses=Losses())
    writer = dialect.client.writer(id="1", model="m", created=1, conversation=conversation)
    return b"".join(writer.feed(delta) for delta in SAID) + writer.end()


def parameters(function: object) -> list[str]:
    """The names of what a function must be given, after `self`."""
    assert callable(function)
    taken = inspect.signature(function).parameters.values()
    return [each.name for each in taken if each.name != "self" and each.default is inspect.Parameter.empty]


# Files and Protocols.


@dialects
def test_a_dialect_is_a_folder_of_the_same_files(name: str) -> None:
    found = {file for file in FILES if find_spec(f"{package(name)}.{file}") is not None}
    assert found == set(FILES) - LACKING.get(name, set())
    assert importlib.import_module(package(name)).DIALECT is ALL[name]


@dialects
def test_every_file_keeps_its_protocol(name: str) -> None:
    dialect = ALL[name]
    for member in ("parse_error", "render_error", "status_in_stream"):
        assert parameters(getattr(dialect.errors, member)) == parameters(getattr(base.Errors, member))
    pairs: list[tuple[object, object]] = [
        (dialect.pass_through.tap, base.StreamTapFactory.__call__),
        (dialect.client.parse_request, base.ParseRequest.__call__),
        (dialect.client.writer, base.ResponseWriterFactory.__call__),
        (dialect.client.render_answer, base.RenderAnswer.__call__),
    ]
    if dialect.translatable:
        pairs += [
            (dialect.upstream.render_request, base.RenderRequest.__call__),
            (dialect.upstream.reader, base.ResponseReaderFactory.__call__),
            (dialect.upstream.read_answer, base.ReadAnswer.__call__),
        ]
    for function, protocol in pairs:
        assert parameters(function) == parameters(protocol), function


@dialects
def test_every_trait_is_present_and_makes_sense(name: str) -> None:
    traits = ALL[name].traits
    for field in msgspec.structs.fields(Traits):
        assert getattr(traits, field.name) is not msgspec.NODEFAULT
    assert traits.name == name
    assert traits.history_member is None or traits.history_member in MINIMAL[name]
    assert (traits.tool_names is not None) == ALL[name].translatable
    assert traits.tool_names is None or re.fullmatch(traits.tool_names.pattern, "a" * traits.tool_names.longest)
    for headers in (traits.headers_up, traits.headers_down):
        for field_name in (*headers.names, *headers.prefixes):
            assert field_name == field_name.lower()
            assert field_name not in (b"authorization", b"cookie", b"set-cookie")
    targets = [traits.generate_target(b"/p", PathParts(), "m/1", stream=stream) for stream in (False, True)]
    for target in targets:
        assert target.startswith(b"/p/")
        assert b"{" not in target


def test_every_dialect_has_an_error_shape_and_an_example() -> None:
    assert ALL.keys() == MINIMAL.keys() == STREAMS.keys()
    assert DIALECTS.keys() < ERROR_SHAPES.keys()


# Reading what was written.


@dialects
@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 409, 413, 429, 500, 501, 502, 503, 504])
def test_an_error_that_is_rendered_reads_back(name: str, status: int) -> None:
    errors = ALL[name].errors
    body = msgspec.json.decode(errors.render_error(Fault(status=status, message="why é"), "req_1"))
    assert errors.parse_error(status, body).message == "why é"
    assert errors.parse_error(status, body).status == status


@dialects
@pytest.mark.parametrize("error", [None, 5, "x", [], {}, {"code": None, "type": [], "status": "x"}, {"code": 10**30}])
def test_an_error_that_says_nothing_of_its_status_is_a_502(name: str, error: object) -> None:
    assert ALL[name].errors.status_in_stream(error) == 502


@dialects
def test_a_minimal_request_goes_to_every_upstream(name: str) -> None:
    losses = Losses()
    conversation = ALL[name].client.parse_request(MINIMAL[name], model="m", stream=False, losses=losses)
    for upstream in UPSTREAMS.values():
        rendered = upstream.upstream.render_request(
            conversation, model="m-1", profile=profile("m-1"), signer="s", losses=losses
        )
        assert b"hi" in msgspec.json.encode(rendered)
    assert not losses.at_least("warn")


@upstreams
def test_a_request_that_was_written_reads_back(name: str) -> None:
    dialect = ALL[name]
    asked = dialect.client.parse_request(MINIMAL[name], model="m", stream=False, losses=Losses())
    rendered = dialect.upstream.render_request(asked, model="m", profile=profile("m"), signer="", losses=Losses())
    again = dialect.client.parse_request(rendered, model="m", stream=False, losses=Losses())
    assert again.turns == asked.turns
    assert (
        dialect.upstream.render_request(again, model="m", profile=profile("m"), signer="", losses=Losses()) == rendered
    )


@upstreams
def test_an_answer_that_was_written_reads_back_whole_and_as_a_stream(name: str) -> None:
    dialect = ALL[name]
    conversation = dialect.client.parse_request(MINIMAL[name], model="m", stream=False, losses=Losses())
    answer = assemble(SAID)
    whole = dialect.client.render_answer(answer, id="1", model="m", created=1, conversation=conversation)
    read = dialect.upstream.read_answer(json_text.decode(json_text.encode(whole)), signer="")
    assert not isinstance(read, Fault)
    assert assemble(read).choices == answer.choices
    streamed, fault, terminal = read_stream(dialect, written(dialect, streaming(name)))
    assert fault is None
    assert terminal or name == "gemini"  # whose streams end with their connection
    assert assemble(streamed).choices == answer.choices
    assert [delta.usage for delta in streamed if isinstance(delta, Consumed)][-1:] == [Usage(fresh=1, output=2)]


@dialects
def test_a_written_stream_passes_the_tap(name: str) -> None:
    tap = ALL[name].pass_through.tap(shown_model=None, hide_usage=False)
    stream = written(ALL[name], streaming(name))
    assert b"hello" in stream
    assert b"".join(tap.read(frame)[1] for frame in Decoder().feed(stream)) == stream
    assert tap.fault is None
    assert tap.finished
    assert tap.usage == Usage(fresh=1, output=2)


@dialects
def test_a_keepalive_says_nothing(name: str) -> None:
    tap = ALL[name].pass_through.tap(shown_model=None, hide_usage=False)
    for frame in Decoder().feed(ALL[name].traits.keepalive):
        tap.read(frame)
    assert tap.fault is None
    assert not tap.finished
    assert tap.usage is None


def streaming(name: str) -> dict[str, object]:
    """A request whose client wants usage in its stream."""
    wants = {"stream_options": {"include_usage": True}} if name in ("openai_chat", "openai_completions") else {}
    return {**MINIMAL[name], **wants}


# What a frame is, for the tap and for the reader.


def read_stream(dialect: Dialect, stream: bytes) -> tuple[list[Delta], Fault | None, bool]:
    """What a dialect's reader makes of a stream."""
    reader = dialect.upstream.reader(signer="")
    said: list[Delta] = []
    for frame in Decoder().feed(stream):
        said += reader.feed(frame)
        if reader.terminal or reader.fault is not None:
            break
    terminal = reader.terminal
    return said + reader.end(), reader.fault, terminal


def events(dialect: Dialect, pieces: list[bytes]) -> list[StreamEvent]:
    """What the frames of a stream are that comes in pieces."""
    decoder, read = Decoder(), dialect.pass_through.events()
    return [read.read(frame) for piece in pieces for frame in decoder.feed(piece)]


@dialects
@given(data=st.data())
def test_any_chunking_gives_the_same_events_and_the_same_deltas(name: str, data: st.DataObject) -> None:
    dialect, stream = ALL[name], STREAMS[name]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert events(dialect, pieces) == events(dialect, [stream])
    if dialect.translatable:
        whole, decoder, reader = read_stream(dialect, stream), Decoder(), dialect.upstream.reader(signer="")
        said = [delta for piece in pieces for frame in decoder.feed(piece) for delta in reader.feed(frame)]
        assert said + reader.end() == whole[0]


WORDS: Final = st.sampled_from(
    (
        *("type", "error", "message", "usage", "response", "delta", "choices", "candidates", "over", "spent", "wrong"),
        *("message_start", "message_delta", "message_stop", "response.created", "response.completed", "stop_reason"),
    )
)
VALUES: Final = st.recursive(
    st.none() | st.booleans() | st.integers(0, 9) | WORDS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)
FRAMES: Final = st.one_of(
    st.dictionaries(WORDS, VALUES, max_size=4).map(lambda event: encode(json_text.encode(event))),
    st.sampled_from(
        [b"data: [DONE]\n\n", b": comment\n\n", b"data:\n\n", b"data: {\n\n", b"data: []\n\n", b"event: x\n\n"]
    ),
)


@upstreams
@given(noise=st.lists(FRAMES, max_size=5), whole=st.booleans())
def test_tap_and_reader_agree_on_what_every_frame_is(name: str, noise: list[bytes], whole: bool) -> None:
    dialect = ALL[name]
    tap = dialect.pass_through.tap(shown_model=None, hide_usage=False)
    reader = dialect.upstream.reader(signer="")
    read = dialect.pass_through.events()
    for frame in Decoder().feed(b"".join(noise) + (STREAMS[name] if whole else ERRORS[name])):
        event = read.read(frame)
        kind, _ = tap.read(frame)
        deltas = reader.feed(frame)
        if event.fault is not None and event.kind is FrameKind.ERROR:
            assert kind is FrameKind.ERROR
            assert tap.fault == event.fault
            assert reader.fault is not None
            assert reader.fault.status == event.fault.status
        if tap.fault is not None or reader.fault is not None:
            return
        assert (kind is FrameKind.TERMINAL) == (event.kind is FrameKind.TERMINAL)
        assert reader.terminal == (event.kind in (FrameKind.TERMINAL, FrameKind.DONE))
        consumed = [delta.usage for delta in deltas if isinstance(delta, Consumed)]
        assert not consumed or consumed[-1] == tap.usage
        if reader.terminal:
            return


@dialects
def test_the_frames_of_a_stream_are_what_they_are(name: str) -> None:
    kinds = [event.kind for event in events(ALL[name], [STREAMS[name]])]
    assert FrameKind.CONTENT in kinds
    assert FrameKind.ERROR not in kinds
    assert (kinds[-1] is FrameKind.TERMINAL) == (name != "gemini")
    assert [event.finished for event in events(ALL[name], [STREAMS[name]])].count(True) >= 1
    (failed,) = events(ALL[name], [ERRORS[name]])
    assert failed.kind is FrameKind.ERROR
    assert failed.fault is not None
    assert failed.fault.message == "busy"


@dialects
@pytest.mark.parametrize("kind", [None, 5, [], {}, True])
def test_an_event_whose_type_is_no_text_means_nothing(name: str, kind: Any) -> None:
    tap: StreamTap = ALL[name].pass_through.tap(shown_model=None, hide_usage=False)
    (frame,) = Decoder().feed(encode(json_text.encode({"type": kind})))
    assert tap.read(frame)[0] is FrameKind.LIFECYCLE
    assert tap.fault is None


@dialects
@pytest.mark.parametrize("raw", [b": comment\n\n", b"event: x\n\n", b"data:\n\n", b"data:  \n\n"])
def test_a_frame_without_data_is_no_event(name: str, raw: bytes) -> None:
    assert {event.kind for event in events(ALL[name], [raw])} <= {FrameKind.EMPTY}


@dialects
@pytest.mark.parametrize("raw", [b"data: {\n\n", b"data: []\n\n", b"data: 5\n\n", b'data: "x"\n\n'])
def test_a_frame_that_holds_no_object_is_an_error(name: str, raw: bytes) -> None:
    (event,) = events(ALL[name], [raw])
    assert event.kind is FrameKind.ERROR
    assert event.fault is not None


@dialects
@pytest.mark.parametrize("told", [5, "x", [], True])
def test_usage_that_is_none_counts_for_nothing(name: str, told: object) -> None:
    event: dict[str, object] = {"usage": told, "usageMetadata": told, "spent": told, "response": {"usage": told}}
    assert ALL[name].pass_through.events().classify(event).usage is None
    assert ALL[name].pass_through.read_usage(event) is None


@upstreams
@pytest.mark.parametrize("last", [STREAMS, ERRORS], ids=["complete", "failed"])
def test_nothing_is_read_behind_the_end_of_a_stream(name: str, last: dict[str, bytes]) -> None:
    reader = ALL[name].upstream.reader(signer="")
    for frame in Decoder().feed(last[name]):
        reader.feed(frame)
    again = [delta for frame in Decoder().feed(STREAMS[name]) for delta in reader.feed(frame)]
    assert not [delta for delta in again if isinstance(delta, TextDelta | Finished)]
