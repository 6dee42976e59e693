"""One upstream call, driven by nothing but its inputs: no exchange, no operation, no gateway."""

from __future__ import annotations

import json
from typing import Final

import msgspec
import pytest

from agcore import (
    AbortUpstream,
    CredentialCooled,
    Effect,
    Emit,
    EndUpstream,
    Fault,
    LocalProtocolError,
    OpenUpstream,
    Origin,
    SendUpstream,
    Sent,
    Stage,
    UpstreamConnected,
    UpstreamData,
    UpstreamEnd,
    UpstreamFailed,
    UpstreamHead,
    UpstreamInput,
)
from agcore.config.values import Endpoint, Provider, Secret, Timeouts
from agcore.machines.call_context import LONGEST_PAUSE, CallContext
from agcore.machines.call_events import Began, CallEvent, Data, End, ErrorHead, Failed, Head, NeedPlan, Paused
from agcore.machines.call_faults import in_a_row
from agcore.machines.upstream_call import UpstreamCall
from agcore.protocol.fault import FailureKind
from agcore.protocol.legality import LegState
from agcore.routing.candidates import Candidate, Selection
from agcore.routing.selection import Selector
from agcore.state.affinity import Affinity
from agcore.state.cooldowns import Cooldowns
from agcore.state.turns import Turns
from agcore.upstream.request import UpstreamPlan

NOW: Final = 1_790_000_000.0
PLAN: Final = UpstreamPlan(target=b"/v1/chat/completions", body=b"{}")
JSON: Final = ((b"content-type", b"application/json"),)


def candidate(name: str, *keys: str, step: int = 0) -> Candidate:
    """A provider with its endpoint."""
    endpoint = Endpoint("openai", Origin("https", f"{name}.test", 443), b"/v1", "bearer")
    secrets = tuple(map(Secret, keys or (f"sk-{name}-0123456789",)))
    return Candidate(Provider(name=name, endpoints={"openai": endpoint}, keys=secrets), endpoint, "model", step)


ONE: Final = candidate("one")
OTHER: Final = candidate("other", step=1)


class Driver:
    """Tells a call what happened, at a time of its own, and returns what the call reports of it."""

    def __init__(self, *candidates: Candidate, attempts: int = 3, selector: Selector | None = None) -> None:
        self.now = NOW
        self.effects: list[Effect] = []
        self.events: list[tuple[UpstreamCall, CallEvent]] = []
        self.context = CallContext(
            selector=selector or Selector(Cooldowns(lambda: 0.5), Affinity(), Turns()),
            timeouts=Timeouts(),
            retries_left=attempts - 1,
            effects=self.effects,
            events=self.events,
            live={},
            first_content_by=NOW + 600,
        )
        self.call = UpstreamCall(candidates, self.context)

    @property
    def trail(self) -> list[str]:
        """What came of the failed attempts."""
        return [attempt.happened for attempt in self.call.failed]

    def reported(self) -> list[CallEvent]:
        """What the call reported since it was asked last."""
        events = [event for _, event in self.events]
        assert all(call is self.call for call, _ in self.events)
        self.events.clear()
        return events

    def start(self) -> list[CallEvent]:
        """The beginning."""
        self.call.start(now=self.now)
        return self.reported()

    def proceed(self, plan: UpstreamPlan | Fault = PLAN) -> list[CallEvent]:
        """The plan that was needed."""
        self.call.proceed(plan, now=self.now)
        return self.reported()

    def receive(self, *inputs: UpstreamInput) -> list[CallEvent]:
        """Reports of a driver, in order."""
        for each in inputs:
            assert self.context.live[each.leg] is self.call, "reports of dead legs never reach a call"
            self.call.receive(each, now=self.now)
        return self.reported()

    def reject(self, fault: Fault) -> list[CallEvent]:
        """The verdict that the answer is none."""
        self.call.reject(fault, now=self.now)
        return self.reported()

    def wait(self) -> list[CallEvent]:
        """Nothing happens until the call's next deadline has come."""
        deadline = self.call.timers.next
        assert deadline is not None
        assert deadline > self.now
        self.now = deadline
        timer = self.call.timers.pop_due(self.now)
        assert timer is not None
        self.call.expire(timer, now=self.now)
        return self.reported()

    def ask(self, plan: UpstreamPlan = PLAN, *, reused: bool = False) -> int:
        """Start, proceed and connect; returns the leg."""
        self.start()
        self.proceed(plan)
        leg = self.opened[-1].leg
        assert self.receive(UpstreamConnected(leg, reused=reused)) == []
        return leg

    def refused(
        self, leg: int, status: int, error: dict[str, object], *headers: tuple[bytes, bytes]
    ) -> list[CallEvent]:
        """A whole error answer."""
        body = json.dumps({"error": error}).encode()
        return self.receive(UpstreamHead(leg, status, (*JSON, *headers)), UpstreamData(leg, body), UpstreamEnd(leg))

    @property
    def opened(self) -> list[OpenUpstream]:
        """Every leg that was opened."""
        return [effect for effect in self.effects if isinstance(effect, OpenUpstream)]

    @property
    def hosts(self) -> list[str]:
        """Where they went."""
        return [effect.request.origin.host for effect in self.opened]

    @property
    def aborted(self) -> list[int]:
        """The legs that were given up."""
        return [effect.leg for effect in self.effects if isinstance(effect, AbortUpstream)]


