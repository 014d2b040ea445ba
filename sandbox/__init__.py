"""A simulated cloud behind the real protocols: a Microsoft tenant, AWS and a mail server. Everything here is SIMULATED.

`python -m sandbox serve --state-dir DIR` starts it; `sandbox.serve.Sandbox` is the same inside a test.
"""

from __future__ import annotations

import sys
from pathlib import Path

_PLUGINS = str(Path(__file__).resolve().parent.parent / "plugins")

# The streams are data of the library; Airflow puts plugins/ on the path, a plain interpreter does not.
if _PLUGINS not in sys.path:
    sys.path.append(_PLUGINS)
