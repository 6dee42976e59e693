"""What a response leaves behind: going on from it, by whom and where, reading it again, deleting it."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from agcore import Gateway, UpstreamConnected, UpstreamData, UpstreamHead
from agcore.config.values import ClientKey, Config, Limits, ModelRule, Provider, Proxy, Secret
from agcore.protocol.http import Headers
from agcore.state.responses import ResponseStore
from agcore_sim.dialogues import ANTHROPIC, CHAT, RESPONSES
from agcore_sim.story import EPOCH, SSE, Story, gateway
from tests.support.dialogues import PROVIDER_KEY, config, provider

ALICE: Headers = ((b"authorization", b"Bearer sk-alice-0123456789abcdef"),)
BOB: Headers = ((b"authorization", b"Bearer sk-bob-0123456789abcdefgh"),)
KEYS = Proxy(
    keys=(
        ClientKey("alice", Secret("sk-alice-0123456789abcdef")),
        ClientKey("bob", Secret("sk-bob-0123456789abcdefgh")),
    )
)

CALL = {"id": "call_7", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Rome"}'}}
TOOL = {"type": "function", "name": "weather", "parameters": {"type": "object"}, "strict": False}
CALLING = {
    "id": "c1",
    "object": "chat.completion",
    "model": "up-openai",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Looking.", "tool_calls": [CALL]},
            "finish_reason": "tool_calls",
        }
    ],
    "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7},
}


def chat(text: str, finish: str = "stop") -> bytes:
    """A Chat answer."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}
    return json.dumps({"id": "c", "object": "chat.completion", "model": "up-openai", "choices": [choice]}).encode()


def ask(server: Gateway, headers: Headers = (), **body: Any) -> Story:
    """A Responses request, up to what comes of it at once."""
    story = Story(server)
    story.open("POST", "/v1/responses", headers=headers, body=json.dumps({"model": "up-openai", **body}).encode())
    return story


def answered(server: Gateway, text: str = "hello", headers: Headers = (), **body: Any) -> dict[str, Any]:
    """The response of the Chat provider that said `text`."""
    story = ask(server, headers, **body)
    story.upstream_answers(200, chat(text))
    response: dict[str, Any] = value(story)
    return response


def value(story: Story) -> Any:
    assert story.status == 200, story.text()
    return json.loads(story.body)


def error(story: Story) -> tuple[int, Any]:
    return story.status, json.loads(story.body)["error"]


def sent(story: Story) -> Any:
    """The body of the request that went up."""
    body = story.requests[1].body
    assert isinstance(body, bytes)
    return json.loads(body)


def get(server: Gateway, id: str, *, method: str = "GET", headers: Headers = (), suffix: str = "") -> Story:
    story = Story(server)
    story.open(method, f"/v1/responses/{id}{suffix}", headers=headers, body=b"")
    return story


def not_found(id: str) -> tuple[int, Any]:
    return 400, {
        "message": f"Previous response with id '{id}' not found.",
        "type": "invalid_request_error",
        "param": "previous_response_id",
        "code": "previous_response_not_found",
    }


def gone(id: str) -> tuple[int, Any]:
    message = f"Response with id '{id}' not found."
    return 404, {"message": message, "type": "invalid_request_error", "param": None, "code": None}


# Going on from a response that was translated.


def test_a_tool_loop_needs_only_the_output_of_the_call() -> None:
    server = gateway(config())
    story = ask(server, input="Weather in Rome?", instructions="Be brief.", tools=[TOOL])
    story.upstream_answers(200, json.dumps(CALLING).encode())
    first = value(story)
    (call,) = (item for item in first["output"] if item["type"] == "function_call")
    output = {"type": "function_call_output", "call_id": call["call_id"], "output": "sunny"}
    second = ask(server, input=[output], previous_response_id=first["id"], tools=[TOOL])
    assert sent(second)["messages"] == [
        {"role": "user", "content": "Weather in Rome?"},
        {"role": "assistant", "content": "Looking.", "tool_calls": [{**CALL, "id": call["call_id"]}]},
        {"role": "tool", "tool_call_id": call["call_id"], "content": "sunny"},
    ]
    second.upstream_answers(200, chat("Sunny."))
    assert value(second)["previous_response_id"] == first["id"]
    assert value(second)["id"] != first["id"]
    third = ask(server, input="Thanks", previous_response_id=value(second)["id"])
    assert [message["role"] for message in sent(third)["messages"]] == [
        "user",
        "assistant",
        "tool",
        "assistant",
        "user",
    ]


