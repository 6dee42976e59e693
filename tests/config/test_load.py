"""`load_config`: one call from a text or a dict to what a `Gateway` takes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType
from typing import Any

import pytest

from agcore import Gateway, load_config
from agcore.config import ClientKey, Config, ConfigError, Limits, ModelRule, Secret
from agcore.config.parser import parse

TEXT = """
[proxy]
api_key = "file:client.key"

[limits]
max_json_mb = 1

[[providers]]
preset = "anthropic"
keys = ["env:MY_KEY", "sk-literal"]

[models]
"fast" = ["anthropic/claude-haiku-4-5", "anthropic/claude-sonnet-5"]
"""
DOCUMENT: dict[str, Any] = {
    "proxy": {"api_key": "file:client.key"},
    "limits": {"max_json_mb": 1},
    "providers": [{"preset": "anthropic", "keys": ["env:MY_KEY", "sk-literal"]}],
    "models": {"fast": ["anthropic/claude-haiku-4-5", "anthropic/claude-sonnet-5"]},
}


@pytest.mark.parametrize("source", [TEXT, DOCUMENT], ids=["text", "dict"])
def test_text_and_dict_give_the_same_config_that_a_gateway_takes(source: str | dict[str, Any]) -> None:
    config = load_config(source, environ={"MY_KEY": "sk-env"}, read_file={"client.key": "sk-client\n"}.__getitem__)
    assert config.proxy.keys == (ClientKey("default", Secret("sk-client")),)
    assert config.limits == Limits(max_json_mb=1)
    assert config.providers[0].keys == (Secret("sk-env"), Secret("sk-literal"))
    targets = ((("anthropic", "claude-haiku-4-5"),), (("anthropic", "claude-sonnet-5"),))
    assert config.models == (ModelRule("fast", targets),)
    assert Gateway(config, secret=bytes(32), now=0.0).config is config


def test_a_mapping_with_tuples_is_a_dict_with_lists() -> None:
    frozen = MappingProxyType({"providers": (MappingProxyType({"preset": "openai", "keys": ("sk-a",)}),)})
    assert load_config(frozen) == load_config({"providers": [{"preset": "openai", "keys": ["sk-a"]}]})


def test_a_dict_may_hold_dates_as_toml_does() -> None:
    keys = [{"name": "bob", "key": "sk-bob", "expires": date(2027, 1, 31)}]
    text = '[[proxy.keys]]\nname = "bob"\nkey = "sk-bob"\nexpires = 2027-01-31'
    assert load_config({"proxy": {"keys": keys}}) == load_config(text)


@pytest.mark.parametrize("source", ["", {}], ids=["text", "dict"])
def test_nothing_gives_the_defaults_and_reads_nothing(source: str | dict[str, Any], monkeypatch: Any) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-this-process")
    assert load_config(source) == Config()


def test_providers_come_from_the_environment_that_is_passed() -> None:
    assert [each.name for each in load_config("", environ={"OPENAI_API_KEY": "sk-a"}).providers] == ["openai"]


def test_a_reference_that_leads_nowhere_is_a_warning_or_a_problem_by_its_place() -> None:
    provider = {"providers": [{"preset": "openai", "keys": ["env:NONE", "file:none"]}]}
    warnings: list[str] = []
    assert load_config(provider, on_warning=warnings.append).providers[0].keys == ()
    assert warnings == [
        'providers[0].keys[0]: the environment variable "NONE" is not set; left out',
        'providers[0].keys[1]: the file "none" is unreadable or empty; left out',
        'providers[0]: provider "openai" has no key to use and will not answer; set keys = ["env:OPENAI_API_KEY"]',
    ]
    with pytest.raises(ConfigError, match=r'proxy\.api_key: the file "none" is unreadable or empty'):
        load_config({"proxy": {"api_key": "file:none"}})


@pytest.mark.parametrize(
    "error", [FileNotFoundError("no"), UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no"), KeyError("no")]
)
def test_a_file_that_cannot_be_read_is_one_that_is_not_there(error: Exception) -> None:
    def read_file(path: str) -> str:
        raise error

    warnings: list[str] = []
    load_config(
        {"providers": [{"preset": "openai", "keys": ["file:a"]}]}, read_file=read_file, on_warning=warnings.append
    )
    assert warnings[0] == 'providers[0].keys[0]: the file "a" is unreadable or empty; left out'


def problems(source: str | Mapping[Any, Any]) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_config(source)
    assert str(caught.value) == "\n".join(map(str, caught.value.problems))
    return [str(problem) for problem in caught.value.problems]


def test_all_problems_come_at_once_and_are_those_of_the_same_file() -> None:
    text = '[proxy]\nport = "x"\nprot = 1\n[timeouts]\nidle = -1\n[models]\na = "nowhere/b"\n'
    document = {"proxy": {"port": "x", "prot": 1}, "timeouts": {"idle": -1}, "models": {"a": "nowhere/b"}}
    assert problems(document) == problems(text)
    assert len(problems(document)) == 4


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ({1: {}}, "the configuration: expected strings as names, found a name of the type int"),
        ({"models": {b"a": "x/y"}}, "models: expected strings as names, found a name of the type bytes"),
        ({"limits": {"max_json_mb": None}}, "limits.max_json_mb: expected a number, found None"),
        ({"proxy": {"port": b"1"}}, "proxy.port: expected a port number, found a value of the type bytes"),
        ({"proxy": {"port": date(2027, 1, 1)}}, "proxy.port: expected a port number, found a date or time"),
        ({"proxy": None}, "proxy: expected a table, found None"),
    ],
)
def test_what_only_python_can_say_is_a_problem_too(document: dict[Any, Any], problem: str) -> None:
    assert problems(document) == [problem]


def test_a_dict_that_holds_itself_is_a_problem() -> None:
    document: dict[str, Any] = {}
    document["proxy"] = document
    assert problems(document) == ["the configuration: nested too deeply"]


def test_neither_text_nor_a_dict_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="TOML text or a dict, not bytes"):
        load_config(b"")  # type: ignore[arg-type]


def test_the_document_is_copied() -> None:
    document = {"capabilities": {"m*": {"tools": False}}}
    config = load_config(document)
    document["capabilities"]["m*"]["tools"] = True
    assert config.capabilities == {"m*": {"tools": False}}
    assert parse(document, secrets={}, environ={}).config.capabilities == {"m*": {"tools": True}}


def test_no_command_is_run() -> None:
    said: list[str] = []
    text = '[[providers]]\npreset = "openai"\nkeys = ["cmd:echo sk-x"]\n'
    config = load_config(text, read_file=lambda name: name, on_warning=said.append)
    assert config.providers[0].keys == ()
    assert said[0].startswith('providers[0].keys[0]: the command "echo sk-x" is not there, fails, or prints nothing')
