"""The documents cannot lie: what the code has stands in them, and what they show exists and works."""

from __future__ import annotations

import dataclasses
import importlib.util
import inspect
import re
import sys
import tomllib
from collections import Counter
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import pytest

from documents import (
    BLOCK,
    DOCUMENTS,
    REPOSITORY,
    dag_params,
    every_document,
    fences,
    make_targets,
    prose,
    read,
    row_of,
    section,
)
from entra_lake import __main__ as command_line
from entra_lake import __version__, advice, errors, hooks
from entra_lake.arrow import record_batch
from entra_lake.aws import Aws
from entra_lake.collect import collect_day
from entra_lake.connections import GraphConnection, read_connection
from entra_lake.dictionary import dictionary
from entra_lake.errors import EntraLakeError, FatalError, RetryableError
from entra_lake.flatten import flatten, unflatten
from entra_lake.lake import Lake
from entra_lake.layout import raw_prefix
from entra_lake.mail import sender_of
from entra_lake.schema import EXTRA_COLUMN, LAKE_COLUMNS, NAME_PATTERN, Stream
from entra_lake.settings import DetectionSettings, LakeSettings, MailSettings, include_folder, read_lakes
from entra_lake.sql import render
from entra_lake.streams import STREAMS
from entra_lake.tables import prepare
from simulation import DAY


def load_benchmark(name: str) -> ModuleType:
    """Return a script of benchmarks/ as a module."""
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", REPOSITORY / "benchmarks" / f"{name}.py")
    assert spec
    assert spec.loader
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# Streams and columns.


def test_the_data_dictionary_is_up_to_date() -> None:
    """The dictionary in docs/ is what the streams give now."""
    assert read("docs/data-dictionary.md") == dictionary(), (
        "run: python -m entra_lake.dictionary docs/data-dictionary.md"
    )


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_every_stream_and_column_is_documented(stream: Stream) -> None:
    """Each stream has a section with its facts, each column a row with its path and its sentence."""
    text = section(read("docs/data-dictionary.md"), stream.name)
    assert {stream.path, stream.permission, stream.doc_url, stream.description} <= facts_of(text, stream)
    for column in stream.columns:
        row = row_of(text, f"`{column.name}`")
        assert f"`{column.path}`" in row
        assert column.description.replace("|", "\\|") in row


def facts_of(text: str, stream: Stream) -> set[str]:
    """Return those facts of the stream that the text names."""
    return {fact for fact in (stream.path, stream.permission, stream.doc_url, stream.description) if fact in text}


def test_the_lakes_own_columns_are_documented() -> None:
    """Columns that every table has stand in one place, `dt` among them."""
    text = section(read("docs/data-dictionary.md"), "Every stream")
    for column in (*LAKE_COLUMNS, EXTRA_COLUMN):
        assert column.description in row_of(text, f"`{column.name}`")
    assert row_of(text, "`dt`")


def test_readme_names_the_streams() -> None:
    """The README tells of each stream that lakes.yaml collects: path, permission, view and table."""
    text = section(read("README.md"), "What you get")
    for name in read_lakes()["default"].streams:
        stream = STREAMS[name]
        row = row_of(text, f"[`{name}`](docs/data-dictionary.md#{name})")
        for fact in (f"/{stream.api_version}/{stream.path}", stream.permission, f"`{name}`, `{stream.history_table}`"):
            assert fact in row


# Settings, connections, commands.


def test_every_setting_is_documented() -> None:
    """Each setting of lakes.yaml has a row with its default, and no row tells of a setting that does not exist."""
    text = section(read("docs/connections.md"), "lakes.yaml")
    apart = {"name", "mail", "detections"}
    fields = {item.name: item.default for item in dataclasses.fields(LakeSettings) if item.name not in apart}
    fields |= {f"mail.{item.name}": item.default for item in dataclasses.fields(MailSettings)}
    fields |= {f"detections.{item.name}": None for item in dataclasses.fields(DetectionSettings)}
    assert set(re.findall(r"^\| `([\w.]+)` \|", text, re.MULTILINE)) == set(fields)
    for name, default in fields.items():
        assert default_text(name, default) in row_of(text, f"`{name}`").split("|")[2]


