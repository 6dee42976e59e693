"""Neutral turns as Gemini's `contents` (docs/wire/gemini.md#contents).

Gemini wants a signature back on the part that it signed, and on the first call of each step a word that excuses a call
which another model made. Both depend on the step alone: a further turn changes nothing before it.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from typing import Final

from agcore.codecs import json_text
from agcore.codecs.globs import matches
from agcore.conversation.losses import Losses
from agcore.conversation.values import (
    Audio,
    Document,
    Foreign,
    Image,
    Part,
    Refusal,
    Signature,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Turn,
    Video,
)
from agcore.dialects.gemini.traits import NAME
from agcore.dialects.shared.reminders import reminder
from agcore.models.profiles import Profile

SKIP_SIGNATURE: Final = "skip_thought_signature_validator"
"""Google's word for a call that Gemini did not make."""
SIGNED_IMAGE: Final = "image"
"""The id of the signature of a picture: texts are told apart by their length."""
_UNSIGNED_PICTURES: Final = "gemini-2*"
"""Models that make pictures without signing them."""

_RESOLVED: Final = frozenset({"$ref", "$defs"})
"""Members of a result that Google takes for references."""
_LARGEST_WHOLE: Final = 2**53
"""Beyond it a double is not every whole number."""

_Media = Image | Document | Audio | Video
_Object = dict[str, object]

OWN_FILES: Final = re.compile(r"(gs://|files/|https://generativelanguage\.googleapis\.com/)")
"""Where Google alone can read: a bucket of its cloud, or its Files API."""
YOUTUBE: Final = re.compile(r"https?://(www\.|m\.)?(youtube\.com|youtu\.be)/")
_MAGIC: Final = (
    ("iVBORw0KGgo", "image/png"),
    ("/9j/", "image/jpeg"),
    ("R0lGOD", "image/gif"),
    ("JVBERi0", "application/pdf"),
)


