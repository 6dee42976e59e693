"""Resolution of a model name, for the client that asks, to the candidates that may answer."""

from __future__ import annotations

from collections.abc import Callable

from agcore.config.values import ClientKey, Endpoint
from agcore.protocol.fault import Fault
from agcore.routing.candidates import Candidate
from agcore.routing.catalog import Catalog, Miss, Resolution, Target


def resolve(catalog: Catalog, model: str, *, identity: ClientKey | None, dialect: str) -> Resolution | Fault:
    """Returns what `model` stands for to a client of `dialect` with the key `identity`, or a fault with 403 or 404."""
    allowed = identity.models if identity is not None else ()
    found = catalog.resolve(model, allowed=allowed, dialect=dialect)
    if not isinstance(found, Miss):
        return found
    near = f"; near names: {', '.join(found.near)}" if found.near else ""
    if found.denied and identity is not None:
        message = f"the key {identity.name!r} may not use model {model!r}{near}; GET /v1/models lists what it may use"
        return Fault(status=403, message=message, code="model_not_allowed", param="model")
    message = f"no provider serves model {model!r}{near}; GET /v1/models lists all names, as `agcore models` does"
    return Fault(status=404, message=message, code="model_not_found", param="model")


def candidates_at(found: Resolution, endpoint_at: Callable[[Target], Endpoint | None]) -> tuple[Candidate, ...]:
    """Returns the candidates for a model; `endpoint_at` gives the endpoint of a target, None where it has none."""
    candidates = list[Candidate]()
    for target in found.targets:
        endpoint = endpoint_at(target)
        if endpoint is not None:
            candidates.append(Candidate(target.provider, endpoint, target.model, target.step))
    return tuple(candidates)
