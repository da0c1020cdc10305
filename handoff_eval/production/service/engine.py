"""From accepted steps to durable answers: load, decide in one batch, store with the emails.

Nothing is locked while a trigger scores. What was decided is stored only if the conversation
still stands where it stood, else the step is decided again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from handoff_eval.conversation import Conversation, Customer
from handoff_eval.decision import Decision
from handoff_eval.errors import DataError, DeliveryError, EndpointError
from handoff_eval.handoff import Handoff
from handoff_eval.mail.customer import customer_message
from handoff_eval.mail.dispatch import hand_over, route
from handoff_eval.production.decider import Decider, Standing, Verdict
from handoff_eval.production.service.ledger import Known, Ledger, Settled, StaleError
from handoff_eval.production.service.steps import Answer, Refusal, Result, Step

_LOGGER = logging.getLogger(__name__)
_TRIES = 5
MAX_TURNS = 5_000
"""Of one conversation: its email carries them all."""


@dataclass(frozen=True, slots=True)
class Lane:
    """One handoff that every conversation is asked for.

    Attributes
    ----------
    decider : Decider
    handoff : Handoff
    fingerprint : str
        Of the bundle; a standing saved under another one is made anew from the turns.
    """

    decider: Decider
    handoff: Handoff
    fingerprint: str


@dataclass(slots=True)
class _Move:
    """One step on its way."""

    step: Step
    known: Known
    settled: list[Settled]
    documents: list[dict[str, Any]]
    fires: list[tuple[Lane, Conversation, Decision]]


class Engine:
    """Decides steps; call it from one thread at a time.

    Parameters
    ----------
    ledger : Ledger
    lanes : sequence of Lane
    clock : callable
        The moment with its time zone.
    """

    def __init__(
        self,
        ledger: Ledger,
        lanes: Sequence[Lane],
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.ledger = ledger
        self.lanes = tuple(lanes)
        self._clock = clock

    def take(self, steps: Sequence[Step]) -> list[Result]:
        """Return one result a step; what an `Answer` says is on the disk by then.

        Steps of different conversations are decided in one batch and stored in one transaction;
        those of the same one follow each other in the order given.
        """
        results: dict[int, Result] = {}
        for chosen in _rounds(steps):
            answers = self._settle([steps[i] for i in chosen])
            results.update(zip(chosen, answers, strict=True))
        return [results[i] for i in range(len(steps))]

    def _settle(self, steps: list[Step]) -> list[Result]:
        for _ in range(_TRIES):
            try:
                return self._attempt(steps)
            except StaleError:
                continue
            except (DeliveryError, EndpointError) as error:
                _LOGGER.warning("unavailable", extra={"facts": {"error": type(error).__name__}})
                refusal = Refusal(503, "Expected store and model to answer; one didn't. Repeat.")
                return [refusal] * len(steps)
            except Exception as error:
                if len(steps) > 1:  # one bad step must not take its neighbours with it
                    return [self._settle([step])[0] for step in steps]
                _LOGGER.error(
                    "bug",
                    extra={
                        "facts": {
                            "conversation_id": steps[0].conversation_id,
                            "turn": steps[0].number,
                            "error": type(error).__name__,
                        }
                    },
                    exc_info=error,
                )
                return [Refusal(500, "This is a bug; the service's log says where.")]
        return [Refusal(503, "Expected the conversation to stand still; it didn't. Repeat.")] * len(
            steps
        )

    def _attempt(self, steps: list[Step]) -> list[Result]:
        now = self._clock()
        loaded = self.ledger.load([step.conversation_id for step in steps])
        results: list[Result | None] = [self._early(step, loaded) for step in steps]
        moves = [
            _Move(step, _merged(step, loaded.get(step.conversation_id), now), [], [], [])
            for step, result in zip(steps, results, strict=True)
            if result is None
        ]
        for lane in self.lanes:
            for move, verdict in self._verdicts(lane, moves):
                self._record(lane, move, verdict, now)
        self._store(moves, now)
        answers = iter([Answer(_document(move), new=True) for move in moves])
        return [next(answers) if result is None else result for result in results]

    def _early(self, step: Step, loaded: dict[str, Known]) -> Result | None:
        """Return what needs no decision: a repeated step, or one that can't be taken."""
        known, turns = loaded.get(step.conversation_id), 0
        if known is not None:
            turns = known.turns
        if step.turn is None:
            if known is None:
                return Refusal(404, "Expected a conversation that has a turn; it is unknown.")
            if step.number != turns:
                return Refusal(409, f"Expected the close after {turns} turns; got {step.number}.")
            if known.closed_at is None:
                return None
            if known.close_answer is None:
                return Refusal(409, "Expected an open conversation; it was closed long ago.")
            return Answer(known.close_answer, new=False)
        if step.number < turns:
            accepted = self.ledger.accepted(step.conversation_id, step.number)
            if accepted is None:
                return Refusal(409, "Expected an open conversation; it was closed long ago.")
            if accepted[0] != step.digest:
                return Refusal(
                    409,
                    f"Expected turn {step.number} as it was accepted; got another role or text.",
                )
            return Answer(accepted[1], new=False)
        if known is not None and known.closed_at is not None:
            return Refusal(409, "Expected an open conversation; it is closed.")
        if step.number > turns:
            return Refusal(409, f"Expected turn {turns} next; got {step.number}.")
        if step.number >= MAX_TURNS:
            return Refusal(413, f"Expected at most {MAX_TURNS} turns in a conversation; got more.")
        return None

    def _verdicts(self, lane: Lane, moves: list[_Move]) -> Iterator[tuple[_Move, Verdict]]:
        growing = [move for move in moves if move.step.turn is not None]
        closing = [move for move in moves if move.step.turn is None]
        turns = [move.step.turn for move in growing if move.step.turn is not None]
        stand = [self._standing(lane, move.known) for move in growing]
        if growing:
            yield from zip(growing, lane.decider.add(stand, turns), strict=True)
        if closing:
            stand = [self._standing(lane, move.known) for move in closing]
            yield from zip(closing, lane.decider.close(stand), strict=True)

    def _standing(self, lane: Lane, known: Known) -> Standing:
        """Return where a handoff stands; replayed where another bundle decided until now."""
        settled = known.settled.get(lane.handoff.name)
        if settled is not None and settled.standing is not None:
            try:
                return lane.decider.restore(settled.standing)
            except DataError:
                pass
        standing = lane.decider.start()
        for turn in self.ledger.turns(known.conversation_id) if known.turns else ():
            (verdict,) = lane.decider.add([standing], [turn])
            standing = verdict.standing
        # What was decided stays decided: a new bundle doesn't send for turns that are past.
        fired = settled.fired_turns if settled is not None else None
        return replace(standing, fired_at=fired)

    def _record(self, lane: Lane, move: _Move, verdict: Verdict, now: datetime) -> None:
        name, standing = lane.handoff.name, verdict.standing
        before = move.known.settled.get(name)
        closes = move.step.turn is None
        settled = Settled(
            handoff=name,
            bundle=lane.fingerprint,
            standing=None if closes else lane.decider.save(standing),
            peak=standing.peak,
            threshold=lane.decider.bundle.point.threshold,
        )
        evidence = said = None
        if verdict.fires:
            turns = self.ledger.turns(move.known.conversation_id) if move.known.turns else ()
            if move.step.turn is not None:
                turns = (*turns, move.step.turn)
            conversation = self.ledger.conversation(move.known, turns)
            explanation = lane.decider.bundle.trigger.explain(turns, closed=closes)
            decision = Decision(
                conversation_id=conversation.id,
                handoff=name,
                fired=True,
                turns=standing.turns,
                closed=closes,
                score=float(verdict.score or 0.0),
                threshold=settled.threshold,
                explanation=explanation,
            )
            move.fires.append((lane, conversation, decision))
            way = route(lane.handoff, reason=explanation.reason, at=now)
            settled = replace(
                settled,
                fired_turns=standing.turns,
                fired_at=now.timestamp(),
                score=decision.score,
                reason=explanation.reason and explanation.reason.value,
                evidence_turn=explanation.evidence_turn,
                clause=explanation.clause,
                route="email" if way.live_until is None else "live",
            )
            evidence = _evidence(decision, turns)
            said = customer_message(lane.handoff, conversation, at=now, turns=standing.turns)
        elif before is not None and before.fired_turns is not None:
            settled = replace(
                before, standing=settled.standing, peak=standing.peak, bundle=before.bundle
            )
        move.settled.append(settled)
        move.documents.append(
            {
                "handoff": name,
                "score": verdict.score,
                "threshold": settled.threshold,
                "fires": verdict.fires,
                "fired_turns": settled.fired_turns,
                "reason": settled.reason,
                "clause": settled.clause,
                "evidence": evidence,
                "tell_customer": said,
            }
        )

    def _store(self, moves: list[_Move], now: datetime) -> None:
        if not moves:
            return
        # In one order everywhere, and all rows before any lock of a handoff: no two processes
        # can wait for each other.
        moves = sorted(moves, key=lambda move: move.step.conversation_id)
        outbox = self.ledger.outbox
        with outbox.together() as run:
            for move in moves:
                self.ledger.store(
                    run,
                    move.step,
                    known=move.known,
                    now=now.timestamp(),
                    answer=_document(move),
                    settled=move.settled,
                )
            fires = [fire for move in moves for fire in move.fires]
            for lane, conversation, decision in sorted(fires, key=lambda fire: fire[2].handoff):
                hand_over(outbox, lane.handoff, conversation, decision, at=now)


