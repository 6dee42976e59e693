"""`agcore init`: a first configuration, with every setting in its place.

What must be in effect is in effect: a client key, and a provider for each API key that the environment has. All the
rest stands behind `#`, at its default or as an example, so that the file is also the reference for whoever edits it.
"""

from __future__ import annotations

import os
import secrets
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from agcore.config import CLIENT_KEY_PREFIX, PRESETS, fits_header
from agcore_host import places, trust
from agcore_host.settings import SettingsError, reason

_TEMPLATE: Final = """\
# The configuration of agcore. `agcore check` says what it means, or all that is wrong with it.
#
# A "#" without a space after it hides a setting: at its default, or as an example. Remove the "#" to put it in effect.
# Secrets are written as "env:NAME", "file:PATH" (relative to this file), "cmd:COMMAND" (what a command prints, run
# without a shell) or literally. Whoever reads the client key below can use your providers: keep this file to yourself.

[proxy]
# The key that clients show. Requests from this machine may come without, as long as auth_mode is "auto".
api_key = "{key}"
#host = "127.0.0.1"
#port = 8045
# Who needs a key: "auto" (other machines do), "all_except_health", "strict" (for health checks too), "off".
#auth_mode = "auto"
# Opens /admin and the admin API. Without one they are for this machine alone.
#admin_key = ""
# Listens on all interfaces when true; every request but health checks then needs a key.
#allow_lan_access = false
# Further names in `Host`; addresses and localhost always pass.
#allowed_hosts = []
# Web pages that may use the gateway: "http://localhost:3000", "null", "scheme://*".
#cors_origins = []
# How clients reach the gateway, where that is not the address it listens on.
#public_url = ""
# What to do when a request cannot be translated without loss: "report" or "reject".
#on_loss = "report"
# A TOML file of vendor profiles, models and prices, over the shipped tables.
#tables = ""
# An outbound proxy: http://, https:// or socks5://. HTTPS_PROXY, ALL_PROXY and NO_PROXY are read too.
#proxy_url = ""
# CAs for all providers, beside the usual ones. SSL_CERT_FILE and SSL_CERT_DIR are read too.
#ca_file = ""
# Both, to serve HTTPS: files in PEM.
#tls_cert = ""
#tls_key = ""

# Further client keys, as many as you like.
#[[proxy.keys]]
#name = "alice"
#key = "env:ALICE_KEY"
#models = ["claude-*"]
#expires = 2099-12-31
#rpm = 60
#tpm = 100000
#concurrency = 4
#admin = false

# In seconds.
[timeouts]
#header = 15
#body_idle = 60
#write = 60
#connect = 10
# Until an upstream's answer begins, for each attempt. A provider may have its own (first_byte); the presets of local
# servers have an hour.
#first_byte = 570
# Until the first content, all attempts together. A stream that moves has no limit.
#request = 600
# Between two pieces of a stream.
#idle = 300
# A stream that is still silent is opened after this long, and kept alive every so often.
#open_after = 10
#ping = 15
#keepalive = 75
#pool_idle = 60
#drain = 30
#drain_grace = 0

[limits]
#max_body_mb = 100
#max_json_mb = 32
#max_header_kb = 32
#max_headers = 100
#max_connections = 1000
#max_buffered_mb = 512

[retry]
#attempts = 4
# Seconds that a request may wait for a limited or overloaded key, with keepalives on a stream, before it is refused.
#patience = 0

[pool]
# Keeps what is known of keys (limits, cooldowns) across restarts.
#state_file = ""

# Providers, in the order in which a model's name looks for one. Once any is in effect here, the environment adds none.
{providers}
# Any other server that speaks one of the protocols: "openai", "openai_completions", "openai_responses", "anthropic",
# "gemini", or a list of them. With several, base_url may be a table by dialect.
#[[providers]]
#name = "mine"
#dialect = "openai"
#base_url = "http://127.0.0.1:9000/v1"
#auth = "bearer"
#headers = {{}}
#ca_file = ""
#proxy_url = ""
#keys = ["env:MY_KEY", "env:MY_KEY_2"]
#models = ["my-*"]
#strategy = "sticky"
#weight = 1
#first_byte = 600

# What clients ask for -> where it goes. Several targets are tried in order.
#[models]
#"small" = "mine/my-small-model"
#"claude-haiku-*" = ["mine/my-small-model", "mine/my-large-model"]

# What models can do, and what their server takes, where the tables do not know. `agcore models NAME` shows both.
#[capabilities."my-model-*"]
#sampling = false
#late_system = "in_place"

# MCP servers, at /mcp/NAME/mcp of the gateway. auth = "key" shows them the key that stands here.
#[mcp.web_search_prime]
#url = "https://api.z.ai/api/mcp/web_search_prime/mcp"
#key = "env:ZAI_API_KEY"
#auth = "key"
#[mcp.zai-mcp-server]
#builtin = "vision"
#model = "mine/my-vision-model"
#file_roots = []

[record]
# A directory for traces; none are kept by default.
#dir = ""
"""


