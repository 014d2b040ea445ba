"""A worker without what it never uses: pyarrow brings pandas along wherever that is installed."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from threading import get_ident

import pyarrow as pa


def leave_pandas_out() -> None:
    """Let pyarrow begin without pandas: some 40 MiB and half a second that reading logs does not need.

    pyarrow imports it at the first conversion, to recognise its types. It does so later, too, when somebody asks for a
    data frame; so this costs nothing but that a Series is taken for any sequence. For processes of the lake's own.
    """
    if "pandas" in sys.modules:
        return
    absence = _Absence()
    sys.meta_path.insert(0, absence)
    try:
        pa.array(["makes pyarrow look for pandas"])
    finally:
        sys.meta_path.remove(absence)


class _Absence:
    """A finder of modules for which pandas is not installed, in the thread that made it."""

    def __init__(self) -> None:
        self._thread = get_ident()

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> ModuleSpec | None:
        """Find nothing, so that others look; refuse pandas.

        :raises ModuleNotFoundError: for pandas.
        """
        if name == "pandas" and get_ident() == self._thread:
            raise ModuleNotFoundError(name, name=name)
        return None
