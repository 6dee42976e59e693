from __future__ import annotations

from itertools import groupby

import pytest
from hypothesis import strategies as st

from agcore.config.presets import PRESETS
from agcore.config.values import Config, Endpoint, ModelRule, Provider
from agcore.models.known import KNOWN_IDS, profile
from agcore.protocol.http import Origin
from agcore.routing.catalog import _REMEMBERED, SERVERS_OF_WEIGHTS, Catalog, Miss, Resolution


def provider(name: str, *models: str, preset: str = "") -> Provider:
    endpoint = Endpoint("openai", Origin("https", f"{name}.example", 443), b"/v1", "bearer")
    return Provider(name=name, endpoints={"openai": endpoint}, models=models or ("*",), preset=preset)


def rule(pattern: str, *steps: str | list[str], dialect: str = "") -> ModelRule:
    """A line of `[models]` as one would write it, where a list is a pooled step."""
    pools = [[step] if isinstance(step, str) else step for step in steps]
    split = [[target.partition("/")[::2] for target in pool] for pool in pools]
    return ModelRule(pattern, tuple(map(tuple, split)), dialect)


def catalog(*providers: Provider, rules: tuple[ModelRule, ...] = ()) -> Catalog:
    return Catalog(Config(providers=providers, models=rules))


def where(found: Resolution | Miss) -> tuple[str, ...]:
    assert isinstance(found, Resolution)
    return tuple(f"{target.provider.name}/{target.model}" for target in found.targets)


def steps(found: Resolution | Miss) -> list[list[str]]:
    assert isinstance(found, Resolution)
    by_step = groupby(found.targets, key=lambda target: target.step)
    return [[f"{target.provider.name}/{target.model}" for target in pool] for _, pool in by_step]


def why(found: Resolution | Miss) -> str:
    assert isinstance(found, Resolution)
    return found.rule


USUAL = catalog(
    provider("openai", "gpt-*", "o3", preset="openai"),
    provider("anthropic", "claude-*", preset="anthropic"),
    provider("gemini", preset="gemini"),
    provider("router"),
    rules=(
        rule("gpt-4o", "gemini/gemini-3-flash"),
        rule("claude-*", "anthropic/claude-sonnet-4-5"),
        rule("claude-haiku-*", "router/z-ai/glm-4.5-air", "anthropic/claude-haiku-4-5"),
    ),
)


def test_a_line_of_models_beats_everything() -> None:
    found = USUAL.resolve("gpt-4o")
    assert where(found) == ("gemini/gemini-3-flash",)
    assert why(found) == '[models] "gpt-4o"'


def test_the_glob_with_the_most_literal_characters_wins_and_keeps_the_order_of_its_targets() -> None:
    found = USUAL.resolve("claude-haiku-4-5-20251001")
    assert where(found) == ("router/z-ai/glm-4.5-air", "anthropic/claude-haiku-4-5")
    assert why(found) == '[models] glob "claude-haiku-*"'


def test_of_equal_globs_the_earlier_line_wins() -> None:
    names = catalog(provider("p"), rules=(rule("a*", "p/first"), rule("*b", "p/second")))
    assert where(names.resolve("ab")) == ("p/first",)


def test_provider_and_model_go_there_slashes_and_all() -> None:
    found = USUAL.resolve("router/meta-llama/llama-4")
    assert where(found) == ("router/meta-llama/llama-4",)
    assert why(found) == "provider/model"


def test_models_is_consulted_before_provider_and_model() -> None:
    names = catalog(provider("p"), rules=(rule("p/*", "p/other"),))
    assert where(names.resolve("p/this")) == ("p/other",)


def test_the_first_provider_with_a_matching_model_gets_the_name_as_it_is() -> None:
    found = USUAL.resolve("gpt-4.1--x")
    assert where(found) == ("openai/gpt-4.1--x",)
    assert why(found) == 'providers "openai" models "gpt-*"'
    assert where(USUAL.resolve("o3")) == ("openai/o3",)
    assert where(USUAL.resolve("unheard-of")) == ("gemini/unheard-of",)


def test_later_providers_that_name_a_model_are_further_steps() -> None:
    made = catalog(
        provider("a", "x-*"), provider("b", "x-1"), provider("c"), provider("d", "y"), provider("e", "*", "**", "*-1")
    )
    assert steps(made.resolve("x-1")) == [["a/x-1"], ["b/x-1"], ["e/x-1"]]
    assert why(made.resolve("x-1")) == 'providers "a" models "x-*", then "b" models "x-1", then "e" models "*-1"'


