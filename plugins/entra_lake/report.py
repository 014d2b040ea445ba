"""What became of days, as tables for people at a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from entra_lake.collect import Outcome
from entra_lake.manifest import Manifest

HEADER = (
    "stream",
    "day",
    "pages",
    "records",
    "versions",
    "received",
    "Parquet object",
    "partition",
    "Athena",
    "verified",
)


def outcome_table(outcomes: Iterable[Outcome]) -> str:
    """Return one line per stream and day: what came, what is in the lake, and whether it is verified."""
    return text_table(HEADER, [_cells(outcome) for outcome in outcomes])


def manifest_cells(manifest: Manifest) -> tuple[str, ...]:
    """Return the cells of `HEADER` for an acknowledged day; pages and bytes are those of its last pass."""
    last = manifest.passes[-1] if manifest.passes else {}
    facts = manifest.object
    return (
        manifest.stream,
        manifest.day,
        f"{int(last.get('pages', 0)):,}",
        f"{int(facts['ids']):,}",
        f"{int(facts['rows']):,}",
        size_text(int(last.get("bytes_received", 0))),
        f"{str(facts['key']).rpartition('/')[2]} ({size_text(int(facts['size']))})",
        f"dt={manifest.day}",
        f"{int(manifest.athena['rows']):,} rows, {int(manifest.athena['ids']):,} ids",
        "yes",
    )


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table of aligned columns; numbers stand on the right."""
    widths = [max(len(cell) for cell in column) for column in zip(header, *rows, strict=True)]
    lines = [header, ["-" * width for width in widths], *rows]
    return "\n".join(
        "  ".join(_align(cell, width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def size_text(size: int) -> str:
    """Return a number of bytes as people write it: `1.4 MB`."""
    value = float(size)
    for unit in ("B", "kB", "MB"):
        if value < 1000:  # noqa: PLR2004 - SI prefixes
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


def _cells(outcome: Outcome) -> tuple[str, ...]:
    if outcome.manifest:
        return manifest_cells(outcome.manifest)
    return (outcome.stream.name, str(outcome.day), *[""] * 7, f"no: {getattr(outcome.error, 'code', '')}")


def _align(cell: str, width: int) -> str:
    return cell.rjust(width) if cell.replace(",", "").replace(".", "").isdigit() else cell.ljust(width)
