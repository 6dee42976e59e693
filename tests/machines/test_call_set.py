"""The calls of one exchange, all of them given up at once."""

from __future__ import annotations

from typing import Final

from agcore import Effect, Origin
from agcore.config.values import Config, Endpoint, Provider, Secret
from agcore.machines.call_events import CallEvent, NeedPlan
from agcore.machines.call_set import CallSet
from agcore.machines.ids import Ids
from agcore.machines.outside import LocalOutside
from agcore.machines.timers import Timers
from agcore.machines.upstream_call import UpstreamCall
from agcore.routing.candidates import Candidate, Selection

NOW: Final = 1_790_000_000.0
ENDPOINT: Final = Endpoint("openai_chat", Origin("https", "one.test", 443), b"/v1", "bearer")
PROVIDER: Final = Provider(name="one", endpoints={"openai_chat": ENDPOINT}, keys=(Secret("sk-one-0123456789"),))


class Counting(LocalOutside):
    """An outside that counts the selections which are out."""

    out = 0

    def take(self, selection: Selection) -> Selection:
        self.out += 1
        return super().take(selection)

    def done(self, selection: Selection) -> None:
        self.out -= 1
        super().done(selection)


class Deaf:
    """A receiver that is told nothing here: the exchange delivers."""

    def receive(self, call: UpstreamCall, event: CallEvent, *, now: float) -> None:
        raise AssertionError(event)


def test_a_call_whose_need_of_a_plan_nobody_has_heard_of_gives_its_selection_back() -> None:
    effects: list[Effect] = []
    selector = Counting(Ids(bytes(32)), max_buffered=0, started=NOW)
    calls = CallSet(Config(), selector, (), effects=effects, timers=Timers())
    call = calls.start((Candidate(PROVIDER, ENDPOINT, "model", 0),), to=Deaf(), now=NOW, single_attempt=True)
    assert [type(event) for _, event in calls.events] == [NeedPlan]
    assert (selector.out, calls.live) == (1, {})
    calls.abort()
    assert (selector.out, call.aborted, calls.events, effects) == (0, True, [], [])
