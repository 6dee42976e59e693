"""Forms: fields are found where they stand however the body is cut, hostile bodies get a fault, patches fit windows."""

from __future__ import annotations

import re
import sys
import tracemalloc
from collections.abc import Iterable
from email.message import Message
from types import FrameType
from typing import NamedTuple

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agcore.codecs.multipart import Field, FormFile, FormScan, boundary_of, read_form
from agcore.protocol.fault import Fault
from agcore.protocol.http import Patch
from agcore.protocol.patches import Patcher, apply, patched_length

BOUNDARY = b"cut-here"
DELIMITER = b"\r\n--" + BOUNDARY


class Part(NamedTuple):
    headers: bytes
    """The header lines without the blank one."""
    payload: bytes
    name: str = "file"
    is_file: bool = False


class Form(NamedTuple):
    body: bytes
    fields: dict[str, Field]
    """The plain fields, by the builder's own count of bytes."""
    parts: list[Part]


def field(name: str, payload: bytes) -> Part:
    return Part(f'Content-Disposition: form-data; name="{name}"\r\n'.encode(), payload, name)


def file(payload: bytes, name: str = "file") -> Part:
    headers = f'Content-Disposition: form-data; name="{name}"; filename="a.bin"\r\nContent-Type: audio/mpeg\r\n'
    return Part(headers.encode(), payload, name, is_file=True)


def build(parts: Iterable[Part], boundary: bytes = BOUNDARY, preamble: bytes = b"", epilogue: bytes = b"\r\n") -> Form:
    parts = list(parts)
    body = preamble + b"--" + boundary
    fields = {}
    for part in parts:
        body += b"\r\n" + part.headers + b"\r\n"
        if not part.is_file:
            fields[part.name] = Field(part.payload.decode(), len(body), len(part.payload))
        body += part.payload + b"\r\n--" + boundary
    return Form(body + b"--" + epilogue, fields, parts)


def scan(pieces: Iterable[bytes], boundary: bytes = BOUNDARY, **limits: int) -> FormScan:
    scanned = FormScan(boundary, **limits)
    for piece in pieces:
        scanned.feed(piece)
    scanned.end()
    return scanned


def singly(body: bytes) -> list[bytes]:
    return [body[i : i + 1] for i in range(len(body))]


