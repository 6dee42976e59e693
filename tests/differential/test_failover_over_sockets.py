"""Failover as clients of either frontend see it, over sockets: to the next key, to the next vendor, and to nobody.

`tests/stories/test_failover.py` has the rules, in simulated time. Here every byte travels, and what is looked at is what
only a driver can get wrong: a head that was sent too early, a pause in which nobody listens, a connection that is lost.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import pytest
from anyio.abc import SocketStream
from anyio.from_thread import start_blocking_portal

from agcore.config.values import Endpoint, Provider, Secret, Timeouts
from agcore.protocol.http import Origin
from agcore_sim.dialogues import ANTHROPIC, CHAT, COMPLETIONS, GEMINI, GEMINI_ARRAY, RESPONSES, Dialogue
from tests.support.dialogues import ids
from tests.support.edges import form, part
from tests.support.patience import PATIENCE
from tests.support.raw_upstream import raw_upstream
from tests.support.scripted_vendors import (
    CLIENT,
    FIRST,
    FRONTENDS,
    OTHER,
    SECOND,
    Act,
    Gate,
    World,
    answers,
    client_key,
    dies,
    errs_in_json,
    errs_within_200,
    fails,
    hangs_up,
    limited,
    running,
    says_nothing,
    shown,
)
from tests.support.wire_client import Reply, WireClient

CLIENTS: Final = (CHAT, COMPLETIONS, RESPONSES, ANTHROPIC, GEMINI)
WAYS_TO_ASK: Final = (*((each, stream) for each in CLIENTS for stream in (False, True)), (GEMINI_ARRAY, True))
ASKED: Final = pytest.mark.parametrize(
    ("dialogue", "stream"),
    WAYS_TO_ASK,
    ids=[f"{ids(each)}-{'stream' if stream else 'whole'}" for each, stream in WAYS_TO_ASK],
)
BEGINNINGS: Final = {"openai_responses": b"event: response.created\n", "anthropic": b"event: message_start\n"}
"""What a stream says once, of the dialects that say it."""
BOTH: Final = ("trio", "uvicorn")


@pytest.fixture(scope="module", params=BOTH)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """Streams open late, so that an answer still tells where it came from."""
    with running(request.param) as world:
        yield world


@pytest.fixture(scope="module", params=BOTH)
def uploads(request: pytest.FixtureRequest) -> Iterator[tuple[World, Refuser]]:
    """The provider `curt` refuses its first upload after the head."""
    refuser = Refuser()
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(raw_upstream(refuser.serve)) as port:
        endpoint = Endpoint("openai", Origin("http", "127.0.0.1", port), b"/v1", "bearer")
        curt = Provider("curt", {"openai": endpoint}, keys=(Secret(FIRST), Secret(SECOND)), models=())
        with running(request.param, more=(curt,)) as world:
            yield world, refuser


@pytest.fixture(scope="module", params=BOTH)
def hasty(request: pytest.FixtureRequest) -> Iterator[World]:
    """No vendor gets more than 0.3 s for a head."""
    with running(request.param, timeouts=Timeouts(first_byte=0.3)) as world:
        yield world


@pytest.fixture(scope="module", params=BOTH)
def early(request: pytest.FixtureRequest) -> Iterator[World]:
    """Streams open after 0.2 s of silence."""
    with running(request.param, timeouts=Timeouts(open_after=0.2, ping=0.1)) as world:
        yield world


class Refuser:
    """An upstream that reads the head of its first request, refuses it, and hears the rest out; others it answers."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    async def serve(self, stream: SocketStream) -> None:
        """One connection."""
        data = b""
        while b"\r\n\r\n" not in data:
            data += await stream.receive(1024)
        head, _, body = data.partition(b"\r\n\r\n")
        number = len(self.bodies)
        self.bodies.append(b"")
        refused = not number
        if refused:
            await stream.send(answer(429, b'{"error": {"message": "slow down"}}', b"retry-after: 30\r\n"))
        lengths = [int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        while refused or len(body) < lengths[0]:
            body += await stream.receive()
        self.bodies[number] = body
        await stream.send(answer(200, b'{"text": "hello"}'))


def answer(status: int, body: bytes, more: bytes = b"") -> bytes:
    """The bytes of an answer after which the connection ends."""
    head = b"HTTP/1.1 %d X\r\ncontent-type: application/json\r\ncontent-length: %d\r\n" % (status, len(body))
    return head + more + b"connection: close\r\n\r\n" + body


def model_of(prefix: str, dialogue: Dialogue, stream: bool, what: str) -> str:
    """A name that only one case has."""
    return f"{prefix}{what.replace('_', '-')}-{ids(dialogue).replace('_', '-')}-{'stream' if stream else 'whole'}"


def answered(reply: Reply, dialogue: Dialogue, *, stream: bool) -> None:
    """It is the client's dialect, complete, and nothing in it is of a failed attempt, or secret."""
    assert (reply.status, reply.whole) == (200, True), reply.body
    body = reply.body
    if not stream or dialogue is GEMINI_ARRAY:
        json.loads(body)
    assert b"hello" in body
    assert b"slow down" not in body
    assert b"busy" not in body
    if stream and dialogue.terminal:
        first, last = BEGINNINGS.get(dialogue.dialect, b""), dialogue.terminal.partition(b"\n")[0]
        assert body.count(last) == 1, body
        assert not first or body.count(first) == 1, body
        assert body.endswith(b"\n\n")
    for secret in (FIRST, SECOND, CLIENT):
        assert secret.encode() not in shown(reply)


def origin_of(reply: Reply) -> tuple[str, str, int]:
    """Provider, model and attempts, as the headers tell."""
    fields = dict(reply.headers)
    names = (b"x-agcore-provider", b"x-agcore-model", b"x-agcore-attempts")
    provider, model, attempts = (fields[name].decode() for name in names)
    return provider, model, int(attempts)


# The next key.


@ASKED
def test_a_limited_keys_request_is_answered_by_the_next_key_which_then_serves_alone(
    world: World, dialogue: Dialogue, stream: bool
) -> None:
    provider, model = f"duo-{dialogue.dialect}", model_of("", dialogue, stream, "next-key")
    world.script.acts[model, dialogue.dialect] = [limited]
    reply = world.ask(dialogue, f"{provider}/{model}", stream=stream)
    answered(reply, dialogue, stream=stream)
    assert origin_of(reply) == (provider, model, 2)
    again = world.ask(dialogue, f"{provider}/{model}", stream=stream)
    answered(again, dialogue, stream=stream)
    assert origin_of(again) == (provider, model, 1)
    bad, good, later = world.asked(model)
    assert {bad, good} == {FIRST, SECOND}
    assert later == good


@pytest.mark.parametrize("frontend", [each for each in FRONTENDS if each.startswith("hypercorn")])
def test_hypercorn_carries_failover_as_well(frontend: str) -> None:
    with running(frontend) as world:
        for dialogue, stream in ((CHAT, False), (ANTHROPIC, True)):
            model = model_of(f"chain-{dialogue.dialect}-", dialogue, stream, "hypercorn")
            world.script.acts[model, dialogue.dialect] = [hangs_up] * 2
            reply = world.ask(dialogue, model, stream=stream)
            answered(reply, dialogue, stream=stream)
            assert origin_of(reply)[2] == 2
        the_client_leaves_in_the_pause(world, stream=True)


# The next vendor.


@ASKED
def test_where_nobody_listens_a_vendor_of_another_dialect_answers(
    world: World, dialogue: Dialogue, stream: bool
) -> None:
    number = 2 if dialogue is GEMINI_ARRAY else int(stream)
    vendor = OTHER[dialogue.dialect]
    model = f"down-{dialogue.dialect}-{number}"
    reply = world.ask(dialogue, model, stream=stream)
    answered(reply, dialogue, stream=stream)
    assert origin_of(reply) == (f"solo-{vendor.dialect}", model, 2)


@pytest.mark.parametrize("act", [hangs_up, says_nothing, errs_within_200, errs_in_json, fails])
@ASKED
def test_whatever_comes_instead_of_content_the_next_vendor_answers(
    world: World, dialogue: Dialogue, stream: bool, act: Act
) -> None:
    vendor = OTHER[dialogue.dialect]
    model = model_of(f"chain-{dialogue.dialect}-", dialogue, stream, getattr(act, "__name__", ""))
    # A pooled connection that is closed is taken for a stale one, once.
    world.script.acts[model, dialogue.dialect] = [act] * 2
    reply = world.ask(dialogue, model, stream=stream)
    answered(reply, dialogue, stream=stream)
    assert origin_of(reply) == (f"solo-{vendor.dialect}", model, 2)
    assert len(world.asked(model)) <= 2 + (act is hangs_up)


def test_a_vendor_that_never_answers_is_given_up_for_the_next(hasty: World) -> None:
    gates = [Gate(answers) for _ in WAYS_TO_ASK]

    def check(case: tuple[tuple[Dialogue, bool], Gate]) -> None:
        (dialogue, stream), gate = case
        vendor = OTHER[dialogue.dialect]
        model = model_of(f"chain-{dialogue.dialect}-", dialogue, stream, "silent")
        hasty.script.acts[model, dialogue.dialect] = [gate]
        began = time.monotonic()
        reply = hasty.ask(dialogue, model, stream=stream)
        assert time.monotonic() - began >= 0.3  # and the gate is still closed
        answered(reply, dialogue, stream=stream)
        assert origin_of(reply) == (f"solo-{vendor.dialect}", model, 2)

    try:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(check, zip(WAYS_TO_ASK, gates, strict=True)))
    finally:
        for gate in gates:
            gate.open()


