"""Log probabilities of tokens, from each dialect that gives them to each that shows them."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from agcore.codecs.sse import Decoder
from agcore.conversation.assemble import assemble
from agcore.conversation.losses import Losses
from agcore.dialects import DIALECTS
from agcore.dialects.shared.logprobs import divided, google_result, tokens_of, tokens_of_google
from agcore.models.known import profile
from agcore.protocol.fault import Fault

HEL: dict[str, Any] = {"token": "Hel", "logprob": -0.5, "bytes": [72, 101, 108]}
LO: dict[str, Any] = {"token": "lo", "logprob": -0.25, "bytes": [108, 111]}
TOKENS = [{**HEL, "top_logprobs": [HEL]}, {**LO, "top_logprobs": [LO]}]
RESULT = {
    "chosenCandidates": [{"token": "Hel", "logProbability": -0.5}, {"token": "lo", "logProbability": -0.25}],
    "topCandidates": [
        {"candidates": [{"token": "Hel", "logProbability": -0.5}]},
        {"candidates": [{"token": "lo", "logProbability": -0.25}]},
    ],
}
PART = {"type": "output_text", "text": "Hello", "annotations": [], "logprobs": TOKENS}
ANSWERS: dict[str, dict[str, object]] = {
    "openai_chat": {
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hello"},
                "logprobs": {"content": TOKENS, "refusal": None},
                "finish_reason": "stop",
            }
        ]
    },
    "openai_responses": {
        "status": "completed",
        "output": [{"type": "message", "id": "msg_1", "role": "assistant", "content": [PART]}],
    },
    "gemini": {
        "candidates": [{"content": {"parts": [{"text": "Hello"}]}, "finishReason": "STOP", "logprobsResult": RESULT}]
    },
}
REQUESTS: dict[str, dict[str, object]] = {
    "openai_chat": {"messages": [{"role": "user", "content": "x"}], "logprobs": True, "top_logprobs": 1},
    "openai_responses": {"input": "x", "include": ["message.output_text.logprobs"], "top_logprobs": 1},
    "gemini": {
        "contents": [{"parts": [{"text": "x"}]}],
        "generationConfig": {"responseLogprobs": True, "logprobs": 1},
    },
}
PLAIN: dict[str, dict[str, object]] = {
    "openai_chat": {"messages": [{"role": "user", "content": "x"}]},
    "openai_responses": {"input": "x"},
    "gemini": {"contents": [{"parts": [{"text": "x"}]}]},
}
MODELS = {"openai_chat": "gpt-4.1", "openai_responses": "gpt-4.1", "gemini": "gemini-2.5-flash"}


def tokens_shown(dialect: str, answer: dict[str, Any]) -> object:
    if dialect == "openai_chat":
        logprobs = answer["choices"][0]["logprobs"]
        return logprobs and logprobs["content"]
    if dialect == "openai_responses":
        return answer["output"][0]["content"][0]["logprobs"]
    return list(tokens_of_google(answer["candidates"][0].get("logprobsResult")))


def answered(client: str, upstream: str, request: dict[str, object]) -> dict[str, Any]:
    conversation = DIALECTS[client].client.parse_request(dict(request), model="m", stream=False, losses=Losses())
    deltas = DIALECTS[upstream].upstream.read_answer(ANSWERS[upstream], signer="up")
    assert not isinstance(deltas, Fault)
    rendered = DIALECTS[client].client.render_answer(
        assemble(deltas), id="1", model="m", created=1, conversation=conversation
    )
    answer: dict[str, Any] = json.loads(msgspec.json.encode(rendered))
    return answer


@pytest.mark.parametrize("client", REQUESTS)
@pytest.mark.parametrize("upstream", ANSWERS)
def test_a_whole_answer_carries_them(client: str, upstream: str) -> None:
    assert tokens_shown(client, answered(client, upstream, REQUESTS[client])) == TOKENS


@pytest.mark.parametrize("client", REQUESTS)
def test_who_did_not_ask_does_not_get_them(client: str) -> None:
    assert not tokens_shown(client, answered(client, "openai_chat", PLAIN[client]))


@pytest.mark.parametrize("client", REQUESTS)
@pytest.mark.parametrize("upstream", MODELS)
def test_the_question_is_carried(client: str, upstream: str) -> None:
    losses = Losses()
    conversation = DIALECTS[client].client.parse_request(dict(REQUESTS[client]), model="m", stream=False, losses=losses)
    known = profile(MODELS[upstream])
    body = DIALECTS[upstream].upstream.render_request(
        conversation, model="m", profile=known, signer="up", losses=losses
    )
    asked = {
        "openai_chat": lambda: (body["logprobs"], body["top_logprobs"]) == (True, 1),
        "openai_responses": lambda: "message.output_text.logprobs" in body["include"] and body["top_logprobs"] == 1,  # type: ignore[operator] # a list
        "gemini": lambda: body["generationConfig"] == {"responseLogprobs": True, "logprobs": 1},
    }
    assert asked[upstream]()
    assert not [loss for loss in losses if "logprobs" in loss.path]


@pytest.mark.parametrize("upstream", ["openai_chat", "openai_responses"])
def test_a_reasoning_model_is_not_asked(upstream: str) -> None:
    losses = Losses()
    request = dict(REQUESTS["openai_chat"])
    conversation = DIALECTS["openai_chat"].client.parse_request(request, model="m", stream=False, losses=losses)
    known = profile("gpt-5")
    body = DIALECTS[upstream].upstream.render_request(
        conversation, model="m", profile=known, signer="up", losses=losses
    )
    assert "top_logprobs" not in body
    assert "logprobs" in [loss.path for loss in losses]


def frames(dialect: str) -> list[dict[str, Any]]:
    if dialect == "openai_chat":
        said = [("Hel", TOKENS[:1], None), ("lo", TOKENS[1:], None), ("", None, "stop")]
        return [
            {
                "choices": [
                    {
                        "index": 0,
                        "delta": {"content": text},
                        "logprobs": tokens and {"content": tokens},
                        "finish_reason": reason,
                    }
                ]
            }
            for text, tokens, reason in said
        ]
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    item = {"type": "message", "id": "msg_1", "role": "assistant"}
    return [
        {"type": "response.output_item.added", "output_index": 0, "item": {**item, "content": []}},
        {"type": "response.output_text.delta", **place, "delta": "Hel", "logprobs": TOKENS[:1]},
        {"type": "response.output_text.delta", **place, "delta": "lo", "logprobs": TOKENS[1:]},
        {"type": "response.output_text.done", **place, "text": "Hello", "logprobs": TOKENS},
        {"type": "response.output_item.done", "output_index": 0, "item": {**item, "content": [PART]}},
        {"type": "response.completed", "response": {"status": "completed", "output": [{**item, "content": [PART]}]}},
    ]


def streamed(client: str, upstream: str) -> list[dict[str, Any]]:
    """The events of a client's stream."""
    conversation = DIALECTS[client].client.parse_request(
        dict(REQUESTS[client]), model="m", stream=True, losses=Losses()
    )
    writer = DIALECTS[client].client.writer(id="1", model="m", created=1, conversation=conversation)
    reader = DIALECTS[upstream].upstream.reader(signer="up")
    data = b"".join(b"data: " + json.dumps(each).encode() + b"\n\n" for each in frames(upstream))
    out = b"".join(writer.feed(delta) for frame in Decoder().feed(data) for delta in reader.feed(frame)) + writer.end()
    return [json.loads(frame.data) for frame in Decoder().feed(out) if frame.data not in (None, b"[DONE]")]


