"""What the benchmark of extraction has measured, as tables, and what must hold of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.report import Table, spread

PAGES = 1_000
#: Records of a page. Graph's has 1,000; but it is requests that Graph limits, and their size takes no simulated time.
PAGE_SIZE = 4
#: Requests a second that Graph allows.
ALLOWED = 0.5
#: Requests that may be refused where Graph allows less than it says.
MOST_REFUSED = 20
#: Pages that the operator reads: each takes as long as the one before.
OPERATOR_PAGES = 250
#: A million records may take this long, in seconds; what Graph allows takes 33:20.
MOST_SECONDS = 35 * 60
#: Of the allowance at least so many per cent must be used.
SHARES = ((97, "up to 3 s", (0.5, 1.5, 3.0)), (95, "6 s", (6.0,)), (90, "10 s", (10.0,)))
#: Pages of a day beside a backfill, and how much longer it may take.
DAILY_PAGES = 60
MOST_BESIDE = 1.45
KNOWN = "Entra Lake, the day before is known"
FIRST = "Entra Lake, the first day ever"
AIRFLOW = "Airflow's `MSGraphAsyncOperator`"


@dataclass(frozen=True, kw_only=True)
class Measure:
    """What reading the day took.

    :param seconds: of simulated time.
    :param pages: that the day has.
    :param answered: requests that were answered with a page; pages that were listed twice count twice.
    """

    seconds: float
    pages: int
    answered: int
    refused: int

    @property
    def share(self) -> float:
        """Return the part of the allowed requests that was used."""
        return self.answered / (ALLOWED * self.seconds)

    @property
    def pace(self) -> float:
        """Return the seconds that a page took."""
        return self.seconds / self.pages


Found = Mapping[str, Mapping[float, Measure]]
Beside = Mapping[float, Sequence[float]]
Lower = Mapping[tuple[int, str], Measure]


def main_table(found: Found) -> Table:
    """Show every way at every latency."""
    rows = []
    for way, results in found.items():
        for latency, result in results.items():
            ended = result.answered >= result.pages > 0
            rows.append([
                way,
                f"{latency:g}",
                f"{result.pages:,}" if ended else f"{result.answered:,} of {PAGES:,}",
                _time(result.seconds) if ended else f"given up after {_time(result.seconds)}",
                _time(result.pace * PAGES) if ended else "-",
                f"{100 * result.share:.1f} %",
                f"{max(result.answered - result.pages, 0):,}" if ended else "-",
                f"{result.refused:,}",
            ])  # fmt: skip
    note = (
        "Simulated time: it moves when everybody waits, so the machine's own work takes none. The tenant counts a "
        f"sliding window, refused requests included; pages hold {PAGE_SIZE} records. Twice: pages that were listed "
        f"again because their listing was cut. Airflow's operator reads {OPERATOR_PAGES} pages, and what Airflow "
        "itself takes for each of them is left out."
    )
    head = ("way", "page latency, s", "pages", "time", f"for {PAGES:,} pages", "of the allowance", "twice", "429s")
    return Table(title="Ways to read a large day", head=head, rows=rows, note=note)


def lower_table(lower: Lower) -> Table:
    """Show what becomes of a limit that is secretly lower."""
    rows = [
        [f"{allowed} in 10 s, {kind}", f"{result.pages:,}", _time(result.seconds),
         f"{100 * result.answered / (allowed / 10 * result.seconds):.1f} %", f"{result.refused:,}"]
        for (allowed, kind), result in lower.items()
    ]  # fmt: skip
    head = ("Graph allows", "pages", "time", "of that", "429s")
    return Table(title="Entra Lake where Graph secretly allows less", head=head, rows=rows, note="Page latency 3 s.")


def beside_table(beside: Beside) -> Table:
    """Show the daily run alone and beside a backfill."""
    rows = [[f"{latency:g}", _time(alone), _time(both)] for latency, (alone, both) in beside.items()]
    head = ("page latency, s", "alone", "beside a backfill")
    note = f"A day of {DAILY_PAGES} pages as the scheduled run; the backfill reads days as large at its lower priority."
    return Table(title="The daily run beside a backfill", head=head, rows=rows, note=note)


def deferrals_table(deferrals: Sequence[float]) -> Table:
    """Show what Airflow itself takes."""
    row = [str(len(deferrals)), spread(deferrals)]
    note = (
        "Real time, on this machine: scheduler, triggerer, API server, local executor and SQLite. It grows with the "
        "pages, for all those before are pulled from XCom and pushed again."
    )
    head = ("pages", "seconds beyond Graph's own")
    return Table(title="What Airflow takes for each page of its operator", head=head, rows=[row], note=note)


def real_table(result: Measure) -> Table:
    """Show one run in real time."""
    row = ["1.5", f"{result.pages:,}", _time(result.seconds), f"{100 * result.share:.1f} %", f"{result.refused:,}"]
    head = ("page latency, s", "pages", "time", "of the allowance", "429s")
    return Table(title="Entra Lake in real time, the first day ever", head=head, rows=[row])


def own_claims(found: Found, lower: Lower) -> dict[str, bool]:
    """Say what must hold of our own."""
    ours = found[KNOWN]
    claims = {
        f"at least {least} % of the allowance at page latencies of {words}": all(
            100 * ours[latency].share >= least for latency in latencies
        )
        for least, words, latencies in SHARES
    }
    claims["no request is refused where the limit is as documented"] = not any(
        result.refused for way in (KNOWN, FIRST) for result in found[way].values()
    )
    claims["at most 20 are refused where it is secretly lower"] = all(
        item.refused <= MOST_REFUSED for item in lower.values()
    )
    claims["a million records take at most 35 minutes"] = all(
        result.pace * PAGES <= MOST_SECONDS for result in ours.values()
    )
    return claims


def operator_claims(found: Found, deferrals: Sequence[float]) -> dict[str, bool]:
    """Compare with the operator at 6 s, where Graph's ceiling alone is three times as fast as one page at a time."""
    if not deferrals:
        return {}
    pace = found[AIRFLOW][6.0].pace + min(deferrals)
    words = "three times as fast as Airflow's operator at 6 s, with the least that Airflow took for any page"
    return {words: pace >= 3 * found[KNOWN][6.0].pace}


def beside_claims(beside: Beside) -> dict[str, bool]:
    """Say that a backfill does not starve the daily run."""
    words = f"beside a backfill the daily run takes at most {MOST_BESIDE} times as long as alone"
    return {words: all(both <= MOST_BESIDE * alone for alone, both in beside.values())}


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02}"