def cut(body: bytes, places: Iterable[int]) -> list[bytes]:
    ends = sorted({place % (len(body) + 1) for place in places} | {len(body)})
    return [body[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def report(scanned: FormScan) -> tuple[object, ...]:
    return scanned.fields, scanned.parts, scanned.files, scanned.complete, scanned.fault


def refusal(body: bytes, **limits: int) -> Fault:
    """The fault of a body, which is the same whole and byte by byte."""
    whole = scan([body], **limits)
    assert report(whole) == report(scan(singly(body), **limits))
    assert whole.fault is not None
    assert not whole.complete
    return whole.fault


places = st.lists(st.integers(0, 10_000), max_size=8)
boundary_alphabet = "019azAZ'()+_,-./:=?"
boundaries = st.builds(
    lambda text, last: (text + last).encode(),
    st.text(boundary_alphabet + " ", max_size=69),
    st.sampled_from(boundary_alphabet),
)


@st.composite
def forms(draw: st.DrawFn) -> tuple[Form, bytes]:
    boundary = draw(boundaries)
    delimiter = b"\r\n--" + boundary
    noise = st.lists(
        st.sampled_from([b"\r", b"\n", b"-", b"--", b"x", b"\r\n", delimiter[:-1], delimiter[2:], "é".encode()]),
        max_size=8,
    ).map(b"".join)
    payloads = noise.filter(lambda payload: (payload + delimiter).find(delimiter) == len(payload))
    names = draw(st.lists(st.sampled_from(["model", "stream", "prompt", "n", "image[]"]), unique=True, max_size=5))
    parts = [
        draw(st.sampled_from([field(name, payload), file(payload)])) for name in names for payload in [draw(payloads)]
    ]
    preamble = draw(st.sampled_from([b"", b"\r\n", b"Not for you.\r\n", b"--\r\n-\r\r\n"]))
    return build(parts, boundary, preamble, draw(noise)), boundary


# Fields.


@given(forms(), places)
def test_fields_stand_where_the_builder_put_them(form_and_boundary: tuple[Form, bytes], cuts: list[int]) -> None:
    form, boundary = form_and_boundary
    scanned = scan(cut(form.body, cuts), boundary)
    assert scanned.fault is None
    assert scanned.complete
    assert scanned.fields == {name: form.fields[name] for name in form.fields if name in ("model", "stream")}
    assert scanned.parts == len(form.parts)
    assert scanned.files == any(part.is_file for part in form.parts)


@given(
    st.text(max_size=40),
    st.binary(max_size=200),
    st.text(max_size=20),
    st.dictionaries(st.text(max_size=5), st.text(max_size=20), max_size=3),
    places,
)
def test_fields_of_a_form_encoded_by_httpx_are_found(
    model: str, content: bytes, filename: str, others: dict[str, str], cuts: list[int]
) -> None:
    others = {name: value for name, value in others.items() if name not in ("model", "stream", "file")}
    request = httpx.Request(
        "POST", "http://test/", data={**others, "model": model}, files={"file": (filename or "a.mp3", content)}
    )
    body = request.read()
    headers = tuple((name.lower(), value) for name, value in request.headers.raw)
    boundary = boundary_of(headers)
    assert isinstance(boundary, bytes)
    scanned = scan(cut(body, cuts), boundary)
    assert scanned.fault is None
    assert (scanned.complete, scanned.parts, scanned.files) == (True, len(others) + 2, True)
    found = scanned.fields["model"]
    assert found.value == model
    assert body[found.offset : found.offset + found.length] == model.encode()


def test_a_field_is_known_as_soon_as_the_delimiter_behind_it_is_complete() -> None:
    form = build([field("model", b"whisper-1"), file(b"sound")])
    end = form.fields["model"].offset + len(b"whisper-1" + DELIMITER + b"\r\n")
    scanned = FormScan(BOUNDARY)
    scanned.feed(form.body[: end - 1])
    assert scanned.fields == {}
    scanned.feed(form.body[end - 1 : end])
    assert scanned.fields == {"model": form.fields["model"]}


def test_only_wanted_fields_are_kept() -> None:
    form = build([field("model", b"m"), field("prompt", b"p")])
    scanned = FormScan(BOUNDARY, wanted=("prompt",))
    scanned.feed(form.body)
    assert scanned.fields == {"prompt": form.fields["prompt"]}


@pytest.mark.parametrize(
    "disposition",
    [
        b"form-data; name=model",
        b'form-data;name="model"',
        b'form-data; name = "model"',
        b'FORM-DATA; NAME="model";',
        b"form-data; y*=utf-8''z; name=\"model\"",
        b'form-data; x="; name=other"; name="model"',
        b"form-data; name=\"mode\\l\"; y*=utf-8''z".replace(b"\\", b""),
    ],
)
def test_a_name_is_read_in_any_proper_spelling(disposition: bytes) -> None:
    form = build([Part(b"content-disposition: " + disposition + b"\r\n", b"m", "model")])
    scanned = scan([form.body])
    assert scanned.fault is None
    assert scanned.fields == form.fields


@pytest.mark.parametrize(
    "option", [b'filename="a.mp3"', b'filename=""', b"filename*=utf-8''%C3%A9.mp3", b'filename="\xff.mp3"']
)
def test_any_kind_of_file_name_makes_a_file(option: bytes) -> None:
    form = build([Part(b'Content-Disposition: form-data; name="file"; ' + option + b"\r\n", b"", is_file=True)])
    scanned = scan([form.body])
    assert scanned.fault is None
    assert scanned.files


def test_a_form_may_have_no_parts_at_all() -> None:
    assert report(scan([b"--cut-here--"])) == ({}, 0, False, True, None)


def test_a_preamble_may_have_a_kilobyte() -> None:
    form = build([field("model", b"m")], preamble=b"x" * 1024 + b"\r\n")
    assert scan([form.body]).fields == form.fields
    form = build([field("model", b"m")], preamble=b"x" * 1025 + b"\r\n")
    assert scan([form.body]).fields == {}


def test_what_stands_behind_the_final_boundary_is_ignored() -> None:
    form = build([field("model", b"m")], epilogue=DELIMITER + b"\r\n\r\n")
    scanned = scan(singly(form.body))
    assert report(scanned) == (form.fields, 1, False, True, None)


def test_a_part_may_declare_its_true_length() -> None:
    part = field("model", b"whisper-1")
    form = build([part._replace(headers=part.headers + b"Content-Length: 9\r\n")])
    assert scan([form.body]).fields == form.fields


# Hostile and broken bodies.

noise = st.lists(
    st.sampled_from(
        [
            b"--cut-here",
            DELIMITER + b"\r\n",
            DELIMITER + b"\r\n",
            DELIMITER + b"--",
            b'Content-Disposition: form-data; name="model"\r\n',
            b'Content-Disposition: form-data; name="model"\r\n\r\n',
            b'Content-Disposition: form-data; name="stream"; filename="x"\r\n\r\n',
            b'Content-Disposition: form-data; name="file"; filename="x"\r\n\r\n',
            b"Content-Length: 3\r\n",
            b"Content-Length: 6\r\n",
            b"\r\n",
            b"\r",
            b"\n",
            b"-",
            b" ",
            b"abcd",
            b"\xff",
            b"x" * 1100,
        ]
    ),
    max_size=14,
).map(b"".join)


@given(noise | noise.map(lambda rest: b"--cut-here\r\n" + rest), places)
@example(b"x" * 1024 + DELIMITER + b"--", [])
@example(b"x" * 1025 + DELIMITER + b"--", [])
def test_any_cutting_of_any_body_gives_the_same_report(body: bytes, cuts: list[int]) -> None:
    limits = {"max_parts": 3, "max_part_headers": 120, "max_value": 5}
    whole = report(scan([body], **limits))
    assert whole == report(scan(singly(body), **limits))
    assert whole == report(scan(cut(body, cuts), **limits))


@given(noise | st.binary(max_size=200))
def test_at_the_end_a_form_is_either_complete_or_at_fault(body: bytes) -> None:
    scanned = scan([body])
    assert scanned.complete is (scanned.fault is None)
    assert scanned.fault is None or scanned.fault.status in (400, 413)


def headed(lines: bytes) -> bytes:
    return b"--cut-here\r\n" + lines + b"\r\n\r\nm" + DELIMITER + b"--"


MODEL = b'Content-Disposition: form-data; name="model"'


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "does not begin with `--cut-here`"),
        (b"{}", "does not begin with `--cut-here`"),
        (b"--other\r\n" + MODEL + b"\r\n\r\nm\r\n--other--", "does not begin with `--cut-here`"),
        (b"x" * 5000, "does not begin with `--cut-here`"),
        (b"x" * 1025 + DELIMITER + b"--", "does not begin with `--cut-here`"),
        (b"x--cut-here\r\n", "does not begin with `--cut-here`"),
        (b"--cut-here", "does not begin with `--cut-here`"),
        (b"--cut-here\n", "does not begin with `--cut-here`"),
        (b"--cut-here\n" + MODEL + b"\n\nm\n--cut-here--", "malformed at its start"),
        (b"--cut-hereafter\r\n", "malformed at its start"),
        (b"--cut-here\r\n", "breaks off in part 1"),
        (b"--cut-here\r\n" + MODEL, "breaks off in part 1"),
        (b"--cut-here\r\n" + MODEL + b"\r\n\r\nm" + DELIMITER, "breaks off in part 1: there is no final boundary"),
        (b"--cut-here\r\n" + MODEL + b"\r\n\r\nm" + DELIMITER + b"-\r\n", "malformed at part 1"),
        (b"--cut-here\r\n" + MODEL + b"\r\n\r\nm" + DELIMITER + b" \r\n", "malformed at part 1"),
        (headed(b""), "malformed at part 1"),
        (headed(b"X: y"), "malformed at part 1: Missing Content-Disposition"),
        (headed(b'Content-Disposition: attachment; name="model"'), "malformed at part 1"),
        (headed(b"Content-Disposition: form-data"), "malformed at part 1.*[Mm]issing name"),
        (headed(b"Content-Disposition: form-data; name*=utf-8''model"), "malformed at part 1.*[Mm]issing name"),
        (headed(b"Content-Disposition: form-data;\r\n name=model"), "malformed at part 1.*continuation"),
        (headed(MODEL + b"\nX: y"), "malformed at part 1.*line break"),
        (headed(b"no colon"), "malformed at part 1"),
        (headed(MODEL + b"\r\n" + MODEL), "Part 1 needs one `content-disposition"),
        (headed(MODEL + b'; filename="a'), "Part 1 needs one `content-disposition"),
        (headed(b'Content-Disposition: form-data; filename="a"b"; name="model"'), "Part 1 needs one"),
        (headed(b'Content-Disposition: form-data; filename*="; name=model"'), "Part 1 needs one"),
        (headed(MODEL + b'; name="other"'), "Part 1 has two names"),
        (headed(MODEL + b"; Name*=utf-8''other"), "Part 1 has two names"),
        (headed(MODEL + b"\r\nContent-Length: 0"), "malformed at part 1.*Content-Length exceeded"),
        (headed(MODEL + b"\r\nContent-Length: 2"), "malformed at part 1.*does not match"),
        (headed(MODEL + b"\r\nContent-Length: many"), "malformed at part 1.*Invalid segment Content-Length"),
    ],
)
def test_a_broken_form_is_a_bad_request(body: bytes, message: str) -> None:
    fault = refusal(body)
    assert fault.status == 400
    assert re.search(message, fault.message)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([field("model", b"a"), field("model", b"a")], "The field `model` stands in the form twice."),
        ([file(b"gpt", "model")], "`model` is a plain field of the form, not a file."),
        ([field("model", b"a"), file(b"b", "model")], "`model` is a plain field of the form, not a file."),
        ([field("model", b"")._replace(is_file=True, payload=b"\xff")], "The value of the field `model` is not UTF-8."),
    ],
)
def test_a_doubtful_field_is_a_bad_request_that_names_it(parts: list[Part], message: str) -> None:
    fault = refusal(build(parts).body)
    assert fault == Fault(status=400, message=message, param="model")


