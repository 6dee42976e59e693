"""Forms with files (`multipart/form-data`, RFC 7578): where a field's value stands in the body, and changing it there.

A gateway needs one or two short fields of an upload (`model`, `stream`) and must leave every other byte alone: it needs
positions of bytes instead of parts. `multipart.PushMultipartParser` knows the format and reports parts and payload, but
not where they stood. `FormScan` therefore feeds it in pieces whose ends are known: within a part's headers line by
line, within a body up to the next delimiter, then the delimiter. A report of the parser thus belongs to the end of the
piece before it. Epilogue and preamble have no meaning; the latter is kept short, so that a wrong boundary shows early.

The contract, held by property tests:

* What a scan reports depends on the bytes only, never on how they were cut.
* It holds at most `max_value` bytes plus a few windows of 64 KiB, however large the body or one piece of it is.
* Its work is linear in the size of the body.
* A form that two parsers could read differently is refused where that concerns a wanted field: a field that stands
  twice or comes as a file, a part with two names, header lines that are folded or end in a bare line feed.

The positions become `protocol.http.Patch`es, which `protocol.patches` carries out. A form that is translated is small
enough to be in memory; `read_form` takes such a one apart with the same scan, so that both see the same parts.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import msgspec
from multipart import MultipartError, MultipartSegment, PushMultipartParser  # type: ignore[import-untyped]

from agcore.codecs.header_fields import first, media_type
from agcore.protocol.fault import Fault, invalid
from agcore.protocol.http import Headers

DEFAULT_MAX_PARTS: Final = 1000
DEFAULT_MAX_PART_HEADERS: Final = 16 * 1024
"""Bytes of one part's header lines together, line ends included."""
DEFAULT_MAX_VALUE: Final = 64 * 1024
"""Bytes of a wanted field's value."""

_WINDOW: Final = 64 * 1024
_MAX_PREAMBLE: Final = 1024
_TOKEN: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_QUOTED: Final = r'"(?:[^"\\]|\\.)*+"'

# Boundaries such as `----=_Part_1` need quotes and often come without, so the characters are checked afterwards.
_PARAMETER: Final = re.compile(rf'[ \t]*;[ \t]*(?:({_TOKEN})=({_QUOTED}|[^;" \t]*))?'.encode())
_ESCAPED: Final = re.compile(rb"\\(.)")
_BOUNDARY: Final = re.compile(rb"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")

# Exactly what the parser reads, so that it cannot find a name where this sees none: spaces only, and an extended
# value (`filename*=`), which the parser skips, without quotes.
_OPTION: Final = rf"; *(?:([\w-]+) *= *(?:{_QUOTED}|{_TOKEN})|([\w-]+\*)={_TOKEN}) *"
_OPTIONS: Final = re.compile(_OPTION, re.ASCII)
_DISPOSITION: Final = re.compile(rf"[^;]*(?:{_OPTION})*+;? *", re.ASCII)


class Field(msgspec.Struct, frozen=True):
    """The value of a form field and its place in the body."""

    value: str
    offset: int
    """Bytes from the start of the body."""
    length: int
    """Bytes."""


class FormFile(msgspec.Struct, frozen=True):
    """A file of a form."""

    name: str
    """The field's name, not the file's."""
    filename: str
    """As the client gave it, which says nothing reliable; empty where it is not UTF-8 or not in plain `filename`."""
    media_type: str
    """Of the part's `content-type` in lower case, without parameters; empty where it has none."""
    data: bytes


class Form(msgspec.Struct, frozen=True):
    """A form, read as a whole."""

    fields: tuple[tuple[str, str], ...]
    """The plain fields as (name, value), in order; names may come again."""
    files: tuple[FormFile, ...]
    """The parts with a file name, in order; names may come again."""


def boundary_of(headers: Headers) -> bytes | Fault:
    """The boundary that a form's `content-type` names.

    Returns: the boundary without quotes, 1 to 70 of the characters of RFC 2046, section 5.1.1; or what to answer
    instead: 415 where the body is no form at all, 400 where its boundary is missing, doubtful or malformed.
    """
    if media_type(headers) != b"multipart/form-data":
        return invalid("This route takes a form: `content-type: multipart/form-data; boundary=...`.", status=415)
    value = first(headers, b"content-type") or b""
    position = len(value.partition(b";")[0])
    found: list[bytes] = []
    while position < len(value):
        parameter = _PARAMETER.match(value, position)
        if parameter is None:
            return invalid("The parameters of `content-type` cannot be read; expected `boundary=...`.")
        position = parameter.end()
        if (parameter[1] or b"").lower() == b"boundary":
            found.append(parameter[2])
    if len(found) != 1:
        return invalid(f"`content-type` has to name one boundary, as in `boundary=abc`; it names {len(found)}.")
    boundary = found[0]
    if boundary.startswith(b'"'):
        boundary = _ESCAPED.sub(rb"\1", boundary[1:-1])
    if _BOUNDARY.fullmatch(boundary) is None:
        return invalid(
            "The boundary in `content-type` is malformed: it has 1 to 70 letters, digits or `'()+_,-./:=?`, and "
            "spaces but for the last one (RFC 2046)."
        )
    return boundary


