"""The routes, as one literal table, and `match`, which finds a request's row.

Read `ROUTES` from top to bottom: it is the HTTP surface. docs/routes.md and `agcore routes` are printed from it, and
the authentication tests take their rows from it. Paths may hold four placeholders: `{version}` (one of `VERSIONS`),
`{collection}` (`models` or `tunedModels`), `{model}` (one or more segments, so that ids may contain slashes), `{name}`
(one segment) and `{rest}` (any number of segments, or none). A literal path belongs to its own rows, whatever the
method; no two rows match one request. Other forms of a path are made one of these before: see `path_forms`.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from agcore.codecs.request_target import RequestTarget
from agcore.dialects.base import PathParts
from agcore.protocol.http import Headers


class Route(msgspec.Struct, frozen=True):
    """One row of the surface."""

    row: str
    """The row's name in docs/routes.md: `O2`."""
    methods: tuple[str, ...]
    path: str
    dialect: str
    """Whose shapes its answers and errors have; `models` is decided by the request: see `models_dialect`."""
    operation: str
    """Name of what the route does, as `operations.OPERATIONS` has it."""
    what: str
    """One line for people."""
    later: str = ""
    """The part that is missing yet; empty for a route that works."""


class MatchedRoute(msgspec.Struct, frozen=True):
    """The row of a request and the values of its placeholders."""

    route: Route
    dialect: str
    """The row's dialect, with `models` resolved."""
    version: str = ""
    collection: str = "models"
    model: str = ""
    name: str = ""
    method: str = ""
    """What stands behind the model's last colon, if it looks like a method that no row has."""

    def parts(self, target: RequestTarget) -> PathParts:
        """The parts of path and query besides the route."""
        if not self.model:
            return PathParts(query=target.query)
        action = self.route.path.rpartition(":")[2]
        return PathParts(self.version, self.collection, self.model, action, target.query, self.method)


class NoMatch(msgspec.Struct, frozen=True):
    """No row fits; `allow` lists the methods that would, empty when the path is unknown."""

    dialect: str
    allow: tuple[str, ...] = ()


VERSIONS: Final = ("v1", "v1beta", "v1beta1", "v1alpha")
ANY: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_ALIKE: Final = 0.85
"""How alike a path and a row are where one may be meant for the other: a letter or two differ."""
_GET: Final = ("GET", "HEAD")
_POST: Final = ("POST",)

NOT_SERVED: Final = (
    # OpenAI's (https://platform.openai.com/docs/api-reference)
    *("files", "batches", "uploads", "conversations", "containers", "vector_stores", "videos", "realtime"),
    *("fine_tuning", "evals", "assistants", "threads", "chatkit", "organization", "projects", "live", "decisions"),
    *("safety", "content_provenance_checks", "webhook_endpoints", "webhook_event_types"),
    # Anthropic's (https://docs.anthropic.com/en/api), `files` among them
    *("skills", "sessions", "agents", "environments", "complete", "organizations", "vaults", "memory_stores", "dreams"),
    *("deployments", "deployment_runs", "tunnels", "user_profiles", "compliance"),
    # Google's (https://ai.google.dev/api), `files` and `batches` among them
    *("cachedContents", "interactions", "auth_tokens", "fileSearchStores", "corpora", "operations"),
)
"""Collections of the vendors that are not offered: 501 with words, in the shape of whose client asks."""

