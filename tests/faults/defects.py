"""The defects with which other collectors lose records, each as a change of our own code, and a story that shows them.

`DEFECTS` of the catalogue says what they are; peers are named there by number only. A defect is put in for one test by
replacing one function of the library. The story is the same for all: a day of two streams with every trap in it, read
at night and, where that is due, again the next day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from ground import AUDITS, SIGN_INS
from plain_ground import PlainGround

from entra_lake import asking, checkpoints, day_state, extract, graph, lake_facts, layout
from entra_lake.clock import Clock
from entra_lake.collect import collect_day
from entra_lake.crew import Crew
from entra_lake.due import due
from entra_lake.errors import FatalError, GraphUnavailableError, RetryableError, ThrottledError
from entra_lake.gate import Gate
from entra_lake.graph import GraphClient
from entra_lake.holdings import read_facts, read_manifests
from entra_lake.known import Known
from entra_lake.lake import Lake
from entra_lake.listing import Memory
from entra_lake.pages import Page
from entra_lake.passes import PassReport, SliceReport
from entra_lake.patience import Patience
from entra_lake.raw import RawWriter, count_records, list_parts
from entra_lake.schema import Stream
from entra_lake.slices import Slice, filter_text, iso
from sandbox import ticks
from simulation import DAY, true_contents
from soak.contents import read_held

#: Rows on a page of the story's tenant: a day of it has several pages.
ROWS = 30
#: Tries of one reading before nobody believes in it any more.
_TRIES = 9
_LONG_PAUSE = 180.0
#: Pages that may be held in a chain of calls: Python allows a thousand, for pages of 1,000 rows.
_MOST_CALLS = 3

TROUBLE: tuple[dict[str, Any], ...] = (
    {"kind": "page_size", "rows": ROWS, "times": "always"},
    {"kind": "empty_page", "page": 2, "stream": "sign_ins"},
    {"kind": "status", "status": 429, "retry_after": 7, "stream": "sign_ins", "page": 3},
    {"kind": "skiptoken_invalid", "stream": "sign_ins", "page": 4},
    {"kind": "status", "status": 503, "times": 7, "stream": "sign_ins", "after": 7},
    {"kind": "status", "status": 429, "retry_after": 3600, "stream": "directory_audits"},
)


@dataclass
class Harm:
    """What has come of the story without anybody being told; nothing where the library is right.

    :param lost: ids that a reading had to bring, and which the lake does not show, though the run was a success.
    :param doubled: rows too many.
    :param hasty: requests that were sent before the pause was over that Graph had asked for.
    :param rewritten: records in raw/ that were there already.
    :param stuck: readings that never succeed, however often they run again.
    """

    lost: set[str] = field(default_factory=set)
    doubled: int = 0
    hasty: int = 0
    rewritten: int = 0
    stuck: list[str] = field(default_factory=list)

    def kinds(self) -> set[str]:
        """Return what kinds of harm there are."""
        return {name for name, value in vars(self).items() if value}


def tell(ground: PlainGround) -> Harm:
    """Play the story."""
    harm = Harm()
    ground.show("first instant", "00:00:00Z")
    ground.show("last instant", "23:59:59.9999999Z")
    ground.fault(*TROUBLE)
    for stream in (SIGN_INS, AUDITS):
        _read(ground, stream, harm)
    _hurry(ground, harm)
    ground.fault(TROUBLE[0])
    ground.show("sibling", "23:59:59Z")
    ground.show("late", "12:00:00Z")
    ground.wait(timedelta(days=1).total_seconds())
    lake = ground.open()
    owed = due(lake.clock.now(), read_manifests(lake, [DAY]), read_facts(lake))
    for stream in (SIGN_INS, AUDITS):
        if any((item.stream, item.day) == (stream.name, DAY) for item in owed):
            _read(ground, stream, harm)
        _compare(ground, stream, harm)
    return harm


def _read(ground: PlainGround, stream: Stream, harm: Harm) -> None:
    """Read the day, again and again as Airflow does, until the run is a success; and look at what it brought."""
    for _ in range(_TRIES):
        try:
            outcome = collect_day(ground.open(), stream, DAY, "run")
        except RetryableError as error:
            ground.wait(getattr(error, "retry_after", 60.0))
        except (FatalError, RecursionError) as error:
            harm.stuck.append(f"{stream.name}: {error}")
            return
        else:
            if outcome.error is None:
                _compare(ground, stream, harm)
            return
    harm.stuck.append(stream.name)


def _compare(ground: PlainGround, stream: Stream, harm: Harm) -> None:
    held, truth = read_held(ground.open(), stream, DAY), true_contents(ground.cloud, stream, DAY)
    view = held.view if held else {}
    harm.lost |= {name for name, content in truth.items() if view.get(name) != content}
    harm.doubled += held.doubled if held else 0
    raw = count_records(list_parts(ground.open().store, stream, DAY))
    harm.rewritten = max(harm.rewritten, raw - (held.rows if held else 0))


def _hurry(ground: PlainGround, harm: Harm) -> None:
    """Count the requests that came within seven seconds of a refusal for haste."""
    asked = [(ticks.to_datetime(ticks.parse(item["time"])), item) for item in ground.cloud.tenant.graph.requests]
    refused = [moment for moment, item in asked if item["status"] == 429]
    harm.hasty = sum(_is_within(moment, begin) for begin in refused for moment, _ in asked)


def _is_within(moment: datetime, begin: datetime) -> bool:
    return begin < moment < begin + timedelta(seconds=6)


# --- the defects ---------------------------------------------------------------------------------

Pages = Iterator[Page]
_list_pages = GraphClient.list_pages
_list_day = extract._list_day


def _listing(change: Callable[[Pages], Pages]) -> Callable[[pytest.MonkeyPatch], None]:
    """Replace how a slice's pages are listed."""

    def put_in(patch: pytest.MonkeyPatch) -> None:
        def list_pages(self: GraphClient, stream: Stream, window: Slice) -> Pages:
            return change(_list_pages(self, stream, window))

        patch.setattr(GraphClient, "list_pages", list_pages)

    return put_in


