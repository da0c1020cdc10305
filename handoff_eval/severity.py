"""How much a finding matters, whether it is about data or about an instruction."""

from __future__ import annotations

from enum import StrEnum


class Severity(StrEnum):
    """An error makes the result wrong or useless, a warning may, an info is good to know."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"
