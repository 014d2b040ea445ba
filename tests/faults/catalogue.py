"""The faults that the lake must survive, and the known defects of other collectors, each by its number.

A test says which of them it stands for: `@pytest.mark.fault(2, 3)`, `@pytest.mark.defect("D4")`, on the function or on
one of its cases. `test_catalogue.py` keeps both sides in step; `python tests/faults/catalogue.py` prints the table.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

TESTS = Path(__file__).parents[1]


@dataclass(frozen=True)
class Fault:
    """Something that happens, and what must come of it.

    :param outcome: zero lost and zero doubled, or a clear stop; in a few words.
    :param left_out: why no test can stand for it, or for which part of it; empty when it is tested whole.
    """

    name: str
    outcome: str
    left_out: str = ""


#: The faults of this project's reliability list, by their numbers there.
FAULTS: Mapping[int, Fault] = {
    # transport to Graph
    1: Fault("connection refused, unknown host", "tried again with growing pauses, then an error with its cause"),
    2: Fault("reset in the middle of a body", "the page is asked for again; nothing of a part is taken"),
    3: Fault("body cut off, announced or not", "noticed by length, gzip or JSON; asked for again"),
    4: Fault("silent or dripping server", "given up after the read timeout, or after its double for the whole body"),
    5: Fault(
        "TLS fails: stranger's, expired, for another host", "an error at once; there is no way to turn checks off"
    ),
    6: Fault("damaged gzip", "asked for again"),
    7: Fault("a proxy answers 200 with HTML", "refused as no page; asked for again"),
    # protocol of Graph
    8: Fault("429 with seconds, fraction, date, nothing, nonsense, a day", "kept by everybody who shares the budget"),
    9: Fault("429 for ever", "ends as throttled; finished slices stay finished"),
    10: Fault("500, 502, 503, 504", "tried again"),
    11: Fault("401 while paging: expired, revoked, claims challenge", "one new token, and the same page"),
    12: Fault("skiptoken invalid or null, 410", "the slice is listed again; union by id"),
    13: Fault("403: licence, role, consent", "ends with the remedy"),
    14: Fault("400: older than retention", "refused before it is asked; what the lake holds stays; the day is lost"),
    15: Fault(
        "a listing that is silently short", "removes nothing, is noticed, and the next reading completes the day"
    ),
    16: Fault("a row twice, within and between pages", "stands once"),
    17: Fault("rows in no order", "nothing depends on their order"),
    18: Fault("next links that loop or repeat", "the listing is broken off, never taken as complete"),
    19: Fault("next link to another place", "refused before a request; the token stays"),
    20: Fault("empty page with a next link; page size ignored", "the listing goes on"),
    21: Fault("`value` missing, null, an error in 200", "asked for again, then an error"),
    22: Fault("first and last instant of a day, 7 digits, equal times", "each record in its day, once"),
    23: Fault("records appear while a listing is paged", "had by this pass or the next"),
    24: Fault("redirect to another place", "not followed"),
    # data
    25: Fault("records come 5 minutes to 25 days late", "had by the next reading"),
    26: Fault("contents change after 1 hour, 48 hours, 20 days", "a new version; the history keeps all"),
    27: Fault("one id, two contents in one listing", "both are kept; the view shows one"),
    28: Fault("a record's time crosses midnight", "each day keeps what it was shown, once per id; reported as moved"),
    29: Fault("unknown members, values, nesting", "kept, reported as drift, no failure"),
    30: Fault("types change; nulls everywhere", "kept, reported as drift, no failure"),
    31: Fault("huge records, lone surrogates, NUL, huge numbers, NaN", "kept as received, or named as not to be had"),
    32: Fault("a day on which nothing happened", "acknowledged with 0 rows, not missing"),
    33: Fault("a hundred times the volume", "built in bounded memory"),
    34: Fault("retention of 7 days, or one that shrinks", "fewer, earlier readings; no day that was read is lost"),
    35: Fault("days are empty at first after a change of licence", "stays open, is read again, fills up"),
    # process
    36: Fault("SIGKILL before and after every write", "the next run completes the day; readers see old or new"),
    37: Fault("SIGTERM; stopped for ten minutes and continued", "the stale writer loses the conditional PUT"),
    38: Fault("several runs of one day at once", "all end; the union survives"),
    39: Fault("out of memory", "nothing is committed; the next run completes the day; somebody is told"),
    40: Fault("disk full", "an error that names the disk; nothing partial is written"),
    41: Fault("the retry runs on another machine", "goes on from S3"),
    42: Fault("records in XCom", "keys and counts only"),
    # bucket
    43: Fault("S3 500, 503; a reply lost behind the write", "written once; the writer knows that it was it"),
    44: Fault("multipart upload abandoned", "there are none: each object is one PUT"),
    45: Fault("what is read is not what was written", "noticed by SHA-256; read again, then an error"),
    46: Fault(
        "access denied, key disabled, bucket missing or elsewhere, clock skewed", "the remedy; nothing committed"
    ),
    47: Fault("412, 409", "built again from raw and tried again"),
    48: Fault("somebody deletes or edits an object", "the audit names it; rebuild restores it from raw"),
    # queries
    49: Fault("query failed, cancelled, throttled, stuck", "stopped and tried again later; the data is safe already"),
    50: Fault("partition there, missing, elsewhere", "repaired, or a clear stop before the manifest"),
    51: Fault("two repairs at once", "both succeed"),
    52: Fault("Athena counts other rows", "no manifest; a mail"),
    # Airflow
    53: Fault("nothing runs for an hour, 9 days, 31 days", "what is owed is paid; the exact list of lost days"),
    54: Fault("Airflow's database is gone", "nothing is lost or downloaded again"),
    55: Fault("catchup, paused, renamed DAGs", "what is due does not depend on runs"),
    56: Fault("the end of a task is not recorded", "running it again changes nothing"),
    57: Fault("mail server down, refusing, slow", "the task's outcome is the same; nobody counts as told"),
    # clock
    58: Fault(
        "the worker's clock is wrong, or jumps back",
        "beyond five minutes nothing is read; below, what S3 holds orders passes; the check names the skew",
    ),
    59: Fault("summer time, leap day, year's end, time zone", "UTC dates only"),
    60: Fault("a run three seconds after midnight", "is not due yet; what it misses comes with the next reading"),
    # configuration
    61: Fault("wrong tenant, secret, bucket; expired secret", "refused within seconds; nothing is mixed"),
    62: Fault("objects of an earlier version; code older than the lake", "read as they are; newer tables are refused"),
}

#: Defects with which other collectors lose records: what the library would do wrong.
DEFECTS: Mapping[str, Fault] = {
    "D1": Fault("`gt` the start of a day", "events of exactly 00:00:00Z are in no window"),
    "D2": Fault("an exception is printed and swallowed", "the run succeeds, and no alarm can fire"),
    "D3": Fault("all pages held, one call deep each; one token", "long listings end by exhaustion"),
    "D4": Fault("an empty page ends the listing", "what its next link leads to is lost"),
    "D5": Fault("the newest event's time is the checkpoint", "later arrivals below it are never asked for"),
    "D5b": Fault("`gt` the newest event's time", "records of the same second that come later are lost"),
    "D6": Fault("each window is read once, at once", "what comes some minutes late is never seen"),
    "D7": Fault("streams share one checkpoint", "progress of one skips the other"),
    "D8": Fault("the first page is written over the others", "all later pages are lost"),
    "D9": Fault("windows end at 23:59:59.999999, `lt`", "the last instant of each day is lost"),
    "D10": Fault("after some failures a window is written as nothing", "an outage looks like a quiet day"),
    "D11": Fault("a long Retry-After ends the retries; pages in XCom", "a throttled day fails for good"),
    "D12": Fault("every sync begins from nothing", "nothing is known, all is written again"),
    "D13": Fault("429 skips the window; large answers are dropped", "throttled slices are lost"),
    "D14": Fault("an error's body is an empty page", "the checkpoint moves over what was not had"),
    "D15": Fault("retries change the address; next links are not followed", "only first pages, of first tries"),
    "D16": Fault("the pause that was asked for is not kept", "throttled for ever"),
}


def marked_tests(marker: str) -> dict[int | str, list[str]]:
    """Return each number or name that tests are marked with, and the ids of these tests.

    :param marker: `fault` or `defect`.
    """
    found: dict[int | str, list[str]] = defaultdict(list)
    for path in sorted(TESTS.rglob("test_*.py")):
        source = path.read_text()
        if f"mark.{marker}(" in source:
            for name, test in _marked(ast.parse(source), marker):
                found[name].append(f"{path.relative_to(TESTS.parent).as_posix()}::{test}")
    return dict(found)


def _marked(module: ast.Module, marker: str) -> Iterator[tuple[int | str, str]]:
    """Return what each test of a module is marked with, itself or through a list of cases that its decorators name."""
    cases = {
        target.id: list(_numbers(node, marker))
        for node in module.body
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    for node in module.body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            names = [item.id for deco in node.decorator_list for item in ast.walk(deco) if isinstance(item, ast.Name)]
            own = [number for deco in node.decorator_list for number in _numbers(deco, marker)]
            shared = [number for name in ("pytestmark", *names) for number in cases.get(name, ())]
            yield from ((number, node.name) for number in dict.fromkeys([*own, *shared]))


def _numbers(node: ast.AST, marker: str) -> Iterator[int | str]:
    """Return the arguments of all `pytest.mark.<marker>(…)` within a piece of code."""
    for call in ast.walk(node):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == marker:
            yield from (item.value for item in call.args if isinstance(item, ast.Constant))


def table() -> str:
    """Return the catalogue as text: number, name, outcome, tests."""
    lines = []
    for marker, items in (("fault", FAULTS), ("defect", DEFECTS)):
        tests = marked_tests(marker)
        for number, item in items.items():
            lines += [
                f"{number:>4}  {item.name}: {item.outcome}",
                *(f"        {test}" for test in tests.get(number, ())),
            ]
            lines += [f"        left out: {item.left_out}"] if item.left_out else []
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
