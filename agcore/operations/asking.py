"""One client's request as the tasks see it: read, but not yet written for anybody."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from agcore.codecs import header_fields
from agcore.codecs.header_fields import TRACE, USER_AGENT, first, firsts
from agcore.codecs.json_splice import Members
from agcore.conversion.base import Upstream
from agcore.dialects import DIALECTS
from agcore.dialects.base import Dialect, PathParts, RequestSummary
from agcore.ingress.request import Routed
from agcore.machines.services import GatewayServices
from agcore.protocol.fault import Fault
from agcore.protocol.http import Headers
from agcore.routing.candidates import Candidate
from agcore.routing.catalog import Catalog, Resolution
from agcore.routing.resolution import resolve
from agcore.state.responses import Entry

if TYPE_CHECKING:
    from agcore.conversion.translation import ModelTarget
    from agcore.dialects.tasks import Destination
    from agcore.operations.held_form import HeldForm

JSON = b"application/json"
_OWN = (USER_AGENT[0], *TRACE)


class Earlier(msgspec.Struct, frozen=True):
    """The response that a request follows, and whether its own answer is remembered in turn."""

    previous: str | None = None
    """The id of the response that it follows."""
    entry: Entry | None = None
    """The entry that this gateway holds of the previous response."""
    stores: bool = True
    """True where the answer to this request is remembered."""


class Asking(msgspec.Struct, frozen=True):
    """One client's request."""

    request: Routed
    services: GatewayServices
    dialect: Dialect
    """The client's."""
    parts: PathParts
    """Parameters from the request's path and query."""
    summary: RequestSummary
    """Summary of the body: the model, and whether a stream is wanted."""
    content: Members | HeldForm | None = None
    """The request's body; None for a request without one."""
    earlier: Earlier = Earlier()
    """The response that the request follows."""

    @property
    def members(self) -> Members:
        """The body of a request in JSON."""
        assert isinstance(self.content, Members)
        return self.content

    def resolve(self) -> Resolution | Fault:
        """Returns what the model's name stands for to this client, or a fault with 403 or 404."""
        request, model = self.request, self.summary.model
        return resolve(self.services.catalog, model, identity=request.identity, dialect=request.dialect)

    def is_translated(self, candidate: Candidate) -> bool:
        """Returns True where the candidate speaks another dialect than the client."""
        return candidate.endpoint.dialect != self.dialect.traits.name

    def shown_model(self, candidate: Candidate) -> str | None:
        """The name that answers must show instead of the upstream's; None where the client used that one."""
        return self.summary.model if self.summary.model != candidate.model else None

    def upstream(self, candidate: Candidate) -> Upstream:
        """Returns the provider and the dialect that answer at a candidate."""
        return Upstream(candidate.provider.name, DIALECTS[candidate.endpoint.dialect])

    def model_target(self, candidate: Candidate) -> ModelTarget:
        """Returns the target of a conversation that is translated for a candidate."""
        return model_target(candidate, self.services.catalog)

    def destination(self, candidate: Candidate) -> Destination:
        """Returns the address, model and profile that a task of another kind is sent to."""
        from agcore.dialects.tasks import Destination  # not free to import

        profile = self.services.catalog.profile_at(candidate.provider, candidate.endpoint, candidate.model)
        return Destination(candidate.endpoint.prefix, candidate.model, profile, self.parts)

    def headers(self, candidate: Candidate, *content: tuple[bytes, bytes], translated: bool) -> Headers:
        """The header fields for an upstream, those about the `content` first.

        Of the client's own, an upstream that is asked in words of the gateway's gets the client's name and its trace
        only, and what its vendor insists on.
        """
        sent = self.request.head.headers
        fields = [*content, (b"accept-encoding", b"identity")]
        if translated:
            own = {USER_AGENT[0]: USER_AGENT[1], **firsts(sent, _OWN)}
            fields.extend(own.items())
            return (*fields, *DIALECTS[candidate.endpoint.dialect].traits.headers_required)
        traits = self.dialect.traits
        fields.extend(header_fields.passing(sent, traits.headers_up))
        for field in (*traits.headers_required, USER_AGENT):
            if first(fields, field[0]) is None:
                fields.append(field)
        return tuple(fields)

    def json_headers(self, candidate: Candidate, *, translated: bool, stream: bool = False) -> Headers:
        """The header fields for a JSON body, and for the answer that it asks for."""
        accept = b"text/event-stream" if stream else JSON
        return self.headers(candidate, (b"content-type", JSON), (b"accept", accept), translated=translated)


def model_target(candidate: Candidate, catalog: Catalog) -> ModelTarget:
    """Returns the target of a conversation that is translated for a candidate."""
    from agcore.conversion.translation import ModelTarget  # translating is not free to import

    profile = catalog.profile_at(candidate.provider, candidate.endpoint, candidate.model)
    return ModelTarget(candidate.endpoint.dialect, candidate.model, profile, candidate.provider.signer)
