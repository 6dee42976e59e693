"""The application's files: a configuration that changes while it is served, and the state of keys."""

from __future__ import annotations

import json
import math
import os
import stat
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import msgspec
import pytest

import agcore_asgi.reload
import agcore_host.watch
from agcore import Config, Gateway, LogRow, log_row
from agcore.config.parser import parse
from agcore.config.values import ModelRule, Proxy, Timeouts
from agcore.protocol import Event
from agcore.protocol.events import Reloaded
from agcore_asgi import Application, create_app
from agcore_asgi.app import EnvironmentApp
from agcore_host.clock import Clock
from agcore_host.reload import ConfigReader
from agcore_host.settings import load
from agcore_host.state_file import SAVE
from agcore_host.watch import POLL, Watch
from tests.support.asgi_bridge import AsgiClient, Lifespan
from tests.support.asgi_servers import SERVERS, Serve, served
from tests.support.backends import on_both_loops
from tests.support.patience import PATIENCE
from tests.support.reloading import EACH, QUESTION, TURNS, age, ask_through, provider, replace
from tests.support.upstreams import Answer, Upstream

LIMITED = Answer(429, ((b"content-type", b"application/json"), (b"retry-after", b"600"), (b"connection", b"close")))
JSON = [(b"content-type", b"application/json")]


