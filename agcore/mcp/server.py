"""The built-in vision server: its answer to each request as a value, a result, an error, or work to be done.

Two eras are spoken. With a handshake, `initialize` agrees on a revision. From 2026-07-28 on there is none: results say
of themselves that they are complete, by whom they are, and how long they may be kept, and `server/discover` tells what
`initialize` told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import msgspec

from agcore.mcp import jsonrpc
from agcore.mcp.jsonrpc import INVALID_PARAMS, METHOD_NOT_FOUND, Error, Request
from agcore.mcp.revisions import REVISIONS, Revision, negotiated
from agcore.mcp.transport import progress_token
from agcore.mcp.vision_tools import TOOLS, BadArguments, Tool, checked, listing
from agcore.state.mcp_sessions import Id

INSTRUCTIONS: Final = (
    "Tools that look at pictures and videos for models that cannot, or that want a second look. Each takes its sources "
    "as https URLs, data: URIs, or absolute paths of files on the server's machine where its configuration allows "
    "that. Prefer the most special tool that fits."
)
LIST_TTL: Final = 3_600_000
"""Milliseconds for which a client may keep what does not change while the server runs."""
_SUBSCRIPTION: Final = "io.modelcontextprotocol/subscriptionId"


class Reply(msgspec.Struct, frozen=True):
    """An answer, before it is encoded: a result or an error."""

    message: Mapping[str, Any]
    code: int = 0
    """The error's, if it is one."""


class ToolCall(msgspec.Struct, frozen=True):
    """A tool is to be run."""

    id: Id
    tool: Tool
    given: Mapping[str, str]
    """Arguments of the tool, checked."""
    token: Id | None
    """Under which progress is to be told."""


class Listen(msgspec.Struct, frozen=True):
    """An open-ended stream is wanted. It begins with `acknowledgement` and, where it ends properly, with `end`."""

    acknowledgement: Mapping[str, Any]
    end: Mapping[str, Any]


Outcome: TypeAlias = Reply | ToolCall | Listen


class Server:
    """Answers requests of one revision; `name` and `version` are the server's own."""

    def __init__(self, revision: Revision, *, name: str, version: str) -> None:
        self.revision = revision
        self._info = {"name": name, "title": "Vision tools", "version": version}

    def receive(self, request: Request) -> Outcome:
        """Returns the answer to a request, or the work that the request asks for."""
        methods = _STATELESS if self.revision.stateless else _WITH_SESSION
        method = methods.get(request.method)
        if method is None:
            return refused(Error(METHOD_NOT_FOUND, f"there is no method {request.method[:100]!r} here", request.id))
        return method(self, request)

    def finished(self, id: Id, text: str, *, notes: tuple[str, ...] = (), is_error: bool = False) -> Reply:
        """The result of a tool: its text, and remarks of the server's own behind it."""
        content = [{"type": "text", "text": each} for each in (text, *notes)]
        return self._reply(id, {"content": content, "isError": is_error})

    def _reply(self, id: Id, value: Mapping[str, Any], *, lasting: bool = False) -> Reply:
        if self.revision.stateless:
            meta = {"io.modelcontextprotocol/serverInfo": self._info, **value.get("_meta", {})}
            value = {**value, "resultType": "complete", "_meta": meta}
            if lasting:
                value |= {"ttlMs": LIST_TTL, "cacheScope": "private"}
        return Reply(jsonrpc.result(id, value))

    def _initialize(self, request: Request) -> Outcome:
        offered = negotiated(request.params.get("protocolVersion"))
        told = {
            "protocolVersion": offered.version,
            "capabilities": {"tools": {}},
            "serverInfo": self._info,
            "instructions": INSTRUCTIONS,
        }
        return self._reply(request.id, told)

    def _discover(self, request: Request) -> Outcome:
        told = {
            "supportedVersions": list(REVISIONS),
            "capabilities": {"tools": {}},
            "instructions": INSTRUCTIONS,
        }
        return self._reply(request.id, told, lasting=True)

    def _ping(self, request: Request) -> Outcome:
        return self._reply(request.id, {})

    def _list(self, request: Request) -> Outcome:
        if request.params.get("cursor") is not None:
            return refused(Error(INVALID_PARAMS, "no such cursor: the list of tools has one page", request.id))
        return self._reply(request.id, {"tools": listing()}, lasting=True)

    def _call(self, request: Request) -> Outcome:
        name = request.params.get("name")
        tool = TOOLS.get(name) if isinstance(name, str) else None
        if tool is None:
            shown = repr(name[:100]) if isinstance(name, str) else "without a name"
            return refused(Error(INVALID_PARAMS, f"there is no tool {shown} here", request.id))
        arguments = request.params.get("arguments")
        try:
            given = checked(tool, {} if arguments is None else arguments)
        except BadArguments as error:
            if self.revision.tells_models:
                return self.finished(request.id, str(error), is_error=True)
            return refused(Error(INVALID_PARAMS, str(error), request.id))
        token = progress_token(request.params)
        return ToolCall(request.id, tool, given, token if jsonrpc.is_id(token) else None)

    def _listen(self, request: Request) -> Outcome:
        meta = {_SUBSCRIPTION: request.id}
        # Nothing here ever changes while the server runs, so nothing of what was asked for is promised.
        honoured = {"notifications": {}, "_meta": meta}
        end = self._reply(request.id, {"_meta": meta})
        return Listen(jsonrpc.notification("notifications/subscriptions/acknowledged", honoured), end.message)


def refused(error: Error) -> Reply:
    """A reply that is an error."""
    return Reply(jsonrpc.error(error), error.code)


_Method: TypeAlias = Callable[[Server, Request], Outcome]
_WITH_SESSION: Final[Mapping[str, _Method]] = {
    "initialize": Server._initialize,
    "ping": Server._ping,
    "tools/list": Server._list,
    "tools/call": Server._call,
}
_STATELESS: Final[Mapping[str, _Method]] = {
    "server/discover": Server._discover,
    "tools/list": Server._list,
    "tools/call": Server._call,
    "subscriptions/listen": Server._listen,
}
