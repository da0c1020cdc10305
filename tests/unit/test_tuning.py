"""The search for a better instruction: by edits, by reflection, and what it costs to try."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from handoff_eval.conversation import Split
from handoff_eval.errors import EndpointError, SettingsError
from handoff_eval.evaluation.wordings.reflection import Reflect, customer_folds, reflector
from handoff_eval.evaluation.wordings.scores import Wordings
from handoff_eval.evaluation.wordings.set_objective import Objective
from handoff_eval.evaluation.wordings.tuning import EDITS_ONLY, tune_instruction
from handoff_eval.evaluation.wordings.tuning_result import Candidate, Tuning, pareto_front
from handoff_eval.evaluation.wordings.tuning_tries import TriesLedger
from handoff_eval.handoff import Budget
from handoff_eval.llm.asker import ModelAsker
from handoff_eval.llm.endpoint import RemoteModel
from handoff_eval.llm.replies import ReplyStore
from tests.builders import scored
from tests.llm_provider import Answer, completion, provider
from tests.wordings import LastWordTrigger, word_dataset

START = "Send it when the customer mentions a zebra."
OBJECTIVE = Objective(Budget(10, 0.5, 30, prevalence=1 / 3), 1 / 3)


def tuned(tmp_path: Path, *, reflect: Reflect | None = None, **options: Any) -> Tuning:
    wordings = Wordings(LastWordTrigger, word_dataset())
    ledger = TriesLedger(tmp_path / "tries.json")
    return tune_instruction(START, wordings, OBJECTIVE, ledger, reflect=reflect, **options)


def test_edits_find_the_cue_that_catches(tmp_path: Path) -> None:
    """The library's cue about a person wins on train, and test says how little that shows."""
    tuning = tuned(tmp_path, max_candidates=40)

    assert "speak to a person" in tuning.winner.text
    assert tuning.winner.recall > tuning.given.recall == pytest.approx(1 / 3)
    assert tuning.difference.difference.value > 0
    assert tuning.verdict == (
        "The winner's recall is 21 points higher on train, where it was chosen; no difference is "
        "shown on 10 positives of test."
    )
    assert tuning.note == EDITS_ONLY
    assert len(tuning.candidates) <= 40


def test_the_search_is_a_function_of_its_seed(tmp_path: Path) -> None:
    """The same arguments give the same candidates in the same order; another seed, others."""
    first, again, other = (
        tuned(tmp_path / str(i), max_candidates=12, seed=seed) for i, seed in enumerate((1, 1, 2))
    )

    assert [c.text for c in first.candidates] == [c.text for c in again.candidates]
    assert [c.text for c in first.candidates] != [c.text for c in other.candidates]


def test_every_instruction_tried_on_tune_divides_the_risk(tmp_path: Path) -> None:
    """The k-th one pays k (k + 1); the same again pays what it paid; another set counts anew."""
    ledger = TriesLedger(tmp_path / "deep" / "tries.json")

    assert [ledger.divisor("d", text) for text in ("a", "b", "a", "c")] == [2, 6, 2, 12]
    assert TriesLedger(tmp_path / "deep" / "tries.json").divisor("d", "b") == 6
    assert ledger.divisor("other", "b") == 2
    # test is counted on its own
    looks = [ledger.divisor("d", text, split=Split.TEST) for text in ("c", "d", "c")]
    assert looks == [2, 6, 2]
    # 1/2 + 1/6 + 1/12 + ... + 1/(k (k + 1)) = 1 - 1/(k + 1)
    shares = [1 / ledger.divisor("more", str(k)) for k in range(50)]
    assert sum(shares) == pytest.approx(1 - 1 / 51)


def test_a_ledger_that_is_no_ledger_is_told(tmp_path: Path) -> None:
    """A broken file is a sentence, since forgetting tries would void certificates."""
    (tmp_path / "tries.json").write_text("{", encoding="utf-8")

    with pytest.raises(SettingsError, match="Expected to count tries in"):
        TriesLedger(tmp_path / "tries.json").divisor("d", "a")


