"""Clients have a conversation compacted: by whom, what comes of it, and what is made of that later.

Formats: docs/wire/openai-responses.md#compaction, docs/wire/anthropic-messages.md#compaction.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from agcore import Gateway, UpstreamConnected, UpstreamData, UpstreamEnd, UpstreamHead
from agcore.conversation import compaction
from agcore_sim.dialogues import ANTHROPIC, CHAT, GEMINI, Dialogue
from agcore_sim.story import SSE, Story, gateway
from tests.support import grammar_anthropic
from tests.support import grammar_openai_responses as grammar
from tests.support.dialogues import config, ids

OTHERS = pytest.mark.parametrize("up", [CHAT, ANTHROPIC, GEMINI], ids=ids)
TRIGGER = {"type": "compaction_trigger"}
HISTORY: list[dict[str, Any]] = [
    {"role": "developer", "content": "Be brief."},
    {"role": "user", "content": "What is in a.txt?"},
    {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"},
    {"type": "function_call", "call_id": "call_1", "name": "read", "arguments": '{"path":"a.txt"}'},
    {"type": "function_call_output", "call_id": "call_1", "output": "one two"},
    {"role": "user", "content": [{"type": "input_text", "text": "And now?"}]},
]
TOOLS = [{"type": "function", "name": "read", "parameters": {"type": "object"}}, {"type": "web_search"}]
ASKED: dict[str, Any] = {
    "instructions": "You are Codex.",
    "tools": TOOLS,
    "tool_choice": "auto",
    "parallel_tool_calls": True,
    "reasoning": {"effort": "medium", "summary": "auto"},
    "include": ["reasoning.encrypted_content"],
    "store": False,
}


def ask(model: str, *, path: str = "/v1/responses", server: Gateway | None = None, **body: Any) -> Story:
    story = Story(server or gateway(config()))
    story.open("POST", path, body=json.dumps({"model": model, **body}).encode())
    return story


def sent(story: Story) -> Any:
    body = story.requests[1].body
    assert isinstance(body, bytes)
    return json.loads(body)


def streamed(story: Story, stream: bytes) -> None:
    story.tell(UpstreamConnected(1, reused=False))
    story.tell(UpstreamHead(1, 200, SSE))
    story.tell(UpstreamData(1, stream))
    story.tell(UpstreamEnd(1))


def made(output: list[dict[str, Any]]) -> str:
    """The summary in an output that is one compaction and nothing else."""
    (item,) = output
    assert item.keys() == {"type", "id", "encrypted_content"}
    assert (item["type"], item["id"][:4]) == ("compaction", "cmp_")
    summary = compaction.opened(item["encrypted_content"])
    assert summary is not None
    return summary


@OTHERS
def test_a_trigger_has_the_model_sum_up_without_tools(up: Dialogue) -> None:
    story = ask(up.model, input=[*HISTORY, TRIGGER], **ASKED)
    asked = json.dumps(sent(story))
    assert not {"tools", "tool_choice", "toolConfig", "functionCall", "tool_use", "tool_calls"} & sent(story).keys()
    assert not any(word in asked for word in ("function", "tool_use", "tool_calls"))
    for told in ("You are Codex.", "Be brief.", "What is in a.txt?", "[Called read: ", "one two", "And now?"):
        assert told in asked
    assert asked.index("And now?") < asked.index("Write a summary")
    story.upstream_answers(200, up.answer)
    response = json.loads(story.body)
    assert made(response["output"]) == "hello"
    assert (response["status"], response["object"]) == ("completed", "response")
    assert (response["usage"] is None) == (up is GEMINI)  # which does not tell here


@OTHERS
def test_a_stream_of_a_compaction_tells_one_item(up: Dialogue) -> None:
    story = ask(up.model, input=[*HISTORY, TRIGGER], stream=True, **ASKED)
    streamed(story, up.stream)
    assert [event["type"] for event in grammar.events_of(story.body)] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.compaction.compacting",
        "response.output_item.done",
        "response.completed",
    ]
    response = grammar.check(story.body)
    assert made(response["output"]) == "hello"
    assert response["usage"]["total_tokens"] > 0


@OTHERS
def test_a_summary_is_told_to_whoever_goes_on_and_to_a_gateway_that_was_restarted(up: Dialogue) -> None:
    item = {"type": "compaction", "id": "cmp_1", "encrypted_content": compaction.carried("SUM")}
    for kind in ("compaction", "compaction_summary", "context_compaction"):
        story = ask(up.model, input=[{"role": "user", "content": "q"}, {**item, "type": kind}])
        assert "\\nSUM\\n" in json.dumps(sent(story))


def test_a_summary_is_told_to_openai_too() -> None:
    item = {"type": "compaction", "id": "cmp_1", "encrypted_content": compaction.carried("SUM")}
    story = ask("up-openai_responses", input=[{"role": "user", "content": "q"}, item, {"role": "user", "content": "r"}])
    q, told, r = sent(story)["input"]
    assert (q["content"], r["content"]) == ("q", "r")
    assert (told["type"], told["role"]) == ("message", "user")
    assert "SUM" in told["content"][0]["text"]


def test_what_openai_compacted_is_no_others_to_open_and_the_refusal_says_what_to_do() -> None:
    story = ask("up-anthropic", input=[{"type": "compaction", "encrypted_content": "gAAA"}, *HISTORY])
    assert story.status == 400
    error = json.loads(story.body)["error"]
    assert error["param"] == "input[0]"
    assert "go on there, or leave the item out" in error["message"]


def test_a_trigger_passes_to_who_compacts_by_itself() -> None:
    story = ask("up-openai_responses", input=[*HISTORY, TRIGGER], **ASKED)
    assert sent(story)["input"][-1] == TRIGGER
    assert sent(story)["tools"] == TOOLS


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_without_a_word_is_no_summary(stream: bool) -> None:
    story = ask("up-openai", input=[*HISTORY, TRIGGER], stream=stream)
    message = {"role": "assistant", "content": "  "}
    chunk = {"id": "c", "model": "m", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    if stream:
        chunk["choices"] = [{"index": 0, "delta": message, "finish_reason": "stop"}]
        streamed(story, b"data: " + json.dumps(chunk).encode() + b"\n\ndata: [DONE]\n\n")
        response = grammar.check(story.body)
        assert (response["status"], response["output"]) == ("failed", [])
        assert "no summary" in response["error"]["message"]
    else:
        story.upstream_answers(200, json.dumps({"object": "chat.completion", **chunk}).encode())
        assert story.status == 502
        assert "no summary" in json.loads(story.body)["error"]["message"]


def test_who_thinks_first_still_gives_one_item_and_a_summary_that_was_cut_off_says_so() -> None:
    story = ask("up-openai", input=[*HISTORY, TRIGGER])
    message = {"role": "assistant", "reasoning_content": "hm", "content": "We read a"}
    choice = {"index": 0, "message": message, "finish_reason": "length"}
    story.upstream_answers(200, json.dumps({"object": "chat.completion", "choices": [choice]}).encode())
    response = json.loads(story.body)
    assert (response["status"], response["incomplete_details"]) == ("completed", None)
    assert made(response["output"]) == "We read a" + compaction.CUT


@pytest.mark.parametrize(
    ("items", "param"), [([TRIGGER, {"role": "user", "content": "x"}], "input[0]"), ([TRIGGER], "input")]
)
def test_a_trigger_must_end_a_conversation(items: list[Any], param: str) -> None:
    story = ask("up-openai", input=items)
    assert (story.status, json.loads(story.body)["error"]["param"]) == (400, param)


def test_what_follows_a_compaction_that_is_held_here_goes_on_from_its_summary_alone() -> None:
    server = gateway(config())
    story = ask("up-openai", server=server, input=[*HISTORY, TRIGGER])
    story.upstream_answers(200, CHAT.answer)
    held = json.loads(story.body)["id"]
    story = ask("up-openai", server=server, input="and then?", previous_response_id=held)
    first, last = sent(story)["messages"]
    assert "hello" in json.dumps(first)
    assert last == {"role": "user", "content": "and then?"}


@OTHERS
def test_the_route_of_compaction_sums_up_at_any_vendor(up: Dialogue) -> None:
    story = ask(up.model, path="/v1/responses/compact", input=HISTORY, instructions="I", stream=True)
    assert "stream" not in sent(story)
    assert "Write a summary" in json.dumps(sent(story))
    story.upstream_answers(200, up.answer)
    compacted = json.loads(story.body)
    assert compacted.keys() == {"id", "object", "created_at", "output", "usage"}
    assert compacted["object"] == "response.compaction"
    *messages, summary = compacted["output"]
    assert made([summary]) == "hello"
    assert [(item["type"], item["role"], item["content"]) for item in messages] == [
        ("message", "user", [{"type": "input_text", "text": "What is in a.txt?"}]),
        ("message", "user", [{"type": "input_text", "text": "And now?"}]),
    ]
    assert len({item["id"] for item in compacted["output"]}) == 3
    assert (compacted["usage"] is None) == (up is GEMINI)  # which does not tell here
    # The output is the next input.
    again = ask(up.model, path="/v1/responses/compact", input=compacted["output"])
    assert "hello" in json.dumps(sent(again))


def test_the_route_of_compaction_takes_text_and_refuses_what_is_no_input() -> None:
    story = ask("up-openai", path="/v1/responses/compact", input="only this")
    story.upstream_answers(200, CHAT.answer)
    message, _ = json.loads(story.body)["output"]
    assert message["content"] == [{"type": "input_text", "text": "only this"}]
    for wrong in (5, [], None):
        story = ask("up-openai", path="/v1/responses/compact", input=wrong)
        assert (story.status, json.loads(story.body)["error"]["param"]) == (400, "input")


def test_a_failure_of_the_route_of_compaction_is_the_upstreams() -> None:
    story = ask("up-anthropic", path="/v1/responses/compact", input="a")
    story.upstream_answers(200, b'{"type":"message","content":[],"stop_reason":"end_turn","usage":{}}')
    assert story.status == 502
    story = ask("up-anthropic", path="/v1/responses/compact", input="a")
    story.upstream_answers(400, ANTHROPIC.error_answer)
    assert story.status == 400


# Clients of Messages, which ask by a member of the request.

SUMMARIZE = {"type": "summarize"}
MESSAGES: list[dict[str, Any]] = [
    {"role": "user", "content": "What is in a.txt?"},
    {"role": "assistant", "content": [{"type": "tool_use", "id": "c1", "name": "read", "input": {"path": "a.txt"}}]},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "one two"}]},
]


def ask_messages(model: str, *, path: str = "/v1/messages", **body: Any) -> Story:
    story = Story(gateway(config()))
    wanted = {"model": model, "max_tokens": 99, "messages": MESSAGES, "tools": [{"name": "read", "input_schema": {}}]}
    story.open("POST", path, body=json.dumps({**wanted, **body}).encode())
    return story


@pytest.mark.parametrize("up", [CHAT, GEMINI], ids=ids)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_clients_of_messages_get_one_block_with_the_summary(up: Dialogue, stream: bool) -> None:
    story = ask_messages(up.model, compaction={**SUMMARIZE, "instructions": "In verse."}, stream=stream)
    asked = sent(story)
    assert "tools" not in asked
    assert json.dumps(asked).index("[Result of read]") < json.dumps(asked).index("In verse.")
    if stream:
        streamed(story, up.stream)
        message = grammar_anthropic.message(story.body)
    else:
        story.upstream_answers(200, up.answer)
        message = json.loads(story.body)
    (block,) = message["content"]
    assert (block["type"], block["content"]) == ("compaction", "hello")
    assert message["stop_reason"] == "compaction"

    # The block takes the place of the messages, at whatever vendor.
    further = [{"role": "assistant", "content": [block]}, {"role": "user", "content": "and then?"}]
    for model in (up.model, "up-anthropic"):
        told = json.dumps(sent(ask_messages(model, messages=further)))
        assert "compacted. This is a summary of it" in told
        assert "hello" in told
        assert '"compaction"' not in told


def test_a_summary_goes_to_anthropic_as_the_users_words_and_its_own_blocks_as_they_are() -> None:
    ours = {"type": "compaction", "content": "SUM", "signature": compaction.carried("")}
    said = {"type": "text", "text": "so"}
    own = {"role": "assistant", "content": [{"type": "compaction", "content": "x", "signature": "EqQB"}]}
    broken = {"role": "assistant", "content": [{**ours, "content": None}, said]}
    messages = [{"role": "assistant", "content": [ours, said]}, own, broken, {"role": "user", "content": "q"}]
    told, rest, *others = sent(ask_messages("up-anthropic", messages=messages))["messages"]
    assert told == {"role": "user", "content": [{"type": "text", "text": compaction.restored("SUM")}]}
    assert rest == {"role": "assistant", "content": [said]}
    assert others == [own, {"role": "assistant", "content": [said]}, messages[-1]]


def test_a_summary_for_messages_may_be_cut_off_and_is_never_empty() -> None:
    answer = {"object": "chat.completion", "choices": [{"index": 0, "finish_reason": "length"}]}
    for text, status in (("We met", 200), ("", 502)):
        story = ask_messages("up-openai", compaction=SUMMARIZE)
        answer["choices"] = [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "length"}]
        story.upstream_answers(200, json.dumps(answer).encode())
        assert story.status == status
        if status == 200:
            assert json.loads(story.body)["content"][0]["content"] == "We met" + compaction.CUT


def test_thoughts_about_a_summary_are_not_told() -> None:
    story = ask_messages("up-openai", compaction=SUMMARIZE, stream=True)
    deltas: list[dict[str, Any]] = [
        {"reasoning_content": "hm"},
        {"content": " "},
        {"content": "We"},
        {"content": " met."},
    ]
    chunks = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    streamed(story, b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks))
    (block,) = grammar_anthropic.message(story.body)["content"]
    assert block["content"] == "We met."


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"compaction": {"type": "forget"}}, "compaction.type"),
        ({"compaction": {**SUMMARIZE, "instructions": 5}}, "compaction.instructions"),
        ({"compaction": SUMMARIZE, "context_management": {"edits": []}}, "compaction"),
        ({"compaction": 5}, "compaction"),
    ],
)
def test_what_is_no_request_for_a_summary_is_refused(body: Any, param: str) -> None:
    story = ask_messages("up-openai", **body)
    assert story.status == 400
    assert param in json.loads(story.body)["error"]["message"]


def test_a_count_of_tokens_ignores_that_a_summary_is_wanted() -> None:
    plain, wanted = (
        ask_messages("up-openai", path="/v1/messages/count_tokens", **body) for body in ({}, {"compaction": SUMMARIZE})
    )
    assert (plain.status, plain.body) == (wanted.status, wanted.body)
