"""The count of verified days in CloudWatch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from entra_lake.aws import Aws
from entra_lake.collect import collect_day
from entra_lake.lake import Lake
from entra_lake.layout import manifest_key
from entra_lake.metrics import DAY_VERIFIED, NAMESPACE, count_verified
from entra_lake.streams import STREAMS
from entra_lake.tables import prepare
from simulation import DAY, NOW, SESSION

AUDITS = STREAMS["directory_audits"]


def counted(lake: Lake) -> float:
    """Return how many verified days of the stream CloudWatch has counted."""
    answer = lake.aws.client("cloudwatch").get_metric_statistics(
        Namespace=NAMESPACE,
        MetricName=DAY_VERIFIED,
        Dimensions=[{"Name": "Lake", "Value": "default"}, {"Name": "Stream", "Value": AUDITS.name}],
        StartTime=NOW.replace(year=2020),
        EndTime=NOW.replace(year=2100),
        Period=86_400,
        Statistics=["Sum"],
    )
    return sum(point["Sum"] for point in answer["Datapoints"])


def measuring(lake: Lake, **changes: Any) -> Lake:
    """Return the lake with metrics switched on."""
    return replace(lake, settings=replace(lake.settings, metrics=True), **changes)


@pytest.mark.slow
def test_a_verified_day_is_counted(lake: Lake) -> None:
    """Each manifest that is committed counts one day of its stream; without the setting nothing is sent."""
    prepare(lake)
    collect_day(lake, AUDITS, DAY, "first")
    assert counted(lake) == 0
    collect_day(measuring(lake), AUDITS, DAY, "second")
    assert counted(lake) == 1


def test_a_day_is_verified_without_cloudwatch(lake: Lake, caplog: pytest.LogCaptureFixture) -> None:
    """A CloudWatch that is out of reach fails nothing; a line in the log says so."""
    nowhere = Aws(SESSION, "http://127.0.0.1:9")
    count_verified(measuring(lake, session=nowhere), AUDITS)
    assert "CloudWatch did not take the metric DayVerified" in caplog.text
    assert lake.store.look(manifest_key(AUDITS, DAY)) is None