def test_every_winner_confirmed_on_test_is_paid_for(tmp_path: Path) -> None:
    """The p-value is multiplied by 2 at the first look at test, and by 6 at the second."""
    first = tuned(tmp_path, max_candidates=40)
    ledger = TriesLedger(tmp_path / "tries.json")
    again = tuned(tmp_path, max_candidates=40)
    other = tune_instruction(
        "Send it when the customer names a lawyer.",
        Wordings(LastWordTrigger, word_dataset()),
        OBJECTIVE,
        ledger,
        max_candidates=2,
    )

    assert (first.looks, again.looks, other.looks) == (2, 2, 6)
    assert first.difference.p_adjusted == pytest.approx(2 * first.difference.p_value)
    assert other.difference.p_adjusted == min(1.0, 6 * other.difference.p_value)


def test_the_certificate_remembers_the_tries(tmp_path: Path) -> None:
    """The operating point is chosen on tune at the divided risk."""
    tuning = tuned(tmp_path, max_candidates=20)

    assert tuning.point.chosen_on is Split.TUNE
    assert tuning.tries == 2
    certificate = tuning.point.certificate
    assert certificate is None or certificate.tries == 2


def test_the_front_holds_what_nothing_beats() -> None:
    """A candidate stays when no other is as good in recall, volume and words and better in one."""
    a = Candidate("a", "", recall=0.8, emails_at_floor=10, words=30)
    b = Candidate("b", "", recall=0.7, emails_at_floor=8, words=30)
    c = Candidate("c", "", recall=0.7, emails_at_floor=9, words=40)
    d = Candidate("d", "", recall=0.1, emails_at_floor=20, words=5)

    assert pareto_front([c, d, b, a]) == (a, b, d)
    assert not a.dominates(a)


def test_the_objective_is_of_the_set() -> None:
    """Recall, emails at the floor and the cut are those of the whole split at the prevalence."""
    scored = Wordings(LastWordTrigger, word_dataset()).scored(
        "Send it when they ask for a person.", Split.TRAIN
    )

    # .9 for 6 of 10 positives and 5 of 20 negatives: volume 1/3 .6 + 2/3 .25 = .3667 catches .6,
    # the next (all) 1; so a volume of 1/3 catches .6 (1/3) / .3667 by shared ties.
    assert OBJECTIVE.recall(scored) == pytest.approx(0.6 * (1 / 3) / (0.2 + 1 / 6))
    assert OBJECTIVE.emails_at_floor(scored) == pytest.approx(30 * (0.2 + 1 / 6) * 0.5 / 0.6)
    assert OBJECTIVE.cut(scored) > 0.9


def test_the_objective_weighs_by_what_was_drawn() -> None:
    """Conversations drawn with unequal chances count by what each stands for."""
    of = scored([0.9, 0.2], [0.9, 0.2, 0.2], split=Split.TRAIN, weight=[3, 1, 1, 1, 2])

    # .9: positives 3 / 4, negatives 1 / 4, so volume 1/3 (3/4) + 2/3 (1/4) = 5/12. A volume of 1/3
    # takes (1/3) / (5/12) = 4/5 of that tie: recall 3/4 (4/5) = .6. Half of the needed ones take
    # (1/2) / (3/4) of the 5/12: 30 (5/12) (2/3) = 8.33 emails a day.
    assert OBJECTIVE.recall(of) == pytest.approx(0.6)
    assert OBJECTIVE.emails_at_floor(of) == pytest.approx(25 / 3)


def test_reports_show_themselves(tmp_path: Path) -> None:
    """Frame, JSON, HTML and picture of a search."""
    tuning = tuned(tmp_path, max_candidates=15)

    assert list(tuning.frame()["recall on train"]) == sorted(
        tuning.frame()["recall on train"], reverse=True
    )
    assert json.loads(json.dumps(tuning.to_dict()))["winner"] == tuning.winner.text
    assert "as given" in tuning._repr_html_()
    assert tuning.plot().png().startswith(b"\x89PNG")


