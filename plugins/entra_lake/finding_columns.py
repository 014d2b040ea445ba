"""The columns of the table `findings`, from which its DDL, its Parquet objects and the data dictionary are made."""

from __future__ import annotations

from entra_lake.schema import Column, Type

#: What the table is called, and what it holds.
FINDINGS_TABLE = "findings"
FINDINGS_COMMENT = "What detections have found: one row per rule, day and entity."


def _column(name: str, kind: Type, description: str) -> Column:
    return Column(name=name, type=kind, path="", description=description)


#: The table's columns, without its partition `dt`, the day of the events.
FINDING_COLUMNS: tuple[Column, ...] = (
    _column("rule", Type.STRING, "Id of the rule that found it."),
    _column("title", Type.STRING, "What the rule is called."),
    _column("severity", Type.STRING, "low, medium or high."),
    _column("attack", Type.STRINGS, "Techniques of MITRE ATT&CK."),
    _column(
        "entity_type", Type.STRING, "What it is about: user, ip_address, application, role, policy, domain or stream."
    ),
    _column("entity", Type.STRING, "Id or name of what it is about; rule, dt and entity name one finding."),
    _column("first_event_time", Type.TIMESTAMP, "The first event that counts, UTC."),
    _column("last_event_time", Type.TIMESTAMP, "The last one, UTC."),
    _column("event_count", Type.INT, "How many events count."),
    _column("user_id", Type.STRING, "Object id of the user who did it, or to whom it happened."),
    _column("user_principal_name", Type.STRING, "The user's sign-in name."),
    _column("ip_address", Type.STRING, "Where it came from."),
    _column("summary", Type.STRING, "What happened, in one sentence; it holds texts that attackers can choose."),
    _column("evidence_json", Type.JSON, "JSON list of the records behind it, <stream>:<record id>."),
    _column("tenant_id", Type.STRING, "The tenant whose log this is."),
    _column("first_found_at", Type.TIMESTAMP, "When a run found it first."),
    _column("last_found_at", Type.TIMESTAMP, "When a run found it last."),
)
