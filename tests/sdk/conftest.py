"""A gateway process per frontend, with scripted upstreams behind it, for tests with the official SDKs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.media_upstream import media_answer
from tests.support.servers import Url, trio_server, uvicorn_server
from tests.support.upstreams import Upstream, demo_answer

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
"""


@pytest.fixture(scope="session")
def upstream() -> Iterator[Upstream]:
    with Upstream(lambda request: media_answer(request) or demo_answer(request)) as upstream:
        yield upstream


@pytest.fixture(scope="session", params=["trio", "uvicorn"])
def gateway_url(request: pytest.FixtureRequest, upstream: Upstream) -> Iterator[Url]:
    config = CONFIG.format(client_key=CLIENT_KEY, upstream_key=UPSTREAM_KEY, url=upstream.url)
    server = {"trio": trio_server, "uvicorn": uvicorn_server}[request.param]
    with server(config) as url:
        yield url
