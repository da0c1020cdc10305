"""Which sentences go into which section of the summary, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from handoff_eval.conversation import Reason, Role
from handoff_eval.summaries import cues
from handoff_eval.summaries.cues import Signal
from handoff_eval.summaries.facts import Fact, FactKind
from handoff_eval.summaries.reading import FOCUS_LINE, LINE, Reading
from handoff_eval.summaries.sentences import Line, Sentence, overlap, shorten, words

_TRIED_LINE = 170
_MOOD_LINE = 110
_SAME = 0.7
"""Share of common words from which two sentences say the same."""

_STAFF = (Role.AGENT, Role.HUMAN)


@dataclass(frozen=True, slots=True)
class Mood:
    """A signal of how the customer is or why it presses, with the words that show it."""

    signal: Signal
    line: Line


def find_asks(reading: Reading) -> tuple[Line, ...]:
    """Return what the customer asks of the company, the decision's own turn before all others.

    An earlier question was the agent's to answer, so from there only a plain wish is taken.
    """
    scored = []
    for sentence in reading.by(Role.CUSTOMER):
        strength = cues.ask_strength(sentence.text)
        current = reading.same_run(sentence.turn, reading.focus)
        answered = strength < 2 or sentence.text.endswith("?") or reading.about_evidence
        if strength == 0 or (answered and not current):
            continue
        near = 1.5 if current else 0.75 if abs(reading.focus - sentence.turn) <= 2 else 0.0
        scored.append((strength + near + min(len(words(sentence.text)), 8) / 8, sentence))
    if reading.asked_in_focus and not any(s.turn == reading.focus for _, s in scored):
        scored += [(5.0, s) for s in reading.by(Role.CUSTOMER) if s.turn == reading.focus]
    return _pick(reading, scored, most=2, floor=2.6)


def find_issue(reading: Reading, asked: Sequence[Line]) -> tuple[Line, ...]:
    """Return what it is about: problem statements at the opening and around the decision."""
    scored = [
        (_issue_score(reading, sentence), sentence)
        for sentence in reading.by(Role.CUSTOMER)
        if not _quoted(sentence, asked)
    ]
    return _pick(reading, scored, most=3, floor=2.0, said=asked)


def find_topic(reading: Reading, *, besides_the_ask: bool = False) -> str:
    """Return the customer's sentence that says best what it is about, and what follows it.

    `besides_the_ask` looks for the cause, where the ask itself is named already.
    """
    said = list(reading.by(Role.CUSTOMER))
    best = max(
        range(len(said)),
        key=lambda place: _topic_score(reading, said[place], besides_the_ask),
        default=None,
    )
    if best is None:
        return ""
    text = said[best].text
    for following in said[best + 1 :]:
        wish = cues.ask_strength(following.text) >= 2
        if len(text) > 60 or wish or not reading.same_run(said[best].turn, following.turn):
            break
        text = f"{text} {following.text}"
    return text


def _topic_score(reading: Reading, sentence: Sentence, besides_the_ask: bool) -> float:
    """Prefer the substance to the wish, which the subject's first words say already."""
    score = _issue_score(reading, sentence) + min(len(words(sentence.text)), 12) / 12
    strength = cues.ask_strength(sentence.text)
    score -= 0.7 * (cues.CONTACT.search(sentence.text) is not None)
    review = reading.reason is Reason.HUMAN_REVIEW and not besides_the_ask
    if review and sentence.turn == reading.focus:
        return score + strength / 2
    if besides_the_ask or not reading.about_evidence:
        score += reading.begins(sentence.turn) * (1.0 + 0.7 * (sentence.place == 0))
    return score - (1.5 if besides_the_ask else 0.7) * (strength >= 2)


