"""Trino's functions for DuckDB: macros in functions.sql, and two that no macro can express."""

from __future__ import annotations

import math
from decimal import Decimal
from pathlib import Path

import duckdb

MACROS = (Path(__file__).parent / "functions.sql").read_text(encoding="utf-8")
BLOCK = 32  # bytes that xxHash takes at once

_MASK = (1 << 64) - 1
_P1, _P2, _P3, _P4, _P5 = (
    0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5,
)  # fmt: skip


def install(connection: duckdb.DuckDBPyConnection) -> None:
    """Define the functions in a connection."""
    connection.execute(MACROS)
    connection.create_function("t_double_text", double_text, ["DOUBLE"], "VARCHAR")
    connection.create_function("t_xxhash64", xxhash64, ["BLOB"], "BLOB")


def double_text(value: float) -> str:
    """Write a double as Trino's cast to varchar does: 1.5E0."""
    if not math.isfinite(value):
        return str(value).replace("inf", "Infinity").replace("nan", "NaN")
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    rest = "".join(map(str, digits[1:])) or "0"
    return f"{'-' if sign else ''}{digits[0]}.{rest}E{len(digits) - 1 + int(exponent)}"


def xxhash64(data: bytes) -> bytes:
    """Return the 64-bit xxHash (seed 0), most significant byte first, as Trino's xxhash64 does."""
    length, at = len(data), 0
    if length >= BLOCK:
        lanes = [(_P1 + _P2) & _MASK, _P2, 0, -_P1 & _MASK]
        while at + BLOCK <= length:
            for lane in range(4):
                lanes[lane] = _round(lanes[lane], int.from_bytes(data[at + 8 * lane : at + 8 * lane + 8], "little"))
            at += BLOCK
        value = sum(_rotate(lane, by) for lane, by in zip(lanes, (1, 7, 12, 18), strict=True)) & _MASK
        for lane in lanes:
            value = ((value ^ _round(0, lane)) * _P1 + _P4) & _MASK
    else:
        value = _P5
    return _avalanche(_tail((value + length) & _MASK, data[at:])).to_bytes(8, "big")


def _tail(value: int, data: bytes) -> int:
    at = 0
    while at + 8 <= len(data):
        value = (_rotate(value ^ _round(0, int.from_bytes(data[at : at + 8], "little")), 27) * _P1 + _P4) & _MASK
        at += 8
    if at + 4 <= len(data):
        value = (_rotate(value ^ (int.from_bytes(data[at : at + 4], "little") * _P1 & _MASK), 23) * _P2 + _P3) & _MASK
        at += 4
    for byte in data[at:]:
        value = _rotate(value ^ (byte * _P5 & _MASK), 11) * _P1 & _MASK
    return value


def _avalanche(value: int) -> int:
    value = (value ^ (value >> 33)) * _P2 & _MASK
    value = (value ^ (value >> 29)) * _P3 & _MASK
    return value ^ (value >> 32)


def _round(lane: int, word: int) -> int:
    return _rotate((lane + word * _P2) & _MASK, 31) * _P1 & _MASK


def _rotate(value: int, by: int) -> int:
    return ((value << by) | (value >> (64 - by))) & _MASK