def failure(leg: int, stage: Stage, *, sent: Sent = Sent.ALL, reused: bool = False) -> UpstreamFailed:
    return UpstreamFailed(leg, stage, sent, reused, "refused by the peer")


def fault_of(events: list[CallEvent]) -> Fault:
    """The fault that a call failed of, which is the last thing it reports."""
    *before, last = events
    assert isinstance(last, Failed)
    assert not any(isinstance(event, Failed) for event in before)
    return last.fault


def test_a_call_that_nothing_disturbs() -> None:
    driver = Driver(ONE)
    assert driver.start() == [NeedPlan(ONE)]
    assert (driver.effects, driver.call.asked, driver.call.state) == ([], False, LegState.OVER)
    assert driver.proceed() == [Began(again=False)]
    (opened,) = driver.opened
    assert (opened.leg, opened.request.target, opened.public_only) == (1, PLAN.target, False)
    assert (b"authorization", b"Bearer sk-one-0123456789") in opened.request.headers
    assert (driver.call.candidate, driver.call.key.label, driver.call.plan) == (ONE, "one#1", PLAN)
    assert driver.receive(UpstreamConnected(1, reused=False)) == []
    assert driver.receive(UpstreamHead(1, 200, JSON)) == [Head(200, JSON)]
    assert driver.receive(UpstreamData(1, b"{"), UpstreamData(1, b"}")) == [Data(b"{"), Data(b"}")]
    assert driver.receive(UpstreamEnd(1)) == [End()]
    driver.call.commit()
    driver.call.commit()
    assert (driver.reported(), driver.effects[1:], driver.context.live) == ([], [], {})
    assert (driver.call.state, driver.call.timers.next, driver.call.committed) == (LegState.OVER, None, True)


def test_a_report_that_the_legs_state_does_not_list_is_the_drivers_mistake() -> None:
    driver = Driver(ONE)
    leg = driver.ask()
    with pytest.raises(LocalProtocolError, match="UpstreamData while the leg is awaiting the head"):
        driver.receive(UpstreamData(leg, b"early"))
    assert driver.reported() == []


def test_an_error_answer_is_read_by_the_call_and_leads_to_the_next_candidate() -> None:
    driver = Driver(ONE, OTHER)
    leg = driver.ask()
    events = driver.refused(leg, 500, {"message": "broken sk-one-0123456789"})
    assert events == [ErrorHead(), NeedPlan(OTHER)]
    assert driver.proceed() == [Began(again=True)]
    assert (driver.hosts, driver.trail, driver.context.retries_left) == (
        ["one.test", "other.test"],
        ["one#1: 500"],
        1,
    )
    driver.receive(UpstreamConnected(2, reused=False))
    fault = fault_of(driver.refused(2, 400, {"message": "no such parameter"}))
    assert (fault.status, fault.message) == (400, "no such parameter (tried one#1: 500, other#1: 400)")