def test_fields_that_are_not_wanted_may_come_again_and_be_files() -> None:
    form = build([file(b"1", "image[]"), file(b"2", "image[]"), field("include[]", b"a"), field("include[]", b"b")])
    scanned = scan([form.body])
    assert (scanned.complete, scanned.parts) == (True, 4)


def test_ten_thousand_parts_are_too_many() -> None:
    fault = refusal(build([field("n", b"1")] * 10_000).body)
    assert fault == Fault(status=413, message="The form has more than 1000 parts.")


def test_as_many_parts_as_allowed_pass() -> None:
    body = build([field("n", b"1")] * 3).body
    assert scan([body], max_parts=3).complete
    assert refusal(body, max_parts=2).status == 413


@pytest.mark.parametrize("line", [b"X: y\r\n", b"x", b"\r", b"X-Long: " + b"y" * 20_000 + b"\r\n"])
def test_endless_part_headers_are_refused(line: bytes) -> None:
    fault = refusal(b"--cut-here\r\n" + MODEL + b"\r\n" + line * (40_000 // len(line)))
    assert fault == Fault(status=413, message="Part 1 has more than 16384 bytes of headers.")


def test_part_headers_of_exactly_the_limit_pass_in_each_part() -> None:
    body = build([field("model", b"m"), field("other", b"m")]).body
    size = len(MODEL + b"\r\n\r\n")
    assert scan([body], max_part_headers=size).complete
    assert refusal(body, max_part_headers=size - 1).status == 413


def test_one_header_line_may_use_up_the_limit() -> None:
    part = field("model", b"m")
    form = build([part._replace(headers=part.headers + b"X: " + b"y" * 16_000 + b"\r\n")])
    assert scan([form.body]).fields == form.fields


@pytest.mark.parametrize("value", [b"123456", b"12345\r", b"1" * 200_000])
def test_a_value_over_the_limit_is_refused(value: bytes) -> None:
    form = build([field("model", value)])
    fault = refusal(form.body, max_value=5)
    assert fault == Fault(status=413, message="The field `model` is longer than 5 bytes.", param="model")
    assert scan([form.body], max_value=5).fields == {}
    assert scan([form.body], max_value=len(value)).fields == form.fields


def test_the_first_thing_wrong_is_the_one_reported() -> None:
    body = b"--cut-here\r\n" + MODEL + b"\r\n\r\n12345\r" + DELIMITER + b"??"
    assert refusal(body, max_value=5).status == 413


def test_a_part_that_declares_a_value_over_the_limit_is_refused_however_long_it_is() -> None:
    fault = refusal(headed(MODEL + b"\r\nContent-Length: 6"), max_value=5)
    assert fault.message == "The field `model` is longer than 5 bytes."


def test_the_limit_for_values_is_not_for_other_parts() -> None:
    assert scan([build([field("prompt", b"long"), file(b"longer")]).body], max_value=1).complete


def test_what_is_fed_after_a_fault_changes_nothing() -> None:
    scanned = scan([b"--cut-here\r\n\r\n"])
    before = report(scanned)
    scanned.feed(build([field("model", b"m")]).body)
    scanned.end()
    assert report(scanned) == before


dispositions = st.lists(
    st.sampled_from(
        ["; name=", ";name*=", '; filename="', "; filename*=", "; x=", '"', "\\", ";", " ", "model", "'", "="]
    )
).map("".join)


@given(dispositions | dispositions.map('; name="model"'.__add__))
def test_where_a_field_is_taken_the_standard_library_sees_the_same_one_name(options: str) -> None:
    disposition = "form-data" + options
    scanned = scan([headed(b"Content-Disposition: " + disposition.encode())])
    if scanned.fields:
        message = Message()
        message["content-disposition"] = disposition
        read = [key.lower() for key, _ in message.get_params([], "content-disposition")]
        assert read.count("name") == 1
        assert "filename" not in read
        assert message.get_param("name", header="content-disposition") == "model"


# Forms that are read whole.


@given(forms())
def test_a_form_in_memory_is_taken_apart_into_what_it_was_built_from(form_and_boundary: tuple[Form, bytes]) -> None:
    form, boundary = form_and_boundary
    read = read_form(form.body, boundary)
    assert not isinstance(read, Fault)
    plain = [(part.name, part.payload.decode()) for part in form.parts if not part.is_file]
    assert list(read.fields) == plain
    files = [(part.name, part.payload) for part in form.parts if part.is_file]
    assert [(each.name, each.data) for each in read.files] == files


def test_fields_and_files_may_come_again_and_keep_their_order() -> None:
    parts = [file(b"1", "image[]"), field("n[]", b"a"), field("n[]", "\u00e9".encode()), file(b"", "image[]")]
    read = read_form(build(parts).body, BOUNDARY)
    assert not isinstance(read, Fault)
    assert read.fields == (("n[]", "a"), ("n[]", "\u00e9"))
    assert read.files == (
        FormFile("image[]", "a.bin", "audio/mpeg", b"1"),
        FormFile("image[]", "a.bin", "audio/mpeg", b""),
    )


@pytest.mark.parametrize(
    ("headers", "filename", "media_type"),
    [
        (b'; filename="clip \xc3\xa9.wav"\r\nContent-Type: Audio/WAV; rate=1', "clip \u00e9.wav", "audio/wav"),
        (b'; filename="\xff.wav"', "", ""),
        (b"; filename*=utf-8''clip.wav", "", ""),
    ],
)
def test_what_a_file_is_said_to_be_is_told(headers: bytes, filename: str, media_type: str) -> None:
    disposition = b'Content-Disposition: form-data; name="file"' + headers + b"\r\n"
    read = read_form(build([Part(disposition, b"x", is_file=True)]).body, BOUNDARY)
    assert not isinstance(read, Fault)
    assert read.files == (FormFile("file", filename, media_type, b"x"),)


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (build([field("n", b"1")] * 4).body, Fault(status=413, message="The form has more than 3 parts.")),
        (
            build([field("n", b"123456")]).body,
            Fault(status=413, message="The field `n` is longer than 5 bytes.", param="n"),
        ),
        (
            build([Part(b'Content-Disposition: form-data; name="n"\r\n', b"\xff", is_file=True)]).body,
            Fault(status=400, message="The value of the field `n` is not UTF-8.", param="n"),
        ),
        (
            build([field("n", b"1")]).body.removesuffix(b"--\r\n"),
            Fault(status=400, message="The form breaks off in part 1: there is no final boundary."),
        ),
    ],
)
def test_a_form_in_memory_that_cannot_be_read_is_a_fault(body: bytes, fault: Fault) -> None:
    assert read_form(body, BOUNDARY, max_parts=3, max_value=5) == fault


