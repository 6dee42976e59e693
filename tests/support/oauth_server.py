"""An MCP server that wants a token from an authorization server, and that authorization server, at one origin."""

from __future__ import annotations

import json
from typing import Any, Final
from urllib.parse import parse_qs

from tests.support.mcp_server import McpServer

CODE: Final = "the-code"
"""What the authorization server grants to everybody who asks; the way of a user through it is left out."""


class OAuthMcpServer(McpServer):
    """Its metadata are where its challenge says and nowhere else; `granted` lists what tokens were asked for."""

    def __init__(self, token: str) -> None:
        super().__init__(token)
        self._token = token
        self.granted: list[dict[str, str]] = []

    def _challenges(self) -> list[tuple[bytes, bytes]]:
        url = f"{self.origin}/.well-known/oauth-protected-resource/mcp"
        return [(b"www-authenticate", f'Bearer error="invalid_token", resource_metadata="{url}"'.encode())]

    async def _served(self, scope: Any, receive: Any, send: Any) -> None:
        path = scope.get("path", "")
        if path.startswith("/.well-known/oauth-protected-resource"):
            return await self._resource(path, scope, send)
        if path == "/.well-known/oauth-authorization-server":
            return await _answer(send, self._authorization_server())
        if path == "/register":
            asked = json.loads(await _body(receive))
            return await _answer(send, {**asked, "client_id": "a-client"}, status=201)
        if path == "/token":
            form = {name: value for name, (value,) in parse_qs((await _body(receive)).decode()).items()}
            self.granted.append(form)
            good = form["grant_type"] == "authorization_code" and form["code"] == CODE
            token = {"access_token": self._token, "token_type": "Bearer", "expires_in": 3600}
            return await _answer(send, token if good else {"error": "invalid_grant"}, status=200 if good else 400)
        return await super()._served(scope, receive, send)

    async def _resource(self, path: str, scope: Any, send: Any) -> None:
        assert not {b"authorization", b"x-api-key"} & {name for name, _ in scope["headers"]}
        if path != "/.well-known/oauth-protected-resource/mcp":
            return await _answer(send, {}, status=404)
        return await _answer(send, {"resource": self.url, "authorization_servers": [self.origin]})

    def _authorization_server(self) -> dict[str, object]:
        return {
            "issuer": self.origin,
            "authorization_endpoint": f"{self.origin}/authorize",
            "token_endpoint": f"{self.origin}/token",
            "registration_endpoint": f"{self.origin}/register",
            "response_types_supported": ["code"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["none"],
        }


async def _body(receive: Any) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return bytes(body)


async def _answer(send: Any, value: object, *, status: int = 200) -> None:
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(value).encode()})