@pytest.mark.parametrize("stream", [False, True])
def test_a_key_that_did_not_answer_in_time_is_asked_once(hasty: World, stream: bool) -> None:
    gates = [Gate(answers) for _ in range(4)]
    model = model_of("", ANTHROPIC, stream, "never")
    hasty.script.acts[model, "anthropic"] = [*gates]
    try:
        reply = hasty.ask(ANTHROPIC, f"solo-anthropic/{model}", stream=stream)
    finally:
        for gate in gates:
            gate.open()
    assert (reply.status, dict(reply.headers)[b"retry-after"]) == (504, b"2")
    assert b"timeouts.first_byte" in reply.body
    assert len(hasty.asked(model)) == 1


@pytest.mark.parametrize("act", [hangs_up, says_nothing, errs_within_200, errs_in_json, fails, limited])
def test_after_an_early_opening_the_next_vendor_answers_as_well(early: World, act: Act) -> None:
    def check(dialogue: Dialogue) -> None:
        vendor = OTHER[dialogue.dialect]
        model = model_of(f"chain-{dialogue.dialect}-", dialogue, True, getattr(act, "__name__", ""))
        gate = Gate(act)
        early.script.acts[model, dialogue.dialect] = [gate, act]
        # The vendor goes on once the client has the beginning of its stream.
        reply = early.ask(dialogue, model, stream=True, on_body=gate.open)
        assert reply.body.startswith(dialogue.keepalive), reply.body
        answered(reply, dialogue, stream=True)
        assert origin_of(reply)[0] == f"solo-{dialogue.dialect}"  # the head had left
        assert early.log.row(model)["provider"] == f"solo-{vendor.dialect}"
        assert len(early.asked(model)) <= 2 + (act is hangs_up)

    with ThreadPoolExecutor() as pool:
        list(pool.map(check, (*CLIENTS, GEMINI_ARRAY)))