@pytest.mark.parametrize("upstream", ["openai_chat", "openai_responses"])
def test_a_chat_stream_has_them_in_the_chunk_of_their_text(upstream: str) -> None:
    choices = [chunk["choices"][0] for chunk in streamed("openai_chat", upstream)]
    told = [(each["delta"]["content"], each["logprobs"]["content"]) for each in choices if each["logprobs"]]
    assert told == [("Hel", TOKENS[:1]), ("lo", TOKENS[1:])]


@pytest.mark.parametrize("upstream", ["openai_chat", "openai_responses"])
def test_a_responses_stream_has_them_in_deltas_and_in_the_whole(upstream: str) -> None:
    events = streamed("openai_responses", upstream)
    told = [event["logprobs"] for event in events if event["type"] == "response.output_text.delta"]
    assert told == [TOKENS[:1], TOKENS[1:]]
    done = next(event for event in events if event["type"] == "response.output_text.done")
    assert done["logprobs"] == TOKENS
    assert events[-1]["response"]["output"][0]["content"][0]["logprobs"] == TOKENS


@pytest.mark.parametrize("upstream", ["openai_chat", "openai_responses"])
def test_a_gemini_stream_ends_with_them(upstream: str) -> None:
    assert streamed("gemini", upstream)[-1]["candidates"][0]["logprobsResult"] == RESULT


def test_what_a_server_says_of_the_tokens_of_thoughts_is_not_the_texts() -> None:
    reader = DIALECTS["openai_chat"].upstream.reader(signer="up")
    chunks = [
        {"choices": [{"delta": {"reasoning_content": "Hm"}, "logprobs": {"content": TOKENS[:1]}}]},
        {"choices": [{"delta": {"content": "lo"}, "logprobs": {"content": TOKENS[1:]}, "finish_reason": "stop"}]},
    ]
    data = b"".join(b"data: " + json.dumps(each).encode() + b"\n\n" for each in chunks)
    deltas = [delta for frame in Decoder().feed(data) for delta in reader.feed(frame)]
    assert [delta.logprobs for delta in deltas if hasattr(delta, "logprobs")] == [tuple(TOKENS[1:])]


def test_members_that_are_left_out_are_put_in() -> None:
    assert tokens_of(
        [{"token": "a", "logprob": -1, "top_logprobs": [{"token": "b", "logprob": -2}, 7]}, {"token": 1}]
    ) == (
        {
            "token": "a",
            "logprob": -1,
            "bytes": None,
            "top_logprobs": [{"token": "b", "logprob": -2, "bytes": None}],
        },
    )
    assert tokens_of(None) == tokens_of_google(None) == tokens_of_google({"chosenCandidates": 7}) == ()


def test_google_gets_no_alternatives_where_there_are_none() -> None:
    tokens = tokens_of_google({"chosenCandidates": [{"token": "a", "logProbability": -1}], "topCandidates": [7]})
    assert google_result(tokens) == {"chosenCandidates": [{"token": "a", "logProbability": -1}]}


def test_texts_get_their_own_tokens() -> None:
    assert divided(TOKENS, ["Hel", "lo"]) == [(TOKENS[0],), (TOKENS[1],)]
    assert divided(TOKENS, ["H"]) == [tuple(TOKENS)]
    assert divided([], ["a", "b"]) == [(), ()]
