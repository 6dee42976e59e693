"""Asking a SOCKS 5 proxy for a way to an upstream (RFC 1928), with a login where there is one (RFC 1929), without IO.

Names are resolved by the proxy, for `socks5` as for `socks5h`: what needs such a proxy often cannot resolve them.
"""

from __future__ import annotations

import binascii
from collections.abc import Generator, Mapping
from ipaddress import ip_address
from typing import Final

from agcore.protocol import Origin, ProxyServer, Stage
from agcore_host.upstream.failures import Unreachable, authority, lost, place

_REPLIES: Final[Mapping[int, str]] = {
    1: "general failure",
    2: "not allowed by its rules",
    3: "network unreachable",
    4: "host unreachable",
    5: "connection refused",
    6: "time to live expired",
    7: "command not supported",
    8: "address type not supported",
}
_ADDRESS_LENGTHS: Final[Mapping[int, int]] = {1: 4, 4: 16}


def login_of(proxy: ProxyServer) -> tuple[bytes, bytes] | None:
    """The name and the password for a SOCKS proxy, 255 bytes each at most; None where it takes none."""
    basic = proxy.authorization.partition(" ")[2]
    if not basic:
        return None
    name, _, password = binascii.a2b_base64(basic).partition(b":")
    return name[:255], password[:255]


class SocksTunnel:
    """The wish for a way through the SOCKS proxy of an origin; the same interface as `tunnel.Tunnel`."""

    def __init__(self, origin: Origin, proxy: ProxyServer, address: str = "") -> None:
        self._proxy = proxy
        self._host, self._port = address or origin.host, origin.port
        self._outgoing = b""
        self._data = bytearray()
        self._steps = self._talk()
        self._wanted = next(self._steps)

    def outgoing(self) -> bytes:
        """The bytes to send now, each once; empty where the proxy has the word."""
        data, self._outgoing = self._outgoing, b""
        return data

    def receive(self, data: bytes | bytearray) -> bool:
        """Takes what the proxy says; `b""` for the end of the connection.

        Returns:
            Whether the way is open.

        Raises:
            Unreachable: the proxy does not want to, or does not speak SOCKS 5. No secret is in the text.
        """
        if not data:
            raise self._refused("closed the connection before it had opened a way")
        self._data += data
        try:
            while len(self._data) >= self._wanted:
                taken = bytes(self._data[: self._wanted])
                del self._data[: self._wanted]
                self._wanted = self._steps.send(taken)
        except StopIteration:
            if self._data:
                # Who speaks first is the client: nobody but the proxy can have said this.
                raise self._refused("said more than its answer") from None
            return True
        return False

    def broken(self, error: Exception) -> Unreachable:
        """The failure of a connection to the proxy that broke meanwhile."""
        return self._refused(lost(error))

    def _talk(self) -> Generator[int, bytes, None]:
        """Yields the number of bytes that are wanted next, and gets them."""
        login = login_of(self._proxy)
        self._outgoing = b"\x05\x01\x00" if login is None else b"\x05\x02\x00\x02"
        version, method = yield 2
        if version != 5:
            raise self._refused("does not speak SOCKS 5")
        if method == 2 and login is not None:
            name, password = login
            self._outgoing = b"\x01%c%b%c%b" % (len(name), name, len(password), password)
            _, status = yield 2
            if status:
                raise self._refused("wants other credentials")
        elif method:
            raise self._refused("wants other credentials")
        self._outgoing = b"\x05\x01\x00" + self._address() + self._port.to_bytes(2)
        _, reply, _, kind = yield 4
        if reply:
            why = _REPLIES.get(reply, f"code {reply}")
            raise self._refused(f"did not connect to {authority(self._host, self._port)}: {why}")
        length = _ADDRESS_LENGTHS.get(kind)
        if length is None:
            (length,) = yield 1
        yield length + 2

    def _address(self) -> bytes:
        try:
            address = ip_address(self._host)
        except ValueError:
            name = self._host.encode("ascii")
            return b"\x03%c%b" % (len(name), name)
        return (b"\x01" if address.version == 4 else b"\x04") + address.packed

    def _refused(self, what: str) -> Unreachable:
        return Unreachable(Stage.CONNECT, f"the proxy {place(self._proxy)} {what}")