# Nobody.


@pytest.mark.parametrize("dialogue", [*CLIENTS, GEMINI_ARRAY], ids=ids)
@pytest.mark.parametrize("translated", [False, True], ids=["passed", "translated"])
def test_a_stream_that_dies_after_content_ends_in_the_clients_own_error(
    world: World, dialogue: Dialogue, translated: bool
) -> None:
    vendor = OTHER[dialogue.dialect] if translated else dialogue
    model = model_of(f"{vendor.dialect}-", dialogue, True, "dies")
    world.script.acts[model, vendor.dialect] = [dies]
    reply = world.ask(dialogue, f"duo-{vendor.dialect}/{model}", stream=True)
    assert (reply.status, reply.whole) == (200, True)
    assert b"hello" in reply.body
    assert b"the connection closed within the answer" in reply.body
    if dialogue is GEMINI_ARRAY:
        assert "error" in json.loads(reply.body)[-1]
    else:
        last = reply.body.replace(b"\r\n", b"\n").strip().removesuffix(b"data: [DONE]").strip().split(b"\n\n")[-1]
        assert b"error" in last, last
    assert len(world.asked(model)) == 1
    assert world.log.row(f"duo-{vendor.dialect}/{model}")["outcome"] == "error"


@ASKED
def test_where_all_keys_are_limited_the_client_hears_at_once_when_to_come_back(
    world: World, dialogue: Dialogue, stream: bool
) -> None:
    provider, model = f"duo-{dialogue.dialect}", model_of("", dialogue, stream, "all-limited")
    world.script.acts[model, dialogue.dialect] = [limited, limited]
    began = time.monotonic()
    for _ in range(2):
        reply = world.ask(dialogue, f"{provider}/{model}", stream=stream)
        assert reply.status == 429
        assert opens_after(reply, began=began)
        assert b"error" in reply.body
        for secret in (FIRST, SECOND, CLIENT):
            assert secret.encode() not in shown(reply)
    assert sorted(world.asked(model)) == sorted([FIRST, SECOND])


