"""How the failure to reach an upstream is told: what may pass, and what will not."""

from __future__ import annotations

import ssl

import pytest

from agcore.protocol import Origin, Stage
from agcore_host.upstream.failures import not_secured

ORIGIN = Origin("https", "api.example", 443)


def wrapped(error: Exception, *, explicit: bool) -> Exception:
    """The error as a library raises it again, from the first one or while it handles that."""
    outer = RuntimeError("a library's own")
    if explicit:
        outer.__cause__ = error
    else:
        outer.__context__ = error
    return ExceptionGroup("several", [outer])


@pytest.mark.parametrize("explicit", [True, False])
@pytest.mark.parametrize(
    ("error", "stage"),
    [
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number"), Stage.TLS),
        (ssl.SSLCertVerificationError("certificate verify failed"), Stage.TLS),
        (ssl.SSLEOFError(8, "EOF occurred in violation of protocol"), Stage.CONNECT),
        (ssl.SSLZeroReturnError(6, "TLS/SSL connection has been closed"), Stage.CONNECT),
        (ConnectionResetError(104, "reset by peer"), Stage.CONNECT),
        (EOFError(), Stage.CONNECT),
    ],
)
def test_what_breaks_in_a_handshake_may_pass_and_a_disagreement_will_not(
    error: Exception, stage: Stage, explicit: bool
) -> None:
    if isinstance(error, ssl.SSLCertVerificationError):
        error.verify_code = 18
        error.verify_message = "self-signed certificate"
    elif isinstance(error, ssl.SSLError):
        error.reason = "SOME_REASON"
    failed = not_secured(ORIGIN, wrapped(error, explicit=explicit))
    assert failed.stage is stage
    assert "api.example" in failed.cause
