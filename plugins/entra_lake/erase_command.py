"""What the command `erase` does; it returns its exit code."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from entra_lake.commands import open_chosen
from entra_lake.erasure import ErasedDay, erase, search
from entra_lake.redaction import without_hidden
from entra_lake.removal import versions_of
from entra_lake.report import text_table
from entra_lake.subject import Subject
from entra_lake.sweep import Swept, sweep_answers, sweep_rest

NEVER_SEEN = "No record names this person."
_MOST_LISTED = 1000


def erase_command(options: argparse.Namespace) -> int:
    """Erase a person, print what was found and done, and return 1 if anything of theirs may be left."""
    lake, subject = open_chosen(options), Subject.of(options.user)
    found = list(search(lake, subject, targets=options.targets))
    if options.dry_run:
        print("\n".join(_report(found, subject)))
        print("Nothing was changed.")
        return 1 if any(item.error for item in found) else 0
    done = list(erase(lake, found))
    swept = [sweep_answers(lake, subject), sweep_rest(lake, versions_of(lake.store), subject)]
    print("\n".join([*_report(done, subject), *_swept(swept)]))
    return _complain(done, swept)


def _report(days: list[ErasedDay], subject: Subject) -> Iterator[str]:
    if not days:
        yield NEVER_SEEN
        return
    yield text_table(("stream", "day", "records", "only named", "done"), [_cells(item) for item in days])
    yield from _mentions(days)
    others = {name for item in days if item.traces for name in item.traces.seen_as} - set(subject.names)
    if others:
        names = " ".join(sorted(map(without_hidden, others)))
        yield f"The same person was seen as: {names}. If that is nobody else, erase these names, too: --user {names}"


def _cells(item: ErasedDay) -> tuple[str, ...]:
    counts = (len(item.traces.doomed), len(item.traces.mentions)) if item.traces else ("", "")
    done = f"no: {item.error.code}" if item.error else item.done
    return item.stream.name, str(item.day), *(f"{count}" for count in counts), done


def _mentions(days: Iterable[ErasedDay]) -> Iterator[str]:
    """List the records that others caused and that name the person."""
    rows = [
        (item.stream.name, f"{datetime.fromtimestamp(mention.event_time / 1000, UTC):%Y-%m-%d %H:%M:%S}", mention.id)
        for item in days
        if item.traces
        for mention in item.traces.mentions
    ]
    if rows:
        yield "\nRecords that others caused and that name this person; --targets erases them, too:"
        yield text_table(("stream", "time", "id"), [tuple(map(without_hidden, row)) for row in rows[:_MOST_LISTED]])
        if len(rows) > _MOST_LISTED:
            yield f"and {len(rows) - _MOST_LISTED} more"


def _swept(swept: list[Swept]) -> Iterator[str]:
    answers, rest = swept
    yield (
        f"\nRemoved: {answers.removed} answers of Athena, {rest.rows} rows of findings, {rest.removed} older versions "
        "of other objects."
    )


def _complain(done: list[ErasedDay], swept: list[Swept]) -> int:
    """Say on stderr what is left, and why; return the exit code."""
    said = [f"{item.stream.name} {item.day}: {item.error}" for item in done if item.error]
    said += [
        f"{item.stream.name} {item.day}: a pass over this day is under way. Erase again when it is done."
        for item in done
        if item.is_busy
    ]
    said += [
        f"{where}: names this person. Look at it, and remove what must go." for item in swept for where in item.left
    ]
    for line in said:
        print(without_hidden(line), file=sys.stderr)
    return 1 if said else 0
