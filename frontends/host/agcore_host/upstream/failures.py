"""Why there is no connection, or none any more, in one line for people that names who failed."""

from __future__ import annotations

import os
import ssl
from typing import Final

from agcore.protocol import Origin, ProxyServer, Stage

_UNKNOWN_ISSUER: Final = frozenset({2, 18, 19, 20, 21})
"""OpenSSL's codes for certificates that lead to no CA that is trusted here."""
_REMEDY: Final = "name your own CA as ca_file, of the provider or under [proxy], or in SSL_CERT_FILE"


class Unreachable(Exception):
    """There is no connection; the text is one line for people that names the host."""

    def __init__(self, stage: Stage, cause: str) -> None:
        super().__init__(cause)
        self.stage = stage
        self.cause = cause


def not_connected(origin: Origin, error: Exception) -> Unreachable:
    """The failure of a TCP connection to `origin`, or to the proxy before it."""
    where = place(origin) if origin.proxy is None else f"the proxy {place(origin.proxy)}"
    # A name that is no name fails in its encoding, and has no reason.
    return Unreachable(Stage.CONNECT, f"cannot connect to {where}: {reason(error) or 'bad name'}")


def not_secured(origin: Origin, error: Exception) -> Unreachable:
    """The failure of a TLS handshake with `origin`.

    Its stage is `TLS` where the two do not agree, as they will not the next time, and `CONNECT` where the connection
    broke meanwhile.
    """
    disagreed = disagreement(error)
    if isinstance(disagreed, ssl.SSLCertVerificationError):
        why = f"TLS certificate of {origin.host} not accepted: {disagreed.verify_message}"
        unknown = disagreed.verify_code in _UNKNOWN_ISSUER
        return Unreachable(Stage.TLS, f"{why}; {_REMEDY}" if unknown else why)
    why = reason(error) or "connection closed"
    stage = Stage.CONNECT if disagreed is None else Stage.TLS
    return Unreachable(stage, f"TLS handshake with {place(origin)} failed: {why}")


def disagreement(error: BaseException | None) -> ssl.SSLError | None:
    """The error of TLS in a chain of errors; None where there is none but that the connection ended too early."""
    while error is not None:
        if isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        elif isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            return error
        else:
            # httpcore raises its own errors from none, while it handles the system's.
            error = error.__cause__ or error.__context__
    return None


def place(server: Origin | ProxyServer) -> str:
    """The host and port of a server as text, an IPv6 address in brackets."""
    return authority(server.host, server.port)


def authority(host: str, port: int) -> str:
    """A host and a port as text, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def lost(error: BaseException) -> str:
    """How a connection broke, as what goes on after the name of the other side."""
    why = reason(error)
    return f"closed the connection{f' ({why})' if why else ''}"


def reason(error: BaseException | None) -> str:
    """What the system says, of the first error in a chain that has a number; empty where there is none."""
    while error is not None:
        if isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        elif isinstance(error, ssl.SSLError) and error.reason:
            return error.reason.replace("_", " ").lower()
        elif isinstance(error, OSError) and error.errno is not None:
            # Errors of name resolution have numbers below zero.
            return (os.strerror(error.errno) if error.errno > 0 else str(error.strerror)).lower()
        else:
            # httpcore raises its own errors from none, while it handles the system's.
            error = error.__cause__ or error.__context__
    return ""
