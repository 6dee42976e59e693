"""State that outlives a request, on every frontend: which key, for how long, and how a person sees and lifts it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec
import pytest

from agcore import Headers
from agcore.config.values import Config, Retry, Secret, Timeouts
from agcore_sim.dialogues import ANTHROPIC, CHAT
from agcore_sim.story import JSON
from tests.support.scripted_vendors import (
    CLIENT,
    FIRST,
    SECOND,
    Gate,
    World,
    answers,
    limited,
    running,
)
from tests.support.servers import hypercorn_server, trio_server, uvicorn_server
from tests.support.upstreams import Answer
from tests.support.wire_client import Reply, WireClient

BOTH: Final = ("trio", "uvicorn")
FOUR: Final = tuple(f"sk-vendor-{number}-0123456789" for number in range(4))
ADMIN: Final = "gw-admin-key-01234567890"


def changed(setup: Config) -> Config:
    """`four-anthropic` has four keys, `brief-anthropic` a time of its own, and the gateway patience and a key for admins."""
    model = next(each for each in setup.providers if each.name == "solo-anthropic")
    four = msgspec.structs.replace(model, name="four-anthropic", keys=tuple(map(Secret, FOUR)))
    brief = msgspec.structs.replace(model, name="brief-anthropic", first_byte=0.3)
    proxy = msgspec.structs.replace(setup.proxy, admin_key=Secret(ADMIN))
    return msgspec.structs.replace(setup, providers=(*setup.providers, four, brief), proxy=proxy)


def patient(setup: Config) -> Config:
    return msgspec.structs.replace(setup, retry=Retry(patience=20))


@pytest.fixture(scope="module", params=BOTH)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with running(request.param, change=changed) as world:
        yield world


@pytest.fixture(scope="module", params=BOTH)
def waiting(request: pytest.FixtureRequest) -> Iterator[World]:
    """It has patience, and streams open after 0.1 s of silence."""
    with running(request.param, timeouts=Timeouts(open_after=0.1, ping=0.1), change=patient) as world:
        yield world


def test_48_conversations_of_one_session_use_all_four_keys(world: World) -> None:
    """Each turn goes to its conversation's key, and no key has more than half."""

    def turn(number: int) -> None:
        said = {"role": "user", "content": f"task {number}."}
        body = {"model": "four-anthropic/fan", "max_tokens": 9, "messages": [said]}
        fields: Headers = (
            (b"host", b"127.0.0.1"),
            (b"x-api-key", CLIENT.encode()),
            (b"x-claude-code-session-id", b"one"),
            (b"x-claude-code-agent-id", b"agent-%d" % number),
            *JSON,
        )
        with WireClient("127.0.0.1", world.port) as client:
            reply = client.ask("POST", "/v1/messages", headers=fields, body=json.dumps(body).encode())
        assert reply.status == 200, reply.body

    with ThreadPoolExecutor(8) as pool:
        for _ in range(2):
            list(pool.map(turn, range(48)))
    used = []
    for number in range(48):
        asked = [each for each in world.upstream.requests if b"task %d." % number in each.body]
        first, second = (each.fields[b"x-api-key"].decode() for each in asked)
        assert first == second
        used.append(first)
    assert set(used) == set(FOUR)
    assert max(Counter(used).values()) <= 24


def admin(world: World, path: str, body: bytes | None = None, *, key: str = ADMIN, more: Headers = ()) -> Reply:
    fields: Headers = ((b"host", b"127.0.0.1"), *(JSON if body is not None else ()), *more)
    if key:
        fields = (*fields, (b"authorization", b"Bearer " + key.encode()))
    with WireClient("127.0.0.1", world.port) as client:
        return client.ask("GET" if body is None else "POST", f"/admin/api/{path}", headers=fields, body=body)


def test_a_limit_of_half_a_minute_is_seen_and_lifted(world: World) -> None:
    model = "lifted"
    world.script.acts[model, "openai"] = [limited]
    refused = world.ask(CHAT, f"solo-openai/{model}", stream=False)
    assert (refused.status, int(dict(refused.headers)[b"retry-after"]) >= 1) == (429, True)

    def state() -> Any:
        told = json.loads(admin(world, "status").body)
        assert not any(key in json.dumps(told) for key in (FIRST, SECOND, ADMIN, CLIENT))
        (key,) = (each for each in told["keys"] if each["key"] == "solo-openai#1")
        return [each for each in key.get("cooldowns", ()) if each["model"] == model]

    (cooldown,) = state()
    assert (cooldown["kind"], "slow down" in cooldown["reason"]) == ("rate limit", True)
    assert world.ask(CHAT, f"solo-openai/{model}", stream=False).status == 429
    for wrong, status in (("", 401), (CLIENT, 403)):
        assert admin(world, "reset", b'{"all": true}', key=wrong).status == status
    assert state() != []
    assert json.loads(admin(world, "reset", b'{"key": "solo-openai#1"}').body) == {"reset": ["solo-openai#1"]}
    assert state() == []
    assert world.ask(CHAT, f"solo-openai/{model}", stream=False).status == 200
    assert world.asked(model) == [FIRST, FIRST]


@pytest.mark.parametrize("stream", [False, True])
def test_a_provider_has_its_own_time_until_the_first_byte(world: World, stream: bool) -> None:
    model = f"brief-{stream}"
    gate = Gate(answers)
    world.script.acts[model, "anthropic"] = [gate]
    try:
        reply = world.ask(ANTHROPIC, f"brief-anthropic/{model}", stream=stream)
    finally:
        gate.open()
    assert (reply.status, b"first_byte" in reply.body, len(world.asked(model))) == (504, True, 1)
    assert (b"x-should-retry", b"false") not in reply.headers


def test_patience_keeps_a_stream_alive_until_the_key_may_be_asked_again(waiting: World) -> None:
    soon = Answer(429, (*JSON, (b"retry-after", b"1")), (ANTHROPIC.error_answer,))
    gate = Gate(answers)
    waiting.script.acts["patient", "anthropic"] = [lambda vendor, stream: soon, gate]
    # The vendor's second answer comes once the client has been told something.
    reply = waiting.ask(ANTHROPIC, "solo-anthropic/patient", stream=True, on_body=gate.open)
    assert (reply.status, reply.whole, len(waiting.asked("patient"))) == (200, True, 2)
    assert reply.body.startswith(ANTHROPIC.keepalive)
    assert b"hello" in reply.body
    assert b"slow down" not in reply.body
    assert waiting.log.row("solo-anthropic/patient")["outcome"] == "ok"


RUNNING: Final = {
    "trio": trio_server,
    "uvicorn": uvicorn_server,
    "hypercorn": lambda text: hypercorn_server(text, "trio"),
}


@pytest.mark.parametrize("server", RUNNING)
def test_a_run_file_tells_where_a_server_is_while_it_is_there(
    server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Applications under ASGI are told by their first request."""
    monkeypatch.setenv("AGCORE_STATE_DIR", str(tmp_path))
    with RUNNING[server]("") as url:
        if server != "trio":
            assert list(tmp_path.glob("run/*")) == []
        assert httpx.get(f"{url}/healthz", trust_env=False).status_code == 200
        (path,) = tmp_path.glob("run/*")
        run = json.loads(path.read_text())
        port = url.rpartition(":")[2]
        assert (path.name, run["address"]) == (f"{port}.json", f"http://127.0.0.1:{port}")
        assert run["pid"] == url.pid or server == "hypercorn"  # which serves in a process of its own
        assert path.stat().st_mode & 0o077 == 0
    assert list(tmp_path.glob("run/*")) == []
