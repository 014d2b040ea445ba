"""Parts of pages, without a server: what is shown of hostile texts, and what a spreadsheet gets."""

from __future__ import annotations

from datetime import date

import pytest

from entra_lake.athena import Answer
from entra_lake.errors import ConfigurationError
from entra_lake.sql import literal
from entra_lake.web.charts import OUTCOME_COLOURS, bars_over_time, ranking
from entra_lake.web.lake_reader import Asked
from entra_lake.web.panels import Panel, Shown, newest_days
from entra_lake.web.people_page import kind_of
from entra_lake.web.periods import Period
from entra_lake.web.spreadsheet import safe_cell
from entra_lake.web.templating import cell, ticks, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("Müller 👩\u200d🚀", "Müller 👩\u200d🚀"),
        ("invoice\u202excod.exe", "invoice⟨U+202E⟩xcod.exe"),
        ("a\x00b\x1b[31m", "a⟨U+0000⟩b⟨U+001B⟩[31m"),
        ("zero\u200bwidth", "zero⟨U+200B⟩width"),
    ],
)
def test_hidden_characters_are_shown(text: str, shown: str) -> None:
    """What turns, hides or erases its neighbours stands there as its code point; everything else as it is."""
    assert visible(text) == shown


@pytest.mark.parametrize("cell", ["=1+1", "+1", "@SUM(A1)", "-cmd|' /C calc'!A0", "\t=1", " =1", "＝1"])
def test_no_cell_is_a_formula(cell: str) -> None:
    """A cell that a spreadsheet would run begins with an apostrophe."""
    assert safe_cell(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["12", "-3.5", "plain", "a=b", ""])
def test_plain_cells_stay(cell: str) -> None:
    """Numbers, negative ones too, and texts are exported as they are."""
    assert safe_cell(cell) == cell


def test_a_chart_escapes_its_texts() -> None:
    """A name that is HTML is text in the drawing."""
    drawn = ranking([{"name": "<img src=x onerror=alert(1)>", "count": 3}], title="</svg><script>alert(1)</script>")
    assert "<img" not in drawn
    assert "<script" not in drawn


def test_a_chart_has_a_name_for_those_who_hear_the_page() -> None:
    """What a drawing shows is said in words, for wide pages and for phones."""
    days = ["2026-11-01", "2026-11-02", "2026-11-03"]
    rows = [{"day": days[0], "series": "success", "count": 3, "rank": 0}]
    drawn = bars_over_time(rows, days=days, series=("success",), colours=OUTCOME_COLOURS, title='Sign-ins "a day"')
    assert drawn.count('role="img" aria-label="Sign-ins &#34;a day&#34;"') == 2
    assert "Nov 02" in drawn, "a day without sign-ins is a gap of the axis, not left out"


@pytest.mark.parametrize(
    ("counts", "first"),
    [
        ({"2026-11-05": 100}, 5),
        ({"2026-11-05": 60, "2026-11-03": 39, "2026-11-02": 1, "2026-11-01": 7}, 2),
        ({"2026-11-05": 60}, 1),
        ({}, 1),
    ],
)
def test_a_timeline_asks_for_the_days_that_fill_it(counts: dict[str, int], first: int) -> None:
    """A hundred rows are shown: the newest days that hold as many are asked for, and all where there are fewer."""
    rows = tuple({"day": day, "outcome": "success", "sign_ins": str(number)} for day, number in counts.items())
    answer = Answer(query_id="q", columns=("day", "outcome", "sign_ins"), rows=rows, bytes_scanned=0)
    panel = Panel(name="sign_ins_by_day", title="A day", is_over_time=True)
    shown = Shown(panel=panel, asked=Asked("SELECT", answer))
    period = Period(date(2026, 11, 1), date(2026, 11, 5))
    assert newest_days([shown], 100, period) == date(2026, 11, first)
    assert newest_days([Shown(panel=panel, trouble="Athena is away.")], 100, period) == period.first


def test_names_that_are_cut_alike_stay_two_bars() -> None:
    """Long names share their beginning at times; each keeps its own number."""
    rows = [{"name": f"service-account-of-the-warehouse-{number}", "count": 40 + number} for number in (1, 2)]
    drawn = ranking(rows, title="Users")
    assert ">41<" in drawn
    assert ">42<" in drawn


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("2026-11-24 19:13:59.392", "2026-11-24 19:13:59"),
        ("2026-11-24", "2026-11-24"),
        ("true", "yes"),
        (None, "–"),
        ("2026-11-24 <b>", "2026-11-24 <b>"),
    ],
)
def test_a_cell_reads_like_a_sentence(value: str | None, shown: str) -> None:
    """Milliseconds are left out, truth is yes or no; whatever else a log holds stays as it is."""
    assert cell(value) == shown


def test_text_between_backticks_is_code_and_nothing_else() -> None:
    """Only the ticks are markup: what stands between them is escaped."""
    assert ticks("a `<b>` \u202e<i>") == "a <code>&lt;b&gt;</code> ⟨U+202E⟩&lt;i&gt;"


@pytest.mark.parametrize(
    ("text", "page"),
    [
        ("anna@example.com", "user"),
        ("203.0.113.7", "address"),
        ("2001:db8::1", "address"),
        ("313ece2d-9119-4623-b0d4-2a86df397f12", "event"),
        ("Exchange Online", ""),
        ("' OR 1=1 --", ""),
    ],
)
def test_the_search_box_knows_what_it_is_given(text: str, page: str) -> None:
    """A name with @ is a user, an address an address, a GUID an event; the rest is looked for in names."""
    assert kind_of(text)[0] == page


@pytest.mark.parametrize("text", ["O'Brien", "back\\slash", "x\u202ey", "'; DROP TABLE t; --", "%_"])
def test_a_literal_is_one_literal(text: str) -> None:
    """Whatever is typed stands between its quotes, each quote of it doubled."""
    assert literal(text) == "'" + text.replace("'", "''") + "'"


@pytest.mark.parametrize("text", ["a\nb", "a\x00", "a\u2028b", "x" * 501])
def test_control_characters_are_refused(text: str) -> None:
    """A line break could end a comment's line inside the statement: it is refused, as is what no field holds."""
    with pytest.raises(ConfigurationError, match="cannot be searched for"):
        literal(text)
