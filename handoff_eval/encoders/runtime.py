"""ONNX Runtime without its telemetry: import it from here alone.

From 1.29 on the official Linux builds write a device id into the home folder and report sessions
to their maker as soon as they are imported, unless the environment forbids it at that moment.
"""

from __future__ import annotations

import os

_FORBIDS = "ORT_DISABLE_TELEMETRY"
_stated = os.environ.get(_FORBIDS)
os.environ[_FORBIDS] = "1"
try:
    import onnxruntime  # noqa: TID251 - the one place
finally:
    if _stated is None:
        del os.environ[_FORBIDS]
    else:
        os.environ[_FORBIDS] = _stated

# Where somebody had imported it before, what was begun ends here.
onnxruntime.disable_telemetry_events()

__all__ = ["onnxruntime"]
