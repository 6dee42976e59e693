"""Finds and reads the configuration of the ready-made `app`: the IO that `agcore.config_parser` leaves to a frontend.

The file is the one named by `AGCORE_CONFIG`, else `./agcore.toml`, else `agcore/agcore.toml` below
`$XDG_CONFIG_HOME` (`~/.config`). Without any, providers come from the environment. Names of files in a configuration
file, those of secrets too, are relative to its own directory.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path

import msgspec

from agcore.config import parser as config_parser
from agcore.config.parser import Parsed


def load(environ: Mapping[str, str]) -> Parsed:
    """Reads the configuration that is in force in `environ`.

    Raises:
        OSError: where the file cannot be read.
        ValueError: where it is no text, or (`ConfigError`) no configuration.
    """
    path = find_file(environ)
    return config_parser.from_environment(environ) if path is None else load_file(path, environ)


def load_file(path: Path, environ: Mapping[str, str]) -> Parsed:
    """Reads the configuration in a file.

    Raises:
        OSError: where the file cannot be read.
        ValueError: where it is no text, or (`ConfigError`) no configuration.
    """
    text = path.read_text(encoding="utf-8")
    secrets = resolve(config_parser.secret_refs(text), environ, beside=path.parent)
    parsed = config_parser.parse(text, secrets=secrets, environ=environ)
    config = config_parser.with_file_names(parsed.config, partial(file_name, beside=path.parent))
    return msgspec.structs.replace(parsed, config=config)


def find_file(environ: Mapping[str, str]) -> Path | None:
    """The configuration file to read; a file named by `AGCORE_CONFIG` is the one, whether it exists or not."""
    if named := environ.get("AGCORE_CONFIG"):
        return Path(named)
    home = environ.get("XDG_CONFIG_HOME") or (Path(environ["HOME"], ".config") if environ.get("HOME") else "")
    candidates = (Path("agcore.toml"), *((Path(home, "agcore", "agcore.toml"),) if home else ()))
    return next((path for path in candidates if path.is_file()), None)


def resolve(references: Iterable[str], environ: Mapping[str, str], *, beside: Path) -> dict[str, str]:
    """Looks up `env:NAME` and `file:PATH`; what is not there is left out, and the parser says what that means.

    Args:
        references: as written in the file.
        environ: the environment's variables.
        beside: the directory that relative paths start from.
    """
    secrets: dict[str, str] = {}
    for reference in references:
        kind, _, name = reference.partition(":")
        if kind == "env":
            value = environ.get(name)
        else:
            try:
                value = Path(file_name(name, beside=beside)).read_text(encoding="utf-8")
            except (OSError, ValueError):  # no such file, not text
                value = None
        if value is not None:
            secrets[reference] = value
    return secrets


def file_name(name: str, *, beside: Path) -> str:
    """The path of a file that a configuration names, seen from its directory; `~` is the user's home."""
    try:
        return str(beside / Path(name).expanduser())
    except RuntimeError:  # no home to expand
        return str(beside / name)