def _issue_score(reading: Reading, sentence: Sentence) -> float:
    content = words(sentence.text)
    score = min(len(content), 10) / 10
    score += 0.8 * min(len(words(reading.turns[sentence.turn].text[:FOCUS_LINE])), 15) / 15
    score += 0.8 * bool(cues.PROBLEM.search(sentence.text))
    score += 0.4 * (cues.ask_strength(sentence.text) > 0)
    score += 0.3 * (sentence.place == 0)
    score += 0.5 * min(
        2, sum(f.turn == sentence.turn and f.text in sentence.text for f in reading.facts)
    )
    if reading.begins(sentence.turn):
        score += 0.8 if reading.about_evidence else 1.6
    else:
        score += 0.8 * overlap(content, reading.focus_words)
    if sentence.turn == reading.focus:
        score += 1.6 if reading.about_evidence else 0.8
    closing = cues.CLOSING.search(sentence.text) is not None and not cues.PROBLEM.search(
        sentence.text
    )
    steering = 2 * (cues.STEERING.search(sentence.text) is not None)
    return score - (len(content) < 2) - closing - steering


def find_tried(reading: Reading, said: Sequence[Line]) -> tuple[Line, ...]:
    """Return what staff proposed or refused, each with what the customer reported back.

    At most four steps: those with a report of failure and the last one first.
    """
    steps: list[tuple[float, list[Line]]] = []
    seen: list[frozenset[str]] = []
    for sentences in reversed(reading.sentences):
        best = max(sentences, key=_proposal_score, default=None)
        if best is None:
            continue
        worth = _proposal_score(best)
        content = words(best.text)
        report = _report(reading, best.turn, said)
        repeated = any(overlap(content, other) >= _SAME for other in seen)
        trivial = (
            len(content) < (1 if cues.REFUSAL.search(best.text) else 3)
            or (steps and worth < 0.7)
            or worth < 0
        )
        if trivial or (repeated and report is None):
            continue
        seen.append(content)
        lines = [reading.quote(best, limit=_TRIED_LINE)]
        if report is not None:
            lines.append(reading.quote(report, limit=_TRIED_LINE))
            worth += min(_report_score(report), 1.0)
        steps.append((worth + (not steps and worth >= 0.7), lines))
    chosen = sorted(steps, key=lambda step: -step[0])[:4]
    return tuple(line for step in reversed(steps) if step in chosen for line in step[1])


def _proposal_score(sentence: Sentence) -> float:
    if sentence.role not in _STAFF or cues.is_filler(sentence.text):
        return -1.0
    score = 1.2 * bool(cues.PROPOSAL.search(sentence.text))
    score += 0.9 * bool(cues.REFUSAL.search(sentence.text))
    content = len(words(sentence.text))
    score += min(content, 8) / 16 + 0.4 * (content >= 4)
    score -= 0.9 * sentence.text.endswith("?")
    return score - 1.0 * bool(cues.APOLOGY.match(sentence.text))


def _report(reading: Reading, step: int, said: Sequence[Line]) -> Sentence | None:
    """Return what the customer answered to a step, unless it is quoted already."""
    answers: list[Sentence] = []
    for sentences, turn in zip(
        reading.sentences[step + 1 :], reading.turns[step + 1 :], strict=True
    ):
        if turn.role in _STAFF:
            break
        answers += [s for s in sentences if s.role is Role.CUSTOMER and not cues.is_filler(s.text)]
    best = max(answers, key=_report_score, default=None)
    return None if best is None or _quoted(best, said) else best


def _report_score(sentence: Sentence) -> float:
    score = 1.0 * bool(cues.FAILURE.search(sentence.text)) + 0.5 * bool(
        cues.PROBLEM.search(sentence.text)
    )
    return score + min(len(words(sentence.text)), 8) / 32


def find_open_questions(reading: Reading, said: Sequence[Line]) -> tuple[Line, ...]:
    """Return open questions: asked again, asked since staff last spoke, or put by staff last."""
    answered = max((i for i, turn in enumerate(reading.turns) if turn.role in _STAFF), default=-1)
    asked = [
        s
        for s in reading.by(Role.CUSTOMER, *_STAFF)
        if s.text.rstrip("\"'”’) ").endswith(("?", "？", "؟"))
    ]
    found: list[Sentence] = []
    for place, sentence in enumerate(asked):
        content = words(sentence.text)
        if sentence.role is Role.CUSTOMER:
            again = len(content) >= 2 and any(
                earlier.role is Role.CUSTOMER
                and earlier.turn < sentence.turn
                and overlap(content, words(earlier.text)) >= 0.6
                for earlier in asked[:place]
            )
            is_open = sentence.turn > answered or again
        else:
            is_open = sentence.turn == len(reading.turns) - 1
        if is_open and not _quoted(sentence, said):
            found.append(sentence)
    return tuple(Line(shorten(s.text, _TRIED_LINE), s.turn) for s in found[-3:])