def _rounds(steps: Sequence[Step]) -> list[list[int]]:
    """Return the steps' indices so that no round holds a conversation twice."""
    rounds: list[list[int]] = []
    seen: dict[str, int] = {}
    for index, step in enumerate(steps):
        at = seen.get(step.conversation_id, 0)
        seen[step.conversation_id] = at + 1
        if at == len(rounds):
            rounds.append([])
        rounds[at].append(index)
    return rounds


def _merged(step: Step, known: Known | None, now: datetime) -> Known:
    """Return what is known with this step; what was known first stays."""
    if known is None:
        at = step.turn.at if step.turn is not None and step.turn.at is not None else now
        return Known(
            conversation_id=step.conversation_id,
            customer=step.customer,
            channel=step.channel,
            turns=0,
            started_at=at.timestamp(),
            closed_at=None,
            close_answer=None,
        )
    customer = Customer(
        known.customer.id or step.customer.id, known.customer.email or step.customer.email
    )
    return replace(known, customer=customer, channel=known.channel or step.channel)


def _document(move: _Move) -> dict[str, Any]:
    closes = move.step.turn is None
    return {
        "conversation_id": move.step.conversation_id,
        "turns": move.known.turns + (not closes),
        "closed": closes,
        "decisions": move.documents,
    }


def _evidence(decision: Decision, turns: Sequence[Any]) -> dict[str, Any] | None:
    at = decision.explanation.evidence_turn
    return None if at is None else {"turn": at, "text": turns[at].text}
