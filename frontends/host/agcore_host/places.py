"""Where a user's files are: the configuration that is in force, and the directory for what a gateway keeps.

A configuration is the first of: the file that is named (`--config`, then `AGCORE_CONFIG`), `./agcore.toml` if it is
trusted (see `trust`), and the user's own, `agcore/agcore.toml` below `$XDG_CONFIG_HOME` (`~/.config`). Whoever changes
into a directory has not read what is in it, so a file there says nothing until its reader says so.

The state directory is `AGCORE_STATE_DIR`, else `agcore` below `$XDG_STATE_HOME` (`~/.local/state`), on Windows below
`%LOCALAPPDATA%`. Relative paths in the XDG variables are ignored, as their specification wants it
(https://specifications.freedesktop.org/basedir-spec/latest/).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from agcore_host import trust

FILE_NAME: Final = "agcore.toml"

NO_STATE_DIR: Final = "there is no place for a state directory; set AGCORE_STATE_DIR"


class Found(msgspec.Struct, frozen=True):
    """A configuration's file, as it was looked for."""

    path: Path | None
    """None where there is no file, and the environment decides."""
    guarded: bool = False
    """The working directory alone led to it: it counts as long as its content is trusted."""
    remarks: tuple[str, ...] = ()
    """Sentences about files that were passed over."""


def find(named: str | None, environ: Mapping[str, str]) -> Found:
    """The file of the configuration in force.

    Args:
        named: the path that the user gave, whether it is there or not; None to look in the usual places.
        environ: the environment's variables.
    """
    named = named or environ.get("AGCORE_CONFIG") or None
    if named is not None:
        return Found(Path(named))
    here, users = Path(FILE_NAME), user_file(environ)
    remarks: tuple[str, ...] = ()
    if here.is_file() and not (users is not None and users.is_file() and here.samefile(users)):
        standing = trust.standing(here, state_dir(environ))
        if standing is trust.Standing.TRUSTED:
            return Found(here, guarded=True)
        remarks = (f"{here.absolute()} is passed over: {standing.value}; if it is yours, say so with: agcore trust",)
    return Found(users if users is not None and users.is_file() else None, remarks=remarks)


def user_file(environ: Mapping[str, str]) -> Path | None:
    """The place of the user's configuration; None where there is no home."""
    base = _base("XDG_CONFIG_HOME", ".config", environ)
    return None if base is None else base / "agcore" / FILE_NAME


def state_dir(environ: Mapping[str, str]) -> Path | None:
    """The directory for what outlives a gateway, which may not be there yet; None where there is no home."""
    if environ.get("AGCORE_STATE_DIR"):
        return Path(environ["AGCORE_STATE_DIR"]).absolute()
    if os.name == "nt" and environ.get("LOCALAPPDATA") and not environ.get("XDG_STATE_HOME"):
        return Path(environ["LOCALAPPDATA"], "agcore")
    base = _base("XDG_STATE_HOME", ".local/state", environ)
    return None if base is None else base / "agcore"


def _base(variable: str, below_home: str, environ: Mapping[str, str]) -> Path | None:
    named = environ.get(variable, "")
    if os.path.isabs(named):
        return Path(named)
    home = environ.get("HOME") or environ.get("USERPROFILE")
    return Path(home, below_home) if home else None