def _filter(change: Callable[[str, Slice], str]) -> Callable[[pytest.MonkeyPatch], None]:
    """Replace the question for a slice."""

    def put_in(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(graph, "filter_text", lambda stream, window: change(filter_text(stream, window), window))

    return put_in


def _swallow(pages: Pages) -> Pages:
    try:
        yield from pages
    except Exception as error:  # noqa: BLE001 - the defect
        print(error)


def _call_by_call(pages: Pages, calls: int = 1) -> Pages:
    if calls > _MOST_CALLS:
        raise RecursionError
    for page in pages:
        yield page
        yield from _call_by_call(pages, calls + 1)


def _until_empty(pages: Pages) -> Pages:
    for page in pages:
        if not page.records:
            return
        yield page


def _first_only(pages: Pages) -> Pages:
    yield next(pages)


def _until_throttled(pages: Pages) -> Pages:
    try:
        yield from pages
    except ThrottledError:
        return


def _from_the_newest(patch: pytest.MonkeyPatch) -> None:
    """Ask from the newest event's time on, whatever came late below it."""

    def list_day(lake: Lake, stream: Stream, day: date, run_id: str, window: Slice, *rest: Any) -> PassReport:
        parts = list_parts(lake.store, stream, day)
        newest = max((part.last for part in parts), default=None)
        if newest is not None:
            window = Slice(window.start + timedelta(seconds=newest // 1000), window.end)
        return _list_day(lake, stream, day, run_id, window, *rest)

    patch.setattr(extract, "_list_day", list_day)


def _behind_the_newest(patch: pytest.MonkeyPatch) -> None:
    _from_the_newest(patch)
    _filter(lambda text, window: text.replace(" ge ", " gt ") if window.start.hour else text)(patch)


def _read_once(patch: pytest.MonkeyPatch) -> None:
    for module in (day_state, lake_facts):
        patch.setattr(module, "planned_ages", lambda *_: (1,))


def _one_checkpoint(patch: pytest.MonkeyPatch) -> None:
    for module in (layout, checkpoints):
        patch.setattr(module, "checkpoint_prefix", lambda _, day: f"checkpoints/all/dt={day}/")


def _first_page_over_all(patch: pytest.MonkeyPatch) -> None:
    flush = RawWriter.flush

    def write(self: RawWriter) -> None:
        self._lines, self._times = self._lines[:ROWS], self._times[:ROWS]
        flush(self)

    patch.setattr(RawWriter, "flush", write)


def _written_as_nothing(patch: pytest.MonkeyPatch) -> None:
    def heal(self: Crew, window: Slice, _: Exception) -> None:
        self._finish(window, SliceReport(start=window.start.isoformat(), end=window.end.isoformat()))

    patch.setattr(Crew, "_heal", heal)


def _long_pause_is_the_end(patch: pytest.MonkeyPatch) -> None:
    pause = Patience.pause

    def end(self: Patience, error: ThrottledError, gate: Gate, sent_at: float) -> None:
        if error.retry_after >= _LONG_PAUSE:
            raise FatalError(error.message)
        pause(self, error, gate, sent_at)

    patch.setattr(Patience, "pause", end)


def _nothing_known(patch: pytest.MonkeyPatch) -> None:
    recall = extract.recall

    def forget(*arguments: Any) -> Any:
        context = recall(*arguments)
        context.gen.close()
        return _Memory(Memory(Known.nothing(), None))

    patch.setattr(extract, "recall", forget)


@dataclass
class _Memory:
    memory: Memory

    def __enter__(self) -> Memory:
        return self.memory

    def __exit__(self, *_: object) -> None: ...


def _throttled_is_skipped(patch: pytest.MonkeyPatch) -> None:
    def give_up(self: Patience, error: ThrottledError, *_: Any) -> None:
        raise error

    patch.setattr(Patience, "pause", give_up)
    _listing(_until_throttled)(patch)


def _error_is_empty(patch: pytest.MonkeyPatch) -> None:
    ask = asking.Asker.ask

    def take(self: asking.Asker, question: Any, read: Any) -> Any:
        try:
            return ask(self, question, read)
        except GraphUnavailableError:
            return ((), None), _Nothing()

    patch.setattr(asking.Asker, "ask", take)


@dataclass(frozen=True)
class _Nothing:
    request_id: str = ""
    client_request_id: str = ""
    body: bytes = b""
    served_at: datetime | None = None


def _one_second(patch: pytest.MonkeyPatch) -> None:
    def pause(self: Patience, error: ThrottledError, *_: Any) -> None:
        clock: Clock = self._clock
        clock.sleep(1)
        self.spend(error)

    patch.setattr(Patience, "pause", pause)


def _short_of_the_last_microsecond(text: str, window: Slice) -> str:
    end = f"{iso(window.end - timedelta(seconds=1))[:-1]}.999999Z"
    return text.replace(f"lt {iso(window.end)}", f"lt {end}")


@dataclass(frozen=True)
class PutIn:
    """A defect of the catalogue as a change of our code.

    :param change: replaces functions until the test is over.
    :param shows: the kind of harm that it must do.
    :param loses: records that must be among the lost.
    """

    change: Callable[[pytest.MonkeyPatch], None]
    shows: str = "lost"
    loses: frozenset[str] = frozenset()


PUT_IN: Mapping[str, PutIn] = {
    "D1": PutIn(_filter(lambda text, _: text.replace(" ge ", " gt ")), loses=frozenset({"first instant"})),
    "D2": PutIn(_listing(_swallow)),
    "D3": PutIn(_listing(_call_by_call), shows="stuck"),
    "D4": PutIn(_listing(_until_empty)),
    "D5": PutIn(_from_the_newest, loses=frozenset({"late"})),
    "D5b": PutIn(_behind_the_newest, loses=frozenset({"sibling"})),
    "D6": PutIn(_read_once, loses=frozenset({"late", "sibling"})),
    "D7": PutIn(_one_checkpoint),
    "D8": PutIn(_first_page_over_all),
    "D9": PutIn(_filter(_short_of_the_last_microsecond), loses=frozenset({"last instant"})),
    "D10": PutIn(_written_as_nothing),
    "D11": PutIn(_long_pause_is_the_end, shows="stuck"),
    "D12": PutIn(_nothing_known, shows="rewritten"),
    "D13": PutIn(_throttled_is_skipped),
    "D14": PutIn(_error_is_empty),
    "D15": PutIn(_listing(_first_only)),
    "D16": PutIn(_one_second, shows="hasty"),
}
