"""Gemini's `contents` as neutral turns (docs/wire/gemini.md#contents).

Calls and results of Gemini clients often have no ids and are paired by their order; here every call gets one, counted
from the start of the history. Signatures sit on parts; those that are carriers give back what another vendor signed.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from agcore.codecs import json_text
from agcore.conversation.losses import Losses
from agcore.conversation.values import (
    Audio,
    Document,
    Foreign,
    Image,
    Invalid,
    Part,
    Role,
    Signature,
    Source,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Turn,
    Video,
)
from agcore.dialects.gemini.calls import Calls
from agcore.dialects.gemini.carriers import call_opened, google_opened
from agcore.dialects.gemini.contents_writer import OWN_FILES, SKIP_SIGNATURE, YOUTUBE
from agcore.dialects.gemini.fields import Message
from agcore.dialects.gemini.traits import NAME
from agcore.dialects.openai import parts_reader as openai_parts

_Media = Image | Document | Audio | Video
_Object = dict[str, object]

_ROLES: Final[dict[str, Role]] = {"": "user", "user": "user", "function": "user", "model": "assistant"}
_RAN: Final = ("executableCode", "toolCall")
_CODE: Final = "code_execution"
_FINE: Final = ("", "OUTCOME_OK", "OUTCOME_UNSPECIFIED")
_FOREIGN: Final = (*_RAN, "codeExecutionResult", "toolResponse")
_SAID: Final = ("text", "inlineData", "fileData", "functionCall", "functionResponse", *_FOREIGN)
"""What a part may hold, one of them."""
_BESIDE: Final = frozenset({
    "thought", "thoughtSignature", "partMetadata", "mediaResolution", "mediaProcessing", "videoMetadata",
    "audioMetadata", "audioTranscription", "speechMetadata", "documentMetadata", "spreadsheetMetadata",
})  # fmt: skip
"""What may stand in a part that says nothing."""
_TYPES: Final = {
    "pdf": "application/pdf",
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
}
_EXCUSED: Final = frozenset({SKIP_SIGNATURE, base64.urlsafe_b64encode(SKIP_SIGNATURE.encode()).decode().rstrip("=")})


class ContentsReader:
    """Reads a client's `contents` into turns. Neighbouring `model` contents are one turn: SDKs replay one per chunk."""

    def __init__(self, contents: list[Message], losses: Losses) -> None:
        self._losses = losses
        self._calls = Calls()
        self._ids: set[str] = set()
        self._taken = set(_wire_ids(contents))
        self._count = 0
        self._hosted = HostedParts(self._minted)
        self._signed: set[str] = set()  # what the open turn's thoughts are signed with
        self._roles: list[Role] = []
        self._parts: list[list[Part]] = []
        for content in contents:
            self._read(content)
        self.turns = [Turn(role, tuple(parts)) for role, parts in zip(self._roles, self._parts, strict=True)]

    def _read(self, content: Message) -> None:
        role = _ROLES.get(content.text("role"))
        if role is None:
            raise Invalid("Please use a valid role: user, model.", param=content.at("role"))
        if role == "user" or not self._roles or self._roles[-1] == "user":
            self._roles.append(role)
            self._parts.append([])
            self._calls.begin_step()
            self._signed.clear()
        for part in content.messages("parts"):
            self._part(part, role, self._parts[-1])
        content.note_left(self._losses)

    def _part(self, part: Message, role: Role, parts: list[Part]) -> None:
        if not any(part.has(name) for name in _SAID) and not _BESIDE.issuperset(part.left()):
            # In another dialect's form; what is in nobody's is refused by its place.
            openai_parts.read_part(part.value, part.path, role, self._losses, parts)
            return
        signed = part.text("thoughtSignature")
        text = part.take("text")
        if part.has("functionCall"):
            self._call(part, role, parts, signed)
        elif part.has("functionResponse"):
            parts.append(self._result(part, role))
        elif part.has("inlineData") or part.has("fileData"):
            parts += read_media(part, self._losses)
        elif text is not None:
            if not isinstance(text, str):
                raise Invalid(f"{part.at('text')} must be a string", param=part.at("text"))
            signature = _say(parts, text, part.flag("thought"), signed)
            if signature is not None:
                self._signed.add(signature.data)
        for kind in _FOREIGN:
            if part.has(kind):
                parts.append(self._hosted.read(part, kind, role))
        part.take("thought")
        part.note_left(self._losses)

    def _call(self, part: Message, role: Role, parts: list[Part], signed: str) -> None:
        path = part.at("functionCall")
        call = part.message("functionCall")
        assert call is not None
        if role != "assistant":
            raise Invalid(f"{path} must stand in a content of the role model", param=path)
        name, wire_id, args = _named(call), call.text("id"), call.take("args")
        if args is not None and not isinstance(args, dict):
            raise Invalid(f"{call.at('args')} must be an object", param=call.at("args"))
        call.note_left(self._losses)
        id = wire_id if wire_id and wire_id not in self._ids else self._minted()
        self._ids.add(id)
        self._calls.add(wire_id, id, name)
        carried = call_opened(signed)
        own = None if carried else _signature(signed, "call")
        for signature, said in carried:
            if signature.kind == "call":
                own = signature
            elif signature.data not in self._signed:  # else the client kept the thought that it signs
                _put_back(parts, signature, said)
        parts.append(ToolCall(id, name, json_of({} if args is None else args, call.at("args")), signature=own))

    def _minted(self) -> str:
        while True:
            self._count += 1
            id = f"call_{self._count}"
            if id not in self._taken:
                return id

    def _result(self, part: Message, role: Role) -> ToolResult:
        path = part.at("functionResponse")
        result = part.message("functionResponse")
        assert result is not None
        if role != "user":
            raise Invalid(f"{path} must stand in a content of the role user", param=path)
        name, wire_id, response = result.text("name"), result.text("id"), result.take("response")
        if response is not None and not isinstance(response, dict):
            raise Invalid(f"{result.at('response')} must be an object", param=result.at("response"))
        call = self._calls.paired(wire_id, name)
        if call is None:
            raise Invalid(f"{path} answers no functionCall of the conversation", param=path)
        call.answered = True
        content: list[Text | Image | Document | Audio | Video] = []
        text, failed = _output(response or {}, result.at("response"))
        if text:
            content.append(Text(text))
        for inner in result.messages("parts"):
            content += read_media(inner, self._losses)
            inner.note_left(self._losses)
        result.note_left(self._losses)
        return ToolResult(call.id, tuple(content), failed, name=call.name)