def test_a_bare_star_serves_a_name_but_is_no_fallback() -> None:
    made = catalog(provider("a"), provider("b", "x"), provider("c"), provider("d", "**"))
    assert steps(made.resolve("x")) == [["a/x"], ["b/x"]]
    assert steps(made.resolve("y")) == [["a/y"]]
    assert why(made.resolve("y")) == 'providers "a" models "*"'


def test_a_name_with_its_provider_goes_nowhere_else() -> None:
    made = catalog(provider("a", "x"), provider("b", "x", "b/x"))
    assert steps(made.resolve("b/x")) == [["b/x"]]


def test_a_list_in_a_list_is_one_pooled_step() -> None:
    made = catalog(provider("p"), provider("q"), rules=(rule("x", ["p/a", "q/b"], "q/c", ["p/d", "p/e"]),))
    assert steps(made.resolve("x")) == [["p/a", "q/b"], ["q/c"], ["p/d", "p/e"]]
    found = made.resolve("x")
    assert isinstance(found, Resolution)
    assert [target.step for target in found.targets] == [0, 0, 1, 2, 2]


@pytest.mark.parametrize(
    ("asked", "there"),
    [
        ("claude-x", "claude-x"),
        ("p/claude-x", "claude-x"),
        ("q/claude-x", "claude-x"),
        ("p/a/claude-x", "a/claude-x"),
        ("stranger/claude-x", "stranger/claude-x"),
        ("p/", "p/"),
    ],
)
def test_a_star_for_a_model_is_the_name_asked_for_without_its_provider(asked: str, there: str) -> None:
    made = catalog(provider("p"), provider("q"), rules=(rule("*", "p/*", "q/glm"),))
    assert where(made.resolve(asked)) == (f"p/{there}", "q/glm")


def test_a_star_for_a_model_works_in_a_line_that_is_a_name() -> None:
    made = catalog(provider("p"), provider("q"), rules=(rule("x", ["p/*", "q/*"]), rule("q/y", "p/*")))
    assert where(made.resolve("x")) == ("p/x", "q/x")
    assert where(made.resolve("q/y")) == ("p/y",)


def test_a_target_that_stands_twice_stays_where_it_stands_first() -> None:
    line = rule("x*", ["p/*", "p/x1"], "p/x1", ["p/x2", "q/x2"], "p/*", "q/x1")
    made = catalog(provider("p"), provider("q"), rules=(line,))
    assert steps(made.resolve("x1")) == [["p/x1"], ["p/x2", "q/x2"], ["q/x1"]]
    assert steps(made.resolve("x2")) == [["p/x2", "p/x1"], ["q/x2"], ["q/x1"]]
    found = made.resolve("x2")
    assert isinstance(found, Resolution)
    assert [target.step for target in found.targets] == [0, 0, 1, 2]


DIALECTS = catalog(
    provider("p", "literal"),
    rules=(
        rule("x", "p/general"),
        rule("only-general", "p/general"),
        rule("claude-*", "p/general"),
        rule("claude-haiku-*", "p/general"),
        rule("x", "p/own", dialect="anthropic"),
        rule("claude-*", "p/own", dialect="anthropic"),
        rule("claude-haiku-4*", "p/own", dialect="anthropic"),
        rule("only-*", "p/own", dialect="anthropic"),
        rule("x", "p/responses", dialect="openai_responses"),
        rule("mine", "p/responses", dialect="openai_responses"),
    ),
)


@pytest.mark.parametrize(
    ("name", "there", "by"),
    [
        ("x", "p/own", '[models.anthropic] "x"'),
        ("only-general", "p/general", '[models] "only-general"'),
        ("only-x", "p/own", '[models.anthropic] glob "only-*"'),
        ("claude-opus", "p/own", '[models.anthropic] glob "claude-*"'),
        ("claude-haiku-5", "p/general", '[models] glob "claude-haiku-*"'),
        ("claude-haiku-45", "p/own", '[models.anthropic] glob "claude-haiku-4*"'),
        ("p/x", "p/x", "provider/model"),
        ("literal", "p/literal", 'providers "p" models "literal"'),
    ],
)
def test_clients_of_a_dialect_follow_its_lines_and_the_general_ones(name: str, there: str, by: str) -> None:
    found = DIALECTS.resolve(name, dialect="anthropic")
    assert (where(found), why(found)) == ((there,), by)


def test_all_others_follow_the_general_lines_only() -> None:
    assert DIALECTS.dialects == ("anthropic", "openai_responses")
    for dialect in ("", "openai", "gemini"):
        assert where(DIALECTS.resolve("x", dialect=dialect)) == ("p/general",)
        assert isinstance(DIALECTS.resolve("only-x", dialect=dialect), Miss)


