"""Pictures drawn by Google's models for OpenAI's clients: calls side by side, their answers, and the ways to go."""

from __future__ import annotations

import base64
import json
from typing import Any, Final

import pytest

from agcore import (
    AbortUpstream,
    SendHead,
    Sent,
    Stage,
    State,
    UpstreamConnected,
    UpstreamData,
    UpstreamEnd,
    UpstreamFailed,
    UpstreamHead,
)
from agcore.codecs.sse import Decoder
from agcore.config.values import Config, Endpoint, Limits, ModelRule, Provider, Proxy, Secret
from agcore.protocol.http import Origin
from agcore.protocol.inputs import ClientGone
from agcore_sim.story import JSON, SSE, Story, gateway
from tests.support.edges import FORM, MIB, PROVIDER_KEY, cut, feed, form, part
from tests.support.pictures import coded, jpeg, png

NANO: Final = "gemini-3-pro-image"
IMAGEN: Final = "imagen-4.0-generate-001"
GENERATE: Final = "/v1/images/generations"
EDIT: Final = "/v1/images/edits"
PICTURE: Final = png(1024, 768)
BUSY: Final = b'{"error": {"code": 429, "message": "slow down", "status": "RESOURCE_EXHAUSTED"}}'
GONE: Final = b'{"error": {"code": 500, "message": "an internal error", "status": "INTERNAL"}}'


def provider(name: str, *dialects: str, keys: int = 1) -> Provider:
    auths = {"openai": ("bearer", b"/v1"), "gemini": ("x-goog-api-key", b""), "anthropic": ("x-api-key", b"")}
    endpoints = {
        each: Endpoint(each, Origin("https", f"{name}.example", 443), auths[each][1], auths[each][0])
        for each in dialects
    }
    return Provider(
        name=name, endpoints=endpoints, keys=tuple(Secret(f"{PROVIDER_KEY}-{name}-{key}") for key in range(keys))
    )


def setup(*steps: str, on_loss: str = "report", limits: Limits | None = None, keys: int = 1, **more: Any) -> Config:
    """The model `m`, which is asked for at `provider/model` of each step, one after the other."""
    chain = tuple((tuple(step.split("/", 1)),) for step in steps)
    return Config(
        proxy=Proxy(on_loss=on_loss),
        limits=limits or Limits(),
        providers=(
            provider("google", "gemini", keys=keys),
            provider("other", "gemini"),
            provider("openai", "openai"),
            provider("both", "openai", "gemini"),
            provider("words", "anthropic"),
        ),
        models=(ModelRule("m", chain),),  # type: ignore[arg-type]
        **more,
    )


def draw(
    *steps: str, path: str = GENERATE, body: dict[str, Any] | bytes | None = None, attempts: int = 4, **more: Any
) -> Story:
    """A story up to the calls for pictures."""
    options = {name: more.pop(name) for name in ("on_loss", "limits", "keys", "capabilities") if name in more}
    story = Story(gateway(setup(*(steps or (f"google/{NANO}",)), **options), attempts=attempts))
    asked = {"model": "m", "prompt": "a cat", **more} if body is None else body
    story.open("POST", path, body=asked if isinstance(asked, bytes) else json.dumps(asked).encode())
    return story


def edit(*parts: bytes, steps: tuple[str, ...] = (f"google/{NANO}",), pieces: int = 256 * 1024, **more: Any) -> Story:
    """A story up to the calls for an edit by a form."""
    story = Story(gateway(setup(*steps, **more), attempts=4))
    story.open("POST", EDIT, headers=((b"content-type", FORM),))
    return feed(story, cut(form(*parts), pieces))


MODEL: Final = part("model", b"m")
PROMPT: Final = part("prompt", b"more \xe2\x98\x80")
IMAGE: Final = part("image", PICTURE, file=True)


def sent(story: Story, leg: int = 1) -> dict[str, Any]:
    body = story.requests[leg].body
    assert isinstance(body, bytes)
    decoded: dict[str, Any] = json.loads(body)
    return decoded


def error(story: Story) -> Any:
    return json.loads(story.body)["error"]


def hosts(story: Story) -> list[str]:
    return [request.origin.host.removesuffix(".example") for request in story.requests.values()]


