"""Secrets as they are written in configurations: literally, or as a reference to where they are."""

from __future__ import annotations

from collections.abc import Mapping

from agcore.config.problems import quoted
from agcore.config.reading import Reading


def reference(text: str) -> tuple[str, str]:
    """The kind and name of a reference, `("env", "NAME")` or `("file", "PATH")`; `("", "")` for a literal secret."""
    kind, _, name = text.partition(":")
    return (kind, name) if text.startswith(("env:", "file:")) else ("", "")


def fits_header(value: str) -> bool:
    """Whether an HTTP header can carry the value: printable ASCII (RFC 9110, 5.5, without what it calls obsolete)."""
    return value.isascii() and value.isprintable()


class Vault:
    """The secrets behind the references of one document."""

    def __init__(self, reading: Reading, secrets: Mapping[str, str]) -> None:
        self._reading = reading
        self._secrets = secrets

    def resolve(self, text: str | None, path: str, *, required: bool = False) -> str | None:
        """The secret that `text` is or refers to, without white space around it.

        A reference that leads nowhere is a problem if the secret is `required`, and a warning otherwise.

        Returns:
            The secret. None where `text` is None, and where there is no secret to use, which is reported.
        """
        if text is None:
            return None
        kind, name = reference(text)
        if kind and not name:
            self._reading.problem(path, f"{quoted(text)} without a name", allowed='a key, "env:NAME" or "file:PATH"')
            return None
        value = (self._secrets.get(text, "") if kind else text).strip()
        if kind and not value:
            where, lack = ("environment variable", "not set") if kind == "env" else ("file", "unreadable or empty")
            what = f"the {where} {quoted(name)} is {lack}"
            if required:
                self._reading.problem(path, what)
            else:
                self._reading.warn(path, f"{what}; left out")
            return None
        if not value or not fits_header(value):
            found = "characters that an HTTP header cannot carry" if value else "only white space"
            self._reading.problem(path, found, allowed="printable ASCII characters")
            return None
        return value
