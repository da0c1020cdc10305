"""Errors a user can act on.

HandoffEvalError
    DataError        a dataset, label or transcript is not what was expected
    SettingsError    a setting, option or handoff file is not usable
    LeakageError     a number would be judged on the data that chose it
    BundleError      an exported trigger can't be trusted
        ParityError  the export would not decide as it was measured
    EndpointError    a language model could not be reached or answered out of form
    DeliveryError    a mail server refused or could not be reached
    MissingExtraError  the workbench is needed and not installed

Each also derives from the builtin a caller would expect. The command line prints the sentence
and exits with 2; anything else is a bug and keeps its traceback.
"""

from __future__ import annotations


class HandoffEvalError(Exception):
    """Base of every deliberate error: its text says what was expected, what came, what to do."""


class DataError(HandoffEvalError, ValueError):
    """A dataset, label or transcript is not what was expected."""


class SettingsError(HandoffEvalError, ValueError):
    """A setting, option or handoff file is not usable."""


class LeakageError(HandoffEvalError, ValueError):
    """A number would be judged on the data that chose it."""


class BundleError(HandoffEvalError, ValueError):
    """An exported trigger can't be trusted as it stands."""


class ParityError(BundleError):
    """An export would not decide as it was measured."""


class EndpointError(HandoffEvalError, RuntimeError):
    """A language model could not be reached, or answered out of form."""


class DeliveryError(HandoffEvalError, RuntimeError):
    """A mail server refused the message or could not be reached."""


class MissingExtraError(HandoffEvalError, ImportError):
    """A part of the workbench is needed and not installed."""
