from fnmatch import fnmatchcase

import pytest

from agcore.codecs.url import is_loopback, parse_url
from agcore.config.parser import from_environment, parse
from agcore.config.presets import AUTH_NAMES, DEFAULT_AUTH, PRESETS
from agcore.config.values import DIALECT_NAMES


def owner(model: str) -> str:
    """The first preset, of those with models of their own, that claims a model."""
    for name, preset in PRESETS.items():
        if any(glob != "*" and fnmatchcase(model, glob) for glob in preset.models):
            return name
    return ""


def test_every_dialect_has_a_default_way_to_send_a_key() -> None:
    assert tuple(DEFAULT_AUTH) == DIALECT_NAMES
    assert set(DEFAULT_AUTH.values()) < set(AUTH_NAMES)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_speak_known_dialects_at_well_formed_urls(name: str) -> None:
    preset = PRESETS[name]
    assert preset.base_urls.keys() <= set(DIALECT_NAMES)
    assert preset.auth.keys() <= preset.base_urls.keys()
    assert preset.models
    for dialect, text in preset.base_urls.items():
        url = parse_url(text)
        assert url.shown == text
        assert preset.auth_for(dialect) in AUTH_NAMES
        # Plain http only towards this machine.
        assert (url.scheme == "http") == is_loopback(url.host)


@pytest.mark.parametrize("name", PRESETS)
def test_base_urls_have_the_version_for_openai_only(name: str) -> None:
    for dialect, url in PRESETS[name].base_urls.items():
        if not dialect.startswith("openai"):
            assert not url.endswith(("/v1", "/v1beta"))
        elif name not in ("zai", "perplexity", "deepinfra"):
            assert url.endswith("/v1")


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_alone_makes_a_provider_that_needs_no_further_setting(name: str) -> None:
    preset = PRESETS[name]
    keys = f'keys = ["{name}-key"]' if preset.key_needed else ""
    parsed = parse(f'[[providers]]\npreset = "{name}"\n{keys}', secrets={}, environ={})
    (provider,) = parsed.config.providers
    assert parsed.warnings == ()
    assert (provider.name, provider.preset, provider.models) == (name, name, preset.models)
    assert list(provider.dialect_names) == list(preset.base_urls)
    assert provider.signer == (preset.signer or name)


def test_keys_are_looked_for_where_they_can_be_needed() -> None:
    variables = [variable for preset in PRESETS.values() for variable in preset.environment]
    assert len(variables) == len(set(variables))
    assert {name for name, preset in PRESETS.items() if not preset.environment} == {
        name for name, preset in PRESETS.items() if not preset.key_needed
    }


def test_those_who_serve_everything_stand_after_those_with_models_of_their_own() -> None:
    general = [preset.models == ("*",) for preset in PRESETS.values()]
    assert general == sorted(general)


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("gpt-5.1", "openai"),
        ("o3-mini", "openai"),
        ("text-embedding-3-small", "openai"),
        ("whisper-1", "openai"),
        ("claude-haiku-4-5", "anthropic"),
        ("gemini-3-flash", "gemini"),
        ("text-embedding-004", "gemini"),
        ("glm-4.6v", "zai"),
        ("deepseek-chat", "deepseek"),
        ("codestral-latest", "mistral"),
        ("grok-4", "xai"),
        ("kimi-k2.5", "moonshot"),
        ("sonar", "perplexity"),
        ("command-a-03-2025", "cohere"),
        ("llama3.3:70b", ""),
    ],
)
def test_a_vendors_models_are_its_own(model: str, name: str) -> None:
    assert owner(model) == name


@pytest.mark.parametrize("name", [name for name, preset in PRESETS.items() if preset.environment])
def test_each_usual_variable_makes_the_provider(name: str) -> None:
    for variable in PRESETS[name].environment:
        (provider,) = from_environment({variable: "key-of-mine\n"}).config.providers
        assert provider.name == name
        assert [key.reveal() for key in provider.keys] == ["key-of-mine"]
        assert {each.auth for each in provider.endpoints.values()} <= {"bearer", "x-api-key", "x-goog-api-key"}
