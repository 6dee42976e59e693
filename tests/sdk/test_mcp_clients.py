"""The official MCP client through each frontend to servers of the official SDK, in both eras of the protocol.

In the mode `legacy` the client begins with `initialize` (revision 2025-11-25), in the mode `auto` with
`server/discover` (2026-07-28), which these servers know too. Clients run under asyncio, as their users run them.
"""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread
import httpx2
import pytest
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.client.subscriptions import ToolsListChanged
from mcp.types import TextContent, ToolListChangedNotification

from tests.support.mcp_server import McpServer
from tests.support.patience import PATIENCE
from tests.support.servers import Url, trio_server, uvicorn_server

CLIENT_KEY = "sk-client-0123456789abcdef"
SERVER_KEY = "sk-mcp-0123456789abcdef"
ERAS = {"legacy": "2025-11-25", "auto": "2026-07-28"}

CONFIG = f"""
[proxy]
auth_mode = "strict"
api_key = "{CLIENT_KEY}"
[mcp.web_search_prime]
url = "{{stateful}}?source=agcore"
key = "{SERVER_KEY}"
[mcp.web_reader]
url = "{{stateless}}"
key = "{SERVER_KEY}"
[mcp.down]
url = "http://127.0.0.1:{{closed}}/mcp"
[mcp.keyless]
url = "{{stateful}}"
"""
JS = Path(__file__).with_name("js")
NODE = shutil.which("node")
NAMES = {"stateful": "web_search_prime", "stateless": "web_reader"}


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, McpServer]]:
    with McpServer(SERVER_KEY, stateless=False) as stateful, McpServer(SERVER_KEY, stateless=True) as stateless:
        yield {"stateful": stateful, "stateless": stateless}


@pytest.fixture(scope="module", params=["trio", "uvicorn"])
def gateway(request: pytest.FixtureRequest, servers: dict[str, McpServer]) -> Iterator[Url]:
    with ExitStack() as stack:
        closed = stack.enter_context(socket.socket())
        closed.bind(("127.0.0.1", 0))  # and nobody listens
        urls = {form: server.url for form, server in servers.items()}
        config = CONFIG.format(**urls, closed=closed.getsockname()[1])
        yield stack.enter_context({"trio": trio_server, "uvicorn": uvicorn_server}[request.param](config))


@pytest.fixture(params=["stateful", "stateless"])
def server(request: pytest.FixtureRequest, servers: dict[str, McpServer]) -> Iterator[McpServer]:
    server = servers[request.param]
    server.seen.clear()
    server.listening.clear()
    server.begun.clear()
    server.cancelled.clear()
    yield server
    # Whatever came, it came with the server's key and without the client's.
    assert all(seen.status != 401 for seen in server.seen)
    assert all(CLIENT_KEY not in value for seen in server.seen for value in seen.headers.values())


@pytest.fixture
def endpoint(gateway: Url, server: McpServer, servers: dict[str, McpServer]) -> str:
    (form,) = (form for form, each in servers.items() if each is server)
    return f"{gateway}/mcp/{NAMES[form]}/mcp"


@pytest.fixture(params=list(ERAS))
def era(request: pytest.FixtureRequest) -> str:
    mode: str = request.param
    return mode


async def ignore(message: object) -> None:
    pass


@asynccontextmanager
async def connected(
    url: str, era: str, *, key: str = CLIENT_KEY, hear: Callable[[object], Awaitable[None]] = ignore
) -> AsyncIterator[Client]:
    headers = {"authorization": f"Bearer {key}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=PATIENCE) as http,
        Client(streamable_http_client(url, http_client=http), mode=era, message_handler=hear) as client,
    ):
        yield client


async def refusal(url: str, era: str, *, key: str = CLIENT_KEY) -> str:
    """What a user is told who cannot connect."""
    try:
        async with connected(url, era, key=key):
            pytest.fail("it connects")
    except ExceptionGroup as group:
        error: Exception = group
        while isinstance(error, ExceptionGroup):
            (error,) = error.exceptions
        assert isinstance(error, MCPError)
        return str(error)


def run(story: Callable[[], Awaitable[None]]) -> None:
    async def within_time() -> None:
        with anyio.fail_after(PATIENCE):
            await story()

    anyio.run(within_time, backend="asyncio")


async def came(event: threading.Event) -> bool:
    return await anyio.to_thread.run_sync(event.wait, PATIENCE)


async def said(client: Client, tool: str, **arguments: object) -> str:
    answer = await client.call_tool(tool, arguments)
    (content,) = answer.content
    assert isinstance(content, TextContent)
    assert not answer.is_error
    return content.text


def test_a_session_from_its_start_to_its_end(endpoint: str, server: McpServer, era: str) -> None:
    async def story() -> None:
        async with connected(endpoint, era) as client:
            assert client.protocol_version == ERAS[era]
            names = {tool.name for tool in (await client.list_tools()).tools}
            assert names == {"echo", "count", "wait", "release", "change"}
            assert await said(client, "echo", text="caf\u00e9 \u2028 \U0001f600") == "caf\u00e9 \u2028 \U0001f600"

    run(story)
    first, *_, last = server.seen
    assert first.headers.get("mcp-method") == ("server/discover" if era == "auto" else None)
    assert all(seen.path == "/mcp" for seen in server.seen)
    sessions = {seen.headers.get("mcp-session-id") for seen in server.seen[1:]}
    if era == "legacy" and "web_search_prime" in endpoint:
        assert None not in sessions
        assert len(sessions) == 1
        assert (last.method, last.status) == ("DELETE", 200)
        assert {seen.query for seen in server.seen} == {"source=agcore"}
    else:
        assert sessions == {None}
    assert (202 in {seen.status for seen in server.seen}) == (era == "legacy")