def gemini(*pictures: bytes, text: str = "", tokens: int = 1290) -> bytes:
    """A Gemini model's answer with these pictures."""
    parts: list[dict[str, Any]] = [{"text": text}] if text else []
    parts += [{"inlineData": {"mimeType": "image/png", "data": coded(each)}} for each in pictures]
    usage = {
        "promptTokenCount": 5,
        "candidatesTokenCount": tokens,
        "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": tokens}],
    }
    candidate = {"content": {"role": "model", "parts": parts}, "finishReason": "STOP"}
    return json.dumps({"candidates": [candidate], "usageMetadata": usage}).encode()


def imagen(*pictures: bytes) -> bytes:
    """An Imagen model's answer with these pictures."""
    made = [{"mimeType": "image/png", "bytesBase64Encoded": coded(each)} for each in pictures]
    return json.dumps({"predictions": made}).encode()


def connect(story: Story, *legs: int) -> None:
    for leg in legs:
        story.tell(UpstreamConnected(leg, reused=False))


def answer(story: Story, status: int, body: bytes, *, leg: int) -> None:
    """The answer on a leg that is connected."""
    story.tell(UpstreamHead(leg, status, JSON))
    story.tell(UpstreamData(leg, body))
    story.tell(UpstreamEnd(leg))


def shown(story: Story) -> list[bytes]:
    """The pictures of an answer."""
    return [base64.b64decode(each["b64_json"]) for each in json.loads(story.body)["data"]]


def events(story: Story) -> list[Any]:
    return [json.loads(frame.data) for frame in Decoder().feed(story.body) if frame.data is not None]


# Requests


def test_each_picture_is_a_call_of_a_gemini_model() -> None:
    story = draw(n=3, size="1024x1024", quality="low")
    assert [request.target for request in story.requests.values()] == [
        b"/v1beta/models/gemini-3-pro-image:generateContent"
    ] * 3
    assert sent(story, 1) == sent(story, 2) == sent(story, 3)
    assert sent(story) == {
        "contents": [{"role": "user", "parts": [{"text": "a cat"}]}],
        "generationConfig": {
            "responseModalities": ["TEXT", "IMAGE"],
            "imageConfig": {"aspectRatio": "1:1", "imageSize": "1K"},
        },
    }
    fields = dict(story.requests[1].headers)
    assert fields[b"x-goog-api-key"].startswith(PROVIDER_KEY.encode())
    assert (fields[b"content-type"], fields[b"accept"]) == (b"application/json", b"application/json")


@pytest.mark.parametrize(("n", "counts"), [(1, [1]), (4, [4]), (6, [4, 2]), (10, [4, 4, 2])])
def test_up_to_four_pictures_are_a_call_of_an_imagen_model(n: int, counts: list[int]) -> None:
    story = draw(f"google/{IMAGEN}", n=n)
    assert {request.target for request in story.requests.values()} == {
        b"/v1beta/models/imagen-4.0-generate-001:predict"
    }
    assert [sent(story, leg)["parameters"]["sampleCount"] for leg in story.requests] == counts


def test_a_provider_of_the_clients_own_dialect_gets_the_request_as_it_is() -> None:
    for where in ("openai", "both"):
        story = draw(f"{where}/m", body=b'{"model": "m", "prompt": "a cat", "x_new": 1.50, "n": 99}')
        assert story.requests[1].target == b"/v1/images/generations"
        assert story.requests[1].body == b'{"model": "m", "prompt": "a cat", "x_new": 1.50, "n": 99}'


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"prompt": ""}, "prompt"),
        ({"prompt": None}, "prompt"),
        ({"n": 0}, "n"),
        ({"n": 11}, "n"),
        ({"n": "3"}, "n"),
        ({"size": "huge"}, "size"),
        ({"quality": "best"}, "quality"),
        ({"output_format": "svg"}, "output_format"),
        ({"partial_images": 4}, "partial_images"),
    ],
)
def test_what_cannot_be_asked_is_a_400_that_names_the_field(more: dict[str, Any], param: str) -> None:
    story = draw(**more)
    assert (story.status, error(story)["param"], story.requests) == (400, param, {})


def test_what_is_nested_too_deeply_is_a_400() -> None:
    deep = b'{"model": "m", "prompt": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    assert draw(body=deep).status == 400


def test_a_model_that_draws_nothing_says_so() -> None:
    story = draw("google/gemini-3-pro")
    assert (story.status, error(story)["param"], story.requests) == (400, "model", {})
    assert "'gemini-3-pro' at 'google' draws no pictures" in error(story)["message"]


