"""What CloudWatch hears of a lake: one count per verified day, whose absence is an alarm (infra/alarms.yaml)."""

from __future__ import annotations

import logging

from botocore.exceptions import BotoCoreError, ClientError

from entra_lake.lake import Lake
from entra_lake.schema import Stream

NAMESPACE = "EntraLake"
DAY_VERIFIED = "DayVerified"

log = logging.getLogger(__name__)


def count_verified(lake: Lake, stream: Stream) -> None:
    """Put one `DayVerified` for the stream, where `metrics` is set in lakes.yaml.

    It never fails a run: a metric that is missing raises the alarm by itself.
    """
    if not lake.settings.metrics:
        return
    dimensions = [{"Name": "Lake", "Value": lake.settings.name}, {"Name": "Stream", "Value": stream.name}]
    point = {"MetricName": DAY_VERIFIED, "Dimensions": dimensions, "Value": 1, "Unit": "Count"}
    try:
        lake.aws.client("cloudwatch").put_metric_data(Namespace=NAMESPACE, MetricData=[point])
    except (BotoCoreError, ClientError) as error:
        log.warning("%s: CloudWatch did not take the metric %s: %s", stream.name, DAY_VERIFIED, error)
