"""How clients reach a gateway: lines to copy, for curl, the SDKs and the agents on the command line.

What each client is set by stands here once: the demo's lines, the README's and those of `agcore env` come from it.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from agcore_cli.samples import CHAT, CLAUDE, GEMINI, SAMPLES, Sample

KEY: Final = "demo"
"""Stands where clients want a key; a gateway that is open on this machine takes any."""


class Recipe(msgspec.Struct, frozen=True):
    """What to copy."""

    title: str
    language: str
    """`sh` or `python`."""
    text: str
    remark: str = ""
    """What else is needed, for people: no part of what is pasted."""


class Client(msgspec.Struct, frozen=True):
    """A client that takes its gateway from the environment's variables."""

    title: str
    command: str
    """How it is started; empty for a library."""
    variables: Mapping[str, str]
    """Name -> value, with `{url}` for the gateway's base URL and `{key}` for the client key."""
    remark: str = ""
    """What cannot be set by variables."""
    options: Mapping[str, str] = {}
    """Further variables, for a shell that is set up for good."""
    rivals: tuple[str, ...] = ()
    """Variables that lead elsewhere, or show another key, if they are set as well."""


CLIENTS: Final[Mapping[str, Client]] = {
    "claude": Client(
        "Claude Code",
        "claude",
        {"ANTHROPIC_BASE_URL": "{url}", "ANTHROPIC_AUTH_TOKEN": "{key}"},
        # Its list of models is the gateway's then: https://code.claude.com/docs/en/llm-gateway.
        options={"CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY": "1"},
        # By order of precedence: https://code.claude.com/docs/en/iam.
        rivals=(
            *("CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CODE_USE_VERTEX", "CLAUDE_CODE_USE_FOUNDRY"),
            *("ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN"),
        ),
    ),
    "codex": Client("Codex", "codex", {"AGCORE_API_KEY": "{key}"}),
    "gemini": Client(
        "Gemini CLI",
        "gemini",
        {"GOOGLE_GEMINI_BASE_URL": "{url}", "GEMINI_API_KEY": "{key}"},
        # With a base URL it takes to a way of logging in that shows no key, and that `gemini -p` calls invalid.
        'It needs {"security": {"auth": {"selectedType": "gemini-api-key"}}} in ~/.gemini/settings.json.',
        # google-genai takes GOOGLE_API_KEY before GEMINI_API_KEY, and Vertex AI before either.
        rivals=("GOOGLE_API_KEY", "GOOGLE_GENAI_USE_VERTEXAI", "GOOGLE_GENAI_USE_GCA"),
    ),
    "openai": Client(
        "the SDKs of OpenAI",
        "",
        {"OPENAI_BASE_URL": "{url}/v1", "OPENAI_API_KEY": "{key}"},
        rivals=("OPENAI_API_BASE", "OPENAI_API_TYPE"),
    ),
}
"""By the name that `agcore env` takes. Codex has its address from a file, see `codex_settings`."""


def variables(client: str, url: str, key: str) -> dict[str, str]:
    """Returns the variables that point one of `CLIENTS` at the gateway at the base URL `url`."""
    return {name: value.format(url=url, key=key) for name, value in CLIENTS[client].variables.items()}


def codex_settings(url: str, *, key_variable: str) -> str:
    """Returns the lines for Codex's `config.toml`; without `key_variable` it shows no key."""
    settings = _codex_provider(url) | ({"env_key": key_variable} if key_variable else {})
    lines = "".join(f"\n{name} = {json.dumps(value)}" for name, value in settings.items())
    return f'model_provider = "agcore"\n\n[model_providers.agcore]{lines}'


def _set_in_sh(name: str, value: str) -> str:
    return f"export {name}={shlex.quote(value)}"


def _set_in_fish(name: str, value: str) -> str:
    # Between single quotes, fish gives a meaning to the backslash and the quote only.
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"set -gx {name} '{escaped}'"


def _set_in_powershell(name: str, value: str) -> str:
    escaped = value.replace("'", "''")
    return f"$env:{name} = '{escaped}'"


