"""What all widgets share: one look, one way to talk with the browser, and a static picture.

The kernel decides what is shown and keeps what was done; the browser holds what is being typed
and the keys. Each message of the browser is answered with a new `view` that names it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from handoff_eval.errors import HandoffEvalError, MissingExtraError
from handoff_eval.workbench.static import Element, to_html

try:
    import anywidget
    import traitlets
except ImportError:
    raise MissingExtraError(
        "Expected the package anywidget for widgets in a notebook; it is not installed. "
        "Run: pip install 'handoff-eval[bench]'."
    ) from None

__all__ = ["Screen", "script", "style", "traitlets"]

_ASSETS = Path(__file__).parent / "assets"


def script(*names: str) -> str:
    """Return the browser's side of a widget: what all share, then these files, as one module."""
    return "\n".join(_asset(f"{name}.js") for name in ("screen", *names))


def style(*names: str) -> str:
    """Return the look that all share, then these files."""
    return "\n".join(_asset(f"{name}.css") for name in ("look", *names))


def _asset(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")


class Screen(anywidget.AnyWidget):  # type: ignore[misc]
    """Base of the widgets: keeps `view` in step with the kernel's side.

    A widget says what is shown (`_state`), does what the browser asks (`_act`), and draws itself
    for where no kernel is alive (`_picture`, and `_words` as plain text).
    """

    view = traitlets.Dict().tag(sync=True)

    def __init__(self, **traits: Any) -> None:
        self._said = ("info", "")
        super().__init__(view=self._shown(None), **traits)
        self.on_msg(self._receive)

    def _state(self) -> dict[str, Any]:
        """Return all that is shown, as JSON values."""
        raise NotImplementedError

    def _act(self, action: str, content: Mapping[str, Any]) -> None:
        """Do what the browser asks; a `HandoffEvalError` is told to the user."""
        raise NotImplementedError

    def _picture(self) -> list[Element]:
        """Return what is shown, to be read without a kernel."""
        raise NotImplementedError

    def _words(self) -> str:
        """Return what is shown in a line or a few."""
        raise NotImplementedError

    def _say(self, text: str, kind: str = "info") -> None:
        self._said = (kind, text)

    def _shown(self, request: object) -> dict[str, Any]:
        kind, text = self._said
        return {**self._state(), "message": {"kind": kind, "text": text}, "reply_to": request}

    def _refresh(self, request: object = None) -> None:
        # A view like the last one must reach the browser too, which waits for it.
        self.view = self._shown(request)

    def _receive(self, _: Any, content: Mapping[str, Any], __: Any) -> None:
        self._say("")
        try:
            self._act(str(content.get("action")), content)
        except HandoffEvalError as error:
            self._say(str(error), "error")
        except BaseException as error:
            # The browser waits for an answer; the traceback goes where the kernel puts it.
            self._say(f"The kernel stopped here: {type(error).__name__}.", "error")
            raise
        finally:
            self._refresh(content.get("request"))

    def _repr_mimebundle_(self, **options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        data, metadata = super()._repr_mimebundle_(**options)
        still = {"text/html": to_html(*self._picture()), "text/plain": self._words()}
        return {**data, **still}, metadata
