"""The file of `[proxy] tables`, and overrides of what servers take."""

from __future__ import annotations

import pytest

from agcore.config.load import load_config
from agcore.config.parser import parse, secret_refs
from agcore.config.problems import ConfigError
from agcore.config.report import describe_config
from agcore.config.values import Config, Tables
from agcore.models.known import profile
from agcore.models.vendor_profile import VendorRow
from agcore.routing.catalog import Catalog, Resolution

FILE = """
[proxy]
tables = "facts.toml"
[[providers]]
name = "mine"
dialect = ["openai", "openai_responses"]
base_url = "https://acme.example/v1"
auth = "none"
"""
FACTS = """
[[profiles]]
vendors = ["mine"]
models = ["ACME-*"]
dialects = ["openai"]
source = "https://acme.example/docs"
late_system = "in_place"
endpoints = ["openai_responses", "openai"]
[[profiles]]
stop = false
[models."acme-1"]
context_window = 5
leading_system = "many"
endpoints = ["openai"]
[prices."acme-*"]
input = 1.5
"""


def loaded(text: str = FILE, facts: str | None = FACTS) -> Config:
    files = {} if facts is None else {"facts.toml": facts}
    return load_config(text, read_file=files.__getitem__)


def problems(text: str = FILE, facts: str | None = FACTS) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        loaded(text, facts)
    return [str(problem) for problem in refused.value.problems]


def test_a_tables_file_is_looked_up_like_the_file_of_a_secret() -> None:
    assert secret_refs(FILE) == ("file:facts.toml",)
    assert secret_refs("proxy = 1") == secret_refs("[proxy]\ntables = 1") == ()


def test_rows_models_and_prices_are_read() -> None:
    tables = loaded().tables
    assert tables.profiles == (
        VendorRow(
            vendors=("mine",),
            models=("acme-*",),
            dialects=("openai_chat",),
            members={"late_system": "in_place", "endpoints": ("openai_responses", "openai_chat")},
            source="https://acme.example/docs",
        ),
        VendorRow(members={"stop": False}, source="proxy.tables"),
    )
    assert tables.models["acme-1"]["endpoints"] == ["openai_chat"]
    assert tables.prices == {"acme-*": {"input": 1.5}}
    assert loaded(facts="").tables == Tables()


def test_tables_count_and_capabilities_have_the_last_word() -> None:
    config = loaded(FILE + '[capabilities."acme-1"]\nleading_system = "one"\nstop = true\nsampling = false\n')
    catalog, (mine,) = Catalog(config), config.providers
    chat = mine.endpoints["openai_chat"]
    two = catalog.profile_at(mine, chat, "Acme-2")
    assert (two.upstream.late_system, two.upstream.stop, two.sampling) == ("in_place", False, True)
    one = catalog.profile_at(mine, chat, "acme-1")
    assert (one.upstream.late_system, one.upstream.stop, one.upstream.leading_system) == ("in_place", True, "one")
    assert (one.context_window, one.sampling, one.upstream.sampling) == (5, False, "fixed")
    assert one.upstream == catalog.upstream_profile(mine, chat, "acme-1")
    found = catalog.resolve("mine/acme-2"), catalog.resolve("mine/acme-1")
    asked = [catalog.endpoint(each.targets[0]) for each in found if isinstance(each, Resolution)]
    assert [each and each.dialect for each in asked] == ["openai_responses", "openai_chat"]


def test_where_each_fact_is_from_is_told() -> None:
    catalog = Catalog(loaded(FILE + '[capabilities."acme-*"]\ntop_k = true\nforced_tool = "refused"\n'))
    found = catalog.resolve("mine/acme-1")
    assert isinstance(found, Resolution)
    assert catalog.manners(found.targets[0]) == (
        ("endpoint", "openai", ""),
        ("vendor", "mine", ""),
        ("late_system", "in_place", "https://acme.example/docs"),
        ("endpoints", ("openai",), 'proxy.tables: [models."acme-1"]'),
        ("stop", False, "proxy.tables"),
        ("forced_tool", "refused", '[capabilities."acme-*"]'),
        ("leading_system", "many", 'proxy.tables: [models."acme-1"]'),
    )


def test_an_override_of_tools_is_meant_of_model_and_server() -> None:
    known = profile("sonar-pro", {"sonar*": {"tools": True}}, vendor="perplexity")
    assert (known.tools, known.upstream.tools, known.upstream.alternates) == (True, True, True)


@pytest.mark.parametrize(
    ("facts", "problem"),
    [
        (None, 'proxy.tables: the file "facts.toml" is unreadable; a TOML file is wanted'),
        ("x =", "proxy.tables: line 1, column 4: not valid TOML: Invalid value"),
        ("[[profiles]]\nlate_system = 1", "proxy.tables.profiles[0].late_system: expected a string"),
        ('[[profiles]]\nlate_system = "x"', 'proxy.tables.profiles[0].late_system: expected "in_place"'),
        ('[[profiles]]\nendpoints = "x"', "proxy.tables.profiles[0].endpoints: "),
        ("[[profiles]]\nlate_sistem = 1", "proxy.tables.profiles[0].late_sistem: unknown key"),
        ('[models."x"]\nreasoning = "no"', 'proxy.tables.models.x.reasoning: expected "none"'),
        ("models = 1", "proxy.tables.models: "),
        ('[prices."x"]\ninput = -1', "proxy.tables.prices.x.input: expected USD"),
    ],
)
def test_what_is_wrong_with_a_tables_file_is_told(facts: str | None, problem: str) -> None:
    (found,) = problems(facts=facts)
    assert found.startswith(problem)


def test_check_shows_the_file_and_what_is_in_it() -> None:
    parsed = parse(FILE, secrets={"file:facts.toml": FACTS}, environ={})
    assert "Tables\n  facts.toml: 2 vendor profiles, 1 models, 1 prices\n" in describe_config(parsed)


def test_a_wrong_override_of_a_program_is_named() -> None:
    with pytest.raises(ValueError, match="forced_tool must be one of taken, by_word"):
        Catalog(Config(capabilities={"*": {"forced_tool": "x"}}))
