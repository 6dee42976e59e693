"""`agcore env`: what points a client at a gateway, as statements for a shell.

Statements come first and comments last, so that `eval` takes over the former even where someone forgot its quotes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from agcore.config import PRESETS, Config, Proxy, Url, is_loopback
from agcore_cli.recipes import CLIENTS, KEY, SHELLS, codex_settings, variables
from agcore_host.run_files import seen_from_here
from agcore_host.settings import SettingsError

_PROXIES: Final = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")
_EXEMPTIONS: Final = ("NO_PROXY", "no_proxy")
_HERE: Final = ("127.0.0.1", "localhost", "::1")


class Target(msgspec.Struct, frozen=True):
    """The gateway that a client is pointed at."""

    url: str
    key: str
    """The client key; empty where none is configured."""
    origin: str
    """Which gateway that is, for people."""


def target(config: Config, origin: str, *, now: float, running_at: str = "") -> Target:
    """The gateway of a configuration: at `public_url`, or where it listens, as seen from this machine.

    Args:
        config: what it goes by.
        origin: which gateway that is, for people.
        now: seconds since the epoch; a key that has expired is not shown while there is another one.
        running_at: its base URL, where it is known to run.

    Raises:
        SettingsError: the port is chosen anew at each start.
    """
    proxy = config.proxy
    if not (proxy.public_url or proxy.port or running_at):
        raise SettingsError("the address is not known before the start, because proxy.port is 0", ["choose a port"])
    lasting = [key for key in proxy.keys if key.expires is None or now < key.expires]
    key = next(iter((*lasting, *proxy.keys)), None)
    return Target(proxy.public_url or running_at or _listens_at(proxy), "" if key is None else key.key.reveal(), origin)


def lines(client: str, shell: str, gateway: Target, *, command: str, environ: Mapping[str, str]) -> list[str]:
    """What `agcore env` prints: one of `CLIENTS` set up by one of `SHELLS`.

    Args:
        client: the client's name.
        shell: the shell's name.
        gateway: what it is pointed at.
        command: the command that prints these lines, to be quoted in them.
        environ: the shell's variables.
    """
    url, speech = gateway.url, SHELLS[shell]
    settings = variables(client, url, gateway.key or KEY)
    comments = [f"The gateway is {gateway.origin}."]
    if client == "codex":
        if not gateway.key:
            settings = {}
        comments += ["Codex reads the address from ~/.codex/config.toml; write there:", ""]
        comments += codex_settings(url, key_variable=next(iter(settings), "")).splitlines()
        comments += ["", "The key comes from the variable above." if settings else "No key is needed."]
    if settings:
        take_over = speech.take_over.format(command=command)
        comments.append(f"To set up {CLIENTS[client].title} in this shell: {take_over}")
    if CLIENTS[client].remark:
        comments.append(CLIENTS[client].remark)
    comments += [
        f"From then on {name} holds the gateway's client key here: start `agcore serve` from another shell."
        for name in settings
        if any(name in preset.environment for preset in PRESETS.values())
    ]
    if url.startswith("https:"):
        comments.append(
            "A certificate that this machine does not trust is named to clients by NODE_EXTRA_CA_CERTS (on Node.js) "
            "or SSL_CERT_FILE."
        )
    settings |= CLIENTS[client].options
    exemptions = _exempted(url, environ)
    if exemptions:
        comments.append("This shell has a proxy, which would be sent the key and the prompts but for NO_PROXY.")
    statements = [speech.unset_variable(name) for name in CLIENTS[client].rivals if environ.get(name)]
    statements += [speech.set_variable(name, value) for name, value in (settings | exemptions).items()]
    # The command quotes the name of a file, which may have any character in it.
    commented = (line for comment in comments for line in comment.splitlines() or [""])
    return [*statements, *(f"# {line}".rstrip() for line in commented)]


def overrides(client: str, environ: Mapping[str, str]) -> list[str]:
    """Sentences about settings of the client's own files that go before its variables."""
    return list(_claude_overrides(environ)) if client == "claude" else []


def _claude_overrides(environ: Mapping[str, str]) -> Iterator[str]:
    # Settings files and their order: https://code.claude.com/docs/en/settings.
    home = environ.get("HOME") or environ.get("USERPROFILE")
    user = environ.get("CLAUDE_CONFIG_DIR") or (str(Path(home, ".claude")) if home else "")
    files = [Path(user, "settings.json")] if user else []
    names = {*CLIENTS["claude"].variables, *CLIENTS["claude"].rivals}
    for file in (*files, Path(".claude/settings.json"), Path(".claude/settings.local.json")):
        try:
            settings = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        written = settings.get("env") if isinstance(settings, dict) else None
        found = sorted(names.intersection(written)) if isinstance(written, dict) else []
        found += ["apiKeyHelper"] if isinstance(settings, dict) and settings.get("apiKeyHelper") else []
        if found:
            yield f"{file} sets {', '.join(found)}, which goes before what is printed here; take it out of there"


def _exempted(url: str, environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that keep clients from sending what is for the gateway to a proxy of the environment."""
    if not any(environ.get(name) or environ.get(name.lower()) for name in _PROXIES):
        return {}
    host = urlsplit(url).hostname or ""
    wanted = _HERE if is_loopback(host) else (host,)
    # Some programs read the one and some the other; what either has is meant for both.
    known = [entry.strip() for name in _EXEMPTIONS for entry in environ.get(name, "").split(",") if entry.strip()]
    if "*" in known:
        return {}
    value = ",".join(dict.fromkeys((*known, *wanted)))
    return {name: value for name in _EXEMPTIONS if environ.get(name) != value}


def _listens_at(proxy: Proxy) -> str:
    return seen_from_here(Url("", "https" if proxy.tls_cert else "http", proxy.host, proxy.port, "").shown)