def test_one_response_can_be_gone_on_from_twice() -> None:
    server = gateway(config())
    first = answered(server, input="a")
    for text in ("b", "c"):
        story = ask(server, input=text, previous_response_id=first["id"])
        assert [message["content"] for message in sent(story)["messages"]] == ["a", "hello", text]


def test_a_streamed_response_can_be_gone_on_from() -> None:
    server = gateway(config())
    story = ask(server, input="a", stream=True)
    story.upstream_answers(200, CHAT.stream, headers=SSE)
    *_, last = (json.loads(line[6:]) for line in story.body.decode().splitlines() if line.startswith("data: "))
    assert last["type"] == "response.completed"
    assert json.loads(get(server, last["response"]["id"]).body) == last["response"]
    second = ask(server, input="b", previous_response_id=last["response"]["id"])
    assert [message["content"] for message in sent(second)["messages"]] == ["a", "hello", "b"]


def test_a_stream_that_its_upstream_answers_as_a_whole_is_remembered_too() -> None:
    server = gateway(config())
    story = ask(server, input="a", stream=True)
    story.upstream_answers(200, chat("hello"))
    *_, last = (json.loads(line[6:]) for line in story.body.decode().splitlines() if line.startswith("data: "))
    assert get(server, last["response"]["id"]).status == 200


def test_a_complete_stream_is_remembered_although_its_connection_breaks() -> None:
    server = gateway(config())
    story = ask(server, input="a", stream=True)
    story.upstream_answers(200, CHAT.announcements + CHAT.content + CHAT.closing, headers=SSE, end=False)
    story.upstream_breaks()
    *_, last = (json.loads(line[6:]) for line in story.body.decode().splitlines() if line.startswith("data: "))
    assert last["type"] == "response.completed"
    assert get(server, last["response"]["id"]).status == 200


def test_a_stream_that_broke_is_not_remembered() -> None:
    server = gateway(config())
    story = ask(server, input="a", stream=True)
    story.upstream_answers(200, CHAT.announcements + CHAT.content, headers=SSE, end=False)
    story.upstream_breaks()
    *_, last = (json.loads(line[6:]) for line in story.body.decode().splitlines() if line.startswith("data: "))
    assert last["type"] == "response.failed"
    id = last["response"]["id"]
    assert error(get(server, id)) == gone(id)
    assert error(ask(server, input="b", previous_response_id=id)) == not_found(id)


def test_an_incomplete_response_can_be_gone_on_from() -> None:
    server = gateway(config())
    story = ask(server, input="a")
    story.upstream_answers(200, chat("hel", "length"))
    assert value(story)["status"] == "incomplete"
    second = ask(server, input="go on", previous_response_id=value(story)["id"])
    assert [message["content"] for message in sent(second)["messages"]] == ["a", "hel", "go on"]


def test_a_conversation_may_move_to_a_provider_of_another_dialect() -> None:
    server = gateway(config())
    first = answered(server, input="a")
    story = ask(server, model="up-anthropic", input="b", previous_response_id=first["id"])
    assert [message["role"] for message in sent(story)["messages"]] == ["user", "assistant", "user"]
    assert sent(story)["messages"][1]["content"] == [{"type": "text", "text": "hello"}]


def test_a_conversation_may_move_to_a_provider_that_speaks_responses() -> None:
    server = gateway(config())
    first = answered(server, input="a")
    story = ask(server, model="up-openai_responses", input="b", previous_response_id=first["id"], x_unknown=1)
    body = sent(story)
    assert "previous_response_id" not in body
    assert body["x_unknown"] == 1
    assert [item["content"][0]["text"] for item in body["input"][:2]] == ["a", "hello"]
    assert body["input"][1] == first["output"][0]


