"""Images, audio, vectors and moderations by the OpenAI SDK, through each frontend to an upstream of its own dialect.

The upstream serves `vendor-real` only, so that every answer also says that the alias became that name.
"""

from __future__ import annotations

import base64
import io
import random
from collections.abc import Iterator

import openai
import pytest

from tests.sdk.conftest import CLIENT_KEY, UPSTREAM_KEY
from tests.support.media_upstream import SPEECH, Part, form_of
from tests.support.upstreams import Upstream

PICTURE = bytes(range(256)) * 20
MASK = b"\r\n--not-the-boundary\r\n\x00\xff" * 9
SOUND = random.Random(1).randbytes(40_000)


@pytest.fixture
def client(gateway_url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{gateway_url}/v1", api_key=CLIENT_KEY, max_retries=0) as client:
        yield client


def named(data: bytes, name: str) -> io.BytesIO:
    file = io.BytesIO(data)
    file.name = name
    return file


def heard(name: str, data: bytes, language: str) -> str:
    return f"{Part('file', name, '', data).digest} {language}"


def test_images_are_generated(client: openai.OpenAI, upstream: Upstream) -> None:
    answer = client.images.generate(model="alias", prompt="a cat", n=2, size="1024x1024")
    assert [base64.b64decode(image.b64_json or "") for image in answer.data or ()] == [b"a cat in 1024x1024"] * 2
    assert answer.usage is not None
    assert answer.usage.total_tokens == 8
    assert upstream.requests[-1].fields[b"authorization"] == b"Bearer " + UPSTREAM_KEY.encode()


def test_a_generated_image_is_streamed(client: openai.OpenAI) -> None:
    stream = client.images.generate(model="alias", prompt="a cat", size="auto", stream=True, partial_images=1)
    events = list(stream)
    assert [event.type for event in events] == ["image_generation.partial_image", "image_generation.completed"]
    assert base64.b64decode(events[1].b64_json) == b"a cat in auto"


def test_an_image_is_edited_with_a_mask(client: openai.OpenAI, upstream: Upstream) -> None:
    answer = client.images.edit(
        model="alias", prompt="more \u2600", image=named(PICTURE, "cat.png"), mask=named(MASK, "mask.png")
    )
    assert answer.background == "more \u2600"
    assert [base64.b64decode(image.b64_json or "") for image in answer.data or ()] == [PICTURE, MASK]
    assert [image.revised_prompt for image in answer.data or ()] == ["image image/png", "mask image/png"]
    sent = upstream.requests[-1]
    assert int(sent.fields[b"content-length"]) == len(sent.body)
    assert b"transfer-encoding" not in sent.fields


def test_several_images_are_edited_in_their_order(client: openai.OpenAI, upstream: Upstream) -> None:
    pictures = [PICTURE, PICTURE[::-1], b"x"]
    files = [named(data, f"{index}.png") for index, data in enumerate(pictures)]
    answer = client.images.edit(model="alias", prompt="merge", image=files)
    assert [base64.b64decode(image.b64_json or "") for image in answer.data or ()] == pictures
    assert [part.name for part in form_of(upstream.requests[-1]) if part.filename] == ["image[]"] * 3


def test_speech_is_transcribed_as_json(client: openai.OpenAI) -> None:
    answer = client.audio.transcriptions.create(model="alias", file=named(SOUND, "clip.wav"), language="en")
    assert answer.text == heard("clip.wav", SOUND, "en")


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("text", "{}\n"),
        ("srt", "1\n00:00:00,000 --> 00:00:01,000\n{}\n\n"),
        ("vtt", "WEBVTT\n\n00:00.000 --> 00:01.000\n{}\n\n"),
    ],
)
def test_speech_is_transcribed_as_plain_text(client: openai.OpenAI, form: str, expected: str) -> None:
    answer = client.audio.transcriptions.create(
        model="alias", file=named(SOUND, "clip.wav"), language="de", response_format=form
    )
    assert answer == expected.format(heard("clip.wav", SOUND, "de"))


def test_speech_is_transcribed_with_all_there_is_to_say(client: openai.OpenAI) -> None:
    answer = client.audio.transcriptions.create(
        model="alias",
        file=named(SOUND, "clip.wav"),
        response_format="verbose_json",
        timestamp_granularities=["word", "segment"],
    )
    assert answer.text == heard("clip.wav", SOUND, "?")
    assert [segment.text for segment in answer.segments or ()] == [answer.text]
    assert answer.model_extra == {"task": "transcribe", "asked": ["word", "segment"]}


def test_a_transcript_is_streamed(client: openai.OpenAI) -> None:
    stream = client.audio.transcriptions.create(model="alias", file=named(SOUND, "clip.wav"), stream=True)
    *deltas, done = stream
    assert {event.type for event in deltas} == {"transcript.text.delta"}
    assert done.type == "transcript.text.done"
    assert "".join(event.delta for event in deltas).strip() == done.text == heard("clip.wav", SOUND, "?")


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")
def test_speech_is_translated(client: openai.OpenAI) -> None:
    answer = client.audio.translations.create(model="alias", file=named(SOUND, "clip.wav"))
    assert answer.text == "translated " + heard("clip.wav", SOUND, "").strip()


def test_speech_is_made_whole(client: openai.OpenAI) -> None:
    answer = client.audio.speech.create(model="alias", voice="alloy", input="hello")
    assert answer.response.headers["content-type"] == "audio/mpeg"
    assert answer.read() == b"".join(SPEECH)


def test_speech_is_made_piece_by_piece(client: openai.OpenAI) -> None:
    with client.audio.speech.with_streaming_response.create(model="alias", voice="alloy", input="hello") as answer:
        pieces = list(answer.iter_bytes())
    assert len(pieces) > 1
    assert b"".join(pieces) == b"".join(SPEECH)


def test_speech_is_made_as_events(client: openai.OpenAI) -> None:
    with client.audio.speech.with_streaming_response.create(
        model="alias", voice="alloy", input="hello", stream_format="sse"
    ) as answer:
        text = answer.read().decode()
    assert text.count("event: speech.audio.delta\n") == len(SPEECH)
    assert text.count("event: speech.audio.done\n") == 1


def test_vectors_are_alike_as_base64_and_as_floats(client: openai.OpenAI, upstream: Upstream) -> None:
    packed = client.embeddings.create(model="alias", input=["one", "two"])
    assert b'"encoding_format":"base64"' in upstream.requests[-1].body.replace(b" ", b"")
    plain = client.embeddings.create(model="alias", input=["one", "two"], encoding_format="float")
    assert b"base64" not in upstream.requests[-1].body
    assert [each.embedding for each in packed.data] == [pytest.approx(each.embedding) for each in plain.data]
    assert len(packed.data[0].embedding) > 1
    assert packed.model == plain.model == "alias"
    assert b'"vendor-real"' in upstream.requests[-1].body


def test_texts_are_moderated(client: openai.OpenAI) -> None:
    answer = client.moderations.create(model="alias", input=["good", "bad"])
    assert [result.flagged for result in answer.results] == [False, True]


def test_a_form_without_a_model_is_refused_as_a_bad_request(client: openai.OpenAI, upstream: Upstream) -> None:
    seen = len(upstream.requests)
    with pytest.raises(openai.BadRequestError, match="`model` is required"):
        client.images.edit(prompt="more", image=named(PICTURE, "cat.png"))
    assert len(upstream.requests) == seen


def test_an_upstreams_refusal_reaches_the_client(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="there is no model 'vendor-other'"):
        client.audio.transcriptions.create(model="vendor-other", file=named(SOUND, "clip.wav"))