# A client that leaves.


def until(world: World, model: str) -> None:
    """Waits until the gateway has put a model's key to rest, which it does when it begins the pause."""
    pool = world.gateway._outside.state.cooldowns
    wait_for(lambda: any(slot[2] == model for slot, _ in list(pool.cooling(now=time.time()))))


def opens_after(reply: Reply, *, began: float) -> bool:
    """Whether it says that something opens half a minute after `began`, as far as that is not over by now."""
    passed = time.monotonic() - began
    return 30 - passed - 1 <= int(dict(reply.headers)[b"retry-after"]) <= 30


def wait_for(condition: Callable[[], bool]) -> None:
    """Waits until something is so that nobody tells of."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def the_client_leaves_in_the_pause(world: World, *, stream: bool) -> None:
    model = model_of("", CHAT, stream, "pause")
    gate = Gate(lambda vendor, stream: fails(vendor, stream, wait="4"))
    world.script.acts[model, "openai"] = [gate]
    body = CHAT.request(f"solo-openai/{model}", stream=stream)
    with socket.create_connection(("127.0.0.1", world.port)) as client:
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {CLIENT}\r\n"
        client.sendall(f"{head}content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
        gate.wait()
        gate.open()
        until(world, model)
    row = world.log.row(f"solo-openai/{model}")
    assert (row["outcome"], row["attempts"]) == ("client gone", 1)  # and not after the pause
    assert len(world.asked(model)) == 1


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_client_that_leaves_while_no_upstream_is_asked_is_noticed_at_once(world: World, stream: bool) -> None:
    the_client_leaves_in_the_pause(world, stream=stream)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_after_the_pause_a_single_key_is_asked_again(world: World, stream: bool) -> None:
    model = model_of("", CHAT, stream, "single")
    world.script.acts[model, "openai"] = [fails]
    reply = world.ask(CHAT, f"solo-openai/{model}", stream=stream)
    answered(reply, CHAT, stream=stream)
    assert origin_of(reply) == ("solo-openai", model, 2)


# Limits of client keys.


@pytest.mark.parametrize("dialogue", CLIENTS, ids=ids)
def test_a_key_with_two_requests_a_minute_has_no_third(world: World, dialogue: Dialogue) -> None:
    provider, model = f"solo-{dialogue.dialect}", model_of("", dialogue, False, "rpm")
    key = client_key("rpm", dialogue)
    began = time.monotonic()
    replies = [world.ask(dialogue, f"{provider}/{model}", stream=False, key=key) for _ in range(3)]
    assert [reply.status for reply in replies] == [200, 200, 429]
    assert opens_after(replies[2], began=began)
    error = json.loads(replies[2].body)["error"]
    names = {"anthropic": ("type", "rate_limit_error"), "gemini": ("status", "RESOURCE_EXHAUSTED")}
    member, value = names.get(dialogue.dialect, ("code", "rate_limit_exceeded"))
    assert error[member] == value
    assert len(world.asked(model)) == 2


@pytest.mark.parametrize("dialogue", [CHAT, ANTHROPIC], ids=ids)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_key_for_one_request_at_a_time_has_its_place_back_when_that_ends(
    world: World, dialogue: Dialogue, stream: bool
) -> None:
    provider, model = f"solo-{dialogue.dialect}", model_of("", dialogue, stream, "one")
    key, gate = client_key("one", dialogue), Gate(answers)
    world.script.acts[model, dialogue.dialect] = [gate]
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(world.ask, dialogue, f"{provider}/{model}", stream=stream, key=key)
        gate.wait()
        second = world.ask(dialogue, f"{provider}/{model}", stream=stream, key=key)
        gate.open()
        assert first.result().status == 200
    assert second.status == 429
    assert int(dict(second.headers)[b"retry-after"]) >= 1
    assert world.ask(dialogue, f"{provider}/{model}", stream=stream, key=key).status == 200
    assert len(world.asked(model)) == 2


# Uploads.


def upload(world: World, model: str, size: int) -> Reply:
    """A form of so many bytes, and a little, its model first."""
    body = form(part("model", model.encode()), part("file", bytes(range(256)) * (size // 256), file=True))
    fields = (
        (b"host", b"127.0.0.1"),
        (b"authorization", b"Bearer " + CLIENT.encode()),
        (b"content-type", b"multipart/form-data; boundary=edge"),
    )
    with WireClient("127.0.0.1", world.port) as client:
        return client.ask("POST", "/v1/audio/transcriptions", headers=fields, body=body)


def test_a_form_that_is_held_goes_to_the_next_key(world: World) -> None:
    world.script.acts["held", "openai"] = [limited]
    reply = upload(world, "duo-openai/held", 1000 * 1000)
    assert reply.status == 200
    assert origin_of(reply) == ("duo-openai", "held", 2)
    assert sorted(world.asked("held")) == sorted([FIRST, SECOND])
    first, second = (each.body for each in world.upstream.requests if b'"model"\r\n\r\nheld\r\n' in each.body)
    assert first == second
    assert len(first) > 1000 * 1000


def test_a_form_that_passes_by_goes_to_the_next_key_or_is_honestly_refused(uploads: tuple[World, Refuser]) -> None:
    """What passed by is not kept: it depends on how soon the refusal comes, and how much a socket takes at once."""
    world, refuser = uploads
    reply = upload(world, "curt/large", 3 * 1024 * 1024)
    if reply.status == 429:
        fields = dict(reply.headers)
        assert (fields[b"retry-after"], fields[b"x-agcore-attempts"]) == (b"1", b"1")
        reply = upload(world, "curt/large", 3 * 1024 * 1024)
        assert origin_of(reply) == ("curt", "large", 1)
    else:
        assert origin_of(reply) == ("curt", "large", 2)
    assert (reply.status, json.loads(reply.body)["text"]) == (200, "hello")
    file = part("file", bytes(range(256)) * (3 * 4096), file=True)
    assert [each for each in refuser.bodies if each.endswith(b"--edge--\r\n")][-1] == form(
        part("model", b"large"), file
    )


# What is left behind.


def test_two_hundred_failing_over_requests_leave_nothing_behind(world: World) -> None:
    acts = (limited, fails, hangs_up, says_nothing, errs_within_200, errs_in_json)

    def ask(number: int) -> int:
        dialogue, stream = WAYS_TO_ASK[number % len(WAYS_TO_ASK)]
        model = f"chain-{dialogue.dialect}-many-{number}"
        world.script.acts[model, dialogue.dialect] = [acts[number % len(acts)]] * 2
        return world.ask(dialogue, model, stream=stream).status

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(ask, range(200)))
    assert set(statuses) == {200}
    assert world.gateway.buffered == 0
    turns = world.gateway._outside.state.turns
    wait_for(lambda: not turns._busy)
    # Eight clients at a time need eight connections; whoever lost one would have opened far more.
    wait_for(lambda: world.upstream.connected <= 16)
