"""TLS contexts for connections to upstreams."""

from __future__ import annotations

import ssl

from agcore.protocol import Stage
from agcore_host.upstream.failures import Unreachable, reason


class Contexts:
    """One context for each file of CAs, made when the first connection needs it.

    Loading roots takes tens of milliseconds, which a gateway to local models never pays.
    """

    def __init__(self) -> None:
        self._contexts: dict[str, ssl.SSLContext] = {}

    def trusting(self, ca_file: str) -> ssl.SSLContext:
        """The context that trusts the CAs of a file, or those of certifi where the name is empty.

        Raises:
            Unreachable: the file cannot be read, or holds none.
        """
        context = self._contexts.get(ca_file)
        if context is None:
            import certifi

            path = ca_file or certifi.where()
            try:
                context = ssl.create_default_context(cafile=path)
            except OSError as error:
                raise Unreachable(Stage.TLS, f"cannot use the CA file {path}: {reason(error)}") from error
            context.set_alpn_protocols(["http/1.1"])
            self._contexts[ca_file] = context
        return context