def test_attempts_that_ended_alike_are_told_once() -> None:
    trail = ("one#1: unreachable",) * 3 + ("two#1: 503", "one#1: unreachable")
    assert [*in_a_row(trail)] == ["one#1: unreachable 3 times", "two#1: 503", "one#1: unreachable"]


def test_an_error_body_that_grows_without_end_costs_its_connection_and_still_tells_the_status() -> None:
    driver = Driver(ONE, attempts=1)
    leg = driver.ask()
    driver.receive(UpstreamHead(leg, 503, JSON))
    piece = UpstreamData(leg, bytes(64 * 1024))
    assert driver.receive(piece, piece, piece, piece) == []
    assert fault_of(driver.receive(piece)).status == 503
    assert driver.aborted == [leg]


@pytest.mark.parametrize("broken", [True, False], ids=["breaks off", "stalls"])
def test_an_error_body_that_does_not_end_still_tells_the_status(broken: bool) -> None:
    driver = Driver(ONE, attempts=1)
    leg = driver.ask()
    driver.receive(UpstreamHead(leg, 502, JSON), UpstreamData(leg, b'{"error":'))
    events = driver.receive(failure(leg, Stage.BODY)) if broken else driver.wait()
    assert fault_of(events).status == 502


def test_a_fault_in_place_of_a_plan_rules_the_candidate_out_and_is_told_if_nothing_else_is() -> None:
    driver = Driver(ONE, OTHER)
    driver.start()
    assert driver.proceed(Fault(status=400, message="not there")) == [NeedPlan(OTHER)]
    assert fault_of(driver.proceed(Fault(status=422, message="nor there"))).message == "not there"
    assert (driver.effects, driver.call.asked, driver.call.may_go_elsewhere) == ([], False, True)


def test_a_credential_is_free_again_when_its_call_is_aborted_before_it_had_a_plan() -> None:
    selector = Selector(Cooldowns(lambda: 0.5), Affinity(), Turns())
    driver = Driver(ONE, selector=selector)
    driver.start()
    driver.call.abort()
    driver.call.abort()
    assert driver.call.aborted
    assert selector._turns._busy.get(("one", driver.context.selector.keys(ONE.provider)[0].id), 0) == 0


def test_what_was_chosen_goes_to_another_call() -> None:
    driver = Driver(ONE)
    driver.start()
    selection = driver.call.hand_over()
    driver.call.abort()
    heir = UpstreamCall((ONE,), driver.context, first=selection, counts_as_retry=True)
    heir.start(now=NOW)
    heir.proceed(PLAN, now=NOW)
    assert [event for _, event in driver.events] == [NeedPlan(ONE), Began(again=True)]
    assert (heir.key, driver.context.retries_left) == (selection.key, 1)


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        (Stage.CONNECT, "one: refused by the peer"),
        (Stage.TLS, "one: refused by the peer"),
        (Stage.SEND, "one: the connection broke while the request was being sent"),
        (Stage.HEAD, "one: the connection closed before an answer came"),
    ],
)
def test_a_connection_that_breaks_before_an_answer(stage: Stage, message: str) -> None:
    driver = Driver(ONE, attempts=1)
    driver.start()
    driver.proceed()
    if stage in (Stage.SEND, Stage.HEAD):
        driver.receive(UpstreamConnected(1, reused=False))
    fault = fault_of(driver.receive(failure(1, stage)))
    assert (fault.status, fault.code, fault.message) == (502, "upstream_unreachable", message)
    assert driver.aborted == []


