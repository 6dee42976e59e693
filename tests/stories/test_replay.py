"""One exchange replays by itself: from its recording and the configuration, in a gateway that knows nothing else."""

from __future__ import annotations

import importlib

import msgspec
import pytest

from agcore import Gateway, Headers, LocalProtocolError, RequestEnd, UpstreamData
from agcore.config.values import ClientKey, Config, Proxy, Secret
from agcore.replay import ReplayError, replay_recording
from agcore.telemetry.recording import MASKED, Answered, Commanded, Marks, Opened, Recorder, Told, read
from agcore_sim.dialogues import CHAT
from agcore_sim.story import EPOCH, JSON, SECRET, Story, gateway
from tests.golden.test_stories import STORIES
from tests.support.dialogues import PROVIDER_KEY, asked, config
from tests.support.edges import MCP_AT, setup
from tests.support.recorded import recorders


def recorded(story: Story, recorder: Recorder) -> Story:
    """The story, opened by a gateway that records."""
    plain = story.gateway.open
    story.gateway.open = lambda head, peer, *, now: plain(head, peer, now=now, recorder=recorder)  # type: ignore[method-assign, assignment, misc]
    return story


@pytest.mark.parametrize("name", STORIES)
def test_every_golden_story_is_replayed_from_its_recording_alone(name: str) -> None:
    with recorders() as found:
        story = STORIES[name]()
    ((recorder, config, _),) = found
    assert replay_recording(recorder.text, config) == story.effects
    assert PROVIDER_KEY not in repr(read(recorder.text))


KEYED = Config(
    proxy=Proxy(
        auth_mode="strict", keys=(ClientKey("bob", Secret("sk-bob-0123456789")), ClientKey("ann", Secret("a")))
    ),
    providers=config().providers,
)


@pytest.mark.parametrize(
    ("target", "headers", "status"),
    [
        ("/healthz", ((b"authorization", b"Bearer sk-bob-0123456789"),), 200),
        (
            "/healthz",
            ((b"x-api-key", b"sk-bob-0123456789"), (b"authorization", b"Basic c2VjcmV0"), (b"cookie", b"")),
            200,
        ),
        ("/v1beta/models/up-gemini?key=sk-bob-0123456789&x=1", (), 200),
        ("/v1beta/models/up-gemini?key=sk-bob-%30123456789", (), 200),
        ("/v1beta/models?key=not-mine-at-all", (), 401),
        ("/v1/models", ((b"x-api-key", b"not-mine-at-all"), (b"x-note", b"sk-bob-0123456789")), 401),
        ("/v1beta/models/up-gemini", ((b"x-api-key", b"a"),), 200),
        ("/v1beta/models/up-gemini", ((b"authorization", b"Bearer a "),), 200),
        ("/v1/models", (), 401),
    ],
)
def test_no_credential_stands_in_a_recording_and_who_asked_is_known_all_the_same(
    target: str, headers: Headers, status: int
) -> None:
    recorder = Recorder(KEYED)
    story = recorded(Story(Gateway(KEYED, secret=SECRET, now=EPOCH)), recorder)
    story.open("GET", target, headers=headers)
    if not story.finished:
        story.tell(RequestEnd())
    assert story.status == status
    for secret in ("0123456789", "not-mine", "c2VjcmV0"):
        assert secret not in repr(read(recorder.text))
    assert replay_recording(recorder.text, KEYED) == story.effects


def test_what_an_upstream_says_of_a_key_is_hidden_and_shown_again() -> None:
    recorder = Recorder(config())
    story = asked(CHAT, stream=False, story=recorded(Story(Gateway(config(), secret=SECRET, now=EPOCH)), recorder))
    story.upstream_answers(
        200, b'{"choices": [], "x": "%b"}' % PROVIDER_KEY.encode(), headers=(*JSON, (b"x-key", PROVIDER_KEY.encode()))
    )
    assert PROVIDER_KEY not in repr(read(recorder.text))
    told = [line.input for line in recorder.lines if isinstance(line, Told)]
    (data,) = (input.data for input in told if isinstance(input, UpstreamData))
    assert b"{secret:providers[" in data
    assert replay_recording(recorder.text, config()) == story.effects


def test_an_unknown_credential_that_passes_makes_no_difference() -> None:
    recorder = Recorder(setup())
    story = recorded(Story(gateway(setup())), recorder)
    story.open("POST", MCP_AT, headers=((b"authorization", b"Bearer of-the-client"),), body=b"{}")
    assert "of-the-client" not in repr(read(recorder.text))
    replayed = replay_recording(recorder.text, story.gateway.config)
    assert [type(effect) for effect in replayed] == [type(effect) for effect in story.effects]


def test_a_recording_reads_as_what_happened() -> None:
    with recorders() as found:
        STORIES["busy_provider"]()
    lines = read(found[0][0].text)
    assert isinstance(lines[0], Opened)
    questions = [line.question for line in lines if isinstance(line, Answered)]
    assert questions[:3] == ["mint", "reserve", "digest"]
    assert isinstance(lines[-1], Commanded)
    assert lines[-1].effects == ("SendHead", "SendData", "SendEnd", "Emit", "Finish")


