"""Requests for more answers than a call gives: several calls at once, and one answer."""

from __future__ import annotations

import json
from typing import Any, Final

import msgspec
import pytest

from agcore import AbortUpstream, OpenUpstream, State, UpstreamConnected, UpstreamData, UpstreamEnd, UpstreamHead
from agcore.config.values import Limits, ModelRule, Timeouts
from agcore_sim.dialogues import ANTHROPIC, CHAT, GEMINI, RESPONSES
from agcore_sim.story import EPOCH, JSON, SSE, Story, gateway
from tests.support.dialogues import config


def chat(model: str, *, n: int = 2, setup: Any = None, attempts: int = 1, **more: object) -> Story:
    story = Story(gateway(setup or config(), attempts=attempts))
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], "n": n, **more}
    story.open("POST", "/v1/chat/completions", body=json.dumps(body).encode())
    return story


def completions(model: str, prompt: object, **more: object) -> Story:
    story = Story(gateway(config()))
    body = {"model": model, "prompt": prompt, **more}
    story.open("POST", "/v1/completions", body=json.dumps(body).encode())
    return story


def sent(story: Story) -> list[dict[str, Any]]:
    return [json.loads(request.body) for request in story.requests.values()]  # type: ignore[arg-type]


def message(text: str, *, tool: str = "") -> bytes:
    content: list[dict[str, Any]] = [{"type": "text", "text": text}]
    if tool:
        content.append({"type": "tool_use", "id": tool, "name": "look", "input": {"for": text}})
    stop = "tool_use" if tool else "end_turn"
    usage = {"input_tokens": 5, "output_tokens": 2}
    answer = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": content}
    return json.dumps({**answer, "stop_reason": stop, "usage": usage}).encode()


def begin_stream(story: Story, *legs: int) -> None:
    for leg in legs:
        story.tell(UpstreamConnected(leg, reused=False))
        story.tell(UpstreamHead(leg, 200, SSE))


def events(story: Story) -> list[Any]:
    lines = story.body.splitlines()
    return [json.loads(line.removeprefix(b"data: ")) for line in lines if line.startswith(b"data: {")]


def said(story: Story) -> dict[int, str]:
    texts: dict[int, str] = {}
    for event in events(story):
        for choice in event.get("choices", ()):
            texts[choice["index"]] = texts.get(choice["index"], "") + (choice["delta"].get("content") or "")
    return texts


# Whole answers.


@pytest.mark.parametrize("model", ["up-anthropic", "up-openai_responses"])
def test_n_answers_are_as_many_calls_where_a_request_has_no_n(model: str) -> None:
    story = chat(model, n=3)
    assert sorted(story.requests) == [1, 2, 3]
    first, second, third = sent(story)
    assert first == second == third
    assert "n" not in first


def test_whole_answers_become_one_with_numbered_choices_and_all_usage() -> None:
    story = chat("up-anthropic", n=3)
    for leg, text in ((2, "two"), (3, "three"), (1, "one")):
        assert not story.finished
        story.upstream_answers(200, message(text), leg=leg)
    answer = json.loads(story.body)
    assert [(each["index"], each["message"]["content"]) for each in answer["choices"]] == [
        (0, "one"),
        (1, "two"),
        (2, "three"),
    ]
    assert (answer["usage"]["prompt_tokens"], answer["usage"]["completion_tokens"]) == (15, 6)
    usage = story.row["usage"]
    assert isinstance(usage, dict)
    assert (usage["fresh"], usage["output"], story.row["attempts"]) == (15, 6, 3)


def test_tool_calls_of_several_answers_have_ids_of_their_own() -> None:
    story = chat("up-anthropic", n=2)
    for leg in (1, 2):
        story.upstream_answers(200, message("x", tool="toolu_1"), leg=leg)
    choices = json.loads(story.body)["choices"]
    ids = [choice["message"]["tool_calls"][0]["id"] for choice in choices]
    assert ids[0] == "toolu_1"
    assert len(set(ids)) == 2
    assert [choice["finish_reason"] for choice in choices] == ["tool_calls", "tool_calls"]