class FormScan:
    """Finds the wanted fields of one form while its body passes.

    `boundary` is what `boundary_of` returned. The limits are in bytes but for `max_parts`. Whatever stands in the body,
    nothing is raised: `fault` is set, and bytes that are fed afterwards are ignored.
    """

    fields: dict[str, Field]
    """The wanted fields whose values are complete. That none of them comes again is known with `complete` only."""
    parts: int
    """How many parts have begun."""
    files: bool
    """One of them has a file name."""
    complete: bool
    """The final boundary was read."""
    fault: Fault | None
    """What is wrong with the form: 413 where a limit was passed, else 400."""
    scanned: int
    """How many bytes the searches have looked at so far; linear in the size of the body."""

    def __init__(
        self,
        boundary: bytes,
        *,
        wanted: tuple[str, ...] = ("model", "stream"),
        max_parts: int = DEFAULT_MAX_PARTS,
        max_part_headers: int = DEFAULT_MAX_PART_HEADERS,
        max_value: int = DEFAULT_MAX_VALUE,
    ) -> None:
        self.fields = {}
        self.parts = 0
        self.files = False
        self.complete = False
        self.fault = None
        self.scanned = 0
        self._boundary = boundary
        self._delimiter = b"\r\n--" + boundary
        self._wanted = wanted
        self._max_parts = max_parts
        self._max_part_headers = max_part_headers
        self._max_value = max_value
        # Strict for its refusal of folded header lines, which it would join in quadratic time. The charset is one that
        # decodes anything: names are compared with ASCII ones only, and a file's name is nobody's business here.
        self._parser = PushMultipartParser(
            boundary,
            max_header_size=max_part_headers,
            max_header_count=max_part_headers,
            header_charset="latin-1",
            strict=True,
        )
        # A line end that is not there makes the first delimiter one like the others.
        self._pending = bytearray(b"\r\n")
        self._position = -2  # of `_pending` in the body
        self._read: Callable[[], bool] = self._read_body
        self._searched = 0  # bytes of `_pending` known to hold no line end
        self._headers = 0  # bytes of this part's complete header lines
        self._name: str | None = None  # of this part, where it is a wanted field
        self._offset = 0  # of this part's value
        self._value = bytearray()

    def feed(self, data: bytes) -> None:
        """Take the next piece of the body, of any size."""
        for start in range(0, len(data), _WINDOW):
            if self._is_over():
                return
            self._pending += data[start : start + _WINDOW]
            while not self._is_over() and self._read():
                pass

    def end(self) -> None:
        """End the body: from now on either `complete` or `fault` is set."""
        if self._is_over():
            return
        if self.parts:
            self._refuse(f"The form breaks off in part {self.parts}: there is no final boundary.")
        else:
            self._refuse_boundary()

    def _is_over(self) -> bool:
        return self.complete or self.fault is not None

    def _read_body(self) -> bool:
        """Read up to the next delimiter: a part's payload, or the preamble."""
        found = self._pending.find(self._delimiter)
        self.scanned += len(self._pending)
        # A delimiter that is not there yet may have begun.
        end = found if found >= 0 else max(0, len(self._pending) - len(self._delimiter) + 1)
        payload = self._take(end)
        if self.parts:
            self._parse(payload)
        elif self._position > _MAX_PREAMBLE:
            self._refuse_boundary()
        self._read = self._read_body if found < 0 else self._read_delimiter
        return found >= 0

    def _read_delimiter(self) -> bool:
        """Read a delimiter and the two bytes that tell whether a part follows."""
        end = len(self._delimiter) + 2
        if len(self._pending) < end:
            return False
        delimiter = self._take(end)
        self._parse(delimiter)
        if self.fault is not None:
            return False
        if delimiter.endswith(b"--"):
            self.complete = True
        elif self.parts == self._max_parts:
            self._refuse(f"The form has more than {self._max_parts} parts.", status=413)
        else:
            self.parts += 1
            self._headers = 0
            self._read = self._read_line
        return True

    def _read_line(self) -> bool:
        """Read a line of a part's headers, or the blank line behind them."""
        end = self._pending.find(b"\n", self._searched) + 1
        length = end or len(self._pending)
        self.scanned += length - self._searched
        if self._headers + length > self._max_part_headers:
            self._refuse(f"Part {self.parts} has more than {self._max_part_headers} bytes of headers.", status=413)
        elif end:
            self._headers += end
            self._parse(self._take(end))
        else:
            self._searched = length
        return end > 0

    def _take(self, size: int) -> bytes:
        """Take the first `size` bytes off the pending ones."""
        taken = bytes(self._pending[:size])
        del self._pending[:size]
        self._position += size
        self._searched = 0
        return taken

    def _parse(self, piece: bytes) -> None:
        if not piece:  # which would mean the end to the parser
            return
        try:
            for event in self._parser.parse(piece):
                if event is None:
                    self._end_part()
                elif isinstance(event, MultipartSegment):
                    self._begin_part(event)
                elif self._name is not None:
                    self._keep(self._name, event)
                if self.fault is not None:
                    return
        except MultipartError as error:
            where = f"at part {self.parts}" if self.parts else "at its start"
            self._refuse(f"The form is malformed {where}: {error}.")

    def _begin_part(self, part: MultipartSegment) -> None:
        self._read = self._read_body
        self._offset = self._position
        dispositions = [value for name, value in part.headerlist if name == "Content-Disposition"]
        if len(dispositions) > 1 or _DISPOSITION.fullmatch(dispositions[0]) is None:
            self._refuse(f'Part {self.parts} needs one `content-disposition: form-data; name="..."`, and no other.')
            return
        options = [(plain or extended).lower() for plain, extended in _OPTIONS.findall(dispositions[0])]
        if options.count("name") + options.count("name*") > 1:
            self._refuse(f"Part {self.parts} has two names.")
            return
        is_file = "filename" in options or "filename*" in options
        self.files = self.files or is_file
        self._note(part, is_file)
        if part.name not in self._wanted:
            return
        name = str(part.name)
        # The parser counts a length that the part itself declares; an honest one must not be the first to fail.
        declared = int(part.header("Content-Length", "0"))
        if is_file:
            self._refuse(f"`{name}` is a plain field of the form, not a file.", param=name)
        elif name in self.fields:
            self._refuse(f"The field `{name}` stands in the form twice.", param=name)
        elif declared > self._max_value:
            self._refuse_value(name)
        else:
            self._name = name

    def _note(self, part: MultipartSegment, is_file: bool) -> None:
        """Begin a part with proper headers, whose payload stands at `_offset`."""

    def _keep(self, name: str, payload: bytes) -> None:
        if len(self._value) + len(payload) > self._max_value:
            self._refuse_value(name)
        else:
            self._value += payload

    def _end_part(self) -> None:
        if self._name is None:
            return
        try:
            value = self._value.decode()
        except UnicodeDecodeError:
            self._refuse(f"The value of the field `{self._name}` is not UTF-8.", param=self._name)
            return
        self.fields[self._name] = Field(value, self._offset, len(self._value))
        self._name = None
        self._value.clear()

    def _refuse(self, message: str, *, param: str | None = None, status: int = 400) -> None:
        self.fault = invalid(message, param=param, status=status)

    def _refuse_value(self, name: str) -> None:
        self._refuse(f"The field `{name}` is longer than {self._max_value} bytes.", param=name, status=413)

    def _refuse_boundary(self) -> None:
        self._refuse(
            f"The body does not begin with `--{self._boundary.decode()}`, the boundary that `content-type` names."
        )