def default_text(name: str, default: Any) -> str:
    """Return how the table writes a default."""
    if default is dataclasses.MISSING:
        return "required"
    if name == "streams":
        return "all"
    if default is None:
        return "for ever" if name == "keep_days" else "none"
    if default in {"", ()}:
        return {"": "empty", (): "nobody"}[default]
    if isinstance(default, bool):
        return str(default).lower()
    return ", ".join(map(str, default)) if isinstance(default, tuple) else str(default)


def test_the_shipped_settings_are_the_defaults() -> None:
    """include/lakes.yaml differs from the documented defaults only in what everybody chooses."""
    shipped = read_lakes(include_folder() / "lakes.yaml")["default"]
    assert shipped == LakeSettings(bucket=shipped.bucket, streams=shipped.streams, mail=shipped.mail)


def test_every_field_of_the_connection_form_is_documented() -> None:
    """Each field of the connection form stands in the table under its label and its name in JSON."""
    text = section(read("docs/connections.md"), "Graph")
    kind = hooks.get_provider_info()["connection-types"][0]
    labels = {f"extra.{name}": field["label"] for name, field in kind["conn-fields"].items()}
    labels |= kind["ui-field-behaviour"]["relabeling"]
    for name, label in labels.items():
        assert f"`{name}`" in row_of(text, label)
    assert f"*{kind['hook-name']}*" in text
    assert f"`{kind['connection-type']}`" in text


@pytest.mark.parametrize(("name", "heading"), [("connections", "Graph"), ("aws", "AWS"), ("mail", "Mail")])
def test_every_field_that_is_read_is_documented(name: str, heading: str) -> None:
    """Each member that the code reads from a connection's extra stands in the connection's section."""
    source = (REPOSITORY / "plugins" / "entra_lake" / f"{name}.py").read_text()
    found = set(re.findall(r"extra\.get\(\"(\w+)\"", source))
    text = section(read("docs/connections.md"), heading)
    assert found
    assert not [field for field in found if f"`extra.{field}`" not in text]


def test_every_environment_variable_is_documented() -> None:
    """Each variable of ours that code reads stands in the table, and no other."""
    sources = [*(REPOSITORY / "plugins").rglob("*.py"), *(REPOSITORY / "dags").glob("*.py")]
    used = {name for path in sources for name in re.findall(r"[\"'](ENTRA_LAKE_\w+)[\"']", path.read_text())}
    text = section(read("docs/connections.md"), "Environment variables")
    assert set(re.findall(r"^\| `(ENTRA_LAKE_\w+)` \|", text, re.MULTILINE)) == used


def test_every_connection_example_works() -> None:
    """The connections shown as JSON are read, checked and usable as they stand."""
    text = read("docs/connections.md")
    variables = dict(re.findall(r"export (AIRFLOW_CONN_\w+)='(\{.*?\n\})'", text, re.DOTALL))
    variables |= {f"AIRFLOW_CONN_EXAMPLE{number}": body for number, body in enumerate(fences(text, "json"))}
    kinds = Counter()
    for variable in variables:
        connection = read_connection(variable.removeprefix("AIRFLOW_CONN_").lower(), variables)
        CHECKS[connection.conn_type](connection)
        kinds[connection.conn_type] += 1
    assert kinds == {"entra_graph": 2, "aws": 1, "smtp": 1}


CHECKS = {"entra_graph": GraphConnection.from_connection, "aws": Aws.from_connection, "smtp": sender_of}


def test_every_make_target_is_documented() -> None:
    """Each target stands in the contributor's table."""
    text = read("CONTRIBUTING.md")
    for target in make_targets() - {"help"}:
        assert row_of(text, f"`make {target}`")


def test_every_command_line_option_is_documented() -> None:
    """Each option of `python -m entra_lake` has a row, and no row tells of one that does not exist."""
    parser = command_line._parser()
    commands = next(action for action in parser._actions if action.dest == "==SUPPRESS==" or action.choices)
    actions = [*parser._actions, *(action for sub in commands.choices.values() for action in sub._actions)]
    options = {name for action in actions for name in action.option_strings if name.startswith("--")} - {"--help"}
    text = section(read("docs/backfill.md"), "Without Airflow")
    assert set(re.findall(r"^\| `(--[a-z0-9-]+)", text, re.MULTILINE)) == options


