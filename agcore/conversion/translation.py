"""One request on its way through two dialects: the client's words in, the upstream's out, and the answer back.

`Translation` is made from the client's body. It holds the neutral conversation, the request for the upstream, and what
could not be carried.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from agcore.codecs import json_text
from agcore.conversation import compaction
from agcore.conversation.assemble import assemble
from agcore.conversation.foreign_parts import translated
from agcore.conversation.losses import Losses, refusal
from agcore.conversation.repair import repair_history
from agcore.conversation.schemas.parameter_names import ParameterNames
from agcore.conversation.schemas.wrapped_output import Unwrapping, wrapped
from agcore.conversation.signed import SignedCalls, signed_by
from agcore.conversation.split import Part, split
from agcore.conversation.told_tools import tell_tools
from agcore.conversation.tool_list import fitted_tools, hosted_names
from agcore.conversation.tool_names import ToolNames
from agcore.conversation.values import Conversation, Delta, Invalid, Output
from agcore.conversion.delta_mapping import DeltaMapper, Remember
from agcore.conversion.translated_stream import ClientStream, StreamTranslation, UpstreamStream
from agcore.dialects import DIALECTS
from agcore.dialects.base import ResponseWriter
from agcore.dialects.lookalikes import adapted
from agcore.models.profiles import Profile
from agcore.protocol.fault import Fault, invalid
from agcore.protocol.report import Usage

NO_CACHE: Final = "no answer is asked for, only a cache filled, which other vendors do not have"
"""Why a request that wants none cannot be translated."""


class ModelTarget(msgspec.Struct, frozen=True):
    """The model that a translated request goes to, and the words in which it is asked."""

    dialect: str
    model: str
    profile: Profile
    signer: str


class Translation:
    """A client's request in neutral form, on its way to one model and back. Made by `translate`."""

    def __init__(
        self,
        dialect: str,
        target: ModelTarget,
        conversation: Conversation,
        losses: Losses,
        *,
        share: Part | None = None,
        signed_calls: SignedCalls | None = None,
    ) -> None:
        self.dialect = dialect
        self.target = target
        self.conversation = conversation
        """The client's request, whole."""
        self.losses = losses
        self.remember: Remember | None = None if signed_calls is None else signed_calls.remember
        """Told of what belongs to each call of the answer, where the client may not bring it back."""
        self.others: tuple[Translation, ...] = ()
        """The translations of the other shares, where one call is not enough."""
        self._share = share
        traits = DIALECTS[target.dialect].traits
        asked = conversation if share is None else share.conversation
        asked = translated(asked, dialect="" if target.profile.upstream.lookalike else target.dialect)
        ordered = repair_history(asked, losses=losses, apart=traits.users_in_a_row)
        self._plain = target.profile.upstream.reasoning_content in ("taken", "demanded")
        if signed_calls is not None:
            ordered = signed_calls.recalled(ordered, plain=self._plain)
        if ordered.tools:
            longest = target.profile.upstream.longest_description
            ordered = fitted_tools(ordered, longest_description=longest, losses=losses)
        self._unwraps = False
        if ordered.output is not None:
            ordered, self._unwraps = self._wrapped(ordered, ordered.output)
        if not target.profile.tools:
            ordered = tell_tools(ordered, losses=losses)
        self._parameters = ParameterNames(ordered, traits.parameter_names)
        if traits.parameter_names is not None:
            ordered = self._parameters.applied(ordered)
        rule = traits.tool_names
        assert rule is not None
        reserved = hosted_names(ordered) if ordered.hosted_tools and traits.names_hosted_tools else ()
        self.names = ToolNames(ordered, rule, reserved=reserved)
        self._asked = self.names.applied(ordered)
        self.rendered = self._render(target.signer, losses)
        no_pictures = DIALECTS[dialect].traits.no_pictures
        if no_pictures and target.profile.image_output:
            losses.add("answer", no_pictures, action='shown as "[image]"')

    def _wrapped(self, conversation: Conversation, output: Output) -> tuple[Conversation, bool]:
        """The conversation with structured output that the upstream takes, and whether that is in an object now."""
        target = self.target
        plain = DIALECTS[target.dialect].traits.plain_output or not target.profile.structured_output
        inside = wrapped(output) if plain else None
        if inside is None:
            return conversation, False
        self.losses.add("response_format", "the upstream's JSON is an object", action="asked for in one", weight="note")
        return msgspec.structs.replace(conversation, output=inside), True

    @property
    def body(self) -> bytes:
        """The request as it leaves."""
        return json_text.mended(json_text.encode(self.rendered))

    def unsign(self) -> bool:
        """Write the request anew, without any signature; whether that changes it."""
        rendered = self._render("", Losses())
        if rendered == self.rendered:
            return False
        self.rendered = rendered
        self.losses.add("signatures", "the upstream refused what it had signed")
        return True

    def _render(self, signer: str, losses: Losses) -> dict[str, object]:
        target = self.target
        rendered = DIALECTS[target.dialect].upstream.render_request(
            self._asked, model=target.model, profile=target.profile, signer=signer, losses=losses
        )
        upstream = target.profile.upstream
        if not upstream.lookalike and not upstream.refused_members:
            return rendered
        return adapted(target.dialect, rendered, upstream, losses)

    def refusal(self, *, on_loss: str) -> Fault | None:
        """The 400 for losses that this request, or the configuration, does not accept."""
        return refusal(self.losses, model=self.target.model, dialect=self.target.dialect, on_loss=on_loss)

    def written(
        self, deltas: Iterable[Delta], *, id: str, model: str, created: int
    ) -> tuple[dict[str, object], Usage | None]:
        """The client's whole answer that says these deltas, which came home."""
        folded = assemble(deltas)
        rendered = DIALECTS[self.dialect].client.render_answer(
            folded, id=id, model=model, created=created, conversation=self.conversation
        )
        return rendered, folded.usage

    def read(self, answer: dict[str, object]) -> list[Delta] | Fault:
        """The deltas of the upstream's whole answer."""
        deltas = DIALECTS[self.target.dialect].upstream.read_answer(answer, signer=self.target.signer)
        if not isinstance(deltas, Fault) and self.conversation.compacts and not compaction.is_told(deltas):
            return compaction.NO_SUMMARY
        return deltas

    def delta_mapper(self, *, id: str) -> DeltaMapper:
        """Returns the mapper of the upstream's deltas to the client's; `id` is that of the answer."""
        unwrapping = Unwrapping() if self._unwraps else None
        customs = {tool.name for tool in self.conversation.tools if tool.custom}
        return DeltaMapper(
            self.names,
            self._parameters,
            customs,
            id=id,
            share=self._share,
            remember=self.remember,
            plain_thoughts=self._plain,
            unwrapping=unwrapping,
        )

    def writer(self, *, id: str, model: str, created: int) -> ResponseWriter:
        """Returns the writer of the client's stream."""
        return DIALECTS[self.dialect].client.writer(id=id, model=model, created=created, conversation=self.conversation)

    def stream(self, *, id: str, model: str, created: int, framing: str) -> StreamTranslation:
        """Returns the translation of the upstream's stream into the client's."""
        client = ClientStream(self.writer(id=id, model=model, created=created), framing=framing)
        return StreamTranslation(UpstreamStream(self, id=id), client)


