"""Versions of a record, numbered in the order they were observed."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from entra_lake.identity import canonical
from entra_lake.resolve import quick_contents
from entra_lake.versions import Observation, number_versions

PASSES = [f"202611{day}T060000Z-{number:08x}" for number, day in enumerate((23, 24, 26, 30))]

observations = st.sets(st.builds(Observation, st.sampled_from(PASSES), st.sampled_from("ABCab")), min_size=1)


def content(sha256: str) -> str:
    """Upper and lower case are other bytes of one content."""
    return sha256.upper()


def test_content_observed_last_is_latest() -> None:
    """After A, B, A the first content is the latest again, and keeps its number."""
    seen = [Observation(PASSES[0], "A"), Observation(PASSES[1], "B"), Observation(PASSES[2], "A")]
    versions = number_versions(reversed(seen), content)
    assert [(v.sha256, v.number, v.is_latest) for v in versions] == [("A", 1, True), ("B", 2, False)]
    assert versions[0].last_seen_at > versions[1].last_seen_at > versions[0].first_seen_at


def test_other_bytes_of_one_content_are_one_version() -> None:
    """Bytes that differ while the parsed values are equal make no new version."""
    versions = number_versions([Observation(PASSES[0], "a"), Observation(PASSES[1], "A")], content)
    assert [(v.sha256, v.number, v.is_latest) for v in versions] == [("a", 1, True)]


@settings(deadline=None)
@given(observations)
def test_one_version_per_content_and_one_latest(seen: set[Observation]) -> None:
    """Whatever was observed: numbers run from 1, each content has one, and exactly one is the latest."""
    versions = number_versions(seen, content)
    assert [version.number for version in versions] == list(range(1, len({content(s.sha256) for s in seen}) + 1))
    assert sum(version.is_latest for version in versions) == 1


@settings(deadline=None)
@given(observations, observations)
def test_more_observations_never_remove_a_version(seen: set[Observation], more: set[Observation]) -> None:
    """A later pass may add contents; it removes none."""
    before = {content(version.sha256) for version in number_versions(seen, content)}
    assert before <= {content(version.sha256) for version in number_versions(seen | more, content)}


def test_a_changed_content_is_the_latest() -> None:
    """After A and B the view shows B, whichever hash is the smaller."""
    for first, second in ("AB", "BA"):
        versions = number_versions([Observation(PASSES[0], first), Observation(PASSES[1], second)], content)
        assert [(v.sha256, v.is_latest) for v in versions] == [(first, False), (second, True)]


#: Ways to write values, some of them equal.
SAME = ("1", "1.0", "10e-1", "1E0", "0", "-0", "-0.0", "0.0", "1e400", "18446744073709551616", "18446744073709551617",
        "12345678901234567", "12345678901234568", "0.1", "0.10", "0.1000000000000000055", "true", "null", '"a"',
        '"\\u0061"', '"\\ud800"', '"\x01"', '"\\u0001"', '"é"', '"\\u00e9"', "[1,2]", "[ 1, 2 ]", '{"a":1,"b":2}',
        '{"b":2,"a":1}', '{"b":2,"a":0,"a":1}', '"-0,"', '":1e5"')  # fmt: skip


@settings(deadline=None)
@given(st.lists(st.lists(st.sampled_from(SAME), min_size=1, max_size=3), min_size=2, max_size=4))
def test_quick_contents_know_no_other_equality(records: list[list[str]]) -> None:
    """The quick way calls the same records equal as the thorough one, or says that it does not know."""
    lines = [
        ("{" + ",".join(f'"{name}":{value}' for name, value in zip("xyz", record, strict=False)) + "}").encode()
        for record in records
    ]
    quick = quick_contents(lines)
    if quick is not None:
        thorough = [canonical(line) for line in lines]
        assert [[a == b for a in quick] for b in quick] == [[a == b for a in thorough] for b in thorough]


def test_ordinary_records_are_compared_the_quick_way() -> None:
    """GUIDs, times and coordinates are no numbers that need a closer look."""
    line = b'{"id":"494f506c-0000-4e88-a8b7-0b62778a9a00","t":"2026-11-18T05:31:00Z","c":0,"x":[-1.25,47.603,1]}'
    assert quick_contents([line, line + b" "]) is not None
