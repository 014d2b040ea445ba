"""Filters are read and meant as Graph reads and means them."""

from __future__ import annotations

import json

import pytest

from entra_lake.streams import STREAMS
from sandbox import ticks
from sandbox.tenant.conditions import Candidate, bounds, check, matches, without
from sandbox.tenant.filters import FilterError, parse
from sandbox.tenant.versions import Seen

SIGN_INS = STREAMS["sign_ins"]
RECORD = {
    "id": "1",
    "createdDateTime": "2026-11-22T10:00:00Z",
    "userPrincipalName": "lucia@o'neill.example",
    "status": {"errorCode": 50126, "failureReason": None},
    "location": "Freiburg",
    "targetResources": [{"id": "a"}, {"id": "b", "displayName": "Shop"}, 5],
}


def is_met(text: str) -> bool:
    row = Seen(ticks.parse("2026-11-22T10:00:00Z"), "1", json.dumps(RECORD).encode())
    return matches(parse(text), Candidate(row, "createdDateTime").value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("createdDateTime ge 2026-11-22T10:00:00Z", True),
        ("createdDateTime gt 2026-11-22T10:00:00Z", False),
        ("createdDateTime ge 2026-11-22", True),
        ("createdDateTime lt 2026-11-22T10:00:00.0000001Z", True),
        ("createdDateTime eq 2026-11-22T11:00:00+01:00", True),
        ("status/errorCode eq 50126", True),
        ("status/errorCode ne 0 and userPrincipalName eq 'lucia@o''neill.example'", True),
        ("status/errorCode eq '50126'", False),
        ("startswith(userPrincipalName,'lucia') and not contains(userPrincipalName, 'winter')", True),
        ("status/errorCode eq 0 or id eq '1'", True),
        ("(status/errorCode eq 0 or id eq '1') and id eq '2'", False),
        ("status/errorCode eq 0 or id eq '1' and id eq '1'", True),
        ("location/city eq 'Freiburg'", False),
        ("status/failureReason eq null", True),
        ("targetResources/any(t: t/id eq 'b' and startswith(t/displayName,'Sh'))", True),
        ("targetResources/any(t:t/id eq 'c')", False),
        ("id gt 5", False),
    ],
)
def test_filters_mean_what_odata_means(text: str, *, expected: bool) -> None:
    """And binds closer than or, quotes are doubled, absent is null, wrong types never match and never fail."""
    assert is_met(text) is expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "createdDateTime",
        "createdDateTime ge",
        "createdDateTime ge '2026-11-22T10:00:00Z'",
        "createdDateTime ge 2026-13-22T10:00:00Z",
        "createdDateTime is 2026-11-22",
        "(id eq '1'",
        "id eq '1')",
        "id eq '1' & id eq '2'",
        "nonsense eq 1",
        "isInteractive eq true",
        "frobnicate(id,'1')",
        "activityDateTime ge 2026-11-22",
    ],
)
def test_what_graph_refuses_is_refused(text: str) -> None:
    """Syntax errors, unknown and unfilterable properties and quoted times are an invalid filter clause."""
    with pytest.raises(FilterError, match=r"^Invalid filter clause"):
        check(parse(text), SIGN_INS)


def test_bounds_enclose_every_match() -> None:
    """`and` narrows the window, `or` widens it, other conditions leave it alone."""
    early, late = ticks.parse("2026-11-20"), ticks.parse("2026-11-22")
    inside = "createdDateTime ge 2026-11-20 and createdDateTime lt 2026-11-22 and id ne '1'"
    assert bounds(parse(inside), "createdDateTime") == (early, late)
    either = "createdDateTime eq 2026-11-20 or createdDateTime eq 2026-11-22"
    assert bounds(parse(either), "createdDateTime") == (early, late)
    halves = "createdDateTime ge 2026-11-20 and createdDateTime lt 2026-11-21"
    both = f"({halves}) or (createdDateTime ge 2026-11-21 and createdDateTime lt 2026-11-22)"
    assert bounds(parse(both), "createdDateTime") == (early, late)
    assert bounds(parse("createdDateTime ge 2026-11-20 or id eq '1'"), "createdDateTime") == (None, None)


def test_a_streams_own_condition_is_taken_out() -> None:
    """What makes a stream is not tested on its records: they are all of that kind."""
    extra = "signInEventTypes/any(t: t eq 'managedIdentity')"
    whole = parse(f"{extra} and createdDateTime ge 2026-11-20")
    assert without(whole, extra) == parse("createdDateTime ge 2026-11-20")
    assert without(parse(extra), extra) is None


@pytest.mark.parametrize("text", ["2026-11-23T05:00:00Z", "2026-11-23T05:00:00.1234567Z", "2026-11-23T05:00:00.12Z"])
def test_instants_keep_seven_digits(text: str) -> None:
    """Nothing is lost between text and ticks, and zeros are trimmed as Graph does."""
    assert ticks.iso(ticks.parse(text)) == text