def test_a_response_repeats_what_the_request_said_of_state() -> None:
    server = gateway(config())
    first = answered(server, input="a")
    assert (first["store"], first["previous_response_id"]) == (True, None)
    second = answered(server, input="b", previous_response_id=first["id"], store=False)
    assert (second["store"], second["previous_response_id"]) == (False, first["id"])


def test_a_response_that_is_not_to_be_stored_is_not() -> None:
    server = gateway(config())
    for stream in (False, True):
        story = ask(server, input="a", store=False, stream=stream)
        story.upstream_answers(200, CHAT.stream if stream else chat("hello"), headers=SSE if stream else ())
        *_, line = story.body.decode().removeprefix("data: ").strip().splitlines()
        told = json.loads(line.removeprefix("data: "))
        id = told["response"]["id"] if stream else told["id"]
        assert error(ask(server, input="b", previous_response_id=id)) == not_found(id)
        assert error(get(server, id)) == gone(id)


@pytest.mark.parametrize("model", ["up-openai", "up-anthropic", "up-gemini"])
def test_an_unknown_response_is_the_error_that_clients_look_for(model: str) -> None:
    story = ask(gateway(config()), model=model, input="b", previous_response_id="resp_0")
    assert error(story) == not_found("resp_0")
    assert not story.requests


def test_what_was_forgotten_for_lack_of_room_is_an_unknown_response() -> None:
    server = gateway(config())
    server._outside.state.responses = ResponseStore(max_entries=1)
    first, second = answered(server, input="a"), answered(server, input="b")
    assert error(ask(server, input="c", previous_response_id=first["id"])) == not_found(first["id"])
    assert ask(server, input="c", previous_response_id=second["id"]).requests


def test_a_history_that_there_is_no_memory_for_is_a_503() -> None:
    server = gateway(config(limits=Limits(max_buffered_mb=5500 / 1024 / 1024)))
    first = answered(server, input="a" * 1500)
    second = answered(server, input="b" * 1500, previous_response_id=first["id"])
    story = ask(server, input="c" * 1500, previous_response_id=second["id"])
    assert (story.status, server.buffered) == (503, 0)


def test_a_follow_up_may_say_nothing_new() -> None:
    server = gateway(config())
    first = answered(server, input="a")
    nothing: tuple[dict[str, Any], ...] = ({}, {"input": None}, {"input": ""}, {"input": []})
    for body in nothing:
        story = ask(server, previous_response_id=first["id"], **body)
        assert [message["content"] for message in sent(story)["messages"]] == ["a", "hello"]


def test_input_of_the_wrong_kind_is_refused_as_it_is_without_a_history() -> None:
    server = gateway(config())
    first = answered(server, input="a")
    for wrong in (5, {"role": "user"}, [5], [{"type": "item_reference", "id": 5}]):
        status, told = error(ask(server, input=wrong, previous_response_id=first["id"]))
        assert (status, told["type"]) == (400, "invalid_request_error")


def test_input_that_is_nested_too_deeply_to_be_put_together_is_refused() -> None:
    server = gateway(config())
    first = answered(server, input="a")
    outcomes = set()
    for depth in range(800, 1001):
        items = b'[{"role":"user","content":"x","y":' + b"[" * depth + b"]" * depth + b"}]"
        body = b'{"model":"up-openai_responses","previous_response_id":"%b","input":%b}' % (first["id"].encode(), items)
        story = Story(server)
        story.open("POST", "/v1/responses", body=body)
        outcomes.add("previous_response_id" not in sent(story) if story.requests else error(story)[0])
    assert outcomes == {True, 400}


def test_a_conversation_object_is_refused() -> None:
    status, told = error(ask(gateway(config()), input="b", conversation="conv_1"))
    assert (status, told["param"]) == (400, "conversation")


def test_half_an_emoji_in_a_history_does_no_harm() -> None:
    server = gateway(config())
    story = ask(server, model="up-anthropic", input="a")
    story.upstream_answers(200, ANTHROPIC.answer.replace(b"hello", rb"cut \ud83d"))
    assert value(story)["output"][0]["content"][0]["text"] == "cut \ufffd"
    story = ask(server, input="b", previous_response_id=value(story)["id"])
    assert [message["content"] for message in sent(story)["messages"]] == ["a", "cut \ufffd", "b"]


