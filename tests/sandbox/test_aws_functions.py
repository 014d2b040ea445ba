"""Expressions answer as Trino answers them, above all where DuckDB or a translation silently differs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sandbox.aws.athena.catalog import Catalog
from sandbox.aws.athena.engine import Engine
from sandbox.aws.athena.errors import QueryFailedError
from sandbox.aws.storage import Storage

NOW = datetime(2026, 11, 23, 9, 30, 15, 123456, tzinfo=UTC)
Ask = Callable[[str], list[tuple[str | None, ...]]]
BERLIN = "timestamp '2026-01-05 13:04:05' AT TIME ZONE 'Europe/Berlin'"
T = "timestamp '2026-01-05 13:04:05'"

VALUES = [
    # numbers
    ("1 / 2", "0"),
    ("-7 / 2", "-3"),
    ("1e0 / 0", "Infinity"),
    ("1.0 / 3", "0.3"),
    ("100.0 * 1 / 3", "33.3"),
    ("cast(7 AS double) / 2", "3.5"),
    ("cast(2.5e0 AS integer)", "3"),
    ("cast(1.5e0 AS varchar)", "1.5E0"),
    ("1e10", "1.0E10"),
    ("round(1.256e0, 2)", "1.26"),
    ("width_bucket(5.0, 0.0, 10.0, 5)", "3"),
    # dates
    ("date_diff('hour', timestamp '2026-01-01 00:50:00', timestamp '2026-01-01 01:10:00')", "0"),
    ("date_diff('second', timestamp '2026-01-01 00:00:00.900', timestamp '2026-01-01 00:00:02.100')", "1"),
    ("date_diff('day', date '2026-01-01', date '2026-03-01')", "59"),
    ("cast(timestamp '2026-01-01 00:00:00' AS varchar)", "2026-01-01 00:00:00.000"),
    ("cast(from_iso8601_timestamp('2026-01-01T00:00:00Z') AS varchar)", "2026-01-01 00:00:00.000 UTC"),
    (f"format_datetime({T}, 'yyyy-MM-dd''T''HH:mm:ss EEE d')", "2026-01-05T13:04:05 Mon 5"),
    (f"date_format({T}, '%Y-%m-%d %H:%i:%s %W %M %v')", "2026-01-05 13:04:05 Monday January 02"),
    ("date_parse('2026-01-05 01:02:03', '%Y-%m-%d %H:%i:%s')", "2026-01-05 01:02:03.000"),
    (f"to_iso8601({T})", "2026-01-05T13:04:05.000"),
    ("to_iso8601(date '2026-01-05')", "2026-01-05"),
    ("to_iso8601(from_iso8601_timestamp('2026-01-05T13:04:05Z'))", "2026-01-05T13:04:05.000Z"),
    ("from_iso8601_timestamp('2026-01-05T13:04:05+02:00')", "2026-01-05 11:04:05.000 UTC"),
    (f"hour({BERLIN})", "14"),
    ("format_datetime(at_timezone(from_iso8601_timestamp('2026-07-05T13:04:05Z'), 'Europe/Berlin'), 'HH:mm')", "15:04"),
    ("date_trunc('week', date '2026-01-07')", "2026-01-05"),
    ("date_trunc('hour', timestamp '2026-01-07 01:02:03')", "2026-01-07 01:00:00.000"),
    ("date_add('day', 1, date '2026-01-07')", "2026-01-08"),
    ("date '2026-01-31' + interval '1' month", "2026-02-28"),
    ("current_date", "2026-11-23"),
    ("current_timestamp", "2026-11-23 09:30:15.123 UTC"),
    ("day_of_week(date '2026-01-05')", "1"),
    # text
    ("substr('hello', 0, 2)", ""),
    ("substr('hello', -3, 2)", "ll"),
    ("split('a,b', ',')[2]", "b"),
    ("element_at(split('a,b', ','), 3)", None),
    ("concat('a', 'b', cast(null AS varchar))", None),
    ("regexp_extract('abc', 'z')", None),
    ("regexp_extract('abc', '(b)(c)', 2)", "c"),
    ("regexp_replace('abc', '(b)', '[$1]')", "a[b]c"),
    ("regexp_like('abc', 'b')", "true"),
    ("format('%s-%d', 'a', 1)", "a-1"),
    ("url_extract_host('https://user@a.example.com:8080/x?y=1#f')", "a.example.com"),
    ("url_extract_parameter('https://a.example.com/x?y=1&z=2', 'z')", "2"),
    ("to_hex(sha256(to_utf8('a')))", "CA978112CA1BBDCAFAC231B39A23DC4DA786EFF8147C4E72B9807785AFEE48BB"),
    ("to_hex(xxhash64(to_utf8('a')))", "D24EC4F1A98C6E5B"),
    ("to_hex(xxhash64(to_utf8('abcdefghijklmnopqrstuvwxyz0123456789')))", "64F23ECF1609B766"),
    # JSON
    ("""json_extract_scalar('{"a":{"b":1}}', '$.a')""", None),
    ("""json_extract_scalar('{"a":{"b":1}}', '$.a.b')""", "1"),
    ("""json_extract_scalar('{"a b":"z"}', '$["a b"]')""", "z"),
    ("json_extract_scalar('not json', '$.a')", None),
    ("json_extract('not json', '$.a')", None),
    ("""cast(json_parse('"a"') AS varchar)""", "a"),
    ("""cast(json_extract('["a","b"]', '$') AS array(varchar))""", "[a, b]"),
    ("json_array_length('[1,2]')", "2"),
    ("json_array_length('no JSON')", None),
    ("json_array_length('{}')", None),
    ("""json_array_contains('["a","b"]', 'a')""", "true"),
    # arrays and maps
    ("any_match(ARRAY[1,2], x -> x > 1)", "true"),
    ("all_match(ARRAY[1,2], x -> x > 1)", "false"),
    ("none_match(ARRAY[1,2], x -> x > 5)", "true"),
    ("arrays_overlap(ARRAY['a'], ARRAY['b','a'])", "true"),
    ("cardinality(ARRAY[1,2])", "2"),
    ("cardinality(map(ARRAY['a'], ARRAY[1]))", "1"),
    ("contains(ARRAY[1,2], 3)", "false"),
    ("filter(ARRAY[1,2,3], x -> x > 1)", "[2, 3]"),
    ("transform(ARRAY[1,3], x -> x / 2)", "[0, 1]"),
    ("reduce(ARRAY[1,2,3], 0, (s, x) -> s + x, s -> s)", "6"),
    ("array_join(ARRAY['a',null,'b'], ',')", "a,b"),
    ("array_join(ARRAY['a',null,'b'], ',', '-')", "a,-,b"),
    ("slice(ARRAY[1,2,3,4], 2, 2)", "[2, 3]"),
    ("element_at(map(ARRAY['a'], ARRAY[1]), 'z')", None),
    ("map(ARRAY['a'], ARRAY[1])['a']", "1"),
    ("cast(ROW(1, 'a') AS row(x integer, y varchar))", "{x=1, y=a}"),
    # conditions
    ("try(1 / 0)", None),
    ("try_cast('a' AS integer)", None),
    ("if(1 = 2, 'a')", None),
    ("coalesce(null, 1)", "1"),
    ("greatest(1, null)", None),
    # distance
    ("round(great_circle_distance(48.1, 11.6, 40.7, -74.0))", "6492.0"),
    (
        """round(6371.0 * acos(sin(radians(48.1)) * sin(radians(40.7))
           + cos(radians(48.1)) * cos(radians(40.7)) * cos(radians(11.6 + 74.0))))""",
        "6492.0",
    ),
]

QUERIES = [
    ("SELECT x FROM unnest(ARRAY['b','a']) AS t(x) ORDER BY x", [("a",), ("b",)]),
    ("SELECT x, n FROM unnest(ARRAY['b','a']) WITH ORDINALITY AS t(x, n) ORDER BY n", [("b", "1"), ("a", "2")]),
    (
        """SELECT json_extract_scalar(j, '$.a') FROM (VALUES '[{"a":"q"},{"a":"r"}]') AS s(text)
           CROSS JOIN UNNEST(CAST(json_extract(text, '$') AS array(json))) AS t(j) ORDER BY 1""",
        [("q",), ("r",)],
    ),
    (
        """SELECT count_if(x > 1), approx_distinct(x), approx_percentile(x, 0.5), sum(x), avg(x)
           FROM (VALUES 1, 2, 3) AS t(x)""",
        [("2", "3", "2", "6", "2.0")],
    ),
    (
        """SELECT min_by(a, b), max_by(a, b), map_agg(a, b), listagg(a, '|') WITHIN GROUP (ORDER BY b DESC),
                  array_agg(a ORDER BY b DESC), cardinality(map_agg(a, b)), histogram(a)
           FROM (VALUES ('x', 1), ('y', 2)) AS t(a, b)""",
        [("x", "y", "{x=1, y=2}", "y|x", "[y, x]", "2", "{x=1, y=1}")],
    ),
    ("SELECT max_by(a, b) FROM (VALUES (null, 2), ('x', 1)) AS t(a, b)", [(None,)]),
    ("SELECT count(*) FILTER (WHERE x > 1) FROM (VALUES 1, 2, 3) AS t(x)", [("2",)]),
    (
        """SELECT a, b, count(*) FROM (VALUES ('x', 1), ('y', 2)) AS t(a, b)
           GROUP BY GROUPING SETS ((a), (b), ()) ORDER BY 1, 2""",
        [("x", None, "1"), ("y", None, "1"), (None, "1", "1"), (None, "2", "1"), (None, None, "2")],
    ),
    (
        """SELECT count(*) OVER (ORDER BY ts RANGE BETWEEN INTERVAL '10' MINUTE PRECEDING AND CURRENT ROW) FROM
           (VALUES timestamp '2026-01-01 00:00:00', timestamp '2026-01-01 00:09:00',
                   timestamp '2026-01-01 00:15:00') AS t(ts)""",
        [("1",), ("2",), ("2",)],
    ),
    ("SELECT x, lag(x) OVER (ORDER BY x) FROM (VALUES 2, 1) AS t(x) ORDER BY x DESC", [("2", "1"), ("1", None)]),
    ("SELECT x FROM (VALUES 1, null, 2) AS t(x) ORDER BY x DESC", [("2",), ("1",), (None,)]),
    ("WITH r AS (SELECT 1 AS a) SELECT a, a + 1 FROM r UNION ALL SELECT 5, 6 ORDER BY a", [("1", "2"), ("5", "6")]),
]

FAILURES = [
    ("7 / 0", "DIVISION_BY_ZERO: Division by zero"),
    ("7 % 0", "DIVISION_BY_ZERO: Division by zero"),
    ("1.0 / 0", "DIVISION_BY_ZERO: Division by zero"),
    (
        "split('a,b', ',')[3]",
        "INVALID_FUNCTION_ARGUMENT: Array subscript must be less than or equal to array length: 3 > 2",
    ),
    ("split('a,b', ',')[0]", "INVALID_FUNCTION_ARGUMENT: SQL array indices start at 1"),
    ("map(ARRAY['a'], ARRAY[1])['z']", "INVALID_FUNCTION_ARGUMENT: Key not present in map: z"),
    ("cast('x' AS integer)", "INVALID_CAST_ARGUMENT: "),
    ("9223372036854775807 + 1", "NUMERIC_VALUE_OUT_OF_RANGE: "),
    ("nosuchfunction(1)", "FUNCTION_NOT_FOUND: line 1:1: Function 'nosuchfunction' not registered"),
    ("list_sort(ARRAY[1])", "FUNCTION_NOT_FOUND: "),
    ("checksum(1)", "NOT_SUPPORTED: the sandbox's Athena does not know the function checksum"),
    ("typeof(1)", "NOT_SUPPORTED: "),
    ("cast('10.0.0.1' AS ipaddress)", "NOT_SUPPORTED: the sandbox's Athena does not know the type ipaddress"),
    ("reduce(ARRAY[1], 0, (s, x) -> s + x, s -> s * 2)", "NOT_SUPPORTED: "),
    ("format_datetime(current_timestamp, 'QQ')", "NOT_SUPPORTED: the sandbox's Athena does not know the date pattern"),
    ("json_extract_scalar('[]', '$[*]')", "NOT_SUPPORTED: "),
    (f"cast({BERLIN} AS varchar)", "NOT_SUPPORTED: "),
    (f"{BERLIN} > current_timestamp", "NOT_SUPPORTED: "),
    ("* FROM (VALUES 1) AS t(x) MATCH_RECOGNIZE (PATTERN (a) DEFINE a AS true)", "NOT_SUPPORTED: MATCH_RECOGNIZE"),
]


@pytest.fixture(name="ask", scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Ask:
    """Run a query without a server."""
    folder: Path = tmp_path_factory.mktemp("aws")
    storage = Storage(folder, "999999999999", "eu-central-1")
    storage.load()

    def ask(sql: str) -> list[tuple[str | None, ...]]:
        one = Engine(Catalog(storage), "default", lambda: NOW)
        try:
            query = one.check(sql)
            one.plan(query)
            return one.run(query).rows
        finally:
            one.close()

    return ask


@pytest.mark.parametrize(("expression", "expected"), VALUES, ids=[case[0] for case in VALUES])
def test_an_expression_answers_as_in_trino(ask: Ask, expression: str, expected: str | None) -> None:
    """Each line of the table is one promise."""
    assert ask(f"SELECT {expression}") == [(expected,)]


@pytest.mark.parametrize(("sql", "expected"), QUERIES, ids=[case[0][:60] for case in QUERIES])
def test_a_query_answers_as_in_trino(ask: Ask, sql: str, expected: list[tuple[str | None, ...]]) -> None:
    """Each query of the table is one promise."""
    assert ask(sql) == expected


@pytest.mark.parametrize(("expression", "reason"), FAILURES, ids=[case[0] for case in FAILURES])
def test_an_expression_fails_as_in_trino(ask: Ask, expression: str, reason: str) -> None:
    """An error is an error with Trino's code; what cannot be answered rightly is refused by name."""
    with pytest.raises(QueryFailedError) as caught:
        ask(f"SELECT {expression}")
    assert str(caught.value).startswith(reason)
