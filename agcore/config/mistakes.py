"""Names, addresses and texts that cannot be what was meant, and what to write instead.

Each function takes one value and returns words, or an empty string where nothing looks wrong. None of them knows where
the value stands.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Final

import msgspec

from agcore.codecs.url import Url, is_loopback

_METHODS: Final = (
    *("/chat/completions", "/completions", "/responses", "/embeddings", "/images/generations", "/images/edits"),
    *("/audio/transcriptions", "/audio/speech", "/moderations", "/messages/count_tokens", "/messages", "/models"),
)
_GOOGLE_METHOD: Final = re.compile(r"(?:/v1(?:beta1?|alpha)?)?/(?:models|tunedModels)(?:/[^/]+)?$")
_AZURE: Final = re.compile(r"/openai/deployments/")
_OWN_NAMES: Final = (
    *(".local", ".internal", ".lan", ".home", ".home.arpa", ".localdomain", ".localhost", ".corp", ".intranet"),
    *(".private", ".test", ".ts.net", ".svc", ".cluster.local", ".docker.internal"),
)
_REGEX: Final = re.compile(r"(?<![0-9])\.[*+]|^\^|\$$|\\|\||\[[^\]]*-[^\]]*\]|\(\?|[)\]][*+?]")


def glob_advice(pattern: str) -> str:
    """What is said of a name or glob that is a regular expression."""
    if _REGEX.search(pattern) is None:
        return ""
    plain = re.sub(r"\.[*+]", "*", pattern.removeprefix("^").removesuffix("$")).replace("\\.", ".").replace("\\-", "-")
    hint = "" if _REGEX.search(plain) or any(char in plain for char in "()[]{}?+") else f'; write "{plain}"'
    return f"looks like a regular expression, but names are matched by globs, where * stands for anything{hint}"


def list_advice(text: str) -> str:
    """The list that was meant by a text with commas in it."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    shown = ", ".join(f'"{part}"' for part in parts)
    return f"several are a list: [{shown}]" if len(parts) > 1 else ""


def base_url_advice(dialect: str, url: Url) -> str:
    """What is said of a base URL that requests would not reach anything at."""
    path = url.path
    if _AZURE.search(path):
        return f"is the address of one deployment; write {_shown(url, '/openai/v1')}, and the deployment as the model"
    ending = next((end for end in _METHODS if path.endswith(end)), "")
    if not ending and (found := _GOOGLE_METHOD.search(path)):
        ending = found[0]
    if ending:
        base = path.removesuffix(ending)
        if not _is_openai(dialect):
            base = re.sub(r"/v1(?:beta1?|alpha)?$", "", base)
        return f"ends with {ending}, which requests add by themselves; write {_shown(url, base)}"
    if _is_openai(dialect):
        return "" if path else "has no path; servers that speak OpenAI usually want /v1 at its end"
    version = next((end for end in ("/v1", "/v1beta") if path.endswith(end)), "")
    return f"ends with {version}, which {dialect} requests add by themselves; leave it out" if version else ""


def in_the_clear(url: Url) -> str:
    """What is said of an address at which all the networks on the way can read along."""
    if url.scheme != "http" or not _is_public(url.host):
        return ""
    return f"keys and prompts would go to {url.host} unencrypted; write https:// in place of http://"


def other_format(text: str) -> str:
    """What a configuration that is no TOML looks like instead: `JSON`, `YAML`, or lines of a shell."""
    start = text.lstrip("\ufeff \t\r\n")
    if start.startswith("{") or re.match(r"\[\s*\{", start):
        return "JSON"
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if any(line.startswith("export ") for line in lines):
        return "a file for a shell"
    if any(re.match(r"\s*(?:- )?[\w.\"'-]+\s*=", line) for line in lines):
        return ""
    return "YAML" if any(re.match(r"---\s*$|\s*(?:- )?[\w.\"'-]+:(?:\s|$)|\s*- ", line) for line in lines) else ""


def bare_string(line: str) -> bool:
    """Whether a line of TOML has a value that lacks its quotes."""
    return re.match(r"\s*[\w.\"'-]+\s*=\s*(?!true|false|inf|nan)[A-Za-z/$~<*]", line) is not None


def _shown(url: Url, path: str) -> str:
    return f'"{msgspec.structs.replace(url, path=path).shown}"'


def _is_openai(dialect: str) -> bool:
    return dialect.startswith("openai")


def _is_public(host: str) -> bool:
    if is_loopback(host):
        return False
    try:
        return ip_address(host).is_global
    except ValueError:
        name = host.lower().rstrip(".")
        return "." in name and not name.endswith(_OWN_NAMES)
