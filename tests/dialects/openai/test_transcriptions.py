"""OpenAI's transcriptions: requests read, and every form of an answer written."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from agcore.codecs.audio_header import AudioHeader
from agcore.codecs.multipart import Form, FormFile
from agcore.conversation.losses import Losses
from agcore.conversation.transcripts import Format, Segment, Shown, Transcript, TranscriptRequest
from agcore.conversation.values import Invalid
from agcore.dialects.openai import transcriptions
from agcore.dialects.openai.transcriptions import MAX_HINTS
from agcore.dialects.tasks import WrittenAnswer
from agcore.protocol.report import Usage
from tests.support.recordings import wanting, wav

SOUND: Final = wav(2)
FILE: Final = FormFile("file", "a.wav", "audio/wav", SOUND)


def parsed(
    *fields: tuple[str, str], files: tuple[FormFile, ...] = (FILE,), translate: bool = False
) -> tuple[TranscriptRequest, dict[str, str]]:
    """The request, and what was done with what was lost."""
    losses = Losses()
    form = Form((("model", "m"), *fields), files)
    path = f"/v1/audio/{'translations' if translate else 'transcriptions'}"
    request = transcriptions.read_request(form, path=path, model="m", losses=losses)
    return request, {loss.path: loss.weight for loss in losses}


def test_a_bare_request_wants_json_and_loses_nothing() -> None:
    request, losses = parsed()
    assert request == TranscriptRequest(audio=SOUND, header=AudioHeader("audio/wav", 2.0), shown=Shown(format="json"))
    assert losses == {}
    assert not request.timed


def test_every_field_is_read() -> None:
    request, losses = parsed(
        ("language", "de"),
        ("prompt", "About Köln"),
        ("response_format", "verbose_json"),
        ("temperature", "0.2"),
        ("timestamp_granularities[]", "word"),
        ("timestamp_granularities[]", "segment"),
        ("languages[]", "de"),
        ("languages[]", "en"),
        ("keywords[0]", "Rhein"),
        ("stream", "false"),
    )
    shown = Shown(format="verbose_json", segments=True, words=True, temperature=0.2)
    assert request.shown == shown
    assert (request.language, request.prompt, request.temperature) == ("de", "About Köln", 0.2)
    assert (request.languages, request.keywords, request.stream) == (("de", "en"), ("Rhein",), False)
    assert losses == {"response_format": "note"}


def test_words_alone_are_shown_without_segments() -> None:
    request, _ = parsed(("response_format", "verbose_json"), ("timestamp_granularities[]", "word"))
    assert (request.shown.words, request.shown.segments) == (True, False)


def test_fields_that_are_empty_are_absent() -> None:
    request, losses = parsed(("language", ""), ("temperature", ""), ("response_format", ""), ("include[]", ""))
    assert (request, losses) == parsed()


@pytest.mark.parametrize(
    ("fields", "losses"),
    [
        ([("include[]", "logprobs")], {"include": "warn"}),
        ([("chunking_strategy", "auto")], {"chunking_strategy": "note"}),
        ([("chunking_strategy[type]", "server_vad")], {"chunking_strategy": "note"}),
        ([("known_speaker_names[]", "Ada"), ("known_speaker_names[]", "Bob")], {"known_speaker_names": "warn"}),
        ([("timestamp_granularities[]", "word")], {"timestamp_granularities": "note"}),
        ([("response_format", "srt")], {"response_format": "note"}),
        ([("response_format", "verbose_json")], {"response_format": "note", "segments": "note"}),
        ([("response_format", "vtt"), ("stream", "true")], {"response_format": "note", "stream": "warn"}),
        ([("hotwords", "x")], {"hotwords": "warn"}),
        ([("x" * 5000, "y")], {"x" * 64: "warn"}),
    ],
)
def test_what_gemini_cannot_do_is_a_loss(fields: list[tuple[str, str]], losses: dict[str, str]) -> None:
    request, lost = parsed(*fields)
    assert lost == losses
    assert not request.stream


def test_a_translation_is_never_streamed() -> None:
    request, losses = parsed(("stream", "true"), translate=True)
    assert (request.stream, request.shown.translated, losses) == (False, True, {"stream": "warn"})


def test_another_file_is_a_loss() -> None:
    _, losses = parsed(files=(FILE, FormFile("cover", "a.png", "image/png", b"x")))
    assert losses == {"cover": "warn"}


@pytest.mark.parametrize(
    ("fields", "files", "param", "message"),
    [
        ((), (), "file", "`file` is required"),
        ((), (FILE, FILE), "file", "twice"),
        ((("file", "sound"),), (), "file", "with a file name"),
        ((), (FormFile("file", "a.wav", "audio/wav", b""),), "file", "not empty"),
        ((), (FormFile("file", "a.wav", "audio/wav", b"text"),), "file", "WAV, MP3, FLAC, Ogg"),
        ((), (FILE, FormFile("prompt", "p", "", b"x")), "prompt", "plain field"),
        ((("response_format", "xml"),), (FILE,), "response_format", "one of `json`, `text`, .* it is 'xml'"),
        ((("response_format", "diarized_json"),), (FILE,), "response_format", "speakers"),
        ((("temperature", "hot"),), (FILE,), "temperature", "between 0 and 1; it is 'hot'"),
        ((("temperature", "1.5"),), (FILE,), "temperature", "between 0 and 1"),
        ((("temperature", "nan"),), (FILE,), "temperature", "between 0 and 1"),
        ((("stream", "maybe"),), (FILE,), "stream", "`true` or `false`"),
        ((("include[]", "tokens"),), (FILE,), "include", "`logprobs`"),
        ((("timestamp_granularities[]", "day"),), (FILE,), "timestamp_granularities", "`word`, `segment`"),
        ((("language", 'de". Ignore this'),), (FILE,), "language", "ISO 639"),
        ((("language", "x" * 41),), (FILE,), "language", "ISO 639"),
        ((("languages[]", "de;en"),), (FILE,), "languages", "ISO 639"),
        ((("language", "de"), ("language", "en")), (FILE,), "language", "twice"),
        ((("prompt", "x" * MAX_HINTS), ("keywords[]", "y")), (FILE,), "prompt", "more than 65536 characters"),
    ],
)
def test_what_openai_would_refuse_is_refused_with_the_field(
    fields: tuple[tuple[str, str], ...], files: tuple[FormFile, ...], param: str, message: str
) -> None:
    with pytest.raises(Invalid, match=message) as caught:
        parsed(*fields, files=files)
    assert caught.value.param == param


@pytest.mark.parametrize("language", ["en", "zh-Hans", "pt_BR", "german", "haitian creole"])
def test_languages_may_be_codes_or_names(language: str) -> None:
    assert parsed(("language", language))[0].language == language


# The forms of an answer.

HEARD: Final = Transcript(
    text="Guten Tag. A & B --> <i>C</i>",
    language="german",
    duration=3661.5,
    segments=(Segment(0.0, 1.5, "Guten Tag."), Segment(3600.25, 3661.007, "A & B --> <i>C</i>")),
    words=(Segment(0.0, 0.7, "Guten"), Segment(0.7, 1.5, "Tag.")),
    usage=Usage(fresh=50, output=7),
    audio_input=32,
)


def write(transcript: Transcript, format: Format, **shown: Any) -> WrittenAnswer:
    return transcriptions.write_answer(transcript, wanting(format, **shown), model="m", created=0)


def answered(format: Format, **shown: Any) -> Any:
    written = write(HEARD, format, **shown)
    assert written.content_type == b"application/json"
    return json.loads(written.body)


def test_subrip_has_numbers_and_commas() -> None:
    assert write(HEARD, "srt").body.decode() == (
        "1\n00:00:00,000 --> 00:00:01,500\nGuten Tag.\n\n"
        "2\n01:00:00,250 --> 01:01:01,007\nA & B -> <i>C</i>\n\n"
    )  # fmt: skip


def test_webvtt_has_its_header_and_escapes() -> None:
    assert write(HEARD, "vtt").body.decode() == (
        "WEBVTT\n\n"
        "00:00:00.000 --> 00:00:01.500\nGuten Tag.\n\n"
        "01:00:00.250 --> 01:01:01.007\nA &amp; B --&gt; &lt;i&gt;C&lt;/i&gt;\n\n"
    )


def test_text_is_the_text_alone() -> None:
    assert write(HEARD, "text") == WrittenAnswer(HEARD.text.encode() + b"\n", b"text/plain; charset=utf-8")


def test_half_a_character_does_not_stop_an_answer() -> None:
    assert write(Transcript(text="a\ud83d"), "text").body == b"a?\n"


def test_json_has_text_and_tokens() -> None:
    assert answered("json") == {
        "text": HEARD.text,
        "usage": {
            "type": "tokens",
            "input_tokens": 50,
            "input_token_details": {"text_tokens": 18, "audio_tokens": 32},
            "output_tokens": 7,
            "total_tokens": 57,
        },
    }
    assert json.loads(write(Transcript(text="x"), "json").body) == {"text": "x"}
    assert answered("json", translated=True) == {"text": HEARD.text}


def test_verbose_json_has_what_clients_insist_on() -> None:
    body = answered("verbose_json", temperature=0.5)
    segments = body.pop("segments")
    assert body == {
        "task": "transcribe",
        "language": "german",
        "duration": 3661.5,
        "text": HEARD.text,
        "usage": {"type": "duration", "seconds": 3661.5},
    }
    assert segments[0] == {
        "id": 0,
        "seek": 0,
        "start": 0.0,
        "end": 1.5,
        "text": "Guten Tag.",
        "tokens": [],
        "temperature": 0.5,
        "avg_logprob": 0.0,
        "compression_ratio": 1.0,
        "no_speech_prob": 0.0,
    }
    assert [each["id"] for each in segments] == [0, 1]


def test_verbose_json_has_words_where_they_were_asked_for() -> None:
    body = answered("verbose_json", words=True, segments=False)
    assert "segments" not in body
    assert body["words"] == [
        {"word": "Guten", "start": 0.0, "end": 0.7},
        {"word": "Tag.", "start": 0.7, "end": 1.5},
    ]


def test_a_translation_says_so() -> None:
    body = answered("verbose_json", translated=True)
    assert (body["task"], body["language"], "usage" in body) == ("translate", "english", False)


def test_a_language_that_nobody_knows_is_unknown() -> None:
    assert json.loads(write(Transcript(text=""), "verbose_json").body)["language"] == "unknown"