def test_a_model_that_nothing_is_known_of_is_asked_and_the_configuration_knows_best() -> None:
    assert draw("google/brand-new").requests[1].target.endswith(b"brand-new:generateContent")
    draws = {"brand-new": {"image_output": True, "chat": False}}
    assert draw("google/brand-new", capabilities=draws).requests[1].target.endswith(b"brand-new:predict")


def test_a_provider_without_pictures_is_told_so() -> None:
    story = draw("words/m")
    assert (story.status, error(story)["code"]) == (400, "translation_not_available")
    assert "speaks anthropic only; images need one of openai, gemini" in error(story)["message"]


# Answers


def test_pictures_of_all_calls_are_one_answer_in_their_order() -> None:
    story = draw(n=3)
    for leg in (2, 3, 1):
        assert not story.finished
        story.upstream_answers(200, gemini(png(10, leg)), leg=leg)
    assert shown(story) == [png(10, 1), png(10, 2), png(10, 3)]
    told = json.loads(story.body)
    assert (told["size"], told["output_format"]) == ("10x1", "png")
    assert (told["usage"]["input_tokens"], told["usage"]["output_tokens"]) == (15, 3 * 1290)
    assert told["usage"]["output_tokens_details"]["image_tokens"] == 3 * 1290
    row: Any = story.row
    assert (row["usage"]["fresh"], row["usage"]["output"], row["attempts"], row["model"]) == (15, 3870, 3, "m")
    assert story.headers[b"x-agcore-provider"] == b"google"
    assert (story.headers[b"x-agcore-model"], story.headers[b"x-agcore-attempts"]) == (NANO.encode(), b"1")
    assert story.gateway.buffered == 0


def test_pictures_of_imagen_come_as_data_urls_where_urls_are_asked_for() -> None:
    story = draw(f"google/{IMAGEN}", n=2, response_format="url")
    story.upstream_answers(200, imagen(png(1, 1), png(2, 2)))
    urls = [each["url"] for each in json.loads(story.body)["data"]]
    assert urls == [f"data:image/png;base64,{coded(png(each, each))}" for each in (1, 2)]
    assert "usage" not in json.loads(story.body)


def test_what_was_lost_is_told() -> None:
    story = draw(n=1, background="transparent", user="u")
    story.upstream_answers(200, gemini(PICTURE, text="Here you are."))
    assert story.headers[b"x-agcore-losses"] == b"background=dropped; user=dropped; text=dropped"
    losses: Any = story.row["losses"]
    assert [loss["path"] for loss in losses] == ["background", "user", "text"]


def test_losses_are_refused_where_the_configuration_says_so() -> None:
    story = draw(on_loss="reject", background="transparent")
    assert (story.status, error(story)["code"], story.requests) == (400, "not_translatable", {})
    assert draw(on_loss="reject", user="u").requests


def test_a_200_without_a_picture_is_an_error_in_the_models_words() -> None:
    story = draw()
    story.upstream_answers(200, gemini(text="I would rather not."))
    assert (story.status, error(story)["code"]) == (502, "no_image")
    assert "I would rather not." in error(story)["message"]


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b'{"predictions": "x"}'])
def test_an_answer_that_is_none_is_a_502(body: bytes) -> None:
    story = draw(f"google/{IMAGEN}")
    story.upstream_answers(200, body)
    assert story.status == 502


def test_a_key_in_an_upstreams_error_is_not_shown() -> None:
    story = draw()
    story.upstream_answers(400, b'{"error": {"code": 400, "message": "bad %b-google-0"}}' % PROVIDER_KEY.encode())
    assert story.status == 400
    assert PROVIDER_KEY not in story.body.decode()


def test_each_answer_may_be_as_large_as_any_and_no_larger() -> None:
    limits = Limits(max_json_mb=0.01)
    story = draw(n=2, limits=limits)
    for leg in (1, 2):
        story.upstream_answers(200, gemini(png(1, leg) + bytes(5000)), leg=leg)
    assert (story.status, len(shown(story))) == (200, 2)
    story = draw(limits=limits)
    story.upstream_answers(200, gemini(png(1, 1) + bytes(9000)))
    assert (story.status, "larger than" in error(story)["message"]) == (502, True)
    assert story.gateway.buffered == 0