def test_an_answer_that_breaks_off_is_another_attempt_until_something_of_it_was_taken() -> None:
    driver = Driver(ONE, OTHER)
    leg = driver.ask()
    driver.receive(UpstreamHead(leg, 200, JSON), UpstreamData(leg, b"{"))
    assert driver.receive(failure(leg, Stage.BODY)) == [NeedPlan(OTHER)]
    driver.proceed()
    driver.receive(UpstreamConnected(2, reused=False), UpstreamHead(2, 200, JSON), UpstreamData(2, b"{"))
    driver.call.commit()
    fault = fault_of(driver.receive(failure(2, Stage.BODY)))
    assert fault.message == "other: the connection closed within the answer"
    assert not driver.call.repeat(PLAN, now=NOW), "what was taken is never asked again"


def test_a_stale_connection_is_replaced_once_and_costs_no_attempt() -> None:
    driver = Driver(ONE)
    leg = driver.ask(reused=True)
    assert driver.receive(failure(leg, Stage.HEAD, reused=True)) == [], "nobody hears of it"
    assert (driver.call.attempts, driver.hosts, driver.call.state) == (1, ["one.test"] * 2, LegState.CONNECTING)
    driver.receive(UpstreamConnected(2, reused=True))
    assert driver.receive(failure(2, Stage.HEAD, reused=True)) != [], "the second one is a failure like any other"
    assert driver.trail == ["one#1: 502"]


def test_a_single_attempt_may_replace_a_stale_connection() -> None:
    driver = Driver(ONE, attempts=1)
    leg = driver.ask(reused=True)
    assert driver.receive(failure(leg, Stage.HEAD, reused=True)) == []
    driver.receive(UpstreamConnected(2, reused=True))
    assert fault_of(driver.receive(failure(2, Stage.HEAD, reused=True))).status == 502
    assert len(driver.opened) == 2


def test_what_must_not_happen_twice_is_repeated_only_if_nothing_of_it_was_sent() -> None:
    plan = msgspec.structs.replace(PLAN, repeatable=False)
    for sent, legs in ((Sent.NONE, 2), (Sent.PART, 1), (Sent.ALL, 1)):
        driver = Driver(ONE)
        leg = driver.ask(plan, reused=True)
        events = driver.receive(failure(leg, Stage.HEAD, sent=sent, reused=True))
        assert (len(driver.opened), bool(events)) == (legs, legs == 1)


def test_somebody_else_may_be_asked_unless_the_request_is_at_fault_or_may_have_been_answered() -> None:
    for repeatable, status, may in ((True, 500, True), (True, 400, False), (False, 500, False), (False, 429, True)):
        driver = Driver(ONE, attempts=1)
        leg = driver.ask(msgspec.structs.replace(PLAN, repeatable=repeatable))
        fault_of(driver.refused(leg, status, {"message": "no"}))
        assert driver.call.may_go_elsewhere is may


def test_timeouts_for_connecting_for_the_head_and_between_pieces() -> None:
    timeouts = Timeouts()
    driver = Driver(ONE, attempts=1)
    driver.start()
    driver.proceed()
    fault = fault_of(driver.wait())
    assert (driver.now - NOW, fault.status) == (timeouts.connect, 504)
    assert fault.message == f"no connection to one.test:443 within {timeouts.connect:g} s"
    driver = Driver(ONE, attempts=1)
    driver.ask()
    fault = fault_of(driver.wait())
    remedy = "raise timeouts.first_byte, or first_byte of the provider, if it needs longer"
    message = f"one did not answer within {timeouts.first_byte:g} s; {remedy}"
    assert (driver.now - NOW, fault.message) == (timeouts.first_byte, message)
    driver = Driver(ONE, attempts=1)
    leg = driver.ask()
    driver.receive(UpstreamHead(leg, 200, JSON))
    driver.now += timeouts.idle - 1
    driver.receive(UpstreamData(leg, b"{"))
    at = driver.now
    fault = fault_of(driver.wait())
    assert (driver.now - at, fault.message) == (timeouts.idle, f"one sent nothing for {timeouts.idle:g} s")
    assert driver.aborted == [leg]


def test_a_slow_write_does_not_count_against_the_upstream() -> None:
    driver = Driver(ONE)
    leg = driver.ask()
    driver.now += 5
    driver.call.written(now=driver.now)
    assert driver.call.timers.next == driver.now + Timeouts().first_byte
    driver.receive(UpstreamHead(leg, 200, JSON))
    driver.now += 5
    driver.call.written(now=driver.now)
    assert driver.call.timers.next == driver.now + Timeouts().idle


