"""The HTTP surface: which row a request belongs to, and what its path says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from agcore.codecs.request_target import RequestTarget, parse
from agcore.ingress.path_forms import canonical
from agcore.ingress.routes import ANY, NOT_SERVED, ROUTES, VERSIONS, MatchedRoute, NoMatch, match, nearest_path
from agcore.operations import OPERATIONS, operation
from agcore.operations.base import BaseOperation
from agcore.operations.stored_responses import Stored
from agcore.operations.task import Task
from agcore.protocol.fault import Fault
from agcore.protocol.http import Headers

GOOGLE_KEY: Final[Headers] = ((b"x-goog-api-key", b"k"),)
GOOGLE_CLIENT: Final[Headers] = ((b"x-goog-api-client", b"google-genai-sdk/2.19"),)
ANTHROPIC: Final[Headers] = ((b"anthropic-version", b"2023-06-01"),)
CLAUDE_CODE: Final[Headers] = ((b"user-agent", b"claude-cli/2.1.0 (external, cli)"),)


def parsed(target: str) -> RequestTarget:
    found = parse(target.encode())
    assert not isinstance(found, Fault), found
    return found


def route(method: str, target: str, headers: Headers = ()) -> MatchedRoute | NoMatch:
    return match(method, parsed(target), headers)


def matched(method: str, target: str, headers: Headers = ()) -> MatchedRoute:
    found = route(method, target, headers)
    assert isinstance(found, MatchedRoute), f"{method} {target}: {found}"
    return found


def missed(method: str, target: str, headers: Headers = ()) -> NoMatch:
    found = route(method, target, headers)
    assert isinstance(found, NoMatch), f"{method} {target}: {found}"
    return found


# What each row of docs/routes.md must do, written by hand.
GOLDEN: Final[Sequence[tuple[str, str, str, str, str]]] = (
    ("GET", "/v1/models", "O1", "openai_chat", "list_models"),
    ("HEAD", "/v1/models", "O1", "openai_chat", "list_models"),
    ("POST", "/v1/chat/completions", "O2", "openai_chat", "generate"),
    ("POST", "/v1/completions", "O3", "openai_completions", "generate"),
    ("POST", "/v1/responses", "O4", "openai_responses", "respond"),
    ("POST", "/v1/images/generations", "O5", "openai_chat", "images"),
    ("POST", "/v1/images/edits", "O6", "openai_chat", "image_edits"),
    ("POST", "/v1/audio/transcriptions", "O7", "openai_chat", "transcribe"),
    ("POST", "/v1/messages", "A1", "anthropic", "generate"),
    ("POST", "/v1/messages?beta=true", "A1", "anthropic", "generate"),
    ("POST", "/v1/messages/count_tokens", "A2", "anthropic", "count_tokens"),
    ("POST", "/v1/messages/count_tokens?beta=true", "A2", "anthropic", "count_tokens"),
    ("GET", "/v1/models/claude", "A3", "anthropic", "list_models"),
    ("GET", "/v1beta/models", "G1", "gemini", "list_models"),
    ("GET", "/v1beta/models?pageSize=5&pageToken=x", "G1", "gemini", "list_models"),
    ("GET", "/v1beta1/models", "G1", "gemini", "list_models"),
    ("GET", "/v1alpha/models", "G1", "gemini", "list_models"),
    ("GET", "/v1beta/models/gemini-3-flash", "G2", "gemini", "get_model"),
    ("GET", "/v1beta1/models/gemini-3-flash", "G2", "gemini", "get_model"),
    ("GET", "/v1alpha/models/gemini-3-flash", "G2", "gemini", "get_model"),
    ("POST", "/v1beta/models/gemini-3-flash", "G3", "gemini", "generate"),
    ("POST", "/v1beta/models/gemini-3-flash:generateContent", "G3", "gemini", "generate"),
    ("POST", "/v1beta/models/gemini-3-flash:streamGenerateContent", "G3", "gemini", "generate"),
    ("POST", "/v1beta/models/gemini-3-flash:streamGenerateContent?alt=sse", "G3", "gemini", "generate"),
    ("POST", "/v1/models/gemini-3-flash:generateContent", "G3", "gemini", "generate"),
    ("POST", "/v1beta1/models/gemini-3-flash:generateContent", "G3", "gemini", "generate"),
    ("POST", "/v1alpha/models/gemini-3-flash:streamGenerateContent", "G3", "gemini", "generate"),
    ("POST", "/v1beta/tunedModels/mine:generateContent", "G3", "gemini", "generate"),
    ("POST", "/v1beta/models/gemini-3-flash/countTokens", "G4", "gemini", "count_tokens"),
    ("POST", "/v1beta/models/gemini-3-flash:countTokens", "G4", "gemini", "count_tokens"),
    ("POST", "/v1/tunedModels/mine:countTokens", "G4", "gemini", "count_tokens"),
    ("POST", "/mcp/web_search_prime/mcp", "M", "mcp", "mcp"),
    ("GET", "/mcp/web_reader/mcp", "M", "mcp", "mcp"),
    ("DELETE", "/mcp/zai-mcp-server/mcp", "M", "mcp", "mcp"),
    ("PATCH", "/mcp/web_reader/mcp", "M", "mcp", "mcp"),
    ("POST", "/mcp/another/mcp", "M", "mcp", "mcp"),
    ("POST", "/mcp/another/messages?to=00", "+", "mcp", "mcp_messages"),
    ("GET", "/.well-known/oauth-protected-resource/mcp/another/mcp", "+", "openai_chat", "mcp_metadata"),
    ("POST", "/internal/warmup", "I1", "openai_chat", "warmup"),
    ("GET", "/admin/api/status", "+", "openai_chat", "admin_status"),
    ("POST", "/admin/api/reset", "+", "openai_chat", "admin_reset"),
    ("POST", "/v1/api/event_logging", "I2", "anthropic", "discard"),
    ("POST", "/v1/api/event_logging/batch", "I2", "anthropic", "discard"),
    ("POST", "/api/event_logging", "I2", "anthropic", "discard"),
    ("POST", "/api/event_logging/batch", "I2", "anthropic", "discard"),
    ("GET", "/healthz", "I3", "openai_chat", "health"),
    ("POST", "/v1/models/detect", "I4", "openai_chat", "detect"),
    ("GET", "/health", "+", "openai_chat", "health"),
    ("GET", "/readyz", "+", "openai_chat", "ready"),
    ("HEAD", "/", "+", "openai_chat", "welcome"),
    ("HEAD", "/api/hello", "+", "openai_chat", "probe"),
    ("GET", "/api/hello", "+", "openai_chat", "probe"),
    ("GET", "/v1/models/gpt-5", "+", "openai_chat", "get_model"),
    ("POST", "/v1/embeddings", "+", "openai_chat", "embeddings"),
    ("POST", "/v1beta/models/embedder:embedContent", "+", "gemini", "embeddings"),
    ("POST", "/v1beta/models/embedder:batchEmbedContents", "+", "gemini", "embeddings"),
    ("POST", "/v1beta/models/imagen-4:predict", "+", "gemini", "media"),
    ("POST", "/v1/moderations", "+", "openai_chat", "media"),
    ("POST", "/v1/audio/speech", "+", "openai_chat", "media"),
    ("POST", "/v1/audio/translations", "+", "openai_chat", "transcribe"),
    ("POST", "/v1/responses/input_tokens", "+", "openai_responses", "count_tokens"),
    ("POST", "/v1/responses/compact", "+", "openai_responses", "compact"),
    ("POST", "/v1/responses/{name}/cancel", "+", "openai_responses", "cancel_response"),
    ("GET", "/v1/responses/resp_1", "+", "openai_responses", "stored_response"),
    ("DELETE", "/v1/responses/resp_1", "+", "openai_responses", "stored_response"),
    ("GET", "/v1/responses/resp_1/input_items", "+", "openai_responses", "input_items"),
    ("GET", "/v1/responses", "+", "openai_responses", "upgrade"),
    ("GET", "/metrics", "+", "openai_chat", "later"),
    ("POST", "/v1/messages/batches", "+", "anthropic", "refuse"),
    ("GET", "/v1/messages/batches/msgbatch_1/results", "+", "anthropic", "refuse"),
    *(("GET", f"/v1/{each}", "+", "openai_chat", "refuse") for each in NOT_SERVED),
    *(("DELETE", f"/v1/{each}/id_1", "+", "openai_chat", "refuse") for each in NOT_SERVED),
    ("POST", "/v1/realtime/sessions", "+", "openai_chat", "refuse"),
    ("POST", "/v1/conversations/conv_1/items", "+", "openai_chat", "refuse"),
    ("GET", "/v1beta/cachedContents/x", "+", "gemini", "refuse"),
    ("POST", "/v1alpha/auth_tokens", "+", "gemini", "refuse"),
    ("POST", "/upload/v1beta/files", "+", "gemini", "refuse"),
)


@pytest.mark.parametrize(("method", "target", "row", "dialect", "operation"), GOLDEN)
def test_a_request_of_the_published_surface_finds_its_row(
    method: str, target: str, row: str, dialect: str, operation: str
) -> None:
    found = matched(method, target)
    assert (found.route.row, found.dialect, found.route.operation) == (row, dialect, operation)


def test_every_row_has_a_golden_request() -> None:
    golden = {id(matched(method, target).route) for method, target, *_ in GOLDEN}
    assert [route for route in ROUTES if id(route) not in golden] == []


def test_every_operation_of_the_table_exists() -> None:
    # Which MCP servers are built in, the configuration says.
    assert {route.operation for route in ROUTES} == {*OPERATIONS} - {"mcp_server"}
    for name in OPERATIONS:
        kind = operation(name)
        assert isinstance(kind, Task | Stored) or (isinstance(kind, type) and issubclass(kind, BaseOperation))


def test_what_is_not_there_yet_says_what_it_needs() -> None:
    for each in ROUTES:
        assert bool(each.later) == (each.operation == "later"), each


def test_every_row_of_the_published_surface_is_in_the_table() -> None:
    published = {
        "O1": {"/v1/models"},
        "O2": {"/v1/chat/completions"},
        "O3": {"/v1/completions"},
        "O4": {"/v1/responses"},
        "O5": {"/v1/images/generations"},
        "O6": {"/v1/images/edits"},
        "O7": {"/v1/audio/transcriptions"},
        "A1": {"/v1/messages"},
        "A2": {"/v1/messages/count_tokens"},
        "A3": {"/v1/models/claude"},
        "G1": {"/v1beta/models", "/v1beta1/models", "/v1alpha/models"},
        "G2": {"/v1beta/models/{model}", "/v1beta1/models/{model}", "/v1alpha/models/{model}"},
        "G3": {
            "/{version}/{collection}/{model}",
            "/{version}/{collection}/{model}:generateContent",
            "/{version}/{collection}/{model}:streamGenerateContent",
        },
        "G4": {"/{version}/{collection}/{model}/countTokens", "/{version}/{collection}/{model}:countTokens"},
        "M": {"/mcp/{name}/mcp"},
        "I1": {"/internal/warmup"},
        "I2": {
            "/v1/api/event_logging",
            "/v1/api/event_logging/batch",
            "/api/event_logging",
            "/api/event_logging/batch",
        },
        "I3": {"/healthz"},
        "I4": {"/v1/models/detect"},
    }
    table: dict[str, set[str]] = {}
    for each in ROUTES:
        table.setdefault(each.row, set()).add(each.path)
    del table["+"]
    assert table == published


# Names inside paths.


@pytest.mark.parametrize(
    ("target", "model"),
    [
        ("/v1beta/models/gemini-3.1-pro:generateContent", "gemini-3.1-pro"),
        ("/v1beta/models/zai/glm-4.6:generateContent", "zai/glm-4.6"),
        ("/v1beta/models/zai%2Fglm-4.6:generateContent", "zai/glm-4.6"),
        ("/v1beta/models/a/b/c:generateContent", "a/b/c"),
        ("/v1beta/models/claude@20250101:generateContent", "claude@20250101"),
        ("/v1beta/models/claude%4020250101:generateContent", "claude@20250101"),
        ("/v1beta/models/gemini-3-flash%3AgenerateContent", "gemini-3-flash"),
        ("/v1beta/models/gemini-3-flash%3agenerateContent", "gemini-3-flash"),
        ("/v1beta/models/ollama/llama3:8b:generateContent", "ollama/llama3:8b"),
        ("/v1beta/models/llama3%3A8b%3AgenerateContent", "llama3:8b"),
        ("/v1beta/models/llama3:8b", "llama3:8b"),
        ("/v1beta/models/x:generateContent:generateContent", "x:generateContent"),
        ("/v1beta/models/x:countTokens:generateContent", "x:countTokens"),
        ("/v1beta/models/x/countTokens:generateContent", "x/countTokens"),
        ("/v1beta/models/countTokens", "countTokens"),
        ("/v1beta/models/generateContent", "generateContent"),
        ("/v1beta/models/models/x:generateContent", "models/x"),
        ("/v1beta/models/gemini%20mine:generateContent", "gemini mine"),
        ("/v1beta/models/m%C3%BCller:generateContent", "m\u00fcller"),
        ("/v1beta/models/%2525:generateContent", "%25"),
        ("/v1beta/models/...:generateContent", "..."),
        ("/v1beta/models/x+y:generateContent", "x+y"),
    ],
)
def test_a_model_id_is_what_stands_before_the_last_colon_with_an_action(target: str, model: str) -> None:
    found = matched("POST", target)
    assert (found.route.row, found.route.operation, found.model) == ("G3", "generate", model)


@pytest.mark.parametrize(
    ("target", "model"),
    [
        ("/v1beta/models/a/b/countTokens", "a/b"),
        ("/v1beta/models/a/b:countTokens", "a/b"),
        ("/v1beta/models/a%2Fb%3AcountTokens", "a/b"),
        ("/v1beta/models/llama3:8b/countTokens", "llama3:8b"),
        ("/v1beta/models/llama3:8b:countTokens", "llama3:8b"),
        ("/v1beta/models/countTokens/countTokens", "countTokens"),
    ],
)
def test_a_token_count_is_spelled_with_a_colon_or_a_slash(target: str, model: str) -> None:
    found = matched("POST", target)
    assert (found.route.row, found.model) == ("G4", model)


@pytest.mark.parametrize("version", ["v1", "v1beta", "v1beta1", "v1alpha"])
@pytest.mark.parametrize("collection", ["models", "tunedModels"])
def test_version_and_collection_are_kept_for_the_upstream(version: str, collection: str) -> None:
    found = matched("POST", f"/{version}/{collection}/x:generateContent")
    assert (found.version, found.collection, found.model) == (version, collection, "x")


def test_get_model_keeps_the_version_it_was_asked_in() -> None:
    assert matched("GET", "/v1beta1/models/x").version == "v1beta1"


@pytest.mark.parametrize("target", ["/v1/models/x", "/v1beta/models/x"])
@pytest.mark.parametrize("model", ["zai/glm-4.6", "llama3:8b", "a.b", "a@b", "a:unknownAction"])
def test_one_model_is_found_by_any_id(target: str, model: str) -> None:
    found = matched("GET", target.removesuffix("x") + model)
    assert (found.route.operation, found.model) == ("get_model", model)


@pytest.mark.parametrize("action", ["generatecontent", "8b", "latest", "instruct-q4_K_M", "free", "F16", ""])
def test_what_looks_like_no_method_belongs_to_the_id(action: str) -> None:
    found = matched("POST", f"/v1beta/models/x:{action}")
    assert (found.route.path, found.model, found.method) == ("/{version}/{collection}/{model}", f"x:{action}", "")


@pytest.mark.parametrize("method", ["batchGenerateContent", "asyncBatchEmbedContent", "GenerateContent"])
@pytest.mark.parametrize("model", ["x", "llama3:8b", "a/b"])
def test_a_method_that_no_row_has_is_no_part_of_the_id(method: str, model: str) -> None:
    found = matched("POST", f"/v1beta/models/{model}:{method}")
    assert (found.route.operation, found.model, found.method) == ("generate", model, method)
    assert found.parts(parsed("/v1beta/models/x")).method == method


OTHER_FORMS = {
    "/v1/v1/models": ("/v1/models", ""),
    "/v1/v1/models/x:generateContent": ("/v1/models/x:generateContent", ""),
    "/v1/v1": ("/v1/v1", ""),
    "/v1beta/v1beta/models/x:generateContent": ("/v1beta/models/x:generateContent", ""),
    "/v1/v1beta/models": ("/v1beta/models", ""),
    "/v1beta/v1/chat/completions": ("/v1/chat/completions", ""),
    "/v1/v1/v1/models": ("/v1/v1/models", ""),
    "/gemini/v1beta/v1beta/models": ("/v1beta/models", "gemini"),
    "/chat/completions": ("/v1/chat/completions", ""),
    "/completions": ("/v1/completions", ""),
    "/responses": ("/v1/responses", ""),
    "/responses/resp_1/input_items": ("/v1/responses/resp_1/input_items", ""),
    "/messages": ("/v1/messages", ""),
    "/messages/count_tokens": ("/v1/messages/count_tokens", ""),
    "/models": ("/v1/models", ""),
    "/models/gemini-3:generateContent": ("/v1/models/gemini-3:generateContent", ""),
    "/embeddings": ("/v1/embeddings", ""),
    "/images/generations": ("/v1/images/generations", ""),
    "/audio/speech": ("/v1/audio/speech", ""),
    "/openai/v1/chat/completions": ("/v1/chat/completions", "openai"),
    "/openai/chat/completions": ("/v1/chat/completions", "openai"),
    "/openai/v1/v1/responses": ("/v1/responses", "openai"),
    "/openai/deployments/gpt-5/chat/completions": ("/v1/chat/completions", "openai"),
    "/openai/deployments/gpt-5": ("/", "openai"),
    "/anthropic/v1/messages": ("/v1/messages", "anthropic"),
    "/anthropic//v1/messages": ("/v1/messages", "anthropic"),
    "/openai//chat/completions": ("/v1/chat/completions", "openai"),
    "/anthropic/v1/models": ("/v1/models", "anthropic"),
    "/anthropic/messages": ("/v1/messages", "anthropic"),
    "/gemini/v1beta/models/x:generateContent": ("/v1beta/models/x:generateContent", "gemini"),
    "/gemini/v1/models": ("/v1/models", "gemini"),
    "/gemini": ("/", "gemini"),
    "/v1beta/openai/chat/completions": ("/v1/chat/completions", "openai"),
    "/v1beta/openai": ("/v1", "openai"),
    "/gemini/v1beta/openai/models": ("/v1/models", "openai"),
    "/v1/chat/completions": ("/v1/chat/completions", ""),
    "/openaix/v1/models": ("/openaix/v1/models", ""),
    "/modelsx": ("/modelsx", ""),
    "/": ("/", ""),
    "*": ("*", ""),
}


@pytest.mark.parametrize(("path", "expected"), OTHER_FORMS.items())
def test_other_forms_of_a_path_mean_the_same_route(path: str, expected: tuple[str, str]) -> None:
    found = canonical(parsed(path))
    assert (found.path, found.vendor) == expected


@pytest.mark.parametrize(
    ("path", "dialect"),
    [("/anthropic/v1/models", "anthropic"), ("/gemini/v1/models", "gemini"), ("/openai/v1/models", "openai_chat")],
)
def test_the_vendor_in_front_of_a_shared_path_decides_its_shape(path: str, dialect: str) -> None:
    assert match("GET", canonical(parsed(path)), ((b"x-goog-api-key", b"k"),)).dialect == dialect


SHAPES: list[tuple[tuple[bytes, bytes], str]] = [
    ((b"x-goog-api-key", b"k"), "gemini"),
    ((b"x-goog-api-client", b"google-genai-sdk/3.6"), "gemini"),
    ((b"anthropic-version", b"2023-06-01"), "anthropic"),
    ((b"authorization", b"Bearer k"), "openai_chat"),
]


@pytest.mark.parametrize(("header", "dialect"), SHAPES)
@pytest.mark.parametrize("path", ["/v1/files/file_1", "/v1/skills", "/v1/nowhere", "/nowhere", "/v1/batches", "/v1"])
def test_what_is_not_served_is_refused_in_the_shape_of_who_asks(
    path: str, header: tuple[bytes, bytes], dialect: str
) -> None:
    assert match("GET", parsed(path), (header,)).dialect == dialect


def test_the_streaming_action_has_a_row_of_its_own() -> None:
    assert matched("POST", "/v1beta/models/x:streamGenerateContent").route.path.endswith(":streamGenerateContent")


@pytest.mark.parametrize("name", ["web_search_prime", "web_reader", "zai-mcp-server", "x.y", "a%20b"])
def test_an_mcp_server_is_named_by_one_segment(name: str) -> None:
    assert matched("POST", f"/mcp/{name}/mcp").name == name.replace("%20", " ")


@pytest.mark.parametrize("target", ["/mcp", "/mcp/x", "/mcp//mcp", "/mcp/a/b/mcp", "/mcp/x/mcp/more", "/mcp/x/sse"])
def test_other_paths_below_mcp_are_unknown(target: str) -> None:
    assert missed("POST", target) == NoMatch("mcp")


# Spellings of a path.


@pytest.mark.parametrize("target", ["/v1/models/", "/v1/models//", "/v1/models/?limit=2"])
def test_trailing_slashes_are_accepted(target: str) -> None:
    assert matched("GET", target).route.row == "O1"


def test_a_trailing_slash_after_an_action_is_no_part_of_it() -> None:
    assert matched("POST", "/v1beta/models/x:generateContent/").model == "x"


@pytest.mark.parametrize(
    "target",
    [
        "/v1/v1/v1/models",
        "/v1/v1/models",
        "/v1/V1/models",
        "/V1/models",
        "/v1/Models",
        "//v1/models",
        "/v1//models",
        "/v2/models",
    ],
)
def test_no_other_spelling_is_accepted(target: str) -> None:
    assert missed("GET", target).allow == ()


@pytest.mark.parametrize("target", ["/v1/%6dodels", "/%76%31/models", "/v1%2Fmodels", "http://any.host/v1/models"])
def test_percent_encoding_and_absolute_form_change_nothing(target: str) -> None:
    assert matched("GET", target).route.row == "O1"


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/v1/models/.."),
        ("GET", "/v1/models/../x"),
        ("GET", "/v1/models/x/.."),
        ("GET", "/v1/models/%2e%2e/x"),
        ("GET", "/v1/models/./x"),
        ("GET", "/v1/models/x%2F..%2Fy"),
        ("GET", "/v1beta/models/../../healthz"),
        ("GET", "/healthz/../v1/models"),
        ("POST", "/v1beta/models/../x:generateContent"),
        ("POST", "/v1beta/models/..:generateContent"),
        ("POST", "/v1beta/models/../countTokens"),
        ("POST", "/v1beta/../v1/chat/completions"),
    ],
)
def test_a_path_with_dot_segments_is_unknown(method: str, target: str) -> None:
    assert missed(method, target).allow == ()


@pytest.mark.parametrize(
    "target",
    ["/v1beta/models/:generateContent", "/v1beta/models//x:generateContent", "/v1beta/models/x//y", "/v1beta/models"],
)
def test_a_model_without_a_name_is_no_model(target: str) -> None:
    assert missed("POST", target).dialect == "gemini"


@pytest.mark.parametrize(
    "target", ["/v1/models/%00", "/v1/models/a%0Ab", "/v1/models/%ff", "/v1/models?x=%0d", "v1/models", ""]
)
def test_a_target_that_is_no_target_is_a_400(target: str) -> None:
    parsed = parse(target.encode())
    assert isinstance(parsed, Fault)
    assert parsed.status == 400


def test_a_key_in_the_query_is_no_part_of_it() -> None:
    parsed = parse(b"/v1beta/models?pageSize=2&key=s%2Bcret&x=a+b")
    assert not isinstance(parsed, Fault)
    assert (parsed.query, parsed.key) == ((("pageSize", "2"), ("x", "a b")), "s+cret")


def test_two_keys_in_the_query_are_a_400() -> None:
    assert isinstance(parse(b"/v1beta/models?key=a&%6bey=b"), Fault)


# Whose shape /v1/models has.


@pytest.mark.parametrize(
    ("target", "headers", "dialect"),
    [
        ("/v1/models", (), "openai_chat"),
        ("/v1/models", ((b"authorization", b"Bearer k"),), "openai_chat"),
        ("/v1/models", ((b"x-api-key", b"k"),), "openai_chat"),
        ("/v1/models", ((b"user-agent", b"codex_cli_rs/0.60"),), "openai_chat"),
        ("/v1/models", GOOGLE_KEY, "gemini"),
        ("/v1/models", GOOGLE_CLIENT, "gemini"),
        ("/v1/models?key=k", (), "gemini"),
        ("/v1/models?key=", (), "gemini"),
        ("/v1/models", ANTHROPIC, "anthropic"),
        ("/v1/models", CLAUDE_CODE, "anthropic"),
        ("/v1/models?client_version=0.60.0", (), "codex"),
        ("/v1/models?client_version=0.60.0", ANTHROPIC, "anthropic"),
        ("/v1/models?client_version=0.60.0", GOOGLE_KEY, "gemini"),
        ("/v1/models", (*ANTHROPIC, *GOOGLE_KEY), "gemini"),
        ("/v1/models", (*GOOGLE_CLIENT, *CLAUDE_CODE), "gemini"),
        ("/v1/models?key=k", ANTHROPIC, "gemini"),
    ],
)
@pytest.mark.parametrize("one", [False, True])
def test_headers_decide_the_shape_of_the_shared_paths(
    target: str, headers: Headers, dialect: str, *, one: bool
) -> None:
    target = target.replace("/v1/models", "/v1/models/some/model") if one else target
    assert matched("GET", target, headers).dialect == dialect


@pytest.mark.parametrize("headers", [GOOGLE_KEY, GOOGLE_CLIENT, ANTHROPIC])
def test_headers_do_not_change_the_shape_of_other_paths(headers: Headers) -> None:
    assert matched("GET", "/v1/models/claude", headers).dialect == "anthropic"
    assert matched("POST", "/v1/models/detect", headers).dialect == "openai_chat"
    assert matched("POST", "/v1/chat/completions", headers).dialect == "openai_chat"
    assert matched("GET", "/v1beta/models", headers).dialect == "gemini"


# What no row fits.


@pytest.mark.parametrize(
    ("method", "target", "headers", "dialect"),
    [
        ("GET", "/nowhere", (), "openai_chat"),
        ("GET", "/v1", (), "openai_chat"),
        ("POST", "/v1/chat", (), "openai_chat"),
        ("POST", "/v1/chat/completions/x", (), "openai_chat"),
        ("POST", "/v1/responses/a/b", (), "openai_responses"),
        ("POST", "/v1/messages/unknown", (), "anthropic"),
        ("GET", "/v1beta/nothing", (), "gemini"),
        ("GET", "/v1alpha", (), "gemini"),
        ("GET", "/v1/tunedModels/../x", (), "gemini"),
        ("GET", "/v1/models/..", ANTHROPIC, "anthropic"),
        ("GET", "/v1/models/..", GOOGLE_KEY, "gemini"),
        ("GET", "/v1/models/..", (), "openai_chat"),
        ("POST", "/mcp/x", (), "mcp"),
    ],
)
def test_an_unknown_path_has_the_error_shape_of_its_prefix(
    method: str, target: str, headers: Headers, dialect: str
) -> None:
    assert missed(method, target, headers) == NoMatch(dialect)


@pytest.mark.parametrize(
    ("path", "near"),
    [
        ("/v1/mesages", "/v1/messages"),
        ("/v1/message", "/v1/messages"),
        ("/v1/chat/completion", "/v1/chat/completions"),
        ("/v1/Chat/Completions", "/v1/chat/completions"),
        ("/v1/response", "/v1/responses"),
        ("/v2/models", "/v1/models"),
        ("/v1beta/model", "/v1beta/models"),
        ("/helthz", "/healthz"),
        ("/api/chat", ""),
        ("/nowhere", ""),
        ("/v1/messages/" + "x" * 5000, ""),
    ],
)
def test_a_slip_in_a_path_is_near_what_was_meant(path: str, near: str) -> None:
    assert nearest_path(path) == near


@pytest.mark.parametrize(
    ("method", "target", "dialect", "allow"),
    [
        ("GET", "/v1/chat/completions", "openai_chat", ("POST",)),
        ("PUT", "/v1/models", "openai_chat", ("GET", "HEAD")),
        ("DELETE", "/v1/responses", "openai_responses", ("POST", "GET", "HEAD")),
        ("GET", "/v1/messages", "anthropic", ("POST",)),
        ("POST", "/v1/models/claude", "anthropic", ("GET", "HEAD")),
        ("GET", "/v1/models/detect", "openai_chat", ("POST",)),
        ("GET", "/v1/responses/input_tokens", "openai_responses", ("POST",)),
        ("DELETE", "/v1/responses/compact", "openai_responses", ("POST",)),
        ("POST", "/v1/responses/resp_1", "openai_responses", ("GET", "DELETE")),
        ("POST", "/v1beta/models", "gemini", ("GET", "HEAD")),
        ("GET", "/v1beta/models/x:generateContent", "gemini", ("POST",)),
        ("GET", "/v1beta/tunedModels/x", "gemini", ("POST",)),
        ("GET", "/v1beta/models/x/countTokens", "gemini", ("POST",)),
        ("PATCH", "/v1beta/models/x", "gemini", ("GET", "HEAD", "POST")),
        ("PUT", "/v1/models/x", "openai_chat", ("POST", "GET", "HEAD")),
        ("TRACE", "/mcp/x/mcp", "mcp", ANY),
        ("POST", "/healthz", "openai_chat", ("GET", "HEAD")),
        ("get", "/healthz", "openai_chat", ("GET", "HEAD")),
        ("OPTIONS", "/v1/chat/completions", "openai_chat", ("POST",)),
    ],
)
def test_a_known_path_with_the_wrong_method_lists_the_right_ones(
    method: str, target: str, dialect: str, allow: tuple[str, ...]
) -> None:
    found = missed(method, target)
    assert (found.dialect, sorted(found.allow)) == (dialect, sorted(allow))


# No two rows for one request.

_segments = st.text("ab.-_@:", min_size=1, max_size=6).filter(lambda text: text not in (".", ".."))
_actions = st.sampled_from(
    ["", ":generateContent", ":streamGenerateContent", ":countTokens", "/countTokens", ":embedContent", ":other"]
)


@st.composite
def paths(draw: st.DrawFn) -> str:
    """A path made from any row's pattern, with ids that look like other rows' actions and literals."""
    path = draw(st.sampled_from(ROUTES)).path
    literal = draw(st.sampled_from(["", "claude", "detect", "input_tokens", "compact"]))
    model = "/".join(draw(st.lists(_segments, min_size=1, max_size=3))) + draw(_actions)
    path = path.replace("{version}", draw(st.sampled_from(VERSIONS)))
    path = path.replace("{collection}", draw(st.sampled_from(["models", "tunedModels"])))
    path = path.replace("{model}", literal or model).replace("{name}", literal or draw(_segments))
    path = path.replace("/{rest}", "".join(f"/{each}" for each in draw(st.lists(_segments, max_size=2))))
    return path + draw(st.sampled_from(["", "/", ":generateContent"]))


@given(paths(), st.sampled_from(["GET", "HEAD", "POST", "DELETE"]))
def test_no_two_rows_fit_one_request(path: str, method: str) -> None:
    target = parsed(path)
    literal = [route for route in ROUTES if route.path == target.path]
    fitting = [
        route for route in literal or ROUTES if method in route.methods and (literal or fits(route.path, target.path))
    ]
    assert len(fitting) <= 1, (path, fitting)
    found = match(method, target, ())
    if fitting:
        assert isinstance(found, MatchedRoute)
        assert found.route is fitting[0]
    else:
        assert isinstance(found, NoMatch)
        assert method not in found.allow


def fits(pattern: str, path: str) -> bool:
    """Whether `path` is of the form that `pattern` shows, by the words of docs/routes.md and no others."""
    known = ("generateContent", "streamGenerateContent", "countTokens", "embedContent", "batchEmbedContents", "predict")
    parts, segments = pattern.split("/"), path.split("/")
    if parts[-1] == "{rest}":
        del parts[-1]
        return len(segments) >= len(parts) and all(
            part == segment or (part == "{version}" and segment in VERSIONS)
            for part, segment in zip(parts, segments, strict=False)
        )
    if "{model}" not in pattern:
        return len(parts) == len(segments) and all(
            part == segment or (part == "{name}" and segment) for part, segment in zip(parts, segments, strict=True)
        )
    version, collection, rest = parts[1], parts[2], "/".join(parts[3:])
    if len(segments) < 4 or segments[1] not in (VERSIONS if version == "{version}" else (version,)):
        return False
    if segments[2] not in (("models", "tunedModels") if collection == "{collection}" else (collection,)):
        return False
    name = "/".join(segments[3:])
    action = name.rpartition(":")[2] if ":" in name else ""
    action = action if action in known else ""
    name = name.removesuffix(f":{action}") if action else name
    counts = not action and name.endswith("/countTokens")
    if counts:
        name = name.removesuffix("/countTokens")
    wanted = "{model}" + (f":{action}" if action else "/countTokens" if counts else "")
    return rest == wanted and all(part not in ("", ".", "..") for part in name.split("/"))


@given(st.text(max_size=40), st.sampled_from(["GET", "POST", "OPTIONS", "BREW"]))
def test_any_path_has_a_row_or_an_error_shape(text: str, method: str) -> None:
    target = parse(b"/" + text.encode("utf-8", "replace"))
    assume(not isinstance(target, Fault))
    assert not isinstance(target, Fault)
    assert match(method, target, ()).dialect in (
        "openai_chat",
        "openai_responses",
        "openai_completions",
        "anthropic",
        "gemini",
        "mcp",
        "codex",
    )


@given(st.binary(max_size=60))
def test_any_target_is_parsed_or_is_a_fault(raw: bytes) -> None:
    parsed = parse(raw)
    if isinstance(parsed, Fault):
        assert parsed.status == 400
    else:
        assert parsed.path == "*" or parsed.path.startswith("/")
        assert parsed.path == "/" or not parsed.path.endswith("/")
        assert all(name != "key" for name, _ in parsed.query)
