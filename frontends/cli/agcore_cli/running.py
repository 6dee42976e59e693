"""`agcore status` and `agcore reset`: what a running gateway knows of its keys, and having it forget that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from agcore.config import Config
from agcore_cli import gateways
from agcore_cli.terminal import table
from agcore_host.settings import SettingsError


class Refused(Exception):
    """The gateway refuses what was asked; `str` is in its words."""

    def __init__(self, reply: gateways.Reply) -> None:
        self.status = reply.status
        super().__init__(_message(reply))


def ask(
    found: gateways.Found, environ: Mapping[str, str], method: str, path: str, body: object = None
) -> gateways.Reply:
    """Asks the admin API of a gateway, with the key that its configuration has for that.

    Raises:
        NoGateway: it does not answer.
        Refused: it does, with an error.
    """
    config = _config(found, environ)
    try:
        reply = gateways.ask(found.run, method, path, body=body, key=_admin_key(config), config=config)
    except OSError as error:
        raise gateways.NoGateway(f"no gateway answers at {found.run.address}: {error}") from None
    if reply.status != 200:
        raise Refused(reply)
    return reply


def lift(labels: Sequence[str], path: Path | None, environ: Mapping[str, str]) -> list[str]:
    """Has the gateway that goes by a configuration, if one runs, use keys again that were found to work.

    Args:
        labels: of the keys.
        path: the configuration's file.
        environ: says where the state directory is.

    Returns:
        The labels of those that it had left alone.
    """
    found = gateways.serving(path, environ) if labels else None
    lifted: list[str] = []
    if found is None:
        return lifted
    for label in labels:
        try:
            reply = ask(found, environ, "POST", "/admin/api/reset", {"key": label})
        except (gateways.NoGateway, Refused):
            break  # it was not what was asked for
        lifted += msgspec.json.decode(reply.body)["reset"]
    return lifted


def status_lines(body: bytes, origin: str) -> list[str]:
    """The status of a gateway for people.

    Args:
        body: as the gateway answered.
        origin: which gateway it is.
    """
    status = msgspec.json.decode(body)
    draining = "; it is shutting down" if status["draining"] else ""
    lines = [
        f"Gateway  {origin}",
        f"  version {status['version']}, up for {span(status['uptime'])}, {status['requests']} under way{draining}",
        *("", "Keys", *_indented(_keys(status["keys"]))),
    ]
    if status["clients"]:
        lines += ["", "Client keys", *_indented(map(_client, status["clients"]))]
    state = status["state"]
    kept = f"limits and refused keys are kept in {state['file']}" if state["file"] else "gone with the gateway"
    return [*lines, "", "State", f"  {state['url']}  {kept}"]


def span(seconds: float) -> str:
    """A span of time in words, to the one unit that matters."""
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _keys(keys: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, ...]]:
    if not keys:
        yield ("none: no provider is configured",)
        return
    for key in keys:
        busy = f"{key['requests']} under way" if key["requests"] else ""
        rows = [_cooldown(each) for each in key["cooldowns"]] or [""]
        yield key["key"], key["state"], busy, rows[0]
        yield from (("", "", "", row) for row in rows[1:])


def _cooldown(told: Mapping[str, Any]) -> str:
    model = f"{told['model']}: " if "model" in told else ""
    moment = told["until"].replace("T", " ").replace("Z", " UTC")
    return f"{model}{told['kind']} until {moment} (in {span(told['until_seconds'])}): {told['reason']}"


def _client(told: Mapping[str, Any]) -> tuple[str, ...]:
    words = []
    if "expires" in told:
        words.append(f"{'expired' if told['expired'] else 'expires'} {told['expires']}")
    for left, limit, unit in (("requests_left", "rpm", "requests"), ("tokens_left", "tpm", "tokens")):
        if left in told:
            words.append(f"{told[left]} of {told[limit]} {unit} a minute left")
    if "concurrency" in told:
        words.append(f"{told['requests']} of {told['concurrency']} under way")
    return told["name"], "; ".join(words) or "no limits"


def _indented(rows: Iterator[tuple[str, ...]]) -> list[str]:
    return [f"  {line}" for line in table(rows)]


def _config(found: gateways.Found, environ: Mapping[str, str]) -> Config | None:
    try:
        return found.settings(environ).parsed.config
    except SettingsError:
        return None  # the gateway says what is missing


def _admin_key(config: Config | None) -> str:
    if config is None:
        return ""
    if config.proxy.admin_key is not None:
        return config.proxy.admin_key.reveal()
    return next((key.key.reveal() for key in config.proxy.keys if key.admin), "")


def _message(reply: gateways.Reply) -> str:
    try:
        return str(msgspec.json.decode(reply.body)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return f"the gateway answered {reply.status}"
