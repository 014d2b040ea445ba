"""What people are told about each error code: a few words, and what to do first.

`docs/troubleshooting.md` has a section for each code; this is what fits into a mail.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from entra_lake.settings import LakeSettings

#: Each error code in a few words, for a subject line.
WORDS: Final[Mapping[str, str]] = {
    "EL101": "throttled by Graph",
    "EL102": "Graph gave no usable answer",
    "EL103": "the listing keeps breaking",
    "EL104": "S3 did not answer",
    "EL105": "Athena did not answer",
    "EL106": "other runs were first, time and again",
    "EL107": "the worker's disk is full",
    "EL108": "Airflow could not look for a connection",
    "EL201": "a connection or setting is wrong",
    "EL202": "the login service refuses the application",
    "EL203": "a Graph permission is missing",
    "EL204": "the tenant lacks a licence",
    "EL205": "the day is older than Microsoft keeps",
    "EL206": "the day has not begun",
    "EL207": "the lake belongs to another tenant",
    "EL208": "AWS refuses access",
    "EL209": "Graph points to a foreign address",
    "EL210": "data that cannot be right",
    "EL211": "Athena counts other rows than were loaded",
    "EL212": "fewer records than the lake holds",
    "EL213": "Athena refuses a statement",
    "EL214": "a part of the day cannot be had",
    "EL215": "a detection could not be run",
    "EL216": "this machine's clock is wrong",
}

_FIRST: Final[Mapping[str, str]] = {
    "EL101": "See who else uses the application of {graph}: its requests count for all. Then wait an hour.",
    "EL102": "See https://status.cloud.microsoft and whether this machine reaches Graph: press Test in Admin → "
    "Connections → {graph}.",
    "EL104": "See https://health.aws.amazon.com and whether this machine reaches S3.",
    "EL105": "See https://health.aws.amazon.com and the workgroup's query history in the Athena console.",
    "EL201": "Correct what the message names: in Admin → Connections, or in include/lakes.yaml.",
    "EL202": "Open Admin → Connections → {graph}, correct what the message names, and press Test.",
    "EL203": "Have an administrator grant and consent to what the message names; then press Test in Admin → "
    "Connections → {graph}.",
    "EL204": "Give the tenant the licence, or take the stream out of lake {lake} in include/lakes.yaml.",
    "EL205": "Choose a day that Microsoft still has. What the lake holds of this one is untouched.",
    "EL206": "Choose a day that has begun.",
    "EL207": "Compare tenant_id in Admin → Connections → {graph} with the lake's own lake.json.",
    "EL208": "Give the role of connection {aws} the right that the message names; docs/connections.md lists them all.",
    "EL209": "Do not trust the answer: find out who answers in Graph's place before anything else.",
    "EL211": "Start the run again with Full repair of partitions switched on.",
    "EL212": "Restore the deleted objects that the message names from their noncurrent versions.",
    "EL215": "Correct what the message names: in lakes.yaml, or in the rule's file. "
    "Try it: python -m entra_lake detect FILE. The next hourly run makes up for what was left out.",
    "EL216": "Set the clock of the machine that runs the tasks, by NTP; Test in Admin → Connections → {graph} shows "
    "how wrong it is.",
}
_FIRST_OF_OTHERS: Final = "Read what happened above, and the log of this try."
_WITHOUT_AGAIN: Final = frozenset({"EL205", "EL206", "EL215"})


def to_do(code: str, settings: LakeSettings, command: str) -> list[str]:
    """Return the steps that a person takes, in their order.

    :param command: takes the day again.
    """
    names = {"graph": settings.graph_conn_id, "aws": settings.aws_conn_id, "lake": settings.name}
    first = _FIRST.get(code, _FIRST_OF_OTHERS).format(**names)
    if code in _WITHOUT_AGAIN:
        return [first]
    return [first, f"Then take the day again: in the run's grid, clear the failed task; or run: {command}"]


def what_next(*, may_pass: bool) -> str:
    """Return what happens if nobody does anything."""
    now = (
        "The task has used up its tries; this run does not try again."
        if may_pass
        else "Nothing: trying again does not help until somebody acts."
    )
    return f"{now} What was collected so far is kept and not asked for again. Other days go on as always."