def _put_back(parts: list[Part], signature: Signature, said: int) -> None:
    """Sign the thought in front of the last `said` code points of text, or put one there that says nothing."""
    at, left = len(parts), said
    while left and at and isinstance(text := parts[at - 1], Text):
        at -= 1
        if len(text.text) > left:  # the client joined what was said before the thought with what was said after it
            parts[at : at + 1] = [Text(text.text[:-left]), Text(text.text[-left:])]
            at += 1
            break
        left -= len(text.text)
    before = parts[at - 1] if at else None
    if isinstance(before, Thinking) and before.signature is None and signature.kind != "redacted":
        parts[at - 1] = Thinking(before.text, signature)
    else:
        parts.insert(at, Thinking("", signature))


def _say(parts: list[Part], text: str, thought: bool, signed: str) -> Signature | None:
    """Add a text or a thought, and return what signs it.

    Unsigned thoughts in a row are pieces of one, which the last one's signature ends.
    """
    signature = _signature(signed, "thinking" if thought else "text")
    if not text and signature is not None and signature.kind in ("thinking", "redacted", "reasoning"):
        thought = True
    before = parts[-1] if parts else None
    if thought:
        joins = isinstance(before, Thinking) and before.signature is None
        if isinstance(before, Thinking) and joins and not (signature is not None and signature.kind == "redacted"):
            parts[-1] = Thinking(before.text + text, signature)
        elif text or signature is not None:
            parts.append(Thinking(text, signature))
        return signature
    if text:
        parts.append(Text(text))
    if signature is not None:
        parts.append(Thinking("", signature))
    return signature


def _signature(text: str, kind: str) -> Signature | None:
    if not text or text.replace("/", "_").rstrip("=") in _EXCUSED:
        return None
    return google_opened(text) or msgspec.convert({"signer": "", "kind": kind, "data": text}, Signature)


def _named(call: Message) -> str:
    name = call.text("name")
    if not name:
        raise Invalid(f"{call.at('name')} is required", param=call.at("name"))
    return name


def _output(response: _Object, path: str) -> tuple[str, bool]:
    """What a tool said, and whether it is an error: `output` or `error` alone, else the whole object."""
    keys = set(response)
    value: object = response
    if keys in ({"output"}, {"error"}):
        (value,) = response.values()
    text = "" if value is None or value == {} else value if isinstance(value, str) else json_of(value, path)
    return text, keys == {"error"}


def json_of(value: object, path: str) -> str:
    """`value` as compact JSON text; `Invalid` for what is nested too deeply."""
    try:
        return json_text.encode(value).decode()
    except (ValueError, msgspec.MsgspecError):
        raise Invalid(f"{path} is nested too deeply", param=path) from None


def _wire_ids(contents: list[Message]) -> Iterable[str]:
    """The ids that calls and results bring along: minted ones must be none of them."""
    for content in contents:
        for part in content.peek("parts"):
            for name in ("functionCall", "functionResponse"):
                for inner in part.peek(name):
                    id = inner.peek_text("id")
                    if id:
                        yield id


def normal_base64(text: str, path: str) -> str:
    """Base64 of any alphabet in the standard one, padded, without white space (docs/wire/json.md#base64)."""
    plain = "".join(text.split()).replace("-", "+").replace("_", "/").rstrip("=")
    plain += "=" * (-len(plain) % 4)
    try:
        base64.b64decode(plain, validate=True)
    except (binascii.Error, ValueError):
        raise Invalid(f"{path} is not base64", param=path) from None
    return plain