def test_an_instruction_in_error_is_refused(tmp_path: Path) -> None:
    """What lint calls an error isn't tuned."""
    wordings = Wordings(LastWordTrigger, word_dataset())

    with pytest.raises(SettingsError, match="HI005"):
        tune_instruction(
            f"{START} Write to a@example.com.", wordings, OBJECTIVE, TriesLedger(tmp_path / "t")
        )


def asker_of(settings: Any, tmp_path: Path) -> ModelAsker:
    return ModelAsker(RemoteModel(settings), replies=ReplyStore(cache=tmp_path / "replies.sqlite"))


def test_a_capable_model_rewrites_and_is_asked_once(tmp_path: Path) -> None:
    """It reads train alone, its wording is judged on all of train, and kept replies are reused."""
    wordings = Wordings(LastWordTrigger, word_dataset())

    def script(request: dict[str, Any]) -> Answer:
        prompt = request["messages"][-1]["content"]
        assert "<transcript>" in prompt
        return completion(
            "Thinking.\n```\nSend it when the customer asks for a person, or when the customer "
            "names a lawyer. Do not send it when the problem is solved.\n```",
            logprobs=None,
        )

    with provider(script) as served:
        for run in range(2):
            with asker_of(served.settings, tmp_path) as asker:
                tuning = tune_instruction(
                    START,
                    wordings,
                    OBJECTIVE,
                    TriesLedger(tmp_path / "tries.json"),
                    reflect=reflector(wordings, asker, OBJECTIVE, proposals=3),
                    max_candidates=5,
                )
            if run == 0:
                asked = len(served.requests)

    assert 1 <= asked <= 3
    assert len(served.requests) == asked
    assert tuning.winner.origin == "reflection"
    assert tuning.winner.recall == pytest.approx(1)
    assert tuning.verdict == (
        "The winner catches more than the given instruction, shown on 10 positives of test."
    )
    assert tuning.note == "Clause edits and reflection by the configured model."


def test_a_wording_in_error_is_never_tried(tmp_path: Path) -> None:
    """An address that a model copies into an instruction scores nothing and isn't judged."""
    wordings = Wordings(LastWordTrigger, word_dataset())
    bad = completion("```\nSend it when a person writes to boss@example.com.\n```", logprobs=None)

    with provider([bad]) as served, asker_of(served.settings, tmp_path) as asker:
        found = reflector(wordings, asker, OBJECTIVE, proposals=2)(START)

    assert list(found) == []
    assert len(served.requests) >= 1


def test_a_model_that_fails_is_not_passed_over(tmp_path: Path) -> None:
    """A refused key ends the search with its sentence; it doesn't go on with edits in silence."""
    wordings = Wordings(LastWordTrigger, word_dataset())
    refused = Answer({"error": {"message": "bad key"}}, status=401)

    with provider([refused]) as served, asker_of(served.settings, tmp_path) as asker:
        reflect = reflector(wordings, asker, OBJECTIVE, proposals=3)
        with pytest.raises(EndpointError, match="status 401"):
            reflect(START)

    assert len(served.requests) == 1


def test_folds_hold_whole_customers_and_both_kinds() -> None:
    """Every conversation is in one fold, and each fold has positives and negatives."""
    items = word_dataset().labeled(Split.TRAIN)

    folds = customer_folds(items, seed=0)

    assert sorted(i for fold in folds for i in fold) == sorted(x.conversation.id for x in items)
    needed = {item.conversation.id for item in items if item.label.handoff}
    assert all(needed & set(fold) and set(fold) - needed for fold in folds)
    with pytest.raises(SettingsError, match="at least 2 customers with"):
        customer_folds([item for item in items if not item.label.handoff], seed=0)