ROUTES: Final[tuple[Route, ...]] = (
    Route("O1", _GET, "/v1/models", "models", "list_models", "models, in the shape the request's headers ask for"),
    Route("O2", _POST, "/v1/chat/completions", "openai_chat", "generate", "Chat Completions"),
    Route("O3", _POST, "/v1/completions", "openai_completions", "generate", "legacy Completions"),
    Route("O4", _POST, "/v1/responses", "openai_responses", "respond", "Responses"),
    Route("O5", _POST, "/v1/images/generations", "openai_chat", "images", "image generation"),
    Route("O6", _POST, "/v1/images/edits", "openai_chat", "image_edits", "image edits"),
    Route("O7", _POST, "/v1/audio/transcriptions", "openai_chat", "transcribe", "transcription"),
    Route("A1", _POST, "/v1/messages", "anthropic", "generate", "Messages"),
    Route("A2", _POST, "/v1/messages/count_tokens", "anthropic", "count_tokens", "token count of a Messages request"),
    Route("A3", _GET, "/v1/models/claude", "anthropic", "list_models", "models, in Anthropic's shape"),
    Route("G1", _GET, "/v1beta/models", "gemini", "list_models", "models, in Gemini's shape, paged"),
    Route("G1", _GET, "/v1beta1/models", "gemini", "list_models", "the same"),
    Route("G1", _GET, "/v1alpha/models", "gemini", "list_models", "the same"),
    Route("G2", _GET, "/v1beta/models/{model}", "gemini", "get_model", "one model"),
    Route("G2", _GET, "/v1beta1/models/{model}", "gemini", "get_model", "the same"),
    Route("G2", _GET, "/v1alpha/models/{model}", "gemini", "get_model", "the same"),
    Route(
        "G3", _POST, "/{version}/{collection}/{model}", "gemini", "generate", "generateContent, when no action is named"
    ),
    Route("G3", _POST, "/{version}/{collection}/{model}:generateContent", "gemini", "generate", "generateContent"),
    Route(
        "G3",
        _POST,
        "/{version}/{collection}/{model}:streamGenerateContent",
        "gemini",
        "generate",
        "the same, streamed: SSE with `alt=sse`, else a JSON array",
    ),
    Route("G4", _POST, "/{version}/{collection}/{model}:countTokens", "gemini", "count_tokens", "token count"),
    Route("G4", _POST, "/{version}/{collection}/{model}/countTokens", "gemini", "count_tokens", "the same"),
    Route(
        "M",
        ANY,
        "/mcp/{name}/mcp",
        "mcp",
        "mcp",
        "MCP servers: web_search_prime, web_reader, zai-mcp-server, others",
    ),
    Route("+", _POST, "/mcp/{name}/messages", "mcp", "mcp_messages", "messages of MCP's older transport, HTTP+SSE"),
    # Open without a key unless the mode is `strict`, like the probes: a client reads it in order to get a token, and by
    # RFC 9728 it shows nothing for that. It says no more than the server says in public, and is asked without a key.
    Route(
        "+",
        _GET,
        "/.well-known/oauth-protected-resource/mcp/{name}/mcp",
        "openai_chat",
        "mcp_metadata",
        'OAuth metadata of an MCP server with auth = "client"',
    ),
    Route("I1", _POST, "/internal/warmup", "openai_chat", "warmup", "opens connections and checks keys"),
    Route("+", _GET, "/admin/api/status", "openai_chat", "admin_status", "keys, cooldowns, limits, what is under way"),
    Route("+", _POST, "/admin/api/reset", "openai_chat", "admin_reset", "forgets that a key, or any, is left alone"),
    Route("I2", _POST, "/v1/api/event_logging", "anthropic", "discard", "telemetry sink: read and forgotten"),
    Route("I2", _POST, "/v1/api/event_logging/batch", "anthropic", "discard", "the same"),
    Route("I2", _POST, "/api/event_logging", "anthropic", "discard", "the same"),
    Route("I2", _POST, "/api/event_logging/batch", "anthropic", "discard", "the same"),
    Route("I3", _GET, "/healthz", "openai_chat", "health", "liveness"),
    Route("I4", _POST, "/v1/models/detect", "openai_chat", "detect", "how a model name resolves"),
    Route("+", _GET, "/health", "openai_chat", "health", "as /healthz"),
    Route("+", _GET, "/readyz", "openai_chat", "ready", "503 while draining"),
    Route("+", _GET, "/", "openai_chat", "welcome", "what answers here: a page for browsers, text for others"),
    Route("+", _GET, "/api/hello", "openai_chat", "probe", "preconnect probe: 200, empty"),
    Route(
        "+", _GET, "/v1/models/{model}", "models", "get_model", "one model, in the shape the request's headers ask for"
    ),
    Route("+", _POST, "/v1/embeddings", "openai_chat", "embeddings", "embeddings"),
    Route("+", _POST, "/{version}/{collection}/{model}:embedContent", "gemini", "embeddings", "embedding"),
    Route("+", _POST, "/{version}/{collection}/{model}:batchEmbedContents", "gemini", "embeddings", "embeddings"),
    Route("+", _POST, "/{version}/{collection}/{model}:predict", "gemini", "media", "Imagen"),
    Route("+", _POST, "/v1/moderations", "openai_chat", "media", "moderations"),
    Route("+", _POST, "/v1/audio/speech", "openai_chat", "media", "speech"),
    Route("+", _POST, "/v1/audio/translations", "openai_chat", "transcribe", "audio translation"),
    Route(
        "+",
        _POST,
        "/v1/responses/input_tokens",
        "openai_responses",
        "count_tokens",
        "token count of a Responses request",
    ),
    Route("+", _POST, "/v1/responses/compact", "openai_responses", "compact", "compaction"),
    Route("+", ("GET", "DELETE"), "/v1/responses/{name}", "openai_responses", "stored_response", "a stored response"),
    Route("+", ("GET",), "/v1/responses/{name}/input_items", "openai_responses", "input_items", "its input, in pages"),
    Route(
        "+", _POST, "/v1/responses/{name}/cancel", "openai_responses", "cancel_response", "stop one in the background"
    ),
    Route("+", _GET, "/v1/responses", "openai_responses", "upgrade", "426: WebSocket is not served, clients fall back"),
    Route("+", _GET, "/metrics", "openai_chat", "later", "metrics", "metrics"),
    Route("+", ANY, "/v1/messages/batches/{rest}", "anthropic", "refuse", "501"),
    *(Route("+", ANY, f"/{{version}}/{each}/{{rest}}", "models", "refuse", "501") for each in NOT_SERVED),
    Route("+", ANY, "/upload/{version}/{rest}", "models", "refuse", "501"),
)

