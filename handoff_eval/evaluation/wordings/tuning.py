"""Search for a better instruction on train, certify it on tune, confirm it once on test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice

import numpy as np

from handoff_eval.conversation import Split
from handoff_eval.errors import SettingsError
from handoff_eval.evaluation.comparison.paired import paired_difference
from handoff_eval.evaluation.promise.budget import choose_operating_point
from handoff_eval.evaluation.scored import measure
from handoff_eval.evaluation.wordings.reflection import Reflect
from handoff_eval.evaluation.wordings.scores import Wordings
from handoff_eval.evaluation.wordings.set_objective import Objective
from handoff_eval.evaluation.wordings.tuning_result import Candidate, Tuning
from handoff_eval.evaluation.wordings.tuning_tries import TriesLedger
from handoff_eval.instructions.acceptable import why_unacceptable
from handoff_eval.instructions.clauses import parse_instruction
from handoff_eval.instructions.edits import clause_edits

AS_GIVEN = "as given"
PARENTS = 3
"""Best wordings that are edited further in each round."""
EDITS_A_PARENT = 8
"""Edits drawn for each of them, so that a round doesn't spend the search on one wording."""
EDITS_ONLY = (
    "Clause edits only: no language model is configured (HANDOFF_EVAL_LLM_URL), and the local "
    "135-million-parameter model is not able to rewrite an instruction."
)

Told = Callable[[int, int], None]
"""Called with the wordings judged so far and the most that will be."""


def tune_instruction(
    instruction: str,
    wordings: Wordings,
    objective: Objective,
    ledger: TriesLedger,
    *,
    reflect: Reflect | None = None,
    max_candidates: int = 60,
    seed: int = 0,
    on_candidate: Told | None = None,
) -> Tuning:
    """Return the best wording found, with what may be said of it.

    Every candidate is judged on train by recall at the budget's volume, the objective itself:
    a rule-based trigger learns nothing there, so no fold is needed to judge it. The best of train
    gets its threshold on tune, at a share of the risk that falls with every instruction ever tried
    there (`TriesLedger`), and its figures from test, where the p-value of the difference pays for
    every winner that was ever confirmed there in the same way. The search is a function of its
    arguments: run again after a stop it takes the same path, over kept vectors and replies.

    Parameters
    ----------
    instruction : str
        Where the search starts.
    wordings : Wordings
        Scores of the trigger under any wording.
    objective : Objective
    ledger : TriesLedger
    reflect : callable, optional
        Gives wordings by a language model; None where none is able to.
    max_candidates : int
        Wordings judged at most, the given one included.
    seed : int
        Of the draws of edits, the bootstrap and the exact tests.
    on_candidate : callable, optional
        Told of every wording that was judged.

    Raises
    ------
    SettingsError
        When the instruction can't be tried as it stands.
    """
    if why := why_unacceptable(instruction):
        raise SettingsError(
            f"Expected an instruction that can be tried; {why} See 'handoff-eval instruction lint'."
        )
    search = _Search(wordings, objective, max_candidates, on_candidate)
    search.judge(instruction, AS_GIVEN)
    _edit(search, seed=seed)
    if reflect is not None:
        for text in reflect(search.best.text):
            search.judge(text, "reflection", beyond=True)
    return _confirmed(search, ledger, reflected=reflect is not None, seed=seed)


class _Search:
    """The candidates judged so far, in order."""

    def __init__(
        self, wordings: Wordings, objective: Objective, limit: int, told: Told | None
    ) -> None:
        self.wordings = wordings
        self.objective = objective
        self.limit = limit
        self.candidates: dict[str, Candidate] = {}
        self._told = told

    @property
    def full(self) -> bool:
        return len(self.candidates) >= self.limit

    @property
    def ranked(self) -> list[Candidate]:
        """Candidates, best first: by recall at the volume, emails at the floor, words."""
        return sorted(
            self.candidates.values(), key=lambda c: (-c.recall, c.emails_at_floor, c.words)
        )

    @property
    def best(self) -> Candidate:
        return self.ranked[0]

    def judge(self, text: str, origin: str, *, beyond: bool = False) -> None:
        """Judge a wording on train, unless it was judged, can't be tried, or there are enough."""
        text = text.strip()
        if text in self.candidates or (self.full and not beyond) or why_unacceptable(text):
            return
        scored = self.wordings.scored(text, Split.TRAIN)
        self.candidates[text] = Candidate(
            text=text,
            origin=origin,
            recall=self.objective.recall(scored),
            emails_at_floor=self.objective.emails_at_floor(scored),
            words=len(text.split()),
        )
        if self._told is not None:
            self._told(len(self.candidates), max(self.limit, len(self.candidates)))


def _edit(search: _Search, *, seed: int) -> None:
    """Judge edits of the best wordings, round after round, until enough or no more are found."""
    rng = np.random.default_rng(seed)
    judged = 0
    while len(search.candidates) > judged and not search.full:
        judged = len(search.candidates)
        for parent in search.ranked[:PARENTS]:
            for what, text in islice(_drawn(parent.text, rng), EDITS_A_PARENT):
                chain = what if parent.origin == AS_GIVEN else f"{parent.origin}, then {what}"
                search.judge(text, chain)


def _drawn(text: str, rng: np.random.Generator) -> Iterator[tuple[str, str]]:
    """Give the single edits of a wording in a drawn order."""
    edits = clause_edits(parse_instruction(text))
    for index in rng.permutation(len(edits)):
        yield edits[index].what, edits[index].apply(text)


def _confirmed(search: _Search, ledger: TriesLedger, *, reflected: bool, seed: int) -> Tuning:
    wordings, objective, winner = search.wordings, search.objective, search.best
    given = next(iter(search.candidates.values()))
    budget, prevalence = objective.budget, objective.prevalence
    tries = ledger.divisor(wordings.dataset.digest, winner.text)
    point = choose_operating_point(
        wordings.scored(winner.text, Split.TUNE),
        budget,
        prevalence=prevalence,
        tries=tries,
        dataset_digest=wordings.dataset.digest,
        seed=seed,
    )
    test = wordings.scored(winner.text, Split.TEST)
    paired = paired_difference(
        test,
        wordings.scored(given.text, Split.TEST),
        email_rate=budget.email_rate,
        prevalence=prevalence,
        seed=seed,
    )
    looks = ledger.divisor(wordings.dataset.digest, winner.text, split=Split.TEST)
    paired = replace(paired, p_adjusted=min(1.0, looks * paired.p_value))
    return Tuning(
        trigger=test.replay.trigger,
        given=given,
        winner=winner,
        candidates=tuple(search.candidates.values()),
        objective=objective,
        train_positives=int(wordings.scored(winner.text, Split.TRAIN).positive.sum()),
        point=point,
        tries=tries,
        looks=looks,
        measures=measure(
            test,
            point,
            prevalence=prevalence,
            conversations_per_day=budget.conversations_per_day,
            seed=seed,
        ),
        difference=paired,
        note="Clause edits and reflection by the configured model." if reflected else EDITS_ONLY,
    )