def test_answers_share_the_bound_of_memory() -> None:
    story = draw(n=2, limits=Limits(max_buffered_mb=0.01))
    story.upstream_answers(200, gemini(png(1, 1) + bytes(6000)), leg=1)
    story.upstream_answers(200, gemini(png(1, 2) + bytes(6000)), leg=2)
    assert (story.status, story.gateway.buffered) == (503, 0)


# Failures, and other ways


def test_what_was_drawn_is_handed_out_though_another_call_failed() -> None:
    story = draw(n=3, attempts=1)
    story.upstream_answers(200, gemini(png(1, 1)), leg=1)
    story.upstream_answers(429, BUSY, leg=2)
    story.upstream_answers(500, GONE, leg=3)
    assert (story.status, shown(story)) == (200, [png(1, 1)])
    losses: Any = story.row["losses"]
    assert [(loss["path"], loss["action"]) for loss in losses] == [("n", "answered with 1 of 3 images")]
    assert "slow down; an internal error" in losses[0]["why"]


def test_a_call_that_failed_last_counts_as_failed_though_the_others_drew() -> None:
    story = draw(n=2, attempts=1)
    story.upstream_answers(200, gemini(png(1, 1)), leg=1)
    story.upstream_answers(429, BUSY, leg=2, headers=(*JSON, (b"retry-after", b"90")))
    assert (story.status, shown(story)) == (200, [png(1, 1)])
    again = Story(story.gateway)
    again.open("POST", GENERATE, body=b'{"model":"m","prompt":"a cat"}')
    assert (again.status, again.requests) == (429, {})


def test_where_no_call_drew_anything_the_first_fault_is_the_answer() -> None:
    story = draw(n=2, attempts=1)
    story.upstream_answers(500, GONE, leg=2)
    assert not story.finished
    story.upstream_answers(429, BUSY, leg=1, headers=(*JSON, (b"retry-after", b"9")))
    assert (story.status, error(story)["message"]) == (429, "slow down")
    assert story.headers[b"retry-after"] == b"9"


def test_a_refused_call_goes_to_another_key_and_calls_share_the_attempts() -> None:
    story = draw(n=2, keys=2, attempts=2)
    first, second = (dict(request.headers)[b"x-goog-api-key"] for request in story.requests.values())
    assert first != second
    story.upstream_answers(429, BUSY, leg=1)
    assert dict(story.requests[3].headers)[b"x-goog-api-key"] == second
    story.upstream_answers(200, gemini(png(1, 1)), leg=3)
    story.upstream_answers(429, BUSY, leg=2)  # no attempt is left
    assert (story.status, shown(story)) == (200, [png(1, 1)])
    assert story.headers[b"x-agcore-attempts"] == b"2"


def test_keys_take_turns_for_single_pictures() -> None:
    shared = gateway(setup(f"google/{NANO}", keys=2))
    used = []
    for _ in range(4):
        story = Story(shared)
        story.open("POST", GENERATE, body=b'{"model": "m", "prompt": "a cat"}')
        used.append(dict(story.requests[1].headers)[b"x-goog-api-key"][-1:])
        story.upstream_answers(200, gemini(PICTURE))
    assert sorted(used) == [b"0", b"0", b"1", b"1"]


def test_a_limited_key_is_probed_for_a_picture() -> None:
    first = draw(attempts=1)
    first.upstream_answers(429, BUSY, headers=(*JSON, (b"retry-after", b"3000")))
    for after, status in ((30, 429), (330, 200)):
        story = Story(first.gateway)
        story.now += after
        story.open("POST", GENERATE, body=b'{"model": "m", "prompt": "a cat"}')
        if story.requests:
            story.upstream_answers(200, gemini(PICTURE))
        assert story.status == status


@pytest.mark.parametrize("status", [429, 503, 404, 401])
def test_what_was_refused_goes_to_a_later_way_of_another_dialect(status: int) -> None:
    story = draw(f"google/{NANO}", "openai/gpt-image-2", n=2)
    for leg in (1, 2):
        story.upstream_answers(status, b'{"error": {"message": "no"}}', leg=leg)
    assert hosts(story) == ["google", "google", "openai"]
    assert sent(story, 3) == {"model": "gpt-image-2", "prompt": "a cat", "n": 2}
    story.upstream_answers(200, b'{"created": 1, "data": [{"b64_json": "QQ=="}]}', leg=3)
    assert (story.status, story.body) == (200, b'{"created": 1, "data": [{"b64_json": "QQ=="}]}')
    assert story.headers[b"x-agcore-provider"] == b"openai"
    assert story.gateway.buffered == 0