def read_media(part: Message, losses: Losses) -> list[_Media]:
    """The picture, sound or file of a part; nothing where it can be seen by Google alone."""
    where, resolution = part.at("mediaResolution"), part.take("mediaResolution")
    detail = _detail(resolution.get("level") if isinstance(resolution, dict) else resolution)
    if resolution and not detail:
        losses.add(where, "others have no such resolution", weight="note")
    inline, file = part.message("inlineData"), part.message("fileData")
    if inline is not None:
        data = normal_base64(inline.text("data"), inline.at("data"))
        kind = inline.text("mimeType")
        if not kind or not data:
            raise Invalid(f"{inline.path} needs mimeType and data", param=inline.path)
        return [_media(Source(media_type=kind.lower(), data=data), inline, detail, losses)]
    if file is None:
        return []
    uri, kind = file.text("fileUri"), file.text("mimeType").lower()
    if not uri:
        raise Invalid(f"{file.at('fileUri')} is required", param=file.at("fileUri"))
    if OWN_FILES.match(uri):
        losses.add(file.at("fileUri"), "only Google can read this file", weight="refuse")
        return []
    if YOUTUBE.match(uri):
        kind = kind or "video/*"
    kind = kind or _TYPES.get(uri.partition("?")[0].rpartition(".")[2].lower(), "")
    return [_media(Source(media_type=kind, url=uri), file, detail, losses)]


def with_detail(turns: list[Turn], resolution: str) -> list[Turn]:
    """The turns with a resolution for all pictures that have none of their own."""
    detail = _detail(resolution)
    if not detail:
        return turns
    return [
        Turn(turn.role, tuple(Image(p.source, p.detail or detail) if isinstance(p, Image) else p for p in turn.parts))
        for turn in turns
    ]


def _detail(level: object) -> str:
    """The neutral word for a media resolution; empty for one without."""
    size = level.upper().removeprefix("MEDIA_RESOLUTION_") if isinstance(level, str) else ""
    return size.lower() if size in ("LOW", "HIGH") else ""


def _media(source: Source, said: Message, detail: str, losses: Losses) -> _Media:
    where, title = said.at("displayName"), said.text("displayName")
    said.note_left(losses)
    kind = source.media_type.partition("/")[0]
    if title and kind in ("image", "audio", "video"):
        losses.add(where, "only documents have a title", weight="note")
    if kind == "image":
        return Image(source, detail)
    if kind == "audio":
        return Audio(source)
    return Video(source) if kind == "video" else Document(source, title)


class HostedParts:
    """Reads what Google ran itself, in words that all vendors know (docs/wire/tools.md#hosted-tools).

    Code that ran, and tools of Google's that were called, are calls that were made; what came of them are results. Ids
    are new in Google's API and often absent: a result belongs to the call with its id, else to the first one without a
    result. `mint` gives an id that no call has.
    """

    def __init__(self, mint: Callable[[], str]) -> None:
        self._mint = mint
        self._open: list[tuple[str, str]] = []  # (Google's id, ours) of calls without a result yet

    def read(self, part: Message, kind: str, role: Role) -> Foreign:
        """The part, and what it stands for elsewhere. Raises Invalid for members of another type than theirs."""
        path, value = part.at(kind), part.take(kind)
        said = Message(value, path)
        if kind in _RAN:
            stands_for = self._call(said, kind, role)
        else:
            stands_for = self._result(said, kind, role)
        return Foreign(NAME, kind, value, (stands_for,))

    def _call(self, said: Message, kind: str, role: Role) -> Part:
        id = said.text("id")
        if kind == "executableCode":
            name, arguments = _CODE, {"code": said.text("code"), "language": said.text("language").lower()}
            shown = arguments["code"]
        else:
            name, given = said.text("toolType").lower() or "tool", said.take("args")
            arguments = given if isinstance(given, dict) else {}
            shown = json_of(arguments, said.path)
        if role != "assistant":
            return Text(f"[{name}]\n{shown}")
        ours = self._mint()
        self._open.append((id, ours))
        return ToolCall(ours, name, json_of(arguments, said.path))

    def _result(self, said: Message, kind: str, role: Role) -> Part:
        id, failed = said.text("id"), False
        if kind == "codeExecutionResult":
            text, failed = said.text("output"), said.text("outcome") not in _FINE
        else:
            response = said.take("response")
            text = json_of(response, said.path) if response is not None else ""
        found = next((each for each in self._open if id and each[0] == id), None)
        if found is None:
            found = next((each for each in self._open if not (id and each[0])), None)
        if found is None:
            return Text(f"[result]\n{text}")
        self._open.remove(found)
        return ToolResult(found[1], (Text(text),) if text else (), is_error=failed)