class ContentsWriter:
    """Writes turns, whose history is in order, as `contents`. `system` gets the leading instructions."""

    def __init__(self, turns: tuple[Turn, ...], *, profile: Profile, signer: str, losses: Losses) -> None:
        self.system: list[_Object] = []
        self.contents: list[_Object] = []
        self._losses = losses
        self._signer = signer
        # Google's models before Gemini 3 neither ask for signatures nor read files inside of results.
        self._modern = profile.vendor != "google" or profile.reasoning not in ("none", "budget")
        unsigned = matches(_UNSIGNED_PICTURES, profile.model.rpartition("/")[2])
        self._signs_pictures = profile.image_output and not unsigned
        self._names: dict[str, str] = {}
        self._own_ids: set[str] = set()
        self._details: set[str] = set()
        for position, turn in enumerate(turns):
            self._turn(turn, f"turns[{position}]")
        if not self.contents:
            self._add("user", [{"text": "."}])
            losses.add("turns", "Gemini answers to a user only", action='sent "." as the user')
        if self.contents[-1]["role"] == "model":
            losses.add("turns", "Gemini starts a new answer instead of continuing one", action="sent as it is")

    @property
    def resolution(self) -> str:
        """`low` or `high` where all pictures are to be seen so: Google has one setting for all of them."""
        return next(iter(self._details)) if self._details in ({"low"}, {"high"}) else ""

    def _add(self, role: str, parts: list[_Object]) -> None:
        if not parts:
            return
        if self.contents and self.contents[-1]["role"] == role:
            before = self.contents[-1]["parts"]
            assert isinstance(before, list)
            before.extend(parts)
            return
        if not self.contents and role == "model":
            self._losses.add("turns[0]", "Gemini wants a user to speak first", action='sent "." before it')
            self.contents.append({"role": "user", "parts": [{"text": "."}]})
        self.contents.append({"role": role, "parts": parts})

    def _turn(self, turn: Turn, path: str) -> None:
        if any(getattr(part, "cache", "") for part in turn.parts):
            self._losses.add(f"{path}.cache_control", "Gemini caches by itself", weight="note")
        if turn.name:
            self._losses.add(f"{path}.name", "Gemini's contents have no names", weight="note")
        if turn.role in ("system", "developer"):
            self._instruct(turn, path)
        elif turn.role == "assistant":
            self._add("model", self._said(turn, path))
        else:
            self._add("user", self._asked(turn, path))

    def _instruct(self, turn: Turn, path: str) -> None:
        """Leading instructions are the system's; later ones keep their place as text of the user."""
        if self.contents:
            wrapped = [{"text": reminder(text)} for text in self._texts(turn, path)]
            self._add("user", [dict(part) for part in wrapped])
        else:
            self.system += [{"text": text} for text in self._texts(turn, path)]

    def _texts(self, turn: Turn, path: str) -> Iterable[str]:
        for position, part in enumerate(turn.parts):
            if not isinstance(part, Text):
                self._losses.add(f"{path}.parts[{position}]", "Gemini's instructions are texts")
            elif part.text.strip():
                yield part.text

    def _said(self, turn: Turn, path: str) -> list[_Object]:
        calls = [part for part in turn.parts if isinstance(part, ToolCall)]
        first = next(iter(calls), None)
        signature = None if first is None else first.signature
        if first is not None and signature is not None and self._owned(signature) and signature.id == first.id:
            # Gemini gave ids in this step, and they came back: they may be sent.
            self._own_ids.update(call.id for call in calls)
        out: list[_Object] = []
        for position, part in enumerate(turn.parts):
            here = f"{path}.parts[{position}]"
            if isinstance(part, ToolCall):
                out.append(self._called(part, here, first=part is first))
            elif isinstance(part, Thinking):
                self._thought(part, out, here)
            else:
                out += self._plain(part, here)
        if self._signs_pictures:
            _excuse(out)
        return out

    def _owned(self, signature: Signature) -> bool:
        return bool(signature.signer) and signature.signer == self._signer

    def _called(self, call: ToolCall, path: str, *, first: bool) -> _Object:
        self._names[call.id] = call.name
        function: _Object = {"name": call.name, "args": arguments(call.arguments, custom=call.custom)}
        if call.id in self._own_ids:
            function = {"id": call.id, **function}
        part: _Object = {"functionCall": function}
        if call.signature is not None and self._owned(call.signature):
            part["thoughtSignature"] = call.signature.data
            return part
        if call.signature is not None:
            self._losses.add(f"{path}.signature", "another model signed it", weight="note")
        if first and self._modern:
            part["thoughtSignature"] = SKIP_SIGNATURE
        return part

    def _thought(self, thought: Thinking, out: list[_Object], path: str) -> None:
        signature = thought.signature
        if signature is None or not self._owned(signature):
            self._losses.add(path, "Gemini takes back only thoughts that it signed", weight="note")
        elif signature.kind == "text" and signature.id == SIGNED_IMAGE:
            if not _sign_picture(out, signature):
                self._losses.add(path, "the picture that it signs is not there any more", weight="note")
        elif signature.kind == "text":
            _sign_text(out, signature)
        elif signature.kind != "call":
            out.append({"text": thought.text, "thought": True, "thoughtSignature": signature.data})

    def _asked(self, turn: Turn, path: str) -> list[_Object]:
        results: list[_Object] = []
        rest: list[_Object] = []
        for position, part in enumerate(turn.parts):
            here = f"{path}.parts[{position}]"
            if isinstance(part, ToolResult):
                results.append(self._answered(part, rest, here))
            elif isinstance(part, Thinking | ToolCall):
                self._losses.add(here, "a user neither thinks nor calls")
            else:
                rest += self._plain(part, here)
        return results + rest

    def _answered(self, result: ToolResult, rest: list[_Object], path: str) -> _Object:
        texts = [part.text for part in result.content if isinstance(part, Text)]
        media: list[_Object] = []
        for position, part in enumerate(result.content):
            if not isinstance(part, Text):
                media += self._plain(part, f"{path}.content[{position}]")
        name = self._names.get(result.call_id) or result.name or "unknown"
        function: _Object = {"name": name, "response": _response("\n".join(texts), failed=result.is_error)}
        if result.call_id in self._own_ids:
            function = {"id": result.call_id, **function}
        if media and self._modern:
            function["parts"] = media
        else:
            rest += media
        return {"functionResponse": function}

    def _plain(self, part: Part, path: str) -> list[_Object]:
        """What is the same on both sides."""
        if isinstance(part, Text | Refusal):
            return [{"text": part.text}] if part.text.strip() else []
        if isinstance(part, Foreign):
            if part.dialect == NAME:
                return [{part.kind: part.value}]
            self._losses.add(path, f"Gemini has no {part.kind}")
            return []
        if isinstance(part, Thinking | ToolCall | ToolResult):
            return []
        return self._file(part, path)

    def _file(self, part: _Media, path: str) -> list[_Object]:
        source = part.source
        if isinstance(part, Image):
            self._details.add(part.detail)
        uri = source.url or source.file_id
        if uri:
            if not (OWN_FILES.match(uri) or (source.url and YOUTUBE.match(uri))):
                self._losses.add(path, "Gemini reads files inline or from Google only", weight="refuse")
                return []
            known = {"mimeType": source.media_type} if source.media_type and "*" not in source.media_type else {}
            return [{"fileData": {"fileUri": uri, **known}}]
        if isinstance(part, Document) and source.media_type.startswith("text/"):
            text = base64.b64decode(source.data).decode("utf-8", "replace")
            text = f"{part.title}\n\n{text}" if part.title else text
            return [{"text": text}] if text.strip() else []
        kind = source.media_type
        if isinstance(part, Audio) and kind and "/" not in kind:
            kind = f"audio/{kind}"
        kind = kind or next((name for magic, name in _MAGIC if source.data.startswith(magic)), "image/webp")
        return [{"inlineData": {"mimeType": kind, "data": source.data}}]


