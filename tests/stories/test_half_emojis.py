"""Half an emoji, where a string was cut: it never makes a conversation unusable."""

from __future__ import annotations

import json

import pytest

from agcore_sim.dialogues import ANTHROPIC, CHAT, DIALOGUES, GEMINI, RESPONSES, Dialogue
from agcore_sim.story import SSE, Story, gateway
from tests.support.dialogues import asked, config, ids

HALF = b"hi \\ud83d there"
WHOLE = b"hi \\ufffd there"


def sent(dialogue: Dialogue, said: bytes, *, model: str = "", stream: bool = False) -> Story:
    """A request in which the user says something that was cut."""
    story = Story(gateway(config()))
    model = model or dialogue.model
    body = dialogue.request(model, stream=stream)
    assert b'"hi"' in body
    story.open("POST", dialogue.target(model, stream=stream), body=body.replace(b'"hi"', b'"' + said + b'"'))
    return story


@pytest.mark.parametrize("half", [b"\\ud83d", b"\\uDE00", b"\\uD83D\\uD83D", b"\\\\\\udbff"])
@pytest.mark.parametrize("dialogue", DIALOGUES, ids=ids)
def test_half_an_emoji_in_a_request_goes_up_as_the_replacement_character(dialogue: Dialogue, half: bytes) -> None:
    story = sent(dialogue, b"a " + half + b"\\n\\ud83d\\ude00")
    request = story.requests[1].body
    assert isinstance(request, bytes)
    assert b"\\ufffd" in request
    assert b"\\n\\ud83d\\ude00" in request
    json.loads(request).__repr__().encode()  # every string is one


@pytest.mark.parametrize("upstream", [CHAT, RESPONSES, ANTHROPIC, GEMINI], ids=ids)
@pytest.mark.parametrize("client", DIALOGUES, ids=ids)
def test_half_an_emoji_is_translated_as_the_replacement_character(client: Dialogue, upstream: Dialogue) -> None:
    story = sent(client, HALF, model=upstream.model)
    request = story.requests[1].body
    assert isinstance(request, bytes)
    assert "hi \ufffd there" in json.loads(request).__repr__()


def test_escaped_backslashes_are_no_escapes() -> None:
    story = sent(CHAT, b"\\\\ud83d")
    request = story.requests[1].body
    assert isinstance(request, bytes)
    assert b'"\\\\ud83d"' in request


@pytest.mark.parametrize("model", ["up-anthropic", "up-gemini"])
def test_half_an_emoji_within_arguments_is_mended_where_they_are_read(model: str) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a":"\\ud83d"}'}}
    body = {
        "model": model,
        "messages": [
            {"role": "user", "content": "a"},
            {"role": "assistant", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c", "content": "r"},
        ],
    }
    story = Story(gateway(config()))
    story.open("POST", "/v1/chat/completions", body=json.dumps(body).encode())
    request = story.requests[1].body
    assert isinstance(request, bytes)
    assert json.loads(request).__repr__().count("\ufffd") == 1
    assert b"ud83d" not in request


@pytest.mark.parametrize("dialogue", DIALOGUES, ids=ids)
def test_half_an_emoji_in_an_answer_is_mended_before_it_is_given_out(dialogue: Dialogue) -> None:
    cut = dialogue.answer.replace(b"{", b'{"x_said": "' + HALF + b'", ', 1)
    story = asked(dialogue, stream=False)
    story.upstream_answers(200, cut)
    assert (story.status, WHOLE in story.body, HALF in story.body) == (200, True, False)


def test_half_an_emoji_in_a_translated_answer_is_mended() -> None:
    answer = {"choices": [{"message": {"content": "hi \ud83d there"}, "finish_reason": "stop"}]}
    story = asked(ANTHROPIC, stream=False, model="up-openai")
    story.upstream_answers(200, json.dumps(answer).encode())
    assert json.loads(story.body)["content"][0]["text"] == "hi \ufffd there"


def test_both_halves_in_two_events_are_one_emoji_to_the_client() -> None:
    def chunk(text: str, **more: object) -> bytes:
        return (
            b"data: " + json.dumps({"choices": [{"index": 0, "delta": {"content": text}, **more}]}).encode() + b"\n\n"
        )

    stream = chunk("\ud83d") + chunk("\ude00") + chunk("", finish_reason="stop") + b"data: [DONE]\n\n"
    for client in (CHAT, ANTHROPIC):
        story = asked(client, stream=True, model="up-openai")
        story.upstream_answers(200, stream, headers=SSE)
        assert (
            "\N{GRINNING FACE}".encode() in story.body
            or story.body.count(b"\\ud83d") == story.body.count(b"\\ude00") == 1
        )
        assert b"\\ufffd" not in story.body


@pytest.mark.parametrize(
    ("said", "words"),
    [(b"\\ud8", "not valid JSON"), (b"\\ud83", "not valid JSON"), (b"\xff", "not UTF-8"), (b'"', "not valid JSON")],
)
def test_what_is_no_json_at_all_is_still_refused(said: bytes, words: str) -> None:
    story = sent(CHAT, said)
    assert (story.status, words in json.loads(story.body)["error"]["message"]) == (400, True)
