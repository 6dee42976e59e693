"""`/v1/responses/compact`: a conversation made shorter by the provider that will go on with it.

What comes back is for that provider's eyes only (`encrypted_content`), so nothing is translated: where nobody speaks
Responses the answer is a 501, after which clients summarise by themselves, as they do for any other vendor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from agcore.codecs.json_splice import Members
from agcore.dialects.base import RequestSummary
from agcore.operations.respond import Respond
from agcore.protocol.fault import Fault

if TYPE_CHECKING:
    from agcore.config.values import Endpoint, Provider
    from agcore.routing.candidates import Candidate
    from agcore.routing.catalog import Resolution


class Compact(Respond):
    """Like `Respond` it may go on from an earlier response; its answer is whole, and is none to go on from."""

    def read_ask(self, members: Members) -> RequestSummary | Fault:
        """What the request asks for. A compaction is not streamed."""
        ask = super().read_ask(members)
        self._stores = False
        return ask if isinstance(ask, Fault) else msgspec.structs.replace(ask, stream=False)

    def endpoint_at(self, provider: Provider) -> Endpoint | None:
        """Responses, and nothing else."""
        return provider.endpoints.get(self.dialect.traits.name)

    def unserved(self, model: str, found: Resolution) -> Fault:
        """Nobody there can do it."""
        name = found.targets[0].provider.name
        message = f"model {model!r} is served by {name!r}, which has no compaction; summarise the conversation instead"
        return Fault(status=501, message=message, code="not_supported", param="model")

    def upstream_target(self, candidate: Candidate) -> bytes | None:
        """The same path at the provider."""
        return candidate.endpoint.prefix + b"/responses/compact"
