"""All streams, found in this folder: one file each, and the file's name is the stream's name."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from entra_lake.errors import ConfigurationError
from entra_lake.schema import Stream


def _discover() -> dict[str, Stream]:
    names = sorted(module.name for module in iter_modules(__path__))
    return {name: import_module(f"{__name__}.{name}").STREAM for name in names}


STREAMS: dict[str, Stream] = _discover()


def get_stream(name: str) -> Stream:
    """Return the stream of this name.

    :raises ConfigurationError: when there is none.
    """
    try:
        return STREAMS[name]
    except KeyError:
        known = ", ".join(STREAMS)
        message = f"There is no stream {name!r}. Choose from: {known}."
        raise ConfigurationError(message) from None