# Items by their ids.


def test_an_item_of_a_stored_response_may_be_named_instead_of_sent() -> None:
    server = gateway(config())
    first = answered(server, input="a")
    reference = {"type": "item_reference", "id": first["output"][0]["id"]}
    items = [{"role": "user", "content": "a"}, reference, {"role": "user", "content": "b"}]
    story = ask(server, input=items)
    assert [message["content"] for message in sent(story)["messages"]] == ["a", "hello", "b"]
    native = ask(server, model="up-openai_responses", input=items)
    assert sent(native)["input"] == [items[0], first["output"][0], items[2]]


def test_another_clients_item_stays_unknown() -> None:
    server = gateway(config(proxy=KEYS))
    first = answered(server, headers=ALICE, input="a")
    items = [{"type": "item_reference", "id": first["output"][0]["id"]}]
    assert sent(ask(server, ALICE, input=items))["messages"] == [{"role": "assistant", "content": "hello"}]
    status, told = error(ask(server, BOB, input=items))
    assert (status, told["param"]) == (400, "input[0]")


def test_items_that_are_unknown_here_pass_to_a_provider_that_may_know_them() -> None:
    body = b'{ "model":"up-openai_responses", "input" : [{"type":"item_reference","id":"msg_theirs"}]}'
    story = Story(gateway(config()))
    story.open("POST", "/v1/responses", body=body)
    assert json.loads(story.requests[1].body) == json.loads(body)  # type: ignore[arg-type]


# Whose a response is.


def test_another_clients_response_is_not_found() -> None:
    server = gateway(config(proxy=KEYS))
    id = answered(server, headers=ALICE, input="a")["id"]
    for headers in (BOB, ()):
        assert error(ask(server, headers, input="b", previous_response_id=id)) == not_found(id)
        for method in ("GET", "DELETE"):
            assert error(get(server, id, method=method, headers=headers)) == gone(id)
        assert error(get(server, id, headers=headers, suffix="/input_items")) == gone(id)
    assert get(server, id, headers=ALICE).status == 200


def test_another_clients_response_does_not_reach_the_provider_that_has_it() -> None:
    server = gateway(config(proxy=KEYS))
    native(server, headers=ALICE)
    story = ask(server, BOB, model="up-openai_responses", input="b", previous_response_id="resp_1")
    assert error(story) == not_found("resp_1")
    assert not story.requests
    assert error(get(server, "resp_1", headers=BOB)) == gone("resp_1")


# Responses that their providers hold.


def native(server: Gateway, *, model: str = "up-openai_responses", headers: Headers = (), **body: Any) -> Story:
    """A response of the Responses provider, whose id is `resp_1`."""
    story = ask(server, headers, model=model, input="a", **body)
    stream = body.get("stream") is True
    story.upstream_answers(200, RESPONSES.stream if stream else RESPONSES.answer, headers=SSE if stream else ())
    assert story.finished
    return story


def two_vendors() -> Config:
    """Two providers that speak Responses, beside the usual ones; each has an alias."""
    other = provider(RESPONSES, name="other")
    base = config()
    models = (*base.models, ModelRule("mine", ((("other", "up-other"),),)))
    return msgspec.structs.replace(base, providers=(*base.providers, other), models=models)


@pytest.mark.parametrize("stream", [False, True])
def test_a_follow_up_goes_where_the_response_is_held(stream: bool) -> None:
    server = gateway(two_vendors())
    native(server, model="mine", stream=stream)
    for model, there in (("mine", "up-other"), ("extra-other-2", "extra-other-2")):
        story = ask(server, model=model, input="b", previous_response_id="resp_1")
        assert story.requests[1].origin.host == "other.example"
        assert sent(story) == {"model": there, "input": "b", "previous_response_id": "resp_1"}


@pytest.mark.parametrize("path", ["", "/compact"])
@pytest.mark.parametrize("model", ["up-openai_responses", "up-openai"])
def test_a_follow_up_at_another_vendors_model_is_not_answered_by_the_old_one(model: str, path: str) -> None:
    """Clients know the code, and send the whole conversation."""
    server = gateway(two_vendors())
    native(server, model="mine")
    story = Story(server)
    body = {"model": model, "input": "b", "previous_response_id": "resp_1"}
    story.open("POST", "/v1/responses" + path, body=json.dumps(body).encode())
    assert error(story) == not_found("resp_1")
    assert not story.requests