def test_a_replay_that_goes_another_way_says_where() -> None:
    with recorders() as found:
        STORIES["busy_provider"]()
    (recorder, config, _) = found[0]
    lines = recorder.lines

    def told(lines: object) -> str:
        text = b"\n".join(map(msgspec.json.encode, lines))  # type: ignore[call-overload]
        with pytest.raises(ReplayError) as error:
            replay_recording(text, config)
        return str(error.value)

    place = next(
        number for number, line in enumerate(lines) if isinstance(line, Answered) and line.question == "reserve"
    )
    assert "the question `reserve` instead of" in told([*lines[:place], *lines[place + 1 :]])
    assert "nothing asks for the question `reserve`" in told([*lines[:2], lines[2], lines[place], *lines[3:]])
    assert "the recording ends where there is the effects" in told(lines[:-1])
    assert "the recording ends where there is the question" in told(lines[:place])
    facts = [line for line in lines if isinstance(line, Told)]
    assert "the question `reserve` instead of the fact Told" in told([*lines[:place], facts[0], *lines[place + 1 :]])
    changed = [*lines[:-1], Commanded(("SendHead",), "0" * 32)]
    assert "the effects SendHead, SendData, SendEnd, Emit, Finish" in told(changed)


@pytest.mark.parametrize("recording", [b"", b"{}\n", b'{"type":"TimedOut","at":1}\n'])
def test_what_is_no_recording_is_refused(recording: bytes) -> None:
    with pytest.raises(ValueError, match=r"recording|Object"):
        replay_recording(recording, config())


def test_of_two_secrets_the_longer_one_is_hidden_and_short_ones_are_none() -> None:
    keys = (ClientKey("a", Secret("12345678")), ClientKey("b", Secret("123456789")), ClientKey("c", Secret("1234567")))
    marks = Marks(Config(proxy=Proxy(keys=keys)))
    hidden = marks.hide(b"123456789 12345678 1234567")
    assert hidden == b"{secret:proxy.keys[1].key} {secret:proxy.keys[0].key} 1234567"
    assert marks.show(hidden) == b"123456789 12345678 1234567"
    assert MASKED not in hidden


def test_what_a_driver_must_not_report_is_not_recorded() -> None:
    recorder = Recorder(config())
    story = asked(CHAT, stream=False, story=recorded(Story(Gateway(config(), secret=SECRET, now=EPOCH)), recorder))
    with pytest.raises(LocalProtocolError):
        story.tell(UpstreamData(1, b"before its head"))
    story.abandon()
    story.exchange.handle_timeout(now=story.now)
    assert replay_recording(recorder.text, config()) == story.effects


def test_signatures_that_a_client_drops_stand_in_the_recording() -> None:
    """A Chat client calls a Gemini model's tool and does not echo what the model signed."""
    call = {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "c2lnbmVk"}
    answer = {"candidates": [{"content": {"role": "model", "parts": [call]}, "finishReason": "STOP"}]}
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    body: dict[str, object] = {"model": "up-gemini", "tools": [tool], "messages": [{"role": "user", "content": "go"}]}
    with recorders() as found:
        machine = gateway(config())
        first, second = Story(machine), Story(machine)
        first.open("POST", "/v1/chat/completions", body=msgspec.json.encode(body))
        first.upstream_answers(200, msgspec.json.encode(answer))
        message = msgspec.json.decode(first.body)["choices"][0]["message"]
        message["tool_calls"] = [
            {name: value for name, value in each.items() if name != "extra_content"} for each in message["tool_calls"]
        ]
        result = {"role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": "done"}
        body["messages"] = [{"role": "user", "content": "go"}, message, result]
        second.open("POST", "/v1/chat/completions", body=msgspec.json.encode(body))
        assert b"c2lnbmVk" in second.requests[1].body  # type: ignore[operator]
        second.abandon()
    for recorder, each, _ in found:
        replay_recording(recorder.text, each)


STORIES_OF_OTHERS = (
    "tests.mcp.test_http_sse_endpoint.test_an_altered_url_is_refused",
    "tests.mcp.test_server.test_a_call_is_cancelled_while_its_picture_is_fetched",
    "tests.mcp.test_server.test_a_deleted_session_is_over",
    "tests.mcp.test_server.test_a_get_opens_a_stream_that_only_stays",
    "tests.mcp.test_server.test_a_key_pays_for_what_its_calls_consumed",
    "tests.mcp.test_server.test_of_a_batch_one_call_is_cancelled_and_the_others_are_answered",
    "tests.operations.test_provider_lists.test_a_provider_that_failed_is_not_asked_again_at_once",
    "tests.operations.test_warmup.test_a_key_that_is_left_alone_is_told_until_it_works",
    "tests.operations.test_warmup.test_what_was_read_is_known_to_those_who_list_models",
    "tests.stories.test_admin.test_what_admins_see_and_change_is_one_state",
    "tests.stories.test_stored_responses.test_a_deleted_response_is_gone",
    "tests.stories.test_stored_responses.test_a_tool_loop_needs_only_the_output_of_the_call",
    "tests.stories.test_stored_responses.test_an_item_of_a_stored_response_may_be_named_instead_of_sent",
    "tests.stories.test_stored_responses.test_another_clients_response_is_not_found",
)


@pytest.mark.parametrize("name", STORIES_OF_OTHERS)
def test_what_was_remembered_for_an_exchange_stands_in_its_recording(name: str) -> None:
    module, _, function = name.rpartition(".")
    with recorders() as found:
        getattr(importlib.import_module(module), function)()
    assert found
    for recorder, each, _ in found:
        replay_recording(recorder.text, each)