def test_every_dag_param_is_documented() -> None:
    """Each parameter of a run has a row, and no row tells of one that does not exist."""
    text = section(read("docs/backfill.md"), "Parameters of a run")
    params = dag_params()
    assert params
    assert set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)) == params


# Errors.


def concrete_errors() -> list[type[EntraLakeError]]:
    """Return the errors that somebody may meet."""
    bases = (EntraLakeError, RetryableError, FatalError)
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, EntraLakeError)]
    return sorted((kind for kind in kinds if kind not in bases), key=lambda kind: kind.code)


@pytest.mark.parametrize("kind", concrete_errors(), ids=lambda kind: kind.code)
def test_every_error_code_is_explained(kind: type[EntraLakeError]) -> None:
    """Each code has a row with its class and the mail's words, and a section to which a mail's link leads."""
    text = read("docs/troubleshooting.md")
    row = row_of(text, f"[{kind.code}](#{kind.code.lower()})")
    assert f"`{kind.__name__}`" in row
    assert advice.WORDS[kind.code] in row
    assert row.endswith("| no |") is issubclass(kind, FatalError)
    assert re.search(r"^1\. |^Then |Choose ", section(text, kind.code), re.MULTILINE), "it says what to do"


def test_no_error_code_is_made_up() -> None:
    """The documents name no code that the code does not have."""
    known = {kind.code for kind in concrete_errors()}
    for path in DOCUMENTS:
        assert set(re.findall(r"\bEL\d{3}\b", path.read_text())) <= known, path.name


# What the documents show.


def anchors(text: str) -> set[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose(text), re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {text.replace(" ", "-") for text in plain}


@every_document
def test_links_lead_somewhere(path: Path) -> None:
    """Every link between documents names a file that exists and a heading that is in it."""
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(path.read_text())):
        if not target.startswith(("https://", "http://")):
            name, _, anchor = target.partition("#")
            file = (path.parent / name).resolve() if name else path
            assert file.exists(), target
            assert not anchor or anchor in anchors(file.read_text()), target


@every_document
def test_queries_are_athenas(path: Path) -> None:
    """Every SQL block passes Trino's grammar, functions and types over the lake's own columns."""
    blocks = fences(path.read_text(), "sql")
    oracle = pytest.importorskip("sql_oracle") if blocks else None
    lake_columns = pytest.importorskip("test_sql_files").lake_columns if blocks else None
    for block in blocks:
        assert oracle
        assert lake_columns
        assert oracle.check(block, lake_columns()) == [], block


def test_the_example_stream_works() -> None:
    """The stream in CONTRIBUTING is one: it loads, flattens without loss, and gives an Arrow batch and Athena's DDL."""
    source = fences(read("CONTRIBUTING.md"), "python")[0]
    names: dict[str, Any] = {}
    exec(source, names)
    stream: Stream = names["STREAM"]
    assert f"plugins/entra_lake/streams/{stream.name}.py" in read("CONTRIBUTING.md")
    assert all(NAME_PATTERN.fullmatch(column.name) for column in stream.table_columns)
    assert {column.path for column in stream.columns} >= {"id", stream.time_field}
    row = flatten(EXAMPLE, stream)
    assert unflatten(row, stream) == EXAMPLE
    whole = {column.name: row.get(column.name) for column in stream.table_columns}
    assert isinstance(record_batch([whole], stream), pa.RecordBatch)
    ddl = render(
        "tables/create_history_table.sql",
        database="entra_lake",
        table=stream.history_table,
        columns=stream.table_columns,
        comment=stream.description,
        location=f"s3://entra-lake/lake/{stream.name}/",
        schema_version=1,
    )
    assert "`risk_event_type` string" in ddl


EXAMPLE = {
    "id": "6a5874ca-abcd-9d82-5ad39bd71600",
    "detectedDateTime": "2026-11-22T23:59:59.9999999Z",
    "requestId": None,
    "riskEventType": "passwordSpray",
    "riskLevel": "medium",
    "userPrincipalName": "anna@example.com",
    "ipAddress": "192.0.2.1",
    "location": {"countryOrRegion": "NL", "city": "Utrecht"},
    "source": "IdentityProtection",
}