def test_responses_of_one_id_at_two_providers_are_told_apart_by_the_model_that_is_named() -> None:
    server = gateway(two_vendors())
    native(server, model="mine")
    native(server, model="up-openai_responses")
    for model, host in (("mine", "other.example"), ("up-openai_responses", "openai-responses.example")) * 2:
        story = ask(server, model=model, input="b", previous_response_id="resp_1")
        assert story.requests[1].origin.host == host
    assert get(server, "resp_1").requests[1].origin.host == "openai-responses.example"


def test_a_stream_that_broke_can_still_be_asked_for_where_it_is_held() -> None:
    server = gateway(config())
    story = ask(server, model="up-openai_responses", input="a", stream=True, background=True)
    story.tell(UpstreamConnected(1, reused=False))
    story.tell(UpstreamHead(1, 200, SSE))
    for piece in (RESPONSES.announcements[:9], RESPONSES.announcements[9:]):
        story.tell(UpstreamData(1, piece))
    story.upstream_breaks()
    assert list(get(server, "resp_1").requests) == [1]


def test_a_follow_up_asks_for_no_model_that_the_client_may_not_use() -> None:
    keys = Proxy(keys=(ClientKey("alice", Secret("sk-alice-0123456789abcdef"), models=("up-openai_responses",)),))
    server = gateway(config(proxy=keys))
    native(server, headers=ALICE)
    status, told = error(ask(server, ALICE, model="up-openai", input="b", previous_response_id="resp_1"))
    assert (status, told["code"]) == (403, "model_not_allowed")


def test_a_pin_to_a_provider_that_is_gone_is_an_unknown_response() -> None:
    before, after = gateway(two_vendors()), gateway(config())
    native(before, model="mine")
    after._outside.state.responses = before._outside.state.responses
    assert error(ask(after, input="b", previous_response_id="resp_1")) == not_found("resp_1")
    assert error(get(after, "resp_1")) == gone("resp_1")


def test_a_pin_to_a_key_that_is_gone_is_an_unknown_response() -> None:
    server = gateway(two_vendors())
    native(server, model="mine")
    other = provider(RESPONSES, name="other", keys=("sk-another-0123456789abcdef",))
    server.reconfigure(msgspec.structs.replace(two_vendors(), providers=(*config().providers, other)), now=EPOCH)
    assert error(ask(server, input="b", previous_response_id="resp_1")) == not_found("resp_1")


def test_a_pin_to_a_provider_that_speaks_responses_no_more_is_an_unknown_response() -> None:
    before = gateway(two_vendors())
    native(before, model="mine")
    changed: Provider = provider(ANTHROPIC, name="other")
    after = gateway(config(providers=(changed, provider(CHAT))))
    after._outside.state.responses = before._outside.state.responses
    assert error(ask(after, input="b", previous_response_id="resp_1")) == not_found("resp_1")


def test_an_unknown_id_passes_to_a_provider_that_may_have_it_from_before() -> None:
    body = b'{ "model" :"up-openai_responses","previous_response_id":"resp_old", "input":"b" }'
    story = Story(gateway(config()))
    story.open("POST", "/v1/responses", body=body)
    assert story.requests[1].body == body


def test_a_response_that_its_provider_is_not_to_store_is_not_pinned() -> None:
    server = gateway(config())
    native(server, store=False)
    assert error(get(server, "resp_1")) == gone("resp_1")


def test_an_answer_without_an_id_is_passed_on_and_pins_nothing() -> None:
    server = gateway(config())
    story = ask(server, model="up-openai_responses", input="a")
    story.upstream_answers(200, b'{"object":"response","output":[]}')
    assert story.body == b'{"object":"response","output":[]}'
    assert error(get(server, "resp_1")) == gone("resp_1")