class Rows(list[LogRow]):
    """A sink."""

    def __call__(self, event: Event) -> None:
        row = log_row(event)
        assert row is not None
        self.append(row)

    def of(self, kind: str) -> list[Any]:
        return [row.fields.get("message", row.fields.get("changed")) for row in self if row.kind == kind]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "agcore.toml"
    path.write_text(provider("one", "http://127.0.0.1:1"))
    age(path)
    return path


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever would be looked after now and then is looked after at every occasion."""
    monkeypatch.setattr(agcore_host.watch, "POLL", 0)
    monkeypatch.setattr(agcore_host.watch, "SETTLE", 0)
    monkeypatch.setattr(agcore_asgi.reload, "SAVE", 0)


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream(lambda _: LIMITED) as upstream:
        yield upstream


async def ask(app: Any) -> int:
    async with AsgiClient(app).request(
        "POST", "/v1/chat/completions", headers=JSON, body=[json.dumps(QUESTION).encode()]
    ) as response:
        await response.read()
        return response.status


async def providers(app: Any) -> set[str]:
    async with AsgiClient(app).request("GET", "/v1/models") as response:
        return {model["owned_by"] for model in json.loads(await response.read())["data"]}


def listing(name: str) -> str:
    return provider(name, "http://127.0.0.1:1") + f'models = ["model-of-{name}"]\n'


@pytest.mark.parametrize(("serve", "backend"), [pytest.param(*server, id=name) for name, server in SERVERS.items()])
def test_no_request_suffers_from_a_configuration_that_is_replaced_under_load(
    serve: Serve, backend: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agcore_host.watch, "POLL", 0.02)
    monkeypatch.setattr(agcore_host.watch, "SETTLE", 0.01)

    async def main() -> None:
        reloads, more = anyio.create_memory_object_stream[Event](math.inf)

        def sink(event: Event) -> None:
            if isinstance(event, Reloaded):
                reloads.send_nowait(event)

        with (
            Upstream(lambda _: Answer(pieces=(b'{"choices":[{"message":{"content":"hi"}}]}',))) as first,
            Upstream(first._answer) as second,
        ):
            texts = [provider(name, each.url) for name, each in (("one", first), ("two", second))]
            replace(file, texts[0])

            async def change(turn: int) -> None:
                replace(file, texts[(turn + 1) % 2])
                await more.receive()

            with anyio.fail_after(PATIENCE), reloads, more:
                async with served(serve, create_app(file, sink=sink)) as port:
                    answers = await ask_through(f"http://127.0.0.1:{port}", change)
        assert len(answers) == TURNS * EACH
        assert set(answers) == {(200, "one"), (200, "two")}

    anyio.run(main, backend=backend)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_without_a_lifespan_the_next_request_sees_the_new_configuration(
    backend: str, file: Path, at_once: None
) -> None:
    file.write_text(listing("one"))
    age(file)
    rows = Rows()

    async def main() -> None:
        app = create_app(str(file), sink=rows)
        assert await providers(app) == {"one"}
        replace(file, listing("two"))
        age(file, seconds=30)
        assert await providers(app) == {"two"}
        assert await providers(app) == {"two"}
        replace(file, "[proxy]\nprot = 1\nallow_lan_access = 2\n")
        age(file, seconds=20)
        for _ in range(3):
            assert await providers(app) == {"two"}
        os.unlink(file)
        for _ in range(3):
            assert await providers(app) == {"two"}
        replace(file, '[proxy]\nauth_mode = "strict"\n')
        age(file, seconds=10)
        assert await providers(app) == {"two"}
        replace(file, listing("three"))
        age(file, seconds=5)
        assert await providers(app) == {"three"}

    anyio.run(main, backend=backend)
    assert rows.of("reload") == [
        "providers.two added, providers.one removed",
        "providers.three added, providers.two removed",
    ]
    kept = "the configuration stays what it was: "
    first, second, gone, unsafe = rows.of("warning")
    assert first.startswith(f"{kept}proxy.prot: ")
    assert second.startswith(f"{kept}proxy.allow_lan_access: ")
    assert gone.startswith(kept)
    assert "agcore.toml" in gone
    assert unsafe.startswith(f"{kept}proxy.auth_mode: ")
    assert "needs a client key" in unsafe


def test_requests_look_at_the_file_only_now_and_then(file: Path) -> None:
    passed = 0.0
    file.write_text(listing("one"))
    age(file)
    clock = Clock(wall=lambda: 0, monotonic=lambda: passed)
    rows = Rows()
    reader = ConfigReader(
        partial(load, str(file), {}), watch=Watch(file), sink=rows, in_thread=anyio.to_thread.run_sync
    )
    gateway = Gateway(load(str(file), {}).parsed.config, secret=bytes(32), now=0)
    app = Application(gateway, clock=clock, sink=rows, reader=reader)
    replace(file, listing("two"))
    age(file, seconds=30)

    async def main() -> None:
        nonlocal passed
        passed = POLL - 0.1
        assert await providers(app) == {"one"}
        passed = POLL
        assert await providers(app) == {"two"}

    anyio.run(main)


@on_both_loops
async def test_a_configuration_is_replaced_by_hand() -> None:
    rows = Rows()
    old, new = (parse(listing(name), secrets={}, environ={}).config for name in ("one", "two"))
    app = create_app(old, sink=rows)
    assert app.reload(new)
    assert await providers(app) == {"two"}
    assert not app.reload(msgspec.structs.replace(old, proxy=Proxy(auth_mode="strict")))
    assert not app.reload(msgspec.structs.replace(old, models=(ModelRule("m", ((("nobody", "m"),),)),)))
    assert await providers(app) == {"two"}
    assert app.reload(msgspec.structs.replace(new, proxy=Proxy(auth_mode="off", host="0.0.0.0", port=2)))
    reloads = [row.fields for row in rows if row.kind == "reload"]
    assert reloads[1] == {"changed": "proxy.host, proxy.port, proxy.auth_mode"}
    refused, unknown, open_to_all = rows.of("warning")
    assert "needs a client key" in refused
    assert "nobody" in unknown
    assert "everyone who can reach this machine" in open_to_all


@on_both_loops
async def test_connections_are_kept_as_long_as_the_new_configuration_says() -> None:
    with Upstream(lambda _: Answer(pieces=(b'{"choices":[{"message":{"content":"hi"}}]}',))) as upstream:
        config = parse(provider("one", upstream.url), secrets={}, environ={}).config
        app = create_app(msgspec.structs.replace(config, timeouts=Timeouts(pool_idle=1e-9)), sink=Rows())
        counts = []
        for idle in (1e-9, 60):
            assert app.reload(msgspec.structs.replace(config, timeouts=Timeouts(pool_idle=idle)))
            before = len(upstream._threads)
            for _ in range(3):
                assert await ask(app) == 200
            counts.append(len(upstream._threads) - before)
        await app.aclose()
    assert counts == [3, 0], "the last of the first three serves the others"


def test_a_ready_made_app_without_a_provider_gets_one_by_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: None, upstream: Upstream
) -> None:
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY", "ZAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "a.toml"
    path.write_text("")
    monkeypatch.setenv("AGCORE_CONFIG", str(path))

    async def main() -> None:
        app = EnvironmentApp()
        assert await ask(app) == 503
        replace(path, provider("one", upstream.url))
        age(path, seconds=30)
        async with AsgiClient(app).request("GET", "/healthz") as response:
            assert response.status == 200
        assert await ask(app) == 429

    anyio.run(main)


# The state.


def with_state(upstream: Upstream) -> str:
    return f'[pool]\nstate_file = "state.json"\n{provider("one", upstream.url)}'


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_limit_outlives_the_application_in_a_file_beside_its_configuration(
    backend: str, file: Path, upstream: Upstream
) -> None:
    file.write_text(with_state(upstream))
    state = file.with_name("state.json")

    async def main() -> None:
        rows = Rows()
        for _ in range(2):
            app = create_app(file, sink=rows)
            async with Lifespan(app):
                assert await ask(app) == 429
            assert len(upstream.requests) == 1
        assert stat.S_IMODE(state.stat().st_mode) == 0o600
        assert "sk-upstream" not in state.read_text()
        state.write_bytes(b"\xffgarbage")
        assert rows.of("warning") == []
        app = create_app(file, sink=rows)
        async with Lifespan(app):
            assert await ask(app) == 429
        assert len(upstream.requests) == 2
        (warning,) = rows.of("warning")
        assert warning.startswith("the saved state of the keys cannot be used: ")
        assert state.read_text().startswith("{")

    anyio.run(main, backend=backend)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_without_a_lifespan_requests_save_the_state(
    backend: str, file: Path, upstream: Upstream, at_once: None
) -> None:
    file.write_text(with_state(upstream))
    state = file.with_name("state.json")

    async def main() -> None:
        app = create_app(file, sink=Rows())
        assert await ask(app) == 429
        assert not state.exists()
        assert await ask(app) == 429
        assert state.exists()
        state.unlink()
        assert await ask(app) == 429
        assert not state.exists()

    anyio.run(main, backend=backend)


@on_both_loops
async def test_a_state_that_cannot_be_saved_is_said_once_and_hurts_nobody() -> None:
    with Upstream(lambda _: LIMITED) as upstream:
        rows = Rows()
        config = parse(provider("one", upstream.url), secrets={}, environ={}).config
        config = msgspec.structs.replace(config, pool=msgspec.structs.replace(config.pool, state_file="/nowhere/state"))
        app = create_app(config, sink=rows)
        assert await ask(app) == 429
        for _ in range(2):
            await app.aclose()
    assert rows.of("warning") == ["cannot write the state file /nowhere/state: no such file or directory"]


def test_both_frontends_look_and_save_as_often() -> None:
    import agcore_host.state_file
    import agcore_host.watch

    assert (POLL, SAVE) == (agcore_host.watch.POLL, agcore_host.state_file.SAVE)


def test_a_configuration_by_hand_is_a_whole_one() -> None:
    assert create_app(Config(), sink=Rows()).configured is False