def test_an_answer_that_may_take_its_time_has_no_limit_but_for_connecting() -> None:
    driver = Driver(ONE)
    leg = driver.ask(msgspec.structs.replace(PLAN, no_read_timeout=True))
    assert driver.call.timers.next is None
    driver.receive(UpstreamHead(leg, 200, JSON), UpstreamData(leg, b"{"))
    assert driver.call.timers.next is None


def test_raw_answers_pass_whatever_their_status_and_are_final() -> None:
    selector = Selector(Cooldowns(lambda: 0.5), Affinity(), Turns())
    driver = Driver(ONE, selector=selector)
    leg = driver.ask(msgspec.structs.replace(PLAN, raw_status=True))
    assert driver.receive(UpstreamHead(leg, 401, JSON)) == [Head(401, JSON)]
    assert fault_of(driver.receive(failure(leg, Stage.BODY))).status == 502
    driver = Driver(ONE, selector=selector)
    leg = driver.ask(msgspec.structs.replace(PLAN, raw_status=True))
    fault_of(driver.receive(failure(leg, Stage.HEAD)))
    assert not list(selector.cooldowns.cooling(now=NOW)), (
        "nothing is held against who is no provider of the configuration"
    )


def test_a_pause_before_the_same_credential_is_asked_again() -> None:
    driver = Driver(ONE)
    leg = driver.ask()
    events = driver.refused(leg, 500, {"message": "busy"})
    assert events == [ErrorHead(), Paused()]
    assert driver.call.state is LegState.PAUSED
    assert driver.wait() == [NeedPlan(ONE)]
    assert 0 < driver.now - NOW <= LONGEST_PAUSE
    assert driver.proceed() == [Began(again=True)]
    assert [each.leg for each in driver.opened] == [1, 3], "the pause has a number of its own"


def paused_until(driver: Driver) -> float:
    """When the pause after a first failure would end."""
    leg = driver.ask()
    assert driver.refused(leg, 500, {"message": "busy"})[-1] == Paused()
    until = driver.call.timers.next
    assert until is not None
    return until


def test_no_pause_outlasts_the_requests_time() -> None:
    until = paused_until(Driver(ONE))
    for first_content_by, begun in ((until + 0.001, True), (until, False), (until - 0.001, False)):
        driver = Driver(ONE)
        driver.context.first_content_by = first_content_by
        leg = driver.ask()
        events = driver.refused(leg, 500, {"message": "busy"})
        assert (events[-1] == Paused()) is begun
        if not begun:
            assert fault_of(events).message == "busy"
            assert driver.call.timers.next is None


def test_nobody_waits_where_the_plan_says_that_it_is_not_worth_it() -> None:
    driver = Driver(ONE)
    leg = driver.ask(msgspec.structs.replace(PLAN, wait_for_cooldown=False))
    assert fault_of(driver.refused(leg, 500, {"message": "busy"})).message == "busy"


def test_a_pause_that_is_aborted_is_over_without_an_effect() -> None:
    driver = Driver(ONE)
    paused_until(driver)
    effects = len(driver.effects)
    driver.call.abort()
    assert (driver.effects[effects:], driver.call.state, driver.context.live) == ([], LegState.OVER, {})


def test_a_429_that_names_its_wait_closes_the_credential_and_tells_the_client_when_it_opens() -> None:
    selector = Selector(Cooldowns(lambda: 0.5), Affinity(), Turns())
    driver = Driver(ONE, attempts=1, selector=selector)
    leg = driver.ask()
    fault = fault_of(driver.refused(leg, 429, {"message": "slow down"}, (b"retry-after", b"30")))
    assert (fault.status, fault.retry_after) == (429, 30)
    later = Driver(ONE, selector=selector)
    fault = fault_of(later.start())
    assert (fault.status, fault.code, fault.retry_after) == (429, "rate_limit_exceeded", 30)
    assert fault.message == "every key that could answer is limited until 14:13:50 UTC (in 30 s): one#1: slow down"
    assert later.effects == []


