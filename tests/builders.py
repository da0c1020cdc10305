"""Small conversations written out in a test."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from handoff_eval.conversation import (
    Conversation,
    Customer,
    Label,
    LabeledConversation,
    Reason,
    Role,
    Split,
    Turn,
)
from handoff_eval.encoders.static import StaticEncoder
from handoff_eval.evaluation.certificate import Certificate, RecallPromise, VolumePromise
from handoff_eval.evaluation.replay import Replay
from handoff_eval.evaluation.scored import ScoredSplit

CERTIFICATE = Certificate(
    trigger="arm",
    threshold=0.5,
    lowest=0.4,
    highest=0.6,
    confidence=0.95,
    tries=2,
    recall=RecallPromise(
        min_recall=0.8, customers=False, on_time_within=None, units=60, allowed=4, risk=0.01
    ),
    volume=VolumePromise(
        max_emails_per_day=20,
        conversations_per_day=200,
        max_days_above=None,
        prevalence=0.05,
        max_share=0.0526,
        units=200,
        allowed=3,
        risk=0.015,
        source="",
        assumption="",
    ),
    dataset_digest="0" * 64,
    seed=0,
    issued_at=datetime(2026, 3, 1, 9, tzinfo=UTC),
)

ROLES = {"C": Role.CUSTOMER, "A": Role.AGENT, "H": Role.HUMAN, "S": Role.SYSTEM}


def talk(
    *lines: str,
    id: str = "c-1",  # noqa: A002 - the field's name
    customer: str | None = None,
    split: Split | None = None,
) -> Conversation:
    """Return a conversation from lines such as "C: where is my parcel?"."""
    turns = tuple(Turn(ROLES[line[0]], line[3:]) for line in lines)
    return Conversation(id=id, turns=turns, customer=Customer(id=customer), split=split)


def labeled(
    conversation: Conversation,
    *,
    handoff: bool,
    at: int | None = None,
    reasons: Sequence[Reason] = (Reason.UNRESOLVED,),
) -> LabeledConversation:
    """Return the conversation with a label."""
    label = Label(conversation.id, handoff, at_turn=at, reasons=tuple(reasons) if handoff else ())
    return LabeledConversation(conversation, label)


def scored(
    positives: Sequence[float],
    negatives: Sequence[float],
    *,
    split: Split,
    groups: Sequence[str] | None = None,
    name: str = "arm",
    on_time: Sequence[float] | None = None,
    weight: Sequence[float] | None = None,
) -> ScoredSplit:
    """Return a split with these peak scores; the positives come first."""
    peaks = np.array([*positives, *negatives], dtype=float)
    n = len(peaks)
    positive = np.arange(n) < len(positives)
    until = np.array([*(positives if on_time is None else on_time), *([np.nan] * len(negatives))])
    return ScoredSplit(
        replay=Replay(
            name,
            tuple(f"c{i}" for i in range(n)),
            np.arange(n + 1),
            np.ones(n, dtype=np.int64),
            peaks,
        ),
        split=split,
        positive=positive,
        groups=tuple(groups) if groups else tuple(f"u{i}" for i in range(n)),
        due=np.where(positive, 0, -1),
        peak=peaks,
        on_time_peak=until,
        weight=np.ones(n) if weight is None else np.array(weight, dtype=float),
        emailed=np.zeros(n, dtype=bool),
    )


def static_encoder(
    folder: Path, vectors: Sequence[Sequence[float]] = ((9, 9), (3, 0), (0, 4))
) -> StaticEncoder:
    """Return an encoder that knows the words call and me."""
    tokenizer = Tokenizer(WordLevel({"[UNK]": 0, "call": 1, "me": 2}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    np.save(folder / "vectors.npy", np.array(vectors, dtype=np.float32))
    return StaticEncoder(folder / "vectors.npy", folder / "tokenizer.json", revision="tiny")