def test_a_stream_that_opens_early_tells_who_is_asked_now() -> None:
    story = draw(f"google/{NANO}", f"other/{NANO}", stream=True)
    story.upstream_answers(429, b"{}")
    connect(story, 2)
    story.wait(40)
    assert story.exchange.state is State.OPENED
    assert (story.headers[b"x-agcore-provider"], story.headers[b"x-agcore-attempts"]) == (b"other", b"2")


def test_what_openai_refused_goes_to_a_gemini_model_and_to_imagen_then() -> None:
    story = draw("openai/gpt-image-2", f"google/{NANO}", f"other/{IMAGEN}")
    story.upstream_answers(429, b'{"error": {"message": "no"}}')
    story.upstream_answers(429, BUSY)
    story.upstream_answers(200, imagen(PICTURE))
    assert hosts(story) == ["openai", "google", "other"]
    assert (story.status, shown(story)) == (200, [PICTURE])
    assert story.headers[b"x-agcore-attempts"] == b"3"


def test_the_attempts_of_all_ways_are_counted_together() -> None:
    story = draw("openai/gpt-image-2", f"google/{NANO}", f"other/{IMAGEN}", attempts=2)
    story.upstream_answers(429, b'{"error": {"message": "no"}}')
    story.upstream_answers(429, BUSY)
    assert (story.status, hosts(story)) == (429, ["openai", "google"])


def test_what_may_have_been_drawn_and_paid_for_is_not_asked_for_again() -> None:
    for failed in (500, 0):
        story = draw(f"google/{NANO}", "openai/gpt-image-2", n=2)
        story.upstream_answers(429, BUSY, leg=1)
        if failed:
            story.upstream_answers(failed, GONE, leg=2)
        else:
            story.tell(UpstreamConnected(2, reused=False))
            story.upstream_breaks(leg=2, stage=Stage.HEAD)
        assert (story.status, hosts(story)) == (429, ["google", "google"])


def test_what_is_wrong_with_the_request_is_wrong_everywhere() -> None:
    story = draw(f"google/{NANO}", "openai/gpt-image-2")
    story.upstream_answers(200, b'{"promptFeedback": {"blockReason": "SAFETY"}}')
    assert (story.status, error(story)["code"], len(story.requests)) == (400, "moderation_blocked", 1)


def test_a_way_that_cannot_do_it_is_passed_over() -> None:
    story = draw("google/gemini-3-pro", f"other/{NANO}")
    assert hosts(story) == ["other"]
    story = draw(f"google/{NANO}", "openai/gpt-image-2", output_format="gif")
    assert hosts(story) == ["openai"]


def test_a_stale_connection_costs_nothing() -> None:
    story = draw()
    story.tell(UpstreamConnected(1, reused=True))
    story.tell(UpstreamFailed(1, Stage.SEND, Sent.NONE, True, "closed"))
    story.upstream_answers(200, gemini(PICTURE), leg=2)
    assert (story.status, story.headers[b"x-agcore-attempts"]) == (200, b"1")


def test_a_client_that_leaves_takes_all_calls_along() -> None:
    story = draw(n=3)
    effects = story.tell(ClientGone())
    assert {AbortUpstream(leg) for leg in (1, 2, 3)} <= {each for each in effects if isinstance(each, AbortUpstream)}
    assert story.gateway.buffered == 0


# Streams


def test_a_stream_shows_the_pictures_of_each_call_when_it_ends() -> None:
    story = draw(n=2, stream=True, size="1024x1024")
    story.upstream_answers(200, gemini(png(1, 2)), leg=2)
    assert (story.status, story.exchange.state) == (200, State.COMMITTED)
    assert story.headers[b"content-type"].startswith(b"text/event-stream")
    assert story.headers[b"x-agcore-provider"] == b"google"
    story.upstream_answers(200, gemini(png(1, 1)), leg=1)
    assert (story.ended, story.row["outcome"]) == (True, "ok")
    assert [each["type"] for each in events(story)] == ["image_generation.completed"] * 2
    assert [base64.b64decode(each["b64_json"]) for each in events(story)] == [png(1, 2), png(1, 1)]
    assert [each["usage"]["output_tokens"] for each in events(story)] == [1290, 1290]
    usage: Any = story.row["usage"]
    assert (usage["fresh"], usage["output"]) == (10, 2580)
    assert story.gateway.buffered == 0