def test_candidates_are_fanned_out_for_gemini_clients_too() -> None:
    story = Story(gateway(config()))
    body = {**GEMINI.body, "generationConfig": {"candidateCount": 2}}
    story.open("POST", "/v1beta/models/up-anthropic:generateContent", body=json.dumps(body).encode())
    story.upstream_answers(200, message("one"), leg=1)
    story.upstream_answers(200, message("two"), leg=2)
    candidates = json.loads(story.body)["candidates"]
    assert [each["content"]["parts"][0]["text"] for each in candidates] == ["one", "two"]
    assert [each["index"] for each in candidates] == [0, 1]


def test_n_goes_along_where_the_upstream_knows_it() -> None:
    story = Story(gateway(config()))
    body = {**GEMINI.body, "generationConfig": {"candidateCount": 3}}
    story.open("POST", "/v1beta/models/up-openai:generateContent", body=json.dumps(body).encode())
    assert [each["n"] for each in sent(story)] == [3]


# Prompts.


def test_each_prompt_is_a_call_and_n_goes_along_with_it() -> None:
    story = completions("up-openai", ["a", "b"], n=2)
    assert [(each["messages"], each["n"]) for each in sent(story)] == [
        ([{"role": "user", "content": "a"}], 2),
        ([{"role": "user", "content": "b"}], 2),
    ]
    for leg in (2, 1):
        choices = [
            {"index": k, "message": {"role": "assistant", "content": f"{leg}.{k}"}, "finish_reason": "stop"}
            for k in range(2)
        ]
        story.upstream_answers(200, json.dumps({"id": "c", "choices": choices}).encode(), leg=leg)
    answer = json.loads(story.body)
    assert [(each["index"], each["text"]) for each in answer["choices"]] == list(
        enumerate(["1.0", "1.1", "2.0", "2.1"])
    )


def test_each_prompt_and_answer_is_a_call_where_a_request_has_no_n() -> None:
    story = completions("up-anthropic", ["a", "b"], n=2, echo=True)
    assert [each["messages"][0]["content"][0]["text"] for each in sent(story)] == ["a", "a", "b", "b"]
    for leg in (1, 2, 3, 4):
        story.upstream_answers(200, message(str(leg)), leg=leg)
    assert [each["text"] for each in json.loads(story.body)["choices"]] == ["a1", "a2", "b3", "b4"]


def test_choices_beyond_those_asked_for_are_no_other_prompts_answers() -> None:
    story = completions("up-openai", ["a", "b"])
    for leg in (1, 2):
        choices = [
            {"index": k, "message": {"role": "assistant", "content": f"{leg}.{k}"}, "finish_reason": "stop"}
            for k in range(2)
        ]
        story.upstream_answers(200, json.dumps({"id": "c", "choices": choices}).encode(), leg=leg)
    assert [each["text"] for each in json.loads(story.body)["choices"]] == ["1.0", "2.0"]


def test_prompts_pass_as_they_are_to_a_provider_of_completions() -> None:
    story = completions("up-openai_completions", ["a"] * 20, n=2)
    assert [(each["prompt"], each["n"]) for each in sent(story)] == [(["a"] * 20, 2)]


def test_an_empty_prompt_among_others_is_refused() -> None:
    story = completions("up-anthropic", ["a", ""])
    assert (story.status, story.requests) == (400, {})


@pytest.mark.parametrize(("prompt", "n", "param"), [("a", 9, "n"), (["a"] * 3, 3, "n"), (["a"] * 9, 1, "prompt")])
def test_more_calls_than_are_made_are_a_400_that_says_how_many(prompt: object, n: int, param: str) -> None:
    story = completions("up-anthropic", prompt, n=n)
    error = json.loads(story.body)["error"]
    assert (story.status, error["param"], story.requests) == (400, param, {})
    assert "9 calls" in error["message"]
    assert "at most 8" in error["message"]


def test_eight_calls_are_made() -> None:
    assert len(completions("up-anthropic", ["a"] * 8).requests) == 8


# Streams.