def test_codex_lists_what_its_requests_can_reach() -> None:
    assert where(DIALECTS.resolve("x", dialect="codex")) == ("p/responses",)
    listed = DIALECTS.ids(dialect="codex")
    assert listed == DIALECTS.ids(dialect="openai_responses")
    assert "mine" in [entry.id for entry in listed]


def test_listings_and_near_names_are_those_of_the_dialect() -> None:
    general, own = DIALECTS.ids(), DIALECTS.ids(dialect="openai_responses")
    assert "mine" not in [entry.id for entry in general]
    assert [(entry.id, entry.model) for entry in own if entry not in general] == [
        ("x", "responses"),
        ("mine", "responses"),
    ]
    assert DIALECTS.listed("mine") is None
    assert DIALECTS.listed("mine", dialect="openai_responses") == own[-2]
    assert DIALECTS.resolve("minne") == Miss(())
    assert DIALECTS.resolve("minne", dialect="openai_responses") == Miss(("mine",))
    denied = DIALECTS.resolve("x", dialect="openai_responses", allowed=["mine"])
    assert denied == Miss((), denied=True)


def test_a_prefix_that_is_no_provider_is_part_of_the_name() -> None:
    assert where(USUAL.resolve("meta/llama")) == ("gemini/meta/llama",)


def test_a_bare_provider_is_no_model() -> None:
    names = catalog(provider("openai", "gpt-*"))
    assert isinstance(names.resolve("openai/"), Miss)
    assert isinstance(names.resolve("openai"), Miss)


def test_the_empty_name_goes_nowhere() -> None:
    assert USUAL.resolve("") == Miss(())


def test_a_miss_names_what_is_near_and_listed() -> None:
    names = catalog(provider("openai", "gpt-4o", "gpt-4o-mini", "o3", "Llama-4"))
    assert names.resolve("gpt-4o-mni") == Miss(("gpt-4o-mini", "gpt-4o"))
    assert names.resolve("nowhere/gpt-4o") == Miss(("gpt-4o",))
    assert names.resolve("a-long-way-off/gpt-4o") == Miss(("gpt-4o", "gpt-4o-mini"))
    assert names.resolve("llama-4") == Miss(("Llama-4",))
    assert names.resolve("zzz") == Miss(())


def test_a_miss_names_at_most_five() -> None:
    names = catalog(provider("p", *(f"model-{n}" for n in range(9))))
    found = names.resolve("model-x")
    assert isinstance(found, Miss)
    assert len(found.near) == 5


def test_a_miss_of_an_endless_name_is_answered_at_once() -> None:
    names = catalog(provider("openai", "gpt-*", preset="openai"))
    assert isinstance(names.resolve("x" * 1_000_000), Miss)


def test_an_allow_list_is_matched_with_and_without_the_provider() -> None:
    assert USUAL.allowed("claude-haiku-4-5", ["claude-*"])
    assert USUAL.allowed("anthropic/claude-haiku-4-5", ["claude-*"])
    assert USUAL.allowed("anthropic/claude-haiku-4-5", ["anthropic/*"])
    assert not USUAL.allowed("claude-haiku-4-5", ["anthropic/*"])
    assert not USUAL.allowed("stranger/claude-haiku-4-5", ["claude-*"])
    assert USUAL.allowed("anything", [])


def test_a_name_off_the_allow_list_is_denied_and_only_permitted_names_are_suggested() -> None:
    found = USUAL.resolve("claude-sonnet-4-5", allowed=["claude-sonnet-4-6", "gpt-*"])
    assert found == Miss(("claude-sonnet-4-6",), denied=True)
    assert where(USUAL.resolve("gpt-5", allowed=["gpt-*"])) == ("openai/gpt-5",)


def test_a_rule_for_a_provider_that_is_missing_is_an_error() -> None:
    with pytest.raises(ValueError, match=r'\[models\] "a" names the provider "q", which is not configured'):
        catalog(provider("p"), rules=(rule("a", "p/x", "q/y"),))
    with pytest.raises(ValueError, match=r'\[models.gemini\] glob "a\*" names the provider "q"'):
        catalog(provider("p"), rules=(rule("a*", "p/x", ["p/y", "q/*"], dialect="gemini"),))


def test_a_capability_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(ValueError, match=r'\[capabilities."my-\*"\] visoin is none of'):
        Catalog(Config(capabilities={"my-*": {"visoin": True}}))


def test_listings_show_aliases_then_literal_names_then_what_globs_match() -> None:
    names = catalog(
        provider("openai", "my-model", "o3*"),
        rules=(rule("fast", "openai/gpt-4.1"), rule("claude-haiku-*", "openai/gpt-4.1")),
    )
    assert [entry.id for entry in names.ids()] == ["fast", "claude-haiku-5-5", "claude-haiku-4-5", "my-model", "o3"]


