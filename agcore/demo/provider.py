"""The demo provider: answers every upstream dialect out of nothing, so that agcore can be tried without a key.

`demo_answer` is a pure function from a request to an answer with a pace: no model, no clock, no randomness, no state.
The same request always gets the same bytes. The function is total: any bytes get an answer, at worst an error in the
dialect's shape. An answer begins with `[agcore demo]`, names the model and the dialect, and repeats what was understood
of the request. It calls a tool that has to be called or that the user asks for, and quotes what the tool returned;
requests that ask for reasoning, JSON, vectors or token counts get them. `requests.py` reads the dialects, the modules
of answers write them.
"""

from __future__ import annotations

import base64
import hashlib
import math
import struct
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qs, unquote

import msgspec

from agcore.demo import anthropic_answers, fields, gemini_answers, openai_answers, requests, wire
from agcore.demo.fields import Refused
from agcore.demo.requests import Ask, Tool
from agcore.demo.wire import Call, Chunk, DemoAnswer, Json, Reply
from agcore.protocol.http import Headers

__all__ = ["MODEL", "Chunk", "DemoAnswer", "demo_answer"]

MODEL: Final = "agcore-demo"
"""The only model in the demo's lists; requests may name any."""

_TAG: Final = "[agcore demo]"
_MOST_ECHOED: Final = 200
_MOST_VALUES: Final = 1000
_MOST_DEPTH: Final = 32
_MOST_ITEMS: Final = 8
_DIMENSIONS: Final = 8
_MOST_DIMENSIONS: Final = 4096


# What is said

