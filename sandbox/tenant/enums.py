"""Enumeration members that Graph hides from clients that did not ask for them."""

from __future__ import annotations

import json
from typing import Any

from entra_lake.schema import Stream
from sandbox.tenant.records import encode

_SENTINEL = "unknownFutureValue"
#: Policy results have no column of their own.
_POLICY_RESULTS = frozenset({"reportOnlySuccess", "reportOnlyFailure", "reportOnlyNotApplied", "reportOnlyInterrupted"})


def hide_new_members(stream: Stream, body: bytes) -> bytes:
    """Put `unknownFutureValue` where the record holds a member that was declared after it."""
    record = json.loads(body)
    changed = _hide_policy_results(record)
    for column in stream.columns:
        hidden = column.values[column.values.index(_SENTINEL) + 1 :] if _SENTINEL in column.values else ()
        holder = _holder(record, column.keys)
        if hidden and isinstance(holder, dict) and holder.get(column.keys[-1]) in hidden:
            holder[column.keys[-1]] = _SENTINEL
            changed = True
    return encode(record) if changed else body


def _holder(record: Any, keys: tuple[str, ...]) -> Any:
    for key in keys[:-1]:
        record = record.get(key) if isinstance(record, dict) else None
    return record


def _hide_policy_results(record: dict[str, Any]) -> bool:
    changed = False
    for policy in record.get("appliedConditionalAccessPolicies") or ():
        if isinstance(policy, dict) and policy.get("result") in _POLICY_RESULTS:
            policy["result"] = _SENTINEL
            changed = True
    return changed