def test_a_refused_credential_is_told_to_whoever_runs_the_gateway() -> None:
    driver = Driver(ONE, OTHER)
    leg = driver.ask()
    assert driver.refused(leg, 401, {"message": "bad key sk-one-0123456789"})[-1] == NeedPlan(OTHER)
    (told,) = (effect.event for effect in driver.effects if isinstance(effect, Emit))
    assert isinstance(told, CredentialCooled)
    assert (told.key, told.failure, told.refused) == ("one#1", FailureKind.CREDENTIAL_REJECTED, True)
    assert "bad key one#1; it is left alone while another way is open" in told.message


def test_the_prose_of_a_400_names_no_wait() -> None:
    said = {"message": "Please try again in 20s. Rate limit reached for requests"}
    driver = Driver(ONE, attempts=1)
    fault = fault_of(driver.refused(driver.ask(), 400, said))
    assert (fault.status, fault.retry_after) == (400, None)
    driver = Driver(ONE, attempts=1)
    fault = fault_of(driver.refused(driver.ask(), 400, said, (b"retry-after", b"7")))
    assert fault.retry_after == 7, "its header does"
    driver = Driver(ONE, attempts=1)
    fault = fault_of(driver.refused(driver.ask(), 429, said))
    assert fault.retry_after == 20, "and so does the prose of a 429"


def test_what_a_200_says_of_limits_is_about_a_request_that_was_served() -> None:
    driver = Driver(ONE, attempts=1)
    leg = driver.ask()
    limits = ((b"x-ratelimit-remaining-requests", b"0"), (b"x-ratelimit-reset-requests", b"50s"))
    driver.receive(UpstreamHead(leg, 200, (*JSON, *limits)))
    fault = fault_of(driver.reject(Fault(status=503, message="overloaded")))
    assert fault.retry_after == 2  # and not 50


def test_an_answer_is_rejected_after_its_first_event_and_asked_elsewhere() -> None:
    driver = Driver(ONE, OTHER)
    leg = driver.ask()
    driver.receive(UpstreamHead(leg, 200, JSON), UpstreamData(leg, b"event: error\n\n"))
    assert driver.reject(Fault(status=529, message="overloaded")) == [NeedPlan(OTHER)]
    assert (driver.aborted, driver.trail) == ([leg], ["one#1: 529"])


def test_an_answer_that_was_taken_and_then_rejected_is_the_end() -> None:
    driver = Driver(ONE, OTHER)
    leg = driver.ask()
    driver.receive(UpstreamHead(leg, 200, JSON), UpstreamData(leg, b"data: {}\n\n"))
    driver.call.commit()
    fault = fault_of(driver.reject(Fault(status=500, message="key sk-one-0123456789 is tired")))
    assert fault.message == "key one#1 is tired"
    assert driver.aborted == [leg]


def test_the_same_credential_is_asked_differently_after_a_failure() -> None:
    driver = Driver(ONE)
    leg = driver.ask()
    fault_of(driver.refused(leg, 400, {"message": "the signature is not mine"}))
    changed = msgspec.structs.replace(PLAN, body=b"[]")
    assert driver.call.repeat(changed, now=NOW)
    assert driver.reported() == [Began(again=True)]
    assert (driver.opened[-1].request.body, driver.call.plan, driver.call.attempts) == (b"[]", changed, 2)
    assert driver.context.retries_left == 1


def test_a_single_attempt_may_be_repeated_differently_once() -> None:
    driver = Driver(ONE, attempts=1)
    fault_of(driver.refused(driver.ask(), 400, {"message": "the signature is not mine"}))
    assert driver.call.repeat(PLAN, now=NOW)
    driver.reported()
    driver.receive(UpstreamConnected(2, reused=False))
    fault_of(driver.refused(2, 400, {"message": "the signature is not mine"}))
    assert not driver.call.repeat(PLAN, now=NOW)