def write(named: str | None, environ: Mapping[str, str], *, here: bool, force: bool) -> list[str]:
    """Writes a first configuration, and trusts it where it is the working directory's.

    Args:
        named: the path that the user gave; None for the user's file.
        environ: says where that is, and which providers there are keys for.
        here: it is for the working directory.
        force: overwrite what is there.

    Returns:
        The lines that say what was done, and what comes next.

    Raises:
        SettingsError: it is there already, or cannot be written.
    """
    path = places.user_file(environ) if named is None else Path(named)
    if here:
        path = Path(places.FILE_NAME)
    if path is None:
        raise SettingsError("there is no home directory for the user's configuration", ["name a file with --config"])
    state = places.state_dir(environ)
    if here and state is None:
        raise SettingsError(f"{path} could not be trusted: {places.NO_STATE_DIR}")
    found = found_providers(environ)
    try:
        write_private(path, render(new_key(), found), replace=force)
    except OSError as error:
        if isinstance(error, FileExistsError) and path.exists():
            hint = "to overwrite it, and lose its client key, use --force"
            raise SettingsError(f"{path} is there already", [hint]) from None
        raise SettingsError(f"cannot write {path}: {reason(error)}") from None
    said = [f"wrote {path}, with a new client key" + ("" if os.name == "nt" else "; only you can read it")]
    if here and state is not None:
        said.append(trusted(path, state))
    providers = ", ".join(f"{name} ({variable})" for name, variable in found.items())
    words = "" if named is None else f" --config {shlex.quote(named)}"
    said.append(f"providers: {providers or 'none, as the environment has no API key; until then the demo answers'}")
    return [*said, "next:", f"  agcore check{words}", f"  agcore serve{words}"]


def trusted(path: Path, state: Path) -> str:
    """Trusts a configuration of a working directory; returns the line that says so.

    Raises:
        SettingsError: it is not there, or that cannot be written down.
    """
    try:
        full = trust.trust(path, state)
    except OSError as error:
        where = f"{path}, as nothing can be written in {state}" if path.is_file() else f"{path}"
        raise SettingsError(f"cannot trust {where}: {reason(error)}") from None
    return f"trusted {full}: agcore uses it when run in {full.parent}, as long as its content stays what it is"


def found_providers(environ: Mapping[str, str]) -> dict[str, str]:
    """The presets that the environment has a key for -> the variable that holds it."""
    found = {}
    for name, preset in PRESETS.items():
        values = {variable: environ.get(variable, "").strip() for variable in preset.environment}
        variable = next((variable for variable, value in values.items() if value), "")
        if variable and fits_header(values[variable]):
            found[name] = variable
    return found


def render(key: str, found: Mapping[str, str]) -> str:
    """The text of the file.

    Args:
        key: the client key.
        found: the presets to put in effect -> the variable that holds the key; all others stand behind `#`.
    """
    entries = []
    for name, preset in PRESETS.items():
        lines = ["[[providers]]", f'preset = "{name}"']
        if preset.environment:
            lines.append(f'keys = ["env:{found.get(name, preset.environment[0])}"]')
        mark = "" if name in found else "#"
        entries.append("".join(f"{mark}{line}\n" for line in lines))
    return _TEMPLATE.format(key=key, providers="\n".join(entries))


def new_key() -> str:
    """A client key that nobody can guess."""
    return CLIENT_KEY_PREFIX + secrets.token_urlsafe(32)


def write_private(path: Path, text: str, *, replace: bool) -> None:
    """Writes a file that only its owner can read, and the directories to it.

    Windows has no file modes: there the directory's permissions count.

    Raises:
        FileExistsError: there is one, and `replace` is false; it stays as it is.
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | (0 if replace else os.O_EXCL), 0o600)
    with open(descriptor, "w", encoding="utf-8", newline="\n") as file:
        # An older file keeps its mode when it is opened: close it before there is something to read.
        os.chmod(path, 0o600)
        file.truncate()
        file.write(text)
