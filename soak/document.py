"""The tables of docs/no-record-lost.md, from what soaks have found: no figure in it was typed by hand.

Each recorded soak is one entry of `soak/results.json`; the same command takes the place of its earlier entry.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from soak.faults import ALL_GROUPS
from soak.report import Report

DOCUMENT = Path(__file__).parents[1] / "docs" / "no-record-lost.md"
RESULTS = Path(__file__).with_name("results.json")
Facts = Mapping[str, Any]
#: What a soak counts that must be 0.
WRONG = ("lost", "doubled", "invented", "misshown", "miscounted", "unpaid")


def record(report: Report) -> None:
    """Note what a soak has found."""
    command = f"python -m soak {report.arguments}"
    kept = [item for item in read_results() if item["command"] != command]
    kept.append({"command": command, "date": f"{datetime.now(UTC):%Y-%m-%d}", **report.facts()})
    RESULTS.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")


def read_results() -> list[Facts]:
    """Return all recorded soaks, oldest first."""
    found: list[Facts] = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    return found


def soak_table(results: Sequence[Facts]) -> str:
    """Return one line per soak: what it has gone through, and what was wrong."""
    head = ("command", "run on", "records", "versions", "passes", "requests", "faults", *WRONG)
    rows = [
        (
            f"`{item['command']}`",
            item["date"],
            *(f"{item[name]:,}" for name in ("records", "versions", "passes", "requests")),
            f"{sum(item['injected'].values()):,}",
            *(str(item[name]) for name in WRONG),
        )
        for item in results
    ]
    return table(head, rows)


def fault_table(results: Sequence[Facts]) -> str:
    """Return one line per group of faults: how often each class has struck in all recorded soaks together."""
    rows = []
    for group, names in ALL_GROUPS.items():
        counts = {name: sum(item["injected"].get(name, 0) for item in results) for name in names}
        listed = ", ".join(f"{name} {number:,}" for name, number in counts.items())
        rows.append((group, f"{sum(counts.values()):,}", listed))
    return table(("where", "struck", "classes, and how often each has struck"), rows)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def put(text: str, name: str, block: str) -> str:
    """Return the document with another block between the markers of this name.

    :raises ValueError: when the document has no such markers.
    """
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    pattern = re.compile(f"{re.escape(begin)}\n.*?{re.escape(end)}", re.DOTALL)
    if not pattern.search(text):
        message = f"There is no {begin} … {end} in the document."
        raise ValueError(message)
    return pattern.sub(lambda _: f"{begin}\n{block}\n{end}", text)


def write_document() -> None:
    """Write the tables of the recorded soaks anew."""
    results = read_results()
    text = put(DOCUMENT.read_text(), "soaks", soak_table(results))
    DOCUMENT.write_text(put(text, "faults", fault_table(results)))