def test_streams_become_one_that_ends_once_all_have() -> None:
    story = chat("up-anthropic", stream=True, stream_options={"include_usage": True})
    begin_stream(story, 1, 2)
    story.tell(UpstreamData(2, ANTHROPIC.announcements + ANTHROPIC.content))
    story.tell(UpstreamData(1, ANTHROPIC.announcements + ANTHROPIC.content))
    story.tell(UpstreamData(2, ANTHROPIC.closing + ANTHROPIC.terminal))
    story.tell(UpstreamEnd(2))
    assert (b"[DONE]" in story.body, story.finished) == (False, False)
    story.tell(UpstreamData(1, ANTHROPIC.closing + ANTHROPIC.terminal))
    assert (story.body.count(b"[DONE]"), story.finished) == (1, False)
    story.tell(UpstreamEnd(1))
    assert (story.ended, story.row["outcome"]) == (True, "ok")
    assert said(story) == {0: "hello", 1: "hello"}
    reasons = [(choice["index"], choice["finish_reason"]) for event in events(story) for choice in event["choices"]]
    assert [each for each in reasons if each[1]] == [(0, "stop"), (1, "stop")]
    assert len({event["id"] for event in events(story)}) == 1
    usage = events(story)[-1]["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (10, 4)


def test_an_upstream_that_does_not_end_its_body_gets_a_moment() -> None:
    story = chat("up-anthropic", stream=True)
    begin_stream(story, 1, 2)
    for leg in (1, 2):
        story.tell(UpstreamData(leg, ANTHROPIC.stream))
    effects = story.wait(1)
    assert (story.finished, story.ended) == (True, True)
    assert {AbortUpstream(1), AbortUpstream(2)} <= set(effects_of(effects))


def effects_of(effects: list[Any]) -> list[AbortUpstream]:
    return [effect for effect in effects if isinstance(effect, AbortUpstream)]


def test_a_leg_that_answers_as_a_whole_is_told_in_the_stream() -> None:
    story = chat("up-anthropic", stream=True)
    begin_stream(story, 1)
    story.upstream_answers(200, message("whole"), leg=2)
    story.tell(UpstreamData(1, ANTHROPIC.stream))
    story.tell(UpstreamEnd(1))
    assert said(story) == {0: "hello", 1: "whole"}
    assert story.row["outcome"] == "ok"


def test_announcements_wait_for_the_first_content_of_any_leg() -> None:
    story = chat("up-anthropic", stream=True)
    begin_stream(story, 1, 2)
    story.tell(UpstreamData(1, ANTHROPIC.announcements))
    story.tell(UpstreamData(2, ANTHROPIC.announcements))
    assert (story.body, story.exchange.state) == (b"", State.WAITING)
    story.tell(UpstreamData(2, ANTHROPIC.content))
    assert story.exchange.state is State.COMMITTED


def test_a_stream_that_was_held_for_long_goes_out() -> None:
    story = chat("up-anthropic", stream=True)
    begin_stream(story, 1, 2)
    story.tell(UpstreamData(1, ANTHROPIC.announcements))
    story.wait(30)
    assert (story.status, said(story)) == (200, {0: ""})


# Failures.


def test_the_first_failure_fails_the_whole_and_drops_the_others() -> None:
    story = chat("up-anthropic", n=3)
    story.upstream_answers(200, message("one"), leg=1)
    effects = story.upstream_answers(429, ANTHROPIC.error_answer, leg=2)
    assert (story.status, json.loads(story.body)["error"]["message"]) == (429, "slow down")
    assert effects_of(effects) == [AbortUpstream(3)]


def test_a_failure_after_content_is_told_in_the_stream() -> None:
    story = chat("up-anthropic", stream=True)
    begin_stream(story, 1, 2)
    story.tell(UpstreamData(1, ANTHROPIC.announcements + ANTHROPIC.content))
    effects = story.tell(UpstreamData(2, ANTHROPIC.error))
    assert events(story)[-1]["error"]["message"] == "busy"
    assert b"[DONE]" not in story.body
    assert (story.finished, set(effects_of(effects))) == (True, {AbortUpstream(1), AbortUpstream(2)})


def test_a_leg_that_ends_early_fails_the_whole() -> None:
    story = chat("up-anthropic", stream=True)
    begin_stream(story, 1, 2)
    story.tell(UpstreamData(1, ANTHROPIC.stream))
    story.tell(UpstreamEnd(2))
    assert "error" in events(story)[-1]
    assert (story.finished, story.row["outcome"]) == (True, "error")


def test_a_leg_that_breaks_after_its_end_takes_nothing_away() -> None:
    story = chat("up-anthropic", stream=True)
    begin_stream(story, 1, 2)
    for leg in (1, 2):
        story.tell(UpstreamData(leg, ANTHROPIC.stream))
        story.upstream_breaks(leg=leg)
    assert (story.row["outcome"], story.body.count(b"[DONE]")) == ("ok", 1)


def test_an_error_inside_a_200_fails_the_whole() -> None:
    story = chat("up-anthropic")
    story.upstream_answers(200, b'{"error":{"type":"overloaded_error","message":"busy"}}', leg=1)
    assert (story.status, json.loads(story.body)["error"]["message"]) == (502, "busy")


def test_calls_made_at_once_are_no_retries_for_the_client() -> None:
    story = chat("up-anthropic")
    story.upstream_answers(500, b"{}", leg=1)
    assert (story.status, b"x-should-retry" in story.headers) == (500, False)


# Further attempts.


TWO_WAYS: Final = msgspec.structs.replace(
    config(),
    models=(ModelRule("m", ((("anthropic", "up-anthropic"),), (("openai_responses", "up-openai_responses"),))),),
)


def hosts(story: Story) -> list[str]:
    return [request.origin.host for request in story.requests.values()]


def test_a_call_is_made_again_by_itself_and_lets_go_of_what_it_kept() -> None:
    story = chat("up-anthropic", attempts=4)
    story.upstream_answers(200, b"[1, 2", leg=2, end=False)
    assert story.gateway.buffered > len("[1, 2")
    held = story.gateway.buffered
    story.tell(UpstreamEnd(2))
    story.wait(1)
    (leg,) = set(story.requests) - {1, 2}
    assert story.gateway.buffered == held - len("[1, 2")
    story.upstream_answers(200, message("two"), leg=leg)
    story.upstream_answers(200, message("one"), leg=1)
    assert [each["message"]["content"] for each in json.loads(story.body)["choices"]] == ["one", "two"]
    assert story.row["failed"] == ["anthropic#1: 502"]
    assert story.gateway.buffered == 0


def test_a_stream_that_is_made_again_gets_to_its_end() -> None:
    story = chat("up-anthropic", attempts=4, stream=True)
    begin_stream(story, 1, 2)
    story.tell(UpstreamData(1, ANTHROPIC.stream))
    story.tell(UpstreamEnd(1))
    story.tell(UpstreamData(2, ANTHROPIC.announcements))
    story.tell(UpstreamEnd(2))
    story.wait(1)
    begin_stream(story, 4)
    story.tell(UpstreamData(4, ANTHROPIC.stream))
    assert not story.finished  # its upstream has a moment to end it, so that its connection can be used again
    story.tell(UpstreamEnd(4))
    assert (story.row["outcome"], said(story)) == ("ok", {0: "hello", 1: "hello"})
    assert effects_of(story.effects) == []


def test_where_a_call_fails_for_good_all_of_them_go_the_next_way() -> None:
    story = chat("m", setup=TWO_WAYS, attempts=4)
    story.upstream_answers(200, message("one"), leg=1)
    story.upstream_answers(429, ANTHROPIC.error_answer, leg=2)
    assert hosts(story)[2:] == ["openai-responses.example"] * 2
    for leg in (3, 4):
        story.upstream_answers(200, RESPONSES.answer, leg=leg)
    assert (story.status, len(json.loads(story.body)["choices"])) == (200, 2)


def test_another_candidate_of_the_same_step_is_a_way_out_too() -> None:
    pooled = ((("anthropic", "up-anthropic"), ("openai_responses", "up-openai_responses")),)
    story = chat("m", setup=msgspec.structs.replace(config(), models=(ModelRule("m", pooled),)), attempts=4)
    first, second = hosts(story)
    assert first == second
    story.upstream_answers(429, ANTHROPIC.error_answer, leg=1)
    (other,) = {"anthropic.example", "openai-responses.example"} - {first}
    assert hosts(story)[2:] == [other] * 2


def test_what_was_kept_of_an_abandoned_way_is_given_back_at_once() -> None:
    story = chat("m", setup=TWO_WAYS, attempts=4)
    before = story.gateway.buffered
    story.upstream_answers(200, message("x" * 5000), leg=1)
    assert story.gateway.buffered >= before + 5000
    story.upstream_answers(429, ANTHROPIC.error_answer, leg=2)
    assert hosts(story)[2:] == ["openai-responses.example"] * 2
    assert story.gateway.buffered == before


@pytest.mark.parametrize("stream", [False, True])
def test_a_divided_request_that_follows_another_attempt_starts_anew(stream: bool) -> None:
    candidates = ((("openai", "up-openai"),), (("anthropic", "up-anthropic"),))
    setup = msgspec.structs.replace(config(timeouts=Timeouts(first_byte=900)), models=(ModelRule("m", candidates),))
    story = chat("m", setup=setup, attempts=4, stream=stream)
    begun = (CHAT.announcements, SSE) if stream else (b'{"id":', JSON)
    story.upstream_answers(200, begun[0], headers=begun[1], end=False)
    story.upstream_breaks()
    assert hosts(story)[1:] == ["anthropic.example"] * 2
    for leg in (2, 3):
        story.tell(UpstreamConnected(leg, reused=False))
    story.wait(599)
    # What the first attempt announced is nothing to go out, and what came of it does not count as an answer.
    assert (story.exchange.state, story.finished) == (State.OPENED if stream else State.WAITING, False)
    if stream:
        assert (story.headers[b"x-agcore-provider"], story.headers[b"x-agcore-model"]) == (
            b"anthropic",
            b"up-anthropic",
        )
    story.wait(1)
    assert b"no answer within 600 s" in story.body


def test_a_limited_key_that_is_to_be_probed_does_not_keep_a_divided_request_from_the_next_way() -> None:
    first = chat("m", setup=TWO_WAYS, attempts=4, n=1)
    first.upstream_answers(429, ANTHROPIC.error_answer, headers=(*JSON, (b"retry-after", b"3000")))
    story = Story(first.gateway)
    story.now = EPOCH + 301  # its probe is due
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "n": 2}
    story.open("POST", "/v1/chat/completions", body=json.dumps(body).encode())
    assert hosts(story) == ["openai-responses.example"] * 2
    for leg in (1, 2):
        story.upstream_answers(200, RESPONSES.answer, leg=leg)
    assert (story.status, story.headers[b"x-agcore-attempts"]) == (200, b"1")


