"""TLS contexts for connections to upstreams, and what they verify servers by.

Usually that is everything that somebody on this machine has declared to be trusted: certifi's roots, the system's store
and what SSL_CERT_FILE and SSL_CERT_DIR put in its place (OpenSSL reads them), what other programs are told by
`CA_VARIABLES`, and `[proxy] ca_file`. A provider with a `ca_file` of its own is verified by that alone.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from agcore.protocol import Stage
from agcore_host.upstream.failures import Unreachable, reason

CA_VARIABLES: Final = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
"""Variables by which requests, curl and Node (so Claude Code) are told of a company's CA: a file or a directory."""


class Contexts:
    """One context for each choice of CAs, made when the first connection needs it.

    Loading roots takes tens of milliseconds, which a gateway to local models never pays.

    Args:
        environ: the environment's variables; those of the process unless they are given.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._environ = environ
        self._contexts: dict[tuple[str, str], ssl.SSLContext] = {}

    def trusting(self, ca_file: str, more_cas: str = "") -> ssl.SSLContext:
        """The context that trusts the CAs of a file alone, or the usual ones where the name is empty.

        Args:
            ca_file: the name of the file.
            more_cas: the name of a file whose CAs are trusted beside the usual ones.

        Raises:
            Unreachable: a file cannot be read, or holds none.
        """
        context = self._contexts.get((ca_file, more_cas))
        if context is None:
            path = ca_file or more_cas
            try:
                context = ssl.create_default_context(cafile=ca_file) if ca_file else self._usual(more_cas)
            except OSError as error:
                raise Unreachable(Stage.TLS, f"cannot use the CA file {path}: {reason(error)}") from error
            context.set_alpn_protocols(["http/1.1"])
            self._contexts[ca_file, more_cas] = context
        return context

    def _usual(self, more_cas: str) -> ssl.SSLContext:
        import certifi

        context = ssl.create_default_context()
        context.load_verify_locations(certifi.where())
        for name in CA_VARIABLES:
            path = self._environ.get(name, "").strip()
            # What was meant for another program may be of no use here, and is missed by the handshake, which says so.
            with suppress(OSError):
                if os.path.isdir(path):
                    context.load_verify_locations(capath=path)
                elif path:
                    context.load_verify_locations(path)
        if more_cas:
            context.load_verify_locations(more_cas)
        return context


def read_ca_file(path: str) -> None:
    """Reads a file of CAs, to see whether it can be used.

    Raises:
        OSError: it cannot be read, or holds none.
    """
    ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