def test_a_held_response_is_read_where_it_is_held_and_shows_the_name_that_was_asked_for() -> None:
    server = gateway(config())
    native(server, model="my-openai_responses")
    story = get(server, "resp_1", suffix="?include[]=reasoning.encrypted_content")
    request = story.requests[1]
    assert (request.method, request.body) == ("GET", b"")
    assert request.target == b"/v1/responses/resp_1?include[]=reasoning.encrypted_content"
    fields = dict(request.headers)
    assert fields[b"authorization"] == b"Bearer " + PROVIDER_KEY.encode()
    assert b"content-type" not in fields
    assert b"content-length" not in fields
    story.upstream_answers(200, RESPONSES.answer)
    assert story.body == RESPONSES.answer.replace(b"up-openai_responses", b"my-openai_responses")
    assert "usage" not in story.row


def test_the_input_of_a_held_response_is_listed_where_it_is_held() -> None:
    server = gateway(config())
    native(server)
    story = get(server, "resp_1", suffix="/input_items?limit=3")
    assert story.requests[1].target == b"/v1/responses/resp_1/input_items?limit=3"
    story.upstream_answers(200, b'{"object": "list", "data": []}')
    assert story.body == b'{"object": "list", "data": []}'


def test_a_held_response_is_deleted_where_it_is_held_and_here() -> None:
    server = gateway(config())
    native(server)
    story = get(server, "resp_1", method="DELETE")
    assert (story.requests[1].method, story.requests[1].target) == ("DELETE", b"/v1/responses/resp_1")
    answer = b'{"id": "resp_1", "object": "response.deleted", "deleted": true}'
    story.upstream_answers(200, answer)
    assert story.body == answer
    assert error(get(server, "resp_1")) == gone("resp_1")


def test_a_provider_that_will_not_delete_is_quoted_and_the_pin_stays() -> None:
    server = gateway(config())
    native(server)
    story = get(server, "resp_1", method="DELETE")
    story.upstream_answers(409, b'{"error": {"message": "in use", "type": "conflict", "code": null, "param": null}}')
    assert (story.status, json.loads(story.body)["error"]["message"]) == (409, "in use")
    assert get(server, "resp_1").requests


# Reading and deleting what is held here.


def test_a_stored_response_reads_as_it_was_answered() -> None:
    server = gateway(config())
    story = ask(server, input="a")
    story.upstream_answers(200, chat("hello"))
    again = get(server, value(story)["id"])
    assert (again.status, again.body) == (200, story.body)
    assert not again.requests


def test_a_deleted_response_is_gone() -> None:
    server = gateway(config())
    first = answered(server, input="a")
    second = answered(server, input="b", previous_response_id=first["id"])
    story = get(server, first["id"], method="DELETE")
    assert value(story) == {"id": first["id"], "object": "response.deleted", "deleted": True}
    for method in ("GET", "DELETE"):
        assert error(get(server, first["id"], method=method)) == gone(first["id"])
    assert error(ask(server, input="c", previous_response_id=first["id"])) == not_found(first["id"])
    story = ask(server, input="c", previous_response_id=second["id"])
    assert [message["content"] for message in sent(story)["messages"]] == ["a", "hello", "b", "hello", "c"]


def test_a_stored_response_is_not_streamed_again() -> None:
    server = gateway(config())
    status, told = error(get(server, answered(server, input="a")["id"], suffix="?stream=true"))
    assert (status, told["param"]) == (400, "stream")


def test_the_input_of_a_stored_response_is_listed_in_pages_newest_first() -> None:
    server = gateway(config())
    first = answered(server, input="a")
    items = [{"role": "user", "content": "b", "id": "mine"}, {"role": "user", "content": "c"}]
    id = answered(server, input=items, previous_response_id=first["id"])["id"]

    def page(query: str = "") -> Any:
        return value(get(server, id, suffix=f"/input_items{query}"))

    whole = page()
    ids = [item["id"] for item in whole["data"]]
    assert ids == [f"msg_{id}_in3", "mine", first["output"][0]["id"], f"msg_{id}_in0"]
    assert (whole["object"], whole["first_id"], whole["last_id"], whole["has_more"]) == ("list", ids[0], ids[3], False)
    assert [item["id"] for item in page("?order=asc")["data"]] == ids[::-1]
    assert [item["id"] for item in page("?limit=3")["data"]] == ids[:3]
    assert page("?limit=3")["has_more"]
    assert [item["id"] for item in page("?limit=3&after=mine")["data"]] == ids[2:]
    end = page(f"?after={ids[3]}")
    assert (end["data"], end["first_id"], end["last_id"], end["has_more"]) == ([], None, None, False)


