"""Calls of the vision tools: where pictures come from, what the model is asked, and what becomes of its answer."""

from __future__ import annotations

import json
import tracemalloc
from base64 import b64decode, b64encode
from typing import Any

import msgspec
import pytest

from agcore import (
    AbortUpstream,
    Config,
    FileRead,
    FileRefused,
    Gateway,
    Headers,
    Notified,
    OpenUpstream,
    ReadFile,
    Sent,
    Stage,
    UpstreamConnected,
    UpstreamData,
    UpstreamFailed,
    UpstreamHead,
)
from agcore.config.values import Limits, ModelRule
from agcore.mcp.sources import BadSource, parse, type_of
from agcore.mcp.vision_tools import TOOLS
from agcore_sim.story import SSE, Story, gateway
from tests.support.vision import (
    JPEG,
    MP4,
    PNG,
    Client,
    answered,
    chat,
    data_uri,
    events,
    failure,
    provider,
    result,
    setup,
    text_of,
    tool_call,
)

MIB = 1024 * 1024
ROOTS = ("/srv/pictures",)


def call(message: dict[str, Any] | None = None, *, config: Config | None = None, by: Gateway | None = None) -> Story:
    """A story up to what a call of a tool brings about first."""
    client = Client(by or gateway(config or setup()))
    client.begin()
    return client.post(message or tool_call())


def of_image(source: str, *, config: Config | None = None) -> Story:
    return call(tool_call(image_source=source, prompt="What is it?"), config=config)


def refusal(story: Story) -> str:
    """What the tool says that did not do its work, and that nobody was asked."""
    return text_of(result(story), is_error=True)


def asked(story: Story, leg: int | None = None) -> Any:
    """What the model is asked."""
    body = story.requests[max(story.requests) if leg is None else leg].body
    assert isinstance(body, bytes)
    return json.loads(body)


def fetched(story: Story, leg: int = 1) -> OpenUpstream:
    """How a picture is fetched."""
    (effect,) = (each for each in story.effects if isinstance(each, OpenUpstream) and each.leg == leg)
    return effect


# What the model is asked, in each dialect.


def test_chat_is_asked_with_the_picture_before_the_words() -> None:
    story = call(config=setup("openai"))
    assert (story.requests[1].method, story.requests[1].target) == ("POST", b"/v1/chat/completions")
    body = asked(story)
    assert (body["model"], body["stream"]) == ("glm-4.6v", True)
    picture, words = body["messages"][0]["content"]
    assert picture == {"type": "image_url", "image_url": {"url": data_uri()}}
    assert words["text"].endswith("Request: What is it?")
    assert text_of(result(answered(story, "A ", "cat."))) == "A cat."


def test_responses_are_asked() -> None:
    story = call(config=setup("openai_responses", model="eyes/gpt-5"))
    assert story.requests[1].target == b"/v1/responses"
    picture, words = asked(story)["input"][0]["content"]
    assert (picture["type"], picture["image_url"]) == ("input_image", data_uri())
    assert words["type"] == "input_text"
    answer = {
        "id": "r",
        "object": "response",
        "status": "completed",
        "output": [{"type": "message", "content": [{"type": "output_text", "text": "A cat.", "annotations": []}]}],
    }
    story.upstream_answers(200, json.dumps(answer).encode())
    assert text_of(result(story)) == "A cat."


