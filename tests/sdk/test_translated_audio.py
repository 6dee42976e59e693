"""Recordings through each frontend by the OpenAI SDK, heard by an upstream that speaks Gemini only."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.sdk.conftest import CLIENT_KEY
from tests.support.recordings import MP3, told, wav
from tests.support.upstreams import Upstream

EARS = "gemini/vendor-real"
SOUND = wav(5)
HEARD = told(SOUND, "audio/wav")
HALVES = (" ".join(HEARD.split()[:1]), " ".join(HEARD.split()[1:]))


@pytest.fixture
def client(gateway_url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{gateway_url}/v1", api_key=CLIENT_KEY, max_retries=0) as client:
        yield client


def test_speech_is_transcribed_as_json(client: openai.OpenAI, upstream: Upstream) -> None:
    answer = client.audio.transcriptions.create(model=EARS, file=("clip.mp3", SOUND))
    assert answer.text == HEARD
    assert answer.usage is not None
    assert answer.usage.type == "tokens"
    assert answer.usage.total_tokens == 57
    assert answer.usage.input_token_details is not None
    assert answer.usage.input_token_details.audio_tokens == 32
    assert upstream.requests[-1].target == b"/v1beta/models/vendor-real:generateContent"


def test_what_the_client_says_of_its_recording_reaches_the_model(client: openai.OpenAI, upstream: Upstream) -> None:
    raw = client.audio.transcriptions.with_raw_response.create(
        model=EARS,
        file=("clip", MP3),
        language="de",
        prompt='Köln "am" Rhein',
        temperature=0.25,
        include=["logprobs"],
        chunking_strategy={"type": "server_vad", "threshold": 0.5},
    )
    text = raw.parse().text
    assert text.startswith(told(MP3, "audio/mp3"))
    assert "spoken: de\n" in text
    assert text.endswith('"Köln \\"am\\" Rhein"')
    assert raw.headers["x-agcore-losses"] == "chunking_strategy=dropped; include=dropped"
    assert json.loads(upstream.requests[-1].body)["generationConfig"] == {"temperature": 0.25}


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("text", f"{HEARD}\n"),
        ("srt", "1\n00:00:00,000 --> 00:00:02,000\n{}\n\n2\n00:00:02,000 --> 00:00:04,500\n{}\n\n".format(*HALVES)),
        ("vtt", "WEBVTT\n\n00:00:00.000 --> 00:00:02.000\n{}\n\n00:00:02.000 --> 00:00:04.500\n{}\n\n".format(*HALVES)),
    ],
)
def test_speech_is_transcribed_as_plain_text(client: openai.OpenAI, form: Any, expected: str) -> None:
    answer = client.audio.transcriptions.create(model=EARS, file=("clip.wav", SOUND), response_format=form)
    assert answer == expected


def test_speech_is_transcribed_with_all_there_is_to_say(client: openai.OpenAI) -> None:
    answer = client.audio.transcriptions.create(
        model=EARS,
        file=("clip.wav", SOUND),
        response_format="verbose_json",
        timestamp_granularities=["word", "segment"],
    )
    assert (answer.text, answer.language, answer.duration) == (HEARD, "german", 5.0)
    assert [(each.id, each.start, each.end, each.text) for each in answer.segments or ()] == [
        (0, 0.0, 2.0, HALVES[0]),
        (1, 2.0, 4.5, HALVES[1]),
    ]
    assert [(each.word, each.start, each.end) for each in answer.words or ()] == [
        (word, float(index), index + 0.9) for index, word in enumerate(HEARD.split())
    ]
    assert answer.usage is not None
    assert answer.usage.seconds == 5.0
    # The SDK builds models from anything; whether all that they declare is there, their own check tells.
    type(answer).model_validate(answer.model_dump(), strict=True)


def test_speakers_are_not_told_apart(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="does not tell speakers apart") as caught:
        client.audio.transcriptions.create(model=EARS, file=("a.wav", SOUND), response_format="diarized_json")
    assert caught.value.param == "response_format"


def test_a_transcript_is_streamed(client: openai.OpenAI, upstream: Upstream) -> None:
    *deltas, done = client.audio.transcriptions.create(model=EARS, file=("clip.wav", SOUND), stream=True)
    assert upstream.requests[-1].target == b"/v1beta/models/vendor-real:streamGenerateContent?alt=sse"
    assert len(deltas) == len(HEARD.split())
    assert done.type == "transcript.text.done"
    assert "".join(event.delta for event in deltas if event.type == "transcript.text.delta") == done.text == HEARD
    assert done.usage is not None
    assert done.usage.output_tokens == 7


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")
def test_speech_is_translated(client: openai.OpenAI) -> None:
    answer = client.audio.translations.create(model=EARS, file=("clip.wav", SOUND))
    assert answer.text == f"english {HEARD}"
    verbose = client.audio.translations.create(model=EARS, file=("a.wav", SOUND), response_format="verbose_json")
    assert (verbose.language, verbose.duration) == ("english", 5.0)
    type(verbose).model_validate(verbose.model_dump(), strict=True)
    lines = client.audio.translations.create(model=EARS, file=("clip.wav", SOUND), response_format="srt")
    assert isinstance(lines, str)
    assert lines.startswith("1\n00:00:00,000 --> 00:00:02,000\nenglish ")


def test_what_is_no_recording_is_refused(client: openai.OpenAI, upstream: Upstream) -> None:
    seen = len(upstream.requests)
    with pytest.raises(openai.BadRequestError, match="WAV, MP3, FLAC") as caught:
        client.audio.transcriptions.create(model=EARS, file=("clip.wav", b"hello"))
    assert caught.value.param == "file"
    assert len(upstream.requests) == seen


def test_a_recording_that_is_too_large_is_refused_with_the_limit(client: openai.OpenAI) -> None:
    with pytest.raises(openai.APIStatusError, match="at most 14 MiB") as caught:
        client.audio.transcriptions.create(model=EARS, file=("clip.wav", wav(15_000)))
    assert caught.value.status_code == 413


def test_a_vendor_that_is_busy_is_told(client: openai.OpenAI) -> None:
    with pytest.raises(openai.RateLimitError, match=r"Slow down\."):
        client.audio.transcriptions.create(model="gemini/vendor-busy-ears", file=("clip.wav", SOUND))