def _unset_in_sh(name: str) -> str:
    return f"unset {name}"


def _unset_in_fish(name: str) -> str:
    return f"set -e {name}"


def _unset_in_powershell(name: str) -> str:
    return f"Remove-Item Env:{name} -ErrorAction SilentlyContinue"


class Shell(msgspec.Struct, frozen=True):
    """How a shell takes over what a command prints. Everywhere, `#` starts a comment."""

    set_variable: Callable[[str, str], str]
    """Name and value -> the statement that sets the variable for the programs it starts."""
    unset_variable: Callable[[str], str]
    """Name -> the statement that takes the variable away."""
    take_over: str
    """The line that runs the statements which `{command}` prints."""


SHELLS: Final[Mapping[str, Shell]] = {
    "sh": Shell(_set_in_sh, _unset_in_sh, 'eval "$({command})"'),
    "bash": Shell(_set_in_sh, _unset_in_sh, 'eval "$({command})"'),
    "zsh": Shell(_set_in_sh, _unset_in_sh, 'eval "$({command})"'),
    "fish": Shell(_set_in_fish, _unset_in_fish, "{command} | source"),
    "powershell": Shell(_set_in_powershell, _unset_in_powershell, "{command} | Out-String | Invoke-Expression"),
    "pwsh": Shell(_set_in_powershell, _unset_in_powershell, "{command} | Out-String | Invoke-Expression"),
}
"""By the name that `agcore env --shell` takes."""


def recipes(url: str) -> tuple[Recipe, ...]:
    """Returns the recipes for a gateway at the base URL `url`."""
    codex = ", ".join(f"{name} = {json.dumps(value)}" for name, value in _codex_provider(url).items())
    return (
        *(Recipe(f"curl, {sample.protocol}", "sh", _curl(url, sample)) for sample in SAMPLES),
        Recipe("Python SDK of OpenAI", "python", _OPENAI.format(url=url, key=KEY, model=CHAT)),
        Recipe("Python SDK of Anthropic", "python", _ANTHROPIC.format(url=url, key=KEY, model=CLAUDE)),
        Recipe("Python SDK of Google", "python", _GOOGLE.format(url=url, key=KEY, model=GEMINI)),
        _started_with_variables("claude", url),
        Recipe(
            CLIENTS["codex"].title,
            "sh",
            f"codex -c model_provider=agcore \\\n  -c 'model_providers.agcore={{{codex}}}'",
        ),
        _started_with_variables("gemini", url),
    )


def _started_with_variables(client: str, url: str) -> Recipe:
    settings = (f"{name}={shlex.quote(value)}" for name, value in variables(client, url, KEY).items())
    known = CLIENTS[client]
    return Recipe(known.title, "sh", " ".join((*settings, known.command)), known.remark)


def _codex_provider(url: str) -> dict[str, str]:
    return {"name": "agcore", "base_url": f"{url}/v1", "wire_api": "responses"}


_OPENAI: Final = """\
from openai import OpenAI
client = OpenAI(base_url="{url}/v1", api_key="{key}")
answer = client.chat.completions.create(model="{model}", messages=[{{"role": "user", "content": "Hello"}}])
print(answer.choices[0].message.content)"""

_ANTHROPIC: Final = """\
from anthropic import Anthropic
client = Anthropic(base_url="{url}", api_key="{key}")
answer = client.messages.create(model="{model}", max_tokens=1024, messages=[{{"role": "user", "content": "Hello"}}])
print(answer.content[0].text)"""

_GOOGLE: Final = """\
from google import genai
client = genai.Client(api_key="{key}", http_options={{"base_url": "{url}"}})
print(client.models.generate_content(model="{model}", contents="Hello").text)"""


def _curl(url: str, sample: Sample) -> str:
    body = json.dumps(sample.body, ensure_ascii=False)
    return f"curl -N '{url}{sample.target}' -H 'content-type: application/json' \\\n  -d '{body}'"
