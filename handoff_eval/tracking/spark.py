"""A registered trigger in a Spark query, through `mlflow.pyfunc.spark_udf`.

MLflow casts every column of a model by numpy, where what isn't known has no place: a missing text
comes out as the word `None`, a missing whole number ends the job. Both are put right here.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

from handoff_eval.errors import SettingsError
from handoff_eval.tracking.store import quietly, without_bars

if TYPE_CHECKING:
    from pyspark.sql import Column, SparkSession

_CERTAIN = {
    "conversation_id": "string",
    "handoff": "string",
    "fired": "boolean",
    "turns": "bigint",
    "closed": "boolean",
    "score": "double",
    "threshold": "double",
}
_TEXTS = ("reason", "clause")
_WHOLE = "evidence_turn"
_ASKED = ", ".join(
    f"{name} {kind}"
    for name, kind in (_CERTAIN | dict.fromkeys(_TEXTS, "string") | {_WHOLE: "double"}).items()
)


def trigger_udf(
    spark: SparkSession, uri: str, *, env_manager: str = "local"
) -> Callable[[Column | str, Column | str], Column]:
    """Return a function of two columns, `id` and `turns`, that gives the decision as a struct.

    A row is a whole conversation, so it is decided in one task, wherever the row lies.

    Parameters
    ----------
    spark : pyspark.sql.SparkSession
    uri : str
        Of the model, such as `models:/handoff-trigger.support@champion`.
    env_manager : str
        What MLflow takes the workers' packages from; `local` is what is installed on each node.

    Returns
    -------
    callable
        Its columns: the conversation's id, and an array of structs with `role` and `text`. The
        struct has the fields that `handoff-eval decide` prints, null where there is nothing.

    Raises
    ------
    SettingsError
        When MLflow doesn't find or can't load the model.

    Examples
    --------
    >>> decide = trigger_udf(spark, "models:/handoff-trigger.support@champion")  # doctest: +SKIP
    >>> frame.select("id", decide("id", "turns").alias("decision"))  # doctest: +SKIP
    """
    from mlflow.exceptions import MlflowException

    # Else local workers take whichever python3 comes first on the path.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    try:
        with quietly("mlflow.pyfunc"), without_bars():
            asked = import_module("mlflow.pyfunc").spark_udf(
                spark, uri, env_manager=env_manager, result_type=_ASKED
            )
    except (MlflowException, OSError) as error:
        raise SettingsError(f"Expected a model at {uri}; {error}.") from None

    def decide(name: Column | str, turns: Column | str) -> Column:
        from pyspark.sql import functions as F  # noqa: N812 - its name everywhere

        made = asked(name, turns)
        where = made[_WHOLE]
        return F.struct(
            *(made[field].alias(field) for field in _CERTAIN),
            *(F.nullif(made[field], F.lit("None")).alias(field) for field in _TEXTS),
            F.when(~F.isnan(where), where).cast("bigint").alias(_WHOLE),
        )

    return decide