def test_a_limited_key_that_is_probed_by_one_call_has_none_for_the_others() -> None:
    first = chat("up-anthropic", n=1)
    first.upstream_answers(429, ANTHROPIC.error_answer, headers=(*JSON, (b"retry-after", b"3000")))
    story = Story(first.gateway)
    story.now = EPOCH + 301  # its probe is due
    body = {"model": "up-anthropic", "messages": [{"role": "user", "content": "hi"}], "n": 3}
    story.open("POST", "/v1/chat/completions", body=json.dumps(body).encode())
    assert (story.status, story.finished, story.gateway.buffered) == (429, True, 0)
    opened, aborted = ([e.leg for e in story.effects if isinstance(e, kind)] for kind in (OpenUpstream, AbortUpstream))
    assert opened == aborted


def test_all_answers_together_are_bounded() -> None:
    story = chat("up-anthropic", setup=config(limits=Limits(max_json_mb=0.001)))
    story.upstream_answers(200, message("x" * 600), leg=1)
    assert not story.finished
    story.upstream_answers(200, message("x" * 600), leg=2)
    assert story.status == 502
    assert "larger than 1048 bytes" in json.loads(story.body)["error"]["message"]


def test_a_client_that_hangs_up_drops_all_legs() -> None:
    story = chat("up-openai_responses", n=4)
    effects = story.exchange.abandon(now=story.now)
    assert len(effects_of(effects)) == 4


@pytest.mark.parametrize("dialogue", [CHAT, GEMINI, RESPONSES], ids=lambda each: each.dialect)
def test_one_prompt_and_one_answer_are_one_call(dialogue: Any) -> None:
    story = completions(dialogue.model, ["a"], n=1)
    assert sum(isinstance(effect, OpenUpstream) for effect in story.effects) == 1
    story.upstream_answers(200, dialogue.answer)
    assert (story.status, len(json.loads(story.body)["choices"])) == (200, 1)