def test_the_limit_for_values_is_not_for_files_in_memory() -> None:
    read = read_form(build([file(b"123456")]).body, BOUNDARY, max_value=5)
    assert not isinstance(read, Fault)
    assert read.files[0].data == b"123456"


@given(noise | st.binary(max_size=200))
def test_a_form_in_memory_is_at_fault_where_its_scan_is(body: bytes) -> None:
    scanned = FormScan(BOUNDARY, wanted=())
    scanned.feed(body)
    scanned.end()
    read = read_form(body, BOUNDARY)
    if scanned.fault is not None:
        assert read == scanned.fault
    else:
        assert isinstance(read, Fault) or len(read.fields) + len(read.files) == scanned.parts


# Cost.

FLOODS = [b"\n", b"\r", b"--", b"\r\n", DELIMITER[:-1], DELIMITER[:-1] + b"\r", b"x"]


def calls_of(pieces: list[bytes]) -> int:
    """How many functions, Python's own included, a scan of `pieces` calls."""
    calls = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        scan(pieces)
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.parametrize("flood", FLOODS)
@pytest.mark.parametrize("place", [b"", b'Content-Disposition: form-data; name="file"\r\n\r\n', MODEL + b"\r\nX:"])
@pytest.mark.parametrize("step", [1, 1000, 1 << 30])
def test_twice_the_body_is_at_most_twice_the_work(flood: bytes, place: bytes, step: int) -> None:
    def pieces(size: int) -> list[bytes]:
        body = b"--cut-here\r\n" + place + flood * (size // len(flood))
        return [body[i : i + step] for i in range(0, len(body), step)]

    once, twice = pieces(4_000), pieces(8_000)
    assert calls_of(twice) <= 2 * calls_of(once) + 100
    assert scan(twice).scanned <= 2 * scan(once).scanned + 200


@pytest.mark.parametrize("flood", FLOODS)
def test_a_large_piece_is_searched_once_and_in_little_memory(flood: bytes) -> None:
    head = build([field("model", b"m"), file(b"")]).body.removesuffix(DELIMITER + b"--\r\n")
    body = head + flood * (50_000_000 // len(flood)) + DELIMITER + b"--\r\n"
    scanned = FormScan(BOUNDARY)
    tracemalloc.start()
    try:
        scanned.feed(body)
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert scanned.complete
    assert scanned.scanned < 1.01 * len(body)
    assert kept < 100_000
    assert peak < 1_000_000


@pytest.mark.parametrize("place", [b"", b"--cut-here\r\n", b"--cut-here\r\n" + MODEL + b"\r\n\r\n"])
def test_an_endless_body_is_never_held(place: bytes) -> None:
    piece = b"x" * 60_000
    tracemalloc.start()
    try:
        scanned = FormScan(BOUNDARY)
        scanned.feed(place)
        for _ in range(100):
            scanned.feed(piece)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert scanned.fault is not None
    assert peak < 1_000_000


# Boundaries.


@given(boundaries, st.sampled_from([b"", b"; charset=utf-8", b' ; x="; boundary=no"', b";"]))
def test_a_boundary_is_read_quoted_among_other_parameters(boundary: bytes, after: bytes) -> None:
    value = b'Multipart/Form-Data; y=1; Boundary="' + boundary + b'"' + after
    assert boundary_of(((b"content-type", value),)) == boundary


@given(boundaries.filter(lambda boundary: b" " not in boundary))
def test_a_boundary_without_spaces_is_read_without_quotes(boundary: bytes) -> None:
    assert boundary_of(((b"content-type", b"multipart/form-data;boundary=" + boundary),)) == boundary


def test_escapes_in_a_quoted_boundary_are_resolved() -> None:
    assert boundary_of(((b"content-type", b'multipart/form-data; boundary="a\\b"'),)) == b"ab"


@pytest.mark.parametrize(
    "headers",
    [
        (),
        ((b"content-type", b""),),
        ((b"content-type", b"application/json"),),
        ((b"content-type", b"multipart/mixed; boundary=abc"),),
    ],
)
def test_a_body_that_is_no_form_is_an_unsupported_media_type(headers: tuple[tuple[bytes, bytes], ...]) -> None:
    fault = boundary_of(headers)
    assert isinstance(fault, Fault)
    assert (fault.status, "multipart/form-data; boundary=" in fault.message) == (415, True)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (b"", "it names 0"),
        (b"; charset=utf-8", "it names 0"),
        (b'; x="boundary=abc"', "it names 0"),
        (b"; boundary=abc; BOUNDARY=abd", "it names 2"),
        (b"; boundary=", "malformed"),
        (b'; boundary=""', "malformed"),
        (b'; boundary="abc "', "malformed"),
        (b"; boundary=" + b"a" * 71, "malformed"),
        (b"; boundary=a*b", "malformed"),
        (b'; boundary="a\r\nb"', "malformed"),
        (b"; boundary=\xe9", "malformed"),
        (b'; boundary="abc', "cannot be read"),
        (b'; boundary=abc"', "cannot be read"),
        (b"; boundary=abc def", "cannot be read"),
        (b"; boundary", "cannot be read"),
    ],
)
def test_a_missing_doubtful_or_malformed_boundary_is_a_bad_request(parameters: bytes, message: str) -> None:
    fault = boundary_of(((b"content-type", b"multipart/form-data" + parameters),))
    assert isinstance(fault, Fault)
    assert fault.status == 400
    assert message in fault.message


