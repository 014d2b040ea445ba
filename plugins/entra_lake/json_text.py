"""JSON as text: what Python's own reading and writing would lose or refuse is kept."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

#: Python converts no longer whole numbers from text, unless told so.
_MOST_DIGITS = 4000


def parse_json(text: str) -> Any:  # noqa: ANN401 - any JSON value
    """Return the value of a JSON text.

    :raises ValueError: when it is none.
    """
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError:
        raise
    except ValueError:  # a whole number of more digits than Python converts
        return _LONG_DECODER.decode(text)


def json_text(value: object, *, sort_keys: bool = False) -> str:
    """Return compact JSON that can be encoded as UTF-8, whatever the value's strings hold."""
    text = _dump(value, ascii_only=False, sort_keys=sort_keys)
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate, which JSON can escape and UTF-8 cannot hold
        return _dump(value, ascii_only=True, sort_keys=sort_keys)
    return text


def _refuse_constant(name: str) -> object:
    message = f"{name} is no JSON"
    raise json.JSONDecodeError(message, name, 0)


def _whole(digits: str) -> int:
    return int(Decimal(digits)) if len(digits) > _MOST_DIGITS else int(digits)


#: Raw control characters inside strings break the standard, yet they have been seen; they are kept.
_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, strict=False)
_LONG_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_int=_whole, strict=False)


def _dump(value: object, *, ascii_only: bool, sort_keys: bool) -> str:
    try:
        return json.dumps(value, ensure_ascii=ascii_only, separators=(",", ":"), allow_nan=False, sort_keys=sort_keys)
    except ValueError:  # 1e400 is JSON, and is more than a double holds; long numbers are more than Python writes
        return _dump_huge(value, ascii_only=ascii_only, sort_keys=sort_keys)


def _dump_huge(value: Any, *, ascii_only: bool, sort_keys: bool) -> str:  # noqa: ANN401
    """Write numbers too large for a double so that reading them gives the same again."""
    if isinstance(value, dict):
        items = sorted(value.items()) if sort_keys else value.items()
        members = (
            f"{_dump(key, ascii_only=ascii_only, sort_keys=sort_keys)}:"
            f"{_dump(item, ascii_only=ascii_only, sort_keys=sort_keys)}"
            for key, item in items
        )
        return "{" + ",".join(members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_dump(item, ascii_only=ascii_only, sort_keys=sort_keys) for item in value) + "]"
    if isinstance(value, int):
        return f"{Decimal(value):f}"
    return "1e999" if value > 0 else "-1e999"
