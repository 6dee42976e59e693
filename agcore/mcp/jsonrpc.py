"""JSON-RPC 2.0 as the Model Context Protocol uses it: params are objects, ids are strings or integers, never null.

`read` takes whatever bytes a peer sent and always gives values; what is no message becomes an `Error`. Ids are kept
within 64 bits, because they are written back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias, TypeGuard

import msgspec

from agcore.codecs import json_text
from agcore.state.mcp_sessions import Id

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603
HEADER_MISMATCH: Final = -32020
UNSUPPORTED_VERSION: Final = -32022


class Request(msgspec.Struct, frozen=True):
    """A message that is owed an answer."""

    id: Id
    method: str
    params: Mapping[str, Any]
    """Empty where there were none."""


class Notification(msgspec.Struct, frozen=True):
    """A message that gets no answer."""

    method: str
    params: Mapping[str, Any]


class Response(msgspec.Struct, frozen=True):
    """An answer to a request of ours."""


class Error(msgspec.Struct, frozen=True):
    """An error on its way to the peer."""

    code: int
    message: str
    id: Id | None = None
    """Of the request at fault; None where it could not be read."""
    data: Any = None


Message: TypeAlias = Request | Notification | Response | Error


def read(body: bytes) -> Message | tuple[Message, ...]:
    """The message that `body` spells, or the messages of a batch, which is never empty."""
    try:
        body.decode("utf-8")
        value = json_text.decode(json_text.mended(body))
    except ValueError:
        return Error(PARSE_ERROR, "the body is not JSON in UTF-8")
    if not isinstance(value, list):
        return _message(value)
    if not value:
        return Error(INVALID_REQUEST, "the batch is empty")
    return tuple(_message(each) for each in value)


def is_id(value: object) -> TypeGuard[Id]:
    """Returns True for a value that can be an id, or a progress token: a string or an integer of 64 bits."""
    if isinstance(value, str):
        return True
    return isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63


def result(id: Id, value: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to a request, before it is encoded."""
    return {"jsonrpc": "2.0", "id": id, "result": value}


def error(fault: Error) -> dict[str, Any]:
    """The answer that is an error, before it is encoded."""
    told: dict[str, Any] = {"code": fault.code, "message": fault.message}
    if fault.data is not None:
        told["data"] = fault.data
    return {"jsonrpc": "2.0", "id": fault.id, "error": told}


def notification(method: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """A notification of ours, before it is encoded."""
    return {"jsonrpc": "2.0", "method": method, "params": params}


def _message(value: object) -> Message:
    if not isinstance(value, dict):
        return Error(INVALID_REQUEST, "a message is a JSON object")
    id = value.get("id")
    known = id if is_id(id) else None
    if value.get("jsonrpc") != "2.0":
        return Error(INVALID_REQUEST, '`jsonrpc` must be "2.0"', known)
    if "method" not in value:
        if known is not None and ("result" in value) != ("error" in value):
            return Response()
        return Error(INVALID_REQUEST, "the message is no request, notification or response", known)
    method, params = value["method"], value.get("params", {})
    if not isinstance(method, str):
        return Error(INVALID_REQUEST, "`method` must be a string", known)
    if "id" in value and known is None:
        return Error(INVALID_REQUEST, "`id` must be a string or an integer of at most 64 bits")
    if not isinstance(params, dict):
        return Error(INVALID_PARAMS, "`params` must be an object", known)
    return Notification(method, params) if known is None else Request(known, method, params)
