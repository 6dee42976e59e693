"""A gateway process per frontend, with scripted upstreams behind it, for tests with the official SDKs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.media_upstream import media_answer
from tests.support.recordings import hearing_answer
from tests.support.servers import Url, trio_server, uvicorn_server
from tests.support.upstreams import Answer, Recorded, Upstream, demo_answer

CLIENT_KEY = "sk-client-0123456789abcdef"
UPSTREAM_KEY = "sk-upstream-0123456789abcdef"

CONFIG = """
[proxy]
auth_mode = "strict"
api_key = "{client_key}"

[[providers]]
name = "vendor"
dialect = ["openai", "openai_responses", "openai_completions", "anthropic", "gemini"]
auth = "bearer"
keys = ["{upstream_key}"]
models = ["vendor-*"]
[providers.base_url]
openai = "{url}/v1"
openai_responses = "{url}/v1"
openai_completions = "{url}/v1"
anthropic = "{url}"
gemini = "{url}"

[models]
"alias" = "vendor/vendor-real"
"either" = ["gemini/gemini-ears", "vendor/vendor-real"]

[[providers]]
name = "chat"
dialect = "openai"
base_url = "{url}/v1"
keys = ["{upstream_key}"]
models = ["chat-*"]

[[providers]]
name = "responses"
dialect = "openai_responses"
base_url = "{url}/v1"
keys = ["{upstream_key}"]
models = ["responses-*"]

[[providers]]
name = "anthropic"
dialect = "anthropic"
base_url = "{url}"
keys = ["{upstream_key}"]
models = ["anthropic-*"]

[[providers]]
name = "gemini"
dialect = "gemini"
base_url = "{url}"
keys = ["{upstream_key}"]
models = ["gemini-*"]

[capabilities]
"chat-thinker" = {{ reasoning = "effort" }}
"responses-thinker" = {{ reasoning = "effort" }}
"anthropic-thinker" = {{ reasoning = "budget" }}
"gemini-thinker" = {{ reasoning = "budget" }}
"""
"""Models that are called after one dialect are served by an upstream that speaks no other one."""

RETRY_AFTER = 7


def busy_answer(request: Recorded) -> Answer | None:
    """What a vendor says that has no room for a model called `...-busy...`: each test asks for one of its own, since the
    gateway leaves a busy one alone."""
    if b"-busy" not in request.target + request.body:
        return None
    if b"/v1/messages" in request.target:
        body = b'{"type":"error","error":{"type":"rate_limit_error","message":"Slow down."}}'
    elif b"/models/" in request.target:
        body = b'{"error":{"code":429,"message":"Slow down.","status":"RESOURCE_EXHAUSTED"}}'
    else:
        body = b'{"error":{"message":"Slow down.","type":"requests","param":null,"code":"rate_limit_exceeded"}}'
    headers = ((b"content-type", b"application/json"), (b"retry-after", b"%d" % RETRY_AFTER))
    return Answer(status=429, headers=headers, pieces=(body,))


@pytest.fixture(scope="session")
def upstream() -> Iterator[Upstream]:
    def answer(request: Recorded) -> Answer:
        return busy_answer(request) or hearing_answer(request) or media_answer(request) or demo_answer(request)

    with Upstream(answer) as upstream:
        yield upstream


@pytest.fixture(scope="session", params=["trio", "uvicorn"])
def gateway_url(request: pytest.FixtureRequest, upstream: Upstream) -> Iterator[Url]:
    config = CONFIG.format(client_key=CLIENT_KEY, upstream_key=UPSTREAM_KEY, url=upstream.url)
    server = {"trio": trio_server, "uvicorn": uvicorn_server}[request.param]
    with server(config) as url:
        yield url