def _sign_picture(out: list[_Object], signature: Signature) -> bool:
    """Put a signature on the first picture that has none; whether there is one. They come back in their order."""
    for part in out:
        if part.keys() == {"inlineData"}:
            part["thoughtSignature"] = signature.data
            return True
    return False


def _sign_text(out: list[_Object], signature: Signature) -> None:
    """Put a signature on the text that it signs: the last so many characters, as its id says, or an empty part.

    Pictures may have come between: some clients keep them apart from the text.
    """
    size = int(signature.id) if signature.id.isdecimal() and len(signature.id) < 10 else 0
    at = next((place for place in range(len(out) - 1, -1, -1) if "inlineData" not in out[place]), -1)
    before = out[at].get("text") if at >= 0 and out[at].keys() == {"text"} else None
    if not size or not isinstance(before, str) or len(before) < size:
        out.append({"text": "", "thoughtSignature": signature.data})
        return
    rest: list[_Object] = [{"text": before[:-size]}] if len(before) > size else []
    out[at : at + 1] = [*rest, {"text": before[-size:], "thoughtSignature": signature.data}]


def _excuse(out: list[_Object]) -> None:
    """Excuse what a model that makes pictures should have signed: its first part after thoughts, and each picture."""
    said = [part for part in out if not part.get("thought")]
    for part in said:
        if "inlineData" in part or (part is said[0] and "text" in part):
            part.setdefault("thoughtSignature", SKIP_SIGNATURE)


def arguments(text: str, *, custom: bool = False) -> _Object:
    """A call's arguments as an object (docs/wire/json.md#arguments-of-calls); a custom tool's text as its `input`."""
    if custom:
        return {"input": text}
    value = _decoded(text) if text.strip() else {}
    return value if isinstance(value, dict) else {"_raw": text}


def _response(text: str, *, failed: bool) -> _Object:
    """A result as the object that Google wants: its own where it is one, unless that would read as something else."""
    if failed:
        return {"error": text}
    value = _decoded(text) if text.startswith("{") else None
    if isinstance(value, dict) and value and value.keys() not in ({"output"}, {"error"}) and _is_plain(value):
        return value
    return {"output": text}


def _is_plain(value: _Object) -> bool:
    """Whether Google reads an object as what it says.

    It looks up `$ref` among the files beside the result, whatever the depth, and keeps numbers as doubles
    (docs/wire/gemini.md#contents).
    """
    left: list[object] = [value]
    while left:
        each = left.pop()
        if isinstance(each, dict):
            if not _RESOLVED.isdisjoint(each):
                return False
            left.extend(each.values())
        elif isinstance(each, list):
            left.extend(each)
        elif isinstance(each, int) and abs(each) > _LARGEST_WHOLE:
            return False
    return True


def _decoded(text: str) -> object:
    try:
        return json_text.decode(text.encode("utf-8", "surrogatepass"))
    except ValueError:
        return None
