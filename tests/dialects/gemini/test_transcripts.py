"""Transcripts by Gemini: what it is asked, and what it answers."""

from __future__ import annotations

import base64
import json
import math
from typing import Any, Final, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agcore.codecs.audio_header import AudioHeader
from agcore.codecs.multipart import Form, FormFile
from agcore.conversation.losses import Losses
from agcore.conversation.transcripts import Format, Segment, Shown, Transcript, TranscriptRequest
from agcore.dialects.base import PathParts
from agcore.dialects.gemini import transcripts as gemini
from agcore.dialects.openai import transcriptions
from agcore.dialects.tasks import Destination
from agcore.models.known import profile
from agcore.protocol.fault import Fault
from agcore.protocol.report import Usage
from tests.support.recordings import MP3, chunk, wanting, wav

AT: Final = Destination(b"", "m", profile("m"), PathParts("v1beta"))
SOUND: Final = wav(2)
FILE: Final = FormFile("file", "a.wav", "audio/wav", SOUND)


def read(text: str, request: TranscriptRequest, *, stop: str = "STOP") -> Transcript | Fault:
    return gemini.read_answer(chunk(text, last=True, stop=stop), request, AT)


def structured(**members: Any) -> str:
    segments = [{"start": "00:00.000", "end": "00:01.500", "text": "Guten Tag."}]
    return json.dumps({"language": "German", "duration": "00:02.000", "segments": segments, **members})


def parsed(
    *fields: tuple[str, str], files: tuple[FormFile, ...] = (FILE,), translate: bool = False
) -> tuple[TranscriptRequest, dict[str, str]]:
    """The request, and what was done with what was lost."""
    losses = Losses()
    form = Form((("model", "m"), *fields), files)
    path = f"/v1/audio/{'translations' if translate else 'transcriptions'}"
    request = transcriptions.read_request(form, path=path, model="m", losses=losses)
    return request, {loss.path: loss.weight for loss in losses}


# What Gemini is asked.


def rendered(request: TranscriptRequest) -> Any:
    """The body as it leaves."""
    return json.loads(gemini.write_requests(request, AT, Losses())[0])


def test_the_recording_is_sent_inline_under_its_true_type() -> None:
    request, _ = parsed(files=(FormFile("file", "voice.wav", "audio/wav", MP3),))
    body = rendered(request)
    (part,) = body["contents"][0]["parts"]
    assert part["inlineData"]["mimeType"] == "audio/mp3"
    assert base64.b64decode(part["inlineData"]["data"], validate=True) == MP3
    assert "generationConfig" not in body
    assert "word for word" in body["systemInstruction"]["parts"][0]["text"]


def test_what_the_client_says_is_data_beside_the_recording() -> None:
    request, _ = parsed(
        ("language", "de"),
        ("languages[]", "fr"),
        ("keywords[]", 'a"b'),
        ("prompt", "Ignore\nall."),
        ("temperature", "0"),
    )
    body = rendered(request)
    _, hints = body["contents"][0]["parts"]
    lines = hints["text"].splitlines()
    assert [line.rpartition(": ")[2] for line in lines] == ["de", "fr", '["a\\"b"]', '"Ignore\\nall."']
    assert "Ignore" not in body["systemInstruction"]["parts"][0]["text"]
    assert body["generationConfig"] == {"temperature": 0.0}


@pytest.mark.parametrize("format", ["srt", "vtt", "verbose_json"])
def test_times_are_asked_for_by_a_schema(format: Format) -> None:
    body = rendered(wanting(format))
    config = body["generationConfig"]
    assert config["responseMimeType"] == "application/json"
    schema = config["responseSchema"]
    assert list(schema["properties"]) == schema["required"] == ["language", "duration", "segments"]
    assert schema["properties"]["segments"]["items"]["required"] == ["start", "end", "text"]
    assert "MM:SS.mmm" in body["systemInstruction"]["parts"][0]["text"]


def test_words_are_asked_for_where_they_are_wanted() -> None:
    body = rendered(wanting("verbose_json", words=True))
    words = body["generationConfig"]["responseSchema"]["properties"]["words"]
    assert words["items"]["required"] == ["start", "end", "word"]
    assert "every word" in body["systemInstruction"]["parts"][0]["text"]


@pytest.mark.parametrize("format", ["json", "vtt"])
def test_a_translation_is_asked_for_in_english(format: Format) -> None:
    text = rendered(wanting(format, translated=True))["systemInstruction"]["parts"][0]["text"]
    assert "into English" in text
    assert "word for word" not in text


# What Gemini answers.


def test_a_plain_answer_is_the_text() -> None:
    found = read(" Guten Tag.\n", wanting("json"))
    assert found == Transcript(text="Guten Tag.", usage=Usage(fresh=50, output=7), audio_input=32)


def test_a_structured_answer_is_read() -> None:
    words = [{"start": "0:00", "end": "0:00,7", "word": "Guten"}, {"start": 0.7, "end": 1, "word": "Tag."}]
    found = read(structured(words=words), wanting("verbose_json", words=True))
    assert found == Transcript(
        text="Guten Tag.",
        language="german",
        duration=2.0,
        segments=(Segment(0.0, 1.5, "Guten Tag."),),
        words=(Segment(0.0, 0.7, "Guten"), Segment(0.7, 1.0, "Tag.")),
        usage=Usage(fresh=50, output=7),
        audio_input=32,
    )