def test_the_module_map_names_what_exists() -> None:
    """Every module in the architecture's map is a file or a folder of the library."""
    library = REPOSITORY / "plugins" / "entra_lake"
    rows = [
        line.split("|")[2] for line in section(read("docs/architecture.md"), "Modules").splitlines() if "| `" in line
    ]
    names = [name for row in rows for name in re.findall(r"`(\w+)/?`", row)]
    assert len(names) == len(set(names)) > 0
    assert not [name for name in names if not (library / name).is_dir() and not (library / f"{name}.py").exists()]


# Cost.


def test_the_readme_shows_the_computed_cost() -> None:
    """The table of costs is what the script prints."""
    found = re.search(BLOCK.format("cost"), read("README.md"), re.DOTALL)
    assert found
    assert found[1] == load_benchmark("cost").table(), "run: python benchmarks/cost.py"


def test_the_documents_show_what_the_scripts_print() -> None:
    """The machine's cost and the volumes that fit are those that the scripts print."""
    for name, marker, show in (
        ("docs/operations.md", "host cost", load_benchmark("cost").host_table),
        ("docs/at-scale.md", "volume", load_benchmark("volume").table),
    ):
        found = re.search(BLOCK.format(marker), read(name), re.DOTALL)
        assert found
        assert found[1] == show(), f"{name}: write what the script prints between the markers"


def test_decisions_are_numbered() -> None:
    """Each record of a decision has a number of its own, which its file and its title say."""
    files = sorted((REPOSITORY / "docs" / "adr").glob("[0-9]*.md"))
    numbers = [int(path.name[:4]) for path in files]
    assert len(set(numbers)) == len(numbers) > 0
    for path, number in zip(files, numbers, strict=True):
        assert path.read_text().startswith(f"# {number}. "), path.name


def test_the_computed_requests_are_those_that_are_sent(lake: Lake) -> None:
    """The requests to S3 that costs are computed from are those of a day's first reading, the day before being held."""
    sent: Counter[str] = Counter()
    events = lake.aws.session.events  # type: ignore[attr-defined]
    events.register("before-call.s3", lambda model, **_: sent.update([model.name]))
    prepare(lake)
    for stream in lake.streams:
        collect_day(lake, stream, DAY - timedelta(days=1), "first")
        sent.clear()
        outcome = collect_day(lake, stream, DAY, "first")
        assert outcome.manifest
        pages = int(outcome.manifest.passes[-1]["pages"])
        parts = len(list(lake.store.list(raw_prefix(stream, DAY))))
        expected = load_benchmark("cost").requests(pages, parts)
        sent["ListObjectsV2"] -= 1  # our own, just now
        assert sent["PutObject"] + sent["ListObjectsV2"] == expected.writes
        assert expected.reads - 4 <= sent["GetObject"] + sent["HeadObject"] <= expected.reads


# Release.


def test_versions_agree() -> None:
    """The changelog's newest version is the project's and the library's."""
    newest = re.search(r"^## \[(\d+\.\d+\.\d+)\] - ", read("CHANGELOG.md"), re.MULTILINE)
    project = tomllib.loads(read("pyproject.toml"))["project"]
    assert newest
    assert newest[1] == project["version"] == __version__


def test_the_licence_is_apaches() -> None:
    """LICENSE is the Apache License 2.0, whole and alone."""
    text = read("LICENSE")
    assert tomllib.loads(read("pyproject.toml"))["project"]["license"] == "Apache-2.0"
    assert text.split()[:4] == ["Apache", "License", "Version", "2.0,"]
    assert all(f"\n   {number}. " in text for number in range(1, 10))
    assert "END OF TERMS AND CONDITIONS" in text
    assert text.rstrip().endswith("limitations under the License.")


def test_the_readme_keeps_its_marked_places() -> None:
    """The places that are filled from real output stay where they are."""
    text = read("README.md")
    assert re.search(BLOCK.format("make run"), text, re.DOTALL)
    assert "<!-- screenshot -->" in text
    assert len(text.splitlines()) <= 260


@every_document
def test_words(path: Path) -> None:
    """No document calls a thing simple or easy, and none names a path of the machine it was written on."""
    text = path.read_text()
    assert not re.findall(r"\b(simply|easily|just works)\b", text, re.IGNORECASE)
    assert not re.findall(r"(?<![\w/.:])/(?:work|home|root|Users)/\S+", text)