def find_moods(reading: Reading) -> tuple[Mood, ...]:
    """Return the signals of the customer's words, each where it stands nearest the decision."""
    nearest: dict[Signal, tuple[int, Sentence, int]] = {}
    for sentence in reading.by(Role.CUSTOMER):
        distance = abs(reading.focus - sentence.turn)
        signals = dict(cues.signals_in(sentence.text))
        soon = cues.SOON.search(sentence.text)
        pressing = cues.ask_strength(sentence.text) > 0 or distance == 0
        if soon and distance <= 2 and pressing and not cues.HAPPENED.search(sentence.text):
            signals.setdefault(Signal.URGENT, soon.start())
        for signal, position in signals.items():
            if signal not in nearest or distance < nearest[signal][0]:
                nearest[signal] = (distance, sentence, position)
    if Signal.ANGRY in nearest:
        nearest.pop(Signal.UNHAPPY, None)
    return tuple(
        Mood(signal, Line(shorten(sentence.text, _MOOD_LINE, focus=position), sentence.turn))
        for signal in Signal
        if signal in nearest
        for _, sentence, position in [nearest[signal]]
    )


def find_deadline(reading: Reading, asked: Sequence[Line]) -> Fact | None:
    """Return when it is needed: a deadline near the decision, else a day named in an ask."""
    theirs = [fact for fact in reading.facts if reading.turns[fact.turn].role is Role.CUSTOMER]
    turns = {line.turn for line in asked} | {reading.focus}
    deadlines = [
        fact
        for fact in theirs
        if fact.kind is FactKind.DEADLINE and (fact.turn in turns or _in_ask(reading, fact))
    ]
    days = [
        fact
        for fact in theirs
        if fact.kind is FactKind.DATE
        and fact.turn in turns
        and not cues.VAGUE_DAY.search(fact.text)
        and _in_ask(reading, fact, at_least=1.0 if cues.SOON.search(fact.text) else 2.0)
    ]
    return next(reversed(deadlines or days), None)


def _in_ask(reading: Reading, fact: Fact, *, at_least: float = 0.5) -> bool:
    return any(
        fact.text in sentence.text and cues.ask_strength(sentence.text) >= at_least
        for sentence in reading.sentences[fact.turn]
    )


def _quoted(sentence: Sentence, lines: Sequence[Line]) -> bool:
    return any(line.turn == sentence.turn and sentence.text in line.text for line in lines)


def _pick(
    reading: Reading,
    scored: list[tuple[float, Sentence]],
    *,
    most: int,
    floor: float,
    said: Sequence[Line] = (),
) -> tuple[Line, ...]:
    """Take the best sentences that say something new; the first needs no minimum score."""
    chosen: list[Line] = []
    taken: set[Sentence] = {
        sentence
        for line in said
        for sentence in reading.sentences[line.turn]
        if _quoted(sentence, [line])
    }
    for score, sentence in sorted(scored, key=lambda pair: (-pair[0], pair[1].turn, pair[1].place)):
        if len(chosen) == most or (score < floor and (chosen or said)):
            break
        content = words(sentence.text)
        new = all(overlap(content, words(line.text)) < _SAME for line in chosen)
        if sentence not in taken and (new or not chosen):
            limit = FOCUS_LINE if sentence.turn == reading.focus else LINE
            chosen.append(reading.quote(sentence, limit=limit, barred=taken))
            taken.update(reading.window(sentence, limit=limit, barred=taken))
    return tuple(sorted(chosen, key=lambda line: line.turn))
