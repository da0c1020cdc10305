"""Where things are kept and which language model is asked; read at call time, never on import."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from math import inf
from pathlib import Path
from typing import Any

from handoff_eval.errors import SettingsError


def cache_dir() -> Path:
    """Return the folder of vectors, exported encoders and replies (`HANDOFF_EVAL_CACHE`)."""
    configured = os.environ.get("HANDOFF_EVAL_CACHE")
    if configured:
        return Path(configured).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "handoff_eval"


def static_model() -> Path | None:
    """Return the model2vec folder to use instead of one distilled from MiniLM.

    It is `HANDOFF_EVAL_STATIC_MODEL`; None when that is not set.
    """
    configured = os.environ.get("HANDOFF_EVAL_STATIC_MODEL")
    return Path(configured).expanduser() if configured else None


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


@dataclass(frozen=True, slots=True)
class Price:
    """What a provider charges, in any currency for a million tokens."""

    prompt: float
    completion: float

    def __post_init__(self) -> None:
        for value in (self.prompt, self.completion):
            if not 0 <= value < inf:
                raise SettingsError(
                    f"Expected a price of 0 or more for a million tokens; got {value!r}."
                )

    @classmethod
    def from_environment(cls) -> Price | None:
        """Read `HANDOFF_EVAL_LLM_PRICE_IN` and `_PRICE_OUT`; None when neither is set."""
        prompt, completion = (_number(f"PRICE_{side}") for side in ("IN", "OUT"))
        if prompt is None and completion is None:
            return None
        return cls(prompt or 0.0, completion or 0.0)


@dataclass(frozen=True, slots=True)
class LlmLimits:
    """How a language model is asked.

    Parameters
    ----------
    threads : int
        Questions under way at the same time.
    requests_per_minute, tokens_per_minute : float, optional
        What the provider allows; None asks as fast as answers come.
    timeout : float
        Seconds to connect, and for a whole answer, before a try has failed.
    retries : int
        Tries after the first.
    """

    threads: int = 4
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    timeout: float = 60.0
    retries: int = 6

    def __post_init__(self) -> None:
        for name, least in (("threads", 1), ("retries", 0)):
            value = getattr(self, name)
            if not (value == int(value) and least <= value <= 1000):
                raise SettingsError(
                    f"Expected {name} to be a whole number from {least} to 1000; got {value!r}."
                )
        for name in ("requests_per_minute", "tokens_per_minute", "timeout"):
            value = getattr(self, name)
            if value is not None and not 0 < value < inf:
                raise SettingsError(f"Expected {name} to be a number above 0; got {value!r}.")

    @classmethod
    def from_environment(cls) -> LlmLimits:
        """Read `HANDOFF_EVAL_LLM_THREADS` and so on: each field in capitals."""
        stated = {field.name: _number(field.name.upper()) for field in fields(cls)}
        known: dict[str, Any] = {name: v for name, v in stated.items() if v is not None}
        whole = {n: int(v) for n, v in known.items() if n in ("threads", "retries") and v == v // 1}
        return cls(**{**known, **whole})


def _number(name: str) -> float | None:
    """Read a number of the environment; None where it isn't set."""
    text = os.environ.get(f"HANDOFF_EVAL_LLM_{name}")
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        raise SettingsError(
            f"Expected HANDOFF_EVAL_LLM_{name} to be a number; got {text!r}."
        ) from None