def test_messages_are_asked() -> None:
    story = call(config=setup("anthropic", model="eyes/claude-sonnet-4-5"))
    assert story.requests[1].target == b"/v1/messages"
    assert dict(story.requests[1].headers)[b"anthropic-version"] == b"2023-06-01"
    picture, _ = asked(story)["messages"][0]["content"]
    assert picture["source"] == {"type": "base64", "media_type": "image/png", "data": b64encode(PNG).decode()}
    assert asked(story)["max_tokens"] > 1000
    told = [
        {"type": "message_start", "message": {"id": "m", "usage": {"input_tokens": 5, "output_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "A cat."}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 4}},
        {"type": "message_stop"},
    ]
    pieces = [f"event: {each['type']}\ndata: {json.dumps(each)}\n\n".encode() for each in told]
    story.upstream_answers(200, pieces, headers=SSE)
    assert text_of(result(story)) == "A cat."
    assert story.row["usage"] == {"fresh": 5, "cache_read": 0, "cache_write": 0, "output": 4, "reasoning": 0}


def test_gemini_is_asked_for_pictures_and_videos() -> None:
    config = setup("gemini", model="eyes/gemini-3-flash")
    story = call(tool_call("analyze_video", video_source=data_uri(MP4, "video/mp4"), prompt="?"), config=config)
    assert story.requests[1].target == b"/v1beta/models/gemini-3-flash:streamGenerateContent?alt=sse"
    video, _ = asked(story)["contents"][0]["parts"]
    assert video["inlineData"] == {"mimeType": "video/mp4", "data": b64encode(MP4).decode()}
    piece = {"candidates": [{"content": {"parts": [{"text": "A cat runs."}]}, "finishReason": "STOP"}]}
    story.upstream_answers(200, f"data: {json.dumps(piece)}\n\n".encode(), headers=SSE)
    assert text_of(result(story)) == "A cat runs."


def test_videos_go_to_chat_models_of_vendors_that_see_them() -> None:
    story = call(tool_call("analyze_video", video_source=data_uri(MP4, "video/mp4"), prompt="?"))
    video, _ = asked(story)["messages"][0]["content"]
    assert video == {"type": "video_url", "video_url": {"url": data_uri(MP4, "video/mp4")}}


@pytest.mark.parametrize(
    ("dialect", "model"),
    [("openai", "gpt-5"), ("anthropic", "claude-sonnet-4-5"), ("openai_responses", "gpt-5")],
)
def test_a_model_that_takes_no_video_is_not_asked(dialect: str, model: str) -> None:
    message = tool_call("analyze_video", video_source=data_uri(MP4, "video/mp4"), prompt="?")
    story = call(message, config=setup(dialect, model=f"eyes/{model}"))
    assert "video" in refusal(story)
    assert story.requests == {}


def test_a_model_that_sees_nothing_is_not_asked() -> None:
    story = call(config=setup(model="eyes/glm-4.6"))
    assert refusal(story) == "analyze_image: the model 'glm-4.6' sees no pictures"
    assert story.requests == {}


@pytest.mark.parametrize("name", sorted(TOOLS))
def test_each_tool_says_what_it_is_for_and_passes_its_arguments_on(name: str) -> None:
    tool = TOOLS[name]
    given = {}
    for each in tool.parameters:
        sources = {"image": data_uri(), "video": data_uri(MP4, "video/mp4")}
        given[each.name] = sources.get(each.kind) or (each.choices[-1] if each.choices else f"my {each.name}")
    content = asked(call(tool_call(name, **given)))["messages"][0]["content"]
    words = content[-1]["text"]
    assert words.startswith(tool.task)
    for each in tool.parameters:
        assert (given[each.name] in words) == (each.kind == "text")
    assert sum(part["type"] in ("image_url", "video_url") for part in content) == len(tool.sources)


def test_optional_arguments_may_be_left_out_or_null() -> None:
    for given in ({}, {"context": None}, {"context": ""}):
        story = call(tool_call("diagnose_error_screenshot", image_source=data_uri(), prompt="Why?", **given))
        assert asked(story)["messages"][0]["content"][-1]["text"].endswith("\n\nRequest: Why?")


def test_two_pictures_are_told_apart() -> None:
    sources = {"expected_image_source": data_uri(PNG), "actual_image_source": data_uri(JPEG, "image/jpeg")}
    content = asked(call(tool_call("ui_diff_check", prompt="Compare.", **sources)))["messages"][0]["content"]
    assert [part.get("text", "picture") for part in content[:4]] == ["Expected:", "picture", "Actual:", "picture"]
    assert content[3]["image_url"]["url"].startswith("data:image/jpeg;base64,")


def test_no_header_of_the_client_reaches_the_model() -> None:
    client = Client(gateway(setup()))
    client.begin()
    story = client.post(tool_call(), headers=((b"cookie", b"a=b"), (b"user-agent", b"evil"), (b"x-api-key", b"k")))
    assert dict(story.requests[1].headers).keys() == {
        b"host", b"authorization", b"content-type", b"accept", b"accept-encoding", b"user-agent", b"content-length", b"x-agcore-hop",
    }  # fmt: skip
    assert dict(story.requests[1].headers)[b"authorization"] == b"Bearer sk-eyes-0123456789abcdef"


# What becomes of the answer.


@pytest.mark.parametrize(
    ("stop", "words"), [("length", "cut off at the model's output limit"), ("content_filter", "content filter")]
)
def test_an_answer_that_was_cut_off_says_so(stop: str, words: str) -> None:
    text, note = result(answered(call(), "A ca", stop=stop))["content"]
    assert text["text"] == "A ca"
    assert words in note["text"]


@pytest.mark.parametrize(
    ("stop", "words"),
    [("stop", "no text"), ("length", "output limit before"), ("content_filter", "withheld")],
)
def test_an_answer_without_text_is_an_error(stop: str, words: str) -> None:
    story = call(config=setup())
    assert words in refusal(answered(story, stop=stop))


def test_a_refusal_is_an_error_in_the_models_words() -> None:
    pieces = [
        b'data: {"choices":[{"index":0,"delta":{"refusal":"I will not."}}]}\n\n',
        b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n',
    ]
    story = call()
    story.upstream_answers(200, pieces, headers=SSE)
    assert refusal(story) == "I will not."


@pytest.mark.parametrize("body", [b"[]", b"not JSON", b'{"choices":[]}', b""])
def test_an_answer_that_is_none_is_an_error(body: bytes) -> None:
    story = call(config=setup())
    story.upstream_answers(200, body)
    assert refusal(story).startswith("analyze_image: ")


def test_a_stream_that_tells_of_an_error_is_an_error_and_asked_no_further() -> None:
    story = call()
    story.upstream_answers(200, [b'data: {"error":{"message":"the model fell over"}}\n\n'], headers=SSE)
    assert refusal(story) == "analyze_image: the model fell over"
    assert any(isinstance(effect, AbortUpstream) for effect in story.effects)


def test_thoughts_are_not_shown_but_are_progress() -> None:
    story = call(tool_call(token="t"))
    thought = b'data: {"choices":[{"index":0,"delta":{"reasoning_content":"Whiskers."}}]}\n\n'
    story.upstream_answers(200, [thought, *chat("A cat.")], headers=SSE)
    *told, answer = events(story)
    assert told[0]["params"]["message"] == "the model is thinking"
    assert text_of(answer["result"]) == "A cat."


def test_progress_is_told_at_most_once_a_second() -> None:
    story = call(tool_call(token="t"))
    story.tell(UpstreamConnected(1, reused=False))
    story.tell(UpstreamHead(1, 200, SSE))
    for piece in chat(*"abcdefghij")[:10]:
        story.tell(UpstreamData(1, piece))
        story.wait(0.25)
    said = [event["params"]["message"] for event in events(story)]
    assert said == ["1 characters so far", "5 characters so far", "9 characters so far"]


def test_an_answer_is_limited() -> None:
    config = setup(limits=Limits(max_json_mb=0.01))
    story = call(config=config)
    story.tell(UpstreamConnected(1, reused=False))
    story.tell(UpstreamHead(1, 200, SSE))
    story.tell(UpstreamData(1, chat("x" * 20_000)[0]))
    assert "larger than" in refusal(story)
    assert any(isinstance(effect, AbortUpstream) for effect in story.effects)


def test_no_memory_is_an_error_of_the_request() -> None:
    story = call(config=setup(limits=Limits(max_buffered_mb=0.001)))
    story.upstream_answers(200, chat("x" * 2000), headers=SSE)
    assert failure(story)[:2] == (503, -32603)


# Keys and failover: a call is like any other.


def test_a_provider_without_conversations_cannot_serve() -> None:
    story = call(config=setup("openai_completions"))
    assert refusal(story) == "analyze_image: no provider of 'eyes/glm-4.6v' takes conversations"


def test_another_provider_answers_where_the_first_fails() -> None:
    rule = ModelRule("look", ((("first", "glm-4.6v"),), (("second", "claude-sonnet-4-5"),)))
    config = setup(model="look", providers=(provider("first"), provider("second", "anthropic")))
    story = call(by=gateway(msgspec.structs.replace(config, models=(rule,)), attempts=2))
    assert asked(story)["model"] == "glm-4.6v"
    story.upstream_answers(500, b'{"error":{"message":"broken"}}')
    assert asked(story)["model"] == "claude-sonnet-4-5"
    assert story.requests[2].target == b"/v1/messages"
    answer = {"type": "message", "content": [{"type": "text", "text": "A cat."}], "stop_reason": "end_turn"}
    story.upstream_answers(200, json.dumps(answer).encode())
    assert text_of(result(story)) == "A cat."
    assert story.headers[b"x-agcore-provider"] == b"second"


def test_a_stream_that_breaks_is_asked_for_again_though_progress_was_told() -> None:
    rule = ModelRule("look", ((("first", "glm-4.6v"),), (("second", "glm-4.6v"),)))
    config = setup(model="look", providers=(provider("first"), provider("second")))
    story = call(tool_call(token="t"), by=gateway(msgspec.structs.replace(config, models=(rule,)), attempts=2))
    story.upstream_answers(200, chat("A do")[:1], headers=SSE, end=False)
    story.upstream_breaks()
    answered(story, "A cat.")
    assert text_of(events(story)[-1]["result"]) == "A cat."


def test_what_a_vendor_refuses_is_told_without_the_key() -> None:
    story = call(config=setup())
    story.upstream_answers(401, b'{"error":{"message":"bad key sk-eyes-0123456789abcdef"}}')
    assert "eyes#1" in refusal(story)
    assert b"sk-eyes" not in story.body


def test_a_model_that_nobody_serves_is_an_error_of_the_tool() -> None:
    assert "no provider serves model" in refusal(call(config=setup(model="nowhere/to-be-found")))


# Pictures by URL.


def test_a_url_is_fetched_from_public_addresses_without_a_credential() -> None:
    story = of_image("https://pics.example:8443/a%20b.png?size=2#part")
    effect = fetched(story)
    assert effect.public_only
    origin = effect.request.origin
    assert (origin.scheme, origin.host, origin.port, origin.proxy) == ("https", "pics.example", 8443, None)
    assert (effect.request.method, effect.request.target) == ("GET", b"/a%20b.png?size=2")
    assert effect.request.headers == (
        (b"host", b"pics.example:8443"),
        (b"accept", b"*/*"),
        (b"accept-encoding", b"identity"),
        (b"user-agent", b"agcore"),
    )
    story.upstream_answers(200, JPEG, headers=((b"content-type", b"text/html"),))
    assert not fetched(story, 2).public_only
    assert asked(story)["messages"][0]["content"][0]["image_url"]["url"] == data_uri(JPEG, "image/jpeg")


def test_a_url_without_a_path_is_fetched() -> None:
    assert fetched(of_image("https://pics.example")).request.target == b"/"


@pytest.mark.parametrize(
    ("location", "host", "target"),
    [
        (b"/b.png", "pics.example", b"/b.png"),
        (b"c.png?x=1", "pics.example", b"/dir/c.png?x=1"),
        (b"https://elsewhere.example/d.png#f", "elsewhere.example", b"/d.png"),
        (b"//elsewhere.example/e", "elsewhere.example", b"/e"),
    ],
)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed_and_checked_as_the_url_was(
    status: int, location: bytes, host: str, target: bytes
) -> None:
    story = of_image("https://pics.example/dir/a.png")
    story.upstream_answers(status, b"see there", headers=((b"location", location),))
    effect = fetched(story, 2)
    assert (effect.public_only, effect.request.origin.host, effect.request.target) == (True, host, target)
    story.upstream_answers(200, PNG)
    assert text_of(result(answered(story, "A cat."))) == "A cat."


def test_the_fourth_redirect_is_not_followed() -> None:
    story = of_image("https://pics.example/0")
    for number in (1, 2, 3):
        story.upstream_answers(302, headers=((b"location", b"/%d" % number),))
    assert len(story.requests) == 4
    story.upstream_answers(302, headers=((b"location", b"/4"),))
    assert refusal(story) == "analyze_image: `image_source`: more than 3 redirects"
    assert len(story.requests) == 4


@pytest.mark.parametrize(
    "location",
    [
        b"http://pics.example/a",
        b"file:///etc/passwd",
        b"",
        b"data:image/png;base64,AA",
        b"/\xff",
        b"https://[::1",
        b"/a b",
    ],
)
def test_a_redirect_to_what_is_no_https_url_is_not_followed(location: bytes) -> None:
    story = of_image("https://pics.example/a")
    story.upstream_answers(302, headers=((b"location", location),) if location else ())
    if location:
        assert "redirects to what is no https: URL" in refusal(story)
        assert len(story.requests) == 1
    else:  # to itself
        assert len(story.requests) == 2


@pytest.mark.parametrize("status", [204, 304, 401, 403, 404, 500, 503])
def test_a_url_that_gives_nothing_is_an_error(status: int) -> None:
    story = of_image("https://pics.example/a")
    story.upstream_answers(status, b"secret page")
    assert refusal(story) == f"analyze_image: `image_source`: https://pics.example answered {status}"
    assert b"secret" not in story.body
    assert len(story.requests) == 1


def test_a_private_address_is_refused_and_held_against_nobody() -> None:
    client = Client(gateway(setup()))
    client.begin()
    story = client.post(tool_call(image_source="https://eyes/a.png", prompt="?"))
    story.tell(UpstreamFailed(1, Stage.CONNECT, Sent.NONE, reused=False, cause="eyes is not on the public internet"))
    assert "not on the public internet" in refusal(story)
    assert len(story.requests) == 1
    assert list(story.exchange._services.outside.state.cooldowns.cooling(now=story.now)) == []


@pytest.mark.parametrize("declared", [True, False])
def test_a_download_is_limited(declared: bool) -> None:
    story = of_image("https://pics.example/a.png")
    story.tell(UpstreamConnected(1, reused=False))
    headers: Headers = ((b"content-length", b"%d" % (5 * MIB + 1)),) if declared else ()
    story.tell(UpstreamHead(1, 200, headers))
    if not declared:
        for _ in range(6):
            if not story.finished:
                story.tell(UpstreamData(1, PNG + bytes(MIB)))
    assert refusal(story) == "analyze_image: `image_source`: it is larger than 5 MB"
    assert any(isinstance(effect, AbortUpstream) for effect in story.effects)


def test_a_download_that_breaks_is_an_error() -> None:
    story = of_image("https://pics.example/a.png")
    story.upstream_answers(200, PNG[:9], end=False)
    story.upstream_breaks()
    assert "closed within the answer" in refusal(story)


def test_a_download_that_is_no_picture_is_an_error() -> None:
    story = of_image("https://pics.example/a.png")
    story.upstream_answers(200, b"<html>", headers=((b"content-type", b"image/png"),))
    assert "no image in a format that is taken (PNG, JPEG, WebP, GIF)" in refusal(story)


def test_both_pictures_may_be_fetched() -> None:
    sources = {"expected_image_source": "https://a.example/1", "actual_image_source": "https://b.example/2"}
    story = call(tool_call("ui_diff_check", prompt="?", **sources))
    story.upstream_answers(200, PNG)
    assert fetched(story, 2).request.origin.host == "b.example"
    story.upstream_answers(200, JPEG)
    assert [part["type"] for part in asked(story)["messages"][0]["content"]].count("image_url") == 2


def test_downloads_take_none_of_the_attempts() -> None:
    story = call(tool_call(image_source="https://a.example/1", prompt="?"))
    story.upstream_answers(302, headers=((b"location", b"/2"),))
    story.upstream_answers(200, PNG)
    assert text_of(result(answered(story, "A cat."))) == "A cat."
    assert story.headers[b"x-agcore-attempts"] == b"1"


# Pictures inside the request.


@pytest.mark.parametrize(
    "uri",
    [
        data_uri(),
        data_uri(kind="image/jpeg"),
        data_uri(kind=""),
        data_uri().replace("data:", "DATA:").replace("base64", "BASE64"),
        "data:image/png;base64," + b64encode(PNG).decode().replace("=", "%3D"),
        "data:;base64,\n" + b64encode(PNG).decode()[:8] + "\r\n " + b64encode(PNG).decode()[8:],
        "data:image/png," + "".join(f"%{byte:02x}" for byte in PNG),
    ],
)
def test_data_uris_are_taken_by_their_content(uri: str) -> None:
    sent = asked(of_image(uri))["messages"][0]["content"][0]["image_url"]["url"]
    assert b64decode(sent.removeprefix("data:image/png;base64,"), validate=True) == PNG


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("data:image/png;base64,####", "not base64"),
        ("data:image/png;base64,iVBORw0KGg", "not base64"),
        ("data:image/png;base64", "no comma"),
        ("data:image/png;base64,", "is empty"),
        (data_uri(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml"), "no image in a format"),
        (data_uri(b"\xff\xd8", "image/jpeg"), "no image in a format"),
        (data_uri(b"RIFF\0\0\0\0WAVEfmt ", "image/webp"), "no image in a format"),
        (data_uri(b"NOPE\0\0\0\0WEBP", "image/webp"), "no image in a format"),
        (data_uri(b"\0\0\0\x18ftypavif", "image/avif"), "no image in a format"),
        (data_uri(MP4), "no image in a format"),
        (data_uri(PNG + bytes(5 * MIB)), "larger than 5 MB"),
        ("data:image/png;base64," + "A" * (21 * MIB), "larger than 5 MB"),
        ("data:image/png," + "%41" * (1 << 20), "too many escapes"),
        ("x" * MIB + "://a", "URLs are not taken"),
        ("http://pics.example/a.png", "http: URLs are not taken, only https: ones"),
        ("ftp://pics.example/a.png", "ftp: URLs are not taken, only https: ones"),
        ("file:///etc/passwd", "file: URLs are not taken; give the absolute path"),
        ("file:/etc/passwd", "file: URLs are not taken; give the absolute path"),
        ("FILE:///etc/passwd", "file: URLs are not taken"),
        ("https://", "not a URL that is taken"),
        ("https://user:secret@pics.example/a", "a URL with a user name"),
        ("https://pics.example/a b", "white space"),
        ("https://pics.example:0/", "port"),
        ("https://p\u00edcs.example/", "outside ASCII"),
        ("pictures/cat.png", "absolute path"),
        ("./cat.png", "absolute path"),
        ("~/cat.png", "absolute path"),
        ("javascript:alert(1)", "absolute path"),
        ("/a\0b", "NUL"),
        ("/etc/passwd", "`file_roots` is empty"),
    ],
)  # fmt: skip
def test_hostile_sources_are_refused_and_nothing_is_touched(source: str, words: str) -> None:
    story = of_image(source)
    assert words in refusal(story)
    assert len(story.body) < 1000
    assert story.requests == {}
    assert not any(isinstance(effect, ReadFile) for effect in story.effects)


@pytest.mark.parametrize(
    "bomb", ["data:;base64," + "AAA " * 4 * MIB, "data:," + "%41" * 5 * MIB], ids=["spaces", "escapes"]
)
def test_a_data_uri_costs_no_more_than_a_few_times_its_size(bomb: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(BadSource):
            type_of(parse(bomb, kind="image").data, kind="image")  # type: ignore[union-attr]
        assert tracemalloc.get_traced_memory()[1] < 8 * len(bomb)
    finally:
        tracemalloc.stop()


# Local files.


def test_a_local_file_is_read_below_the_roots_only() -> None:
    story = of_image("/srv/pictures/cat.png", config=setup(file_roots=ROOTS))
    (read,) = (effect for effect in story.effects if isinstance(effect, ReadFile))
    assert (read.path, read.roots, read.max_bytes) == ("/srv/pictures/cat.png", ROOTS, 5 * MIB)
    story.tell(FileRead(read.id, PNG))
    assert asked(story)["messages"][0]["content"][0]["image_url"]["url"] == data_uri()
    assert text_of(result(answered(story, "A cat."))) == "A cat."


def test_a_file_that_there_is_no_memory_for_is_an_error_of_the_request() -> None:
    story = of_image("/srv/pictures/cat.png", config=setup(file_roots=ROOTS, limits=Limits(max_buffered_mb=0.001)))
    (read,) = (effect for effect in story.effects if isinstance(effect, ReadFile))
    story.tell(FileRead(read.id, PNG + bytes(2000)))
    assert failure(story)[:2] == (503, -32603)


def test_a_path_of_windows_is_a_path() -> None:
    for path in (r"C:\pictures\cat.png", "c:/pictures/cat.png"):
        story = of_image(path, config=setup(file_roots=("C:\\pictures",)))
        assert any(isinstance(effect, ReadFile) and effect.path == path for effect in story.effects)


def test_a_video_may_be_larger() -> None:
    message = tool_call("analyze_video", video_source="/srv/pictures/cat.mp4", prompt="?")
    story = call(message, config=setup(file_roots=ROOTS))
    assert any(isinstance(effect, ReadFile) and effect.max_bytes == 8 * MIB for effect in story.effects)


def test_a_file_that_may_not_be_read_is_an_error_without_its_content() -> None:
    story = of_image("/etc/passwd", config=setup(file_roots=ROOTS))
    (read,) = (effect for effect in story.effects if isinstance(effect, ReadFile))
    story.tell(FileRefused(read.id, "is not below the configured roots"))
    assert refusal(story) == "analyze_image: `image_source`: the file is not below the configured roots"


def test_a_file_that_is_no_picture_is_not_shown_to_the_model() -> None:
    story = of_image("/srv/pictures/notes.txt", config=setup(file_roots=ROOTS))
    (read,) = (effect for effect in story.effects if isinstance(effect, ReadFile))
    story.tell(FileRead(read.id, b"my secret notes"))
    assert "no image in a format" in refusal(story)
    assert b"secret" not in story.body
    assert story.requests == {}


def test_files_of_a_batch_reach_their_own_calls() -> None:
    client = Client(gateway(setup(file_roots=ROOTS)), version="2025-03-26")
    client.begin()
    batch = [tool_call(id=id, image_source=f"/srv/pictures/{id}", prompt="?") for id in (1, 2)]
    story = client.post(batch)
    first, second = (effect for effect in story.effects if isinstance(effect, ReadFile))
    story.tell(FileRefused(second.id, "is gone"))
    story.tell(FileRead(first.id, PNG))
    answered(story, "A cat.")
    answers = {answer["id"]: answer["result"] for answer in json.loads(story.body)}
    assert "/srv/pictures/2" not in story.body.decode()
    assert (text_of(answers[1]), answers[2]["isError"]) == ("A cat.", True)


def test_a_file_of_a_call_that_was_cancelled_is_nobodys() -> None:
    client = Client(gateway(setup(file_roots=ROOTS)), version="2025-03-26")
    client.begin()
    story = client.post([tool_call(id=id, image_source=f"/srv/pictures/{id}", prompt="?") for id in (1, 2, 3)])
    first, second, third = (effect for effect in story.effects if isinstance(effect, ReadFile))
    for id in (1, 2):
        story.tell(Notified("cancel", id))
    assert story.tell(FileRead(first.id, PNG)) == []
    assert story.tell(FileRefused(second.id, "is gone")) == []
    story.tell(FileRead(third.id, PNG))
    (answer,) = json.loads(answered(story, "A cat.").body)
    assert answer["id"] == 3


def test_a_file_that_is_read_too_late_changes_nothing() -> None:
    story = of_image("/srv/pictures/cat.png", config=setup(file_roots=ROOTS))
    (read,) = (effect for effect in story.effects if isinstance(effect, ReadFile))
    story.tell(Notified("cancel", 7))
    assert story.finished
    assert story.tell(FileRead(read.id, PNG)) == []
