"""Names of models, against any providers and any `[models]`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agcore.codecs.globs import is_glob, literal_length, matches
from agcore.config.presets import PRESETS
from agcore.config.values import DIALECT_NAMES, Config, ModelRule
from agcore.routing.catalog import Catalog, Resolution
from tests.routing.test_catalog import asked, catalog, names, provider, rule, where, why

provider_lists = st.lists(st.tuples(st.lists(names, min_size=1, max_size=3), st.sampled_from(["", *PRESETS])))

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


targets = st.builds("{}/{}".format, st.sampled_from(["p", "q", "r"]), st.sampled_from(["*", "gpt", "gpt-4o", "x/y"]))

lines = st.builds(
    lambda pattern, chain, dialect: rule(pattern, *chain, dialect=dialect),
    st.sampled_from(["gpt*", "*gpt", "gpt-*", "*", "**", "g*t-*", "gpt", "gpt-4o", "gpt-4*", "p/*", "p/gpt"]),
    st.lists(targets | st.lists(targets, min_size=1, max_size=3), min_size=1, max_size=3),
    st.sampled_from(["", "", "anthropic", "gemini"]),
)

dialects = st.sampled_from(["", *DIALECT_NAMES, "codex"])


@given(rules=st.lists(lines, max_size=8), name=asked, dialect=dialects)
def test_names_come_first_then_literal_characters_then_the_dialects_own_line_then_the_earlier(
    rules: list[ModelRule], name: str, dialect: str
) -> None:
    def rank(line: ModelRule) -> tuple[bool, int, bool, int]:
        return is_glob(line.pattern), -literal_length(line.pattern), not line.dialect, rules.index(line)

    found = catalog(provider("p", "nothing"), provider("q", "nothing"), provider("r", "nothing"), rules=tuple(rules))
    fitting = [line for line in rules if line.dialect in ("", dialect) and matches(line.pattern, name)]
    if not fitting:
        assert name.startswith(("p/", "q/")) == isinstance(found.resolve(name, dialect=dialect), Resolution)
        return
    best = min(fitting, key=rank)
    table = f"[models.{best.dialect}]" if best.dialect else "[models]"
    assert why(found.resolve(name, dialect=dialect)) in (f'{table} "{best.pattern}"', f'{table} glob "{best.pattern}"')
    first, model = best.steps[0][0]
    expected = name.removeprefix("p/").removeprefix("q/") if model == "*" else model
    assert where(found.resolve(name, dialect=dialect))[0] == f"{first}/{expected}"


@given(rules=st.lists(lines, max_size=8), name=asked, dialect=dialects, own=st.lists(names, min_size=1, max_size=3))
def test_a_resolution_counts_its_steps_without_gaps_and_repeats_no_target(
    rules: list[ModelRule], name: str, dialect: str, own: list[str]
) -> None:
    providers = (provider("p", *own), provider("q", "gpt*"), provider("r", "*", "gpt-4o"))
    found = catalog(*providers, rules=tuple(rules)).resolve(name, dialect=dialect)
    assert found == catalog(*providers, rules=tuple(rules)).resolve(name, dialect=dialect)
    assert isinstance(found, Resolution)
    numbers = [target.step for target in found.targets]
    assert numbers == sorted(numbers)
    assert set(numbers) == set(range(max(numbers) + 1))
    assert len(set(where(found))) == len(found.targets)
