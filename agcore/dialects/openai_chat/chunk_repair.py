"""Mends what Chat upstreams answer for OpenAI's SDKs (docs/wire/openai-chat.md#what-the-sdk-cannot-add-up).

The SDKs join whatever comes twice: `assistant` and `assistant` become `assistantassistant`, and so do the ids and names
of calls. They find calls by an index, want an id with each, and arguments as text; and they expect usage in a last
chunk of its own. Servers that only resemble OpenAI repeat the former in every chunk, number all calls 0 or none, know
no ids, write arguments as objects, and tell usage beside the text.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2s
from typing import Final

from agcore.codecs import json_text
from agcore.dialects.openai_chat.call_numbers import CallNumbers, KnownCall, id_of
from agcore.dialects.shared.loose import text_of

_HEAD: Final = ("id", "object", "created", "model")
_NO_ARGUMENTS: Final = "{}"

_Object = dict[str, object]


class _Call(KnownCall):
    """A call that the client is being told of."""

    shown: bool = False
    custom: bool = False


class _Choice:
    """What was said of a choice."""

    def __init__(self) -> None:
        self.role = False
        self.numbers = CallNumbers(_Call)
        self.begun: list[_Call] = []
        """Calls that the client was told of since the last finish, each of which may turn out to have no arguments."""
        self.function: _Call | None = None
        """The old-style call, which has neither number nor id."""


class Mender:
    """Mends the chunks of one stream in place."""

    def __init__(self) -> None:
        self._choices: dict[int, _Choice] = {}
        self._head: _Object = {}
        self._usage: object = None

    def mend(self, chunk: _Object) -> bool:
        """Whether the chunk had to be changed."""
        choices = chunk.get("choices")
        if not isinstance(choices, list) or not choices:
            self._usage = None if chunk.get("usage") else self._usage
            return False
        mended = False
        for choice in choices:
            if isinstance(choice, dict):
                mended = self._choice(choice, chunk) or mended
        if chunk.get("usage"):
            self._usage, chunk["usage"], mended = chunk["usage"], None, True
            self._head = {name: chunk[name] for name in _HEAD if name in chunk}
        return mended

    def usage_chunk(self) -> _Object | None:
        """The usage that was told beside text only, in a chunk of its own; once."""
        usage, self._usage = self._usage, None
        return {**self._head, "choices": [], "usage": usage} if usage else None

    def _choice(self, choice: _Object, chunk: _Object) -> bool:
        index = choice.get("index")
        index = index if isinstance(index, int) else 0
        state = self._choices.get(index)
        if state is None:
            state = self._choices[index] = _Choice()
        delta = choice.get("delta")
        mended = isinstance(delta, dict) and _mend_delta(delta, state, chunk)
        if choice.get("finish_reason") is not None and (silent := list(_silent(state))):
            delta = delta if isinstance(delta, dict) else {}
            told = delta.get("tool_calls")
            choice["delta"] = {**delta, "tool_calls": [*(told if isinstance(told, list) else ()), *silent]}
            mended = True
        return mended


class _Ids:
    """Ids for the calls in one answer or chunk, made of all that it says."""

    def __init__(self, answer: _Object) -> None:
        self._answer = answer
        self._digest = b""
        self._count = 0

    def make(self) -> str:
        """One more. The first is made before anything is changed."""
        self._digest = self._digest or blake2s(json_text.encode(self._answer)).digest()
        self._count += 1
        return f"call_{blake2s(self._digest + self._count.to_bytes(4)).hexdigest()[:24]}"


def mend_answer(answer: _Object) -> bool:
    """Mend a whole answer in place; whether it had to be changed."""
    ids, mended = None, False
    choices = answer.get("choices")
    for choice in choices if isinstance(choices, list) else ():
        message = choice.get("message") if isinstance(choice, dict) else None
        if not isinstance(message, dict):
            continue
        if isinstance(message.get("content"), list):
            mended = _mend_content(message) or mended
        if message.get("tool_calls") or message.get("function_call"):
            ids = ids or _Ids(answer)
            mended = _mend_calls(message, ids) or mended
    return mended


def _mend_calls(message: _Object, ids: _Ids) -> bool:
    mended = False
    calls, taken = message.get("tool_calls"), set[str]()
    for call in calls if isinstance(calls, list) else ():
        if isinstance(call, dict):
            id = id_of(call.get("id"))
            id = ids.make() if not id or id in taken else id
            taken.add(id)
            mended = _put(call, "id", id) or mended
            mended = _mend_type(call) or mended
            mended = _mend_text(*_body(call), whole=True) or mended
    function = message.get("function_call")
    if isinstance(function, dict):
        mended = _mend_text(function, "arguments", whole=True) or mended
    return mended


def _mend_delta(delta: _Object, state: _Choice, chunk: _Object) -> bool:
    mended = isinstance(delta.get("content"), list) and _mend_content(delta)
    if delta.get("role"):
        if state.role:
            del delta["role"]
            mended = True
        state.role = True
    calls = delta.get("tool_calls")
    if isinstance(calls, list):
        ids = _Ids(chunk)
        changed = [_mend_call(call, state, ids) if isinstance(call, dict) else False for call in calls]
        mended = mended or any(each is not False for each in changed)
        if None in changed:
            delta["tool_calls"] = [call for call, each in zip(calls, changed, strict=True) if each is not None]
    function = delta.get("function_call")
    if isinstance(function, dict):
        mended = _mend_function(function, state) or mended
    return mended


def _mend_call(call: _Object, state: _Choice, ids: _Ids) -> bool | None:
    """Mend a piece of a call. None where it is to wait for the call's name, without which nobody can begin it."""
    body, member = _body(call)
    mended = _mend_text(body, member)
    name, text = text_of(body.get("name")), text_of(body.get(member))
    known = state.numbers.which(call.get("index"), id=id_of(call.get("id")), name=name, text=text)
    known.custom = known.custom or member == "input"
    if text:
        known.pieces.append(text)
    if not known.name:
        return None
    mended = _put(call, "index", known.place) or mended
    if known.shown:
        return _mend_more(call, body, known.name) or mended
    known.shown = True
    state.begun.append(known)
    mended = _put(call, "id", known.id or ids.make()) or mended
    mended = _mend_type(call) or mended
    return _put(body, member, known.arguments) or mended


