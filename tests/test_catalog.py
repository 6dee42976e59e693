from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agcore.catalog import PRESET_VENDORS, Catalog, Miss, Resolution
from agcore.config import Config, Endpoint, ModelRule, Provider
from agcore.effects import Origin
from agcore.profiles import KNOWN_IDS, profile


def provider(name: str, *models: str, preset: str = "") -> Provider:
    endpoint = Endpoint("openai", Origin("https", f"{name}.example", 443), b"/v1", "bearer")
    return Provider(name=name, endpoints={"openai": endpoint}, models=models or ("*",), preset=preset)


def rule(pattern: str, *targets: str) -> ModelRule:
    return ModelRule(pattern, tuple((name, model) for name, _, model in (t.partition("/") for t in targets)))


def catalog(*providers: Provider, rules: tuple[ModelRule, ...] = ()) -> Catalog:
    return Catalog(Config(providers=providers, models=rules))


def where(found: Resolution | Miss) -> tuple[str, ...]:
    assert isinstance(found, Resolution)
    return tuple(f"{target.provider.name}/{target.model}" for target in found.targets)


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


def test_every_vendor_of_a_preset_has_models() -> None:
    assert set(PRESET_VENDORS.values()) <= {profile(name).vendor for name in KNOWN_IDS}


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
provider_lists = st.lists(st.tuples(st.lists(names, min_size=1, max_size=3), st.sampled_from(["", *PRESET_VENDORS])))
rule_maps = st.dictionaries(names, st.lists(names.map(lambda n: n.replace("*", "x")), min_size=1, max_size=2))


def build(provider_list: list[tuple[list[str], str]], rules: dict[str, list[str]]) -> Catalog:
    providers = [provider(f"p{n}", *models, preset=preset) for n, (models, preset) in enumerate(provider_list)]
    providers.append(provider("last", "only-this"))
    return Catalog(
        Config(
            providers=tuple(providers),
            models=tuple(rule(name, *(f"last/{model}" for model in models)) for name, models in rules.items()),
        )
    )


@given(provider_list=provider_lists, rules=rule_maps)
def test_every_listed_name_is_listed_once_and_resolves_to_what_the_list_says(
    provider_list: list[tuple[list[str], str]], rules: dict[str, list[str]]
) -> None:
    made = build(provider_list, rules)
    listed = made.ids()
    assert len({entry.id for entry in listed}) == len(listed)
    for entry in listed:
        assert where(made.resolve(entry.id))[0] == f"{entry.provider}/{entry.model}"
        assert made.listed(entry.id) == entry


@given(provider_list=provider_lists, rules=rule_maps, name=names)
def test_the_order_of_models_lines_matters_only_between_equal_globs(
    provider_list: list[tuple[list[str], str]], rules: dict[str, list[str]], name: str
) -> None:
    lengths = [len(key) - key.count("*") for key in rules if "*" in key]
    backwards = dict(reversed(rules.items()))
    one, other = build(provider_list, rules).resolve(name), build(provider_list, backwards).resolve(name)
    assert one == build(provider_list, rules).resolve(name)
    if len(set(lengths)) == len(lengths) and isinstance(one, Resolution):
        assert one == other


@given(provider_list=provider_lists, rules=rule_maps, name=names, allow=st.lists(names, max_size=2))
def test_an_allow_list_only_takes_away(
    provider_list: list[tuple[list[str], str]], rules: dict[str, list[str]], name: str, allow: list[str]
) -> None:
    made = build(provider_list, rules)
    found = made.resolve(name, allowed=allow)
    if isinstance(found, Resolution):
        assert found == made.resolve(name)
    assert set(made.ids(allowed=allow)) <= set(made.ids())
