"""A bundle as MLflow's generic model: `mlflow.pyfunc`, `mlflow models serve`, Spark.

MLflow imports this module by its name and hands it the bundle's folder, so a registered trigger
holds neither code nor pickle. Its environment needs pandas, as every such model's does; deciding
itself doesn't.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from handoff_eval.errors import DataError
from handoff_eval.production.bundle import Bundle, read_bundle
from handoff_eval.production.decide import decide
from handoff_eval.transcripts.parse import parse_conversation
from handoff_eval.transcripts.refusals import FieldError

if TYPE_CHECKING:
    import pandas as pd


class BundleModel:
    """What MLflow asks: complete conversations in, one decision each out.

    Parameters
    ----------
    bundle : Bundle
    """

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle

    def predict(self, model_input: pd.DataFrame) -> pd.DataFrame:
        """Return a frame with one row a conversation, as `handoff-eval decide` prints it.

        Parameters
        ----------
        model_input : pandas.DataFrame
            Columns `id` and `turns`, a list of objects with `role` and `text`.

        Raises
        ------
        DataError
            When a row is no conversation, with its number and the field.
        """
        import pandas as pd

        conversations = []
        for number, (name, turns) in enumerate(
            zip(model_input["id"], model_input["turns"], strict=True)
        ):
            try:
                document = {"id": name, "turns": [_plain(turn) for turn in turns]}
                conversations.append(parse_conversation(document))
            except (FieldError, TypeError) as error:
                raise DataError(f"Row {number}: expected a conversation; {error}.") from None
        bundle = self.bundle
        decisions = decide(bundle.trigger, bundle.point, conversations, handoff=bundle.handoff)
        # As objects, so that what isn't known stays None and no whole number becomes a float.
        return pd.DataFrame([decision.to_dict() for decision in decisions], dtype=object)


def _plain(turn: Any) -> dict[str, Any]:
    """Return a turn without the fields that a typed frame fills in where they weren't given."""
    values = turn.asDict() if hasattr(turn, "asDict") else dict(turn)
    return {key: value for key, value in values.items() if value is not None}


def _load_pyfunc(path: str) -> BundleModel:
    """Return the model of a bundle: the name that MLflow looks for."""
    return BundleModel(read_bundle(Path(path)))
