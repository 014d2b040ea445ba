"""Pages: every record comes out as it was received, or the page is refused."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entra_lake.errors import GraphUnavailableError
from entra_lake.pages import InvalidPage, Page, split_page

LINK = "https://graph.microsoft.com/v1.0/auditLogs/signIns?$skiptoken=abc"

texts = st.text(st.characters(exclude_categories=[]))  # lone surrogates and control characters included
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=8
)
records = st.dictionaries(texts, values, max_size=5).filter(lambda record: list(record)[:1] != ["error"])


def compact(document: Any, **style: Any) -> bytes:
    return json.dumps(document, separators=(",", ":"), **style).encode("utf-8", "surrogatepass")


def page_of(*found: bytes, link: str | None = None) -> bytes:
    head = b'"@odata.nextLink":' + json.dumps(link).encode() + b"," if link else b""
    return b'{"@odata.context":"x",' + head + b'"value":[' + b",".join(found) + b"]}"


@settings(max_examples=150, deadline=None)
@given(st.lists(records, max_size=5), st.none() | st.just(LINK))
def test_compact_records_come_out_byte_for_byte(listed: list[dict[str, Any]], link: str | None) -> None:
    """What Graph sends as a rule is cut, and nothing else."""
    bodies = [compact(record) for record in listed]
    assert split_page(page_of(*bodies, link=link)) == (tuple(bodies), link)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(records, max_size=4),
    st.sampled_from([None, 0, 2, "\t", "\r\n"]),
    st.sampled_from([(",", ":"), (", ", ": "), ("\r\n, ", " :\n")]),
    st.booleans(),
)
def test_any_style_comes_out_record_for_record(
    listed: list[dict[str, Any]],
    indent: Any,
    separators: tuple[str, str],
    ascii_only: bool,  # noqa: FBT001
) -> None:
    """White space, escapes and lone surrogates change neither the number of records nor what they say."""
    text = json.dumps(
        {"value": listed, "@odata.nextLink": LINK}, indent=indent, separators=separators, ensure_ascii=ascii_only
    )
    try:
        body = text.encode()
    except UnicodeEncodeError:  # a lone surrogate exists in JSON as an escape only
        body = json.dumps({"value": listed, "@odata.nextLink": LINK}, indent=indent, separators=separators).encode()
    found, link = split_page(body)
    assert [json.loads(record) for record in found] == listed
    assert link == LINK
    assert not any(b"\n" in record or b"\r" in record for record in found)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(st.characters(max_codepoint=0x7F, exclude_characters='"\\')), min_size=1, max_size=4))
def test_raw_control_characters_stay_except_line_breaks(found: list[str]) -> None:
    """JSON forbids raw control characters, services send them: they stay, and line breaks become escapes."""
    bodies = [b'{"a":"' + text.encode() + b'"}' for text in found]
    split, _ = split_page(page_of(*bodies))
    assert [json.loads(record, strict=False)["a"] for record in split] == found
    assert list(split) == [body.replace(b"\n", rb"\n").replace(b"\r", rb"\r") for body in bodies]


@pytest.mark.fault(2, 3)
@settings(max_examples=100, deadline=None)
@given(st.lists(records, min_size=1, max_size=3), st.data())
def test_no_part_of_a_page_is_taken_for_a_page(listed: list[dict[str, Any]], data: st.DataObject) -> None:
    """Wherever a page is cut off, it is refused: a short page would be a loss that nobody sees."""
    body = page_of(*[compact(record) for record in listed], link=LINK)
    cut = data.draw(st.integers(0, len(body) - 1))
    with pytest.raises(InvalidPage):
        split_page(body[:cut])


@pytest.mark.fault(7, 21)
@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not valid JSON"),
        (b"<html>Sign in</html>", "not valid JSON"),
        (b"[]", "not valid JSON"),
        (b'{"value":[{"a":"\xff"}]}', "not UTF-8"),
        (b'{"value":[{"a":"\xed\xa0\x80"}]}', "not UTF-8"),
        (b'{"value":[{"a":1}]} x', "not valid JSON"),
        (b'{"value":[{"a":1},]}', "not valid JSON"),
        (b'{"value":[{"a":1} {"a":2}]}', "not valid JSON"),
        (b'{"value":[{"a":NaN}]}', "NaN"),
        (b'{"value":[{"a":-Infinity}]}', "Infinity"),
        (b'{"value":[{"a":01}]}', "not valid JSON"),
        (b'{"value":[{"a":1}],}', "not valid JSON"),
        (b'{"a":1}', "no member `value`"),
        (b'{"value":null}', "not a list"),
        (b'{"value":{"a":[]}}', "not a list"),
        (b'{"value":[{"a":1},null]}', "record 1 of the page is not an object"),
        (b'{"value":[[]]}', "record 0 of the page is not an object"),
        (b'{"value":[{"a":1}],"value":[]}', "two members"),
        (b'{"value":[{"id":"Sync_1"{"error":{"code":"BadRequest","message":"null"}}}', "not valid JSON"),
        (b'{"error":{"code":"UnknownError","message":"went away"}}', "went away"),
        (b'{"value":[{"id":1}],"error":{"code":"UnknownError","message":"went away"}}', "went away"),
        (b'{"value":[{"id":1},{"error":{"code":"UnknownError","message":"went away"}}]}', "went away"),
        (b'{"value":[ {"a":1}, { "error" : {"code":"X","message":"went away"}}]}', "went away"),
        (b'{"value":[],"@odata.nextLink":null}', "next link"),
        (b'{"value":[],"@odata.nextLink":""}', "next link"),
        (b'{"value":[],"@odata.nextLink":5}', "next link"),
        (b'{"value":[],"@odata.nextlink":"https://x"}', "next link"),
        (b'{"value":[{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}]}", "nested too deeply"),
    ],
)
def test_what_is_no_whole_valid_page_is_refused(body: bytes, reason: str) -> None:
    """A page that is broken, strange or an error in disguise is never read as records, nor as the end."""
    with pytest.raises(InvalidPage) as caught:
        split_page(body)
    assert reason in caught.value.message
    assert isinstance(caught.value, GraphUnavailableError)


def test_an_error_in_the_page_is_quoted_without_its_links() -> None:
    """What Graph says is repeated, but never a link with its skip token."""
    body = b'{"error":{"code":"E","message":"see ' + LINK.encode() + b' skiptoken=5f3e_100"}}'
    with pytest.raises(InvalidPage) as caught:
        split_page(body)
    assert "abc" not in str(caught.value)
    assert "5f3e" not in str(caught.value)


@pytest.mark.parametrize("space", ["", " "])
def test_a_record_stands_on_one_line(space: str) -> None:
    """Line breaks between tokens become spaces, on both ways through the code, and escapes stay."""
    body = b'{"value":[{"a":\r\n1,\n"b":"\\n\\\\"}]}' + space.encode()
    assert split_page(body)[0] == (b'{"a":  1, "b":"\\n\\\\"}',)


def test_an_empty_page_has_a_next_link() -> None:
    """Graph may send a page without records before the last one."""
    assert split_page(page_of(link=LINK)) == ((), LINK)


def test_numbers_stay_as_they_are() -> None:
    """Nothing is computed: long and odd numbers keep their text, on both ways through the code."""
    for space in (b"", b" "):
        record = b'{"a":' + b"9" * 5000 + b',"b":1.10e+2,"c":-0.0}'
        assert split_page(b'{"value":[' + space + record + b"]}" + space)[0] == (record,)


def test_a_page_does_not_show_its_next_link() -> None:
    """Logging a page tells nobody how to read the next one."""
    page = Page((), LINK, "r", "c", 0, None)
    assert "skiptoken" not in repr(page)


def test_a_page_is_split_in_few_times_its_size() -> None:
    """One emoji makes a page's text four times as large as its bytes; so it is never one text."""
    body = page_of(
        *[compact({"id": str(number), "userAgent": "long " * 400}) for number in range(500)],
        b'{"a":"\xf0\x9f\x91\xa9"}',
    )
    split_page(body)
    tracemalloc.start()
    try:
        split_page(body)
        assert tracemalloc.get_traced_memory()[1] < 1.5 * len(body)
    finally:
        tracemalloc.stop()