def test_a_listed_alias_has_its_own_name_and_the_profile_of_what_answers() -> None:
    entry = USUAL.ids()[0]
    assert (entry.id, entry.provider, entry.model) == ("gpt-4o", "gemini", "gemini-3-flash")
    assert entry.display_name == "gpt-4o"
    assert entry.profile == profile("gemini-3-flash")


def test_a_listed_model_under_its_own_id_has_the_vendors_name() -> None:
    entry = USUAL.listed("gpt-4.1")
    assert entry is not None
    assert entry.display_name == "GPT-4.1"


def test_models_their_vendor_no_longer_serves_are_listed_only_by_name() -> None:
    assert "dall-e-3" not in [entry.id for entry in catalog(provider("p", "dall-e-*")).ids()]
    assert [entry.id for entry in catalog(provider("p", "dall-e-3")).ids()] == ["dall-e-3"]


def test_a_bare_star_lists_the_presets_vendor_or_nothing() -> None:
    listed = catalog(provider("mine", preset="gemini")).ids()
    assert {entry.profile.vendor for entry in listed} == {"google"}
    assert catalog(provider("mine", preset="openrouter")).ids() == ()
    assert catalog(provider("mine")).ids() == ()
    assert catalog(provider("mine"), rules=(rule("*", "mine/x"),)).ids() == ()


def test_a_glob_of_an_aggregator_lists_what_it_matches() -> None:
    listed = catalog(provider("router", "claude-sonnet-*", preset="openrouter")).ids()
    assert [entry.id for entry in listed] == [
        "claude-sonnet-5-5",
        "claude-sonnet-5",
        "claude-sonnet-4-6",
        "claude-sonnet-4-5",
    ]


@pytest.mark.parametrize("server", sorted(SERVERS_OF_WEIGHTS))
def test_a_glob_of_a_server_of_weights_lists_no_names_of_the_table(server: str) -> None:
    local = provider("local", "qwen*", "my-own", preset=server)
    assert [entry.id for entry in catalog(local).ids()] == ["my-own"]
    assert catalog(provider("local", "none", preset=server), rules=(rule("qwen*", "local/*"),)).ids()[0].id == "none"
    chosen = catalog(provider("local", "none", preset=server), rules=(rule("claude-haiku-*", "local/mine"),)).ids()
    assert "claude-haiku-4-5" in [entry.id for entry in chosen]  # for which it is asked for something it has
    told = catalog(local).ids(offered={"local": ("qwen3:8b", "llama3")})
    assert [entry.id for entry in told] == ["my-own", "qwen3:8b"]


def test_every_vendor_of_a_preset_has_models() -> None:
    assert {preset.vendor for preset in PRESETS.values() if preset.vendor} <= {
        profile(name).vendor for name in KNOWN_IDS
    }


def test_a_shadowed_model_is_listed_once_where_it_really_goes() -> None:
    listed = catalog(provider("a", "gpt-4o"), provider("b", "gpt-4o", "o3")).ids()
    assert [(entry.id, entry.provider) for entry in listed] == [("gpt-4o", "a"), ("o3", "b")]


def test_an_allow_list_shortens_the_listing() -> None:
    listed = USUAL.ids(allowed=["gpt-5*"])
    assert listed
    assert all(entry.id.startswith("gpt-5") for entry in listed)
    assert USUAL.listed("gpt-4o", allowed=["gpt-5*"]) is None
    assert catalog(provider("p", "x")).listed("y") is None


def test_overrides_reach_the_listing() -> None:
    config = Config(providers=(provider("p", "my-1"),), capabilities={"my-*": {"context_window": 5, "vision": False}})
    entry = Catalog(config).ids()[0]
    assert (entry.profile.context_window, entry.profile.vision) == (5, False)
    assert Catalog(config).profile("my-2").context_window == 5


words = st.sampled_from(["gpt", "claude", "o3", "-", "4", "*", "5", "/", "p1", "gemini-*", "gpt-4o", "claude-*"])
names = st.lists(words, min_size=1, max_size=4).map("".join)


asked = st.sampled_from(["gpt", "gpt-4o", "gpt-4", "p/gpt", "q/gpt-4o", "agpt", "zzz"])


def test_more_names_than_are_remembered_lead_where_they_did() -> None:
    found = [USUAL.resolve(f"anthropic/claude-{number}") for number in range(_REMEMBERED + 2)]
    assert all(isinstance(each, Resolution) for each in found)
    assert USUAL.resolve("anthropic/claude-0") == found[0]