_FORMATS: Final = {
    "date": "2026-01-01",
    "date-time": "2026-01-01T00:00:00Z",
    "duration": "PT1S",
    "email": "demo@example.com",
    "ipv4": "127.0.0.1",
    "ipv6": "::1",
    "time": "00:00:00Z",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
_CONTAINERS: Final = {"properties": "object", "required": "object", "items": "array"}


class _Sampler:
    """Makes the smallest plausible value for a JSON Schema.

    Required members are filled in, and `$ref` is followed within the document; `pattern`, lengths and `not` are not
    tried. Depth and number of values are bounded, because references can make a short schema endless.
    """

    def __init__(self, root: Json) -> None:
        self._root = root
        self._left = _MOST_VALUES

    def value(self, schema: object, depth: int = 0) -> Any:
        """A value for `schema`, null for what is no schema or beyond the bounds."""
        self._left -= 1
        if not isinstance(schema, dict) or self._left < 0 or depth > _MOST_DEPTH:
            return None
        if isinstance(schema.get("$ref"), str):
            return self.value(self._resolve(schema["$ref"]), depth + 1)
        if "const" in schema:
            return schema["const"]
        # Beside properties the alternatives only vary them: the object itself is the better start.
        for keyword in ("enum",) if "properties" in schema else ("enum", "anyOf", "oneOf", "allOf"):
            choices = schema.get(keyword)
            if isinstance(choices, list) and choices:
                return choices[0] if keyword == "enum" else self.value(choices[0], depth + 1)
        return self._typed(_type(schema), schema, depth)

    def _typed(self, kind: str, schema: Json, depth: int) -> Any:
        match kind:
            case "object":
                return self._members(schema, depth)
            case "array":
                least = schema.get("minItems")
                size = min(least, _MOST_ITEMS) if isinstance(least, int) else 0
                return [self.value(schema.get("items"), depth + 1) for _ in range(size)]
            case "number" | "integer":
                return _number(schema)
            case "boolean":
                return True
            case "null":
                return None
        form = schema.get("format")
        return _FORMATS.get(form, "demo") if isinstance(form, str) else "demo"

    def _members(self, schema: Json, depth: int) -> Json:
        properties = schema.get("properties")
        required = schema.get("required")
        known = properties if isinstance(properties, dict) else {}
        names = [name for name in required if isinstance(name, str)] if isinstance(required, list) else []
        return {name: self.value(known.get(name, {}), depth + 1) for name in names}

    def _resolve(self, reference: str) -> object:
        found: object = self._root
        for step in reference.removeprefix("#").split("/")[1:]:
            key = unquote(step).replace("~1", "/").replace("~0", "~")
            found = found.get(key) if isinstance(found, dict) else None
        return found


def _type(schema: Json) -> str:
    """The type that a schema names first, in lower case, or the one that its keywords imply."""
    named = schema.get("type")
    kinds = [kind for kind in (named if isinstance(named, list) else [named]) if isinstance(kind, str)]
    if kinds:
        return kinds[0].lower()
    return next((kind for keyword, kind in _CONTAINERS.items() if keyword in schema), "string")


def _number(schema: Json) -> int | float:
    """The number 1, or the bound that is nearest to 1."""
    least, most = schema.get("minimum"), schema.get("maximum")
    if isinstance(least, int | float) and least > 1:
        return least
    if isinstance(most, int | float) and most < 1:
        return most
    return 1


def _echo(text: str) -> str:
    text = text.strip()
    return text if len(text) <= _MOST_ECHOED else text[:_MOST_ECHOED].rstrip() + "…"


def _text(ask: Ask) -> str:
    told = f"{_TAG} This is {ask.model} over {ask.wire.value}."
    if ask.result is not None:
        return f"{told} The tool returned: {_echo(ask.result)}"
    return f"{told} You said: {_echo(ask.said)}"


def _call(tool: Tool) -> Call:
    if tool.custom:
        return Call(tool.name, "demo", tool.namespace)
    arguments = _Sampler(tool.schema).value(tool.schema)
    return Call(tool.name, arguments if isinstance(arguments, dict) else {}, tool.namespace)


def _reply(ask: Ask, seed: str) -> Reply:
    """Decide what to say, and cut it where the client's token limit ends it: first reasoning, then the rest."""
    call = _call(ask.tool) if ask.tool and ask.result is None else None
    reasoning = "Reasoning was asked for. "
    if call:
        reasoning, text = f"{reasoning}A tool is offered, so it is called: {call.name}.", ""
    elif ask.schema is not None:
        reasoning += "The answer is JSON."
        text = wire.encode(_Sampler(ask.schema).value(ask.schema) if ask.schema else {"demo": _text(ask)})
    else:
        reasoning, text = f"{reasoning}The answer is text.", _text(ask)
    thought = wire.words(reasoning) if ask.reasoning else []
    said = wire.words(text)
    needed = len(thought) + len(said) + (call.tokens if call else 0)
    room = needed if ask.limit is None else ask.limit
    cut = room < needed
    return Reply(
        seed=seed,
        model=ask.model,
        prompt_tokens=ask.prompt_tokens,
        reasoning="".join(thought[:room]),
        text="".join(said[: max(room - len(thought), 0)]),
        call=None if cut else call,
        cut=cut,
    )


# Who answers what


class _Request(msgspec.Struct, frozen=True):
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[bytes, bytes]
    body: bytes
    seed: str

    def json(self) -> Json:
        """Decode the body, which must be an object."""
        try:
            body = msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Refused(f"The body is not valid JSON: {error}") from None
        if not isinstance(body, dict):
            raise Refused("The body must be a JSON object.")
        return body

    @property
    def identity(self) -> Headers:
        """The request-id header of OpenAI's and Anthropic's answers."""
        name = b"request-id" if _family(self) == "anthropic" else b"x-request-id"
        return ((name, f"req_{self.seed[:24]}".encode()),)


def _family(request: _Request) -> str:
    """Name the vendor whose error shape and lists a path, or on `/v1/models` the headers, ask for."""
    path, headers = request.path, request.headers
    if path.startswith("/v1/messages"):
        return "anthropic"
    if path.startswith(("/v1beta/", "/v1alpha/", "/v1beta1/", "/v1/models/", "/v1/tunedModels/")):
        return "gemini"
    if path == "/v1/models":
        if b"x-goog-api-key" in headers or b"x-goog-api-client" in headers or "key" in request.query:
            return "gemini"
        if b"anthropic-version" in headers:
            return "anthropic"
    return "openai"


def _chat(request: _Request) -> DemoAnswer:
    ask = requests.read_chat(request.json())
    replies = [_reply(ask, request.seed)] * ask.count
    if ask.stream:
        steps = openai_answers.chat_events(replies, include_usage=ask.include_usage)
        return wire.data_stream(steps, request.identity)
    return wire.whole(200, openai_answers.chat(replies), request.identity)


def _completions(request: _Request) -> DemoAnswer:
    asks = requests.read_completions(request.json())
    replies = [reply for ask in asks for reply in [_reply(ask, request.seed)] * ask.count]
    if asks[0].stream:
        steps = openai_answers.completions_events(replies, include_usage=asks[0].include_usage)
        return wire.data_stream(steps, request.identity)
    return wire.whole(200, openai_answers.completions(replies), request.identity)


def _responses(request: _Request) -> DemoAnswer:
    body = request.json()
    ask = requests.read_responses(body)
    reply, encrypted = _reply(ask, request.seed), requests.wants_encrypted(body)
    if ask.stream:
        return wire.named_stream(openai_answers.responses_events(reply, body, encrypted=encrypted), request.identity)
    return wire.whole(200, openai_answers.responses(reply, body, encrypted=encrypted), request.identity)


def _messages(request: _Request) -> DemoAnswer:
    ask = requests.read_messages(request.json())
    reply = _reply(ask, request.seed)
    if ask.stream:
        return wire.named_stream(anthropic_answers.messages_events(reply), request.identity)
    return wire.whole(200, anthropic_answers.messages(reply), request.identity)


def _responses_tokens(request: _Request) -> DemoAnswer:
    count = fields.tokens(request.json(), *requests.RESPONSES_INPUT)
    return wire.whole(200, {"object": "response.input_tokens", "input_tokens": count}, request.identity)


def _messages_tokens(request: _Request) -> DemoAnswer:
    count = fields.tokens(request.json(), *requests.MESSAGES_INPUT)
    return wire.whole(200, {"input_tokens": count}, request.identity)


def _vector(text: str, size: int) -> bytes:
    """A unit vector that depends on nothing but the text, as little-endian 32-bit floats."""
    seed = hashlib.blake2s(text.encode()).digest()
    blocks = (hashlib.blake2s(seed + struct.pack("<I", at)).digest() for at in range(-(-size // 8)))
    values = [(number + 0.5) / 2**31 - 1 for number in struct.unpack(f"<{-(-size // 8) * 8}I", b"".join(blocks))][:size]
    length = math.sqrt(math.fsum(value * value for value in values))
    return struct.pack(f"<{size}f", *(value / length for value in values))


def _embeddings(request: _Request) -> DemoAnswer:
    body = request.json()
    embed = requests.read_embeddings(body, usual=_DIMENSIONS, most=_MOST_DIMENSIONS)
    data: list[Json] = []
    for index, text in enumerate(embed.texts):
        packed = _vector(text, embed.size)
        vector = base64.b64encode(packed).decode() if embed.base64 else list(struct.unpack(f"<{embed.size}f", packed))
        data.append({"object": "embedding", "index": index, "embedding": vector})
    count = fields.tokens(body, "input")
    usage = {"prompt_tokens": count, "total_tokens": count}
    payload = {"object": "list", "data": data, "model": embed.model, "usage": usage}
    return wire.whole(200, payload, request.identity)


def _models(request: _Request) -> DemoAnswer:
    match _family(request):
        case "gemini":
            actions = ["generateContent", "countTokens"]
            named: Json = {"name": f"models/{MODEL}", "version": "1", "displayName": "agcore demo"}
            named |= {"inputTokenLimit": 1_000_000, "outputTokenLimit": 65_536, "supportedGenerationMethods": actions}
            return wire.whole(200, {"models": [named]})
        case "anthropic":
            model: Json = {
                "type": "model",
                "id": MODEL,
                "display_name": "agcore demo",
                "created_at": "2026-01-01T00:00:00Z",
            }
            return wire.whole(200, {"data": [model], "has_more": False, "first_id": MODEL, "last_id": MODEL})
    model = {"id": MODEL, "object": "model", "created": wire.CREATED, "owned_by": "agcore"}
    return wire.whole(200, {"object": "list", "data": [model]}, request.identity)


def _gemini(request: _Request) -> DemoAnswer:
    """Answer `POST /VERSION/models/MODEL:ACTION`."""
    version, kind, name = request.path.split("/", 3)[1:]
    model, _, action = unquote(name).rpartition(":")
    if version not in ("v1", "v1beta", "v1alpha", "v1beta1") or kind not in ("models", "tunedModels") or not model:
        return _missing(request)
    match action:
        case "generateContent" | "streamGenerateContent":
            ask = requests.read_gemini(request.json(), model, stream=action == "streamGenerateContent")
            reply = _reply(ask, request.seed)
            if ask.stream:
                return wire.gemini_stream(gemini_answers.gemini_events(reply, count=ask.count), sse=_sse(request))
            return wire.whole(200, gemini_answers.gemini(reply, count=ask.count))
        case "countTokens":
            return wire.whole(200, {"totalTokens": requests.gemini_tokens(request.json())})
    return _missing(request)


def _sse(request: _Request) -> bool:
    return request.query.get("alt") == ["sse"]


def _missing(request: _Request) -> DemoAnswer:
    raise Refused(f"The demo does not serve {request.path[:_MOST_ECHOED]}.", status=404)


_ROUTES: Final[Mapping[tuple[str, str], Callable[[_Request], DemoAnswer]]] = {
    ("POST", "/v1/chat/completions"): _chat,
    ("POST", "/v1/completions"): _completions,
    ("POST", "/v1/responses"): _responses,
    ("POST", "/v1/responses/input_tokens"): _responses_tokens,
    ("POST", "/v1/messages"): _messages,
    ("POST", "/v1/messages/count_tokens"): _messages_tokens,
    ("POST", "/v1/embeddings"): _embeddings,
    ("GET", "/v1/models"): _models,
    ("GET", "/v1beta/models"): _models,
}


def _route(method: str, path: str) -> Callable[[_Request], DemoAnswer]:
    if method == "POST" and path.count("/") >= 3 and ":" in unquote(path):
        return _gemini
    return _ROUTES.get((method, path), _missing)


def _error(request: _Request, refused: Refused) -> DemoAnswer:
    """Write a refusal as the vendor of the request's path would."""
    status, message, missing = refused.status, refused.message, refused.status == 404
    match _family(request):
        case "anthropic":
            error: Json = {"type": "not_found_error" if missing else "invalid_request_error", "message": message}
            if refused.details:
                error["details"] = refused.details
            payload: Json = {"type": "error", "error": error, "request_id": f"req_{request.seed[:24]}"}
            return wire.whole(status, payload, request.identity)
        case "gemini":
            payload = {
                "error": {"code": status, "message": message, "status": "NOT_FOUND" if missing else "INVALID_ARGUMENT"}
            }
            growing = ":streamGenerateContent" in unquote(request.path) and not _sse(request)
            return wire.whole(status, [payload] if growing else payload)
    error = {"message": message, "type": "invalid_request_error", "param": refused.param, "code": refused.code}
    return wire.whole(status, {"error": error}, request.identity)


def demo_answer(method: str, target: bytes, headers: Headers, body: bytes) -> DemoAnswer:
    """Answer one request to the demo provider.

    Args:
        method: Upper case, as sent.
        target: Path and query as they stood in the request line.
        headers: Names in lower case; they decide only whose model list `GET /v1/models` is.
        body: The complete request body.

    Returns:
        The answer with its pace. It never raises: what cannot be understood is a 400 and what is not served a 404, in
        the error shape of the vendor to whom the path belongs.
    """
    path, _, query = target.decode("latin-1").partition("?")
    seed = hashlib.blake2s(body).hexdigest()
    request = _Request(path, parse_qs(query), dict(headers), body, seed)
    try:
        return _route(method, path)(request)
    except Refused as refused:
        return _error(request, refused)
    except RecursionError:
        # The depth that the JSON decoder takes may still be too much for the encoder, one or two levels further down.
        return _error(request, Refused("The JSON is nested too deeply."))
