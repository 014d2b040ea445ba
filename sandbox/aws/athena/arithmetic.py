"""Numbers and casts: where DuckDB divides, rounds or prints otherwise than Trino."""

from __future__ import annotations

from sqlglot import exp

from sandbox.aws.athena.dates import refuse_moved_zone
from sandbox.aws.athena.errors import NotSimulatedError
from sandbox.aws.athena.nodes import INTEGERS, Type, call, has_type


def scale(node: exp.Expression | None) -> int | None:
    """Return the digits after the point of an exact number (0 for integers), or None when it is not one."""
    if isinstance(node, exp.Paren | exp.Neg | exp.Sum | exp.Max | exp.Min | exp.Abs):
        return scale(node.this)
    if isinstance(node, exp.Literal) and not node.is_string:
        return None if "e" in node.this.lower() else len(node.this.partition(".")[2])
    if isinstance(node, exp.Cast) and node.to.is_type(Type.DECIMAL):
        return int(node.to.expressions[1].name) if len(node.to.expressions) > 1 else 0
    if isinstance(node, exp.Mul):
        parts = scale(node.this), scale(node.expression)
        return None if None in parts else sum(parts)  # type: ignore[arg-type]
    if isinstance(node, exp.Add | exp.Sub | exp.Div):
        parts = scale(node.this), scale(node.expression)
        return None if None in parts else max(parts)  # type: ignore[type-var]
    return 0 if node is not None and node.type is not None and node.type.this in INTEGERS else None


def divide(node: exp.Div) -> exp.Expression | None:
    """7/2 is 3; 10.0/4 keeps one digit, as decimals do; a double divided by zero is Infinity."""
    left, right = node.this, node.expression
    if has_type(left, *INTEGERS) and has_type(right, *INTEGERS):
        return exp.Paren(this=exp.IntDiv(this=left.copy(), expression=right.copy()))
    digits = max(scale(left) or 0, scale(right) or 0)
    if scale(left) is not None and scale(right) is not None:
        quotient = call("t_decimal_div", left, right, exp.Literal.number(digits))
        return exp.cast(quotient, exp.DataType.build(f"DECIMAL(38, {digits})"))
    if has_type(left, Type.DOUBLE, Type.FLOAT) or has_type(right, Type.DOUBLE, Type.FLOAT):
        return None
    return call("t_div", left, right)


def cast(node: exp.Cast) -> exp.Expression | None:
    """Timestamps become text with milliseconds, JSON strings lose their quotes, doubles round half up to integers."""
    value, to = node.this, node.to
    if to.is_type("ipaddress") or "IPADDRESS" in to.sql().upper():
        message = "the type ipaddress"
        raise NotSimulatedError(message)
    if to.this in (Type.VARCHAR, Type.TEXT):
        refuse_moved_zone(value)
        if has_type(value, Type.TIMESTAMP):
            return call("t_timestamp_text", value)
        if has_type(value, Type.TIMESTAMPTZ):
            return call("t_timestamptz_text", value)
        if has_type(value, Type.DOUBLE, Type.FLOAT) and scale(value) is None:
            return call("t_double_text", value)
        if has_type(value, Type.JSON):
            return call("t_json_scalar", value, exp.Literal.string("$"))
    if to.this in INTEGERS and has_type(value, Type.DOUBLE, Type.FLOAT):
        half = exp.Floor(this=exp.Add(this=value.copy(), expression=exp.Literal.number("0.5")))
        return type(node)(this=half, to=to.copy())
    return None