MAX_PARTS: Final = 65_536
"""Parts of a history that is translated. So many take about a second, during which nobody else is served; the longest
context window there is holds fewer."""


def translate(
    dialect: str,
    body: bytes,
    *,
    model: str,
    stream: bool,
    target: ModelTarget,
    signed_calls: SignedCalls | None = None,
) -> Translation | Fault:
    """Translate a client's request, or say why it is none.

    `signed_calls` knows what belonged to calls and the client may have dropped, and is told of new ones.
    """
    losses = Losses()
    try:
        decoded = json_text.decode(body)
        assert isinstance(decoded, dict)
        conversation = DIALECTS[dialect].client.parse_request(decoded, model=model, stream=stream, losses=losses)
        if conversation.settings.max_output == 0:
            return invalid(NO_CACHE, code="not_translatable", param="max_tokens")
        if sum([len(turn.parts) for turn in conversation.turns]) > MAX_PARTS:
            return invalid(f"the conversation has more than {MAX_PARTS} parts, the most that are translated")
        if dialect == target.dialect:
            conversation = signed_by(conversation, target.signer)
        parts = split(conversation, one_answer=DIALECTS[target.dialect].traits.one_answer)
        if len(parts) == 1:
            translations = [Translation(dialect, target, conversation, losses, signed_calls=signed_calls)]
        else:
            translations = [
                Translation(dialect, target, conversation, losses, share=share, signed_calls=signed_calls)
                for share in parts
            ]
        translations[0].others = tuple(translations[1:])
        return translations[0]
    except Invalid as error:
        return Fault(status=400, message=str(error), param=error.param, code=error.code, vendor=error.vendor)
    except (ValueError, RecursionError):
        # What passes as it is may be nested deeper than what has to be looked into.
        return invalid("the request is nested too deeply to be translated")