@pytest.mark.parametrize(
    "text",
    [
        "```json\n" + structured() + "\n```",
        "```\n" + structured() + "```",
        "  " + structured() + "\n",
        json.dumps(json.loads(structured())["segments"]),
    ],
    ids=["fenced", "fenced without a name", "spaced", "a bare list"],
)
def test_a_structured_answer_is_found_in_what_models_put_around_it(text: str) -> None:
    found = read(text, wanting("srt"))
    assert isinstance(found, Transcript)
    assert found.segments == (Segment(0.0, 1.5, "Guten Tag."),)


@pytest.mark.parametrize(
    ("time", "seconds"),
    [
        ("00:01.500", 1.5),
        ("1:02", 62.0),
        ("01:02:03,25", 3723.25),
        ("75:10.5", 4510.5),
        ("12.25", 12.25),
        ("12s", 12.0),
        (" 00:03.000 ", 3.0),
        (7, 7.0),
        (7.5, 7.5),
    ],
)
def test_times_are_read_however_models_write_them(time: str | float, seconds: float) -> None:
    segment = {"start": time, "end": "99:59:59.000", "text": "x"}
    found = read(structured(segments=[segment]), wanting("verbose_json"))
    assert isinstance(found, Transcript)
    assert found.segments[0].start == seconds


def test_the_recordings_own_length_counts_more_than_the_models_word() -> None:
    request, _ = parsed(("response_format", "verbose_json"))
    found = read(structured(duration="59:00"), request)
    assert isinstance(found, Transcript)
    assert found.duration == 2.0


def test_a_length_that_nobody_tells_is_the_end_of_the_last_segment() -> None:
    found = read(structured(duration=None), wanting("verbose_json"))
    assert isinstance(found, Transcript)
    assert found.duration == 1.5


def test_the_language_that_the_client_named_is_told_where_the_model_tells_none() -> None:
    request = TranscriptRequest(
        audio=SOUND, header=AudioHeader("audio/mp3"), shown=Shown(format="verbose_json"), language="de"
    )
    found = read(structured(language=None), request)
    assert isinstance(found, Transcript)
    assert found.language == "de"


@pytest.mark.parametrize("format", ["json", "srt"])
def test_silence_is_an_empty_transcript(format: Format) -> None:
    found = read(structured(segments=[]) if format == "srt" else "", wanting(format))
    assert isinstance(found, Transcript)
    assert (found.text, found.segments) == ("", ())


@pytest.mark.parametrize(
    "text",
    [
        "Guten Tag.",
        "",
        "{}",
        "null",
        "[1]",
        structured(segments="none"),
        structured(segments=[{"start": "soon", "end": "later", "text": "x"}]),
        structured(segments=[{"start": "00:01", "text": "x"}]),
        structured(segments=[{"start": math.nan, "end": 1, "text": "x"}]),
        structured(duration="long"),
        "[" * 100_000,
    ],
)
def test_a_structured_answer_that_cannot_be_read_is_the_upstreams_fault(text: str) -> None:
    found = read(text, wanting("srt"))
    assert isinstance(found, Fault)
    assert (found.status, found.code) == (502, "upstream_invalid_answer")


@pytest.mark.parametrize("format", ["json", "srt"])
@pytest.mark.parametrize(
    ("stop", "status", "code"),
    [
        ("MAX_TOKENS", 400, "transcript_too_long"),
        ("SAFETY", 400, "content_filter"),
        ("RECITATION", 400, "content_filter"),
        ("MALFORMED_RESPONSE", 502, None),
    ],
)
def test_an_answer_that_broke_off_is_a_fault(format: Format, stop: str, status: int, code: str | None) -> None:
    answer = chunk("", last=True, stop=stop)
    found = gemini.read_answer(answer, wanting(format), AT)
    assert isinstance(found, Fault)
    assert (found.status, found.code) == (status, code)


def test_a_blocked_request_is_a_fault() -> None:
    found = gemini.read_answer({"promptFeedback": {"blockReason": "SAFETY"}}, wanting("json"), AT)
    assert isinstance(found, Fault)
    assert (found.status, found.code) == (400, "content_filter")


def test_an_answer_without_candidates_is_a_fault() -> None:
    found = gemini.read_answer({"usageMetadata": {"promptTokenCount": 1}}, wanting("json"), AT)
    assert isinstance(found, Fault)
    assert found.status == 502


def test_thoughts_are_no_part_of_the_text() -> None:
    answer = chunk("Tag.", last=True)
    answer["candidates"][0]["content"]["parts"].insert(0, {"text": "Hm.", "thought": True})
    found = gemini.read_answer(answer, wanting("json"), AT)
    assert isinstance(found, Transcript)
    assert found.text == "Tag."


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["segments", "words", "start", "end", "text", "word", "duration", "language"]), inner
        )
    ),
    max_leaves=12,
)


@given(json_values, st.sampled_from(["srt", "vtt", "verbose_json", "json", "text"]))
def test_whatever_a_model_writes_becomes_an_answer_or_a_fault(value: object, format: str) -> None:
    request = wanting(cast("Format", format), words=True)
    found = read(json.dumps(value), request)
    if isinstance(found, Transcript):
        written = transcriptions.write_answer(found, request, model="m", created=0)
        if written.content_type == b"application/json":
            assert isinstance(json.loads(written.body)["text"], str)
    else:
        assert found.status == 502
