"""The certificate that clients are shown: loaded from its files, and again when these change.

Files are looked at when a connection is accepted, at most once a second. A pair that cannot be used, half of which was
replaced perhaps, leaves the one before it in force and is said once.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from typing import Final, TypeAlias

from agcore.protocol import Event, Warned

LOOK: Final = 1.0
"""Seconds between two looks at the files."""

_State: TypeAlias = tuple[tuple[int, int] | None, ...]
"""Time of the last change and size of each file; None for one that is not there."""


class CertificateError(Exception):
    """There is no certificate to be had; the text says why in one line that names the files."""


class Certificate:
    """A certificate chain and its key, as the TLS context that they make.

    Args:
        cert_file: PEM, the server's certificate first.
        key_file: PEM, without a password.
        sink: told of a pair that cannot be used.

    Raises:
        CertificateError: they cannot be used now.
    """

    def __init__(self, cert_file: str, key_file: str, sink: Callable[[Event], None] = lambda _: None) -> None:
        self._files = (cert_file, key_file)
        self._sink = sink
        self._state = self._look()
        self._looked_at = 0.0
        self._context = load(cert_file, key_file)

    def context(self, now: float) -> ssl.SSLContext:
        """The context for a connection that is accepted at `now`, in seconds of a clock that does not go back."""
        if now - self._looked_at >= LOOK:
            self._looked_at = now
            state = self._look()
            if state != self._state:
                self._state = state
                self._load_again()
        return self._context

    def _load_again(self) -> None:
        try:
            self._context = load(*self._files)
        except CertificateError as error:
            self._sink(Warned(f"the certificate stays what it was: {error}"))

    def _look(self) -> _State:
        return tuple(map(_state, self._files))


def load(cert_file: str, key_file: str) -> ssl.SSLContext:
    """Makes a server's TLS context.

    Raises:
        CertificateError: a file cannot be read, or they are no certificate and its key.
    """
    for name, file in (("tls_cert", cert_file), ("tls_key", key_file)):
        try:
            os.close(os.open(file, os.O_RDONLY))
        except OSError as error:
            raise CertificateError(
                f"proxy.{name}: cannot read {file}: {(error.strerror or str(error)).lower()}"
            ) from None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        # Without a password of ours, OpenSSL would ask the terminal for one.
        context.load_cert_chain(cert_file, key_file, password="")
    except (OSError, ValueError) as error:
        why = str(getattr(error, "reason", None) or "not pem, or a key with a password").replace("_", " ").lower()
        raise CertificateError(
            f"proxy.tls_cert: {cert_file} and {key_file} are no certificate and its key: {why}"
        ) from None
    return context


def _state(file: str) -> tuple[int, int] | None:
    try:
        status = os.stat(file)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
