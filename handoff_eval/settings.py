"""Where things are kept and which language model is asked; read at call time, never on import."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from handoff_eval.errors import SettingsError


def cache_dir() -> Path:
    """Return the folder of vectors, exported encoders and replies (`HANDOFF_EVAL_CACHE`)."""
    configured = os.environ.get("HANDOFF_EVAL_CACHE")
    if configured:
        return Path(configured).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "handoff_eval"


def project_root() -> Path:
    """Return the folder that holds `mlruns/`, whatever the working directory is.

    It is `HANDOFF_EVAL_HOME` when set, else the checkout this package is installed from, else
    the working directory.
    """
    configured = os.environ.get("HANDOFF_EVAL_HOME")
    if configured:
        return Path(configured).expanduser().resolve()
    checkout = Path(__file__).resolve().parent.parent
    return checkout if (checkout / "pyproject.toml").is_file() else Path.cwd()


@dataclass(frozen=True, slots=True)
class EndpointSettings:
    """An OpenAI-compatible endpoint.

    Parameters
    ----------
    url : str
        Base URL, with its `/v1` where the server has one.
    model : str
        The model's name there.
    api_key : str
        A local server takes any text.
    """

    url: str
    model: str
    api_key: str = "none"

    @classmethod
    def from_environment(cls) -> EndpointSettings | None:
        """Read `HANDOFF_EVAL_LLM_URL`, `_MODEL` and `_KEY`; None when no URL is set."""
        url = os.environ.get("HANDOFF_EVAL_LLM_URL")
        if not url:
            return None
        model = os.environ.get("HANDOFF_EVAL_LLM_MODEL")
        if not model:
            raise SettingsError(
                "Expected HANDOFF_EVAL_LLM_MODEL to name the model at HANDOFF_EVAL_LLM_URL; "
                "it is not set."
            )
        return cls(url=url, model=model, api_key=os.environ.get("HANDOFF_EVAL_LLM_KEY", "none"))
