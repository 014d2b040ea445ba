"""The command line: the pipeline without Airflow."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from entra_lake import __version__
from entra_lake.__main__ import main
from entra_lake.extract import read_manifest
from entra_lake.lake import Lake
from entra_lake.streams import STREAMS
from sandbox.environment import environment
from sandbox.serve import Sandbox
from simulation import DAY


@pytest.fixture
def command(cloud: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Call the command line with the sandbox's connections."""
    for name, value in environment(cloud.state.folder).items():
        monkeypatch.setenv(name, value)
    return lambda *arguments: main(["collect", *arguments])


def test_yesterday_is_the_default(command: Any, lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a day, yesterday is collected; each stream has a line with its counts."""
    assert command() == 0
    printed = capsys.readouterr()
    for stream in STREAMS.values():
        found = read_manifest(lake, stream, DAY)
        assert found is not None
        assert f"{found[0].object['ids']:,} ids" in printed.out
    assert "records/s" in printed.err


def test_days_that_expire_first_come_first(command: Any, cloud: Sandbox, lake: Lake) -> None:
    """A range is read from its oldest day on, for the streams that were asked for."""
    assert command("--from", str(DAY - timedelta(days=2)), "--to", str(DAY), "--streams", "sign_ins") == 0
    filters = [request["filter"] for request in cloud.tenant.graph.requests]
    assert [text.split(" ge ")[1][:10] for text in filters] == ["2026-11-20", "2026-11-21", "2026-11-22"]
    assert read_manifest(lake, STREAMS["directory_audits"], DAY) is None


@pytest.mark.fault(13)
@pytest.mark.defect("D2")
@pytest.mark.slow
def test_a_failed_stream_does_not_stop_the_other(
    command: Any, cloud: Sandbox, lake: Lake, capsys: pytest.CaptureFixture[str]
) -> None:
    """A tenant without a licence still gets its audits; the command says which stream failed, and fails."""
    cloud.tenant.faults.configure({"faults": [{"kind": "not_premium", "times": "always", "stream": "sign_ins"}]})
    assert command() == 1
    printed = capsys.readouterr()
    assert "EL204" in printed.out
    assert read_manifest(lake, STREAMS["directory_audits"], DAY)
    assert read_manifest(lake, STREAMS["sign_ins"], DAY) is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--from", "2026-11-24"], "EL206"),
        (["--from", "2026-10-01", "--to", "2026-10-01"], "EL205"),
        (["--from", "yesterday"], "EL201"),
        (["--from", "2026-11-20", "--to", "2026-11-19"], "EL201"),
        (["--lake", "other"], "EL201"),
    ],
)
def test_what_cannot_be_collected(
    command: Any, cloud: Sandbox, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A day out of reach, or a wrong word, is refused with its code before anything is asked."""
    assert command(*arguments) == 1
    assert said in capsys.readouterr().err
    assert not cloud.tenant.graph.requests


def test_no_secret_is_printed(
    command: Any, cloud: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A refused secret is explained and not repeated."""
    connection = json.loads(environment(cloud.state.folder)["AIRFLOW_CONN_GRAPH_DEFAULT"])
    monkeypatch.setenv("AIRFLOW_CONN_GRAPH_DEFAULT", json.dumps({**connection, "password": "my~wrong~secret"}))
    assert command() == 1
    printed = capsys.readouterr()
    assert "EL202" in printed.err
    assert "my~wrong~secret" not in printed.err + printed.out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """The version is told."""
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out.strip() == __version__
