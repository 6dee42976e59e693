"""`agcore env`: what points a client at the gateway of a configuration, as statements for a shell.

Statements come first and comments last, so that `eval` takes over the former even where someone forgot its quotes.
"""

from __future__ import annotations

from agcore.config import PRESETS, Proxy, Url
from agcore_cli.recipes import CLIENTS, KEY, SHELLS, codex_settings, variables
from agcore_host.settings import SettingsError


def address(proxy: Proxy) -> str:
    """The base URL at which clients reach the gateway: `public_url`, or where it listens, as seen from this machine.

    Raises:
        SettingsError: the port is chosen anew at each start.
    """
    if proxy.public_url:
        return proxy.public_url
    if not proxy.port:
        raise SettingsError("the address is not known before the start, because proxy.port is 0", ["choose a port"])
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(proxy.host, proxy.host)
    return Url("", "https" if proxy.tls_cert else "http", host, proxy.port, "").shown


def lines(client: str, shell: str, proxy: Proxy, *, command: str) -> list[str]:
    """What `agcore env` prints: one of `CLIENTS` set up by one of `SHELLS`.

    Args:
        client: the client's name.
        shell: the shell's name.
        proxy: says where the gateway is and which key it takes.
        command: the command that prints these lines, to be quoted in them.

    Raises:
        SettingsError: see `address`.
    """
    url = address(proxy)
    settings = variables(client, url, proxy.keys[0].key.reveal() if proxy.keys else KEY)
    comments = []
    if client == "codex":
        if not proxy.keys:
            settings = {}
        comments = ["Codex reads the address from ~/.codex/config.toml; write there:", ""]
        comments += codex_settings(url, key_variable=next(iter(settings), "")).splitlines()
        comments += ["", "The key comes from the variable above." if settings else "No key is needed."]
    if settings:
        take_over = SHELLS[shell].take_over.format(command=command)
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
    statements = [SHELLS[shell].set_variable(name, value) for name, value in settings.items()]
    # The command quotes the name of a file, which may have any character in it.
    commented = (line for comment in comments for line in comment.splitlines() or [""])
    return [*statements, *(f"# {line}".rstrip() for line in commented)]