def test_a_stream_shows_no_more_pictures_than_were_asked_for() -> None:
    story = draw(n=2, stream=True)
    story.upstream_answers(200, gemini(png(1, 1), png(2, 2), png(3, 3)), leg=1)
    story.upstream_answers(200, gemini(png(4, 4)), leg=2)
    assert [each["size"] for each in events(story)] == ["1x1", "2x2"]
    assert story.row["outcome"] == "ok"


def test_a_stream_is_kept_alive_before_and_between_pictures() -> None:
    story = draw(n=2, stream=True)
    connect(story, 1, 2)
    story.wait(40)
    assert story.exchange.state is State.OPENED
    before = story.body
    assert before == b": keepalive\n\n" * before.count(b"\n\n") != b""
    answer(story, 200, gemini(png(1, 1)), leg=1)
    assert len(events(story)) == 1
    after = story.body
    story.wait(19)
    assert story.body.removeprefix(after).startswith(b": keepalive\n\n")
    answer(story, 200, gemini(png(2, 2)), leg=2)
    assert [each["size"] for each in events(story)] == ["1x1", "2x2"]


def test_a_stream_that_its_first_picture_opened_is_kept_alive_too() -> None:
    story = draw(f"google/{NANO}", "openai/gpt-image-2", n=2, stream=True)
    connect(story, 1, 2)
    answer(story, 200, gemini(png(1, 1)), leg=1)
    shown_first = story.body
    story.wait(19)
    assert story.body == shown_first + b": keepalive\n\n"


def test_nothing_is_kept_alive_while_an_answer_may_still_be_no_stream() -> None:
    story = draw(f"google/{NANO}", "openai/gpt-image-2", stream=True)
    connect(story, 1)
    story.wait(50)
    assert not any(isinstance(effect, SendHead) for effect in story.effects)
    answer(story, 429, BUSY, leg=1)
    story.upstream_answers(200, b'{"created": 1, "data": [{"b64_json": "QQ=="}]}', leg=2)
    assert (story.status, story.body) == (200, b'{"created": 1, "data": [{"b64_json": "QQ=="}]}')


def test_a_stream_of_openais_passes_after_others_failed() -> None:
    story = draw(f"google/{NANO}", "openai/gpt-image-2", stream=True)
    story.upstream_answers(429, BUSY)
    event = b'data: {"type": "image_generation.completed", "b64_json": "QQ=="}\n\n'
    story.upstream_answers(200, event, headers=SSE)
    assert (story.status, story.body, story.ended) == (200, event, True)


def test_a_stream_that_nothing_was_drawn_for_is_an_honest_error() -> None:
    story = draw(n=2, stream=True, attempts=1)
    story.upstream_answers(429, BUSY, leg=1)
    story.upstream_answers(500, GONE, leg=2)
    assert (story.status, error(story)["message"]) == (429, "slow down")
    assert story.headers[b"content-type"] == b"application/json"


def test_an_open_stream_that_nothing_was_drawn_for_ends_in_an_error() -> None:
    story = draw(stream=True, attempts=1)
    connect(story, 1)
    story.wait(30)
    answer(story, 500, GONE, leg=1)
    assert story.status == 200
    assert events(story)[-1]["error"]["message"] == "an internal error"
    assert (story.ended, story.row["outcome"]) == (True, "error")


def test_a_failure_beside_pictures_is_told_last() -> None:
    story = draw(n=3, stream=True, attempts=1)
    story.upstream_answers(200, gemini(png(1, 1)), leg=1)
    story.upstream_answers(429, BUSY, leg=2)
    assert not story.finished
    story.upstream_answers(200, gemini(png(3, 3)), leg=3)
    first, second, last = events(story)
    assert (first["size"], second["size"], last["error"]["message"]) == ("1x1", "3x3", "slow down")
    assert b"event: error\n" in story.body
    assert (story.ended, story.row["outcome"]) == (True, "error")


# Edits


