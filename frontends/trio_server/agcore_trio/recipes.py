"""How clients reach a running gateway: lines to copy, for curl, the SDKs and the agents on the command line."""

from __future__ import annotations

import json
from typing import Final

import msgspec

from agcore_trio.samples import CHAT, CLAUDE, GEMINI, RESPONSES, SAMPLES, Sample

KEY: Final = "demo"
"""Stands where clients want a key; a gateway that is open on this machine takes any."""


class Recipe(msgspec.Struct, frozen=True):
    """What to copy."""

    title: str
    language: str
    """`sh` or `python`."""
    text: str


def recipes(url: str) -> tuple[Recipe, ...]:
    """Returns the recipes for a gateway at the base URL `url`."""
    codex = f'{{name = "agcore", base_url = "{url}/v1", wire_api = "responses"}}'
    return (
        *(Recipe(f"curl, {sample.protocol}", "sh", _curl(url, sample)) for sample in SAMPLES),
        Recipe("Python SDK of OpenAI", "python", _OPENAI.format(url=url, key=KEY, model=CHAT)),
        Recipe("Python SDK of Anthropic", "python", _ANTHROPIC.format(url=url, key=KEY, model=CLAUDE)),
        Recipe("Python SDK of Google", "python", _GOOGLE.format(url=url, key=KEY, model=GEMINI)),
        Recipe("Claude Code", "sh", f"ANTHROPIC_BASE_URL={url} ANTHROPIC_AUTH_TOKEN={KEY} claude"),
        Recipe(
            "Codex", "sh", f"codex -m {RESPONSES} -c model_provider=agcore \\\n  -c 'model_providers.agcore={codex}'"
        ),
        Recipe("Gemini CLI", "sh", f"GOOGLE_GEMINI_BASE_URL={url} GEMINI_API_KEY={KEY} gemini"),
    )


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
