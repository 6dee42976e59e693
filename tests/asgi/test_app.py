"""The application: scopes, lifespan, draining, websocket refusals, and the app that the environment configures."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.abc import SocketStream

import agcore_asgi
from agcore import Config
from agcore.config.values import Proxy, Timeouts
from agcore.protocol.events import Event, RequestEnded, Warned
from agcore_asgi import Application, ResponseAborted, create_app
from agcore_asgi.app import EnvironmentApp
from agcore_host.clock import Clock
from tests.support.asgi_bridge import AsgiClient, Lifespan
from tests.support.backends import on_both_loops
from tests.support.raw_upstream import at_end, raw_upstream, read_request
from tests.support.relay_machine import RelayExchange, RelayGateway

HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n"
END = b"3\r\ntwo\r\n0\r\n\r\n"


def application(gateway: RelayGateway) -> Application:
    return Application(gateway, clock=Clock(), sink=lambda event: None)  # type: ignore[arg-type]


@on_both_loops
async def test_the_lifespan_starts_and_stops() -> None:
    app = create_app(Config(), sink=lambda event: None)
    async with Lifespan(app) as lifespan:
        assert lifespan.started == {"type": "lifespan.startup.complete"}
        async with AsgiClient(app).request("GET", "/readyz") as response:
            assert response.status == 200
    assert lifespan.stopped == {"type": "lifespan.shutdown.complete"}
    async with AsgiClient(app).request("GET", "/readyz") as response:
        assert response.status == 503


@on_both_loops
async def test_without_a_lifespan_requests_are_served() -> None:
    events: list[Event] = []
    app = create_app(Config(), sink=events.append)
    async with AsgiClient(app).request("GET", "/healthz") as response:
        assert (response.status, json.loads(await response.read())["status"]) == (200, "ok")
    assert [event.started.path for event in events if isinstance(event, RequestEnded)] == ["/healthz"]


@on_both_loops
async def test_shutdown_lets_running_exchanges_finish() -> None:
    asked, draining = anyio.Event(), anyio.Event()

    async def serve(stream: SocketStream) -> None:
        await read_request(stream)
        await stream.send(HEAD)
        asked.set()
        await draining.wait()
        await stream.send(END)

    async with raw_upstream(serve) as port:
        gateway = RelayGateway(port)
        app = application(gateway)
        async with AsgiClient(app).request("GET", "/") as response, anyio.create_task_group() as tasks:
            await asked.wait()
            tasks.start_soon(app.aclose)
            await anyio.wait_all_tasks_blocked()
            assert gateway.draining
            draining.set()
            assert await response.read() == b"onetwo"


@on_both_loops
async def test_shutdown_ends_open_ended_exchanges() -> None:
    async def serve(stream: SocketStream) -> None:
        await read_request(stream)
        await stream.send(HEAD)
        assert await at_end(stream)

    def prepare(exchange: RelayExchange) -> None:
        exchange.open_ended = True

    async with raw_upstream(serve) as port:
        gateway = RelayGateway(port)
        gateway.prepare = prepare
        app = application(gateway)
        async with AsgiClient(app).request("GET", "/") as response:
            assert await anext(response) == b"one"
            await app.aclose()
            assert response.finished.is_set()


@on_both_loops
async def test_shutdown_breaks_off_what_outlasts_the_drain_time() -> None:
    async def serve(stream: SocketStream) -> None:
        await read_request(stream)
        await stream.send(HEAD)
        assert await at_end(stream)

    async with raw_upstream(serve) as port:
        gateway = RelayGateway(port, config=Config(timeouts=Timeouts(drain=0.05)))
        app = application(gateway)
        async with AsgiClient(app).request("GET", "/") as response:
            assert await anext(response) == b"one"
            await app.aclose()
        assert isinstance(response.error, ResponseAborted)
        assert gateway.exchanges[0].abandoned


@on_both_loops
async def test_shutdown_closes_pooled_connections() -> None:
    ended = anyio.Event()

    async def serve(stream: SocketStream) -> None:
        await read_request(stream)
        await stream.send(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        assert await at_end(stream)
        ended.set()

    async with raw_upstream(serve) as port:
        app = application(RelayGateway(port))
        async with AsgiClient(app).request("GET", "/") as response:
            await response.read()
        await app.aclose()
        await ended.wait()


def test_one_application_serves_one_event_loop_after_another() -> None:
    connections = 0

    async def serve(stream: SocketStream) -> None:
        nonlocal connections
        connections += 1
        for _ in range(2):
            await read_request(stream)
            await stream.send(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")

    gateway = RelayGateway()
    app = application(gateway)

    async def main() -> None:
        async with raw_upstream(serve) as port:
            gateway.origin = gateway.origin.__class__("http", "127.0.0.1", port)
            for _ in range(2):
                async with AsgiClient(app).request("GET", "/") as response:
                    assert response.status == 200
                    await response.read()
            await app.aclose()

    for backend in ("asyncio", "trio", "asyncio"):
        anyio.run(main, backend=backend)
    assert connections == 3


@on_both_loops
async def test_the_mount_point_and_the_peer_reach_the_core() -> None:
    gateway = RelayGateway()
    client = AsgiClient(application(gateway), client=None, root_path="/llm")
    async with client.request("GET", "/llm/v1/models") as response:
        assert response.status == 502
    assert gateway.peers[0].host is None
    assert gateway.targets == [b"/v1/models"]


async def refuse(extensions: dict[str, Any], http_version: str = "1.1") -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []
    incoming = [{"type": "websocket.connect"}]

    async def receive() -> dict[str, Any]:
        return incoming.pop()

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "websocket", "path": "/v1/responses", "http_version": http_version, "extensions": extensions}
    await create_app(Config())(scope, receive, send)
    assert not incoming
    return sent


@on_both_loops
async def test_a_websocket_is_refused_with_426_where_the_server_can_say_so() -> None:
    start, body = await refuse({"websocket.http.response": {}})
    assert (start["type"], start["status"]) == ("websocket.http.response.start", 426)
    headers = dict(start["headers"])
    assert headers[b"content-length"] == str(len(body["body"])).encode()
    assert headers[b"upgrade"] == b"websocket"
    assert body["type"] == "websocket.http.response.body"
    assert json.loads(body["body"])["error"]["code"] == "upgrade_required"


@on_both_loops
async def test_a_426_over_http_2_has_no_upgrade_header() -> None:
    start, _ = await refuse({"websocket.http.response": {}}, http_version="2")
    assert b"upgrade" not in dict(start["headers"])


@on_both_loops
async def test_a_websocket_is_closed_before_it_is_accepted_where_the_server_cannot() -> None:
    assert await refuse({}) == [{"type": "websocket.close"}]


@on_both_loops
async def test_an_unknown_scope_is_an_error() -> None:
    async def never(*args: Any) -> Any:
        raise AssertionError

    with pytest.raises(ValueError, match="gopher"):
        await create_app(Config())({"type": "gopher"}, never, never)


def test_a_configuration_that_must_not_be_served_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a client key"):
        create_app(Config(proxy=Proxy(auth_mode="strict")))


def test_what_may_not_be_meant_is_a_warning() -> None:
    events: list[Event] = []
    create_app(Config(proxy=Proxy(auth_mode="off", host="0.0.0.0")), sink=events.append)
    assert [type(event) for event in events] == [Warned]


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """An empty environment and an empty directory to stand in."""

    for name in tuple(os.environ):
        if name.startswith("AGCORE_") or name.endswith(("_API_KEY", "_PROXY", "_proxy")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    return monkeypatch


def test_the_ready_made_app_is_configured_by_its_environment(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('[proxy]\napi_key = "env:KEY"\nauth_mode = "strict"\n')
    environment.setenv("AGCORE_CONFIG", "a.toml")
    environment.setenv("KEY", "sk-1")

    async def main() -> None:
        client = AsgiClient(EnvironmentApp())
        async with client.request("GET", "/healthz") as response:
            assert response.status == 401
        async with client.request("GET", "/healthz", headers=[(b"x-api-key", b"sk-1")]) as response:
            assert response.status == 200

    anyio.run(main)


def test_the_ready_made_app_reads_nothing_before_its_first_scope(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("AGCORE_CONFIG", "missing.toml")
    app = EnvironmentApp()
    environment.delenv("AGCORE_CONFIG")

    async def main() -> None:
        async with AsgiClient(app).request("GET", "/healthz") as response:
            assert response.status == 200

    anyio.run(main)
    assert isinstance(agcore_asgi.app, EnvironmentApp)


def test_a_configuration_that_cannot_be_read_fails_the_startup(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("AGCORE_CONFIG", "missing.toml")

    async def main() -> None:
        lifespan = Lifespan(EnvironmentApp())
        async with lifespan:
            assert lifespan.started["type"] == "lifespan.startup.failed"
            assert "missing.toml" in lifespan.started["message"]
        async with AsgiClient(EnvironmentApp()).connect("GET", "/healthz") as response:
            await response.finished.wait()
        assert isinstance(response.error, ValueError)
        assert str(response.error) == "cannot read the configuration missing.toml: no such file or directory"

    anyio.run(main)


def test_without_any_provider_the_answer_says_how_to_configure_one(
    environment: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "agcore")

    async def main() -> None:
        client = AsgiClient(EnvironmentApp())
        async with client.request("POST", "/v1/messages", body=[b"{}"]) as response:
            assert response.status == 503
            assert "ANTHROPIC_API_KEY" in json.loads(await response.read())["error"]["message"]
        assert [*(tmp_path / "state" / "agcore" / "run").glob("*.json")]  # so that commands find it even so
        assert caplog.messages[0].startswith("the environment (no configuration file): no provider. ")
        async with client.request("GET", "/healthz") as response:
            assert response.status == 200

    anyio.run(main)


def test_the_ready_made_app_tells_commands_where_it_runs(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text("")
    environment.setenv("AGCORE_CONFIG", "a.toml")
    folder = tmp_path / "state" / "agcore" / "run"

    async def main() -> None:
        for app, config in ((EnvironmentApp(), path), (create_app(path), path)):
            async with Lifespan(app):
                assert not folder.exists() or not any(folder.iterdir())
                forwarded = [(b"x-forwarded-proto", b"https")]
                async with AsgiClient(app).request("GET", "/healthz", headers=forwarded) as response:
                    assert response.status == 200
                assert not folder.exists() or not any(folder.iterdir())
                async with AsgiClient(app).request("GET", "/healthz") as response:
                    assert response.status == 200
                (file,) = folder.iterdir()
                run = json.loads(file.read_text())
                assert (run["pid"], run["config"]) == (os.getpid(), str(config))
                assert run["address"].startswith("http://")
            assert not any(folder.iterdir())

    anyio.run(main)


def test_an_app_that_is_made_of_values_leaves_no_trace(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async def main() -> None:
        async with AsgiClient(create_app(Config())).request("GET", "/healthz") as response:
            assert response.status == 200

    anyio.run(main)
    assert not (tmp_path / "state").exists()


def test_the_ready_made_app_passes_over_a_file_that_is_not_trusted(
    environment: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "agcore.toml").write_text("[[[")

    async def main() -> None:
        async with AsgiClient(EnvironmentApp()).request("GET", "/healthz") as response:
            assert response.status == 200

    anyio.run(main)
    assert "agcore.toml is passed over: it is not trusted" in caplog.text
    assert "agcore trust" in caplog.text


def test_where_no_run_file_can_be_written_the_app_serves(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "state").touch()
    (tmp_path / "a.toml").write_text("")
    rows: list[object] = []

    async def main() -> None:
        app = create_app(tmp_path / "a.toml", sink=rows.append)
        for _ in range(2):
            async with AsgiClient(app).request("GET", "/healthz") as response:
                assert response.status == 200

    anyio.run(main)
    assert str(rows).count("commands will not find this gateway") == 1


@on_both_loops
async def test_the_admin_api_is_for_this_machine() -> None:
    app = create_app(Config(), sink=lambda event: None)
    async with AsgiClient(app).request("GET", "/admin/api/status") as response:
        assert response.status == 200
        assert json.loads(await response.read())["keys"] == []
    forwarded = [(b"x-forwarded-for", b"127.0.0.1")]
    async with AsgiClient(app).request("GET", "/admin/api/status", headers=forwarded) as response:
        assert response.status == 403
    body = [b'{"all": true}']
    json_type = [(b"content-type", b"application/json")]
    async with AsgiClient(app).request("POST", "/admin/api/reset", headers=json_type, body=body) as response:
        assert (response.status, await response.read()) == (200, b'{"reset":[]}')
    await app.aclose()


def test_the_app_tells_of_files_that_cannot_be_used(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(
        '[pool]\nstate_file = "missing/state"\n[[providers]]\npreset = "ollama"\nca_file = "missing.pem"\n'
    )
    rows: list[object] = []
    create_app(tmp_path / "a.toml", sink=rows.append)
    assert "pool.state_file: cannot write " in str(rows)
    assert "ca_file of the provider ollama: cannot use " in str(rows)