class _PartScan(FormScan):
    """A scan that keeps where the payload of each part begins and ends, wanted or not."""

    def __init__(self, boundary: bytes, *, max_parts: int) -> None:
        super().__init__(boundary, wanted=(), max_parts=max_parts)
        self.found: list[tuple[MultipartSegment, bool]] = []
        """The parts, and whether each is a file."""
        self.spans: list[tuple[int, int]] = []
        """The payload of each part that is complete: its first byte in the body, and the one behind its last."""

    def _note(self, part: MultipartSegment, is_file: bool) -> None:
        self.found.append((part, is_file))

    def _end_part(self) -> None:
        # What ends a part is reported at the end of the delimiter and its two bytes behind it.
        self.spans.append((self._offset, self._position - len(self._delimiter) - 2))


def read_form(
    body: bytes, boundary: bytes, *, max_parts: int = DEFAULT_MAX_PARTS, max_value: int = DEFAULT_MAX_VALUE
) -> Form | Fault:
    """All parts of a form that is in memory as a whole.

    Args:
        body: The form. Files are copied out of it, so that it need not be kept.
        boundary: What `boundary_of` returned.
        max_parts: The most parts that are taken.
        max_value: The most bytes of one plain field's value; files have no limit but the body's own.

    Returns: the form, or what is wrong with it: a 413 where a limit was passed, else a 400, which names the field where
    it concerns one.
    """
    scan = _PartScan(boundary, max_parts=max_parts)
    scan.feed(body)
    scan.end()
    if scan.fault is not None:
        return scan.fault
    fields: list[tuple[str, str]] = []
    files: list[FormFile] = []
    for (part, is_file), (start, end) in zip(scan.found, scan.spans, strict=True):
        name = _utf8(part.name)
        if is_file:
            kind = part.header("Content-Type", "").partition(";")[0].strip().lower()
            files.append(FormFile(name, _utf8(part.filename or ""), kind, body[start:end]))
            continue
        if end - start > max_value:
            return invalid(f"The field `{name}` is longer than {max_value} bytes.", param=name, status=413)
        try:
            fields.append((name, body[start:end].decode()))
        except UnicodeDecodeError:
            return invalid(f"The value of the field `{name}` is not UTF-8.", param=name)
    return Form(tuple(fields), tuple(files))


def _utf8(text: str) -> str:
    """Header text, which the parser read as Latin-1, as the UTF-8 that it is; empty where it is none."""
    try:
        return text.encode("latin-1").decode()
    except UnicodeDecodeError:
        return ""
