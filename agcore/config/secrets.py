"""Secrets as they are written in configurations: literally, or as a reference to where they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from agcore.config.problems import nearest, quoted
from agcore.config.reading import Reading
from agcore.config.schema import SECRET_FORMS

CLIENT_KEY_PREFIX: Final = "sk-agcore-"
"""What client keys that are made here start with, so that they are recognised where they should not be."""

GUESSABLE: Final = 16
"""Characters; a shorter key that guards anything can be guessed."""

_SOURCES: Final[Mapping[str, tuple[str, str]]] = {
    "env": ("environment variable", "not set"),
    "file": ("file", "unreadable or empty"),
    "cmd": ("command", "not there, fails, or prints nothing"),
}
"""By the kind of a reference: what it leads to, and how that may be lacking."""


def reference(text: str) -> tuple[str, str]:
    """The kind and name of a reference: `("env", "NAME")`, `("file", "PATH")` or `("cmd", "COMMAND")`.

    Both are empty for a literal secret.
    """
    kind, _, name = text.partition(":")
    return (kind, name) if text.startswith(("env:", "file:", "cmd:")) else ("", "")


def fits_header(value: str) -> bool:
    """Whether an HTTP header can carry the value: printable ASCII (RFC 9110, 5.5, without what it calls obsolete)."""
    return value.isascii() and value.isprintable()


def is_ordinary(value: str) -> bool:
    """Whether a value looks like most keys: long, of one word, and no name of anything."""
    word = value.replace("-", "a").replace("_", "a")
    return len(word) >= 20 and word.isascii() and word.isalnum() and not (value.isupper() or value.isalpha())


class Vault:
    """The secrets behind the references of one document.

    Args:
        reading: takes the problems and warnings.
        secrets: reference as written -> value.
        variables: the names of the environment's variables.
    """

    def __init__(self, reading: Reading, secrets: Mapping[str, str], variables: Iterable[str] = ()) -> None:
        self._reading = reading
        self._secrets = secrets
        self._variables = variables
        self.client_keys: dict[str, str | None] = {}
        """The keys that clients show -> how each is written."""

    def resolve(self, text: str | None, path: str, *, required: bool = False, credential: bool = True) -> str | None:
        """The secret that `text` is or refers to, without white space around it.

        A reference that leads nowhere, or is written as none of ours is, is a problem if the secret is `required`, and
        a warning otherwise.

        Args:
            text: As it is written.
            path: Where that is.
            required: Nothing can go on without it.
            credential: It is a key by itself, so that quotes and `Bearer` are not part of it.

        Returns:
            The secret. None where `text` is None, and where there is no secret to use, which is reported.
        """
        if text is None:
            return None
        kind, name = reference(text)
        if kind and not name:
            self._reading.problem(path, f"{quoted(text)} without a name", allowed=SECRET_FORMS)
            return None
        if not (is_ordinary(text) or (kind and name == name.strip())):
            from agcore.config.secret_mistakes import meant_reference

            meant = meant_reference(text)
        else:
            meant = ""
        if meant:
            self._lacking(path, f"{quoted(text)} would be the key itself", f'write "{meant}"', required=required)
            return None
        value = (self._secrets.get(text, "") if kind else text).strip()
        if kind and not value:
            where, lack = _SOURCES[kind]
            near = nearest(name, self._likely()) if kind == "env" else ""
            self._lacking(path, f"the {where} {quoted(name)} is {lack}", near, required=required)
            return None
        return self.cleaned(value, path, required=required) if credential else self._fit(value, path)

    def cleaned(self, value: str, path: str, *, required: bool = False) -> str | None:
        """A key as it was found at `path`, without what stands around it by mistake; None where it is of no use."""
        if is_ordinary(value):
            return value
        from agcore.config.secret_mistakes import placeholder, unwrapped

        bare, around = unwrapped(value)
        if around:
            self._reading.warn(path, f"{around}, which are left out; write the key alone")
        if placeholder(bare):
            self._lacking(path, "a placeholder stands in the place of the key", "", required=required)
            return None
        return self._fit(bare, path)

    def of_provider(self, value: str, path: str, written: str, *, vendor: bool) -> str | None:
        """A provider's key, unless it is one of this gateway's own, which is reported.

        Args:
            value: The key.
            path: Where it stands.
            written: How it is written there.
            vendor: It is for a vendor, and not for a server that may be another gateway.
        """
        ours = self.client_keys.get(value, written) != written or value.startswith(CLIENT_KEY_PREFIX)
        if vendor and ours:
            what = "this is the gateway's own client key, as `agcore env` sets it, and no key of a provider"
            self._lacking(path, what, "", required=False)
            return None
        if "," in value or any(char.isspace() for char in value):
            self._reading.warn(path, "a comma or a blank within the key; several keys are entries of their own")
        return value

    def _likely(self) -> list[str]:
        return [name for name in self._variables if any(word in name for word in ("KEY", "TOKEN", "SECRET"))]

    def _lacking(self, path: str, what: str, hint: str, *, required: bool) -> None:
        if required:
            self._reading.problem(path, what, hint=hint)
        else:
            self._reading.warn(path, f"{what}; left out" + (f"; {hint}" if hint else ""))

    def _fit(self, value: str, path: str) -> str | None:
        if not value or not fits_header(value):
            found = "characters that an HTTP header cannot carry" if value else "only white space"
            self._reading.problem(path, found, allowed="printable ASCII characters")
            return None
        return value
