"""The configuration of somebody who embeds the core: one call from a text or a dict to a `Config`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from agcore.config.parser import parse, secret_refs
from agcore.config.secrets import reference
from agcore.config.values import Config


def load_config(
    source: str | Mapping[str, Any],
    *,
    environ: Mapping[str, str] | None = None,
    read_file: Callable[[str], str] | None = None,
    on_warning: Callable[[str], object] | None = None,
) -> Config:
    """A configuration, ready for `Gateway(config, secret=..., now=...)`.

    Nothing is read but the arguments: neither the environment of the process nor a file, and no `"cmd:COMMAND"` is run.

    Args:
        source: The TOML text of a file, or a dict of the same shape (`{"providers": [{"preset": "openai", ...}]}`).
        environ: The variables behind `"env:NAME"`, and those that stand in for what the source leaves out: keys of
            providers where it has no `providers`, `AGCORE_API_KEY`, and outbound proxies. `os.environ` is what
            `agcore serve` passes; nothing is what a test wants.
        read_file: The text of the file behind `"file:PATH"`; an OSError, ValueError or LookupError raised by it
            means that there is none. Without a `read_file` there is no file.
        on_warning: Called with a sentence for each thing that will work less well than was meant, such as a provider
            whose key leads nowhere.

    Raises:
        ConfigError: The source is no configuration. `problems` lists all that is wrong with it.
    """
    variables = {} if environ is None else environ
    secrets: dict[str, str] = {}
    for written in secret_refs(source):
        kind, name = reference(written)
        value = variables.get(name) if kind == "env" else _text(name, read_file) if kind == "file" else None
        if value is not None:
            secrets[written] = value
    parsed = parse(source, secrets=secrets, environ=variables)
    if on_warning is not None:
        for sentence in parsed.warnings:
            on_warning(sentence)
    return parsed.config


def _text(path: str, read_file: Callable[[str], str] | None) -> str | None:
    if read_file is None:
        return None
    try:
        return read_file(path)
    except (OSError, ValueError, LookupError):
        return None
