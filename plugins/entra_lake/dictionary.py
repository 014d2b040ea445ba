"""The data dictionary, written from streams and views: `python -m entra_lake.dictionary docs/data-dictionary.md`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from entra_lake.finding_columns import FINDING_COLUMNS, FINDINGS_COMMENT
from entra_lake.schema import EXTRA_COLUMN, LAKE_COLUMNS, Column, Stream, Type
from entra_lake.streams import STREAMS
from entra_lake.views import View, read_views

#: A type as analysts see it in Athena's SELECT.
ATHENA_TYPES: dict[Type, str] = {
    Type.STRING: "varchar",
    Type.JSON: "varchar (JSON)",
    Type.INT: "integer",
    Type.DOUBLE: "double",
    Type.BOOLEAN: "boolean",
    Type.TIMESTAMP: "timestamp(3)",
    Type.STRINGS: "array(varchar)",
}

_HEAD = """# Data dictionary

Written from `plugins/entra_lake/streams/` and `include/sql/views/` by `python -m entra_lake.dictionary`; do not edit it
by hand.

Each stream has two names in Athena: the view `<stream>` shows each record once, with the content that was observed
last; the table `<stream>_history` holds every version. Both have the same columns and are partitioned by `dt`, the UTC
date of the event (`'2026-11-22'`). Put a condition on `dt` into every query: it decides how much Athena reads.
"""

_VIEWS = """## Views for analysts

Made of the streams: what they show is stable, whatever changes beneath them. `prepare` creates those for which the lake
has the streams. They too are partitioned by `dt`: a condition on it reads only those days."""


def dictionary() -> str:
    """Return the whole document as Markdown."""
    shared = _shared((*LAKE_COLUMNS, EXTRA_COLUMN))
    partition = "| `dt` | varchar | The partition: UTC date of the event, `YYYY-MM-DD`. |"
    sections = [_section(stream) for stream in STREAMS.values()]
    head = f"{_HEAD}\n{_contents()}\n\n## Every stream\n\n{shared}\n{partition}"
    findings = f"## findings\n\n{FINDINGS_COMMENT} [Detections](findings.md) write it.\n\n{_shared(FINDING_COLUMNS)}"
    sections.append(f"{findings}\n{partition}")
    return "\n\n".join([head, *sections, _VIEWS, *map(_view, read_views())]) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the dictionary to the file named, or print it."""
    names = sys.argv[1:] if arguments is None else arguments
    if names:
        Path(names[0]).write_text(dictionary(), encoding="utf-8")
    else:
        print(dictionary(), end="")
    return 0


def _contents() -> str:
    links = [f"[{stream.name}](#{stream.name})" for stream in STREAMS.values()]
    views = [f"[{view.name}](#{view.name})" for view in read_views()]
    return (
        f"Streams: {', '.join(links)}. Columns that all of them have: [every stream](#every-stream).\n\n"
        f"[Views](#views-for-analysts): {', '.join(views)}."
    )


def _section(stream: Stream) -> str:
    facts = [
        ("Graph", f"`GET /{stream.api_version}/{stream.path}`"),
        ("Permission", f"`{stream.permission}` (application)"),
        ("Licence", stream.licence or "none: every tenant has this log"),
        ("Event time", f"`{stream.time_field}`"),
        ("Microsoft's page", f"<{stream.doc_url}>"),
    ]
    lines = [f"- {name}: {text}" for name, text in facts]
    return "\n".join([f"## {stream.name}", "", stream.description, "", *lines, "", _columns(stream)])


def _view(view: View) -> str:
    needs = (
        f"Needs {' and '.join(view.streams)}." if view.streams else f"Shows what there is of {', '.join(view.any_of)}."
    )
    head = "| Column | Type | Description |\n|---|---|---|\n"
    rows = [f"| `{column.name}` | {column.type} | {_cell(column.description)} |" for column in view.columns]
    return "\n".join([f"### {view.name}", "", f"{view.description} {needs}", "", head + "\n".join(rows)])


def _columns(stream: Stream) -> str:
    head = "| Column | Type | Path in Graph | Description |\n|---|---|---|---|\n"
    return head + "\n".join(
        f"| `{column.name}` | {ATHENA_TYPES[column.type]} | `{column.path}` | {_description(column)} |"
        for column in stream.columns
    )


def _shared(columns: Iterable[Column]) -> str:
    head = "| Column | Type | Description |\n|---|---|---|\n"
    return head + "\n".join(
        f"| `{column.name}` | {ATHENA_TYPES[column.type]} | {_cell(column.description)} |" for column in columns
    )


def _description(column: Column) -> str:
    values = f" One of: {', '.join(f'`{value}`' for value in column.values)}." if column.values else ""
    return _cell(column.description) + values


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main())
