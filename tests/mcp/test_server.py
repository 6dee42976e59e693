"""The built-in MCP server as a protocol: revisions, sessions, forms of answers, cancellation, and what is no message."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agcore import AbortUpstream, ClientGone, DrainRequested, Gateway, Notified, NotifyExchange, Peer, Secret, State
from agcore.config.values import ClientKey, Timeouts
from agcore.mcp.vision_tools import TOOLS
from agcore_sim.story import SSE, Story, gateway
from tests.support.vision import (
    ACCEPT,
    AT,
    HANDSHAKE,
    STATELESS,
    VERSION,
    Client,
    answered,
    deliver,
    events,
    failure,
    note,
    request,
    result,
    setup,
    stateless,
    text_of,
    tool_call,
)

JSON_ONLY = b"application/json"
EVENTS_ONLY = b"text/event-stream"
PATIENT = setup(timeouts=Timeouts(connect=1000, first_byte=1000))


def client(version: str = "2025-11-25", *, by: Gateway | None = None) -> Client:
    made = Client(by or gateway(setup()), version=version)
    made.begin()
    return made


def post_stateless(message: dict[str, Any], *, by: Gateway | None = None, **options: Any) -> Story:
    body, headers = stateless(message)
    return Client(by or gateway(setup())).post(body, headers=headers, **options)


# The handshake.


@pytest.mark.parametrize("version", HANDSHAKE)
def test_a_handshake_agrees_on_the_revision_that_the_client_asks_for(version: str) -> None:
    told = result(Client(gateway(setup()), version=version).begin())
    assert told["protocolVersion"] == version
    assert told["capabilities"] == {"tools": {}}
    assert told["serverInfo"].keys() == {"name", "title", "version"}
    assert told["serverInfo"]["name"] == "zai-mcp-server"
    assert told["instructions"]


@pytest.mark.parametrize("version", ["2024-11-05", STATELESS, "1.0", "", None, 3, ["2025-06-18"]])
def test_a_client_that_asks_for_another_revision_is_offered_the_newest_with_a_handshake(version: object) -> None:
    story = Client(gateway(setup())).post(request("initialize", {"protocolVersion": version}))
    assert result(story)["protocolVersion"] == "2025-11-25"


def test_session_ids_are_visible_ascii_and_differ() -> None:
    by = gateway(setup())
    ids = {client(by=by).session for _ in range(20)}
    assert len(ids) == 20
    assert all(id is not None and id.isascii() and id.decode().isprintable() and b" " not in id for id in ids)


def test_the_tools_are_the_eight_with_their_schemas() -> None:
    tools = {tool["name"]: tool for tool in result(client().post(request("tools/list")))["tools"]}
    required = {name: tuple(tool["inputSchema"]["required"]) for name, tool in tools.items()}
    assert required == {
        "ui_to_artifact": ("image_source", "output_type", "prompt"),
        "extract_text_from_screenshot": ("image_source", "prompt"),
        "diagnose_error_screenshot": ("image_source", "prompt"),
        "understand_technical_diagram": ("image_source", "prompt"),
        "analyze_data_visualization": ("image_source", "prompt"),
        "ui_diff_check": ("expected_image_source", "actual_image_source", "prompt"),
        "analyze_image": ("image_source", "prompt"),
        "analyze_video": ("video_source", "prompt"),
    }
    optional = {
        name: more
        for name, tool in tools.items()
        if (more := [key for key in tool["inputSchema"]["properties"] if key not in required[name]])
    }
    assert optional == {
        "extract_text_from_screenshot": ["language_hint"],
        "diagnose_error_screenshot": ["context"],
        "understand_technical_diagram": ["diagram_type"],
        "analyze_data_visualization": ["analysis_focus"],
    }
    for tool in tools.values():
        assert tool["description"]
        assert tool["annotations"]["readOnlyHint"] is True
        for schema in tool["inputSchema"]["properties"].values():
            assert schema["type"] == "string"
            assert schema["description"]
    types = tools["ui_to_artifact"]["inputSchema"]["properties"]["output_type"]["enum"]
    assert types == ["code", "prompt", "spec", "description"]


def test_the_list_of_tools_has_one_page() -> None:
    assert "nextCursor" not in result(client().post(request("tools/list", {"cursor": None})))
    assert failure(client().post(request("tools/list", {"cursor": "2"})))[:2] == (200, -32602)


@pytest.mark.parametrize("accept", [JSON_ONLY, None, b"*/*", b"application/*;q=0.5"])
def test_ping_is_answered_as_json(accept: bytes | None) -> None:
    assert result(client().post(request("ping", id="a"), accept=accept)) == {}


@pytest.mark.parametrize(
    "method",
    ["resources/list", "prompts/list", "logging/setLevel", "completion/complete", "x" * 5000, "", "server/discover"],
)
def test_what_was_not_declared_is_an_unknown_method(method: str) -> None:
    status, code, message = failure(client().post(request(method)))
    assert (status, code) == (200, -32601)
    assert len(message) < 200


# Sessions.


@pytest.mark.parametrize("message", [request("tools/list"), note("notifications/initialized"), [request("ping")]])
def test_without_a_session_there_is_only_the_handshake(message: object) -> None:
    story = Client(gateway(setup())).post(message)
    assert failure(story)[:2] == (400, -32600)
    assert "mcp-session-id" in failure(story)[2]


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_streams_and_endings_need_a_session(method: str) -> None:
    assert failure(Client(gateway(setup())).send(method))[:2] == (400, -32600)


@pytest.mark.parametrize("session", [b"mcp-0", b"\xff\x80", b" "])
def test_an_unknown_session_is_a_404(session: bytes) -> None:
    by = client()
    assert failure(by.post(request("ping"), session=session))[0] == 404
    assert by.post(request("ping")).status == 200


def test_a_deleted_session_is_over() -> None:
    by = client()
    story = by.send("DELETE")
    assert (story.status, story.body) == (204, b"")
    for gone in (by.post(request("ping")), by.send("GET"), by.send("DELETE"), by.post(note("notifications/x"))):
        assert failure(gone)[:2] == (404, -32600)
    by.session = None
    by.begin()
    assert by.post(request("ping")).status == 200


def test_a_session_is_of_the_credential_that_made_it() -> None:
    keys = tuple(ClientKey(name, Secret(f"sk-{name}-0123456789")) for name in ("alice", "bob"))
    machine = gateway(setup(keys=keys))
    alice = Client(machine, key="sk-alice-0123456789")
    alice.begin()
    for other in (
        Client(machine, key="sk-bob-0123456789"),
        Client(machine),
        Client(machine, key="sk-alice-0123456789", at="/mcp/other/mcp"),
    ):
        other.session = alice.session
        assert failure(other.post(request("ping")))[0] == 404
        assert failure(other.send("DELETE"))[0] == 404
    elsewhere = Client(machine, key="sk-alice-0123456789", peer=Peer("192.0.2.7"))
    elsewhere.session = alice.session
    assert elsewhere.post(request("ping")).status == 200


def test_a_session_without_a_key_is_of_its_place() -> None:
    config = setup()
    machine = gateway(config)
    by = client(by=machine)
    for host, status in (("::1", 200), ("127.0.0.9", 200)):
        other = Client(machine, peer=Peer(host))
        other.session = by.session
        assert other.post(request("ping")).status == status


def test_sessions_end_after_an_hour_without_use() -> None:
    by = client()
    by.later = 3000.0
    assert by.post(request("ping")).status == 200
    by.later = 6600.0
    assert by.post(request("ping")).status == 200
    by.later = 10201.0
    assert failure(by.post(request("ping")))[0] == 404


def test_a_stream_keeps_its_session() -> None:
    by = client()
    listening = by.send("GET")
    by.later = 10_000.0
    assert by.post(request("ping")).status == 200
    listening.tell(ClientGone())
    by.later = 20_000.0
    assert failure(by.post(request("ping")))[0] == 404


# Versions in heads.


def test_an_unsupported_version_is_a_400_that_lists_the_supported_ones() -> None:
    by = client()
    for version in (b"2024-11-05", b"2027-01-01", b"", b"\xff"):
        story = by.post(request("ping", id=301), headers=((VERSION, version),))
        assert failure(story)[:2] == (400, -32022)
        answer = json.loads(story.body)
        assert answer["error"]["data"] == {"supported": [*HANDSHAKE, STATELESS], "requested": version.decode("latin-1")}
        assert answer["id"] == 301
        story = by.post(note("notifications/x"), headers=((VERSION, version),))
        assert (failure(story)[:2], json.loads(story.body)["id"]) == ((400, -32022), None)


def test_a_session_knows_its_revision_though_a_head_names_none() -> None:
    by = client("2025-06-18")
    message = json.dumps([request("ping")]).encode()
    headers = ((b"content-type", b"application/json"), (b"mcp-session-id", by.session or b""), ACCEPT)
    story = Story(by.gateway)
    story.open("POST", AT, headers=headers, body=message)
    assert failure(story)[:2] == (400, -32600)


# What heads must say.


@pytest.mark.parametrize("method", ["HEAD", "PUT", "PATCH"])
def test_other_methods_are_a_405(method: str) -> None:
    story = client().send(method)
    assert (story.status, story.headers[b"allow"]) == (405, b"GET, POST, DELETE")


@pytest.mark.parametrize("method", ["GET", "DELETE", "HEAD", "PUT"])
@pytest.mark.parametrize("version", [STATELESS.encode(), b"2030-01-01"])
def test_the_stateless_revision_has_posts_only(method: str, version: bytes) -> None:
    story = client().send(method, headers=((VERSION, version),))
    assert (story.status, story.headers[b"allow"]) == (405, b"POST")


@pytest.mark.parametrize("kind", [b"text/plain", b"application/x-www-form-urlencoded", b""])
def test_a_body_must_be_declared_as_json(kind: bytes) -> None:
    by = client()
    assert failure(by.send("POST", b"{}", headers=((b"content-type", kind),)))[0] == 415


def test_an_answer_must_be_welcome() -> None:
    by = client()
    assert failure(by.post(request("ping"), accept=b"text/html"))[0] == 406
    assert failure(by.send("GET", accept=b"application/json"))[0] == 406
    story = by.post(request("ping"), accept=EVENTS_ONLY)
    assert (story.status, story.headers[b"content-type"]) == (200, b"text/event-stream")
    assert events(story) == [{"jsonrpc": "2.0", "id": 1, "result": {}}]
    assert story.ended


@pytest.mark.parametrize(
    ("host", "headers", "status"),
    [
        (b"evil.example", (), 421),
        (b"127.0.0.1:8045", ((b"origin", b"http://evil.example"),), 403),
        (b"localhost:8045", ((b"origin", b"http://localhost:8045"),), 200),
    ],
)
def test_web_pages_cannot_reach_it(host: bytes, headers: Any, status: int) -> None:
    story = Story(gateway(setup()))
    story.open("POST", AT, host=host, headers=headers, body=b"")
    story = Story(gateway(setup()))
    body = json.dumps(request("initialize", {"protocolVersion": "2025-11-25"})).encode()
    story.open("POST", AT, host=host, headers=(*headers, (b"content-type", b"application/json")), body=body)
    assert story.status == status


# What is no message.


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", -32700),
        (b"{not JSON", -32700),
        (b'"\xff"', -32700),
        ("{}".encode("utf-16"), -32700),
        (b"[" * 100_000, -32700),
        (b"[]", -32600),
        (b"3", -32600),
        (b"null", -32600),
        (b"{}", -32600),
        (b'{"jsonrpc":"1.0","id":1,"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":true,"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":[],"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":%d,"method":"ping"}' % 2**64, -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":7}', -32600),
        (b'{"jsonrpc":"2.0","id":1}', -32600),
        (b'{"jsonrpc":"2.0","id":1,"result":{},"error":{}}', -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":[1]}', -32602),
        (b'{"jsonrpc":"2.0","method":"notifications/x","params":3}', -32602),
    ],
)
@pytest.mark.parametrize("era", ["session", "stateless"])
def test_what_is_no_message_is_an_error(body: bytes, code: int, era: str) -> None:
    headers = ((b"content-type", b"application/json"),)
    if era == "session":
        story = client().send("POST", body, headers=headers)
    else:
        story = Client(gateway(setup())).send("POST", body, headers=(*headers, (VERSION, STATELESS.encode())))
    assert failure(story)[:2] == (400, code)


def test_an_error_has_the_id_that_could_be_read() -> None:
    story = client().send(
        "POST", b'{"jsonrpc":"2.0","id":"q","method":7}', headers=((b"content-type", b"application/json"),)
    )
    assert json.loads(story.body)["id"] == "q"


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
METHODS = st.sampled_from(
    ["initialize", "ping", "tools/list", "tools/call", "server/discover", "notifications/cancelled", "x"]
) | st.text(max_size=5)
PARAMS = ANYTHING | st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(sorted(TOOLS)) | ANYTHING,
        "arguments": ANYTHING
        | st.dictionaries(st.sampled_from(["image_source", "prompt", "output_type", "x"]), ANYTHING, max_size=3),
        "cursor": ANYTHING,
        "protocolVersion": ANYTHING,
        "requestId": ANYTHING,
        "_meta": ANYTHING | st.fixed_dictionaries({"progressToken": ANYTHING}),
    },
)
MESSAGES = st.fixed_dictionaries(
    {},
    optional={
        "jsonrpc": st.just("2.0") | ANYTHING,
        "id": st.integers() | st.text(max_size=4) | ANYTHING,
        "method": METHODS | ANYTHING,
        "params": PARAMS,
    },
)
BODIES = (
    st.binary(max_size=60)
    | (MESSAGES | st.lists(MESSAGES, max_size=3) | ANYTHING).map(lambda value: json.dumps(value).encode())
    | MESSAGES.map(lambda value: json.dumps({"jsonrpc": "2.0", "method": "tools/call", **value}).encode())
)


@given(body=BODIES, version=st.sampled_from([*HANDSHAKE, STATELESS]), in_session=st.booleans())
def test_any_body_is_a_message_or_an_error(body: bytes, version: str, in_session: bool) -> None:
    by = Client(gateway(setup()), version="2025-11-25" if version == STATELESS else version)
    if in_session:
        by.begin()
    head = [(b"content-type", b"application/json")]
    if version == STATELESS:
        _, headers = stateless({"method": "tools/call"})
        head += [*headers]
    story = by.send("POST", body, headers=tuple(head))
    if story.requests or story.status == 202:
        assert story.requests or story.body == b""
        return
    answer = json.loads(story.body)
    for each in answer if isinstance(answer, list) else [answer]:
        assert each["jsonrpc"] == "2.0"
        assert ("result" in each) != ("error" in each)
        assert "id" in each
    assert story.finished


# Notifications, responses, batches.


@pytest.mark.parametrize(
    "message",
    [
        note("notifications/initialized"),
        note("notifications/roots/list_changed"),
        note("notifications/cancelled", {"requestId": "nobody's"}),
        note("notifications/cancelled", {"requestId": [1]}),
        note("notifications/cancelled"),
        note("no/such/notification"),
        {"jsonrpc": "2.0", "id": 4, "result": {}},
        {"jsonrpc": "2.0", "id": 4, "error": {"code": 1, "message": "m"}},
    ],
)
def test_what_wants_no_answer_is_a_202(message: object) -> None:
    story = client().post(message)
    assert (story.status, story.body, story.headers[b"content-length"]) == (202, b"", b"0")
    assert not any(isinstance(effect, NotifyExchange) for effect in story.effects)


@pytest.mark.parametrize("version", HANDSHAKE[1:])
def test_batches_belong_to_the_first_revision_only(version: str) -> None:
    assert failure(client(version).post([request("ping")]))[:2] == (400, -32600)
    body, headers = stateless(request("tools/list"))
    assert failure(Client(gateway(setup())).post([body], headers=headers))[:2] == (400, -32600)


def test_a_batch_is_answered_as_one() -> None:
    by = client("2025-03-26")
    batch = [request("ping", id=1), note("notifications/x"), request("nothing", id="b"), request("ping", id=3), 7]
    answers = json.loads(by.post(batch).body)
    assert [answer["id"] for answer in answers] == [1, "b", 3, None]
    assert [answer.get("error", {}).get("code") for answer in answers] == [None, -32601, None, -32600]
    assert json.loads(by.post([request("ping")]).body) == [{"jsonrpc": "2.0", "id": 1, "result": {}}]
    assert by.post([note("notifications/x"), {"jsonrpc": "2.0", "id": 4, "result": {}}]).status == 202
    assert json.loads(by.post([request("initialize", id=5)]).body)[0]["error"]["code"] == -32600
    assert failure(by.post([request("ping")] * 17))[0] == 400


def test_calls_of_a_batch_run_side_by_side() -> None:
    by = client("2025-03-26")
    story = by.post([tool_call(id=1), request("ping", id=2), tool_call(id=3)])
    assert sorted(story.requests) == [1, 2]
    assert not story.finished
    story.upstream_answers(200, b'{"choices":[{"message":{"content":"second"},"finish_reason":"stop"}]}', leg=2)
    assert not story.finished
    story.upstream_answers(200, b'{"choices":[{"message":{"content":"first"},"finish_reason":"stop"}]}', leg=1)
    answers = {answer["id"]: answer["result"] for answer in json.loads(story.body)}
    assert answers.keys() == {1, 2, 3}
    assert (text_of(answers[1]), text_of(answers[3])) == ("first", "second")
    assert story.row["tools"] == ["analyze_image", "analyze_image"]


# Calls.


@pytest.mark.parametrize("name", ["no_such_tool", "", None, 3, "x" * 1000])
@pytest.mark.parametrize("version", HANDSHAKE)
def test_a_tool_that_is_not_there_is_an_error(version: str, name: object) -> None:
    status, code, message = failure(client(version).post(request("tools/call", {"name": name})))
    assert (status, code) == (200, -32602)
    assert len(message) < 200


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "`image_source` is required"),
        (None, "`image_source` is required"),
        ([1], "`arguments` must be an object"),
        ({"image_source": "", "prompt": "p"}, "`image_source` is required"),
        ({"image_source": None, "prompt": "p"}, "`image_source` is required"),
        ({"image_source": 3, "prompt": "p"}, "`image_source` must be a string"),
        ({"image_source": "x", "output_type": "code"}, "`prompt` is required"),
        ({"image_source": "x", "output_type": "poem", "prompt": "p"}, "one of code, prompt, spec, description"),
        ({"image_source": "x", "output_type": "code", "prompt": "p", "colour": "red"}, "no argument `colour`"),
    ],
)
@pytest.mark.parametrize("version", [*HANDSHAKE, STATELESS])
def test_bad_arguments_are_told_as_the_revision_wants(version: str, arguments: object, words: str) -> None:
    message = request("tools/call", {"name": "ui_to_artifact", "arguments": arguments})
    story = post_stateless(message) if version == STATELESS else client(version).post(message)
    if version in HANDSHAKE[:2]:
        assert failure(story)[:2] == (200, -32602)
        assert words in failure(story)[2]
    else:
        assert words in text_of(result(story), is_error=True)
    assert story.requests == {}


@pytest.mark.parametrize("version", HANDSHAKE)
def test_a_call_is_answered_with_the_models_text(version: str) -> None:
    story = answered(client(version).post(tool_call()), "A ", "cat.")
    answer = result(story)
    assert answer == {"content": [{"type": "text", "text": "A cat."}], "isError": False}
    assert story.headers[b"x-agcore-provider"] == b"eyes"
    assert story.row["mcp"] == "zai-mcp-server"
    assert story.row["tools"] == ["analyze_image"]
    assert story.row["usage"] == {"fresh": 11, "cache_read": 0, "cache_write": 0, "output": 3, "reasoning": 0}


def test_a_call_over_an_event_stream_ends_with_its_answer() -> None:
    story = answered(client().post(tool_call(), accept=EVENTS_ONLY), "A cat.")
    (answer,) = events(story)
    assert text_of(answer["result"]) == "A cat."
    assert story.ended
    assert story.headers[b"cache-control"] == b"no-cache, no-transform"


def test_a_slow_call_is_kept_alive_and_answered_over_a_stream() -> None:
    story = client(by=gateway(PATIENT)).post(tool_call())
    story.wait(9)
    assert story.exchange.state is State.WAITING
    story.wait(20)
    assert story.body == b": ping\r\n\r\n" * 2
    answered(story, "A cat.")
    assert [text_of(answer["result"]) for answer in events(story)] == ["A cat."]
    assert story.ended


def test_a_client_without_streams_waits_for_json() -> None:
    story = client(by=gateway(PATIENT)).post(tool_call(), accept=JSON_ONLY)
    story.wait(60)
    assert story.exchange.state is State.WAITING
    assert text_of(result(answered(story, "A cat."))) == "A cat."


@pytest.mark.parametrize("token", ["t", 0, -3])
def test_progress_is_told_while_time_passes_and_while_the_answer_comes(token: object) -> None:
    story = client(by=gateway(PATIENT)).post(tool_call(token=token))
    story.wait(41)
    begun = [event["params"] for event in events(story)]
    assert len(begun) == 3
    story.upstream_answers(
        200, [b'data: {"choices":[{"index":0,"delta":{"content":"A cat"}}]}\n\n'], headers=SSE, end=False
    )
    assert "5 characters" in events(story)[-1]["params"]["message"]
    assert all(event["method"] == "notifications/progress" for event in events(story))
    numbers = [event["params"]["progress"] for event in events(story)]
    assert numbers == sorted(set(numbers))
    assert {event["params"]["progressToken"] for event in events(story)} == {token}


@pytest.mark.parametrize("token", [None, True, 1.5, [1], {"a": 1}, 2**70])
def test_without_a_token_there_is_no_progress(token: object) -> None:
    story = client(by=gateway(PATIENT)).post(tool_call(meta={"progressToken": token}))
    story.wait(30)
    answered(story, "A cat.")
    assert [event.get("method") for event in events(story)] == [None]


def test_progress_is_not_told_to_a_client_without_streams() -> None:
    story = client(by=gateway(PATIENT)).post(tool_call(token="t"), accept=JSON_ONLY)
    story.wait(30)
    assert text_of(result(answered(story, "A cat."))) == "A cat."


def test_the_whole_time_is_limited_and_the_end_is_an_error_of_the_call() -> None:
    machine = gateway(setup(timeouts=Timeouts(request=30, connect=100)))
    story = client(by=machine).post(tool_call(id="slow"))
    story.wait(31)
    (answer,) = events(story)
    assert (answer["id"], answer["error"]["code"]) == ("slow", -32603)
    assert "no answer within 30 s" in answer["error"]["message"]


def test_the_whole_time_is_a_504_where_nothing_was_sent() -> None:
    machine = gateway(setup(timeouts=Timeouts(request=30, connect=100)))
    story = client(by=machine).post(tool_call(id="slow"), accept=JSON_ONLY)
    story.wait(31)
    assert failure(story)[:2] == (504, -32603)
    assert json.loads(story.body)["id"] == "slow"


def test_a_client_that_hangs_up_ends_its_call() -> None:
    by = client()
    story = by.post(tool_call())
    story.tell(ClientGone())
    assert any(isinstance(effect, AbortUpstream) for effect in story.effects)
    again = by.post(note("notifications/cancelled", {"requestId": 7}))
    assert not any(isinstance(effect, NotifyExchange) for effect in again.effects)


# Cancellation.


@pytest.mark.parametrize("id", [7, "seven", 0, -1])
@pytest.mark.parametrize("opened", [False, True])
def test_a_cancelled_call_gets_no_answer(id: object, opened: bool) -> None:
    by = client(by=gateway(PATIENT))
    running = by.post(tool_call(id=id))
    if opened:
        running.wait(11)
    cancelling = by.post(note("notifications/cancelled", {"requestId": id, "reason": "changed my mind"}))
    assert cancelling.status == 202
    assert deliver(cancelling, running) == 1
    assert (running.status, running.finished, running.ended) == (200, True, True)
    assert running.headers[b"content-type"] == b"text/event-stream"
    assert events(running) == []
    assert sum(isinstance(effect, AbortUpstream) for effect in running.effects) == 1
    assert deliver(by.post(note("notifications/cancelled", {"requestId": id})), running) == 0


def test_a_cancelled_call_of_a_client_without_streams_is_a_202() -> None:
    by = client()
    running = by.post(tool_call(), accept=JSON_ONLY)
    deliver(by.post(note("notifications/cancelled", {"requestId": 7})), running)
    assert (running.status, running.body) == (202, b"")


def test_a_call_is_cancelled_while_its_picture_is_fetched() -> None:
    by = client()
    running = by.post(tool_call(image_source="https://pics.example/a.png", prompt="?"))
    assert running.requests[1].target == b"/a.png"
    deliver(by.post(note("notifications/cancelled", {"requestId": 7})), running)
    assert running.finished
    assert any(isinstance(effect, AbortUpstream) for effect in running.effects)


def test_only_the_session_that_made_a_call_cancels_it() -> None:
    machine = gateway(setup())
    running = client(by=machine).post(tool_call())
    assert deliver(client(by=machine).post(note("notifications/cancelled", {"requestId": 7})), running) == 0
    assert not running.finished


def test_of_a_batch_one_call_is_cancelled_and_the_others_are_answered() -> None:
    by = client("2025-03-26")
    running = by.post([tool_call(id=1), tool_call(id=2)])
    deliver(by.post([note("notifications/cancelled", {"requestId": 1})]), running)
    assert not running.finished
    answered(running, "kept")
    (answer,) = json.loads(running.body)
    assert (answer["id"], text_of(answer["result"])) == (2, "kept")


def test_a_message_that_comes_too_late_changes_nothing() -> None:
    story = answered(client().post(tool_call()), "A cat.")
    assert story.tell(Notified("cancel", 7)) == []
    running = client().post(tool_call(id=7))
    assert running.tell(Notified("cancel", "7")) == []
    assert not running.finished


def test_an_id_stands_for_one_call_at_a_time() -> None:
    by = client()
    running = by.post(tool_call(id=7))
    again = by.post(tool_call(id=7))
    assert failure(again) == (200, -32600, "a request of this id is still being worked on")
    assert again.requests == {}
    assert not by.post(tool_call(id="7")).finished
    assert deliver(by.post(note("notifications/cancelled", {"requestId": 7})), running) == 1
    assert running.finished
    assert not by.post(tool_call(id=7)).finished


def test_an_id_stands_for_one_call_of_a_batch() -> None:
    story = client("2025-03-26").post([tool_call(id=1), tool_call(id=1), tool_call(id=2)])
    assert sorted(story.requests) == [1, 2]
    for leg in (1, 2):
        story.upstream_answers(200, b'{"choices":[{"message":{"content":"x"},"finish_reason":"stop"}]}', leg=leg)
    assert sorted((each["id"], "error" in each) for each in json.loads(story.body)) == [
        (1, False),
        (1, True),
        (2, False),
    ]


# Streams without an end of their own.


def test_a_get_opens_a_stream_that_only_stays() -> None:
    by = client()
    story = by.send("GET")
    assert (story.status, story.headers[b"content-type"]) == (200, b"text/event-stream")
    assert story.body.startswith(b":")
    story.wait(3600)
    assert story.body.count(b": ping\r\n\r\n") == 240
    assert not story.finished
    other = by.send("GET")
    assert (other.status, other.finished) == (200, False)


@pytest.mark.parametrize("listening", ["GET", "call"])
def test_the_end_of_a_session_ends_what_runs_in_it(listening: str) -> None:
    by = client()
    running = by.send("GET") if listening == "GET" else by.post(tool_call())
    assert deliver(by.send("DELETE"), running) == 1
    assert (running.finished, running.ended) == (True, True)


def test_streams_end_when_the_server_shuts_down_and_calls_do_not() -> None:
    by = client()
    listening, calling = by.send("GET"), by.post(tool_call())
    listening.tell(DrainRequested())
    calling.tell(DrainRequested())
    assert (listening.ended, calling.finished) == (True, False)


# The stateless revision.


def test_discovery_tells_what_a_handshake_would() -> None:
    told = result(post_stateless(request("server/discover")))
    assert told["supportedVersions"] == [*HANDSHAKE, STATELESS]
    assert told["capabilities"] == {"tools": {}}
    assert told["resultType"] == "complete"
    assert told["ttlMs"] > 0
    assert told["cacheScope"] == "private"
    assert told["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == "zai-mcp-server"


def test_there_are_no_sessions_in_the_stateless_revision() -> None:
    story = post_stateless(request("tools/list"))
    assert len(result(story)["tools"]) == 8
    assert b"mcp-session-id" not in story.headers
    answer = result(answered(post_stateless(tool_call()), "A cat."))
    assert (answer["resultType"], text_of(answer)) == ("complete", "A cat.")


@pytest.mark.parametrize("method", ["ping", "initialize", "logging/setLevel", "resources/list"])
def test_what_the_stateless_revision_has_not_is_a_404(method: str) -> None:
    assert failure(post_stateless(request(method)))[:2] == (404, -32601)


@pytest.mark.parametrize(
    "lacking", ["io.modelcontextprotocol/protocolVersion", "io.modelcontextprotocol/clientCapabilities", None]
)
def test_a_stateless_request_must_say_what_it_is(lacking: str | None) -> None:
    body, headers = stateless(request("tools/list"))
    if lacking is None:
        del body["params"]["_meta"]
    else:
        del body["params"]["_meta"][lacking]
    assert failure(Client(gateway(setup())).post(body, headers=headers))[:2] == (400, -32602)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        (b"mcp-method", ()),
        (b"mcp-method", (b"tools/list",)),
        (b"mcp-method", (b"tools/call", b"tools/call")),
        (b"mcp-name", ()),
        (b"mcp-name", (b"analyze_video",)),
        (b"mcp-name", (b"=?base64?!!?=",)),
    ],
)
def test_headers_must_agree_with_the_body(name: bytes, values: tuple[bytes, ...]) -> None:
    body, headers = stateless(tool_call())
    kept = tuple(field for field in headers if field[0] != name)
    story = Client(gateway(setup())).post(body, headers=(*kept, *((name, value) for value in values)))
    assert failure(story)[:2] == (400, -32020)
    assert json.loads(story.body)["id"] == 7
    assert story.requests == {}


def test_a_version_in_the_body_that_is_not_the_headers_is_a_mismatch() -> None:
    for version in ("2025-11-25", None, 3):
        body, headers = stateless(tool_call(), **{"io.modelcontextprotocol/protocolVersion": version})
        assert failure(Client(gateway(setup())).post(body, headers=headers))[:2] == (400, -32020)


def test_a_mirrored_name_may_be_in_base64() -> None:
    body, headers = stateless(tool_call())
    headers = (*headers[:2], (b"mcp-name", b"=?base64?YW5hbHl6ZV9pbWFnZQ==?="))
    story = Client(gateway(setup())).post(body, headers=headers)
    assert story.requests


def test_stateless_notifications_are_taken_and_forgotten() -> None:
    machine = gateway(setup())
    running = post_stateless(tool_call(), by=machine)
    message = note("notifications/cancelled", {"requestId": 7})
    story = Client(machine).post(message, headers=((VERSION, STATELESS.encode()),))
    assert (story.status, deliver(story, running)) == (202, 0)
    running.tell(ClientGone())
    assert any(isinstance(effect, AbortUpstream) for effect in running.effects)


def test_a_subscription_is_acknowledged_and_kept() -> None:
    message = request("subscriptions/listen", {"notifications": {"toolsListChanged": True}}, id="sub")
    story = post_stateless(message)
    meta = {"io.modelcontextprotocol/subscriptionId": "sub"}
    (acknowledged,) = events(story)
    assert acknowledged["method"] == "notifications/subscriptions/acknowledged"
    assert acknowledged["params"] == {"notifications": {}, "_meta": meta}
    story.wait(30)
    assert story.body.endswith(b": ping\r\n\r\n" * 2)
    story.tell(DrainRequested())
    _, end = events(story)
    assert end["id"] == "sub"
    assert end["result"]["resultType"] == "complete"
    assert end["result"]["_meta"]["io.modelcontextprotocol/subscriptionId"] == "sub"
    assert story.ended


def test_a_subscription_needs_a_stream() -> None:
    message = request("subscriptions/listen", {"notifications": {}})
    assert failure(post_stateless(message, accept=JSON_ONLY))[0] == 406


def test_an_error_of_a_stateless_call_has_its_status() -> None:
    assert failure(post_stateless(request("tools/call", {"name": "nothing"})))[:2] == (400, -32602)
    assert failure(post_stateless(request("tools/list", {"cursor": "x"})))[:2] == (400, -32602)


# Limits of client keys.


def test_a_key_pays_for_what_its_calls_consumed() -> None:
    keys = (ClientKey("alice", Secret("sk-alice-0123456789"), tpm=14),)
    by = Client(gateway(setup(keys=keys)), key="sk-alice-0123456789")
    by.begin()
    assert answered(by.post(tool_call()), "A cat.").status == 200
    assert by.post(tool_call()).status == 429


def test_a_key_that_may_not_use_the_model_learns_so_from_the_tool() -> None:
    keys = (ClientKey("alice", Secret("sk-alice-0123456789"), models=("gpt-*",)),)
    by = Client(gateway(setup(keys=keys)), key="sk-alice-0123456789")
    by.begin()
    assert len(result(by.post(request("tools/list")))["tools"]) == 8
    story = by.post(tool_call())
    assert "may not use model 'eyes/glm-4.6v'" in text_of(result(story), is_error=True)
    assert story.requests == {}