OPEN_PATHS: Final = frozenset({"/healthz", "/health", "/readyz", "/", "/api/hello"})
"""Liveness and preconnect probes: open to GET and HEAD unless the mode is `strict`, and free of the Host check."""


PROTECTED_RESOURCE: Final = "/.well-known/oauth-protected-resource"
"""Path of OAuth metadata of protected resources (RFC 9728 section 3.1)."""


def metadata_url(public_url: str, name: str) -> str:
    """The URL of an MCP server's OAuth metadata at this gateway, for a challenge (RFC 9728 section 5.1)."""
    return f"{public_url}{PROTECTED_RESOURCE}/mcp/{name}/mcp"


def nearest_path(path: str) -> str:
    """Returns the path of a row that `path` may be a slip of, without placeholders; empty for none."""
    # Imported here: a miss is rare, and difflib costs more to load than this module.
    from difflib import get_close_matches

    # The search is quadratic, and the path is a client's.
    near = get_close_matches(path[:80].lower(), [row.path for row in ROUTES if "{" not in row.path], 1, _ALIKE)
    return near[0] if near else ""


def is_admin(path: str) -> bool:
    """Returns True for the paths of those who run the gateway, which have a rule of their own for who comes in."""
    return path == "/admin" or path.startswith("/admin/")


def is_open(path: str) -> bool:
    """Returns True for a path open to GET and HEAD without a key, unless the mode is `strict`: probes and metadata."""
    if not path.startswith("/.well-known/"):
        return path in OPEN_PATHS
    *head, name, tail = path.split("/")
    return head == ["", ".well-known", "oauth-protected-resource", "mcp"] and name != "" and tail == "mcp"


_LITERAL: Final[dict[str, tuple[Route, ...]]] = {}
_PATTERNS: Final[list[tuple[tuple[str, ...], str, str, Route]]] = []
for _route in ROUTES:
    if "{" not in _route.path:
        _LITERAL[_route.path] = (*_LITERAL.get(_route.path, ()), _route)
    else:
        # A pattern is its segments before the model, the action after a colon, and a literal tail after the model.
        _path, _, _action = _route.path.partition(":")
        _head, _found, _tail = _path.partition("/{model}")
        _PATTERNS.append((tuple(_head.split("/")[1:]), _action, _tail if _found else "", _route))
_METHOD: Final = re.compile(r"[A-Za-z][a-z]+([A-Z][a-z0-9]*)+")
"""A method as Google writes it, `batchGenerateContent`. No tag of a model's name looks so."""
_ACTIONS: Final = frozenset(action for _, action, _, _ in _PATTERNS if action)


