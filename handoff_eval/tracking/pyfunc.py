"""A bundle in the layout of `mlflow.pyfunc`: signature, input example, requirements, no code."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

from handoff_eval.tracking.store import quietly

LOADER = "handoff_eval.production.pyfunc"
_NEEDED = ("handoff-eval", "numpy", "onnxruntime", "tokenizers", "pandas", "mlflow")


def save_model(
    bundle: Path,
    to: Path,
    *,
    example: Sequence[dict[str, Any]],
    model_id: str | None = None,
    run_id: str | None = None,
) -> None:
    """Write a bundle as a model that `mlflow.pyfunc.load_model` and `mlflow models serve` take.

    Parameters
    ----------
    bundle : Path
    to : Path
        A new folder.
    example : sequence of dict
        Conversations with `id` and `turns`.
    model_id, run_id : str, optional
        Of the logged model and the run that it belongs to.
    """
    import pandas as pd

    # MLflow warns about type hints of its own and of what it asks of pandas.
    with warnings.catch_warnings(), quietly("mlflow.pyfunc"):
        warnings.simplefilter("ignore")
        pyfunc = import_module("mlflow.pyfunc")
        from mlflow.models import Model, ModelSignature

        pyfunc.save_model(
            path=str(to),
            loader_module=LOADER,
            data_path=str(bundle),
            mlflow_model=Model(model_id=model_id, run_id=run_id),
            signature=ModelSignature(inputs=_inputs(), outputs=_outputs()),
            input_example=pd.DataFrame(example),
            pip_requirements=[f"{name}=={version(name)}" for name in _NEEDED],
        )


def _inputs() -> Any:
    from mlflow.types.schema import Array, ColSpec, DataType, Object, Property, Schema

    turn = Object(
        [
            Property("role", DataType.string),
            Property("text", DataType.string),
            Property("at", DataType.string, required=False),
        ]
    )
    return Schema([ColSpec(DataType.string, "id"), ColSpec(Array(turn), "turns")])


def _outputs() -> Any:
    """Return the columns of `Decision.to_dict`."""
    from mlflow.types.schema import ColSpec, DataType, Schema

    kinds = {
        "conversation_id": DataType.string,
        "handoff": DataType.string,
        "fired": DataType.boolean,
        "turns": DataType.long,
        "closed": DataType.boolean,
        "score": DataType.double,
        "threshold": DataType.double,
        "reason": DataType.string,
        # Of a missing whole number `spark_udf`, which reads this, can make none.
        "evidence_turn": DataType.double,
        "clause": DataType.string,
    }
    optional = {"reason", "evidence_turn", "clause"}
    return Schema([ColSpec(kind, name, name not in optional) for name, kind in kinds.items()])
