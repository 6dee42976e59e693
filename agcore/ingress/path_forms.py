"""The forms of a path that mean the same route: without its version or with two, behind a vendor's name, in Azure's.

People and SDKs build URLs from a base that differs by a segment or two from what is served. Each such form becomes the
path of a row of `routes.ROUTES` here, once, before authentication and routing decide anything by it.
"""

from __future__ import annotations

from typing import Final

import msgspec

from agcore.codecs.request_target import RequestTarget
from agcore.ingress.routes import VERSIONS

VENDORS: Final = ("openai", "anthropic", "gemini")
"""What may stand in front of any route: `/anthropic/v1/messages`."""
UNVERSIONED: Final = frozenset(
    {
        "chat",
        "completions",
        "responses",
        "messages",
        "models",
        "embeddings",
        "images",
        "audio",
        "moderations",
        "files",
        "batches",
        "realtime",
    }
)
"""First segments that are served without `/v1` in front, as bases without it lead there."""
_OPENAI_AT_GOOGLE: Final = "/v1beta/openai"
"""Where Google itself serves OpenAI's dialect (https://ai.google.dev/gemini-api/docs/openai)."""
_DEPLOYMENTS: Final = "/deployments/"
"""Azure's form, `/openai/deployments/NAME/chat/completions`; SDKs name the model in the body, too."""


def canonical(target: RequestTarget) -> RequestTarget:
    """The target with its path in the form that routes have, and the vendor that the path names."""
    path, vendor = target.path, ""
    first = path[1:].partition("/")[0]
    if first in VENDORS:
        path, vendor = "/" + path[len(first) + 1 :].lstrip("/"), first
        if first == "openai" and path.startswith(_DEPLOYMENTS):
            path = "/" + path[len(_DEPLOYMENTS) :].partition("/")[2]
    if path == _OPENAI_AT_GOOGLE or path.startswith(_OPENAI_AT_GOOGLE + "/"):
        path, vendor = "/v1" + path[len(_OPENAI_AT_GOOGLE) :], "openai"
    path = _with_one_version(path)
    if path[1:].partition("/")[0] in UNVERSIONED:
        path = "/v1" + path
    return target if path == target.path else msgspec.structs.replace(target, path=path, vendor=vendor)


def _with_one_version(path: str) -> str:
    """The path with the second of two versions in front, as a base with one and a client with one make them."""
    first, _, rest = path[1:].partition("/")
    second, _, more = rest.partition("/")
    return "/" + rest if more and first in VERSIONS and second in VERSIONS else path
