"""The HTML templates of emails and mailbox pages, with escaping on and nothing undefined."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

from handoff_eval.errors import MissingExtraError


@cache
def template(name: str) -> Any:
    """Return the compiled template of a file of this package.

    Text from outside is only ever a value: no template is made of it.

    Raises
    ------
    MissingExtraError
        When jinja2 is not installed.
    """
    try:
        from jinja2 import Environment, StrictUndefined
    except ImportError:
        raise MissingExtraError(
            "Expected jinja2 for the HTML of the email; it is not installed. "
            "Install handoff-eval[service]."
        ) from None
    source = files("handoff_eval.mail").joinpath(name).read_text(encoding="utf-8")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(source)
