"""Finds and reads the configuration of the ready-made `app`: the IO that `agcore.config_parser` leaves to a frontend.

The file is the one named by `AGCORE_CONFIG`, else `./agcore.toml`, else `agcore/agcore.toml` below
`$XDG_CONFIG_HOME` (`~/.config`). Without any, providers come from the environment.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from agcore import config_parser
from agcore.config_parser import Parsed


def load(environ: Mapping[str, str]) -> Parsed:
    """Reads the configuration that is in force in `environ`.

    Raises:
        OSError: where the file cannot be read.
        ValueError: where it is no text, or (`ConfigError`) no configuration.
    """
    path = find_file(environ)
    if path is None:
        return config_parser.from_environment(environ)
    text = path.read_text(encoding="utf-8")
    secrets = resolve(config_parser.secret_refs(text), environ, beside=path.parent)
    return config_parser.parse(text, secrets=secrets, environ=environ)


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
        beside: the directory that relative paths start from; `~` is the user's home.
    """
    secrets: dict[str, str] = {}
    for reference in references:
        kind, _, name = reference.partition(":")
        if kind == "env":
            value = environ.get(name)
        else:
            try:
                value = (beside / Path(name).expanduser()).read_text(encoding="utf-8")
            except (OSError, RuntimeError, ValueError):  # no such file, no home to expand, not text
                value = None
        if value is not None:
            secrets[reference] = value
    return secrets