def match(method: str, target: RequestTarget, headers: Headers) -> MatchedRoute | NoMatch:
    """The row of a request, or `NoMatch`. `headers` only decide the dialect of shared paths, see `models_dialect`."""
    path = target.path
    allow: list[str] = []
    literal = _LITERAL.get(path, ())
    for route in literal:
        if method in route.methods:
            return MatchedRoute(route=route, dialect=_dialect(route, target, headers))
        allow.extend(route.methods)
    if literal:
        return NoMatch(dialect=dialect_of_path(target, headers), allow=tuple(allow))
    segments = path.split("/")[1:]
    for pattern, action, tail, route in _PATTERNS:
        found = _match_pattern(route, pattern, action, tail, segments)
        if found is not None:
            if method in route.methods:
                model, unknown = found.get("model", ""), ""
                if route.path.endswith("/{model}") and route.operation == "generate":
                    model, unknown = _split_method(model)
                return MatchedRoute(
                    route=route,
                    dialect=_dialect(route, target, headers),
                    version=found.get("version", segments[0]),
                    collection=found.get("collection", "models"),
                    model=model,
                    name=found.get("name", ""),
                    method=unknown,
                )
            allow.extend(method for method in route.methods if method not in allow)
    return NoMatch(dialect=dialect_of_path(target, headers), allow=tuple(dict.fromkeys(allow)))


def _match_pattern(
    route: Route, pattern: tuple[str, ...], action: str, tail: str, segments: list[str]
) -> dict[str, str] | None:
    found: dict[str, str] = {}
    rest = list(segments)
    for part in pattern:
        if part == "{rest}":
            return found
        if not rest:
            return None
        segment = rest.pop(0)
        if part == "{version}":
            if segment not in VERSIONS:
                return None
            found["version"] = segment
        elif part == "{collection}":
            if segment not in ("models", "tunedModels"):
                return None
            found["collection"] = segment
        elif part == "{name}":
            if not segment:
                return None
            found["name"] = segment
        elif part != segment:
            return None
    if "{model}" not in route.path:
        return None if rest else found
    text = "/".join(rest)
    stem, colon, last = text.rpartition(":")
    # An action is what stands behind the last colon, if it is one that we know: ids may hold colons themselves.
    named = last if colon and last in _ACTIONS else ""
    if named != action:
        return None
    model = stem if named else text
    if tail:
        if not model.endswith(tail):
            return None
        model = model[: -len(tail)]
    elif not action and model.endswith("/countTokens"):
        return None
    if not model or any(part in ("", ".", "..") for part in model.split("/")):
        return None
    found["model"] = model
    return found


def _split_method(model: str) -> tuple[str, str]:
    """A model's name, and the method that stands behind it; empty where nothing there looks like one."""
    stem, _, last = model.rpartition(":")
    return (stem, last) if stem and _METHOD.fullmatch(last) else (model, "")


def _dialect(route: Route, target: RequestTarget, headers: Headers) -> str:
    return models_dialect(target, headers) if route.dialect == "models" else route.dialect


_DIALECTS: Final = {"openai": "openai_chat", "anthropic": "anthropic", "gemini": "gemini"}
_AT_GOOGLE: Final = ("/v1beta", "/v1alpha", "/upload/")


def models_dialect(target: RequestTarget, headers: Headers) -> str:
    """The dialect of a path that vendors share, or `codex` (docs/wire/headers-and-auth.md#shared-model-paths)."""
    if target.vendor:
        return _DIALECTS[target.vendor]
    google = anthropic = False
    for name, value in headers:
        if name in (b"x-goog-api-key", b"x-goog-api-client"):
            google = True
        elif name == b"anthropic-version" or (name == b"user-agent" and value.startswith(b"claude-cli/")):
            anthropic = True
    keyed = target.key is not None and target.path.startswith("/v1/")
    if google or keyed or target.path.startswith(_AT_GOOGLE):
        return "gemini"
    if anthropic:
        return "anthropic"
    return "codex" if target.first("client_version") is not None else "openai_chat"


def dialect_of_path(target: RequestTarget, headers: Headers) -> str:
    """The dialect whose error shape a path gets, for requests that no row fits: by its prefix, else by the headers."""
    path = target.path
    if path == "/mcp" or path.startswith("/mcp/"):
        return "mcp"
    if path in ("/v1/messages", "/v1/models/claude") or path.startswith("/v1/messages/"):
        return "anthropic"
    if path.startswith("/v1/responses"):
        return "openai_responses"
    if path.startswith(("/v1/chat/", "/v1/completions")):
        return "openai_chat"
    if path.startswith(("/v1/models/", "/v1/tunedModels/")) and (":" in path or "tunedModels" in path):
        return "gemini"
    found = models_dialect(target, headers)
    return found if found != "codex" or path == "/v1/models" else "openai_chat"
