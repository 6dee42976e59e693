"""A form with files as it arrives: what of it is held, put aside, or passing by, and how it is sent on.

Only the bytes of the model's name change on the way.
"""

from __future__ import annotations

from agcore.codecs.header_fields import first
from agcore.codecs.multipart import Form, FormScan, read_form
from agcore.protocol.fault import Fault
from agcore.protocol.http import Body, Headers, Patch, Spooled, Streamed
from agcore.protocol.patches import Patcher, patched_length


class HeldForm:
    """One form.

    Args:
        headers: Of the request.
        boundary: That they name.
        coded: What they say of its size is not that of the form itself.
    """

    def __init__(self, headers: Headers, boundary: bytes, *, coded: bool = False) -> None:
        self.size = 0
        """Bytes that came so far."""
        self.spooled = 0
        """The number under which it was put aside; 0 while it is in memory."""
        self.passes = False
        """The rest of it passes by to an upstream that has its beginning."""
        self.scan = FormScan(boundary)
        self._boundary = boundary
        declared = None if coded else first(headers, b"content-length")
        self._declared = None if declared is None else int(declared)
        self._pieces: list[bytes] = []
        self._patcher: Patcher | None = None

    @property
    def announced(self) -> int:
        """Bytes that it has, as far as is known: those that came, or that the client announced."""
        return self.size if self._declared is None else max(self.size, self._declared)

    @property
    def model(self) -> str:
        """The model that it asks for; empty as long as none was read."""
        field = self.scan.fields.get("model")
        return "" if field is None else field.value

    @property
    def begun(self) -> bool:
        """True once an upstream has the beginning of the form."""
        return self._patcher is not None

    def add(self, data: bytes) -> Fault | None:
        """Read a further piece."""
        self.size += len(data)
        self.scan.feed(data)
        return self.scan.fault

    def hold(self, data: bytes) -> None:
        """Keep a piece in memory."""
        self._pieces.append(data)

    def pieces(self) -> list[bytes]:
        """Everything that was kept in memory, which is not from here on."""
        pieces, self._pieces = self._pieces, []
        return pieces

    def restore(self, data: bytes) -> None:
        """Takes back into memory what was put aside."""
        self.spooled = 0
        self._pieces.append(data)

    def patched(self, data: bytes) -> bytes:
        """A piece that passes by, as the upstream gets it. What came before is not kept: it cannot be said again."""
        assert self._patcher is not None
        out = self._patcher.feed(data)
        if out:
            self._pieces.clear()
        return out

    def read(self) -> Form | Fault:
        """All of its parts, where all of it is in memory."""
        return read_form(b"".join(self._pieces), self._boundary)

    def outgoing(self, model: str) -> tuple[Body, int | None]:
        """The form as an upstream gets it that calls the model `model`, and how many bytes it has if that is known."""
        field = self.scan.fields["model"]
        patches: tuple[Patch, ...] = ()
        if model != field.value:
            patches = (Patch(field.offset, field.length, model.encode()),)
        if self.passes:
            self._patcher = Patcher(patches)
            length = None if self._declared is None else patched_length(self._declared, patches)
            return Streamed(self._patcher.feed(b"".join(self._pieces))), length
        length = patched_length(self.size, patches)
        if self.spooled:
            return Spooled(self.spooled, patches), length
        return Patcher(patches).feed(b"".join(self._pieces)), length