# Patches.


@st.composite
def patched_bodies(draw: st.DrawFn) -> tuple[bytes, list[Patch], bytes]:
    """A body, patches to it, and the patched body, put together from pieces kept and pieces replaced."""
    body, result, patches = b"", b"", []
    for kept, old, new in draw(
        st.lists(st.tuples(st.binary(max_size=6), st.binary(max_size=6), st.binary(max_size=6)), max_size=4)
    ):
        patches.append(Patch(len(body + kept), len(old), new))
        body += kept + old
        result += kept + new
    rest = draw(st.binary(min_size=1, max_size=6))
    return body + rest, patches, result + rest


@given(patched_bodies(), places)
def test_windows_of_a_patched_body_join_to_it_wherever_they_are_cut(
    case: tuple[bytes, list[Patch], bytes], cuts: list[int]
) -> None:
    body, patches, result = case
    patcher = Patcher(patches)
    assert apply(body, 0, patches) == result
    assert b"".join(patcher.feed(piece) for piece in cut(body, cuts)) == result
    assert patched_length(len(body), patches) == len(result)


def test_a_window_that_no_patch_touches_is_passed_on_as_it_is() -> None:
    window = b"untouched"
    assert apply(window, 100, [Patch(90, 10, b"long"), Patch(109, 1, b"later")]) is window


@given(forms(), st.text(max_size=12), places)
def test_a_patched_field_has_its_new_value_and_the_rest_of_the_form_its_old_bytes(
    form_and_boundary: tuple[Form, bytes], model: str, cuts: list[int]
) -> None:
    form, boundary = form_and_boundary
    patches = [Patch(f.offset, f.length, model.encode()) for f in scan([form.body], boundary).fields.values()]
    patcher = Patcher(patches)
    body = b"".join(patcher.feed(piece) for piece in cut(form.body, cuts))
    found = scan([body], boundary).fields
    assert {name: f.value for name, f in found.items()} == {name: model for name in form.fields if name in found}
    undo = [Patch(f.offset, f.length, form.fields[name].value.encode()) for name, f in found.items()]
    assert apply(body, 0, undo) == form.body
