"""Who serves at an endpoint, and the vendor profile of a model there."""

from __future__ import annotations

import pytest

from agcore.config.values import Config, Endpoint, Provider
from agcore.protocol.http import Origin
from agcore.routing.catalog import _REMEMBERED, Catalog, vendor_of


def provider(host: str, port: int = 443, *, name: str = "p", preset: str = "", dialect: str = "openai") -> Provider:
    endpoint = Endpoint(dialect, Origin("https", host, port), b"/v1", "bearer")
    return Provider(name=name, endpoints={dialect: endpoint}, preset=preset)


@pytest.mark.parametrize(
    ("served", "vendor"),
    [
        (provider("my.openai.azure.com", preset="openai"), "azure"),
        (provider("127.0.0.1", 9999, preset="mistral", name="openai"), "mistral"),
        (provider("relay.example", name="mistral"), "mistral"),
        (provider("localhost", 11434), "ollama"),
        (provider("localhost", 4000), "p"),
        (provider("relay.example", 8000), "p"),
    ],
    ids=["by its host", "by its preset", "by its name", "by its port", "unknown port", "a port of another machine"],
)
def test_who_serves(served: Provider, vendor: str) -> None:
    assert vendor_of(served, served.preferred_endpoint) == vendor


def test_a_profile_has_the_manners_of_the_endpoint() -> None:
    served = provider("api.perplexity.ai")
    catalog = Catalog(Config(providers=(served,)))
    profile = catalog.profile_at(served, served.preferred_endpoint, "sonar-pro")
    assert profile.upstream == catalog.upstream_profile(served, served.preferred_endpoint, "sonar-pro")
    assert profile.upstream.vendor == "perplexity"


def test_more_names_than_are_remembered_have_the_same_manners() -> None:
    served = provider("api.perplexity.ai")
    catalog = Catalog(Config(providers=(served,)))
    found = [catalog.upstream_profile(served, served.preferred_endpoint, f"m{n}") for n in range(_REMEMBERED + 2)]
    assert found[0] == catalog.upstream_profile(served, served.preferred_endpoint, "m0") == found[-1]