def test_progress_is_told_in_its_order(endpoint: str, era: str) -> None:
    async def story() -> None:
        told: list[tuple[float, float | None, str | None]] = []

        async def tell(progress: float, total: float | None, message: str | None) -> None:
            told.append((progress, total, message))

        async with connected(endpoint, era) as client:
            answer = await client.call_tool("count", {"to": 3}, progress_callback=tell)
        assert answer.structured_content == {"result": 3}
        assert told == [(1, 3, "at 1"), (2, 3, "at 2"), (3, 3, "at 3")]

    run(story)


def test_what_a_slow_tool_says_arrives_while_it_still_works(endpoint: str, era: str) -> None:
    """Nothing is held back: the tool ends only after its first words were heard and others were called."""

    async def story() -> None:
        heard = anyio.Event()

        async def hear(progress: float, total: float | None, message: str | None) -> None:
            heard.set()

        async with connected(endpoint, era) as client, anyio.create_task_group() as tasks:

            async def other() -> None:
                await heard.wait()
                assert await said(client, "echo", text="meanwhile") == "meanwhile"
                await said(client, "release", name="slow")

            tasks.start_soon(other)
            answer = await client.call_tool("wait", {"name": "slow"}, progress_callback=hear)
            assert answer.structured_content == {"result": "slow was released"}

    run(story)


def test_a_call_that_the_client_gives_up_is_cancelled_at_the_server(endpoint: str, server: McpServer, era: str) -> None:
    if era == "legacy" and "web_reader" in endpoint:
        pytest.skip("a server without sessions cannot tell which call a cancellation is about")

    async def story() -> None:
        async with connected(endpoint, era) as client, anyio.create_task_group() as tasks:
            tasks.start_soon(partial(client.call_tool, "wait", {"name": "lost"}))
            assert await came(server.begun["lost"])
            tasks.cancel_scope.cancel()
        assert await came(server.cancelled["lost"])

    run(story)


def test_what_the_server_says_by_itself_comes_by_the_stream_that_listens(
    gateway: Url, servers: dict[str, McpServer]
) -> None:
    server = servers["stateful"]
    server.listening.clear()

    async def story() -> None:
        heard = anyio.Event()

        async def hear(message: object) -> None:
            if isinstance(message, ToolListChangedNotification):
                heard.set()

        async with connected(f"{gateway}/mcp/web_search_prime/mcp", "legacy", hear=hear) as client:
            assert await came(server.listening)
            await said(client, "change")
            await heard.wait()

    run(story)


def test_in_2026_a_subscription_tells_of_changes(endpoint: str) -> None:
    async def story() -> None:
        async with connected(endpoint, "auto") as client, client.listen(tools_list_changed=True) as events:
            await said(client, "change")
            async for event in events:
                assert isinstance(event, ToolsListChanged)
                break

    run(story)


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("down", "down: cannot connect to 127.0.0.1:"),
        ("keyless", "the MCP server 'keyless' refused the gateway's key"),
        ("nobody", "no MCP server is called 'nobody': add"),
    ],
)
def test_a_server_that_cannot_answer_is_a_clear_error(gateway: Url, era: str, name: str, what: str) -> None:
    async def story() -> None:
        assert re.match(what, await refusal(f"{gateway}/mcp/{name}/mcp", era))

    run(story)


@pytest.mark.parametrize("frontend", [trio_server, uvicorn_server])
def test_a_server_that_goes_down_during_a_call_is_an_error_and_no_hang(
    frontend: Callable[[str], AbstractContextManager[Url]],
) -> None:
    async def story(url: str, server: McpServer, shut_down: Callable[[], None]) -> None:
        failed: dict[str, Exception] = {}

        async def call(era: str) -> None:
            async with connected(url, era) as client:
                try:
                    await client.call_tool("wait", {"name": era})
                except MCPError as error:
                    failed[era] = error

        async with anyio.create_task_group() as tasks:
            for era in ERAS:
                tasks.start_soon(call, era)
            assert [await came(server.begun[era]) for era in ERAS] == [True, True]
            await anyio.to_thread.run_sync(shut_down)
        assert set(failed) == set(ERAS)

    with ExitStack() as up:
        server = up.enter_context(McpServer(SERVER_KEY, stateless=False))
        config = CONFIG.format(stateful=server.url, stateless=server.url, closed=1)
        with frontend(config) as gateway:
            run(partial(story, f"{gateway}/mcp/web_reader/mcp", server, up.close))


def test_a_client_without_a_good_key_gets_nowhere(endpoint: str, server: McpServer, era: str) -> None:
    async def story() -> None:
        assert (await refusal(endpoint, era, key="sk-wrong")).startswith("a valid API key is needed")

    run(story)
    assert server.seen == []


@pytest.mark.skipif(NODE is None, reason="node is not installed")
@pytest.mark.skipif(not (JS / "node_modules").is_dir(), reason="the client in JavaScript is not there: make mcp-js")
def test_the_javascript_client_has_a_session(endpoint: str, server: McpServer) -> None:
    done = subprocess.run(
        [NODE or "", str(JS / "client.mjs"), endpoint, CLIENT_KEY], capture_output=True, timeout=120, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    stateful = "web_search_prime" in endpoint
    assert json.loads(done.stdout) == {
        "tools": ["change", "count", "echo", "release", "wait"],
        "echo": "caf\u00e9",
        "progress": [1, 2, 3],
        "count": "3",
        "slow": "js was released",
        "heard": ["notifications/tools/list_changed"] if stateful else [],
    }
    assert ("DELETE" in {seen.method for seen in server.seen}) == stateful