@pytest.mark.parametrize(
    ("query", "param"),
    [("limit=0", "limit"), ("limit=101", "limit"), ("limit=x", "limit"), ("limit=1000", "limit"), ("after=x", "after")],
)
def test_a_page_that_there_cannot_be_is_refused(query: str, param: str) -> None:
    server = gateway(config())
    status, told = error(get(server, answered(server, input="a")["id"], suffix=f"/input_items?{query}"))
    assert (status, told["param"]) == (400, param)


# Compaction, and responses in the background.

COMPACTED = b'{"id":"cmp_1","object":"response.compaction","output":[{"type":"compaction","encrypted_content":"x"}]}'


def compacted(server: Gateway, **body: Any) -> Story:
    story = Story(server)
    story.open("POST", "/v1/responses/compact", body=json.dumps(body).encode())
    return story


def test_a_conversation_is_compacted_by_a_provider_that_speaks_responses() -> None:
    server = gateway(config())
    story = compacted(server, model="my-openai_responses", input="a", stream=True)
    assert story.requests[1].target == b"/v1/responses/compact"
    assert sent(story)["model"] == "up-openai_responses"
    story.upstream_answers(200, COMPACTED)
    assert (story.status, story.body) == (200, COMPACTED)
    assert error(get(server, "cmp_1")) == gone("cmp_1")


def test_what_is_compacted_may_go_on_from_a_response_that_is_held_here() -> None:
    server = gateway(config())
    held = answered(server, input="a")["id"]
    story = compacted(server, model="up-openai_responses", input="b", previous_response_id=held)
    assert "previous_response_id" not in sent(story)
    assert [item["role"] for item in sent(story)["input"]] == ["user", "assistant", "user"]


def test_who_cannot_be_asked_for_a_summary_compacts_nothing_and_clients_do_it_themselves() -> None:
    status, told = error(compacted(gateway(config()), model="up-openai_completions", input="a"))
    assert (status, told["code"]) == (501, "not_supported")


def test_a_response_in_the_background_is_cancelled_where_it_runs() -> None:
    server = gateway(config())
    native(server)
    story = get(server, "resp_1", method="POST", suffix="/cancel")
    request = story.requests[1]
    assert (request.method, request.target) == ("POST", b"/v1/responses/resp_1/cancel")
    story.upstream_answers(200, b'{"id":"resp_1","object":"response","status":"cancelled"}')
    assert value(story)["status"] == "cancelled"


def test_what_is_held_here_is_complete_and_cannot_be_cancelled() -> None:
    server = gateway(config())
    status, told = error(get(server, answered(server, input="a")["id"], method="POST", suffix="/cancel"))
    assert (status, "complete" in told["message"]) == (400, True)
    assert error(get(server, "resp_x", method="POST", suffix="/cancel")) == gone("resp_x")


def test_a_response_belongs_to_the_key_that_made_it_and_not_to_one_whose_attempt_only_announced_another() -> None:
    keyed = provider(RESPONSES, keys=("sk-first-0123456789", "sk-second-0123456789"))
    server = gateway(config(providers=(keyed,)), attempts=2)
    story = ask(server, model="up-openai_responses", input="a", stream=True)
    story.upstream_answers(200, RESPONSES.announcements.replace(b"resp_1", b"resp_0"), headers=SSE, end=False)
    story.upstream_breaks()
    assert len(story.requests) == 2
    story.upstream_answers(200, RESPONSES.stream, headers=SSE)
    assert b"resp_0" not in story.body
    for held, key in (("resp_1", b"Bearer sk-second-0123456789"), ("resp_0", b"Bearer sk-first-0123456789")):
        on = ask(server, model="up-openai_responses", input="b", previous_response_id=held)
        assert dict(on.requests[1].headers)[b"authorization"] == key
