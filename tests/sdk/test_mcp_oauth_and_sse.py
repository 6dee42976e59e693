"""The official MCP client with its own token, from OAuth or at hand, and over HTTP+SSE, through each frontend."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from urllib.parse import parse_qs, urlsplit

import anyio
import httpx2
import pytest
from mcp import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from pydantic import AnyUrl

from tests.sdk.test_mcp_clients import CLIENT_KEY, ERAS, SERVER_KEY, came, run, said
from tests.support.mcp_server import McpServer
from tests.support.oauth_server import CODE, OAuthMcpServer
from tests.support.patience import PATIENCE
from tests.support.servers import Url, trio_server, uvicorn_server

PUBLIC = "http://gateway.test"
"""Where clients reach the gateway; they alone know how that name resolves."""

CONFIG = f"""
[proxy]
auth_mode = "all_except_health"
api_key = "{CLIENT_KEY}"
public_url = "{PUBLIC}"
allowed_hosts = ["gateway.test"]
[mcp.own]
url = "{{streamable}}"
auth = "client"
[mcp.login]
url = "{{login}}"
auth = "client"
[mcp.older]
url = "{{older}}"
key = "{SERVER_KEY}"
[mcp.older_own]
url = "{{older}}"
auth = "client"
"""
TO_GATEWAY = {"x-api-key": CLIENT_KEY}
TO_BOTH = {**TO_GATEWAY, "authorization": f"Bearer {SERVER_KEY}"}


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, McpServer]]:
    with (
        McpServer(SERVER_KEY) as streamable,
        McpServer(SERVER_KEY, older=True) as older,
        OAuthMcpServer("granted-token") as login,
    ):
        yield {"streamable": streamable, "older": older, "login": login}


@pytest.fixture(scope="module", params=["trio", "uvicorn"])
def gateway(request: pytest.FixtureRequest, servers: dict[str, McpServer]) -> Iterator[Url]:
    with ExitStack() as stack:
        config = CONFIG.format(**{name: server.url for name, server in servers.items()})
        yield stack.enter_context({"trio": trio_server, "uvicorn": uvicorn_server}[request.param](config))


@pytest.fixture(autouse=True)
def no_client_key_goes_up(servers: dict[str, McpServer]) -> Iterator[None]:
    for server in servers.values():
        server.seen.clear()
        server.begun.clear()
    yield
    for server in servers.values():
        assert all(CLIENT_KEY not in value for seen in server.seen for value in seen.headers.values())


class Resolving(httpx2.AsyncHTTPTransport):
    """Finds the gateway by its public name."""

    def __init__(self, gateway: str) -> None:
        super().__init__()
        self._port = httpx2.URL(gateway).port

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.host == "gateway.test":
            request.url = request.url.copy_with(host="127.0.0.1", port=self._port)
        return await super().handle_async_request(request)


class Storage:
    """A client's memory of tokens."""

    tokens: OAuthToken | None = None
    client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


def login(server_url: str, asked: list[str]) -> OAuthClientProvider:
    """A client's OAuth, whose user agrees at once; `asked` gets the URLs that it is sent to."""

    async def redirect(url: str) -> None:
        asked.append(url)

    async def callback() -> AuthorizationCodeResult:
        (state,) = parse_qs(urlsplit(asked[-1]).query)["state"]
        return AuthorizationCodeResult(code=CODE, state=state)

    return OAuthClientProvider(
        server_url,
        OAuthClientMetadata(client_name="a test", redirect_uris=[AnyUrl("http://127.0.0.1:1/callback")]),
        Storage(),
        redirect_handler=redirect,
        callback_handler=callback,
    )


@asynccontextmanager
async def over_sse(url: str, headers: dict[str, str]) -> AsyncIterator[Client]:
    async with Client(sse_client(url, headers=headers, timeout=PATIENCE), mode="legacy") as client:
        yield client


@pytest.mark.parametrize("era", ERAS)
def test_a_client_shows_the_server_its_own_token(gateway: Url, servers: dict[str, McpServer], era: str) -> None:
    async def story() -> None:
        async with (
            httpx2.AsyncClient(headers=TO_BOTH, timeout=PATIENCE) as http,
            Client(streamable_http_client(f"{gateway}/mcp/own/mcp", http_client=http), mode=era) as client,
        ):
            assert await said(client, "echo", text="hello") == "hello"

    run(story)
    assert {seen.status for seen in servers["streamable"].seen} <= {200, 202}


@pytest.mark.parametrize("era", ERAS)
def test_a_client_finds_the_way_to_a_token_by_itself(gateway: Url, servers: dict[str, McpServer], era: str) -> None:
    server = servers["login"]
    assert isinstance(server, OAuthMcpServer)
    server.granted.clear()
    asked: list[str] = []
    url = f"{PUBLIC}/mcp/login/mcp"

    async def story() -> None:
        async with (
            httpx2.AsyncClient(
                headers=TO_GATEWAY, timeout=PATIENCE, transport=Resolving(gateway), auth=login(url, asked)
            ) as http,
            Client(streamable_http_client(url, http_client=http), mode=era) as client,
        ):
            assert await said(client, "echo", text="hello") == "hello"

    run(story)
    assert server.seen[0].status == 401
    assert {seen.status for seen in server.seen[1:]} <= {200, 202}
    (grant,) = server.granted
    (sent,) = asked
    assert sent.startswith(f"{server.origin}/authorize?")
    # The token is for the URL that the client uses.
    assert [grant["resource"]] == parse_qs(urlsplit(sent).query)["resource"] == [url]


@pytest.mark.parametrize(("name", "headers"), [("older", TO_GATEWAY), ("older_own", TO_BOTH)])
def test_a_session_over_the_older_transport(
    gateway: Url, servers: dict[str, McpServer], name: str, headers: dict[str, str]
) -> None:
    async def story() -> None:
        async with over_sse(f"{gateway}/mcp/{name}/mcp", headers) as client, anyio.create_task_group() as tasks:
            names = {tool.name for tool in (await client.list_tools()).tools}
            assert "echo" in names
            assert await said(client, "echo", text="caf\u00e9") == "caf\u00e9"
            told: list[float] = []

            async def tell(progress: float, total: float | None, message: str | None) -> None:
                told.append(progress)

            answer = await client.call_tool("count", {"to": 3}, progress_callback=tell)
            assert (answer.structured_content, told) == ({"result": 3}, [1, 2, 3])

            async def release() -> None:
                assert await came(servers["older"].begun["slow"])
                await said(client, "release", name="slow")

            tasks.start_soon(release)
            assert await said(client, "wait", name="slow") == "slow was released"

    run(story)
    seen = servers["older"].seen
    assert (seen[0].method, seen[0].path) == ("GET", "/sse")
    posts = [each for each in seen if each.method == "POST"]
    assert {(each.path, each.status) for each in posts} == {("/messages/", 202)}
    assert len({each.query for each in posts}) == 1


def test_the_servers_refusal_reaches_a_client_of_the_older_transport(gateway: Url) -> None:
    async def story() -> None:
        with pytest.raises(httpx2.HTTPStatusError, match="401 Unauthorized"):
            async with over_sse(f"{gateway}/mcp/older_own/mcp", TO_GATEWAY):
                pytest.fail("it connects")

    run(story)
