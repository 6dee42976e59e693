"""OAuth 2.0 Protected Resource Metadata (RFC 9728) for MCP servers that clients authenticate with themselves.

A server with `auth = "client"` answers a client without a token with a challenge that says where its metadata are. They
name its authorization servers, and the resource that tokens are for; a client compares that resource with the URL that
it uses, which is one of the gateway's. So two things are rewritten: the challenge leads to the gateway, and what the
gateway answers there is the server's own document with the gateway's URL as `resource`. Tokens pass by unseen.

Every URL made here is below `proxy.public_url`, never derived from a request's Host. Without it a challenge keeps the
server's own URL, and the gateway has no metadata.
"""

from __future__ import annotations

import re
from typing import Final

from agcore.codecs import json_text
from agcore.ingress.routes import PROTECTED_RESOURCE

# A quoted string is stepped over, so that nothing within one is taken for a parameter. Possessive, thus linear.
_PARAMETER: Final = re.compile(
    rb'(?<![A-Za-z0-9_.-])(resource_metadata[ \t]*=[ \t]*)("(?:[^"\\]|\\.)*+"?|[^\s,"]*)|"(?:[^"\\]|\\.)*+"?',
    re.IGNORECASE,
)


def resource_url(public_url: str, name: str) -> str:
    """The URL at which clients use the MCP server called `name`."""
    return f"{public_url}/mcp/{name}/mcp"


def with_metadata(challenge: bytes, url: str) -> bytes:
    """A `WWW-Authenticate` value whose `resource_metadata` parameters lead to `url`. It gets none that it lacked."""
    quoted = b'"%b"' % url.encode("ascii")
    return _PARAMETER.sub(lambda found: found[1] + quoted if found[1] is not None else found[0], challenge)


def upstream_targets(target: bytes) -> tuple[bytes, ...]:
    """Returns where a server at `target` (path and query) may publish its metadata, in the order of trial.

    First between host and path, as RFC 9728 section 3.1 has it, then at the root, as the MCP specification allows.
    """
    root = PROTECTED_RESOURCE.encode("ascii")
    path, mark, query = target.partition(b"?")
    inserted = root + path.rstrip(b"/") + mark + query
    return (inserted, root) if inserted != root else (root,)


def published(document: bytes, *, resource: str) -> bytes:
    """The server's document as the gateway publishes it. Raises ValueError for what is not a JSON object.

    `signed_metadata` is left out: it would vouch for the server's own `resource`, and go before the plain one.
    """
    members = json_text.decode(document)
    if not isinstance(members, dict):
        raise ValueError("not a JSON object")
    members.pop("signed_metadata", None)
    return json_text.encode({**members, "resource": resource})