def test_a_form_is_a_prompt_with_pictures() -> None:
    story = edit(MODEL, PROMPT, IMAGE, part("n", b"2"))
    assert sent(story)["contents"][0]["parts"] == [
        {"text": "more ☀"},
        {"inlineData": {"mimeType": "image/png", "data": coded(PICTURE)}},
    ]
    fields = dict(story.requests[1].headers)
    assert fields[b"content-type"] == b"application/json"
    for leg in (1, 2):
        story.upstream_answers(200, gemini(png(1, leg)), leg=leg)
    assert shown(story) == [png(1, 1), png(1, 2)]
    assert story.gateway.buffered == 0


def test_several_pictures_go_along_in_their_order_wherever_the_model_stands() -> None:
    pictures = (png(1, 1), jpeg(2, 2), png(3, 3))
    files = [part("image[]", each, file=True) for each in pictures]
    for parts in ((MODEL, PROMPT, *files), (*files, PROMPT, MODEL)):
        told = sent(edit(*parts))["contents"][0]["parts"][1:]
        assert [base64.b64decode(each["inlineData"]["data"]) for each in told] == list(pictures)
        assert [each["inlineData"]["mimeType"] for each in told] == ["image/png", "image/jpeg", "image/png"]


def test_json_is_taken_for_edits_too() -> None:
    url = f"data:image/png;base64,{coded(PICTURE)}"
    body = {"model": "m", "prompt": "more", "images": [{"image_url": url}], "stream": True}
    story = draw(path=EDIT, body=body)
    assert sent(story)["contents"][0]["parts"][1] == {"inlineData": {"mimeType": "image/png", "data": coded(PICTURE)}}
    story.upstream_answers(200, gemini(png(9, 9)))
    assert [each["type"] for each in events(story)] == ["image_edit.completed"]


def test_json_edits_pass_as_they_are_to_openais_dialect() -> None:
    body = b'{"model": "m", "images": [{"file_id": "file-1"}], "x_new": 1.50}'
    story = draw("openai/m", path=EDIT, body=body)
    assert (story.requests[1].target, story.requests[1].body) == (b"/v1/images/edits", body)


def test_a_mask_is_refused_by_those_who_cannot_keep_to_it() -> None:
    mask = part("mask", png(4, 4), file=True)
    story = edit(MODEL, PROMPT, IMAGE, mask)
    assert (story.status, error(story)["param"], error(story)["code"]) == (400, "mask", "not_translatable")
    assert "say in the prompt what is to change" in error(story)["message"]
    story = edit(MODEL, PROMPT, IMAGE, mask, steps=(f"google/{NANO}", "openai/gpt-image-2"))
    assert hosts(story) == ["openai"]
    assert story.requests[1].body == form(part("model", b"gpt-image-2"), PROMPT, IMAGE, mask)


def test_a_form_goes_to_the_other_dialect_both_ways() -> None:
    story = edit(MODEL, PROMPT, IMAGE, steps=(f"google/{NANO}", "openai/gpt-image-2", f"other/{NANO}"))
    story.upstream_answers(429, BUSY)
    assert story.requests[2].body == form(part("model", b"gpt-image-2"), PROMPT, IMAGE)
    assert dict(story.requests[2].headers)[b"content-type"] == FORM
    story.upstream_answers(503, b'{"error": {"message": "no"}}')
    assert sent(story, 3)["contents"][0]["parts"][0] == {"text": "more ☀"}
    story.upstream_answers(200, gemini(png(1, 1)))
    assert (hosts(story), shown(story)) == (["google", "openai", "other"], [png(1, 1)])
    assert story.gateway.buffered == 0


@pytest.mark.parametrize(
    ("parts", "param"),
    [
        ((MODEL, IMAGE), "prompt"),
        ((MODEL, PROMPT), "image"),
        ((MODEL, PROMPT, part("image", b"", file=True)), "image"),
        ((MODEL, PROMPT, part("image", b"<svg>", file=True)), "image"),
        ((MODEL, PROMPT, PROMPT, IMAGE), "prompt"),
        ((MODEL, MODEL, PROMPT, IMAGE), "model"),
        ((PROMPT, IMAGE), "model"),
        ((MODEL, PROMPT, IMAGE, part("n", b"11")), "n"),
        ((MODEL, PROMPT, IMAGE, part("n", b"9" * 5000)), "n"),
        ((MODEL, PROMPT, *[IMAGE] * 17), "image"),
        ((MODEL, part("prompt", b"\xff"), IMAGE), "prompt"),
    ],
)
def test_a_form_that_asks_for_nothing_sensible_is_a_400(parts: tuple[bytes, ...], param: str) -> None:
    story = edit(*parts)
    assert (story.status, error(story)["param"], story.requests) == (400, param, {})


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (form(MODEL, PROMPT, *[part("x", b"")] * 10_000), 413),
        (form(MODEL, part("prompt", b"x" * 70_000), IMAGE), 413),
        (form(MODEL, PROMPT, IMAGE).replace(b"--edge", b"--other"), 400),
        (form(MODEL, PROMPT, IMAGE)[:-9], 400),
        (b"", 400),
    ],
    ids=["10,000 parts", "a long prompt", "a wrong boundary", "no end", "nothing"],
)
def test_a_form_that_is_none_is_refused(body: bytes, status: int) -> None:
    story = Story(gateway(setup(f"google/{NANO}")))
    story.open("POST", EDIT, headers=((b"content-type", FORM),))
    feed(story, cut(body, 64 * 1024))
    assert (story.status, story.requests) == (status, {})
    assert story.gateway.buffered == 0


