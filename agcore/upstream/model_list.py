"""Requests for a provider's own list of models."""

from __future__ import annotations

from typing import Final

from agcore.codecs.header_fields import USER_AGENT
from agcore.config.values import Endpoint
from agcore.dialects import DIALECTS
from agcore.protocol.http import Headers

MAX_BODY: Final = 4 * 1024 * 1024
"""Bytes of a list that are read."""

PATIENCE: Final = 20.0
"""Seconds in which a list begins. People wait for several of them, and it takes no model to make one."""

LISTING: Final = "model list"
"""Stands for the model in a `Candidate`: what a list fails of says nothing about the models that a key is good for."""


def list_target(endpoint: Endpoint) -> bytes:
    """The request target of the model list."""
    return endpoint.prefix + DIALECTS[endpoint.dialect].traits.list_path.encode("ascii")


def list_headers(endpoint: Endpoint) -> Headers:
    """The fields of the request for it, without credentials."""
    fields = ((b"accept", b"application/json"), (b"accept-encoding", b"identity"), USER_AGENT)
    return (*fields, *DIALECTS[endpoint.dialect].traits.headers_required)
