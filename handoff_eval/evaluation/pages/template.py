"""The HTML templates of pages and emails, with escaping on and nothing undefined."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from handoff_eval.errors import MissingExtraError

if TYPE_CHECKING:
    from jinja2 import Template


@cache
def template(name: str) -> Template:
    """Return a compiled template by its path in the package, as `evaluation/pages/report.html`.

    Text from outside is only ever a value: no template is made of it.

    Raises
    ------
    MissingExtraError
        When jinja2 is not installed.
    """
    try:
        from jinja2 import Environment, FunctionLoader, StrictUndefined
    except ImportError as error:
        raise MissingExtraError(
            f"Expected jinja2 to write HTML; {error.name} is not installed. "
            "Install handoff-eval[service], or handoff-eval[bench]."
        ) from None
    package = files("handoff_eval")
    environment = Environment(
        loader=FunctionLoader(lambda path: package.joinpath(path).read_text("utf-8")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)