def test_a_single_attempt_makes_one_more_request_in_all() -> None:
    driver = Driver(ONE, attempts=1)
    leg = driver.ask(reused=True)
    assert driver.receive(failure(leg, Stage.HEAD, reused=True)) == []
    driver.receive(UpstreamConnected(2, reused=False))
    fault_of(driver.refused(2, 400, {"message": "the signature is not mine"}))
    assert not driver.call.repeat(PLAN, now=NOW)
    assert len(driver.opened) == 2


def test_the_attempts_of_a_context_are_shared_by_its_calls() -> None:
    driver = Driver(ONE, OTHER, attempts=2)
    neighbour = UpstreamCall((ONE, OTHER), driver.context)
    neighbour.start(now=NOW)
    neighbour.proceed(PLAN, now=NOW)
    neighbour.receive(failure(1, Stage.CONNECT), now=NOW)
    neighbour.proceed(PLAN, now=NOW)
    driver.events.clear()
    driver.start()
    driver.proceed()
    assert fault_of(driver.receive(failure(3, Stage.CONNECT))).status == 502


def test_one_credential_is_asked_once_whatever_is_known_about_it() -> None:
    selector = Selector(Cooldowns(lambda: 0.5), Affinity(), Turns())
    two = candidate("two", "sk-first-0123456789", "sk-second-0123456789")
    second = selector.keys(two.provider)[1]
    selector.failed(
        Selection(two, second),
        FailureKind.CREDENTIAL_REJECTED,
        whole_key=True,
        wait=60,
        reason="refused",
        began=NOW,
        now=NOW,
    )
    driver = Driver(selector=selector)
    pinned = msgspec.structs.replace(two, key=second.id)
    driver.call = UpstreamCall((pinned, ONE), driver.context, single_attempt=True)
    leg = driver.ask()
    assert driver.call.key == second
    fault = fault_of(driver.refused(leg, 429, {"message": "slow down"}, (b"retry-after", b"30")))
    assert (fault.retry_after, driver.hosts) == (30, ["two.test"])


def test_a_body_that_passes_by_is_sent_as_it_comes_and_never_repeated() -> None:
    driver = Driver(ONE, OTHER)
    assert not driver.call.takes_body
    leg = driver.ask(reused=True)
    assert driver.call.takes_body
    driver.call.send_body(b"piece", now=NOW)
    driver.call.end_body(now=NOW)
    assert driver.effects[1:] == [SendUpstream(leg, b"piece"), EndUpstream(leg)]
    assert fault_of(driver.receive(failure(leg, Stage.SEND, reused=True))).status == 502
    assert (driver.hosts, driver.call.takes_body) == (["one.test"], False)


def test_a_refusal_takes_no_more_of_the_body() -> None:
    driver = Driver(ONE)
    leg = driver.ask()
    driver.receive(UpstreamHead(leg, 413, JSON))
    assert not driver.call.takes_body


def test_the_credential_is_replaced_by_its_label_in_what_passes() -> None:
    driver = Driver(ONE)
    driver.ask()
    assert driver.call.scrubbed(b"\xff sk-one-0123456789 \x00") == b"\xff one#1 \x00"


def test_a_model_that_is_not_there_rules_its_provider_out() -> None:
    two = candidate("two", "sk-first-0123456789", "sk-second-0123456789")
    driver = Driver(two, OTHER)
    leg = driver.ask()
    assert driver.refused(leg, 404, {"message": "no such model"})[-1] == NeedPlan(OTHER)
    assert driver.call.candidates == (OTHER,)


def test_a_limit_that_rules_out_the_only_candidate_has_no_end_that_is_known() -> None:
    driver = Driver(ONE)
    driver.start()
    fault = fault_of(driver.proceed(Fault(status=429, message="not with this body")))
    assert (fault.status, fault.retry_after) == (429, None)


def test_nobody_is_left_that_could_answer() -> None:
    driver = Driver(msgspec.structs.replace(ONE, key="of nobody"))
    fault = fault_of(driver.start())
    assert (fault.status, fault.code) == (503, "no_key_left")
