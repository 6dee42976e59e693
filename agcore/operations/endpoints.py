"""Which of a provider's endpoints takes a request; the order in which they are configured never decides it."""

from __future__ import annotations

from collections.abc import Sequence

from agcore.config.values import Endpoint, dialect_name
from agcore.dialects import DIALECTS
from agcore.operations.asking import Asking
from agcore.protocol.fault import Fault
from agcore.routing.catalog import Resolution, Target


def own_dialect(asking: Asking, target: Target) -> Endpoint | None:
    """Nobody but who speaks the client's own dialect."""
    return target.provider.endpoints.get(asking.dialect.traits.name)


def one_of(dialects: Sequence[str], asking: Asking, target: Target) -> Endpoint | None:
    """The client's own dialect, if the provider speaks that, else the first of these."""
    endpoints = target.provider.endpoints
    spoken = (endpoints.get(name) for name in (asking.dialect.traits.name, *dialects))
    return next((endpoint for endpoint in spoken if endpoint is not None), None)


def generation_endpoint(asking: Asking, target: Target) -> Endpoint | None:
    """The endpoint that answers a generation, passed through or translated.

    The client's own dialect is the best, since nothing is translated there, unless the model is not served in it or
    the request does not pass: then it is one that carries more, if there is one.
    """
    dialect = asking.dialect
    name, endpoints = dialect.traits.name, target.provider.endpoints
    own = endpoints.get(name)
    if own is None:
        return asking.services.catalog.endpoint(target)
    manners = asking.services.catalog.upstream_profile(target.provider, own, target.model)
    serving = manners.endpoints
    if not serving or (name in serving and dialect.pass_through.passes(asking.members, manners)):
        return own
    better = serving[: serving.index(name)] if name in serving else serving
    return next((endpoints[each] for each in better if each in endpoints and DIALECTS[each].translatable), own)


def speaks_only(asking: Asking, found: Resolution, *, why: str = "") -> Fault:
    """Returns the fault that names what a model's first provider speaks instead, and `why` that does not help."""
    provider = found.targets[0].provider
    spoken = ", ".join(provider.dialect_names)
    message = f"model {asking.summary.model!r} is served by {provider.name!r}, which speaks {spoken} only{why}"
    return Fault(status=400, message=message, code="translation_not_available", param="model")


def not_generated(asking: Asking, found: Resolution) -> Fault:
    """None of the providers' endpoints takes conversations with the model."""
    target = found.targets[0]
    manners = asking.services.catalog.upstream_profile(
        target.provider, target.provider.preferred_endpoint, target.model
    )
    serving = [dialect_name(name) for name in manners.endpoints if DIALECTS[name].translatable]
    why = f"; this model needs {' or '.join(serving)} among the provider's dialects" if serving else ""
    return speaks_only(asking, found, why=why)


def not_asked(asking: Asking, found: Resolution) -> Fault:
    """Nobody who serves the model takes such requests of the client's dialect."""
    name = dialect_name(asking.dialect.traits.name)
    return speaks_only(asking, found, why=f"; it cannot be asked this by a client that speaks {name}")