@pytest.mark.parametrize("kind", [b"text/plain", b"multipart/mixed; boundary=edge", b""])
def test_what_is_neither_a_form_nor_json_is_refused_before_its_body(kind: bytes) -> None:
    story = Story(gateway(setup(f"google/{NANO}")))
    story.open("POST", EDIT, headers=((b"content-type", kind),) if kind else ())
    assert (story.status, story.finished) == (415, True)


@pytest.mark.parametrize("images", [[], "x", [{}], [{"image_url": "data:image/png;base64,!!"}], [{"image_url": "x:"}]])
def test_json_without_pictures_is_a_400(images: Any) -> None:
    story = draw(path=EDIT, body={"model": "m", "prompt": "more", "images": images})
    assert (story.status, story.requests) == (400, {})


# How much of a form is held


def big(size: int) -> bytes:
    return part("image", PICTURE + bytes(size), file=True)


@pytest.mark.parametrize("parts", [(MODEL, PROMPT, big(4 * MIB)), (big(4 * MIB), PROMPT, MODEL)])
def test_a_form_that_is_translated_is_held_as_a_whole(parts: tuple[bytes, ...]) -> None:
    story = edit(*parts)
    data = sent(story)["contents"][0]["parts"][1]["inlineData"]["data"]
    assert base64.b64decode(data) == PICTURE + bytes(4 * MIB)


@pytest.mark.parametrize("parts", [(MODEL, PROMPT, big(4 * MIB)), (big(4 * MIB), PROMPT, MODEL)])
def test_a_form_that_is_too_large_to_be_translated_is_a_413_unless_somebody_takes_it_as_it_is(
    parts: tuple[bytes, ...],
) -> None:
    limits = Limits(max_json_mb=4)
    story = edit(*parts, limits=limits)
    assert (story.status, error(story)["code"], story.requests) == (413, "request_too_large", {})
    assert "3145728 bytes" in error(story)["message"]
    story = edit(*parts, limits=limits, steps=(f"google/{NANO}", "openai/m"))
    assert hosts(story) == ["openai"]


@pytest.mark.parametrize("parts", [(MODEL, PROMPT, big(20 * MIB)), (PROMPT, big(40 * MIB), MODEL)])
def test_a_form_that_can_only_pass_through_is_not_held(parts: tuple[bytes, ...]) -> None:
    body = form(*parts)
    story = Story(gateway(setup("openai/m")))
    story.open("POST", EDIT, headers=((b"content-type", FORM), (b"content-length", b"%d" % len(body))))
    most = 0
    for piece in cut(body, 256 * 1024):
        feed(story, [piece], end=False)
        most = max(most, story.gateway.buffered)
    assert most < 2 * MIB


# Imagen for Google's own clients


def test_predict_passes_through_and_is_not_repeated() -> None:
    story = Story(gateway(setup(f"google/{IMAGEN}"), attempts=3))
    body = b'{"instances": [{"prompt": "a cat"}], "parameters": {"sampleCount": 2}}'
    story.open("POST", "/v1beta/models/m:predict", body=body)
    assert story.requests[1].target == b"/v1beta/models/imagen-4.0-generate-001:predict"
    assert story.requests[1].body == body
    story.upstream_answers(500, GONE)
    assert (story.status, len(story.requests)) == (500, 1)
    story = draw("openai/m", path="/v1beta/models/m:predict", body=body)
    assert (story.status, story.requests) == (400, {})