def _mend_more(call: _Object, body: _Object, name: str) -> bool:
    """Take out of a further piece what the first one said, and what would say it anew as nothing."""
    mended = False
    for holder, key, repeated in (
        (call, "id", call.get("id") is not None),
        (call, "type", "type" in call and not call["type"]),
        (body, "name", body.get("name") in ("", name)),
    ):
        if repeated:
            del holder[key]
            mended = True
    return mended


def _mend_function(function: _Object, state: _Choice) -> bool:
    mended = _mend_text(function, "arguments")
    known = state.function
    if known is None:
        known = state.function = _Call(0, name=text_of(function.get("name")), shown=True)
    elif function.get("name") == known.name:
        del function["name"]
        mended = True
    if text := text_of(function.get("arguments")):
        known.pieces.append(text)
    return mended


def _silent(state: _Choice) -> Iterator[_Object]:
    """Pieces for the calls that said no arguments at all, which nobody can parse."""
    begun, state.begun = state.begun, []
    for call in begun:
        if not call.custom and not call.pieces:
            call.pieces.append(_NO_ARGUMENTS)
            yield {"index": call.place, "function": {"arguments": _NO_ARGUMENTS}}


def _mend_content(message: _Object) -> bool:
    """Whether texts that came as parts had to be made one. Other parts (Mistral's thoughts) have no other place."""
    content = message["content"]
    assert isinstance(content, list)
    texts = [part.get("text") if isinstance(part, dict) and part.get("type") == "text" else part for part in content]
    if not all(isinstance(text, str) for text in texts):
        return False
    message["content"] = "".join(map(str, texts)) or None
    return True


def _mend_type(call: _Object) -> bool:
    return not call.get("type") and _put(call, "type", "custom" if "custom" in call else "function")


def _mend_text(body: _Object, member: str, *, whole: bool = False) -> bool:
    """Arguments as text; those of a whole call are never none, which nobody can parse."""
    value = body.get(member)
    if isinstance(value, str):
        return whole and not value and member == "arguments" and _put(body, member, _NO_ARGUMENTS)
    if value is None:
        return whole and bool(body) and _put(body, member, _NO_ARGUMENTS if member == "arguments" else "")
    return _put(body, member, json_text.encode(value).decode())


def _put(holder: _Object, key: str, value: object) -> bool:
    if holder.get(key) == value and type(holder.get(key)) is type(value):
        return False
    holder[key] = value
    return True


def _body(call: _Object) -> tuple[_Object, str]:
    """What a call says, and the member of it that holds its arguments; what is not told is empty."""
    custom, function = call.get("custom"), call.get("function")
    if isinstance(custom, dict):
        return custom, "input"
    return function if isinstance(function, dict) else {}, "arguments"
